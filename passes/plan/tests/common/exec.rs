//! A naive implementation of the instructions that the window planners use.

use dpu_isa::{ConvInv, ConvVar, DmaCopy, Dtype, Instr, Method, PoolInv, PoolMode, PoolVar, Round};
use strum_formats::{Format, InstrFields, decode_table};
use strum_plan::{BufferId, Task};

use super::Memory;

pub(crate) fn execute(memory: &mut Memory, slots: &mut [Option<Task>], task: &Task) {
    let buf = |name: &str| task.buffer(name).unwrap_or_else(|| panic!("no buffer for {name}"));
    match &task.instr {
        Instr::DmaCopy(x) => copy(memory, x, buf("src"), buf("dst")),
        Instr::DmaFill(x) => {
            each(&x.dims, |i| {
                let at = x.dst.offset + dot(&i, &x.dst_strides);
                for b in 0..x.element {
                    memory.write(buf("dst"), at + u64::from(b), x.value.to_le_bytes()[b as usize]);
                }
            });
        }
        Instr::VecUnary(x) => {
            assert!(x.op == dpu_isa::UnaryOp::Copy && (x.in_zp, x.out_zp, x.clamp) == (0, 0, false));
            each(&x.dims, |i| {
                let src = u64::from(x.src) + dot(&i, &x.src_strides.map(u64::from));
                let out = u64::from(x.out) + dot(&i, &x.out_strides.map(u64::from));
                let value = memory.load(buf("src"), src, x.src_dtype);
                memory.store(buf("out"), out, x.out_dtype, value);
            });
        }
        Instr::ConvInv(x) => slots[x.slot as usize] = Some(task.clone()),
        Instr::PoolInv(x) => slots[x.slot as usize] = Some(task.clone()),
        Instr::ConvVar(x) => {
            let Some(inv @ Task { instr: Instr::ConvInv(i), .. }) = slots[x.slot as usize].clone() else {
                panic!("no invariant in slot {}", x.slot)
            };
            conv(memory, &i, inv.buffer("lut_addr"), x, task);
        }
        Instr::PoolVar(x) => {
            let Some(Task { instr: Instr::PoolInv(i), .. }) = slots[x.slot as usize].clone() else {
                panic!("no invariant in slot {}", x.slot)
            };
            pool(memory, &i, x, task);
        }
        other => panic!("{} is not expected here", other.desc().mnemonic),
    }
}

fn each(dims: &[u32; 6], mut f: impl FnMut([u64; 6])) {
    let total: u64 = dims.iter().map(|&d| u64::from(d)).product();
    for n in 0..total {
        let mut rest = n;
        let mut i = [0; 6];
        for k in (0..6).rev() {
            i[k] = rest % u64::from(dims[k]);
            rest /= u64::from(dims[k]);
        }
        f(i);
    }
}

fn dot(i: &[u64; 6], strides: &[u64; 6]) -> u64 {
    i.iter().zip(strides).map(|(a, b)| a * b).sum()
}

fn copy(memory: &mut Memory, x: &DmaCopy, src: BufferId, dst: BufferId) {
    each(&x.dims, |i| {
        let (from, to) = (x.src.offset + dot(&i, &x.src_strides), x.dst.offset + dot(&i, &x.dst_strides));
        for b in 0..u64::from(x.element) {
            let value = memory.read(src, from + b);
            memory.write(dst, to + b, value);
        }
    });
}

/// TOSA 1.0 apply_scale_32.
pub(crate) fn apply_scale(value: i32, mult: i32, shift: u8, round: Round) -> i32 {
    assert!(mult >= 0 && (2..=62).contains(&shift));
    let mut r = 1i64 << (shift - 1);
    if round == Round::Double && shift > 31 {
        r += if value >= 0 { 1 << 30 } else { -(1 << 30) };
    }
    ((i64::from(value) * i64::from(mult) + r) >> shift) as i32
}

struct Entry {
    offset: u64,
    multiplier: i32,
    shift: u8,
    code_shift: u8,
    bias: i32,
}

fn entry(memory: &Memory, table: BufferId, at: u64) -> Entry {
    let word = |o: u64| memory.load(table, at + o, Dtype::I32);
    assert_eq!(memory.load(table, at + 10, Dtype::I16), 0);
    Entry {
        offset: word(0) as u32 as u64,
        multiplier: word(4),
        shift: memory.read(table, at + 8),
        code_shift: memory.read(table, at + 9),
        bias: word(12),
    }
}

/// The format of a layer, for the channels whose code shift is `shift`.
fn format(inv: &ConvInv, shift: u8) -> Format {
    let ConvInv { method, block, low, param, zero, .. } = *inv;
    let fields = InstrFields { method: method as usize, block, low, param, zero };
    Format::from_instr_fields(fields, shift).expect("a method that packers know")
}

fn bits(memory: &Memory, buffer: BufferId, at: u64, from: u64, count: u64) -> u32 {
    (0..count)
        .map(|i| {
            let bit = from + i;
            u32::from(memory.read(buffer, at + bit / 8) >> (bit % 8) & 1) << i
        })
        .sum()
}

/// Decodes a weight set of `taps` times `channels` weights.
fn decode(
    memory: &Memory,
    inv: &ConvInv,
    buffer: BufferId,
    at: u64,
    taps: u64,
    channels: u64,
    shift: u8,
) -> Vec<i32> {
    if inv.method == Method::Dense {
        return (0..taps * channels).map(|i| memory.load(buffer, at + i, Dtype::I8)).collect();
    }
    let format = format(inv, shift);
    let (w, low, q) = (u64::from(inv.block), u64::from(inv.low), u64::from(format.low_bits()));
    let values = decode_table(&format.method, shift);
    let stored = low > 0 && (low < w || q == 0);
    let mask_bits = if stored { w } else { 0 };
    let block_bits = mask_bits + 8 * (w - low) + q * low;
    let mut out = vec![0; (taps * channels) as usize];
    for tap in 0..taps {
        for block in 0..channels.div_ceil(w) {
            let base = (tap * channels.div_ceil(w) + block) * block_bits;
            let (mut high_at, mut low_at) = (base + mask_bits, base + mask_bits + 8 * (w - low));
            for i in 0..w {
                let high = if stored { bits(memory, buffer, at, base + i, 1) == 1 } else { low == 0 };
                let value = if high {
                    high_at += 8;
                    bits(memory, buffer, at, high_at - 8, 8) as u8 as i8 as i32
                } else {
                    low_at += q;
                    let code = bits(memory, buffer, at, low_at - q, q);
                    values[code as usize].expect("no reserved code").into()
                };
                let channel = block * w + i;
                if channel < channels {
                    out[(tap * channels + channel) as usize] = value;
                }
            }
        }
    }
    out
}

/// The operands of a convolution variant.
struct Conv<'a> {
    inv: &'a ConvInv,
    var: &'a ConvVar,
    /// Activations minus their zero point, `[in_h][in_w][in_c]`.
    acts: Vec<i32>,
    entries: Vec<Entry>,
    /// The weights of each output channel `[ky][kx][ic]`, or of all of them `[ky][kx][oc]` (depthwise).
    sets: Vec<Vec<i32>>,
}

fn conv(memory: &mut Memory, inv: &ConvInv, lut: Option<BufferId>, x: &ConvVar, task: &Task) {
    let buf = |name: &str| task.buffer(name).unwrap_or_else(|| panic!("no buffer for {name}"));
    let schedule = [inv.sched_oc, inv.sched_oy, inv.sched_ox, inv.sched_ic].map(u64::from);
    assert!(schedule.iter().product::<u64>() <= 256 && inv.sched_ic.is_power_of_two());
    let c = prepare(memory, inv, x, [buf("act"), buf("weights"), buf("table")]);
    let (width, channels) = (u64::from(x.out_w), u64::from(x.out_c));
    for oy in 0..u64::from(x.out_h) {
        for ox in 0..width {
            for oc in 0..channels {
                let at_psum = u64::from(x.psum) + 4 * ((oy * width + ox) * channels + oc);
                let before = if x.acc_in { memory.load(buf("psum"), at_psum, Dtype::I32) } else { 0 };
                let acc = before.wrapping_add(sum(&c, oy, ox, oc));
                if x.acc_out {
                    memory.store(buf("psum"), at_psum, Dtype::I32, acc);
                    continue;
                }
                let v = finish(memory, inv, lut, &c.entries[oc as usize], acc);
                let at = u64::from(x.out)
                    + oy * u64::from(x.out_row)
                    + ox * u64::from(x.out_pixel)
                    + oc * inv.out_dtype.bytes();
                memory.store(buf("out"), at, inv.out_dtype, v);
            }
        }
    }
}

fn prepare<'a>(
    memory: &Memory,
    inv: &'a ConvInv,
    x: &'a ConvVar,
    [act, weights, table]: [BufferId; 3],
) -> Conv<'a> {
    let taps = u64::from(x.kernel_h) * u64::from(x.kernel_w);
    let (in_c, out_c) = (u64::from(x.in_c), u64::from(x.out_c));
    let entries: Vec<Entry> =
        (0..out_c).map(|oc| entry(memory, table, u64::from(x.table) + 16 * oc)).collect();
    let set = |e: &Entry, channels: u64| {
        assert_eq!(e.offset % 16, 0);
        decode(memory, inv, weights, u64::from(x.weights) + e.offset, taps, channels, e.code_shift)
    };
    let sets = if inv.depthwise {
        assert!(out_c % in_c == 0);
        assert!(entries.iter().all(|e| e.code_shift == entries[0].code_shift && e.offset == 0));
        vec![set(&entries[0], out_c)]
    } else {
        entries.iter().map(|e| set(e, in_c)).collect()
    };
    let mut acts = Vec::new();
    for iy in 0..u64::from(x.in_h) {
        for ix in 0..u64::from(x.in_w) {
            let pixel = u64::from(x.act) + iy * u64::from(x.act_row) + ix * u64::from(x.act_pixel);
            acts.extend((0..in_c).map(|c| memory.load(act, pixel + c, Dtype::I8) - i32::from(inv.in_zp)));
        }
    }
    Conv { inv, var: x, acts, entries, sets }
}

/// The products of one output.
fn sum(c: &Conv<'_>, oy: u64, ox: u64, oc: u64) -> i32 {
    let (inv, x) = (c.inv, c.var);
    let (in_c, out_c) = (u64::from(x.in_c), u64::from(x.out_c));
    let mut acc = 0i32;
    let at = |origin: i32, o: u64, stride: u16, k: u16, dilation: u16, size: u32| {
        let i = i64::from(origin) + (o * u64::from(stride) + u64::from(k) * u64::from(dilation)) as i64;
        (0..i64::from(size)).contains(&i).then_some(i as u64)
    };
    for ky in 0..x.kernel_h {
        let Some(iy) = at(x.origin_y, oy, inv.stride_y, ky, inv.dilation_y, x.in_h) else { continue };
        for kx in 0..x.kernel_w {
            let Some(ix) = at(x.origin_x, ox, inv.stride_x, kx, inv.dilation_x, x.in_w) else { continue };
            let tap = u64::from(ky) * u64::from(x.kernel_w) + u64::from(kx);
            let pixel = (iy * u64::from(x.in_w) + ix) * in_c;
            let mut add = |a: u64, w: i32| {
                acc = acc.wrapping_add(c.acts[a as usize].wrapping_mul(w - i32::from(inv.wt_zp)));
            };
            if inv.depthwise {
                add(pixel + oc / (out_c / in_c), c.sets[0][(tap * out_c + oc) as usize]);
            } else {
                (0..in_c).for_each(|ic| add(pixel + ic, c.sets[oc as usize][(tap * in_c + ic) as usize]));
            }
        }
    }
    acc
}

/// Post-processing of one accumulator.
fn finish(memory: &Memory, inv: &ConvInv, lut: Option<BufferId>, e: &Entry, acc: i32) -> i32 {
    let mut v = acc.wrapping_add(e.bias);
    if inv.scale {
        v = apply_scale(v, e.multiplier, e.shift, inv.round);
    }
    v = v.wrapping_add(inv.out_zp).clamp(inv.clamp_lo, inv.clamp_hi);
    if inv.lut {
        let at = u64::from(inv.lut_addr) + (v + 128) as u64;
        v = memory.load(lut.expect("a table"), at, Dtype::I8);
    }
    v
}

/// TOSA 1.0 reciprocal_scale.
pub(crate) fn reciprocal_scale(count: u32) -> (i32, u8) {
    assert!(count > 0);
    let k = 32 - (count - 1).leading_zeros();
    let numerator = ((1u64 << 30) + 1) << k;
    ((numerator / u64::from(count)) as i32, (30 + k) as u8)
}

fn pool(memory: &mut Memory, inv: &PoolInv, x: &PoolVar, task: &Task) {
    let buf = |name: &str| task.buffer(name).unwrap_or_else(|| panic!("no buffer for {name}"));
    let size = inv.dtype.bytes();
    for oy in 0..u64::from(x.out_h) {
        for ox in 0..u64::from(x.out_w) {
            for c in 0..u64::from(x.in_c) {
                let at_psum =
                    u64::from(x.psum) + 4 * ((oy * u64::from(x.out_w) + ox) * u64::from(x.in_c) + c);
                let mut best = x.acc_in.then(|| memory.load(buf("psum"), at_psum, Dtype::I32));
                let mut sum = best.unwrap_or(0);
                for ky in 0..u64::from(x.kernel_h) {
                    for kx in 0..u64::from(x.kernel_w) {
                        let iy = i64::from(x.origin_y) + (oy * u64::from(inv.stride_y) + ky) as i64;
                        let ix = i64::from(x.origin_x) + (ox * u64::from(inv.stride_x) + kx) as i64;
                        if iy < 0 || ix < 0 || iy >= i64::from(x.in_h) || ix >= i64::from(x.in_w) {
                            continue;
                        }
                        let at = u64::from(x.act)
                            + iy as u64 * u64::from(x.act_row)
                            + ix as u64 * u64::from(x.act_pixel)
                            + c * size;
                        let v = memory.load(buf("act"), at, inv.dtype);
                        best = Some(best.map_or(v, |b| b.max(v)));
                        sum = sum.wrapping_add(v - inv.in_zp);
                    }
                }
                let acc = match inv.mode {
                    PoolMode::Max => best.expect("a window without a value"),
                    PoolMode::Avg => sum,
                };
                if x.acc_out {
                    memory.store(buf("psum"), at_psum, Dtype::I32, acc);
                    continue;
                }
                let v = match inv.mode {
                    PoolMode::Max => acc,
                    PoolMode::Avg => {
                        let inside = |start: i32, o: u64, stride: u16, win: u16, bound: u32| {
                            let first = i64::from(start) + (o * u64::from(stride)) as i64;
                            (0..i64::from(win))
                                .filter(|k| (0..i64::from(bound)).contains(&(first + k)))
                                .count()
                        };
                        let count = inside(x.win_y, oy, inv.stride_y, x.win_h, x.bound_h)
                            * inside(x.win_x, ox, inv.stride_x, x.win_w, x.bound_w);
                        let (m, s) = reciprocal_scale(count as u32);
                        apply_scale(acc, m, s, Round::Single).wrapping_add(inv.out_zp)
                    }
                };
                let at =
                    u64::from(x.out) + oy * u64::from(x.out_row) + ox * u64::from(x.out_pixel) + c * size;
                memory.store(buf("out"), at, inv.dtype, v.clamp(inv.clamp_lo, inv.clamp_hi));
            }
        }
    }
}
