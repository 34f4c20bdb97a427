//! Float networks of the IR as plain graphs: both imports, from TOSA and from linalg on tensors, produce one [`Graph`].
//!
//! Invariant: an unsupported op is an error at that op that says what was found; nothing is skipped.

mod elements;
mod linalg;
mod resample;
pub(crate) mod step;
mod tosa;
mod tosa_image;
pub mod write;

use std::collections::BTreeMap;
use std::fmt;

use ndarray::IxDyn;
use strum_float::{Graph, Op, Relation, Tensor, ValueId};
use strum_ir::{Location, Operation, Reported, Type, Value};

use self::elements::{Kind, are_exact_integers};
use crate::common::limits;
use crate::common::rewrite::blocks;
use crate::common::verdict::{INTERNAL, UNSUPPORTED};

/// A float network, and the locations of its nodes.
pub struct Network<'c> {
    /// The network. The tag of a node is an index into `sources`.
    pub graph: Graph,
    /// The locations of the ops that have become nodes.
    pub sources: Vec<Location<'c>>,
}

impl<'c> Network<'c> {
    /// The location of a node.
    #[must_use]
    pub fn source(&self, tag: u32) -> Option<Location<'c>> {
        usize::try_from(tag).ok().and_then(|tag| self.sources.get(tag).copied())
    }

    /// Reads a function in the form that front ends export.
    ///
    /// # Errors
    /// Reported at the offending op or function.
    pub fn read(function: Operation<'c>) -> Result<Self, Reported> {
        let &[block] = blocks(function).as_slice() else {
            return Err(function.error("a float network must be a function with a single block"));
        };
        limits::check(function, 0)?;
        let mut reader = Reader {
            graph: Graph::new(),
            sources: Vec::new(),
            values: BTreeMap::new(),
            scalars: BTreeMap::new(),
            conditions: BTreeMap::new(),
        };
        reader.inputs(function, &block.arguments())?;
        for op in block.operations() {
            reader.op(op)?;
        }
        Ok(Network { graph: reader.graph, sources: reader.sources })
    }
}

/// State while a function is read from its first op to its last.
pub(crate) struct Reader<'c> {
    graph: Graph,
    sources: Vec<Location<'c>>,
    /// Tensors. A value may be narrower than its type: an extent of 1 is repeated, so that broadcasts are free.
    values: BTreeMap<Value<'c>, ValueId>,
    /// Constants other than tensors.
    scalars: BTreeMap<Value<'c>, f64>,
    /// Tensors of comparisons.
    conditions: BTreeMap<Value<'c>, Condition>,
}

/// A comparison of two values, element by element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Condition {
    relation: Relation,
    /// The values that are compared.
    pair: [ValueId; 2],
    /// Whether it holds where the relation does not.
    negated: bool,
}

impl<'c> Reader<'c> {
    fn inputs(&mut self, function: Operation<'c>, arguments: &[Value<'c>]) -> Result<(), Reported> {
        for (index, &argument) in arguments.iter().enumerate() {
            let place = format!("argument #{index}");
            let fail = |reason: fmt::Arguments<'_>| function.error(format!("{place}: {reason}"));
            if argument.ty().rank().is_some_and(|rank| rank < 2) && arguments.len() > 1 {
                return Err(fail(format_args!(
                    "'{}' looks like a parameter that the exporter left as an argument, such as batch-norm statistics: \
                     turn buffers into parameters before exporting, or fold them",
                    argument.ty()
                )));
            }
            let shape = shape(argument.ty()).map_err(|reason| function.error(at(&place, &reason)))?;
            if !argument.ty().element().is_some_and(Type::is_f32) {
                return Err(fail(format_args!("'{}' is not a tensor of f32", argument.ty())));
            }
            let id = self.graph.input(&shape).map_err(|e| fail(format_args!("{e}")))?;
            self.values.insert(argument, id);
        }
        Ok(())
    }

    fn op(&mut self, op: Operation<'c>) -> Result<(), Reported> {
        self.graph.set_tag(u32::try_from(self.sources.len()).unwrap_or(u32::MAX));
        self.sources.push(op.location());
        if let Some(fault) = op.misspelt_attribute() {
            return Err(op.error(fault));
        }
        match op.dialect() {
            "tosa" => self.tosa(op),
            "linalg" | "tensor" | "arith" | "math" => self.linalg(op),
            "func" if op.is("func.return") => {
                for index in 0..op.num_operands() {
                    let ty = op.operand(index).map(Value::ty);
                    if let Some(ty) = ty.filter(|ty| !ty.element().is_some_and(Type::is_f32)) {
                        return Err(op.error(format!(
                            "{UNSUPPORTED}result #{index} has type '{ty}', expected a tensor of f32"
                        )));
                    }
                    let id = self.whole(op, index)?;
                    self.graph.output(id).map_err(|e| op.error(e))?;
                }
                Ok(())
            }
            _ => Err(unknown(op)),
        }
    }

    /// An operand in the shape of its type.
    fn whole(&mut self, op: Operation<'c>, index: usize) -> Result<ValueId, Reported> {
        let value = op.operand(index).ok_or_else(|| op.error(format!("operand #{index} is missing")))?;
        let id = self.narrow(op, index)?;
        let wanted =
            shape(value.ty()).map_err(|reason| op.error(at(&format!("operand #{index}"), &reason)))?;
        let known = self.graph.shape(id);
        if known == wanted {
            return Ok(id);
        }
        let multiples = wanted.iter().zip(known).map(|(&w, &k)| if k == 1 { w } else { 1 }).collect();
        self.push(op, Op::Tile { multiples }, &[id])
    }

    /// An operand, in which an extent of 1 may broadcast to any.
    fn narrow(&self, op: Operation<'c>, index: usize) -> Result<ValueId, Reported> {
        let value = op.operand(index).ok_or_else(|| op.error(format!("operand #{index} is missing")))?;
        self.values.get(&value).copied().ok_or_else(|| {
            let from = value.defining_op().map_or("an argument", Operation::name);
            if value.ty().element().is_some_and(|element| element.int_width().is_some()) {
                return op.error(format!(
                    "{UNSUPPORTED}operand #{index} of type '{}' (from {from}): integers of a float network must be constant, or \
                     computed from constants, up to 2^24",
                    value.ty()
                ));
            }
            op.error(format!("operand #{index} of type '{}' (from {from}) is uninitialized", value.ty()))
        })
    }

    /// Adds a node for an op; invalid operands are reported at the op.
    fn push(&mut self, op: Operation<'c>, node: Op, operands: &[ValueId]) -> Result<ValueId, Reported> {
        self.graph.push_or_fold(node, operands).map_err(|e| op.error(e))
    }

    /// Adds a select by a comparison.
    fn select_by(
        &mut self,
        op: Operation<'c>,
        condition: Condition,
        [yes, no]: [ValueId; 2],
    ) -> Result<ValueId, Reported> {
        let Condition { relation, pair: [a, b], negated } = condition;
        let (yes, no) = if negated { (no, yes) } else { (yes, no) };
        self.push(op, Op::Select(relation), &[a, b, yes, no])
    }

    /// Adds a constant.
    fn constant(&mut self, op: Operation<'c>, tensor: Tensor) -> Result<ValueId, Reported> {
        self.graph.constant(tensor).map_err(|e| op.error(e))
    }

    /// Adds a scalar that matches tensors of a rank.
    fn number(&mut self, op: Operation<'c>, value: f64, rank: usize) -> Result<ValueId, Reported> {
        #[allow(clippy::cast_possible_truncation, reason = "the network computes in single precision")]
        self.constant(op, Tensor::from_elem(IxDyn(&vec![1; rank]), value as f32))
    }

    /// Makes a value the result of an op. It must match the op's result type; integers must be constant, and small enough that f32
    /// arithmetic on them is exact.
    fn bind(&mut self, op: Operation<'c>, index: usize, id: ValueId) -> Result<(), Reported> {
        let ty = op.result(index).map(Value::ty);
        if let Some(ty) = ty.filter(|&ty| !Kind::of_elements(ty).is_some_and(Kind::is_float))
            && !self.graph.constant_of(id).is_some_and(are_exact_integers)
        {
            return Err(op.error(format!(
                "{UNSUPPORTED}result of type '{ty}': integers of a float network must be constant, or computed from constants, up \
                 to 2^24"
            )));
        }
        self.bind_as_is(op, index, id)
    }

    /// As [`bind`](Self::bind); a constant that stands in the network may hold any integers that f32 holds.
    fn bind_as_is(&mut self, op: Operation<'c>, index: usize, id: ValueId) -> Result<(), Reported> {
        let value = op.result(index).ok_or_else(|| internal(op, format_args!("no result #{index}")))?;
        let wanted = shape(value.ty()).map_err(|reason| op.error(reason))?;
        let known = self.graph.shape(id);
        let goes = known.len() == wanted.len() && known.iter().zip(&wanted).all(|(&k, &w)| k == w || k == 1);
        if !goes {
            return Err(op.error(format!("result has shape {known:?}, its type has {wanted:?}")));
        }
        self.values.insert(value, id);
        Ok(())
    }
}

/// What to do with a network that ends in the index of a maximum.
const NO_INDICES: &str = "the index of the largest value (argmax) is not computed by the DPU: end the network before it, with the \
                          values that it compares as the output, and take the index from those";

/// A reason prefixed with its location; the phrase that marks it as a limit of this project stays in front.
fn at(place: &str, reason: &str) -> String {
    match reason.strip_prefix(UNSUPPORTED) {
        Some(reason) => format!("{UNSUPPORTED}{place}: {reason}"),
        None => format!("{place}: {reason}"),
    }
}

/// The error at an op that a verifier or a caller should have ruled out.
fn internal(op: Operation<'_>, what: impl fmt::Display) -> Reported {
    op.error(format_args!("{INTERNAL}{what}"))
}

/// The error at an op that no import supports.
fn unknown(op: Operation<'_>) -> Reported {
    op.error(format!("{UNSUPPORTED}operation is not supported in a float network"))
}

/// The shape of a static tensor of numbers, or what it is instead.
fn shape(ty: Type<'_>) -> Result<Vec<usize>, String> {
    if ty.rank().is_none() {
        return Err(format!("'{ty}' is not a ranked tensor"));
    }
    if Kind::of_elements(ty).is_none() {
        return Err(format!("'{ty}' is not a tensor of numbers"));
    }
    let shape = ty.as_tensor().map(|tensor| tensor.shape.iter().map(|&d| usize::try_from(d).ok()).collect());
    shape.flatten().ok_or_else(|| {
        format!("{UNSUPPORTED}'{ty}' has a dynamic dimension: export the network with static shapes, for example with a batch size of 1")
    })
}
