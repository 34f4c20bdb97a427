//! Tensors as plain vectors. Values are signed; where an operator reads a tensor as unsigned, it reinterprets the bits, as
//! TOSA does.

use crate::{Invalid, invalid};
use std::fmt;

/// Element types. TOSA has no unsigned tensors, only unsigned readings of signed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dtype {
    /// A Boolean, 0 or 1.
    Bool,
    /// 4 bits: weights of convolutions only.
    I4,
    /// 8 bits.
    I8,
    /// 16 bits.
    I16,
    /// 32 bits.
    I32,
    /// 48 bits: accumulators of 16-bit activations.
    I48,
}

impl Dtype {
    /// Every integer that operators in general take.
    pub const ALL: [Dtype; 3] = [Dtype::I8, Dtype::I16, Dtype::I32];
    /// Every element type that operators in general take.
    pub const EVERY: [Dtype; 4] = [Dtype::Bool, Dtype::I8, Dtype::I16, Dtype::I32];

    /// Width in bits.
    pub const fn bits(self) -> u32 {
        match self {
            Dtype::Bool => 1,
            Dtype::I4 => 4,
            Dtype::I8 => 8,
            Dtype::I16 => 16,
            Dtype::I32 => 32,
            Dtype::I48 => 48,
        }
    }

    /// Least value.
    pub const fn min(self) -> i64 {
        match self {
            Dtype::Bool => 0,
            Dtype::I4 | Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I48 => -(1 << (self.bits() - 1)),
        }
    }

    /// Greatest value.
    pub const fn max(self) -> i64 {
        match self {
            Dtype::Bool => 1,
            Dtype::I4 | Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I48 => (1 << (self.bits() - 1)) - 1,
        }
    }

    /// The low bits of `value`, as two's complement, but for a Boolean.
    pub const fn wrap(self, value: i128) -> i64 {
        if matches!(self, Dtype::Bool) {
            return (value & 1) as i64;
        }
        let unused = 128 - self.bits();
        ((value << unused) >> unused) as i64
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "i{}", self.bits())
    }
}

/// Larger tensors are refused: an oracle does not need them.
const MAX_ELEMENTS: usize = 1 << 30;

/// A dense row-major tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Element type.
    pub dtype: Dtype,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Elements, row-major, each within the range of `dtype`.
    pub data: Vec<i64>,
}

impl Tensor {
    /// A tensor from its parts.
    ///
    /// # Errors
    /// The number of elements is not that of the shape, or an element is out of range.
    pub fn new(
        dtype: Dtype,
        shape: impl Into<Vec<usize>>,
        data: impl Into<Vec<i64>>,
    ) -> Result<Self, Invalid> {
        let tensor = Self { dtype, shape: shape.into(), data: data.into() };
        tensor.check("tensor")?;
        Ok(tensor)
    }

    /// A tensor of one value.
    ///
    /// # Errors
    /// The shape is empty or too large, or the value is out of range.
    pub fn filled(dtype: Dtype, shape: impl Into<Vec<usize>>, value: i64) -> Result<Self, Invalid> {
        let shape = shape.into();
        let len = elements("tensor", &shape)?;
        Self::new(dtype, shape, vec![value; len])
    }

    /// A tensor whose element at each index is the value of `f`, which must be in range.
    pub(crate) fn from_fn(
        dtype: Dtype,
        shape: impl Into<Vec<usize>>,
        mut f: impl FnMut(&[usize]) -> i64,
    ) -> Result<Self, Invalid> {
        let shape = shape.into();
        let mut data = Vec::with_capacity(elements("tensor", &shape)?);
        for_each_index(&shape, |index| data.push(f(index)));
        Self::new(dtype, shape, data)
    }

    /// Number of dimensions.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Refuses a tensor whose parts are inconsistent.
    pub(crate) fn check(&self, op: &'static str) -> Result<(), Invalid> {
        let expected = elements(op, &self.shape)?;
        if self.data.len() != expected {
            return invalid(op, format!("expected {expected} elements, got {}", self.data.len()));
        }
        match self.data.iter().find(|&&v| v < self.dtype.min() || v > self.dtype.max()) {
            Some(v) => invalid(op, format!("{v} is no {}", self.dtype)),
            None => Ok(()),
        }
    }

    /// Position of an index, which must be within the shape.
    pub(crate) fn offset(&self, index: &[usize]) -> usize {
        index.iter().zip(&self.shape).fold(0, |offset, (i, extent)| offset * extent + i)
    }

    /// The element at an index, which must be within the shape.
    pub(crate) fn at(&self, index: &[usize]) -> i64 {
        self.data[self.offset(index)]
    }

    /// The element at an index of a tensor that this one is broadcast to: an axis of extent 1 is read at 0.
    pub(crate) fn at_broadcast(&self, index: &[usize]) -> i64 {
        let clipped = index.iter().zip(&self.shape).map(|(&i, &extent)| if extent == 1 { 0 } else { i });
        self.at(&clipped.collect::<Vec<_>>())
    }
}

/// Number of elements of a shape; refuses empty axes and excessive sizes.
pub(crate) fn elements(op: &'static str, shape: &[usize]) -> Result<usize, Invalid> {
    let product = shape.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent));
    match product {
        Some(0) => invalid(op, format!("shape {shape:?} has an empty axis")),
        Some(product) if product <= MAX_ELEMENTS => Ok(product),
        _ => invalid(op, format!("shape {shape:?} is too large")),
    }
}

/// Calls `f` with every index of a shape in row-major order.
pub(crate) fn for_each_index(shape: &[usize], mut f: impl FnMut(&[usize])) {
    if shape.contains(&0) {
        return;
    }
    let mut index = vec![0; shape.len()];
    loop {
        f(&index);
        let mut axis = shape.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_row_major() {
        let mut seen = Vec::new();
        for_each_index(&[2, 1, 3], |index| seen.push(index.to_vec()));
        assert_eq!(seen, [[0, 0, 0], [0, 0, 1], [0, 0, 2], [1, 0, 0], [1, 0, 1], [1, 0, 2]]);
        let mut count = 0;
        for_each_index(&[], |_| count += 1);
        assert_eq!(count, 1);
    }

    #[test]
    fn wrapping() {
        assert_eq!(Dtype::I8.wrap(128), -128);
        assert_eq!(Dtype::I8.wrap(-129), 127);
        assert_eq!(Dtype::I16.wrap(65_535), -1);
        assert_eq!(Dtype::I32.wrap(i128::from(i32::MIN) - 1), i64::from(i32::MAX));
        assert_eq!((Dtype::I8.min(), Dtype::I8.max()), (-128, 127));
    }

    #[test]
    fn parts_must_fit() {
        let text = |result: Result<Tensor, Invalid>| result.unwrap_err().to_string();
        assert_eq!(text(Tensor::new(Dtype::I8, [2], [1])), "tensor: expected 2 elements, got 1");
        assert_eq!(text(Tensor::new(Dtype::I8, [1], [128])), "tensor: 128 is no i8");
        assert_eq!(text(Tensor::filled(Dtype::I8, [2, 0], 0)), "tensor: shape [2, 0] has an empty axis");
        assert_eq!(
            text(Tensor::filled(Dtype::I8, [usize::MAX, 3], 0)),
            format!("tensor: shape [{}, 3] is too large", usize::MAX)
        );
    }
}
