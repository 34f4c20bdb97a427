//! The validator's rules for what values and positions choose: gather, scatter, `vec_select`, `vec_resize`, `argmax`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use dpu_isa::ValidateErrorKind as Kind;
use dpu_isa::testing::Rng;
use dpu_isa::*;

/// The violations of a program of one instruction, with 64 bytes of constants in 64 KiB of DRAM.
fn violations(instr: impl Into<Instr>) -> Vec<Kind> {
    let instrs = vec![instr.into(), End {}.into()];
    let program = Program {
        machine: Machine::flexnn_16x16(),
        meta: vec![InstrMeta { layer: InstrMeta::NONE, loc: InstrMeta::NONE }; instrs.len()],
        instrs,
        locs: vec![],
        layers: vec![],
        consts: vec![0; 64],
        dram_bytes: 1 << 16,
        inputs: vec![],
        outputs: vec![],
        manifest: Manifest::default(),
    };
    let errors = program.validate().err().unwrap_or_default();
    errors.into_iter().map(|error| error.kind).collect()
}

#[track_caller]
fn breaks(instr: impl Into<Instr>, kind: Kind) {
    assert_eq!(violations(instr), [kind]);
}

/// 3 of 10 rows of 5 half-words, from DRAM.
fn gather() -> DmaGather {
    DmaGather {
        element: 2,
        axis: 4,
        rows: 10,
        src: MemAddr::dram(1000),
        dims: [1, 1, 1, 1, 3, 5],
        src_strides: [0, 0, 0, 0, 10, 2],
        indices: 0x100,
        index_strides: [0, 0, 0, 0, 4, 0],
        dst: MemAddr::sram(0),
        dst_strides: [0, 0, 0, 0, 10, 2],
        ..DmaGather::default()
    }
}

fn scatter() -> DmaScatter {
    let DmaGather { element, axis, rows, src, dst, dims, src_strides, indices, index_strides, .. } = gather();
    DmaScatter {
        element,
        axis,
        rows,
        src: dst,
        dims,
        src_strides,
        indices,
        index_strides,
        dst: src,
        dst_strides: src_strides,
        ..DmaScatter::default()
    }
}

fn selection() -> VecSelect {
    let words = [0, 0, 0, 0, 20, 4];
    VecSelect {
        dims: [1, 1, 1, 1, 3, 5],
        cond_strides: [0, 0, 0, 0, 5, 1],
        dtype: Dtype::I32,
        a: 0x100,
        a_strides: words,
        b: 0x200,
        b_strides: words,
        out: 0x300,
        out_strides: words,
        ..VecSelect::default()
    }
}

/// Rows and columns 2 to 5 of a result twice as large as the image, whose rows and columns 0 to 3 they need.
fn resize() -> VecResize {
    VecResize {
        mode: ResizeMode::Bilinear,
        in_h: 4,
        in_w: 4,
        channels: 8,
        src_row: 32,
        src_pixel: 8,
        image_h: 6,
        image_w: 6,
        out: 0x1000,
        out_h: 4,
        out_w: 4,
        out_row: 128,
        out_pixel: 32,
        out_y: 2,
        out_x: 2,
        scale_y_n: 4,
        scale_y_d: 2,
        offset_y: -1,
        scale_x_n: 4,
        scale_x_d: 2,
        offset_x: -1,
        ..VecResize::default()
    }
}

fn argmax() -> VecReduce {
    VecReduce {
        op: ReduceOp::Argmax,
        axis: 5,
        dims: [1, 1, 1, 1, 3, 5],
        src_strides: [0, 0, 0, 0, 5, 1],
        out: 0x100,
        out_dtype: Dtype::I32,
        out_strides: [0, 0, 0, 0, 4, 0],
        ..VecReduce::default()
    }
}

#[test]
fn the_bases_are_valid() {
    let nearest = VecResize { mode: ResizeMode::Nearest, out_row: 32, out_pixel: 8, ..resize() };
    for instr in [
        gather().into(),
        scatter().into(),
        selection().into(),
        // In place on either operand.
        VecSelect { out: 0x100, ..selection() }.into(),
        VecSelect { out: 0x200, ..selection() }.into(),
        resize().into(),
        nearest.into(),
        Instr::from(argmax()),
    ] {
        assert_eq!(violations(instr), [], "{instr}");
    }
}

#[test]
fn indexed_copies_reach_all_rows_and_stay_apart() {
    let outside = |field, space, lo, len| {
        let size = if space == Space::Dram { 1 << 16 } else { 2 << 20 };
        Kind::OutOfBounds { field, space, lo, len, size }
    };
    // The last of ten rows ends at the end of the memory.
    let last = (1 << 16) - 100;
    assert_eq!(violations(DmaGather { src: MemAddr::dram(last), ..gather() }), []);
    breaks(
        DmaGather { src: MemAddr::dram(last + 2), ..gather() },
        outside("src", Space::Dram, last + 2, 100),
    );
    let top = 2 << 20;
    breaks(DmaGather { indices: top - 8, ..gather() }, outside("indices", Space::Sram, (top - 8).into(), 12));
    let (wrong, read) = (violations(DmaScatter { dst: MemAddr::dram(last + 2), ..scatter() }), "dst");
    assert_eq!(wrong, vec![outside(read, Space::Dram, last + 2, 100); 2], "it is read and written");
    let consts = Kind::WritesConstants { field: "dst", lo: 62, consts: 64 };
    breaks(DmaScatter { dst: MemAddr::dram(62), ..scatter() }, consts);
    let clash = |written, read| Kind::OperandOverlap { written, read };
    breaks(DmaGather { dst: MemAddr::sram(0x100), ..gather() }, clash("dst", "indices"));
    breaks(DmaGather { src: MemAddr::sram(0), dst: MemAddr::sram(98), ..gather() }, clash("dst", "src"));
    breaks(DmaScatter { dst: MemAddr::sram(28), ..scatter() }, clash("dst", "src"));
    let misaligned = |field, value, align| Kind::Misaligned { field, value, align };
    breaks(DmaGather { indices: 0x102, ..gather() }, misaligned("indices", 0x102, 4));
    breaks(DmaGather { index_strides: [0, 0, 0, 0, 2, 0], ..gather() }, misaligned("index_strides", 2, 4));
    let strides = [0, 0, 0, 0, 8, 2];
    breaks(DmaScatter { dst_strides: strides, ..scatter() }, Kind::SelfOverlap { field: "dst_strides" });
    breaks(DmaGather { dst_strides: strides, ..gather() }, Kind::SelfOverlap { field: "dst_strides" });
    breaks(DmaGather { engine: 1, tile: 1, ..gather() }, Kind::NoSuchTile { tile: 1, tiles: 1 });
}

#[test]
fn a_scatter_keeps_what_it_writes() {
    let list = Instr::from(scatter()).footprint(None);
    let dst: Vec<_> = list.iter().filter(|a| a.field == "dst").map(|a| (a.lo, a.len, a.write)).collect();
    assert_eq!(dst, [(1000, 100, false), (1000, 100, true)]);
}

#[test]
fn selections_write_an_operand_in_place_or_none() {
    let clash = |read| Kind::OperandOverlap { written: "out", read };
    breaks(VecSelect { out: 0x104, ..selection() }, clash("a"));
    breaks(VecSelect { out: 0x1fc, ..selection() }, clash("b"));
    breaks(VecSelect { out: 8, ..selection() }, clash("cond"));
    let wrong = Kind::Misaligned { field: "b_strides", value: 2, align: 4 };
    breaks(VecSelect { b_strides: [0, 0, 0, 0, 0, 2], ..selection() }, wrong);
}

#[test]
fn argmax_has_its_types_and_no_start() {
    let kind = Kind::Accumulate { op: ReduceOp::Argmax };
    assert_eq!(kind.to_string(), "accumulate with operator argmax, must be false");
    breaks(VecReduce { accumulate: true, ..argmax() }, kind);
    let dtype = |field, dtype| Kind::Dtype { field, dtype };
    breaks(VecReduce { src_dtype: Dtype::U8, ..argmax() }, dtype("src_dtype", Dtype::U8));
    breaks(VecReduce { out_dtype: Dtype::I16, ..argmax() }, dtype("out_dtype", Dtype::I16));
}

#[test]
fn resizes_have_their_types_scales_and_offsets() {
    let dtype = |dtype| Kind::Dtype { field: "dtype", dtype };
    let wide = VecResize { dtype: Dtype::I16, src_row: 64, src_pixel: 16, ..resize() };
    breaks(wide, dtype(Dtype::I16));
    let nearest = VecResize { mode: ResizeMode::Nearest, out_row: 64, out_pixel: 16, ..wide };
    assert_eq!(violations(nearest), []);
    breaks(VecResize { dtype: Dtype::U16, ..nearest }, dtype(Dtype::U16));
    let error = |error: ResizeError, text: &str| {
        assert_eq!(error.to_string(), text);
        Kind::Resize(error)
    };
    let scale = ResizeError::Scale { axis: "y", n: 4, d: 64 };
    let scale = error(scale, "scale_y_d = 64 must be less than 16 * scale_y_n = 64");
    breaks(VecResize { scale_y_d: 64, ..resize() }, scale);
    let offset = ResizeError::Offset { axis: "x", offset: -5, n: 4 };
    let offset = error(offset, "offset_x = -5 is outside -scale_x_n..16 * scale_x_n = -4..64");
    breaks(VecResize { offset_x: -5, ..resize() }, offset);
    let offset = ResizeError::Offset { axis: "x", offset: 64, n: 4 };
    breaks(VecResize { offset_x: 64, ..resize() }, Kind::Resize(offset));
    let results = ResizeError::Results { axis: "y", first: 16380, end: 16384 };
    let results = error(results, "results 16380..16384 along y end after 16383");
    breaks(VecResize { out_y: 16380, ..resize() }, results);
    let image = ResizeError::Image { axis: "x", first: 3, end: 7, image: 6 };
    let image = error(image, "the tile 3..7 along x exceeds the image, which has 6");
    breaks(VecResize { in_x: 3, ..resize() }, image);
    let tile = ResizeError::Tile { axis: "y", low: 0, high: 3, first: 1, end: 5 };
    let tile = error(tile, "the results need 0..=3 of the image along y, the tile is 1..5");
    breaks(VecResize { in_y: 1, ..resize() }, tile);
}

#[test]
fn what_a_tile_needs_is_what_its_results_name() {
    let mut rng = Rng::new(77);
    let (mut legal, mut outside) = (0, 0);
    for _ in 0..20_000 {
        let side = ResizeAxis {
            name: "y",
            mode: rng.pick(ResizeMode::ALL),
            scale_n: rng.range(1, 9) as u16,
            scale_d: rng.range(1, 30) as u16,
            offset: rng.range(-9, 30) as i16,
            image: rng.range(1, 9) as u32,
            tile: (rng.range(0, 4) as u32, rng.range(1, 9) as u32),
            out: (rng.range(0, 9) as u32, rng.range(1, 9) as u32),
        };
        let all: Vec<Taps> = (0..side.out.1).map(|i| side.taps(i)).collect();
        let named = || all.iter().flat_map(|taps| [taps.low, taps.high]);
        assert_eq!(side.needed(), (named().min().unwrap(), named().max().unwrap()), "{side:?}");
        assert!(all.iter().all(|t| (0..i64::from(side.scale_n)).contains(&t.weight)));
        let (first, end) = (i64::from(side.tile.0), i64::from(side.tile.0 + side.tile.1));
        match side.check() {
            Ok(()) => {
                legal += 1;
                assert!(
                    named().all(|at| (first..end).contains(&at) && at < i64::from(side.image)),
                    "{side:?}"
                );
            }
            Err(ResizeError::Tile { .. }) => {
                outside += 1;
                assert!(!named().all(|at| (first..end).contains(&at)), "{side:?}");
            }
            Err(_) => {}
        }
    }
    assert!(legal > 200 && outside > 500, "{legal} {outside}");
}
