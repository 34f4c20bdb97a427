//! A design as a SystemVerilog file.

use dpu_isa::Machine;

use crate::netlist::to_verilog;
use crate::spec::{Level, Spec};
use crate::units;

/// The text of a design, with a header that says what it was made from.
#[must_use]
pub fn text(spec: &Spec, machine: &Machine) -> String {
    let fingerprint = machine.fingerprint();
    let mut header = vec![
        format!("strum-rtl {}: {spec}", env!("CARGO_PKG_VERSION")),
        format!(
            "{} lanes, register files of {} B activations, {} B weights, {} accumulators",
            spec.lanes, spec.if_bytes, spec.fl_bytes, spec.accumulators
        ),
        format!("machine {}, fingerprint {}", machine.name, fingerprint.get(..16).unwrap_or(&fingerprint)),
    ];
    if spec.level == Level::Column {
        header.insert(2, format!("{} PEs, adder trees of up to {}", spec.rows, spec.tree_pes));
    }
    to_verilog(&units::top(spec), &header)
}
