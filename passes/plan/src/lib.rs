//! The planner: tiling, allocation, dependences and barriers, without MLIR.
