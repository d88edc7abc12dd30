//! TOML values as typed ones, and what they are in words.
//!
//! A value enters; what it holds leaves, or nothing when it is of another type. No problems are reported here.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::fields::At;

/// A `red` or `target` as written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum NumberOrPair {
    /// For `up` and `down`.
    Number(f64),
    /// For `range`.
    Pair(f64, f64),
}

/// A text.
pub(super) fn text_of<'a>(value: &'a DeValue<'a>) -> Option<&'a str> {
    match value {
        DeValue::String(text) => Some(text),
        _ => None,
    }
}

/// A whole number that fits 64 bits.
pub(super) fn whole_of(value: &DeValue<'_>) -> Option<i64> {
    match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    }
}

/// A finite number; `inf`, `nan` and numbers beyond a double are none.
pub(super) fn number_of(value: &DeValue<'_>) -> Option<f64> {
    let number = match value {
        DeValue::Float(number) => number.as_str().parse().ok()?,
        DeValue::Integer(_) => whole_of(value)? as f64,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// The number that stands in quotes by mistake.
pub(super) fn unquoted_number<'a>(value: &'a DeValue<'a>) -> Option<&'a str> {
    let text = text_of(value)?.trim();
    text.parse::<f64>().is_ok_and(f64::is_finite).then_some(text)
}

/// A list of exactly two finite numbers.
pub(super) fn pair_of(value: &DeValue<'_>) -> Option<(f64, f64)> {
    let DeValue::Array(array) = value else { return None };
    let mut numbers = array.iter().map(|item| number_of(item.get_ref()));
    match (numbers.next()?, numbers.next()?, numbers.next()) {
        (Some(first), Some(second), None) => Some((first, second)),
        _ => None,
    }
}

/// A table.
pub(super) fn table_of<'a>(value: &'a DeValue<'a>) -> Option<&'a DeTable<'a>> {
    match value {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

/// A list of nothing but tables, each with its place.
pub(super) fn tables_of<'a>(value: &'a DeValue<'a>) -> Option<Vec<At<&'a DeTable<'a>>>> {
    let DeValue::Array(array) = value else { return None };
    let table = |item: &'a Spanned<DeValue<'a>>| {
        let at = item.span().start;
        table_of(item.get_ref()).map(|value| At { value, at })
    };
    array.iter().map(table).collect()
}

/// What a value is, in words.
pub(super) fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text \"{}\"", shorten(text)),
        DeValue::Integer(number) => shorten(number.as_str()),
        DeValue::Float(number) => shorten(number.as_str()),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(date) => format!("the date {date}"),
        DeValue::Array(array) => describe_list(array),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn describe_list(array: &DeArray<'_>) -> String {
    match array.len() {
        0 => "an empty list".to_owned(),
        1 => "a list of 1".to_owned(),
        count => format!("a list of {count}"),
    }
}

/// The beginning of a text, without control characters: a problem is one line of bearable length.
pub(super) fn shorten(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = text.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    if text.chars().count() > SHOWN {
        shown.push_str("...");
    }
    shown
}
