//! A running batch allocates no memory except for its outputs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::path::Path;

use common::{compile, context};
use dpu_isa::Dtype;
use dpu_sim::{KernelChoice, Options, Recording, Tensor};

/// Allocations of a sample after the third, beside the output tensors: (calls, bytes).
fn of_a_sample(network: &str, options: &str) -> (u64, u64) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(network).join("model.tosa.mlirbc");
    let program = compile(&context(), &std::fs::read(path).unwrap(), options).unwrap();
    let samples: Vec<Vec<Tensor>> = (0..4)
        .map(|n: i32| {
            let of = |shape: &[u64]| {
                (0..shape.iter().product::<u64>() as i32)
                    .map(|i| (i * 31 + n * 7) % 200 - 100)
                    .collect::<Vec<_>>()
            };
            program.inputs.iter().map(|d| Tensor::from_values(Dtype::I8, &d.shape, &of(&d.shape))).collect()
        })
        .collect();
    let views = |n: usize| samples[n].iter().map(Tensor::view).collect::<Vec<_>>();
    let settings = Options { kernel: KernelChoice::Auto, ..Options::default() };
    let (recording, _) = Recording::new(&program, &views(0), &settings, &mut []).unwrap();
    let mut replayer = recording.replayer().unwrap();
    for n in 1..3 {
        replayer.run(&views(n)).unwrap();
    }
    let inputs = views(3);
    let mut outputs = Vec::new();
    let info = allocation_counter::measure(|| outputs = replayer.run(&inputs).unwrap());
    let given: u64 = outputs.iter().map(|t| t.data.len() as u64).sum();
    (info.count_total, info.bytes_total - given)
}

#[test]
fn samples_take_no_memory() {
    for method in ["dense", "mip2q"] {
        for network in ["mnist_lenet", "resnet20"] {
            let (calls, bytes) = of_a_sample(network, &format!("strum-pipeline{{method={method}}}"));
            println!("{network} {method}: {calls} allocations, {bytes} bytes beside the outputs");
            assert!(calls < 20 && bytes < 4096, "{network}, {method}: {calls} allocations, {bytes} bytes");
        }
    }
}
