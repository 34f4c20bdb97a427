//! Constraints between the parts of a `strum` operation. ODS has already checked the kinds of operands and
//! attributes.

use strum_formats::{Kind, Packed};

use super::{Conv, Eltwise, EltwiseKind, MatMul, PackedType, Ppe, Rescale};
use crate::{
    Operation, PassError, Type, Value,
    verdict::{Fault, Verdict, declared, report},
};

/// Maximum kernel, stride, dilation and padding, of TOSA's largest level and of the instruction set.
const MAX_WINDOW: i64 = 8192;
/// Maximum rank of an element-wise layer.
const MAX_RANK: usize = 6;

/// Verifies one operation of the dialect.
pub(crate) fn verify(op: Operation<'_>) -> Result<(), PassError> {
    let verdict = match op.name() {
        "strum.constant" => constant(op),
        "strum.conv2d" | "strum.depthwise_conv2d" => convolution(op),
        "strum.matmul" => matmul(op),
        "strum.eltwise" => eltwise(op),
        _ => Err(Fault::Undeclared),
    };
    report(verdict, op)
}

fn constant(op: Operation<'_>) -> Verdict {
    let packed = declared(op.result(0).and_then(|result| PackedType::read(result.ty())))?;
    let value = declared(op.attribute("value"))?;
    let ty = declared(value.ty())?;
    match ty.as_tensor() {
        Some(tensor) if tensor.rank() == 1 && tensor.element.is_int(8) => {}
        _ => return Err(format!("expects a value of type 'tensor<Nxi8>', got '{ty}'").into()),
    }
    let bytes = value.bytes().map_err(|error| error.to_string())?.into_owned();
    let packed = Packed { shape: packed.shape, format: packed.format, bytes };
    packed.check().map_err(|error| error.to_string().into())
}

/// The weights of a convolution as `[oc, kh, kw, ic]`; depthwise, `oc` is 0 and `ic` is the output channels.
fn weight_shape(conv: &Conv<'_>) -> Verdict<[i64; 4]> {
    let ty = conv.weights.ty();
    if let Some(PackedType { shape, .. }) = PackedType::read(ty) {
        let dim = |value: usize| i64::try_from(value).map_err(|error| error.to_string());
        if conv.depthwise && shape.oc != 1 {
            return Err(format!("expects packed weights of shape 1xKHxKWx(C*M), got {shape}").into());
        }
        return Ok([dim(shape.oc)?, dim(shape.kh)?, dim(shape.kw)?, dim(shape.ic)?]);
    }
    match shape(conv.weights, "weights")? {
        [kh, kw, c, m] if conv.depthwise => {
            let channels = c.checked_mul(m).ok_or("weights are too large")?;
            let [.., input_channels] = shape::<4>(conv.input, "input")?;
            expect("weights", "input channels", c, input_channels)?;
            Ok([1, kh, kw, channels])
        }
        [oc, kh, kw, ic] => Ok([oc, kh, kw, ic]),
    }
}

fn convolution(op: Operation<'_>) -> Verdict {
    let conv = Conv::read(op).ok_or("expects two strides, two dilations and four pads")?;
    let result = declared(op.result(0))?;
    window("strides", &conv.strides, 1)?;
    window("dilations", &conv.dilations, 1)?;
    window("pads", &conv.pads, 0)?;
    let input = shape::<4>(conv.input, "input")?;
    let [oc, kh, kw, ic] = weight_shape(&conv)?;
    window("kernel sizes", &[kh, kw], 1)?;
    let channels = if conv.depthwise { ic } else { oc };
    if conv.depthwise {
        if ic % input[3] != 0 {
            return Err(format!(
                "expects output channels that are a multiple of the {} input channels, got {ic}",
                input[3]
            )
            .into());
        }
    } else {
        expect("weights", "input channels", ic, input[3])?;
    }
    zero_point("input_zp", conv.input_zp, 8, false)?;
    zero_point("weight_zp", conv.weight_zp, 8, false)?;
    let is_packed =
        PackedType::read(conv.weights.ty()).is_some_and(|ty| ty.format.method.kind() != Kind::Dense);
    if is_packed && conv.weight_zp != 0 {
        return Err(format!("expects weight_zp 0 with packed weights, got {}", conv.weight_zp).into());
    }
    if let Some(bias) = conv.bias {
        one_or_channels(shape::<1>(bias, "bias")?[0], channels, "bias of")?;
    }
    let [top, bottom, left, right] = conv.pads;
    let rows = extent("rows", input[1], top + bottom, kh, conv.strides[0], conv.dilations[0])?;
    let columns = extent("columns", input[2], left + right, kw, conv.strides[1], conv.dilations[1])?;
    let expected = [input[0], rows, columns, channels];
    let got = shape::<4>(result, "result")?;
    if got != expected {
        return Err(format!("expects a result of shape {}, got {}", dims(&expected), dims(&got)).into());
    }
    post_processing(conv.ppe.as_ref(), result.ty(), channels)
}

fn matmul(op: Operation<'_>) -> Verdict {
    let matmul = declared(MatMul::read(op))?;
    let result = declared(op.result(0))?;
    let (a, b) = (shape::<3>(matmul.a, "left operand")?, shape::<3>(matmul.b, "right operand")?);
    expect("right operand", "batches", b[0], a[0])?;
    expect("right operand", "rows", b[1], a[2])?;
    zero_point("a_zp", matmul.a_zp, 8, false)?;
    zero_point("b_zp", matmul.b_zp, 8, false)?;
    let (expected, got) = ([a[0], a[1], b[2]], shape::<3>(result, "result")?);
    if got != expected {
        return Err(format!("expects a result of shape {}, got {}", dims(&expected), dims(&got)).into());
    }
    post_processing(matmul.ppe.as_ref(), result.ty(), 1)
}

fn eltwise(op: Operation<'_>) -> Verdict {
    let eltwise = declared(Eltwise::read(op))?;
    let result = declared(op.result(0))?;
    let shape = declared(result.ty().shape())?;
    if shape.len() > MAX_RANK {
        return Err(format!("expects at most {MAX_RANK} dimensions, got {}", shape.len()).into());
    }
    let (a, b) = (
        shape_of(eltwise.a, "left operand", shape.len())?,
        shape_of(eltwise.b, "right operand", shape.len())?,
    );
    for (index, ((&a, &b), &got)) in a.iter().zip(&b).zip(&shape).enumerate() {
        let expected = match (a, b) {
            (a, b) if a == b => a,
            (1, other) | (other, 1) => other,
            _ => return Err(format!("cannot broadcast dimension {index}: {a} and {b}").into()),
        };
        expect("result", &format!("elements in dimension {index}"), got, expected)?;
    }
    rescale("lhs", eltwise.lhs, eltwise.a)?;
    rescale("rhs", eltwise.rhs, eltwise.b)?;
    match eltwise.kind {
        EltwiseKind::Mul if !(0..=63).contains(&eltwise.shift) => {
            return Err(format!("expects a shift in 0..63, got {}", eltwise.shift).into());
        }
        EltwiseKind::Mul => {}
        _ if eltwise.shift != 0 => return Err("expects a shift only for mul".into()),
        _ => {}
    }
    post_processing(eltwise.ppe.as_ref(), result.ty(), 1)
}

fn rescale(name: &str, rescale: Option<Rescale>, operand: Value<'_>) -> Verdict {
    let Some(rescale) = rescale else { return Ok(()) };
    let width = declared(operand.ty().element().and_then(Type::int_width))?;
    if rescale.unsigned && width == 32 {
        return Err(format!("expects {name} without unsigned for 32-bit values").into());
    }
    zero_point(&format!("zp of {name}"), rescale.zp, width, rescale.unsigned)
}

/// The rules of a PPE attribute for its result.
fn post_processing(ppe: Option<&Ppe>, result: Type<'_>, channels: i64) -> Verdict {
    let width = declared(result.element().and_then(Type::int_width))?;
    let Some(ppe) = ppe else {
        return if width == 32 {
            Ok(())
        } else {
            Err(format!("expects an i32 result without ppe, got i{width}").into())
        };
    };
    let length = i64::try_from(ppe.multiplier.len()).map_err(|error| error.to_string())?;
    one_or_channels(length, channels, "ppe multipliers for")?;
    if ppe.unsigned && width == 32 {
        return Err("expects ppe without unsigned for a 32-bit result".into());
    }
    let (min, max) = range(width, ppe.unsigned);
    let (lo, hi) = (i64::from(ppe.clamp.0), i64::from(ppe.clamp.1));
    if lo < min || hi > max {
        return Err(format!("expects a clamp within [{min}, {max}], got [{lo}, {hi}]").into());
    }
    if ppe.table.is_some() && width != 8 {
        return Err(format!("expects an i8 result with a table, got i{width}").into());
    }
    zero_point("zp of ppe", ppe.zp, width, ppe.unsigned)
}

/// The static shape of a value, without zero-size dimensions.
fn shape_of(value: Value<'_>, what: &str, rank: usize) -> Verdict<Vec<i64>> {
    let shape = declared(value.ty().shape())?;
    if shape.len() != rank {
        return Err(format!("expects {what} of rank {rank}, got {}", shape.len()).into());
    }
    if shape.contains(&0) {
        return Err(format!("expects {what} without zero-size dimensions, got {}", dims(&shape)).into());
    }
    Ok(shape)
}

/// As [`shape_of`], with a rank known here.
fn shape<const RANK: usize>(value: Value<'_>, what: &str) -> Verdict<[i64; RANK]> {
    declared(shape_of(value, what, RANK)?.try_into().ok())
}

fn expect(whose: &str, what: &str, got: i64, expected: i64) -> Verdict {
    if got == expected {
        return Ok(());
    }
    Err(format!("expects {whose} with {expected} {what}, got {got}").into())
}

fn one_or_channels(got: i64, channels: i64, what: &str) -> Verdict {
    if got == 1 || got == channels {
        return Ok(());
    }
    let choice = if channels == 1 { "1 channel".to_owned() } else { format!("1 or {channels} channels") };
    Err(format!("expects {what} {choice}, got {got}").into())
}

fn window(what: &str, values: &[i64], min: i64) -> Verdict {
    match values.iter().find(|value| !(min..=MAX_WINDOW).contains(value)) {
        Some(value) => Err(format!("expects {what} in {min}..{MAX_WINDOW}, got {value}").into()),
        None => Ok(()),
    }
}

/// The output rows or columns of a convolution.
fn extent(what: &str, input: i64, pads: i64, kernel: i64, stride: i64, dilation: i64) -> Verdict<i64> {
    let reach = (kernel - 1) * dilation;
    let padded = input.checked_add(pads).ok_or_else(|| format!("has too many {what}"))?;
    let last = padded - 1 - reach;
    if last < 0 {
        return Err(format!(
            "expects a kernel within the padded input, got {} {what} for {padded}",
            reach + 1
        )
        .into());
    }
    Ok(last / stride + 1)
}

/// The values of an integer type.
fn range(width: u32, unsigned: bool) -> (i64, i64) {
    match (width, unsigned) {
        (8, false) => (i8::MIN.into(), i8::MAX.into()),
        (8, true) => (0, u8::MAX.into()),
        (16, false) => (i16::MIN.into(), i16::MAX.into()),
        (16, true) => (0, u16::MAX.into()),
        _ => (i32::MIN.into(), i32::MAX.into()),
    }
}

/// A zero point is a value of its type; 32-bit values have none.
fn zero_point(what: &str, zp: i32, width: u32, unsigned: bool) -> Verdict {
    let (min, max) = if width == 32 { (0, 0) } else { range(width, unsigned) };
    if (min..=max).contains(&i64::from(zp)) {
        Ok(())
    } else {
        Err(format!("expects {what} in [{min}, {max}], got {zp}").into())
    }
}

fn dims(shape: &[i64]) -> String {
    shape.iter().map(i64::to_string).collect::<Vec<_>>().join("x")
}
