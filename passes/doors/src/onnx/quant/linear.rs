//! The operators of ONNX Runtime's QOperator form: an operator on codes with the scales of operands and result.
//!
//! Invariant: they are the operators between `DequantizeLinear` and `QuantizeLinear`.

use super::{Parameters, Quantized, kind_of, signedness};
use crate::onnx::call::Target;
use crate::onnx::call::{Call, one};
use crate::onnx::node::Node;
use crate::onnx::proto;
use crate::onnx::tensor::Kind;
use crate::onnx::trouble::{Outcome, unsupported};
use crate::onnx::value::{Flow, Net, Value};

/// Where operands are: those that are real numbers with their scales and zero points, the parameters of the result, and further
/// operands.
struct Places {
    /// The operator on real numbers.
    kind: &'static str,
    real: Vec<[usize; 3]>,
    result: [usize; 2],
    more: Option<usize>,
}

fn places(kind: &str, count: usize) -> Option<Places> {
    let two = vec![[0, 1, 2], [3, 4, 5]];
    let one = |kind| Places { kind, real: vec![[0, 1, 2]], result: [3, 4], more: None };
    Some(match kind {
        "QLinearConv" => Places { kind: "Conv", real: two, result: [6, 7], more: Some(8) },
        "QLinearMatMul" => Places { kind: "MatMul", real: two, result: [6, 7], more: None },
        "QLinearAdd" => Places { kind: "Add", real: two, result: [6, 7], more: None },
        "QLinearMul" => Places { kind: "Mul", real: two, result: [6, 7], more: None },
        "QGemm" => Places { kind: "Gemm", real: two, result: [7, 8], more: Some(6) },
        "QLinearAveragePool" => one("AveragePool"),
        "QLinearGlobalAveragePool" => one("GlobalAveragePool"),
        "QLinearReduceMean" => one("ReduceMean"),
        "QLinearSigmoid" => one("Sigmoid"),
        "QLinearLeakyRelu" => one("LeakyRelu"),
        "QLinearSoftmax" => one("Softmax"),
        "QLinearConcat" => Places {
            kind: "Concat",
            real: (0..count.saturating_sub(2) / 3).map(|i| [3 * i + 2, 3 * i + 3, 3 * i + 4]).collect(),
            result: [0, 1],
            more: None,
        },
        _ => return None,
    })
}

/// An operator on codes.
pub(in crate::onnx) fn handler(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let node = &call.node;
    let Some(places) = places(node.kind(), call.inputs.len()) else {
        return unsupported(format!("'{}' is not supported", node.kind()));
    };
    node.only("channels_last", 0)?;
    let mut inputs = Vec::new();
    for [x, scale, zero_point] in places.real {
        let x = call.value(x)?;
        // Several scales belong to outputs.
        let axis = match node.kind() {
            "QLinearConv" => 0,
            "QGemm" => i64::from(!node.flag("transB", false)?),
            _ => -1,
        };
        let parameters = Parameters { axis, ..Parameters::read(call, [scale, zero_point], kind_of(x))? };
        inputs.push(Some(net.dequantized(x, &parameters)?));
    }
    inputs.extend(places.more.map(|index| call.inputs.get(index).cloned().flatten()));
    let target = result(call, places.result, &inputs)?;
    // The same operator, with its attributes, by its plain name.
    let opset = match node.kind() {
        "QLinearSoftmax" => node.int("opset", 13)?,
        _ => node.opset,
    };
    let plain = proto::Node { op_type: places.kind.to_owned(), ..node.of.clone() };
    let plain = Node::new(&plain, opset);
    plain.ignore(&["channels_last", "opset"]);
    let Some(make) = super::make(places.kind) else {
        return unsupported(format!("'{}' is not supported", node.kind()));
    };
    let made = make(net, &Quantized { node: &plain, inputs: &inputs, target: Some(target) })?;
    plain.check_attributes()?;
    node.ignore_all();
    one(Flow { real: false, ..made })
}

/// The codes of the result, which have the signedness of its zero point, or of the first operand.
fn result(call: &Call<'_>, places: [usize; 2], inputs: &[Option<Value>]) -> Outcome<Target> {
    let like = match inputs.first() {
        Some(Some(Value::Flow(flow))) if !flow.unsigned => Kind::Int8,
        _ => Kind::Uint8,
    };
    let parameters = Parameters::read(call, places, like)?;
    parameters.target(signedness(parameters.kind)?)
}
