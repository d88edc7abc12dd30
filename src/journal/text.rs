//! Sections of text: names, keys, words of people, and the few facts that are not measurements.
//!
//! Numbers and strings enter a [`TextWriter`] one after the other and come back from a [`TextReader`] in the same
//! order. Numbers and lengths of strings stand in one run of bytes ("control"), the strings' UTF-8 in another, because
//! each compresses better alone. A section is one byte of encoding, then, unless empty, the payload's length as a varint,
//! and the payload:
//!
//! | encoding | payload |
//! |---|---|
//! | 0 empty | none, and no length: both runs are empty |
//! | 1 plain | varint length of control, control, text |
//! | 2 zstd | varint length of the plain payload, then it as one zstd frame |
//!
//! Nothing here knows what the strings mean.

use std::borrow::Cow;

use super::bytes::{Cursor, FormatError, put_varint, unzigzag, zigzag};
use super::column::put_section;

const EMPTY: u8 = 0;
const PLAIN: u8 = 1;
const ZSTD: u8 = 2;

/// Shorter payloads are kept plain: a zstd frame costs more time than the bytes are worth.
const ZSTD_LEN_MIN: usize = 128;

/// No zstd frame unfolds into more bytes than this times its own: a block of 128 KiB takes at least 4 bytes.
const ZSTD_RATIO_MAX: usize = 1 << 15;

/// Bytes that one section may unfold into: far above what one commit holds, far below what memory holds.
pub(super) const TEXT_LEN_MAX: usize = 256 << 20;

/// Gathers a section.
#[derive(Debug, Default)]
pub(super) struct TextWriter {
    control: Vec<u8>,
    text: Vec<u8>,
}

impl TextWriter {
    pub(super) fn number(&mut self, value: u64) {
        put_varint(&mut self.control, value);
    }

    pub(super) fn signed(&mut self, value: i64) {
        self.number(zigzag(value));
    }

    /// Bits in reverse byte order, so that short decimal numbers are short.
    pub(super) fn float(&mut self, value: f64) {
        self.number(value.to_bits().swap_bytes());
    }

    pub(super) fn byte(&mut self, value: u8) {
        self.control.push(value);
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.control.extend_from_slice(value);
    }

    pub(super) fn text(&mut self, value: &str) {
        self.number(value.len() as u64);
        self.text.extend_from_slice(value.as_bytes());
    }

    /// Appends the section and forgets what was gathered.
    pub(super) fn finish(
        &mut self,
        zstd: &mut zstd::bulk::Compressor<'static>,
        out: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        if self.control.is_empty() && self.text.is_empty() {
            out.push(EMPTY);
            return Ok(());
        }
        let mut plain = Vec::with_capacity(self.control.len() + self.text.len() + 10);
        put_varint(&mut plain, self.control.len() as u64);
        plain.append(&mut self.control);
        plain.append(&mut self.text);
        if plain.len() > TEXT_LEN_MAX {
            return Err(FormatError::Unfit(
                "the texts of a block are too long: commit fewer facts at once",
            ));
        }
        if plain.len() < ZSTD_LEN_MIN {
            put_section(PLAIN, &plain, out);
        } else {
            put_compressed(&plain, zstd, out)?;
        }
        Ok(())
    }
}

fn put_compressed(
    plain: &[u8],
    zstd: &mut zstd::bulk::Compressor<'static>,
    out: &mut Vec<u8>,
) -> Result<(), FormatError> {
    let frame = zstd
        .compress(plain)
        .map_err(|_| FormatError::Unfit("zstd refused a section"))?;
    let mut payload = Vec::with_capacity(frame.len() + 5);
    put_varint(&mut payload, plain.len() as u64);
    payload.extend_from_slice(&frame);
    if payload.len() < plain.len() {
        put_section(ZSTD, &payload, out);
    } else {
        put_section(PLAIN, plain, out);
    }
    Ok(())
}

/// Takes a section off the cursor and gives its plain payload.
pub(super) fn take_section<'a>(cursor: &mut Cursor<'a>) -> Result<Cow<'a, [u8]>, FormatError> {
    let encoding = cursor.byte()?;
    if encoding == EMPTY {
        return Ok(Cow::Borrowed(&[]));
    }
    let len = cursor.count()?;
    let payload = cursor.take(len)?;
    match encoding {
        PLAIN => Ok(Cow::Borrowed(payload)),
        ZSTD => Ok(Cow::Owned(unfold(payload)?)),
        _ => Err(FormatError::Unfit("a text section has an unknown encoding")),
    }
}

fn unfold(payload: &[u8]) -> Result<Vec<u8>, FormatError> {
    let mut cursor = Cursor::new(payload);
    let len = usize::try_from(cursor.varint()?).unwrap_or(usize::MAX);
    let frame = cursor.rest();
    if len > TEXT_LEN_MAX || len > frame.len().saturating_mul(ZSTD_RATIO_MAX) {
        return Err(FormatError::Unfit("a text section claims to be longer than it can be"));
    }
    let plain = zstd::bulk::decompress(frame, len).map_err(|_| FormatError::Unfit("a zstd frame is unreadable"))?;
    if plain.len() == len {
        Ok(plain)
    } else {
        Err(FormatError::Unfit("a zstd frame has another length than was written"))
    }
}

/// Reads a section back.
#[derive(Debug)]
pub(super) struct TextReader<'a> {
    control: Cursor<'a>,
    text: &'a str,
}

impl<'a> TextReader<'a> {
    /// Over a plain payload.
    pub(super) fn new(plain: &'a [u8]) -> Result<Self, FormatError> {
        let mut cursor = Cursor::new(plain);
        if plain.is_empty() {
            return Ok(Self {
                control: cursor,
                text: "",
            });
        }
        let len = cursor.count()?;
        let control = Cursor::new(cursor.take(len)?);
        let text = std::str::from_utf8(cursor.rest()).map_err(|_| FormatError::Unfit("a text is not UTF-8"))?;
        Ok(Self { control, text })
    }

    /// True when everything was read.
    pub(super) fn is_done(&self) -> bool {
        self.control.rest().is_empty() && self.text.is_empty()
    }

    pub(super) fn number(&mut self) -> Result<u64, FormatError> {
        self.control.varint()
    }

    pub(super) fn signed(&mut self) -> Result<i64, FormatError> {
        Ok(unzigzag(self.number()?))
    }

    pub(super) fn float(&mut self) -> Result<f64, FormatError> {
        Ok(f64::from_bits(self.number()?.swap_bytes()))
    }

    pub(super) fn byte(&mut self) -> Result<u8, FormatError> {
        self.control.byte()
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        self.control.array()
    }

    /// A count of things that take at least one byte of control each.
    pub(super) fn count(&mut self) -> Result<usize, FormatError> {
        self.control.count()
    }

    pub(super) fn index(&mut self) -> Result<u32, FormatError> {
        u32::try_from(self.number()?).map_err(|_| FormatError::Unfit("an index has more than 32 bits"))
    }

    pub(super) fn text(&mut self) -> Result<&'a str, FormatError> {
        let len = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        let (head, rest) = self
            .text
            .split_at_checked(len)
            .ok_or(FormatError::Unfit("a text ends early or inside a character"))?;
        self.text = rest;
        Ok(head)
    }
}
