//! Values while a file is read. Invariant: a computed value is kept as it comes about, with channels first or last, and moved only
//! where an operator needs the other order.

use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use super::tensor::{Data, Kind, Tensor};
use super::trouble::{Outcome, invalid, unsupported};
use crate::tosa::{Builder, Codes, Elem, Id};

/// A computed value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Flow {
    /// The value, with axis 1 last if `last` is set.
    pub(super) id: Id,
    /// Channels are last; only for a rank of at least 3.
    pub(super) last: bool,
    /// The file's codes are unsigned: 128 more than the value's.
    pub(super) unsigned: bool,
    /// What codes stand for, if it is known.
    pub(super) codes: Option<Codes>,
    /// The tensor of the file has real numbers: a `DequantizeLinear` that is not computed.
    pub(super) real: bool,
}

impl Flow {
    /// A value in the file's order of axes.
    pub(super) fn plain(id: Id) -> Flow {
        Flow { id, last: false, unsigned: false, codes: None, real: false }
    }

    /// The same value with other elements.
    pub(super) fn with(self, id: Id, last: bool) -> Flow {
        Flow { id, last, ..self }
    }
}

/// Constant codes and the numbers that they stand for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Coded {
    /// The codes.
    pub(super) tensor: Rc<Tensor>,
    /// A scale, or one for each position of the axis.
    pub(super) scales: Vec<f32>,
    /// As many zero points.
    pub(super) zero_points: Vec<i64>,
    /// The axis of several scales.
    pub(super) axis: usize,
}

impl Coded {
    /// The numbers.
    pub(super) fn to_floats(&self) -> Tensor {
        let inner: usize = self.tensor.shape.iter().skip(self.axis + 1).product();
        let count = self.scales.len().max(1);
        let ints = self.tensor.as_ints().unwrap_or_default();
        let number = |(place, &code): (usize, &i64)| {
            let channel = if count == 1 { 0 } else { place / inner.max(1) % count };
            let zero_point = self.zero_points.get(channel).copied().unwrap_or(0);
            #[allow(clippy::cast_precision_loss, reason = "codes of at most 32 bits, as ONNX defines it")]
            let distance = (code - zero_point) as f32;
            distance * self.scales.get(channel).copied().unwrap_or(0.0)
        };
        Tensor::floats(&self.tensor.shape, ints.iter().enumerate().map(number).collect())
    }
}

/// A value of the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Known while the file is read.
    Known(Rc<Tensor>),
    /// Known codes behind a `DequantizeLinear`.
    Coded(Rc<Coded>),
    /// Computed by the network.
    Flow(Flow),
    /// The result of an operator that is not imported.
    Missing,
}

/// The error for an operand whose producer is not imported.
pub(super) fn missing<T>() -> Outcome<T> {
    invalid("an operand that does not exist")
}

impl From<Tensor> for Value {
    fn from(tensor: Tensor) -> Self {
        Value::Known(Rc::new(tensor))
    }
}

impl From<Flow> for Value {
    fn from(flow: Flow) -> Self {
        Value::Flow(flow)
    }
}

/// The network so far.
#[derive(Default)]
pub(super) struct Net {
    pub(super) build: Builder,
    /// Values in the other order of axes.
    moved: BTreeMap<(Id, bool), Id>,
    /// Constants of the network, by those of the file. Weak references keep their addresses from being given to others.
    known: BTreeMap<*const Tensor, (Weak<Tensor>, Flow)>,
}

/// The axes of a value with channels last, by those with channels first.
fn to_last(rank: usize) -> Vec<usize> {
    [0].into_iter().chain(2..rank).chain([1]).collect()
}

fn to_first(rank: usize) -> Vec<usize> {
    [0, rank - 1].into_iter().chain(1..rank - 1).collect()
}

impl Net {
    /// The extents in memory.
    pub(super) fn extents(&self, id: Id) -> Vec<usize> {
        self.build.graph().shape(id).to_vec()
    }

    /// The element type.
    pub(super) fn elem(&self, id: Id) -> Elem {
        self.build.graph().value(id).map_or(Elem::F32, |value| value.elem)
    }

    /// The shape in the file's order of axes.
    pub(super) fn shape(&self, flow: Flow) -> Vec<usize> {
        let shape = self.extents(flow.id);
        if !flow.last {
            return shape;
        }
        to_first(shape.len()).iter().filter_map(|&axis| shape.get(axis).copied()).collect()
    }

    /// The shape of any value.
    pub(super) fn shape_of(&self, value: &Value) -> Vec<usize> {
        match value {
            Value::Known(tensor) => tensor.shape.clone(),
            Value::Coded(coded) => coded.tensor.shape.clone(),
            Value::Flow(flow) => self.shape(*flow),
            Value::Missing => Vec::new(),
        }
    }

    /// Axes of a value in memory, by those of the file.
    pub(super) fn order(&self, flow: Flow) -> Vec<usize> {
        let rank = self.extents(flow.id).len();
        if flow.last { to_first(rank) } else { (0..rank).collect() }
    }

    fn turned(&mut self, id: Id, last: bool) -> Outcome<Id> {
        if let Some(&known) = self.moved.get(&(id, last)) {
            return Ok(known);
        }
        let shape = self.extents(id);
        let perms = if last { to_last(shape.len()) } else { to_first(shape.len()) };
        let to: Vec<usize> = perms.iter().filter_map(|&axis| shape.get(axis).copied()).collect();
        // Elements keep their order if the axis that moves, or those that it passes, have one position.
        let passed = if last { shape.get(2..) } else { shape.get(1..shape.len() - 1) };
        let channels = if last { shape.get(1) } else { shape.last() };
        let stays = channels == Some(&1) || passed.is_some_and(|p| p.iter().all(|&d| d == 1));
        let made = if stays { self.build.reshape(id, &to)? } else { self.build.transpose(id, &perms)? };
        self.moved.insert((id, last), made);
        self.moved.insert((made, !last), id);
        Ok(made)
    }

    /// The value in the file's order of axes.
    pub(super) fn plain(&mut self, flow: Flow) -> Outcome<Id> {
        if flow.last { self.turned(flow.id, false) } else { Ok(flow.id) }
    }

    /// The value with channels last.
    pub(super) fn last(&mut self, flow: Flow) -> Outcome<Id> {
        match self.extents(flow.id).len() {
            _ if flow.last => Ok(flow.id),
            0..=2 => invalid(format!("an image expected, got a tensor of shape {:?}", self.extents(flow.id))),
            _ => self.turned(flow.id, true),
        }
    }

    /// The value in an order of axes; of a rank below 3 there is one.
    pub(super) fn ordered(&mut self, flow: Flow, last: bool) -> Outcome<Id> {
        if last { self.last(flow) } else { self.plain(flow) }
    }

    /// A constant of the network.
    pub(super) fn constant(&mut self, tensor: &Tensor) -> Outcome<Flow> {
        let id = match (&tensor.data, tensor.kind) {
            (Data::Floats(floats), _) => self.build.floats(&tensor.shape, floats)?,
            (Data::Ints(ints), Kind::Int8) => self.build.ints(Elem::I8, &tensor.shape, ints)?,
            (Data::Ints(ints), Kind::Uint8) => {
                let codes: Vec<i64> = ints.iter().map(|code| code - 128).collect();
                let id = self.build.ints(Elem::I8, &tensor.shape, &codes)?;
                return Ok(Flow { unsigned: true, ..Flow::plain(id) });
            }
            (Data::Ints(_), kind) => {
                let what = format!("a constant of {} used in computation is not supported", kind.name());
                return unsupported(what);
            }
        };
        Ok(Flow::plain(id))
    }

    /// Any value as one of the network.
    pub(super) fn flow(&mut self, value: &Value) -> Outcome<Flow> {
        match value {
            Value::Known(tensor) => {
                let key = Rc::as_ptr(tensor);
                if let Some((_, flow)) = self.known.get(&key) {
                    return Ok(*flow);
                }
                let flow = self.constant(tensor)?;
                self.known.insert(key, (Rc::downgrade(tensor), flow));
                Ok(flow)
            }
            Value::Coded(coded) => self.constant(&coded.to_floats()),
            Value::Flow(flow) => Ok(*flow),
            Value::Missing => missing(),
        }
    }

    /// Any value as floats.
    pub(super) fn floats(&mut self, value: &Value) -> Outcome<Flow> {
        let flow = self.flow(value)?;
        match self.elem(flow.id) {
            Elem::F32 => Ok(flow),
            _ if flow.real => unsupported("it is not supported on quantized numbers"),
            elem => unsupported(format!("operands must be float32, got {}", elem.name())),
        }
    }

    /// Values with one rank and one order of axes, for an operator that broadcasts; and whether channels are last.
    pub(super) fn aligned<const N: usize>(&mut self, flows: [Flow; N]) -> Outcome<([Id; N], bool)> {
        let rank = flows.iter().map(|f| self.extents(f.id).len()).max().unwrap_or(0);
        let last = flows.iter().any(|f| f.last && self.extents(f.id).len() == rank);
        let mut ids = flows.map(|flow| flow.id);
        for (id, flow) in ids.iter_mut().zip(flows) {
            let shape = self.extents(flow.id);
            let raised = if shape.len() < rank {
                let id = self.plain(flow)?;
                let ones = vec![1; rank - shape.len()];
                let shape = self.extents(id);
                flow.with(self.build.reshape(id, &[ones, shape].concat())?, false)
            } else {
                flow
            };
            *id = self.ordered(raised, last)?;
        }
        Ok((ids, last))
    }

    /// A function of two values, element by element.
    pub(super) fn binary(&mut self, name: &'static str, a: Flow, b: Flow) -> Outcome<Flow> {
        let ([a, b], last) = self.aligned([a, b])?;
        Ok(Flow { last, ..Flow::plain(self.build.binary(name, a, b)?) })
    }

    /// A function of a value and a number.
    pub(super) fn with_number(&mut self, name: &'static str, a: Flow, number: f32) -> Outcome<Flow> {
        let number = self.build.floats(&[], &[number])?;
        self.binary(name, a, Flow::plain(number))
    }

    /// A function of one value, element by element.
    pub(super) fn unary(&mut self, name: &'static str, x: Flow) -> Outcome<Flow> {
        Ok(x.with(self.build.unary(name, x.id)?, x.last))
    }

    /// Floats clamped to a range.
    pub(super) fn clamp(&mut self, x: Flow, min: f32, max: f32) -> Outcome<Flow> {
        if min.is_nan() || max.is_nan() || min > max {
            return invalid(format!("{min} to {max} is not a range"));
        }
        Ok(x.with(self.build.clamp_floats(x.id, min, max)?, x.last))
    }

    /// A reduction along axes of the file, whose extents become 1.
    pub(super) fn reduce(&mut self, name: &'static str, x: Flow, axes: &[usize]) -> Outcome<Flow> {
        let order = self.order(x);
        let mut id = x.id;
        for &axis in axes {
            id = self.build.reduce(name, id, order.get(axis).copied().unwrap_or(usize::MAX))?;
        }
        Ok(x.with(id, x.last))
    }

    /// The mean along axes of the file, whose extents become 1: of an image, a pooling.
    pub(super) fn mean(&mut self, x: Flow, axes: &[usize]) -> Outcome<Flow> {
        let shape = self.shape(x);
        let count: usize = axes.iter().filter_map(|&axis| shape.get(axis)).product();
        if axes == [2, 3] && shape.len() == 4 {
            return self.global_mean(x);
        }
        let sum = self.reduce("reduce_sum", x, axes)?;
        #[allow(clippy::cast_precision_loss, reason = "as ONNX defines it")]
        self.with_number("mul", sum, 1.0 / count as f32)
    }
}
