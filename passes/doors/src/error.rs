//! Why a file is refused. Invariant: a refusal names each cause once, with the first operator that it concerns and the number of
//! the others.

use std::fmt;

use crate::Record;

/// The kind of a cause, which decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CauseKind {
    /// The file is damaged or contradicts itself.
    Invalid,
    /// The file is legal, but asks for what is not supported.
    Unsupported,
    /// The options do not fit the file.
    Usage,
    /// A limit of the host.
    Limit,
}

/// A cause of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Its kind.
    pub kind: CauseKind,
    /// The first place: operator and tensor by the names in the file, such as `PRELU 'model/p_re_lu/add'`; empty for the file.
    pub place: String,
    /// What is wrong: what was found, and what is supported.
    pub what: String,
    /// The next step, if there is one.
    pub help: Option<String>,
    /// The number of further places with the same cause.
    pub others: usize,
}

/// Why a file is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// The causes, in the order of their first places; at least one.
    pub causes: Vec<Cause>,
    /// The operators of the file; empty if it is refused before they are known.
    pub record: Record,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.what)?;
        if self.others > 0 {
            write!(f, " (and {} more)", self.others)?;
        }
        Ok(())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, cause) in self.causes.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{cause}")?;
        }
        Ok(())
    }
}

impl From<Cause> for Refusal {
    fn from(cause: Cause) -> Self {
        Refusal { causes: vec![cause], record: Record::default() }
    }
}

impl Refusal {
    /// One cause, of the file as a whole.
    #[must_use]
    pub fn file(kind: CauseKind, what: impl Into<String>) -> Self {
        Cause { kind, place: String::new(), what: what.into(), help: None, others: 0 }.into()
    }

    /// Adds a cause, or counts it if one of the same kind and words is there; returns its index.
    pub fn add(&mut self, cause: Cause) -> usize {
        match self.causes.iter().position(|c| c.kind == cause.kind && c.what == cause.what) {
            Some(index) => {
                self.causes.get_mut(index).into_iter().for_each(|known| known.others += 1 + cause.others);
                index
            }
            None => {
                self.causes.push(cause);
                self.causes.len() - 1
            }
        }
    }
}
