//! The binary records of a section: vectors and the trailer.
//!
//! Invariant: all integers are little endian, and all vectors of a section have the same size.

use crate::TraceError;
use crate::header::Header;

/// The first byte of a record: bits of a vector, or a trailer.
pub(crate) const FIRST: u8 = 1;
pub(crate) const LAST: u8 = 2;
pub(crate) const TRAILER: u8 = 0x80;

/// Bytes of a vector before its activations.
pub(crate) const FIXED: usize = 26;
/// Bytes of a trailer after its first byte.
pub(crate) const TRAILER_BYTES: usize = 9;

/// What a PE multiplies for one output at one tap, in one or several steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vector {
    /// The PE: `row · cols + column`.
    pub pe: u16,
    /// Whether it is the PE's first vector of this output.
    pub first: bool,
    /// Whether it is the PE's last vector of this output.
    pub last: bool,
    /// The accumulator of the PE: channel, then row, then column of its block.
    pub accumulator: u16,
    /// Output channel, row and column in the tile.
    pub output: [u32; 3],
    /// Left shift of the low codes of `dliq`; otherwise 0.
    pub code_shift: u8,
    /// Activations as stored, one per channel of the vector. Those in the padding and beyond the last channel equal the
    /// zero point.
    pub acts: Vec<i16>,
    /// The stored weights: bytes of plain ones; mask if one is stored, high codes and low codes of packed blocks, least significant bit
    /// first.
    pub word: Vec<u8>,
    /// The accumulator before the products are added.
    pub before: i32,
    /// The accumulator after them; sums wrap.
    pub after: i32,
}

/// The end of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// Vectors of the section.
    pub records: u64,
    /// Whether the limit left out vectors of at least one of the traced PEs.
    pub cut: bool,
}

impl Vector {
    /// Appends the record to `out`.
    pub(crate) fn encode(&self, header: &Header, out: &mut Vec<u8>) -> Result<(), TraceError> {
        let (acts, word) = (self.acts.len(), self.word.len());
        let Header { vector, word_bytes, .. } = *header;
        if (acts as u64, word as u64) != (vector.into(), word_bytes.into()) {
            return Err(TraceError::Shape { acts, word, vector, word_bytes });
        }
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        out.extend([flag(self.first, FIRST) | flag(self.last, LAST), self.code_shift]);
        out.extend(self.pe.to_le_bytes());
        out.extend(self.accumulator.to_le_bytes());
        self.output.iter().for_each(|n| out.extend(n.to_le_bytes()));
        out.extend(self.before.to_le_bytes());
        out.extend(self.after.to_le_bytes());
        self.acts.iter().for_each(|x| out.extend(x.to_le_bytes()));
        out.extend(&self.word);
        Ok(())
    }

    /// Bytes of a record.
    pub(crate) fn bytes(header: &Header) -> usize {
        FIXED + 2 * header.vector as usize + header.word_bytes as usize
    }

    /// The vector of a record's bytes; `None` if these are not as long as [`Vector::bytes`] or have unknown flags.
    pub(crate) fn decode(header: &Header, bytes: &[u8]) -> Option<Vector> {
        let (fixed, rest) = bytes.split_first_chunk::<FIXED>()?;
        let [flags, code_shift, fixed @ ..] = *fixed;
        let (shorts, words) = fixed.split_first_chunk::<4>()?;
        let [pe, accumulator] = [[shorts[0], shorts[1]], [shorts[2], shorts[3]]].map(u16::from_le_bytes);
        let [words @ .., before, after] = words.as_chunks::<4>().0 else { return None };
        let mut output = [0; 3];
        output.iter_mut().zip(words).for_each(|(to, from)| *to = u32::from_le_bytes(*from));
        let (acts, word) = rest.split_at_checked(2 * header.vector as usize)?;
        if flags & !(FIRST | LAST) != 0 || word.len() != header.word_bytes as usize {
            return None;
        }
        Some(Vector {
            pe,
            first: flags & FIRST != 0,
            last: flags & LAST != 0,
            accumulator,
            output,
            code_shift,
            acts: acts.as_chunks().0.iter().map(|x| i16::from_le_bytes(*x)).collect(),
            word: word.to_vec(),
            before: i32::from_le_bytes(*before),
            after: i32::from_le_bytes(*after),
        })
    }
}

impl Trailer {
    pub(crate) fn encode(self) -> [u8; 1 + TRAILER_BYTES] {
        let mut out = [TRAILER, self.cut.into(), 0, 0, 0, 0, 0, 0, 0, 0];
        out.iter_mut().skip(2).zip(self.records.to_le_bytes()).for_each(|(to, from)| *to = from);
        out
    }

    /// The trailer of the bytes after its first; `None` if a flag is neither 0 nor 1.
    pub(crate) fn decode(bytes: [u8; TRAILER_BYTES]) -> Option<Trailer> {
        let [cut, records @ ..] = bytes;
        (cut < 2).then(|| Trailer { records: u64::from_le_bytes(records), cut: cut == 1 })
    }
}
