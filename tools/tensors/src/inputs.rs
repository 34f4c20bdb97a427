//! The inputs of a program, each from a whole file. Invariant: no more is read than the largest possible file of the expected tensor.

use std::io::Read;
use std::path::Path;

use dpu_isa::IoDesc;
use strum_files::{FileError, budget};

use crate::archive::Archive;
use crate::arguments::{ArrayPath, all_inputs};
use crate::npy;
use crate::tensor::{Tensor, describe};

/// Reads the inputs of a program from the files that `args` name, in the order of `descs`.
///
/// A state without an argument has its first value. An array must have the input's shape and type; 64-bit and wider unsigned integers are accepted if every value
/// fits, booleans as 0 and 1.
///
/// # Errors
/// When the arguments do not name every input once, or a file is not the expected tensor.
pub fn read_inputs(descs: &[IoDesc], args: &[String]) -> Result<Vec<Tensor>, FileError> {
    let places = all_inputs(descs, args)?;
    let one = |(desc, place): (&IoDesc, &Option<ArrayPath>)| match place {
        Some(place) => read_tensor(desc, place),
        None => Ok(initial(desc)),
    };
    descs.iter().zip(&places).map(one).collect()
}

/// A state before the first sample.
#[must_use]
pub fn initial(desc: &IoDesc) -> Tensor {
    let value = desc.meaning.state.map_or(0, |state| state.initial);
    let elements = desc.shape.iter().fold(1u64, |n, &d| n.saturating_mul(d));
    let Tensor { data, .. } = Tensor::from_values(desc.dtype, &[], &[value]);
    let data = data.repeat(usize::try_from(elements).unwrap_or(0));
    Tensor { dtype: desc.dtype, shape: desc.shape.clone(), data }
}

/// Reads one input.
pub(crate) fn read_tensor(desc: &IoDesc, place: &ArrayPath) -> Result<Tensor, FileError> {
    // No type takes more than eight bytes per element; numpy's header fits 64 KiB.
    let elements = desc.shape.iter().fold(1u64, |n, &d| n.saturating_mul(d));
    let most = elements.saturating_mul(8).saturating_add(npy::MAX_HEADER as u64);
    let path = &place.path;
    let reason = |reason: String| FileError::content(path, format!("input '{}': {reason}", desc.name));
    let Some(bytes) = read_array(place, Some(&desc.name), most)? else {
        let want = describe(desc.dtype, &desc.shape);
        return Err(reason(format!("expected {want}, got a file of more than {most} bytes")));
    };
    let what = format!("input '{}'", desc.name);
    budget::check(&what, npy::decoding_bytes(&bytes, desc)).map_err(FileError::limit(path))?;
    npy::decode(&bytes, desc).map_err(reason)
}

/// The bytes of the `.npy` file that a source refers to, a file or an array of an archive, which defaults to `name` if the
/// source does not select one; `None` if there are more than `most`.
///
/// # Errors
/// When it cannot be read, or the archive does not have the array.
pub(crate) fn read_array(
    place: &ArrayPath,
    name: Option<&str>,
    most: u64,
) -> Result<Option<Vec<u8>>, FileError> {
    let path = &place.path;
    if place.is_archive() {
        let mut archive = Archive::open(path)?;
        let key = archive.choose(place, name)?;
        let array = archive.array(&key)?;
        let size = array.size();
        return read_claimed(path, array, size, most);
    }
    let (file, about) = strum_files::open(path)?;
    if !about.is_file() {
        return match strum_files::read_stream(path, file, most) {
            Err(FileError::TooLarge { .. }) => Ok(None),
            read => read.map(Some),
        };
    }
    read_claimed(path, file, about.len(), most)
}

/// The bytes of a source that claims a size of `size`; `None` if that is more than `most`.
fn read_claimed(path: &Path, source: impl Read, size: u64, most: u64) -> Result<Option<Vec<u8>>, FileError> {
    if size > most {
        return Ok(None);
    }
    let room = size.saturating_add(1);
    let mut bytes = budget::buffer("the array", room).map_err(FileError::limit(path))?;
    source.take(room).read_to_end(&mut bytes).map_err(FileError::io(path))?;
    match u64::try_from(bytes.len()) {
        Ok(len) if len <= size => Ok(Some(bytes)),
        _ => Err(FileError::content(path, format!("holds more than the {size} bytes that it claims"))),
    }
}
