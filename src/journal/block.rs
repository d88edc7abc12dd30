//! One block as bytes: header, columns, sections; encoded by the one appender, decoded by every reader.
//!
//! A [`Block`] and the hash of the block before enter, bytes and the block's own hash leave; and back. A block does not
//! know where it is kept. Rejected: offsets of the columns in the header; a reader that decodes needs them all, and
//! one that skips needs none.

use pco::{ChunkConfig, DeltaSpec, ModeSpec, PagingSpec};

use super::bytes::{Cursor, FormatError};
use super::column::Configs;
use super::text::{TextReader, TextWriter, take_section};
use super::{column, facts};
use crate::domain::column::Column;
use crate::domain::fact::{Block, Fact, Measurements, shape};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;

/// BLAKE3 of a block's header and body.
pub(super) type Hash = [u8; 32];

/// First bytes of a block. `0xFF` occurs in no UTF-8 text, so that no text that somebody sends can look like a block.
pub(super) const MAGIC: [u8; 4] = *b"\xFFKPJ";

/// The newest format that this kpid writes and reads. A block is of the oldest version that can say what it says, so that
/// an older kpid reads all it can.
pub(super) const FORMAT_VERSION: u16 = 3;

/// Bytes of a header.
pub(super) const HEADER_LEN: usize = 88;

/// Bytes of a header that its own checksum covers.
const HEADER_CRC_AT: usize = HEADER_LEN - 4;

/// Blocks begin at multiples of this and their lengths are multiples of it.
pub(super) const ALIGN: usize = 8;

/// Measurements in one block: a commit of a million is far beyond what helps, and bounds what a reader must allocate.
pub(super) const ROWS_MAX: usize = 1 << 20;

/// Bytes of a body: a megarow of incompressible columns and texts fits; a forged length cannot exhaust memory.
pub(super) const BODY_LEN_MAX: usize = 512 << 20;

/// The level at which pco writes numbers of series, and small whole numbers of all kinds: these gain little at a higher one,
/// where it takes three times as long to read them.
const SMALL_LEVEL: usize = 1;
/// Of instants that go no way: those of ten million measurements take 2.19 bytes each at level 2, 1.46 at this one, and 1.44 at
/// level 8, for 7 ns more.
const INSTANTS_LEVEL: usize = 6;
/// Of values that are no decimals.
const VALUES_LEVEL: usize = 1;

/// Numbers that pco looks at together. In columns of 65,536 it sorts for a third longer to save one byte in five hundred.
const CHUNK_ROWS: usize = 1 << 14;

/// What a block says before its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u16,
    pub(super) first: Sequence,
    pub(super) facts: u32,
    pub(super) rows: u32,
    pub(super) recorded_at: Instant,
    pub(super) series_base: u32,
    pub(super) new_series: u32,
    pub(super) body_len: u32,
    pub(super) body_crc: u32,
    pub(super) previous: Hash,
}

impl Header {
    /// Reads a header and checks its checksum; the version is judged by [`is_known`].
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut cursor = Cursor::new(bytes);
        let covered = cursor.take(HEADER_CRC_AT)?;
        let crc = u32::from_le_bytes(cursor.array()?);
        let mut cursor = Cursor::new(covered);
        if cursor.array()? != MAGIC {
            return Err(FormatError::Unfit("no block begins here"));
        }
        if crc32c::crc32c(covered) != crc {
            return Err(FormatError::Unfit("the checksum of a header does not fit"));
        }
        let header = Self::fields(&mut cursor)?;
        let len_fits = header.body_len as usize <= BODY_LEN_MAX && (header.body_len as usize).is_multiple_of(ALIGN);
        if !len_fits || header.rows as usize > ROWS_MAX || header.rows > header.facts {
            return Err(FormatError::Unfit("a header has impossible lengths"));
        }
        // A forged one could make whoever counts its facts run over the last number there is.
        let has_sequences = header.first > Sequence::ZERO && header.next() < Sequence(u64::MAX);
        if has_sequences {
            Ok(header)
        } else {
            Err(FormatError::Unfit("a header has impossible sequences"))
        }
    }

    /// The fields behind the magic, in order.
    fn fields(cursor: &mut Cursor<'_>) -> Result<Self, FormatError> {
        let version = u16::from_le_bytes(cursor.array()?);
        let _reserved: [u8; 2] = cursor.array()?;
        Ok(Self {
            version,
            first: Sequence(u64::from_le_bytes(cursor.array()?)),
            facts: u32::from_le_bytes(cursor.array()?),
            rows: u32::from_le_bytes(cursor.array()?),
            recorded_at: Instant(i64::from_le_bytes(cursor.array()?)),
            series_base: u32::from_le_bytes(cursor.array()?),
            new_series: u32::from_le_bytes(cursor.array()?),
            body_len: u32::from_le_bytes(cursor.array()?),
            body_crc: u32::from_le_bytes(cursor.array()?),
            previous: cursor.array()?,
        })
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_LEN);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.first.0.to_le_bytes());
        out.extend_from_slice(&self.facts.to_le_bytes());
        out.extend_from_slice(&self.rows.to_le_bytes());
        out.extend_from_slice(&self.recorded_at.0.to_le_bytes());
        out.extend_from_slice(&self.series_base.to_le_bytes());
        out.extend_from_slice(&self.new_series.to_le_bytes());
        out.extend_from_slice(&self.body_len.to_le_bytes());
        out.extend_from_slice(&self.body_crc.to_le_bytes());
        out.extend_from_slice(&self.previous);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        out
    }

    /// Bytes of header and body.
    pub(super) fn block_len(&self) -> usize {
        HEADER_LEN + self.body_len as usize
    }

    /// Sequence of the fact after the block.
    pub(super) fn next(&self) -> Sequence {
        Sequence(self.first.0.saturating_add(u64::from(self.facts)))
    }

    /// Whether the body is the one that was written.
    pub(super) fn fits_body(&self, body: &[u8]) -> bool {
        crc32c::crc32c(body) == self.body_crc
    }
}

/// BLAKE3 of a block's bytes.
pub(super) fn hash_of(bytes: &[u8]) -> Hash {
    *blake3::hash(bytes).as_bytes()
}

/// Turns blocks into bytes. Keeps its compressor between blocks: making one costs more than a small block.
pub(super) struct BlockEncoder {
    zstd: zstd::bulk::Compressor<'static>,
    series: Configs,
    instants: Configs,
    values: Configs,
}

impl BlockEncoder {
    pub(super) fn new() -> Result<Self, FormatError> {
        let chunks = PagingSpec::EqualPagesUpTo(CHUNK_ROWS);
        let packed = |level| {
            ChunkConfig::default()
                .with_compression_level(level)
                .with_paging_spec(chunks.clone())
        };
        let configs = |plain: ChunkConfig| Configs {
            plain,
            small: packed(SMALL_LEVEL),
        };
        Ok(Self {
            zstd: zstd::bulk::Compressor::new(1).map_err(|_| FormatError::Unfit("zstd has no memory"))?,
            series: configs(
                packed(SMALL_LEVEL)
                    .with_mode_spec(ModeSpec::Classic)
                    .with_enable_8_bit(true),
            ),
            instants: configs(packed(INSTANTS_LEVEL).with_delta_spec(DeltaSpec::TryConsecutive(1))),
            values: configs(packed(VALUES_LEVEL)),
        })
    }

    /// Replaces `out` by the block's bytes and gives their hash. On an error `out` is of no use.
    pub(super) fn encode(&mut self, block: &Block, previous: &Hash, out: &mut Vec<u8>) -> Result<Hash, FormatError> {
        check(block)?;
        out.clear();
        out.resize(HEADER_LEN, 0);
        let version = self.body(block, out)?;
        out.resize(out.len().next_multiple_of(ALIGN), 0);
        let body = out.get(HEADER_LEN..).unwrap_or_default();
        if body.len() > BODY_LEN_MAX {
            return Err(FormatError::Unfit("the block is too long: commit fewer facts at once"));
        }
        let header = Header {
            version,
            first: block.first,
            facts: u32::try_from(block.len()).map_err(|_| FormatError::Unfit("the block has too many facts"))?,
            rows: block.measurements.len() as u32,
            recorded_at: block.recorded_at,
            series_base: block.series_base,
            new_series: block.new_series.len() as u32,
            body_len: body.len() as u32,
            body_crc: crc32c::crc32c(body),
            previous: *previous,
        };
        if let Some(head) = out.get_mut(..HEADER_LEN) {
            head.copy_from_slice(&header.bytes());
        }
        Ok(hash_of(out))
    }

    /// The order of the sections is part of the format. Tells the oldest version that knows everything in the body.
    fn body(&mut self, block: &Block, out: &mut Vec<u8>) -> Result<u16, FormatError> {
        let rows = &block.measurements;
        let recorded_at = block.recorded_at.0;
        let waited = rows.received_at.map(|at| recorded_at.wrapping_sub(at));
        let mut text = TextWriter::default();
        facts::put_positions(&block.positions, &mut text);
        text.finish(&mut self.zstd, out)?;
        facts::put_series(&block.new_series, &mut text);
        text.finish(&mut self.zstd, out)?;
        let versions = [
            version_of(&block.others),
            column::encode(&rows.series, &self.series, out)?,
            column::encode(&rows.observed_at, &self.instants, out)?,
            column::encode_column(&waited, &self.instants, out)?,
            column::encode_column(&rows.shape, &self.series, out)?,
            column::encode(&rows.value, &self.values, out)?,
            column::encode_column(&rows.second, &self.values, out)?,
        ];
        facts::put_words(&rows.words, &mut text);
        text.finish(&mut self.zstd, out)?;
        facts::put_extras(&rows.extras, &mut text);
        text.finish(&mut self.zstd, out)?;
        facts::put_others(&block.others, &mut text);
        text.finish(&mut self.zstd, out)?;
        Ok(versions.into_iter().fold(1, u16::max))
    }
}

/// The oldest version that knows these facts: version 2 knows the base that a trim names.
fn version_of(others: &[(u32, Fact)]) -> u16 {
    let has_base = |fact: &Fact| matches!(fact, Fact::HistoryTrimmed { base: Some(_), .. });
    if others.iter().any(|(_, fact)| has_base(fact)) {
        2
    } else {
        1
    }
}

/// Reads one block, header and body, as it stands in a segment. Where it belongs is not known here: the chain is the
/// business of whoever reads more than one.
pub fn decode_block(bytes: &[u8]) -> Result<Block, FormatError> {
    let header = Header::parse(bytes)?;
    let body = bytes.get(HEADER_LEN..header.block_len());
    match body.filter(|body| header.fits_body(body)) {
        Some(body) => decode_body(&header, body),
        None => Err(FormatError::Unfit("a block is not whole")),
    }
}

/// Whether this kpid can read a version.
pub(super) fn is_known(version: u16) -> bool {
    (1..=FORMAT_VERSION).contains(&version)
}

/// Reads a body whose checksum fits. This is the one place where an older format is turned into today's blocks
/// ("upcast"): one arm a version, so that nothing behind it knows that there ever was another.
pub(super) fn decode_body(header: &Header, body: &[u8]) -> Result<Block, FormatError> {
    match header.version {
        // Version 2 has one more kind of fact, version 3 has two more encodings of a column; the sections are the same.
        1..=FORMAT_VERSION => decode_body_v1(header, body),
        found => Err(FormatError::Version { found }),
    }
}

/// A body of version 1.
fn decode_body_v1(header: &Header, body: &[u8]) -> Result<Block, FormatError> {
    let mut cursor = Cursor::new(body);
    let positions = section(&mut cursor, facts::positions)?;
    let new_series = section(&mut cursor, facts::series)?;
    let measurements = measurements(header, &mut cursor)?;
    let others = section(&mut cursor, facts::others)?;
    if cursor.rest().len() >= ALIGN || cursor.rest().iter().any(|byte| *byte != 0) {
        return Err(FormatError::Unfit("there is something behind the last section"));
    }
    let block = Block {
        first: header.first,
        recorded_at: header.recorded_at,
        positions,
        series_base: header.series_base,
        new_series,
        measurements,
        others,
    };
    check(&block)?;
    if block.len() == u64::from(header.facts) && block.new_series.len() == header.new_series as usize {
        Ok(block)
    } else {
        Err(FormatError::Unfit("the counts of a header and its body differ"))
    }
}

fn measurements(header: &Header, cursor: &mut Cursor<'_>) -> Result<Measurements, FormatError> {
    let rows = header.rows as usize;
    let series = column::decode(cursor, rows)?;
    let observed_at = column::decode(cursor, rows)?;
    let waited: Column<i64> = column::decode_column(cursor, rows)?;
    let recorded_at = header.recorded_at.0;
    Ok(Measurements {
        series,
        observed_at,
        received_at: waited.map(|waited| recorded_at.wrapping_sub(waited)),
        shape: column::decode_column(cursor, rows)?,
        value: column::decode(cursor, rows)?,
        second: column::decode_column(cursor, rows)?,
        words: section(cursor, facts::words)?,
        extras: section(cursor, facts::extras)?,
    })
}

fn section<T>(
    cursor: &mut Cursor<'_>,
    read: impl FnOnce(&mut TextReader<'_>) -> Result<T, FormatError>,
) -> Result<T, FormatError> {
    let plain = take_section(cursor)?;
    let mut reader = TextReader::new(&plain)?;
    let value = read(&mut reader)?;
    if reader.is_done() {
        Ok(value)
    } else {
        Err(FormatError::Unfit("a section has more in it than was read"))
    }
}

/// What every block keeps, written or read: columns of one length, sparse rows that ascend and exist.
pub(super) fn check(block: &Block) -> Result<(), FormatError> {
    let columns = &block.measurements;
    let rows = columns.len();
    let same_len = columns.observed_at.len() == rows
        && columns.received_at.len() == rows
        && columns.shape.len() == rows
        && columns.value.len() == rows
        && columns.second.len() == rows;
    if !same_len {
        return Err(FormatError::Unfit("columns have different lengths"));
    }
    if rows > ROWS_MAX {
        return Err(FormatError::Unfit(
            "the block has too many measurements: commit fewer at once",
        ));
    }
    if columns.shape.different().any(|shape| shape > shape::WEIGHTED_WORD) {
        return Err(FormatError::Unfit("a measurement has an unknown shape"));
    }
    if !ascends(columns.words.iter().map(|(row, _)| *row), rows)
        || !ascends(columns.extras.iter().map(|(row, _)| *row), rows)
    {
        return Err(FormatError::Unfit(
            "words or extras do not ascend, or stand beside no measurement",
        ));
    }
    let places_fit = block.others.is_sorted_by_key(|(before, _)| *before)
        && block.others.last().is_none_or(|(before, _)| *before as usize <= rows);
    if places_fit {
        Ok(())
    } else {
        Err(FormatError::Unfit(
            "facts beside the measurements do not ascend, or stand behind the end",
        ))
    }
}

fn ascends(mut rows: impl Iterator<Item = u32>, len: usize) -> bool {
    let mut least = 0_u64;
    rows.all(|row| {
        let fits = u64::from(row) >= least && (row as usize) < len;
        least = u64::from(row) + 1;
        fits
    })
}
