//! What a checkpoint keeps beside the projection: how far sources are, the latest transitions for people, and the files of
//! the catalog that holds.
//!
//! Both enter and leave as rows of words. Words that cannot be read give less, never something wrong: a journal that is
//! replayed from its beginning brings it back.

use std::sync::Arc;

use crate::domain::alert::{AlertTransition, Contributor, Severity, TransitionKind};
use crate::domain::catalog::{CatalogFile, Target};
use crate::domain::fact::SourcePosition;
use crate::domain::id::{Sequence, Slug};
use crate::domain::instant::Instant;
use crate::domain::parts::Parts;
use crate::domain::words::{put_text, take_text};

/// Keys of the parts; the projection's own keys have smaller highest bytes.
const POSITIONS: u64 = 9 << 56;
const RECENT: u64 = 10 << 56;
const DEFINITIONS: u64 = 11 << 56;

const KINDS: [TransitionKind; 3] = [
    TransitionKind::Firing,
    TransitionKind::Repeated,
    TransitionKind::Resolved,
];
const SEVERITIES: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Beside {
    /// The last position of every source.
    pub positions: Vec<SourcePosition>,
    /// The latest transitions, in the order in which they were given.
    pub recent: Vec<AlertTransition>,
    /// Files of the catalog that holds.
    pub definitions: Vec<CatalogFile>,
}

/// The parts that keep it.
pub fn parts(positions: &[SourcePosition], recent: &[AlertTransition]) -> [(u64, Vec<u64>); 2] {
    let (mut places, mut transitions) = (Vec::new(), Vec::new());
    for position in positions {
        places.push(position.sequence);
        put_text(&mut places, &position.source);
    }
    for transition in recent {
        put_transition(&mut transitions, transition);
    }
    [(POSITIONS, places), (RECENT, transitions)]
}

/// The part that keeps the catalog's files; it changes only when they do.
pub fn definitions(files: &[CatalogFile]) -> (u64, Vec<u64>) {
    let mut out = Vec::new();
    for file in files {
        put_text(&mut out, &file.name);
        put_text(&mut out, &file.text);
    }
    (DEFINITIONS, out)
}

/// A checkpoint's parts: those of the projection, and what is beside it.
pub fn split(mut parts: Parts) -> (Parts, Beside) {
    let beside = parts.take(|key| matches!(key, POSITIONS | RECENT | DEFINITIONS));
    let mut found = Beside::default();
    for (key, words) in beside {
        let mut words = words.into_iter();
        match key {
            POSITIONS => found.positions = std::iter::from_fn(|| take_position(&mut words)).collect(),
            RECENT => found.recent = std::iter::from_fn(|| take_transition(&mut words)).collect(),
            _ => found.definitions = std::iter::from_fn(|| take_file(&mut words)).collect(),
        }
    }
    (parts, found)
}

type Words<'a> = &'a mut dyn Iterator<Item = u64>;

fn take_position(words: Words<'_>) -> Option<SourcePosition> {
    Some(SourcePosition {
        sequence: words.next()?,
        source: take_text(words)?.into(),
    })
}

fn take_file(words: Words<'_>) -> Option<CatalogFile> {
    Some(CatalogFile {
        name: take_text(words)?,
        text: take_text(words)?,
    })
}

fn put_transition(out: &mut Vec<u64>, of: &AlertTransition) {
    for text in [
        &of.id,
        of.rule.as_str(),
        &of.rule_version,
        &of.path,
        &of.title,
        &of.unit,
    ] {
        put_text(out, text);
    }
    for text in [of.owner.as_deref(), of.status.as_deref(), of.status_before.as_deref()] {
        out.push(u64::from(text.is_some()));
        put_text(out, text.unwrap_or_default());
    }
    out.extend([of.at, of.since, of.detected_at].map(|at| at.0 as u64));
    out.extend([of.kind as u64, of.severity as u64, of.sequence.0]);
    for number in [of.value, of.score, of.coverage] {
        out.extend([u64::from(number.is_some()), number.unwrap_or_default().to_bits()]);
    }
    let (form, low, high) = match of.target {
        None => (0, 0.0, 0.0),
        Some(Target::Value(value)) => (1, value, value),
        Some(Target::Range(low, high)) => (2, low, high),
    };
    out.extend([form, low.to_bits(), high.to_bits(), of.contributors.len() as u64]);
    for leaf in &of.contributors {
        put_text(out, &leaf.path);
        out.extend([leaf.score.to_bits(), leaf.share.to_bits()]);
    }
}

fn take_transition(words: Words<'_>) -> Option<AlertTransition> {
    let (id, rule, rule_version) = (take_text(words)?, take_text(words)?, take_text(words)?);
    let (path, title, unit) = (take_text(words)?, take_text(words)?, take_text(words)?);
    let owner = take_optional_text(words)?;
    let (status, status_before) = (take_optional_text(words)?, take_optional_text(words)?);
    let mut instant = || words.next().map(|ms| Instant(ms as i64));
    let (at, since, detected_at) = (instant()?, instant()?, instant()?);
    let kind = *KINDS.get(words.next()? as usize)?;
    let severity = *SEVERITIES.get(words.next()? as usize)?;
    let sequence = Sequence(words.next()?);
    let mut number = || {
        let (is_there, number) = (words.next()? == 1, take_float(words)?);
        Some(is_there.then_some(number))
    };
    let (value, score, coverage) = (number()?, number()?, number()?);
    let target = match (words.next()?, take_float(words)?, take_float(words)?) {
        (0, ..) => None,
        (1, value, _) => Some(Target::Value(value)),
        (_, low, high) => Some(Target::Range(low, high)),
    };
    let mut contributors = Vec::new();
    for _ in 0..words.next()? {
        contributors.push(Contributor {
            path: take_text(words)?.into(),
            score: take_float(words)?,
            share: take_float(words)?,
        });
    }
    Some(AlertTransition {
        id,
        rule: Slug::parse(&rule).ok()?,
        rule_version,
        path: path.into(),
        kind,
        at,
        since,
        detected_at,
        sequence,
        title,
        owner: owner.into_text(),
        severity,
        value,
        unit,
        target,
        score,
        status: status.into_text().map(Arc::from),
        status_before: status_before.into_text().map(Arc::from),
        coverage,
        contributors,
    })
}

fn take_float(words: Words<'_>) -> Option<f64> {
    words.next().map(f64::from_bits)
}

/// A text and whether it is there.
struct OptionalText(bool, String);

impl OptionalText {
    fn into_text(self) -> Option<String> {
        self.0.then_some(self.1)
    }
}

fn take_optional_text(words: Words<'_>) -> Option<OptionalText> {
    Some(OptionalText(words.next()? == 1, take_text(words)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transition(kind: TransitionKind, target: Option<Target>, owner: Option<&str>) -> AlertTransition {
        AlertTransition {
            id: "248b949fa25cfd24".to_owned(),
            rule: Slug::parse("csat-low").unwrap(),
            rule_version: "1f".to_owned(),
            path: "it/customer".into(),
            kind,
            at: Instant(1_000),
            since: Instant(-5),
            detected_at: Instant(2_000),
            sequence: Sequence(7),
            title: "Größe".to_owned(),
            owner: owner.map(str::to_owned),
            severity: Severity::Critical,
            value: owner.map(|_| 0.1 + 0.2),
            unit: "%".to_owned(),
            target,
            score: None,
            status: owner.map(Arc::from),
            status_before: None,
            coverage: Some(0.5),
            contributors: vec![Contributor {
                path: "it/customer/a/b".into(),
                score: 12.5,
                share: 1.0 / 3.0,
            }],
        }
    }

    #[test]
    fn what_is_kept_comes_back_and_leaves_the_projection_its_own() {
        let positions = vec![SourcePosition {
            source: "jetstream:X:1".into(),
            sequence: 41,
        }];
        let recent = vec![
            transition(TransitionKind::Firing, Some(Target::Value(-90.0)), Some("")),
            transition(TransitionKind::Resolved, Some(Target::Range(1.0, 2.0)), Some("me")),
            transition(TransitionKind::Repeated, None, None),
        ];
        let own = (1 << 56, vec![3, 2, 1]);
        let mut all = vec![own.clone()];
        all.extend(parts(&positions, &recent));
        let file = |name: &str| CatalogFile {
            name: name.to_owned(),
            text: format!("[scorecard]\nid = \"{name}\"\n"),
        };
        let files = vec![file("it.toml"), file("product.toml")];
        all.push(super::definitions(&files));
        let expected = Beside {
            positions,
            recent,
            definitions: files,
        };
        let own = [own].into_iter().collect();
        assert_eq!(split(all.into_iter().collect()), (own, expected));
    }

    #[test]
    fn words_cut_short_give_what_was_whole() {
        let recent = vec![transition(TransitionKind::Firing, None, Some("me")); 2];
        let [_, (key, words)] = parts(&[], &recent);
        for len in 0..words.len() {
            let part = (key, words.iter().copied().take(len).collect());
            let (_, beside) = split([part].into_iter().collect());
            assert_eq!(beside.recent.len(), usize::from(len >= words.len() / 2), "{len} words");
        }
    }
}
