//! Reading ahead: blocks are read, proved and unpacked while those before are applied.
//!
//! A reader enters; the same blocks leave in the same order, with the same end or error. A few blocks are held, no more.
//! Where nobody asks when a block was recorded, small ones leave joined: many measurements at once cost less each. Joined
//! blocks are large, so those that come back are filled again: memory that is new must be got from the system page by page.
//!
//! Work is done bit by bit by the threads that share all other work. With a thread of its own, one more than there are cores,
//! ten million measurements were replayed with 1.6 cores of 2 and took 6 % longer.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::fact::{Block, Measurements};
use crate::ports::{BlockReader, JournalError};

/// Facts that wait to be applied are enough from here on; a joined block has more.
const FACTS_AHEAD: u64 = 1 << 18;
/// The same before anybody asked: definitions are being read, for which one core is enough.
const FACTS_AHEAD_FIRST: u64 = 1 << 19;
/// Blocks that wait, at most: some have no facts.
const BLOCKS_AHEAD: usize = 256;
/// Facts that are read at one go. Whoever shares the work can do no other meanwhile: some tenths of a millisecond.
const FACTS_AT_ONCE: u64 = 1 << 13;
/// Blocks that are read at one go, at most.
const BLOCKS_AT_ONCE: usize = 64;

/// Measurements of a joined block, at least and at most: ten and twenty megabytes. New memory is dear: with the most, a replay
/// of ten million measurements of a thousand series got 40,000 pages from the system instead of 23,000.
const JOINED_LEN: [usize; 2] = [1 << 19, 1 << 20];
/// Measurements of each series that a joined block has, between these: whoever takes them series by series wants some of each.
const JOINED_OF_A_SERIES: usize = 16;
/// Of the first one; each has room for twice as many as the one before. Nobody can begin before it is there, but it is read
/// while definitions are.
const JOINED_FIRST_LEN: usize = 1 << 18;
/// Who shares the work itself looks again after so long, when there is nothing that it could do.
const LOOK_AGAIN: Duration = Duration::from_micros(100);

type Read = Result<Option<Block>, JournalError>;

/// A reader whose work is done beside what is done with its blocks. It ends where the journal ended when it came there.
pub struct ReadAhead {
    shared: Arc<Shared>,
    /// The end or an error was given away: behind it there is nothing.
    has_ended: bool,
}

/// Between who reads and who asks.
struct Shared {
    desk: Mutex<Desk>,
    /// There is more on the desk, or nobody reads any more.
    changed: Condvar,
}

struct Desk {
    /// Read and not asked for yet; a panic of the reader arrives where its block was asked for.
    ready: VecDeque<Result<Read, Box<dyn Any + Send>>>,
    /// How many facts these have.
    facts: u64,
    /// `None` while somebody reads with it, and when there is nothing more.
    work: Option<Work>,
    /// Somebody reads.
    is_read: bool,
    /// Somebody asked.
    is_asked: bool,
    /// Nobody wants more.
    is_left: bool,
    /// Blocks that came back.
    spare: Option<Measurements>,
}

/// A reader, and what it has read of a block that is not whole yet.
struct Work {
    reader: Box<dyn BlockReader>,
    joined: Option<Block>,
    /// Measurements of a joined block, at least and at most; 0 where they stay as they are.
    len: [usize; 2],
    /// Room for so many measurements, as long as few were read.
    first_len: usize,
    spare: Option<Measurements>,
}

impl ReadAhead {
    /// Starts to read.
    pub fn new(reader: Box<dyn BlockReader>) -> Self {
        Self::start(reader, [0, 0])
    }

    /// Starts to read, for a clock that does not go by when blocks were recorded: they come joined.
    pub fn joined(reader: Box<dyn BlockReader>) -> Self {
        Self::start(reader, JOINED_LEN)
    }

    fn start(reader: Box<dyn BlockReader>, len: [usize; 2]) -> Self {
        let desk = Desk {
            ready: VecDeque::new(),
            facts: 0,
            work: Some(Work {
                reader,
                joined: None,
                len,
                first_len: JOINED_FIRST_LEN,
                spare: None,
            }),
            is_read: false,
            is_asked: false,
            is_left: false,
            spare: None,
        };
        let shared = Arc::new(Shared {
            desk: Mutex::new(desk),
            changed: Condvar::new(),
        });
        Shared::go_on(&shared, &mut shared.desk());
        Self {
            shared,
            has_ended: false,
        }
    }

    /// Waits for something on the desk to change. Who shares the work does some of it: what it waits for may be that.
    fn wait<'a>(&'a self, desk: MutexGuard<'a, Desk>) -> MutexGuard<'a, Desk> {
        if rayon::current_thread_index().is_none() {
            let changed = self.shared.changed.wait(desk);
            return changed.unwrap_or_else(PoisonError::into_inner);
        }
        drop(desk);
        if rayon::yield_now() != Some(rayon::Yield::Executed) {
            std::thread::sleep(LOOK_AGAIN);
        }
        self.shared.desk()
    }
}

/// How many facts came.
fn facts(read: &Read) -> u64 {
    match read {
        Ok(Some(block)) => block.len(),
        _ => 0,
    }
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has somebody read on, if there is anything to read and it is wanted.
    fn go_on(shared: &Arc<Self>, desk: &mut Desk) {
        let facts_ahead = if desk.is_asked { FACTS_AHEAD } else { FACTS_AHEAD_FIRST };
        let is_enough = desk.facts >= facts_ahead || desk.ready.len() >= BLOCKS_AHEAD;
        if desk.is_read || desk.is_left || is_enough {
            return;
        }
        if let Some(mut work) = desk.work.take() {
            desk.is_read = true;
            work.spare = work.spare.take().or_else(|| desk.spare.take());
            let shared = Arc::clone(shared);
            rayon::spawn(move || Self::read(&shared, work));
        }
    }

    fn read(shared: &Arc<Self>, mut work: Work) {
        let mut ready = VecDeque::new();
        let read = catch_unwind(AssertUnwindSafe(|| work.read(&mut ready)));
        let mut desk = shared.desk();
        desk.facts += ready.iter().map(facts).sum::<u64>();
        desk.ready.extend(ready.into_iter().map(Ok));
        match read {
            Ok(goes_on) => desk.work = goes_on.then_some(work),
            Err(panic) => desk.ready.push_back(Err(panic)),
        }
        desk.is_read = false;
        Self::go_on(shared, &mut desk);
        shared.changed.notify_all();
    }
}

impl Work {
    /// Reads some blocks; false when there is nothing behind them.
    fn read(&mut self, ready: &mut VecDeque<Read>) -> bool {
        let mut facts = 0;
        for _ in 0..BLOCKS_AT_ONCE {
            match self.reader.next_block() {
                Ok(Some(block)) => {
                    facts += block.len();
                    self.take(block, ready);
                }
                end => {
                    ready.extend(self.joined.take().map(|block| Ok(Some(block))));
                    ready.push_back(end);
                    return false;
                }
            }
            if facts >= FACTS_AT_ONCE {
                break;
            }
        }
        true
    }

    /// Joins a block with those before, as far as it can be and as many are wanted.
    fn take(&mut self, block: Block, ready: &mut VecDeque<Read>) {
        let series = block.series_base as usize + block.new_series.len();
        let [least, most] = self.len;
        let wanted = (series * JOINED_OF_A_SERIES).clamp(least, most).min(self.first_len);
        let joined = match self.joined.take() {
            Some(mut before) if before.can_take(&block) => {
                before.take(block);
                before
            }
            before => {
                if let Some(before) = before {
                    self.give(before, ready);
                }
                self.begin(block, wanted)
            }
        };
        if joined.measurements.len() < wanted {
            self.joined = Some(joined);
        } else {
            self.give(joined, ready);
        }
    }

    fn give(&mut self, block: Block, ready: &mut VecDeque<Read>) {
        self.first_len = self.first_len.saturating_mul(2);
        ready.push_back(Ok(Some(block)));
    }

    /// A block with room for those that will be joined with it.
    fn begin(&mut self, mut block: Block, wanted: usize) -> Block {
        if block.measurements.len() < wanted {
            let room = self.spare.take().unwrap_or_default().emptied(wanted + wanted / 4);
            let first = std::mem::replace(&mut block.measurements, room);
            block.measurements.extend(first);
        }
        block
    }
}

impl BlockReader for ReadAhead {
    fn next_block(&mut self) -> Read {
        if self.has_ended {
            return Ok(None);
        }
        let mut desk = self.shared.desk();
        desk.is_asked = true;
        loop {
            if let Some(read) = desk.ready.pop_front() {
                desk.facts -= read.as_ref().map_or(0, facts);
                Shared::go_on(&self.shared, &mut desk);
                drop(desk);
                self.has_ended = !matches!(read, Ok(Ok(Some(_))));
                // It never leaves without a word: what came before must not look like the whole journal.
                return read.unwrap_or_else(|panic| resume_unwind(panic));
            }
            desk = self.wait(desk);
        }
    }

    fn take_back(&mut self, done: Block) {
        self.shared.desk().spare = Some(done.measurements);
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        let mut desk = self.shared.desk();
        desk.is_left = true;
        while desk.is_read {
            desk = self.wait(desk);
        }
        // A panic behind the last block that was asked for concerns nobody.
        desk.work = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fact::Fact;
    use crate::domain::id::Sequence;
    use crate::domain::instant::Instant;

    /// So many blocks, then the end or an error.
    struct Blocks(u64, bool);

    impl BlockReader for Blocks {
        fn next_block(&mut self) -> Read {
            if self.0 == 0 {
                return if self.1 { Err(JournalError::Poisoned) } else { Ok(None) };
            }
            self.0 -= 1;
            Ok(Some(Block {
                first: Sequence(100_u64.wrapping_sub(self.0)),
                ..Block::default()
            }))
        }
    }

    fn firsts(reader: &mut ReadAhead) -> Vec<u64> {
        std::iter::from_fn(|| reader.next_block().ok().flatten().map(|block| block.first.0)).collect()
    }

    #[test]
    fn blocks_come_in_order_and_the_end_stays_the_end() {
        let mut reader = ReadAhead::new(Box::new(Blocks(20, false)));
        assert_eq!(firsts(&mut reader), (81..=100).collect::<Vec<u64>>());
        assert!(matches!(reader.next_block(), Ok(None)));
    }

    #[test]
    fn who_asks_may_be_the_only_one_who_shares_the_work() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let firsts = pool.install(|| firsts(&mut ReadAhead::new(Box::new(Blocks(2_000, false)))));
        assert_eq!(firsts.len(), 2_000);
        pool.install(|| drop(ReadAhead::new(Box::new(Blocks(u64::MAX / 2, false)))));
    }

    /// Blocks of some numbers each of so many series, the third with something else in it.
    struct Numbers(u64, u32);

    impl BlockReader for Numbers {
        fn next_block(&mut self) -> Read {
            const LEN: usize = 320_000;
            self.0 += 1;
            if self.0 > 8 {
                return Err(JournalError::Poisoned);
            }
            let mut block = Block {
                first: Sequence((self.0 - 1) * LEN as u64 + 1 + u64::from(self.0 > 3)),
                recorded_at: Instant(self.0 as i64),
                series_base: self.1,
                ..Block::default()
            };
            let (series, observed_at, value) = (vec![self.0 as u32; LEN], vec![0; LEN], vec![self.0 as f64; LEN]);
            block
                .measurements
                .extend_numbers(&series, &observed_at, Instant(0), &value);
            if self.0 == 3 {
                let (fingerprint, files) = (String::new(), Vec::new());
                let fact = Fact::CatalogActivated { fingerprint, files };
                block.others.push((0, fact));
            }
            Ok(Some(block))
        }
    }

    type Seen = (Vec<u32>, i64, usize);

    fn joined(series: u32) -> Vec<Seen> {
        let mut reader = ReadAhead::joined(Box::new(Numbers(0, series)));
        let mut next = 1;
        let mut seen = Vec::new();
        while let Ok(Some(block)) = reader.next_block() {
            assert_eq!(block.first, Sequence(next), "no fact is left out");
            next += block.len();
            let mut series = block.measurements.series.clone();
            series.dedup();
            seen.push((series, block.recorded_at.0, block.others.len()));
            reader.take_back(block);
        }
        assert_eq!(next, 2_560_002);
        seen
    }

    #[test]
    fn small_blocks_leave_joined_with_every_row_in_its_place() {
        let first = [(vec![1], 1, 0), (vec![2], 2, 0), (vec![3], 3, 1)];
        let rest = [(vec![4, 5], 5, 0), (vec![6, 7], 7, 0), (vec![8], 8, 0)];
        assert_eq!(joined(10), [first.clone(), rest].concat());
        // Of many series more is joined, so that each has some measurements in a block.
        let rest = [(vec![4, 5, 6, 7], 7, 0), (vec![8], 8, 0)];
        assert_eq!(joined(200_000), [first.as_slice(), &rest].concat());
    }

    /// What waits once nobody reads any more: how many blocks, and their facts.
    fn waiting(reader: &ReadAhead) -> (usize, u64) {
        let mut desk = reader.shared.desk();
        while desk.is_read {
            desk = reader.wait(desk);
        }
        (desk.ready.len(), desk.facts)
    }

    #[test]
    fn no_more_is_read_than_is_wanted() {
        let mut reader = ReadAhead::new(Box::new(Blocks(10_000, false)));
        for _ in 0..600 {
            let (blocks, _) = waiting(&reader);
            assert!(
                (BLOCKS_AHEAD..BLOCKS_AHEAD + BLOCKS_AT_ONCE).contains(&blocks),
                "{blocks}"
            );
            reader.next_block().unwrap();
        }
        let mut reader = ReadAhead::new(Box::new(Numbers(0, 10)));
        assert_eq!(waiting(&reader), (2, 640_000), "nobody asked yet");
        reader.next_block().unwrap();
        assert_eq!(waiting(&reader), (1, 320_000));
        reader.next_block().unwrap();
        assert_eq!(waiting(&reader), (1, 320_001));
    }

    #[test]
    fn an_error_comes_in_its_place() {
        let mut reader = ReadAhead::new(Box::new(Blocks(2, true)));
        assert!(matches!(reader.next_block(), Ok(Some(_))));
        assert!(matches!(reader.next_block(), Ok(Some(_))));
        assert!(matches!(reader.next_block(), Err(JournalError::Poisoned)));
    }

    /// One block, then a broken invariant.
    struct Broken(bool);

    impl BlockReader for Broken {
        fn next_block(&mut self) -> Read {
            assert!(!std::mem::replace(&mut self.0, true), "the reader is broken");
            Ok(Some(Block::default()))
        }
    }

    #[test]
    fn a_reader_that_panics_does_not_look_like_the_end() {
        let mut reader = ReadAhead::new(Box::new(Broken(false)));
        assert!(matches!(reader.next_block(), Ok(Some(_))));
        let next = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reader.next_block().is_ok()));
        assert!(next.is_err(), "the panic arrives where the block was asked for");
    }

    #[test]
    fn who_stops_early_does_not_wait_for_the_rest() {
        let mut reader = ReadAhead::new(Box::new(Blocks(u64::MAX / 2, false)));
        assert!(matches!(reader.next_block(), Ok(Some(_))));
        drop(reader);
    }
}
