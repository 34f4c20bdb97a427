//! Products of an activation and a weight: Booth rows, array rows, barrel shifter.

use std::rc::Rc;

use strum_formats::Method;

use super::tree::Columns;
use crate::netlist::{Builder, Expr, Module, cat, mux};
use crate::spec::{Multiplier, Spec};

/// A bit of a partial product.
#[derive(Clone, Debug)]
pub(crate) struct Bit {
    pub(crate) column: u32,
    pub(crate) value: Expr,
    /// Whether it counts negatively: its complement is added and `1 << column` subtracted.
    pub(crate) negative: bool,
}

/// Partial products of one multiplication; all bits are 0 where both operands are.
pub(crate) type Rows = Vec<Bit>;

/// Adds partial products, shifted left by `shift`.
pub(crate) fn add_to(columns: &mut Columns, rows: Rows) {
    for Bit { column, value, negative } in rows {
        if negative {
            columns.add(column, !value);
            columns.borrow(column);
        } else {
            columns.add(column, value);
        }
    }
}

/// A radix-4 Booth row: 0, ±1 or ±2 times `act`, negative ones as one's complement.
fn booth_row(activation_bits: u32) -> Rc<Module> {
    let mut m =
        Builder::new("booth_row", "Booth row: act times -2, -1, 0, 1 or 2; negative ones lack an added 1.");
    let act = m.input("act", activation_bits);
    let digit = m.input("digit", 3);
    let [low, middle, high] = [0, 1, 2].map(|i| digit.bit(i));
    let one = m.wire("one", &low ^ &middle);
    let two = m.wire("two", (&(&high & &!&middle) & &!&low) | (&(&!&high & &middle) & &low));
    let negative = m.wire("minus", &high & &!&(&middle & &low));
    let width = activation_bits + 1;
    let single = act.sign_extend(width).when(&one);
    let double = cat([Expr::zeros(1), act]).when(&two);
    m.output("row", (single | double) ^ negative.repeat(width));
    m.output("negative", negative);
    m.finish()
}

/// The partial products of `act` and `weight`, both signed. Adds the modules that form them to `m`.
pub(crate) fn rows(m: &mut Builder, spec: &Spec, tag: &str, act: &Expr, weight: &Expr) -> Rows {
    match spec.multiplier {
        Multiplier::Booth => booth_rows(m, tag, act, weight),
        Multiplier::Array => array_rows(m, tag, act, weight),
    }
}

fn booth_rows(m: &mut Builder, tag: &str, act: &Expr, weight: &Expr) -> Rows {
    let module = booth_row(act.width());
    let digits = weight.width().div_ceil(2);
    let padded = cat([Expr::zeros(1), weight.sign_extend(2 * digits)]);
    let mut rows = Rows::new();
    for d in 0..digits {
        let digit = padded.bits(2 * d..2 * d + 3);
        let name = format!("row{d}{tag}");
        let outputs = m.instance(&name, &module, &[("act", act), ("digit", &digit)]);
        let row = outputs.get("row");
        for (i, value) in row.each().enumerate() {
            let i = i as u32;
            rows.push(Bit { column: 2 * d + i, value, negative: i == row.width() - 1 });
        }
        rows.push(Bit { column: 2 * d, value: outputs.get("negative"), negative: false });
    }
    rows
}

/// Baugh-Wooley: a row for each bit of the weight, the highest one negative.
fn array_rows(m: &mut Builder, tag: &str, act: &Expr, weight: &Expr) -> Rows {
    let (act_top, weight_top) = (act.width() - 1, weight.width() - 1);
    let mut rows = Rows::new();
    for (i, bit) in weight.each().enumerate() {
        let i = i as u32;
        let row = m.wire(format!("row{i}{tag}"), act.when(&bit));
        for (k, value) in row.each().enumerate() {
            let k = k as u32;
            rows.push(Bit { column: i + k, value, negative: (i == weight_top) != (k == act_top) });
        }
    }
    rows
}

/// A multiplier with its carry-propagate adder: `product = act * weight`, both signed.
pub(crate) fn multiplier(spec: &Spec, weight_bits: u32) -> Rc<Module> {
    let kind = match spec.multiplier {
        Multiplier::Booth => "booth",
        Multiplier::Array => "array",
    };
    let bits = spec.activation_bits;
    let mut m = Builder::new(
        format!("multiplier_{kind}_{bits}x{weight_bits}"),
        format!("Multiplier, {bits} x {weight_bits} bits, signed."),
    );
    let act = m.input("act", bits);
    let weight = m.input("weight", weight_bits);
    let mut columns = Columns::new(bits + weight_bits);
    let rows = rows(&mut m, spec, "", &act, &weight);
    add_to(&mut columns, rows);
    let product = columns.sum(&mut m, "tree");
    m.output("product", product);
    m.finish()
}

/// Bits of a shifted activation.
pub(crate) fn shifted_bits(spec: &Spec) -> u32 {
    spec.activation_bits + greatest_exponent(spec)
}

fn greatest_exponent(spec: &Spec) -> u32 {
    match spec.format.method {
        Method::Mip2q { l, .. } => l.into(),
        _ => 0,
    }
}

/// The barrel shifter of `mip2q`: `act << exponent`, as one's complement where the code's sign is set; `negative` is the 1
/// that it then lacks. With a code for zero, that code gives 0.
pub(crate) fn shifter(spec: &Spec) -> Rc<Module> {
    let l = greatest_exponent(spec);
    let zero = matches!(spec.format.method, Method::Mip2q { zero: true, .. });
    let mut m = Builder::new(
        format!("shifter_l{l}{}", if zero { "_zero" } else { "" }),
        format!("Barrel shifter for exponents up to {l}; negative results lack an added 1."),
    );
    let mut value = m.input("act", spec.activation_bits);
    let code = m.input("code", spec.code_bits());
    let exponent_bits = spec.code_bits() - 1;
    let sign = code.bit(exponent_bits);
    let width = shifted_bits(spec);
    if exponent_bits > 0 {
        let exponent = code.bits(0..exponent_bits);
        if zero {
            value = m.wire("nonzero", value.when(&!exponent.all()));
        }
        value = shift(&mut m, value, &exponent, width);
    }
    let value = value.sign_extend(width);
    m.output("shifted", value ^ sign.repeat(width));
    m.output("negative", sign);
    m.finish()
}

/// The barrel shifter alone: `shifted = act << exponent`.
pub(crate) fn barrel(spec: &Spec) -> Rc<Module> {
    let l = greatest_exponent(spec);
    let mut m = Builder::new(format!("barrel_l{l}"), format!("Barrel shifter for exponents up to {l}."));
    let act = m.input("act", spec.activation_bits);
    let exponent = m.input("exponent", spec.code_bits() - 1);
    let width = shifted_bits(spec);
    let shifted = shift(&mut m, act, &exponent, width);
    m.output("shifted", shifted.sign_extend(width));
    m.finish()
}

/// `value << exponent` within `width` bits, signed.
fn shift(m: &mut Builder, value: Expr, exponent: &Expr, width: u32) -> Expr {
    let (mut value, mut reach) = (value.clone(), value.width());
    for (stage, bit) in exponent.each().enumerate() {
        let by = 1u32 << stage;
        reach = (reach + by).min(width);
        let kept = value.sign_extend(reach);
        let moved = if by < reach {
            cat([Expr::zeros(by), value.sign_extend(reach).bits(0..reach - by)])
        } else {
            Expr::zeros(reach)
        };
        value = m.wire(format!("by{by}"), mux(&bit, &moved, &kept));
    }
    value
}
