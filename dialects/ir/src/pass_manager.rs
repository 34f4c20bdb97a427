//! MLIR's pass managers.

use std::marker::PhantomData;

use strum_mlir_sys as sys;

use crate::{Error, Operation, ffi};

/// A pass manager that is destroyed in time.
pub(crate) struct PassManager {
    pub(crate) raw: sys::MlirPassManager,
}

impl PassManager {
    pub(crate) fn new(op: Operation<'_>, anchor: &str) -> Self {
        let context = op.context().raw();
        // SAFETY: the context is valid.
        Self { raw: unsafe { sys::mlirPassManagerCreateOnOperation(context, ffi::string_ref(anchor)) } }
    }

    /// What passes are added to.
    pub(crate) fn passes(&self) -> OpPassManager<'_> {
        // SAFETY: the manager is valid, and outlives the result.
        unsafe { OpPassManager::from_raw(sys::mlirPassManagerGetAsOpPassManager(self.raw)) }
    }
}

impl Drop for PassManager {
    fn drop(&mut self) {
        // SAFETY: made by `new`, destroyed once.
        unsafe { sys::mlirPassManagerDestroy(self.raw) }
    }
}

/// A pass that no pass manager owns yet.
pub(crate) struct OwnedPass(sys::MlirPass);

impl OwnedPass {
    /// # Safety
    /// The pass must be one that `strumPassCreate` made, and owned by nobody.
    pub(crate) unsafe fn from_raw(pass: sys::MlirPass) -> Self {
        Self(pass)
    }
}

/// The part of a pass manager that holds passes for one kind of operation.
#[derive(Clone, Copy)]
pub(crate) struct OpPassManager<'m> {
    raw: sys::MlirOpPassManager,
    owner: PhantomData<&'m ()>,
}

impl OpPassManager<'_> {
    /// # Safety
    /// The manager must be valid for `'m`.
    pub(crate) unsafe fn from_raw(raw: sys::MlirOpPassManager) -> Self {
        Self { raw, owner: PhantomData }
    }

    pub(crate) fn raw(self) -> sys::MlirOpPassManager {
        self.raw
    }

    /// Adds a pass.
    pub(crate) fn add(self, pass: OwnedPass) -> Result<(), Error> {
        let mut added = ffi::FAILURE;
        let error = ffi::collect(|user| {
            // SAFETY: the manager is valid and takes the pass; `append` gets the buffer it wants.
            added = unsafe { sys::strumOpPassManagerAddPass(self.raw, pass.0, Some(ffi::append), user) };
        });
        if added.value == 0 { Err(Error::Pipeline(error)) } else { Ok(()) }
    }

    /// Adds a pipeline, as text without its anchor.
    pub(crate) fn add_pipeline(self, pipeline: &str) -> Result<(), Error> {
        let mut added = ffi::FAILURE;
        let message = ffi::collect(|user| {
            let text = ffi::string_ref(pipeline);
            // SAFETY: the manager is valid, and `append` gets the buffer it wants.
            added = unsafe { sys::mlirOpPassManagerAddPipeline(self.raw, text, Some(ffi::append), user) };
        });
        if added.value == 0 { Err(Error::Pipeline(message.trim().to_owned())) } else { Ok(()) }
    }

    /// The part for operations of this name inside of its own.
    pub(crate) fn nested(self, operation: &str) -> Self {
        // SAFETY: the manager is valid and owns the nested one.
        unsafe { Self::from_raw(sys::mlirOpPassManagerGetNestedUnder(self.raw, ffi::string_ref(operation))) }
    }
}
