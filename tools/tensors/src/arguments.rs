//! Arguments that map tensors to files. Invariant: a tensor has at most one file, and output destinations are distinct.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dpu_isa::IoDesc;
use strum_files::FileError;

use crate::images::files_at;
use crate::tensor::{RealPort, describe};

/// A file, or an array in an archive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ArrayPath {
    pub(crate) path: PathBuf,
    /// Array in an `.npz`; `None` if the argument does not name it.
    pub(crate) key: Option<String>,
}

impl ArrayPath {
    /// Splits `FILE.npz:KEY`.
    pub(crate) fn parse(text: &str) -> ArrayPath {
        match text.rsplit_once(".npz:") {
            Some((stem, key)) => ArrayPath { path: format!("{stem}.npz").into(), key: Some(key.to_owned()) },
            None => ArrayPath { path: text.into(), key: None },
        }
    }

    pub(crate) fn is_archive(&self) -> bool {
        self.path.extension().is_some_and(|e| e == "npz")
    }
}

/// Splits `NAME=PATH`. The name of an existing file is not split.
fn split_name(arg: &str) -> Option<(&str, &str)> {
    arg.split_once('=').filter(|_| !Path::new(arg).exists())
}

/// The place that an argument with or without a name gives.
pub(crate) fn place_of(arg: &str) -> ArrayPath {
    ArrayPath::parse(split_name(arg).map_or(arg, |(_, path)| path))
}

/// The files that arguments for inputs name, those of a folder one by one: available to a command before it has a program.
#[must_use]
pub fn input_files(args: &[String]) -> Vec<PathBuf> {
    args.iter().flat_map(|arg| files_at(&place_of(arg).path)).collect()
}

/// The files that arguments for outputs name; an archive once for all of its arrays.
///
/// # Errors
/// Two arguments for the same array of an archive.
pub fn output_files(args: &[String]) -> Result<Vec<PathBuf>, FileError> {
    let mut files = Vec::new();
    let mut archives: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for arg in args {
        let (name, path) = split_name(arg).unzip();
        let place = ArrayPath::parse(path.unwrap_or(arg));
        if !place.is_archive() {
            files.push(place.path);
            continue;
        }
        let resolved = strum_files::resolve(&place.path)?;
        if !archives.contains_key(&resolved) {
            files.push(place.path.clone());
        }
        let keys = archives.entry(resolved).or_default();
        // If the argument does not name it, the array has the name of an output, which is unknown here.
        let key = place.key.as_deref().or(name);
        if let Some(key) = key.filter(|&key| keys.iter().any(|known| known == key)) {
            return Err(same_place(&place.path, key));
        }
        keys.extend(key.map(str::to_owned));
    }
    Ok(files)
}

pub(crate) fn same_place(path: &Path, key: &str) -> FileError {
    let path = path.display();
    FileError::Usage(format!("two of --output would go to array '{key}' of '{path}': give each a name"))
}

/// The argument of each of `descs`, if any.
pub(crate) fn assign(
    kind: &str,
    descs: &[IoDesc],
    args: &[String],
) -> Result<Vec<Option<ArrayPath>>, FileError> {
    let ports: Vec<RealPort> = descs.iter().map(RealPort::named).collect();
    assign_to(kind, &ports, &known(kind, descs), args)
}

/// The argument of each port, if any; `known` lists them for messages.
pub(crate) fn assign_to(
    kind: &str,
    descs: &[RealPort],
    known: &str,
    args: &[String],
) -> Result<Vec<Option<ArrayPath>>, FileError> {
    let mut places: Vec<Option<ArrayPath>> = vec![None; descs.len()];
    let mut unnamed = Vec::new();
    for arg in args {
        let Some((name, path)) = split_name(arg) else {
            unnamed.push(arg);
            continue;
        };
        let Some(place) = descs.iter().position(|d| d.name == name).and_then(|i| places.get_mut(i)) else {
            return Err(FileError::Usage(format!("no {kind} is called '{name}'; {known}")));
        };
        if place.replace(ArrayPath::parse(path)).is_some() {
            return Err(FileError::Usage(format!("{kind} '{name}' is given twice")));
        }
    }
    let mut free = places.iter_mut().filter(|p| p.is_none());
    for arg in unnamed {
        let Some(place) = free.next() else {
            let (got, want) = (args.len(), descs.len());
            return Err(FileError::Usage(format!("{got} {kind}s given, the program has {want}; {known}")));
        };
        *place = Some(ArrayPath::parse(arg));
    }
    Ok(places)
}

/// `the inputs are 'x' (i8[1, 28, 28, 1])`.
fn known(kind: &str, descs: &[IoDesc]) -> String {
    listed(kind, descs.iter().map(|d| format!("'{}' ({})", d.name, describe(d.dtype, &d.shape))))
}

/// The same for texts of the tensors.
pub(crate) fn listed(kind: &str, texts: impl Iterator<Item = String>) -> String {
    let list: Vec<String> = texts.collect();
    match list.is_empty() {
        true => format!("it has no {kind}s"),
        false => format!("the {kind}s are {}", list.join(", ")),
    }
}

/// The file of each input; every one must be named that is not a state.
pub(crate) fn all_inputs(descs: &[IoDesc], args: &[String]) -> Result<Vec<Option<ArrayPath>>, FileError> {
    let places = assign("input", descs, args)?;
    let missing =
        |(desc, place): &(&IoDesc, &Option<ArrayPath>)| place.is_none() && desc.meaning.state.is_none();
    if let Some((first, _)) = descs.iter().zip(&places).find(missing) {
        let text = format!("no file for input '{}'; {}", first.name, known("input", descs));
        return Err(FileError::Usage(text));
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{args, pair};
    use crate::{Numbers, OutputPlan, read_inputs};

    #[test]
    fn names_come_first_and_the_rest_in_order() {
        let place = |text: &str| Some(ArrayPath::parse(text));
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
        let twice = OutputPlan::resolve(&pair(), &args(&["x.npy", "x.npy"]), Numbers::Codes).unwrap_err();
        assert!(twice.to_string().starts_with("two of --output would go to 'x.npy'"), "{twice}");
        let twice =
            OutputPlan::resolve(&pair(), &args(&["x.npz:k", "./x.npz:k"]), Numbers::Codes).unwrap_err();
        assert!(twice.to_string().starts_with("two of --output would go to array 'k' of"), "{twice}");
    }
}
