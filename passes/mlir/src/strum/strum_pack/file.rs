//! The packing file: JSON with the weight formats of layers.
//!
//! Invariant: everything in a file is either followed or refused, with its line or with the layer concerned.

use serde::{Deserialize, Serialize};
use strum_plan::strategy::{Document, object_list};
use strum_quant::Choice;

use crate::common::verdict::read_json;

/// A packing file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packing {
    /// Version of the format.
    pub version: u64,
    /// Programs, one for each function.
    #[serde(deserialize_with = "object_list", default)]
    pub programs: Vec<ProgramPacking>,
}

/// The weight formats of one function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramPacking {
    /// The function.
    pub name: String,
    /// Layers, in any order. The pass options apply to the others.
    #[serde(deserialize_with = "object_list", default)]
    pub layers: Vec<LayerPacking>,
}

/// The weight format of one layer. Missing parameters have the defaults of `strum-pack`, whatever its options are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerPacking {
    /// Index of the layer and its operator, as in reports: `12.conv2d`.
    pub name: String,
    /// Location of the layer in the source; informative only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub location: Option<String>,
    /// Shape of its weights, OHWI or HWCM: `64x3x3x32`. A layer with another shape is refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub weights: Option<String>,
    /// The weight format.
    #[serde(flatten)]
    pub choice: Choice,
}

impl Document for Packing {
    const VERSION: u64 = 1;

    fn names(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        self.programs.iter().map(|program| {
            let layers = program.layers.iter().map(|layer| layer.name.as_str());
            (program.name.as_str(), layers.collect())
        })
    }
}

impl Packing {
    /// A file for programs.
    #[must_use]
    pub fn new(programs: Vec<ProgramPacking>) -> Self {
        Packing { version: Packing::VERSION, programs }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// A missing file, or text that [`Document::from_json`] refuses: invalid JSON, another version, an unknown field, a field of
    /// another type, parameters that are invalid or not those of the method, a duplicate program or layer.
    pub fn read(path: &str) -> Result<Self, String> {
        let fail = |e: &dyn std::fmt::Display| format!("packing file '{path}': {e}");
        let text = read_json("packing file", path)?;
        Packing::from_json(&text).map_err(|e| fail(&e))
    }

    /// The text of the file.
    ///
    /// # Errors
    /// Never in practice, as for [`Document::to_json`].
    pub fn to_json(&self) -> Result<String, String> {
        Document::to_json(self).map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use strum_formats::{Kind, Parameter, Value};
    use strum_quant::SCHEMA;

    use super::*;

    fn read(text: &str) -> Result<Packing, String> {
        Packing::from_json(text).map_err(|error| error.to_string())
    }

    fn layers(text: &str) -> Result<Packing, String> {
        read(&format!(r#"{{"version": 1, "programs": [{{"name": "main", "layers": [{text}]}}]}}"#))
    }

    #[test]
    fn what_is_written_is_read() {
        let text = r#"{"name": "3.conv2d", "method": "dliq", "q": 3, "shift": 2, "p": 0.25},
            {"name": "7.conv2d", "weights": "16x3x3x16", "method": "mip2q", "L": 5, "zero": true, "select": "magnitude", "correct": "bias"},
            {"name": "9.depthwise_conv2d", "location": "here", "method": "dense"},
            {"name": "11.conv2d", "method": "dliq", "shift": "channel"}"#;
        let packing = layers(text).unwrap();
        assert_eq!(read(&packing.to_json().unwrap()), Ok(packing));
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
        assert!(fault(twice).contains("duplicate layer 'a' in program 'main'"));
        assert!(read("").unwrap_err().contains("line 1"));
        assert!(read(r#"{"version": 2, "x": 0}"#).unwrap_err().contains("version 2"));
        let twice = r#"{"version": 1, "programs": [{"name": "f"}, {"name": "f"}]}"#;
        assert!(read(twice).unwrap_err().contains("duplicate program 'f'"));
    }

    #[test]
    fn no_object_takes_a_field_twice_or_a_list() {
        let fault = |text: &str| read(text).unwrap_err();
        for text in ["[1]", r#"{"version": 1, "programs": [["f"]]}"#] {
            assert!(fault(text).contains("invalid type: sequence, expected an object"), "{}", fault(text));
        }
        assert!(layers(r#"["a", null, null, "dense"]"#).unwrap_err().contains("expected an object"));
        assert!(fault(r#"{"version": 1, "version": 1}"#).contains("duplicate field `version`"));
        assert!(fault(r#"{"version": 1, "news": 1}"#).contains("unknown field `news`"));
        let of_layer =
            [("name", "\"a\"".to_owned()), ("location", "\"x\"".into()), ("weights", "\"1x1\"".into())];
        for &kind in Kind::ALL {
            let of_kind = SCHEMA.parameters().filter(|parameter| parameter.methods.contains(&kind));
            let value = |parameter: &Parameter| match parameter.default {
                Value::Word(word) => format!("\"{word}\""),
                value => value.to_string(),
            };
            let fields = of_layer.iter().cloned().chain([("method", format!("\"{kind}\""))]);
            let fields: Vec<_> = fields.chain(of_kind.map(|p| (p.name, value(p)))).collect();
            let all: Vec<String> =
                fields.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
            assert!(layers(&format!("{{{}}}", all.join(", "))).is_ok(), "{kind}");
            for (name, value) in fields {
                let text = format!("{{{}, \"{name}\": {value}}}", all.join(", "));
                let error = layers(&text).unwrap_err();
                assert!(error.contains(&format!("duplicate field `{name}`")), "{error}");
            }
        }
    }

    #[test]
    fn the_page_names_every_field() {
        let page =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/packing.md")).unwrap();
        let fixed = ["version", "programs", "name", "layers", "location", "weights", "method"];
        for name in fixed.into_iter().chain(SCHEMA.parameters().map(|parameter| parameter.name)) {
            assert!(page.contains(&format!("`{name}`")) || page.contains(&format!("[].{name}`")), "{name}");
        }
    }
}
