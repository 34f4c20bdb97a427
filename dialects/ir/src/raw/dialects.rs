//! The C interface of the `strum` and `dpu` dialects: reading and building attributes and types. Errors in what is built are
//! emitted at the location.
//!
//! Lists returned by readers live in the context.

use melior::{
    dialect::DialectHandle,
    ir::{TypeLike, attribute::AttributeLike},
};
use strum_mlir_sys as sys;

use super::{
    attribute::{NULL, attribute, ty},
    len, list,
    operation::raw_context,
    text,
};
use crate::{Attribute, ContextRef, Location, Type};

/// The `strum` dialect.
pub(crate) fn strum() -> DialectHandle {
    // SAFETY: the pointer is to static data.
    unsafe { DialectHandle::from_raw(sys::mlirGetDialectHandle__strum__()) }
}

/// The `dpu` dialect.
pub(crate) fn dpu() -> DialectHandle {
    // SAFETY: the pointer is to static data.
    unsafe { DialectHandle::from_raw(sys::mlirGetDialectHandle__dpu__()) }
}

/// The `tosa` dialect, which melior does not name.
pub(crate) fn tosa() -> DialectHandle {
    // SAFETY: the pointer is to static data.
    unsafe { DialectHandle::from_raw(sys::mlirGetDialectHandle__tosa__()) }
}

/// The method of a weight format, and the values of its fields in the order of the table.
pub(crate) fn format(of: Attribute<'_>) -> Option<(&str, &[i64])> {
    let mut raw = sys::StrumFormat { method: text::string_ref(""), nValues: 0, values: std::ptr::null() };
    // SAFETY: the attribute is valid; the list has the given length.
    unsafe {
        sys::strumAttributeGetFormat(of.0.to_raw(), &mut raw)
            .then(|| (text::str_of(raw.method), list(raw.values, raw.nValues)))
    }
}

/// The attribute of a weight format.
pub(crate) fn new_format<'c>(location: Location<'c>, method: &str, values: &[i64]) -> Option<Attribute<'c>> {
    let method = text::string_ref(method);
    let raw = sys::StrumFormat { method, nValues: len(values), values: values.as_ptr() };
    // SAFETY: the location is valid for `'c`, and the values have the given length and are copied.
    unsafe { attribute(sys::strumFormatGetChecked(location.0.to_raw(), raw)) }
}

/// The fields of a `#strum.rescale`.
pub(crate) fn rescale(of: Attribute<'_>) -> Option<sys::StrumRescale> {
    let mut raw = sys::StrumRescale { zp: 0, multiplier: 0, shift: 0, doubleRound: false, isUnsigned: false };
    // SAFETY: the attribute is valid.
    unsafe { sys::strumAttributeGetRescale(of.0.to_raw(), &mut raw) }.then_some(raw)
}

/// `#strum.rescale`.
pub(crate) fn new_rescale<'c>(location: Location<'c>, raw: sys::StrumRescale) -> Option<Attribute<'c>> {
    // SAFETY: the location is valid for `'c`.
    unsafe { attribute(sys::strumRescaleGetChecked(location.0.to_raw(), raw)) }
}

/// The fields of a `#strum.ppe`.
pub(crate) struct Ppe<'a> {
    pub(crate) multiplier: &'a [i32],
    /// Same length as `multiplier`.
    pub(crate) shift: &'a [i32],
    pub(crate) double_round: bool,
    pub(crate) unsigned: bool,
    pub(crate) zp: i32,
    pub(crate) clamp: (i32, i32),
    pub(crate) table: Option<Attribute<'a>>,
}

/// The fields of a `#strum.ppe`.
pub(crate) fn ppe(of: Attribute<'_>) -> Option<Ppe<'_>> {
    let mut raw = sys::StrumPpe {
        channels: 0,
        multiplier: std::ptr::null(),
        shift: std::ptr::null(),
        doubleRound: false,
        isUnsigned: false,
        zp: 0,
        clampLo: 0,
        clampHi: 0,
        table: NULL,
    };
    // SAFETY: the attribute is valid; the lists have the given length, and the table is valid or null.
    unsafe {
        sys::strumAttributeGetPpe(of.0.to_raw(), &mut raw).then(|| Ppe {
            multiplier: list(raw.multiplier, raw.channels),
            shift: list(raw.shift, raw.channels),
            double_round: raw.doubleRound,
            unsigned: raw.isUnsigned,
            zp: raw.zp,
            clamp: (raw.clampLo, raw.clampHi),
            table: attribute(raw.table),
        })
    }
}

/// `#strum.ppe`; `None` without a diagnostic if the numbers of shifts and multipliers differ, or the table is not
/// `dense`.
pub(crate) fn new_ppe<'c>(location: Location<'c>, ppe: &Ppe<'_>) -> Option<Attribute<'c>> {
    if ppe.multiplier.len() != ppe.shift.len() || ppe.table.is_some_and(|table| !table.0.is_dense_elements())
    {
        return None;
    }
    let raw = sys::StrumPpe {
        channels: len(ppe.multiplier),
        multiplier: ppe.multiplier.as_ptr(),
        shift: ppe.shift.as_ptr(),
        doubleRound: ppe.double_round,
        isUnsigned: ppe.unsigned,
        zp: ppe.zp,
        clampLo: ppe.clamp.0,
        clampHi: ppe.clamp.1,
        table: ppe.table.map_or(NULL, |table| table.0.to_raw()),
    };
    // SAFETY: the location and the table are valid, and both lists have the given length and are copied.
    unsafe { attribute(sys::strumPpeGetChecked(location.0.to_raw(), raw)) }
}

/// The kind of a `strum.eltwise`, as a number.
pub(crate) fn eltwise_kind(of: Attribute<'_>) -> Option<usize> {
    // SAFETY: the attribute is valid.
    usize::try_from(unsafe { sys::strumAttributeGetEltwiseKind(of.0.to_raw()) }).ok()
}

/// The kind of a `strum.eltwise` from its number; `None` if the number is unknown.
pub(crate) fn new_eltwise_kind(context: ContextRef<'_>, kind: i32) -> Option<Attribute<'_>> {
    // SAFETY: the context is valid.
    unsafe { attribute(sys::strumEltwiseKindGet(raw_context(context), kind)) }
}

/// The shape and the format of a `!strum.packed`.
pub(crate) fn packed(of: Type<'_>) -> Option<(&[i64], Attribute<'_>)> {
    let mut raw = sys::StrumPacked { rank: 0, shape: std::ptr::null(), format: NULL };
    // SAFETY: the type is valid; the shape has the given length, and the format is valid.
    unsafe {
        if !sys::strumTypeGetPacked(of.0.to_raw(), &mut raw) {
            return None;
        }
        Some((list(raw.shape, raw.rank), attribute(raw.format)?))
    }
}

/// `!strum.packed`.
pub(crate) fn new_packed<'c>(
    location: Location<'c>,
    shape: &[i64],
    format: Attribute<'c>,
) -> Option<Type<'c>> {
    let raw = sys::StrumPacked { rank: len(shape), shape: shape.as_ptr(), format: format.0.to_raw() };
    // SAFETY: the location and the format are valid, and the shape has the given length and is copied.
    unsafe { ty(sys::strumPackedTypeGetChecked(location.0.to_raw(), raw)) }
}

/// Whether a `!dpu.buffer` is in SRAM, its shape, and the type of its elements.
pub(crate) fn buffer(of: Type<'_>) -> Option<(bool, &[i64], Type<'_>)> {
    let null = sys::MlirType { ptr: std::ptr::null() };
    let mut raw = sys::DpuBuffer { sram: false, rank: 0, shape: std::ptr::null(), elementType: null };
    // SAFETY: the type is valid; the shape has the given length, and the element type is valid.
    unsafe {
        if !sys::dpuTypeGetBuffer(of.0.to_raw(), &mut raw) {
            return None;
        }
        Some((raw.sram, list(raw.shape, raw.rank), ty(raw.elementType)?))
    }
}

/// `!dpu.buffer`.
pub(crate) fn new_buffer<'c>(
    location: Location<'c>,
    sram: bool,
    shape: &[i64],
    element: Type<'c>,
) -> Option<Type<'c>> {
    let raw =
        sys::DpuBuffer { sram, rank: len(shape), shape: shape.as_ptr(), elementType: element.0.to_raw() };
    // SAFETY: the location and the element type are valid, and the shape has the given length and is copied.
    unsafe { ty(sys::dpuBufferTypeGetChecked(location.0.to_raw(), raw)) }
}

/// `!dpu.barrier`.
pub(crate) fn barrier(context: ContextRef<'_>) -> Type<'_> {
    // SAFETY: the context is valid, and the type is not null.
    Type(unsafe { melior::ir::Type::from_raw(sys::dpuBarrierTypeGet(raw_context(context))) })
}

/// The stage of a program, as a number.
pub(crate) fn stage(of: Attribute<'_>) -> Option<usize> {
    // SAFETY: the attribute is valid.
    usize::try_from(unsafe { sys::dpuAttributeGetStage(of.0.to_raw()) }).ok()
}

/// A program's stage from its number; `None` if the number is unknown.
pub(crate) fn new_stage(context: ContextRef<'_>, stage: i32) -> Option<Attribute<'_>> {
    // SAFETY: the context is valid.
    unsafe { attribute(sys::dpuStageGet(raw_context(context), stage)) }
}
