//! Which format for which layer: the candidates worth having, and the order in which they are chosen.
//!
//! Errors that layers cause in the outputs are assumed to add, as independent ones do, and so are costs. Minimizing the sum of
//! costs under a bound on the sum of errors is then a knapsack with one item of every layer; along the lower convex hull of each
//! layer's (error, cost) points, steps by falling gain per error are its best solutions except for the last step.

/// Cost and error of one layer in one format, relative to plain INT8.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// Mean squared error of the outputs with only this layer in this format.
    pub(super) noise: f64,
    /// Change of the minimized quantity: bytes, femtojoules or cycles.
    pub(super) cost: f64,
}

/// A step from one format of a layer to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    /// The layer.
    pub(super) layer: usize,
    /// The format before; nothing is plain INT8.
    pub(super) from: Option<usize>,
    /// The format after it.
    pub(super) to: usize,
    /// Its change in error.
    pub(super) noise: f64,
    /// Its change in cost; less than 0.
    pub(super) cost: f64,
    /// Cost per error, never less than that of the layer's previous step.
    slope: f64,
}

/// All useful steps, best first, of `points[layer][choice]`.
///
/// Every prefix of the list is an assignment: the format of a layer is that of its last step.
pub(super) fn steps(points: &[Vec<Point>]) -> Vec<Step> {
    let mut all: Vec<Step> = points.iter().enumerate().flat_map(|(layer, list)| hull(layer, list)).collect();
    // Steps of one layer gain less and less per error, so a stable sort keeps their order.
    all.sort_by(|a, b| a.slope.total_cmp(&b.slope));
    all
}

/// The steps of one layer along the lower convex hull from plain INT8, which is (0, 0).
fn hull(layer: usize, points: &[Point]) -> Vec<Step> {
    let mut steps = Vec::new();
    let (mut at, mut from) = (Point { noise: 0.0, cost: 0.0 }, None);
    let mut least = f64::NEG_INFINITY;
    loop {
        let cheaper = points.iter().copied().enumerate().filter(|(_, p)| p.cost < at.cost);
        // The steepest step; first of all the cheapest of the formats that are cheaper without more error.
        let slope = |p: &Point| (p.cost - at.cost) / (p.noise - at.noise).max(0.0);
        let best = cheaper.min_by(|(_, a), (_, b)| {
            let order = slope(a).total_cmp(&slope(b));
            order.then(a.cost.total_cmp(&b.cost)).then(a.noise.total_cmp(&b.noise))
        });
        let Some((to, point)) = best else { return steps };
        let noise = (point.noise - at.noise).max(0.0);
        // Rounding must not reorder steps along a straight line.
        least = slope(&point).max(least);
        steps.push(Step { layer, from, to, noise, cost: point.cost - at.cost, slope: least });
        at = Point { noise: at.noise + noise, cost: point.cost };
        from = Some(to);
    }
}

/// The format of every layer after the first `count` steps; nothing is plain INT8.
pub(super) fn choices(steps: &[Step], count: usize, layers: usize) -> Vec<Option<usize>> {
    let mut all = vec![None; layers];
    for step in steps.iter().take(count) {
        if let Some(choice) = all.get_mut(step.layer) {
            *choice = Some(step.to);
        }
    }
    all
}

/// A format with its point.
type Way = (Option<usize>, Point);

/// Maximum number of cost amounts that [`within`] distinguishes.
const AMOUNTS: f64 = 65_536.0;

/// The formats of least error whose costs, added to `from`, are at most `most`; nothing if there are none.
///
/// Dynamic programming over the remaining cost, layer by layer. Costs are rounded up to 1/65536 of the range to choose from, so
/// that the bound is kept; integers up to that are exact.
pub(super) fn within(points: &[Vec<Point>], from: f64, most: f64) -> Option<Vec<Option<usize>>> {
    // Every layer's formats, plain INT8 first, with their cost above its least.
    let options = points.iter().map(|list| {
        let dense = (None, Point { noise: 0.0, cost: 0.0 });
        let rest = list.iter().enumerate().map(|(i, point)| (Some(i), *point));
        let all: Vec<Way> = std::iter::once(dense).chain(rest).collect();
        let least = all.iter().map(|(_, point)| point.cost).fold(0.0, f64::min);
        (all, least)
    });
    let options: Vec<(Vec<Way>, f64)> = options.collect();
    let room = most - options.iter().fold(from, |sum, (_, least)| sum + least);
    if room < 0.0 {
        return None;
    }
    let spread =
        |(all, least): &(Vec<Way>, f64)| all.iter().map(|(_, point)| point.cost - least).fold(0.0, f64::max);
    let all: f64 = options.iter().map(spread).sum();
    let unit = (room.min(all) / AMOUNTS).max(1.0);
    // The rounding of layers does not count if there is room for everything.
    let amounts = if room < all { index(room / unit) } else { index(all / unit) + options.len() } + 1;
    // The least error, and its cost, for every amount that may be spent on the layers so far.
    let mut best = vec![(0.0, 0.0); amounts];
    let mut taken: Vec<Vec<u16>> = Vec::new();
    for (all, least) in &options {
        let mut next = vec![(f64::INFINITY, 0.0); amounts];
        let mut row = vec![0u16; amounts];
        for (number, (_, point)) in (0u16..).zip(all) {
            let weight = index(((point.cost - least) / unit).ceil());
            let slots = next.iter_mut().zip(&mut row).skip(weight);
            for ((slot, row), before) in slots.zip(&best) {
                let sum: (f64, f64) = (before.0 + point.noise, before.1 + point.cost);
                if sum < *slot {
                    (*slot, *row) = (sum, number);
                }
            }
        }
        best = next;
        taken.push(row);
    }
    let mut left = amounts - 1;
    let mut chosen = Vec::new();
    for ((all, least), row) in options.iter().zip(&taken).rev() {
        let (choice, point) = all.get(usize::from(*row.get(left)?))?;
        left = left.checked_sub(index(((point.cost - least) / unit).ceil()))?;
        chosen.push(*choice);
    }
    chosen.reverse();
    Some(chosen)
}

/// A small non-negative number as an index.
fn index(number: f64) -> usize {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let index = number as usize;
    index
}

/// The greatest count in `0..=most` for which `holds` is true, assumed to be true below and false above; 0 holds.
pub(super) fn greatest<E>(most: usize, mut holds: impl FnMut(usize) -> Result<bool, E>) -> Result<usize, E> {
    let (mut low, mut high) = (0, most + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle)? {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(noise: f64, cost: f64) -> Point {
        Point { noise, cost }
    }

    /// Reproducible pseudorandom numbers.
    fn random(seed: &mut u64, below: u64) -> f64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((*seed >> 33) % below) as f64
    }

    /// Every assignment: (noise, cost) of all of them.
    fn everything(points: &[Vec<Point>]) -> Vec<(f64, f64)> {
        points.iter().fold(vec![(0.0, 0.0)], |sums, list| {
            let with = |(noise, cost): (f64, f64)| {
                let dense = std::iter::once((noise, cost));
                dense.chain(list.iter().map(move |p| (noise + p.noise, cost + p.cost)))
            };
            sums.into_iter().flat_map(with).collect()
        })
    }

    #[test]
    fn what_costs_more_or_spoils_more_for_the_same_is_never_chosen() {
        let steps = steps(&[vec![point(1.0, -10.0), point(1.0, -8.0), point(0.5, 3.0), point(9.0, -10.0)]]);
        assert_eq!(steps.iter().map(|s| (s.from, s.to)).collect::<Vec<_>>(), [(None, 0)]);
        // Formats without any error come first, however small the gain.
        let steps = super::steps(&[vec![point(1.0, -10.0)], vec![point(0.0, -1.0)]]);
        assert_eq!(steps.iter().map(|s| s.layer).collect::<Vec<_>>(), [1, 0]);
        assert!(super::steps(&[vec![], vec![point(0.0, 0.0)]]).is_empty());
    }

    /// No assignment is better in both than the prefixes of the list.
    #[test]
    fn every_start_of_the_list_is_the_best_of_its_error() {
        let mut seed = 7;
        for _ in 0..200 {
            let points: Vec<Vec<Point>> = (0..4)
                .map(|_| (0..3).map(|_| point(random(&mut seed, 50), -random(&mut seed, 50))).collect())
                .collect();
            let steps = steps(&points);
            let all = everything(&points);
            let (mut noise, mut cost) = (0.0, 0.0);
            for (count, step) in steps.iter().enumerate() {
                (noise, cost) = (noise + step.noise, cost + step.cost);
                // Steps without error belong together.
                if steps.get(count + 1).is_some_and(|next| next.noise == 0.0) {
                    continue;
                }
                let best = all.iter().filter(|(n, _)| *n <= noise).map(|(_, c)| *c).fold(0.0, f64::min);
                assert!(
                    (best - cost).abs() < 1e-9,
                    "step {count} of {steps:?}: {best} is to be had, not {cost}"
                );
                let chosen = choices(&steps, count + 1, 4);
                let sum: f64 =
                    chosen.iter().zip(&points).filter_map(|(c, p)| Some(p[(*c)?])).map(|p| p.cost).sum();
                assert!((sum - cost).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn the_best_under_a_bound_on_costs_is_found() {
        let mut seed = 3;
        for round in 0..300 {
            let points: Vec<Vec<Point>> = (0..4)
                .map(|_| (0..3).map(|_| point(random(&mut seed, 50), 5.0 - random(&mut seed, 50))).collect())
                .collect();
            let all = everything(&points);
            let least = all.iter().map(|(_, cost)| *cost).fold(0.0, f64::min);
            let most = 1000.0 + (least * random(&mut seed, 120) / 100.0).round() + f64::from(round % 2);
            let best = all.into_iter().filter(|(_, cost)| 1000.0 + cost <= most).map(|(noise, _)| noise);
            let best = best.reduce(f64::min);
            let chosen = within(&points, 1000.0, most);
            assert_eq!(chosen.is_some(), best.is_some());
            let Some(chosen) = chosen else { continue };
            let sum = |of: fn(&Point) -> f64| -> f64 {
                chosen.iter().zip(&points).filter_map(|(c, p)| Some(p[(*c)?])).map(|p| of(&p)).sum()
            };
            assert!(1000.0 + sum(|p| p.cost) <= most);
            assert_eq!(Some(sum(|p| p.noise)), best);
        }
    }

    #[test]
    fn large_costs_are_rounded_to_the_safe_side() {
        let points = vec![vec![point(1.0, -3e9 - 1.0), point(5.0, -7e9)], vec![point(2.0, -5e9)]];
        // One spare byte is less than the resolution.
        assert_eq!(within(&points, 8e9, 5e9), Some(vec![None, Some(0)]));
        assert_eq!(within(&points, 8e9, 5.001e9), Some(vec![Some(0), None]));
        assert_eq!(within(&points, 8e9, 3e9), Some(vec![None, Some(0)]));
        assert_eq!(within(&points, 8e9, -4e9), Some(vec![Some(1), Some(0)]));
        assert_eq!(within(&points, 8e9, -4.1e9), None);
        assert_eq!(within(&points, 8e9, 9e9), Some(vec![None, None]));
        assert_eq!(within(&[], 8.0, 8.0), Some(vec![]));
    }

    #[test]
    fn the_greatest_is_found() {
        for bound in 0..10 {
            let found = greatest(9, |n| Ok::<_, ()>(n <= bound));
            assert_eq!(found, Ok(bound.min(9)));
        }
        assert_eq!(greatest(3, |_| Err(1)), Err(1));
    }
}
