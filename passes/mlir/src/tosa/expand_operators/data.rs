//! A tensor while an operator is expanded: a constant stays data until an op reads it.
//!
//! Invariant: no op is made for a part of a constant that only becomes a part of another constant.

use strum_ir::{Error, Value};

use crate::common::tosa::build::Builder;
use crate::common::tosa::literal::Literal;
use crate::common::tosa::{perm, view};

/// A tensor.
#[derive(Clone, Debug)]
pub(super) enum Data<'c> {
    /// A constant.
    Known(Literal<'c>),
    /// The value of an op, or an argument.
    Value(Value<'c>),
}

impl<'c> Data<'c> {
    /// The tensor of a value.
    pub(super) fn of(value: Value<'c>) -> Self {
        view::literal(value).map_or(Data::Value(value), Data::Known)
    }

    /// The extents.
    pub(super) fn shape(&self) -> Result<Vec<u64>, Error> {
        match self {
            Data::Known(literal) => Ok(literal.shape().to_vec()),
            Data::Value(value) => extents(*value),
        }
    }

    /// The value that an op reads.
    pub(super) fn value(self, build: &mut Builder<'c>) -> Result<Value<'c>, Error> {
        match self {
            Data::Known(literal) => build.constant(literal),
            Data::Value(value) => Ok(value),
        }
    }

    /// The box of this size at `start`.
    pub(super) fn slice(self, build: &mut Builder<'c>, start: &[u64], size: &[u64]) -> Result<Self, Error> {
        if self.shape()? == size {
            return Ok(self);
        }
        match self {
            Data::Known(literal) => literal.slice(start, size).map(Data::Known).ok_or_else(|| wrong("slice")),
            Data::Value(value) => build.slice(value, start, size).map(Data::Value),
        }
    }

    /// The same elements under another shape.
    pub(super) fn reshape(self, build: &mut Builder<'c>, shape: &[u64]) -> Result<Self, Error> {
        if self.shape()? == shape {
            return Ok(self);
        }
        match self {
            Data::Known(literal) => {
                literal.reshape(shape.to_vec()).map(Data::Known).ok_or_else(|| wrong("reshape"))
            }
            Data::Value(value) => match value.defined_by("tosa.reshape").and_then(|inner| inner.operand(0)) {
                Some(source) => Data::Value(source).reshape(build, shape),
                None => build.reshape(value, shape).map(Data::Value),
            },
        }
    }

    /// Dimension `i` of the result is dimension `perms[i]` of this tensor.
    pub(super) fn transpose(self, build: &mut Builder<'c>, perms: &[usize]) -> Result<Self, Error> {
        if perm::is_identity(perms) {
            return Ok(self);
        }
        match self {
            Data::Known(literal) => {
                literal.transpose(perms).map(Data::Known).ok_or_else(|| wrong("transpose"))
            }
            Data::Value(value) => build.transpose(value, perms).map(Data::Value),
        }
    }

    /// One tensor behind the other along an axis.
    pub(super) fn concat(build: &mut Builder<'c>, parts: Vec<Self>, axis: usize) -> Result<Self, Error> {
        let [_, _, ..] = parts.as_slice() else {
            return parts.into_iter().next().ok_or_else(|| wrong("concat"));
        };
        let known = |part: &Self| match part {
            Data::Known(literal) => Some(literal.clone()),
            Data::Value(_) => None,
        };
        if let Some(literals) = parts.iter().map(known).collect::<Option<Vec<_>>>() {
            return Literal::concat(&literals, axis).map(Data::Known).ok_or_else(|| wrong("concat"));
        }
        let values = parts.into_iter().map(|part| part.value(build)).collect::<Result<Vec<_>, _>>()?;
        build.concat(&values, axis).map(Data::Value)
    }

    /// The slices of extent 1 at these indices of an axis, in this order.
    pub(super) fn select(self, build: &mut Builder<'c>, axis: usize, indices: &[u64]) -> Result<Self, Error> {
        let shape = self.shape()?;
        let extent = *shape.get(axis).ok_or_else(|| wrong("axis"))?;
        if indices.iter().copied().eq(0..extent) {
            return Ok(self);
        }
        let (mut start, mut size) = (vec![0; shape.len()], shape);
        size[axis] = 1;
        let mut parts = Vec::with_capacity(indices.len());
        for &index in indices {
            start[axis] = index;
            parts.push(self.clone().slice(build, &start, &size)?);
        }
        Data::concat(build, parts, axis)
    }

    /// `count` copies of the tensor one behind the other along an axis. A long chain is made of copies of copies, so that the
    /// number of parts grows with the logarithm of `count`.
    pub(super) fn repeat(self, build: &mut Builder<'c>, axis: usize, count: u64) -> Result<Self, Error> {
        /// Most copies in one step.
        const STEP: u64 = 8;
        if count <= STEP {
            let parts = (0..count).map(|_| self.clone()).collect();
            return Data::concat(build, parts, axis);
        }
        let many = self.clone().repeat(build, axis, count / STEP)?;
        let rest = (0..count % STEP).map(|_| self.clone());
        let parts = (0..STEP).map(|_| many.clone()).chain(rest).collect();
        Data::concat(build, parts, axis)
    }
}

/// The extents of a static tensor of any element type.
pub(super) fn extents(value: Value<'_>) -> Result<Vec<u64>, Error> {
    let shape = value.ty().shape().and_then(|s| s.into_iter().map(|d| u64::try_from(d).ok()).collect());
    shape.ok_or_else(|| Error::Type(format!("a static tensor like {}", value.ty())))
}

/// The op passed the check, so this is a bug of ours.
pub(super) fn wrong(what: &str) -> Error {
    Error::Build(format!("{what} of an expanded op"))
}
