//! Functions of single elements. Invariant: operands are broadcast as ONNX says, whatever their order of axes.

use crate::onnx::call::{Call, one};
use crate::onnx::fold;
use crate::onnx::tensor::Kind;
use crate::onnx::trouble::{Outcome, invalid, unsupported};
use crate::onnx::value::{Flow, Net, Value, missing};
use crate::tosa::{Attribute, Elem, Operand};

/// Functions of several operands.
pub(in crate::onnx) fn arithmetic(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let kind = call.node.kind();
    let count = call.inputs.len();
    if matches!(kind, "Add" | "Sub" | "Mul" | "Div" | "Pow") && count != 2 {
        return invalid(format!("two operands expected, got {count}"));
    }
    let mut result = call.floats(net, 0)?;
    for index in 1..count.max(1) {
        let other = call.value(index)?.clone();
        result = match kind {
            "Div" => net.quotient(result, &other)?,
            "Pow" => net.power(result, &other)?,
            _ => {
                let other = net.floats(&other)?;
                net.binary(tosa_name(kind), result, other)?
            }
        };
    }
    if kind == "Mean" {
        #[allow(clippy::cast_precision_loss, reason = "as ONNX defines it")]
        let share = 1.0 / count.max(1) as f32;
        result = net.with_number("mul", result, share)?;
    }
    one(result)
}

fn tosa_name(kind: &str) -> &'static str {
    match kind {
        "Sub" => "sub",
        "Mul" => "mul",
        "Min" => "minimum",
        "Max" => "maximum",
        _ => "add",
    }
}

impl Net {
    /// A quotient; a constant divisor becomes a factor if its inverse is finite.
    fn quotient(&mut self, a: Flow, b: &Value) -> Outcome<Flow> {
        if let Value::Known(tensor) = b {
            let inverse: Vec<f32> = tensor.to_floats().iter().map(|x| x.recip()).collect();
            if inverse.iter().all(|x| x.is_finite()) {
                let factor = self.build.floats(&tensor.shape, &inverse)?;
                return self.binary("mul", a, Flow::plain(factor));
            }
        }
        let b = self.floats(b)?;
        let inverse = self.unary("reciprocal", b)?;
        self.binary("mul", a, inverse)
    }

    /// A power; TOSA's is not defined for negative bases, so small whole exponents are products.
    fn power(&mut self, a: Flow, b: &Value) -> Outcome<Flow> {
        let known = match b {
            Value::Known(tensor) => Some(tensor.to_floats()),
            _ => None,
        };
        let exponent = known.as_deref().and_then(|all| {
            let (first, rest) = all.split_first()?;
            rest.iter().all(|x| x == first).then_some(*first)
        });
        let whole = exponent.filter(|_| {
            self.shape_of(b).iter().all(|&d| d == 1) && self.shape_of(b).len() <= self.shape(a).len()
        });
        match whole {
            Some(1.0) => return Ok(a),
            Some(2.0) => return self.binary("mul", a, a),
            Some(3.0) => {
                let square = self.binary("mul", a, a)?;
                return self.binary("mul", square, a);
            }
            Some(-1.0) => return self.unary("reciprocal", a),
            _ => {}
        }
        let b = match b {
            Value::Known(tensor) => {
                let floats = tensor.to_floats();
                Flow::plain(self.build.floats(&tensor.shape, &floats)?)
            }
            other => self.floats(other)?,
        };
        self.binary("pow", a, b)
    }

    /// The square root.
    pub(in crate::onnx) fn root(&mut self, x: Flow) -> Outcome<Flow> {
        self.with_number("pow", x, 0.5)
    }
}

/// Functions of one operand.
pub(in crate::onnx) fn unary(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let x = call.floats(net, 0)?;
    let name = match call.node.kind() {
        "Abs" => "abs",
        "Neg" => "negate",
        "Floor" => "floor",
        "Ceil" => "ceil",
        "Exp" => "exp",
        "Log" => "log",
        "Reciprocal" => "reciprocal",
        "Erf" => "erf",
        "Tanh" => "tanh",
        "Sigmoid" => "sigmoid",
        _ => return one(net.root(x)?),
    };
    one(net.unary(name, x)?)
}

/// Relations.
pub(in crate::onnx) fn relation(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let (a, b) = (call.floats(net, 0)?, call.floats(net, 1)?);
    one(match call.node.kind() {
        "Equal" => net.binary("equal", a, b)?,
        "Greater" => net.binary("greater", a, b)?,
        "GreaterOrEqual" => net.binary("greater_equal", a, b)?,
        "Less" => net.binary("greater", b, a)?,
        _ => net.binary("greater_equal", b, a)?,
    })
}

/// `Where`.
pub(in crate::onnx) fn choice(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let condition = match call.value(0)? {
        // A constant condition is a relation as well.
        Value::Known(tensor) if tensor.kind == Kind::Bool => {
            let mask: Vec<f32> = tensor.to_floats().iter().map(|&x| f32::from(u8::from(x != 0.0))).collect();
            let mask = Flow::plain(net.build.floats(&tensor.shape, &mask)?);
            net.with_number("greater", mask, 0.5)?
        }
        Value::Flow(flow) if net.elem(flow.id) == Elem::Bool => *flow,
        _ => return invalid("the condition must be of bool"),
    };
    let (a, b) = (call.floats(net, 1)?, call.floats(net, 2)?);
    one(net.select(condition, a, b)?)
}

impl Net {
    /// A choice between two values.
    pub(in crate::onnx) fn select(&mut self, condition: Flow, a: Flow, b: Flow) -> Outcome<Flow> {
        let ([condition, a, b], last) = self.aligned([condition, a, b])?;
        Ok(Flow { last, ..Flow::plain(self.build.select(condition, a, b)?) })
    }
}

/// `Cast`.
pub(in crate::onnx) fn cast(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    call.node.ignore(&["saturate", "round_mode"]);
    let to = match call.optional(1) {
        None => Kind::of(call.node.int("to", 0)?)?,
        Some(Value::Known(like)) => like.kind,
        Some(Value::Flow(like)) if net.elem(like.id) == Elem::F32 => Kind::Float,
        Some(_) => return unsupported("operand 1 must be of floats, or constant"),
    };
    match call.value(0)? {
        Value::Known(tensor) => one(fold::cast(tensor, to)?),
        Value::Flow(flow) if to.is_float() && flow.codes.is_none() => match net.elem(flow.id) {
            Elem::F32 => one(*flow),
            Elem::I32 => one(flow.with(net.build.cast(flow.id, Elem::F32)?, flow.last)),
            Elem::Bool => one(net.zero_or_one(*flow)?),
            elem => unsupported(format!("casting {} to {} is not supported", elem.name(), to.name())),
        },
        Value::Flow(flow) => {
            unsupported(format!("casting {} to {} is not supported", net.elem(flow.id).name(), to.name()))
        }
        Value::Coded(coded) => one(fold::cast(&coded.to_floats(), to)?),
        Value::Missing => missing(),
    }
}

impl Net {
    /// 1 where a condition holds, else 0.
    fn zero_or_one(&mut self, condition: Flow) -> Outcome<Flow> {
        let shape = self.extents(condition.id);
        let ones = vec![1; shape.len()];
        let (yes, no) = (self.build.floats(&ones, &[1.0])?, self.build.floats(&ones, &[0.0])?);
        let operands = [condition.id, yes, no].map(Operand::Value).to_vec();
        let none: Vec<(&'static str, Attribute)> = Vec::new();
        Ok(condition.with(self.build.push("select", operands, none, &shape, Elem::F32)?, condition.last))
    }
}
