//! Attributes, types and locations: what melior lacks, or creates unchecked.

use melior::ir::{
    TypeLike,
    attribute::AttributeLike,
    r#type::{RankedTensorType, ShapedTypeLike},
};
use strum_mlir_sys as sys;

use super::{len, operation::raw_context};
use crate::{Attribute, ContextRef, Location, Type};

/// An attribute, or `None` if it is null.
///
/// # Safety
/// The attribute must be null, or valid for `'c`.
pub(crate) unsafe fn attribute<'c>(raw: sys::MlirAttribute) -> Option<Attribute<'c>> {
    // SAFETY: by this function's contract.
    unsafe { melior::ir::Attribute::from_option_raw(raw) }.map(Attribute)
}

/// A type, or `None` if it is null.
///
/// # Safety
/// The type must be null, or valid for `'c`.
pub(crate) unsafe fn ty<'c>(raw: sys::MlirType) -> Option<Type<'c>> {
    // SAFETY: by this function's contract.
    unsafe { melior::ir::Type::from_option_raw(raw) }.map(Type)
}

/// The null attribute, for "none".
pub(crate) const NULL: sys::MlirAttribute = sys::MlirAttribute { ptr: std::ptr::null() };

/// A tensor type without encoding. MLIR emits its errors.
pub(crate) fn tensor_type<'c>(shape: &[i64], element: Type<'c>) -> Option<Type<'c>> {
    let location = Location::unknown(element.context()).0.to_raw();
    // SAFETY: everything is valid for `'c`, and the shape has the given length.
    unsafe {
        let element = element.0.to_raw();
        ty(sys::mlirRankedTensorTypeGetChecked(location, len(shape), shape.as_ptr(), element, NULL))
    }
}

/// The dimensions of a tensor type, all at once: melior counts them for each. Dynamic dimensions are negative.
pub(crate) fn shape(tensor: RankedTensorType<'_>) -> Vec<i64> {
    let raw = tensor.to_raw();
    // SAFETY: dimensions are queried within their number.
    (0..tensor.rank()).map(|i| unsafe { sys::mlirShapedTypeGetDimSize(raw, i as isize) }).collect()
}

/// A fused location without metadata.
pub(crate) fn fused<'c>(context: ContextRef<'c>, locations: &[Location<'c>]) -> Location<'c> {
    let raw: Vec<_> = locations.iter().map(|location| location.0.to_raw()).collect();
    // SAFETY: the context and the locations are valid for `'c`.
    Location(unsafe {
        let fused = sys::mlirLocationFusedGet(raw_context(context), len(&raw), raw.as_ptr(), NULL);
        melior::ir::Location::from_raw(fused)
    })
}

/// The parts of a fused location, all at once: melior creates the whole list for each.
pub(crate) fn fused_parts(location: Location<'_>) -> Option<Vec<Location<'_>>> {
    if !location.0.is_fused() {
        return None;
    }
    let mut raw = vec![location.0.to_raw(); location.0.fused_num_locations()];
    // SAFETY: the location is fused; MLIR fills the number of entries that it reports, with valid locations.
    unsafe {
        sys::mlirLocationFusedGetLocations(location.0.to_raw(), raw.as_mut_ptr());
        Some(raw.into_iter().map(|raw| Location(melior::ir::Location::from_raw(raw))).collect())
    }
}

/// The values of a dense array of integers, or of a constant vector of 64-bit integers.
pub(crate) fn integers(attribute: Attribute<'_>) -> Option<Vec<i64>> {
    let (kind, raw) = (attribute.0, attribute.0.to_raw());
    // SAFETY: elements are queried of dense arrays of the right width only, within their number.
    unsafe {
        let indices = || 0..sys::mlirDenseArrayGetNumElements(raw);
        if kind.is_dense_i64_array() {
            Some(indices().map(|i| sys::mlirDenseI64ArrayGetElement(raw, i)).collect())
        } else if kind.is_dense_i32_array() {
            Some(indices().map(|i| sys::mlirDenseI32ArrayGetElement(raw, i).into()).collect())
        } else if kind.is_dense_i16_array() {
            Some(indices().map(|i| sys::mlirDenseI16ArrayGetElement(raw, i).into()).collect())
        } else if kind.is_dense_i8_array() {
            Some(indices().map(|i| sys::mlirDenseI8ArrayGetElement(raw, i).into()).collect())
        } else if kind.is_dense_int_elements() && is_vector_of_i64(kind.r#type()) {
            let n = sys::mlirElementsAttrGetNumElements(raw) as isize;
            Some((0..n).map(|i| sys::mlirDenseElementsAttrGetInt64Value(raw, i)).collect())
        } else {
            None
        }
    }
}

fn is_vector_of_i64(vector: melior::ir::Type<'_>) -> bool {
    // SAFETY: the element type is queried of vectors only.
    let element = unsafe {
        if !vector.is_vector() {
            return false;
        }
        ty(sys::mlirShapedTypeGetElementType(vector.to_raw()))
    };
    element.is_some_and(|element| element.is_int(64))
}

/// The values of a dense array of `f64`.
pub(crate) fn doubles(attribute: Attribute<'_>) -> Option<Vec<f64>> {
    let raw = attribute.0.to_raw();
    if !attribute.0.is_dense_f64_array() {
        return None;
    }
    // SAFETY: elements are queried of dense arrays of this type only, within their number.
    unsafe {
        let n = sys::mlirDenseArrayGetNumElements(raw);
        Some((0..n).map(|i| sys::mlirDenseF64ArrayGetElement(raw, i)).collect())
    }
}
