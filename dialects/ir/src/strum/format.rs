//! Weight formats, the type of packed weights, and their constants.

use std::ffi::c_void;
use std::sync::LazyLock;

use strum_formats::{Field, FieldKind, Kind, Packed, Shape};
use strum_mlir_sys as sys;

use crate::{Attribute, Error, Location, OpBuilder, Type, ffi, location::len};

pub use strum_formats::Format;

/// The fields of a method, as C++ wants them. Their strings are static.
struct Row(Vec<sys::StrumFormatField>);

// SAFETY: the pointers in it are to static strings.
unsafe impl Send for Row {}
// SAFETY: the pointers in it are to static strings.
unsafe impl Sync for Row {}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let field = |field: &Field| {
        let word = if let FieldKind::NumberOr(word) = field.kind { word } else { "" };
        sys::StrumFormatField {
            name: ffi::string_ref(field.name),
            word: ffi::string_ref(word),
            isFlag: field.kind == FieldKind::Flag,
        }
    };
    Kind::ALL.iter().map(|kind| Row(kind.fields().map(field).collect())).collect()
});

/// The hook that tells C++ the fields of a format.
///
/// # Safety
/// The method must be a valid string, and `fields` valid for writes.
pub(crate) unsafe extern "C" fn fields(
    method: sys::MlirStringRef,
    fields: *mut *const sys::StrumFormatField,
) -> isize {
    // SAFETY: by this function's contract.
    let kind = Kind::from_name(unsafe { ffi::str_of(method) });
    let Some(Row(row)) = kind.ok().and_then(|kind| ROWS.get(kind.code())) else { return -1 };
    // SAFETY: by this function's contract; the row lives for the life of the process.
    unsafe { *fields = row.as_ptr() };
    len(row)
}

/// The hook that tells C++ what is wrong with the values of a format's fields.
///
/// # Safety
/// The method must be a valid string, there must be `count` values, and the callback must belong to the data.
pub(crate) unsafe extern "C" fn fault(
    method: sys::MlirStringRef,
    count: isize,
    values: *const i64,
    reason: sys::MlirStringCallback,
    user: *mut c_void,
) {
    // SAFETY: by this function's contract.
    let (method, values) = unsafe {
        let count = usize::try_from(count).unwrap_or(0);
        let values = if count == 0 { &[] } else { std::slice::from_raw_parts(values, count) };
        (ffi::str_of(method), values)
    };
    let format = Kind::from_name(method).and_then(|kind| Format::from_values(kind, values));
    if let (Err(error), Some(reason)) = (format, reason) {
        // SAFETY: the callback belongs to the data, and copies the text.
        unsafe { reason(ffi::string_ref(&error.to_string()), user) };
    }
}

impl<'c> Attribute<'c> {
    /// The weight format that an attribute such as `#strum.dense` stands for.
    pub fn as_format(self) -> Option<Format> {
        let mut raw = sys::StrumFormat { method: ffi::string_ref(""), nValues: 0, values: std::ptr::null() };
        // SAFETY: the attribute is valid; the method and the values live in the context, which outlives this call.
        let (method, values) = unsafe {
            if !sys::strumAttributeGetFormat(self.raw(), &mut raw) {
                return None;
            }
            let count = usize::try_from(raw.nValues).ok()?;
            let values = if count == 0 { &[] } else { std::slice::from_raw_parts(raw.values, count) };
            (ffi::str_of(raw.method), values)
        };
        Format::from_values(Kind::from_name(method).ok()?, values).ok()
    }

    /// The attribute of a weight format. What is wrong with a format that is not legal is emitted at `location`.
    pub fn format(location: Location<'c>, format: Format) -> Result<Self, Error> {
        let values = format.values();
        let method = ffi::string_ref(format.method.kind().name());
        let raw = sys::StrumFormat { method, nValues: len(&values), values: values.as_ptr() };
        // SAFETY: the location is valid for `'c`, and the values have the given length and are copied.
        unsafe { Self::from_raw_option(sys::strumFormatGetChecked(location.raw(), raw)) }
            .ok_or_else(|| Error::Attribute(format.to_string()))
    }
}

/// `!strum.packed<…>`: weights in a StruM format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PackedType {
    /// The shape of the decoded weights.
    pub shape: Shape,
    /// How they are stored.
    pub format: Format,
}

impl PackedType {
    /// Reads a type.
    pub fn read(ty: Type<'_>) -> Option<Self> {
        let mut raw = sys::StrumPacked {
            rank: 0,
            shape: std::ptr::null(),
            format: sys::MlirAttribute { ptr: std::ptr::null() },
        };
        // SAFETY: the type is valid; the shape lives in the context and has the given length.
        let (shape, format) = unsafe {
            if !sys::strumTypeGetPacked(ty.raw(), &mut raw) {
                return None;
            }
            let shape = std::slice::from_raw_parts(raw.shape, usize::try_from(raw.rank).ok()?);
            (shape, Attribute::from_raw(raw.format))
        };
        let &[oc, kh, kw, ic] = shape else { return None };
        let dim = |value| usize::try_from(value).ok();
        let shape = Shape { oc: dim(oc)?, kh: dim(kh)?, kw: dim(kw)?, ic: dim(ic)? };
        Some(Self { shape, format: format.as_format()? })
    }

    /// The type. What is wrong with it is emitted at `location`.
    pub fn ty<'c>(self, location: Location<'c>) -> Result<Type<'c>, Error> {
        let failed = || Error::Type(format!("packed weights of shape {}", self.shape));
        let Shape { oc, kh, kw, ic } = self.shape;
        let dims: Result<Vec<i64>, _> = [oc, kh, kw, ic].into_iter().map(i64::try_from).collect();
        let dims = dims.map_err(|_| failed())?;
        let format = Attribute::format(location, self.format)?.raw();
        let raw = sys::StrumPacked { rank: len(&dims), shape: dims.as_ptr(), format };
        // SAFETY: the location and the format are valid, and the shape has the given length.
        unsafe { Type::from_raw_option(sys::strumPackedTypeGetChecked(location.raw(), raw)) }
            .ok_or_else(failed)
    }
}

/// A `strum.constant` with packed weights, which become a resource called after `name`. The bytes are not copied.
pub fn constant<'c>(packed: Packed, name: &str, location: Location<'c>) -> Result<OpBuilder<'c>, Error> {
    let ty = PackedType { shape: packed.shape, format: packed.format }.ty(location)?;
    let length = i64::try_from(packed.bytes.len())
        .map_err(|_| Error::Type(format!("{} bytes", packed.bytes.len())))?;
    let bytes = Type::tensor(&[length], Type::int(location.context(), 8))?;
    let value = Attribute::resource(bytes, name, packed.bytes)?;
    Ok(OpBuilder::new("strum.constant", location).attribute("value", value).result(ty))
}
