//! ODS, C++ and linking of the strum and dpu dialects.
