//! Raw declarations of the C interface of the `strum` and `dpu` dialects (`cpp/capi/*.h`, where every function is
//! documented), generated at build time so that they cannot drift from the headers. Only `strum-ir` may call
//! these.
//!
//! MLIR's own C interface is re-exported, so that a user needs one import and one version.

#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals, missing_docs)]
#![allow(clippy::all, reason = "generated code")]

pub use mlir_sys::*;

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
