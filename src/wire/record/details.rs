//! The fields of facts that are no measurements, and of blocks, as objects.

use serde::{Deserialize, Serialize};

use super::kind;
use crate::domain::catalog::CatalogFile;
use crate::domain::fact::{Fact, SourcePosition};
use crate::domain::id::{InstanceId, KpiId, Sequence};
use crate::domain::instant::Instant;
use crate::domain::measurement::SeriesKey;

/// `block`
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BlockDetails {
    /// Facts that follow and belong to it.
    pub facts: u64,
    /// Sources that moved with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positions: Vec<PositionDetails>,
    /// Series that it names, where they are not those of its measurements in order of appearance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Vec<SeriesDetails>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PositionDetails {
    source: String,
    sequence: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeriesDetails {
    kpi: String,
    source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogDetails {
    fingerprint: String,
    files: Vec<FileDetails>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileDetails {
    name: String,
    text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoteDetails {
    path: String,
    #[serde(with = "super::values::instant")]
    about: i64,
    text: String,
    by: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AcknowledgementDetails {
    rule: String,
    path: String,
    by: String,
    reason: String,
    #[serde(
        default,
        with = "super::values::optional_instant",
        skip_serializing_if = "Option::is_none"
    )]
    until: Option<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SilenceDetails {
    id: String,
    on: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    by: String,
    reason: String,
    #[serde(with = "super::values::instant")]
    from: i64,
    #[serde(with = "super::values::instant")]
    until: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrimDetails {
    up_to: u64,
    hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<String>,
}

impl PositionDetails {
    pub(super) fn of(position: &SourcePosition) -> Self {
        Self {
            source: position.source.to_string(),
            sequence: position.sequence,
        }
    }

    pub(super) fn position(&self) -> SourcePosition {
        SourcePosition {
            source: self.source.as_str().into(),
            sequence: self.sequence,
        }
    }
}

impl SeriesDetails {
    pub(super) fn of(key: &SeriesKey) -> Self {
        Self {
            kpi: key.kpi.to_string(),
            source: key.source.to_string(),
            label: key.each.as_ref().map(|(label, _)| label.to_string()),
            instance: key.each.as_ref().map(|(_, name)| name.as_str().to_owned()),
        }
    }

    pub(super) fn key(&self) -> Result<SeriesKey, String> {
        series_key(&self.kpi, &self.source, self.label.as_deref(), self.instance.as_deref())
    }
}

/// A series from its texts, or what is wrong with them.
pub(super) fn series_key(
    kpi: &str,
    source: &str,
    label: Option<&str>,
    instance: Option<&str>,
) -> Result<SeriesKey, String> {
    let each = match (label, instance) {
        (Some(label), Some(name)) => {
            let name = InstanceId::parse(name).map_err(|error| format!("`instance` `{name}`: {error}"))?;
            Some((label.into(), name))
        }
        (None, None) => None,
        _ => return Err("`label` and `instance` go together: give both or none".to_owned()),
    };
    let kpi = KpiId::parse(kpi).map_err(|error| format!("`kpi` `{kpi}`: {error}"))?;
    Ok(SeriesKey {
        kpi,
        source: source.into(),
        each,
    })
}

/// The kind of a fact that is no measurement, and its fields.
pub(super) fn of(fact: &Fact) -> Result<(&'static str, String), serde_json::Error> {
    let (kind, text) = match fact {
        Fact::CatalogActivated { fingerprint, files } => (kind::CATALOG, {
            let file = |file: &CatalogFile| FileDetails {
                name: file.name.clone(),
                text: file.text.clone(),
            };
            serde_json::to_string(&CatalogDetails {
                fingerprint: fingerprint.clone(),
                files: files.iter().map(file).collect(),
            })
        }),
        Fact::NoteAdded { path, about, text, by } => (
            kind::NOTE,
            serde_json::to_string(&NoteDetails {
                path: path.clone(),
                about: about.0,
                text: text.clone(),
                by: by.clone(),
            }),
        ),
        Fact::AlertAcknowledged { .. } => (kind::ACKNOWLEDGEMENT, acknowledgement(fact)),
        Fact::SilenceSet { .. } => (kind::SILENCE, silence(fact)),
        Fact::HistoryTrimmed { up_to, hash, base } => (
            kind::TRIM,
            serde_json::to_string(&TrimDetails {
                up_to: up_to.0,
                hash: hex(hash),
                base: base.as_ref().map(hex),
            }),
        ),
        // Measurements have fields of their own.
        Fact::MeasurementCorrected(_) | Fact::MeasurementRetracted(_) => ("", Ok(String::new())),
    };
    Ok((kind, text?))
}

fn acknowledgement(fact: &Fact) -> serde_json::Result<String> {
    let Fact::AlertAcknowledged {
        rule,
        path,
        by,
        reason,
        until,
    } = fact
    else {
        return Ok(String::new());
    };
    serde_json::to_string(&AcknowledgementDetails {
        rule: rule.clone(),
        path: path.clone(),
        by: by.clone(),
        reason: reason.clone(),
        until: until.map(|until| until.0),
    })
}

fn silence(fact: &Fact) -> serde_json::Result<String> {
    let Fact::SilenceSet {
        id,
        on,
        rule,
        by,
        reason,
        from,
        until,
    } = fact
    else {
        return Ok(String::new());
    };
    serde_json::to_string(&SilenceDetails {
        id: id.clone(),
        on: on.clone(),
        rule: rule.clone(),
        by: by.clone(),
        reason: reason.clone(),
        from: from.0,
        until: until.0,
    })
}

/// A fact from its kind and fields; `None` for a kind that is not known.
pub(super) fn fact(kind: &str, text: &str) -> Option<Result<Fact, String>> {
    Some(match kind {
        kind::CATALOG => read(text).map(|CatalogDetails { fingerprint, files }| {
            let file = |file: FileDetails| CatalogFile {
                name: file.name,
                text: file.text,
            };
            Fact::CatalogActivated {
                fingerprint,
                files: files.into_iter().map(file).collect(),
            }
        }),
        kind::NOTE => read(text).map(|of: NoteDetails| Fact::NoteAdded {
            path: of.path,
            about: Instant(of.about),
            text: of.text,
            by: of.by,
        }),
        kind::ACKNOWLEDGEMENT => read(text).map(|of: AcknowledgementDetails| Fact::AlertAcknowledged {
            rule: of.rule,
            path: of.path,
            by: of.by,
            reason: of.reason,
            until: of.until.map(Instant),
        }),
        kind::SILENCE => read(text).map(|of: SilenceDetails| Fact::SilenceSet {
            id: of.id,
            on: of.on,
            rule: of.rule,
            by: of.by,
            reason: of.reason,
            from: Instant(of.from),
            until: Instant(of.until),
        }),
        kind::TRIM => read(text).and_then(|of: TrimDetails| {
            Ok(Fact::HistoryTrimmed {
                up_to: Sequence(of.up_to),
                hash: bytes(&of.hash)?,
                base: of.base.as_deref().map(bytes).transpose()?,
            })
        }),
        _ => return None,
    })
}

/// An object read back, or what is wrong with it.
pub(super) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("`details`: {error}"))
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut out, byte| {
        let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
        out.extend([digit(byte >> 4), digit(byte & 15)]);
        out
    })
}

fn bytes(text: &str) -> Result<[u8; 32], String> {
    let wrong = || format!("`{text}` is not a hash: give 64 hexadecimal digits");
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() == 64).ok_or_else(wrong)?;
    let bytes = digits.chunks_exact(2).map(|pair| match pair {
        [high, low] => (high << 4 | low) as u8,
        _ => 0,
    });
    bytes.collect::<Vec<u8>>().try_into().map_err(|_| wrong())
}
