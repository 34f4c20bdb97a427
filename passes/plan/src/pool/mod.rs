//! Max and average pooling on the DPU.

use std::ops::Range;

use dpu_isa::{ConvInv, DmaFill, Dtype, Instr, Machine, MemAddr, PoolInv, PoolMode, PoolVar};

use crate::dma::Mover;
use crate::draft::{BufferId, Draft};
use crate::error::{PlanError, narrow};
use crate::movement::Tensor;
use crate::pipeline::{Outputs, Pipeline, check_tasks};
use crate::scope::LayerScope;
use crate::tile::axis::{Axis, Split, ladder};
use crate::tile::check::{Mark, Subject, check};
use crate::tile::sched::MacCost;
use crate::tile::search::Choice;
use crate::tile::steps::{Step, for_each_step};
use crate::tile::stream::Stream;
use crate::tile::{Problem, Tiling, WINDOW_MAX};
use crate::vector::check_clamp;
use crate::view::{ActPlace, ActTile, Field, Geometry, View};

/// A pooling layer.
#[derive(Clone, Debug)]
pub struct PoolLayer {
    /// Maximum or average.
    pub mode: PoolMode,
    /// Input, i8 or i16, `[n][h][w][c]`.
    pub input: Tensor,
    /// Output, of the input's type, `[n][oh][ow][c]`.
    pub output: Tensor,
    /// Kernel `[y, x]`.
    pub kernel: [u64; 2],
    /// Strides `[y, x]`, at least 1.
    pub stride: [u64; 2],
    /// Padding `[top, bottom, left, right]`; padded positions do not count.
    pub pad: [u64; 4],
    /// Average: zero point of the input.
    pub input_zp: i32,
    /// Average: zero point of the output.
    pub output_zp: i32,
    /// Lower and upper clamp; without it, the range of the type.
    pub clamp: Option<(i32, i32)>,
}

/// Plans a pooling layer as tasks of the draft's last layer.
///
/// # Errors
/// Unsupported: a window entirely in padding, or a parameter that no instruction field can hold. Resource: not even the smallest
/// tiles fit the SRAM, or the plan needs too many tasks. Internal: the description is inconsistent.
pub fn plan_pool(scope: &mut LayerScope<'_>, layer: &PoolLayer) -> Result<(), PlanError> {
    let plan = PoolPlan::new(scope.draft, layer)?;
    let choice = scope.decide_tiling(&plan.problem)?;
    check_tasks(scope.draft, &choice)?;
    let mark = Mark::of(scope.draft);
    let mut emitter = Emitter::new(scope.draft, scope.machine, &plan, &choice)?;
    for_each_step(&plan.problem, &choice.tiling, |step| emitter.step(scope.draft, step))?;
    emitter.pipeline.flush(scope.draft)?;
    if cfg!(debug_assertions) {
        let subject = Subject { field: &plan.field, per_channel: Some(1), weights: None };
        check(scope.draft, scope.tile_bytes(), &subject, mark)?;
    }
    Ok(())
}

/// A pooling layer ready for tiling.
struct PoolPlan {
    problem: Problem,
    field: Field,
    /// Axes as the layer has them: what averages count.
    rows: Whole,
    columns: Whole,
    /// The invariant without strides.
    inv: PoolInv,
}

/// A window axis before it was simplified.
#[derive(Clone, Copy, Debug)]
struct Whole {
    input: u64,
    kernel: u64,
    stride: u64,
    pad: u64,
    /// The axis was merged with others or its unread rows were dropped: every window is one position.
    single: bool,
}

impl Whole {
    fn new(axis: &Axis, input: u64, kernel: u64, stride: u64, pad: u64) -> Self {
        Whole { input, kernel, stride, pad, single: axis.kernel == 1 }
    }

    /// First position, positions and bound of the whole windows of outputs `o`, for the fields of a variant.
    ///
    /// A window of one position never lies in padding (the layer would have been refused), so it counts as position 0 of 1.
    /// Windows that exceed the fields have one output a tile: only the part inside is described.
    fn count(&self, o: &Range<u64>, stride: u64, mode: PoolMode) -> Result<(i32, u16, u32), PlanError> {
        if self.single {
            let last = (o.end - o.start - 1) * stride;
            return Ok((0, 1, narrow(last + 1, "the positions of a window")?));
        }
        let start = i64::try_from(o.start * self.stride).unwrap_or(i64::MAX)
            - i64::try_from(self.pad).unwrap_or(i64::MAX);
        let (start, len) = if self.kernel > WINDOW_MAX && o.end - o.start == 1 {
            let inside = start.max(0);
            let before = (inside - start).unsigned_abs();
            (inside, (self.kernel - before).min(self.input - inside.unsigned_abs()))
        } else {
            (start, self.kernel)
        };
        // A maximum counts nothing.
        let len = if mode == PoolMode::Max { len.min(WINDOW_MAX) } else { len };
        if len > WINDOW_MAX {
            return Err(PlanError::unsupported(format!(
                "a pooling window of {len} positions: must be at most {WINDOW_MAX}"
            )));
        }
        Ok((
            narrow(start, "the first position of a window")?,
            narrow(len, "the positions of a window")?,
            narrow(self.input, "the rows of the input")?,
        ))
    }
}

impl PoolPlan {
    fn new(draft: &Draft, layer: &PoolLayer) -> Result<Self, PlanError> {
        let types = [Dtype::I8, Dtype::I16];
        let input = View::nhwc(draft, &layer.input, &types, "the input")?;
        let output = View::nhwc(draft, &layer.output, &types, "the output")?;
        let dtype = layer.input.dtype;
        let [_, h, w, channels] = input.shape;
        let [_, oh, ow, out_channels] = output.shape;
        if layer.output.dtype != dtype || out_channels != channels {
            return Err(PlanError::internal("pooling between different types or numbers of channels"));
        }
        let geometry =
            Geometry { kernel: layer.kernel, stride: layer.stride, pad: layer.pad, dilation: [1, 1] };
        let field = Field::new(input, output, &geometry)?;
        let [top, _, left, _] = layer.pad;
        let axes =
            [(h, oh, layer.kernel[0], layer.stride[0], top), (w, ow, layer.kernel[1], layer.stride[1], left)];
        for (input, output, kernel, stride, pad) in axes {
            if kernel <= pad || (output - 1) * stride >= input + pad {
                return Err(PlanError::unsupported(format!(
                    "a pooling window of {kernel} lies entirely in {pad} positions of padding"
                )));
            }
        }
        let (lo, hi) = layer.clamp.unwrap_or((dtype.min(), dtype.max()));
        check_clamp(Some((lo, hi)), dtype)?;
        let inv = PoolInv {
            mode: layer.mode,
            dtype,
            in_zp: layer.input_zp,
            out_zp: layer.output_zp,
            clamp_lo: lo,
            clamp_hi: hi,
            ..PoolInv::default()
        };
        let problem = Problem {
            images: field.images,
            repeats: 1,
            y: field.y,
            x: field.x,
            ic: channels,
            oc: channels,
            per_channel: Some(1),
            weights: None,
            macs: MacCost::FULL,
            inv: ConvInv::default(),
            staged: false,
            ic_grain: 1,
            oc_splits: split_channels(channels),
            oc_grain: 1,
            in_bytes: input.element,
            out_bytes: output.element,
            held: [input.held, output.held],
            resident: 0,
        };
        Ok(PoolPlan {
            rows: Whole::new(&field.y, h, layer.kernel[0], layer.stride[0], top),
            columns: Whole::new(&field.x, w, layer.kernel[1], layer.stride[1], left),
            problem,
            field,
            inv,
        })
    }
}

fn split_channels(channels: u64) -> Vec<Split> {
    let mut sizes = ladder(channels, 16.min(channels));
    if channels > 16 {
        sizes.push(1);
    }
    sizes.into_iter().map(|size| Split::new(channels, size)).collect()
}

struct Emitter<'a> {
    plan: &'a PoolPlan,
    tiling: Tiling,
    mover: Mover,
    acts: Stream,
    outs: Outputs,
    psum: Option<BufferId>,
    pipeline: Pipeline,
    inv: PoolInv,
}

impl<'a> Emitter<'a> {
    fn new(
        draft: &mut Draft,
        machine: &Machine,
        plan: &'a PoolPlan,
        choice: &Choice,
    ) -> Result<Self, PlanError> {
        let tiling = choice.tiling;
        let used = |n: u64, stride: u64| if n == 1 { 1 } else { stride };
        let inv = PoolInv {
            stride_y: narrow(used(tiling.oy.size, plan.problem.y.stride), "the row stride")?,
            stride_x: narrow(used(tiling.ox.size, plan.problem.x.stride), "the column stride")?,
            ..plan.inv
        };
        let mut pipeline = Pipeline::default();
        pipeline.push(inv.into(), Vec::new());
        Ok(Emitter {
            plan,
            tiling,
            mover: Mover::new(machine, false),
            acts: Stream::new(draft, tiling.act_slots, tiling.act_bytes)?,
            outs: Outputs::new(draft, &tiling, &plan.problem, plan.field.output)?,
            psum: if tiling.psum_bytes > 0 { Some(draft.sram(tiling.psum_bytes)?) } else { None },
            pipeline,
            inv,
        })
    }

    /// Loads what a step needs, then lets the previous step compute and store.
    fn step(&mut self, draft: &mut Draft, step: &Step) -> Result<(), PlanError> {
        let (y, x) = (self.plan.problem.y, self.plan.problem.x);
        let tile =
            ActTile { y, x, rows: y.window(&step.oy, &step.ky), columns: x.window(&step.ox, &step.kx) };
        let key = (step.spatial * self.tiling.oc.count() + step.channel) * self.tiling.reductions()
            + step.reduction;
        let act = self.load(draft, step, &tile, key)?;
        self.pipeline.flush(draft)?;
        self.compute(draft, step, &tile, act)
    }

    fn load(
        &mut self,
        draft: &mut Draft,
        step: &Step,
        tile: &ActTile,
        key: u64,
    ) -> Result<ActPlace, PlanError> {
        let input = &self.plan.field.input;
        if input.held {
            return Ok(input.place(step.image, tile, &step.oc));
        }
        let place = self.acts.place(key)?;
        let pixel = (step.oc.end - step.oc.start) * input.element;
        let slot = ActPlace::packed(place.buffer, tile.columns.len, pixel);
        if place.load {
            let (from, dims) = input.gather(step.image, tile, &step.oc);
            self.mover.load(draft, from, slot.at, &dims)?;
        }
        Ok(slot)
    }

    fn compute(
        &mut self,
        draft: &Draft,
        step: &Step,
        tile: &ActTile,
        act: ActPlace,
    ) -> Result<(), PlanError> {
        let len = |r: &Range<u64>| r.end - r.start;
        let (oy, ox, channels) = (len(&step.oy), len(&step.ox), len(&step.oc));
        let (win_y, win_h, bound_h) =
            self.plan.rows.count(&step.oy, u64::from(self.inv.stride_y), self.inv.mode)?;
        let (win_x, win_w, bound_w) =
            self.plan.columns.count(&step.ox, u64::from(self.inv.stride_x), self.inv.mode)?;
        let mut var = PoolVar {
            slot: self.inv.slot,
            act: narrow(act.at.offset, "an activation offset")?,
            in_h: narrow(tile.rows.len, "the rows of a tile")?,
            in_w: narrow(tile.columns.len, "the columns of a tile")?,
            in_c: narrow(channels, "the channels of a tile")?,
            act_row: narrow(act.row, "the row stride of a tile")?,
            act_pixel: narrow(act.pixel, "the pixel stride of a tile")?,
            origin_y: narrow(tile.rows.origin, "the first row of a window")?,
            origin_x: narrow(tile.columns.origin, "the first column of a window")?,
            kernel_h: narrow(len(&step.ky), "the rows of a kernel")?,
            kernel_w: narrow(len(&step.kx), "the columns of a kernel")?,
            out_h: narrow(oy, "the output rows of a tile")?,
            out_w: narrow(ox, "the output columns of a tile")?,
            acc_in: !step.first,
            acc_out: !step.last,
            win_h,
            win_w,
            win_y,
            win_x,
            bound_h,
            bound_w,
            ..PoolVar::default()
        };
        let mut bufs = vec![("act", act.at.buffer)];
        if let Some(psum) = self.psum {
            if step.first && !step.last && self.inv.mode == PoolMode::Max {
                // Some windows may have no position in this slice: all start from the least value instead.
                self.pipeline
                    .push(least(self.mover.load_engine(), oy * ox * channels)?.into(), vec![("dst", psum)]);
                var.acc_in = true;
            }
            if var.acc_in || var.acc_out {
                bufs.push(("psum", psum));
            }
        }
        if var.acc_out {
            self.pipeline.push(Instr::PoolVar(var), bufs);
            return Ok(());
        }
        let out = self.outs.place(step, step.image)?;
        var.out = narrow(out.at.offset, "an output offset")?;
        var.out_row = narrow(out.row, "the row stride of an output tile")?;
        var.out_pixel = narrow(out.pixel, "the pixel stride of an output tile")?;
        bufs.push(("out", out.at.buffer));
        self.pipeline.push(Instr::PoolVar(var), bufs);
        self.outs.store(draft, &mut self.mover, &mut self.pipeline, step, step.image)
    }
}

/// Fills `values` partial results with the least i32.
fn least(engine: u8, values: u64) -> Result<DmaFill, PlanError> {
    Ok(DmaFill {
        engine,
        element: 4,
        dst: MemAddr::sram(0),
        dims: [1, 1, 1, 1, 1, narrow(values, "the partial results of a tile")?],
        dst_strides: [0, 0, 0, 0, 0, 4],
        value: i32::MIN,
        ..DmaFill::default()
    })
}
