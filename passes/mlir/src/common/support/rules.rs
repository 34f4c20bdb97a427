//! The conditions of the support matrix, each with the sentence that documents it.

use super::facts::OpFacts;
use crate::common::tosa::elem::Elem;

/// A condition beyond the element types.
#[derive(Clone, Copy)]
pub struct Rule {
    /// What has to hold, as the documentation says it.
    pub text: &'static str,
    /// Says what is wrong with an op, one message a fault.
    pub check: fn(&OpFacts<'_>) -> Vec<String>,
}

/// The largest extent of a resized image: TOSA has less than 16384.
const MAX_RESIZED: u64 = 16383;

/// The largest kernel, stride and dilation of the instruction set.
const MAX_WINDOW: i64 = 8192;

pub(super) const ACC_I32: Rule = Rule {
    text: "`acc_type` is i32",
    check: |op| {
        fault(!op.mentions("acc_type", "i32"), || {
            format!("acc_type {} is not supported, accumulators are i32", attr_text(op, "acc_type"))
        })
    },
};

pub(super) const CONV_ZERO_POINTS: Rule = Rule {
    text: "zero points are constant",
    check: |op| constants(op, &[(3, "input_zp"), (4, "weight_zp")]),
};

pub(super) const MATMUL_ZERO_POINTS: Rule =
    Rule { text: "zero points are constant", check: |op| constants(op, &[(2, "a_zp"), (3, "b_zp")]) };

pub(super) const POOL_ZERO_POINTS: Rule = Rule {
    text: "zero points are constant, and 0 unless the type is i8",
    check: |op| zero_points(op, &[(1, "input_zp"), (2, "output_zp")]),
};

pub(super) const NEGATE_ZERO_POINTS: Rule = Rule {
    text: "zero points are constant, and 0 unless the type is i8",
    check: |op| zero_points(op, &[(1, "input1_zp"), (2, "output_zp")]),
};

pub(super) const WINDOW: Rule =
    Rule { text: "kernel, stride and dilation are 1 to 8192, padding 0 to 8192", check: window };

/// Most taps in depth: each is a slice of the input.
const MAX_DEPTH: u64 = 256;

pub(super) const DEPTH: Rule = Rule {
    text: "the kernel has at most 256 taps in depth",
    check: |op| match op.operand(1) {
        Some((&[_, depth, ..], _)) => fault(depth > MAX_DEPTH, || {
            format!("the kernel has {depth} taps in depth, at most {MAX_DEPTH} are supported")
        }),
        _ => Vec::new(),
    },
};

pub(super) const PHASES: Rule =
    Rule { text: "kernel and stride are 1 to 8192, and `out_pad` -8192 to 8192", check: phases };

pub(super) const MULTIPLES: Rule = Rule {
    text: "`multiples` is constant, and gives the result's shape",
    check: |op| {
        let Some(multiples) = dims(op, 1) else { return vec![not_constant("multiples")] };
        let (Some((input, _)), Some((result, _))) = (op.operand(0), op.result()) else { return Vec::new() };
        let times = |(&d, &m): (&u64, &i64)| d.checked_mul(u64::try_from(m).ok()?);
        let same = input.iter().zip(multiples).map(times).eq(result.iter().map(|&d| Some(d)));
        fault(!same || multiples.len() != input.len(), || {
            format!("{input:?} times {multiples:?} is not the result's shape {result:?}")
        })
    },
};

pub(super) const CLAMP_ORDER: Rule = Rule {
    text: "`min_val` is not above `max_val`",
    check: |op| match (int(op, "min_val"), int(op, "max_val")) {
        (Some(lo), Some(hi)) => fault(lo > hi, || format!("min_val {lo} is above max_val {hi}")),
        _ => vec!["min_val and max_val must be integers".into()],
    },
};

pub(super) const MUL_SHIFT: Rule = Rule {
    text: "`shift` is constant, 0 to 63, and 0 unless the type is i32",
    check: |op| match op.scalar(2) {
        None => vec![not_constant("shift")],
        Some(shift) if !(0..=63).contains(&shift) => vec![format!("shift {shift} is not in 0 to 63")],
        Some(shift) => fault(shift != 0 && !is_elem(op, Elem::I32), || {
            format!("shift must be 0 unless the operands are i32, got {shift}")
        }),
    },
};

pub(super) const TABLE: Rule = Rule {
    text: "the table is constant, with 256 entries for i8 and 513 for i16",
    check: |op| {
        let want = if is_elem(op, Elem::I8) { 256 } else { 513 };
        match op.operands.get(1).and_then(|o| o.constant.as_ref()) {
            None => vec![not_constant("table")],
            Some(table) => fault(table.len() != want, || {
                format!("the table has {} entries, expected {want}", table.len())
            }),
        }
    },
};

pub(super) const PADDING: Rule = Rule {
    text: "`padding` and `pad_const` are constant, and `padding` is not negative",
    check: |op| {
        let mut faults = constants(op, &[(2, "pad_const")]);
        match op.operands.get(1).and_then(|o| o.dims.as_ref()) {
            None => faults.push(not_constant("padding")),
            Some(dims) => {
                faults.extend(dims.iter().find(|&&d| d < 0).map(|d| format!("padding {d} is negative")))
            }
        }
        faults
    },
};

pub(super) const SLICE: Rule = Rule {
    text: "`start` and `size` are constant, the slice lies inside its input, and `size` is the result's shape",
    check: |op| {
        let (Some(start), Some(size)) = (dims(op, 1), dims(op, 2)) else {
            return vec![not_constant("start or size")];
        };
        let Some((shape, _)) = op.operand(0) else { return Vec::new() };
        let inside = |i: usize| match (start.get(i), size.get(i), i64::try_from(shape[i])) {
            (Some(&a), Some(&n), Ok(d)) => a >= 0 && n >= 1 && a.checked_add(n).is_some_and(|end| end <= d),
            _ => false,
        };
        let mut faults = fault(!(0..shape.len()).all(inside), || {
            format!("start {start:?} and size {size:?} do not lie inside {shape:?}")
        });
        if let Some((result, _)) = op.result() {
            let same = result.iter().map(|&d| i64::try_from(d).ok()).eq(size.iter().map(|&n| Some(n)));
            faults.extend(fault(!same, || format!("size {size:?} is not the result's shape {result:?}")));
        }
        faults
    },
};

pub(super) const RESIZE_MODE: Rule = Rule {
    text: "`mode` is NEAREST_NEIGHBOR where the type stays, and BILINEAR from i8 to i32",
    check: |op| {
        let (bilinear, wide) =
            (op.mentions("mode", "BILINEAR"), op.result().is_some_and(|(_, e)| e == Elem::I32));
        fault(bilinear != wide, || {
            let result = op.result().map_or_else(String::new, |(_, elem)| elem.to_string());
            format!("mode {} does not give {result}", attr_text(op, "mode"))
        })
    },
};

pub(super) const RESIZE: Rule = Rule {
    text: "`scale`, `offset` and `border` are constant, within the limits of TOSA, and give the result's shape; extents are below 16384",
    check: resize,
};

pub(super) const ROUNDING: Rule = Rule {
    text: "rounding is SINGLE_ROUND, DOUBLE_ROUND with 32-bit multipliers, or INEXACT_ROUND, which rounds as SINGLE_ROUND",
    check: |op| {
        let double16 = op.mentions("rounding_mode", "DOUBLE") && !op.flag("scale32");
        fault(double16, || "DOUBLE_ROUND needs scale32 = true".into())
    },
};

pub(super) const SCALES: Rule = Rule {
    text: "multipliers and shifts are constant, 0 or more and 2 to 62, one for the tensor or one a channel",
    check: scales,
};

pub(super) const RESCALE_SHAPE: Rule = Rule {
    text: "the result has the shape of the input",
    check: |op| match (op.operand(0), op.result()) {
        (Some((input, _)), Some((result, _))) => {
            fault(input != result, || format!("the result's shape {result:?} is not the input's {input:?}"))
        }
        _ => Vec::new(),
    },
};

pub(super) const RESCALE_ZERO_POINTS: Rule = Rule {
    text: "zero points are constant: any for 8 bits, 0 or 32768 for unsigned 16 bits, else 0; unsigned is one side at most, and only \
           between 8 and 16 bits",
    check: rescale_zero_points,
};

fn fault(broken: bool, message: impl FnOnce() -> String) -> Vec<String> {
    if broken { vec![message()] } else { Vec::new() }
}

fn not_constant(what: &str) -> String {
    format!("{what} is not constant")
}

fn constants(op: &OpFacts<'_>, wanted: &[(usize, &str)]) -> Vec<String> {
    let missing = wanted.iter().filter(|(index, _)| op.scalar(*index).is_none());
    missing.map(|(_, what)| not_constant(what)).collect()
}

fn zero_points(op: &OpFacts<'_>, wanted: &[(usize, &str)]) -> Vec<String> {
    let mut faults = constants(op, wanted);
    for (index, what) in wanted {
        let value = op.scalar(*index).unwrap_or(0);
        faults.extend(fault(value != 0 && !is_elem(op, Elem::I8), || {
            format!("{what} must be 0 unless the tensor is i8, got {value}")
        }));
    }
    faults
}

fn is_elem(op: &OpFacts<'_>, elem: Elem) -> bool {
    op.operand(0).is_some_and(|(_, e)| e == elem)
}

fn int(op: &OpFacts<'_>, name: &str) -> Option<i64> {
    match op.attrs.get(name) {
        Some(super::facts::AttrFact::Int(value)) => Some(*value),
        _ => None,
    }
}

fn dims<'o>(op: &'o OpFacts<'_>, index: usize) -> Option<&'o [i64]> {
    op.operands.get(index)?.dims.as_deref()
}

fn attr_text(op: &OpFacts<'_>, name: &str) -> String {
    match op.attrs.get(name) {
        Some(super::facts::AttrFact::Text(text)) => text.clone(),
        _ => "(missing)".into(),
    }
}

fn window(op: &OpFacts<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let outside =
        |values: &[i64], least: i64| values.iter().copied().find(|v| !(least..=MAX_WINDOW).contains(v));
    for (name, least) in [("kernel", 1), ("stride", 1), ("dilation", 1), ("pad", 0)] {
        if let Some(value) = outside(op.ints(name), least) {
            faults.push(format!("{name} {value} is not in {least} to {MAX_WINDOW}"));
        }
    }
    // Weights hold the kernel of a convolution: OHWI, or HWCM for depthwise, or ODHWI.
    let taps = match (op.name.as_str(), op.operand(1)) {
        ("tosa.conv3d", Some((&[_, _, h, w, _], _))) => [h, w],
        ("tosa.conv2d", Some((&[_, h, w, _], _))) | ("tosa.depthwise_conv2d", Some((&[h, w, _, _], _))) => {
            [h, w]
        }
        _ => [1, 1],
    };
    for extent in taps {
        faults.extend(fault(extent > MAX_WINDOW.unsigned_abs(), || {
            format!("kernel {extent} is not in 1 to {MAX_WINDOW}")
        }));
    }
    faults
}

fn phases(op: &OpFacts<'_>) -> Vec<String> {
    let Some((&[_, kernel_y, kernel_x, _], _)) = op.operand(1) else { return Vec::new() };
    let kernel = [kernel_y, kernel_x].map(|extent| i64::try_from(extent).unwrap_or(i64::MAX));
    let mut faults = Vec::new();
    for (name, values, least) in [
        ("kernel", kernel.as_slice(), 1),
        ("stride", op.ints("stride"), 1),
        ("out_pad", op.ints("out_pad"), -MAX_WINDOW),
    ] {
        if let Some(value) = values.iter().find(|value| !(least..=MAX_WINDOW).contains(value)) {
            faults.push(format!("{name} {value} is not in {least} to {MAX_WINDOW}"));
        }
    }
    faults
}

fn scales(op: &OpFacts<'_>) -> Vec<String> {
    let channels = match (op.flag("per_channel"), op.operand(0)) {
        (true, Some((shape, _))) => shape.last().copied(),
        (true, None) => return Vec::new(),
        (false, _) => Some(1),
    };
    let Some(channels) = channels else { return vec!["per_channel needs a tensor of rank 1 or more".into()] };
    let mut faults = Vec::new();
    for (index, what, range) in [(1, "multiplier", 0..=i32::MAX), (2, "shift", 2..=62)] {
        let Some(values) = op.operands.get(index).and_then(|o| o.constant.as_ref()) else {
            faults.push(not_constant(what));
            continue;
        };
        if u64::try_from(values.len()) != Ok(channels) {
            faults.push(format!("{what} has {} elements, expected {channels}", values.len()));
        }
        if let Some(value) = values.distinct().find(|v| !range.contains(v)) {
            faults.push(format!("{what} {value} is not in {} to {}", range.start(), range.end()));
        }
    }
    faults
}

fn rescale_zero_points(op: &OpFacts<'_>) -> Vec<String> {
    let mut faults = constants(op, &[(3, "input_zp"), (4, "output_zp")]);
    let (input, output) = (op.flag("input_unsigned"), op.flag("output_unsigned"));
    if input && output {
        faults.push("input and output cannot both be unsigned".into());
    }
    for (flag, on, ty) in [("input_unsigned", input, op.result()), ("output_unsigned", output, op.operand(0))]
    {
        if on && ty.is_some_and(|(_, elem)| elem == Elem::I32) {
            faults.push(format!("{flag} is not supported with i32 on the other side"));
        }
    }
    let sides = [(3, "input_zp", input, op.operand(0)), (4, "output_zp", output, op.result())];
    for (index, what, unsigned, ty) in sides {
        let (Some(value), Some((_, elem))) = (op.scalar(index), ty) else { continue };
        if unsigned && elem == Elem::I32 {
            faults.push(format!("i32 cannot be unsigned ({what})"));
        }
        let legal = match (elem, unsigned) {
            (Elem::I8, _) => true,
            (Elem::I16, true) => matches!(elem.zero_extend(value), 0 | 0x8000),
            _ => value == 0,
        };
        faults.extend(fault(!legal, || format!("{what} {value} is not supported for {elem}")));
    }
    faults
}

fn resize(op: &OpFacts<'_>) -> Vec<String> {
    let (Some(&[y_n, y_d, x_n, x_d]), Some(&[offset_y, offset_x]), Some(&[border_y, border_x])) =
        (dims(op, 1), dims(op, 2), dims(op, 3))
    else {
        return vec![not_constant("scale, offset or border")];
    };
    let (Some((&[n, height, width, c], _)), Some((&[batch, rows, columns, channels], _))) =
        (op.operand(0), op.result())
    else {
        return Vec::new();
    };
    let sides = [
        ("rows", y_n, y_d, offset_y, border_y, height, rows),
        ("columns", x_n, x_d, offset_x, border_x, width, columns),
    ];
    let mut faults = fault((n, c) != (batch, channels), || {
        format!("{n} images of {c} channels do not become {batch} of {channels}")
    });
    for (what, n, d, offset, border, image, result) in sides {
        if !(1..=2048).contains(&n) || !(1..16 * n).contains(&d) {
            faults.push(format!(
                "scale {n}/{d} of {what} is not supported: 1 to 2048, and less than 16 times that"
            ));
            continue;
        }
        if !(-n..16 * n).contains(&offset) || !(-16 * n..n).contains(&border) {
            faults.push(format!(
                "offset {offset} and border {border} of {what} are not in {} to {} and {} to {}",
                -n,
                16 * n - 1,
                -16 * n,
                n - 1
            ));
            continue;
        }
        if image > MAX_RESIZED || result > MAX_RESIZED {
            faults.push(format!("{image} {what} resized to {result}: at most {MAX_RESIZED} are supported"));
            continue;
        }
        // Both are bounded above, so nothing overflows.
        let (image, result) = (i64::try_from(image).unwrap_or(0), i64::try_from(result).unwrap_or(0));
        let last = (image - 1) * n - offset + border;
        faults.extend(fault(last != (result - 1) * d, || {
            format!("{image} {what} do not become {result}: the last is at {last}/{n}, its number times {d}/{n} is not")
        }));
    }
    faults
}
