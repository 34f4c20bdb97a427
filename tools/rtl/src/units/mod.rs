//! The units of a PE, generated: each function returns a module with everything below it.

mod adder;
mod column;
mod datapath;
mod decode;
mod in_place;
mod lane;
mod pe;
mod product;
mod register_file;
mod route;
mod skip;
mod tree;
mod zero_point;

pub use column::{column, depth_bits};
pub use datapath::datapath;
pub use lane::lane;
pub use pe::{core_alone, fl_bits, pe};

use std::rc::Rc;

use crate::netlist::Module;
use crate::spec::{Level, Spec};

/// The adder of two PEs' accumulators in FlexTree.
#[must_use]
pub fn tree_adder() -> Rc<Module> {
    adder::adder(datapath::ACCUMULATOR, false)
}

/// The top module of a design.
#[must_use]
pub fn top(spec: &Spec) -> Rc<Module> {
    match spec.level {
        Level::Lane => lane(spec),
        Level::Datapath => datapath(spec),
        Level::PeCore if spec.sparsity => skip::core(spec),
        Level::Pe if spec.sparsity => skip::pe(spec),
        Level::PeCore => core_alone(spec),
        Level::Pe => pe(spec),
        Level::Column => column(spec),
    }
}

pub(crate) use datapath::{ACCUMULATOR, SHIFT_BITS, low_bits};
pub(crate) use decode::{Ranks, index_bits};
