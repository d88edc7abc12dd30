//! Measurements packed into batches of NDJSON, each with an id by which it is recognised when it is sent again.

use crate::domain::measurement::Report;
use crate::wire::measurement::to_json;

/// Bytes of a batch at which it is closed, well below the limits of daemons and NATS servers (1 MiB by default).
const BYTES_MAX: usize = 512 * 1024;

/// One batch.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parcel {
    /// NDJSON.
    pub(super) body: Vec<u8>,
    /// The place of each measurement in its file.
    pub(super) numbers: Vec<u64>,
    /// Names the batch: file and first and last number.
    pub(super) key: String,
}

/// Packs the measurements of one file.
pub(super) struct Parcels {
    fingerprint: String,
    count_max: usize,
    open: Parcel,
}

impl Parcels {
    pub(super) fn new(fingerprint: &str, count_max: usize) -> Self {
        Self {
            fingerprint: fingerprint.to_owned(),
            count_max,
            open: Parcel::default(),
        }
    }

    /// Adds a measurement, named by its place where it has no id; gives a batch that became full.
    pub(super) fn add(&mut self, number: u64, mut report: Report) -> Option<Parcel> {
        if report.id.is_none() {
            report.id = Some(format!("{}:{number}", self.fingerprint).into());
        }
        to_json(&report, &mut self.open.body);
        self.open.body.push(b'\n');
        self.open.numbers.push(number);
        let full = self.open.numbers.len() >= self.count_max || self.open.body.len() >= BYTES_MAX;
        if full { self.rest() } else { None }
    }

    /// What is packed and not yet given away.
    pub(super) fn rest(&mut self) -> Option<Parcel> {
        let (first, last) = (*self.open.numbers.first()?, *self.open.numbers.last()?);
        self.open.key = format!("{}:{first}-{last}", self.fingerprint);
        Some(std::mem::take(&mut self.open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(id: Option<&str>, note: &str) -> Report {
        Report {
            id: id.map(Box::from),
            note: Some(note.into()),
            ..Report::default()
        }
    }

    #[test]
    fn a_measurement_without_an_id_is_named_by_its_place() {
        let mut parcels = Parcels::new("f00d", 2);
        assert_eq!(parcels.add(2, report(None, "x")), None);
        let parcel = parcels.add(5, report(Some("own"), "y")).unwrap();
        assert_eq!(
            parcel.body,
            b"{\"id\":\"f00d:2\",\"note\":\"x\"}\n{\"id\":\"own\",\"note\":\"y\"}\n"
        );
        assert_eq!((parcel.numbers, parcel.key.as_str()), (vec![2, 5], "f00d:2-5"));
        assert_eq!(parcels.rest(), None);
    }

    #[test]
    fn a_batch_is_closed_when_it_has_enough_bytes() {
        let mut parcels = Parcels::new("f00d", 1_000_000);
        let note = "x".repeat(60_000);
        let full = (1_u64..)
            .find_map(|number| parcels.add(number, report(None, &note)))
            .unwrap();
        assert_eq!(full.numbers.len(), 9);
        assert!(full.body.len() < 1024 * 1024);
    }
}
