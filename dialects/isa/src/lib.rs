//! The contract of the DPU: instruction set, binary and assembler form, machine description.
//!
//! Everything about an instruction (struct, encoding, text, checks, manual, generators) derives from the one
//! table in [`table`]; a new row there is a new instruction everywhere.

#[macro_use]
mod macros;

pub mod asm;
pub mod barrier;
pub mod codec;
pub mod container;
pub mod field;
pub mod footprint;
pub mod machine;
pub mod manual;
mod meaning;
pub mod method;
mod operand;
pub mod program;
mod progress;
mod resize;
pub mod rules;
pub mod schedule;
pub mod slots;
pub mod table;
#[cfg(feature = "testing")]
pub mod testing;
pub mod types;
pub mod validate;
pub mod violation;
pub mod weights;
mod wire;

pub use asm::AsmError;
pub use codec::{DecodeError, DecodeErrorKind, decode, decode_one, encode, encode_one};
pub use container::ContainerError;
pub use field::{FieldDesc, FieldError, FieldErrorKind, FieldKind, InstrDesc, Role};
pub use footprint::Access;
pub use machine::{Machine, MachineError, PeKind};
pub use meaning::{Codes, Meaning, State};
pub use method::{LowWork, Method, MethodDesc};
pub use program::{InstrMeta, IoDesc, Layer, Manifest, Program};
pub use resize::{ResizeAxis, ResizeError, Taps};
pub use slots::{SlotUse, Slots, Variant};
pub use table::*;
pub use types::{
    BinaryOp, Dtype, Engine, MemAddr, PoolMode, ReduceOp, ResizeMode, Round, Space, Stationary, UnaryOp,
};
pub use violation::{Place, ValidateError, ValidateErrorKind};
pub use weights::{RescaleEntry, TableEntryError, WeightEntry, WeightFormat};
pub use wire::WireError;
