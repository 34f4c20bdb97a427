//! Emitting diagnostics, and capturing those that others emit.

use std::{
    ffi::c_void,
    fmt,
    sync::{Mutex, PoisonError},
};

use strum_mlir_sys as sys;

use crate::{ContextRef, Location, ffi, location::len};

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The run fails.
    Error,
    /// The run goes on, with a result that the user may not want.
    Warning,
    /// Information.
    Remark,
    /// More about the diagnostic that it belongs to. Not to be emitted alone.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Remark => "remark",
            Self::Note => "note",
        })
    }
}

/// Proof that a failure has been reported as a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "return it, so that the failure is not forgotten"]
pub struct Reported(());

/// A diagnostic under construction.
#[must_use = "a diagnostic says nothing before `emit` or `fail`"]
pub struct Diagnostic<'c> {
    severity: Severity,
    location: Location<'c>,
    message: String,
    notes: Vec<(Location<'c>, String)>,
}

impl<'c> Diagnostic<'c> {
    pub(crate) fn new(severity: Severity, location: Location<'c>, message: impl fmt::Display) -> Self {
        Self { severity, location, message: message.to_string(), notes: Vec::new() }
    }

    /// Adds a note.
    pub fn note(mut self, location: Location<'c>, message: impl fmt::Display) -> Self {
        self.notes.push((location, message.to_string()));
        self
    }

    /// Hands it to MLIR as an error. The result is what a failing pass returns.
    pub fn fail(mut self) -> Reported {
        self.severity = Severity::Error;
        self.emit();
        Reported(())
    }

    /// Hands it to MLIR.
    pub fn emit(self) {
        let severity = match self.severity {
            Severity::Error => sys::StrumSeverity::STRUM_ERROR,
            Severity::Warning => sys::StrumSeverity::STRUM_WARNING,
            Severity::Remark | Severity::Note => sys::StrumSeverity::STRUM_REMARK,
        };
        let locations: Vec<_> = self.notes.iter().map(|(location, _)| location.raw()).collect();
        let notes: Vec<_> = self.notes.iter().map(|(_, text)| ffi::string_ref(text)).collect();
        let message = ffi::string_ref(&self.message);
        // SAFETY: the locations are valid, the strings live until after the call, and both lists have the given length.
        unsafe {
            sys::strumEmit(
                self.location.raw(),
                severity,
                message,
                len(&notes),
                locations.as_ptr(),
                notes.as_ptr(),
            );
        }
    }
}

/// A diagnostic that was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// How bad it is.
    pub severity: Severity,
    /// Where, as [`Location::describe`] writes it.
    pub location: String,
    /// What it says.
    pub message: String,
    /// Its notes.
    pub notes: Vec<Captured>,
}

impl fmt::Display for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.location, self.severity, self.message)?;
        self.notes.iter().try_for_each(|note| write!(f, "\n{note}"))
    }
}

impl<'c> ContextRef<'c> {
    /// Runs `body`, and returns with its result all diagnostics emitted meanwhile, which go nowhere else.
    pub fn capture<R>(self, body: impl FnOnce() -> R) -> (R, Vec<Captured>) {
        /// Detaches the handler, even if `body` unwinds.
        struct Attached<'c>(ContextRef<'c>, sys::MlirDiagnosticHandlerID);
        impl Drop for Attached<'_> {
            fn drop(&mut self) {
                // SAFETY: attached to this context below, detached once.
                unsafe { sys::mlirContextDetachDiagnosticHandler(self.0.raw(), self.1) }
            }
        }

        let captured: Mutex<Vec<Captured>> = Mutex::default();
        let user: *const Mutex<Vec<Captured>> = &raw const captured;
        // SAFETY: the handler is detached before `captured` goes out of scope, and takes it as the Mutex it is.
        let id = unsafe {
            sys::mlirContextAttachDiagnosticHandler(self.raw(), Some(record), user.cast_mut().cast(), None)
        };
        let attached = Attached(self, id);
        let result = body();
        drop(attached);
        (result, captured.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The handler of [`ContextRef::capture`].
unsafe extern "C" fn record(diagnostic: sys::MlirDiagnostic, user: *mut c_void) -> sys::MlirLogicalResult {
    // SAFETY: `user` is the Mutex that `capture` attached, which outlives the attachment.
    let captured = unsafe { &*user.cast::<Mutex<Vec<Captured>>>() };
    // SAFETY: MLIR hands a valid diagnostic.
    let diagnostic = unsafe { read(diagnostic) };
    captured.lock().unwrap_or_else(PoisonError::into_inner).push(diagnostic);
    ffi::SUCCESS
}

/// # Safety
/// The diagnostic must be valid.
pub(crate) unsafe fn read(diagnostic: sys::MlirDiagnostic) -> Captured {
    // SAFETY: valid by this function's contract, and notes are asked for within their number.
    unsafe {
        let severity = match sys::mlirDiagnosticGetSeverity(diagnostic) {
            sys::MlirDiagnosticSeverity_MlirDiagnosticError => Severity::Error,
            sys::MlirDiagnosticSeverity_MlirDiagnosticWarning => Severity::Warning,
            sys::MlirDiagnosticSeverity_MlirDiagnosticNote => Severity::Note,
            _ => Severity::Remark,
        };
        let notes = sys::mlirDiagnosticGetNumNotes(diagnostic);
        Captured {
            severity,
            location: Location::from_raw(sys::mlirDiagnosticGetLocation(diagnostic)).describe(),
            message: ffi::collect(|user| sys::mlirDiagnosticPrint(diagnostic, Some(ffi::append), user)),
            notes: (0..notes).map(|i| read(sys::mlirDiagnosticGetNote(diagnostic, i))).collect(),
        }
    }
}
