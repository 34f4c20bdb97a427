//! What a name that does not exist may have been meant to be.

/// The name that is nearest, if it is near enough for a slip.
pub(crate) fn nearest<'n>(name: &str, known: &[&'n str]) -> Option<&'n str> {
    const NEAR: f64 = 0.6;
    let near = known.iter().map(|known| (strsim::normalized_damerau_levenshtein(name, known), *known));
    near.filter(|(near, _)| *near > NEAR).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}
