//! Strings and callbacks across MLIR's C interface.

use std::{ffi::c_void, slice};

use strum_mlir_sys::{MlirLogicalResult, MlirStringCallback, MlirStringRef};

/// Success, in C.
pub(crate) const SUCCESS: MlirLogicalResult = MlirLogicalResult { value: 1 };
/// Failure, in C.
pub(crate) const FAILURE: MlirLogicalResult = MlirLogicalResult { value: 0 };

/// Borrows a string for the duration of a call.
pub(crate) fn string_ref(text: &str) -> MlirStringRef {
    MlirStringRef { data: text.as_ptr().cast(), length: text.len() }
}

/// The bytes of a string of MLIR's. MLIR may use a null pointer for the empty string.
///
/// # Safety
/// The string must be valid for reads for the whole of `'a`.
pub(crate) unsafe fn bytes_of<'a>(text: MlirStringRef) -> &'a [u8] {
    if text.length == 0 || text.data.is_null() {
        return &[];
    }
    // SAFETY: not empty, and valid for `'a` by this function's contract.
    unsafe { slice::from_raw_parts(text.data.cast(), text.length) }
}

/// The text of a string of MLIR's; the empty string if it is not UTF-8, which no name that MLIR makes is.
///
/// # Safety
/// As for [`bytes_of`].
pub(crate) unsafe fn str_of<'a>(text: MlirStringRef) -> &'a str {
    // SAFETY: by this function's contract.
    std::str::from_utf8(unsafe { bytes_of(text) }).unwrap_or("")
}

/// A callback that appends to the `Vec<u8>` that `user` points to.
///
/// # Safety
/// `user` must point to a `Vec<u8>` that nothing else uses during the call, and `text` must be valid.
pub(crate) unsafe extern "C" fn append(text: MlirStringRef, user: *mut c_void) {
    // SAFETY: by this function's contract.
    let (out, text) = unsafe { (&mut *user.cast::<Vec<u8>>(), bytes_of(text)) };
    out.extend_from_slice(text);
}

/// Hands text to a callback of the other side, if there is one.
///
/// # Safety
/// The callback must belong to the data, and copy the text.
pub(crate) unsafe fn answer(callback: MlirStringCallback, data: *mut c_void, text: &str) {
    if let Some(callback) = callback {
        // SAFETY: by this function's contract.
        unsafe { callback(string_ref(text), data) };
    }
}

/// Collects what `print` hands to the callback and user data that it is given, see [`append`].
pub(crate) fn collect_bytes(print: impl FnOnce(*mut c_void)) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    print((&raw mut out).cast());
    out
}

/// As [`collect_bytes`], for text.
pub(crate) fn collect(print: impl FnOnce(*mut c_void)) -> String {
    String::from_utf8_lossy(&collect_bytes(print)).into_owned()
}
