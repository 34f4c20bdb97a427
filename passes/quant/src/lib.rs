//! Packing decisions: which members of a block become low, which shift they get, and how the loss is corrected. The formats and
//! their bytes are defined by `strum-formats`.
//!
//! ```
//! use strum_formats::Shape;
//! use strum_quant::{Choice, pack};
//!
//! let codes = [-97, 3, 14, -6, 41, 0, -22, 9, -1, 64, -35, 5, 118, -12, 2, -50];
//! let shape = Shape { oc: 1, kh: 1, kw: 1, ic: 16 };
//! let request = Choice::parse("mip2q").ok().and_then(|choice| choice.request()).ok_or("plain INT8")?;
//! let packed = pack(&codes, shape, &request)?;
//! assert_eq!(packed.bytes.len(), 16);
//! assert_eq!(packed.unpack()?, [-97, 2, 14, -4, 41, 1, -22, 8, -1, 64, -35, 4, 118, -12, 2, -50]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod choice;
mod correct;
mod error;
mod grid;
mod pack;
mod schema;
mod select;
mod sqnr;

pub use choice::Choice;
pub use correct::{Correct, Correction, Inputs, corrections};
pub use error::QuantError;
pub use grid::{Grid, Grids};
pub use pack::{Request, Shift, pack, pack_with};
pub use schema::{CORRECT, SCHEMA, SELECT, SELECTION};
pub use select::Select;
pub use sqnr::Sqnr;
