//! PE traces: what processing elements of the DPU multiply, vector by vector. `docs/pe-trace.md` defines the format.
//!
//! Invariant: whatever the bytes, reading them yields exactly the records that were written or a [`TraceError`], and never
//! allocates more than a header's [`MAX_HEADER`] bytes and one record.

mod error;
mod header;
mod reader;
mod record;
mod writer;

pub use error::TraceError;
pub use header::{Conv, Header, MAX_HEADER, Source, Tile};
pub use reader::Reader;
pub use record::{Trailer, Vector};
pub use writer::Writer;

/// The field `schema` of a header.
pub const SCHEMA: &str = "dpu-pe-trace";

/// The field `version` of a header: incremented when the meaning of a field or the form of a record changes.
pub const VERSION: u32 = 1;
