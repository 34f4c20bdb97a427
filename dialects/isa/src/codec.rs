//! Binary encoding: little-endian 64-bit words, fields bit-packed LSB first in table order.
//!
//! Bits 0..8 of the first word are the opcode, bits 8..16 the number of words; the fields follow at bit 16,
//! and unused bits at the end are zero. Every accepted pattern encodes back to itself.

use crate::field::{FieldError, FieldKind, InstrDesc};
use crate::table::Instr;

/// Bits of opcode and length.
const HEADER_BITS: usize = 16;

/// Why bytes are not an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset:#x}: {kind}")]
pub struct DecodeError {
    /// Byte offset of the offending instruction.
    pub offset: usize,
    /// What is wrong with it.
    pub kind: DecodeErrorKind,
}

/// What is wrong with an encoded instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum DecodeErrorKind {
    #[error("unknown opcode {0:#04x}")]
    UnknownOpcode(u8),
    #[error("{mnemonic} has {expected} words, the header says {got}")]
    WrongLength { mnemonic: &'static str, got: u8, expected: usize },
    #[error("needs {expected} bytes, only {got} are left")]
    Truncated { got: usize, expected: usize },
    #[error("{mnemonic}: {error}")]
    Field { mnemonic: &'static str, error: FieldError },
    #[error("{mnemonic}: unused bits after the last field are not zero")]
    TrailingBits { mnemonic: &'static str },
}

/// Encodes a stream.
///
/// # Errors
/// The index of the first instruction with a field outside its range, and the field.
pub fn encode(instrs: &[Instr]) -> Result<Vec<u8>, (usize, FieldError)> {
    let mut out = Vec::with_capacity(instrs.iter().map(|i| i.desc().words() * 8).sum());
    let mut raw = Vec::new();
    for (index, instr) in instrs.iter().enumerate() {
        encode_into(instr, &mut raw, &mut out).map_err(|e| (index, e))?;
    }
    Ok(out)
}

/// Encodes one instruction.
///
/// # Errors
/// When a field is outside its range.
pub fn encode_one(instr: &Instr) -> Result<Vec<u8>, FieldError> {
    let mut out = Vec::with_capacity(instr.desc().words() * 8);
    encode_into(instr, &mut Vec::new(), &mut out)?;
    Ok(out)
}

fn encode_into(instr: &Instr, raw: &mut Vec<i64>, out: &mut Vec<u8>) -> Result<(), FieldError> {
    let desc = instr.desc();
    raw.clear();
    instr.put_raw(raw);
    desc.check(raw)?;
    let mut bits = BitWriter { out, word: 0, used: 0 };
    bits.put(u64::from(desc.opcode), 8);
    bits.put(desc.words() as u64, 8);
    let mut values = raw.iter();
    for field in desc.fields {
        for _ in 0..field.count {
            let value = values.next().copied().unwrap_or(0);
            bits.put(value as u64, field.kind.bits());
        }
    }
    bits.finish();
    Ok(())
}

/// Decodes a stream that fills `bytes`.
///
/// # Errors
/// The offset and the reason of the first pattern that is not an instruction.
pub fn decode(bytes: &[u8]) -> Result<Vec<Instr>, DecodeError> {
    let mut out = Vec::new();
    let mut raw = Vec::new();
    let mut offset = 0;
    while offset < bytes.len() {
        let (instr, len) = decode_at(bytes, offset, &mut raw)?;
        out.push(instr);
        offset += len;
    }
    Ok(out)
}

/// Decodes the instruction at `offset`; also returns its length in bytes.
///
/// # Errors
/// When the bytes there are not an instruction.
pub fn decode_one(bytes: &[u8], offset: usize) -> Result<(Instr, usize), DecodeError> {
    decode_at(bytes, offset, &mut Vec::new())
}

fn decode_at(bytes: &[u8], offset: usize, raw: &mut Vec<i64>) -> Result<(Instr, usize), DecodeError> {
    let err = |kind| DecodeError { offset, kind };
    let rest = bytes.get(offset..).unwrap_or_default();
    let &[opcode, words, ..] = rest else {
        return Err(err(DecodeErrorKind::Truncated { got: rest.len(), expected: 8 }));
    };
    let desc = InstrDesc::by_opcode(opcode).ok_or(err(DecodeErrorKind::UnknownOpcode(opcode)))?;
    let (mnemonic, expected) = (desc.mnemonic, desc.words());
    if usize::from(words) != expected {
        return Err(err(DecodeErrorKind::WrongLength { mnemonic, got: words, expected }));
    }
    let len = expected * 8;
    let Some(code) = rest.get(..len) else {
        return Err(err(DecodeErrorKind::Truncated { got: rest.len(), expected: len }));
    };
    raw.clear();
    let mut pos = HEADER_BITS;
    for field in desc.fields {
        let width = field.kind.bits();
        for _ in 0..field.count {
            let value = get_bits(code, pos, width);
            raw.push(match field.kind {
                FieldKind::Int { .. } => sign_extend(value, width),
                _ => value as i64,
            });
            pos += width as usize;
        }
    }
    if get_bits(code, pos, (len * 8 - pos) as u32) != 0 {
        return Err(err(DecodeErrorKind::TrailingBits { mnemonic }));
    }
    let instr =
        Instr::from_raw(desc, raw).map_err(|error| err(DecodeErrorKind::Field { mnemonic, error }))?;
    Ok((instr, len))
}

/// `width` (at most 64) bits of `bytes` from bit `pos`; bits beyond the end are 0.
fn get_bits(bytes: &[u8], pos: usize, width: u32) -> u64 {
    if width == 0 {
        return 0;
    }
    let word = |i: usize| match bytes.get(i * 8..).and_then(|b| b.first_chunk()) {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => 0,
    };
    let (index, shift) = (pos / 64, (pos % 64) as u32);
    let low = word(index) >> shift;
    let high = if shift > 0 && shift + width > 64 { word(index + 1) << (64 - shift) } else { 0 };
    (low | high) & (u64::MAX >> (64 - width))
}

/// The two's complement value of the low `width` bits (1 to 64).
const fn sign_extend(value: u64, width: u32) -> i64 {
    ((value << (64 - width)) as i64) >> (64 - width)
}

/// Collects bits into little-endian words.
struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    word: u64,
    used: u32,
}

impl BitWriter<'_> {
    /// Appends the low `width` bits (1 to 64) of `value`.
    fn put(&mut self, value: u64, width: u32) {
        let value = value & (u64::MAX >> (64 - width));
        self.word |= value << self.used;
        let free = 64 - self.used;
        if width < free {
            self.used += width;
            return;
        }
        self.out.extend_from_slice(&self.word.to_le_bytes());
        self.word = if width == free { 0 } else { value >> free };
        self.used = width - free;
    }

    fn finish(self) {
        if self.used > 0 {
            self.out.extend_from_slice(&self.word.to_le_bytes());
        }
    }
}
