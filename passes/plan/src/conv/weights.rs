//! Weight tiles: constant chunks of table and weight sets, or sets gathered from a DRAM tensor.

use std::collections::BTreeMap;
use std::ops::Range;

use dpu_isa::{Dtype, UnaryOp, VecUnary, WeightEntry};
use strum_formats::Packed;

use crate::dma::{At, Dim, Mover};
use crate::draft::{BufferId, Draft};
use crate::error::{PlanError, narrow};
use crate::pipeline::Ring;
use crate::ppe::{self, Ppe};
use crate::tile::steps::Step;
use crate::tile::stream::Stream;
use crate::tile::{ENTRY, Tiling, WeightSize};

/// What a compute task needs to know of its weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loaded {
    /// Weight sets.
    pub(crate) weights: At,
    /// Weight table.
    pub(crate) table: At,
}

/// Bias and post-processing: the contents of the weight table besides offsets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Channels<'a> {
    /// None, one or one an output channel.
    pub(crate) bias: &'a [i32],
    /// Scaling.
    pub(crate) ppe: &'a Ppe,
}

impl Channels<'_> {
    /// The table of output channels `oc`, the first of them at the first offset.
    fn table(
        &self,
        oc: &Range<u64>,
        offset: impl Fn(u64) -> u64,
        shift: impl Fn(u64) -> u8,
    ) -> Result<Vec<u8>, PlanError> {
        let mut bytes = Vec::new();
        for channel in oc.clone() {
            let (multiplier, scale_shift) = self.ppe.scale_of(channel);
            let entry = WeightEntry {
                weight_offset: narrow(offset(channel - oc.start), "the offset of a weight set")?,
                multiplier,
                shift: scale_shift,
                code_shift: shift(channel),
                bias: ppe::of_channel(self.bias, channel),
            };
            bytes.extend(entry.encode());
        }
        Ok(bytes)
    }

    fn is_uniform(&self) -> bool {
        ppe::is_uniform(self.bias) && self.ppe.is_uniform()
    }
}

/// The source of weights.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// A constant, packed in any format.
    Packed(&'a Packed),
    /// An i8 tensor in DRAM.
    Dynamic(Strided),
}

/// A DRAM tensor of i8 weights, described by byte strides. For depthwise weights the output channels are contiguous and there is
/// no input channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strided {
    /// The tensor.
    pub(crate) buffer: BufferId,
    /// From one image's weights to the next; 0 if all images share them.
    pub(crate) image: u64,
    /// From one output channel to the next.
    pub(crate) oc: u64,
    /// From one kernel row to the next.
    pub(crate) ky: u64,
    /// From one kernel column to the next.
    pub(crate) kx: u64,
    /// From one input channel to the next.
    pub(crate) ic: u64,
    /// Output channels are contiguous and input channels are not: the vector engine transposes the tile, many times faster than a
    /// DMA of single bytes.
    pub(crate) transposed: bool,
}

/// The slice of a layer's weights that a tile holds. Depthwise layers ignore the input channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Output channels.
    pub(crate) oc: Range<u64>,
    /// Kernel rows.
    pub(crate) ky: Range<u64>,
    /// Kernel columns.
    pub(crate) kx: Range<u64>,
    /// Input channels.
    pub(crate) ic: Range<u64>,
}

/// Loads weight tiles.
pub(crate) struct Loader<'a> {
    source: Source<'a>,
    channels: Channels<'a>,
    depthwise: bool,
    /// Code shift of every output channel of a packed source.
    shifts: Vec<u8>,
    stream: Stream,
    /// Tables of a dynamic source.
    tables: Option<Stream>,
    /// Staging buffers of a dynamic source for its transposition.
    stage: Ring,
    /// Constants made so far, by tile.
    chunks: BTreeMap<u64, BufferId>,
    /// Their contents.
    claims: BTreeMap<BufferId, Claim>,
    /// Constant tables made so far, by first channel and set size: the number that names them in the stream.
    table_chunks: BTreeMap<(u64, u64, u64), (u64, BufferId)>,
}

impl<'a> Loader<'a> {
    /// A loader with the slots of `tiling`.
    ///
    /// # Errors
    /// A resource error if there are too many buffers, an internal error if the packed tensor is not legal.
    pub(crate) fn new(
        draft: &mut Draft,
        source: Source<'a>,
        channels: Channels<'a>,
        depthwise: bool,
        tiling: &Tiling,
    ) -> Result<Self, PlanError> {
        let (tables, bytes, shifts) = match source {
            Source::Packed(packed) => (None, tiling.weight_bytes, packed.shifts().map_err(bad_weights)?),
            Source::Dynamic(_) => {
                let table = ENTRY * tiling.oc.size;
                let tables = Stream::new(draft, tiling.weight_slots.min(2), table)?;
                (Some(tables), tiling.weight_bytes - table, Vec::new())
            }
        };
        let stream = Stream::new(draft, tiling.weight_slots, bytes)?;
        let stage = Ring::new(draft, tiling.stage_slots, tiling.stage_bytes)?;
        Ok(Loader {
            source,
            channels,
            depthwise,
            shifts,
            stream,
            tables,
            stage,
            chunks: BTreeMap::new(),
            claims: BTreeMap::new(),
            table_chunks: BTreeMap::new(),
        })
    }

    /// Makes sure that the weights of a step are in SRAM. `key` names the weight tile, `image` the image that the weights belong
    /// to.
    ///
    /// # Errors
    /// A resource error if the program grows too large, an internal error if the packed tensor is not legal.
    pub(crate) fn load(
        &mut self,
        draft: &mut Draft,
        mover: &mut Mover,
        step: &Step,
        key: u64,
        image: u64,
    ) -> Result<Loaded, PlanError> {
        match self.source {
            Source::Packed(packed) => self.load_packed(draft, mover, packed, step, key),
            Source::Dynamic(strided) => {
                let place = self.stream.place(key)?;
                let weights = At { buffer: place.buffer, offset: 0 };
                let (taps, ic) = (len(&step.ky) * len(&step.kx), len(&step.ic));
                let set = if self.depthwise { 0 } else { WeightSize::DENSE.set(taps, ic) };
                if place.load {
                    self.gather(draft, mover, &strided, step, image, weights, set)?;
                }
                let table = self.load_table(draft, mover, step, set)?;
                Ok(Loaded { weights, table })
            }
        }
    }

    fn load_packed(
        &mut self,
        draft: &mut Draft,
        mover: &mut Mover,
        packed: &Packed,
        step: &Step,
        key: u64,
    ) -> Result<Loaded, PlanError> {
        let place = self.stream.place(key)?;
        let slot = |offset| At { buffer: place.buffer, offset };
        if place.load {
            let chunk = match self.chunks.get(&key) {
                Some(chunk) => *chunk,
                None => {
                    let chunk = draft.constant(self.chunk(packed, step)?)?;
                    self.chunks.insert(key, chunk);
                    let [oc, ky, kx, ic] = [&step.oc, &step.ky, &step.kx, &step.ic].map(Clone::clone);
                    self.claims.insert(chunk, Claim { oc, ky, kx, ic });
                    chunk
                }
            };
            let bytes = draft.buffer(chunk)?.bytes;
            let from = At { buffer: chunk, offset: 0 };
            mover.load_weights(draft, from, slot(0), &[Dim::new(bytes, 1, 1)])?;
        }
        Ok(Loaded { table: slot(0), weights: slot(ENTRY * len(&step.oc)) })
    }

    /// The contents of each constant chunk.
    pub(crate) fn into_claims(self) -> BTreeMap<BufferId, Claim> {
        self.claims
    }

    /// Table and weight sets of a tile.
    fn chunk(&self, packed: &Packed, step: &Step) -> Result<Vec<u8>, PlanError> {
        let (oc, ic) =
            if self.depthwise { (0..1, step.oc.clone()) } else { (step.oc.clone(), step.ic.clone()) };
        let slice = packed
            .slice(index(&oc)?, index(&step.ky)?, index(&step.kx)?, index(&ic)?)
            .map_err(bad_weights)?;
        let offset = |i: u64| {
            let i = if self.depthwise { 0 } else { i };
            ppe::of_channel(&slice.offsets, i).into()
        };
        let shift = |channel: u64| ppe::of_channel(&self.shifts, channel);
        let mut bytes = self.channels.table(&step.oc, offset, shift)?;
        bytes.extend(&slice.bytes);
        Ok(bytes)
    }

    /// Copies the weights of a step from a DRAM tensor into sets of `set` bytes.
    #[allow(clippy::too_many_arguments, reason = "source, tile and destination of one copy")]
    fn gather(
        &mut self,
        draft: &mut Draft,
        mover: &mut Mover,
        from: &Strided,
        step: &Step,
        image: u64,
        to: At,
        set: u64,
    ) -> Result<(), PlanError> {
        let (oc, ky, kx, ic) = (len(&step.oc), len(&step.ky), len(&step.kx), len(&step.ic));
        let mut offset =
            image * from.image + step.oc.start * from.oc + step.ky.start * from.ky + step.kx.start * from.kx;
        if self.depthwise {
            let dims = [Dim::new(ky, from.ky, kx * oc), Dim::new(kx, from.kx, oc), Dim::new(oc, from.oc, 1)];
            return mover.load_weights(draft, At { buffer: from.buffer, offset }, to, &dims);
        }
        offset += step.ic.start * from.ic;
        let src = At { buffer: from.buffer, offset };
        if from.transposed {
            let stage = self.stage.next()?;
            let dims = [Dim::new(ic, from.ic, oc), Dim::new(oc, 1, 1)];
            mover.load_weights(draft, src, At { buffer: stage, offset: 0 }, &dims)?;
            return draft.push(transpose(oc, ic, set)?.into(), &[("src", stage), ("out", to.buffer)]);
        }
        let dims = [
            Dim::new(oc, from.oc, set),
            Dim::new(ky, from.ky, kx * ic),
            Dim::new(kx, from.kx, ic),
            Dim::new(ic, from.ic, 1),
        ];
        mover.load_weights(draft, src, to, &dims)
    }

    /// The table for dynamic weight sets of `set` bytes: the same for all channel tiles if all channels are alike.
    fn load_table(
        &mut self,
        draft: &mut Draft,
        mover: &mut Mover,
        step: &Step,
        set: u64,
    ) -> Result<At, PlanError> {
        let first = if self.channels.is_uniform() { 0 } else { step.oc.start };
        let id = (first, step.oc.end - step.oc.start, set);
        let (name, chunk) = match self.table_chunks.get(&id) {
            Some(found) => *found,
            None => {
                let chunk = draft.constant(self.channels.table(&step.oc, |i| i * set, |_| 0)?)?;
                let made = (self.table_chunks.len() as u64, chunk);
                self.table_chunks.insert(id, made);
                made
            }
        };
        let tables =
            self.tables.as_mut().ok_or_else(|| PlanError::internal("dynamic weights without table slots"))?;
        let place = tables.place(name)?;
        let table = At { buffer: place.buffer, offset: 0 };
        if place.load {
            let bytes = draft.buffer(chunk)?.bytes;
            mover.load(draft, At { buffer: chunk, offset: 0 }, table, &[Dim::new(bytes, 1, 1)])?;
        }
        Ok(table)
    }
}

/// Transposes `[ic][oc]` bytes into sets `[oc][ic]` that are `set` bytes apart.
fn transpose(oc: u64, ic: u64, set: u64) -> Result<VecUnary, PlanError> {
    let field = |v: u64| narrow::<u32, _>(v, "an extent of a weight tile");
    let (oc, ic, set) = (field(oc)?, field(ic)?, field(set)?);
    Ok(VecUnary {
        op: UnaryOp::Copy,
        dims: [1, 1, 1, 1, oc, ic],
        src_dtype: Dtype::I8,
        src_strides: [0, 0, 0, 0, 1, oc],
        out_dtype: Dtype::I8,
        out_strides: [0, 0, 0, 0, set, 1],
        ..VecUnary::default()
    })
}

fn len(range: &Range<u64>) -> u64 {
    range.end - range.start
}

fn index(range: &Range<u64>) -> Result<Range<usize>, PlanError> {
    Ok(narrow(range.start, "a weight index")?..narrow(range.end, "a weight index")?)
}

fn bad_weights(error: strum_formats::PackError) -> PlanError {
    PlanError::internal(format!("weights: {error}"))
}
