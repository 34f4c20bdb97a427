//! Samples for calibration. Invariant: a sample holds a finite tensor for every input of the network, in order.

use ndarray::IxDyn;
use strum_float::{Graph, Tensor};

/// What random samples mean.
pub const WARNING: &str = "\
no calibration data: ranges come from 8 random inputs (normal, mean 0, deviation 1). The network computes, and its
cycles and sizes are right, but its accuracy is not that of a calibrated one";

/// Random samples.
const RANDOM: usize = 8;

/// The samples of an input along the first axis of an array. Axes of extent 1 change no order, and may be missing or more.
///
/// # Errors
/// When the array holds no samples of this shape, or a value that is not finite.
pub fn samples(input: &[usize], shape: &[u64], values: &[f32]) -> Result<Vec<Tensor>, String> {
    let count = check_shape(input, shape)?;
    if let Some(x) = values.iter().find(|x| !x.is_finite()) {
        return Err(format!("a value is {x}"));
    }
    let size: usize = input.iter().product();
    let tensors = values
        .chunks(size.max(1))
        .take(count)
        .map(|values| Tensor::from_shape_vec(IxDyn(input), values.to_vec()).map_err(|e| e.to_string()));
    tensors.collect()
}

/// The number of samples of an input in an array of this shape.
///
/// # Errors
/// When there is none.
pub fn check_shape(input: &[usize], shape: &[u64]) -> Result<usize, String> {
    match sample_count(shape, input) {
        Some(0) => Err("there is no sample".into()),
        Some(count) => Ok(count),
        None => Err(format!("an array of shape {shape:?} holds no samples of it along a first axis")),
    }
}

/// How many samples of a shape an array holds: `[N, …]` for `[…]`.
fn sample_count(array: &[u64], sample: &[usize]) -> Option<usize> {
    let (count, rest) = array.split_first()?;
    let wanted = sample.iter().map(|&d| d as u64).filter(|&d| d != 1);
    rest.iter().copied().filter(|&d| d != 1).eq(wanted).then(|| usize::try_from(*count).ok())?
}

/// Normal numbers of a fixed seed.
#[must_use]
pub fn random(graph: &Graph) -> Vec<Vec<Tensor>> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        #[allow(clippy::cast_precision_loss, reason = "of 53 bits")]
        let number = (state >> 11) as f64 / (1u64 << 53) as f64;
        number
    };
    // The sum of twelve uniform numbers has a deviation of 1.
    #[allow(clippy::cast_possible_truncation, reason = "single precision is enough")]
    let mut normal = || ((0..12).map(|_| uniform()).sum::<f64>() - 6.0) as f32;
    (0..RANDOM)
        .map(|_| {
            let shapes = graph.inputs().iter().map(|&id| graph.shape(id).to_vec());
            shapes.map(|shape| Tensor::from_shape_simple_fn(shape, &mut normal)).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_counted_along_the_first_axis() {
        assert_eq!(sample_count(&[5, 1, 3, 3], &[1, 3, 3]), Some(5));
        assert_eq!(sample_count(&[5, 3, 3], &[1, 3, 3]), Some(5));
        assert_eq!(sample_count(&[0, 3, 3], &[1, 3, 3]), Some(0));
        assert_eq!(sample_count(&[5, 3, 3], &[1, 1, 3, 3]), Some(5));
        assert_eq!(sample_count(&[5, 3, 4], &[1, 3, 3]), None);
        assert_eq!(sample_count(&[], &[1, 3, 3]), None);
        assert_eq!(sample_count(&[1, 3, 3], &[1, 3, 3]), Some(1));
    }

    #[test]
    fn random_samples_are_normal_and_the_same_every_time() {
        let mut graph = Graph::new();
        let x = graph.input(&[1, 1000]).unwrap();
        graph.output(x).unwrap();
        let samples = random(&graph);
        assert_eq!(samples, random(&graph));
        let all: Vec<f64> = samples.iter().flatten().flatten().map(|&x| f64::from(x)).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let deviation = (all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all.len() as f64).sqrt();
        assert!(mean.abs() < 0.05 && (deviation - 1.0).abs() < 0.05, "{mean} {deviation}");
    }
}
