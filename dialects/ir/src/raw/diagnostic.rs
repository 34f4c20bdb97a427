//! Diagnostics to and from MLIR.

use std::{
    ffi::c_void,
    sync::{Mutex, PoisonError},
};

use melior::diagnostic::{Diagnostic as Given, DiagnosticSeverity};
use strum_mlir_sys as sys;

use super::{len, operation::raw_context, text};
use crate::{Captured, ContextRef, Diagnostic, Location, Severity};

/// Emits a diagnostic through MLIR.
pub(crate) fn emit(diagnostic: &Diagnostic<'_>) {
    let severity = match diagnostic.severity {
        Severity::Error => sys::StrumSeverity::STRUM_ERROR,
        Severity::Warning => sys::StrumSeverity::STRUM_WARNING,
        Severity::Remark | Severity::Note => sys::StrumSeverity::STRUM_REMARK,
    };
    let (location, message) = (diagnostic.location.0.to_raw(), text::string_ref(&diagnostic.message));
    let locations: Vec<_> = diagnostic.notes.iter().map(|(location, _)| location.0.to_raw()).collect();
    let notes: Vec<_> = diagnostic.notes.iter().map(|(_, note)| text::string_ref(note)).collect();
    // SAFETY: the locations are valid, the strings live until after the call, and both lists have the given length.
    unsafe { sys::strumEmit(location, severity, message, len(&notes), locations.as_ptr(), notes.as_ptr()) };
}

/// Runs `body`, and returns with its result all diagnostics emitted meanwhile, which go nowhere else.
pub(crate) fn capture<R>(context: ContextRef<'_>, body: impl FnOnce() -> R) -> (R, Vec<Captured>) {
    /// Detaches the handler, even if `body` unwinds.
    struct Attached<'c>(ContextRef<'c>, sys::MlirDiagnosticHandlerID);
    impl Drop for Attached<'_> {
        fn drop(&mut self) {
            // SAFETY: attached to this context below, detached once.
            unsafe { sys::mlirContextDetachDiagnosticHandler(raw_context(self.0), self.1) }
        }
    }

    let captured: Mutex<Vec<Captured>> = Mutex::default();
    let user: *const Mutex<Vec<Captured>> = &raw const captured;
    // SAFETY: the handler is detached before `captured` goes out of scope, and takes it as the Mutex it is.
    let id = unsafe {
        let context = raw_context(context);
        sys::mlirContextAttachDiagnosticHandler(context, Some(record), user.cast_mut().cast(), None)
    };
    let attached = Attached(context, id);
    let result = body();
    drop(attached);
    (result, captured.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The handler of [`capture`].
unsafe extern "C" fn record(diagnostic: sys::MlirDiagnostic, user: *mut c_void) -> sys::MlirLogicalResult {
    // SAFETY: `user` is the Mutex that `capture` attached, which outlives the attachment; MLIR passes a valid
    // diagnostic.
    let (captured, diagnostic) = unsafe { (&*user.cast::<Mutex<Vec<Captured>>>(), read(diagnostic)) };
    captured.lock().unwrap_or_else(PoisonError::into_inner).push(diagnostic);
    text::SUCCESS
}

/// # Safety
/// The diagnostic must be valid.
pub(crate) unsafe fn read(raw: sys::MlirDiagnostic) -> Captured {
    // SAFETY: by this function's contract; notes are queried within their number, and `append` gets the buffer it expects.
    unsafe {
        let diagnostic = Given::from_raw(raw);
        let severity = match diagnostic.severity() {
            DiagnosticSeverity::Error => Severity::Error,
            DiagnosticSeverity::Note => Severity::Note,
            DiagnosticSeverity::Remark => Severity::Remark,
            DiagnosticSeverity::Warning => Severity::Warning,
        };
        let notes = (0..diagnostic.note_count()).map(|i| read(sys::mlirDiagnosticGetNote(raw, i as isize)));
        Captured {
            severity,
            location: Location(diagnostic.location()).describe(),
            message: text::collect(|user| sys::mlirDiagnosticPrint(raw, Some(text::append), user)),
            notes: notes.collect(),
        }
    }
}
