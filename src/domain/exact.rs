//! An exact sum: finite numbers are added and taken out again in any order, and the total is rounded once.
//!
//! The total over a hundred thousand instances changes with each of them, and must be the same bits live, in a replay
//! and after a checkpoint, whichever instance changed first. A compensated sum is none of that: its last bits remember the
//! order, and a number taken out leaves its rounding errors behind. So the sum is kept whole, as a fixed-point
//! integer that covers the range of `f64` (Kulisch's long accumulator; Neal, "Fast exact summation using small and large
//! superaccumulators", 2015). Adding costs the same however many numbers there are.

/// Bits in one digit; a digit is kept in 64 bits, so that many additions fit before carries must go on.
const DIGIT_BITS: u32 = 32;
/// The lowest bit is worth 2^-1074; the greatest number takes 2,098 bits from there. The last digit has room for 2^31 of them.
const DIGITS: usize = 67;
/// An addition changes a digit by less than 2^32, and a digit holds less than 2^63.
const ADDITIONS_MAX: u32 = 1 << 30;
/// Bits of a number behind its leading one.
const FRACTION_BITS: u32 = 52;

/// A sum of finite numbers without an error.
#[derive(Debug, Clone)]
pub struct ExactSum {
    /// Lowest first, each worth 2^32 of the one before; any of them may be negative.
    digits: Box<[i64; DIGITS]>,
    /// Additions since the carries last went on.
    additions: u32,
}

impl Default for ExactSum {
    fn default() -> Self {
        Self {
            digits: Box::new([0; DIGITS]),
            additions: 0,
        }
    }
}

impl ExactSum {
    /// Adds a finite number.
    pub fn add(&mut self, number: f64) {
        self.change(number, number.is_sign_negative());
    }

    /// Takes out a finite number that was added.
    pub fn remove(&mut self, number: f64) {
        self.change(number, !number.is_sign_negative());
    }

    fn change(&mut self, number: f64, is_less: bool) {
        debug_assert!(number.is_finite(), "readings are finite or absent");
        if self.additions == ADDITIONS_MAX {
            carry(&mut self.digits);
            self.additions = 0;
        }
        self.additions += 1;
        let bits = number.to_bits();
        let exponent = bits >> FRACTION_BITS & 0x7ff;
        let fraction = bits & ((1 << FRACTION_BITS) - 1);
        // Numbers without an exponent are small multiples of the lowest bit; the others have a leading one.
        let (whole, shift) = match exponent {
            0 => (fraction, 0),
            _ => (fraction | 1 << FRACTION_BITS, exponent as u32 - 1),
        };
        let mut rest = u128::from(whole) << (shift % DIGIT_BITS);
        for digit in self.digits.iter_mut().skip((shift / DIGIT_BITS) as usize).take(3) {
            let part = (rest & 0xffff_ffff) as i64;
            *digit += if is_less { -part } else { part };
            rest >>= DIGIT_BITS;
        }
    }

    /// The sum, rounded to the nearest `f64`, of two equally near ones to the even one; infinite beyond the greatest.
    pub fn total(&self) -> f64 {
        let mut digits = *self.digits;
        carry(&mut digits);
        let is_negative = digits.last().is_some_and(|top| *top < 0);
        if is_negative {
            for digit in &mut digits {
                *digit = -*digit;
            }
            carry(&mut digits);
        }
        let size = magnitude(&digits);
        if is_negative { -size } else { size }
    }
}

/// Every digit but the last into 0 .. 2^32; the value stays.
fn carry(digits: &mut [i64; DIGITS]) {
    let mut carried = 0;
    let last = DIGITS - 1;
    for (place, digit) in digits.iter_mut().enumerate() {
        *digit += carried;
        if place < last {
            carried = *digit >> DIGIT_BITS;
            *digit &= 0xffff_ffff;
        }
    }
}

/// The nearest number to digits that are all in 0 .. 2^32.
fn magnitude(digits: &[i64; DIGITS]) -> f64 {
    let digit = |place: usize| digits.get(place).map_or(0, |digit| *digit as u128);
    let Some(top) = digits.iter().rposition(|digit| *digit != 0) else {
        return 0.0;
    };
    // The leading digits as one integer; what is below only says whether there is more.
    let base = top.saturating_sub(2);
    let leading = digit(base + 2) << (2 * DIGIT_BITS) | digit(base + 1) << DIGIT_BITS | digit(base);
    let is_more = digits.iter().take(base).any(|digit| *digit != 0);
    let surplus = (u128::BITS - leading.leading_zeros()).saturating_sub(FRACTION_BITS + 1);
    let kept = (leading >> surplus) as u64;
    let dropped = leading & ((1_u128 << surplus) - 1);
    let half = 1_u128 << surplus >> 1;
    let is_up = surplus > 0 && (dropped > half || dropped == half && (is_more || kept % 2 == 1));
    // A fraction that overflows by rounding carries into the exponent by itself, and an exponent beyond the greatest is
    // infinity.
    let exponent = base as u64 * u64::from(DIGIT_BITS) + u64::from(surplus);
    let bits = (exponent << FRACTION_BITS) + kept + u64::from(is_up);
    f64::from_bits(bits.min(f64::INFINITY.to_bits()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum_of(numbers: &[f64]) -> f64 {
        let mut sum = ExactSum::default();
        for number in numbers {
            sum.add(*number);
        }
        sum.total()
    }

    #[test]
    fn what_is_lost_in_ordinary_sums_is_kept() {
        for (numbers, total) in [
            (&[][..], 0.0),
            (&[0.1; 10], 1.0),
            (&[1e308, 1.0, -1e308], 1.0),
            (&[1e16, 1.0, 1.0, -1e16], 2.0),
            (&[f64::MAX, f64::MAX, -f64::MAX, -f64::MAX, 5e-324], 5e-324),
            (&[f64::MIN_POSITIVE, -5e-324], f64::from_bits(0xf_ffff_ffff_ffff)),
            (&[f64::MAX, f64::MAX], f64::INFINITY),
            (&[-f64::MAX, -f64::MAX], f64::NEG_INFINITY),
            (&[-0.0], 0.0),
        ] {
            assert_eq!(sum_of(numbers).to_bits(), total.to_bits(), "{numbers:?}");
        }
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        let one = 1.0_f64;
        let half = f64::EPSILON / 2.0;
        for (numbers, total) in [
            (&[one, half][..], one),
            (&[one, half, 5e-324], one.next_up()),
            (&[one.next_up(), half], one.next_up().next_up()),
            (&[one.next_up(), half, -5e-324], one.next_up()),
            (&[-one, -half, -5e-324], -one.next_up()),
            // The greatest number and less than half of its last bit stay; with half of it the sum is out of range.
            (&[f64::MAX, 2_f64.powi(969)], f64::MAX),
            (&[f64::MAX, 2_f64.powi(970)], f64::INFINITY),
        ] {
            assert_eq!(sum_of(numbers).to_bits(), total.to_bits(), "{numbers:?}");
        }
    }

    /// Numbers of every size, and many that nearly cancel.
    fn any_number() -> impl Strategy<Value = f64> {
        let by_bits = any::<u64>()
            .prop_map(f64::from_bits)
            .prop_filter("finite", |number| number.is_finite());
        prop_oneof![
            by_bits,
            -1e3..1e3,
            (-50_i32..50).prop_map(|n| f64::from(n) / 8.0),
            -1e-300..1e-300
        ]
    }

    /// Small multiples of 2^-40 summed as integers are a second opinion.
    fn near_one() -> impl Strategy<Value = i64> {
        -(1_i64 << 52)..1 << 52
    }

    proptest! {
        #[test]
        fn the_order_makes_no_difference(mut numbers in prop::collection::vec(any_number(), 0..40)) {
            let forth = sum_of(&numbers);
            numbers.reverse();
            prop_assert_eq!(sum_of(&numbers).to_bits(), forth.to_bits());
            numbers.sort_by(f64::total_cmp);
            prop_assert_eq!(sum_of(&numbers).to_bits(), forth.to_bits());
        }

        #[test]
        fn what_was_taken_out_was_never_there(
            kept in prop::collection::vec(any_number(), 0..20),
            gone in prop::collection::vec(any_number(), 0..20),
        ) {
            let mut sum = ExactSum::default();
            for number in gone.iter().chain(&kept) {
                sum.add(*number);
            }
            for number in &gone {
                sum.remove(*number);
            }
            prop_assert_eq!(sum.total().to_bits(), sum_of(&kept).to_bits());
        }

        #[test]
        fn one_number_is_itself_and_two_are_as_the_processor_adds_them(one in any_number(), two in any_number()) {
            // Minus zero is zero.
            prop_assert_eq!(sum_of(&[one]).to_bits(), (one + 0.0).to_bits());
            prop_assert_eq!(sum_of(&[one, two]).to_bits(), (one + two + 0.0).to_bits());
        }

        #[test]
        fn it_equals_a_sum_of_integers(parts in prop::collection::vec(near_one(), 0..200)) {
            let scale = 2_f64.powi(-40);
            let numbers: Vec<f64> = parts.iter().map(|part| *part as f64 * scale).collect();
            let whole: i128 = parts.iter().map(|part| i128::from(*part)).sum();
            prop_assert_eq!(sum_of(&numbers).to_bits(), (whole as f64 * scale).to_bits());
        }
    }

    #[test]
    fn carries_go_on_before_a_digit_is_full() {
        let mut sum = ExactSum::default();
        sum.add(f64::MAX);
        sum.additions = ADDITIONS_MAX;
        sum.add(1.0);
        assert_eq!(sum.additions, 1);
        sum.remove(f64::MAX);
        assert_eq!(sum.total().to_bits(), 1.0_f64.to_bits());
    }
}
