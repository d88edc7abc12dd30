//! How a judgement looks: a tone for the eye, a shape for those who do not see colours, and always the word.
//!
//! A reading and the bands of its scorecard enter, badges leave. The word decides nothing: bands have the user's names,
//! so a tone follows from the rank of the band alone.

use super::format;
use crate::domain::alert::Severity;
use crate::domain::catalog::Band;
use crate::domain::reading::{Absence, Reading, Trend, TrendDirection};

/// The rank of a band among all bands, as a class of the style sheet and a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// The lowest band.
    Low,
    /// Between.
    Middle,
    /// The highest band.
    High,
    /// No band.
    None,
}

impl Tone {
    /// Class of the style sheet, and name of the shape.
    pub fn class(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Middle => "middle",
            Self::High => "high",
            Self::None => "none",
        }
    }
}

/// The tone of a band by its place; a single band is the highest.
pub fn tone(index: usize, count: usize) -> Tone {
    match index {
        _ if index + 1 == count => Tone::High,
        0 => Tone::Low,
        _ => Tone::Middle,
    }
}

/// A status or the reason why there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Badge {
    /// Colour and shape.
    pub tone: Tone,
    /// The word.
    pub word: String,
}

impl Badge {
    /// The badge of a status, or of what stands in for it.
    pub fn new(status: Option<&str>, absence: Option<Absence>, bands: &[Band]) -> Self {
        match status {
            Some(status) => Self {
                tone: tone_of(status, bands),
                word: status.to_owned(),
            },
            None => Self {
                tone: Tone::None,
                word: absence.map_or("no score", absence_words).to_owned(),
            },
        }
    }

    /// The badge of a reading.
    pub fn of(reading: &Reading, bands: &[Band]) -> Self {
        Self::new(reading.status.as_deref(), reading.absence, bands)
    }
}

fn tone_of(status: &str, bands: &[Band]) -> Tone {
    let index = bands.iter().position(|band| band.name.as_ref() == status);
    index.map_or(Tone::None, |index| tone(index, bands.len()))
}

/// Why there is no score, for people.
fn absence_words(absence: Absence) -> &'static str {
    match absence {
        Absence::NoData => "no data yet",
        Absence::Stale => "nothing in this window",
        Absence::NotApplicable => "not applicable",
        Absence::NoTarget => "no target",
        Absence::Paused => "paused",
        Absence::InsufficientCoverage => "too little data",
    }
}

/// Which way something went, and whether that is good.
#[derive(Debug, Clone, PartialEq)]
pub struct TrendView {
    /// `up`, `down` or `flat`: where the number went.
    pub arrow: &'static str,
    /// `better`, `worse` or `same`: whether that is good. The colour follows this, never the arrow.
    pub verdict: &'static str,
    /// The difference, signed.
    pub change: String,
    /// The number it is compared with.
    pub previous: String,
}

impl TrendView {
    /// The trend of a score, in points.
    pub fn of_score(trend: &Trend) -> Self {
        Self {
            arrow: arrow(trend.change),
            verdict: verdict(trend.direction),
            change: format::signed((trend.change * 10.0).round() / 10.0, 0.0),
            previous: format::score(trend.previous),
        }
    }

    /// The trend of a KPI's value, where there was one; else of its score.
    pub fn of_value(trend: &Trend, value: Option<f64>, unit: &str) -> Self {
        let (Some(value), Some(previous)) = (value, trend.previous_value) else {
            return Self::of_score(trend);
        };
        Self {
            arrow: arrow(value - previous),
            verdict: verdict(trend.direction),
            change: format::signed(value - previous, value),
            previous: format::quantity(previous, unit),
        }
    }
}

fn arrow(change: f64) -> &'static str {
    match change {
        change if change > 0.0 => "up",
        change if change < 0.0 => "down",
        _ => "flat",
    }
}

fn verdict(direction: TrendDirection) -> &'static str {
    direction.word()
}

/// Tone of a severity.
pub fn severity_tone(severity: Severity) -> Tone {
    match severity {
        Severity::Critical => Tone::Low,
        Severity::Warning => Tone::Middle,
        Severity::Info => Tone::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tones_follow_the_rank_of_the_band_not_its_name() {
        let band = |name: &str, from| Band {
            name: name.into(),
            from,
        };
        let bands = [
            band("weak", 0.0),
            band("fair", 40.0),
            band("good", 60.0),
            band("strong", 80.0),
        ];
        let tones: Vec<Tone> = bands.iter().map(|band| tone_of(&band.name, &bands)).collect();
        assert_eq!(tones, [Tone::Low, Tone::Middle, Tone::Middle, Tone::High]);
        assert_eq!(tone_of("elsewhere", &bands), Tone::None);
        assert_eq!(tone(0, 1), Tone::High);
    }

    #[test]
    fn a_cost_that_falls_points_down_and_is_better() {
        let trend = Trend::between(60.0, 70.0, Some(120.0));
        let view = TrendView::of_value(&trend, Some(110.0), "EUR");
        assert_eq!(
            (view.arrow, view.verdict, view.change.as_str()),
            ("down", "better", "\u{2212}10")
        );
    }

    #[test]
    fn no_score_always_has_its_reason() {
        let badge = Badge::new(None, Some(Absence::Stale), &[]);
        assert_eq!(
            (badge.tone, badge.word.as_str()),
            (Tone::None, "nothing in this window")
        );
    }
}
