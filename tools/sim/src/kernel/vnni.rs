//! The kernel for AVX-512 with VNNI: four products of an unsigned and a signed byte, added in 32 bits.
//!
//! Activations are biased by 128 to be unsigned; what a channel's sums start from takes that back. A group of four products is at
//! most 4 · 255 · 128 in magnitude, and `vpdpbusd` wraps where `vpdpbusds` would saturate.

use std::arch::is_x86_feature_detected;
use std::arch::x86_64::{
    __m512i, __mmask16, _mm_mask_storeu_epi8, _mm_storeu_si128, _mm512_add_epi32, _mm512_add_epi64,
    _mm512_cvtepi32_epi8, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_mask_blend_epi32,
    _mm512_mask_blend_epi64, _mm512_max_epi32, _mm512_min_epi32, _mm512_movepi64_mask, _mm512_mul_epi32,
    _mm512_permutex2var_epi64, _mm512_set1_epi32, _mm512_setr_epi64, _mm512_setzero_si512, _mm512_slli_epi64,
    _mm512_srav_epi64, _mm512_srli_epi64, _mm512_storeu_si512, _mm512_sub_epi64, _mm512_xor_si512,
};

use super::scale::{Block, Finish, Scales};
use super::{LANES, Taps, Vectorize};

/// Most vectors of channels in a panel.
pub(super) const VECTORS: usize = 4;

/// Most pixels of a block: 24 of the 32 registers hold sums.
pub(super) fn pixels(vectors: usize) -> usize {
    match vectors {
        0..=2 => 12,
        3 => 8,
        _ => 6,
    }
}

/// Whether the host has the instructions.
pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
}

/// Runs work compiled for AVX-512.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn vectorize<V: Vectorize>(work: V) -> V::Output {
    work.run()
}

/// See [`super::Kernel::block`].
///
/// # Safety
/// `start` has 1 to [`VECTORS`] times [`LANES`] sums and `sums` as many for each pixel; `pixels` has 1 to [`pixels`] entries, which
/// together with `taps` lie within `activations`; `weights` holds `taps.steps()` groups of four for each of the sums.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn block(
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

/// See [`super::Kernel::store_scaled`].
///
/// # Safety
/// `block.row` is a multiple of [`LANES`] and at least `block.channels`; `block.sums` has a row for each of `at`; `scales` has the
/// channels from `block.first` on, a whole row of them; `to` has `block.channels` bytes from each of `at` on.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn store_scaled(
    block: Block<'_>,
    scales: &Scales,
    finish: Finish,
    to: &mut [u8],
    at: &[usize],
) {
    // SAFETY: the caller's promises are passed on.
    unsafe {
        if scales.second.is_empty() {
            store_rounded::<false>(block, scales, finish, to, at);
        } else {
            store_rounded::<true>(block, scales, finish, to, at);
        }
    }
}

/// [`store_scaled`], with double rounding or without.
///
/// # Safety
/// As for [`store_scaled`]; with `DOUBLE`, `scales.second` has the channels, too.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn store_rounded<const DOUBLE: bool>(
    block: Block<'_>,
    scales: &Scales,
    finish: Finish,
    to: &mut [u8],
    at: &[usize],
) {
    let [zero_point, lo, hi] = [finish.zero_point, finish.lo, finish.hi].map(|v| _mm512_set1_epi32(v));
    for start in (0..block.channels).step_by(LANES) {
        let channel = block.first + start;
        // SAFETY: the scales have a whole row of channels, and `start` is a multiple of `LANES` below its length.
        let (multiplier, [shift_even, shift_odd], half, second) = unsafe {
            (
                _mm512_loadu_si512(scales.multiplier.as_ptr().add(channel).cast()),
                parted(scales.shift.as_ptr().add(channel)),
                parted(scales.half.as_ptr().add(channel)),
                if DOUBLE {
                    parted(scales.second.as_ptr().add(channel))
                } else {
                    [_mm512_setzero_si512(); 2]
                },
            )
        };
        // What is added to products that are negative, and to others.
        let [minus_even, minus_odd] = [0, 1].map(|i| _mm512_sub_epi64(half[i], second[i]));
        let [plus_even, plus_odd] = [0, 1].map(|i| _mm512_add_epi64(half[i], second[i]));
        let round = |product: __m512i, plus: __m512i, minus: __m512i| {
            let negative = if DOUBLE { _mm512_movepi64_mask(product) } else { 0 };
            _mm512_add_epi64(product, _mm512_mask_blend_epi64(negative, plus, minus))
        };
        let multiplier_odd = _mm512_srli_epi64::<32>(multiplier);
        let left = (block.channels - start).min(LANES);
        let mask = (1u32 << left).wrapping_sub(1) as __mmask16;
        for (p, &at) in at.iter().enumerate() {
            // SAFETY: there is a row of sums for each pixel.
            let sums = unsafe { _mm512_loadu_si512(block.sums.as_ptr().add(p * block.row + start).cast()) };
            let even = _mm512_mul_epi32(sums, multiplier);
            let odd = _mm512_mul_epi32(_mm512_srli_epi64::<32>(sums), multiplier_odd);
            let even = _mm512_srav_epi64(round(even, plus_even, minus_even), shift_even);
            let odd = _mm512_srav_epi64(round(odd, plus_odd, minus_odd), shift_odd);
            let scaled = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64::<32>(odd));
            let value = _mm512_add_epi32(scaled, zero_point);
            let bytes = _mm512_cvtepi32_epi8(_mm512_min_epi32(_mm512_max_epi32(value, lo), hi));
            // SAFETY: `to` has the bytes of all channels of each pixel; a mask leaves out those beyond.
            unsafe {
                let to = to.as_mut_ptr().add(at + start);
                if left == LANES {
                    _mm_storeu_si128(to.cast(), bytes);
                } else {
                    _mm_mask_storeu_epi8(to.cast(), mask, bytes);
                }
            }
        }
    }
}

/// The values of even and of odd positions of sixteen.
///
/// # Safety
/// `from` has sixteen values.
#[target_feature(enable = "avx512f")]
unsafe fn parted(from: *const i64) -> [__m512i; 2] {
    // SAFETY: the caller's promise.
    let (a, b) = unsafe { (_mm512_loadu_si512(from.cast()), _mm512_loadu_si512(from.add(8).cast())) };
    let even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
    let odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
    [_mm512_permutex2var_epi64(a, even, b), _mm512_permutex2var_epi64(a, odd, b)]
}
