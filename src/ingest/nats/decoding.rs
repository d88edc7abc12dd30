//! Decoding, off the runtime: messages as they came enter, batches ready to be submitted leave, in the order of the stream.
//!
//! A full batch takes milliseconds, in which the threads of the runtime have others to serve: it is decoded on a thread of
//! its own kind, several at one time where there are processors. A few messages are decoded where they are: handing them over
//! would take longer, and they may be what an alert waits for.

use async_nats::{HeaderMap, Subject};
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};

use super::Door;
use super::chunk::Chunk;
use crate::wire::subjects;

/// Bytes that are decoded at once: some hundred microseconds of work.
const AT_ONCE_BYTES_MAX: usize = 32 << 10;

/// So many messages, with so many bytes in their payloads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub messages: usize,
    pub bytes: usize,
}

impl Load {
    /// One message more.
    pub(super) fn add(&mut self, payload: &Bytes) {
        self.messages += 1;
        self.bytes += payload.len();
    }
}

/// A message that was taken from the stream.
pub(super) struct Taken {
    /// Its stream sequence.
    pub sequence: u64,
    /// Where it is acknowledged.
    pub ack: Subject,
    pub subject: Subject,
    pub payload: Bytes,
    pub headers: Option<HeaderMap>,
}

/// What was taken at one time.
#[derive(Default)]
pub(super) struct Gathered {
    pub messages: Vec<Taken>,
    pub load: Load,
    /// Acknowledges the last of those before them that were durable already.
    pub known: Option<Subject>,
}

impl Gathered {
    /// Nothing yet, with room for so many messages.
    pub(super) fn with_room(messages: usize) -> Self {
        Self {
            messages: Vec::with_capacity(messages),
            ..Self::default()
        }
    }
}

/// A batch that can be submitted.
pub(super) struct Decoded {
    pub chunk: Chunk,
    /// Stream sequence of its last message.
    pub last: u64,
    /// Acknowledges that one, and all before it.
    pub ack: Subject,
}

/// Decodes what was gathered, into batches that are closed after `len_max` measurements.
pub(super) fn decode(gathered: Gathered, door: &Door, len_max: usize) -> BoxFuture<'static, Vec<Decoded>> {
    let door = door.clone();
    if gathered.load.bytes <= AT_ONCE_BYTES_MAX {
        return std::future::ready(batches(gathered, &door, len_max)).boxed();
    }
    let decoding = tokio::task::spawn_blocking(move || batches(gathered, &door, len_max));
    async move {
        match decoding.await {
            Ok(batches) => batches,
            // A broken invariant ends the house from here as it would on the runtime.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is going away, and this future with it.
                Err(_) => std::future::pending().await,
            },
        }
    }
    .boxed()
}

impl Decoded {
    /// What it was made of.
    pub(super) fn load(&self) -> Load {
        Load {
            messages: self.chunk.messages(),
            bytes: self.chunk.bytes(),
        }
    }
}

fn batches(gathered: Gathered, door: &Door, len_max: usize) -> Vec<Decoded> {
    let mut batches = Vec::with_capacity(1);
    let mut chunk = Chunk::default();
    let mut end = None;
    let mut bytes = gathered.load.bytes;
    for message in gathered.messages {
        let kpi = subjects::kpi_after(subjects::MEASUREMENT, &message.subject);
        chunk.add(message.payload, message.headers.as_ref(), kpi, door);
        if chunk.messages() == 1 {
            chunk.reserve(bytes, len_max);
        }
        end = Some((message.sequence, message.ack));
        if chunk.measurements() >= len_max
            && let Some((last, ack)) = end.take()
        {
            bytes -= chunk.bytes();
            let chunk = std::mem::take(&mut chunk);
            batches.push(Decoded { chunk, last, ack });
        }
    }
    batches.extend(end.map(|(last, ack)| Decoded { chunk, last, ack }));
    for batch in &batches {
        batch.chunk.count(door);
    }
    batches
}
