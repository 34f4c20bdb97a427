//! A dense PE that skips products with a zero, as FlexNN's do: both operands have bitmaps of what is not zero, and each lane
//! takes the pairs with both bits set, one a cycle.
//!
//! An entry of a register file is a slice: the vectors of one output and one tap that fit half of the smaller register file. A
//! lane has the channels at its position in all vectors of a slice. Bytes are stored at their places, those of zeros as well.
//!
//! A slice is loaded where `load` is set, from entries `if_read` and `fl_read`. From the next cycle on each lane takes its
//! first pair that is left. `ready` is 1 in the last of these cycles, of which there is at least one, and while there is
//! nothing to do: then the next slice can be loaded.

use std::rc::Rc;

use super::datapath::{self, ACCUMULATOR};
use super::pe::{Step, accumulator_input, operand_registers};
use super::register_file::{address_bits, register_file};
use crate::netlist::{Builder, Direction, Expr, Module, Storage, and, cat, mux, or};
use crate::spec::Spec;

/// The first pair that is left: `first` has its bit alone, `rest` all others.
fn find_first(vectors: u32) -> Rc<Module> {
    let about = "The lowest bit that is set, and the others.";
    let mut m = Builder::new(format!("find_first_{vectors}"), about);
    let pending = m.input("pending", vectors);
    let mut first = Vec::new();
    let mut none_below: Option<Expr> = None;
    for (v, bit) in pending.each().enumerate() {
        let here = none_below.as_ref().map_or_else(|| bit.clone(), |none| &bit & none);
        first.push(m.wire(format!("first_{v}"), here));
        let none = none_below.map_or_else(|| !&bit, |none| &none & &!&bit);
        none_below = Some(m.wire(format!("none_{v}"), none));
    }
    let first = cat(first);
    m.output("rest", &pending & &!&first);
    m.output("first", first);
    m.finish()
}

/// The pairs of a slice: both bitmaps, of each vector a bit for each lane, and what is left of them. `choose` has for each lane
/// the vector of its pair, `active` whether it has one.
fn pairs(spec: &Spec) -> Rc<Module> {
    let (lanes, vectors) = (spec.lanes, spec.slice_vectors());
    let about = "Zero skipping: the pairs of non-zero operands of each lane, one after another.";
    let mut m = Builder::new(format!("pairs_{lanes}x{vectors}"), about);
    let maps = ["if_map", "fl_map"].map(|port| m.input(port, lanes * vectors));
    let load = m.input("load", 1);
    let module = find_first(vectors);
    let (busy_declared, busy) = m.declare("running", 1, Storage::FlipFlops);
    let step = m.wire("step", &load | &busy);
    let (mut choose, mut active, mut done) = (Vec::new(), Vec::new(), Vec::new());
    for lane in 0..lanes {
        let of_lane = |map: &Expr| cat((0..vectors).map(|v| map.bit(v * lanes + lane)));
        let both = m.wire(format!("both_{lane}"), of_lane(&maps[0]) & of_lane(&maps[1]));
        let name = format!("pending_{lane}");
        let (declared, pending) = m.declare(&name, vectors, Storage::FlipFlops);
        let outputs = m.instance(&format!("lane{lane}"), &module, &[("pending", &pending)]);
        let (first, rest) = (outputs.get("first"), outputs.get("rest"));
        m.drive(declared, mux(&load, &both, &rest), Some(step.clone()));
        active.push(m.wire(format!("active_{lane}"), pending.any()));
        done.push(m.wire(format!("done_{lane}"), !rest.any()));
        choose.push(first);
    }
    let last = m.wire("last", and(done));
    m.drive(busy_declared, &load | &(&busy & &!&last), None);
    m.output("choose", cat(choose));
    m.output("active", cat(active));
    m.output("ready", &!&busy | &last);
    m.output("busy", busy);
    m.finish()
}

/// The choice network of one operand: for each lane the byte of the vector that it takes; 0 for a lane without a pair.
fn choice(spec: &Spec) -> Rc<Module> {
    let (lanes, vectors) = (spec.lanes, spec.slice_vectors());
    let about = "Choice of operands: each lane's byte of the vector that it takes.";
    let mut m = Builder::new(format!("pair_choice_{lanes}x{vectors}"), about);
    let slice = m.input("slice", 8 * lanes * vectors);
    let choose = m.input("choose", lanes * vectors);
    let byte = |v: u32, lane: u32| slice.bits(8 * (v * lanes + lane)..8 * (v * lanes + lane) + 8);
    let of_lane = |lane: u32| {
        or((0..vectors).map(|v| byte(v, lane).when(&choose.bit(lane * vectors + v))).collect::<Vec<_>>())
    };
    let bytes: Vec<Expr> = (0..lanes).map(of_lane).collect();
    m.output("bytes", cat(bytes));
    m.finish()
}

/// The PE without register files. In the cycle of `load`, `if_map` and `fl_map` are what these read, in the cycles after it
/// `if_entry` and `fl_entry`. `busy` is 1 in each cycle that takes operands; `acc_in` is as in other PEs.
pub(super) fn core(spec: &Spec) -> Rc<Module> {
    let about = "A PE without register files that skips zeros: pairs, choice of operands, zero point, operand registers, datapath.";
    let mut m = Builder::new(format!("pe_core_{}", spec.name()), about);
    let (bits, lanes) = (spec.lanes * spec.slice_vectors(), spec.lanes);
    let entries = ["if_entry", "fl_entry"].map(|port| m.input(port, 8 * bits));
    let maps = ["if_map", "fl_map"].map(|port| m.input(port, bits));
    let (load, zero) = (m.input("load", 1), m.input("zero_point", 9));
    let acc_in = m.input("acc_in", ACCUMULATOR);
    let inputs = [("if_map", &maps[0]), ("fl_map", &maps[1]), ("load", &load)];
    let outputs = m.instance("pairs", &pairs(spec), &inputs);
    let [choose, active, busy] = ["choose", "active", "busy"].map(|port| outputs.get(port));
    let module = choice(spec);
    let mut chosen = |name: &str, slice: &Expr| -> Vec<Expr> {
        let inputs = [("slice", slice), ("choose", &choose)];
        let bytes = m.instance(name, &module, &inputs).get("bytes");
        (0..lanes).map(|lane| bytes.bits(8 * lane..8 * lane + 8)).collect()
    };
    let (bytes, high) = (chosen("if_choice", &entries[0]), chosen("fl_choice", &entries[1]));
    // A lane without a pair multiplies the activation that it has by 0.
    let active = Some(active.each().collect());
    let step = Step { bytes, high, low: Vec::new(), packed: None, shift: None, active };
    let operands = operand_registers(&mut m, spec, &zero, &busy, step);
    let mut inputs = operands.connections();
    inputs.push(("acc_in", acc_in));
    let inputs: Vec<(&str, &Expr)> = inputs.iter().map(|(port, value)| (*port, value)).collect();
    let acc = m.instance("datapath", &datapath::datapath(spec), &inputs).get("acc_out");
    m.output("acc_out", acc);
    m.output("ready", outputs.get("ready"));
    m.output("busy", busy);
    m.finish()
}

/// A register file with its ports, which reads whole slices: what `read` addresses.
fn file(m: &mut Builder, spec: &Spec, name: &str, slices: u32, reads: [&Expr; 2]) -> [Expr; 2] {
    let bits = spec.lanes * spec.slice_vectors();
    let enable = m.input(&format!("{name}_write_enable"), 1);
    let write = m.input(&format!("{name}_write"), address_bits(slices));
    let [data, map] =
        [("data", 8 * bits), ("map", bits)].map(|(port, width)| m.input(&format!("{name}_{port}"), width));
    let mut store = |name: &str, data: Expr, read: &Expr| {
        let module = register_file(name, slices, data.width(), spec.register_file);
        let inputs = [("write_enable", &enable), ("write", &write), ("data", &data), ("read", read)];
        m.instance(name, &module, &inputs).get("read_data")
    };
    [store(&format!("{name}_bitmap"), map, reads[0]), store(name, data, reads[1])]
}

/// `value`, `cycles` later.
fn delayed(m: &mut Builder, name: &str, value: Expr, cycles: usize) -> Expr {
    (1..=cycles).fold(value, |value, i| m.register(format!("{name}_{i}"), value, None))
}

/// A PE with its register files, and the control of its accumulators: the products of a slice are added to accumulator
/// `accumulator`, or, with `first`, to what `acc_init` is `latency + 1` cycles after `load`. `acc_out` holds the sum `latency + 1`
/// cycles after the last one that takes operands.
pub(super) fn pe(spec: &Spec) -> Rc<Module> {
    let about = "A PE with its register files that skips zeros.";
    let mut m = Builder::new(format!("pe_{}", spec.name()), about);
    let load = m.input("load", 1);
    let mut inputs = Vec::new();
    for (name, slices, [map, entry]) in
        [("if", spec.if_slices(), ["if_map", "if_entry"]), ("fl", spec.fl_slices(), ["fl_map", "fl_entry"])]
    {
        let read = m.input(&format!("{name}_read"), address_bits(slices));
        let held = m.register(format!("{name}_held"), read.clone(), Some(load.clone()));
        let [bitmap, bytes] = file(&mut m, spec, name, slices, [&read, &held]);
        inputs.extend([(map, bitmap), (entry, bytes)]);
    }
    let bits = address_bits(spec.accumulators);
    let (address, first) = (m.input("accumulator", bits), m.input("first", 1));
    let address = m.register("address", address, Some(load.clone()));
    let first = m.register("begins", &load & &first, None);
    let busy = m.ahead("core", "busy", 1);
    let acc = m.ahead("core", "acc_out", ACCUMULATOR);
    let of_read = delayed(&mut m, "of_read", address, spec.latency());
    let of_write = delayed(&mut m, "of_write", of_read.clone(), 1);
    let write_enable = delayed(&mut m, "of_write_enable", busy, spec.latency() + 1);
    let first = delayed(&mut m, "first_held", first, spec.latency());
    let module = register_file("of", spec.accumulators, ACCUMULATOR, spec.register_file);
    let of = [("write_enable", &write_enable), ("write", &of_write), ("data", &acc), ("read", &of_read)];
    let stored = m.instance("of", &module, &of).get("read_data");
    let acc_in = accumulator_input(&mut m, [&write_enable, &of_read, &of_write, &first], stored, &acc);
    inputs.extend([("load", load), ("acc_in", acc_in)]);
    let core = core(spec);
    for port in core.ports.iter().filter(|port| port.direction == Direction::Input) {
        if !inputs.iter().any(|(name, _)| *name == port.name) {
            inputs.push((&port.name, m.input(&port.name, port.width)));
        }
    }
    let inputs: Vec<(&str, &Expr)> = inputs.iter().map(|(port, value)| (*port, value)).collect();
    let outputs = m.instance("core", &core, &inputs);
    m.output("acc_out", outputs.get("acc_out"));
    m.output("ready", outputs.get("ready"));
    m.finish()
}
