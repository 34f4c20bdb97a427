//! A function of TOSA operators as a program of the project's internal oracle, read from the IR without any code of the passes.

use std::collections::BTreeMap;

use strum_ir::{Attribute, Context, Module, Operation, Type, Value};
use strum_ref::smith::Case;
use strum_ref::{
    Conv, Conv3d, Dtype, Graph, NodeId, Op, Pool, Rescale, Resize, Round, Tensor, TransposeConv,
};

/// Runs a pipeline on a text that computes what a case computes, checks the function, and compares what it computes then.
pub(crate) fn check(
    context: &Context,
    (case, text): (&Case, &str),
    pipeline: &str,
    mut legal: impl FnMut(Operation<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let (done, diagnostics) = context.handle().capture(|| {
        let mut module = Module::parse(context, text.as_bytes(), "test.mlir").map_err(|e| e.to_string())?;
        let done = (|| {
            module.run(pipeline).map_err(|e| e.to_string())?;
            let function = module.symbol("main").ok_or("@main is gone")?;
            legal(function)?;
            let graph = import(function)?;
            let run = graph.run(&case.inputs).map_err(|e| format!("not legal: {e}\n{}", module.op()))?;
            if run.unpredictable.is_some() || run.outputs != case.outputs {
                return Err(format!("wrong result\n{}", module.op()));
            }
            Ok(())
        })();
        module.destroy_with_constants();
        done
    });
    let all = |error: String| diagnostics.iter().fold(error, |all, d| format!("{all}\n{d}"));
    done.map_err(|error| format!("{}\nfrom\n{text}", all(error)))
}

/// Reads the body of a `func.func`.
///
/// # Errors
/// An operator is unknown, or incomplete; the text names it.
pub(crate) fn import(function: Operation<'_>) -> Result<Graph, String> {
    let body = function.body().ok_or("the function has no body")?;
    let mut graph = Graph::new();
    let mut nodes: BTreeMap<Value<'_>, NodeId> =
        body.arguments().into_iter().map(|argument| (argument, graph.input())).collect();
    for op in body.operations() {
        let node = |index: usize| op.operand(index).and_then(|value| nodes.get(&value)).copied();
        match op.name() {
            "tosa.const_shape" => continue,
            "func.return" => {
                for index in 0..op.num_operands() {
                    graph.output(node(index).ok_or("a result is not there")?);
                }
                continue;
            }
            _ => {}
        }
        let id = read(op, &mut graph, node).ok_or_else(|| format!("cannot read {op}"))?;
        nodes.insert(op.single_result().ok_or_else(|| format!("no result: {op}"))?, id);
    }
    Ok(graph)
}

fn read(op: Operation<'_>, graph: &mut Graph, node: impl Fn(usize) -> Option<NodeId>) -> Option<NodeId> {
    if op.is("tosa.const") {
        let tensor = tensor(op.result(0)?.ty(), op.attribute("values")?)?;
        return Some(graph.constant(tensor));
    }
    let (operator, inputs) = operator(op)?;
    let inputs: Vec<NodeId> = (0..inputs).map(node).collect::<Option<_>>()?;
    Some(graph.op(operator, inputs))
}

fn dtype(ty: Type<'_>) -> Option<Dtype> {
    let width = ty.as_tensor()?.element.int_width()?;
    Dtype::EVERY.into_iter().chain([Dtype::I4]).find(|dtype| dtype.bits() == width)
}

fn tensor(ty: Type<'_>, values: Attribute<'_>) -> Option<Tensor> {
    let shape: Vec<usize> = extents(&ty.as_tensor()?.shape)?;
    let elements = match dtype(ty)? {
        Dtype::I4 => values.nibbles().ok()?.into_iter().map(|v| i64::from(v.cast_signed())).collect(),
        Dtype::Bool => values.bools().ok()?.into_iter().map(i64::from).collect(),
        _ => values.int_elements().ok()?,
    };
    Tensor::new(dtype(ty)?, shape, elements).ok()
}

fn extents(values: &[i64]) -> Option<Vec<usize>> {
    values.iter().map(|&value| usize::try_from(value).ok()).collect()
}

/// The first element of a constant operand.
fn scalar(op: Operation<'_>, index: usize) -> Option<i64> {
    let values = op.operand(index)?.constant()?;
    match values.int_elements() {
        Ok(values) => values.first().copied(),
        Err(_) => Some(i64::from(values.nibbles().ok()?.first()?.cast_signed())),
    }
}

/// An operator, and how many of its first operands are values; the others are constant parameters.
fn operator(op: Operation<'_>) -> Option<(Op, usize)> {
    let list = |name: &str| extents(&op.ints_attr(name)?);
    let values = |index: usize| op.operand(index)?.constant()?.int_elements().ok();
    let scalar = |index: usize| scalar(op, index);
    let shape = |index: usize| extents(&values(index)?);
    let axis = || usize::try_from(op.int_attr("axis")?).ok();
    let conv = || {
        Some(Conv {
            pad: list("pad")?.try_into().ok()?,
            stride: list("stride")?.try_into().ok()?,
            dilation: list("dilation")?.try_into().ok()?,
            input_zp: scalar(3)?,
            weight_zp: scalar(4)?,
        })
    };
    let pool = || {
        Some(Pool {
            kernel: list("kernel")?.try_into().ok()?,
            stride: list("stride")?.try_into().ok()?,
            pad: list("pad")?.try_into().ok()?,
        })
    };
    Some(match op.name() {
        "tosa.conv2d" => (Op::Conv2d(conv()?), 3),
        "tosa.depthwise_conv2d" => (Op::DepthwiseConv2d(conv()?), 3),
        "tosa.matmul" => (Op::MatMul { a_zp: scalar(2)?, b_zp: scalar(3)? }, 2),
        "tosa.max_pool2d" => (Op::MaxPool2d(pool()?), 1),
        "tosa.avg_pool2d" => {
            (Op::AvgPool2d { pool: pool()?, input_zp: scalar(1)?, output_zp: scalar(2)? }, 1)
        }
        "tosa.rescale" => (Op::Rescale(rescale(op)?), 1),
        "tosa.clamp" => (Op::Clamp { min: op.int_attr("min_val")?, max: op.int_attr("max_val")? }, 1),
        "tosa.add" => (Op::Add, 2),
        "tosa.sub" => (Op::Sub, 2),
        "tosa.mul" => (Op::Mul { shift: scalar(2)? }, 2),
        "tosa.maximum" => (Op::Maximum, 2),
        "tosa.minimum" => (Op::Minimum, 2),
        "tosa.arithmetic_right_shift" => (Op::ArithmeticRightShift { round: op.bool_attr("round")? }, 2),
        "tosa.logical_left_shift" => (Op::LogicalLeftShift, 2),
        "tosa.reduce_all" => (Op::ReduceAll { axis: axis()? }, 1),
        "tosa.reduce_any" => (Op::ReduceAny { axis: axis()? }, 1),
        "tosa.argmax" => (Op::ArgMax { axis: axis()? }, 1),
        "tosa.abs" => (Op::Abs, 1),
        "tosa.negate" => (Op::Negate { input_zp: scalar(1)?, output_zp: scalar(2)? }, 1),
        "tosa.clz" => (Op::Clz, 1),
        "tosa.identity" => (Op::Identity, 1),
        "tosa.table" => (Op::Table, 2),
        "tosa.reduce_sum" => (Op::ReduceSum { axis: axis()? }, 1),
        "tosa.reduce_max" => (Op::ReduceMax { axis: axis()? }, 1),
        "tosa.reduce_min" => (Op::ReduceMin { axis: axis()? }, 1),
        "tosa.concat" => (Op::Concat { axis: axis()? }, op.num_operands()),
        "tosa.pad" => {
            let padding = shape(1)?.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect();
            (Op::Pad { padding, value: scalar(2)? }, 1)
        }
        "tosa.reshape" => (Op::Reshape { shape: shape(1)? }, 1),
        "tosa.slice" => (Op::Slice { start: shape(1)?, size: shape(2)? }, 1),
        "tosa.transpose" => (Op::Transpose { perms: list("perms")? }, 1),
        "tosa.cast" => (Op::Cast { to: dtype(op.result(0)?.ty())? }, 1),
        _ => return plain(op).or_else(|| compound(op)),
    })
}

/// An operator without parameters.
fn plain(op: Operation<'_>) -> Option<(Op, usize)> {
    Some(match op.name() {
        "tosa.equal" => (Op::Equal, 2),
        "tosa.greater" => (Op::Greater, 2),
        "tosa.greater_equal" => (Op::GreaterEqual, 2),
        "tosa.select" => (Op::Select, 3),
        "tosa.logical_and" => (Op::LogicalAnd, 2),
        "tosa.logical_or" => (Op::LogicalOr, 2),
        "tosa.logical_xor" => (Op::LogicalXor, 2),
        "tosa.logical_not" => (Op::LogicalNot, 1),
        "tosa.logical_right_shift" => (Op::LogicalRightShift, 2),
        "tosa.bitwise_and" => (Op::BitwiseAnd, 2),
        "tosa.bitwise_or" => (Op::BitwiseOr, 2),
        "tosa.bitwise_xor" => (Op::BitwiseXor, 2),
        "tosa.bitwise_not" => (Op::BitwiseNot, 1),
        "tosa.intdiv" => (Op::IntDiv, 2),
        "tosa.gather" => (Op::Gather, 2),
        "tosa.scatter" => (Op::Scatter, 3),
        _ => return None,
    })
}

/// An operator that is made of others.
fn compound(op: Operation<'_>) -> Option<(Op, usize)> {
    let list = |name: &str| extents(&op.ints_attr(name)?);
    let values = |index: usize| op.operand(index)?.constant()?.int_elements().ok();
    let scalar = |index: usize| scalar(op, index);
    Some(match op.name() {
        "tosa.conv3d" => {
            let conv = Conv3d {
                pad: list("pad")?.try_into().ok()?,
                stride: list("stride")?.try_into().ok()?,
                dilation: list("dilation")?.try_into().ok()?,
                input_zp: scalar(3)?,
                weight_zp: scalar(4)?,
            };
            (Op::Conv3d(conv), 3)
        }
        "tosa.transpose_conv2d" => {
            let conv = TransposeConv {
                out_pad: op.ints_attr("out_pad")?.try_into().ok()?,
                stride: list("stride")?.try_into().ok()?,
                input_zp: scalar(3)?,
                weight_zp: scalar(4)?,
            };
            (Op::TransposeConv2d(conv), 3)
        }
        "tosa.resize" => {
            let resize = Resize {
                bilinear: op.keyword_attr("mode")? == "BILINEAR",
                scale: values(1)?.try_into().ok()?,
                offset: values(2)?.try_into().ok()?,
                border: values(3)?.try_into().ok()?,
            };
            (Op::Resize(resize), 1)
        }
        "tosa.tile" => (Op::Tile { multiples: extents(&values(1)?)? }, 1),
        "tosa.reverse" => (Op::Reverse { axis: usize::try_from(op.int_attr("axis")?).ok()? }, 1),
        _ => return None,
    })
}

fn rescale(op: Operation<'_>) -> Option<Rescale> {
    let values = |index: usize| op.operand(index)?.constant()?.int_elements().ok();
    let (from, to) = (dtype(op.operand(0)?.ty())?, dtype(op.result(0)?.ty())?);
    let zero_point = |index: usize, dtype: Dtype, unsigned: bool| {
        let stored = *values(index)?.first()?;
        Some(if unsigned { stored & ((1 << dtype.bits()) - 1) } else { stored })
    };
    let (input_unsigned, output_unsigned) =
        (op.bool_attr("input_unsigned")?, op.bool_attr("output_unsigned")?);
    Some(Rescale {
        to,
        multiplier: values(1)?,
        shift: values(2)?,
        scale32: op.bool_attr("scale32")?,
        round: match op.keyword_attr("rounding_mode")?.as_str() {
            "SINGLE_ROUND" | "INEXACT_ROUND" => Round::Single,
            "DOUBLE_ROUND" => Round::Double,
            _ => return None,
        },
        per_channel: op.bool_attr("per_channel")?,
        input_unsigned,
        output_unsigned,
        input_zp: zero_point(3, from, input_unsigned)?,
        output_zp: zero_point(4, to, output_unsigned)?,
    })
}
