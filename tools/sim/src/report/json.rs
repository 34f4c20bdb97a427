//! A report as JSON: writing and reading.
//!
//! Only reports of this version are read; the error names what was found instead.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter};

use super::Report;

/// Why a file is not a readable report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Syntax(serde_json::Error),
    /// JSON of another kind.
    #[error("not a dpu-sim report: expected an object with \"schema\": \"{}\"", Report::SCHEMA)]
    Foreign,
    /// A report of another version.
    #[error("a report of version {got}; this tool reads version {}", Report::VERSION)]
    Version {
        /// Its version.
        got: u64,
    },
    /// A field of the report is missing or of the wrong type.
    #[error("a damaged report: {0}")]
    Content(serde_json::Error),
}

/// The fields that identify a report.
#[derive(Deserialize)]
struct Heading {
    schema: String,
    version: u64,
}

impl Report {
    /// The report as JSON text: an object with one line per member, down to the layers and tasks.
    ///
    /// # Errors
    /// When serialization fails, which cannot happen for a report.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let mut bytes = Vec::new();
        self.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Outline::default()))?;
        // The serializer writes only UTF-8.
        Ok(String::from_utf8(bytes).unwrap_or_default())
    }

    /// Reads a report.
    ///
    /// # Errors
    /// When the text is not JSON, not a report, of another version, or damaged.
    pub fn from_json(text: &[u8]) -> Result<Report, ReportError> {
        let heading = match serde_json::from_slice::<Heading>(text) {
            Ok(heading) => heading,
            Err(error) if error.is_data() => return Err(ReportError::Foreign),
            Err(error) => return Err(ReportError::Syntax(error)),
        };
        if heading.schema != Report::SCHEMA {
            return Err(ReportError::Foreign);
        }
        if heading.version != u64::from(Report::VERSION) {
            return Err(ReportError::Version { got: heading.version });
        }
        serde_json::from_slice(text).map_err(ReportError::Content)
    }

    /// Fields of the text that this version of the report does not have, as `layers[2].colour`: a later tool may have written
    /// them.
    #[must_use]
    pub fn unread(&self, text: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        if let (Ok(given), Ok(own)) = (serde_json::from_slice(text), serde_json::to_value(self)) {
            missing(&given, &own, "", &mut found);
        }
        found
    }
}

/// Collects the fields of `given` that `own` lacks.
fn missing(given: &Value, own: &Value, path: &str, found: &mut Vec<String>) {
    match (given, own) {
        (Value::Object(given), Value::Object(own)) => {
            for (key, value) in given {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match own.get(key) {
                    Some(own) => missing(value, own, &path, found),
                    // An optional part that is null.
                    None if value.is_null() => {}
                    None => found.push(path),
                }
            }
        }
        (Value::Array(given), Value::Array(own)) => {
            for (i, (value, own)) in given.iter().zip(own).enumerate() {
                missing(value, own, &format!("{path}[{i}]"), found);
            }
        }
        _ => {}
    }
}

/// Outer levels indented, inner ones on one line.
#[derive(Default)]
struct Outline {
    pretty: PrettyFormatter<'static>,
    depth: usize,
}

/// Levels with one line per member: the report, its lists and sections, the layers' members.
const INDENTED: usize = 3;

impl Outline {
    fn inner(&self) -> bool {
        self.depth > INDENTED
    }

    fn comma<W: ?Sized + Write>(writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }
}

impl Formatter for Outline {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        if self.inner() { writer.write_all(b"[") } else { self.pretty.begin_array(writer) }
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        let inner = self.inner();
        self.depth -= 1;
        if inner { writer.write_all(b"]") } else { self.pretty.end_array(writer) }
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if self.inner() {
            Outline::comma(writer, first)
        } else {
            self.pretty.begin_array_value(writer, first)
        }
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.inner() { Ok(()) } else { self.pretty.end_array_value(writer) }
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        if self.inner() { writer.write_all(b"{") } else { self.pretty.begin_object(writer) }
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        let inner = self.inner();
        self.depth -= 1;
        if inner { writer.write_all(b"}") } else { self.pretty.end_object(writer) }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if self.inner() { Outline::comma(writer, first) } else { self.pretty.begin_object_key(writer, first) }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.inner() { Ok(()) } else { self.pretty.end_object_value(writer) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Report::from_json(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_report_is_told_apart() {
        assert!(error("").starts_with("not JSON: EOF"), "{}", error(""));
        let broken = "{\"schema\": \"dpu-sim-report\", ";
        assert!(error(broken).starts_with("not JSON"), "{}", error(broken));
        for foreign in ["[]", "3", "{}", "{\"traceEvents\": []}", "{\"schema\": \"x\", \"version\": 1}"] {
            assert!(error(foreign).starts_with("not a dpu-sim report"), "{foreign}: {}", error(foreign));
        }
        let later = "{\"schema\": \"dpu-sim-report\", \"version\": 2}";
        assert_eq!(error(later), "a report of version 2; this tool reads version 1");
        let empty = "{\"schema\": \"dpu-sim-report\", \"version\": 1}";
        assert!(error(empty).starts_with("a damaged report: missing field `machine`"), "{}", error(empty));
    }
}
