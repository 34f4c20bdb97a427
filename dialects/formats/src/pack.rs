//! Encoding of INT8 codes and a selection of low members to packed bytes. Output channels are independent and run in
//! parallel.

use rayon::prelude::*;

use crate::bits::BitWriter;
use crate::format::{check_shifts, padding_mask};
use crate::methods::{DliqShift, LowMap};
use crate::{Format, PackError, Packed, Shape, packed_bytes, set_bytes};

/// The real members of each block of one output channel, in order.
pub fn blocks(codes: &[i8], ic: usize, format: Format) -> impl Iterator<Item = &[i8]> {
    codes.chunks(ic.max(1)).flat_map(move |tap| tap.chunks(usize::from(format.w.max(1))))
}

/// Packs `codes` with a choice of low members made elsewhere. A low member is stored as the nearest low value.
///
/// `high` marks the high weights; `shifts` holds one shift per output channel for `dliq` with
/// [`DliqShift::PerChannel`] and is empty otherwise.
///
/// # Errors
/// The format is not legal, a count is wrong, a shift is out of range, or a block does not have the number of low members
/// that the format and the padding rule require.
pub fn pack(
    codes: &[i8],
    high: &[bool],
    shape: Shape,
    format: Format,
    shifts: &[u8],
) -> Result<Packed, PackError> {
    format.validate()?;
    let len = shape.weights()?;
    expect_count("weight codes", len, codes.len())?;
    if !format.is_packed() {
        return pack_dense(codes, shape);
    }
    expect_count("mask entries", len, high.len())?;
    let shifts = match format.method.shift() {
        DliqShift::Layer(shift) => {
            expect_count("shifts", 0, shifts.len())?;
            vec![shift; shape.oc]
        }
        DliqShift::PerChannel => {
            expect_count("shifts", shape.oc, shifts.len())?;
            check_shifts(format, shifts)?;
            shifts.to_vec()
        }
    };
    let set_len = shape.set_len()?;
    let masks: Vec<Vec<u32>> = high
        .par_chunks(set_len)
        .enumerate()
        .map(|(oc, high)| set_masks(oc, high, shape.ic, format))
        .collect::<Vec<_>>()
        .into_iter()
        .collect::<Result<_, _>>()?;
    encode_masked(codes, shape, format, &shifts, |oc, block, _| {
        masks.get(oc).and_then(|masks| masks.get(block)).copied().unwrap_or_default()
    })
}

/// Packs `codes` with the selection of `mask`, called with an output channel, the index of a block in it, and the block's real members;
/// it returns a bit for each of the `w` members, 1 for high.
///
/// `shifts` holds one shift per output channel, whatever the format. The masks are trusted: [`Packed::check`] detects illegal ones.
///
/// # Errors
/// The format is not legal, a count is wrong, or a shift is out of range.
pub fn pack_by(
    codes: &[i8],
    shape: Shape,
    format: Format,
    shifts: &[u8],
    mask: impl Fn(usize, usize, &[i8]) -> u32 + Sync,
) -> Result<Packed, PackError> {
    format.validate()?;
    expect_count("weight codes", shape.weights()?, codes.len())?;
    if !format.is_packed() {
        return pack_dense(codes, shape);
    }
    expect_count("shifts", shape.oc, shifts.len())?;
    check_shifts(format, shifts)?;
    encode_masked(codes, shape, format, shifts, mask)
}

fn encode_masked(
    codes: &[i8],
    shape: Shape,
    format: Format,
    shifts: &[u8],
    mask: impl Fn(usize, usize, &[i8]) -> u32 + Sync,
) -> Result<Packed, PackError> {
    let maps: Vec<_> = (0..=format.method.max_shift()).map(|s| LowMap::new(&format.method, s)).collect();
    encode(codes, shape, format, shifts, |oc, shift, set, out| {
        if let Some(map) = maps.get(usize::from(shift)) {
            write_set(out, set, shape.ic, format, map, |block, members| mask(oc, block, members));
        }
    })
}

/// The masks of one output channel, padding included.
fn set_masks(oc: usize, high: &[bool], ic: usize, format: Format) -> Result<Vec<u32>, PackError> {
    let blocks = high.chunks(ic.max(1)).flat_map(|tap| tap.chunks(usize::from(format.w)));
    let expected = u32::from(format.w - format.low);
    blocks
        .enumerate()
        .map(|(block, high)| {
            let real = high.iter().enumerate().fold(0, |mask, (i, &high)| mask | u32::from(high) << i);
            let mask = real | padding_mask(format.w, format.low, high.len());
            match mask.count_ones() {
                got if got == expected => Ok(mask),
                got => Err(PackError::HighCount { oc, block, expected, got }),
            }
        })
        .collect()
}

/// Plain INT8: the codes of each output channel, padded.
fn pack_dense(codes: &[i8], shape: Shape) -> Result<Packed, PackError> {
    encode(codes, shape, Format::DENSE, &vec![0; shape.oc], |_, _, set, out| {
        for (to, from) in out.iter_mut().zip(set) {
            *to = from.cast_unsigned();
        }
    })
}

/// Fills a packed tensor set by set; `write(oc, shift, codes, out)` runs in parallel.
fn encode(
    codes: &[i8],
    shape: Shape,
    format: Format,
    shifts: &[u8],
    write: impl Fn(usize, u8, &[i8], &mut [u8]) + Sync,
) -> Result<Packed, PackError> {
    let mut packed = empty(shape, format, shifts)?;
    let (set, header) = (set_bytes(format, shape)?, format.header_bytes(shape)?);
    let sets = packed.bytes.get_mut(header..).unwrap_or_default().par_chunks_mut(set);
    let channels = codes.par_chunks(shape.set_len()?);
    sets.zip(channels)
        .zip(shifts)
        .enumerate()
        .for_each(|(oc, ((out, codes), &shift))| write(oc, shift, codes, out));
    Ok(packed)
}

/// A packed tensor of zero sets, with its shift header.
fn empty(shape: Shape, format: Format, shifts: &[u8]) -> Result<Packed, PackError> {
    let mut bytes = vec![0; packed_bytes(format, shape)?];
    if format.header_bytes(shape)? > 0 {
        for (to, &shift) in bytes.iter_mut().zip(shifts) {
            *to = shift;
        }
    }
    Ok(Packed { shape, format, bytes })
}

/// Refuses a count that is not the expected one.
///
/// # Errors
/// When `got` differs from `expected`.
pub fn expect_count(what: &'static str, expected: usize, got: usize) -> Result<(), PackError> {
    if expected == got { Ok(()) } else { Err(PackError::Count { what, expected, got }) }
}

/// Encodes one output channel into zeroed bytes; `mask_of(block, members)` selects.
fn write_set(
    out: &mut [u8],
    codes: &[i8],
    ic: usize,
    format: Format,
    map: &LowMap,
    mask_of: impl Fn(usize, &[i8]) -> u32,
) {
    let mut writer = BitWriter::new(out);
    let (w, low_bits, mask_bits) = (usize::from(format.w), format.low_bits(), format.mask_bits());
    let (high_count, low_count) = (usize::from(format.w - format.low), usize::from(format.low));
    for (index, block) in blocks(codes, ic, format).enumerate() {
        let mask = mask_of(index, block);
        // Every member is written to both lists and only one index advances: no branch to mispredict.
        let (mut highs, mut lows, mut h, mut l) = ([0u8; 33], [0u8; 33], 0, 0);
        for i in 0..w {
            let (code, low) = match block.get(i) {
                Some(c) => (c.cast_unsigned(), map.code[usize::from(c.cast_unsigned())]),
                None => (0, 0),
            };
            highs[h] = code;
            lows[l] = low;
            let high = (mask >> i & 1) as usize;
            h += high;
            l += 1 - high;
        }
        if mask_bits > 0 {
            writer.push(mask, mask_bits);
        }
        for &code in highs.iter().take(high_count) {
            writer.push(u32::from(code), 8);
        }
        for &code in lows.iter().take(low_count) {
            writer.push(u32::from(code), low_bits);
        }
    }
    writer.finish();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Method;

    #[test]
    fn blocks_that_are_all_high_or_all_low_have_no_mask() {
        let dliq = |shift| Method::Dliq { q: 4, shift };
        let methods = [
            Method::Sparse,
            dliq(DliqShift::Layer(0)),
            dliq(DliqShift::PerChannel),
            Method::Mip2q { l: 7, zero: false },
            Method::Mip2q { l: 5, zero: true },
        ];
        for (method, w) in methods.into_iter().flat_map(|m| [4, 8, 16, 32].map(|w| (m, w))) {
            for (low, ic) in [0, w].into_iter().flat_map(|low| [1, 16, 37].map(|ic| (low, ic))) {
                let (format, shape) = (Format { w, low, method }, Shape { oc: 3, kh: 2, kw: 1, ic });
                let codes: Vec<i8> = (0..6 * ic).map(|i| (i % 16) as i8 - 8).collect();
                let shifts = vec![0; if method.shift() == DliqShift::PerChannel { 3 } else { 0 }];
                let packed = pack(&codes, &vec![low == 0; codes.len()], shape, format, &shifts).unwrap();
                let map = LowMap::new(&method, 0);
                let table = crate::decode_table(&method, 0);
                let low_value =
                    |c: &i8| table[usize::from(map.code[usize::from(c.cast_unsigned())])].unwrap();
                let values: Vec<i8> =
                    codes.iter().map(|c| if low == 0 { *c } else { low_value(c) }).collect();
                assert_eq!(packed.unpack().unwrap(), values, "{format} {shape}");
                assert_eq!(packed.high().unwrap(), vec![low == 0; codes.len()], "{format} {shape}");
                assert_eq!(Packed::new(shape, format, packed.bytes.clone()).unwrap(), packed);
                let bits = if low == 0 { 8 } else { format.low_bits() as usize };
                let stored = if bits > 0 { bits * usize::from(w) } else { usize::from(w) };
                assert_eq!(format.block_bits(), stored, "{format}");
                let blocks = 2 * ic.div_ceil(usize::from(w));
                let set = (blocks * stored).div_ceil(8).next_multiple_of(16);
                assert_eq!(packed.bytes.len(), packed.format.header_bytes(shape).unwrap() + 3 * set);
            }
        }
    }

    #[test]
    fn integers_of_4_bits_take_4_bits_and_keep_their_values() {
        let format = Format { w: 16, low: 16, method: Method::Dliq { q: 4, shift: DliqShift::Layer(0) } };
        let shape = Shape { oc: 2, kh: 1, kw: 1, ic: 32 };
        let codes: Vec<i8> = (0..64).map(|i| (i * 7 % 16) as i8 - 8).collect();
        let packed = pack(&codes, &[false; 64], shape, format, &[]).unwrap();
        assert_eq!((packed.unpack().unwrap(), packed.bytes.len()), (codes.clone(), 32));
        let nibble = |c: i8| c.cast_unsigned() & 15;
        let bytes: Vec<u8> = codes.chunks(2).map(|pair| nibble(pair[0]) | nibble(pair[1]) << 4).collect();
        assert_eq!(packed.bytes, bytes);
    }

    #[test]
    fn masks_and_shifts_that_do_not_fit_the_format_are_refused() {
        let shape = Shape { oc: 1, kh: 1, kw: 1, ic: 4 };
        let text = |r: Result<Packed, PackError>| r.unwrap_err().to_string();
        let format = Format { w: 4, low: 2, method: Method::Sparse };
        let high = [true, true, true, false];
        assert_eq!(
            text(pack(&[0; 4], &high, shape, format, &[])),
            "output channel 0, block 0: mask has 3 high members, expected 2"
        );
        assert_eq!(text(pack(&[0; 4], &high, shape, format, &[1])), "expected 0 shifts, got 1");
        let format = Format { method: Method::Dliq { q: 6, shift: DliqShift::PerChannel }, ..format };
        assert_eq!(
            text(pack(&[0; 4], &high, shape, format, &[3])),
            "output channel 0: shift must be at most 2, got 3"
        );
        assert_eq!(text(pack_by(&[0; 4], shape, format, &[0, 0], |_, _, _| 0)), "expected 1 shifts, got 2");
    }
}
