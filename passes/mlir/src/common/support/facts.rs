//! The facts of an op that the support check needs, as plain data.
//!
//! Invariant: nothing here depends on MLIR, so every rule of the matrix is tested without it.

use std::collections::BTreeMap;

use crate::common::tosa::elem::Elem;
use crate::common::tosa::literal::Literal;

/// The type of an operand or a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeFact {
    /// A tensor with static shape and a supported element type.
    Tensor {
        /// Extents, outermost first.
        shape: Vec<u64>,
        /// Element type.
        elem: Elem,
    },
    /// A static tensor of another element type, given as MLIR prints it.
    Foreign(String),
    /// A ranked tensor with an unknown dimension.
    Dynamic,
    /// A tensor without rank.
    Unranked,
    /// `!tosa.shape<N>`.
    Shape,
    /// Anything else.
    Other,
}

impl TypeFact {
    /// Shape and element type, if they are known and supported.
    #[must_use]
    pub fn tensor(&self) -> Option<(&[u64], Elem)> {
        match self {
            TypeFact::Tensor { shape, elem } => Some((shape, *elem)),
            _ => None,
        }
    }
}

/// An operand.
#[derive(Clone, Debug)]
pub struct OperandFact<'a> {
    /// Its type.
    pub ty: TypeFact,
    /// Its type as MLIR prints it, for messages.
    pub printed: String,
    /// Its value, if a `tosa.const` defines it.
    pub constant: Option<Literal<'a>>,
    /// The values of the `tosa.const_shape` that defines it.
    pub dims: Option<Vec<i64>>,
}

/// A result.
#[derive(Clone, Debug)]
pub struct ResultFact {
    /// Its type.
    pub ty: TypeFact,
    /// Its type as MLIR prints it, for messages.
    pub printed: String,
}

/// An attribute of one of the kinds that TOSA ops use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttrFact {
    /// A Boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An array of integers.
    Ints(Vec<i64>),
    /// Anything else, as MLIR prints it.
    Text(String),
}

/// An op with all facts that decide whether it is supported.
#[derive(Clone, Debug, Default)]
pub struct OpFacts<'a> {
    /// Full name, such as `tosa.conv2d`.
    pub name: String,
    /// Operands in order.
    pub operands: Vec<OperandFact<'a>>,
    /// Results in order.
    pub results: Vec<ResultFact>,
    /// Inherent attributes by name.
    pub attrs: BTreeMap<String, AttrFact>,
}

impl OpFacts<'_> {
    /// The integers of an array attribute.
    #[must_use]
    pub fn ints(&self, name: &str) -> &[i64] {
        match self.attrs.get(name) {
            Some(AttrFact::Ints(values)) => values,
            _ => &[],
        }
    }

    /// A Boolean attribute, false where it is missing.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.attrs.get(name) == Some(&AttrFact::Bool(true))
    }

    /// Whether the printed form of an attribute contains `text`.
    #[must_use]
    pub fn mentions(&self, name: &str, text: &str) -> bool {
        matches!(self.attrs.get(name), Some(AttrFact::Text(t)) if t.contains(text))
    }

    /// Shape and element type of an operand.
    #[must_use]
    pub fn operand(&self, index: usize) -> Option<(&[u64], Elem)> {
        self.operands.get(index)?.ty.tensor()
    }

    /// Shape and element type of the first result.
    #[must_use]
    pub fn result(&self) -> Option<(&[u64], Elem)> {
        self.results.first()?.ty.tensor()
    }

    /// The single value of a constant operand.
    #[must_use]
    pub fn scalar(&self, index: usize) -> Option<i32> {
        self.operands.get(index)?.constant.as_ref()?.uniform()
    }
}
