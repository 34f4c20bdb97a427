//! The user's packing choice for one layer: a format, the selection of its low members, and the correction afterwards.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use strum_formats::{Kind, Parameter, Spec, SpecError, Value};

use crate::schema::{CORRECT, SCHEMA};
use crate::{Correct, Request};

/// The packing of one layer: `mip2q,p=0.75,L=5,select=activation`. Missing parameters have their defaults.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Choice(Spec);

impl Choice {
    /// A method with all parameters at their defaults.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Choice(Spec::new(&SCHEMA, kind))
    }

    /// Reads `METHOD[,NAME=VALUE]…`.
    ///
    /// # Errors
    /// A parameter that is unknown, given twice, invalid, or not one of the method.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        Choice::of(Spec::parse(&SCHEMA, text)?)
    }

    /// A specification with consistent parameters.
    ///
    /// # Errors
    /// They are inconsistent.
    pub fn of(spec: Spec) -> Result<Self, SpecError> {
        Request::of(&spec)?;
        Ok(Choice(spec))
    }

    /// Sets a parameter.
    ///
    /// # Errors
    /// The parameter is not the method's, or is already set.
    pub fn with(mut self, parameter: &'static Parameter, value: Value) -> Result<Self, SpecError> {
        self.0.give(parameter, value)?;
        Choice::of(self.0)
    }

    /// The method with the given parameters.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.0
    }

    /// The method.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind()
    }

    /// The request to the packer; none for plain INT8.
    #[must_use]
    pub fn request(&self) -> Option<Request> {
        Request::of(&self.0).ok().filter(|request| request.kind() != Kind::Dense)
    }

    /// What is corrected after selection.
    #[must_use]
    pub fn correct(&self) -> Correct {
        self.0.word(&CORRECT).and_then(Correct::from_name).unwrap_or_default()
    }
}

impl fmt::Display for Choice {
    /// The text that [`Choice::parse`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Choice::of(Spec::deserialize(&SCHEMA, deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Select, Shift};
    use strum_formats::Method;

    #[test]
    fn choices_are_read_and_shown() {
        for text in [
            "dense",
            "mip2q,p=0.75,L=5",
            "dliq,q=3,shift=channel",
            "dliq,shift=2,select=activation,correct=both",
            "sparse,p=0.25",
            "mip2q,L=5,zero=true",
        ] {
            assert_eq!(Choice::parse(text).map(|c| c.to_string()), Ok(text.into()));
        }
    }

    #[test]
    fn faults_name_the_parameter() {
        let fault = |text: &str| Choice::parse(text).unwrap_err().to_string();
        assert_eq!(fault("mip2q,L=9"), "L must be 0 to 7, got 9");
        assert_eq!(fault("mip2q,L"), "'L' is not NAME=VALUE");
        assert_eq!(fault("mip2q,L=5,L=5"), "L is given twice");
        assert!(fault("mip2q,depth=5").starts_with("there is no parameter 'depth', expected p, w, q, L"));
        assert_eq!(fault("sparse,q=2"), "q has no effect with method sparse, but with dliq");
        assert!(fault("dense,p=0.5").starts_with("p has no effect with method dense, but with sparse, dliq"));
        assert!(fault("mip3q").starts_with("method 'mip3q' is not known, expected dense, sparse, dliq"));
        assert_eq!(fault("mip2q,p=0.3"), "p = 0.3 of w = 16 is 4.8 low members, expected a whole number");
        assert_eq!(fault("mip2q,zero=true"), "mip2q with L = 7 has no spare code that could mean zero");
        assert!(fault("dliq,shift=5").contains("shift must be in 0..=4, got 5"));
        assert!(fault("").contains("method ''"));
    }

    #[test]
    fn files_hold_what_text_holds() {
        for text in
            ["dense", "mip2q,p=0.75,L=5,zero=true", "dliq,q=3,shift=2,select=magnitude", "dliq,shift=channel"]
        {
            let choice = Choice::parse(text).unwrap();
            let json = serde_json::to_string(&choice).unwrap();
            assert_eq!(serde_json::from_str::<Choice>(&json).unwrap(), choice, "{json}");
        }
        let fault = |json: &str| serde_json::from_str::<Choice>(json).unwrap_err().to_string();
        assert!(fault("{}").contains("missing field `method`"));
        assert!(fault(r#"{"method": "mip2q", "L": "5"}"#).contains("L must be 0 to 7, got '5'"));
        assert!(
            fault(r#"{"method": "mip2q", "p": true}"#).contains("p must be a number from 0 to 1, got true")
        );
        assert!(fault(r#"{"method": "mip2q", "colour": 1}"#).contains("no parameter 'colour'"));
        assert!(fault(r#"{"method": "dliq", "q": 3, "q": 4}"#).contains("duplicate field `q`"));
    }

    #[test]
    fn defaults_are_legal_and_the_documented_ones() {
        let request = |kind| Request::of(&Spec::new(&SCHEMA, kind)).unwrap();
        for &kind in Kind::ALL {
            assert_eq!(Request::new(kind), request(kind));
        }
        let mip2q = request(Kind::Mip2q);
        assert_eq!((mip2q.w, mip2q.low, mip2q.select), (16, 8, Select::Error));
        assert_eq!(mip2q.method, Method::Mip2q { l: 7, zero: false });
        assert_eq!(request(Kind::Dliq).shift, Shift::AutoLayer);
    }

    #[test]
    fn shares_are_whole_numbers_of_members() {
        let low =
            |p: &str, w: u8| Choice::parse(&format!("sparse,p={p},w={w}")).map(|c| c.request().unwrap().low);
        assert_eq!((low("0.25", 4), low("0", 16), low("1", 32)), (Ok(1), Ok(0), Ok(32)));
        assert_eq!(low(&(0.1 + 0.2 + 0.2).to_string(), 16), Ok(8));
        assert!(low("0.3", 16).is_err() && low("-0.5", 16).is_err() && low("NaN", 16).is_err());
    }
}
