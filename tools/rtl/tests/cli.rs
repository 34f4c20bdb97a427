//! The command `strum-rtl`: designs and traces in, text and tables out, exit codes, messages.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dpu_isa::{Machine, PeKind};

const PROGRAM: &str = env!("CARGO_BIN_EXE_strum-rtl");

/// A folder with the traces `r.pes` and `l.pes`, machine files and files that are something else.
struct Setup {
    folder: tempfile::TempDir,
}

impl Setup {
    fn new() -> Setup {
        let setup = Setup { folder: tempfile::tempdir().unwrap() };
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        for (name, from) in [("r.pes", "resnet20.pes"), ("l.pes", "lenet.pes")] {
            fs::copy(data.join(from), setup.path(name)).unwrap();
        }
        let wide = Machine { lanes: 16, ..Machine::flexnn_16x16() };
        setup.write("wide.toml", wide.to_toml().as_bytes());
        let dense = Machine { pe_kind: PeKind::Dense, ..Machine::flexnn_16x16() };
        setup.write("dense.toml", dense.to_toml().as_bytes());
        setup.write("empty", b"");
        setup.write("junk", &[0, 159, 146, 150, 255, 0, 7]);
        setup
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command.current_dir(self.folder.path()).args(line.split_whitespace());
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    fn text(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs and expects this exit code and nothing on standard output; returns standard error.
    fn fails(&self, code: i32, line: &str) -> String {
        let output = self.run(line);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {text}");
        assert!(output.stdout.is_empty(), "{line}");
        text
    }

    fn shell(&self, line: &str) -> Output {
        let mut command = Command::new("sh");
        command.current_dir(self.folder.path()).args(["-c", line, PROGRAM]).output().unwrap()
    }
}

/// The subcommands, from the help.
fn commands(setup: &Setup) -> Vec<String> {
    let help = setup.text("--help");
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let names = list.lines().take_while(|line| line.starts_with("  "));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    names.map(str::to_owned).collect()
}

#[test]
fn help() {
    let setup = Setup::new();
    insta::assert_snapshot!("help", setup.text("--help"));
    for command in commands(&setup) {
        insta::assert_snapshot!(format!("help_{command}"), setup.text(&format!("{command} --help")));
    }
}

#[test]
fn examples_of_the_help_are_commands() {
    let setup = Setup::new();
    let help = setup.text("--help");
    let examples: Vec<&str> = help.lines().filter_map(|line| line.strip_prefix("  strum-rtl ")).collect();
    let commands: BTreeSet<&str> = examples.iter().filter_map(|line| line.split(' ').next()).collect();
    assert!(commands.len() >= 4, "{examples:?}");
    for line in examples.iter().filter(|line| !line.starts_with("synth") && !line.starts_with("power")) {
        // The traces that are at hand are of the default format.
        let line = line.replace("layer.trace", "r.pes").replace(" --verilator", "");
        if !line.starts_with("characterise") {
            setup.text(&line);
        }
    }
    // Those that need tools get as far as the file that does not exist.
    for line in examples.iter().filter(|line| line.contains("layer.trace")) {
        assert!(setup.fails(1, line).contains("layer.trace: No such file"), "{line}");
    }
}

#[test]
fn a_design_goes_to_standard_output_or_to_a_file() {
    let setup = Setup::new();
    let line = "generate --level pe --kind strum-static --format mip2q,w=8";
    let text = setup.text(line);
    assert!(text.starts_with("// strum-rtl ") && text.ends_with("endmodule\n"));
    setup.text(&format!("{line} -o pe.sv"));
    assert_eq!(fs::read_to_string(setup.path("pe.sv")).unwrap(), text);
    assert!(setup.fails(1, &format!("{line} -o no/pe.sv")).contains("no/pe.sv: No such file"));
    assert!(
        setup.fails(2, "generate --machine wide.toml -o wide.toml").contains("would overwrite 'wide.toml'")
    );
}

#[test]
fn every_accumulator_of_a_trace_is_compared() {
    let setup = Setup::new();
    for kind in ["dense", "strum-dynamic", "strum-static"] {
        let line = format!("check --kind {kind} --level pe --trace r.pes");
        assert_eq!(setup.text(&line), "evaluator: 160 passed, 0 failed\n");
        assert_eq!(setup.text(&format!("{line} --vectors 5")), "evaluator: 5 passed, 0 failed\n");
    }
    let text = setup.text("check --kind strum-static --trace r.pes --verilator");
    assert_eq!(text, "evaluator: 160 passed, 0 failed\nverilator: 160 passed, 0 failed\n");
    let output = setup.shell("cat l.pes | $0 check --trace - --format dliq,shift=channel");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "evaluator: 256 passed, 0 failed\n");
}

#[test]
fn wrong_usage_is_code_2() {
    let setup = Setup::new();
    for (line, message) in [
        ("", "Usage: strum-rtl"),
        ("generate --frobnicate", "--frobnicate"),
        ("generate --level chip", "possible values: lane, datapath, pe-core, pe"),
        ("generate --machine nonesuch", "unknown machine 'nonesuch': name a built-in one (flexnn-16x16"),
        ("generate --format mip3q", "--format mip3q: "),
        ("generate --format mip2q,L=9", "--format mip2q,L=9: "),
        ("generate --kind dense --format mip2q", "a dense PE computes decoded weights: --format mip2q needs"),
        (
            "generate --kind strum-static --format dense",
            "a strum-static PE needs a packed weight format, not dense",
        ),
        ("generate --format mip2q,p=1", "needs both high and low members, not 16 low ones of 16"),
        ("generate --level datapath --register-file latches", "--register-file has no effect below level pe"),
        (
            "generate --level pe --kind dense --decode fetch",
            "--decode has no effect on a dense PE, and below level pe-core",
        ),
        (
            "generate --level datapath --decode fetch",
            "--decode has no effect on a dense PE, and below level pe-core",
        ),
        ("generate --activation-bits 8", "possible values: 9, 10"),
        ("check", "--trace <FILE>"),
        ("check --trace r.pes --verilator-program x", "--verilator"),
        ("check --trace r.pes --vectors 0", "--vectors"),
        ("check --trace r.pes --level lane", "a lane has no accumulator: drive the datapath"),
        ("synth --period 0", "--period 0: a time from 0.001 to 1000000 ns"),
        ("synth --period nan", "--period NaN: a time from 0.001 to 1000000 ns"),
        ("synth --netlist -", "--netlist - writes to standard output: give --quiet"),
        ("synth --quiet --json", "cannot be used with"),
        ("synth --full-adders none", "possible values: cells, gates"),
        ("power --trace r.pes --wire -1", "-1"),
        ("characterise --trace r.pes -o -", "--output - writes to standard output: give --quiet"),
        ("characterise --trace r.pes -o m.toml --name=", "name"),
        ("generate --log loud", "expected off, error, warn, info, debug, trace"),
        ("characterise --trace r.pes -o r.pes", "would overwrite 'r.pes'"),
    ] {
        let text = setup.fails(2, line);
        assert!(text.contains(message), "{line}: {text}");
    }
}

#[test]
fn wrong_files_are_code_1() {
    let setup = Setup::new();
    let whole = fs::read(setup.path("r.pes")).unwrap();
    setup.write("cut.pes", &whole[..whole.len() - 20]);
    for (line, message) in [
        ("check --trace none.pes", "none.pes: No such file"),
        ("check --trace .", "is a directory"),
        ("check --trace empty", "empty: not a PE trace: expected a line of JSON with schema 'dpu-pe-trace'"),
        ("check --trace junk", "junk: not a PE trace"),
        ("check --trace wide.toml", "wide.toml: not a PE trace"),
        ("check --trace cut.pes", "cut.pes: incomplete: the file ends in section"),
        ("check --trace r.pes --pe 7", "r.pes: the trace has no vector of PE 7"),
        (
            "check --trace r.pes --machine wide.toml",
            "the trace is of a machine with 8 lanes, the design has 16",
        ),
        (
            "check --trace r.pes --format mip2q,L=5",
            "the trace has mip2q w=16 low=8 parameter=7 weights, the design",
        ),
        ("check --trace l.pes", "the trace has dliq w=16 low=8 parameter=4 weights, the design is for mip2q"),
        ("generate --machine none.toml", "none.toml: No such file"),
        ("synth --liberty none.lib", "none.lib: No such file"),
        ("synth --liberty empty", "empty:1: expected 'library (NAME) {'"),
        ("synth --liberty junk", "junk"),
        ("synth --liberty r.pes", "r.pes:1: expected 'library (NAME) {'"),
        ("synth --netlist no/x.v", "no/x.v: No such file"),
        ("characterise --trace empty -o m.toml", "empty: not a PE trace"),
        ("characterise --trace r.pes -o no/m.toml", "no/m.toml: No such file"),
    ] {
        let text = setup.fails(1, line);
        assert!(text.starts_with("strum-rtl: error: ") && text.contains(message), "{line}: {text}");
    }
    setup.write("broken.toml", b"name = 3");
    assert!(setup.fails(1, "generate --machine broken.toml").contains("broken.toml: "));
}

/// The default library, cut at many places: each is an error that names the file and a line, and never a crash.
#[test]
fn libraries_that_are_cut_are_named_with_a_line() {
    let setup = Setup::new();
    let whole = fs::read("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")
        .unwrap_or_else(|error| panic!("osu018: {error}; run tools/rtl/setup"));
    for part in 1..8 {
        setup.write("cut.lib", &whole[..whole.len() * part / 8 + part]);
        let text = setup.fails(1, "synth --liberty cut.lib");
        assert!(text.starts_with("strum-rtl: error: cut.lib:"), "{part}: {text}");
    }
    let mut damaged = whole.clone();
    damaged[whole.len() / 2..whole.len() / 2 + 3].copy_from_slice(&[0, 1, 255]);
    setup.write("damaged.lib", &damaged);
    let text = setup.fails(1, "synth --liberty damaged.lib");
    assert!(text.starts_with("strum-rtl: error: damaged.lib:"), "{text}");
}

#[test]
fn missing_tools_are_code_3_and_say_how_to_install_them() {
    let setup = Setup::new();
    for (line, message) in [
        (
            "synth --yosys /nonexistent",
            "/nonexistent not found; run tools/rtl/setup, or name another by --yosys PATH",
        ),
        (
            "synth --sta /nonexistent",
            "OpenSTA ('/nonexistent') not found; run tools/rtl/setup, or name one by --sta PATH",
        ),
        (
            "check --trace r.pes --verilator --verilator-program /nonexistent",
            "/nonexistent not found; run tools/rtl/setup, or name one by --verilator-program",
        ),
    ] {
        let text = setup.fails(3, line);
        assert!(text.contains(message), "{line}: {text}");
    }
    // Something else of that name.
    let text = setup.fails(2, "synth --yosys /bin/true");
    assert!(text.contains("/bin/true: expected yosys or a Python with pyosys, found"), "{text}");
    let output = setup.command("check --trace r.pes --verilator").env("PATH", "").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("verilator not found; run tools/rtl/setup"), "{text}");
    let text = setup.fails(3, "check --trace r.pes --verilator --verilator-program /bin/false");
    assert!(text.contains("verilator failed: "), "{text}");
    let text = setup.fails(4, "synth --level pe --time-limit 0");
    assert!(
        text.contains("yosys did not finish within 0 s; raise --time-limit, or take a smaller design"),
        "{text}"
    );
}

#[test]
fn a_trace_without_whole_vectors_characterises_nothing() {
    let setup = Setup::new();
    // The first layer of LeNet alone, which has one channel, on a small PE.
    let trace = fs::read(setup.path("l.pes")).unwrap();
    let header = b"{\"schema\"";
    let second = trace.windows(header.len()).skip(1).position(|bytes| bytes == header).unwrap() + 1;
    setup.write("first.pes", &trace[..second]);
    let small = Machine {
        pe_kind: PeKind::Dense,
        if_rf_bytes: 16,
        fl_rf_bytes: 16,
        of_rf_bytes: 16,
        acc_per_pe: 4,
        ..Machine::flexnn_16x16()
    };
    setup.write("small.toml", small.to_toml().as_bytes());
    let text = setup.fails(3, "characterise --machine small.toml --trace first.pes --vectors 8 -o m.toml");
    assert!(
        text.contains("no traced layer has whole vectors of channels and 256 steps, which prices are fitted to: trace more of one"),
        "{text}"
    );
    assert!(!setup.path("m.toml").exists());
}

#[test]
fn a_clock_that_the_pe_does_not_reach_is_refused() {
    let setup = Setup::new();
    let text = setup.fails(2, "characterise --kind dense --trace r.pes --clock 100000 -o m.toml");
    assert!(text.contains("does not reach 100000 MHz; lower --clock or --period"), "{text}");
}

#[test]
fn options_of_characterised_machines_are_checked() {
    let setup = Setup::new();
    let line = "characterise --trace r.pes -o m.toml";
    for (more, message) in [
        ("--clock x", "--clock"),
        ("--sram-area 5", "--sram-source"),
        ("--sram-leakage 5", "--sram-source"),
        ("--sram-source text", "--sram-area"),
    ] {
        let text = setup.fails(2, &format!("{line} {more}"));
        assert!(text.contains(message), "{more}: {text}");
    }
}

#[test]
fn options_of_an_exploration_are_checked() {
    let setup = Setup::new();
    for (code, more, message) in [
        (2, "--products 0", "--products"),
        (2, "--kinds chip", "--kinds"),
        (2, "--structures chip", "--structures"),
        (2, "--multipliers chip", "--multipliers"),
        (2, "--register-files chip", "--register-files"),
        (2, "--decodes chip", "--decodes"),
        (2, "--low-lanes chip", "--low-lanes"),
        (2, "--plot -", "write to standard output: give --quiet"),
        (1, "--accuracy none.json", "none.json: No such file"),
        (1, "--plot no/a.svg", "no/a.svg: No such file"),
    ] {
        let text = setup.fails(code, &format!("explore --trace r.pes {more}"));
        assert!(text.contains(message), "{more}: {text}");
    }
}

/// Commands that write to standard output.
const TALKING: [&str; 4] = ["--help", "--version", "generate", "check --trace r.pes"];

#[test]
fn failed_writes_to_standard_output_are_errors() {
    let setup = Setup::new();
    for line in TALKING {
        for (redirected, message) in [
            ("> /dev/full", "strum-rtl: error: <stdout>: No space left on device"),
            ("1< /dev/null", "strum-rtl: error: <stdout>: Bad file descriptor"),
        ] {
            let output = setup.shell(&format!("\"$0\" {line} {redirected}"));
            let text = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.code() == Some(1) && text.starts_with(message), "{line}: {text}");
        }
        // A closed standard output is /dev/null to a program written in Rust.
        let output = setup.shell(&format!("\"$0\" {line} >&-"));
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{line}");
        let mut child = setup.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{line}");
    }
}

/// What shows the effect of an option.
enum Shown {
    /// The command without it and with it differ in standard output.
    Differs(&'static str, &'static str),
    /// A test of this name in this folder.
    By(&'static str),
}

use Shown::{By, Differs};

const OPTIONS: &[(&str, Shown)] = &[
    ("--level", Differs("generate", "generate --level pe")),
    ("--kind", Differs("generate", "generate --kind dense")),
    ("--machine", Differs("generate", "generate --machine dense.toml")),
    ("--format", Differs("generate", "generate --format mip2q,w=8")),
    ("--structure", Differs("generate", "generate --structure plain")),
    ("--multiplier", Differs("generate", "generate --multiplier array")),
    ("--register-file", Differs("generate --level pe", "generate --level pe --register-file latches")),
    ("--decode", Differs("generate --level pe", "generate --level pe --decode fetch")),
    (
        "--sparsity",
        Differs("generate --level pe --kind dense", "generate --level pe --kind dense --sparsity"),
    ),
    ("--activation-bits", Differs("generate", "generate --activation-bits 10")),
    ("--output", By("a_design_goes_to_standard_output_or_to_a_file")),
    ("--trace", Differs("check --kind dense --trace r.pes", "check --kind dense --trace l.pes")),
    ("--pe", By("wrong_files_are_code_1")),
    ("--vectors", Differs("check --trace r.pes", "check --trace r.pes --vectors 7")),
    ("--verilator", By("every_accumulator_of_a_trace_is_compared")),
    ("--verilator-program", By("missing_tools_are_code_3_and_say_how_to_install_them")),
    ("--liberty", By("wrong_files_are_code_1")),
    ("--period", By("options_of_mapping_and_power_have_effects")),
    ("--full-adders", By("options_of_mapping_and_power_have_effects")),
    ("--yosys", By("missing_tools_are_code_3_and_say_how_to_install_them")),
    ("--cache", By("options_of_mapping_and_power_have_effects")),
    ("--time-limit", By("missing_tools_are_code_3_and_say_how_to_install_them")),
    ("--depth", By("options_of_mapping_and_power_have_effects")),
    ("--sta", By("missing_tools_are_code_3_and_say_how_to_install_them")),
    ("--netlist", By("options_of_mapping_and_power_have_effects")),
    ("--json", By("options_of_mapping_and_power_have_effects")),
    ("--quiet", By("options_of_mapping_and_power_have_effects")),
    ("--wire", By("options_of_mapping_and_power_have_effects")),
    ("--slew", By("options_of_mapping_and_power_have_effects")),
    ("--name", By("wrong_usage_is_code_2")),
    ("--accuracy", By("options_of_an_exploration_are_checked")),
    ("--decodes", By("options_of_an_exploration_are_checked")),
    ("--kinds", By("options_of_an_exploration_are_checked")),
    (
        "--low-lanes",
        Differs(
            "generate --kind strum-static --format mip2q,w=8",
            "generate --kind strum-static --format mip2q,w=8 --low-lanes in-place",
        ),
    ),
    ("--low-lanes", By("the_command_writes_table_object_and_drawing")),
    ("--multipliers", By("options_of_an_exploration_are_checked")),
    ("--plot", By("options_of_an_exploration_are_checked")),
    ("--products", By("options_of_an_exploration_are_checked")),
    ("--register-files", By("options_of_an_exploration_are_checked")),
    ("--results", By("a_design_that_fails_is_named_with_its_layer")),
    ("--structures", By("options_of_an_exploration_are_checked")),
    ("--clock", By("options_of_characterised_machines_are_checked")),
    ("--sram-area", By("options_of_characterised_machines_are_checked")),
    ("--sram-leakage", By("options_of_characterised_machines_are_checked")),
    ("--sram-source", By("options_of_characterised_machines_are_checked")),
    ("--accuracy", By("the_command_writes_table_object_and_drawing")),
    ("--decodes", By("the_command_writes_table_object_and_drawing")),
    ("--kinds", By("the_command_writes_table_object_and_drawing")),
    ("--multipliers", By("the_command_writes_table_object_and_drawing")),
    ("--plot", By("the_command_writes_table_object_and_drawing")),
    ("--products", By("the_command_writes_table_object_and_drawing")),
    ("--register-files", By("the_command_writes_table_object_and_drawing")),
    ("--results", By("the_command_writes_table_object_and_drawing")),
    ("--structures", By("the_command_writes_table_object_and_drawing")),
    ("--log", By("wrong_usage_is_code_2")),
];

#[test]
fn every_option_has_an_effect() {
    let setup = Setup::new();
    let mut options = BTreeSet::new();
    for command in commands(&setup) {
        let help = setup.text(&format!("{command} --help"));
        let listed = help.lines().filter(|line| line.trim_start().starts_with('-'));
        let flags = listed.filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")));
        options.extend(flags.map(|flag| flag.trim_end_matches(',').to_owned()));
    }
    for common in ["--help", "--version", "--memory-limit"] {
        options.remove(common);
    }
    assert!(options.len() > 20, "{options:?}");
    let rows: BTreeSet<String> = OPTIONS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(options, rows, "an option without a row, or a row without an option");
    for (option, shown) in OPTIONS {
        match *shown {
            Differs(without, with) => assert_ne!(setup.text(without), setup.text(with), "{option}"),
            By(test) => {
                assert!(
                    [include_str!("cli.rs"), include_str!("explore.rs")]
                        .concat()
                        .contains(&format!("fn {test}()")),
                    "{option}: {test}"
                );
            }
        }
    }
}

#[test]
fn options_of_mapping_and_power_have_effects() {
    let setup = Setup::new();
    // The smallest design that has an accumulator.
    let sparse = "--kind strum-static --format sparse,p=0.75 --cache kept";
    let synth = |more: &str| setup.text(&format!("synth {sparse} {more}"));
    let plain = synth("");
    assert!(plain.contains("library   osu018_stdcells") && plain.contains("path "), "{plain}");
    assert_eq!(synth(""), plain, "the second time from the folder of --cache");
    assert_eq!(fs::read_dir(setup.path("kept")).unwrap().count(), 1);
    let differ = [synth("--period 1"), synth("--full-adders gates"), synth("--depth 0"), synth("--json")];
    for (i, text) in differ.iter().enumerate() {
        assert_ne!(*text, plain, "{i}");
    }
    assert_eq!(fs::read_dir(setup.path("kept")).unwrap().count(), 3);
    assert_eq!(synth("--quiet --netlist n.v"), "");
    assert_eq!(synth("--quiet --netlist -"), fs::read_to_string(setup.path("n.v")).unwrap());
    assert!(differ[3].starts_with("{\n  \"schema\": \"strum-rtl.synth\",\n  \"version\": 1,\n"));
    let json: serde_json::Value = serde_json::from_str(&differ[3]).unwrap();
    assert!(json["area_um2"].as_f64() > json["sequential_area_um2"].as_f64());

    let dense = "--kind dense --structure merged --cache kept --trace r.pes --vectors 24";
    let power = |more: &str| setup.text(&format!("power {dense} {more}"));
    let plain = power("");
    assert!(plain.contains("24 accumulators compared, all equal"), "{plain}");
    for more in ["--wire 3", "--slew 200", "--depth 1", "--json", "--quiet"] {
        assert_ne!(power(more), plain, "{more}");
    }
    let text = power("--json");
    assert!(text.starts_with("{\n  \"schema\": \"strum-rtl.power\",\n  \"version\": 1,\n"));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["with_glitches"]["compared"], 24);
    for (more, message) in [("--wire=-1", "wire"), ("--slew 0", "slew")] {
        let text = setup.fails(2, &format!("power {dense} {more}"));
        assert!(text.contains(message), "{text}");
    }
}
