//! A safe view of MLIR for this project's passes and tools, and of its dialects `strum` and `dpu`.
//!
//! Everything belongs to a [`Context`]; [`Operation`], [`Value`], [`Block`], [`Type`], [`Attribute`] and [`Location`] are copyable handles
//! into it: newtypes of melior's, on which most of this crate is built. The interface has only what passes need, and is total. What melior
//! lacks or does unsoundly, and everything `unsafe`, is in `raw`, which gives the reasons.
//!
//! - Reading and changing IR: [`Operation`], [`Value`], [`Block`], [`OpBuilder`].
//! - Constants without copies: [`Attribute::bytes`], [`Attribute::resource`].
//! - Saying what is wrong: [`Operation::error`], [`Location::diagnostic`], [`ContextRef::capture`].
//! - Passes with options, and pipelines of them: [`Pass`], [`pass_options!`], [`register_pass`], [`Pipeline`], [`register_pipeline`].
//! - Running them: [`Module::run`], [`Module::run_passes`], [`run_opt`].
//! - The dialects: [`strum`], [`dpu`].
//!
//! Two rules keep handles sound, which the compiler cannot check: they are not kept across a run of MLIR's own
//! passes ([`Module::run`]) nor beyond the end of their [`Module`].

#![deny(unsafe_code)]

mod attribute;
mod blob;
mod block;
mod builder;
mod context;
mod diagnostic;
mod discardable;
pub mod dpu;
mod error;
mod location;
mod module;
mod operation;
mod option;
mod pass;
mod pipeline;
#[allow(unsafe_code, reason = "calls MLIR, and is called by it")]
mod raw;
mod spelling;
pub mod strum;
mod types;
mod value;
mod verdict;

pub use attribute::Attribute;
pub use blob::{BlobError, Bytes};
pub use block::{Block, Region};
pub use builder::OpBuilder;
pub use context::{Context, ContextRef, Dialect, DialectRegistry, register_mlir_passes};
pub use diagnostic::{Captured, Diagnostic, Reported, Severity};
pub use error::Error;
pub use location::Location;
pub use module::Module;
pub use operation::{Operation, PrintOptions};
pub use option::{Any, Domain, Given, OptionError, OptionSet, PassOption, Refused, Words};
pub use pass::{Pass, PassError};
pub use pipeline::{Passes, Pipeline};
pub use raw::opt::{OptLine, OptOutcome, OptSource, run_opt};
pub use raw::pass::{PassContext, register_pass, register_pipeline};
pub use raw::tool::{llvm_version, lsp_main, return_freed_memory};
pub use types::{TensorType, Type};
pub use value::{Use, Value};
