//! The packing file: JSON that says of every layer how its weights are stored.
//!
//! Invariant: everything a file says is either followed or refused with the layer it is about.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use strum_float::quantize::Storage;

use super::request::{Raw, Settings};
use crate::verdict::RESOURCE;

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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// A way of storing weights: a method and its parameters, as the options of `strum-pack` have them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// dense, sparse, dliq or mip2q.
    pub method: String,
    /// Share of low members in a block.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub p: Option<f64>,
    /// Members of a block.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub w: Option<i64>,
    /// dliq: bits of a low code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub q: Option<i64>,
    /// mip2q: largest exponent.
    #[serde(rename = "L", skip_serializing_if = "Option::is_none", default)]
    pub l: Option<i64>,
    /// mip2q: a spare code means 0.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub zero: Option<bool>,
    /// dliq: layer, channel or a number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shift: Option<ShiftChoice>,
    /// Which members become low.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub select: Option<String>,
    /// What is corrected after selection.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub correct: Option<String>,
}

/// Shift of the low codes of `dliq`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ShiftChoice {
    /// This one.
    Number(u8),
    /// The best one for each layer or channel.
    Name(String),
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
        let text = strum_files::read_text(Path::new(path))
            .map_err(|e| format!("{}{}", if e.is_limit() { RESOURCE } else { "" }, fail(&e.reason())))?;
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
                layer.choice.settings().map_err(|e| format!("layer '{}': {e}", layer.name))?;
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

impl Choice {
    /// Reads `METHOD[,NAME=VALUE]…`, the parameters by the names of the options: `mip2q,p=0.75,L=5`.
    ///
    /// # Errors
    /// A parameter that does not exist, is there twice, is not legal, or is not one of the method.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split(',');
        let mut choice = Choice { method: words.next().unwrap_or_default().to_owned(), ..Choice::default() };
        for word in words {
            let (name, value) = word.split_once('=').ok_or_else(|| format!("'{word}' is not NAME=VALUE"))?;
            choice.set(name, value)?;
        }
        choice.settings()?;
        Ok(choice)
    }

    /// The same for weights that are rounded for it; nothing for plain INT8.
    ///
    /// # Errors
    /// A parameter that is not legal, not one of the method, or says what is done with weights that are codes already.
    pub fn storage(&self) -> Result<Option<Storage>, String> {
        for (name, given) in [("select", self.select.is_some()), ("correct", self.correct.is_some())] {
            if given {
                return Err(format!("{name} has no effect on weights that are rounded for their storage"));
            }
        }
        // As the pass does it for layers that it is not told of.
        Ok(self.settings()?.request.map(|request| Storage { request, min_channels: request.w.into() }))
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        fn put<T: std::str::FromStr>(to: &mut Option<T>, name: &str, value: &str) -> Result<(), String> {
            let parsed = value.parse().map_err(|_| format!("{name}: '{value}' is no value"))?;
            match to.replace(parsed) {
                Some(_) => Err(format!("{name} is there twice")),
                None => Ok(()),
            }
        }
        match name {
            "p" => put(&mut self.p, name, value),
            "w" => put(&mut self.w, name, value),
            "q" => put(&mut self.q, name, value),
            "L" => put(&mut self.l, name, value),
            "zero" => put(&mut self.zero, name, value),
            "shift" => put(&mut self.shift, name, value),
            "select" => put(&mut self.select, name, value),
            "correct" => put(&mut self.correct, name, value),
            _ => Err(format!("there is no parameter '{name}'")),
        }
    }

    /// The settings of the pass that say the same, for a layer that is named: whatever its size.
    pub(super) fn settings(&self) -> Result<Settings, String> {
        const ALL: &[&str] = &["sparse", "dliq", "mip2q"];
        let given: [(&str, bool, &[&str]); 8] = [
            ("p", self.p.is_some(), ALL),
            ("w", self.w.is_some(), ALL),
            ("q", self.q.is_some(), &["dliq"]),
            ("L", self.l.is_some(), &["mip2q"]),
            ("zero", self.zero.is_some(), &["mip2q"]),
            ("shift", self.shift.is_some(), &["dliq"]),
            ("select", self.select.is_some(), ALL),
            ("correct", self.correct.is_some(), ALL),
        ];
        let shift = self.shift.as_ref().map(ShiftChoice::to_string);
        let raw = Raw::default();
        let raw = Raw {
            method: &self.method,
            p: self.p.unwrap_or(raw.p),
            w: self.w.unwrap_or(raw.w),
            q: self.q.unwrap_or(raw.q),
            l: self.l.unwrap_or(raw.l),
            zero: self.zero.unwrap_or(raw.zero),
            shift: shift.as_deref().unwrap_or(raw.shift),
            select: self.select.as_deref().unwrap_or(raw.select),
            correct: self.correct.as_deref().unwrap_or(raw.correct),
            depthwise: true,
            min_channels: 0,
        };
        let settings = raw.understand()?;
        match given.iter().find(|(_, given, methods)| *given && !methods.contains(&self.method.as_str())) {
            Some((name, _, _)) => Err(format!("{name} is no parameter of method {}", self.method)),
            None => Ok(settings),
        }
    }
}

impl std::fmt::Display for Choice {
    /// As [`Choice::parse`] reads it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.method)?;
        let list: [(&str, Option<String>); 8] = [
            ("p", self.p.map(|p| p.to_string())),
            ("w", self.w.map(|w| w.to_string())),
            ("q", self.q.map(|q| q.to_string())),
            ("L", self.l.map(|l| l.to_string())),
            ("zero", self.zero.map(|zero| zero.to_string())),
            ("shift", self.shift.as_ref().map(ShiftChoice::to_string)),
            ("select", self.select.clone()),
            ("correct", self.correct.clone()),
        ];
        for (name, value) in list {
            if let Some(value) = value {
                write!(f, ",{name}={value}")?;
            }
        }
        Ok(())
    }
}

impl std::str::FromStr for ShiftChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| ShiftChoice::Name(text.to_owned()), ShiftChoice::Number))
    }
}

impl std::fmt::Display for ShiftChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ShiftChoice::Number(n) => write!(f, "{n}"),
            ShiftChoice::Name(name) => f.write_str(name),
        }
    }
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
        assert!(
            fault(r#"{"name": "a", "method": "mip3q"}"#).contains("layer 'a': method 'mip3q' is not known")
        );
        assert!(
            fault(r#"{"name": "a", "method": "mip2q", "q": 4}"#)
                .contains("q is no parameter of method mip2q")
        );
        assert!(fault(r#"{"name": "a", "method": "dense", "p": 0.5}"#).contains("p is no parameter"));
        assert!(fault(r#"{"name": "a", "method": "mip2q", "p": 0.3}"#).contains("whole number"));
        assert!(fault(r#"{"name": "a", "method": "mip2q", "colour": 1}"#).contains("colour"));
        let twice = r#"{"name": "a", "method": "dense"}, {"name": "a", "method": "dense"}"#;
        assert!(fault(twice).contains("layer 'a' of program 'main' is there twice"));
        assert!(Packing::from_json("").unwrap_err().contains("line 1"));
        assert!(Packing::from_json(r#"{"version": 2, "x": 0}"#).unwrap_err().contains("version 2"));
        let twice = r#"{"version": 1, "programs": [{"name": "f"}, {"name": "f"}]}"#;
        assert!(Packing::from_json(twice).unwrap_err().contains("'f' is there twice"));
    }

    #[test]
    fn choices_are_read_and_shown() {
        for text in [
            "dense",
            "mip2q,p=0.75,L=5",
            "dliq,q=3,shift=channel",
            "dliq,shift=2,select=activation,correct=both",
            "sparse,p=0.25",
        ] {
            assert_eq!(Choice::parse(text).map(|c| c.to_string()), Ok(text.into()));
        }
        assert!(Choice::parse("mip2q,L=9").unwrap_err().contains('9'));
        assert!(Choice::parse("mip2q,L").unwrap_err().contains("'L' is not NAME=VALUE"));
        assert!(Choice::parse("mip2q,L=5,L=5").unwrap_err().contains("L is there twice"));
        assert!(Choice::parse("mip2q,depth=5").unwrap_err().contains("no parameter 'depth'"));
        assert!(Choice::parse("").is_err() && Choice::parse("sparse,q=2").is_err());
    }
}
