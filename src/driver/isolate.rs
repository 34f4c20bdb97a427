//! Reading bytecode in a process of its own.
//!
//! MLIR's reader of bytecode trusts some of what a damaged file says, and then faults or corrupts the heap. So a driver
//! lets a second process of itself read the file, verify the module and write it again, and reads what that one has
//! written. Invariant: no bytecode but that of MLIR's own writer is read in a process that has work to do.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use strum_cli::say;
use strum_files::budget;
use strum_ir::Module;

use super::backend;
use super::diagnostics::Origin;
use super::exit::{Failure, Kind};
use super::files::{self, Input};

/// First argument of the second process; the memory limit in bytes and the name of the file follow, and what it may hold.
const FLAG: &str = "--isolated-reader-of-bytecode";

/// Last argument of a second process that lets operations of unknown dialects through.
const UNREGISTERED: &str = "--allow-unregistered-dialect";

/// What a second process is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    /// The memory limit, in bytes; that of this computer if it is not given.
    limit: Option<u64>,
    /// The name of the file.
    name: String,
    /// Whether operations of unknown dialects are let through.
    allow_unregistered: bool,
}

/// What is asked for, if these are the arguments of a second process.
pub(crate) fn asked_to_read(mut arguments: impl Iterator<Item = OsString>) -> Option<Request> {
    (arguments.nth(1)? == OsStr::new(FLAG)).then(|| {
        let mut next = || arguments.next().unwrap_or_default().to_string_lossy().into_owned();
        let (limit, name) = (next().parse().ok(), next());
        Request { limit, name, allow_unregistered: arguments.any(|argument| argument == UNREGISTERED) }
    })
}

/// The work of the second process: standard input is read, and written to standard output.
pub(crate) fn serve(request: &Request) -> Result<(), Failure> {
    let name = request.name.as_str();
    request.limit.into_iter().for_each(budget::set_limit);
    let bytes = strum_files::read_stream(Path::new(name), io::stdin().lock(), files::MAX_INPUT)?;
    let context = backend::context();
    context.allow_unregistered_dialects(request.allow_unregistered);
    let (clean, diagnostics) = context.handle().capture(|| Module::rewrite_bytecode(context, &bytes, name));
    let origin = Origin::new(name, &[]);
    match clean {
        Ok(clean) => {
            origin.tell(&diagnostics, false);
            files::print(&clean)
        }
        Err(_) => Err(origin.failure(&diagnostics)),
    }
}

/// Has bytecode read by a second process, with operations of unknown dialects or without. Nothing if there can be none.
pub(crate) fn read(input: &Input, allow_unregistered: bool) -> Result<Option<Vec<u8>>, Failure> {
    let spawned = std::env::current_exe().and_then(|program| {
        Command::new(program)
            .args([FLAG, &budget::limit().to_string(), &input.name])
            .args(allow_unregistered.then_some(UNREGISTERED))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    });
    let mut reader = match spawned {
        Ok(reader) => reader,
        Err(error) => {
            tracing::debug!(%error, "no second process: reading bytecode in this one");
            return Ok(None);
        }
    };
    let source = reader.stdin.take();
    let done = thread::scope(|scope| {
        // A reader that faults does not take all of it.
        scope.spawn(|| source.map(|mut source| source.write_all(&input.bytes)));
        reader.wait_with_output()
    })
    .map_err(Failure::input)?;
    let said = String::from_utf8_lossy(&done.stderr);
    if !said.trim().is_empty() {
        say(said.trim_end());
    }
    match done.status.code() {
        Some(0) => Ok(Some(done.stdout)),
        Some(code) if code == i32::from(Kind::Input.code()) => Err(Failure::told(Kind::Input)),
        Some(code) if code == i32::from(Kind::Resource.code()) => Err(Failure::told(Kind::Resource)),
        _ => Err(Failure::input("malformed bytecode: MLIR's reader faulted on it").in_file(&input.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_flag_asks() {
        let ask = |words: &[&str]| asked_to_read(words.iter().map(OsString::from));
        let request = Request { limit: Some(100), name: "x.mlirbc".into(), allow_unregistered: false };
        assert_eq!(ask(&["strumc", FLAG, "100", "x.mlirbc"]), Some(request.clone()));
        let request = Request { allow_unregistered: true, ..request };
        assert_eq!(ask(&["strum-opt", FLAG, "100", "x.mlirbc", UNREGISTERED]), Some(request));
        assert_eq!(ask(&["strumc", FLAG]), Some(Request::default()));
        assert_eq!(ask(&["strumc", "compile", FLAG]), None);
        assert_eq!((ask(&["strumc"]), ask(&[])), (None, None));
    }
}
