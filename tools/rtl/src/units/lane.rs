//! A lane: the unit that multiplies one activation by one weight.

use std::rc::Rc;

use strum_formats::Kind;

use super::product::{self, Bit, Rows};
use super::tree;
use crate::layout::PlacedCode;
use crate::netlist::{Builder, Expr, Module, cat};
use crate::spec::Spec;

/// What a lane of low members computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Low {
    /// Nothing: they are dropped.
    Nothing,
    /// A barrel shifter.
    Shifter,
    /// A multiplier as wide as their codes.
    Multiplier,
}

impl Low {
    pub(crate) fn of(spec: &Spec) -> Low {
        match spec.format.method.kind() {
            _ if !spec.packed() => Low::Nothing,
            Kind::Mip2q => Low::Shifter,
            Kind::Dliq => Low::Multiplier,
            Kind::Sparse | Kind::Dense => Low::Nothing,
        }
    }
}

/// The product of a low member: a number, and a bit to be added to it.
pub(crate) struct Product {
    pub(crate) value: Expr,
    pub(crate) negative: Option<Expr>,
}

/// Operands of the multiplier and of the low unit of a lane that has both: those of the idle one are 0.
pub(crate) struct Isolated {
    pub(crate) act: Expr,
    pub(crate) weight: Expr,
    pub(crate) low_act: Expr,
    pub(crate) code: Expr,
}

/// Keeps the operands of a dynamic lane from the unit that is not used.
pub(crate) fn isolate(m: &mut Builder, spec: &Spec, tag: &str, [act, weight, mixed]: [&Expr; 3]) -> Isolated {
    let module = isolation(spec);
    let inputs = [("act", act), ("weight", weight), ("mixed", mixed)];
    let outputs = m.instance(&format!("isolate{tag}"), &module, &inputs);
    let has_low = spec.code_bits() > 0;
    Isolated {
        act: outputs.get("act_high"),
        weight: outputs.get("weight_high"),
        low_act: if has_low { outputs.get("act_low") } else { act.clone() },
        code: if has_low { outputs.get("code") } else { weight.clone() },
    }
}

/// The gates of [`isolate`].
fn isolation(spec: &Spec) -> Rc<Module> {
    let about = "Operand isolation of a dynamic lane: the unit that a step does not use gets zeros.";
    let mut m = Builder::new("isolation", about);
    let (act, weight) = (m.input("act", spec.activation_bits), m.input("weight", 8));
    let mixed = m.input("mixed", 1);
    let plain = !&mixed;
    m.output("act_high", act.when(&plain));
    m.output("weight_high", weight.when(&plain));
    if spec.code_bits() > 0 {
        m.output("act_low", act.when(&mixed));
        m.output("code", weight.bits(0..spec.code_bits()).when(&mixed));
    }
    m.finish()
}

/// The product of an activation and an 8-bit weight.
pub(crate) fn multiply(m: &mut Builder, spec: &Spec, tag: &str, act: &Expr, weight: &Expr) -> Expr {
    let module = product::multiplier(spec, weight.width());
    m.instance(&format!("multiply{tag}"), &module, &[("act", act), ("weight", weight)]).get("product")
}

/// The product of an activation and a low code.
pub(crate) fn low_product(
    m: &mut Builder,
    spec: &Spec,
    tag: &str,
    act: &Expr,
    code: &Expr,
) -> Option<Product> {
    match Low::of(spec) {
        Low::Nothing => None,
        Low::Shifter => {
            let module = product::shifter(spec);
            let outputs = m.instance(&format!("shift{tag}"), &module, &[("act", act), ("code", code)]);
            Some(Product { value: outputs.get("shifted"), negative: Some(outputs.get("negative")) })
        }
        Low::Multiplier => Some(Product { value: multiply(m, spec, tag, act, code), negative: None }),
    }
}

/// The shifted activation of a lane in place with its code's signs: whether it is added, whether it is subtracted.
fn placed_shift(m: &mut Builder, spec: &Spec, tag: &str, act: &Expr, code: &Expr) -> [Expr; 3] {
    let exponent = code.width() - 2;
    let shifted = if exponent == 0 {
        act.clone()
    } else {
        let inputs = [("act", act), ("exponent", &code.bits(0..exponent))];
        m.instance(&format!("shift{tag}"), &product::barrel(spec), &inputs).get("shifted")
    };
    [shifted, code.bit(exponent), code.bit(exponent + 1)]
}

/// The product of a low lane in place.
pub(crate) fn placed_product(m: &mut Builder, spec: &Spec, tag: &str, act: &Expr, code: &Expr) -> Product {
    match PlacedCode::of(&spec.format) {
        PlacedCode::Number { .. } => Product { value: multiply(m, spec, tag, act, code), negative: None },
        PlacedCode::Signs { .. } => {
            let [shifted, plus, minus] = placed_shift(m, spec, tag, act, code);
            let on = m.wire(format!("on{tag}"), plus | minus.clone());
            let value = shifted.when(&on) ^ minus.repeat(shifted.width());
            Product { value: m.wire(format!("signed{tag}"), value), negative: Some(minus) }
        }
    }
}

/// The partial products of a low lane in place.
pub(crate) fn placed_rows(m: &mut Builder, spec: &Spec, tag: &str, act: &Expr, code: &Expr) -> Rows {
    match PlacedCode::of(&spec.format) {
        PlacedCode::Number { .. } => product::rows(m, spec, tag, act, code),
        PlacedCode::Signs { .. } => complement_rows(placed_product(m, spec, tag, act, code)),
    }
}

/// A number with the bit to be added to it as partial products.
fn complement_rows(Product { value, negative }: Product) -> Rows {
    let top = value.width() - 1;
    let bits = value.each().zip(0..);
    let mut rows: Rows = bits.map(|(value, column)| Bit { column, value, negative: column == top }).collect();
    rows.extend(negative.map(|value| Bit { column: 0, value, negative: false }));
    rows
}

/// The product of a dynamic lane: of its multiplier, or of its low unit.
pub(crate) fn dynamic_product(
    m: &mut Builder,
    spec: &Spec,
    tag: &str,
    [act, weight, packed]: [&Expr; 3],
) -> Product {
    let own = isolate(m, spec, tag, [act, weight, packed]);
    let full = multiply(m, spec, tag, &own.act, &own.weight);
    match low_product(m, spec, &format!("_low{tag}"), &own.low_act, &own.code) {
        None => Product { value: full, negative: None },
        Some(low) => {
            let value = m.wire(format!("lane_product{tag}"), &full | &low.value.sign_extend(full.width()));
            Product { value, negative: low.negative }
        }
    }
}

/// The partial products of a low member, to be added to a carry-save tree.
pub(crate) fn low_rows(m: &mut Builder, spec: &Spec, tag: &str, act: &Expr, code: &Expr) -> Rows {
    match Low::of(spec) {
        Low::Nothing => Rows::new(),
        Low::Multiplier => product::rows(m, spec, tag, act, code),
        Low::Shifter => {
            let module = product::shifter(spec);
            let outputs = m.instance(&format!("shift{tag}"), &module, &[("act", act), ("code", code)]);
            let value = outputs.get("shifted");
            complement_rows(Product { value, negative: Some(outputs.get("negative")) })
        }
    }
}

/// The partial products of a dynamic lane. The bits of the low unit share those of the multiplier that are 0 in a packed
/// step, so that the tree does not grow; what finds no such bit is added beside them.
pub(crate) fn dynamic_rows(
    m: &mut Builder,
    spec: &Spec,
    tag: &str,
    [act, weight, packed]: [&Expr; 3],
) -> Rows {
    let own = isolate(m, spec, tag, [act, weight, packed]);
    let mut rows = product::rows(m, spec, tag, &own.act, &own.weight);
    let mut low = low_rows(m, spec, &format!("_low{tag}"), &own.low_act, &own.code);
    extend_sign(&mut low, &rows);
    let mut taken = vec![false; rows.len()];
    for bit in low {
        let fits = |row: &Bit| row.column == bit.column && row.negative == bit.negative;
        let free = rows.iter().zip(&taken).position(|(row, taken)| !taken && fits(row));
        match free {
            Some(at) => {
                if let (Some(row), Some(taken)) = (rows.get_mut(at), taken.get_mut(at)) {
                    row.value = row.value.clone() | bit.value;
                    *taken = true;
                }
            }
            None => {
                rows.push(bit);
                taken.push(true);
            }
        }
    }
    rows
}

/// Extends a shifted number's sign to the highest column in which the multiplier has a negative bit, where it is one number.
fn extend_sign(low: &mut Rows, rows: &[Bit]) {
    let negative: Vec<usize> =
        low.iter().enumerate().filter(|(_, bit)| bit.negative).map(|(i, _)| i).collect();
    let target = rows.iter().filter(|bit| bit.negative).map(|bit| bit.column).max();
    if let ([at], Some(target)) = (negative.as_slice(), target)
        && let Some(sign) = low.get(*at).cloned()
        && sign.column < target
    {
        low.extend((sign.column..target).map(|column| Bit { column, negative: false, ..sign.clone() }));
        if let Some(bit) = low.get_mut(*at) {
            bit.column = target;
        }
    }
}

/// A lane as a module of its own: `product = act * weight`, for a StruM PE of a low member. A dynamic lane multiplies by
/// `weight` unless `mixed` is set.
pub fn lane(spec: &Spec) -> Rc<Module> {
    let mut m = Builder::new(spec.name(), "A lane: the product of an activation and a weight.");
    let act = m.input("act", spec.activation_bits);
    let width = spec.activation_bits + 8;
    let product = match spec.kind {
        dpu_isa::PeKind::Dense => {
            let weight = m.input("weight", 8);
            Product { value: multiply(&mut m, spec, "", &act, &weight), negative: None }
        }
        dpu_isa::PeKind::StrumDynamic => {
            let (weight, packed) = (m.input("weight", 8), m.input("mixed", 1));
            dynamic_product(&mut m, spec, "", [&act, &weight, &packed])
        }
        dpu_isa::PeKind::StrumStatic => {
            let code = m.input("code", spec.code_bits().max(1));
            low_product(&mut m, spec, "", &act, &code)
                .unwrap_or_else(|| Product { value: Expr::zeros(width), negative: None })
        }
    };
    let value = product.value.sign_extend(width);
    let value = match product.negative {
        None => value,
        Some(bit) => {
            let zeros = Expr::zeros(width);
            tree::add(&mut m, "sign", &value, &zeros, Some(&bit))
        }
    };
    m.output("product", cat([value]));
    m.finish()
}
