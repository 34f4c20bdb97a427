//! Calibration samples of float networks from files.

use strum_files::budget;
use strum_float::quantize;
use strum_float::{Graph, Tensor};
use strum_tensors::read_floats;

use super::exit::{Failure, out_of_memory};

/// Samples from files, one for each input of the network, in order.
pub(crate) fn read(graph: &Graph, args: &[String]) -> Result<Vec<Vec<Tensor>>, Failure> {
    let inputs = graph.inputs();
    if args.len() != inputs.len() {
        let message =
            format_args!("{} files of calibration data, the network has {} inputs", args.len(), inputs.len());
        return Err(Failure::usage(message));
    }
    let mut samples: Vec<Vec<Tensor>> = Vec::new();
    for (index, (arg, &id)) in args.iter().zip(inputs).enumerate() {
        let data = read_floats(arg)?;
        let fail = |reason: String| {
            Failure::input(format!("{}: {reason}", describe_input(graph, index))).in_file(arg)
        };
        // Samples are copies.
        budget::check("calibration data as samples", data.values.len() as u64 * 4)
            .map_err(|over| out_of_memory(&over).in_file(arg))?;
        let tensors = quantize::samples(graph.shape(id), &data.shape, &data.values).map_err(fail)?;
        if index > 0 && samples.len() != tensors.len() {
            return Err(fail(format!("{} samples, the first input has {}", tensors.len(), samples.len())));
        }
        samples.resize_with(tensors.len(), Vec::new);
        samples.iter_mut().zip(tensors).for_each(|(sample, tensor)| sample.push(tensor));
    }
    Ok(samples)
}

/// The inputs of a graph, as named in messages.
fn describe_input(graph: &Graph, index: usize) -> String {
    let shape = graph.inputs().get(index).map(|&id| graph.shape(id)).unwrap_or_default();
    format!("input #{index} (f32{shape:?})")
}
