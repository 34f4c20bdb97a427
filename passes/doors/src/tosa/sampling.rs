//! Operators that sample and order elements. Invariant: every result is an element of the operand, or a mean of neighbours.

use super::build::{Builder, Fault, along, fault, wide};
use super::{Attribute, Elem, Id, Operand};

/// How output positions of `resize` fall onto the image, along one axis: position `(i · step + offset) / unit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Parts of the distance between two pixels.
    pub unit: usize,
    /// Parts between two output positions.
    pub step: usize,
    /// The first position.
    pub offset: i64,
    /// The number of output positions.
    pub count: usize,
}

impl Builder {
    /// `resize`, bilinear or of the nearest neighbour, of rows and columns; bilinear codes of 8 bits become i32, times both units.
    ///
    /// # Errors
    /// A grid is not on the image.
    pub fn resize(&mut self, x: Id, [rows, columns]: [Grid; 2], bilinear: bool) -> Result<Id, Fault> {
        let op = "resize";
        let ([n, h, w, c], elem) = self.image(op, x)?;
        let border = |grid: &Grid, extent: usize| {
            let last =
                wide(grid.count.checked_sub(1)?).checked_mul(wide(grid.step))?.checked_add(grid.offset)?;
            let unit = wide(grid.unit);
            let border = last.checked_sub(wide(extent - 1).checked_mul(unit)?)?;
            let fits = grid.unit > 0 && grid.step > 0 && (-unit..16 * unit).contains(&grid.offset);
            (fits && (-16 * unit..unit).contains(&border)).then_some(border)
        };
        let (Some(bottom), Some(right)) = (border(&rows, h), border(&columns, w)) else {
            return fault(
                op,
                format!("{} x {} positions on an image of {h} x {w}", rows.count, columns.count),
            );
        };
        let lists = [
            vec![rows.unit, rows.step, columns.unit, columns.step].into_iter().map(wide).collect(),
            vec![rows.offset, columns.offset],
            vec![bottom, right],
        ];
        let operands = [Operand::Value(x)].into_iter().chain(lists.map(Operand::Shape)).collect();
        let mode = if bilinear { "BILINEAR" } else { "NEAREST_NEIGHBOR" };
        let to = if bilinear && elem == Elem::I8 { Elem::I32 } else { elem };
        let shape = [n, rows.count, columns.count, c];
        self.push(op, operands, vec![("mode", Attribute::Case("resize_mode", mode))], &shape, to)
    }

    /// `argmax`: the index of the first largest element; the axis is left out.
    ///
    /// # Errors
    /// There is no such axis.
    pub fn argmax(&mut self, x: Id, axis: usize) -> Result<Id, Fault> {
        let op = "argmax";
        let (mut shape, _) = self.of(op, x)?;
        if axis >= shape.len() {
            return fault(op, format!("axis {axis} of {shape:?}"));
        }
        shape.remove(axis);
        let nan = ("nan_mode", Attribute::Case("nan_mode", "PROPAGATE"));
        self.push(op, vec![Operand::Value(x)], vec![along(axis), nan], &shape, Elem::I32)
    }

    /// `reverse` along an axis.
    ///
    /// # Errors
    /// There is no such axis.
    pub fn reverse(&mut self, x: Id, axis: usize) -> Result<Id, Fault> {
        let op = "reverse";
        let (shape, elem) = self.of(op, x)?;
        if axis >= shape.len() {
            return fault(op, format!("axis {axis} of {shape:?}"));
        }
        self.push(op, vec![Operand::Value(x)], vec![along(axis)], &shape, elem)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    #[test]
    fn grids_have_the_border_that_ends_at_their_last_position() {
        let mut build = Builder::default();
        let x = build.input("x", &[1, 4, 4, 2], Elem::I8, None).unwrap();
        let grid = Grid { unit: 4, step: 2, offset: -1, count: 8 };
        let y = build.resize(x, [grid; 2], true).unwrap();
        assert_eq!(
            (build.graph().shape(y), build.graph().value(y).unwrap().elem),
            (&[1, 8, 8, 2][..], Elem::I32)
        );
        assert_eq!(build.graph().nodes[0].operands[3], Operand::Shape(vec![1, 1]));
        let fault = build.resize(x, [Grid { offset: 64, ..grid }, grid], true).unwrap_err();
        assert_eq!(fault.to_string(), "resize: 8 x 8 positions on an image of 4 x 4");
        assert_eq!(build.argmax(x, 4).unwrap_err().to_string(), "argmax: axis 4 of [1, 4, 4, 2]");
        assert_eq!(build.reverse(x, 4).unwrap_err().to_string(), "reverse: axis 4 of [1, 4, 4, 2]");
    }
}
