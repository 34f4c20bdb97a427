//! Four products of an unsigned and a signed byte, added in 32 bits.
//!
//! Activations are biased by 128 to be unsigned; the initial sums of a channel compensate for that. A group of four products is
//! at most 4 · 255 · 128 in magnitude, and `vpdpbusd` wraps where `vpdpbusds` would saturate.

use std::arch::x86_64::{
    __m512i, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_si512,
    _mm512_storeu_si512, _mm512_xor_si512,
};
use std::hint::black_box;

use super::super::{LANES, Taps};

/// Maximum vectors of channels in a panel.
pub(in crate::kernel) const VECTORS: usize = 4;

/// Groups of activations that one address of a pixel serves.
const UNROLL: usize = 4;

/// Maximum pixels whose sums are in registers together: up to 24 of the 32.
pub(in crate::kernel) fn pixels(vectors: usize) -> usize {
    match vectors {
        0..=2 => 12,
        3 => 8,
        _ => 6,
    }
}

/// See [`crate::kernel::Kernel::block`]; the activations are biased already, if `biased`.
///
/// # Safety
/// `start` has 1 to [`VECTORS`] times [`LANES`] sums and `sums` as many for each of `pixels`, which together with `taps` lie within
/// `activations`; `weights` holds `taps.steps()` groups of four for each of the sums.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::kernel) unsafe fn block(
    (activations, biased): (&[u8], bool),
    pixels: &[usize],
    taps: &Taps,
    weights: &[i8],
    start: &[i32],
    sums: &mut [i32],
) {
    let tile = Tile { activations, taps, weights, start };
    macro_rules! of {
        ($($v:literal: $($n:literal)*;)*) => {
            match (start.len() / LANES, biased) {
                $(
                    // SAFETY: guaranteed by the caller.
                    ($v, true) => unsafe {
                        let (mut pixels, mut sums) = (pixels, sums);
                        $((pixels, sums) = tile.all::<$n, $v, true>(pixels, sums);)*
                        debug_assert!(pixels.is_empty() && sums.is_empty(), "a block of one pixel is left over");
                    },
                    // SAFETY: as above.
                    ($v, false) => unsafe {
                        let (mut pixels, mut sums) = (pixels, sums);
                        $((pixels, sums) = tile.all::<$n, $v, false>(pixels, sums);)*
                        debug_assert!(pixels.is_empty() && sums.is_empty(), "a block of one pixel is left over");
                    },
                )*
                _ => {}
            }
        };
    }
    of!(1: 12 8 4 2 1;
        2: 12 8 4 2 1;
        3: 8 4 2 1;
        4: 6 4 2 1;);
}

/// Shared by all blocks of a tile.
struct Tile<'a> {
    activations: &'a [u8],
    taps: &'a Taps,
    weights: &'a [i8],
    start: &'a [i32],
}

impl Tile<'_> {
    /// As many blocks of `P` pixels as possible; returns the remaining pixels, and their sums.
    ///
    /// # Safety
    /// As for [`block`], with `V` vectors.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn all<'p, 's, const P: usize, const V: usize, const BIASED: bool>(
        &self,
        pixels: &'p [usize],
        sums: &'s mut [i32],
    ) -> (&'p [usize], &'s mut [i32]) {
        let (blocks, rest) = pixels.as_chunks::<P>();
        let (whole, more) = sums.split_at_mut(blocks.len() * P * V * LANES);
        for (block, sums) in blocks.iter().zip(whole.chunks_exact_mut(P * V * LANES)) {
            // SAFETY: guaranteed by the caller, with the sums of the block.
            unsafe { self.fixed::<P, V, BIASED>(block, sums) };
        }
        (rest, more)
    }

    /// One block of `P` pixels and `V` vectors.
    ///
    /// # Safety
    /// As for [`block`], with `V` vectors.
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn fixed<const P: usize, const V: usize, const BIASED: bool>(
        &self,
        pixels: &[usize; P],
        sums: &mut [i32],
    ) {
        // Hidden from the optimizer, which would otherwise apply the bias before the broadcast, in more
        // instructions.
        let bias = black_box(_mm512_set1_epi32(i32::from_ne_bytes([0x80; 4])));
        let mut acc = [[_mm512_setzero_si512(); V]; P];
        for v in 0..V {
            // SAFETY: `start` has 16 sums for each vector.
            let start = unsafe { _mm512_loadu_si512(self.start.as_ptr().add(LANES * v).cast()) };
            for row in &mut acc {
                row[v] = start;
            }
        }
        let mut weights = self.weights.as_ptr();
        let groups = self.taps.groups();
        for &offset in self.taps.offsets() {
            let mut at = [self.activations.as_ptr(); P];
            for (at, pixel) in at.iter_mut().zip(pixels) {
                *at = at.wrapping_add(pixel + offset);
            }
            let mut step = 0;
            while step + UNROLL <= groups {
                for u in 0..UNROLL {
                    // SAFETY: every group of every tap of every pixel lies within the activations, and there are four weights
                    // for each of its channels.
                    unsafe { multiply::<P, V, BIASED>(&mut acc, &at, 4 * (step + u), weights, bias) };
                    weights = weights.wrapping_add(4 * LANES * V);
                }
                step += UNROLL;
            }
            while step < groups {
                // SAFETY: as above.
                unsafe { multiply::<P, V, BIASED>(&mut acc, &at, 4 * step, weights, bias) };
                weights = weights.wrapping_add(4 * LANES * V);
                step += 1;
            }
        }
        for (i, value) in acc.as_flattened().iter().enumerate() {
            // SAFETY: `sums` has 16 sums for each vector of each pixel.
            unsafe { _mm512_storeu_si512(sums.as_mut_ptr().add(i * LANES).cast(), *value) };
        }
    }
}

/// Adds the products of a group of four activations of each pixel, `offset` bytes from `at`.
///
/// # Safety
/// There are four activations at each address, and four weights for each of the channels.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn multiply<const P: usize, const V: usize, const BIASED: bool>(
    acc: &mut [[__m512i; V]; P],
    at: &[*const u8; P],
    offset: usize,
    weights: *const i8,
    bias: __m512i,
) {
    let mut w = [_mm512_setzero_si512(); V];
    for (v, w) in w.iter_mut().enumerate() {
        // SAFETY: guaranteed by the caller.
        *w = unsafe { _mm512_loadu_si512(weights.add(4 * LANES * v).cast()) };
    }
    for (row, at) in acc.iter_mut().zip(at) {
        // SAFETY: guaranteed by the caller.
        let x = _mm512_set1_epi32(unsafe { at.add(offset).cast::<i32>().read_unaligned() });
        let x = if BIASED { x } else { _mm512_xor_si512(x, bias) };
        for (sums, w) in row.iter_mut().zip(w) {
            *sums = _mm512_dpbusd_epi32(*sums, x, w);
        }
    }
}
