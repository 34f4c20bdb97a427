//! Four products of an unsigned and a signed byte, added in 32 bits.
//!
//! Activations are biased by 128 to be unsigned; what a channel's sums start from takes that back. A group of four products is at
//! most 4 · 255 · 128 in magnitude, and `vpdpbusd` wraps where `vpdpbusds` would saturate.

use std::arch::x86_64::{
    __m512i, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_si512,
    _mm512_storeu_si512, _mm512_xor_si512,
};

use super::super::{LANES, Taps};

/// Most vectors of channels in a panel.
pub(in crate::kernel) const VECTORS: usize = 4;

/// Most pixels of a block: 24 of the 32 registers hold sums.
pub(in crate::kernel) fn pixels(vectors: usize) -> usize {
    match vectors {
        0..=2 => 12,
        3 => 8,
        _ => 6,
    }
}

/// See [`crate::kernel::Kernel::block`].
///
/// # Safety
/// `start` has 1 to [`VECTORS`] times [`LANES`] sums and `sums` as many for each pixel; `pixels` has 1 to [`pixels`] entries, which
/// together with `taps` lie within `activations`; `weights` holds `taps.steps()` groups of four for each of the sums.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::kernel) unsafe fn block(
    activations: &[u8],
    pixels: &[usize],
    taps: &Taps,
    weights: &[i8],
    start: &[i32],
    sums: &mut [i32],
) {
    macro_rules! of {
        ($($v:literal: $($n:literal)*;)*) => {
            match (start.len() / LANES, pixels.len()) {
                $($(
                    // SAFETY: the caller's promises are passed on.
                    ($v, $n) => unsafe { fixed::<$n, $v>(activations, pixels, taps, weights, start, sums) },
                )*)*
                _ => {}
            }
        };
    }
    of!(1: 1 2 3 4 5 6 7 8 9 10 11 12;
        2: 1 2 3 4 5 6 7 8 9 10 11 12;
        3: 1 2 3 4 5 6 7 8;
        4: 1 2 3 4 5 6;);
}

/// [`block`] for a number of pixels and of vectors.
///
/// # Safety
/// As for [`block`], with `P` pixels and `V` vectors.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn fixed<const P: usize, const V: usize>(
    activations: &[u8],
    pixels: &[usize],
    taps: &Taps,
    weights: &[i8],
    start: &[i32],
    sums: &mut [i32],
) {
    let Some(pixels) = pixels.first_chunk::<P>() else { return };
    let bias = _mm512_set1_epi32(i32::from_ne_bytes([0x80; 4]));
    let mut first = [_mm512_setzero_si512(); V];
    for (v, sums) in first.iter_mut().enumerate() {
        // SAFETY: `start` has 16 sums for each vector.
        *sums = unsafe { _mm512_loadu_si512(start.as_ptr().add(LANES * v).cast()) };
    }
    let mut acc = [first; P];
    let mut weights = weights.as_ptr();
    for &offset in taps.offsets() {
        let mut at = pixels.map(|pixel| activations.as_ptr().wrapping_add(pixel + offset));
        for _ in 0..taps.groups() {
            let mut w: [__m512i; V] = [_mm512_setzero_si512(); V];
            for (v, w) in w.iter_mut().enumerate() {
                // SAFETY: there are four weights for each channel, for each group of each tap.
                *w = unsafe { _mm512_loadu_si512(weights.add(4 * LANES * v).cast()) };
            }
            for (row, at) in acc.iter_mut().zip(&at) {
                // SAFETY: every group of every tap of every pixel lies within the activations.
                let x = _mm512_set1_epi32(unsafe { at.cast::<i32>().read_unaligned() });
                let x = _mm512_xor_si512(x, bias);
                for (sums, w) in row.iter_mut().zip(w) {
                    *sums = _mm512_dpbusd_epi32(*sums, x, w);
                }
            }
            at = at.map(|at| at.wrapping_add(4));
            weights = weights.wrapping_add(4 * LANES * V);
        }
    }
    for (p, row) in acc.iter().enumerate() {
        for (v, value) in row.iter().enumerate() {
            // SAFETY: `sums` has 16 sums for each vector of each pixel.
            unsafe { _mm512_storeu_si512(sums.as_mut_ptr().add((p * V + v) * LANES).cast(), *value) };
        }
    }
}
