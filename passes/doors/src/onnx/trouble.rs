//! Why an operator is not imported. Invariant: the place is added by whoever knows it.

use crate::CauseKind;
use crate::tosa::Fault;

/// Why an operator, or a tensor, is not imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) kind: CauseKind,
    pub(super) what: String,
    pub(super) help: Option<String>,
}

/// The result of an import function.
pub(super) type Outcome<T> = Result<T, Trouble>;

impl Trouble {
    fn new(kind: CauseKind, what: impl Into<String>) -> Self {
        Trouble { kind, what: what.into(), help: None }
    }

    /// With a next step.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The file contradicts itself.
pub(super) fn invalid<T>(what: impl Into<String>) -> Outcome<T> {
    Err(Trouble::new(CauseKind::Invalid, what))
}

/// The file is legal, and this is not supported.
pub(super) fn unsupported<T>(what: impl Into<String>) -> Outcome<T> {
    Err(Trouble::new(CauseKind::Unsupported, what))
}

/// The options do not fit the file.
pub(super) fn usage<T>(what: impl Into<String>) -> Outcome<T> {
    Err(Trouble::new(CauseKind::Usage, what))
}

/// More than is reasonable.
pub(super) fn limit<T>(what: impl Into<String>) -> Outcome<T> {
    Err(Trouble::new(CauseKind::Limit, what))
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Trouble::new(CauseKind::Invalid, fault.to_string())
    }
}
