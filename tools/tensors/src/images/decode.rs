//! From a PNG or JPEG file to bytes of one or three channels. Invariant: an image that the file does not hold completely is an error, and
//! no size that a header claims is allocated beyond the memory limit.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};
use strum_files::{FileError, budget};

/// Maximum size of a file in bytes.
const MAX_FILE: u64 = 1 << 28;

/// Maximum number of pixels, also after resizing.
pub(super) const MAX_PIXELS: u64 = 1 << 28;

/// Bytes in memory for a byte of a decoded image: coefficients of a progressive JPEG, and copies while it is turned and converted.
const WORK: u64 = 6;

/// An image: rows from the top, pixels from the left, channels adjacent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pixels {
    pub(super) width: usize,
    pub(super) height: usize,
    /// 1 (luma) or 3 (red, green, blue).
    pub(super) channels: usize,
    pub(super) data: Vec<u8>,
}

/// Reads an image with this many channels, turned as its EXIF orientation says.
pub(super) fn read(path: &Path, channels: usize) -> Result<Pixels, FileError> {
    let bytes = strum_files::read(path, MAX_FILE)?.bytes;
    let fail = |error: ImageError| match error {
        ImageError::Limits(_) => {
            FileError::Limit { path: path.to_owned(), over: budget::refused("the image", budget::limit()) }
        }
        other => {
            FileError::content(path, format!("a damaged image: {}", other.to_string().replace('\n', " ")))
        }
    };
    if bytes.starts_with(&[0xff, 0xd8]) {
        check_jpeg(&bytes).map_err(|reason| FileError::content(path, reason))?;
    }
    let reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().map_err(FileError::io(path))?;
    let mut decoder = reader.into_decoder().map_err(fail)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS {
        let reason = format!("{width}x{height} pixels, the limit is {MAX_PIXELS} in all");
        return Err(FileError::content(path, reason));
    }
    let needed = decoder.total_bytes().saturating_mul(WORK);
    budget::check("the image", needed).map_err(FileError::limit(path))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(needed.max(1 << 20));
    decoder.set_limits(limits).map_err(fail)?;
    let orientation = decoder.orientation().map_err(fail)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(fail)?;
    image.apply_orientation(orientation);
    Ok(converted(image, channels))
}

/// Alpha is dropped, 16 bits are rounded to 8, grey is repeated in all channels.
fn converted(image: DynamicImage, channels: usize) -> Pixels {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let data = match (channels, image.color().has_color()) {
        (1, false) => image.into_luma8().into_raw(),
        (1, true) => image.into_rgb8().as_chunks::<3>().0.iter().map(|&rgb| luma(rgb)).collect(),
        _ => image.into_rgb8().into_raw(),
    };
    Pixels { width, height, channels, data }
}

/// 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601), in 16 bits of fraction as Pillow has it.
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let sum = u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471 + 0x8000;
    u8::try_from(sum >> 16).unwrap_or(u8::MAX)
}

/// Checks that a JPEG file has its end and no colours that would be converted by guess: the decoder fills what is missing with grey.
fn check_jpeg(bytes: &[u8]) -> Result<(), String> {
    let mut at = 2;
    let cut = || "a damaged image: it ends before its end marker".to_owned();
    loop {
        let &[marker, code] = bytes.get(at..at + 2).and_then(|m| m.first_chunk::<2>()).ok_or_else(cut)?;
        if marker != 0xff {
            return Err(format!("a damaged image: no marker at byte {at}"));
        }
        match code {
            // Fill bytes.
            0xff => {
                at += 1;
                continue;
            }
            // The scan: a marker within it would be stuffed.
            0xda => break,
            _ => {}
        }
        let segment = bytes.get(at + 2..).ok_or_else(cut)?;
        let length =
            segment.first_chunk::<2>().map(|&b| usize::from(u16::from_be_bytes(b))).ok_or_else(cut)?;
        let is_frame = matches!(code, 0xc0..=0xcf) && !matches!(code, 0xc4 | 0xc8 | 0xcc);
        if is_frame && segment.get(7) == Some(&4) {
            return Err("a JPEG image in CMYK: convert it to RGB".to_owned());
        }
        at += 2 + length.max(2);
    }
    let scan = bytes.get(at..).unwrap_or_default();
    if scan.windows(2).any(|pair| pair == [0xff, 0xd9]) { Ok(()) } else { Err(cut()) }
}
