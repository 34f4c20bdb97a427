//! Export of the `dpu` dialect to the binary, and import.
//!
//! Invariant: importing a program that [`export`] wrote, and exporting it again, gives the same program.

mod export;
mod import;

pub use export::{ExportError, export, find_program, without_folders};
pub use import::{ImportError, import};

/// The attribute of a `dpu.program` with the manifest's pipeline.
pub(crate) const PIPELINE: &str = "pipeline";
/// The attribute of a `dpu.program` with the manifest's input hash.
pub(crate) const INPUT_SHA256: &str = "input_sha256";
/// The attribute of a `dpu.program` with the manifest's tool, if that is not this one.
pub(crate) const TOOL: &str = "tool";

/// The name of this compiler in the manifest.
pub(crate) fn tool() -> String {
    format!("strum-opt {}", env!("CARGO_PKG_VERSION"))
}
