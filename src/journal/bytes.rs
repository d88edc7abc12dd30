//! Numbers as bytes: little-endian words and variable-length integers, in and out.
//!
//! A byte slice enters a [`Cursor`], checked numbers and slices leave; nothing is read beyond the end, and no length
//! is believed before the bytes are there. Nothing here knows what the numbers mean.

/// Bytes that do not say what a block must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The bytes break a rule of the format.
    #[error("{0}")]
    Unfit(&'static str),
    /// Written by a later kpid.
    #[error("format version {found} is not known to this kpid: use the kpid that wrote it, or a later one")]
    Version {
        /// The version found.
        found: u16,
    },
}

/// Reads forward through bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `len` bytes.
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], FormatError> {
        let (head, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(FormatError::Unfit("bytes end early"))?;
        self.rest = rest;
        Ok(head)
    }

    /// The next `N` bytes as an array.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(FormatError::Unfit("bytes end early"))?;
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn byte(&mut self) -> Result<u8, FormatError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// An unsigned LEB128 number of at most 64 bits.
    pub(super) fn varint(&mut self) -> Result<u64, FormatError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(FormatError::Unfit("a number has more than 64 bits"))
    }

    /// A length that the remaining bytes can hold when each thing counted takes at least one byte.
    pub(super) fn count(&mut self) -> Result<usize, FormatError> {
        let count = usize::try_from(self.varint()?).map_err(|_| FormatError::Unfit("a count is too large"))?;
        if count <= self.rest.len() {
            Ok(count)
        } else {
            Err(FormatError::Unfit("a count is larger than the bytes that follow"))
        }
    }
}

/// Appends an unsigned LEB128 number.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Signed to unsigned, so that small numbers of both signs are short.
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub(super) fn unzigzag(word: u64) -> i64 {
    ((word >> 1) as i64) ^ -((word & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_were() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            assert_eq!(Cursor::new(&bytes).varint(), Ok(value));
        }
        for value in [0, 1, -1, i64::MAX, i64::MIN, 42] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
    }

    #[test]
    fn a_number_without_end_or_beyond_64_bits_is_refused() {
        assert!(Cursor::new(&[0x80, 0x80]).varint().is_err());
        assert!(Cursor::new(&[0xff; 9]).varint().is_err());
        let mut large = vec![0xff; 9];
        large.push(0x02);
        assert!(Cursor::new(&large).varint().is_err());
    }

    #[test]
    fn a_count_beyond_the_bytes_is_refused() {
        assert_eq!(Cursor::new(&[2, 0, 0]).count(), Ok(2));
        assert!(Cursor::new(&[3, 0, 0]).count().is_err());
    }
}
