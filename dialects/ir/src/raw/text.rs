//! Strings and callbacks across MLIR's C interface, and text printed through them.

use std::{borrow::Cow, ffi::c_void, slice};

use melior::ir::{Identifier, TypeLike, ValueLike, attribute::AttributeLike};
use strum_mlir_sys::{self as sys, MlirLogicalResult, MlirStringCallback, MlirStringRef};

use crate::{Attribute, Type, Value};

/// Success, in C.
pub(crate) const SUCCESS: MlirLogicalResult = MlirLogicalResult { value: 1 };
/// Failure, in C.
pub(crate) const FAILURE: MlirLogicalResult = MlirLogicalResult { value: 0 };

/// Borrows a string for the duration of a call.
pub(crate) fn string_ref(text: &str) -> MlirStringRef {
    MlirStringRef { data: text.as_ptr().cast(), length: text.len() }
}

/// Borrows bytes for the duration of a call.
pub(crate) fn bytes_ref(bytes: &[u8]) -> MlirStringRef {
    MlirStringRef { data: bytes.as_ptr().cast(), length: bytes.len() }
}

/// The bytes of an MLIR string. MLIR may use a null pointer for the empty string.
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

/// The text of an MLIR string; the empty string if it is not UTF-8, which no name that MLIR creates is.
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

/// Passes text to a callback of the other side, if there is one.
///
/// # Safety
/// The callback must belong to the data, and copy the text.
pub(crate) unsafe fn answer(callback: MlirStringCallback, data: *mut c_void, text: &str) {
    if let Some(callback) = callback {
        // SAFETY: by this function's contract.
        unsafe { callback(string_ref(text), data) };
    }
}

/// Collects what `print` passes to its callback and user data, see [`append`].
pub(crate) fn collect_bytes(print: impl FnOnce(*mut c_void)) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    print((&raw mut out).cast());
    out
}

/// As [`collect_bytes`], for text.
pub(crate) fn collect(print: impl FnOnce(*mut c_void)) -> String {
    String::from_utf8_lossy(&collect_bytes(print)).into_owned()
}

/// The text of an identifier, such as the name of an operation or attribute; the empty string if it is not UTF-8.
pub(crate) fn of_name(name: Identifier<'_>) -> &str {
    // SAFETY: an identifier's text lives in the context.
    unsafe { str_of(sys::mlirIdentifierStr(name.to_raw())) }
}

/// The text of an identifier that may be any bytes, such as the name of a file.
pub(crate) fn of_identifier(name: Identifier<'_>) -> Cow<'_, str> {
    // SAFETY: an identifier's text lives in the context.
    String::from_utf8_lossy(unsafe { bytes_of(sys::mlirIdentifierStr(name.to_raw())) })
}

/// The text of a string attribute, if it is UTF-8; `None` for any other attribute.
pub(crate) fn of_string(attribute: Attribute<'_>) -> Option<&str> {
    // SAFETY: the text is queried of string attributes only, and lives in the context.
    let bytes = unsafe {
        attribute.0.is_string().then(|| bytes_of(sys::mlirStringAttrGetValue(attribute.0.to_raw())))
    };
    std::str::from_utf8(bytes?).ok()
}

/// The printed form of a type.
pub(crate) fn of_type(ty: Type<'_>) -> String {
    // SAFETY: the type is valid, and `append` gets the buffer it expects.
    collect(|user| unsafe { sys::mlirTypePrint(ty.0.to_raw(), Some(append), user) })
}

/// The printed form of an attribute.
pub(crate) fn of_attribute(attribute: Attribute<'_>) -> String {
    // SAFETY: the attribute is valid, and `append` gets the buffer it expects.
    collect(|user| unsafe { sys::mlirAttributePrint(attribute.0.to_raw(), Some(append), user) })
}

/// The printed form of a value.
pub(crate) fn of_value(value: Value<'_>) -> String {
    // SAFETY: the value is valid, and `append` gets the buffer it expects.
    collect(|user| unsafe { sys::mlirValuePrint(value.0.to_raw(), Some(append), user) })
}
