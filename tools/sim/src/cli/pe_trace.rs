//! Arguments of the trace of PEs.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use clap::Args;
use dpu_isa::{Machine, Program};
use strum_cli::{Failure, Kind, Progress, say};
use strum_files::FileError;

use crate::pe_trace::{PeChoice, PeChoiceError, PeRange, PeTrace};

/// What to trace, and where to.
#[derive(Debug, Args)]
pub(super) struct PeTraceArgs {
    /// Write what PEs multiply in convolutions, vector by vector (docs/pe-trace.md). Of a batch, the first sample.
    #[arg(long, value_name = "FILE", help_heading = "Trace of PEs")]
    trace_pe: Option<PathBuf>,

    /// Layers to trace, by name or index [default: all with convolutions that are not depthwise].
    #[arg(
        long,
        value_name = "LAYER",
        num_args = 1..,
        value_delimiter = ',',
        requires = "trace_pe",
        help_heading = "Trace of PEs"
    )]
    trace_layers: Vec<String>,

    /// PEs to trace: numbers (row by row), ranges of them, or ROW:COL [default: 0].
    #[arg(
        long,
        value_name = "PE|PE-PE|ROW:COL",
        num_args = 1..,
        value_delimiter = ',',
        requires = "trace_pe",
        help_heading = "Trace of PEs"
    )]
    trace_pes: Vec<PeRange>,

    /// Maximum number of vectors of a layer and PE; the trace states where it leaves out others.
    #[arg(
        long,
        value_name = "VECTORS",
        default_value_t = PeChoice::LIMIT,
        requires = "trace_pe",
        help_heading = "Trace of PEs"
    )]
    trace_limit: NonZeroU64,
}

impl PeTraceArgs {
    /// The file, if one is to be written.
    pub(super) fn file(&self) -> &Option<PathBuf> {
        &self.trace_pe
    }

    /// Starts the trace, and reports which layers it leaves out.
    pub(super) fn create(
        &self,
        program: &Program,
        machine: &Machine,
        progress: &Progress,
    ) -> Result<Option<PeTrace>, Failure> {
        let Some(path) = &self.trace_pe else { return Ok(None) };
        let default = PeChoice::default();
        let pes = if self.trace_pes.is_empty() { default.pes } else { self.trace_pes.clone() };
        let choice = PeChoice { layers: self.trace_layers.clone(), pes, limit: self.trace_limit };
        let trace = PeTrace::create(program, machine, &choice, path)?;
        for layer in trace.skipped() {
            progress.pause(|| say(format_args!("note: --trace-pe leaves out layer {layer}")));
        }
        Ok(Some(trace))
    }

    /// Writes the trace of a finished run.
    pub(super) fn commit(&self, trace: Option<&PeTrace>) -> Result<(), FileError> {
        let named = self.trace_pe.as_deref().zip(trace);
        named.map_or(Ok(()), |(path, trace): (&Path, &PeTrace)| trace.commit(path))
    }
}

impl From<PeChoiceError> for Failure {
    fn from(error: PeChoiceError) -> Failure {
        match error {
            PeChoiceError::UnknownLayer { .. } | PeChoiceError::NoConvolution { .. } => {
                Failure::usage(format_args!("--trace-layers: {error}"))
            }
            PeChoiceError::Outside { .. } => Failure::usage(format_args!("--trace-pes: {error}")),
            PeChoiceError::Obstacle { .. } => {
                Failure::new(Kind::Unsupported, format_args!("--trace-layers: {error}"))
                    .with_help("without --trace-layers, all layers that can be traced are")
            }
            PeChoiceError::Nothing(_) => Failure::new(Kind::Unsupported, format_args!("--trace-pe: {error}")),
            PeChoiceError::File(error) => error.into(),
        }
    }
}
