//! Milestones: whole past states of the projection, a file each, spread over the history.
//!
//! A head and all parts (words, by number) enter; the same leave, or nothing: a file that is cut, flipped or of another form is
//! left out with a warning. Files are written beside their place and renamed, and never synced: a milestone that a loss of
//! power spoils costs time, while syncing would make ingest wait for the disk. A file never changes once it has its name.
//!
//! A file is named after its sequence and looks like this, numbers little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `kpidpast` |
//! | 4, 4 | form of this file, form of the projection's image |
//! | 8 | how long the projection kept slices, ms; `i64::MIN` for always |
//! | 8, 8 | sequence, clock (epoch ms) |
//! | 4, n | the catalog's fingerprint with its length |
//! | 8 | first bytes of BLAKE3 over all of the above |
//! | n | one zstd stream of the parts: key, number of words, words, 8 bytes each |
//! | 32 | BLAKE3 over all of the above |

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use super::bytes::{Reader, put_text};
use super::checkpoints::IMAGE_FORM;
use super::shelf::first_word;
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::parts::Parts;
use crate::ports::{CheckpointHead, Milestones, SavedState, StateError};

const MAGIC: &[u8; 8] = b"kpidpast";
/// A state of so many bytes costs nobody anything, however often it is written.
const SMALL_BYTES: u64 = 1 << 20;
/// Bytes of larger past states for every fact, at most: with a hundred thousand instances a state is 100 MB and more, and writing one
/// must not cost more than the facts that it spares a traveller, which take some tens of bytes each to read.
const BYTES_A_FACT: u64 = 64;
/// Form of the file; one of another form is not read.
const FORM: u32 = 1;
/// Longest head: a fingerprint is 71 bytes.
const HEAD_LEN_MAX: u64 = 1_024;
/// Length of the hash at the end.
const HASH_LEN: usize = 32;
/// zstd: level 1, as for checkpoints.
const COMPRESSION_LEVEL: i32 = 1;
/// Ending of a file that is being written.
const UNFINISHED: &str = "tmp";

/// How many milestones there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MilestoneLimits {
    /// Facts between two at least.
    pub facts_min: u64,
    /// Kept at most.
    pub count_max: usize,
    /// Bytes of all together.
    pub bytes_max: u64,
}

/// Milestones in a folder.
#[derive(Debug)]
pub struct MilestoneFolder {
    dir: PathBuf,
    history_ms: Option<i64>,
    /// `None` for those who only read.
    limits: Option<MilestoneLimits>,
}

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Unfit {
    #[error("it is not whole")]
    Damaged,
    #[error("another version of kpid, or another projection.history, wrote it")]
    OtherForm,
}

impl MilestoneFolder {
    /// Those in a folder, for a projection that keeps slices for `history_ms`; the folder is made with the first of them.
    pub fn new(dir: &Path, history_ms: Option<i64>, limits: MilestoneLimits) -> Self {
        let folder = Self {
            dir: dir.to_owned(),
            history_ms,
            limits: Some(limits),
        };
        folder.sweep();
        folder
    }

    /// Those in a folder that somebody else writes.
    pub fn read_only(dir: &Path, history_ms: Option<i64>) -> Self {
        Self {
            dir: dir.to_owned(),
            history_ms,
            limits: None,
        }
    }

    /// Removes what a killed process left unfinished.
    fn sweep(&self) {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            if path.extension().is_some_and(|ending| ending == UNFINISHED)
                && let Err(error) = remove(&path)
            {
                warn!(path = %path.display(), %error, "unfinished milestone could not be removed");
            }
        }
    }

    fn path(&self, sequence: Sequence) -> PathBuf {
        // Padded, so that a listing is in order.
        self.dir.join(format!("{:020}", sequence.0))
    }

    /// Sequences and lengths of all files, ascending.
    fn files(&self) -> Vec<(Sequence, u64)> {
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return Vec::new();
        };
        let file = |entry: std::io::Result<fs::DirEntry>| {
            let entry = entry.ok()?;
            let sequence = entry.file_name().to_str()?.parse().ok()?;
            Some((Sequence(sequence), entry.metadata().ok()?.len()))
        };
        let mut files: Vec<(Sequence, u64)> = entries.filter_map(file).collect();
        files.sort_unstable();
        files
    }

    /// The head of a file, and where it ends.
    fn head(&self, sequence: Sequence) -> Result<CheckpointHead, Unfit> {
        let mut bytes = Vec::new();
        let file = File::open(self.path(sequence)).map_err(|_| Unfit::Damaged)?;
        let read = file.take(HEAD_LEN_MAX).read_to_end(&mut bytes);
        read.map_err(|_| Unfit::Damaged)?;
        self.decode_head(&bytes).map(|(head, _)| head)
    }

    /// A head, and its length.
    fn decode_head(&self, bytes: &[u8]) -> Result<(CheckpointHead, usize), Unfit> {
        let body = bytes.strip_prefix(MAGIC).ok_or(Unfit::Damaged)?;
        let mut reader = Reader::new(body);
        let forms = (reader.u32(), reader.u32());
        let history_ms = reader.i64().ok_or(Unfit::Damaged)?;
        let fields = (reader.u64(), reader.i64(), reader.text());
        let (Some(sequence), Some(at), Some(fingerprint)) = fields else {
            return Err(Unfit::Damaged);
        };
        let check = reader.u64().ok_or(Unfit::Damaged)?;
        let len = bytes.len() - reader.rest().len();
        let covered = bytes.get(..len - 8).ok_or(Unfit::Damaged)?;
        if first_word(&blake3::hash(covered)) != check {
            return Err(Unfit::Damaged);
        }
        if forms != (Some(FORM), Some(IMAGE_FORM)) || history_ms != self.history_ms.unwrap_or(i64::MIN) {
            return Err(Unfit::OtherForm);
        }
        let head = CheckpointHead {
            sequence: Sequence(sequence),
            at: Instant(at),
            fingerprint: fingerprint.to_owned(),
        };
        Ok((head, len))
    }

    fn encode_head(&self, head: &CheckpointHead) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(FORM.to_le_bytes());
        out.extend(IMAGE_FORM.to_le_bytes());
        out.extend(self.history_ms.unwrap_or(i64::MIN).to_le_bytes());
        out.extend(head.sequence.0.to_le_bytes());
        out.extend(head.at.0.to_le_bytes());
        put_text(&mut out, &head.fingerprint);
        let check = first_word(&blake3::hash(&out));
        out.extend(check.to_le_bytes());
        out
    }

    fn read(&self, sequence: Sequence) -> Result<SavedState, Unfit> {
        let bytes = fs::read(self.path(sequence)).map_err(|_| Unfit::Damaged)?;
        let (covered, hash) = bytes
            .len()
            .checked_sub(HASH_LEN)
            .and_then(|len| bytes.split_at_checked(len))
            .ok_or(Unfit::Damaged)?;
        let (head, len) = self.decode_head(covered)?;
        if blake3::hash(covered).as_bytes() != hash || head.sequence != sequence {
            return Err(Unfit::Damaged);
        }
        let packed = covered.get(len..).ok_or(Unfit::Damaged)?;
        let mut words = Words(zstd::stream::read::Decoder::new(packed).map_err(|_| Unfit::Damaged)?);
        let mut parts = Parts::default();
        while let Some(key) = words.next().map_err(|_| Unfit::Damaged)? {
            let count = words.next().ok().flatten().ok_or(Unfit::Damaged)?;
            let mut part = (0..count).map(|_| words.next().ok().flatten());
            let mut is_whole = true;
            parts.put(key, |out| {
                out.extend(part.by_ref().map_while(|word| {
                    is_whole &= word.is_some();
                    word
                }));
            });
            is_whole.then_some(()).ok_or(Unfit::Damaged)?;
        }
        Ok((head, parts))
    }

    /// Writes a file under another name.
    fn write(&self, path: &Path, head: &CheckpointHead, parts: &Parts) -> std::io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let hashing = Hashing {
            out: BufWriter::with_capacity(1 << 18, File::create(path)?),
            hash: blake3::Hasher::new(),
        };
        let mut out = hashing;
        out.write_all(&self.encode_head(head))?;
        let mut packed = zstd::stream::write::Encoder::new(out, COMPRESSION_LEVEL)?;
        for (key, words) in parts.iter() {
            packed.write_all(&key.to_le_bytes())?;
            packed.write_all(&(words.len() as u64).to_le_bytes())?;
            for word in words {
                packed.write_all(&word.to_le_bytes())?;
            }
        }
        let Hashing { mut out, hash } = packed.finish()?;
        out.write_all(hash.finalize().as_bytes())?;
        out.flush()
    }

    /// Lets milestones go until the limits hold: always the one without which the remaining ones stand most evenly.
    fn thin(&self, limits: MilestoneLimits) -> std::io::Result<()> {
        let mut files = self.files();
        loop {
            let bytes: u64 = files.iter().map(|(_, len)| len).sum();
            if files.len() <= limits.count_max && bytes <= limits.bytes_max {
                return Ok(());
            }
            let Some(place) = most_dispensable(&files) else {
                return Ok(());
            };
            let (sequence, _) = files.remove(place);
            remove(&self.path(sequence))?;
        }
    }

    /// Removes what cannot be read, so that it does not stand in the way of another one.
    fn discard(&self, sequence: Sequence, why: Unfit) {
        warn!(sequence = sequence.0, %why, "milestone is left out");
        if self.limits.is_some()
            && let Err(error) = remove(&self.path(sequence))
        {
            warn!(sequence = sequence.0, %error, "milestone could not be removed");
        }
    }
}

/// The place of the one between whose neighbours the gap is smallest, the older of equal ones. The newest is worth most, as
/// people ask most about yesterday: it goes only when it is alone.
fn most_dispensable(files: &[(Sequence, u64)]) -> Option<usize> {
    let before = |place: usize| {
        place
            .checked_sub(1)
            .and_then(|place| files.get(place))
            .map_or(0, |(at, _)| at.0)
    };
    let gaps = files.windows(2).enumerate().filter_map(|(place, pair)| {
        let [_, (next, _)] = pair else { return None };
        Some((next.0 - before(place), place))
    });
    let smallest = gaps.min().map(|(_, place)| place);
    smallest.or_else(|| files.len().checked_sub(1))
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Milestones for MilestoneFolder {
    fn heads(&self) -> Vec<CheckpointHead> {
        let heads = self
            .files()
            .into_iter()
            .filter_map(|(sequence, _)| match self.head(sequence) {
                Ok(head) if head.sequence == sequence => Some(head),
                Ok(_) => None,
                Err(why) => {
                    self.discard(sequence, why);
                    None
                }
            });
        heads.collect()
    }

    fn load(&self, sequence: Sequence) -> Option<SavedState> {
        match self.read(sequence) {
            Ok(state) => Some(state),
            Err(why) => {
                self.discard(sequence, why);
                None
            }
        }
    }

    fn is_due(&self, sequence: Sequence) -> bool {
        let Some(limits) = self.limits.filter(|limits| limits.count_max > 0) else {
            return false;
        };
        let files = self.files();
        let end = files.last().map_or(sequence, |(last, _)| (*last).max(sequence));
        // Closer than evenly spread ones it would only push another one out.
        let spread = end.0 / limits.count_max as u64;
        let size = files.last().map_or(0, |(_, bytes)| *bytes);
        let large = size.saturating_sub(SMALL_BYTES) / BYTES_A_FACT;
        let step = limits.facts_min.max(spread).max(large);
        let place = files.partition_point(|(known, _)| *known <= sequence);
        let before = place
            .checked_sub(1)
            .and_then(|place| files.get(place))
            .map_or(0, |(at, _)| at.0);
        let after = files.get(place).map(|(at, _)| at.0);
        sequence.0 - before >= step && after.is_none_or(|after| after - sequence.0 >= step)
    }

    fn keep(&self, head: &CheckpointHead, parts: &Parts) -> Result<(), StateError> {
        let Some(limits) = self.limits else { return Ok(()) };
        let path = self.path(head.sequence);
        let unfinished = path.with_extension(UNFINISHED);
        let written = self
            .write(&unfinished, head, parts)
            .and_then(|()| fs::rename(&unfinished, &path))
            .and_then(|()| self.thin(limits));
        written.map_err(|error| {
            // Half a file is of no use, and may be what fills the disk.
            let _ = remove(&unfinished);
            StateError::Store {
                operation: "keeping a milestone",
                reason: error.to_string(),
            }
        })?;
        info!(sequence = head.sequence.0, "milestone kept");
        Ok(())
    }
}

/// Hashes what it passes on.
struct Hashing<W> {
    out: W,
    hash: blake3::Hasher,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Words of a stream.
struct Words<R>(R);

impl<R: Read> Words<R> {
    /// The next word, `None` at the end; an error where the end comes within one.
    fn next(&mut self) -> std::io::Result<Option<u64>> {
        let mut word = [0; 8];
        let mut filled = 0;
        while filled < word.len() {
            let rest = word.get_mut(filled..).unwrap_or_default();
            match self.0.read(rest)? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => filled += read,
            }
        }
        Ok(Some(u64::from_le_bytes(word)))
    }
}

#[cfg(test)]
mod tests;
