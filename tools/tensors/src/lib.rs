//! Tensors in `.npy` and `.npz` files, and the command line arguments that name them. Every tool that opens a tensor file
//! does it here.
//!
//! An argument is `[NAME=]PATH`, or `[NAME=]FILE.npz:KEY` for one array of an archive. Arguments with a name go to the
//! tensor of that name, the others to those left, in order. Output files appear whole or not at all.
//!
//! Invariant: whatever a header or an archive claims, it is checked against the memory limit before anything is allocated.

mod archive;
mod arguments;
mod element;
mod floats;
mod inputs;
mod member;
mod npy;
mod outputs;
mod samples;
mod tensor;
#[cfg(test)]
mod testing;

pub use arguments::{input_files, output_files};
pub use floats::{Floats, read_floats};
pub use inputs::read_inputs;
pub use outputs::{OutputPlan, SampleOutputs};
pub use samples::Samples;
pub use tensor::{Tensor, TensorView, describe, tensor_bytes};
