//! The search for a PE: every design of a grid is mapped, and simulated on traces of layers; StruM's are compared with the best
//! dense one.
//!
//! Figures are of whole PEs, and of what is in them; energy is per product, so that designs are compared at the same work, and
//! StruM's layers are compared with the same layers of the dense one. Invariant: results do not depend on the number of threads,
//! nor on what was kept of an earlier run.

mod operands;
mod plot;
mod point;
mod results;
mod summary;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use dpu_isa::{Machine, PeKind};
use rayon::prelude::*;
use strum_formats::Format;

pub use operands::{Layer, Operands};
pub use plot::plot;
pub use point::{LayerEnergy, Levels, Point, format_text};
pub use summary::{Accuracy, Compared, Comparison, Range, compare};

use crate::drive::DriveError;
use crate::liberty::Library;
use crate::power::{Conditions, PowerError};
use crate::spec::{Decode, Level, LowLanes, Multiplier, RegisterFile, Spec, SpecError, Structure};
use crate::synth::{Options, SynthError};
use crate::timing::TimingError;
use crate::toolchain::ToolError;

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
pub enum ExploreError {
    /// A trace cannot be read.
    #[error("{file}: {error}")]
    Trace {
        /// The file.
        file: String,
        /// Why.
        error: Box<DriveError>,
    },
    /// Traces of machines with other PEs.
    #[error("{file}: a trace of PEs with {found}, the first trace is of PEs with {expected}")]
    Machine {
        /// The file.
        file: String,
        /// Lanes and register files of the first trace.
        expected: String,
        /// Those of this one.
        found: String,
    },
    /// A duplicate layer.
    #[error("{file}: layer '{layer}' of case '{case}' is in two traces with {weights} weights")]
    Twice {
        /// The second file.
        file: String,
        /// The layer.
        layer: String,
        /// The case.
        case: String,
        /// The format.
        weights: String,
    },
    /// Nothing to compare with.
    #[error("no trace has plain weights, so no dense PE can be driven: add a trace of --method dense")]
    NoDense,
    /// Nothing to compare.
    #[error(
        "no trace has packed weights, so no StruM PE can be driven: add one of --method mip2q, dliq or sparse"
    )]
    NoPacked,
    /// Traces without a common layer.
    #[error(
        "no layer of case '{case}' is in the trace of every format, packed where that is packed, with whole vectors of channels, \
         and with the same tiles, traced PEs and schedule; a case is what the names of its traces have before the first point"
    )]
    NoLayer {
        /// The case.
        case: String,
    },
    /// A design that cannot be built.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A grid without designs of one side.
    #[error("the options leave no {0} PE")]
    Empty(&'static str),
    /// A design cannot be mapped.
    #[error("{design}: {error}")]
    Synth {
        /// The design.
        design: String,
        /// Why.
        error: Box<SynthError>,
    },
    /// Its critical path cannot be found.
    #[error("{design}: {error}")]
    Timing {
        /// The design.
        design: String,
        /// Why.
        error: Box<TimingError>,
    },
    /// A layer does not fit a design.
    #[error("{design}, layer '{layer}': {error}")]
    Drive {
        /// The design.
        design: String,
        /// The layer.
        layer: String,
        /// Why.
        error: Box<DriveError>,
    },
    /// The gates cannot be simulated.
    #[error("{design}, layer '{layer}': {error}")]
    Power {
        /// The design.
        design: String,
        /// The layer.
        layer: String,
        /// Why.
        error: Box<PowerError>,
    },
    /// A result cannot be kept.
    #[error(transparent)]
    Io(#[from] ToolError),
}

/// The designs to build; formats are those of the traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Kinds of PEs.
    pub kinds: Vec<PeKind>,
    /// How products are added.
    pub structures: Vec<Structure>,
    /// How partial products are formed.
    pub multipliers: Vec<Multiplier>,
    /// What register files consist of.
    pub register_files: Vec<RegisterFile>,
    /// When masks are decoded.
    pub decodes: Vec<Decode>,
    /// Where the lanes of low members are; formats that a static PE cannot have in place are left out there.
    pub low_lanes: Vec<LowLanes>,
}

impl Grid {
    /// The designs for these formats, dense ones first.
    ///
    /// # Errors
    /// When a format has no PE, or there is none of dense PEs, or of StruM's.
    pub fn designs(&self, machine: &Machine, formats: &[Format]) -> Result<Vec<Spec>, ExploreError> {
        let mut list = Vec::new();
        for kind in [PeKind::Dense, PeKind::StrumDynamic, PeKind::StrumStatic] {
            if !self.kinds.contains(&kind) {
                continue;
            }
            let (formats, decodes): (&[Format], &[Decode]) = match kind {
                PeKind::Dense => (&[Format::DENSE], &[Decode::Step]),
                PeKind::StrumDynamic | PeKind::StrumStatic => (formats, &self.decodes),
            };
            let placements: &[LowLanes] =
                if kind == PeKind::StrumStatic { &self.low_lanes } else { &[LowLanes::Routed] };
            for (&format, &placement) in formats.iter().flat_map(|f| placements.iter().map(move |p| (f, p))) {
                let machine = Machine { pe_kind: kind, ..machine.clone() };
                for &structure in &self.structures {
                    for &multiplier in &self.multipliers {
                        for &register_file in &self.register_files {
                            for &decode in decodes {
                                let spec = Spec::of(&machine, format);
                                let spec = Spec { level: Level::Pe, structure, multiplier, ..spec };
                                let spec = Spec { register_file, decode, placement, ..spec };
                                match spec.check() {
                                    Err(SpecError::InPlace { .. } | SpecError::InPlaceBlock { .. }) => {}
                                    checked => {
                                        checked?;
                                        list.push(spec);
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        let dense = list.iter().filter(|spec| !spec.packed()).count();
        match (dense, list.len() - dense) {
            (0, _) => Err(ExploreError::Empty("dense")),
            (_, 0) => Err(ExploreError::Empty("StruM")),
            _ => Ok(list),
        }
    }
}

/// What is measured with.
#[derive(Debug)]
pub struct Setup<'a> {
    /// The cells.
    pub library: &'a Library,
    /// How designs are mapped.
    pub options: &'a Options,
    /// What the simulation of gates assumes.
    pub conditions: Conditions,
    /// OpenSTA; that of the search path without it.
    pub sta: Option<PathBuf>,
    /// Where results are kept from run to run.
    pub results: Option<PathBuf>,
}

/// Measures every design on the operands of its format, then the best dense PE on the decoded weights of all formats; `done`
/// hears of every design, with how many are done and how many there are.
///
/// # Errors
/// When a design cannot be mapped or simulated, or computes something else than the trace states.
pub fn explore(
    designs: &[Spec],
    operands: &Operands,
    setup: &Setup<'_>,
    done: &(dyn Fn(usize, usize) + Sync),
) -> Result<Comparison, ExploreError> {
    let count = AtomicUsize::new(0);
    let all = designs.len() + operands.formats().len();
    let program = results::program();
    let measure = |spec: &Spec, format: Option<Format>| {
        let layers = operands.of(format);
        let point = results::kept(spec, &layers, setup, &program, || {
            point::measure(spec, format, &layers, &operands.machine, setup)
        });
        done(count.fetch_add(1, Ordering::Relaxed) + 1, all);
        point
    };
    let points: Result<Vec<Point>, ExploreError> =
        designs.par_iter().map(|spec| measure(spec, spec.packed().then_some(spec.format))).collect();
    let points = points?;
    let best = summary::best_dense(&points).ok_or(ExploreError::Empty("dense"))?;
    let best = designs.get(best).ok_or(ExploreError::Empty("dense"))?;
    let decoded: Result<Vec<Point>, ExploreError> =
        operands.formats().par_iter().map(|&format| measure(best, Some(format))).collect();
    Ok(compare(points, decoded?))
}
