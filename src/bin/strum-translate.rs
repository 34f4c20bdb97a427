//! `strum-translate`: between the dpu dialect, the DPU binary and its assembly, and the audit of a binary.

fn main() -> std::process::ExitCode {
    strum_opt::strum_translate()
}
