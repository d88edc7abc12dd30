//! Late facts, by hand: what is to be told to a projection of an instant, whatever was done to a measurement later.

use super::*;
use crate::domain::catalog::CatalogFile;
use crate::domain::fact::{Correction, Retraction};
use crate::domain::id::{InstanceId, KpiId};
use crate::domain::measurement::{Extra, MeasuredValue};
use crate::domain::samples::{SLICE_MS, catalog, plain_kpi};

fn measured(observed: i64) -> crate::domain::fact::Block {
    let mut block = crate::domain::fact::Block::default();
    let at = Instant(observed * SLICE_MS);
    block
        .measurements
        .push(SeriesNumber(0), (at, at), &MeasuredValue::Number(1.0), Extra::default());
    block
}

fn place(sequence: u64, observed: i64) -> MeasurementPlace {
    MeasurementPlace {
        sequence: Sequence(sequence),
        series: SeriesNumber(0),
        observed_at: Instant(observed * SLICE_MS),
    }
}

fn corrected(target: MeasurementPlace, observed: i64) -> Fact {
    Fact::MeasurementCorrected(Correction {
        target,
        corrects: "a".into(),
        observed_at: Instant(observed * SLICE_MS),
        received_at: Instant(0),
        value: MeasuredValue::Number(2.0),
        extra: Extra::default(),
    })
}

fn retracted(target: MeasurementPlace) -> Fact {
    Fact::MeasurementRetracted(Retraction {
        target,
        retracts: "a".into(),
        received_at: Instant(0),
        extra: Extra::default(),
    })
}

/// What is to be told of slice 10, by the end of which facts up to 5 were known: `+7` a measurement put in, `~7` replaced,
/// `-7` taken out.
fn told(facts: &[(u64, Fact)], rows: &[(u64, i64)]) -> String {
    let catalog = catalog(plain_kpi(), None);
    let id = catalog.scorecards[0].id.clone();
    let leaves = Leaves::of(&catalog, id.as_str(), None).unwrap();
    let key = SeriesKey {
        kpi: catalog.scorecards[0].kpis[0].id.clone(),
        source: "till".into(),
        each: None,
    };
    let at = Instant(10 * SLICE_MS);
    let instants = [at];
    let mut late = LateFacts::new((&catalog, &leaves), &instants, &[key], 100);
    let recorded_at = Instant(12 * SLICE_MS);
    for (sequence, observed) in rows {
        let block = measured(*observed);
        let (_, entry) = block.entries().next().unwrap();
        late.take(Sequence(*sequence), &entry, recorded_at).unwrap();
    }
    for (sequence, fact) in facts {
        late.take(Sequence(*sequence), &Entry::Other(fact), recorded_at)
            .unwrap();
    }
    let found = late.of(at, Sequence(5));
    let acts = found
        .iter()
        .flat_map(Late::facts)
        .map(|(sequence, entry, _)| match entry {
            Entry::Measurement(_) => format!("+{sequence}"),
            Entry::Other(Fact::MeasurementCorrected(_)) => format!("~{sequence}"),
            Entry::Other(_) => format!("-{sequence}"),
        });
    acts.collect::<Vec<_>>().join(" ")
}

#[test]
fn what_came_late_is_put_in_and_what_came_in_time_is_not() {
    assert_eq!(told(&[], &[(7, 9), (8, 10), (9, 11)]), "+7");
}

#[test]
fn what_was_known_is_replaced_or_taken_out() {
    assert_eq!(told(&[(20, corrected(place(3, 8), 7))], &[]), "~3");
    assert_eq!(told(&[(20, corrected(place(3, 8), 15))], &[]), "-3", "moved away");
    assert_eq!(told(&[(20, retracted(place(3, 8)))], &[]), "-3");
    assert_eq!(
        told(&[(20, corrected(place(3, 8), 15)), (21, retracted(place(3, 15)))], &[]),
        "-3",
        "once"
    );
    let there_and_back = [(20, corrected(place(3, 8), 15)), (21, corrected(place(3, 15), 9))];
    assert_eq!(told(&there_and_back, &[]), "-3 +3");
}

#[test]
fn what_was_not_known_is_put_in_where_a_correction_moves_it_before_the_instant() {
    assert_eq!(told(&[(20, corrected(place(7, 11), 9))], &[(7, 11)]), "+7");
    assert_eq!(told(&[(20, corrected(place(7, 11), 12))], &[(7, 11)]), "");
    assert_eq!(told(&[(20, retracted(place(7, 11)))], &[(7, 11)]), "");
    let moved_and_gone = [(20, corrected(place(7, 11), 9)), (21, retracted(place(7, 9)))];
    assert_eq!(told(&moved_and_gone, &[(7, 11)]), "+7 -7");
    assert_eq!(
        told(&[(20, corrected(place(7, 8), 9))], &[(7, 8)]),
        "+7 ~7",
        "late, and corrected after"
    );
}

#[test]
fn too_many_are_refused_and_those_of_other_kpis_do_not_count() {
    let catalog = catalog(plain_kpi(), None);
    let leaves = Leaves::of(&catalog, catalog.scorecards[0].id.as_str(), None).unwrap();
    let key = |kpi: &KpiId| SeriesKey {
        kpi: kpi.clone(),
        source: "till".into(),
        each: None,
    };
    let instants = [Instant(10 * SLICE_MS)];
    let other = KpiId::parse("other").unwrap();
    for (kpi, expected) in [(&catalog.scorecards[0].kpis[0].id, Err(TooMany)), (&other, Ok(()))] {
        let mut late = LateFacts::new((&catalog, &leaves), &instants, &[key(kpi)], 1);
        let fact = retracted(place(3, 8));
        let mut take = |sequence| late.take(Sequence(sequence), &Entry::Other(&fact), Instant(11 * SLICE_MS));
        assert_eq!((take(20), take(21)), (Ok(()), expected));
    }
}

#[test]
fn leaves_of_included_nodes_count_where_they_are_included() {
    let catalog = catalog(plain_kpi(), None);
    let leaves = Leaves::of(&catalog, catalog.scorecards[0].id.as_str(), None).unwrap();
    assert_eq!(leaves.len(), 1);
    let nodes: Vec<usize> = leaves.nodes().map(|(_, below)| below.len()).collect();
    assert!(
        nodes.iter().all(|below| *below == 1),
        "every node stands above it: {nodes:?}"
    );
    assert!(Leaves::of(&catalog, "nope", None).is_none());
}

#[test]
fn a_measurement_of_another_kpi_counts_where_it_lets_an_included_instance_appear() {
    let scorecard = |id: &str, each: &str, rest: &str| CatalogFile {
        name: format!("{id}.toml"),
        text: format!(
            "[scorecard]\nid = '{id}'\ntitle = 'T'\nowner = 'o@example.com'\ntime_zone = 'UTC'\n{each}\n\
             [[perspective]]\nid = 'p'\ntitle = 'P'\nweight = 1\n{rest}"
        ),
    };
    let kpi = |id: &str| {
        format!(
            "[[kpi]]\nid = '{id}'\nobjective = 'o'\ntitle = 'K'\nkind = 'leading'\naggregate = 'sum'\nweight = 1\n\
             window = {{ rolling = '2h', slice = '1h' }}\nmissing = 'exclude'\ntarget = 2\nred = 1\ndirection = 'up'\n"
        )
    };
    let objective = "[[objective]]\nid = 'o'\ntitle = 'O'\nperspective = 'p'\nweight = 1\n";
    let sites = format!("{objective}{}{}", kpi("seen"), kpi("other"));
    let include = "include = [{ node = 'sites@b/p/o/seen', weight = 1 }]\n";
    let files = [
        scorecard("sites", "each = 'site'", &sites),
        scorecard("all", "", &format!("{objective}{include}{}", kpi("own"))),
    ];
    let catalog = crate::wire::catalog::parse(&files).unwrap();
    let leaves = Leaves::of(&catalog, "all", None).unwrap();
    for (site, expected) in [("b", 1), ("a", 0)] {
        let key = SeriesKey {
            kpi: KpiId::parse("other").unwrap(),
            source: "till".into(),
            each: Some(("site".into(), InstanceId::parse(site).unwrap())),
        };
        let (at, recorded_at) = (Instant(10 * SLICE_MS), Instant(12 * SLICE_MS));
        let instants = [at];
        let mut late = LateFacts::new((&catalog, &leaves), &instants, &[key], 100);
        let block = measured(8);
        let (_, entry) = block.entries().next().unwrap();
        late.take(Sequence(7), &entry, recorded_at).unwrap();
        let found = late.of(at, Sequence(5));
        let brought = late.brought(&found);
        let told = brought.iter().filter(|nodes| nodes.contains_key("all/p/o")).count();
        assert_eq!((found.len(), told), (expected, expected), "{site}");
    }
}
