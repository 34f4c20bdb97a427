//! The instruction set's description of a method matches the packer, for every method and every legal `param`.
//!
//! Invariant: both tables have the same methods in the same order, and neither is derived from the other.

use dpu_isa::{ConvInv, Method, WeightFormat};
use strum_formats::{Format, InstrFields, Kind};

#[test]
fn both_tables_have_the_same_methods() {
    let kinds: Vec<_> = Kind::ALL.iter().map(|kind| (kind.code(), kind.name(), kind.is_packed())).collect();
    let methods: Vec<_> = Method::ALL.iter().map(|m| (*m as usize, m.name(), m.is_packed())).collect();
    assert_eq!(kinds, methods);
}

#[test]
fn ranges_and_sizes_agree() {
    for &method in Method::ALL {
        let desc = method.desc();
        let mut legal = 0;
        let parameters = (0..=8).flat_map(|param| [(param, false), (param, true)]);
        let lows: &[u8] = if desc.packed { &[0, 5, 16] } else { &[0] };
        for ((param, zero), &low) in parameters.flat_map(|p| lows.iter().map(move |low| (p, low))) {
            let block = 16;
            let fields = InstrFields { method: method as usize, block, low, param, zero };
            let format = Format::from_instr_fields(fields, 0).filter(|f| f.instr_fields() == fields);
            let (min, max) = desc.param;
            let expected = (min..=max).contains(&param) && (!zero || (desc.spare_code)(param));
            assert_eq!(format.is_some_and(|f| f.validate().is_ok()), expected, "{method} {param} {zero}");
            let Some(format) = format.filter(|_| expected) else { continue };
            let stored = WeightFormat::of(&ConvInv { method, block, low, param, ..ConvInv::default() });
            assert_eq!(stored.block_bits(), if desc.packed { format.block_bits() as u64 } else { 128 });
            assert_eq!((desc.max_code_shift)(param), format.method.max_shift(), "{method} {param}");
            legal += 1;
        }
        assert!(legal > 0, "{method} has no legal parameter");
    }
}
