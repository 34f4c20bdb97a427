//! Element-wise operators on codes. Invariant: sums are exact to 20 bits behind the point of the coarser operand, and rounded once;
//! a function of one operand is a table.

use super::{Quantized, coded};
use crate::onnx::call::{Operands, Target};
use crate::onnx::ops::activation::bounds;
use crate::onnx::tensor::Tensor;
use crate::onnx::trouble::{Outcome, invalid, unsupported};
use crate::onnx::value::{Flow, Net, Value};
use crate::tosa::{Codes, Elem};

/// Bits behind the point of a sum.
const SUM_BITS: i32 = 20;

impl Net {
    /// Codes as numbers of 32 bits in a unit.
    fn wide(&mut self, (x, codes): (Flow, Codes), factor: f64) -> Outcome<Flow> {
        Ok(x.with(self.rescaled(x.id, &[factor], Elem::I32, [codes.zero_point, 0])?, x.last))
    }
}

/// `Add`, `Sub` and `Sum`.
pub(super) fn sum(net: &mut Net, call: &Quantized<'_, '_>) -> Outcome<Flow> {
    let target = call.target()?;
    let name = if call.node.kind() == "Sub" { "sub" } else { "add" };
    let mut all = Vec::new();
    for index in 0..call.inputs.len() {
        all.push(call.codes(net, index)?);
    }
    if all.len() > 16 {
        return unsupported(format!("a sum of {} operands; 16 are supported", all.len()));
    }
    // Room for the sign of a sum of all.
    let spare = f64::from(u32::try_from(all.len()).unwrap_or(16)).log2().ceil();
    let most = all.iter().map(|(_, codes)| codes.scale).fold(0.0, f64::max);
    let unit = most * spare.exp2() / f64::from(SUM_BITS).exp2();
    let mut sum = None;
    for operand in all {
        let wide = net.wide(operand, operand.1.scale / unit)?;
        sum = Some(match sum {
            None => wide,
            Some(so_far) => net.binary(name, so_far, wide)?,
        });
    }
    match sum {
        Some(sum) => net.finished(sum, &[unit], target),
        None => invalid("no operand"),
    }
}

/// `Mul`.
pub(super) fn product(net: &mut Net, call: &Quantized<'_, '_>) -> Outcome<Flow> {
    let target = call.target()?;
    let (a, b) = (call.codes(net, 0)?, call.codes(net, 1)?);
    let unit = a.1.scale * b.1.scale;
    let (a, b) = (net.wide(a, 1.0)?, net.wide(b, 1.0)?);
    let product = net.binary("mul", a, b)?;
    net.finished(product, &[unit], target)
}

/// `Div` by one constant number.
pub(super) fn quotient(net: &mut Net, call: &Quantized<'_, '_>) -> Outcome<Flow> {
    match call.optional(1) {
        Some(Value::Coded(coded)) => by_number(net, call, &coded.to_floats()),
        Some(Value::Known(tensor)) => by_number(net, call, tensor),
        _ => unsupported("a quantized quotient is supported with one constant divisor"),
    }
}

fn by_number(net: &mut Net, call: &Quantized<'_, '_>, divisor: &Tensor) -> Outcome<Flow> {
    match *divisor.to_floats() {
        [divisor] if divisor.is_finite() && divisor != 0.0 => table(net, call, |x| x / divisor),
        _ => unsupported("a quantized quotient is supported with one constant divisor"),
    }
}

/// `Min` and `Max`.
pub(super) fn extremum(net: &mut Net, call: &Quantized<'_, '_>) -> Outcome<Flow> {
    let target = call.target()?;
    let name = if call.node.kind() == "Min" { "minimum" } else { "maximum" };
    let unit = target.codes.scale / f64::from(SUM_BITS).exp2() * 256.0;
    let mut best = None;
    for index in 0..call.inputs.len() {
        let operand = call.codes(net, index)?;
        let wide = net.wide(operand, operand.1.scale / unit)?;
        best = Some(match best {
            None => wide,
            Some(so_far) => net.binary(name, so_far, wide)?,
        });
    }
    match best {
        Some(best) => net.finished(best, &[unit], target),
        None => invalid("no operand"),
    }
}

/// `PRelu`: one of the two parts is 0.
pub(super) fn prelu(net: &mut Net, call: &Quantized<'_, '_>) -> Outcome<Flow> {
    let target = call.target()?;
    let ((x, codes), slope) = (call.codes(net, 0)?, call.codes(net, 1)?);
    let wide = net.wide((x, codes), 1.0)?;
    let zero = Flow::plain(net.build.ints(Elem::I32, &[], &[0])?);
    let (positive, negative) = (net.binary("maximum", wide, zero)?, net.binary("minimum", wide, zero)?);
    let slope_unit = slope.1.scale;
    let slope = net.wide(slope, 1.0)?;
    let bent = net.binary("mul", negative, slope)?;
    // Products have 16 bits, and values are brought to their unit where that is the finer one.
    let unit = codes.scale * slope_unit.clamp(1.0 / 65536.0, 1.0) / 64.0;
    let part = |net: &mut Net, x: Flow, factor: f64| -> Outcome<Flow> {
        Ok(x.with(net.rescaled(x.id, &[factor], Elem::I32, [0, 0])?, x.last))
    };
    let positive = part(net, positive, codes.scale / unit)?;
    let bent = part(net, bent, codes.scale * slope_unit / unit)?;
    let sum = net.binary("add", positive, bent)?;
    net.finished(sum, &[unit], target)
}

/// `Relu` and `Clip`: a clamp if the codes are those of the operand, otherwise a table.
pub(super) fn clamp(net: &mut Net, call: &Quantized<'_, '_>) -> Outcome<Flow> {
    let (x, codes) = call.codes(net, 0)?;
    let (min, max) = match call.node.kind() {
        "Relu" => (0.0, f32::INFINITY),
        _ => bounds(call.node, Operands(call.inputs))?,
    };
    if min.is_nan() || max.is_nan() {
        return invalid(format!("{min} to {max} is not a range"));
    }
    // Bounds between two codes would be rounded before the result is.
    if let Some(target) = call.target.filter(|target| target.codes != codes) {
        return net.table(x, codes, target, |x| x.clamp(min, max));
    }
    let code = |x: f32| rounded(f64::from(x), codes);
    let real = |code: i64| {
        #[allow(clippy::cast_precision_loss, reason = "at most 8 bits from the zero point")]
        let distance = (code - i64::from(codes.zero_point)) as f64;
        distance * codes.scale
    };
    // Without a requantization behind it, an effective bound must be exactly representable, up to the precision of floats.
    let exact = |x: f32| (real(code(x)) - f64::from(x)).abs() <= 1e-4 * codes.scale;
    let effects = [(min, f64::from(min) > real(-128)), (max, f64::from(max) < real(127))];
    if call.target.is_none() && effects.iter().any(|&(bound, effect)| effect && !exact(bound)) {
        call.target()?;
    }
    let (min, max) = (code(min), code(max));
    if (min, max) == (-128, 127) {
        return Ok(x);
    }
    Ok(x.with(net.build.clamp(x.id, min, max)?, x.last))
}

/// The code of a number.
fn rounded(x: f64, codes: Codes) -> i64 {
    #[allow(clippy::cast_possible_truncation, reason = "saturates, and is clamped")]
    let code = (x / codes.scale).round_ties_even() as i64;
    code.saturating_add(codes.zero_point.into()).clamp(-128, 127)
}

/// A function of the one operand that is computed.
fn table(net: &mut Net, call: &Quantized<'_, '_>, function: impl Fn(f32) -> f32) -> Outcome<Flow> {
    let (x, codes) = call.codes(net, 0)?;
    net.table(x, codes, call.target()?, function)
}

impl Net {
    fn table(
        &mut self,
        x: Flow,
        codes: Codes,
        target: Target,
        function: impl Fn(f32) -> f32,
    ) -> Outcome<Flow> {
        let entry = |code: i32| {
            #[allow(clippy::cast_possible_truncation, reason = "the file computes in single precision")]
            let real = (f64::from(code - codes.zero_point) * codes.scale) as f32;
            rounded(f64::from(function(real)), target.codes)
        };
        let entries: Vec<i64> = (-128..=127).map(entry).collect();
        Ok(coded(x.with(self.build.table(x.id, &entries)?, x.last), target))
    }
}

/// A function of one operand.
pub(super) fn function(net: &mut Net, call: &Quantized<'_, '_>) -> Outcome<Flow> {
    let node = call.node;
    let (alpha, beta, gamma) = match node.kind() {
        "LeakyRelu" => (node.float("alpha", 0.01)?, 0.0, 1.0),
        "HardSigmoid" => (node.float("alpha", 0.2)?, node.float("beta", 0.5)?, 1.0),
        "Elu" | "Celu" | "ThresholdedRelu" => (node.float("alpha", 1.0)?, 0.0, 1.0),
        "Selu" => (node.float("alpha", 1.673_263_2)?, 0.0, node.float("gamma", 1.050_701)?),
        "Pow" => match call.optional(1) {
            Some(Value::Known(tensor)) if tensor.len() == 1 => {
                (tensor.to_floats().first().copied().unwrap_or(1.0), 0.0, 1.0)
            }
            _ => return unsupported("a quantized power is supported with one constant exponent"),
        },
        _ => (0.0, 0.0, 1.0),
    };
    let tanh = node.kind() == "Gelu" && node.text("approximate")? == Some("tanh");
    let elu = |x: f32, inner: f32| if x > 0.0 { x } else { alpha * (x / inner).exp_m1() };
    let softplus = |x: f32| x.max(0.0) + (-x.abs()).exp().ln_1p();
    let kind = node.kind();
    table(net, call, |x| match kind {
        "Abs" => x.abs(),
        "Neg" => -x,
        "Exp" => x.exp(),
        "Log" => x.ln(),
        "Sqrt" => x.sqrt(),
        "Floor" => x.floor(),
        "Ceil" => x.ceil(),
        "Reciprocal" => x.recip(),
        "Erf" => erf(x),
        "Tanh" => x.tanh(),
        "Pow" => x.powf(alpha),
        "LeakyRelu" => {
            if x < 0.0 {
                alpha * x
            } else {
                x
            }
        }
        "ThresholdedRelu" => {
            if x > alpha {
                x
            } else {
                0.0
            }
        }
        "HardSigmoid" => (alpha * x + beta).clamp(0.0, 1.0),
        "HardSwish" => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
        "Elu" => elu(x, 1.0),
        "Celu" => elu(x, alpha),
        "Selu" => gamma * elu(x, 1.0),
        "Softplus" => softplus(x),
        "Softsign" => x / (1.0 + x.abs()),
        "Mish" => x * softplus(x).tanh(),
        "Gelu" if tanh => 0.5 * x * (1.0 + (0.797_884_6 * (x + 0.044_715 * x * x * x)).tanh()),
        "Gelu" => 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2)),
        _ => 1.0 / (1.0 + (-x).exp()),
    })
}

fn erf(x: f32) -> f32 {
    strum_float::Unary::Erf.of(x)
}
