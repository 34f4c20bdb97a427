//! What the elements of an input or output mean to the host. Invariant: nothing here changes what a program computes.

use crate::types::Dtype;

/// What the host knows of an input or output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// The real numbers that codes stand for, if they are known.
    pub codes: Option<Codes>,
    /// The host's codes are unsigned, 128 more than the tensor's.
    pub unsigned: bool,
    /// Every element is 0 or 1.
    pub boolean: bool,
    /// An input that takes an output's value from one sample of a sequence to the next.
    pub state: Option<State>,
}

impl Meaning {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Meaning::default()
    }
}

/// `scale · (code - zero_point)`.
#[derive(Clone, Copy, Debug)]
pub struct Codes {
    /// The step; finite and above 0.
    pub scale: f64,
    /// The code of 0.
    pub zero_point: i32,
}

impl PartialEq for Codes {
    fn eq(&self, other: &Codes) -> bool {
        self.scale.to_bits() == other.scale.to_bits() && self.zero_point == other.zero_point
    }
}

impl Eq for Codes {}

impl Codes {
    /// Whether the scale is finite and above 0.
    #[must_use]
    pub fn is_legal(&self) -> bool {
        self.scale.is_finite() && self.scale > 0.0
    }

    /// The nearest code of a real number, ties away from the code of 0, clamped to the type; NaN has the code of 0.
    ///
    /// A scale in single precision, as TFLite's are, divides in single precision, as TFLite's kernels do.
    #[must_use]
    pub fn code(&self, value: f64, dtype: Dtype) -> i32 {
        #[allow(clippy::cast_possible_truncation, reason = "single precision is what TFLite computes in")]
        let (narrow, scale) = (value as f32, self.scale as f32);
        let single = f64::from(scale) == self.scale;
        let steps = if single { f64::from(narrow / scale) } else { value / self.scale }.round();
        let steps = if steps.is_nan() { 0.0 } else { steps };
        let code = steps + f64::from(self.zero_point);
        #[allow(clippy::cast_possible_truncation, reason = "clamped to the type before")]
        let code = code.clamp(dtype.min().into(), dtype.max().into()) as i32;
        code
    }

    /// The real number of a code.
    #[must_use]
    pub fn value(&self, code: i32) -> f64 {
        self.scale * (f64::from(code) - f64::from(self.zero_point))
    }
}

/// The state of a network that sees the samples of a sequence one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The index of the output that has the input's next value.
    pub output: u32,
    /// The value of every element before the first sample.
    pub initial: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_nearest_in_the_type() {
        let codes = Codes { scale: 0.5, zero_point: -3 };
        let code = |value| codes.code(value, Dtype::I8);
        assert_eq!([0.0, 0.25, -0.25, 1.0, 1e9, -1e9, f64::NAN].map(code), [-3, -2, -4, -1, 127, -128, -3]);
        // In single precision, the quotient is two and a half; in double precision it is less.
        let single = Codes { scale: f64::from(0.1f32), zero_point: 0 };
        assert_eq!(single.code(0.25, Dtype::I8), 3);
        assert_eq!(Codes { scale: single.scale + 1e-12, zero_point: 0 }.code(0.25, Dtype::I8), 2);
        assert_eq!(codes.code(1e9, Dtype::I16), 32767);
        assert_eq!([-3, -1, 127].map(|code| codes.value(code)), [0.0, 1.0, 65.0]);
        assert!(codes.is_legal() && !Codes { scale: 0.0, ..codes }.is_legal());
    }
}
