//! Element types that the DPU path supports.
//!
//! Invariant: a value of an element type is carried as its stored bits, sign-extended to i32, and a Boolean as 0 or 1;
//! unsigned readings exist only inside `tosa.rescale`.

use std::fmt;

/// An element type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Elem {
    /// Boolean: a byte, 0 or 1.
    I1,
    /// 8-bit integer.
    I8,
    /// 16-bit integer.
    I16,
    /// 32-bit integer.
    I32,
}

impl Elem {
    /// All integers, narrowest first.
    pub const ALL: [Elem; 3] = [Elem::I8, Elem::I16, Elem::I32];

    /// The element type of a signless integer of that many bits.
    #[must_use]
    pub fn from_width(bits: u32) -> Option<Elem> {
        match bits {
            1 => Some(Elem::I1),
            8 => Some(Elem::I8),
            16 => Some(Elem::I16),
            32 => Some(Elem::I32),
            _ => None,
        }
    }

    /// Size in bits.
    #[must_use]
    pub fn bits(self) -> u32 {
        match self {
            Elem::I1 => 1,
            Elem::I8 => 8,
            Elem::I16 => 16,
            Elem::I32 => 32,
        }
    }

    /// Size in bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Elem::I1 | Elem::I8 => 1,
            Elem::I16 => 2,
            Elem::I32 => 4,
        }
    }

    /// Smallest and largest signed value.
    #[must_use]
    pub fn range(self) -> (i32, i32) {
        match self {
            Elem::I1 => (0, 1),
            Elem::I8 => (i32::from(i8::MIN), i32::from(i8::MAX)),
            Elem::I16 => (i32::from(i16::MIN), i32::from(i16::MAX)),
            Elem::I32 => (i32::MIN, i32::MAX),
        }
    }

    /// Smallest and largest unsigned value; i32 has no unsigned form and keeps its signed range.
    #[must_use]
    pub fn unsigned_range(self) -> (i32, i32) {
        match self {
            Elem::I1 => (0, 1),
            Elem::I8 => (0, i32::from(u8::MAX)),
            Elem::I16 => (0, i32::from(u16::MAX)),
            Elem::I32 => self.range(),
        }
    }

    /// The low bits of `value`, sign-extended, but for a Boolean: the result of a store and a load.
    #[must_use]
    pub fn wrap(self, value: i32) -> i32 {
        if self == Elem::I1 {
            return value & 1;
        }
        let drop = 32 - self.bits();
        (value << drop) >> drop
    }

    /// The low bits of `value`, as unsigned.
    #[must_use]
    pub fn zero_extend(self, value: i32) -> i32 {
        match self {
            Elem::I1 => value & 1,
            Elem::I8 => value & 0xff,
            Elem::I16 => value & 0xffff,
            Elem::I32 => value,
        }
    }
}

impl fmt::Display for Elem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "i{}", self.bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_and_extends() {
        assert_eq!(Elem::I8.wrap(200), -56);
        assert_eq!(Elem::I16.wrap(-40_000), 25_536);
        assert_eq!(Elem::I32.wrap(-7), -7);
        assert_eq!(Elem::I8.zero_extend(-1), 255);
        assert_eq!(Elem::I16.zero_extend(-1), 65_535);
        for elem in Elem::ALL {
            assert_eq!(Elem::from_width(elem.bits()), Some(elem));
            assert_eq!(elem.bits(), 8 * u32::try_from(elem.bytes()).unwrap());
        }
        assert_eq!((Elem::I1.wrap(1), Elem::I1.wrap(-1), Elem::I1.wrap(2)), (1, 1, 0));
        assert_eq!((Elem::from_width(1), Elem::from_width(48)), (Some(Elem::I1), None));
    }
}
