//! Reads traces record by record.

use std::io::{BufRead, BufReader, ErrorKind, Read};

use crate::TraceError;
use crate::header::{Header, MAX_HEADER};
use crate::record::{TRAILER, TRAILER_BYTES, Trailer, Vector};

/// Reads the sections of a trace one after another: it iterates over the vectors of one section, until
/// [`Reader::next_section`] proceeds to the next one.
///
/// After an error, the iterator ends.
#[derive(Debug)]
pub struct Reader<R> {
    input: BufReader<R>,
    section: u64,
    header: Header,
    records: u64,
    trailer: Option<Trailer>,
    failed: bool,
    bytes: Vec<u8>,
}

impl<R: Read> Reader<R> {
    /// Reads the header of the first section.
    ///
    /// # Errors
    /// When the input fails, or does not begin with the header of a supported version.
    pub fn new(input: R) -> Result<Reader<R>, TraceError> {
        let mut input = BufReader::new(input);
        let header = read_header(&mut input, 0)?
            .ok_or_else(|| TraceError::NotATrace { found: "found an empty file".to_owned() })?;
        let (trailer, bytes) = (None, Vec::new());
        Ok(Reader { input, section: 0, header, records: 0, trailer, failed: false, bytes })
    }

    /// The header of the section.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The trailer of the section, once its last vector has been read.
    pub fn trailer(&self) -> Option<Trailer> {
        self.trailer
    }

    /// Proceeds to the next section, past the remaining vectors of this one. Returns whether there is one.
    ///
    /// # Errors
    /// When the input fails or is not a trace.
    pub fn next_section(&mut self) -> Result<bool, TraceError> {
        if self.failed {
            return Ok(false);
        }
        self.by_ref().try_for_each(|vector| vector.map(drop))?;
        let header = read_header(&mut self.input, self.section + 1);
        let Some(header) = header.inspect_err(|_| self.failed = true)? else { return Ok(false) };
        self.section += 1;
        (self.header, self.records, self.trailer) = (header, 0, None);
        Ok(true)
    }

    /// The next record; `None` after the trailer.
    fn record(&mut self) -> Result<Option<Vector>, TraceError> {
        if self.trailer.is_some() {
            return Ok(None);
        }
        let (section, record) = (self.section, self.records);
        let fault = |reason: &str| TraceError::Record { section, record, reason: reason.to_owned() };
        let [flags] = self.take()?;
        if flags == TRAILER {
            let trailer = Trailer::decode(self.take::<TRAILER_BYTES>()?)
                .ok_or_else(|| fault("the trailer's flag is neither 0 nor 1"))?;
            if trailer.records != record {
                return Err(TraceError::Count { section, found: record, stated: trailer.records });
            }
            self.trailer = Some(trailer);
            return Ok(None);
        }
        self.bytes.clear();
        self.bytes.push(flags);
        self.bytes.resize(Vector::bytes(&self.header), 0);
        let rest = self.bytes.get_mut(1..).unwrap_or_default();
        fill(&mut self.input, rest, section, record)?;
        let vector = Vector::decode(&self.header, &self.bytes)
            .ok_or_else(|| fault(&format!("unknown flags {flags:#x}")))?;
        self.records += 1;
        Ok(Some(vector))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], TraceError> {
        let mut bytes = [0; N];
        fill(&mut self.input, &mut bytes, self.section, self.records)?;
        Ok(bytes)
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Vector, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let record = self.record();
        self.failed = record.is_err();
        record.transpose()
    }
}

/// Reads all of `bytes`; the file is incomplete if it ends before.
fn fill(input: &mut impl Read, bytes: &mut [u8], section: u64, records: u64) -> Result<(), TraceError> {
    input.read_exact(bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => TraceError::Incomplete { section, records },
        _ => TraceError::Io(error),
    })
}

/// Reads a header; `None` at the end of the file.
fn read_header(input: &mut impl BufRead, section: u64) -> Result<Option<Header>, TraceError> {
    let mut line = Vec::new();
    input.by_ref().take(MAX_HEADER as u64).read_until(b'\n', &mut line)?;
    match line.as_slice() {
        [] => Ok(None),
        // Anything may be a long line; a header begins with a brace.
        [b'{', .., b'\n'] => Header::parse(&line, section).map(Some),
        [b'{', ..] if line.len() < MAX_HEADER => Err(TraceError::Incomplete { section, records: 0 }),
        [b'{', ..] => {
            Err(TraceError::Header { section, reason: format!("a line of more than {MAX_HEADER} bytes") })
        }
        _ => Err(TraceError::NotATrace { found: "found other bytes".to_owned() }),
    }
}
