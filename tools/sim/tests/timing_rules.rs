//! `docs/timing.md` names every parameter of the machine file that a rule could read, `docs/energy.md` every energy, power and
//! area.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use dpu_isa::Machine;

/// Parameters that set no time: capacities that the validator checks.
const CAPACITIES: [&str; 2] = ["sram_bytes", "dram_bytes"];

#[test]
fn every_parameter_is_named_in_its_document() {
    let read = |name: &str| {
        std::fs::read_to_string(format!("{}/../../docs/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    let [timing, energy] = ["timing.md", "energy.md"].map(|name| (name, read(name)));
    for field in Machine::FIELDS.iter().filter(|field| !CAPACITIES.contains(&field.name)) {
        let figure = field.unit.starts_with("fJ") || ["nW", "um2"].contains(&field.unit);
        let (name, text) = if figure { &energy } else { &timing };
        let named = text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == field.name);
        assert!(named, "docs/{name} does not name '{}'", field.name);
    }
}
