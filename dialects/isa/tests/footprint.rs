//! Footprints cover every byte that the semantics touch, and touch their own first and last byte.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use dpu_isa::testing::{Rng, random_program};
use std::collections::BTreeSet;

use dpu_isa::{Access, ConvInv, ConvVar, FieldKind, Instr, Slots, Space, TABLE};

/// All addresses of a strided array, enumerated.
fn addresses(base: u64, dims: &[u32], strides: &[u64], element: u64) -> Vec<u64> {
    let mut all = vec![base];
    for (&d, &s) in dims.iter().zip(strides) {
        all = all.iter().flat_map(|&a| (0..u64::from(d)).map(move |i| a + i * s)).collect();
    }
    all.iter().flat_map(|&a| a..a + element).collect()
}

/// The interval of `field` is exactly the hull of `bytes`.
#[track_caller]
fn hull(list: &[Access], field: &str, write: bool, bytes: &[u64]) {
    let access = list.iter().find(|a| a.field == field && a.write == write).expect(field);
    let (lo, end) = (bytes.iter().min().copied(), bytes.iter().max().map(|b| b + 1));
    assert_eq!((Some(access.lo), Some(access.end())), (lo, end), "{field}");
}

fn images(list: &[Access], x: &ConvVar, inv: &ConvInv) {
    let size = inv.out_dtype.bytes();
    let act =
        addresses(x.act.into(), &[x.in_h, x.in_w, x.in_c], &[x.act_row.into(), x.act_pixel.into(), 1], 1);
    hull(list, "act", false, &act);
    let dims = [x.out_h, x.out_w, x.out_c];
    if !x.acc_out {
        hull(
            list,
            "out",
            true,
            &addresses(x.out.into(), &dims, &[x.out_row.into(), x.out_pixel.into(), size], size),
        );
    }
    let elements: u64 = dims.iter().map(|&d| u64::from(d)).product();
    let psum: Vec<u64> = (0..elements * 4).map(|i| u64::from(x.psum) + i).collect();
    if x.acc_in {
        hull(list, "psum", false, &psum);
    }
    if x.acc_out {
        hull(list, "psum", true, &psum);
    }
    assert_eq!(list.iter().any(|a| a.field == "inv.lut_addr"), inv.lut && !x.acc_out);
}

#[test]
fn hulls_of_random_tasks() {
    let mut rng = Rng::new(41);
    let wide = |s: &[u32; 6]| s.map(u64::from);
    for _ in 0..40 {
        let mut slots = Slots::default();
        for instr in random_program(&mut rng, 40).instrs {
            let inv = slots.step(&instr).expect("slots are filled");
            let list = instr.footprint(inv);
            match (instr, inv) {
                (Instr::ConvVar(x), Some(Instr::ConvInv(inv))) => images(&list, &x, inv),
                (Instr::DmaCopy(x), _) => {
                    hull(
                        &list,
                        "src",
                        false,
                        &addresses(x.src.offset, &x.dims, &x.src_strides, x.element.into()),
                    );
                    hull(
                        &list,
                        "dst",
                        true,
                        &addresses(x.dst.offset, &x.dims, &x.dst_strides, x.element.into()),
                    );
                    assert_eq!(list.len(), 2);
                }
                (Instr::DmaGather(x), _) => {
                    let element = x.element.into();
                    let mut rows = x.dims;
                    rows[usize::from(x.axis)] = x.rows;
                    hull(&list, "src", false, &addresses(x.src.offset, &rows, &x.src_strides, element));
                    let indices = addresses(x.indices.into(), &x.dims, &wide(&x.index_strides), 4);
                    hull(&list, "indices", false, &indices);
                    hull(&list, "dst", true, &addresses(x.dst.offset, &x.dims, &x.dst_strides, element));
                }
                (Instr::DmaScatter(x), _) => {
                    let mut rows = x.dims;
                    rows[usize::from(x.axis)] = x.rows;
                    let dst = addresses(x.dst.offset, &rows, &x.dst_strides, x.element.into());
                    hull(&list, "dst", false, &dst);
                    hull(&list, "dst", true, &dst);
                    assert_eq!(list.len(), 4);
                }
                (Instr::VecBinary(x), _) => {
                    let (a, b, out) = (x.a_dtype.bytes(), x.b_dtype.bytes(), x.out_dtype.bytes());
                    hull(&list, "a", false, &addresses(x.a.into(), &x.dims, &wide(&x.a_strides), a));
                    hull(&list, "b", false, &addresses(x.b.into(), &x.dims, &wide(&x.b_strides), b));
                    hull(&list, "out", true, &addresses(x.out.into(), &x.dims, &wide(&x.out_strides), out));
                }
                (Instr::VecReduce(x), _) => {
                    let size = x.out_dtype.bytes();
                    let out = addresses(x.out.into(), &x.dims, &wide(&x.out_strides), size);
                    hull(&list, "out", true, &out);
                    assert_eq!(list.iter().any(|a| a.field == "out" && !a.write), x.accumulate);
                }
                (Instr::BarCfg(_) | Instr::End(_) | Instr::ConvInv(_) | Instr::PoolInv(_), _) => {
                    assert!(list.is_empty())
                }
                _ => assert!(list.iter().any(|a| a.write)),
            }
        }
    }
}

#[test]
fn variants_need_their_invariant() {
    let var = Instr::from(ConvVar::default());
    assert!(var.footprint(None).is_empty());
    assert!(var.footprint(Some(&dpu_isa::PoolInv::default().into())).is_empty());
    assert!(!var.footprint(Some(&ConvInv::default().into())).is_empty());
}

#[test]
fn conflicts() {
    let access = |space, lo, len, write| Access { space, lo, len, write, field: "x" };
    let a = access(Space::Sram, 16, 16, true);
    assert!(
        a.conflicts(&access(Space::Sram, 31, 1, false)) && access(Space::Sram, 31, 1, false).conflicts(&a)
    );
    assert!(
        !a.conflicts(&access(Space::Sram, 32, 1, true)) && !a.conflicts(&access(Space::Sram, 15, 1, true))
    );
    assert!(!a.conflicts(&access(Space::Dram, 16, 16, true)));
    let read = access(Space::Sram, 16, 16, false);
    assert!(read.overlaps(&read) && !read.conflicts(&read));
    assert_eq!(access(Space::Dram, 5, u64::MAX, false).end(), u64::MAX);
}

#[test]
fn random_programs_have_every_instruction_at_every_address() {
    let mut rng = Rng::new(43);
    let mut used = BTreeSet::new();
    for _ in 0..40 {
        for instr in random_program(&mut rng, 40).instrs {
            used.insert((instr.mnemonic(), ""));
            let fields = instr.desc().fields.iter().filter(|f| instr.uses_address(f.name));
            used.extend(fields.map(|f| (instr.mnemonic(), f.name)));
        }
    }
    for desc in TABLE {
        assert!(used.contains(&(desc.mnemonic, "")), "no random program has a {}", desc.mnemonic);
        let address = |kind| matches!(kind, FieldKind::Sram { .. } | FieldKind::Mem);
        for field in desc.fields.iter().filter(|f| address(f.kind)) {
            let (row, name) = (desc.mnemonic, field.name);
            assert!(used.contains(&(row, name)), "the row {row} does not say what is at {name}");
        }
    }
}
