//! The `dpu` dialect: programs, buffers, barriers, and the instructions of `dpu-isa` as operations.
//!
//! Instructions are converted to and from operations through the instruction table, so that a new row needs only the regenerated
//! ODS file here (see [`ods::instrs`]).
//!
//! ```
//! # use dpu_isa::{DmaCopy, Dtype, Space};
//! # use strum_ir::{Context, Location, Module, dpu::{self, BufferType, Program, Stage, Task}};
//! # let context = Context::new();
//! # let location = Location::unknown(&context);
//! # let module = Module::empty(location);
//! let program = Program::build("main", "flexnn-16x16", location)?.append_to(module.body())?;
//! let body = program.body().ok_or("no body")?;
//! let ty = BufferType { space: Space::Dram, dtype: Dtype::I8, shape: vec![16] }.ty(location)?;
//! let x = dpu::input("x", ty, location).append_to(body)?.results()[0];
//! let y = dpu::output("y", ty, location).append_to(body)?.results()[0];
//! let copy = DmaCopy { element: 16, ..DmaCopy::default() };
//! let task = Task::new(copy.into(), &[("src", x), ("dst", y)])?;
//! let op = task.build(location)?.append_to(body)?;
//! assert_eq!(Task::read(op)?, task);
//! assert_eq!(Program::read(program).map(|program| program.stage()), Some(Stage::Draft));
//! assert!(program.verify().is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod buffer;
pub mod ods;
mod program;
mod task;
pub(crate) mod text;
pub(crate) mod verify;

pub use buffer::{Buffer, BufferType, Role, alloc, constant, input, output};
pub use program::{Layer, Program, Stage, layer};
pub(crate) use task::is_instruction;
pub use task::{Task, TaskError, bar_cfg};
