//! Every parameter of a machine file has an effect: another value changes a small network's figures or plan, is refused, or
//! causes a warning. A parameter without an entry in the table fails the test.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod common;

use common::context;
use dpu_isa::{Machine, PeKind, Program};
use dpu_sim::{Options, Report, RunResult, SimError, Tensor, TensorView, check_retiming, simulate};
use strum_ir::{Context, Module, Severity};
use strum_passes::translation;

/// The effect of another value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// The cycles of a run.
    Cycles,
    /// The energy of a run.
    Energy,
    /// The areas that a report states.
    Area,
    /// The time of a run.
    Milliseconds,
    /// The bytes that a run reads and writes in DRAM or SRAM.
    Traffic,
    /// The instructions of the compiler.
    Plan,
    /// Compilation fails with this message.
    Refused(&'static str),
    /// The compiler warns with this message, and a handwritten program can use it.
    Warned(&'static str),
}

use Effect::{Area, Cycles, Energy, Milliseconds, Plan, Refused, Traffic, Warned};

/// An experiment: the field, its other value, the options that reveal its effect, and changes to the machine that it needs.
struct Entry {
    field: &'static str,
    value: u64,
    options: &'static str,
    base: fn(&mut Machine),
    effects: &'static [Effect],
}

const fn entry(field: &'static str, value: u64, effects: &'static [Effect]) -> Entry {
    Entry { field, value, options: "method=dense", base: |_| {}, effects }
}

const fn packed(field: &'static str, value: u64, options: &'static str, effects: &'static [Effect]) -> Entry {
    Entry { field, value, options, base: |_| {}, effects }
}

/// A saving on a machine that charges for the figure that it is saved from.
const fn saving(field: &'static str, options: &'static str, base: fn(&mut Machine)) -> Entry {
    Entry { field, value: 50, options, base, effects: &[Energy] }
}

/// Makes fresh activations so expensive that the planner holds them, and room for them.
fn holds_activations(m: &mut Machine) {
    (m.if_rf_bytes, m.operand_fj, m.operand_act_held_saving_fj) = (4096, 1_000_000, 1_000_000);
}

const ENTRIES: &[Entry] = &[
    entry("tiles", 2, &[Warned("the compiler uses 1 of the 2 tiles of machine 'flexnn-16x16'")]),
    entry("rows", 8, &[Cycles, Plan]),
    entry("cols", 8, &[Cycles, Plan]),
    entry("lanes", 4, &[Cycles]),
    entry("acc_per_pe", 4, &[Energy, Traffic]),
    Entry { base: |m| m.zero_skip = 1, ..entry("if_rf_bytes", 16, &[Cycles]) },
    Entry { base: |m| m.zero_skip = 1, ..entry("fl_rf_bytes", 16, &[Energy]) },
    entry("of_rf_bytes", 16, &[Energy, Traffic]),
    entry("adder_tree_max", 1, &[Plan]),
    entry("sram_bytes", 65536, &[Plan]),
    Entry { base: |m| m.zero_skip = 1, ..entry("sram_granule", 256, &[Traffic]) },
    entry("sram_banks", 1, &[Cycles]),
    entry("sram_read_bytes_per_cycle", 8, &[Cycles]),
    entry("sram_write_bytes_per_cycle", 8, &[Cycles]),
    entry("dma_engines", 1, &[Plan]),
    entry("dma_bytes_per_cycle", 4, &[Cycles]),
    entry("dram_bytes_per_cycle", 4, &[Cycles]),
    entry("dram_latency_cycles", 5000, &[Cycles]),
    entry("dram_bytes", 65536, &[Refused("DRAM bytes: needs")]),
    entry("barriers", 4, &[Plan]),
    entry("fifo_depth", 1, &[Cycles]),
    entry("barrier_cycles", 100, &[Cycles]),
    entry("dispatch_cycles", 500, &[Cycles]),
    entry("ppe_per_cycle", 1, &[Cycles]),
    entry("vec_lanes", 1, &[Cycles]),
    entry("vec_setup_cycles", 5000, &[Cycles]),
    entry("dpu_setup_cycles", 5000, &[Cycles]),
    entry("clock_mhz", 650, &[Milliseconds]),
    entry("mult_fj", 400, &[Energy]),
    packed("shift_fj", 400, "method=mip2q", &[Energy]),
    packed("low_mult_bit_fj", 400, "method=dliq", &[Energy]),
    packed("path_fj", 400, "method=mip2q", &[Energy]),
    entry("product_add_fj", 400, &[Energy]),
    entry("add_fj", 400, &[Energy]),
    entry("if_byte_fj", 400, &[Energy]),
    entry("fl_byte_fj", 400, &[Energy]),
    entry("of_byte_fj", 400, &[Energy]),
    packed("unpack_byte_fj", 400, "method=mip2q", &[Energy]),
    entry("sram_read_byte_fj", 400, &[Energy]),
    entry("sram_write_byte_fj", 400, &[Energy]),
    entry("dram_byte_fj", 400, &[Energy]),
    entry("ppe_op_fj", 400, &[Energy]),
    entry("vec_op_fj", 400, &[Energy]),
    entry("idle_cycle_fj", 400, &[Energy]),
    entry("dma_request_bytes", 16, &[Cycles]),
    entry("dma_outstanding", 4, &[Cycles]),
    entry("fetch_bytes_per_cycle", 1, &[Cycles]),
    entry("zero_skip", 1, &[Cycles, Traffic]),
    saving("mult_act_held_saving_fj", "method=dense objective=energy", holds_activations),
    saving("mult_weight_held_saving_fj", "method=dense", |_| {}),
    saving("shift_weight_held_saving_fj", "method=mip2q", |_| {}),
    saving("low_mult_bit_weight_held_saving_fj", "method=dliq", |m| m.low_mult_bit_fj = 50),
    saving("product_add_act_held_saving_fj", "method=dense objective=energy", holds_activations),
    saving("product_add_weight_held_saving_fj", "method=dense", |_| {}),
    saving("shift_add_saving_fj", "method=mip2q", |_| {}),
    saving("shift_add_weight_held_saving_fj", "method=mip2q", |_| {}),
    saving("add_held_saving_fj", "method=dense", |_| {}),
    saving("of_held_saving_fj", "method=dense", |_| {}),
    saving("if_held_saving_fj", "method=dense objective=energy", holds_activations),
    saving("fl_held_saving_fj", "method=dense", |_| {}),
    saving("if_write_saving_fj", "method=dense", |_| {}),
    saving("fl_write_saving_fj", "method=dense", |_| {}),
    entry("operand_fj", 400, &[Energy]),
    saving("operand_act_held_saving_fj", "method=dense objective=energy", |m| {
        (m.if_rf_bytes, m.operand_fj) = (4096, 50);
        (m.product_add_fj, m.product_add_act_held_saving_fj) = (1_000_000, 1_000_000);
    }),
    saving("operand_weight_held_saving_fj", "method=dense", |m| m.operand_fj = 50),
    entry("operand_clock_fj", 400, &[Energy]),
    packed("route_fj", 400, "method=mip2q", &[Energy]),
    saving("mult_act_zero_saving_fj", "method=dense", |_| {}),
    saving("product_add_act_zero_saving_fj", "method=mip2q", |_| {}),
    saving("operand_act_zero_saving_fj", "method=mip2q", |m| m.operand_fj = 50),
    saving("route_held_saving_fj", "method=mip2q", |m| m.route_fj = 50),
    packed("decode_block_fj", 400, "method=mip2q", &[Energy]),
    entry("datapath_clock_fj", 400, &[Energy]),
    entry("pe_clock_fj", 400, &[Energy]),
    entry("if_entry_clock_fj", 400, &[Energy]),
    entry("fl_entry_clock_fj", 400, &[Energy]),
    entry("pe_leak_nw", 40_000, &[Energy]),
    entry("sram_leak_nw", 40_000, &[Energy]),
    entry("datapath_area_um2", 400, &[Area]),
    entry("pe_core_area_um2", 400, &[Area]),
    entry("pe_area_um2", 400, &[Area]),
    Entry { base: |m| m.pe_area_um2 = 400, ..entry("tree_area_um2", 40, &[Area]) },
    Entry {
        base: |m| (m.pe_area_um2, m.tree_area_um2, m.rest_area_um2) = (400, 40, 1000),
        ..entry("sram_area_um2", 4000, &[Area])
    },
    Entry { base: |m| (m.pe_area_um2, m.tree_area_um2) = (400, 40), ..entry("rest_area_um2", 1000, &[Area]) },
];

/// Bytes from -8 to 8, a quarter of them 0, as a dense constant.
fn hex(count: usize) -> String {
    let digit = |i: usize| match i % 4 {
        0 => 0,
        _ => (i * 37 % 17) as i32 - 8,
    };
    (0..count).map(|i| format!("{:02X}", digit(i) as u8)).collect()
}

/// A convolution with its rescale, a residual addition and pooling: work for every engine.
fn network() -> String {
    let (w, b) = (hex(32 * 9 * 32), "00".repeat(4 * 32));
    let rescale = |name: &str, from: &str, bits: (u32, u32), shift: u32| {
        format!(
            "%s{name} = \"tosa.const\"() <{{values = dense<{shift}> : tensor<1xi8>}}> : () -> tensor<1xi8>\n\
             %{name} = tosa.rescale %{from}, %m, %s{name}, %z{0}, %z{1} {{input_unsigned = false, output_unsigned = false, \
             per_channel = false, rounding_mode = SINGLE_ROUND, scale32 = true}} : (tensor<1x40x40x32xi{0}>, tensor<1xi32>, \
             tensor<1xi8>, tensor<1xi{0}>, tensor<1xi{1}>) -> tensor<1x40x40x32xi{1}>\n",
            bits.0, bits.1
        )
    };
    format!(
        "func.func @main(%x: tensor<1x40x40x32xi8>) -> tensor<1x20x20x32xi8> {{\n\
         %w = \"tosa.const\"() <{{values = dense<\"0x{w}\"> : tensor<32x3x3x32xi8>}}> : () -> tensor<32x3x3x32xi8>\n\
         %b = \"tosa.const\"() <{{values = dense<\"0x{b}\"> : tensor<32xi32>}}> : () -> tensor<32xi32>\n\
         %z8 = \"tosa.const\"() <{{values = dense<0> : tensor<1xi8>}}> : () -> tensor<1xi8>\n\
         %z32 = \"tosa.const\"() <{{values = dense<0> : tensor<1xi32>}}> : () -> tensor<1xi32>\n\
         %m = \"tosa.const\"() <{{values = dense<1073741824> : tensor<1xi32>}}> : () -> tensor<1xi32>\n\
         %c = tosa.conv2d %x, %w, %b, %z8, %z8 {{acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 1, 1, 1, 1>, \
         stride = array<i64: 1, 1>}} : (tensor<1x40x40x32xi8>, tensor<32x3x3x32xi8>, tensor<32xi32>, tensor<1xi8>, tensor<1xi8>) \
         -> tensor<1x40x40x32xi32>\n\
         {}\
         %d = tosa.conv2d %y, %w, %b, %z8, %z8 {{acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 1, 1, 1, 1>, \
         stride = array<i64: 1, 1>}} : (tensor<1x40x40x32xi8>, tensor<32x3x3x32xi8>, tensor<32xi32>, tensor<1xi8>, tensor<1xi8>) \
         -> tensor<1x40x40x32xi32>\n\
         {}{}{}\
         %sum = tosa.add %ea, %xa : (tensor<1x40x40x32xi32>, tensor<1x40x40x32xi32>) -> tensor<1x40x40x32xi32>\n\
         {}\
         %p = tosa.max_pool2d %r {{kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>}} : \
         (tensor<1x40x40x32xi8>) -> tensor<1x20x20x32xi8>\n\
         return %p : tensor<1x20x20x32xi8>\n}}\n",
        rescale("y", "c", (32, 8), 37),
        rescale("e", "d", (32, 8), 37),
        rescale("ea", "e", (8, 32), 12),
        rescale("xa", "x", (8, 32), 12),
        rescale("r", "sum", (32, 8), 49),
    )
}

/// The machine file with one field changed.
fn with(machine: &Machine, field: &str, value: u64) -> Machine {
    let text = machine.to_toml();
    let line = |line: &str| match line.split_once(" = ") {
        Some((name, _)) if name == field => format!("{field} = {value}\n"),
        _ => format!("{line}\n"),
    };
    let text: String = text.lines().map(line).collect();
    Machine::from_toml(&text).unwrap()
}

/// The binary of the network, and the warnings; or the errors.
fn compile(context: &Context, machine: &Machine, options: &str) -> Result<(Program, Vec<String>), String> {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), machine.to_toml()).unwrap();
    let pipeline = format!("strum-pipeline{{{options} machine={}}}", file.path().display());
    let (program, diagnostics) = context.handle().capture(|| {
        let mut module =
            Module::parse(context, network().as_bytes(), "test.mlir").map_err(|e| e.to_string())?;
        module.run(&pipeline).map_err(|e| e.to_string())?;
        let program = translation::find_program(module.op()).map_err(|e| e.to_string())?;
        translation::export(program).map_err(|e| e.to_string())
    });
    let texts = |severity: Severity| {
        let of = diagnostics.iter().filter(move |d| d.severity == severity);
        of.map(|d| d.message.clone()).collect::<Vec<_>>()
    };
    match program {
        Ok(program) => Ok((program, texts(Severity::Warning))),
        Err(error) => Err(format!("{error}: {:?}", texts(Severity::Error))),
    }
}

/// A run of a program, on its own machine or with the timing of another.
fn run(program: &Program, machine: Option<Machine>) -> Result<RunResult, SimError> {
    let input = &program.inputs[0];
    let size: u64 = input.shape.iter().product();
    let values: Vec<i32> =
        (0..size).map(|i| if i % 3 == 0 { 0 } else { (i * 31 % 251) as i32 - 125 }).collect();
    let input = Tensor::from_values(input.dtype, &input.shape, &values);
    let views: [TensorView<'_>; 1] = [input.view()];
    simulate(program, &views, &Options { machine, ..Options::default() })
}

/// The differences between two runs.
fn differences(a: &Report, b: &Report) -> Vec<Effect> {
    let list = [
        (Cycles, a.cycles != b.cycles),
        (Energy, a.total.energy_fj.total != b.total.energy_fj.total),
        (Area, a.area_um2 != b.area_um2),
        (Milliseconds, a.milliseconds.to_bits() != b.milliseconds.to_bits()),
        (Traffic, a.total.bytes != b.total.bytes),
    ];
    list.into_iter().filter(|(_, differs)| *differs).map(|(effect, _)| effect).collect()
}

/// The effect of another value of a field: in total, and on an already compiled program.
fn experiment(context: &Context, entry: &Entry) -> (Vec<Effect>, Vec<Effect>) {
    let Entry { field, value, options, base, .. } = entry;
    let mut machine = Machine::flexnn_16x16();
    base(&mut machine);
    let other = with(&machine, field, *value);
    let (program, warnings) = compile(context, &machine, options).unwrap();
    assert_eq!(warnings, Vec::<String>::new(), "{field}");
    let own = run(&program, None).unwrap();
    let told =
        |text: &str| entry.effects.iter().find(|e| matches!(e, Refused(t) | Warned(t) if text.contains(t)));
    let mut found = Vec::new();
    match compile(context, &other, options) {
        Err(error) => {
            println!("{error}");
            found.extend(told(&error));
        }
        Ok((changed, warnings)) => {
            found.extend(warnings.iter().filter_map(|w| told(w)));
            if changed.instrs != program.instrs {
                found.push(Plan);
            }
            let run = run(&changed, None).unwrap();
            assert_eq!(run.outputs, own.outputs, "{field} = {value} changes the result");
            found.extend(differences(&own.report, &run.report));
        }
    }
    let retimed = match run(&program, Some(other.clone())) {
        Ok(retimed) => {
            assert_eq!(retimed.outputs, own.outputs, "{field} = {value} changes the result");
            differences(&own.report, &retimed.report)
        }
        Err(error) => {
            let text = error.to_string();
            let structural = check_retiming(&machine, &other).is_err();
            let expected = format!("{field} = {value}, the program was made for");
            assert!(!structural || text.contains(&expected), "{field}: {text}");
            assert!(
                matches!(error, SimError::Machine(_)) && text.contains("cannot run this program"),
                "{text}"
            );
            vec![Refused("")]
        }
    };
    (found, retimed)
}

#[test]
fn every_parameter_of_a_machine_has_an_effect() {
    let context = context();
    let mut faults = Vec::new();
    for name in Machine::FIELDS.iter().map(|field| field.name) {
        let mut entries = ENTRIES.iter().filter(|entry| entry.field == name).peekable();
        if entries.peek().is_none() {
            faults.push(format!("{name}: no entry"));
        }
        for entry in entries {
            let (found, retimed) = experiment(&context, entry);
            println!("{name} = {}: {found:?}, of a program that is there {retimed:?}", entry.value);
            let missing: Vec<_> = entry.effects.iter().filter(|effect| !found.contains(effect)).collect();
            if !missing.is_empty() {
                faults.push(format!("{name} = {}: {missing:?} expected, {found:?} found", entry.value));
            }
            if retimed.is_empty() {
                faults.push(format!(
                    "{name} = {}: 'dpu-sim --machine' takes it and shows nothing",
                    entry.value
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(ENTRIES.iter().all(|e| Machine::FIELDS.iter().any(|f| f.name == e.field)));
}

#[test]
fn the_kind_of_the_pes_and_the_name_have_an_effect() {
    let context = context();
    let machine = Machine::flexnn_16x16();
    let (program, _) = compile(&context, &machine, "method=mip2q").unwrap();
    let own = run(&program, None).unwrap();
    for (kind, effect) in [(PeKind::Dense, Energy), (PeKind::StrumStatic, Cycles)] {
        let other = Machine { pe_kind: kind, ..machine.clone() };
        let (changed, _) = compile(&context, &other, "method=dense").unwrap();
        let dense = run(&compile(&context, &machine, "method=dense").unwrap().0, None).unwrap();
        let found = differences(&dense.report, &run(&changed, None).unwrap().report);
        assert!(found.contains(&effect), "{kind:?} compiled: {found:?}");
        let retimed = run(&program, Some(other)).unwrap();
        assert!(differences(&own.report, &retimed.report).contains(&Energy), "{kind:?}");
    }
    let renamed = Machine { name: "mine".into(), ..machine };
    let (changed, _) = compile(&context, &renamed, "method=mip2q").unwrap();
    assert_eq!(run(&changed, None).unwrap().report.machine, "mine");
}
