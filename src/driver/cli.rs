//! The frame of a driver: that of `strum-cli`, plus LLVM's version and the second process that reads bytecode.

use std::process::ExitCode;
use std::sync::LazyLock;

use strum_passes::strum::strum_pack::remark;

use super::exit::Failure;
use super::isolate;

pub(crate) use strum_cli::{Arguments, Common, Filter, Progress, Voice, end, start_log};

/// Remarks are always emitted: which are shown is decided later.
pub(crate) const ALSO_LOGGED: Option<&str> = Some(remark::TARGET);

/// `0.1.0 (LLVM 22.1.8)`.
pub(crate) fn version() -> &'static str {
    static TEXT: LazyLock<String> =
        LazyLock::new(|| format!("{} (LLVM {})", env!("CARGO_PKG_VERSION"), strum_ir::llvm_version()));
    &TEXT
}

/// Parses the arguments, does the work, and exits; or does the work of the second process.
pub(crate) fn main<A: Arguments>(tool: &'static str, work: fn(A) -> Result<(), Failure>) -> ExitCode {
    match isolate::asked_to_read(std::env::args_os()) {
        Some(request) => {
            strum_files::ignore_file_size_signal();
            end(tool, move || isolate::serve(&request))
        }
        None => strum_cli::main(tool, work),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_names_llvm() {
        assert!(version().starts_with(env!("CARGO_PKG_VERSION")) && version().contains("(LLVM 22."));
    }
}
