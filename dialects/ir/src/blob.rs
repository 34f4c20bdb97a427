//! The elements of constant tensors, as bytes.
//!
//! Elements are little-endian, row-major, without padding, whatever the attribute's representation: `dense<…>`, a splat,
//! or a `dense_resource<…>`.

use std::{borrow::Cow, ops::Deref, sync::Arc};

use melior::ir::attribute::AttributeLike;

use crate::{Attribute, Error, Type, raw};

/// Why the elements of an attribute are not available as bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// Not elements of a static tensor.
    #[error("'{0}' is not a constant tensor with a static shape")]
    NotElements(String),
    /// Elements that are only partly written out.
    #[error("a sparse constant; write all of its elements out, as 'dense<…>'")]
    Sparse,
    /// Elements that are not whole bytes wide, or not numbers.
    #[error("constants of type '{0}' are not supported: elements must be whole bytes")]
    Element(String),
    /// A resource that the file names but does not contain.
    #[error("the resource '{0}' is not in the file")]
    Missing(String),
    /// A resource of the wrong length.
    #[error("the resource '{key}' has {got} bytes, and its type '{ty}' takes {expected}")]
    Length {
        /// The resource's name.
        key: String,
        /// The type of the constant.
        ty: String,
        /// The number of bytes that the type requires.
        expected: u64,
        /// The number of bytes in the resource.
        got: u64,
    },
    /// A constant whose size exceeds this machine's memory.
    #[error("a constant of type '{0}' is too large")]
    TooLarge(String),
}

impl<'c> Attribute<'c> {
    /// The bytes of a constant tensor of integers or floats whose elements are whole bytes wide (so not `i1` or `i4`). Borrowed from the
    /// context where they are stored element by element; a splat is expanded.
    pub fn bytes(self) -> Result<Cow<'c, [u8]>, BlobError> {
        let not_elements = || BlobError::NotElements(shorten(self.to_string()));
        let ty = self.ty().ok_or_else(not_elements)?;
        let total = tensor_bytes(ty)?;
        if let Some((key, bytes)) = raw::elements::resource(self) {
            let bytes = bytes.ok_or_else(|| BlobError::Missing(key.to_owned()))?;
            if bytes.len() != total {
                let (key, expected, got) = (key.to_owned(), total as u64, bytes.len() as u64);
                return Err(BlobError::Length { key, ty: ty.to_string(), expected, got });
            }
            return Ok(Cow::Borrowed(bytes));
        }
        if self.0.is_sparse_elements() {
            return Err(BlobError::Sparse);
        }
        let (bytes, is_splat) = raw::elements::dense(self)?.ok_or_else(not_elements)?;
        if !is_splat {
            return Ok(Cow::Borrowed(bytes));
        }
        // A splat of a few characters may exceed the memory, which must not end the process.
        let (element, mut bytes) = (bytes, Vec::new());
        bytes.try_reserve_exact(total).map_err(|_| BlobError::TooLarge(ty.to_string()))?;
        match element {
            [byte] => bytes.resize(total, *byte),
            _ => (0..total / element.len().max(1)).for_each(|_| bytes.extend_from_slice(element)),
        }
        Ok(Cow::Owned(bytes))
    }

    /// The elements of a constant tensor of i1, a byte each, 0 or 1; a splat is expanded.
    pub fn bools(self) -> Result<Vec<u8>, BlobError> {
        let not_elements = || BlobError::NotElements(shorten(self.to_string()));
        let ty = self.ty().ok_or_else(not_elements)?;
        let count = ty.as_tensor().and_then(|tensor| usize::try_from(tensor.num_elements()?).ok());
        let total = count.ok_or_else(not_elements)?;
        if let Some((key, bytes)) = raw::elements::resource(self) {
            let bytes = bytes.ok_or_else(|| BlobError::Missing(key.to_owned()))?;
            if bytes.len() != total {
                let (key, expected, got) = (key.to_owned(), total as u64, bytes.len() as u64);
                return Err(BlobError::Length { key, ty: ty.to_string(), expected, got });
            }
            return Ok(bytes.iter().map(|&byte| u8::from(byte != 0)).collect());
        }
        if self.0.is_sparse_elements() {
            return Err(BlobError::Sparse);
        }
        match raw::elements::bools(self, total).ok_or_else(not_elements)? {
            (bits, false) => Ok(bits),
            (bit, true) => {
                let mut bits = Vec::new();
                bits.try_reserve_exact(total).map_err(|_| BlobError::TooLarge(ty.to_string()))?;
                bits.resize(total, bit.first().copied().unwrap_or_default());
                Ok(bits)
            }
        }
    }

    /// The elements of a constant tensor of i4, a byte each, sign-extended; a splat is expanded.
    pub fn nibbles(self) -> Result<Vec<u8>, BlobError> {
        let not_elements = || BlobError::NotElements(shorten(self.to_string()));
        let ty = self.ty().ok_or_else(not_elements)?;
        let count = ty.as_tensor().and_then(|tensor| usize::try_from(tensor.num_elements()?).ok());
        let total = count.ok_or_else(not_elements)?;
        if !ty.element().is_some_and(|element| element.is_int(4)) {
            return Err(BlobError::Element(ty.to_string()));
        }
        let extend = |byte: &u8| ((byte << 4).cast_signed() >> 4).cast_unsigned();
        if let Some((key, bytes)) = raw::elements::resource(self) {
            let bytes = bytes.ok_or_else(|| BlobError::Missing(key.to_owned()))?;
            if bytes.len() != total {
                let (key, expected, got) = (key.to_owned(), total as u64, bytes.len() as u64);
                return Err(BlobError::Length { key, ty: ty.to_string(), expected, got });
            }
            return Ok(bytes.iter().map(extend).collect());
        }
        if self.0.is_sparse_elements() {
            return Err(BlobError::Sparse);
        }
        match raw::elements::nibbles(self, total).ok_or_else(not_elements)? {
            (bytes, false) => Ok(bytes.iter().map(extend).collect()),
            (byte, true) => {
                let mut bytes = Vec::new();
                bytes.try_reserve_exact(total).map_err(|_| BlobError::TooLarge(ty.to_string()))?;
                bytes.resize(total, byte.first().map(extend).unwrap_or_default());
                Ok(bytes)
            }
        }
    }

    /// The single element of a `dense` splat of i1; `None` for anything else.
    pub fn splat_bool(self) -> Option<bool> {
        // Not read where the elements differ.
        let (bits, is_splat) = raw::elements::bools(self, 0)?;
        is_splat.then(|| bits.first() == Some(&1))
    }

    /// `dense<…>` of a static tensor type of i1, from a byte each, or from one for all.
    pub fn dense_bools(ty: Type<'c>, bits: &[u8]) -> Result<Self, Error> {
        let count = ty.as_tensor().and_then(|tensor| usize::try_from(tensor.num_elements()?).ok());
        let wrong = || Error::Attribute(format!("constant of type {ty}"));
        match (count, bits) {
            (Some(count), &[bit]) if count != 1 => {
                raw::elements::new_bools(ty, &vec![bit; count]).ok_or_else(wrong)
            }
            (Some(count), _) if count == bits.len() => raw::elements::new_bools(ty, bits).ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }

    /// The number of bytes of its elements, which are not written out.
    pub(crate) fn byte_length(self) -> Result<usize, BlobError> {
        if raw::elements::resource(self).is_some() || self.0.is_sparse_elements() {
            return self.bytes().map(|bytes| bytes.len());
        }
        let ty = self.ty().ok_or_else(|| BlobError::NotElements(shorten(self.to_string())))?;
        tensor_bytes(ty)
    }

    /// The elements of a constant tensor of signless or signed integers of 8, 16, 32, 48 or 64 bits, or of `index`, sign-extended;
    /// of unsigned ones, zero-extended.
    pub fn int_elements(self) -> Result<Vec<i64>, BlobError> {
        let bytes = self.bytes()?;
        let element = self.ty().and_then(Type::element);
        let unsigned = element.is_some_and(Type::is_unsigned_int);
        let wrong = || BlobError::Element(self.ty().map(|ty| ty.to_string()).unwrap_or_default());
        let width = element.and_then(|ty| if ty.is_index() { Some(64) } else { ty.int_width() });
        match width {
            Some(width @ (8 | 16 | 32 | 48 | 64)) => {
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

    /// The bytes of the single element of a `dense` splat of integers of whole bytes; `None` for anything else.
    pub fn splat_bytes(self) -> Option<&'c [u8]> {
        self.ty()?.element()?.int_width()?;
        match raw::elements::dense(self) {
            Ok(Some((element, true))) => Some(element),
            _ => None,
        }
    }

    /// `dense<…>` of a static tensor type, from its bytes, which are copied and uniqued: for small constants.
    pub fn dense(ty: Type<'c>, bytes: &[u8]) -> Result<Self, Error> {
        check_length(ty, bytes.len())?;
        if bytes.is_empty() {
            return Self::parse(ty.context(), &format!("dense<> : {ty}"));
        }
        raw::elements::new_dense(ty, bytes).ok_or_else(|| Error::Attribute(format!("constant of type {ty}")))
    }

    /// `dense<x>` of a static tensor type of integers of whole bytes or f32, from the bytes of the single
    /// element.
    pub fn dense_splat(ty: Type<'c>, element: &[u8]) -> Result<Self, Error> {
        let bits = ty.element().and_then(|e| if e.is_f32() { Some(32) } else { e.int_width() });
        let width = bits.and_then(|bits| usize::try_from(bits / 8).ok());
        if width != Some(element.len()) {
            let expected = width.unwrap_or(0);
            return Err(Error::Bytes { ty: ty.to_string(), expected, got: element.len() });
        }
        // A buffer of one element makes a splat.
        raw::elements::new_dense(ty, element)
            .ok_or_else(|| Error::Attribute(format!("constant of type {ty}")))
    }

    /// `dense_resource<name>` of a static tensor type; takes its bytes without a copy: for weights.
    ///
    /// Resources are named per context. A name that is in use gets a number appended, so that names depend only on the order of
    /// creation.
    pub fn resource(ty: Type<'c>, name: &str, bytes: impl Into<Bytes>) -> Result<Self, Error> {
        let bytes = bytes.into();
        check_length(ty, bytes.len())?;
        // The alignment is written to files, so it must not depend on where the allocator put the bytes.
        let alignment = element_bytes(ty).map_or(1, usize::next_power_of_two);
        raw::elements::new_resource(ty, name, bytes, alignment)
            .ok_or_else(|| Error::Attribute(format!("resource of type {ty}")))
    }
}

/// Bytes to pass to MLIR: owned or shared.
#[derive(Clone, Debug)]
pub enum Bytes {
    /// Exclusively owned.
    Owned(Vec<u8>),
    /// Shared.
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

/// The width of a tensor's elements in bytes.
pub(crate) fn element_bytes(ty: Type<'_>) -> Result<usize, BlobError> {
    let wrong = || BlobError::Element(ty.to_string());
    let element = ty.element().ok_or_else(wrong)?;
    let bits = match element.int_width() {
        Some(bits) => bits,
        // Constants of `index` are stored as 64 bits.
        None if element.is_index() => 64,
        None => element.float_width().ok_or_else(wrong)?,
    };
    // TOSA has accumulators of 48 bits, which MLIR stores in 6 bytes.
    if bits == 0 || bits % 8 != 0 || !((bits / 8).is_power_of_two() || bits == 48) {
        return Err(wrong());
    }
    usize::try_from(bits / 8).map_err(|_| wrong())
}

/// The size of a tensor's elements in bytes.
pub(crate) fn tensor_bytes(ty: Type<'_>) -> Result<usize, BlobError> {
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
