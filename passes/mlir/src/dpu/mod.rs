//! Lowering to the `dpu` dialect, and the passes on its programs.

pub mod dpu_allocate;
pub mod dpu_assign_barriers;
pub mod strum_to_dpu;
