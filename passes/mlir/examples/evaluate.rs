//! Evaluates a float network, and compares its outputs with those of a front end.
//!
//!     cargo run --release -p strum-passes --example evaluate -- NET.mlirbc INPUT.npy EXPECTED.npy
//!
//! Prints the largest difference from the expected outputs, relative to the largest of them, and fails if it exceeds 1e-4. The arrays are
//! samples along their first axis, f32, of the network's only input and output.

#![allow(clippy::print_stdout, reason = "the answer is for the terminal")]

use std::error::Error;
use std::process::ExitCode;

use ndarray::{Axis, IxDyn};
use strum_float::Tensor;
use strum_ir::{Context, Module};
use strum_passes::common::network::Network;
use strum_tensors::read_floats;

const TOLERANCE: f32 = 1e-4;

fn read(path: &str) -> Result<Tensor, Box<dyn Error>> {
    let array = read_floats(path)?;
    let shape = array.shape.iter().map(|&d| usize::try_from(d)).collect::<Result<Vec<_>, _>>()?;
    Ok(Tensor::from_shape_vec(IxDyn(&shape), array.values)?)
}

fn largest_difference(net: &str, input: &str, expected: &str) -> Result<f32, Box<dyn Error>> {
    let context = Context::new();
    let module = Module::parse(&context, &std::fs::read(net)?, net).map_err(|e| e.to_string())?;
    let function =
        module.body().operations().into_iter().find(|op| op.is("func.func") && op.body().is_some());
    let network = Network::read(function.ok_or("no function with a body")?).map_err(|_| "not read")?;
    let graph = &network.graph;
    let (Some(&x), Some(&y)) = (graph.inputs().first(), graph.outputs().first()) else {
        return Err("a network of one input and one output is expected".into());
    };
    let (inputs, expected) = (read(input)?, read(expected)?);
    let mut largest = 0.0f32;
    for (input, expected) in inputs.axis_iter(Axis(0)).zip(expected.axis_iter(Axis(0))) {
        let input = Tensor::from_shape_vec(graph.shape(x).to_vec(), input.iter().copied().collect())?;
        let expected = Tensor::from_shape_vec(graph.shape(y).to_vec(), expected.iter().copied().collect())?;
        let outputs = graph.eval(&[input])?;
        let scale = expected.iter().fold(f32::MIN_POSITIVE, |m, v| m.max(v.abs()));
        for (a, b) in outputs.first().ok_or("no output")?.iter().zip(&expected) {
            let difference = (a - b).abs() / scale;
            // A NaN difference must fail, too.
            largest = if difference.is_nan() { f32::INFINITY } else { largest.max(difference) };
        }
    }
    Ok(largest)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [net, input, expected] = arguments.as_slice() else {
        return Err("NET.mlirbc INPUT.npy EXPECTED.npy expected".into());
    };
    let difference = largest_difference(net, input, expected)?;
    println!("{difference:.2e}");
    Ok(if difference <= TOLERANCE { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
