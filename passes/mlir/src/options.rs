//! Lists of options, put together while compiling.

use strum_ir::PassOption;

/// Joins lists of `N` options in all.
pub(crate) const fn join<const N: usize>(lists: &[&[PassOption]]) -> [PassOption; N] {
    let mut all = [PassOption::bool("", false, ""); N];
    let (mut list, mut at) = (0, 0);
    while list < lists.len() {
        let mut i = 0;
        while i < lists[list].len() {
            all[at] = lists[list][i];
            at += 1;
            i += 1;
        }
        list += 1;
    }
    assert!(at == N, "the lists do not have N options");
    all
}
