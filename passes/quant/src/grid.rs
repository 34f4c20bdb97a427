//! The values that members of a layer's blocks can have, for choosing weights before they are rounded to codes.

use strum_formats::{DliqShift, Shape, decode_table};

use crate::{QuantError, Request, pack_with};

/// The values of a low member of an output channel, without -128. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid(Vec<i8>);

impl Grid {
    /// The value nearest to a number; ties go to the smaller magnitude, then the smaller value.
    #[must_use]
    pub fn nearest(&self, x: f64) -> i8 {
        let distance = |v: i8| (f64::from(v) - x).abs();
        let nearer = |&a: &i8, &b: &i8| {
            distance(a).total_cmp(&distance(b)).then(a.unsigned_abs().cmp(&b.unsigned_abs())).then(a.cmp(&b))
        };
        self.0.iter().copied().min_by(nearer).unwrap_or_default()
    }
}

/// The format of a layer's blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grids {
    w: usize,
    low: usize,
    channels: Vec<Grid>,
}

impl Grids {
    /// The format in which a request stores a layer with these codes, or similar ones: shifts of `dliq` are those that
    /// [`pack`](crate::pack) finds for them. Nothing for plain INT8.
    ///
    /// # Errors
    /// As [`pack_with`]; selection by activations is treated as selection by error, since only shifts are searched.
    pub fn of(codes: &[i8], shape: Shape, request: &Request) -> Result<Option<Self>, QuantError> {
        let request = Request { select: crate::Select::Error, ..*request };
        let packed = pack_with(codes, shape, &request, None)?;
        let format = packed.format;
        if !format.is_packed() {
            return Ok(None);
        }
        let shifts = match format.method.shift() {
            DliqShift::Layer(shift) => vec![shift; shape.oc],
            DliqShift::PerChannel => packed.shifts()?,
        };
        let grid = |&shift: &u8| {
            // Weights of integer networks are symmetric: other tools need not support -128.
            let values = decode_table(&format.method, shift).into_iter().flatten();
            let mut values: Vec<i8> = values.filter(|&value| value != i8::MIN).collect();
            values.sort_unstable();
            values.dedup();
            Grid(values)
        };
        let channels = shifts.iter().map(grid).collect();
        Ok(Some(Grids { w: format.w.into(), low: format.low.into(), channels }))
    }

    /// Members of a block.
    #[must_use]
    pub fn block(&self) -> usize {
        self.w
    }

    /// Number of low members among a block's `real` first members, which are not padding.
    #[must_use]
    pub fn low(&self, real: usize) -> usize {
        self.low.saturating_sub(self.w.saturating_sub(real))
    }

    /// The values of low members of an output channel.
    #[must_use]
    pub fn channel(&self, oc: usize) -> Option<&Grid> {
        self.channels.get(oc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shift;
    use strum_formats::{Kind, Method};

    const SHAPE: Shape = Shape { oc: 2, kh: 1, kw: 1, ic: 16 };

    fn codes() -> Vec<i8> {
        (0..32).map(|i: i8| if i < 16 { i } else { i.wrapping_mul(7) }).collect()
    }

    fn grids(request: &Request) -> Grids {
        Grids::of(&codes(), SHAPE, request).unwrap().unwrap()
    }

    #[test]
    fn the_nearest_value_of_each_method() {
        let nearest = |request: &Request, x: f64| grids(request).channel(0).unwrap().nearest(x);
        let mip2q = Request::new(Kind::Mip2q);
        assert_eq!(
            [0.1, -0.4, 2.9, 100.0, 300.0, -300.0].map(|x| nearest(&mip2q, x)),
            [1, -1, 2, 64, 64, -64]
        );
        let zero = Request { method: Method::Mip2q { l: 5, zero: true }, ..mip2q };
        assert_eq!([0.4, -0.6, 100.0].map(|x| nearest(&zero, x)), [0, -1, 32]);
        let dliq = Request { shift: Shift::Fixed(4), ..Request::new(Kind::Dliq) };
        assert_eq!([7.9, 8.0, 8.1, -300.0].map(|x| nearest(&dliq, x)), [0, 0, 16, -112]);
        assert_eq!(nearest(&Request::new(Kind::Sparse), -77.0), 0);
        assert_eq!(Grids::of(&codes(), SHAPE, &Request::new(Kind::Dense)), Ok(None));
    }

    #[test]
    fn shifts_are_those_of_the_codes() {
        let request = Request { shift: Shift::AutoChannel, low: 16, ..Request::new(Kind::Dliq) };
        let grids = grids(&request);
        assert_eq!(grids.channel(0).unwrap().nearest(3.2), 4, "a shift of 1 or 2");
        assert_ne!(grids.channel(0), grids.channel(1));
        assert_eq!(grids.channel(2), None);
    }

    #[test]
    fn padding_is_low_first() {
        let grids = grids(&Request::new(Kind::Sparse));
        assert_eq!([16, 12, 8, 3].map(|real| grids.low(real)), [8, 4, 0, 0]);
        assert_eq!(grids.block(), 16);
    }
}
