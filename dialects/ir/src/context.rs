//! Contexts, their dialects, and MLIR's process-wide registries.

use std::fmt;

use melior::dialect::DialectHandle;

use crate::raw;

/// A dialect that code here creates operations of, and that must therefore be loaded.
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

    pub(crate) fn handle(self) -> DialectHandle {
        match self {
            Self::Arith => DialectHandle::arith(),
            Self::Dpu => raw::dialects::dpu(),
            Self::Func => DialectHandle::func(),
            Self::Linalg => DialectHandle::linalg(),
            Self::Strum => raw::dialects::strum(),
            Self::Tensor => DialectHandle::tensor(),
            Self::Tosa => raw::dialects::tosa(),
        }
    }
}

/// The dialects that a context may load: all of MLIR's own, `strum` and `dpu`.
pub struct DialectRegistry(pub(crate) melior::dialect::DialectRegistry);

impl DialectRegistry {
    /// Creates a registry with every dialect, and installs the verifiers of `strum` and `dpu`.
    pub fn new() -> Self {
        let registry = melior::dialect::DialectRegistry::new();
        melior::utility::register_all_dialects(&registry);
        raw::hooks::insert_dialects(&registry);
        Self(registry)
    }
}

impl Default for DialectRegistry {
    fn default() -> Self {
        Self::new()
    }
}

/// Registers all of MLIR's own passes. May be called repeatedly.
pub fn register_mlir_passes() {
    melior::utility::register_all_passes();
}

/// An MLIR context: it owns every type, attribute and location, and must outlive everything that refers to
/// them.
///
/// A context belongs to one thread; the passes that it runs may still use several.
pub struct Context(melior::Context);

impl Context {
    /// Creates a context with all dialects registered and those of [`Dialect`] loaded.
    pub fn new() -> Self {
        let context = melior::Context::new_with_registry(&DialectRegistry::new().0, true);
        for dialect in Dialect::ALL {
            dialect.handle().load_dialect(&context);
        }
        Self(context)
    }

    /// Allows operations and attributes of unknown dialects to be parsed.
    pub fn allow_unregistered_dialects(&self, allow: bool) {
        self.0.set_allow_unregistered_dialects(allow);
    }

    /// A copyable handle.
    pub fn handle(&self) -> ContextRef<'_> {
        raw::operation::context_ref(&self.0)
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        raw::graveyard::empty(self.handle());
    }
}

impl<'c> From<&'c Context> for ContextRef<'c> {
    fn from(context: &'c Context) -> Self {
        context.handle()
    }
}

/// A handle to a context that lives at least as long as `'c`.
#[derive(Clone, Copy)]
pub struct ContextRef<'c>(pub(crate) melior::ContextRef<'c>);

impl fmt::Debug for ContextRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContextRef")
    }
}
