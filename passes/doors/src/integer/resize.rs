//! Images of another size, as TFLite samples them. Invariant: positions are the kernels', in their arithmetic.

use super::arithmetic::lowered;
use super::{Factor, pick};
use crate::tosa::{Builder, Elem, Fault, Grid, Id};

/// How positions of the result fall onto the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sampling {
    /// The first pixels coincide.
    Corner,
    /// The first and the last pixels coincide.
    Corners,
    /// The edges of the images coincide.
    HalfPixel,
}

/// Extents of the rows or columns of an image and its result.
type Extents = [usize; 2];

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "as the kernel does"
)]
fn neighbour(index: usize, [from, to]: Extents, sampling: Sampling) -> usize {
    let (scale, offset) = match sampling {
        Sampling::Corners if to > 1 => ((from - 1) as f32 / (to - 1) as f32, 0.0),
        Sampling::Corners | Sampling::Corner => (from as f32 / to as f32, 0.0),
        Sampling::HalfPixel => (from as f32 / to as f32, 0.5),
    };
    let position = (index as f32 + offset) * scale;
    let nearest = if sampling == Sampling::Corners { position.round() } else { position.floor() };
    (nearest as usize).min(from - 1)
}

/// The nearest neighbours.
pub(crate) fn nearest(build: &mut Builder, x: Id, to: [usize; 2], sampling: Sampling) -> Result<Id, Fault> {
    let mut x = x;
    for (axis, to) in [(1, to[0]), (2, to[1])] {
        let from = build.graph().shape(x).get(axis).copied().unwrap_or(1);
        if to > 1 << 16 {
            return Err(Fault { op: "resize", reason: format!("{to} rows or columns; at most 65536") });
        }
        let indices: Vec<usize> = (0..to).map(|i| neighbour(i, [from, to], sampling)).collect();
        x = pick(build, x, axis, &indices)?;
    }
    Ok(x)
}

/// Positions with 10 fractional bits, as the kernel of integers has them.
fn fixed_grid([from, to]: Extents, sampling: Sampling) -> Grid {
    let step = match sampling {
        Sampling::Corners if to > 1 => ((from - 1) * 1024 + (to - 1) / 2) / (to - 1),
        _ => (from * 1024 + to / 2) / to,
    };
    let half = i64::try_from(step / 2).unwrap_or(0) - 512;
    Grid { unit: 1024, step, offset: if sampling == Sampling::HalfPixel { half } else { 0 }, count: to }
}

/// Positions as fractions.
fn exact_grid([from, to]: Extents, sampling: Sampling) -> Grid {
    let (unit, step) = match sampling {
        Sampling::Corners if to > 1 => (to - 1, from - 1),
        _ => (to, from),
    };
    let common = if sampling == Sampling::HalfPixel { 1 } else { divisor(unit, step) };
    let (mut unit, mut step) = (unit / common, step / common);
    let mut offset = 0;
    if sampling == Sampling::HalfPixel {
        let common = divisor(unit, step);
        (unit, step) = (2 * unit / common, 2 * step / common);
        offset = (i64::try_from(step).unwrap_or(0) - i64::try_from(unit).unwrap_or(0)) / 2;
    }
    Grid { unit, step, offset, count: to }
}

fn divisor(a: usize, b: usize) -> usize {
    if b == 0 { a.max(1) } else { divisor(b, a % b) }
}

/// Bilinear means of four neighbours.
pub(crate) fn bilinear(build: &mut Builder, x: Id, to: [usize; 2], sampling: Sampling) -> Result<Id, Fault> {
    let shape = build.graph().shape(x);
    let (&[_, rows, columns, _], true) = (shape, to.iter().all(|d| (1..1 << 16).contains(d))) else {
        return Err(Fault { op: "resize", reason: format!("{shape:?} to {to:?} rows and columns") });
    };
    let extents = [[rows, to[0]], [columns, to[1]]];
    if rows.max(columns) >= 1 << 16 {
        return Err(Fault { op: "resize", reason: format!("{shape:?} to {to:?} rows and columns") });
    }
    if sampling == Sampling::Corners && extents.iter().any(|&[from, to]| from == 1 && to > 1) {
        let reason = format!("{shape:?} to {to:?} rows and columns: one pixel has no two corners to align");
        return Err(Fault { op: "resize", reason });
    }
    if build.graph().value(x).is_none_or(|value| value.elem != Elem::I8) {
        return build.resize(x, extents.map(|e| exact_grid(e, sampling)), true);
    }
    let sums = build.resize(x, extents.map(|e| fixed_grid(e, sampling)), true)?;
    // Ties are rounded away from 0.
    let all_bits = build.scalar(Elem::I32, 31)?;
    let sign = build.binary("arithmetic_right_shift", sums, all_bits)?;
    let sums = build.binary("add", sums, sign)?;
    single_round(build, sums)
}

fn single_round(build: &mut Builder, sums: Id) -> Result<Id, Fault> {
    let twenty = build.scalar(Elem::I32, 20)?;
    let rounded = build.shift_right(sums, twenty, true)?;
    lowered(build, rounded, Factor { multiplier: 1 << 30, shift: 1 }, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_have_the_positions_of_their_sampling() {
        assert_eq!(exact_grid([4, 8], Sampling::HalfPixel), Grid { unit: 4, step: 2, offset: -1, count: 8 });
        assert_eq!(exact_grid([4, 7], Sampling::Corners), Grid { unit: 2, step: 1, offset: 0, count: 7 });
        assert_eq!(exact_grid([4, 8], Sampling::Corner), Grid { unit: 2, step: 1, offset: 0, count: 8 });
        assert_eq!(
            fixed_grid([4, 8], Sampling::HalfPixel),
            Grid { unit: 1024, step: 512, offset: -256, count: 8 }
        );
        let picked: Vec<_> = (0..6).map(|i| neighbour(i, [4, 6], Sampling::HalfPixel)).collect();
        assert_eq!(picked, [0, 1, 1, 2, 3, 3]);
    }
}
