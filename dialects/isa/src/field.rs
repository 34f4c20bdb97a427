//! Descriptors of instruction fields and the raw (`i64`) view that generic code works on.
//!
//! A descriptor decides width, range and text of its field; the typed structs only carry values.

use std::fmt;

use crate::method::Method;
use crate::types::{
    BinaryOp, Dtype, Engine, MemAddr, PoolMode, ReduceOp, ResizeMode, Round, Space, Stationary, UnaryOp,
};

/// Bits of an enumeration's encoding, wide enough for future members.
const ENUM_BITS: u32 = 4;
/// Bits of a choice's encoding, which is the chosen value itself.
const CHOICE_BITS: u32 = 8;

/// The type and legal values of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Unsigned integer of `bits` bits in `min..=max`.
    Uint {
        /// Encoded width.
        bits: u32,
        /// Least legal value.
        min: i64,
        /// Greatest legal value.
        max: i64,
    },
    /// Two's complement integer of `bits` bits in `min..=max`.
    Int {
        /// Encoded width.
        bits: u32,
        /// Least legal value.
        min: i64,
        /// Greatest legal value.
        max: i64,
    },
    /// One bit.
    Bool,
    /// A set of barriers, 64 bits; bit `i` is barrier `i`.
    Mask,
    /// An index into the names.
    Enum(&'static [&'static str]),
    /// One of the listed values, encoded as itself in 8 bits.
    Choice(&'static [u8]),
    /// A 32-bit byte offset in the tile's SRAM, a multiple of `align`.
    Sram {
        /// Alignment in bytes.
        align: u32,
    },
    /// A byte address in either space: 40-bit offset, then the space bit.
    Mem,
}

impl FieldKind {
    /// Encoded width in bits.
    #[must_use]
    pub const fn bits(&self) -> u32 {
        match self {
            FieldKind::Uint { bits, .. } | FieldKind::Int { bits, .. } => *bits,
            FieldKind::Bool => 1,
            FieldKind::Mask => 64,
            FieldKind::Enum(_) => ENUM_BITS,
            FieldKind::Choice(_) => CHOICE_BITS,
            FieldKind::Sram { .. } => 32,
            FieldKind::Mem => MemAddr::OFFSET_BITS + 1,
        }
    }

    /// Why `raw` is not a legal value; `None` if it is.
    #[must_use]
    pub fn check(&self, raw: i64) -> Option<FieldErrorKind> {
        let range = |min: i64, max: i64| {
            (raw < min || raw > max).then_some(FieldErrorKind::OutOfRange { got: raw, min, max })
        };
        match *self {
            FieldKind::Uint { min, max, .. } | FieldKind::Int { min, max, .. } => range(min, max),
            FieldKind::Bool => range(0, 1),
            FieldKind::Mask => None,
            FieldKind::Enum(names) => {
                let known = usize::try_from(raw).is_ok_and(|i| i < names.len());
                (!known).then_some(FieldErrorKind::NoSuchMember { got: raw, names })
            }
            FieldKind::Choice(values) => {
                let known = values.iter().any(|&v| i64::from(v) == raw);
                (!known).then_some(FieldErrorKind::NotAChoice { got: raw, values })
            }
            FieldKind::Sram { align } => range(0, i64::from(u32::MAX)).or_else(|| {
                (raw % i64::from(align) != 0).then_some(FieldErrorKind::Misaligned { got: raw, align })
            }),
            FieldKind::Mem => range(0, (1 << (MemAddr::OFFSET_BITS + 1)) - 1),
        }
    }

    /// The legal value nearest to zero, used by `Default`.
    #[must_use]
    pub fn neutral(&self) -> i64 {
        match *self {
            FieldKind::Uint { min, max, .. } | FieldKind::Int { min, max, .. } => 0.clamp(min, max),
            FieldKind::Choice(values) => values.first().copied().map_or(0, i64::from),
            FieldKind::Bool
            | FieldKind::Mask
            | FieldKind::Enum(_)
            | FieldKind::Sram { .. }
            | FieldKind::Mem => 0,
        }
    }
}

/// Unsigned field of `bits` bits in `min..=max`.
pub(crate) const fn uint(bits: u32, min: i64, max: i64) -> FieldKind {
    FieldKind::Uint { bits, min, max }
}

/// Signed field of `bits` bits in `min..=max`.
pub(crate) const fn int(bits: u32, min: i64, max: i64) -> FieldKind {
    FieldKind::Int { bits, min, max }
}

/// SRAM offset aligned to `align` bytes.
pub(crate) const fn sram(align: u32) -> FieldKind {
    FieldKind::Sram { align }
}

/// One field of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldDesc {
    /// Name, as in the struct, the assembler and the `dpu` dialect.
    pub name: &'static str,
    /// Meaning, unit and conditions.
    pub doc: &'static str,
    /// Encoding and range of each element.
    pub kind: FieldKind,
    /// Number of elements: 1, or 6 for dimensions and strides.
    pub count: usize,
}

impl FieldDesc {
    /// Encoded width of all elements in bits.
    #[must_use]
    pub const fn bits(&self) -> usize {
        self.kind.bits() as usize * self.count
    }

    /// The first violation among the field's elements.
    ///
    /// # Errors
    /// When an element is outside the field's range; `raw` must hold the field's elements only.
    pub fn check(&self, raw: &[i64]) -> Result<(), FieldError> {
        for (index, &value) in raw.iter().enumerate() {
            if let Some(kind) = self.kind.check(value) {
                let index = (self.count > 1).then_some(index);
                return Err(FieldError { field: self.name, index, kind });
            }
        }
        Ok(())
    }
}

/// The role of an instruction in the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The dispatcher executes it.
    Control,
    /// It fills a DPU slot with the fields that variants share.
    Invariant,
    /// An engine executes it.
    Task,
    /// The DPU executes it with an invariant of this row.
    Variant(&'static InstrDesc),
}

/// One instruction of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstrDesc {
    /// Assembler name, snake case.
    pub mnemonic: &'static str,
    /// Frozen operation code, bits 0..8 of the first word.
    pub opcode: u8,
    /// Its role in the machine.
    pub role: Role,
    /// Exact semantics.
    pub doc: &'static str,
    /// Fields in encoding order.
    pub fields: &'static [FieldDesc],
}

impl InstrDesc {
    /// Number of raw values: the sum of the fields' counts.
    #[must_use]
    pub fn raw_len(&self) -> usize {
        self.fields.iter().map(|f| f.count).sum()
    }

    /// Encoded length in 64-bit words, header included.
    #[must_use]
    pub fn words(&self) -> usize {
        (16 + self.fields.iter().map(FieldDesc::bits).sum::<usize>()).div_ceil(64)
    }

    /// The field of this name with its position in `fields`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<(usize, &'static FieldDesc)> {
        self.fields.iter().enumerate().find(|(_, f)| f.name == name)
    }

    /// Checks every raw value against its field.
    ///
    /// # Errors
    /// When the number of values is wrong or one is outside its field's range.
    pub fn check(&self, raw: &[i64]) -> Result<(), FieldError> {
        let expected = self.raw_len();
        if raw.len() != expected {
            let kind = FieldErrorKind::WrongCount { got: raw.len(), expected };
            return Err(FieldError { field: self.mnemonic, index: None, kind });
        }
        let mut rest = raw;
        for field in self.fields {
            let (values, tail) = rest.split_at(field.count);
            field.check(values)?;
            rest = tail;
        }
        Ok(())
    }
}

/// A field value that the instruction cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FieldError {
    /// Name of the field (of the instruction, when the number of values is wrong).
    pub field: &'static str,
    /// Element of an array field.
    pub index: Option<usize>,
    /// What is wrong.
    pub kind: FieldErrorKind,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "field '{}[{index}]': {}", self.field, self.kind),
            None => write!(f, "field '{}': {}", self.field, self.kind),
        }
    }
}

/// What is wrong with a field value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum FieldErrorKind {
    #[error("value {got} is outside {min}..={max}")]
    OutOfRange { got: i64, min: i64, max: i64 },
    #[error("value {got} names no member of {{{}}}", names.join(", "))]
    NoSuchMember { got: i64, names: &'static [&'static str] },
    #[error("value {got} is none of {values:?}")]
    NotAChoice { got: i64, values: &'static [u8] },
    #[error("offset {got:#x} is not a multiple of {align}")]
    Misaligned { got: i64, align: u32 },
    #[error("no instruction has opcode {opcode:#04x}")]
    NoSuchInstr { opcode: u8 },
    #[error("got {got} values, expected {expected}")]
    WrongCount { got: usize, expected: usize },
}

/// A Rust type that a field can have.
///
/// `get` is total: out-of-range raw values are truncated to the type, because [`InstrDesc::check`] comes
/// first.
pub(crate) trait FieldValue: Sized {
    /// Number of raw values.
    const COUNT: usize;
    /// Appends the raw values.
    fn put(&self, out: &mut Vec<i64>);
    /// Takes the raw values from the front.
    fn get(raw: &mut std::slice::Iter<'_, i64>) -> Self;
}

macro_rules! int_field_value {
    ($($ty:ty),*) => {$(
        impl FieldValue for $ty {
            const COUNT: usize = 1;
            fn put(&self, out: &mut Vec<i64>) {
                out.push(*self as i64);
            }
            fn get(raw: &mut std::slice::Iter<'_, i64>) -> Self {
                raw.next().copied().unwrap_or(0) as $ty
            }
        }
    )*};
}
int_field_value!(u8, u16, u32, u64, i16, i32);

macro_rules! enum_field_value {
    ($($ty:ty),*) => {$(
        impl FieldValue for $ty {
            const COUNT: usize = 1;
            fn put(&self, out: &mut Vec<i64>) {
                out.push(*self as i64);
            }
            fn get(raw: &mut std::slice::Iter<'_, i64>) -> Self {
                let index = raw.next().and_then(|&v| usize::try_from(v).ok());
                index.and_then(<$ty>::from_index).unwrap_or_default()
            }
        }
    )*};
}
enum_field_value!(
    Dtype, Round, Space, Method, PoolMode, Stationary, BinaryOp, UnaryOp, ReduceOp, ResizeMode, Engine
);

impl FieldValue for bool {
    const COUNT: usize = 1;
    fn put(&self, out: &mut Vec<i64>) {
        out.push(i64::from(*self));
    }
    fn get(raw: &mut std::slice::Iter<'_, i64>) -> Self {
        raw.next().is_some_and(|&v| v != 0)
    }
}

impl FieldValue for MemAddr {
    const COUNT: usize = 1;
    fn put(&self, out: &mut Vec<i64>) {
        // An offset beyond 40 bits must not be mistaken for the space bit.
        let in_range = self.offset >> MemAddr::OFFSET_BITS == 0;
        out.push(if in_range { pack_mem(*self) } else { i64::MAX });
    }
    fn get(raw: &mut std::slice::Iter<'_, i64>) -> Self {
        unpack_mem(raw.next().copied().unwrap_or(0))
    }
}

/// The raw value of an address: `offset | space << 40`.
pub(crate) const fn pack_mem(addr: MemAddr) -> i64 {
    (addr.offset as i64) | ((addr.space as i64) << MemAddr::OFFSET_BITS)
}

/// The address of a raw value.
pub(crate) const fn unpack_mem(raw: i64) -> MemAddr {
    let offset = raw as u64 & ((1 << MemAddr::OFFSET_BITS) - 1);
    let space = if (raw >> MemAddr::OFFSET_BITS) & 1 == 0 { Space::Dram } else { Space::Sram };
    MemAddr { space, offset }
}

impl<T: FieldValue + Default + Copy> FieldValue for [T; 6] {
    const COUNT: usize = 6;
    fn put(&self, out: &mut Vec<i64>) {
        for value in self {
            value.put(out);
        }
    }
    fn get(raw: &mut std::slice::Iter<'_, i64>) -> Self {
        std::array::from_fn(|_| T::get(raw))
    }
}
