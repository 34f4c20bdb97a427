//! strum-opt.
fn main() {}
