//! The dialect's layers as structs. An absent attribute has its default.

use super::{Ppe, Rescale};
use crate::{Attribute, ContextRef, Error, Location, OpBuilder, Operation, Type, Value, raw};

/// `strum.conv2d` or `strum.depthwise_conv2d`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv<'c> {
    /// Whether it is depthwise.
    pub depthwise: bool,
    /// `[N, H, W, C]` of `i8`.
    pub input: Value<'c>,
    /// `[OC, KH, KW, C]` of `i8` (depthwise: `[KH, KW, C, M]`), or packed.
    pub weights: Value<'c>,
    /// `[OC]` or `[1]` of `i32`.
    pub bias: Option<Value<'c>>,
    /// `[y, x]`
    pub strides: [i64; 2],
    /// `[top, bottom, left, right]`
    pub pads: [i64; 4],
    /// `[y, x]`
    pub dilations: [i64; 2],
    /// Subtracted from each activation.
    pub input_zp: i32,
    /// Subtracted from each weight.
    pub weight_zp: i32,
    /// Post-processing of the accumulator.
    pub ppe: Option<Ppe>,
}

impl<'c> Conv<'c> {
    /// Reads an operation.
    pub fn read(op: Operation<'c>) -> Option<Self> {
        let depthwise = op.is("strum.depthwise_conv2d");
        if !depthwise && !op.is("strum.conv2d") {
            return None;
        }
        Some(Self {
            depthwise,
            input: op.operand(0)?,
            weights: op.operand(1)?,
            bias: op.operand(2),
            strides: array(op, "strides", [1; 2])?,
            pads: array(op, "pads", [0; 4])?,
            dilations: array(op, "dilations", [1; 2])?,
            input_zp: int(op, "input_zp")?,
            weight_zp: int(op, "weight_zp")?,
            ppe: ppe(op)?,
        })
    }

    /// The operation, with a result of type `result`.
    pub fn build(&self, result: Type<'c>, location: Location<'c>) -> Result<OpBuilder<'c>, Error> {
        let name = if self.depthwise { "strum.depthwise_conv2d" } else { "strum.conv2d" };
        let context = location.context();
        let mut builder = OpBuilder::new(name, location).operands(&[self.input, self.weights]);
        if let Some(bias) = self.bias {
            builder = builder.operand(bias);
        }
        Ok(builder
            .result(result)
            .maybe_attribute("strides", ints(context, &self.strides, &[1; 2]))
            .maybe_attribute("pads", ints(context, &self.pads, &[0; 4]))
            .maybe_attribute("dilations", ints(context, &self.dilations, &[1; 2]))
            .maybe_attribute("input_zp", nonzero(context, self.input_zp))
            .maybe_attribute("weight_zp", nonzero(context, self.weight_zp))
            .maybe_attribute("ppe", ppe_attribute(&self.ppe, location)?))
    }
}

/// `strum.matmul`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatMul<'c> {
    /// `[N, H, C]` of `i8`.
    pub a: Value<'c>,
    /// `[N, C, W]` of `i8`.
    pub b: Value<'c>,
    /// Subtracted from each element of `a`.
    pub a_zp: i32,
    /// Subtracted from each element of `b`.
    pub b_zp: i32,
    /// Post-processing of the accumulator; one multiplier.
    pub ppe: Option<Ppe>,
}

impl<'c> MatMul<'c> {
    /// Reads an operation.
    pub fn read(op: Operation<'c>) -> Option<Self> {
        if !op.is("strum.matmul") {
            return None;
        }
        let (a, b) = (op.operand(0)?, op.operand(1)?);
        Some(Self { a, b, a_zp: int(op, "a_zp")?, b_zp: int(op, "b_zp")?, ppe: ppe(op)? })
    }

    /// The operation, with a result of type `result`.
    pub fn build(&self, result: Type<'c>, location: Location<'c>) -> Result<OpBuilder<'c>, Error> {
        let context = location.context();
        Ok(OpBuilder::new("strum.matmul", location)
            .operands(&[self.a, self.b])
            .result(result)
            .maybe_attribute("a_zp", nonzero(context, self.a_zp))
            .maybe_attribute("b_zp", nonzero(context, self.b_zp))
            .maybe_attribute("ppe", ppe_attribute(&self.ppe, location)?))
    }
}

/// The operation of a `strum.eltwise`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum EltwiseKind {
    Add,
    Sub,
    Mul,
    Max,
    Min,
}

impl EltwiseKind {
    /// All of them, in dialect number order.
    pub const ALL: [Self; 5] = [Self::Add, Self::Sub, Self::Mul, Self::Max, Self::Min];
}

/// `strum.eltwise`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eltwise<'c> {
    /// The operation.
    pub kind: EltwiseKind,
    /// The left operand.
    pub a: Value<'c>,
    /// The right operand.
    pub b: Value<'c>,
    /// Applied to `a` first.
    pub lhs: Option<Rescale>,
    /// Applied to `b` first.
    pub rhs: Option<Rescale>,
    /// Rounding right shift of a product.
    pub shift: i32,
    /// Post-processing of the result; one multiplier.
    pub ppe: Option<Ppe>,
}

impl<'c> Eltwise<'c> {
    /// Reads an operation.
    pub fn read(op: Operation<'c>) -> Option<Self> {
        if !op.is("strum.eltwise") {
            return None;
        }
        let kind = raw::dialects::eltwise_kind(op.attribute("kind")?)?;
        let rescale = |name| match op.attribute(name) {
            Some(attribute) => Rescale::read(attribute).map(Some),
            None => Some(None),
        };
        Some(Self {
            kind: EltwiseKind::ALL.get(kind).copied()?,
            a: op.operand(0)?,
            b: op.operand(1)?,
            lhs: rescale("lhs")?,
            rhs: rescale("rhs")?,
            shift: int(op, "shift")?,
            ppe: ppe(op)?,
        })
    }

    /// The operation, with a result of type `result`.
    pub fn build(&self, result: Type<'c>, location: Location<'c>) -> Result<OpBuilder<'c>, Error> {
        let context = location.context();
        let kind = raw::dialects::new_eltwise_kind(context, self.kind as i32);
        let rescale =
            |rescale: Option<Rescale>| rescale.map(|rescale| rescale.attribute(location)).transpose();
        Ok(OpBuilder::new("strum.eltwise", location)
            .operands(&[self.a, self.b])
            .result(result)
            .maybe_attribute("kind", kind)
            .maybe_attribute("lhs", rescale(self.lhs)?)
            .maybe_attribute("rhs", rescale(self.rhs)?)
            .maybe_attribute("shift", nonzero(context, self.shift))
            .maybe_attribute("ppe", ppe_attribute(&self.ppe, location)?))
    }
}

/// A list attribute of fixed length; `None` if it has another length.
fn array<const N: usize>(op: Operation<'_>, name: &str, default: [i64; N]) -> Option<[i64; N]> {
    match op.attribute(name) {
        Some(attribute) => attribute.as_i64s()?.try_into().ok(),
        None => Some(default),
    }
}

fn int(op: Operation<'_>, name: &str) -> Option<i32> {
    match op.attribute(name) {
        Some(attribute) => i32::try_from(attribute.as_i64()?).ok(),
        None => Some(0),
    }
}

fn ppe(op: Operation<'_>) -> Option<Option<Ppe>> {
    match op.attribute("ppe") {
        Some(attribute) => Ppe::read(attribute).map(Some),
        None => Some(None),
    }
}

fn ppe_attribute<'c>(ppe: &Option<Ppe>, location: Location<'c>) -> Result<Option<Attribute<'c>>, Error> {
    ppe.as_ref().map(|ppe| ppe.attribute(location)).transpose()
}

fn ints<'c>(context: ContextRef<'c>, values: &[i64], default: &[i64]) -> Option<Attribute<'c>> {
    (values != default).then(|| Attribute::i64s(context, values))
}

fn nonzero(context: ContextRef<'_>, value: i32) -> Option<Attribute<'_>> {
    (value != 0).then(|| Attribute::i32(context, value))
}
