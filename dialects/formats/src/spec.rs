//! A requested format: a method and parameters, as text `mip2q,p=0.75,L=5`, as fields of a file, or as options.
//!
//! Invariant: every given parameter belongs to the method, and its value is in its domain; printed text reads as the same.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::error::{FormatError, SpecError};
use crate::format::Format;
use crate::methods::{DliqShift, Kind};
use crate::parameter::{Parameter, Value};
use crate::table::{P, SHIFT, W};

/// The name of the method where parameters are named.
pub const METHOD: &str = "method";

/// The known parameters: those of formats, and those that other crates add.
#[derive(Debug, PartialEq)]
pub struct Schema(pub &'static [&'static [&'static Parameter]]);

impl Schema {
    /// All parameters, in the order in which they are shown.
    pub fn parameters(&self) -> impl Iterator<Item = &'static Parameter> + use<> {
        self.0.iter().flat_map(|group| group.iter().copied())
    }

    /// The parameter with this name.
    ///
    /// # Errors
    /// When it is unknown; the error lists the known ones.
    pub fn find(&self, name: &str) -> Result<&'static Parameter, SpecError> {
        self.parameters().find(|parameter| parameter.name == name).ok_or_else(|| {
            let all = self.parameters().map(|parameter| parameter.name.to_owned()).collect();
            SpecError::UnknownParameter { name: name.to_owned(), expected: crate::parameter::or(all) }
        })
    }
}

/// A method with the given parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    schema: &'static Schema,
    kind: Kind,
    given: Vec<(&'static Parameter, Value)>,
}

impl Spec {
    /// A method with all parameters at their defaults.
    #[must_use]
    pub fn new(schema: &'static Schema, kind: Kind) -> Self {
        Spec { schema, kind, given: Vec::new() }
    }

    /// Reads `METHOD[,NAME=VALUE]…`.
    ///
    /// # Errors
    /// A method or parameter that is unknown, a parameter that is a duplicate, does not belong to the method, or whose value is not
    /// in its domain.
    pub fn parse(schema: &'static Schema, text: &str) -> Result<Self, SpecError> {
        let mut words = text.split(',');
        let mut spec = Spec::new(schema, Kind::from_name(words.next().unwrap_or_default())?);
        for word in words {
            let (name, value) = word.split_once('=').ok_or_else(|| SpecError::NoPair(word.to_owned()))?;
            let parameter = schema.find(name)?;
            let value = parameter.read(value)?;
            spec.give(parameter, value)?;
        }
        Ok(spec)
    }

    /// Sets a parameter.
    ///
    /// # Errors
    /// The parameter does not belong to the method, is already set, or the value is not in its domain.
    pub fn give(&mut self, parameter: &'static Parameter, value: Value) -> Result<(), SpecError> {
        if !parameter.methods.contains(&self.kind) {
            return Err(SpecError::NoEffect { name: parameter.name, kind: self.kind, of: parameter.methods });
        }
        if self.value(parameter).is_some() {
            return Err(SpecError::Twice(parameter.name));
        }
        if parameter.domain.read(&value.to_string()) != Some(value) {
            return Err(parameter.refuse(value));
        }
        self.given.push((parameter, value));
        // In a fixed order, whatever the order in which they were given.
        let place = |known: &Parameter| self.schema.parameters().position(|p| p.name == known.name);
        self.given.sort_by_key(|(known, _)| place(known));
        Ok(())
    }

    /// The method.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The given value.
    #[must_use]
    pub fn value(&self, parameter: &Parameter) -> Option<Value> {
        self.given.iter().find(|(known, _)| known.name == parameter.name).map(|(_, value)| *value)
    }

    /// The effective value: the given one, or the default.
    #[must_use]
    pub fn get(&self, parameter: &Parameter) -> Value {
        self.value(parameter).unwrap_or(parameter.default)
    }

    /// The effective value as a whole number; 0 if the parameter is not one.
    #[must_use]
    pub fn whole(&self, parameter: &Parameter) -> u8 {
        if let Value::Whole(number) = self.get(parameter) { number } else { 0 }
    }

    /// Whether a flag is set.
    #[must_use]
    pub fn flag(&self, parameter: &Parameter) -> bool {
        self.get(parameter) == Value::Flag(true)
    }

    /// The effective value as a word; `None` if it is a number.
    #[must_use]
    pub fn word(&self, parameter: &Parameter) -> Option<&'static str> {
        if let Value::Word(word) = self.get(parameter) { Some(word) } else { None }
    }

    /// The given values, in schema order.
    pub fn given(&self) -> impl Iterator<Item = (&'static Parameter, Value)> + '_ {
        self.given.iter().copied()
    }

    /// The format, with the requested shift, or 0 where it is to be determined.
    ///
    /// # Errors
    /// The share is not a whole number of members, or the parameters are inconsistent.
    pub fn format(&self) -> Result<Format, SpecError> {
        if self.kind == Kind::Dense {
            return Ok(Format::DENSE);
        }
        let shift = if let Value::Whole(shift) = self.get(&SHIFT) { shift } else { 0 };
        let w = self.whole(&W);
        let low = low(self.get(&P), w)?;
        let format = Format { w, low, method: self.kind.method(self, DliqShift::Layer(shift)) };
        format.validate()?;
        Ok(format)
    }
}

/// The number of low members, `p` times `w`.
fn low(p: Value, w: u8) -> Result<u8, SpecError> {
    let p = if let Value::Real(p) = p { p } else { 0.0 };
    let exact = p * f64::from(w);
    let whole = (0..=w).find(|&low| (exact - f64::from(low)).abs() < 1e-9);
    whole.ok_or_else(|| SpecError::Share { p, w, low: (exact * 1e6).round() / 1e6 })
}

impl Parameter {
    /// Reads a value.
    ///
    /// # Errors
    /// The text is not a valid value of the parameter.
    pub fn read(&'static self, text: &str) -> Result<Value, SpecError> {
        self.domain.read(text).ok_or_else(|| self.refuse(text))
    }

    /// The error for a value outside the domain.
    #[must_use]
    pub fn refuse(&'static self, got: impl fmt::Display) -> SpecError {
        SpecError::Value { name: self.name, expected: self.domain.to_string(), got: got.to_string() }
    }
}

impl fmt::Display for Spec {
    /// As [`Spec::parse`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        self.given().try_for_each(|(parameter, value)| write!(f, ",{}={value}", parameter.name))
    }
}

impl Serialize for Spec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(METHOD, self.kind.name())?;
        for (parameter, value) in self.given() {
            match value {
                Value::Real(number) => map.serialize_entry(parameter.name, &number)?,
                Value::Whole(number) => map.serialize_entry(parameter.name, &number)?,
                Value::Flag(flag) => map.serialize_entry(parameter.name, &flag)?,
                Value::Word(word) => map.serialize_entry(parameter.name, word)?,
            }
        }
        map.end()
    }
}

/// A value in a file, before its parameter is known.
#[derive(Deserialize)]
#[serde(untagged)]
enum Field {
    Flag(bool),
    Whole(i64),
    Real(f64),
    Text(String),
}

impl Field {
    /// The value as one of a parameter. Numbers are numbers and words are words: `"4"` is not 4.
    fn value(&self, parameter: &'static Parameter) -> Result<Value, SpecError> {
        let domain = &parameter.domain;
        let (value, text) = match self {
            Field::Flag(flag) => {
                (domain.read(&flag.to_string()).filter(|v| matches!(v, Value::Flag(_))), flag.to_string())
            }
            Field::Whole(number) => (domain.whole(*number), number.to_string()),
            Field::Real(number) => (domain.real(*number), number.to_string()),
            Field::Text(text) => {
                (domain.read(text).filter(|v| matches!(v, Value::Word(_))), format!("'{text}'"))
            }
        };
        value.ok_or_else(|| parameter.refuse(text))
    }
}

/// Reads the fields of a map.
struct Fields(&'static Schema);

impl<'de> Visitor<'de> for Fields {
    type Value = Spec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a method and its parameters")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Spec, A::Error> {
        let mut method: Option<String> = None;
        let mut fields = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == METHOD {
                if method.replace(map.next_value()?).is_some() {
                    return Err(de::Error::duplicate_field(METHOD));
                }
                continue;
            }
            let parameter = self.0.find(&name).map_err(de::Error::custom)?;
            // As for the surrounding fields, null means absent.
            if let Some(field) = map.next_value::<Option<Field>>()? {
                fields.push((parameter, field));
            }
        }
        let method = method.ok_or_else(|| de::Error::missing_field(METHOD))?;
        let mut spec = Spec::new(self.0, Kind::from_name(&method).map_err(de::Error::custom)?);
        for (parameter, field) in fields {
            let value = field.value(parameter).map_err(de::Error::custom)?;
            spec.give(parameter, value).map_err(|error| match error {
                SpecError::Twice(name) => de::Error::duplicate_field(name),
                error => de::Error::custom(error),
            })?;
        }
        Ok(spec)
    }
}

impl Spec {
    /// Reads a map of a method and parameters: for the `Deserialize` of a type that knows its schema.
    ///
    /// # Errors
    /// As [`Spec::parse`].
    pub fn deserialize<'de, D: serde::Deserializer<'de>>(
        schema: &'static Schema,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields(schema))
    }
}

impl From<FormatError> for SpecError {
    fn from(error: FormatError) -> Self {
        SpecError::Format(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{L, ZERO};

    #[test]
    fn values_outside_their_domain_are_refused() {
        let mut spec = Spec::new(&Schema(&[crate::table::PARAMETERS]), Kind::Mip2q);
        assert!(spec.give(&ZERO, Value::Whole(1)).is_err());
        assert!(spec.give(&L, Value::Whole(8)).is_err());
        assert_eq!(spec.give(&L, Value::Whole(5)), Ok(()));
        assert_eq!(spec.to_string(), "mip2q,L=5");
    }
}
