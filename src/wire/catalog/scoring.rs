//! `direction`, `worst`, `red`, `target`, `best`, `curve` and `scale`: from a value to a score.
//!
//! What a definition and each of its changes say enters as [`Points`]; merged in the order of their dates, each
//! version leaves as a [`Scoring`]. Points are kept as written until then, because a change may give one of them only.

use std::sync::Arc;

use toml::de::DeValue;

use super::fields::{At, Fields};
use super::values::{NumberOrPair, describe, number_of, shorten};
use crate::domain::catalog::{Aggregate, Direction, Scoring, Target};
use crate::domain::score::{BEST, CurveError, ScoreCurve, WORST};

/// What is said about scoring, as written.
#[derive(Debug, Clone, Default)]
pub(super) struct Points {
    direction: Option<Direction>,
    worst: Option<f64>,
    red: Option<NumberOrPair>,
    target: Option<NumberOrPair>,
    best: Option<f64>,
    curve: Option<Vec<(f64, f64)>>,
    scale: bool,
    /// Something is written that could not be read, and was refused; what is missing is not missed.
    unreadable: bool,
}

/// The keys by which a definition or a change says how it scores.
const KEYS: [&str; 5] = ["red", "target", "curve", "worst", "best"];

impl Points {
    /// Reads the points of a KPI or of one of its changes; `direction` and `scale` cannot change.
    pub fn read(fields: &Fields<'_>) -> Self {
        let mut points = Self {
            direction: None,
            worst: fields.number("worst").map(|number| number.value),
            red: fields.number_or_pair("red").map(|red| red.value),
            target: fields.number_or_pair("target").map(|target| target.value),
            best: fields.number("best").map(|number| number.value),
            curve: fields.pairs("curve").map(|curve| curve.value),
            scale: false,
            unreadable: false,
        };
        let written = KEYS.into_iter().filter(|key| fields.place(key).is_some()).count();
        points.unreadable = written != points.count();
        points
    }

    fn count(&self) -> usize {
        let [worst, best] = [self.worst, self.best].map(|point| usize::from(point.is_some()));
        let [red, target] = [self.red, self.target].map(|point| usize::from(point.is_some()));
        worst + best + red + target + usize::from(self.curve.is_some())
    }

    /// Whether the table these were read from says nothing about scoring.
    pub fn is_silent(&self) -> bool {
        self.count() == 0 && !self.unreadable
    }

    /// The points of the definition itself.
    pub fn read_first(kpi: &Fields<'_>, has_scale: bool) -> Self {
        let choices = [
            ("up", Direction::Up),
            ("down", Direction::Down),
            ("range", Direction::Range),
        ];
        let direction = kpi.choice("direction", &choices).map(|direction| direction.value);
        let points = Self::read(kpi);
        Self {
            direction,
            scale: has_scale,
            unreadable: points.unreadable || kpi.place("direction").is_some() != direction.is_some(),
            ..points
        }
    }

    fn has_points(&self) -> bool {
        self.worst.is_some() || self.red.is_some() || self.target.is_some() || self.best.is_some()
    }

    /// These points with what a later change says. A curve replaces points, and points replace a curve.
    pub fn then(&self, change: Self) -> Self {
        if change.curve.is_some() && !change.has_points() {
            return Self {
                direction: self.direction,
                scale: self.scale,
                unreadable: self.unreadable || change.unreadable,
                ..change
            };
        }
        let keeps_curve = !change.has_points();
        Self {
            direction: self.direction,
            worst: change.worst.or(self.worst),
            red: change.red.or(self.red),
            target: change.target.or(self.target),
            best: change.best.or(self.best),
            curve: change.curve.or_else(|| self.curve.clone().filter(|_| keeps_curve)),
            scale: self.scale,
            unreadable: self.unreadable || change.unreadable,
        }
    }

    /// The target for people.
    pub fn target(&self) -> Option<Target> {
        self.target.map(|target| match target {
            NumberOrPair::Number(value) => Target::Value(value),
            NumberOrPair::Pair(low, high) => Target::Range(low, high),
        })
    }

    /// The scoring that follows; contradictions become problems where the points stand.
    pub fn scoring(&self, fields: &Fields<'_>) -> Scoring {
        if self.unreadable {
            return Scoring::None;
        }
        let place = KEYS.into_iter().find_map(|key| fields.place(key));
        let at = place.unwrap_or(fields.at);
        match self.form() {
            Ok(scoring) => scoring,
            Err(Contradiction { what, remedy }) => {
                fields.refuse(at, &what, &remedy);
                Scoring::None
            }
        }
    }

    fn form(&self) -> Result<Scoring, Contradiction> {
        if self.scale {
            return self.form_of_scale();
        }
        if let Some(curve) = &self.curve {
            return self.form_of_curve(curve);
        }
        match (self.red, self.target) {
            (Some(red), Some(target)) => self.form_of_points(red, target).map(Scoring::Curve),
            (Some(red), None) => refuse(
                format!("red {red} stands without a target"),
                "write target = ... beside it: red scores 50, target 75",
            ),
            (None, Some(target)) => refuse(
                format!("target {target} stands without red"),
                "write red = ... beside it: red scores 50, target 75",
            ),
            (None, None) if self.has_points() => refuse(
                "worst and best stand without red and target".to_owned(),
                "write red and target, or remove them",
            ),
            (None, None) => Ok(Scoring::None),
        }
    }

    fn form_of_scale(&self) -> Result<Scoring, Contradiction> {
        if self.has_points() || self.curve.is_some() {
            return refuse(
                "`scale` stands beside points or a curve".to_owned(),
                "remove one of the two: a word of the scale has its score already",
            );
        }
        match self.direction {
            None | Some(Direction::Up) => Ok(Scoring::Scale),
            Some(_) => refuse(
                "`scale` stands beside a direction other than \"up\"".to_owned(),
                "remove direction: the words of the scale have their scores already",
            ),
        }
    }

    fn form_of_curve(&self, curve: &[(f64, f64)]) -> Result<Scoring, Contradiction> {
        if self.has_points() {
            return refuse(
                "`curve` stands beside worst, red, target or best".to_owned(),
                "remove one of the two",
            );
        }
        let scored = ScoreCurve::through(curve.to_vec()).map_err(|error| Contradiction::of(&error))?;
        let rises = curve.first().map(|point| point.1) < curve.last().map(|point| point.1);
        match self.direction {
            Some(Direction::Up) if !rises => refuse(
                "the curve does not rise although direction is \"up\"".to_owned(),
                "give higher values higher scores, or remove direction",
            ),
            Some(Direction::Down) if rises => refuse(
                "the curve rises although direction is \"down\"".to_owned(),
                "give higher values lower scores, or remove direction",
            ),
            _ => Ok(Scoring::Curve(scored)),
        }
    }

    fn form_of_points(&self, red: NumberOrPair, target: NumberOrPair) -> Result<ScoreCurve, Contradiction> {
        use NumberOrPair::{Number, Pair};
        match (self.direction, red, target) {
            (None, red, target) => refuse("`direction` is missing".to_owned(), guess(red, target)),
            (Some(Direction::Range), Pair(red_low, red_high), Pair(low, high)) => {
                self.form_of_range((red_low, red_high), (low, high))
            }
            (Some(Direction::Range), red, target) => refuse(
                format!("direction \"range\" with red {red} and target {target}"),
                "write both as [low, high], for example target = [80, 90] and red = [70, 105]",
            ),
            (Some(direction), Number(red), Number(target)) => self.form_of_slope(direction, red, target),
            (Some(_), red, target) => refuse(
                format!("red {red} and target {target} are not one number each"),
                "write one number each, or direction = \"range\" with two each",
            ),
        }
    }

    fn form_of_range(&self, red: (f64, f64), target: (f64, f64)) -> Result<ScoreCurve, Contradiction> {
        if let Some(worst) = self.worst {
            return refuse(
                format!("worst {worst} has no meaning with direction \"range\""),
                "remove it: each side goes on down by its own slope",
            );
        }
        ScoreCurve::around(red, target, self.best).map_err(|error| Contradiction::of(&error))
    }

    fn form_of_slope(&self, direction: Direction, red: f64, target: f64) -> Result<ScoreCurve, Contradiction> {
        if red == target {
            return refuse(
                format!("red and target are both {red}"),
                "leave room between them: red scores 50, target 75",
            );
        }
        let (word, other, relation) = match direction {
            Direction::Down => ("down", "up", "below"),
            _ => ("up", "down", "above"),
        };
        if (red > target) == (direction != Direction::Down) {
            return Err(Contradiction {
                what: format!("red {red} is {relation} target {target} although direction is \"{word}\""),
                remedy: format!("swap them or write direction = \"{other}\""),
            });
        }
        ScoreCurve::between(direction, red, target, (self.worst, self.best)).map_err(|error| Contradiction::of(&error))
    }
}

/// Points that do not fit together.
struct Contradiction {
    what: String,
    remedy: String,
}

impl Contradiction {
    /// What the rules say of points that make no curve.
    fn of(error: &CurveError) -> Self {
        let remedy = match error {
            CurveError::TooFew(_) => "write at least two [value, score] pairs",
            CurveError::NotIncreasing { .. } => "write the pairs by increasing value, each value once",
            CurveError::Score(_) => "write scores between 0 and 100",
            CurveError::NotFinite(_) => "write numbers of a usual size",
            CurveError::Direction { .. } => "put the points in that order",
        };
        Self {
            what: error.to_string(),
            remedy: remedy.to_owned(),
        }
    }
}

fn refuse<T>(what: String, remedy: &str) -> Result<T, Contradiction> {
    Err(Contradiction {
        what,
        remedy: remedy.to_owned(),
    })
}

/// The direction that the points suggest; it is suggested, never assumed.
fn guess(red: NumberOrPair, target: NumberOrPair) -> &'static str {
    match (red, target) {
        (NumberOrPair::Number(red), NumberOrPair::Number(target)) if red < target => "write direction = \"up\"",
        (NumberOrPair::Number(_), NumberOrPair::Number(_)) => "write direction = \"down\"",
        _ => "write direction = \"range\"",
    }
}

impl std::fmt::Display for NumberOrPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(value) => write!(f, "{value}"),
            Self::Pair(low, high) => write!(f, "[{low}, {high}]"),
        }
    }
}

/// Reads `scale`: words with their scores, in the order in which they are written.
pub(super) fn read_scale(kpi: &Fields<'_>, aggregate: Option<&Aggregate>) -> Option<Vec<(Arc<str>, f64)>> {
    let at = kpi.place("scale")?;
    let fields = kpi.table("scale", format!("{}, scale", kpi.subject))?;
    if let Some(aggregate) = aggregate.filter(|aggregate| !keeps_scores(aggregate)) {
        let what = format!("the result of {} is not a score", name_of(aggregate));
        let remedy = "use first, last, mean, min, max, weighted_mean or a percentile, or remove scale";
        fields.refuse(at, &what, remedy);
    }
    let words: Vec<_> = fields.in_order().into_iter().collect();
    if words.len() < 2 {
        let what = format!("it has {} of at least 2 words", words.len());
        fields.refuse(
            at,
            &what,
            "write for example scale = { bad = 0, ok = 40, good = 75, great = 100 }",
        );
    }
    let scored = words.into_iter().filter_map(|(word, score)| {
        let place = At {
            value: word.get_ref().as_ref(),
            at: word.span().start,
        };
        read_word(&fields, place, score.get_ref())
    });
    Some(scored.collect())
}

fn read_word(fields: &Fields<'_>, word: At<&str>, score: &DeValue<'_>) -> Option<(Arc<str>, f64)> {
    if word.value.trim().is_empty() || word.value.contains(char::is_control) {
        fields.refuse(
            word.at,
            "a word is empty or has control characters",
            "write a plain word",
        );
        return None;
    }
    let number = number_of(score).filter(|score| (WORST..=BEST).contains(score));
    if number.is_none() {
        let what = format!("the score of \"{}\" is {}", shorten(word.value), describe(score));
        fields.refuse(word.at, &what, "write a number between 0 and 100");
    }
    number.map(|score| (word.value.into(), score))
}

/// Whether the aggregate of scores between 0 and 100 is such a score again.
fn keeps_scores(aggregate: &Aggregate) -> bool {
    matches!(
        aggregate,
        Aggregate::Mean
            | Aggregate::Min
            | Aggregate::Max
            | Aggregate::First
            | Aggregate::Last
            | Aggregate::WeightedMean
            | Aggregate::Percentile(_)
    )
}

fn name_of(aggregate: &Aggregate) -> &'static str {
    match aggregate {
        Aggregate::Ratio { .. } => "a ratio",
        Aggregate::Rate { .. } => "a rate",
        Aggregate::Distinct { .. } | Aggregate::Count => "a count",
        Aggregate::Sum => "a sum",
        _ => "a difference",
    }
}
