//! The encoding, bit by bit, and the reasons for which patterns are refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use dpu_isa::{
    BarCfg, DecodeError, DecodeErrorKind, DmaFill, End, FieldError, FieldErrorKind, Instr, MemAddr, decode,
    decode_one, encode_one,
};

fn refused(bytes: &[u8]) -> DecodeError {
    decode(bytes).expect_err("must be refused")
}

#[test]
fn layout() {
    assert_eq!(encode_one(&End {}.into()).unwrap(), [2, 1, 0, 0, 0, 0, 0, 0]);
    let arm = BarCfg { barrier: 0b10_0001, producers: 0xabcd, consumers: 1 };
    let bits = 0x01 | 1 << 8 | 0b10_0001 << 16 | 0xabcd << 22 | 1u64 << 38;
    assert_eq!(encode_one(&arm.into()).unwrap(), bits.to_le_bytes());
}

#[test]
fn fields_across_words() {
    let fill = DmaFill {
        tile: 0xaa,
        wait: 0x8000_0000_0000_0001,
        element: 4,
        dst: MemAddr::sram(0xff_ffff_ffff),
        value: -2,
        ..DmaFill::default()
    };
    let bytes = encode_one(&fill.into()).unwrap();
    let bit = |i: usize| bytes[i / 8] >> (i % 8) & 1;
    let field = |at: usize, n: usize| (0..n).fold(0u64, |v, i| v | u64::from(bit(at + i)) << i);
    assert_eq!((bytes.len(), field(16, 8), field(24, 64)), (88, 0xaa, 0x8000_0000_0000_0001));
    assert_eq!((field(154, 8), field(162, 41), field(203, 32)), (4, 0x1ff_ffff_ffff, 1));
    assert_eq!((field(635, 32), field(667, 37)), (0xffff_fffe, 0));
    assert_eq!(decode_one(&bytes, 0), Ok((fill.into(), 88)));
}

#[test]
fn refusals() {
    let end = encode_one(&End {}.into()).unwrap();
    let at = |offset, kind| DecodeError { offset, kind };
    assert_eq!(decode(&[]), Ok(vec![]));
    assert_eq!(refused(&[2]), at(0, DecodeErrorKind::Truncated { got: 1, expected: 8 }));
    assert_eq!(refused(&[0; 8]), at(0, DecodeErrorKind::UnknownOpcode(0)));
    assert_eq!(refused(&[&end[..], &[0xff; 8]].concat()), at(8, DecodeErrorKind::UnknownOpcode(0xff)));
    let mut long = end.clone();
    long[1] = 2;
    assert_eq!(refused(&long), at(0, DecodeErrorKind::WrongLength { mnemonic: "end", got: 2, expected: 1 }));
    let mut dirty = end.clone();
    dirty[7] = 0x80;
    assert_eq!(refused(&dirty), at(0, DecodeErrorKind::TrailingBits { mnemonic: "end" }));
    let fill = encode_one(&DmaFill::default().into()).unwrap();
    let cut = [&end[..], &fill[..80]].concat();
    assert_eq!(refused(&cut), at(8, DecodeErrorKind::Truncated { got: 80, expected: 88 }));
    // Producers of 0.
    let error = FieldError {
        field: "producers",
        index: None,
        kind: FieldErrorKind::OutOfRange { got: 0, min: 1, max: 65535 },
    };
    let arm = [1, 1, 0, 0, 0, 0, 0, 0];
    assert_eq!(refused(&arm), at(0, DecodeErrorKind::Field { mnemonic: "bar_cfg", error }));
    let shown = "at byte 0x0: bar_cfg: field 'producers': value 0 is outside 1..=65535";
    assert_eq!(refused(&arm).to_string(), shown);
    assert_eq!(decode_one(&end, 9), Err(at(9, DecodeErrorKind::Truncated { got: 0, expected: 8 })));
}

#[test]
fn raw_view() {
    let fill = DmaFill { wait: u64::MAX, dst: MemAddr::sram(5), value: i32::MIN, ..DmaFill::default() };
    let instr = Instr::from(fill);
    let raw = instr.raw_fields();
    assert_eq!(raw.len(), instr.desc().raw_len());
    assert_eq!((raw[1], raw[5], raw[18]), (-1, 5 | 1 << 40, i64::from(i32::MIN)));
    assert_eq!(Instr::from_raw(instr.desc(), &raw), Ok(instr));
    let short = Instr::from_raw(instr.desc(), &raw[1..]).expect_err("one value is missing");
    assert_eq!(short.kind, FieldErrorKind::WrongCount { got: 18, expected: 19 });
    let mut bad = raw;
    bad[6] = 0;
    assert_eq!(
        Instr::from_raw(instr.desc(), &bad).expect_err("dims[0] is 0").to_string(),
        "field 'dims[0]': value 0 is outside 1..=4294967295"
    );
}
