//! The packing file: JSON that says of every layer how its weights are stored.
//!
//! Invariant: everything a file says is either followed or refused with the layer it is about.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use strum_float::quantize::Storage;
use strum_quant::{CORRECT, Choice, SELECT};

/// The version that is written, and the only one that is read.
const VERSION: u64 = 1;

/// A packing file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packing {
    /// Version of the format.
    pub version: u64,
    /// Programs, one for each function.
    #[serde(default)]
    pub programs: Vec<ProgramPacking>,
}

/// How the weights of one function are stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramPacking {
    /// The function.
    pub name: String,
    /// Layers, in any order. The options of the pass are for those that are not here.
    #[serde(default)]
    pub layers: Vec<LayerPacking>,
}

/// How the weights of one layer are stored. What is left out has the default of `strum-pack`, whatever its options say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerPacking {
    /// Index of the layer and its operator, as reports have it: `12.conv2d`.
    pub name: String,
    /// Where the layer is in the source; for readers alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub location: Option<String>,
    /// Shape of its weights, OHWI or HWCM: `64x3x3x32`. A layer with others is refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub weights: Option<String>,
    /// How they are stored.
    #[serde(flatten)]
    pub choice: Choice,
}

/// Reads the version alone, so that a file of another version is not judged by the fields of this one.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

impl Packing {
    /// A file for programs.
    #[must_use]
    pub fn new(programs: Vec<ProgramPacking>) -> Self {
        Packing { version: VERSION, programs }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// No such file, or text that [`Packing::from_json`] refuses.
    pub fn read(path: &str) -> Result<Self, String> {
        let fail = |e: &dyn std::fmt::Display| format!("packing file '{path}': {e}");
        let text = strum_files::read_text(Path::new(path)).map_err(|e| fail(&e.reason()))?;
        Packing::from_json(&text).map_err(|e| fail(&e))
    }

    /// Understands a file's text.
    ///
    /// # Errors
    /// No JSON (with line and column), another version, a field that does not exist or has another type, parameters that are
    /// not legal or not those of the method, a program or layer that is there twice.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let Versioned { version } = serde_json::from_str(text).map_err(|e| e.to_string())?;
        if version != VERSION {
            return Err(format!("version {version}: this program reads version {VERSION}"));
        }
        let packing: Packing = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let mut programs = BTreeSet::new();
        for program in &packing.programs {
            if !programs.insert(&program.name) {
                return Err(format!("program '{}' is there twice", program.name));
            }
            let mut layers = BTreeSet::new();
            for layer in &program.layers {
                if !layers.insert(&layer.name) {
                    return Err(format!(
                        "layer '{}' of program '{}' is there twice",
                        layer.name, program.name
                    ));
                }
            }
        }
        Ok(packing)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// A share that is no number.
    pub fn to_json(&self) -> Result<String, String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n").map_err(|e| e.to_string())
    }
}

/// Reads `METHOD[,NAME=VALUE]…` as the format that weights are rounded for; nothing for plain INT8.
///
/// # Errors
/// Text that [`Choice::parse`] refuses, or a parameter that says what is done with weights that are codes already.
pub fn storage(text: &str) -> Result<Option<Storage>, String> {
    let choice = Choice::parse(text).map_err(|error| error.to_string())?;
    for parameter in [&SELECT, &CORRECT] {
        if choice.spec().value(parameter).is_some() {
            return Err(format!(
                "{} has no effect on weights that are rounded for their format",
                parameter.name
            ));
        }
    }
    // As the pass does it for layers that it is not told of.
    Ok(choice.request().map(|request| Storage { request, min_channels: request.w.into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(text: &str) -> Result<Packing, String> {
        Packing::from_json(&format!(
            r#"{{"version": 1, "programs": [{{"name": "main", "layers": [{text}]}}]}}"#
        ))
    }

    #[test]
    fn what_is_written_is_read() {
        let text = r#"{"name": "3.conv2d", "method": "dliq", "q": 3, "shift": 2, "p": 0.25},
            {"name": "7.conv2d", "weights": "16x3x3x16", "method": "mip2q", "L": 5, "zero": true, "select": "magnitude", "correct": "bias"},
            {"name": "9.depthwise_conv2d", "location": "here", "method": "dense"},
            {"name": "11.conv2d", "method": "dliq", "shift": "channel"}"#;
        let packing = layers(text).unwrap();
        assert_eq!(Packing::from_json(&packing.to_json().unwrap()), Ok(packing));
    }

    #[test]
    fn faults_are_told() {
        let fault = |text: &str| layers(text).unwrap_err();
        assert!(fault(r#"{"name": "a"}"#).contains("missing field `method`"));
        assert!(fault(r#"{"name": "a", "method": "mip3q"}"#).contains("method 'mip3q' is not known"));
        assert!(
            fault(r#"{"name": "a", "method": "mip2q", "q": 4}"#)
                .contains("q has no effect with method mip2q")
        );
        assert!(fault(r#"{"name": "a", "method": "dense", "p": 0.5}"#).contains("p has no effect"));
        assert!(fault(r#"{"name": "a", "method": "mip2q", "p": 0.3}"#).contains("whole number"));
        assert!(fault(r#"{"name": "a", "method": "mip2q", "colour": 1}"#).contains("colour"));
        let twice = r#"{"name": "a", "method": "dense"}, {"name": "a", "method": "dense"}"#;
        assert!(fault(twice).contains("layer 'a' of program 'main' is there twice"));
        assert!(Packing::from_json("").unwrap_err().contains("line 1"));
        assert!(Packing::from_json(r#"{"version": 2, "x": 0}"#).unwrap_err().contains("version 2"));
        let twice = r#"{"version": 1, "programs": [{"name": "f"}, {"name": "f"}]}"#;
        assert!(Packing::from_json(twice).unwrap_err().contains("'f' is there twice"));
    }
}
