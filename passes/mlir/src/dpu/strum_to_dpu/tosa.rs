//! The `tosa` ops that remain besides the `strum` layers, as planner layers.

use dpu_isa::{BinaryOp, Dtype, PoolMode, ReduceOp, ResizeMode, UnaryOp};
use strum_ir::Operation;
use strum_plan::{
    BinaryLayer, ConcatLayer, GatherLayer, LayerScope, PadLayer, PlanError, PoolLayer, Post, Pre,
    ReduceLayer, RescaleLayer, ResizeLayer, ResizeSide, ScatterLayer, SelectLayer, SliceLayer, Table,
    TableLayer, Tensor, TransposeLayer, UnaryLayer, plan_binary, plan_concat, plan_gather, plan_pad,
    plan_pool, plan_reduce, plan_rescale, plan_resize, plan_scatter, plan_select, plan_slice, plan_table,
    plan_transpose, plan_unary,
};

use super::values::{Values, unreadable, unsigned};
use crate::common::tosa::elem::Elem;
use crate::common::tosa::num::Round;
use crate::common::tosa::view;

/// The inputs of lowering one op.
pub(super) struct Op<'a, 'c, 's, 'v, 't> {
    pub(super) scope: &'a mut LayerScope<'s>,
    pub(super) values: &'a mut Values<'c, 'v, 't>,
    pub(super) op: Operation<'c>,
}

impl Op<'_, '_, '_, '_, '_> {
    /// Plans the op.
    ///
    /// # Errors
    /// The planner's, or unsupported for an op that no layer implements.
    pub(super) fn plan(mut self) -> Result<(), PlanError> {
        match self.op.name() {
            "tosa.max_pool2d" => self.pool(PoolMode::Max),
            "tosa.avg_pool2d" => self.pool(PoolMode::Avg),
            "tosa.rescale" => self.rescale(),
            "tosa.clamp" => self.clamp(),
            "tosa.table" => self.table(),
            "tosa.add" => self.binary(BinaryOp::Add),
            "tosa.sub" => self.binary(BinaryOp::Sub),
            "tosa.mul" => self.binary(BinaryOp::Mul),
            "tosa.maximum" => self.binary(BinaryOp::Max),
            "tosa.minimum" => self.binary(BinaryOp::Min),
            "tosa.logical_left_shift" => self.binary(BinaryOp::Lsl),
            "tosa.logical_right_shift" => self.binary(BinaryOp::Lsr),
            "tosa.bitwise_and" => self.binary(BinaryOp::And),
            "tosa.bitwise_or" => self.binary(BinaryOp::Or),
            "tosa.bitwise_xor" => self.binary(BinaryOp::Xor),
            "tosa.bitwise_not" => self.unary(UnaryOp::Not, 0, 0),
            "tosa.intdiv" => self.binary(BinaryOp::Div),
            "tosa.arithmetic_right_shift" => match self.op.bool_attr("round") {
                Some(true) => self.binary(BinaryOp::AsrRound),
                _ => self.binary(BinaryOp::Asr),
            },
            "tosa.abs" => self.unary(UnaryOp::Abs, 0, 0),
            "tosa.clz" => self.unary(UnaryOp::Clz, 0, 0),
            "tosa.cast" => self.cast(),
            "tosa.equal" => self.binary(BinaryOp::Equal),
            "tosa.greater" => self.binary(BinaryOp::Greater),
            "tosa.greater_equal" => self.binary(BinaryOp::GreaterEqual),
            "tosa.select" => self.select(),
            "tosa.logical_and" => self.binary(BinaryOp::And),
            "tosa.logical_or" => self.binary(BinaryOp::Or),
            "tosa.logical_xor" => self.binary(BinaryOp::Xor),
            // 1 - x, as -(x - 1).
            "tosa.logical_not" => self.unary(UnaryOp::Negate, 1, 0),
            "tosa.reduce_all" => self.reduce(ReduceOp::Min),
            "tosa.reduce_any" => self.reduce(ReduceOp::Max),
            "tosa.negate" => self.negate(),
            "tosa.reduce_sum" => self.reduce(ReduceOp::Sum),
            "tosa.reduce_max" => self.reduce(ReduceOp::Max),
            "tosa.reduce_min" => self.reduce(ReduceOp::Min),
            "tosa.argmax" => self.reduce(ReduceOp::Argmax),
            "tosa.gather" => self.gather(),
            "tosa.scatter" => self.scatter(),
            "tosa.resize" => self.resize(),
            "tosa.concat" => self.concat(),
            "tosa.pad" => self.pad(),
            "tosa.slice" => self.slice(),
            "tosa.transpose" => self.transpose(),
            _ => Err(PlanError::unsupported("only as a layer of the strum dialect: run tosa-to-strum first")),
        }
    }

    fn input(&mut self, index: usize) -> Result<Tensor, PlanError> {
        let value = self.op.operand(index).ok_or_else(|| unreadable(self.op))?;
        self.values.operand(self.scope.draft, value)
    }

    fn output(&mut self) -> Result<Tensor, PlanError> {
        let value = self.op.single_result().ok_or_else(|| unreadable(self.op))?;
        self.values.result(self.scope.draft, value)
    }

    fn pool(&mut self, mode: PoolMode) -> Result<(), PlanError> {
        let array = |name| view::array::<2>(self.op, name).ok_or_else(|| unreadable(self.op));
        let (kernel, stride) = (array("kernel")?, array("stride")?);
        let pad = view::array::<4>(self.op, "pad").ok_or_else(|| unreadable(self.op))?;
        let zp = |index| match mode {
            PoolMode::Max => Ok(0),
            PoolMode::Avg => view::scalar_operand(self.op, index).ok_or_else(|| unreadable(self.op)),
        };
        let (input_zp, output_zp) = (zp(1)?, zp(2)?);
        let (input, output) = (self.input(0)?, self.output()?);
        let layer = PoolLayer { mode, input, output, kernel, stride, pad, input_zp, output_zp, clamp: None };
        plan_pool(self.scope, &layer)
    }

    fn rescale(&mut self) -> Result<(), PlanError> {
        let rescale = view::rescale(self.op).ok_or_else(|| unreadable(self.op))?;
        let signed = |tensor: Tensor, is_unsigned: bool| match is_unsigned {
            true => Tensor { dtype: unsigned(tensor.dtype), ..tensor },
            false => tensor,
        };
        let shift: Result<Vec<u8>, _> = rescale.shifts.iter().map(|&s| u8::try_from(s)).collect();
        let layer = RescaleLayer {
            input: signed(self.input(0)?, rescale.ends.input_unsigned),
            in_zp: rescale.ends.input_zp,
            multiplier: rescale.multipliers.clone(),
            shift: shift.map_err(|_| unreadable(self.op))?,
            round: match rescale.round {
                Round::Single => dpu_isa::Round::Single,
                Round::Double => dpu_isa::Round::Double,
            },
            out_zp: rescale.ends.output_zp,
            clamp: None,
            lut: None,
            output: signed(self.output()?, rescale.ends.output_unsigned),
        };
        plan_rescale(self.scope, &layer)
    }

    fn clamp(&mut self) -> Result<(), PlanError> {
        let bound = |name: &str| {
            self.op.int_attr(name).and_then(|v| i32::try_from(v).ok()).ok_or_else(|| unreadable(self.op))
        };
        let clamp = Some((bound("min_val")?, bound("max_val")?));
        let (input, output) = (self.input(0)?, self.output()?);
        let layer = UnaryLayer { op: UnaryOp::Copy, input, in_zp: 0, out_zp: 0, clamp, output };
        plan_unary(self.scope, &layer)
    }

    /// An operator without clamp: the low bits of the result are stored.
    fn unary(&mut self, op: UnaryOp, in_zp: i32, out_zp: i32) -> Result<(), PlanError> {
        let (input, output) = (self.input(0)?, self.output()?);
        let layer = UnaryLayer { op, input, in_zp, out_zp, clamp: None, output };
        plan_unary(self.scope, &layer)
    }

    /// A Boolean says whether a value is not 0; otherwise the low bits stay.
    fn cast(&mut self) -> Result<(), PlanError> {
        match self.op.single_result().and_then(view::elem) {
            None => Err(unreadable(self.op)),
            Some(Elem::I1) => self.unary(UnaryOp::Nonzero, 0, 0),
            Some(_) => self.unary(UnaryOp::Copy, 0, 0),
        }
    }

    fn select(&mut self) -> Result<(), PlanError> {
        let (cond, a, b) = (self.input(0)?, self.input(1)?, self.input(2)?);
        let output = self.output()?;
        plan_select(self.scope, &SelectLayer { cond, a, b, output })
    }

    /// TOSA saturates a negation to its type, but for i32, which wraps.
    fn negate(&mut self) -> Result<(), PlanError> {
        let zp = |index| view::scalar_operand(self.op, index).ok_or_else(|| unreadable(self.op));
        let (in_zp, out_zp) = (zp(1)?, zp(2)?);
        let (input, output) = (self.input(0)?, self.output()?);
        let clamp = (output.dtype != Dtype::I32).then(|| (output.dtype.min(), output.dtype.max()));
        let layer = UnaryLayer { op: UnaryOp::Negate, input, in_zp, out_zp, clamp, output };
        plan_unary(self.scope, &layer)
    }

    fn table(&mut self) -> Result<(), PlanError> {
        let (input, output) = (self.input(0)?, self.output()?);
        let literal = self.op.operand(1).and_then(view::literal).ok_or_else(|| unreadable(self.op))?;
        let table = match input.dtype {
            Dtype::I8 => Table::I8(literal.values().filter_map(|v| i8::try_from(v).ok()).collect()),
            _ => Table::I16(literal.values().filter_map(|v| i16::try_from(v).ok()).collect()),
        };
        plan_table(self.scope, &TableLayer { input, table, output })
    }

    fn binary(&mut self, op: BinaryOp) -> Result<(), PlanError> {
        let mul_shift = match op {
            BinaryOp::Mul => view::scalar_operand(self.op, 2)
                .and_then(|s| u8::try_from(s).ok())
                .ok_or_else(|| unreadable(self.op))?,
            _ => 0,
        };
        let (a, b, output) = (self.input(0)?, self.input(1)?, self.output()?);
        let layer = BinaryLayer {
            op,
            mul_shift,
            a,
            pre_a: Pre::default(),
            b,
            pre_b: Pre::default(),
            post: Post::default(),
            output,
        };
        plan_binary(self.scope, &layer)
    }

    fn reduce(&mut self, op: ReduceOp) -> Result<(), PlanError> {
        let axis = view::axis(self.op).ok_or_else(|| unreadable(self.op))?;
        let (input, output) = (self.input(0)?, self.output()?);
        plan_reduce(self.scope, &ReduceLayer { op, axis, input, output })
    }

    fn gather(&mut self) -> Result<(), PlanError> {
        let (values, indices, output) = (self.input(0)?, self.input(1)?, self.output()?);
        plan_gather(self.scope, &GatherLayer { values, indices, output })
    }

    fn scatter(&mut self) -> Result<(), PlanError> {
        let (values, indices, input) = (self.input(0)?, self.input(1)?, self.input(2)?);
        let output = self.output()?;
        plan_scatter(self.scope, &ScatterLayer { values, indices, input, output })
    }

    fn resize(&mut self) -> Result<(), PlanError> {
        let unread = || unreadable(self.op);
        let mode = match self.op.keyword_attr("mode").as_deref() {
            Some("NEAREST_NEIGHBOR") => ResizeMode::Nearest,
            Some("BILINEAR") => ResizeMode::Bilinear,
            _ => return Err(unread()),
        };
        let (scale, offset) =
            (view::offsets(self.op, 1).ok_or_else(unread)?, view::offsets(self.op, 2).ok_or_else(unread)?);
        let (&[y_n, y_d, x_n, x_d], &[offset_y, offset_x]) = (scale.as_slice(), offset.as_slice()) else {
            return Err(unread());
        };
        let side = |n: i64, d: i64, offset: i64| -> Result<ResizeSide, PlanError> {
            Ok(ResizeSide {
                scale_n: u16::try_from(n).map_err(|_| unread())?,
                scale_d: u16::try_from(d).map_err(|_| unread())?,
                offset: i16::try_from(offset).map_err(|_| unread())?,
            })
        };
        let sides = [side(y_n, y_d, offset_y)?, side(x_n, x_d, offset_x)?];
        let (input, output) = (self.input(0)?, self.output()?);
        plan_resize(self.scope, &ResizeLayer { mode, sides, input, output })
    }

    fn concat(&mut self) -> Result<(), PlanError> {
        let axis = view::axis(self.op).ok_or_else(|| unreadable(self.op))?;
        let inputs = (0..self.op.num_operands()).map(|i| self.input(i)).collect::<Result<_, _>>()?;
        let output = self.output()?;
        plan_concat(self.scope, &ConcatLayer { inputs, axis, output })
    }

    fn pad(&mut self) -> Result<(), PlanError> {
        let padding = view::padding(self.op).ok_or_else(|| unreadable(self.op))?;
        let value = view::scalar_operand(self.op, 2).ok_or_else(|| unreadable(self.op))?;
        let side = |pick: fn(&(u64, u64)) -> u64| -> Result<Vec<i64>, PlanError> {
            padding.iter().map(|p| i64::try_from(pick(p)).map_err(|_| unreadable(self.op))).collect()
        };
        let (before, after) = (side(|p| p.0)?, side(|p| p.1)?);
        let (input, output) = (self.input(0)?, self.output()?);
        plan_pad(self.scope, &PadLayer { input, before, after, value, output })
    }

    fn slice(&mut self) -> Result<(), PlanError> {
        let start = view::extents(self.op, 1).ok_or_else(|| unreadable(self.op))?;
        let (input, output) = (self.input(0)?, self.output()?);
        plan_slice(self.scope, &SliceLayer { input, start, output })
    }

    fn transpose(&mut self) -> Result<(), PlanError> {
        let perm = view::perms(self.op).ok_or_else(|| unreadable(self.op))?;
        let (input, output) = (self.input(0)?, self.output()?);
        plan_transpose(self.scope, &TransposeLayer { input, perm, output })
    }
}
