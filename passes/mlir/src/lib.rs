//! The compiler passes and pipelines.
//!
//! Passes are grouped by the level that they run on: [`float`], [`tosa`], [`strum`], [`dpu`]; shared code is in [`common`]. Each
//! pass is a folder named after its flag, with its documentation, its options and a folder of lit tests of the same name. Passes
//! are thin: their decisions are plain Rust over the data of [`common::tosa`] and [`common::support`], or below in `strum-plan`,
//! `strum-float` and `strum-quant`.
//!
//! Invariant: no pass changes a bit of an integer network's result, except `strum-pack`, which changes weight codes, and bias and
//! scale if it is asked to correct them. Passes on float networks keep the result up to rounding.

pub mod common;
pub mod dpu;
pub mod float;
pub mod strum;
pub mod tosa;
pub mod translation;

#[cfg(test)]
mod docs;
mod documented;
#[cfg(test)]
mod example;
pub mod pipeline;
mod registry;

pub use documented::{Documented, PassDoc};

// Every pass of this crate, in the order in which the pipeline runs them: a new pass is one line here, and its `mod` in its level.
registry::passes![
    float::linalg_to_tosa::LinalgToTosa,
    float::fold_constants::FoldConstants,
    float::canonicalize_layout::CanonicalizeLayout,
    float::recognize_activations::RecognizeActivations,
    float::fold_padding::FoldPadding,
    float::fold_batch_norm::FoldBatchNorm,
    float::tosa_quantize::TosaQuantize,
    tosa::peel_quantize::PeelQuantize,
    tosa::specialize_shapes::SpecializeShapes,
    tosa::inline_control_flow::InlineControlFlow,
    tosa::expand_operators::ExpandOperators,
    tosa::strum_canonicalize::StrumCanonicalize,
    tosa::tosa_to_strum::TosaToStrum,
    strum::strum_pack::StrumPack,
    strum::strum_unpack::StrumUnpack,
    strum::strum_to_tosa::StrumToTosa,
    dpu::strum_to_dpu::StrumToDpu,
    dpu::dpu_allocate::DpuAllocate,
    dpu::dpu_assign_barriers::DpuAssignBarriers,
];
