//! Simulates 3x3 convolutions, 56x56x64 to 64 channels, and prints multiply-accumulates per second of host
//! time.
//!
//! `cargo run --release -p dpu-sim --example throughput`

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use common::{Conv, program};
use dpu_isa::{Dtype, Instr, Method, Program};
use dpu_sim::{Options, SimError, TensorView, simulate};

/// The best of this many runs is printed.
const RUNS: usize = 20;

fn main() -> Result<(), SimError> {
    println!("{:<10} {:>10} {:>8} {:>10} {:>10}", "weights", "hazards", "GMAC/s", "ms a run", "cycles");
    let conv = |method| Conv { size: 56, in_c: 64, out_c: 64, method, tiles: 4 };
    let [dense, mip2q] = [conv(Method::Dense), conv(Method::Mip2q)];
    let cases =
        [("dense", program(&dense)), ("mip2q", program(&mip2q)), ("depthwise", depthwise(program(&dense)))];
    for (name, program) in &cases {
        for checks in [true, false] {
            measure(name, program, &dense.input(), checks)?;
        }
    }
    Ok(())
}

/// The same tiles with one weight set for all channels.
fn depthwise(mut program: Program) -> Program {
    for instr in &mut program.instrs {
        if let Instr::ConvInv(x) = instr {
            x.depthwise = true;
        }
    }
    let table = program.consts.len() - 64 * 16;
    for entry in program.consts.iter_mut().skip(table).collect::<Vec<_>>().chunks_mut(16) {
        entry.iter_mut().take(4).for_each(|byte| **byte = 0);
    }
    program
}

fn measure(name: &str, program: &Program, data: &[u8], checks: bool) -> Result<(), SimError> {
    let options = Options { checks, ..Options::default() };
    let (mut best, mut cycles, mut macs) = (f64::INFINITY, 0, 0);
    for _ in 0..RUNS {
        let start = Instant::now();
        let input = TensorView { dtype: Dtype::I8, shape: &[1, 56, 56, 64], data };
        let report = simulate(program, &[input], &options)?.report;
        best = best.min(start.elapsed().as_secs_f64());
        (cycles, macs) = (report.cycles, report.total.macs());
    }
    let rate = macs as f64 / best / 1e9;
    let checks = if checks { "checked" } else { "unchecked" };
    println!("{name:<10} {checks:>10} {rate:>8.2} {:>10.2} {cycles:>10}", best * 1e3);
    Ok(())
}
