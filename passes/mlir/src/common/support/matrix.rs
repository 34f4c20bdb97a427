//! The support matrix: the TOSA ops, types and attributes that the DPU path accepts.
//!
//! Invariant: this table is the only statement of what is supported. The check of `tosa-to-strum`, the notes of its
//! errors and `docs/supported.md` all come from it.

use super::rules::{self, Rule};
use crate::common::tosa::elem::Elem::{self, I1, I8, I16, I32};

/// Maximum rank of a tensor.
pub const MAX_RANK: usize = 6;

/// One admitted combination of element types.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// Of the data operands in order; the last one applies to all further operands of a variadic op.
    pub operands: &'static [Elem],
    /// Of the result.
    pub result: Elem,
}

/// One op of the matrix.
#[derive(Clone, Copy)]
pub struct Row {
    /// Full name of the op.
    pub op: &'static str,
    /// The result of `tosa-to-strum`.
    pub becomes: &'static str,
    /// Admitted element types; empty if the op has no tensor operand or result to be checked.
    pub types: &'static [Signature],
    /// Further conditions.
    pub rules: &'static [Rule],
}

const fn sig(operands: &'static [Elem], result: Elem) -> Signature {
    Signature { operands, result }
}

const SAME_ONE: &[Signature] = &[sig(&[I8], I8), sig(&[I16], I16), sig(&[I32], I32)];
const BOOL_ONE: &[Signature] = &[sig(&[I1], I1)];
const BOOL_TWO: &[Signature] = &[sig(&[I1, I1], I1)];
const COMPARED: &[Signature] = &[sig(&[I32, I32], I1)];
/// Of ops that only move elements.
const MOVED: &[Signature] = &[sig(&[I1], I1), sig(&[I8], I8), sig(&[I16], I16), sig(&[I32], I32)];
const SAME_TWO: &[Signature] = &[sig(&[I8, I8], I8), sig(&[I16, I16], I16), sig(&[I32, I32], I32)];
const I32_TWO: &[Signature] = &[sig(&[I32, I32], I32)];
const I32_ONE: &[Signature] = &[sig(&[I32], I32)];
const NARROW_ONE: &[Signature] = &[sig(&[I8], I8), sig(&[I16], I16)];
const ANY_TO_ANY: &[Signature] = &[
    sig(&[I8], I8),
    sig(&[I8], I16),
    sig(&[I8], I32),
    sig(&[I16], I8),
    sig(&[I16], I16),
    sig(&[I16], I32),
    sig(&[I32], I8),
    sig(&[I32], I16),
    sig(&[I32], I32),
];

const CONV_RULES: &[Rule] = &[rules::ACC_I32, rules::CONV_ZERO_POINTS, rules::WINDOW];

const fn row(
    op: &'static str,
    becomes: &'static str,
    types: &'static [Signature],
    rules: &'static [Rule],
) -> Row {
    Row { op, becomes, types, rules }
}

const LAYER: &str = "the `ppe` of the layer before it, or stays";
const STAYS: &str = "stays";

/// All supported ops, in the order of the TOSA specification.
pub const MATRIX: &[Row] = &[
    row("tosa.argmax", STAYS, &[sig(&[I8], I32), sig(&[I16], I32)], &[]),
    row("tosa.avg_pool2d", STAYS, NARROW_ONE, &[rules::ACC_I32, rules::POOL_ZERO_POINTS, rules::WINDOW]),
    row("tosa.conv2d", "`strum.conv2d`", &[sig(&[I8, I8, I32], I32)], CONV_RULES),
    row("tosa.depthwise_conv2d", "`strum.depthwise_conv2d`", &[sig(&[I8, I8, I32], I32)], CONV_RULES),
    row(
        "tosa.matmul",
        "`strum.conv2d` 1x1 (one batch, constant right side), else `strum.matmul`",
        &[sig(&[I8, I8], I32)],
        &[rules::MATMUL_ZERO_POINTS],
    ),
    row("tosa.max_pool2d", STAYS, NARROW_ONE, &[rules::WINDOW]),
    row("tosa.clamp", LAYER, NARROW_ONE, &[rules::CLAMP_ORDER]),
    row("tosa.add", "`strum.eltwise add`", I32_TWO, &[]),
    row("tosa.arithmetic_right_shift", STAYS, SAME_TWO, &[]),
    row("tosa.bitwise_and", STAYS, SAME_TWO, &[]),
    row("tosa.bitwise_or", STAYS, SAME_TWO, &[]),
    row("tosa.bitwise_xor", STAYS, SAME_TWO, &[]),
    row("tosa.intdiv", STAYS, I32_TWO, &[]),
    row("tosa.logical_and", STAYS, BOOL_TWO, &[]),
    row("tosa.logical_left_shift", STAYS, SAME_TWO, &[]),
    row("tosa.logical_right_shift", STAYS, SAME_TWO, &[]),
    row("tosa.logical_or", STAYS, BOOL_TWO, &[]),
    row("tosa.logical_xor", STAYS, BOOL_TWO, &[]),
    row("tosa.maximum", "`strum.eltwise max`", I32_TWO, &[]),
    row("tosa.minimum", "`strum.eltwise min`", I32_TWO, &[]),
    row(
        "tosa.mul",
        "`strum.eltwise mul`",
        &[sig(&[I8, I8], I32), sig(&[I16, I16], I32), sig(&[I32, I32], I32)],
        &[rules::MUL_SHIFT],
    ),
    row("tosa.sub", "`strum.eltwise sub`", I32_TWO, &[]),
    row("tosa.table", LAYER, &[sig(&[I8, I8], I8), sig(&[I16, I16], I32)], &[rules::TABLE]),
    row("tosa.abs", STAYS, I32_ONE, &[]),
    row("tosa.bitwise_not", STAYS, SAME_ONE, &[]),
    row("tosa.clz", STAYS, I32_ONE, &[]),
    row("tosa.logical_not", STAYS, BOOL_ONE, &[]),
    row("tosa.negate", STAYS, SAME_ONE, &[rules::NEGATE_ZERO_POINTS]),
    row(
        "tosa.select",
        STAYS,
        &[
            sig(&[I1, I1, I1], I1),
            sig(&[I1, I8, I8], I8),
            sig(&[I1, I16, I16], I16),
            sig(&[I1, I32, I32], I32),
        ],
        &[],
    ),
    row("tosa.equal", STAYS, COMPARED, &[]),
    row("tosa.greater", STAYS, COMPARED, &[]),
    row("tosa.greater_equal", STAYS, COMPARED, &[]),
    row("tosa.reduce_all", STAYS, BOOL_ONE, &[]),
    row("tosa.reduce_any", STAYS, BOOL_ONE, &[]),
    row("tosa.reduce_max", STAYS, SAME_ONE, &[]),
    row("tosa.reduce_min", STAYS, SAME_ONE, &[]),
    row("tosa.reduce_sum", STAYS, I32_ONE, &[]),
    row("tosa.concat", STAYS, MOVED, &[]),
    row("tosa.pad", STAYS, MOVED, &[rules::PADDING]),
    row("tosa.reshape", STAYS, MOVED, &[]),
    row("tosa.slice", STAYS, MOVED, &[rules::SLICE]),
    row("tosa.transpose", STAYS, MOVED, &[]),
    row("tosa.gather", STAYS, &[sig(&[I8, I32], I8), sig(&[I16, I32], I16), sig(&[I32, I32], I32)], &[]),
    row(
        "tosa.scatter",
        STAYS,
        &[sig(&[I8, I32, I8], I8), sig(&[I16, I32, I16], I16), sig(&[I32, I32, I32], I32)],
        &[],
    ),
    row(
        "tosa.resize",
        STAYS,
        &[sig(&[I8], I8), sig(&[I16], I16), sig(&[I8], I32)],
        &[rules::RESIZE_MODE, rules::RESIZE],
    ),
    row(
        "tosa.cast",
        STAYS,
        &[
            sig(&[I1], I8),
            sig(&[I1], I16),
            sig(&[I1], I32),
            sig(&[I8], I1),
            sig(&[I16], I1),
            sig(&[I32], I1),
            sig(&[I8], I16),
            sig(&[I8], I32),
            sig(&[I16], I8),
            sig(&[I16], I32),
            sig(&[I32], I8),
            sig(&[I32], I16),
        ],
        &[],
    ),
    row(
        "tosa.rescale",
        "the `ppe` of the layer before it or the input stage of a `strum.eltwise`, or stays",
        ANY_TO_ANY,
        &[rules::RESCALE_SHAPE, rules::ROUNDING, rules::SCALES, rules::RESCALE_ZERO_POINTS],
    ),
    row("tosa.const", STAYS, &[sig(&[], I1), sig(&[], I8), sig(&[], I16), sig(&[], I32)], &[]),
    row("tosa.identity", STAYS, MOVED, &[]),
    row("tosa.const_shape", STAYS, &[], &[]),
];

/// The ops that `expand-operators` replaces by those of [`MATRIX`], in the order of the TOSA specification.
pub const COMPOUND: &[Row] = &[
    row(
        "tosa.conv3d",
        "`conv2d`",
        &[sig(&[I8, I8, I32], I32)],
        &[rules::ACC_I32, rules::CONV_ZERO_POINTS, rules::WINDOW, rules::DEPTH],
    ),
    row(
        "tosa.transpose_conv2d",
        "a `conv2d` for each phase",
        &[sig(&[I8, I8, I32], I32)],
        &[rules::ACC_I32, rules::CONV_ZERO_POINTS, rules::PHASES],
    ),
    row("tosa.reverse", "`slice` and `concat`", MOVED, &[]),
    row("tosa.tile", "`concat`", MOVED, &[rules::MULTIPLES]),
];

/// The row of an op that `expand-operators` replaces.
#[must_use]
pub fn compound(op: &str) -> Option<&'static Row> {
    COMPOUND.iter().find(|row| row.op == op)
}

/// Whether `expand-operators` replaces an op.
#[must_use]
pub fn is_compound(op: &str) -> bool {
    compound(op).is_some()
}

/// The row of an op.
#[must_use]
pub fn find(op: &str) -> Option<&'static Row> {
    MATRIX.iter().find(|row| row.op == op)
}

/// The names of all supported ops without their dialect, for messages.
#[must_use]
pub fn op_names() -> String {
    let all = MATRIX.iter().chain(COMPOUND);
    let names: Vec<&str> = all.filter_map(|row| row.op.strip_prefix("tosa.")).collect();
    names.join(", ")
}

impl Row {
    /// The admitted types in one line.
    #[must_use]
    pub fn types_text(&self) -> String {
        let list: Vec<String> = self.types.iter().map(Signature::to_string).collect();
        list.join(", ")
    }
}

impl std::fmt::Display for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let operands: Vec<String> = self.operands.iter().map(Elem::to_string).collect();
        match operands.as_slice() {
            [] => write!(f, "{}", self.result),
            [one] => write!(f, "{one} -> {}", self.result),
            many => write!(f, "({}) -> {}", many.join(", "), self.result),
        }
    }
}
