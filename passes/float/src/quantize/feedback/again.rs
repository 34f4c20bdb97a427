//! The weights of an integer network's convolution, rounded again for a weight format.
//!
//! The codes that the network has are what is approximated; its inputs are images of codes, from the network as it is, and from
//! the same network with earlier layers rounded already. Invariant: where both are the same, a layer that stays INT8 is unchanged.

use ndarray::{Array2, Axis};
use rayon::prelude::*;

use super::kernel::{Inputs, Kernel, Refused, Rounded};
use super::streams::{Windows, positions};
use super::{QuantizeError, Storage};
use crate::eval;
use crate::op::Window;

/// A convolution of an integer network, with constant weights whose zero point is 0.
#[derive(Clone, Copy, Debug)]
pub struct IntLayer<'a> {
    /// Whether it is depthwise.
    pub depthwise: bool,
    /// The shape of the weights: OHWI, or HWCM if depthwise.
    pub shape: [usize; 4],
    /// The weights, in that order.
    pub codes: &'a [i8],
    /// One for each output channel, in units of input step times weight step.
    pub bias: &'a [i32],
    /// What a sum is multiplied with later, by output channel, up to a common factor; empty if it is the same for all.
    pub factors: &'a [f64],
    /// Strides, dilations and padding.
    pub window: Window,
    /// The zero point of the input.
    pub zero_point: i32,
    /// The shape of the input, NHWC.
    pub input: [usize; 4],
    /// Rows and columns of the result.
    pub output: [usize; 2],
}

/// The kernel that approximates these weights.
fn kernel<'a>(layer: &IntLayer<'a>, exact: &'a [f64]) -> Kernel<'a> {
    let IntLayer { depthwise, shape, codes, factors, .. } = *layer;
    Kernel { depthwise, shape, exact, codes, steps: factors }
}

impl IntLayer<'_> {
    /// Rounds weights and bias for each of several formats; nothing stands for plain INT8. `exact` and `rounded` are the input's
    /// codes for every sample: of the original network, and of the one whose earlier layers are rounded.
    ///
    /// With a format that stores this layer, packing in it with members selected by error is lossless. Of the inputs, at most
    /// 8,192 positions are used, evenly spread.
    ///
    /// # Errors
    /// There are no samples, or a sample, the weights or the bias have another number of elements than the shapes say; a format
    /// is invalid; accumulators could overflow 32 bits with the new weights, and could not with the old ones.
    pub fn round(
        &self,
        exact: &[&[i8]],
        rounded: &[&[i8]],
        formats: &[Option<Storage>],
    ) -> Result<Vec<Rounded>, QuantizeError> {
        self.check(exact, rounded)?;
        let inputs = Inputs::of(self.windows(exact), self.windows(rounded));
        let weights: Vec<f64> = self.codes.iter().map(|&code| code.into()).collect();
        let kernel = kernel(self, &weights);
        let refused = |reason: Refused| reason.at(None);
        let unchanged = exact == rounded;
        let as_it_is = |storage: &Option<Storage>| unchanged && storage.is_none_or(|s| !kernel.is_stored(&s));
        let wanted: Vec<Option<Storage>> = formats.iter().filter(|s| !as_it_is(s)).copied().collect();
        let mut codes = kernel.round(&inputs, &wanted).map_err(refused)?.into_iter();
        let result = formats.iter().map(|storage| {
            if as_it_is(storage) {
                return Ok(Rounded { codes: self.codes.to_vec(), bias: self.bias.to_vec() });
            }
            let codes = codes.next().unwrap_or_default();
            let bias = kernel.bias(&codes, self.bias, &inputs).map_err(refused)?;
            Ok(Rounded { codes, bias })
        });
        result.collect()
    }

    /// Whether a format stores this layer's weights.
    #[must_use]
    pub fn is_stored(&self, storage: &Storage) -> bool {
        kernel(self, &[]).is_stored(storage)
    }

    fn check(&self, exact: &[&[i8]], rounded: &[&[i8]]) -> Result<(), QuantizeError> {
        let fail = |what: &str, got: usize, wanted: usize| {
            Err(QuantizeError::invalid(None, format!("{what}: {got} given, expected {wanted}")))
        };
        let [first, second, third, fourth] = self.shape;
        let outputs = if self.depthwise { third * fourth } else { first };
        let channels = if self.depthwise { third } else { fourth };
        let size: usize = self.input.iter().product();
        let [_, _, _, c] = self.input;
        if c != channels {
            return fail("input channels", c, channels);
        }
        if self.codes.len() != first * second * third * fourth {
            return fail("weights", self.codes.len(), first * second * third * fourth);
        }
        if self.bias.len() != outputs {
            return fail("biases", self.bias.len(), outputs);
        }
        if exact.is_empty() || exact.len() != rounded.len() {
            return fail("samples of the rounded network", rounded.len(), exact.len().max(1));
        }
        match exact.iter().chain(rounded).find(|sample| sample.len() != size) {
            Some(sample) => fail("codes of a sample", sample.len(), size),
            None => Ok(()),
        }
    }

    /// The windows of all samples at evenly spread positions, minus the zero point; padding is 0.
    fn windows(&self, samples: &[&[i8]]) -> Windows {
        let [n, h, w, c] = self.input;
        let [oh, ow] = self.output;
        let [kh, kw] = match (self.depthwise, self.shape) {
            (true, [kh, kw, _, _]) | (false, [_, kh, kw, _]) => [kh, kw],
        };
        #[allow(clippy::cast_precision_loss, reason = "at most 255 in magnitude")]
        let value = |&code: &i8| (i32::from(code) - self.zero_point) as f32;
        let of = |sample: &&[i8]| {
            let image: Vec<f32> = sample.iter().map(value).collect();
            let places = positions(n * oh * ow, samples.len());
            let mut windows = Array2::zeros((places.len(), kh * kw * c));
            for (place, mut row) in places.into_iter().zip(windows.axis_iter_mut(Axis(0))) {
                let pixels = image.get(place / (oh * ow) * h * w * c..).unwrap_or_default();
                let position = [place / ow % oh, place % ow];
                let Some(row) = row.as_slice_mut() else { continue };
                eval::gather(&self.window, pixels, [h, w, c], kw, position, row);
            }
            windows
        };
        samples.par_iter().map(of).collect()
    }
}
