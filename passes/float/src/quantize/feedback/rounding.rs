//! Rounds exact weights to codes, propagating each error to later weights.

use ndarray::{Array2, Axis};
use rayon::prelude::*;
use strum_quant::Grid;

use super::matrix::inverse_factor;

/// Ridge: share of the mean variance that is added to every variance, which keeps the matrix positive definite.
const RIDGE: f64 = 0.01;
/// The same per unknown and sample: with few samples, variances are kept and correlations are damped.
const RIDGE_BY_SHARE: f64 = 0.1;
/// Larger for both where weights compensate for inexact inputs: that fits noise sooner.
const TARGET_RIDGE: f64 = 0.02;
const TARGET_RIDGE_BY_SHARE: f64 = 2.0;

/// Rows of a product that one thread computes.
const BAND: usize = 64;

/// Codes of weights are symmetric.
const MAX_CODE: f64 = 127.0;

/// The sample statistics of a group of a layer's inputs.
pub(super) struct Fit {
    /// The inputs' covariance `H`, with its ridge.
    covariance: Array2<f64>,
    /// `U`, with `Uᵀ U` the inverse of the inputs' covariance.
    feedback: Array2<f64>,
    /// The correction `w · target` that is added to weights `w`, for inexact inputs.
    target: Array2<f64>,
}

/// Neighbouring weights, of which a fixed number becomes low.
pub(super) struct Block {
    pub(super) members: usize,
    pub(super) low: usize,
}

/// Maximum number of sweeps over all codes of a channel.
const SWEEPS: usize = 8;

/// The nearest code of a weight: a low value, or any.
fn nearest(grid: Option<&Grid>, weight: f64) -> i8 {
    match grid {
        Some(grid) => grid.nearest(weight),
        #[allow(clippy::cast_possible_truncation, reason = "clamped before")]
        None => weight.round().clamp(-MAX_CODE, MAX_CODE) as i8,
    }
}

impl Fit {
    /// From the covariance of the coded inputs, and its difference from that of exact inputs with coded ones. Both are over
    /// `count` positions.
    ///
    /// Nothing if a number is not finite.
    pub(super) fn of(mut coded: Array2<f64>, off: &Array2<f64>, count: usize) -> Option<Fit> {
        let n = coded.nrows();
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        let (mean, share) = (coded.diag().sum() / n.max(1) as f64, n as f64 / count.max(1) as f64);
        let mut add = |part: f64| {
            // A constant input has no variance, and any positive number makes it harmless.
            coded.diag_mut().iter_mut().for_each(|v| *v += part * mean + 1e-9);
            Some((coded.clone(), inverse_factor(&coded)?))
        };
        let (covariance, feedback) = add(RIDGE + RIDGE_BY_SHARE * share)?;
        let (_, inverse) = add(TARGET_RIDGE + TARGET_RIDGE_BY_SHARE * share)?;
        let mut target = off.clone();
        let bands: Vec<_> = target.axis_chunks_iter_mut(Axis(0), BAND).collect();
        bands.into_par_iter().for_each(|mut rows| {
            let moved = rows.dot(&inverse.t()).dot(&inverse);
            rows.assign(&moved);
        });
        Some(Fit { covariance, feedback, target })
    }

    /// The codes of one output channel. `weights` are in units of codes; `grid` has the values of low members.
    pub(super) fn round(&self, weights: &[f64], blocks: &[Block], grid: Option<&Grid>) -> Vec<i8> {
        let mut pending = self.begin(weights);
        for block in blocks {
            let low = match grid {
                Some(grid) => lowest(&pending.errors(block.members, grid), block.low),
                None => vec![false; block.members],
            };
            for low in low {
                pending.settle(grid.filter(|_| low));
            }
        }
        pending.finish(grid)
    }

    /// An output channel of which no weight is rounded yet. `weights` are in units of codes.
    pub(super) fn begin(&self, weights: &[f64]) -> Pending<'_> {
        let mut rest = weights.to_vec();
        // Row by row, as the matrix is stored.
        for (weight, row) in weights.iter().zip(self.target.rows()) {
            rest.iter_mut().zip(row).for_each(|(x, part)| *x += weight * part);
        }
        let (codes, is_low) = (Vec::with_capacity(weights.len()), Vec::with_capacity(weights.len()));
        Pending { fit: self, wanted: rest.clone(), rest, codes, is_low }
    }
}

/// The weights of an output channel while they are rounded, one after the other.
pub(super) struct Pending<'f> {
    fit: &'f Fit,
    /// The best weights for the inputs as they are.
    wanted: Vec<f64>,
    /// The same, with the errors of earlier weights compensated.
    rest: Vec<f64>,
    codes: Vec<i8>,
    is_low: Vec<bool>,
}

impl Pending<'_> {
    /// For each of the next weights, the squared error of the sum if it becomes low, after compensation by later weights.
    pub(super) fn errors(&self, count: usize, grid: &Grid) -> Vec<f64> {
        let first = self.codes.len();
        let of = |(at, &weight): (usize, &f64)| {
            let diagonal = self.fit.feedback.get((at, at)).copied().unwrap_or(1.0);
            ((weight - f64::from(grid.nearest(weight))) / diagonal).powi(2)
        };
        self.rest.iter().enumerate().skip(first).take(count).map(of).collect()
    }

    /// Rounds the next weight, to a value of the grid if it is low, and compensates its error in the weights behind it.
    pub(super) fn settle(&mut self, low: Option<&Grid>) {
        let at = self.codes.len();
        let row = self.fit.feedback.rows().into_iter().nth(at);
        let Some((&weight, row)) = self.rest.get(at).zip(row.as_ref().and_then(|row| row.to_slice())) else {
            return;
        };
        let code = nearest(low, weight);
        self.codes.push(code);
        self.is_low.push(low.is_some());
        let Some((&diagonal, ahead)) = row.get(at..).and_then(<[f64]>::split_first) else { return };
        let error = (weight - f64::from(code)) / diagonal;
        let behind = self.rest.iter_mut().skip(at + 1);
        behind.zip(ahead).for_each(|(weight, factor)| *weight -= error * factor);
    }

    /// The codes, after single ones have been changed as long as that reduces the error; low ones stay values of the grid.
    pub(super) fn finish(self, grid: Option<&Grid>) -> Vec<i8> {
        let Pending { fit, wanted, mut codes, is_low, .. } = self;
        fit.refine(&wanted, &mut codes, |member| grid.filter(|_| is_low.get(member) == Some(&true)));
        codes
    }
}

/// Which members of a block become low: `count` of them with the least error; of equal ones the first.
pub(super) fn lowest(errors: &[f64], count: usize) -> Vec<bool> {
    let mut low = vec![false; errors.len()];
    let mut order: Vec<(f64, usize)> = errors.iter().copied().zip(0..).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    for (_, member) in order.into_iter().take(count) {
        if let Some(low) = low.get_mut(member) {
            *low = true;
        }
    }
    low
}

impl Fit {
    /// Changes single codes as long as the error `e H eᵀ` of the sum, `e` being the rounding error, decreases.
    fn refine<'g>(&self, wanted: &[f64], codes: &mut [i8], grid_of: impl Fn(usize) -> Option<&'g Grid>) {
        let lacks: Vec<f64> = wanted.iter().zip(&*codes).map(|(w, &code)| w - f64::from(code)).collect();
        // Half of the gradient, `e H`.
        let mut slopes = vec![0.0; lacks.len()];
        for (lack, row) in lacks.iter().zip(self.covariance.rows()) {
            slopes.iter_mut().zip(row).for_each(|(slope, h)| *slope += lack * h);
        }
        for _ in 0..SWEEPS {
            let mut changed = false;
            for (member, (code, row)) in codes.iter_mut().zip(self.covariance.rows()).enumerate() {
                let (Some(&slope), Some(&curve)) = (slopes.get(member), row.get(member)) else { break };
                let better = nearest(grid_of(member), f64::from(*code) + slope / curve);
                let step = f64::from(better) - f64::from(*code);
                if step * step * curve - 2.0 * step * slope < 0.0 {
                    *code = better;
                    changed = true;
                    slopes.iter_mut().zip(row).for_each(|(slope, h)| *slope -= step * h);
                }
            }
            if !changed {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(n: usize, of: impl Fn(usize, usize) -> f64) -> Array2<f64> {
        Array2::from_shape_fn((n, n), |(i, j)| of(i, j))
    }

    fn all(members: usize) -> [Block; 1] {
        [Block { members, low: 0 }]
    }

    #[test]
    fn inputs_that_go_together_share_their_error() {
        // Four identical inputs: only the sum of the weights counts, which nearest rounding changes from 1.6 to 0.
        let fit = Fit::of(matrix(4, |_, _| 100.0), &matrix(4, |_, _| 0.0), 1_000_000).unwrap();
        let codes = fit.round(&[0.4; 4], &all(4), None);
        assert_eq!(codes.iter().map(|&c| i32::from(c)).sum::<i32>(), 2, "{codes:?}");
        // Uncorrelated inputs: nearest is best.
        let apart =
            Fit::of(matrix(4, |i, j| if i == j { 100.0 } else { 0.0 }), &matrix(4, |_, _| 0.0), 1_000_000);
        assert_eq!(apart.unwrap().round(&[0.4, -1.6, 200.0, -200.0], &all(4), None), [0, -2, 127, -127]);
    }

    #[test]
    fn inputs_that_came_in_too_small_get_larger_weights() {
        // Coded inputs are half of the exact ones: C = E[x x'] = 2 E[x' x'].
        let variances = matrix(2, |i, j| if i == j { 9.0 } else { 0.0 });
        let fit = Fit::of(variances.clone(), &variances, usize::MAX).unwrap();
        let codes = fit.round(&[10.0, -20.0], &all(2), None);
        assert!((19..=20).contains(&codes[0]) && (-40..=-38).contains(&codes[1]), "{codes:?}");
    }

    /// `e H eᵀ`, term by term.
    fn error(fit: &Fit, weights: &[f64], codes: &[i8]) -> f64 {
        let lack = |i: usize| weights[i] - f64::from(codes[i]);
        fit.covariance.indexed_iter().map(|((i, j), h)| lack(i) * h * lack(j)).sum()
    }

    #[test]
    fn no_other_single_code_is_better() {
        let mut state = 7u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24) - 0.5
        };
        for _ in 0..50 {
            let x = Array2::from_shape_fn((6, 8), |_| next());
            let fit = Fit::of(x.t().dot(&x), &matrix(8, |_, _| 0.0), 1000).unwrap();
            let weights: Vec<f64> = (0..8).map(|_| 30.0 * next()).collect();
            let codes = fit.round(&weights, &all(8), None);
            let least = error(&fit, &weights, &codes);
            for (member, step) in (0..8).flat_map(|member| [(member, -1), (member, 1)]) {
                let mut other = codes.clone();
                other[member] += step;
                assert!(error(&fit, &weights, &other) >= least - 1e-9, "{member} {step} {codes:?}");
            }
        }
    }

    #[test]
    fn numbers_that_are_none_are_no_fit() {
        assert!(Fit::of(matrix(2, |_, _| f64::NAN), &matrix(2, |_, _| 0.0), 10).is_none());
        let constant = Fit::of(matrix(2, |_, _| 0.0), &matrix(2, |_, _| 0.0), 10).unwrap();
        assert_eq!(constant.round(&[0.6, 1.4], &all(2), None), [1, 1]);
    }
}
