//! Objectives on the shipped networks: a plan is the best at its own objective, and computes the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod common;

use std::path::Path;

use common::{compile, context};
use dpu_sim::{Options, Report, Tensor, TensorView, simulate};

const OBJECTIVES: [&str; 4] = ["latency", "energy", "edp", "bytes"];

/// Tolerance: a plan may be this much worse at its own objective than one made for another: layers are planned one by one, by estimates.
const TOLERANCE: f64 = 0.03;

fn metric(objective: &str, report: &Report) -> f64 {
    let bytes = report.total.bytes;
    let (cycles, energy) = (report.cycles as f64, report.total.energy_fj.total as f64);
    match objective {
        "latency" => cycles,
        "energy" => energy,
        "edp" => cycles * energy,
        _ => (bytes.dram_read + bytes.dram_write) as f64,
    }
}

#[test]
fn shipped_networks_are_best_at_the_objective_they_are_planned_for() {
    let context = context();
    for (name, machine) in
        [("mnist_lenet", "flexnn-16x16"), ("mnist_lenet", "flexnn-4x4"), ("resnet20", "flexnn-16x16")]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name).join("model.tosa.mlirbc");
        let network = std::fs::read(path).unwrap();
        let runs = OBJECTIVES.map(|objective| {
            let pipeline = format!("strum-pipeline{{machine={machine} objective={objective}}}");
            let program = compile(&context, &network, &pipeline).unwrap();
            let input = &program.inputs[0];
            let size: u64 = input.shape.iter().product();
            let values: Vec<i32> = (0..size).map(|i| (i * 31 % 251) as i32 - 125).collect();
            let input = Tensor::from_values(input.dtype, &input.shape, &values);
            let views: [TensorView<'_>; 1] = [input.view()];
            simulate(&program, &views, &Options::default()).unwrap()
        });
        for (own, run) in OBJECTIVES.iter().zip(&runs) {
            assert_eq!(run.outputs, runs[0].outputs, "{name}, {own}");
            for (other, rival) in OBJECTIVES.iter().zip(&runs) {
                let (mine, theirs) = (metric(own, &run.report), metric(own, &rival.report));
                assert!(
                    mine <= theirs * (1.0 + TOLERANCE),
                    "{name} on {machine}, {own}: {mine} for itself, {theirs} for {other}"
                );
            }
        }
    }
}
