//! Reading ahead: one core reads, proves and unpacks blocks while another applies those before.
//!
//! A reader enters; the same blocks leave in the same order, with the same end or error. A few blocks are held, no more.
//! Where nobody asks when a block was recorded, small ones leave joined: many measurements at once cost less each. Joined
//! blocks are large, so those that come back are filled again: memory that is new must be got from the system page by page.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::domain::fact::{Block, Measurements};
use crate::ports::{BlockReader, JournalError};

/// Blocks that wait to be applied: enough that neither side waits for the other's large ones.
const BLOCKS_AHEAD: usize = 2;

/// Measurements of a joined block, at least and at most: five and twenty megabytes. New memory is dear: with the most, a replay
/// of ten million measurements of a thousand series got 39,000 pages from the system instead of 23,000.
const JOINED_LEN: [usize; 2] = [1 << 18, 1 << 20];
/// Measurements of each series that a joined block has, between these: whoever takes them series by series wants some of each.
const JOINED_OF_A_SERIES: usize = 16;
/// Of the first one; each has room for twice as many as the one before. Nobody can begin before it is there.
const JOINED_FIRST_LEN: usize = 1 << 16;

type Read = Result<Option<Block>, JournalError>;

/// A reader whose work is done by a thread of its own. It ends where the journal ended when it came there.
pub struct ReadAhead {
    /// Gone when the thread is told to stop.
    blocks: Option<Receiver<Read>>,
    /// Where blocks go that came back, if any are joined.
    spare: Option<SyncSender<Measurements>>,
    thread: Option<JoinHandle<()>>,
    /// The end or an error was given away: behind it there is nothing.
    has_ended: bool,
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

    fn start(mut reader: Box<dyn BlockReader>, len: [usize; 2]) -> Self {
        let (say, blocks) = sync_channel(BLOCKS_AHEAD);
        let (spare, spares) = sync_channel(BLOCKS_AHEAD);
        let thread = std::thread::spawn(move || {
            let mut next = None;
            let mut joined = JOINED_FIRST_LEN;
            let mut series = 0;
            loop {
                let mut read = next.take().unwrap_or_else(|| reader.next_block());
                if let Ok(Some(block)) = &mut read {
                    let [least, most] = len;
                    let len = (series * JOINED_OF_A_SERIES).clamp(least, most).min(joined);
                    next = join((&mut *reader, &spares), block, len);
                    series = block.series_base as usize + block.new_series.len();
                    joined = joined.saturating_mul(2);
                }
                let goes_on = matches!(read, Ok(Some(_)));
                // Nobody listens any more where a replay ends before the journal.
                if say.send(read).is_err() || !goes_on {
                    return;
                }
            }
        });
        Self {
            blocks: Some(blocks),
            spare: (len != [0, 0]).then_some(spare),
            thread: Some(thread),
            has_ended: false,
        }
    }
}

/// Appends the blocks that follow up to a length, and gives back what was read and does not belong to it.
fn join(
    (reader, spares): (&mut dyn BlockReader, &Receiver<Measurements>),
    block: &mut Block,
    len: usize,
) -> Option<Read> {
    if block.measurements.len() < len {
        let room = spares.try_recv().unwrap_or_default().emptied(len + len / 4);
        let first = std::mem::replace(&mut block.measurements, room);
        block.measurements.extend(first);
    }
    while block.measurements.len() < len {
        match reader.next_block() {
            Ok(Some(next)) if block.can_take(&next) => block.take(next),
            other => return Some(other),
        }
    }
    None
}

impl BlockReader for ReadAhead {
    fn next_block(&mut self) -> Read {
        if self.has_ended {
            return Ok(None);
        }
        if let Some(Ok(read)) = self.blocks.as_ref().map(Receiver::recv) {
            self.has_ended = !matches!(read, Ok(Some(_)));
            return read;
        }
        // It never leaves without a word: an invariant is broken, and what came before must not look like the whole journal.
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            _ => Err(JournalError::Poisoned),
        }
    }

    fn take_back(&mut self, done: Block) {
        if let Some(spare) = &self.spare {
            // More than are read ahead are not needed.
            let _ = spare.try_send(done.measurements);
        }
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.blocks = None;
        if let Some(thread) = self.thread.take() {
            // A panic behind the last block that was asked for concerns nobody.
            let _ = thread.join();
        }
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

    /// Blocks of some numbers each of so many series, the third with something else in it.
    struct Numbers(u64, u32);

    impl BlockReader for Numbers {
        fn next_block(&mut self) -> Read {
            const LEN: usize = 160_000;
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
        assert_eq!(next, 1_280_002);
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
