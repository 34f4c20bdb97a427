//! Calibration samples. Invariant: a sample holds a finite tensor for every input of the network, in order.

use ndarray::IxDyn;

use crate::{Graph, Tensor};

/// The warning about a network that is quantized without calibration data.
pub const RANDOM_WARNING: &str = "\
no calibration data: activation ranges are estimated from 8 random inputs (normal, mean 0, standard deviation 1); \
cycles and sizes are valid, accuracy is not";

/// The number of random samples.
const RANDOM: usize = 8;

/// Splits an array into samples of an input, along axis 0. Axes of extent 1 are ignored in the comparison of shapes.
///
/// # Errors
/// The array contains no samples of this shape, or a value that is not finite.
pub fn samples(input: &[usize], shape: &[u64], values: &[f32]) -> Result<Vec<Tensor>, String> {
    let count = check_shape(input, shape)?;
    if let Some(x) = values.iter().find(|x| !x.is_finite()) {
        return Err(format!("contains the value {x}; all values must be finite"));
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
/// There is none.
fn check_shape(input: &[usize], shape: &[u64]) -> Result<usize, String> {
    match sample_count(shape, input) {
        Some(0) => Err("contains no samples".into()),
        Some(count) => Ok(count),
        None => Err(format!(
            "array of shape {shape:?} does not match the input shape {input:?} with samples along axis 0"
        )),
    }
}

/// How many samples of a shape an array holds: `[N, …]` for `[…]`.
fn sample_count(array: &[u64], sample: &[usize]) -> Option<usize> {
    let (count, rest) = array.split_first()?;
    let wanted = sample.iter().map(|&d| d as u64).filter(|&d| d != 1);
    rest.iter().copied().filter(|&d| d != 1).eq(wanted).then(|| usize::try_from(*count).ok())?
}

/// Samples of normally distributed values, from a fixed seed.
#[must_use]
pub(crate) fn random(graph: &Graph) -> Vec<Vec<Tensor>> {
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
    fn arrays_that_hold_no_samples_are_refused() {
        let refused = |shape: &[u64], values: &[f32]| samples(&[1, 2], shape, values).unwrap_err();
        assert_eq!(
            refused(&[2, 3], &[0.0; 6]),
            "array of shape [2, 3] does not match the input shape [1, 2] with samples along axis 0"
        );
        assert_eq!(refused(&[0, 2], &[]), "contains no samples");
        assert_eq!(refused(&[1, 2], &[0.0, f32::NAN]), "contains the value NaN; all values must be finite");
        assert_eq!(samples(&[1, 2], &[2, 2], &[1.0, 2.0, 3.0, 4.0]).unwrap().len(), 2);
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
