//! Poolings. Padding is excluded: a mean is over the taps inside the image.

use ndarray::IxDyn;

use crate::Tensor;
use crate::op::{Pool, PoolKind};

/// `[n, h, w, c]`.
pub(super) fn pool(pool: &Pool, image: &Tensor, shape: &[usize]) -> Option<Tensor> {
    let &[_, h, w, c] = <&[usize; 4]>::try_from(image.shape()).ok()?;
    let &[_, oh, ow, _] = <&[usize; 4]>::try_from(shape).ok()?;
    let mut result = Tensor::zeros(IxDyn(shape));
    let (input, output) = (image.as_slice()?, result.as_slice_mut()?);
    let mut sums = vec![0.0f64; c];
    for (image, output) in input.chunks(h * w * c).zip(output.chunks_mut(oh * ow * c)) {
        for (position, results) in output.chunks_mut(c).enumerate() {
            let rows = range(pool, 0, position / ow, h);
            let columns = range(pool, 1, position % ow, w);
            let taps = rows.len() * columns.len();
            match pool.kind {
                PoolKind::Average => sums.fill(0.0),
                PoolKind::Max => results.fill(f32::NEG_INFINITY),
            }
            for y in rows {
                for x in columns.clone() {
                    let pixel = image.get((y * w + x) * c..(y * w + x + 1) * c)?;
                    match pool.kind {
                        PoolKind::Average => {
                            sums.iter_mut().zip(pixel).for_each(|(sum, &x)| *sum += f64::from(x));
                        }
                        PoolKind::Max => {
                            results
                                .iter_mut()
                                .zip(pixel)
                                .for_each(|(max, &x)| *max = super::greater(*max, x));
                        }
                    }
                }
            }
            if pool.kind == PoolKind::Average {
                #[allow(clippy::cast_precision_loss, reason = "a kernel has far fewer than 2^52 taps")]
                let count = taps.max(1) as f64;
                #[allow(
                    clippy::cast_possible_truncation,
                    reason = "the result is a single-precision number"
                )]
                results.iter_mut().zip(&sums).for_each(|(mean, sum)| *mean = (sum / count) as f32);
            }
        }
    }
    Some(result)
}

/// The taps of a position that lie in the image, along one axis.
fn range(pool: &Pool, axis: usize, position: usize, size: usize) -> std::ops::Range<usize> {
    let pick = |pair: [usize; 2]| pair.get(axis).copied().unwrap_or(0);
    let (start, before) = (position * pick(pool.window.stride), pick(pool.window.before));
    let end = (start + pick(pool.kernel)).saturating_sub(before).min(size);
    start.saturating_sub(before).min(end)..end
}
