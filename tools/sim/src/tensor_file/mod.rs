//! Tensors in `.npy` and `.npz` files, and the command line arguments that name them.
//!
//! An argument is `[NAME=]PATH`, or `[NAME=]FILE.npz:KEY` for one array of an archive. Arguments with a name go to the
//! tensor of that name, the others to those left, in order. Output files appear whole or not at all.

mod floats;
mod member;
mod npy;
mod samples;

pub use floats::{Floats, read_floats};
pub use samples::{SampleOutputs, Samples};

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use dpu_isa::IoDesc;
use strum_files::{FileError, Staged, budget, check_distinct};

use crate::tensor::{Tensor, describe};

/// A file, or an array in an archive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    path: PathBuf,
    /// Array in an `.npz`; `None` where the argument does not say.
    key: Option<String>,
}

impl Place {
    /// Splits `FILE.npz:KEY`.
    fn parse(text: &str) -> Place {
        match text.rsplit_once(".npz:") {
            Some((stem, key)) => Place { path: format!("{stem}.npz").into(), key: Some(key.to_owned()) },
            None => Place { path: text.into(), key: None },
        }
    }

    fn is_archive(&self) -> bool {
        self.path.extension().is_some_and(|e| e == "npz")
    }
}

/// Splits `NAME=PATH`. What exists as a file is no such argument.
fn split_name(arg: &str) -> Option<(&str, &str)> {
    arg.split_once('=').filter(|_| !Path::new(arg).exists())
}

/// The files that arguments for inputs name: what a command can look at before it has a program.
#[must_use]
pub fn input_files(args: &[String]) -> Vec<PathBuf> {
    args.iter().map(|arg| Place::parse(split_name(arg).map_or(arg, |(_, path)| path)).path).collect()
}

/// The files that arguments for outputs name, an archive once for all of its arrays.
///
/// # Errors
/// Two arguments for the same array of an archive.
pub fn output_files(args: &[String]) -> Result<Vec<PathBuf>, FileError> {
    let mut files = Vec::new();
    let mut archives: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for arg in args {
        let (name, path) = split_name(arg).unzip();
        let place = Place::parse(path.unwrap_or(arg));
        if !place.is_archive() {
            files.push(place.path);
            continue;
        }
        let resolved = strum_files::resolve(&place.path)?;
        if !archives.contains_key(&resolved) {
            files.push(place.path.clone());
        }
        let keys = archives.entry(resolved).or_default();
        // Where an argument does not say, the array has the name of an output that is not known here.
        let key = place.key.as_deref().or(name);
        if let Some(key) = key.filter(|&key| keys.iter().any(|known| known == key)) {
            return Err(same_place(&place.path, key));
        }
        keys.extend(key.map(str::to_owned));
    }
    Ok(files)
}

fn same_place(path: &Path, key: &str) -> FileError {
    let path = path.display();
    FileError::Usage(format!("two of --output would go to array '{key}' of '{path}': give each a name"))
}

/// For each of `descs` its argument, if there is one.
fn assign(kind: &str, descs: &[IoDesc], args: &[String]) -> Result<Vec<Option<Place>>, FileError> {
    let mut places: Vec<Option<Place>> = vec![None; descs.len()];
    let mut unnamed = Vec::new();
    for arg in args {
        let Some((name, path)) = split_name(arg) else {
            unnamed.push(arg);
            continue;
        };
        let Some(place) = descs.iter().position(|d| d.name == name).and_then(|i| places.get_mut(i)) else {
            return Err(FileError::Usage(format!("no {kind} is called '{name}'; {}", known(kind, descs))));
        };
        if place.replace(Place::parse(path)).is_some() {
            return Err(FileError::Usage(format!("{kind} '{name}' is given twice")));
        }
    }
    let mut free = places.iter_mut().filter(|p| p.is_none());
    for arg in unnamed {
        let Some(place) = free.next() else {
            let (got, want) = (args.len(), descs.len());
            let known = known(kind, descs);
            return Err(FileError::Usage(format!("{got} {kind}s given, the program has {want}; {known}")));
        };
        *place = Some(Place::parse(arg));
    }
    Ok(places)
}

/// `the inputs are 'x' (i8[1, 28, 28, 1])`.
fn known(kind: &str, descs: &[IoDesc]) -> String {
    let list: Vec<String> =
        descs.iter().map(|d| format!("'{}' ({})", d.name, describe(d.dtype, &d.shape))).collect();
    match list.is_empty() {
        true => format!("it has no {kind}s"),
        false => format!("the {kind}s are {}", list.join(", ")),
    }
}

/// Reads the inputs of a program from the files that `args` name, in the order of `descs`.
///
/// An array must have the input's shape and type; 64-bit and wider unsigned integers are taken if every value fits,
/// booleans as 0 and 1.
///
/// # Errors
/// When the arguments do not name every input once, or a file is not the tensor it should be.
pub fn read_inputs(descs: &[IoDesc], args: &[String]) -> Result<Vec<Tensor>, FileError> {
    let places = all_inputs(descs, args)?;
    descs.iter().zip(&places).map(|(desc, place)| read_tensor(desc, place)).collect()
}

/// Where each input is; every one must be named.
fn all_inputs(descs: &[IoDesc], args: &[String]) -> Result<Vec<Place>, FileError> {
    let places = assign("input", descs, args)?;
    let missing: Vec<&IoDesc> =
        descs.iter().zip(&places).filter(|(_, p)| p.is_none()).map(|(d, _)| d).collect();
    if let [first, ..] = missing[..] {
        let text = format!("no file for input '{}'; {}", first.name, known("input", descs));
        return Err(FileError::Usage(text));
    }
    Ok(places.into_iter().flatten().collect())
}

/// Reads one input.
fn read_tensor(desc: &IoDesc, place: &Place) -> Result<Tensor, FileError> {
    // Eight bytes an element are the most that any type takes; the header of numpy fits 64 KiB.
    let elements = desc.shape.iter().fold(1u64, |n, &d| n.saturating_mul(d));
    let limit = elements.saturating_mul(8).saturating_add(64 << 10);
    let path = &place.path;
    let (file, about) = strum_files::open(path)?;
    let array = if place.is_archive() {
        let mut archive = npyz::npz::NpzArchive::new(io::BufReader::new(file))
            .map_err(|e| FileError::content(path, format!("not an .npz archive: {e}")))?;
        let key = choose_key(desc, place, &archive)?;
        let member = npyz::npz::file_name_from_array_name(&key);
        let entry = archive.zip_archive().by_name(&member);
        let entry = entry.map_err(|e| FileError::content(path, format!("array '{key}': {e}")))?;
        let size = entry.size();
        read_limited(path, entry, Some(size), limit)?
    } else {
        read_limited(path, file, about.is_file().then_some(about.len()), limit)?
    };
    let reason = |reason: String| FileError::content(path, format!("input '{}': {reason}", desc.name));
    let Some(bytes) = array else {
        let want = describe(desc.dtype, &desc.shape);
        return Err(reason(format!("expected {want}, got a file of more than {limit} bytes")));
    };
    let what = format!("input '{}'", desc.name);
    budget::check(&what, npy::decoding_bytes(&bytes, desc)).map_err(FileError::limit(path))?;
    npy::decode(&bytes, desc).map_err(reason)
}

/// At most `limit` bytes of a source that claims `size` bytes, if it has a size; `None` if there are more.
fn read_limited(
    path: &Path,
    source: impl Read,
    size: Option<u64>,
    limit: u64,
) -> Result<Option<Vec<u8>>, FileError> {
    let Some(size) = size else {
        return match strum_files::read_stream(path, source, limit) {
            Err(FileError::TooLarge { .. }) => Ok(None),
            read => read.map(Some),
        };
    };
    if size > limit {
        return Ok(None);
    }
    let mut bytes = budget::buffer("the array", size.saturating_add(1)).map_err(FileError::limit(path))?;
    source.take(size.saturating_add(1)).read_to_end(&mut bytes).map_err(FileError::io(path))?;
    match u64::try_from(bytes.len()) {
        Ok(len) if len <= size => Ok(Some(bytes)),
        _ => Err(FileError::content(path, format!("holds more than the {size} bytes that it claims"))),
    }
}

/// The array of an archive to read: the one asked for, the only one, or the one of the input's name.
fn choose_key<R: Read + io::Seek>(
    desc: &IoDesc,
    place: &Place,
    archive: &npyz::npz::NpzArchive<R>,
) -> Result<String, FileError> {
    let mut names: Vec<&str> = archive.array_names().collect();
    names.sort_unstable();
    let wanted = place.key.as_deref();
    let found = match (wanted, &names[..]) {
        (Some(key), names) => names.iter().find(|&&n| n == key),
        (None, [only]) => Some(only),
        (None, names) => names.iter().find(|&&n| n == desc.name),
    };
    found.map(|&name| name.to_owned()).ok_or_else(|| {
        let (wanted, names) = (wanted.unwrap_or(&desc.name), names.join("', '"));
        FileError::content(&place.path, format!("has no array '{wanted}'; it has '{names}'"))
    })
}

/// Where the outputs of a program go.
#[derive(Clone, Debug)]
pub struct OutputPlan {
    files: Vec<OutputFile>,
}

/// A file, and the outputs (index and name of the array) that it takes.
#[derive(Clone, Debug)]
struct OutputFile {
    path: PathBuf,
    archive: bool,
    arrays: Vec<(usize, String)>,
}

impl OutputPlan {
    /// Resolves the arguments against the outputs. Outputs without an argument are not written.
    ///
    /// # Errors
    /// When an argument names no output, or two name the same place, also if links lead there.
    pub fn resolve(descs: &[IoDesc], args: &[String]) -> Result<OutputPlan, FileError> {
        let mut files: BTreeMap<PathBuf, OutputFile> = BTreeMap::new();
        let places = assign("output", descs, args)?;
        let plain = places.iter().flatten().filter(|place| !place.is_archive());
        check_distinct(plain.map(|place| ("--output", place.path.as_path())))?;
        for (index, place) in places.into_iter().enumerate() {
            let Some(place) = place else { continue };
            let archive = place.is_archive();
            let name = descs.get(index).map(|d| d.name.clone()).unwrap_or_default();
            let key = place.key.unwrap_or(name);
            let file = || OutputFile { path: place.path.clone(), archive, arrays: Vec::new() };
            let arrays = &mut files.entry(strum_files::resolve(&place.path)?).or_insert_with(file).arrays;
            if arrays.iter().any(|(_, known)| *known == key) {
                return Err(same_place(&place.path, &key));
            }
            arrays.push((index, key));
        }
        Ok(OutputPlan { files: files.into_values().collect() })
    }

    /// Writes the outputs, given in the order of the descriptors. Existing files are replaced.
    ///
    /// All files are complete before the first gets its name.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, outputs: &[Tensor]) -> Result<(), FileError> {
        let mut ready = Vec::new();
        for OutputFile { path, archive, arrays } in &self.files {
            let arrays = arrays.iter().filter_map(|(i, key)| Some((key.as_str(), outputs.get(*i)?)));
            let arrays: Vec<_> = arrays.collect();
            // The bytes of the file, and an array's elements as numbers.
            let needed =
                arrays.iter().fold(0, |sum: u64, (_, t)| sum.saturating_add(6 * t.data.len() as u64));
            budget::check("to write outputs", needed).map_err(FileError::limit(path))?;
            let arrays = arrays.into_iter();
            let bytes = if *archive {
                npy::encode_archive(arrays)
            } else {
                arrays.map(|(_, tensor)| npy::encode(tensor)).next().unwrap_or_else(|| Ok(Vec::new()))
            };
            let bytes = bytes.map_err(FileError::io(path))?;
            let mut staged = Staged::create(path)?;
            staged.put(&bytes)?;
            ready.push(staged);
        }
        ready.into_iter().try_for_each(Staged::commit)
    }
}

/// An in-memory archive under construction.
type Buffer = Cursor<Vec<u8>>;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use dpu_isa::Dtype;

    fn desc(name: &str, dtype: Dtype, shape: &[u64]) -> IoDesc {
        IoDesc { name: name.into(), dtype, shape: shape.to_vec(), addr: 0 }
    }

    fn pair() -> Vec<IoDesc> {
        vec![desc("a", Dtype::I8, &[2, 3]), desc("b", Dtype::I32, &[4])]
    }

    fn args(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).to_owned()).collect()
    }

    fn tensors() -> Vec<Tensor> {
        let a = Tensor::from_values(Dtype::I8, &[2, 3], &[1, -2, 3, -4, 5, -128]);
        vec![a, Tensor::from_values(Dtype::I32, &[4], &[i32::MIN, 0, 1, i32::MAX])]
    }

    #[test]
    fn names_come_first_and_the_rest_in_order() {
        let place = |text: &str| Some(Place::parse(text));
        let got = assign("input", &pair(), &args(&["b=y.npz:k", "x.npy"])).unwrap();
        assert_eq!(got, [place("x.npy"), place("y.npz:k")]);
        let place = got[1].clone().unwrap();
        assert_eq!((place.path.to_str(), place.key.as_deref()), (Some("y.npz"), Some("k")));
    }

    #[test]
    fn wrong_arguments_are_usage_errors() {
        let text = |list: &[&str]| assign("input", &pair(), &args(list)).unwrap_err().to_string();
        assert_eq!(text(&["c=x.npy"]), "no input is called 'c'; the inputs are 'a' (i8[2, 3]), 'b' (i32[4])");
        assert_eq!(text(&["a=x.npy", "a=y.npy"]), "input 'a' is given twice");
        assert!(text(&["x", "y", "z"]).starts_with("3 inputs given, the program has 2"));
        let missing = read_inputs(&pair(), &args(&["b=x.npy"])).unwrap_err();
        assert!(matches!(&missing, FileError::Usage(t) if t.starts_with("no file for input 'a'")));
        let twice = OutputPlan::resolve(&pair(), &args(&["x.npy", "x.npy"])).unwrap_err();
        assert!(twice.to_string().starts_with("two of --output would go to 'x.npy'"), "{twice}");
        let twice = OutputPlan::resolve(&pair(), &args(&["x.npz:k", "./x.npz:k"])).unwrap_err();
        assert!(twice.to_string().starts_with("two of --output would go to array 'k' of"), "{twice}");
    }

    #[test]
    fn files_and_archives_keep_their_tensors() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        for list in [[at("a.npy"), at("b.npy")], [at("all.npz"), at("all.npz:second")]] {
            OutputPlan::resolve(&pair(), &list).unwrap().write(&tensors()).unwrap();
            let list = [list[0].replace("all.npz", "all.npz:a"), list[1].clone()];
            assert_eq!(read_inputs(&pair(), &list).unwrap(), tensors());
        }
        // The array of the input's name is found without a key.
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
        OutputPlan::resolve(&pair(), &list).unwrap().write(&tensors()).unwrap();
        assert_eq!(read_inputs(&pair(), &list).unwrap(), tensors());
        assert_eq!(output_files(&args(&["a=x.npz", "b=x.npz", "y.npz"])).unwrap().len(), 2);
        assert!(output_files(&args(&["a=x.npz", "x.npz:a"])).is_err());
        assert_eq!(output_files(&args(&["x.npy", "x.npy"])).unwrap().len(), 2);
    }

    #[test]
    fn archives_without_the_array_say_what_they_have() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz").to_str().unwrap().to_owned();
        let plan = OutputPlan::resolve(&pair(), &args(&[&path, &format!("{path}:other")])).unwrap();
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
}
