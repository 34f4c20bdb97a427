//! The compiler passes and pipelines.
//!
//! Each pass is a folder of this crate, named after its flag, with its documentation, its options and a folder of lit
//! tests of the same name. Passes are thin: what they decide is plain Rust over the data of [`tosa`] and [`support`].
//!
//! Invariant: no pass changes a bit of an integer network's result, but for `strum-pack`, which changes weight codes, and
//! bias and scale where it is asked to correct them. Passes on float networks keep the result up to rounding.

#[cfg(test)]
mod docs;
mod fingerprint;
pub mod float;
pub mod limits;
pub mod machine;
mod program;
mod registry;
mod rewrite;
pub mod statistics;
pub mod support;
pub mod tosa;
mod weights;

pub mod canonicalize_layout;
pub mod dpu_allocate;
pub mod dpu_assign_barriers;
pub mod fold_batch_norm;
pub mod fold_constants;
pub mod fold_padding;
pub mod linalg_to_tosa;
mod options;
pub mod pipeline;
pub mod recognize_activations;
pub mod strum_canonicalize;
pub mod strum_pack;
pub mod strum_to_dpu;
pub mod strum_to_tosa;
pub mod strum_unpack;
pub mod tosa_quantize;
pub mod tosa_to_strum;
pub mod translation;
pub mod verdict;

pub use registry::{Documented, PassDoc, page};

// Every pass of this crate, in the order in which the pipeline runs them: a new pass is one line here, and its `mod`.
registry::passes![
    linalg_to_tosa::LinalgToTosa,
    fold_constants::FoldConstants,
    canonicalize_layout::CanonicalizeLayout,
    recognize_activations::RecognizeActivations,
    fold_padding::FoldPadding,
    fold_batch_norm::FoldBatchNorm,
    tosa_quantize::TosaQuantize,
    strum_canonicalize::StrumCanonicalize,
    tosa_to_strum::TosaToStrum,
    strum_pack::StrumPack,
    strum_unpack::StrumUnpack,
    strum_to_tosa::StrumToTosa,
    strum_to_dpu::StrumToDpu,
    dpu_allocate::DpuAllocate,
    dpu_assign_barriers::DpuAssignBarriers,
];
