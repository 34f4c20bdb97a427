//! The clauses of a row of the instruction table: operands, clamps and element types.
//!
//! Every clause is evaluated for one instruction. Footprints, alignment, in-place operands and the layout of random
//! instructions derive from the same clauses, so that they cannot disagree.

#[cfg(feature = "testing")]
use crate::types::Space;
use crate::types::{Dtype, MemAddr};

/// How an instruction accesses an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Reads it element by element: results may overwrite the elements that they are computed from.
    Map,
    /// Reads it in any order; no part of it may be written.
    Read,
    /// Writes every element once.
    Write,
}

/// A strided array, or contiguous bytes, at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operand {
    /// The address field; `inv.lut_addr` for one of the invariant.
    pub(crate) field: &'static str,
    /// How it is accessed.
    pub(crate) how: Use,
    /// Space and offset of the first byte.
    pub(crate) addr: MemAddr,
    /// Extents in elements, outermost first.
    pub(crate) dims: [u64; 6],
    /// Byte strides.
    pub(crate) strides: [u64; 6],
    /// The stride field; `None` for contiguous bytes, whose alignment the address field guarantees.
    pub(crate) stride_field: Option<&'static str>,
    /// Bytes of an element.
    pub(crate) element: u64,
}

impl Operand {
    /// Bytes from the first to the last, saturating.
    pub(crate) fn span(&self) -> u64 {
        span(&self.dims, &self.strides, self.element)
    }

    /// Whether both have the same elements at the same addresses.
    pub(crate) fn coincides(&self, other: &Operand) -> bool {
        // The stride of a dimension of extent 1 is never used.
        let mut used = self.dims.iter().zip(self.strides.iter().zip(&other.strides)).filter(|&(&d, _)| d > 1);
        self.addr == other.addr
            && self.element == other.element
            && self.dims == other.dims
            && used.all(|(_, (a, b))| a == b)
    }
}

/// A clause of a row, with the values of an instruction's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clause {
    /// It touches an operand.
    Operand(Operand),
    /// `lo..=hi` are an ascending pair of values of the type.
    Clamp { lo: i32, hi: i32, dtype: Dtype },
    /// The type in the field is one of these.
    Dtype { field: &'static str, dtype: Dtype, of: &'static [Dtype] },
}

/// Name, use and address of an operand.
pub(crate) type Place = (&'static str, Use, MemAddr);

/// An array of `element`-byte elements with strides from a field.
pub(crate) fn array(
    (field, how, addr): Place,
    dims: &[u32; 6],
    (stride_field, strides): (&'static str, &impl Strides),
    element: u64,
) -> Operand {
    let (dims, strides, stride_field) = (dims.map(u64::from), strides.bytes(), Some(stride_field));
    Operand { field, how, addr, dims, strides, stride_field, element }
}

/// A tile of an image, `[rows, pixels, channels]`: rows and pixels strided, channels contiguous.
pub(crate) fn image(
    (field, how, addr): Place,
    [h, w, c]: [u32; 3],
    (stride_field, row): (&'static str, u32),
    pixel: u32,
    dtype: Dtype,
) -> Operand {
    let (dims, element) = ([1, 1, 1, h, w, c].map(u64::from), dtype.bytes());
    let strides = [0, 0, 0, row.into(), pixel.into(), element];
    Operand { field, how, addr, dims, strides, stride_field: Some(stride_field), element }
}

/// Contiguous elements.
pub(crate) fn packed((field, how, addr): Place, [h, w, c]: [u32; 3], dtype: Dtype) -> Operand {
    let (dims, element) = ([1, 1, 1, h, w, c].map(u64::from), dtype.bytes());
    let strides = contiguous(&dims, element);
    Operand { field, how, addr, dims, strides, stride_field: None, element }
}

/// This many bytes.
pub(crate) fn bytes((field, how, addr): Place, len: u64) -> Operand {
    let (dims, strides) = ([1; 6], [0; 6]);
    Operand { field, how, addr, dims, strides, stride_field: None, element: len }
}

/// Bytes from the first to the last of a strided array, saturating.
pub(crate) fn span(dims: &[u64], strides: &[u64], element: u64) -> u64 {
    let last = dims
        .iter()
        .zip(strides)
        .fold(0u128, |sum, (&d, &s)| sum.saturating_add(u128::from(d.saturating_sub(1)) * u128::from(s)));
    u64::try_from(last.saturating_add(u128::from(element))).unwrap_or(u64::MAX)
}

/// Byte strides of an array without gaps, saturating.
pub(crate) fn contiguous(dims: &[u64; 6], element: u64) -> [u64; 6] {
    let mut stride = element;
    let mut strides = [0; 6];
    for (s, &d) in strides.iter_mut().zip(dims).rev() {
        *s = stride;
        stride = stride.saturating_mul(d);
    }
    strides
}

/// A field that holds an address.
pub(crate) trait Address: Copy {
    /// The space and offset that it means.
    fn addr(self) -> MemAddr;
    /// The space that random instructions use: SRAM, or either where the field can encode it.
    #[cfg(feature = "testing")]
    fn space(dram: bool) -> Space;
    /// The field with this offset.
    #[cfg(feature = "testing")]
    fn at(addr: MemAddr) -> Self;
}

impl Address for u32 {
    fn addr(self) -> MemAddr {
        MemAddr::sram(self.into())
    }

    #[cfg(feature = "testing")]
    fn space(_dram: bool) -> Space {
        Space::Sram
    }

    #[cfg(feature = "testing")]
    fn at(addr: MemAddr) -> Self {
        addr.offset as u32
    }
}

impl Address for MemAddr {
    fn addr(self) -> MemAddr {
        self
    }

    #[cfg(feature = "testing")]
    fn space(dram: bool) -> Space {
        if dram { Space::Dram } else { Space::Sram }
    }

    #[cfg(feature = "testing")]
    fn at(addr: MemAddr) -> Self {
        addr
    }
}

/// A field that holds the strides of an array.
pub(crate) trait Strides {
    /// The strides in bytes.
    fn bytes(&self) -> [u64; 6];
    /// The field with these strides.
    #[cfg(feature = "testing")]
    fn of(bytes: [u64; 6]) -> Self;
}

impl Strides for [u32; 6] {
    fn bytes(&self) -> [u64; 6] {
        self.map(u64::from)
    }

    #[cfg(feature = "testing")]
    fn of(bytes: [u64; 6]) -> Self {
        bytes.map(|s| s as u32)
    }
}

impl Strides for [u64; 6] {
    fn bytes(&self) -> [u64; 6] {
        *self
    }

    #[cfg(feature = "testing")]
    fn of(bytes: [u64; 6]) -> Self {
        bytes
    }
}
