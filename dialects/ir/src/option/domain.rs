//! The legal values of an option: how they are read, shown and named.
//!
//! Invariant: what a domain shows reads as the same value again.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

/// The legal values of an option of type `T`.
pub trait Domain<T> {
    /// Reads text.
    ///
    /// # Errors
    /// The text is not a value of the domain.
    fn read(&self, text: &str) -> Result<T, Refused>;

    /// The text of a value; empty for none.
    fn show(&self, value: &T) -> String;

    /// The values, for messages: `4, 8, 16 or 32`, `a whole number`.
    fn expected(&self) -> String;

    /// The placeholder for the value in help: `int`, `latency|energy`.
    fn value_name(&self) -> String;

    /// The words among the values, used to suggest corrections of misspelt ones.
    fn words(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// The value of the option's name alone, if it is allowed.
    fn bare(&self) -> Option<T> {
        None
    }
}

/// Why text is not a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is not in the domain.
    Outside,
    /// It is invalid for this reason.
    Because(String),
}

/// Every value of a type.
#[derive(Clone, Copy, Debug)]
pub struct Any;

impl Domain<bool> for Any {
    fn read(&self, text: &str) -> Result<bool, Refused> {
        text.parse().map_err(|_| Refused::Outside)
    }

    fn show(&self, value: &bool) -> String {
        value.to_string()
    }

    fn expected(&self) -> String {
        "true or false".into()
    }

    fn value_name(&self) -> String {
        "bool".into()
    }

    fn words(&self) -> Vec<&'static str> {
        vec!["true", "false"]
    }

    fn bare(&self) -> Option<bool> {
        Some(true)
    }
}

impl Domain<String> for Any {
    fn read(&self, text: &str) -> Result<String, Refused> {
        Ok(text.to_owned())
    }

    fn show(&self, value: &String) -> String {
        value.clone()
    }

    fn expected(&self) -> String {
        "text".into()
    }

    fn value_name(&self) -> String {
        "string".into()
    }
}

/// Non-negative numbers.
macro_rules! unsigned {
    ($($number:ty),*) => {
        $(impl Domain<$number> for Any {
            fn read(&self, text: &str) -> Result<$number, Refused> {
                text.parse().map_err(|_| Refused::Outside)
            }

            fn show(&self, value: &$number) -> String {
                value.to_string()
            }

            fn expected(&self) -> String {
                "a whole number of at least 0".into()
            }

            fn value_name(&self) -> String {
                "int".into()
            }
        })*
    };
}
unsigned!(u64, usize);

/// An optional value; empty text is none.
impl<T> Domain<Option<T>> for Any
where
    Any: Domain<T>,
{
    fn read(&self, text: &str) -> Result<Option<T>, Refused> {
        if text.is_empty() { Ok(None) } else { Domain::<T>::read(self, text).map(Some) }
    }

    fn show(&self, value: &Option<T>) -> String {
        value.as_ref().map(|value| Domain::<T>::show(self, value)).unwrap_or_default()
    }

    fn expected(&self) -> String {
        Domain::<T>::expected(self)
    }

    fn value_name(&self) -> String {
        Domain::<T>::value_name(self)
    }
}

impl<T: FromStr + Display + PartialOrd> Domain<T> for Range<T> {
    fn read(&self, text: &str) -> Result<T, Refused> {
        text.parse().ok().filter(|value| self.contains(value)).ok_or(Refused::Outside)
    }

    fn show(&self, value: &T) -> String {
        value.to_string()
    }

    fn expected(&self) -> String {
        format!("a number from {} to below {}", self.start, self.end)
    }

    fn value_name(&self) -> String {
        "number".into()
    }
}

impl<T: FromStr + Display + PartialOrd> Domain<T> for RangeInclusive<T> {
    fn read(&self, text: &str) -> Result<T, Refused> {
        text.parse().ok().filter(|value| self.contains(value)).ok_or(Refused::Outside)
    }

    fn show(&self, value: &T) -> String {
        value.to_string()
    }

    fn expected(&self) -> String {
        format!("a number from {} to {}", self.start(), self.end())
    }

    fn value_name(&self) -> String {
        "number".into()
    }
}

/// Named values.
#[derive(Clone, Debug)]
pub struct Words<T>(pub Vec<(&'static str, T)>);

impl<T: Clone + PartialEq> Domain<T> for Words<T> {
    fn read(&self, text: &str) -> Result<T, Refused> {
        let found = self.0.iter().find(|(name, _)| *name == text);
        found.map(|(_, value)| value.clone()).ok_or(Refused::Outside)
    }

    fn show(&self, value: &T) -> String {
        let found = self.0.iter().find(|(_, other)| other == value);
        found.map(|(name, _)| (*name).to_owned()).unwrap_or_default()
    }

    fn expected(&self) -> String {
        match &Domain::<T>::words(self)[..] {
            [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            words => words.concat(),
        }
    }

    fn value_name(&self) -> String {
        Domain::<T>::words(self).join("|")
    }

    fn words(&self) -> Vec<&'static str> {
        self.0.iter().map(|(name, _)| *name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sides() -> Words<bool> {
        Words(vec![("left", false), ("right", true)])
    }

    #[test]
    fn domains_read_their_values_and_nothing_else() {
        assert_eq!(Domain::<bool>::read(&Any, "true"), Ok(true));
        assert_eq!(Domain::<bool>::read(&Any, "yes"), Err(Refused::Outside));
        assert_eq!(Domain::<usize>::read(&Any, "12"), Ok(12));
        assert_eq!(Domain::<u64>::read(&Any, "-1"), Err(Refused::Outside));
        assert_eq!(Domain::<Option<u64>>::read(&Any, ""), Ok(None));
        assert_eq!(Domain::<Option<u64>>::read(&Any, "3"), Ok(Some(3)));
        assert_eq!((0.0..1.0).read("0.25"), Ok(0.25));
        assert_eq!(
            ["1", "nan", "x", ""].map(|text| (0.0..1.0).read(text)),
            [const { Err(Refused::Outside) }; 4]
        );
        assert_eq!(["1", "9", "4"].map(|text| (1..=8).read(text).ok()), [Some(1), None, Some(4)]);
        assert_eq!((sides().read("right"), sides().read("up")), (Ok(true), Err(Refused::Outside)));
    }

    #[test]
    fn what_is_shown_is_read_again() {
        for number in [0.1, 1e-5, 0.123_456_789_012_345_67, 0.0] {
            let text = (0.0..1.0).show(&number);
            assert_eq!((0.0..1.0).read(&text), Ok(number), "{text}");
        }
        for side in [false, true] {
            assert_eq!(sides().read(&sides().show(&side)), Ok(side));
        }
        assert_eq!(Domain::<Option<u64>>::show(&Any, &None), "");
    }

    #[test]
    fn domains_say_what_they_expect() {
        assert_eq!(Domain::<bool>::expected(&Any), "true or false");
        assert_eq!((0.0..1.0).expected(), "a number from 0 to below 1");
        assert_eq!((1..=8).expected(), "a number from 1 to 8");
        assert_eq!((sides().expected(), sides().value_name()), ("left or right".into(), "left|right".into()));
    }
}
