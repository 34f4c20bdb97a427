//! Safe typed view of the strum and dpu dialects.
