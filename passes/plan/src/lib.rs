//! The planner: tiling, allocation, dependences and barriers, without MLIR.
//!
//! Layer descriptions become a [`Draft`]: tasks in a legal sequential order on buffers without addresses.

pub mod alloc;
pub mod barriers;
pub mod conv;
pub mod deps;
mod dma;
pub mod draft;
pub mod error;
pub mod matmul;
mod pipeline;
pub mod pool;
mod ppe;
pub mod movement;
pub mod schedule;
mod tile;
mod view;
pub mod vector;

pub use conv::{ConvLayer, Weights, plan_conv, plan_depthwise};
pub use draft::{Buffer, BufferId, Draft, LayerInfo, MAX_TASKS, Role, Task, dtype_bytes};
pub use error::PlanError;
pub use matmul::{MatmulLayer, plan_matmul};
pub use pool::{PoolLayer, plan_pool};
pub use ppe::{Ppe, Scale};
