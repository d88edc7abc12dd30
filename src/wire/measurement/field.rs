//! The names of the fields that kpid knows, on input.

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};

/// A known field, or `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Kpi,
    Value,
    Numerator,
    Denominator,
    Weight,
    NotApplicable,
    ObservedAt,
    Id,
    Source,
    Corrects,
    Retracts,
    Note,
    By,
    Labels,
    Specversion,
    Type,
    Time,
    Data,
    DataBase64,
    Unknown,
}

impl Field {
    /// `at` is a synonym, so that both at once are one field twice.
    fn of(name: &str) -> Self {
        match name {
            "kpi" => Self::Kpi,
            "value" => Self::Value,
            "observed_at" | "at" => Self::ObservedAt,
            "source" => Self::Source,
            "id" => Self::Id,
            "labels" => Self::Labels,
            "numerator" => Self::Numerator,
            "denominator" => Self::Denominator,
            "weight" => Self::Weight,
            "not_applicable" => Self::NotApplicable,
            "corrects" => Self::Corrects,
            "retracts" => Self::Retracts,
            "note" => Self::Note,
            "by" => Self::By,
            "specversion" => Self::Specversion,
            "type" => Self::Type,
            "time" => Self::Time,
            "data" => Self::Data,
            "data_base64" => Self::DataBase64,
            _ => Self::Unknown,
        }
    }

    /// The name, for error texts.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kpi => "kpi",
            Self::Value => "value",
            Self::Numerator => "numerator",
            Self::Denominator => "denominator",
            Self::Weight => "weight",
            Self::NotApplicable => "not_applicable",
            Self::ObservedAt => "observed_at",
            Self::Id => "id",
            Self::Source => "source",
            Self::Corrects => "corrects",
            Self::Retracts => "retracts",
            Self::Note => "note",
            Self::By => "by",
            Self::Labels => "labels",
            Self::Specversion => "specversion",
            Self::Type => "type",
            Self::Time => "time",
            Self::Data => "data",
            Self::DataBase64 => "data_base64",
            Self::Unknown => "unknown",
        }
    }

    /// One bit each, to notice a field that is there twice.
    pub(super) fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(FieldVisitor)
    }
}

struct FieldVisitor;

impl Visitor<'_> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Field, E> {
        Ok(Field::of(name))
    }
}
