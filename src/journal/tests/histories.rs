//! Whole lives of a journal by seed: it is opened, appended to, struck by a failing operation, a kill or a loss of power at
//! any moment, struck again while it recovers, and goes on. After each blow everything acknowledged is there, nothing
//! is there that was not appended, the chain is proved, and appending goes on.

use std::path::Path;
use std::sync::Arc;

use super::faulty::{Fault, FaultyFiles, Survivors};
use super::samples::{drain, empty, plain};
use crate::domain::fact::Block;
use crate::domain::id::Sequence;
use crate::journal::inspect::{Depth, survey};
use crate::journal::reader::open_reader_in;
use crate::journal::{FileJournal, JournalOptions};
use crate::ports::{BlockReader, Journal, JournalError, Tail};

const DIR: &str = "/journal";

/// Histories in a run. `KPID_TEST_HISTORIES` asks for more, `KPID_TEST_SEED` for one.
const COUNT: u64 = 2_000;

/// Threads that live them.
const THREADS: u64 = 4;

/// Chance that depends on a seed only (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// Says on a failure how to have it again.
struct Teller(u64);

impl Drop for Teller {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.0;
            eprintln!("seed {seed}: again with: KPID_TEST_SEED={seed} cargo test --lib lives_by_seed");
        }
    }
}

/// A journal and what its client knows of it.
struct Life {
    dice: Dice,
    files: FaultyFiles,
    options: JournalOptions,
    /// Durable: acknowledged, or shown by a recovery.
    known: Vec<Block>,
    /// Appended without an answer: there as a whole, or not at all.
    unanswered: Option<Block>,
    /// Blows so far.
    blows: u64,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let options = JournalOptions {
            segment_bytes: [1024, 2048, 16 << 10][dice.below(3) as usize],
            check_all: dice.below(4) > 0,
        };
        Self {
            dice,
            files: FaultyFiles::default(),
            options,
            known: Vec::new(),
            unanswered: None,
            blows: 0,
        }
    }

    fn open(&self) -> Result<FileJournal, JournalError> {
        FileJournal::open(Path::new(DIR), self.options, Arc::new(self.files.clone()))
    }

    /// Something will go wrong soon; now and then nothing does.
    fn arm(&mut self, within: u64) {
        let at = 1 + self.dice.below(within);
        let fault = if self.dice.below(3) == 0 {
            Fault::Fail
        } else {
            Fault::Crash
        };
        self.files.fault_at(at, fault);
    }

    /// The process is gone, and now and then the machine was too.
    fn strike(&mut self) {
        self.blows += 1;
        match self.dice.below(8) {
            0 => self.files.resume(),
            1 => self.files.restart(Survivors::Nothing),
            2 => self.files.restart(Survivors::Everything),
            _ => self.files.restart(Survivors::Some(self.dice.next())),
        }
    }

    fn block(&mut self, tail: Tail) -> Block {
        match self.dice.below(8) {
            0 => empty(tail, self.dice.next()),
            1 => plain(tail, 100 + self.dice.below(400) as usize),
            2 | 3 => plain(tail, 20 + self.dice.below(60) as usize),
            _ => plain(tail, 1 + self.dice.below(5) as usize),
        }
    }

    /// Opens, perhaps in several attempts, and holds what is found against what is known.
    fn recover(&mut self) -> FileJournal {
        self.look_without_a_lock();
        for attempt in 0.. {
            assert!(attempt < 50, "it does not open");
            if self.dice.below(3) == 0 {
                self.arm(8);
            }
            match self.open() {
                Ok(journal) => {
                    self.files.resume();
                    self.hold_against(&journal);
                    return journal;
                }
                Err(JournalError::Io { .. }) => self.strike(),
                Err(error) => panic!("{error}"),
            }
        }
        unreachable!("the loop ends by returning");
    }

    /// A reader beside it sees what is known, and at most what was unanswered.
    fn look_without_a_lock(&self) {
        let mut reader = open_reader_in(Path::new(DIR), Sequence(1), Arc::new(self.files.clone())).unwrap();
        let mut seen = 0;
        while let Some(block) = reader.next_block().unwrap() {
            let expected = self.known.get(seen).or(self.unanswered.as_ref());
            assert_eq!(Some(&block), expected, "block {seen}, before recovery");
            seen += 1;
        }
        assert!(seen >= self.known.len() && seen <= self.known.len() + 1);
    }

    fn hold_against(&mut self, journal: &FileJournal) {
        let mut found = drain(journal.read_from(Sequence(1)).unwrap().as_mut());
        let count = self.known.len();
        assert_eq!(found.get(..count), Some(&self.known[..]), "{count} blocks were known");
        match &found[count..] {
            [] => {}
            [one] => assert_eq!(Some(one), self.unanswered.as_ref(), "nobody appended it"),
            more => panic!("{} blocks that nobody appended", more.len()),
        }
        // What a recovery showed stays.
        self.unanswered = None;
        std::mem::swap(&mut self.known, &mut found);
        let report = survey(
            Path::new(DIR),
            Arc::new(self.files.clone()),
            Depth::Content,
            &mut |_, _| {},
        )
        .unwrap();
        assert_eq!(report.blocks, self.known.len() as u64);
        assert_eq!(report.head_hash, journal.head_hash());
        assert_eq!(report.incomplete_bytes, 0);
    }

    /// Appends until something goes wrong, or it is enough.
    fn append(&mut self, mut journal: FileJournal) {
        self.arm(60);
        for _ in 0..self.dice.below(20) {
            let block = self.block(journal.tail());
            match journal.append(&block) {
                Ok(()) => self.known.push(block),
                Err(error) => {
                    assert!(matches!(error, JournalError::Io { .. }), "{error}");
                    assert!(matches!(journal.append(&block), Err(JournalError::Poisoned)));
                    self.unanswered = Some(block);
                    return;
                }
            }
        }
    }
}

/// Lives one history; gives back the blows and the blocks in it.
fn live(seed: u64) -> (u64, u64) {
    let _teller = Teller(seed);
    let mut life = Life::new(seed);
    for _ in 0..2 + life.dice.below(4) {
        let journal = life.recover();
        life.append(journal);
        life.strike();
    }
    drop(life.recover());
    (life.blows, life.known.len() as u64)
}

#[test]
fn lives_by_seed_lose_nothing_acknowledged_and_show_nothing_that_was_not_appended() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    if let Some(seed) = number("KPID_TEST_SEED") {
        live(seed);
        return;
    }
    let count = number("KPID_TEST_HISTORIES").unwrap_or(COUNT);
    let share =
        |thread: u64| std::thread::spawn(move || (thread..count).step_by(THREADS as usize).map(live).fold((0, 0), add));
    let threads: Vec<_> = (0..THREADS).map(share).collect();
    let (blows, blocks) = threads
        .into_iter()
        .map(|thread| thread.join().expect("see the seed"))
        .fold((0, 0), add);
    assert!(
        blows > count * 3 && blocks > count * 5,
        "{blows} blows, {blocks} blocks"
    );
}

fn add(one: (u64, u64), other: (u64, u64)) -> (u64, u64) {
    (one.0 + other.0, one.1 + other.1)
}
