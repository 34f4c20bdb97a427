//! Convolution variants: how a tile flows through IDU, PE array, PPE and ODU, block by block.

use dpu_isa::schedule::{Block, ScheduleError};
use dpu_isa::weights::{ENTRY_BYTES, LUT_BYTES};
use dpu_isa::{ConvInv, ConvVar, Dtype, LowWork, Machine, PeKind, Stationary, WeightFormat};

use crate::cut::{Cut, Piece, Window};
use crate::held::Held;
use crate::pipeline::{Flow, Stage};
use crate::stored::{self, Stored};
use crate::{Cost, Events, Low, idle_lanes, product, share_of};

/// A convolution variant; the rules are those of "PE array" in `docs/timing.md`.
///
/// # Errors
/// When the operands that the schedule keeps resident do not fit the register files.
pub fn conv(inv: &ConvInv, var: &ConvVar, m: &Machine) -> Result<Cost, ScheduleError> {
    let tile = Tile::new(inv, var, m, &Block::of(inv, var, m)?);
    let cycles = u64::from(m.dpu_setup_cycles).saturating_add(tile.flow().cycles());
    let outputs = product([var.out_h, var.out_w, var.out_c].map(u64::from));
    let macs = product([outputs, taps(var), depth(inv, var)]);
    let psum = outputs.saturating_mul(Dtype::I32.bytes());
    let result = outputs.saturating_mul(inv.out_dtype.bytes());
    let (psum_out, out) = if var.acc_out { (psum, 0) } else { (0, result) };
    let weights = product([tile.weights, tile.weight_loads()]);
    let events = Events {
        lane_idle: idle_lanes(tile.compute(), macs, m),
        ppe_ops: if var.acc_out { 0 } else { outputs },
        sram_act_read: tile.acts(),
        sram_weight_read: weights,
        packed_weight_read: if inv.method.is_packed() { weights } else { 0 },
        sram_table_read: product([tile.tables, tile.weight_loads()]),
        sram_psum_read: if var.acc_in { psum } else { 0 },
        sram_psum_write: psum_out,
        sram_out_write: out,
        ..tile.register_files()
    };
    let low = match inv.method.low_work() {
        LowWork::Nothing => Low::Zero,
        LowWork::Shift => Low::Shift,
        LowWork::Product => Low::Product(WeightFormat::of(inv).code_bits() as u8),
    };
    Ok(Cost { low, ..Cost::on_chip(cycles, macs, events) })
}

/// Multiply-accumulates of a variant with low weight members, assuming padding is low first, as packers place it; a run
/// counts them from the masks.
pub(crate) fn low_macs(inv: &ConvInv, var: &ConvVar) -> u64 {
    if !inv.method.is_packed() {
        return 0;
    }
    // Blocks run along the input channels; for depthwise, along the output channels of a tap.
    let [channels, sums] = if inv.depthwise { [var.out_c, 1] } else { [var.in_c, var.out_c] };
    let (width, low) = (u32::from(inv.block.max(1)), u32::from(inv.low));
    let padding = (width - channels % width) % width;
    let full = product([u64::from(channels / width), low.into()]);
    let last = if channels % width == 0 { 0 } else { low.saturating_sub(padding) };
    product([full.saturating_add(last.into()), sums.into(), taps(var), var.out_h.into(), var.out_w.into()])
}

fn taps(var: &ConvVar) -> u64 {
    product([var.kernel_h, var.kernel_w].map(u64::from))
}

/// Products per tap.
fn depth(inv: &ConvInv, var: &ConvVar) -> u64 {
    if inv.depthwise { 1 } else { u64::from(var.in_c) }
}

/// Steps of a PE per output.
struct Steps {
    /// Slices per block: vectors of as many channels as the PEs of one adder tree have lanes.
    slices: u64,
    /// Total steps.
    all: u64,
}

impl Steps {
    fn of(inv: &ConvInv, var: &ConvVar, m: &Machine) -> Steps {
        // For a PE that shifts with half of its lanes, the busier half of a block decides.
        let (lanes, weights) = match (m.pe_kind, inv.method.is_packed()) {
            (PeKind::Dense | PeKind::StrumDynamic, _) => (1, 1),
            (PeKind::StrumStatic, false) => (2, 1),
            (PeKind::StrumStatic, true) => {
                let (w, low) = (u64::from(inv.block.max(1)), u64::from(inv.low));
                (2 * w.saturating_sub(low).max(low), w)
            }
        };
        if inv.depthwise {
            let each = if (lanes, weights) == (2, 1) { 2 } else { 1 };
            return Steps { slices: 1, all: product([taps(var), each]) };
        }
        let [kernel_h, kernel_w] = [var.kernel_h, var.kernel_w].map(u64::from);
        let (run, runs) = if inv.fold { (kernel_w, kernel_h) } else { (1, product([kernel_h, kernel_w])) };
        let width = product([u64::from(m.lanes), u64::from(inv.sched_ic.max(1)), weights]).max(1);
        let slices = product([run, u64::from(var.in_c), lanes]).div_ceil(width);
        Steps { slices, all: product([runs, slices]) }
    }
}

/// What the blocks of a tile move and compute; a block is what the whole array accumulates at a time.
pub(crate) struct Tile<'a> {
    inv: &'a ConvInv,
    var: &'a ConvVar,
    machine: &'a Machine,
    steps: Steps,
    /// What a PE accumulates at a time.
    block: Block,
    /// Channels, rows, columns: cut into blocks of `sched` PEs times the outputs that a PE holds.
    oc: Cut,
    oy: Cut,
    ox: Cut,
    /// Stored bytes of all weights and tables.
    weights: u64,
    tables: u64,
}

/// Outputs of a block along channels, rows and columns: from and to.
pub(crate) type Extents = [(u64, u64); 3];

/// Bytes that a block moves, or all blocks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moved {
    pub(crate) acts: u64,
    /// Including their tables, unless these are counted separately.
    pub(crate) weights: u64,
    tables: u64,
    psums: u64,
    pub(crate) results: u64,
}

impl Moved {
    fn loaded(&self) -> u64 {
        let parts = [self.acts, self.weights, self.tables, self.psums];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    fn add(&mut self, more: &Moved) {
        self.acts = self.acts.saturating_add(more.acts);
        self.weights = self.weights.saturating_add(more.weights);
        self.tables = self.tables.saturating_add(more.tables);
        self.psums = self.psums.saturating_add(more.psums);
        self.results = self.results.saturating_add(more.results);
    }
}

/// Total of the blocks of a tile.
pub(crate) struct StoredFlow {
    /// Cycles of the pipeline.
    pub(crate) cycles: u64,
    /// Cycles of the PE array.
    pub(crate) compute: u64,
    pub(crate) moved: Moved,
}

/// One block.
struct Kind {
    oc: Piece,
    oy: Piece,
    ox: Piece,
    /// Whether it loads weights and activations from SRAM.
    loads_weights: bool,
    loads_acts: bool,
}

impl<'a> Tile<'a> {
    pub(crate) fn new(inv: &'a ConvInv, var: &'a ConvVar, machine: &'a Machine, block: &Block) -> Tile<'a> {
        let size = |pes: u16, held: u64| product([u64::from(pes.max(1)), held]);
        let rows = Window {
            origin: var.origin_y,
            stride: inv.stride_y,
            taps: var.kernel_h,
            dilation: inv.dilation_y,
            input: var.in_h,
        };
        let columns = Window {
            origin: var.origin_x,
            stride: inv.stride_x,
            taps: var.kernel_w,
            dilation: inv.dilation_x,
            input: var.in_w,
        };
        let lut = if inv.lut && !var.acc_out { LUT_BYTES } else { 0 };
        Tile {
            inv,
            var,
            machine,
            steps: Steps::of(inv, var, machine),
            block: *block,
            oc: Cut::channels(var.out_c.into(), size(inv.sched_oc, block.oc)),
            oy: Cut::sliding(var.out_h.into(), size(inv.sched_oy, block.oy), rows),
            ox: Cut::sliding(var.out_w.into(), size(inv.sched_ox, block.ox), columns),
            weights: WeightFormat::all_sets_bytes(inv, var).unwrap_or(u64::MAX),
            tables: ENTRY_BYTES.saturating_mul(u64::from(var.out_c)).saturating_add(lut),
        }
    }

    /// Blocks of rows and columns.
    fn positions(&self) -> u64 {
        product([self.oy.count(), self.ox.count()])
    }

    /// How often the weights are loaded.
    fn weight_loads(&self) -> u64 {
        match self.inv.stationary {
            Stationary::Weight => 1,
            Stationary::Output | Stationary::Input => self.positions(),
        }
    }

    /// Activation bytes loaded by all blocks.
    fn acts(&self) -> u64 {
        let once = self.inv.stationary == Stationary::Input && !self.inv.depthwise;
        let mut row = 0u64;
        for (ox, n) in self.ox.pieces() {
            for (oc, loads) in self.oc.pieces().take(if once { 1 } else { usize::MAX }) {
                let bytes = product([n, loads, ox.window, self.pixel_bytes(&oc, ox.holes)]);
                row = row.saturating_add(bytes);
            }
        }
        self.oy.all_windows().saturating_mul(row)
    }

    /// Bytes per pixel that a block of these output channels fetches: whole SRAM words, unless the pixels it reads are
    /// contiguous.
    fn pixel_bytes(&self, oc: &Piece, holes: bool) -> u64 {
        let channels = u64::from(self.var.in_c);
        let part = if self.inv.depthwise {
            oc.size.div_ceil(u64::from(self.var.out_c / self.var.in_c.max(1)).max(1))
        } else {
            channels
        };
        let gap = holes || self.var.act_pixel != self.var.in_c && self.var.in_w > 1;
        let word = if gap || part < channels { u64::from(self.machine.sram_granule.max(1)) } else { 1 };
        product([part.div_ceil(word), word])
    }

    /// The blocks in order: columns run fastest, then rows, then channels; with resident activations, channels run
    /// fastest.
    fn flow(&self) -> Flow {
        let tree = u64::from(self.inv.sched_ic.max(1).ilog2());
        let mut flow = Flow::new(self.steps.slices, tree);
        let axes = match self.inv.stationary {
            Stationary::Output | Stationary::Weight => [&self.oc, &self.oy, &self.ox],
            Stationary::Input => [&self.oy, &self.ox, &self.oc],
        };
        for (a, n) in axes[0].pieces() {
            flow.repeat(n, |flow| {
                for (b, n) in axes[1].pieces() {
                    flow.repeat(n, |flow| {
                        for (c, n) in axes[2].pieces() {
                            let stage = self.stage(&self.kind([a, b, c]));
                            flow.repeat(n, |flow| flow.add(&stage));
                        }
                    });
                }
            });
        }
        flow
    }

    /// The blocks in order with their operands as stored, each computed in `slices` slices of the cycles that
    /// `slices_of` returns; if it returns `None`, as without zero skipping.
    pub(crate) fn flow_stored(
        &self,
        slices: Option<u64>,
        stored: &Stored<'_>,
        mut slices_of: impl FnMut(&Extents) -> Option<Vec<u64>>,
    ) -> StoredFlow {
        let tree = u64::from(self.inv.sched_ic.max(1).ilog2());
        let mut flow = Flow::new(slices.unwrap_or(self.steps.slices), tree);
        let (mut compute, mut moved) = (0u64, Moved::default());
        let axes = match self.inv.stationary {
            Stationary::Output | Stationary::Weight => [&self.oc, &self.oy, &self.ox],
            Stationary::Input => [&self.oy, &self.ox, &self.oc],
        };
        for a in axes[0].blocks() {
            for b in axes[1].blocks() {
                for c in axes[2].blocks() {
                    let kind = self.kind([a.0, b.0, c.0]);
                    let extents = match self.inv.stationary {
                        Stationary::Output | Stationary::Weight => [a.1, b.1, c.1],
                        Stationary::Input => [c.1, a.1, b.1],
                    };
                    let bytes = self.moved(&kind, &extents, stored);
                    let stage = self.stage_of(&kind, bytes.loaded(), bytes.results);
                    moved.add(&bytes);
                    if let Some(cycles) = slices_of(&extents) {
                        compute = cycles.iter().fold(compute, |sum, &n| sum.saturating_add(n));
                        flow.add_slices(&stage, &cycles);
                    } else {
                        compute = compute.saturating_add(stage.compute);
                        flow.add(&stage);
                    }
                }
            }
        }
        StoredFlow { cycles: flow.cycles(), compute, moved }
    }

    /// Traffic of a block, with operands as stored.
    fn moved(&self, kind: &Kind, [oc, oy, ox]: &Extents, stored: &Stored<'_>) -> Moved {
        let (inv, var, m) = (self.inv, self.var, self.machine);
        let raw = Moved { results: self.results(kind), ..self.raw(kind) };
        let mut moved = raw;
        if let (true, Some(kept)) = (kind.loads_acts, stored.acts) {
            let taps = [(var.kernel_h, inv.dilation_y), (var.kernel_w, inv.dilation_x)];
            let rows = stored::positions(*oy, (var.origin_y, inv.stride_y), taps[0], var.in_h);
            let columns = stored::positions(*ox, (var.origin_x, inv.stride_x), taps[1], var.in_w);
            let channels = stored::input_channels(inv, var, *oc);
            let pixel = self.pixel_bytes(&kind.oc, kind.ox.holes);
            moved.acts = stored::pixels((&rows, &columns), &channels, pixel, kept, m);
        }
        if let (true, false, Some(kept)) = (kind.loads_weights, inv.depthwise, stored.weights) {
            let set = self.weights / u64::from(var.out_c.max(1));
            moved.weights = stored::sets(oc.0..oc.1, set, kept, m);
            moved.tables = share_of(self.tables, kind.oc.size, var.out_c.into());
        }
        if let (false, Some(kept)) = (var.acc_out, stored.results) {
            let [rows, columns]: [Vec<u64>; 2] = [*oy, *ox].map(|(from, to)| (from..to).collect());
            let pixel = kind.oc.size.saturating_mul(inv.out_dtype.bytes());
            moved.results = stored::pixels((&rows, &columns), &(oc.0..oc.1), pixel, kept, m);
        }
        moved
    }

    /// A block, given by its pieces in the order of [`Tile::flow`].
    fn kind(&self, [a, b, c]: [Piece; 3]) -> Kind {
        let stays = self.inv.stationary;
        let [oc, oy, ox] = match stays {
            Stationary::Output | Stationary::Weight => [a, b, c],
            Stationary::Input => [c, a, b],
        };
        let loads_weights = stays != Stationary::Weight || (oy.first && ox.first);
        let loads_acts = stays != Stationary::Input || self.inv.depthwise || oc.first;
        Kind { oc, oy, ox, loads_weights, loads_acts }
    }

    /// Cycles of the PE array.
    fn compute(&self) -> u64 {
        let held = |cut: &Cut, pes| {
            cut.pieces().fold(0u64, |sum, (piece, n)| sum.saturating_add(product([n, held(&piece, pes)])))
        };
        let inv = self.inv;
        let outputs =
            [held(&self.oc, inv.sched_oc), held(&self.oy, inv.sched_oy), held(&self.ox, inv.sched_ox)];
        product([product(outputs), self.steps.all])
    }

    /// Bytes that a block loads of uncompressed operands.
    fn raw(&self, kind: &Kind) -> Moved {
        let acts = product([kind.oy.window, kind.ox.window, self.pixel_bytes(&kind.oc, kind.ox.holes)]);
        let filters = share_of(self.weights.saturating_add(self.tables), kind.oc.size, self.var.out_c.into());
        let psums = product([kind.oc.size, kind.oy.size, kind.ox.size, Dtype::I32.bytes()]);
        let only = |is: bool, bytes: u64| if is { bytes } else { 0 };
        Moved {
            acts: only(kind.loads_acts, acts),
            weights: only(kind.loads_weights, filters),
            tables: 0,
            psums: only(self.var.acc_in, psums),
            results: 0,
        }
    }

    /// Bytes that a block stores of uncompressed results.
    fn results(&self, kind: &Kind) -> u64 {
        let element = if self.var.acc_out { Dtype::I32 } else { self.inv.out_dtype };
        product([kind.oc.size, kind.oy.size, kind.ox.size, element.bytes()])
    }

    /// Cycles of a block with uncompressed operands.
    fn stage(&self, kind: &Kind) -> Stage {
        self.stage_of(kind, self.raw(kind).loaded(), self.results(kind))
    }

    /// Cycles of a block that loads and stores these many bytes.
    fn stage_of(&self, kind: &Kind, loaded: u64, stored: u64) -> Stage {
        let inv = self.inv;
        let outputs = product([kind.oc.size, kind.oy.size, kind.ox.size]);
        let held = [held(&kind.oc, inv.sched_oc), held(&kind.oy, inv.sched_oy), held(&kind.ox, inv.sched_ox)];
        let compute = product([product(held), self.steps.all]);
        Stage::new(loaded, compute, stored, outputs, self.machine)
    }

    /// Accesses of the register files and the adder trees.
    ///
    /// For every product a lane reads an activation and a decoded weight, one byte each; in every step a PE reads and
    /// writes an accumulator. Every PE that needs an operand has its own copy, loaded once per tap and block, or once
    /// while resident.
    fn register_files(&self) -> Events {
        let (inv, var) = (self.inv, self.var);
        let [channels, rows, columns] = [var.out_c, var.out_h, var.out_w].map(u64::from);
        let split = u64::from(inv.sched_ic.max(1));
        let products = product([channels, rows, columns, taps(var), depth(inv, var)]);
        let steps = product([channels, rows, columns, split, self.steps.all]);
        let copies = |pes: u16, blocks: u64, of: u64| product([u64::from(pes.max(1)), blocks]).min(of);
        let weight_copies = product([
            copies(
                inv.sched_oy,
                if inv.stationary == Stationary::Weight { 1 } else { self.oy.count() },
                rows,
            ),
            copies(
                inv.sched_ox,
                if inv.stationary == Stationary::Weight { 1 } else { self.ox.count() },
                columns,
            ),
        ]);
        let if_write = match inv.stationary {
            _ if inv.depthwise => products,
            Stationary::Output | Stationary::Weight => product([
                rows,
                columns,
                taps(var),
                depth(inv, var),
                copies(inv.sched_oc, self.oc.count(), channels),
            ]),
            Stationary::Input => product([
                self.oy.all_windows(),
                self.ox.all_windows(),
                depth(inv, var),
                copies(inv.sched_oc, 1, channels),
            ]),
        };
        let sums = steps.saturating_mul(Dtype::I32.bytes());
        let held = Held::of(inv, var, self.machine, &self.block, [&self.oc, &self.oy, &self.ox]);
        Events {
            pe_steps: steps,
            steps_held: held.steps_held,
            act_held: held.act_held,
            weight_held: held.weight_held,
            routed: held.routed,
            routed_held: held.routed_held,
            packed_blocks: held.packed_blocks,
            if_read: products,
            if_held: held.if_held,
            if_write,
            if_entries: held.if_entries,
            fl_read: products,
            fl_held: held.fl_held,
            fl_write: product([channels, taps(var), depth(inv, var), weight_copies]),
            fl_entries: held.fl_entries,
            of_read: sums,
            of_write: sums,
            tree_adds: product([channels, rows, columns, split - 1]),
            ..Events::NONE
        }
    }
}

/// Outputs along a dimension in the busiest PE of a block.
fn held(block: &Piece, pes: u16) -> u64 {
    block.size.div_ceil(u64::from(pes.max(1)))
}

#[cfg(test)]
mod tests {
    use dpu_isa::Method;

    use super::*;

    fn conv_56(method: Method) -> (ConvInv, ConvVar) {
        let inv = ConvInv {
            method,
            block: 16,
            low: if method == Method::Dense { 0 } else { 8 },
            param: if method == Method::Mip2q { 7 } else { 0 },
            sched_oc: 16,
            sched_oy: 4,
            sched_ox: 4,
            ..ConvInv::default()
        };
        let var = ConvVar {
            in_h: 16,
            in_w: 56,
            in_c: 64,
            act_pixel: 64,
            origin_y: -1,
            origin_x: -1,
            kernel_h: 3,
            kernel_w: 3,
            out_h: 16,
            out_w: 56,
            out_c: 64,
            ..ConvVar::default()
        };
        (inv, var)
    }

    fn cost(inv: &ConvInv, var: &ConvVar, m: &Machine) -> Cost {
        conv(inv, var, m).unwrap()
    }

    /// Multiply-accumulates of the tile divided by those of the array per cycle.
    const FULL: u64 = 16 * 56 * 64 * 576 / 2048;

    #[test]
    fn a_full_array_computes_2048_macs_a_cycle() {
        let m = Machine::flexnn_16x16();
        let (inv, var) = conv_56(Method::Dense);
        let cost = cost(&inv, &var, &m);
        assert_eq!(cost.macs, FULL * 2048);
        // Four blocks of 64 x 4 x 56 outputs. Before them an eighth of the first load: 5 rows of 56 x 64 activations,
        // 36,864 bytes of weights and 1,024 of the table in 436 cycles; after them 14,336 outputs through 64 PPEs.
        assert_eq!(cost.cycles, 32 + 55 + FULL + 224);
        assert_eq!(cost.traffic.sram_read, (5 + 6 + 6 + 5) * 56 * 64 + 4 * (36864 + 1024));
        assert_eq!(cost.traffic.sram_write, 16 * 56 * 64);
    }

    #[test]
    fn an_adder_tree_splits_the_input_channels() {
        let m = Machine::flexnn_16x16();
        let (mut inv, var) = conv_56(Method::Dense);
        (inv.sched_oc, inv.sched_ic) = (2, 8);
        let cost = cost(&inv, &var, &m);
        // 4 x 14 outputs per PE and block: 32 blocks, each loaded in one slice.
        assert_eq!(cost.cycles, 32 + (5 * 56 * 64u64 + 36864 / 8 + 128).div_ceil(128) + FULL + 28 + 3);
        assert_eq!(cost.events.tree_adds, 16 * 56 * 64 * 7);
    }

    #[test]
    fn static_pes_halve_dense_and_keep_half_packed() {
        let m = Machine { pe_kind: PeKind::StrumStatic, ..Machine::flexnn_16x16() };
        let compute = |method, low| {
            let (mut inv, var) = conv_56(method);
            inv.low = low;
            let busy = cost(&inv, &var, &m).events.lane_idle + FULL * 2048;
            busy / 2048
        };
        assert_eq!(compute(Method::Dense, 0), 2 * FULL);
        assert_eq!(compute(Method::Mip2q, 8), FULL);
        assert_eq!(compute(Method::Mip2q, 4), FULL * 3 / 2);
        assert_eq!(compute(Method::Mip2q, 12), FULL * 3 / 2);
    }

    #[test]
    fn a_fold_fills_the_lanes_with_columns_of_the_kernel() {
        let m = Machine::flexnn_16x16();
        let (mut inv, mut var) = conv_56(Method::Dense);
        (var.in_c, var.kernel_h, var.kernel_w) = (3, 7, 7);
        let plain = cost(&inv, &var, &m);
        inv.fold = true;
        let folded = cost(&inv, &var, &m);
        // 21 products in three vectors of 8 lanes instead of one vector per column.
        assert_eq!((plain.events.pe_steps, folded.events.pe_steps), (16 * 56 * 64 * 49, 16 * 56 * 64 * 21));
        assert!(folded.cycles < plain.cycles / 2);
        inv.depthwise = true;
        assert_eq!(conv(&inv, &var, &m), Err(ScheduleError::Fold));
    }

    #[test]
    fn what_stays_is_loaded_once() {
        let m = Machine { fl_rf_bytes: 65536, if_rf_bytes: 65536, ..Machine::flexnn_16x16() };
        let (mut inv, var) = conv_56(Method::Dense);
        (inv.sched_oc, inv.sched_oy, inv.sched_ox) = (4, 1, 8);
        (inv.block_oc, inv.block_oy, inv.block_ox) = (4, 2, 7);
        let of = |stationary| cost(&ConvInv { stationary, ..inv }, &var, &m).events;
        let [sums, weights, acts] = [Stationary::Output, Stationary::Weight, Stationary::Input].map(of);
        assert_eq!((sums.sram_weight_read, weights.sram_weight_read), (8 * 36864, 36864));
        assert_eq!((acts.sram_weight_read, acts.sram_act_read * 4), (8 * 36864, sums.sram_act_read));
        assert_eq!(weights.sram_act_read, sums.sram_act_read);
        assert!(weights.fl_write < sums.fl_write && acts.if_write < sums.if_write);
        let small = Machine::flexnn_16x16();
        let refused = conv(&ConvInv { stationary: Stationary::Weight, ..inv }, &var, &small);
        assert_eq!(refused, Err(ScheduleError::Weights { got: 4 * 576, max: 32 }));
        let refused = conv(&ConvInv { stationary: Stationary::Input, ..inv }, &var, &small);
        assert_eq!(refused, Err(ScheduleError::Inputs { got: 4 * 9 * 64, max: 32 }));
        let refused = conv(&ConvInv { block_ox: 9, ..inv }, &var, &small);
        assert_eq!(refused, Err(ScheduleError::Accumulators { oc: 4, oy: 2, ox: 9, got: 72, max: 64 }));
    }
}
