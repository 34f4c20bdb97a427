//! Contexts, the dialects in them, and MLIR's process-wide registries.

use std::{fmt, marker::PhantomData};

use melior::dialect::DialectHandle;
use strum_mlir_sys as sys;

use crate::{Error, ffi, verify};

/// A dialect that code here makes operations of, and must therefore have loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `arith`
    Arith,
    /// `dpu`: instructions of the machine.
    Dpu,
    /// `func`
    Func,
    /// `linalg`
    Linalg,
    /// `strum`: layers of the machine.
    Strum,
    /// `tensor`
    Tensor,
    /// `tosa`
    Tosa,
}

impl Dialect {
    /// Every dialect of this list.
    pub const ALL: [Self; 7] =
        [Self::Arith, Self::Dpu, Self::Func, Self::Linalg, Self::Strum, Self::Tensor, Self::Tosa];

    pub(crate) fn handle(self) -> sys::MlirDialectHandle {
        // SAFETY: these functions return a pointer to static data.
        unsafe {
            match self {
                Self::Arith => sys::mlirGetDialectHandle__arith__(),
                Self::Dpu => sys::mlirGetDialectHandle__dpu__(),
                Self::Func => sys::mlirGetDialectHandle__func__(),
                Self::Linalg => sys::mlirGetDialectHandle__linalg__(),
                Self::Strum => sys::mlirGetDialectHandle__strum__(),
                Self::Tensor => sys::mlirGetDialectHandle__tensor__(),
                Self::Tosa => sys::mlirGetDialectHandle__tosa__(),
            }
        }
    }
}

/// The dialects that a context may load: all of MLIR's own, `strum` and `dpu`.
pub struct DialectRegistry {
    registry: melior::dialect::DialectRegistry,
}

impl DialectRegistry {
    /// Makes a registry with every dialect, and installs the verifiers of `strum` and `dpu`.
    pub fn new() -> Self {
        verify::install();
        let registry = melior::dialect::DialectRegistry::new();
        melior::utility::register_all_dialects(&registry);
        for dialect in [Dialect::Strum, Dialect::Dpu] {
            // SAFETY: the handle is that of a dialect that is linked in.
            unsafe { DialectHandle::from_raw(dialect.handle()) }.insert_dialect(&registry);
        }
        Self { registry }
    }

    pub(crate) fn raw(&self) -> sys::MlirDialectRegistry {
        self.registry.to_raw()
    }
}

impl Default for DialectRegistry {
    fn default() -> Self {
        Self::new()
    }
}

/// Puts all of MLIR's own passes into its registry. May be called often.
pub fn register_mlir_passes() {
    melior::utility::register_all_passes();
}

/// An MLIR context: it owns every type, attribute and location, and must outlive all that refers to them.
///
/// A context belongs to one thread; the passes that it runs may still use several.
pub struct Context {
    context: melior::Context,
}

impl Context {
    /// Makes a context with all dialects registered and those of [`Dialect`] loaded.
    pub fn new() -> Self {
        Self::with_threading(true)
    }

    /// As [`Context::new`], but without threads of MLIR's own if `threads` is false.
    pub fn with_threading(threads: bool) -> Self {
        let context = melior::Context::new_with_registry(&DialectRegistry::new().registry, threads);
        for dialect in Dialect::ALL {
            // SAFETY: both are valid.
            unsafe { sys::mlirDialectHandleLoadDialect(dialect.handle(), context.to_raw()) };
        }
        Self { context }
    }

    /// Lets operations and attributes of unknown dialects be parsed.
    pub fn allow_unregistered_dialects(&self, allow: bool) {
        self.context.set_allow_unregistered_dialects(allow);
    }

    /// The context as melior's, for code that is written against that crate.
    pub fn as_melior(&self) -> &melior::Context {
        &self.context
    }

    /// A handle that can be copied.
    pub fn handle(&self) -> ContextRef<'_> {
        // SAFETY: the context lives as long as the borrow of `self`.
        unsafe { ContextRef::from_raw(self.context.to_raw()) }
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        crate::graveyard::empty(self.context.to_raw());
    }
}

impl<'c> From<&'c Context> for ContextRef<'c> {
    fn from(context: &'c Context) -> Self {
        context.handle()
    }
}

/// A handle to a context that lives at least as long as `'c`.
#[derive(Clone, Copy)]
pub struct ContextRef<'c> {
    raw: sys::MlirContext,
    context: PhantomData<&'c Context>,
}

impl<'c> ContextRef<'c> {
    /// # Safety
    /// The context must be valid for `'c`, and used by this thread or through MLIR's own threads.
    pub(crate) unsafe fn from_raw(raw: sys::MlirContext) -> Self {
        Self { raw, context: PhantomData }
    }

    pub(crate) fn raw(self) -> sys::MlirContext {
        self.raw
    }

    /// Whether the operation `name` belongs to a loaded dialect.
    pub fn knows_operation(self, name: &str) -> bool {
        // SAFETY: the context is valid for `'c`.
        unsafe { sys::mlirContextIsRegisteredOperation(self.raw, ffi::string_ref(name)) }
    }

    /// Loads a dialect by name. Passes must not: they declare their dialects instead.
    pub fn load_dialect(self, name: &str) -> Result<(), Error> {
        // SAFETY: the context is valid for `'c`.
        let dialect = unsafe { sys::mlirContextGetOrLoadDialect(self.raw, ffi::string_ref(name)) };
        if dialect.ptr.is_null() { Err(Error::UnknownDialect(name.into())) } else { Ok(()) }
    }
}

impl fmt::Debug for ContextRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContextRef")
    }
}
