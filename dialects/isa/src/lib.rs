//! The DPU's instruction set, assembler, binary container and machine description.
