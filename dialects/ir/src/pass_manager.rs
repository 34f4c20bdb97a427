//! MLIR's pass manager.

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

    pub(crate) fn op_manager(&self) -> sys::MlirOpPassManager {
        // SAFETY: the manager is valid.
        unsafe { sys::mlirPassManagerGetAsOpPassManager(self.raw) }
    }

    pub(crate) fn add(&self, pipeline: &str) -> Result<(), Error> {
        // SAFETY: the manager is valid.
        unsafe { add_pipeline(self.op_manager(), pipeline) }
    }
}

/// Adds a pipeline, as text without its anchor.
///
/// # Safety
/// The manager must be valid.
pub(crate) unsafe fn add_pipeline(manager: sys::MlirOpPassManager, pipeline: &str) -> Result<(), Error> {
    let mut added = ffi::FAILURE;
    let message = ffi::collect(|user| {
        // SAFETY: the manager is valid, and `append` gets the buffer it wants.
        added = unsafe {
            let text = ffi::string_ref(pipeline);
            sys::mlirOpPassManagerAddPipeline(manager, text, Some(ffi::append), user)
        };
    });
    if added.value == 0 { Err(Error::Pipeline(message.trim().to_owned())) } else { Ok(()) }
}

impl Drop for PassManager {
    fn drop(&mut self) {
        // SAFETY: made by `new`, destroyed once.
        unsafe { sys::mlirPassManagerDestroy(self.raw) }
    }
}
