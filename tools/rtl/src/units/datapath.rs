//! The datapath of a PE: lanes, the addition of their products, the accumulator.

use std::rc::Rc;

use dpu_isa::PeKind;

use super::lane::{self, Product};
use super::product;
use super::tree::{self, Columns};
use crate::layout::PlacedCode;
use crate::netlist::{Builder, Expr, Module, cat, mux};
use crate::spec::{Spec, Structure};

/// Bits of an accumulator.
pub(crate) const ACCUMULATOR: u32 = 32;

/// Bits of the shift of low products.
pub(crate) const SHIFT_BITS: u32 = 3;

/// The operands of a step at the lanes, those of high members first.
pub(crate) struct Operands {
    /// Activations less their zero point, of every lane that has products.
    pub(crate) acts: Vec<Expr>,
    /// Weights of the lanes of high members, 8 bits each.
    pub(crate) high: Vec<Expr>,
    /// Low codes; in a dynamic PE bytes, of which a packed step uses the low bits.
    pub(crate) low: Vec<Expr>,
    /// Whether the step has low members (dynamic PEs).
    pub(crate) packed: Option<Expr>,
    /// Left shift of low products (`dliq`).
    pub(crate) shift: Option<Expr>,
}

/// Lanes with products: all, unless low members have none and no multiplier either.
pub(crate) fn active_lanes(spec: &Spec) -> u32 {
    match spec.kind {
        PeKind::StrumStatic if !spec.low_products() => spec.high_lanes(),
        PeKind::StrumStatic => spec.high_lanes() + spec.low_units(),
        PeKind::Dense | PeKind::StrumDynamic => spec.lanes,
    }
}

/// Bits of the operand of a low lane.
pub(crate) fn low_bits(spec: &Spec) -> u32 {
    match spec.kind {
        PeKind::StrumDynamic => 8,
        PeKind::StrumStatic if spec.in_place() => PlacedCode::of(&spec.format).bits(),
        PeKind::Dense | PeKind::StrumStatic => spec.code_bits(),
    }
}

/// Lanes that have a low operand.
pub(crate) fn low_operands(spec: &Spec) -> u32 {
    active_lanes(spec) - spec.high_lanes()
}

impl Operands {
    /// Operands as input ports `act`, `high`, `low`, `mixed` and `shift`, as far as the PE has them.
    pub(crate) fn ports(m: &mut Builder, spec: &Spec) -> Operands {
        let mut vector = |name: &str, count: u32, width: u32| {
            if count == 0 {
                return Vec::new();
            }
            let port = m.input(name, count * width);
            (0..count).map(|i| port.bits(i * width..(i + 1) * width)).collect::<Vec<_>>()
        };
        let acts = vector("act", active_lanes(spec), spec.activation_bits);
        let high = vector("high", spec.high_lanes(), 8);
        let low = vector("low", low_operands(spec), low_bits(spec));
        let packed = (spec.kind == PeKind::StrumDynamic).then(|| m.input("mixed", 1));
        let shift = (spec.max_shift() > 0).then(|| m.input("shift", SHIFT_BITS));
        Operands { acts, high, low, packed, shift }
    }

    /// The ports of a datapath that these drive.
    pub(crate) fn connections(&self) -> Vec<(&'static str, Expr)> {
        let joined = |list: &[Expr]| (!list.is_empty()).then(|| cat(list.iter().cloned()));
        let all = [
            ("act", joined(&self.acts)),
            ("high", joined(&self.high)),
            ("low", joined(&self.low)),
            ("mixed", self.packed.clone()),
            ("shift", self.shift.clone()),
        ];
        all.into_iter().filter_map(|(port, value)| Some((port, value?))).collect()
    }

    fn lanes(&self) -> impl Iterator<Item = (usize, &Expr, &Expr)> {
        self.acts.iter().zip(&self.high).enumerate().map(|(i, (act, weight))| (i, act, weight))
    }

    fn low_lanes(&self) -> impl Iterator<Item = (usize, &Expr, &Expr)> {
        let acts = self.acts.iter().skip(self.high.len());
        acts.zip(&self.low).enumerate().map(|(i, (act, code))| (self.high.len() + i, act, code))
    }
}

/// The datapath: `acc_out` is `acc_in` plus the products of the operands of `latency - 1` cycles before.
pub fn datapath(spec: &Spec) -> Rc<Module> {
    let about = "Datapath of a PE: lanes, addition of their products, accumulator.";
    let mut m = Builder::new(format!("datapath_{}", spec.name()), about);
    let operands = Operands::ports(&mut m, spec);
    let acc_in = m.input("acc_in", ACCUMULATOR);
    let sum = match spec.structure {
        Structure::Plain => plain(&mut m, spec, &operands),
        Structure::Merged => merged(&mut m, spec, &operands),
        Structure::Pipelined => pipelined(&mut m, spec, &operands),
    };
    let accumulator = accumulator(sum.width());
    let acc = m.instance("accumulate", &accumulator, &[("acc_in", &acc_in), ("sum", &sum)]).get("acc_out");
    m.output("acc_out", acc);
    m.finish()
}

/// The accumulator: a register for the signed sum of a step, and one for `acc_in` plus that sum.
fn accumulator(sum_bits: u32) -> Rc<Module> {
    let about =
        "Accumulator: the sum of a step in a register, then its addition to acc_in, wrapping, in another.";
    let mut m = Builder::new(format!("accumulator_{sum_bits}"), about);
    let (acc_in, sum) = (m.input("acc_in", ACCUMULATOR), m.input("sum", sum_bits));
    let held = m.register("sum_held", sum, None);
    let wide = held.sign_extend(ACCUMULATOR);
    let total = tree::add(&mut m, "add", &acc_in, &wide, None);
    let acc = m.register("acc", total, None);
    m.output("acc_out", acc);
    m.finish()
}

/// The products of all lanes with full products, those of high and of low members apart.
fn products(m: &mut Builder, spec: &Spec, operands: &Operands) -> [Vec<Product>; 2] {
    let high = operands.lanes().map(|(i, act, weight)| Product {
        value: lane::multiply(m, spec, &i.to_string(), act, weight),
        negative: None,
    });
    let high: Vec<Product> = high.collect();
    let mut low = Vec::new();
    for (i, act, code) in operands.low_lanes() {
        let tag = i.to_string();
        match &operands.packed {
            Some(packed) => low.push(lane::dynamic_product(m, spec, &tag, [act, code, packed])),
            None if spec.in_place() => low.push(lane::placed_product(m, spec, &tag, act, code)),
            None => low.extend(lane::low_product(m, spec, &tag, act, code)),
        }
    }
    [high, low]
}

/// A tree of carry-propagate adders.
fn plain(m: &mut Builder, spec: &Spec, operands: &Operands) -> Expr {
    let [high, low] = products(m, spec, operands);
    if operands.shift.is_none() {
        return adder_tree(m, "all", high.into_iter().chain(low).collect()).sign_extend(spec.sum_bits());
    }
    let high = adder_tree(m, "high", high).sign_extend(spec.sum_bits());
    let low = adder_tree(m, "low", low).sign_extend(spec.sum_bits());
    let low = shift_left(m, "low_shifted", &low, operands);
    tree::add(m, "both", &high, &low, None)
}

/// Adds products pairwise, each level a bit wider; the bits beside them enter as carries.
fn adder_tree(m: &mut Builder, name: &str, products: Vec<Product>) -> Expr {
    let mut carries: Vec<Expr> = products.iter().filter_map(|p| p.negative.clone()).collect();
    let mut level: Vec<Expr> = products.into_iter().map(|p| p.value).collect();
    let mut depth = 0;
    while level.len() > 1 || !carries.is_empty() {
        let width = level.iter().map(Expr::width).max().unwrap_or(1) + 1;
        let mut next = Vec::new();
        let mut pairs = level.into_iter();
        while let Some(a) = pairs.next() {
            let tag = format!("{name}{depth}_{}", next.len());
            let b = pairs.next();
            if b.is_none() && carries.is_empty() {
                next.push(a);
                continue;
            }
            let b = b.unwrap_or_else(|| Expr::zeros(1)).sign_extend(width);
            let carry = carries.pop();
            next.push(tree::add(m, &tag, &a.sign_extend(width), &b, carry.as_ref()));
        }
        level = next;
        depth += 1;
    }
    level.pop().unwrap_or_else(|| Expr::zeros(1))
}

/// All partial products in one carry-save tree.
fn merged(m: &mut Builder, spec: &Spec, operands: &Operands) -> Expr {
    let mut columns = Columns::new(spec.sum_bits());
    for (i, act, weight) in operands.lanes() {
        let rows = product::rows(m, spec, &format!("_{i}"), act, weight);
        product::add_to(&mut columns, rows);
    }
    let mut low = Columns::new(spec.sum_bits());
    for (i, act, code) in operands.low_lanes() {
        let tag = format!("_{i}");
        let rows = match &operands.packed {
            Some(packed) => lane::dynamic_rows(m, spec, &tag, [act, code, packed]),
            None if spec.in_place() => lane::placed_rows(m, spec, &tag, act, code),
            None => lane::low_rows(m, spec, &tag, act, code),
        };
        product::add_to(if operands.shift.is_some() { &mut low } else { &mut columns }, rows);
    }
    add_low_rows(m, &mut columns, low, operands);
    columns.sum(m, "tree")
}

/// Reduces the low products to two rows, and adds these, shifted, to the others.
fn add_low_rows(m: &mut Builder, columns: &mut Columns, low: Columns, operands: &Operands) {
    if operands.shift.is_none() {
        return;
    }
    for (i, row) in low.reduce(m, "low_tree").into_iter().enumerate() {
        let row = shift_left(m, &format!("low_row{i}"), &row, operands);
        for (column, bit) in row.each().enumerate() {
            columns.add(column as u32, bit);
        }
    }
}

/// Products in registers, then one carry-save tree.
fn pipelined(m: &mut Builder, spec: &Spec, operands: &Operands) -> Expr {
    let [high, low] = products(m, spec, operands);
    let shift = operands.shift.as_ref().map(|shift| m.register("shift_held", shift.clone(), None));
    let held = Operands { acts: Vec::new(), high: Vec::new(), low: Vec::new(), packed: None, shift };
    let mut columns = Columns::new(spec.sum_bits());
    let mut low_columns = Columns::new(spec.sum_bits());
    let count = high.len();
    for (i, product) in high.into_iter().chain(low).enumerate() {
        let into = if i >= count && held.shift.is_some() { &mut low_columns } else { &mut columns };
        let value = m.register(format!("product_held{i}"), product.value, None);
        into.add_signed(0, &value);
        if let Some(bit) = product.negative {
            into.add(0, m.register(format!("negative_held{i}"), bit, None));
        }
    }
    add_low_rows(m, &mut columns, low_columns, &held);
    columns.sum(m, "tree")
}

/// `value << shift`, modulo two to its width.
fn shift_left(m: &mut Builder, name: &str, value: &Expr, operands: &Operands) -> Expr {
    let Some(shift) = &operands.shift else { return value.clone() };
    let width = value.width();
    let mut value = value.clone();
    for (stage, bit) in shift.each().enumerate() {
        let by = 1u32 << stage;
        let moved = cat([Expr::zeros(by), value.bits(0..width - by)]);
        value = m.wire(format!("{name}_by{by}"), mux(&bit, &moved, &value));
    }
    value
}
