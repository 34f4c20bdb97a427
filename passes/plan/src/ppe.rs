//! Post-processing of accumulators on their way to memory.

use dpu_isa::{ConvInv, Dtype, Round};

use crate::error::PlanError;
use crate::vector::check_clamp;

/// Multiplier and shift of TOSA's `apply_scale`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Multipliers, not negative: one, or one for each output channel.
    pub multiplier: Vec<i32>,
    /// Shifts, 2 to 62: one, or one for each output channel.
    pub shift: Vec<u8>,
    /// Rounding.
    pub round: Round,
}

/// Post-processing of accumulators, in this order: bias (of the layer), scale, zero point, clamp, table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ppe {
    /// Scaling; without it accumulators are stored unscaled.
    pub scale: Option<Scale>,
    /// Output zero point, added after scaling.
    pub zp: i32,
    /// Lower and upper clamp in the output type; without it, the range of the type.
    pub clamp: Option<(i32, i32)>,
    /// 256 output bytes by clamped value + 128; the output type must then be i8.
    pub lut: Option<Vec<i8>>,
}

impl Ppe {
    /// Checks the description against the number of output channels and the output type.
    ///
    /// # Errors
    /// An unsupported error naming what is out of range.
    pub(crate) fn check(&self, channels: u64, out: Dtype) -> Result<(), PlanError> {
        if let Some(scale) = &self.scale {
            check_len("multipliers", scale.multiplier.len(), channels)?;
            check_len("shifts", scale.shift.len(), channels)?;
            if let Some(m) = scale.multiplier.iter().find(|&&m| m < 0) {
                return Err(PlanError::unsupported(format!("multiplier {m}: must not be negative")));
            }
            if let Some(s) = scale.shift.iter().find(|s| !(2..=62).contains(*s)) {
                return Err(PlanError::unsupported(format!("shift {s}: must be 2 to 62")));
            }
        }
        check_clamp(self.clamp, out)?;
        match &self.lut {
            Some(lut) if lut.len() != 256 => {
                Err(PlanError::internal(format!("a table of {} bytes: must be 256", lut.len())))
            }
            Some(_) if out != Dtype::I8 => {
                Err(PlanError::unsupported(format!("a table on output type {out}: must be i8")))
            }
            _ => Ok(()),
        }
    }

    /// The effective clamp.
    fn bounds(&self, out: Dtype) -> (i32, i32) {
        self.clamp.unwrap_or((out.min(), out.max()))
    }

    /// Fills the post-processing fields of an invariant, except the table's address.
    pub(crate) fn fill(&self, inv: &mut ConvInv, out: Dtype) {
        inv.scale = self.scale.is_some();
        inv.round = self.scale.as_ref().map_or(Round::Single, |s| s.round);
        inv.out_dtype = out;
        inv.out_zp = self.zp;
        (inv.clamp_lo, inv.clamp_hi) = self.bounds(out);
        inv.lut = self.lut.is_some();
    }

    /// The bytes of the table, if there is one.
    pub(crate) fn lut_bytes(&self) -> Option<Vec<u8>> {
        self.lut.as_ref().map(|l| l.iter().map(|&v| v.cast_unsigned()).collect())
    }

    /// Multiplier and shift of an output channel; a legal pair without effect if there is no scaling.
    pub(crate) fn scale_of(&self, channel: u64) -> (i32, u8) {
        match &self.scale {
            Some(s) => (of_channel(&s.multiplier, channel), of_channel(&s.shift, channel).max(2)),
            None => (0, 2),
        }
    }

    /// Whether all channels have the same scale.
    pub(crate) fn is_uniform(&self) -> bool {
        self.scale.as_ref().is_none_or(|s| is_uniform(&s.multiplier) && is_uniform(&s.shift))
    }
}

/// The entry of `channel` in a list of one entry for all or one for each channel; the default if the list is empty.
pub(crate) fn of_channel<T: Copy + Default>(list: &[T], channel: u64) -> T {
    match list {
        [one] => *one,
        _ => usize::try_from(channel).ok().and_then(|c| list.get(c)).copied().unwrap_or_default(),
    }
}

/// Whether all entries are equal.
pub(crate) fn is_uniform<T: PartialEq>(list: &[T]) -> bool {
    list.windows(2).all(|w| matches!(w, [a, b] if a == b))
}

/// A list must hold one entry for all channels or one for each.
pub(crate) fn check_len(what: &str, len: usize, channels: u64) -> Result<(), PlanError> {
    if len == 1 || len as u64 == channels {
        Ok(())
    } else {
        Err(PlanError::internal(format!("{len} {what} for {channels} channels: must be 1 or as many")))
    }
}
