//! The ISA-level simulator of the DPU.
