//! Poolings. Invariant: windows are those of ONNX; what TOSA has no attribute for becomes padding or maxima of slices.

use strum_float::{PoolKind, Window};

use super::window::{Sliding, sliding};
use crate::onnx::call::{Call, one};
use crate::onnx::node::Node;
use crate::onnx::trouble::{Outcome, invalid, unsupported};
use crate::onnx::value::{Flow, Net, Value};
use crate::tosa::{Elem, Id};

/// `MaxPool` and `AveragePool`.
pub(in crate::onnx) fn pool(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let node = &call.node;
    if node.kind() == "AveragePool" {
        let x = call.floats(net, 0)?;
        let pooling = average(net, node, x)?;
        return one(net.pooled(x, &pooling)?);
    }
    let x = net.flow(call.moved(net, 0)?)?;
    node.ignore(&["storage_order"]);
    let pooling = Pooling {
        kind: PoolKind::Max,
        padding_counts: false,
        ceil: node.flag("ceil_mode", false)?,
        sliding: of_image(net, node, x)?,
        zero_point: 0,
    };
    one(net.pooled(x, &pooling)?)
}

/// `LpPool`: sums of powers are means over whole windows, times their taps.
pub(in crate::onnx) fn norms(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let (node, x) = (&call.node, call.floats(net, 0)?);
    let p = node.int("p", 2)?;
    let mut sliding = of_image(net, node, x)?;
    if node.flag("ceil_mode", false)? {
        // What is added counts as zeros, like other padding.
        let (image, _) = net.image(x)?;
        net.round_up(image, sliding.kernel, &mut sliding.window)?;
    }
    let size = net.unary("abs", x)?;
    let powers = match p {
        1 => size,
        2 => net.binary("mul", x, x)?,
        3..=16 => {
            #[allow(clippy::cast_precision_loss, reason = "at most 16")]
            let exponent = p as f32;
            net.with_number("pow", size, exponent)?
        }
        _ => return unsupported(format!("the attribute 'p' must be 1 to 16, got {p}")),
    };
    let pooling =
        Pooling { kind: PoolKind::Average, padding_counts: true, ceil: false, sliding, zero_point: 0 };
    let mean = net.pooled(powers, &pooling)?;
    #[allow(clippy::cast_precision_loss, reason = "windows are small")]
    let taps = sliding.kernel.iter().map(|&k| k as f32).product();
    let sum = net.with_number("mul", mean, taps)?;
    #[allow(clippy::cast_precision_loss, reason = "at most 16")]
    let root = 1.0 / p as f32;
    one(if p == 1 { sum } else { net.with_number("pow", sum, root)? })
}

fn of_image(net: &Net, node: &Node<'_>, x: Flow) -> Outcome<Sliding> {
    let shape = net.shape(x);
    match shape.get(2..).zip(node.extents("kernel_shape", 1)?) {
        Some((space, kernel)) => sliding(node, space, &kernel),
        None => invalid(format!("a kernel for an image of shape {shape:?} expected")),
    }
}

/// The pooling of an `AveragePool`, of floats or of codes with a meaning.
pub(in crate::onnx) fn average(net: &Net, node: &Node<'_>, x: Flow) -> Outcome<Pooling> {
    Ok(Pooling {
        kind: PoolKind::Average,
        padding_counts: node.flag("count_include_pad", false)?,
        ceil: node.flag("ceil_mode", false)?,
        sliding: of_image(net, node, x)?,
        zero_point: x.codes.map_or(0, |codes| codes.zero_point),
    })
}

/// `GlobalAveragePool` and `GlobalMaxPool`.
pub(in crate::onnx) fn global(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    if call.node.kind() == "GlobalMaxPool" {
        let x = net.flow(call.moved(net, 0)?)?;
        let axes: Vec<usize> = (2..net.shape(x).len()).collect();
        return one(net.reduce("reduce_max", x, &axes)?);
    }
    let x = call.floats(net, 0)?;
    let axes: Vec<usize> = (2..net.shape(x).len()).collect();
    one(net.mean(x, &axes)?)
}

/// A pooling.
#[derive(Clone, Copy, Debug)]
pub(in crate::onnx) struct Pooling {
    pub(in crate::onnx) kind: PoolKind,
    /// Padding counts as zeros in a mean.
    pub(in crate::onnx) padding_counts: bool,
    /// The number of positions is rounded up.
    pub(in crate::onnx) ceil: bool,
    pub(in crate::onnx) sliding: Sliding,
    /// The code of 0 in a mean of codes.
    pub(in crate::onnx) zero_point: i32,
}

impl Net {
    /// The mean of an image of two dimensions.
    pub(in crate::onnx) fn global_mean(&mut self, x: Flow) -> Outcome<Flow> {
        let id = self.last(x)?;
        let kernel = match *self.extents(id).as_slice() {
            [_, h, w, _] => [h, w],
            ref shape => return invalid(format!("an image expected, got a tensor of shape {shape:?}")),
        };
        Ok(x.with(self.build.pool(PoolKind::Average, id, kernel, &Window::UNIT, 0)?, true))
    }

    /// A pooling of floats, or the maxima of codes.
    pub(in crate::onnx) fn pooled(&mut self, x: Flow, pooling: &Pooling) -> Outcome<Flow> {
        let (mut id, flat) = self.image(x)?;
        let Sliding { mut kernel, mut window } = pooling.sliding;
        if pooling.ceil {
            self.round_up(id, kernel, &mut window)?;
        }
        if pooling.padding_counts {
            // Only what the file asks for counts, not what rounding up adds.
            let counted = pooling.sliding.window;
            let zero = self.build.scalar(self.elem(id), pooling.zero_point)?;
            id = self.build.pad(id, &around(&counted), zero)?;
            let more = |axis: usize| {
                let pick = |pair: &[usize; 2]| pair.get(axis).copied().unwrap_or(0);
                pick(&window.after).saturating_sub(pick(&counted.after))
            };
            (window.after, window.before) = ([more(0), more(1)], [0, 0]);
        }
        if window.dilation != [1, 1] && kernel != [1, 1] {
            if pooling.kind == PoolKind::Average {
                return unsupported("dilations of a mean are not supported");
            }
            (id, kernel, window) = self.dilated_maxima(id, kernel, &window)?;
        }
        let window = Window { dilation: [1, 1], ..window };
        let beyond = |pair: [usize; 2]| pair.iter().zip(&kernel).any(|(p, k)| p >= k);
        if beyond(window.before) || beyond(window.after) {
            return unsupported(format!("padding of a pooling must be less than its kernel of {kernel:?}"));
        }
        let made = self.build.pool(pooling.kind, id, kernel, &window, pooling.zero_point)?;
        self.of_file(x, made, flat)
    }

    /// Padding behind the image for a number of positions that is rounded up; a window in padding alone is left out.
    pub(in crate::onnx) fn round_up(
        &self,
        image: Id,
        kernel: [usize; 2],
        window: &mut Window,
    ) -> Outcome<()> {
        let shape = self.extents(image);
        for axis in 0..2 {
            let at = |pair: &[usize; 2]| pair.get(axis).copied().unwrap_or(1);
            let (extent, stride) = (shape.get(axis + 1).copied().unwrap_or(1), at(&window.stride));
            let reach = (at(&kernel) - 1).saturating_mul(at(&window.dilation)).saturating_add(1);
            let before = at(&window.before);
            let padded = extent.saturating_add(before).saturating_add(at(&window.after));
            let Some(rest) = padded.checked_sub(reach) else {
                return invalid(format!("a window of {kernel:?} does not fit an image of {shape:?}"));
            };
            let mut last = rest.div_ceil(stride).saturating_mul(stride);
            if last >= extent.saturating_add(before) {
                last = last.saturating_sub(stride);
            }
            let end = last.saturating_add(reach);
            let after =
                end.saturating_sub(extent.saturating_add(before)).max(at(&window.after).min(reach - 1));
            window.after.get_mut(axis).into_iter().for_each(|a| *a = after);
        }
        Ok(())
    }

    /// The maxima of a dilated kernel: those of slices, along each axis. What is left is a kernel of one tap with strides.
    fn dilated_maxima(
        &mut self,
        image: Id,
        kernel: [usize; 2],
        window: &Window,
    ) -> Outcome<(Id, [usize; 2], Window)> {
        if self.elem(image) != Elem::F32 {
            return unsupported("dilations of a maximum of codes are not supported");
        }
        let least = self.build.floats(&[1], &[f32::MIN])?;
        let mut id = self.build.pad(image, &around(window), least)?;
        for axis in 0..2 {
            let at = |pair: &[usize; 2]| pair.get(axis).copied().unwrap_or(1);
            let (taps, dilation) = (at(&kernel), at(&window.dilation));
            let extent = self.extents(id).get(axis + 1).copied().unwrap_or(0);
            let Some(count) = (taps - 1).checked_mul(dilation).and_then(|reach| extent.checked_sub(reach))
            else {
                return invalid(format!("a window of {kernel:?} does not fit an image of {extent}"));
            };
            if count == 0 {
                return invalid(format!("a window of {kernel:?} does not fit an image of {extent}"));
            }
            // The maxima of twice as many taps are those of two positions.
            let (mut best, mut covered) = (id, 1);
            while covered < taps {
                let more = covered.min(taps - covered);
                let left = self.extents(best).get(axis + 1).copied().unwrap_or(0);
                let kept = left - more * dilation;
                let (a, b) =
                    (self.part(best, axis + 1, 0, kept)?, self.part(best, axis + 1, more * dilation, kept)?);
                best = self.build.binary("maximum", a, b)?;
                covered += more;
            }
            id = best;
        }
        Ok((id, [1, 1], Window { stride: window.stride, ..Window::UNIT }))
    }
}

/// A window's padding of an image.
fn around(window: &Window) -> [[usize; 2]; 4] {
    let ([top, left], [bottom, right]) = (window.before, window.after);
    [[0, 0], [top, bottom], [left, right], [0, 0]]
}
