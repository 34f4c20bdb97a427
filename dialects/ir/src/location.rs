//! Source locations.

use std::fmt;

use melior::ir::Location as Melior;

use crate::{
    ContextRef, Reported,
    diagnostic::{Diagnostic, Severity},
    raw,
};

/// Maximum length of the text of a location, in bytes.
const MAX_TEXT: usize = 1 << 17;

/// A location in the user's input.
#[derive(Clone, Copy, PartialEq)]
pub struct Location<'c>(pub(crate) Melior<'c>);

impl<'c> Location<'c> {
    /// The location of things without a source.
    pub fn unknown(context: impl Into<ContextRef<'c>>) -> Self {
        Self(context.into().with(Melior::unknown))
    }

    /// A position in a file; lines and columns count from 1.
    pub fn file(context: impl Into<ContextRef<'c>>, file: &str, line: u32, column: u32) -> Self {
        Self(context.into().with(|context| Melior::new(context, file, line as usize, column as usize)))
    }

    /// A name, and the location below it.
    pub fn named(name: &str, child: Self) -> Self {
        Self(child.context().with(|context| Melior::name(context, name, child.0)))
    }

    /// The location of something made from several parts. Unknown and repeated locations are dropped.
    pub fn fused(context: impl Into<ContextRef<'c>>, locations: &[Self]) -> Self {
        raw::attribute::fused(context.into(), locations)
    }

    /// The context.
    pub fn context(self) -> ContextRef<'c> {
        ContextRef(self.0.context())
    }

    /// The parts of a fused location.
    pub fn parts(self) -> Option<Vec<Self>> {
        raw::attribute::fused_parts(self)
    }

    /// Emits an error here. The result is what a failing pass returns.
    pub fn error(self, message: impl fmt::Display) -> Reported {
        self.diagnostic(Severity::Error, message).fail()
    }

    /// Emits a warning here.
    pub fn warning(self, message: impl fmt::Display) {
        self.diagnostic(Severity::Warning, message).emit();
    }

    /// Emits a remark here.
    pub fn remark(self, message: impl fmt::Display) {
        self.diagnostic(Severity::Remark, message).emit();
    }

    /// Starts a diagnostic here, to which notes can be added.
    pub fn diagnostic(self, severity: Severity, message: impl fmt::Display) -> Diagnostic<'c> {
        Diagnostic::new(severity, self, message)
    }

    /// Human-readable text: `file:line:col`; a name as `name@file:line:col`; parts of a fused location joined by ` + `; `?` if nothing
    /// is known. Cut off at [`MAX_TEXT`], since parts may be shared, and their text is exponential in the number of locations.
    pub fn describe(self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        if text.len() > MAX_TEXT {
            text.truncate(text.floor_char_boundary(MAX_TEXT));
            text.push('…');
        }
        text
    }

    fn write(self, text: &mut String) {
        if text.len() > MAX_TEXT {
            return;
        }
        if let Some(parts) = self.parts() {
            for (index, part) in parts.into_iter().enumerate() {
                text.push_str(if index == 0 { "" } else { " + " });
                part.write(text);
            }
        } else if self.0.is_file_line_col_range() {
            let file = raw::text::of_identifier(self.0.file_line_col_range_filename());
            let line = self.0.file_line_col_range_start_line();
            text.push_str(&format!("{file}:{line}:{}", self.0.file_line_col_range_start_column()));
        } else if self.0.is_name() {
            text.push_str(&raw::text::of_identifier(self.0.name_value()));
            let end = text.len();
            text.push('@');
            Self(self.0.name_child_location()).write(text);
            if &text[end..] == "@?" {
                text.truncate(end);
            }
        } else if self.0.is_call_site() {
            Self(self.0.call_site_callee()).write(text);
        } else {
            text.push('?');
        }
    }
}

impl Eq for Location<'_> {}

impl fmt::Debug for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}
