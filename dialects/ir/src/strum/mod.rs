//! The `strum` dialect: its attributes and types as Rust values, and its operations as structs that are read from and written to the
//! IR.
//!
//! A layer is read with `read`, which returns `None` for other operations, and created with `build`, which returns an
//! [`OpBuilder`]:
//!
//! ```
//! # use strum_ir::{Context, Module, strum::Conv};
//! # let context = Context::new();
//! # let text = r#"func.func @f(%x: tensor<1x8x8x16xi8>, %w: tensor<4x3x3x16xi8>) -> tensor<1x8x8x4xi32> {
//! #   %0 = strum.conv2d %x, %w pads [1, 1, 1, 1] : (tensor<1x8x8x16xi8>, tensor<4x3x3x16xi8>) -> tensor<1x8x8x4xi32>
//! #   return %0 : tensor<1x8x8x4xi32>
//! # }"#;
//! # let module = Module::parse(&context, text.as_bytes(), "example.mlir")?;
//! # let op = module.op().walk_named("strum.conv2d")[0];
//! let conv = Conv::read(op).ok_or("no convolution")?;
//! assert_eq!(conv.pads, [1; 4]);
//! let wider = Conv { pads: [2; 4], ..conv };
//! let ty = op.results()[0].ty().with_shape(&[1, 10, 10, 4])?;
//! let new = wider.build(ty, op.location())?.insert_before(op)?;
//! assert!(new.verify().is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`OpBuilder`]: crate::OpBuilder

mod arithmetic;
pub(crate) mod format;
mod layers;
pub(crate) mod verify;

pub use arithmetic::{Ppe, Rescale};
pub use format::{Format, PackedType, constant};
pub use layers::{Conv, Eltwise, EltwiseKind, MatMul};
