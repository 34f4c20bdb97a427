//! The vector engine: every operator on random strided arrays against plain loops.

use arbtest::arbitrary::{Result, Unstructured};
use dpu_isa::{
    BinaryOp, Dtype, Instr, ReduceOp, RescaleEntry, Round, UnaryOp, VecBinary, VecReduce, VecRescale,
    VecTable, VecUnary,
};

use super::{apply_scale, element, random_bytes, random_clamp, random_scale};
use crate::error::TrapKind;
use crate::exec::{Core, Semantics};
use crate::testing::{get, kernels, put, run_task, sram_filled};

const B: u32 = 24 << 10;
const OUT: u32 = 48 << 10;
const LUT: u32 = 112 << 10;
const PARAMS: u32 = 113 << 10;

fn random_dims(u: &mut Unstructured<'_>) -> Result<[u32; 6]> {
    let mut dims = [1; 6];
    for dim in &mut dims {
        *dim = *u.choose(&[1, 1, 2, 3])?;
    }
    dims[5] = u.int_in_range(1..=20)?;
    Ok(dims)
}

/// Strides of an operand: contiguous, broadcast somewhere, or arbitrary.
fn random_strides(u: &mut Unstructured<'_>, dims: &[u32; 6], dtype: Dtype) -> Result<[u32; 6]> {
    let mut strides = contiguous(dims, dtype);
    for stride in &mut strides {
        if u.ratio(1, 4)? {
            *stride = dtype.bytes() as u32 * u.int_in_range(0..=9)?;
        }
    }
    Ok(strides)
}

/// Row-major strides.
fn contiguous(dims: &[u32; 6], dtype: Dtype) -> [u32; 6] {
    std::array::from_fn(|d| dims[d + 1..].iter().product::<u32>() * dtype.bytes() as u32)
}

/// Every index in row-major order.
fn indices(dims: &[u32; 6]) -> Vec<[u32; 6]> {
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

fn at(base: u32, index: &[u32; 6], strides: &[u32; 6]) -> usize {
    (base + index.iter().zip(strides).map(|(i, s)| i * s).sum::<u32>()) as usize
}

/// A core full of random bytes, and a copy of its SRAM.
fn random_core(u: &mut Unstructured<'_>) -> Result<(Core, Vec<u8>)> {
    let bytes = random_bytes(u, 128 << 10)?;
    Ok((sram_filled(&bytes), bytes))
}

fn random_dtype(u: &mut Unstructured<'_>) -> Result<Dtype> {
    u.choose(Dtype::ALL).copied()
}

/// Runs the task and compares every result with `want(index)`, where it is not empty.
fn check(
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

fn binary(op: BinaryOp, shift: u8, x: i32, y: i32) -> i32 {
    let s = (y as u32 % 32) as i32;
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
    }
}

#[test]
fn binary_operators() {
    arbtest::arbtest(|u| {
        let (mut core, sram) = random_core(u)?;
        let dims = random_dims(u)?;
        // Bytes side by side have loops of their own.
        let bytes = u.arbitrary()?;
        let [a_dtype, b_dtype, out_dtype] = match bytes {
            true => [Dtype::I8; 3],
            false => [random_dtype(u)?, random_dtype(u)?, random_dtype(u)?],
        };
        let op = *u.choose(BinaryOp::ALL)?;
        let round = |u: &mut Unstructured<'_>| u.choose(&[Round::Single, Round::Double]).copied();
        let (clamp_lo, clamp_hi) = random_clamp(u, out_dtype)?;
        let ((a_mult, a_shift), (b_mult, b_shift), (mult, shift)) =
            (random_scale(u)?, random_scale(u)?, random_scale(u)?);
        let x = VecBinary {
            op,
            mul_shift: if op == BinaryOp::Mul && !u.ratio(1, 3)? { u.int_in_range(0..=63)? } else { 0 },
            dims,
            a_dtype,
            a_strides: if bytes && !u.ratio(1, 3)? {
                contiguous(&dims, a_dtype)
            } else {
                random_strides(u, &dims, a_dtype)?
            },
            a_zp: *u.choose(&[0, -128, 7, i32::MIN])?,
            a_scale: u.arbitrary()?,
            a_mult,
            a_shift,
            a_round: round(u)?,
            b: B,
            b_dtype,
            b_strides: if bytes && !u.ratio(1, 3)? {
                contiguous(&dims, b_dtype)
            } else {
                random_strides(u, &dims, b_dtype)?
            },
            b_zp: *u.choose(&[0, -128, 7, i32::MAX])?,
            b_scale: u.arbitrary()?,
            b_mult,
            b_shift,
            b_round: round(u)?,
            out: OUT,
            out_dtype,
            out_strides: contiguous(&dims, out_dtype),
            scale: u.arbitrary()?,
            mult,
            shift,
            round: round(u)?,
            out_zp: *u.choose(&[0, -128, i32::MAX])?,
            clamp: u.arbitrary()?,
            clamp_lo,
            clamp_hi,
            lut: out_dtype == Dtype::I8 && u.arbitrary()?,
            lut_addr: LUT,
            ..VecBinary::default()
        };
        let scaled = |on: bool, v: i32, mult, shift, round| {
            if on { apply_scale(v, mult, shift, round == Round::Double) } else { v }
        };
        check(&x, &mut core, &dims, (&x.out_strides, out_dtype), |index| {
            let a = element(&sram, at(0, index, &x.a_strides), a_dtype).wrapping_sub(x.a_zp);
            let b = element(&sram, at(B, index, &x.b_strides), b_dtype).wrapping_sub(x.b_zp);
            let a = scaled(x.a_scale, a, a_mult, a_shift, x.a_round);
            let b = scaled(x.b_scale, b, b_mult, b_shift, x.b_round);
            let v =
                scaled(x.scale, binary(op, x.mul_shift, a, b), mult, shift, x.round).wrapping_add(x.out_zp);
            let v = if x.clamp { v.clamp(clamp_lo, clamp_hi) } else { v };
            if x.lut {
                element(&sram, (LUT as i32 + wrap(v, Dtype::I8) + 128) as usize, Dtype::I8)
            } else {
                v
            }
        });
        Ok(())
    })
    .size_max(4_000)
    .budget_ms(1_000);
}

#[test]
fn unary_operators() {
    arbtest::arbtest(|u| {
        let (mut core, sram) = random_core(u)?;
        let dims = random_dims(u)?;
        let [src_dtype, out_dtype] = [random_dtype(u)?, random_dtype(u)?];
        let op = *u.choose(UnaryOp::ALL)?;
        let (clamp_lo, clamp_hi) = random_clamp(u, out_dtype)?;
        let x = VecUnary {
            op,
            dims,
            src_dtype,
            src_strides: random_strides(u, &dims, src_dtype)?,
            in_zp: *u.choose(&[0, -128, 7, i32::MIN])?,
            out: OUT,
            out_dtype,
            out_strides: contiguous(&dims, out_dtype),
            out_zp: *u.choose(&[0, -128, i32::MAX])?,
            clamp: u.arbitrary()?,
            clamp_lo,
            clamp_hi,
            ..VecUnary::default()
        };
        check(&x, &mut core, &dims, (&x.out_strides, out_dtype), |index| {
            let v = element(&sram, at(0, index, &x.src_strides), src_dtype).wrapping_sub(x.in_zp);
            let v = match op {
                UnaryOp::Copy => v,
                UnaryOp::Abs => i64::from(v).abs() as i32,
                UnaryOp::Negate => (-i64::from(v)) as i32,
                UnaryOp::Clz => (0..32).rev().take_while(|bit| (v as u32) >> bit == 0).count() as i32,
            };
            let v = v.wrapping_add(x.out_zp);
            if x.clamp { v.clamp(clamp_lo, clamp_hi) } else { v }
        });
        Ok(())
    })
    .size_max(2_000);
}

#[test]
fn rescales_per_tensor_and_per_channel() {
    arbtest::arbtest(|u| {
        let (mut core, sram) = random_core(u)?;
        let dims = random_dims(u)?;
        let [src_dtype, out_dtype] = [random_dtype(u)?, random_dtype(u)?];
        let (clamp_lo, clamp_hi) = random_clamp(u, out_dtype)?;
        let channels = dims[5];
        let scales = (0..channels).map(|_| random_scale(u)).collect::<Result<Vec<_>>>()?;
        for (channel, &(multiplier, shift)) in scales.iter().enumerate() {
            let entry = RescaleEntry { multiplier, shift: i32::from(shift) };
            put(&mut core, PARAMS as usize + 16 * channel, &entry.encode());
        }
        let x = VecRescale {
            dims,
            src_dtype,
            src_strides: random_strides(u, &dims, src_dtype)?,
            in_zp: *u.choose(&[0, -128, 7, 255])?,
            out: OUT,
            out_dtype,
            out_strides: contiguous(&dims, out_dtype),
            out_zp: *u.choose(&[0, -128, i32::MAX])?,
            per_channel: u.arbitrary()?,
            params: PARAMS,
            mult: scales[0].0,
            shift: scales[0].1,
            round: *u.choose(&[Round::Single, Round::Double])?,
            clamp_lo,
            clamp_hi,
            lut: out_dtype == Dtype::I8 && u.arbitrary()?,
            lut_addr: LUT,
            ..VecRescale::default()
        };
        check(&x, &mut core, &dims, (&x.out_strides, out_dtype), |index| {
            let v = element(&sram, at(0, index, &x.src_strides), src_dtype).wrapping_sub(x.in_zp);
            let (multiplier, shift) = scales[if x.per_channel { index[5] as usize } else { 0 }];
            let v = apply_scale(v, multiplier, shift, x.round == Round::Double).wrapping_add(x.out_zp);
            let v = v.clamp(clamp_lo, clamp_hi);
            if x.lut { element(&sram, (LUT as i32 + v + 128) as usize, Dtype::I8) } else { v }
        });
        Ok(())
    })
    .size_max(2_000);
}

#[test]
fn tables_of_both_widths() {
    arbtest::arbtest(|u| {
        let (mut core, sram) = random_core(u)?;
        let dims = random_dims(u)?;
        let src_dtype = *u.choose(&[Dtype::I8, Dtype::I16])?;
        let mut x = VecTable {
            dims,
            src_dtype,
            src_strides: random_strides(u, &dims, src_dtype)?,
            out: OUT,
            table: LUT,
            ..VecTable::default()
        };
        x.out_strides = contiguous(&dims, x.out_dtype());
        check(&x, &mut core, &dims, (&x.out_strides, x.out_dtype()), |index| {
            let v = element(&sram, at(0, index, &x.src_strides), src_dtype);
            if src_dtype == Dtype::I8 {
                return element(&sram, (LUT as i32 + v + 128) as usize, Dtype::I8);
            }
            let entry = |i: i32| element(&sram, LUT as usize + 2 * i as usize, Dtype::I16);
            let i = (v + 32768).div_euclid(128);
            entry(i) * 128 + (entry(i + 1) - entry(i)) * (v + 32768).rem_euclid(128)
        });
        Ok(())
    })
    .size_max(1_000);
}

#[test]
fn reductions() {
    arbtest::arbtest(|u| {
        let (mut core, sram) = random_core(u)?;
        let dims = random_dims(u)?;
        let [src_dtype, out_dtype] = [random_dtype(u)?, random_dtype(u)?];
        let axis = u.int_in_range(0..=5u8)?;
        let mut outer = dims;
        outer[usize::from(axis)] = 1;
        let mut out_strides = contiguous(&outer, out_dtype);
        out_strides[usize::from(axis)] = 0;
        let op = *u.choose(ReduceOp::ALL)?;
        let x = VecReduce {
            op,
            axis,
            dims,
            src_dtype,
            src_strides: random_strides(u, &dims, src_dtype)?,
            out: OUT,
            out_dtype,
            out_strides,
            accumulate: u.arbitrary()?,
            ..VecReduce::default()
        };
        check(&x, &mut core, &outer, (&out_strides, out_dtype), |index| {
            let before = element(&sram, at(OUT, index, &out_strides), out_dtype);
            let along = (0..dims[usize::from(axis)]).map(|i| {
                let mut index = *index;
                index[usize::from(axis)] = i;
                element(&sram, at(0, &index, &x.src_strides), src_dtype)
            });
            let all = x.accumulate.then_some(before).into_iter().chain(along);
            let combined = match op {
                ReduceOp::Sum => all.fold(None, |s: Option<i32>, v| Some(s.unwrap_or(0).wrapping_add(v))),
                ReduceOp::Max => all.max(),
                ReduceOp::Min => all.min(),
            };
            combined.unwrap()
        });
        Ok(())
    })
    .size_max(1_000);
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
    let refused = |task: &dyn Fn(&mut Core) -> std::result::Result<u64, crate::error::Fault>, text: &str| {
        let fault = task(&mut sram_filled(&[])).unwrap_err();
        assert_eq!(fault.kind, TrapKind::IllegalOperand);
        assert!(fault.detail.contains(text), "{}", fault.detail);
    };
    refused(&|c| run_task(&VecTable { src_dtype: Dtype::I32, ..VecTable::default() }, c), "lookup of i32");
    let axis = VecReduce { out_strides: [4, 0, 0, 0, 0, 0], ..VecReduce::default() };
    refused(&|c| run_task(&axis, c), "out_strides[0] = 4 along the reduced axis");
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
