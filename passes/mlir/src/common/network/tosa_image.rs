//! Import of TOSA operators that resize an image, or read it at constant positions.
//!
//! Invariant: positions are those of TOSA's `RESIZE` and `GATHER`.

use strum_float::{Op, ValueId};
use strum_ir::{Operation, Reported};

use super::elements::integers;
use super::tosa::{pair, required};
use super::{Reader, internal};
use crate::common::tosa::view;
use crate::common::verdict::UNSUPPORTED;

/// The source positions of `RESIZE` along an axis.
#[derive(Debug, PartialEq)]
struct Looks {
    /// The pixels before and after, for every position.
    pixels: [Vec<usize>; 2],
    /// The fraction of the way from one to the other.
    parts: Vec<f32>,
}

/// The source of `places` positions in `extent` pixels: a position is `place · d + offset` n-th parts of a pixel.
fn looks(places: usize, extent: usize, [n, d]: [i64; 2], offset: i64) -> Option<Looks> {
    let last = i64::try_from(extent).ok().filter(|&extent| extent > 0)? - 1;
    let mut looks = Looks { pixels: [Vec::new(), Vec::new()], parts: Vec::new() };
    for place in 0..places {
        let at = i64::try_from(place).ok()?.checked_mul(d)?.checked_add(offset)?;
        let (pixel, rest) = (at.checked_div_euclid(n)?, at.checked_rem_euclid(n)?);
        for (list, pixel) in looks.pixels.iter_mut().zip([pixel, pixel.saturating_add(1)]) {
            list.push(usize::try_from(pixel.clamp(0, last)).ok()?);
        }
        #[allow(clippy::cast_precision_loss, reason = "scales of TOSA are below 2^11")]
        looks.parts.push(rest as f32 / n as f32);
    }
    Some(looks)
}

impl<'c> Reader<'c> {
    pub(super) fn tosa_transpose_conv(&mut self, op: Operation<'c>) -> Result<ValueId, Reported> {
        self.no_zero_points(op, &[3, 4])?;
        let pads = op.ints_attr("out_pad").and_then(|pads| <[i64; 4]>::try_from(pads).ok());
        let operands = [self.whole(op, 0)?, self.whole(op, 1)?, self.narrow(op, 2)?];
        let [top, bottom, left, right] = required(op, "out_pad", pads)?;
        self.transposed_conv(op, operands, pair(op, "stride")?, [[top, bottom], [left, right]])
    }

    pub(super) fn tosa_resize(&mut self, op: Operation<'c>) -> Result<ValueId, Reported> {
        let list = |index: usize, what: &str| {
            let list = view::offsets(op, index);
            required(op, what, list)
        };
        let (scale, offset) = (list(1, "scale")?, list(2, "offset")?);
        let mode = op.attribute("mode").map(|mode| mode.to_string()).unwrap_or_default();
        let nearest = mode.contains("NEAREST");
        let mut x = self.whole(op, 0)?;
        let places = op.result(0).and_then(|r| r.ty().shape()).unwrap_or_default();
        for axis in [1, 2] {
            let at = (axis - 1) * 2;
            let ratio = scale.get(at).copied().zip(scale.get(at + 1).copied()).map(|(n, d)| [n, d]);
            let extent = self.graph.shape(x).get(axis).copied().unwrap_or(0);
            let places = places.get(axis).and_then(|&n| usize::try_from(n).ok());
            let looks = places
                .zip(ratio)
                .zip(offset.get(axis - 1))
                .and_then(|((places, ratio), &offset)| looks(places, extent, ratio, offset));
            let Looks { pixels: [before, after], parts } = required(op, "scale and offset", looks)?;
            x = if nearest {
                let both = before.iter().zip(&after).zip(&parts);
                let nearest: Vec<usize> =
                    both.map(|((&a, &b), &part)| if part >= 0.5 { b } else { a }).collect();
                self.pick(op, x, axis, &nearest)?
            } else {
                self.mixed(op, x, axis, [&before, &after], &parts)?
            };
        }
        Ok(x)
    }
}

impl<'c> Reader<'c> {
    /// `GATHER` at constant positions. torch-mlir reads an image as one list of pixels: of a reshaped tensor, one position for every
    /// element of the result's later shape, which is taken apart into positions along each axis.
    pub(super) fn tosa_gather(&mut self, op: Operation<'c>) -> Result<ValueId, Reported> {
        let (x, indices) = (self.whole(op, 0)?, self.whole(op, 1)?);
        let Some(positions) = self.graph.constant_of(indices).map(integers) else {
            return Err(internal(op, "positions that are not constant"));
        };
        let positions = positions.iter().map(|&at| usize::try_from(at).ok()).collect::<Option<Vec<_>>>();
        let &[n, k, c] = self.graph.shape(x) else {
            return Err(internal(op, "a gather without three axes"));
        };
        let Some(positions) = positions.filter(|list| list.iter().all(|&at| at < k)) else {
            return Err(op.error("a position of a gather is out of bounds"));
        };
        if n != 1 {
            return Err(op.error(format_args!("{UNSUPPORTED}a gather from a batch of {n}, 1 is supported")));
        }
        if let Some((image, lists)) = self.along_axes(op, x, &positions).filter(|_| c == 1) {
            let lists: Vec<&[usize]> = lists.iter().map(Vec::as_slice).collect();
            let part = self.picked(op, image, &lists)?;
            return self.push(op, Op::Reshape { shape: vec![1, positions.len(), 1] }, &[part]);
        }
        self.pick(op, x, 1, &positions)
    }

    /// The tensor behind a reshaped one, and for each of its axes the indices that positions in the list of its elements read, if
    /// they are the same along every other axis of the result.
    fn along_axes(
        &self,
        op: Operation<'c>,
        x: ValueId,
        positions: &[usize],
    ) -> Option<(ValueId, Vec<Vec<usize>>)> {
        let from = self.graph.producer(x).filter(|node| matches!(node.op, Op::Reshape { .. }))?;
        let &image = from.operands.first()?;
        let shape = self.graph.shape(image);
        let uses = op.result(0)?.uses();
        let [user] = uses.as_slice() else { return None };
        let later = user.user.is("tosa.reshape").then(|| user.user.result(0)?.ty().shape()).flatten()?;
        let later: Vec<usize> = later.into_iter().map(|n| usize::try_from(n).ok()).collect::<Option<_>>()?;
        (later.len() == shape.len()).then_some(())?;
        let split = |mut at: usize, shape: &[usize]| {
            let mut index = vec![0; shape.len()];
            for (place, &extent) in index.iter_mut().zip(shape).rev() {
                (*place, at) = (at % extent.max(1), at / extent.max(1));
            }
            index
        };
        let mut lists: Vec<Vec<Option<usize>>> = later.iter().map(|&extent| vec![None; extent]).collect();
        for (to, &from) in positions.iter().enumerate() {
            for ((list, at), read) in lists.iter_mut().zip(split(to, &later)).zip(split(from, shape)) {
                let place = list.get_mut(at)?;
                (*place.get_or_insert(read) == read).then_some(())?;
            }
        }
        let lists = lists.into_iter().map(|list| list.into_iter().collect()).collect::<Option<_>>()?;
        Some((image, lists))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_the_specification() {
        // Twice as large with pixels in the centre of the area that they cover: scale 4/2, offset -1.
        let twice = looks(4, 2, [4, 2], -1).map(|l| (l.pixels, l.parts));
        let pixels = [vec![0, 0, 0, 1], vec![0, 1, 1, 1]];
        assert_eq!(twice, Some((pixels, vec![0.75, 0.25, 0.75, 0.25])));
        assert_eq!(looks(4, 2, [0, 2], -1), None);
        assert_eq!(looks(4, 0, [4, 2], -1), None);
    }
}
