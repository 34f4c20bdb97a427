//! The options of a recipe, from the command line or from a pass.
//!
//! Invariant: an option without effect is refused.

use strum_quant::{CORRECT, Choice, SELECT};

use super::recipe::NOT_REPRESENTATIVE;
use super::{Formats, RangeChoice, Recipe, Storage, WeightRounding, WeightScales};

/// The default of `percentile`, the share of values to clip.
pub const PERCENTILE: f64 = 0.0001;

/// How ranges of activations are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activations {
    /// See [`RangeChoice::MinMax`].
    MinMax,
    /// See [`RangeChoice::Percentile`].
    Percentile,
    /// See [`RangeChoice::Mse`].
    Mse,
}

/// How weights are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoundingChoice {
    /// To nearest.
    Nearest,
    /// With feedback.
    Feedback,
}

/// The notation of options, which messages use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// `percentile`, `activations=percentile`.
    Pass,
    /// `--percentile`, `--activations percentile`.
    CommandLine,
}

impl Notation {
    fn name(self, option: &str) -> String {
        match self {
            Notation::Pass => option.into(),
            Notation::CommandLine => format!("--{option}"),
        }
    }

    fn value(self, option: &str, value: &str) -> String {
        match self {
            Notation::Pass => format!("{option}={value}"),
            Notation::CommandLine => format!("--{option} {value}"),
        }
    }
}

/// The requested options.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Whether there is calibration data (`calibration`).
    pub calibrated: bool,
    /// How ranges of activations are chosen (`activations`).
    pub activations: Activations,
    /// The share of values to clip, if given (`percentile`).
    pub percentile: Option<f64>,
    /// Granularity of weight scales (`weights`).
    pub weights: WeightScales,
    /// How weights are rounded, if given (`rounding`).
    pub rounding: Option<RoundingChoice>,
    /// The weight formats to round for, if given (`format`).
    pub formats: Option<&'a Formats>,
    /// Whether biases are corrected (`bias-correction`).
    pub bias_correction: bool,
    /// Whether weight ranges are equalized (`equalize`).
    pub equalize: bool,
}

impl Options<'_> {
    /// The recipe for the options.
    ///
    /// # Errors
    /// Options that contradict one another or have no effect, in `notation`.
    pub fn recipe(&self, notation: Notation) -> Result<Recipe, String> {
        Ok(Recipe {
            ranges: self.ranges(notation)?,
            weights: self.weights,
            equalize: self.equalize,
            rounding: self.rounding(notation)?,
        })
    }

    fn ranges(&self, notation: Notation) -> Result<RangeChoice, String> {
        let percentile = notation.name("percentile");
        match (self.activations, self.percentile) {
            (Activations::Percentile, Some(share)) if !(0.0..1.0).contains(&share) => {
                refuse(format!("{percentile} is {share}, expected a number in [0, 1)"))
            }
            (Activations::Percentile, share) => Ok(RangeChoice::Percentile(share.unwrap_or(PERCENTILE))),
            (_, Some(_)) => {
                let needed = notation.value("activations", "percentile");
                refuse(format!("{percentile} has no effect without {needed}"))
            }
            (Activations::MinMax, None) => Ok(RangeChoice::MinMax),
            (Activations::Mse, None) => Ok(RangeChoice::Mse),
        }
    }

    fn rounding(&self, notation: Notation) -> Result<WeightRounding, String> {
        use RoundingChoice::{Feedback, Nearest};
        let formats = self.formats.cloned();
        let (rounding, asked_by) = match (self.rounding, formats, self.bias_correction) {
            (Some(Nearest), Some(_), _) => {
                let [format, nearest] = [notation.name("format"), notation.value("rounding", "nearest")];
                return refuse(format!("{format} rounds with feedback and contradicts {nearest}"));
            }
            (Some(Feedback), _, true) | (None, Some(_), true) => {
                let option = notation.name("bias-correction");
                return refuse(format!("{option} has no effect: rounding with feedback corrects biases"));
            }
            (None | Some(Nearest), None, false) => return Ok(WeightRounding::Nearest),
            (None | Some(Nearest), None, true) => {
                (WeightRounding::BiasCorrection, notation.name("bias-correction"))
            }
            (Some(Feedback), formats, false) => (
                WeightRounding::Feedback(formats.unwrap_or_default()),
                notation.value("rounding", "feedback"),
            ),
            (None, Some(formats), false) => (WeightRounding::Feedback(formats), notation.name("format")),
        };
        if self.calibrated {
            return Ok(rounding);
        }
        let calibration = notation.name("calibration");
        refuse(format!("{asked_by} needs {calibration}: {NOT_REPRESENTATIVE}"))
    }
}

fn refuse<T>(message: String) -> Result<T, String> {
    Err(message)
}

impl From<Option<Storage>> for Formats {
    fn from(storage: Option<Storage>) -> Self {
        storage.map_or(Formats::Dense, Formats::All)
    }
}

impl Storage {
    /// Reads `METHOD[,NAME=VALUE]…` as a weight format to round for.
    ///
    /// # Errors
    /// Text that [`Choice::parse`] refuses, or a parameter that does not apply to weights that are already rounded.
    pub fn choice(text: &str) -> Result<Choice, String> {
        let choice = Choice::parse(text).map_err(|error| error.to_string())?;
        Storage::check(&choice)?;
        Ok(choice)
    }

    /// Refuses a format with a parameter that does not apply to weights that are already rounded.
    ///
    /// # Errors
    /// It selects members other than by error, or corrects.
    pub fn check(choice: &Choice) -> Result<(), String> {
        for parameter in [&SELECT, &CORRECT] {
            if choice.spec().value(parameter).is_some() {
                let name = parameter.name;
                return refuse(format!("{name} has no effect on weights that are rounded for their format"));
            }
        }
        Ok(())
    }

    /// The format for the layers that strum-pack stores in it by default; nothing for plain INT8.
    #[must_use]
    pub fn of(choice: &Choice) -> Option<Storage> {
        let request = choice.request()?;
        Some(Storage { request, min_channels: request.w.into(), depthwise: false })
    }

    /// The format for any layer, as for those that a packing file names; nothing for plain INT8.
    #[must_use]
    pub fn of_any(choice: &Choice) -> Option<Storage> {
        Some(Storage { request: choice.request()?, min_channels: 0, depthwise: true })
    }
}
