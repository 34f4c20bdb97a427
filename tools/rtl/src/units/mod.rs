//! The units of a PE, generated: each function returns a module with everything below it.

mod adder;
mod datapath;
mod lane;
mod product;
mod tree;

pub use datapath::datapath;
pub use lane::lane;
