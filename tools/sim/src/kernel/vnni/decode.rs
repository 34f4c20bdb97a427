//! Packed weights: high bytes and low levels are spread to their members by the mask of the block.

use std::arch::is_x86_feature_detected;
use std::arch::x86_64::{
    __m512i, _mm512_and_si512, _mm512_loadu_si512, _mm512_mask_permutexvar_epi8, _mm512_mask_storeu_epi8,
    _mm512_maskz_expand_epi8, _mm512_maskz_loadu_epi8, _mm512_movepi8_mask, _mm512_multishift_epi64_epi8,
    _mm512_or_si512, _mm512_permutexvar_epi8, _mm512_set1_epi8, _mm512_test_epi8_mask,
};

use crate::kernel::decode::Blocks;

/// Whether the host supports the additional instructions of [`decode`].
pub(in crate::kernel) fn can_decode() -> bool {
    is_x86_feature_detected!("avx512vbmi") && is_x86_feature_detected!("avx512vbmi2")
}

/// See [`crate::kernel::Kernel::decode`].
///
/// # Safety
/// `packed` has `channels.div_ceil(blocks.block)` blocks for each of the taps, of which `out` has the members.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
pub(in crate::kernel) unsafe fn decode(
    blocks: &Blocks,
    packed: &[u8],
    channels: usize,
    out: &mut [i8],
) -> Option<u64> {
    let Blocks { block, low, mask: known, code_bits, bytes, ref levels, ref reserved } = *blocks;
    let mask_bytes = if known.is_some() { 0 } else { block / 8 };
    let high = block - low;
    // SAFETY: both tables have 64 bytes.
    let (levels, reserved) =
        unsafe { (_mm512_loadu_si512(levels.as_ptr().cast()), _mm512_loadu_si512(reserved.as_ptr().cast())) };
    // Eight codes take `code_bits` bytes: each group of eight goes to its own lane, and each code there to its byte.
    let (group, place) =
        (spread(|i| (i / 8 * code_bits + i % 8) as u8), spread(|i| (i % 8 * code_bits) as u8));
    let code = _mm512_set1_epi8(((1u16 << code_bits) - 1) as i8);
    let (mut from, mut found) = (packed.as_ptr(), 0u64);
    for tap in out.chunks_exact_mut(channels) {
        for members in tap.chunks_mut(block) {
            // SAFETY: there is a block of `bytes` bytes for these members, of which these are parts.
            let (mask, high_codes, low_codes) = unsafe {
                let mask = known.unwrap_or_else(|| {
                    (0..mask_bytes).fold(0, |mask, i| mask | u64::from(*from.add(i)) << (8 * i))
                });
                let high_codes = _mm512_maskz_loadu_epi8(ones(high), from.add(mask_bytes).cast());
                let low_bytes = code_bits * low / 8;
                let low_codes = _mm512_maskz_loadu_epi8(ones(low_bytes), from.add(mask_bytes + high).cast());
                from = from.add(bytes);
                (mask, high_codes, low_codes)
            };
            let low_codes = _mm512_multishift_epi64_epi8(place, _mm512_permutexvar_epi8(group, low_codes));
            let low_codes = _mm512_and_si512(low_codes, code);
            let low_mask = ones(block) & !mask;
            let high_codes = _mm512_maskz_expand_epi8(mask, high_codes);
            let low_codes = _mm512_maskz_expand_epi8(low_mask, low_codes);
            let real = ones(members.len());
            let codes = _mm512_or_si512(high_codes, low_codes);
            let used = _mm512_test_epi8_mask(codes, codes);
            let illegal = _mm512_movepi8_mask(_mm512_permutexvar_epi8(low_codes, reserved)) & low_mask & real;
            if mask.count_ones() as usize != high || illegal != 0 || used & !real != 0 {
                return None;
            }
            let values = _mm512_mask_permutexvar_epi8(high_codes, low_mask, low_codes, levels);
            // SAFETY: the mask excludes all but the members.
            unsafe { _mm512_mask_storeu_epi8(members.as_mut_ptr(), real, values) };
            found += u64::from((low_mask & real).count_ones());
        }
    }
    Some(found)
}

/// The lowest `n` bits, at most 64.
fn ones(n: usize) -> u64 {
    u64::MAX.checked_shr(64 - n.min(64) as u32).unwrap_or(0)
}

/// A vector of these bytes.
#[target_feature(enable = "avx512f")]
fn spread(byte: impl Fn(usize) -> u8) -> __m512i {
    let bytes: [u8; 64] = std::array::from_fn(byte);
    // SAFETY: there are 64 bytes.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}
