//! Trims: what may go and what not, what is left proves itself, and an interruption at any step is finished or undone.

use std::path::Path;
use std::sync::Arc;

use super::faulty::{Fault, FaultyFiles, Survivors};
use super::promises::SMALL;
use super::samples::{append_all, drain, plain};
use crate::domain::catalog::CatalogFile;
use crate::domain::fact::{Block, Fact};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::journal::inspect::{Depth, survey};
use crate::journal::reader::open_reader_in;
use crate::journal::{BaseState, FileJournal, Held, JournalStat, TrimNeeds, Trims};
use crate::ports::{BlockReader, Journal, JournalError, TrimWish};

const DIR: &str = "/journal";
const NOTHING_NEEDED: TrimNeeds = TrimNeeds {
    recorded_since: Instant(i64::MAX),
    observed_since: Instant(i64::MAX),
};

fn open(files: &FaultyFiles) -> Result<FileJournal, JournalError> {
    FileJournal::open(Path::new(DIR), SMALL, Arc::new(files.clone()))
}

fn trims(files: &FaultyFiles) -> Trims {
    Trims::with(Path::new(DIR), Arc::new(files.clone()))
}

fn read(files: &FaultyFiles, from: u64) -> Vec<Block> {
    let mut reader = open_reader_in(Path::new(DIR), Sequence(from), Arc::new(files.clone())).unwrap();
    drain(&mut reader)
}

fn proved(files: &FaultyFiles) -> Result<JournalStat, JournalError> {
    survey(Path::new(DIR), Arc::new(files.clone()), Depth::Content, &mut |_, _| {})
}

/// A journal of some segments.
fn story() -> (FaultyFiles, Vec<Block>) {
    let files = FaultyFiles::default();
    let mut journal = open(&files).unwrap();
    let blocks = append_all(&mut journal, &[200, 90, 140, 130, 190, 5, 190, 130, 200, 170, 210, 190]);
    (files, blocks)
}

fn all() -> TrimWish {
    TrimWish {
        before: Some(Instant(i64::MAX)),
        keep_bytes: None,
    }
}

/// What stands for the blocks up to a sequence.
fn base_of(blocks: &[Block], up_to: Sequence) -> (Block, BaseState) {
    let dropped: Vec<&Block> = blocks.iter().filter(|block| block.last() <= up_to).collect();
    let definitions = Fact::CatalogActivated {
        fingerprint: "sha256:00".to_owned(),
        files: vec![CatalogFile {
            name: "it.toml".to_owned(),
            text: "x".to_owned(),
        }],
    };
    let block = Block {
        first: up_to,
        recorded_at: dropped.last().unwrap().recorded_at,
        new_series: dropped.iter().flat_map(|block| block.new_series.clone()).collect(),
        others: vec![(0, definitions)],
        ..Block::default()
    };
    let state = [(1 << 56, vec![7, 8, 9]), (9 << 56, Vec::new())];
    (block, state.into_iter().collect())
}

/// A block that holds one fact.
fn of_fact(journal: &FileJournal, fact: Fact) -> Block {
    let mut block = plain(journal.tail(), 0);
    block.others.push((0, fact));
    block
}

/// Trims as far as may be; the fact's block leaves.
fn trim(files: &FaultyFiles, journal: &mut FileJournal, blocks: &[Block]) -> Result<Block, JournalError> {
    let trims = trims(files);
    let up_to = trims.plan(all(), NOTHING_NEEDED)?.up_to.unwrap();
    let (block, state) = base_of(blocks, up_to);
    let fact = trims.prepare(&block, &state)?;
    let named = of_fact(journal, fact);
    journal.append(&named)?;
    trims.drop_up_to(up_to)?;
    Ok(named)
}

#[test]
fn only_whole_segments_go_and_only_what_is_wanted_and_not_needed() {
    let (files, blocks) = story();
    let trims = trims(&files);
    let segments = files.paths().len();
    let plan = |wish, needs| trims.plan(wish, needs).unwrap();
    let whole = plan(all(), NOTHING_NEEDED);
    assert_eq!((whole.segments, whole.held), (segments as u64 - 1, Some(Held::Last)));
    let second = blocks[1].recorded_at;
    let some = TrimWish {
        before: Some(blocks[3].recorded_at),
        keep_bytes: None,
    };
    let some = plan(some, NOTHING_NEEDED);
    assert!(some.up_to.unwrap() < blocks[3].first && some.held.is_none(), "{some:?}");
    let large = TrimWish {
        before: None,
        keep_bytes: Some(whole.bytes),
    };
    assert_eq!(
        plan(large, NOTHING_NEEDED).segments,
        1,
        "one is enough to be that small"
    );
    let ids = TrimNeeds {
        recorded_since: second,
        ..NOTHING_NEEDED
    };
    assert_eq!(plan(all(), ids).held, Some(Held::Ids));
    let seen = TrimNeeds {
        observed_since: Instant(blocks[3].measurements.observed_at[9]),
        ..NOTHING_NEEDED
    };
    let held = plan(all(), seen);
    assert!(held.up_to.unwrap() < blocks[3].first, "{held:?}");
    assert_eq!(held.held, Some(Held::Measurements));
    assert_eq!(plan(TrimWish::default(), NOTHING_NEEDED).up_to, None);
}

#[test]
fn what_is_left_begins_with_its_base_and_proves_itself() {
    let (files, blocks) = story();
    let before = files.paths().len();
    let mut journal = open(&files).unwrap();
    let named = trim(&files, &mut journal, &blocks).unwrap();
    assert!(files.paths().len() < before - 1, "{:?}", files.paths());
    let first = trims(&files).first().unwrap();
    let base = trims(&files).base().unwrap().unwrap();
    let (block, state) = base_of(&blocks, Sequence(first.0 - 1));
    assert_eq!((&base.block, &base.state), (&block, &state));
    let mut kept: Vec<Block> = blocks.iter().filter(|block| block.first >= first).cloned().collect();
    kept.push(named);
    assert_eq!(read(&files, first.0), kept, "from the first that was kept");
    kept.insert(0, base.block);
    assert_eq!(read(&files, 1), kept, "who asks for more gets the base first");
    let report = proved(&files).unwrap();
    let trimmed = report.trimmed.unwrap();
    assert_eq!((trimmed.up_to.0 + 1, trimmed.named_at), (first.0, report.last));
    // It goes on, and is trimmed again.
    let more = append_all(&mut journal, &[90, 130, 90]);
    kept.extend(more);
    drop(journal);
    let mut journal = open(&files).unwrap();
    trim(&files, &mut journal, &kept).unwrap();
    assert!(proved(&files).unwrap().first.unwrap() > first);
    assert_eq!(
        files
            .paths()
            .iter()
            .filter(|path| path.extension().unwrap() == "base")
            .count(),
        1
    );
}

#[test]
fn a_reader_that_is_overtaken_by_a_trim_says_so() {
    let (files, blocks) = story();
    let mut journal = open(&files).unwrap();
    let mut reader = open_reader_in(Path::new(DIR), Sequence(1), Arc::new(files.clone())).unwrap();
    assert_eq!(reader.next_block().unwrap().unwrap(), blocks[0]);
    trim(&files, &mut journal, &blocks).unwrap();
    let error = std::iter::from_fn(|| reader.next_block().transpose()).find_map(Result::err);
    assert!(matches!(error, Some(JournalError::Trimmed { .. })), "{error:?}");
}

#[test]
fn a_base_put_in_the_place_of_the_true_one_is_found_out() {
    let (files, blocks) = story();
    let mut journal = open(&files).unwrap();
    trim(&files, &mut journal, &blocks).unwrap();
    let first = trims(&files).first().unwrap();
    let path = Path::new(DIR).join(format!("{:020}.base", first.0));
    let base = trims(&files).base().unwrap().unwrap();
    let state = [(1, vec![1])].into_iter().collect();
    let forged = crate::journal::base::encode(&base.block, &base.previous, &state).unwrap();
    let kept = files.bytes(&path);
    files.tamper(&path, |bytes| *bytes = forged);
    let error = proved(&files).unwrap_err().to_string();
    assert!(
        error.contains("the base is not the one that the journal's trim names"),
        "{error}"
    );
    for at in 0..kept.len() {
        files.tamper(&path, |bytes| {
            bytes.clone_from(&kept);
            bytes[at] ^= 4;
        });
        let outcome = proved(&files);
        assert!(
            matches!(outcome, Err(JournalError::Damaged { .. })),
            "byte {at}: {outcome:?}"
        );
    }
    files.remove(&path);
    let error = proved(&files).unwrap_err().to_string();
    assert!(error.contains("the first segment is missing"), "{error}");
}

/// Everything that was acknowledged is there: the blocks as a whole journal, or behind the base of a trim that is named.
fn check(files: &FaultyFiles, blocks: &[Block], context: &str) -> bool {
    let journal = open(files).unwrap_or_else(|error| panic!("{context}: {error}"));
    proved(files).unwrap_or_else(|error| panic!("{context}: {error}"));
    let found = read(files, 1);
    drop(journal);
    let first = trims(files).first().unwrap();
    let leftovers = files.paths().into_iter().filter(|path| {
        let stem = path.file_stem().unwrap().to_string_lossy().parse::<u64>();
        let ending = path.extension().unwrap();
        ending == "draft" || stem.is_ok_and(|number| number < first.0) || ending == "base" && first.0 == 1
    });
    assert_eq!(leftovers.count(), 0, "{context}: {:?}", files.paths());
    let kept: Vec<&Block> = blocks.iter().filter(|block| block.first >= first).collect();
    let begin = usize::from(first.0 > 1);
    let facts: Vec<&Block> = found.iter().skip(begin).take(kept.len()).collect();
    assert_eq!(facts, kept, "{context}");
    first.0 > 1
}

#[test]
fn a_trim_that_is_interrupted_anywhere_is_finished_or_undone_at_the_next_start() {
    let (mut finished, mut undone) = (0, 0);
    for survivors in [Survivors::Nothing, Survivors::Everything, Survivors::Some(0x9e37_79b9)] {
        for n in 1.. {
            let (files, blocks) = story();
            let mut journal = open(&files).unwrap();
            files.fault_at(n, Fault::Crash);
            let outcome = trim(&files, &mut journal, &blocks);
            let is_over = outcome.is_ok();
            drop(journal);
            files.restart(survivors);
            let is_trimmed = check(&files, &blocks, &format!("operation {n}, {survivors:?}"));
            finished += u64::from(is_trimmed);
            undone += u64::from(!is_trimmed);
            if is_over {
                break;
            }
        }
    }
    assert!(finished > 10 && undone > 10, "{finished} finished, {undone} undone");
}

#[test]
fn finishing_a_trim_may_be_interrupted_too() {
    // The trim is durable and nothing is dropped yet: from there on every operation of the next start fails once.
    for n in 1.. {
        let (files, blocks) = story();
        let mut journal = open(&files).unwrap();
        let up_to = trims(&files).plan(all(), NOTHING_NEEDED).unwrap().up_to.unwrap();
        let (block, state) = base_of(&blocks, up_to);
        let fact = trims(&files).prepare(&block, &state).unwrap();
        let named = of_fact(&journal, fact);
        journal.append(&named).unwrap();
        drop(journal);
        files.fault_at(n, Fault::Crash);
        let is_over = open(&files).is_ok();
        files.restart(Survivors::Nothing);
        assert!(check(&files, &blocks, &format!("operation {n}")), "it is finished");
        if is_over {
            assert!(n > 5, "there were operations to fail");
            break;
        }
    }
}

#[test]
fn room_that_is_reserved_is_given_back_and_taken_again() {
    let (files, blocks) = story();
    let length = || files.paths().iter().map(|path| files.bytes(path).len()).sum::<usize>();
    let before = length();
    let given = trims(&files).give_back().unwrap();
    assert_eq!(before - length(), given as usize);
    assert!(given > 0);
    assert_eq!(trims(&files).give_back().unwrap(), 0, "once is enough");
    let mut journal = open(&files).unwrap();
    let more = append_all(&mut journal, &[3, 200]);
    assert_eq!(read(&files, 1), [blocks, more].concat());
    assert!(proved(&files).is_ok());
}
