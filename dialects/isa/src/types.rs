//! The small value types that instruction fields are made of.
//!
//! The discriminant of every enumeration is its encoding and its index in `NAMES`; both are frozen.

use std::fmt;

/// Declares a field enumeration: variants in encoding order, each with its assembler name.
macro_rules! field_enum {
    (
        $(#[doc = $doc:literal])*
        $name:ident {
            $(#[doc = $fdoc:literal])* $first:ident = $ftext:literal
            $(, $(#[doc = $vdoc:literal])* $var:ident = $text:literal)* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub enum $name {
            $(#[doc = $fdoc])* #[default] $first,
            $($(#[doc = $vdoc])* $var),*
        }

        impl $name {
            /// All members in encoding order.
            pub const ALL: &'static [$name] = &[$name::$first $(, $name::$var)*];
            /// Assembler names in encoding order.
            pub const NAMES: &'static [&'static str] = &[$ftext $(, $text)*];

            /// The assembler name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $name::$first => $ftext $(, $name::$var => $text)* }
            }

            /// The member with this assembler name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $ftext => Some($name::$first), $($text => Some($name::$var),)* _ => None }
            }

            /// The member with this encoding.
            #[must_use]
            pub fn from_index(index: usize) -> Option<Self> {
                Self::ALL.get(index).copied()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

pub(crate) use field_enum;

field_enum! {
    /// Element type of a tensor.
    Dtype {
        /// Signed 8-bit integer.
        I8 = "i8",
        /// Unsigned 8-bit integer.
        U8 = "u8",
        /// Signed 16-bit integer.
        I16 = "i16",
        /// Unsigned 16-bit integer.
        U16 = "u16",
        /// Signed 32-bit integer.
        I32 = "i32",
    }
}

impl Dtype {
    /// Size of an element in bytes: 1, 2 or 4.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Dtype::I8 | Dtype::U8 => 1,
            Dtype::I16 | Dtype::U16 => 2,
            Dtype::I32 => 4,
        }
    }

    /// The least value of the type.
    #[must_use]
    pub const fn min(self) -> i32 {
        match self {
            Dtype::I8 => -128,
            Dtype::I16 => -32768,
            Dtype::I32 => i32::MIN,
            Dtype::U8 | Dtype::U16 => 0,
        }
    }

    /// The greatest value of the type.
    #[must_use]
    pub const fn max(self) -> i32 {
        match self {
            Dtype::I8 => 127,
            Dtype::U8 => 255,
            Dtype::I16 => 32767,
            Dtype::U16 => 65535,
            Dtype::I32 => i32::MAX,
        }
    }

    /// Whether `value` is representable.
    #[must_use]
    pub const fn contains(self, value: i32) -> bool {
        self.min() <= value && value <= self.max()
    }
}

field_enum! {
    /// Rounding of `apply_scale`, as in TOSA `RESCALE`.
    Round {
        /// Add half of the last kept bit, then shift.
        Single = "single",
        /// As `Single`, with TOSA's additional term of ±2^30 when the shift exceeds 31.
        Double = "double",
    }
}

field_enum! {
    /// Address space.
    Space {
        /// The program's flat external memory.
        Dram = "dram",
        /// The tile's on-chip memory.
        Sram = "sram",
    }
}

field_enum! {
    /// The operand of a convolution that PEs keep while they go on to other blocks of outputs.
    Stationary {
        /// None: sums stay until they are complete, and every block loads its weights and activations.
        Output = "output",
        /// Weights: they are loaded once for all positions.
        Weight = "weight",
        /// Activations: they are loaded once for all output channels.
        Input = "input",
    }
}

field_enum! {
    /// Kind of pooling.
    PoolMode {
        /// Greatest tap.
        Max = "max",
        /// Mean over the taps inside the bound.
        Avg = "avg",
    }
}

field_enum! {
    /// How `vec_resize` computes a pixel from its neighbours.
    ResizeMode {
        /// The nearest one.
        Nearest = "nearest",
        /// All four, weighted with the distance.
        Bilinear = "bilinear",
    }
}

field_enum! {
    /// Operator of `vec_binary` on two 32-bit values.
    BinaryOp {
        /// Wrapping sum.
        Add = "add",
        /// Wrapping difference.
        Sub = "sub",
        /// 64-bit product, optionally shifted right with rounding; low 32 bits.
        Mul = "mul",
        /// Greater value.
        Max = "max",
        /// Lesser value.
        Min = "min",
        /// Arithmetic shift right.
        Asr = "asr",
        /// Arithmetic shift right, plus the last bit shifted out.
        AsrRound = "asr_round",
        /// Logical shift left.
        Lsl = "lsl",
        /// Bitwise and.
        And = "and",
        /// Bitwise or.
        Or = "or",
        /// Bitwise exclusive or.
        Xor = "xor",
        /// Logical shift right, in the width of the first operand's type.
        Lsr = "lsr",
        /// Quotient, rounded towards 0.
        Div = "div",
        /// 1 if both are equal, else 0.
        Equal = "equal",
        /// 1 if the first is greater, else 0.
        Greater = "greater",
        /// 1 if the first is greater or both are equal, else 0.
        GreaterEqual = "greater_equal",
    }
}

field_enum! {
    /// Operator of `vec_unary` on a 32-bit value.
    UnaryOp {
        /// The value itself: cast and clamp.
        Copy = "copy",
        /// Absolute value, wrapping.
        Abs = "abs",
        /// Negation, wrapping.
        Negate = "negate",
        /// Number of leading zero bits.
        Clz = "clz",
        /// Bitwise complement.
        Not = "not",
        /// 1 if the value is not 0, else 0.
        Nonzero = "nonzero",
    }
}

field_enum! {
    /// Operator of `vec_reduce`.
    ReduceOp {
        /// Wrapping sum.
        Sum = "sum",
        /// Greatest value.
        Max = "max",
        /// Least value.
        Min = "min",
        /// Index of the first greatest value.
        Argmax = "argmax",
    }
}

field_enum! {
    /// A unit that executes tasks in order, concurrently with the others.
    Engine {
        /// The dispatcher itself: barriers and the end of the program.
        Control = "control",
        /// First DMA engine.
        Dma0 = "dma0",
        /// Second DMA engine.
        Dma1 = "dma1",
        /// Convolution and pooling.
        Dpu = "dpu",
        /// Element-wise vector engine.
        Vec = "vec",
    }
}

/// A byte address in one of the two address spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MemAddr {
    /// The address space.
    pub space: Space,
    /// Byte offset from the start of the space; 40 bits.
    pub offset: u64,
}

impl MemAddr {
    /// Width of an offset.
    pub const OFFSET_BITS: u32 = 40;

    /// An address in DRAM.
    #[must_use]
    pub const fn dram(offset: u64) -> Self {
        MemAddr { space: Space::Dram, offset }
    }

    /// An address in the tile's SRAM.
    #[must_use]
    pub const fn sram(offset: u64) -> Self {
        MemAddr { space: Space::Sram, offset }
    }
}

impl fmt::Display for MemAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:#x}", self.space, self.offset)
    }
}
