//! Exit codes: one list for all tools, and one conversion from every error to them.

use std::fmt;

use dpu_isa::{ContainerError, MachineError, ValidateError};
use strum_files::FileError;

/// The cause of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The input: an unreadable file, invalid IR or an invalid binary, tensors that do not fit.
    Input,
    /// The command line.
    Usage,
    /// A limit of this project: the input is valid, but not supported.
    Unsupported,
    /// A limit of the machine or of this computer.
    Resource,
    /// The program, which performed an illegal operation on the simulated machine.
    Trap,
    /// This project.
    Internal,
}

impl Kind {
    /// The exit code; 0 is success.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Kind::Input => 1,
            Kind::Usage => 2,
            Kind::Unsupported => 3,
            Kind::Resource => 4,
            Kind::Trap => 5,
            Kind::Internal => 70,
        }
    }
}

/// A failure: its cause and its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The cause.
    pub kind: Kind,
    /// The message; empty if everything has been reported.
    pub message: String,
}

impl Failure {
    /// A failure with a message.
    #[must_use]
    pub fn new(kind: Kind, message: impl fmt::Display) -> Self {
        Failure { kind, message: message.to_string() }
    }

    /// Bad input.
    #[must_use]
    pub fn input(message: impl fmt::Display) -> Self {
        Failure::new(Kind::Input, message)
    }

    /// An invalid command line.
    #[must_use]
    pub fn usage(message: impl fmt::Display) -> Self {
        Failure::new(Kind::Usage, format_args!("{message}\n\nFor more information, try '--help'."))
    }

    /// A bug in this project.
    #[must_use]
    pub fn internal(message: impl fmt::Display) -> Self {
        Failure::new(Kind::Internal, format_args!("internal error: this is a bug in strum-opt: {message}"))
    }

    /// A failure that has already been reported.
    #[must_use]
    pub fn told(kind: Kind) -> Self {
        Failure { kind, message: String::new() }
    }

    /// The same failure, prefixed with the name of the file, or of a part of it.
    #[must_use]
    pub fn in_file(self, name: &str) -> Self {
        Failure { message: format!("{name}: {}", self.message), ..self }
    }

    /// The same failure, with advice on a separate line.
    #[must_use]
    pub fn with_help(self, help: impl fmt::Display) -> Self {
        Failure { message: format!("{}\nhelp: {help}", self.message), ..self }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Usage(_) => Failure::usage(error),
            FileError::Io { .. } if error.is_limit() => Failure::new(Kind::Resource, error),
            FileError::Io { .. } | FileError::Content { .. } => Failure::input(error),
            FileError::TooLarge { .. } | FileError::Limit { .. } => Failure::new(Kind::Resource, error),
        }
    }
}

impl From<MachineError> for Failure {
    fn from(error: MachineError) -> Self {
        let limit = matches!(error, MachineError::TooLarge { .. });
        Failure::new(if limit { Kind::Resource } else { Kind::Input }, error)
    }
}

/// Reading a binary. Writing one has separate conversions.
impl From<ContainerError> for Failure {
    fn from(error: ContainerError) -> Self {
        let kind = match error {
            ContainerError::Version { .. } | ContainerError::OldMasks(_) => Kind::Unsupported,
            ContainerError::TooLarge { .. } | ContainerError::Room { .. } => Kind::Resource,
            ContainerError::BadMagic(_)
            | ContainerError::Truncated { .. }
            | ContainerError::Foreign { .. }
            | ContainerError::NoneOmitted(_)
            | ContainerError::Elf(_)
            | ContainerError::SectionCount { .. }
            | ContainerError::SectionName { .. }
            | ContainerError::SectionBounds { .. }
            | ContainerError::SectionOverlap { .. }
            | ContainerError::SumCount { .. }
            | ContainerError::Checksum { .. }
            | ContainerError::Layout { .. }
            | ContainerError::Contents { .. }
            | ContainerError::Machine(_)
            | ContainerError::MachineForm
            | ContainerError::Fingerprint
            | ContainerError::Decode(_)
            | ContainerError::Encode { .. }
            | ContainerError::MetaCount { .. }
            | ContainerError::TooLong { .. } => Kind::Input,
        };
        Failure::new(kind, error)
    }
}

impl From<Vec<ValidateError>> for Failure {
    fn from(errors: Vec<ValidateError>) -> Self {
        let list: Vec<String> = errors.iter().map(|error| format!("\n  {error}")).collect();
        let limits = errors.iter().all(|error| error.kind.is_limit());
        let kind = if limits { Kind::Resource } else { Kind::Input };
        Failure::new(kind, format_args!("the program is not valid{}", list.concat()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_documented_ones() {
        let kinds = [Kind::Input, Kind::Usage, Kind::Unsupported, Kind::Resource, Kind::Trap, Kind::Internal];
        assert_eq!(kinds.map(Kind::code), [1, 2, 3, 4, 5, 70]);
    }

    #[test]
    fn advice_and_files_are_added_around_the_message() {
        let failure = Failure::input("no room").in_file("x.dpu").with_help("make room");
        assert_eq!(failure, Failure { kind: Kind::Input, message: "x.dpu: no room\nhelp: make room".into() });
    }

    #[test]
    fn limits_of_programs_and_machines_are_limits() {
        use dpu_isa::{Place, ValidateErrorKind};
        let place = Place::Program;
        let limit = ValidateErrorKind::Limit { what: "inputs", got: 5000, max: 4096 };
        let fault = ValidateErrorKind::MissingEnd;
        let of = |kinds: Vec<ValidateErrorKind>| {
            let errors = kinds.into_iter().map(|kind| ValidateError { place, kind });
            Failure::from(errors.collect::<Vec<_>>()).kind
        };
        assert_eq!(of(vec![limit.clone()]), Kind::Resource);
        assert_eq!(of(vec![limit, fault]), Kind::Input);
        assert_eq!(Failure::from(MachineError::TooLarge { got: 2, max: 1 }).kind, Kind::Resource);
        let file = FileError::Io { path: "x".into(), error: std::io::ErrorKind::OutOfMemory.into() };
        assert_eq!(Failure::from(file).kind, Kind::Resource);
    }

    #[test]
    fn a_newer_binary_is_not_supported() {
        let version = ContainerError::Version { got: 9, expected: 1 };
        assert_eq!(Failure::from(version).kind, Kind::Unsupported);
    }
}
