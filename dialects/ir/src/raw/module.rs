//! Modules from files and memory, their resources, and pass managers.

use melior::ir::{BlockLike, BlockRef, OperationRef};
use melior::{ir::Module as Owned, pass::PassManager};
use strum_mlir_sys as sys;

use super::{operation::raw_context, text};
use crate::{Block, ContextRef, Module, Operation};

/// Parses and verifies text or bytecode.
pub(crate) fn parse<'c>(context: ContextRef<'c>, bytes: &[u8], name: &str) -> Option<Owned<'c>> {
    let (bytes, name) = (text::bytes_ref(bytes), text::string_ref(name));
    // SAFETY: the context is valid for `'c`, and the parser copies the bytes; a non-null module is owned by us.
    unsafe { Owned::from_option_raw(sys::strumParseBytes(raw_context(context), bytes, name)) }
}

/// Parses and verifies bytecode and writes it again.
pub(crate) fn rewrite_bytecode(context: ContextRef<'_>, bytes: &[u8], name: &str) -> Option<Vec<u8>> {
    let (bytes, name) = (text::bytes_ref(bytes), text::string_ref(name));
    let mut written = false;
    let out = text::collect_bytes(|user| {
        let context = raw_context(context);
        // SAFETY: the context is valid, the bytes are copied, and `append` gets the buffer it expects.
        written = unsafe { sys::strumRewriteBytecode(context, bytes, name, Some(text::append), user) };
    });
    written.then_some(out)
}

/// The module as an operation.
pub(crate) fn op<'c>(module: &Module<'c>) -> Operation<'c> {
    // SAFETY: valid while the module lives, which the crate's second rule ensures.
    Operation(unsafe { OperationRef::from_raw(module.0.as_operation().to_raw()) })
}

/// The module's block.
pub(crate) fn body<'c>(module: &Module<'c>) -> Block<'c> {
    // SAFETY: as for `op`.
    Block(unsafe { BlockRef::from_raw(BlockLike::to_raw(&module.0.body())) })
}

/// Frees the elements of all resources of the context that `root`, if there is one, does not use.
pub(crate) fn release_unused(context: ContextRef<'_>, root: Option<Operation<'_>>) {
    let null = sys::MlirOperation { ptr: std::ptr::null_mut() };
    let root = root.map_or(null, |root| root.0.to_raw());
    // SAFETY: the context is valid, and the operation valid or null.
    unsafe { sys::strumReleaseUnusedResources(raw_context(context), root) }
}

/// A pass manager for modules, without passes: melior's are for any operation, to which passes for modules cannot be added.
pub(crate) fn manager<'c>(context: ContextRef<'c>) -> PassManager<'c> {
    // SAFETY: the context is valid for `'c`, and the manager is ours.
    unsafe {
        let anchor = text::string_ref("builtin.module");
        PassManager::from_raw(sys::mlirPassManagerCreateOnOperation(raw_context(context), anchor))
    }
}
