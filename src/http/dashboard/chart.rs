//! Charts as the server draws them: a sparkline of the past, and the scale of a score with its bands.
//!
//! Numbers enter, coordinates and a text for those who do not see the drawing leave. Gaps in the history stay gaps.

use super::format;
use super::judge::{self, Tone};
use crate::domain::catalog::{Band, Target};

/// Width of a sparkline in its own units.
pub const WIDTH: f64 = 120.0;
/// Height of a sparkline in its own units.
pub const HEIGHT: f64 = 32.0;
/// Room for the stroke and the last point.
const MARGIN: f64 = 3.0;

/// A small line of the past.
#[derive(Debug, Clone, PartialEq)]
pub struct Spark {
    /// Each unbroken piece as the points of a polyline.
    pub lines: Vec<String>,
    /// Points that stand alone between two gaps: (x, y).
    pub dots: Vec<(String, String)>,
    /// The latest value: (x, y).
    pub last: Option<(String, String)>,
    /// The target: y of its upper edge and its height (0 for a line).
    pub target: Option<(String, String)>,
    /// What it shows, in words.
    pub text: String,
}

/// What a sparkline is drawn from.
#[derive(Clone, Copy)]
pub struct SparkData<'a> {
    /// Values at equal distances, oldest first; the last is now.
    pub values: &'a [Option<f64>],
    /// The aim.
    pub target: Option<Target>,
    /// How a value is said.
    pub say: &'a dyn Fn(f64) -> String,
    /// The length of the past in words: `30 days`.
    pub span: &'a str,
    /// The smallest difference that fills the height, so that a flat line looks flat.
    pub least: f64,
}

impl Spark {
    /// Draws; `None` where there is no value at all.
    pub fn draw(data: &SparkData<'_>) -> Option<Self> {
        let frame = Frame::around(data)?;
        let placed: Vec<Option<(f64, f64)>> = data
            .values
            .iter()
            .enumerate()
            .map(|(index, value)| value.map(|value| (frame.x(index), frame.y(value))))
            .collect();
        let pieces: Vec<Vec<(f64, f64)>> = placed
            .split(Option::is_none)
            .map(|piece| piece.iter().flatten().copied().collect())
            .collect();
        let alone = pieces.iter().filter_map(|piece| match piece.as_slice() {
            [point] => Some(pair(*point)),
            _ => None,
        });
        let target = data.target.map(|target| match target {
            Target::Value(value) => (coordinate(frame.y(value)), "0".to_owned()),
            Target::Range(low, high) => (coordinate(frame.y(high)), coordinate(frame.y(low) - frame.y(high))),
        });
        Some(Self {
            dots: alone.collect(),
            lines: pieces
                .iter()
                .filter(|piece| piece.len() > 1)
                .map(|piece| line(piece))
                .collect(),
            last: placed.last().copied().flatten().map(pair),
            target,
            text: words(data),
        })
    }
}

fn line(piece: &[(f64, f64)]) -> String {
    let points: Vec<String> = piece
        .iter()
        .map(|&(x, y)| format!("{},{}", coordinate(x), coordinate(y)))
        .collect();
    points.join(" ")
}

fn pair((x, y): (f64, f64)) -> (String, String) {
    (coordinate(x), coordinate(y))
}

fn coordinate(value: f64) -> String {
    format!("{value:.1}")
}

/// Where values lie in the drawing.
struct Frame {
    low: f64,
    high: f64,
    count: usize,
}

impl Frame {
    fn around(data: &SparkData<'_>) -> Option<Self> {
        let values = data.values.iter().flatten().copied();
        let aims = match data.target {
            None => [None, None],
            Some(Target::Value(value)) => [Some(value), None],
            Some(Target::Range(low, high)) => [Some(low), Some(high)],
        };
        let (mut low, mut high) = values
            .clone()
            .map(|value| (value, value))
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        for aim in aims.into_iter().flatten() {
            (low, high) = (low.min(aim), high.max(aim));
        }
        let missing = (data.least - (high - low)).max(0.0) / 2.0;
        // Equal values everywhere: any height will do, but not none.
        let missing = if high + missing > low - missing { missing } else { 1.0 };
        Some(Self {
            low: low - missing,
            high: high + missing,
            count: data.values.len(),
        })
    }

    fn x(&self, index: usize) -> f64 {
        let steps = self.count.saturating_sub(1).max(1) as f64;
        MARGIN + (WIDTH - 2.0 * MARGIN) * index as f64 / steps
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - MARGIN - (HEIGHT - 2.0 * MARGIN) * (value - self.low) / (self.high - self.low)
    }
}

/// The drawing in words: from, to, lowest, highest.
fn words(data: &SparkData<'_>) -> String {
    let known: Vec<f64> = data.values.iter().flatten().copied().collect();
    let (Some(first), Some(last)) = (known.first(), known.last()) else {
        return String::new();
    };
    let low = known.iter().copied().fold(f64::INFINITY, f64::min);
    let high = known.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let text = data.say;
    let begun = data.values.iter().skip_while(|value| value.is_none());
    let unknown = begun.filter(|value| value.is_none()).count();
    let gaps = match (data.values.last(), unknown) {
        (_, 0) => "",
        (Some(None), _) => ", nothing now",
        _ => ", with gaps",
    };
    format!(
        "Last {}: from {} to {}, lowest {}, highest {}{gaps}",
        data.span,
        text(*first),
        text(*last),
        text(low),
        text(high)
    )
}

/// The scale of a score: its bands, and where the score stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// Bands: (x, width, tone), of 100.
    pub bands: Vec<(String, String, Tone)>,
    /// Where the score stands, of 100.
    pub mark: Option<String>,
    /// What it shows, in words.
    pub text: String,
}

impl Scale {
    /// Draws the bands and the mark.
    pub fn draw(bands: &[Band], score: Option<f64>) -> Self {
        let ends = bands.iter().skip(1).map(|band| band.from).chain([100.0]);
        let drawn = bands.iter().zip(ends).enumerate().map(|(index, (band, end))| {
            let width = (end - band.from).max(0.0);
            (
                coordinate(band.from),
                coordinate(width),
                judge::tone(index, bands.len()),
            )
        });
        let names: Vec<String> = bands
            .iter()
            .map(|band| format!("{} from {}", band.name, format::number(band.from)))
            .collect();
        let now = score.map_or_else(
            || "no score".to_owned(),
            |score| format!("{} of 100", format::score(score)),
        );
        Self {
            bands: drawn.collect(),
            mark: score.map(|score| coordinate(score.clamp(0.0, 100.0))),
            text: format!("{now}; {}", names.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(values: &[Option<f64>]) -> SparkData<'_> {
        SparkData {
            values,
            target: None,
            say: &|value| format::quantity(value, "%"),
            span: "30 days",
            least: 0.0,
        }
    }

    #[test]
    fn a_gap_breaks_the_line_and_a_lonely_value_is_a_dot() {
        let values = [Some(1.0), Some(2.0), None, Some(3.0), None, Some(2.0), Some(1.0)];
        let spark = Spark::draw(&data(&values)).unwrap();
        assert_eq!(spark.lines, ["3.0,29.0 22.0,16.0", "98.0,16.0 117.0,29.0"]);
        assert_eq!(spark.dots, [("60.0".to_owned(), "3.0".to_owned())]);
        assert_eq!(spark.last, Some(("117.0".to_owned(), "29.0".to_owned())));
        assert!(spark.text.ends_with("highest 3\u{202f}%, with gaps"), "{}", spark.text);
    }

    #[test]
    fn words_tell_gaps_from_a_late_beginning_and_from_an_end() {
        for (values, end) in [
            (vec![None, Some(1.0), Some(2.0)], "highest 2\u{202f}%"),
            (vec![Some(1.0), None, Some(2.0)], "with gaps"),
            (vec![Some(1.0), Some(2.0), None], "nothing now"),
        ] {
            let text = Spark::draw(&data(&values)).unwrap().text;
            assert!(text.ends_with(end), "{text}");
        }
    }

    #[test]
    fn nothing_measured_draws_nothing_and_one_value_draws_a_flat_line() {
        assert_eq!(Spark::draw(&data(&[None, None])), None);
        let spark = Spark::draw(&data(&[Some(7.0), Some(7.0)])).unwrap();
        assert_eq!(spark.lines, ["3.0,16.0 117.0,16.0"]);
    }

    #[test]
    fn the_target_is_always_in_sight() {
        let values = [Some(1.0), Some(2.0)];
        let spark = Spark::draw(&SparkData {
            target: Some(Target::Value(10.0)),
            ..data(&values)
        });
        assert_eq!(spark.unwrap().target, Some(("3.0".to_owned(), "0".to_owned())));
    }

    #[test]
    fn a_scale_shows_every_band() {
        let band = |name: &str, from| Band {
            name: name.into(),
            from,
        };
        let scale = Scale::draw(
            &[band("red", 0.0), band("amber", 50.0), band("green", 75.0)],
            Some(62.55),
        );
        let widths: Vec<&str> = scale.bands.iter().map(|(_, width, _)| width.as_str()).collect();
        assert_eq!(widths, ["50.0", "25.0", "25.0"]);
        assert_eq!(scale.text, "62.5 of 100; red from 0, amber from 50, green from 75");
    }
}
