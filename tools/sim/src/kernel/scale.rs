//! Per-channel output scales as arrays, and the scaling of vectors of sums to stored bytes.

use super::{Kernel, LANES};
use crate::numerics::Scale;

/// Multipliers, shifts and roundings of channels, padded to whole vectors.
#[derive(Debug, Default)]
pub(crate) struct Scales {
    pub(super) multiplier: Vec<i32>,
    pub(super) shift: Vec<i64>,
    /// Half of the last kept bit.
    pub(super) half: Vec<i64>,
    /// The addend of double rounding; empty when it is zero for all channels.
    pub(super) second: Vec<i64>,
}

/// Steps after the scaling.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finish {
    pub(crate) zero_point: i32,
    pub(crate) lo: i32,
    pub(crate) hi: i32,
}

/// Sums of a block of pixels: a row of a multiple of [`LANES`] for each, starting at channel `first`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a> {
    pub(crate) sums: &'a [i32],
    pub(crate) row: usize,
    pub(crate) first: usize,
    /// Channels of a row that are stored.
    pub(crate) channels: usize,
}

impl Scales {
    /// For channels in order.
    pub(crate) fn new(scales: impl Iterator<Item = Scale>) -> Scales {
        let mut all = Scales::default();
        for scale in scales {
            let [multiplier, shift, half, second] = scale.parts();
            // A multiplier has 31 bits.
            all.multiplier.push(multiplier as i32);
            all.shift.push(shift);
            all.half.push(half);
            all.second.push(second);
        }
        let padded = all.multiplier.len().next_multiple_of(LANES);
        all.multiplier.resize(padded, 0);
        for values in [&mut all.shift, &mut all.half, &mut all.second] {
            values.resize(padded, 0);
        }
        if all.second.iter().all(|&second| second == 0) {
            all.second.clear();
        }
        all
    }

    /// `apply_scale` of the sums of the channels from `first` on.
    #[inline(always)]
    pub(crate) fn apply(&self, first: usize, sums: &mut [i32]) {
        let channels = first..first + sums.len();
        let part = (
            self.multiplier.get(channels.clone()).unwrap_or_default(),
            self.shift.get(channels.clone()).unwrap_or_default(),
            self.half.get(channels.clone()).unwrap_or_default(),
        );
        let scales = part.0.iter().zip(part.1).zip(part.2);
        match self.second.get(channels) {
            None => {
                for (v, ((&m, &shift), &half)) in sums.iter_mut().zip(scales) {
                    *v = ((i64::from(*v) * i64::from(m) + half) >> (shift & 63)) as i32;
                }
            }
            Some(second) => {
                for ((v, ((&m, &shift), &half)), &second) in sums.iter_mut().zip(scales).zip(second) {
                    let second = if *v >= 0 { second } else { -second };
                    *v = ((i64::from(*v) * i64::from(m) + half + second) >> (shift & 63)) as i32;
                }
            }
        }
    }
}

impl Kernel {
    /// Scales the sums of a block, adds the zero point, clamps, and stores the low bytes of pixel `p` from `at[p]` on.
    ///
    /// `None` without storing anything if the kernel has no such loop or a pixel's bytes do not lie within
    /// `to`.
    #[must_use]
    pub(crate) fn store_scaled(
        self,
        block: Block<'_>,
        scales: &Scales,
        finish: Finish,
        to: &mut [u8],
        at: &[usize],
    ) -> Option<()> {
        let Block { sums, row, first, channels } = block;
        let end = first.checked_add(row)?;
        let fits = row.is_multiple_of(LANES)
            && channels <= row
            && sums.len() == row.checked_mul(at.len())?
            && [scales.multiplier.len(), scales.shift.len(), scales.half.len()].iter().all(|&n| end <= n)
            && (scales.second.is_empty() || end <= scales.second.len())
            && at.iter().all(|at| at.checked_add(channels).is_some_and(|end| end <= to.len()));
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            super::Isa::Vnni if fits => {
                // SAFETY: an `Isa::Vnni` is created only by `available`, which has checked the instructions; `fits` has
                // checked that all loads and stores lie within the slices.
                unsafe { super::vnni::store_scaled(block, scales, finish, to, at) };
                Some(())
            }
            _ => None,
        }
    }
}
