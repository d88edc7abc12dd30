//! Subjects on NATS and keys of `KPI_SCORES`: the names under which things enter and leave.
//!
//! A KPI id or a node path enters, a name leaves that NATS takes; and the KPI that a subject names. Paths hold instances,
//! which are free text, so what NATS cannot carry is written `=XX`, the hexadecimal digits of the byte: two paths never
//! share a name. Percent signs were rejected because keys of a NATS bucket may not hold them.

use std::fmt::Write as _;

use crate::domain::alert::AlertTransition;

/// Measurements in.
pub const MEASUREMENT: &str = "kpi.v1.measurement";
/// Measurements in, answered by kpid itself although a stream takes [`MEASUREMENT`].
pub const REQUEST: &str = "kpi.v1.request.measurement";
/// Alert transitions out: followed by severity, rule and node.
pub const ALERT: &str = "kpi.v1.alert";
/// Refused input.
pub const REJECTED: &str = "kpi.v1.rejected";

/// The KPI that follows a prefix such as [`MEASUREMENT`] in a subject.
pub fn kpi_after<'a>(prefix: &str, subject: &'a str) -> Option<&'a str> {
    subject.strip_prefix(prefix)?.strip_prefix('.')
}

/// `kpi.v1.alert.<severity>.<rule>.<node path, / as .>`: one subject a severity, rule and node.
pub fn alert(transition: &AlertTransition) -> String {
    let (severity, rule) = (transition.severity.word(), transition.rule.as_str());
    let node = node(&transition.path, |c| !c.is_ascii_control() && !c.is_whitespace());
    format!("{ALERT}.{severity}.{rule}.{node}")
}

/// The key of a node in `KPI_SCORES`.
pub fn score_key(path: &str) -> String {
    node(path, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// A node path with `/` as `.`. Dots of the last level stay (KPI ids have them); dots of an instance, and dots that would
/// make an empty token, are escaped, so that the levels can be told apart.
fn node(path: &str, plain: impl Fn(char) -> bool) -> String {
    let levels: Vec<&str> = path.split('/').collect();
    let mut out = String::with_capacity(path.len() + 8);
    for (index, level) in levels.iter().enumerate() {
        if index > 0 {
            out.push('.');
        }
        write_level(&mut out, level, index > 0, &plain);
    }
    out
}

fn write_level(out: &mut String, level: &str, dots: bool, plain: &impl Fn(char) -> bool) {
    let mut before = '.';
    let mut chars = level.chars().peekable();
    while let Some(found) = chars.next() {
        let inner_dot = found == '.' && dots && before != '.' && chars.peek().is_some_and(|next| *next != '.');
        let special = matches!(found, '.' | '*' | '>' | '=');
        if inner_dot || plain(found) && !special {
            out.push(found);
        } else {
            escape(out, found);
        }
        before = found;
    }
}

fn escape(out: &mut String, found: char) {
    for byte in found.encode_utf8(&mut [0; 4]).bytes() {
        // Writing into a string cannot fail.
        let _ = write!(out, "={byte:02X}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_names_its_kpi_by_all_that_follows() {
        assert_eq!(kpi_after(MEASUREMENT, "kpi.v1.measurement"), None);
        assert_eq!(kpi_after(MEASUREMENT, "kpi.v1.measurement.it.csat"), Some("it.csat"));
        assert_eq!(kpi_after(REQUEST, "kpi.v1.request.measurement.mrr"), Some("mrr"));
        assert_eq!(kpi_after(MEASUREMENT, "kpi.v1.measurements.mrr"), None);
    }

    #[test]
    fn keys_hold_only_what_a_bucket_takes() {
        for (path, key) in [
            ("it", "it"),
            (
                "it/customer/satisfied-users/it.csat",
                "it.customer.satisfied-users.it.csat",
            ),
            ("it@berlin/customer", "it=40berlin.customer"),
            ("it@St.Gallen", "it=40St=2EGallen"),
            ("it@a=b", "it=40a=3Db"),
            ("it@K\u{f6}ln/a/b/it.x", "it=40K=C3=B6ln.a.b.it.x"),
            ("it/a/b/it.", "it.a.b.it=2E"),
            ("it/a/b/it..x", "it.a.b.it=2E=2Ex"),
        ] {
            assert_eq!(score_key(path), key, "{path}");
        }
    }

    #[test]
    fn subjects_keep_what_nats_can_carry() {
        let subject = |path: &str| node(path, |c| !c.is_ascii_control() && !c.is_whitespace());
        assert_eq!(
            subject("it@K\u{f6}ln/customer/x/it.csat"),
            "it@K\u{f6}ln.customer.x.it.csat"
        );
        assert_eq!(subject("it@*"), "it@=2A");
        assert_eq!(subject("it@a>b.c"), "it@a=3Eb=2Ec");
        assert_ne!(subject("it@a.b"), subject("it@a/b"), "two nodes never share a subject");
    }
}
