//! Random programs that pass validation.
//!
//! Operands lie in memory without overlap and barriers are used soundly, but the data means nothing: a run may
//! trap on a weight table, and tasks without a barrier between them may race.

use super::Rng;
use crate::machine::Machine;
use crate::program::{InstrMeta, IoDesc, Layer, Manifest, Program};
use crate::table::{
    BarCfg, ConvInv, ConvVar, DmaCopy, DmaFill, End, Instr, PoolInv, PoolVar, VecBinary, VecReduce,
    VecRescale, VecTable, VecUnary,
};
use crate::types::{BinaryOp, Dtype, MemAddr, Method, PoolMode, ReduceOp, Round, UnaryOp};
use crate::weights::WeightFormat;

/// A valid program for the default machine with about `tasks` tasks.
pub fn random_program(rng: &mut Rng, tasks: usize) -> Program {
    let consts: Vec<u8> = (0..rng.below(300)).map(|_| rng.bits() as u8).collect();
    let base = (consts.len() as u64).next_multiple_of(64);
    let io = |name: &str, dtype, shape: &[u64], addr| IoDesc {
        name: name.to_owned(),
        dtype,
        shape: shape.to_vec(),
        addr,
    };
    let mut stream =
        Stream { instrs: Vec::new(), open: Vec::new(), slots: [None; 16], dram: (base, 1 << 16) };
    for _ in 0..tasks {
        stream.arm(rng);
        stream.task(rng);
    }
    while !stream.open.is_empty() {
        stream.task(rng);
    }
    stream.instrs.push(End {}.into());
    let meta = stream.instrs.iter().map(|_| InstrMeta {
        layer: rng.pick(&[0, 1, InstrMeta::NONE]),
        loc: rng.pick(&[0, 1, 2, InstrMeta::NONE]),
    });
    Program {
        machine: Machine::flexnn_16x16(),
        meta: meta.collect(),
        instrs: stream.instrs,
        locs: ["a.mlir:1:2", "\"quoted\" \\ and \n\u{1}", "fused[\"grün\"]"].map(str::to_owned).to_vec(),
        layers: vec![
            Layer { name: "conv".into(), op: "tosa.conv2d".into(), loc: 1, macs: rng.bits() },
            Layer { name: String::new(), op: String::new(), loc: InstrMeta::NONE, macs: 0 },
        ],
        consts,
        dram_bytes: 1 << 16,
        inputs: vec![io("x", Dtype::I8, &[1, 8, 8, 4], base), io("s", Dtype::I32, &[], base + 256)],
        outputs: vec![io("y", Dtype::I16, &[1, 10], base + 1024)],
        manifest: Manifest {
            tool: "test 0".into(),
            pipeline: "p{x=1}".into(),
            input_sha256: "0f".repeat(32),
        },
    }
}

/// Places the operands of one instruction one after the other.
struct Bump(u64);

impl Bump {
    fn new(rng: &mut Rng) -> Self {
        Bump(rng.below(1 << 12) * 16)
    }

    /// `len` bytes, aligned to 16.
    fn take(&mut self, len: u64) -> u32 {
        let at = self.0.next_multiple_of(16);
        self.0 = at + len;
        at as u32
    }
}

/// An armed barrier: posts and waits still to come.
struct Open {
    barrier: u8,
    posts: u16,
    waits: u16,
}

struct Stream {
    instrs: Vec<Instr>,
    open: Vec<Open>,
    slots: [Option<Instr>; 16],
    /// Writable DRAM.
    dram: (u64, u64),
}

impl Stream {
    fn arm(&mut self, rng: &mut Rng) {
        let barrier = rng.below(64) as u8;
        if self.open.len() < 8 && rng.one_in(2) && self.open.iter().all(|o| o.barrier != barrier) {
            let (posts, waits) = (1 + rng.below(3) as u16, rng.below(3) as u16);
            self.open.push(Open { barrier, posts, waits });
            self.instrs.push(BarCfg { barrier, producers: posts, consumers: waits }.into());
        }
    }

    /// Posts come before waits in the stream, so that nothing can wait for ever.
    fn masks(&mut self, rng: &mut Rng) -> (u64, u64) {
        let (mut wait, mut post) = (0, 0);
        for open in &mut self.open {
            if !rng.one_in(2) {
                continue;
            }
            if open.posts > 0 {
                open.posts -= 1;
                post |= 1 << open.barrier;
            } else if open.waits > 0 {
                open.waits -= 1;
                wait |= 1 << open.barrier;
            }
        }
        self.open.retain(|o| o.posts > 0 || o.waits > 0);
        (wait, post)
    }

    fn task(&mut self, rng: &mut Rng) {
        let mut instr: Instr = match rng.below(9) {
            0 => self.dma_copy(rng).into(),
            1 => self.dma_fill(rng).into(),
            2 | 3 => self.variant(rng),
            4 => vec_binary(rng).into(),
            5 => vec_unary(rng).into(),
            6 => vec_rescale(rng).into(),
            7 => vec_table(rng).into(),
            _ => vec_reduce(rng).into(),
        };
        let masks = self.masks(rng);
        if let Some((wait, post)) = instr.masks_mut() {
            (*wait, *post) = masks;
        }
        self.instrs.push(instr);
    }

    fn dma_copy(&self, rng: &mut Rng) -> DmaCopy {
        let element = rng.pick(&[1, 2, 4, 8, 16]);
        let dims = small_dims(rng);
        let strides = contiguous(&dims, u64::from(element));
        let len = volume(&dims) * u64::from(element);
        let sram = Bump::new(rng).take(len);
        let (start, end) = self.dram;
        let dram = (start + rng.below(end - start - len)).next_multiple_of(16).min((end - len) & !15);
        let (src, dst) = (MemAddr::dram(dram), MemAddr::sram(sram.into()));
        let (src, dst) = if rng.one_in(2) { (src, dst) } else { (dst, src) };
        let engine = rng.below(2) as u8;
        DmaCopy {
            engine,
            element,
            src,
            dst,
            dims,
            src_strides: strides,
            dst_strides: strides,
            ..DmaCopy::default()
        }
    }

    fn dma_fill(&self, rng: &mut Rng) -> DmaFill {
        let (element, dims) = (rng.pick(&[1, 2, 4]), small_dims(rng));
        let dst = MemAddr::sram(Bump::new(rng).take(0).into());
        let (dst_strides, value) = (contiguous(&dims, element.into()), rng.bits() as i32);
        DmaFill { engine: rng.below(2) as u8, element, dst, dims, dst_strides, value, ..DmaFill::default() }
    }

    /// A variant of what is in a random slot, which is filled anew now and then.
    fn variant(&mut self, rng: &mut Rng) -> Instr {
        let slot = rng.below(16) as u8;
        let held = self.slots.get(usize::from(slot)).copied().flatten().filter(|_| !rng.one_in(3));
        let inv = held.unwrap_or_else(|| {
            let inv = if rng.one_in(3) { pool_inv(rng, slot).into() } else { conv_inv(rng, slot).into() };
            self.instrs.push(inv);
            if let Some(place) = self.slots.get_mut(usize::from(slot)) {
                *place = Some(inv);
            }
            inv
        });
        match inv {
            Instr::PoolInv(inv) => pool_var(rng, &inv).into(),
            Instr::ConvInv(inv) => conv_var(rng, &inv).into(),
            other => other,
        }
    }
}

fn small_dims(rng: &mut Rng) -> [u32; 6] {
    std::array::from_fn(|_| 1 + rng.below(3) as u32)
}

fn volume(dims: &[u32]) -> u64 {
    dims.iter().map(|&d| u64::from(d)).product()
}

fn contiguous(dims: &[u32; 6], element: u64) -> [u64; 6] {
    let mut stride = element;
    let mut out = [0; 6];
    for (s, &d) in out.iter_mut().zip(dims).rev() {
        *s = stride;
        stride *= u64::from(d);
    }
    out
}

fn strides(dims: &[u32; 6], dtype: Dtype) -> [u32; 6] {
    contiguous(dims, dtype.bytes()).map(|s| s as u32)
}

fn bytes(dims: &[u32; 6], dtype: Dtype) -> u64 {
    volume(dims) * dtype.bytes()
}

fn clamp(rng: &mut Rng, dtype: Dtype) -> (i32, i32) {
    let mut any = || rng.range(dtype.min().into(), dtype.max().into()) as i32;
    let (a, b) = (any(), any());
    (a.min(b), a.max(b))
}

fn conv_inv(rng: &mut Rng, slot: u8) -> ConvInv {
    let (method, block) = (rng.pick(Method::ALL), rng.pick(&[4, 8, 16, 32]));
    let dense = method == Method::Dense;
    let param = match method {
        Method::Dense | Method::Sparse => 0,
        Method::Dliq => rng.range(1, 8) as u8,
        Method::Mip2q => rng.range(0, 7) as u8,
    };
    let out_dtype = rng.pick(Dtype::ALL);
    let (clamp_lo, clamp_hi) = clamp(rng, out_dtype);
    let depthwise = rng.one_in(3);
    ConvInv {
        slot,
        depthwise,
        stride_y: rng.range(1, 3) as u16,
        stride_x: rng.range(1, 3) as u16,
        dilation_y: rng.range(1, 2) as u16,
        dilation_x: rng.range(1, 2) as u16,
        in_zp: rng.range(-128, 255) as i16,
        wt_zp: if dense { rng.range(-128, 127) as i16 } else { 0 },
        method,
        block,
        low: if dense { 0 } else { rng.range(0, block.into()) as u8 },
        param,
        zero: method == Method::Mip2q && !(param + 1).is_power_of_two() && rng.one_in(2),
        scale: rng.one_in(2),
        round: rng.pick(Round::ALL),
        out_dtype,
        out_zp: rng.range(-128, 127) as i32,
        clamp_lo,
        clamp_hi,
        lut: out_dtype == Dtype::I8 && rng.one_in(2),
        lut_addr: 0x10_0000,
        sched_oc: rng.range(1, 16) as u16,
        sched_oy: 1,
        sched_ox: rng.range(1, 4) as u16,
        sched_ic: 1 << rng.below(3),
        fold: !depthwise && rng.one_in(2),
        block_oc: rng.range(0, 4) as u16,
        block_oy: rng.range(0, 2) as u16,
        block_ox: rng.range(0, 8) as u16,
        ..ConvInv::default()
    }
}

fn conv_var(rng: &mut Rng, inv: &ConvInv) -> ConvVar {
    let mut dim = |max| 1 + rng.below(max) as u32;
    let (in_h, in_w, in_c, out_h, out_w) = (dim(8), dim(8), dim(20), dim(5), dim(5));
    let out_c = if inv.depthwise { in_c * dim(3) } else { dim(20) };
    let (kernel_h, kernel_w) = (dim(3) as u16, dim(3) as u16);
    let size = inv.out_dtype.bytes() as u32;
    let mut bump = Bump::new(rng);
    let mut x = ConvVar {
        slot: inv.slot,
        in_h,
        in_w,
        in_c,
        out_h,
        out_w,
        out_c,
        kernel_h,
        kernel_w,
        ..ConvVar::default()
    };
    (x.act_pixel, x.act_row) = (in_c, in_c * in_w);
    (x.out_pixel, x.out_row) = (out_c * size, out_c * size * out_w);
    x.act = bump.take(u64::from(in_h * x.act_row));
    x.weights = bump.take(WeightFormat::all_sets_bytes(inv, &x).unwrap_or(0));
    x.table = bump.take(u64::from(out_c) * 16);
    x.out = bump.take(u64::from(out_h * x.out_row));
    x.psum = bump.take(u64::from(out_h * out_w * out_c) * 4);
    (x.origin_y, x.origin_x) = (rng.range(-2, 2) as i32, rng.range(-2, 2) as i32);
    (x.acc_in, x.acc_out) = (rng.one_in(3), rng.one_in(3));
    x
}

fn pool_inv(rng: &mut Rng, slot: u8) -> PoolInv {
    let dtype = rng.pick(&[Dtype::I8, Dtype::I16]);
    let (clamp_lo, clamp_hi) = clamp(rng, dtype);
    PoolInv {
        slot,
        mode: rng.pick(PoolMode::ALL),
        stride_y: rng.range(1, 3) as u16,
        stride_x: rng.range(1, 3) as u16,
        dtype,
        in_zp: rng.range(-128, 127) as i32,
        out_zp: rng.range(-128, 127) as i32,
        clamp_lo,
        clamp_hi,
        ..PoolInv::default()
    }
}

fn pool_var(rng: &mut Rng, inv: &PoolInv) -> PoolVar {
    let mut dim = |max| 1 + rng.below(max) as u32;
    let (in_h, in_w, in_c, out_h, out_w) = (dim(8), dim(8), dim(20), dim(5), dim(5));
    let (kernel_h, kernel_w) = (dim(3) as u16, dim(3) as u16);
    let size = inv.dtype.bytes() as u32;
    let mut bump = Bump::new(rng);
    let mut x =
        PoolVar { slot: inv.slot, in_h, in_w, in_c, out_h, out_w, kernel_h, kernel_w, ..PoolVar::default() };
    (x.act_pixel, x.act_row) = (in_c * size, in_c * size * in_w);
    (x.out_pixel, x.out_row) = (in_c * size, in_c * size * out_w);
    x.act = bump.take(u64::from(in_h * x.act_row));
    x.out = bump.take(u64::from(out_h * x.out_row));
    x.psum = bump.take(u64::from(out_h * out_w * in_c) * 4);
    (x.acc_in, x.acc_out) = (rng.one_in(3), rng.one_in(3));
    (x.win_h, x.win_w, x.bound_h, x.bound_w) = (kernel_h, kernel_w, in_h, in_w);
    x
}

fn vec_binary(rng: &mut Rng) -> VecBinary {
    let (op, dims) = (rng.pick(BinaryOp::ALL), small_dims(rng));
    let [a_dtype, b_dtype, out_dtype] = [(); 3].map(|()| rng.pick(Dtype::ALL));
    let (clamp_lo, clamp_hi) = clamp(rng, out_dtype);
    let mut bump = Bump::new(rng);
    let broadcast = rng.one_in(2);
    VecBinary {
        op,
        mul_shift: if op == BinaryOp::Mul { rng.range(0, 63) as u8 } else { 0 },
        dims,
        a: bump.take(bytes(&dims, a_dtype)),
        a_dtype,
        a_strides: strides(&dims, a_dtype),
        a_zp: rng.range(-128, 127) as i32,
        a_scale: rng.one_in(2),
        a_mult: rng.range(0, i32::MAX.into()) as i32,
        a_shift: rng.range(2, 62) as u8,
        b: bump.take(bytes(&dims, b_dtype)),
        b_dtype,
        b_strides: if broadcast { [0; 6] } else { strides(&dims, b_dtype) },
        out: bump.take(bytes(&dims, out_dtype)),
        out_dtype,
        out_strides: strides(&dims, out_dtype),
        clamp: true,
        clamp_lo,
        clamp_hi,
        lut: out_dtype == Dtype::I8 && rng.one_in(2),
        lut_addr: bump.take(256),
        ..VecBinary::default()
    }
}

fn vec_unary(rng: &mut Rng) -> VecUnary {
    let (op, dims) = (rng.pick(UnaryOp::ALL), small_dims(rng));
    let [src_dtype, out_dtype] = [(); 2].map(|()| rng.pick(Dtype::ALL));
    let mut bump = Bump::new(rng);
    let src = bump.take(bytes(&dims, src_dtype));
    // In place is legal when the elements coincide.
    let same = src_dtype.bytes() == out_dtype.bytes() && rng.one_in(2);
    let out = if same { src } else { bump.take(bytes(&dims, out_dtype)) };
    let (src_strides, out_strides) = (strides(&dims, src_dtype), strides(&dims, out_dtype));
    VecUnary { op, dims, src, src_dtype, src_strides, out, out_dtype, out_strides, ..VecUnary::default() }
}

fn vec_rescale(rng: &mut Rng) -> VecRescale {
    let dims = small_dims(rng);
    let [src_dtype, out_dtype] = [(); 2].map(|()| rng.pick(Dtype::ALL));
    let (clamp_lo, clamp_hi) = clamp(rng, out_dtype);
    let mut bump = Bump::new(rng);
    VecRescale {
        dims,
        src: bump.take(bytes(&dims, src_dtype)),
        src_dtype,
        src_strides: strides(&dims, src_dtype),
        out: bump.take(bytes(&dims, out_dtype)),
        out_dtype,
        out_strides: strides(&dims, out_dtype),
        per_channel: rng.one_in(2),
        params: bump.take(16 * 3),
        mult: rng.range(0, i32::MAX.into()) as i32,
        shift: rng.range(2, 62) as u8,
        clamp_lo,
        clamp_hi,
        ..VecRescale::default()
    }
}

fn vec_table(rng: &mut Rng) -> VecTable {
    let mut x = VecTable {
        src_dtype: rng.pick(&[Dtype::I8, Dtype::I16]),
        dims: small_dims(rng),
        ..VecTable::default()
    };
    let mut bump = Bump::new(rng);
    x.src = bump.take(bytes(&x.dims, x.src_dtype));
    x.src_strides = strides(&x.dims, x.src_dtype);
    x.out = bump.take(bytes(&x.dims, x.out_dtype()));
    x.out_strides = strides(&x.dims, x.out_dtype());
    x.table = bump.take(1026);
    x
}

fn vec_reduce(rng: &mut Rng) -> VecReduce {
    let (dims, axis) = (small_dims(rng), rng.below(6) as u8);
    let [src_dtype, out_dtype] = [(); 2].map(|()| rng.pick(Dtype::ALL));
    let mut bump = Bump::new(rng);
    let (src, out) = (bump.take(bytes(&dims, src_dtype)), bump.take(bytes(&dims, out_dtype)));
    let (src_strides, mut out_strides) = (strides(&dims, src_dtype), strides(&dims, out_dtype));
    if let Some(stride) = out_strides.get_mut(usize::from(axis)) {
        *stride = 0;
    }
    let (op, accumulate) = (rng.pick(ReduceOp::ALL), rng.one_in(2));
    VecReduce {
        op,
        axis,
        dims,
        src,
        src_dtype,
        src_strides,
        out,
        out_dtype,
        out_strides,
        accumulate,
        ..VecReduce::default()
    }
}
