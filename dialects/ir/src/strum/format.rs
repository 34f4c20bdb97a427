//! Weight formats, the type of packed weights, and their constants.

use strum_formats::{DliqShift, Method, Packed, Shape};
use strum_mlir_sys as sys;

use crate::{Attribute, Error, Location, OpBuilder, Type, location::len};

pub use strum_formats::Format;

use sys::StrumMethod as Raw;

/// `per_channel`, as C has it.
const PER_CHANNEL: i64 = -1;

impl<'c> Attribute<'c> {
    /// The weight format that an attribute `#strum.dense`, `#strum.sparse`, `#strum.dliq` or `#strum.mip2q` stands for.
    pub fn as_format(self) -> Option<Format> {
        let mut raw =
            sys::StrumFormat { method: Raw::STRUM_DENSE, w: 0, low: 0, param: 0, shift: 0, zero: false };
        // SAFETY: the attribute is valid.
        if !unsafe { sys::strumAttributeGetFormat(self.raw(), &mut raw) } {
            return None;
        }
        let param = u8::try_from(raw.param).ok()?;
        let method = match raw.method {
            Raw::STRUM_DENSE => return Some(Format::DENSE),
            Raw::STRUM_SPARSE => Method::Sparse,
            Raw::STRUM_DLIQ if raw.shift == PER_CHANNEL => {
                Method::Dliq { q: param, shift: DliqShift::PerChannel }
            }
            Raw::STRUM_DLIQ => {
                Method::Dliq { q: param, shift: DliqShift::Layer(u8::try_from(raw.shift).ok()?) }
            }
            Raw::STRUM_MIP2Q => Method::Mip2q { l: param, zero: raw.zero },
            _ => return None,
        };
        Some(Format { w: u8::try_from(raw.w).ok()?, low: u8::try_from(raw.low).ok()?, method })
    }

    /// The attribute of a weight format. What is wrong with a format that is not legal is emitted at `location`.
    pub fn format(location: Location<'c>, format: Format) -> Result<Self, Error> {
        let (w, low) = (i64::from(format.w), i64::from(format.low));
        let (method, param, shift, zero) = match format.method {
            Method::Dense => (Raw::STRUM_DENSE, 0, 0, false),
            Method::Sparse => (Raw::STRUM_SPARSE, 0, 0, false),
            Method::Dliq { q, shift: DliqShift::Layer(shift) } => (Raw::STRUM_DLIQ, q, shift.into(), false),
            Method::Dliq { q, shift: DliqShift::PerChannel } => (Raw::STRUM_DLIQ, q, PER_CHANNEL, false),
            Method::Mip2q { l, zero } => (Raw::STRUM_MIP2Q, l, 0, zero),
        };
        let raw = sys::StrumFormat { method, w, low, param: param.into(), shift, zero };
        // SAFETY: the location is valid for `'c`.
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
