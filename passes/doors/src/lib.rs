//! Networks in TFLite and ONNX files, read as TOSA without MLIR.
//!
//! [`import`] recognizes a file by its content and returns a [`Network`]: a [`tosa::Graph`] with names, the meaning of codes at
//! its inputs and outputs, and a record of what became of every operator. Invariant: whatever the bytes, the result is a network
//! whose graph has checked shapes or a [`Refusal`]; nothing panics, and memory is bounded by the file and the size of its tensors.

pub mod tosa;

mod error;
mod integer;
mod onnx;
mod options;
mod record;
mod sniff;
mod tflite;

pub use error::{Cause, CauseKind, Refusal};
pub use options::{InputShape, Options};
pub use record::{Fate, Operator, Record};
pub use sniff::sniff;

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// A FlatBuffer with the identifier `TFL3`.
    Tflite,
    /// A protocol buffer, `ModelProto` of ONNX.
    Onnx,
}

impl Door {
    /// Its name for messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Door::Tflite => "TFLite",
            Door::Onnx => "ONNX",
        }
    }
}

/// An imported network.
#[derive(Clone, Debug)]
pub struct Network {
    /// What it computes.
    pub graph: tosa::Graph,
    /// What became of the operators of the file.
    pub record: Record,
    /// Decisions that the user should know of, such as "batch of unknown size taken as 1"; a sentence each, without a full stop.
    pub notes: Vec<String>,
}

/// Reads a network from the bytes of a TFLite or ONNX file.
///
/// # Errors
/// The file is damaged, holds what is not supported, or does not fit the options.
pub fn import(bytes: &[u8], options: &Options) -> Result<Network, Refusal> {
    match sniff(bytes) {
        Some(Door::Tflite) => tflite::import(bytes, options),
        Some(Door::Onnx) => onnx::import(bytes, options),
        None => Err(Refusal::file(CauseKind::Invalid, "neither a TFLite nor an ONNX file")),
    }
}
