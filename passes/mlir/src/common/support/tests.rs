//! Every row of the matrix accepts what it lists and refuses the rest, with a message.

use std::collections::BTreeMap;

use super::facts::{AttrFact, OpFacts, OperandFact, ResultFact, TypeFact};
use super::matrix::{self, COMPOUND, MATRIX};
use super::{Refusal, check, check_compound, page};
use crate::common::tosa::elem::Elem::{self, I8, I16, I32};
use crate::common::tosa::literal::Literal;

fn tensor(shape: &[u64], elem: Elem) -> OperandFact<'static> {
    let dims: String = shape.iter().map(|d| format!("{d}x")).collect();
    OperandFact {
        ty: TypeFact::Tensor { shape: shape.to_vec(), elem },
        printed: format!("tensor<{dims}{elem}>"),
        constant: None,
        dims: None,
    }
}

fn constant(values: &[i32], elem: Elem) -> OperandFact<'static> {
    let shape = vec![u64::try_from(values.len()).unwrap()];
    let literal = Literal::from_values(shape.clone(), elem, values).unwrap();
    OperandFact { constant: Some(literal), ..tensor(&shape, elem) }
}

fn shape(dims: &[i64]) -> OperandFact<'static> {
    let printed = format!("!tosa.shape<{}>", dims.len());
    OperandFact { ty: TypeFact::Shape, printed, constant: None, dims: Some(dims.to_vec()) }
}

fn op(
    name: &str,
    operands: Vec<OperandFact<'static>>,
    (dims, elem): (&[u64], Elem),
    attrs: &[(&str, AttrFact)],
) -> OpFacts<'static> {
    let result = tensor(dims, elem);
    OpFacts {
        name: name.into(),
        operands,
        results: vec![ResultFact { ty: result.ty, printed: result.printed }],
        attrs: attrs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect::<BTreeMap<_, _>>(),
    }
}

fn faults(op: &OpFacts<'_>) -> Vec<String> {
    check(op).err().map(|refusal| refusal.faults).unwrap_or_default()
}

fn text(value: &str) -> AttrFact {
    AttrFact::Text(value.into())
}

fn conv() -> OpFacts<'static> {
    op(
        "tosa.conv2d",
        vec![
            tensor(&[1, 4, 4, 2], I8),
            tensor(&[3, 1, 1, 2], I8),
            tensor(&[3], I32),
            constant(&[-3], I8),
            constant(&[0], I8),
        ],
        (&[1, 4, 4, 3], I32),
        &[
            ("acc_type", text("i32")),
            ("stride", AttrFact::Ints(vec![1, 1])),
            ("dilation", AttrFact::Ints(vec![1, 1])),
            ("pad", AttrFact::Ints(vec![0; 4])),
        ],
    )
}

fn rescale(from: Elem, to: Elem) -> OpFacts<'static> {
    op(
        "tosa.rescale",
        vec![
            tensor(&[2, 3], from),
            constant(&[1 << 30], I32),
            constant(&[30], I8),
            constant(&[0], from),
            constant(&[0], to),
        ],
        (&[2, 3], to),
        &[("rounding_mode", text("#tosa.rounding_mode<SINGLE_ROUND>")), ("scale32", AttrFact::Bool(true))],
    )
}

#[test]
fn convolution() {
    assert_eq!(check(&conv()), Ok(()));
    let mut wide = conv();
    wide.attrs.insert("acc_type".into(), text("i48"));
    assert_eq!(faults(&wide), ["acc_type i48 is not supported, accumulators are i32"]);
    let mut stride = conv();
    stride.attrs.insert("stride".into(), AttrFact::Ints(vec![1, 8193]));
    assert_eq!(faults(&stride), ["stride 8193 is not in 1 to 8192"]);
    let mut kernel = conv();
    kernel.operands[1] = tensor(&[3, 9000, 1, 2], I8);
    assert_eq!(faults(&kernel), ["kernel 9000 is not in 1 to 8192"]);
    let mut i16 = conv();
    i16.operands[0] = tensor(&[1, 4, 4, 2], I16);
    assert_eq!(
        faults(&i16),
        [
            "types (tensor<1x4x4x2xi16>, tensor<3x1x1x2xi8>, tensor<3xi32>) -> tensor<1x4x4x3xi32> are not supported"
        ]
    );
    let mut pad = conv();
    pad.attrs.insert("pad".into(), AttrFact::Ints(vec![0, -1, 0, 0]));
    assert_eq!(faults(&pad), ["pad -1 is not in 0 to 8192"]);
    let mut zp = conv();
    zp.operands[4] = tensor(&[1], I8);
    assert_eq!(faults(&zp), ["weight_zp is not constant"]);
}

#[test]
fn rescale_types_and_zero_points() {
    for from in Elem::ALL {
        for to in Elem::ALL {
            assert_eq!(check(&rescale(from, to)), Ok(()), "{from} to {to}");
        }
    }
    let mut reshaped = rescale(I8, I8);
    reshaped.operands[0] = tensor(&[3, 2], I8);
    assert_eq!(faults(&reshaped), ["the result's shape [2, 3] is not the input's [3, 2]"]);
    let mut both = rescale(I8, I8);
    both.attrs.insert("input_unsigned".into(), AttrFact::Bool(true));
    assert_eq!(check(&both), Ok(()));
    both.attrs.insert("output_unsigned".into(), AttrFact::Bool(true));
    assert_eq!(faults(&both), ["input and output cannot both be unsigned"]);
    let mut i32_zp = rescale(I32, I8);
    i32_zp.operands[3] = constant(&[1], I32);
    assert_eq!(faults(&i32_zp), ["input_zp 1 is not supported for i32"]);
    let mut u16 = rescale(I16, I8);
    u16.attrs.insert("input_unsigned".into(), AttrFact::Bool(true));
    u16.operands[3] = constant(&[-32768], I16);
    assert_eq!(check(&u16), Ok(()), "the stored bits of 32768");
    u16.operands[3] = constant(&[5], I16);
    assert_eq!(faults(&u16), ["input_zp 5 is not supported for i16"]);
}

#[test]
fn rescale_scales() {
    let mut inexact = rescale(I32, I8);
    inexact.attrs.insert("rounding_mode".into(), text("#tosa.rounding_mode<INEXACT_ROUND>"));
    assert_eq!(check(&inexact), Ok(()));
    let mut double16 = rescale(I32, I8);
    double16.attrs.insert("rounding_mode".into(), text("#tosa.rounding_mode<DOUBLE_ROUND>"));
    double16.attrs.insert("scale32".into(), AttrFact::Bool(false));
    assert_eq!(faults(&double16), ["DOUBLE_ROUND needs scale32 = true"]);
    let mut channels = rescale(I32, I8);
    channels.attrs.insert("per_channel".into(), AttrFact::Bool(true));
    assert_eq!(
        faults(&channels),
        ["multiplier has 1 elements, expected 3", "shift has 1 elements, expected 3"]
    );
    channels.operands[1] = constant(&[1, 2, -3], I32);
    channels.operands[2] = constant(&[2, 62, 63], I8);
    assert_eq!(faults(&channels), ["multiplier -3 is not in 0 to 2147483647", "shift 63 is not in 2 to 62"]);
    let mut scalar = rescale(I32, I8);
    scalar.attrs.insert("per_channel".into(), AttrFact::Bool(true));
    scalar.operands[0] = tensor(&[], I32);
    scalar.results[0].ty = TypeFact::Tensor { shape: vec![], elem: I8 };
    assert_eq!(faults(&scalar), ["per_channel needs a tensor of rank 1 or more"]);
}

#[test]
fn parameters_of_the_small_ops() {
    let mul = |shift: OperandFact<'static>, from| {
        op("tosa.mul", vec![tensor(&[2], from), tensor(&[2], from), shift], (&[2], I32), &[])
    };
    assert_eq!(check(&mul(constant(&[31], I8), I32)), Ok(()));
    assert_eq!(
        faults(&mul(constant(&[31], I8), I8)),
        ["shift must be 0 unless the operands are i32, got 31"]
    );
    assert_eq!(faults(&mul(constant(&[64], I8), I32)), ["shift 64 is not in 0 to 63"]);
    assert_eq!(faults(&mul(tensor(&[1], I8), I32)), ["shift is not constant"]);

    let table = |entries: usize, from, to| {
        let table = constant(&vec![0; entries], from);
        op("tosa.table", vec![tensor(&[2], from), table], (&[2], to), &[])
    };
    assert_eq!(check(&table(256, I8, I8)), Ok(()));
    assert_eq!(check(&table(513, I16, I32)), Ok(()));
    assert_eq!(faults(&table(255, I8, I8)), ["the table has 255 entries, expected 256"]);
    assert_eq!(faults(&table(513, I16, I16)).len(), 1);

    let clamp = |lo, hi| {
        let bounds = [("min_val", AttrFact::Int(lo)), ("max_val", AttrFact::Int(hi))];
        op("tosa.clamp", vec![tensor(&[2], I8)], (&[2], I8), &bounds)
    };
    assert_eq!(check(&clamp(-3, 3)), Ok(()));
    assert_eq!(faults(&clamp(4, 3)), ["min_val 4 is above max_val 3"]);
    let mut floats = clamp(-3, 3);
    floats.attrs.insert("max_val".into(), text("3.0 : f32"));
    assert_eq!(faults(&floats), ["min_val and max_val must be integers"]);

    let negate = op(
        "tosa.negate",
        vec![tensor(&[2], I16), constant(&[0], I16), constant(&[7], I16)],
        (&[2], I16),
        &[],
    );
    assert_eq!(faults(&negate), ["output_zp must be 0 unless the tensor is i8, got 7"]);
}

#[test]
fn data_movement() {
    let pad = |padding, value| op("tosa.pad", vec![tensor(&[2], I8), padding, value], (&[4], I8), &[]);
    assert_eq!(check(&pad(shape(&[1, 1]), constant(&[0], I8))), Ok(()));
    assert_eq!(faults(&pad(shape(&[-1, 3]), constant(&[0], I8))), ["padding -1 is negative"]);
    let dynamic = OperandFact { dims: None, ..shape(&[1, 1]) };
    assert_eq!(
        faults(&pad(dynamic, tensor(&[1], I8))),
        ["pad_const is not constant", "padding is not constant"]
    );

    let slice = |start: &[i64], size: &[i64]| {
        op("tosa.slice", vec![tensor(&[4, 4], I8), shape(start), shape(size)], (&[2, 2], I8), &[])
    };
    assert_eq!(check(&slice(&[2, 0], &[2, 2])), Ok(()));
    let mut variable = slice(&[2, 0], &[2, 2]);
    variable.operands[1].dims = None;
    assert_eq!(faults(&variable), ["start or size is not constant"]);
    assert_eq!(faults(&slice(&[3, 0], &[2, 2])), ["start [3, 0] and size [2, 2] do not lie inside [4, 4]"]);
    assert_eq!(faults(&slice(&[0, 0], &[2, 3])), ["size [2, 3] is not the result's shape [2, 2]"]);
    assert_eq!(faults(&slice(&[3], &[2, 2])).len(), 1);
    assert_eq!(faults(&slice(&[i64::MAX, 0], &[2, 2])).len(), 1);

    let mut concat = op("tosa.concat", vec![tensor(&[2], I8); 9], (&[18], I8), &[]);
    assert_eq!(check(&concat), Ok(()));
    concat.operands[8].ty = TypeFact::Foreign("i4".into());
    assert_eq!(faults(&concat).len(), 1, "also the ninth operand is looked at");
}

#[test]
fn types_that_the_dpu_does_not_hold() {
    let cases = [
        (TypeFact::Foreign("f32".into()), "has element type f32; supported are i1, i8, i16 and i32"),
        (TypeFact::Dynamic, "has a dynamic shape; all extents must be known"),
        (TypeFact::Unranked, "has no rank; all extents must be known"),
        (TypeFact::Other, "is not a tensor"),
        (TypeFact::Tensor { shape: vec![1; 7], elem: I8 }, "has rank 7, at most 6 is supported"),
    ];
    for (ty, message) in cases {
        let mut identity = op("tosa.identity", vec![tensor(&[2], I8)], (&[2], I8), &[]);
        identity.operands[0].ty = ty;
        let faults = faults(&identity);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(
            faults[0].starts_with("operand #0 of type 'tensor<2xi8>'") && faults[0].ends_with(message),
            "{faults:?}"
        );
    }
}

#[test]
fn resized_images() {
    let resize = |scale: &[i64], offset: &[i64], border: &[i64], from, to, mode| {
        let operands = vec![tensor(&[1, 4, 4, 2], from), shape(scale), shape(offset), shape(border)];
        op("tosa.resize", operands, (&[1, 7, 8, 2], to), &[("mode", text(mode))])
    };
    let (nearest, bilinear) = ("#tosa.resize_mode<NEAREST_NEIGHBOR>", "#tosa.resize_mode<BILINEAR>");
    let scaled = |scale: &[i64]| resize(scale, &[0, -1], &[0, 0], I8, I8, nearest);
    assert_eq!(check(&scaled(&[2, 1, 2, 1])), Ok(()));
    assert_eq!(check(&resize(&[2, 1, 2, 1], &[0, 0], &[0, 1], I8, I32, bilinear)), Ok(()));
    assert_eq!(
        faults(&resize(&[2, 1, 2, 1], &[0, 0], &[0, 1], I8, I8, bilinear)),
        ["mode #tosa.resize_mode<BILINEAR> does not give i8"]
    );
    assert_eq!(
        faults(&scaled(&[2, 1, 1, 16])),
        ["scale 1/16 of columns is not supported: 1 to 2048, and less than 16 times that"]
    );
    assert_eq!(
        faults(&resize(&[2, 1, 2, 1], &[-3, -1], &[0, 0], I8, I8, nearest)),
        ["offset -3 and border 0 of rows are not in -2 to 31 and -32 to 1"]
    );
    assert_eq!(
        faults(&scaled(&[3, 1, 2, 1])),
        ["4 rows do not become 7: the last is at 9/3, its number times 1/3 is not"]
    );
    let mut variable = scaled(&[2, 1, 2, 1]);
    variable.operands[1].dims = None;
    assert_eq!(faults(&variable), ["scale, offset or border is not constant"]);
    let mut other = scaled(&[2, 1, 2, 1]);
    other.operands[0] = tensor(&[2, 4, 4, 1], I8);
    assert_eq!(faults(&other), ["2 images of 1 channels do not become 1 of 2"]);
    let mut long = scaled(&[1, 1, 2, 1]);
    long.operands[0] = tensor(&[1, 16384, 4, 2], I8);
    assert_eq!(faults(&long), ["16384 rows resized to 7: at most 16383 are supported"]);
}

#[test]
fn compound_ops() {
    let tile = |multiples| op("tosa.tile", vec![tensor(&[2, 3], I16), multiples], (&[4, 3], I16), &[]);
    assert_eq!(check_compound(&tile(shape(&[2, 1]))), Ok(()));
    assert_eq!(
        faults(&tile(shape(&[2, 1]))),
        ["only after --expand-operators, which replaces it"],
        "a pass that has not run"
    );
    let refused = |op: &OpFacts<'_>| check_compound(op).unwrap_err().faults;
    assert_eq!(refused(&tile(shape(&[2, 2]))), ["[2, 3] times [2, 2] is not the result's shape [4, 3]"]);
    assert_eq!(refused(&tile(shape(&[2]))), ["[2, 3] times [2] is not the result's shape [4, 3]"]);
    assert_eq!(refused(&tile(shape(&[-2, 1]))), ["[2, 3] times [-2, 1] is not the result's shape [4, 3]"]);
    assert_eq!(refused(&tile(OperandFact { dims: None, ..shape(&[2, 1]) })), ["multiples is not constant"]);
    let reverse = op("tosa.reverse", vec![tensor(&[2], I8)], (&[2], I16), &[]);
    assert_eq!(refused(&reverse), ["types (tensor<2xi8>) -> tensor<2xi16> are not supported"]);
    assert_eq!(check_compound(&conv()), Ok(()), "other ops are the matrix's");
}

#[test]
fn unknown_ops() {
    let refusal = |name: &str| -> Refusal { check(&op(name, vec![], (&[1], I8), &[])).unwrap_err() };
    assert_eq!(refusal("tosa.custom").faults, ["not implemented by the DPU"]);
    assert_eq!(refusal("tosa.while_loop").faults, ["only after --inline-control-flow, which replaces it"]);
    assert_eq!(refusal("linalg.matmul").faults, ["not an op of the tosa dialect"]);
    assert!(refusal("tosa.custom").supported.contains("argmax, avg_pool2d, conv2d"));
}

#[test]
fn rows_are_unique_and_found() {
    let rows = || MATRIX.iter().chain(COMPOUND);
    for (i, row) in rows().enumerate() {
        assert_eq!(rows().position(|r| r.op == row.op), Some(i), "{} stands twice", row.op);
        let found = matrix::find(row.op).is_some() != matrix::is_compound(row.op);
        assert!(row.op.starts_with("tosa.") && found, "row {i}");
    }
    assert!(matrix::find("tosa.custom").is_none());
}

#[test]
fn page_is_up_to_date() {
    crate::docs::expect_page("supported.md", &page());
}
