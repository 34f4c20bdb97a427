//! A library small enough to compute with by hand, and netlists on it.

#![allow(dead_code, reason = "not every test uses everything")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use dpu_rtl::liberty::Library;
use dpu_rtl::stimulus::{Cycle, InputPort, Stimulus};
use dpu_rtl::synth::{Instance, Mapped, Port, UnitArea};

/// 2 V, so that half of C·V² is 2 fJ a fF. At slew 20 ps and load L fF the inverter takes 20 + L ps to rise and 15 + L to fall,
/// with 3 + 0.2 L and 4 + 0.2 L fJ; the other cells take the same time and energy whatever their load.
pub(crate) const TINY: &str = r#"
library (tiny) {
  time_unit : "1ps"; voltage_unit : "1V"; leakage_power_unit : "1nW";
  capacitive_load_unit (1, ff);
  nom_voltage : 2;
  lu_table_template (delay) {
    variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    index_1 ("10, 30"); index_2 ("0, 10");
  }
  power_lut_template (energy) {
    variable_1 : input_transition_time; variable_2 : total_output_net_capacitance;
    index_1 ("10, 30"); index_2 ("0, 10");
  }
  cell (INV) {
    area : 1; cell_leakage_power : 3;
    pin (A) { direction : input; capacitance : 2; }
    pin (Y) {
      direction : output; function : "!A";
      timing () {
        related_pin : "A";
        cell_rise (delay) { values ("10, 20", "30, 40"); }
        cell_fall (delay) { values ("5, 15", \
                                    "25, 35"); }
        rise_transition (delay) { values ("20, 20", "20, 20"); }
        fall_transition (delay) { values ("20, 20", "20, 20"); }
      }
      internal_power () {
        related_pin : "A";
        rise_power (energy) { values ("1, 3", "5, 7"); }
        fall_power (energy) { values ("2, 4", "6, 8"); }
      }
    }
  }
  cell (BUF) {
    area : 1.5;
    pin (A) { direction : input; capacitance : 2; }
    pin (Y) { direction : output; function : "A"; }
  }
  cell (AND2) {
    area : 2;
    pin (A) { direction : input; capacitance : 2; }
    pin (B) { direction : input; capacitance : 2; }
    pin (Y) {
      direction : output; function : "A B";
      internal_power () {
        related_pin : "A"; when : "B"; related_pg_pin : VDD;
        rise_power (scalar) { values ("5"); } fall_power (scalar) { values ("6"); }
      }
      internal_power () {
        related_pin : "A"; when : "B"; related_pg_pin : VSS;
        rise_power (scalar) { values ("0.5"); } fall_power (scalar) { values ("0.25"); }
      }
      internal_power () {
        related_pin : "B"; when : "A"; related_pg_pin : VDD;
        rise_power (scalar) { values ("8"); } fall_power (scalar) { values ("9"); }
      }
    }
  }
  cell (XOR2) {
    area : 3;
    pin (A) { direction : input; capacitance : 2; }
    pin (B) { direction : input; capacitance : 2; }
    pin (Y) {
      direction : output; function : "A ^ B";
      timing () { related_pin : "A B"; cell_rise (scalar) { values ("30"); } cell_fall (scalar) { values ("30"); } }
      internal_power () {
        related_pin : "A"; when : "B";
        rise_power (scalar) { values ("100"); } fall_power (scalar) { values ("200"); }
      }
      internal_power () {
        related_pin : "A"; when : "!B";
        rise_power (scalar) { values ("1000"); } fall_power (scalar) { values ("2000"); }
      }
      internal_power () {
        related_pin : "B";
        power (scalar) { values ("7"); }
      }
    }
  }
  cell (DFF) {
    area : 5;
    ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }
    pin (CK) {
      direction : input; capacitance : 4; clock : true;
      internal_power () { rise_power (scalar) { values ("11"); } fall_power (scalar) { values ("13"); } }
    }
    pin (D) {
      direction : input; capacitance : 1;
      internal_power () { rise_power (scalar) { values ("0.5"); } fall_power (scalar) { values ("0.25"); } }
    }
    pin (Q) {
      direction : output; function : "IQ";
      timing () {
        related_pin : "CK"; timing_type : rising_edge;
        cell_rise (scalar) { values ("40"); } cell_fall (scalar) { values ("40"); }
      }
      internal_power () { related_pin : "CK"; power (scalar) { values ("17"); } }
    }
  }
}
"#;

/// The library of a text.
pub(crate) fn library(text: &str) -> Library {
    Library::from_texts(&[("tiny.lib".into(), text.into())]).unwrap()
}

/// A netlist: cells as `(name, cell, inputs, outputs)` with numbers of nets, of which 0 and 1 are constants and 2 the clock.
pub(crate) fn mapped(
    library: &Library,
    inputs: &[(&str, &[u32])],
    cells: &[(&str, &str, &[u32], &[u32])],
    nets: u32,
) -> Mapped {
    let mut ports = vec![
        Port { name: "clk".into(), input: true, bits: vec![2] },
        Port { name: "acc_out".into(), input: false, bits: vec![0; 32] },
    ];
    ports.extend(inputs.iter().map(|(name, bits)| Port {
        name: (*name).into(),
        input: true,
        bits: bits.to_vec(),
    }));
    let cells: Vec<Instance> = cells
        .iter()
        .map(|(name, cell, inputs, outputs)| Instance {
            name: (*name).into(),
            cell: (*cell).into(),
            unit: 0,
            inputs: inputs.to_vec(),
            outputs: outputs.iter().map(|&net| Some(net)).collect(),
        })
        .collect();
    Mapped {
        top: "top".into(),
        library: library.digest.clone(),
        tool: "by hand".into(),
        period_ps: 1000,
        ports,
        units: vec![UnitArea { path: String::new(), area: 0.0, cells: cells.len() }],
        cells,
        nets,
        area: 0.0,
        sequential_area: 0.0,
        abc_delay_ps: None,
        verilog: String::new(),
    }
}

/// One port of one bit named `a`, a value a cycle; the accumulator is always 0, and every cycle is a step.
pub(crate) fn bits(values: &[u64]) -> Stimulus {
    Stimulus {
        ports: vec![InputPort { name: "a".into(), bits: 1 }],
        cycles: values.iter().map(|&value| Cycle { words: vec![value], expect: Some(0) }).collect(),
        steps: values.len() as u64,
    }
}
