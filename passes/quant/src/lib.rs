//! StruM weight formats: choosing low members, packing, unpacking, checking, and correcting layers for what was lost.
//!
//! A StruM tensor stores every block of `w` neighbouring INT8 weight codes at two precision levels: exactly `low` members
//! hold a short code, the others stay INT8. This crate is the only definition of that encoding on the compiler's side.
//!
//! Invariant: an accepted [`Packed`] is canonical. The decoded codes, together with the mask, give back the very same
//! bytes, so that two equal tensors are equal byte for byte.
//!
//! Blocks run along the input channel, per `(oc, ky, kx)`; the input channels are padded up to a multiple of `w`. Padding
//! positions hold code 0, are taken low first (lowest position first; when a block has more padding than low members, the
//! rest of it is high), and their decoded value, whatever the method makes of code 0, is nobody's weight.
//!
//! Per block: the mask (`w` bits, bit = 1 high, least significant = lowest channel), the high codes (int8, ascending), the
//! low codes (ascending, least significant bit first). Blocks follow each other without gaps, and the *set* of each output
//! channel starts on 16 bytes. Where the `dliq` shift differs from channel to channel, one shift byte an output channel
//! comes first, padded to 16 bytes.
//!
//! ```
//! use strum_quant::{Kind, Request, Shape, quantize};
//!
//! let codes = [-97, 3, 14, -6, 41, 0, -22, 9, -1, 64, -35, 5, 118, -12, 2, -50];
//! let shape = Shape { oc: 1, kh: 1, kw: 1, ic: 16 };
//! let packed = quantize(&codes, shape, &Request::new(Kind::Mip2q))?;
//! assert_eq!(packed.bytes.len(), 16);
//! assert_eq!(packed.unpack()?, [-97, 2, 14, -4, 41, 1, -22, 8, -1, 64, -35, 4, 118, -12, 2, -50]);
//! # Ok::<(), strum_quant::PackError>(())
//! ```

mod audit;
mod bits;
mod correct;
mod error;
mod format;
mod grid;
pub mod methods;
mod packed;
mod quantize;
mod select;
mod slice;
mod sqnr;

pub use audit::{Audit, audit_set, sqnr_db};
pub use correct::{Correct, Correction, Inputs, corrections};
pub use error::{FormatError, PackError};
pub use format::{Format, Shape, packed_bytes, set_bytes};
pub use grid::{Grid, Grids};
pub use methods::{DliqShift, Kind, Method};
pub use packed::Packed;
pub use quantize::{Request, Shift, pack, quantize, quantize_with};
pub use select::Select;
pub use slice::Slice;
pub use sqnr::Sqnr;

/// Every weight set, and the shift header, starts on a multiple of this many bytes.
pub const ALIGN: usize = 16;
