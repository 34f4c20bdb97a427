//! Indexing maps that only select loops: `(d0, d1, d2) -> (d2, 0, d0)`.

/// One result of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    /// The index of this loop.
    Loop(usize),
    /// Always index 0.
    First,
}

/// A map's number of loops and its results; nothing for other maps.
pub(super) fn parse(text: &str) -> Option<(usize, Vec<Axis>)> {
    let inner = text.trim().strip_prefix("affine_map<")?.strip_suffix('>')?;
    let (loops, results) = inner.split_once("->")?;
    let list = |text: &str| -> Option<Vec<String>> {
        let inside = text.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(inside.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect())
    };
    let loops = list(loops)?;
    let axis = |result: &String| match result.as_str() {
        "0" => Some(Axis::First),
        name => loops.iter().position(|l| l == name).map(Axis::Loop),
    };
    let results = list(results)?.iter().map(axis).collect::<Option<Vec<_>>>()?;
    Some((loops.len(), results))
}

/// The axes of a value in the order of their loops. An axis without a loop has one element and stays in place, so that a value whose
/// axes are in order is not transposed.
pub(super) fn in_loop_order(rank: usize, along: impl Fn(usize) -> Option<usize>) -> Vec<usize> {
    let mut ordered: Vec<usize> = (0..rank).filter(|&axis| along(axis).is_some()).collect();
    ordered.sort_by_key(|&axis| along(axis));
    let mut ordered = ordered.into_iter();
    (0..rank).map(|axis| if along(axis).is_some() { ordered.next().unwrap_or(axis) } else { axis }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_that_pick_are_read_and_others_are_not() {
        let read = parse("affine_map<(d0, d1, d2) -> (d2, 0, d0)>");
        assert_eq!(read, Some((3, vec![Axis::Loop(2), Axis::First, Axis::Loop(0)])));
        assert_eq!(parse("affine_map<(d0, d1) -> ()>"), Some((2, vec![])));
        assert_eq!(parse("affine_map<() -> ()>"), Some((0, vec![])));
        for text in [
            "affine_map<(d0, d1) -> (d0 + d1)>",
            "affine_map<(d0)[s0] -> (s0)>",
            "",
            "affine_map<(d0) -> (1)>",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
