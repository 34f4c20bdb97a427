//! ONNX files. Invariant: a file is refused as a whole.

use crate::{CauseKind, Network, Options, Refusal};

/// Reads an ONNX file.
pub(crate) fn import(_bytes: &[u8], _options: &Options) -> Result<Network, Refusal> {
    Err(Refusal::file(CauseKind::Unsupported, "ONNX files are not supported"))
}
