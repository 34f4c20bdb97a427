//! Dense tensors as exchanged between host and program: row-major, little endian.

use dpu_isa::{Dtype, IoDesc};

/// Number of bytes of a tensor; `None` if it does not fit 64 bits.
pub fn tensor_bytes(dtype: Dtype, shape: &[u64]) -> Option<u64> {
    shape.iter().try_fold(dtype.bytes(), |n, &d| n.checked_mul(d))
}

/// A borrowed tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorView<'a> {
    /// Element type.
    pub dtype: Dtype,
    /// Extents, outermost first; empty for a scalar.
    pub shape: &'a [u64],
    /// Elements, row-major, little endian; their number of bytes matches type and shape.
    pub data: &'a [u8],
}

/// An owned tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Element type.
    pub dtype: Dtype,
    /// Extents, outermost first; empty for a scalar.
    pub shape: Vec<u64>,
    /// Elements, row-major, little endian; their number of bytes matches type and shape.
    pub data: Vec<u8>,
}

impl Tensor {
    /// A borrow of the tensor.
    #[must_use]
    pub fn view(&self) -> TensorView<'_> {
        TensorView { dtype: self.dtype, shape: &self.shape, data: &self.data }
    }

    /// A tensor of these values, each stored as the low bytes of `dtype`.
    #[must_use]
    pub fn from_values(dtype: Dtype, shape: &[u64], values: &[i32]) -> Tensor {
        let width = usize::try_from(dtype.bytes()).unwrap_or(1);
        let data = values.iter().flat_map(|v| v.to_le_bytes().into_iter().take(width)).collect();
        Tensor { dtype, shape: shape.to_vec(), data }
    }

    /// All values in row-major order.
    #[must_use]
    pub fn values(&self) -> Vec<i32> {
        match self.dtype {
            Dtype::I8 => self.data.iter().map(|&b| i32::from(b.cast_signed())).collect(),
            Dtype::U8 => self.data.iter().map(|&b| i32::from(b)).collect(),
            Dtype::I16 => chunks(&self.data).map(|b| i32::from(i16::from_le_bytes(b))).collect(),
            Dtype::U16 => chunks(&self.data).map(|b| i32::from(u16::from_le_bytes(b))).collect(),
            Dtype::I32 => chunks(&self.data).map(i32::from_le_bytes).collect(),
        }
    }
}

/// The bytes in groups of `N`.
fn chunks<const N: usize>(data: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    data.as_chunks::<N>().0.iter().copied()
}

/// An input or output of real numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealPort {
    /// Its name.
    pub name: String,
    /// Its extents.
    pub shape: Vec<u64>,
    /// Whether it is a state, which needs no file.
    pub is_state: bool,
}

impl RealPort {
    pub(crate) fn named(desc: &IoDesc) -> RealPort {
        let is_state = desc.meaning.state.is_some();
        RealPort { name: desc.name.clone(), shape: desc.shape.clone(), is_state }
    }
}

/// `i8[1, 8, 8, 64]`, for messages.
pub fn describe(dtype: Dtype, shape: &[u64]) -> String {
    format!("{dtype}{shape:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_every_type() {
        for &dtype in Dtype::ALL {
            let values = [dtype.min(), 0, 1, dtype.max()];
            let tensor = Tensor::from_values(dtype, &[2, 2], &values);
            assert_eq!(tensor.data.len() as u64, 4 * dtype.bytes());
            assert_eq!(tensor.values(), values);
        }
    }

    #[test]
    fn sizes_are_checked() {
        assert_eq!(tensor_bytes(Dtype::I32, &[]), Some(4));
        assert_eq!(tensor_bytes(Dtype::I16, &[3, 0]), Some(0));
        assert_eq!(tensor_bytes(Dtype::I16, &[1 << 62, 4]), None);
        assert_eq!(describe(Dtype::I8, &[1, 2]), "i8[1, 2]");
    }
}
