//! The search for a PE: what it refuses, and a small grid on osu018 with the real tools, which `tools/rtl/setup` installs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;
mod tiny;

use std::path::Path;

use common::{Traced, random, section};
use dpu_isa::{Machine, PeKind};
use dpu_rtl::drive::Section;
use dpu_rtl::explore::{
    Accuracy, Comparison, ExploreError, Grid, LayerEnergy, Levels, Operands, Point, Range, Setup, compare,
    explore, format_text, plot,
};
use dpu_rtl::liberty::Library;
use dpu_rtl::power::{Conditions, simulate};
use dpu_rtl::spec::{Decode, Level, LowLanes, Multiplier, RegisterFile, Spec, Structure};
use dpu_rtl::synth::{Options, map};
use dpu_rtl::toolchain::Yosys;
use dpu_rtl::{drive, units, verilog};
use dpu_trace::{Conv, Writer};
use strum_formats::{DliqShift, Format, Method};

const CELLS: &str = "/usr/share/qflow/tech/osu018/osu018_stdcells";

/// A small machine, so that its PEs are mapped in seconds.
fn machine() -> Machine {
    Machine { if_rf_bytes: 16, fl_rf_bytes: 16, of_rf_bytes: 16, acc_per_pe: 4, ..Machine::flexnn_16x16() }
}

fn w8() -> Format {
    Format { w: 8, low: 4, method: Method::Mip2q { l: 7, zero: false } }
}

fn operands(format: Option<Format>, zero_point: i16) -> Section {
    let kind = if format.is_some() { PeKind::StrumStatic } else { PeKind::Dense };
    let machine = Machine { pe_kind: kind, ..machine() };
    let spec = Spec::of(&machine, format.unwrap_or(Format::DENSE));
    let traced = Traced { plain: format.is_none(), zero_point, block: [2, 2], depth: 8 };
    let mut section = section(&mut random(), &spec, traced, Vec::new());
    section.header.machine = machine;
    section.header.tile.in_c = 64;
    let conv = section.header.conv;
    let (once, [block_oc, block_ox]) = (1, traced.block);
    section.header.conv = Conv {
        sched_oc: once,
        sched_oy: once,
        sched_ox: once,
        sched_ic: once,
        block_oc,
        block_oy: once,
        block_ox,
        ..conv
    };
    section
}

fn bytes(sections: &[Section]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes);
    for section in sections {
        writer.begin(&section.header).unwrap();
        section.vectors.iter().for_each(|vector| writer.vector(vector).unwrap());
        writer.end(false).unwrap();
    }
    bytes
}

fn trace(name: &str, format: Option<Format>) -> (String, Vec<u8>) {
    (name.to_owned(), bytes(&[operands(format, 3)]))
}

fn read(traces: &[(String, Vec<u8>)]) -> Result<Operands, ExploreError> {
    Operands::read(traces, 4096)
}

fn refused(traces: &[(String, Vec<u8>)]) -> String {
    read(traces).unwrap_err().to_string()
}

fn grid() -> Grid {
    Grid {
        kinds: vec![PeKind::Dense, PeKind::StrumStatic],
        structures: vec![Structure::Merged],
        multipliers: vec![Multiplier::Booth],
        register_files: vec![RegisterFile::Latches],
        decodes: vec![Decode::Fetch],
        low_lanes: vec![LowLanes::Routed],
    }
}

#[test]
fn traces_that_do_not_go_together_are_named() {
    let (dense, packed) = (trace("a.dense.trace", None), trace("a.w8.trace", Some(w8())));
    assert_eq!(
        refused(std::slice::from_ref(&dense)),
        "no trace has packed weights, so no StruM PE can be driven: add one of --method mip2q, dliq or sparse"
    );
    assert_eq!(
        refused(std::slice::from_ref(&packed)),
        "no trace has plain weights, so no dense PE can be driven: add a trace of --method dense"
    );
    assert_eq!(
        refused(&[dense.clone(), trace("b.w8.trace", Some(w8()))]),
        "no layer of case 'a' is in the trace of every format, packed where that is packed, with whole vectors of channels, and \
         with the same tiles, traced PEs and schedule; a case is what the names of its traces have before the first point"
    );
    assert_eq!(
        refused(&[dense.clone(), packed.clone(), trace("a.again.trace", Some(w8()))]),
        "a.again.trace: layer 'random' of case 'a' is in two traces with mip2q weights"
    );
    let mut other = operands(Some(w8()), 3);
    other.header.machine.if_rf_bytes = 64;
    assert_eq!(
        refused(&[dense.clone(), ("a.w8.trace".to_owned(), bytes(&[other]))]),
        "a.w8.trace: a trace of PEs with 8 lanes and register files of 64, 16 and 16 B, the first trace is of PEs with 8 \
         lanes and register files of 16, 16 and 16 B"
    );
    let error = refused(&[("a.dense.trace".to_owned(), b"no trace".to_vec())]);
    assert!(error.starts_with("a.dense.trace: not a PE trace"), "{error}");
    assert_eq!(read(&[dense, packed]).unwrap().formats().len(), 1);
}

#[test]
fn layers_with_a_part_of_a_vector_are_left_out() {
    let mut ragged = operands(Some(w8()), 3);
    ragged.header.tile.in_c = 20;
    let error = refused(&[trace("a.dense.trace", None), ("a.w8.trace".to_owned(), bytes(&[ragged]))]);
    assert_eq!(
        error,
        "no trace has packed weights, so no StruM PE can be driven: add one of --method mip2q, dliq or sparse"
    );
}

#[test]
fn layers_with_another_schedule_are_left_out() {
    let mut other = operands(Some(w8()), 3);
    other.header.conv.sched_ic = 2;
    let error = refused(&[trace("a.dense.trace", None), ("a.w8.trace".to_owned(), bytes(&[other]))]);
    assert!(error.starts_with("no layer of case 'a' is in the trace of every format"), "{error}");
}

#[test]
fn grids_need_both_sides_and_formats_that_fit_the_lanes() {
    let designs = |grid: Grid, format| grid.designs(&machine(), &[format]).map_err(|error| error.to_string());
    assert_eq!(
        designs(Grid { kinds: vec![PeKind::Dense], ..grid() }, w8()).unwrap_err(),
        "the options leave no StruM PE"
    );
    assert_eq!(
        designs(Grid { kinds: vec![PeKind::StrumStatic], ..grid() }, w8()).unwrap_err(),
        "the options leave no dense PE"
    );
    let error = designs(grid(), Format { low: 8, ..w8() }).unwrap_err();
    assert_eq!(error, "a strum-static PE needs both high and low members, not 8 low ones of 8");
    let all = Grid { kinds: vec![PeKind::Dense, PeKind::StrumDynamic, PeKind::StrumStatic], ..grid() };
    let all = Grid { decodes: vec![Decode::Step, Decode::Fetch], ..all };
    let all = Grid { low_lanes: vec![LowLanes::Routed, LowLanes::InPlace], ..all };
    let w16 = Format { w: 16, low: 8, ..w8() };
    let wide = all.designs(&Machine::flexnn_16x16(), &[w16]).unwrap();
    assert!(
        wide.iter().any(Spec::packed) && wide.iter().all(|spec| !spec.in_place()),
        "blocks take two steps"
    );
    let names: Vec<String> = designs(all, w8()).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "pe dense merged booth latches",
            "pe strum-dynamic mip2q w8 low4 L7 merged booth latches",
            "pe strum-dynamic mip2q w8 low4 L7 merged booth latches fetch",
            "pe strum-static mip2q w8 low4 L7 merged booth latches",
            "pe strum-static mip2q w8 low4 L7 merged booth latches fetch",
            "pe strum-static mip2q w8 low4 L7 merged booth latches in-place",
            "pe strum-static mip2q w8 low4 L7 merged booth latches fetch in-place",
        ]
    );
}

#[test]
fn formats_are_written_as_for_strumc_eval() {
    assert_eq!(format_text(&w8()), "mip2q,w=8,p=0.5,L=7");
    let method = Method::Mip2q { l: 5, zero: true };
    assert_eq!(format_text(&Format { w: 16, low: 4, method }), "mip2q,w=16,p=0.25,L=5,zero=true");
    let method = Method::Dliq { q: 3, shift: DliqShift::PerChannel };
    assert_eq!(format_text(&Format { w: 8, low: 6, method }), "dliq,w=8,p=0.75,q=3");
    assert_eq!(format_text(&Format { method: Method::Sparse, ..w8() }), "sparse,w=8,p=0.5");
}

/// A measured design with two layers.
fn point(kind: PeKind, area: f64, energies: [f64; 2]) -> Point {
    let layers = energies.iter().zip(["1.conv2d", "2.conv2d"]).map(|(&energy, layer)| LayerEnergy {
        case: "net".into(),
        layer: layer.into(),
        products: 64,
        steps: 8,
        compared: 4,
        energy_fj: Levels { datapath: energy / 4.0, pe_core: energy / 2.0, pe: energy },
    });
    Point {
        design: format!("{} {area}", kind.name()),
        kind: kind.name().into(),
        weights: if kind == PeKind::Dense { "dense" } else { "mip2q,w=8,p=0.5,L=7" }.into(),
        w: if kind == PeKind::Dense { 0 } else { 8 },
        low: if kind == PeKind::Dense { 0 } else { 4 },
        structure: Structure::Merged,
        multiplier: Multiplier::Booth,
        register_file: RegisterFile::Latches,
        decode: (kind != PeKind::Dense).then_some(Decode::Step),
        low_lanes: (kind == PeKind::StrumStatic).then_some(LowLanes::Routed),
        area_um2: Levels { datapath: area / 4.0, pe_core: area / 2.0, pe: area },
        shortest_period_ns: 5.0,
        layers: layers.collect(),
    }
}

fn comparison() -> Comparison {
    let points = vec![
        point(PeKind::Dense, 100.0, [40.0, 60.0]),
        point(PeKind::Dense, 90.0, [80.0, 90.0]),
        point(PeKind::Dense, 200.0, [30.0, 30.0]),
        point(PeKind::StrumStatic, 80.0, [36.0, 48.0]),
        point(PeKind::StrumDynamic, 120.0, [36.0, 60.0]),
    ];
    compare(points, vec![point(PeKind::Dense, 100.0, [38.0, 57.0])])
}

#[test]
fn designs_are_compared_with_the_dense_one_of_least_area_times_energy() {
    let mut result = comparison();
    assert_eq!(
        [&result.reference, &result.smallest_dense, &result.thriftiest_dense],
        ["dense 100", "dense 90", "dense 200"]
    );
    let of = |result: &Comparison, name: &str| {
        result.designs.iter().find(|design| design.point.design == name).unwrap().clone()
    };
    let fixed = of(&result, "strum-static 80");
    assert_eq!(fixed.point, result.designs[0].point, "designs are in order of area times energy");
    assert_eq!((fixed.area_ratio, fixed.core_area_ratio), (0.8, 0.8));
    assert_eq!(fixed.energy_ratio, Range { min: 0.8, median: f64::midpoint(0.8, 0.9), max: 0.9 });
    let fronts: Vec<&str> =
        result.designs.iter().filter(|d| d.front).map(|d| d.point.design.as_str()).collect();
    assert_eq!(fronts, ["strum-static 80", "dense 200"]);
    assert_eq!(result.decoded[0].energy_ratio.median, 0.95);
    let row = |weights: &str, loss_points| Accuracy { weights: weights.into(), loss_points };
    let rows =
        [row("mip2q,w=8,p=0.5,L=7", 0.125), row("mip2q,w=8,p=0.5,L=7", 0.25), row("sparse,w=8,p=0.5", 8.0)];
    result.set_accuracy(&rows);
    assert_eq!(of(&result, "strum-static 80").loss_points, Some(0.25));
    assert_eq!(of(&result, "dense 100").loss_points, None);
}

#[test]
fn a_median_of_an_even_number_lies_between_the_middle_two() {
    assert_eq!(Range::of(vec![4.0, 1.0, 2.0, 3.0]), Range { min: 1.0, median: 2.5, max: 4.0 });
    assert_eq!(Range::of(Vec::new()), Range::default());
}

#[test]
fn the_drawing_is_the_same_every_time() {
    let text = plot(&comparison(), "PEs in <a library>");
    assert_eq!(text, plot(&comparison(), "PEs in <a library>"));
    assert!(text.contains("<title>PEs in &lt;a library&gt;</title>"));
    assert!(text.contains("<title>strum-static 80: area 0.800, energy 0.850</title>"));
    // Three dense designs and the legend's; one of each other kind, and the legend's.
    assert_eq!(text.matches("<rect x=").count(), 4);
    assert_eq!((text.matches("<path").count(), text.matches("<circle").count()), (2, 2));
}

/// Reads the library, with the areas of the LEF file.
fn osu018() -> Library {
    Library::read(&[format!("{CELLS}.lib"), format!("{CELLS}.lef")]).unwrap()
}

fn setup<'a>(library: &'a Library, options: &'a Options, results: &Path) -> Setup<'a> {
    Setup {
        library,
        options,
        conditions: Conditions::default(),
        sta: None,
        results: Some(results.to_owned()),
    }
}

#[test]
fn a_small_grid_is_measured_kept_and_gives_the_same_again() {
    let (library, options) = (osu018(), Options::new(Yosys::find(None).unwrap()));
    let folder = tempfile::tempdir().unwrap();
    let operands = read(&[trace("a.dense.trace", None), trace("a.w8.trace", Some(w8()))]).unwrap();
    let designs = grid().designs(&operands.machine, operands.formats()).unwrap();
    let setup = setup(&library, &options, folder.path());
    let first = explore(&designs, &operands, &setup, &|_, _| {}).unwrap();
    assert_eq!((first.designs.len(), first.decoded.len()), (2, 1));
    for design in first.designs.iter().chain(&first.decoded) {
        let [(_, datapath), (_, core), (_, pe)] = design.point.area_um2.named();
        assert!(0.0 < datapath && datapath < core && core < pe);
        // A vector of eight products for each of four accumulators, eight times, in as many steps.
        let layer = &design.point.layers[0];
        assert_eq!((layer.products, layer.steps), (256, 32), "{}", design.point.design);
        assert!(layer.compared > 0 && layer.energy_fj.pe > layer.energy_fj.pe_core);
    }
    let kept: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 3);
    assert_eq!(explore(&designs, &operands, &setup, &|_, _| {}).unwrap(), first);
    // What is kept is used; what is damaged is measured again.
    let text = std::fs::read_to_string(&kept[0]).unwrap();
    std::fs::write(&kept[0], text.replace("\"compared\":", "\"compared\":9")).unwrap();
    assert_ne!(explore(&designs, &operands, &setup, &|_, _| {}).unwrap(), first);
    std::fs::write(&kept[0], "{").unwrap();
    assert_eq!(explore(&designs, &operands, &setup, &|_, _| {}).unwrap(), first);
}

#[test]
fn a_design_that_fails_is_named_with_its_layer() {
    let (library, mut options) = (osu018(), Options::new(Yosys::find(None).unwrap()));
    let folder = tempfile::tempdir().unwrap();
    options.cache = Some(folder.path().join("mapped"));
    let packed = trace("a.w8.trace", Some(w8()));
    let run = |dense: Section, setup: &Setup<'_>| {
        let operands = read(&[("a.dense.trace".to_owned(), bytes(&[dense])), packed.clone()]).unwrap();
        let designs = grid().designs(&operands.machine, operands.formats()).unwrap();
        explore(&designs[..1], &operands, setup, &|_, _| {}).unwrap_err().to_string()
    };
    let name = "pe dense merged booth latches";
    let mut zero = operands(None, 3);
    zero.header.conv.wt_zp = 1;
    let ok = setup(&library, &options, &folder.path().join("results"));
    assert_eq!(
        run(zero, &ok),
        format!(
            "{name}, layer 'random': layer 'random' has weight zero point 1: a PE multiplies weights as they are; trace a \
             layer without one"
        )
    );
    let conditions = Conditions { wire_ff: -1.0, slew_ps: Some(100.0), ..Conditions::default() };
    let wire = Setup { conditions, ..setup(&library, &options, folder.path()) };
    assert_eq!(
        run(operands(None, 3), &wire),
        format!("{name}, layer 'random': the wire capacitance must be 0 or more, got -1")
    );
    let sta = Setup { sta: Some("/nowhere/sta".into()), ..setup(&library, &options, folder.path()) };
    let error = run(operands(None, 3), &sta);
    assert!(error.starts_with(&format!("{name}: OpenSTA ('/nowhere/sta') not found")), "{error}");
    let small = tiny::library(tiny::TINY);
    let error = run(operands(None, 3), &setup(&small, &options, folder.path()));
    assert!(error.starts_with(&format!("{name}: library 'tiny' has no ")), "{error}");
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    let error = run(operands(None, 3), &setup(&library, &options, &blocked));
    assert!(error.starts_with(&format!("{}: ", blocked.display())), "{error}");
}

/// Area of a datapath, and its energy for the packed layer of a committed trace; a dense one has decoded weights.
fn datapath(kind: PeKind, library: &Library, options: &Options) -> [f64; 2] {
    let machine = Machine { pe_kind: kind, ..Machine::flexnn_16x16() };
    let format = Format { w: 16, low: 8, method: Method::Mip2q { l: 7, zero: false } };
    let spec = Spec { level: Level::Datapath, ..Spec::of(&machine, format) };
    let top = units::top(&spec);
    let mapped = map(&verilog::text(&spec, &machine), &top.name, library, options).unwrap();
    let trace = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/resnet20.pes")).unwrap();
    let mut sections = drive::sections(trace.as_slice(), 0, 2048).unwrap();
    sections.retain(|section| section.header.conv.method.is_packed());
    let stimulus = drive::stimulus(&spec, &top, &sections).unwrap();
    let power = simulate(&mapped, library, &stimulus, &Conditions::default()).unwrap();
    [mapped.area, power.energy.total_fj() * power.steps as f64]
}

#[test]
fn ratios_of_the_merged_datapaths_are_those_recorded() {
    let (library, options) = (osu018(), Options::new(Yosys::find(None).unwrap()));
    let dense = datapath(PeKind::Dense, &library, &options);
    // Change of area and of energy, percent.
    let recorded = [(PeKind::StrumStatic, [-22.7, -14.2]), (PeKind::StrumDynamic, [19.0, -0.1])];
    let found = recorded.map(|(kind, _)| {
        let own = datapath(kind, &library, &options);
        [0, 1].map(|i| 100.0 * (own[i] / dense[i] - 1.0))
    });
    let near = |((_, recorded), found): (&(PeKind, [f64; 2]), &[f64; 2])| {
        recorded.iter().zip(found).all(|(recorded, found)| (found - recorded).abs() <= 1.0)
    };
    assert!(recorded.iter().zip(&found).all(near), "found {found:.1?}, recorded {recorded:?}");
}

/// Runs `strum-rtl explore` in a folder: exit code, standard output, standard error.
fn command(folder: &Path, line: &str) -> (Option<i32>, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_strum-rtl"));
    let output = command.current_dir(folder).arg("explore").args(line.split_whitespace()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_command_says_what_is_wrong_with_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("list.json", "[]");
    write("run.json", r#"{"schema": "strum.run", "rows": []}"#);
    write("plain.json", r#"{"schema": "strum.eval", "rows": [{"name": "dense", "top1": null}]}"#);
    write(
        "odd.json",
        r#"{"schema": "strum.eval", "rows": [{"name": "dense", "top1": 1.0}, {"name": "p.json", "top1": 1.0}]}"#,
    );
    let fails = |line: &str, code: i32, message: &str| {
        let (found, _, error) = command(folder.path(), line);
        assert_eq!(found, Some(code), "{line}: {error}");
        assert!(error.contains(message), "{line}: {error}");
    };
    fails("--trace a.trace --output -", 2, "--output - and --plot - write to standard output: give --quiet");
    fails("--trace a.trace", 1, "a.trace: No such file");
    let accuracy =
        |file: &str, message: &str| fails(&format!("--trace a.trace --accuracy {file}"), 1, message);
    accuracy("list.json", "list.json: not a result of strumc eval --json: invalid");
    accuracy("run.json", "run.json: not a result of strumc eval --json: schema 'strum.run'");
    accuracy("plain.json", "plain.json: no row 'dense' with an accuracy: give --labels to strumc eval");
    fails("--trace a.trace --accuracy odd.json", 2, "odd.json: --format p.json: ");
    std::fs::write(folder.path().join("a.dense.trace"), trace("", None).1).unwrap();
    fails("--trace a.dense.trace", 1, "no trace has packed weights");
}

#[test]
fn the_command_writes_table_object_and_drawing() {
    let folder = tempfile::tempdir().unwrap();
    for (name, format) in [("a.dense.trace", None), ("a.w8.trace", Some(w8()))] {
        std::fs::write(folder.path().join(name), trace(name, format).1).unwrap();
    }
    let eval = r#"{"schema": "strum.eval", "rows": [{"name": "dense", "top1": 0.95}, {"name": "mip2q,w=8", "top1": 0.93}]}"#;
    std::fs::write(folder.path().join("eval.json"), eval).unwrap();
    let line = "--trace a.dense.trace a.w8.trace --structures merged --multipliers booth --register-files latches \
                --decodes step --kinds strum-static --low-lanes routed --results kept";
    let (code, plain, error) = command(folder.path(), line);
    assert_eq!(code, Some(0), "{error}");
    assert!(
        plain.contains("compared with pe dense merged booth latches, the dense PE of least area"),
        "{plain}"
    );
    let (_, losses, _) =
        command(folder.path(), &format!("{line} --accuracy eval.json -o o.json --plot p.svg"));
    let row = losses.lines().find(|line| line.starts_with("pe strum-static")).unwrap();
    assert!(row.contains(" 2.00 "), "{row}");
    assert_eq!(std::fs::read_dir(folder.path().join("kept")).unwrap().count(), 3);
    let text = std::fs::read_to_string(folder.path().join("o.json")).unwrap();
    assert!(text.starts_with("{\n  \"schema\": \"strum-rtl.explore\",\n  \"version\": 1,\n"), "{text}");
    assert!(std::fs::read_to_string(folder.path().join("p.svg")).unwrap().starts_with("<svg "));
    let (_, placed, _) = command(folder.path(), &line.replace("routed", "in-place"));
    assert!(placed.contains("\npe strum-static mip2q w8 low4 L7 merged booth latches in-place"), "{placed}");
    let (_, wired, _) = command(folder.path(), &format!("{line} --wire 20"));
    let (_, fewer, _) = command(folder.path(), &format!("{line} --products 64"));
    assert!(plain != wired && plain != fewer);
}
