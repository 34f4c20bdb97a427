//! Emitting diagnostics, and capturing them.

use std::fmt;

use crate::{ContextRef, Location, raw};

/// Severity of a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The run fails.
    Error,
    /// The run continues, with a result that the user may not want.
    Warning,
    /// Information.
    Remark,
    /// Details of the diagnostic that it belongs to. Not emitted alone.
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
    pub(crate) severity: Severity,
    pub(crate) location: Location<'c>,
    pub(crate) message: String,
    pub(crate) notes: Vec<(Location<'c>, String)>,
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

    /// Emits it as an error. The result is what a failing pass returns.
    pub fn fail(mut self) -> Reported {
        self.severity = Severity::Error;
        self.emit();
        Reported(())
    }

    /// Emits it.
    pub fn emit(self) {
        raw::diagnostic::emit(&self);
    }
}

/// A captured diagnostic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Its severity.
    pub severity: Severity,
    /// Its location, as [`Location::describe`] writes it.
    pub location: String,
    /// Its message.
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
        raw::diagnostic::capture(self, body)
    }
}
