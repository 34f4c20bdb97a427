//! `mlir-lsp-server` with the dialects `strum` and `dpu`, for editors.

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let code = strum_ir::lsp_main(&arguments, &strum_opt::registry());
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
