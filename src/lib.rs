//! The drivers of strum-opt.
