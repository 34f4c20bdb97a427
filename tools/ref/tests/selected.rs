//! Bitwise operators, divisions, and operators that positions or indices decide: by hand, and against Arm's reference model.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use strum_ref::{Constants, Dtype, Graph, Op, Resize, Tensor};

fn tensor(dtype: Dtype, shape: impl Into<Vec<usize>>, data: impl Into<Vec<i64>>) -> Tensor {
    Tensor::new(dtype, shape, data).unwrap()
}

/// Values all over the range of a type.
fn spread(dtype: Dtype, shape: &[usize], seed: i64) -> Tensor {
    let count: usize = shape.iter().product();
    let value =
        |i: i64| dtype.wrap(i128::from((i + seed) * 0x9e37_79b9) >> (if i % 3 == 0 { 11 } else { 29 }));
    tensor(dtype, shape, (0..count as i64).map(value).collect::<Vec<_>>())
}

fn eval(op: &Op, inputs: &[&Tensor]) -> Tensor {
    let evaluated = op.eval(inputs).unwrap();
    assert!(evaluated.predictable, "{op:?}");
    evaluated.tensor
}

fn error(op: &Op, inputs: &[&Tensor]) -> String {
    op.eval(inputs).unwrap_err().to_string()
}

/// Twice as large, each result half a pixel from the next, the first a quarter before the first pixel.
fn twice(bilinear: bool) -> Resize {
    Resize { bilinear, scale: [4, 2, 4, 2], offset: [-1; 2], border: [1; 2] }
}

#[test]
fn shifts_divisions_and_bits() {
    let i8s = |data: &[i64]| tensor(Dtype::I8, [data.len()], data);
    let i32s = |data: &[i64]| tensor(Dtype::I32, [data.len()], data);
    let (x, by) = (i8s(&[-1, -128, 127, 5]), i8s(&[1, 7, 3, 0]));
    assert_eq!(eval(&Op::LogicalRightShift, &[&x, &by]).data, [127, 1, 15, 5]);
    assert!(!Op::LogicalRightShift.eval(&[&i8s(&[1]), &i8s(&[8])]).unwrap().predictable);
    assert_eq!(eval(&Op::BitwiseAnd, &[&x, &by]).data, [1, 0, 3, 0]);
    assert_eq!(eval(&Op::BitwiseOr, &[&x, &by]).data, [-1, -121, 127, 5]);
    assert_eq!(eval(&Op::BitwiseXor, &[&x, &by]).data, [-2, -121, 124, 5]);
    assert_eq!(eval(&Op::BitwiseNot, &[&x]).data, [0, 127, -128, -6]);
    let (x, by) = (i32s(&[7, -7, 7, -7]), i32s(&[2, 2, -2, -2]));
    assert_eq!(eval(&Op::IntDiv, &[&x, &by]).data, [3, -3, -3, 3]);
    for (x, by) in [(1, 0), (i64::from(i32::MIN), -1)] {
        assert!(!Op::IntDiv.eval(&[&i32s(&[x]), &i32s(&[by])]).unwrap().predictable);
    }
    assert_eq!(error(&Op::IntDiv, &[&i8s(&[1]), &i8s(&[1])]), "intdiv: a must be i32, got i8");
}

#[test]
fn positions_and_indices() {
    let x = tensor(Dtype::I8, [2, 3], [1, 3, 3, -128, -128, -128]);
    assert_eq!(eval(&Op::ArgMax { axis: 1 }, &[&x]), tensor(Dtype::I32, [2], [1, 0]));
    assert_eq!(eval(&Op::ArgMax { axis: 0 }, &[&x]).data, [0, 0, 0]);
    assert_eq!(error(&Op::ArgMax { axis: 2 }, &[&x]), "argmax: there is no axis 2 in rank 2");
    let values = tensor(Dtype::I16, [1, 3, 2], [1, 2, 3, 4, 5, 6]);
    let indices = |data: [i64; 2]| tensor(Dtype::I32, [1, 2], data);
    let rows = tensor(Dtype::I16, [1, 2, 2], [5, 6, 1, 2]);
    assert_eq!(eval(&Op::Gather, &[&values, &indices([2, 0])]), rows);
    assert!(!Op::Gather.eval(&[&values, &indices([3, 0])]).unwrap().predictable);
    let scattered = eval(&Op::Scatter, &[&values, &indices([1, 0]), &rows]);
    assert_eq!(scattered.data, [1, 2, 5, 6, 5, 6]);
    for wrong in [[1, 1], [-1, 0]] {
        assert!(!Op::Scatter.eval(&[&values, &indices(wrong), &rows]).unwrap().predictable);
    }
    let two = tensor(Dtype::I32, [2, 1], [0, 0]);
    assert_eq!(error(&Op::Gather, &[&values, &two]), "gather: values and indices have 1 and 2 batches");
    let wide = tensor(Dtype::I16, [1, 2, 1], [1, 2]);
    assert_eq!(
        error(&Op::Scatter, &[&values, &indices([0, 1]), &wide]),
        "scatter: input must have shape [1, 2, 2], got [1, 2, 1]"
    );
}

#[test]
fn resizes_by_hand() {
    let x = tensor(Dtype::I8, [1, 1, 2, 1], [0, 16]);
    let row = |bilinear| Resize { scale: [1, 1, 4, 2], offset: [0, -1], border: [0, 1], ..twice(bilinear) };
    // A quarter before the first pixel, a quarter and three quarters between both, a quarter after the last; in quarters.
    assert_eq!(eval(&Op::Resize(row(true)), &[&x]), tensor(Dtype::I32, [1, 1, 4, 1], [0, 16, 48, 64]));
    assert_eq!(eval(&Op::Resize(row(false)), &[&x]), tensor(Dtype::I8, [1, 1, 4, 1], [0, 0, 16, 16]));
    let refused = |resize| error(&Op::Resize(resize), &[&x]);
    assert_eq!(refused(Resize { scale: [1, 16, 4, 2], ..row(true) }), "resize: scale 1/16 is not possible");
    assert_eq!(refused(Resize { offset: [0, 64], ..row(true) }), "resize: offset 64 is not in -4..64");
    assert_eq!(refused(Resize { border: [0, 4], ..row(true) }), "resize: border 4 is not in -64..4");
    assert_eq!(refused(Resize { border: [0, 2], ..row(true) }), "resize: 7 is not a multiple of 2");
    let long = tensor(Dtype::I8, [1, 1, 9000, 1], vec![0; 9000]);
    let resize = Op::Resize(row(false));
    assert_eq!(error(&resize, &[&long]), "resize: an axis of 18000 is too long");
    let wide = tensor(Dtype::I16, [1, 1, 1, 1], [0]);
    assert_eq!(error(&Op::Resize(row(true)), &[&wide]), "resize: input must be i8, got i16");
}

/// Cases of every operator.
fn cases() -> Vec<(Op, Vec<Tensor>)> {
    let mut cases = Vec::new();
    for dtype in Dtype::ALL {
        let (x, y) = (spread(dtype, &[2, 1, 7], 3), spread(dtype, &[2, 5, 7], 40));
        cases.extend(
            [Op::BitwiseAnd, Op::BitwiseOr, Op::BitwiseXor].map(|op| (op, vec![x.clone(), y.clone()])),
        );
        cases.push((Op::BitwiseNot, vec![y.clone()]));
        let shifts = y.data.iter().map(|v| v.rem_euclid(i64::from(dtype.bits()))).collect::<Vec<_>>();
        cases.push((Op::LogicalRightShift, vec![x, tensor(dtype, [2, 5, 7], shifts)]));
        let list = tensor(Dtype::I32, [2, 3], [4, 0, 1, 2, 3, 0]);
        cases.push((Op::Gather, vec![y.clone(), list.clone()]));
        cases.push((Op::Scatter, vec![y, list, spread(dtype, &[2, 3, 7], 90)]));
    }
    let divisors = spread(Dtype::I32, &[3, 50], 8);
    let divisors = divisors.data.iter().map(|&v| if v == 0 || v == -1 { 7 } else { v }).collect::<Vec<_>>();
    let dividends = spread(Dtype::I32, &[3, 50], 1001);
    cases.push((Op::IntDiv, vec![dividends, tensor(Dtype::I32, [3, 50], divisors)]));
    for dtype in [Dtype::I8, Dtype::I16] {
        let x = spread(dtype, &[4, 5, 6], 17);
        // Few values, so that the greatest occurs more than once.
        let few = tensor(dtype, [4, 5, 6], x.data.iter().map(|v| v % 2).collect::<Vec<_>>());
        cases.extend((0..3).map(|axis| (Op::ArgMax { axis }, vec![x.clone()])));
        cases.extend((0..3).map(|axis| (Op::ArgMax { axis }, vec![few.clone()])));
    }
    for (bilinear, dtype) in [(false, Dtype::I8), (false, Dtype::I16), (true, Dtype::I8)] {
        let x = spread(dtype, &[2, 4, 5, 3], 5);
        let shrunk = Resize { bilinear, scale: [6, 13, 2, 5], offset: [4, -2], border: [-1, 0] };
        let odd = Resize { bilinear, scale: [7, 3, 1, 1], offset: [-7, 0], border: [2, -2] };
        cases.extend([twice(bilinear), shrunk, odd].map(|resize| (Op::Resize(resize), vec![x.clone()])));
    }
    cases
}

/// The folder of Python and `tosa-opt`: `TOSA_TOOLS`, or the repository's own environment.
fn tosa_tools() -> Option<PathBuf> {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin");
    let directory = std::env::var_os("TOSA_TOOLS").map_or_else(own, PathBuf::from);
    directory.join("tosa-opt").exists().then_some(directory)
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_reference_model_agrees() {
    let cases = cases();
    let mut programs = Vec::new();
    for (op, inputs) in &cases {
        let mut graph = Graph::new();
        let operands: Vec<_> = inputs.iter().map(|_| graph.input()).collect();
        let result = graph.op(op.clone(), operands);
        graph.output(result);
        let run = graph.run(inputs).unwrap();
        programs.push((
            graph.to_mlir(&run, Constants::Inline).unwrap(),
            eval(op, &inputs.iter().collect::<Vec<_>>()),
        ));
    }
    let Some(tools) = tosa_tools() else {
        eprintln!("SKIPPED: no TOSA reference model found; run tools/conformance/setup, or set TOSA_TOOLS");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let stems: Vec<_> = (0..cases.len()).map(|i| directory.path().join(format!("case-{i}"))).collect();
    for (((mlir, _), (_, inputs)), stem) in programs.iter().zip(&cases).zip(&stems) {
        fs::write(stem.with_extension("mlir"), mlir).unwrap();
        for (i, input) in inputs.iter().enumerate() {
            fs::write(format!("{}.in{i}.npy", stem.display()), input.to_npy().unwrap()).unwrap();
        }
        let flatbuffer = format!("--tosa-flatbuffer-filename={}.tosa", stem.display());
        let mlir = stem.with_extension("mlir");
        run(Command::new(tools.join("tosa-opt")).arg(mlir).arg("--tosa-serialize").arg(flatbuffer));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference_model.py");
    run(Command::new(tools.join("python")).arg(script).args(&stems));
    for ((mlir, expected), stem) in programs.iter().zip(&stems) {
        let file = fs::File::open(format!("{}.ref0.npy", stem.display())).unwrap();
        assert_eq!(&Tensor::from_npy(file).unwrap(), expected, "{mlir}");
    }
    eprintln!("{} cases equal", cases.len());
}
