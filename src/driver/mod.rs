//! The frame of the drivers `strumc`, `strum-opt` and `strum-translate`: command lines, files, diagnostics, exit codes, and
//! compilation.
//!
//! Invariant: a driver ends with a documented exit code and a message for any input; files appear completely or not at all, and
//! standard output carries results only.

pub(crate) mod advice;
pub(crate) mod backend;
pub(crate) mod batch;
pub(crate) mod calibration;
pub(crate) mod cli;
pub(crate) mod codes;
pub(crate) mod data;
pub(crate) mod diagnostics;
pub(crate) mod exit;
pub(crate) mod files;
pub(crate) mod images;
pub(crate) mod import;
pub(crate) mod isolate;
pub(crate) mod lower;
pub(crate) mod network;
pub(crate) mod options;
pub(crate) mod plan;
pub(crate) mod refit;
pub(crate) mod remarks;
pub(crate) mod rounding;
pub(crate) mod temps;
pub(crate) mod trial;
pub(crate) mod twin;
