//! `resize`: nearest and bilinear, of i8 and (nearest) i16.

use super::{expect_dtype, expect_rank};
use crate::{Dtype, Invalid, Tensor, require};

/// The attributes of a resize; pairs are of y and x.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resize {
    /// Weighted sums of four pixels, not scaled back, instead of the nearest one.
    pub bilinear: bool,
    /// Numerators and denominators: `[y_n, y_d, x_n, x_d]`.
    pub scale: [i64; 4],
    /// Position of the first result, in 1/n of a pixel.
    pub offset: [i64; 2],
    /// What is added to the extent of the image before it is scaled.
    pub border: [i64; 2],
}

/// Largest extent, exclusive.
const LIMIT: i64 = 16384;

/// One side.
struct Side {
    n: i64,
    d: i64,
    offset: i64,
    image: i64,
}

impl Side {
    /// The positions before and after a result, and the distance from the first in 1/n.
    fn around(&self, result: usize) -> (usize, usize, i64) {
        let place = result as i64 * self.d + self.offset;
        let position = place.div_euclid(self.n);
        let (low, high) = (position.max(0), (position + 1).min(self.image - 1));
        (low as usize, high as usize, place - position * self.n)
    }

    fn nearest(&self, result: usize) -> usize {
        let (low, high, rest) = self.around(result);
        if 2 * rest >= self.n { high } else { low }
    }
}

pub(crate) fn resize(x: &Tensor, attributes: &Resize) -> Result<Tensor, Invalid> {
    let op = "resize";
    let Resize { bilinear, scale: [y_n, y_d, x_n, x_d], offset, border } = *attributes;
    expect_rank(op, "input", x, 4)?;
    let types: &[Dtype] = if bilinear { &[Dtype::I8] } else { &[Dtype::I8, Dtype::I16] };
    expect_dtype(op, "input", x, types)?;
    let mut extents = [0; 2];
    let pairs = [(y_n, y_d), (x_n, x_d)];
    for (axis, (n, d)) in pairs.into_iter().enumerate() {
        let (offset, border, image) = (offset[axis], border[axis], x.shape[axis + 1] as i64);
        let scales = (1..=2048).contains(&n) && (1..16 * n).contains(&d);
        require(scales, op, format!("scale {n}/{d} is not possible"))?;
        require((-n..16 * n).contains(&offset), op, format!("offset {offset} is not in {}..{}", -n, 16 * n))?;
        require((-16 * n..n).contains(&border), op, format!("border {border} is not in {}..{n}", -16 * n))?;
        let last = (image - 1) * n - offset + border;
        require(last >= 0 && last % d == 0, op, format!("{last} is not a multiple of {d}"))?;
        extents[axis] = last / d + 1;
        let fits = image < LIMIT && extents[axis] < LIMIT;
        require(fits, op, format!("an axis of {} is too long", image.max(extents[axis])))?;
    }
    let [down, across] = [0, 1].map(|axis| {
        let (n, d) = pairs[axis];
        Side { n, d, offset: offset[axis], image: x.shape[axis + 1] as i64 }
    });
    let shape = [x.shape[0], extents[0] as usize, extents[1] as usize, x.shape[3]];
    if !bilinear {
        return Tensor::from_fn(x.dtype, shape, |at| {
            x.at(&[at[0], down.nearest(at[1]), across.nearest(at[2]), at[3]])
        });
    }
    Tensor::from_fn(Dtype::I32, shape, |at| {
        let ((y0, y1, dy), (x0, x1, dx)) = (down.around(at[1]), across.around(at[2]));
        let value = |row, column| x.at(&[at[0], row, column, at[3]]);
        value(y0, x0) * (y_n - dy) * (x_n - dx)
            + value(y0, x1) * (y_n - dy) * dx
            + value(y1, x0) * dy * (x_n - dx)
            + value(y1, x1) * dy * dx
    })
}
