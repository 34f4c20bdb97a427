//! The arithmetic fused into layers.

use dpu_isa::Round;
use strum_mlir_sys as sys;

use crate::{Attribute, Error, Location, Type, raw};

/// `#strum.rescale<…>`: `apply_scale(a - zp, multiplier, shift)` before an element-wise operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rescale {
    /// Subtracted first.
    pub zp: i32,
    /// Not negative.
    pub multiplier: i32,
    /// 2..=62
    pub shift: u8,
    /// Rounding.
    pub round: Round,
    /// Whether the operand's bits are an unsigned integer.
    pub unsigned: bool,
}

impl Rescale {
    /// Reads an attribute.
    pub fn read(attribute: Attribute<'_>) -> Option<Self> {
        let raw = raw::dialects::rescale(attribute)?;
        Some(Self {
            zp: raw.zp,
            multiplier: raw.multiplier,
            shift: u8::try_from(raw.shift).ok()?,
            round: round(raw.doubleRound),
            unsigned: raw.isUnsigned,
        })
    }

    /// The attribute. Errors in it are emitted at `location`.
    pub fn attribute<'c>(self, location: Location<'c>) -> Result<Attribute<'c>, Error> {
        let raw = sys::StrumRescale {
            zp: self.zp,
            multiplier: self.multiplier,
            shift: self.shift.into(),
            doubleRound: self.round == Round::Double,
            isUnsigned: self.unsigned,
        };
        raw::dialects::new_rescale(location, raw).ok_or_else(|| Error::Attribute(format!("{self:?}")))
    }
}

/// `#strum.ppe<…>`: post-processing of an accumulator. The order is scale, zero point, clamp, store, table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ppe {
    /// One for the layer, or one for each output channel; not negative.
    pub multiplier: Vec<i32>,
    /// One per multiplier; 2..=62.
    pub shift: Vec<u8>,
    /// Rounding of the scaling.
    pub round: Round,
    /// Added after the scaling.
    pub zp: i32,
    /// Least and greatest value stored.
    pub clamp: (i32, i32),
    /// Whether the stored bits are an unsigned integer.
    pub unsigned: bool,
    /// The stored byte `b` becomes `table[b + 128]`: 256 entries.
    pub table: Option<Vec<i8>>,
}

impl Ppe {
    /// Reads an attribute.
    pub fn read(attribute: Attribute<'_>) -> Option<Self> {
        let raw = raw::dialects::ppe(attribute)?;
        let shift: Result<Vec<u8>, _> = raw.shift.iter().map(|&shift| u8::try_from(shift)).collect();
        let table = match raw.table {
            Some(table) => Some(table.bytes().ok()?.iter().map(|&byte| byte as i8).collect()),
            None => None,
        };
        Some(Self {
            multiplier: raw.multiplier.to_vec(),
            shift: shift.ok()?,
            round: round(raw.double_round),
            zp: raw.zp,
            clamp: raw.clamp,
            unsigned: raw.unsigned,
            table,
        })
    }

    /// The attribute. Errors in it are emitted at `location`.
    pub fn attribute<'c>(&self, location: Location<'c>) -> Result<Attribute<'c>, Error> {
        let failed =
            || Error::Attribute(format!("post-processing with {} multipliers", self.multiplier.len()));
        let table = match &self.table {
            Some(table) => {
                let length = i64::try_from(table.len()).map_err(|_| failed())?;
                let ty = Type::tensor(&[length], Type::int(location.context(), 8))?;
                let bytes: Vec<u8> = table.iter().map(|&entry| entry as u8).collect();
                Some(Attribute::dense(ty, &bytes)?)
            }
            None => None,
        };
        let shift: Vec<i32> = self.shift.iter().map(|&shift| shift.into()).collect();
        let raw = raw::dialects::Ppe {
            multiplier: &self.multiplier,
            shift: &shift,
            double_round: self.round == Round::Double,
            unsigned: self.unsigned,
            zp: self.zp,
            clamp: self.clamp,
            table,
        };
        raw::dialects::new_ppe(location, &raw).ok_or_else(failed)
    }
}

fn round(double: bool) -> Round {
    if double { Round::Double } else { Round::Single }
}
