//! Permutations of dimensions, as in `tosa.transpose`: dimension `i` of the result is `perms[i]` of the input.

/// Whether `perms` contains every number below `rank` once.
#[must_use]
pub fn is_permutation(perms: &[usize], rank: usize) -> bool {
    let mut seen = vec![false; rank];
    perms.len() == rank
        && perms.iter().all(|&p| seen.get_mut(p).is_some_and(|slot| !std::mem::replace(slot, true)))
}

/// The inverse of `perms`.
#[must_use]
pub fn invert(perms: &[usize]) -> Option<Vec<usize>> {
    is_permutation(perms, perms.len()).then_some(())?;
    let mut inverse = vec![0; perms.len()];
    for (i, &p) in perms.iter().enumerate() {
        inverse[p] = i;
    }
    Some(inverse)
}

/// The composition of `first`, then `second`.
#[must_use]
pub fn compose(first: &[usize], second: &[usize]) -> Option<Vec<usize>> {
    (first.len() == second.len()).then_some(())?;
    second.iter().map(|&p| first.get(p).copied()).collect()
}

/// Whether every dimension keeps its index.
#[must_use]
pub fn is_identity(perms: &[usize]) -> bool {
    perms.iter().enumerate().all(|(i, &p)| i == p)
}

/// Whether the transpose keeps the order of the elements, because only dimensions of size 1 move: then it is a reshape.
#[must_use]
pub fn moves_nothing(shape: &[u64], perms: &[usize]) -> bool {
    let kept: Vec<usize> = perms.iter().copied().filter(|&p| shape.get(p).is_some_and(|&d| d != 1)).collect();
    is_permutation(perms, shape.len()) && kept.is_sorted()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks() {
        assert!(is_permutation(&[2, 0, 1], 3));
        assert!(!is_permutation(&[2, 0, 2], 3));
        assert!(!is_permutation(&[0, 1, 3], 3));
        assert!(!is_permutation(&[0, 1], 3));
        assert!(is_permutation(&[], 0));
    }

    #[test]
    fn composes_and_inverts() {
        // NHWC -> NCHW -> NHWC
        assert_eq!(compose(&[0, 3, 1, 2], &[0, 2, 3, 1]), Some(vec![0, 1, 2, 3]));
        assert_eq!(compose(&[1, 2, 0], &[1, 2, 0]), Some(vec![2, 0, 1]));
        assert_eq!(compose(&[1, 0], &[0, 1, 2]), None);
        assert_eq!(invert(&[1, 2, 0]), Some(vec![2, 0, 1]));
        assert_eq!(invert(&[1, 1]), None);
        assert!(is_identity(&[0, 1, 2]) && !is_identity(&[0, 2, 1]));
    }

    #[test]
    fn unit_dimensions_may_move() {
        assert!(moves_nothing(&[1, 7, 1, 64], &[1, 0, 3, 2]));
        assert!(moves_nothing(&[1, 1, 1, 64], &[0, 3, 1, 2]));
        assert!(!moves_nothing(&[1, 7, 7, 64], &[0, 3, 1, 2]));
        assert!(!moves_nothing(&[2, 2], &[1, 0]));
    }
}
