//! A safe view of MLIR for this project's passes and tools, and of its dialects `strum` and `dpu`.
//!
//! Everything hangs on a [`Context`]; [`Operation`], [`Value`], [`Block`], [`Type`], [`Attribute`] and [`Location`] are handles into it
//! that are copied freely. The interface is small and goes straight to MLIR's C interface: it holds what passes need, with an answer
//! for every input, and no more.
//!
//! - Reading and changing IR: [`Operation`], [`Value`], [`Block`], [`OpBuilder`].
//! - Constants without copies: [`Attribute::bytes`], [`Attribute::resource`].
//! - Saying what is wrong: [`Operation::error`], [`Location::diagnostic`], [`ContextRef::capture`].
//! - Passes with options, and pipelines of them: [`Pass`], [`pass_options!`], [`register_pass`], [`Pipeline`], [`register_pipeline`].
//! - Running them: [`Module::run`], [`Module::run_passes`], [`run_opt`].
//! - The dialects: [`strum`], [`dpu`].
//!
//! Two rules keep handles sound, which the compiler cannot check: they are not kept over a run of MLIR's own passes
//! ([`Module::run`], [`PassContext::run_pipeline`]) nor over the end of their [`Module`].

mod attribute;
mod blob;
mod block;
mod builder;
mod context;
mod diagnostic;
mod dictionary;
mod discardable;
pub mod dpu;
mod error;
mod ffi;
mod graveyard;
mod interop;
mod location;
mod module;
mod operation;
mod opt;
mod option;
mod pass;
mod pass_manager;
mod pipeline;
mod splat;
pub mod strum;
mod tool;
mod types;
mod value;
mod verify;

pub use attribute::Attribute;
pub use blob::{BlobError, Bytes};
pub use block::{Block, Region};
pub use builder::OpBuilder;
pub use context::{Context, ContextRef, Dialect, DialectRegistry, register_mlir_passes};
pub use diagnostic::{Captured, Diagnostic, Reported, Severity};
pub use error::Error;
pub use location::Location;
pub use module::{Module, PrintOptions};
pub use operation::Operation;
pub use opt::{OptLine, OptOutcome, OptSource, run_opt};
pub use option::{Any, Domain, Given, OptionError, OptionSet, PassOption, Refused, Words};
pub use pass::{Pass, PassContext, PassError, register_pass};
pub use pipeline::{Passes, Pipeline, register_pipeline};
pub use tool::{llvm_version, lsp_main, return_freed_memory};
pub use types::{TensorType, Type};
pub use value::{Use, Value};
