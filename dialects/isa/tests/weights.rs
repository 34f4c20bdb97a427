//! Weight tables and the size of weight sets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use dpu_isa::testing::Rng;
use dpu_isa::{ConvInv, ConvVar, Method, RescaleEntry, TableEntryError, WeightEntry, WeightFormat};

fn format(method: Method, block: u8, low: u8, param: u8) -> WeightFormat {
    WeightFormat { method, block, low, param }
}

#[test]
fn code_bits() {
    let mip2q: Vec<u32> = (0..8).map(|l| format(Method::Mip2q, 16, 8, l).code_bits()).collect();
    assert_eq!(mip2q, [1, 2, 3, 3, 4, 4, 4, 4]);
    assert_eq!(format(Method::Dliq, 16, 8, 5).code_bits(), 5);
    assert_eq!(format(Method::Sparse, 16, 8, 0).code_bits(), 0);
}

#[test]
fn set_sizes() {
    // No mask where all are high or low, unless nothing else is there.
    assert_eq!(format(Method::Dliq, 16, 16, 4).set_bytes(3, 3, 64), Some(288)); // 4.0 bits a weight
    assert_eq!(format(Method::Mip2q, 8, 0, 7).block_bits(), 64);
    assert_eq!(format(Method::Sparse, 8, 8, 0).block_bits(), 8);
    // The worked block: 2 + 8 + 4 bytes.
    let mip2q = format(Method::Mip2q, 16, 8, 7);
    assert_eq!(mip2q.block_bits(), 14 * 8);
    assert_eq!(mip2q.set_bytes(1, 1, 16), Some(16));
    assert_eq!(mip2q.set_bytes(3, 3, 64), Some(512)); // 9 * 4 * 14 = 504
    assert_eq!(mip2q.set_bytes(3, 3, 65), Some(640)); // 9 * 5 * 14 = 630
    assert_eq!(format(Method::Sparse, 4, 3, 0).set_bytes(1, 1, 20), Some(16)); // 5 * 12 bits
    assert_eq!(WeightFormat::DENSE.set_bytes(3, 3, 3), Some(32));
    assert_eq!(
        WeightFormat::DENSE.set_bytes(8192, 8192, u32::MAX),
        Some((u64::from(u32::MAX) << 26).next_multiple_of(16))
    );
}

#[test]
fn all_sets() {
    let inv = ConvInv { method: Method::Mip2q, block: 16, low: 8, param: 7, ..ConvInv::default() };
    let var = ConvVar { kernel_h: 3, kernel_w: 3, in_c: 32, out_c: 64, ..ConvVar::default() };
    assert_eq!(WeightFormat::all_sets_bytes(&inv, &var), Some(64 * 256));
    let depthwise = ConvInv { depthwise: true, ..inv };
    assert_eq!(WeightFormat::all_sets_bytes(&depthwise, &var), Some(512));
    let huge = ConvVar { kernel_h: 8192, kernel_w: 8192, in_c: u32::MAX, out_c: u32::MAX, ..var };
    assert_eq!(WeightFormat::all_sets_bytes(&inv, &huge), None);
}

#[test]
fn weight_entries() {
    let entry = WeightEntry {
        weight_offset: 0x1234_5670,
        multiplier: 0x7654_3210,
        shift: 62,
        code_shift: 7,
        bias: -2,
    };
    let bytes = [0x70, 0x56, 0x34, 0x12, 0x10, 0x32, 0x54, 0x76, 62, 7, 0, 0, 0xfe, 0xff, 0xff, 0xff];
    assert_eq!(entry.encode(), bytes);
    assert_eq!(WeightEntry::decode(&bytes), Ok(entry));
    assert_eq!(WeightEntry::decode(&WeightEntry::default().encode()), Ok(WeightEntry::default()));
    let with = |at: usize, value: u8| {
        let mut bytes = bytes;
        bytes[at] = value;
        WeightEntry::decode(&bytes)
    };
    assert_eq!(with(0, 0x71), Err(TableEntryError::MisalignedOffset(0x1234_5671)));
    assert_eq!(with(7, 0xff), Err(TableEntryError::NegativeMultiplier(-11_259_376)));
    assert_eq!(with(8, 63), Err(TableEntryError::Shift(63)));
    assert_eq!(with(8, 1), Err(TableEntryError::Shift(1)));
    assert_eq!(with(9, 8), Err(TableEntryError::CodeShift { got: 8, max: 7 }));
    assert_eq!(with(10, 1), Err(TableEntryError::Reserved));
    assert_eq!(with(11, 1), Err(TableEntryError::Reserved));
}

#[test]
fn random_bytes_decode_to_themselves_or_not_at_all() {
    let mut rng = Rng::new(31);
    let mut accepted = 0;
    for _ in 0..100_000 {
        let mut bytes = [0; 16];
        bytes.iter_mut().for_each(|b| *b = rng.bits() as u8);
        bytes[0] &= 0xf0;
        (bytes[10], bytes[11]) = (0, 0);
        if let Ok(entry) = WeightEntry::decode(&bytes) {
            accepted += 1;
            assert_eq!(entry.encode(), bytes);
        }
        bytes[8..].fill(0);
        (bytes[5], bytes[6], bytes[7]) = (0, 0, 0);
        if let Ok(entry) = RescaleEntry::decode(&bytes) {
            assert_eq!(entry.encode(), bytes);
        }
    }
    assert!(accepted > 100, "{accepted}");
}

#[test]
fn entries_of_a_layer() {
    let var = ConvVar { kernel_h: 1, kernel_w: 1, in_c: 16, out_c: 4, ..ConvVar::default() };
    let dliq = ConvInv { method: Method::Dliq, block: 16, low: 8, param: 4, ..ConvInv::default() };
    let entry = WeightEntry { weight_offset: 48, code_shift: 4, ..WeightEntry::default() };
    assert_eq!(entry.check_for(&dliq, &var), Ok(()));
    let shifted = WeightEntry { code_shift: 5, ..entry };
    assert_eq!(shifted.check_for(&dliq, &var), Err(TableEntryError::CodeShift { got: 5, max: 4 }));
    let dense = ConvInv { method: Method::Dense, ..dliq };
    assert_eq!(entry.check_for(&dense, &var), Err(TableEntryError::CodeShift { got: 4, max: 0 }));
    let far = WeightEntry { weight_offset: 64, ..entry };
    assert_eq!(far.check_for(&dliq, &var), Err(TableEntryError::OffsetTooLarge { got: 64, max: 48 }));
    let depthwise = ConvInv { depthwise: true, ..dliq };
    assert_eq!(entry.check_for(&depthwise, &var), Err(TableEntryError::OffsetTooLarge { got: 48, max: 0 }));
}

#[test]
fn rescale_entries() {
    let entry = RescaleEntry { multiplier: 3, shift: 2 };
    assert_eq!(RescaleEntry::decode(&entry.encode()), Ok(entry));
    let bad = RescaleEntry { multiplier: 3, shift: -1 };
    assert_eq!(RescaleEntry::decode(&bad.encode()), Err(TableEntryError::Shift(-1)));
    let mut bytes = entry.encode();
    bytes[15] = 1;
    assert_eq!(RescaleEntry::decode(&bytes), Err(TableEntryError::Reserved));
}
