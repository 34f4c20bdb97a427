//! Element-wise operators on bytes, scalings included, entirely in registers.

use std::arch::x86_64::{
    __m128i, __m512i, __mmask16, _mm_cvtsi64_si128, _mm_loadu_si128, _mm_mask_storeu_epi8,
    _mm_maskz_loadu_epi8, _mm_storeu_si128, _mm512_add_epi32, _mm512_cvtepi8_epi32, _mm512_cvtepi32_epi8,
    _mm512_max_epi32, _mm512_min_epi32, _mm512_mul_epi32, _mm512_mullo_epi32, _mm512_set1_epi32,
    _mm512_set1_epi64, _mm512_sra_epi64, _mm512_srli_epi64, _mm512_sub_epi32,
};

use dpu_isa::BinaryOp;

use super::super::LANES;
use super::super::binary::Binary;
use super::store::{joined, rounded};
use crate::numerics::Scale;

/// A scale in registers.
#[derive(Clone, Copy)]
struct Uniform {
    multiplier: __m512i,
    shift: __m128i,
    /// The rounding addends of non-negative products, and of negative ones.
    plus: __m512i,
    minus: __m512i,
}

impl Uniform {
    #[target_feature(enable = "avx512f")]
    fn new(scale: Scale) -> Uniform {
        let [multiplier, shift, half, second] = scale.parts();
        Uniform {
            multiplier: _mm512_set1_epi64(multiplier),
            shift: _mm_cvtsi64_si128(shift),
            plus: _mm512_set1_epi64(half + second),
            minus: _mm512_set1_epi64(half - second),
        }
    }
}

/// See [`crate::kernel::Kernel::binary`].
///
/// # Safety
/// `len` bytes from each of `at` on lie within `memory`, which nobody else uses.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::kernel) unsafe fn binary(memory: &mut [u8], at: [usize; 3], len: usize, x: &Binary) {
    let double = x.scales.iter().flatten().any(Scale::rounds_twice);
    // SAFETY: guaranteed by the caller.
    unsafe {
        if double {
            rounded_binary::<true>(memory, at, len, x);
        } else {
            rounded_binary::<false>(memory, at, len, x);
        }
    }
}

/// [`binary`], with double rounding in some scale or in none.
///
/// # Safety
/// As for [`binary`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn rounded_binary<const DOUBLE: bool>(memory: &mut [u8], at: [usize; 3], len: usize, x: &Binary) {
    let [a_scale, b_scale, scale] = x.scales.map(|s| s.map(|s| Uniform::new(s)));
    let [a_zp, b_zp] = x.zero_points.map(|v| _mm512_set1_epi32(v));
    let [zero_point, lo, hi] = [x.finish.zero_point, x.finish.lo, x.finish.hi].map(|v| _mm512_set1_epi32(v));
    let memory = memory.as_mut_ptr();
    let [a, b, out] = at;
    for i in (0..len).step_by(LANES) {
        let left = (len - i).min(LANES);
        // SAFETY: the operands have `left` more bytes.
        let (a, b) = unsafe { (load(memory.add(a + i), left), load(memory.add(b + i), left)) };
        let a = scaled::<DOUBLE>(_mm512_sub_epi32(a, a_zp), a_scale);
        let b = scaled::<DOUBLE>(_mm512_sub_epi32(b, b_zp), b_scale);
        let y = match x.op {
            BinaryOp::Sub => _mm512_sub_epi32(a, b),
            BinaryOp::Mul => _mm512_mullo_epi32(a, b),
            BinaryOp::Max => _mm512_max_epi32(a, b),
            BinaryOp::Min => _mm512_min_epi32(a, b),
            // `Kernel::binary` refuses all others.
            BinaryOp::Add
            | BinaryOp::Asr
            | BinaryOp::AsrRound
            | BinaryOp::Lsl
            | BinaryOp::And
            | BinaryOp::Or
            | BinaryOp::Xor
            | BinaryOp::Lsr
            | BinaryOp::Div
            | BinaryOp::Equal
            | BinaryOp::Greater
            | BinaryOp::GreaterEqual => _mm512_add_epi32(a, b),
        };
        let y = _mm512_add_epi32(scaled::<DOUBLE>(y, scale), zero_point);
        let bytes = _mm512_cvtepi32_epi8(_mm512_min_epi32(_mm512_max_epi32(y, lo), hi));
        // SAFETY: the result has `left` more bytes.
        unsafe {
            let to = memory.add(out + i);
            if left == LANES {
                _mm_storeu_si128(to.cast(), bytes);
            } else {
                _mm_mask_storeu_epi8(to.cast(), mask(left), bytes);
            }
        }
    }
}

/// The lowest `n` lanes of [`LANES`].
fn mask(n: usize) -> __mmask16 {
    (1u32 << n).wrapping_sub(1) as __mmask16
}

/// Up to [`LANES`] signed bytes.
///
/// # Safety
/// There are `n` bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn load(from: *const u8, n: usize) -> __m512i {
    // SAFETY: guaranteed by the caller; the mask excludes lanes beyond.
    let bytes = unsafe {
        if n == LANES { _mm_loadu_si128(from.cast()) } else { _mm_maskz_loadu_epi8(mask(n), from.cast()) }
    };
    _mm512_cvtepi8_epi32(bytes)
}

/// `apply_scale` of every value.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn scaled<const DOUBLE: bool>(values: __m512i, scale: Option<Uniform>) -> __m512i {
    let Some(Uniform { multiplier, shift, plus, minus }) = scale else { return values };
    let even = _mm512_mul_epi32(values, multiplier);
    let odd = _mm512_mul_epi32(_mm512_srli_epi64::<32>(values), multiplier);
    let [even, odd] = [even, odd].map(|v| _mm512_sra_epi64(rounded::<DOUBLE>(v, plus, minus), shift));
    joined(even, odd)
}
