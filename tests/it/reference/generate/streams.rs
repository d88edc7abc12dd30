//! Streams: clustered, late, tied, on edges; with corrections, retractions, duplicates and what must be refused.

use serde_json::{Map, Value, json};

use super::Dice;
use super::catalogs::{Catalog, Domain, Kpi, Shape};

const DAY: i64 = 86_400_000;

/// What an earlier line said, so that later ones can come back to it.
struct Sent {
    kpi: usize,
    object: Map<String, Value>,
}

/// The stream so far.
pub struct Stream<'a> {
    catalog: &'a Catalog,
    clock: i64,
    /// Lines with an id.
    known: Vec<Sent>,
    text: String,
}

/// The lines that the bytes say, then what `end` adds.
pub fn draw(lines: &[Vec<u8>], catalog: &Catalog, end: &mut dyn FnMut(&mut Stream<'_>)) -> String {
    let mut stream = Stream {
        catalog,
        clock: catalog.head.start_ms,
        known: Vec::new(),
        text: String::new(),
    };
    for (place, bytes) in lines.iter().enumerate() {
        stream.line(place, &mut Dice::new(bytes));
    }
    end(&mut stream);
    stream.text
}

impl Stream<'_> {
    fn line(&mut self, place: usize, dice: &mut Dice<'_>) {
        self.clock = step(self.clock, self.catalog.head.every_ms, dice);
        let act = dice.below(100);
        let kpi = dice.below(self.catalog.kpis.len() as i64) as usize;
        let back = dice.below(8) as usize;
        match act {
            86..=89 => self.again(back, dice, Self::correction),
            90..=92 => self.again(back, dice, |_, sent, _| retraction(sent)),
            93..=95 => self.again(back, dice, |stream, sent, dice| Some(stream.duplicate(sent, dice))),
            96..=99 => self.refused(kpi, dice),
            _ => self.measure(place, kpi, dice),
        }
    }

    /// A day passes and all KPIs are measured; then something comes late, is corrected or retracted, and time goes on.
    pub fn restate(&mut self, dice: &mut Dice<'_>) {
        self.clock = (self.clock.div_euclid(DAY) + 1) * DAY + dice.below(48) * 3_600_000;
        for kpi in 0..self.catalog.kpis.len() {
            let object = self.object(kpi, dice);
            self.send(object);
        }
        for _ in 0..=dice.below(4) {
            self.clock += self.catalog.head.every_ms * dice.below(3);
            let kpi = dice.below(self.catalog.kpis.len() as i64) as usize;
            let back = dice.below(8) as usize;
            match dice.below(3) {
                0 => {
                    let mut object = self.object(kpi, dice);
                    let late = self.clock - dice.below(60) * 3_600_000;
                    object.insert("observed_at".into(), instant(late));
                    self.send(object);
                }
                1 => self.again(back, dice, Self::correction),
                _ => self.again(back, dice, |_, sent, _| retraction(sent)),
            }
        }
    }

    fn measure(&mut self, place: usize, kpi: usize, dice: &mut Dice<'_>) {
        let mut object = self.object(kpi, dice);
        if dice.chance(50) {
            object.insert("id".into(), format!("m{place}").into());
            self.known.push(Sent {
                kpi,
                object: object.clone(),
            });
        }
        self.send(object);
    }

    fn object(&self, kpi: usize, dice: &mut Dice<'_>) -> Map<String, Value> {
        let definition = &self.catalog.kpis[kpi];
        let each = self.catalog.scorecards[definition.scorecard].each;
        let mut object = Map::new();
        object.insert("kpi".into(), definition.id.as_str().into());
        object.insert(
            "observed_at".into(),
            instant(self.clock - lateness(self.catalog.head.every_ms, dice)),
        );
        let mut labels = Map::new();
        if each {
            labels.insert("site".into(), dice.pick(&["a", "b", "c"]).into());
        }
        if definition.shape == Shape::User {
            labels.insert(
                "user".into(),
                dice.pick(&["ann", "bob", "cem", "dot", "eve", "fay"]).into(),
            );
        }
        if !labels.is_empty() {
            object.insert("labels".into(), labels.into());
        }
        if dice.chance(6) {
            object.insert("not_applicable".into(), true.into());
        } else {
            object.extend(value(definition, dice));
        }
        object
    }

    /// Comes back to an earlier line that has an id; where there is none, nothing is sent.
    fn again(
        &mut self,
        back: usize,
        dice: &mut Dice<'_>,
        act: impl Fn(&Self, &Sent, &mut Dice<'_>) -> Option<Map<String, Value>>,
    ) {
        let found = self.known.iter().rev().nth(back).or(self.known.last());
        if let Some(object) = found.and_then(|sent| act(self, sent, dice)) {
            self.send(object);
        }
    }

    /// The kpi and labels of the original, a new value, and sometimes a new instant.
    fn correction(&self, sent: &Sent, dice: &mut Dice<'_>) -> Option<Map<String, Value>> {
        let mut object = sent.object.clone();
        let id = object.remove("id")?;
        for field in ["value", "numerator", "denominator", "weight", "not_applicable"] {
            object.remove(field);
        }
        object.insert("corrects".into(), id);
        object.extend(value(&self.catalog.kpis[sent.kpi], dice));
        match dice.below(3) {
            0 => {}
            1 => drop(object.remove("observed_at")),
            _ => drop(object.insert("observed_at".into(), instant(self.clock))),
        }
        Some(object)
    }

    /// The same line once more, or another value under its id, which is refused: a file remembers every id.
    fn duplicate(&self, sent: &Sent, dice: &mut Dice<'_>) -> Map<String, Value> {
        let mut object = sent.object.clone();
        if dice.chance(40) && object.contains_key("value") {
            object.extend(value(&self.catalog.kpis[sent.kpi], dice));
        }
        object
    }

    /// Must leave no trace and not move the clock, although its instant is far ahead.
    fn refused(&mut self, kpi: usize, dice: &mut Dice<'_>) {
        let mut object = self.object(kpi, dice);
        let ahead = instant(self.clock + 50 * self.catalog.head.every_ms);
        object.insert("observed_at".into(), ahead);
        match dice.below(6) {
            0 => object.insert("kpi".into(), "nobody".into()),
            1 => object.insert("value".into(), json!({ "much": true })),
            2 => object.insert("observed_at".into(), "2200-01-01T00:00:00Z".into()),
            3 => object.insert("corrects".into(), "nothing".into()),
            4 => object.insert("observed_at".into(), "soon".into()),
            _ => {
                self.text.push_str("{\"kpi\":\n");
                return;
            }
        };
        self.send(object);
    }

    fn send(&mut self, object: Map<String, Value>) {
        self.text.push_str(&Value::Object(object).to_string());
        self.text.push('\n');
    }
}

/// With the instant of the original, which never moves the clock, whether it is heeded or not.
fn retraction(sent: &Sent) -> Option<Map<String, Value>> {
    let mut object = Map::new();
    for field in ["kpi", "labels", "observed_at"] {
        object.extend(sent.object.get(field).map(|value| (field.to_owned(), value.clone())));
    }
    object.insert("retracts".into(), sent.object.get("id")?.clone());
    Some(object)
}

/// How the clock goes on: not at all, a little, to an edge or just before it, or far.
fn step(clock: i64, every: i64, dice: &mut Dice<'_>) -> i64 {
    let edge = |width: i64| (clock.div_euclid(width) + 1) * width;
    match dice.below(20) {
        0..=3 => clock,
        4..=9 => clock + every * dice.below(100) / 100,
        10 => clock + 1,
        11..=12 => edge(every),
        13 => edge(every) - 1,
        14 => edge(dice.pick(&[3_600_000, DAY, 3 * every])).min(clock + 60 * every),
        15..=17 => clock + dice.below(5) * every,
        18 => clock + dice.below(30) * every,
        _ => clock + dice.below(5) * every / 2,
    }
}

/// Mostly none; else up to a few evaluations, or many.
fn lateness(every: i64, dice: &mut Dice<'_>) -> i64 {
    match dice.below(20) {
        17..=18 => every * dice.below(100) / 25,
        19 => every * dice.below(60),
        _ => 0,
    }
}

fn instant(ms: i64) -> Value {
    jiff::Timestamp::from_millisecond(ms)
        .expect("an instant")
        .to_string()
        .into()
}

/// The fields that say what was measured.
fn value(kpi: &Kpi, dice: &mut Dice<'_>) -> Map<String, Value> {
    let whole = if kpi.domain == Domain::Signed {
        dice.below(100) - 40
    } else {
        dice.below(121)
    };
    let number = json!(kpi.domain.number(whole));
    let fields = match kpi.shape {
        Shape::Number | Shape::User => json!({ "value": number }),
        Shape::Weighted => json!({ "value": number, "weight": dice.below(5) }),
        Shape::Ratio => json!({ "numerator": number, "denominator": dice.below(9) }),
        Shape::Word => json!({ "value": dice.pick(&["ok", "bad", "good", "great"]) }),
    };
    let Value::Object(fields) = fields else {
        unreachable!("written as an object")
    };
    fields
}
