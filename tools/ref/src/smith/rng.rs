//! A small generator of our own, so that a seed means the same case for ever.

use crate::Dtype;

/// SplitMix64.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Self(seed);
        rng.next();
        rng
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A generator with this seed.
    pub(crate) fn fork(&mut self) -> Self {
        Self::new(self.next())
    }

    /// `0..end`, with `end` at least 1.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// `low..=high`.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// `low..=high`.
    pub(crate) fn int(&mut self, low: i64, high: i64) -> i64 {
        let span = (high - low) as u64 + 1;
        low + (self.next() % span) as i64
    }

    /// True with a probability of `percent`.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of several.
    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// Values of a type: uniform, small, or mostly corners, of at most `bits` bits.
    pub(crate) fn values(&mut self, dtype: Dtype, bits: u32, count: usize) -> Vec<i64> {
        if dtype == Dtype::Bool {
            return (0..count).map(|_| self.int(0, 1)).collect();
        }
        let bits = bits.clamp(1, dtype.bits());
        let (min, max) = (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1);
        let style = self.below(10);
        let corners = [min, min + 1, -1, 0, 1, max.saturating_sub(1), max];
        let small = max.min(7);
        let one = |rng: &mut Self| match style {
            0 => rng.pick(&corners).clamp(min, max),
            1 => rng.int(-small - 1, small),
            _ if rng.chance(5) => rng.pick(&corners).clamp(min, max),
            _ => rng.int(min, max),
        };
        (0..count).map(|_| one(self)).collect()
    }

    /// An extent of an axis: odd ones, powers of two and their neighbours.
    pub(crate) fn extent(&mut self, max: usize) -> usize {
        let extents = [
            1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 255, 256, 257,
            500, 512, 1000, 1024, 1025, 2047, 2048, 2049, 4096, 5000,
        ];
        let fitting = extents.iter().take_while(|&&extent| extent <= max).count();
        self.pick(&extents[..fitting.max(1)])
    }

    /// A shape of that rank with at most `max` elements.
    pub(crate) fn shape(&mut self, rank: usize, max: usize) -> Vec<usize> {
        let mut left = max;
        let mut shape = Vec::new();
        for axis in 0..rank {
            // The later axes get a share of the rest, mostly.
            let mut share = 1;
            while (share + 1usize).checked_pow((rank - axis) as u32).is_some_and(|product| product <= left) {
                share += 1;
            }
            let most = if self.chance(20) { left } else { left.min(2 * share) };
            let extent = self.extent(most);
            left /= extent;
            shape.push(extent);
        }
        // Large axes can be at any position.
        for i in (1..shape.len()).rev() {
            shape.swap(i, self.below(i + 1));
        }
        shape
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_seed_for_ever() {
        let mut rng = Rng::new(1);
        assert_eq!([rng.next(), rng.next()], [0xbeeb_8da1_658e_ec67, 0xf893_a2ee_fb32_555e]);
    }

    #[test]
    fn values_fit() {
        let mut rng = Rng::new(7);
        for dtype in Dtype::ALL {
            for bits in 1..=33 {
                let values = rng.values(dtype, bits, 50);
                let half = 1i64 << (bits.min(dtype.bits()) - 1);
                assert!(values.iter().all(|&v| (-half..half).contains(&v)));
            }
        }
        for _ in 0..1000 {
            let rank = rng.between(1, 6);
            let shape = rng.shape(rank, 500);
            assert!(shape.len() == rank && shape.iter().product::<usize>() <= 500);
        }
    }
}
