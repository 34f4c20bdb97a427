//! Improves an assignment by measuring its neighbours.
//!
//! Sums of single measurements only decide which neighbours are worth measuring; a neighbour is accepted by its measurement on
//! the whole network. Invariant: the result is within the budget, and never worse than the start.

use std::collections::BTreeSet;

use super::budget::{Budget, Measured};
use super::search::Point;

/// The format of every layer; nothing is plain INT8.
pub(super) type Chosen = Vec<Option<usize>>;

/// Number of neighbours that are measured before the best of them is taken. Fixed, so that threads do not affect the result.
const BATCH: usize = 8;

/// Number of batches without improvement that end the search.
const PATIENCE: usize = 4;

/// One layer's change of format, with its expected effect.
#[derive(Clone, Copy)]
struct Change {
    layer: usize,
    to: Option<usize>,
    noise: f64,
    cost: f64,
}

/// One or two changes, of different layers.
struct Move {
    changes: [Option<Change>; 2],
    /// Those expected to be best first.
    rank: f64,
}

/// Walks from a measured start to better neighbours, those with one or two layers changed, by at most `most` measurements.
///
/// `measure` measures several assignments; its results are in order.
pub(super) fn refine<E>(
    points: &[Vec<Point>],
    budget: Budget,
    start: (Chosen, Measured),
    most: usize,
    mut measure: impl FnMut(&[Chosen]) -> Result<Vec<Measured>, E>,
) -> Result<(Chosen, Measured), E> {
    let (mut at, mut is) = start;
    let mut seen = BTreeSet::from([at.clone()]);
    let (mut left, mut idle) = (most, 0);
    while left > 0 && idle < PATIENCE {
        let batch = nearest(points, budget, &at, &is, &seen, BATCH.min(left));
        if batch.is_empty() {
            break;
        }
        left -= batch.len();
        idle += 1;
        let results = measure(&batch)?;
        seen.extend(batch.iter().cloned());
        for (chosen, measured) in batch.into_iter().zip(results) {
            if budget.holds(&measured) && budget.better(&measured, &is) {
                (at, is, idle) = (chosen, measured, 0);
            }
        }
    }
    Ok((at, is))
}

/// The unseen neighbours that are expected to be best, at most `count`.
fn nearest(
    points: &[Vec<Point>],
    budget: Budget,
    at: &Chosen,
    is: &Measured,
    seen: &BTreeSet<Chosen>,
    count: usize,
) -> Vec<Chosen> {
    let changes: Vec<Change> = points.iter().zip(at).enumerate().flat_map(changes_of).collect();
    let mut moves = Vec::new();
    for (index, &one) in changes.iter().enumerate() {
        moves.extend(ranked(budget, is, [Some(one), None]));
        let others = changes.iter().skip(index + 1).filter(|other| other.layer != one.layer);
        moves.extend(others.filter_map(|&other| ranked(budget, is, [Some(one), Some(other)])));
        // Only the first are ever looked at; of those seen there are few.
        if moves.len() > 100_000 {
            keep(&mut moves, count + seen.len());
        }
    }
    moves.sort_by(|a, b| a.rank.total_cmp(&b.rank));
    let sets = moves.into_iter().map(|it| {
        let mut chosen = at.clone();
        for change in it.changes.into_iter().flatten() {
            if let Some(choice) = chosen.get_mut(change.layer) {
                *choice = change.to;
            }
        }
        chosen
    });
    sets.filter(|chosen| !seen.contains(chosen)).take(count).collect()
}

/// Keeps the first `count` of the moves, in the order of a stable sort.
fn keep(moves: &mut Vec<Move>, count: usize) {
    moves.sort_by(|a, b| a.rank.total_cmp(&b.rank));
    moves.truncate(count);
}

/// The formats that one layer can change to: those that no other of its formats beats in both error and cost.
fn changes_of((layer, (list, from)): (usize, (&Vec<Point>, &Option<usize>))) -> Vec<Change> {
    let dense = (None, Point { noise: 0.0, cost: 0.0 });
    let all: Vec<_> =
        std::iter::once(dense).chain(list.iter().enumerate().map(|(i, p)| (Some(i), *p))).collect();
    let beaten = |(i, p): (usize, &Point)| {
        all.iter().enumerate().any(|(j, (_, q))| {
            q.noise <= p.noise && q.cost <= p.cost && (q.noise < p.noise || q.cost < p.cost || j < i)
        })
    };
    let now = from.and_then(|from| list.get(from)).copied().unwrap_or(dense.1);
    let open = all.iter().enumerate().filter(|(i, (to, p))| to != from && !beaten((*i, p)));
    open.map(|(_, (to, p))| Change { layer, to: *to, noise: p.noise - now.noise, cost: p.cost - now.cost })
        .collect()
}

/// A move with its rank, if it can help.
fn ranked(budget: Budget, is: &Measured, changes: [Option<Change>; 2]) -> Option<Move> {
    let (noise, cost) =
        changes.iter().flatten().fold((0.0, 0.0), |(n, c), change| (n + change.noise, c + change.cost));
    let rank = match budget {
        // Bytes add, so moves that exceed the size need no measurement.
        Budget::Cost(most) => (is.cost + cost <= most).then_some(noise),
        // By cost per error, like the steps; moves that are expected to add no error first.
        Budget::Noise(_) | Budget::Loss(_) => (cost < 0.0).then(|| cost / noise.max(0.0)),
    };
    rank.map(|rank| Move { changes, rank })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reproducible pseudorandom numbers.
    fn random(seed: &mut u64, below: u64) -> f64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((*seed >> 33) % below) as f64
    }

    /// A network whose layers' errors do not add: every pair of packed layers has an error of its own.
    struct Oracle {
        points: Vec<Vec<Point>>,
        pairs: Vec<f64>,
    }

    impl Oracle {
        fn new(seed: &mut u64, layers: usize, choices: usize) -> Self {
            let mut list = || {
                let mut point =
                    || Point { noise: 1.0 + random(seed, 50), cost: -1.0 - random(seed, 30).floor() };
                (0..choices).map(|_| point()).collect()
            };
            let points = (0..layers).map(|_| list()).collect();
            let pairs = (0..layers * layers).map(|_| random(seed, 40) - 15.0).collect();
            Oracle { points, pairs }
        }

        fn measure(&self, chosen: &[Option<usize>]) -> Measured {
            let (mut noise, mut cost, mut loss) = (0.0, 1000.0, 0.0);
            for (i, choice) in chosen.iter().enumerate() {
                let Some(choice) = choice else { continue };
                noise += self.points[i][*choice].noise;
                cost += self.points[i][*choice].cost;
                for (j, _) in chosen.iter().enumerate().take(i).filter(|(_, other)| other.is_some()) {
                    noise += self.pairs[i * chosen.len() + j];
                    loss += f64::from(self.pairs[j * chosen.len() + i] > 10.0);
                }
            }
            Measured { cost, noise: noise.max(0.0), loss }
        }
    }

    /// All assignments that differ from this one in at most two layers.
    fn neighbours(at: &[Option<usize>], choices: usize) -> Vec<Chosen> {
        let all: Vec<Option<usize>> = std::iter::once(None).chain((0..choices).map(Some)).collect();
        let mut sets = Vec::new();
        for i in 0..at.len() {
            for j in 0..at.len() {
                for (&a, &b) in all.iter().flat_map(|a| all.iter().map(move |b| (a, b))) {
                    let mut set = at.to_vec();
                    set[i] = a;
                    set[j] = b;
                    sets.push(set);
                }
            }
        }
        sets
    }

    const BUDGETS: [Budget; 3] = [Budget::Cost(930.0), Budget::Noise(60.0), Budget::Loss(2.0)];

    #[test]
    fn what_comes_out_was_measured_is_within_the_budget_and_never_worse() {
        let mut seed = 5;
        for round in 0..60 {
            let oracle = Oracle::new(&mut seed, 6, 3);
            for budget in BUDGETS {
                for start in
                    [vec![None; 6], vec![Some(0); 6], vec![Some(2), None, Some(1), None, Some(0), None]]
                {
                    let first = oracle.measure(&start);
                    if !budget.holds(&first) {
                        continue;
                    }
                    let mut count = 0;
                    let (chosen, measured) =
                        refine(&oracle.points, budget, (start.clone(), first), 21, |sets| {
                            count += sets.len();
                            assert!(sets.len() <= BATCH && sets.iter().all(|set| *set != start));
                            Ok::<_, ()>(sets.iter().map(|set| oracle.measure(set)).collect())
                        })
                        .unwrap();
                    assert!(count <= 21);
                    assert_eq!(measured, oracle.measure(&chosen), "round {round}");
                    assert!(budget.holds(&measured) && !budget.better(&first, &measured));
                }
            }
        }
    }

    #[test]
    fn where_single_measurements_add_no_neighbour_within_the_budget_is_better() {
        let mut seed = 9;
        let mut walked = 0;
        for _ in 0..40 {
            let mut oracle = Oracle::new(&mut seed, 5, 3);
            oracle.pairs.fill(0.0);
            let budget = Budget::Cost(930.0);
            let start: Chosen = oracle.points.iter().map(|list| least(list)).collect();
            let first = oracle.measure(&start);
            if !budget.holds(&first) {
                continue;
            }
            let (chosen, measured) = refine(&oracle.points, budget, (start, first), 10_000, |sets| {
                Ok::<_, ()>(sets.iter().map(|set| oracle.measure(set)).collect())
            })
            .unwrap();
            walked += usize::from(measured != first);
            for set in neighbours(&chosen, 3) {
                let other = oracle.measure(&set);
                assert!(!budget.holds(&other) || other.noise >= measured.noise, "{set:?} beats {chosen:?}");
            }
        }
        assert!(walked > 10, "{walked}");
    }

    /// The cheapest format of a layer.
    fn least(list: &[Point]) -> Option<usize> {
        (0..list.len()).min_by(|&a, &b| list[a].cost.total_cmp(&list[b].cost))
    }

    #[test]
    fn a_failure_is_passed_on() {
        let points = vec![vec![Point { noise: 1.0, cost: -5.0 }]];
        let start = (vec![None], Measured { cost: 10.0, noise: 0.0, loss: 0.0 });
        assert_eq!(refine(&points, Budget::Noise(2.0), start, 5, |_| Err("trap")), Err("trap"));
    }
}
