//! The outputs of a program, for one sample, or for many, written one at a time. Invariant: files get their names once all outputs
//! are complete.

use std::collections::BTreeMap;
use std::path::PathBuf;

use dpu_isa::IoDesc;
use strum_files::{FileError, Staged, budget, check_distinct};

use crate::arguments::{ArrayPath, assign, same_place};
use crate::form::{Encoded, Form, Numbers, Reals};
use crate::tensor::Tensor;
use crate::{archive, npy};

/// The destinations of a program's outputs.
#[derive(Clone, Debug)]
pub struct OutputPlan {
    files: Vec<OutputFile>,
}

/// A file and its outputs.
#[derive(Clone, Debug)]
struct OutputFile {
    path: PathBuf,
    archive: bool,
    arrays: Vec<OutputArray>,
}

/// An output's index, the name of its array, and its form.
#[derive(Clone, Debug)]
struct OutputArray {
    index: usize,
    key: String,
    form: Form,
}

impl OutputPlan {
    /// Resolves the arguments against the outputs. Outputs without an argument are not written.
    ///
    /// # Errors
    /// When an argument names no output, two have the same destination, also through links, or an output has no real numbers.
    pub fn resolve(descs: &[IoDesc], args: &[String], numbers: Numbers) -> Result<OutputPlan, FileError> {
        let places = assign("output", descs, args)?;
        let plain = places.iter().flatten().filter(|place| !place.is_archive());
        check_distinct(plain.map(|place| ("--output", place.path.as_path())))?;
        let written = descs.iter().zip(&places).filter(|(_, place)| place.is_some());
        let forms = written.map(|(desc, _)| Form::of(desc, numbers)).collect::<Result<Vec<_>, _>>()?;
        let mut plan =
            OutputPlan::of(descs.iter().zip(places).map(|(desc, place)| (desc.name.as_str(), place)))?;
        let mut indices: Vec<&mut OutputArray> =
            plan.files.iter_mut().flat_map(|file| &mut file.arrays).collect();
        indices.sort_by_key(|array| array.index);
        indices.into_iter().zip(forms).for_each(|(array, form)| array.form = form);
        Ok(plan)
    }

    /// The files of outputs, each with its name and destination, if it has one.
    pub(crate) fn of<'n>(
        outputs: impl Iterator<Item = (&'n str, Option<ArrayPath>)>,
    ) -> Result<OutputPlan, FileError> {
        let mut files: BTreeMap<PathBuf, OutputFile> = BTreeMap::new();
        for (index, (name, place)) in outputs.enumerate() {
            let Some(place) = place else { continue };
            let archive = place.is_archive();
            let key = place.key.unwrap_or_else(|| name.to_owned());
            let file = || OutputFile { path: place.path.clone(), archive, arrays: Vec::new() };
            let arrays = &mut files.entry(strum_files::resolve(&place.path)?).or_insert_with(file).arrays;
            if arrays.iter().any(|known| known.key == key) {
                return Err(same_place(&place.path, &key));
            }
            arrays.push(OutputArray { index, key, form: Form::Codes });
        }
        Ok(OutputPlan { files: files.into_values().collect() })
    }

    /// Writes the outputs, given in descriptor order. Existing files are replaced.
    ///
    /// All files are complete before the first gets its name.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, outputs: &[Tensor]) -> Result<(), FileError> {
        self.write_with(|array| Some(array.form.encode(outputs.get(array.index)?)))
    }

    /// As [`OutputPlan::write`], of a network that computes real numbers.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_reals(&self, outputs: &[Reals]) -> Result<(), FileError> {
        self.write_with(|array| outputs.get(array.index).map(Reals::encode))
    }

    fn write_with<'t>(&self, encode: impl Fn(&OutputArray) -> Option<Encoded<'t>>) -> Result<(), FileError> {
        let mut ready = Vec::new();
        for OutputFile { path, archive, arrays } in &self.files {
            let arrays = arrays.iter().filter_map(|array| Some((array.key.as_str(), encode(array)?)));
            let mut staged = Staged::create(path)?;
            if *archive {
                let arrays: Vec<_> = arrays.collect();
                // The archive is built in memory, and its buffer may grow by doubling.
                let needed =
                    arrays.iter().fold(0, |sum: u64, (_, a)| sum.saturating_add(3 * a.data.len() as u64));
                budget::check("to write outputs", needed).map_err(FileError::limit(path))?;
                staged.put(&archive::encode(arrays.into_iter()).map_err(FileError::io(path))?)?;
            } else {
                for (_, array) in arrays {
                    staged.put(&array.header())?;
                    staged.put(&array.data)?;
                }
            }
            ready.push(staged);
        }
        ready.into_iter().try_for_each(Staged::commit)
    }
}

/// The outputs of a batch, written sample after sample.
pub struct SampleOutputs {
    /// File and form of every output that has a file.
    files: Vec<Option<(Staged, Form)>>,
}

impl SampleOutputs {
    /// Opens the files that `args` name, for `count` samples.
    ///
    /// # Errors
    /// When an argument names no output or names an archive, an output has no real numbers, or a file cannot be written.
    pub fn create(
        descs: &[IoDesc],
        args: &[String],
        numbers: Numbers,
        count: u64,
    ) -> Result<SampleOutputs, FileError> {
        let places = assign("output", descs, args)?;
        if let Some(place) = places.iter().flatten().find(|place| place.is_archive()) {
            let path = place.path.display();
            return Err(FileError::Usage(format!("'{path}': the outputs of a batch go to .npy files")));
        }
        check_distinct(places.iter().flatten().map(|place| ("--output", place.path.as_path())))?;
        let files = descs.iter().zip(places).map(|(desc, place)| {
            let Some(place) = place else { return Ok(None) };
            let form = Form::of(desc, numbers)?;
            let mut staged = Staged::create(&place.path)?;
            staged.put(&npy::header(form.descr(desc), &batch_shape(&desc.shape, count)))?;
            Ok(Some((staged, form)))
        });
        Ok(SampleOutputs { files: files.collect::<Result<_, FileError>>()? })
    }

    /// Adds the outputs of the next sample.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn put(&mut self, outputs: &[Tensor]) -> Result<(), FileError> {
        for (file, tensor) in self.files.iter_mut().zip(outputs) {
            if let Some((file, form)) = file {
                file.put(&form.encode(tensor).data)?;
            }
        }
        Ok(())
    }

    /// Moves all files to their destinations.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn commit(self) -> Result<(), FileError> {
        self.files.into_iter().flatten().try_for_each(|(file, _)| file.commit())
    }
}

/// The shape of `count` tensors in one: a leading 1 becomes the axis of samples.
#[must_use]
pub fn batch_shape(shape: &[u64], count: u64) -> Vec<u64> {
    let rest = match shape {
        [1, rest @ ..] => rest,
        all => all,
    };
    std::iter::once(count).chain(rest.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testing::{args, pair, tensors};
    use crate::{output_files, read_inputs};

    #[test]
    fn files_and_archives_keep_their_tensors() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        for list in [[at("a.npy"), at("b.npy")], [at("all.npz"), at("all.npz:second")]] {
            OutputPlan::resolve(&pair(), &list, Numbers::Codes).unwrap().write(&tensors()).unwrap();
            let list = [list[0].replace("all.npz", "all.npz:a"), list[1].clone()];
            assert_eq!(read_inputs(&pair(), &list).unwrap(), tensors());
        }
        // The array named after the input is found without a key.
        let list = [format!("b={}", at("all.npz:second")), format!("a={}", at("all.npz"))];
        assert_eq!(read_inputs(&pair(), &list).unwrap(), tensors());
        let leftovers = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(leftovers, 3);
    }

    #[test]
    fn an_archive_is_one_file_however_it_is_spelled() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| format!("{}/{name}", folder.path().display());
        let list = [at("all.npz:first"), at("./all.npz:second")];
        assert_eq!(output_files(&list).unwrap().len(), 1);
        OutputPlan::resolve(&pair(), &list, Numbers::Codes).unwrap().write(&tensors()).unwrap();
        assert_eq!(read_inputs(&pair(), &list).unwrap(), tensors());
        assert_eq!(output_files(&args(&["a=x.npz", "b=x.npz", "y.npz"])).unwrap().len(), 2);
        assert!(output_files(&args(&["a=x.npz", "x.npz:a"])).is_err());
        assert_eq!(output_files(&args(&["x.npy", "x.npy"])).unwrap().len(), 2);
    }

    #[test]
    fn archives_without_the_array_say_what_they_have() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz").to_str().unwrap().to_owned();
        let plan =
            OutputPlan::resolve(&pair(), &args(&[&path, &format!("{path}:other")]), Numbers::Codes).unwrap();
        plan.write(&tensors()).unwrap();
        let error = read_inputs(&pair()[1..], &[path]).unwrap_err().to_string();
        assert!(error.ends_with("x.npz: has no array 'b'; it has 'a', 'other'"), "{error}");
    }

    #[test]
    fn huge_and_empty_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let arg = [path.to_str().unwrap().to_owned()];
        let text = || read_inputs(&pair()[..1], &arg).unwrap_err().to_string();
        fs::write(&path, b"").unwrap();
        assert!(text().ends_with("x.npy: input 'a': the file is empty"), "{}", text());
        fs::write(&path, vec![0; 1 << 20]).unwrap();
        assert!(text().contains("expected i8[2, 3], got a file of more than 65584 bytes"), "{}", text());
        fs::write(folder.path().join("x.npz"), b"PK").unwrap();
        let arg = [folder.path().join("x.npz").to_str().unwrap().to_owned()];
        assert!(read_inputs(&pair()[..1], &arg).unwrap_err().to_string().contains("not an .npz archive"));
    }

    #[test]
    fn a_leading_1_becomes_the_axis_of_samples() {
        assert_eq!(batch_shape(&[1, 10], 3), [3, 10]);
        assert_eq!(batch_shape(&[10], 3), [3, 10]);
    }
}
