//! Convolutions of random formats, strides, dilations, paddings, zero points and layouts against plain loops.

use arbtest::arbitrary::{Result, Unstructured};
use dpu_isa::{ConvInv, ConvVar, Dtype, Method, Round, WeightEntry};

use super::packed::{random_format, random_set};
use super::{apply_scale, element, random_bytes, random_clamp, random_scale};
use crate::error::TrapKind;
use crate::exec::Core;
use crate::testing::{get, kernels, put, run_task, sram_filled};

const ACT: usize = 0;
const WEIGHTS: usize = 8 << 10;
const TABLE: usize = 60 << 10;
const LUT: usize = 64 << 10;
const OUT: usize = 66 << 10;
const PSUM: usize = 88 << 10;

/// A random tile, with everything a naive computation needs.
struct Case {
    inv: ConvInv,
    var: ConvVar,
    entries: Vec<WeightEntry>,
    /// Weights less zero point: `[oc][ky][kx][ic]`, or `[ky][kx][oc]` for depthwise.
    weights: Vec<i32>,
    low: u64,
    act: Vec<u8>,
    psum: Vec<i32>,
    lut: Vec<u8>,
}

fn random_layer(u: &mut Unstructured<'_>) -> Result<ConvInv> {
    let out_dtype = *u.choose(&[Dtype::I8, Dtype::I8, Dtype::I16, Dtype::I32, Dtype::U8, Dtype::U16])?;
    let (clamp_lo, clamp_hi) = random_clamp(u, out_dtype)?;
    Ok(ConvInv {
        depthwise: u.arbitrary()?,
        stride_y: u.int_in_range(1..=3)?,
        stride_x: u.int_in_range(1..=3)?,
        dilation_y: u.int_in_range(1..=3)?,
        dilation_x: u.int_in_range(1..=3)?,
        in_zp: *u.choose(&[0, -128, 127, 255, 5])?,
        scale: u.arbitrary()?,
        round: if u.arbitrary()? { Round::Double } else { Round::Single },
        out_dtype,
        out_zp: *u.choose(&[0, -128, 127, 1000, i32::MAX])?,
        clamp_lo,
        clamp_hi,
        lut: out_dtype == Dtype::I8 && u.arbitrary()?,
        lut_addr: LUT as u32,
        ..random_format(u)?
    })
}

fn random_tile(u: &mut Unstructured<'_>, inv: &ConvInv) -> Result<ConvVar> {
    let in_c = if u.ratio(1, 8)? { u.int_in_range(17..=70)? } else { u.int_in_range(1..=9)? };
    let [in_h, in_w] = [u.int_in_range(1..=6)?, u.int_in_range(1..=6)?];
    let [out_h, out_w] = [u.int_in_range(1..=4)?, u.int_in_range(1..=4)?];
    let out_c = match (inv.depthwise, u.ratio(1, 8)?) {
        (true, _) => in_c * u.int_in_range(1..=3)?,
        // Whole and partial panels of every kernel.
        (false, true) if in_c < 10 => u.int_in_range(7..=110)?,
        (false, _) => u.int_in_range(1..=6)?,
    };
    let gap = |u: &mut Unstructured<'_>| Ok::<u32, arbtest::arbitrary::Error>(*u.choose(&[0, 0, 3, 16])?);
    let act_pixel = in_c + gap(u)?;
    let size = inv.out_dtype.bytes() as u32;
    let out_pixel = (out_c + gap(u)?) * size;
    Ok(ConvVar {
        act: ACT as u32,
        in_h,
        in_w,
        in_c,
        act_row: act_pixel * in_w + gap(u)?,
        act_pixel,
        origin_y: u.int_in_range(-4..=3)?,
        origin_x: u.int_in_range(-4..=3)?,
        kernel_h: u.int_in_range(1..=3)?,
        kernel_w: u.int_in_range(1..=4)?,
        weights: WEIGHTS as u32,
        table: TABLE as u32,
        out: OUT as u32,
        out_h,
        out_w,
        out_c,
        out_row: out_pixel * out_w + gap(u)? * size,
        out_pixel,
        acc_in: u.arbitrary()?,
        acc_out: u.arbitrary()?,
        psum: PSUM as u32,
        ..ConvVar::default()
    })
}

/// Fills the SRAM and keeps what went in.
fn random_case(u: &mut Unstructured<'_>) -> Result<(Case, Core)> {
    let inv = random_layer(u)?;
    let var = random_tile(u, &inv)?;
    let mut core = sram_filled(&[]);
    let act = random_bytes(u, (var.act_row * var.in_h) as usize)?;
    put(&mut core, ACT, &act);
    let (sets, channels) = if inv.depthwise { (1, var.out_c) } else { (var.out_c, var.in_c) };
    let taps = usize::from(var.kernel_h) * usize::from(var.kernel_w);
    let shift = |u: &mut Unstructured<'_>| u.int_in_range(0..=(inv.method.desc().max_code_shift)(inv.param));
    let common = shift(u)?;
    let (mut entries, mut weights, mut low, mut at) = (Vec::new(), Vec::new(), 0, 0);
    for oc in 0..var.out_c {
        let (multiplier, shift_right) = random_scale(u)?;
        let code_shift = if inv.depthwise { common } else { shift(u)? };
        let mut weight_offset = 0;
        if oc < sets {
            let (bytes, values, members) = random_set(u, &inv, taps, channels as usize, code_shift)?;
            put(&mut core, WEIGHTS + at, &bytes);
            weight_offset = at as u32;
            at += bytes.len();
            low += members;
            weights.extend(values.iter().map(|v| v - i32::from(inv.wt_zp)));
        }
        let bias = *u.choose(&[0, 1000, -1000, 1 << 30, i32::MAX, i32::MIN])?;
        let entry = WeightEntry { weight_offset, multiplier, shift: shift_right, code_shift, bias };
        put(&mut core, TABLE + 16 * oc as usize, &entry.encode());
        entries.push(entry);
    }
    let lut = random_bytes(u, 256)?;
    put(&mut core, LUT, &lut);
    let sums = (var.out_h * var.out_w * var.out_c) as usize;
    let psum = (0..sums).map(|_| u.arbitrary()).collect::<Result<Vec<i32>>>()?;
    put(&mut core, PSUM, &psum.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
    Ok((Case { inv, var, entries, weights, low, act, psum, lut }, core))
}

impl Case {
    /// The accumulator of one output.
    fn acc(&self, oy: i64, ox: i64, oc: i64) -> i32 {
        let (inv, var) = (&self.inv, &self.var);
        let [ic, channels] = [var.in_c, var.out_c].map(i64::from);
        let index = ((oy * i64::from(var.out_w) + ox) * channels + oc) as usize;
        let mut acc = if var.acc_in { i64::from(self.psum[index]) } else { 0 };
        for ky in 0..i64::from(var.kernel_h) {
            for kx in 0..i64::from(var.kernel_w) {
                let iy =
                    i64::from(var.origin_y) + oy * i64::from(inv.stride_y) + ky * i64::from(inv.dilation_y);
                let ix =
                    i64::from(var.origin_x) + ox * i64::from(inv.stride_x) + kx * i64::from(inv.dilation_x);
                if iy < 0 || ix < 0 || iy >= i64::from(var.in_h) || ix >= i64::from(var.in_w) {
                    continue;
                }
                let tap = ky * i64::from(var.kernel_w) + kx;
                let sources =
                    if inv.depthwise { oc / (channels / ic)..oc / (channels / ic) + 1 } else { 0..ic };
                for c in sources {
                    let at = iy * i64::from(var.act_row) + ix * i64::from(var.act_pixel) + c;
                    let x = i64::from(self.act[at as usize] as i8) - i64::from(inv.in_zp);
                    let taps = i64::from(var.kernel_h) * i64::from(var.kernel_w);
                    let w = if inv.depthwise { tap * channels + oc } else { (oc * taps + tap) * ic + c };
                    acc += x * i64::from(self.weights[w as usize]);
                }
            }
        }
        acc as i32
    }

    /// The stored value that an accumulator becomes.
    fn result(&self, acc: i32, oc: usize) -> i32 {
        let (inv, entry) = (&self.inv, &self.entries[oc]);
        let mut v = acc.wrapping_add(entry.bias);
        if inv.scale {
            v = apply_scale(v, entry.multiplier, entry.shift, inv.round == Round::Double);
        }
        v = v.wrapping_add(inv.out_zp).clamp(inv.clamp_lo, inv.clamp_hi);
        if inv.lut { i32::from(self.lut[(v + 128) as usize] as i8) } else { v }
    }

    fn check(&self, core: &Core) {
        let (var, size) = (&self.var, self.inv.out_dtype.bytes() as usize);
        for oy in 0..var.out_h {
            for ox in 0..var.out_w {
                for oc in 0..var.out_c {
                    let acc = self.acc(oy.into(), ox.into(), oc.into());
                    let out = (oy * var.out_row + ox * var.out_pixel) as usize + oc as usize * size;
                    let psum = 4 * ((oy * var.out_w + ox) * var.out_c + oc) as usize;
                    let (got, want) = if var.acc_out {
                        (element(get(core, PSUM, 16 << 10), psum, Dtype::I32), acc)
                    } else {
                        (
                            element(get(core, OUT, 20 << 10), out, self.inv.out_dtype),
                            self.result(acc, oc as usize),
                        )
                    };
                    assert_eq!(got, want, "output ({oy}, {ox}, {oc}) of {:?} {var:?}", self.inv);
                }
            }
        }
    }
}

#[test]
fn random_tiles_agree_with_plain_loops() {
    arbtest::arbtest(|u| {
        let (case, mut core) = random_case(u)?;
        let pixels = u64::from(case.var.out_h * case.var.out_w);
        let threads = u.int_in_range(2..=4)?;
        for (kernel, threads) in kernels().into_iter().flat_map(|k| [(k, 1), (k, threads)]) {
            core.set_kernel(kernel, threads);
            // What the tile leaves is in the way of the next kernel.
            put(&mut core, PSUM, &case.psum.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
            put(&mut core, OUT, &[0x55; 20 << 10]);
            run_task(&case.inv, &mut core).unwrap();
            let low = run_task(&case.var, &mut core)
                .unwrap_or_else(|fault| panic!("{fault:?} of {:?} {:?}", case.inv, case.var));
            assert_eq!(low, case.low * pixels);
            case.check(&core);
        }
        Ok(())
    })
    .size_max(40_000)
    .budget_ms(4_000);
}

#[test]
fn a_hand_computed_pixel() {
    // Activations 1, 2, -3 less zero point 1: 0, 1, -4. Weights 5, -6, 7: 0 - 6 - 28 = -34; bias 4: -30.
    let mut core = sram_filled(&[1, 2, 0xfd]);
    put(&mut core, 16, &[5, 0xfa, 7]);
    let entry = WeightEntry { multiplier: 1 << 30, shift: 31, bias: 4, ..WeightEntry::default() };
    put(&mut core, 32, &entry.encode());
    let inv =
        ConvInv { in_zp: 1, scale: true, out_zp: 100, clamp_lo: -128, clamp_hi: 127, ..ConvInv::default() };
    let var =
        ConvVar { in_c: 3, act_pixel: 3, act_row: 3, weights: 16, table: 32, out: 64, ..ConvVar::default() };
    run_task(&inv, &mut core).unwrap();
    assert_eq!(run_task(&var, &mut core).unwrap(), 0);
    // -30 / 2 + 100.
    assert_eq!(get(&core, 64, 1), [85]);
}

#[test]
fn padding_adds_nothing_whatever_the_zero_point() {
    let mut core = sram_filled(&[10]);
    put(&mut core, 16, &[1; 9]);
    put(&mut core, 32, &WeightEntry::default().encode());
    let inv = ConvInv {
        in_zp: -128,
        out_dtype: Dtype::I32,
        clamp_lo: i32::MIN,
        clamp_hi: i32::MAX,
        ..ConvInv::default()
    };
    let var = ConvVar {
        origin_y: -1,
        origin_x: -1,
        kernel_h: 3,
        kernel_w: 3,
        act_pixel: 1,
        act_row: 1,
        weights: 16,
        table: 32,
        out: 64,
        ..ConvVar::default()
    };
    run_task(&inv, &mut core).unwrap();
    run_task(&var, &mut core).unwrap();
    assert_eq!(element(get(&core, 64, 4), 0, Dtype::I32), 138);
}

#[test]
fn whatever_a_variant_cannot_do_is_refused() {
    let inv = ConvInv { clamp_lo: -128, clamp_hi: 127, ..ConvInv::default() };
    let var = ConvVar { act: 64, weights: 16, table: 32, out: 80, ..ConvVar::default() };
    let try_out = |inv: ConvInv, var: ConvVar, entry: [u8; 16]| {
        let mut core = sram_filled(&[]);
        put(&mut core, 32, &entry);
        run_task(&inv, &mut core).unwrap();
        run_task(&var, &mut core).map_err(|fault| (fault.kind, fault.detail))
    };
    let good = WeightEntry::default().encode();
    assert_eq!(try_out(inv, var, good), Ok(0));
    let operand = |result: std::result::Result<u64, (TrapKind, String)>, text: &str| {
        let (kind, detail) = result.unwrap_err();
        assert_eq!(kind, TrapKind::IllegalOperand);
        assert!(detail.contains(text), "{detail}");
    };
    operand(try_out(inv, ConvVar { slot: 3, ..var }, good), "slot 3 of tile 0 is empty");
    operand(try_out(ConvInv { sched_oc: 300, ..inv }, var, good), "needs 300 PEs of 256");
    operand(try_out(ConvInv { sched_ic: 3, ..inv }, var, good), "sched_ic = 3");
    operand(try_out(inv, var, [0xff; 16]), "weight table entry of output channel 0");
    operand(try_out(inv, var, [16, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]), "beyond 0x0");
    let depthwise = ConvInv { depthwise: true, ..inv };
    operand(try_out(depthwise, ConvVar { in_c: 2, out_c: 3, ..var }, good), "is not a multiple");
    operand(try_out(ConvInv { clamp_hi: 128, ..inv }, var, good), "clamp -128..=128");
    let wide = ConvInv { out_dtype: Dtype::I16, lut: true, ..inv };
    operand(try_out(wide, var, good), "a lookup table needs i8");
    let far = try_out(inv, ConvVar { act: 1 << 20, ..var }, good).unwrap_err();
    assert_eq!(far.0, TrapKind::OutOfBounds);
    assert!(far.1.contains("'act' at sram 0x100000..0x100001, which has 0x20000 bytes"), "{}", far.1);
    let huge = ConvVar { in_c: u32::MAX, kernel_h: 8192, kernel_w: 8192, ..var };
    operand(try_out(inv, huge, good), "sets of 288230376084602880 weights");
}

#[test]
fn illegal_weights_name_channel_and_block() {
    let mut core = sram_filled(&[]);
    put(&mut core, 32, &WeightEntry::default().encode());
    // A mask of four ones where two are expected.
    put(&mut core, 16, &[0x0f]);
    let inv = ConvInv {
        method: Method::Sparse,
        block: 4,
        low: 2,
        clamp_lo: -128,
        clamp_hi: 127,
        ..ConvInv::default()
    };
    run_task(&inv, &mut core).unwrap();
    let var = ConvVar { act: 64, in_c: 4, weights: 16, table: 32, out: 80, ..ConvVar::default() };
    let fault = run_task(&var, &mut core).unwrap_err();
    assert_eq!(fault.kind, TrapKind::IllegalWeights);
    assert_eq!(
        fault.detail,
        "output channel 0: block 0 of 1 at tap 0: mask 0xf has 4 high members, expected 2"
    );
}
