//! Operators that move elements without changing them.

use crate::{Invalid, Tensor, invalid, require};

pub(crate) fn concat(inputs: &[&Tensor], axis: usize) -> Result<Tensor, Invalid> {
    let op = "concat";
    let Some(first) = inputs.first() else { return invalid(op, "expected at least one operand") };
    require(axis < first.rank(), op, format!("there is no axis {axis} in rank {}", first.rank()))?;
    for other in inputs {
        require(other.dtype == first.dtype, op, format!("types {} and {} differ", first.dtype, other.dtype))?;
        let mut shape = other.shape.clone();
        if let Some(extent) = shape.get_mut(axis) {
            *extent = first.shape[axis];
        }
        let fits = shape == first.shape;
        require(
            fits,
            op,
            format!("shapes {:?} and {:?} differ beside axis {axis}", first.shape, other.shape),
        )?;
    }
    let mut shape = first.shape.clone();
    shape[axis] = inputs.iter().map(|input| input.shape[axis]).sum();
    Tensor::from_fn(first.dtype, shape, |at| {
        let mut index = at.to_vec();
        for input in inputs {
            if index[axis] < input.shape[axis] {
                return input.at(&index);
            }
            index[axis] -= input.shape[axis];
        }
        // The extents of the inputs add up to that of the result, so one of them contains the index.
        0
    })
}

pub(crate) fn pad(x: &Tensor, padding: &[[usize; 2]], value: i64) -> Result<Tensor, Invalid> {
    let op = "pad";
    require(padding.len() == x.rank(), op, format!("expected {} paddings, got {}", x.rank(), padding.len()))?;
    let fits = (x.dtype.min()..=x.dtype.max()).contains(&value);
    require(fits, op, format!("{value} is no {}", x.dtype))?;
    let extents = x
        .shape
        .iter()
        .zip(padding)
        .map(|(extent, [before, after])| extent.saturating_add(*before).saturating_add(*after));
    Tensor::from_fn(x.dtype, extents.collect::<Vec<_>>(), |at| {
        let inside = at.iter().zip(padding).zip(&x.shape);
        let index: Option<Vec<_>> =
            inside.map(|((i, [before, _]), extent)| i.checked_sub(*before).filter(|i| i < extent)).collect();
        index.map_or(value, |index| x.at(&index))
    })
}

pub(crate) fn reshape(x: &Tensor, shape: &[usize]) -> Result<Tensor, Invalid> {
    let elements = shape.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent));
    let fits = elements == Some(x.data.len());
    require(fits, "reshape", format!("{:?} and {shape:?} have different sizes", x.shape))?;
    Tensor::new(x.dtype, shape, x.data.clone())
}

pub(crate) fn slice(x: &Tensor, start: &[usize], size: &[usize]) -> Result<Tensor, Invalid> {
    let op = "slice";
    require(
        start.len() == x.rank() && size.len() == x.rank(),
        op,
        format!("expected {} starts and sizes", x.rank()),
    )?;
    for ((&start, &size), &extent) in start.iter().zip(size).zip(&x.shape) {
        let fits = size >= 1 && start.checked_add(size).is_some_and(|end| end <= extent);
        require(fits, op, format!("{size} from {start} is not within {extent}"))?;
    }
    Tensor::from_fn(x.dtype, size, |at| {
        let index: Vec<_> = at.iter().zip(start).map(|(i, start)| i + start).collect();
        x.at(&index)
    })
}

pub(crate) fn transpose(x: &Tensor, perms: &[usize]) -> Result<Tensor, Invalid> {
    let mut sorted = perms.to_vec();
    sorted.sort_unstable();
    let fits = sorted.iter().copied().eq(0..x.rank());
    require(fits, "transpose", format!("{perms:?} is not a permutation of {} axes", x.rank()))?;
    let shape: Vec<_> = perms.iter().map(|&axis| x.shape[axis]).collect();
    Tensor::from_fn(x.dtype, shape, |at| {
        let mut index = vec![0; x.rank()];
        for (&axis, &i) in perms.iter().zip(at) {
            index[axis] = i;
        }
        x.at(&index)
    })
}
