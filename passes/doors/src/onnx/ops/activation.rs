//! Activations. Invariant: each is spelled with operators that the compiler turns into clamps and tables.

use crate::onnx::call::{Call, Operands, one};
use crate::onnx::node::{Node, axis_of};
use crate::onnx::trouble::{Outcome, invalid};
use crate::onnx::value::{Flow, Net, Value};

/// Activations that are made of clamps.
pub(in crate::onnx) fn clipped(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let node = &call.node;
    let x = call.floats(net, 0)?;
    one(match node.kind() {
        "Relu" => net.clamp(x, 0.0, f32::INFINITY)?,
        "LeakyRelu" => {
            let slope = node.float("alpha", 0.01)?;
            net.leaky(x, slope)?
        }
        "ThresholdedRelu" => {
            let bound = node.float("alpha", 1.0)?;
            let (bound, zero) = (net.build.floats(&[], &[bound])?, net.build.floats(&[], &[0.0])?);
            let above = net.binary("greater", x, Flow::plain(bound))?;
            net.select(above, x, Flow::plain(zero))?
        }
        "PRelu" => {
            let slope = net.floats(call.value(1)?)?;
            // The slope is broadcast in one direction only.
            let positive = net.clamp(x, 0.0, f32::INFINITY)?;
            let negative = net.clamp(x, f32::NEG_INFINITY, 0.0)?;
            let bent = net.binary("mul", negative, slope)?;
            net.binary("add", positive, bent)?
        }
        _ => {
            let (min, max) = bounds(node, call.operands())?;
            net.clamp(x, min, max)?
        }
    })
}

/// The bounds of a `Clip`, as attributes or operands. All elements become `max` if `min` is above it.
pub(in crate::onnx) fn bounds(node: &Node<'_>, operands: Operands<'_>) -> Outcome<(f32, f32)> {
    let (min, max) = (operands.number(1)?, operands.number(2)?);
    let min = min.unwrap_or(node.float("min", f32::NEG_INFINITY)?);
    let max = max.unwrap_or(node.float("max", f32::INFINITY)?);
    Ok((if min > max { max } else { min }, max))
}

/// Activations with curves.
pub(in crate::onnx) fn smooth(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let node = &call.node;
    let mut x = call.floats(net, 0)?;
    // The bias of `FastGelu` is optional.
    if node.kind() == "BiasGelu" || (node.kind() == "FastGelu" && call.optional(1).is_some()) {
        let bias = call.floats(net, 1)?;
        x = net.binary("add", x, bias)?;
    }
    one(match node.kind() {
        "HardSigmoid" => {
            let (slope, offset) = (node.float("alpha", 0.2)?, node.float("beta", 0.5)?);
            net.hard_sigmoid(x, slope, offset)?
        }
        "HardSwish" => {
            let gate = net.hard_sigmoid(x, 1.0 / 6.0, 0.5)?;
            net.binary("mul", x, gate)?
        }
        "Elu" => {
            let scale = node.float("alpha", 1.0)?;
            net.elu(x, 1.0, scale, 1.0)?
        }
        "Selu" => {
            let scale = node.float("alpha", 1.673_263_2)?;
            let gamma = node.float("gamma", 1.050_701)?;
            net.elu(x, gamma, gamma * scale, 1.0)?
        }
        "Celu" => {
            let scale = node.float("alpha", 1.0)?;
            net.elu(x, 1.0, scale, 1.0 / scale)?
        }
        "Softplus" => net.softplus(x)?,
        "Softsign" => {
            let size = net.unary("abs", x)?;
            let more = net.with_number("add", size, 1.0)?;
            let inverse = net.unary("reciprocal", more)?;
            net.binary("mul", x, inverse)?
        }
        "Mish" => {
            let plus = net.softplus(x)?;
            let gate = net.unary("tanh", plus)?;
            net.binary("mul", x, gate)?
        }
        "BiasGelu" => net.gelu(x)?,
        "FastGelu" => net.gelu_tanh(x)?,
        kind @ ("Swish" | "QuickGelu") => {
            let alpha = node.float("alpha", if kind == "Swish" { 1.0 } else { 1.702 })?;
            let scaled = if alpha == 1.0 { x } else { net.with_number("mul", x, alpha)? };
            let gate = net.unary("sigmoid", scaled)?;
            net.binary("mul", x, gate)?
        }
        _ => match node.text("approximate")?.unwrap_or("none") {
            "none" => net.gelu(x)?,
            "tanh" => net.gelu_tanh(x)?,
            other => return invalid(format!("the approximation '{other}' is not defined by ONNX")),
        },
    })
}

impl Net {
    /// `x` above 0, otherwise `slope · x`.
    fn leaky(&mut self, x: Flow, slope: f32) -> Outcome<Flow> {
        let bent = self.with_number("mul", x, slope)?;
        if (0.0..=1.0).contains(&slope) {
            return self.binary("maximum", x, bent);
        }
        let zero = self.build.floats(&[], &[0.0])?;
        let positive = self.binary("greater_equal", x, Flow::plain(zero))?;
        self.select(positive, x, bent)
    }

    fn hard_sigmoid(&mut self, x: Flow, slope: f32, offset: f32) -> Outcome<Flow> {
        let scaled = self.with_number("mul", x, slope)?;
        let moved = self.with_number("add", scaled, offset)?;
        self.clamp(moved, 0.0, 1.0)
    }

    /// `up · max(x, 0) + down · (exp(inner · min(x, 0)) - 1)`.
    fn elu(&mut self, x: Flow, up: f32, down: f32, inner: f32) -> Outcome<Flow> {
        let mut positive = self.clamp(x, 0.0, f32::INFINITY)?;
        let mut negative = self.clamp(x, f32::NEG_INFINITY, 0.0)?;
        if up != 1.0 {
            positive = self.with_number("mul", positive, up)?;
        }
        if inner != 1.0 {
            negative = self.with_number("mul", negative, inner)?;
        }
        let curve = self.unary("exp", negative)?;
        let curve = self.with_number("sub", curve, 1.0)?;
        let curve = self.with_number("mul", curve, down)?;
        self.binary("add", positive, curve)
    }

    /// `log(1 + exp(x))`, in a form that does not overflow.
    fn softplus(&mut self, x: Flow) -> Outcome<Flow> {
        let positive = self.clamp(x, 0.0, f32::INFINITY)?;
        let size = self.unary("abs", x)?;
        let below = self.unary("negate", size)?;
        let small = self.unary("exp", below)?;
        let more = self.with_number("add", small, 1.0)?;
        let curve = self.unary("log", more)?;
        self.binary("add", positive, curve)
    }

    fn gelu(&mut self, x: Flow) -> Outcome<Flow> {
        let scaled = self.with_number("mul", x, std::f32::consts::FRAC_1_SQRT_2)?;
        let erf = self.unary("erf", scaled)?;
        self.half_gate(x, erf)
    }

    fn gelu_tanh(&mut self, x: Flow) -> Outcome<Flow> {
        let square = self.binary("mul", x, x)?;
        let cube = self.binary("mul", square, x)?;
        let cube = self.with_number("mul", cube, 0.044_715)?;
        let sum = self.binary("add", x, cube)?;
        let scaled = self.with_number("mul", sum, 0.797_884_6)?;
        let curve = self.unary("tanh", scaled)?;
        self.half_gate(x, curve)
    }

    /// `x · (1 + gate) / 2`.
    fn half_gate(&mut self, x: Flow, gate: Flow) -> Outcome<Flow> {
        let gate = self.with_number("add", gate, 1.0)?;
        let half = self.with_number("mul", gate, 0.5)?;
        self.binary("mul", x, half)
    }

    /// Exponentials with the greatest at 1 along an axis, and the logarithms of these.
    pub(in crate::onnx) fn exponentials(&mut self, x: Flow, axes: &[usize]) -> Outcome<(Flow, Flow)> {
        let greatest = self.reduce("reduce_max", x, axes)?;
        let below = self.binary("sub", x, greatest)?;
        Ok((self.unary("exp", below)?, below))
    }
}

/// `Softmax` and `LogSoftmax`; before opset 13 over all axes from the given one.
pub(in crate::onnx) fn softmax(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let x = call.floats(net, 0)?;
    let shape = net.shape(x);
    let whole = call.node.opset < 13;
    let axis = axis_of(call.node.int("axis", if whole { 1 } else { -1 })?, shape.len())?;
    let behind = shape.iter().skip(axis + 1).all(|&d| d == 1);
    if !whole || behind {
        return one(net.softmax(x, axis, call.node.kind() == "LogSoftmax")?);
    }
    let (rows, columns) = shape.split_at(axis);
    let flat = net.reshape(&x.into(), &[rows.iter().product(), columns.iter().product()])?;
    let flat = net.flow(&flat)?;
    let result = net.softmax(flat, 1, call.node.kind() == "LogSoftmax")?;
    one(net.reshape(&result.into(), &shape)?)
}

impl Net {
    fn softmax(&mut self, x: Flow, axis: usize, logarithm: bool) -> Outcome<Flow> {
        let (powers, below) = self.exponentials(x, &[axis])?;
        let sum = self.reduce("reduce_sum", powers, &[axis])?;
        if logarithm {
            let log = self.unary("log", sum)?;
            return self.binary("sub", below, log);
        }
        let inverse = self.unary("reciprocal", sum)?;
        self.binary("mul", powers, inverse)
    }
}
