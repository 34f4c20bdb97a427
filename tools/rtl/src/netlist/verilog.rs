//! Prints modules as structural SystemVerilog, in the subset that Yosys 0.23 and Verilator 5.006 both read.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::expr::{Expr, Node};
use super::module::{Direction, Instance, Item, Module, Register, Storage};

/// Columns of a line.
const COLUMNS: usize = 120;

/// Name of the module that gates a clock for flip-flops: `clk`, `enable` to `gated`.
pub const CLOCK_GATE: &str = "clock_gate";
/// Name of the module that opens latches in the second half of a cycle: `clk`, `enable` to `open`.
pub const LATCH_GATE: &str = "latch_gate";
/// Name of the module that opens some latches of a group: `group`, `enable` to `open`.
pub const LATCH_SELECT: &str = "latch_select";

const CLOCK_GATE_TEXT: &str = "\
// Clock gate: passes the clock's high phase where `enable` was 1 before the rising edge.
module clock_gate (
  input  logic clk,
  input  logic enable,
  output logic gated
);
  logic held;
  always_latch if (!clk) held = enable;
  assign gated = clk & held;
endmodule
";

const LATCH_GATE_TEXT: &str = "\
// Latch gate: opens latches in the clock's low phase where `enable`, stable by then, is 1.
module latch_gate (
  input  logic clk,
  input  logic enable,
  output logic open
);
  assign open = ~clk & enable;
endmodule
";

const LATCH_SELECT_TEXT: &str = "\
// Latch selection: opens some latches of a group that is open.
module latch_select (
  input  logic group,
  input  logic enable,
  output logic open
);
  assign open = group & enable;
endmodule
";

/// `top` and all modules below it as one file, those without instances first. `header` is printed above, as comments.
#[must_use]
pub fn to_verilog(top: &Module, header: &[String]) -> String {
    let mut out = String::new();
    for line in header {
        let _ = writeln!(out, "// {line}");
    }
    let mut gates = BTreeSet::new();
    collect_gates(top, &mut gates, &mut BTreeSet::new());
    for (name, text) in
        [(CLOCK_GATE, CLOCK_GATE_TEXT), (LATCH_GATE, LATCH_GATE_TEXT), (LATCH_SELECT, LATCH_SELECT_TEXT)]
    {
        if gates.contains(name) {
            let _ = write!(out, "\n{text}");
        }
    }
    let mut printed = BTreeSet::new();
    below(top, &mut printed, &mut out);
    out
}

/// Which of the modules that gate clocks are needed.
fn collect_gates<'a>(module: &'a Module, gates: &mut BTreeSet<&'static str>, seen: &mut BTreeSet<&'a str>) {
    if !seen.insert(&module.name) {
        return;
    }
    for item in &module.items {
        match item {
            Item::Register(Register { enable: Some(_), storage: Storage::FlipFlops, .. }) => {
                gates.insert(CLOCK_GATE);
            }
            Item::Register(Register { enable: Some(_), storage: Storage::Latches, group, .. }) => {
                gates.insert(LATCH_GATE);
                gates.extend(group.as_ref().map(|_| LATCH_SELECT));
            }
            Item::Instance(instance) => collect_gates(&instance.module, gates, seen),
            _ => {}
        }
    }
}

fn below(module: &Module, printed: &mut BTreeSet<String>, out: &mut String) {
    if !printed.insert(module.name.clone()) {
        return;
    }
    for item in &module.items {
        if let Item::Instance(instance) = item {
            below(&instance.module, printed, out);
        }
    }
    print_module(module, out);
}

fn print_module(module: &Module, out: &mut String) {
    let _ = write!(out, "\n// {}\nmodule {} (", module.about, module.name);
    let clock = module.clocked.then(|| "input  logic clk".to_owned());
    let ports = module.ports.iter().map(|port| {
        let direction = if port.direction == Direction::Input { "input " } else { "output" };
        format!("{direction} logic {}{}", range(port.width), port.name)
    });
    let ports: Vec<String> = clock.into_iter().chain(ports).collect();
    let _ = writeln!(out, "\n  {}\n);", ports.join(",\n  "));
    for item in &module.items {
        match item {
            Item::Register(register) => {
                line(out, &format!("logic {}{};", range(register.width), register.name))
            }
            Item::Instance(instance) => {
                for (port, net) in &instance.outputs {
                    line(out, &format!("logic {}{net};", range(instance.module.port_width(port))));
                }
            }
            Item::Wire(..) | Item::Output(..) | Item::Comment(_) => {}
        }
    }
    let mut gates: Vec<Gate<'_>> = Vec::new();
    for item in &module.items {
        match item {
            Item::Wire(name, value) => {
                line(out, &format!("wire {}{name} = {};", range(value.width()), text(value)))
            }
            Item::Output(name, value) => line(out, &format!("assign {name} = {};", text(value))),
            Item::Comment(words) => line(out, &format!("// {words}")),
            Item::Instance(instance) => print_instance(instance, out),
            Item::Register(register) => print_register(register, &mut gates, out),
        }
    }
    let _ = writeln!(out, "endmodule");
}

fn print_instance(instance: &Instance, out: &mut String) {
    let clock = instance.module.clocked.then(|| ".clk(clk)".to_owned());
    let inputs = instance.inputs.iter().map(|(port, value)| format!(".{port}({})", text(value)));
    let outputs = instance.outputs.iter().map(|(port, net)| format!(".{port}({net})"));
    let all: Vec<String> = clock.into_iter().chain(inputs).chain(outputs).collect();
    line(out, &format!("{} {} ({});", instance.module.name, instance.name, all.join(", ")));
}

/// A gated clock: what gates what, and the net.
type Gate<'a> = (&'static str, String, &'a Expr, String);

/// Registers with the same enable share a gate, and groups a first one.
fn print_register<'a>(register: &'a Register, gates: &mut Vec<Gate<'a>>, out: &mut String) {
    let Register { name, next, enable, group, storage, .. } = register;
    let Some(enable) = enable else {
        line(out, &format!("always_ff @(posedge clk) {name} <= {};", text(next)));
        return;
    };
    let (first, second, input, output) = match storage {
        Storage::FlipFlops => (CLOCK_GATE, CLOCK_GATE, "clk", "gated"),
        Storage::Latches => (LATCH_GATE, LATCH_SELECT, "group", "open"),
    };
    let gate = match group {
        None => print_gate(first, ["clk", output, name], "clk".into(), enable, gates, out),
        Some(group) => {
            let label = format!("group_{name}");
            let clock = print_gate(first, ["clk", output, &label], "clk".into(), group, gates, out);
            print_gate(second, [input, output, name], clock, enable, gates, out)
        }
    };
    match storage {
        Storage::FlipFlops => line(out, &format!("always_ff @(posedge {gate}) {name} <= {};", text(next))),
        Storage::Latches => line(out, &format!("always_latch if ({gate}) {name} = {};", text(next))),
    }
}

/// The net of `clock` gated by `enable`, with the instance that drives it unless there is one already.
fn print_gate<'a>(
    module: &'static str,
    [input, output, label]: [&str; 3],
    clock: String,
    enable: &'a Expr,
    gates: &mut Vec<Gate<'a>>,
    out: &mut String,
) -> String {
    let known = gates.iter().find(|(m, c, e, _)| (*m, c, *e) == (module, &clock, enable));
    if let Some((_, _, _, net)) = known {
        return net.clone();
    }
    let net = format!("{output}_{label}");
    line(out, &format!("logic {net};"));
    let pins = format!(".{input}({clock}), .enable({}), .{output}({net})", text(enable));
    line(out, &format!("{module} u_{net} ({pins});"));
    gates.push((module, clock, enable, net.clone()));
    net
}

fn range(width: u32) -> String {
    if width == 1 { String::new() } else { format!("[{}:0] ", width - 1) }
}

/// A line of a module, broken at blanks.
fn line(out: &mut String, text: &str) {
    let mut column = 2;
    out.push_str("  ");
    for (i, word) in text.split(' ').enumerate() {
        if i > 0 {
            if column + 1 + word.len() > COLUMNS {
                out.push_str("\n      ");
                column = 6;
            } else {
                out.push(' ');
                column += 1;
            }
        }
        out.push_str(word);
        column += word.len();
    }
    out.push('\n');
}

/// Binding strengths, the weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Choice,
    Or,
    Xor,
    And,
    Unary,
}

fn text(expr: &Expr) -> String {
    print(expr).0
}

/// An operand of an operator of this strength.
fn operand(expr: &Expr, within: Binding) -> String {
    let (text, binding) = print(expr);
    if binding > within { text } else { format!("({text})") }
}

fn list(list: &[Expr], binding: Binding, operator: &str) -> (String, Binding) {
    let parts: Vec<String> = list.iter().map(|e| operand(e, binding)).collect();
    (parts.join(operator), binding)
}

fn print(expr: &Expr) -> (String, Binding) {
    let width = expr.width();
    let text = match expr.node() {
        Node::Net { name, full, lo } => match (width, *full) {
            (own, whole) if own == whole => name.to_string(),
            (1, _) => format!("{name}[{lo}]"),
            _ => format!("{name}[{}:{lo}]", lo + width - 1),
        },
        Node::Const(value) if width <= 4 => format!("{width}'b{value:0n$b}", n = width as usize),
        Node::Const(value) => format!("{width}'h{value:x}"),
        Node::Not(e) => format!("~{}", operand_of_unary(e)),
        Node::All(e) => return (format!("&{}", operand_of_unary(e)), Binding::Choice),
        Node::Any(e) => return (format!("|{}", operand_of_unary(e)), Binding::Choice),
        Node::And(parts) => return list(parts, Binding::And, " & "),
        Node::Or(parts) => return list(parts, Binding::Or, " | "),
        Node::Xor(parts) => return list(parts, Binding::Xor, " ^ "),
        Node::Mux(select, then, other) => {
            let parts = [select, then, other].map(|e| operand(e, Binding::Choice));
            let [select, then, other] = parts;
            return (format!("{select} ? {then} : {other}"), Binding::Choice);
        }
        Node::Cat(parts) => {
            let parts: Vec<String> = parts.iter().rev().map(text).collect();
            format!("{{{}}}", parts.join(", "))
        }
        Node::Repeat(bit) => format!("{{{width}{{{}}}}}", text(bit)),
    };
    (text, Binding::Unary)
}

fn operand_of_unary(e: &Expr) -> String {
    match e.node() {
        Node::Net { .. } | Node::Const(_) | Node::Cat(_) | Node::Repeat(_) => text(e),
        _ => format!("({})", text(e)),
    }
}
