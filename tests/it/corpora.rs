//! What the fuzzer found worth keeping, gone through once more: the probes of `tests/fuzz` over its corpora.

use std::path::Path;

#[path = "../fuzz/probes.rs"]
mod probes;

/// Shows every file of a corpus to a probe; gives back how many there are.
fn replay(corpus: &str, probe: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(corpus);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let found = std::panic::catch_unwind(|| probe(&bytes));
        assert!(found.is_ok(), "{}", path.display());
        count += 1;
    }
    assert!(count >= 5, "{count} files in corpus {corpus}");
}

#[test]
fn the_block_decoder_takes_its_corpus_without_harm() {
    replay("block", probes::block);
    replay("segment", probes::segment);
}

#[test]
fn the_front_door_takes_its_corpus_without_harm() {
    replay("ingest", probes::ingest);
    replay("csv", probes::csv);
}

#[test]
fn the_catalog_parser_takes_its_corpus_without_harm() {
    replay("catalog", probes::catalog);
}
