//! Reads bytecode in a separate process.
//!
//! MLIR's bytecode reader trusts parts of damaged files, and then faults or corrupts the heap. So a driver lets a second process
//! of itself read the file, verify the module and write it again, and reads the result. Invariant: a process that has work to do
//! reads only bytecode written by MLIR's own writer.

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

/// First argument of the second process; the memory limit in bytes, the name of the file, and the permissions follow.
const FLAG: &str = "--isolated-reader-of-bytecode";

/// Last argument of a second process that accepts operations of unknown dialects.
const UNREGISTERED: &str = "--allow-unregistered-dialect";

/// The request to a second process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    /// The memory limit, in bytes; that of this computer if not given.
    limit: Option<u64>,
    /// The name of the file.
    name: String,
    /// Whether operations of unknown dialects are accepted.
    allow_unregistered: bool,
}

/// The request, if these are the arguments of a second process.
pub(crate) fn asked_to_read(mut arguments: impl Iterator<Item = OsString>) -> Option<Request> {
    (arguments.nth(1)? == OsStr::new(FLAG)).then(|| {
        let mut next = || arguments.next().unwrap_or_default().to_string_lossy().into_owned();
        let (limit, name) = (next().parse().ok(), next());
        Request { limit, name, allow_unregistered: arguments.any(|argument| argument == UNREGISTERED) }
    })
}

/// The work of the second process: reads standard input and writes to standard output.
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
        Err(_) => {
            let failure = origin.failure(&diagnostics);
            if let Some(producer) = newer_producer(&bytes, strum_ir::llvm_version()) {
                say(format!(
                    "help: this bytecode is of {producer}, and LLVM {} reads it: let its producer write text, or bytecode by MLIR \
                     of that version or an older one",
                    strum_ir::llvm_version()
                ));
            }
            Err(failure)
        }
    }
}

/// The producer in the header of bytecode, such as `MLIR24.0.0git`, if its major version is above this LLVM's.
fn newer_producer<'b>(bytes: &'b [u8], ours: &str) -> Option<&'b str> {
    // Magic number, version of the format in one byte, and text that ends with 0.
    let text = bytes.get(5..)?.split(|&byte| byte == 0).next()?;
    let producer =
        std::str::from_utf8(text).ok().filter(|text| text.chars().all(|c| c.is_ascii_graphic()))?;
    let major = |version: &str| version.split('.').next()?.parse::<u32>().ok();
    (major(producer.strip_prefix("MLIR")?)? > major(ours)?).then_some(producer)
}

/// Lets a second process read bytecode, with or without operations of unknown dialects. Nothing if there is none.
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
        // A reader that faults does not consume all of it.
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
    fn the_producer_is_named_if_it_is_newer() {
        let of = |bytes: &[u8]| newer_producer(bytes, "22.1.8").map(str::to_owned);
        assert_eq!(of(b"ML\xefR\x0dMLIR24.0.0git\0\x01"), Some("MLIR24.0.0git".to_owned()));
        for same in ["MLxR\rMLIR22.1.8\0", "MLxR\rMLIR9\0", "MLxR\rother24\0", "MLxR", ""] {
            assert_eq!(of(same.as_bytes()), None, "{same:?}");
        }
    }

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
