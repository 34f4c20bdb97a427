//! The portable kernel, vectorized by the compiler.

use super::{LANES, Taps};

/// Maximum pixels of a block.
pub(super) const PIXELS: usize = 4;

/// See [`super::Kernel::block`].
pub(super) fn block(
    activations: &[i16],
    pixels: &[usize],
    taps: &Taps,
    weights: &[i16],
    start: &[i32],
    sums: &mut [i32],
) {
    let groups = taps.groups();
    for (&pixel, sums) in pixels.iter().zip(sums.chunks_exact_mut(LANES)) {
        let mut acc = [0i32; LANES];
        for (to, from) in acc.iter_mut().zip(start) {
            *to = *from;
        }
        for (offset, weights) in taps.offsets().iter().zip(weights.chunks_exact(groups * 2 * LANES)) {
            let at = pixel + offset;
            let run = activations.get(at..at + 2 * groups).unwrap_or_default();
            for ([x, y], weights) in run.as_chunks().0.iter().zip(weights.as_chunks::<{ 2 * LANES }>().0) {
                let (x, y) = (i32::from(*x), i32::from(*y));
                for (sum, [v, w]) in acc.iter_mut().zip(weights.as_chunks().0) {
                    *sum = sum.wrapping_add(x * i32::from(*v) + y * i32::from(*w));
                }
            }
        }
        sums.copy_from_slice(&acc);
    }
}
