//! The units of a PE, generated: each function returns a module with everything below it.

mod adder;
mod datapath;
mod decode;
mod lane;
mod pe;
mod product;
mod register_file;
mod route;
mod tree;

pub use datapath::datapath;
pub use lane::lane;
pub use pe::{core_alone, fl_bits, pe};

pub(crate) use decode::{Ranks, index_bits};
