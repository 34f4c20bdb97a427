//! The arithmetic fused into layers.

use dpu_isa::Round;
use strum_mlir_sys as sys;

use crate::{Attribute, Error, Location, Type, location::len};

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
        let mut raw =
            sys::StrumRescale { zp: 0, multiplier: 0, shift: 0, doubleRound: false, isUnsigned: false };
        // SAFETY: the attribute is valid.
        if !unsafe { sys::strumAttributeGetRescale(attribute.raw(), &mut raw) } {
            return None;
        }
        Some(Self {
            zp: raw.zp,
            multiplier: raw.multiplier,
            shift: u8::try_from(raw.shift).ok()?,
            round: round(raw.doubleRound),
            unsigned: raw.isUnsigned,
        })
    }

    /// The attribute. What is wrong with it is emitted at `location`.
    pub fn attribute<'c>(self, location: Location<'c>) -> Result<Attribute<'c>, Error> {
        let raw = sys::StrumRescale {
            zp: self.zp,
            multiplier: self.multiplier,
            shift: self.shift.into(),
            doubleRound: self.round == Round::Double,
            isUnsigned: self.unsigned,
        };
        // SAFETY: the location is valid for `'c`.
        unsafe { Attribute::from_raw_option(sys::strumRescaleGetChecked(location.raw(), raw)) }
            .ok_or_else(|| Error::Attribute(format!("{self:?}")))
    }
}

/// `#strum.ppe<…>`: what becomes of an accumulator. The order is scale, zero point, clamp, store, table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ppe {
    /// One for the layer, or one for each output channel; not negative.
    pub multiplier: Vec<i32>,
    /// As many as multipliers; 2..=62.
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
        let null = sys::MlirAttribute { ptr: std::ptr::null() };
        let mut raw = sys::StrumPpe {
            channels: 0,
            multiplier: std::ptr::null(),
            shift: std::ptr::null(),
            doubleRound: false,
            isUnsigned: false,
            zp: 0,
            clampLo: 0,
            clampHi: 0,
            table: null,
        };
        // SAFETY: the attribute is valid; the lists live in the context, have the given length, and are never empty.
        let (multiplier, shift, table) = unsafe {
            if !sys::strumAttributeGetPpe(attribute.raw(), &mut raw) {
                return None;
            }
            let channels = usize::try_from(raw.channels).ok()?;
            (
                std::slice::from_raw_parts(raw.multiplier, channels).to_vec(),
                std::slice::from_raw_parts(raw.shift, channels),
                Attribute::from_raw_option(raw.table),
            )
        };
        let shift: Result<Vec<u8>, _> = shift.iter().map(|&shift| u8::try_from(shift)).collect();
        let table = match table {
            Some(table) => Some(table.bytes().ok()?.iter().map(|&byte| byte as i8).collect()),
            None => None,
        };
        Some(Self {
            multiplier,
            shift: shift.ok()?,
            round: round(raw.doubleRound),
            zp: raw.zp,
            clamp: (raw.clampLo, raw.clampHi),
            unsigned: raw.isUnsigned,
            table,
        })
    }

    /// The attribute. What is wrong with it is emitted at `location`.
    pub fn attribute<'c>(&self, location: Location<'c>) -> Result<Attribute<'c>, Error> {
        let failed =
            || Error::Attribute(format!("post-processing with {} multipliers", self.multiplier.len()));
        if self.multiplier.len() != self.shift.len() {
            return Err(failed());
        }
        let table = match &self.table {
            Some(table) => {
                let length = i64::try_from(table.len()).map_err(|_| failed())?;
                let ty = Type::tensor(&[length], Type::int(location.context(), 8))?;
                let bytes: Vec<u8> = table.iter().map(|&entry| entry as u8).collect();
                Attribute::dense(ty, &bytes)?.raw()
            }
            None => sys::MlirAttribute { ptr: std::ptr::null() },
        };
        let shift: Vec<i32> = self.shift.iter().map(|&shift| shift.into()).collect();
        let raw = sys::StrumPpe {
            channels: len(&self.multiplier),
            multiplier: self.multiplier.as_ptr(),
            shift: shift.as_ptr(),
            doubleRound: self.round == Round::Double,
            isUnsigned: self.unsigned,
            zp: self.zp,
            clampLo: self.clamp.0,
            clampHi: self.clamp.1,
            table,
        };
        // SAFETY: the location and the table are valid, and both lists have the given length.
        unsafe { Attribute::from_raw_option(sys::strumPpeGetChecked(location.raw(), raw)) }.ok_or_else(failed)
    }
}

fn round(double: bool) -> Round {
    if double { Round::Double } else { Round::Single }
}
