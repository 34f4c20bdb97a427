//! Convolutions. Invariant: images have channels last, and groups that are not channels become convolutions of their own.

use strum_float::Window;

use super::window::{Sliding, sliding};
use crate::onnx::call::{Call, one};
use crate::onnx::node::Node;
use crate::onnx::trouble::{Outcome, invalid, limit, unsupported};
use crate::onnx::value::{Flow, Net, Value};
use crate::tosa::{Elem, Id};

/// Most groups of a convolution that is not depthwise.
pub(in crate::onnx) const MAX_GROUPS: usize = 256;

/// Most numbers of a list that is made for an operator.
pub(in crate::onnx) const MAX_LIST: usize = 1 << 24;

/// The operands of a layer: floats, or codes with a bias of 32 bits.
#[derive(Clone, Copy, Debug)]
pub(in crate::onnx) struct Layer {
    pub(in crate::onnx) x: Flow,
    /// In the file's order of axes.
    pub(in crate::onnx) weights: Id,
    pub(in crate::onnx) bias: Option<Id>,
    /// Of image and weights; 0 for floats.
    pub(in crate::onnx) zero_points: [i32; 2],
}

/// `Conv`.
pub(in crate::onnx) fn conv(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let layer = floats(net, call)?;
    one(net.conv(&call.node, &layer)?)
}

/// A layer of floats with operands image, weights and bias.
pub(in crate::onnx) fn floats(net: &mut Net, call: &Call<'_>) -> Outcome<Layer> {
    let (x, weights) = (call.floats(net, 0)?, call.floats(net, 1)?);
    let weights = net.plain(weights)?;
    let bias = call.optional(2).map(|bias| net.floats(bias)).transpose()?.map(|bias| bias.id);
    Ok(Layer { x, weights, bias, zero_points: [0, 0] })
}

/// The attribute `kernel_shape` must be that of the weights.
pub(in crate::onnx) fn check_kernel(node: &Node<'_>, kernel: &[usize]) -> Outcome<()> {
    match node.extents("kernel_shape", 1)? {
        Some(given) if given != kernel => {
            invalid(format!("the kernel is {given:?}, weights are for {kernel:?}"))
        }
        _ => Ok(()),
    }
}

impl Net {
    /// The bias of a layer; zeros if there is none.
    pub(in crate::onnx) fn bias(&mut self, layer: &Layer, outputs: usize) -> Outcome<Id> {
        if outputs > MAX_LIST {
            return limit(format!("{outputs} outputs of a layer; at most {MAX_LIST} are supported"));
        }
        match layer.bias {
            Some(bias) if self.extents(bias) != [outputs] => {
                invalid(format!("a bias of shape {:?} for {outputs} channels", self.extents(bias)))
            }
            Some(bias) => Ok(bias),
            None if self.elem(layer.x.id) == Elem::F32 => {
                Ok(self.build.floats(&[outputs], &vec![0.0; outputs])?)
            }
            None => Ok(self.build.ints(Elem::I32, &[outputs], &vec![0; outputs])?),
        }
    }

    /// The sums of a `Conv`, with channels last.
    pub(in crate::onnx) fn conv(&mut self, node: &Node<'_>, layer: &Layer) -> Outcome<Flow> {
        let (shape, taps) = (self.shape(layer.x), self.extents(layer.weights));
        let (&[_, channels, ref space @ ..], &[outputs, inner, ref kernel @ ..]) = (&shape[..], &taps[..])
        else {
            return invalid(format!("weights {taps:?} on an image of shape {shape:?}"));
        };
        check_kernel(node, kernel)?;
        let sliding = sliding(node, space, kernel)?;
        let groups = usize::try_from(node.int("group", 1)?).unwrap_or(0);
        if groups == 0 || channels != inner.saturating_mul(groups) || outputs % groups != 0 {
            return invalid(format!(
                "weights {taps:?} in {groups} groups on an image of {channels} channels"
            ));
        }
        let bias = self.bias(layer, outputs)?;
        let (image, flat) = self.image(layer.x)?;
        let made = self.grouped([image, layer.weights, bias], groups, &sliding, layer.zero_points)?;
        self.of_file(Flow::plain(made), made, flat)
    }

    /// A convolution by weights `[outputs, inputs of a group, kernel]`.
    fn grouped(
        &mut self,
        [image, weights, bias]: [Id; 3],
        groups: usize,
        sliding: &Sliding,
        zero_points: [i32; 2],
    ) -> Outcome<Id> {
        let channels = self.extents(image).last().copied().unwrap_or(0);
        let (weights, depthwise) = self.conv_weights(weights, groups, channels, sliding.kernel)?;
        let window = &sliding.window;
        if depthwise || groups == 1 {
            return Ok(self.build.conv(depthwise, [image, weights, bias], zero_points, window)?);
        }
        if groups > MAX_GROUPS {
            return unsupported(format!("at most {MAX_GROUPS} groups are supported, got {groups}"));
        }
        let outputs = self.extents(bias).first().copied().unwrap_or(0) / groups;
        let mut parts = Vec::new();
        for group in 0..groups {
            let inputs = channels / groups;
            let part = [
                self.part(image, 3, group * inputs, inputs)?,
                self.part(weights, 0, group * outputs, outputs)?,
                self.part(bias, 0, group * outputs, outputs)?,
            ];
            parts.push(self.build.conv(false, part, zero_points, window)?);
        }
        Ok(self.build.concat(&parts, 3)?)
    }

    /// Weights `[outputs, inputs of a group, kernel]` in TOSA's order, OHWI, or HWCM if every channel is a group.
    fn conv_weights(
        &mut self,
        weights: Id,
        groups: usize,
        channels: usize,
        [rows, columns]: [usize; 2],
    ) -> Outcome<(Id, bool)> {
        let outputs = self.extents(weights).first().copied().unwrap_or(0);
        let depthwise = groups > 1 && groups == channels;
        if depthwise {
            let split = self.build.reshape(weights, &[channels, outputs / channels, rows, columns])?;
            return Ok((self.build.transpose(split, &[2, 3, 0, 1])?, true));
        }
        let image = self.build.reshape(weights, &[outputs, channels / groups, rows, columns])?;
        Ok((self.build.transpose(image, &[0, 2, 3, 1])?, false))
    }

    /// The sums of a product by weights `[outputs, inputs]`, as a convolution of images of one column.
    pub(in crate::onnx) fn connected(&mut self, layer: &Layer) -> Outcome<Flow> {
        let x = self.plain(layer.x)?;
        let (shape, taps) = (self.extents(x), self.extents(layer.weights));
        let (&[outputs, inputs], Some((&last, rest))) = (&taps[..], shape.split_last()) else {
            return invalid(format!("weights {taps:?} on a tensor of shape {shape:?}"));
        };
        if last != inputs {
            return invalid(format!("weights {taps:?} on a tensor of shape {shape:?}"));
        }
        let bias = self.bias(layer, outputs)?;
        let (batch, rows) = rest.split_first().map_or((1, 1), |(&n, rows)| (n, rows.iter().product()));
        let image = self.build.reshape(x, &[batch, rows, 1, inputs])?;
        let weights = self.build.reshape(layer.weights, &[outputs, 1, 1, inputs])?;
        let made = self.build.conv(false, [image, weights, bias], layer.zero_points, &Window::UNIT)?;
        Ok(Flow::plain(self.build.reshape(made, &[rest, &[outputs]].concat())?))
    }
}
