//! Modules: parsing, printing, writing, and running pipelines on them.

use std::path::Path;

use strum_mlir_sys as sys;

use crate::{
    Block, Context, Error, Location, Operation, Passes, ffi, graveyard,
    pass_manager::{OpPassManager, PassManager},
    register_mlir_passes,
};

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrintOptions {
    /// With `loc(…)` at each operation.
    pub locations: bool,
    /// In the generic form, without custom assembly.
    pub generic: bool,
    /// As if nothing were around the operation: values are numbered in it alone, and nothing is abbreviated by a name that is
    /// explained elsewhere. Else the whole module is numbered, however small the operation is.
    pub local: bool,
    /// With constants and resources longer than this many elements, or characters, left out. The text can then not be parsed again.
    pub elide_longer_than: Option<usize>,
}

/// A module that this code owns.
#[derive(Debug)]
pub struct Module<'c> {
    op: Operation<'c>,
}

impl<'c> Module<'c> {
    /// A module without operations.
    pub fn empty(location: Location<'c>) -> Self {
        // SAFETY: the location is valid, and the module is owned by the result.
        unsafe { Self::from_raw(sys::mlirModuleCreateEmpty(location.raw())) }
    }

    /// # Safety
    /// The module must be valid, owned by nobody, and of a context that is valid for `'c`.
    unsafe fn from_raw(module: sys::MlirModule) -> Self {
        // SAFETY: by this function's contract.
        Self { op: unsafe { Operation::from_raw(sys::mlirModuleGetOperation(module)) } }
    }

    /// # Safety
    /// As for [`Module::from_raw`], or the module is null.
    unsafe fn from_raw_result(module: sys::MlirModule) -> Result<Self, Error> {
        if module.ptr.is_null() {
            return Err(Error::Reported);
        }
        // SAFETY: not null, so valid by this function's contract.
        Ok(unsafe { Self::from_raw(module) })
    }

    /// Parses and verifies a file, text or bytecode. Locations name the file; resources of a bytecode file are not copied but mapped, so
    /// the file must not change while the context lives.
    pub fn parse_file(context: &'c Context, path: &Path) -> Result<Self, Error> {
        let path = path.to_string_lossy();
        // SAFETY: the context is valid for `'c`.
        unsafe { Self::from_raw_result(sys::strumParseFile(context.handle().raw(), ffi::string_ref(&path))) }
    }

    /// Parses and verifies text or bytecode in memory. Locations name `name` as the file.
    pub fn parse(context: &'c Context, bytes: &[u8], name: &str) -> Result<Self, Error> {
        let raw = sys::MlirStringRef { data: bytes.as_ptr().cast(), length: bytes.len() };
        // SAFETY: the context is valid for `'c`, and the parser copies the bytes.
        unsafe {
            Self::from_raw_result(sys::strumParseBytes(context.handle().raw(), raw, ffi::string_ref(name)))
        }
    }

    /// Parses and verifies bytecode and writes it again, whatever its operation is, with the resources that no dialect knows. Of what is
    /// damaged, MLIR's reader notices much and not everything: it may fault or corrupt the heap.
    pub fn rewrite_bytecode(context: &'c Context, bytes: &[u8], name: &str) -> Result<Vec<u8>, Error> {
        let raw = sys::MlirStringRef { data: bytes.as_ptr().cast(), length: bytes.len() };
        let mut written = false;
        let out = ffi::collect_bytes(|user| {
            // SAFETY: the context is valid, the bytes are copied, and `append` gets the buffer it wants.
            written = unsafe {
                let name = ffi::string_ref(name);
                sys::strumRewriteBytecode(context.handle().raw(), raw, name, Some(ffi::append), user)
            };
        });
        if written { Ok(out) } else { Err(Error::Reported) }
    }

    /// The module as an operation.
    pub fn op(&self) -> Operation<'c> {
        self.op
    }

    /// Its block.
    pub fn body(&self) -> Block<'c> {
        // SAFETY: a module has exactly one block.
        unsafe { Block::from_raw(sys::mlirModuleGetBody(sys::mlirModuleFromOperation(self.op.raw()))) }
    }

    /// The function or program of the given name.
    pub fn symbol(&self, name: &str) -> Option<Operation<'c>> {
        self.body().operations().into_iter().find(|op| op.symbol() == Some(name))
    }

    /// Runs a pipeline, as text without its anchor: `tosa-to-strum,strum-pack{method=mip2q},canonicalize`. What fails is reported as
    /// diagnostics; a pipeline that does not exist is [`Error::Pipeline`].
    ///
    /// Handles into the module must not be kept over a run: passes of MLIR's own free what they erase.
    pub fn run(&mut self, pipeline: &str) -> Result<(), Error> {
        self.run_with(|manager| manager.add_pipeline(pipeline))
    }

    /// Runs passes, under the conditions of [`Module::run`].
    pub fn run_passes(&mut self, passes: &Passes) -> Result<(), Error> {
        self.run_with(|manager| passes.add_to(manager))
    }

    fn run_with(&mut self, fill: impl FnOnce(OpPassManager<'_>) -> Result<(), Error>) -> Result<(), Error> {
        register_mlir_passes();
        let plot = graveyard::Plot::begin();
        let manager = PassManager::new(self.op, "builtin.module");
        fill(manager.passes())?;
        // SAFETY: the manager is for the module's context and kind.
        let result = unsafe { sys::mlirPassManagerRunOnOp(manager.raw, self.op.raw()) };
        drop(plot);
        if result.value == 0 { Err(Error::Reported) } else { Ok(()) }
    }

    /// Frees the elements of all `dense_resource` constants of the context that this module does not use, which would otherwise live as
    /// long as the context: for a module that is the only one, after a stage that has replaced its weights.
    ///
    /// As with [`Module::run`], what was borrowed before from a constant that is gone must not be kept over it.
    pub fn release_unused_constants(&mut self) {
        // SAFETY: the module is valid.
        unsafe { sys::strumReleaseUnusedResources(self.op.context().raw(), self.op.raw()) }
    }

    /// Destroys the module and the elements of all `dense_resource` constants of its context, under the same condition.
    pub fn destroy_with_constants(self) {
        let context = self.op.context();
        drop(self);
        // SAFETY: the context is valid.
        unsafe {
            sys::strumReleaseUnusedResources(context.raw(), sys::MlirOperation { ptr: std::ptr::null_mut() })
        }
    }
}

impl Drop for Module<'_> {
    fn drop(&mut self) {
        // SAFETY: owned, and destroyed once. Handles that are left over cannot be used soundly: as with `run`, that is the caller's part.
        unsafe { sys::mlirModuleDestroy(sys::mlirModuleFromOperation(self.op.raw())) }
    }
}

impl<'c> Operation<'c> {
    /// Its text.
    pub fn print(self, options: &PrintOptions) -> String {
        // SAFETY: the operation is valid, the flags are destroyed once, and `append` gets the buffer it wants.
        unsafe {
            let flags = sys::mlirOpPrintingFlagsCreate();
            if options.locations {
                sys::mlirOpPrintingFlagsEnableDebugInfo(flags, true, false);
            }
            if options.generic {
                sys::mlirOpPrintingFlagsPrintGenericOpForm(flags);
            }
            if options.local {
                sys::mlirOpPrintingFlagsUseLocalScope(flags);
            }
            if let Some(limit) = options.elide_longer_than.and_then(|limit| isize::try_from(limit).ok()) {
                sys::mlirOpPrintingFlagsElideLargeElementsAttrs(flags, limit);
                sys::mlirOpPrintingFlagsElideLargeResourceString(flags, limit);
            }
            let text = ffi::collect(|user| {
                sys::mlirOperationPrintWithFlags(self.raw(), flags, Some(ffi::append), user)
            });
            sys::mlirOpPrintingFlagsDestroy(flags);
            text
        }
    }

    /// Its bytecode.
    pub fn bytecode(self) -> Vec<u8> {
        // SAFETY: the operation is valid, and `append` gets the buffer it wants.
        ffi::collect_bytes(|user| unsafe {
            sys::mlirOperationWriteBytecode(self.raw(), Some(ffi::append), user)
        })
    }
}
