//! Layers that only move data: copy, concat, slice, pad, transpose, gather, scatter.
//!
//! They become DMA tasks from tensor to tensor on the engine that stores results, so that loads of later layers are not delayed,
//! and the order against earlier stores needs no barrier; transpositions of short contiguous segments go through the vector
//! engine. Ranks and extents are not limited.

mod indexed;
mod strided;
mod tensor;
mod turn;

use crate::dma::{At, Dim};
pub use indexed::{GatherLayer, ScatterLayer, plan_gather, plan_scatter};
pub(crate) use strided::{copy, fill};
pub use tensor::Tensor;
pub(crate) use tensor::product;
use turn::Turn;

use dpu_isa::Machine;

use crate::draft::Draft;
use crate::error::PlanError;
use crate::scope::LayerScope;
use crate::strategy::{By, CutStrategy};

/// The DMA engine that loads tiles.
pub(crate) const LOAD_ENGINE: u8 = 0;

/// The DMA engine that stores results: the second one, if there is one.
pub(crate) fn store_engine(machine: &Machine) -> u8 {
    u8::from(machine.dma_engines > 1)
}

/// A copy of all bytes: identity, reshape, or an output that is an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyLayer {
    /// What is copied.
    pub input: Tensor,
    /// The destination, of the same size in bytes.
    pub output: Tensor,
}

/// Several tensors one after the other along a dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConcatLayer {
    /// The parts, with the output's shape except for the extent along `axis`.
    pub inputs: Vec<Tensor>,
    /// The axis.
    pub axis: usize,
    /// The whole.
    pub output: Tensor,
}

/// A box cut out of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceLayer {
    /// The whole.
    pub input: Tensor,
    /// First index of the box along each dimension.
    pub start: Vec<u64>,
    /// The box; its shape is the box's size.
    pub output: Tensor,
}

/// A tensor padded with one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PadLayer {
    /// The tensor to pad.
    pub input: Tensor,
    /// Elements before, along each dimension; not negative.
    pub before: Vec<i64>,
    /// Elements after, along each dimension; not negative.
    pub after: Vec<i64>,
    /// The value; its low bytes are stored.
    pub value: i32,
    /// The whole.
    pub output: Tensor,
}

/// A permutation of dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransposeLayer {
    /// The tensor to transpose.
    pub input: Tensor,
    /// Dimension `i` of the output is dimension `perm[i]` of the input.
    pub perm: Vec<usize>,
    /// The result.
    pub output: Tensor,
}

fn contradiction(what: impl std::fmt::Display) -> PlanError {
    PlanError::internal(format!("inconsistent layer: {what}"))
}

/// Checks operands of a movement: one element type, and the output is not an input.
fn check_all(draft: &Draft, inputs: &[Tensor], output: &Tensor) -> Result<(), PlanError> {
    output.check(draft, "the output")?;
    for input in inputs {
        input.check(draft, "an input")?;
        if input.dtype.bytes() != output.dtype.bytes() {
            return Err(contradiction(format!("it moves {} to {}", input.dtype, output.dtype)));
        }
        if input.buffer == output.buffer {
            return Err(contradiction("its output is one of its inputs"));
        }
    }
    Ok(())
}

/// The byte offset of an index.
fn offset(strides: &[u64], index: impl Iterator<Item = u64>, element: u64) -> Result<u64, PlanError> {
    strides
        .iter()
        .zip(index)
        .try_fold(0u64, |sum, (&s, i)| sum.checked_add(s.checked_mul(i)?.checked_mul(element)?))
        .ok_or_else(|| contradiction("an offset overflows 64 bits"))
}

/// The dimensions of a box of `extents` with element strides on both sides.
fn dims(extents: &[u64], src: &[u64], dst: &[u64], element: u64) -> Vec<Dim> {
    let strides = src.iter().zip(dst);
    // Strides are those of tensors whose sizes in bytes were checked.
    let bytes = |s: u64| s.saturating_mul(element);
    extents
        .iter()
        .zip(strides)
        .map(|(&extent, (&s, &d))| Dim { extent, src: bytes(s), dst: bytes(d) })
        .collect()
}

/// Plans a copy.
///
/// # Errors
/// An internal error if the sizes differ.
pub fn plan_copy(scope: &mut LayerScope<'_>, layer: &CopyLayer) -> Result<(), PlanError> {
    check_all(scope.draft, std::slice::from_ref(&layer.input), &layer.output)?;
    let (from, to) = (layer.input.bytes()?, layer.output.bytes()?);
    if from != to {
        return Err(contradiction(format!("it copies {from} bytes to {to}")));
    }
    let src = At { buffer: layer.input.buffer, offset: 0 };
    let dst = At { buffer: layer.output.buffer, offset: 0 };
    copy(scope.draft, store_engine(scope.machine), src, dst, &[], from)
}

/// Plans a concatenation.
///
/// # Errors
/// An internal error if the shapes do not match.
pub fn plan_concat(scope: &mut LayerScope<'_>, layer: &ConcatLayer) -> Result<(), PlanError> {
    let output = &layer.output;
    check_all(scope.draft, &layer.inputs, output)?;
    let Some(&whole) = output.shape.get(layer.axis) else {
        return Err(contradiction(format!("axis {} of shape {:?}", layer.axis, output.shape)));
    };
    let element = output.dtype.bytes();
    let (outer, inner) = output.shape.split_at(layer.axis);
    let rows = product(outer)?;
    let below = product(inner.get(1..).unwrap_or_default())?;
    let row = |extent: u64| extent.saturating_mul(below).saturating_mul(element);
    let mut done = 0u64;
    // Parts that do not interleave may be copied side by side.
    let mut engines = [LOAD_ENGINE, store_engine(scope.machine)].into_iter().cycle();
    for input in &layer.inputs {
        let mut expected = output.shape.clone();
        let part = input.shape.get(layer.axis).copied().unwrap_or(0);
        expected[layer.axis] = part;
        if input.shape != expected {
            return Err(contradiction(format!("an input of shape {:?} in {:?}", input.shape, output.shape)));
        }
        let end = done.checked_add(part).filter(|&end| end <= whole);
        let Some(end) = end else {
            return Err(contradiction(format!("the inputs exceed {whole} along axis {}", layer.axis)));
        };
        let src = At { buffer: input.buffer, offset: 0 };
        let dst = At { buffer: output.buffer, offset: row(done) };
        let engine = engines.next().filter(|_| rows == 1).unwrap_or(store_engine(scope.machine));
        let rows = [Dim { extent: rows, src: row(part), dst: row(whole) }];
        copy(scope.draft, engine, src, dst, &rows, row(part))?;
        done = end;
    }
    if done != whole {
        return Err(contradiction(format!("the inputs fill {done} of {whole} along axis {}", layer.axis)));
    }
    Ok(())
}

/// Plans a slice.
///
/// # Errors
/// An internal error if the box exceeds the tensor.
pub fn plan_slice(scope: &mut LayerScope<'_>, layer: &SliceLayer) -> Result<(), PlanError> {
    let (input, output) = (&layer.input, &layer.output);
    check_all(scope.draft, std::slice::from_ref(input), output)?;
    let rank = input.shape.len();
    let inside = input.shape.iter().zip(&output.shape).zip(&layer.start);
    let inside =
        inside.into_iter().all(|((&n, &size), &start)| start.checked_add(size).is_some_and(|end| end <= n));
    if output.shape.len() != rank || layer.start.len() != rank || !inside {
        return Err(contradiction(format!(
            "a box {:?} at {:?} of shape {:?}",
            output.shape, layer.start, input.shape
        )));
    }
    let element = input.dtype.bytes();
    let strides = input.strides()?;
    let offset = offset(&strides, layer.start.iter().copied(), element)?;
    let src = At { buffer: input.buffer, offset };
    let dst = At { buffer: output.buffer, offset: 0 };
    let dims = dims(&output.shape, &strides, &output.strides()?, element);
    copy(scope.draft, store_engine(scope.machine), src, dst, &dims, element)
}

/// Extents and start of a box.
type Slab = (Vec<u64>, Vec<u64>);

/// The boxes that fills write: the sides of the frame, or the whole output if that is faster.
fn frame(machine: &Machine, layer: &PadLayer, before: &[u64], after: &[u64]) -> Result<Vec<Slab>, PlanError> {
    let (inner, outer) = (&layer.input.shape, &layer.output.shape);
    // Dimensions before the current one are restricted to the inside, so the sides are disjoint.
    let mut slab = outer.clone();
    let mut start = vec![0; inner.len()];
    let mut sides = Vec::new();
    for i in 0..inner.len() {
        for (from, extent) in [(0, before[i]), (before[i] + inner[i], after[i])] {
            if extent > 0 {
                (slab[i], start[i]) = (extent, from);
                sides.push((slab.clone(), start.clone()));
            }
        }
        (slab[i], start[i]) = (inner[i], before[i]);
    }
    let spared = layer.input.bytes()? / u64::from(machine.dram_bytes_per_cycle).max(1);
    let more = (sides.len() as u64).saturating_sub(1) * u64::from(machine.dram_latency_cycles);
    Ok(if more > spared { vec![(outer.clone(), vec![0; outer.len()])] } else { sides })
}

/// Plans a padding: fills, then a copy.
///
/// # Errors
/// An unsupported error for a negative padding, an internal error if the shapes do not match.
pub fn plan_pad(scope: &mut LayerScope<'_>, layer: &PadLayer) -> Result<(), PlanError> {
    let (input, output) = (&layer.input, &layer.output);
    check_all(scope.draft, std::slice::from_ref(input), output)?;
    let amounts = |list: &[i64]| {
        let checked = list.iter().map(|&n| {
            u64::try_from(n)
                .map_err(|_| PlanError::unsupported(format!("padding of {n}: must not be negative")))
        });
        checked.collect::<Result<Vec<u64>, _>>()
    };
    let (before, after) = (amounts(&layer.before)?, amounts(&layer.after)?);
    let sum = |i: usize| input.shape[i].checked_add(*before.get(i)?)?.checked_add(*after.get(i)?);
    let rank = input.shape.len();
    let matches = (0..rank).all(|i| sum(i) == output.shape.get(i).copied());
    if !matches || [output.shape.len(), before.len(), after.len()] != [rank; 3] {
        return Err(contradiction(format!(
            "shape {:?} padded by {before:?} and {after:?} is not {:?}",
            input.shape, output.shape
        )));
    }
    let element = output.dtype.bytes();
    let engine = store_engine(scope.machine);
    let strides = output.strides()?;
    for (slab, start) in frame(scope.machine, layer, &before, &after)? {
        let dst = offset(&strides, start.iter().copied(), element)?;
        let dst = At { buffer: output.buffer, offset: dst };
        fill(scope.draft, engine, dst, &dims(&slab, &strides, &strides, element), element, layer.value)?;
    }
    let src = At { buffer: input.buffer, offset: 0 };
    let dst = At { buffer: output.buffer, offset: offset(&strides, before.iter().copied(), element)? };
    copy(scope.draft, engine, src, dst, &dims(&input.shape, &input.strides()?, &strides, element), element)
}

/// The cut of a transposition, or nothing if a DMA engine does it: as given, otherwise whatever takes fewer cycles. Records the
/// decision in the scope.
fn decide_turn(scope: &mut LayerScope<'_>, dims: &[Dim], element: u64) -> Result<Option<Turn>, PlanError> {
    let (told, sram) = (scope.given_cut(), scope.tile_bytes());
    let over: Vec<u64> = dims.iter().map(|d| d.extent).collect();
    let turn = match (told.tile(&over)?, told.by) {
        (Some(tile), _) => Turn::told(dims, element, &tile, sram)?,
        (None, Some(By::Dma)) => None,
        (None, Some(By::Vec)) => Turn::new(scope.machine, sram, dims, element),
        (None, None) => Turn::new(scope.machine, sram, dims, element)
            .filter(|turn| turn.cycles < turn::direct_cycles(scope.machine, dims, element)),
    };
    if turn.is_none() && (told.by == Some(By::Vec) || told.tile.is_some()) {
        let what = "the vector engine cannot do this transposition: it needs runs of 1, 2 or 4 bytes and at most \
                    6 dimensions, and tiles that fit the SRAM";
        return Err(PlanError::refused(what));
    }
    let cut = match &turn {
        Some(turn) => CutStrategy::vec(&over, turn.tile.clone()),
        None => CutStrategy::dma(&over),
    };
    scope.decide_cut(cut);
    Ok(turn)
}

/// Plans a transposition.
///
/// # Errors
/// An internal error if `perm` is not a permutation or the shapes do not match it.
pub fn plan_transpose(scope: &mut LayerScope<'_>, layer: &TransposeLayer) -> Result<(), PlanError> {
    let (input, output) = (&layer.input, &layer.output);
    check_all(scope.draft, std::slice::from_ref(input), output)?;
    let rank = input.shape.len();
    let is_permutation = layer.perm.len() == rank && (0..rank).all(|d| layer.perm.contains(&d));
    let permuted: Vec<u64> = layer.perm.iter().filter_map(|&p| input.shape.get(p).copied()).collect();
    if !is_permutation || permuted != output.shape {
        return Err(contradiction(format!(
            "shape {:?} permuted by {:?} is not {:?}",
            input.shape, layer.perm, output.shape
        )));
    }
    let element = output.dtype.bytes();
    let from = input.strides()?;
    let from: Vec<u64> = layer.perm.iter().filter_map(|&p| from.get(p).copied()).collect();
    let dims = dims(&output.shape, &from, &output.strides()?, element);
    let src = At { buffer: input.buffer, offset: 0 };
    let dst = At { buffer: output.buffer, offset: 0 };
    let (merged, wide) = strided::canonical(&dims, element, 0, 4);
    let wide = u64::from(wide);
    if let Some(turn) = decide_turn(scope, &merged, wide)? {
        return turn.emit(scope.draft, scope.machine, src, dst);
    }
    copy(scope.draft, store_engine(scope.machine), src, dst, &dims, element)
}
