//! The prices of a machine file, fitted to the energy of a PE's units.
//!
//! Prices and savings are such that the squared errors of every class of units, by the events of the driven PE, and of the layers as
//! a whole, by the events that the simulator counts, are least, relative to the energy of each layer. Layers that are further off
//! then weigh more, in several rounds, which lowers the largest error.

use std::collections::BTreeMap;

use dpu_cost::Counts;
use dpu_isa::{Machine, PeKind};
use strum_formats::Kind;

use super::fit::System;
use super::groups::{self, Group};
use super::{CharacteriseError, Measured};
use crate::spec::Spec;

/// Rounds of weighing layers by their errors.
const ROUNDS: usize = 5;

/// Weight of a class's mean error over the packed, and over the plain layers: levels of hardware are compared by such means.
const MEANS: f64 = 3.0;

/// Weight that a layer without error keeps from round to round, relative to the one that is furthest off: less lets few layers
/// decide.
const KEPT: f64 = 0.3;

/// The machine that is being filled.
pub(super) struct Prices {
    pub(super) machine: Machine,
    pub(super) sources: BTreeMap<&'static str, String>,
    pub(super) main: Spec,
}

impl Prices {
    pub(super) fn new(machine: Machine, spec: &Spec) -> Prices {
        Prices { machine, sources: BTreeMap::new(), main: spec.clone() }
    }

    pub(super) fn set(&mut self, field: &'static str, value: f64) {
        let value = value.round().max(0.0) as u64;
        if self.machine.set(field, value) {
            self.sources.insert(field, String::new());
        }
    }

    /// Fits all prices to these layers.
    pub(super) fn fit(&mut self, measured: &[&Measured]) -> Result<(), CharacteriseError> {
        let main: Vec<&Measured> =
            measured.iter().filter(|m| m.whole && m.spec == self.main).copied().collect();
        if main.is_empty() {
            return Err(CharacteriseError::NoLayer);
        }
        let own = self.main.format.method.kind();
        let with_low = self.main.kind != PeKind::Dense;
        let mut all = groups::all();
        all.extend(groups::low_members(own).filter(|_| with_low));
        self.price(&all, &main, ROUNDS);
        // Units of low members of other formats are measured on PEs for these.
        for format in [Kind::Mip2q, Kind::Dliq].into_iter().filter(|&format| format != own && with_low) {
            let theirs = |m: &&&Measured| m.whole && m.packed && m.spec.format.method.kind() == format;
            let theirs: Vec<&Measured> = measured.iter().filter(theirs).copied().collect();
            let group: Vec<Group> = groups::low_members(format).into_iter().collect();
            self.price(&group, &theirs, 0);
        }
        // What packed words cost on their way is in the register file and the decoder.
        self.set("unpack_byte_fj", 0.0);
        Ok(())
    }

    /// Fits the fields of these groups; without events they become 0. With `rounds`, the groups make up the whole energy of a
    /// layer, and layers as a whole count as well.
    fn price(&mut self, groups: &[Group], layers: &[&Measured], rounds: usize) {
        let (mut units, mut totals) = (System::default(), System::default());
        for packed in [false, true] {
            let own: Vec<&Measured> = layers.iter().filter(|m| m.packed == packed).copied().collect();
            let mean = MEANS / (own.len().max(1) as f64).sqrt();
            let mut means = System::default();
            for m in own {
                let energy = m.classes.total();
                // As many steps as the PE took.
                let counts = m.model.as_ref().unwrap_or(&m.counts);
                let scale = m.counts.events.pe_steps as f64 / counts.events.pe_steps.max(1) as f64;
                let of_layer = classes(groups, counts, m, scale / energy);
                totals.push(of_layer.rows.iter().fold(Vec::new(), sum), 1.0);
                units.extend(classes(groups, &m.counts, m, 1.0 / energy));
                means.add(&of_layer, mean);
            }
            if rounds > 0 {
                units.extend(means);
            }
        }
        let factors = match rounds {
            0 => units.solve(&vec![1.0; units.rows.len()]),
            _ => weighed(units, &totals, rounds),
        };
        let mut factors = factors.into_iter();
        for group in groups {
            let mut values = vec![0.0; group.fields.len()];
            for corner in group.savings.corners(group.fields.len()) {
                let factor = factors.next().unwrap_or(0.0);
                values.iter_mut().zip(corner).for_each(|(value, part)| *value += factor * part);
            }
            for (field, value) in group.fields.iter().zip(group.savings.whole(&values)) {
                self.set(field, value);
            }
        }
    }
}

/// The equations of a layer's classes: `scale` times what the corners of their savings amount to, and the gates' energy relative to
/// the whole.
fn classes(groups: &[Group], counts: &Counts, m: &Measured, scale: f64) -> System {
    let mut system = System::default();
    let of_group = |group: &Group| -> Vec<f64> {
        let events = (group.events)(counts, &m.spec);
        let corners = group.savings.corners(group.fields.len());
        corners.iter().map(|corner| dot(corner, &events) * scale).collect()
    };
    let parts: Vec<Vec<f64>> = groups.iter().map(of_group).collect();
    for (i, group) in groups.iter().enumerate() {
        let own = parts
            .iter()
            .enumerate()
            .flat_map(|(j, part)| part.iter().map(move |&x| if i == j { x } else { 0.0 }));
        system.push(own.collect(), (group.energy)(&m.classes) / m.classes.total());
    }
    system
}

fn sum(mut a: Vec<f64>, b: &Vec<f64>) -> Vec<f64> {
    a.resize(a.len().max(b.len()), 0.0);
    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
    a
}

/// The solution for units and layers, whose weights grow with their errors.
fn weighed(mut system: System, totals: &System, rounds: usize) -> Vec<f64> {
    let (units, layers) = (system.rows.len(), totals.rows.len());
    system.extend(totals.clone());
    let mut weights = vec![1.0; units + layers];
    let mut x = system.solve(&weights);
    for _ in 1..rounds {
        let errors: Vec<f64> = totals.errors(&x).into_iter().map(f64::abs).collect();
        let most = errors.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let own = weights.get_mut(units..).unwrap_or_default();
        own.iter_mut().zip(errors).for_each(|(weight, error)| *weight *= KEPT + error / most);
        let mean = own.iter().sum::<f64>() / layers.max(1) as f64;
        own.iter_mut().for_each(|weight| *weight /= mean);
        x = system.solve(&weights);
    }
    x
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
