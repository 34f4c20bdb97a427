//! Import from linalg: named operators by their name, `linalg.generic` by its body, tensor operators as data movement.
//!
//! Images are NCHW or NHWC according to the named operator; the graph's operators are NHWC, and the transposes in between cancel
//! later. The initial value of an operator (`outs`) is added after it.

mod body;
mod gather;
mod generic;
mod index;
mod map;
mod named;

use ndarray::IxDyn;
use strum_float::{Op, Tensor, ValueId};
use strum_ir::{Operation, Reported, Value};

use super::elements::{Kind, elements};
use super::{Reader, internal, shape};
use crate::common::verdict::UNSUPPORTED;

impl<'c> Reader<'c> {
    pub(super) fn linalg(&mut self, op: Operation<'c>) -> Result<(), Reported> {
        match op.name() {
            "arith.constant" => self.arith_constant(op),
            // Only ever written to.
            "tensor.empty" => Ok(()),
            "tensor.expand_shape" | "tensor.collapse_shape" if self.is_empty(op) => Ok(()),
            "linalg.generic" => self.generic(op),
            "linalg.fill" => self.fill(op),
            "linalg.broadcast" => self.broadcast(op),
            name if name.starts_with("linalg.") => {
                let id = self.named(op, name)?;
                self.bind(op, 0, id)
            }
            name if name.starts_with("tensor.") => {
                let id = self.movement(op, name)?;
                self.bind(op, 0, id)
            }
            _ => Err(crate::common::network::unknown(op)),
        }
    }

    fn arith_constant(&mut self, op: Operation<'c>) -> Result<(), Reported> {
        let (Some(value), Some(result)) = (op.attribute("value"), op.result(0)) else {
            return Err(internal(op, "no value"));
        };
        if let Some(number) = value.as_f64() {
            self.scalars.insert(result, number);
            return Ok(());
        }
        // A single integer counts positions, and is read by its users.
        if Kind::of_elements(result.ty()).is_none() {
            return Ok(());
        }
        let Some(tensor) = elements(op, value)? else { return Ok(()) };
        let id = self.constant(op, tensor)?;
        self.bind_as_is(op, 0, id)
    }

    /// A tensor with a single value.
    fn fill(&mut self, op: Operation<'c>) -> Result<(), Reported> {
        let Some(result) = op.result(0) else { return Err(internal(op, "no result")) };
        let Some(&number) = op.operand(0).and_then(|value| self.scalars.get(&value)) else {
            // For example indices of maxima: their users report them as unknown.
            return if Kind::of_elements(result.ty()).is_none_or(|kind| !kind.is_float()) {
                Ok(())
            } else {
                Err(internal(op, "the value is not constant"))
            };
        };
        let rank = result.ty().rank().unwrap_or(0);
        let id = self.number(op, number, rank)?;
        self.bind(op, 0, id)
    }

    /// `linalg.broadcast`: axes of extent 1 where the result has new ones.
    fn broadcast(&mut self, op: Operation<'c>) -> Result<(), Reported> {
        let Some(new) = op.ints_attr("dimensions") else { return Err(internal(op, "no dimensions")) };
        let x = self.narrow(op, 0)?;
        let mut old = self.graph.shape(x).to_vec().into_iter();
        let rank = op.result(0).and_then(|r| r.ty().rank()).unwrap_or(0);
        let is_new = |axis: usize| new.iter().any(|&d| usize::try_from(d) == Ok(axis));
        let shape = (0..rank).map(|axis| if is_new(axis) { 1 } else { old.next().unwrap_or(1) }).collect();
        let id = self.push(op, Op::Reshape { shape }, &[x])?;
        self.bind(op, 0, id)
    }

    fn movement(&mut self, op: Operation<'c>, name: &str) -> Result<ValueId, Reported> {
        let result = op.result(0).ok_or_else(|| internal(op, "no result"))?;
        let wanted = shape(result.ty()).map_err(|reason| op.error(reason))?;
        match name {
            "tensor.collapse_shape" => {
                let x = self.whole(op, 0)?;
                self.push(op, Op::Reshape { shape: wanted }, &[x])
            }
            "tensor.expand_shape" => self.expand(op, &wanted),
            "tensor.cast" => self.whole(op, 0),
            "tensor.pad" => self.pad(op, &wanted),
            "tensor.concat" => {
                let axis = op.int_attr("dim").and_then(|d| usize::try_from(d).ok());
                let axis = axis.ok_or_else(|| internal(op, "no dim"))?;
                let operands =
                    (0..op.num_operands()).map(|i| self.whole(op, i)).collect::<Result<Vec<_>, _>>()?;
                self.push(op, Op::Concat { axis }, &operands)
            }
            "tensor.extract_slice" => {
                if op.num_operands() != 1 || statics(op, "static_strides")?.iter().any(|&s| s != 1) {
                    return Err(op.error(format_args!(
                        "{UNSUPPORTED}a slice with a stride or a dynamic offset is not supported"
                    )));
                }
                let (start, size) = (statics(op, "static_offsets")?, statics(op, "static_sizes")?);
                let x = self.whole(op, 0)?;
                let part = self.push(op, Op::Slice { start, size }, &[x])?;
                self.push(op, Op::Reshape { shape: wanted }, &[part])
            }
            "tensor.insert_slice" => self.insert(op, &wanted),
            _ => Err(crate::common::network::unknown(op)),
        }
    }

    /// Whether an op reshapes a value that is only ever written to.
    fn is_empty(&self, op: Operation<'c>) -> bool {
        op.operand(0).is_some_and(|value| {
            let from = value.defining_op().map(Operation::name);
            let nothing =
                matches!(from, Some("tensor.empty" | "tensor.expand_shape" | "tensor.collapse_shape"));
            nothing && !self.values.contains_key(&value)
        })
    }

    /// `tensor.expand_shape`: an axis that broadcasts to any extent becomes axes that do.
    fn expand(&mut self, op: Operation<'c>, wanted: &[usize]) -> Result<ValueId, Reported> {
        let groups = op.attribute("reassociation").and_then(|a| a.as_array());
        let groups = groups.ok_or_else(|| internal(op, "no reassociation"))?;
        let x = self.narrow(op, 0)?;
        let known = self.graph.shape(x).to_vec();
        let mut shape = wanted.to_vec();
        for (group, extent) in groups.iter().zip(known) {
            let axes: Vec<usize> = group
                .as_array()
                .unwrap_or_default()
                .iter()
                .filter_map(|axis| usize::try_from(axis.as_i64()?).ok())
                .collect();
            for axis in axes.into_iter().filter(|_| extent == 1) {
                shape.get_mut(axis).into_iter().for_each(|extent| *extent = 1);
            }
        }
        self.push(op, Op::Reshape { shape }, &[x])
    }

    fn pad(&mut self, op: Operation<'c>, wanted: &[usize]) -> Result<ValueId, Reported> {
        if op.num_operands() != 1 {
            return Err(op.error(format_args!("{UNSUPPORTED}padding amounts must be constant")));
        }
        let yielded = op.body().and_then(|body| body.terminator()).and_then(|end| end.operand(0));
        let Some(value) = yielded.and_then(|value| self.scalars.get(&value).copied()) else {
            return Err(op.error(format_args!("{UNSUPPORTED}the padding value must be constant")));
        };
        let around = statics(op, "static_low")?.into_iter().zip(statics(op, "static_high")?);
        #[allow(clippy::cast_possible_truncation, reason = "the network computes in single precision")]
        let node = Op::Pad { around: around.map(|(low, high)| [low, high]).collect(), value: value as f32 };
        let x = self.whole(op, 0)?;
        let id = self.push(op, node, &[x])?;
        match self.graph.shape(id) == wanted {
            true => Ok(id),
            false => Err(internal(op, format_args!("padded to {:?}", self.graph.shape(id)))),
        }
    }

    /// The initial value of an operator, unless it is zero.
    fn added(&mut self, op: Operation<'c>, sums: ValueId, outs: usize) -> Result<ValueId, Reported> {
        let init = self.narrow(op, outs)?;
        if self.graph.constant_of(init).is_some_and(|t| t.iter().all(|&x| x == 0.0)) {
            return Ok(sums);
        }
        self.push(op, Op::Binary(strum_float::Binary::Add), &[sums, init])
    }

    /// A value with its axes permuted.
    fn turned(&mut self, op: Operation<'c>, id: ValueId, perms: &[usize]) -> Result<ValueId, Reported> {
        self.push(op, Op::Transpose { perms: perms.to_vec() }, &[id])
    }

    /// Zeros.
    fn zeros(&mut self, op: Operation<'c>, shape: &[usize]) -> Result<ValueId, Reported> {
        self.constant(op, Tensor::zeros(IxDyn(shape)))
    }

    /// The scalar value of an operand: a scalar constant, or a constant tensor of one element.
    fn scalar(&self, value: Value<'c>) -> Option<f64> {
        self.scalars.get(&value).copied()
    }
}

/// A list of constant sizes; the marker of a dynamic one is negative.
fn statics(op: Operation<'_>, name: &str) -> Result<Vec<usize>, Reported> {
    let list = op.ints_attr(name).map(|list| list.into_iter().map(|d| usize::try_from(d).ok()).collect());
    list.flatten().ok_or_else(|| op.error(format!("{name} must be constant")))
}
