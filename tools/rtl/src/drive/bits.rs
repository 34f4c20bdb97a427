//! Bit strings of any length, least significant bit first.

/// A bit string.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Bits {
    words: Vec<u64>,
    length: usize,
}

impl Bits {
    /// Zeros.
    pub(crate) fn zeros(length: usize) -> Bits {
        Bits { words: vec![0; length.div_ceil(64)], length }
    }

    /// The first `length` bits of `bytes`; zeros beyond their end.
    pub(crate) fn of_bytes(bytes: &[u8], length: usize) -> Bits {
        let mut bits = Bits::zeros(length);
        for (i, &byte) in bytes.iter().enumerate() {
            let room = length.saturating_sub(8 * i).min(8) as u32;
            bits.set(8 * i, room, byte.into());
        }
        bits
    }

    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    /// Appends the low `width` bits of `value`, at most 64.
    pub(crate) fn push(&mut self, width: u32, value: u64) {
        let at = self.length;
        self.length += width as usize;
        self.words.resize(self.length.div_ceil(64), 0);
        self.set(at, width, value);
    }

    /// Appends all bits of another string.
    pub(crate) fn append(&mut self, other: &Bits) {
        for (i, &word) in other.words.iter().enumerate() {
            self.push(other.length.saturating_sub(64 * i).min(64) as u32, word);
        }
    }

    /// Sets `width` bits, at most 64, from bit `at` on, as far as they are within the length.
    pub(crate) fn set(&mut self, at: usize, width: u32, value: u64) {
        for i in 0..width as usize {
            let (word, bit) = ((at + i) / 64, (at + i) % 64);
            if at + i < self.length
                && let Some(word) = self.words.get_mut(word)
            {
                *word = *word & !(1 << bit) | (value >> i & 1) << bit;
            }
        }
    }

    /// `width` bits, at most 64, from bit `at` on; zeros beyond the end.
    pub(crate) fn get(&self, at: usize, width: u32) -> u64 {
        (0..width as usize).fold(0, |value, i| {
            let word = self.words.get((at + i) / 64).copied().unwrap_or(0);
            value | (word >> ((at + i) % 64) & 1) << i
        })
    }
}
