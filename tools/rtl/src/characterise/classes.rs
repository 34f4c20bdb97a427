//! Energy of a PE by what the machine file has a price for, from the units of the mapped design.

use dpu_isa::PeKind;

use crate::power::{Energy, Power};
use crate::spec::Spec;

/// What a unit works for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Multipliers,
    Low,
    Paths,
    ProductAdd,
    Add,
    Operands,
    Routing,
    Decode,
    If,
    Fl,
    Of,
    /// Ports and what stands beside the units of a PE.
    Control,
}

/// Energy without leakage, fJ over a whole stimulus.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Classes {
    pub(super) multipliers: f64,
    pub(super) low: f64,
    pub(super) paths: f64,
    pub(super) product_add: f64,
    pub(super) add: f64,
    pub(super) operands: f64,
    pub(super) operand_clock: f64,
    pub(super) routing: f64,
    pub(super) decode: f64,
    pub(super) if_rf: f64,
    pub(super) fl_rf: f64,
    pub(super) of_rf: f64,
    pub(super) datapath_clock: f64,
    pub(super) pe_clock: f64,
}

impl Classes {
    pub(super) fn of(spec: &Spec, power: &Power) -> Classes {
        let mut classes = Classes::default();
        let steps = power.steps as f64;
        for unit in &power.units {
            let Energy { clock_fj, switching_fj, internal_fj, .. } = unit.energy;
            let mut parts = unit.path.split('.');
            let clock = match (parts.next(), parts.next()) {
                (Some("u_core"), Some("u_datapath")) => &mut classes.datapath_clock,
                (Some("u_core"), _) => &mut classes.operand_clock,
                _ => &mut classes.pe_clock,
            };
            *clock += clock_fj * steps;
            *classes.field(class(spec, &unit.path)) += (switching_fj + internal_fj) * steps;
        }
        classes
    }

    fn field(&mut self, class: Class) -> &mut f64 {
        match class {
            Class::Multipliers => &mut self.multipliers,
            Class::Low => &mut self.low,
            Class::Paths => &mut self.paths,
            Class::ProductAdd => &mut self.product_add,
            Class::Add => &mut self.add,
            Class::Operands => &mut self.operands,
            Class::Routing => &mut self.routing,
            Class::Decode => &mut self.decode,
            Class::If => &mut self.if_rf,
            Class::Fl => &mut self.fl_rf,
            Class::Of => &mut self.of_rf,
            Class::Control => &mut self.pe_clock,
        }
    }

    /// The classes with their names, fJ.
    pub(super) fn named(&self) -> [(&'static str, f64); 14] {
        [
            ("multipliers", self.multipliers),
            ("low", self.low),
            ("paths", self.paths),
            ("product_add", self.product_add),
            ("add", self.add),
            ("operands", self.operands),
            ("operand_clock", self.operand_clock),
            ("routing", self.routing),
            ("decode", self.decode),
            ("if_rf", self.if_rf),
            ("fl_rf", self.fl_rf),
            ("of_rf", self.of_rf),
            ("datapath_clock", self.datapath_clock),
            ("pe_clock", self.pe_clock),
        ]
    }

    /// All of it, fJ.
    pub(super) fn total(&self) -> f64 {
        self.named().iter().map(|(_, fj)| fj).sum()
    }
}

/// The class of a unit of a design of level `pe`.
fn class(spec: &Spec, path: &str) -> Class {
    let mut parts = path.split('.');
    match parts.next().unwrap_or_default() {
        "u_if" => Class::If,
        "u_fl" => Class::Fl,
        "u_of" => Class::Of,
        "u_fetch" => Class::Decode,
        "u_core" => match parts.next() {
            Some("u_choice" | "u_decode") => Class::Routing,
            Some("u_datapath") => match parts.next() {
                Some(unit) => datapath_class(spec, unit),
                // Cells of full and half adders stand beside the units.
                None => Class::ProductAdd,
            },
            _ => Class::Operands,
        },
        _ => Class::Control,
    }
}

/// The class of a unit of the datapath: lanes end in their number, units for low codes have `low` in their name or stand in the
/// lanes of low members of a static PE.
fn datapath_class(spec: &Spec, unit: &str) -> Class {
    if unit.starts_with("u_accumulate") {
        return Class::Add;
    }
    if unit.starts_with("u_isolate") {
        return Class::Paths;
    }
    if !["u_multiply", "u_row", "u_shift"].iter().any(|prefix| unit.starts_with(prefix)) {
        return Class::ProductAdd;
    }
    let lane =
        unit.rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|number| number.parse::<u32>().ok());
    let low_lane = spec.kind == PeKind::StrumStatic && lane.is_some_and(|lane| lane >= spec.high_lanes());
    if unit.starts_with("u_shift") || unit.contains("_low") || low_lane {
        Class::Low
    } else {
        Class::Multipliers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dpu_isa::Machine;
    use strum_formats::{Format, Method};

    #[test]
    fn units_have_their_classes() {
        let format = Format { w: 16, low: 8, method: Method::Mip2q { l: 7, zero: false } };
        let of = |pe_kind| Spec::of(&Machine { pe_kind, ..Machine::flexnn_16x16() }, format);
        let [dynamic, fixed] = [of(PeKind::StrumDynamic), of(PeKind::StrumStatic)];
        assert_eq!(class(&fixed, "u_core.u_datapath.u_row1_3"), Class::Multipliers);
        assert_eq!(class(&fixed, "u_core.u_datapath.u_row1_4"), Class::Low);
        assert_eq!(class(&dynamic, "u_core.u_datapath.u_row1_4"), Class::Multipliers);
        assert_eq!(class(&dynamic, "u_core.u_datapath.u_shift_low_4"), Class::Low);
        assert_eq!(class(&dynamic, "u_core.u_datapath.u_multiply_low4.u_tree_adder"), Class::Low);
        assert_eq!(class(&dynamic, "u_core.u_datapath.u_low_tree0_3"), Class::ProductAdd);
        assert_eq!(class(&dynamic, "u_core.u_datapath.u_isolate_4"), Class::Paths);
        assert_eq!(class(&fixed, "u_core.u_datapath"), Class::ProductAdd);
        assert_eq!(class(&fixed, "u_core.u_datapath.u_accumulate.u_add"), Class::Add);
        assert_eq!((class(&fixed, "u_core.u_zero3"), class(&fixed, "")), (Class::Operands, Class::Control));
    }
}
