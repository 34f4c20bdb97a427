//! `strum-canonicalize` on random networks, against the project's internal oracle: the IR is verified after every single rewrite,
//! and the result is read back and evaluated.
//!
//! `STRUM_GRAPHS` sets the number of networks for rewriting, and a tenth of it for those that other tests compile;
//! `STRUM_FIRST_SEED` is the first seed. Run `STRUM_GRAPHS=100000 cargo test --test canonicalize` (some minutes) after changing a
//! rule.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod common;
#[path = "common/reference.rs"]
mod reference;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use common::{compile, context, run, simulated};
use strum_ir::{Context, Module, Operation};
use strum_passes::tosa::strum_canonicalize;
use strum_ref::smith::{self, Case, Kind};
use strum_ref::{Constants, Dtype, Graph, Invalid, Node, Tensor};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context as Scope, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Default number of networks: enough for every rule.
const GRAPHS: u64 = 1000;

/// Number of applications of each rule.
type Counts = Arc<Mutex<BTreeMap<String, usize>>>;

/// Counts the applied rules from the pass's log.
struct Counter(Counts);

impl<S: tracing::Subscriber> Layer<S> for Counter {
    fn on_event(&self, event: &tracing::Event<'_>, _: Scope<'_, S>) {
        let mut rule = Rule(None);
        event.record(&mut rule);
        if let Some(rule) = rule.0 {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(rule).or_default() += 1;
        }
    }
}

/// The field `rule` of an event.
struct Rule(Option<String>);

impl Visit for Rule {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "rule" {
            self.0 = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// Canonicalizes a network, and evaluates the result.
fn check(context: &Context, case: &Case) -> Result<(), String> {
    let pass = "func.func(strum-canonicalize{verify-each=true})";
    reference::check(context, (case, &case.mlir), pass, |_| Ok(()))
}

fn all(kind: &str, make: fn(u64) -> Result<Case, Invalid>, seeds: std::ops::Range<u64>) {
    let mut at = context();
    for seed in seeds {
        if seed % 1000 == 999 {
            at = context(); // the old one takes its constants with it
        }
        if let Err(error) = check(&at, &make(seed).unwrap()) {
            panic!("{kind} {seed}: {error}");
        }
    }
}

#[test]
fn every_rule_keeps_the_ir_valid_and_the_results() {
    let counts = Counts::default();
    tracing_subscriber::registry().with(Counter(Arc::clone(&counts))).init();
    let (first, graphs) = (number("STRUM_FIRST_SEED", 0), number("STRUM_GRAPHS", GRAPHS));
    all("rewrites", smith::rewrites, first..first.saturating_add(graphs));
    all("graph", smith::graph, first..first.saturating_add(graphs / 10));
    let counts = counts.lock().unwrap();
    println!("{counts:#?}");
    let idle: Vec<&str> = strum_canonicalize::rules().filter(|rule| !counts.contains_key(*rule)).collect();
    assert!(idle.is_empty() || graphs < GRAPHS, "rules that no network met: {idle:?}");
}

/// Operators whose result is a constant if their operands are.
const FOLDED: &[Kind] = &[
    Kind::Rescale,
    Kind::Clamp,
    Kind::Add,
    Kind::Sub,
    Kind::Mul,
    Kind::Maximum,
    Kind::Minimum,
    Kind::ArithmeticRightShift,
    Kind::LogicalLeftShift,
    Kind::Abs,
    Kind::Negate,
    Kind::Clz,
    Kind::Identity,
    Kind::Concat,
    Kind::Pad,
    Kind::Reshape,
    Kind::Slice,
    Kind::Transpose,
    Kind::Cast,
    Kind::LogicalRightShift,
    Kind::BitwiseAnd,
    Kind::BitwiseOr,
    Kind::BitwiseXor,
    Kind::BitwiseNot,
    Kind::IntDiv,
    Kind::Equal,
    Kind::Greater,
    Kind::GreaterEqual,
    Kind::Select,
    Kind::LogicalAnd,
    Kind::LogicalOr,
    Kind::LogicalXor,
    Kind::LogicalNot,
];

/// The case with constants in place of its inputs.
fn of_constants(case: &Case) -> Result<Case, Invalid> {
    let mut graph = Graph::new();
    let mut inputs = case.inputs.iter();
    for node in case.graph.nodes() {
        match node {
            Node::Input(_) => graph.constant(inputs.next().unwrap().clone()),
            Node::Const(value) => graph.constant(value.clone()),
            Node::Op(op, operands) => graph.op(op.clone(), operands.clone()),
        };
    }
    case.graph.outputs().iter().for_each(|&output| graph.output(output));
    let run = graph.run(&[])?;
    let mlir = graph.to_mlir(&run, Constants::Inline)?;
    Ok(Case { mlir, inputs: Vec::new(), outputs: run.outputs, graph })
}

#[test]
fn operators_on_constants_are_folded_to_what_they_compute() {
    let context = context();
    for &kind in FOLDED {
        let name = format!("tosa.{}", kind.name());
        let mut folded = 0;
        for seed in 0..40 {
            let case = of_constants(&smith::single_op(kind, seed).unwrap()).unwrap();
            let count = |function: Operation<'_>| {
                let ops = function.body().map(|body| body.operations()).unwrap_or_default();
                folded += usize::from(!ops.iter().any(|op| op.is(&name)));
                Ok(())
            };
            let pass = "func.func(strum-canonicalize{verify-each=true})";
            if let Err(error) = reference::check(&context, (&case, &case.mlir), pass, count) {
                panic!("{name} {seed}: {error}");
            }
        }
        // Where a product does not fit 32 bits, nothing is folded.
        assert!(folded > if kind == Kind::Mul { 5 } else { 30 }, "{name}: {folded} of 40 folded");
    }
}

/// A rescale of one channel, marked as per-channel, after a reshape of several channels.
const ONE_CHANNEL: [(&str, &str); 2] = [
    (
        "%y: tensor<1x2x2x2xi32>",
        "%a = tosa.maximum %y, %y : (tensor<1x2x2x2xi32>, tensor<1x2x2x2xi32>) -> tensor<1x2x2x2xi32>",
    ),
    (
        "%x: tensor<1x2x2x4xi8>",
        r#"%w = "tosa.const"() <{values = dense<3> : tensor<2x1x1x4xi8>}> : () -> tensor<2x1x1x4xi8>
  %b = "tosa.const"() <{values = dense<[3, -90]> : tensor<2xi32>}> : () -> tensor<2xi32>
  %a = tosa.conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x2x2x4xi8>, tensor<2x1x1x4xi8>, tensor<2xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x2x2x2xi32>"#,
    ),
];

#[test]
fn the_scale_of_a_single_channel_moves_to_where_there_are_more() {
    let context = context();
    for (argument, layer) in ONE_CHANNEL {
        let mlir = format!(
            r#"func.func @main({argument}) -> tensor<8x1xi8> {{
  %m = "tosa.const"() <{{values = dense<1073741824> : tensor<1xi32>}}> : () -> tensor<1xi32>
  %s = "tosa.const"() <{{values = dense<33> : tensor<1xi8>}}> : () -> tensor<1xi8>
  %z = "tosa.const"() <{{values = dense<0> : tensor<1xi8>}}> : () -> tensor<1xi8>
  %zi = "tosa.const"() <{{values = dense<0> : tensor<1xi32>}}> : () -> tensor<1xi32>
  %sh = tosa.const_shape {{values = dense<[8, 1]> : tensor<2xindex>}} : () -> !tosa.shape<2>
  {layer}
  %r = tosa.reshape %a, %sh : (tensor<1x2x2x2xi32>, !tosa.shape<2>) -> tensor<8x1xi32>
  %0 = tosa.rescale %r, %m, %s, %zi, %z {{input_unsigned = false, output_unsigned = false, per_channel = true, rounding_mode = SINGLE_ROUND, scale32 = true}} : (tensor<8x1xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<8x1xi8>
  return %0 : tensor<8x1xi8>
}}"#
        );
        let (dtype, shape) =
            if argument.ends_with("i32>") { (Dtype::I32, [1, 2, 2, 2]) } else { (Dtype::I8, [1, 2, 2, 4]) };
        let values: Vec<i64> =
            (0..shape.iter().product::<usize>()).map(|i| 37 * i as i64 % 101 - 50).collect();
        let input = Tensor::new(dtype, shape, values).unwrap();
        let module = Module::parse(&context, mlir.as_bytes(), "test.mlir").unwrap();
        let graph = reference::import(module.symbol("main").unwrap()).unwrap();
        let inputs = vec![input];
        let outputs = graph.run(&inputs).unwrap().outputs;
        let case = Case { mlir, inputs, outputs, graph };
        check(&context, &case).unwrap_or_else(|error| panic!("{error}"));
        let program = compile(&context, case.mlir.as_bytes(), "strum-pipeline{method=dense}").unwrap();
        let inputs: Vec<_> = case.inputs.iter().map(simulated).collect();
        let expected: Vec<_> = case.outputs.iter().map(simulated).collect();
        assert_eq!(run(&program, &inputs).unwrap(), expected);
    }
}

#[test]
fn thousands_of_ops_become_one_whose_location_fits_a_binary() {
    let context = context();
    let ty = "tensor<4xi8>";
    let mut mlir = format!("func.func @main(%v0: {ty}) -> {ty} {{\n");
    mlir.push_str("  %z = \"tosa.const\"() <{values = dense<3> : tensor<1xi8>}> : () -> tensor<1xi8>\n");
    for i in 0..5000 {
        let next = i + 1;
        mlir.push_str(&format!(
            "  %v{next} = tosa.negate %v{i}, %z, %z : ({ty}, tensor<1xi8>, tensor<1xi8>) -> {ty}\n"
        ));
    }
    mlir.push_str(&format!("  return %v5000 : {ty}\n}}\n"));
    let program = compile(&context, mlir.as_bytes(), "strum-pipeline{method=dense}").unwrap();
    let input = simulated(&Tensor::new(Dtype::I8, [4], [-128, -127, 0, 127]).unwrap());
    // An even number of negations, of which the first saturates -128 and thereby changes it.
    let output = simulated(&Tensor::new(Dtype::I8, [4], [-121, -121, 0, 127]).unwrap());
    assert_eq!(run(&program, &[input]).unwrap(), [output]);
}
