//! Simulates a 3x3 convolution, 56x56x64 to 64 channels, and prints multiply-accumulates a second of host time.
//!
//! `cargo run --release -p dpu-sim --example throughput`

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use common::{Conv, program};
use dpu_isa::{Dtype, Method};
use dpu_sim::{Options, SimError, TensorView, simulate};

/// The best of this many runs is printed.
const RUNS: usize = 5;

fn main() -> Result<(), SimError> {
    println!("{:<8} {:>10} {:>12} {:>14} {:>10}", "weights", "hazards", "GMAC/s", "ms a run", "cycles");
    for (name, method) in [("dense", Method::Dense), ("mip2q", Method::Mip2q)] {
        let conv = Conv { size: 56, in_c: 64, out_c: 64, method, tiles: 4 };
        let program = program(&conv);
        let data = conv.input();
        for checks in [true, false] {
            let options = Options { checks, ..Options::default() };
            let (mut best, mut cycles) = (f64::INFINITY, 0);
            for _ in 0..RUNS {
                let start = Instant::now();
                let input = TensorView { dtype: Dtype::I8, shape: &[1, 56, 56, 64], data: &data };
                cycles = simulate(&program, &[input], &options)?.report.cycles;
                best = best.min(start.elapsed().as_secs_f64());
            }
            let rate = conv.macs() as f64 / best / 1e9;
            let checks = if checks { "checked" } else { "unchecked" };
            println!("{name:<8} {checks:>10} {rate:>12.2} {:>14.2} {cycles:>10}", best * 1e3);
        }
    }
    Ok(())
}
