//! The operators that are read. Invariant: an operator that is not listed here is refused by name.

use super::file::{Kind, Operator, shown};
use super::importer::{Importer, unsupported_kind};
use super::stop::{Step, Stop};
use super::{
    activations, arithmetic, blocks, convolutions, fold, images, movements, quantization, reductions,
    variables,
};

/// Reads an operator.
type Reader = for<'a> fn(&mut Importer<'a>, &Operator<'a>) -> Step<()>;

fn reader(op: &Operator<'_>) -> Option<Reader> {
    if op.custom {
        return match &*op.kind {
            "Convolution2DTransposeBias" => Some(convolutions::custom_transposed),
            _ => None,
        };
    }
    let movement: Option<Reader> = match &*op.kind {
        "BATCH_TO_SPACE_ND" => Some(blocks::batch_to_space),
        "BROADCAST_TO" => Some(movements::broadcast_to),
        "CONCATENATION" => Some(movements::concatenation),
        "DEPTH_TO_SPACE" => Some(blocks::depth_to_space),
        "EXPAND_DIMS" | "RESHAPE" | "SQUEEZE" => Some(movements::reshape),
        "GATHER" => Some(movements::gather),
        "MIRROR_PAD" => Some(movements::mirror_pad),
        "PACK" => Some(movements::pack),
        "PAD" | "PADV2" => Some(movements::pad),
        "REVERSE_V2" => Some(movements::reverse),
        "SLICE" => Some(movements::slice),
        "SPACE_TO_BATCH_ND" => Some(blocks::space_to_batch),
        "SPACE_TO_DEPTH" => Some(blocks::space_to_depth),
        "SPLIT" | "SPLIT_V" => Some(movements::split),
        "STRIDED_SLICE" => Some(movements::strided_slice),
        "TILE" => Some(movements::tile),
        "TRANSPOSE" => Some(movements::transpose),
        "UNPACK" => Some(movements::unpack),
        _ => None,
    };
    movement.or_else(|| computation(&op.kind))
}

fn computation(kind: &str) -> Option<Reader> {
    Some(match kind {
        "ABS" | "CEIL" | "COS" | "ELU" | "EXP" | "FLOOR" | "GELU" | "HARD_SWISH" | "LEAKY_RELU" | "LOG"
        | "LOGISTIC" | "NEG" | "RELU" | "RELU6" | "RELU_0_TO_1" | "RELU_N1_TO_1" | "RSQRT" | "SIN"
        | "SQRT" | "SQUARE" | "TANH" => activations::unary,
        "ADD" | "DIV" | "MAXIMUM" | "MINIMUM" | "MUL" | "POW" | "SQUARED_DIFFERENCE" | "SUB" => {
            arithmetic::binary
        }
        "ADD_N" => arithmetic::add_n,
        "ARG_MAX" => reductions::arg_max,
        "ASSIGN_VARIABLE" => variables::assign,
        "AVERAGE_POOL_2D" | "MAX_POOL_2D" => images::pool,
        "BATCH_MATMUL" => convolutions::batch_matmul,
        "CALL_ONCE" => variables::call_once,
        "CAST" => arithmetic::cast,
        "CONV_2D" | "DEPTHWISE_CONV_2D" => convolutions::convolution,
        "DENSIFY" => quantization::densify,
        "DEQUANTIZE" => quantization::dequantize,
        "EQUAL" | "GREATER" | "GREATER_EQUAL" | "LESS" | "LESS_EQUAL" | "NOT_EQUAL" => arithmetic::comparison,
        "FULLY_CONNECTED" => convolutions::fully_connected,
        "L2_NORMALIZATION" => reductions::l2_normalization,
        "LOGICAL_AND" | "LOGICAL_NOT" | "LOGICAL_OR" => arithmetic::logical,
        "LOG_SOFTMAX" => activations::log_softmax,
        "MEAN" | "REDUCE_MAX" | "REDUCE_MIN" | "SUM" => reductions::reduction,
        "PRELU" => activations::prelu,
        "QUANTIZE" => quantization::quantize,
        "READ_VARIABLE" => variables::read,
        "RESIZE_BILINEAR" | "RESIZE_NEAREST_NEIGHBOR" => images::resize,
        "SELECT" | "SELECT_V2" => arithmetic::select,
        "SOFTMAX" => activations::softmax,
        "TRANSPOSE_CONV" => convolutions::transposed,
        "VAR_HANDLE" => variables::handle,
        _ => return None,
    })
}

/// Whether an operator is one of those that are read, whatever its operands.
pub(super) fn is_supported(op: &Operator<'_>) -> bool {
    reader(op).is_some() || fold::is_foldable(&op.kind)
}

/// Reads an operator, or finds its results while reading.
pub(super) fn read<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    if fold::fold(importer, op)? {
        return Ok(());
    }
    let Some(reader) = reader(op) else { return Err(refused(op)) };
    let mut signs = [false; 2];
    for &tensor in op.inputs.iter().flatten().chain(&op.outputs) {
        match importer.kind(tensor)? {
            Kind::I16 => return Err(unsupported_kind(Kind::I16)),
            Kind::I8 => signs[0] = true,
            Kind::U8 => signs[1] = true,
            _ => {}
        }
    }
    if signs == [true; 2] && op.kind != "QUANTIZE" {
        return Err(Stop::unsupported(format!("{} of int8 and uint8", op.kind)));
    }
    reader(importer, op)
}

fn refused(op: &Operator<'_>) -> Stop {
    let name = shown(&op.kind);
    match &*name {
        "IF" | "WHILE" => Stop::unsupported(format!("control flow ({name}) is not supported")),
        _ if op.custom => Stop::unsupported(format!("the custom operator '{name}' is not supported")),
        _ if fold::is_foldable(&name) => Stop::unsupported(format!(
            "{name} is supported where its result is known when the network is compiled"
        )),
        _ => Stop::unsupported(format!("{name} is not supported")),
    }
}
