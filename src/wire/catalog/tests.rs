//! What the catalog's reader promises, told on whole files.

use super::*;

fn defaults() -> Vec<CatalogFile> {
    let files = DEFAULT_SCORECARDS.iter().map(|(name, text)| CatalogFile {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    });
    files.collect()
}

fn shown(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_five_scorecards_load() {
    let catalog = parse(&defaults()).map_err(|problems| shown(&problems)).unwrap();
    assert_eq!(catalog.scorecards.len(), 5);
}
