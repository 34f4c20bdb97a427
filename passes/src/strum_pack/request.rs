//! The options of `strum-pack`: the parameters of formats and of selection, and which layers they are for.

use strum_formats::{Kind, METHOD, METHOD_HELP, Parameter, Spec, SpecError, Value, table};
use strum_ir::{Error, OptionKind, Options, PassOption};
use strum_quant::{Choice, Correct, Request, SCHEMA, SELECTION};

use crate::options::join;

/// The method that is packed unless another one is asked for.
pub(super) const DEFAULT_METHOD: Kind = Kind::Mip2q;

const METHOD_OPTION: PassOption = PassOption::string(METHOD, DEFAULT_METHOD.name(), METHOD_HELP);

const DEPTHWISE: PassOption = PassOption::bool("depthwise", false, "also pack depthwise layers");

const MIN_CHANNELS: PassOption = PassOption::int(
    "min-channels",
    -1,
    "fewest input channels of a layer that is packed; the block size if negative",
);

/// Where the packing file is.
pub(super) const PACKING: PassOption =
    PassOption::string("packing", "", "packing file with the formats of single layers, see docs/packing.md");

const FORMAT: [PassOption; table::PARAMETERS.len()] = options(table::PARAMETERS);
const SELECT: [PassOption; SELECTION.len()] = options(SELECTION);

/// What can be asked for.
pub const OPTIONS: &[PassOption] = &join::<{ FORMAT.len() + SELECT.len() + 4 }>(&[
    &[METHOD_OPTION],
    &FORMAT,
    &SELECT,
    &[DEPTHWISE, MIN_CHANNELS, PACKING],
]);

/// The options that parameters become.
const fn options<const N: usize>(parameters: &[&'static Parameter]) -> [PassOption; N] {
    let mut all = [METHOD_OPTION; N];
    let mut i = 0;
    while i < N {
        let Parameter { name, help, default, .. } = *parameters[i];
        let kind = match default {
            Value::Real(number) => OptionKind::Float(number),
            Value::Whole(number) => OptionKind::Int(number as i64),
            Value::Flag(flag) => OptionKind::Bool(flag),
            Value::Word(word) => OptionKind::String(word),
        };
        all[i] = PassOption { name, description: help, kind };
        i += 1;
    }
    all
}

/// The options, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// What is asked of the packer; nothing for `method=dense`.
    pub(super) request: Option<Request>,
    /// What is corrected after selection.
    pub(super) correct: Correct,
    /// Pack depthwise layers as well.
    pub(super) depthwise: bool,
    /// Layers with fewer input channels stay dense.
    pub(super) min_channels: u64,
}

impl Settings {
    /// Reads the options of a run: an error of the user is inside, one of this program outside.
    pub(super) fn read(options: &Options<'_>) -> Result<Result<Self, SpecError>, Error> {
        let mut given = Vec::new();
        for parameter in SCHEMA.parameters() {
            given.push((parameter, value(options, parameter)?));
        }
        let choice = choice(options.string(METHOD_OPTION.name)?, &given);
        let depthwise = options.bool(DEPTHWISE.name)?;
        let least = u64::try_from(options.int(MIN_CHANNELS.name)?).ok();
        Ok(choice.and_then(|choice| {
            let (kind, of) = (choice.kind(), table::PACKED);
            let given = [(DEPTHWISE.name, depthwise), (MIN_CHANNELS.name, least.is_some())];
            match given.into_iter().find(|(_, given)| *given && !kind.is_packed()) {
                Some((name, _)) => Err(SpecError::NoEffect { name, kind, of }),
                None => {
                    let settings = Settings { depthwise, ..Settings::of(&choice) };
                    Ok(Settings { min_channels: least.unwrap_or(settings.block()), ..settings })
                }
            }
        }))
    }

    /// The settings for a layer that is named: whatever it is.
    pub(super) fn of(choice: &Choice) -> Self {
        Settings { request: choice.request(), correct: choice.correct(), depthwise: true, min_channels: 0 }
    }

    /// The block length, in input channels.
    fn block(&self) -> u64 {
        self.request.map_or(0, |request| request.w.into())
    }
}

/// The choice that a method and the values of its parameters make. MLIR does not tell a default from its absence, so that a value that is
/// the default counts as not given.
fn choice(
    method: &str,
    values: &[(&'static Parameter, Result<Value, SpecError>)],
) -> Result<Choice, SpecError> {
    let mut spec = Spec::new(&SCHEMA, Kind::from_name(method)?);
    for (parameter, value) in values {
        let value = value.clone()?;
        if value != parameter.default {
            spec.give(parameter, value)?;
        }
    }
    Choice::of(spec)
}

/// The value of a parameter in the options of a run.
fn value(options: &Options<'_>, parameter: &'static Parameter) -> Result<Result<Value, SpecError>, Error> {
    let Parameter { name, domain, default, .. } = parameter;
    let or_refuse =
        |value: Option<Value>, got: &dyn std::fmt::Display| value.ok_or_else(|| parameter.refuse(got));
    Ok(match default {
        Value::Real(_) => {
            let number = options.float(name)?;
            or_refuse(domain.real(number), &number)
        }
        Value::Whole(_) => {
            let number = options.int(name)?;
            or_refuse(domain.whole(number), &number)
        }
        Value::Flag(_) => Ok(Value::Flag(options.bool(name)?)),
        Value::Word(_) => parameter.read(options.string(name)?),
    })
}

#[cfg(test)]
mod tests {
    use strum_formats::Domain;

    use super::*;

    fn read(method: &str, values: &[(&'static Parameter, Value)]) -> Result<Choice, String> {
        let values: Vec<_> = values.iter().map(|(parameter, value)| (*parameter, Ok(*value))).collect();
        choice(method, &values).map_err(|error| error.to_string())
    }

    #[test]
    fn every_parameter_is_an_option_with_its_default() {
        for parameter in SCHEMA.parameters() {
            let option = OPTIONS.iter().find(|option| option.name == parameter.name).unwrap();
            let default = match option.kind {
                OptionKind::Bool(flag) => Value::Flag(flag),
                OptionKind::Int(number) => parameter.domain.whole(number).unwrap(),
                OptionKind::Float(number) => Value::Real(number),
                OptionKind::String(word) => parameter.domain.read(word).unwrap(),
                OptionKind::IntList => panic!("no parameter is a list"),
            };
            assert_eq!(default, parameter.default, "{}", parameter.name);
            // What reads an option of each kind.
            assert!(!matches!((option.kind, &parameter.domain), (OptionKind::String(_), Domain::Flag)));
        }
    }

    #[test]
    fn defaults_have_no_effect_and_other_values_do_or_are_refused() {
        assert_eq!(read("mip2q", &[(&table::Q, Value::Whole(4))]), Ok(Choice::new(Kind::Mip2q)));
        assert_eq!(read("dense", &[(&table::P, Value::Real(0.5))]).unwrap().request(), None);
        let fault = read("mip2q", &[(&table::Q, Value::Whole(3))]).unwrap_err();
        assert_eq!(fault, "q has no effect with method mip2q, but with dliq");
        let settings = Settings::of(&Choice::new(DEFAULT_METHOD));
        assert_eq!((settings.request, settings.block()), (Some(Request::new(Kind::Mip2q)), 16));
    }
}
