//! All `unsafe` code of this crate, as safe functions on its handles.
//!
//! The handles are melior's, and so are most operations on them. This module has what melior lacks, or does in a way that a
//! compiler for arbitrary input cannot use:
//!
//! - [`graveyard`]: melior's references to operations dangle once the operation is erased; ours can still be asked.
//! - [`text`]: melior's `StringRef::as_str` reads out of bounds for the empty string and drops a trailing NUL, which rules out
//!   `StringAttribute::value`, `FlatSymbolRefAttribute::value` and its printing, which also panics at pieces that are not UTF-8.
//! - [`operation`]: uses of values and the attributes that an operation declares are missing; references to change an operation through must
//!   be made from raw pointers, and those to a context, which every constructor takes, lie where the handle does.
//! - [`attribute`]: arrays of other than `i32` and `i64`, fused locations without metadata, tensor types that are checked and have no
//!   encoding; melior makes `dense` attributes without a check for failure.
//! - [`elements`]: constants as bytes, and resources, which melior lacks.
//! - [`diagnostic`]: melior emits nothing, and its handlers may outlive what they borrow.
//! - [`module`]: parsing that names a file in locations and makes sure of what MLIR's verifiers take for granted.
//! - [`pass`]: passes with options, in MLIR's registry; pipelines as text without anchor.
//! - [`hooks`], [`dialects`]: our own dialects. [`opt`], [`tool`]: LLVM's command lines.
//!
//! The invariant behind every block: a handle of lifetime `'c` is valid for `'c`. Handles are created only here, from pointers that MLIR
//! returns; [`graveyard`] upholds the invariant for erased operations, and the two rules of the crate's documentation for the rest.

pub(crate) mod attribute;
pub(crate) mod diagnostic;
pub(crate) mod dialects;
pub(crate) mod elements;
pub(crate) mod graveyard;
pub(crate) mod hooks;
pub(crate) mod module;
pub(crate) mod operation;
pub(crate) mod opt;
pub(crate) mod pass;
pub(crate) mod text;
pub(crate) mod tool;

/// A slice's length as MLIR's integer type; slices are never longer than `isize::MAX`.
pub(crate) fn len<T>(slice: &[T]) -> isize {
    slice.len() as isize
}

/// # Safety
/// `data` must be valid for reads of `length` values for `'c`, unless the length is not positive.
pub(crate) unsafe fn list<'c, T>(data: *const T, length: isize) -> &'c [T] {
    match usize::try_from(length) {
        // SAFETY: by this function's contract.
        Ok(length) if length > 0 => unsafe { std::slice::from_raw_parts(data, length) },
        _ => &[],
    }
}
