//! Functions of one code, whose 256 results are those of TFLite's reference kernels (LiteRT 2.3.0, `BUILTIN_REF`).

use strum_doors::tosa::{Graph, Operand};
use strum_doors::{Options, import};
use strum_schemas::tflite::{BuiltinOptions as O, GeluOptions};

use super::file::{I8, Net};

type Codes = (f32, i64);

/// The entries of the only table.
fn table(code: i32, [from, to]: [Codes; 2], options: Option<O>, divisor: Option<(Codes, u8)>) -> Vec<i64> {
    let mut net = Net::default();
    let mut operands = vec![net.input(I8, &[4], Some(from))];
    operands.extend(divisor.map(|(codes, value)| net.tensor(I8, &[1], Some(codes), &[value])));
    let y = net.tensor(I8, &[4], Some(to), &[]);
    net.operator(code, &operands, &[y], options);
    let graph = import(&net.bytes(&[y]), &Options::default()).unwrap().graph;
    assert_eq!(names(&graph), ["table"]);
    let Operand::Value(id) = graph.nodes[0].operands[1] else { panic!("a shape") };
    graph.constant(id).unwrap().ints().unwrap()
}

fn names(graph: &Graph) -> Vec<&'static str> {
    graph.nodes.iter().map(|node| node.name).collect()
}

/// The results of seven codes, and the sum of all with weights of 1 to 256.
fn digest(table: &[i64]) -> ([i64; 7], i64) {
    let sum = (1..).zip(table).map(|(weight, code)| weight * code).sum();
    ([-128, -64, -1, 0, 1, 64, 127].map(|code: i64| table[usize::try_from(code + 128).unwrap()]), sum)
}

#[test]
fn functions_of_a_code_are_the_kernels() {
    let gelu = |approximate| Some(O::GeluOptions(Box::new(GeluOptions { approximate })));
    let curved = [(0.05, 3), (0.04, -20)];
    let cases = [
        (table(73, [(0.05, -100), (0.03, 10)], None, None), ([-128, 30, 63, 64, 64, 80, 91], 2_252_623)),
        (
            table(75, [(0.05, -128), (0.03, -120)], None, None),
            ([-120, -61, -37, -36, -36, -17, -1], -832_495),
        ),
        (table(59, [(0.05, 0); 2], None, None), ([-128, 64, 1, 0, -1, -64, -127], -1_381_888)),
        (table(150, curved, gelu(false), None), ([-20, -20, -22, -22, -21, 56, 127], 1_384_563)),
        (table(150, curved, gelu(true), None), ([-20, -20, -22, -22, -21, 56, 127], 1_384_650)),
        (
            table(47, [(0.02, 100), (0.01, -128)], None, None),
            ([-127, -124, -115, -114, -114, -79, 44], -2_418_210),
        ),
        (table(42, curved, None, Some(((0.1, 5), 0xf6))), ([89, 36, -17, -17, -18, -71, -123], -1_728_347)),
    ];
    for (index, (table, expected)) in cases.iter().enumerate() {
        assert_eq!(digest(table), *expected, "case {index}");
    }
}

#[test]
fn a_squared_difference_is_brought_to_twice_the_larger_scale() {
    let mut net = Net::default();
    let operands = [net.input(I8, &[4], Some((0.5, 3))), net.input(I8, &[4], Some((0.2, -7)))];
    let y = net.codes(&[4]);
    net.operator(99, &operands, &[y], None);
    let graph = import(&net.bytes(&[y]), &Options::default()).unwrap().graph;
    assert_eq!(names(&graph), ["rescale", "rescale", "rescale", "sub", "mul", "rescale"]);
}
