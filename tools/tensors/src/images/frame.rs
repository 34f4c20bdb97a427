//! The images of an input: their number, size, channels and layout, by its shape. Invariant: a shape that could be read in two ways is
//! refused.

use super::decode::Pixels;

/// An input that takes images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Images of a sample.
    pub(super) batch: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    /// 1 or 3.
    pub(super) channels: usize,
    /// Whether channels are the last axis.
    last: bool,
}

impl Frame {
    /// The frame of an input of this shape: `[N, height, width, C]` or `[N, C, height, width]`, also without `N`.
    pub(super) fn of(shape: &[u64]) -> Result<Frame, String> {
        let fail = |what: &str| format!("shape {shape:?} {what}");
        let extents: Option<Vec<usize>> = shape.iter().map(|&d| usize::try_from(d).ok()).collect();
        let (batch, [a, b, c]) = match extents.as_deref() {
            Some(&[a, b, c]) => (1, [a, b, c]),
            Some(&[n, a, b, c]) => (n, [a, b, c]),
            _ => {
                return Err(fail(
                    "is not an image: [N, height, width, channels] or [N, channels, height, width]",
                ));
            }
        };
        let is_channels = |extent: usize| extent == 1 || extent == 3;
        match (is_channels(a), is_channels(c)) {
            (false, true) => Ok(Frame { batch, height: a, width: b, channels: c, last: true }),
            (true, false) => Ok(Frame { batch, channels: a, height: b, width: c, last: false }),
            (false, false) => {
                Err(fail("is not an image: its last or second dimension must be 1 or 3 channels"))
            }
            (true, true) => Err(fail("does not say which axis are the channels of an image: give an array")),
        }
    }

    /// Appends an image of this frame in its layout.
    pub(super) fn append<T>(&self, image: &Pixels, value: impl Fn(usize, u8) -> T, to: &mut Vec<T>) {
        if self.last {
            let bytes = image.data.iter().enumerate();
            to.extend(bytes.map(|(index, &byte)| value(index % self.channels, byte)));
            return;
        }
        for channel in 0..self.channels {
            let bytes = image.data.iter().skip(channel).step_by(self.channels);
            to.extend(bytes.map(|&byte| value(channel, byte)));
        }
    }
}
