//! Attributes: constructing and reading them.

use std::fmt;

use melior::ir::{
    TypeLike,
    attribute::{
        ArrayAttribute, Attribute as Melior, AttributeLike, BoolAttribute, DenseI32ArrayAttribute,
        DenseI64ArrayAttribute, DictionaryAttribute, FloatAttribute, IntegerAttribute, StringAttribute,
        TypeAttribute,
    },
};

use crate::{ContextRef, Error, Type, raw};

/// An attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'c>(pub(crate) Melior<'c>);

/// Construction.
impl<'c> Attribute<'c> {
    /// Parses an attribute. MLIR emits parse errors as diagnostics.
    pub fn parse(context: impl Into<ContextRef<'c>>, text: &str) -> Result<Self, Error> {
        let parsed = context.into().with(|context| Melior::parse(context, text));
        parsed.map(Self).ok_or_else(|| Error::Parse(text.into()))
    }

    /// `value : iWIDTH`; the value is truncated to the width.
    pub fn int(context: impl Into<ContextRef<'c>>, width: u32, value: i64) -> Self {
        Self(IntegerAttribute::new(Type::int(context, width).0, value).into())
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
        Self(context.into().with(|context| BoolAttribute::new(context, value).into()))
    }

    /// `"text"`.
    pub fn string(context: impl Into<ContextRef<'c>>, text: &str) -> Self {
        Self(context.into().with(|context| StringAttribute::new(context, text).into()))
    }

    /// A type as an attribute.
    pub fn of_type(ty: Type<'c>) -> Self {
        Self(TypeAttribute::new(ty.0).into())
    }

    /// `array<i64: …>`.
    pub fn i64s(context: impl Into<ContextRef<'c>>, values: &[i64]) -> Self {
        Self(context.into().with(|context| DenseI64ArrayAttribute::new(context, values).into()))
    }

    /// `array<i32: …>`.
    pub fn i32s(context: impl Into<ContextRef<'c>>, values: &[i32]) -> Self {
        Self(context.into().with(|context| DenseI32ArrayAttribute::new(context, values).into()))
    }
}

/// Readers. Each returns `None` for an attribute of another kind.
///
/// The kind is checked before melior casts: the error of a failing cast prints the whole attribute, weights included.
impl<'c> Attribute<'c> {
    fn cast<T: TryFrom<Melior<'c>>>(self, is_kind: bool) -> Option<T> {
        if is_kind { T::try_from(self.0).ok() } else { None }
    }

    /// The value of an integer attribute, sign-extended (zero-extended if its type is unsigned); `None` if it is wider than 64 bits.
    pub fn as_i64(self) -> Option<i64> {
        let attribute: IntegerAttribute<'_> = self.cast(self.0.is_integer())?;
        match Type(self.0.r#type()).as_int() {
            Some(ty) if ty.width() > 64 => None,
            Some(ty) if ty.is_unsigned() => i64::try_from(attribute.unsigned_value()).ok(),
            Some(ty) if ty.is_signed() => Some(attribute.signed_value()),
            _ => Some(attribute.value()),
        }
    }

    /// The value of a float attribute of any type, as the nearest double.
    pub fn as_f64(self) -> Option<f64> {
        self.cast(self.0.is_float()).map(|attribute: FloatAttribute<'_>| attribute.value())
    }

    /// The value of a boolean attribute; a unit attribute is true.
    pub fn as_bool(self) -> Option<bool> {
        if self.0.is_unit() {
            return Some(true);
        }
        self.cast(self.0.is_bool()).map(|attribute: BoolAttribute<'_>| attribute.value())
    }

    /// The text of a string attribute, if it is UTF-8.
    pub fn as_str(self) -> Option<&'c str> {
        raw::text::of_string(self)
    }

    /// The type in a type attribute.
    pub(crate) fn as_type(self) -> Option<Type<'c>> {
        self.cast(self.0.is_type()).map(|attribute: TypeAttribute<'_>| Type(attribute.value()))
    }

    /// The type of a typed attribute, such as the tensor type of elements.
    pub fn ty(self) -> Option<Type<'c>> {
        // The C interface returns the none type for untyped attributes.
        Some(self.0.r#type()).filter(|ty| !ty.is_none()).map(Type)
    }

    /// The elements of an array attribute.
    pub fn as_array(self) -> Option<Vec<Self>> {
        let array: ArrayAttribute<'_> = self.cast(self.0.is_array())?;
        Some((0..array.len()).map_while(|i| array.element(i).ok().map(Self)).collect())
    }

    /// The entry of a dictionary attribute; `None` if it is absent, or if this is not a dictionary.
    pub fn entry(self, name: &str) -> Option<Self> {
        let dictionary: DictionaryAttribute<'_> = self.cast(self.0.is_dictionary())?;
        dictionary.element_by_name(name).map(Self)
    }

    /// The values of a dense array of integers of 8, 16, 32 or 64 bits, of an array attribute of integers, or of a constant vector of
    /// 64-bit integers, such as the strides of linalg's operators.
    pub fn as_i64s(self) -> Option<Vec<i64>> {
        match self.as_array() {
            Some(elements) => elements.into_iter().map(Self::as_i64).collect(),
            None => raw::attribute::integers(self),
        }
    }

    /// The values of a dense array of `f64`.
    pub fn as_f64s(self) -> Option<Vec<f64>> {
        raw::attribute::doubles(self)
    }

    /// The keyword of an enumeration attribute of any dialect, such as `SINGLE_ROUND` of `#tosa.rounding_mode<SINGLE_ROUND>`; also the
    /// text of a string attribute.
    pub(crate) fn as_keyword(self) -> Option<String> {
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

impl fmt::Display for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&raw::text::of_attribute(*self))
    }
}

impl fmt::Debug for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
