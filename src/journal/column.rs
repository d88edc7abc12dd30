//! Numeric columns: as few bytes as their numbers need, quickly.
//!
//! A slice of numbers enters, a section leaves, and back, bit for bit (NaN payloads and -0.0 included). A section is
//! one byte of encoding, then, unless the column is empty, the length of the payload as a varint, and the payload:
//!
//! | encoding | payload |
//! |---|---|
//! | 0 empty | none, and no length |
//! | 1 constant | one word: every row has it |
//! | 2 small | a word a row |
//! | 3 pco | a standalone pco file (<https://github.com/pcodec/pcodec>) of the column's type |
//! | 4 decimal | `f64`s with few decimals, see [`decimal`] |
//! | 5 forward | `i64`s that mostly go forward, see [`forward`] |
//!
//! A word is a varint: of a whole number the zigzag difference to the row before (to 0 for the first), of an `f64` its
//! bits with the bytes in reverse order, so that short decimal numbers are short. The number of rows stands in the
//! block's header; nothing here believes a length from the payload.

mod decimal;
mod forward;

use pco::ChunkConfig;
use pco::data_types::Number;
use pco::standalone::{simple_compress, simple_decompress_into};

use super::bytes::{Cursor, FormatError, put_varint, unzigzag, zigzag};
use crate::domain::column::{self, Column};

const EMPTY: u8 = 0;
const CONSTANT: u8 = 1;
const SMALL: u8 = 2;
const PCO: u8 = 3;
const DECIMAL: u8 = 4;
const FORWARD: u8 = 5;

/// Columns shorter than this are written as words: pco needs some microseconds and a hundred bytes before it gains anything.
const PCO_ROWS_MIN: usize = 64;

/// A number that a column may hold.
pub(super) trait Cell: Number + Default {
    /// The word that stands for it after `before`.
    fn word(self, before: Self) -> u64;
    /// The number for which a word stands after `before`; `None` when it is out of range.
    fn of_word(word: u64, before: Self) -> Option<Self>;

    /// Appends the payload of the encoding that is this type's own, if these numbers have that form.
    fn put_own(_cells: &[Self], _configs: &Configs, _out: &mut Vec<u8>) -> Result<Option<u8>, FormatError> {
        Ok(None)
    }

    /// Reads a payload of that encoding; `None` for any other one.
    fn read_own(_encoding: u8, _payload: &[u8], _rows: usize) -> Option<Result<Vec<Self>, FormatError>> {
        None
    }
}

/// How pco packs a column.
#[derive(Debug, Clone)]
pub(super) struct Configs {
    /// Numbers as they are.
    pub(super) plain: ChunkConfig,
    /// The small whole numbers that the encodings of a type make of them.
    pub(super) small: ChunkConfig,
}

impl Cell for i64 {
    fn word(self, before: Self) -> u64 {
        zigzag(self.wrapping_sub(before))
    }

    fn of_word(word: u64, before: Self) -> Option<Self> {
        Some(before.wrapping_add(unzigzag(word)))
    }

    fn put_own(cells: &[Self], configs: &Configs, out: &mut Vec<u8>) -> Result<Option<u8>, FormatError> {
        Ok(forward::put(cells, &configs.small, out)?.then_some(FORWARD))
    }

    fn read_own(encoding: u8, payload: &[u8], rows: usize) -> Option<Result<Vec<Self>, FormatError>> {
        (encoding == FORWARD).then(|| forward::read(payload, rows))
    }
}

impl Cell for u32 {
    fn word(self, before: Self) -> u64 {
        zigzag(i64::from(self) - i64::from(before))
    }

    fn of_word(word: u64, before: Self) -> Option<Self> {
        i64::from(before)
            .checked_add(unzigzag(word))
            .and_then(|sum| Self::try_from(sum).ok())
    }
}

impl Cell for u8 {
    fn word(self, before: Self) -> u64 {
        zigzag(i64::from(self) - i64::from(before))
    }

    fn of_word(word: u64, before: Self) -> Option<Self> {
        i64::from(before)
            .checked_add(unzigzag(word))
            .and_then(|sum| Self::try_from(sum).ok())
    }
}

impl Cell for f64 {
    fn word(self, _before: Self) -> u64 {
        self.to_bits().swap_bytes()
    }

    fn of_word(word: u64, _before: Self) -> Option<Self> {
        Some(Self::from_bits(word.swap_bytes()))
    }

    fn put_own(cells: &[Self], configs: &Configs, out: &mut Vec<u8>) -> Result<Option<u8>, FormatError> {
        Ok(decimal::put(cells, &configs.small, out)?.then_some(DECIMAL))
    }

    fn read_own(encoding: u8, payload: &[u8], rows: usize) -> Option<Result<Vec<Self>, FormatError>> {
        (encoding == DECIMAL).then(|| decimal::read(payload, rows))
    }
}

/// Appends a column as a section, and tells the oldest version of blocks that knows its encoding.
pub(super) fn encode<C: Cell>(cells: &[C], configs: &Configs, out: &mut Vec<u8>) -> Result<u16, FormatError> {
    let Some(&first) = cells.first() else {
        out.push(EMPTY);
        return Ok(1);
    };
    let whole = first.word(C::default());
    if cells.iter().all(|cell| cell.word(C::default()) == whole) {
        put_words(CONSTANT, &[first], out);
    } else if cells.len() < PCO_ROWS_MIN {
        put_words(SMALL, cells, out);
    } else {
        let mut payload = Vec::new();
        if let Some(own) = C::put_own(cells, configs, &mut payload)? {
            put_section(own, &payload, out);
            return Ok(3);
        }
        let packed = simple_compress(cells, &configs.plain);
        let packed = packed.map_err(|_| FormatError::Unfit("pco refused a column"))?;
        put_section(PCO, &packed, out);
    }
    Ok(1)
}

/// Appends a column as a section, as [`encode`] would its rows.
pub(super) fn encode_column<C: Cell + column::Number>(
    column: &Column<C>,
    configs: &Configs,
    out: &mut Vec<u8>,
) -> Result<u16, FormatError> {
    if let Some(same) = column.same() {
        put_words(CONSTANT, &[same], out);
        return Ok(1);
    }
    encode(&column.iter().collect::<Vec<_>>(), configs, out)
}

/// Some rows of so many, here and there: what repeats itself does not look like all there is.
fn some_rows(rows: usize, count: usize) -> impl Iterator<Item = usize> {
    /// The golden ratio of 2^32: places that are far from all before.
    const APART: u64 = 0x9E37_79B9;
    let place = move |number: u64| (u64::from((number * APART) as u32) * rows as u64) >> 32;
    (0..count as u64).map(move |number| place(number) as usize)
}

fn put_words<C: Cell>(encoding: u8, cells: &[C], out: &mut Vec<u8>) {
    let mut payload = Vec::with_capacity(cells.len() * 4);
    let mut before = C::default();
    for &cell in cells {
        put_varint(&mut payload, cell.word(before));
        before = cell;
    }
    put_section(encoding, &payload, out);
}

/// Appends encoding, length and payload.
pub(super) fn put_section(encoding: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(encoding);
    put_varint(out, payload.len() as u64);
    out.extend_from_slice(payload);
}

/// A section before it is unpacked.
enum Section<'a, C> {
    /// Every row says this.
    Same(C),
    /// An encoding that tells each row, and its payload.
    Each(u8, &'a [u8]),
}

fn section<'a, C: Cell>(cursor: &mut Cursor<'a>, rows: usize) -> Result<Section<'a, C>, FormatError> {
    let encoding = cursor.byte()?;
    if encoding == EMPTY {
        return match rows {
            0 => Ok(Section::Each(SMALL, &[])),
            _ => Err(FormatError::Unfit("a column is empty and the block is not")),
        };
    }
    let len = cursor.count()?;
    let payload = cursor.take(len)?;
    if encoding == CONSTANT {
        return constant(payload).map(Section::Same);
    }
    Ok(Section::Each(encoding, payload))
}

fn each<C: Cell>((encoding, payload): (u8, &[u8]), rows: usize) -> Result<Vec<C>, FormatError> {
    match encoding {
        SMALL => words(payload, rows),
        PCO => unpack(payload, rows),
        _ => {
            C::read_own(encoding, payload, rows).unwrap_or(Err(FormatError::Unfit("a column has an unknown encoding")))
        }
    }
}

/// Reads a section of a column of `rows` numbers.
pub(super) fn decode<C: Cell>(cursor: &mut Cursor<'_>, rows: usize) -> Result<Vec<C>, FormatError> {
    match section(cursor, rows)? {
        Section::Same(same) => Ok(vec![same; rows]),
        Section::Each(encoding, payload) => each((encoding, payload), rows),
    }
}

/// The same, for a column of which neighbours are mostly the same.
pub(super) fn decode_column<C: Cell + column::Number>(
    cursor: &mut Cursor<'_>,
    rows: usize,
) -> Result<Column<C>, FormatError> {
    match section(cursor, rows)? {
        Section::Same(same) => Ok(Column::of_same(same, rows)),
        Section::Each(encoding, payload) => Ok(each((encoding, payload), rows)?.into()),
    }
}

fn constant<C: Cell>(payload: &[u8]) -> Result<C, FormatError> {
    words(payload, 1)?
        .first()
        .copied()
        .ok_or(FormatError::Unfit("a constant is missing"))
}

fn words<C: Cell>(payload: &[u8], rows: usize) -> Result<Vec<C>, FormatError> {
    if rows > payload.len() {
        return Err(FormatError::Unfit("a column has fewer words than the block has rows"));
    }
    let mut cursor = Cursor::new(payload);
    let mut cells = Vec::with_capacity(rows);
    let mut before = C::default();
    for _ in 0..rows {
        before = C::of_word(cursor.varint()?, before).ok_or(FormatError::Unfit("a number is out of range"))?;
        cells.push(before);
    }
    match cursor.rest() {
        [] => Ok(cells),
        _ => Err(FormatError::Unfit("a column has more words than the block has rows")),
    }
}

/// Straight into the column: its length is the header's, so a lying payload cannot make it grow.
fn unpack<C: Number + Default>(payload: &[u8], rows: usize) -> Result<Vec<C>, FormatError> {
    let mut cells = vec![C::default(); rows];
    let progress =
        simple_decompress_into(payload, &mut cells).map_err(|_| FormatError::Unfit("a pco column is unreadable"))?;
    if progress.n_processed == rows && progress.finished {
        Ok(cells)
    } else {
        Err(FormatError::Unfit(
            "a pco column has another number of rows than the block",
        ))
    }
}
