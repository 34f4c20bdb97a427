//! A PE array simulated cycle by cycle: IDU, register-file halves, lanes, adder tree, PPE and ODU.
//!
//! It implements the machine as described in `docs/timing.md` and shares no arithmetic with the formulas there: positions are
//! marked one by one, products are consumed lane by lane, bytes are counted as they pass. It takes plain numbers and is slow.
//!
//! ```
//! use strum_ref::array::{Array, Layer, Schedule, run};
//!
//! let (half_shift, chooses, files) = (false, false, [64; 2]);
//! let array = Array { lanes: 8, read: 128, write: 128, banks: 256, word: 16, ppe: 64, half_shift, chooses, files };
//! let layer = Layer { input: [4, 4, 16], output: [4, 4, 8], kernel: [1, 1], set_bytes: 16, ..Layer::default() };
//! let run = run(&array, &layer, &Schedule { pes: [8, 4, 4], ..Schedule::default() });
//! assert_eq!(run.macs, 4 * 4 * 16 * 8);
//! // Two slices: 4·4·16 activations, 8·16 weights and 8·16 bytes of table in 4 cycles, two steps, 128 outputs in 2 cycles.
//! assert!((6..=9).contains(&run.cycles));
//! ```

mod order;
mod storage;

pub use order::{Followed, follow};
use storage::pack;

/// The resources of the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Array {
    /// Products of a PE per cycle.
    pub lanes: u64,
    /// Bytes that the IDU reads per cycle.
    pub read: u64,
    /// Bytes that the ODU writes per cycle.
    pub write: u64,
    /// Bytes that the SRAM's banks read and write together per cycle.
    pub banks: u64,
    /// Bytes per SRAM word.
    pub word: u64,
    /// Outputs that the PPEs process per cycle.
    pub ppe: u64,
    /// Half of the lanes only shift: these process low members, the others the rest.
    pub half_shift: bool,
    /// PEs choose the activations of a packed vector by the mask of its weights.
    pub chooses: bool,
    /// Bytes of the input and of the filter register file of a PE.
    pub files: [u64; 2],
}

/// A tile of a convolution; triples are rows, columns, channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Input in SRAM.
    pub input: [u64; 3],
    /// Outputs.
    pub output: [u64; 3],
    /// Taps: rows and columns.
    pub kernel: [u64; 2],
    /// Stride of windows.
    pub stride: [u64; 2],
    /// Stride of taps.
    pub dilation: [u64; 2],
    /// Position of the first tap of the first window.
    pub origin: [i64; 2],
    /// Every output channel sums over a single input channel.
    pub depthwise: bool,
    /// Bytes of the stored weights per output channel; depthwise, of all of them.
    pub set_bytes: u64,
    /// Weights per block and low members of it; `[1, 0]` if weights are not packed.
    pub packed: [u64; 2],
    /// Pixels have a gap after their channels.
    pub gap: bool,
    /// Bytes of the lookup table.
    pub lut: u64,
    /// Sums come from SRAM, 4 bytes each.
    pub sums_in: bool,
    /// Bytes per stored output.
    pub out_bytes: u64,
}

impl Default for Layer {
    fn default() -> Self {
        Layer {
            input: [1; 3],
            output: [1; 3],
            kernel: [1; 2],
            stride: [1; 2],
            dilation: [1; 2],
            origin: [0; 2],
            depthwise: false,
            set_bytes: 16,
            packed: [1, 0],
            gap: false,
            lut: 0,
            sums_in: false,
            out_bytes: 1,
        }
    }
}

/// The stationary operand of a PE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stays {
    /// None.
    Sums,
    /// Weights, over all positions of the same channels.
    Weights,
    /// Activations, over all channels of the same positions.
    Activations,
}

/// How PEs share the work; triples are channels, rows, columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// PEs.
    pub pes: [u64; 3],
    /// Outputs that a PE accumulates at a time.
    pub block: [u64; 3],
    /// PEs that split the input channels of an output.
    pub tree: u64,
    /// The stationary operand.
    pub stays: Stays,
    /// Kernel columns and channels fill the lanes contiguously.
    pub fold: bool,
}

impl Default for Schedule {
    fn default() -> Self {
        Schedule { pes: [1; 3], block: [1; 3], tree: 1, stays: Stays::Sums, fold: false }
    }
}

/// The results of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Cycles from the first byte read to the last byte written.
    pub cycles: u64,
    /// Products, padding included.
    pub macs: u64,
    /// Bytes read from SRAM.
    pub read: u64,
    /// Bytes written to it.
    pub written: u64,
    /// Blocks of outputs.
    pub blocks: u64,
}

/// One block in flight.
#[derive(Clone, Debug)]
struct Block {
    /// Bytes to load, and of these, activations and weights.
    load: u64,
    acts: u64,
    weights: u64,
    /// Uncompressed bytes of an activation pixel.
    pixel: u64,
    /// Bytes to store.
    stored: u64,
    /// All outputs.
    total: u64,
    /// Channel, row and column of the outputs of every PE.
    places: Vec<Vec<[u64; 3]>>,
    /// Cycles of every PE, slice by slice.
    work: Vec<Vec<u64>>,
}

/// Simulates a tile.
#[must_use]
pub fn run(array: &Array, layer: &Layer, schedule: &Schedule) -> Seen {
    let (slices, products) = slices(array, layer, schedule);
    let mut blocks = blocks(array, layer, schedule);
    for block in &mut blocks {
        let outputs = |steps: u64| block.places.iter().map(|places| places.len() as u64 * steps).collect();
        block.work = slices.iter().map(|&steps| outputs(steps)).collect();
    }
    let seen = step(array, layer, schedule, &blocks, slices.len());
    let outputs: u64 = blocks.iter().map(|b| b.total).sum();
    Seen { macs: outputs * products, ..seen }
}

/// Which operands of a tile are non-zero, and how many vectors of channels a PE holds at a time: a slice.
pub struct Present<'a> {
    /// The input at a row, a column (both may lie in the padding) and a channel.
    pub act: &'a dyn Fn(i64, i64, u64) -> bool,
    /// The weight of an output channel at a tap row, a tap column and an input channel (depthwise: 0).
    pub weight: &'a dyn Fn(u64, u64, u64, u64) -> bool,
    /// Vectors per slice.
    pub vectors: u64,
    /// Whether PEs skip zeros.
    pub skips: bool,
    /// The result at a row, a column and a channel.
    pub result: &'a dyn Fn(u64, u64, u64) -> bool,
    /// Whether input, weights and results are stored zero-compressed.
    pub stored: [bool; 3],
}

/// Simulates a tile whose PEs skip zeros; its `macs` are the pairs that they computed.
#[must_use]
pub fn run_skipping(array: &Array, layer: &Layer, schedule: &Schedule, present: &Present<'_>) -> Seen {
    let mut blocks = blocks(array, layer, schedule);
    blocks.iter_mut().for_each(|block| pack(array, layer, present, block));
    if !present.skips {
        let (slices, products) = self::slices(array, layer, schedule);
        for block in &mut blocks {
            let outputs =
                |steps: u64| block.places.iter().map(|places| places.len() as u64 * steps).collect();
            block.work = slices.iter().map(|&steps| outputs(steps)).collect();
        }
        let outputs: u64 = blocks.iter().map(|b| b.total).sum();
        let seen = step(array, layer, schedule, &blocks, slices.len());
        return Seen { macs: outputs * products, ..seen };
    }
    let held = present.vectors * array.lanes * schedule.tree;
    let slices = if layer.depthwise { 1 } else { layer.input[2].div_ceil(held) };
    let mut pairs = 0;
    for block in &mut blocks {
        for slice in 0..slices {
            let channels = slice * held..layer.input[2].min((slice + 1) * held);
            let mut work = Vec::new();
            for outputs in &block.places {
                for pe in 0..schedule.tree {
                    let each = outputs.iter().map(|&output| {
                        taken(array, layer, schedule, present, output, (channels.clone(), pe), &mut pairs)
                    });
                    work.push(each.sum());
                }
            }
            block.work.push(work);
        }
    }
    let seen = step(array, layer, schedule, &blocks, usize::try_from(slices).unwrap_or(0));
    Seen { macs: pairs, ..seen }
}

/// Cycles that a PE of an adder tree needs for an output and these channels; adds up the pairs.
fn taken(
    array: &Array,
    layer: &Layer,
    schedule: &Schedule,
    present: &Present<'_>,
    [oc, oy, ox]: [u64; 3],
    (channels, pe): (std::ops::Range<u64>, u64),
    pairs: &mut u64,
) -> u64 {
    let reach = |axis: usize, o: u64, k: u64| {
        layer.origin[axis]
            + i64::try_from(o * layer.stride[axis] + k * layer.dilation[axis]).unwrap_or(i64::MAX)
    };
    let (mut cycles, mut own) = (0, 0);
    for (ky, kx) in (0..layer.kernel[0]).flat_map(|y| (0..layer.kernel[1]).map(move |x| (y, x))) {
        let (iy, ix) = (reach(0, oy, ky), reach(1, ox, kx));
        if layer.depthwise {
            let ic = oc / (layer.output[2] / layer.input[2]);
            own += u64::from((present.act)(iy, ix, ic) && (present.weight)(oc, ky, kx, 0));
            continue;
        }
        // Channels are distributed over the lanes of one PE of the tree after another; the busiest lane
        // decides.
        let mut busiest = 1;
        for lane in 0..array.lanes {
            let first = channels.start + pe * array.lanes + lane;
            let stride = usize::try_from(array.lanes * schedule.tree).unwrap_or(1);
            let both = |&ic: &u64| (present.act)(iy, ix, ic) && (present.weight)(oc, ky, kx, ic);
            let count = (first..channels.end).step_by(stride).filter(both).count() as u64;
            busiest = busiest.max(count);
            own += count;
        }
        cycles += busiest;
    }
    *pairs += own;
    if layer.depthwise { own.max(1) } else { cycles }
}

fn step(array: &Array, layer: &Layer, schedule: &Schedule, blocks: &[Block], slices: usize) -> Seen {
    let mut machine = Stepper {
        array,
        blocks,
        slices,
        out_bytes: layer.out_bytes,
        tree_delay: (0..64).find(|&n| 1u64 << n >= schedule.tree).unwrap_or(0),
        idu: Idu::default(),
        mpe: Mpe::default(),
        drained: 0,
        taken: 0,
        queue: 0,
        seen: Seen::default(),
    };
    while !machine.done() {
        machine.step();
    }
    Seen { blocks: blocks.len() as u64, ..machine.seen }
}

/// The fetches of the IDU.
#[derive(Debug, Default)]
struct Idu {
    /// The block and the slice being fetched.
    block: usize,
    slice: usize,
    /// Bytes of the block that have arrived.
    bytes: u64,
    /// Slices that have arrived, of all blocks.
    ready: usize,
}

/// The state of the array.
#[derive(Debug, Default)]
struct Mpe {
    block: usize,
    slice: usize,
    /// Remaining steps of each PE in the slice; empty if no slice is in progress.
    left: Vec<u64>,
    /// Finished slices, of all blocks.
    done: usize,
    /// When each block's sums left the adder tree.
    finished: Vec<u64>,
}

struct Stepper<'a> {
    array: &'a Array,
    blocks: &'a [Block],
    /// Slices per block.
    slices: usize,
    out_bytes: u64,
    tree_delay: u64,
    idu: Idu,
    mpe: Mpe,
    /// Blocks that are fully written, and outputs of the next one that the PPE has processed.
    drained: usize,
    taken: u64,
    /// Bytes between PPE and ODU.
    queue: u64,
    seen: Seen,
}

impl Stepper<'_> {
    fn done(&self) -> bool {
        self.drained == self.blocks.len()
    }

    fn step(&mut self) {
        let now = self.seen.cycles;
        let (ready, drained) = (self.idu.ready, self.drained);
        let fetched = self.fetch();
        self.drain(now, self.array.banks - fetched);
        self.compute(now, ready, drained);
        self.seen.cycles += 1;
    }

    /// PPE and ODU, which writes earlier and current results of the PPE as far as the banks have `bytes`
    /// left.
    fn drain(&mut self, now: u64, bytes: u64) {
        if let Some(block) = self.blocks.get(self.drained)
            && self.mpe.finished.get(self.drained).is_some_and(|&at| at <= now)
        {
            let room = (self.array.ppe * self.out_bytes).saturating_sub(self.queue) / self.out_bytes;
            let n = self.array.ppe.min(block.total - self.taken).min(room);
            let bytes = |outputs: u64| block.stored * outputs / block.total;
            self.queue += bytes(self.taken + n) - bytes(self.taken);
            self.taken += n;
        }
        let written = self.queue.min(self.array.write).min(bytes);
        self.queue -= written;
        self.seen.written += written;
        // The accumulators are free once their block is written.
        if self.queue == 0 && self.blocks.get(self.drained).is_some_and(|b| b.total == self.taken) {
            (self.drained, self.taken) = (self.drained + 1, 0);
        }
    }

    /// The IDU fills the half of the register files that the array does not use: it is at most one slice ahead. The
    /// cycles of a block are distributed evenly over its slices. Returns the bytes read.
    fn fetch(&mut self) -> u64 {
        let Some(block) = self.blocks.get(self.idu.block) else { return 0 };
        if self.idu.ready >= self.mpe.done + 2 {
            return 0;
        }
        let n = self.array.read.min(self.array.banks).min(block.load - self.idu.bytes);
        self.idu.bytes += n;
        self.seen.read += n;
        let (slices, width) = (self.slices as u64, self.array.read.min(self.array.banks));
        let cycles = block.load.div_ceil(width) * (self.idu.slice as u64 + 1) / slices;
        if self.idu.bytes < block.load.min(cycles * width) {
            return n;
        }
        self.idu.ready += 1;
        self.idu.slice += 1;
        if self.idu.slice == self.slices {
            self.idu = Idu { block: self.idu.block + 1, ready: self.idu.ready, ..Idu::default() };
        }
        n
    }

    /// Every PE does one step of one output; the array advances when the slowest PE is done.
    fn compute(&mut self, now: u64, ready: usize, drained: usize) {
        let mpe = &mut self.mpe;
        let Some(block) = self.blocks.get(mpe.block) else { return };
        if mpe.left.is_empty() {
            // Two sets of accumulators: that of the last block but one must be free.
            let free = mpe.slice > 0 || mpe.block < drained + 2;
            if ready <= mpe.done || !free {
                return;
            }
            mpe.left = block.work.get(mpe.slice).cloned().unwrap_or_default();
        }
        let mut busy = false;
        for left in &mut mpe.left {
            *left = left.saturating_sub(1);
            busy |= *left > 0;
        }
        if busy {
            return;
        }
        mpe.left.clear();
        mpe.done += 1;
        mpe.slice += 1;
        if mpe.slice == self.slices {
            (mpe.block, mpe.slice) = (mpe.block + 1, 0);
            mpe.finished.push(now + 1 + self.tree_delay);
        }
    }
}

/// Steps of an output in every slice, and its products.
///
/// The PEs of a tree consume the products of a run (a tap, or with a fold a row of taps) from one queue each, as many
/// per step as they have lanes; the operands of the n-th step of every run are the n-th slice.
fn slices(array: &Array, layer: &Layer, schedule: &Schedule) -> (Vec<u64>, u64) {
    let [kernel_h, kernel_w] = layer.kernel;
    let channels = if layer.depthwise { 1 } else { layer.input[2] };
    let (run, runs) = if schedule.fold { (kernel_w, kernel_h) } else { (1, kernel_h * kernel_w) };
    let products = run * channels;
    let mut slices = Vec::new();
    let [width, low] = layer.packed;
    if layer.depthwise {
        // One product per cycle; two cycles if half of the lanes are multipliers and nothing is packed.
        let each = if array.half_shift && width == 1 { 2 } else { 1 };
        return (vec![runs * each], runs);
    }
    if array.half_shift {
        // High members queue for multipliers, low ones for shifters; without packing all are high. In units of a
        // `width`-th, since a block's members are distributed evenly over the lanes.
        let per_step = schedule.tree * array.lanes * width;
        let (mut high, mut few) = (2 * products * (width - low), 2 * products * low);
        while high > 0 || few > 0 {
            (high, few) = (high.saturating_sub(per_step), few.saturating_sub(per_step));
            slices.push(runs);
        }
    } else {
        let mut left = products;
        while left > 0 {
            for _ in 0..schedule.tree {
                left = left.saturating_sub(array.lanes);
            }
            slices.push(runs);
        }
    }
    (slices, runs * products)
}

/// The blocks in order.
fn blocks(array: &Array, layer: &Layer, schedule: &Schedule) -> Vec<Block> {
    let [out_h, out_w, out_c] = layer.output;
    let size = |i: usize| schedule.pes[i] * schedule.block[i];
    let starts = |extent: u64, size: u64| (0..extent).step_by(usize::try_from(size).unwrap_or(1));
    let mut blocks = Vec::new();
    let mut add = |[c, y, x]: [u64; 3]| {
        let ends = [(c, out_c, 0), (y, out_h, 1), (x, out_w, 2)]
            .map(|(start, extent, i)| extent.min(start + size(i)));
        let first_position = y == 0 && x == 0;
        let loads_weights = schedule.stays != Stays::Weights || first_position;
        let loads_acts = schedule.stays != Stays::Activations || c == 0 || layer.depthwise;
        blocks.push(block(array, layer, schedule, [c, y, x], ends, [loads_weights, loads_acts]));
    };
    if schedule.stays == Stays::Activations {
        for y in starts(out_h, size(1)) {
            for x in starts(out_w, size(2)) {
                starts(out_c, size(0)).for_each(|c| add([c, y, x]));
            }
        }
    } else {
        for c in starts(out_c, size(0)) {
            for y in starts(out_h, size(1)) {
                starts(out_w, size(2)).for_each(|x| add([c, y, x]));
            }
        }
    }
    blocks
}

fn block(
    array: &Array,
    layer: &Layer,
    schedule: &Schedule,
    from: [u64; 3],
    to: [u64; 3],
    [loads_weights, loads_acts]: [bool; 2],
) -> Block {
    let [c, y, x] = [0, 1, 2].map(|i| (from[i], to[i]));
    let total = [c, y, x].iter().map(|(a, b)| b - a).product();
    let ((rows, _), (columns, holes)) = (touched(layer, 0, y), touched(layer, 1, x));
    let (in_c, out_c) = (layer.input[2], layer.output[2]);
    let channels = if layer.depthwise {
        let each = out_c / in_c;
        (c.1 - 1) / each + 1 - c.0 / each
    } else {
        in_c
    };
    // Non-contiguous pixels are fetched in whole words.
    let apart = layer.gap || channels < in_c || holes;
    let pixel = if apart { channels.next_multiple_of(array.word) } else { channels };
    let share = |bytes: u64| bytes * c.1 / out_c - bytes * c.0 / out_c;
    let (mut load, mut acts, mut weights) = (0, 0, 0);
    if loads_acts {
        acts = rows * columns * pixel;
        load += acts;
    }
    if loads_weights {
        weights = if layer.depthwise { share(layer.set_bytes) } else { layer.set_bytes * (c.1 - c.0) };
        load += weights;
        load += share(16 * out_c + layer.lut);
    }
    if layer.sums_in {
        load += 4 * total;
    }
    // Outputs are distributed over the PEs along every dimension in contiguous runs.
    let parts = |(from, to): (u64, u64), pes: u64| {
        let each = (to - from).div_ceil(pes);
        (0..pes).map(move |p| (from + p * each).min(to)..(from + (p + 1) * each).min(to)).collect::<Vec<_>>()
    };
    let mut places = Vec::new();
    for c in parts(c, schedule.pes[0]) {
        for y in parts(y, schedule.pes[1]) {
            for x in parts(x, schedule.pes[2]) {
                let all = c.clone().flat_map(|c| {
                    let x = x.clone();
                    y.clone().flat_map(move |y| x.clone().map(move |x| [c, y, x]))
                });
                places.push(all.collect());
            }
        }
    }
    let stored = total * layer.out_bytes;
    Block { load, acts, weights, pixel, stored, total, places, work: Vec::new() }
}

/// Positions of the input along an axis that some tap of outputs `from..to` reads, and whether they are not contiguous:
/// with gaps, or one of several segments.
fn touched(layer: &Layer, axis: usize, (from, to): (u64, u64)) -> (u64, bool) {
    let mut marks = vec![false; usize::try_from(layer.input[axis]).unwrap_or(0)];
    for output in from..to {
        for tap in 0..layer.kernel[axis] {
            let reach = output * layer.stride[axis] + tap * layer.dilation[axis];
            let at = layer.origin[axis] + i64::try_from(reach).unwrap_or(i64::MAX);
            if let Some(mark) = usize::try_from(at).ok().and_then(|at| marks.get_mut(at)) {
                *mark = true;
            }
        }
    }
    let count = marks.iter().filter(|&&mark| mark).count();
    let first = marks.iter().position(|&mark| mark).unwrap_or(0);
    let last = marks.iter().rposition(|&mark| mark).map_or(first, |last| last + 1);
    (count as u64, last - first > count || count == 1 && marks.len() > 1)
}
