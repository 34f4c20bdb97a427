//! TOSA 1.0 as plain data: what the doors produce, and what `strum-passes` writes as MLIR.
//!
//! Invariant: operands come before their users, every value has the shape and element type that its operator gives it, and a
//! constant has as many bytes as its type takes.

mod build;
mod constant;
mod movement;
mod sampling;
mod sliding;

use std::sync::Arc;

pub use build::{Builder, Fault, Rescale, Scales};
pub use constant::Constant;
pub use sampling::Grid;

/// The type of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Elem {
    /// `i1`, a byte in memory.
    Bool,
    /// 4 bits, signed, a byte in memory.
    I4,
    /// 8 bits, signed.
    I8,
    /// 16 bits, signed.
    I16,
    /// 32 bits, signed.
    I32,
    /// 48 bits, signed, 8 bytes in memory.
    I48,
    /// IEEE 754 single precision.
    F32,
}

impl Elem {
    /// Bytes of an element of a constant in memory.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Elem::Bool | Elem::I4 | Elem::I8 => 1,
            Elem::I16 => 2,
            Elem::I32 | Elem::F32 => 4,
            Elem::I48 => 8,
        }
    }

    /// Its MLIR type.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Elem::Bool => "i1",
            Elem::I4 => "i4",
            Elem::I8 => "i8",
            Elem::I16 => "i16",
            Elem::I32 => "i32",
            Elem::I48 => "i48",
            Elem::F32 => "f32",
        }
    }
}

/// A value of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(usize);

impl Id {
    /// Its index: values are numbered in order of creation.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// How a value comes about.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// The input of this index.
    Input(usize),
    /// A constant's elements, little-endian.
    Constant(Arc<[u8]>),
    /// The result of the node of this index.
    Node(usize),
}

/// Shape, element type and origin of a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Its extents; none for a scalar.
    pub shape: Vec<usize>,
    /// Its elements.
    pub elem: Elem,
    /// How it comes about.
    pub origin: Origin,
}

/// An operand of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A value.
    Value(Id),
    /// A `tosa.const_shape`.
    Shape(Vec<i64>),
}

/// An attribute of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// `true` or `false`.
    Bool(bool),
    /// An integer of the given type.
    Int(Elem, i64),
    /// An `f32`.
    Float(f32),
    /// A dense array of `i64`.
    Ints64(Vec<i64>),
    /// A dense array of `i32`.
    Ints32(Vec<i32>),
    /// A type.
    Type(Elem),
    /// A case of one of TOSA's enumerations, such as `#tosa.rounding_mode<SINGLE_ROUND>`.
    Case(&'static str, &'static str),
}

/// An operator with operands and one result.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its TOSA name, without the dialect.
    pub name: &'static str,
    /// Its operands, in TOSA's order.
    pub operands: Vec<Operand>,
    /// Its attributes.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// Its result.
    pub result: Id,
    /// The operator of the file that it comes from: an index into [`Graph::sources`].
    pub source: usize,
}

/// The meaning of codes: `scale · (code - zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Codes {
    /// The step.
    pub scale: f64,
    /// The code of 0.
    pub zero_point: i32,
}

/// An input or output.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// The value.
    pub id: Id,
    /// Its name in the file.
    pub name: String,
    /// The meaning of its codes, if they have one that the file states.
    pub codes: Option<Codes>,
    /// The file's codes are unsigned: they are 128 more than the network's.
    pub unsigned: bool,
}

/// A tensor that is kept from one run of the network to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The index of the input that has the old value.
    pub input: usize,
    /// The index of the output that has the new value.
    pub output: usize,
    /// The value before the first run; the code of 0 everywhere if not given.
    pub initial: Option<Id>,
}

/// A network.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The values.
    pub values: Vec<Value>,
    /// The operators, in order.
    pub nodes: Vec<Node>,
    /// The inputs, in order; those of states last.
    pub inputs: Vec<Port>,
    /// The outputs, in order; those of states last.
    pub outputs: Vec<Port>,
    /// Tensors kept between runs.
    pub states: Vec<State>,
    /// Operators of the file by name, such as `conv1/Relu`.
    pub sources: Vec<String>,
}

impl Graph {
    /// A value.
    #[must_use]
    pub fn value(&self, id: Id) -> Option<&Value> {
        self.values.get(id.0)
    }

    /// The shape of a value; empty for a value of another graph.
    #[must_use]
    pub fn shape(&self, id: Id) -> &[usize] {
        self.value(id).map_or(&[], |v| &v.shape)
    }

    /// A constant's elements.
    #[must_use]
    pub fn constant(&self, id: Id) -> Option<Constant<'_>> {
        let Value { shape, elem, origin: Origin::Constant(bytes) } = self.value(id)? else { return None };
        Some(Constant { shape, elem: *elem, bytes })
    }
}
