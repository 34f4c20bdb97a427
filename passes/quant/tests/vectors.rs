//! Known answers: the worked block, its bytes, and the sizes that the formula gives.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use strum_formats::{DliqShift, Format, Kind, Method, Packed, Shape, packed_bytes, set_bytes};
use strum_quant::{Request, Select, Shift, pack};

const CODES: [i8; 16] = [-97, 3, 14, -6, 41, 0, -22, 9, -1, 64, -35, 5, 118, -12, 2, -50];
const BLOCK: Shape = Shape { oc: 1, kh: 1, kw: 1, ic: 16 };

fn low_indices(packed: &Packed) -> Vec<usize> {
    packed.high().unwrap().iter().enumerate().filter(|(_, high)| !**high).map(|(i, _)| i).collect()
}

fn squared_error(packed: &Packed) -> i32 {
    let decoded = packed.unpack().unwrap();
    CODES.iter().zip(decoded).map(|(&c, d)| (i32::from(c) - i32::from(d)).pow(2)).sum()
}

#[test]
fn the_worked_block_under_every_method() {
    let by_magnitude = [1, 3, 5, 7, 8, 11, 13, 14];
    let mip2q =
        |l, select| Request { method: Method::Mip2q { l, zero: false }, select, ..Request::new(Kind::Mip2q) };
    let dliq = |shift, select| Request { shift: Shift::Fixed(shift), select, ..Request::new(Kind::Dliq) };
    let sparse = |select| Request { select, ..Request::new(Kind::Sparse) };
    let (error, magnitude) = (Select::Error, Select::Magnitude);
    let cases = [
        (mip2q(7, error), [1, 3, 5, 7, 8, 9, 11, 14], 8),
        (mip2q(5, error), [1, 2, 3, 5, 7, 8, 11, 14], 12),
        (mip2q(5, magnitude), by_magnitude, 24),
        (mip2q(7, magnitude), by_magnitude, 24),
        (dliq(2, error), by_magnitude, 12),
        (dliq(2, magnitude), by_magnitude, 12),
        (dliq(0, error), by_magnitude, 20),
        (dliq(0, magnitude), by_magnitude, 20),
        (sparse(error), by_magnitude, 300),
        (sparse(magnitude), by_magnitude, 300),
    ];
    for (request, low, sse) in cases {
        let packed = pack(&CODES, BLOCK, &request).unwrap();
        packed.check().unwrap();
        assert_eq!(low_indices(&packed), low, "{request:?}");
        assert_eq!(squared_error(&packed), sse, "{request:?}");
    }
}

#[test]
fn the_bytes_of_the_worked_block() {
    let packed = pack(&CODES, BLOCK, &Request::new(Kind::Mip2q)).unwrap();
    let bytes = [0x55, 0xb4, 0x9f, 0x0e, 0x29, 0xea, 0xdd, 0x76, 0xf4, 0xce, 0xa1, 0x30, 0x68, 0x12, 0, 0];
    assert_eq!(packed.bytes, bytes);
    assert_eq!(packed.unpack().unwrap(), [-97, 2, 14, -4, 41, 1, -22, 8, -1, 64, -35, 4, 118, -12, 2, -50]);
    assert_eq!(packed.format.to_string(), "mip2q<w = 16, low = 8, L = 7>");
    let again = strum_formats::pack(&CODES, &packed.high().unwrap(), BLOCK, packed.format, &[]).unwrap();
    assert_eq!(again, packed);
}

#[test]
fn the_size_formula() {
    let ratio = |low, method| Format { w: 16, low, method }.ratio();
    let dliq4 = Method::Dliq { q: 4, shift: DliqShift::Layer(0) };
    let mip2q = |l| Method::Mip2q { l, zero: false };
    assert_eq!([4, 8, 12].map(|low| ratio(low, dliq4)), [1.0, 0.875, 0.75]);
    assert_eq!([4, 8, 12].map(|low| ratio(low, mip2q(7))), [1.0, 0.875, 0.75]);
    assert_eq!([4, 8, 12].map(|low| ratio(low, mip2q(3))), [0.96875, 0.8125, 0.65625]);
    assert_eq!([4, 8, 12].map(|low| ratio(low, mip2q(1))), [0.9375, 0.75, 0.5625]);
    assert_eq!([4, 8, 12].map(|low| ratio(low, Method::Sparse)), [0.875, 0.625, 0.375]);
    assert_eq!(Format::DENSE.ratio(), 1.0);
}

#[test]
fn sizes_of_whole_tensors() {
    let mip2q = Format { w: 16, low: 8, method: Method::Mip2q { l: 7, zero: false } };
    let shape = Shape { oc: 64, kh: 3, kw: 3, ic: 64 };
    assert_eq!(set_bytes(mip2q, shape), Ok(36 * 14 + 8));
    assert_eq!(packed_bytes(mip2q, shape), Ok(64 * 512));
    let per_channel = Format { method: Method::Dliq { q: 4, shift: DliqShift::PerChannel }, ..mip2q };
    assert_eq!(packed_bytes(per_channel, Shape { oc: 17, ..shape }), Ok(32 + 17 * 512));
    assert_eq!(set_bytes(Format::DENSE, Shape { oc: 1, kh: 1, kw: 1, ic: 3 }), Ok(16));
    // 4 + 3·8 + 1·3 = 31 bits a block: two blocks end inside a byte.
    let odd = Format { w: 4, low: 1, method: Method::Mip2q { l: 3, zero: false } };
    assert_eq!(odd.block_bits(), 31);
    assert_eq!(set_bytes(odd, Shape { oc: 1, kh: 1, kw: 1, ic: 33 }), Ok(48));
}

#[test]
fn absurd_shapes_are_refused() {
    let text =
        |shape| packed_bytes(Format { w: 4, low: 0, method: Method::Sparse }, shape).unwrap_err().to_string();
    let huge = usize::MAX / 2;
    assert_eq!(text(Shape { oc: 1, kh: 0, kw: 1, ic: 1 }), "shape 1x0x1x1 has an empty dimension");
    assert!(text(Shape { oc: 1, kh: huge, kw: 2, ic: 2 }).ends_with("is too large"));
    assert!(text(Shape { oc: huge, kh: 1, kw: 1, ic: 1 }).ends_with("is too large"));
    assert!(text(Shape { oc: 1, kh: 1, kw: 1, ic: usize::MAX }).ends_with("is too large"));
}

#[test]
fn formats_print_as_users_write_them() {
    let text = |method| Format { w: 8, low: 4, method }.to_string();
    assert_eq!(Format::DENSE.to_string(), "dense");
    assert_eq!(text(Method::Sparse), "sparse<w = 8, low = 4>");
    assert_eq!(
        text(Method::Dliq { q: 3, shift: DliqShift::Layer(2) }),
        "dliq<w = 8, low = 4, q = 3, shift = 2>"
    );
    let per_channel = Method::Dliq { q: 3, shift: DliqShift::PerChannel };
    assert_eq!(text(per_channel), "dliq<w = 8, low = 4, q = 3, shift = per_channel>");
    assert_eq!(text(Method::Mip2q { l: 5, zero: true }), "mip2q<w = 8, low = 4, L = 5, zero>");
}

/// Every fault of the worked block is named with its location.
#[test]
fn broken_bytes_are_named() {
    let good = pack(&CODES, BLOCK, &Request::new(Kind::Mip2q)).unwrap();
    let broken = |index: usize, flip: u8| {
        let mut packed = good.clone();
        packed.bytes[index] ^= flip;
        let error = packed.check().unwrap_err();
        assert_eq!(packed.unpack(), Err(error.clone()));
        error.to_string()
    };
    assert_eq!(broken(0, 1), "output channel 0, block 0: mask has 7 high members, expected 8");
    // The low code of member 1 is 1; 7 would be +128.
    assert_eq!(broken(10, 6), "output channel 0, block 0, member 1: low code 0x7 is reserved");
    assert_eq!(broken(15, 0x80), "output channel 0: bits behind the last block are not zero");
    let mut short = good.clone();
    short.bytes.pop();
    assert_eq!(short.check().unwrap_err().to_string(), "expected 16 packed bytes, got 15");
}

/// Three real members, five of padding, two low: padding takes both, the other three are high with code 0.
#[test]
fn more_padding_than_low_members() {
    let shape = Shape { oc: 1, kh: 1, kw: 1, ic: 3 };
    let request = Request { w: 8, low: 2, ..Request::new(Kind::Mip2q) };
    let packed = pack(&[0, 5, -7], shape, &request).unwrap();
    assert_eq!(packed.bytes[..8], [0b1110_0111, 0, 5, 0xf9, 0, 0, 0, 0]);
    assert_eq!(packed.unpack().unwrap(), [0, 5, -7]);
    let mut other_order = packed.clone();
    other_order.bytes[0] = 0b1100_1111;
    assert_eq!(
        other_order.check().unwrap_err().to_string(),
        "output channel 0, block 0: padding is not taken low first"
    );
    let mut filled = packed;
    filled.bytes[4] = 1;
    let text = filled.check().unwrap_err().to_string();
    assert_eq!(text, "output channel 0, block 0, member 5: padding holds code 0x1, expected 0");
}

#[test]
fn the_shift_header() {
    let shape = Shape { oc: 2, kh: 1, kw: 1, ic: 4 };
    let request = Request { w: 4, low: 4, shift: Shift::AutoChannel, ..Request::new(Kind::Dliq) };
    let packed = pack(&[1, 2, 3, 4, 16, 32, 48, -128], shape, &request).unwrap();
    assert_eq!(packed.bytes[..16], [0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(packed.unpack().unwrap(), [1, 2, 3, 4, 16, 32, 48, -128]);
    let broken = |index: usize, value: u8| {
        let mut packed = packed.clone();
        packed.bytes[index] = value;
        packed.check().unwrap_err().to_string()
    };
    assert_eq!(broken(1, 5), "output channel 1: shift must be at most 4, got 5");
    assert_eq!(broken(2, 1), "output channel 2: bits behind the last block are not zero");
}
