//! Properties checked when IR is parsed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use strum_ir::{Context, Module};

/// A negation whose zero points are `first` and `second`, and a constant that no reader of MLIR's uses.
fn network(first: &str, second: &str) -> String {
    format!(
        "func.func @f(%x: tensor<2xi8>) -> (tensor<2xi8>, tensor<2xi8>) {{\n\
         %w = \"tosa.const\"() <{{values = dense_resource<weights> : tensor<2xi8>}}> : () -> tensor<2xi8>\n\
         %a = \"tosa.const\"() <{{values = {first} : tensor<1xi8>}}> : () -> tensor<1xi8>\n\
         %b = \"tosa.const\"() <{{values = {second} : tensor<1xi8>}}> : () -> tensor<1xi8>\n\
         %0 = tosa.negate %x, %a, %b : (tensor<2xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<2xi8>\n\
         return %0, %w : tensor<2xi8>, tensor<2xi8>\n}}\n\
         {{-# dialect_resources: {{ builtin: {{ weights: \"0x010000000102\", zero: \"0x0100000007\" }} }} #-}}\n"
    )
}

#[test]
fn what_mlir_reads_by_element_is_written_out_and_other_resources_stay() {
    let context = Context::new();
    let text = network("dense_resource<zero>", "dense_resource<zero>");
    let module = Module::parse(&context, text.as_bytes(), "t.mlir").unwrap();
    let constants = module.op().walk_named("tosa.const");
    let values: Vec<String> =
        constants.iter().map(|op| op.attribute("values").unwrap().to_string()).collect();
    assert_eq!(
        values,
        ["dense_resource<weights> : tensor<2xi8>", "dense<7> : tensor<1xi8>", "dense<7> : tensor<1xi8>"]
    );
}

#[test]
fn what_cannot_be_written_out_is_an_error_at_its_constant() {
    let context = Context::new();
    let text = network("dense_resource<zero>", "dense_resource<weights>");
    let (module, told) =
        context.handle().capture(|| Module::parse(&context, text.as_bytes(), "t.mlir").map(drop));
    assert!(module.is_err() && told.len() == 1, "{told:?}");
    assert_eq!(told[0].location, "t.mlir:4:6");
    let message = "'tosa.const' op the resource 'weights' has 2 bytes, and its type takes 1";
    assert_eq!(told[0].message, message);
    let note = told[0].notes.last().unwrap();
    assert_eq!(
        (note.location.as_str(), note.message.as_str()),
        ("t.mlir:5:6", "'tosa.negate' needs its elements, as operand #2")
    );
}

#[test]
fn resources_of_types_without_bytes_cannot_be_written_out() {
    let cases = [
        (
            "tensor<1xcomplex<f32>>",
            "must have a static shape and elements that are integers, index or floats",
        ),
        ("tensor<9223372036854775807x9xi8>", "has 1 bytes, and its type takes more than can be counted"),
    ];
    for (ty, expected) in cases {
        let context = Context::new();
        let text = format!(
            "func.func @f(%x: tensor<2xi8>, %z: tensor<1xi8>) {{\n\
             %a = arith.constant dense_resource<zero> : {ty}\n\
             %0 = \"tosa.negate\"(%x, %a, %z) : (tensor<2xi8>, {ty}, tensor<1xi8>) -> tensor<2xi8>\n\
             return\n}}\n\
             {{-# dialect_resources: {{ builtin: {{ zero: \"0x0100000007\" }} }} #-}}\n"
        );
        let (module, told) =
            context.handle().capture(|| Module::parse(&context, text.as_bytes(), "t.mlir").map(drop));
        assert!(module.is_err());
        assert_eq!(told[0].message, format!("'arith.constant' op the resource 'zero' {expected}"));
    }
}

#[test]
fn bytecode_is_rewritten_with_what_no_dialect_knows() {
    let context = Context::new();
    let text = "func.func @f() { return } {-# external_resources: { other: { key: \"value\" } } #-}";
    let bytecode = Module::parse(&context, text.as_bytes(), "t.mlir").unwrap().op().bytecode();
    let again = Module::rewrite_bytecode(&context, &bytecode, "t.mlirbc").unwrap();
    assert_eq!(again, bytecode);
    assert!(Module::rewrite_bytecode(&context, b"ML\xefR", "t.mlirbc").is_err());
}
