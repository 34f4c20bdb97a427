//! Designs, operands and traces that several tests use.

#![allow(dead_code, reason = "each test uses some of them")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use dpu_isa::{Machine, PeKind};
use dpu_rtl::drive::Section;
use dpu_rtl::spec::{Level, Multiplier, Spec, Structure};
use dpu_trace::{Conv, Header, Source, Tile, Vector};
use proptest::prelude::RngExt;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use strum_formats::{DliqShift, Format, Method};
use strum_ref::lane::{Low, accumulate};

/// Formats of every method, share and block that the generator builds for eight lanes.
pub(crate) fn formats() -> Vec<Format> {
    let mip2q = |l, zero| Method::Mip2q { l, zero };
    let dliq = |q| Method::Dliq { q, shift: DliqShift::PerChannel };
    let mut list = Vec::new();
    for w in [4, 8, 16, 32] {
        for quarter in [1, 2, 3] {
            list.push(Format { w, low: w / 4 * quarter, method: mip2q(7, false) });
        }
    }
    for l in 0..7 {
        list.push(Format { w: 16, low: 8, method: mip2q(l, false) });
        if !matches!(l, 0 | 1 | 3) {
            list.push(Format { w: 16, low: 8, method: mip2q(l, true) });
        }
    }
    for q in 1..=8 {
        list.push(Format { w: 16, low: 8, method: dliq(q) });
    }
    list.push(Format { w: 8, low: 6, method: dliq(3) });
    list.push(Format { w: 16, low: 8, method: Method::Sparse });
    list.push(Format { w: 4, low: 1, method: Method::Sparse });
    list
}

/// Every design of this level and structure, without variants of register files.
pub(crate) fn specs(level: Level) -> Vec<Spec> {
    let mut list = Vec::new();
    for structure in [Structure::Plain, Structure::Merged, Structure::Pipelined] {
        for multiplier in [Multiplier::Booth, Multiplier::Array] {
            for kind in [PeKind::Dense, PeKind::StrumDynamic, PeKind::StrumStatic] {
                let formats = if kind == PeKind::Dense { vec![Format::DENSE] } else { formats() };
                for format in formats {
                    let machine = Machine { pe_kind: kind, ..Machine::flexnn_16x16() };
                    list.push(Spec { level, structure, multiplier, ..Spec::of(&machine, format) });
                }
            }
        }
    }
    list
}

/// How the reference reads the low codes of a design, with this shift.
pub(crate) fn low(spec: &Spec, shift: u32) -> Low {
    match spec.format.method {
        Method::Mip2q { l, zero } => Low::Power { greatest: l.into(), zero },
        Method::Dliq { q, .. } => Low::Integer { bits: q.into(), shift },
        _ => Low::Zero,
    }
}

/// Random numbers that are the same in every run.
pub(crate) fn random() -> TestRng {
    TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha))
        .rng()
        .clone()
}

/// A number of `bits` bits, often at the ends of its range.
pub(crate) fn signed(rng: &mut TestRng, bits: u32) -> i64 {
    let (min, max) = (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1);
    match rng.random_range(0..8) {
        0 => min,
        1 => max,
        2 => 0,
        _ => rng.random_range(min..=max),
    }
}

/// Appends `width` bits of `value`, least significant first.
pub(crate) fn push(bits: &mut Vec<bool>, width: u32, value: i64) {
    bits.extend((0..width).map(|i| value >> i & 1 == 1));
}

/// A block of random weights in its stored form, and the weights; `mask` or a random one.
pub(crate) fn block(
    rng: &mut TestRng,
    format: &Format,
    reading: Low,
    mask: Option<u32>,
    bits: &mut Vec<bool>,
) -> Vec<i64> {
    let (w, low) = (u32::from(format.w), u32::from(format.low));
    let mask = mask.unwrap_or_else(|| {
        let mut mask = 0u32;
        while mask.count_ones() < w - low {
            mask |= 1 << rng.random_range(0..w);
        }
        mask
    });
    let (mut high, mut codes) = (Vec::new(), Vec::new());
    let weights: Vec<i64> = (0..w)
        .map(|i| {
            if mask >> i & 1 == 1 {
                high.push(signed(rng, 8));
                return high[high.len() - 1];
            }
            loop {
                let code = rng.random_range(0..1u32 << reading.bits());
                if let Some(value) = reading.value(code) {
                    codes.push(i64::from(code));
                    return value;
                }
            }
        })
        .collect();
    push(bits, w, mask.into());
    high.iter().for_each(|&code| push(bits, 8, code));
    codes.iter().for_each(|&code| push(bits, reading.bits(), code));
    weights
}

/// What a random trace is of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traced {
    /// Plain INT8 weights instead of the design's format.
    pub(crate) plain: bool,
    pub(crate) zero_point: i16,
    /// Output channels and positions that the PE accumulates at a time.
    pub(crate) block: [u16; 2],
    /// Vectors of an output.
    pub(crate) depth: u32,
}

/// The header of a random section; plain weights without a format.
fn header(spec: &Spec, zero_point: i16, format: Option<Format>) -> Header {
    let machine = Machine {
        pe_kind: spec.kind,
        lanes: spec.lanes,
        if_rf_bytes: spec.if_bytes,
        fl_rf_bytes: spec.fl_bytes,
        ..Machine::flexnn_16x16()
    };
    let fields = format.unwrap_or(Format::DENSE).instr_fields();
    let conv = Conv {
        method: dpu_isa::Method::from_name(format.map_or("dense", |f| f.method.kind().name())).unwrap(),
        block: fields.block,
        low: fields.low,
        param: fields.param,
        zero: fields.zero,
        in_zp: zero_point,
        ..Conv::default()
    };
    Header {
        layer: "random".into(),
        source: Source::default(),
        tile: Tile::default(),
        vector: conv.vector(spec.lanes),
        word_bytes: conv.word_bytes(spec.lanes),
        pes: vec![0],
        limit: u64::MAX,
        act_zero: None,
        manifest: dpu_isa::Manifest::default(),
        machine,
        conv,
    }
}

/// An activation that fits the operand registers of a design.
fn activation(rng: &mut TestRng, spec: &Spec, zero_point: i16) -> i16 {
    let half = 1i64 << (spec.activation_bits - 1);
    loop {
        let act = signed(rng, 8) as i16;
        if (-half..half).contains(&i64::from(act - zero_point)) {
            return act;
        }
    }
}

/// Random weights of a vector, and their stored form.
fn stored(
    rng: &mut TestRng,
    format: Option<&Format>,
    reading: Low,
    vector: u32,
    masks: &mut Vec<u32>,
) -> (Vec<i64>, Vec<u8>) {
    let mut bits = Vec::new();
    let weights: Vec<i64> = match format {
        None => (0..vector).map(|_| signed(rng, 8)).inspect(|&weight| push(&mut bits, 8, weight)).collect(),
        Some(format) => (0..vector / u32::from(format.w))
            .flat_map(|_| block(rng, format, reading, masks.pop(), &mut bits))
            .collect(),
    };
    let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit));
    (weights, bits.chunks(8).map(byte).collect())
}

/// A section of random vectors that fit a design, in the order of `docs/timing.md`. `masks` are used first.
pub(crate) fn section(rng: &mut TestRng, spec: &Spec, traced: Traced, mut masks: Vec<u32>) -> Section {
    let format = (!traced.plain && spec.packed()).then_some(spec.format);
    let header = header(spec, traced.zero_point, format);
    let [channels, positions] = traced.block;
    let mut sums = vec![rng.random::<i32>(); usize::from(channels) * usize::from(positions)];
    let mut vectors = Vec::new();
    for depth in 0..traced.depth {
        let acts: Vec<Vec<i16>> = (0..positions)
            .map(|_| (0..header.vector).map(|_| activation(rng, spec, traced.zero_point)).collect())
            .collect();
        for channel in 0..channels {
            let shift = if spec.max_shift() > 0 { rng.random_range(0..=spec.max_shift()) as u8 } else { 0 };
            let shift = if format.is_some() { shift } else { 0 };
            let reading = low(spec, shift.into());
            let (weights, word) = stored(rng, format.as_ref(), reading, header.vector, &mut masks);
            for position in 0..positions {
                let accumulator = channel * positions + position;
                let acts = &acts[usize::from(position)];
                let less: Vec<i64> = acts.iter().map(|&a| i64::from(a - traced.zero_point)).collect();
                let sum = &mut sums[usize::from(accumulator)];
                let before = *sum;
                *sum = accumulate(before, &less, &weights);
                vectors.push(Vector {
                    pe: 0,
                    first: depth == 0,
                    last: depth + 1 == traced.depth,
                    accumulator,
                    output: [channel.into(), 0, position.into()],
                    code_shift: shift,
                    acts: acts.clone(),
                    word: word.clone(),
                    before,
                    after: *sum,
                });
            }
        }
    }
    Section { header, vectors }
}
