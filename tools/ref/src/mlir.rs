//! Programs as text of the `tosa` dialect, as MLIR 22 reads it.

use crate::{
    Conv, Conv3d, Dtype, Graph, Invalid, Node, NodeId, Op, Pool, Rescale, Resize, Round, Run, Tensor,
    TransposeConv, require,
};
use std::fmt::{Display, Write};

/// The notation of large constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constants {
    /// As `dense<…>`, in place.
    Inline,
    /// As `dense_resource<…>`, with their bytes after the program.
    Resources,
}

/// Constants of more elements than this are large: a hexadecimal string, or a resource.
const MAX_LIST: usize = 64;

impl Graph {
    /// The program as a module with one function `@main`. The types are those of the values in `run`.
    ///
    /// # Errors
    /// When `run` is not a run of this program.
    pub fn to_mlir(&self, run: &Run, constants: Constants) -> Result<String, Invalid> {
        let fits = run.values.len() == self.nodes().len() && run.outputs.len() == self.outputs().len();
        require(fits, "graph", "the values are those of another program")?;
        let mut printer = Printer { graph: self, run, constants, resources: Vec::new(), text: String::new() };
        let arguments = self.nodes().iter().enumerate().filter(|(_, node)| matches!(node, Node::Input(_)));
        let arguments: Vec<_> =
            arguments.map(|(i, _)| format!("{}: {}", printer.name(NodeId(i)), ty(&run.values[i]))).collect();
        let results: Vec<_> = run.outputs.iter().map(ty).collect();
        let names: Vec<_> = self.outputs().iter().map(|&id| printer.name(id)).collect();
        let (results, names) = (results.join(", "), names.join(", "));
        printer.line(format_args!("func.func @main({}) -> ({results}) {{", arguments.join(", ")));
        for (i, node) in self.nodes().iter().enumerate() {
            match node {
                Node::Input(_) => {}
                Node::Const(value) => printer.constant(&printer.name(NodeId(i)), value),
                Node::Op(op, operands) => printer.op(NodeId(i), op, operands),
            }
        }
        printer.line(format_args!("  return {names} : {results}"));
        printer.line(format_args!("}}"));
        printer.finish();
        Ok(printer.text)
    }
}

/// The type of a tensor.
fn ty(tensor: &Tensor) -> String {
    tensor_ty(&tensor.shape, tensor.dtype)
}

fn tensor_ty(shape: &[usize], dtype: impl Display) -> String {
    let extents: String = shape.iter().map(|extent| format!("{extent}x")).collect();
    format!("tensor<{extents}{dtype}>")
}

/// `a, b, c`
fn list<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(", ")
}

struct Printer<'a> {
    graph: &'a Graph,
    run: &'a Run,
    constants: Constants,
    /// Names and bytes of the constants that follow the program.
    resources: Vec<String>,
    text: String,
}

/// The operands of an operator: the graph's own, and the constants that hold its attributes.
struct Operands {
    names: Vec<String>,
    types: Vec<String>,
}

impl Printer<'_> {
    fn line(&mut self, line: impl Display) {
        self.text.push_str(&line.to_string());
        self.text.push('\n');
    }

    fn name(&self, id: NodeId) -> String {
        match self.graph.nodes().get(id.0) {
            Some(Node::Input(number)) => format!("%arg{number}"),
            _ => format!("%v{}", id.0),
        }
    }

    /// Appends the resources to the program.
    fn finish(&mut self) {
        if !self.resources.is_empty() {
            let resources = self.resources.join(",\n");
            self.line("{-#\n  dialect_resources: {\n    builtin: {");
            self.line(resources);
            self.line("    }\n  }\n#-}");
        }
    }

    fn constant(&mut self, name: &str, value: &Tensor) {
        let ty = ty(value);
        let whole = value.dtype.bits().is_multiple_of(8);
        if value.data.len() > MAX_LIST && whole && self.constants == Constants::Resources {
            let key = format!("constant_{}", self.resources.len());
            // The bytes follow their alignment.
            let bytes = value.dtype.bits() / 8;
            let alignment = hex(&[i64::from(bytes.next_power_of_two())], 4);
            let bytes = hex(&value.data, bytes as usize);
            self.resources.push(format!("      {key}: \"0x{alignment}{bytes}\""));
            self.line(format_args!(
                "  {name} = \"tosa.const\"() <{{values = dense_resource<{key}> : {ty}}}> : () -> {ty}"
            ));
            return;
        }
        self.line(format_args!(
            "  {name} = \"tosa.const\"() <{{values = {} : {ty}}}> : () -> {ty}",
            dense(value)
        ));
    }

    /// Adds a one-dimensional constant as an operand.
    fn attribute(&mut self, operands: &mut Operands, name: String, dtype: Dtype, values: &[i64]) {
        // Unsigned attributes are stored in signed elements.
        let data: Vec<_> = values.iter().map(|&value| dtype.wrap(i128::from(value))).collect();
        let value = Tensor { dtype, shape: vec![data.len()], data };
        self.constant(&name, &value);
        operands.names.push(name);
        operands.types.push(ty(&value));
    }

    /// Adds a shape as an operand.
    fn shape<T: Display>(&mut self, operands: &mut Operands, name: String, values: &[T]) {
        let ty = format!("!tosa.shape<{}>", values.len());
        let list = list(values);
        let tensor = tensor_ty(&[values.len()], "index");
        self.line(format_args!(
            "  {name} = tosa.const_shape {{values = dense<[{list}]> : {tensor}}} : () -> {ty}"
        ));
        operands.names.push(name);
        operands.types.push(ty);
    }

    fn op(&mut self, id: NodeId, op: &Op, inputs: &[NodeId]) {
        let result = self.name(id);
        let mut operands = Operands {
            names: inputs.iter().map(|&id| self.name(id)).collect(),
            types: inputs.iter().map(|&id| ty(&self.run.values[id.0])).collect(),
        };
        let dtype = |index: usize| inputs.get(index).map_or(Dtype::I8, |id| self.run.values[id.0].dtype);
        let from = [dtype(0), dtype(1)];
        let attributes = self.attributes(op, from, &result, &mut operands);
        let attributes = if attributes.is_empty() { String::new() } else { format!(" {{{attributes}}}") };
        let (names, types) = (list(&operands.names), list(&operands.types));
        let out = ty(&self.run.values[id.0]);
        self.line(format_args!("  {result} = tosa.{} {names}{attributes} : ({types}) -> {out}", op.name()));
    }

    /// Prints two zero points of a type, and adds them to the operands; there is no text in braces.
    fn zero_points(
        &mut self,
        operands: &mut Operands,
        result: &str,
        of: Dtype,
        both: [(&str, i64); 2],
    ) -> String {
        for (suffix, value) in both {
            self.attribute(operands, format!("{result}_{suffix}"), of, &[value]);
        }
        String::new()
    }

    /// Prints the constants of an operator, adds them to its operands, and returns the text in braces.
    /// `types` are those of the first two operands.
    fn attributes(
        &mut self,
        op: &Op,
        types @ [from, _]: [Dtype; 2],
        result: &str,
        operands: &mut Operands,
    ) -> String {
        match op {
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::TransposeConv2d(_) | Op::Conv3d(_) => {
                self.convolution(op, types, result, operands)
            }
            Op::MatMul { a_zp, b_zp } => {
                self.zero_points(operands, result, from, [("azp", *a_zp), ("bzp", *b_zp)])
            }
            Op::MaxPool2d(pool) => window(pool),
            Op::AvgPool2d { pool, input_zp, output_zp } => {
                self.zero_points(operands, result, from, [("izp", *input_zp), ("ozp", *output_zp)])
                    + &format!("acc_type = i32, {}", window(pool))
            }
            Op::Rescale(rescale) => self.rescale(rescale, from, result, operands),
            Op::Clamp { min, max } => format!("max_val = {max} : {from}, min_val = {min} : {from}"),
            Op::Mul { shift } => {
                self.attribute(operands, format!("{result}_shift"), Dtype::I8, &[*shift]);
                String::new()
            }
            Op::ArithmeticRightShift { round } => format!("round = {round}"),
            Op::Negate { input_zp, output_zp } => {
                self.zero_points(operands, result, from, [("izp", *input_zp), ("ozp", *output_zp)])
            }
            Op::ReduceSum { axis }
            | Op::ReduceMax { axis }
            | Op::ReduceMin { axis }
            | Op::ArgMax { axis }
            | Op::ReduceAll { axis }
            | Op::ReduceAny { axis }
            | Op::Reverse { axis }
            | Op::Concat { axis } => format!("axis = {axis} : i32"),
            Op::Resize(attributes) => self.resize(attributes, result, operands),
            Op::Pad { .. } | Op::Reshape { .. } | Op::Slice { .. } | Op::Tile { .. } => {
                self.extents(op, from, result, operands)
            }
            Op::Transpose { perms } => format!("perms = array<i32: {}>", list(perms)),
            Op::Add
            | Op::Sub
            | Op::Maximum
            | Op::Minimum
            | Op::LogicalLeftShift
            | Op::LogicalRightShift
            | Op::BitwiseAnd
            | Op::BitwiseOr
            | Op::BitwiseXor
            | Op::BitwiseNot
            | Op::IntDiv
            | Op::Equal
            | Op::Greater
            | Op::GreaterEqual
            | Op::Select
            | Op::LogicalAnd
            | Op::LogicalOr
            | Op::LogicalXor
            | Op::LogicalNot
            | Op::Gather
            | Op::Scatter
            | Op::Abs
            | Op::Clz
            | Op::Identity
            | Op::Table
            | Op::Cast { .. } => String::new(),
        }
    }

    /// The operands of operators that take shapes, which have no text in braces.
    fn extents(&mut self, op: &Op, from: Dtype, result: &str, operands: &mut Operands) -> String {
        let named = |suffix: &str| format!("{result}_{suffix}");
        match op {
            Op::Pad { padding, value } => {
                self.shape(operands, named("padding"), padding.as_flattened());
                self.attribute(operands, named("value"), from, &[*value]);
            }
            Op::Reshape { shape } => self.shape(operands, named("shape"), shape),
            Op::Slice { start, size } => {
                self.shape(operands, named("start"), start);
                self.shape(operands, named("size"), size);
            }
            Op::Tile { multiples } => self.shape(operands, named("multiples"), multiples),
            _ => {}
        }
        String::new()
    }

    fn resize(&mut self, resize: &Resize, result: &str, operands: &mut Operands) -> String {
        let Resize { bilinear, scale, offset, border } = resize;
        self.shape(operands, format!("{result}_scale"), scale);
        self.shape(operands, format!("{result}_offset"), offset);
        self.shape(operands, format!("{result}_border"), border);
        format!("mode = {}", if *bilinear { "BILINEAR" } else { "NEAREST_NEIGHBOR" })
    }

    fn convolution(
        &mut self,
        op: &Op,
        [from, weights]: [Dtype; 2],
        result: &str,
        operands: &mut Operands,
    ) -> String {
        let (zero_points, text) = match op {
            Op::Conv2d(Conv { pad, stride, dilation, input_zp, weight_zp })
            | Op::DepthwiseConv2d(Conv { pad, stride, dilation, input_zp, weight_zp }) => {
                ([*input_zp, *weight_zp], taps(dilation, pad, stride))
            }
            Op::Conv3d(Conv3d { pad, stride, dilation, input_zp, weight_zp }) => {
                ([*input_zp, *weight_zp], taps(dilation, pad, stride))
            }
            Op::TransposeConv2d(TransposeConv { out_pad, stride, input_zp, weight_zp }) => {
                let (out_pad, stride) = (list(out_pad), list(stride));
                let text = format!("out_pad = array<i64: {out_pad}>, stride = array<i64: {stride}>");
                ([*input_zp, *weight_zp], text)
            }
            _ => return String::new(),
        };
        self.attribute(operands, format!("{result}_izp"), from, &zero_points[..1]);
        self.attribute(operands, format!("{result}_wzp"), weights, &zero_points[1..]);
        let acc = if from == Dtype::I16 { Dtype::I48 } else { Dtype::I32 };
        format!("acc_type = {acc}, {text}")
    }

    fn rescale(&mut self, rescale: &Rescale, from: Dtype, result: &str, operands: &mut Operands) -> String {
        let multiplier = if rescale.scale32 { Dtype::I32 } else { Dtype::I16 };
        self.attribute(operands, format!("{result}_multiplier"), multiplier, &rescale.multiplier);
        self.attribute(operands, format!("{result}_shift"), Dtype::I8, &rescale.shift);
        self.attribute(operands, format!("{result}_izp"), from, &[rescale.input_zp]);
        self.attribute(operands, format!("{result}_ozp"), rescale.to, &[rescale.output_zp]);
        let round = match rescale.round {
            Round::Single => "SINGLE_ROUND",
            Round::Double => "DOUBLE_ROUND",
        };
        format!(
            "input_unsigned = {}, output_unsigned = {}, per_channel = {}, rounding_mode = {round}, scale32 = {}",
            rescale.input_unsigned, rescale.output_unsigned, rescale.per_channel, rescale.scale32
        )
    }
}

fn taps(dilation: &[usize], pad: &[usize], stride: &[usize]) -> String {
    format!(
        "dilation = array<i64: {}>, pad = array<i64: {}>, stride = array<i64: {}>",
        list(dilation),
        list(pad),
        list(stride)
    )
}

fn window(pool: &Pool) -> String {
    let Pool { kernel, stride, pad } = pool;
    format!(
        "kernel = array<i64: {}>, pad = array<i64: {}>, stride = array<i64: {}>",
        list(kernel),
        list(pad),
        list(stride)
    )
}

/// A constant's value: a splat, nested lists, or the bytes.
fn dense(value: &Tensor) -> String {
    match value.data.first() {
        // A Boolean has no bytes in hexadecimal.
        Some(_) if value.dtype == Dtype::Bool => {
            let mut text = String::from("dense<");
            nested(&mut text, &value.shape, &value.data.iter().map(|&bit| bit != 0).collect::<Vec<_>>());
            text.push('>');
            text
        }
        Some(first) if value.data.iter().all(|element| element == first) => format!("dense<{first}>"),
        // Neither have elements below a byte, as versions of LLVM differ in theirs.
        _ if value.data.len() <= MAX_LIST || !value.dtype.bits().is_multiple_of(8) => {
            let mut text = String::from("dense<");
            nested(&mut text, &value.shape, &value.data);
            text.push('>');
            text
        }
        _ => format!("dense<\"0x{}\">", hex(&value.data, value.dtype.bits() as usize / 8)),
    }
}

/// The low bytes of each value, little endian.
fn hex(values: &[i64], bytes: usize) -> String {
    let mut text = String::with_capacity(2 * bytes * values.len());
    for byte in values.iter().flat_map(|value| value.to_le_bytes().into_iter().take(bytes)) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}

fn nested<T: Display>(text: &mut String, shape: &[usize], data: &[T]) {
    let Some((&extent, inner)) = shape.split_first() else {
        text.push_str(&list(data));
        return;
    };
    text.push('[');
    for (i, part) in data.chunks(data.len() / extent).enumerate() {
        if i > 0 {
            text.push_str(", ");
        }
        nested(text, inner, part);
    }
    text.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_program() {
        let mut graph = Graph::new();
        let x = graph.input();
        let ones = graph.constant(Tensor::new(Dtype::I32, [1, 2], [7, -8]).unwrap());
        let sum = graph.op(Op::Add, [x, ones]);
        let pad = graph.op(Op::Pad { padding: vec![[0, 1], [2, 0]], value: -3 }, [sum]);
        graph.output(pad);
        let run = graph.run(&[Tensor::new(Dtype::I32, [1, 2], [1, 2]).unwrap()]).unwrap();
        let expected = "\
func.func @main(%arg0: tensor<1x2xi32>) -> (tensor<2x4xi32>) {
  %v1 = \"tosa.const\"() <{values = dense<[[7, -8]]> : tensor<1x2xi32>}> : () -> tensor<1x2xi32>
  %v2 = tosa.add %arg0, %v1 : (tensor<1x2xi32>, tensor<1x2xi32>) -> tensor<1x2xi32>
  %v3_padding = tosa.const_shape {values = dense<[0, 1, 2, 0]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %v3_value = \"tosa.const\"() <{values = dense<-3> : tensor<1xi32>}> : () -> tensor<1xi32>
  %v3 = tosa.pad %v2, %v3_padding, %v3_value : (tensor<1x2xi32>, !tosa.shape<4>, tensor<1xi32>) -> tensor<2x4xi32>
  return %v3 : tensor<2x4xi32>
}
";
        assert_eq!(graph.to_mlir(&run, Constants::Inline).unwrap(), expected);
        assert!(Graph::new().to_mlir(&run, Constants::Inline).is_err());
    }

    #[test]
    fn resources_stand_behind_the_program() {
        let mut graph = Graph::new();
        let table = graph.constant(Tensor::new(Dtype::I16, [65], (0..65).collect::<Vec<_>>()).unwrap());
        let twice = graph.op(Op::Concat { axis: 0 }, [table, table]);
        graph.output(twice);
        let run = graph.run(&[]).unwrap();
        let text = graph.to_mlir(&run, Constants::Resources).unwrap();
        assert!(text.contains("values = dense_resource<constant_0> : tensor<65xi16>"), "{text}");
        assert!(text.contains("      constant_0: \"0x0200000000000100"), "{text}");
        assert!(text.ends_with("#-}\n"), "{text}");
    }

    #[test]
    fn long_constants_are_bytes() {
        let value = Tensor::new(Dtype::I16, [65], (0..65).collect::<Vec<_>>()).unwrap();
        let text = dense(&value);
        assert!(text.starts_with("dense<\"0x000001000200"), "{text}");
        assert_eq!(text.len(), "dense<\"0x\">".len() + 65 * 4);
    }
}
