//! Figures beside their floors: work enters with a name and a count, a table of rates and ratios leaves at the end.
//!
//! The rate told is the one that the fastest tenth of the rounds reaches, at least the best one: whatever else runs on the
//! machine only makes a round slower.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Rates seen, items a second, by name.
static RATES: Mutex<BTreeMap<String, Vec<f64>>> = Mutex::new(BTreeMap::new());
/// Pairs of figure and floor, in the order in which they are told.
static PAIRS: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// What else was found out, in words.
static WORDS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Says something below the table.
pub fn say(words: &str) {
    WORDS.lock().unwrap().push(words.to_owned());
}

/// Does a piece of work and remembers how fast it was.
pub fn timed<T>(name: &str, items: usize, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let done = work();
    let rate = items as f64 / started.elapsed().as_secs_f64();
    RATES.lock().unwrap().entry(name.to_owned()).or_default().push(rate);
    done
}

/// Says which floor a figure stands on.
pub fn stands_on(figure: &str, floor: &str) {
    let mut pairs = PAIRS.lock().unwrap();
    let pair = (figure.to_owned(), floor.to_owned());
    if !pairs.contains(&pair) {
        pairs.push(pair);
    }
}

/// Prints what was measured of both.
#[expect(clippy::print_stdout, reason = "the table is what the benchmark is for")]
pub fn print() {
    let rates = RATES.lock().unwrap();
    let rate = |name: &str| rates.get(name).and_then(|rates| fast(rates));
    let pairs = PAIRS.lock().unwrap();
    let known = pairs
        .iter()
        .filter_map(|(figure, floor)| Some((figure, rate(figure)?, floor, rate(floor)?)));
    let known: Vec<_> = known.collect();
    if !known.is_empty() {
        println!("\n| what | items/s | floor | items/s | ratio |\n|---|--:|---|--:|--:|");
    }
    for (figure, rate, floor, floor_rate) in known {
        let (own, below) = (shown(rate), shown(floor_rate));
        println!(
            "| {figure} | {own} | {floor} | {below} | {} |",
            ratio(rate / floor_rate)
        );
    }
    for words in WORDS.lock().unwrap().iter() {
        println!("{words}");
    }
}

/// The 50th, 99th and 100th percentile of some waits, in ms.
pub fn percentiles(mut of: Vec<Duration>) -> [f64; 3] {
    of.sort_unstable();
    let at = |share: usize| of.get((of.len() - 1) * share / 100).unwrap().as_secs_f64() * 1e3;
    [at(50), at(99), at(100)]
}

fn fast(rates: &[f64]) -> Option<f64> {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() * 9 / 10).copied()
}

/// Two digits that say something.
fn ratio(ratio: f64) -> String {
    match ratio {
        ratio if ratio >= 0.1 => format!("{ratio:.2}"),
        ratio if ratio >= 0.01 => format!("{ratio:.3}"),
        ratio => format!("{ratio:.4}"),
    }
}

fn shown(rate: f64) -> String {
    match rate {
        rate if rate >= 1e6 => format!("{:.2} M", rate / 1e6),
        rate if rate >= 1e3 => format!("{:.1} k", rate / 1e3),
        rate => format!("{rate:.0}"),
    }
}
