//! Which fields of a machine file price which class of energy, by which events.
//!
//! Invariant: the events are those of `dpu_cost::Energy`, a saving with a minus sign, so that a class's energy is the sum of its
//! fields times their events.

use dpu_cost::Counts;
use dpu_isa::PeKind;
use strum_formats::Kind;

use super::classes::Classes;
use crate::spec::Spec;

/// How the fields of a group limit each other: nothing saves more than it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Savings {
    /// Prices only.
    None,
    /// A price, and savings of which each is at most the price.
    Each,
    /// A price, savings with the activation and with the weight held, of which a product has one, and one with a zero activation,
    /// which it may have as well.
    Operands,
    /// As [`Savings::Operands`]; then what a shift saves, and what it saves besides with its weight held.
    Additions,
}

impl Savings {
    /// Values of `fields` fields whose sums, each times any factor of at least 0, are all legal values: the corners of what the
    /// savings may be of a price of 1. Those that save nothing are first.
    pub(super) fn corners(self, fields: usize) -> Vec<Vec<f64>> {
        const OPERANDS: [[f64; 3]; 5] =
            [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        const SHIFTS: [[f64; 2]; 3] = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
        let with_price = |savings: &[f64]| [&[1.0], savings].concat();
        match self {
            Savings::None => {
                (0..fields).map(|i| (0..fields).map(|j| if i == j { 1.0 } else { 0.0 }).collect()).collect()
            }
            Savings::Each => (0..1u32 << fields.saturating_sub(1))
                .map(|set| {
                    let saving = |i| f64::from(u8::from(set >> i & 1 == 1));
                    with_price(&(0..fields.saturating_sub(1)).map(saving).collect::<Vec<_>>())
                })
                .collect(),
            Savings::Operands => OPERANDS.iter().map(|savings| with_price(savings)).collect(),
            Savings::Additions => SHIFTS
                .iter()
                .flat_map(|shift| OPERANDS.iter().map(move |own| [own.as_slice(), shift].concat()))
                .map(|savings| with_price(&savings))
                .collect(),
        }
    }

    /// The values as whole numbers, of which a machine file consists: rounded, and legal still.
    pub(super) fn whole(self, x: &[f64]) -> Vec<f64> {
        let price = x.first().map_or(0.0, |price| price.round());
        let at = |i: usize| x.get(i).map_or(0.0, |value| value.round().min(price));
        // No more than what is left of the price.
        let besides = |i: usize, most: f64| at(i).min(price - most);
        match self {
            Savings::None => x.iter().map(|value| value.round()).collect(),
            Savings::Each => (0..x.len()).map(at).collect(),
            Savings::Operands => vec![price, at(1), at(2), besides(3, at(1).max(at(2)))],
            Savings::Additions => {
                vec![price, at(1), at(2), besides(3, at(1).max(at(2))), at(4), besides(5, at(4))]
            }
        }
    }
}

/// A class of energy with the fields that price it.
pub(super) struct Group {
    pub(super) fields: &'static [&'static str],
    pub(super) savings: Savings,
    /// How often each field counts, on PEs of a design.
    pub(super) events: fn(&Counts, &Spec) -> Vec<f64>,
    /// The class's energy, fJ.
    pub(super) energy: fn(&Classes) -> f64,
}

/// All groups of a machine but those of low members.
pub(super) fn all() -> Vec<Group> {
    let mut groups = operand_groups();
    groups.extend(register_files());
    groups.extend(clocks());
    groups
}

/// The group of low members of a format, if they have units of their own.
pub(super) fn low_members(format: Kind) -> Option<Group> {
    let energy = |classes: &Classes| classes.low;
    match format {
        Kind::Mip2q => Some(Group {
            fields: &["shift_fj", "shift_weight_held_saving_fj"],
            savings: Savings::Each,
            events: |counts, _| {
                let e = &counts.events;
                vec![float(e.low_shifts), -float(e.low_shifts_weight_held)]
            },
            energy,
        }),
        Kind::Dliq => Some(Group {
            fields: &["low_mult_bit_fj", "low_mult_bit_weight_held_saving_fj"],
            savings: Savings::Each,
            events: |counts, _| {
                let e = &counts.events;
                vec![float(e.low_product_bits), -float(e.low_product_bits_weight_held)]
            },
            energy,
        }),
        Kind::Sparse | Kind::Dense => None,
    }
}

/// What a product and a step take.
fn operand_groups() -> Vec<Group> {
    vec![
        Group {
            fields: &[
                "mult_fj",
                "mult_act_held_saving_fj",
                "mult_weight_held_saving_fj",
                "mult_act_zero_saving_fj",
            ],
            savings: Savings::Operands,
            events: multiplications,
            energy: |classes| classes.multipliers,
        },
        Group {
            fields: &[
                "product_add_fj",
                "product_add_act_held_saving_fj",
                "product_add_weight_held_saving_fj",
                "product_add_act_zero_saving_fj",
                "shift_add_saving_fj",
                "shift_add_weight_held_saving_fj",
            ],
            savings: Savings::Additions,
            events: additions,
            energy: |classes| classes.product_add,
        },
        Group {
            fields: &["add_fj", "add_held_saving_fj"],
            savings: Savings::Each,
            events: |counts, _| vec![float(counts.events.pe_steps), -float(counts.events.steps_held)],
            energy: |classes| classes.add,
        },
        Group {
            fields: &[
                "operand_fj",
                "operand_act_held_saving_fj",
                "operand_weight_held_saving_fj",
                "operand_act_zero_saving_fj",
            ],
            savings: Savings::Operands,
            events: |counts, spec| {
                let e = &counts.events;
                vec![products(counts, spec), -float(e.act_held), -float(e.weight_held), -float(e.act_zero)]
            },
            energy: |classes| classes.operands,
        },
        Group {
            fields: &["route_fj", "route_held_saving_fj"],
            savings: Savings::Each,
            events: |counts, _| vec![float(counts.events.routed), -float(counts.events.routed_held)],
            energy: |classes| classes.routing,
        },
        Group {
            fields: &["path_fj"],
            savings: Savings::None,
            events: |counts, spec| {
                vec![if spec.kind == PeKind::StrumDynamic { products(counts, spec) } else { 0.0 }]
            },
            energy: |classes| classes.paths,
        },
        Group {
            fields: &["decode_block_fj"],
            savings: Savings::None,
            events: |counts, _| vec![float(counts.events.packed_blocks)],
            energy: |classes| classes.decode,
        },
    ]
}

/// Register files; a write takes less than a read, or as much, and the clock of the entry apart.
fn register_files() -> Vec<Group> {
    vec![
        Group {
            fields: &["if_byte_fj", "if_held_saving_fj", "if_write_saving_fj"],
            savings: Savings::Each,
            events: |counts, _| {
                let e = &counts.events;
                vec![float(e.if_read + e.if_write), -float(e.if_held), -float(e.if_write)]
            },
            energy: |classes| classes.if_rf,
        },
        Group {
            fields: &["fl_byte_fj", "fl_held_saving_fj", "fl_write_saving_fj"],
            savings: Savings::Each,
            events: |counts, _| {
                let e = &counts.events;
                vec![float(e.fl_read + e.fl_write), -float(e.fl_held), -float(e.fl_write)]
            },
            energy: |classes| classes.fl_rf,
        },
        Group {
            fields: &["of_byte_fj", "of_held_saving_fj"],
            savings: Savings::Each,
            events: |counts, _| {
                let e = &counts.events;
                // A step reads and writes four bytes.
                vec![float(e.of_read + e.of_write), -8.0 * float(e.steps_held)]
            },
            energy: |classes| classes.of_rf,
        },
    ]
}

/// Clocks of every step, and of the entries that are written.
fn clocks() -> Vec<Group> {
    vec![
        Group {
            fields: &["operand_clock_fj"],
            savings: Savings::None,
            events: |counts, _| vec![float(counts.events.pe_steps)],
            energy: |classes| classes.operand_clock,
        },
        Group {
            fields: &["datapath_clock_fj"],
            savings: Savings::None,
            events: |counts, _| vec![float(counts.events.pe_steps)],
            energy: |classes| classes.datapath_clock,
        },
        Group {
            fields: &["pe_clock_fj", "if_entry_clock_fj", "fl_entry_clock_fj"],
            savings: Savings::None,
            events: |counts, _| {
                let e = &counts.events;
                [e.pe_steps, e.if_entries, e.fl_entries].map(float).to_vec()
            },
            energy: |classes| classes.pe_clock,
        },
    ]
}

/// Full multiplications, and those that save something.
fn multiplications(counts: &Counts, spec: &Spec) -> Vec<f64> {
    let e = &counts.events;
    let held = match spec.kind {
        PeKind::Dense => e.weight_held,
        PeKind::StrumDynamic | PeKind::StrumStatic => {
            e.weight_held.saturating_sub(e.low_shifts_weight_held + e.low_products_weight_held)
        }
    };
    let full = counts.macs_high + if spec.kind == PeKind::Dense { counts.macs_low } else { 0 };
    // Of the products of each kind, their share has a zero activation.
    let zero = float(e.act_zero) * float(full) / products(counts, spec).max(1.0);
    vec![float(full), -float(e.act_held), -float(held), -zero]
}

/// Additions over the lanes. A shifted activation is one row of the carry-save tree, a multiplication several.
fn additions(counts: &Counts, spec: &Spec) -> Vec<f64> {
    let e = &counts.events;
    let held = e.weight_held.saturating_sub(e.low_shifts_weight_held);
    let zero =
        float(e.act_zero) * (products(counts, spec) - float(e.low_shifts)) / products(counts, spec).max(1.0);
    let shifts = [e.low_shifts, e.low_shifts_weight_held].map(float);
    vec![products(counts, spec), -float(e.act_held), -float(held), -zero, -shifts[0], -shifts[1]]
}

fn float(count: u64) -> f64 {
    count as f64
}

/// Products as `dpu-cost` counts them.
fn products(counts: &Counts, spec: &Spec) -> f64 {
    let dropped = if spec.format.method.kind() == Kind::Sparse { counts.macs_low } else { 0 };
    float(counts.macs_high + counts.macs_low - dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounded_savings_are_at_most_the_rounded_price() {
        assert_eq!(Savings::Operands.whole(&[10.4, 5.7, 5.2, 4.7]), [10.0, 6.0, 5.0, 4.0]);
        assert_eq!(Savings::Operands.whole(&[10.5, 5.2, 0.0, 4.7]), [11.0, 5.0, 0.0, 5.0]);
        assert_eq!(Savings::Each.whole(&[10.4, 10.6]), [10.0, 10.0]);
        assert_eq!(Savings::None.whole(&[1.4, 10.6]), [1.0, 11.0]);
        let whole = Savings::Additions.whole(&[10.4, 0.0, 5.7, 4.7, 6.5, 3.9]);
        assert_eq!(whole, [10.0, 0.0, 6.0, 4.0, 7.0, 3.0]);
    }

    #[test]
    fn corners_are_legal_and_differ() {
        for (savings, fields, count) in [
            (Savings::None, 3, 3),
            (Savings::Each, 1, 1),
            (Savings::Each, 3, 4),
            (Savings::Operands, 4, 5),
            (Savings::Additions, 6, 15),
        ] {
            let corners = savings.corners(fields);
            assert_eq!(corners.len(), count);
            for (i, corner) in corners.iter().enumerate() {
                assert_eq!((corner.len(), savings.whole(corner)), (fields, corner.clone()));
                assert!(!corners[..i].contains(corner));
            }
        }
    }

    #[test]
    fn every_field_has_one_group() {
        let mut fields: Vec<&str> = all().iter().flat_map(|group| group.fields).copied().collect();
        let formats = [Kind::Mip2q, Kind::Dliq, Kind::Sparse, Kind::Dense];
        let low = formats.into_iter().filter_map(low_members);
        fields.extend(low.flat_map(|group| group.fields).copied());
        let count = fields.len();
        fields.sort_unstable();
        fields.dedup();
        assert_eq!(fields.len(), count);
        assert!(fields.iter().all(|field| dpu_isa::Machine::FIELDS.iter().any(|f| f.name == *field)));
    }
}
