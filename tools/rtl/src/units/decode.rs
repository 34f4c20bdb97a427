//! The mask decoder: for each rank among the high and among the low members of a block, the member that has it.
//!
//! The member of rank `k` among the `n` high ones of a block of `w` is one of members `k..=k + w - n`; its position is given
//! relative to `k`. The same holds for low members.

use std::rc::Rc;

use crate::netlist::{Builder, Expr, Module, cat, mux, or};

/// Ranks of the high and of the low members of a block, as numbers of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ranks {
    pub(crate) high: u32,
    pub(crate) low: u32,
}

impl Ranks {
    /// Positions that a rank among the high members can have, relative to the rank.
    pub(crate) fn high_positions(self) -> u32 {
        self.low + 1
    }

    /// The same for low members.
    pub(crate) fn low_positions(self) -> u32 {
        self.high + 1
    }
}

/// Bits of a relative position of `positions`.
pub(crate) fn index_bits(positions: u32) -> u32 {
    positions.max(2).next_power_of_two().ilog2()
}

/// The decoder of a mask: outputs `high` and, if `low` is set, `low` hold for each rank a one-hot relative position.
///
/// `counts[p][k]` says that the members below `p` have `k` high ones among them. Member `p` has rank `k` among the high ones
/// if it is high and `counts[p][k]`.
pub(crate) fn decoder(ranks: Ranks, low: bool) -> Rc<Module> {
    let Ranks { high: highs, low: lows } = ranks;
    let w = highs + lows;
    let about = format!(
        "Mask decoder: one-hot positions of {highs} high and {lows} low members, relative to their ranks."
    );
    let mut m = Builder::new(format!("mask_decoder_{highs}_{lows}{}", if low { "" } else { "_high" }), about);
    let mask = m.input("mask", w);
    let mut counts: Vec<Expr> = vec![Expr::constant(1, 1)];
    let mut high = vec![Vec::new(); highs as usize];
    let mut rest = vec![Vec::new(); lows as usize];
    for (p, member) in (0..w).zip(mask.each()) {
        for (k, reached) in (0..).zip(&counts) {
            // Ranks and positions that a legal mask cannot have are left out.
            if let Some(positions) = high.get_mut(k as usize)
                && p - k <= lows
            {
                positions.push(m.wire(format!("high_{k}_{}", p - k), &member & reached));
            }
            if let Some(positions) = rest.get_mut((p - k) as usize)
                && k <= highs
                && low
            {
                positions.push(m.wire(format!("low_{}_{k}", p - k), &!&member & reached));
            }
        }
        counts = next_counts(&mut m, p, &member, &counts, highs);
    }
    m.output("high", joined(high, ranks.high_positions()));
    if low {
        m.output("low", joined(rest, ranks.low_positions()));
    }
    m.finish()
}

/// The counts below `p + 1` from those below `p`.
pub(super) fn next_counts(m: &mut Builder, p: u32, member: &Expr, counts: &[Expr], highs: u32) -> Vec<Expr> {
    let zero = Expr::zeros(1);
    let known = counts.len() as u32;
    (0..=(p + 1).min(highs))
        .map(|k| {
            let same = if k < known { counts.get(k as usize) } else { None }.unwrap_or(&zero);
            let less = k.checked_sub(1).and_then(|k| counts.get(k as usize)).unwrap_or(&zero);
            let value = match (same.as_constant(), less.as_constant()) {
                (Some(0), Some(1)) => member.clone(),
                (Some(1), Some(0)) => !member,
                (Some(0), _) => less & member,
                _ => mux(member, less, same),
            };
            m.wire(format!("count_{}_{k}", p + 1), value)
        })
        .collect()
}

/// One-hot positions of all ranks.
pub(super) fn joined(ranks: Vec<Vec<Expr>>, positions: u32) -> Expr {
    cat(ranks.into_iter().flat_map(|mut list| {
        list.resize(positions as usize, Expr::zeros(1));
        list
    }))
}

/// The binary index of a one-hot position.
pub(crate) fn encode(one_hot: &Expr) -> Expr {
    let bits = index_bits(one_hot.width());
    cat((0..bits).map(|b| {
        let set = one_hot.each().zip(0u32..).filter(|(_, i)| i >> b & 1 == 1).map(|(bit, _)| bit);
        let set: Vec<Expr> = set.collect();
        if set.is_empty() { Expr::zeros(1) } else { or(set) }
    }))
}

/// One of `inputs` by a one-hot choice.
pub(crate) fn choose_one_hot(choice: &Expr, inputs: &[Expr]) -> Expr {
    or(choice.each().zip(inputs).map(|(bit, input)| input.when(&bit)))
}

/// One of `inputs` by a binary index, as a tree of multiplexers.
pub(crate) fn choose_binary(index: &Expr, inputs: &[Expr]) -> Expr {
    let mut level = inputs.to_vec();
    for bit in index.each() {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [a, b] => mux(&bit, b, a),
                [a] => a.clone(),
                _ => Expr::zeros(1),
            })
            .collect();
    }
    level.into_iter().next().unwrap_or_else(|| Expr::zeros(1))
}
