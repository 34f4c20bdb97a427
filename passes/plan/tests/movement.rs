//! Movement layers against naive evaluation, run by the interpreter in several orders that the barriers permit.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure is a failed test")]

mod interp;
mod layer;

use dpu_isa::{Dtype, Instr, Machine};
use interp::case::{Case, SEEDS, Values, dtype, machine, shape, sram};
use proptest::prelude::*;
use strum_plan::{
    ConcatLayer, CopyLayer, PadLayer, PlanError, SliceLayer, Tensor, TransposeLayer, plan_concat, plan_copy,
    plan_pad, plan_slice, plan_transpose,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn copy_slice_and_transpose(
        (shape, start, size, perm) in shape().prop_flat_map(|shape| {
            let boxes = shape.iter().map(|&n| (0..n).prop_flat_map(move |s| (Just(s), 1..=n - s)));
            let order: Vec<usize> = (0..shape.len()).collect();
            (Just(shape.clone()), boxes.collect::<Vec<_>>(), Just(order).prop_shuffle())
        }).prop_map(|(shape, boxes, perm)| {
            let (start, size): (Vec<u64>, Vec<u64>) = boxes.into_iter().unzip();
            (shape, start, size, perm)
        }),
        dtype in dtype(), engines in 1u32..=2, latency in prop_oneof![Just(0u32), Just(1240)], sram in sram(),
        seed in any::<u64>(),
    ) {
        let values = Values::random(dtype, &shape, seed);
        let sliced = Values::build(dtype, &size, |i| {
            values.at(&i.iter().zip(&start).map(|(i, s)| i + s).collect::<Vec<_>>())
        });
        let turned: Vec<u64> = perm.iter().map(|&p| shape[p]).collect();
        let turned = Values::build(dtype, &turned, |i| {
            let mut from = vec![0; i.len()];
            perm.iter().zip(i).for_each(|(&p, &i)| from[p] = i);
            values.at(&from)
        });
        let flat = Values { shape: vec![values.data.len() as u64], ..values.clone() };
        // Without latency, even small transpositions go through the vector engine.
        let machine = Machine { dma_engines: engines, dram_latency_cycles: latency, ..machine(sram) };
        let mut case = Case::new(machine);
        let input = case.input(&values);
        let outputs = [case.output(&sliced), case.output(&turned), case.output(&flat)];
        let [slice, turn, copy] = outputs;
        let layer = SliceLayer { input: input.clone(), start, output: slice };
        case.plan(|scope| plan_slice(scope, &layer)).unwrap();
        let layer = TransposeLayer { input: input.clone(), perm, output: turn };
        case.plan(|scope| plan_transpose(scope, &layer)).unwrap();
        case.plan(|scope| plan_copy(scope, &CopyLayer { input, output: copy })).unwrap();
        case.check(SEEDS);
    }

    #[test]
    fn concat_layers(
        shape in shape(), axis in any::<prop::sample::Index>(), parts in prop::collection::vec(1u64..5, 1..5),
        dtype in dtype(), seed in any::<u64>(),
    ) {
        let axis = axis.index(shape.len());
        let values: Vec<Values> = parts.iter().enumerate().map(|(k, &n)| {
            let mut part = shape.clone();
            part[axis] = n;
            Values::random(dtype, &part, seed ^ k as u64)
        }).collect();
        let mut whole = shape.clone();
        whole[axis] = parts.iter().sum();
        let expected = Values::build(dtype, &whole, |i| {
            let mut i = i.to_vec();
            let mut k = 0;
            while i[axis] >= parts[k] {
                i[axis] -= parts[k];
                k += 1;
            }
            values[k].at(&i)
        });
        let mut case = Case::new(machine(65536));
        let inputs = values.iter().map(|v| case.input(v)).collect();
        let output = case.output(&expected);
        case.plan(|scope| plan_concat(scope, &ConcatLayer { inputs, axis, output })).unwrap();
        case.check(SEEDS);
    }

    #[test]
    fn pad_layers(
        (shape, frame) in shape().prop_flat_map(|shape| {
            let frame = prop::collection::vec((0i64..3, 0i64..3), shape.len());
            (Just(shape), frame)
        }),
        dtype in dtype(), value in any::<i32>(), latency in prop_oneof![Just(0u32), Just(1240)],
        seed in any::<u64>(),
    ) {
        let (before, after): (Vec<i64>, Vec<i64>) = frame.into_iter().unzip();
        let values = Values::random(dtype, &shape, seed);
        let whole: Vec<u64> =
            shape.iter().zip(before.iter().zip(&after)).map(|(&n, (b, a))| n + (b + a) as u64).collect();
        let expected = Values::build(dtype, &whole, |i| {
            let inside: Option<Vec<u64>> = i.iter().zip(&before).zip(&shape)
                .map(|((&i, &b), &n)| i.checked_sub(b as u64).filter(|&i| i < n)).collect();
            inside.map_or(value.into(), |i| values.at(&i))
        });
        // Without latency, the sides of the frame are filled one by one.
        let mut case = Case::new(Machine { dram_latency_cycles: latency, ..machine(65536) });
        let input = case.input(&values);
        let output = case.output(&expected);
        let layer = PadLayer { input, before, after, value, output };
        case.plan(|scope| plan_pad(scope, &layer)).unwrap();
        case.check(SEEDS);
    }
}

/// Short contiguous segments go through the vector engine in tiles, long ones are left to DMA.
#[test]
fn transpositions_take_the_faster_way() {
    let tasks = |dtype, shape: &[u64], perm: &[usize]| {
        let mut case = Case::new(machine(65536));
        let values = Values::random(dtype, shape, 1);
        let turned: Vec<u64> = perm.iter().map(|&p| shape[p]).collect();
        let expected = Values::build(dtype, &turned, |i| {
            let mut from = vec![0; i.len()];
            perm.iter().zip(i).for_each(|(&p, &i)| from[p] = i);
            values.at(&from)
        });
        let (input, output) = (case.input(&values), case.output(&expected));
        let layer = TransposeLayer { input, perm: perm.to_vec(), output };
        case.plan(|scope| plan_transpose(scope, &layer)).unwrap();
        case.check(&[0, 1]);
        for task in &case.draft.tasks {
            if let Instr::DmaCopy(x) = &task.instr {
                let steps = [x.src_strides[5], x.dst_strides[5]];
                let run =
                    if steps == [u64::from(x.element); 2] { x.dims[5] } else { 1 } * u32::from(x.element);
                assert!(run >= 50 || case.draft.tasks.len() == 1, "short runs: {x:?}");
            }
        }
        let count = |name| case.draft.tasks.iter().filter(|t| t.instr.mnemonic() == name).count();
        (count("vec_unary"), count("dma_copy"))
    };
    assert_eq!(tasks(Dtype::I8, &[1, 57, 61, 67], &[0, 3, 1, 2]), (15, 30));
    assert_eq!(tasks(Dtype::I32, &[130, 3, 70], &[2, 1, 0]), (12, 24));
    assert_eq!(tasks(Dtype::I8, &[1, 40, 30, 64], &[0, 2, 1, 3]), (0, 1));
    assert_eq!(tasks(Dtype::I8, &[5, 7], &[1, 0]), (0, 1));
}

/// A small frame is filled together with its inside in one task, a large one side by side.
#[test]
fn frames_are_filled_the_faster_way() {
    let tasks = |size: u64| {
        let mut case = Case::new(machine(65536));
        let input = case.scratch(Dtype::I8, &[size, size, 16]);
        let output = case.scratch(Dtype::I8, &[size + 2, size + 2, 16]);
        let (before, after) = (vec![1, 1, 0], vec![1, 1, 0]);
        let layer = PadLayer { input, before, after, value: 0, output };
        case.plan(|scope| plan_pad(scope, &layer)).unwrap();
        case.draft.tasks.len()
    };
    assert_eq!((tasks(8), tasks(200)), (2, 5));
}

#[test]
fn what_contradicts_itself_is_refused() {
    let mut case = Case::new(machine(65536));
    let a = case.scratch(Dtype::I8, &[2, 3]);
    let b = case.scratch(Dtype::I8, &[3, 2]);
    let c = case.scratch(Dtype::I32, &[2, 3]);
    let (draft, machine) = (&mut case.draft, &case.machine);
    let internal = |r: Result<(), PlanError>| assert!(matches!(r, Err(PlanError::Internal { .. })), "{r:?}");
    let unsupported =
        |r: Result<(), PlanError>| assert!(matches!(r, Err(PlanError::Unsupported { .. })), "{r:?}");
    let pad = |before: i64| PadLayer {
        input: a.clone(),
        before: vec![before, 0],
        after: vec![-before, 0],
        value: 0,
        output: b.clone().with_shape(&[2, 3]),
    };
    unsupported(layer::plan(draft, machine, |scope| plan_pad(scope, &pad(1))));
    unsupported(layer::plan(draft, machine, |scope| plan_pad(scope, &pad(-1))));
    let turn = |perm: &[usize]| TransposeLayer { input: a.clone(), perm: perm.to_vec(), output: b.clone() };
    internal(layer::plan(draft, machine, |scope| plan_transpose(scope, &turn(&[0, 1]))));
    internal(layer::plan(draft, machine, |scope| plan_transpose(scope, &turn(&[1, 1]))));
    internal(layer::plan(draft, machine, |scope| plan_transpose(scope, &turn(&[1]))));
    let slice = SliceLayer { input: a.clone(), start: vec![1, 0], output: b.clone().with_shape(&[2, 3]) };
    internal(layer::plan(draft, machine, |scope| plan_slice(scope, &slice)));
    internal(layer::plan(draft, machine, |scope| {
        plan_copy(scope, &CopyLayer { input: a.clone(), output: c.clone() })
    }));
    let whole = b.clone().with_shape(&[2, 3]);
    let concat = |inputs: &[&Tensor], axis| ConcatLayer {
        inputs: inputs.iter().map(|&t| t.clone()).collect(),
        axis,
        output: whole.clone(),
    };
    let half = a.clone().with_shape(&[1, 3]);
    internal(layer::plan(draft, machine, |scope| plan_concat(scope, &concat(&[&half], 0))));
    internal(layer::plan(draft, machine, |scope| plan_concat(scope, &concat(&[&half, &half, &half], 0))));
    internal(layer::plan(draft, machine, |scope| plan_concat(scope, &concat(&[&half], 2))));
}
