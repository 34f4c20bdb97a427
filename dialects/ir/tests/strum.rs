//! The strum dialect as Rust values.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use dpu_isa::Round;
use proptest::prelude::*;
use strum_formats::{DliqShift, Kind, Method, Shape};
use strum_ir::{
    Attribute, Context, Location, Module, Operation, Type,
    strum::{self, Conv, Eltwise, EltwiseKind, Format, MatMul, PackedType, Ppe, Rescale},
};
use strum_quant::{Request, pack};

const TEXT: &str = r#"
func.func @f(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>, %d: tensor<3x3x16x1xi8>, %b: tensor<4xi32>,
             %m: tensor<8x8x16xi8>, %n: tensor<8x16x4xi8>, %e: tensor<1x8x1x16xi8>) {
  %0 = strum.conv2d %x, %w, %b strides [2, 1] pads [1, 2, 3, 4] dilations [1, 2] input_zp -3 weight_zp 4
         ppe(#strum.ppe<multiplier = [1, 2, 3, 4], shift = [2, 3, 4, 62], round = double, zp = -5, clamp = [-128, 100]>)
       : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>, tensor<4xi32>) -> tensor<1x5x11x4xi8>
  %1 = strum.depthwise_conv2d %x, %d : (tensor<1x8x8x16xi8>, tensor<3x3x16x1xi8>) -> tensor<1x6x6x16xi32>
  %2 = strum.matmul %m, %n a_zp 1 b_zp -2 : (tensor<8x8x16xi8>, tensor<8x16x4xi8>) -> tensor<8x8x4xi32>
  %3 = strum.eltwise mul %x, %e lhs(#strum.rescale<zp = 9, multiplier = 8, shift = 7, round = single, unsigned>) shift 5
         ppe(#strum.ppe<multiplier = [1], shift = [2], round = single, zp = 0, clamp = [0, 1], table = dense<3> : tensor<256xi8>>)
       : (tensor<1x8x8x16xi8>, tensor<1x8x1x16xi8>) -> tensor<1x8x8x16xi8>
  return
}
"#;

/// Rebuilds each layer from what was read of it, next to the original.
#[test]
fn layers_read_and_build() {
    let context = Context::new();
    let module = Module::parse(&context, TEXT.as_bytes(), "t.mlir").unwrap();
    let [conv, depthwise, matmul, eltwise, ret] =
        module.symbol("f").and_then(Operation::body).unwrap().operations()[..]
    else {
        panic!()
    };
    let layer = Conv::read(conv).unwrap();
    assert_eq!((layer.strides, layer.pads, layer.dilations), ([2, 1], [1, 2, 3, 4], [1, 2]));
    assert_eq!((layer.input_zp, layer.weight_zp, layer.depthwise), (-3, 4, false));
    let ppe = layer.ppe.clone().unwrap();
    assert_eq!((ppe.shift, ppe.round, ppe.clamp), (vec![2, 3, 4, 62], Round::Double, (-128, 100)));
    assert_eq!((Conv::read(matmul), MatMul::read(conv), Eltwise::read(conv)), (None, None, None));
    let eltwise_layer = Eltwise::read(eltwise).unwrap();
    assert_eq!(eltwise_layer.kind, EltwiseKind::Mul);
    assert_eq!(eltwise_layer.ppe.as_ref().unwrap().table, Some(vec![3; 256]));
    let location = Location::unknown(&context);
    let copies = [
        (conv, layer.build(conv.result(0).unwrap().ty(), location).unwrap()),
        (
            depthwise,
            Conv::read(depthwise).unwrap().build(depthwise.result(0).unwrap().ty(), location).unwrap(),
        ),
        (matmul, MatMul::read(matmul).unwrap().build(matmul.result(0).unwrap().ty(), location).unwrap()),
        (eltwise, eltwise_layer.build(eltwise.result(0).unwrap().ty(), location).unwrap()),
    ];
    for (original, builder) in copies {
        let copy = builder.insert_before(ret).unwrap();
        copy.verify().unwrap();
        assert_eq!(copy.result(0).unwrap().ty(), original.result(0).unwrap().ty());
        let text = |op: Operation<'_>| op.to_string().split_once('=').unwrap().1.to_owned();
        assert_eq!(text(copy), text(original));
    }
}

#[test]
fn packed_constants() {
    let context = Context::new();
    let location = Location::file(&context, "w", 1, 1);
    let module = Module::empty(location);
    let shape = Shape { oc: 2, kh: 1, kw: 3, ic: 20 };
    let codes: Vec<i8> = (0..120).map(|i| (i * 37 % 251) as i8).collect();
    for kind in Kind::ALL {
        let packed = pack(&codes, shape, &Request::new(*kind)).unwrap();
        let op = strum::constant(packed.clone(), "w", location).unwrap().append_to(module.body()).unwrap();
        op.verify().unwrap();
        let ty = PackedType::read(op.result(0).unwrap().ty()).unwrap();
        assert_eq!((ty.shape, ty.format), (packed.shape, packed.format));
        assert_eq!(op.attribute("value").unwrap().bytes().unwrap().into_owned(), packed.bytes);
    }
    module.op().verify().unwrap();
}

#[test]
fn what_is_not_legal_is_reported() {
    let context = Context::new();
    let location = Location::file(&context, "x", 1, 2);
    let message = |run: &dyn Fn() -> bool| {
        let (failed, diagnostics) = context.handle().capture(run);
        assert!(failed);
        diagnostics[0].message.clone()
    };
    let format = Format { w: 12, low: 4, method: Method::Sparse };
    assert_eq!(
        message(&|| Attribute::format(location, format).is_err()),
        "block length w must be 4, 8, 16 or 32, got 12"
    );
    let empty = PackedType { shape: Shape { oc: 0, kh: 1, kw: 1, ic: 1 }, format: Format::DENSE };
    assert_eq!(message(&|| empty.ty(location).is_err()), "dimensions must be positive, got 0");
    let rescale = Rescale { zp: 0, multiplier: 1, shift: 1, round: Round::Single, unsigned: false };
    assert_eq!(message(&|| rescale.attribute(location).is_err()), "shift must be in 2..62, got 1");
    let ppe = Ppe {
        multiplier: vec![-1],
        shift: vec![3],
        round: Round::Single,
        zp: 0,
        clamp: (0, 1),
        unsigned: false,
        table: None,
    };
    assert_eq!(message(&|| ppe.attribute(location).is_err()), "multiplier must not be negative, got -1");
    let short = Ppe { shift: vec![], multiplier: vec![1], ..ppe.clone() };
    assert!(short.attribute(location).is_err());
    let table = Ppe { multiplier: vec![1], table: Some(vec![0; 3]), ..ppe };
    let said = message(&|| table.attribute(location).is_err());
    assert_eq!(said, "table must have 256 elements of type i8, got 'tensor<3xi8>'");
    assert_eq!(PackedType::read(Type::int(&context, 8)), None);
    assert_eq!(Attribute::bool(&context, true).as_format(), None);
}

fn formats() -> impl Strategy<Value = Format> {
    let w = prop_oneof![Just(4u8), Just(8), Just(16), Just(32)];
    let shift = prop_oneof![(0u8..=8).prop_map(DliqShift::Layer), Just(DliqShift::PerChannel)];
    let method = prop_oneof![
        Just(Method::Dense),
        Just(Method::Sparse),
        (1u8..=8, shift).prop_map(|(q, shift)| Method::Dliq { q, shift }),
        (0u8..=7, any::<bool>()).prop_map(|(l, zero)| Method::Mip2q { l, zero }),
    ];
    (w, 0u8..=32, method).prop_map(|(w, low, method)| match method {
        Method::Dense => Format::DENSE,
        method => Format { w, low, method },
    })
}

proptest! {
    /// Attributes agree with strum-quant on which formats are legal, and round-trip.
    #[test]
    fn formats_round_trip(format in formats()) {
        let context = Context::new();
        let location = Location::unknown(&context);
        let (made, _) = context.handle().capture(|| Attribute::format(location, format));
        prop_assert_eq!(made.is_ok(), format.validate().is_ok(), "{}", format);
        if let Ok(attribute) = made {
            prop_assert_eq!(attribute.as_format(), Some(format));
            prop_assert_eq!(Attribute::parse(&context, &attribute.to_string()).unwrap(), attribute);
        }
    }

    #[test]
    fn post_processing_round_trips(
        scales in proptest::collection::vec((0..=i32::MAX, 2u8..=62), 1..9),
        zp: i32, clamp: (i32, i32), double: bool, unsigned: bool, table in proptest::option::of(any::<u64>()),
    ) {
        let context = Context::new();
        let (multiplier, shift) = scales.into_iter().unzip();
        let clamp = if unsigned { (0, clamp.0.max(0)) } else { (clamp.0.min(clamp.1), clamp.0.max(clamp.1)) };
        let table = table.filter(|_| !unsigned).map(|seed| (0..256u64).map(|i| (i.wrapping_mul(seed) >> 7) as i8).collect());
        let round = if double { Round::Double } else { Round::Single };
        let ppe = Ppe { multiplier, shift, round, zp, clamp, unsigned, table };
        let attribute = ppe.attribute(Location::unknown(&context)).unwrap();
        prop_assert_eq!(Ppe::read(attribute), Some(ppe));
        prop_assert_eq!(Attribute::parse(&context, &attribute.to_string()).unwrap(), attribute);
    }
}
