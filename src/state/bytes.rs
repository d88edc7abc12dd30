//! Fields as bytes: fixed-width little-endian numbers, texts with their length before them.
//!
//! Values enter a `Vec<u8>` and leave through [`Reader`], which answers `None` where bytes are missing or wrong and
//! never reads past the end.

/// Appends the length and the bytes of a text.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

/// Appends 1 and the value, or 0.
pub(super) fn put_optional<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

/// Appends a float, bit for bit.
pub(super) fn put_f64(out: &mut Vec<u8>, value: f64) {
    out.extend(value.to_le_bytes());
}

/// Takes fields off the front of some bytes.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads these bytes from their beginning.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// True when every byte was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// All that was not read yet.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub(super) fn f64(&mut self) -> Option<f64> {
        self.array().map(f64::from_le_bytes)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let len = self.u32()? as usize;
        std::str::from_utf8(self.take(len)?).ok()
    }

    /// The outer `None` says that the bytes are wrong, the inner one that there is no value.
    #[expect(
        clippy::option_option,
        reason = "bytes that end too early and a value that is absent are two answers"
    )]
    pub(super) fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.u8()? {
            0 => Some(None),
            1 => read(self).map(Some),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_and_missing_bytes_are_noticed() {
        let mut out = vec![7];
        put_text(&mut out, "gr\u{f6}\u{df}e");
        put_optional(&mut out, Some(1.5), put_f64);
        put_optional(&mut out, None, put_f64);
        for cut in 0..out.len() {
            let mut reader = Reader::new(&out[..cut]);
            let whole = reader.u8().is_some()
                && reader.text().is_some()
                && reader.optional(Reader::f64).is_some()
                && reader.optional(Reader::f64).is_some();
            assert!(!whole, "{cut} of {} bytes read as whole", out.len());
        }
        let mut reader = Reader::new(&out);
        assert_eq!((reader.u8(), reader.text()), (Some(7), Some("gr\u{f6}\u{df}e")));
        assert_eq!(reader.optional(Reader::f64), Some(Some(1.5)));
        assert_eq!(reader.optional(Reader::f64), Some(None));
        assert!(reader.is_at_end());
    }
}
