//! Weight formats, the type of packed weights, and their constants.

use strum_formats::{Kind, Packed, Shape};

use crate::{Attribute, Error, Location, OpBuilder, Type, raw};

pub use strum_formats::Format;

impl<'c> Attribute<'c> {
    /// The weight format of an attribute such as `#strum.dense`.
    pub fn as_format(self) -> Option<Format> {
        let (method, values) = raw::dialects::format(self)?;
        Format::from_values(Kind::from_name(method).ok()?, values).ok()
    }

    /// The attribute of a weight format. An illegal format is reported at `location`.
    pub fn format(location: Location<'c>, format: Format) -> Result<Self, Error> {
        raw::dialects::new_format(location, format.method.kind().name(), &format.values())
            .ok_or_else(|| Error::Attribute(format.to_string()))
    }
}

/// `!strum.packed<…>`: weights in a StruM format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PackedType {
    /// The shape of the decoded weights.
    pub shape: Shape,
    /// Their format.
    pub format: Format,
}

impl PackedType {
    /// Reads a type.
    pub fn read(ty: Type<'_>) -> Option<Self> {
        let (shape, format) = raw::dialects::packed(ty)?;
        let &[oc, kh, kw, ic] = shape else { return None };
        let dim = |value| usize::try_from(value).ok();
        let shape = Shape { oc: dim(oc)?, kh: dim(kh)?, kw: dim(kw)?, ic: dim(ic)? };
        Some(Self { shape, format: format.as_format()? })
    }

    /// The type. Errors in it are emitted at `location`.
    pub fn ty<'c>(self, location: Location<'c>) -> Result<Type<'c>, Error> {
        let failed = || Error::Type(format!("packed weights of shape {}", self.shape));
        let Shape { oc, kh, kw, ic } = self.shape;
        let dims: Result<Vec<i64>, _> = [oc, kh, kw, ic].into_iter().map(i64::try_from).collect();
        let dims = dims.map_err(|_| failed())?;
        let format = Attribute::format(location, self.format)?;
        raw::dialects::new_packed(location, &dims, format).ok_or_else(failed)
    }
}

/// A `strum.constant` with packed weights, which become a resource named after `name`. The bytes are not copied.
pub fn constant<'c>(packed: Packed, name: &str, location: Location<'c>) -> Result<OpBuilder<'c>, Error> {
    let ty = PackedType { shape: packed.shape, format: packed.format }.ty(location)?;
    let length = i64::try_from(packed.bytes.len())
        .map_err(|_| Error::Type(format!("{} bytes", packed.bytes.len())))?;
    let bytes = Type::tensor(&[length], Type::int(location.context(), 8))?;
    let value = Attribute::resource(bytes, name, packed.bytes)?;
    Ok(OpBuilder::new("strum.constant", location).attribute("value", value).result(ty))
}
