//! What drives the designs of each level.

use super::error::DriveError;
use super::schedule::Schedule;
use super::timeline::{self, Frames, Writes};
use super::{Section, column, skip};
use crate::netlist::Module;
use crate::spec::{Level, Spec};
use crate::stimulus::Stimulus;

/// What the design `top` of `spec` needs to compute the traced vectors: those of one PE, or of all PEs of a column.
///
/// # Errors
/// When the trace does not fit the design, or contradicts itself.
pub fn stimulus(spec: &Spec, top: &Module, sections: &[Section]) -> Result<Stimulus, DriveError> {
    let frames = Frames::new(top);
    match spec.level {
        Level::Datapath => Ok(timeline::datapath(spec, &Schedule::of(spec, sections)?, frames)),
        Level::PeCore if spec.sparsity => skip::core(spec, sections, frames),
        Level::Pe if spec.sparsity => skip::pe(spec, sections, frames),
        Level::PeCore => timeline::core(spec, &Schedule::of(spec, sections)?, frames),
        Level::Pe => {
            let schedule = Schedule::of(spec, sections)?;
            pe(spec, &schedule, Writes::Contents, frames)
        }
        Level::Column => column::column(spec, sections, frames),
        Level::Lane => Err(DriveError::Level),
    }
}

/// What a PE needs to compute a schedule, with its register files written as `dpu-cost` counts it.
pub(crate) fn counted(spec: &Spec, top: &Module, schedule: &Schedule) -> Result<Stimulus, DriveError> {
    pe(spec, schedule, Writes::Operands, Frames::new(top))
}

fn pe(spec: &Spec, schedule: &Schedule, writes: Writes, frames: Frames) -> Result<Stimulus, DriveError> {
    timeline::pes(spec, (std::slice::from_ref(schedule), writes), &[], frames)
}
