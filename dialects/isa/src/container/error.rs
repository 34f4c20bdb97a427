//! What can be wrong with a binary file, or with a program that is to become one.

use crate::codec::DecodeError;
use crate::field::FieldError;
use crate::machine::MachineError;
use crate::wire::WireError;

/// A file that is not a valid container of this version, or a program that does not fit the container format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ContainerError {
    #[error("bad magic {0:02x?}: not an ELF file")]
    BadMagic(Vec<u8>),
    #[error("truncated: {got} bytes, the header alone has {expected}")]
    Truncated { got: u64, expected: u64 },
    #[error("file of {got} bytes exceeds the limit of {max}")]
    TooLarge { got: u64, max: u64 },
    #[error("not a DPU program: {what} is {got:#x}, expected {expected:#x}")]
    Foreign { what: &'static str, got: u16, expected: u16 },
    #[error("wrong format version {got}, this tool reads {expected}")]
    Version { got: u8, expected: u8 },
    #[error(
        "format version {0} stores masks of blocks whose weights are all high or all low, and this tool reads them without: \
         compile the network again"
    )]
    OldMasks(u8),
    #[error("format version {0}, but all blocks of weights have masks")]
    NoneOmitted(u8),
    #[error("malformed ELF file: {0}")]
    Elf(String),
    #[error("{got} sections, expected {expected}")]
    SectionCount { got: usize, expected: usize },
    #[error("section {index} is '{found}', expected '{expected}'")]
    SectionName { index: usize, found: String, expected: &'static str },
    #[error("section '{section}' claims {size} bytes at {offset:#x}, the file has {file}")]
    SectionBounds { section: &'static str, offset: u64, size: u64, file: u64 },
    #[error("sections '{a}' and '{b}' overlap at {offset:#x}")]
    SectionOverlap { a: &'static str, b: &'static str, offset: u64 },
    #[error("section '.dpu.sums' has {got} bytes, expected {expected}")]
    SumCount { got: u64, expected: u64 },
    #[error("checksum mismatch in section '{section}' at {offset:#x}")]
    Checksum { section: &'static str, offset: u64 },
    #[error("headers or padding differ from the format at {offset:#x}")]
    Layout { offset: u64 },
    #[error("section '{section}' at byte {offset:#x}: {error}")]
    Contents { section: &'static str, offset: u64, error: WireError },
    #[error("section '.dpu.machine': {0}")]
    Machine(#[from] MachineError),
    #[error("section '.dpu.machine' is not in canonical form")]
    MachineForm,
    #[error("machine fingerprint in '.dpu.manifest' differs from that of '.dpu.machine'")]
    Fingerprint,
    #[error("section '.dpu.code' {0}")]
    Decode(#[from] DecodeError),
    #[error("instruction {index} ({mnemonic}): {error}")]
    Encode { index: usize, mnemonic: &'static str, error: FieldError },
    #[error("{got} origins for {expected} instructions")]
    MetaCount { got: usize, expected: usize },
    #[error("the program takes up to {needed} bytes of memory beside those of the file, {room} are left")]
    Room { needed: u64, room: u64 },
    #[error("{what} of {got} entries or bytes exceed 32 bits")]
    TooLong { what: &'static str, got: usize },
}
