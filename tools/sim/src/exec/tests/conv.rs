//! Convolutions of random formats, strides, dilations, paddings, zero points and layouts against plain loops.

use dpu_isa::{ConvInv, ConvVar, Dtype, Machine, Method, Round, WeightEntry};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRng;

use super::packed::{code_shift, format, random_set};
use super::{Noise, apply_scale, clamp, element, noise, scale};
use crate::error::TrapKind;
use crate::exec::{Core, Semantics as _};
use crate::testing::{get, kernels, put, run_task, sram_filled};

const ACT: usize = 0;
const WEIGHTS: usize = 8 << 10;
const TABLE: usize = 60 << 10;
const LUT: usize = 64 << 10;
const OUT: usize = 66 << 10;
pub(super) const PSUM: usize = 88 << 10;

/// A tile, with everything a naive computation needs.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) inv: ConvInv,
    pub(super) var: ConvVar,
    pub(super) entries: Vec<WeightEntry>,
    pub(super) packed: Vec<u8>,
    /// Weights less zero point: `[oc][ky][kx][ic]`, or `[ky][kx][oc]` for depthwise.
    pub(super) weights: Vec<i32>,
    low: u64,
    pub(super) act: Vec<u8>,
    pub(super) psum: Vec<i32>,
    lut: Vec<u8>,
}

prop_compose! {
    fn layer()(
        out_dtype in select(&[Dtype::I8, Dtype::I8, Dtype::I16, Dtype::I32, Dtype::U8, Dtype::U16]),
    )(
        inv in format(),
        out_dtype in Just(out_dtype),
        (clamp_lo, clamp_hi) in clamp(out_dtype),
        (depthwise, scale, lut) in any::<(bool, bool, bool)>(),
        (stride_y, stride_x) in (1..=3u16, 1..=3u16),
        (dilation_y, dilation_x) in (1..=3u16, 1..=3u16),
        in_zp in select(&[0, -128, 127, 255, 5]),
        round in select(&[Round::Double, Round::Single]),
        out_zp in select(&[0, -128, 127, 1000, i32::MAX]),
    ) -> ConvInv {
        ConvInv {
            depthwise,
            stride_y,
            stride_x,
            dilation_y,
            dilation_x,
            in_zp,
            scale,
            round,
            out_dtype,
            out_zp,
            clamp_lo,
            clamp_hi,
            lut: out_dtype == Dtype::I8 && lut,
            lut_addr: LUT as u32,
            ..inv
        }
    }
}

/// Input, origin, taps and outputs along an axis.
fn axis(taps: u16) -> impl Strategy<Value = (u32, i32, u16, u32)> {
    (1..=6u32, -4..=3, 1..=taps, 1..=4u32)
}

prop_compose! {
    fn tile(inv: ConvInv)(
        in_c in prop_oneof![1 => 17..=70u32, 7 => 1..=9u32],
    )(
        in_c in Just(in_c),
        out_c in match inv.depthwise {
            true => (1..=3u32).prop_map(move |multiplier| multiplier * in_c).boxed(),
            // Whole and partial panels of every kernel.
            false if in_c < 10 => prop_oneof![1 => 7..=110u32, 7 => 1..=6u32].boxed(),
            false => (1..=6u32).boxed(),
        },
        (in_h, origin_y, kernel_h, out_h) in axis(3),
        (in_w, origin_x, kernel_w, out_w) in axis(4),
        gaps in prop::array::uniform4(select(&[0, 0, 3, 16])),
        (acc_in, acc_out) in any::<(bool, bool)>(),
    ) -> ConvVar {
        let size = inv.out_dtype.bytes() as u32;
        let (act_pixel, out_pixel) = (in_c + gaps[0], (out_c + gaps[1]) * size);
        ConvVar {
            act: ACT as u32,
            in_h,
            in_w,
            in_c,
            act_row: act_pixel * in_w + gaps[2],
            act_pixel,
            origin_y,
            origin_x,
            kernel_h,
            kernel_w,
            weights: WEIGHTS as u32,
            table: TABLE as u32,
            out: OUT as u32,
            out_h,
            out_w,
            out_c,
            out_row: out_pixel * out_w + gaps[3] * size,
            out_pixel,
            acc_in,
            acc_out,
            psum: PSUM as u32,
            ..ConvVar::default()
        }
    }
}

/// The table entries of a channel: multiplier and shift, bias, shift of low codes.
type Channel = ((i32, u8), i32, Index);

pub(super) fn case() -> impl Strategy<Value = Case> {
    let channel = (scale(), select(&[0, 1000, -1000, 1 << 30, i32::MAX, i32::MIN]), any::<Index>());
    // Channels repeat with a period that is not a lane count of any kernel.
    let channels = vec(channel, 17);
    let layers = layer().prop_flat_map(|inv| (Just(inv), tile(inv)));
    (layers, channels, [noise(), noise(), noise()]).prop_perturb(
        |((inv, var), channels, [act, psum, lut]), mut rng| {
            let mut case = Case {
                inv,
                var,
                entries: Vec::new(),
                packed: Vec::new(),
                weights: Vec::new(),
                low: 0,
                act: act.bytes((var.act_row * var.in_h) as usize),
                psum: sums(psum, (var.out_h * var.out_w * var.out_c) as usize),
                lut: lut.bytes(256),
            };
            case.pack(&channels, &mut rng);
            case
        },
    )
}

fn sums(noise: Noise, n: usize) -> Vec<i32> {
    noise.bytes(4 * n).chunks_exact(4).map(|sum| element(sum, 0, Dtype::I32)).collect()
}

impl Case {
    /// Draws the weights.
    fn pack(&mut self, channels: &[Channel], rng: &mut TestRng) {
        let (inv, var) = (&self.inv, &self.var);
        let (sets, depth) = if inv.depthwise { (1, var.out_c) } else { (var.out_c, var.in_c) };
        let taps = usize::from(var.kernel_h) * usize::from(var.kernel_w);
        for (oc, &((multiplier, shift), bias, any)) in (0..var.out_c).zip(channels.iter().cycle()) {
            let code_shift = code_shift(inv, if inv.depthwise { channels[0].2 } else { any });
            let mut weight_offset = 0;
            if oc < sets {
                let set = random_set(rng, inv, taps, depth as usize, code_shift);
                weight_offset = self.packed.len() as u32;
                self.packed.extend(set.bytes);
                self.low += set.low;
                self.weights.extend(set.values.iter().map(|v| v - i32::from(inv.wt_zp)));
            }
            self.entries.push(WeightEntry { weight_offset, multiplier, shift, code_shift, bias });
        }
    }

    /// A core that holds the operands.
    pub(super) fn core(&self) -> Core {
        let mut core = sram_filled(&[]);
        put(&mut core, ACT, &self.act);
        put(&mut core, WEIGHTS, &self.packed);
        put(&mut core, LUT, &self.lut);
        for (oc, entry) in self.entries.iter().enumerate() {
            put(&mut core, TABLE + 16 * oc, &entry.encode());
        }
        core
    }

    /// The accumulator of one output.
    pub(super) fn acc(&self, oy: i64, ox: i64, oc: i64) -> i32 {
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

    /// Products whose activation equals the zero point, one by one.
    fn zero_products(&self) -> u64 {
        let (inv, var) = (&self.inv, &self.var);
        let at = |origin: i32, o: u32, stride: u16, k: u16, dilation: u16| {
            i64::from(origin) + i64::from(o) * i64::from(stride) + i64::from(k) * i64::from(dilation)
        };
        let mut zeros = 0;
        for (oy, ox) in (0..var.out_h).flat_map(|y| (0..var.out_w).map(move |x| (y, x))) {
            for (ky, kx) in (0..var.kernel_h).flat_map(|y| (0..var.kernel_w).map(move |x| (y, x))) {
                let iy = at(var.origin_y, oy, inv.stride_y, ky, inv.dilation_y);
                let ix = at(var.origin_x, ox, inv.stride_x, kx, inv.dilation_x);
                let inside = (0..i64::from(var.in_h)).contains(&iy) && (0..i64::from(var.in_w)).contains(&ix);
                for oc in 0..var.out_c {
                    let sources = if inv.depthwise {
                        let c = oc / (var.out_c / var.in_c);
                        c..c + 1
                    } else {
                        0..var.in_c
                    };
                    for c in sources {
                        let at = iy * i64::from(var.act_row) + ix * i64::from(var.act_pixel) + i64::from(c);
                        let zero = !inside || i16::from(self.act[at as usize].cast_signed()) == inv.in_zp;
                        zeros += u64::from(zero);
                    }
                }
            }
        }
        zeros
    }

    /// The stored value of an accumulator.
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn random_tiles_agree_with_plain_loops(case in case(), threads in 2..=4usize) {
        let mut core = case.core();
        let pixels = u64::from(case.var.out_h * case.var.out_w);
        core.slots.fill(&case.inv.into());
        let machine = Machine::flexnn_16x16();
        prop_assert_eq!(case.var.zero_products(&machine, &core).unwrap(), case.zero_products());
        // Where zeros are skipped, no such product is taken.
        let skipping = Machine { zero_skip: 1, ..machine };
        if dpu_cost::skips_zeros(&case.inv, &skipping) {
            prop_assert_eq!(case.var.zero_products(&skipping, &core).unwrap(), 0);
        }
        for (kernel, threads) in kernels().into_iter().flat_map(|k| [(k, 1), (k, threads)]) {
            core.set_kernel(kernel, threads);
            // What the tile leaves is in the way of the next kernel.
            put(&mut core, PSUM, &case.psum.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
            put(&mut core, OUT, &[0x55; 20 << 10]);
            run_task(&case.inv, &mut core).unwrap();
            let low = run_task(&case.var, &mut core)
                .unwrap_or_else(|fault| panic!("{fault:?} of {:?} {:?}", case.inv, case.var));
            prop_assert_eq!(low, case.low * pixels);
            case.check(&core);
        }
    }
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
