//! Calibration data of the pass: one `.npy` file, for the only input of a network.
//!
//! Invariant: memory is asked for before it is used, whatever a header claims.

use std::io::BufReader;
use std::path::Path;

use strum_files::budget;
use strum_float::quantize::{check_shape, samples};
use strum_float::{Graph, Tensor};
use strum_ir::{Operation, Reported};

use crate::common::verdict::MEMORY;

/// The samples of a file.
pub(super) fn read(op: Operation<'_>, graph: &Graph, path: &str) -> Result<Vec<Vec<Tensor>>, Reported> {
    let fail = |reason: String| op.error(format!("calibration data '{path}': {reason}"));
    let &[input] = graph.inputs() else {
        let count = graph.inputs().len();
        return Err(fail(format!(
            "the network has {count} inputs, this pass supports one: use strumc quantize"
        )));
    };
    let (file, about) = strum_files::open(Path::new(path)).map_err(|e| fail(e.reason()))?;
    let bytes = about.len();
    let array =
        npyz::NpyFile::new(BufReader::new(file)).map_err(|e| fail(format!("not an .npy file: {e}")))?;
    if array.order() != npyz::Order::C {
        return Err(fail("the array is not in row-major order".into()));
    }
    let shape = array.shape().to_vec();
    check_shape(graph.shape(input), &shape).map_err(&fail)?;
    // A header may claim any size.
    if array.len().checked_mul(4).is_none_or(|needed| needed > bytes) {
        return Err(fail(format!("file of {bytes} bytes is too short for an array of shape {shape:?}")));
    }
    // The file's values, as numbers, and once more as samples.
    budget::check("calibration data", bytes.saturating_mul(2))
        .map_err(|over| op.error(format_args!("{MEMORY}calibration data '{path}': {over}")))?;
    let values: Vec<f32> = array.into_vec().map_err(|e| fail(e.to_string()))?;
    let samples = samples(graph.shape(input), &shape, &values).map_err(&fail)?;
    Ok(samples.into_iter().map(|tensor| vec![tensor]).collect())
}
