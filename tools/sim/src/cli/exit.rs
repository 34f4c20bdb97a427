//! Exit codes of the simulator's errors.

use strum_cli::{Failure, Kind};

use crate::{BatchError, SimError, TrapKind};

impl From<SimError> for Failure {
    fn from(error: SimError) -> Failure {
        match &error {
            SimError::Input(_) | SimError::Program(_) | SimError::Machine(_) => Failure::input(error),
            SimError::Host(_) => Failure::new(Kind::Unsupported, error),
            SimError::HostLimit(_) | SimError::Resource { .. } | SimError::Memory(_) => {
                Failure::new(Kind::Resource, error)
            }
            SimError::OutOfFuel { .. } => {
                Failure::new(Kind::Resource, error).with_help("--fuel sets the limit")
            }
            SimError::Trap(trap) if trap.kind == TrapKind::UndefinedValue => Failure::input(error)
                .with_help("the value comes from the inputs, and the operator has no result for it"),
            SimError::Trap(_) => Failure::new(Kind::Trap, error),
        }
    }
}

impl From<BatchError> for Failure {
    fn from(error: BatchError) -> Failure {
        match error {
            BatchError::File(error) => error.into(),
            BatchError::Sample { sample, error } => Failure::from(error).in_file(&format!("sample {sample}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_stay_apart() {
        let resource = SimError::Resource { what: "bytes", needed: 2, limit: 1 };
        assert_eq!(Failure::from(resource).kind, Kind::Resource);
        assert_eq!(Failure::from(SimError::HostLimit("x".into())).kind, Kind::Resource);
        assert_eq!(Failure::from(SimError::Host("x".into())).kind, Kind::Unsupported);
        let error = BatchError::Sample { sample: 3, error: SimError::Program("x".into()) };
        let failure = Failure::from(error);
        assert_eq!((failure.kind, failure.message.starts_with("sample 3: ")), (Kind::Input, true));
    }
}
