//! Every attribute of a supported TOSA op: another value changes the program, is refused, or has no effect on integers. An
//! attribute that TOSA declares and the table of `support` lacks fails the test, and so does one without an experiment here.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeSet;

use common::{compile, context};
use strum_ir::{Context, Location, Module, OpBuilder};
use strum_passes::common::support::attributes::{ATTRIBUTES, Honour};
use strum_passes::common::support::matrix::{COMPOUND, MATRIX};

/// An op in a function, with the attribute's two values between `[` and `]`, and the result of the second one.
struct Experiment {
    op: &'static str,
    attribute: &'static str,
    text: &'static str,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Other,
    Same,
    Refused(&'static str),
}

use Outcome::{Other, Refused, Same};

const CONV: &str = "(%x: tensor<1x5x5x2xi8>) -> tensor<RESULT> {\n\
    %w = \"tosa.const\"() <{values = dense<[1, -2, 3, 4, -5, 6, 7, 8]> : tensor<8xi8>}> : () -> tensor<8xi8>\n\
    %ws = tosa.const_shape {values = dense<[WSHAPE]> : tensor<4xindex>} : () -> !tosa.shape<4>\n\
    %v = tosa.reshape %w, %ws : (tensor<8xi8>, !tosa.shape<4>) -> tensor<WEIGHTS>\n\
    %b = \"tosa.const\"() <{values = dense<[7]> : tensor<1xi32>}> : () -> tensor<1xi32>\n\
    %z = \"tosa.const\"() <{values = dense<3> : tensor<1xi8>}> : () -> tensor<1xi8>\n";

/// A convolution with these attributes and result shapes; `depthwise` has two channels.
fn conv(depthwise: bool, attributes: [&str; 2], results: [&str; 2]) -> [String; 2] {
    let (name, dims) = if depthwise { ("depthwise_conv2d", [2, 2, 2, 1]) } else { ("conv2d", [1, 2, 2, 2]) };
    let join = |by: &str| dims.map(|d| d.to_string()).join(by);
    [0, 1].map(|i| {
        let (attributes, result) = (attributes[i], results[i]);
        let result = format!("1x{result}x{}xi32", if depthwise { 2 } else { 1 });
        let weights = format!("{}xi8", join("x"));
        format!(
            "func.func @main{}%y = tosa.{name} %x, %v, %b, %z, %z {{{attributes}}} : (tensor<1x5x5x2xi8>, tensor<{weights}>, \
             tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<{result}>\nreturn %y : tensor<{result}>\n}}\n",
            CONV.replace("RESULT", &result).replace("WSHAPE", &join(", ")).replace("WEIGHTS", &weights)
        )
    })
}

fn conv_pair(attribute: &str, depthwise: bool) -> ([String; 2], Outcome) {
    let all = |stride: &str, dilation: &str, pad: &str, acc: &str, more: &str| {
        format!(
            "acc_type = {acc}, dilation = array<i64: {dilation}>, pad = array<i64: {pad}>, stride = array<i64: {stride}>{more}"
        )
    };
    let plain = all("1, 1", "1, 1", "0, 0, 0, 0", "i32", "");
    let (other, result, outcome) = match attribute {
        "stride" => (all("3, 3", "1, 1", "0, 0, 0, 0", "i32", ""), "2x2", Other),
        "dilation" => (all("1, 1", "2, 2", "0, 0, 0, 0", "i32", ""), "3x3", Other),
        "pad" => (all("1, 1", "1, 1", "1, 0, 1, 0", "i32", ""), "5x5", Other),
        "acc_type" => (all("1, 1", "1, 1", "0, 0, 0, 0", "i48", ""), "4x4", Refused("acc_type")),
        _ => (all("1, 1", "1, 1", "0, 0, 0, 0", "i32", ", local_bound = true"), "4x4", Same),
    };
    (conv(depthwise, [&plain, &other], ["4x4", result]), outcome)
}

/// A compound convolution on a constant kernel: `tosa.OP` on IN with WEIGHTS, its attributes and its result.
const COMPOUND_CONV: &str = "func.func @main(%x: tensor<INxi8>) -> tensor<OUTxi32> {\n\
    %w = \"tosa.const\"() <{values = dense<[1, -2, 3, 4]> : tensor<4xi8>}> : () -> tensor<4xi8>\n\
    %ws = tosa.const_shape {values = dense<[WSHAPE]> : tensor<RANKxindex>} : () -> !tosa.shape<RANK>\n\
    %v = tosa.reshape %w, %ws : (tensor<4xi8>, !tosa.shape<RANK>) -> tensor<WEIGHTSxi8>\n\
    %b = \"tosa.const\"() <{values = dense<[7]> : tensor<1xi32>}> : () -> tensor<1xi32>\n\
    %z = \"tosa.const\"() <{values = dense<3> : tensor<1xi8>}> : () -> tensor<1xi8>\n\
    %y = tosa.OP %x, %v, %b, %z, %z {ATTRIBUTES} : (tensor<INxi8>, tensor<WEIGHTSxi8>, tensor<1xi32>, tensor<1xi8>, \
    tensor<1xi8>) -> tensor<OUTxi32>\n\
    return %y : tensor<OUTxi32>\n}\n";

fn compound_conv(op: &str, rank: usize, attributes: &str, out: &str) -> String {
    let (input, weights) = if rank == 5 { ("1x4x5x5x1", "1x2x2x1x1") } else { ("1x5x5x1", "1x2x2x1") };
    let replaced = [
        ("IN", input),
        ("WSHAPE", &weights.replace('x', ", ")),
        ("WEIGHTS", weights),
        ("RANK", &rank.to_string()),
        ("OP", op),
        ("ATTRIBUTES", attributes),
        ("OUT", out),
    ];
    replaced.iter().fold(COMPOUND_CONV.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn conv3d_pair(attribute: &str) -> ([String; 2], Outcome) {
    let all = |stride: &str, dilation: &str, pad: &str, acc: &str, more: &str, out: &str| {
        let attributes = format!(
            "acc_type = {acc}, dilation = array<i64: {dilation}>, pad = array<i64: {pad}>, stride = array<i64: {stride}>{more}"
        );
        compound_conv("conv3d", 5, &attributes, out)
    };
    let none = "0, 0, 0, 0, 0, 0";
    let plain = all("1, 1, 1", "1, 1, 1", none, "i32", "", "1x3x4x5x1");
    let (other, outcome) = match attribute {
        "stride" => (all("2, 3, 4", "1, 1, 1", none, "i32", "", "1x2x2x2x1"), Other),
        "dilation" => (all("1, 1, 1", "2, 1, 1", none, "i32", "", "1x2x4x5x1"), Other),
        "pad" => (all("1, 1, 1", "1, 1, 1", "1, 0, 0, 0, 0, 0", "i32", "", "1x4x4x5x1"), Other),
        "acc_type" => (plain.replace("acc_type = i32", "acc_type = i48"), Refused("acc_type")),
        _ => (all("1, 1, 1", "1, 1, 1", none, "i32", ", local_bound = true", "1x3x4x5x1"), Same),
    };
    ([plain, other], outcome)
}

fn transposed_pair(attribute: &str) -> ([String; 2], Outcome) {
    let all = |stride: &str, out_pad: &str, more: &str, out: &str| {
        let attributes =
            format!("acc_type = i32, out_pad = array<i64: {out_pad}>, stride = array<i64: {stride}>{more}");
        compound_conv("transpose_conv2d", 4, &attributes, out)
    };
    let plain = all("1, 1", "0, 0, 0, 0", "", "1x6x6x1");
    let (other, outcome) = match attribute {
        "stride" => (all("2, 3", "0, 0, 0, 0", "", "1x10x14x1"), Other),
        "out_pad" => (all("1, 1", "-1, 0, 1, 0", "", "1x5x7x1"), Other),
        "acc_type" => (plain.replace("acc_type = i32", "acc_type = i48"), Refused("acc_type")),
        _ => (all("1, 1", "0, 0, 0, 0", ", local_bound = true", "1x6x6x1"), Same),
    };
    ([plain, other], outcome)
}

const IGNORE: &str = "nan_mode = IGNORE";
const MAX: &str = "func.func @main(%x: tensor<1x4x4x2xi8>) -> tensor<1xOUTx2xi8> {\n\
    %y = tosa.max_pool2d %x {KERNEL, PAD, STRIDE NAN} : (tensor<1x4x4x2xi8>) -> tensor<1xOUTx2xi8>\n\
    return %y : tensor<1xOUTx2xi8>\n}\n";
const AVG: &str = "func.func @main(%x: tensor<1x4x4x2xi8>) -> tensor<1xOUTx2xi8> {\n\
    %z = \"tosa.const\"() <{values = dense<3> : tensor<1xi8>}> : () -> tensor<1xi8>\n\
    %y = tosa.avg_pool2d %x, %z, %z {KERNEL, PAD, STRIDE, acc_type = i32} : (tensor<1x4x4x2xi8>, tensor<1xi8>, tensor<1xi8>) -> \
    tensor<1xOUTx2xi8>\n\
    return %y : tensor<1xOUTx2xi8>\n}\n";

fn pool_pair(op: &str, attribute: &str) -> ([String; 2], Outcome) {
    let text = |kernel: &str, pad: &str, stride: &str, out: &str, nan: &str| {
        let template = if op == "max_pool2d" { MAX } else { AVG };
        template
            .replace("KERNEL", &format!("kernel = array<i64: {kernel}>"))
            .replace("PAD", &format!("pad = array<i64: {pad}>"))
            .replace("STRIDE", &format!("stride = array<i64: {stride}>"))
            .replace("OUT", out)
            .replace(" NAN", nan)
    };
    let plain = text("2, 2", "0, 0, 0, 0", "2, 2", "2x2", "");
    let (other, outcome) = match attribute {
        "kernel" => (text("4, 4", "0, 0, 0, 0", "2, 2", "1x1", ""), Other),
        "pad" => (text("2, 2", "1, 1, 1, 1", "2, 2", "3x3", ""), Other),
        "stride" => (text("2, 2", "0, 0, 0, 0", "1, 1", "3x3", ""), Other),
        "acc_type" => (plain.replace("i32}", "i48}"), Refused("acc_type")),
        _ => (text("2, 2", "0, 0, 0, 0", "2, 2", "2x2", &format!(", {IGNORE}")), Same),
    };
    ([plain, other], outcome)
}

const BINARY: &str = "func.func @main(%x: tensor<4x4xT>, %y: tensor<4x4xT>) -> tensor<4x4xT> {\n\
    %r = tosa.OP %x, %y {[|nan_mode = IGNORE]} : (tensor<4x4xT>, tensor<4x4xT>) -> tensor<4x4xT>\n\
    return %r : tensor<4x4xT>\n}\n";
const REDUCE: &str = "func.func @main(%x: tensor<4x4xi32>) -> tensor<[1x4|4x1]xi32> {\n\
    %r = tosa.OP %x {axis = [0|1] : i32} : (tensor<4x4xi32>) -> tensor<[1x4|4x1]xi32>\n\
    return %r : tensor<[1x4|4x1]xi32>\n}\n";
const REDUCE_BITS: &str = "func.func @main(%x: tensor<4x4xi1>) -> tensor<[1x4|4x1]xi1> {\n\
    %r = tosa.OP %x {axis = [0|1] : i32} : (tensor<4x4xi1>) -> tensor<[1x4|4x1]xi1>\n\
    return %r : tensor<[1x4|4x1]xi1>\n}\n";
const REDUCE_NAN: &str = "func.func @main(%x: tensor<4x4xi32>) -> tensor<1x4xi32> {\n\
    %r = tosa.OP %x {axis = 0 : i32[|, nan_mode = IGNORE]} : (tensor<4x4xi32>) -> tensor<1x4xi32>\n\
    return %r : tensor<1x4xi32>\n}\n";
const ARGMAX: &str = "func.func @main(%x: tensor<4x4xi8>) -> tensor<4xi32> {\n\
    %r = tosa.argmax %x {axis = [0|1] : i32} : (tensor<4x4xi8>) -> tensor<4xi32>\n\
    return %r : tensor<4xi32>\n}\n";
const ARGMAX_NAN: &str = "func.func @main(%x: tensor<4x4xi8>) -> tensor<4xi32> {\n\
    %r = tosa.argmax %x {axis = 0 : i32[|, nan_mode = IGNORE]} : (tensor<4x4xi8>) -> tensor<4xi32>\n\
    return %r : tensor<4xi32>\n}\n";
const RESIZE: &str = "func.func @main(%x: tensor<1x4x4x2xi8>) -> tensor<1x7x7x2x[i8|i32]> {\n\
    %s = tosa.const_shape {values = dense<[2, 1, 2, 1]> : tensor<4xindex>} : () -> !tosa.shape<4>\n\
    %z = tosa.const_shape {values = dense<0> : tensor<2xindex>} : () -> !tosa.shape<2>\n\
    %r = tosa.resize %x, %s, %z, %z {mode = [NEAREST_NEIGHBOR|BILINEAR]} : (tensor<1x4x4x2xi8>, !tosa.shape<4>, \
    !tosa.shape<2>, !tosa.shape<2>) -> tensor<1x7x7x2x[i8|i32]>\n\
    return %r : tensor<1x7x7x2x[i8|i32]>\n}\n";
const RESIZE_TYPE: &str = "func.func @main(%x: tensor<1x4x4x2xi8>) -> tensor<1x7x7x2xi8> {\n\
    %s = tosa.const_shape {values = dense<[2, 1, 2, 1]> : tensor<4xindex>} : () -> !tosa.shape<4>\n\
    %z = tosa.const_shape {values = dense<0> : tensor<2xindex>} : () -> !tosa.shape<2>\n\
    %r = tosa.resize %x, %s, %z, %z {mode = [NEAREST_NEIGHBOR|BILINEAR]} : (tensor<1x4x4x2xi8>, !tosa.shape<4>, \
    !tosa.shape<2>, !tosa.shape<2>) -> tensor<1x7x7x2xi8>\n\
    return %r : tensor<1x7x7x2xi8>\n}\n";
const RESCALE: &str = "func.func @main(%x: tensor<4x2xi8>) -> tensor<4x2xi16> {\n\
    %m = \"tosa.const\"() <{values = dense<@MULT> : tensor<@MS>}> : () -> tensor<@MS>\n\
    %s = \"tosa.const\"() <{values = dense<@SHIFT> : tensor<@SS>}> : () -> tensor<@SS>\n\
    %zi = \"tosa.const\"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>\n\
    %zo = \"tosa.const\"() <{values = dense<0> : tensor<1xi16>}> : () -> tensor<1xi16>\n\
    %r = tosa.rescale %x, %m, %s, %zi, %zo {input_unsigned = @IU, output_unsigned = @OU, per_channel = @PC, rounding_mode = @ROUND, \
    scale32 = @WIDE} : (tensor<4x2xi8>, tensor<@MS>, tensor<@SS>, tensor<1xi8>, tensor<1xi16>) -> tensor<4x2xi16>\n\
    return %r : tensor<4x2xi16>\n}\n";

fn rescale_pair(attribute: &str, both: bool) -> ([String; 2], Outcome) {
    let text = |changes: &[(&str, &str)]| {
        let plain = [
            ("@MULT", "1073741824"),
            ("@SHIFT", "38"),
            ("@MS", "1xi32"),
            ("@SS", "1xi8"),
            ("@IU", "false"),
            ("@OU", "false"),
            ("@PC", "false"),
            ("@ROUND", "SINGLE_ROUND"),
            ("@WIDE", "true"),
        ];
        changes.iter().chain(&plain).fold(RESCALE.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    let channels =
        [("@MULT", "[1073741824, 1073741825]"), ("@SHIFT", "[38, 39]"), ("@MS", "2xi32"), ("@SS", "2xi8")];
    let (other, outcome) = match attribute {
        "input_unsigned" if both => (text(&[("@IU", "true"), ("@OU", "true")]), Refused("unsigned")),
        "input_unsigned" => (text(&[("@IU", "true")]), Other),
        "output_unsigned" => (text(&[("@OU", "true")]), Other),
        "per_channel" => (text(&[&channels[..], &[("@PC", "true")]].concat()), Other),
        "rounding_mode" if both => {
            return ([text(&[("@ROUND", "DOUBLE_ROUND")]), text(&[("@ROUND", "INEXACT_ROUND")])], Other);
        }
        "rounding_mode" => (text(&[("@ROUND", "DOUBLE_ROUND")]), Other),
        _ => (text(&[("@WIDE", "false"), ("@MULT", "16384"), ("@SHIFT", "22"), ("@MS", "1xi16")]), Other),
    };
    ([text(&[]), other], outcome)
}

/// The experiments whose two texts differ between brackets.
const INLINE: &[Experiment] = &[
    Experiment { op: "maximum", attribute: "nan_mode", text: BINARY, outcome: Same },
    Experiment { op: "minimum", attribute: "nan_mode", text: BINARY, outcome: Same },
    Experiment { op: "reduce_max", attribute: "nan_mode", text: REDUCE_NAN, outcome: Same },
    Experiment { op: "reduce_min", attribute: "nan_mode", text: REDUCE_NAN, outcome: Same },
    Experiment { op: "argmax", attribute: "nan_mode", text: ARGMAX_NAN, outcome: Same },
    Experiment { op: "argmax", attribute: "axis", text: ARGMAX, outcome: Other },
    Experiment { op: "resize", attribute: "mode", text: RESIZE, outcome: Other },
    Experiment { op: "resize", attribute: "mode", text: RESIZE_TYPE, outcome: Refused("mode") },
    Experiment { op: "reduce_all", attribute: "axis", text: REDUCE_BITS, outcome: Other },
    Experiment { op: "reduce_any", attribute: "axis", text: REDUCE_BITS, outcome: Other },
    Experiment { op: "reduce_max", attribute: "axis", text: REDUCE, outcome: Other },
    Experiment { op: "reduce_min", attribute: "axis", text: REDUCE, outcome: Other },
    Experiment { op: "reduce_sum", attribute: "axis", text: REDUCE, outcome: Other },
    Experiment {
        op: "concat",
        attribute: "axis",
        text: "func.func @main(%x: tensor<4x4xi8>) -> tensor<[8x4|4x8]xi8> {\n\
            %r = tosa.concat %x, %x {axis = [0|1] : i32} : (tensor<4x4xi8>, tensor<4x4xi8>) -> tensor<[8x4|4x8]xi8>\n\
            return %r : tensor<[8x4|4x8]xi8>\n}\n",
        outcome: Other,
    },
    Experiment {
        op: "reverse",
        attribute: "axis",
        text: "func.func @main(%x: tensor<4x4xi8>) -> tensor<4x4xi8> {\n\
            %r = tosa.reverse %x {axis = [0|1] : i32} : (tensor<4x4xi8>) -> tensor<4x4xi8>\n\
            return %r : tensor<4x4xi8>\n}\n",
        outcome: Other,
    },
    Experiment {
        op: "transpose",
        attribute: "perms",
        text: "func.func @main(%x: tensor<4x4x4xi8>) -> tensor<4x4x4xi8> {\n\
            %r = tosa.transpose %x {perms = array<i32: [1, 0, 2|0, 2, 1]>} : (tensor<4x4x4xi8>) -> tensor<4x4x4xi8>\n\
            return %r : tensor<4x4x4xi8>\n}\n",
        outcome: Other,
    },
    Experiment {
        op: "arithmetic_right_shift",
        attribute: "round",
        text: "func.func @main(%x: tensor<4xi32>, %y: tensor<4xi32>) -> tensor<4xi32> {\n\
            %r = tosa.arithmetic_right_shift %x, %y {round = [true|false]} : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>\n\
            return %r : tensor<4xi32>\n}\n",
        outcome: Other,
    },
    Experiment { op: "clamp", attribute: "min_val", text: CLAMP_MIN, outcome: Other },
    Experiment { op: "clamp", attribute: "max_val", text: CLAMP_MAX, outcome: Other },
    Experiment { op: "clamp", attribute: "nan_mode", text: CLAMP_NAN, outcome: Same },
    Experiment {
        op: "const",
        attribute: "values",
        text: "func.func @main(%x: tensor<4xi32>) -> tensor<4xi32> {\n\
            %c = \"tosa.const\"() <{values = dense<[4|5]> : tensor<4xi32>}> : () -> tensor<4xi32>\n\
            %r = tosa.add %x, %c : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>\n\
            return %r : tensor<4xi32>\n}\n",
        outcome: Other,
    },
    Experiment {
        op: "const_shape",
        attribute: "values",
        text: "func.func @main(%x: tensor<4x4xi8>) -> tensor<[8x2|2x8]xi8> {\n\
            %s = tosa.const_shape {values = dense<[[2, 8]|[8, 2]]> : tensor<2xindex>} : () -> !tosa.shape<2>\n\
            %r = tosa.reshape %x, %s : (tensor<4x4xi8>, !tosa.shape<2>) -> tensor<[2x8|8x2]xi8>\n\
            %t = tosa.transpose %r {perms = array<i32: 1, 0>} : (tensor<[2x8|8x2]xi8>) -> tensor<[8x2|2x8]xi8>\n\
            return %t : tensor<[8x2|2x8]xi8>\n}\n",
        outcome: Other,
    },
];

const CLAMP_MIN: &str = "func.func @main(%x: tensor<4xi8>) -> tensor<4xi8> {\n\
    %r = tosa.clamp %x {min_val = [-3|-4] : i8, max_val = 5 : i8} : (tensor<4xi8>) -> tensor<4xi8>\n\
    return %r : tensor<4xi8>\n}\n";
const CLAMP_MAX: &str = "func.func @main(%x: tensor<4xi8>) -> tensor<4xi8> {\n\
    %r = tosa.clamp %x {min_val = -3 : i8, max_val = [5|6] : i8} : (tensor<4xi8>) -> tensor<4xi8>\n\
    return %r : tensor<4xi8>\n}\n";
const CLAMP_NAN: &str = "func.func @main(%x: tensor<4xi8>) -> tensor<4xi8> {\n\
    %r = tosa.clamp %x {min_val = -3 : i8, max_val = 5 : i8[|, nan_mode = IGNORE]} : (tensor<4xi8>) -> tensor<4xi8>\n\
    return %r : tensor<4xi8>\n}\n";

/// One of the two texts of an inline experiment: the choices are the brackets with a bar.
fn pick(text: &str, second: bool) -> String {
    let Some(bar) = text.find('|') else { return text.to_owned() };
    // The bracket that the bar is in: the nearest open one before it that is not closed.
    let (before, after) = (&text[..bar], &text[bar + 1..]);
    let mut depth = 0;
    let open = before
        .char_indices()
        .rev()
        .find(|(_, c)| {
            depth += match c {
                ']' => 1,
                '[' => -1,
                _ => 0,
            };
            depth < 0
        })
        .unwrap()
        .0;
    let mut depth = 0;
    let close = after
        .char_indices()
        .find(|(_, c)| {
            depth += match c {
                '[' => 1,
                ']' => -1,
                _ => 0,
            };
            depth < 0
        })
        .unwrap()
        .0;
    let choice = if second { &after[..close] } else { &before[open + 1..] };
    format!("{}{choice}{}", &before[..open], pick(&after[close + 1..], second))
}

/// The two texts for an attribute of an op, and the expected result of the second.
fn pairs(op: &str, attribute: &str) -> Vec<([String; 2], Outcome)> {
    match op {
        "conv2d" | "depthwise_conv2d" => vec![conv_pair(attribute, op == "depthwise_conv2d")],
        "conv3d" => vec![conv3d_pair(attribute)],
        "transpose_conv2d" => vec![transposed_pair(attribute)],
        "max_pool2d" | "avg_pool2d" => vec![pool_pair(op, attribute)],
        "rescale" => {
            let two = matches!(attribute, "input_unsigned" | "rounding_mode");
            [false, true]
                .into_iter()
                .take(if two { 2 } else { 1 })
                .map(|b| rescale_pair(attribute, b))
                .collect()
        }
        _ => INLINE
            .iter()
            .filter(|e| e.op == op && e.attribute == attribute)
            .map(|e| {
                let text = e.text.replace("tosa.OP", &format!("tosa.{op}")).replace("xT>", "xi32>");
                ([pick(&text, false), pick(&text, true)], e.outcome)
            })
            .collect(),
    }
}

#[test]
fn every_attribute_of_a_supported_op_is_followed_refused_or_idle() {
    let context = context();
    let pipeline = "strum-pipeline{method=dense}";
    for known in ATTRIBUTES {
        for op in known.ops {
            let name = format!("{op}, {}", known.name);
            let pairs = pairs(op, known.name);
            assert!(!pairs.is_empty(), "{name}: no experiment");
            for ([first, second], outcome) in pairs {
                let plain = compile(&context, first.as_bytes(), pipeline);
                let plain = plain.unwrap_or_else(|e| panic!("{name}: {e}\n{first}"));
                let found = match compile(&context, second.as_bytes(), pipeline) {
                    Err(error) => match outcome {
                        Refused(text) if error.contains(text) => outcome,
                        _ => panic!("{name}: {error}\n{second}"),
                    },
                    Ok(other) if (&other.instrs, &other.consts) == (&plain.instrs, &plain.consts) => Same,
                    Ok(_) => Other,
                };
                assert_eq!(found, outcome, "{name}\n{second}");
                assert_eq!(outcome == Same, known.honour == Honour::Idle, "{name}: {}", known.text);
                let refuses = matches!(outcome, Refused(_));
                assert!(!refuses || known.honour == Honour::Limited, "{name}: {}", known.text);
            }
        }
    }
}

/// The names of the attributes that TOSA declares for an op.
fn declared(context: &Context, op: &str) -> BTreeSet<String> {
    let module = Module::parse(context, b"", "test.mlir").unwrap();
    // Without operands it could not be verified, and need not be.
    let op = OpBuilder::new(op, Location::unknown(context)).append_to(module.body()).unwrap();
    let names = op.declared_attributes().into_iter().map(str::to_owned).collect();
    op.erase().unwrap();
    names
}

#[test]
fn the_table_has_every_attribute_that_tosa_declares() {
    let context = context();
    for row in MATRIX.iter().chain(COMPOUND) {
        let op = row.op.strip_prefix("tosa.").unwrap();
        let table: BTreeSet<String> =
            ATTRIBUTES.iter().filter(|a| a.ops.contains(&op)).map(|a| a.name.to_owned()).collect();
        let declared = declared(&context, row.op);
        assert_eq!(table, declared, "{op}");
    }
    assert!(ATTRIBUTES.is_sorted_by_key(|a| a.name), "the table is by name");
}

#[test]
fn a_misspelt_attribute_of_a_tosa_op_is_an_error_and_a_note_is_none() {
    let context = context();
    let with = |attribute: &str| {
        let text = CLAMP_NAN.replace("[|, nan_mode = IGNORE]", &format!(", {attribute}"));
        compile(&context, text.as_bytes(), "strum-pipeline{method=dense}").map(|program| program.instrs)
    };
    let plain = with("other.note = 1").unwrap();
    assert_eq!(with("onnx_node_name = \"relu\"").unwrap(), plain);
    // Also where an op is rewritten.
    let ([text, _], _) = pool_pair("max_pool2d", "kernel");
    let padded =
        text.replace("kernel = array<i64: 2, 2>", "kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>");
    let error = compile(&context, padded.as_bytes(), "strum-pipeline{method=dense}").unwrap_err();
    assert!(
        error.contains("'tosa.max_pool2d' op has no attribute 'strides'; the nearest is 'stride'"),
        "{error}"
    );
    let error = with("max_vall = 9 : i8").unwrap_err();
    assert!(
        error.contains("'tosa.clamp' op has no attribute 'max_vall'; the nearest is 'max_val'"),
        "{error}"
    );
}
