//! Images as inputs: a PNG or JPEG file, or a folder of them, in place of an array.
//!
//! Invariant: what pixels stand for is never guessed. A network of unsigned bytes takes pixels as its codes; every other network needs
//! `--mean` and `--std`.

mod decode;
mod files;
mod frame;
mod options;
mod resize;

use std::path::Path;

use dpu_isa::{Dtype, IoDesc};
use strum_files::{FileError, budget};

use crate::arguments::ArrayPath;
use crate::tensor::{Tensor, describe};
use files::ImageFiles;
use frame::Frame;
use resize::Unfit;

pub(crate) use files::files_at;
pub use options::{ImageOptions, Sources};

/// The images that an argument names, in order. A folder has them in the order of their names, a folder of class folders class after
/// class.
#[derive(Clone, Debug)]
pub struct Images {
    files: ImageFiles,
    options: ImageOptions,
}

impl Images {
    /// The images of an argument; nothing if it names something else, which may be an array.
    ///
    /// # Errors
    /// A folder without images or with other files, or an image that is neither PNG nor JPEG.
    pub fn find(arg: &str, options: &ImageOptions) -> Result<Option<Images>, FileError> {
        Images::at(&ArrayPath::parse(arg), options)
    }

    /// As [`Images::find`].
    pub(crate) fn at(place: &ArrayPath, options: &ImageOptions) -> Result<Option<Images>, FileError> {
        if place.key.is_some() {
            return Ok(None);
        }
        let files = ImageFiles::find(&place.path)?;
        Ok(files.map(|files| Images { files, options: options.clone() }))
    }

    /// The number of images, at least 1.
    #[must_use]
    pub fn count(&self) -> usize {
        self.files.paths.len()
    }

    /// The class of each image, if they are in class folders.
    #[must_use]
    pub fn labels(&self) -> Option<&[usize]> {
        self.files.labels.as_deref()
    }

    /// The file or folder that was given.
    pub(crate) fn path(&self) -> &Path {
        &self.files.given
    }

    /// The number of samples of an input of this shape: groups of as many images as its batch has.
    ///
    /// # Errors
    /// An input that is not an image, or a number of images that does not divide into batches.
    pub fn samples(&self, input: &str, shape: &[u64]) -> Result<usize, FileError> {
        let Frame { batch, .. } = self.frame(input, shape)?;
        let count = self.count();
        if batch == 0 || !count.is_multiple_of(batch) {
            let reason = format!("input '{input}': {count} images do not make batches of {batch}");
            return Err(FileError::content(self.path(), reason));
        }
        Ok(count / batch)
    }

    fn frame(&self, input: &str, shape: &[u64]) -> Result<Frame, FileError> {
        Frame::of(shape)
            .map_err(|reason| FileError::content(self.path(), format!("input '{input}': {reason}")))
    }

    /// The pixels of a sample, image after image in the network's layout, each as `value` of its channel and byte gives it.
    fn sample<T>(
        &self,
        (input, shape): (&str, &[u64]),
        sample: usize,
        value: impl Fn(usize, u8) -> T,
    ) -> Result<Vec<T>, FileError> {
        let frame = self.frame(input, shape)?;
        let mut values = Vec::new();
        let first = sample.saturating_mul(frame.batch);
        for path in self.files.paths.iter().skip(first).take(frame.batch) {
            let pixels = decode::read(path, frame.channels)?;
            let pixels = self.options.fitted(pixels, &frame).map_err(|unfit| match unfit {
                Unfit::Size(reason) => FileError::content(path, format!("input '{input}': {reason}")),
                Unfit::Limit(over) => FileError::Limit { path: path.clone(), over },
            })?;
            frame.append(&pixels, &value, &mut values);
        }
        Ok(values)
    }

    /// A sample of an input of real numbers: `(pixel / 255 - mean) / std`.
    ///
    /// # Errors
    /// An image that cannot be read or does not have the input's size, or options that do not say what pixels stand for.
    pub fn reals(&self, input: &str, shape: &[u64], sample: usize) -> Result<Vec<f32>, FileError> {
        let Some(real) = self.options.real() else {
            return Err(FileError::Usage(format!(
                "input '{input}' takes real numbers: --mean and --std say what pixels stand for"
            )));
        };
        #[allow(clippy::cast_possible_truncation, reason = "single precision is what networks compute in")]
        self.sample((input, shape), sample, |channel, byte| real(channel, byte) as f32)
    }

    /// The number of samples of an input of real numbers, and all of them, one after the other.
    ///
    /// # Errors
    /// As [`Images::samples`] and [`Images::reals`], or more than the memory limit allows.
    pub fn all_reals(&self, input: &str, shape: &[u64]) -> Result<(usize, Vec<f32>), FileError> {
        let count = self.samples(input, shape)?;
        let elements = shape.iter().fold(count as u64, |n, &d| n.saturating_mul(d));
        // Single precision, in a vector that grows by doubling.
        let needed = elements.saturating_mul(8);
        budget::check("the images as numbers", needed).map_err(FileError::limit(self.path()))?;
        let mut values = Vec::new();
        for sample in 0..count {
            values.extend(self.reals(input, shape, sample)?);
        }
        Ok((count, values))
    }

    /// A sample as codes of a program's input.
    ///
    /// # Errors
    /// As [`Images::reals`], or an input whose codes have no known meaning.
    pub fn codes(&self, desc: &IoDesc, sample: usize) -> Result<Tensor, FileError> {
        let of = (desc.name.as_str(), &desc.shape[..]);
        let values = match (self.options.real(), desc.meaning.codes) {
            (Some(real), Some(codes)) => {
                self.sample(of, sample, |channel, byte| codes.code(real(channel, byte), desc.dtype))?
            }
            (None, _) if desc.meaning.unsigned => self.sample(of, sample, |_, byte| i32::from(byte) - 128)?,
            (None, _) if desc.dtype == Dtype::U8 => self.sample(of, sample, |_, byte| i32::from(byte))?,
            (None, Some(codes)) => {
                let [low, high] = [desc.dtype.min(), desc.dtype.max()].map(|code| codes.value(code));
                return Err(FileError::Usage(format!(
                    "input '{}' takes real numbers from {low:.4} to {high:.4}: --mean and --std say what pixels stand for",
                    desc.name
                )));
            }
            (_, None) => {
                let (name, ty) = (&desc.name, describe(desc.dtype, &desc.shape));
                return Err(FileError::Usage(format!(
                    "input '{name}' ({ty}): the network does not say what its codes mean, so that pixels cannot become codes: \
                     give an array of codes"
                )));
            }
        };
        Ok(Tensor::from_values(desc.dtype, &desc.shape, &values))
    }
}
