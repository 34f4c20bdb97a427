//! Import from TOSA: every operator is the graph's operator of the same name.

use strum_float::{Binary, Op, Pool, PoolKind, Reduction, Relation, Unary, ValueId, Window};
use strum_ir::{Operation, Reported};

use super::elements::{Kind, elements};
use super::{Condition, Reader};
use crate::common::tosa::view;
use crate::common::verdict::UNSUPPORTED;

impl<'c> Reader<'c> {
    pub(super) fn tosa(&mut self, op: Operation<'c>) -> Result<(), Reported> {
        let name = op.name().strip_prefix("tosa.").unwrap_or_default();
        // Read by its users.
        if name == "const_shape" {
            return Ok(());
        }
        if name == "const" {
            let values = required(op, "values", op.attribute("values"))?;
            let Some(tensor) = elements(op, values)? else { return Ok(()) };
            let id = self.constant(op, tensor)?;
            return self.bind_as_is(op, 0, id);
        }
        // A relation is read by the select that uses it, directly or negated.
        let reads = |user: Operation<'c>| user.is("tosa.select") || user.is("tosa.logical_not");
        if (relation(name).is_some() || name == "logical_not")
            && op.result(0).is_some_and(|r| r.uses().iter().all(|u| reads(u.user)))
        {
            return Ok(());
        }
        let id = self.tosa_value(op, name)?;
        self.bind(op, 0, id)
    }

    fn tosa_value(&mut self, op: Operation<'c>, name: &str) -> Result<ValueId, Reported> {
        if let Some(unary) = unary(name) {
            if unary == Unary::Negate {
                self.no_zero_points(op, &[1, 2])?;
            }
            let x = self.whole(op, 0)?;
            return self.push(op, Op::Unary(unary), &[x]);
        }
        if let Some(binary) = binary(name) {
            // Of integers; that of floats is 0.
            if binary == Binary::Mul && view::scalar_operand(op, 2).is_some_and(|shift| shift != 0) {
                return Err(op.error(format_args!(
                    "{UNSUPPORTED}a product of integers with a shift is not supported"
                )));
            }
            let operands = [self.narrow(op, 0)?, self.narrow(op, 1)?];
            return self.push(op, Op::Binary(binary), &operands);
        }
        if let Some(reduction) = reduction(name) {
            let axis = required(op, "axis", view::axis(op))?;
            let x = self.whole(op, 0)?;
            return self.push(op, Op::Reduce { reduction, axis }, &[x]);
        }
        match name {
            "identity" => self.whole(op, 0),
            "cast" => self.tosa_cast(op),
            "gather" => self.tosa_gather(op),
            "argmax" => Err(op.error(format!("{UNSUPPORTED}{}", super::NO_INDICES))),
            "conv2d" | "depthwise_conv2d" => self.tosa_conv(op, name),
            "transpose_conv2d" => self.tosa_transpose_conv(op),
            "resize" => self.tosa_resize(op),
            "matmul" => {
                self.no_zero_points(op, &[2, 3])?;
                let operands = [self.whole(op, 0)?, self.whole(op, 1)?];
                self.push(op, Op::Matmul, &operands)
            }
            "avg_pool2d" | "max_pool2d" => self.tosa_pool(op, name),
            "clamp" => {
                let bound = |name: &str| required(op, name, op.attribute(name).and_then(|a| a.as_f64()));
                #[allow(clippy::cast_possible_truncation, reason = "bounds are f32 in the IR")]
                let node = Op::Clamp { min: bound("min_val")? as f32, max: bound("max_val")? as f32 };
                let x = self.whole(op, 0)?;
                self.push(op, node, &[x])
            }
            "select" => self.tosa_select(op),
            "concat" => {
                let axis = required(op, "axis", view::axis(op))?;
                let operands =
                    (0..op.num_operands()).map(|i| self.whole(op, i)).collect::<Result<Vec<_>, _>>()?;
                self.push(op, Op::Concat { axis }, &operands)
            }
            "pad" | "reshape" | "slice" | "transpose" | "tile" => self.tosa_movement(op, name),
            _ => Err(super::unknown(op)),
        }
    }

    fn tosa_conv(&mut self, op: Operation<'c>, name: &str) -> Result<ValueId, Reported> {
        self.no_zero_points(op, &[3, 4])?;
        let window = Window { stride: pair(op, "stride")?, dilation: pair(op, "dilation")?, ..padding(op)? };
        let operands = [self.whole(op, 0)?, self.whole(op, 1)?, self.whole(op, 2)?];
        let node = if name == "conv2d" { Op::Conv2d(window) } else { Op::DepthwiseConv2d(window) };
        self.push(op, node, &operands)
    }

    fn tosa_pool(&mut self, op: Operation<'c>, name: &str) -> Result<ValueId, Reported> {
        let kind = if name == "avg_pool2d" { PoolKind::Average } else { PoolKind::Max };
        if kind == PoolKind::Average {
            self.no_zero_points(op, &[1, 2])?;
        }
        let window = Window { stride: pair(op, "stride")?, dilation: [1; 2], ..padding(op)? };
        let node = Op::Pool(Pool { kind, kernel: pair(op, "kernel")?, window });
        let x = self.whole(op, 0)?;
        self.push(op, node, &[x])
    }

    /// A select whose condition is a relation.
    fn tosa_select(&mut self, op: Operation<'c>) -> Result<ValueId, Reported> {
        let mut condition = op.operand(0).and_then(strum_ir::Value::defining_op);
        let mut negated = false;
        while let Some(not) = condition.filter(|c| c.is("tosa.logical_not")) {
            negated = !negated;
            condition = not.operand(0).and_then(strum_ir::Value::defining_op);
        }
        let found = condition.and_then(|c| Some((c, relation(c.name().strip_prefix("tosa.")?)?)));
        let Some((condition, relation)) = found else {
            return Err(op.error(format_args!(
                "{UNSUPPORTED}the condition of tosa.select must be tosa.equal, tosa.greater or tosa.greater_equal"
            )));
        };
        let pair = [self.narrow(condition, 0)?, self.narrow(condition, 1)?];
        let chosen = [self.narrow(op, 1)?, self.narrow(op, 2)?];
        self.select_by(op, Condition { relation, pair, negated }, chosen)
    }

    /// A cast. Numbers become integers only where they are constant, rounded as TOSA rounds; between floating-point types nothing
    /// happens, since the network computes in single precision.
    fn tosa_cast(&mut self, op: Operation<'c>) -> Result<ValueId, Reported> {
        let x = self.whole(op, 0)?;
        let to = op.result(0).and_then(|result| Kind::of_elements(result.ty()));
        let Some(Kind::Int(width)) = to else { return Ok(x) };
        let Some(tensor) = self.graph.constant_of(x) else {
            return Err(op.error(format_args!("{UNSUPPORTED}only constants are converted to integers")));
        };
        let rounded = tensor.mapv(f32::round_ties_even);
        let limit = 2f32.powi(i32::try_from(width).unwrap_or(64) - 1);
        if !rounded.iter().all(|&x| -limit <= x && x < limit) {
            return Err(op.error(format!("a number does not fit {width} bits")));
        }
        self.constant(op, rounded)
    }

    fn tosa_movement(&mut self, op: Operation<'c>, name: &str) -> Result<ValueId, Reported> {
        let list = |index: usize| {
            let list = view::extents(op, index)
                .map(|list| list.into_iter().map(|d| usize::try_from(d).ok()).collect());
            required(op, "shape", list.flatten())
        };
        let node = match name {
            "pad" => {
                let value = self.narrow(op, 2)?;
                let value = self.graph.constant_of(value).and_then(|t| t.first().copied());
                let pairs = required(op, "padding", view::padding(op))?;
                let around =
                    pairs.iter().map(|&(b, a)| Some([usize::try_from(b).ok()?, usize::try_from(a).ok()?]));
                Op::Pad {
                    around: required(op, "padding", around.collect())?,
                    value: required(op, "padding value", value)?,
                }
            }
            "reshape" => Op::Reshape { shape: list(1)? },
            "slice" => Op::Slice { start: list(1)?, size: list(2)? },
            "transpose" => Op::Transpose { perms: required(op, "perms", view::perms(op))? },
            "tile" => Op::Tile { multiples: list(1)? },
            _ => {
                return Err(super::unknown(op));
            }
        };
        let x = self.whole(op, 0)?;
        self.push(op, node, &[x])
    }

    /// Float operators have zero points too, which must be 0.
    pub(super) fn no_zero_points(&mut self, op: Operation<'c>, operands: &[usize]) -> Result<(), Reported> {
        for &index in operands.iter().filter(|&&index| index < op.num_operands()) {
            let id = self.narrow(op, index)?;
            if !self.graph.constant_of(id).is_some_and(|zp| zp.iter().all(|&x| x == 0.0)) {
                return Err(op.error(format!("zero point (operand #{index}) must be the constant 0")));
            }
        }
        Ok(())
    }
}

/// A required attribute or operand.
pub(super) fn required<T>(op: Operation<'_>, what: &str, value: Option<T>) -> Result<T, Reported> {
    value.ok_or_else(|| op.error(format!("{what} is missing or not constant")))
}

pub(super) fn pair(op: Operation<'_>, name: &str) -> Result<[usize; 2], Reported> {
    let pair = view::array::<2>(op, name).map(|p| p.map(usize::try_from));
    match pair {
        Some([Ok(a), Ok(b)]) => Ok([a, b]),
        _ => required(op, name, None),
    }
}

/// A window with the padding of an op and nothing else.
fn padding(op: Operation<'_>) -> Result<Window, Reported> {
    match view::array::<4>(op, "pad").map(|p| p.map(usize::try_from)) {
        Some([Ok(top), Ok(bottom), Ok(left), Ok(right)]) => {
            Ok(Window { before: [top, left], after: [bottom, right], ..Window::UNIT })
        }
        _ => required(op, "pad", None),
    }
}

fn unary(name: &str) -> Option<Unary> {
    Some(match name {
        "abs" => Unary::Abs,
        "ceil" => Unary::Ceil,
        "erf" => Unary::Erf,
        "exp" => Unary::Exp,
        "floor" => Unary::Floor,
        "log" => Unary::Log,
        "negate" => Unary::Negate,
        "reciprocal" => Unary::Reciprocal,
        "rsqrt" => Unary::Rsqrt,
        "sigmoid" => Unary::Sigmoid,
        "tanh" => Unary::Tanh,
        _ => return None,
    })
}

fn binary(name: &str) -> Option<Binary> {
    Some(match name {
        "add" => Binary::Add,
        "maximum" => Binary::Maximum,
        "minimum" => Binary::Minimum,
        "mul" => Binary::Mul,
        "pow" => Binary::Pow,
        "sub" => Binary::Sub,
        _ => return None,
    })
}

fn reduction(name: &str) -> Option<Reduction> {
    Some(match name {
        "reduce_max" => Reduction::Max,
        "reduce_min" => Reduction::Min,
        "reduce_product" => Reduction::Product,
        "reduce_sum" => Reduction::Sum,
        _ => return None,
    })
}

fn relation(name: &str) -> Option<Relation> {
    Some(match name {
        "equal" => Relation::Equal,
        "greater" => Relation::Greater,
        "greater_equal" => Relation::GreaterEqual,
        _ => return None,
    })
}
