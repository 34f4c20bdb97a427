//! Columns of every kind and adder trees of every depth against traces of random vectors, by the evaluator.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::collections::BTreeMap;
use std::ops::Range;

use common::{block, push, random, signed};
use dpu_isa::{Machine, PeKind, Stationary};
use dpu_rtl::drive::{DriveError, Section, column_sections, stimulus};
use dpu_rtl::netlist::Evaluator;
use dpu_rtl::spec::{Level, Spec, Structure};
use dpu_rtl::{units, verilator};
use dpu_trace::{Conv, Header, Source, Tile, Vector, Writer};
use proptest::prelude::RngExt;
use proptest::test_runner::TestRng;
use strum_formats::{DliqShift, Format, Method};
use strum_ref::lane::accumulate;

/// How a layer is spread over the PEs: along channels, rows and columns of the output.
#[derive(Clone, Copy)]
struct Layer {
    joined: u16,
    pes: [u16; 3],
    held: [u16; 3],
    outputs: [u32; 3],
    channels: u32,
    kernel: [u16; 2],
    stationary: Stationary,
}

/// The stored bytes of a channel's weights in a vector, and their values.
type Weights = (Vec<u8>, Vec<i64>);

/// A section, and for each output in the order of draining the sums of all trees.
struct Traced {
    section: Section,
    sums: Vec<Vec<u32>>,
}

fn header(spec: &Spec, layer: &Layer, plain: bool) -> Header {
    let machine = Machine {
        pe_kind: spec.kind,
        lanes: spec.lanes,
        if_rf_bytes: spec.if_bytes,
        fl_rf_bytes: spec.fl_bytes,
        ..Machine::flexnn_16x16()
    };
    let format = (!plain && spec.packed()).then_some(spec.format);
    let fields = format.unwrap_or(Format::DENSE).instr_fields();
    let ([sched_oc, sched_oy, sched_ox], [block_oc, block_oy, block_ox]) = (layer.pes, layer.held);
    let conv = Conv {
        method: dpu_isa::Method::from_name(format.map_or("dense", |f| f.method.kind().name())).unwrap(),
        block: fields.block,
        low: fields.low,
        param: fields.param,
        zero: fields.zero,
        in_zp: -7,
        stationary: layer.stationary,
        sched_ic: layer.joined,
        sched_oc,
        sched_oy,
        sched_ox,
        block_oc,
        block_oy,
        block_ox,
        ..Conv::default()
    };
    let ([out_c, out_h, out_w], [kernel_h, kernel_w]) = (layer.outputs, layer.kernel);
    Header {
        layer: "random".into(),
        source: Source::default(),
        tile: Tile { in_c: layer.channels, kernel_h, kernel_w, out_h, out_w, out_c, ..Tile::default() },
        vector: conv.vector(spec.lanes),
        word_bytes: conv.word_bytes(spec.lanes),
        pes: (0..spec.rows as u16).collect(),
        limit: u64::MAX,
        act_zero: None,
        manifest: dpu_isa::Manifest::default(),
        machine,
        conv,
    }
}

/// Operands of a layer, drawn when they are first used.
struct Operands<'a> {
    rng: &'a mut TestRng,
    spec: &'a Spec,
    format: Option<Format>,
    vector: u32,
    acts: BTreeMap<([u32; 2], u32), Vec<i16>>,
    weights: BTreeMap<(u32, u32), Weights>,
    shifts: BTreeMap<u32, u8>,
}

impl Operands<'_> {
    fn shift(&mut self, channel: u32) -> u8 {
        let most = if self.format.is_some() { self.spec.max_shift() } else { 0 };
        *self.shifts.entry(channel).or_insert_with(|| self.rng.random_range(0..=most) as u8)
    }

    fn acts(&mut self, position: [u32; 2], n: u32) -> Vec<i16> {
        let make = || (0..self.vector).map(|_| signed(self.rng, 8) as i16).collect();
        self.acts.entry((position, n)).or_insert_with(make).clone()
    }

    fn weights(&mut self, channel: u32, n: u32) -> Weights {
        let shift = self.shift(channel);
        let rng = &mut *self.rng;
        let (spec, vector, format) = (self.spec, self.vector, self.format);
        let make = || {
            let mut bits = Vec::new();
            let values = match &format {
                None => {
                    let values: Vec<i64> = (0..vector).map(|_| signed(rng, 8)).collect();
                    values.iter().for_each(|&weight| push(&mut bits, 8, weight));
                    values
                }
                Some(format) => (0..vector / u32::from(format.w))
                    .flat_map(|_| block(rng, format, common::low(spec, shift.into()), None, &mut bits))
                    .collect(),
            };
            let byte = |b: &[bool]| b.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit));
            (bits.chunks(8).map(byte).collect(), values)
        };
        self.weights.entry((channel, n)).or_insert_with(make).clone()
    }
}

/// The outputs of part `at` among `pes` of a block that begins at `start`.
fn part(start: u32, pes: u16, held: u16, extent: u32, at: u32) -> Range<u32> {
    let end = extent.min(start + u32::from(pes) * u32::from(held));
    let share = (end - start).div_ceil(pes.into());
    (start + at * share).min(end)..(start + (at + 1) * share).min(end)
}

/// The outputs of a PE in the block that begins at `start`, and its part of the channels; `None` if it has none.
fn parts(layer: &Layer, pe: u32, start: [u32; 3]) -> Option<([Range<u32>; 3], u32)> {
    let mut rest = pe;
    let mut digit = |of: u16| {
        let digit = rest % u32::from(of);
        rest /= u32::from(of);
        digit
    };
    let number = digit(layer.joined);
    let [x, y, c] = [2, 1, 0].map(|axis: usize| digit(layer.pes[axis]));
    let at =
        |axis: usize, at: u32| part(start[axis], layer.pes[axis], layer.held[axis], layer.outputs[axis], at);
    (rest == 0).then(|| ([at(0, c), at(1, y), at(2, x)], number))
}

/// Where each block begins.
fn blocks(layer: &Layer) -> Vec<[u32; 3]> {
    let starts = |axis: usize| {
        let size = u32::from(layer.pes[axis]) * u32::from(layer.held[axis]);
        (0..layer.outputs[axis]).step_by(size as usize)
    };
    let mut blocks: Vec<[u32; 3]> =
        starts(0).flat_map(|c| starts(1).flat_map(move |y| starts(2).map(move |x| [c, y, x]))).collect();
    if layer.stationary == Stationary::Input {
        blocks.sort_by_key(|[c, y, x]| [*y, *x, *c]);
    }
    blocks
}

/// The vectors of a PE in a block, and the sum of each output.
fn vectors(
    operands: &mut Operands,
    layer: &Layer,
    pe: u32,
    [channels, rows, columns]: &[Range<u32>; 3],
    number: u32,
) -> (Vec<Vector>, BTreeMap<[u32; 3], i32>) {
    let mut order: Vec<[u32; 3]> = Vec::new();
    for c in channels.clone() {
        for y in rows.clone() {
            order.extend(columns.clone().map(|x| [c, y, x]));
        }
    }
    let numbers: BTreeMap<[u32; 3], u16> = order.iter().copied().zip(0..).collect();
    if layer.stationary == Stationary::Input {
        order.sort_by_key(|[c, y, x]| [*y, *x, *c]);
    }
    let taps = u32::from(layer.kernel[0]) * u32::from(layer.kernel[1]);
    let each = layer.channels.div_ceil(operands.vector);
    let own = |tap: u32| (number..each).step_by(layer.joined.into()).map(move |n| tap * each + n);
    let own: Vec<u32> = (0..taps).flat_map(own).collect();
    let (mut list, mut sums) = (Vec::new(), BTreeMap::new());
    for (i, &n) in own.iter().enumerate() {
        for &output in &order {
            let start = if number == 0 && i == 0 { operands.rng.random() } else { 0 };
            let sum = sums.entry(output).or_insert(start);
            let before = *sum;
            let acts = operands.acts([output[1], output[2]], n);
            let (word, values) = operands.weights(output[0], n);
            let less: Vec<i64> = acts.iter().map(|&a| i64::from(a) + 7).collect();
            *sum = accumulate(before, &less, &values);
            list.push(Vector {
                pe: pe as u16,
                first: i == 0,
                last: i + 1 == own.len(),
                accumulator: numbers[&output],
                output,
                code_shift: operands.shift(output[0]),
                acts,
                word,
                before,
                after: *sum,
            });
        }
    }
    (list, sums)
}

/// Random vectors of all PEs of a column, as `docs/pe-trace.md` orders them.
fn trace(rng: &mut TestRng, spec: &Spec, layer: &Layer, plain: bool) -> Traced {
    let header = header(spec, layer, plain);
    let format = (!plain && spec.packed()).then_some(spec.format);
    let (acts, weights, shifts) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut operands = Operands { rng, spec, format, vector: header.vector, acts, weights, shifts };
    let mut traced = Traced { section: Section { header, vectors: Vec::new() }, sums: Vec::new() };
    let joined = u32::from(layer.joined);
    for start in blocks(layer) {
        // Of each output of the largest part, the sums of the trees.
        let mut trees_of: BTreeMap<[u32; 3], Vec<u32>> = BTreeMap::new();
        for pe in 0..spec.rows {
            let Some((parts, number)) = parts(layer, pe, start) else { continue };
            let (list, sums) = vectors(&mut operands, layer, pe, &parts, number);
            traced.section.vectors.extend(list);
            for (output, sum) in sums {
                let [c, y, x] = [0, 1, 2].map(|axis| output[axis] - parts[axis].start);
                let local = if layer.stationary == Stationary::Input { [y, x, c] } else { [c, y, x] };
                let trees = trees_of.entry(local).or_insert_with(|| vec![0; (spec.rows / joined) as usize]);
                let tree = &mut trees[(pe / joined) as usize];
                *tree = tree.wrapping_add(sum as u32);
            }
        }
        traced.sums.extend(trees_of.into_values());
    }
    traced
}

/// Runs a column, and compares the sums of all its trees.
fn check(spec: &Spec, traced: &[Traced]) {
    spec.check().unwrap();
    let top = units::top(spec);
    let sections: Vec<Section> = traced.iter().map(|t| t.section.clone()).collect();
    let stimulus = stimulus(spec, &top, &sections).unwrap_or_else(|error| panic!("{spec}: {error}"));
    let mut design = Evaluator::new(&top);
    let mut sums = traced.iter().flat_map(|t| &t.sums);
    for (cycle, now) in stimulus.cycles.iter().enumerate() {
        design.apply(&stimulus, now);
        design.settle();
        assert_eq!(design.get("ready", 0) == 1, now.expect.is_some(), "{spec}, cycle {cycle}");
        if let Some(expected) = now.expect {
            let sums = sums.next().unwrap();
            assert_eq!(expected, sums[0], "{spec}, cycle {cycle}");
            assert_eq!(design.get("acc_out", 0) as u32, sums[0], "{spec}, cycle {cycle}");
            let rest = design.words("acc_rest", 0);
            let number = |i: usize| (rest[i / 2] >> (32 * (i % 2))) as u32;
            for (tree, sum) in sums.iter().enumerate().skip(1) {
                assert_eq!(number(tree - 1), *sum, "{spec}, cycle {cycle}, tree {tree}");
            }
            for none in sums.len()..spec.rows as usize {
                assert_eq!(number(none - 1), 0, "{spec}, cycle {cycle}, tree {none}");
            }
        }
        design.clock();
    }
    assert_eq!(sums.next(), None, "{spec}: every output is compared");
}

fn spec(kind: PeKind, format: Format, rows: u32) -> Spec {
    let machine = Machine { pe_kind: kind, rows, ..Machine::flexnn_16x16() };
    Spec { level: Level::Column, if_bytes: 64, fl_bytes: 64, accumulators: 16, ..Spec::of(&machine, format) }
}

/// Schedules of `rows` PEs that join `joined`: spread over channels, rows or columns, outputs that do not fill the last
/// blocks or parts, PEs of a tree with fewer vectors or none, PEs without outputs.
fn layers(rows: u16, joined: u16, vector: u32) -> Vec<Layer> {
    let trees = rows / joined;
    let layer = Layer {
        joined,
        pes: [1, 1, trees],
        held: [2, 1, 3],
        outputs: [3, 2, 3 * u32::from(trees) + 2],
        channels: vector * u32::from(joined) + 1,
        kernel: [1, 1],
        stationary: Stationary::Output,
    };
    vec![
        layer,
        Layer { pes: [trees, 1, 1], outputs: [u32::from(trees) * 2, 1, 4], kernel: [2, 1], ..layer },
        Layer { pes: [1, trees, 1], stationary: Stationary::Input, channels: vector, ..layer },
        Layer { pes: [1, 1, trees.div_ceil(2)], stationary: Stationary::Weight, kernel: [1, 2], ..layer },
    ]
}

fn designs(rows: u32) -> Vec<Spec> {
    let mip2q = Method::Mip2q { l: 7, zero: false };
    let dliq = Method::Dliq { q: 4, shift: DliqShift::PerChannel };
    let mut list = vec![spec(PeKind::Dense, Format::DENSE, rows)];
    for kind in [PeKind::StrumDynamic, PeKind::StrumStatic] {
        for (w, method) in [(16, mip2q), (4, mip2q), (8, dliq), (16, Method::Sparse)] {
            list.push(spec(kind, Format { w, low: w / 2, method }, rows));
        }
    }
    list
}

#[test]
fn adder_trees_of_every_depth_add_what_was_traced() {
    let mut rng = random();
    for spec in designs(4) {
        for joined in [1, 2, 4] {
            for plain in [false, true] {
                let layers = layers(4, joined, spec.vector());
                let traced: Vec<Traced> =
                    layers.iter().map(|layer| trace(&mut rng, &spec, layer, plain)).collect();
                check(&spec, &traced);
            }
        }
    }
}

#[test]
fn the_depth_changes_from_layer_to_layer() {
    let mut rng = random();
    for structure in [Structure::Plain, Structure::Pipelined] {
        for (rows, tree_pes) in [(16, 16), (8, 4), (2, 2)] {
            let spec = Spec { structure, tree_pes, ..spec(PeKind::Dense, Format::DENSE, rows) };
            let joined = [16, 1, 8, 2, 4, 16, 1].into_iter().filter(|&joined| u32::from(joined) <= tree_pes);
            let traced: Vec<Traced> = joined
                .map(|joined| trace(&mut rng, &spec, &layers(rows as u16, joined, 8)[0], true))
                .collect();
            check(&spec, &traced);
        }
    }
}

#[test]
fn verilator_computes_the_same() {
    let format = Format { w: 8, low: 4, method: Method::Mip2q { l: 7, zero: false } };
    // Small register files and few PEs compile faster.
    let spec = Spec { if_bytes: 16, fl_bytes: 16, accumulators: 8, ..spec(PeKind::StrumStatic, format, 2) };
    let mut rng = random();
    let layers = [1, 2].map(|joined| layers(2, joined, spec.vector())[0]);
    let sections = layers.map(|layer| trace(&mut rng, &spec, &layer, false).section);
    let top = units::top(&spec);
    let stimulus = stimulus(&spec, &top, &sections).unwrap();
    let outcomes = verilator::run_all(&[(top, stimulus)], None).unwrap();
    assert!(outcomes.len() == 1 && outcomes[0].passed > 10 && outcomes[0].failed == 0, "{outcomes:?}");
}

/// A trace in its stored form with at most `limit` vectors of a PE.
fn stored(section: &Section, limit: u64) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    let header = Header { limit, ..section.header.clone() };
    writer.begin(&header).unwrap();
    let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
    let mut cut = false;
    for vector in &section.vectors {
        let count = counts.entry(vector.pe).or_default();
        *count += 1;
        if *count <= limit {
            writer.vector(vector).unwrap();
        } else {
            cut = true;
        }
    }
    writer.end(cut).unwrap();
    writer.finish().unwrap()
}

#[test]
fn what_a_limit_leaves_incomplete_is_not_compared() {
    let mut rng = random();
    let spec = spec(PeKind::Dense, Format::DENSE, 4);
    for layer in layers(4, 2, 8) {
        let whole = trace(&mut rng, &spec, &layer, true);
        for limit in [1, 2, 5, 7, 12, 1000] {
            let read = |limit: u64, of: &Section| {
                let all = column_sections(stored(of, u64::MAX).as_slice(), &spec, 0, limit as usize).unwrap();
                let cut = column_sections(stored(of, limit).as_slice(), &spec, 0, usize::MAX).unwrap();
                assert_eq!(all[0].vectors, cut[0].vectors, "limit {limit}");
                all
            };
            let [section] = read(limit, &whole.section).try_into().unwrap();
            let drained = stimulus(&spec, &units::top(&spec), std::slice::from_ref(&section)).unwrap();
            let count = drained.cycles.iter().filter(|cycle| cycle.expect.is_some()).count();
            assert!(limit < 1000 || count == whole.sums.len(), "{count} of {}", whole.sums.len());
            let sums = whole.sums[..count].to_vec();
            check(&spec, &[Traced { section, sums }]);
        }
    }
}

#[test]
fn traces_that_are_no_column_are_refused() {
    let mut rng = random();
    let spec = spec(PeKind::Dense, Format::DENSE, 4);
    let traced = trace(&mut rng, &spec, &layers(4, 4, 8)[0], true);
    let read = |spec: &Spec, first: u16| {
        column_sections(stored(&traced.section, 9).as_slice(), spec, first, 9).map(|_| ()).unwrap_err()
    };
    let text = |error: DriveError| error.to_string();
    assert_eq!(text(read(&spec, 6)), "PE 6 does not begin a column of 4 PEs: --pe takes a multiple of 4");
    assert_eq!(
        text(read(&Spec { rows: 8, ..spec.clone() }, 0)),
        "the trace lacks PE 4 of the column: dpu-sim --trace-pes 0-7 traces all of its PEs"
    );
    let drive = |spec: &Spec, section: &Section| {
        let top = units::top(spec);
        text(stimulus(spec, &top, std::slice::from_ref(section)).unwrap_err())
    };
    assert_eq!(
        drive(&Spec { tree_pes: 2, ..spec.clone() }, &traced.section),
        "layer 'random' has adder trees of 4 PEs, those of the column join at most 2"
    );
    let mut section = traced.section;
    section.vectors.swap(0, 1);
    assert_eq!(
        drive(&spec, &section),
        "vector 1, of PE 0, is not where the schedule of layer 'random' has it"
    );
    section.vectors[0].output[0] = 1000;
    assert_eq!(
        drive(&spec, &section),
        "vector 0, of PE 0, is not where the schedule of layer 'random' has it"
    );
}

#[test]
fn columns_that_trees_do_not_divide_are_refused() {
    let dense = spec(PeKind::Dense, Format::DENSE, 4);
    for (rows, tree_pes) in [(12, 8), (1, 1), (3, 3)] {
        let error = Spec { rows, tree_pes, ..dense.clone() }.check().unwrap_err().to_string();
        let expected = format!(
            "a column of {rows} PEs has no adder trees of {tree_pes} (rows and adder_tree_max of the machine): \
             trees join 2, 4, 8 or 16 PEs, and rows is a multiple of that"
        );
        assert_eq!(error, expected);
        assert_eq!(Spec { level: Level::Pe, rows, tree_pes, ..dense.clone() }.check(), Ok(()));
    }
}
