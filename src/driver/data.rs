//! Samples, labels, and the meaning of a network's codes.

use dpu_isa::IoDesc;
use dpu_sim::Tensor;
use strum_files::budget;
use strum_float::Graph;
use strum_float::quantize::{QParams, evaluate_all};
use strum_tensors::{Floats, read_floats};

use crate::driver::codes::Codes;
use crate::driver::exit::{Failure, out_of_memory};

/// The samples.
pub(crate) struct Data {
    arrays: Vec<Floats>,
    /// The number of samples.
    pub(crate) count: usize,
    /// The correct class of each, if known.
    pub(crate) labels: Option<Vec<usize>>,
    /// The evaluated output.
    pub(crate) output: usize,
}

impl Data {
    /// Reads samples and labels.
    pub(crate) fn read(
        inputs: &[String],
        labels: Option<&str>,
        limit: Option<u64>,
        output: usize,
    ) -> Result<Self, Failure> {
        let mut arrays = Vec::new();
        let mut count: Option<u64> = None;
        for arg in inputs {
            let array = read_floats(arg)?;
            let fail = |reason: String| Failure::input(reason).in_file(arg);
            let &n = array.shape.first().ok_or_else(|| fail("a single number holds no samples".into()))?;
            if n == 0 || array.values.is_empty() {
                return Err(fail("there is no sample".into()));
            }
            if let Some(other) = count.replace(n).filter(|&other| other != n) {
                return Err(fail(format!("{n} samples, the first input has {other}")));
            }
            arrays.push(array);
        }
        let all = count.unwrap_or(0);
        let count = usize::try_from(limit.map_or(all, |limit| limit.min(all))).unwrap_or(usize::MAX);
        let labels = labels.map(|arg| read_labels(arg, all, count)).transpose()?;
        Ok(Data { arrays, count, labels, output })
    }

    /// The values of one sample of one input.
    fn sample(array: &Floats, index: usize) -> &[f32] {
        let n = array.shape.first().and_then(|&n| usize::try_from(n).ok()).unwrap_or(1).max(1);
        let size = array.values.len() / n;
        array.values.get(index * size..(index + 1) * size).unwrap_or_default()
    }

    /// The samples as a program's inputs.
    pub(crate) fn coded(&self, descs: &[IoDesc], codes: &Codes) -> Result<Vec<Vec<Tensor>>, Failure> {
        self.check(descs.len(), |i| descs.get(i).map(|d| d.shape.clone()).unwrap_or_default())?;
        let params: Vec<Option<QParams>> = self
            .arrays
            .iter()
            .enumerate()
            .map(|(index, array)| match (array.integer, codes.inputs.get(index)) {
                (true, _) => Ok(None),
                (false, Some(params)) => Ok(Some(*params)),
                (false, None) => Err(Failure::input(format_args!(
                    "input #{index} is given in real numbers, and the network does not say what its codes mean"
                ))
                .with_help("give codes, or a network that strumc quantize has made")),
            })
            .collect::<Result<_, _>>()?;
        let pairs = self.arrays.iter().zip(descs);
        let bytes = pairs.map(|(array, desc)| (array.values.len() as u64).saturating_mul(desc.dtype.bytes()));
        // A buffer that grows by doubling.
        let needed = bytes.fold(0, u64::saturating_add).saturating_mul(2);
        budget::check("samples as inputs of the program", needed).map_err(|over| out_of_memory(&over))?;
        let mut samples = Vec::with_capacity(self.count);
        for index in 0..self.count {
            let mut inputs = Vec::with_capacity(descs.len());
            for ((array, desc), params) in self.arrays.iter().zip(descs).zip(&params) {
                let mut values = Vec::with_capacity(array.values.len() / self.count.max(1));
                for &x in Data::sample(array, index) {
                    #[allow(clippy::cast_possible_truncation, reason = "checked against the type behind")]
                    let code = params.map_or(x as i32, |params| params.code(x.into()));
                    if !desc.dtype.contains(code) || params.is_none() && f64::from(code) != f64::from(x) {
                        let name = &desc.name;
                        return Err(Failure::input(format_args!(
                            "input '{name}', sample {index}: {x} is not a code"
                        )));
                    }
                    values.push(code);
                }
                inputs.push(Tensor::from_values(desc.dtype, &desc.shape, &values));
            }
            samples.push(inputs);
        }
        Ok(samples)
    }

    /// The evaluated output of a float network, for every sample.
    pub(crate) fn evaluated(&self, graph: &Graph) -> Result<Vec<Vec<f64>>, Failure> {
        let shapes: Vec<&[usize]> = graph.inputs().iter().map(|&id| graph.shape(id)).collect();
        if self.arrays.iter().any(|array| array.integer) {
            return Err(Failure::input("a float network takes real numbers, and the inputs are codes"));
        }
        self.check(shapes.len(), |i| {
            shapes.get(i).map(|shape| shape.iter().map(|&d| d as u64).collect()).unwrap_or_default()
        })?;
        let sample = |index: usize| {
            let tensors = self.arrays.iter().zip(&shapes);
            tensors.map(|(array, shape)| (shape.to_vec(), Data::sample(array, index).to_vec())).collect()
        };
        let outputs = graph.outputs();
        let got = outputs.len();
        if self.output >= got {
            let number = self.output;
            return Err(Failure::input(format_args!("there is no output #{number} but {got} in all")));
        }
        let outputs = evaluate_all(graph, self.output, self.count, &sample).map_err(Failure::input)?;
        Ok(outputs.into_iter().map(|values| values.into_iter().map(f64::from).collect()).collect())
    }

    /// Checks that there is one array per input, with samples of its shape.
    fn check(&self, inputs: usize, shape: impl Fn(usize) -> Vec<u64>) -> Result<(), Failure> {
        if inputs != self.arrays.len() {
            let got = self.arrays.len();
            return Err(Failure::usage(format_args!(
                "{got} arrays of samples, the network has {inputs} inputs"
            )));
        }
        for (index, array) in self.arrays.iter().enumerate() {
            let shape = shape(index);
            let squeezed = |shape: &[u64]| shape.iter().copied().filter(|&d| d != 1).collect::<Vec<_>>();
            let of_sample = array.shape.get(1..).unwrap_or_default();
            if squeezed(of_sample) != squeezed(&shape) {
                let got = &array.shape;
                return Err(Failure::input(format_args!(
                    "input #{index}: an array of shape {got:?} holds no samples of {shape:?} along a first axis"
                )));
            }
        }
        Ok(())
    }
}

fn read_labels(arg: &str, samples: u64, count: usize) -> Result<Vec<usize>, Failure> {
    let array = read_floats(arg)?;
    let fail = |reason: String| Failure::input(reason).in_file(arg);
    if array.values.len() as u64 != samples {
        return Err(fail(format!("{} labels for {samples} samples", array.values.len())));
    }
    let label = |&x: &f32| {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "compared with what it came from"
        )]
        let label = x as usize;
        #[allow(clippy::cast_precision_loss, reason = "labels are small")]
        let same = label as f32 == x;
        same.then_some(label).ok_or_else(|| fail(format!("{x} is not a label")))
    };
    array.values.iter().take(count).map(label).collect()
}
