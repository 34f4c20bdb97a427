//! Carry-save addition: bits in columns, reduced to two rows by full and half adders (Dadda's schedule).

use std::rc::Rc;

use super::adder;
use crate::netlist::{Builder, Expr, Module, cat};

/// Bits to be added, modulo `2^width`.
#[derive(Debug)]
pub(crate) struct Columns {
    columns: Vec<Vec<Expr>>,
    /// Added to them, modulo `2^width`.
    constant: u64,
}

impl Columns {
    /// Nothing, in `width` columns, fewer than 64.
    pub(crate) fn new(width: u32) -> Columns {
        Columns { columns: vec![Vec::new(); width as usize], constant: 0 }
    }

    pub(crate) fn width(&self) -> u32 {
        self.columns.len() as u32
    }

    /// Adds `bit << column`; without effect beyond the width.
    pub(crate) fn add(&mut self, column: u32, bit: Expr) {
        match bit.as_constant() {
            Some(0) => {}
            Some(_) => self.constant = self.constant.wrapping_add(1u64.checked_shl(column).unwrap_or(0)),
            None => {
                if let Some(bits) = self.columns.get_mut(column as usize) {
                    bits.push(bit);
                }
            }
        }
    }

    /// Subtracts `1 << column`.
    pub(crate) fn borrow(&mut self, column: u32) {
        self.constant = self.constant.wrapping_sub(1u64.checked_shl(column).unwrap_or(0));
    }

    /// Adds a two's complement number shifted left by `column`.
    pub(crate) fn add_signed(&mut self, column: u32, value: &Expr) {
        let top = value.width() - 1;
        for (i, bit) in value.each().enumerate() {
            let i = i as u32;
            if i == top && column + top < self.width() - 1 {
                // -x = !x - 1
                self.add(column + i, !bit);
                self.borrow(column + i);
            } else {
                self.add(column + i, bit);
            }
        }
    }

    /// Reduces to two rows whose sum is that of all bits, modulo `2^width`.
    pub(crate) fn reduce(mut self, m: &mut Builder, name: &str) -> [Expr; 2] {
        for (i, bits) in self.columns.iter_mut().enumerate() {
            if self.constant >> i & 1 == 1 {
                bits.push(Expr::constant(1, 1));
            }
        }
        let adders =
            Adders { full: adder::full_adder(), half: adder::half_adder(), one: adder::half_adder_one() };
        let height = self.columns.iter().map(Vec::len).max().unwrap_or(0);
        for (stage, target) in heights(height).into_iter().enumerate() {
            self.columns = stage_of(&adders, m, &format!("{name}{stage}"), self.columns, target);
        }
        let row = |index: usize| {
            cat(self.columns.iter().map(|bits| bits.get(index).cloned().unwrap_or_else(|| Expr::zeros(1))))
        };
        [row(0), row(1)]
    }

    /// The sum of all bits, modulo `2^width`, by a carry-propagate adder named `u_<name>_adder`.
    pub(crate) fn sum(self, m: &mut Builder, name: &str) -> Expr {
        let rows = self.reduce(m, name);
        add_rows(m, name, &rows)
    }
}

/// Dadda's heights below `height`, in descending order: …, 9, 6, 4, 3, 2.
fn heights(height: usize) -> Vec<usize> {
    let mut list = vec![2];
    while let Some(&last) = list.last()
        && last * 3 / 2 < height
    {
        list.push(last * 3 / 2);
    }
    list.reverse();
    if height <= 2 { Vec::new() } else { list }
}

struct Adders {
    full: Rc<Module>,
    half: Rc<Module>,
    one: Rc<Module>,
}

/// One stage: no column is higher than `target` afterwards.
fn stage_of(
    adders: &Adders,
    m: &mut Builder,
    name: &str,
    columns: Vec<Vec<Expr>>,
    target: usize,
) -> Vec<Vec<Expr>> {
    let mut carries: Vec<Expr> = Vec::new();
    let mut reduced = Vec::with_capacity(columns.len());
    for (column, bits) in columns.into_iter().enumerate() {
        let mut next: Vec<Expr> = Vec::new();
        // Constants first: adding one to two bits, or to one, takes less than a full adder.
        let (ones, mut waiting): (Vec<Expr>, Vec<Expr>) =
            bits.into_iter().partition(|bit| bit.as_constant().is_some());
        waiting.reverse();
        waiting.extend(ones);
        let arrived = std::mem::take(&mut carries);
        let mut count = 0;
        while waiting.len() + next.len() + arrived.len() > target {
            let excess = waiting.len() + next.len() + arrived.len() - target;
            let tag = format!("{name}_{column}_{count}");
            let (sum, carry) = if excess == 1 {
                let [Some(a), Some(b)] = [waiting.pop(), waiting.pop()] else { break };
                adders.half(m, &tag, a, b)
            } else {
                let [Some(a), Some(b), Some(c)] = [waiting.pop(), waiting.pop(), waiting.pop()] else {
                    break;
                };
                adders.full(m, &tag, [a, b, c])
            };
            next.push(sum);
            carries.push(carry);
            count += 1;
        }
        waiting.reverse();
        next.extend(waiting);
        next.extend(arrived);
        reduced.push(next);
    }
    reduced
}

impl Adders {
    fn half(&self, m: &mut Builder, tag: &str, a: Expr, b: Expr) -> (Expr, Expr) {
        // One plus a bit: the bit and its complement.
        match (a.as_constant(), b.as_constant()) {
            (Some(_), None) => return (!b.clone(), b),
            (None, Some(_)) => return (!a.clone(), a),
            (Some(_), Some(_)) => return (Expr::zeros(1), Expr::constant(1, 1)),
            (None, None) => {}
        }
        let outputs = m.instance(&format!("half_{tag}"), &self.half, &[("a", &a), ("b", &b)]);
        (outputs.get("sum"), outputs.get("carry"))
    }

    fn full(&self, m: &mut Builder, tag: &str, mut bits: [Expr; 3]) -> (Expr, Expr) {
        bits.sort_by_key(|bit| bit.as_constant().is_none());
        let [one, a, b] = &bits;
        let outputs = if one.as_constant().is_some() {
            m.instance(&format!("one_{tag}"), &self.one, &[("a", a), ("b", b)])
        } else {
            m.instance(&format!("full_{tag}"), &self.full, &[("a", one), ("b", a), ("c", b)])
        };
        (outputs.get("sum"), outputs.get("carry"))
    }
}

/// The sum of two rows, modulo two to their width. Low columns with one bit take no adder.
pub(crate) fn add_rows(m: &mut Builder, name: &str, [a, b]: &[Expr; 2]) -> Expr {
    let width = a.width();
    let single = b.each().take_while(|bit| bit.as_constant() == Some(0)).count() as u32;
    if single >= width {
        return a.clone();
    }
    let module = adder::adder(width - single, false);
    let (high_a, high_b) = (a.bits(single..width), b.bits(single..width));
    let sum = m.instance(&format!("{name}_adder"), &module, &[("a", &high_a), ("b", &high_b)]).get("sum");
    if single == 0 { sum } else { cat([a.bits(0..single), sum]) }
}

/// `a + b` of numbers of the same width, modulo two to it, with an optional carry.
pub(crate) fn add(m: &mut Builder, name: &str, a: &Expr, b: &Expr, carry: Option<&Expr>) -> Expr {
    let module = adder::adder(a.width(), carry.is_some());
    let mut inputs = vec![("a", a), ("b", b)];
    inputs.extend(carry.map(|bit| ("carry", bit)));
    m.instance(name, &module, &inputs).get("sum")
}
