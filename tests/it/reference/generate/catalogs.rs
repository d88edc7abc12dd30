//! Catalogs: scorecards, KPIs and rules from dice, and their TOML.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::super::File;
use super::super::compare::Exactness;
use super::{Dice, Parts};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Instants shortly before something happens: clocks that change, months, quarters, years and leap days that end.
const BEGINNINGS: [&str; 8] = [
    "2026-03-02T00:00Z",
    "2026-03-28T20:00Z",
    "2026-10-24T19:00Z",
    "2025-12-28T12:00Z",
    "2024-02-28T10:00Z",
    "2026-06-30T20:00Z",
    "2027-01-02T00:00Z",
    "2026-09-30T21:30Z",
];

/// What the whole case shares.
pub struct Head {
    pub every_ms: i64,
    pub start_ms: i64,
    /// Names of the bands, lowest first.
    pub bands: &'static [(&'static str, i64)],
    /// Some KPIs weigh nothing.
    pub zero_weights: bool,
    /// Files in the opposite order of the scorecards.
    pub files_reversed: bool,
}

pub struct Catalog {
    pub head: Head,
    pub scorecards: Vec<Scorecard>,
    pub kpis: Vec<Kpi>,
    rules: Vec<String>,
}

pub struct Scorecard {
    pub each: bool,
    head: String,
    roll_ups: [&'static str; 3],
    include: Option<(String, i64)>,
    /// Lines of `changes` or nothing: two perspectives, then three objectives.
    weight_changes: [String; 5],
}

/// A KPI as the stream must know it.
pub struct Kpi {
    pub scorecard: usize,
    pub objective: i64,
    pub id: String,
    pub aggregate: &'static str,
    pub shape: Shape,
    pub domain: Domain,
    toml: String,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Shape {
    Number,
    Ratio,
    Weighted,
    Word,
    User,
}

/// Numbers of one size a KPI, whole multiples of a power of two, so that sums are exact; or tenths.
#[derive(Clone, Copy, PartialEq)]
pub enum Domain {
    Plain,
    Signed,
    Tiny,
    Huge,
    Tenths,
}

impl Domain {
    /// The number that stands for `whole`.
    pub fn number(self, whole: i64) -> f64 {
        let whole = whole as f64;
        match self {
            Self::Plain | Self::Signed => whole,
            Self::Tiny => whole / 1_048_576.0,
            Self::Huge => whole * 1_073_741_824.0,
            Self::Tenths => whole / 10.0,
        }
    }
}

impl Kpi {
    pub fn path(&self) -> String {
        format!("{}/{}", self.objective_path(), self.id)
    }

    fn objective_path(&self) -> String {
        format!("{}/o{}", self.perspective_path(), self.objective)
    }

    fn perspective_path(&self) -> String {
        format!("c{}/p{}", self.scorecard, self.objective / 2)
    }
}

pub fn draw(parts: &Parts, exactness: Exactness) -> Catalog {
    let head = head(&mut Dice::new(&parts.head));
    let mut kpis: Vec<Kpi> = Vec::new();
    for (place, bytes) in parts.kpis.iter().enumerate() {
        let next = kpi(place, parts.scorecards.len(), &mut Dice::new(bytes), (&head, exactness));
        kpis.push(next);
    }
    let mut scorecards: Vec<Scorecard> = Vec::new();
    for bytes in &parts.scorecards {
        let next = scorecard(&scorecards, &kpis, &mut Dice::new(bytes), &head);
        scorecards.push(next);
    }
    let geometric = scorecards
        .iter()
        .any(|scorecard| scorecard.roll_ups.contains(&"geometric"));
    let rules = parts
        .rules
        .iter()
        .enumerate()
        .map(|(place, bytes)| super::rules::rule(place, &kpis, &mut Dice::new(bytes), (&head, geometric)))
        .collect();
    Catalog {
        head,
        scorecards,
        kpis,
        rules,
    }
}

fn head(dice: &mut Dice<'_>) -> Head {
    let every_ms = dice.pick(&[
        HOUR,
        MINUTE,
        5 * MINUTE,
        15 * MINUTE,
        6 * HOUR,
        DAY,
        7 * MINUTE,
        90 * SECOND,
    ]);
    let beginning: jiff::Timestamp = dice.pick(&BEGINNINGS).parse().expect("an instant");
    Head {
        every_ms,
        start_ms: beginning.as_millisecond() - dice.below(6) * every_ms,
        bands: dice.pick(&[
            &[("red", 0), ("amber", 50), ("green", 75)][..],
            &[("low", 0), ("fair", 40), ("good", 60), ("high", 90)][..],
        ]),
        files_reversed: dice.chance(50),
        zero_weights: dice.chance(30),
    }
}

fn scorecard(before: &[Scorecard], kpis: &[Kpi], dice: &mut Dice<'_>, head: &Head) -> Scorecard {
    const ROLL_UPS: [&str; 8] = ["mean", "mean", "mean", "mean", "mean", "worst", "best", "geometric"];
    let place = before.len();
    let mut text = format!("[scorecard]\nid = \"c{place}\"\ntitle = \"C{place}\"\nowner = \"o@example.com\"\n");
    let zone = dice.pick(&[
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
    ]);
    let (week_start, month) = (dice.pick(&["monday", "sunday"]), 1 + dice.below(12));
    let _ = writeln!(
        text,
        "time_zone = \"{zone}\"\nweek_start = \"{week_start}\"\nfiscal_year_start = {month}"
    );
    let _ = writeln!(text, "{}", bands(head, 0));
    // Not a half: thirds of thirds may round to either side of it.
    let _ = writeln!(text, "min_coverage = {}", dice.pick(&[0.0, 0.0, 0.3, 0.55, 0.8, 1.0]));
    let each = dice.chance(30);
    if each {
        text.push_str("each = \"site\"\n");
    }
    let roll_ups = [dice.pick(&ROLL_UPS), dice.pick(&ROLL_UPS), dice.pick(&ROLL_UPS)];
    let lower: Vec<&Kpi> = kpis.iter().filter(|kpi| kpi.scorecard < place).collect();
    let include = (dice.chance(50) && !lower.is_empty()).then(|| {
        let kpi = lower[dice.below(lower.len() as i64) as usize];
        let root = format!("c{}", kpi.scorecard);
        let levels = [root.clone(), kpi.perspective_path(), kpi.objective_path(), kpi.path()];
        let (level, weight) = (&levels[dice.below(4) as usize], 1 + dice.below(3));
        if before.get(kpi.scorecard).is_some_and(|other| other.each) && dice.chance(50) {
            let instance = format!("{root}@{}", dice.pick(&["a", "b"]));
            (level.replacen(&root, &instance, 1), weight)
        } else {
            (level.clone(), weight)
        }
    });
    let weight_changes = [0, 1, 2, 3, 4].map(|_| change(dice, head, |dice| format!("weight = {}", dice.below(5))));
    let shift = change(dice, head, |dice| bands(head, 1 + dice.below(20)));
    let _ = write!(text, "{shift}");
    Scorecard {
        each,
        head: text,
        roll_ups,
        include,
        weight_changes,
    }
}

/// All bands but the lowest begin later by that much.
fn bands(head: &Head, shift: i64) -> String {
    let from = |from: i64| if from == 0 { 0 } else { (from + shift).min(99) };
    let bands = head
        .bands
        .iter()
        .map(|(name, begins)| format!("{{ name = \"{name}\", from = {} }}", from(*begins)));
    format!("bands = [{}]", bands.collect::<Vec<_>>().join(", "))
}

/// Sometimes a line of `changes` that holds from a day soon after the start.
fn change(dice: &mut Dice<'_>, head: &Head, what: impl FnOnce(&mut Dice<'_>) -> String) -> String {
    if !dice.chance(12) {
        return String::new();
    }
    let date = day(head, dice.below(9));
    format!("changes = [{{ from = \"{date}\", {} }}]\n", what(dice))
}

/// The day so many days after the start.
pub fn day(head: &Head, days: i64) -> jiff::civil::Date {
    let start = jiff::Timestamp::from_millisecond(head.start_ms).expect("an instant");
    let day = start + jiff::SignedDuration::from_hours(24 * days);
    day.to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn kpi(place: usize, scorecards: usize, dice: &mut Dice<'_>, (head, exactness): (&Head, Exactness)) -> Kpi {
    const AGGREGATES: [&str; 14] = [
        "last",
        "mean",
        "sum",
        "count",
        "min",
        "max",
        "first",
        "ratio",
        "weighted_mean",
        "stddev",
        "delta",
        "rate",
        "distinct",
        "mean",
    ];
    let (scorecard, objective) = (dice.below(scorecards as i64) as usize, dice.below(3));
    let scale = dice.chance(10);
    let aggregate = match exactness {
        _ if scale => dice.pick(&["last", "mean", "min"]),
        Exactness::Percentiles if dice.chance(60) => dice.pick(&["p50", "p90", "p99.9", "p0", "p100"]),
        _ => dice.pick(&AGGREGATES),
    };
    let shape = match aggregate {
        _ if scale => Shape::Word,
        "ratio" => Shape::Ratio,
        "weighted_mean" => Shape::Weighted,
        "distinct" => Shape::User,
        _ => Shape::Number,
    };
    let domain = dice.pick(&[
        Domain::Plain,
        Domain::Plain,
        Domain::Plain,
        Domain::Signed,
        Domain::Tiny,
        Domain::Huge,
        Domain::Tenths,
    ]);
    let id = format!("k{place}");
    let mut kpi = Kpi {
        scorecard,
        objective,
        id,
        aggregate,
        shape,
        domain,
        toml: String::new(),
    };
    kpi.toml = super::kpis::toml(&kpi, dice, head);
    kpi
}

impl Catalog {
    /// One file a scorecard that has KPIs; rules stand in any of them.
    pub fn files(&self) -> Vec<File> {
        let used: BTreeSet<usize> = self.kpis.iter().map(|kpi| kpi.scorecard).collect();
        let last = *used.last().expect("a KPI");
        let mut files: Vec<File> = used
            .iter()
            .map(|place| {
                let rules = self
                    .rules
                    .iter()
                    .enumerate()
                    .filter(|(rule, _)| used.iter().nth(rule % used.len()) == Some(place));
                let rules: String = rules.map(|(_, rule)| rule.as_str()).collect();
                let number = if self.head.files_reversed { last - place } else { *place };
                (format!("{number}.toml"), self.scorecard_toml(*place) + &rules)
            })
            .collect();
        files.sort();
        files
    }

    fn scorecard_toml(&self, place: usize) -> String {
        let scorecard = &self.scorecards[place];
        let [top, middle, bottom] = scorecard.roll_ups;
        let mut text = format!("{}roll_up = \"{top}\"\n", scorecard.head);
        let mine: Vec<&Kpi> = self.kpis.iter().filter(|kpi| kpi.scorecard == place).collect();
        let objectives: BTreeSet<i64> = mine.iter().map(|kpi| kpi.objective).collect();
        let perspectives: BTreeSet<i64> = objectives.iter().map(|objective| objective / 2).collect();
        for id in perspectives {
            let _ = write!(
                text,
                "\n[[perspective]]\nid = \"p{id}\"\ntitle = \"P\"\nweight = {}\nroll_up = \"{middle}\"\n{}",
                id + 1,
                scorecard.weight_changes[id as usize]
            );
        }
        for (order, id) in objectives.iter().enumerate() {
            let _ = write!(
                text,
                "\n[[objective]]\nid = \"o{id}\"\ntitle = \"O\"\nroll_up = \"{bottom}\"\n"
            );
            let _ = writeln!(text, "perspective = \"p{}\"\nweight = {}", id / 2, 3 - id);
            text.push_str(&scorecard.weight_changes[2 + *id as usize]);
            if let Some((node, weight)) = scorecard.include.as_ref().filter(|_| order == 0) {
                let _ = writeln!(text, "include = [{{ node = \"{node}\", weight = {weight} }}]");
            }
        }
        text + &mine.iter().map(|kpi| kpi.toml.as_str()).collect::<String>()
    }
}
