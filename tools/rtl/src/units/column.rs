//! A column: PEs in lockstep, and FlexTree's adders, which join the accumulators of 1, 2, 4, … adjacent PEs.
//!
//! PEs share addresses, control and zero point. What depends on their part of a layer is their own: entries of the register
//! files, the shift of low codes, the accumulator that an output starts from. What of it is the same in several PEs the load
//! network multicasts, which depends on the layer's schedule and is not part of a column. A PE without work takes operands
//! whose products are 0.

use std::rc::Rc;

use super::datapath::ACCUMULATOR;
use super::pe::pe;
use super::tree;
use crate::netlist::{Builder, Direction, Expr, Module, cat, or};
use crate::spec::Spec;

/// Input ports of which every PE of a column has its own.
const OWN: [&str; 4] = ["if_data", "fl_data", "shift", "acc_init"];

/// Bits of the depth of a column's adder trees: the binary logarithm of the PEs that each joins.
#[must_use]
pub fn depth_bits(spec: &Spec) -> u32 {
    (spec.tree_levels() + 1).next_power_of_two().ilog2()
}

/// FlexTree: where `drain` is set, the sums of each `2^depth` adjacent accumulators appear `depth` cycles later, that of tree `i`
/// as number `i` of `results`; `ready` is 1 then. A level has registers, which hold their values until the next drain. With
/// depth 0 the results are the accumulators.
fn flex_tree(spec: &Spec) -> Rc<Module> {
    let (rows, levels) = (spec.rows, spec.tree_levels());
    let about = format!("FlexTree: adds the accumulators of 1 to {} adjacent PEs.", spec.tree_pes);
    let mut m = Builder::new(format!("flex_tree_{rows}_{}", spec.tree_pes), about);
    let accumulators = m.input("accumulators", rows * ACCUMULATOR);
    let depth = m.input("depth", depth_bits(spec));
    let drain = m.input("drain", 1);
    let is: Vec<Expr> = (0..=levels).map(|d| m.wire(format!("depth_{d}"), depth.equals(d.into()))).collect();
    let numbers = |all: &Expr| -> Vec<Expr> {
        (0..all.width() / ACCUMULATOR).map(|i| all.bits(i * ACCUMULATOR..(i + 1) * ACCUMULATOR)).collect()
    };
    let mut results: Vec<Vec<Expr>> = vec![Vec::new(); rows as usize];
    let (mut sums, mut arrived, mut ready) = (numbers(&accumulators), drain, Vec::new());
    for (level, here) in is.iter().enumerate() {
        if level > 0 {
            let reached = or(is.iter().skip(level).cloned());
            let enable = m.wire(format!("add_{level}"), &arrived & &reached);
            let mut next = Vec::new();
            for (i, pair) in sums.chunks(2).enumerate() {
                let [a, b] = pair else { continue };
                let sum = tree::add(&mut m, &format!("level{level}_{i}"), a, b, None);
                next.push(m.register(format!("sum_{level}_{i}"), sum, Some(enable.clone())));
            }
            sums = next;
            arrived = m.register(format!("arrived_{level}"), enable, None);
        }
        for (result, sum) in results.iter_mut().zip(&sums) {
            result.push(sum.when(here));
        }
        ready.push(&arrived & here);
    }
    m.output("results", cat(results.into_iter().map(or)));
    m.output("ready", or(ready));
    m.finish()
}

/// A column of PEs. `acc_out` is the sum of the first adder tree, `acc_rest` has those of the others, in the cycle `depth`
/// cycles after `drain`, in which the PEs' accumulators are taken.
pub fn column(spec: &Spec) -> Rc<Module> {
    let mut m = Builder::new(spec.name(), "A column: PEs in lockstep, and the adders of FlexTree.");
    let pe = pe(spec);
    let inputs = pe.ports.iter().filter(|port| port.direction == Direction::Input);
    let inputs: Vec<(&str, u32, Expr)> = inputs
        .map(|port| {
            let count = if OWN.contains(&port.name.as_str()) { spec.rows } else { 1 };
            (port.name.as_str(), port.width, m.input(&port.name, count * port.width))
        })
        .collect();
    let mut accumulators = Vec::new();
    for row in 0..spec.rows {
        let own: Vec<(&str, Expr)> = inputs
            .iter()
            .map(|(port, width, value)| {
                let all = value.width() == *width;
                (*port, if all { value.clone() } else { value.bits(row * width..(row + 1) * width) })
            })
            .collect();
        let own: Vec<(&str, &Expr)> = own.iter().map(|(port, value)| (*port, value)).collect();
        accumulators.push(m.instance(&format!("pe{row}"), &pe, &own).get("acc_out"));
    }
    let (depth, drain) = (m.input("depth", depth_bits(spec)), m.input("drain", 1));
    let accumulators = cat(accumulators);
    let inputs = [("accumulators", &accumulators), ("depth", &depth), ("drain", &drain)];
    let outputs = m.instance("flex_tree", &flex_tree(spec), &inputs);
    let results = outputs.get("results");
    m.output("acc_out", results.bits(0..ACCUMULATOR));
    m.output("acc_rest", results.bits(ACCUMULATOR..spec.rows * ACCUMULATOR));
    m.output("ready", outputs.get("ready"));
    m.finish()
}
