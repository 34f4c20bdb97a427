//! Signal-to-quantization-noise ratio of weights, over one layer or many.
//!
//! Invariant: adding layers one by one gives the same as all their weights at once, up to rounding.

use strum_formats::{PackError, expect_count};

/// Sums of squares of weights and of their changes, in double precision.
///
/// The signal is the original given to [`Sqnr::add_codes`] or [`Sqnr::add_weights`]: INT8 codes, or the float weights behind the
/// codes. Only with float weights does the noise include the rounding to INT8.
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
    /// Layers have different scales, so sums over several layers in codes are meaningless; use one `Sqnr` for each.
    ///
    /// # Errors
    /// The number of codes differs before and after.
    pub fn add_codes(&mut self, before: &[i8], after: &[i8]) -> Result<(), PackError> {
        expect_count("weight codes", before.len(), after.len())?;
        for (&c, &d) in before.iter().zip(after) {
            self.add(f64::from(c), f64::from(d));
        }
        Ok(())
    }

    /// Adds a layer: float weights `[oc][…]`, and their stored codes with one scale per output channel. The signal is the float
    /// weights, and so may be summed over layers.
    ///
    /// # Errors
    /// The numbers of codes and weights differ, or are not a multiple of the number of scales.
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

    /// `10·log10(signal / noise)` in dB; infinite if there is no noise.
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
