//! Random instructions and programs, and byte mutations, for property tests here and in other crates.
//!
//! Everything is a function of the generator's seed.

mod instr;
mod places;
mod program;

pub use instr::{random_instr, random_of};
pub(crate) use places::Places;
pub use program::random_program;

/// A small generator of our own (SplitMix64): a seed means the same program with any version of the dependencies.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator with this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Rng(seed)
    }

    /// The next 64 random bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 if `n` is 0.
    pub const fn below(&mut self, n: u64) -> u64 {
        let bits = self.bits();
        if n == 0 { 0 } else { bits % n }
    }

    /// A number in `min..=max`, and often one of the two ends.
    pub fn range(&mut self, min: i64, max: i64) -> i64 {
        match self.below(8) {
            0 => min,
            1 => max,
            _ => {
                let span = max.wrapping_sub(min) as u64;
                let offset = if span == u64::MAX { self.bits() } else { self.below(span + 1) };
                min.wrapping_add(offset as i64)
            }
        }
    }

    /// True with probability 1 / `n`.
    pub const fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of `items`, or the default of an empty list.
    pub fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let index = self.below(items.len() as u64) as usize;
        items.get(index).copied().unwrap_or_default()
    }
}

/// Changes `bytes` at one to four positions: flips bits, overwrites, inserts, removes, truncates, repeats.
pub fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    /// Boundary values for lengths, counts and offsets.
    const EDGES: [u64; 8] = [0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len() as u64) as usize;
        match rng.below(7) {
            0 | 1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << rng.below(8);
                }
            }
            2 => {
                let (value, width) = (rng.pick(&EDGES).to_le_bytes(), 1 << rng.below(4));
                bytes.iter_mut().skip(at).zip(value).take(width).for_each(|(b, v)| *b = v);
            }
            3 => bytes.insert(at, rng.bits() as u8),
            4 => {
                let end = bytes.len().min(at + rng.below(16) as usize);
                bytes.drain(at.min(end)..end);
            }
            5 if rng.one_in(4) => bytes.truncate(at),
            _ => {
                let end = bytes.len().min(at + rng.below(16) as usize);
                let copy: Vec<u8> = bytes.get(at..end).unwrap_or_default().to_vec();
                let to = rng.below(bytes.len() as u64) as usize;
                bytes.iter_mut().skip(to).zip(copy).for_each(|(b, v)| *b = v);
            }
        }
    }
}
