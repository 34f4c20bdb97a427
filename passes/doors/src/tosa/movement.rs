//! Operators that move elements. Invariant: a movement of a constant is another constant, if that is as small.

use std::sync::Arc;

use super::build::{Builder, Fault, along, fault, wide};
use super::{Attribute, Id, Operand, Origin, Value};

impl Builder {
    /// `concat`; a single operand is returned as it is.
    ///
    /// # Errors
    /// Shapes or types do not match.
    pub fn concat(&mut self, parts: &[Id], axis: usize) -> Result<Id, Fault> {
        let op = "concat";
        let (&first, rest) = parts.split_first().ok_or(Fault { op, reason: "no operand".into() })?;
        let (mut shape, elem) = self.of(op, first)?;
        for &part in rest {
            let (other, other_elem) = self.of(op, part)?;
            let alike = other.len() == shape.len()
                && shape.iter().zip(&other).enumerate().all(|(i, (a, b))| i == axis || a == b);
            let (Some(extent), Some(&more), true) =
                (shape.get_mut(axis), other.get(axis), alike && other_elem == elem)
            else {
                return fault(op, format!("{other:?} behind {shape:?} along axis {axis}"));
            };
            *extent = extent.saturating_add(more);
        }
        if rest.is_empty() {
            return Ok(first);
        }
        self.push(op, parts.iter().map(|&p| Operand::Value(p)).collect(), vec![along(axis)], &shape, elem)
    }

    /// `pad` with a constant of one element; nothing if there is no padding.
    ///
    /// # Errors
    /// The pairs are not as many as dimensions.
    pub fn pad(&mut self, x: Id, around: &[[usize; 2]], value: Id) -> Result<Id, Fault> {
        let op = "pad";
        let (shape, elem) = self.of(op, x)?;
        if around.len() != shape.len() {
            return fault(op, format!("{} pairs for {shape:?}", around.len()));
        }
        let (value_shape, value_elem) = self.of(op, value)?;
        if value_elem != elem || value_shape != [1] {
            return fault(op, format!("{value_shape:?} of {} around {}", value_elem.name(), elem.name()));
        }
        if around.iter().all(|&pair| pair == [0; 2]) {
            return Ok(x);
        }
        let grown: Vec<usize> =
            shape.iter().zip(around).map(|(&d, [b, a])| d.saturating_add(*b).saturating_add(*a)).collect();
        let list = Operand::Shape(around.as_flattened().iter().map(|&d| wide(d)).collect());
        self.push(op, vec![Operand::Value(x), list, Operand::Value(value)], Vec::new(), &grown, elem)
    }

    /// `reshape`, or nothing if it changes nothing; a constant becomes another constant.
    ///
    /// # Errors
    /// The numbers of elements differ.
    pub fn reshape(&mut self, x: Id, to: &[usize]) -> Result<Id, Fault> {
        let op = "reshape";
        let (shape, elem) = self.of(op, x)?;
        if shape == to {
            return Ok(x);
        }
        if Self::check(op, to)? != Self::check(op, &shape)? {
            return fault(op, format!("{shape:?} and {to:?} differ in their number of elements"));
        }
        if let Some(Value { origin: Origin::Constant(bytes), .. }) = self.graph.value(x) {
            let origin = Origin::Constant(Arc::clone(bytes));
            return Ok(self.add(to, elem, origin));
        }
        let list = Operand::Shape(to.iter().map(|&d| wide(d)).collect());
        self.push(op, vec![Operand::Value(x), list], Vec::new(), to, elem)
    }

    /// `slice`, or nothing if it is the whole.
    ///
    /// # Errors
    /// The slice is not in the operand.
    pub fn slice(&mut self, x: Id, start: &[usize], size: &[usize]) -> Result<Id, Fault> {
        let op = "slice";
        let (shape, elem) = self.of(op, x)?;
        let inside = start.len() == shape.len()
            && size.len() == shape.len()
            && shape
                .iter()
                .zip(start)
                .zip(size)
                .all(|((&d, &s), &n)| s.checked_add(n).is_some_and(|e| e <= d));
        if !inside {
            return fault(op, format!("{size:?} from {start:?} of {shape:?}"));
        }
        if shape == size {
            return Ok(x);
        }
        let list = |list: &[usize]| Operand::Shape(list.iter().map(|&d| wide(d)).collect());
        self.push(op, vec![Operand::Value(x), list(start), list(size)], Vec::new(), size, elem)
    }

    /// `transpose`, or nothing if it changes nothing; a constant becomes another constant.
    ///
    /// # Errors
    /// `perms` is not a permutation of the dimensions.
    pub fn transpose(&mut self, x: Id, perms: &[usize]) -> Result<Id, Fault> {
        let op = "transpose";
        let (shape, elem) = self.of(op, x)?;
        let mut sorted = perms.to_vec();
        sorted.sort_unstable();
        if sorted != (0..shape.len()).collect::<Vec<_>>() {
            return fault(op, format!("{perms:?} of {shape:?}"));
        }
        if perms.is_sorted() {
            return Ok(x);
        }
        let to: Vec<usize> = perms.iter().filter_map(|&p| shape.get(p).copied()).collect();
        if let Some(constant) = self.graph.constant(x) {
            let bytes = transposed(constant.bytes, elem.bytes(), &shape, perms);
            return self.constant(elem, &to, bytes);
        }
        let perms = perms.iter().map(|&p| i32::try_from(p).unwrap_or(i32::MAX)).collect();
        self.push(op, vec![Operand::Value(x)], vec![("perms", Attribute::Ints32(perms))], &to, elem)
    }

    /// `tile`, or nothing if it changes nothing.
    ///
    /// # Errors
    /// The numbers are not as many as dimensions.
    pub fn tile(&mut self, x: Id, multiples: &[usize]) -> Result<Id, Fault> {
        let op = "tile";
        let (shape, elem) = self.of(op, x)?;
        if multiples.len() != shape.len() {
            return fault(op, format!("{multiples:?} of {shape:?}"));
        }
        if multiples.iter().all(|&m| m == 1) {
            return Ok(x);
        }
        let to: Vec<usize> = shape.iter().zip(multiples).map(|(&d, &m)| d.saturating_mul(m)).collect();
        let list = Operand::Shape(multiples.iter().map(|&m| wide(m)).collect());
        self.push(op, vec![Operand::Value(x), list], Vec::new(), &to, elem)
    }
}

/// The elements of a transposed tensor, each of `size` bytes.
fn transposed(bytes: &[u8], size: usize, shape: &[usize], perms: &[usize]) -> Vec<u8> {
    let mut strides = vec![size; shape.len()];
    for axis in (1..shape.len()).rev() {
        if let (Some(&behind), Some(&extent)) = (strides.get(axis), shape.get(axis))
            && let Some(stride) = strides.get_mut(axis - 1)
        {
            *stride = behind * extent;
        }
    }
    let axes: Vec<(usize, usize)> =
        perms.iter().filter_map(|&p| Some((*shape.get(p)?, *strides.get(p)?))).collect();
    let mut starts = vec![0];
    for (extent, stride) in axes {
        starts = starts.iter().flat_map(|&start| (0..extent).map(move |i| start + i * stride)).collect();
    }
    starts.iter().flat_map(|&start| bytes.get(start..start + size).unwrap_or_default()).copied().collect()
}
