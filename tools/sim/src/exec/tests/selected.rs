//! What is chosen by values: gather, scatter, `vec_select` and `argmax`, against plain loops.

use dpu_isa::{DmaGather, DmaScatter, Dtype, MemAddr, ReduceOp, Space, VecReduce, VecSelect};
use proptest::array::{uniform3, uniform6};
use proptest::prelude::*;
use proptest::sample::select;

use super::vec::{B, OUT, at, check, contiguous, core_of, dims, indices};
use super::{Noise, element, noise};
use crate::error::TrapKind;
use crate::testing::{get, kernels, put, run_task, sram_filled};

/// Type of elements of a size.
fn dtype_of(element: u8) -> Dtype {
    match element {
        1 => Dtype::I8,
        2 => Dtype::I16,
        _ => Dtype::I32,
    }
}

/// Strides of an array, some of them replaced by 0.
fn some(strides: [u32; 6], kept: [bool; 6]) -> [u32; 6] {
    std::array::from_fn(|d| if kept[d] { strides[d] } else { 0 })
}

/// The index with another position along `axis`.
fn moved(index: &[u32; 6], axis: u8, to: i32) -> [u32; 6] {
    let mut index = *index;
    index[usize::from(axis)] = to as u32;
    index
}

fn with(mut dims: [u32; 6], axis: u8, extent: u32) -> [u32; 6] {
    dims[usize::from(axis)] = extent;
    dims
}

/// Indices below `rows` in every word of the memory at `B`.
fn put_indices(core: &mut crate::exec::Core, noise: Noise, rows: u32) {
    let words = noise.bytes(24 << 10);
    let words = words.chunks(4).map(|word| (u32::from(word[0]) << 8 | u32::from(word[3])) % rows);
    put(core, B as usize, &words.flat_map(u32::to_le_bytes).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn gathers_take_the_rows_that_indices_select(
        (size, axis, rows) in (select(&[1u8, 2, 4]), 0..=5u8, 1..=9u32),
        (dims, kept, repeated) in (dims(), uniform6(any::<bool>()), uniform6(prop::bool::weighted(0.8))),
        noise in noise(),
    ) {
        let dtype = dtype_of(size);
        let (mut core, _) = core_of(noise);
        put_indices(&mut core, noise, rows);
        let sram = get(&core, 0, 128 << 10).to_vec();
        let src_dims = with(dims, axis, rows);
        let src = some(contiguous(&src_dims, dtype), with(repeated.map(u32::from), axis, 1).map(|k| k == 1));
        let index_strides = some(contiguous(&dims, Dtype::I32), kept);
        let out = contiguous(&dims, dtype);
        let x = DmaGather {
            element: size,
            axis,
            rows,
            src: MemAddr::sram(0),
            dims,
            src_strides: src.map(u64::from),
            indices: B,
            index_strides,
            dst: MemAddr::sram(OUT.into()),
            dst_strides: out.map(u64::from),
            ..DmaGather::default()
        };
        prop_assert_eq!(x.src_dims(), src_dims);
        check(&x, &mut core, &dims, (&out, dtype), |index| {
            let row = element(&sram, at(B, index, &index_strides), Dtype::I32);
            element(&sram, at(0, &moved(index, axis, row), &src), dtype)
        });
    }

    #[test]
    fn scatters_replace_the_rows_that_indices_name_and_keep_all_others(
        (size, axis, spare) in (select(&[1u8, 2, 4]), 0..=5u8, 0..=5u32),
        (dims, kept) in (dims(), uniform6(any::<bool>())),
        (step, twice, noise) in (1..=9u32, prop::bool::weighted(0.2), noise()),
    ) {
        let dtype = dtype_of(size);
        let (mut core, _) = core_of(noise);
        let rows = dims[usize::from(axis)] + spare;
        let kept = with(kept.map(u32::from), axis, 1).map(|k| k == 1);
        let (src, index_strides) = (contiguous(&dims, dtype), some(contiguous(&dims, Dtype::I32), kept));
        let dst_dims = with(dims, axis, rows);
        let dst = contiguous(&dst_dims, dtype);
        // Steps without a common divisor with the number of rows visit every one before they repeat.
        let step = (step..).find(|&n| (1..=n).all(|d| d == 1 || n % d != 0 || rows % d != 0)).unwrap();
        for index in indices(&dims) {
            let list: u32 = (0..6).filter(|&d| d != usize::from(axis) && kept[d]).map(|d| index[d] * 7).sum();
            let i = if twice { 0 } else { index[usize::from(axis)] };
            let row = (list + i * step) % rows;
            put(&mut core, at(B, &index, &index_strides), &row.to_le_bytes());
        }
        let before = get(&core, 0, 128 << 10).to_vec();
        let mut want = before.clone();
        for index in indices(&dims) {
            let row = element(&before, at(B, &index, &index_strides), Dtype::I32);
            let (from, to) = (at(0, &index, &src), at(OUT, &moved(&index, axis, row), &dst));
            want[to..to + usize::from(size)].copy_from_slice(&before[from..from + usize::from(size)]);
        }
        let x = DmaScatter {
            element: size,
            axis,
            rows,
            src: MemAddr::sram(0),
            dims,
            src_strides: src.map(u64::from),
            indices: B,
            index_strides,
            dst: MemAddr::sram(OUT.into()),
            dst_strides: dst.map(u64::from),
            ..DmaScatter::default()
        };
        let result = run_task(&x, &mut core);
        if twice && dims[usize::from(axis)] > 1 {
            let fault = result.unwrap_err();
            prop_assert_eq!(fault.kind, TrapKind::UndefinedValue);
            let text = format!("occurs twice along dimension {axis}");
            prop_assert!(fault.detail.ends_with(&text), "{}", fault.detail);
            prop_assert!(get(&core, 0, 128 << 10) == before);
        } else {
            prop_assert_eq!(x.dst_dims(), dst_dims);
            prop_assert!(result.is_ok() && get(&core, 0, 128 << 10) == want);
        }
    }

    #[test]
    fn selections_take_the_first_where_the_condition_is_not_zero(
        (dtype, dims) in (select(Dtype::ALL), dims()),
        kept in uniform3(uniform6(prop::bool::weighted(0.7))),
        (in_place, noise) in (0..=3u8, noise()),
    ) {
        let (mut core, _) = core_of(noise);
        // Many conditions are 0.
        let conds: Vec<u8> = noise.bytes(8 << 10).iter().map(|b| if b % 3 == 0 { 0 } else { *b }).collect();
        put(&mut core, 0, &conds);
        let sram = get(&core, 0, 128 << 10).to_vec();
        let (full, cond) = (contiguous(&dims, dtype), contiguous(&dims, Dtype::I8));
        let x = VecSelect {
            dims,
            cond: 0,
            cond_strides: some(cond, kept[0]),
            dtype,
            a: 8 << 10,
            a_strides: if in_place == 1 { full } else { some(full, kept[1]) },
            b: B,
            b_strides: if in_place == 2 { full } else { some(full, kept[2]) },
            // On an operand that has the same elements, or elsewhere.
            out: [OUT, 8 << 10, B, OUT][usize::from(in_place)],
            out_strides: full,
            ..VecSelect::default()
        };
        for kernel in kernels() {
            core.set_kernel(kernel, 1);
            put(&mut core, 0, &sram);
            run_task(&x, &mut core).unwrap();
            for index in indices(&dims) {
                let cond = sram[at(0, &index, &x.cond_strides)];
                let (base, strides) = if cond == 0 { (x.b, &x.b_strides) } else { (x.a, &x.a_strides) };
                let want = element(&sram, at(base, &index, strides), dtype);
                let got = element(get(&core, 0, 128 << 10), at(x.out, &index, &full), dtype);
                prop_assert_eq!(got, want, "{:?}", index);
            }
        }
    }

    #[test]
    fn argmax_is_the_first_of_the_greatest(
        (dtype, axis, dims) in (select(&[Dtype::I8, Dtype::I16]), 0..=5u8, dims()),
        (few, kept, noise) in (any::<bool>(), uniform6(prop::bool::weighted(0.8)), noise()),
    ) {
        let (mut core, _) = core_of(noise);
        if few {
            // Many are equal, and some are the least of the type.
            let bytes: Vec<u8> = noise.bytes(8 << 10).iter().map(|b| [0x80, 0, 1][usize::from(b % 3)]).collect();
            put(&mut core, 0, &bytes);
        }
        let sram = get(&core, 0, 128 << 10).to_vec();
        let outer = with(dims, axis, 1);
        let mut out_strides = contiguous(&outer, Dtype::I32);
        out_strides[usize::from(axis)] = 0;
        let x = VecReduce {
            op: ReduceOp::Argmax,
            axis,
            dims,
            src_dtype: dtype,
            src_strides: some(contiguous(&dims, dtype), kept),
            out: OUT,
            out_dtype: Dtype::I32,
            out_strides,
            ..VecReduce::default()
        };
        check(&x, &mut core, &outer, (&out_strides, Dtype::I32), |index| {
            let value = |i: u32| element(&sram, at(0, &moved(index, axis, i as i32), &x.src_strides), dtype);
            let all = || 0..dims[usize::from(axis)];
            let greatest = all().map(value).max().unwrap();
            all().find(|&i| value(i) == greatest).unwrap() as i32
        });
    }
}

#[test]
fn rows_move_between_the_memories() {
    let mut core = sram_filled(&[]);
    let table: Vec<u8> = (0..100).collect();
    core.memory.space_mut(Space::Dram, 0).unwrap()[1000..1100].copy_from_slice(&table);
    let list: Vec<u8> = [9, 0, 9].iter().flat_map(|i: &i32| i.to_le_bytes()).collect();
    put(&mut core, 64, &list);
    let gather = DmaGather {
        element: 2,
        axis: 4,
        rows: 10,
        src: MemAddr::dram(1000),
        dims: [1, 1, 1, 1, 3, 5],
        src_strides: [0, 0, 0, 0, 10, 2],
        indices: 64,
        index_strides: [0, 0, 0, 0, 4, 0],
        dst: MemAddr::sram(256),
        dst_strides: [0, 0, 0, 0, 10, 2],
        ..DmaGather::default()
    };
    run_task(&gather, &mut core).unwrap();
    assert_eq!(get(&core, 256, 30), [&table[90..], &table[..10], &table[90..]].concat());
    // And back, the first two of them, into every other half-word.
    let scatter = DmaScatter {
        element: 2,
        axis: 4,
        rows: 10,
        src: MemAddr::sram(256),
        dims: [1, 1, 1, 1, 2, 5],
        src_strides: [0, 0, 0, 0, 10, 2],
        indices: 64,
        index_strides: [0, 0, 0, 0, 4, 0],
        dst: MemAddr::dram(2000),
        dst_strides: [0, 0, 0, 0, 20, 4],
        ..DmaScatter::default()
    };
    run_task(&scatter, &mut core).unwrap();
    let dram = &core.memory.space(Space::Dram, 0).unwrap()[2000..2200];
    assert_eq!(dram[180..188], [90, 91, 0, 0, 92, 93, 0, 0]);
    assert_eq!(dram[..6], [0, 1, 0, 0, 2, 3]);
    assert!(dram[20..180].iter().all(|&byte| byte == 0));
}

#[test]
fn a_gather_by_descending_indices_reverses() {
    let mut core = sram_filled(&[1, 2, 3, 4, 5, 6]);
    put(&mut core, 64, &[2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    let x = DmaGather {
        element: 1,
        axis: 5,
        rows: 3,
        src: MemAddr::sram(0),
        dims: [1, 1, 1, 1, 2, 3],
        src_strides: [0, 0, 0, 0, 3, 1],
        indices: 64,
        index_strides: [0, 0, 0, 0, 0, 4],
        dst: MemAddr::sram(16),
        dst_strides: [0, 0, 0, 0, 3, 1],
        ..DmaGather::default()
    };
    run_task(&x, &mut core).unwrap();
    assert_eq!(get(&core, 16, 6), [3, 2, 1, 6, 5, 4]);
}

#[test]
fn wrong_indices_are_traps() {
    let gather = |index: i32, rows| {
        let x = DmaGather {
            element: 1,
            rows,
            dst: MemAddr::sram(64),
            src: MemAddr::sram(0),
            ..DmaGather::default()
        };
        run_task(&x, &mut sram_filled(&index.to_le_bytes()))
    };
    assert_eq!(gather(6, 7), Ok(0));
    for (index, rows) in [(7, 7), (-1, 7), (i32::MIN, u32::MAX)] {
        let fault = gather(index, rows.min(64)).unwrap_err();
        assert_eq!(fault.kind, TrapKind::UndefinedValue);
        assert_eq!(fault.detail, format!("index {index} is outside 0..{}", rows.min(64)));
    }
    // The same index for two rows, from one place.
    let dims = [1, 1, 1, 1, 2, 1];
    let x =
        DmaScatter { element: 1, axis: 4, rows: 3, dims, dst: MemAddr::sram(64), ..DmaScatter::default() };
    let x = DmaScatter { src: MemAddr::sram(128), dst_strides: [0, 0, 0, 0, 1, 0], ..x };
    let fault = run_task(&x, &mut sram_filled(&[2, 0, 0, 0])).unwrap_err();
    assert_eq!(fault.detail, "index 2 occurs twice along dimension 4");
}
