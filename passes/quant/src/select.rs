//! Selects the low members of a block.
//!
//! Under "exactly `low` members" the errors of the members add, so sorting by error finds the optimal set exactly. A key packs
//! the whole order into one integer; the keys of a block are distinct.

use strum_formats::{LowMap, padding_mask};

/// The criterion for the low members of a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Select {
    /// The least squared error of the block; ties by smaller magnitude, then smaller index.
    #[default]
    Error,
    /// The smallest magnitudes; ties by smaller error, then smaller index.
    Magnitude,
    /// The least squared error of the block, each member's weighted by the second moment of its input channel; ties by smaller
    /// magnitude, then smaller index.
    Activation,
}

impl Select {
    /// Every selection.
    pub const ALL: [Select; 3] = [Select::Error, Select::Magnitude, Select::Activation];

    /// The name as users write it.
    pub const fn name(self) -> &'static str {
        match self {
            Select::Error => "error",
            Select::Magnitude => "magnitude",
            Select::Activation => "activation",
        }
    }

    /// The selection of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|select| select.name() == name)
    }
}

/// Bits kept free below a key for the index within the block (at most 32 members).
const INDEX_BITS: u32 = 5;
/// Added to the key of every real member, so that padding sorts first.
const REAL: u32 = 1 << 31;

/// Sort keys of all 256 weight codes.
pub(crate) struct Keys([u32; 256]);

impl Keys {
    /// A squared error takes 15 bits (at most 2^14, -128 stored as 0), a magnitude 8, an index 5 and the padding flag 1:
    /// 29 of 32 bits.
    pub(crate) fn new(map: &LowMap, select: Select) -> Self {
        Self(std::array::from_fn(|code| {
            let magnitude = u32::from((code as u8).cast_signed().unsigned_abs());
            let error = u32::from(map.error[code]);
            let order = match select {
                // With moments the order is that of `weighted`, which uses the error itself.
                Select::Error | Select::Activation => error << 8 | magnitude,
                Select::Magnitude => magnitude << 15 | error,
            };
            REAL | order << INDEX_BITS
        }))
    }

    /// The mask (bit = 1 high) of a block of `W` members, of which the first `codes.len()` are real and `low` become low.
    #[inline]
    pub(crate) fn mask<const W: usize>(&self, codes: &[i8], low: u32) -> u32 {
        // Padding keys are the bare index.
        let mut keys: [u32; W] = std::array::from_fn(|i| i as u32);
        for (key, code) in keys.iter_mut().zip(codes) {
            *key |= self.0[usize::from(code.cast_unsigned())];
        }
        // Counting smaller keys is branch-free and vectorizes; at these lengths it beats any partial sort.
        let mut mask = 0;
        for (i, &key) in keys.iter().enumerate() {
            let rank: u32 = keys.iter().map(|&other| u32::from(other < key)).sum();
            mask |= u32::from(rank >= low) << i;
        }
        mask
    }
}

/// [`Keys::mask`] for a block length known only at run time.
pub(crate) fn mask(keys: &Keys, w: u8, codes: &[i8], low: u32) -> u32 {
    match w {
        4 => keys.mask::<4>(codes, low),
        8 => keys.mask::<8>(codes, low),
        16 => keys.mask::<16>(codes, low),
        _ => keys.mask::<32>(codes, low),
    }
}

/// The mask of a block by errors times second moments, one for each member.
///
/// A product of doubles is the same everywhere, so the selection is as well.
pub(crate) fn weighted(map: &LowMap, w: u8, codes: &[i8], moments: &[f64], low: u32) -> u32 {
    let key = |(index, (&code, &moment)): (usize, (&i8, &f64))| {
        // The bits of non-negative numbers are ordered like their values.
        let error = (f64::from(map.error[usize::from(code.cast_unsigned())]) * moment).to_bits();
        (error, code.unsigned_abs(), index)
    };
    let mut keys: Vec<_> = codes.iter().zip(moments).enumerate().map(key).collect();
    keys.sort_unstable();
    let padding = usize::from(w).saturating_sub(codes.len());
    let real = usize::try_from(low).unwrap_or(usize::MAX).saturating_sub(padding);
    let high = keys.iter().skip(real).fold(0, |mask, (_, _, index)| mask | 1 << index);
    let low = u8::try_from(low).unwrap_or(u8::MAX);
    high | padding_mask(w, low, codes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum_formats::{DliqShift, Method};

    fn low_indices(method: Method, select: Select, w: u8, low: u32, codes: &[i8]) -> Vec<u32> {
        let mask = mask(&Keys::new(&LowMap::new(&method, 0), select), w, codes, low);
        (0..u32::from(w)).filter(|i| mask >> i & 1 == 0).collect()
    }

    #[test]
    fn ties_by_magnitude_then_index() {
        let mip2q = Method::Mip2q { l: 7, zero: false };
        // Errors 0 0 1 1: 64 and 8 are exact, 3 and 5 miss by one.
        assert_eq!(low_indices(mip2q, Select::Error, 4, 1, &[5, 64, 3, 8]), [3]);
        assert_eq!(low_indices(mip2q, Select::Error, 4, 3, &[5, 64, 3, 8]), [1, 2, 3]);
        assert_eq!(low_indices(mip2q, Select::Error, 4, 2, &[2, -2, 2, -2]), [0, 1]);
        assert_eq!(low_indices(mip2q, Select::Magnitude, 4, 2, &[5, 64, 3, 8]), [0, 2]);
    }

    #[test]
    fn magnitude_ties_by_error() {
        let dliq = Method::Dliq { q: 4, shift: DliqShift::Layer(0) };
        // -8 is exact in four bits, 8 is not.
        assert_eq!(low_indices(dliq, Select::Magnitude, 4, 1, &[8, -8, 9, 9]), [1]);
    }

    #[test]
    fn padding_goes_low_first_and_the_rest_of_it_high() {
        let sparse = Method::Sparse;
        assert_eq!(low_indices(sparse, Select::Error, 8, 4, &[0, 0, 0, 9, 9, 9]), [0, 1, 6, 7]);
        assert_eq!(low_indices(sparse, Select::Error, 8, 2, &[0, 0, 0]), [3, 4]);
        assert_eq!(padding_mask(8, 4, 6), 0);
        assert_eq!(padding_mask(8, 2, 3), 0b1110_0000);
        assert_eq!(padding_mask(8, 0, 3), 0b1111_1000);
        assert_eq!(padding_mask(32, 8, 32), 0);
    }
}
