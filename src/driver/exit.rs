//! How a driver ends, beyond what `strum-cli` knows: memory, and whose fault a trap is.

use strum_files::OverLimit;
use strum_passes::common::verdict::MEMORY;

pub(crate) use strum_cli::{Failure, Kind};

/// There is less memory than needed.
pub(crate) fn out_of_memory(over: &OverLimit) -> Failure {
    Failure::new(Kind::Resource, format_args!("{MEMORY}{over}"))
}

/// A fault of a program that this tool has compiled is a fault of this tool.
pub(crate) fn blame_compiler(failure: Failure) -> Failure {
    match failure.kind {
        Kind::Trap => failure.with_help(
            "the program was compiled by this tool: please report this, with what --save-temps DIR keeps",
        ),
        Kind::Input | Kind::Usage | Kind::Unsupported | Kind::Resource | Kind::Internal => failure,
    }
}
