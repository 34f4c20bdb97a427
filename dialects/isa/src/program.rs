//! A program: instructions, constants, and the descriptors needed to run and understand it.

use crate::machine::Machine;
use crate::meaning::Meaning;
use crate::table::Instr;
use crate::types::Dtype;
use crate::weights::WeightFormat;

/// A DPU program with its constants, descriptors and provenance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The machine it was compiled for.
    pub machine: Machine,
    /// The instruction stream.
    pub instrs: Vec<Instr>,
    /// Origin of every instruction; as long as `instrs`.
    pub meta: Vec<InstrMeta>,
    /// Source locations, as text.
    pub locs: Vec<String>,
    /// Layers of the network.
    pub layers: Vec<Layer>,
    /// Initial DRAM contents from address 0; the rest of the DRAM is undefined.
    pub consts: Vec<u8>,
    /// DRAM that the program uses, in bytes, constants included.
    pub dram_bytes: u64,
    /// Tensors to be written to DRAM before the start.
    pub inputs: Vec<IoDesc>,
    /// Tensors to be read from DRAM after the end.
    pub outputs: Vec<IoDesc>,
    /// Provenance.
    pub manifest: Manifest,
}

impl Program {
    /// Whether weights of a layer are in blocks without masks, which files of earlier versions do not have.
    pub(crate) fn omits_masks(&self) -> bool {
        self.instrs.iter().any(|instr| match instr {
            Instr::ConvInv(inv) => inv.method.is_packed() && WeightFormat::of(inv).mask_bits() == 0,
            _ => false,
        })
    }
}

/// Where an instruction comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstrMeta {
    /// Index into the program's layers, or [`InstrMeta::NONE`].
    pub layer: u32,
    /// Index into the program's locations, or [`InstrMeta::NONE`].
    pub loc: u32,
}

impl InstrMeta {
    /// The index that stands for "not known".
    pub const NONE: u32 = u32::MAX;
}

impl Default for InstrMeta {
    fn default() -> Self {
        InstrMeta { layer: InstrMeta::NONE, loc: InstrMeta::NONE }
    }
}

/// A layer of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Name for reports.
    pub name: String,
    /// Name of the operation it was lowered from.
    pub op: String,
    /// Index into the program's locations, or [`InstrMeta::NONE`].
    pub loc: u32,
    /// Multiply-accumulates of the layer as a network operator, padding taps included.
    pub macs: u64,
}

/// An input or output tensor: contiguous, row-major, in DRAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoDesc {
    /// Name, unique among the inputs or the outputs.
    pub name: String,
    /// Element type.
    pub dtype: Dtype,
    /// Extents, outermost first; empty for a scalar.
    pub shape: Vec<u64>,
    /// DRAM address in bytes.
    pub addr: u64,
    /// What its elements mean to the host.
    pub meaning: Meaning,
}

impl IoDesc {
    /// Whether `value` can be one of its elements.
    #[must_use]
    pub fn contains(&self, value: i32) -> bool {
        self.dtype.contains(value) && (!self.meaning.boolean || matches!(value, 0 | 1))
    }

    /// Size of the tensor in bytes; `None` if it does not fit 64 bits.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.shape.iter().try_fold(self.dtype.bytes(), |n, &d| n.checked_mul(d))
    }
}

/// Provenance of a program.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Manifest {
    /// The tool that made it, with its version.
    pub tool: String,
    /// The pipeline that made it, with its options.
    pub pipeline: String,
    /// SHA-256 of the input, 64 lower-case hex digits; empty if there was none.
    pub input_sha256: String,
}
