//! `strum-rtl`: RTL of StruM's PEs, and what it costs in gates.

fn main() {}
