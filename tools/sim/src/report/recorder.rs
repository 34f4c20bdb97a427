//! Collects the work of each layer during a run.
//!
//! Every cycle of the run is attributed to exactly one layer and one cause.

use std::collections::BTreeSet;

use dpu_cost::Energy;
use dpu_isa::{Instr, Machine, Program, Slots, WeightFormat};

use super::limits::Limit;
use super::{Elapsed, LayerReport, Phases, Work};

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

    /// A task of instruction `index` runs from `start` to `end`, limited in these phases; starts are in order.
    pub(crate) fn span(
        &mut self,
        program: &Program,
        index: usize,
        unit: Unit,
        (start, end): (u64, u64),
        phases: Phases,
    ) {
        let layer = self.place(program, index);
        self.sweep.advance(start, &mut self.layers);
        self.sweep.begin(Active { unit, end, layer, phases }, &mut self.layers);
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
        let weights = weight_formats(program);
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
                weights: weights.get(i).cloned().unwrap_or_default(),
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

/// The weight formats of every layer's convolutions.
fn weight_formats(program: &Program) -> Vec<String> {
    let mut found: Vec<BTreeSet<String>> = vec![BTreeSet::new(); program.layers.len()];
    let mut slots = Slots::default();
    for (index, instr) in program.instrs.iter().enumerate() {
        // An instruction without its invariant has stopped the run.
        let (Ok(Some(Instr::ConvInv(inv))), Instr::ConvVar(_)) = (slots.step(instr), instr) else { continue };
        let WeightFormat { method, block, low, .. } = WeightFormat::of(inv);
        let name = method.name();
        let text = if method.is_packed() { format!("{name} {low}/{block}") } else { name.to_owned() };
        if let Some(formats) = layer_of(program, index).and_then(|layer| found.get_mut(layer)) {
            formats.insert(text);
        }
    }
    found.into_iter().map(|formats| formats.into_iter().collect::<Vec<_>>().join("+")).collect()
}

/// A running task.
#[derive(Clone, Copy, Debug)]
struct Active {
    unit: Unit,
    end: u64,
    layer: usize,
    phases: Phases,
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
            let (at, next) = (self.at, self.next(to));
            let cycles = next - at;
            self.at = next;
            let Some(first) = self.active.iter().min_by_key(|task| task.unit) else {
                self.idle = self.idle.saturating_add(cycles);
                continue;
            };
            let holds =
                |task: &Active| task.unit == Unit::Dma && task.phases.at(at).0 == Limit::DramBandwidth;
            // A transfer that waits for the channel is limited by what holds it.
            let limit = match first.unit {
                Unit::Dma if self.active.iter().any(holds) => Limit::DramBandwidth,
                Unit::Dma | Unit::Dpu | Unit::Vec => first.phases.at(at).0,
            };
            layers[first.layer].0.limits.count(limit, cycles);
            let elapsed: &mut Elapsed = &mut layers[first.layer].0.elapsed;
            let cause = match first.unit {
                Unit::Dpu => &mut elapsed.dpu,
                Unit::Vec => &mut elapsed.vec,
                Unit::Dma => &mut elapsed.dma,
            };
            *cause = cause.saturating_add(cycles);
        }
    }

    /// The next cycle, at most `to`, at which a task ends or is limited by something else.
    fn next(&self, to: u64) -> u64 {
        let changes = self.active.iter().map(|task| task.phases.at(self.at).1.min(task.end));
        changes.filter(|&end| end > self.at).fold(to, u64::min)
    }

    fn begin(&mut self, task: Active, layers: &mut Layers) {
        self.settle(task.layer, layers);
        self.last = task.layer;
        self.active.push(task);
    }

    /// Attributes the idle cycles so far to this layer.
    fn settle(&mut self, layer: usize, layers: &mut Layers) {
        let cycles = std::mem::take(&mut self.idle);
        let Work { elapsed, limits, .. } = &mut layers[layer].0;
        elapsed.idle = elapsed.idle.saturating_add(cycles);
        limits.count(Limit::Dispatch, cycles);
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
            let phases = Phases::whole(end);
            sweep.begin(Active { unit, end, layer, phases }, &mut layers);
        }
        sweep.advance(52, &mut layers);
        sweep.settle(1, &mut layers);
        assert_eq!(layers[0].0.elapsed, Elapsed { dpu: 0, vec: 5, dma: 6 + 5, idle: 4 });
        assert_eq!(layers[1].0.elapsed, Elapsed { dpu: 20, vec: 0, dma: 0, idle: 10 + 2 });
    }
}
