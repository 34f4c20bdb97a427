//! Convolutions and matrix products, on the library's matrix product.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, Ix3, IxDyn};

use crate::Tensor;
use crate::op::Window;

/// Maximum elements of a matrix of windows at a time: what fits the cache of a core.
const MAX_WINDOWS: usize = 1 << 18;

/// `[n, h, w, c]` with weights `[oc, kh, kw, c]`.
pub(super) fn conv2d(
    window: &Window,
    image: &Tensor,
    weights: &Tensor,
    bias: &Tensor,
    shape: &[usize],
) -> Option<Tensor> {
    let (&[_, h, w, c], &[oc, kh, kw, _]) = (four(image.shape())?, four(weights.shape())?);
    let &[n, oh, ow, _] = four(shape)?;
    let depth = kh.checked_mul(kw)?.checked_mul(c)?;
    let taps = ArrayView2::from_shape((oc, depth), weights.as_slice()?).ok()?;
    let mut result = filled(bias, shape)?;
    let (input, output) = (image.as_slice()?, result.as_slice_mut()?);
    let plain = [kh, kw] == [1, 1] && *window == Window::UNIT;
    if plain {
        let pixels = ArrayView2::from_shape((n.checked_mul(h)?.checked_mul(w)?, c), input).ok()?;
        let mut sums = ArrayViewMut2::from_shape((pixels.nrows(), oc), output).ok()?;
        general_mat_mul(1.0, &pixels, &taps.t(), 1.0, &mut sums);
        return Some(result);
    }
    let at_a_time = (MAX_WINDOWS / depth.max(1)).clamp(1, oh * ow);
    let mut windows = vec![0.0; at_a_time * depth];
    for (image, output) in input.chunks(h * w * c).zip(output.chunks_mut(oh * ow * oc)) {
        for (block, output) in output.chunks_mut(at_a_time * oc).enumerate() {
            let positions = output.len() / oc;
            let windows = windows.get_mut(..positions * depth)?;
            for (i, window_of) in windows.chunks_mut(depth).enumerate() {
                let position = block * at_a_time + i;
                gather(window, image, [h, w, c], kw, [position / ow, position % ow], window_of);
            }
            let windows = ArrayView2::from_shape((positions, depth), &*windows).ok()?;
            let mut sums = ArrayViewMut2::from_shape((positions, oc), output).ok()?;
            general_mat_mul(1.0, &windows, &taps.t(), 1.0, &mut sums);
        }
    }
    Some(result)
}

/// The window of one position; padding is zero.
pub(crate) fn gather(
    window: &Window,
    image: &[f32],
    [h, w, c]: [usize; 3],
    kw: usize,
    [oy, ox]: [usize; 2],
    window_of: &mut [f32],
) {
    for (tap, to) in window_of.chunks_mut(c).enumerate() {
        let y = place(window, 0, oy, tap / kw, h);
        let x = place(window, 1, ox, tap % kw, w);
        match (y, x) {
            (Some(y), Some(x)) => {
                if let Some(from) = image.get((y * w + x) * c..(y * w + x + 1) * c) {
                    to.copy_from_slice(from);
                }
            }
            _ => to.fill(0.0),
        }
    }
}

/// The location of a position's tap in the image; none if in the padding.
fn place(window: &Window, axis: usize, position: usize, tap: usize, size: usize) -> Option<usize> {
    let pick = |pair: [usize; 2]| pair.get(axis).copied().unwrap_or(0);
    let at = position * pick(window.stride) + tap * pick(window.dilation);
    at.checked_sub(pick(window.before)).filter(|&at| at < size)
}

/// `[n, h, w, c]` with weights `[kh, kw, c, m]`.
pub(super) fn depthwise(
    window: &Window,
    image: &Tensor,
    weights: &Tensor,
    bias: &Tensor,
    shape: &[usize],
) -> Option<Tensor> {
    let (&[_, h, w, c], &[kh, kw, _, m]) = (four(image.shape())?, four(weights.shape())?);
    let &[_, oh, ow, oc] = four(shape)?;
    let mut result = filled(bias, shape)?;
    let (input, taps, output) = (image.as_slice()?, weights.as_slice()?, result.as_slice_mut()?);
    for (image, output) in input.chunks(h * w * c).zip(output.chunks_mut(oh * ow * oc)) {
        for (position, sums) in output.chunks_mut(oc).enumerate() {
            let (oy, ox) = (position / ow, position % ow);
            for tap in 0..kh * kw {
                let y = place(window, 0, oy, tap / kw, h);
                let x = place(window, 1, ox, tap % kw, w);
                let (Some(y), Some(x)) = (y, x) else { continue };
                let pixel = image.get((y * w + x) * c..(y * w + x + 1) * c)?;
                let taps = taps.get(tap * oc..(tap + 1) * oc)?;
                if m == 1 {
                    for ((sum, &x), &w) in sums.iter_mut().zip(pixel).zip(taps) {
                        *sum += x * w;
                    }
                } else {
                    for ((sums, &x), taps) in sums.chunks_mut(m).zip(pixel).zip(taps.chunks(m)) {
                        sums.iter_mut().zip(taps).for_each(|(sum, &w)| *sum += x * w);
                    }
                }
            }
        }
    }
    Some(result)
}

/// `[n, h, k]` times `[n, k, w]`.
pub(super) fn matmul(a: &Tensor, b: &Tensor, shape: &[usize]) -> Option<Tensor> {
    let mut result = Tensor::zeros(IxDyn(shape));
    {
        let a = a.view().into_dimensionality::<Ix3>().ok()?;
        let b = b.view().into_dimensionality::<Ix3>().ok()?;
        let mut sums = result.view_mut().into_dimensionality::<Ix3>().ok()?;
        for ((mut sums, a), b) in
            sums.axis_iter_mut(Axis(0)).zip(a.axis_iter(Axis(0))).zip(b.axis_iter(Axis(0)))
        {
            let mut product = Array2::zeros(sums.raw_dim());
            general_mat_mul(1.0, &a, &b, 0.0, &mut product);
            sums.assign(&product);
        }
    }
    Some(result)
}

/// A tensor filled with the bias of each channel; a bias of one element applies to all channels.
fn filled(bias: &Tensor, shape: &[usize]) -> Option<Tensor> {
    let channels = *shape.last()?;
    let row: Vec<f32> = match bias.len() {
        1 => vec![*bias.first()?; channels],
        _ => bias.iter().copied().collect(),
    };
    let pixels = shape.iter().product::<usize>() / channels.max(1);
    Tensor::from_shape_vec(IxDyn(shape), row.repeat(pixels)).ok()
}

fn four(shape: &[usize]) -> Option<&[usize; 4]> {
    shape.try_into().ok()
}
