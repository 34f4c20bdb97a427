//! Attributes: making them, and reading them without surprises.

use std::{ffi::c_int, fmt, marker::PhantomData};

use strum_mlir_sys as sys;

use crate::{Context, ContextRef, Error, Type, ffi, location::len};

/// An attribute.
#[derive(Clone, Copy)]
pub struct Attribute<'c> {
    raw: sys::MlirAttribute,
    context: PhantomData<&'c Context>,
}

impl<'c> Attribute<'c> {
    /// # Safety
    /// The attribute must be valid for `'c`.
    pub(crate) unsafe fn from_raw(raw: sys::MlirAttribute) -> Self {
        Self { raw, context: PhantomData }
    }

    /// As [`Attribute::from_raw`], but null is `None`.
    ///
    /// # Safety
    /// The attribute must be null, or valid for `'c`.
    pub(crate) unsafe fn from_raw_option(raw: sys::MlirAttribute) -> Option<Self> {
        // SAFETY: not null, so valid by this function's contract.
        (!raw.ptr.is_null()).then(|| unsafe { Self::from_raw(raw) })
    }

    pub(crate) fn raw(self) -> sys::MlirAttribute {
        self.raw
    }

    /// The context.
    pub fn context(self) -> ContextRef<'c> {
        // SAFETY: an attribute's context is valid for `'c`.
        unsafe { ContextRef::from_raw(sys::mlirAttributeGetContext(self.raw)) }
    }
}

/// Making attributes.
impl<'c> Attribute<'c> {
    /// Parses an attribute. MLIR emits what is wrong with it.
    pub fn parse(context: impl Into<ContextRef<'c>>, text: &str) -> Result<Self, Error> {
        // SAFETY: the context is valid for `'c`.
        unsafe {
            Self::from_raw_option(sys::mlirAttributeParseGet(context.into().raw(), ffi::string_ref(text)))
        }
        .ok_or_else(|| Error::Parse(text.into()))
    }

    /// `value : iWIDTH`; the value is cut to the width.
    pub fn int(context: impl Into<ContextRef<'c>>, width: u32, value: i64) -> Self {
        // SAFETY: the type is valid for `'c`, and an integer type.
        unsafe { Self::from_raw(sys::mlirIntegerAttrGet(Type::int(context, width).raw(), value)) }
    }

    /// `value : i64`.
    pub fn i64(context: impl Into<ContextRef<'c>>, value: i64) -> Self {
        Self::int(context, 64, value)
    }

    /// `value : i32`.
    pub fn i32(context: impl Into<ContextRef<'c>>, value: i32) -> Self {
        Self::int(context, 32, value.into())
    }

    /// `true` or `false`.
    pub fn bool(context: impl Into<ContextRef<'c>>, value: bool) -> Self {
        // SAFETY: the context is valid for `'c`.
        unsafe { Self::from_raw(sys::mlirBoolAttrGet(context.into().raw(), c_int::from(value))) }
    }

    /// `"text"`.
    pub fn string(context: impl Into<ContextRef<'c>>, text: &str) -> Self {
        // SAFETY: the context is valid for `'c`, and copies the text.
        unsafe { Self::from_raw(sys::mlirStringAttrGet(context.into().raw(), ffi::string_ref(text))) }
    }

    /// `unit`.
    pub fn unit(context: impl Into<ContextRef<'c>>) -> Self {
        // SAFETY: the context is valid for `'c`.
        unsafe { Self::from_raw(sys::mlirUnitAttrGet(context.into().raw())) }
    }

    /// A type as an attribute.
    pub fn of_type(ty: Type<'c>) -> Self {
        // SAFETY: the type is valid for `'c`.
        unsafe { Self::from_raw(sys::mlirTypeAttrGet(ty.raw())) }
    }

    /// `@symbol`.
    pub fn symbol(context: impl Into<ContextRef<'c>>, symbol: &str) -> Self {
        // SAFETY: the context is valid for `'c`, and copies the text.
        unsafe {
            Self::from_raw(sys::mlirFlatSymbolRefAttrGet(context.into().raw(), ffi::string_ref(symbol)))
        }
    }

    /// `[a, b, …]`.
    pub fn array(context: impl Into<ContextRef<'c>>, elements: &[Self]) -> Self {
        let raw: Vec<_> = elements.iter().map(|element| element.raw).collect();
        // SAFETY: the context and the elements are valid for `'c`.
        unsafe { Self::from_raw(sys::mlirArrayAttrGet(context.into().raw(), len(&raw), raw.as_ptr())) }
    }

    /// `array<i64: …>`.
    pub fn i64s(context: impl Into<ContextRef<'c>>, values: &[i64]) -> Self {
        // SAFETY: the context is valid for `'c`, and copies the values.
        unsafe {
            Self::from_raw(sys::mlirDenseI64ArrayGet(context.into().raw(), len(values), values.as_ptr()))
        }
    }

    /// `array<i32: …>`.
    pub fn i32s(context: impl Into<ContextRef<'c>>, values: &[i32]) -> Self {
        // SAFETY: the context is valid for `'c`, and copies the values.
        unsafe {
            Self::from_raw(sys::mlirDenseI32ArrayGet(context.into().raw(), len(values), values.as_ptr()))
        }
    }

    /// `array<i8: …>`.
    pub fn i8s(context: impl Into<ContextRef<'c>>, values: &[i8]) -> Self {
        // SAFETY: the context is valid for `'c`, and copies the values.
        unsafe {
            Self::from_raw(sys::mlirDenseI8ArrayGet(context.into().raw(), len(values), values.as_ptr()))
        }
    }
}

/// Reading attributes. Each getter answers `None` for an attribute of another kind.
impl<'c> Attribute<'c> {
    /// The value of an integer attribute, sign-extended (zero-extended if its type is unsigned); `None` if it is wider than 64 bits.
    pub fn as_i64(self) -> Option<i64> {
        // SAFETY: the getters are called on integer attributes only, each on its signedness.
        unsafe {
            if !sys::mlirAttributeIsAInteger(self.raw) {
                return None;
            }
            let ty = Type::from_raw(sys::mlirAttributeGetType(self.raw));
            match ty.int_width() {
                Some(width) if width > 64 => None,
                Some(_) if ty.is_unsigned_int() => {
                    i64::try_from(sys::mlirIntegerAttrGetValueUInt(self.raw)).ok()
                }
                Some(_) if !sys::mlirIntegerTypeIsSignless(ty.raw()) => {
                    Some(sys::mlirIntegerAttrGetValueSInt(self.raw))
                }
                _ => Some(sys::mlirIntegerAttrGetValueInt(self.raw)),
            }
        }
    }

    /// The value of a float attribute of any type, as the nearest double.
    pub fn as_f64(self) -> Option<f64> {
        // SAFETY: the value is asked of float attributes only.
        unsafe { sys::mlirAttributeIsAFloat(self.raw).then(|| sys::mlirFloatAttrGetValueDouble(self.raw)) }
    }

    /// The value of a boolean attribute; a unit attribute is true.
    pub fn as_bool(self) -> Option<bool> {
        // SAFETY: the value is asked of boolean attributes only.
        unsafe {
            if sys::mlirAttributeIsAUnit(self.raw) {
                return Some(true);
            }
            sys::mlirAttributeIsABool(self.raw).then(|| sys::mlirBoolAttrGetValue(self.raw))
        }
    }

    /// The text of a string attribute, if it is UTF-8.
    pub fn as_str(self) -> Option<&'c str> {
        // SAFETY: the text is asked of string attributes only, and lives in the context.
        unsafe {
            sys::mlirAttributeIsAString(self.raw)
                .then(|| ffi::bytes_of(sys::mlirStringAttrGetValue(self.raw)))
                .and_then(|bytes| std::str::from_utf8(bytes).ok())
        }
    }

    /// The name of a flat symbol reference.
    pub fn as_symbol(self) -> Option<&'c str> {
        // SAFETY: the name is asked of flat symbol references only, and lives in the context.
        unsafe {
            sys::mlirAttributeIsAFlatSymbolRef(self.raw)
                .then(|| ffi::str_of(sys::mlirFlatSymbolRefAttrGetValue(self.raw)))
        }
    }

    /// The type in a type attribute.
    pub fn as_type(self) -> Option<Type<'c>> {
        // SAFETY: the type is asked of type attributes only.
        unsafe {
            sys::mlirAttributeIsAType(self.raw).then(|| Type::from_raw(sys::mlirTypeAttrGetValue(self.raw)))
        }
    }

    /// The type of a typed attribute, such as the tensor type of elements.
    pub fn ty(self) -> Option<Type<'c>> {
        // SAFETY: the attribute is valid. The C interface answers the none type for untyped attributes.
        let ty = unsafe { Type::from_raw_option(sys::mlirAttributeGetType(self.raw)) };
        // SAFETY: the type is valid.
        ty.filter(|ty| !unsafe { sys::mlirTypeIsANone(ty.raw()) })
    }

    /// The elements of an array attribute.
    pub fn as_array(self) -> Option<Vec<Self>> {
        // SAFETY: elements are asked of array attributes only, within their number.
        unsafe {
            sys::mlirAttributeIsAArray(self.raw).then(|| {
                let n = sys::mlirArrayAttrGetNumElements(self.raw);
                (0..n).map(|i| Self::from_raw(sys::mlirArrayAttrGetElement(self.raw, i))).collect()
            })
        }
    }

    /// The values of a dense array of integers of 8, 16, 32 or 64 bits, of an array attribute of integers, or of a constant vector of
    /// 64-bit integers, such as the strides of linalg's operators.
    pub fn as_i64s(self) -> Option<Vec<i64>> {
        if let Some(elements) = self.as_array() {
            return elements.into_iter().map(Self::as_i64).collect();
        }
        // SAFETY: elements are asked of dense arrays of the right width only, within their number.
        unsafe {
            let raw = self.raw;
            let indices = || 0..sys::mlirDenseArrayGetNumElements(raw);
            if sys::mlirAttributeIsADenseI64Array(raw) {
                Some(indices().map(|i| sys::mlirDenseI64ArrayGetElement(raw, i)).collect())
            } else if sys::mlirAttributeIsADenseI32Array(raw) {
                Some(indices().map(|i| sys::mlirDenseI32ArrayGetElement(raw, i).into()).collect())
            } else if sys::mlirAttributeIsADenseI16Array(raw) {
                Some(indices().map(|i| sys::mlirDenseI16ArrayGetElement(raw, i).into()).collect())
            } else if sys::mlirAttributeIsADenseI8Array(raw) {
                Some(indices().map(|i| sys::mlirDenseI8ArrayGetElement(raw, i).into()).collect())
            } else if sys::mlirAttributeIsADenseIntElements(raw) && self.is_vector_of_i64() {
                let n = sys::mlirElementsAttrGetNumElements(raw) as isize;
                Some((0..n).map(|i| sys::mlirDenseElementsAttrGetInt64Value(raw, i)).collect())
            } else {
                None
            }
        }
    }

    /// The values of a dense array of `f64`.
    pub fn as_f64s(self) -> Option<Vec<f64>> {
        // SAFETY: elements are asked of dense arrays of this type only, within their number.
        unsafe {
            sys::mlirAttributeIsADenseF64Array(self.raw).then(|| {
                let n = sys::mlirDenseArrayGetNumElements(self.raw);
                (0..n).map(|i| sys::mlirDenseF64ArrayGetElement(self.raw, i)).collect()
            })
        }
    }

    fn is_vector_of_i64(self) -> bool {
        // SAFETY: the element type is asked of vectors only.
        unsafe {
            let ty = sys::mlirAttributeGetType(self.raw);
            sys::mlirTypeIsAVector(ty) && Type::from_raw(sys::mlirShapedTypeGetElementType(ty)).is_int(64)
        }
    }

    /// The keyword of an enumeration attribute of any dialect, such as `SINGLE_ROUND` of `#tosa.rounding_mode<SINGLE_ROUND>`; also the
    /// text of a string attribute.
    pub fn as_keyword(self) -> Option<String> {
        if let Some(text) = self.as_str() {
            return Some(text.to_owned());
        }
        let text = self.to_string();
        let inner = text.strip_prefix('#')?.strip_suffix('>')?;
        // `#tosa.rounding_mode<X>` or, as some dialects print, `#arith<overflow X>`.
        let keyword = inner.split_once('<')?.1.rsplit(' ').next()?.trim();
        (!keyword.is_empty()).then(|| keyword.to_owned())
    }
}

impl PartialEq for Attribute<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.raw.ptr == other.raw.ptr // attributes are unique in their context
    }
}

impl Eq for Attribute<'_> {}

impl fmt::Display for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the attribute is valid, and `append` gets the buffer it wants.
        f.write_str(&ffi::collect(|user| unsafe {
            sys::mlirAttributePrint(self.raw, Some(ffi::append), user)
        }))
    }
}

impl fmt::Debug for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
