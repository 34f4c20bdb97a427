//! `strum-opt`: mlir-opt, with the file handling, messages and exit codes of the other drivers.
//!
//! Invariant: only files named on the command line are opened, none named by locations in the IR.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use strum_files::{FileError, Staged, budget};
use strum_ir::{Captured, DialectRegistry, OptLine, OptOutcome, OptSource, Severity, run_opt};

use crate::driver::cli::Filter;
use crate::driver::diagnostics::{Origin, kind};
use crate::driver::exit::{Failure, Kind};
use crate::driver::files::{self, Input};
use crate::driver::{cli, isolate, network};

const TOOL: &str = "strum-opt";

/// The options that are not MLIR's.
const LOG: &str = "--strum-log";
const MEMORY_LIMIT: &str = "--strum-memory-limit";

/// The beginning of `--help`.
const TITLE: &str = "strum-opt, an MLIR compiler for StruM-packed convolutional networks\n\n\
  --strum-log=FILTER         log to standard error: a level (off, error, warn, info, debug, trace) or directives\n\
                             such as warn,strum_passes=debug; the default is STRUM_LOG, or warn\n  \
  --strum-memory-limit=SIZE  memory limit of the process, such as 2GB or 512MiB\n\n\
Exit codes: 0 success, 1 invalid input, 2 wrong usage, 3 not supported, 4 limit exceeded, 70 internal error\n";

/// Runs on the process's arguments, and exits.
pub(crate) fn main() -> ExitCode {
    if let Some(request) = isolate::asked_to_read(std::env::args_os()) {
        return cli::end(TOOL, move || isolate::serve(&request));
    }
    strum_files::ignore_file_size_signal();
    let (own, arguments): (Vec<OsString>, Vec<OsString>) =
        std::env::args_os().partition(|argument| argument.as_encoded_bytes().starts_with(LOG.as_bytes()));
    cli::end(TOOL, move || {
        if arguments.iter().skip(1).any(|argument| argument == "--version") {
            return files::print(format!("{TOOL} {}\n", cli::version()).as_bytes());
        }
        cli::start_log(&filter(&own)?, None);
        work(&budget::take_option(MEMORY_LIMIT, arguments).map_err(Failure::usage)?)
    })
}

/// The value of the last occurrence of the option, or of the environment without one.
fn filter(options: &[OsString]) -> Result<Filter, Failure> {
    let Some(option) = options.last() else { return Filter::of_environment().map_err(Failure::usage) };
    let value = option.to_str().and_then(|text| text.strip_prefix(LOG)?.strip_prefix('='));
    let filter = value.map_or_else(|| Err("takes a filter".to_owned()), str::parse);
    filter.map_err(|error| Failure::usage(format_args!("{LOG}: {error}")))
}

fn work(arguments: &[OsString]) -> Result<(), Failure> {
    check_response_files(arguments)?;
    crate::register_all();
    let registry = crate::registry();
    let line = OptLine::read(arguments, TITLE, &registry).ok_or_else(|| Failure::told(Kind::Usage))?;
    if line.lists {
        let nothing = OptSource::default();
        run_opt(nothing, nothing, io::stdout().as_fd(), &registry, &|_| ());
        return Ok(());
    }
    let input = read(Path::new(&line.input), &line)?;
    let irdl = line.irdl.as_ref().map(|path| read(Path::new(path), &line)).transpose()?;
    let sink = Sink::open(Path::new(&line.output))?;
    run(&input, irdl.as_ref(), &sink, &registry)?;
    sink.finish()
}

/// LLVM reads `@file` for more arguments, of any length.
fn check_response_files(arguments: &[OsString]) -> Result<(), Failure> {
    use std::os::unix::ffi::OsStrExt;
    for argument in arguments.iter().skip(1) {
        let Some(name) = argument.as_bytes().strip_prefix(b"@") else { continue };
        let path = Path::new(std::ffi::OsStr::from_bytes(name));
        // `@name` without such a file is an ordinary argument.
        if fs::metadata(path).is_ok_and(|about| !about.is_file() || about.len() > strum_files::MAX_TEXT) {
            let what = format_args!("'{}' is not a file of arguments", argument.display());
            return Err(Failure::usage(what));
        }
    }
    Ok(())
}

/// Reads text or bytecode that MLIR can process safely.
fn read(path: &Path, line: &OptLine) -> Result<Input, Failure> {
    let mut input = files::read(path)?;
    network::check_depth(&input)?;
    if !network::is_text(&input.bytes)
        && let Some(clean) = isolate::read(&input, line.allow_unregistered)?
    {
        input.bytes = clean;
    }
    Ok(input)
}

/// Does the work, and prints diagnostics.
fn run(input: &Input, irdl: Option<&Input>, sink: &Sink, registry: &DialectRegistry) -> Result<(), Failure> {
    fn source(input: &Input) -> OptSource<'_> {
        OptSource { name: &input.name, bytes: &input.bytes }
    }
    let origin = Origin::new(&input.name, &input.bytes).of_tool(TOOL);
    let first: Mutex<Option<Kind>> = Mutex::new(None);
    let tell = |diagnostic: Captured| {
        let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
        if diagnostic.severity == Severity::Error {
            first.get_or_insert(kind(&diagnostic.message));
        }
        origin.tell(&[diagnostic], false);
    };
    let irdl = irdl.map(source).unwrap_or_default();
    match run_opt(source(input), irdl, sink.as_fd(), registry, &tell) {
        OptOutcome::Done => Ok(()),
        OptOutcome::Failed { usage: true } => Err(Failure::told(Kind::Usage)),
        OptOutcome::Failed { usage: false } => {
            let first = first.into_inner().unwrap_or_else(PoisonError::into_inner);
            Err(Failure::told(first.unwrap_or(Kind::Input)))
        }
        OptOutcome::Unwritten(code) => sink.failed(io::Error::from_raw_os_error(code)),
    }
}

/// The destination of the output.
enum Sink {
    /// Standard output.
    Standard(io::Stdout),
    /// A device or a pipe, which no finished file can replace.
    Special(File, PathBuf),
    /// A file that appears completely or not at all.
    Staged(Staged),
}

impl Sink {
    fn open(path: &Path) -> Result<Self, Failure> {
        if files::is_standard(path) {
            return Ok(Sink::Standard(io::stdout()));
        }
        let kind = fs::metadata(path).map(|about| about.file_type());
        if kind.is_ok_and(|kind| kind.is_char_device() || kind.is_block_device() || kind.is_fifo()) {
            let file = File::options().write(true).open(path).map_err(FileError::io(path))?;
            return Ok(Sink::Special(file, path.to_owned()));
        }
        Ok(Sink::Staged(Staged::create(path)?))
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Sink::Standard(out) => out.as_fd(),
            Sink::Special(file, _) => file.as_fd(),
            Sink::Staged(staged) => staged.file().as_fd(),
        }
    }

    /// The failure for a write error: none, if a reader of standard output has closed the pipe.
    fn failed(&self, error: io::Error) -> Result<(), Failure> {
        let path = match self {
            Sink::Standard(_) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Sink::Standard(_) => Path::new("<stdout>"),
            Sink::Special(_, path) => path,
            Sink::Staged(staged) => staged.path(),
        };
        Err(FileError::io(path)(error).into())
    }

    fn finish(self) -> Result<(), Failure> {
        match self {
            Sink::Standard(_) | Sink::Special(..) => Ok(()),
            Sink::Staged(staged) => Ok(staged.commit()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_filter_counts_and_others_are_wrong_usage() {
        let filter = |options: &[&str]| filter(&options.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(filter(&["--strum-log=loud", "--strum-log=debug"]).ok(), "debug".parse().ok());
        for wrong in ["--strum-log", "--strum-log=", "--strum-log=loud", "--strum-logs=debug"] {
            assert_eq!(filter(&[wrong]).unwrap_err().kind, Kind::Usage, "{wrong}");
        }
    }
}
