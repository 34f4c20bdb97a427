//! The state of an import. Invariant: a tensor has a value as soon as its operator was read, with the shape that follows from the
//! inputs' shapes; if those are the file's, so is it.

use std::collections::BTreeMap;

use super::file::{Kind, Operator, Tensor, shown};
use super::known::{Data, Known};
use super::stop::{Step, Stop};
use crate::integer::Range;
use crate::tosa::{Builder, Codes, Elem, Id};

/// What is known of a tensor.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// Its elements.
    Known(Known<'a>),
    /// A value of the graph.
    Node(Id),
    /// Real numbers of which the graph has the codes.
    Real(Id, Codes),
    /// An image that SPACE_TO_BATCH_ND spreads: the image before it, the blocks, the padding.
    Spread(Id, [usize; 2], [[usize; 2]; 2]),
    /// A variable's name.
    Variable(String),
    /// Its operator could not be read.
    Lost,
}

/// A variable of a streaming network.
#[derive(Clone, Debug, Default)]
pub(super) struct Variable<'a> {
    /// The index of the graph's input with the old value, and its elements in the file.
    pub(super) read: Option<(usize, Kind)>,
    /// The new value, and its elements in the file.
    pub(super) written: Option<(Id, Kind)>,
    /// The value before the first run.
    pub(super) initial: Option<Known<'a>>,
}

/// The state.
pub(super) struct Importer<'a> {
    pub(super) tensors: Vec<Tensor<'a>>,
    pub(super) build: Builder,
    pub(super) values: Vec<Option<Value<'a>>>,
    pub(super) variables: BTreeMap<String, Variable<'a>>,
    /// The index of the operator that makes each tensor, for messages.
    pub(super) makers: Vec<Option<usize>>,
    /// Bytes that may still be allocated.
    pub(super) room: usize,
    /// An input has another shape than in the file.
    pub(super) reshaped: bool,
}

impl<'a> Importer<'a> {
    pub(super) fn tensor(&self, tensor: usize) -> Step<&Tensor<'a>> {
        self.tensors.get(tensor).ok_or_else(|| Stop::damaged(format!("there is no tensor {tensor}")))
    }

    pub(super) fn kind(&self, tensor: usize) -> Step<Kind> {
        Ok(self.tensor(tensor)?.kind)
    }

    /// The tensor of an operand.
    pub(super) fn operand(&self, op: &Operator<'a>, index: usize) -> Step<usize> {
        let found = op.inputs.get(index).copied().flatten();
        found.ok_or_else(|| Stop::damaged(format!("operand {index} is missing")))
    }

    /// The tensor of an operand that may be left out.
    pub(super) fn optional(&self, op: &Operator<'a>, index: usize) -> Option<usize> {
        op.inputs.get(index).copied().flatten()
    }

    /// The tensor of a result.
    pub(super) fn result(&self, op: &Operator<'a>, index: usize) -> Step<usize> {
        op.outputs.get(index).copied().ok_or_else(|| Stop::damaged(format!("result {index} is missing")))
    }

    /// Counts bytes of constants and of the graph.
    pub(super) fn charge(&mut self, bytes: usize) -> Step<()> {
        match self.room.checked_sub(bytes) {
            Some(room) => {
                self.room = room;
                Ok(())
            }
            None => Err(Stop::limit("the network takes far more memory than the file has bytes")),
        }
    }

    /// The value of a tensor.
    pub(super) fn value(&self, tensor: usize) -> Step<Value<'a>> {
        if let Some(Some(value)) = self.values.get(tensor) {
            return Ok(value.clone());
        }
        let found = self.tensor(tensor)?;
        let Some(data) = found.data else {
            return Err(Stop::damaged(format!(
                "the tensor '{}' is used before it is computed",
                shown(found.name)
            )));
        };
        let shape = extents(&found.shape)?;
        if let Some(size) = found.kind.bytes().filter(|_| found.sparsity.is_none()) {
            let count = shape.iter().try_fold(size, |n, &d| n.checked_mul(d));
            if count != Some(data.len()) {
                let name = shown(found.name);
                return Err(Stop::damaged(format!(
                    "{} bytes for the constant '{name}' of shape {shape:?}",
                    data.len()
                )));
            }
        }
        Ok(Value::Known(Known { shape, kind: found.kind, data: Data::Bytes(data) }))
    }

    /// The elements of a tensor, if they are known.
    pub(super) fn known(&self, tensor: usize) -> Step<Option<Known<'a>>> {
        Ok(match self.value(tensor)? {
            Value::Known(known) => Some(known),
            Value::Node(_) | Value::Real(..) | Value::Spread(..) | Value::Variable(_) | Value::Lost => None,
        })
    }

    /// The integers of a parameter of an operator.
    pub(super) fn ints(&mut self, tensor: usize, what: &str) -> Step<Vec<i64>> {
        match self.known(tensor)? {
            Some(known) => {
                self.charge(known.count().saturating_mul(8))?;
                known.to_ints()
            }
            None => Err(Stop::unsupported(format!("{what} must be known when the network is compiled"))),
        }
    }

    /// Extents that an operator is given.
    pub(super) fn sizes(&mut self, tensor: usize, what: &str) -> Step<Vec<usize>> {
        let list = self.ints(tensor, what)?;
        let sizes =
            list.iter().map(|&d| usize::try_from(d).map_err(|_| Stop::invalid(format!("{what} of {d}"))));
        sizes.collect()
    }

    /// The value of a tensor in the graph.
    pub(super) fn node(&mut self, tensor: usize) -> Step<Id> {
        match self.value(tensor)? {
            Value::Node(id) => Ok(id),
            Value::Known(known) => {
                let elements = known.count();
                self.charge(elements.saturating_mul(if known.kind.is_code() { 1 } else { 4 }))?;
                let id = known.constant(&mut self.build)?;
                if let Some(value) = self.values.get_mut(tensor) {
                    // The elements stay known, and the graph shares small constants.
                    if elements > 1024 {
                        *value = Some(Value::Node(id));
                    }
                }
                Ok(id)
            }
            Value::Spread(image, block, pads) => {
                let zero = self.zero_code(tensor)?;
                let id = super::blocks::spread(&mut self.build, image, &block, &pads, zero)?;
                self.put(tensor, Value::Node(id));
                Ok(id)
            }
            Value::Real(..) => Err(self.float_inside(tensor)),
            Value::Variable(name) => Err(Stop::unsupported(format!("the variable '{name}' as an operand"))),
            // Only the operator is reported that makes it.
            Value::Lost => Err(Stop::damaged("")),
        }
    }

    fn float_inside(&self, tensor: usize) -> Stop {
        let name = self.tensors.get(tensor).map_or("", |t| t.name);
        let what = "computes on floats inside a network of integers, which is not supported";
        Stop::unsupported(what).help(format!(
            "convert the network with full integer quantization, or end it before this operator: --cut '{}'",
            shown(name)
        ))
    }

    pub(super) fn put(&mut self, tensor: usize, value: Value<'a>) {
        if let Some(place) = self.values.get_mut(tensor) {
            *place = Some(value);
        }
    }

    /// The shape of a tensor's value.
    pub(super) fn shape(&self, tensor: usize) -> Step<Vec<usize>> {
        Ok(match self.value(tensor)? {
            Value::Known(known) => known.shape,
            Value::Node(id) | Value::Real(id, _) => self.build.graph().shape(id).to_vec(),
            Value::Spread(image, block, pads) => {
                let mut shape = self.build.graph().shape(image).to_vec();
                for ((d, b), [before, behind]) in shape.iter_mut().skip(1).zip(block).zip(pads) {
                    *d = (*d + before + behind) / b;
                }
                shape.iter_mut().take(1).for_each(|n| *n = n.saturating_mul(block.iter().product()));
                shape
            }
            Value::Variable(_) | Value::Lost => Vec::new(),
        })
    }

    /// The meaning of a tensor's codes, unsigned ones as signed.
    pub(super) fn codes(&self, tensor: usize) -> Step<Codes> {
        let found = self.tensor(tensor)?;
        let name = shown(found.name);
        let (Some(scales), true) = (found.scales, found.kind.is_code()) else {
            return Err(Stop::unsupported(format!("'{name}' of {} has no scale", found.kind.name())));
        };
        let (Some(scale), 1) = (scales.get(0), scales.len()) else {
            return Err(Stop::unsupported(format!(
                "'{name}' has {} scales; an activation has one",
                scales.len()
            )));
        };
        let zero_point = found.zero_points.and_then(|z| z.get(0)).unwrap_or(0);
        let range = if found.kind == Kind::U8 { 0..=255 } else { -128..=127 };
        let inside = range.contains(&zero_point) && scale.is_finite() && scale > 0.0;
        let shift = if found.kind == Kind::U8 { 128 } else { 0 };
        match i32::try_from(zero_point - shift) {
            Ok(zero_point) if inside => Ok(Codes { scale: scale.into(), zero_point }),
            _ => Err(Stop::invalid(format!("'{name}' has scale {scale} and zero point {zero_point}"))),
        }
    }

    /// The code of 0 of a tensor; 0 for floats and integers without a scale.
    pub(super) fn zero_code(&self, tensor: usize) -> Step<i32> {
        let found = self.tensor(tensor)?;
        if found.kind.is_code() && found.scales.is_some_and(|s| !s.is_empty()) {
            Ok(self.codes(tensor)?.zero_point)
        } else {
            Ok(0)
        }
    }

    /// Whether a tensor has codes of 8 bits; others than floats and codes are refused.
    pub(super) fn is_quantized(&self, tensor: usize) -> Step<bool> {
        match self.kind(tensor)? {
            Kind::I8 | Kind::U8 => Ok(true),
            Kind::F32 | Kind::F16 => Ok(false),
            other => Err(unsupported_kind(other)),
        }
    }

    /// Gives a result its value, and checks its shape.
    pub(super) fn set(&mut self, op: &Operator<'a>, index: usize, value: Value<'a>) -> Step<()> {
        let tensor = self.result(op, index)?;
        self.check_elements(tensor, &value)?;
        self.put(tensor, value);
        let (made, told) = (self.shape(tensor)?, self.tensor(tensor)?);
        let free = self.reshaped || told.shape.is_empty() || told.signature.iter().any(|&d| d < 0);
        let same = made.len() == told.shape.len()
            && made.iter().zip(&told.shape).all(|(&m, &t)| i32::try_from(m) == Ok(t));
        if free || same {
            return Ok(());
        }
        Err(Stop::invalid(format!("the result's shape is {made:?}, the file says {:?}", told.shape)))
    }

    /// Checks a value against the element type in the file.
    fn check_elements(&self, tensor: usize, value: &Value<'a>) -> Step<()> {
        let kind = self.kind(tensor)?;
        let id = match value {
            Value::Node(id) => *id,
            Value::Known(known) if known.kind == kind || (known.kind.is_float() && kind.is_float()) => {
                return Ok(());
            }
            Value::Known(known) => return Err(other_elements(&known.kind.name(), kind)),
            Value::Real(..) if !kind.is_float() => return Err(other_elements("float", kind)),
            Value::Real(..) | Value::Spread(..) | Value::Variable(_) | Value::Lost => return Ok(()),
        };
        let told = match kind {
            Kind::F32 | Kind::F16 => Elem::F32,
            Kind::I8 | Kind::U8 => Elem::I8,
            Kind::I32 | Kind::I64 => Elem::I32,
            Kind::Bool => Elem::Bool,
            Kind::I4 | Kind::I16 | Kind::Resource | Kind::Other(_) => return Err(unsupported_kind(kind)),
        };
        let made = self.build.graph().value(id).map_or(told, |value| value.elem);
        if made == told {
            return Ok(());
        }
        Err(other_elements(made.name(), kind))
    }

    /// Gives the first result its value.
    pub(super) fn set_node(&mut self, op: &Operator<'a>, id: Id) -> Step<()> {
        self.set(op, 0, Value::Node(id))
    }

    /// Applies a fused activation to the first result.
    pub(super) fn finish(&mut self, op: &Operator<'a>, id: Id, activation: i8) -> Step<()> {
        let id = self.activated(self.result(op, 0)?, id, activation)?;
        self.set_node(op, id)
    }

    /// A value after a fused activation.
    pub(super) fn activated(&mut self, result: usize, id: Id, activation: i8) -> Step<Id> {
        let (min, max) = match activation {
            0 => return Ok(id),
            1 => (0.0, None),
            2 => (-1.0, Some(1.0)),
            3 => (0.0, Some(6.0)),
            4 if !self.kind(result)?.is_code() => return Ok(self.build.unary("tanh", id)?),
            other => return Err(Stop::unsupported(format!("the fused activation of number {other}"))),
        };
        self.clamped(result, id, Some(min), max)
    }

    /// Clamps a value to real numbers.
    pub(super) fn clamped(&mut self, tensor: usize, id: Id, min: Option<f32>, max: Option<f32>) -> Step<Id> {
        if self.kind(tensor)?.is_code() {
            let range = Range::of(self.codes(tensor)?, min, max);
            return Ok(range.clamp(&mut self.build, id)?);
        }
        let elem = self.build.graph().value(id).map(|value| value.elem);
        if elem != Some(Elem::F32) {
            return Err(Stop::unsupported("an activation of integers without a scale"));
        }
        Ok(self.build.clamp_floats(id, min.unwrap_or(f32::MIN), max.unwrap_or(f32::MAX))?)
    }
}

fn other_elements(made: &str, told: Kind) -> Stop {
    Stop::invalid(format!("the result's element type is {made}, the file says {}", told.name()))
}

/// Extents that are known.
pub(super) fn extents(shape: &[i32]) -> Step<Vec<usize>> {
    let sizes =
        shape.iter().map(|&d| usize::try_from(d).map_err(|_| Stop::damaged(format!("an extent of {d}"))));
    sizes.collect()
}

/// An axis that may count from the end.
pub(super) fn axis(axis: i64, rank: usize) -> Step<usize> {
    let found =
        usize::try_from(axis).ok().or_else(|| rank.checked_sub(usize::try_from(axis.unsigned_abs()).ok()?));
    found.filter(|&axis| axis < rank).ok_or_else(|| Stop::invalid(format!("axis {axis} of {rank}")))
}

/// Elements that are not computed with.
pub(super) fn unsupported_kind(kind: Kind) -> Stop {
    match kind {
        Kind::I16 => Stop::unsupported("16-bit activations (16x8) are not supported; 8-bit ones are")
            .help("convert the network with int8 activations"),
        other => Stop::unsupported(format!("elements of {} are not supported", other.name())),
    }
}
