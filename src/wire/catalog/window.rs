//! `window`, `aggregate` and what belongs to them: which measurements count, and how they become a value.
//!
//! A KPI's table enters, a [`Window`] and an [`Aggregate`] leave; keys that have no meaning beside the others are
//! refused, so that nobody believes in an effect that is not there.

use super::duration;
use super::fields::{At, Fields};
use super::problem::{list, nearest};
use super::values::shorten;
use crate::domain::calendar::{Period, WeekPattern};
use crate::domain::catalog::{Across, Aggregate, Missing, Window};
use crate::domain::instant::{DAY_MS, HOUR_MS, MINUTE_MS};

/// Most slices of a rolling window: each is kept in memory per series, and 100,000 one-minute slices are 69 days.
const SLICES_MAX: i64 = 100_000;

/// Widths that a slice has unless it is given, widest first; the widest that gives a day's worth of steps is taken.
const DEFAULT_SLICES: [i64; 6] = [DAY_MS, 6 * HOUR_MS, HOUR_MS, 15 * MINUTE_MS, 5 * MINUTE_MS, MINUTE_MS];

/// A default slice gives at least so many slices, unless the window is too short for that.
const DEFAULT_SLICES_MIN: i64 = 24;

const FORMS: &str = "write { rolling = \"28d\" }, { period = \"month\" } or { all = true }";

/// Reads `window`.
pub(super) fn read(kpi: &Fields<'_>) -> Option<Window> {
    if kpi.place("window").is_none() {
        kpi.refuse_missing("window", FORMS);
        return None;
    }
    let fields = kpi.table("window", format!("{}, window", kpi.subject))?;
    let window = read_form(&fields);
    fields.finish();
    window
}

fn read_form(fields: &Fields<'_>) -> Option<Window> {
    let forms = ["rolling", "period", "all"];
    let given: Vec<&str> = forms.into_iter().filter(|form| fields.place(form).is_some()).collect();
    let window = match given.as_slice() {
        ["rolling"] => read_rolling(fields),
        ["period"] => read_period(fields),
        ["all"] => read_all(fields),
        [] => {
            fields.refuse(fields.at, "it is neither `rolling`, `period` nor `all`", FORMS);
            None
        }
        several => {
            fields.refuse(
                fields.at,
                &format!("it has {} at once", list(several)),
                "keep one of them",
            );
            None
        }
    };
    if given != ["rolling"] {
        fields.refuse_key("slice", "belongs to a rolling window", "remove it");
    }
    if given != ["period"] {
        fields.refuse_key("complete", "belongs to a period window", "remove it");
        fields.refuse_key("calendar", "belongs to a period window", "remove it");
    }
    window
}

fn read_rolling(fields: &Fields<'_>) -> Option<Window> {
    let length = fields.duration("rolling");
    let slice = match fields.place("slice") {
        Some(_) => Some(fields.duration("slice")?.value),
        None => None,
    };
    let length = length?;
    let slice_ms = slice.unwrap_or_else(|| default_slice(length.value));
    if length.value % slice_ms != 0 {
        let whose = if slice.is_some() { "slice" } else { "the default slice" };
        let what = format!(
            "{whose} {} does not divide rolling {}",
            duration::render(slice_ms),
            duration::render(length.value)
        );
        fields.refuse(length.at, &what, &divisor_remedy(length.value, slice_ms));
        return None;
    }
    let slices = length.value / slice_ms;
    if slices > SLICES_MAX {
        let what = format!("{slices} slices are more than {SLICES_MAX}");
        fields.refuse(length.at, &what, "write a wider slice or a shorter window");
        return None;
    }
    Some(Window::Rolling { slices, slice_ms })
}

/// The widest of the usual slices that divides the window into at least 24, else a minute.
fn default_slice(length_ms: i64) -> i64 {
    let fits = |slice_ms: &i64| length_ms % slice_ms == 0 && length_ms / slice_ms >= DEFAULT_SLICES_MIN;
    DEFAULT_SLICES.into_iter().find(fits).unwrap_or(MINUTE_MS)
}

/// Names the widest usual slice below the one that does not fit, or half the window.
fn divisor_remedy(length_ms: i64, slice_ms: i64) -> String {
    let fits = |usual: &i64| *usual < slice_ms && length_ms % usual == 0;
    let fitting = DEFAULT_SLICES.into_iter().find(fits);
    match fitting.or_else(|| (length_ms % 2 == 0).then_some(length_ms / 2)) {
        Some(slice_ms) => format!("write for example slice = \"{}\"", duration::render(slice_ms)),
        None => "write a slice that divides it".to_owned(),
    }
}

fn read_period(fields: &Fields<'_>) -> Option<Window> {
    let choices = [
        ("day", Period::Day),
        ("week", Period::Week),
        ("month", Period::Month),
        ("quarter", Period::Quarter),
        ("year", Period::Year),
    ];
    let patterns = [
        ("4-4-5", WeekPattern::P445),
        ("4-5-4", WeekPattern::P454),
        ("5-4-4", WeekPattern::P544),
    ];
    let complete = fields.flag("complete").is_some_and(|flag| flag.value);
    let weeks = fields.choice("calendar", &patterns);
    let period = fields.choice("period", &choices)?.value;
    if let Some(At { at, .. }) = weeks.filter(|_| matches!(period, Period::Day | Period::Week)) {
        let what = "`calendar` makes months of whole weeks and changes no day or week";
        fields.refuse(at, what, "remove it, or write period = \"month\"");
    }
    Some(Window::Period {
        period,
        complete,
        weeks: weeks.map(|weeks| weeks.value),
    })
}

fn read_all(fields: &Fields<'_>) -> Option<Window> {
    let all = fields.flag("all")?;
    if !all.value {
        fields.refuse(all.at, "`all` is false", FORMS);
        return None;
    }
    Some(Window::All)
}

/// Aggregates that need nothing beside their name.
const PLAIN: [(&str, Aggregate); 10] = [
    ("count", Aggregate::Count),
    ("sum", Aggregate::Sum),
    ("mean", Aggregate::Mean),
    ("min", Aggregate::Min),
    ("max", Aggregate::Max),
    ("first", Aggregate::First),
    ("last", Aggregate::Last),
    ("weighted_mean", Aggregate::WeightedMean),
    ("stddev", Aggregate::Stddev),
    ("delta", Aggregate::Delta),
];

/// Reads `aggregate` with `scale_by`, `per` and `key`.
pub(super) fn read_aggregate(kpi: &Fields<'_>) -> Option<Aggregate> {
    let Some(_) = kpi.place("aggregate") else {
        kpi.refuse_missing(
            "aggregate",
            "say how measurements become a value, for example aggregate = \"mean\"",
        );
        return None;
    };
    let name = kpi.text("aggregate")?;
    for (key, owner) in [("scale_by", "ratio"), ("per", "rate"), ("key", "distinct")] {
        if name.value != owner {
            kpi.refuse_key(key, &format!("belongs to aggregate = \"{owner}\""), "remove it");
        }
    }
    match name.value {
        "ratio" => read_ratio(kpi),
        "rate" => read_rate(kpi),
        "distinct" => read_distinct(kpi),
        plain => PLAIN
            .into_iter()
            .find(|(word, _)| *word == plain)
            .map(|(_, aggregate)| aggregate)
            .or_else(|| percentile(plain))
            .or_else(|| {
                refuse_aggregate(kpi, name);
                None
            }),
    }
}

fn refuse_aggregate(kpi: &Fields<'_>, name: At<&str>) {
    let words: Vec<&str> = PLAIN
        .iter()
        .map(|(word, _)| *word)
        .chain(["ratio", "rate", "distinct"])
        .collect();
    let remedy = match nearest(name.value, words.iter().copied()) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!("use one of {}, `p0` to `p100`", list(&words)),
    };
    kpi.refuse(name.at, &format!("`aggregate` is \"{}\"", shorten(name.value)), &remedy);
}

/// `p50`, `p99.9`: the rank behind the letter, 0..=100.
fn percentile(text: &str) -> Option<Aggregate> {
    let rank = text.strip_prefix('p')?;
    let plain = rank.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && rank.len() <= 8;
    let rank: f64 = plain.then(|| rank.parse().ok())??;
    (0.0..=100.0).contains(&rank).then_some(Aggregate::Percentile(rank))
}

fn read_ratio(kpi: &Fields<'_>) -> Option<Aggregate> {
    let scale_by = kpi.number("scale_by").unwrap_or(At { value: 1.0, at: kpi.at });
    if scale_by.value == 0.0 {
        kpi.refuse(
            scale_by.at,
            "`scale_by` is 0, which makes every ratio 0",
            "write scale_by = 100 for percent",
        );
        return None;
    }
    Some(Aggregate::Ratio {
        scale_by: scale_by.value,
    })
}

fn read_rate(kpi: &Fields<'_>) -> Option<Aggregate> {
    if kpi.place("per").is_none() {
        kpi.refuse_missing("per", "say per what time, for example per = \"1d\"");
        return None;
    }
    kpi.duration("per").map(|per| Aggregate::Rate { per_ms: per.value })
}

fn read_distinct(kpi: &Fields<'_>) -> Option<Aggregate> {
    if kpi.place("key").is_none() {
        kpi.refuse_missing(
            "key",
            "name the label whose values are counted, for example key = \"user\"",
        );
        return None;
    }
    read_label(kpi, "key").map(|key| Aggregate::Distinct { key: key.into() })
}

/// The name of a label: 1 to 64 bytes without control characters, as measurements may carry it.
pub(super) fn read_label<'a>(fields: &Fields<'a>, key: &'static str) -> Option<&'a str> {
    let label = fields.text(key)?;
    if label.value.is_empty() || label.value.len() > 64 || label.value.contains(char::is_control) {
        let what = format!("`{key}` is \"{}\", not the name of a label", shorten(label.value));
        fields.refuse(
            label.at,
            &what,
            "write 1 to 64 bytes of plain text, for example \"site\"",
        );
        return None;
    }
    Some(label.value)
}

/// Reads `across`.
pub(super) fn read_across(kpi: &Fields<'_>, aggregate: Option<&Aggregate>) -> Across {
    let across = kpi.choice("across", &[("sum", Across::Sum), ("mean", Across::Mean)]);
    let open = matches!(
        aggregate,
        None | Some(Aggregate::First | Aggregate::Last | Aggregate::Delta)
    );
    if !open {
        let why = "belongs to `first`, `last` and `delta`; other aggregates are formed over all instances";
        kpi.refuse_key("across", why, "remove it");
    }
    across.map_or(Across::Sum, |across| across.value)
}

/// Reads `missing` and `hold_for`.
pub(super) fn read_missing(kpi: &Fields<'_>) -> Missing {
    let choices = [
        ("exclude", Missing::Exclude),
        ("zero", Missing::Zero),
        ("hold", Missing::Hold(0)),
    ];
    let missing = kpi.choice("missing", &choices);
    match missing {
        Some(At {
            value: Missing::Hold(_),
            at,
        }) => {
            if kpi.place("hold_for").is_none() {
                kpi.refuse(
                    at,
                    "`missing` is \"hold\" without `hold_for`",
                    "say how long, for example hold_for = \"7d\"",
                );
            }
            Missing::Hold(kpi.duration("hold_for").map_or(0, |length| length.value))
        }
        other => {
            kpi.refuse_key(
                "hold_for",
                "belongs to missing = \"hold\"",
                "remove it, or write missing = \"hold\"",
            );
            other.map_or(Missing::Exclude, |missing| missing.value)
        }
    }
}
