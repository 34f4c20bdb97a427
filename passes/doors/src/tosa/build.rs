//! Builds graphs. Invariant: a node is added with the shape that TOSA gives it, or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Attribute, Codes, Elem, Graph, Id, Node, Operand, Origin, Port, Value};

/// Maximum number of elements of a tensor; larger networks are a mistake.
const MAX_ELEMENTS: usize = 1 << 33;

/// An operator that TOSA does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{op}: {reason}")]
pub struct Fault {
    /// The operator, by its TOSA name.
    pub op: &'static str,
    /// What was expected, and what was found.
    pub reason: String,
}

pub(super) fn fault<T>(op: &'static str, reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { op, reason: reason.into() })
}

/// Multipliers and shifts of a rescale: one pair, or one for each channel.
pub type Scales = Vec<(i32, i32)>;

/// The parameters of a `rescale`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescale {
    /// The result's elements.
    pub to: Elem,
    /// Multipliers, and shifts to the right.
    pub scales: Scales,
    /// Rounds twice, as TFLite's kernels do.
    pub double_round: bool,
    /// Of the input.
    pub input_zp: i32,
    /// Of the result.
    pub output_zp: i32,
}

/// Builds a graph from inputs to outputs.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    pub(super) graph: Graph,
    source: usize,
    /// Small constants, which are shared.
    shared: BTreeMap<(Elem, Vec<usize>, Vec<u8>), Id>,
}

/// Constants of up to this many bytes are shared.
const SHARED_BYTES: usize = 1024;

impl Builder {
    /// Names the operator of the file that further nodes come from.
    pub fn source(&mut self, name: &str) {
        self.source = self.graph.sources.len();
        self.graph.sources.push(name.to_owned());
    }

    /// The graph so far.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The finished graph.
    #[must_use]
    pub fn finish(self) -> Graph {
        self.graph
    }

    /// The graph, for inputs, outputs and states.
    pub fn graph_mut(&mut self) -> &mut Graph {
        &mut self.graph
    }

    pub(super) fn add(&mut self, shape: &[usize], elem: Elem, origin: Origin) -> Id {
        self.graph.values.push(Value { shape: shape.to_vec(), elem, origin });
        Id(self.graph.values.len() - 1)
    }

    pub(super) fn check(op: &'static str, shape: &[usize]) -> Result<usize, Fault> {
        match shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d)).filter(|&n| n <= MAX_ELEMENTS) {
            Some(0) => fault(op, format!("the shape {shape:?} has no elements")),
            Some(n) => Ok(n),
            None => fault(op, format!("the shape {shape:?} has more than {MAX_ELEMENTS} elements")),
        }
    }

    /// Adds an input.
    ///
    /// # Errors
    /// The shape has no elements, or too many.
    pub fn input(
        &mut self,
        name: &str,
        shape: &[usize],
        elem: Elem,
        codes: Option<Codes>,
    ) -> Result<Id, Fault> {
        Self::check("input", shape)?;
        let id = self.add(shape, elem, Origin::Input(self.graph.inputs.len()));
        self.graph.inputs.push(Port { id, name: name.to_owned(), codes, unsigned: false });
        Ok(id)
    }

    /// Makes a value an output.
    pub fn output(&mut self, name: &str, id: Id, codes: Option<Codes>) {
        self.graph.outputs.push(Port { id, name: name.to_owned(), codes, unsigned: false });
    }

    /// Adds a constant.
    ///
    /// # Errors
    /// Bytes and shape do not match.
    pub fn constant(&mut self, elem: Elem, shape: &[usize], bytes: Vec<u8>) -> Result<Id, Fault> {
        let count = Self::check("const", shape)?;
        if count.checked_mul(elem.bytes()) != Some(bytes.len()) {
            return fault("const", format!("{} bytes for {shape:?} of {}", bytes.len(), elem.name()));
        }
        if bytes.len() > SHARED_BYTES {
            return Ok(self.add(shape, elem, Origin::Constant(bytes.into())));
        }
        let key = (elem, shape.to_vec(), bytes);
        if let Some(&id) = self.shared.get(&key) {
            return Ok(id);
        }
        let id = self.add(shape, elem, Origin::Constant(Arc::from(&key.2[..])));
        self.shared.insert(key, id);
        Ok(id)
    }

    /// Adds a constant of integers.
    ///
    /// # Errors
    /// The values are not as many as the shape says.
    pub fn ints(&mut self, elem: Elem, shape: &[usize], values: &[i64]) -> Result<Id, Fault> {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes().into_iter().take(elem.bytes())).collect();
        self.constant(elem, shape, bytes)
    }

    /// Adds a constant of floats.
    ///
    /// # Errors
    /// The values are not as many as the shape says.
    pub fn floats(&mut self, shape: &[usize], values: &[f32]) -> Result<Id, Fault> {
        self.constant(Elem::F32, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// Adds a constant of one element and rank 1, as zero points are; of floats, only 0.
    ///
    /// # Errors
    /// Never for these shapes.
    pub fn scalar(&mut self, elem: Elem, value: i32) -> Result<Id, Fault> {
        self.ints(elem, &[1], &[value.into()])
    }

    /// Adds a node whose result has the given shape; the other functions know the shapes of their operators.
    ///
    /// # Errors
    /// The shape has no elements, or too many.
    pub fn push(
        &mut self,
        name: &'static str,
        operands: Vec<Operand>,
        attributes: Vec<(&'static str, Attribute)>,
        shape: &[usize],
        elem: Elem,
    ) -> Result<Id, Fault> {
        Self::check(name, shape)?;
        let result = self.add(shape, elem, Origin::Node(self.graph.nodes.len()));
        self.graph.nodes.push(Node { name, operands, attributes, result, source: self.source });
        Ok(result)
    }

    pub(super) fn of(&self, op: &'static str, id: Id) -> Result<(Vec<usize>, Elem), Fault> {
        let value = self.graph.value(id).map(|v| (v.shape.clone(), v.elem));
        value.ok_or_else(|| Fault { op, reason: format!("unknown value {}", id.0) })
    }

    pub(super) fn image(&self, op: &'static str, id: Id) -> Result<([usize; 4], Elem), Fault> {
        let (shape, elem) = self.of(op, id)?;
        match <[usize; 4]>::try_from(shape) {
            Ok(shape) => Ok((shape, elem)),
            Err(shape) => fault(op, format!("an image of four dimensions expected, got {shape:?}")),
        }
    }

    /// `matmul` of `[n, h, k]` and `[n, k, w]` with their zero points.
    ///
    /// # Errors
    /// Shapes do not match.
    pub fn matmul(&mut self, [a, b]: [Id; 2], zero_points: [i32; 2]) -> Result<Id, Fault> {
        let op = "matmul";
        let ((a_shape, elem), (b_shape, b_elem)) = (self.of(op, a)?, self.of(op, b)?);
        let (&[n, h, k], &[m, l, w]) = (&a_shape[..], &b_shape[..]) else {
            return fault(op, format!("{a_shape:?} times {b_shape:?}"));
        };
        if n != m || k != l {
            return fault(op, format!("{a_shape:?} times {b_shape:?}"));
        }
        if elem != b_elem {
            return fault(op, format!("{} times {}", elem.name(), b_elem.name()));
        }
        let zero_points = [self.scalar(elem, zero_points[0])?, self.scalar(b_elem, zero_points[1])?];
        let operands = [a, b].into_iter().chain(zero_points).map(Operand::Value).collect();
        let sums = match elem {
            Elem::F32 => Elem::F32,
            Elem::I16 => Elem::I48,
            Elem::Bool | Elem::I4 | Elem::I8 | Elem::I32 | Elem::I48 => Elem::I32,
        };
        self.push(op, operands, Vec::new(), &[n, h, w], sums)
    }

    /// `rescale`.
    ///
    /// # Errors
    /// There are neither one nor as many scales as channels.
    pub fn rescale(&mut self, x: Id, spec: &Rescale) -> Result<Id, Fault> {
        let op = "rescale";
        let (shape, elem) = self.of(op, x)?;
        let count = spec.scales.len();
        if count != 1 && shape.last() != Some(&count) {
            return fault(op, format!("{count} scales for {shape:?}"));
        }
        let (multipliers, shifts): (Vec<i64>, Vec<i64>) =
            spec.scales.iter().map(|&(m, s)| (i64::from(m), i64::from(s))).unzip();
        let operands = [
            x,
            self.ints(Elem::I32, &[count], &multipliers)?,
            self.ints(Elem::I8, &[count], &shifts)?,
            self.scalar(elem, spec.input_zp)?,
            self.scalar(spec.to, spec.output_zp)?,
        ];
        let rounding = if spec.double_round { "DOUBLE_ROUND" } else { "SINGLE_ROUND" };
        let attributes = vec![
            ("scale32", Attribute::Bool(true)),
            ("rounding_mode", Attribute::Case("rounding_mode", rounding)),
            ("per_channel", Attribute::Bool(count > 1)),
            ("input_unsigned", Attribute::Bool(false)),
            ("output_unsigned", Attribute::Bool(false)),
        ];
        self.push(op, operands.map(Operand::Value).to_vec(), attributes, &shape, spec.to)
    }

    /// `clamp` of integers.
    ///
    /// # Errors
    /// The value is unknown.
    pub fn clamp(&mut self, x: Id, min: i64, max: i64) -> Result<Id, Fault> {
        let (shape, elem) = self.of("clamp", x)?;
        let attributes = vec![("min_val", Attribute::Int(elem, min)), ("max_val", Attribute::Int(elem, max))];
        self.push("clamp", vec![Operand::Value(x)], attributes, &shape, elem)
    }

    /// `clamp` of floats.
    ///
    /// # Errors
    /// The value is unknown.
    pub fn clamp_floats(&mut self, x: Id, min: f32, max: f32) -> Result<Id, Fault> {
        let (shape, elem) = self.of("clamp", x)?;
        let attributes = vec![("min_val", Attribute::Float(min)), ("max_val", Attribute::Float(max))];
        self.push("clamp", vec![Operand::Value(x)], attributes, &shape, elem)
    }

    /// `table` of i8 to i8 with 256 entries, or of i16 to i32 with 513.
    ///
    /// # Errors
    /// Type and number of entries do not match.
    pub fn table(&mut self, x: Id, entries: &[i64]) -> Result<Id, Fault> {
        let (shape, elem) = self.of("table", x)?;
        let to = match (elem, entries.len()) {
            (Elem::I8, 256) => Elem::I8,
            (Elem::I16, 513) => Elem::I32,
            (_, n) => return fault("table", format!("{n} entries for {}", elem.name())),
        };
        let table = self.ints(elem, &[entries.len()], entries)?;
        self.push("table", vec![Operand::Value(x), Operand::Value(table)], Vec::new(), &shape, to)
    }

    /// An element-wise operator of one operand without attributes, such as `exp`. (`negate` has zero points.)
    ///
    /// # Errors
    /// The value is unknown.
    pub fn unary(&mut self, name: &'static str, x: Id) -> Result<Id, Fault> {
        let (shape, elem) = self.of(name, x)?;
        let mut operands = vec![Operand::Value(x)];
        if name == "negate" {
            let zero = self.scalar(elem, 0)?;
            operands.extend([Operand::Value(zero), Operand::Value(zero)]);
        }
        self.push(name, operands, Vec::new(), &shape, elem)
    }

    /// An element-wise operator of two operands, of which the one of lower rank gets leading extents of 1; the result has the
    /// operands' type, or that of booleans after a comparison.
    ///
    /// # Errors
    /// Shapes or types do not match.
    pub fn binary(&mut self, name: &'static str, a: Id, b: Id) -> Result<Id, Fault> {
        let (a, b) = self.same_rank(name, a, b)?;
        let ((a_shape, elem), (b_shape, other)) = (self.of(name, a)?, self.of(name, b)?);
        let shape = broadcast(name, &a_shape, &b_shape)?;
        if elem != other {
            return fault(name, format!("{} and {}", elem.name(), other.name()));
        }
        let compares = matches!(name, "equal" | "greater" | "greater_equal");
        let mut operands = vec![Operand::Value(a), Operand::Value(b)];
        let mut attributes = Vec::new();
        match name {
            "mul" => operands.push(Operand::Value(self.scalar(Elem::I8, 0)?)),
            "arithmetic_right_shift" => attributes.push(("round", Attribute::Bool(false))),
            "maximum" | "minimum" => attributes.push(propagate()),
            _ => {}
        }
        let to = if compares { Elem::Bool } else { elem };
        self.push(name, operands, attributes, &shape, to)
    }

    /// `mul` of 32 bits whose product is shifted to the right, rounded, ties upwards.
    ///
    /// # Errors
    /// Shapes do not match.
    pub fn multiply(&mut self, a: Id, b: Id, shift: i32) -> Result<Id, Fault> {
        let (op, (a, b)) = ("mul", self.same_rank("mul", a, b)?);
        let ((a_shape, elem), (b_shape, _)) = (self.of(op, a)?, self.of(op, b)?);
        let shape = broadcast(op, &a_shape, &b_shape)?;
        let operands = [a, b, self.scalar(Elem::I8, shift)?].map(Operand::Value).to_vec();
        self.push(op, operands, Vec::new(), &shape, elem)
    }

    /// `arithmetic_right_shift`, rounded if asked, ties upwards.
    ///
    /// # Errors
    /// Shapes do not match.
    pub fn shift_right(&mut self, a: Id, b: Id, round: bool) -> Result<Id, Fault> {
        let op = "arithmetic_right_shift";
        let (a, b) = self.same_rank(op, a, b)?;
        let ((a_shape, elem), (b_shape, _)) = (self.of(op, a)?, self.of(op, b)?);
        let shape = broadcast(op, &a_shape, &b_shape)?;
        let operands = [a, b].map(Operand::Value).to_vec();
        self.push(op, operands, vec![("round", Attribute::Bool(round))], &shape, elem)
    }

    /// `select`.
    ///
    /// # Errors
    /// Shapes or types do not match.
    pub fn select(&mut self, condition: Id, a: Id, b: Id) -> Result<Id, Fault> {
        let op = "select";
        let (a, b) = self.same_rank(op, a, b)?;
        let (condition, a) = self.same_rank(op, condition, a)?;
        let (a, b) = self.same_rank(op, a, b)?;
        let ((a_shape, elem), (b_shape, other)) = (self.of(op, a)?, self.of(op, b)?);
        let (condition_shape, chooser) = self.of(op, condition)?;
        if chooser != Elem::Bool || elem != other {
            let [chooser, elem, other] = [chooser, elem, other].map(Elem::name);
            return fault(op, format!("{elem} or {other}, by {chooser}"));
        }
        let shape = broadcast(op, &a_shape, &b_shape)?;
        let shape = broadcast(op, &shape, &condition_shape)?;
        self.push(op, [condition, a, b].map(Operand::Value).to_vec(), Vec::new(), &shape, elem)
    }

    /// `reduce_sum`, `reduce_max` and so on; the axis stays, with extent 1.
    ///
    /// # Errors
    /// There is no such axis.
    pub fn reduce(&mut self, name: &'static str, x: Id, axis: usize) -> Result<Id, Fault> {
        let (mut shape, elem) = self.of(name, x)?;
        let Some(extent) = shape.get_mut(axis) else {
            return fault(name, format!("axis {axis} of {shape:?}"));
        };
        *extent = 1;
        let mut attributes = vec![along(axis)];
        if matches!(name, "reduce_max" | "reduce_min") {
            attributes.push(propagate());
        }
        self.push(name, vec![Operand::Value(x)], attributes, &shape, elem)
    }

    /// `cast`, or nothing if it changes nothing.
    ///
    /// # Errors
    /// The value is unknown.
    pub fn cast(&mut self, x: Id, to: Elem) -> Result<Id, Fault> {
        let (shape, elem) = self.of("cast", x)?;
        if elem == to {
            return Ok(x);
        }
        self.push("cast", vec![Operand::Value(x)], Vec::new(), &shape, to)
    }

    /// Two values with the rank of the higher one.
    fn same_rank(&mut self, op: &'static str, a: Id, b: Id) -> Result<(Id, Id), Fault> {
        let rank = self.of(op, a)?.0.len().max(self.of(op, b)?.0.len());
        let mut raise = |x: Id| {
            let shape = self.of(op, x)?.0;
            let ones = vec![1; rank - shape.len()];
            self.reshape(x, &[ones, shape].concat())
        };
        Ok((raise(a)?, raise(b)?))
    }
}

fn broadcast(op: &'static str, a: &[usize], b: &[usize]) -> Result<Vec<usize>, Fault> {
    let extent = |(&a, &b): (&usize, &usize)| match (a, b) {
        (1, d) | (d, 1) => Some(d),
        (a, b) => (a == b).then_some(a),
    };
    let shape = (a.len() == b.len()).then(|| a.iter().zip(b).map(extent).collect()).flatten();
    shape.ok_or_else(|| Fault { op, reason: format!("{a:?} and {b:?} do not match") })
}

pub(super) fn wide(d: usize) -> i64 {
    i64::try_from(d).unwrap_or(i64::MAX)
}

pub(super) fn along(axis: usize) -> (&'static str, Attribute) {
    ("axis", Attribute::Int(Elem::I32, wide(axis)))
}

fn propagate() -> (&'static str, Attribute) {
    ("nan_mode", Attribute::Case("nan_mode", "PROPAGATE"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use strum_float::{PoolKind, Window};

    use super::*;

    #[test]
    fn windows_that_do_not_end_at_the_edge_are_made_exact() {
        let mut build = Builder::default();
        let x = build.input("x", &[1, 16, 16, 3], Elem::I8, None).unwrap();
        let w = build.ints(Elem::I8, &[4, 1, 1, 3], &[1; 12]).unwrap();
        let b = build.scalar(Elem::I32, 0).unwrap();
        let window = Window { stride: [2, 2], ..Window::UNIT };
        let y = build.conv(false, [x, w, b], [-1, 0], &window).unwrap();
        assert_eq!(build.graph().shape(y), [1, 8, 8, 4]);
        let names: Vec<_> = build.graph().nodes.iter().map(|node| node.name).collect();
        assert_eq!(names, ["slice", "conv2d"]);
        let fault = build.pool(PoolKind::Max, x, [17, 1], &Window::UNIT, 0).unwrap_err();
        assert_eq!(fault.to_string(), "max_pool2d: a window of [17, 1] does not fit an image of [16, 16]");
    }

    #[test]
    fn constants_are_transposed_in_place_and_small_ones_shared() {
        let mut build = Builder::default();
        let a = build.ints(Elem::I16, &[2, 3], &[0, 1, 2, 3, 4, -5]).unwrap();
        assert_eq!(build.ints(Elem::I16, &[2, 3], &[0, 1, 2, 3, 4, -5]).unwrap(), a);
        let b = build.transpose(a, &[1, 0]).unwrap();
        let b = build.graph().constant(b).unwrap();
        assert_eq!((b.shape, b.ints().unwrap()), (&[3, 2][..], vec![0, 3, 1, 4, 2, -5]));
    }

    #[test]
    fn operands_have_the_elements_that_tosa_multiplies_and_selects() {
        let mut build = Builder::default();
        let x = build.input("x", &[1, 2, 2, 3], Elem::I8, None).unwrap();
        let real = build.input("y", &[1, 2, 2, 3], Elem::F32, None).unwrap();
        let codes = build.ints(Elem::I8, &[4, 1, 1, 3], &[1; 12]).unwrap();
        let (zero, none) = (build.scalar(Elem::F32, 0).unwrap(), build.scalar(Elem::I32, 0).unwrap());
        let mut said = Vec::new();
        for [image, bias] in [[real, zero], [x, zero], [none, none]] {
            said.push(build.conv(false, [image, codes, bias], [0; 2], &Window::UNIT).unwrap_err());
            said.push(build.transpose_conv([image, codes, bias], [0; 2], [[0; 2]; 2], [1; 2]).unwrap_err());
        }
        let [a, b] = [x, real].map(|x| build.reshape(x, &[1, 4, 3]).unwrap());
        let b = build.transpose(b, &[0, 2, 1]).unwrap();
        said.push(build.matmul([a, b], [0; 2]).unwrap_err());
        said.push(build.select(x, real, real).unwrap_err());
        said.push(build.pad(x, &[[1; 2]; 4], zero).unwrap_err());
        said.push(build.pad(x, &[[1; 2]; 3], zero).unwrap_err());
        said.push(build.reshape(x, &[5]).unwrap_err());
        let spec =
            Rescale { to: Elem::I8, scales: vec![(1, 2); 2], double_round: true, input_zp: 0, output_zp: 0 };
        said.push(build.rescale(x, &spec).unwrap_err());
        let said: Vec<String> = said.iter().map(ToString::to_string).collect();
        let expected = [
            "conv2d: weights of i8 and a bias of f32 on an image of f32",
            "transpose_conv2d: weights of i8 and a bias of f32 on an image of f32",
            "conv2d: weights of i8 and a bias of f32 on an image of i8",
            "transpose_conv2d: weights of i8 and a bias of f32 on an image of i8",
            "conv2d: an image of four dimensions expected, got [1]",
            "transpose_conv2d: an image of four dimensions expected, got [1]",
            "matmul: i8 times f32",
            "select: f32 or f32, by i8",
            "pad: [1] of f32 around i8",
            "pad: 3 pairs for [1, 2, 2, 3]",
            "reshape: [1, 2, 2, 3] and [5] differ in their number of elements",
            "rescale: 2 scales for [1, 2, 2, 3]",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn operands_of_lower_rank_are_raised() {
        let mut build = Builder::default();
        let x = build.input("x", &[2, 3, 4], Elem::F32, None).unwrap();
        let bias = build.floats(&[4], &[0.5; 4]).unwrap();
        let y = build.binary("add", x, bias).unwrap();
        assert_eq!(build.graph().shape(y), [2, 3, 4]);
        let images = build.pool(PoolKind::Max, x, [1; 2], &Window::UNIT, 0).unwrap_err();
        assert_eq!(images.to_string(), "max_pool2d: an image of four dimensions expected, got [2, 3, 4]");
        let wrong = build.floats(&[3], &[0.5; 3]).unwrap();
        let fault = build.binary("add", x, wrong).unwrap_err();
        assert_eq!(fault.to_string(), "add: [2, 3, 4] and [1, 1, 3] do not match");
    }
}
