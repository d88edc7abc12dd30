//! Texts in rows of 64-bit words, the form of checkpoints.

/// Appends a text: its length in bytes, then eight bytes a word.
pub fn put_text(out: &mut Vec<u64>, text: &str) {
    out.push(text.len() as u64);
    let word = |chunk: &[u8]| {
        chunk
            .iter()
            .enumerate()
            .fold(0, |word, (place, byte)| word | u64::from(*byte) << (8 * place))
    };
    out.extend(text.as_bytes().chunks(8).map(word));
}

/// Reads a text back; `None` where the words end early or are no text.
pub fn take_text(words: &mut dyn Iterator<Item = u64>) -> Option<String> {
    let len = usize::try_from(words.next()?).ok()?;
    let mut bytes: Vec<u8> = words.take(len.div_ceil(8)).flat_map(u64::to_le_bytes).collect();
    if bytes.len() < len {
        return None;
    }
    bytes.truncate(len);
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back() {
        let mut words = Vec::new();
        let texts = ["", "a", "12345678", "Größe: 9 µm, and more"];
        for text in texts {
            put_text(&mut words, text);
        }
        let mut words = words.into_iter();
        for text in texts {
            assert_eq!(take_text(&mut words).as_deref(), Some(text));
        }
        assert_eq!(take_text(&mut words), None);
        assert_eq!(take_text(&mut [9, 1].into_iter()), None);
    }
}
