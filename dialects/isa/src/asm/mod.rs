//! Assembler text: the whole program in a form that people can read, diff and write.
//!
//! [`print()`] and [`parse()`] are inverse: parsing printed text gives the same program, hence the same bytes, and
//! printing a program parsed from canonical text gives the same text.
//!
//! ```text
//! .dpu 1
//! .machine
//! name = "flexnn-16x16"
//! ...                                  the machine file's fields
//! .end
//! .manifest tool="strumc" pipeline="" input_sha256=""
//! .dram 4096
//! .loc 0 "model.mlir:3:8"              index and text
//! .layer 0 "conv1" op="tosa.conv2d" loc=0 macs=1024
//! .input "x" i8 [1, 8] at 0x100
//! .output "y" i8 [1, 8] at 0x200 scale="5e-1" zero_point=-3
//!                                      also: unsigned, and of an input state=0 initial=-3
//! .code
//! .at layer=0 loc=none                 origin of the following instructions
//!   bar_cfg barrier=0 producers=1 consumers=1
//!   end
//! .const 16                            bytes, followed by their hex digits
//!   000102030405060708090a0b0c0d0e0f
//! ```
//!
//! `#` starts a comment. Fields may appear in any order; `tile`, `wait` and `post` may be omitted when 0 and empty.

mod cursor;
mod fields;
mod parse;
mod print;

pub use fields::{instr_text, parse_instr};
pub use parse::parse;
pub use print::print;

/// Version of the text format: that of programs with weights in blocks without masks. Other programs are of version 1.
pub const VERSION: u32 = 2;

/// A text that is not a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{col}: {msg}")]
pub struct AsmError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub col: usize,
    /// What was expected and what was found.
    pub msg: String,
}
