//! Writes traces record by record.

use std::io::Write;

use crate::header::Header;
use crate::record::{Trailer, Vector};
use crate::{MAX_HEADER, TraceError};

/// Writes the sections of a trace one after another.
///
/// Every record is one write: the output should be buffered.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    /// The section being written, and its vectors so far.
    open: Option<(Header, u64)>,
    bytes: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// A trace without sections.
    pub fn new(out: W) -> Writer<W> {
        Writer { out, open: None, bytes: Vec::new() }
    }

    /// Begins a section.
    ///
    /// # Errors
    /// When the section before has not ended, when the header is longer than [`MAX_HEADER`], and when the output fails.
    pub fn begin(&mut self, header: &Header) -> Result<(), TraceError> {
        if self.open.is_some() {
            return Err(TraceError::Order("a header before the trailer of the previous section"));
        }
        let line = header.line()?;
        if line.len() > MAX_HEADER {
            let reason = format!("{} bytes, more than {MAX_HEADER}", line.len());
            return Err(TraceError::Header { section: 0, reason });
        }
        self.out.write_all(line.as_bytes())?;
        self.open = Some((header.clone(), 0));
        Ok(())
    }

    /// Adds a vector to the section.
    ///
    /// # Errors
    /// When no section has begun, when the vector does not fit its header, and when the output fails.
    pub fn vector(&mut self, vector: &Vector) -> Result<(), TraceError> {
        let Some((header, records)) = &mut self.open else {
            return Err(TraceError::Order("a vector before the header of its section"));
        };
        self.bytes.clear();
        vector.encode(header, &mut self.bytes)?;
        self.out.write_all(&self.bytes)?;
        *records += 1;
        Ok(())
    }

    /// Ends the section. `cut` states whether the limit left out vectors of at least one of the traced PEs.
    ///
    /// # Errors
    /// When no section has begun, and when the output fails.
    pub fn end(&mut self, cut: bool) -> Result<(), TraceError> {
        let Some((_, records)) = self.open.take() else {
            return Err(TraceError::Order("a trailer before the header of its section"));
        };
        Ok(self.out.write_all(&Trailer { records, cut }.encode())?)
    }

    /// Returns the output.
    ///
    /// # Errors
    /// When a section has not ended.
    pub fn finish(self) -> Result<W, TraceError> {
        match self.open {
            Some(_) => Err(TraceError::Order("the end of a trace before the trailer of its last section")),
            None => Ok(self.out),
        }
    }
}
