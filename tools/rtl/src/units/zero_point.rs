//! Subtraction of the zero point from an activation, signed.

use std::rc::Rc;

use super::tree;
use crate::netlist::{Builder, Expr, Module};

/// Subtracts the zero point: `value = act - zero_point`, both signed, the latter of 9 bits.
pub(super) fn zero_point(bits: u32) -> Rc<Module> {
    let mut m = Builder::new(format!("zero_point_{bits}"), "Zero point: value = act - zero_point.");
    let act = m.input("act", 8);
    let zero_point = m.input("zero_point", 9);
    let (a, b) = (act.sign_extend(bits), !zero_point.sign_extend(bits));
    let one = Expr::constant(1, 1);
    let value = tree::add(&mut m, "subtract", &a, &b, Some(&one));
    m.output("value", value);
    m.finish()
}
