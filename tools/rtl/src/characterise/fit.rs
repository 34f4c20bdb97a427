//! Least squares with unknowns that must not be negative, and weights that lower the largest error.

/// A system of equations: a row of coefficients and a target each.
#[derive(Clone, Debug, Default)]
pub(super) struct System {
    pub(super) rows: Vec<Vec<f64>>,
    pub(super) targets: Vec<f64>,
}

impl System {
    pub(super) fn push(&mut self, row: Vec<f64>, target: f64) {
        self.rows.push(row);
        self.targets.push(target);
    }

    pub(super) fn extend(&mut self, more: System) {
        self.rows.extend(more.rows);
        self.targets.extend(more.targets);
    }

    /// Adds `factor` times the equations of another system, one to one; at first all are 0.
    pub(super) fn add(&mut self, more: &System, factor: f64) {
        let unknowns = more.rows.first().map_or(0, Vec::len);
        self.rows.resize(more.rows.len(), vec![0.0; unknowns]);
        self.targets.resize(more.targets.len(), 0.0);
        for (own, more) in self.rows.iter_mut().zip(&more.rows) {
            own.iter_mut().zip(more).for_each(|(own, more)| *own += factor * more);
        }
        self.targets.iter_mut().zip(&more.targets).for_each(|(own, more)| *own += factor * more);
    }

    /// What each row gives for `x`, less its target.
    pub(super) fn errors(&self, x: &[f64]) -> Vec<f64> {
        self.rows.iter().zip(&self.targets).map(|(row, target)| dot(row, x) - target).collect()
    }

    /// The `x >= 0` for which the squared errors, each times the square of its row's weight, are least: the active set method of
    /// Lawson and Hanson. Of unknowns that depend on each other the first ones are used.
    pub(super) fn solve(&self, weights: &[f64]) -> Vec<f64> {
        let unknowns = self.rows.first().map_or(0, Vec::len);
        let column = |j: usize| -> Vec<f64> {
            let weighted = self.rows.iter().zip(weights);
            weighted.map(|(row, weight)| row.get(j).copied().unwrap_or(0.0) * weight).collect()
        };
        // Columns have length 1, so that one tolerance serves all.
        let columns: Vec<Vec<f64>> = (0..unknowns).map(column).collect();
        let lengths: Vec<f64> = columns.iter().map(|c| dot(c, c).sqrt()).collect();
        let unit: Vec<Vec<f64>> = columns
            .into_iter()
            .zip(&lengths)
            .map(|(c, &length)| c.into_iter().map(|v| if length > 0.0 { v / length } else { 0.0 }).collect())
            .collect();
        let targets: Vec<f64> = self.targets.iter().zip(weights).map(|(t, weight)| t * weight).collect();
        let normal = Normal {
            products: unit.iter().map(|a| unit.iter().map(|b| dot(a, b)).collect()).collect(),
            right: unit.iter().map(|a| dot(a, &targets)).collect(),
        };
        let scaled = normal.nonnegative();
        scaled.iter().zip(lengths).map(|(x, length)| if length > 0.0 { x / length } else { 0.0 }).collect()
    }
}

/// Normal equations of columns of length 1.
struct Normal {
    products: Vec<Vec<f64>>,
    right: Vec<f64>,
}

/// Smallest gradient, relative to columns of length 1, by which an unknown is worth being above 0.
const GRADIENT: f64 = 1e-10;

/// Smallest part of a column of length 1 that does not depend on others.
const INDEPENDENT: f64 = 1e-9;

impl Normal {
    fn nonnegative(&self) -> Vec<f64> {
        let unknowns = self.right.len();
        let mut x = vec![0.0; unknowns];
        let mut used: Vec<usize> = Vec::new();
        let mut dependent: Vec<usize> = Vec::new();
        for _ in 0..20 * unknowns {
            let gradient = |j: usize| -> f64 {
                let row = self.products.get(j).map_or(0.0, |row| dot(row, &x));
                self.right.get(j).copied().unwrap_or(0.0) - row
            };
            let free = (0..unknowns).filter(|j| !used.contains(j) && !dependent.contains(j));
            let steepest = free.map(|j| (j, gradient(j))).filter(|&(_, g)| g > GRADIENT);
            let next = steepest.fold(None, |best: Option<(usize, f64)>, (j, g)| match best {
                Some((_, most)) if most >= g => best,
                _ => Some((j, g)),
            });
            let Some((next, _)) = next else { break };
            used.push(next);
            match self.solve(&used) {
                Some(solution) if solution.last().is_some_and(|&value| value > 0.0) => {
                    self.reach(&mut x, &mut used, solution);
                    dependent.clear();
                }
                _ => {
                    used.pop();
                    dependent.push(next);
                }
            }
        }
        x
    }

    /// Moves `x` to the solution in the unknowns `used`, leaving those out that would become negative.
    fn reach(&self, x: &mut [f64], used: &mut Vec<usize>, mut solution: Vec<f64>) {
        loop {
            let values = |j: usize| x.get(j).copied().unwrap_or(0.0);
            let steps = used.iter().zip(&solution).filter(|&(_, &to)| to <= 0.0);
            let step = steps.map(|(&j, &to)| values(j) / (values(j) - to)).fold(1.0, f64::min);
            let moved: Vec<(usize, f64)> = used
                .iter()
                .zip(&solution)
                .map(|(&j, &to)| (j, values(j) + step * (to - values(j))))
                .collect();
            let whole = solution.iter().all(|&value| value > 0.0);
            for (j, value) in moved {
                if let Some(x) = x.get_mut(j) {
                    *x = if value > f64::EPSILON { value } else { 0.0 };
                }
            }
            used.retain(|&j| x.get(j).is_some_and(|&value| value > 0.0));
            if whole {
                return;
            }
            match self.solve(used) {
                Some(next) => solution = next,
                None => return,
            }
        }
    }

    /// The solution in the unknowns `used`, by elimination; `None` if they depend on each other.
    fn solve(&self, used: &[usize]) -> Option<Vec<f64>> {
        let n = used.len();
        let mut matrix: Vec<Vec<f64>> = used
            .iter()
            .map(|&i| {
                let row = self.products.get(i)?;
                let own = used.iter().map(|&j| row.get(j).copied());
                own.chain([self.right.get(i).copied()]).collect()
            })
            .collect::<Option<_>>()?;
        for i in 0..n {
            let pivot = matrix.get(i)?.clone();
            let divisor = *pivot.get(i)?;
            if divisor < INDEPENDENT {
                return None;
            }
            for (k, row) in matrix.iter_mut().enumerate() {
                if k != i {
                    let factor = row.get(i)? / divisor;
                    row.iter_mut().zip(&pivot).for_each(|(x, p)| *x -= factor * p);
                }
            }
        }
        (0..n).map(|i| Some(matrix.get(i)?.get(n)? / matrix.get(i)?.get(i)?)).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn system(rows: &[Vec<f64>], targets: &[f64]) -> System {
        System { rows: rows.to_vec(), targets: targets.to_vec() }
    }

    fn fit(rows: &[Vec<f64>], targets: &[f64]) -> Vec<f64> {
        system(rows, targets).solve(&vec![1.0; rows.len()])
    }

    #[test]
    fn exact_systems_are_solved() {
        let rows = vec![vec![10.0, -2.0, 0.0], vec![10.0, 0.0, -6.0], vec![20.0, -5.0, -5.0]];
        let x = [7.0, 2.0, 3.0];
        let targets: Vec<f64> = rows.iter().map(|row| dot(row, &x)).collect();
        let found = fit(&rows, &targets);
        assert!(found.iter().zip(x).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    }

    #[test]
    fn nothing_is_negative_and_dependent_unknowns_stay_zero() {
        let found = fit(&[vec![10.0, 0.0, 10.0], vec![20.0, 0.0, 20.0]], &[30.0, 60.0]);
        assert!((found[0] - 3.0).abs() < 1e-9 && found[1] == 0.0 && found[2] == 0.0, "{found:?}");
        let found = fit(&[vec![10.0, -5.0], vec![10.0, 0.0]], &[40.0, 30.0]);
        assert!(found[1] == 0.0 && found[0] > 3.0, "{found:?}");
        assert!(fit(&[], &[]).is_empty());
    }

    #[test]
    fn a_weight_moves_the_error_to_other_rows() {
        let system = system(&[vec![1.0], vec![1.0]], &[0.0, 1.0]);
        assert_eq!(system.errors(&system.solve(&[1.0, 1.0])), [0.5, -0.5]);
        assert!(system.solve(&[1.0, 3.0]).iter().all(|x| (x - 0.9).abs() < 1e-12));
    }

    proptest! {
        /// The conditions of Karush, Kuhn and Tucker: no unknown can move without more error.
        #[test]
        fn the_squared_errors_are_least(
            rows in vec(vec(prop_oneof![Just(0.0), -3.0..5.0f64], 5), 1..12),
            targets in vec(-2.0..9.0f64, 12),
        ) {
            let system = system(&rows, &targets[..rows.len()]);
            let x = system.solve(&vec![1.0; rows.len()]);
            let errors = system.errors(&x);
            for (j, &value) in x.iter().enumerate() {
                let slope: f64 = rows.iter().zip(&errors).map(|(row, error)| row[j] * error).sum();
                prop_assert!(value >= 0.0 && slope >= -1e-6, "{x:?}: {slope} at {j}");
                prop_assert!(value == 0.0 || slope.abs() < 1e-6, "{x:?}: {slope} at {j}");
            }
        }
    }
}
