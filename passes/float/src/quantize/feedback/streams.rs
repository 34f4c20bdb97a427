//! All samples, operator by operator: as the float network computes them, or limited to codes.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{Array2, Axis};
use rayon::prelude::*;

use crate::graph::{Graph, Node, ValueId};
use crate::op::Window;
use crate::quantize::params::QParams;
use crate::{Invalid, Tensor, eval};

/// Maximum bytes of the live values of all samples.
const MAX_BYTES: usize = 1 << 30;

/// Maximum number of window rows that a layer is fitted to.
const MAX_POSITIONS: usize = 8192;

/// Columns of a product that one thread computes.
const BAND: usize = 64;

/// The code parameters of values that have codes.
pub(super) type Coded = BTreeMap<ValueId, QParams>;

/// The live values of all samples.
pub(super) struct Streams<'g> {
    graph: &'g Graph,
    coded: Option<&'g Coded>,
    last_uses: Vec<usize>,
    samples: Vec<Vec<Option<Arc<Tensor>>>>,
}

/// The windows of a convolution: for each sample `[positions, taps · channels]`.
pub(super) type Windows = Vec<Array2<f32>>;

/// As many samples as memory allows, evenly spread.
pub(super) fn chosen<'s>(graph: &Graph, samples: &'s [Vec<Tensor>]) -> Vec<&'s Vec<Tensor>> {
    // Each sample is held twice, exact and as codes.
    let bytes = most_alive(graph).saturating_mul(2 * size_of::<f32>()).max(1);
    let count = samples.len().min((MAX_BYTES / bytes).max(1));
    (0..count).filter_map(|i| samples.get(i * samples.len() / count)).collect()
}

/// Maximum number of live elements of a sample's values, without constants.
fn most_alive(graph: &Graph) -> usize {
    let last_uses = graph.last_uses();
    let size = |id: &ValueId| match graph.constant_of(*id) {
        Some(_) => 0,
        None => graph.shape(*id).iter().product::<usize>(),
    };
    let mut alive: usize = graph.inputs().iter().map(size).sum();
    let mut most = alive;
    for (index, node) in graph.nodes().iter().enumerate() {
        alive += size(&node.result);
        most = most.max(alive);
        let mut ended: Vec<&ValueId> =
            node.operands.iter().filter(|id| last_uses.get(id.index()) == Some(&index)).collect();
        ended.sort_unstable();
        ended.dedup();
        alive -= ended.into_iter().map(size).sum::<usize>().min(alive);
    }
    most
}

impl<'g> Streams<'g> {
    /// The inputs of samples; all values are rounded to codes if there are any.
    pub(super) fn begin(
        graph: &'g Graph,
        samples: &[&Vec<Tensor>],
        coded: Option<&'g Coded>,
    ) -> Result<Self, Invalid> {
        let mut streams = Streams { graph, coded, last_uses: graph.last_uses(), samples: Vec::new() };
        streams.samples = samples
            .par_iter()
            .map(|sample| {
                let mut values = graph.begin(sample)?;
                // Inputs, and constants that layers read.
                for &id in coded.into_iter().flat_map(BTreeMap::keys) {
                    if let Some(Some(value)) = values.get_mut(id.index()) {
                        *value = Arc::new(streams.as_codes(id, value.as_ref().clone()));
                    }
                }
                Ok(values)
            })
            .collect::<Result<_, Invalid>>()?;
        Ok(streams)
    }

    /// A value rounded to its codes, if it has any.
    fn as_codes(&self, id: ValueId, tensor: Tensor) -> Tensor {
        let Some(params) = self.coded.and_then(|coded| coded.get(&id)) else { return tensor };
        #[allow(clippy::cast_possible_truncation, reason = "the network computes in single precision")]
        tensor.mapv_into(|x| params.value(params.code(f64::from(x))) as f32)
    }

    /// Computes a node for every sample, with some constants replaced.
    pub(super) fn step(
        &mut self,
        index: usize,
        node: &Node,
        instead: &BTreeMap<ValueId, Tensor>,
    ) -> Result<(), Invalid> {
        let shape = self.graph.shape(node.result);
        let mut samples = std::mem::take(&mut self.samples);
        let this = &*self;
        samples.par_iter_mut().try_for_each(|values| {
            let missing = || Invalid::new(node.op.name(), "an operand is not computed yet");
            let operands = node.operands.iter().map(|id| match instead.get(id) {
                Some(tensor) => Ok(tensor),
                None => values.get(id.index()).and_then(Option::as_deref).ok_or_else(missing),
            });
            let result = eval::apply(&node.op, &operands.collect::<Result<Vec<_>, _>>()?, shape)?;
            let result = Some(Arc::new(this.as_codes(node.result, result)));
            values.get_mut(node.result.index()).into_iter().for_each(|place| place.clone_from(&result));
            for id in node.operands.iter().filter(|id| this.last_uses.get(id.index()) == Some(&index)) {
                values.get_mut(id.index()).into_iter().for_each(|place| *place = None);
            }
            Ok(())
        })?;
        self.samples = samples;
        Ok(())
    }

    /// The windows of a value, in steps of its codes, at evenly spread positions; padding is 0.
    pub(super) fn windows(
        &self,
        id: ValueId,
        step: f64,
        (window, [kh, kw]): (&Window, [usize; 2]),
        [oh, ow]: [usize; 2],
    ) -> Option<Windows> {
        let of = |values: &Vec<Option<Arc<Tensor>>>| {
            let image = values.get(id.index())?.as_deref()?;
            let &[n, h, w, c] = image.shape() else { return None };
            let places = positions(n.checked_mul(oh)?.checked_mul(ow)?, self.samples.len());
            let mut windows = Array2::zeros((places.len(), kh * kw * c));
            for (place, mut row) in places.into_iter().zip(windows.axis_iter_mut(Axis(0))) {
                let pixels = image.as_slice()?.get(place / (oh * ow) * h * w * c..)?;
                let position = [place / ow % oh, place % ow];
                eval::gather(window, pixels, [h, w, c], kw, position, row.as_slice_mut()?);
            }
            #[allow(clippy::cast_possible_truncation, reason = "single precision is enough")]
            windows.mapv_inplace(|x| (f64::from(x) / step) as f32);
            Some(windows)
        };
        self.samples.par_iter().map(of).collect()
    }
}

/// The positions of a sample that a layer is fitted to, of `total`, evenly spread.
pub(super) fn positions(total: usize, samples: usize) -> Vec<usize> {
    let count = total.min((MAX_POSITIONS / samples.max(1)).max(1));
    let place = |i: usize| if count == total { i } else { (i * total + total / 2) / count.max(1) };
    (0..count).map(place).collect()
}

/// The number of positions.
pub(super) fn count(windows: &Windows) -> usize {
    windows.iter().map(Array2::nrows).sum()
}

/// Subtracts the mean of every column, and returns the means.
#[allow(clippy::cast_precision_loss, reason = "far fewer than 2^52 positions")]
pub(super) fn center(windows: &mut Windows) -> Vec<f64> {
    let mut means = vec![0.0; windows.first().map_or(0, Array2::ncols)];
    for row in windows.iter().flat_map(Array2::rows) {
        means.iter_mut().zip(row).for_each(|(mean, &x)| *mean += f64::from(x));
    }
    let count = count(windows).max(1) as f64;
    means.iter_mut().for_each(|mean| *mean /= count);
    windows.par_iter_mut().flat_map_iter(|sample| sample.axis_iter_mut(Axis(0))).for_each(|mut row| {
        #[allow(clippy::cast_possible_truncation, reason = "single precision is enough")]
        row.iter_mut().zip(&means).for_each(|(x, mean)| *x = (f64::from(*x) - mean) as f32);
    });
    means
}

/// The mean product of some columns of `a` with the same of `b`.
///
/// Threads compute bands of it, each over all samples in order, so that the result does not depend on their number.
#[allow(clippy::cast_precision_loss, reason = "far fewer than 2^52 positions")]
pub(super) fn products(a: &Windows, b: &Windows, columns: std::ops::Range<usize>) -> Array2<f64> {
    let n = columns.len();
    let mut sums = vec![0f64; n * n];
    sums.par_chunks_mut(BAND * n.max(1)).enumerate().for_each(|(band, sums)| {
        let first = columns.start + band * BAND;
        let end = (first + BAND).min(columns.end);
        for (a, b) in a.iter().zip(b) {
            let a = a.slice_axis(Axis(1), (first..end).into());
            let product = a.t().dot(&b.slice_axis(Axis(1), columns.clone().into()));
            sums.iter_mut().zip(&product).for_each(|(sum, &x)| *sum += f64::from(x));
        }
    });
    let count = count(a).max(1) as f64;
    Array2::from_shape_fn((n, n), |(i, j)| sums.get(i * n + j).copied().unwrap_or(0.0) / count)
}
