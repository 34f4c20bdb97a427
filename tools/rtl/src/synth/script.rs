//! What the synthesizer is given: its script, the library's cells as modules, and constraints.

use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{Adders, Options, SynthError};
use crate::liberty::{Adder, Library, Register, Roles};
use crate::toolchain::ToolError;

/// File of the script.
pub(super) const SCRIPT: &str = "map.ys";
/// File of the netlist.
pub(super) const NETLIST: &str = "mapped.json";
/// File of the netlist as Verilog.
pub(super) const VERILOG: &str = "mapped.v";

/// Names of the cells within modules that stand for one cell: such a cell belongs to the unit around the module.
pub(super) const INNER: [&str; 5] =
    ["adder_cell", "sum_inverter", "carry_inverter", "gate_cell", "gate_inverter"];

/// Loads of outputs, as a multiple of the inverter's input.
const OUTPUT_LOAD: f64 = 3.0;

/// The texts that the synthesizer reads.
pub(super) struct Inputs {
    design: String,
    cells: String,
    registers: String,
    constraints: String,
    script: String,
}

impl Inputs {
    pub(super) fn new(
        design: &str,
        top: &str,
        library: &Library,
        options: &Options,
    ) -> Result<Inputs, SynthError> {
        let roles = library.roles()?;
        let mut cells = String::new();
        let mut replaced = Vec::new();
        let uses = |module: &str| {
            design.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == module)
        };
        if options.adders == Adders::Cells {
            let help = "give --full-adders gates, or a library with one";
            if uses("full_adder") {
                let adder = roles.full_adder.as_ref().ok_or_else(|| library.missing("full adder", help))?;
                adder_module(&mut cells, "full_adder", &["a", "b", "c"], adder, &roles);
                replaced.push("full_adder");
            }
            if uses("half_adder")
                && let Some(adder) = &roles.half_adder
            {
                adder_module(&mut cells, "half_adder", &["a", "b"], adder, &roles);
                replaced.push("half_adder");
            }
        }
        if uses("clock_gate") {
            clock_gate(&mut cells, library, &roles)?;
            replaced.push("clock_gate");
        }
        let mut registers = String::new();
        let help = "name a library with it by --liberty FILE";
        let flip_flop = roles.flip_flop.as_ref().ok_or_else(|| library.missing("flip-flop", help))?;
        register_module(&mut registers, "$_DFF_P_", "C", flip_flop);
        let mut kinds = "-cell $_DFF_P_ x".to_owned();
        if let Some(latch) = &roles.latch {
            register_module(&mut registers, "$_DLATCH_P_", "E", latch);
            kinds.push_str(" -cell $_DLATCH_P_ x");
        }
        let load = library.cell(&roles.inverter.cell)?.inputs.first().map_or(0.0, |pin| pin.capacitance_ff);
        let constraints = format!(
            "set_driving_cell {}\nset_load {:.4} [all_outputs]\n",
            roles.buffer.cell,
            load * OUTPUT_LOAD
        );
        let script = script(top, &replaced, &kinds, options.period_ps);
        Ok(Inputs { design: design.to_owned(), cells, registers, constraints, script })
    }

    fn files(&self) -> [(&'static str, &str); 5] {
        [
            ("design.sv", &self.design),
            ("cells.v", &self.cells),
            ("registers.v", &self.registers),
            ("abc.constr", &self.constraints),
            (SCRIPT, &self.script),
        ]
    }

    /// The hash of all that the result depends on.
    pub(super) fn key(&self, library: &Library, options: &Options) -> String {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        add(concat!(env!("CARGO_PKG_VERSION"), " netlist 1"));
        add(&options.yosys.version);
        add(&library.digest);
        for (_, text) in self.files() {
            add(text);
        }
        crate::liberty::hex(&hash.finalize()).chars().take(32).collect()
    }

    pub(super) fn write(&self, folder: &Path, library: &str) -> Result<(), SynthError> {
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(ToolError::io(&path))
        };
        write("cells.lib", library)?;
        for (name, text) in self.files() {
            write(name, text)?;
        }
        Ok(())
    }
}

/// Passes are listed one by one, since what `synth` does differs between versions. Enables and resets become logic, so that
/// one flip-flop cell is enough.
fn script(top: &str, replaced: &[&str], kinds: &str, period_ps: u32) -> String {
    let mut text = "read_liberty -lib -ignore_miss_func cells.lib\nread_verilog -sv design.sv\n".to_owned();
    if !replaced.is_empty() {
        let _ = writeln!(text, "delete {}\nread_verilog -sv cells.v", replaced.join(" "));
    }
    let _ = write!(
        text,
        "\
hierarchy -check -top {top}
proc
opt -nodffe -nosdff
wreduce
peepopt
opt_clean
alumacc
opt -nodffe -nosdff
memory
opt -fast -full -nodffe -nosdff
techmap
opt -fast -nodffe -nosdff
dfflegalize {kinds}
techmap -map registers.v
simplemap
opt -fast -nodffe -nosdff
abc -liberty cells.lib -D {period_ps} -constr abc.constr
opt_clean -purge
flatten
opt_clean -purge
write_json {NETLIST}
write_verilog -noattr -simple-lhs {VERILOG}
"
    );
    text
}

fn adder_module(text: &mut String, name: &str, inputs: &[&str], adder: &Adder, roles: &Roles) {
    let _ = writeln!(text, "module {name}(input {}, output sum, output carry);", inputs.join(", input "));
    let mut pins: Vec<String> =
        adder.inputs.iter().zip(inputs).map(|(pin, net)| format!(".{pin}({net})")).collect();
    for ((pin, inverted), net) in [(&adder.sum, "sum"), (&adder.carry, "carry")] {
        if *inverted {
            let inverter = &roles.inverter;
            let input = inverter.inputs.first().map_or("", String::as_str);
            pins.push(format!(".{pin}({net}_n)"));
            let _ = writeln!(
                text,
                "  wire {net}_n;\n  {} {net}_inverter(.{input}({net}_n), .{}({net}));",
                inverter.cell, inverter.output
            );
        } else {
            pins.push(format!(".{pin}({net})"));
        }
    }
    let _ = writeln!(text, "  {} adder_cell({});\nendmodule", adder.cell, pins.join(", "));
}

/// The library's clock gate, or a latch that is transparent while the clock is low and an AND.
fn clock_gate(text: &mut String, library: &Library, roles: &Roles) -> Result<(), SynthError> {
    text.push_str("module clock_gate(input clk, input enable, output gated);\n");
    if let Some((cell, pins)) = &roles.clock_gate {
        let test = pins.test.as_ref().map_or_else(String::new, |pin| format!(", .{pin}(1'b0)"));
        let _ = writeln!(
            text,
            "  {cell} gate_cell(.{}(clk), .{}(enable), .{}(gated){test});\nendmodule",
            pins.clock, pins.enable, pins.output
        );
        return Ok(());
    }
    let help = "clock gates need one or the other: name a library with it by --liberty FILE";
    let latch = roles.latch.as_ref().ok_or_else(|| library.missing("clock gate and no latch", help))?;
    let inverter = &roles.inverter;
    let invert = |text: &mut String, name: &str, from: &str, to: &str| {
        let input = inverter.inputs.first().map_or("", String::as_str);
        let _ = writeln!(text, "  {} {name}(.{input}({from}), .{}({to}));", inverter.cell, inverter.output);
    };
    text.push_str("  wire low, stored, held;\n");
    let clock = if latch.clock.1 {
        "clk"
    } else {
        invert(text, "gate_inverter", "clk", "low");
        "low"
    };
    let inverted = latch.data.1 != latch.output.1;
    let output = if inverted { "stored" } else { "held" };
    let _ = writeln!(
        text,
        "  {} gate_latch(.{}({clock}), .{}(enable), .{}({output}));",
        latch.cell, latch.clock.0, latch.data.0, latch.output.0
    );
    if inverted {
        invert(text, "held_inverter", "stored", "held");
    }
    let pins: Vec<String> =
        roles.and.inputs.iter().zip(["clk", "held"]).map(|(pin, net)| format!(".{pin}({net})")).collect();
    let _ = writeln!(
        text,
        "  {} gate_cell({}, .{}(gated));\nendmodule",
        roles.and.cell,
        pins.join(", "),
        roles.and.output
    );
    Ok(())
}

/// A register of the synthesizer as the library's. Inverters of data are left to the mapping, which may merge them.
fn register_module(text: &mut String, name: &str, clock: &str, register: &Register) {
    let invert = |inverted: bool, net: &str| if inverted { format!("~{net}") } else { net.to_owned() };
    let _ = writeln!(
        text,
        "(* techmap_celltype = \"{name}\" *)\nmodule \\{name} (input {clock}, input D, output Q);\n  wire stored;\n  \
         {} register(.{}({}), .{}(D), .{}(stored));\n  assign Q = {};\nendmodule",
        register.cell,
        register.clock.0,
        invert(register.clock.1, clock),
        register.data.0,
        register.output.0,
        invert(register.data.1 != register.output.1, "stored"),
    );
}

/// The longest of the paths that `abc` prints for each module, ps.
pub(super) fn longest_delay(log: &str) -> Option<f64> {
    let delays = log.lines().filter(|line| line.contains("ABC:")).filter_map(|line| {
        let (_, rest) = line.split_once("Delay =")?;
        rest.trim_start().split(' ').next()?.parse::<f64>().ok()
    });
    delays.max_by(f64::total_cmp)
}
