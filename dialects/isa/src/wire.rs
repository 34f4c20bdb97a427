//! Little-endian records inside the container's sections.
//!
//! The reader never allocates more than the remaining bytes can fill.

/// What is wrong with the contents of a section.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum WireError {
    #[error("needs {needed} bytes, only {left} are left")]
    Short { needed: u64, left: u64 },
    #[error("{count} records need {needed} bytes, only {left} are left")]
    Count { count: u64, needed: u64, left: u64 },
    #[error("text is not UTF-8")]
    Utf8,
    #[error("element type {0} is unknown")]
    Dtype(u8),
    #[error("flags {0:#x} of an input or output are unknown")]
    Flags(u8),
    #[error("a scale of {0}")]
    Scale(String),
    #[error("no input or output has a meaning: the file is of version 1")]
    NoMeaning,
    #[error("{0} bytes too many")]
    Rest(u64),
}

/// Appends records.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A length; the container checks beforehand that none exceeds 32 bits.
    pub(crate) fn len(&mut self, len: usize) {
        self.u32(u32::try_from(len).unwrap_or(u32::MAX));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.len(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }
}

/// Reads records from the front.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    pos: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, pos: 0 }
    }

    /// Byte offset of the next record.
    pub(crate) fn pos(&self) -> usize {
        self.pos
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.pos
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let range = self.pos.checked_add(len).and_then(|end| Some((end, self.bytes.get(self.pos..end)?)));
        let short = WireError::Short { needed: len as u64, left: self.left() as u64 };
        let (end, bytes) = range.ok_or(short)?;
        self.pos = end;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, WireError> {
        self.array::<1>().map(|[b]| b)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn text(&mut self) -> Result<String, WireError> {
        let len = self.u32()? as usize;
        let bytes = self.take(len)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| WireError::Utf8)
    }

    /// A record count, checked so that the remaining bytes can hold that many records of at least `min`
    /// bytes.
    pub(crate) fn count(&mut self, min: usize) -> Result<usize, WireError> {
        let count = u64::from(self.u32()?);
        let needed = count.saturating_mul(min as u64);
        if needed > self.left() as u64 {
            return Err(WireError::Count { count, needed, left: self.left() as u64 });
        }
        Ok(count as usize)
    }

    /// A counted list of records of at least `min` bytes.
    pub(crate) fn list<T>(
        &mut self,
        min: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, WireError>,
    ) -> Result<Vec<T>, WireError> {
        (0..self.count(min)?).map(|_| item(self)).collect()
    }

    pub(crate) fn finish(&self) -> Result<(), WireError> {
        if self.left() == 0 { Ok(()) } else { Err(WireError::Rest(self.left() as u64)) }
    }
}
