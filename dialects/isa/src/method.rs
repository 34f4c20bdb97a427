//! Convolution weight formats: one row per method, with everything that the instruction set defines for it.
//!
//! Invariant: the index of a row is the method's code in instructions; rows are only appended, never reordered. The
//! meaning of a low code is not defined here: the packer and the simulator's decoder implement it independently of each
//! other.

use crate::types::field_enum;

/// How a method affects instructions, sizes and costs.
#[derive(Clone, Copy, Debug)]
pub struct MethodDesc {
    /// Whether weights are in blocks, with a mask and low members; otherwise they are plain INT8.
    pub packed: bool,
    /// Minimum and maximum `param`.
    pub param: (u8, u8),
    /// Bits of a low code with this `param`, at most 8.
    pub code_bits: fn(u8) -> u32,
    /// Maximum left shift of low codes with this `param`.
    pub max_code_shift: fn(u8) -> u8,
    /// Whether, with this `param`, there is a spare code that can mean 0.
    pub spare_code: fn(u8) -> bool,
    /// How a PE processes a low member.
    pub work: LowWork,
}

/// How a PE processes a low member of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LowWork {
    /// Nothing: there are none, or they are 0.
    Nothing,
    /// It shifts the activation.
    Shift,
    /// It multiplies the activation by the code.
    Product,
}

/// No low members; the defaults for fields that a row omits.
const PLAIN: MethodDesc = MethodDesc {
    packed: false,
    param: (0, 0),
    code_bits: |_| 0,
    max_code_shift: |_| 0,
    spare_code: |_| false,
    work: LowWork::Nothing,
};

/// Declares the methods.
macro_rules! methods {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal: $desc:expr;)*) => {
        field_enum! {
            /// Format of convolution weights.
            Method { $($(#[doc = $doc])* $name = $text,)* }
        }

        impl Method {
            /// Its row.
            #[must_use]
            pub const fn desc(self) -> MethodDesc {
                match self { $(Method::$name => $desc,)* }
            }
        }
    };
}

methods! {
    /// Plain INT8, no low members.
    Dense = "dense": PLAIN;
    /// Low members are zero and take no code bits.
    Sparse = "sparse": MethodDesc { packed: true, ..PLAIN };
    /// Low members are `q`-bit two's complement integers, shifted left by the entry's code shift.
    Dliq = "dliq": MethodDesc {
        packed: true,
        param: (1, 8),
        code_bits: |q| q.into(),
        max_code_shift: |q| 8u8.saturating_sub(q),
        work: LowWork::Product,
        ..PLAIN
    };
    /// Low members are signed powers of two with exponents 0 to `L`.
    Mip2q = "mip2q": MethodDesc {
        packed: true,
        param: (0, 7),
        // A sign, and the bits of `L`.
        code_bits: |l| 1 + (u8::BITS - l.leading_zeros()),
        spare_code: |l| !l.saturating_add(1).is_power_of_two(),
        work: LowWork::Shift,
        ..PLAIN
    };
}

impl Method {
    /// Whether weights are in blocks, with a mask and low members.
    #[must_use]
    pub const fn is_packed(self) -> bool {
        self.desc().packed
    }

    /// How a PE processes a low member.
    #[must_use]
    pub const fn low_work(self) -> LowWork {
        self.desc().work
    }
}
