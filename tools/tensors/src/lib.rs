//! Tensors in `.npy` and `.npz` files, images as inputs, and the command line arguments that name them. All tools open tensor files through
//! this crate.
//!
//! An argument is `[NAME=]PATH`, or `[NAME=]FILE.npz:KEY` for one array of an archive. Arguments with a name are
//! assigned to the tensor of that name, the others to the remaining tensors, in order. An input may be an image, or a
//! folder of them. Output files appear whole or not at all.
//!
//! Invariant: the claims of a header or an archive are checked against the memory limit before anything is allocated.

mod archive;
mod arguments;
mod element;
mod floats;
mod form;
mod images;
mod inputs;
mod member;
mod npy;
mod outputs;
mod reals;
mod samples;
mod tensor;
#[cfg(test)]
mod testing;

pub use arguments::{input_files, output_files};
pub use floats::{Floats, read_floats};
pub use form::{Numbers, Reals};
pub use images::{ImageOptions, Images, Sources};
pub use inputs::{initial, read_inputs};
pub use outputs::{OutputPlan, SampleOutputs, batch_shape};
pub use reals::read_reals;
pub use samples::{Inputs, Samples};
pub use tensor::{RealPort, Tensor, TensorView, describe, tensor_bytes};
