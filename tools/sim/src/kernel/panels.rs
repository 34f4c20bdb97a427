//! Operands of the kernels: weights packed in panels of output channels, and the addresses of taps.
//!
//! A panel holds, for every group of values along the reduction, those of each of its channels side by side, so that
//! a kernel reads it sequentially.

use super::{Kernel, LANES, Operands};

/// Offsets of the values of a reduction, relative to a pixel: runs of contiguous values.
///
/// Runs are read in whole groups; values beyond the end of a run are multiplied by weights of 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taps {
    offsets: Vec<usize>,
    /// Groups per run.
    groups: usize,
    /// One past the last element read, relative to a pixel.
    reach: usize,
}

impl Taps {
    /// Runs of `len` values at these offsets, for a kernel of these operands.
    pub(crate) fn refill(&mut self, offsets: impl Iterator<Item = usize>, len: usize, operands: Operands) {
        self.offsets.clear();
        self.offsets.extend(offsets);
        self.groups = len.div_ceil(operands.group());
        let last = self.offsets.iter().max().copied().unwrap_or(0);
        self.reach = last.saturating_add(self.groups.saturating_mul(operands.group()));
    }

    /// Offsets of the runs, relative to a pixel.
    pub(crate) fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    pub(super) fn groups(&self) -> usize {
        self.groups
    }

    /// Groups of all runs.
    pub(crate) fn steps(&self) -> usize {
        self.offsets.len() * self.groups
    }

    pub(super) fn fit(&self, pixel: usize, len: usize) -> bool {
        pixel.checked_add(self.reach).is_some_and(|end| end <= len)
    }
}

/// Activations of a tile.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Activations<'a> {
    /// `i8` as stored.
    Bytes(&'a [u8]),
    /// `i8` plus 128: the form of [`Operands::Bytes`] in either case.
    Biased(&'a [u8]),
    /// Less their zero point.
    Words(&'a [i16]),
}

impl Activations<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Activations::Bytes(x) | Activations::Biased(x) => x.len(),
            Activations::Words(x) => x.len(),
        }
    }
}

/// The weights of a panel: `[step][channel][value of the group]`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Weights<'a> {
    /// For [`Operands::Bytes`].
    Bytes(&'a [i8]),
    /// For [`Operands::Words`].
    Words(&'a [i16]),
}

#[derive(Debug)]
enum Storage {
    Bytes(Vec<i8>),
    Words(Vec<i16>),
}

/// One panel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panel<'a> {
    pub(crate) weights: Weights<'a>,
    /// The initial sum of each channel; a multiple of [`LANES`] channels.
    pub(crate) start: &'a [i32],
    pub(crate) steps: usize,
}

/// All weights of a layer, packed for a kernel.
#[derive(Debug)]
pub(crate) struct Panels {
    storage: Storage,
    operands: Operands,
    /// Channels, rounded up to whole vectors, and their initial sums.
    start: Vec<i32>,
    /// Channels of a full panel.
    width: usize,
    /// Groups along the reduction.
    steps: usize,
    runs: usize,
}

impl Panels {
    /// Panels of zeros for `channels` weight sets of `runs` runs of `run` values.
    pub(crate) fn new(kernel: Kernel, channels: usize, runs: usize, run: usize) -> Panels {
        let operands = kernel.operands();
        let groups = run.div_ceil(operands.group());
        let padded = channels.next_multiple_of(LANES);
        let values = padded * runs * groups * operands.group();
        Panels {
            storage: match operands {
                Operands::Bytes => Storage::Bytes(vec![0; values]),
                Operands::Words => Storage::Words(vec![0; values]),
            },
            operands,
            start: vec![0; padded],
            width: kernel.panel_vectors() * LANES,
            steps: runs * groups,
            runs,
        }
    }

    /// Bytes of the panels.
    pub(crate) fn size(&self) -> usize {
        let weights = match &self.storage {
            Storage::Bytes(w) => w.len(),
            Storage::Words(w) => 2 * w.len(),
        };
        weights + 4 * self.start.len()
    }

    /// Number of panels.
    pub(crate) fn len(&self) -> usize {
        self.start.len().div_ceil(self.width)
    }

    /// The channels of a panel, padding included.
    pub(crate) fn channels(&self, panel: usize) -> std::ops::Range<usize> {
        let first = (panel * self.width).min(self.start.len());
        first..(first + self.width).min(self.start.len())
    }

    /// All panels, to be filled in any order.
    pub(crate) fn parts_mut(&mut self) -> Vec<PanelMut<'_>> {
        let (width, groups) = (self.width, self.steps / self.runs.max(1));
        let values = (width * self.steps * self.operands.group()).max(1);
        let weights: Vec<WeightsMut<'_>> = match &mut self.storage {
            Storage::Bytes(w) => w.chunks_mut(values).map(WeightsMut::Bytes).collect(),
            Storage::Words(w) => w.chunks_mut(values).map(WeightsMut::Words).collect(),
        };
        let starts = self.start.chunks_mut(width).enumerate();
        let part = |(weights, (n, start))| PanelMut { weights, start, first: n * width, groups };
        weights.into_iter().zip(starts).map(part).collect()
    }

    pub(super) fn panel(&self, panel: usize) -> Option<Panel<'_>> {
        let channels = self.channels(panel);
        let per_channel = self.steps * self.operands.group();
        let values = channels.start * per_channel..channels.end * per_channel;
        let weights = match &self.storage {
            Storage::Bytes(w) => Weights::Bytes(w.get(values)?),
            Storage::Words(w) => Weights::Words(w.get(values)?),
        };
        let start = self.start.get(channels).filter(|s| !s.is_empty())?;
        Some(Panel { weights, start, steps: self.steps })
    }
}

/// Weights of a panel being filled.
#[derive(Debug)]
enum WeightsMut<'a> {
    Bytes(&'a mut [i8]),
    Words(&'a mut [i16]),
}

/// One panel being filled.
#[derive(Debug)]
pub(crate) struct PanelMut<'a> {
    weights: WeightsMut<'a>,
    start: &'a mut [i32],
    /// The first channel.
    first: usize,
    /// Groups per run.
    groups: usize,
}

impl PanelMut<'_> {
    /// The channels of the panel, padding included.
    pub(crate) fn channels(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.start.len()
    }

    /// Sets the initial sum of a channel of the panel, counted from its first.
    pub(crate) fn set_start(&mut self, channel: usize, start: i32) {
        if let Some(to) = self.start.get_mut(channel) {
            *to = start;
        }
    }

    /// Packs the weight set of a channel of the panel, `runs` consecutive runs, for [`Operands::Bytes`]; values beyond
    /// the set stay 0.
    pub(crate) fn set_bytes(&mut self, channel: usize, set: &[i8], runs: usize) {
        if let WeightsMut::Bytes(to) = &mut self.weights {
            let to = to.as_chunks_mut().0;
            scatter::<4, _>(to, self.start.len(), self.groups, channel, set, set.len() / runs.max(1));
        }
    }

    /// As [`PanelMut::set_bytes`], for [`Operands::Words`].
    pub(crate) fn set_words(&mut self, channel: usize, set: &[i16], runs: usize) {
        if let WeightsMut::Words(to) = &mut self.weights {
            let to = to.as_chunks_mut().0;
            scatter::<2, _>(to, self.start.len(), self.groups, channel, set, set.len() / runs.max(1));
        }
    }
}

/// Writes the runs of a set to every `panel`th group.
fn scatter<const N: usize, T: Copy + Default>(
    to: &mut [[T; N]],
    panel: usize,
    groups: usize,
    channel: usize,
    set: &[T],
    run: usize,
) {
    for (run, to) in set.chunks_exact(run.max(1)).zip(to.chunks_exact_mut((panel * groups).max(1))) {
        let (whole, rest) = run.as_chunks::<N>();
        let mut places = to.iter_mut().skip(channel).step_by(panel.max(1));
        for (values, to) in whole.iter().zip(&mut places) {
            *to = *values;
        }
        if let (false, Some(to)) = (rest.is_empty(), places.next()) {
            for (to, &value) in to.iter_mut().zip(rest) {
                *to = value;
            }
        }
    }
}
