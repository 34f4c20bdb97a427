//! Files that are refused, and what is said.

use strum_doors::{CauseKind, Fate, InputShape, Options, Refusal, import};
use strum_schemas::tflite::BuiltinOptions as O;

use super::file::{F32, I8, I16, I32, Net};
use super::networks::convolution;

fn refused(bytes: &[u8], options: &Options) -> Refusal {
    import(bytes, options).map(|_| ()).unwrap_err()
}

/// The refusal of a network with one operator on an input, and its help.
fn of(code: i32, change: impl FnOnce(&mut Net), inputs: &[i32]) -> (String, Option<String>) {
    let mut net = Net::default();
    net.input(I8, &[1, 2], Some((0.5, 3)));
    let y = net.codes(&[1, 2]);
    change(&mut net);
    net.operator(code, inputs, &[y], None);
    let refusal = refused(&net.bytes(&[y]), &Options::default());
    assert!(!refusal.to_string().contains('\n'), "{refusal}");
    (refusal.to_string(), refusal.causes[0].help.clone())
}

#[test]
fn files_of_other_formats_are_refused() {
    let text = |bytes: &[u8]| refused(bytes, &Options::default()).to_string();
    assert_eq!(text(b"module {}"), "neither a TFLite nor an ONNX file");
    let damaged = text(b"\x1c\0\0\0TFL3");
    assert!(damaged.starts_with("the file is damaged: In "), "{damaged}");
    let whole = convolution(I8);
    let short = text(&whole[..whole.len() / 2]);
    assert!(short.starts_with("the file is damaged: In "), "{short}");
}

#[test]
fn operators_that_are_not_supported_are_named_with_the_next_step() {
    assert_eq!(of(48, |_| {}, &[0]).0, "TOPK_V2 't1' (operator 0): TOPK_V2 is not supported");
    let mut net = Net::default();
    let x = net.input(I8, &[1, 2], Some((0.5, 3)));
    let [a, b, c] = [net.codes(&[1, 2]), net.codes(&[1, 2]), net.codes(&[1, 2])];
    net.operator(19, &[x], &[a], None);
    net.custom(32, Some("Boxes"), &[a], &[b], None);
    net.custom(32, Some("Boxes"), &[b], &[c], None);
    let refusal = refused(&net.bytes(&[c]), &Options::default());
    assert_eq!(
        refusal.to_string(),
        "Boxes 't2' (operator 1): the custom operator 'Boxes' is not supported (and 1 more)"
    );
    assert_eq!(refusal.causes[0].help.as_deref(), Some("end the network before it: --cut 't1'"));
    assert_eq!(refusal.causes[0].kind, CauseKind::Unsupported);
    // Every operator of the file is told, with its cause.
    let told: Vec<_> = refusal.record.operators.iter().map(|op| (op.kind.as_str(), op.fate)).collect();
    let boxes = ("Boxes", Fate::Refused(0));
    assert_eq!(told, [("RELU", Fate::Imported), boxes, boxes]);
}

#[test]
fn operators_behind_a_refused_one_and_in_a_refused_file_are_told_but_not_judged() {
    let mut net = Net::default();
    let x = net.input(I8, &[1, 2], Some((0.5, 3)));
    let [a, b] = [net.codes(&[1, 2]), net.codes(&[1, 2])];
    net.operator(48, &[x], &[a], None);
    net.operator(19, &[a], &[b], None);
    let bytes = net.bytes(&[b]);
    let fates = |options: &Options| -> Vec<Fate> {
        refused(&bytes, options).record.operators.iter().map(|op| op.fate).collect()
    };
    assert_eq!(fates(&Options::default()), [Fate::Refused(0), Fate::Unread]);
    assert_eq!(fates(&Options { batch: Some(2), ..Options::default() }), [Fate::Unread, Fate::Unread]);
}

#[test]
fn control_flow_and_16_bits_are_refused() {
    assert_eq!(of(118, |_| {}, &[0]).0, "IF 't1' (operator 0): control flow (IF) is not supported");
    let (text, help) = of(0, |net| _ = net.tensor(I16, &[1, 2], Some((0.5, 0)), &[0; 4]), &[0, 2]);
    assert_eq!(text, "ADD 't1' (operator 0): 16-bit activations (16x8) are not supported; 8-bit ones are");
    assert_eq!(help.as_deref(), Some("convert the network with int8 activations"));
}

#[test]
fn operands_that_do_not_fit_are_refused_at_their_operator() {
    let none = |_: &mut Net| {};
    let cases: Vec<(String, &str)> = vec![
        (of(0, none, &[0]).0, "ADD 't1' (operator 0): the file is damaged: 1 operands; 2 to 2 expected"),
        (
            of(0, none, &[0, 1]).0,
            "ADD 't1' (operator 0): the file is damaged: the tensor 't1' is used before it is computed",
        ),
        (
            of(0, |net| _ = net.tensor(F32, &[1], None, &[0; 4]), &[0, 2]).0,
            "ADD 't1' (operator 0): operands of int8 and float32",
        ),
        (
            of(0, |net| _ = net.tensor(I8, &[1, 2], Some((0.5, 0)), &[0; 3]), &[0, 2]).0,
            "ADD 't1' (operator 0): the file is damaged: 3 bytes for the constant 't2' of shape [1, 2]",
        ),
        (
            of(0, |net| _ = net.tensor(I8, &[1, 2], Some((-1.0, 0)), &[0; 2]), &[0, 2]).0,
            "ADD 't1' (operator 0): 't2' has scale -1 and zero point 0",
        ),
        (
            of(42, |net| _ = net.tensor(I8, &[1, 2], Some((0.5, 3)), &[0; 2]), &[0, 2]).0,
            "DIV 't1' (operator 0): DIV of codes by other than a constant of one element",
        ),
        (
            of(0, |net| _ = net.tensor(I8, &[1, 3], Some((0.5, 3)), &[0; 3]), &[0, 2]).0,
            "ADD 't1' (operator 0): add: [1, 2] and [1, 3] do not match",
        ),
        (
            of(22, |net| _ = net.ints(&[3]), &[0, 2]).0,
            "RESHAPE 't1' (operator 0): a shape of [3] for elements of [1, 2]",
        ),
        (
            of(22, |net| _ = net.ints(&[2]), &[0, 2]).0,
            "RESHAPE 't1' (operator 0): the result's shape is [2], the file says [1, 2]",
        ),
        (
            of(39, |net| _ = net.input(I32, &[2], None), &[0, 2]).0,
            "TRANSPOSE 't1' (operator 0): a permutation must be known when the network is compiled",
        ),
        (
            of(14, none, &[0]).0,
            "LOGISTIC 't1' (operator 0): LOGISTIC with a result of other codes than scale 0.00390625 and zero point -128",
        ),
        (
            of(25, none, &[0]).0,
            "SOFTMAX 't1' (operator 0): a softmax of codes with another scale of its result than 1/256",
        ),
        (
            of(3, none, &[0, 0]).0,
            "CONV_2D 't1' (operator 0): the file is damaged: a convolution has no options",
        ),
        (
            of(300, none, &[0]).0,
            "operator of number 300 't1' (operator 0): operator of number 300 is not supported",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(text, expected);
    }
}

#[test]
fn floats_inside_a_network_of_codes_are_refused() {
    let mut net = Net::default();
    let x = net.input(I8, &[1, 2], Some((0.5, 3)));
    let [real, root] = [net.tensor(F32, &[1, 2], None, &[]), net.tensor(F32, &[1, 2], None, &[])];
    let y = net.codes(&[1, 2]);
    net.operator(6, &[x], &[real], None);
    net.operator(75, &[real], &[root], None);
    net.operator(114, &[root], &[y], None);
    let refusal = refused(&net.bytes(&[y]), &Options::default());
    assert_eq!(
        refusal.to_string(),
        "SQRT 't2' (operator 1): computes on floats inside a network of integers, which is not supported"
    );
    assert_eq!(
        refusal.causes[0].help.as_deref(),
        Some(
            "convert the network with full integer quantization, or end it before this operator: --cut 't1'"
        )
    );
    let mut net = Net::default();
    let x = net.input(F32, &[1, 2], None);
    let root = net.tensor(F32, &[1, 2], None, &[]);
    let y = net.codes(&[1, 2]);
    net.operator(75, &[x], &[root], None);
    net.operator(114, &[root], &[y], None);
    let refusal = refused(&net.bytes(&[y]), &Options::default());
    assert_eq!(refusal.to_string(), "QUANTIZE 't2' (operator 1): quantizes floats inside the network");
    let help = "'t1' is computed in floats by operator 0: convert the network with full integer quantization";
    assert_eq!(refusal.causes[0].help.as_deref(), Some(help));
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let text = |options: Options| {
        let refusal = refused(&convolution(I8), &options);
        assert_eq!(refusal.causes[0].kind, CauseKind::Usage);
        refusal.to_string()
    };
    let shape = |input: Option<&str>, shape: &[usize]| Options {
        input_shapes: vec![InputShape { input: input.map(str::to_owned), shape: shape.to_vec() }],
        ..Options::default()
    };
    assert_eq!(
        text(Options { batch: Some(2), ..Options::default() }),
        "the batch of all inputs is fixed in the file"
    );
    assert_eq!(text(shape(Some("x"), &[1])), "--input-shape: 'x' does not name an input; there are 't0'");
    let fixed = "--input-shape: the shape of the input 't0' is 1x8x8x2";
    assert_eq!(text(shape(None, &[1])), fixed);
    assert_eq!(text(shape(Some("t0"), &[2, 8, 8, 2])), fixed);
    // What the file has anyway.
    import(&convolution(I8), &shape(None, &[1, 8, 8, 2])).unwrap();
    let cut = |name: &str| Options { cut: vec![name.to_owned()], ..Options::default() };
    assert_eq!(text(cut("3")), "no operator computes a tensor '3'; did you mean 't3'?");
    assert_eq!(text(cut("y")), "no operator computes a tensor 'y'");
    let graph = Options { subgraph: Some("main".to_owned()), ..Options::default() };
    assert_eq!(text(graph), "no subgraph 'main'; there are numbers below 1");
}

#[test]
fn unknown_extents_need_an_option() {
    let mut net = Net::default();
    let x = net.input(I8, &[1, 1, 2], Some((0.5, 3)));
    net.last().shape_signature = Some(vec![-1, -1, 2]);
    let y = net.codes(&[1, 1, 2]);
    net.operator(19, &[x], &[y], None);
    let refusal = refused(&net.bytes(&[y]), &Options::default());
    assert_eq!(refusal.to_string(), "the extents of the input 't0' are unknown: ?x?x2");
    assert_eq!(refusal.causes[0].help.as_deref(), Some("give them: --input-shape 't0'=1x224x224x3"));
}

#[test]
fn huge_results_are_refused_and_not_allocated() {
    let mut net = Net::default();
    let [shape, value] = [net.ints(&[1 << 30, 1 << 30]), net.ints(&[1])];
    let y = net.tensor(I32, &[], None, &[]);
    net.operator(94, &[shape, value], &[y], Some(O::Fill(Box::default())));
    let refusal = refused(&net.bytes(&[y]), &Options::default());
    assert_eq!(
        refusal.to_string(),
        "FILL 't2' (operator 0): FILL is supported where its result is known when the network is compiled"
    );
}
