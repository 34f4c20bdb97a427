//! The kernel for AVX2: pairs of 16-bit products, added in 32 bits.
//!
//! A pair is at most 2 · 383 · 255 in magnitude, so nothing saturates or overflows before the sums wrap.

use std::arch::is_x86_feature_detected;
use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi32,
    _mm256_setzero_si256, _mm256_storeu_si256,
};

use super::{LANES, Taps, Vectorize};

/// Maximum pixels of a block: with two vectors each, 12 of the 16 registers.
pub(super) const PIXELS: usize = 6;

/// Whether the host supports the instructions.
pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx2")
}

/// Runs work compiled for AVX2.
#[target_feature(enable = "avx2")]
pub(super) fn vectorize<V: Vectorize>(work: V) -> V::Output {
    work.run()
}

/// See [`super::Kernel::block`].
///
/// # Safety
/// `pixels` has 1 to [`PIXELS`] entries, which together with `taps` lie within `activations`; `weights` holds `taps.steps()` groups
/// of [`LANES`] pairs; `start` has [`LANES`] sums and `sums` as many for each pixel.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn block(
    activations: &[i16],
    pixels: &[usize],
    taps: &Taps,
    weights: &[i16],
    start: &[i32],
    sums: &mut [i32],
) {
    macro_rules! of {
        ($($n:literal)*) => {
            match *pixels {
                $(
                    // SAFETY: guaranteed by the caller.
                    [..] if pixels.len() == $n => unsafe { fixed::<$n>(activations, pixels, taps, weights, start, sums) },
                )*
                _ => {}
            }
        };
    }
    of!(1 2 3 4 5 6);
}

/// [`block`] for a number of pixels.
///
/// # Safety
/// As for [`block`], with `P` pixels.
#[target_feature(enable = "avx2")]
unsafe fn fixed<const P: usize>(
    activations: &[i16],
    pixels: &[usize],
    taps: &Taps,
    weights: &[i16],
    start: &[i32],
    sums: &mut [i32],
) {
    let Some(pixels) = pixels.first_chunk::<P>() else { return };
    let mut acc = [[_mm256_setzero_si256(); 2]; P];
    for row in &mut acc {
        for (v, sums) in row.iter_mut().enumerate() {
            // SAFETY: `start` has 16 sums.
            *sums = unsafe { _mm256_loadu_si256(start.as_ptr().add(8 * v).cast()) };
        }
    }
    let mut weights = weights.as_ptr();
    for &offset in taps.offsets() {
        let mut at = pixels.map(|pixel| activations.as_ptr().wrapping_add(pixel + offset));
        for _ in 0..taps.groups() {
            // SAFETY: there are `LANES` pairs of weights for each group of each tap.
            let w: [__m256i; 2] = unsafe {
                [_mm256_loadu_si256(weights.cast()), _mm256_loadu_si256(weights.add(LANES).cast())]
            };
            for (row, at) in acc.iter_mut().zip(&at) {
                // SAFETY: every group of every tap of every pixel lies within the activations.
                let x = _mm256_set1_epi32(unsafe { at.cast::<i32>().read_unaligned() });
                for (sums, w) in row.iter_mut().zip(w) {
                    *sums = _mm256_add_epi32(*sums, _mm256_madd_epi16(x, w));
                }
            }
            at = at.map(|at| at.wrapping_add(2));
            weights = weights.wrapping_add(2 * LANES);
        }
    }
    for (p, row) in acc.iter().enumerate() {
        for (v, value) in row.iter().enumerate() {
            // SAFETY: `sums` has 16 sums for each pixel.
            unsafe { _mm256_storeu_si256(sums.as_mut_ptr().add(p * LANES + 8 * v).cast(), *value) };
        }
    }
}
