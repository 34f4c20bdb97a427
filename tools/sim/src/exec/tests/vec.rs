//! The vector engine: every operator on random strided arrays against plain loops.

use dpu_isa::{
    BinaryOp, Dtype, Instr, ReduceOp, RescaleEntry, Round, UnaryOp, VecBinary, VecReduce, VecRescale,
    VecTable, VecUnary,
};
use proptest::array::{uniform5, uniform6};
use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Noise, apply_scale, clamp, element, noise, scale};
use crate::error::TrapKind;
use crate::exec::{Core, Semantics};
use crate::testing::{get, kernels, put, run_task, sram_filled};

pub(super) const B: u32 = 24 << 10;
pub(super) const OUT: u32 = 48 << 10;
const LUT: u32 = 112 << 10;
const PARAMS: u32 = 113 << 10;

pub(super) fn dims() -> impl Strategy<Value = [u32; 6]> {
    (uniform5(select(&[1, 1, 2, 3])), 1..=20u32).prop_map(|([a, b, c, d, e], f)| [a, b, c, d, e, f])
}

fn dtype() -> impl Strategy<Value = Dtype> {
    select(Dtype::ALL)
}

fn round() -> impl Strategy<Value = Round> {
    select(&[Round::Single, Round::Double])
}

/// An operand: its type, its memory layout, and its zero point.
#[derive(Clone, Copy, Debug)]
struct Operand {
    dtype: Dtype,
    /// For each axis whose stride is not that of contiguous memory, the stride in elements; 0 is a broadcast.
    steps: [Option<u32>; 6],
    zp: i32,
}

fn operand(types: &'static [Dtype]) -> impl Strategy<Value = Operand> {
    let steps = uniform6(prop::option::weighted(0.25, 0..=9u32));
    let zp = select(&[0, -128, 7, 255, i32::MIN, i32::MAX]);
    (select(types), steps, zp).prop_map(|(dtype, steps, zp)| Operand { dtype, steps, zp })
}

impl Operand {
    fn strides(&self, dims: &[u32; 6]) -> [u32; 6] {
        let plain = contiguous(dims, self.dtype);
        std::array::from_fn(|d| self.steps[d].map_or(plain[d], |n| n * self.dtype.bytes() as u32))
    }
}

/// Post-processing of a result.
#[derive(Clone, Copy, Debug)]
struct Output {
    dtype: Dtype,
    zp: i32,
    clamp: bool,
    range: (i32, i32),
    lut: bool,
}

prop_compose! {
    fn output()(dtype in dtype())(
        dtype in Just(dtype),
        zp in select(&[0, -128, i32::MAX]),
        range in clamp(dtype),
        (clamp, lut) in any::<(bool, bool)>(),
    ) -> Output {
        Output { dtype, zp, clamp, range, lut: lut && dtype == Dtype::I8 }
    }
}

/// A multiplier and shift that may be disabled, and the rounding.
#[derive(Clone, Copy, Debug)]
struct Scale {
    on: bool,
    mult: i32,
    shift: u8,
    round: Round,
}

fn scaling() -> impl Strategy<Value = Scale> {
    (any::<bool>(), scale(), round()).prop_map(|(on, (mult, shift), round)| Scale { on, mult, shift, round })
}

impl Scale {
    fn apply(&self, v: i32) -> i32 {
        if self.on { apply_scale(v, self.mult, self.shift, self.round == Round::Double) } else { v }
    }
}

/// Row-major strides.
pub(super) fn contiguous(dims: &[u32; 6], dtype: Dtype) -> [u32; 6] {
    std::array::from_fn(|d| dims[d + 1..].iter().product::<u32>() * dtype.bytes() as u32)
}

/// Every index in row-major order.
pub(super) fn indices(dims: &[u32; 6]) -> Vec<[u32; 6]> {
    let n: u32 = dims.iter().product();
    (0..n)
        .map(|i| {
            let mut rest = i;
            let mut index = [0; 6];
            for d in (0..6).rev() {
                index[d] = rest % dims[d];
                rest /= dims[d];
            }
            index
        })
        .collect()
}

pub(super) fn at(base: u32, index: &[u32; 6], strides: &[u32; 6]) -> usize {
    (base + index.iter().zip(strides).map(|(i, s)| i * s).sum::<u32>()) as usize
}

/// A core filled with noise, and a copy of its SRAM.
pub(super) fn core_of(noise: Noise) -> (Core, Vec<u8>) {
    let bytes = noise.bytes(128 << 10);
    (sram_filled(&bytes), bytes)
}

/// Runs the task and compares every result with `want(index)`, where it is not empty.
pub(super) fn check(
    task: &(impl Semantics + Copy + Into<Instr>),
    core: &mut Core,
    dims: &[u32; 6],
    (strides, dtype): (&[u32; 6], Dtype),
    want: impl Fn(&[u32; 6]) -> i32,
) {
    let before = get(core, 0, 128 << 10).to_vec();
    for kernel in kernels() {
        core.set_kernel(kernel, 1);
        put(core, 0, &before);
        run_task(task, core).unwrap();
        for index in indices(dims) {
            let got = element(get(core, 0, 128 << 10), at(OUT, &index, strides), dtype);
            assert_eq!(got, wrap(want(&index), dtype), "at {index:?} with {kernel:?}");
        }
    }
}

fn wrap(value: i32, dtype: Dtype) -> i32 {
    element(&value.to_le_bytes(), 0, dtype)
}

fn binary(op: BinaryOp, shift: u8, dtype: Dtype, x: i32, y: i32) -> i32 {
    let s = (y as u32 % 32) as i32;
    let bits = |f: &dyn Fn(bool, bool) -> bool| {
        let bit = |v: i32, i: u32| (i64::from(v).rem_euclid(1 << 32) / (1 << i)) % 2 == 1;
        (0..32).filter(|&i| f(bit(x, i), bit(y, i))).map(|i| 1u32 << i).sum::<u32>() as i32
    };
    let difference = i64::from(x) - i64::from(y);
    match op {
        BinaryOp::Add => (i64::from(x) + i64::from(y)) as i32,
        BinaryOp::Sub => (i64::from(x) - i64::from(y)) as i32,
        BinaryOp::Mul => {
            let half = if shift > 0 { 1i128 << (shift - 1) } else { 0 };
            ((i128::from(x) * i128::from(y) + half) >> shift) as i32
        }
        BinaryOp::Max => x.max(y),
        BinaryOp::Min => x.min(y),
        BinaryOp::Asr => (f64::from(x) / f64::from(1u32 << s)).floor() as i32,
        BinaryOp::AsrRound => {
            let down = (i64::from(x) >> s) as i32;
            if s > 0 && (i64::from(x) >> (s - 1)) & 1 == 1 { down + 1 } else { down }
        }
        BinaryOp::Lsl => (i64::from(x) << s) as i32,
        BinaryOp::Lsr => (i64::from(x).rem_euclid(1 << (8 * dtype.bytes())) / (1i64 << s)) as i32,
        BinaryOp::And => bits(&|a, b| a && b),
        BinaryOp::Or => bits(&|a, b| a || b),
        BinaryOp::Xor => bits(&|a, b| a != b),
        BinaryOp::Div => (i64::from(x) / i64::from(y)) as i32,
        BinaryOp::Equal => (difference == 0).into(),
        BinaryOp::Greater => (difference > 0).into(),
        BinaryOp::GreaterEqual => (difference >= 0).into(),
    }
}

prop_compose! {
    /// A binary operator with scales for both operands and for the result. Adjacent bytes have separate
    /// loops.
    fn binary_case()(bytes in any::<bool>())(
        // Not every division has a result: they have a test of their own.
        op in select(BinaryOp::ALL).prop_filter("total", |&op| op != BinaryOp::Div),
        mul_shift in prop_oneof![1 => Just(0), 2 => 0..=63u8],
        dims in dims(),
        (mut a, mut b, mut y) in (operand(Dtype::ALL), operand(Dtype::ALL), output()),
        scales in [scaling(), scaling(), scaling()],
        contiguous in [weighted(2.0 / 3.0), weighted(2.0 / 3.0)],
        bytes in Just(bytes),
        range in clamp(Dtype::I8),
    ) -> (VecBinary, [Scale; 3]) {
        if bytes {
            (a.dtype, b.dtype) = (Dtype::I8, Dtype::I8);
            y = Output { dtype: Dtype::I8, range, ..y };
        }
        for (operand, _) in [&mut a, &mut b].into_iter().zip(contiguous).filter(|(_, all)| bytes && *all) {
            operand.steps = [None; 6];
        }
        (binary_task(op, mul_shift, &dims, [&a, &b], &y, &scales), scales)
    }
}

fn binary_task(
    op: BinaryOp,
    mul_shift: u8,
    dims: &[u32; 6],
    [a, b]: [&Operand; 2],
    y: &Output,
    [a_scale, b_scale, scale]: &[Scale; 3],
) -> VecBinary {
    VecBinary {
        op,
        mul_shift: if op == BinaryOp::Mul { mul_shift } else { 0 },
        dims: *dims,
        a_dtype: a.dtype,
        a_strides: a.strides(dims),
        a_zp: a.zp,
        a_scale: a_scale.on,
        a_mult: a_scale.mult,
        a_shift: a_scale.shift,
        a_round: a_scale.round,
        b: B,
        b_dtype: b.dtype,
        b_strides: b.strides(dims),
        b_zp: b.zp,
        b_scale: b_scale.on,
        b_mult: b_scale.mult,
        b_shift: b_scale.shift,
        b_round: b_scale.round,
        out: OUT,
        out_dtype: y.dtype,
        out_strides: contiguous(dims, y.dtype),
        scale: scale.on,
        mult: scale.mult,
        shift: scale.shift,
        round: scale.round,
        out_zp: y.zp,
        clamp: y.clamp,
        clamp_lo: y.range.0,
        clamp_hi: y.range.1,
        lut: y.lut,
        lut_addr: LUT,
        ..VecBinary::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn binary_operators((x, [a_scale, b_scale, scale]) in binary_case(), noise in noise()) {
        let (mut core, sram) = core_of(noise);
        check(&x, &mut core, &x.dims, (&x.out_strides, x.out_dtype), |index| {
            let a = element(&sram, at(0, index, &x.a_strides), x.a_dtype).wrapping_sub(x.a_zp);
            let b = element(&sram, at(B, index, &x.b_strides), x.b_dtype).wrapping_sub(x.b_zp);
            let v = scale.apply(binary(x.op, x.mul_shift, x.a_dtype, a_scale.apply(a), b_scale.apply(b)));
            let v = v.wrapping_add(x.out_zp);
            let v = if x.clamp { v.clamp(x.clamp_lo, x.clamp_hi) } else { v };
            if x.lut {
                element(&sram, (LUT as i32 + wrap(v, Dtype::I8) + 128) as usize, Dtype::I8)
            } else {
                v
            }
        });
    }

    #[test]
    fn unary_operators(
        op in select(UnaryOp::ALL),
        dims in dims(),
        (src, y, noise) in (operand(Dtype::ALL), output(), noise()),
    ) {
        let (mut core, sram) = core_of(noise);
        let x = VecUnary {
            op,
            dims,
            src_dtype: src.dtype,
            src_strides: src.strides(&dims),
            in_zp: src.zp,
            out: OUT,
            out_dtype: y.dtype,
            out_strides: contiguous(&dims, y.dtype),
            out_zp: y.zp,
            clamp: y.clamp,
            clamp_lo: y.range.0,
            clamp_hi: y.range.1,
            ..VecUnary::default()
        };
        check(&x, &mut core, &dims, (&x.out_strides, y.dtype), |index| {
            let v = element(&sram, at(0, index, &x.src_strides), src.dtype).wrapping_sub(x.in_zp);
            let v = match op {
                UnaryOp::Copy => v,
                UnaryOp::Abs => i64::from(v).abs() as i32,
                UnaryOp::Negate => (-i64::from(v)) as i32,
                UnaryOp::Not => (-1 - i64::from(v)) as i32,
                UnaryOp::Nonzero => i64::from(v).abs().min(1) as i32,
                UnaryOp::Clz => (0..32).rev().take_while(|bit| (v as u32) >> bit == 0).count() as i32,
            };
            let v = v.wrapping_add(x.out_zp);
            if x.clamp { v.clamp(x.clamp_lo, x.clamp_hi) } else { v }
        });
    }

    #[test]
    fn divisions_round_towards_zero_or_trap(
        dims in dims(),
        (mut a, mut b, noise) in (operand(Dtype::ALL), operand(Dtype::ALL), noise()),
        zeros in any::<bool>(),
    ) {
        let (mut core, mut sram) = core_of(noise);
        if !zeros {
            // No byte is 0, so that no divisor is.
            sram.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = 1);
            put(&mut core, 0, &sram);
        }
        (a.zp, b.zp) = (0, 0);
        let y = Output { dtype: Dtype::I32, zp: 0, clamp: false, range: (0, 0), lut: false };
        let off = Scale { on: false, mult: 0, shift: 2, round: Round::Single };
        let x = binary_task(BinaryOp::Div, 0, &dims, [&a, &b], &y, &[off; 3]);
        let read = |index: &[u32; 6]| {
            let a = element(&sram, at(0, index, &x.a_strides), x.a_dtype);
            (a, element(&sram, at(B, index, &x.b_strides), x.b_dtype))
        };
        let undefined = |(a, b): (i32, i32)| b == 0 || i64::from(a) / i64::from(b) > i64::from(i32::MAX);
        if indices(&dims).iter().map(read).any(undefined) {
            let fault = run_task(&x, &mut core).unwrap_err();
            prop_assert_eq!(fault.kind, TrapKind::UndefinedValue);
            prop_assert!(fault.detail.ends_with("has no 32-bit quotient"), "{}", fault.detail);
        } else {
            check(&x, &mut core, &dims, (&x.out_strides, Dtype::I32), |index| {
                let (a, b) = read(index);
                (f64::from(a) / f64::from(b)).trunc() as i32
            });
        }
    }

    #[test]
    fn rescales_per_tensor_and_per_channel(
        dims in dims(),
        (src, y, noise) in (operand(Dtype::ALL), output(), noise()),
        scales in vec(scale(), 20),
        (per_channel, round) in (any::<bool>(), round()),
    ) {
        let (mut core, sram) = core_of(noise);
        for (channel, &(multiplier, shift)) in scales.iter().enumerate() {
            let entry = RescaleEntry { multiplier, shift: i32::from(shift) };
            put(&mut core, PARAMS as usize + 16 * channel, &entry.encode());
        }
        let x = VecRescale {
            dims,
            src_dtype: src.dtype,
            src_strides: src.strides(&dims),
            in_zp: src.zp,
            out: OUT,
            out_dtype: y.dtype,
            out_strides: contiguous(&dims, y.dtype),
            out_zp: y.zp,
            per_channel,
            params: PARAMS,
            mult: scales[0].0,
            shift: scales[0].1,
            round,
            clamp_lo: y.range.0,
            clamp_hi: y.range.1,
            lut: y.lut,
            lut_addr: LUT,
            ..VecRescale::default()
        };
        check(&x, &mut core, &dims, (&x.out_strides, y.dtype), |index| {
            let v = element(&sram, at(0, index, &x.src_strides), src.dtype).wrapping_sub(x.in_zp);
            let (multiplier, shift) = scales[if per_channel { index[5] as usize } else { 0 }];
            let v = apply_scale(v, multiplier, shift, round == Round::Double).wrapping_add(x.out_zp);
            let v = v.clamp(x.clamp_lo, x.clamp_hi);
            if x.lut { element(&sram, (LUT as i32 + v + 128) as usize, Dtype::I8) } else { v }
        });
    }

    #[test]
    fn tables_of_both_widths(
        dims in dims(),
        src in operand(&[Dtype::I8, Dtype::I16]),
        noise in noise(),
    ) {
        let (mut core, sram) = core_of(noise);
        let mut x = VecTable {
            dims,
            src_dtype: src.dtype,
            src_strides: src.strides(&dims),
            out: OUT,
            table: LUT,
            ..VecTable::default()
        };
        x.out_strides = contiguous(&dims, x.out_dtype());
        check(&x, &mut core, &dims, (&x.out_strides, x.out_dtype()), |index| {
            let v = element(&sram, at(0, index, &x.src_strides), src.dtype);
            if src.dtype == Dtype::I8 {
                return element(&sram, (LUT as i32 + v + 128) as usize, Dtype::I8);
            }
            let entry = |i: i32| element(&sram, LUT as usize + 2 * i as usize, Dtype::I16);
            let i = (v + 32768).div_euclid(128);
            entry(i) * 128 + (entry(i + 1) - entry(i)) * (v + 32768).rem_euclid(128)
        });
    }

    #[test]
    fn reductions(
        op in select(&[ReduceOp::Sum, ReduceOp::Max, ReduceOp::Min]),
        axis in 0..=5u8,
        dims in dims(),
        (src, out_dtype, accumulate) in (operand(Dtype::ALL), dtype(), any::<bool>()),
        noise in noise(),
    ) {
        let (mut core, sram) = core_of(noise);
        let along = usize::from(axis);
        let mut outer = dims;
        outer[along] = 1;
        let mut out_strides = contiguous(&outer, out_dtype);
        out_strides[along] = 0;
        let x = VecReduce {
            op,
            axis,
            dims,
            src_dtype: src.dtype,
            src_strides: src.strides(&dims),
            out: OUT,
            out_dtype,
            out_strides,
            accumulate,
            ..VecReduce::default()
        };
        check(&x, &mut core, &outer, (&out_strides, out_dtype), |index| {
            let before = element(&sram, at(OUT, index, &out_strides), out_dtype);
            let elements = (0..dims[along]).map(|i| {
                let mut index = *index;
                index[along] = i;
                element(&sram, at(0, &index, &x.src_strides), src.dtype)
            });
            let all = accumulate.then_some(before).into_iter().chain(elements);
            let combined = match op {
                ReduceOp::Sum => all.fold(None, |s: Option<i32>, v| Some(s.unwrap_or(0).wrapping_add(v))),
                ReduceOp::Max => all.max(),
                ReduceOp::Min => all.min(),
                ReduceOp::Argmax => None,
            };
            combined.unwrap()
        });
    }
}

#[test]
fn long_single_reductions_cross_row_buffers() {
    let mut core = sram_filled(&[1; 10_000]);
    let x = VecReduce {
        axis: 5,
        dims: [1, 1, 1, 1, 1, 10_000],
        src_strides: [0, 0, 0, 0, 0, 1],
        out: OUT,
        out_dtype: Dtype::I32,
        ..VecReduce::default()
    };
    run_task(&x, &mut core).unwrap();
    assert_eq!(element(get(&core, OUT as usize, 4), 0, Dtype::I32), 10_000);
}

#[test]
fn whatever_a_vector_cannot_do_is_refused() {
    let refused = |task: &dyn Fn(&mut Core) -> Result<u64, crate::error::Fault>, text: &str| {
        let fault = task(&mut sram_filled(&[])).unwrap_err();
        assert_eq!(fault.kind, TrapKind::IllegalOperand);
        assert!(fault.detail.contains(text), "{}", fault.detail);
    };
    refused(&|c| run_task(&VecTable { src_dtype: Dtype::I32, ..VecTable::default() }, c), "lookup of i32");
    let axis = VecReduce { out_strides: [4, 0, 0, 0, 0, 0], ..VecReduce::default() };
    refused(&|c| run_task(&axis, c), "out_strides[0] = 4 along the reduced axis");
    let argmax = VecReduce { op: ReduceOp::Argmax, ..VecReduce::default() };
    refused(&|c| run_task(&argmax, c), "argmax of i8 to i8");
    let argmax = VecReduce { out_dtype: Dtype::I32, accumulate: true, ..argmax };
    refused(&|c| run_task(&argmax, c), "argmax of i8 to i32, accumulated");
    let (div, words) = (BinaryOp::Div, Dtype::I32);
    let least =
        VecBinary { op: div, a_dtype: words, b_dtype: words, a: 0, b: 4, out: 8, ..VecBinary::default() };
    let mut core = sram_filled(&[]);
    put(&mut core, 0, &[0, 0, 0, 0x80, 0xff, 0xff, 0xff, 0xff]);
    let fault = run_task(&least, &mut core).unwrap_err();
    assert_eq!(fault.kind, TrapKind::UndefinedValue);
    assert_eq!(fault.detail, "-2147483648 / -1 has no 32-bit quotient");
    refused(
        &|c| run_task(&VecRescale { per_channel: true, ..VecRescale::default() }, c),
        "parameter of channel 0",
    );
    let clamp = VecUnary { clamp: true, clamp_lo: 1, clamp_hi: 0, ..VecUnary::default() };
    refused(&|c| run_task(&clamp, c), "clamp 1..=0");
    let lut = VecBinary { lut: true, out_dtype: Dtype::I16, ..VecBinary::default() };
    refused(&|c| run_task(&lut, c), "a lookup table needs i8");
    let far = VecUnary { src: 1 << 30, ..VecUnary::default() };
    assert_eq!(run_task(&far, &mut sram_filled(&[])).unwrap_err().kind, TrapKind::OutOfBounds);
}
