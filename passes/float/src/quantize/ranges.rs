//! Calibration statistics of values: minimum, maximum, and a histogram in between.
//!
//! Invariant: the result depends neither on the order of samples nor on the number of threads.

use rayon::prelude::*;

use crate::graph::{Graph, Observer, ValueId};
use crate::{Invalid, Tensor};

/// Bins of a histogram.
const BINS: usize = 2048;

/// How the range of a value's codes is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RangeChoice {
    /// From the minimum to the maximum observed.
    MinMax,
    /// Without this share of the values, half at each end; for example 0.0001.
    Percentile(f64),
    /// The sub-range with the least mean squared error.
    Mse,
}

/// The minimum and maximum of a value's elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The minimum.
    pub min: f32,
    /// The maximum.
    pub max: f32,
}

impl Range {
    /// The empty range.
    pub const EMPTY: Range = Range { min: f32::INFINITY, max: f32::NEG_INFINITY };

    /// The union of both.
    #[must_use]
    pub fn union(self, other: Range) -> Range {
        Range { min: self.min.min(other.min), max: self.max.max(other.max) }
    }

    /// Whether both ends are finite.
    #[must_use]
    pub fn is_finite(self) -> bool {
        self.min.is_finite() && self.max.is_finite()
    }
}

/// A histogram of a value's elements over its range.
#[derive(Clone, Debug)]
struct Histogram {
    counts: Vec<u64>,
}

/// Minimum and maximum elements. NaN makes a range infinite, so it cannot go unnoticed.
struct Extremes(Vec<Range>);

impl Observer for Extremes {
    fn value(&mut self, id: ValueId, tensor: &Tensor) {
        let seen = tensor.iter().fold(Range::EMPTY, |r, &x| {
            let (min, max) = if x.is_nan() { (f32::NEG_INFINITY, f32::INFINITY) } else { (x, x) };
            r.union(Range { min, max })
        });
        if let Some(range) = self.0.get_mut(id.index()) {
            *range = range.union(seen);
        }
    }
}

/// Histograms over known ranges.
struct Counting<'a> {
    ranges: &'a [Range],
    histograms: Vec<Histogram>,
}

impl Observer for Counting<'_> {
    fn value(&mut self, id: ValueId, tensor: &Tensor) {
        let (Some(range), Some(histogram)) =
            (self.ranges.get(id.index()), self.histograms.get_mut(id.index()))
        else {
            return;
        };
        if histogram.counts.is_empty() {
            histogram.counts = vec![0; BINS];
        }
        let width = (f64::from(range.max) - f64::from(range.min)) / BINS as f64;
        for &x in tensor {
            let place = if width > 0.0 { (f64::from(x) - f64::from(range.min)) / width } else { 0.0 };
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the bins")]
            let bin = place.clamp(0.0, (BINS - 1) as f64) as usize;
            if let Some(count) = histogram.counts.get_mut(bin) {
                *count += 1;
            }
        }
    }
}

/// The range of every value of a graph over samples, by its index; [`Range::EMPTY`] for constants.
///
/// Each sample is a list of the graph's inputs.
///
/// # Errors
/// When the inputs of a sample differ from the graph's, or there are no samples.
pub fn observe(graph: &Graph, samples: &[Vec<Tensor>], choice: RangeChoice) -> Result<Vec<Range>, Invalid> {
    if samples.is_empty() {
        return Err(Invalid::new("calibration", "there are no samples"));
    }
    let empty = || Extremes(vec![Range::EMPTY; graph.value_count()]);
    let extremes = samples
        .par_iter()
        .map(|sample| {
            let mut seen = empty();
            graph.eval_observed(sample, &mut seen).map(|_| seen)
        })
        .try_reduce(empty, |a, b| Ok(Extremes(a.0.iter().zip(&b.0).map(|(a, b)| a.union(*b)).collect())))?;
    if choice == RangeChoice::MinMax {
        return Ok(extremes.0);
    }
    let ranges = extremes.0;
    let none = || vec![Histogram { counts: Vec::new() }; graph.value_count()];
    let histograms = samples
        .par_iter()
        .map(|sample| {
            let mut seen = Counting { ranges: &ranges, histograms: none() };
            graph.eval_observed(sample, &mut seen).map(|_| seen.histograms)
        })
        .try_reduce(none, |a, b| Ok(a.into_iter().zip(b).map(|(a, b)| merge(a, &b)).collect()))?;
    Ok(ranges.iter().zip(&histograms).map(|(range, histogram)| narrowed(*range, histogram, choice)).collect())
}

/// One output of a graph for `count` samples, on all cores; nothing if there is no such output. `sample` returns shapes and
/// elements of the inputs of one.
///
/// # Errors
/// When a sample does not match the graph's inputs.
pub fn evaluate_all(
    graph: &Graph,
    output: usize,
    count: usize,
    sample: &(dyn Fn(usize) -> Vec<(Vec<usize>, Vec<f32>)> + Sync),
) -> Result<Vec<Vec<f32>>, Invalid> {
    let one = |index: usize| {
        let inputs = sample(index).into_iter().map(|(shape, values)| {
            Tensor::from_shape_vec(shape, values).map_err(|e| Invalid::new("input", e.to_string()))
        });
        let outputs = graph.eval(&inputs.collect::<Result<Vec<_>, _>>()?)?;
        Ok(outputs.get(output).map(|tensor| tensor.iter().copied().collect()).unwrap_or_default())
    };
    (0..count).into_par_iter().map(one).collect()
}

fn merge(mut a: Histogram, b: &Histogram) -> Histogram {
    if a.counts.is_empty() {
        return b.clone();
    }
    a.counts.iter_mut().zip(&b.counts).for_each(|(a, b)| *a += b);
    a
}

/// A range clipped as chosen.
fn narrowed(range: Range, histogram: &Histogram, choice: RangeChoice) -> Range {
    if !range.is_finite() || histogram.counts.is_empty() || range.min >= range.max {
        return range;
    }
    let width = (f64::from(range.max) - f64::from(range.min)) / BINS as f64;
    let (first, end) = match choice {
        RangeChoice::MinMax => (0, BINS),
        RangeChoice::Percentile(share) => percentile(&histogram.counts, share),
        RangeChoice::Mse => least_error(&histogram.counts, f64::from(range.min), width),
    };
    #[allow(clippy::cast_possible_truncation, reason = "between two single-precision numbers")]
    let at = |bin: usize| (f64::from(range.min) + width * bin as f64) as f32;
    Range {
        min: if first == 0 { range.min } else { at(first) },
        max: if end == BINS { range.max } else { at(end) },
    }
}

/// The bins that remain after clipping half of a share at each end.
fn percentile(counts: &[u64], share: f64) -> (usize, usize) {
    let total: u64 = counts.iter().sum();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of the total")]
    let out = (total as f64 * share.clamp(0.0, 1.0) / 2.0) as u64;
    let skip = |counts: &mut dyn Iterator<Item = &u64>| {
        let mut sum = 0;
        counts
            .take_while(|&&n| {
                sum += n;
                sum <= out
            })
            .count()
    };
    let (first, last) = (skip(&mut counts.iter()), skip(&mut counts.iter().rev()));
    (first.min(BINS - 1), (BINS - last).max(first + 1))
}

/// The bins whose 255 steps have the least mean squared error, including 0. Ends are moved in turn.
fn least_error(counts: &[u64], min: f64, width: f64) -> (usize, usize) {
    let step = BINS / 64;
    let (mut first, mut end) = (0, BINS);
    let mut best = error(counts, min, width, first, end);
    loop {
        let narrower = [(first + step, end), (first, end - step), (first + step, end - step)];
        let candidates = narrower.into_iter().filter(|(first, end)| first + step <= *end);
        let next = candidates
            .map(|(f, e)| (error(counts, min, width, f, e), f, e))
            .min_by(|a, b| a.0.total_cmp(&b.0));
        match next {
            Some((less, f, e)) if less < best => (best, first, end) = (less, f, e),
            _ => return (first, end),
        }
    }
}

/// The sum of squared errors if codes span the bins from `first` to `end`, and 0.
fn error(counts: &[u64], min: f64, width: f64, first: usize, end: usize) -> f64 {
    let low = (min + width * first as f64).min(0.0);
    let high = (min + width * end as f64).max(0.0);
    // The RMS rounding error of a value is the step over the root of twelve.
    let inside = ((high - low) / 255.0).powi(2) / 12.0;
    let value = |bin: usize| min + width * (bin as f64 + 0.5);
    let errors = counts.iter().enumerate().map(|(bin, &n)| {
        let x = value(bin);
        let off = if x < low {
            low - x
        } else if x > high {
            x - high
        } else {
            0.0
        };
        n as f64 * (inside + off * off)
    });
    errors.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bell curve with one outlier.
    fn bell() -> Vec<u64> {
        let mut counts: Vec<u64> =
            (0..BINS).map(|i| ((-((i as f64 - 300.0) / 60.0).powi(2)).exp() * 1e6) as u64).collect();
        counts[BINS - 1] = 1;
        counts
    }

    #[test]
    fn outliers_are_left_out() {
        let counts = bell();
        let (first, end) = percentile(&counts, 1e-4);
        assert!(first > 50 && end < 600, "{first} {end}");
        assert_eq!(percentile(&counts, 0.0).1, BINS);
        let (first, end) = least_error(&counts, -1.0, 1e-3);
        assert!(end < 1000 && end > 500, "{first} {end}");
        assert!(error(&counts, -1.0, 1e-3, first, end) < error(&counts, -1.0, 1e-3, 0, BINS));
    }
}
