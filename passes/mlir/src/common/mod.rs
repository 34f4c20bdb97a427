//! Code shared by passes: reading and writing networks, TOSA as data, the support matrix, machines, limits, verdicts,
//! segments of networks.

pub(crate) mod fingerprint;
pub mod limits;
pub mod machine;
pub mod meaning;
pub mod names;
pub mod network;
pub(crate) mod program;
pub(crate) mod rewrite;
pub mod segments;
pub mod statistics;
pub mod support;
pub mod tosa;
pub mod verdict;
pub(crate) mod weights;
