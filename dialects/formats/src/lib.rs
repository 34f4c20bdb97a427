//! StruM weight formats: the table of methods and parameters, packing, unpacking, checking.
//!
//! A StruM tensor stores every block of `w` adjacent INT8 weight codes at two precision levels: exactly `low` members
//! hold a short code, the others stay INT8. On the compiler's side, this crate is the only definition of that encoding.
//!
//! Invariant: an accepted [`Packed`] is canonical. The decoded codes and the mask reproduce the same bytes, so equal
//! tensors are equal byte for byte.
//!
//! Blocks run along the input channel, per `(oc, ky, kx)`; the input channels are padded up to a multiple of `w`. Padding
//! positions hold code 0 and become low members first (lowest position first; when a block has more padding than low
//! members, the rest of it is high). Their decoded value is never used, whatever the method makes of code 0.
//!
//! Per block: the mask (`w` bits, bit = 1 high, least significant = lowest channel), the high codes (int8, ascending), the
//! low codes (ascending, least significant bit first). No mask is stored where it is known: no member is low, or all are
//! and have codes. Blocks are contiguous, and the *set* of each output channel is aligned to 16 bytes. Where the `dliq` shift differs between channels, one shift byte per output channel comes first,
//! padded to 16 bytes.
//!
//! ```
//! use strum_formats::{Format, Method, Shape, pack};
//!
//! let format = Format { w: 4, low: 2, method: Method::Mip2q { l: 7, zero: false } };
//! let packed = pack(&[-97, 3, 14, -6], &[true, false, true, false], Shape { oc: 1, kh: 1, kw: 1, ic: 4 }, format, &[])?;
//! assert_eq!(packed.unpack()?, [-97, 2, 14, -4]);
//! # Ok::<(), strum_formats::PackError>(())
//! ```

mod audit;
mod bits;
mod error;
mod fields;
mod format;
pub mod methods;
mod pack;
mod packed;
mod parameter;
mod slice;
mod spec;
pub mod table;

pub use audit::{Audit, audit_set};
pub use error::{FormatError, PackError, SpecError};
pub use fields::{Field, FieldKind, InstrFields, WORD};
pub use format::{Format, Shape, packed_bytes, padding_mask, set_bytes};
pub use methods::{DliqShift, Kind, LowMap, Method, decode_table};
pub use pack::{blocks, expect_count, pack, pack_by};
pub use packed::Packed;
pub use parameter::{Domain, Parameter, Value, Word};
pub use slice::Slice;
pub use spec::{METHOD, Schema, Spec};

/// Every weight set and the shift header are aligned to this many bytes.
pub const ALIGN: usize = 16;
