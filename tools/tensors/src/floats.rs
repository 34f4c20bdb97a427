//! Arrays of numbers of any type, read as single precision: calibration data and labels.

use strum_files::{FileError, budget};

use crate::arguments::ArrayPath;
use crate::element::{Accept, row_major};
use crate::inputs::read_array;
use crate::npy::{self, Layout};

/// Maximum size of an array in bytes: the data that calibration holds in memory at a time.
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
    /// Whether these are unsigned bytes.
    pub bytes: bool,
}

/// Reads the array that an argument names: `FILE.npy`, or `FILE.npz:KEY`; the key may be omitted if the archive holds a
/// single array. Double precision is rounded to single precision.
///
/// # Errors
/// When the file cannot be read, is not an array of numbers, or holds integers that single precision does not hold exactly.
pub fn read_floats(arg: &str) -> Result<Floats, FileError> {
    read_place(&ArrayPath::parse(arg), None)
}

/// As [`read_floats`]; `name` is that of the array in an archive with several, if the place does not say it.
pub(crate) fn read_place(place: &ArrayPath, name: Option<&str>) -> Result<Floats, FileError> {
    let path = &place.path;
    let Some(bytes) = read_array(place, name, MAX_BYTES)? else {
        return Err(FileError::TooLarge { path: path.clone(), most: MAX_BYTES });
    };
    // Single precision, twice in column-major order.
    let needed = npy::elements(&bytes).saturating_mul(8);
    budget::check("the array as numbers", needed).map_err(FileError::limit(path))?;
    decode(&bytes).map_err(|reason| FileError::content(path, reason))
}

/// The array in the bytes of an `.npy` file.
fn decode(bytes: &[u8]) -> Result<Floats, String> {
    let (layout, data) = Layout::parse(bytes, Accept::Numbers)?;
    layout.check_data(data)?;
    let Layout { shape, column_major, element } = layout;
    let mut elements = data.chunks_exact(element.bytes());
    if !elements.clone().all(|bytes| element.is_exact(bytes)) {
        return Err("integers beyond 24 bits, which single precision rounds".to_owned());
    }
    let mut values: Vec<f32> = elements.by_ref().map(|bytes| element.float(bytes)).collect();
    if column_major {
        values = row_major(&values, &shape);
    }
    Ok(Floats { shape, values, integer: element.is_integer(), bytes: element.is_byte() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn file(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        testing::file(descr, "False", shape, data)
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
        assert_eq!(floats("<i4", &two((1i32 << 24).to_le_bytes(), [0; 4])), Ok(vec![16_777_216.0, 0.0]));
        let wide = floats("<i4", &two(((1i32 << 24) + 1).to_le_bytes(), [0; 4]));
        assert!(wide.unwrap_err().contains("integers beyond 24 bits"));
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
