//! Time per sample of a batch on one thread, and on several that share it.
//!
//! `cargo run --release -p dpu-sim --example sample_threads PROGRAM.dpu [THREADS]`
#![allow(clippy::print_stdout, reason = "this is what it is for")]

use std::error::Error;
use std::time::{Duration, Instant};

use dpu_isa::Program;
use dpu_sim::{Options, Recording, Tensor};

/// Number of runs; the fastest counts.
const RUNS: usize = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [path, rest @ ..] = &args[..] else {
        return Err("usage: sample_threads PROGRAM.dpu [THREADS]".into());
    };
    let most = rest.first().map_or(Ok(2), |n| n.parse::<usize>())?;
    let program = Program::from_elf(&std::fs::read(path)?)?;
    let inputs = program.inputs.iter().map(|desc| {
        let count = i32::try_from(desc.shape.iter().product::<u64>())?;
        let values: Vec<i32> = (0..count).map(|i| i.wrapping_mul(31) % 100).collect();
        Ok(Tensor::from_values(desc.dtype, &desc.shape, &values))
    });
    let inputs = inputs.collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    let views: Vec<_> = inputs.iter().map(Tensor::view).collect();
    let (recording, first) = Recording::new(&program, &views, &Options::default(), &mut [])?;
    for threads in 1..=most {
        let mut replayer = recording.replayer_on(threads)?;
        let mut best = Duration::MAX;
        for _ in 0..RUNS {
            let begin = Instant::now();
            let outputs = replayer.run(&views)?;
            best = best.min(begin.elapsed());
            if outputs != first.outputs {
                return Err("the outputs differ".into());
            }
        }
        println!("{threads} threads: {:.2} ms", best.as_secs_f64() * 1e3);
    }
    Ok(())
}
