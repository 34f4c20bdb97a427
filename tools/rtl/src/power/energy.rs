//! Internal energy of a pin's transitions, looked up in Liberty's tables once and chosen by condition during the simulation.

use crate::liberty::{PowerArc, Truth};

/// Liberty allows a table for each supply; libraries have two at most.
const SUPPLIES: usize = 4;

/// The arcs of a pin of one kind of cell, without their energies.
#[derive(Clone, Debug)]
pub(super) struct Arcs {
    arcs: Vec<Arc>,
}

#[derive(Clone, Debug)]
struct Arc {
    /// The inputs that cause it as bits; 0 for any.
    related: u32,
    when: Option<Truth>,
    supply: usize,
}

/// Energies of the arcs of a pin of one instance, fJ: rising and falling.
pub(super) type Energies = Vec<[f64; 2]>;

impl Arcs {
    pub(super) fn new(arcs: &[PowerArc]) -> Arcs {
        let arc = |arc: &PowerArc| Arc {
            related: arc.related.iter().fold(0, |bits, input| bits | 1 << input),
            when: arc.when.clone(),
            supply: arc.supply.min(SUPPLIES - 1),
        };
        Arcs { arcs: arcs.iter().map(arc).collect() }
    }

    /// The energies at a slew and a load.
    pub(super) fn energies(arcs: &[PowerArc], slew_ps: f64, load_ff: f64) -> Energies {
        let at = |table: &Option<crate::liberty::Table>| {
            table.as_ref().map_or(0.0, |table| table.at(slew_ps, load_ff))
        };
        arcs.iter().map(|arc| [at(&arc.rise), at(&arc.fall)]).collect()
    }

    /// The energy of an input's transition in a state of the cell's pins. Libraries give none where the output follows, whose
    /// own energy it then is.
    pub(super) fn of_input(&self, energies: &Energies, state: usize, rising: bool) -> f64 {
        self.find(energies, 0, state, rising).unwrap_or(0.0)
    }

    /// The energy of an output's transition that the inputs `cause` (bits) made, in the state in which they made it. Where no
    /// condition holds because several inputs changed at once, they are taken to have changed one after the other; where
    /// none holds even so, or no arc names the cause, as for asynchronous inputs, the mean of the arcs is taken.
    pub(super) fn of_output(&self, energies: &Energies, cause: u32, state: usize, rising: bool) -> f64 {
        if let Some(energy) = self.find(energies, cause, state, rising) {
            return energy;
        }
        let causes = (0..32).filter(|input| cause >> input & 1 == 1);
        if cause.count_ones() > 1 {
            for input in causes {
                let others = usize::try_from(cause & !(1 << input)).unwrap_or(0);
                if let Some(energy) = self.find(energies, 1 << input, state ^ others, rising) {
                    return energy;
                }
            }
        }
        let named = |arc: &Arc| arc.related == 0 || arc.related & cause != 0;
        self.mean(energies, rising, named).or_else(|| self.mean(energies, rising, |_| true)).unwrap_or(0.0)
    }

    /// The arcs that hold: for every supply, one whose condition holds comes before one without a condition. `None` if there
    /// is none of any supply.
    fn find(&self, energies: &Energies, cause: u32, state: usize, rising: bool) -> Option<f64> {
        let edge = usize::from(!rising);
        let mut chosen = [0.0; SUPPLIES];
        // 0: nothing yet, 1: an arc without a condition, 2: one whose condition holds.
        let mut rank = [0u8; SUPPLIES];
        for (arc, energy) in self.arcs.iter().zip(energies) {
            if arc.related != 0 && arc.related & cause == 0 {
                continue;
            }
            let own = match &arc.when {
                None => 1,
                Some(when) if when.get(state) => 2,
                Some(_) => continue,
            };
            if own > rank[arc.supply] {
                rank[arc.supply] = own;
                chosen[arc.supply] = energy[edge];
            }
        }
        rank.iter().any(|&rank| rank > 0).then(|| chosen.iter().sum())
    }

    /// The sum over the supplies of the mean of their arcs.
    fn mean(&self, energies: &Energies, rising: bool, accept: impl Fn(&Arc) -> bool) -> Option<f64> {
        let mut sums = [(0.0, 0.0); SUPPLIES];
        for (arc, energy) in self.arcs.iter().zip(energies).filter(|(arc, _)| accept(arc)) {
            let (sum, count) = &mut sums[arc.supply];
            *sum += energy[usize::from(!rising)];
            *count += 1.0;
        }
        let means = sums.iter().filter(|(_, count)| *count > 0.0).map(|(sum, count)| sum / count);
        sums.iter().any(|(_, count)| *count > 0.0).then(|| means.sum())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.arcs.is_empty()
    }
}
