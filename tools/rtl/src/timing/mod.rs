//! The critical path of a mapped design, by OpenSTA.
//!
//! The clock is ideal, inputs arrive at its edge, outputs are needed at the next. A latch that borrows time has the slack that
//! is left until it closes. Wires have no delay. Paths may have a whole period or half of one; the critical path is the one
//! that needs the longest period.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::liberty::{LibertyError, Library};
use crate::synth::Mapped;
use crate::toolchain::{ToolError, find_sta, run};

/// The path that needs the longest period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CriticalPath {
    /// Clock period, ns.
    pub period_ns: f64,
    /// Slack, ns; negative where the period is too short.
    pub slack_ns: f64,
    /// The shortest period that the path allows, ns.
    pub shortest_period_ns: f64,
    /// Where it begins: a port, or the net that a register drives.
    pub start: String,
    /// Where it ends: a port, or the net that the register drives.
    pub end: String,
    /// Cells on it.
    pub cells: usize,
    /// Delay from the launching clock edge to the end of the path, ns.
    pub delay_ns: f64,
}

/// Why there is no critical path.
#[derive(Debug, thiserror::Error)]
pub enum TimingError {
    /// OpenSTA is missing, or failed.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// The library cannot be written as one.
    #[error(transparent)]
    Liberty(#[from] LibertyError),
    /// The design has no clock.
    #[error("module '{0}' has no input port 'clk', so that no path is constrained")]
    NoClock(String),
    /// No path was reported.
    #[error("OpenSTA reports no path of module '{top}': {message}")]
    NoPath {
        /// The module.
        top: String,
        /// The first error that it prints.
        message: String,
    },
}

/// Finds the critical path for a clock period in ns. `sta` names another OpenSTA than that of the search path.
///
/// # Errors
///
/// [`TimingError`]: a missing tool says how to install it.
pub fn critical_path(
    mapped: &Mapped,
    library: &Library,
    period_ns: f64,
    sta: Option<&Path>,
    limit: Duration,
) -> Result<CriticalPath, TimingError> {
    let program = find_sta(sta)?;
    let inputs = mapped.ports.iter().filter(|port| port.input);
    let (clocks, inputs): (Vec<_>, Vec<_>) =
        inputs.map(|port| port.name.as_str()).partition(|name| *name == "clk");
    if clocks.is_empty() {
        return Err(TimingError::NoClock(mapped.top.clone()));
    }
    let folder = tempfile::tempdir().map_err(ToolError::io(&std::env::temp_dir()))?;
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).map_err(ToolError::io(&path))
    };
    write("cells.lib", &library.export()?)?;
    write("mapped.v", &by_bit(&mapped.verilog))?;
    write("timing.tcl", &script(&mapped.top, period_ns * 1000.0 / library.time_unit_ps, &inputs))?;
    let mut command = Command::new(program);
    command.args(["-no_splash", "-exit", "timing.tcl"]);
    let report = run(command, "sta", folder.path(), limit)?;
    let worst = paths(&report).max_by(|a, b| a.share.total_cmp(&b.share)).ok_or_else(|| {
        let line = report.lines().find(|line| line.contains("Error"));
        let message = line.unwrap_or("no error is printed").trim().to_owned();
        TimingError::NoPath { top: mapped.top.clone(), message }
    })?;
    let scale = library.time_unit_ps / 1000.0;
    let readable = |name: &str| driven_net(&mapped.verilog, name).unwrap_or_else(|| name.to_owned());
    Ok(CriticalPath {
        period_ns,
        slack_ns: worst.slack * scale,
        shortest_period_ns: worst.share * period_ns,
        start: readable(worst.start),
        end: readable(worst.end),
        cells: worst.cells,
        delay_ns: worst.delay * scale,
    })
}

/// The netlist with assignments to a concatenation, which OpenSTA does not read, as an assignment for each bit.
fn by_bit(verilog: &str) -> String {
    let declared = verilog.lines().filter_map(|line| {
        let (_, rest) = line.trim().strip_suffix(';')?.split_once(" [")?;
        let (range, name) = rest.split_once("] ")?;
        let (high, low) = range.split_once(':')?;
        Some((name.trim(), (high.parse().ok()?, low.parse().ok()?)))
    });
    let declared: BTreeMap<&str, (usize, usize)> = declared.collect();
    let side = |text: &str| -> Option<Vec<String>> {
        text.split(',')
            .map(|item| bits(item, &declared))
            .collect::<Option<Vec<_>>>()
            .map(|bits| bits.concat())
    };
    let mut text = String::new();
    for line in verilog.split_inclusive('\n') {
        let sides = line.trim().strip_prefix("assign {").and_then(|rest| rest.strip_suffix(';'));
        let sides = sides.and_then(|rest| rest.split_once("} = "));
        let sides = sides.and_then(|(targets, sources)| {
            let sources = sources.trim().trim_start_matches('{').trim_end_matches('}');
            side(targets).zip(side(sources)).filter(|(targets, sources)| targets.len() == sources.len())
        });
        let Some((targets, sources)) = sides else {
            text.push_str(line);
            continue;
        };
        for (target, source) in targets.iter().zip(sources) {
            let _ = writeln!(text, "  assign {target} = {source};");
        }
    }
    text
}

/// The bits of an item of a concatenation, most significant first: a net, a bit or a range of one, or a constant.
fn bits(item: &str, declared: &BTreeMap<&str, (usize, usize)>) -> Option<Vec<String>> {
    let item = item.trim();
    if let Some((width, digits)) = item.split_once("'h") {
        let (width, value) = (width.parse::<u32>().ok()?, u128::from_str_radix(digits, 16).ok()?);
        return (0..width).rev().map(|i| Some(format!("1'b{}", value.checked_shr(i)? & 1))).collect();
    }
    let (name, range) = match item.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) {
        Some((name, range)) => (name, range.split_once(':').unwrap_or((range, range))),
        None => match declared.get(item) {
            Some(&(high, low)) => return Some((low..=high).rev().map(|i| format!("{item} [{i}]")).collect()),
            // An escaped name ends in a space.
            None => return Some(vec![format!("{item} ")]),
        },
    };
    let (high, low) = (range.0.parse::<usize>().ok()?, range.1.parse::<usize>().ok()?);
    Some((low..=high).rev().map(|i| format!("{} [{i}]", name.trim())).collect())
}

fn script(top: &str, period: f64, inputs: &[&str]) -> String {
    let mut text = format!(
        "read_liberty cells.lib\nread_verilog mapped.v\nlink_design {top}\n\
         create_clock -name clk -period {period} [get_ports clk]\n"
    );
    if !inputs.is_empty() {
        let _ = writeln!(text, "set_input_delay 0 -clock clk [get_ports {{{}}}]", inputs.join(" "));
    }
    // A path for every end: the one that is reported first may borrow time.
    text.push_str(
        "set_output_delay 0 -clock clk [all_outputs]\n\
         report_checks -path_delay max -format full -digits 6 -group_count 1000000\nexit\n",
    );
    text
}

struct Found<'t> {
    start: &'t str,
    end: &'t str,
    slack: f64,
    /// What it needs of the time that it has.
    share: f64,
    delay: f64,
    cells: usize,
}

/// The paths of a report.
fn paths(report: &str) -> impl Iterator<Item = Found<'_>> {
    report.split("Startpoint: ").skip(1).filter_map(|text| {
        let word = |text: &str| text.split_whitespace().next().map(str::len);
        let start = text.get(..word(text)?)?;
        let (_, after) = text.split_once("Endpoint: ")?;
        let end = after.get(..word(after)?)?;
        // The number before a label, as in "  2.18   data arrival time".
        let number = |line: &str| line.split_whitespace().next()?.parse::<f64>().ok();
        let labelled =
            |label: &str| text.lines().find(|line| line.trim_end().ends_with(label)).and_then(number);
        let slack = text.lines().find(|line| line.contains("  slack (")).and_then(number)?;
        let last = |label: &str| {
            let line = text.lines().find(|line| line.starts_with(label))?;
            line.split_whitespace().last()?.parse::<f64>().ok()
        };
        let mut edges = text.lines().filter(|line| line.contains("   clock ") && line.contains(" edge)"));
        let mut edge = || edges.next()?.split_whitespace().nth(1)?.parse::<f64>().ok();
        let launched = edge()?;
        let captured = edge()?;
        // A latch captures when it closes.
        let borrow = last("max time borrow").zip(last("actual time borrow")).zip(last("clk pulse width"));
        let (slack, window) = match borrow {
            Some(((most, used), width)) => (most - used, captured + width - launched),
            None => (slack, captured - launched),
        };
        let arrival = labelled("data arrival time")?;
        // The cells that drive a pin of the path; each is listed as "DELAY TIME ^ NAME/PIN (CELL)".
        let steps = text.lines().take_while(|line| !line.contains("data arrival time"));
        let cells = steps
            .filter(|line| line.contains(" ^ ") || line.contains(" v "))
            .filter(|line| line.contains('/'));
        Some(Found {
            start,
            end,
            slack,
            share: (window - slack) / window,
            delay: arrival - launched,
            cells: cells.count().saturating_sub(1),
        })
    })
}

/// The net that a register of the Verilog netlist drives, where the register's own name is a number of the synthesizer. Where
/// that net's name is one, too, the register's output is inverted, and the net behind the inverter is meant.
fn driven_net(verilog: &str, instance: &str) -> Option<String> {
    let (_, rest) = verilog.split_once(&format!(" {instance} ("))?;
    let (pins, _) = rest.split_once(");")?;
    let output = [".Q(", ".QN(", ".Q_N("].iter().find_map(|pin| pins.split_once(pin))?.1;
    let (net, _) = output.split_once(')')?;
    let behind = if numbered(net) { inverted(verilog, net) } else { None };
    let name = behind.unwrap_or(net);
    numbered(instance).then(|| name.trim().trim_start_matches('\\').trim().to_owned())
}

fn numbered(name: &str) -> bool {
    name.len() > 2 && name.starts_with('_') && name.ends_with('_')
}

/// The other net of a cell of two pins that has this one as its input.
fn inverted<'v>(verilog: &'v str, net: &str) -> Option<&'v str> {
    let cells = verilog.split(";\n").filter(|cell| cell.contains(&format!("({net})")));
    let nets = |cell: &'v str| {
        let pins = cell.split("\n").filter_map(|line| line.trim().strip_prefix('.')?.split_once('('));
        pins.filter_map(|(_, net)| net.rsplit_once(')').map(|(net, _)| net)).collect::<Vec<_>>()
    };
    cells.map(nets).find_map(|nets| match nets.as_slice() {
        [input, output] if *input == net && !numbered(output) => Some(*output),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concatenated_targets_become_bits() {
        let text = "  wire [2:0] c;\n  wire [1:0] \\u.b ;\n  assign { a[1], \\u.b [1:0], d } = { x, 2'h2, \\u.y  };\n  INV u (.A(x));\n";
        let expected = "  wire [2:0] c;\n  wire [1:0] \\u.b ;\n  assign a [1] = x ;\n  assign \\u.b [1] = 1'b1;\n  \
                        assign \\u.b [0] = 1'b0;\n  assign d  = \\u.y ;\n  INV u (.A(x));\n";
        assert_eq!(by_bit(text), expected);
        let whole = "  wire [2:0] c;\n  assign { e[0], \\u.b [0], d } = c;\n";
        let expected =
            "  wire [2:0] c;\n  assign e [0] = c [2];\n  assign \\u.b [0] = c [1];\n  assign d  = c [0];\n";
        assert_eq!(by_bit(whole), expected);
        for kept in ["  assign { a[1:0], b[0] } = { x, y };\n", "  assign c[1:0] = { x, y };\n"] {
            assert_eq!(by_bit(kept), kept);
        }
    }
}
