//! Reading and changing IR through handles.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use strum_ir::{
    Attribute, Block, Context, Error, Location, Module, OpBuilder, Operation, PrintOptions, Type, Value,
};

const TEXT: &str = r#"
func.func @f(%a: tensor<4xi32>, %b: tensor<4xi32>) -> tensor<4xi32> {
  %0 = tosa.add %a, %b : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  %1 = tosa.add %0, %0 : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  %2 = tosa.abs %1 : (tensor<4xi32>) -> tensor<4xi32>
  return %1 : tensor<4xi32>
}
"#;

fn parse<'c>(context: &'c Context, text: &str) -> Module<'c> {
    Module::parse(context, text.as_bytes(), "test.mlir").unwrap()
}

fn body<'c>(module: &Module<'c>) -> Block<'c> {
    module.symbol("f").and_then(Operation::body).unwrap()
}

fn named<'c>(module: &Module<'c>, name: &str) -> Operation<'c> {
    module.op().walk_named(name)[0]
}

#[test]
fn structure() {
    let context = Context::new();
    let module = parse(&context, TEXT);
    let function = module.symbol("f").unwrap();
    assert_eq!((function.name(), function.dialect(), function.symbol()), ("func.func", "func", Some("f")));
    let names: Vec<_> = module.op().walk().iter().map(|op| op.name()).collect();
    assert_eq!(names, ["func.func", "tosa.add", "tosa.add", "tosa.abs", "func.return"]);
    let block = body(&module);
    let [add0, _, _, ret] = block.operations()[..] else { panic!("{block:?}") };
    assert_eq!(block.terminator(), Some(ret));
    assert_eq!(block.parent_op(), Some(function));
    assert_eq!((add0.parent(), module.op().parent(), module.op().block()), (Some(function), None, None));
    assert!(module.symbol("g").is_none());
    assert!(function.region(1).is_none() && ret.regions().is_empty());
}

#[test]
fn values_and_uses() {
    let context = Context::new();
    let module = parse(&context, TEXT);
    let block = body(&module);
    let [add0, add1, abs, ret] = block.operations()[..] else { panic!("{block:?}") };
    let arguments = block.arguments();
    assert_eq!(arguments[1].defining_op(), None);
    let value = add0.single_result().unwrap();
    assert_eq!(value.defining_op(), Some(add0));
    assert_eq!((value.defined_by("tosa.add"), value.defined_by("tosa.abs")), (Some(add0), None));
    let mut operands: Vec<_> = value.uses().into_iter().map(|u| (u.user, u.operand)).collect();
    operands.sort();
    let mut expected = [(add1, 0), (add1, 1)];
    expected.sort();
    assert_eq!(operands, expected);
    assert!(value.is_used() && value.single_use().is_none());
    assert_eq!(arguments[0].single_use().map(|u| u.user), Some(add0));
    assert!(!abs.result(0).unwrap().is_used());
    assert_eq!((ret.num_results(), ret.result(0), ret.operand(1)), (0, None, None));
    assert!(!ret.set_operand(1, value) && ret.set_operand(0, value));
    assert_eq!(ret.operands(), [value]);
    value.replace_all_uses_with(arguments[0]);
    assert_eq!(add1.operands(), [arguments[0], arguments[0]]);
}

#[test]
fn constants_behind_values() {
    let context = Context::new();
    let module = parse(
        &context,
        r#"func.func @f(%a: tensor<1xi8>) {
             %0 = "tosa.const"() <{values = dense<-7> : tensor<1xi8>}> : () -> tensor<1xi8>
             %1 = "tosa.const"() <{values = dense<[1, 2]> : tensor<2xi32>}> : () -> tensor<2xi32>
             %2 = tosa.const_shape {values = dense<[4, 5]> : tensor<2xindex>} : () -> !tosa.shape<2>
             return
           }"#,
    );
    let block = body(&module);
    let results: Vec<Value<'_>> =
        block.operations().into_iter().filter_map(Operation::single_result).collect();
    assert_eq!(results[0].constant().unwrap().int_elements().unwrap(), [-7]);
    assert_eq!(results[1].constant().unwrap().int_elements().unwrap(), [1, 2]);
    assert_eq!(results[2].constant().unwrap().int_elements().unwrap(), [4, 5]);
    assert_eq!(block.arguments()[0].constant(), None);
}

#[test]
fn erase_needs_unused_results() {
    let context = Context::new();
    let module = parse(&context, TEXT);
    let [add0, _, abs, _] = body(&module).operations()[..] else { panic!() };
    assert_eq!(add0.erase(), Err(Error::InUse("tosa.add".into())));
    assert_eq!(module.op().erase(), Err(Error::Detached("builtin.module".into())));
    abs.erase().unwrap();
    assert_eq!(body(&module).operations().len(), 3);
    // The stale handle is harmless.
    assert_eq!((abs.name(), abs.block(), abs.parent()), ("tosa.abs", None, None));
    assert_eq!((abs.operand(0), abs.operands()), (None, vec![]));
    assert_eq!(abs.erase(), Err(Error::Detached("tosa.abs".into())));
    module.op().verify().unwrap();
}

#[test]
fn use_of_an_erased_value_is_found() {
    let context = Context::new();
    let module = parse(&context, TEXT);
    let [.., abs, ret] = body(&module).operations()[..] else { panic!() };
    let dead = abs.result(0).unwrap();
    abs.erase().unwrap();
    ret.set_operand(0, dead);
    let (verdict, diagnostics) = context.handle().capture(|| module.op().verify());
    assert_eq!(verdict, Err(Error::Reported));
    assert!(diagnostics[0].message.contains("operand is unlinked"), "{diagnostics:?}");
}

#[test]
fn replace_and_clean_up() {
    let context = Context::new();
    let module = parse(&context, TEXT);
    let block = body(&module);
    let [add0, add1, abs, ret] = block.operations()[..] else { panic!() };
    let arguments = block.arguments();
    assert!(matches!(add1.replace_with(&[]), Err(Error::Replacement { expected: 1, got: 0, .. })));
    assert_eq!(ret.erase_if_dead(), Ok(false));
    assert_eq!(add1.erase_if_dead(), Ok(false));
    abs.erase_if_dead().unwrap();
    ret.set_operand(0, arguments[0]);
    assert_eq!(add1.erase_if_dead(), Ok(true)); // erases add0, too
    assert_eq!(block.operations(), [ret]);
    assert_eq!(add0.block(), None);
    let wider = Type::tensor(&[8], Type::int(&context, 32)).unwrap();
    arguments[0].set_type(wider);
    module.symbol("f").unwrap().update_function_type().unwrap();
    module.op().verify().unwrap();
    let (inputs, results) = module.symbol("f").unwrap().function_type().unwrap();
    assert_eq!((inputs[0], inputs.len(), results), (wider, 2, vec![wider]));
}

#[test]
fn build() {
    let context = Context::new();
    let module = parse(&context, TEXT);
    let block = body(&module);
    let [add0, add1, abs, ret] = block.operations()[..] else { panic!() };
    let ty = add0.result(0).unwrap().ty();
    let new = OpBuilder::new("tosa.negate", add0.location());
    assert!(matches!(
        OpBuilder::new("tosa.nothing", add0.location()).append_to(block),
        Err(Error::UnknownOperation(name)) if name == "tosa.nothing"
    ));
    let zero = OpBuilder::new("tosa.const", add0.location())
        .attribute(
            "values",
            Attribute::dense(Type::tensor(&[1], Type::int(&context, 32)).unwrap(), &[0; 4]).unwrap(),
        )
        .result(Type::tensor(&[1], Type::int(&context, 32)).unwrap())
        .prepend_to(block)
        .unwrap();
    let zp = zero.result(0).unwrap();
    let negate = new.operands(&[block.arguments()[0], zp]).operand(zp).result(ty).insert_after(add1).unwrap();
    assert_eq!(block.operations(), [zero, add0, add1, negate, abs, ret]);
    assert!(matches!(
        OpBuilder::new("tosa.negate", add0.location()).insert_before(module.op()),
        Err(Error::Detached(name)) if name == "builtin.module"
    ));
    let variant = OpBuilder::new("tosa.sub", add0.location())
        .operands(&add0.operands())
        .result(ty)
        .attributes_of(add0)
        .maybe_attribute("note", Some(Attribute::bool(&context, true)))
        .maybe_attribute("none", None)
        .insert_before(ret)
        .unwrap();
    assert_eq!(variant.bool_attr("note"), Some(true));
    assert_eq!(variant.attribute("none"), None);
    module.op().verify().unwrap();
}

#[test]
fn attributes() {
    let context = Context::new();
    let module = parse(
        &context,
        r#"func.func private @f() attributes {
             empty = "", text = "a\00b", yes = true, unit, i = -5 : i8, u = 200 : ui8, s = -5 : si8, big = 0 : i128,
             i64s = array<i64: 1, -2>, i32s = array<i32>, i16s = array<i16: 3>, i8s = array<i8: -128>, list = [1 : i8, 2 : i64],
             mixed = [1 : i8, "x"], ty = tensor<2xi8>, sym = @g, float = 1.5 : f32, round = #tosa.rounding_mode<DOUBLE_ROUND>,
             flow = #arith.overflow<nsw>
           }"#,
    );
    let f = module.symbol("f").unwrap();
    assert_eq!(f.str_attr("empty"), Some(""));
    assert_eq!(f.str_attr("text"), Some("a\0b"));
    assert_eq!(
        (f.bool_attr("yes"), f.bool_attr("unit"), f.bool_attr("i"), f.bool_attr("none")),
        (Some(true), Some(true), None, None)
    );
    let ints: Vec<_> = ["i", "u", "s", "big", "yes", "text"].map(|name| f.int_attr(name)).into();
    assert_eq!(ints, [Some(-5), Some(200), Some(-5), None, Some(-1), None]);
    let lists = ["i64s", "i32s", "i16s", "i8s", "list", "mixed", "i"].map(|name| f.ints_attr(name));
    assert_eq!(
        lists,
        [Some(vec![1, -2]), Some(vec![]), Some(vec![3]), Some(vec![-128]), Some(vec![1, 2]), None, None]
    );
    assert_eq!(f.attribute("ty").unwrap().to_string(), "tensor<2xi8>");
    assert_eq!(f.attribute("sym").unwrap().to_string(), "@g");
    assert_eq!(f.keyword_attr("round").as_deref(), Some("DOUBLE_ROUND"));
    assert_eq!(f.keyword_attr("flow").as_deref(), Some("nsw"));
    assert_eq!((f.keyword_attr("text").as_deref(), f.keyword_attr("i")), (Some("a\0b"), None));
    assert_eq!(f.attribute("float").unwrap().as_i64(), None);
    f.set_attribute("new", Attribute::i64s(&context, &[7]));
    assert_eq!(f.ints_attr("new"), Some(vec![7]));
    assert!(f.remove_attribute("new") && !f.remove_attribute("new"));
    assert!(f.attributes().iter().any(|(name, _)| *name == "yes"));
    assert_eq!(Attribute::int(&context, 8, 255).as_i64(), Some(-1));
    assert_eq!(Attribute::parse(&context, "[]").unwrap().as_array(), Some(vec![]));
    assert!(matches!(
        context.handle().capture(|| Attribute::parse(&context, "#nope<")).0,
        Err(Error::Parse(_))
    ));
}

#[test]
fn printing() {
    let context = Context::new();
    let module = parse(&context, TEXT);
    let add = named(&module, "tosa.add");
    let plain = add.to_string();
    assert!(plain.contains("tosa.add %arg0, %arg1 :"), "{plain}");
    let generic = add.print(&PrintOptions { generic: true, ..PrintOptions::default() });
    assert!(generic.contains(r#""tosa.add"("#), "{generic}");
    let located = module.op().print(&PrintOptions { locations: true, ..PrintOptions::default() });
    assert!(located.contains("test.mlir"), "{located}");
    let bytecode = module.op().bytecode();
    assert!(bytecode.starts_with(b"ML\xefR"));
    let again = Module::parse(&context, &bytecode, "again").unwrap();
    assert_eq!(again.op().to_string(), module.op().to_string());
    let location = Location::unknown(&context);
    assert_eq!(Module::empty(location).op().to_string().trim(), "module {\n}");
}
