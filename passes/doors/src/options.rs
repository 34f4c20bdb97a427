//! What a file leaves open, and what of it is wanted. Invariant: an option that does not apply to a file is refused, not ignored.

/// The extents of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputShape {
    /// The input's name; may be left out if the network has one input.
    pub input: Option<String>,
    /// Its extents, in the order of the file.
    pub shape: Vec<usize>,
}

/// Options of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The extent of unknown first dimensions of inputs; 1 if not given.
    pub batch: Option<usize>,
    /// Extents of inputs with other unknown dimensions.
    pub input_shapes: Vec<InputShape>,
    /// Tensors at which the network ends, in place of its outputs: whatever is computed from them is left to the host.
    pub cut: Vec<String>,
    /// The signature or subgraph of a TFLite file with several; the first if not given.
    pub subgraph: Option<String>,
    /// The folder of an ONNX file's external data.
    pub folder: Option<std::path::PathBuf>,
}
