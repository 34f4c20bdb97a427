//! TFLite files. Invariant: integers mean what TFLite's reference kernels compute, bit for bit.

use crate::{CauseKind, Network, Options, Refusal};

/// Reads a TFLite file.
pub(crate) fn import(_bytes: &[u8], _options: &Options) -> Result<Network, Refusal> {
    Err(Refusal::file(CauseKind::Unsupported, "TFLite files are not supported"))
}
