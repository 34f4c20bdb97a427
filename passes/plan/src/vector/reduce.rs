//! Reductions along one dimension.
//!
//! The tensor is viewed as `[outer][axis][inner]`. Tiles cover ranges of all three; those along the axis are consecutive and
//! accumulate into the output tile in SRAM, which is stored after the last of them.

use dpu_isa::{ReduceOp, VecReduce};

use super::grid::GRANULE;
use super::pipeline::{Compute, Pipeline, Transfer, six};
use crate::dma::{At, Dim};
use crate::draft::{BufferId, Draft};
use crate::error::{PlanError, narrow};
use crate::movement::{Tensor, product};
use crate::scope::LayerScope;
use crate::strategy::CutStrategy;
use crate::tile::stream::Stream;

/// `output[.., 0, ..] = op over i of input[.., i, ..]` along `axis`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReduceLayer {
    /// The operator.
    pub op: ReduceOp,
    /// The reduced dimension.
    pub axis: usize,
    /// The operand.
    pub input: Tensor,
    /// The result: the input's shape with 1 along `axis`, or without that dimension.
    pub output: Tensor,
}

/// Extents along outer dimensions, axis and inner dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    outer: u64,
    axis: u64,
    inner: u64,
}

/// Minimum tile extent along the axis, in elements, before the inner dimensions are cut.
const MIN_AXIS: u64 = 16;

/// Maximum tile size as a share of the whole, so that transfers and computation overlap.
const PIECES: u64 = 8;

/// Minimum tile size under that rule.
const MIN_TILE: u64 = 256 * 1024;

/// Bytes of an input and an output element.
type Elements = (u64, u64);

impl Block {
    fn slots(&self, (source, result): Elements) -> (u64, u64) {
        let round = |bytes: u64| bytes.div_ceil(GRANULE).saturating_mul(GRANULE);
        let outputs = self.outer.saturating_mul(self.inner);
        (
            round(outputs.saturating_mul(self.axis).saturating_mul(source)),
            round(outputs.saturating_mul(result)),
        )
    }

    /// SRAM bytes of two slots for input and output each.
    fn demand(&self, elements: Elements) -> u64 {
        let (source, result) = self.slots(elements);
        source.saturating_add(result).saturating_mul(2)
    }
}

/// The largest `n` in `1..=most` for which `fits`, or 1.
pub(super) fn largest(most: u64, fits: impl Fn(u64) -> bool) -> u64 {
    let (mut good, mut bad) = (1, most.saturating_add(1));
    while bad - good > 1 {
        let middle = good.midpoint(bad);
        if fits(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    good
}

/// The tile size for a tensor of `whole`, with at least `least` along the axis.
fn choose(whole: Block, least: u64, elements: Elements, sram: u64) -> Result<Block, PlanError> {
    let single = Block { outer: 1, axis: least, inner: 1 };
    let need = single.demand(elements);
    let budget = sram.min((whole.demand(elements) / PIECES).max(MIN_TILE).max(need));
    let fits = |block: Block| block.demand(elements) <= budget;
    if !fits(single) {
        let what = match least {
            1 => "SRAM bytes for tiles of one element",
            _ => "SRAM bytes for the elements that one result of an argmax is chosen from",
        };
        return Err(PlanError::resource(what, need, sram));
    }
    let mut tile = Block { outer: 1, ..whole };
    if fits(tile) {
        tile.outer = largest(whole.outer, |outer| fits(Block { outer, ..tile }));
        return Ok(tile);
    }
    let short = Block { outer: 1, axis: MIN_AXIS.min(whole.axis).max(least), inner: 1 };
    tile.inner = largest(whole.inner, |inner| fits(Block { inner, ..short }));
    tile.axis = largest(whole.axis, |axis| fits(Block { axis, ..tile }));
    Ok(tile)
}

/// The given tile size, or else the best one, recorded in the scope.
fn decide(
    scope: &mut LayerScope<'_>,
    op: ReduceOp,
    whole: Block,
    elements: Elements,
    held: [bool; 2],
) -> Result<Block, PlanError> {
    // An index does not say which value it was chosen for, so an argmax cannot go on from what it has.
    let least = match op {
        ReduceOp::Sum | ReduceOp::Max | ReduceOp::Min => 1,
        ReduceOp::Argmax => whole.axis,
    };
    let (told, sram) = (scope.given_cut(), scope.tile_bytes());
    told.check_vec()?;
    let over = [whole.outer, whole.axis, whole.inner];
    let tile = match told.tile(&over)?.as_deref() {
        Some(&[outer, axis, inner]) => {
            if axis < least {
                let what =
                    format!("tile is {:?}: an argmax needs all {least} of its axis", [outer, axis, inner]);
                return Err(PlanError::refused(what));
            }
            let block = Block { outer, axis, inner };
            let (source, result) = block.slots(elements);
            let slots = [source, result].into_iter().zip(held).filter(|(_, held)| !held);
            let need = slots.fold(0u64, |n, (bytes, _)| n.saturating_add(bytes.saturating_mul(2)));
            CutStrategy::check_bytes(&[outer, axis, inner], need, sram)?;
            block
        }
        _ => choose(whole, least, elements, sram)?,
    };
    scope.decide_cut(CutStrategy::vec(&over, vec![tile.outer, tile.axis, tile.inner]));
    Ok(tile)
}

/// The layer's tensors viewed as three dimensions.
fn view(draft: &Draft, layer: &ReduceLayer) -> Result<Block, PlanError> {
    let ReduceLayer { input, output, axis, .. } = layer;
    input.check(draft, "the input")?;
    output.check(draft, "the output")?;
    let Some(&along) = input.shape.get(*axis) else {
        return Err(PlanError::internal(format!("axis {axis} of shape {:?}", input.shape)));
    };
    let (outer, rest) = input.shape.split_at(*axis);
    let inner = rest.get(1..).unwrap_or_default();
    let kept = [outer, &[1], inner].concat();
    let dropped = [outer, inner].concat();
    if (output.shape != kept && output.shape != dropped) || input.buffer == output.buffer {
        return Err(PlanError::internal(format!(
            "{:?} reduced along {axis} to {:?} in another buffer",
            input.shape, output.shape
        )));
    }
    Ok(Block { outer: product(outer)?, axis: along, inner: product(inner)? })
}

/// Plans a reduction.
///
/// # Errors
/// An internal error if the shapes do not match, a resource error if the draft grows too long, or if the axis of an argmax does
/// not fit the SRAM.
pub fn plan_reduce(scope: &mut LayerScope<'_>, layer: &ReduceLayer) -> Result<(), PlanError> {
    let whole = view(scope.draft, layer)?;
    let elements = (layer.input.dtype.bytes(), layer.output.dtype.bytes());
    let held = [scope.draft.holds(layer.input.buffer)?, scope.draft.holds(layer.output.buffer)?];
    let [in_held, out_held] = held;
    let tile = decide(scope, layer.op, whole, elements, held)?;
    let (source, result) = tile.slots(elements);
    let mut sources = Stream::new(scope.draft, if in_held { 0 } else { 2 }, source)?;
    let mut results = Stream::new(scope.draft, if out_held { 0 } else { 2 }, result)?;
    let mut pipeline = Pipeline::new(scope.machine);
    let (mut step, mut output) = (0, 0);
    for (outer_at, outer) in pieces(whole.outer, tile.outer) {
        for (inner_at, inner) in pieces(whole.inner, tile.inner) {
            let origin = Block { outer: outer_at, axis: 0, inner: inner_at };
            let target = match out_held {
                true => Side::of_result(layer, &whole, &origin),
                false => Side::slot_of_result(layer, results.place(output)?.buffer, inner),
            };
            output += 1;
            for (axis_at, axis) in pieces(whole.axis, tile.axis) {
                let block = Block { outer, axis, inner };
                let at = Block { axis: axis_at, ..origin };
                let source = match in_held {
                    true => Side::of_source(layer, &whole, &at),
                    false => Side::slot_of_source(layer, sources.place(step)?.buffer, &block),
                };
                step += 1;
                let dims = [block.outer, block.axis, block.inner];
                let load = (!in_held).then(|| transfer(&Side::of_source(layer, &whole, &at), &source, &dims));
                let last = axis_at + axis == whole.axis && !out_held;
                let compute = Compute {
                    instr: instruction(layer, &block, &source, &target, axis_at != 0)?.into(),
                    bufs: vec![("src", source.at.buffer), ("out", target.at.buffer)],
                    store: last.then(|| {
                        let outputs = [block.outer, 1, block.inner];
                        transfer(&target, &Side::of_result(layer, &whole, &at), &outputs)
                    }),
                };
                pipeline.step(scope.draft, load.as_slice(), compute)?;
            }
        }
    }
    pipeline.flush(scope.draft)
}

/// Starts and lengths of the pieces of `extent`.
pub(super) fn pieces(extent: u64, piece: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..extent.div_ceil(piece)).map(move |i| (i * piece, piece.min(extent - i * piece)))
}

/// One side of a block: its offset, and the byte strides along outer dimensions, axis and inner dimensions.
#[derive(Clone, Copy, Debug)]
struct Side {
    at: At,
    strides: [u64; 3],
    element: u64,
}

impl Side {
    /// A block of the source tensor. Sizes were checked to fit 64 bits.
    fn of_source(layer: &ReduceLayer, whole: &Block, at: &Block) -> Self {
        let element = layer.input.dtype.bytes();
        let row = whole.inner * element;
        let offset = (at.outer * whole.axis + at.axis) * row + at.inner * element;
        let at = At { buffer: layer.input.buffer, offset };
        Side { at, strides: [whole.axis * row, row, element], element }
    }

    /// A block of the source, packed in a slot.
    fn slot_of_source(layer: &ReduceLayer, buffer: BufferId, block: &Block) -> Self {
        let element = layer.input.dtype.bytes();
        let row = block.inner * element;
        Side { at: At { buffer, offset: 0 }, strides: [block.axis * row, row, element], element }
    }

    /// The results of a block in their tensor.
    fn of_result(layer: &ReduceLayer, whole: &Block, at: &Block) -> Self {
        let element = layer.output.dtype.bytes();
        let row = whole.inner * element;
        let offset = at.outer * row + at.inner * element;
        Side { at: At { buffer: layer.output.buffer, offset }, strides: [row, 0, element], element }
    }

    /// The results of a block with `inner` inner elements, packed in a slot.
    fn slot_of_result(layer: &ReduceLayer, buffer: BufferId, inner: u64) -> Self {
        let element = layer.output.dtype.bytes();
        Side { at: At { buffer, offset: 0 }, strides: [inner * element, 0, element], element }
    }
}

/// The copy of `extents` elements from one side to the other.
fn transfer(from: &Side, to: &Side, extents: &[u64; 3]) -> Transfer {
    let strides = from.strides.into_iter().zip(to.strides);
    let dims = extents.iter().zip(strides).map(|(&extent, (src, dst))| Dim { extent, src, dst }).collect();
    Transfer { src: from.at, dst: to.at, dims, element: from.element }
}

fn instruction(
    layer: &ReduceLayer,
    block: &Block,
    source: &Side,
    target: &Side,
    accumulate: bool,
) -> Result<VecReduce, PlanError> {
    Ok(VecReduce {
        op: layer.op,
        axis: 4,
        dims: six(&[block.outer, block.axis, block.inner], 1)?,
        src: narrow(source.at.offset, "a source offset")?,
        src_dtype: layer.input.dtype,
        src_strides: six(&source.strides, 0)?,
        out: narrow(target.at.offset, "a result offset")?,
        out_dtype: layer.output.dtype,
        out_strides: six(&target.strides, 0)?,
        accumulate,
        ..VecReduce::default()
    })
}
