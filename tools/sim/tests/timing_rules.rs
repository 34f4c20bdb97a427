//! `docs/timing.md` names every parameter of the machine file that a rule could read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use dpu_isa::Machine;

/// Parameters that set no time: capacities that the validator checks.
const CAPACITIES: [&str; 2] = ["sram_bytes", "dram_bytes"];

#[test]
fn every_timing_parameter_is_named_in_the_document() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/timing.md");
    let text = std::fs::read_to_string(path).unwrap();
    for field in Machine::FIELDS {
        let energy = field.unit.starts_with("fJ");
        if energy || CAPACITIES.contains(&field.name) {
            continue;
        }
        let named = text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == field.name);
        assert!(named, "docs/timing.md does not name '{}'", field.name);
    }
}
