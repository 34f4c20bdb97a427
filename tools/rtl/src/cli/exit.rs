//! Exit codes of errors.

use strum_cli::{Failure, Kind};

use crate::characterise::CharacteriseError;
use crate::drive::DriveError;
use crate::explore::ExploreError;
use crate::liberty::LibertyError;
use crate::power::PowerError;
use crate::synth::SynthError;
use crate::timing::TimingError;
use crate::toolchain::ToolError;

impl From<DriveError> for Failure {
    fn from(error: DriveError) -> Failure {
        match error {
            DriveError::Level | DriveError::FirstPe { .. } => Failure::usage(error),
            DriveError::WeightZeroPoint { .. } | DriveError::Activation { .. } | DriveError::Byte { .. } => {
                Failure::new(Kind::Unsupported, error)
            }
            _ => Failure::input(error),
        }
    }
}

impl From<ToolError> for Failure {
    fn from(error: ToolError) -> Failure {
        match error {
            ToolError::Slow { .. } => Failure::new(Kind::Resource, error),
            ToolError::Other { .. } => Failure::usage(error),
            ToolError::Missing { .. } | ToolError::Io { .. } | ToolError::Failed { .. } => {
                Failure::new(Kind::Unsupported, error)
            }
        }
    }
}

impl From<LibertyError> for Failure {
    fn from(error: LibertyError) -> Failure {
        match error {
            LibertyError::File(error) => error.into(),
            LibertyError::NoFiles => Failure::usage(error),
            _ => Failure::input(error),
        }
    }
}

impl From<SynthError> for Failure {
    fn from(error: SynthError) -> Failure {
        match error {
            SynthError::Liberty(error) => error.into(),
            SynthError::Tool(error) => error.into(),
            _ => Failure::internal(error),
        }
    }
}

impl From<TimingError> for Failure {
    fn from(error: TimingError) -> Failure {
        match error {
            TimingError::Liberty(error) => error.into(),
            TimingError::Tool(error) => error.into(),
            TimingError::NoClock(_) => Failure::usage(error),
            TimingError::NoPath { .. } => Failure::new(Kind::Unsupported, error),
        }
    }
}

impl From<PowerError> for Failure {
    fn from(error: PowerError) -> Failure {
        match error {
            PowerError::Liberty(error) => error.into(),
            PowerError::Condition { .. } | PowerError::Skip { .. } | PowerError::NoClock { .. } => {
                Failure::usage(error)
            }
            PowerError::NoSteps | PowerError::NothingExpected => Failure::input(error),
            _ => Failure::internal(error),
        }
    }
}

impl From<CharacteriseError> for Failure {
    fn from(error: CharacteriseError) -> Failure {
        let text = error.to_string();
        let kind = match error {
            CharacteriseError::Synth(error) => return error.into(),
            CharacteriseError::Timing(error) => return error.into(),
            CharacteriseError::Power { error, .. } => Failure::from(error).kind,
            CharacteriseError::Drive { error, .. } => Failure::from(error).kind,
            CharacteriseError::Spec { .. } | CharacteriseError::NoLayer => strum_cli::Kind::Unsupported,
            CharacteriseError::Clock { .. } => strum_cli::Kind::Usage,
            CharacteriseError::Machine(error) => return error.into(),
        };
        Failure::new(kind, text)
    }
}

impl From<ExploreError> for Failure {
    fn from(error: ExploreError) -> Failure {
        let text = error.to_string();
        let kind = match error {
            ExploreError::Trace { error, .. } | ExploreError::Drive { error, .. } => {
                Failure::from(*error).kind
            }
            ExploreError::Machine { .. } | ExploreError::Twice { .. } => Kind::Input,
            ExploreError::NoDense | ExploreError::NoPacked | ExploreError::NoLayer { .. } => Kind::Input,
            ExploreError::Spec(_) => Kind::Unsupported,
            ExploreError::Empty(_) => Kind::Usage,
            ExploreError::Synth { error, .. } => Failure::from(*error).kind,
            ExploreError::Timing { error, .. } => Failure::from(*error).kind,
            ExploreError::Power { error, .. } => Failure::from(*error).kind,
            ExploreError::Io(error) => Failure::from(error).kind,
        };
        Failure::new(kind, text)
    }
}
