//! Options of passes and pipelines, as structs with a field for each.
//!
//! [`pass_options!`](crate::pass_options) declares such a struct; MLIR's listings, the text form, its checks and the reference pages
//! are derived from the declaration. Invariant: the text of an [`OptionSet`] reads as the same set again.

mod domain;
mod text;

pub use domain::{Any, Domain, Refused, Words};

use crate::spelling::nearest;

/// An option, as shown by help and reference pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassOption {
    /// Its name, as users write it.
    pub name: &'static str,
    /// One-line description.
    pub help: &'static str,
    /// The legal values: `4, 8, 16 or 32`.
    pub expected: String,
    /// The placeholder for the value in help: `int`.
    pub value_name: String,
    /// The text of its default; empty if there is none.
    pub default: String,
}

impl PassOption {
    /// An option of a domain.
    pub fn new<T>(name: &'static str, help: &'static str, domain: &impl Domain<T>, default: &T) -> Self {
        let (expected, value_name, default) = (domain.expected(), domain.value_name(), domain.show(default));
        Self { name, help, expected, value_name, default }
    }
}

/// A value of every option of a pass, of a pipeline, or of a group of options that several of them share.
pub trait OptionSet: Clone + Default + Send + Sync + 'static {
    /// The options, in display order.
    fn declared() -> Vec<PassOption>;

    /// Takes the values of its options from those given; all others have their defaults.
    ///
    /// # Errors
    /// A value outside its option's domain, or inconsistent values.
    fn take(given: &Given<'_>) -> Result<Self, OptionError>;

    /// The options that are not at their defaults, with the text of their values, in the order of [`OptionSet::declared`].
    fn changed(&self) -> Vec<(&'static str, String)>;

    /// Reads `name=value …`, in any order; a value with blanks is in quotation marks or braces. `owner` is the pass, for messages.
    ///
    /// # Errors
    /// An unknown or duplicate option, and everything that [`OptionSet::take`] refuses.
    fn parse(owner: &str, text: &str) -> Result<Self, OptionError> {
        let declared = Self::declared();
        let names: Vec<&str> = declared.iter().map(|option| option.name).collect();
        let mut given = Given { owner, list: Vec::new() };
        let words = text::split(text).map_err(|mark| OptionError::Unclosed { owner: owner.into(), mark })?;
        for (name, value) in words {
            if !names.contains(&name) {
                return Err(OptionError::unknown(owner, name, &names));
            }
            if given.find(name).is_some() {
                return Err(OptionError::Twice { owner: owner.into(), name: name.into() });
            }
            if let Some(got) = value.filter(|value| !text::is_printable(value)) {
                return Err(OptionError::Unprintable {
                    owner: owner.into(),
                    name: name.into(),
                    got: got.into(),
                });
            }
            given.list.push((name, value));
        }
        Self::take(&given)
    }

    /// The text that [`OptionSet::parse`] reads as the same, defaults omitted.
    fn text(&self) -> String {
        let pairs =
            self.changed().into_iter().map(|(name, value)| format!("{name}={}", text::quoted(&value)));
        pairs.collect::<Vec<_>>().join(" ")
    }
}

/// Options given as text. Their names are known and unique.
#[derive(Clone, Debug)]
pub struct Given<'t> {
    owner: &'t str,
    list: Vec<(&'t str, Option<&'t str>)>,
}

impl Given<'_> {
    fn find(&self, name: &str) -> Option<Option<&str>> {
        self.list.iter().find(|(given, _)| *given == name).map(|(_, value)| *value)
    }

    /// The value of an option, or its default where it is not given.
    ///
    /// # Errors
    /// The value is not in the domain.
    pub fn value<T>(
        &self,
        name: &'static str,
        domain: &impl Domain<T>,
        default: T,
    ) -> Result<T, OptionError> {
        let empty = |expected| OptionError::Empty { owner: self.owner.into(), name: name.into(), expected };
        match self.find(name) {
            None => Ok(default),
            Some(None) => domain.bare().ok_or_else(|| empty(domain.expected())),
            // MLIR prints options without a value in this way.
            Some(Some("")) if domain.show(&default).is_empty() => Ok(default),
            Some(Some("")) => Err(empty(domain.expected())),
            Some(Some(text)) => domain.read(text).map_err(|refused| match refused {
                Refused::Outside => OptionError::Value {
                    owner: self.owner.into(),
                    name: name.into(),
                    expected: domain.expected(),
                    got: text.into(),
                    near: nearest(text, &domain.words()).map(str::to_owned),
                },
                Refused::Because(reason) => self.refuse(format_args!("{name}: {reason}")),
            }),
        }
    }

    /// The error of inconsistent values.
    pub fn refuse(&self, reason: impl std::fmt::Display) -> OptionError {
        OptionError::Meaning { owner: self.owner.into(), reason: reason.to_string() }
    }
}

/// Why text is not a valid set of options.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// Unknown option.
    #[error("unknown option '{name}' of {owner}; {hint}")]
    Unknown {
        /// The pass or pipeline.
        owner: String,
        /// The name given.
        name: String,
        /// The nearest name, or all of them.
        hint: String,
    },
    /// A duplicate option.
    #[error("option '{name}' of {owner} is given twice")]
    Twice {
        /// The pass or pipeline.
        owner: String,
        /// The option.
        name: String,
    },
    /// A quotation mark or brace without its partner.
    #[error("the options of {owner} have an unclosed {mark}")]
    Unclosed {
        /// The pass or pipeline.
        owner: String,
        /// The mark.
        mark: char,
    },
    /// A value that a printed pipeline cannot hold.
    #[error("option '{name}' of {owner} cannot hold quotation marks, braces or line breaks, got '{got}'")]
    Unprintable {
        /// The pass or pipeline.
        owner: String,
        /// The option.
        name: String,
        /// The value given.
        got: String,
    },
    /// An option without its value.
    #[error("option '{name}' of {owner} has no value, expected {expected}")]
    Empty {
        /// The pass or pipeline.
        owner: String,
        /// The option.
        name: String,
        /// The legal values.
        expected: String,
    },
    /// An illegal value of the option.
    #[error("option '{name}' of {owner} must be {expected}, got '{got}'{}", suggestion(near.as_deref()))]
    Value {
        /// The pass or pipeline.
        owner: String,
        /// The option.
        name: String,
        /// The legal values.
        expected: String,
        /// The value given.
        got: String,
        /// The word that may be meant.
        near: Option<String>,
    },
    /// Inconsistent values.
    #[error("{owner}: {reason}")]
    Meaning {
        /// The pass or pipeline.
        owner: String,
        /// What is wrong with them.
        reason: String,
    },
}

impl OptionError {
    fn unknown(owner: &str, name: &str, names: &[&str]) -> Self {
        let hint = match (nearest(name, names), names) {
            (Some(near), _) => format!("did you mean '{near}'?"),
            (None, []) => "it has no options".into(),
            (None, names) => format!("expected one of {}", names.join(", ")),
        };
        OptionError::Unknown { owner: owner.into(), name: name.into(), hint }
    }
}

fn suggestion(near: Option<&str>) -> String {
    near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default()
}

/// Declares a struct of options, a field each:
///
/// ```
/// use strum_ir::{OptionSet, Words, pass_options};
///
/// pass_options! {
///     /// Options that several passes have.
///     pub struct Shared {
///         verbose("verbose"): bool = false, "say more";
///     }
/// }
///
/// pass_options! {
///     /// The options of a pass.
///     pub struct Example {
///         share("share"): f64 = 0.5, in 0.0..=1.0, "share of the values";
///         side("side"): u8 = 0, in Words(vec![("left", 0), ("right", 1)]), "where to begin";
///         ..shared: Shared;
///     }
/// }
///
/// let options = Example::parse("example", "verbose share=0.25").unwrap();
/// assert_eq!((options.share, options.side, options.shared.verbose), (0.25, 0, true));
/// assert_eq!(options.text(), "share=0.25 verbose=true");
/// ```
///
/// A row has a field, its name as users write it, type, default, domain (every value of the type if omitted) and help. `..field:
/// Type;` adds the options of another set. `struct Name;` is a pass without options.
#[macro_export]
macro_rules! pass_options {
    ($(#[$meta:meta])* $vis:vis struct $set:ident;) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        $vis struct $set;

        impl $crate::OptionSet for $set {
            fn declared() -> Vec<$crate::PassOption> {
                Vec::new()
            }

            fn take(_: &$crate::Given<'_>) -> Result<Self, $crate::OptionError> {
                Ok(Self)
            }

            fn changed(&self) -> Vec<(&'static str, String)> {
                Vec::new()
            }
        }
    };
    (
        $(#[$meta:meta])* $vis:vis struct $set:ident {
            $($field:ident($name:literal): $type:ty = $default:expr $(, in $domain:expr)?, $help:literal;)*
            $(..$group:ident: $group_type:ty;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $set {
            $(
                #[doc = $help]
                pub $field: $type,
            )*
            $(
                #[doc = concat!("[`", stringify!($group_type), "`].")]
                pub $group: $group_type,
            )*
        }

        impl Default for $set {
            fn default() -> Self {
                Self { $($field: $default,)* $($group: Default::default(),)* }
            }
        }

        impl $crate::OptionSet for $set {
            fn declared() -> Vec<$crate::PassOption> {
                let own: Vec<$crate::PassOption> = vec![
                    $($crate::PassOption::new::<$type>($name, $help, &$crate::pass_options!(@ $($domain)?), &$default)),*
                ];
                let groups: Vec<Vec<$crate::PassOption>> = vec![
                    $(<$group_type as $crate::OptionSet>::declared()),*
                ];
                own.into_iter().chain(groups.into_iter().flatten()).collect()
            }

            fn take(given: &$crate::Given<'_>) -> Result<Self, $crate::OptionError> {
                Ok(Self {
                    $($field: given.value::<$type>($name, &$crate::pass_options!(@ $($domain)?), $default)?,)*
                    $($group: <$group_type as $crate::OptionSet>::take(given)?,)*
                })
            }

            fn changed(&self) -> Vec<(&'static str, String)> {
                let own: Vec<Option<(&'static str, String)>> = vec![
                    $((self.$field != $default).then(|| {
                        ($name, $crate::Domain::<$type>::show(&$crate::pass_options!(@ $($domain)?), &self.$field))
                    })),*
                ];
                let groups: Vec<Vec<(&'static str, String)>> = vec![$($crate::OptionSet::changed(&self.$group)),*];
                own.into_iter().flatten().chain(groups.into_iter().flatten()).collect()
            }
        }
    };
    (@) => {
        $crate::Any
    };
    (@ $domain:expr) => {
        $domain
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::pass_options! {
        /// Shared by several.
        struct Shared {
            file("file"): Option<String> = None, "a file";
        }
    }

    crate::pass_options! {
        /// Options of every kind.
        struct All {
            flag("a-flag"): bool = true, "a flag";
            count("count"): usize = 3, "a count";
            share("share"): f64 = 0.5, in 0.0..=1.0, "a share";
            kind("kind"): u8 = 0, in Words(vec![("first", 0), ("second", 1)]), "a kind";
            note("note"): String = "none".to_owned(), "a note";
            ..shared: Shared;
        }
    }

    crate::pass_options! {
        /// None.
        struct Nothing;
    }

    fn fault(text: &str) -> String {
        All::parse("test-all", text).unwrap_err().to_string()
    }

    #[test]
    fn options_are_read_in_any_order() {
        assert_eq!(All::parse("x", ""), Ok(All::default()));
        assert_eq!(All::parse("x", "  "), Ok(All::default()));
        let all = All::parse("x", "kind=second file='a b' a-flag=false note={x y}  share=1 count=0").unwrap();
        let shared = Shared { file: Some("a b".into()) };
        let expected = All { flag: false, count: 0, share: 1.0, kind: 1, note: "x y".into(), shared };
        assert_eq!(all, expected);
        assert!(All::parse("x", "a-flag").unwrap().flag);
    }

    #[test]
    fn text_reads_as_the_same_and_leaves_defaults_out() {
        assert_eq!(All::default().text(), "");
        let all = All { share: 0.1, kind: 1, shared: Shared { file: Some("a b".into()) }, ..All::default() };
        assert_eq!(all.text(), "share=0.1 kind=second file={a b}");
        assert_eq!(All::parse("x", &all.text()), Ok(all));
        for note in ["a", "a b", "a=b", "a,b"] {
            let all = All { note: note.into(), ..All::default() };
            assert_eq!(All::parse("x", &all.text()), Ok(all), "{note}");
        }
        for note in ["'a{b'", "\"it's\"", "{a\nb}", "a={b}"] {
            let error = fault(&format!("note={note}"));
            assert!(error.starts_with("option 'note' of test-all cannot hold quotation marks"), "{error}");
        }
        assert_eq!(fault("note='a b"), "the options of test-all have an unclosed '");
    }

    #[test]
    fn slips_get_the_nearest_name() {
        assert_eq!(fault("cout=1"), "unknown option 'cout' of test-all; did you mean 'count'?");
        assert_eq!(
            fault("colour=1"),
            "unknown option 'colour' of test-all; expected one of a-flag, count, share, kind, note, file"
        );
        let fault_of_none = Nothing::parse("test-nothing", "x=1").unwrap_err().to_string();
        assert_eq!(fault_of_none, "unknown option 'x' of test-nothing; it has no options");
        assert_eq!(
            fault("kind=secnd"),
            "option 'kind' of test-all must be first or second, got 'secnd'; did you mean 'second'?"
        );
        assert_eq!(fault("kind=3"), "option 'kind' of test-all must be first or second, got '3'");
    }

    #[test]
    fn values_that_are_twice_there_empty_or_out_of_range_are_refused() {
        assert_eq!(fault("count=1 count=1"), "option 'count' of test-all is given twice");
        assert_eq!(
            fault("count="),
            "option 'count' of test-all has no value, expected a whole number of at least 0"
        );
        assert_eq!(fault("share"), "option 'share' of test-all has no value, expected a number from 0 to 1");
        assert_eq!(fault("share=1.5"), "option 'share' of test-all must be a number from 0 to 1, got '1.5'");
        assert_eq!(
            fault("count=-1"),
            "option 'count' of test-all must be a whole number of at least 0, got '-1'"
        );
        // As MLIR prints it.
        assert_eq!(All::parse("x", "file="), Ok(All::default()));
    }

    #[test]
    fn declarations_are_in_order() {
        let names: Vec<&str> = All::declared().iter().map(|option| option.name).collect();
        assert_eq!(names, ["a-flag", "count", "share", "kind", "note", "file"]);
        let share = &All::declared()[2];
        assert_eq!((&share.default[..], &share.value_name[..]), ("0.5", "number"));
        assert!(Nothing::declared().is_empty() && Nothing.changed().is_empty());
    }
}
