//! Why an operator cannot be read. Invariant: each becomes one cause, with the operator's place.

use crate::tosa::Fault;
use crate::{Cause, CauseKind, Refusal};

/// Why reading stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    kind: CauseKind,
    what: String,
    help: Option<String>,
}

/// A step of the import.
pub(super) type Step<T> = Result<T, Stop>;

impl Stop {
    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Stop { kind: CauseKind::Invalid, what: format!("the file is damaged: {}", what.into()), help: None }
    }

    pub(super) fn invalid(what: impl Into<String>) -> Self {
        Stop { kind: CauseKind::Invalid, what: what.into(), help: None }
    }

    pub(super) fn unsupported(what: impl Into<String>) -> Self {
        Stop { kind: CauseKind::Unsupported, what: what.into(), help: None }
    }

    pub(super) fn usage(what: impl Into<String>) -> Self {
        Stop { kind: CauseKind::Usage, what: what.into(), help: None }
    }

    pub(super) fn limit(what: impl Into<String>) -> Self {
        Stop { kind: CauseKind::Limit, what: what.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether the network could end before the operator.
    pub(super) fn is_unsupported(&self) -> bool {
        self.kind == CauseKind::Unsupported
    }

    /// Whether a limit of the host is exceeded, so that nothing further is read.
    pub(super) fn is_limit(&self) -> bool {
        self.kind == CauseKind::Limit
    }

    /// Whether there is a next step already.
    pub(super) fn has_help(&self) -> bool {
        self.help.is_some()
    }

    /// The cause at a place.
    pub(super) fn at(self, place: String) -> Cause {
        Cause { kind: self.kind, place, what: self.what, help: self.help, others: 0 }
    }
}

impl From<Stop> for Refusal {
    fn from(stop: Stop) -> Self {
        stop.at(String::new()).into()
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop::invalid(fault.to_string())
    }
}
