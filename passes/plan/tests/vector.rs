//! Vector layers against naive evaluation: random shapes, broadcasts, axes and machines.
//!
//! Every case is planned, scheduled and run by the interpreter in several orders that its barriers permit. Machines
//! have so little SRAM that most layers are cut into many ragged tiles.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure is a failed test")]

mod interp;
mod layer;

use dpu_isa::{BinaryOp, Dtype, Machine, ReduceOp, Round, UnaryOp};
use interp::case::{Case, SEEDS, Values, dtype, machine, shape, sram};
use interp::{binary_op, scaled, unary_op};
use proptest::prelude::*;
use strum_plan::{
    BinaryLayer, PlanError, Post, Pre, ReduceLayer, RescaleLayer, Role, Scaling, Table, TableLayer, Tensor,
    TransposeLayer, UnaryLayer, plan_binary, plan_reduce, plan_rescale, plan_table, plan_transpose,
    plan_unary,
};

/// A shape that broadcasts to `shape` where `mask` has a bit, with fewer dimensions if it is all ones in front.
fn broadcast(shape: &[u64], mask: u8, drop: bool) -> Vec<u64> {
    let full = shape.iter().enumerate().map(|(i, &n)| if mask >> i & 1 == 1 { 1 } else { n });
    let full: Vec<u64> = full.collect();
    let ones = full.iter().take_while(|&&n| n == 1).count();
    full[if drop { ones } else { 0 }..].to_vec()
}

fn scaling() -> impl Strategy<Value = Option<Scaling>> {
    prop::option::of(
        (0..=i32::MAX, 2u8..=62, prop::sample::select(Round::ALL))
            .prop_map(|(multiplier, shift, round)| Scaling { multiplier, shift, round }),
    )
}

fn pre() -> impl Strategy<Value = Pre> {
    (prop_oneof![Just(0), -200i32..200, any::<i32>()], scaling()).prop_map(|(zp, scale)| Pre { zp, scale })
}

fn clamp(dtype: Dtype) -> impl Strategy<Value = Option<(i32, i32)>> {
    let value = dtype.min()..=dtype.max();
    prop::option::of((value.clone(), value).prop_map(|(a, b)| (a.min(b), a.max(b))))
}

fn table() -> impl Strategy<Value = Vec<i8>> {
    any::<u64>()
        .prop_map(|seed| Values::random(Dtype::I8, &[256], seed).data.iter().map(|&v| v as i8).collect())
}

fn post(dtype: Dtype) -> impl Strategy<Value = Post> {
    let zp = prop_oneof![Just(0), -200i32..200];
    let lut = if dtype == Dtype::I8 { prop::option::of(table()).boxed() } else { Just(None).boxed() };
    (scaling(), zp, clamp(dtype), lut).prop_map(|(scale, zp, clamp, lut)| Post { scale, zp, clamp, lut })
}

fn apply_pre(v: i64, pre: &Pre) -> i64 {
    let v = i64::from((v - i64::from(pre.zp)) as i32);
    pre.scale.map_or(v, |s| scaled(v, s.multiplier, s.shift, s.round))
}

fn apply_post(v: i64, post: &Post) -> i64 {
    let v = post.scale.map_or(v, |s| scaled(v, s.multiplier, s.shift, s.round));
    let v = i64::from((v + i64::from(post.zp)) as i32);
    let v = post.clamp.map_or(v, |(lo, hi)| v.clamp(lo.into(), hi.into()));
    post.lut.as_ref().map_or(v, |lut| i64::from(lut[(i64::from(v as i8) + 128) as usize]))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn binary_layers(
        shape in shape(), masks in any::<(u8, u8)>(), drop in any::<(bool, bool)>(),
        types in (dtype(), dtype()),
        (out_type, post) in dtype().prop_flat_map(|t| (Just(t), post(t))),
        // Not every quotient exists.
        op in prop::sample::select(BinaryOp::ALL).prop_filter("total", |&op| op != BinaryOp::Div),
        shift in 0u8..=63, pres in (pre(), pre()),
        sram in sram(), seed in any::<u64>(),
    ) {
        let mul_shift = if op == BinaryOp::Mul { shift } else { 0 };
        let a = Values::random(types.0, &broadcast(&shape, masks.0, drop.0), seed);
        let b = Values::random(types.1, &broadcast(&shape, masks.1, drop.1), seed ^ 1);
        let expected = Values::build(out_type, &shape, |i| {
            let (a, b) = (apply_pre(a.at(i), &pres.0), apply_pre(b.at(i), &pres.1));
            apply_post(binary_op(op, types.0, a, b, mul_shift), &post)
        });
        let mut case = Case::new(machine(sram));
        let (a, b) = (case.input(&a), case.input(&b));
        let output = case.output(&expected);
        let layer = BinaryLayer { op, mul_shift, a, pre_a: pres.0, b, pre_b: pres.1, post, output };
        case.plan(|scope| plan_binary(scope, &layer)).unwrap();
        case.check(SEEDS);
    }

    #[test]
    fn unary_layers(
        shape in shape(), types in (dtype(), dtype()).prop_flat_map(|(a, b)| (Just(a), Just(b), clamp(b))),
        op in prop::sample::select(UnaryOp::ALL), zps in (-200i32..200, -200i32..200),
        sram in sram(), seed in any::<u64>(),
    ) {
        let (from, to, clamp) = types;
        let values = Values::random(from, &shape, seed);
        let expected = Values::build(to, &shape, |i| {
            let v = unary_op(op, apply_pre(values.at(i), &Pre { zp: zps.0, scale: None }));
            apply_post(v, &Post { zp: zps.1, clamp, ..Post::default() })
        });
        let mut case = Case::new(machine(sram));
        let input = case.input(&values);
        let output = case.output(&expected);
        let layer = UnaryLayer { op, input, in_zp: zps.0, out_zp: zps.1, clamp, output };
        case.plan(|scope| plan_unary(scope, &layer)).unwrap();
        case.check(SEEDS);
    }

    #[test]
    fn rescale_layers(
        shape in shape(),
        types in (dtype(), dtype()).prop_flat_map(|(a, b)| (Just(a), Just(b), clamp(b))),
        per_channel in any::<bool>(), scale in prop::collection::vec((0..=i32::MAX, 2u8..=62), 400),
        round in prop::sample::select(Round::ALL), zps in (-200i32..200, -200i32..200), lut in table(),
        use_lut in any::<bool>(), sram in sram(), seed in any::<u64>(),
    ) {
        let (from, to, clamp) = types;
        let lut = (use_lut && to == Dtype::I8).then_some(lut);
        let channels = if per_channel { *shape.last().unwrap() as usize } else { 1 };
        let (multiplier, shift): (Vec<i32>, Vec<u8>) = scale[..channels].iter().copied().unzip();
        let values = Values::random(from, &shape, seed);
        let post = Post {
            scale: None, zp: zps.1, clamp: clamp.or(Some((to.min(), to.max()))), lut: lut.clone(),
        };
        let expected = Values::build(to, &shape, |i| {
            let c = if per_channel { i[i.len() - 1] as usize } else { 0 };
            let scale = Some(Scaling { multiplier: multiplier[c], shift: shift[c], round });
            apply_post(apply_pre(values.at(i), &Pre { zp: zps.0, scale }), &post)
        });
        let mut case = Case::new(machine(sram));
        let input = case.input(&values);
        let output = case.output(&expected);
        let layer = RescaleLayer {
            input, in_zp: zps.0, multiplier, shift, round, out_zp: zps.1, clamp, lut, output,
        };
        case.plan(|scope| plan_rescale(scope, &layer)).unwrap();
        case.check(SEEDS);
    }

    #[test]
    fn table_layers(shape in shape(), wide in any::<bool>(), sram in 1200u64..8000, seed in any::<u64>()) {
        let (from, to) = if wide { (Dtype::I16, Dtype::I32) } else { (Dtype::I8, Dtype::I8) };
        let values = Values::random(from, &shape, seed);
        let points = Values::random(from, &[if wide { 513 } else { 256 }], !seed).data;
        let expected = Values::build(to, &shape, |i| {
            let v = values.at(i);
            if wide {
                let t = v + 32768;
                let (low, high) = (points[(t >> 7) as usize], points[(t >> 7) as usize + 1]);
                low * 128 + (high - low) * (t & 127)
            } else {
                points[(v + 128) as usize]
            }
        });
        let table = if wide {
            Table::I16(points.iter().map(|&v| v as i16).collect())
        } else {
            Table::I8(points.iter().map(|&v| v as i8).collect())
        };
        let mut case = Case::new(machine(sram));
        let input = case.input(&values);
        let output = case.output(&expected);
        case.plan(|scope| plan_table(scope, &TableLayer { input, table, output })).unwrap();
        case.check(SEEDS);
    }

    #[test]
    fn reduce_layers(
        shape in shape(), axis in any::<prop::sample::Index>(), keep in any::<bool>(), types in (dtype(), dtype()),
        op in prop::sample::select(&[ReduceOp::Sum, ReduceOp::Max, ReduceOp::Min]), sram in prop_oneof![64u64..200, 200u64..4000, Just(65536)],
        seed in any::<u64>(),
    ) {
        // Minimum and maximum do not change type; narrow sums are compared modulo the type.
        let (from, to) = if op == ReduceOp::Sum { types } else { (types.0, types.0) };
        let axis = axis.index(shape.len());
        let values = Values::random(from, &shape, seed);
        let mut reduced = shape.clone();
        reduced[axis] = 1;
        let mut expected = Values::build(to, &reduced, |i| {
            let along = (0..shape[axis]).map(|k| {
                let mut i = i.to_vec();
                i[axis] = k;
                values.at(&i)
            });
            match op {
                ReduceOp::Sum => along.sum(),
                ReduceOp::Max | ReduceOp::Argmax => along.max().unwrap(),
                ReduceOp::Min => along.min().unwrap(),
            }
        });
        if !keep {
            expected.shape.remove(axis);
        }
        let mut case = Case::new(machine(sram));
        let input = case.input(&values);
        let output = case.output(&expected);
        case.plan(|scope| plan_reduce(scope, &ReduceLayer { op, axis, input, output })).unwrap();
        case.check(SEEDS);
    }

    /// `max over axis 0 of transpose(a + b)`, so that layers depend on each other, with few barriers and short FIFOs.
    #[test]
    fn chains_on_machines_with_few_barriers(
        rows in 1u64..40, columns in 1u64..40, sram in 300u64..3000, barriers in 2u32..8, fifo in 1u32..5,
        engines in 1u32..=2, seed in any::<u64>(),
    ) {
        let a = Values::random(Dtype::I8, &[rows, columns], seed);
        let b = Values::random(Dtype::I8, &[rows, 1], seed ^ 1);
        let sum = Values::build(Dtype::I16, &[rows, columns], |i| a.at(i) + b.at(i));
        let turned = Values::build(Dtype::I16, &[columns, rows], |i| sum.at(&[i[1], i[0]]));
        let most = Values::build(Dtype::I16, &[1, rows], |i| {
            (0..columns).map(|k| turned.at(&[k, i[1]])).max().unwrap()
        });
        let mut machine = machine(sram);
        (machine.barriers, machine.fifo_depth, machine.dma_engines) = (barriers, fifo, engines);
        let mut case = Case::new(machine);
        let (a, b) = (case.input(&a), case.input(&b));
        let (first, second) = (case.scratch(Dtype::I16, &sum.shape), case.scratch(Dtype::I16, &turned.shape));
        let output = case.output(&most);
        let layer = BinaryLayer {
            op: BinaryOp::Add, mul_shift: 0, a, pre_a: Pre::default(), b, pre_b: Pre::default(),
            post: Post::default(), output: first.clone(),
        };
        case.plan(|scope| plan_binary(scope, &layer)).unwrap();
        let layer = TransposeLayer { input: first, perm: vec![1, 0], output: second.clone() };
        case.plan(|scope| plan_transpose(scope, &layer)).unwrap();
        let layer = ReduceLayer { op: ReduceOp::Max, axis: 0, input: second, output };
        case.plan(|scope| plan_reduce(scope, &layer)).unwrap();
        case.check(&[0, 1, 2, 3, 4, 5]);
    }
}

/// Tensors far larger than the smallest machine's SRAM, with prime extents.
#[test]
fn huge_and_ragged_layers_on_the_smallest_machine() {
    let add = |a: &Values, b: &Values, shape: &[u64]| {
        let expected = Values::build(Dtype::I32, shape, |i| a.at(i) + b.at(i));
        let mut case = Case::new(machine(65536));
        let (a, b) = (case.input(a), case.input(b));
        let output = case.output(&expected);
        let (pre_a, pre_b) = (Pre::default(), Pre::default());
        let layer = BinaryLayer {
            op: BinaryOp::Add,
            mul_shift: 0,
            a,
            pre_a,
            b,
            pre_b,
            post: Post::default(),
            output,
        };
        case.plan(|scope| plan_binary(scope, &layer)).unwrap();
        case.check(&[7]);
    };
    let values = |shape: &[u64]| Values::random(Dtype::I32, shape, 3);
    add(&values(&[3, 100_003]), &values(&[100_003]), &[3, 100_003]);
    add(&values(&[100_003, 3]), &values(&[100_003, 1]), &[100_003, 3]);
    add(&values(&[1, 7, 1, 4001]), &values(&[5, 1, 3, 1]), &[5, 7, 3, 4001]);
    add(&values(&[1]), &values(&[2, 99_991]), &[2, 99_991]);
    for (shape, axis) in
        [(vec![600_011], 0), (vec![50_021, 7], 0), (vec![7, 50_021], 1), (vec![3, 19, 20_011], 1)]
    {
        let values = Values::random(Dtype::I16, &shape, 5);
        let mut reduced = shape.clone();
        reduced[axis] = 1;
        let mut sums = Values {
            dtype: Dtype::I32,
            shape: reduced.clone(),
            data: vec![0; reduced.iter().product::<u64>() as usize],
        };
        let inner: u64 = shape[axis + 1..].iter().product();
        for (k, v) in values.data.iter().enumerate() {
            let k = k as u64;
            let at = k / inner / shape[axis] * inner + k % inner;
            sums.data[at as usize] = i64::from((sums.data[at as usize] + v) as i32);
        }
        let mut case = Case::new(machine(65536));
        let input = case.input(&values);
        let output = case.output(&sums);
        case.plan(|scope| plan_reduce(scope, &ReduceLayer { op: ReduceOp::Sum, axis, input, output }))
            .unwrap();
        case.check(&[7]);
    }
}

/// Per-channel parameters larger than the SRAM are cut like any operand.
#[test]
fn rescale_of_more_channels_than_the_sram_holds() {
    let channels = 20_011u64;
    let values = Values::random(Dtype::I32, &[2, channels], 11);
    let multiplier: Vec<i32> = (0..channels as i32).map(|c| 1_000_000_000 + c * 7).collect();
    let shift: Vec<u8> = (0..channels).map(|c| 32 + (c % 20) as u8).collect();
    let expected = Values::build(Dtype::I8, &[2, channels], |i| {
        let c = i[1] as usize;
        scaled(values.at(i), multiplier[c], shift[c], Round::Double).clamp(-128, 127)
    });
    let mut case = Case::new(machine(65536));
    let input = case.input(&values);
    let output = case.output(&expected);
    let layer = RescaleLayer {
        input,
        in_zp: 0,
        multiplier,
        shift,
        round: Round::Double,
        out_zp: 0,
        clamp: None,
        lut: None,
        output,
    };
    case.plan(|scope| plan_rescale(scope, &layer)).unwrap();
    case.check(&[0, 9]);
}

/// Constants and repeated operands are loaded once, and long layers take few tasks.
#[test]
fn operands_are_loaded_no_more_often_than_needed() {
    let mut case = Case::new(Machine::flexnn_16x16());
    let shape = [1, 512, 512, 64];
    let input = case.tensor(Dtype::I8, &shape, Role::Input { name: "x".into() });
    let bias = case.tensor(Dtype::I32, &[64], Role::Input { name: "b".into() });
    let output = case.tensor(Dtype::I8, &shape, Role::Output { name: "y".into() });
    let (pre_a, pre_b) = (Pre::default(), Pre::default());
    let post = Post { lut: Some(vec![0; 256]), ..Post::default() };
    let layer =
        BinaryLayer { op: BinaryOp::Add, mul_shift: 0, a: input, pre_a, b: bias, pre_b, post, output };
    case.plan(|scope| plan_binary(scope, &layer)).unwrap();
    let named = |name| case.draft.tasks.iter().filter(|t| t.instr.mnemonic() == name).count();
    let tiles = named("vec_binary");
    assert!((8..=40).contains(&tiles), "{tiles} tiles for 16 MiB");
    assert_eq!(named("dma_copy"), 2 * tiles + 2);
}

#[test]
fn what_contradicts_itself_is_refused() {
    let mut case = Case::new(machine(65536));
    let a = case.scratch(Dtype::I8, &[2, 3]);
    let b = case.scratch(Dtype::I8, &[3, 2]);
    let c = case.scratch(Dtype::I32, &[2, 3]);
    let (draft, machine) = (&mut case.draft, &case.machine);
    let binary = |a: &Tensor, b: &Tensor, output: &Tensor, mul_shift| BinaryLayer {
        op: BinaryOp::Mul,
        mul_shift,
        a: a.clone(),
        pre_a: Pre::default(),
        b: b.clone(),
        pre_b: Pre::default(),
        post: Post::default(),
        output: output.clone(),
    };
    let internal = |r: Result<(), PlanError>| assert!(matches!(r, Err(PlanError::Internal { .. })), "{r:?}");
    let unsupported =
        |r: Result<(), PlanError>| assert!(matches!(r, Err(PlanError::Unsupported { .. })), "{r:?}");
    internal(layer::plan(draft, machine, |scope| plan_binary(scope, &binary(&a, &b, &c, 0))));
    internal(layer::plan(draft, machine, |scope| plan_binary(scope, &binary(&a, &c, &c, 0))));
    unsupported(layer::plan(draft, machine, |scope| plan_binary(scope, &binary(&a, &a, &c, 64))));
    let mut bad = binary(&a, &a, &c, 0);
    bad.pre_a.scale = Some(Scaling { multiplier: 1, shift: 1, round: Round::Single });
    unsupported(layer::plan(draft, machine, |scope| plan_binary(scope, &bad)));
    let mut bad = binary(&a, &a, &b.clone().with_shape(&[2, 3]), 0);
    bad.post.clamp = Some((-129, 0));
    unsupported(layer::plan(draft, machine, |scope| plan_binary(scope, &bad)));
    let reduce = |axis| ReduceLayer { op: ReduceOp::Sum, axis, input: a.clone(), output: c.clone() };
    internal(layer::plan(draft, machine, |scope| plan_reduce(scope, &reduce(2))));
    internal(layer::plan(draft, machine, |scope| plan_reduce(scope, &reduce(1))));
    let table = TableLayer { input: a.clone(), table: Table::I16(vec![0; 513]), output: c.clone() };
    unsupported(layer::plan(draft, machine, |scope| plan_table(scope, &table)));
    let table =
        TableLayer { input: a.clone(), table: Table::I8(vec![0; 255]), output: b.with_shape(&[2, 3]) };
    internal(layer::plan(draft, machine, |scope| plan_table(scope, &table)));
}

/// Why an element-wise sum of two tensors cannot be planned.
fn sum_refused(case: &mut Case, a: &[u64], b: &[u64]) -> String {
    let (a, b, output) =
        (case.scratch(Dtype::I8, a), case.scratch(Dtype::I8, b), case.scratch(Dtype::I32, b));
    let (pre_a, pre_b, post) = (Pre::default(), Pre::default(), Post::default());
    let layer = BinaryLayer { op: BinaryOp::Add, mul_shift: 0, a, pre_a, b, pre_b, post, output };
    case.plan(|scope| plan_binary(scope, &layer)).unwrap_err().to_string()
}

#[test]
fn limits_are_named() {
    let mut case = Case::new(machine(65536));
    assert_eq!(
        sum_refused(&mut case, &[2, 1, 2, 1, 2, 1, 2], &[2; 7]),
        "unsupported: 7 dimensions remain after merging, at most 6 are supported"
    );
    let mut tiny = Case::new(machine(32));
    assert_eq!(
        sum_refused(&mut tiny, &[2], &[2]),
        "resource: SRAM bytes for tiles of one element: needs 96, limit is 32"
    );
    let layer = ReduceLayer {
        op: ReduceOp::Sum,
        axis: 0,
        input: tiny.scratch(Dtype::I8, &[2]),
        output: tiny.scratch(Dtype::I32, &[1]),
    };
    let error = tiny.plan(|scope| plan_reduce(scope, &layer)).unwrap_err();
    assert_eq!(error.to_string(), "resource: SRAM bytes for tiles of one element: needs 64, limit is 32");
}

#[test]
fn parameters_that_no_field_holds_are_named() {
    let mut case = Case::new(machine(65536));
    let (input, output) = (case.scratch(Dtype::I8, &[4]), case.scratch(Dtype::I32, &[4]));
    let table = TableLayer { input: input.clone(), table: Table::I16(vec![0; 513]), output: output.clone() };
    let error = case.plan(|scope| plan_table(scope, &table)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "unsupported: lookup table from i8 to i32 is not supported, expected i16 to i32"
    );
    let rescale = RescaleLayer {
        input,
        in_zp: 0,
        multiplier: vec![-1],
        shift: vec![63],
        round: Round::Single,
        out_zp: 0,
        clamp: None,
        lut: None,
        output,
    };
    let error = case.plan(|scope| plan_rescale(scope, &rescale)).unwrap_err();
    assert_eq!(error.to_string(), "unsupported: multiplier -1 must be >= 0 and shift 63 in 2..=62");
}
