//! Properties of all formats and tensors, checked against the naive definitions in `common`.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod common;

use common::{block, channel_errors, format, low_values, nearest, quantized, request, select, tensor};
use proptest::prelude::*;
use strum_formats::{
    DliqShift, Format, Kind, Method, Packed, Shape, audit_set, packed_bytes, set_bytes, table,
};
use strum_quant::{Request, Select, Shift, pack, pack_with};

/// The tensor packed in this format, with the shift of each channel that the format or the search gives.
fn packed(tensor: &common::Tensor, format: Format, select: Select) -> Packed {
    let packed = pack(&tensor.codes, tensor.shape, &request(format, select)).unwrap();
    assert_eq!(packed.format, format);
    packed
}

/// Packs again what was decoded, member by member.
fn repacked(packed: &Packed) -> Packed {
    let per_channel = matches!(packed.format.method, Method::Dliq { shift: DliqShift::PerChannel, .. });
    let shifts = if per_channel { packed.shifts().unwrap() } else { Vec::new() };
    strum_formats::pack(
        &packed.unpack().unwrap(),
        &packed.high().unwrap(),
        packed.shape,
        packed.format,
        &shifts,
    )
    .unwrap()
}

proptest! {
    #[test]
    fn packing_is_the_naive_definition(tensor in tensor(), format in format(), select in select()) {
        let packed = packed(&tensor, format, select);
        prop_assert_eq!(packed.check(), Ok(()));
        prop_assert_eq!(packed.bytes.len(), packed_bytes(format, tensor.shape).unwrap());
        let expected = quantized(&tensor, format, &packed.shifts().unwrap(), select);
        let got: Vec<_> = packed.unpack().unwrap().into_iter().zip(packed.high().unwrap()).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn whole_blocks_have_exactly_low_low_members(tensor in tensor(), format in format(), select in select()) {
        let high = packed(&tensor, format, select).high().unwrap();
        let (w, low) = (usize::from(format.w), usize::from(format.low));
        for tap in high.chunks(tensor.shape.ic) {
            for block in tap.chunks(w) {
                let padding = w - block.len();
                prop_assert_eq!(block.iter().filter(|high| !**high).count(), low.saturating_sub(padding));
            }
        }
    }

    #[test]
    fn error_selection_is_optimal(
        codes in prop::collection::vec(any::<i8>(), 1..=8),
        format in format().prop_filter("subsets of long blocks are many", |f| f.w <= 8),
    ) {
        let w = usize::from(format.w);
        let codes = &codes[..codes.len().min(w)];
        let shape = Shape { oc: 1, kh: 1, kw: 1, ic: codes.len() };
        let decoded = pack(codes, shape, &request(format, Select::Error)).unwrap().unpack().unwrap();
        let got: i32 = codes.iter().zip(&decoded).map(|(&c, &d)| (i32::from(c) - i32::from(d)).pow(2)).sum();
        let shift = if let Method::Dliq { shift: DliqShift::Layer(s), .. } = format.method { s } else { 0 };
        let low = u32::from(format.low).saturating_sub((w - codes.len()) as u32);
        let values = low_values(format.method, shift);
        let best = (0u32..1 << codes.len())
            .filter(|set| set.count_ones() == low)
            .map(|set| {
                let members = codes.iter().enumerate().filter(|(i, _)| set >> i & 1 != 0);
                members.map(|(_, &c)| (i32::from(c) - nearest(&values, c)).pow(2)).sum::<i32>()
            })
            .min();
        prop_assert_eq!(Some(got), best);
    }

    #[test]
    fn weighted_selection_is_optimal_in_set_and_shift(
        rows in 1usize..3,
        members in prop::collection::vec((any::<i8>(), any::<i8>(), 0u16..300), 1..=8),
        w in prop_oneof![Just(4u8), Just(8)],
        share in 0u8..=8,
        kind in prop::sample::select(table::PACKED),
    ) {
        let low = share.min(w);
        let moments: Vec<f64> = members.iter().map(|m| f64::from(m.2)).collect();
        let set: Vec<i8> = members.iter().map(|m| m.0).chain(members.iter().map(|m| m.1)).collect();
        let codes = &set[..rows * members.len()];
        let shape = Shape { oc: 1, kh: rows, kw: 1, ic: members.len() };
        let request = Request { w, low, select: Select::Activation, ..Request::new(kind) };
        let packed = pack_with(codes, shape, &request, Some(&moments)).unwrap();
        prop_assert_eq!(packed.check(), Ok(()));
        // Integer moments: sums are exact in integers here and in doubles there.
        let weigh = |c: i8, d: i32, channel: usize| i64::from((i32::from(c) - d).pow(2)) * i64::from(members[channel].2);
        let decoded = packed.unpack().unwrap();
        let got: i64 = codes.iter().zip(&decoded).enumerate()
            .map(|(i, (&c, &d))| weigh(c, i32::from(d), i % members.len())).sum();
        let shifts = 0..=request.method.max_shift();
        let least = |shift: u8| {
            let values = low_values(request.method, shift);
            let blocks = codes.chunks(members.len()).flat_map(|tap| tap.chunks(usize::from(w)).enumerate());
            blocks.map(|(number, block)| {
                let low = u32::from(low).saturating_sub((usize::from(w) - block.len()) as u32);
                let sets = (0u32..1 << block.len()).filter(|set| set.count_ones() == low);
                sets.map(|set| {
                    let low = block.iter().enumerate().filter(|(i, _)| set >> i & 1 != 0);
                    low.map(|(i, &c)| weigh(c, nearest(&values, c), number * usize::from(w) + i)).sum::<i64>()
                }).min().unwrap()
            }).sum::<i64>()
        };
        prop_assert_eq!(got, shifts.clone().map(least).min().unwrap());
        if let Method::Dliq { shift: DliqShift::Layer(shift), .. } = packed.format.method {
            prop_assert_eq!(Some(shift), shifts.min_by_key(|&shift| least(shift)), "the smaller of equal shifts");
        }
        // Equal moments for all are no weighting.
        let plain = Request { select: Select::Error, ..request };
        let same = pack_with(codes, shape, &request, Some(&vec![2.0; members.len()])).unwrap();
        prop_assert_eq!(same, pack(codes, shape, &plain).unwrap());
    }

    #[test]
    fn moments_that_are_none_are_refused(bad in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-1.0)]) {
        let shape = Shape { oc: 1, kh: 1, kw: 1, ic: 2 };
        let request = Request { select: Select::Activation, ..Request::new(Kind::Mip2q) };
        let refused = |moments: Option<&[f64]>| pack_with(&[1, 2], shape, &request, moments).unwrap_err().to_string();
        prop_assert!(refused(None).contains("from calibration"));
        prop_assert!(refused(Some(&[1.0])).contains("expected 2 second moments, got 1"));
        prop_assert!(refused(Some(&[1.0, bad])).contains("input channel 1"));
        prop_assert!(pack(&[1, 2], shape, &request).is_err());
    }

    #[test]
    fn packing_twice_is_packing_once(tensor in tensor(), format in format()) {
        let once = packed(&tensor, format, Select::Error);
        let decoded = common::Tensor { codes: once.unpack().unwrap(), ..tensor };
        prop_assert_eq!(packed(&decoded, format, Select::Error), once);
    }

    #[test]
    fn the_shift_has_the_least_error(tensor in tensor(), q in 1u8..=8, low in 0u8..=8, select in select()) {
        let of_shift = |shift| {
            let format = Format { w: 8, low, method: Method::Dliq { q, shift: DliqShift::Layer(shift) } };
            channel_errors(&tensor, &quantized(&tensor, format, &vec![shift; tensor.shape.oc], select))
        };
        let errors: Vec<_> = (0..=8 - q).map(of_shift).collect();
        let smallest_best = |of: &dyn Fn(&[i64]) -> i64| (0..errors.len()).min_by_key(|&s| of(&errors[s])).unwrap() as u8;

        let request = Request { select, ..common::dliq(8, low, q, Shift::AutoLayer) };
        let layer = pack(&tensor.codes, tensor.shape, &request).unwrap();
        let shift = smallest_best(&|channels| channels.iter().sum());
        prop_assert_eq!(layer.format.method, Method::Dliq { q, shift: DliqShift::Layer(shift) });

        let request = Request { shift: Shift::AutoChannel, ..request };
        let channel = pack(&tensor.codes, tensor.shape, &request).unwrap();
        let shifts: Vec<_> = (0..tensor.shape.oc).map(|oc| smallest_best(&|channels| channels[oc])).collect();
        prop_assert_eq!(channel.shifts().unwrap(), shifts.clone());
        prop_assert_eq!(channel.check(), Ok(()));
        let expected = quantized(&tensor, channel.format, &shifts, select);
        let got: Vec<_> = channel.unpack().unwrap().into_iter().zip(channel.high().unwrap()).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn what_check_accepts_is_canonical(
        tensor in tensor(),
        format in format(),
        channel in any::<bool>(),
        flips in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let mut request = request(format, Select::Error);
        if channel {
            request.shift = Shift::AutoChannel;
        }
        let mut packed = pack(&tensor.codes, tensor.shape, &request).unwrap();
        prop_assert_eq!(&repacked(&packed), &packed);
        for flip in flips {
            let bit = flip.index(packed.bytes.len() * 8);
            packed.bytes[bit / 8] ^= 1 << (bit % 8);
        }
        match packed.check() {
            Ok(()) => prop_assert_eq!(&repacked(&packed), &packed),
            Err(error) => prop_assert_eq!(packed.unpack(), Err(error)),
        }
    }

    #[test]
    fn random_bytes_never_panic(
        tensor in tensor(),
        format in format(),
        extra in -2isize..=2,
        seed in prop::collection::vec(any::<u8>(), 1..64),
        q in any::<u8>(),
        w in any::<u8>(),
    ) {
        let length = packed_bytes(format, tensor.shape).unwrap().saturating_add_signed(extra);
        let bytes: Vec<_> = seed.iter().copied().cycle().take(length).collect();
        let mut packed = Packed { shape: tensor.shape, format, bytes };
        prop_assert_eq!(packed.check().is_ok(), packed.unpack().is_ok());
        if extra != 0 {
            prop_assert!(packed.check().is_err());
        }
        packed.format.w = w;
        packed.format.method = Method::Dliq { q, shift: DliqShift::PerChannel };
        let results = (packed.check().is_ok(), packed.unpack().is_ok(), packed.audit().is_ok());
        prop_assert!(results == (true, true, true) || results == (false, false, false));
        let _ = (packed.shifts(), packed.high(), packed.slice(0..1, 0..1, 0..1, 0..1), packed.format.ratio());
    }

    #[test]
    fn slicing_then_decoding_is_decoding_then_slicing(
        tensor in tensor(),
        format in prop_oneof![4 => format(), 1 => Just(Format::DENSE)],
        pick in prop::array::uniform8(any::<prop::sample::Index>()),
        channel in any::<bool>(),
    ) {
        let mut request = request(format, Select::Error);
        if channel {
            request.shift = Shift::AutoChannel;
        }
        let packed = pack(&tensor.codes, tensor.shape, &request).unwrap();
        let Shape { oc, kh, kw, ic } = tensor.shape;
        let range = |i: usize, len: usize| {
            let start = pick[i].index(len);
            start..start + 1 + pick[i + 1].index(len - start)
        };
        let step = if format.is_packed() { usize::from(format.w) } else { 1 };
        let blocks = range(6, ic.div_ceil(step));
        let (oc, ky, kx) = (range(0, oc), range(2, kh), range(4, kw));
        let ic_range = blocks.start * step..(blocks.end * step).min(ic);
        let slice = packed.slice(oc.clone(), ky.clone(), kx.clone(), ic_range.clone()).unwrap();

        let (codes, shifts) = (packed.unpack().unwrap(), packed.shifts().unwrap());
        for (i, (oc, &offset)) in oc.clone().zip(&slice.offsets).enumerate() {
            let mut expected = Vec::new();
            for y in ky.clone() {
                for x in kx.clone() {
                    let tap = ((oc * kh + y) * kw + x) * ic;
                    expected.extend_from_slice(&codes[tap + ic_range.start..tap + ic_range.end]);
                }
            }
            let set = set_bytes(packed.format, slice.shape).unwrap();
            prop_assert_eq!(offset as usize, i * set);
            let shape = Shape { oc: 1, ..slice.shape };
            let mut format = packed.format;
            if let Method::Dliq { q, .. } = format.method {
                format.method = Method::Dliq { q, shift: DliqShift::Layer(shifts[oc]) };
            }
            let bytes = slice.bytes[i * set..(i + 1) * set].to_vec();
            prop_assert_eq!(Packed::new(shape, format, bytes).unwrap().unpack().unwrap(), expected);
        }
        prop_assert_eq!(slice.bytes.len(), packed_bytes(match packed.format.method {
            Method::Dliq { q, .. } => Format { method: Method::Dliq { q, shift: DliqShift::Layer(0) }, ..packed.format },
            _ => packed.format,
        }, slice.shape).unwrap());
    }

    #[test]
    fn bad_ranges_are_refused(tensor in tensor(), format in format()) {
        let packed = packed(&tensor, format, Select::Error);
        let Shape { oc, kh, kw, ic } = tensor.shape;
        prop_assert!(packed.slice(0..oc, 0..kh, 0..kw, 0..ic).is_ok());
        prop_assert!(packed.slice(0..oc + 1, 0..kh, 0..kw, 0..ic).is_err());
        prop_assert!(packed.slice(0..oc, kh..kh, 0..kw, 0..ic).is_err());
        prop_assert!(packed.slice(0..oc, 0..kh, 0..usize::MAX, 0..ic).is_err());
        prop_assert!(packed.slice(0..oc, 0..kh, 0..kw, 1..ic.max(2)).is_err());
        if ic > 2 {
            prop_assert!(packed.slice(0..oc, 0..kh, 0..kw, 0..2).is_err());
        }
    }

    #[test]
    fn the_audit_adds_up(tensor in tensor(), format in format()) {
        let packed = packed(&tensor, format, Select::Error);
        let audit = packed.audit().unwrap();
        let decoded = packed.unpack().unwrap();
        let high = packed.high().unwrap();
        prop_assert_eq!(audit.bytes, packed.bytes.len() as u64);
        prop_assert_eq!(audit.weights, decoded.len() as u64);
        prop_assert_eq!(audit.low, high.iter().filter(|high| !**high).count() as u64);
        for value in i8::MIN..=i8::MAX {
            let at = (i32::from(value) + 128) as usize;
            let count = |wanted: bool| decoded.iter().zip(&high).filter(|&(&d, &h)| d == value && h == wanted).count();
            prop_assert_eq!(audit.high_values[at], count(true) as u64);
            prop_assert_eq!(audit.low_values[at], count(false) as u64);
        }
        let mut by_set = strum_formats::Audit::default();
        let set = set_bytes(format, tensor.shape).unwrap();
        for (bytes, &shift) in packed.bytes.chunks(set).zip(&packed.shifts().unwrap()) {
            by_set.merge(&audit_set(format, tensor.shape, shift, bytes).unwrap());
        }
        prop_assert_eq!(by_set, audit);
    }
}

/// One block whose bit patterns can all be tried: 4 mask bits, and codes that fill the rest of two bytes.
#[test]
fn every_pattern_of_a_small_block() {
    let methods = [
        (4, Method::Mip2q { l: 1, zero: false }, 4),
        (4, Method::Mip2q { l: 2, zero: true }, 4),
        (4, Method::Dliq { q: 3, shift: DliqShift::Layer(5) }, 4),
        (3, Method::Mip2q { l: 0, zero: false }, 2),
        (3, Method::Sparse, 3),
    ];
    for (low, method, ic) in methods {
        let format = Format { w: 4, low, method };
        let shape = Shape { oc: 1, kh: 1, kw: 1, ic };
        let mut accepted = 0u32;
        for pattern in 0..=u16::MAX {
            let mut bytes = vec![0; 16];
            bytes[..2].copy_from_slice(&pattern.to_le_bytes());
            let packed = Packed { shape, format, bytes };
            if packed.check().is_ok() {
                accepted += 1;
                assert_eq!(repacked(&packed), packed, "{format} {pattern:#x}");
            }
        }
        // Legal masks times legal codes.
        let expected = match method {
            Method::Mip2q { l: 1, .. } => 4u32.pow(4),
            Method::Mip2q { l: 2, .. } => 7u32.pow(4),
            Method::Dliq { .. } => 8u32.pow(4),
            Method::Mip2q { .. } => 2 * 2 * 256,
            _ => 3 * 256,
        };
        assert_eq!(accepted, expected, "{format}");
    }
}

/// With one channel repeated, a shift for each is the shift for all.
#[test]
fn equal_channels_have_the_shift_of_the_layer() {
    let one: Vec<i8> = (-40..40).map(|i| i * 3).collect();
    let codes = one.repeat(3);
    let shape = Shape { oc: 3, kh: 5, kw: 1, ic: 16 };
    let layer = pack(&codes, shape, &Request::new(Kind::Dliq)).unwrap();
    let request = Request { shift: Shift::AutoChannel, ..Request::new(Kind::Dliq) };
    let channel = pack(&codes, shape, &request).unwrap();
    assert_eq!(layer.shifts(), channel.shifts());
    assert_eq!(layer.bytes, channel.bytes[16..]);
}

/// One thread or many: the same bytes.
#[test]
fn threads_do_not_matter() {
    let codes: Vec<i8> = (0..64 * 9 * 40).map(|i: i32| (i.wrapping_mul(2_654_435) >> 7) as i8).collect();
    let shape = Shape { oc: 64, kh: 3, kw: 3, ic: 40 };
    let request = Request { shift: Shift::AutoChannel, ..Request::new(Kind::Dliq) };
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| pack(&codes, shape, &request).unwrap())
    };
    assert_eq!(run(1), run(7));
}

/// The naive definition itself, once by hand.
#[test]
fn the_judge_is_sane() {
    let format = Format { w: 4, low: 2, method: Method::Mip2q { l: 7, zero: false } };
    assert_eq!(
        block(format, 0, Select::Error, &[0, 64, 5, 7]),
        [(1, false), (64, false), (5, true), (7, true)]
    );
    assert_eq!(block(format, 0, Select::Error, &[0, 64, 5]), [(0, true), (64, false), (5, true)]);
}
