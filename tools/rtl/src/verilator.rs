//! Runs the SystemVerilog text of a design in Verilator, on a stimulus.
//!
//! The harness is the same for every design but for the names and widths of its ports, which a table of it lists. The stimulus is
//! a file of 32-bit words: for each cycle those of every port, whether a value is expected, and the value.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::netlist::{Mismatch, Module};
use crate::stimulus::Stimulus;
use crate::toolchain::{SETUP, ToolError, run as run_tool};

/// The longest that compiling or running a design may take.
const LIMIT: Duration = Duration::from_secs(600);

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
    let folder = tempfile::tempdir().map_err(ToolError::io(&std::env::temp_dir()))?;
    let harness = harness(top, stimulus);
    for (name, bytes) in [
        ("design.sv", source.as_bytes()),
        ("harness.cpp", harness.as_bytes()),
        ("stimulus", &words(stimulus)),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).map_err(ToolError::io(&path))?;
    }
    let program = program.map_or_else(|| PathBuf::from("verilator"), Path::to_owned);
    let mut build = Command::new(&program);
    // Warnings about style are off: the text is generated. Those about widths, loops and latches stay errors.
    build.args([
        "--cc",
        "--exe",
        "--build",
        "-O3",
        "-Wall",
        "-Wno-DECLFILENAME",
        "-Wno-UNUSED",
        "-Wno-PINCONNECTEMPTY",
    ]);
    build.args([
        "-CFLAGS",
        "-O1",
        "--top-module",
        &top.name,
        "--prefix",
        "Vdesign",
        "-o",
        "check",
        "design.sv",
    ]);
    build.arg("harness.cpp");
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
    parse(&output).ok_or_else(|| ToolError::Failed {
        tool: "the verilated design".into(),
        message: output.lines().last().unwrap_or("no output").to_owned(),
    })
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
fn words(stimulus: &Stimulus) -> Vec<u8> {
    let mut bytes = Vec::new();
    for cycle in &stimulus.cycles {
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
        bytes.extend(u32::from(cycle.expect.is_some()).to_le_bytes());
        bytes.extend(cycle.expect.unwrap_or(0).to_le_bytes());
    }
    bytes
}

/// The C++ program that applies the stimulus.
fn harness(top: &Module, stimulus: &Stimulus) -> String {
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
    // A design without registers has no clock.
    let clock = |value: u32| if top.clocked { format!("top.clk = {value}; ") } else { String::new() };
    let (low, high) = (clock(0), clock(1));
    let count = at + 2;
    format!(
        "\
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include \"Vdesign.h\"

int main() {{
  Vdesign top;
  FILE* file = std::fopen(\"stimulus\", \"rb\");
  if (!file) return 1;
  static uint32_t w[{count}];
  uint64_t passed = 0, failed = 0, cycle = 0, at = 0;
  uint32_t got = 0, expected = 0;
  {high}top.eval();
  while (std::fread(w, 4, {count}, file) == {count}) {{
{set}    top.eval();
    {low}top.eval();
    if (w[{at}]) {{
      const uint32_t value = top.acc_out;
      if (value == w[{at} + 1]) {{
        ++passed;
      }} else if (failed++ == 0) {{
        at = cycle, got = value, expected = w[{at} + 1];
      }}
    }}
    {high}top.eval();
    ++cycle;
  }}
  std::printf(\"%\" PRIu64 \" %\" PRIu64, passed, failed);
  if (failed) std::printf(\" %\" PRIu64 \" %u %u\", at, got, expected);
  std::printf(\"\\n\");
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
