//! Calendars: which local day an instant belongs to, and which period a day belongs to.
//!
//! Local days are counted from 1970-01-01 (day 0) and bounded by the instants of local midnight, so days of 23 and
//! 25 hours are whole days. Midnights are looked up once per zone and kept in a table: a measurement finds its day by
//! a guess and at most two steps, without asking the time zone database. The database is compiled in, so that every
//! machine has the same midnights.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::instant::{DAY_MS, HOUR_MS, Instant};

/// First and last local day of the table: 1968-01-01 and 2202-12-31.
const DAY_MIN: i64 = -731;
const DAY_MAX: i64 = 85_100;

/// The kinds of calendar period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A local day.
    Day,
    /// Seven local days from `week_start`.
    Week,
    /// A calendar month, or 4 or 5 whole weeks.
    Month,
    /// Three months, counted from the start of the fiscal year.
    Quarter,
    /// Twelve months from the start of the fiscal year.
    Year,
}

/// The first day of a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeekStart {
    /// ISO 8601.
    Monday,
    /// North America.
    Sunday,
}

/// How the 13 weeks of a fiscal quarter make three months. The fiscal year starts at the week start nearest to the
/// first day of `fiscal_year_start`; a 53rd week belongs to the last month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeekPattern {
    /// 4, 4 and 5 weeks.
    P445,
    /// 4, 5 and 4 weeks.
    P454,
    /// 5, 4 and 4 weeks.
    P544,
}

impl WeekPattern {
    /// Weeks of a quarter's months.
    fn weeks(self) -> [i64; 3] {
        match self {
            Self::P445 => [4, 4, 5],
            Self::P454 => [4, 5, 4],
            Self::P544 => [5, 4, 4],
        }
    }
}

/// The zone is not in the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an IANA time zone: write for example Europe/Berlin or UTC")]
pub struct TimeZoneError(pub String);

/// The local days of a scorecard.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: String,
    week_start: WeekStart,
    fiscal_year_start: i64,
    /// Instants of local midnight from `DAY_MIN` on; `None` for UTC, where days are arithmetic.
    midnights: Option<Arc<[i64]>>,
}

impl Calendar {
    /// UTC, Monday, January.
    pub fn utc() -> Self {
        Self {
            zone: "UTC".to_owned(),
            week_start: WeekStart::Monday,
            fiscal_year_start: 1,
            midnights: None,
        }
    }

    /// Whether both count days, weeks and years alike.
    pub fn has_days_of(&self, other: &Self) -> bool {
        (&self.zone, self.week_start, self.fiscal_year_start)
            == (&other.zone, other.week_start, other.fiscal_year_start)
    }

    /// A calendar of an IANA zone. `fiscal_year_start` is a month, 1..=12.
    pub fn new(zone: &str, week_start: WeekStart, fiscal_year_start: u8) -> Result<Self, TimeZoneError> {
        let midnights = match zone {
            "UTC" => None,
            _ => Some(known_midnights(zone).ok_or_else(|| TimeZoneError(zone.to_owned()))?),
        };
        let fiscal_year_start = i64::from(fiscal_year_start.clamp(1, 12));
        Ok(Self {
            zone: zone.to_owned(),
            week_start,
            fiscal_year_start,
            midnights,
        })
    }

    /// The IANA name.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// The instant at which a local day starts.
    pub fn day_start(&self, day: i64) -> Instant {
        match &self.midnights {
            None => Instant(day * DAY_MS),
            Some(table) => {
                let index = (day.clamp(DAY_MIN, DAY_MAX) - DAY_MIN) as usize;
                Instant(table.get(index).copied().unwrap_or(day * DAY_MS))
            }
        }
    }

    /// The local day of an instant.
    pub fn day_of(&self, instant: Instant) -> i64 {
        let mut day = instant.0.div_euclid(DAY_MS);
        if self.midnights.is_some() {
            while day > DAY_MIN && self.day_start(day) > instant {
                day -= 1;
            }
            while day < DAY_MAX && self.day_start(day + 1) <= instant {
                day += 1;
            }
        }
        day
    }

    /// Local midnight of a civil date, or `None` where there is no such date.
    pub fn midnight(&self, year: i16, month: i8, day: i8) -> Option<Instant> {
        jiff::civil::Date::new(year, month, day)
            .ok()
            .map(|date| self.day_start(day_number(date)))
    }

    /// The half-open range of local days of the period that contains `day`.
    pub fn period_of(&self, period: Period, weeks: Option<WeekPattern>, day: i64) -> (i64, i64) {
        match (period, weeks) {
            (Period::Day, _) => (day, day + 1),
            (Period::Week, _) => {
                let start = self.week_of(day);
                (start, start + 7)
            }
            (_, Some(pattern)) => self.week_period(period, pattern, day),
            (Period::Month, None) => self.months_of(day, 1),
            (Period::Quarter, None) => self.months_of(day, 3),
            (Period::Year, None) => self.months_of(day, 12),
        }
    }

    /// First day of the week that contains `day`. Day 0 was a Thursday.
    fn week_of(&self, day: i64) -> i64 {
        let shift = match self.week_start {
            WeekStart::Monday => 3,
            WeekStart::Sunday => 4,
        };
        day - (day + shift).rem_euclid(7)
    }

    /// Whole calendar months, `count` at a time, counted from the start of the fiscal year.
    fn months_of(&self, day: i64, count: i64) -> (i64, i64) {
        let (year, month, _) = civil_of(day);
        let month = year * 12 + month - 1;
        let shift = self.fiscal_year_start - 1;
        let first = (month - shift).div_euclid(count) * count + shift;
        (first_of_month(first), first_of_month(first + count))
    }

    /// First day of the fiscal year of whole weeks that begins in that calendar year: the week start nearest to the
    /// first of the month, as ISO 8601 does it for January.
    fn week_year_start(&self, year: i64) -> i64 {
        let first = first_of_month(year * 12 + self.fiscal_year_start - 1);
        self.week_of(first + 3)
    }

    fn week_period(&self, period: Period, pattern: WeekPattern, day: i64) -> (i64, i64) {
        let mut year = civil_of(day).0 + 1;
        while self.week_year_start(year) > day {
            year -= 1;
        }
        let (start, end) = (self.week_year_start(year), self.week_year_start(year + 1));
        if period == Period::Year {
            return (start, end);
        }
        let quarter = ((day - start) / (13 * 7)).min(3);
        let quarter_start = start + quarter * 13 * 7;
        let quarter_end = if quarter == 3 { end } else { quarter_start + 13 * 7 };
        if period == Period::Quarter {
            return (quarter_start, quarter_end);
        }
        let [first, second, _] = pattern.weeks();
        let (second_start, third_start) = (quarter_start + first * 7, quarter_start + (first + second) * 7);
        match day {
            _ if day < second_start => (quarter_start, second_start),
            _ if day < third_start => (second_start, third_start),
            _ => (third_start, quarter_end),
        }
    }
}

/// Hour slices of local days are numbered `day * HOURS_OF_DAY + hour`, with room for days of 25 hours.
pub const HOURS_OF_DAY: i64 = 32;

impl Calendar {
    /// The number of the hour slice of an instant: whole hours since local midnight.
    pub fn hour_of(&self, instant: Instant) -> i64 {
        let day = self.day_of(instant);
        let hour = instant.since(self.day_start(day)).div_euclid(HOUR_MS);
        day * HOURS_OF_DAY + hour.clamp(0, HOURS_OF_DAY - 1)
    }

    /// The instant at which an hour slice ends: an hour later, or with its day.
    pub fn hour_end(&self, hour: i64) -> Instant {
        let (day, hour) = (hour.div_euclid(HOURS_OF_DAY), hour.rem_euclid(HOURS_OF_DAY));
        self.day_start(day)
            .plus_ms((hour + 1) * HOUR_MS)
            .min(self.day_start(day + 1))
    }
}

/// The midnights of a zone, looked up once in a process: they are the same for ever, and there are 86,000 of them.
fn known_midnights(zone: &str) -> Option<Arc<[i64]>> {
    static KNOWN: Mutex<BTreeMap<String, Arc<[i64]>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(table) = known.get(zone) {
        return Some(Arc::clone(table));
    }
    let table = midnights(zone)?;
    known.insert(zone.to_owned(), Arc::clone(&table));
    Some(table)
}

fn midnights(zone: &str) -> Option<Arc<[i64]>> {
    let zone = jiff::tz::TimeZone::get(zone).ok()?;
    let midnight = |day: i64| {
        let ambiguous = zone.to_ambiguous_timestamp(date_of(day).at(0, 0, 0, 0));
        ambiguous
            .compatible()
            .map_or(day * DAY_MS, jiff::Timestamp::as_millisecond)
    };
    let mut table: Vec<i64> = (DAY_MIN..=DAY_MAX + 1).map(midnight).collect();
    // A day that a zone skipped whole (Samoa, 2011-12-30) has no length; midnights never run backwards.
    let mut latest = i64::MIN;
    for midnight in &mut table {
        latest = latest.max(*midnight);
        *midnight = latest;
    }
    Some(table.into())
}

fn date_of(day: i64) -> jiff::civil::Date {
    let (year, month, day) = civil_of(day);
    jiff::civil::Date::new(year as i16, month as i8, day as i8).unwrap_or(jiff::civil::Date::MAX)
}

fn day_number(date: jiff::civil::Date) -> i64 {
    day_of_civil(i64::from(date.year()), i64::from(date.month()), i64::from(date.day()))
}

/// First day of month `month` counted from January of year 0.
fn first_of_month(month: i64) -> i64 {
    day_of_civil(month.div_euclid(12), month.rem_euclid(12) + 1, 1)
}

/// (year, month, day) of a day number: Howard Hinnant's `civil_from_days`. Windows ask for it at every evaluation, where
/// a date of the library with its checks costs ten times as much.
fn civil_of(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Day number of a civil date: Howard Hinnant's `days_from_civil`.
fn day_of_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> Calendar {
        Calendar::new("Europe/Berlin", WeekStart::Monday, 4).unwrap()
    }

    fn at(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    fn bounds(calendar: &Calendar, period: Period, weeks: Option<WeekPattern>, text: &str) -> (String, String) {
        let (first, end) = calendar.period_of(period, weeks, calendar.day_of(at(text)));
        (
            calendar.day_start(first).to_string(),
            calendar.day_start(end).to_string(),
        )
    }

    #[test]
    fn a_local_day_has_23_24_or_25_hours() {
        let calendar = berlin();
        for (text, start, hours) in [
            ("2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", 23),
            ("2026-07-01T21:59:59Z", "2026-06-30T22:00:00Z", 24),
            ("2026-07-01T22:00:00Z", "2026-07-01T22:00:00Z", 24),
            ("2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", 25),
        ] {
            let day = calendar.day_of(at(text));
            assert_eq!(calendar.day_start(day).to_string(), start, "{text}");
            assert_eq!(
                calendar.day_start(day + 1).since(calendar.day_start(day)),
                hours * HOUR_MS
            );
        }
    }

    #[test]
    fn periods_start_and_end_at_local_midnight() {
        let calendar = berlin();
        let text = "2026-05-13T10:00:00Z"; // a Wednesday
        for (period, start, end) in [
            (Period::Day, "2026-05-12T22:00:00Z", "2026-05-13T22:00:00Z"),
            (Period::Week, "2026-05-10T22:00:00Z", "2026-05-17T22:00:00Z"),
            (Period::Month, "2026-04-30T22:00:00Z", "2026-05-31T22:00:00Z"),
            (Period::Quarter, "2026-03-31T22:00:00Z", "2026-06-30T22:00:00Z"),
            (Period::Year, "2026-03-31T22:00:00Z", "2027-03-31T22:00:00Z"),
        ] {
            assert_eq!(
                bounds(&calendar, period, None, text),
                (start.to_owned(), end.to_owned()),
                "{period:?}"
            );
        }
    }

    #[test]
    fn weeks_may_start_on_sunday() {
        let calendar = Calendar::new("UTC", WeekStart::Sunday, 1).unwrap();
        let (start, _) = bounds(&calendar, Period::Week, None, "2026-05-13T10:00:00Z");
        assert_eq!(start, "2026-05-10T00:00:00Z");
    }

    #[test]
    fn months_of_whole_weeks() {
        let calendar = Calendar::new("UTC", WeekStart::Monday, 1).unwrap();
        let months = |pattern, text| bounds(&calendar, Period::Month, Some(pattern), text);
        // ISO year 2026 runs from 2025-12-29 to 2027-01-04 and has 53 weeks.
        assert_eq!(
            months(WeekPattern::P445, "2026-01-01T00:00:00Z").0,
            "2025-12-29T00:00:00Z"
        );
        assert_eq!(
            months(WeekPattern::P445, "2026-01-26T00:00:00Z").0,
            "2026-01-26T00:00:00Z"
        );
        assert_eq!(
            months(WeekPattern::P544, "2026-01-26T00:00:00Z").0,
            "2025-12-29T00:00:00Z"
        );
        assert_eq!(
            months(WeekPattern::P454, "2026-12-31T00:00:00Z").1,
            "2027-01-04T00:00:00Z"
        );
        let year = bounds(&calendar, Period::Year, Some(WeekPattern::P445), "2026-06-01T00:00:00Z");
        assert_eq!(
            year,
            ("2025-12-29T00:00:00Z".to_owned(), "2027-01-04T00:00:00Z".to_owned())
        );
    }

    #[test]
    fn hour_slices_end_with_their_day() {
        let kolkata = Calendar::new("Asia/Kolkata", WeekStart::Monday, 1).unwrap();
        let hour = kolkata.hour_of(at("2026-05-13T10:00:00Z"));
        assert_eq!(kolkata.hour_end(hour).to_string(), "2026-05-13T10:30:00Z");
    }

    #[test]
    fn every_day_of_a_hard_zone_is_found_again() {
        // Skipped days, midnights that do not exist or happen twice.
        for zone in [
            "Pacific/Apia",
            "America/Sao_Paulo",
            "America/St_Johns",
            "Africa/Cairo",
            "Australia/Lord_Howe",
        ] {
            let calendar = Calendar::new(zone, WeekStart::Monday, 1).unwrap();
            for day in 0..22_000 {
                let start = calendar.day_start(day);
                if start == calendar.day_start(day + 1) {
                    continue;
                }
                assert_eq!(calendar.day_of(start), day, "{zone} {start}");
                assert!(calendar.day_of(start.plus_ms(-1)) < day, "{zone} {start}");
            }
        }
    }

    #[test]
    fn civil_dates_are_those_of_the_library() {
        let mut date = jiff::civil::date(1968, 1, 1);
        for day in DAY_MIN..=DAY_MAX {
            let civil = (i64::from(date.year()), i64::from(date.month()), i64::from(date.day()));
            assert_eq!((civil_of(day), day_of_civil(civil.0, civil.1, civil.2)), (civil, day));
            date = date.tomorrow().unwrap();
        }
    }

    #[test]
    fn an_unknown_zone_is_named() {
        let error = Calendar::new("Europe/Berlun", WeekStart::Monday, 1).unwrap_err();
        assert!(error.to_string().contains("Europe/Berlun"));
    }
}
