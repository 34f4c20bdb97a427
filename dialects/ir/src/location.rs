//! Source locations.

use std::{fmt, marker::PhantomData};

use strum_mlir_sys as sys;

use crate::{
    Context, ContextRef, Reported,
    diagnostic::{Diagnostic, Severity},
    ffi,
};

/// Where in the user's input something comes from.
#[derive(Clone, Copy)]
pub struct Location<'c> {
    raw: sys::MlirLocation,
    context: PhantomData<&'c Context>,
}

impl<'c> Location<'c> {
    /// # Safety
    /// The location must be valid for `'c`.
    pub(crate) unsafe fn from_raw(raw: sys::MlirLocation) -> Self {
        Self { raw, context: PhantomData }
    }

    pub(crate) fn raw(self) -> sys::MlirLocation {
        self.raw
    }

    /// The location of things that come from nowhere.
    pub fn unknown(context: impl Into<ContextRef<'c>>) -> Self {
        // SAFETY: the context is valid for `'c`, and so is what it owns.
        unsafe { Self::from_raw(sys::mlirLocationUnknownGet(context.into().raw())) }
    }

    /// A place in a file; lines and columns count from 1.
    pub fn file(context: impl Into<ContextRef<'c>>, file: &str, line: u32, column: u32) -> Self {
        let context = context.into().raw();
        // SAFETY: the context is valid for `'c`, and so is what it owns.
        unsafe {
            Self::from_raw(sys::mlirLocationFileLineColGet(context, ffi::string_ref(file), line, column))
        }
    }

    /// A name, and what lies below it.
    pub fn named(name: &str, child: Self) -> Self {
        // SAFETY: the context is valid for `'c`, and so is what it owns.
        unsafe {
            Self::from_raw(sys::mlirLocationNameGet(child.context().raw(), ffi::string_ref(name), child.raw))
        }
    }

    /// The location of what is made of several things. Unknown and repeated locations drop out.
    pub fn fused(context: impl Into<ContextRef<'c>>, locations: &[Self]) -> Self {
        let raw: Vec<_> = locations.iter().map(|location| location.raw).collect();
        let (context, no_metadata) = (context.into().raw(), sys::MlirAttribute { ptr: std::ptr::null() });
        // SAFETY: the context and the locations are valid for `'c`.
        unsafe { Self::from_raw(sys::mlirLocationFusedGet(context, len(&raw), raw.as_ptr(), no_metadata)) }
    }

    /// The context.
    pub fn context(self) -> ContextRef<'c> {
        // SAFETY: the location's context is valid for `'c`.
        unsafe { ContextRef::from_raw(sys::mlirLocationGetContext(self.raw)) }
    }

    /// The parts of a fused location.
    pub fn parts(self) -> Option<Vec<Self>> {
        // SAFETY: the location is valid; MLIR fills as many entries as it says there are.
        unsafe {
            if !sys::mlirLocationIsAFused(self.raw) {
                return None;
            }
            let count = sys::mlirLocationFusedGetNumLocations(self.raw) as usize;
            let mut raw = vec![self.raw; count];
            sys::mlirLocationFusedGetLocations(self.raw, raw.as_mut_ptr());
            Some(raw.into_iter().map(|raw| Self::from_raw(raw)).collect())
        }
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

    /// Begins a diagnostic here, to which notes can be added.
    pub fn diagnostic(self, severity: Severity, message: impl fmt::Display) -> Diagnostic<'c> {
        Diagnostic::new(severity, self, message)
    }

    /// Text for people: `file:line:col`; a name as `name@file:line:col`; parts of a fused location with ` + ` between; `?` if nothing is
    /// known.
    pub fn describe(self) -> String {
        if let Some(parts) = self.parts() {
            return parts.into_iter().map(Self::describe).collect::<Vec<_>>().join(" + ");
        }
        // SAFETY: the location is valid, and each getter is called on the kind it is for.
        unsafe {
            if sys::mlirLocationIsAFileLineColRange(self.raw) {
                let file = sys::mlirIdentifierStr(sys::mlirLocationFileLineColRangeGetFilename(self.raw));
                let line = sys::mlirLocationFileLineColRangeGetStartLine(self.raw);
                let column = sys::mlirLocationFileLineColRangeGetStartColumn(self.raw);
                return format!("{}:{line}:{column}", String::from_utf8_lossy(ffi::bytes_of(file)));
            }
            if sys::mlirLocationIsAName(self.raw) {
                let name = sys::mlirIdentifierStr(sys::mlirLocationNameGetName(self.raw));
                let name = String::from_utf8_lossy(ffi::bytes_of(name));
                let child = Self::from_raw(sys::mlirLocationNameGetChildLoc(self.raw)).describe();
                return if child == "?" { name.into_owned() } else { format!("{name}@{child}") };
            }
            if sys::mlirLocationIsACallSite(self.raw) {
                return Self::from_raw(sys::mlirLocationCallSiteGetCallee(self.raw)).describe();
            }
        }
        "?".to_owned()
    }
}

/// A slice's length as MLIR counts; slices are never longer than `isize::MAX`.
pub(crate) fn len<T>(slice: &[T]) -> isize {
    slice.len() as isize
}

impl PartialEq for Location<'_> {
    fn eq(&self, other: &Self) -> bool {
        // SAFETY: both are valid.
        unsafe { sys::mlirLocationEqual(self.raw, other.raw) }
    }
}

impl Eq for Location<'_> {}

impl fmt::Debug for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}
