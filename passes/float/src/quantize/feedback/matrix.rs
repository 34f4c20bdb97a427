//! Symmetric positive definite matrices in double precision.

use ndarray::Array2;
use rayon::prelude::*;

/// Parallel partial sums; their order is fixed, so results do not depend on the processor.
const LANES: usize = 8;

/// The upper triangular `U` with `Uᵀ U` the inverse of a symmetric matrix; nothing if the matrix is not positive definite.
///
/// The inverse of the reversed matrix is `Lᵀ L`, with `L` the inverse of its lower factor; `L` reversed is `U`.
pub(super) fn inverse_factor(matrix: &Array2<f64>) -> Option<Array2<f64>> {
    let n = matrix.nrows();
    let mut rows: Vec<Vec<f64>> =
        (0..n).map(|i| (0..=i).map(|j| matrix[[n - 1 - i, n - 1 - j]]).collect()).collect();
    if !factor(&mut rows) {
        return None;
    }
    let columns: Vec<Vec<f64>> = (0..n).into_par_iter().map(|column| inverse_column(&rows, column)).collect();
    Some(Array2::from_shape_fn((n, n), |(i, j)| {
        // Columns begin at the diagonal.
        columns.get(n - 1 - j).and_then(|column| column.get(j.checked_sub(i)?)).copied().unwrap_or(0.0)
    }))
}

/// Cholesky's lower factor, in place of the rows of a lower triangle; false if there is none.
fn factor(rows: &mut [Vec<f64>]) -> bool {
    for column in 0..rows.len() {
        let (done, below) = rows.split_at_mut(column + 1);
        let Some((pivot, known)) = done.last_mut().and_then(|row| row.split_last_mut()) else { return false };
        *pivot -= dot(known, known);
        *pivot = pivot.sqrt();
        let (pivot, known) = (*pivot, &*known);
        if !pivot.is_normal() {
            return false;
        }
        below.par_iter_mut().for_each(|row| {
            let (before, at) = row.split_at_mut(column);
            if let Some(at) = at.first_mut() {
                *at = (*at - dot(before, known)) / pivot;
            }
        });
    }
    true
}

/// A column of the inverse of a lower triangle, from its diagonal on.
fn inverse_column(rows: &[Vec<f64>], column: usize) -> Vec<f64> {
    let mut result: Vec<f64> = Vec::with_capacity(rows.len() - column);
    for row in rows.iter().skip(column) {
        let Some((diagonal, before)) = row.split_last() else { break };
        let sum = before.get(column..).map_or(0.0, |before| dot(before, &result));
        let unit = if result.is_empty() { 1.0 } else { 0.0 };
        result.push((unit - sum) / diagonal);
    }
    result
}

/// The dot product over the length of the shorter operand.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    let (a, b) = (a.split_at(n).0, b.split_at(n).0);
    let mut sums = [0.0; LANES];
    let (a_rest, b_rest) = (a.chunks_exact(LANES).remainder(), b.chunks_exact(LANES).remainder());
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_factor_gives_the_inverse(n in 1usize..24, seed in proptest::collection::vec(-1.0f64..1.0, 24 * 30)) {
            let x = Array2::from_shape_fn((30, n), |(i, j)| seed[i * 24 + j]);
            let mut h = x.t().dot(&x);
            h.diag_mut().iter_mut().for_each(|d| *d += 0.1);
            let u = inverse_factor(&h).unwrap();
            let identity = u.t().dot(&u).dot(&h);
            for ((i, j), &value) in identity.indexed_iter() {
                prop_assert!((value - f64::from(u8::from(i == j))).abs() < 1e-9, "{i} {j} {value}");
                prop_assert!(i <= j || u[[i, j]] == 0.0);
            }
        }
    }

    #[test]
    fn what_is_not_positive_has_no_factor() {
        let matrix = |values: [f64; 4]| Array2::from_shape_vec((2, 2), values.to_vec()).unwrap();
        assert_eq!(inverse_factor(&matrix([1.0, 2.0, 2.0, 1.0])), None);
        assert_eq!(inverse_factor(&matrix([f64::NAN, 0.0, 0.0, 1.0])), None);
        assert_eq!(inverse_factor(&matrix([0.0, 0.0, 0.0, 1.0])), None);
    }
}
