//! `strum-opt`: `mlir-opt` with the dialects `strum` and `dpu` and this project's passes.

fn main() -> std::process::ExitCode {
    strum_opt::strum_opt()
}
