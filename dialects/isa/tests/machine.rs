//! The machine file: documented, frozen to its generator, and refused with the field's name when wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use dpu_isa::{Machine, MachineError, PeKind};

/// The built-in machines, as changes to the default one.
fn builtins() -> Vec<Machine> {
    let with = |name: &str, change: fn(&mut Machine)| {
        let mut machine = Machine::flexnn_16x16();
        machine.name = name.to_owned();
        change(&mut machine);
        machine
    };
    vec![
        with("flexnn-16x16", |_| {}),
        with("flexnn-16x16-dense", |m| m.pe_kind = PeKind::Dense),
        with("flexnn-16x16-static", |m| m.pe_kind = PeKind::StrumStatic),
        // Everything scarce: splits, stalls and barrier reuse show up in small tests.
        with("flexnn-4x4", |m| {
            (m.rows, m.cols, m.adder_tree_max, m.sram_bytes) = (4, 4, 4, 65536);
            (m.barriers, m.fifo_depth, m.dram_bytes) = (8, 4, 1 << 28);
        }),
    ]
}

/// The characterised machines, which `tools/rtl/machines` writes, each with the machine that it is derived from.
fn characterised() -> Vec<(String, &'static str)> {
    let kinds =
        [("dense", "flexnn-16x16-dense"), ("dynamic", "flexnn-16x16"), ("static", "flexnn-16x16-static")];
    let libraries = ["osu018", "asap7"];
    libraries
        .iter()
        .flat_map(|library| kinds.map(|(kind, base)| (format!("flexnn-16x16-{kind}-{library}"), base)))
        .collect()
}

#[test]
fn characterised_machines_differ_from_theirs_in_what_was_measured() {
    for (name, base) in characterised() {
        let machine = Machine::builtin(&name).expect("a built-in machine");
        let base = Machine::builtin(base).expect("a built-in machine");
        assert_eq!((&machine.name, machine.pe_kind), (&name, base.pe_kind));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("machines/{name}.toml"));
        let text = std::fs::read_to_string(&path).expect("read the machine file");
        for ((field, value), default) in Machine::FIELDS.iter().zip(machine.values()).zip(base.values()) {
            if value != default {
                let (before, _) = text.split_once(&format!("\n{} = ", field.name)).expect("the field");
                let source = before.lines().next_back().unwrap_or_default();
                let named = ["Source: gates: ", "hammer-vlsi", "[published density]"];
                let named = named.iter().any(|name| source.contains(name));
                assert!(named, "{name}: {}: {source}", field.name);
            }
        }
        for field in ["mult_fj", "product_add_fj", "of_byte_fj", "pe_area_um2", "pe_leak_nw"] {
            let at = Machine::FIELDS.iter().position(|f| f.name == field).expect("a field");
            assert!(machine.values()[at] > 0 && machine.values()[at] != base.values()[at], "{name}: {field}");
        }
    }
}

#[test]
fn builtin_files_are_generated() {
    let names =
        builtins().into_iter().map(|m| m.name).chain(characterised().into_iter().map(|(name, _)| name));
    assert!(Machine::builtin_names().eq(names.collect::<Vec<_>>().iter().map(String::as_str)));
    for machine in builtins() {
        let name = machine.name.as_str();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("machines/{name}.toml"));
        let expected = machine.to_toml();
        if std::env::var_os("STRUM_BLESS").is_some() {
            std::fs::write(&path, &expected).expect("write the machine file");
            // The built-in copy is that of the last build.
            continue;
        }
        let found = std::fs::read_to_string(&path).expect("read the machine file");
        assert!(found == expected, "{} is stale: run with STRUM_BLESS=1", path.display());
        assert_eq!(Machine::from_toml(&found).as_ref(), Ok(&machine));
        assert_eq!(Machine::builtin(name).as_ref(), Ok(&machine));
    }
}

/// The file with one line replaced.
fn with(line: &str, by: &str) -> Result<Machine, MachineError> {
    let text = Machine::flexnn_16x16().to_toml();
    assert!(text.contains(line), "{line}");
    Machine::from_toml(&text.replace(line, by))
}

#[test]
fn every_field_is_documented_and_checked() {
    let machine = Machine::flexnn_16x16();
    for (field, value) in Machine::FIELDS.iter().zip(machine.values()) {
        let (name, max) = (field.name, field.max);
        assert!(
            field.doc.trim().ends_with('.') && !field.unit.is_empty() && !field.source.is_empty(),
            "{name}"
        );
        assert!((field.min..=max).contains(&value), "{name}");
        let line = format!("\n{name} = {value}\n");
        let error = with(&line, &format!("\n{name} = {}\n", max + 1)).expect_err(name).to_string();
        // A value that does not even fit the type is refused by the parser, which shows the line.
        assert!(error.contains(name), "{error}");
        if let Some(absent) = field.absent {
            assert_eq!(value, absent, "{name}: old files mean the default machine");
        } else {
            let error = with(&line, "\n").expect_err(name).to_string();
            assert!(error.contains(&format!("missing field `{name}`")), "{error}");
        }
        if let Some(below) = field.min.checked_sub(1) {
            let got = with(&line, &format!("\n{name} = {below}\n"));
            assert!(matches!(got, Err(MachineError::OutOfRange { field, .. }) if field == name), "{got:?}");
        }
    }
}

#[test]
fn wrong_files() {
    let message = |r: Result<Machine, MachineError>| r.expect_err("must be refused").to_string();
    let unknown = message(with("\nrows = 16\n", "\nrows = 16\nbogus = 1\n"));
    assert!(unknown.contains("unknown field `bogus`"), "{unknown}");
    let twice = message(with("\nrows = 16\n", "\nrows = 16\nrows = 16\n"));
    assert!(twice.contains("duplicate key"), "{twice}");
    let kind = message(with("strum-dynamic", "magic"));
    assert!(kind.contains("`dense`, `strum-dynamic`, `strum-static`"), "{kind}");
    let negative = message(with("\nrows = 16\n", "\nrows = -1\n"));
    assert!(negative.contains("rows"), "{negative}");
    for name in ["", "a b", "ü", "\\n", &"n".repeat(65)] {
        let error = message(with("\"flexnn-16x16\"", &format!("\"{name}\"")));
        assert!(error.starts_with("machine field 'name'"), "{error}");
    }
    let tree = message(with("adder_tree_max = 16", "adder_tree_max = 12"));
    assert_eq!(tree, "machine field 'adder_tree_max': 12 is not a power of two");
    let granule = message(with("sram_bytes = 2097152", "sram_bytes = 2097153"));
    assert_eq!(granule, "machine field 'sram_bytes': 2097153 is not a multiple of sram_granule = 16");
    let file = message(with("fl_rf_bytes = 64", "fl_rf_bytes = 15"));
    assert_eq!(file, "machine field 'fl_rf_bytes': half of 15 bytes holds no byte for each of 8 lanes");
    let large = Machine::from_toml(&" ".repeat(70_000));
    assert_eq!(large, Err(MachineError::TooLarge { got: 70_000, max: 65_536 }));
    let unknown = Machine::builtin("tpu").expect_err("no such machine").to_string();
    let known = Machine::builtin_names().collect::<Vec<_>>().join(", ");
    assert_eq!(unknown, format!("no built-in machine 'tpu' (there are: {known})"));
}

#[test]
fn later_fields_may_be_left_out_and_stand_where_they_matter() {
    let machine = Machine::flexnn_16x16();
    assert!(!machine.canonical().contains("dma_outstanding"));
    assert_eq!(Machine::from_toml(&machine.canonical()), Ok(machine.clone()));
    let other = Machine { dma_outstanding: 4, ..machine.clone() };
    assert!(other.canonical().ends_with("\ndma_outstanding = 4\n"));
    assert_eq!(Machine::from_toml(&other.canonical()).as_ref(), Ok(&other));
    assert_ne!(other.fingerprint(), machine.fingerprint());
}

/// The message for the default machine with these changes.
fn refused(change: fn(&mut Machine)) -> String {
    let mut machine = Machine::flexnn_16x16();
    change(&mut machine);
    machine.check().expect_err("must be refused").to_string()
}

#[test]
fn what_is_saved_is_at_most_the_figure_that_it_is_saved_from() {
    let mut machine = Machine::flexnn_16x16();
    // No product holds both.
    (machine.mult_act_held_saving_fj, machine.mult_weight_held_saving_fj) = (150, 200);
    (machine.if_held_saving_fj, machine.fl_held_saving_fj) = (110, 110);
    assert_eq!(machine.check(), Ok(()));
    // Either may have a zero activation as well.
    let zero = refused(|m| {
        (m.mult_act_held_saving_fj, m.mult_weight_held_saving_fj) = (150, 120);
        m.mult_act_zero_saving_fj = 51;
    });
    assert_eq!(
        zero,
        "machine field 'mult_act_held_saving_fj': 150 and mult_act_zero_saving_fj = 51 save more than mult_fj = 200"
    );
    machine.mult_weight_held_saving_fj = 150;
    machine.mult_act_zero_saving_fj = 50;
    assert_eq!(machine.check(), Ok(()));
    let both = refused(|m| (m.shift_add_saving_fj, m.shift_add_weight_held_saving_fj) = (33, 21));
    assert_eq!(
        both,
        "machine field 'shift_add_saving_fj': 33 and shift_add_weight_held_saving_fj = 21 save more than product_add_fj = 53"
    );
    let route = refused(|m| (m.route_fj, m.route_held_saving_fj) = (4, 5));
    assert_eq!(route, "machine field 'route_held_saving_fj': 5 save more than route_fj = 4");
    let one = refused(|m| m.mult_weight_held_saving_fj = 201);
    assert_eq!(one, "machine field 'mult_weight_held_saving_fj': 201 save more than mult_fj = 200");
    let changes: [fn(&mut Machine); 18] = [
        |m| m.shift_weight_held_saving_fj = m.shift_fj + 1,
        |m| m.low_mult_bit_weight_held_saving_fj = m.low_mult_bit_fj + 1,
        |m| m.product_add_weight_held_saving_fj = m.product_add_fj + 1,
        |m| m.if_held_saving_fj = m.if_byte_fj + 1,
        |m| m.fl_held_saving_fj = m.fl_byte_fj + 1,
        |m| m.if_write_saving_fj = m.if_byte_fj + 1,
        |m| m.fl_write_saving_fj = m.fl_byte_fj + 1,
        |m| m.shift_add_saving_fj = m.product_add_fj + 1,
        |m| m.add_held_saving_fj = m.add_fj + 1,
        |m| m.of_held_saving_fj = m.of_byte_fj + 1,
        |m| m.operand_act_held_saving_fj = m.operand_fj + 1,
        |m| m.operand_weight_held_saving_fj = m.operand_fj + 1,
        |m| m.route_held_saving_fj = m.route_fj + 1,
        |m| (m.mult_weight_held_saving_fj, m.mult_act_zero_saving_fj) = (m.mult_fj, 1),
        |m| (m.product_add_act_held_saving_fj, m.product_add_act_zero_saving_fj) = (m.product_add_fj, 1),
        |m| (m.product_add_weight_held_saving_fj, m.product_add_act_zero_saving_fj) = (m.product_add_fj, 1),
        |m| (m.operand_fj, m.operand_act_held_saving_fj, m.operand_act_zero_saving_fj) = (5, 5, 1),
        |m| (m.operand_fj, m.operand_weight_held_saving_fj, m.operand_act_zero_saving_fj) = (5, 5, 1),
    ];
    for change in changes {
        let message = refused(change);
        assert!(message.contains(" save more than "), "{message}");
    }
}

#[test]
fn a_part_has_no_larger_area_than_the_whole() {
    let message = refused(|m| (m.datapath_area_um2, m.pe_area_um2) = (8, 7));
    assert_eq!(
        message,
        "machine field 'datapath_area_um2': 8 is more than pe_area_um2 = 7, of which it is a part"
    );
    let message = refused(|m| (m.datapath_area_um2, m.pe_core_area_um2, m.pe_area_um2) = (5, 8, 7));
    assert!(message.starts_with("machine field 'pe_core_area_um2': 8 is more than"), "{message}");
    let some = Machine { pe_core_area_um2: 8, tree_area_um2: 3, ..Machine::flexnn_16x16() };
    assert_eq!(some.check(), Ok(()), "areas may be stated in part");
}

#[test]
fn a_measured_machine_states_its_own_sources() {
    let machine = Machine { mult_fj: 1511, pe_leak_nw: 7, ..Machine::flexnn_16x16() };
    let sources = BTreeMap::from([
        ("mult_fj", "gates: some library, pipelined".to_owned()),
        ("pe_leak_nw", "gates: \"some\" # library".to_owned()),
    ]);
    let text = machine.to_toml_with(&sources).expect("a machine file");
    assert_eq!(Machine::from_toml(&text).as_ref(), Ok(&machine));
    let lines = "Source: gates: some library, pipelined.\nmult_fj = 1511\n";
    assert!(text.contains(lines), "{text}");
    assert!(text.contains("Source: gates: \"some\" # library. If left out: 0.\npe_leak_nw = 7\n"), "{text}");
    assert!(text.contains("Source: 32-bit add 0.1 pJ [Horowitz].\nadd_fj = 100\n"), "others keep theirs");
    assert_eq!(machine.to_toml_with(&BTreeMap::new()), Ok(machine.to_toml()));
    let refused = |field: &str, source: &str| {
        let sources = BTreeMap::from([(field, source.to_owned())]);
        machine.to_toml_with(&sources).expect_err("must be refused").to_string()
    };
    assert_eq!(
        refused("pe_kind", "x"),
        "source of machine field 'pe_kind': there is no numeric field of this name"
    );
    for source in ["", " ", "a\nlanes = 3", "tab\t"] {
        assert_eq!(refused("lanes", source), "source of machine field 'lanes': a source is one line of text");
    }
}

#[test]
fn fingerprint_is_of_the_values() {
    let machine = Machine::flexnn_16x16();
    assert_eq!(Machine::builtin("flexnn-16x16").as_ref(), Ok(&machine));
    assert_eq!(machine.fingerprint().len(), 64);
    assert_eq!(Machine::from_toml(&machine.canonical()).map(|m| m.fingerprint()), Ok(machine.fingerprint()));
    assert_ne!(Machine { rows: 8, ..machine.clone() }.fingerprint(), machine.fingerprint());
}
