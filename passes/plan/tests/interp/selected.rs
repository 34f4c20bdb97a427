//! Gathers, scatters, selections and resized images of the interpreter.

use dpu_isa::{DmaGather, DmaScatter, Dtype, ResizeMode, VecResize, VecSelect};

use super::{Memory, at, at32, each};

/// The index for a place, which must be one of `rows`.
fn picked(base: u32, strides: &[u32; 6], i: &[u64; 6], rows: u32, memory: &Memory) -> u64 {
    let index = memory.get(at32(base, i, strides, 4), Dtype::I32);
    assert!((0..i64::from(rows)).contains(&index), "index {index} of {rows}");
    index as u64
}

pub(super) fn gather(x: &DmaGather, memory: &mut Memory) {
    each(&x.dims, |i| {
        let mut from = *i;
        from[usize::from(x.axis)] = picked(x.indices, &x.index_strides, i, x.rows, memory);
        let bytes =
            memory.read(x.src.space, at(x.src.offset, &from, &x.src_strides), x.element.into()).to_vec();
        memory.write(x.dst.space, at(x.dst.offset, i, &x.dst_strides), &bytes);
    });
}

pub(super) fn scatter(x: &DmaScatter, memory: &mut Memory) {
    each(&x.dims, |i| {
        let mut to = *i;
        to[usize::from(x.axis)] = picked(x.indices, &x.index_strides, i, x.rows, memory);
        let bytes = memory.read(x.src.space, at(x.src.offset, i, &x.src_strides), x.element.into()).to_vec();
        memory.write(x.dst.space, at(x.dst.offset, &to, &x.dst_strides), &bytes);
    });
}

pub(super) fn select(x: &VecSelect, memory: &mut Memory) {
    each(&x.dims, |i| {
        let element = x.dtype.bytes();
        let holds = memory.get(at32(x.cond, i, &x.cond_strides, 1), Dtype::I8) != 0;
        let (base, strides) = if holds { (x.a, &x.a_strides) } else { (x.b, &x.b_strides) };
        let value = memory.get(at32(base, i, strides, element), x.dtype);
        memory.put(at32(x.out, i, &x.out_strides, element), x.dtype, value);
    });
}

/// The positions around a result, and the distance from the first, by counting up to it.
fn around(result: u32, n: u16, d: u16, offset: i16, image: u32) -> (i64, i64, i64) {
    let (n, mut rest) = (i64::from(n), i64::from(result) * i64::from(d) + i64::from(offset));
    let mut position = 0;
    while rest < 0 {
        (position, rest) = (position - 1, rest + n);
    }
    while rest >= n {
        (position, rest) = (position + 1, rest - n);
    }
    (position.max(0), (position + 1).min(i64::from(image) - 1), rest)
}

pub(super) fn resize(x: &VecResize, memory: &mut Memory) {
    let element = x.dtype.bytes();
    let dims = [1, 1, 1, x.out_h, x.out_w, x.channels];
    each(&dims, |&[.., oy, ox, c]| {
        let (y0, y1, dy) = around(x.out_y + oy as u32, x.scale_y_n, x.scale_y_d, x.offset_y, x.image_h);
        let (x0, x1, dx) = around(x.out_x + ox as u32, x.scale_x_n, x.scale_x_d, x.offset_x, x.image_w);
        let pixel = |row: i64, column: i64| {
            let (row, column) = (row - i64::from(x.in_y), column - i64::from(x.in_x));
            assert!((0..i64::from(x.in_h)).contains(&row) && (0..i64::from(x.in_w)).contains(&column));
            let (row, column) = (row as u64 * u64::from(x.src_row), column as u64 * u64::from(x.src_pixel));
            memory.get(u64::from(x.src) + row + column + c * element, x.dtype)
        };
        let (n_y, n_x) = (i64::from(x.scale_y_n), i64::from(x.scale_x_n));
        let (value, dtype) = match x.mode {
            ResizeMode::Nearest => {
                (pixel(if 2 * dy < n_y { y0 } else { y1 }, if 2 * dx < n_x { x0 } else { x1 }), x.dtype)
            }
            ResizeMode::Bilinear => {
                let row = |y| pixel(y, x0) * (n_x - dx) + pixel(y, x1) * dx;
                (row(y0) * (n_y - dy) + row(y1) * dy, Dtype::I32)
            }
        };
        let (row, column) = (oy * u64::from(x.out_row), ox * u64::from(x.out_pixel));
        memory.put(u64::from(x.out) + row + column + c * dtype.bytes(), dtype, value);
    });
}
