//! Statements of the paper, quoted as far as they were seen, to print next to our figures.
//!
//! Invariant: none of these numbers enters a computation.

use serde::Serialize;

/// The paper.
pub(super) const TITLE: &str =
    "StruM: Structured Mixed Precision for Efficient Deep Learning Hardware Codesign, arXiv 2501.18953v2";

/// Unknown details of the paper that make a difference.
pub(super) const UNKNOWN: &str =
    "What the paper counts as a PE, its technology node and its activity are not known to us.";

/// What our levels are not.
pub(super) const NOT_REPRODUCED: &str =
    "This does not reproduce the paper's PE: which of the levels it means, if any, is not known to us.";

/// A statement of the paper.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Claim {
    /// Its subject.
    pub(super) quantity: &'static str,
    /// The statement.
    pub(super) statement: &'static str,
    /// How well it is known: `[paper]` was seen in the abstract or in a page that summarises the paper.
    pub(super) tag: &'static str,
    /// Its source.
    pub(super) seen_in: &'static str,
    /// Our closest ratio; none for areas, since the level that the paper means is unknown.
    pub(super) ours: Option<&'static str>,
}

/// All statements on power and area that were seen.
pub(super) const CLAIMS: &[Claim] = &[
    Claim {
        quantity: "PE power",
        statement: "-31 to -34 %",
        tag: "[paper]",
        seen_in: "abstract, and sciencestack.ai's summary",
        ours: Some("pe_busy_power"),
    },
    Claim {
        quantity: "accelerator",
        statement: "-10 % area, or about -10 % power",
        tag: "[paper]",
        seen_in: "abstract: area; sciencestack.ai's summary: power; they disagree",
        ours: Some("accelerator_energy"),
    },
    Claim {
        quantity: "PE area, static",
        statement: "-23 to -26 %",
        tag: "[paper]",
        seen_in: "abstract; of the PE array in sciencestack.ai's summary",
        ours: None,
    },
    Claim {
        quantity: "DPU area, static",
        statement: "-2 to -3 %",
        tag: "[paper]",
        seen_in: "abstract",
        ours: None,
    },
];
