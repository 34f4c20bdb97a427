//! Calibration samples of float networks from files. Invariant: every input has the same number of samples.

use strum_files::budget;
use strum_float::quantize;
use strum_float::{Graph, Tensor};
use strum_tensors::{Floats, Images, Sources, read_floats};

use super::exit::{Failure, out_of_memory};

/// Samples from files, one for each input of the network, in order.
pub(crate) fn read(
    graph: &Graph,
    Sources { args, images }: Sources<'_>,
) -> Result<Vec<Vec<Tensor>>, Failure> {
    let inputs = graph.inputs();
    if args.len() != inputs.len() {
        let message =
            format_args!("{} files of calibration data, the network has {} inputs", args.len(), inputs.len());
        return Err(Failure::usage(message));
    }
    let mut samples: Vec<Vec<Tensor>> = Vec::new();
    for (index, (arg, &id)) in args.iter().zip(inputs).enumerate() {
        let data = match Images::find(arg, images)? {
            Some(images) => of_images(&images, graph, index)?,
            None => read_floats(arg)?,
        };
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

/// Images as an array of the samples of an input.
fn of_images(images: &Images, graph: &Graph, index: usize) -> Result<Floats, Failure> {
    let shape = graph.inputs().get(index).map(|&id| graph.shape(id)).unwrap_or_default();
    let shape: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
    let (count, values) = images.all_reals(&format!("#{index}"), &shape)?;
    let shape = std::iter::once(count as u64).chain(shape).collect();
    Ok(Floats { shape, values, integer: false, bytes: false })
}

/// The inputs of a graph, as named in messages.
fn describe_input(graph: &Graph, index: usize) -> String {
    let shape = graph.inputs().get(index).map(|&id| graph.shape(id)).unwrap_or_default();
    format!("input #{index} (f32{shape:?})")
}
