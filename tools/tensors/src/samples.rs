//! Many samples in one file: an array with a leading axis of samples, read one at a time.
//!
//! Only a few samples of a file are held at once, whatever their number.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use dpu_isa::IoDesc;
use strum_files::{FileError, budget};

use crate::arguments::{ArrayPath, all_inputs};
use crate::element::Accept;
use crate::images::{ImageOptions, Images};
use crate::inputs::{initial, read_tensor};
use crate::member::{Found, Member};
use crate::npy::Layout;
use crate::tensor::Tensor;

/// The inputs of a run: of one sample, which are read, or of a batch, whose samples are read one at a time.
#[derive(Debug)]
pub enum Inputs {
    /// Each file holds exactly one input of the program.
    One(Vec<Tensor>),
    /// A file has a leading axis of samples.
    Batch(Samples),
}

/// The inputs of a batch.
#[derive(Debug)]
pub struct Samples {
    inputs: Vec<Source>,
    count: u64,
}

/// One input.
#[derive(Debug)]
enum Source {
    /// The same for every sample.
    Constant(Tensor),
    /// An array with a leading axis of samples.
    Array { place: ArrayPath, data: Data, layout: Layout, desc: Box<IoDesc> },
    /// Images, read sample by sample.
    Images(Images, Box<IoDesc>),
}

/// The source of an array.
#[derive(Debug)]
enum Data {
    /// In a file, its values from `start` on.
    File { file: File, start: u64 },
    /// In an archive, decompressed on the fly.
    Member(Member),
}

impl Inputs {
    /// Opens the files that `args` name. Of a pipe, one sample is read.
    ///
    /// A file of a batch has the input's shape after a leading axis, or in place of a leading 1.
    ///
    /// # Errors
    /// When a file is neither an input nor a batch of them, or batches differ in length.
    pub fn open(descs: &[IoDesc], args: &[String]) -> Result<Inputs, FileError> {
        Inputs::open_with(descs, args, &ImageOptions::default())
    }

    /// As [`Inputs::open`], with options for images.
    ///
    /// # Errors
    /// As [`Inputs::open`], and those of images.
    pub fn open_with(descs: &[IoDesc], args: &[String], options: &ImageOptions) -> Result<Inputs, FileError> {
        let mut count = Count::default();
        let mut inputs = Vec::new();
        for (desc, place) in descs.iter().zip(all_inputs(descs, args)?) {
            let Some(place) = place else {
                inputs.push(Source::Constant(initial(desc)));
                continue;
            };
            if let Some(images) = Images::at(&place, options)? {
                match images.samples(&desc.name, &desc.shape)? {
                    1 => inputs.push(Source::Constant(images.codes(desc, 0)?)),
                    several => {
                        count
                            .agree(several as u64, desc)
                            .map_err(|reason| FileError::content(&place.path, reason))?;
                        inputs.push(Source::Images(images, Box::new(desc.clone())));
                    }
                }
                continue;
            }
            let array = Array::open(desc, &place)?;
            let reason =
                |reason: String| FileError::content(&place.path, format!("input '{}': {reason}", desc.name));
            let batch_of =
                |layout: &Layout| batch(&layout.shape, &desc.shape).filter(|_| layout.shape != desc.shape);
            let found = array.and_then(|array| Some((batch_of(&array.layout)?, array)));
            let Some((n, Array { layout, start, size, data })) = found else {
                // The input itself, or the mismatch.
                inputs.push(Source::Constant(read_tensor(desc, &place)?));
                continue;
            };
            if n == 0 {
                return Err(reason("a batch of no samples".to_owned()));
            }
            if layout.column_major {
                return Err(reason("a batch in column-major order".to_owned()));
            }
            count.agree(n, desc).map_err(|reason| FileError::content(&place.path, reason))?;
            let bytes = layout.part_bytes(&desc.shape).and_then(|b| b.checked_mul(n));
            if bytes.and_then(|b| b.checked_add(start)) != Some(size) {
                let data = size.saturating_sub(start);
                return Err(reason(format!("{data} bytes of data do not make {n} samples")));
            }
            let sample = layout.part_bytes(&desc.shape).unwrap_or(u64::MAX);
            budget::check("a sample", sample.saturating_mul(2)).map_err(FileError::limit(&place.path))?;
            inputs.push(Source::Array { place, data, layout, desc: Box::new(desc.clone()) });
        }
        if let Some((count, _)) = count.0 {
            return Ok(Inputs::Batch(Samples { inputs, count }));
        }
        let constant = |input| match input {
            Source::Constant(tensor) => Some(tensor),
            Source::Array { .. } | Source::Images(..) => None,
        };
        Ok(Inputs::One(inputs.into_iter().filter_map(constant).collect()))
    }

    /// The batch, if it is one.
    #[must_use]
    pub fn batch(self) -> Option<Samples> {
        match self {
            Inputs::One(_) => None,
            Inputs::Batch(samples) => Some(samples),
        }
    }
}

/// The number of samples, and the input that gave it.
#[derive(Default)]
struct Count<'d>(Option<(u64, &'d str)>);

impl<'d> Count<'d> {
    fn agree(&mut self, n: u64, desc: &'d IoDesc) -> Result<(), String> {
        if let Some((other, name)) = self.0.filter(|&(other, _)| other != n) {
            return Err(format!("input '{}': {n} samples, and {other} of input '{name}'", desc.name));
        }
        self.0 = Some((n, &desc.name));
        Ok(())
    }
}

impl Samples {
    /// Number of samples, at least 1.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The inputs of one sample.
    ///
    /// # Errors
    /// When a file cannot be read, or holds a value that does not fit.
    pub fn read(&mut self, sample: u64) -> Result<Vec<Tensor>, FileError> {
        self.inputs.iter_mut().map(|input| input.read(sample)).collect()
    }
}

impl Source {
    fn read(&mut self, sample: u64) -> Result<Tensor, FileError> {
        let (place, data, layout, desc) = match self {
            Source::Constant(tensor) => return Ok(tensor.clone()),
            Source::Images(images, desc) => {
                return images.codes(desc, usize::try_from(sample).unwrap_or(usize::MAX));
            }
            Source::Array { place, data, layout, desc } => (place, data, layout, desc),
        };
        let path = &place.path;
        let bytes = layout.part_bytes(&desc.shape).unwrap_or(0);
        let mut values = vec![0; usize::try_from(bytes).unwrap_or(0)];
        match data {
            Data::File { file, start } => {
                file.seek(SeekFrom::Start(*start + sample * bytes)).map_err(FileError::io(path))?;
                file.read_exact(&mut values).map_err(FileError::io(path))?;
            }
            Data::Member(member) => member.read(sample, &mut values).map_err(FileError::io(path))?,
        }
        layout
            .values(&values, desc)
            .map_err(|why| FileError::content(path, format!("input '{}', sample {sample}: {why}", desc.name)))
    }
}

/// The number of samples in an array of `got`, each of shape `want`.
fn batch(got: &[u64], want: &[u64]) -> Option<u64> {
    match (got, want) {
        ([n, rest @ ..], want) if rest == want => Some(*n),
        ([n, rest @ ..], [1, one @ ..]) if rest == one => Some(*n),
        _ => None,
    }
}

/// An array as described by its file.
struct Array {
    layout: Layout,
    /// Bytes before the values.
    start: u64,
    /// Total bytes.
    size: u64,
    data: Data,
}

impl Array {
    /// Opens the array of an input; `None` if it is not a batch that can be read in parts.
    fn open(desc: &IoDesc, place: &ArrayPath) -> Result<Option<Array>, FileError> {
        let path = &place.path;
        if place.is_archive() {
            let found = Member::open(desc, place)?;
            return Ok(found.map(|Found { member, layout, start, size }| Array {
                layout,
                start,
                size,
                data: Data::Member(member),
            }));
        }
        // A pipe can be opened once, by who reads it to its end.
        if std::fs::metadata(path).is_ok_and(|about| !about.is_file()) {
            return Ok(None);
        }
        let (mut file, about) = strum_files::open(path)?;
        let found = Layout::read(&mut file, Accept::by(desc)).ok();
        let size = about.len();
        Ok(found.map(|(layout, start)| Array { layout, start, size, data: Data::File { file, start } }))
    }
}

#[cfg(test)]
mod tests {
    use dpu_isa::Dtype;
    use strum_files::write;

    use super::*;
    use crate::testing;
    use crate::{Numbers, OutputPlan, SampleOutputs, npy, read_inputs};

    fn desc(dtype: Dtype, shape: &[u64]) -> IoDesc {
        testing::desc("x", dtype, shape)
    }

    #[test]
    fn batches_have_a_leading_axis_or_replace_a_leading_1() {
        assert_eq!(batch(&[5, 2, 3], &[2, 3]), Some(5));
        assert_eq!(batch(&[5, 2, 3], &[1, 2, 3]), Some(5));
        assert_eq!(batch(&[5, 1, 2, 3], &[1, 2, 3]), Some(5));
        assert_eq!(batch(&[5, 2, 4], &[2, 3]), None);
        assert_eq!(batch(&[], &[1]), None);
    }

    #[test]
    fn samples_written_one_by_one_are_read_back_from_files_and_archives() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let one = desc(Dtype::I16, &[1, 2]);
        let tensor = |v: i32| Tensor::from_values(Dtype::I16, &[1, 2], &[v, -v]);
        let mut outputs =
            SampleOutputs::create(std::slice::from_ref(&one), &[at("y.npy")], Numbers::Codes, 3).unwrap();
        (0..3).for_each(|v| outputs.put(&[tensor(v * 300)]).unwrap());
        outputs.commit().unwrap();
        let whole = read_inputs(&[desc(Dtype::I16, &[3, 2])], &[at("y.npy")]).unwrap();
        OutputPlan::resolve(&[desc(Dtype::I16, &[3, 2])], &[at("y.npz")], Numbers::Codes)
            .unwrap()
            .write(&whole)
            .unwrap();
        for name in ["y.npy", "y.npz"] {
            let mut samples = Inputs::open(std::slice::from_ref(&one), &[at(name)]).unwrap().batch().unwrap();
            assert_eq!(samples.count(), 3);
            for v in [2, 0, 1] {
                assert_eq!(samples.read(v).unwrap(), [tensor(v as i32 * 300)]);
            }
        }
        assert!(Inputs::open(&[desc(Dtype::I16, &[3, 2])], &[at("y.npy")]).unwrap().batch().is_none());
    }

    #[test]
    fn a_damaged_archive_does_not_give_all_its_samples() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz");
        let arg = [path.to_str().unwrap().to_owned()];
        // A short array is detected from its header, a long one at its end.
        for count in [3u64, 100_000] {
            let values: Vec<i32> =
                (0..2 * count as i32).map(|i| i.wrapping_mul(0x9e37_79b1_u32 as i32)).collect();
            let whole = Tensor::from_values(Dtype::I32, &[count, 2], &values);
            OutputPlan::resolve(&[desc(Dtype::I32, &[count, 2])], &arg, Numbers::Codes)
                .unwrap()
                .write(&[whole])
                .unwrap();
            let read = || -> Result<u64, FileError> {
                let mut samples = Inputs::open(&[desc(Dtype::I32, &[1, 2])], &arg)?.batch().unwrap();
                (0..count).try_for_each(|i| samples.read(i).map(drop)).map(|()| samples.count())
            };
            assert_eq!(read().unwrap(), count);
            // The checksum is the seventeenth byte of the directory's entry.
            let mut bytes = std::fs::read(&path).unwrap();
            let entry = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
            bytes[entry + 16] ^= 1;
            write(&path, &bytes).unwrap();
            let error = read().unwrap_err().to_string();
            assert!(error.to_lowercase().contains("checksum"), "{error}");
        }
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let arg = [path.to_str().unwrap().to_owned()];
        let one = [desc(Dtype::I8, &[1, 2])];
        let text = || Inputs::open(&one, &arg).unwrap_err().to_string();
        let put = |shape: &[u64], data: &[u8]| {
            write(&path, &[&npy::header("|i1", shape)[..], data].concat()).unwrap();
        };
        put(&[3, 2], &[0; 5]);
        assert!(text().contains("5 bytes of data do not make 3 samples"), "{}", text());
        put(&[0, 2], &[]);
        assert!(text().contains("a batch of no samples"), "{}", text());
        put(&[3, 3], &[0; 9]);
        assert!(text().contains("expected shape [1, 2], got [3, 3]"), "{}", text());
        put(&[1 << 62, 2], &[]);
        assert!(text().contains("an array of"), "{}", text());
        let archive = SampleOutputs::create(&one, &["y.npz".to_owned()], Numbers::Codes, 2);
        assert!(archive.err().unwrap().to_string().contains("go to .npy files"));
    }
}
