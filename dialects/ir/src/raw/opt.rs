//! The work of `mlir-opt`, with diagnostics, input and output under the caller's control.
//!
//! Invariant: the only files opened here are those that MLIR's own options name for additional output.

use std::ffi::{OsStr, OsString, c_void};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

use strum_mlir_sys as sys;

use super::{diagnostic, text, tool::with_argv};
use crate::{Captured, DialectRegistry};

/// The parts of a command line that its caller needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptLine {
    /// The file to read; `-` is standard input.
    pub input: OsString,
    /// The file to write; `-` is standard output.
    pub output: OsString,
    /// An IRDL file with dialects, to be read first.
    pub irdl: Option<OsString>,
    /// Whether operations of unknown dialects are allowed.
    pub allow_unregistered: bool,
    /// Whether dialects or passes are listed, and nothing is read.
    pub lists: bool,
}

impl OptLine {
    /// Declares the options of `mlir-opt` and those of all registered passes, and reads a command line, which begins with the program's
    /// name; to be called once. `None` if it is invalid, which has been reported to the user.
    ///
    /// Ends the process after printing `--help`, beginning with `title`.
    pub fn read(arguments: &[OsString], title: &str, registry: &DialectRegistry) -> Option<Self> {
        let empty = sys::MlirStringRef { data: std::ptr::null(), length: 0 };
        let mut line = sys::StrumOptLine {
            input: empty,
            output: empty,
            irdl: empty,
            allowUnregistered: false,
            lists: false,
        };
        let read = with_argv(arguments, |argc, argv| {
            // SAFETY: `argv` holds `argc` strings and a null, and the registry is valid.
            unsafe {
                sys::strumOptReadLine(argc, argv, text::string_ref(title), registry.0.to_raw(), &mut line)
            }
        });
        // SAFETY: the strings live as long as the process.
        let file = |name| OsStr::from_bytes(unsafe { text::bytes_of(name) }).to_owned();
        read.then(|| Self {
            input: file(line.input),
            output: file(line.output),
            irdl: Some(file(line.irdl)).filter(|file| !file.is_empty()),
            allow_unregistered: line.allowUnregistered,
            lists: line.lists,
        })
    }
}

/// An input.
#[derive(Clone, Copy, Debug, Default)]
pub struct OptSource<'a> {
    /// Its name in locations.
    pub name: &'a str,
    /// Text or bytecode.
    pub bytes: &'a [u8],
}

/// The outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptOutcome {
    /// Everything was written.
    Done,
    /// Something failed; diagnostics or standard error have the reason.
    Failed {
        /// Whether the command line is invalid.
        usage: bool,
    },
    /// The output could not be written: the error number.
    Unwritten(i32),
}

/// Executes the last command line that [`OptLine::read`] has read. `tell` receives every diagnostic of a severity that the user asked
/// for, on any thread, except those that `--verify-diagnostics` expects.
pub fn run_opt(
    input: OptSource<'_>,
    irdl: OptSource<'_>,
    output: BorrowedFd<'_>,
    registry: &DialectRegistry,
    tell: &(dyn Fn(Captured) + Sync),
) -> OptOutcome {
    let source = |source: OptSource<'_>| sys::StrumOptSource {
        name: text::string_ref(source.name),
        bytes: text::bytes_ref(source.bytes),
    };
    let user: *const &(dyn Fn(Captured) + Sync) = &raw const tell;
    let job = sys::StrumOptJob {
        input: source(input),
        irdl: source(irdl),
        output: output.as_raw_fd(),
        diagnostic: Some(hand_over),
        userData: user.cast_mut().cast(),
    };
    // SAFETY: what the job borrows outlives the call, and `hand_over` receives the user data as the closure it
    // is.
    let result = unsafe { sys::strumOptRun(&job, registry.0.to_raw()) };
    match result {
        sys::StrumOptResult { success: false, usage, .. } => OptOutcome::Failed { usage },
        sys::StrumOptResult { writeError: 0, .. } => OptOutcome::Done,
        sys::StrumOptResult { writeError, .. } => OptOutcome::Unwritten(writeError),
    }
}

/// The receiver of diagnostics.
unsafe extern "C" fn hand_over(raw: sys::MlirDiagnostic, notes: bool, user: *mut c_void) {
    // SAFETY: `user` is the closure that `run_opt` borrows for the whole call, and MLIR passes a valid
    // diagnostic.
    let (tell, mut diagnostic) =
        unsafe { (*user.cast::<&(dyn Fn(Captured) + Sync)>(), diagnostic::read(raw)) };
    if !notes {
        diagnostic.notes.clear();
    }
    // A panic cannot cross C++.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tell(diagnostic)));
}
