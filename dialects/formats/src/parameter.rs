//! Parameters: the columns of the table, and how values are read, checked and shown.
//!
//! Invariant: a [`Value`] read by a [`Domain`] is in that domain, and its text reads as the same value again.

use std::fmt;

use crate::methods::Kind;

/// A parameter of a weight format.
#[derive(Debug, PartialEq)]
pub struct Parameter {
    /// The name as users write it, everywhere.
    pub name: &'static str,
    /// The placeholder for the value in usage texts.
    pub value_name: &'static str,
    /// The legal values.
    pub domain: Domain,
    /// The default value.
    pub default: Value,
    /// The methods that have it.
    pub methods: &'static [Kind],
    /// One-line description, with its unit.
    pub help: &'static str,
}

/// The legal values of a parameter.
#[derive(Debug, PartialEq)]
pub enum Domain {
    /// A number from 0 to 1.
    Share,
    /// A whole number in this inclusive range.
    Range(u8, u8),
    /// One of these whole numbers.
    OneOf(&'static [u8]),
    /// Set or not.
    Flag,
    /// One of these words.
    Words(&'static [Word]),
    /// One of these words, or a whole number up to this one.
    WordsOr(&'static [Word], u8),
}

/// A word that a parameter can have as its value.
#[derive(Debug, PartialEq)]
pub struct Word {
    /// The word as users write it.
    pub name: &'static str,
    /// One-line description.
    pub help: &'static str,
}

/// The value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Of [`Domain::Share`].
    Real(f64),
    /// A whole number.
    Whole(u8),
    /// Of [`Domain::Flag`].
    Flag(bool),
    /// A word of the domain.
    Word(&'static str),
}

impl Domain {
    /// Parses a value; `None` if it is outside the domain.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<Value> {
        match self {
            Domain::Share => self.real(text.parse().ok()?),
            Domain::Range(..) | Domain::OneOf(_) => self.whole(text.parse().ok()?),
            Domain::Flag => text.parse().ok().map(Value::Flag),
            Domain::Words(words) => word(words, text),
            Domain::WordsOr(words, _) => word(words, text).or_else(|| self.whole(text.parse().ok()?)),
        }
    }

    /// A real number as a value, if it is in the domain.
    #[must_use]
    pub fn real(&self, number: f64) -> Option<Value> {
        (*self == Domain::Share && (0.0..=1.0).contains(&number)).then_some(Value::Real(number))
    }

    /// A whole number as a value, if it is in the domain.
    #[must_use]
    pub fn whole(&self, number: i64) -> Option<Value> {
        let small = u8::try_from(number).ok();
        match self {
            // A share may be written without a fraction.
            Domain::Share => self.real(f64::from(small?)),
            Domain::Range(min, max) => small.filter(|n| (*min..=*max).contains(n)).map(Value::Whole),
            Domain::OneOf(all) => small.filter(|n| all.contains(n)).map(Value::Whole),
            Domain::WordsOr(_, max) => small.filter(|n| n <= max).map(Value::Whole),
            Domain::Flag | Domain::Words(_) => None,
        }
    }

    /// The words that it accepts.
    #[must_use]
    pub fn words(&self) -> &'static [Word] {
        match self {
            Domain::Words(words) | Domain::WordsOr(words, _) => words,
            Domain::Share | Domain::Range(..) | Domain::OneOf(_) | Domain::Flag => &[],
        }
    }
}

fn word(words: &[Word], text: &str) -> Option<Value> {
    words.iter().find(|word| word.name == text).map(|word| Value::Word(word.name))
}

/// `0 to 7`, `4, 8, 16 or 32`, `error, magnitude or activation`.
impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |words: &[Word]| words.iter().map(|word| word.name.to_owned()).collect::<Vec<_>>();
        match self {
            Domain::Share => f.write_str("a number from 0 to 1"),
            Domain::Range(min, max) => write!(f, "{min} to {max}"),
            Domain::OneOf(all) => f.write_str(&or(all.iter().map(u8::to_string).collect())),
            Domain::Flag => f.write_str("true or false"),
            Domain::Words(words) => f.write_str(&or(names(words))),
            Domain::WordsOr(words, max) => {
                let mut all = names(words);
                all.push(format!("0 to {max}"));
                f.write_str(&or(all))
            }
        }
    }
}

/// `a, b or c`
pub(crate) fn or(mut items: Vec<String>) -> String {
    match (items.pop(), items.is_empty()) {
        (Some(last), false) => format!("{} or {last}", items.join(", ")),
        (last, _) => last.unwrap_or_default(),
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Real(number) => write!(f, "{number}"),
            Value::Whole(number) => write!(f, "{number}"),
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::Word(word) => f.write_str(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &[Word] = &[Word { name: "a", help: "" }, Word { name: "b", help: "" }];

    #[test]
    fn domains_read_their_values_and_nothing_else() {
        assert_eq!(Domain::Share.read("0.25"), Some(Value::Real(0.25)));
        assert_eq!(Domain::Share.read("1"), Some(Value::Real(1.0)));
        assert_eq!(["1.5", "nan", "-0.1", "x", ""].map(|t| Domain::Share.read(t)), [None; 5]);
        assert_eq!(Domain::Range(1, 8).read("8"), Some(Value::Whole(8)));
        assert_eq!(["0", "9", "-1", "300", "1.0"].map(|t| Domain::Range(1, 8).read(t)), [None; 5]);
        assert_eq!(Domain::OneOf(&[4, 8]).read("8"), Some(Value::Whole(8)));
        assert_eq!(Domain::OneOf(&[4, 8]).read("5"), None);
        assert_eq!(Domain::Flag.read("true"), Some(Value::Flag(true)));
        assert_eq!(Domain::Words(WORDS).read("b"), Some(Value::Word("b")));
        assert_eq!(Domain::Words(WORDS).read("3"), None);
        assert_eq!(Domain::WordsOr(WORDS, 7).read("7"), Some(Value::Whole(7)));
        assert_eq!(["8", "c", "-1"].map(|t| Domain::WordsOr(WORDS, 7).read(t)), [None; 3]);
    }

    #[test]
    fn domains_say_what_they_expect() {
        assert_eq!(Domain::OneOf(&[4, 8, 16, 32]).to_string(), "4, 8, 16 or 32");
        assert_eq!(Domain::WordsOr(WORDS, 7).to_string(), "a, b or 0 to 7");
        assert_eq!(Domain::Words(&WORDS[..1]).to_string(), "a");
    }
}
