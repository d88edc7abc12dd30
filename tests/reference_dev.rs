//! Development only.
#[path = "it/reference/mod.rs"]
mod reference;

#[test]
fn reference_satisfies_vectors() {
    reference::vectors::check_vectors(&|files, ndjson, every| reference::run(files, ndjson, every));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, ..Default::default() })]
    #[test]
    fn generator_runs(case in reference::generate::cases()) {
        let lines = reference::run(&case.files, &case.ndjson, case.every_ms);
        reference::compare(&lines, &lines, case.exactness).unwrap();
        let absences: std::collections::BTreeMap<String, usize> = lines.0.iter().fold(Default::default(), |mut m, l| { *m.entry(l.status.clone().or(l.absence.clone()).unwrap()).or_default() += 1; m });
        let tr: std::collections::BTreeMap<String, usize> = lines.1.iter().fold(Default::default(), |mut m, l| { *m.entry(l.transition.clone()).or_default() += 1; m });
        println!("{} meas, {} readings, {} alerts {absences:?} {tr:?}", case.ndjson.lines().count(), lines.0.len(), lines.1.len());
    }
    #[test]
    fn percentile_generator_runs(case in reference::generate::percentile_cases()) {
        let lines = reference::run(&case.files, &case.ndjson, case.every_ms);
        reference::compare(&lines, &lines, case.exactness).unwrap();
    }
}
