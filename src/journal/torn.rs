//! What an interrupted write leaves, told from damage, where no whole block stands behind it.
//!
//! A place at which no whole block stands enters; the damage leaves, or nothing when it may be an interrupted write, which
//! nobody was told is durable. Room for blocks is zeros, durable before they are written. So a write that was interrupted
//! leaves zeros where its bytes did not arrive, in pieces of no less than [`WORD`] bytes, and never a shorter file. What
//! lacks nothing, or one bit only, did arrive, and was changed later. Rejected: to cut off everything that does not fit
//! at the end; a bit that rots in the last block would take acknowledged facts with it.

use super::block::{HEADER_LEN, Header};
use super::bytes::FormatError;
use super::segment::Window;
use crate::ports::JournalError;

/// The smallest piece in which memory and disks take bytes: a torn write lacks whole ones.
const WORD: usize = 8;

/// CRC32C, reflected.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// What is wrong with the end of a journal.
pub(super) struct Changed {
    /// The header of the block that was changed, where it can still be read.
    pub(super) header: Option<Header>,
    pub(super) reason: FormatError,
}

/// Judges what stands at `at`, where no whole block does; bytes from `limit` on do not exist.
pub(super) fn changed(window: &mut Window, at: u64, limit: u64) -> Result<Option<Changed>, JournalError> {
    let head = window.bytes(at, HEADER_LEN, limit)?;
    if is_zero(head) {
        return Ok(None);
    }
    let is_cut = head.len() < HEADER_LEN;
    let (header, is_flipped) = match Header::parse(head) {
        Ok(header) => (Some(header), false),
        Err(_) => (with_a_bit_flipped_back(head), true),
    };
    let Some(known) = header else {
        let reason = match is_cut {
            true => Some("the file ends inside a header"),
            false if head_has_hole(head) => None,
            false => Some("a block has no header, and lacks nothing else"),
        };
        return Ok(reason.map(|reason| Changed {
            header,
            reason: FormatError::Unfit(reason),
        }));
    };
    let bytes = window.bytes(at, known.block_len(), limit)?;
    let body = bytes.get(HEADER_LEN..).unwrap_or_default();
    let reason = if bytes.len() < known.block_len() {
        Some("the file ends inside a block")
    } else if is_flipped && known.fits_body(body) {
        Some("a bit of a header was flipped")
    } else if !is_flipped && is_one_bit_off(body, known.body_crc) {
        Some("a bit of a block was flipped")
    } else if body.chunks(WORD).any(is_zero) || (is_flipped && head_has_hole(bytes)) {
        None
    } else {
        Some("a block was changed, and lacks nothing")
    };
    Ok(reason.map(|reason| Changed {
        header,
        reason: FormatError::Unfit(reason),
    }))
}

fn is_zero(word: &[u8]) -> bool {
    word.iter().all(|byte| *byte == 0)
}

/// Whether a header lacks a word. Words of a header that may be zero in themselves make some damage of several bits look
/// like an interrupted write.
fn head_has_hole(bytes: &[u8]) -> bool {
    bytes.get(..HEADER_LEN).unwrap_or(bytes).chunks(WORD).any(is_zero)
}

/// The header that these bytes were before one of their bits was flipped; `None` where there is none such.
fn with_a_bit_flipped_back(head: &[u8]) -> Option<Header> {
    let mut tried = head.to_vec();
    (0..head.len() * 8).find_map(|bit| {
        let flip = |bytes: &mut [u8]| bytes.get_mut(bit / 8).map(|byte| *byte ^= 1 << (bit % 8));
        flip(&mut tried)?;
        let found = Header::parse(&tried).ok();
        flip(&mut tried)?;
        found
    })
}

/// Whether flipping one bit of `body` gives it this checksum. The checksum of a body with one bit flipped differs by a word
/// that depends on the bit's distance from the end only, so that the difference found is followed backwards through the
/// body until it is that of a single byte with a single bit.
fn is_one_bit_off(body: &[u8], crc: u32) -> bool {
    let mut difference = crc32c::crc32c(body) ^ crc;
    let single: Vec<u32> = (0..8).map(|bit| advanced(1 << bit)).collect();
    for _ in body {
        if single.contains(&difference) {
            return true;
        }
        difference = gone_back(difference);
    }
    false
}

/// The register after one more zero byte.
fn advanced(register: u32) -> u32 {
    (0..8).fold(register, |register, _| {
        (register >> 1) ^ if register & 1 == 1 { POLYNOMIAL } else { 0 }
    })
}

/// The register before the last zero byte: the inverse of [`advanced`]. The polynomial's highest bit tells whether it was
/// taken off.
fn gone_back(register: u32) -> u32 {
    (0..8).fold(register, |register, _| match register >> 31 {
        1 => ((register ^ POLYNOMIAL) << 1) | 1,
        _ => register << 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_single_bit_is_found_and_two_are_not_taken_for_one() {
        let body: Vec<u8> = (0..200_u8).map(|n| n.wrapping_mul(37)).collect();
        let crc = crc32c::crc32c(&body);
        assert!(!is_one_bit_off(&body, crc));
        for bit in 0..body.len() * 8 {
            let mut flipped = body.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(is_one_bit_off(&flipped, crc), "bit {bit}");
            flipped[(bit / 8 + 7) % body.len()] ^= 2;
            assert!(!is_one_bit_off(&flipped, crc), "bit {bit} and another one");
        }
    }

    #[test]
    fn going_back_undoes_a_step() {
        for register in [1, 0x8000_0000, 0xdead_beef, POLYNOMIAL, u32::MAX] {
            assert_eq!(gone_back(advanced(register)), register);
        }
    }
}
