//! The weights of one convolution, rounded for the statistics of its inputs.
//!
//! Invariant: with a format, exactly as many members of a block have low values as the format stores, so that packing is lossless.

use std::ops::Range;

use ndarray::{Array2, Axis};
use rayon::prelude::*;
use strum_formats::Shape;
use strum_quant::Grids;

use super::Storage;
use super::rounding::{Block, Fit, Pending, lowest};
use super::streams::{Windows, center, count, products};
use crate::quantize::weights::{MAX_BIAS, MAX_INPUT};
use crate::quantize::{Fault, QuantizeError};

/// Maximum number of inputs in a covariance; larger layers are split into groups of this size.
const MAX_GROUP: usize = 1024;

/// Why a layer is not rounded although its inputs are known.
const OVERFLOW: &str =
    "accumulators could overflow 32 bits with weights rounded with feedback: round to nearest";

/// A convolution whose weights are rounded.
pub(super) struct Kernel<'a> {
    pub(super) depthwise: bool,
    /// OHWI, or HWCM if depthwise.
    pub(super) shape: [usize; 4],
    /// The weights to approximate, in units of codes.
    pub(super) exact: &'a [f64],
    /// Codes near them, for which formats choose their shifts.
    pub(super) codes: &'a [i8],
    /// The step of each output channel's codes, as far as they differ.
    pub(super) steps: &'a [f64],
}

/// Why weights cannot be rounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The format is invalid.
    Format(String),
    /// The inputs' covariances are not finite.
    Inputs,
    /// Accumulators could overflow 32 bits.
    Sums,
}

impl Refused {
    /// The error, at a node of the float network if there is one.
    pub(super) fn at(self, tag: Option<u32>) -> QuantizeError {
        match self {
            Refused::Format(reason) => QuantizeError::invalid(tag, reason),
            Refused::Inputs => {
                QuantizeError::invalid(tag, "a covariance of the layer's inputs is not finite")
            }
            Refused::Sums => QuantizeError { tag, fault: Fault::Unsupported, reason: OVERFLOW.into() },
        }
    }
}

/// Rounded weights with the matching bias.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rounded {
    /// In the order of the weights.
    pub codes: Vec<i8>,
    /// One for each output channel.
    pub bias: Vec<i32>,
}

impl Kernel<'_> {
    /// The codes for each of several formats; nothing stands for plain INT8.
    pub(super) fn round(
        &self,
        inputs: &Inputs,
        formats: &[Option<Storage>],
    ) -> Result<Vec<Vec<i8>>, Refused> {
        let grids =
            formats.iter().map(|storage| self.grids(storage.as_ref())).collect::<Result<Vec<_>, _>>()?;
        let codes =
            if self.depthwise { self.by_taps(inputs, &grids) } else { self.by_groups(inputs, &grids) };
        codes.ok_or(Refused::Inputs)
    }

    /// Whether a format stores this layer's weights.
    pub(super) fn is_stored(&self, storage: &Storage) -> bool {
        storage.request.kind().is_packed() && storage.applies(self.depthwise, self.block_shape().ic)
    }

    /// The values of low members, if the format stores this layer's weights.
    fn grids(&self, storage: Option<&Storage>) -> Result<Option<Grids>, Refused> {
        let shape = self.block_shape();
        let Some(storage) = storage.filter(|storage| storage.applies(self.depthwise, shape.ic)) else {
            return Ok(None);
        };
        Grids::of(self.codes, shape, &storage.request).map_err(|error| Refused::Format(error.to_string()))
    }

    /// The shape that formats give to the weights: blocks run along input channels, or all channels of a depthwise layer.
    fn block_shape(&self) -> Shape {
        match (self.depthwise, self.shape) {
            (false, [oc, kh, kw, ic]) => Shape { oc, kh, kw, ic },
            (true, [kh, kw, ic, m]) => Shape { oc: 1, kh, kw, ic: ic * m },
        }
    }

    /// A convolution that is not depthwise: groups of inputs, in each of which the errors of an output channel are compensated.
    fn by_groups(&self, inputs: &Inputs, formats: &[Option<Grids>]) -> Option<Vec<Vec<i8>>> {
        let [oc, kh, kw, ic] = self.shape;
        let depth = kh * kw * ic;
        let mut all: Vec<Vec<Vec<i8>>> = vec![vec![Vec::with_capacity(depth); oc]; formats.len()];
        let block = formats.iter().flatten().map(Grids::block).max().unwrap_or(1);
        for group in groups(kh * kw, ic, block) {
            let fit = inputs.fit(group.clone())?;
            for (grids, codes) in formats.iter().zip(&mut all) {
                let blocks = blocks(&group, ic, grids.as_ref());
                let rows = codes.par_iter_mut().zip(self.exact.par_chunks(depth.max(1)));
                rows.enumerate().for_each(|(channel, (codes, exact))| {
                    let grid = grids.as_ref().and_then(|grids| grids.channel(channel));
                    codes.extend(fit.round(exact.get(group.clone()).unwrap_or_default(), &blocks, grid));
                });
            }
        }
        Some(all.into_iter().map(|rows| rows.into_iter().flatten().collect()).collect())
    }

    /// A depthwise convolution: each channel's errors are compensated in its later taps; low members are chosen tap by tap among
    /// the channels of a block.
    fn by_taps(&self, inputs: &Inputs, formats: &[Option<Grids>]) -> Option<Vec<Vec<i8>>> {
        let [kh, kw, ic, m] = self.shape;
        let (taps, channels) = (kh * kw, ic * m);
        let fits: Vec<Fit> = (0..ic)
            .into_par_iter()
            .map(|channel| inputs.of_channel(channel, ic).fit(0..taps))
            .collect::<Option<_>>()?;
        let exact = |output: usize| -> Vec<f64> {
            self.exact.iter().skip(output).step_by(channels.max(1)).copied().collect()
        };
        let begin = |output: usize| Some(fits.get(output / m.max(1))?.begin(&exact(output)));
        let of = |grids: &Option<Grids>| {
            let mut pending = (0..channels).map(begin).collect::<Option<Vec<_>>>()?;
            let grid = grids.as_ref().and_then(|grids| grids.channel(0));
            for _ in 0..taps {
                let mut first = 0;
                for Block { members, low } in blocks(&(0..channels), channels, grids.as_ref()) {
                    let members = pending.get_mut(first..first + members)?;
                    let error = |(channel, pending): (usize, &Pending<'_>)| match grid {
                        Some(grid) => {
                            pending.errors(1, grid).iter().sum::<f64>() * self.step(first + channel).powi(2)
                        }
                        None => 0.0,
                    };
                    let errors: Vec<f64> = members.iter().enumerate().map(error).collect();
                    for (member, low) in members.iter_mut().zip(lowest(&errors, low)) {
                        member.settle(grid.filter(|_| low));
                    }
                    first += errors.len();
                }
            }
            let rows: Vec<Vec<i8>> = pending.into_par_iter().map(|pending| pending.finish(grid)).collect();
            let at = |tap: usize| rows.iter().map(move |row| row.get(tap).copied().unwrap_or(0));
            Some((0..taps).flat_map(at).collect())
        };
        formats.iter().map(of).collect()
    }

    fn step(&self, output: usize) -> f64 {
        self.steps.get(output).copied().unwrap_or(1.0)
    }

    /// The bias for these codes, which absorbs the shift of the means.
    pub(super) fn bias(&self, codes: &[i8], bias: &[i32], inputs: &Inputs) -> Result<Vec<i32>, Refused> {
        let channels = bias.len();
        let mut shifts = vec![0f64; channels];
        let mut totals = vec![[0f64; 2]; channels];
        let per = codes.len() / channels.max(1);
        for (index, (&code, exact)) in codes.iter().zip(self.exact).enumerate() {
            let (output, column) = match (self.depthwise, self.shape) {
                (true, [_, _, ic, m]) => {
                    (index % channels, index / channels * ic + index % channels / m.max(1))
                }
                _ => (index / per.max(1), index % per.max(1)),
            };
            let mean = |means: &[f64]| means.get(column).copied().unwrap_or(0.0);
            if let (Some(shift), Some([now, before])) = (shifts.get_mut(output), totals.get_mut(output)) {
                *shift += exact * mean(&inputs.exact_means) - f64::from(code) * mean(&inputs.code_means);
                *now += f64::from(code).abs();
                *before += exact.abs();
            }
        }
        let rows = bias.iter().zip(shifts).zip(totals);
        let corrected = rows.map(|((&bias, shift), [now, before])| {
            let old = f64::from(bias);
            // A bias may be larger already in networks of others.
            let most = MAX_BIAS.max(old.abs());
            let corrected = (old + shift).round().clamp(-most, most);
            if !is_within(corrected, now) && is_within(old, before) {
                return Err(Refused::Sums);
            }
            #[allow(clippy::cast_possible_truncation, reason = "clamped before")]
            let corrected = corrected as i32;
            Ok(corrected)
        });
        corrected.collect()
    }
}

/// Whether accumulators fit 32 bits for any input: with a bias, and weights whose magnitudes have this sum.
fn is_within(bias: f64, magnitudes: f64) -> bool {
    bias.abs() + magnitudes * MAX_INPUT <= f64::from(i32::MAX)
}

/// The inputs of a layer, exact and as codes, in steps of its codes, minus the means: for large numbers that vary little,
/// products would not be precise enough.
pub(super) struct Inputs {
    exact: Windows,
    codes: Windows,
    exact_means: Vec<f64>,
    code_means: Vec<f64>,
}

impl Inputs {
    pub(super) fn of(mut exact: Windows, mut codes: Windows) -> Self {
        let (exact_means, code_means) = (center(&mut exact), center(&mut codes));
        Inputs { exact, codes, exact_means, code_means }
    }

    /// Those of one channel of `ic`.
    fn of_channel(&self, channel: usize, ic: usize) -> Inputs {
        let part = |windows: &Windows| -> Windows {
            let of = |sample: &Array2<f32>| {
                sample.slice_axis(Axis(1), (channel..).into()).axis_iter(Axis(1)).step_by(ic.max(1)).fold(
                    Array2::zeros((sample.nrows(), 0)),
                    |mut columns, column| {
                        // Heights are equal, so a column always fits.
                        let _ = columns.push_column(column);
                        columns
                    },
                )
            };
            windows.iter().map(of).collect()
        };
        let taps = |means: &[f64]| means.iter().skip(channel).step_by(ic.max(1)).copied().collect();
        Inputs {
            exact: part(&self.exact),
            codes: part(&self.codes),
            exact_means: taps(&self.exact_means),
            code_means: taps(&self.code_means),
        }
    }

    /// The statistics of some columns; nothing if a number is not finite.
    fn fit(&self, columns: Range<usize>) -> Option<Fit> {
        let coded = products(&self.codes, &self.codes, columns.clone());
        let off = products(&self.exact, &self.codes, columns) - &coded;
        Fit::of(coded, &off, count(&self.codes))
    }
}

/// The columns of windows in groups of at most [`MAX_GROUP`]: whole taps, or slices of a tap that contain whole blocks.
fn groups(taps: usize, ic: usize, block: usize) -> Vec<Range<usize>> {
    if ic <= MAX_GROUP {
        let at_a_time = MAX_GROUP / ic.max(1);
        let firsts = (0..taps).step_by(at_a_time.max(1));
        return firsts.map(|tap| tap * ic..(tap + at_a_time).min(taps) * ic).collect();
    }
    let at_a_time = (MAX_GROUP / block * block).max(block);
    let of_tap = |tap: usize| {
        (0..ic).step_by(at_a_time).map(move |first| tap * ic + first..tap * ic + (first + at_a_time).min(ic))
    };
    (0..taps).flat_map(of_tap).collect()
}

/// The blocks of a group of columns; one, without low members, if nothing is stored low.
fn blocks(columns: &Range<usize>, ic: usize, grids: Option<&Grids>) -> Vec<Block> {
    let Some(grids) = grids else { return vec![Block { members: columns.len(), low: 0 }] };
    let mut blocks = Vec::new();
    let mut at = columns.start;
    while at < columns.end {
        let tap_end = (at / ic.max(1) + 1) * ic;
        let members = grids.block().max(1).min(tap_end.min(columns.end) - at);
        blocks.push(Block { members, low: grids.low(members) });
        at += members;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use strum_quant::Request;

    use super::*;

    #[test]
    fn groups_hold_whole_taps_or_whole_blocks() {
        assert_eq!(groups(9, 64, 16), std::slice::from_ref(&(0..576)));
        assert_eq!(groups(9, 256, 16), [0..1024, 1024..2048, 2048..2304]);
        assert_eq!(groups(2, 1500, 16), [0..1024, 1024..1500, 1500..2524, 2524..3000]);
        assert_eq!(groups(1, 2100, 12), [0..1020, 1020..2040, 2040..2100]);
        assert_eq!(groups(1, 1, 1), std::slice::from_ref(&(0..1)));
    }

    #[test]
    fn blocks_end_with_their_tap() {
        let codes = vec![1; 40];
        let request = Request { w: 16, low: 8, ..Request::new(strum_formats::Kind::Sparse) };
        let grids = Grids::of(&codes, Shape { oc: 1, kh: 1, kw: 2, ic: 20 }, &request).unwrap();
        let found: Vec<_> = blocks(&(0..40), 20, grids.as_ref()).iter().map(|b| (b.members, b.low)).collect();
        assert_eq!(found, [(16, 8), (4, 0), (16, 8), (4, 0)]);
        let found: Vec<_> =
            blocks(&(16..20), 20, grids.as_ref()).iter().map(|b| (b.members, b.low)).collect();
        assert_eq!(found, [(4, 0)]);
        assert_eq!(blocks(&(0..40), 20, None).len(), 1);
    }

    #[test]
    fn the_greatest_sum_has_32_bits() {
        let most = f64::from(i32::MAX);
        assert!(is_within(most, 0.0) && is_within(-most + 255.0, 1.0) && is_within(0.0, 8_421_504.0));
        assert!(
            !is_within(-most - 1.0, 0.0) && !is_within(most - 254.0, 1.0) && !is_within(0.0, 8_421_505.0)
        );
    }
}
