//! Bit streams, least significant bit first, as used by weight sets. Reading past the end gives zeros.

/// Appends bit fields to a caller's zeroed bytes.
pub(crate) struct BitWriter<'a> {
    out: &'a mut [u8],
    at: usize,
    pending: u64,
    filled: u32,
}

impl<'a> BitWriter<'a> {
    pub(crate) fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 0, pending: 0, filled: 0 }
    }

    /// Appends the low `width` (at most 32) bits of `value`, whose other bits must be zero.
    #[inline]
    pub(crate) fn push(&mut self, value: u32, width: u32) {
        self.pending |= u64::from(value) << self.filled;
        self.filled += width;
        if self.filled >= 32 {
            self.emit(4);
            self.pending >>= 32;
            self.filled -= 32;
        }
    }

    /// Writes what is pending; the rest of the last byte stays zero.
    pub(crate) fn finish(mut self) {
        self.emit(self.filled.div_ceil(8) as usize);
    }

    #[inline]
    fn emit(&mut self, count: usize) {
        let bytes = self.pending.to_le_bytes();
        if let (Some(to), Some(from)) = (self.out.get_mut(self.at..self.at + count), bytes.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
    }
}

/// Reads bit fields from any position in a byte string.
#[derive(Clone)]
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    /// Starts at bit `at`.
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The next `width` (at most 32) bits.
    #[inline]
    pub(crate) fn take(&mut self, width: u32) -> u32 {
        let byte = self.at / 8;
        let mut window = [0; 8];
        match self.bytes.get(byte..byte + 8) {
            Some(eight) => window.copy_from_slice(eight),
            None => {
                for (to, from) in window.iter_mut().zip(self.bytes.get(byte..).unwrap_or_default()) {
                    *to = *from;
                }
            }
        }
        let bits = u64::from_le_bytes(window) >> (self.at % 8);
        self.at += width as usize;
        (bits & ((1 << width) - 1)) as u32
    }

    /// Skips `bits` bits.
    pub(crate) fn skip(&mut self, bits: usize) {
        self.at += bits;
    }

    /// Whether every bit from here to the end is zero.
    pub(crate) fn rest_is_zero(mut self) -> bool {
        let total = self.bytes.len() * 8;
        while self.at < total {
            if self.take(32) != 0 {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fields_come_back(fields in prop::collection::vec((any::<u32>(), 0u32..=32), 0..40)) {
            let masked: Vec<_> =
                fields.iter().map(|&(value, width)| ((u64::from(value) & ((1u64 << width) - 1)) as u32, width)).collect();
            let bits: u32 = masked.iter().map(|f| f.1).sum();
            let mut bytes = vec![0; (bits as usize).div_ceil(8) + 3];
            let mut writer = BitWriter::new(&mut bytes);
            for &(value, width) in &masked {
                writer.push(value, width);
            }
            writer.finish();
            let mut reader = BitReader::new(&bytes, 0);
            for &(value, width) in &masked {
                prop_assert_eq!(reader.take(width), value);
            }
            prop_assert!(reader.rest_is_zero());
        }
    }

    #[test]
    fn the_end_reads_as_zero() {
        let mut reader = BitReader::new(&[0xff], 4);
        assert_eq!(reader.take(12), 0xf);
        assert_eq!(reader.take(32), 0);
    }
}
