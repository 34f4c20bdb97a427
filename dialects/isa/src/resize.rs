//! The positions that a resized row or column is computed from, as in TOSA `RESIZE`.
//!
//! Rule, simulator and planner ask here which part of the image a tile of the result needs. Invariant: what a checked
//! [`ResizeAxis`] names lies in its tile.

use crate::types::ResizeMode;

/// One side of a `vec_resize`: its rows, or its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResizeAxis {
    /// `y` or `x`, for messages.
    pub name: &'static str,
    /// Which neighbours count.
    pub mode: ResizeMode,
    /// Numerator of the scale.
    pub scale_n: u16,
    /// Denominator of the scale.
    pub scale_d: u16,
    /// Position of result 0, in `1 / scale_n`.
    pub offset: i16,
    /// Extent of the image.
    pub image: u32,
    /// First position and extent of the tile of the image.
    pub tile: (u32, u32),
    /// First position and extent of the tile of the results.
    pub out: (u32, u32),
}

/// What a result is computed from along one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taps {
    /// The position in the image that has the weight `scale_n - weight`.
    pub low: i64,
    /// The position in the image that has the weight `weight`; with `nearest` it is `low`.
    pub high: i64,
    /// 0 to `scale_n - 1`; with `nearest` 0.
    pub weight: i64,
}

/// Why a side of a resize is not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ResizeError {
    #[error("scale_{axis}_d = {d} must be less than 16 * scale_{axis}_n = {}", 16 * i64::from(*n))]
    Scale { axis: &'static str, n: u16, d: u16 },
    #[error("offset_{axis} = {offset} is outside -scale_{axis}_n..16 * scale_{axis}_n = -{n}..{}", 16 * i64::from(*n))]
    Offset { axis: &'static str, offset: i16, n: u16 },
    #[error("results {first}..{end} along {axis} end after {}", ResizeAxis::MAX_EXTENT)]
    Results { axis: &'static str, first: u32, end: u64 },
    #[error("the tile {first}..{end} along {axis} exceeds the image, which has {image}")]
    Image { axis: &'static str, first: u32, end: u64, image: u32 },
    #[error("the results need {low}..={high} of the image along {axis}, the tile is {first}..{end}")]
    Tile { axis: &'static str, low: i64, high: i64, first: u32, end: u64 },
}

impl ResizeAxis {
    /// The largest extent of images and results: TOSA has less than 16384.
    pub const MAX_EXTENT: u32 = 16383;

    /// What result `i` of the tile is computed from.
    #[must_use]
    pub fn taps(&self, i: u32) -> Taps {
        let n = i64::from(self.scale_n).max(1);
        let at = (i64::from(self.out.0) + i64::from(i)) * i64::from(self.scale_d) + i64::from(self.offset);
        let (position, rest) = (at.div_euclid(n), at.rem_euclid(n));
        let low = position.max(0);
        // Results after the image have no position in it at all; they are kept in order, for `needed`.
        let high = (position + 1).min(i64::from(self.image) - 1).max(low);
        match self.mode {
            ResizeMode::Nearest => {
                let nearest = if 2 * rest >= n { high } else { low };
                Taps { low: nearest, high: nearest, weight: 0 }
            }
            ResizeMode::Bilinear => Taps { low, high, weight: rest },
        }
    }

    /// The first and the last position of the image that the results of the tile are computed from.
    #[must_use]
    pub fn needed(&self) -> (i64, i64) {
        // Positions ascend with the results.
        let (first, last) = (self.taps(0), self.taps(self.out.1.saturating_sub(1)));
        (first.low.min(first.high), last.low.max(last.high))
    }

    /// Checks scale, offset and extents, and that the tile of the image has all that is needed.
    ///
    /// # Errors
    /// The first of these that does not hold.
    pub fn check(&self) -> Result<(), ResizeError> {
        let (axis, n, d) = (self.name, self.scale_n, self.scale_d);
        let most = 16 * i64::from(n);
        if i64::from(d) >= most {
            return Err(ResizeError::Scale { axis, n, d });
        }
        let offset = self.offset;
        if i64::from(offset) < -i64::from(n) || i64::from(offset) >= most {
            return Err(ResizeError::Offset { axis, offset, n });
        }
        let end_of = |(first, extent): (u32, u32)| u64::from(first) + u64::from(extent);
        let (first, end) = (self.out.0, end_of(self.out));
        if end > u64::from(Self::MAX_EXTENT) {
            return Err(ResizeError::Results { axis, first, end });
        }
        let (first, end) = (self.tile.0, end_of(self.tile));
        if end > u64::from(self.image) {
            return Err(ResizeError::Image { axis, first, end, image: self.image });
        }
        let (low, high) = self.needed();
        let inside = u64::try_from(low).is_ok_and(|low| low >= u64::from(first))
            && u64::try_from(high).is_ok_and(|high| high < end);
        if inside { Ok(()) } else { Err(ResizeError::Tile { axis, low, high, first, end }) }
    }
}
