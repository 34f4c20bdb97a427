//! Runs the SystemVerilog text of a design in Verilator, on a stimulus.
//!
//! The harness is the same for every design but for the names and widths of its ports, which a table of it lists. The stimulus is
//! a file of 32-bit words: for each cycle those of every port, and for each design whether a value is expected, and the value.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use crate::netlist::{Builder, Expr, Mismatch, Module, to_verilog};
use crate::stimulus::{Cycle, InputPort, Stimulus};
use crate::toolchain::{SETUP, ToolError, located, run as run_tool};

/// The longest that compiling or running a design may take.
const LIMIT: Duration = Duration::from_secs(600);

/// Warnings about style are off: the text is generated. Those about widths, loops and latches stay errors.
pub const WARNINGS: [&str; 4] = ["-Wall", "-Wno-DECLFILENAME", "-Wno-UNUSED", "-Wno-PINCONNECTEMPTY"];

/// The output port that is compared.
const OUTPUT: &str = "acc_out";

/// What a run found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Cycles whose value was as expected.
    pub passed: usize,
    /// Cycles whose value was not.
    pub failed: usize,
    /// The first of these.
    pub first: Option<Mismatch>,
}

/// Compiles `source`, whose top module is `top`, and runs `stimulus`. `program` names another Verilator than that of the search
/// path.
///
/// # Errors
/// When Verilator or its C++ compiler are missing or fail.
pub fn run(
    source: &str,
    top: &Module,
    stimulus: &Stimulus,
    program: Option<&Path>,
) -> Result<Outcome, ToolError> {
    let checks = vec![stimulus.cycles.iter().map(|cycle| cycle.expect).collect()];
    let outcomes = build_and_run(source, top, stimulus, &checks, program)?;
    outcomes.into_iter().next().ok_or_else(|| unreadable(""))
}

/// Compiles several designs at once, which takes much less than one after another, and runs each on its stimulus. Their text is
/// that of [`to_verilog`], with other module names.
///
/// # Errors
/// When Verilator or its C++ compiler are missing or fail.
pub fn run_all(
    designs: &[(Rc<Module>, Stimulus)],
    program: Option<&Path>,
) -> Result<Vec<Outcome>, ToolError> {
    if designs.is_empty() {
        return Ok(Vec::new());
    }
    let (top, stimulus) = joined(designs);
    let length = stimulus.cycles.len();
    let checks: Vec<Vec<Option<u32>>> = designs
        .iter()
        .map(|(_, own)| {
            let mut checks: Vec<Option<u32>> = own.cycles.iter().map(|cycle| cycle.expect).collect();
            checks.resize(length, None);
            checks
        })
        .collect();
    build_and_run(&to_verilog(&top, &[]), &top, &stimulus, &checks, program)
}

/// A module that holds all designs, and the stimulus of all their ports.
fn joined(designs: &[(Rc<Module>, Stimulus)]) -> (Rc<Module>, Stimulus) {
    let mut m = Builder::new("designs", "Several designs side by side.");
    let mut ports = Vec::new();
    for (i, (module, stimulus)) in designs.iter().enumerate() {
        let module = module.prefixed(&format!("d{i}_"));
        let mut inputs = Vec::new();
        for InputPort { name, bits } in &stimulus.ports {
            let own = format!("in{i}_{name}");
            inputs.push((name.as_str(), m.input(&own, *bits)));
            ports.push(InputPort { name: own, bits: *bits });
        }
        let inputs: Vec<(&str, &Expr)> = inputs.iter().map(|(port, value)| (*port, value)).collect();
        let value = m.instance(&format!("d{i}"), &module, &inputs).get(OUTPUT);
        m.output(&output(i, designs.len()), value);
    }
    let length = designs.iter().map(|(_, stimulus)| stimulus.cycles.len()).max().unwrap_or(0);
    let cycles = (0..length).map(|cycle| {
        // A design that has ended keeps its last inputs.
        let words = designs.iter().filter_map(|(_, own)| own.cycles.get(cycle).or(own.cycles.last()));
        Cycle { words: words.flat_map(|now| now.words.iter().copied()).collect(), expect: None }
    });
    (m.finish(), Stimulus { ports, cycles: cycles.collect(), steps: 0 })
}

/// The accumulator of a design among `designs`.
fn output(design: usize, designs: usize) -> String {
    if designs == 1 { OUTPUT.to_owned() } else { format!("{OUTPUT}{design}") }
}

/// Runs one text; `checks` are what each accumulator must hold, cycle by cycle.
fn build_and_run(
    source: &str,
    top: &Module,
    stimulus: &Stimulus,
    checks: &[Vec<Option<u32>>],
    program: Option<&Path>,
) -> Result<Vec<Outcome>, ToolError> {
    let folder = tempfile::tempdir().map_err(ToolError::io(&std::env::temp_dir()))?;
    let harness = harness(top, stimulus, checks.len());
    for (name, bytes) in [
        ("design.sv", source.as_bytes()),
        ("harness.cpp", harness.as_bytes()),
        ("stimulus", &words(stimulus, checks)),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).map_err(ToolError::io(&path))?;
    }
    let program = program.map_or_else(|| PathBuf::from("verilator"), located);
    let mut build = Command::new(&program);
    build.args(["--cc", "--exe", "--build", "-j", "2", "-O3"]).args(WARNINGS);
    build.args(["-CFLAGS", "-O1", "--top-module", &top.name, "--prefix", "Vdesign", "-o", "check"]);
    build.args(["design.sv", "harness.cpp"]);
    let missing = |error: ToolError| match error {
        ToolError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => ToolError::Missing {
            tool: program.display().to_string(),
            help: format!("{SETUP}, or name one by --verilator-program"),
        },
        other => other,
    };
    run_tool(build, "verilator", folder.path(), LIMIT).map_err(missing)?;
    let output = run_tool(
        Command::new(folder.path().join("obj_dir/check")),
        "the verilated design",
        folder.path(),
        LIMIT,
    )?;
    let outcomes: Option<Vec<Outcome>> = output.lines().map(parse).collect();
    outcomes.filter(|outcomes| outcomes.len() == checks.len()).ok_or_else(|| unreadable(&output))
}

fn unreadable(output: &str) -> ToolError {
    ToolError::Failed {
        tool: "the verilated design".into(),
        message: output.lines().last().unwrap_or("no output").to_owned(),
    }
}

/// `passed failed [cycle got expected]`.
fn parse(output: &str) -> Option<Outcome> {
    let mut numbers = output.split_whitespace().map(str::parse::<u64>);
    let mut next = || numbers.next()?.ok();
    let [passed, failed] = [next()?, next()?].map(|n| n as usize);
    let mut mismatch =
        || Some(Mismatch { cycle: next()? as usize, got: next()? as u32, expected: next()? as u32 });
    Some(Outcome { passed, failed, first: mismatch() })
}

/// The stimulus as the harness reads it.
fn words(stimulus: &Stimulus, checks: &[Vec<Option<u32>>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (now, cycle) in stimulus.cycles.iter().enumerate() {
        let mut words = cycle.words.iter();
        for port in &stimulus.ports {
            let own: Vec<u32> = words
                .by_ref()
                .take(port.bits.div_ceil(64) as usize)
                .flat_map(|word| [*word as u32, (word >> 32) as u32])
                .take(port.bits.div_ceil(32) as usize)
                .collect();
            own.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        }
        for check in checks {
            let expect = check.get(now).copied().flatten();
            bytes.extend(u32::from(expect.is_some()).to_le_bytes());
            bytes.extend(expect.unwrap_or(0).to_le_bytes());
        }
    }
    bytes
}

/// The C++ program that applies the stimulus and compares the accumulators of `designs` designs.
fn harness(top: &Module, stimulus: &Stimulus, designs: usize) -> String {
    let mut set = String::new();
    let mut at = 0;
    for port in &stimulus.ports {
        let words = port.bits.div_ceil(32);
        let name = &port.name;
        match words {
            1 => {
                let _ = writeln!(set, "    top.{name} = w[{at}];");
            }
            2 => {
                let next = at + 1;
                let _ = writeln!(set, "    top.{name} = w[{at}] | static_cast<uint64_t>(w[{next}]) << 32;");
            }
            _ => {
                let _ = writeln!(set, "    for (int i = 0; i < {words}; ++i) top.{name}[i] = w[{at} + i];");
            }
        }
        at += words;
    }
    let checks = (0..designs).map(|i| format!("    check({i}, top.{});\n", output(i, designs)));
    let checks: String = checks.collect();
    // A design without registers has no clock.
    let clock = |value: u32| if top.clocked { format!("top.clk = {value}; ") } else { String::new() };
    let (low, high) = (clock(0), clock(1));
    let count = at as usize + 2 * designs;
    format!(
        "\
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include \"Vdesign.h\"

static uint32_t w[{count}];
static uint64_t cycle = 0;
struct Outcome {{ uint64_t passed, failed, at; uint32_t got, expected; }};
static Outcome outcomes[{designs}];

static void check(int design, uint32_t got) {{
  const uint32_t* const word = w + {at} + 2 * design;
  Outcome& o = outcomes[design];
  if (!word[0]) return;
  if (got == word[1]) {{
    ++o.passed;
  }} else if (o.failed++ == 0) {{
    o.at = cycle, o.got = got, o.expected = word[1];
  }}
}}

int main() {{
  static Vdesign top;
  FILE* file = std::fopen(\"stimulus\", \"rb\");
  if (!file) return 1;
  {high}top.eval();
  while (std::fread(w, 4, {count}, file) == {count}) {{
{set}    top.eval();
    {low}top.eval();
{checks}    {high}top.eval();
    ++cycle;
  }}
  for (const Outcome& o : outcomes) {{
    std::printf(\"%\" PRIu64 \" %\" PRIu64, o.passed, o.failed);
    if (o.failed) std::printf(\" %\" PRIu64 \" %u %u\", o.at, o.got, o.expected);
    std::printf(\"\\n\");
  }}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_read() {
        assert_eq!(parse("7 0\n"), Some(Outcome { passed: 7, failed: 0, first: None }));
        let first = Some(Mismatch { cycle: 3, got: 1, expected: 2 });
        assert_eq!(parse("5 2 3 1 2\n"), Some(Outcome { passed: 5, failed: 2, first }));
        assert_eq!(parse("no"), None);
    }
}
