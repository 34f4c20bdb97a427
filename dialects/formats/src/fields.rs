//! Decomposed formats: the fields of their text and MLIR attribute, and those of the instruction set.
//!
//! Invariant: a decomposed format is rebuilt by the inverse function, or refused with the offending field.

use std::fmt;

use crate::error::FormatError;
use crate::format::Format;
use crate::methods::Kind;

/// A field of a format, as its text shows it: `w = 16`, `shift = per_channel`, `zero`.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Kind of value.
    pub kind: FieldKind,
}

/// The kind of a field's value.
#[derive(Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A number.
    Number,
    /// A number, or this word, which is the value [`WORD`].
    NumberOr(&'static str),
    /// The name alone, or nothing: the values 1 and 0.
    Flag,
}

/// The value of a field given as a word.
pub const WORD: i64 = -1;

const W: Field = Field { name: "w", kind: FieldKind::Number };
const LOW: Field = Field { name: "low", kind: FieldKind::Number };

impl Kind {
    /// The fields of formats of this method, in the order of their text.
    pub fn fields(self) -> impl Iterator<Item = &'static Field> {
        let block: &'static [Field] = if self.is_packed() { &[W, LOW] } else { &[] };
        block.iter().chain(self.own_fields())
    }
}

impl Format {
    /// The values of [`Kind::fields`].
    #[must_use]
    pub fn values(&self) -> Vec<i64> {
        let block = [i64::from(self.w), i64::from(self.low)];
        let block = if self.is_packed() { &block[..] } else { &[] };
        block.iter().copied().chain(self.method.with(|m| m.values())).collect()
    }

    /// The format with these values of [`Kind::fields`].
    ///
    /// # Errors
    /// The number of values differs from the number of fields, or the format is not legal.
    pub fn from_values(kind: Kind, values: &[i64]) -> Result<Self, FormatError> {
        let expected = kind.fields().count();
        if values.len() != expected {
            return Err(FormatError::Fields { kind, expected, got: values.len() });
        }
        let format = match values {
            [w, low, own @ ..] if kind.is_packed() => {
                Format { w: small(W.name, *w)?, low: small(LOW.name, *low)?, method: kind.with_values(own)? }
            }
            _ => Format::DENSE,
        };
        format.validate()?;
        Ok(format)
    }
}

/// A value that fits a byte.
pub(crate) fn small(name: &'static str, value: i64) -> Result<u8, FormatError> {
    u8::try_from(value).map_err(|_| FormatError::Byte { name, got: value })
}

impl fmt::Display for Format {
    /// `mip2q<w = 16, low = 8, L = 7>`, as in the attribute.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.method.kind();
        f.write_str(kind.name())?;
        let mut separator = "<";
        for (field, value) in kind.fields().zip(self.values()) {
            match field.kind {
                FieldKind::Flag if value == 0 => continue,
                FieldKind::Flag => write!(f, "{separator}{}", field.name)?,
                FieldKind::NumberOr(word) if value == WORD => {
                    write!(f, "{separator}{} = {word}", field.name)?
                }
                FieldKind::Number | FieldKind::NumberOr(_) => {
                    write!(f, "{separator}{} = {value}", field.name)?
                }
            }
            separator = ", ";
        }
        f.write_str(if separator == "<" { "" } else { ">" })
    }
}

/// How an instruction encodes a format. The shift of each output channel is in the weight table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InstrFields {
    /// The method: its index in [`Kind::ALL`].
    pub method: usize,
    /// Members per block; 16 without blocks.
    pub block: u8,
    /// Low members per block.
    pub low: u8,
    /// The numeric parameter of the method: `q` of `dliq`, `L` of `mip2q`.
    pub param: u8,
    /// The flag of the method: `zero` of `mip2q`.
    pub zero: bool,
}

impl Format {
    /// How an instruction encodes it.
    #[must_use]
    pub fn instr_fields(&self) -> InstrFields {
        let kind = self.method.kind();
        let (param, zero) = self.method.with(|m| m.instr_fields());
        let (block, low) = if self.is_packed() { (self.w, self.low) } else { (Format::DENSE.w, 0) };
        InstrFields { method: kind.code(), block, low, param, zero }
    }

    /// The format that an instruction encodes, for channels with code shift `shift`; `None` for an unknown method.
    #[must_use]
    pub fn from_instr_fields(fields: InstrFields, shift: u8) -> Option<Self> {
        let kind = *Kind::ALL.get(fields.method)?;
        if !kind.is_packed() {
            return Some(Format::DENSE);
        }
        let method = kind.with_instr_fields(fields.param, fields.zero, shift);
        Some(Format { w: fields.block, low: fields.low, method })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DliqShift, Method};

    fn formats() -> Vec<Format> {
        let of = |method| Format { w: 8, low: 4, method };
        vec![
            Format::DENSE,
            of(Method::Sparse),
            of(Method::Dliq { q: 3, shift: DliqShift::Layer(2) }),
            of(Method::Dliq { q: 3, shift: DliqShift::PerChannel }),
            of(Method::Mip2q { l: 7, zero: false }),
            of(Method::Mip2q { l: 5, zero: true }),
        ]
    }

    #[test]
    fn formats_come_back_from_their_values() {
        for format in formats() {
            let kind = format.method.kind();
            assert_eq!(format.values().len(), kind.fields().count());
            assert_eq!(Format::from_values(kind, &format.values()), Ok(format));
        }
    }

    #[test]
    fn formats_come_back_from_an_instruction_and_the_weight_table() {
        for format in formats() {
            let shift = if let DliqShift::Layer(shift) = format.method.shift() { shift } else { 1 };
            let got = Format::from_instr_fields(format.instr_fields(), shift);
            // An instruction does not encode where shifts are kept.
            let method = format.method.with_shift(DliqShift::Layer(shift));
            assert_eq!(got, Some(Format { method, ..format }));
        }
        assert_eq!(Format::from_instr_fields(InstrFields { method: 99, ..InstrFields::default() }, 0), None);
    }

    #[test]
    fn values_that_are_not_legal_are_refused() {
        let text = |kind, values: &[i64]| Format::from_values(kind, values).unwrap_err().to_string();
        assert_eq!(text(Kind::Mip2q, &[16, 8, 7]), "mip2q has 4 fields, got 3");
        assert_eq!(text(Kind::Mip2q, &[300, 8, 7, 0]), "w = 300 is not in 0 to 255");
        assert_eq!(text(Kind::Sparse, &[12, 8]), "block length w must be 4, 8, 16 or 32, got 12");
        assert_eq!(text(Kind::Dliq, &[16, 8, 9, 0]), "q must be in 1..=8, got 9");
        assert_eq!(text(Kind::Dense, &[1]), "dense has 0 fields, got 1");
    }
}
