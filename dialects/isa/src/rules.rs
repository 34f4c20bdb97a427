//! Rules that span the fields of one instruction, or an instruction and the machine.
//!
//! Ranges of single fields are the table's business; what a program as a whole must obey is in [`crate::validate`].

use crate::footprint::{Access, Image, span};
use crate::machine::Machine;
use crate::schedule::{self, Block};
use crate::table::{
    BarCfg, ConvInv, ConvVar, DmaCopy, DmaFill, Instr, PoolInv, PoolVar, VecBinary, VecReduce, VecRescale,
    VecTable, VecUnary,
};
use crate::types::{BinaryOp, Dtype, Method, Space};
use crate::validate::ValidateErrorKind as Kind;

/// Most elements that one instruction may range over.
pub const MAX_ELEMENTS: u64 = 1 << 40;

/// Collects the violations of one instruction.
pub(crate) struct Rules<'a> {
    machine: &'a Machine,
    found: Vec<Kind>,
}

/// All violations of `instr` alone; `inv` is the invariant that a variant runs with.
pub(crate) fn check(instr: &Instr, inv: Option<&Instr>, machine: &Machine) -> Vec<Kind> {
    let mut rules = Rules { machine, found: Vec::new() };
    if let Some(tile) = instr.tile().filter(|&t| u32::from(t) >= machine.tiles) {
        rules.fail(Kind::NoSuchTile { tile, tiles: machine.tiles });
    }
    match instr {
        Instr::BarCfg(x) => rules.bar_cfg(x),
        Instr::End(_) => {}
        Instr::DmaCopy(x) => rules.dma_copy(x),
        Instr::DmaFill(x) => rules.dma_fill(x),
        Instr::ConvInv(x) => rules.conv_inv(x),
        Instr::PoolInv(x) => rules.pool_inv(x),
        Instr::ConvVar(x) => {
            if let Some(Instr::ConvInv(inv)) = inv {
                rules.conv_var(x, inv);
            }
        }
        Instr::PoolVar(x) => {
            if let Some(Instr::PoolInv(inv)) = inv {
                rules.pool_var(x, inv);
            }
        }
        Instr::VecBinary(x) => rules.vec_binary(x),
        Instr::VecUnary(x) => rules.vec_unary(x),
        Instr::VecRescale(x) => rules.vec_rescale(x),
        Instr::VecTable(x) => rules.vec_table(x),
        Instr::VecReduce(x) => rules.vec_reduce(x),
    }
    rules.operands(instr, inv);
    rules.found
}

/// A strided operand in bytes: what alignment and self-overlap are judged on.
struct Strided<'a> {
    addr: (&'static str, u64),
    stride_field: &'static str,
    dims: &'a [u64],
    strides: &'a [u64],
    element: u64,
}

impl Rules<'_> {
    fn fail(&mut self, kind: Kind) {
        self.found.push(kind);
    }

    fn bar_cfg(&mut self, x: &BarCfg) {
        if u32::from(x.barrier) >= self.machine.barriers {
            let (barrier, barriers) = (u32::from(x.barrier), self.machine.barriers);
            self.fail(Kind::NoSuchBarrier { field: "barrier", barrier, barriers });
        }
    }

    fn dma_engine(&mut self, engine: u8) {
        if u32::from(engine) >= self.machine.dma_engines {
            self.fail(Kind::NoSuchEngine { engine, engines: self.machine.dma_engines });
        }
    }

    fn dma_copy(&mut self, x: &DmaCopy) {
        self.dma_engine(x.engine);
        let (dims, element) = (x.dims.map(u64::from), u64::from(x.element));
        let (src, dst) = (("src", x.src.offset), ("dst", x.dst.offset));
        self.source(&Strided {
            addr: src,
            stride_field: "src_strides",
            dims: &dims,
            strides: &x.src_strides,
            element,
        });
        self.target(&Strided {
            addr: dst,
            stride_field: "dst_strides",
            dims: &dims,
            strides: &x.dst_strides,
            element,
        });
    }

    fn dma_fill(&mut self, x: &DmaFill) {
        self.dma_engine(x.engine);
        let (dims, element, addr) = (x.dims.map(u64::from), u64::from(x.element), ("dst", x.dst.offset));
        self.target(&Strided {
            addr,
            stride_field: "dst_strides",
            dims: &dims,
            strides: &x.dst_strides,
            element,
        });
    }

    fn conv_inv(&mut self, x: &ConvInv) {
        self.clamp(x.clamp_lo, x.clamp_hi, x.out_dtype);
        self.lut(x.lut, x.out_dtype);
        let packed = x.method != Method::Dense;
        if packed && x.wt_zp != 0 {
            self.fail(Kind::WeightZeroPoint { method: x.method, wt_zp: x.wt_zp });
        }
        let max = if packed { x.block } else { 0 };
        if x.low > max {
            self.fail(Kind::TooManyLow { method: x.method, low: x.low, max });
        }
        let (min, max) = match x.method {
            Method::Dense | Method::Sparse => (0, 0),
            Method::Dliq => (1, 8),
            Method::Mip2q => (0, 7),
        };
        if x.param < min || x.param > max {
            self.fail(Kind::MethodParam { method: x.method, param: x.param, min, max });
        }
        let spare = x.method == Method::Mip2q && !(x.param.saturating_add(1)).is_power_of_two();
        if x.zero && !spare {
            self.fail(Kind::NoSpareCode { method: x.method, param: x.param });
        }
        self.schedule(x);
    }

    fn schedule(&mut self, x: &ConvInv) {
        let factors = [x.sched_oc, x.sched_oy, x.sched_ox, x.sched_ic];
        let used: u64 = factors.iter().map(|&f| u64::from(f)).product();
        let pes = u64::from(self.machine.rows) * u64::from(self.machine.cols);
        if used > pes {
            self.fail(Kind::Schedule { used, pes });
        }
        let (ic, max) = (x.sched_ic, self.machine.adder_tree_max);
        if !ic.is_power_of_two() || u32::from(ic) > max {
            self.fail(Kind::AdderTree { sched_ic: ic, max });
        }
        if let Err(error) = schedule::check(x, self.machine) {
            self.fail(Kind::Block(error));
        }
    }

    fn conv_var(&mut self, x: &ConvVar, inv: &ConvInv) {
        self.image(("act", "act_row"), &Image::act_of_conv(x), false);
        self.volume(&[x.out_h, x.out_w, x.out_c].map(u64::from));
        if !x.acc_out {
            self.image(("out", "out_row"), &Image::out_of_conv(x, inv.out_dtype), true);
        }
        if inv.depthwise && !x.out_c.is_multiple_of(x.in_c) {
            self.fail(Kind::Depthwise { in_c: x.in_c, out_c: x.out_c });
        }
        // Accumulators are the invariant's affair.
        if schedule::check(inv, self.machine).is_ok()
            && let Err(error) = Block::of(inv, x, self.machine)
        {
            self.fail(Kind::Block(error));
        }
    }

    fn pool_inv(&mut self, x: &PoolInv) {
        match x.dtype {
            Dtype::I8 | Dtype::I16 => {}
            Dtype::U8 | Dtype::U16 | Dtype::I32 => self.fail(Kind::Dtype { field: "dtype", dtype: x.dtype }),
        }
        self.clamp(x.clamp_lo, x.clamp_hi, x.dtype);
    }

    fn pool_var(&mut self, x: &PoolVar, inv: &PoolInv) {
        self.image(("act", "act_row"), &Image::act_of_pool(x, inv.dtype), false);
        self.volume(&[x.out_h, x.out_w, x.in_c].map(u64::from));
        if !x.acc_out {
            self.image(("out", "out_row"), &Image::out_of_pool(x, inv.dtype), true);
        }
    }

    fn vec_binary(&mut self, x: &VecBinary) {
        self.vec_source(("a", "a_strides"), x.a, &x.dims, &x.a_strides, x.a_dtype);
        self.vec_source(("b", "b_strides"), x.b, &x.dims, &x.b_strides, x.b_dtype);
        self.vec_target(x.out, &x.dims, &x.out_strides, x.out_dtype);
        if x.mul_shift != 0 && x.op != BinaryOp::Mul {
            self.fail(Kind::MulShift { op: x.op, mul_shift: x.mul_shift });
        }
        if x.clamp {
            self.clamp(x.clamp_lo, x.clamp_hi, x.out_dtype);
        }
        self.lut(x.lut, x.out_dtype);
    }

    fn vec_unary(&mut self, x: &VecUnary) {
        self.vec_source(("src", "src_strides"), x.src, &x.dims, &x.src_strides, x.src_dtype);
        self.vec_target(x.out, &x.dims, &x.out_strides, x.out_dtype);
        if x.clamp {
            self.clamp(x.clamp_lo, x.clamp_hi, x.out_dtype);
        }
    }

    fn vec_rescale(&mut self, x: &VecRescale) {
        self.vec_source(("src", "src_strides"), x.src, &x.dims, &x.src_strides, x.src_dtype);
        self.vec_target(x.out, &x.dims, &x.out_strides, x.out_dtype);
        self.clamp(x.clamp_lo, x.clamp_hi, x.out_dtype);
        self.lut(x.lut, x.out_dtype);
    }

    fn vec_table(&mut self, x: &VecTable) {
        match x.src_dtype {
            Dtype::I8 | Dtype::I16 => {}
            Dtype::U8 | Dtype::U16 | Dtype::I32 => {
                self.fail(Kind::Dtype { field: "src_dtype", dtype: x.src_dtype });
            }
        }
        self.vec_source(("src", "src_strides"), x.src, &x.dims, &x.src_strides, x.src_dtype);
        self.vec_target(x.out, &x.dims, &x.out_strides, x.out_dtype());
    }

    fn vec_reduce(&mut self, x: &VecReduce) {
        self.vec_source(("src", "src_strides"), x.src, &x.dims, &x.src_strides, x.src_dtype);
        let (mut dims, axis) = (x.dims, usize::from(x.axis));
        if let (Some(dim), Some(&stride)) = (dims.get_mut(axis), x.out_strides.get(axis)) {
            *dim = 1;
            if stride != 0 {
                self.fail(Kind::ReducedStride { axis: x.axis, stride });
            }
        }
        self.vec_target(x.out, &dims, &x.out_strides, x.out_dtype);
    }

    fn vec_source(
        &mut self,
        (field, stride_field): (&'static str, &'static str),
        addr: u32,
        dims: &[u32; 6],
        strides: &[u32; 6],
        dtype: Dtype,
    ) {
        let (dims, strides, addr) = (dims.map(u64::from), strides.map(u64::from), (field, u64::from(addr)));
        self.source(&Strided { addr, stride_field, dims: &dims, strides: &strides, element: dtype.bytes() });
    }

    fn vec_target(&mut self, addr: u32, dims: &[u32; 6], strides: &[u32; 6], dtype: Dtype) {
        let (dims, strides, addr) = (dims.map(u64::from), strides.map(u64::from), ("out", u64::from(addr)));
        let stride_field = "out_strides";
        self.target(&Strided { addr, stride_field, dims: &dims, strides: &strides, element: dtype.bytes() });
    }

    fn image(&mut self, (field, stride_field): (&'static str, &'static str), image: &Image, write: bool) {
        let (dims, strides) = (image.dims(), image.strides());
        let (addr, element) = ((field, u64::from(image.addr)), image.dtype.bytes());
        let operand = Strided { addr, stride_field, dims: &dims, strides: &strides, element };
        if write { self.target(&operand) } else { self.source(&operand) }
    }

    /// Size and alignment.
    fn source(&mut self, x: &Strided<'_>) {
        self.volume(x.dims);
        let (field, addr) = x.addr;
        if !addr.is_multiple_of(x.element) {
            self.fail(Kind::Misaligned { field, value: addr, align: x.element });
        }
        // The stride of a dimension of extent 1 is never used.
        let used = x.dims.iter().zip(x.strides).filter(|&(&d, _)| d > 1);
        if let Some((_, &value)) = used.into_iter().find(|&(_, s)| !s.is_multiple_of(x.element)) {
            self.fail(Kind::Misaligned { field: x.stride_field, value, align: x.element });
        }
    }

    /// Size, alignment, and that no byte is written twice.
    fn target(&mut self, x: &Strided<'_>) {
        self.source(x);
        if !nested(x.dims, x.strides, x.element) {
            self.fail(Kind::SelfOverlap { field: x.stride_field });
        }
    }

    fn volume(&mut self, dims: &[u64]) {
        let elements = dims.iter().fold(1u128, |n, &d| n.saturating_mul(u128::from(d)));
        if elements > u128::from(MAX_ELEMENTS) {
            self.fail(Kind::TooManyElements { elements, max: MAX_ELEMENTS });
        }
    }

    fn clamp(&mut self, lo: i32, hi: i32, dtype: Dtype) {
        if lo > hi || !dtype.contains(lo) || !dtype.contains(hi) {
            self.fail(Kind::Clamp { lo, hi, dtype });
        }
    }

    fn lut(&mut self, lut: bool, dtype: Dtype) {
        if lut && dtype != Dtype::I8 {
            self.fail(Kind::Dtype { field: "out_dtype", dtype });
        }
    }

    /// No operand may be read where the instruction writes, except in place.
    fn operands(&mut self, instr: &Instr, inv: Option<&Instr>) {
        let list = instr.footprint(inv);
        let clash = |w: &Access, r: &Access| {
            w.write && !r.write && w.overlaps(r) && w.field != r.field && !in_place(instr, r.field)
        };
        let pairs = list.iter().flat_map(|w| list.iter().map(move |r| (w, r)));
        if let Some((w, r)) = pairs.into_iter().find(|(w, r)| clash(w, r)) {
            self.fail(Kind::OperandOverlap { written: w.field, read: r.field });
        }
    }
}

/// Whether operand `field` lies exactly on the result, element by element.
fn in_place(instr: &Instr, field: &str) -> bool {
    // The stride of a dimension of extent 1 is never used.
    let same = |dims: &[u32; 6], (a, a_strides, a_dtype): Place<'_>, (b, b_strides, b_dtype): Place<'_>| {
        let mut used = dims.iter().zip(a_strides.iter().zip(b_strides)).filter(|&(&d, _)| d > 1);
        a == b && a_dtype.bytes() == b_dtype.bytes() && used.all(|(_, (x, y))| x == y)
    };
    match (instr, field) {
        (Instr::VecBinary(x), "a") => {
            same(&x.dims, (x.a, &x.a_strides, x.a_dtype), (x.out, &x.out_strides, x.out_dtype))
        }
        (Instr::VecBinary(x), "b") => {
            same(&x.dims, (x.b, &x.b_strides, x.b_dtype), (x.out, &x.out_strides, x.out_dtype))
        }
        (Instr::VecUnary(x), "src") => {
            same(&x.dims, (x.src, &x.src_strides, x.src_dtype), (x.out, &x.out_strides, x.out_dtype))
        }
        (Instr::VecRescale(x), "src") => {
            same(&x.dims, (x.src, &x.src_strides, x.src_dtype), (x.out, &x.out_strides, x.out_dtype))
        }
        (Instr::VecTable(x), "src") => {
            same(&x.dims, (x.src, &x.src_strides, x.src_dtype), (x.out, &x.out_strides, x.out_dtype()))
        }
        _ => false,
    }
}

/// Address, strides and type of a vector operand.
type Place<'a> = (u32, &'a [u32; 6], Dtype);

/// Whether strided elements are disjoint because their dimensions nest: ordered by stride, every stride is at
/// least the span of the dimensions below it.
fn nested(dims: &[u64], strides: &[u64], element: u64) -> bool {
    let mut used: Vec<(u64, u64)> =
        strides.iter().copied().zip(dims.iter().copied()).filter(|&(_, d)| d > 1).collect();
    used.sort_unstable();
    let (strides, dims): (Vec<u64>, Vec<u64>) = used.into_iter().unzip();
    (0..strides.len()).all(|i| strides[i] >= span(&dims[..i], &strides[..i], element))
}

/// Checks that the accesses of an instruction lie in memory, and that it leaves the constants alone.
pub(crate) fn check_bounds(list: &[Access], machine: &Machine, dram_bytes: u64, consts: u64) -> Vec<Kind> {
    let mut found = Vec::new();
    for access in list {
        let size = match access.space {
            Space::Dram => dram_bytes,
            Space::Sram => machine.sram_bytes,
        };
        let Access { field, space, lo, len, write } = *access;
        if lo.checked_add(len).is_none_or(|end| end > size) {
            found.push(Kind::OutOfBounds { field, space, lo, len, size });
        } else if write && space == Space::Dram && lo < consts {
            found.push(Kind::WritesConstants { field, lo, consts });
        }
    }
    found
}
