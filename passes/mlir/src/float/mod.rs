//! Passes on float networks: from linalg or float TOSA to integer TOSA.

pub mod canonicalize_layout;
pub mod fold_batch_norm;
pub mod fold_constants;
pub mod fold_padding;
pub mod linalg_to_tosa;
pub mod recognize_activations;
pub mod tosa_quantize;
