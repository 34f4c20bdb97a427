//! The tasks of a convolution: loads, variants and stores, pipelined in list order.

use std::collections::BTreeMap;
use std::ops::Range;

use dpu_isa::{ConvInv, ConvVar, Instr, Machine};

use crate::dma::{At, Dim, Mover};
use crate::draft::{BufferId, Draft};
use crate::error::{PlanError, narrow};
use crate::pipeline::{Outputs, Pipeline, check_tasks};
use crate::scope::LayerScope;
use crate::strategy::{ScheduleStrategy, check_schedules};
use crate::tile::check::{Mark, Subject, check};
use crate::tile::dataflow::Tiles;
use crate::tile::sched::{Array, Extent, Schedule};
use crate::tile::search::Choice;
use crate::tile::steps::{Step, for_each_step};
use crate::tile::stream::Stream;
use crate::tile::{Problem, Tiling};
use crate::view::{ActPlace, ActTile, Field};

use super::weights::{Channels, Claim, Loaded, Loader, Source};

/// Slots for invariants.
const INV_SLOTS: usize = 16;

/// A layer ready for tiling.
pub(crate) struct Layer<'a> {
    pub(crate) problem: Problem,
    pub(crate) field: Field,
    pub(crate) source: Source<'a>,
    pub(crate) channels: Channels<'a>,
}

impl Layer<'_> {
    /// The layer as the checker sees it.
    pub(crate) fn subject<'a>(&'a self, claims: &'a BTreeMap<BufferId, Claim>) -> Subject<'a> {
        let weights = Some((self.source, self.channels, claims));
        Subject { field: &self.field, per_channel: self.problem.per_channel, weights }
    }
}

/// Tiles the layer, appends its tasks and checks them.
///
/// # Errors
/// As for [`super::plan_conv`].
pub(crate) fn plan(scope: &mut LayerScope<'_>, layer: &Layer<'_>) -> Result<(), PlanError> {
    let mark = Mark::of(scope.draft);
    let claims = emit(scope, layer)?;
    if cfg!(debug_assertions) {
        check(scope.draft, scope.tile_bytes(), &layer.subject(&claims), mark)?;
    }
    Ok(())
}

/// Tiles the layer and appends its tasks. Returns what every constant chunk of weights holds.
///
/// # Errors
/// As for [`super::plan_conv`].
pub(crate) fn emit(
    scope: &mut LayerScope<'_>,
    layer: &Layer<'_>,
) -> Result<BTreeMap<BufferId, Claim>, PlanError> {
    let given = scope.given_schedules().to_vec();
    check_schedules(&given, &Array::of(scope.machine))?;
    let choice = scope.decide_tiling(&layer.problem)?;
    check_tasks(scope.draft, &choice)?;
    let budget = scope.budget();
    let tiles = Tiles::new(&layer.problem, &budget, &given);
    let mut emitter = Emitter::new(scope.draft, scope.machine, layer, &choice, tiles)?;
    for image in 0..layer.problem.repeats {
        for_each_step(&layer.problem, &choice.tiling, |step| emitter.step(scope.draft, image, step))?;
    }
    emitter.pipeline.flush(scope.draft)?;
    let unused = given.iter().find(|s| !emitter.scheds.contains_key(&s.tile));
    if let Some(s) = unused {
        return Err(PlanError::refused(format!("schedule for tile {}: the layer has no such tile", s.tile)));
    }
    let schedules = emitter.scheds.iter().map(|(&tile, schedule)| ScheduleStrategy::of(tile, schedule));
    scope.decide_schedules(schedules.collect());
    Ok(emitter.weights.into_claims())
}

struct Emitter<'a> {
    layer: &'a Layer<'a>,
    tiling: Tiling,
    mover: Mover,
    acts: Stream,
    weights: Loader<'a>,
    outs: Outputs,
    psum: Option<BufferId>,
    lut: Option<BufferId>,
    pipeline: Pipeline,
    invariants: Vec<ConvInv>,
    next_slot: usize,
    scheds: BTreeMap<Extent, Schedule>,
    tiles: Tiles<'a>,
}

impl<'a> Emitter<'a> {
    fn new(
        draft: &mut Draft,
        machine: &Machine,
        layer: &'a Layer<'a>,
        choice: &Choice,
        tiles: Tiles<'a>,
    ) -> Result<Self, PlanError> {
        let tiling = choice.tiling;
        let mut mover = Mover::new(machine, choice.estimate.split_weights);
        let depthwise = layer.problem.per_channel.is_some();
        let acts = Stream::new(draft, tiling.act_slots, tiling.act_bytes)?;
        let weights = Loader::new(draft, layer.source, layer.channels, depthwise, &tiling)?;
        let outs = Outputs::new(draft, &tiling, &layer.problem, layer.field.output)?;
        let psum = if tiling.psum_bytes > 0 { Some(draft.sram(tiling.psum_bytes)?) } else { None };
        let lut = match layer.channels.ppe.lut_bytes() {
            Some(bytes) => Some(load_lut(draft, &mut mover, bytes)?),
            None => None,
        };
        Ok(Emitter {
            layer,
            tiling,
            mover,
            acts,
            weights,
            outs,
            psum,
            lut,
            pipeline: Pipeline::default(),
            invariants: Vec::new(),
            next_slot: 0,
            scheds: BTreeMap::new(),
            tiles,
        })
    }

    /// Loads what a step needs, then lets the previous step compute and store.
    fn step(&mut self, draft: &mut Draft, repeat: u64, step: &Step) -> Result<(), PlanError> {
        let problem = &self.layer.problem;
        let parts = self.tiling.reductions();
        let channels = self.tiling.oc.count();
        let spatial = problem.images * self.tiling.oy.count() * self.tiling.ox.count();
        let place = repeat * spatial + step.spatial;
        let act_key = match problem.per_channel {
            Some(_) => (place * channels + step.channel) * parts + step.reduction,
            None => place * parts + step.reduction,
        };
        let weight_key = (repeat * channels + step.channel) * parts + step.reduction;
        let tile = ActTile {
            y: problem.y,
            x: problem.x,
            rows: problem.y.window(&step.oy, &step.ky),
            columns: problem.x.window(&step.ox, &step.kx),
        };
        let image = repeat * problem.images + step.image;
        // Weights first: they need not wait for the layer before.
        let weights = self.weights.load(draft, &mut self.mover, step, weight_key, repeat)?;
        let act = self.load_act(draft, image, act_key, &tile, &self.in_channels(step))?;
        self.pipeline.flush(draft)?;
        self.compute(draft, step, &tile, act, weights, image)
    }

    /// The input channels of a step.
    fn in_channels(&self, step: &Step) -> Range<u64> {
        match self.layer.problem.per_channel {
            Some(m) => step.oc.start / m..step.oc.end.div_ceil(m),
            None => step.ic.clone(),
        }
    }

    fn load_act(
        &mut self,
        draft: &mut Draft,
        image: u64,
        key: u64,
        tile: &ActTile,
        channels: &Range<u64>,
    ) -> Result<ActPlace, PlanError> {
        let input = &self.layer.field.input;
        if input.held {
            return Ok(input.place(image, tile, channels));
        }
        let place = self.acts.place(key)?;
        let slot = ActPlace::packed(place.buffer, tile.columns.len, channels.end - channels.start);
        if place.load {
            let (from, dims) = input.gather(image, tile, channels);
            self.mover.load(draft, from, slot.at, &dims)?;
        }
        Ok(slot)
    }

    /// Appends the variant of a step, and its store if it completes outputs, after the next step's loads.
    fn compute(
        &mut self,
        draft: &mut Draft,
        step: &Step,
        tile: &ActTile,
        act: ActPlace,
        loaded: Loaded,
        image: u64,
    ) -> Result<(), PlanError> {
        let len = |r: &Range<u64>| r.end - r.start;
        let channels = self.in_channels(step);
        let (oy, ox, oc) = (len(&step.oy), len(&step.ox), len(&step.oc));
        let slot = self.invariant(step)?;
        let mut var = ConvVar {
            slot,
            act: narrow(act.at.offset, "an activation offset")?,
            in_h: narrow(tile.rows.len, "the rows of a tile")?,
            in_w: narrow(tile.columns.len, "the columns of a tile")?,
            in_c: narrow(len(&channels), "the channels of a tile")?,
            act_row: narrow(act.row, "the row stride of a tile")?,
            act_pixel: narrow(act.pixel, "the pixel stride of a tile")?,
            origin_y: narrow(tile.rows.origin, "the first row of a window")?,
            origin_x: narrow(tile.columns.origin, "the first column of a window")?,
            kernel_h: narrow(len(&step.ky), "the rows of a kernel")?,
            kernel_w: narrow(len(&step.kx), "the columns of a kernel")?,
            weights: narrow(loaded.weights.offset, "a weight offset")?,
            table: narrow(loaded.table.offset, "a table offset")?,
            out_h: narrow(oy, "the output rows of a tile")?,
            out_w: narrow(ox, "the output columns of a tile")?,
            out_c: narrow(oc, "the output channels of a tile")?,
            acc_in: !step.first,
            acc_out: !step.last,
            ..ConvVar::default()
        };
        let mut bufs =
            vec![("act", act.at.buffer), ("weights", loaded.weights.buffer), ("table", loaded.table.buffer)];
        if var.acc_in || var.acc_out {
            let psum = self.psum.ok_or_else(|| PlanError::internal("a split sum without partial sums"))?;
            bufs.push(("psum", psum));
        }
        if var.acc_out {
            self.pipeline.push(var.into(), bufs);
            return Ok(());
        }
        let out = self.outs.place(step, image)?;
        var.out = narrow(out.at.offset, "an output offset")?;
        var.out_row = narrow(out.row, "the row stride of an output tile")?;
        var.out_pixel = narrow(out.pixel, "the pixel stride of an output tile")?;
        bufs.push(("out", out.at.buffer));
        self.pipeline.push(var.into(), bufs);
        self.outs.store(draft, &mut self.mover, &mut self.pipeline, step, image)
    }

    /// The slot that holds the invariant of a step, filled first if needed.
    fn invariant(&mut self, step: &Step) -> Result<u8, PlanError> {
        let len = |r: &Range<u64>| r.end - r.start;
        let ic = if self.layer.problem.per_channel.is_some() { 1 } else { len(&step.ic) };
        let extent = Extent { oc: len(&step.oc), oy: len(&step.oy), ox: len(&step.ox), ic };
        let Schedule { pes, stays, block, fold } = match self.scheds.get(&extent) {
            Some(schedule) => *schedule,
            None => {
                let schedule = self.tiles.schedule(&self.tiling, &extent)?;
                self.scheds.insert(extent, schedule);
                schedule
            }
        };
        let used = |n: u64, value: u64| if n == 1 { 1 } else { value };
        let (y, x, t) = (&self.layer.problem.y, &self.layer.problem.x, &self.tiling);
        let mut inv = ConvInv {
            stride_y: narrow(used(t.oy.size, y.stride), "the row stride")?,
            stride_x: narrow(used(t.ox.size, x.stride), "the column stride")?,
            dilation_y: narrow(used(t.ky.size, y.dilation), "the row dilation")?,
            dilation_x: narrow(used(t.kx.size, x.dilation), "the column dilation")?,
            sched_oc: narrow(pes.oc, "a schedule")?,
            sched_oy: narrow(pes.oy, "a schedule")?,
            sched_ox: narrow(pes.ox, "a schedule")?,
            sched_ic: narrow(pes.ic, "a schedule")?,
            stationary: stays.into(),
            block_oc: narrow(block.oc, "a block")?,
            block_oy: narrow(block.oy, "a block")?,
            block_ox: narrow(block.ox, "a block")?,
            fold,
            ..self.layer.problem.inv
        };
        inv.slot = 0;
        if let Some(found) = self.invariants.iter().position(|i| ConvInv { slot: 0, ..*i } == inv) {
            return narrow(found, "a slot");
        }
        let slot = self.next_slot;
        self.next_slot = (slot + 1) % INV_SLOTS;
        inv.slot = narrow(slot, "a slot")?;
        match self.invariants.get_mut(slot) {
            Some(old) => *old = inv,
            None => self.invariants.push(inv),
        }
        let bufs = self.lut.map(|lut| ("lut_addr", lut)).into_iter().collect();
        self.pipeline.push(Instr::ConvInv(inv), bufs);
        Ok(inv.slot)
    }
}

/// Loads a lookup table that is resident for the whole layer.
fn load_lut(draft: &mut Draft, mover: &mut Mover, bytes: Vec<u8>) -> Result<BufferId, PlanError> {
    let len = bytes.len() as u64;
    let constant = draft.constant(bytes)?;
    let slot = draft.sram(len)?;
    let at = |buffer| At { buffer, offset: 0 };
    mover.load(draft, at(constant), at(slot), &[Dim::new(len, 1, 1)])?;
    Ok(slot)
}
