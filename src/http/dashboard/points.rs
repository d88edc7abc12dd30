//! Points won or lost, as pages show them.

use super::format;

/// Points with their sign, and which way they go.
pub(super) struct Points {
    pub words: String,
    pub arrow: &'static str,
    pub verdict: &'static str,
}

impl Points {
    /// Of a difference of scores, to two decimals.
    pub fn new(points: f64) -> Self {
        // What rounds to nothing has no sign: adding 0 makes -0 of it 0.
        let rounded = (points * 100.0).round() / 100.0 + 0.0;
        let (arrow, verdict) = match rounded {
            rounded if rounded > 0.0 => ("up", "better"),
            rounded if rounded < 0.0 => ("down", "worse"),
            _ => ("flat", "same"),
        };
        Self {
            words: format::signed(rounded, 1.0),
            arrow,
            verdict,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rounds_to_nothing_has_no_sign() {
        let [below, above] = [-0.001, 0.001].map(Points::new);
        assert_eq!(below.words, above.words);
        assert_eq!((below.arrow, below.verdict), ("flat", "same"));
        assert_eq!(Points::new(-0.006).verdict, "worse");
    }
}
