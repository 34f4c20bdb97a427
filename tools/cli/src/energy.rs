//! Energies as people read them: with three decimals, in the unit that suits their size. Files and JSON objects have femtojoules.

/// A unit of energy, and how many femtojoules it has.
pub type Unit = (&'static str, f64);

const UNITS: [Unit; 4] = [("nJ", 1e6), ("µJ", 1e9), ("mJ", 1e12), ("J", 1e15)];

/// An energy in fJ with its unit: `104.582 µJ`.
#[must_use]
pub fn text(fj: u64) -> String {
    let fj = fj as f64;
    let (unit, size) = UNITS.into_iter().rev().find(|(_, size)| fj >= *size).unwrap_or(UNITS[0]);
    format!("{:.3} {unit}", fj / size)
}

/// The unit of a column with this maximum in fJ: one in which small energies beside it keep digits.
#[must_use]
pub fn column(most: u64) -> Unit {
    let limits = [1e10, 1e14, 1e18];
    let place = limits.iter().filter(|limit| most as f64 >= **limit).count();
    UNITS.get(place).copied().unwrap_or(UNITS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energies_have_the_unit_that_suits_them() {
        let texts = [0, 753_200, 999_999_000, 1_000_000_000, 104_581_585_352, 9_693_900_000_000].map(text);
        assert_eq!(texts, ["0.000 nJ", "0.753 nJ", "999.999 nJ", "1.000 µJ", "104.582 µJ", "9.694 mJ"]);
        assert_eq!(text(u64::MAX), "18446.744 J");
        let units = [0, 9_999_999_999, 10_000_000_000, 99_999_999_999_999, 100_000_000_000_000, u64::MAX];
        assert_eq!(units.map(|fj| column(fj).0), ["nJ", "nJ", "µJ", "µJ", "mJ", "J"]);
    }
}
