//! Decodes weight sets independently: nothing here is shared with the compiler's packer.
//!
//! A set is decoded only if every bit of it conforms to the format; anything else is a fault.

use dpu_isa::{ConvInv, Method, WeightFormat};

use crate::error::{Fault, TrapKind};
use crate::kernel::Blocks;

/// The decoder of a layer's weight sets.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    format: WeightFormat,
    /// Values of the low codes, without a `dliq` shift; `None` where reserved.
    levels: Vec<Option<i8>>,
    /// Subtracted from every weight; 0 unless dense.
    zero_point: i16,
}

impl Decoder {
    /// The decoder of a layer.
    ///
    /// # Errors
    /// When the format's parameters are inconsistent.
    pub(crate) fn new(inv: &ConvInv) -> Result<Decoder, Fault> {
        let format = WeightFormat::of(inv);
        let refuse = |why: String| Err(Fault::operand(format!("weight format {}: {why}", inv.method)));
        if inv.method != Method::Dense && inv.wt_zp != 0 {
            return refuse(format!("the weight zero point must be 0, not {}", inv.wt_zp));
        }
        if inv.low > inv.block {
            return refuse(format!("{} low members in blocks of {}", inv.low, inv.block));
        }
        let range = match inv.method {
            Method::Dense | Method::Sparse => 0..=0,
            Method::Dliq => 1..=8,
            Method::Mip2q => 0..=7,
        };
        if !range.contains(&inv.param) {
            return refuse(format!("parameter {} is outside {range:?}", inv.param));
        }
        if inv.zero && (inv.method != Method::Mip2q || inv.param >= top_exponent(inv.param)) {
            return refuse("no code is spare for 0".to_owned());
        }
        let codes = 1u16 << format.code_bits();
        let levels = (0..codes).map(|code| level(inv, code)).collect();
        Ok(Decoder { format, levels, zero_point: inv.wt_zp })
    }

    /// The greatest legal left shift of low codes.
    pub(crate) fn max_code_shift(&self) -> u8 {
        match self.format.method {
            Method::Dliq => 8u8.saturating_sub(self.format.param),
            Method::Dense | Method::Sparse | Method::Mip2q => 0,
        }
    }

    /// The kernel decoder for sets with this code shift; `None` where only this one can decode.
    pub(crate) fn blocks(&self, code_shift: u8) -> Option<Blocks> {
        if self.format.method == Method::Dense || code_shift > self.max_code_shift() {
            return None;
        }
        let levels = self.shifted(code_shift);
        Blocks::new(&self.format, levels.get(..self.levels.len())?)
    }

    /// Bytes of a set that are read: all of it when packed, only the weights when dense.
    pub(crate) fn read_bytes(&self, kernel_h: u16, kernel_w: u16, channels: u32) -> u64 {
        match self.format.method {
            Method::Dense => {
                let taps = u64::from(kernel_h) * u64::from(kernel_w);
                taps.saturating_mul(u64::from(channels))
            }
            Method::Sparse | Method::Dliq | Method::Mip2q => {
                self.format.set_bytes(kernel_h, kernel_w, channels).unwrap_or(u64::MAX)
            }
        }
    }

    /// Decodes one set of `out.len() / channels` taps into `out`, `[tap][channel]`, less the weight zero point.
    ///
    /// Returns the number of low members among the weights (padding aside).
    ///
    /// # Errors
    /// When the bytes are not a legal set.
    pub(crate) fn decode(
        &self,
        bytes: &[u8],
        channels: usize,
        code_shift: u8,
        out: &mut [i16],
    ) -> Result<u64, Fault> {
        if self.format.method == Method::Dense {
            for (to, from) in out.iter_mut().zip(bytes) {
                *to = i16::from(from.cast_signed()) - self.zero_point;
            }
            return Ok(0);
        }
        let levels = self.shifted(code_shift);
        let block = usize::from(self.format.block.max(1));
        let blocks = channels.div_ceil(block);
        let mut bits = Bits { bytes, at: 0 };
        let mut low = 0;
        for (tap, weights) in out.chunks_mut(channels.max(1)).enumerate() {
            for (b, members) in weights.chunks_mut(block).enumerate() {
                low += self
                    .block(&mut bits, &levels, members)
                    .map_err(|why| illegal(format!("block {b} of {blocks} at tap {tap}: {why}")))?;
            }
        }
        match bits.rest_is_zero() {
            true => Ok(low),
            false => Err(illegal("the padding after the last block is not zero")),
        }
    }

    /// Decodes one block; `members` are its weights, fewer than the block if the rest is padding.
    fn block(
        &self,
        bits: &mut Bits<'_>,
        levels: &[Option<i8>; 256],
        members: &mut [i16],
    ) -> Result<u64, String> {
        let (w, low) = (u32::from(self.format.block), u32::from(self.format.low));
        let mask = match self.format.mask_bits() {
            // Known where all members are alike.
            0 if low == 0 => u32::MAX >> 32u32.saturating_sub(w).min(31),
            0 => 0,
            stored => bits.take(stored),
        };
        let ones = mask.count_ones();
        if ones != w - low {
            return Err(format!("mask {mask:#x} has {ones} high members, expected {}", w - low));
        }
        let code_bits = self.format.code_bits();
        let mut high = Bits { bytes: bits.bytes, at: bits.at };
        bits.at += 8 * (w - low) as usize;
        let mut found = 0;
        let mut members = members.iter_mut();
        for i in 0..w {
            let is_high = mask >> i & 1 == 1;
            let code = if is_high { high.take(8) } else { bits.take(code_bits) };
            match members.next() {
                Some(to) if is_high => *to = i16::from((code as u8).cast_signed()),
                Some(to) => {
                    let value = levels.get(code as usize).copied().flatten();
                    *to = i16::from(
                        value.ok_or_else(|| format!("member {i} has the reserved code {code:#x}"))?,
                    );
                    found += 1;
                }
                None if code != 0 => return Err(format!("padding member {i} has code {code:#x}, not 0")),
                None => {}
            }
        }
        Ok(found)
    }

    /// The levels with every value shifted left by `shift`, which is at most `max_code_shift`.
    fn shifted(&self, shift: u8) -> [Option<i8>; 256] {
        let mut levels = [None; 256];
        for (to, from) in levels.iter_mut().zip(&self.levels) {
            *to = from.map(|v| v << shift.min(7));
        }
        levels
    }
}

fn illegal(why: impl Into<String>) -> Fault {
    Fault::new(TrapKind::IllegalWeights, why)
}

/// The greatest exponent that the width of a `mip2q` code with greatest exponent `l` can hold.
fn top_exponent(l: u8) -> u8 {
    l.checked_ilog2().map_or(0, |log| ((2u16 << log) - 1) as u8)
}

/// The value of a low code, without the `dliq` shift; `None` where the code is reserved.
fn level(inv: &ConvInv, code: u16) -> Option<i8> {
    match inv.method {
        Method::Dense | Method::Sparse => Some(0),
        Method::Dliq => {
            let unused = 8 - u32::from(inv.param.clamp(1, 8));
            Some(((code as u8) << unused).cast_signed() >> unused)
        }
        Method::Mip2q => {
            let top = u16::from(top_exponent(inv.param));
            let (negative, exponent) = (code > top, code & top);
            if inv.zero && code == top {
                return Some(0);
            }
            if exponent > u16::from(inv.param) {
                return None;
            }
            // +2^7 is not an i8 value; its code is reserved.
            let magnitude = 1i16 << exponent;
            i8::try_from(if negative { -magnitude } else { magnitude }).ok()
        }
    }
}

/// Reads bits, least significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    /// Position in bits.
    at: usize,
}

impl Bits<'_> {
    /// The next `n` bits, at most 32; bits beyond the end are 0.
    fn take(&mut self, n: u32) -> u32 {
        let tail = self.bytes.get(self.at / 8..).unwrap_or_default();
        let word = match tail.first_chunk() {
            Some(chunk) => u64::from_le_bytes(*chunk),
            None => tail.iter().rev().fold(0, |word, &b| word << 8 | u64::from(b)),
        };
        let bits = word >> (self.at % 8) & ((1u64 << n) - 1);
        self.at += n as usize;
        bits as u32
    }

    /// Whether all bits from here to the end are 0.
    fn rest_is_zero(&self) -> bool {
        let tail = self.bytes.get(self.at / 8..).unwrap_or_default();
        let Some((first, rest)) = tail.split_first() else { return true };
        first >> (self.at % 8) == 0 && rest.iter().all(|&b| b == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inv(method: Method, block: u8, low: u8, param: u8) -> ConvInv {
        ConvInv { method, block, low, param, ..ConvInv::default() }
    }

    fn decode(inv: &ConvInv, bytes: &[u8], taps: usize, channels: usize) -> Result<Vec<i16>, String> {
        let mut out = vec![99; taps * channels];
        let decoder = Decoder::new(inv).map_err(|f| f.detail)?;
        decoder.decode(bytes, channels, 0, &mut out).map_err(|f| f.detail)?;
        Ok(out)
    }

    /// The worked block of the fact sheet, padded to 16 bytes.
    const WORKED: [u8; 16] =
        [0x55, 0xb4, 0x9f, 0x0e, 0x29, 0xea, 0xdd, 0x76, 0xf4, 0xce, 0xa1, 0x30, 0x68, 0x12, 0, 0];

    #[test]
    fn the_worked_block() {
        let got = decode(&inv(Method::Mip2q, 16, 8, 7), &WORKED, 1, 16).unwrap();
        assert_eq!(got, [-97, 2, 14, -4, 41, 1, -22, 8, -1, 64, -35, 4, 118, -12, 2, -50]);
    }

    #[test]
    fn low_members_are_counted_without_padding() {
        let decoder = Decoder::new(&inv(Method::Mip2q, 16, 8, 7)).unwrap();
        assert_eq!(decoder.decode(&WORKED, 16, 0, &mut [0; 16]).unwrap(), 8);
        // Mask 0b0011, highs 5 and 6, no low bits: channels 2 and 3 are low, 3 is padding.
        let decoder = Decoder::new(&inv(Method::Sparse, 4, 2, 0)).unwrap();
        let bytes = [0x53, 0x60, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut out = [99; 3];
        assert_eq!(decoder.decode(&bytes, 3, 0, &mut out).unwrap(), 1);
        assert_eq!(out, [5, 6, 0]);
    }

    #[test]
    fn dense_weights_lose_their_zero_point() {
        let inv = ConvInv { wt_zp: -128, ..inv(Method::Dense, 16, 0, 0) };
        assert_eq!(decode(&inv, &[127, 0x80, 5], 3, 1).unwrap(), [255, 0, 133]);
    }

    #[test]
    fn dliq_values_are_shifted() {
        // All low, q = 3: codes 3, 4 (= -4), 7 (= -1), 0.
        let decoder = Decoder::new(&inv(Method::Dliq, 4, 4, 3)).unwrap();
        assert_eq!(decoder.max_code_shift(), 5);
        let bits = 3u16 | 4 << 3 | 7 << 6;
        let mut out = [0; 4];
        decoder.decode(&bits.to_le_bytes(), 4, 5, &mut out).unwrap();
        assert_eq!(out, [96, -128, -32, 0]);
    }

    #[test]
    fn no_mask_is_read_where_all_members_are_alike() {
        let bytes = |list: &[u8]| [list, &vec![0; 16 - list.len()]].concat();
        let low = inv(Method::Dliq, 8, 8, 4);
        assert_eq!(decode(&low, &bytes(&[0x21, 0xf7, 0x08]), 1, 5).unwrap(), [1, 2, 7, -1, -8]);
        assert!(decode(&low, &bytes(&[0x21, 0, 0x10]), 1, 5).unwrap_err().contains("padding member 5"));
        let high = inv(Method::Mip2q, 4, 0, 7);
        assert_eq!(decode(&high, &bytes(&[1, 0x80, 3, 0, 5]), 2, 3).unwrap(), [1, -128, 3, 5, 0, 0]);
        // Low members without codes keep their mask, which has no ones.
        let none = inv(Method::Sparse, 8, 8, 0);
        assert_eq!(decode(&none, &bytes(&[0, 0]), 2, 8).unwrap(), [0; 16]);
        assert!(decode(&none, &bytes(&[1]), 2, 8).unwrap_err().contains("1 high members, expected 0"));
    }

    #[test]
    fn mip2q_levels() {
        let levels = |l, zero| {
            let inv = ConvInv { zero, ..inv(Method::Mip2q, 16, 8, l) };
            Decoder::new(&inv).map(|d| d.levels).map_err(|f| f.detail)
        };
        assert_eq!(levels(0, false).unwrap(), [Some(1), Some(-1)]);
        assert_eq!(levels(1, false).unwrap(), [Some(1), Some(2), Some(-1), Some(-2)]);
        let seven = levels(7, false).unwrap();
        assert_eq!((seven[6], seven[7], seven[15]), (Some(64), None, Some(-128)));
        let two = levels(2, true).unwrap();
        assert_eq!(two, [Some(1), Some(2), Some(4), Some(0), Some(-1), Some(-2), Some(-4), None]);
        for full in [0, 1, 3, 7] {
            assert!(levels(full, true).unwrap_err().contains("spare"));
        }
    }

    #[test]
    fn whatever_is_not_canonical_is_refused() {
        let mip2q = inv(Method::Mip2q, 16, 8, 7);
        let flip = |bit: usize| {
            let mut bytes = WORKED;
            bytes[bit / 8] ^= 1 << (bit % 8);
            decode(&mip2q, &bytes, 1, 16)
        };
        assert!(flip(3).unwrap_err().contains("9 high members, expected 8"));
        assert!(flip(112).unwrap_err().contains("padding after the last block"));
        assert!(flip(127).unwrap_err().contains("padding after the last block"));
        // The sixth low code is +2^6; with its lowest bit it is the reserved +2^7.
        assert!(flip(16 + 64 + 20).unwrap_err().contains("reserved code 0x7"));
        // 15 channels: the member that is now padding has a code.
        assert!(decode(&mip2q, &WORKED, 1, 15).unwrap_err().contains("padding member 15"));
    }

    #[test]
    fn contradictory_formats_are_refused() {
        assert!(Decoder::new(&inv(Method::Sparse, 4, 5, 0)).is_err());
        assert!(Decoder::new(&inv(Method::Dliq, 16, 8, 0)).is_err());
        assert!(Decoder::new(&inv(Method::Dliq, 16, 8, 9)).is_err());
        assert!(Decoder::new(&inv(Method::Mip2q, 16, 8, 8)).is_err());
        assert!(Decoder::new(&inv(Method::Sparse, 16, 8, 1)).is_err());
        assert!(Decoder::new(&ConvInv { wt_zp: 1, ..inv(Method::Sparse, 16, 8, 0) }).is_err());
        assert!(Decoder::new(&ConvInv { zero: true, ..inv(Method::Dense, 16, 0, 0) }).is_err());
    }
}
