//! The text of designs: legal names, no name twice, the same in every run, read by Verilator and Yosys without a warning.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use dpu_isa::{Machine, PeKind};
use dpu_rtl::netlist::{Item, Module, to_verilog};
use dpu_rtl::spec::{Decode, Level, LowLanes, RegisterFile, Spec, Structure};
use dpu_rtl::toolchain::Yosys;
use dpu_rtl::{units, verilator, verilog};
use strum_formats::{Format, Method};

/// Reserved words of IEEE 1800-2017, table B.1.
const KEYWORDS: &str = "accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin \
bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking cmos config const \
constraint context continue cover covergroup coverpoint cross deassign default defparam design disable dist do edge else end \
endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface endmodule endpackage \
endprimitive endprogram endproperty endspecify endsequence endtable endtask enum event eventually expect export extends extern \
final first_match for force foreach forever fork forkjoin function generate genvar global highz0 highz1 if iff ifnone \
ignore_bins illegal_bins implements implies import incdir include initial inout input inside instance int integer interconnect \
interface intersect join join_any join_none large let liblist library local localparam logic longint macromodule matches medium \
modport module nand negedge nettype new nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed \
parameter pmos posedge primitive priority program property protected pull0 pull1 pulldown pullup pulsestyle_ondetect \
pulsestyle_onevent pure rand randc randcase randsequence rcmos real realtime ref reg reject_on release repeat restrict return \
rnmos rpmos rtran rtranif0 rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal \
showcancelled signed small soft solve specify specparam static string strong strong0 strong1 struct super supply0 supply1 \
sync_accept_on sync_reject_on table tagged task this throughout time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 \
triand trior trireg type typedef union unique unique0 unsigned until until_with untyped use uwire var vectored virtual void \
wait wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor";

/// Designs of all levels, formats and structures, and variants of register files.
fn specs() -> Vec<Spec> {
    let levels = [Level::Lane, Level::Datapath, Level::PeCore, Level::Pe];
    let mut list: Vec<Spec> = levels.into_iter().flat_map(common::specs).collect();
    let fetching = common::specs(Level::Pe).into_iter().filter(|spec| spec.structure == Structure::Merged);
    list.extend(fetching.map(|spec| Spec {
        decode: Decode::Fetch,
        register_file: RegisterFile::Latches,
        activation_bits: 10,
        ..spec
    }));
    for decode in [Decode::Step, Decode::Fetch] {
        let placed = list.iter().filter(|spec| spec.kind == PeKind::StrumStatic && spec.level != Level::Lane);
        let placed = placed.map(|spec| Spec { placement: LowLanes::InPlace, decode, ..spec.clone() });
        let placed: Vec<Spec> = placed.filter(|spec| spec.check().is_ok()).collect();
        list.extend(placed);
    }
    list
}

/// All modules of a design by name; the text of each is the same wherever it occurs.
fn modules<'a>(module: &'a Module, found: &mut BTreeMap<&'a str, (&'a Module, String)>) {
    for item in &module.items {
        if let Item::Instance(instance) = item {
            modules(&instance.module, found);
        }
    }
    let items = format!("{:?}", (&module.ports, module.items.iter().map(shallow).collect::<Vec<_>>()));
    if let Some((_, known)) = found.insert(&module.name, (module, items.clone())) {
        assert_eq!(known, items, "two modules are called {}", module.name);
    }
}

/// An item without what is below it.
fn shallow(item: &Item) -> String {
    match item {
        Item::Instance(i) => format!("{} {} {:?} {:?}", i.name, i.module.name, i.inputs, i.outputs),
        other => format!("{other:?}"),
    }
}

fn is_legal(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    let characters = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    starts && characters && !KEYWORDS.split_whitespace().any(|word| word == name)
}

#[test]
fn names_are_legal_and_none_is_given_twice() {
    assert!(!is_legal("packed") && !is_legal("3_rows") && !is_legal("a-b") && is_legal("row_3"));
    for spec in specs() {
        let top = units::top(&spec);
        let mut found = BTreeMap::new();
        modules(&top, &mut found);
        for (name, (module, _)) in found {
            assert!(is_legal(&name.to_ascii_lowercase()), "{spec}: module {name}");
            let mut names: Vec<String> = module.ports.iter().map(|port| port.name.clone()).collect();
            names.push("clk".into());
            for item in &module.items {
                match item {
                    Item::Wire(name, _) => names.push(name.clone()),
                    Item::Register(register) => names.push(register.name.clone()),
                    Item::Instance(i) => {
                        names.push(i.name.clone());
                        names.extend(i.outputs.iter().map(|(_, net)| net.clone()));
                    }
                    Item::Output(..) | Item::Comment(_) => {}
                }
            }
            let all = names.len();
            for name in &names {
                assert!(is_legal(name), "{spec}: {name} in {}", module.name);
            }
            names.sort();
            names.dedup();
            assert_eq!(names.len(), all, "{spec}: a name of {} is given twice", module.name);
        }
    }
}

#[test]
fn printing_is_deterministic_and_says_what_a_design_was_made_from() {
    let machine = Machine::flexnn_16x16();
    for spec in specs().iter().step_by(7) {
        let text = verilog::text(spec, &machine);
        assert_eq!(text, verilog::text(spec, &machine), "{spec}");
        let mut lines = text.lines();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(lines.next(), Some(format!("// strum-rtl {version}: {spec}").as_str()));
        assert!(
            lines.next().is_some_and(|line| line.starts_with("// 8 lanes, register files of ")),
            "{text}"
        );
        let fingerprint = machine.fingerprint();
        let origin = format!("// machine flexnn-16x16, fingerprint {}", &fingerprint[..16]);
        assert_eq!(lines.next(), Some(origin.as_str()));
        assert!(text.lines().all(|line| line.len() <= 120 || !line.contains(", ")), "{spec}: long lines");
        assert!(text.is_ascii() && text.ends_with("endmodule\n"), "{spec}");
    }
}

#[test]
fn a_lane_of_low_members() {
    let machine = Machine { pe_kind: PeKind::StrumStatic, ..Machine::flexnn_16x16() };
    let format = Format { w: 16, low: 8, method: Method::Mip2q { l: 3, zero: true } };
    let spec = Spec { level: Level::Lane, ..Spec::of(&machine, format) };
    insta::assert_snapshot!(to_verilog(&units::lane(&spec), &["a lane".to_owned()]));
}

/// One design of each kind: all levels, structures and kinds of register files occur.
fn samples() -> Vec<Spec> {
    let of = |kind, level, structure| {
        let machine = Machine { pe_kind: kind, if_rf_bytes: 32, fl_rf_bytes: 32, ..Machine::flexnn_16x16() };
        let format = Format { w: 16, low: 8, method: Method::Mip2q { l: 7, zero: false } };
        Spec { level, structure, accumulators: 4, ..Spec::of(&machine, format) }
    };
    vec![
        of(PeKind::StrumDynamic, Level::Lane, Structure::Plain),
        of(PeKind::Dense, Level::Datapath, Structure::Plain),
        of(PeKind::StrumDynamic, Level::PeCore, Structure::Merged),
        Spec {
            decode: Decode::Fetch,
            register_file: RegisterFile::Latches,
            ..of(PeKind::StrumStatic, Level::Pe, Structure::Pipelined)
        },
        Spec {
            placement: LowLanes::InPlace,
            format: Format { w: 4, low: 3, method: Method::Mip2q { l: 5, zero: true } },
            ..of(PeKind::StrumStatic, Level::Pe, Structure::Merged)
        },
    ]
}

#[test]
fn verilator_and_yosys_read_every_kind_without_warnings() {
    let yosys = Yosys::find(None).unwrap_or_else(|error| panic!("{error}"));
    for spec in samples() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("design.sv");
        std::fs::write(&file, verilog::text(&spec, &Machine::flexnn_16x16())).unwrap();
        let top = units::top(&spec).name.clone();
        let mut lint = Command::new("verilator");
        lint.arg("--lint-only").args(verilator::WARNINGS).args(["--top-module", &top]).arg(&file);
        let output = lint.output().unwrap_or_else(|error| panic!("verilator: {error}; run tools/rtl/setup"));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.is_empty(), "{spec}: {text}");
        let script =
            format!("read_verilog -sv design.sv\nhierarchy -check -top {top}\nproc\ncheck -assert\n");
        std::fs::write(folder.path().join("read.ys"), script).unwrap();
        let log = yosys.run(folder.path(), "read.ys", Duration::from_secs(120));
        let log = log.unwrap_or_else(|error| panic!("{spec}: {error}"));
        assert!(log.contains("Found and reported 0 problems") && !log.contains("Warning"), "{spec}: {log}");
    }
}
