//! Random packed weight sets, written bit by bit from the format's definition together with their values.

use arbtest::arbitrary::{Result, Unstructured};
use dpu_isa::{ConvInv, Method};

use crate::testing::kernels;
use crate::weights::Decoder;

/// A format with random parameters.
pub(super) fn random_format(u: &mut Unstructured<'_>) -> Result<ConvInv> {
    let method = *u.choose(Method::ALL)?;
    let block = *u.choose(&[4u8, 8, 16, 32])?;
    let mut inv = ConvInv { method, block, ..ConvInv::default() };
    let desc = method.desc();
    inv.param = u.int_in_range(desc.param.0..=desc.param.1)?;
    inv.zero = (desc.spare_code)(inv.param) && u.arbitrary()?;
    if desc.packed {
        inv.low = u.int_in_range(0..=block)?;
    } else {
        inv.wt_zp = *u.choose(&[0, 0, -128, 127, 3])?;
    }
    Ok(inv)
}

/// Bits of a low code and a random legal code with its value.
fn low_member(u: &mut Unstructured<'_>, inv: &ConvInv, shift: u8) -> Result<(usize, u32, i32)> {
    Ok(match inv.method {
        Method::Dense | Method::Sparse => (0, 0, 0),
        Method::Dliq => {
            let q = u32::from(inv.param);
            let code = u.int_in_range(0..=(1u32 << q) - 1)?;
            let value = if code >> (q - 1) == 1 { code as i32 - (1 << q) } else { code as i32 };
            (q as usize, code, value << shift)
        }
        Method::Mip2q => {
            let width = [0, 1, 2, 2, 3, 3, 3, 3][usize::from(inv.param)];
            if inv.zero && u.ratio(1, 4)? {
                return Ok((width + 1, (1 << width) - 1, 0));
            }
            let negative = u.arbitrary()?;
            let greatest = if negative { u32::from(inv.param) } else { u32::from(inv.param.min(6)) };
            let e = u.int_in_range(0..=greatest)?;
            let value = if negative { -(1 << e) } else { 1 << e };
            (width + 1, e | u32::from(negative) << width, value)
        }
    })
}

/// A random set of `taps` × `channels` weights: its bytes, its values (before any zero point), its low members.
pub(super) fn random_set(
    u: &mut Unstructured<'_>,
    inv: &ConvInv,
    taps: usize,
    channels: usize,
    shift: u8,
) -> Result<(Vec<u8>, Vec<i32>, u64)> {
    let (w, low) = (usize::from(inv.block), usize::from(inv.low));
    let mut bits: Vec<bool> = Vec::new();
    let mut put = |value: u32, n: usize| bits.extend((0..n).map(|i| value >> i & 1 == 1));
    let (mut values, mut low_members) = (Vec::new(), 0);
    for _ in 0..taps {
        if inv.method == Method::Dense {
            for byte in super::random_bytes(u, channels)? {
                put(u32::from(byte), 8);
                values.push(i32::from(byte as i8));
            }
            continue;
        }
        for block in 0..channels.div_ceil(w) {
            let real = w.min(channels - block * w);
            // Any w − low positions are high.
            let mut order: Vec<usize> = (0..w).collect();
            for i in (1..w).rev() {
                order.swap(i, u.int_in_range(0..=i)?);
            }
            let high: Vec<bool> = (0..w).map(|i| order.iter().take(w - low).any(|&p| p == i)).collect();
            let mut members = Vec::new();
            for (i, &is_high) in high.iter().enumerate() {
                let (n, code, value) = if is_high {
                    let value: i8 = u.arbitrary()?;
                    (8, u32::from(value as u8), i32::from(value))
                } else {
                    low_member(u, inv, shift)?
                };
                members.push((n, if i < real { code } else { 0 }));
                if i < real {
                    values.push(value);
                    low_members += u64::from(!is_high);
                }
            }
            high.iter().for_each(|&h| put(u32::from(h), 1));
            for wanted in [true, false] {
                let codes = members.iter().zip(&high).filter(|(_, h)| **h == wanted);
                codes.for_each(|(&(n, code), _)| put(code, n));
            }
        }
    }
    bits.resize(bits.len().next_multiple_of(128), false);
    let bytes = bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |v, &b| v << 1 | u8::from(b))).collect();
    Ok((bytes, values, low_members))
}

#[test]
fn kernels_decode_what_the_plain_decoder_does_and_nothing_else() {
    let (mut whole, mut damaged) = (0, 0);
    arbtest::arbtest(|u| {
        let inv = random_format(u)?;
        let taps = u.int_in_range(1..=3usize)?;
        let channels = u.int_in_range(1..=70usize)?;
        let shift = if inv.method == Method::Dliq { u.int_in_range(0..=8 - inv.param)? } else { 0 };
        let (mut set, values, low) = random_set(u, &inv, taps, channels, shift)?;
        let damage = u.arbitrary()?;
        if damage {
            let bit = u.int_in_range(0..=8 * set.len() - 1)?;
            set[bit / 8] ^= 1 << (bit % 8);
        }
        let decoder = Decoder::new(&inv).unwrap();
        let mut plain = vec![0i16; taps * channels];
        let want = decoder.decode(&set, channels, shift, &mut plain).ok();
        assert!(damage || want == Some(low));
        let Some(blocks) = decoder.blocks(shift) else { return Ok(()) };
        for kernel in kernels().into_iter().flatten() {
            let mut got = vec![0i8; taps * channels];
            let Some(found) = kernel.decode(&blocks, &set, channels, &mut got) else { continue };
            assert_eq!(Some(found), want, "{inv:?}");
            assert!(got.iter().zip(&plain).all(|(a, b)| i16::from(*a) == *b), "{inv:?}");
            assert!(damage || got.iter().zip(&values).all(|(a, b)| i32::from(*a) == *b), "{inv:?}");
            if damage { damaged += 1 } else { whole += 1 }
        }
        Ok(())
    })
    .size_max(40_000)
    .budget_ms(1_000);
    // A host without the instructions decodes nothing here.
    assert_eq!(whole > 0, damaged > 0);
}
