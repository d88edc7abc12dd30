//! Reading ahead: one core reads, proves and unpacks blocks while another applies those before.
//!
//! A reader enters; the same blocks leave in the same order, with the same end or error. A few blocks are held, no more.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use crate::domain::fact::Block;
use crate::ports::{BlockReader, JournalError};

/// Blocks that wait to be applied: enough that neither side waits for the other's large ones.
const BLOCKS_AHEAD: usize = 4;

type Read = Result<Option<Block>, JournalError>;

/// A reader whose work is done by a thread of its own. It ends where the journal ended when it came there.
pub struct ReadAhead {
    /// Gone when the thread is told to stop.
    blocks: Option<Receiver<Read>>,
    thread: Option<JoinHandle<()>>,
    /// The end or an error was given away: behind it there is nothing.
    has_ended: bool,
}

impl ReadAhead {
    /// Starts to read.
    pub fn new(mut reader: Box<dyn BlockReader>) -> Self {
        let (say, blocks) = sync_channel(BLOCKS_AHEAD);
        let thread = std::thread::spawn(move || {
            loop {
                let read = reader.next_block();
                let goes_on = matches!(read, Ok(Some(_)));
                // Nobody listens any more where a replay ends before the journal.
                if say.send(read).is_err() || !goes_on {
                    return;
                }
            }
        });
        Self {
            blocks: Some(blocks),
            thread: Some(thread),
            has_ended: false,
        }
    }
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
    use crate::domain::id::Sequence;

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
