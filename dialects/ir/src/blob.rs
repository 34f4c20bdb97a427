//! The elements of constant tensors, as bytes.
//!
//! Elements are little-endian, row-major, without padding, whatever the attribute holds them in: `dense<…>`, a splat, or a
//! `dense_resource<…>` that may lie in a mapped file.

use std::{borrow::Cow, ffi::c_void, ops::Deref, slice, sync::Arc};

use strum_mlir_sys as sys;

use crate::{Attribute, Error, Type, ffi};

/// Why the elements of an attribute cannot be had as bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// Not elements of a static tensor.
    #[error("'{0}' is not a constant tensor with a static shape")]
    NotElements(String),
    /// Elements of which only some are written down.
    #[error("a sparse constant; write all of its elements out, as 'dense<…>'")]
    Sparse,
    /// Elements that do not fill bytes, or are no numbers.
    #[error("constants of type '{0}' are not supported: elements must be whole bytes")]
    Element(String),
    /// A resource that the file names but does not hold.
    #[error("the resource '{0}' is not in the file")]
    Missing(String),
    /// A resource of the wrong length.
    #[error("the resource '{key}' has {got} bytes, and its type '{ty}' takes {expected}")]
    Length {
        /// The resource's name.
        key: String,
        /// The type of the constant.
        ty: String,
        /// The bytes that the type takes.
        expected: u64,
        /// The bytes in the resource.
        got: u64,
    },
    /// A constant whose size does not fit into this machine's memory.
    #[error("a constant of type '{0}' is too large")]
    TooLarge(String),
}

impl<'c> Attribute<'c> {
    /// The bytes of a constant tensor of integers or floats whose elements are whole bytes wide (so not `i1` or `i4`). Borrowed from the
    /// context where they lie in it element by element; a splat is written out.
    pub fn bytes(self) -> Result<Cow<'c, [u8]>, BlobError> {
        let not_elements = || BlobError::NotElements(shorten(self.to_string()));
        let ty = self.ty().ok_or_else(not_elements)?;
        let total = tensor_bytes(ty)?;
        // SAFETY: each getter is called on the kind of attribute it is for, and the bytes live in the context.
        unsafe {
            if sys::mlirAttributeIsADenseResourceElements(self.raw()) {
                let key = || ffi::str_of(sys::strumDenseResourceGetKey(self.raw())).to_owned();
                let (mut data, mut size) = (std::ptr::null(), 0);
                if !sys::strumDenseResourceGetBlob(self.raw(), &mut data, &mut size) {
                    return Err(BlobError::Missing(key()));
                }
                if size != total {
                    let (expected, got) = (total as u64, size as u64);
                    return Err(BlobError::Length { key: key(), ty: ty.to_string(), expected, got });
                }
                return Ok(Cow::Borrowed(borrow(data, size)));
            }
            if sys::mlirAttributeIsASparseElements(self.raw()) {
                return Err(BlobError::Sparse);
            }
            if !sys::mlirAttributeIsADenseElements(self.raw()) {
                return Err(not_elements());
            }
            let data = sys::mlirDenseElementsAttrGetRawData(self.raw()).cast();
            if !sys::mlirDenseElementsAttrIsSplat(self.raw()) {
                return Ok(Cow::Borrowed(borrow(data, total)));
            }
            let width = element_bytes(ty)?;
            // A splat of a few characters may be larger than the memory, which must not end the process.
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(total).map_err(|_| BlobError::TooLarge(ty.to_string()))?;
            let element: &[u8] = borrow(data, width);
            match element {
                [byte] => bytes.resize(total, *byte),
                _ => (0..total / width.max(1)).for_each(|_| bytes.extend_from_slice(element)),
            }
            Ok(Cow::Owned(bytes))
        }
    }

    /// The elements of a constant tensor of signless or signed integers of 8, 16, 32 or 64 bits, or of `index`, sign-extended; of
    /// unsigned ones, zero-extended.
    pub fn int_elements(self) -> Result<Vec<i64>, BlobError> {
        let bytes = self.bytes()?;
        let element = self.ty().and_then(Type::element);
        let unsigned = element.is_some_and(Type::is_unsigned_int);
        let wrong = || BlobError::Element(self.ty().map(|ty| ty.to_string()).unwrap_or_default());
        let width = element.and_then(|ty| if ty.is_index() { Some(64) } else { ty.int_width() });
        match width {
            Some(width @ (8 | 16 | 32 | 64)) => {
                let unused = 64 - width;
                Ok(bytes
                    .chunks_exact(width as usize / 8)
                    .map(|chunk| {
                        let mut word = [0; 8];
                        word[..chunk.len()].copy_from_slice(chunk);
                        let word = u64::from_le_bytes(word) << unused;
                        if unsigned { (word >> unused) as i64 } else { word as i64 >> unused }
                    })
                    .collect())
            }
            _ => Err(wrong()),
        }
    }

    /// The value of a constant tensor all of whose elements are the same integer, such as a zero point.
    pub fn int_splat(self) -> Option<i64> {
        let elements = self.int_elements().ok()?;
        let (&first, rest) = elements.split_first()?;
        rest.iter().all(|&element| element == first).then_some(first)
    }

    /// `dense<…>` of a static tensor type, from its bytes, which are copied and uniqued: for small constants.
    pub fn dense(ty: Type<'c>, bytes: &[u8]) -> Result<Self, Error> {
        check_length(ty, bytes.len())?;
        if bytes.is_empty() {
            return Self::parse(ty.context(), &format!("dense<> : {ty}"));
        }
        // SAFETY: the type is valid, and the buffer has the length that it takes.
        unsafe {
            Self::from_raw_option(sys::mlirDenseElementsAttrRawBufferGet(
                ty.raw(),
                bytes.len(),
                bytes.as_ptr().cast(),
            ))
        }
        .ok_or_else(|| Error::Attribute(format!("constant of type {ty}")))
    }

    /// `dense_resource<name>` of a static tensor type, from its bytes, which are handed over without a copy: for weights.
    ///
    /// Resources are named in their context. A taken name gets a number appended, so that names depend only on the order of creation.
    pub fn resource(ty: Type<'c>, name: &str, bytes: impl Into<Bytes>) -> Result<Self, Error> {
        let bytes = bytes.into();
        check_length(ty, bytes.len())?;
        // The alignment is written to files, so it must not depend on where the allocator has put the bytes.
        let alignment = element_bytes(ty).map_or(1, usize::next_power_of_two);
        let bytes = if bytes.as_ptr().align_offset(alignment) == 0 {
            Buffer::Bytes(bytes)
        } else {
            Buffer::words(&bytes)
        };
        let buffer = Box::new(bytes);
        let (data, length) = buffer.parts();
        // SAFETY: the bytes are valid until `free` is called with the box that owns them, and MLIR calls it once.
        unsafe {
            Self::from_raw_option(sys::mlirUnmanagedDenseResourceElementsAttrGet(
                ty.raw(),
                ffi::string_ref(name),
                data.cast_mut().cast(),
                length,
                alignment,
                false,
                Some(free),
                Box::into_raw(buffer).cast(),
            ))
        }
        .ok_or_else(|| Error::Attribute(format!("resource of type {ty}")))
    }
}

/// Bytes to hand over to MLIR: one's own, or shared ones.
#[derive(Clone, Debug)]
pub enum Bytes {
    /// Owned alone.
    Owned(Vec<u8>),
    /// Shared with others.
    Shared(Arc<[u8]>),
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Owned(bytes)
    }
}

impl From<Arc<[u8]>> for Bytes {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self::Shared(bytes)
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// Bytes that MLIR has been handed.
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

/// Frees a resource made by [`Attribute::resource`].
unsafe extern "C" fn free(user: *mut c_void, _data: *const c_void, _size: usize, _alignment: usize) {
    // SAFETY: `user` is the box that `resource` gave away, and comes back once.
    drop(unsafe { Box::from_raw(user.cast::<Buffer>()) });
}

/// # Safety
/// `data` must be valid for reads of `length` bytes for `'c`, unless the length is 0.
unsafe fn borrow<'c>(data: *const u8, length: usize) -> &'c [u8] {
    if length == 0 || data.is_null() {
        return &[];
    }
    // SAFETY: by this function's contract.
    unsafe { slice::from_raw_parts(data, length) }
}

/// The width of a tensor's elements in bytes.
fn element_bytes(ty: Type<'_>) -> Result<usize, BlobError> {
    let wrong = || BlobError::Element(ty.to_string());
    let element = ty.element().ok_or_else(wrong)?;
    let bits = match element.int_width() {
        Some(bits) => bits,
        // Constants of `index` are stored with 64 bits.
        None if element.is_index() => 64,
        // SAFETY: the width is asked of float types only.
        None => unsafe {
            if !sys::mlirTypeIsAFloat(element.raw()) {
                return Err(wrong());
            }
            sys::mlirFloatTypeGetWidth(element.raw())
        },
    };
    if bits == 0 || bits % 8 != 0 || !(bits / 8).is_power_of_two() {
        return Err(wrong());
    }
    usize::try_from(bits / 8).map_err(|_| wrong())
}

/// The bytes that the elements of a tensor take.
fn tensor_bytes(ty: Type<'_>) -> Result<usize, BlobError> {
    let tensor = ty.as_tensor().ok_or_else(|| BlobError::NotElements(ty.to_string()))?;
    let width = element_bytes(ty)?;
    tensor
        .num_elements()
        .and_then(|n| usize::try_from(n).ok()?.checked_mul(width))
        .filter(|&total| isize::try_from(total).is_ok())
        .ok_or_else(|| BlobError::TooLarge(ty.to_string()))
}

fn check_length(ty: Type<'_>, got: usize) -> Result<(), Error> {
    let expected = tensor_bytes(ty).map_err(|error| Error::Type(error.to_string()))?;
    if expected == got { Ok(()) } else { Err(Error::Bytes { ty: ty.to_string(), expected, got }) }
}

/// The beginning of a text that may be as long as a network's weights.
fn shorten(text: String) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
