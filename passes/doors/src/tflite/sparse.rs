//! Sparse constants. Invariant: a decoded tensor has all its elements, and those that the file leaves out are 0.

use strum_schemas::planus::Vector;
use strum_schemas::tflite::{DimensionMetadataRef, SparseIndexVectorRef, SparsityParametersRef};

use super::file::{Kind, Subgraph};
use super::importer::{Importer, Value, extents};
use super::known::{Data, Known};
use super::stop::{Step, Stop};

/// Decodes the sparse constants that wanted operators use.
pub(super) fn decode<'a>(importer: &mut Importer<'a>, graph: &Subgraph<'a>, wanted: &[bool]) -> Step<()> {
    let used = graph
        .operators
        .iter()
        .zip(wanted)
        .filter(|&(_, &wanted)| wanted)
        .flat_map(|(op, _)| op.inputs.iter().flatten());
    for &index in used {
        let Some(tensor) = graph.tensors.get(index) else { continue };
        let (Some(sparsity), Some(data)) = (tensor.sparsity, tensor.data) else { continue };
        if importer.values.get(index).is_some_and(Option::is_some) {
            continue;
        }
        let shape = extents(&tensor.shape)?;
        let count = shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d));
        let count = count.ok_or_else(|| Stop::limit(format!("a sparse tensor of shape {shape:?}")))?;
        importer.charge(count.saturating_mul(16))?;
        let (places, read) = places(sparsity, &shape, count)?;
        importer.charge(read.saturating_mul(8))?;
        let stored = |kind| Known { shape: vec![places.len()], kind, data: Data::Bytes(data) };
        let known = if matches!(tensor.kind, Kind::F32 | Kind::F16) {
            let mut dense = vec![0.0; count];
            place(&mut dense, &places, stored(tensor.kind).to_floats()?);
            Known::floats(shape, dense)
        } else {
            let mut dense = vec![0; count];
            place(&mut dense, &places, stored(tensor.kind).to_ints()?);
            Known::ints(shape, tensor.kind, dense)
        };
        importer.put(index, Value::Known(known));
    }
    Ok(())
}

fn place<T>(dense: &mut [T], places: &[usize], values: Vec<T>) {
    for (&place, value) in places.iter().zip(values) {
        if let Some(element) = dense.get_mut(place) {
            *element = value;
        }
    }
}

/// A level of the traversal.
struct Level {
    /// The distance of neighbours in the dense tensor.
    stride: usize,
    /// Its extent.
    extent: usize,
    /// Segments and indices; none for a dense level.
    sparse: Option<[Vec<usize>; 2]>,
}

/// Where the stored elements are in the dense tensor, in their order, and the number of indices that were read.
fn places(sparsity: SparsityParametersRef<'_>, shape: &[usize], count: usize) -> Step<(Vec<usize>, usize)> {
    let levels = levels(sparsity, shape)?;
    // The position among the elements of a level, and the place so far.
    let mut nodes = vec![(0_usize, 0_usize)];
    for level in &levels {
        let mut next = Vec::new();
        for &(position, place) in &nodes {
            let mut visit = |position: usize, index: usize| -> Step<()> {
                if index >= level.extent || next.len() >= count {
                    return Err(Stop::damaged("a sparse tensor has elements outside of its shape"));
                }
                next.push((position, place.saturating_add(index.saturating_mul(level.stride))));
                Ok(())
            };
            match &level.sparse {
                None => {
                    for index in 0..level.extent {
                        visit(position.saturating_mul(level.extent).saturating_add(index), index)?;
                    }
                }
                Some([segments, indices]) => {
                    let range = segments.get(position).zip(segments.get(position.saturating_add(1)));
                    let run = range.and_then(|(&from, &to)| indices.get(from..to).map(|run| (from, run)));
                    let (from, run) =
                        run.ok_or_else(|| Stop::damaged("a segment of a sparse tensor is missing"))?;
                    for (offset, &index) in run.iter().enumerate() {
                        visit(from + offset, index)?;
                    }
                }
            }
        }
        nodes = next;
    }
    let read = levels.iter().filter_map(|level| level.sparse.as_ref()).map(|[a, b]| a.len() + b.len()).sum();
    Ok((nodes.into_iter().map(|(_, place)| place).collect(), read))
}

fn levels(sparsity: SparsityParametersRef<'_>, shape: &[usize]) -> Step<Vec<Level>> {
    let list = |list: Option<Vector<'_, i32>>| -> Vec<usize> {
        list.into_iter().flatten().take(16).map(|i| usize::try_from(i).unwrap_or(usize::MAX)).collect()
    };
    let (order, blocks) = (list(sparsity.traversal_order()?), list(sparsity.block_map()?));
    let metadata: Vec<DimensionMetadataRef<'_>> =
        sparsity.dim_metadata()?.into_iter().flatten().take(16).collect::<Result<_, _>>()?;
    let rank = shape.len();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    let complete = sorted.iter().copied().eq(0..rank + blocks.len()) && metadata.len() == order.len();
    if !complete || blocks.iter().any(|&b| b >= rank) {
        return Err(Stop::damaged("the traversal of a sparse tensor does not fit its shape"));
    }
    let dense = |level: usize| metadata.get(level).map_or(Ok(0), |m| m.dense_size());
    // The extent of a block along a dimension is that of its dense level.
    let mut block = vec![1_usize; rank];
    for (level, &dim) in order.iter().enumerate() {
        if let Some(&of) = dim.checked_sub(rank).and_then(|b| blocks.get(b))
            && let Some(place) = block.get_mut(of)
        {
            *place = usize::try_from(dense(level)?).unwrap_or(0).max(1);
        }
    }
    let mut levels = Vec::new();
    for (&dim, &metadata) in order.iter().zip(&metadata) {
        let of = if dim < rank {
            dim
        } else {
            dim.checked_sub(rank).and_then(|b| blocks.get(b)).copied().unwrap_or(0)
        };
        let behind: usize = shape.iter().skip(of + 1).fold(1, |n, &d| n.saturating_mul(d));
        let (size, whole) = (block.get(of).copied().unwrap_or(1), shape.get(of).copied().unwrap_or(0));
        let (stride, extent) =
            if dim < rank { (behind.saturating_mul(size), whole / size) } else { (behind, size) };
        let sparse = match metadata.format()? {
            0 => None,
            1 => Some([indices(metadata.array_segments()?)?, indices(metadata.array_indices()?)?]),
            other => return Err(Stop::unsupported(format!("a sparse dimension of format {other}"))),
        };
        levels.push(Level { stride, extent, sparse });
    }
    Ok(levels)
}

fn indices(list: Option<SparseIndexVectorRef<'_>>) -> Step<Vec<usize>> {
    let signed = |i: i32| usize::try_from(i).unwrap_or(usize::MAX);
    Ok(match list {
        None => Vec::new(),
        Some(SparseIndexVectorRef::Int32Vector(list)) => {
            list.values()?.into_iter().flatten().map(signed).collect()
        }
        Some(SparseIndexVectorRef::Uint16Vector(list)) => {
            list.values()?.into_iter().flatten().map(usize::from).collect()
        }
        Some(SparseIndexVectorRef::Uint8Vector(list)) => {
            list.values()?.unwrap_or_default().iter().map(|&i| usize::from(i)).collect()
        }
    })
}
