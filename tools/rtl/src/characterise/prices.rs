//! The prices of a machine file, fitted to the energy of a PE's units.
//!
//! Every class of energy has a price for each event and a saving where an operand is held; both are chosen so that the squared
//! errors, relative to the energy of each layer, are least over all measured layers.

use std::collections::BTreeMap;

use dpu_isa::{Machine, PeKind};
use strum_formats::Kind;

use super::{CharacteriseError, Measured, fit};
use crate::spec::Spec;

/// The machine that is being filled.
pub(super) struct Prices {
    pub(super) machine: Machine,
    pub(super) sources: BTreeMap<&'static str, String>,
    pub(super) main: Spec,
}

/// Events and energies of a class over the layers.
type Class<'m> = (&'m dyn Fn(&Measured) -> Vec<f64>, &'m dyn Fn(&Measured) -> f64);

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

    /// Fits `fields`, a price and savings that are at most the price, to a class; without events they become 0. No product has
    /// more than one of the first two savings; each may have the third, of a zero activation, as well.
    fn class(&mut self, measured: &[&Measured], fields: &[&'static str], class: Class<'_>) {
        let legal = |x: &[f64]| {
            let zero = x.get(3).copied().unwrap_or(0.0);
            let held = x.get(1..).unwrap_or_default().iter().take(2);
            let most = held.copied().fold(0.0, f64::max);
            x.first().is_some_and(|&price| most + zero <= price)
        };
        let x = whole(&solve(measured, class, legal));
        for (i, field) in fields.iter().enumerate() {
            self.set(field, x.get(i).copied().unwrap_or(0.0));
        }
    }

    /// Fits all prices to these layers.
    pub(super) fn fit(&mut self, measured: &[&Measured]) -> Result<(), CharacteriseError> {
        let main: Vec<&Measured> =
            measured.iter().filter(|m| m.whole && m.spec == self.main).copied().collect();
        if main.is_empty() {
            return Err(CharacteriseError::NoLayer);
        }
        let kind = self.main.kind;
        self.class(
            &main,
            &[
                "mult_fj",
                "mult_act_held_saving_fj",
                "mult_weight_held_saving_fj",
                "mult_act_zero_saving_fj",
            ],
            (&|m| multiplications(m, kind), &|m| m.classes.multipliers),
        );
        self.additions(&main);
        self.class(
            &main,
            &[
                "operand_fj",
                "operand_act_held_saving_fj",
                "operand_weight_held_saving_fj",
                "operand_act_zero_saving_fj",
            ],
            (
                &|m| {
                    let e = &m.counts.events;
                    vec![products(m), -float(e.act_held), -float(e.weight_held), -float(e.act_zero)]
                },
                &|m| m.classes.operands,
            ),
        );
        self.class(
            &main,
            &["route_fj", "route_held_saving_fj"],
            (&|m| vec![float(m.counts.events.routed), -float(m.counts.events.routed_held)], &|m| {
                m.classes.routing
            }),
        );
        self.class(
            &main,
            &["decode_block_fj"],
            (&|m| vec![float(m.counts.events.packed_blocks)], &|m| m.classes.decode),
        );
        self.register_files(&main);
        self.class(&main, &["path_fj"], (&|m| vec![products(m)], &|m| m.classes.paths));
        self.clocks(&main);
        self.low_members(measured);
        // What packed words cost on their way is in the register file and the decoder.
        self.set("unpack_byte_fj", 0.0);
        Ok(())
    }

    /// Adders of the lanes and of the accumulator. A shifted activation is one row of the carry-save tree, a multiplication several.
    fn additions(&mut self, main: &[&Measured]) {
        let events = |m: &Measured| {
            let e = &m.counts.events;
            let held = e.weight_held.saturating_sub(e.low_shifts_weight_held);
            let shifts = [float(e.low_shifts), -float(e.low_shifts_weight_held)];
            let multiplied = products(m) - shifts[0];
            let zero = float(e.act_zero) * multiplied / products(m).max(1.0);
            vec![multiplied, -float(e.act_held), -float(held), shifts[0], shifts[1], -zero]
        };
        let legal = |x: &[f64]| match *x {
            [product, act, weight, shift, held, zero] => {
                (act.max(weight) + zero).max(shift) <= product && held <= shift
            }
            _ => false,
        };
        let x = solve(main, (&events, &|m| m.classes.product_add), legal);
        if let [product, act, weight, shift, held, zero] = *x {
            let fields = [
                "product_add_fj",
                "product_add_act_held_saving_fj",
                "product_add_weight_held_saving_fj",
                "product_add_act_zero_saving_fj",
            ];
            for (field, value) in fields.into_iter().zip(whole(&[product, act, weight, zero])) {
                self.set(field, value);
            }
            let shifts = main.iter().any(|m| m.counts.events.low_shifts > 0);
            self.set("shift_add_saving_fj", if shifts { product.round() - shift.round() } else { 0.0 });
            self.set("shift_add_weight_held_saving_fj", held.min(shift.round()));
        }
        let steps = |m: &Measured| vec![float(m.counts.events.pe_steps), -float(m.counts.events.steps_held)];
        self.class(main, &["add_fj", "add_held_saving_fj"], (&steps, &|m| m.classes.add));
    }

    /// Clocks of every step, and of the entries that are written.
    fn clocks(&mut self, main: &[&Measured]) {
        let steps = |m: &Measured| vec![float(m.counts.events.pe_steps)];
        self.class(main, &["operand_clock_fj"], (&steps, &|m| m.classes.operand_clock));
        self.class(main, &["datapath_clock_fj"], (&steps, &|m| m.classes.datapath_clock));
        let written = |m: &Measured| {
            let e = &m.counts.events;
            [e.pe_steps, e.if_entries, e.fl_entries].map(float).to_vec()
        };
        let x = solve(main, (&written, &|m| m.classes.pe_clock), |_| true);
        for (field, price) in ["pe_clock_fj", "if_entry_clock_fj", "fl_entry_clock_fj"].into_iter().zip(x) {
            self.set(field, price);
        }
    }

    /// Register files; a write takes less than a read, or as much, and the clock of the entry apart.
    fn register_files(&mut self, main: &[&Measured]) {
        let input = |m: &Measured| {
            let e = &m.counts.events;
            (m.classes.if_rf, [float(e.if_read), -float(e.if_held), float(e.if_write)])
        };
        let filter = |m: &Measured| {
            let e = &m.counts.events;
            (m.classes.fl_rf, [float(e.fl_read), -float(e.fl_held), float(e.fl_write)])
        };
        self.file(main, ["if_byte_fj", "if_held_saving_fj", "if_write_saving_fj"], &input);
        self.file(main, ["fl_byte_fj", "fl_held_saving_fj", "fl_write_saving_fj"], &filter);
        self.class(
            main,
            &["of_byte_fj", "of_held_saving_fj"],
            (
                &|m| {
                    let e = &m.counts.events;
                    // A step reads and writes four bytes.
                    vec![float(e.of_read + e.of_write), -8.0 * float(e.steps_held)]
                },
                &|m| m.classes.of_rf,
            ),
        );
    }

    /// A register file: its energy, and its bytes read, of a held entry, and written.
    fn file(
        &mut self,
        main: &[&Measured],
        fields: [&'static str; 3],
        of: &dyn Fn(&Measured) -> (f64, [f64; 3]),
    ) {
        let legal = |x: &[f64]| x.iter().skip(1).all(|part| Some(part) <= x.first());
        let x = solve(main, (&|m| of(m).1.to_vec(), &|m| of(m).0), legal);
        if let [read, held, write] = *x {
            // Prices are whole numbers.
            let read = read.round();
            for (field, value) in fields.into_iter().zip([read, held.min(read), read - write.min(read)]) {
                self.set(field, value);
            }
        }
    }

    /// The units of low members, each on the PEs for its format.
    fn low_members(&mut self, measured: &[&Measured]) {
        if self.main.kind == PeKind::Dense {
            return;
        }
        let of = |kind: Kind| -> Vec<&Measured> {
            let own = |m: &&&Measured| m.whole && m.packed && m.spec.format.method.kind() == kind;
            measured.iter().filter(own).copied().collect()
        };
        self.class(
            &of(Kind::Mip2q),
            &["shift_fj", "shift_weight_held_saving_fj"],
            (
                &|m| vec![float(m.counts.events.low_shifts), -float(m.counts.events.low_shifts_weight_held)],
                &|m| m.classes.low,
            ),
        );
        self.class(
            &of(Kind::Dliq),
            &["low_mult_bit_fj", "low_mult_bit_weight_held_saving_fj"],
            (
                &|m| {
                    let e = &m.counts.events;
                    vec![float(e.low_product_bits), -float(e.low_product_bits_weight_held)]
                },
                &|m| m.classes.low,
            ),
        );
    }
}

/// The prices of a class: relative to the whole layer, so that each layer counts alike, and each class by its share of it.
fn solve(measured: &[&Measured], (events, energy): Class<'_>, legal: impl Fn(&[f64]) -> bool) -> Vec<f64> {
    let with: Vec<(Vec<f64>, f64)> = measured
        .iter()
        .map(|m| (events(m), m))
        .filter(|(row, m)| row.first().is_some_and(|&n| n > 0.0) && energy(m) > 0.0)
        .map(|(row, m)| {
            let whole = m.classes.total();
            (row.into_iter().map(|n| n / whole).collect::<Vec<f64>>(), energy(m) / whole)
        })
        .collect();
    let (rows, targets): (Vec<Vec<f64>>, Vec<f64>) = with.into_iter().unzip();
    fit::fit(&rows, &targets, legal)
}

/// A price with two savings of held operands and one of zero activations as whole numbers, of which a machine file consists: rounded,
/// and together, as a product may have them, at most the price.
fn whole(x: &[f64]) -> Vec<f64> {
    let price = x.first().map_or(0.0, |price| price.round());
    let mut most = 0.0f64;
    let saving = |(i, saving): (usize, &f64)| match i {
        0 => price,
        1 | 2 => {
            let held = saving.round().min(price);
            most = most.max(held);
            held
        }
        _ => saving.round().min(price - most),
    };
    x.iter().enumerate().map(saving).collect()
}

fn float(count: u64) -> f64 {
    count as f64
}

/// Products as `dpu-cost` counts them.
fn products(m: &Measured) -> f64 {
    let dropped = if m.spec.format.method.kind() == Kind::Sparse { m.counts.macs_low } else { 0 };
    float(m.counts.macs_high + m.counts.macs_low - dropped)
}

/// Full multiplications, those with the activation held, and those with the weight held.
fn multiplications(m: &Measured, kind: PeKind) -> Vec<f64> {
    let e = &m.counts.events;
    let held = match kind {
        PeKind::Dense => e.weight_held,
        _ => e.weight_held.saturating_sub(e.low_shifts_weight_held + e.low_products_weight_held),
    };
    let full = m.counts.macs_high + if kind == PeKind::Dense { m.counts.macs_low } else { 0 };
    // Of the products of each kind, their share has a zero activation.
    let zero = float(e.act_zero) * float(full) / products(m).max(1.0);
    vec![float(full), -float(e.act_held), -float(held), -zero]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounded_savings_are_at_most_the_rounded_price() {
        assert_eq!(whole(&[10.4, 5.7, 5.2, 4.7]), [10.0, 6.0, 5.0, 4.0]);
        assert_eq!(whole(&[10.5, 5.2, 0.0, 4.7]), [11.0, 5.0, 0.0, 5.0]);
        assert_eq!(whole(&[10.4, 10.6]), [10.0, 10.0]);
        assert!(whole(&[]).is_empty());
    }
}
