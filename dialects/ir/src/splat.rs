//! Constant tensors of one repeated element, which are never written out.

use std::slice;

use strum_mlir_sys as sys;

use crate::{Attribute, Error, Type};

impl<'c> Attribute<'c> {
    /// The bytes of the one element of a `dense` splat whose elements are integers of whole bytes; `None` for anything else.
    pub fn splat_bytes(self) -> Option<&'c [u8]> {
        let width = usize::try_from(self.ty()?.element()?.int_width()?).ok()?;
        // SAFETY: the splat and its data are asked of dense elements only; a splat holds the bytes of one element, and they live in the
        // context.
        unsafe {
            let is_splat = sys::mlirAttributeIsADenseElements(self.raw())
                && sys::mlirDenseElementsAttrIsSplat(self.raw());
            if !is_splat || width == 0 || width % 8 != 0 {
                return None;
            }
            let data: *const u8 = sys::mlirDenseElementsAttrGetRawData(self.raw()).cast();
            (!data.is_null()).then(|| slice::from_raw_parts(data, width / 8))
        }
    }

    /// `dense<x>` of a static tensor type of integers of whole bytes or f32, from the bytes of the one element.
    pub fn dense_splat(ty: Type<'c>, element: &[u8]) -> Result<Self, Error> {
        let bits = ty.element().and_then(|e| if e.is_f32() { Some(32) } else { e.int_width() });
        let width = bits.and_then(|bits| usize::try_from(bits / 8).ok());
        if width != Some(element.len()) || ty.as_tensor().is_none() {
            return Err(Error::Bytes {
                ty: ty.to_string(),
                expected: width.unwrap_or(0),
                got: element.len(),
            });
        }
        // SAFETY: the type is valid, and a buffer of one element makes a splat.
        unsafe {
            let raw =
                sys::mlirDenseElementsAttrRawBufferGet(ty.raw(), element.len(), element.as_ptr().cast());
            Self::from_raw_option(raw)
        }
        .ok_or_else(|| Error::Attribute(format!("constant of type {ty}")))
    }
}
