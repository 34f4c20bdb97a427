//! Expressions over bit vectors: nets, slices and the operators of structural SystemVerilog.

use std::ops::{BitAnd, BitOr, BitXor, Not, Range};
use std::rc::Rc;

/// An expression of a known width. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr {
    width: u32,
    node: Rc<Node>,
}

/// What an expression is made of. Operands of an operator have its width, except where stated.
#[derive(Debug, PartialEq, Eq)]
pub enum Node {
    /// Bits `lo..lo + width` of a net.
    Net {
        /// Its name.
        name: Rc<str>,
        /// Width of the whole net.
        full: u32,
        /// Lowest bit taken.
        lo: u32,
    },
    /// A constant; bits from 64 on are 0.
    Const(u64),
    /// Bitwise not.
    Not(Expr),
    /// Bitwise and.
    And(Vec<Expr>),
    /// Bitwise or.
    Or(Vec<Expr>),
    /// Bitwise exclusive or.
    Xor(Vec<Expr>),
    /// The second operand where the first, one bit, is 1, else the third.
    Mux(Expr, Expr, Expr),
    /// Concatenation, least significant part first.
    Cat(Vec<Expr>),
    /// One bit, repeated.
    Repeat(Expr),
    /// Whether all bits of the operand, of any width, are 1.
    All(Expr),
    /// Whether any bit of the operand, of any width, is 1.
    Any(Expr),
}

impl Expr {
    fn new(width: u32, node: Node) -> Expr {
        Expr { width, node: Rc::new(node) }
    }

    /// A whole net.
    pub(crate) fn net(name: &str, width: u32) -> Expr {
        Expr::new(width, Node::Net { name: name.into(), full: width, lo: 0 })
    }

    /// A constant of `width` bits, at most 64.
    #[must_use]
    pub fn constant(width: u32, value: u64) -> Expr {
        let mask = 1u64.checked_shl(width).map_or(u64::MAX, |bit| bit - 1);
        Expr::new(width, Node::Const(value & mask))
    }

    /// Zeros of any width.
    #[must_use]
    pub fn zeros(width: u32) -> Expr {
        Expr::new(width, Node::Const(0))
    }

    /// Width in bits.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// What it is made of.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Bit `index`.
    #[must_use]
    pub fn bit(&self, index: u32) -> Expr {
        self.bits(index..index + 1)
    }

    /// All bits, least significant first.
    pub fn each(&self) -> impl Iterator<Item = Expr> + '_ {
        (0..self.width).map(|i| self.bit(i))
    }

    /// Bits `range`, which must be within the width.
    #[must_use]
    pub fn bits(&self, range: Range<u32>) -> Expr {
        debug_assert!(range.start < range.end && range.end <= self.width, "bits {range:?} of {}", self.width);
        let width = range.end - range.start;
        if width == self.width {
            return self.clone();
        }
        let part = |e: &Expr| e.bits(range.clone());
        let parts = |list: &[Expr]| list.iter().map(part).collect::<Vec<_>>();
        match &*self.node {
            Node::Net { name, full, lo } => {
                Expr::new(width, Node::Net { name: name.clone(), full: *full, lo: lo + range.start })
            }
            Node::Const(value) => Expr::constant(width, value.checked_shr(range.start).unwrap_or(0)),
            Node::Not(e) => !part(e),
            Node::And(list) => Expr::new(width, Node::And(parts(list))),
            Node::Or(list) => Expr::new(width, Node::Or(parts(list))),
            Node::Xor(list) => Expr::new(width, Node::Xor(parts(list))),
            Node::Mux(select, then, other) => mux(select, &part(then), &part(other)),
            Node::Cat(list) => {
                let mut at = 0;
                let mut taken = Vec::new();
                for e in list {
                    let (from, to) = (range.start.max(at), range.end.min(at + e.width));
                    if from < to {
                        taken.push(e.bits(from - at..to - at));
                    }
                    at += e.width;
                }
                cat(taken)
            }
            Node::Repeat(bit) => bit.repeat(width),
            // One bit wide: the whole was taken above.
            Node::All(_) | Node::Any(_) => self.clone(),
        }
    }

    /// This bit `count` times.
    #[must_use]
    pub fn repeat(&self, count: u32) -> Expr {
        debug_assert_eq!(self.width, 1);
        if count == 1 { self.clone() } else { Expr::new(count, Node::Repeat(self.clone())) }
    }

    /// Sign-extended to `width` bits; unchanged if it has as many.
    #[must_use]
    pub fn sign_extend(&self, width: u32) -> Expr {
        if width <= self.width {
            return self.bits(0..width);
        }
        cat([self.clone(), self.bit(self.width - 1).repeat(width - self.width)])
    }

    /// Extended with zeros to `width` bits; cut if it has more.
    #[must_use]
    pub fn zero_extend(&self, width: u32) -> Expr {
        if width <= self.width {
            return self.bits(0..width);
        }
        cat([self.clone(), Expr::zeros(width - self.width)])
    }

    /// Whether all bits are 1.
    #[must_use]
    pub fn all(&self) -> Expr {
        if self.width == 1 { self.clone() } else { Expr::new(1, Node::All(self.clone())) }
    }

    /// Whether any bit is 1.
    #[must_use]
    pub fn any(&self) -> Expr {
        if self.width == 1 { self.clone() } else { Expr::new(1, Node::Any(self.clone())) }
    }

    /// This where the bit `on` is 1, else zeros.
    #[must_use]
    pub fn when(&self, on: &Expr) -> Expr {
        self & &on.repeat(self.width)
    }

    /// Whether it equals `value`.
    #[must_use]
    pub fn equals(&self, value: u64) -> Expr {
        let bits = self.each().enumerate();
        let literals = bits.map(|(i, bit)| if value >> i & 1 == 1 { bit } else { !bit });
        and(literals)
    }

    fn is_zero(&self) -> bool {
        matches!(*self.node, Node::Const(0))
    }

    /// The value, if it is a constant.
    #[must_use]
    pub fn as_constant(&self) -> Option<u64> {
        if let Node::Const(value) = *self.node { Some(value) } else { None }
    }
}

/// `then` where the bit `select` is 1, else `other`.
#[must_use]
pub fn mux(select: &Expr, then: &Expr, other: &Expr) -> Expr {
    debug_assert_eq!((select.width, then.width), (1, other.width));
    if then == other {
        return then.clone();
    }
    if other.is_zero() {
        return then.when(select);
    }
    Expr::new(then.width, Node::Mux(select.clone(), then.clone(), other.clone()))
}

/// Concatenation, least significant part first.
#[must_use]
pub fn cat(parts: impl IntoIterator<Item = Expr>) -> Expr {
    let mut merged: Vec<Expr> = Vec::new();
    for part in parts {
        if let Some(last) = merged.last_mut()
            && let Some(joined) = join(last, &part)
        {
            *last = joined;
        } else {
            merged.push(part);
        }
    }
    match merged.as_slice() {
        [one] => one.clone(),
        _ => Expr::new(merged.iter().map(|e| e.width).sum(), Node::Cat(merged)),
    }
}

/// Adjacent parts of one net, and adjacent zeros, as one.
fn join(low: &Expr, high: &Expr) -> Option<Expr> {
    match (&*low.node, &*high.node) {
        (Node::Net { name, full, lo }, Node::Net { name: other, lo: next, .. })
            if name == other && lo + low.width == *next =>
        {
            let node = Node::Net { name: name.clone(), full: *full, lo: *lo };
            Some(Expr::new(low.width + high.width, node))
        }
        (Node::Const(0), Node::Const(0)) => Some(Expr::zeros(low.width + high.width)),
        _ => None,
    }
}

/// And of all, which are of one width and at least one.
#[must_use]
pub fn and(list: impl IntoIterator<Item = Expr>) -> Expr {
    flat(list, |node| if let Node::And(list) = node { Some(list) } else { None }, Node::And)
}

/// Or of all, which are of one width and at least one; zeros are left out.
#[must_use]
pub fn or(list: impl IntoIterator<Item = Expr>) -> Expr {
    let mut list: Vec<Expr> = list.into_iter().collect();
    if list.iter().any(|e| !e.is_zero()) {
        list.retain(|e| !e.is_zero());
    } else {
        list.truncate(1);
    }
    flat(list, |node| if let Node::Or(list) = node { Some(list) } else { None }, Node::Or)
}

/// Exclusive or of all, which are of one width and at least one.
#[must_use]
pub fn xor(list: impl IntoIterator<Item = Expr>) -> Expr {
    flat(list, |node| if let Node::Xor(list) = node { Some(list) } else { None }, Node::Xor)
}

fn flat(
    list: impl IntoIterator<Item = Expr>,
    same: impl Fn(&Node) -> Option<&Vec<Expr>>,
    node: impl Fn(Vec<Expr>) -> Node,
) -> Expr {
    let mut all: Vec<Expr> = Vec::new();
    for e in list {
        match same(&e.node) {
            Some(inner) => all.extend(inner.iter().cloned()),
            None => all.push(e),
        }
    }
    match all.as_slice() {
        [one] => one.clone(),
        [] => Expr::zeros(1),
        [first, ..] => {
            debug_assert!(all.iter().all(|e| e.width == first.width), "operands of different widths");
            Expr::new(first.width, node(all))
        }
    }
}

impl Not for Expr {
    type Output = Expr;

    fn not(self) -> Expr {
        match &*self.node {
            Node::Not(inner) => inner.clone(),
            Node::Const(value) if self.width <= 64 => Expr::constant(self.width, !value),
            _ => Expr::new(self.width, Node::Not(self)),
        }
    }
}

impl Not for &Expr {
    type Output = Expr;

    fn not(self) -> Expr {
        !self.clone()
    }
}

macro_rules! operator {
    ($($operator:ident $method:ident $function:ident;)*) => {$(
        impl $operator for Expr {
            type Output = Expr;

            fn $method(self, other: Expr) -> Expr {
                $function([self, other])
            }
        }

        impl $operator for &Expr {
            type Output = Expr;

            fn $method(self, other: &Expr) -> Expr {
                $function([self.clone(), other.clone()])
            }
        }
    )*};
}

operator! {
    BitAnd bitand and;
    BitOr bitor or;
    BitXor bitxor xor;
}
