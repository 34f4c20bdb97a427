//! Layers that choose: argmax, selections, gathers, scatters and resized images against naive evaluation.
//!
//! Every case is planned, scheduled and run by the interpreter in several orders that its barriers permit. Machines
//! have so little SRAM that most layers are cut into many ragged tiles.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure is a failed test")]

mod interp;
mod layer;

use dpu_isa::{Dtype, ReduceOp, ResizeMode};
use interp::case::{Case, SEEDS, Values, dtype, machine, shape, sram};
use proptest::prelude::*;
use strum_plan::{
    GatherLayer, PlanError, ReduceLayer, ResizeLayer, ResizeSide, ScatterLayer, SelectLayer, plan_gather,
    plan_reduce, plan_resize, plan_scatter, plan_select,
};

/// The shape with ones where `mask` has a bit.
fn broadcast(shape: &[u64], mask: u8) -> Vec<u64> {
    shape.iter().enumerate().map(|(i, &n)| if mask >> i & 1 == 1 { 1 } else { n }).collect()
}

/// For each of `lists`, `picks` of `rows` rows, none twice if `once`.
fn indices(lists: u64, picks: u64, rows: u64, once: bool, seed: u64) -> Values {
    let random = Values::random(Dtype::I32, &[lists, picks.max(rows)], seed);
    let mut data = Vec::new();
    for list in random.data.chunks(picks.max(rows) as usize) {
        if once {
            let mut order: Vec<i64> = (0..rows as i64).collect();
            order.sort_by_key(|&k| list[k as usize]);
            data.extend(&order[..picks as usize]);
        } else {
            data.extend(list[..picks as usize].iter().map(|v| v.rem_euclid(rows as i64)));
        }
    }
    Values { dtype: Dtype::I32, shape: vec![lists, picks], data }
}

/// Results along a side of `image` pixels, at least one; fewer if an image position after the last is needed.
fn results(side: ResizeSide, image: u64, wanted: u64) -> u64 {
    let last = (image as i64) * i64::from(side.scale_n) - i64::from(side.offset) - 1;
    wanted.min((last.max(0) as u64) / u64::from(side.scale_d) + 1)
}

fn side() -> impl Strategy<Value = ResizeSide> {
    (1u16..40)
        .prop_flat_map(|n| (Just(n), 1..16 * n, -(n as i16)..n as i16))
        .prop_map(|(scale_n, scale_d, offset)| ResizeSide { scale_n, scale_d, offset })
}

/// Positions around a result and the distance from the first.
fn around(side: ResizeSide, result: u64, image: u64) -> (u64, u64, i64) {
    let n = i64::from(side.scale_n);
    let place = result as i64 * i64::from(side.scale_d) + i64::from(side.offset);
    let position = place.div_euclid(n);
    (position.max(0) as u64, (position + 1).min(image as i64 - 1) as u64, place - position * n)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn argmax_layers(
        shape in shape(), axis in any::<prop::sample::Index>(), wide in any::<bool>(), keep in any::<bool>(),
        sram in prop_oneof![2000u64..4000, Just(65536)], seed in any::<u64>(),
    ) {
        let axis = axis.index(shape.len());
        let values = Values::random(if wide { Dtype::I16 } else { Dtype::I8 }, &shape, seed);
        let mut reduced = shape.clone();
        reduced[axis] = 1;
        let mut expected = Values::build(Dtype::I32, &reduced, |i| {
            let at = |k: u64| {
                let mut i = i.to_vec();
                i[axis] = k;
                values.at(&i)
            };
            (0..shape[axis]).rev().max_by_key(|&k| at(k)).unwrap() as i64
        });
        if !keep {
            expected.shape.remove(axis);
        }
        let mut case = Case::new(machine(sram));
        let (input, output) = (case.input(&values), case.output(&expected));
        let layer = ReduceLayer { op: ReduceOp::Argmax, axis, input, output };
        case.plan(|scope| plan_reduce(scope, &layer)).unwrap();
        case.check(SEEDS);
    }

    #[test]
    fn select_layers(
        shape in shape(), masks in any::<[u8; 3]>(), dtype in dtype(), sram in sram(), seed in any::<u64>(),
    ) {
        let mut cond = Values::random(Dtype::U8, &broadcast(&shape, masks[0]), seed);
        cond.data.iter_mut().for_each(|v| *v &= 1);
        let a = Values::random(dtype, &broadcast(&shape, masks[1]), seed ^ 1);
        let b = Values::random(dtype, &broadcast(&shape, masks[2]), seed ^ 2);
        let expected = Values::build(dtype, &shape, |i| if cond.at(i) != 0 { a.at(i) } else { b.at(i) });
        let mut case = Case::new(machine(sram));
        let (cond, a, b) = (case.input(&cond), case.input(&a), case.input(&b));
        let output = case.output(&expected);
        case.plan(|scope| plan_select(scope, &SelectLayer { cond, a, b, output })).unwrap();
        case.check(SEEDS);
    }

    #[test]
    fn gather_and_scatter_layers(
        lists in 1u64..5, rows in 1u64..60, picks in 1u64..200, channels in 1u64..20, dtype in dtype(),
        sram in prop_oneof![32u64..300, Just(65536)], seed in any::<u64>(),
    ) {
        let all = Values::random(dtype, &[lists, rows, channels], seed);
        let list = indices(lists, picks, rows, false, seed);
        let gathered = Values::build(dtype, &[lists, picks, channels], |i| {
            all.at(&[i[0], list.at(&i[..2]) as u64, i[2]])
        });
        let mut case = Case::new(machine(sram));
        let (values, indices_) = (case.input(&all), case.input(&list));
        let output = case.output(&gathered);
        case.plan(|scope| plan_gather(scope, &GatherLayer { values, indices: indices_, output })).unwrap();
        case.check(SEEDS);

        let picks = picks.min(rows);
        let list = indices(lists, picks, rows, true, seed);
        let new = Values::random(dtype, &[lists, picks, channels], !seed);
        let scattered = Values::build(dtype, &all.shape, |i| {
            let pick = (0..picks).find(|&w| list.at(&[i[0], w]) == i[1] as i64);
            pick.map_or_else(|| all.at(i), |w| new.at(&[i[0], w, i[2]]))
        });
        let mut case = Case::new(machine(sram));
        let (values, indices, input) = (case.input(&all), case.input(&list), case.input(&new));
        let output = case.output(&scattered);
        case.plan(|scope| plan_scatter(scope, &ScatterLayer { values, indices, input, output })).unwrap();
        case.check(SEEDS);
    }

    /// Rows of a table that the greatest values of a computed tensor name, so that indices are results of another engine.
    #[test]
    fn a_lookup_by_argmax(
        rows in 1u64..60, picks in 1u64..60, channels in 1u64..9, sram in 2000u64..4000, engines in 1u32..=2,
        seed in any::<u64>(),
    ) {
        let scores = Values::random(Dtype::I8, &[1, picks, rows], seed);
        let table = Values::random(Dtype::I16, &[1, rows, channels], !seed);
        let best = Values::build(Dtype::I32, &[1, picks], |i| {
            (0..rows).rev().max_by_key(|&k| scores.at(&[0, i[1], k])).unwrap() as i64
        });
        let found = Values::build(Dtype::I16, &[1, picks, channels], |i| {
            table.at(&[0, best.at(&[0, i[1]]) as u64, i[2]])
        });
        let mut machine = machine(sram);
        machine.dma_engines = engines;
        let mut case = Case::new(machine);
        let (input, values) = (case.input(&scores), case.input(&table));
        let indices = case.scratch(Dtype::I32, &best.shape);
        let output = case.output(&found);
        let layer = ReduceLayer { op: ReduceOp::Argmax, axis: 2, input, output: indices.clone() };
        case.plan(|scope| plan_reduce(scope, &layer)).unwrap();
        case.plan(|scope| plan_gather(scope, &GatherLayer { values, indices, output })).unwrap();
        case.check(&[0, 1, 2, 3]);
    }

    #[test]
    fn resize_layers(
        image in [1u64..3, 1u64..20, 1u64..20, 1u64..20], sides in [side(), side()], wanted in [1u64..40, 1u64..40],
        kind in 0usize..3, sram in prop_oneof![128u64..1000, 1000u64..4000, Just(65536)], seed in any::<u64>(),
    ) {
        let (mode, dtype) = [
            (ResizeMode::Nearest, Dtype::I8), (ResizeMode::Nearest, Dtype::I16), (ResizeMode::Bilinear, Dtype::I8),
        ][kind];
        let [n, height, width, channels] = image;
        let (rows, columns) = (results(sides[0], height, wanted[0]), results(sides[1], width, wanted[1]));
        let values = Values::random(dtype, &image, seed);
        let to = if mode == ResizeMode::Bilinear { Dtype::I32 } else { dtype };
        let expected = Values::build(to, &[n, rows, columns, channels], |i| {
            let ((y0, y1, dy), (x0, x1, dx)) = (around(sides[0], i[1], height), around(sides[1], i[2], width));
            let (n_y, n_x) = (i64::from(sides[0].scale_n), i64::from(sides[1].scale_n));
            let at = |y, x| values.at(&[i[0], y, x, i[3]]);
            match mode {
                ResizeMode::Nearest => at(if 2 * dy >= n_y { y1 } else { y0 }, if 2 * dx >= n_x { x1 } else { x0 }),
                ResizeMode::Bilinear => {
                    at(y0, x0) * (n_y - dy) * (n_x - dx) + at(y0, x1) * (n_y - dy) * dx
                        + at(y1, x0) * dy * (n_x - dx) + at(y1, x1) * dy * dx
                }
            }
        });
        let mut case = Case::new(machine(sram));
        let (input, output) = (case.input(&values), case.output(&expected));
        case.plan(|scope| plan_resize(scope, &ResizeLayer { mode, sides, input, output })).unwrap();
        case.check(SEEDS);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let values = Values::random(Dtype::I8, &[1, 4, 4, 1], 1);
    let out = Values::random(Dtype::I32, &[1, 4, 4], 1);
    let text = |result: Result<(), PlanError>| result.unwrap_err().to_string();

    let mut case = Case::new(machine(64));
    let wide = Values::random(Dtype::I8, &[1000], 1);
    let (input, output) = (case.input(&wide), case.output(&Values::random(Dtype::I32, &[1], 1)));
    let layer = ReduceLayer { op: ReduceOp::Argmax, axis: 0, input, output };
    assert_eq!(
        text(case.plan(|scope| plan_reduce(scope, &layer))),
        "resource: SRAM bytes for the elements that one result of an argmax is chosen from: needs 2048, limit is 64"
    );

    let mut case = Case::new(machine(4));
    let list = indices(1, 4, 4, true, 1);
    let (all, list) = (case.input(&Values::random(Dtype::I8, &[1, 4, 4], 2)), case.input(&list));
    let layer = GatherLayer { values: all, indices: list, output: case.output(&out) };
    let message = text(case.plan(|scope| plan_gather(scope, &layer)));
    assert!(message.starts_with("internal: inconsistent layer: it moves i8 to i32"), "{message}");
    let output = case.output(&Values::random(Dtype::I8, &[1, 4, 4], 2));
    let layer = GatherLayer { output, ..layer };
    assert_eq!(
        text(case.plan(|scope| plan_gather(scope, &layer))),
        "resource: SRAM bytes for indices: needs 32, limit is 4"
    );

    let mut case = Case::new(machine(65536));
    let (input, output) = (case.input(&values), case.output(&values));
    let steep = ResizeSide { scale_n: 1, scale_d: 16, offset: 0 };
    let even = ResizeSide { scale_n: 1, scale_d: 1, offset: 0 };
    let layer = ResizeLayer { mode: ResizeMode::Nearest, sides: [even, steep], input, output };
    assert_eq!(
        text(case.plan(|scope| plan_resize(scope, &layer))),
        "unsupported: scale_x_d = 16 must be less than 16 * scale_x_n = 16"
    );
}
