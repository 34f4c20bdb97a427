//! The planner: tiling, allocation, dependences and barriers, without MLIR.
//!
//! Layer descriptions become a [`Draft`]: tasks in a legal sequential order on buffers without addresses.

pub mod alloc;
pub mod barriers;
pub mod deps;
pub mod draft;
pub mod error;
pub mod schedule;

pub use draft::{Buffer, BufferId, Draft, LayerInfo, MAX_TASKS, Role, Task, dtype_bytes};
pub use error::PlanError;
