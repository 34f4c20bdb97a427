//! A minimal compiler for one convolution, to run, break and measure whole programs.
//!
//! Tiles of output rows, two buffers for activations and results, loads on the first DMA engine and stores on the
//! second: the structure of real programs.

#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use dpu_isa::{
    BarCfg, ConvInv, ConvVar, DmaCopy, Dtype, End, Instr, InstrMeta, IoDesc, Layer, Machine, Manifest,
    Meaning, MemAddr, Method, Program, WeightEntry, WeightFormat,
};

/// A 3x3 convolution with padding 1 and stride 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conv {
    pub(crate) size: u32,
    pub(crate) in_c: u32,
    pub(crate) out_c: u32,
    pub(crate) method: Method,
    /// Number of tiles that the rows are split into; divides `size`.
    pub(crate) tiles: u32,
}

impl Conv {
    pub(crate) const SMALL: Conv = Conv { size: 8, in_c: 16, out_c: 8, method: Method::Dense, tiles: 4 };

    pub(crate) fn macs(&self) -> u64 {
        u64::from(self.size * self.size) * u64::from(self.in_c * self.out_c) * 9
    }

    fn row(&self) -> u64 {
        u64::from(self.size * self.in_c)
    }

    fn out_row(&self) -> u64 {
        u64::from(self.size * self.out_c)
    }

    /// Activations for [`program`].
    pub(crate) fn input(&self) -> Vec<u8> {
        (0..self.row() * u64::from(self.size)).map(|i| noise(i) as u8).collect()
    }

    /// Products of the program with an activation that equals the zero point, padding included.
    pub(crate) fn zero_products(&self) -> u64 {
        let (input, n, channels) = (self.input(), self.size as i32, self.in_c as usize);
        let mut zeros = 0;
        for (y, x) in (0..n).flat_map(|y| (0..n).map(move |x| (y, x))) {
            for (iy, ix) in (y - 1..=y + 1).flat_map(|iy| (x - 1..=x + 1).map(move |ix| (iy, ix))) {
                let inside = (0..n).contains(&iy) && (0..n).contains(&ix);
                let zero = |c: usize| !inside || input[(iy * n + ix) as usize * channels + c] as i8 == -128;
                zeros += (0..channels).filter(|&c| zero(c)).count() as u64;
            }
        }
        zeros * u64::from(self.out_c)
    }

    /// The expected outputs of the program.
    pub(crate) fn expected(&self) -> Vec<u8> {
        let (input, (_, weights)) = (self.input(), weights(self));
        let (n, ic, oc) = (self.size as i32, self.in_c as usize, self.out_c as usize);
        let mut out = Vec::new();
        for (oy, ox) in (0..n).flat_map(|y| (0..n).map(move |x| (y, x))) {
            for o in 0..oc {
                let mut acc = BIAS;
                for (ky, kx) in (0..3).flat_map(|y| (0..3).map(move |x| (y, x))) {
                    let (iy, ix) = (oy + ky - 1, ox + kx - 1);
                    if iy < 0 || ix < 0 || iy >= n || ix >= n {
                        continue;
                    }
                    for c in 0..ic {
                        let x = i32::from(input[((iy * n + ix) as usize) * ic + c] as i8) + 128;
                        acc += x * weights[(o * 9 + (ky * 3 + kx) as usize) * ic + c];
                    }
                }
                let scaled = (i64::from(acc) * i64::from(MULTIPLIER) + (1 << (SHIFT - 1))) >> SHIFT;
                out.push((scaled as i32 - 10).clamp(-128, 127) as u8);
            }
        }
        out
    }
}

const BIAS: i32 = -20_000;
const MULTIPLIER: i32 = 1 << 30;
const SHIFT: u8 = 40;

/// Deterministic noise.
fn noise(i: u64) -> u32 {
    let mut x = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xdead_beef;
    x ^= x >> 31;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x >> 32) as u32
}

/// Weight sets and their values `[oc][ky][kx][ic]`; in packed formats every second member is low.
fn weights(conv: &Conv) -> (Vec<u8>, Vec<i32>) {
    let (mut bytes, mut values) = (Vec::new(), Vec::new());
    for oc in 0..conv.out_c {
        let mut bits = Vec::new();
        let mut put = |value: u32, n: u32| bits.extend((0..n).map(|i| (value >> i & 1) as u8));
        for block in 0..9 * conv.in_c / 16 {
            let seed = u64::from(oc) << 32 | u64::from(block) << 8;
            let byte = |i: u64| noise(seed + i) as u8;
            if conv.method == Method::Dense {
                (0..16).for_each(|i| put(u32::from(byte(i)), 8));
                values.extend((0..16).map(|i| i32::from(byte(i) as i8)));
                continue;
            }
            let low = |i: u64| u32::from(byte(i) % 7) | u32::from(byte(i) & 0x80 != 0) << 3;
            put(0x5555, 16);
            (0..16).step_by(2).for_each(|i| put(u32::from(byte(i)), 8));
            (0..16).skip(1).step_by(2).for_each(|i| put(low(i), 4));
            values.extend((0..16).map(|i| match i % 2 {
                0 => i32::from(byte(i) as i8),
                _ => (1 << (low(i) & 7)) * if low(i) & 8 != 0 { -1 } else { 1 },
            }));
        }
        bits.resize(bits.len().next_multiple_of(128), 0);
        bytes.extend(bits.chunks(8).map(|b| b.iter().rev().fold(0, |v, bit| v << 1 | bit)));
    }
    (bytes, values)
}

/// The memory layout.
pub(crate) struct Layout {
    pub(crate) weights: u64,
    pub(crate) table: u64,
    pub(crate) act: [u64; 2],
    pub(crate) out: [u64; 2],
}

fn layout(conv: &Conv, weight_bytes: u64) -> Layout {
    let align = |n: u64| n.next_multiple_of(16);
    let rows = u64::from(conv.size / conv.tiles);
    let (act, out) = (align((rows + 2) * conv.row()), align(rows * conv.out_row()));
    let table = weight_bytes;
    let first = table + 16 * u64::from(conv.out_c);
    Layout { weights: 0, table, act: [first, first + act], out: [first + 2 * act, first + 2 * act + out] }
}

/// Barriers of tile `i`: activations loaded, tile computed, results stored.
pub(crate) fn loaded(i: u32) -> u64 {
    1 << (1 + 3 * i)
}
pub(crate) fn computed(i: u32) -> u64 {
    2 << (1 + 3 * i)
}
pub(crate) fn stored(i: u32) -> u64 {
    4 << (1 + 3 * i)
}
/// The barrier of the constants.
pub(crate) const CONSTS: u64 = 1;

/// A contiguous copy of `bytes` bytes.
pub(crate) fn copy(engine: u8, src: MemAddr, dst: MemAddr, bytes: u64, wait: u64, post: u64) -> Instr {
    DmaCopy {
        wait,
        post,
        engine,
        element: 1,
        src,
        dst,
        dims: [1, 1, 1, 1, 1, bytes as u32],
        src_strides: [0, 0, 0, 0, 0, 1],
        dst_strides: [0, 0, 0, 0, 0, 1],
        ..DmaCopy::default()
    }
    .into()
}

/// The whole program.
pub(crate) fn program(conv: &Conv) -> Program {
    let (mut consts, _) = weights(conv);
    let weight_bytes = consts.len() as u64;
    let entry = |oc: u32| WeightEntry {
        weight_offset: oc * (weight_bytes as u32 / conv.out_c),
        multiplier: MULTIPLIER,
        shift: SHIFT,
        bias: BIAS,
        ..WeightEntry::default()
    };
    consts.extend((0..conv.out_c).flat_map(|oc| entry(oc).encode()));
    let at = layout(conv, weight_bytes);
    let input = consts.len() as u64;
    let output = input + conv.row() * u64::from(conv.size);
    let mut instrs = Vec::new();
    arm(conv, &mut instrs);
    instrs.push(copy(0, MemAddr::dram(0), MemAddr::sram(at.weights), weight_bytes, 0, CONSTS));
    let table = consts.len() as u64 - weight_bytes;
    instrs.push(copy(0, MemAddr::dram(weight_bytes), MemAddr::sram(at.table), table, 0, CONSTS));
    instrs.push(invariant(conv).into());
    for tile in 0..conv.tiles {
        instrs.extend(tile_tasks(conv, &at, tile, input, output));
    }
    instrs.push(End {}.into());
    let origin = |i: &Instr| match i {
        Instr::BarCfg(_) | Instr::End(_) => InstrMeta::default(),
        _ => InstrMeta { layer: 0, loc: InstrMeta::NONE },
    };
    let io = |name: &str, channels: u32, addr| {
        let shape = [1, conv.size, conv.size, channels].map(u64::from).to_vec();
        vec![IoDesc { name: name.into(), dtype: Dtype::I8, shape, addr, meaning: Meaning::default() }]
    };
    Program {
        machine: Machine::flexnn_16x16(),
        meta: instrs.iter().map(origin).collect(),
        instrs,
        locs: vec!["net.mlir:12:8".into()],
        layers: vec![Layer { name: "conv1".into(), op: "strum.conv2d".into(), loc: 0, macs: conv.macs() }],
        consts,
        dram_bytes: output + conv.out_row() * u64::from(conv.size),
        inputs: io("x", conv.in_c, input),
        outputs: io("y", conv.out_c, output),
        manifest: Manifest::default(),
    }
}

/// [`program`] twice, on a machine with two tiles: the second tile computes the same into a separate output.
pub(crate) fn two_tiles(conv: &Conv) -> Program {
    let mut program = program(conv);
    let (first, barriers) = (program.instrs.len() - 1, 1 + 3 * conv.tiles);
    let output = program.outputs[0].clone();
    let bytes = output.shape.iter().product::<u64>();
    program.machine.tiles = 2;
    program.instrs.truncate(first);
    program.meta.truncate(first);
    for n in 0..first {
        let instr = match program.instrs[n] {
            Instr::BarCfg(x) => BarCfg { barrier: x.barrier + barriers as u8, ..x }.into(),
            Instr::DmaCopy(mut x) => {
                (x.tile, x.wait, x.post) = (1, x.wait << barriers, x.post << barriers);
                if x.engine == 1 {
                    x.dst = MemAddr::dram(x.dst.offset + bytes);
                }
                x.into()
            }
            Instr::ConvInv(x) => ConvInv { tile: 1, ..x }.into(),
            Instr::ConvVar(x) => {
                ConvVar { tile: 1, wait: x.wait << barriers, post: x.post << barriers, ..x }.into()
            }
            other => other,
        };
        program.instrs.push(instr);
        program.meta.push(program.meta[n]);
    }
    program.instrs.push(End {}.into());
    program.meta.push(InstrMeta::default());
    program.dram_bytes += bytes;
    program.outputs.push(IoDesc { name: "z".into(), addr: output.addr + bytes, ..output });
    program
}

/// Arms all barriers.
fn arm(conv: &Conv, instrs: &mut Vec<Instr>) {
    let mut bar = |mask: u64, producers: u16, consumers: u32| {
        let barrier = mask.trailing_zeros() as u8;
        instrs.push(BarCfg { barrier, producers, consumers: consumers as u16 }.into());
    };
    bar(CONSTS, 2, 1);
    for i in 0..conv.tiles {
        let again = u32::from(i + 2 < conv.tiles);
        bar(loaded(i), 1, 1);
        bar(computed(i), 1, 1 + again);
        bar(stored(i), 1, again);
    }
}

fn invariant(conv: &Conv) -> ConvInv {
    let packed = conv.method != Method::Dense;
    ConvInv {
        in_zp: -128,
        method: conv.method,
        block: 16,
        low: if packed { 8 } else { 0 },
        param: if conv.method == Method::Mip2q { 7 } else { 0 },
        scale: true,
        out_zp: -10,
        clamp_lo: -128,
        clamp_hi: 127,
        sched_oc: 8,
        sched_ox: 8,
        sched_ic: 2,
        ..ConvInv::default()
    }
}

/// Load, compute and store one tile.
fn tile_tasks(conv: &Conv, at: &Layout, tile: u32, input: u64, output: u64) -> [Instr; 3] {
    let rows = conv.size / conv.tiles;
    let slot = (tile % 2) as usize;
    let first = (tile * rows).saturating_sub(1);
    let last = ((tile + 1) * rows + 1).min(conv.size);
    let reuse = |mask: fn(u32) -> u64| if tile >= 2 { mask(tile - 2) } else { 0 };
    let load = copy(
        0,
        MemAddr::dram(input + u64::from(first) * conv.row()),
        MemAddr::sram(at.act[slot]),
        u64::from(last - first) * conv.row(),
        reuse(computed),
        loaded(tile),
    );
    let consts = if tile == 0 { CONSTS } else { 0 };
    let compute = ConvVar {
        wait: loaded(tile) | reuse(stored) | consts,
        post: computed(tile),
        act: at.act[slot] as u32,
        in_h: last - first,
        in_w: conv.size,
        in_c: conv.in_c,
        act_row: conv.row() as u32,
        act_pixel: conv.in_c,
        origin_y: if tile == 0 { -1 } else { 0 },
        origin_x: -1,
        kernel_h: 3,
        kernel_w: 3,
        weights: at.weights as u32,
        table: at.table as u32,
        out: at.out[slot] as u32,
        out_h: rows,
        out_w: conv.size,
        out_c: conv.out_c,
        out_row: conv.out_row() as u32,
        out_pixel: conv.out_c,
        ..ConvVar::default()
    };
    let store = copy(
        1,
        MemAddr::sram(at.out[slot]),
        MemAddr::dram(output + u64::from(tile * rows) * conv.out_row()),
        u64::from(rows) * conv.out_row(),
        computed(tile),
        stored(tile),
    );
    [load, compute.into(), store]
}

/// The position of the `n`th instruction with this mnemonic.
pub(crate) fn nth(program: &Program, mnemonic: &str, n: usize) -> usize {
    let mut found = program.instrs.iter().enumerate().filter(|(_, i)| i.mnemonic() == mnemonic);
    found.nth(n).map(|(i, _)| i).unwrap()
}

/// Bytes of the weight sets, from the format's formula.
pub(crate) fn set_bytes(conv: &Conv) -> u64 {
    WeightFormat::of(&invariant(conv)).set_bytes(3, 3, conv.in_c).unwrap()
}
