//! The kind of error of a diagnostic: the one list of phrases that distinguish a limit of this project or of the machine from an
//! error in the user's input.
//!
//! Invariant: a phrase counts only at the beginning of the message, after the op name that MLIR prepends.

use std::path::Path;

use strum_files::{FileError, budget};

/// Prefix of messages on valid but unsupported input.
pub const UNSUPPORTED: &str = "unsupported: ";
/// Prefix of messages on valid input that exceeds the machine.
pub const RESOURCE: &str = "does not fit the machine: ";
/// Prefix of messages on an invalid pass option.
pub const USAGE: &str = "wrong option: ";
/// Prefix of messages on valid input that exceeds the memory limit.
pub const MEMORY: &str = "out of memory: ";
/// Prefix of messages on an internal error.
pub const INTERNAL: &str = "internal error: ";
/// The message on a fault of this project that is found where messages are text.
pub(crate) const BUG: &str = "internal error: this is a bug in strum-opt";

/// The message on a file that cannot be read: `what` it is, and why.
pub(crate) fn unreadable(what: &str, path: &str, error: &FileError) -> String {
    format!("{}{what} '{path}': {}", if error.is_limit() { MEMORY } else { "" }, error.reason())
}

/// Upper bound of memory for parsed data per byte of JSON text: a short entry becomes a structure.
const JSON_PEAK: u64 = 128;

/// Reads a JSON text, `what` for messages.
pub(crate) fn read_json(what: &str, path: &str) -> Result<String, String> {
    let text = strum_files::read_text(Path::new(path)).map_err(|error| unreadable(what, path, &error))?;
    check_json(what, path, text.len() as u64)?;
    Ok(text)
}

/// Checks the memory limit for the data parsed from `bytes` bytes of JSON.
fn check_json(what: &str, path: &str, bytes: u64) -> Result<(), String> {
    let needed = bytes.saturating_mul(JSON_PEAK);
    budget::check("its contents", needed).map_err(|over| format!("{MEMORY}{what} '{path}': {over}"))
}

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The user's: invalid input.
    Invalid,
    /// The user's: an invalid pass option.
    Usage,
    /// A limit of this project.
    Unsupported,
    /// A limit of the machine, or of this computer.
    Resource,
    /// A bug of this project.
    Internal,
}

/// The verdict on an error message of a pass or of MLIR.
#[must_use]
pub fn verdict(message: &str) -> Verdict {
    // MLIR's form: `'tosa.argmax' op unsupported: …`.
    let named = message.strip_prefix('\'').and_then(|rest| rest.split_once("' op "));
    let said = named.map_or(message, |(_, said)| said);
    if said.starts_with(UNSUPPORTED) {
        Verdict::Unsupported
    } else if said.starts_with(RESOURCE) || said.starts_with(MEMORY) {
        Verdict::Resource
    } else if said.starts_with(INTERNAL) {
        Verdict::Internal
    } else if said.starts_with(USAGE) {
        Verdict::Usage
    } else {
        Verdict::Invalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_count_at_the_beginning() {
        assert_eq!(
            verdict("'tosa.argmax' op unsupported: 'tosa.argmax' is not supported"),
            Verdict::Unsupported
        );
        assert_eq!(verdict("unsupported: 2 blocks"), Verdict::Unsupported);
        assert_eq!(
            verdict("'tosa.conv2d' op does not fit the machine: x: needs 2, the limit is 1"),
            Verdict::Resource
        );
        assert_eq!(verdict("out of memory: x: 2 bytes are needed"), Verdict::Resource);
        assert_eq!(verdict(BUG), Verdict::Internal);
        assert_eq!(verdict("internal error: this is a bug in strum-opt: x"), Verdict::Internal);
        assert_eq!(verdict("wrong option: no such machine"), Verdict::Usage);
        assert_eq!(verdict("'tosa.conv2d' op attribute 'pad' of 'x' op unsupported: y"), Verdict::Invalid);
        assert_eq!(verdict("expected ':'"), Verdict::Invalid);
    }

    #[test]
    fn a_json_text_whose_data_memory_does_not_hold_is_refused() {
        assert_eq!(check_json("packing file", "a.json", 1 << 10), Ok(()));
        let message = check_json("packing file", "a.json", 1 << 43).unwrap_err();
        let start =
            "out of memory: packing file 'a.json': its contents: 1125899906842624 bytes are needed beside";
        assert!(message.starts_with(start), "{message}");
    }
}
