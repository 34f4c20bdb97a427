//! The options of images. Invariant: an option without an image is refused.

use std::fmt;
use std::str::FromStr;

use clap::Args;
use strum_files::FileError;

use super::Images;
use super::decode::Pixels;
use super::frame::Frame;
use super::resize::{Resize, Unfit};
use crate::arguments::place_of;

/// How images become inputs.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Images")]
pub struct ImageOptions {
    /// Mean of red, green and blue, or of all, with pixels as numbers from 0 to 1: an input is (pixel / 255 - mean) / std.
    #[arg(long, value_name = "R,G,B", requires = "std")]
    mean: Option<Channels>,

    /// Standard deviation of red, green and blue, or of all, with pixels as numbers from 0 to 1; 1/255 for inputs from 0 to 255.
    #[arg(long, value_name = "R,G,B", requires = "mean")]
    std: Option<Channels>,

    /// Resize images (bilinear, antialiased): the shorter side or WxH, of which the centre is cropped, or exact for the input's size.
    #[arg(long, value_name = "SIDE|WxH|exact")]
    resize: Option<Resize>,
}

/// The arguments that name inputs or samples, and how those become inputs that are images.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The arguments.
    pub args: &'a [String],
    /// The options.
    pub images: &'a ImageOptions,
}

/// A number for each channel.
#[derive(Clone, Debug, PartialEq)]
struct Channels {
    text: String,
    values: Vec<f64>,
}

impl Channels {
    fn of(&self, channel: usize) -> f64 {
        self.values.get(channel).or(self.values.first()).copied().unwrap_or(0.0)
    }
}

impl FromStr for Channels {
    type Err = String;

    fn from_str(text: &str) -> Result<Channels, String> {
        let number = |text: &str| text.trim().parse::<f64>().ok();
        let value = |text: &str| match text.split_once('/') {
            Some((above, below)) => Some(number(above)? / number(below)?),
            None => number(text),
        };
        let values: Option<Vec<f64>> = text.split(',').map(value).collect();
        let values = values.filter(|values| [1, 3].contains(&values.len()));
        let values = values.ok_or("expected one or three numbers such as 0.485,0.456,0.406 or 1/255")?;
        // Of pixels from 0 to 255 they would be larger.
        if values.iter().any(|value| !(0.0..=1.0).contains(value)) {
            return Err("expected numbers from 0 to 1, as pixels are: 127.5/255 in place of 127.5".into());
        }
        Ok(Channels { text: text.to_owned(), values })
    }
}

impl fmt::Display for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl ImageOptions {
    /// Checks the options of a command whose inputs and samples these arguments name; returns what images become, for readers.
    ///
    /// # Errors
    /// An option without effect, a folder without images.
    pub fn check<'a>(&self, args: impl IntoIterator<Item = &'a String>) -> Result<Option<String>, FileError> {
        let mut count = 0;
        for arg in args {
            count += Images::at(&place_of(arg), self)?.map_or(0, |images| images.count());
        }
        let given = [("--mean", self.mean.is_some()), ("--resize", self.resize.is_some())];
        if let Some((flag, _)) = given.iter().find(|(_, given)| *given && count == 0) {
            return Err(FileError::Usage(format!("{flag} has no effect: no input is an image")));
        }
        if self.std.as_ref().is_some_and(|std| std.values.contains(&0.0)) {
            return Err(FileError::Usage("--std: expected numbers above 0".to_owned()));
        }
        Ok((count > 0).then(|| self.told(count)))
    }

    /// What images become.
    fn told(&self, count: usize) -> String {
        let what = if count == 1 { "the image".to_owned() } else { format!("{count} images") };
        let size = self.resize.map_or("not resized".to_owned(), |resize| resize.to_string());
        match (&self.mean, &self.std) {
            (Some(mean), Some(std)) => {
                format!("{what}: {size}; (pixel / 255 - mean) / std, mean {mean}, std {std}")
            }
            _ => format!("{what}: {size}; pixels from 0 to 255 are taken as codes"),
        }
    }

    /// The real number of a channel's byte; nothing if the options do not say it.
    pub(super) fn real(&self) -> Option<impl Fn(usize, u8) -> f64 + use<>> {
        let (mean, std) = (self.mean.clone()?, self.std.clone()?);
        let table = |channel: usize| -> Vec<f64> {
            (0..=255u8).map(|byte| (f64::from(byte) / 255.0 - mean.of(channel)) / std.of(channel)).collect()
        };
        let tables = [0, 1, 2].map(table);
        let of = move |channel: usize, byte: u8| {
            tables.get(channel).and_then(|table| table.get(usize::from(byte))).copied().unwrap_or(0.0)
        };
        Some(of)
    }

    /// An image with the size of a frame.
    pub(super) fn fitted(&self, image: Pixels, frame: &Frame) -> Result<Pixels, Unfit> {
        if let Some(resize) = self.resize {
            return resize.apply(image, [frame.width, frame.height]);
        }
        if [image.width, image.height] == [frame.width, frame.height] {
            return Ok(image);
        }
        Err(Unfit::Size(format!(
            "{}x{} pixels, the input takes {}x{}: --resize fits them",
            image.width, image.height, frame.width, frame.height
        )))
    }
}
