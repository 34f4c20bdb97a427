//! The options of `strum-pack`: the parameters of formats and of selection, and which layers they are for.

use std::sync::Arc;

use strum_formats::{Domain as Values, Kind, METHOD, Parameter, Spec, SpecError, Value, table};
use strum_ir::{Domain, Given, OptionError, OptionSet, PassOption, Refused, Words, pass_options};
use strum_quant::{Choice, Correct, Request, SCHEMA};

use super::file::Packing;

/// The method that is packed unless another one is asked for.
pub(super) const DEFAULT_METHOD: Kind = Kind::Mip2q;

/// The source of the formats of single layers.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum PackingSource {
    /// None: the options apply to all layers.
    #[default]
    None,
    /// The packing file of this path.
    File(String),
    /// A value of this process, which has no textual form.
    Value(Arc<Packing>),
}

/// Paths of packing files.
struct Paths;

impl Domain<PackingSource> for Paths {
    fn read(&self, text: &str) -> Result<PackingSource, Refused> {
        Ok(PackingSource::File(text.to_owned()))
    }

    fn show(&self, value: &PackingSource) -> String {
        match value {
            PackingSource::None => String::new(),
            PackingSource::File(path) => path.clone(),
            PackingSource::Value(_) => "<value>".into(),
        }
    }

    fn expected(&self) -> String {
        "text".into()
    }

    fn value_name(&self) -> String {
        "string".into()
    }
}

pass_options! {
    /// Which layers are packed, and with which formats.
    pub struct LayerOptions {
        depthwise("depthwise"): bool = false, "also pack depthwise layers";
        min_channels("min-channels"): Option<u64> = None,
            "minimum number of input channels to pack a layer; the block size if empty";
        packing("packing"): PackingSource = PackingSource::None, in Paths,
            "packing file with per-layer formats, see docs/packing.md";
    }
}

/// The pass.
#[derive(Clone, Debug, PartialEq)]
pub struct StrumPack {
    /// The format of layers that [`LayerOptions::packing`] does not name.
    pub choice: Choice,
    /// Options of layers.
    pub layers: LayerOptions,
}

impl Default for StrumPack {
    fn default() -> Self {
        StrumPack { choice: Choice::new(DEFAULT_METHOD), layers: LayerOptions::default() }
    }
}

/// The methods by name.
fn methods() -> Words<Kind> {
    Words(Kind::ALL.iter().map(|kind| (kind.name(), *kind)).collect())
}

/// A row of the table of parameters.
struct Row(&'static Parameter);

/// The values of a parameter of formats.
impl Domain<Value> for Row {
    fn read(&self, text: &str) -> Result<Value, Refused> {
        self.0.domain.read(text).ok_or(Refused::Outside)
    }

    fn show(&self, value: &Value) -> String {
        value.to_string()
    }

    fn expected(&self) -> String {
        self.0.domain.to_string()
    }

    fn value_name(&self) -> String {
        match self.0.domain {
            Values::Words(_) => self.words().join("|"),
            Values::Flag => "bool".into(),
            Values::Share | Values::Range(..) | Values::OneOf(_) | Values::WordsOr(..) => {
                self.0.value_name.to_lowercase()
            }
        }
    }

    fn words(&self) -> Vec<&'static str> {
        self.0.domain.words().iter().map(|word| word.name).collect()
    }

    fn bare(&self) -> Option<Value> {
        (self.0.domain == Values::Flag).then_some(Value::Flag(true))
    }
}

impl OptionSet for StrumPack {
    fn declared() -> Vec<PassOption> {
        let method = PassOption::new(METHOD, "weight format", &methods(), &DEFAULT_METHOD);
        let of_row = |row: &'static Parameter| PassOption::new(row.name, row.help, &Row(row), &row.default);
        let format = std::iter::once(method).chain(SCHEMA.parameters().map(of_row));
        format.chain(LayerOptions::declared()).collect()
    }

    fn take(given: &Given<'_>) -> Result<Self, OptionError> {
        let refuse = |error: SpecError| given.refuse(error);
        let mut spec = Spec::new(&SCHEMA, given.value(METHOD, &methods(), DEFAULT_METHOD)?);
        for row in SCHEMA.parameters() {
            // Printed pipelines contain all options, so a value that equals the default counts as not given.
            let value = given.value(row.name, &Row(row), row.default)?;
            if value != row.default {
                spec.give(row, value).map_err(refuse)?;
            }
        }
        let this =
            StrumPack { choice: Choice::of(spec).map_err(refuse)?, layers: LayerOptions::take(given)? };
        let LayerOptions { depthwise, min_channels, .. } = &this.layers;
        let of_layers = [("depthwise", *depthwise), ("min-channels", min_channels.is_some())];
        let kind = this.choice.kind();
        match of_layers.into_iter().find(|(_, given)| *given && !kind.is_packed()) {
            Some((name, _)) => Err(refuse(SpecError::NoEffect { name, kind, of: table::PACKED })),
            None => Ok(this),
        }
    }

    fn changed(&self) -> Vec<(&'static str, String)> {
        let kind = self.choice.kind();
        let method = (kind != DEFAULT_METHOD).then(|| (METHOD, kind.name().to_owned()));
        let given = self.choice.spec().given().filter(|(row, value)| *value != row.default);
        let given = given.map(|(row, value)| (row.name, value.to_string()));
        method.into_iter().chain(given).chain(self.layers.changed()).collect()
    }
}

/// The packing of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// The request to the packer; none for `method=dense`.
    pub(super) request: Option<Request>,
    /// What is corrected after selection.
    pub(super) correct: Correct,
    /// Pack depthwise layers as well.
    pub(super) depthwise: bool,
    /// Layers with fewer input channels stay dense.
    pub(super) min_channels: u64,
}

impl Settings {
    /// Those under which weights are packed wherever it is possible.
    pub(super) const ANY: Settings =
        Settings { request: None, correct: Correct::None, depthwise: true, min_channels: 0 };

    /// The settings for a layer that is not named.
    pub(super) fn of_others(pass: &StrumPack) -> Self {
        let named = Settings::of(&pass.choice);
        let LayerOptions { depthwise, min_channels, .. } = pass.layers;
        Settings { depthwise, min_channels: min_channels.unwrap_or(named.block()), ..named }
    }

    /// The settings for a named layer of any kind.
    pub(super) fn of(choice: &Choice) -> Self {
        Settings { request: choice.request(), correct: choice.correct(), depthwise: true, min_channels: 0 }
    }

    /// The block length, in input channels.
    fn block(&self) -> u64 {
        self.request.map_or(0, |request| request.w.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<StrumPack, String> {
        StrumPack::parse("strum-pack", text).map_err(|error| error.to_string())
    }

    #[test]
    fn every_parameter_is_an_option_with_its_default() {
        let declared = StrumPack::declared();
        for row in SCHEMA.parameters() {
            let option = declared.iter().find(|option| option.name == row.name).unwrap();
            assert_eq!(row.domain.read(&option.default), Some(row.default), "{}", row.name);
        }
    }

    #[test]
    fn defaults_have_no_effect_and_other_values_do_or_are_refused() {
        assert_eq!(read("").unwrap().choice, Choice::new(DEFAULT_METHOD));
        assert_eq!(read("q=4").unwrap().choice, Choice::new(Kind::Mip2q));
        assert_eq!(read("method=dense p=0.5").unwrap().choice.request(), None);
        let fault = |text: &str| read(text).unwrap_err();
        assert_eq!(fault("q=3"), "strum-pack: q has no effect with method mip2q, but with dliq");
        assert_eq!(
            fault("method=dense min-channels=4"),
            "strum-pack: min-channels has no effect with method dense, but with sparse, dliq, mip2q"
        );
        let settings = |text: &str| Settings::of_others(&read(text).unwrap());
        assert_eq!((settings("").request, settings("").min_channels), (Some(Request::new(Kind::Mip2q)), 16));
        assert_eq!((settings("w=8").min_channels, settings("min-channels=3").min_channels), (8, 3));
    }

    #[test]
    fn text_has_options_in_one_order_without_defaults() {
        for (text, expected) in [
            ("", ""),
            ("method=mip2q p=0.5 w=16 zero=false select=error", ""),
            ("depthwise shift=4 q=3 method=dliq", "method=dliq q=3 shift=4 depthwise=true"),
            ("packing=a.json min-channels=2 L=5", "L=5 min-channels=2 packing=a.json"),
        ] {
            let pass = read(text).unwrap();
            assert_eq!(pass.text(), expected);
            assert_eq!(read(expected), Ok(pass));
        }
    }
}
