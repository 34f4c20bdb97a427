//! Collects the work of each layer during a run.
//!
//! Every cycle of the run is attributed to exactly one layer and one cause.

use dpu_cost::Energy;
use dpu_isa::{Machine, Program};

use super::{Elapsed, LayerReport, Work};

/// Kinds of engines, in order of precedence for attributing a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unit {
    Dpu,
    Vec,
    Dma,
}

/// Collects the work of each layer during a run.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// One for each layer of the program, and the last for instructions without one.
    layers: Vec<(Work, Option<(u64, u64)>)>,
    sweep: Sweep,
}

impl Recorder {
    pub(crate) fn new(program: &Program) -> Recorder {
        let layers = vec![(Work::default(), None); program.layers.len() + 1];
        Recorder { sweep: Sweep { last: layers.len() - 1, ..Sweep::default() }, layers }
    }

    /// The work of the layer that instruction `index` belongs to.
    pub(crate) fn work(&mut self, program: &Program, index: usize) -> &mut Work {
        let place = self.place(program, index);
        &mut self.layers[place].0
    }

    /// A task of instruction `index` runs from `start` to `end`; starts are in order.
    pub(crate) fn span(&mut self, program: &Program, index: usize, unit: Unit, start: u64, end: u64) {
        let layer = self.place(program, index);
        self.sweep.advance(start, &mut self.layers);
        self.sweep.begin(Active { unit, end, layer }, &mut self.layers);
        let (_, span) = &mut self.layers[layer];
        let (first, last) = span.unwrap_or((start, end));
        *span = Some((first.min(start), last.max(end)));
    }

    fn place(&self, program: &Program, index: usize) -> usize {
        layer_of(program, index).unwrap_or(self.layers.len() - 1)
    }

    /// The layers' reports and their sum, for a run on this machine of this many cycles.
    pub(crate) fn finish(
        mut self,
        program: &Program,
        machine: &Machine,
        cycles: u64,
    ) -> (Vec<LayerReport>, Work) {
        self.sweep.advance(cycles, &mut self.layers);
        self.sweep.settle(self.sweep.last, &mut self.layers);
        let mut total = Work::default();
        let mut reports = Vec::new();
        for (i, (mut work, span)) in self.layers.into_iter().enumerate() {
            work.energy_fj = Energy::of(&work.counts(), machine);
            total.add(&work);
            let layer = program.layers.get(i);
            if layer.is_none() && work == Work::default() {
                continue;
            }
            let (start, end) = span.unwrap_or((0, 0));
            let loc = layer.and_then(|l| usize::try_from(l.loc).ok()).and_then(|l| program.locs.get(l));
            reports.push(LayerReport {
                name: layer.map_or_else(|| "(none)".to_owned(), |l| l.name.clone()),
                op: layer.map_or_else(String::new, |l| l.op.clone()),
                location: loc.cloned().unwrap_or_default(),
                start,
                end,
                cycles: end.saturating_sub(start),
                macs_stated: layer.map_or(0, |l| l.macs),
                work,
            });
        }
        (reports, total)
    }
}

/// The layer of an instruction; `None` if it has none.
pub(crate) fn layer_of(program: &Program, index: usize) -> Option<usize> {
    let layer = program.meta.get(index).and_then(|m| usize::try_from(m.layer).ok());
    layer.filter(|&l| l < program.layers.len())
}

/// A running task.
#[derive(Clone, Copy, Debug)]
struct Active {
    unit: Unit,
    end: u64,
    layer: usize,
}

/// Sweeps over time once and attributes every cycle.
#[derive(Debug, Default)]
struct Sweep {
    at: u64,
    /// At most one per engine, in start order.
    active: Vec<Active>,
    /// Idle cycles, attributed to the next engine to work.
    idle: u64,
    /// The layer of the last task.
    last: usize,
}

type Layers = [(Work, Option<(u64, u64)>)];

impl Sweep {
    fn advance(&mut self, to: u64, layers: &mut Layers) {
        while self.at < to {
            self.active.retain(|task| task.end > self.at);
            let next = self.active.iter().map(|task| task.end).fold(to, u64::min);
            let cycles = next - self.at;
            self.at = next;
            let Some(first) = self.active.iter().min_by_key(|task| task.unit) else {
                self.idle = self.idle.saturating_add(cycles);
                continue;
            };
            let elapsed: &mut Elapsed = &mut layers[first.layer].0.elapsed;
            let cause = match first.unit {
                Unit::Dpu => &mut elapsed.dpu,
                Unit::Vec => &mut elapsed.vec,
                Unit::Dma => &mut elapsed.dma,
            };
            *cause = cause.saturating_add(cycles);
        }
    }

    fn begin(&mut self, task: Active, layers: &mut Layers) {
        self.settle(task.layer, layers);
        self.last = task.layer;
        self.active.push(task);
    }

    /// Attributes the idle cycles so far to this layer.
    fn settle(&mut self, layer: usize, layers: &mut Layers) {
        let idle = &mut layers[layer].0.elapsed.idle;
        *idle = idle.saturating_add(std::mem::take(&mut self.idle));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_counts_for_the_most_valuable_engine_that_works() {
        let mut layers = vec![(Work::default(), None); 2];
        let mut sweep = Sweep::default();
        for (unit, start, end, layer) in
            [(Unit::Dma, 4, 30, 0), (Unit::Dpu, 10, 20, 1), (Unit::Vec, 15, 25, 0), (Unit::Dpu, 40, 50, 1)]
        {
            sweep.advance(start, &mut layers);
            sweep.begin(Active { unit, end, layer }, &mut layers);
        }
        sweep.advance(52, &mut layers);
        sweep.settle(1, &mut layers);
        assert_eq!(layers[0].0.elapsed, Elapsed { dpu: 0, vec: 5, dma: 6 + 5, idle: 4 });
        assert_eq!(layers[1].0.elapsed, Elapsed { dpu: 20, vec: 0, dma: 0, idle: 10 + 2 });
    }
}
