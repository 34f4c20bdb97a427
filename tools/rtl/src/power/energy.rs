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

    /// The energy of a transition that one of the inputs `cause` (bits) made, in a state of the cell's pins. For every supply,
    /// an arc whose condition holds comes before one without a condition. Where no arc names the cause, as for asynchronous
    /// inputs, the mean of those that hold is taken.
    pub(super) fn energy(&self, energies: &Energies, cause: u32, state: usize, rising: bool) -> f64 {
        let edge = usize::from(!rising);
        let mut chosen = [0.0; SUPPLIES];
        // 0: nothing yet, 1: an arc without a condition, 2: one whose condition holds.
        let mut rank = [0u8; SUPPLIES];
        let (mut others, mut count) = (0.0, 0u32);
        let mut named = false;
        for (arc, energy) in self.arcs.iter().zip(energies) {
            let own = match &arc.when {
                None => 1,
                Some(when) if when.get(state) => 2,
                Some(_) => continue,
            };
            if arc.related != 0 && arc.related & cause == 0 {
                others += energy[edge];
                count += 1;
                continue;
            }
            named = true;
            if own > rank[arc.supply] {
                rank[arc.supply] = own;
                chosen[arc.supply] = energy[edge];
            }
        }
        if named || count == 0 { chosen.iter().sum() } else { others / f64::from(count) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.arcs.is_empty()
    }
}
