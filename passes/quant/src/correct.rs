//! The effect of changed weights on the sums of an output channel, and the correction of its expected part.
//!
//! With codes `c` before and `c'` after, and inputs `x` (their zero point subtracted) of mean `μ` and second moment `m`, inputs
//! of different channels and taps assumed independent, the sums are `y = Σ c x` and `y' = Σ c' x`. Invariant: unchanged codes
//! need no correction.

use strum_formats::{PackError, expect_count};

/// What is corrected after selection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Correct {
    /// Nothing.
    #[default]
    None,
    /// The bias, so that the mean of a sum is preserved.
    Bias,
    /// The scale, by least squares through 0.
    Scale,
    /// The scale by least squares of the varying part, and the bias, so that the mean is preserved.
    Both,
}

impl Correct {
    /// Every choice.
    pub const ALL: [Correct; 4] = [Correct::None, Correct::Bias, Correct::Scale, Correct::Both];

    /// The name as users write it.
    pub const fn name(self) -> &'static str {
        match self {
            Correct::None => "none",
            Correct::Bias => "bias",
            Correct::Scale => "scale",
            Correct::Both => "both",
        }
    }

    /// The choice of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|correct| correct.name() == name)
    }
}

/// Mean and second moment of the inputs of a layer, one each for every input channel, in units of codes.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// `E[x]`
    pub mean: &'a [f64],
    /// `E[x²]`, at least `mean²`.
    pub square: &'a [f64],
}

/// The correction of one output channel: `y ≈ scale · y' + shift`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correction {
    /// Factor of the sum without bias.
    pub scale: f64,
    /// Added after the factor, in units of the sum.
    pub shift: f64,
}

impl Correction {
    /// Nothing to correct.
    pub const IDENTITY: Correction = Correction { scale: 1.0, shift: 0.0 };

    /// The bias before the factor that replaces `bias`; nothing if it exceeds 32 bits.
    pub fn bias(&self, bias: i32) -> Option<i32> {
        let exact = ((f64::from(bias) + self.shift) / self.scale).round();
        let fits = exact >= f64::from(i32::MIN) && exact <= f64::from(i32::MAX);
        #[allow(clippy::cast_possible_truncation, reason = "whole, and within the range")]
        let bias = exact as i32;
        fits.then_some(bias)
    }
}

/// Sums over the weights of one output channel.
#[derive(Clone, Copy, Default)]
struct Sums {
    mean_before: f64,
    mean_after: f64,
    /// `E[y y']` and `E[y'²]` of the varying part.
    cross: f64,
    after: f64,
}

/// The corrections of a layer's output channels.
///
/// `channel_of` maps a weight's index to its output and input channel.
///
/// # Errors
/// The number of codes differs before and after, a moment is missing, or a channel is beyond `channels`.
pub fn corrections(
    before: &[i8],
    after: &[i8],
    channels: usize,
    channel_of: impl Fn(usize) -> (usize, usize),
    inputs: Inputs<'_>,
    correct: Correct,
) -> Result<Vec<Correction>, PackError> {
    expect_count("weight codes", before.len(), after.len())?;
    expect_count("second moments", inputs.mean.len(), inputs.square.len())?;
    let mut sums = vec![Sums::default(); channels];
    for (index, (&c, &d)) in before.iter().zip(after).enumerate() {
        let (output, input) = channel_of(index);
        let Some(sums) = sums.get_mut(output) else {
            return Err(PackError::Count { what: "output channels", expected: output + 1, got: channels });
        };
        let (Some(&mean), Some(&square)) = (inputs.mean.get(input), inputs.square.get(input)) else {
            return Err(PackError::Count { what: "means", expected: input + 1, got: inputs.mean.len() });
        };
        let (c, d, variance) = (f64::from(c), f64::from(d), (square - mean * mean).max(0.0));
        sums.mean_before += c * mean;
        sums.mean_after += d * mean;
        sums.cross += c * d * variance;
        sums.after += d * d * variance;
    }
    Ok(sums.iter().map(|sums| sums.correction(correct)).collect())
}

impl Sums {
    fn correction(&self, correct: Correct) -> Correction {
        let factor = |cross: f64, after: f64| {
            let factor = cross / after;
            // Beyond a factor of 2 the model does not describe the layer: nothing is known of its correlations.
            if factor > 0.5 && factor < 2.0 { factor } else { 1.0 }
        };
        match correct {
            Correct::None => Correction::IDENTITY,
            Correct::Bias => Correction { scale: 1.0, shift: self.mean_before - self.mean_after },
            Correct::Scale => {
                let through = (self.mean_before, self.mean_after);
                let scale = factor(self.cross + through.0 * through.1, self.after + through.1 * through.1);
                Correction { scale, shift: 0.0 }
            }
            Correct::Both => {
                let scale = factor(self.cross, self.after);
                Correction { scale, shift: self.mean_before - scale * self.mean_after }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All inputs of two independent channels with few values, equally likely.
    const X: [[f64; 3]; 2] = [[-3.0, 1.0, 8.0], [0.0, 2.0, 40.0]];

    fn moments() -> ([f64; 2], [f64; 2]) {
        let mean = X.map(|x| x.iter().sum::<f64>() / 3.0);
        (mean, X.map(|x| x.iter().map(|v| v * v).sum::<f64>() / 3.0))
    }

    /// Mean squared error of a corrected sum, by enumerating all inputs.
    fn error(before: [i8; 2], after: [i8; 2], scale: f64, shift: f64) -> f64 {
        let mut total = 0.0;
        for a in X[0] {
            for b in X[1] {
                let sum = |w: [i8; 2]| f64::from(w[0]) * a + f64::from(w[1]) * b;
                total += (sum(before) - scale * sum(after) - shift).powi(2);
            }
        }
        total / 9.0
    }

    #[test]
    fn no_nearby_correction_is_better() {
        let (mean, square) = moments();
        for (before, after) in [([7, -13], [8, -16]), ([100, 3], [64, 4]), ([-5, 5], [-4, 4])] {
            let of = |correct| {
                let inputs = Inputs { mean: &mean, square: &square };
                corrections(&before, &after, 1, |i| (0, i), inputs, correct).unwrap()[0]
            };
            let [bias, scale, both] = [Correct::Bias, Correct::Scale, Correct::Both].map(of);
            assert_eq!((bias.scale, scale.shift), (1.0, 0.0));
            let at = |c: Correction| error(before, after, c.scale, c.shift);
            for step in [-0.01, 0.01] {
                assert!(at(bias) < error(before, after, 1.0, bias.shift + step));
                assert!(at(scale) < error(before, after, scale.scale + step, 0.0));
                assert!(at(both) < error(before, after, both.scale + step, both.shift));
                assert!(at(both) < error(before, after, both.scale, both.shift + step));
            }
            assert!(at(both) <= at(bias) + 1e-9 && at(both) <= at(scale) + 1e-9);
            assert!(at(bias) < error(before, after, 1.0, 0.0));
        }
    }

    #[test]
    fn what_did_not_change_is_not_corrected() {
        let (mean, square) = moments();
        for correct in Correct::ALL {
            let inputs = Inputs { mean: &mean, square: &square };
            let all = corrections(&[3, 4, -5, 0], &[3, 4, -5, 0], 3, |i| (i / 2, i % 2), inputs, correct);
            // The last channel has no weights.
            assert_eq!(all.unwrap(), [Correction::IDENTITY; 3], "{correct:?}");
            assert_eq!(Correct::from_name(correct.name()), Some(correct));
        }
    }

    #[test]
    fn a_bias_is_carried_through_the_factor_or_refused() {
        let correction = Correction { scale: 0.8, shift: 40.0 };
        assert_eq!(correction.bias(1000), Some(1300));
        assert_eq!(correction.bias(i32::MAX), None);
        assert_eq!(Correction::IDENTITY.bias(i32::MIN), Some(i32::MIN));
    }

    #[test]
    fn missing_moments_are_refused() {
        let inputs = Inputs { mean: &[1.0], square: &[1.0] };
        let got = corrections(&[1, 2], &[1, 1], 1, |i| (0, i), inputs, Correct::Bias);
        assert_eq!(got.unwrap_err().to_string(), "expected 2 means, got 1");
        let got = corrections(&[1, 2], &[1, 1], 1, |i| (i, 0), inputs, Correct::Bias);
        assert_eq!(got.unwrap_err().to_string(), "expected 2 output channels, got 1");
    }
}
