//! Rules that span the fields of one instruction, or an instruction and the machine.
//!
//! Ranges of single fields are checked by the table; rules for whole programs are in [`crate::validate`].

use crate::footprint::Access;
use crate::machine::Machine;
use crate::operand::{Clause, Operand, Use, span};
use crate::schedule::{self, Block};
use crate::table::{BarCfg, ConvInv, ConvVar, Instr, VecBinary, VecReduce, VecResize};
use crate::types::{BinaryOp, Engine, ReduceOp, Space};
use crate::violation::ValidateErrorKind as Kind;

/// Maximum number of elements of an instruction.
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
    match instr.engine() {
        Engine::Dma0 => rules.dma_engine(0),
        Engine::Dma1 => rules.dma_engine(1),
        Engine::Control | Engine::Dpu | Engine::Vec => {}
    }
    instr.check(inv, &mut rules);
    rules.overlaps(&instr.operands(inv));
    rules.found
}

impl Rules<'_> {
    fn fail(&mut self, kind: Kind) {
        self.found.push(kind);
    }

    /// Checks the clauses of its row.
    pub(crate) fn clause(&mut self, clause: &Clause) {
        match *clause {
            Clause::Operand(ref operand) => self.operand(operand),
            Clause::Clamp { lo, hi, dtype } => {
                if lo > hi || !dtype.contains(lo) || !dtype.contains(hi) {
                    self.fail(Kind::Clamp { lo, hi, dtype });
                }
            }
            Clause::Dtype { field, dtype, of } => {
                if !of.contains(&dtype) {
                    self.fail(Kind::Dtype { field, dtype });
                }
            }
        }
    }

    /// The machine has the barrier.
    pub(crate) fn barrier(&mut self, x: &BarCfg) {
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

    /// The parameters of the weights are consistent.
    pub(crate) fn weights(&mut self, x: &ConvInv) {
        let desc = x.method.desc();
        if desc.packed && x.wt_zp != 0 {
            self.fail(Kind::WeightZeroPoint { method: x.method, wt_zp: x.wt_zp });
        }
        let max = if desc.packed { x.block } else { 0 };
        if x.low > max {
            self.fail(Kind::TooManyLow { method: x.method, low: x.low, max });
        }
        let (min, max) = desc.param;
        if x.param < min || x.param > max {
            self.fail(Kind::MethodParam { method: x.method, param: x.param, min, max });
        }
        if x.zero && !(desc.spare_code)(x.param) {
            self.fail(Kind::NoSpareCode { method: x.method, param: x.param });
        }
    }

    /// The schedule fits the PE array.
    pub(crate) fn schedule(&mut self, x: &ConvInv) {
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

    /// Every input channel of a depthwise convolution has the same number of output channels.
    pub(crate) fn depthwise(&mut self, x: &ConvVar, inv: &ConvInv) {
        if inv.depthwise && !x.out_c.is_multiple_of(x.in_c) {
            self.fail(Kind::Depthwise { in_c: x.in_c, out_c: x.out_c });
        }
    }

    /// The blocks of this tile fit the register files. A schedule that fits no tile is reported at the invariant.
    pub(crate) fn accumulators(&mut self, x: &ConvVar, inv: &ConvInv) {
        if schedule::check(inv, self.machine).is_ok()
            && let Err(error) = Block::of(inv, x, self.machine)
        {
            self.fail(Kind::Block(error));
        }
    }

    /// Only products are shifted.
    pub(crate) fn mul_shift(&mut self, x: &VecBinary) {
        if x.mul_shift != 0 && x.op != BinaryOp::Mul {
            self.fail(Kind::MulShift { op: x.op, mul_shift: x.mul_shift });
        }
    }

    /// Results do not advance along the reduced dimension.
    pub(crate) fn reduced_stride(&mut self, x: &VecReduce) {
        let along = x.out_strides.get(usize::from(x.axis)).copied();
        if let Some(stride) = along.filter(|&s| s != 0) {
            self.fail(Kind::ReducedStride { axis: x.axis, stride });
        }
    }

    /// An index does not tell which value it is of.
    pub(crate) fn no_accumulate(&mut self, x: &VecReduce) {
        if x.accumulate && x.op == ReduceOp::Argmax {
            self.fail(Kind::Accumulate { op: x.op });
        }
    }

    /// The tile of the image has all that the tile of the results is computed from.
    pub(crate) fn resize(&mut self, x: &VecResize) {
        for side in [x.rows(), x.columns()] {
            if let Err(error) = side.check() {
                self.fail(Kind::Resize(error));
            }
        }
    }

    /// Size, alignment, and that no byte is written twice.
    fn operand(&mut self, x: &Operand) {
        let elements = x.dims.iter().fold(1u128, |n, &d| n.saturating_mul(u128::from(d)));
        if elements > u128::from(MAX_ELEMENTS) {
            self.fail(Kind::TooManyElements { elements, max: MAX_ELEMENTS });
        }
        let Some(stride_field) = x.stride_field else { return };
        let align = x.element;
        if !x.addr.offset.is_multiple_of(align) {
            self.fail(Kind::Misaligned { field: x.field, value: x.addr.offset, align });
        }
        // The stride of a dimension of extent 1 is never used.
        let used = x.dims.iter().zip(x.strides).filter(|&(&d, _)| d > 1);
        if let Some((_, value)) = used.into_iter().find(|&(_, s)| !s.is_multiple_of(align)) {
            self.fail(Kind::Misaligned { field: stride_field, value, align });
        }
        if x.how == Use::Write && !nested(&x.dims, &x.strides, x.element) {
            self.fail(Kind::SelfOverlap { field: stride_field });
        }
    }

    /// No operand may be read where the instruction writes, except in place.
    fn overlaps(&mut self, list: &[Operand]) {
        let clash = |w: &Operand, r: &Operand| {
            let in_place = r.how == Use::Map && r.coincides(w);
            w.how == Use::Write
                && r.how != Use::Write
                && w.field != r.field
                && Access::from(w).overlaps(&Access::from(r))
                && !in_place
        };
        let pairs = list.iter().flat_map(|w| list.iter().map(move |r| (w, r)));
        if let Some((w, r)) = pairs.into_iter().find(|(w, r)| clash(w, r)) {
            self.fail(Kind::OperandOverlap { written: w.field, read: r.field });
        }
    }
}

/// Whether strided elements are disjoint because their dimensions nest: ordered by stride, every stride is at
/// least the span of the dimensions below it.
fn nested(dims: &[u64], strides: &[u64], element: u64) -> bool {
    let mut used: Vec<(u64, u64)> =
        strides.iter().copied().zip(dims.iter().copied()).filter(|&(_, d)| d > 1).collect();
    used.sort_unstable();
    let (strides, dims): (Vec<u64>, Vec<u64>) = used.into_iter().unzip();
    (0..strides.len()).all(|i| strides[i] >= span(&dims[..i], &strides[..i], element))
}

/// Checks that the accesses of an instruction lie in memory, and do not write the constants.
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
