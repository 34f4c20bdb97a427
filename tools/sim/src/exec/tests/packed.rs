//! Random packed weight sets, written bit by bit from the format's definition together with their values.

use std::cell::Cell;

use dpu_isa::{ConvInv, Method};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRng;
use strum_formats::{Format, InstrFields, decode_table};

use crate::testing::kernels;
use crate::weights::Decoder;

prop_compose! {
    /// A format with any parameters.
    pub(super) fn format()(
        method in select(Method::ALL),
        block in select(&[4u8, 8, 16, 32]),
        low in any::<Index>(),
        (param, zero) in any::<(Index, bool)>(),
        zero_point in select(&[0, 0, -128, 127, 3]),
    ) -> ConvInv {
        let desc = method.desc();
        let (least, greatest) = desc.param;
        let param = least + param.index(usize::from(greatest - least) + 1) as u8;
        let inv = ConvInv { method, block, param, ..ConvInv::default() };
        match desc.packed {
            true => ConvInv {
                low: low.index(usize::from(block) + 1) as u8,
                zero: zero && (desc.spare_code)(param),
                ..inv
            },
            false => ConvInv { wt_zp: zero_point, ..inv },
        }
    }
}

/// A shift of low codes that the format allows.
pub(super) fn code_shift(inv: &ConvInv, any: Index) -> u8 {
    any.index(usize::from((inv.method.desc().max_code_shift)(inv.param)) + 1) as u8
}

/// Bits of a low code, and a random legal code with its value by the packer's definition, which the decoder here does not share.
fn low_member(rng: &mut TestRng, inv: &ConvInv, shift: u8) -> (usize, u32, i32) {
    let ConvInv { method, block, low, param, zero, .. } = *inv;
    let fields = InstrFields { method: method as usize, block, low, param, zero };
    let values = decode_table(&Format::from_instr_fields(fields, shift).unwrap().method, shift);
    let bits = (method.desc().code_bits)(param);
    let legal: Vec<u32> = (0..1 << bits).filter(|&code| values[code as usize].is_some()).collect();
    let code = legal[rng.random_range(0..legal.len())];
    (bits as usize, code, i32::from(values[code as usize].unwrap()))
}

/// A set of weights.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) bytes: Vec<u8>,
    /// Before subtracting a zero point.
    pub(super) values: Vec<i32>,
    /// Its low members.
    pub(super) low: u64,
}

/// A random set of `taps` × `channels` weights.
pub(super) fn random_set(rng: &mut TestRng, inv: &ConvInv, taps: usize, channels: usize, shift: u8) -> Set {
    let (w, low) = (usize::from(inv.block), usize::from(inv.low));
    let mut bits: Vec<bool> = Vec::new();
    let mut put = |value: u32, n: usize| bits.extend((0..n).map(|i| value >> i & 1 == 1));
    let (mut values, mut low_members) = (Vec::new(), 0);
    for _ in 0..taps {
        if inv.method == Method::Dense {
            for _ in 0..channels {
                let value: i8 = rng.random();
                put(u32::from(value as u8), 8);
                values.push(i32::from(value));
            }
            continue;
        }
        for block in 0..channels.div_ceil(w) {
            let real = w.min(channels - block * w);
            // Any w − low positions are high.
            let mut order: Vec<usize> = (0..w).collect();
            for i in (1..w).rev() {
                order.swap(i, rng.random_range(0..=i));
            }
            let high: Vec<bool> = (0..w).map(|i| order.iter().take(w - low).any(|&p| p == i)).collect();
            let mut members = Vec::new();
            for (i, &is_high) in high.iter().enumerate() {
                let (n, code, value) = if is_high {
                    let value: i8 = rng.random();
                    (8, u32::from(value as u8), i32::from(value))
                } else {
                    low_member(rng, inv, shift)
                };
                members.push((n, if i < real { code } else { 0 }));
                if i < real {
                    values.push(value);
                    low_members += u64::from(!is_high);
                }
            }
            let codes = members.iter().zip(&high).filter(|(_, h)| !**h).map(|(&(n, _), _)| n).sum::<usize>();
            let known = low == 0 || low == w && codes > 0;
            high.iter().filter(|_| !known).for_each(|&h| put(u32::from(h), 1));
            for wanted in [true, false] {
                let codes = members.iter().zip(&high).filter(|(_, h)| **h == wanted);
                codes.for_each(|(&(n, code), _)| put(code, n));
            }
        }
    }
    bits.resize(bits.len().next_multiple_of(128), false);
    let bytes = bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |v, &b| v << 1 | u8::from(b))).collect();
    Set { bytes, values, low: low_members }
}

#[test]
fn kernels_decode_what_the_plain_decoder_does_and_nothing_else() {
    let sets = (format(), 1..=3usize, 1..=70usize, any::<Index>()).prop_perturb(
        |(inv, taps, channels, shift), mut rng| {
            let shift = code_shift(&inv, shift);
            (inv, channels, shift, random_set(&mut rng, &inv, taps, channels, shift))
        },
    );
    let (whole, damaged) = (Cell::new(0), Cell::new(0));
    proptest!(ProptestConfig::with_cases(2_000), |((inv, channels, shift, set) in sets, damage: Option<Index>)| {
        let Set { mut bytes, values, low } = set;
        if let Some(bit) = damage.map(|bit| bit.index(8 * bytes.len())) {
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        let decoder = Decoder::new(&inv).unwrap();
        let mut plain = vec![0i16; values.len()];
        let want = decoder.decode(&bytes, channels, shift, &mut plain).ok();
        prop_assert!(damage.is_some() || want == Some(low));
        for kernel in kernels().into_iter().flatten() {
            let Some(blocks) = decoder.blocks(shift) else { break };
            let mut got = vec![0i8; values.len()];
            let Some(found) = kernel.decode(&blocks, &bytes, channels, &mut got) else { continue };
            prop_assert_eq!(Some(found), want);
            prop_assert!(got.iter().zip(&plain).all(|(a, b)| i16::from(*a) == *b));
            prop_assert!(damage.is_some() || got.iter().zip(&values).all(|(a, b)| i32::from(*a) == *b));
            let count = if damage.is_some() { &damaged } else { &whole };
            count.set(count.get() + 1);
        }
    });
    // A host without the instructions decodes nothing here.
    assert_eq!(whole.get() > 0, damaged.get() > 0);
}
