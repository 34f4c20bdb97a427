//! Depthwise convolution: 16-bit products, added in 32 bits, one channel per lane.
//!
//! An activation fills its lane, sign-extended; a weight is paired with a 0, so that one of a lane's two products
//! is 0.

use std::arch::x86_64::{
    __m512i, __mmask16, _mm_maskz_loadu_epi8, _mm256_maskz_loadu_epi16, _mm512_cvtepi8_epi32,
    _mm512_cvtepu16_epi32, _mm512_dpwssd_epi32, _mm512_maskz_loadu_epi32, _mm512_storeu_si512,
};

use super::super::{Depthwise, LANES};

/// Pixels that share the load of a weight.
const PIXELS: usize = 8;

/// See [`crate::kernel::Kernel::depthwise`].
///
/// # Safety
/// From every tap of every pixel on, `activations` has one byte per channel; `layer.weights` has one weight per channel
/// for each tap; `sums` has a row per pixel with one sum per channel, rounded up to whole [`LANES`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::kernel) unsafe fn depthwise(
    activations: &[u8],
    pixels: &[usize],
    layer: Depthwise<'_>,
    sums: &mut [i32],
) {
    let channels = layer.start.len();
    let row = channels.next_multiple_of(LANES);
    for first in (0..channels).step_by(LANES) {
        let (blocks, rest) = pixels.as_chunks::<PIXELS>();
        let mut to = sums.as_mut_ptr().wrapping_add(first);
        for block in blocks {
            // SAFETY: guaranteed by the caller.
            unsafe { fixed(activations, block, layer, (first, row), to) };
            to = to.wrapping_add(PIXELS * row);
        }
        for pixel in rest {
            // SAFETY: as above.
            unsafe { fixed(activations, &[*pixel], layer, (first, row), to) };
            to = to.wrapping_add(row);
        }
    }
}

/// One vector of channels from `first` on, for `P` pixels.
///
/// # Safety
/// As for [`depthwise`]; `to` is where the sums of the first pixel's channel `first` go.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn fixed<const P: usize>(
    activations: &[u8],
    pixels: &[usize; P],
    layer: Depthwise<'_>,
    (first, row): (usize, usize),
    to: *mut i32,
) {
    let channels = layer.start.len();
    let left = (channels - first).min(LANES);
    let mask = (1u32 << left).wrapping_sub(1) as __mmask16;
    // SAFETY: there are `left` more channels.
    let start = unsafe { _mm512_maskz_loadu_epi32(mask, layer.start.as_ptr().add(first)) };
    let mut acc: [__m512i; P] = [start; P];
    let mut weights = layer.weights.as_ptr().wrapping_add(first);
    for tap in layer.taps {
        // SAFETY: each tap has a weight for each channel.
        let w = _mm512_cvtepu16_epi32(unsafe { _mm256_maskz_loadu_epi16(mask, weights) });
        weights = weights.wrapping_add(channels);
        for (acc, pixel) in acc.iter_mut().zip(pixels) {
            let at = activations.as_ptr().wrapping_add(pixel + tap + first);
            // SAFETY: every tap of every pixel has all channels.
            let x = _mm512_cvtepi8_epi32(unsafe { _mm_maskz_loadu_epi8(mask, at.cast()) });
            *acc = _mm512_dpwssd_epi32(*acc, x, w);
        }
    }
    for (p, acc) in acc.iter().enumerate() {
        // SAFETY: rows of sums are whole vectors.
        unsafe { _mm512_storeu_si512(to.add(p * row).cast(), *acc) };
    }
}
