//! Liberty files: what is read, which cells are found, and what is said of malformed ones.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod tiny;

use std::io::Write as _;

use dpu_rtl::liberty::{Library, Truth, Unusable};
use proptest::prelude::{any, proptest};
use tiny::{TINY, library};

fn fail(text: &str) -> String {
    Library::from_texts(&[("tiny.lib".into(), text.into())]).unwrap_err().to_string()
}

fn replaced(from: &str, to: &str) -> String {
    assert!(TINY.contains(from), "{from}");
    TINY.replacen(from, to, 1)
}

/// The text with a further cell.
fn with(cell: &str) -> String {
    replaced("  cell (BUF)", &format!("{cell}\n  cell (BUF)"))
}

#[test]
fn quantities_come_in_one_set_of_units() {
    let tiny = library(TINY);
    let scaled = library(
        &TINY
            .replace("time_unit : \"1ps\"", "time_unit : \"10ps\"")
            .replace("capacitive_load_unit (1, ff)", "capacitive_load_unit (1, pf)")
            .replace("leakage_power_unit : \"1nW\"", "leakage_power_unit : \"1uW\""),
    );
    let (one, other) = (&tiny.cells["INV"], &scaled.cells["INV"]);
    assert_eq!(one.leakage_nw * 1000.0, other.leakage_nw);
    assert_eq!(one.inputs[0].capacitance_ff * 1000.0, other.inputs[0].capacitance_ff);
    let rise = |library: &Library| library.cells["INV"].outputs[0].delays[0].rise.clone().unwrap();
    assert!((rise(&tiny).at(20.0, 5.0) - 25.0).abs() < 1e-9);
    assert!((rise(&scaled).at(200.0, 5000.0) - 250.0).abs() < 1e-9);
    let energy = |library: &Library| library.cells["INV"].outputs[0].power[0].rise.clone().unwrap();
    assert!((energy(&tiny).at(20.0, 5.0) - 4.0).abs() < 1e-9);
    assert!((energy(&scaled).at(200.0, 5000.0) - 4000.0).abs() < 1e-6);
}

#[test]
fn tables_may_have_the_load_first() {
    let swapped = replaced(
        "variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;\n    index_1 (\"10, 30\"); index_2 (\"0, 10\");",
        "variable_1 : total_output_net_capacitance; variable_2 : input_net_transition;\n    index_1 (\"0, 10\"); index_2 (\"10, 30\");",
    );
    let rise = library(&swapped).cells["INV"].outputs[0].delays[0].rise.clone().unwrap();
    // 10 at (10 ps, 0 fF), 20 at (30 ps, 0 fF), 30 at (10 ps, 10 fF).
    assert!((rise.at(30.0, 0.0) - 20.0).abs() < 1e-9);
    assert!((rise.at(10.0, 10.0) - 30.0).abs() < 1e-9);
    assert!((rise.at(50.0, 20.0) - 70.0).abs() < 1e-9, "linear beyond the table");
}

#[test]
fn cells_are_found_by_function() {
    let adder = |name: &str, area: f64, sum: &str, carry: &str| {
        let pins = ["P", "Q", "R"]
            .map(|pin| format!("pin ({pin}) {{ direction : input; capacitance : 1; }}"))
            .concat();
        format!(
            "cell ({name}) {{ area : {area}; {pins} pin (X) {{ direction : output; function : \"{sum}\"; }} \
             pin (Z) {{ direction : output; function : \"{carry}\"; }} }}"
        )
    };
    let odd = "P^Q^R";
    let majority = "P*Q + R&(P|Q)";
    let gate = "cell (ICG) { area : 3; clock_gating_integrated_cell : \"latch_posedge\";
      statetable (\"C E\", \"M\") { table : \"L L : - : L, L H : - : H, H - : - : N\"; }
      pin (C) { direction : input; capacitance : 1; clock_gate_clock_pin : true; }
      pin (E) { direction : input; capacitance : 1; clock_gate_enable_pin : true; }
      pin (M) { direction : internal; internal_node : \"M\"; }
      pin (G) { direction : output; state_function : \"C*M\"; clock_gate_out_pin : true;
        internal_power () { related_pin : C; when : \"M\"; power (scalar) { values (\"1\"); } } } }
      cell (LATN) { area : 2; latch (IQ, IQN) { enable : \"EN'\"; data_in : \"D\"; }
      pin (EN) { direction : input; capacitance : 1; } pin (D) { direction : input; capacitance : 1; }
      pin (QN) { direction : output; function : \"IQN\"; } }";
    let text = with(
        &[
            adder("BIG", 9.0, odd, majority),
            adder("FA", 6.0, &format!("!({odd})"), &format!("({majority})'")),
            adder("NOT_FA", 1.0, "P^Q", majority),
            gate.to_owned(),
        ]
        .concat(),
    );
    let roles = library(&text).roles().unwrap();
    let found = roles.full_adder.unwrap();
    assert_eq!((found.cell.as_str(), found.sum, found.carry), ("FA", ("X".into(), true), ("Z".into(), true)));
    assert_eq!(roles.half_adder, None);
    let (cell, pins) = roles.clock_gate.unwrap();
    assert_eq!(
        (cell.as_str(), pins.clock.as_str(), pins.enable.as_str(), pins.test),
        ("ICG", "C", "E", None)
    );
    let latch = roles.latch.unwrap();
    assert_eq!((latch.clock, latch.output), (("EN".into(), true), ("QN".into(), true)));
    let flip_flop = roles.flip_flop.unwrap();
    assert_eq!(
        (flip_flop.cell.as_str(), flip_flop.clock, flip_flop.data),
        ("DFF", ("CK".into(), false), ("D".into(), false))
    );
    assert_eq!(
        (roles.inverter.cell.as_str(), roles.buffer.cell.as_str(), roles.and.cell.as_str()),
        ("INV", "BUF", "AND2")
    );
}

#[test]
fn cells_for_other_purposes_are_left_alone() {
    let cell = |name: &str, attributes: &str, pin: &str| {
        format!(
            "cell ({name}) {{ area : 2; {attributes} pin (A) {{ direction : input; capacitance : 2; {pin} }}
             pin (Y) {{ direction : output; function : \"A\"; }} }}"
        )
    };
    let text = with(
        &[
            cell("NEVER", "dont_use : true;", ""),
            cell("SCAN", "", "signal_type : test_scan_in;"),
            cell("DOMAIN", "is_level_shifter : true;", ""),
            cell("TRI", "", "three_state : \"A\";"),
            cell("HUGE", "area : 20;", ""),
            "cell (FILL) { area : 1; }".to_owned(),
        ]
        .concat(),
    );
    let library = library(&text);
    let why = |name: &str| library.cells[name].unusable.unwrap();
    assert_eq!(why("NEVER"), Unusable::DontUse);
    assert_eq!(why("SCAN"), Unusable::Scan);
    assert_eq!(why("DOMAIN"), Unusable::PowerDomain);
    assert_eq!(why("TRI"), Unusable::ThreeState);
    assert_eq!(why("HUGE"), Unusable::Huge);
    assert_eq!(why("FILL"), Unusable::NoFunction);
    assert_eq!(library.cells["BUF"].unusable, None);
    let exported = library.export().unwrap();
    assert!(exported.contains("cell (BUF)") && exported.contains("cell_rise"));
    assert!(!exported.contains("NEVER") && !exported.contains("internal_power"));
    let again = Library::from_texts(&[("again.lib".into(), exported)]).unwrap();
    assert_eq!(again.cells.len(), 5);
}

#[test]
fn what_is_malformed_is_named_with_its_line() {
    assert_eq!(fail("hello"), "tiny.lib:1: expected 'library (NAME) {', found 'hello'");
    assert_eq!(fail("library {"), "tiny.lib:1: expected '(' after 'library', found '{'");
    assert_eq!(fail("library (x);"), "tiny.lib:1: expected '{' of the library, found ';'");
    assert_eq!(
        fail("library (x) {\n a"),
        "tiny.lib:2: expected ':' or '(' after 'a', found the end of the file"
    );
    assert_eq!(fail("library (x) {\n a : ;"), "tiny.lib:2: expected a value, found ';'");
    assert_eq!(fail("library (x) {\n a : \"b"), "tiny.lib:2: a string without its closing quote");
    assert_eq!(fail("library (x) {\n /* b"), "tiny.lib:2: a comment without its end '*/'");
    assert_eq!(fail("library (x) {\n a (b; "), "tiny.lib:2: expected ')', found ';'");
    assert_eq!(
        fail("library (x) {\n a (b) {\n ("),
        "tiny.lib:3: expected an attribute or '}' of group 'a' of line 2, found '('"
    );
    assert_eq!(
        fail("library (x) { } }"),
        "tiny.lib:1: expected the end of the file after the library, found '}'"
    );
    assert_eq!(fail(&"library (x) {".repeat(40)), "tiny.lib:1: groups nest deeper than 16");
}

#[test]
fn values_that_cannot_be_read_are_named_with_their_line() {
    assert_eq!(
        fail(&replaced("area : 1;", "area : one;")),
        "tiny.lib:15: cell 'INV', area: expected a number, found \"one\""
    );
    assert_eq!(
        fail(&replaced("\"!A\"", "\"!(A\"")),
        "tiny.lib:18: cell 'INV', function: expected ')', found the end"
    );
    assert_eq!(fail(&replaced("\"!A\"", "\"!C\"")), "tiny.lib:18: cell 'INV', function: unknown pin 'C'");
    assert_eq!(
        fail(&replaced("\"!A\"", "\"!\"")),
        "tiny.lib:18: cell 'INV', function: expected a pin, found the end"
    );
    assert_eq!(
        fail(&replaced("\"!A\"", "\"A)\"")),
        "tiny.lib:18: cell 'INV', function: expected an operator in \"A)\", found ')'"
    );
    assert_eq!(
        fail(&replaced("\"!A\"", &format!("\"{}\"", "!".repeat(100)))),
        "tiny.lib:18: cell 'INV', function: an expression that nests deeper than 64"
    );
    assert_eq!(
        fail(&replaced("\"10, 20\", \"30, 40\"", "\"10, 20\", \"30\"")),
        "tiny.lib:21: cell 'INV', timing, cell_rise: expected 2 x 2 values, found 3"
    );
    assert_eq!(
        fail(&replaced("\"10, 20\"", "\"10, x\"")),
        "tiny.lib:21: cell 'INV', timing, cell_rise: expected numbers, found \"x\""
    );
    assert_eq!(
        fail(&replaced("index_1 (\"10, 30\")", "index_1 (\"30, 10\")")),
        "tiny.lib:21: cell 'INV', timing, cell_rise: expected indices that rise"
    );
    assert_eq!(
        fail(&replaced("variable_1 : input_net_transition", "variable_1 : time")),
        "tiny.lib:21: cell 'INV', timing, cell_rise: expected a template by input slew and output load, found 'time', \
         'total_output_net_capacitance'"
    );
    assert_eq!(
        fail(&replaced("time_unit : \"1ps\"", "time_unit : \"fast\"")),
        "tiny.lib:3: time_unit: expected a unit as 1ns, found fast"
    );
    assert_eq!(fail(&replaced("time_unit : \"1ps\";", "")), "tiny.lib:2: library: time_unit is not given");
    assert_eq!(
        fail(&replaced("nom_voltage : 2;", "")),
        "tiny.lib:2: library: expected a voltage: nom_voltage or operating_conditions"
    );
    assert_eq!(
        fail(&replaced("direction : input; capacitance : 2;", "direction : input;")),
        "tiny.lib:16: cell 'INV', pin 'A': expected a capacitance of this input"
    );
    assert_eq!(
        fail(&replaced("direction : input;", "")),
        "tiny.lib:16: cell 'INV', pin 'A': expected a direction, found nothing"
    );
    assert_eq!(
        fail(&with("cell (INV) { area : 1; }")),
        "tiny.lib:34: cell 'INV' is already declared, there or in another of the files"
    );
    assert_eq!(
        fail(&with("cell (ICG) { clock_gating_integrated_cell : latch_posedge; }")),
        "tiny.lib:34: cell 'ICG': expected clock_gate_clock_pin, clock_gate_enable_pin and clock_gate_out_pin of a clock gate"
    );
    let header = TINY.split("cell (INV)").next().unwrap();
    assert_eq!(fail(&format!("{header}}}")), "tiny.lib:2: library: expected at least one cell");
}

#[test]
fn files_must_fit_each_other() {
    let texts = |second: String| [("a.lib".to_owned(), TINY.to_owned()), ("b.lib".to_owned(), second)];
    let renamed = TINY.replace("cell (", "cell (B_");
    let both = Library::from_texts(&texts(renamed.clone())).unwrap();
    assert_eq!(both.cells.len(), 10);
    assert_eq!(library(&both.export().unwrap()).cells.len(), 10);
    let error =
        Library::from_texts(&texts(renamed.replace("nom_voltage : 2", "nom_voltage : 1"))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "b.lib: its voltage is 1 V, that of the files before 2 V; name files of one corner"
    );
    let other =
        Library::from_texts(&texts(renamed.replace("index_2 (\"0, 10\")", "index_2 (\"0, 11\")"))).unwrap();
    assert_eq!(
        other.export().unwrap_err().to_string(),
        "the library's files define template 'delay' differently; give one file"
    );
    assert_eq!(
        Library::from_texts(&[]).unwrap_err().to_string(),
        "no Liberty file given; name one by --liberty FILE"
    );
    assert_eq!(library(TINY).cell("NAND").unwrap_err().to_string(), "library 'tiny' has no cell 'NAND'");
    let without = library(&TINY.replace("\"!A\"", "\"A\"")).roles().unwrap_err();
    assert_eq!(
        without.to_string(),
        "library 'tiny' has no inverter; name a library with it by --liberty FILE"
    );
}

#[test]
fn compressed_files_and_sizes_of_lef_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = replaced("area : 5;", "area : 0;");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    std::fs::write(path("tiny.lib.gz"), &packed).unwrap();
    std::fs::write(path("cut.lib.gz"), &packed[..packed.len() / 2]).unwrap();
    let lef = "MACRO DFF\n  SIZE 2.5 BY 4.0 ;\nEND DFF\nMACRO INV\n  SIZE 9 BY 9 ;\nEND INV\n";
    std::fs::write(path("tiny.lef"), lef).unwrap();
    std::fs::write(path("bad.lef"), "MACRO DFF\n  SIZE wide BY 4.0 ;\n").unwrap();
    let read = Library::read(&[path("tiny.lib.gz"), path("tiny.lef")]).unwrap();
    assert_eq!((read.cells["DFF"].area, read.cells["INV"].area), (10.0, 1.0), "only areas that are missing");
    assert_ne!(read.digest, Library::read(&[path("tiny.lib.gz")]).unwrap().digest);
    let error = Library::read(&[path("tiny.lib.gz"), path("bad.lef")]).unwrap_err().to_string();
    let expected = "bad.lef:2: macro 'DFF': expected SIZE WIDTH BY HEIGHT, found 'SIZE wide BY 4.0 ;'";
    assert!(error.ends_with(expected), "{error}");
    let error = Library::read(&[path("cut.lib.gz")]).unwrap_err().to_string();
    assert!(error.contains("cut.lib.gz: cannot be decompressed: "), "{error}");
}

proptest! {
    #[test]
    fn a_changed_byte_never_panics(at in any::<proptest::sample::Index>(), byte in any::<char>()) {
        let mut text: Vec<char> = TINY.chars().collect();
        let at = at.index(text.len());
        text[at] = byte;
        let text: String = text.into_iter().collect();
        if let Ok(library) = Library::from_texts(&[("tiny.lib".into(), text)]) {
            let _ = library.roles();
            let _ = library.export();
        }
    }

    #[test]
    fn truth_tables_of_many_variables_agree_with_their_definition(state in 0usize..1 << 9) {
        let parity = (0..9).fold(Truth::constant(9, false), |sum, variable| {
            let one = Truth::variable(9, variable);
            Truth::from_fn(9, |at| sum.get(at) != one.get(at))
        });
        assert_eq!(parity.get(state), state.count_ones() & 1 == 1);
        assert_eq!(parity.not().get(state), state.count_ones() & 1 == 0);
    }
}
