//! The elements of constants: reading them in place, and passing bytes to MLIR.

use std::ffi::c_void;

use melior::ir::{
    TypeLike,
    attribute::{AttributeLike, DenseElementsAttribute},
};
use strum_mlir_sys as sys;

use super::{attribute::attribute, list, text};
use crate::{
    Attribute, BlobError, Bytes, Type,
    blob::{element_bytes, tensor_bytes},
};

/// The name and the bytes of a `dense_resource`; no bytes if its file does not contain them. `None` for other
/// attributes.
pub(crate) fn resource(of: Attribute<'_>) -> Option<(&str, Option<&[u8]>)> {
    let raw = of.0.to_raw();
    // SAFETY: name and bytes are queried of resources only, and live in the context.
    unsafe {
        if !sys::mlirAttributeIsADenseResourceElements(raw) {
            return None;
        }
        let (mut data, mut size) = (std::ptr::null(), 0);
        let is_there = sys::strumDenseResourceGetBlob(raw, &mut data, &mut size);
        Some((
            text::str_of(sys::strumDenseResourceGetKey(raw)),
            is_there.then(|| list(data, size.try_into().unwrap_or(0))),
        ))
    }
}

/// The bytes of a `dense` attribute; if it is a splat, those of its element. `None` for other attributes.
pub(crate) fn dense(of: Attribute<'_>) -> Result<Option<(&[u8], bool)>, BlobError> {
    let Some((elements, ty)) = dense_elements(of) else { return Ok(None) };
    let is_splat = elements.is_splat();
    let length = if is_splat { element_bytes(ty)? } else { tensor_bytes(ty)? };
    // SAFETY: elements of whole bytes are contiguous in the context, or stored once for all.
    Ok(Some((unsafe { list(elements.raw_data().cast(), length.try_into().unwrap_or(0)) }, is_splat)))
}

/// The bytes of a `dense` attribute of i4, one for each element, whose upper half means nothing; if it is a splat, that of its
/// element. `None` for other attributes.
pub(crate) fn nibbles(of: Attribute<'_>, count: usize) -> Option<(&[u8], bool)> {
    let (elements, ty) = dense_elements(of)?;
    ty.element().filter(|ty| ty.is_int(4))?;
    let is_splat = elements.is_splat();
    let length = if is_splat { 1 } else { count.try_into().ok()? };
    // SAFETY: MLIR stores elements of 2 to 8 bits in a byte each, contiguous in the context, or one for all.
    Some((unsafe { list(elements.raw_data().cast(), length) }, is_splat))
}

fn dense_elements(of: Attribute<'_>) -> Option<(DenseElementsAttribute<'_>, Type<'_>)> {
    let elements = DenseElementsAttribute::try_from(of.0).ok().filter(|_| of.0.is_dense_elements())?;
    Some((elements, of.ty()?))
}

/// The elements of a `dense` attribute of i1, a byte each, 0 or 1; if it is a splat, its element. `None` for other attributes.
pub(crate) fn bools(of: Attribute<'_>, count: usize) -> Option<(Vec<u8>, bool)> {
    let elements = DenseElementsAttribute::try_from(of.0).ok().filter(|_| of.0.is_dense_elements())?;
    of.ty()?.element().filter(|ty| ty.is_int(1))?;
    let raw = of.0.to_raw();
    if elements.is_splat() {
        // SAFETY: a splat of i1.
        let element = unsafe { sys::mlirDenseElementsAttrGetBoolSplatValue(raw) };
        return Some((vec![u8::from(element != 0)], true));
    }
    let count = isize::try_from(count).ok()?;
    // SAFETY: elements of i1, at positions below their number, which the type gives.
    let at = |position| unsafe { sys::mlirDenseElementsAttrGetBoolValue(raw, position) };
    Some(((0..count).map(|position| u8::from(at(position))).collect(), false))
}

/// `dense<…>` of a tensor type of i1, from a byte each. `None` if they do not fit.
pub(crate) fn new_bools<'c>(ty: Type<'c>, bits: &[u8]) -> Option<Attribute<'c>> {
    ty.as_tensor().filter(|tensor| tensor.element.is_int(1))?;
    let words: Vec<std::ffi::c_int> = bits.iter().map(|&bit| (bit != 0).into()).collect();
    // SAFETY: the type is a tensor's of i1, its number of elements was checked, and MLIR copies them.
    unsafe {
        let (count, data) = (words.len().try_into().ok()?, words.as_ptr());
        attribute(sys::mlirDenseElementsAttrBoolGet(ty.0.to_raw(), count, data))
    }
}

/// `dense<…>` of a tensor type from its bytes, or from those of one element. `None` if they do not fit.
pub(crate) fn new_dense<'c>(ty: Type<'c>, bytes: &[u8]) -> Option<Attribute<'c>> {
    ty.as_tensor()?;
    // SAFETY: the type is a tensor's, and MLIR checks that the buffer has the length that it requires, and copies
    // it.
    unsafe {
        let data = bytes.as_ptr().cast();
        attribute(sys::mlirDenseElementsAttrRawBufferGet(ty.0.to_raw(), bytes.len(), data))
    }
}

/// `dense_resource<name>` of a tensor type from its bytes, which are copied only where alignment requires it.
pub(crate) fn new_resource<'c>(
    ty: Type<'c>,
    name: &str,
    bytes: Bytes,
    alignment: usize,
) -> Option<Attribute<'c>> {
    ty.as_tensor()?;
    let bytes = if bytes.as_ptr().align_offset(alignment) == 0 {
        Buffer::Bytes(bytes)
    } else {
        Buffer::words(&bytes)
    };
    let buffer = Box::new(bytes);
    let (data, length) = buffer.parts();
    // SAFETY: the bytes are valid until `free` is called with the box that owns them, and MLIR calls it once.
    unsafe {
        attribute(sys::mlirUnmanagedDenseResourceElementsAttrGet(
            ty.0.to_raw(),
            text::string_ref(name),
            data.cast_mut().cast(),
            length,
            alignment,
            false,
            Some(free),
            Box::into_raw(buffer).cast(),
        ))
    }
}

/// Bytes owned on behalf of MLIR.
enum Buffer {
    Bytes(Bytes),
    /// For data that must be aligned; the number is the length in bytes.
    Words(Vec<u64>, usize),
}

impl Buffer {
    fn words(bytes: &[u8]) -> Self {
        let word = |chunk: &[u8]| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_ne_bytes(word)
        };
        Self::Words(bytes.chunks(8).map(word).collect(), bytes.len())
    }

    fn parts(&self) -> (*const u8, usize) {
        match self {
            Self::Bytes(bytes) => (bytes.as_ptr(), bytes.len()),
            Self::Words(words, length) => (words.as_ptr().cast(), *length),
        }
    }
}

/// Frees a resource made by [`new_resource`].
unsafe extern "C" fn free(user: *mut c_void, _data: *const c_void, _size: usize, _alignment: usize) {
    // SAFETY: `user` is the box that `new_resource` gave away, and is returned once.
    drop(unsafe { Box::from_raw(user.cast::<Buffer>()) });
}
