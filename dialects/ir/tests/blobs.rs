//! The bytes of constants.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::borrow::Cow;
use std::sync::Arc;

use proptest::prelude::*;
use strum_ir::{Attribute, BlobError, Context, Error, Location, Module, OpBuilder, Type};

fn attribute<'c>(context: &'c Context, text: &str) -> Attribute<'c> {
    Attribute::parse(context, text).unwrap()
}

fn tensor<'c>(context: &'c Context, text: &str) -> Type<'c> {
    Type::parse(context, text).unwrap()
}

#[test]
fn booleans_in_every_form() {
    let context = Context::new();
    let ty = tensor(&context, "tensor<2x5xi1>");
    let bits = [1, 0, 0, 1, 1, 0, 1, 0, 1, 1];
    let list = Attribute::dense_bools(ty, &bits).unwrap();
    let text = "dense<[[true, false, false, true, true], [false, true, false, true, true]]> : tensor<2x5xi1>";
    assert_eq!((list.to_string().as_str(), list), (text, attribute(&context, text)));
    assert_eq!((list.bools().unwrap(), list.splat_bool()), (bits.to_vec(), None));
    let splat = attribute(&context, "dense<true> : tensor<2x5xi1>");
    assert_eq!((splat.bools().unwrap(), splat.splat_bool()), (vec![1; 10], Some(true)));
    assert_eq!(Attribute::dense_bools(ty, &[1]), Ok(splat));
    let one = attribute(&context, "dense<false> : tensor<i1>");
    assert_eq!((one.bools().unwrap(), one.splat_bool()), (vec![0], Some(false)));
    assert_eq!(attribute(&context, "dense<> : tensor<0xi1>").bools().unwrap(), []);
    assert_eq!(attribute(&context, "dense<1> : tensor<2xi8>").splat_bool(), None);
    assert!(attribute(&context, "dense<1> : tensor<2xi8>").bools().is_err());
    assert!(Attribute::dense_bools(ty, &bits[1..]).is_err());
    assert!(Attribute::dense_bools(tensor(&context, "tensor<10xi8>"), &bits).is_err());
}

#[test]
fn elements_of_4_bits_in_every_form() {
    let context = Context::new();
    let nibbles = |text: &str| attribute(&context, text).nibbles();
    assert_eq!(nibbles("dense<[-8, 7, -1]> : tensor<3xi4>").unwrap(), [0xf8, 7, 0xff]);
    assert_eq!(nibbles("dense<\"0x08070F\"> : tensor<3xi4>").unwrap(), [0xf8, 7, 0xff]);
    assert_eq!(nibbles("dense<-3> : tensor<2xi4>").unwrap(), [0xfd; 2]);
    assert_eq!(nibbles("dense<5> : tensor<i4>").unwrap(), [5]);
    assert!(matches!(nibbles("sparse<[[0]], [1]> : tensor<4xi4>"), Err(BlobError::Sparse)));
    for text in ["dense<1> : tensor<2xi8>", "dense<true> : tensor<2xi1>", "sparse<[[0]], [1]> : tensor<4xi8>"]
    {
        assert!(matches!(nibbles(text), Err(BlobError::Element(_))), "{text}");
    }
    let missing = nibbles("dense_resource<nothing> : tensor<3xi4>");
    assert_eq!(missing, Err(BlobError::Missing("nothing".into())));
}

#[test]
fn elements_in_every_form() {
    let context = Context::new();
    let list = attribute(&context, "dense<[1, -2, 300]> : tensor<3xi16>");
    assert!(matches!(list.bytes().unwrap(), Cow::Borrowed([1, 0, 254, 255, 44, 1])));
    assert_eq!(list.int_elements().unwrap(), [1, -2, 300]);
    let splat = attribute(&context, "dense<-2> : tensor<2x2xi8>");
    assert_eq!(splat.bytes().unwrap().into_owned(), [254; 4]);
    assert_eq!((splat.int_elements().unwrap(), splat.splat_bytes()), (vec![-2; 4], Some(&[254][..])));
    let unsigned = attribute(&context, "dense<[200, 1]> : tensor<2xui8>");
    assert_eq!(unsigned.int_elements().unwrap(), [200, 1]);
    assert_eq!(unsigned.splat_bytes(), None);
    let scalar = attribute(&context, "dense<-9> : tensor<i64>");
    assert_eq!(scalar.int_elements().unwrap(), [-9]);
    let none = attribute(&context, "dense<> : tensor<0xi32>");
    assert_eq!((none.bytes().unwrap().len(), none.splat_bytes()), (0, None));
    let float = attribute(&context, "dense<1.0> : tensor<1xf32>");
    assert_eq!(float.bytes().unwrap().into_owned(), 1.0f32.to_le_bytes());
    assert_eq!(float.splat_bytes(), None);
    assert!(matches!(float.int_elements(), Err(BlobError::Element(_))));
    assert_eq!(attribute(&context, "dense<[3, 4]> : tensor<2xindex>").int_elements().unwrap(), [3, 4]);
    assert_eq!(attribute(&context, "dense<7> : tensor<2xindex>").int_elements().unwrap(), [7, 7]);
}

#[test]
fn what_is_not_bytes_is_an_error() {
    let context = Context::new();
    for text in ["dense<true> : tensor<4xi1>", "dense<1> : tensor<4xi4>", "dense<1> : tensor<4xi24>"] {
        let found = attribute(&context, text).bytes();
        assert!(matches!(found, Err(BlobError::Element(_))), "{text}: {found:?}");
    }
    for text in ["3 : i32", "\"text\"", "array<i8: 1>", "unit", "dense<1> : vector<2xi8>"] {
        assert!(
            matches!(
                attribute(&context, text).bytes(),
                Err(BlobError::NotElements(_) | BlobError::Element(_))
            ),
            "{text}"
        );
    }
    let sparse = attribute(&context, "sparse<[[0]], [1]> : tensor<4xi8>");
    assert_eq!(sparse.bytes(), Err(BlobError::Sparse));
    let missing = attribute(&context, "dense_resource<nowhere> : tensor<4xi8>");
    assert_eq!(missing.bytes(), Err(BlobError::Missing("nowhere".into())));
    let too_large = attribute(&context, "dense_resource<nowhere> : tensor<9223372036854775807x9xi8>");
    assert_eq!(
        too_large.bytes().unwrap_err().to_string(),
        "a constant of type 'tensor<9223372036854775807x9xi8>' is too large"
    );
    let list = attribute(&context, "array<i8: 1>").bytes().unwrap_err();
    assert_eq!(list.to_string(), "'array<i8: 1>' is not a constant tensor with a static shape");
}

#[test]
fn resources_are_not_copied() {
    let context = Context::new();
    let bytes: Vec<u8> = (0..=255).collect();
    let (address, ty) = (bytes.as_ptr(), tensor(&context, "tensor<256xi8>"));
    let resource = Attribute::resource(ty, "w", bytes).unwrap();
    let read = resource.bytes().unwrap();
    assert!(matches!(read, Cow::Borrowed(slice) if slice.as_ptr() == address && slice.len() == 256));
    let second = Attribute::resource(ty, "w", vec![1; 256]).unwrap();
    assert_eq!(second.bytes().unwrap()[0], 1);
    assert_eq!(resource.to_string(), "dense_resource<w> : tensor<256xi8>");
    assert_eq!(second.to_string(), "dense_resource<w_1> : tensor<256xi8>");
    assert!(matches!(
        Attribute::resource(ty, "w", vec![0; 255]),
        Err(Error::Bytes { expected: 256, got: 255, .. })
    ));
    assert!(matches!(Attribute::resource(Type::int(&context, 8), "w", vec![0]), Err(Error::Type(_))));
    let empty = Attribute::resource(tensor(&context, "tensor<0xi8>"), "e", vec![]).unwrap();
    assert_eq!(empty.bytes().unwrap().len(), 0);
}

#[test]
fn constants_that_a_module_does_not_use_are_released() {
    let context = Context::new();
    let ty = tensor(&context, "tensor<64xi8>");
    let shared: [Arc<[u8]>; 3] = [[1; 64], [2; 64], [3; 64]].map(Into::into);
    let [used, nested, unused] =
        shared.each_ref().map(|bytes| Attribute::resource(ty, "w", Arc::clone(bytes)).unwrap());
    let mut module = Module::parse(&context, b"", "empty").unwrap();
    let location = Location::unknown(&context);
    OpBuilder::new("tosa.const", location)
        .attribute("values", used)
        .result(ty)
        .append_to(module.body())
        .unwrap();
    module.op().set_attribute("kept", nested);
    module.release_unused_constants();
    assert_eq!((used.bytes().unwrap()[0], nested.bytes().unwrap()[0]), (1, 2));
    assert!(matches!(unused.bytes(), Err(BlobError::Length { expected: 64, got: 0, .. })));
    assert_eq!(shared.each_ref().map(Arc::strong_count), [2, 2, 1]);
    module.destroy_with_constants();
    assert_eq!(shared.each_ref().map(Arc::strong_count), [1, 1, 1]);
}

#[test]
fn a_resource_must_fill_its_type() {
    let context = Context::new();
    let text = "%0 = \"tosa.const\"() <{values = dense_resource<w> : tensor<5xi32>}> : () -> tensor<5xi32>\n\
                {-# dialect_resources: { builtin: { w: \"0x0400000001000000020000000300000004000000\" } } #-}";
    let module = Module::parse(&context, text.as_bytes(), "t.mlir").unwrap();
    let values = module.op().walk_named("tosa.const")[0].attribute("values").unwrap();
    assert!(matches!(values.bytes(), Err(BlobError::Length { expected: 20, got: 16, .. })));
}

proptest! {
    /// What is written as bytes is read back, for every way of writing it, also through text and bytecode.
    #[test]
    fn round_trip(values in proptest::collection::vec(any::<i32>(), 0..40)) {
        let context = Context::new();
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let ty = tensor(&context, &format!("tensor<{}xi32>", values.len()));
        let expected: Vec<i64> = values.iter().map(|&value| value.into()).collect();
        let dense = Attribute::dense(ty, &bytes).unwrap();
        prop_assert_eq!(dense.int_elements().unwrap(), expected.clone());
        prop_assert_eq!(attribute(&context, &dense.to_string()), dense);
        // One byte off, so that the allocation is not aligned for 32-bit values.
        let shifted: Vec<u8> = std::iter::once(0).chain(bytes.iter().copied()).collect();
        let resource = Attribute::resource(ty, "r", shifted[1..].to_vec()).unwrap();
        prop_assert_eq!(resource.int_elements().unwrap(), expected);
    }
}
