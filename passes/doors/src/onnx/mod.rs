//! ONNX files. Invariant: every operator that is needed is imported, folded, or named in a refusal.
//!
//! Constants are evaluated while the file is read, so that shapes are known; images are kept with channels last between the
//! operators that want them so.

mod call;
mod fold;
mod graph;
mod movement;
mod node;
mod ops;
mod proto;
mod quant;
mod table;
mod tensor;
#[cfg(test)]
mod tests;
mod trouble;
mod value;

use prost::Message;

use crate::{CauseKind, Network, Options, Refusal};

/// Reads an ONNX file.
///
/// # Errors
/// The file is damaged, holds what is not supported, or does not fit the options.
pub(crate) fn import(bytes: &[u8], options: &Options) -> Result<Network, Refusal> {
    let damaged = |reason: String| Refusal::file(CauseKind::Invalid, format!("not an ONNX file: {reason}"));
    let model = proto::Model::decode(bytes).map_err(|error| damaged(error.to_string()))?;
    let Some(graph) = &model.graph else { return Err(damaged("it has no graph".into())) };
    graph::import(&model, graph, options)
}
