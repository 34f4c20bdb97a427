//! The attributes of supported TOSA ops, and how each is handled.
//!
//! Invariant: every attribute that TOSA declares for an op of the matrix is listed, and every entry is true; tests check both.

/// How an attribute is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Honour {
    /// Every legal value is implemented.
    Followed,
    /// Some legal values are refused.
    Limited,
    /// Has no effect on integers; every value is accepted.
    Idle,
}

/// An attribute.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// The ops that have it, without their dialect.
    pub ops: &'static [&'static str],
    /// What it does.
    pub honour: Honour,
    /// The same as a sentence.
    pub text: &'static str,
}

use Honour::{Followed, Idle, Limited};

const CONVOLUTIONS: &[&str] = &["conv2d", "conv3d", "depthwise_conv2d"];
const POOLING: &[&str] = &["avg_pool2d", "max_pool2d"];
const WINDOWS: &[&str] = &["avg_pool2d", "conv2d", "conv3d", "depthwise_conv2d", "max_pool2d"];
const STRIDES: &[&str] =
    &["avg_pool2d", "conv2d", "conv3d", "depthwise_conv2d", "max_pool2d", "transpose_conv2d"];
const BOUNDED: &[&str] = &["conv2d", "conv3d", "depthwise_conv2d", "transpose_conv2d"];
const ACCUMULATORS: &[&str] = &["avg_pool2d", "conv2d", "conv3d", "depthwise_conv2d", "transpose_conv2d"];

const fn attribute(
    name: &'static str,
    ops: &'static [&'static str],
    honour: Honour,
    text: &'static str,
) -> Attribute {
    Attribute { name, ops, honour, text }
}

/// All of them, by name.
pub const ATTRIBUTES: &[Attribute] = &[
    attribute("acc_type", ACCUMULATORS, Limited, "i32; others are refused"),
    attribute(
        "axis",
        &[
            "argmax",
            "concat",
            "reduce_all",
            "reduce_any",
            "reduce_max",
            "reduce_min",
            "reduce_sum",
            "reverse",
        ],
        Followed,
        "followed",
    ),
    attribute("dilation", CONVOLUTIONS, Limited, "followed up to 8192"),
    attribute("input_unsigned", &["rescale"], Limited, "followed between 8 and 16 bits, on one side"),
    attribute("kernel", POOLING, Limited, "followed up to 8192"),
    attribute("local_bound", BOUNDED, Idle, "either: it bounds errors of floats"),
    attribute("max_val", &["clamp"], Followed, "followed"),
    attribute("min_val", &["clamp"], Followed, "followed"),
    attribute(
        "mode",
        &["resize"],
        Limited,
        "followed: NEAREST_NEIGHBOR where the type stays, BILINEAR from i8 to i32",
    ),
    attribute(
        "nan_mode",
        &["argmax", "clamp", "max_pool2d", "maximum", "minimum", "reduce_max", "reduce_min"],
        Idle,
        "either: no integer is NaN",
    ),
    attribute("out_pad", &["transpose_conv2d"], Limited, "followed from -8192 to 8192"),
    attribute("output_unsigned", &["rescale"], Limited, "followed between 8 and 16 bits, on one side"),
    attribute("pad", WINDOWS, Limited, "followed up to 8192"),
    attribute("per_channel", &["rescale"], Followed, "followed"),
    attribute("perms", &["transpose"], Followed, "followed"),
    attribute("round", &["arithmetic_right_shift"], Followed, "followed"),
    attribute(
        "rounding_mode",
        &["rescale"],
        Limited,
        "SINGLE_ROUND, DOUBLE_ROUND with `scale32`, and INEXACT_ROUND, for which TOSA allows either and SINGLE_ROUND is taken",
    ),
    attribute("scale32", &["rescale"], Followed, "followed: the width of multipliers"),
    attribute("stride", STRIDES, Limited, "followed up to 8192"),
    attribute("values", &["const", "const_shape"], Followed, "followed"),
];
