//! Generators, and a naive second implementation of StruM: the reference of the property tests.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test binary uses its own part")]

use proptest::prelude::*;
use strum_formats::{DliqShift, Format, Method, Shape};
use strum_quant::{Request, Select, Shift};

/// A weight tensor with its shape.
#[derive(Debug, Clone)]
pub struct Tensor {
    pub shape: Shape,
    pub codes: Vec<i8>,
}

/// Any legal method, with a fixed shift where it has one.
pub fn method() -> impl Strategy<Value = Method> {
    prop_oneof![
        Just(Method::Sparse),
        (1u8..=8)
            .prop_flat_map(|q| (0..=8 - q).prop_map(move |s| Method::Dliq { q, shift: DliqShift::Layer(s) })),
        (0u8..=7).prop_map(|l| Method::Mip2q { l, zero: false }),
        prop_oneof![Just(2u8), 4u8..=6].prop_map(|l| Method::Mip2q { l, zero: true }),
    ]
}

/// Any legal packed format.
pub fn format() -> impl Strategy<Value = Format> {
    let block = prop_oneof![Just(4u8), Just(8), Just(16), Just(32)];
    let block = block.prop_flat_map(|w| (Just(w), 0..=w));
    (block, method()).prop_map(|((w, low), method)| Format { w, low, method })
}

pub fn select() -> impl Strategy<Value = Select> {
    prop_oneof![Just(Select::Error), Just(Select::Magnitude)]
}

/// A small tensor whose values are small often enough for ties.
pub fn tensor() -> impl Strategy<Value = Tensor> {
    let dims = (1usize..4, 1usize..4, 1usize..3, prop_oneof![1usize..9, 1usize..70]);
    dims.prop_flat_map(|(oc, kh, kw, ic)| {
        let code = prop_oneof![any::<i8>(), -9i8..=9, Just(i8::MIN), Just(0)];
        prop::collection::vec(code, oc * kh * kw * ic)
            .prop_map(move |codes| Tensor { shape: Shape { oc, kh, kw, ic }, codes })
    })
}

/// The request that leads to this format.
pub fn request(format: Format, select: Select) -> Request {
    let shift = match format.method {
        Method::Dliq { shift: DliqShift::Layer(shift), .. } => Shift::Fixed(shift),
        Method::Dliq { shift: DliqShift::PerChannel, .. } => Shift::AutoChannel,
        _ => Shift::AutoLayer,
    };
    Request { w: format.w, low: format.low, method: format.method, shift, select }
}

/// All values of a low member, from the definition of the format.
pub fn low_values(method: Method, shift: u8) -> Vec<i32> {
    match method {
        Method::Dense => (-128..=127).collect(),
        Method::Sparse => vec![0],
        Method::Dliq { q, .. } => {
            let half = 1 << (q - 1);
            (-half..half).map(|v| v * (1 << shift)).collect()
        }
        Method::Mip2q { l, zero } => {
            let powers = (0..=l).flat_map(|e| [1 << e, -(1 << e)]);
            powers.filter(|&v| v <= 127).chain(zero.then_some(0)).collect()
        }
    }
}

/// The nearest low value; ties to the smaller magnitude, and +1 rather than -1 for 0.
pub fn nearest(values: &[i32], c: i8) -> i32 {
    let c = i32::from(c);
    values.iter().copied().min_by_key(|&v| ((v - c).abs(), v.abs(), v < 0)).unwrap()
}

/// The result of packing one block: for each member its value and whether it is high, without padding.
pub fn block(format: Format, shift: u8, select: Select, codes: &[i8]) -> Vec<(i8, bool)> {
    let padding = usize::from(format.w) - codes.len();
    let low = usize::from(format.low).saturating_sub(padding);
    let values = low_values(format.method, shift);
    let lows: Vec<_> = codes.iter().map(|&c| nearest(&values, c)).collect();
    let mut order: Vec<_> = (0..codes.len()).collect();
    order.sort_by_key(|&i| {
        let error = (i32::from(codes[i]) - lows[i]).pow(2);
        let magnitude = i32::from(codes[i]).abs();
        match select {
            Select::Error => (error, magnitude, i),
            Select::Magnitude => (magnitude, error, i),
            Select::Activation => unreachable!("the oracle of weighted selection is a search"),
        }
    });
    let mut result: Vec<_> = codes.iter().map(|&c| (c, true)).collect();
    for &i in &order[..low] {
        result[i] = (i8::try_from(lows[i]).unwrap(), false);
    }
    result
}

/// The result of packing a tensor, with one shift per output channel.
pub fn quantized(tensor: &Tensor, format: Format, shifts: &[u8], select: Select) -> Vec<(i8, bool)> {
    let Shape { kh, kw, ic, .. } = tensor.shape;
    let sets = tensor.codes.chunks(kh * kw * ic).zip(shifts);
    sets.flat_map(|(set, &shift)| {
        let taps = set.chunks(ic).flat_map(|tap| tap.chunks(usize::from(format.w)));
        taps.flat_map(|codes| block(format, shift, select, codes)).collect::<Vec<_>>()
    })
    .collect()
}

/// Squared error of each output channel.
pub fn channel_errors(tensor: &Tensor, decoded: &[(i8, bool)]) -> Vec<i64> {
    let set = tensor.codes.len() / tensor.shape.oc;
    let sets = tensor.codes.chunks(set).zip(decoded.chunks(set));
    sets.map(|(codes, decoded)| {
        codes.iter().zip(decoded).map(|(&c, &(d, _))| (i64::from(c) - i64::from(d)).pow(2)).sum()
    })
    .collect()
}

pub fn dliq(w: u8, low: u8, q: u8, shift: Shift) -> Request {
    Request { w, low, method: Method::Dliq { q, shift: DliqShift::Layer(0) }, shift, select: Select::Error }
}
