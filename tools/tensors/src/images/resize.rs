//! Resizing and cropping on bytes. Invariant: the result is that of `resize` with `BILINEAR` of Pillow up to version 12, byte for byte: a
//! triangle that is widened when an image shrinks (antialiasing), rows first, bytes between both passes. Pillow 13 does columns first where
//! that is faster, which changes a byte by at most 1.

use std::fmt;
use std::str::FromStr;

use strum_files::{OverLimit, budget};

use super::decode::{MAX_PIXELS, Pixels};

/// Bits of the fraction of a weight.
const FRACTION: u32 = 22;

/// What an image is resized to before the centre of the network's size is cut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resize {
    /// The shorter side has this many pixels; the aspect ratio stays.
    Shorter(u32),
    /// Width and height.
    To(u32, u32),
    /// The network's size, whatever the aspect ratio.
    Exact,
}

/// Why an image is not fitted to an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// Its size.
    Size(String),
    /// The memory limit.
    Limit(OverLimit),
}

impl FromStr for Resize {
    type Err = String;

    fn from_str(text: &str) -> Result<Resize, String> {
        let side = |text: &str| text.parse().ok().filter(|side| (1..=65_535).contains(side));
        let parsed = match text.split_once('x') {
            _ if text == "exact" => Some(Resize::Exact),
            Some((width, height)) => side(width).zip(side(height)).map(|(w, h)| Resize::To(w, h)),
            None => side(text).map(Resize::Shorter),
        };
        parsed.ok_or_else(|| "expected the shorter side in pixels, WIDTHxHEIGHT, or exact".to_owned())
    }
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resize::Shorter(side) => write!(f, "resized to a shorter side of {side}, centre cropped"),
            Resize::To(width, height) => write!(f, "resized to {width}x{height}, centre cropped"),
            Resize::Exact => write!(f, "resized to the size of the input"),
        }
    }
}

impl Resize {
    /// The width and height of an image after resizing.
    fn target(self, image: &Pixels, network: [usize; 2]) -> Result<[usize; 2], Unfit> {
        let [width, height] = match self {
            Resize::Exact => network,
            Resize::To(width, height) => [width as usize, height as usize],
            Resize::Shorter(side) => {
                let (side, [width, height]) = (side as usize, [image.width, image.height]);
                // Rounded down, as torchvision does.
                match width <= height {
                    true => [side, side.saturating_mul(height) / width.max(1)],
                    false => [side.saturating_mul(width) / height.max(1), side],
                }
            }
        };
        // Rows are resized first.
        let pixels = (width as u64).saturating_mul(image.height.max(height) as u64);
        if pixels > MAX_PIXELS {
            let reason = format!("{width}x{height} pixels after resizing, the limit is {MAX_PIXELS} in all");
            return Err(Unfit::Size(reason));
        }
        budget::check("the resized image", pixels.saturating_mul(6)).map_err(Unfit::Limit)?;
        Ok([width, height])
    }

    /// The image at the network's size, width and height.
    ///
    /// # Errors
    /// An image that is smaller after resizing.
    pub(super) fn apply(self, image: Pixels, network: [usize; 2]) -> Result<Pixels, Unfit> {
        let [width, height] = self.target(&image, network)?;
        if width < network[0] || height < network[1] {
            let (w, h) = (image.width, image.height);
            return Err(Unfit::Size(format!(
                "{w}x{h} pixels are {width}x{height} after --resize, and the input takes {}x{}",
                network[0], network[1]
            )));
        }
        Ok(cropped(bilinear(image, width, height), network))
    }
}

/// The centre of an image.
fn cropped(image: Pixels, [width, height]: [usize; 2]) -> Pixels {
    if [image.width, image.height] == [width, height] {
        return image;
    }
    let (left, top) = (half(image.width - width), half(image.height - height));
    let row = image.width * image.channels;
    let (begin, length) = (left * image.channels, width * image.channels);
    let rows = image.data.chunks_exact(row.max(1)).skip(top).take(height);
    let data = rows.flat_map(|row| row.get(begin..begin + length).unwrap_or_default().iter().copied());
    Pixels { width, height, channels: image.channels, data: data.collect() }
}

/// Half of a margin; halves go to the even number, as torchvision does.
fn half(margin: usize) -> usize {
    let half = margin / 2;
    if margin % 2 == 1 && half % 2 == 1 { half + 1 } else { half }
}

/// The source pixels of one target pixel, with their weights.
struct Window {
    first: usize,
    weights: Vec<i32>,
}

/// The windows of all target pixels along an axis.
fn windows(from: usize, to: usize) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    let support = scale.max(1.0);
    let window = |target: usize| {
        let centre = (target as f64 + 0.5) * scale;
        let first = (centre - support + 0.5).max(0.0) as usize;
        let end = ((centre + support + 0.5) as usize).min(from);
        let weight =
            |source: usize| (1.0 - ((source as f64 - centre + 0.5) * (1.0 / support)).abs()).max(0.0);
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |weight: f64| (weight / sum * f64::from(1 << FRACTION) + 0.5) as i32;
        Window { first, weights: weights.into_iter().map(fixed).collect() }
    };
    (0..to).map(window).collect()
}

/// A weighted sum of bytes, `step` apart.
fn blend(data: &[u8], window: &Window, start: usize, step: usize) -> u8 {
    let bytes = data.iter().skip(start + window.first * step).step_by(step);
    let sum = bytes.zip(&window.weights).fold(1 << (FRACTION - 1), |sum, (&byte, &weight)| {
        // At most 255 · 2²² and the rounding of some thousand weights.
        i64::from(byte) * i64::from(weight) + sum
    });
    u8::try_from((sum >> FRACTION).clamp(0, 255)).unwrap_or(u8::MAX)
}

/// The image with another size.
fn bilinear(image: Pixels, width: usize, height: usize) -> Pixels {
    let Pixels { channels, .. } = image;
    let mut image = image;
    if width != image.width {
        let windows = windows(image.width, width);
        let row = image.width * channels;
        let mut data = Vec::with_capacity(width * image.height * channels);
        for line in image.data.chunks_exact(row.max(1)) {
            for window in &windows {
                data.extend((0..channels).map(|channel| blend(line, window, channel, channels)));
            }
        }
        image = Pixels { width, data, ..image };
    }
    if height != image.height {
        let row = width * channels;
        let mut data = Vec::with_capacity(height * row);
        for window in windows(image.height, height) {
            data.extend((0..row).map(|column| blend(&image.data, &window, column, row)));
        }
        image = Pixels { height, data, ..image };
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels by a formula.
    fn image(width: usize, height: usize) -> Pixels {
        let of = |x: usize, y: usize, c: usize| (x * 37 + y * 59 + c * 83 + x * y * 7 + x * x * y * 11) as u8;
        let mut data = Vec::new();
        for y in 0..height {
            data.extend((0..width).flat_map(|x| (0..3).map(move |c| of(x, y, c))));
        }
        Pixels { width, height, channels: 3, data }
    }

    /// From and to which width and height, and the hash of what Pillow 12.2.0 makes of it:
    /// `Image.resize((width, height), Image.BILINEAR)`.
    const PILLOW: [([usize; 2], [usize; 2], u32); 24] = [
        ([13, 9], [5, 4], 0x3a6d5620),
        ([13, 9], [21, 15], 0x42926456),
        ([13, 9], [13, 4], 0x80ac3cfb),
        ([13, 9], [7, 9], 0xea8c567e),
        ([13, 9], [1, 1], 0x0001e577),
        ([1, 1], [3, 2], 0xfd75d560),
        ([97, 31], [32, 32], 0x4c1c8100),
        ([64, 64], [28, 28], 0xd90bd6a4),
        ([40, 50], [39, 51], 0xc3d3cacf),
        ([3, 200], [5, 7], 0xc9f11d46),
        ([40, 17], [48, 23], 0x00b379ed),
        ([51, 45], [54, 48], 0x5fa89deb),
        ([42, 60], [34, 2], 0x484e25d3),
        ([54, 30], [50, 16], 0x2de73693),
        ([42, 4], [58, 11], 0xa06d8cba),
        ([8, 24], [31, 56], 0xd08b4473),
        ([16, 25], [35, 7], 0xe68753f2),
        ([37, 16], [1, 47], 0x50d4b705),
        ([14, 27], [18, 12], 0xc3e0206c),
        ([59, 56], [50, 25], 0x244499ed),
        ([11, 49], [52, 5], 0xb8589299),
        ([9, 40], [40, 29], 0x7c54279c),
        ([9, 9], [1, 56], 0xb797afd4),
        ([1, 14], [50, 14], 0x5c99cc20),
    ];

    #[test]
    fn images_of_any_size_are_resized_as_by_pillow() {
        for ([width, height], [to_width, to_height], hash) in PILLOW {
            let resized = bilinear(image(width, height), to_width, to_height);
            assert_eq!(resized.data.len(), to_width * to_height * 3);
            let got = resized.data.iter().fold(0u32, |h, &b| h.wrapping_mul(31).wrapping_add(b.into()));
            assert_eq!(got, hash, "{width}x{height} to {to_width}x{to_height}");
        }
    }

    #[test]
    fn sizes_are_those_of_torchvision() {
        let target = |w, h, text: &str| {
            text.parse::<Resize>().unwrap().target(&image(w, h), [7, 5]).map_err(|_| ()).unwrap()
        };
        // Resize(256) of 500x375 and of 375x500.
        assert_eq!((target(500, 375, "256"), target(375, 500, "256")), ([341, 256], [256, 341]));
        assert_eq!((target(9, 9, "30x20"), target(9, 9, "exact")), ([30, 20], [7, 5]));
        // CenterCrop: round() of half a margin.
        assert_eq!([0, 1, 2, 3, 5, 7].map(half), [0, 0, 1, 2, 2, 4]);
        let centre = cropped(image(9, 6), [4, 3]);
        assert_eq!(centre.data[..3], image(9, 6).data[(2 * 9 + 2) * 3..][..3]);
        assert_eq!(centre.data[9 + 3..][..3], image(9, 6).data[(3 * 9 + 2) * 3..][..3]);
    }

    #[test]
    fn sizes_that_make_no_sense_are_refused() {
        for text in ["0", "x", "3x", "-1", "70000", "", "5x0", "Exact"] {
            let error = text.parse::<Resize>().unwrap_err();
            assert_eq!(error, "expected the shorter side in pixels, WIDTHxHEIGHT, or exact");
        }
        let refused = |text: &str, image: Pixels| match text.parse::<Resize>().unwrap().apply(image, [7, 5]) {
            Err(Unfit::Size(reason)) => reason,
            other => panic!("{other:?}"),
        };
        let small = refused("4", image(8, 4));
        assert_eq!(small, "8x4 pixels are 8x4 after --resize, and the input takes 7x5");
        let large = refused("60000", image(1, 2));
        assert_eq!(large, "60000x120000 pixels after resizing, the limit is 268435456 in all");
    }
}
