//! How operators are imported. Invariant: an operator without a row is refused.

use super::call::Call;
use super::ops::{
    activation, conv, einsum, elementwise, matmul, normalize, pool, reduce, resize, shape, transposed,
};
use super::quant;
use super::trouble::{Outcome, unsupported};
use super::value::{Net, Value};

/// Adds an operator to a network, and returns its results.
pub(super) type Handler = fn(&mut Net, &Call<'_>) -> Outcome<Vec<Value>>;

/// How an operator of ONNX's own domain is imported.
#[rustfmt::skip]
pub(super) fn handler(kind: &str) -> Option<Handler> {
    Some(match kind {
        "Conv" => conv::conv,
        "ConvTranspose" => transposed::transposed,
        "MatMul" => matmul::matmul,
        "Gemm" => matmul::gemm,
        "Einsum" => einsum::einsum,
        "MaxPool" | "AveragePool" => pool::pool,
        "LpPool" => pool::norms,
        "GlobalAveragePool" | "GlobalMaxPool" => pool::global,
        "LRN" => normalize::lrn,
        "BatchNormalization" => normalize::batch,
        "InstanceNormalization" => normalize::instance,
        "GroupNormalization" => normalize::group,
        "LayerNormalization" => normalize::layer,
        "RMSNormalization" => normalize::mean_square,
        "LpNormalization" => normalize::norm,
        "MeanVarianceNormalization" => normalize::spread,
        "Add" | "Sub" | "Mul" | "Div" | "Min" | "Max" | "Sum" | "Mean" | "Pow" => elementwise::arithmetic,
        "Abs" | "Neg" | "Floor" | "Ceil" | "Exp" | "Log" | "Sqrt" | "Reciprocal" | "Erf" | "Tanh" | "Sigmoid" =>
            elementwise::unary,
        "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" => elementwise::relation,
        "Where" => elementwise::choice,
        "Cast" | "CastLike" => elementwise::cast,
        "Relu" | "LeakyRelu" | "PRelu" | "Clip" | "ThresholdedRelu" => activation::clipped,
        "HardSigmoid" | "HardSwish" | "Elu" | "Celu" | "Selu" | "Softplus" | "Softsign" | "Mish" | "Gelu" | "Swish" =>
            activation::smooth,
        "Softmax" | "LogSoftmax" => activation::softmax,
        "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" | "ReduceProd" | "ReduceL1" | "ReduceL2"
        | "ReduceSumSquare" | "ReduceLogSum" | "ReduceLogSumExp" => reduce::reduce,
        "ArgMax" | "ArgMin" => reduce::arg,
        "Resize" | "Upsample" => resize::resize,
        "Identity" | "Dropout" => shape::identity,
        "Constant" => shape::constant,
        "ConstantOfShape" => shape::filled,
        "Shape" | "Size" => shape::shape,
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => shape::reshape,
        "Transpose" => shape::transpose,
        "Concat" => shape::concat,
        "Split" => shape::split,
        "Slice" => shape::slice,
        "Gather" => shape::gather,
        "Pad" => shape::pad,
        "Expand" => shape::expand,
        "Tile" => shape::tile,
        "DepthToSpace" | "SpaceToDepth" => shape::blocks,
        "QuantizeLinear" => quant::quantize,
        "DequantizeLinear" => quant::dequantize,
        "QLinearConv" | "QLinearMatMul" => quant::linear,
        _ => return None,
    })
}

/// How an operator of ONNX Runtime's domain, `com.microsoft`, is imported.
pub(super) fn contributed(kind: &str) -> Option<Handler> {
    Some(match kind {
        "Gelu" | "BiasGelu" | "FastGelu" | "QuickGelu" => activation::smooth,
        "QuantizeLinear" => quant::quantize,
        "DequantizeLinear" => quant::dequantize,
        "QLinearAdd"
        | "QLinearMul"
        | "QLinearAveragePool"
        | "QLinearGlobalAveragePool"
        | "QLinearConcat"
        | "QLinearSigmoid"
        | "QLinearLeakyRelu"
        | "QLinearSoftmax"
        | "QLinearReduceMean"
        | "QGemm" => quant::linear,
        _ => return None,
    })
}

/// The next step for operators that are not supported.
pub(super) fn help(kind: &str) -> Option<&'static str> {
    match kind {
        "DynamicQuantizeLinear" | "ConvInteger" | "MatMulInteger" => Some(
            "quantize with constant scales: quantize_static of onnxruntime, or the float network with strumc quantize",
        ),
        _ => None,
    }
}

/// Whether an operator is supported on constants alone.
pub(super) fn is_folded(kind: &str) -> bool {
    matches!(kind, "Mod" | "And" | "Or" | "Not" | "Range")
}

/// An operator that is supported on constants alone.
pub(super) fn not_constant(_net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    unsupported(format!("'{}' is supported on constants", call.node.kind()))
}
