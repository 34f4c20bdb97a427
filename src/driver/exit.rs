//! Exit codes beyond those of `strum-cli`: memory, and the responsibility for a trap.

use strum_files::OverLimit;
use strum_passes::common::verdict::MEMORY;

pub(crate) use strum_cli::{Failure, Kind};

/// Not enough memory.
pub(crate) fn out_of_memory(over: &OverLimit) -> Failure {
    Failure::new(Kind::Resource, format_args!("{MEMORY}{over}"))
}

/// A trap in a program that this tool compiled is a bug of this tool.
pub(crate) fn blame_compiler(failure: Failure) -> Failure {
    match failure.kind {
        Kind::Trap => failure.with_help(
            "the program was compiled by this tool: please report this, with what --save-temps DIR keeps",
        ),
        Kind::Input | Kind::Usage | Kind::Unsupported | Kind::Resource | Kind::Internal => failure,
    }
}
