//! What the lanes of a PE compute, from the definitions of the formats: values of low codes, dot products, accumulation.

/// How a low code is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Low {
    /// It has no bits and is worth nothing.
    Zero,
    /// A two's complement number of `bits` bits, times two to the power of `shift`.
    Integer {
        /// Its width.
        bits: u32,
        /// The power of two.
        shift: u32,
    },
    /// A sign above an exponent: plus or minus two to its power, of exponents up to `greatest`.
    Power {
        /// The greatest legal exponent.
        greatest: u32,
        /// Whether the positive code of all ones is worth nothing.
        zero: bool,
    },
}

impl Low {
    /// Bits of a code.
    #[must_use]
    pub fn bits(self) -> u32 {
        match self {
            Low::Zero => 0,
            Low::Integer { bits, .. } => bits,
            Low::Power { greatest, .. } => 1 + exponent_bits(greatest),
        }
    }

    /// The value of a code; `None` if no weight has it.
    #[must_use]
    pub fn value(self, code: u32) -> Option<i64> {
        match self {
            Low::Zero => Some(0),
            Low::Integer { bits, shift } => {
                let half = 1i64 << (bits - 1);
                let number = i64::from(code);
                Some((if number >= half { number - 2 * half } else { number }) << shift)
            }
            Low::Power { greatest, zero } => {
                let bits = exponent_bits(greatest);
                let (exponent, minus) = (code % (1 << bits), code >> bits == 1);
                if zero && !minus && exponent == (1 << bits) - 1 {
                    return Some(0);
                }
                let magnitude = 1i64 << exponent;
                let value = if minus { -magnitude } else { magnitude };
                // A weight is an int8, which +128 is not.
                (exponent <= greatest && value < 128).then_some(value)
            }
        }
    }
}

fn exponent_bits(greatest: u32) -> u32 {
    let mut bits = 0;
    while 1u32 << bits <= greatest {
        bits += 1;
    }
    bits
}

/// An accumulator after the products of a step, wrapping at 32 bits.
#[must_use]
pub fn accumulate(acc: i32, acts: &[i64], weights: &[i64]) -> i32 {
    let sum = acts.iter().zip(weights).fold(i64::from(acc), |sum, (a, w)| sum + a * w);
    sum as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_codes() {
        let seven = Low::Power { greatest: 7, zero: false };
        assert_eq!(
            (seven.bits(), seven.value(6), seven.value(7), seven.value(15)),
            (4, Some(64), None, Some(-128))
        );
        let five = Low::Power { greatest: 5, zero: true };
        assert_eq!(
            [5, 6, 7, 13, 15].map(|code| five.value(code)),
            [Some(32), None, Some(0), Some(-32), None]
        );
        let four = Low::Integer { bits: 4, shift: 4 };
        assert_eq!([0, 7, 8, 15].map(|code| four.value(code)), [0, 112, -128, -16].map(Some));
        assert_eq!((Low::Power { greatest: 0, zero: false }).bits(), 1);
    }

    #[test]
    fn accumulators_wrap() {
        assert_eq!(accumulate(i32::MAX, &[1, -3], &[1, 0]), i32::MIN);
    }
}
