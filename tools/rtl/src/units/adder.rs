//! Full and half adders, and carry-propagate adders with a Brent-Kung prefix network.

use std::rc::Rc;

use crate::netlist::{Builder, Expr, Module, cat};

/// `sum + 2 * carry = a + b + c`. Mapped to the library's full adder.
pub(crate) fn full_adder() -> Rc<Module> {
    let mut m = Builder::new("full_adder", "Full adder: sum + 2 * carry = a + b + c.");
    let [a, b, c] = ["a", "b", "c"].map(|port| m.input(port, 1));
    m.output("sum", &(&a ^ &b) ^ &c);
    m.output("carry", (&a & &b) | (&c & &(&a | &b)));
    m.finish()
}

/// `sum + 2 * carry = a + b`. Mapped to the library's half adder, if it has one.
pub(crate) fn half_adder() -> Rc<Module> {
    let mut m = Builder::new("half_adder", "Half adder: sum + 2 * carry = a + b.");
    let [a, b] = ["a", "b"].map(|port| m.input(port, 1));
    m.output("sum", &a ^ &b);
    m.output("carry", &a & &b);
    m.finish()
}

/// `sum + 2 * carry = a + b + 1`.
pub(crate) fn half_adder_one() -> Rc<Module> {
    let mut m = Builder::new("half_adder_one", "Half adder with a constant: sum + 2 * carry = a + b + 1.");
    let [a, b] = ["a", "b"].map(|port| m.input(port, 1));
    m.output("sum", !(&a ^ &b));
    m.output("carry", &a | &b);
    m.finish()
}

/// A carry-propagate adder of `width` bits, modulo `2^width`; with `carry`, it also adds the bit `carry`.
///
/// Brent and Kung, A Regular Layout for Parallel Adders, IEEE Transactions on Computers, 1982.
pub(crate) fn adder(width: u32, carry: bool) -> Rc<Module> {
    let suffix = if carry { "_carry" } else { "" };
    let about = if carry { "a + b + carry" } else { "a + b" };
    let mut m = Builder::new(format!("adder_{width}{suffix}"), format!("Brent-Kung adder: sum = {about}."));
    let [a, b] = ["a", "b"].map(|port| m.input(port, width));
    let carry = carry.then(|| m.input("carry", 1));
    let half = m.wire("half_sum", &a ^ &b);
    let generate = m.wire("both", &a & &b);
    // Group signals (generate, propagate) by the highest bit of the group.
    let mut groups: Vec<(Expr, Expr)> = generate.each().zip(half.each()).collect();
    if let (Some(carry), Some((first, _))) = (&carry, groups.first_mut()) {
        *first = m.wire("first", generate.bit(0) | (half.bit(0) & carry.clone()));
    }
    // The carry out of the highest bit is not needed.
    let used = width.saturating_sub(1) as usize;
    let mut combine = |groups: &mut Vec<(Expr, Expr)>, high: usize, low: usize| {
        let (Some((g, p)), Some((gl, pl))) = (groups.get(high).cloned(), groups.get(low).cloned()) else {
            return;
        };
        let name = |what: &str| format!("{what}_{high}_{low}");
        let pair = (m.wire(name("carries"), g | (p.clone() & gl)), m.wire(name("passes"), p & pl));
        if let Some(group) = groups.get_mut(high) {
            *group = pair;
        }
    };
    let mut span = 1;
    while span < used {
        for high in (2 * span - 1..used).step_by(2 * span) {
            combine(&mut groups, high, high - span);
        }
        span *= 2;
    }
    while span > 1 {
        span /= 2;
        for high in (3 * span - 1..used).step_by(2 * span) {
            combine(&mut groups, high, high - span);
        }
    }
    let carries = groups.into_iter().take(used).map(|(g, _)| g);
    let into = cat(carry.into_iter().chain([Expr::zeros(1)]).take(1).chain(carries));
    m.output("sum", half ^ into);
    m.finish()
}
