//! The order of tiles: the loops around the machine.
//!
//! Two loops (spatial tiles with images, and channel tiles) in either order around the loop over reduction tiles. Inner loops
//! alternate direction, so that tiles still in SRAM at a turn are reused.

use std::ops::Range;

use crate::error::PlanError;

use super::{Order, Problem, Tiling};

/// One tile: a block of outputs and a block of their sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Image of the batch.
    pub(crate) image: u64,
    /// Output rows.
    pub(crate) oy: Range<u64>,
    /// Output columns.
    pub(crate) ox: Range<u64>,
    /// Output channels.
    pub(crate) oc: Range<u64>,
    /// Input channels.
    pub(crate) ic: Range<u64>,
    /// Kernel rows.
    pub(crate) ky: Range<u64>,
    /// Kernel columns.
    pub(crate) kx: Range<u64>,
    /// Names the spatial tile (image, rows, columns).
    pub(crate) spatial: u64,
    /// Names the channel tile.
    pub(crate) channel: u64,
    /// Names the reduction tile (input channels, kernel rows, kernel columns).
    pub(crate) reduction: u64,
    /// No earlier step contributes to these outputs.
    pub(crate) first: bool,
    /// No later step contributes to these outputs.
    pub(crate) last: bool,
    /// No later step computes outputs of this iteration of the outer loop.
    pub(crate) ends_iteration: bool,
}

/// Calls `f` for all steps of a tiling in order.
///
/// # Errors
/// Those of `f`.
pub(crate) fn for_each_step(
    problem: &Problem,
    tiling: &Tiling,
    mut f: impl FnMut(&Step) -> Result<(), PlanError>,
) -> Result<(), PlanError> {
    let spatial = problem.images * tiling.oy.count() * tiling.ox.count();
    let channels = tiling.oc.count();
    let (outer, inner) = match tiling.order {
        Order::SpatialOuter => (spatial, channels),
        Order::ChannelOuter => (channels, spatial),
    };
    let (mut inner_back, mut reduction_back) = (false, false);
    for o in 0..outer {
        for i in 0..inner {
            let ends_iteration = i + 1 == inner;
            let i = if inner_back { inner - 1 - i } else { i };
            let (s, c) = match tiling.order {
                Order::SpatialOuter => (o, i),
                Order::ChannelOuter => (i, o),
            };
            reduce(problem, tiling, (s, c), reduction_back, |step| {
                f(&Step { ends_iteration: ends_iteration && step.last, ..step })
            })?;
            reduction_back = !reduction_back;
        }
        inner_back = !inner_back;
    }
    Ok(())
}

/// All steps of one output tile, named by spatial and channel tile.
fn reduce(
    problem: &Problem,
    tiling: &Tiling,
    (spatial, channel): (u64, u64),
    back: bool,
    mut f: impl FnMut(Step) -> Result<(), PlanError>,
) -> Result<(), PlanError> {
    let (columns, rows) = (tiling.ox.count(), tiling.oy.count());
    let oy = tiling.oy.range(spatial / columns % rows);
    let ox = tiling.ox.range(spatial % columns);
    let oc = tiling.oc.range(channel);
    let (mut ics, mut kys, mut kxs) =
        (0..tiling.ic.count(), problem.y.live(&oy, &tiling.ky), problem.x.live(&ox, &tiling.kx));
    if kys.is_empty() || kxs.is_empty() {
        // All padding: any one tile of the sum contributes 0.
        (ics, kys, kxs) = (0..1, 0..1, 0..1);
    }
    let len = |r: &Range<u64>| r.end - r.start;
    let count = len(&ics) * len(&kys) * len(&kxs);
    for n in 0..count {
        let r = if back { count - 1 - n } else { n };
        let ix = kxs.start + r % len(&kxs);
        let iy = kys.start + r / len(&kxs) % len(&kys);
        let ic = ics.start + r / len(&kxs) / len(&kys);
        f(Step {
            image: spatial / columns / rows,
            oy: oy.clone(),
            ox: ox.clone(),
            oc: oc.clone(),
            ic: tiling.ic.range(ic),
            ky: tiling.ky.range(iy),
            kx: tiling.kx.range(ix),
            spatial,
            channel,
            reduction: (ic * tiling.ky.count() + iy) * tiling.kx.count() + ix,
            first: n == 0,
            last: n + 1 == count,
            ends_iteration: false,
        })?;
    }
    Ok(())
}
