//! How much of the weights is left: signal to quantization noise, over one layer or over many.
//!
//! Invariant: adding layers one by one gives what all their weights at once give, up to rounding.

use strum_formats::{PackError, expect_count};

/// Sums of squares of weights and of what has become different about them, in double precision.
///
/// The signal is what [`Sqnr::add_codes`] or [`Sqnr::add_weights`] is given as the original: INT8 codes, or the float weights that the
/// codes stand for. Only with float weights is the rounding to INT8 itself part of the noise.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sqnr {
    /// Sum of the squares of the original weights.
    pub signal: f64,
    /// Sum of the squares of the differences.
    pub noise: f64,
}

impl Sqnr {
    /// Adds a layer: INT8 codes before and after packing, of equal scale. The signal is INT8.
    ///
    /// Layers have scales of their own, so that sums over several layers in codes mean nothing; give each its own `Sqnr`.
    ///
    /// # Errors
    /// There are not as many codes after as before.
    pub fn add_codes(&mut self, before: &[i8], after: &[i8]) -> Result<(), PackError> {
        expect_count("weight codes", before.len(), after.len())?;
        for (&c, &d) in before.iter().zip(after) {
            self.add(f64::from(c), f64::from(d));
        }
        Ok(())
    }

    /// Adds a layer: float weights `[oc][…]`, and the codes that are stored for them with one scale an output channel. The signal is
    /// the float weights, and so may be summed over layers.
    ///
    /// # Errors
    /// There are not as many codes as weights, or these are not as many for each scale.
    pub fn add_weights(&mut self, weights: &[f32], codes: &[i8], scales: &[f64]) -> Result<(), PackError> {
        expect_count("weight codes", weights.len(), codes.len())?;
        let set = weights.len().checked_div(scales.len()).unwrap_or(0);
        expect_count("weights", set.saturating_mul(scales.len()), weights.len())?;
        let sets = weights.chunks(set.max(1)).zip(codes.chunks(set.max(1))).zip(scales);
        for ((weights, codes), &scale) in sets {
            for (&w, &c) in weights.iter().zip(codes) {
                self.add(f64::from(w), scale * f64::from(c));
            }
        }
        Ok(())
    }

    /// Adds the sums of another layer.
    pub fn merge(&mut self, other: &Sqnr) {
        self.signal += other.signal;
        self.noise += other.noise;
    }

    /// `10·log10(signal / noise)` in dB; infinite when nothing is lost.
    pub fn db(&self) -> f64 {
        if self.noise == 0.0 { f64::INFINITY } else { 10.0 * (self.signal / self.noise).log10() }
    }

    fn add(&mut self, before: f64, after: f64) {
        self.signal += before * before;
        self.noise += (before - after) * (before - after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_add_up() {
        let mut sum = Sqnr::default();
        sum.add_weights(&[0.5, -1.0, 3.0, 4.0], &[1, -2, 3, 3], &[0.5, 1.0]).unwrap();
        assert_eq!((sum.signal, sum.noise), (26.25, 1.0));
        let mut codes = Sqnr::default();
        codes.add_codes(&[3, 4], &[3, 4]).unwrap();
        assert_eq!(codes.db(), f64::INFINITY);
        codes.merge(&Sqnr { signal: 75.0, noise: 1.0 });
        assert!((codes.db() - 20.0).abs() < 1e-12);
    }

    #[test]
    fn counts_that_do_not_go_together_are_refused() {
        let mut sum = Sqnr::default();
        assert!(sum.add_codes(&[1], &[1, 2]).is_err());
        assert!(sum.add_weights(&[1.0; 3], &[1; 2], &[1.0]).is_err());
        assert!(sum.add_weights(&[1.0; 3], &[1; 3], &[1.0; 2]).is_err());
        assert!(sum.add_weights(&[1.0; 3], &[1; 3], &[]).is_err());
    }
}
