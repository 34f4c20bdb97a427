//! Least squares with few unknowns that must not be negative.

/// The coefficients `x >= 0` that minimize the squared errors of `rows · x = targets`, and that satisfy `legal`. Every subset of
/// the unknowns is tried as the ones that are not 0.
pub(super) fn fit(rows: &[Vec<f64>], targets: &[f64], legal: impl Fn(&[f64]) -> bool) -> Vec<f64> {
    let unknowns = rows.first().map_or(0, Vec::len);
    let mut best = vec![0.0; unknowns];
    let mut least = error(rows, targets, &best);
    for subset in 1u32..1 << unknowns {
        let used: Vec<usize> = (0..unknowns).filter(|i| subset >> i & 1 == 1).collect();
        let Some(solution) = solve(rows, targets, &used) else { continue };
        let mut x = vec![0.0; unknowns];
        for (&i, &value) in used.iter().zip(&solution) {
            if let Some(x) = x.get_mut(i) {
                *x = value;
            }
        }
        let e = error(rows, targets, &x);
        if x.iter().all(|&x| x >= 0.0) && legal(&x) && e < least {
            (best, least) = (x, e);
        }
    }
    best
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Sum of squared errors.
fn error(rows: &[Vec<f64>], targets: &[f64], x: &[f64]) -> f64 {
    rows.iter().zip(targets).map(|(row, t)| (dot(row, x) - t).powi(2)).sum()
}

/// Normal equations in the unknowns `used`, by elimination; `None` if they are dependent.
fn solve(rows: &[Vec<f64>], targets: &[f64], used: &[usize]) -> Option<Vec<f64>> {
    let n = used.len();
    let scaled: Vec<Vec<f64>> =
        rows.iter().map(|row| used.iter().map(|&i| row.get(i).copied().unwrap_or(0.0)).collect()).collect();
    let mut matrix: Vec<Vec<f64>> = (0..n)
        .map(|i| {
            let column =
                |j: usize| -> f64 { scaled.iter().filter_map(|r| Some(r.get(i)? * r.get(j)?)).sum() };
            let right: f64 = scaled.iter().zip(targets).filter_map(|(r, t)| Some(r.get(i)? * t)).sum();
            (0..n).map(column).chain([right]).collect()
        })
        .collect();
    for i in 0..n {
        let largest = matrix.get(i)?.get(i)?.abs();
        let scale = scaled.iter().filter_map(|r| r.get(i)).map(|x| x * x).sum::<f64>();
        if largest <= 1e-9 * scale || largest == 0.0 {
            return None;
        }
        let pivot = matrix.get(i)?.clone();
        for (k, row) in matrix.iter_mut().enumerate() {
            if k != i {
                let factor = row.get(i)? / pivot.get(i)?;
                row.iter_mut().zip(&pivot).for_each(|(x, p)| *x -= factor * p);
            }
        }
    }
    (0..n).map(|i| Some(matrix.get(i)?.get(n)? / matrix.get(i)?.get(i)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_systems_are_solved() {
        let rows = vec![vec![10.0, -2.0, 0.0], vec![10.0, 0.0, -6.0], vec![20.0, -5.0, -5.0]];
        let x = [7.0, 2.0, 3.0];
        let targets: Vec<f64> = rows.iter().map(|row| dot(row, &x)).collect();
        let found = fit(&rows, &targets, |_| true);
        assert!(found.iter().zip(x).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    }

    #[test]
    fn nothing_is_negative_and_dependent_unknowns_stay_zero() {
        let rows = vec![vec![10.0, 0.0], vec![20.0, 0.0]];
        let found = fit(&rows, &[30.0, 60.0], |_| true);
        assert!((found[0] - 3.0).abs() < 1e-9 && found[1] == 0.0, "{found:?}");
        let rows = vec![vec![10.0, -5.0], vec![10.0, 0.0]];
        let found = fit(&rows, &[40.0, 30.0], |_| true);
        assert!(found[1] == 0.0 && found[0] > 3.0, "{found:?}");
    }
}
