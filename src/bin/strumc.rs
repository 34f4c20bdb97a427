//! `strumc`: from a network to a DPU program, or to its outputs, in one command.

fn main() -> std::process::ExitCode {
    strum_opt::strumc()
}
