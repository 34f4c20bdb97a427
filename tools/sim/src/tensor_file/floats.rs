//! Arrays of numbers of any type, read as single precision: what calibration and labels come as.

use std::io;

use npyz::{NpyHeader, Order};

use strum_files::{FileError, budget};

use super::{Place, npy, read_limited};

/// Most bytes of an array: what calibration holds in memory at a time.
const MAX_BYTES: u64 = 1 << 33;

/// An array, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Floats {
    /// Its shape.
    pub shape: Vec<u64>,
    /// Its elements.
    pub values: Vec<f32>,
    /// Whether the file holds integers.
    pub integer: bool,
}

/// Reads the array that an argument names: `FILE.npy`, or `FILE.npz:KEY`; the key may be left out if the archive holds one
/// array alone. Integers and double precision are rounded to single precision.
///
/// # Errors
/// When the file cannot be read, or is no array of numbers.
pub fn read_floats(arg: &str) -> Result<Floats, FileError> {
    let place = Place::parse(arg);
    let path = &place.path;
    let (file, about) = strum_files::open(path)?;
    let array = if place.is_archive() {
        let mut archive = npyz::npz::NpzArchive::new(io::BufReader::new(file))
            .map_err(|e| FileError::content(path, format!("not an .npz archive: {e}")))?;
        let key = only_key(&place, archive.array_names())?;
        let member = npyz::npz::file_name_from_array_name(&key);
        let entry = archive.zip_archive().by_name(&member);
        let entry = entry.map_err(|e| FileError::content(path, format!("array '{key}': {e}")))?;
        let size = entry.size();
        read_limited(path, entry, Some(size), MAX_BYTES)?
    } else {
        read_limited(path, file, about.is_file().then_some(about.len()), MAX_BYTES)?
    };
    let Some(bytes) = array else {
        return Err(FileError::TooLarge { path: path.clone(), most: MAX_BYTES });
    };
    // Single precision, twice in column-major order.
    let needed = npy::elements(&bytes).saturating_mul(8);
    budget::check("the array as numbers", needed).map_err(FileError::limit(path))?;
    decode(&bytes).map_err(|reason| FileError::content(path, reason))
}

/// The array of an archive that is meant.
fn only_key<'a>(place: &Place, names: impl Iterator<Item = &'a str>) -> Result<String, FileError> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    let found = match (place.key.as_deref(), &names[..]) {
        (Some(key), names) => names.iter().find(|&&n| n == key),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    found.map(|&name| name.to_owned()).ok_or_else(|| {
        let known = names.join("', '");
        let text = match &place.key {
            Some(key) => format!("has no array '{key}'; it has '{known}'"),
            None => format!("which array? Name one of '{known}' after a colon"),
        };
        FileError::content(&place.path, text)
    })
}

/// The array in the bytes of an `.npy` file.
fn decode(bytes: &[u8]) -> Result<Floats, String> {
    if bytes.is_empty() {
        return Err("the file is empty".to_owned());
    }
    npy::check_header(bytes)?;
    let mut rest = bytes;
    let header = NpyHeader::from_reader(&mut rest).map_err(|e| format!("not an .npy file: {e}"))?;
    let (shape, element) = (header.shape().to_vec(), npy::number_type(&header.dtype())?);
    let needed = usize::try_from(header.len()).ok().and_then(|n| n.checked_mul(element.bytes()));
    if needed != Some(rest.len()) {
        return Err(format!("{} bytes of data do not make an array of shape {shape:?}", rest.len()));
    }
    let mut values: Vec<f32> = rest.chunks_exact(element.bytes()).map(|bytes| element.value(bytes)).collect();
    if header.order() == Order::Fortran {
        values = npy::row_major(&values, &shape);
    }
    Ok(Floats { shape, values, integer: element.is_integer() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let len = u16::try_from(text.len()).unwrap().to_le_bytes();
        [b"\x93NUMPY\x01\x00", &len[..], text.as_bytes(), data].concat()
    }

    #[test]
    fn numbers_of_every_type_are_read() {
        let floats = |descr: &str, data: &[u8]| decode(&file(descr, "(2,)", data)).map(|f| f.values);
        let two = |a: [u8; 4], b: [u8; 4]| [a, b].concat();
        assert_eq!(floats("<f4", &two(1.5f32.to_le_bytes(), (-2.0f32).to_le_bytes())), Ok(vec![1.5, -2.0]));
        assert_eq!(floats(">f4", &two(1.5f32.to_be_bytes(), (-2.0f32).to_be_bytes())), Ok(vec![1.5, -2.0]));
        let wide = [0.25f64.to_le_bytes(), 1e300f64.to_le_bytes()].concat();
        assert_eq!(floats("<f8", &wide), Ok(vec![0.25, f32::INFINITY]));
        assert_eq!(floats("|u1", &[200, 1]), Ok(vec![200.0, 1.0]));
        assert_eq!(floats("<i2", &[255, 255, 2, 0]), Ok(vec![-1.0, 2.0]));
    }

    #[test]
    fn what_is_no_array_of_numbers_is_refused() {
        assert!(decode(b"").unwrap_err().contains("empty"));
        assert!(decode(b"PK").unwrap_err().contains("not an .npy file"));
        assert!(decode(&file("<c8", "(1,)", &[0; 8])).unwrap_err().contains("c8"));
        assert!(decode(&file("<f4", "(3,)", &[0; 8])).unwrap_err().contains("8 bytes"));
        let error = read_floats("/nowhere/x.npy").unwrap_err();
        assert!(error.to_string().contains("/nowhere/x.npy"));
    }
}
