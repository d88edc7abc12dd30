//! An alert transition as bytes, for the outbox.
//!
//! A transition enters, bytes leave, and the other way round; floats keep their bits. The first byte is the form: a
//! store written by another kpid is refused rather than misread. Fields stand in the order of the type.

use std::sync::Arc;

use super::bytes::{Reader, put_f64, put_optional, put_text};
use crate::domain::alert::{AlertTransition, Contributor, Severity, TransitionKind};
use crate::domain::catalog::Target;
use crate::domain::id::{Sequence, Slug};
use crate::domain::instant::Instant;

const FORM: u8 = 1;

const KINDS: [TransitionKind; 3] = [
    TransitionKind::Firing,
    TransitionKind::Repeated,
    TransitionKind::Resolved,
];
const SEVERITIES: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

/// The bytes of a transition.
pub(super) fn encode(transition: &AlertTransition) -> Vec<u8> {
    let mut out = vec![FORM];
    put_text(&mut out, &transition.id);
    put_text(&mut out, transition.rule.as_str());
    put_text(&mut out, &transition.rule_version);
    put_text(&mut out, &transition.path);
    out.push(transition.kind as u8);
    for instant in [transition.at, transition.since, transition.detected_at] {
        out.extend(instant.0.to_le_bytes());
    }
    out.extend(transition.sequence.0.to_le_bytes());
    put_text(&mut out, &transition.title);
    put_optional(&mut out, transition.owner.as_deref(), put_text);
    out.push(transition.severity as u8);
    put_optional(&mut out, transition.value, put_f64);
    put_text(&mut out, &transition.unit);
    put_optional(&mut out, transition.target, put_target);
    put_optional(&mut out, transition.score, put_f64);
    put_optional(&mut out, transition.status.as_deref(), put_text);
    put_optional(&mut out, transition.status_before.as_deref(), put_text);
    put_optional(&mut out, transition.coverage, put_f64);
    out.extend((transition.contributors.len() as u32).to_le_bytes());
    for contributor in &transition.contributors {
        put_text(&mut out, &contributor.path);
        put_f64(&mut out, contributor.score);
        put_f64(&mut out, contributor.share);
    }
    out
}

/// The transition of some bytes; `None` when they are not one.
pub(super) fn decode(bytes: &[u8]) -> Option<AlertTransition> {
    let mut reader = Reader::new(bytes);
    if reader.u8()? != FORM {
        return None;
    }
    let transition = AlertTransition {
        id: reader.text()?.to_owned(),
        rule: Slug::parse(reader.text()?).ok()?,
        rule_version: reader.text()?.to_owned(),
        path: reader.text()?.into(),
        kind: *KINDS.get(usize::from(reader.u8()?))?,
        at: Instant(reader.i64()?),
        since: Instant(reader.i64()?),
        detected_at: Instant(reader.i64()?),
        sequence: Sequence(reader.u64()?),
        title: reader.text()?.to_owned(),
        owner: reader.optional(Reader::text)?.map(str::to_owned),
        severity: *SEVERITIES.get(usize::from(reader.u8()?))?,
        value: reader.optional(Reader::f64)?,
        unit: reader.text()?.to_owned(),
        target: reader.optional(read_target)?,
        score: reader.optional(Reader::f64)?,
        status: reader.optional(Reader::text)?.map(Arc::from),
        status_before: reader.optional(Reader::text)?.map(Arc::from),
        coverage: reader.optional(Reader::f64)?,
        contributors: read_contributors(&mut reader)?,
    };
    reader.is_at_end().then_some(transition)
}

fn put_target(out: &mut Vec<u8>, target: Target) {
    let (form, low, high) = match target {
        Target::Value(value) => (0, value, value),
        Target::Range(low, high) => (1, low, high),
    };
    out.push(form);
    put_f64(out, low);
    put_f64(out, high);
}

fn read_target(reader: &mut Reader<'_>) -> Option<Target> {
    match (reader.u8()?, reader.f64()?, reader.f64()?) {
        (0, value, _) => Some(Target::Value(value)),
        (1, low, high) => Some(Target::Range(low, high)),
        _ => None,
    }
}

fn read_contributors(reader: &mut Reader<'_>) -> Option<Vec<Contributor>> {
    let count = reader.u32()?;
    let mut contributors = Vec::new();
    for _ in 0..count {
        contributors.push(Contributor {
            path: reader.text()?.into(),
            score: reader.f64()?,
            share: reader.f64()?,
        });
    }
    Some(contributors)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    pub use crate::domain::samples::transition;

    fn texts() -> impl Strategy<Value = (String, String, String, Option<String>, Option<String>)> {
        (
            any::<String>(),
            any::<String>(),
            any::<String>(),
            any::<Option<String>>(),
            any::<Option<String>>(),
        )
    }

    fn numbers() -> impl Strategy<Value = ([i64; 3], u64, [Option<f64>; 3], [usize; 2])> {
        let number = || option::of(-1e300..1e300_f64);
        (
            any::<[i64; 3]>(),
            any::<u64>(),
            [number(), number(), number()],
            [0..3_usize, 0..3],
        )
    }

    fn targets() -> impl Strategy<Value = Option<Target>> {
        option::of(prop_oneof![
            any::<i32>().prop_map(|value| Target::Value(f64::from(value))),
            any::<(i32, i32)>().prop_map(|(low, high)| Target::Range(low.into(), high.into())),
        ])
    }

    proptest! {
        #[test]
        fn a_transition_comes_back_as_it_went(
            (id, path, unit, owner, status) in texts(),
            (instants, sequence, values, [kind, severity]) in numbers(),
            target in targets(),
            contributors in prop::collection::vec((any::<String>(), -1e9..1e9_f64), 0..6),
        ) {
            let contributor = |(path, share): (String, f64)| Contributor { path: path.into(), score: -share, share };
            let went = AlertTransition {
                path: path.into(),
                kind: KINDS[kind],
                severity: SEVERITIES[severity],
                at: Instant(instants[0]),
                since: Instant(instants[1]),
                detected_at: Instant(instants[2]),
                sequence: Sequence(sequence),
                title: unit.clone(),
                value: values[0],
                score: values[1],
                coverage: values[2],
                status_before: owner.clone().map(Arc::from),
                status: status.map(Arc::from),
                contributors: contributors.into_iter().map(contributor).collect(),
                owner, unit, target,
                ..transition(&id)
            };
            let bytes = encode(&went);
            prop_assert_eq!(decode(&bytes), Some(went));
            prop_assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = bytes;
            bytes.insert(0, FORM);
            if let Some(found) = decode(&bytes) {
                prop_assert_eq!(encode(&found).len(), bytes.len());
            }
        }
    }

    #[test]
    fn words_of_the_enums_keep_their_numbers() {
        for (at, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
        }
        for (at, severity) in SEVERITIES.into_iter().enumerate() {
            assert_eq!(severity as usize, at);
        }
    }
}
