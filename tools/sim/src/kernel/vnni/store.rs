//! Per-channel scaling of sums to stored bytes.
//!
//! A product has 64 bits, so a vector of sums is scaled in two halves: the sums at even and those at odd positions.

use std::arch::x86_64::{
    __m512i, __mmask16, _mm_mask_storeu_epi8, _mm_storeu_si128, _mm512_add_epi32, _mm512_add_epi64,
    _mm512_cvtepi32_epi8, _mm512_loadu_si512, _mm512_mask_blend_epi32, _mm512_mask_blend_epi64,
    _mm512_max_epi32, _mm512_min_epi32, _mm512_movepi64_mask, _mm512_mul_epi32, _mm512_permutex2var_epi64,
    _mm512_set1_epi32, _mm512_setr_epi64, _mm512_setzero_si512, _mm512_slli_epi64, _mm512_srav_epi64,
    _mm512_srli_epi64, _mm512_sub_epi64,
};

use super::super::LANES;
use super::super::scale::{Block, Finish, Scales};

/// See [`crate::kernel::Kernel::store_scaled`].
///
/// # Safety
/// `block.row` is a multiple of [`LANES`] and at least `block.channels`; `block.sums` has a row for each of `at`; `scales` has the
/// channels from `block.first` on, a whole row of them; `to` has `block.channels` bytes from each of `at` on.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::kernel) unsafe fn store_scaled(
    block: Block<'_>,
    scales: &Scales,
    finish: Finish,
    to: &mut [u8],
    at: &[usize],
) {
    // SAFETY: guaranteed by the caller.
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
        // The rounding addends of negative products, and of others.
        let [minus_even, minus_odd] = [0, 1].map(|i| _mm512_sub_epi64(half[i], second[i]));
        let [plus_even, plus_odd] = [0, 1].map(|i| _mm512_add_epi64(half[i], second[i]));
        let multiplier_odd = _mm512_srli_epi64::<32>(multiplier);
        let left = (block.channels - start).min(LANES);
        let mask = (1u32 << left).wrapping_sub(1) as __mmask16;
        for (p, &at) in at.iter().enumerate() {
            // SAFETY: there is a row of sums for each pixel.
            let sums = unsafe { _mm512_loadu_si512(block.sums.as_ptr().add(p * block.row + start).cast()) };
            let even = _mm512_mul_epi32(sums, multiplier);
            let odd = _mm512_mul_epi32(_mm512_srli_epi64::<32>(sums), multiplier_odd);
            let even = _mm512_srav_epi64(rounded::<DOUBLE>(even, plus_even, minus_even), shift_even);
            let odd = _mm512_srav_epi64(rounded::<DOUBLE>(odd, plus_odd, minus_odd), shift_odd);
            let value = _mm512_add_epi32(joined(even, odd), zero_point);
            let bytes = _mm512_cvtepi32_epi8(_mm512_min_epi32(_mm512_max_epi32(value, lo), hi));
            // SAFETY: `to` has the bytes of all channels of each pixel; the mask excludes those beyond.
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

/// The values at even and at odd positions of sixteen.
///
/// # Safety
/// `from` has sixteen values.
#[target_feature(enable = "avx512f")]
unsafe fn parted(from: *const i64) -> [__m512i; 2] {
    // SAFETY: guaranteed by the caller.
    let (a, b) = unsafe { (_mm512_loadu_si512(from.cast()), _mm512_loadu_si512(from.add(8).cast())) };
    let even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
    let odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
    [_mm512_permutex2var_epi64(a, even, b), _mm512_permutex2var_epi64(a, odd, b)]
}

/// Adds the rounding term of a product; with `DOUBLE`, negative products have a separate term.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
pub(super) fn rounded<const DOUBLE: bool>(product: __m512i, plus: __m512i, minus: __m512i) -> __m512i {
    let negative = if DOUBLE { _mm512_movepi64_mask(product) } else { 0 };
    _mm512_add_epi64(product, _mm512_mask_blend_epi64(negative, plus, minus))
}

/// The low halves of the values at even and at odd positions, in order.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn joined(even: __m512i, odd: __m512i) -> __m512i {
    _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64::<32>(odd))
}
