//! The planner: tiling, allocation, dependences and barriers, without MLIR.
//!
//! Layer descriptions become a [`Draft`]: tasks in a legal sequential order on buffers without addresses.

pub mod alloc;
pub mod barriers;
pub mod bundle;
pub mod conv;
pub mod deps;
mod dma;
pub mod draft;
pub mod error;
pub mod forecast;
pub mod matmul;
pub mod movement;
pub mod network;
pub mod objective;
mod pipeline;
pub mod pool;
mod ppe;
pub mod prefetch;
pub mod residency;
pub mod schedule;
mod scope;
pub mod strategy;
mod tile;
pub mod vector;
mod view;

pub use conv::{ConvLayer, Weights, plan_conv, plan_depthwise};
pub use draft::{Buffer, BufferId, Draft, LayerInfo, MAX_TASKS, Role, Task};
pub use error::PlanError;
pub use forecast::Forecast;
pub use matmul::{MatmulLayer, plan_matmul};
pub use movement::{
    ConcatLayer, CopyLayer, GatherLayer, PadLayer, ScatterLayer, SliceLayer, Tensor, TransposeLayer,
    plan_concat, plan_copy, plan_gather, plan_pad, plan_scatter, plan_slice, plan_transpose,
};
pub use network::Network;
pub use objective::Objective;
pub use pool::{PoolLayer, plan_pool};
pub use ppe::{Ppe, Scale};
pub use schedule::{Scheduled, Source, finish, to_program};
pub use scope::{Constraints, LayerOutcome, LayerScope, Planner};
pub use vector::{
    BinaryLayer, Post, Pre, ReduceLayer, RescaleLayer, ResizeLayer, ResizeSide, Scaling, SelectLayer, Table,
    TableLayer, UnaryLayer, plan_binary, plan_reduce, plan_rescale, plan_resize, plan_select, plan_table,
    plan_unary,
};
