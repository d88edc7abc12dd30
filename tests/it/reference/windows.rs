//! Which instants a window covers when it is evaluated at `t`: half open, `[from, to)`, in ms since 1970.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::definition::{Calendar, Period, Window};

/// The instants that count, and the length by which a rate divides.
pub struct Span {
    pub from: i64,
    pub to: i64,
    pub length_ms: i64,
    /// When the period that is shown ends.
    pub period_end: Option<i64>,
}

impl Span {
    /// True when an observation at that instant counts.
    pub fn covers(&self, observed_at: i64) -> bool {
        self.from <= observed_at && observed_at < self.to
    }
}

/// What the window covers at `t`.
pub fn span(window: &Window, calendar: &Calendar, t: i64) -> Span {
    match window {
        Window::Rolling { length_ms, slice_ms } => rolling(*length_ms, *slice_ms, t),
        Window::Period {
            period,
            complete,
            weeks,
        } => {
            let (first, next) = period_of(*period, *weeks, local_date(t - 1, calendar), calendar);
            let (from, to) = (midnight(first, calendar), midnight(next, calendar));
            if !complete {
                return Span {
                    from,
                    to: t,
                    length_ms: t - from,
                    period_end: Some(to),
                };
            }
            if to <= t {
                return Span {
                    from,
                    to,
                    length_ms: to - from,
                    period_end: Some(to),
                };
            }
            let (first, _) = period_of(*period, *weeks, first.yesterday().expect("a day before"), calendar);
            Span {
                from: midnight(first, calendar),
                to: from,
                length_ms: from - midnight(first, calendar),
                period_end: Some(from),
            }
        }
        Window::All => Span {
            from: i64::MIN,
            to: t,
            length_ms: t,
            period_end: None,
        },
    }
}

/// `n = L/w` whole slices, the last one being the one that contains `t - 1 ms`.
fn rolling(length_ms: i64, slice_ms: i64, t: i64) -> Span {
    let slices = length_ms / slice_ms;
    let running = (t - 1).div_euclid(slice_ms);
    Span {
        from: (running - slices + 1) * slice_ms,
        to: (running + 1) * slice_ms,
        length_ms,
        period_end: None,
    }
}

/// The end of the slice that contains `t - 1 ms`: to this a query about the past rounds its instant up.
pub fn slice_end(window: &Window, calendar: &Calendar, t: i64) -> i64 {
    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;
    let last = t - 1;
    let day = local_date(last, calendar);
    let (today, tomorrow) = (midnight(day, calendar), midnight(plus_days(day, 1), calendar));
    match window {
        Window::Rolling { slice_ms, .. } => (last.div_euclid(*slice_ms) + 1) * slice_ms,
        // Hours are counted from midnight on; the last of a day ends with it.
        Window::Period {
            period: Period::Day, ..
        } => (last - (last - today).rem_euclid(HOUR) + HOUR).min(tomorrow),
        Window::Period { .. } => tomorrow,
        Window::All => (last.div_euclid(DAY) + 1) * DAY,
    }
}

/// The last instant at which the window shows what was observed then; never for everything.
pub fn seen_until(window: &Window, calendar: &Calendar, observed_at: i64) -> Option<i64> {
    match window {
        Window::Rolling { length_ms, slice_ms } => Some(observed_at.div_euclid(*slice_ms) * slice_ms + length_ms),
        Window::Period {
            period,
            complete,
            weeks,
        } => {
            let (_, next) = period_of(*period, *weeks, local_date(observed_at, calendar), calendar);
            let (_, after) = period_of(*period, *weeks, next, calendar);
            Some(if *complete {
                midnight(after, calendar) - 1
            } else {
                midnight(next, calendar)
            })
        }
        Window::All => None,
    }
}

/// The beginning of the slice of an observation: up to this instant, itself included, the window does not show it.
pub fn slice_start(window: &Window, calendar: &Calendar, observed_at: i64) -> i64 {
    const HOUR: i64 = 3_600_000;
    let today = midnight(local_date(observed_at, calendar), calendar);
    match window {
        Window::Rolling { slice_ms, .. } => observed_at.div_euclid(*slice_ms) * slice_ms,
        Window::Period {
            period: Period::Day, ..
        } => observed_at - (observed_at - today).rem_euclid(HOUR),
        Window::Period { .. } => today,
        Window::All => observed_at.div_euclid(24 * HOUR) * 24 * HOUR,
    }
}

/// The instant of the reading one window, or one period, before that of `t`: a rolling window's length earlier; the end
/// of the period before the one that is shown. There is nothing before everything.
pub fn earlier(window: &Window, calendar: &Calendar, t: i64) -> Option<i64> {
    match window {
        Window::Rolling { length_ms, .. } => Some(t - length_ms),
        Window::Period { .. } => Some(span(window, calendar, t).from),
        Window::All => None,
    }
}

/// The instant at which the local day begins.
pub fn midnight(date: Date, calendar: &Calendar) -> i64 {
    let zoned = date.to_zoned(calendar.zone.clone()).expect("a representable day");
    zoned.timestamp().as_millisecond()
}

fn local_date(instant: i64, calendar: &Calendar) -> Date {
    let timestamp = Timestamp::from_millisecond(instant).expect("a representable instant");
    timestamp.to_zoned(calendar.zone.clone()).date()
}

/// First day of the period that contains `date`, and first day of the period after it.
fn period_of(period: Period, weeks: Option<[i64; 3]>, date: Date, calendar: &Calendar) -> (Date, Date) {
    match (period, weeks) {
        (Period::Day, _) => (date, plus_days(date, 1)),
        (Period::Week, _) => {
            let first = week_start(date, calendar);
            (first, plus_days(first, 7))
        }
        (Period::Month, None) => months_from(date.first_of_month(), 1),
        (Period::Quarter, None) => {
            let year = fiscal_year(date, calendar);
            (0..4)
                .map(|quarter| months_from(plus_months(year, 3 * quarter), 3))
                .find(|span| contains(*span, date))
                .expect("a quarter")
        }
        (Period::Year, None) => months_from(fiscal_year(date, calendar), 12),
        (_, Some(pattern)) => week_period_of(period, pattern, date, calendar),
    }
}

/// Months, quarters and years of whole weeks: the year starts at the week start nearest to the first of the fiscal
/// year's month, quarters have 13 weeks, and a 53rd week belongs to the last month.
fn week_period_of(period: Period, pattern: [i64; 3], date: Date, calendar: &Calendar) -> (Date, Date) {
    let nearby = date.year() - 1..=date.year() + 1;
    let mut years = nearby.map(|year| (week_year(year, calendar), week_year(year + 1, calendar)));
    let (first, next) = years.find(|year| contains(*year, date)).expect("a fiscal year");
    let lengths = match period {
        Period::Month => pattern.repeat(4),
        Period::Quarter => vec![13; 4],
        _ => vec![52],
    };
    let mut starts = vec![first];
    for weeks in &lengths {
        starts.push(plus_days(*starts.last().expect("not empty"), weeks * 7));
    }
    *starts.last_mut().expect("not empty") = next;
    let mut periods = starts.windows(2).map(|pair| (pair[0], pair[1]));
    periods.find(|span| contains(*span, date)).expect("a period")
}

/// The week start nearest to the first of `fiscal_year_start` in that year; seven days never tie.
fn week_year(year: i16, calendar: &Calendar) -> Date {
    let first = Date::new(year, calendar.fiscal_year_start, 1).expect("a month");
    let before = week_start(first, calendar);
    if week_start_is_near(before, first) {
        before
    } else {
        plus_days(before, 7)
    }
}

fn week_start_is_near(before: Date, first: Date) -> bool {
    plus_days(before, 3) >= first
}

fn week_start(date: Date, calendar: &Calendar) -> Date {
    let days = date.weekday().since(calendar.week_start);
    date.checked_sub(i64::from(days).days()).expect("a week")
}

/// First day of the fiscal year that contains `date`.
fn fiscal_year(date: Date, calendar: &Calendar) -> Date {
    let same = Date::new(date.year(), calendar.fiscal_year_start, 1).expect("a month");
    if same <= date { same } else { plus_months(same, -12) }
}

fn months_from(first: Date, months: i64) -> (Date, Date) {
    (first, plus_months(first, months))
}

fn plus_months(date: Date, months: i64) -> Date {
    date.checked_add(months.months()).expect("a month")
}

fn plus_days(date: Date, days: i64) -> Date {
    date.checked_add(days.days()).expect("a day")
}

fn contains((first, next): (Date, Date), date: Date) -> bool {
    first <= date && date < next
}
