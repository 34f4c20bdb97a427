//! Quantized operators: `DequantizeLinear`, an operator, `QuantizeLinear` become one operator on codes.
//!
//! Codes of the network have 8 bits and a sign: unsigned ones of the file are 128 more. Invariant: a result is that of real
//! arithmetic on what the operands' codes stand for, rounded to the codes of the result, up to ties and the precision of factors.

mod elementwise;
mod layers;
mod linear;
mod reductions;
mod target;

use std::rc::Rc;

pub(super) use linear::handler as linear;
pub(super) use target::Targets;

use super::call::{Call, Target, one};
use super::node::{Node, axis_of};
use super::tensor::{Data, Kind, Tensor};
use super::trouble::{Outcome, Trouble, invalid, limit, unsupported};
use super::value::{Coded, Flow, Net, Value, missing};
use crate::integer::{Factor, single};
use crate::tosa::{Codes, Elem, Id, Operand, Origin, Rescale};

/// Most scales of a constant.
const MAX_SCALES: usize = 1 << 16;

/// A quantized operator: what it computes, of which values, and the codes of the result.
pub(super) struct Quantized<'a, 'n> {
    pub(super) node: &'a Node<'n>,
    /// Operands as real numbers.
    pub(super) inputs: &'a [Option<Value>],
    pub(super) target: Option<Target>,
}

/// Adds a quantized operator, and returns its result.
type Make = fn(&mut Net, &Quantized<'_, '_>) -> Outcome<Flow>;

/// How an operator is imported if operands are codes that stand for real numbers; none if as on floats, since it only moves them.
#[rustfmt::skip]
fn make(kind: &str) -> Option<Make> {
    Some(match kind {
        "Conv" => layers::conv,
        "ConvTranspose" => layers::conv_transpose,
        "Gemm" => layers::gemm,
        "MatMul" => layers::matmul,
        "Add" | "Sub" | "Sum" => elementwise::sum,
        "Mul" => elementwise::product,
        "Div" => elementwise::quotient,
        "Min" | "Max" => elementwise::extremum,
        "PRelu" => elementwise::prelu,
        "Relu" | "Clip" => elementwise::clamp,
        "Abs" | "Neg" | "Exp" | "Log" | "Sqrt" | "Reciprocal" | "Erf" | "Tanh" | "Sigmoid" | "LeakyRelu" | "HardSigmoid"
        | "HardSwish" | "Elu" | "Selu" | "Celu" | "Softplus" | "Softsign" | "Mish" | "Gelu" | "ThresholdedRelu"
        | "Pow" | "Floor" | "Ceil" => elementwise::function,
        "AveragePool" => reductions::pool,
        "GlobalAveragePool" => reductions::global,
        "ReduceMean" | "ReduceSum" => reductions::reduce,
        "Softmax" => reductions::softmax,
        "Concat" => reductions::concat,
        "Resize" | "Upsample" => reductions::resize,
        _ => return None,
    })
}

/// The results of an operator on codes that stand for real numbers; none if it is imported as on floats.
pub(super) fn evaluate(net: &mut Net, call: &Call<'_>) -> Outcome<Option<Vec<Value>>> {
    let is_real = |value: &Value| matches!(value, Value::Flow(flow) if flow.real);
    if !call.inputs.iter().flatten().any(is_real) {
        return Ok(None);
    }
    let Some(make) = make(call.node.kind()) else { return Ok(None) };
    let inputs = &call.inputs;
    let made = make(net, &Quantized { node: &call.node, inputs, target: call.target })?;
    one(made).map(Some)
}

impl Quantized<'_, '_> {
    /// The codes of the result.
    fn target(&self) -> Outcome<Target> {
        match self.target {
            Some(target) => Ok(target),
            None => unsupported::<Target>("its operands are quantized, its result is not").map_err(
                |trouble: Trouble| {
                    trouble.help("quantize its result as well, or end the network before it with --cut")
                },
            ),
        }
    }

    fn value(&self, index: usize) -> Outcome<&Value> {
        match self.inputs.get(index) {
            Some(Some(value)) => Ok(value),
            Some(None) | None => invalid(format!("operand {index} is missing")),
        }
    }

    /// An operand as codes with their meaning.
    fn codes(&self, net: &mut Net, index: usize) -> Outcome<(Flow, Codes)> {
        let value = self.value(index)?;
        net.codes(value)
    }

    fn optional(&self, index: usize) -> Option<&Value> {
        self.inputs.get(index).and_then(Option::as_ref)
    }
}

impl Net {
    /// A value as codes with their meaning; a constant that is one number becomes the code 1.
    fn codes(&mut self, value: &Value) -> Outcome<(Flow, Codes)> {
        match value {
            Value::Flow(Flow { real: true, codes: Some(codes), .. }) => {
                let flow = self.flow(value)?;
                Ok((flow, *codes))
            }
            Value::Coded(coded) => {
                let (&[scale], &[zero_point], kind) =
                    (&coded.scales[..], &coded.zero_points[..], coded.tensor.kind)
                else {
                    return unsupported("a constant with several scales is supported as weights");
                };
                let shift = match kind {
                    Kind::Int8 | Kind::Int4 => 0,
                    Kind::Uint8 | Kind::Uint4 => 128,
                    _ => return unsupported(format!("a constant of {} is supported as a bias", kind.name())),
                };
                let ints: Vec<i64> =
                    coded.tensor.as_ints().unwrap_or_default().iter().map(|code| code - shift).collect();
                let id = self.build.ints(Elem::I8, &coded.tensor.shape, &ints)?;
                let zero_point = i32::try_from(zero_point - shift).unwrap_or(0);
                let codes = Codes { scale: f64::from(scale), zero_point };
                Ok((Flow { codes: Some(codes), real: true, ..Flow::plain(id) }, codes))
            }
            Value::Known(tensor) => {
                let floats = tensor.to_floats();
                let Some(&first) = floats.first().filter(|first| floats.iter().all(|x| x == *first)) else {
                    return unsupported(
                        "a constant of several numbers must be quantized like other operands",
                    );
                };
                let scale = if first == 0.0 { 1.0 } else { f64::from(first.abs()) };
                let code = if first == 0.0 {
                    0
                } else if first > 0.0 {
                    1
                } else {
                    -1
                };
                let codes = Codes { scale, zero_point: 0 };
                let id = self.build.ints(Elem::I8, &tensor.shape, &vec![code; floats.len()])?;
                Ok((Flow { codes: Some(codes), real: true, ..Flow::plain(id) }, codes))
            }
            Value::Flow(_) | Value::Missing => unsupported("some operands are quantized, others are not"),
        }
    }

    /// A value times a factor and rounded once, between zero points.
    fn rescaled(&mut self, x: Id, factors: &[f64], to: Elem, [input_zp, output_zp]: [i32; 2]) -> Outcome<Id> {
        let same = factors.iter().all(|f| Some(f) == factors.first());
        let factors = if same { factors.get(..1).unwrap_or_default() } else { factors };
        let scales =
            factors.iter().map(|&f| Factor::of(f).and_then(Factor::scale)).collect::<Result<_, _>>()?;
        let spec = Rescale { to, scales, double_round: false, input_zp, output_zp };
        Ok(self.build.rescale(x, &spec)?)
    }

    /// Sums with units, one or one for each channel behind, as codes. Factors have single precision, as in ONNX Runtime.
    fn finished(&mut self, sums: Flow, units: &[f64], target: Target) -> Outcome<Flow> {
        let factor = |unit: &f64| f64::from(single(*unit) / single(target.codes.scale));
        let factors: Vec<f64> = units.iter().map(factor).collect();
        let id = self.rescaled(sums.id, &factors, Elem::I8, [0, target.codes.zero_point])?;
        Ok(coded(sums.with(id, sums.last), target))
    }

    /// Codes with another meaning.
    fn requantized(&mut self, x: Flow, from: Codes, target: Target) -> Outcome<Flow> {
        let factor = from.scale / target.codes.scale;
        let id = if from == target.codes {
            x.id
        } else {
            self.rescaled(x.id, &[factor], Elem::I8, [from.zero_point, target.codes.zero_point])?
        };
        Ok(coded(x.with(id, x.last), target))
    }

    /// Requantizes dequantized codes to the target, if there is one; passes any other value through.
    pub(super) fn brought(&mut self, x: Flow, target: Option<Target>) -> Outcome<Flow> {
        match (x.codes.filter(|_| x.real), target) {
            (Some(codes), Some(target)) => self.requantized(x, codes, target),
            _ => Ok(x),
        }
    }

    /// Notes the meaning of an input's codes where they are first read.
    fn note_codes(&mut self, id: Id, codes: Codes) {
        let mut at = id;
        let graph = self.build.graph_mut();
        while let Some(Origin::Node(node)) = graph.value(at).map(|value| value.origin.clone()) {
            match graph.nodes.get(node).map(|node| (node.name, node.operands.first().cloned())) {
                Some(("reshape" | "transpose", Some(Operand::Value(before)))) => at = before,
                _ => return,
            }
        }
        if let Some(port) = graph.inputs.iter_mut().find(|port| port.id == at && port.codes.is_none()) {
            port.codes = Some(codes);
        }
    }

    /// What codes stand for: a `DequantizeLinear`, which is not computed.
    fn dequantized(&mut self, x: &Value, parameters: &Parameters) -> Outcome<Value> {
        match x {
            Value::Known(tensor) => {
                let coded = parameters.of_constant(tensor)?;
                parameters.check_kind(tensor.kind)?;
                Ok(Value::Coded(Rc::new(coded)))
            }
            Value::Flow(flow) if flow.real => invalid("real numbers cannot be dequantized"),
            Value::Flow(flow) if self.elem(flow.id) == Elem::I8 => {
                parameters.check_kind(kind_of(x))?;
                let target = parameters.target(flow.unsigned)?;
                self.note_codes(flow.id, target.codes);
                Ok(coded(*flow, target).into())
            }
            Value::Flow(flow) => {
                unsupported(format!("codes must be int8 or uint8, got {}", self.elem(flow.id).name()))
            }
            Value::Coded(_) | Value::Missing => invalid("real numbers cannot be dequantized"),
        }
    }
}

/// Codes that stand for real numbers.
fn coded(flow: Flow, target: Target) -> Flow {
    Flow { codes: Some(target.codes), unsigned: target.unsigned, real: true, ..flow }
}

/// Scales and zero points.
pub(super) struct Parameters {
    scales: Vec<f32>,
    zero_points: Vec<i64>,
    kind: Kind,
    axis: i64,
}

impl Parameters {
    /// From constants; without zero point, it is 0 of the given type.
    fn of(scale: &Tensor, zero_point: Option<&Tensor>, kind: Kind, axis: i64) -> Outcome<Parameters> {
        let Data::Floats(scales) = &scale.data else {
            return invalid(format!("a scale must be of floats, got {}", scale.kind.name()));
        };
        if scales.len() > MAX_SCALES {
            return limit(format!("{} scales; at most {MAX_SCALES} are supported", scales.len()));
        }
        if scales.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
            return invalid("a scale must be positive and finite");
        }
        let zero_points = match zero_point {
            None => vec![0; scales.len()],
            Some(tensor) => codes_of(tensor, "a zero point")?.to_vec(),
        };
        if zero_points.len() != scales.len() {
            return invalid(format!("{} scales and {} zero points", scales.len(), zero_points.len()));
        }
        let kind = zero_point.map_or(kind, |tensor| tensor.kind);
        Ok(Parameters { scales: scales.clone(), zero_points, kind, axis })
    }

    /// From the operands of an operator, all of which are constant.
    fn read(call: &Call<'_>, [scale, zero_point]: [usize; 2], kind: Kind) -> Outcome<Parameters> {
        let Some(found) = call.operands().known(scale)? else {
            return invalid(format!("operand {scale} is missing"));
        };
        Parameters::of(found, call.operands().known(zero_point)?, kind, 1)
    }

    /// Codes and zero points have one type.
    fn check_kind(&self, codes: Kind) -> Outcome<()> {
        if self.kind != codes {
            return invalid(format!("a zero point of {} for codes of {}", self.kind.name(), codes.name()));
        }
        Ok(())
    }

    /// The one meaning of codes.
    fn target(&self, unsigned: bool) -> Outcome<Target> {
        let same = |pair: (&f32, &i64)| Some(pair) == self.scales.first().zip(self.zero_points.first());
        let (Some(&scale), Some(&zero_point), true) = (
            self.scales.first(),
            self.zero_points.first(),
            self.scales.iter().zip(&self.zero_points).all(same),
        ) else {
            return unsupported("several scales are supported for constants");
        };
        let shift = if unsigned { 128 } else { 0 };
        // In 8 bits, as its type.
        let zero_point = i32::try_from(zero_point - shift).unwrap_or(0);
        Ok(Target { codes: Codes { scale: f64::from(scale), zero_point }, unsigned })
    }

    fn of_constant(&self, tensor: &Rc<Tensor>) -> Outcome<Coded> {
        codes_of(tensor, "a code")?;
        let axis = if self.scales.len() == 1 {
            0
        } else {
            let axis = axis_of(self.axis, tensor.shape.len())?;
            if tensor.shape.get(axis) != Some(&self.scales.len()) {
                return invalid(format!(
                    "{} scales along axis {axis} of {:?}",
                    self.scales.len(),
                    tensor.shape
                ));
            }
            axis
        };
        let (scales, zero_points) = (self.scales.clone(), self.zero_points.clone());
        Ok(Coded { tensor: Rc::clone(tensor), scales, zero_points, axis })
    }
}

/// Codes or zero points, which have at most 32 bits, so that their differences cannot overflow.
fn codes_of<'a>(tensor: &'a Tensor, what: &str) -> Outcome<&'a [i64]> {
    match (tensor.kind, tensor.as_ints()) {
        (Kind::Int64 | Kind::Uint64 | Kind::Bool, _) | (_, None) => {
            invalid(format!("{what} must be an integer of 4 to 32 bits, got {}", tensor.kind.name()))
        }
        (_, Some(ints)) => Ok(ints),
    }
}

/// The type of codes.
fn kind_of(x: &Value) -> Kind {
    match x {
        Value::Known(tensor) => tensor.kind,
        Value::Flow(flow) if !flow.unsigned => Kind::Int8,
        Value::Flow(_) | Value::Coded(_) | Value::Missing => Kind::Uint8,
    }
}

/// The signedness of 8-bit codes.
fn signedness(kind: Kind) -> Outcome<bool> {
    match kind {
        Kind::Int8 => Ok(false),
        Kind::Uint8 => Ok(true),
        kind => unsupported::<bool>(format!(
            "activations of {} are not supported; int8 and uint8 are",
            kind.name()
        ))
        .map_err(|trouble: Trouble| trouble.help("quantize activations to 8 bits")),
    }
}

/// `DequantizeLinear`.
pub(super) fn dequantize(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    call.node.ignore(&["output_dtype"]);
    call.node.only("block_size", 0)?;
    let axis = call.node.int("axis", 1)?;
    let x = call.value(0)?;
    let parameters = Parameters { axis, ..Parameters::read(call, [1, 2], kind_of(x))? };
    one(net.dequantized(x, &parameters)?)
}

/// The parameters of a `QuantizeLinear`.
fn quantization(node: &Node<'_>, scale: &Tensor, zero_point: Option<&Tensor>) -> Outcome<Parameters> {
    node.ignore(&["saturate", "precision"]);
    node.only("block_size", 0)?;
    let kind = match node.int("output_dtype", 0)? {
        0 => Kind::Uint8,
        number => Kind::of(number)?,
    };
    Parameters::of(scale, zero_point, kind, node.int("axis", 1)?)
}

/// `QuantizeLinear`.
pub(super) fn quantize(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let Some(scale) = call.operands().known(1)? else { return invalid("operand 1 is missing") };
    let parameters = quantization(&call.node, scale, call.operands().known(2)?)?;
    let x = match call.value(0)? {
        Value::Known(tensor) => return one(rounded(tensor, &parameters)?),
        Value::Coded(coded) => return one(rounded(&coded.to_floats(), &parameters)?),
        Value::Flow(flow) => *flow,
        Value::Missing => return missing(),
    };
    let target = parameters.target(signedness(parameters.kind)?)?;
    match x.codes {
        Some(codes) if x.real => {
            let made = net.requantized(x, codes, target)?;
            one(Flow { real: false, ..made })
        }
        _ => unsupported::<Vec<Value>>("it quantizes what is computed in floats").map_err(
            |trouble: Trouble| {
                trouble.help(
                    "quantize the operands of the operator before it, or end the network there with --cut",
                )
            },
        ),
    }
}

/// A constant as codes.
fn rounded(tensor: &Tensor, parameters: &Parameters) -> Outcome<Tensor> {
    let coded = parameters
        .of_constant(&Rc::new(Tensor { data: Data::Ints(vec![0; tensor.len()]), ..tensor.clone() }))?;
    let inner: usize = tensor.shape.iter().skip(coded.axis + 1).product();
    let (least, most) = parameters.kind.range();
    let code = |(place, x): (usize, f32)| {
        let channel = if coded.scales.len() == 1 { 0 } else { place / inner.max(1) % coded.scales.len() };
        let (Some(scale), Some(zero_point)) = (coded.scales.get(channel), coded.zero_points.get(channel))
        else {
            return 0;
        };
        #[allow(clippy::cast_possible_truncation, reason = "saturates, and is clamped")]
        let code = (x / scale).round_ties_even() as i64;
        code.saturating_add(*zero_point).clamp(least, most)
    };
    let ints = tensor.to_floats().into_iter().enumerate().map(code).collect();
    Ok(Tensor { shape: tensor.shape.clone(), kind: parameters.kind, data: Data::Ints(ints) })
}
