//! PE traces: what processing elements of the DPU multiply, vector by vector. `docs/pe-trace.md` defines the format.
//!
//! Invariant: whatever the bytes, reading them yields exactly the records that were written or a [`TraceError`], and never
//! allocates more than a header's [`MAX_HEADER`] bytes and one record.
//!
//! ```
//! use dpu_trace::{Reader, TraceError};
//!
//! /// The number of vectors, and of outputs that PEs have finished.
//! fn count(file: impl std::io::Read) -> Result<(u64, u64), TraceError> {
//!     let (mut vectors, mut outputs) = (0, 0);
//!     let mut reader = Reader::new(file)?;
//!     loop {
//!         for vector in reader.by_ref() {
//!             vectors += 1;
//!             outputs += u64::from(vector?.last);
//!         }
//!         if !reader.next_section()? {
//!             return Ok((vectors, outputs));
//!         }
//!     }
//! }
//!
//! let error = count(&b"not a trace"[..]).unwrap_err();
//! assert!(error.to_string().starts_with("not a PE trace"));
//! ```

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
