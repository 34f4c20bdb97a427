//! Checks of a machine's values: ranges, and values that contradict each other.

use super::error::MachineError;
use super::fields::{Machine, MachineField};

/// Maximum length of a machine name in bytes.
const MAX_NAME: usize = 64;

impl Machine {
    /// Checks every value.
    ///
    /// # Errors
    /// The first field that is outside its range or contradicts another.
    pub fn check(&self) -> Result<(), MachineError> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.name.is_empty() || self.name.len() > MAX_NAME || !self.name.chars().all(legal) {
            let reason = format!("a name has 1 to {MAX_NAME} letters, digits, '-', '_' or '.'");
            return Err(MachineError::Invalid { field: "name", reason });
        }
        for (field, got) in Machine::FIELDS.iter().zip(self.values()) {
            let MachineField { name: field, unit, min, max, .. } = *field;
            if got < min || got > max {
                return Err(MachineError::OutOfRange { field, got, min, max, unit });
            }
        }
        for (field, value) in [("adder_tree_max", self.adder_tree_max), ("sram_granule", self.sram_granule)] {
            if !value.is_power_of_two() {
                return Err(MachineError::Invalid {
                    field,
                    reason: format!("{value} is not a power of two"),
                });
            }
        }
        for (field, bytes) in [("if_rf_bytes", self.if_rf_bytes), ("fl_rf_bytes", self.fl_rf_bytes)] {
            if bytes / 2 < self.lanes {
                let reason = format!("half of {bytes} bytes holds no byte for each of {} lanes", self.lanes);
                return Err(MachineError::Invalid { field, reason });
            }
        }
        if !self.sram_bytes.is_multiple_of(u64::from(self.sram_granule)) {
            let reason =
                format!("{} is not a multiple of sram_granule = {}", self.sram_bytes, self.sram_granule);
            return Err(MachineError::Invalid { field: "sram_bytes", reason });
        }
        self.check_savings()?;
        self.check_areas()
    }

    /// No more is saved than the figure that it is saved from. No product holds both its activation and its weight; each may have
    /// a zero activation.
    fn check_savings(&self) -> Result<(), MachineError> {
        let mult_zero = ("mult_act_zero_saving_fj", self.mult_act_zero_saving_fj);
        let add_zero = ("product_add_act_zero_saving_fj", self.product_add_act_zero_saving_fj);
        let (mult, add) = (("mult_fj", self.mult_fj), ("product_add_fj", self.product_add_fj));
        let operand = ("operand_fj", self.operand_fj);
        let operand_zero = ("operand_act_zero_saving_fj", self.operand_act_zero_saving_fj);
        let (if_byte, fl_byte) = (("if_byte_fj", self.if_byte_fj), ("fl_byte_fj", self.fl_byte_fj));
        for (figure, savings) in [
            (mult, vec![("mult_act_held_saving_fj", self.mult_act_held_saving_fj), mult_zero]),
            (mult, vec![("mult_weight_held_saving_fj", self.mult_weight_held_saving_fj), mult_zero]),
            (add, vec![("product_add_act_held_saving_fj", self.product_add_act_held_saving_fj), add_zero]),
            (
                add,
                vec![("product_add_weight_held_saving_fj", self.product_add_weight_held_saving_fj), add_zero],
            ),
            (
                ("shift_fj", self.shift_fj),
                vec![("shift_weight_held_saving_fj", self.shift_weight_held_saving_fj)],
            ),
            (
                ("low_mult_bit_fj", self.low_mult_bit_fj),
                vec![("low_mult_bit_weight_held_saving_fj", self.low_mult_bit_weight_held_saving_fj)],
            ),
            (if_byte, vec![("if_held_saving_fj", self.if_held_saving_fj)]),
            (if_byte, vec![("if_write_saving_fj", self.if_write_saving_fj)]),
            (fl_byte, vec![("fl_held_saving_fj", self.fl_held_saving_fj)]),
            (fl_byte, vec![("fl_write_saving_fj", self.fl_write_saving_fj)]),
            (
                add,
                vec![
                    ("shift_add_saving_fj", self.shift_add_saving_fj),
                    ("shift_add_weight_held_saving_fj", self.shift_add_weight_held_saving_fj),
                ],
            ),
            (("of_byte_fj", self.of_byte_fj), vec![("of_held_saving_fj", self.of_held_saving_fj)]),
            (("add_fj", self.add_fj), vec![("add_held_saving_fj", self.add_held_saving_fj)]),
            (operand, vec![("operand_act_held_saving_fj", self.operand_act_held_saving_fj), operand_zero]),
            (
                operand,
                vec![("operand_weight_held_saving_fj", self.operand_weight_held_saving_fj), operand_zero],
            ),
            (("route_fj", self.route_fj), vec![("route_held_saving_fj", self.route_held_saving_fj)]),
        ] {
            at_most(figure, &savings)?;
        }
        Ok(())
    }

    /// What is inside is not larger than what it is in; 0 is not known.
    fn check_areas(&self) -> Result<(), MachineError> {
        let areas = [
            ("datapath_area_um2", self.datapath_area_um2),
            ("pe_core_area_um2", self.pe_core_area_um2),
            ("pe_area_um2", self.pe_area_um2),
        ];
        let known: Vec<_> = areas.into_iter().filter(|&(_, area)| area > 0).collect();
        for pair in known.windows(2) {
            if let [(field, inner), (outer, area)] = *pair
                && inner > area
            {
                let reason = format!("{inner} is more than {outer} = {area}, of which it is a part");
                return Err(MachineError::Invalid { field, reason });
            }
        }
        Ok(())
    }
}

/// Checks that these savings together are at most the figure.
fn at_most((figure, of): (&'static str, u64), savings: &[(&'static str, u64)]) -> Result<(), MachineError> {
    let saved = savings.iter().fold(0u64, |sum, (_, saving)| sum.saturating_add(*saving));
    let mut stated = savings.iter().filter(|(_, saving)| *saving > 0);
    if let Some(&(field, saving)) = stated.next()
        && saved > of
    {
        let with = stated.map(|(name, saving)| format!(" and {name} = {saving}")).collect::<String>();
        let reason = format!("{saving}{with} save more than {figure} = {of}");
        return Err(MachineError::Invalid { field, reason });
    }
    Ok(())
}
