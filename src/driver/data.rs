//! Samples, labels, and the meaning of a network's codes.

use dpu_isa::IoDesc;
use dpu_sim::Tensor;
use rayon::prelude::*;
use strum_files::budget;
use strum_float::Graph;
use strum_float::quantize::evaluate_all;
use strum_tensors::{Floats, Images, Sources, initial, read_floats};

use crate::driver::exit::{Failure, out_of_memory};

/// The samples of one input.
enum Samples {
    Array(Floats),
    Images(Images),
}

/// The samples.
pub(crate) struct Data {
    inputs: Vec<Samples>,
    /// The number of samples.
    pub(crate) count: usize,
    /// The correct class of each, if known.
    pub(crate) labels: Option<Vec<usize>>,
    /// The evaluated output.
    pub(crate) output: usize,
}

impl Data {
    /// Reads samples and labels. Without labels, those of class folders are taken.
    pub(crate) fn read(
        Sources { args, images }: Sources<'_>,
        labels: Option<&str>,
        limit: Option<u64>,
        output: usize,
    ) -> Result<Self, Failure> {
        let mut inputs = Vec::new();
        let mut count: Option<u64> = None;
        let mut classes: Option<Vec<usize>> = None;
        for arg in args {
            let fail = |reason: String| Failure::input(reason).in_file(arg);
            let (n, samples) = match Images::find(arg, images)? {
                Some(images) => {
                    classes = classes.or(images.labels().map(<[usize]>::to_vec));
                    (images.count() as u64, Samples::Images(images))
                }
                None => of_array(arg)?,
            };
            if let Some(other) = count.replace(n).filter(|&other| other != n) {
                return Err(fail(format!("{n} samples, the first input has {other}")));
            }
            inputs.push(samples);
        }
        let all = count.unwrap_or(0);
        let count = usize::try_from(limit.map_or(all, |limit| limit.min(all))).unwrap_or(usize::MAX);
        let labels = labels.map(|arg| read_labels(arg, all, count)).transpose()?;
        let classes = classes.map(|classes| classes.into_iter().take(count).collect());
        Ok(Data { inputs, count, labels: labels.or(classes), output })
    }

    /// The values of one sample of one input.
    fn sample(array: &Floats, index: usize) -> &[f32] {
        let n = array.shape.first().and_then(|&n| usize::try_from(n).ok()).unwrap_or(1).max(1);
        let size = array.values.len() / n;
        array.values.get(index * size..(index + 1) * size).unwrap_or_default()
    }

    /// The samples as a program's inputs; states have their first values.
    pub(crate) fn coded(&self, descs: &[IoDesc]) -> Result<Vec<Vec<Tensor>>, Failure> {
        let given: Vec<&IoDesc> = descs.iter().filter(|desc| desc.meaning.state.is_none()).collect();
        self.check(given.len(), |i| given.get(i).map(|d| d.shape.clone()).unwrap_or_default())?;
        if let Some(index) = self
            .arrays()
            .zip(&given)
            .position(|(a, d)| a.is_some_and(|a| !a.integer) && d.meaning.codes.is_none())
        {
            return Err(Failure::input(format_args!(
                "input #{index} is given in real numbers, and the network does not say what its codes mean"
            ))
            .with_help("give codes, or a network that strumc quantize has made"));
        }
        let elements =
            |desc: &IoDesc| desc.shape.iter().fold(desc.dtype.bytes(), |n, &d| n.saturating_mul(d));
        let sample = descs.iter().map(elements).fold(0, u64::saturating_add);
        // A buffer that grows by doubling.
        let needed = sample.saturating_mul(self.count as u64).saturating_mul(2);
        budget::check("samples as inputs of the program", needed).map_err(|over| out_of_memory(&over))?;
        let samples: Vec<_> =
            (0..self.count).into_par_iter().map(|index| self.coded_sample(descs, index)).collect();
        // The first error, whichever thread was first.
        samples.into_iter().collect()
    }

    fn coded_sample(&self, descs: &[IoDesc], index: usize) -> Result<Vec<Tensor>, Failure> {
        let mut given = self.inputs.iter();
        let mut inputs = Vec::with_capacity(descs.len());
        for desc in descs {
            let array = match if desc.meaning.state.is_none() { given.next() } else { None } {
                Some(Samples::Array(array)) => array,
                Some(Samples::Images(images)) => {
                    inputs.push(images.codes(desc, index)?);
                    continue;
                }
                None => {
                    inputs.push(initial(desc));
                    continue;
                }
            };
            let values = Data::sample(array, index).iter().map(|&x| {
                code(array, desc, x).ok_or_else(|| {
                    let name = &desc.name;
                    Failure::input(format_args!("input '{name}', sample {index}: {x} is not a code"))
                })
            });
            let values: Vec<i32> = values.collect::<Result<_, _>>()?;
            inputs.push(Tensor::from_values(desc.dtype, &desc.shape, &values));
        }
        Ok(inputs)
    }

    /// The evaluated output of a float network, for every sample.
    pub(crate) fn evaluated(&self, graph: &Graph) -> Result<Vec<Vec<f64>>, Failure> {
        let shapes: Vec<&[usize]> = graph.inputs().iter().map(|&id| graph.shape(id)).collect();
        if self.arrays().flatten().any(|array| array.integer) {
            return Err(Failure::input("a float network takes real numbers, and the inputs are codes"));
        }
        self.check(shapes.len(), |i| {
            shapes.get(i).map(|shape| shape.iter().map(|&d| d as u64).collect()).unwrap_or_default()
        })?;
        let images = self.images_as_reals(&shapes)?;
        let sample = |index: usize| {
            let tensors = self.inputs.iter().zip(&images).zip(&shapes);
            let values = |(samples, images): (&Samples, &Vec<Vec<f32>>)| match samples {
                Samples::Array(array) => Data::sample(array, index).to_vec(),
                Samples::Images(_) => images.get(index).cloned().unwrap_or_default(),
            };
            tensors.map(|(samples, shape)| (shape.to_vec(), values(samples))).collect()
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

    /// The arrays, of inputs that are given as such.
    fn arrays(&self) -> impl Iterator<Item = Option<&Floats>> {
        self.inputs.iter().map(|samples| match samples {
            Samples::Array(array) => Some(array),
            Samples::Images(_) => None,
        })
    }

    /// The samples of all inputs that are images, as real numbers; nothing for arrays.
    fn images_as_reals(&self, shapes: &[&[usize]]) -> Result<Vec<Vec<Vec<f32>>>, Failure> {
        let of = |(input, (samples, shape)): (usize, (&Samples, &&[usize]))| {
            let Samples::Images(images) = samples else { return Ok(Vec::new()) };
            let shape: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
            let elements = shape.iter().fold(self.count as u64, |n, &d| n.saturating_mul(d));
            budget::check("images as samples", elements.saturating_mul(8))
                .map_err(|over| out_of_memory(&over))?;
            let name = format!("#{input}");
            let values: Vec<_> =
                (0..self.count).into_par_iter().map(|index| images.reals(&name, &shape, index)).collect();
            values.into_iter().map(|values| values.map_err(Failure::from)).collect()
        };
        self.inputs.iter().zip(shapes).enumerate().map(of).collect()
    }

    /// Checks that there is one array per input, with samples of its shape.
    fn check(&self, inputs: usize, shape: impl Fn(usize) -> Vec<u64>) -> Result<(), Failure> {
        if inputs != self.inputs.len() {
            let got = self.inputs.len();
            return Err(Failure::usage(format_args!(
                "{got} arrays of samples, the network has {inputs} inputs"
            )));
        }
        for (index, samples) in self.inputs.iter().enumerate() {
            let shape = shape(index);
            let array = match samples {
                Samples::Array(array) => array,
                Samples::Images(images) => {
                    // An image is a sample.
                    if images.samples(&format!("#{index}"), &shape)? != images.count() {
                        return Err(Failure::input(format_args!(
                            "input #{index}: an image is a sample, and the network takes {shape:?}: give an array"
                        )));
                    }
                    continue;
                }
            };
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

/// The samples of an array, and their number.
fn of_array(arg: &str) -> Result<(u64, Samples), Failure> {
    let array = read_floats(arg)?;
    let fail = |reason: &str| Failure::input(reason).in_file(arg);
    let &n = array.shape.first().ok_or_else(|| fail("a single number holds no samples"))?;
    if n == 0 || array.values.is_empty() {
        return Err(fail("there is no sample"));
    }
    Ok((n, Samples::Array(array)))
}

/// The code of an element of an array, if it is one.
fn code(array: &Floats, desc: &IoDesc, x: f32) -> Option<i32> {
    if !array.integer {
        return desc.meaning.codes.filter(|_| !x.is_nan()).map(|codes| codes.code(x.into(), desc.dtype));
    }
    #[allow(clippy::cast_possible_truncation, reason = "integers, which single precision holds exactly")]
    let code = x as i32 - if desc.meaning.unsigned && array.bytes { 128 } else { 0 };
    desc.contains(code).then_some(code)
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
