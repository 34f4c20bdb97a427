//! A PE: register files, mask decoder, choice of activations, zero point, operand registers, datapath, output register file.

use std::rc::Rc;

use dpu_isa::PeKind;

use super::datapath::{self, ACCUMULATOR, Operands, SHIFT_BITS};
use super::register_file::{address_bits, register_file};
use super::zero_point::zero_point;
use super::{in_place, route};
use crate::layout::{Layout, PlacedCode};
use crate::netlist::{Builder, Direction, Expr, Module, cat, mux};
use crate::spec::{Decode, RegisterFile, Spec};

/// Bits of an entry of the filter register file.
#[must_use]
pub fn fl_bits(spec: &Spec) -> u32 {
    if spec.packed() { Layout::of(spec).bits } else { 8 * spec.lanes }
}

/// A PE without register files: `pe_core`, and in a design of its own, where masks are decoded on fetching, that decoder too:
/// `fill_masks` becomes `fill_positions`, or in place `fill` becomes `fill_entry`.
pub fn core_alone(spec: &Spec) -> Rc<Module> {
    let core = pe_core(spec);
    if !spec.packed() || spec.decode == Decode::Step {
        return core;
    }
    let mut m = Builder::new(
        format!("{}_with_fetch", core.name),
        "A PE without register files, and its decoder of fetched masks.",
    );
    let inputs: Vec<(&str, Expr)> = core
        .ports
        .iter()
        .filter(|p| p.direction == Direction::Input)
        .map(|p| (p.name.as_str(), m.input(&p.name, p.width)))
        .collect();
    let inputs: Vec<(&str, &Expr)> = inputs.iter().map(|(port, value)| (*port, value)).collect();
    let acc = m.instance("core", &core, &inputs).get("acc_out");
    let layout = Layout::of(spec);
    if let Some(placed) = layout.placed {
        let fill = m.input("fill", fl_bits(&Spec { decode: Decode::Step, ..spec.clone() }));
        let entry = in_place::fetched(&mut m, spec, placed, &fill);
        m.output("fill_entry", entry);
        m.output("acc_out", acc);
        return m.finish();
    }
    let masks = m.input("fill_masks", layout.blocks * layout.members);
    let fetched = m.instance("fetch", &route::mask_decoders(spec), &[("masks", &masks)]).get("positions");
    m.output("fill_positions", fetched);
    m.output("acc_out", acc);
    m.finish()
}

/// A PE without register files. `if_entry` and `fl_entry` are what these read; the operands of a step are taken where `valid`
/// is set; `acc_in` is what the accumulator has before the step of `latency` cycles before.
fn pe_core(spec: &Spec) -> Rc<Module> {
    let about = "A PE without register files: mask decoder, choice of activations, zero point, operand registers, datapath.";
    let mut m = Builder::new(format!("pe_core_{}", spec.name()), about);
    let if_entry = m.input("if_entry", 8 * spec.vector());
    let fl_entry = m.input("fl_entry", fl_bits(spec));
    let zero = m.input("zero_point", 9);
    let valid = m.input("valid", 1);
    let step =
        (spec.packed() && route::step_bits(spec) > 0).then(|| m.input("step_index", route::step_bits(spec)));
    let packed = (spec.kind == PeKind::StrumDynamic).then(|| m.input("mixed", 1));
    let shift = (spec.max_shift() > 0).then(|| m.input("shift", SHIFT_BITS));
    let acc_in = m.input("acc_in", ACCUMULATOR);
    if let Some(placed) = spec.in_place().then(|| PlacedCode::of(&spec.format)) {
        let inputs = [&if_entry, &fl_entry, &zero, &valid];
        let operands = in_place::operands(&mut m, spec, placed, inputs, shift);
        return with_datapath(m, spec, &operands, acc_in);
    }
    let (bytes, high, low) = if spec.packed() {
        let bytes = routed(&mut m, spec, &if_entry, &fl_entry, step.as_ref());
        let [high, low] = route::codes(spec, &fl_entry, step.as_ref(), packed.as_ref());
        (bytes, high, low)
    } else {
        let all = |entry: &Expr| (0..spec.lanes).map(|i| entry.bits(8 * i..8 * i + 8)).collect::<Vec<_>>();
        (all(&if_entry), all(&fl_entry), Vec::new())
    };
    let operands = operand_registers(
        &mut m,
        spec,
        &zero,
        &valid,
        Step { bytes, high, low, packed, shift, active: None },
    );
    with_datapath(m, spec, &operands, acc_in)
}

/// The module with a datapath on these operands.
fn with_datapath(mut m: Builder, spec: &Spec, operands: &Operands, acc_in: Expr) -> Rc<Module> {
    let module = datapath::datapath(spec);
    let mut inputs = operands.connections();
    inputs.push(("acc_in", acc_in));
    let inputs: Vec<(&str, &Expr)> = inputs.iter().map(|(port, value)| (*port, value)).collect();
    let acc = m.instance("datapath", &module, &inputs).get("acc_out");
    m.output("acc_out", acc);
    m.finish()
}

/// What a step takes, before the zero point.
pub(super) struct Step {
    pub(super) bytes: Vec<Expr>,
    pub(super) high: Vec<Expr>,
    pub(super) low: Vec<Expr>,
    pub(super) packed: Option<Expr>,
    pub(super) shift: Option<Expr>,
    /// Which lanes take their activation, where not all do.
    pub(super) active: Option<Vec<Expr>>,
}

/// The activations of a step, chosen by the mask or the positions of an entry.
fn routed(m: &mut Builder, spec: &Spec, if_entry: &Expr, fl_entry: &Expr, step: Option<&Expr>) -> Vec<Expr> {
    let layout = Layout::of(spec);
    let selectors = fl_entry.bits(0..layout.blocks * layout.selector_bits());
    let positions = match spec.decode {
        Decode::Step => {
            m.instance("decode", &route::mask_decoders(spec), &[("masks", &selectors)]).get("positions")
        }
        Decode::Fetch => selectors,
    };
    let mut inputs = vec![("vector", if_entry), ("positions", &positions)];
    inputs.extend(step.map(|step| ("step_index", step)));
    let acts = m.instance("choice", &route::choice(spec), &inputs).get("acts");
    (0..acts.width() / 8).map(|i| acts.bits(8 * i..8 * i + 8)).collect()
}

/// Subtracts the zero point and holds the operands.
pub(super) fn operand_registers(
    m: &mut Builder,
    spec: &Spec,
    zero: &Expr,
    valid: &Expr,
    step: Step,
) -> Operands {
    let module = zero_point(spec.activation_bits);
    let lanes = datapath::active_lanes(spec) as usize;
    let hold = |m: &mut Builder, name: String, value: Expr| m.register(name, value, Some(valid.clone()));
    let active = step.active.unwrap_or_default();
    let mut acts = Vec::new();
    for (i, byte) in step.bytes.iter().take(lanes).enumerate() {
        let inputs = [("act", byte), ("zero_point", zero)];
        let value = m.instance(&format!("zero{i}"), &module, &inputs).get("value");
        let takes = active.get(i).unwrap_or(valid).clone();
        acts.push(m.register(format!("act_held{i}"), value, Some(takes)));
    }
    let all = |m: &mut Builder, name: &str, list: Vec<Expr>| -> Vec<Expr> {
        list.into_iter().enumerate().map(|(i, value)| hold(m, format!("{name}_held{i}"), value)).collect()
    };
    let high = all(m, "high", step.high);
    let low = all(m, "low", step.low);
    let packed = step.packed.map(|bit| m.register("mixed_held", bit, Some(valid.clone())));
    let shift = step.shift.map(|value| m.register("shift_held", value, Some(valid.clone())));
    Operands { acts, high, low, packed, shift }
}

/// A PE with its register files.
///
/// Cycle `c` reads entries `if_read` and `fl_read`. With `valid`, the step is taken, and its products are added in cycle
/// `c + latency` to accumulator `of_read`, or with `first` to `acc_init`; `acc_out` holds the sum in the cycle after that, in
/// which `of_write_enable` stores it as accumulator `of_write`.
pub fn pe(spec: &Spec) -> Rc<Module> {
    let mut m = Builder::new(format!("pe_{}", spec.name()), "A PE with its register files.");
    let if_data = m.input("if_data", 8 * spec.vector());
    let if_entry = file(&mut m, "if", spec.if_entries(), if_data, spec.register_file);
    let fl_data = fl_data(&mut m, spec);
    let fl_entry = file(&mut m, "fl", spec.fl_entries(), fl_data, spec.register_file);
    let core = pe_core(spec);
    let acc = m.ahead("core", "acc_out", ACCUMULATOR);
    let stored = file(&mut m, "of", spec.accumulators, acc.clone(), spec.register_file);
    let bits = address_bits(spec.accumulators);
    let [read, write] = ["of_read", "of_write"].map(|port| Expr::net(port, bits));
    let (enable, first) = (Expr::net("of_write_enable", 1), m.input("first", 1));
    let acc_in = accumulator_input(&mut m, [&enable, &read, &write, &first], stored, &acc);
    let mut inputs = vec![("if_entry", if_entry), ("fl_entry", fl_entry), ("acc_in", acc_in)];
    for port in core.ports.iter().filter(|port| port.direction == Direction::Input) {
        if !inputs.iter().any(|(name, _)| *name == port.name) {
            inputs.push((&port.name, m.input(&port.name, port.width)));
        }
    }
    let inputs: Vec<(&str, &Expr)> = inputs.iter().map(|(port, value)| (*port, value)).collect();
    let acc = m.instance("core", &core, &inputs).get("acc_out");
    m.output("acc_out", acc);
    m.finish()
}

/// A register file with its ports; returns what it reads.
fn file(m: &mut Builder, name: &str, entries: u32, data: Expr, kind: RegisterFile) -> Expr {
    let module = register_file(name, entries, data.width(), kind);
    let bits = address_bits(entries);
    let enable = m.input(&format!("{name}_write_enable"), 1);
    let (write, read) = (m.input(&format!("{name}_write"), bits), m.input(&format!("{name}_read"), bits));
    let inputs = [("write_enable", &enable), ("write", &write), ("data", &data), ("read", &read)];
    m.instance(name, &module, &inputs).get("read_data")
}

/// What enters the filter register file: `fl_data`, its masks decoded where that happens on fetching.
fn fl_data(m: &mut Builder, spec: &Spec) -> Expr {
    let stored = Spec { decode: Decode::Step, ..spec.clone() };
    let data = m.input("fl_data", fl_bits(&stored));
    if !spec.packed() || spec.decode == Decode::Step {
        return data;
    }
    let layout = Layout::of(spec);
    if let Some(placed) = layout.placed {
        return in_place::fetched(m, spec, placed, &data);
    }
    let masks = data.bits(0..layout.blocks * layout.members);
    let fetched = m.instance("fetch", &route::mask_decoders(spec), &[("masks", &masks)]).get("positions");
    cat([fetched, data.bits(layout.blocks * layout.members..data.width())])
}

/// The accumulator that a step is added to: the sum of the step before, if it is the same one, since that is not stored yet; or
/// with `first` the input `acc_init`.
pub(super) fn accumulator_input(
    m: &mut Builder,
    [write_enable, read, write, first]: [&Expr; 4],
    stored: Expr,
    acc: &Expr,
) -> Expr {
    let same = m.wire("same", write_enable & &(!(read ^ write)).all());
    let init = m.input("acc_init", ACCUMULATOR);
    let current = m.wire("current", mux(&same, acc, &stored));
    m.wire("acc_in", mux(first, &init, &current))
}
