//! Constants. Invariant: a tensor has as many elements as its shape says, and no more than [`MAX_ELEMENTS`].

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use super::proto;
use super::trouble::{Outcome, invalid, limit, unsupported};

/// Maximum number of elements of a constant, 1 GiB of floats.
pub(super) const MAX_ELEMENTS: usize = 1 << 28;

/// The type of elements in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of onnx.proto")]
pub(super) enum Kind {
    Float,
    Float16,
    Bfloat16,
    Double,
    Int4,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint4,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Bool,
}

impl Kind {
    /// A type by its number in `TensorProto.DataType`.
    pub(super) fn of(number: i64) -> Outcome<Kind> {
        Ok(match number {
            1 => Kind::Float,
            2 => Kind::Uint8,
            3 => Kind::Int8,
            4 => Kind::Uint16,
            5 => Kind::Int16,
            6 => Kind::Int32,
            7 => Kind::Int64,
            9 => Kind::Bool,
            10 => Kind::Float16,
            11 => Kind::Double,
            12 => Kind::Uint32,
            13 => Kind::Uint64,
            16 => Kind::Bfloat16,
            21 => Kind::Uint4,
            22 => Kind::Int4,
            8 => return unsupported("tensors of strings are not supported"),
            14 | 15 => return unsupported("tensors of complex numbers are not supported"),
            17..=20 | 23..=28 => {
                return unsupported(
                    "tensors of floats below 16 bits or integers below 4 bits are not supported",
                );
            }
            _ => return invalid(format!("element type {number} is not defined by ONNX")),
        })
    }

    /// Whether it is computed as `f32`.
    pub(super) fn is_float(self) -> bool {
        matches!(self, Kind::Float | Kind::Float16 | Kind::Bfloat16 | Kind::Double)
    }

    /// Its name for messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Float => "float32",
            Kind::Float16 => "float16",
            Kind::Bfloat16 => "bfloat16",
            Kind::Double => "float64",
            Kind::Int4 => "int4",
            Kind::Int8 => "int8",
            Kind::Int16 => "int16",
            Kind::Int32 => "int32",
            Kind::Int64 => "int64",
            Kind::Uint4 => "uint4",
            Kind::Uint8 => "uint8",
            Kind::Uint16 => "uint16",
            Kind::Uint32 => "uint32",
            Kind::Uint64 => "uint64",
            Kind::Bool => "bool",
        }
    }

    /// The least and greatest integer; those of 64 bits for floats.
    pub(super) fn range(self) -> (i64, i64) {
        match self {
            Kind::Int4 => (-8, 7),
            Kind::Int8 => (-128, 127),
            Kind::Int16 => (-32768, 32767),
            Kind::Int32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
            Kind::Uint4 => (0, 15),
            Kind::Uint8 => (0, 255),
            Kind::Uint16 => (0, 65535),
            Kind::Uint32 => (0, i64::from(u32::MAX)),
            Kind::Uint64 => (0, i64::MAX),
            Kind::Bool => (0, 1),
            Kind::Int64 | Kind::Float | Kind::Float16 | Kind::Bfloat16 | Kind::Double => (i64::MIN, i64::MAX),
        }
    }

    /// Bits of an element in raw data.
    fn bits(self) -> usize {
        match self {
            Kind::Int4 | Kind::Uint4 => 4,
            Kind::Int8 | Kind::Uint8 | Kind::Bool => 8,
            Kind::Int16 | Kind::Uint16 | Kind::Float16 | Kind::Bfloat16 => 16,
            Kind::Int32 | Kind::Uint32 | Kind::Float => 32,
            Kind::Int64 | Kind::Uint64 | Kind::Double => 64,
        }
    }
}

/// Elements.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    /// Of a float type.
    Floats(Vec<f32>),
    /// Of any other type.
    Ints(Vec<i64>),
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    pub(super) shape: Vec<usize>,
    pub(super) kind: Kind,
    pub(super) data: Data,
}

/// The number of elements of a shape, if it is sensible; so is the product of any of its extents.
pub(super) fn volume(shape: &[usize]) -> Outcome<usize> {
    let most = shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d.max(1)));
    match most.filter(|&n| n <= MAX_ELEMENTS) {
        Some(n) => Ok(if shape.contains(&0) { 0 } else { n }),
        None => limit(format!("a constant of shape {shape:?} has more than {MAX_ELEMENTS} elements")),
    }
}

impl Tensor {
    /// Integers of 64 bits.
    pub(super) fn ints(shape: &[usize], ints: Vec<i64>) -> Tensor {
        Tensor { shape: shape.to_vec(), kind: Kind::Int64, data: Data::Ints(ints) }
    }

    /// Floats.
    pub(super) fn floats(shape: &[usize], floats: Vec<f32>) -> Tensor {
        Tensor { shape: shape.to_vec(), kind: Kind::Float, data: Data::Floats(floats) }
    }

    /// The number of elements.
    pub(super) fn len(&self) -> usize {
        match &self.data {
            Data::Floats(floats) => floats.len(),
            Data::Ints(ints) => ints.len(),
        }
    }

    /// Its elements as floats.
    pub(super) fn to_floats(&self) -> Vec<f32> {
        match &self.data {
            Data::Floats(floats) => floats.clone(),
            #[allow(clippy::cast_precision_loss, reason = "the conversion that ONNX's Cast does")]
            Data::Ints(ints) => ints.iter().map(|&i| i as f32).collect(),
        }
    }

    /// Its elements, if they are integers.
    pub(super) fn as_ints(&self) -> Option<&[i64]> {
        match &self.data {
            Data::Ints(ints) => Some(ints),
            Data::Floats(_) => None,
        }
    }

    /// The elements at these places, in this order, as a tensor of another shape.
    pub(super) fn at(&self, shape: &[usize], places: &[usize]) -> Option<Tensor> {
        let data = match &self.data {
            Data::Floats(of) => {
                Data::Floats(places.iter().map(|&i| of.get(i).copied()).collect::<Option<_>>()?)
            }
            Data::Ints(of) => Data::Ints(places.iter().map(|&i| of.get(i).copied()).collect::<Option<_>>()?),
        };
        Some(Tensor { shape: shape.to_vec(), kind: self.kind, data })
    }

    /// Reads a constant; that of a file with external data, from the folder.
    pub(super) fn read(of: &proto::Tensor, folder: Option<&Path>) -> Outcome<Tensor> {
        let kind = Kind::of(of.data_type.into())?;
        let shape: Option<Vec<usize>> = of.dims.iter().map(|&d| usize::try_from(d).ok()).collect();
        let Some(shape) = shape else { return invalid(format!("the shape {:?} is negative", of.dims)) };
        let count = volume(&shape)?;
        let bytes = (count * kind.bits()).div_ceil(8);
        let data = match of.data_location {
            0 if !of.raw_data.is_empty() => from_raw(kind, count, bytes, &of.raw_data),
            0 => from_fields(kind, count, of),
            1 => from_raw(kind, count, bytes, &external(of, folder, bytes)?),
            other => return invalid(format!("data location {other} is not defined by ONNX")),
        };
        match data {
            Some(data) => Ok(Tensor { shape, kind, data }),
            None => invalid(format!("its data are not those of {count} elements of {}", kind.name())),
        }
    }
}

fn from_raw(kind: Kind, count: usize, bytes: usize, raw: &[u8]) -> Option<Data> {
    if raw.len() != bytes {
        return None;
    }
    macro_rules! all {
        ($ty:ty, $n:literal, $map:expr) => {
            raw.chunks_exact($n)
                .map(|b| $map(<$ty>::from_le_bytes(b.try_into().unwrap_or([0; $n]))))
                .collect()
        };
    }
    #[allow(clippy::cast_possible_truncation, reason = "the network is computed in single precision")]
    Some(match kind {
        Kind::Float => Data::Floats(all!(f32, 4, |x| x)),
        Kind::Double => Data::Floats(all!(f64, 8, |x| x as f32)),
        Kind::Float16 => Data::Floats(all!(u16, 2, half)),
        Kind::Bfloat16 => Data::Floats(all!(u16, 2, |x: u16| f32::from_bits(u32::from(x) << 16))),
        Kind::Int8 => Data::Ints(all!(i8, 1, i64::from)),
        Kind::Uint8 => Data::Ints(all!(u8, 1, i64::from)),
        Kind::Bool => Data::Ints(all!(u8, 1, |x| i64::from(x != 0))),
        Kind::Int16 => Data::Ints(all!(i16, 2, i64::from)),
        Kind::Uint16 => Data::Ints(all!(u16, 2, i64::from)),
        Kind::Int32 => Data::Ints(all!(i32, 4, i64::from)),
        Kind::Uint32 => Data::Ints(all!(u32, 4, i64::from)),
        Kind::Int64 => Data::Ints(all!(i64, 8, |x| x)),
        Kind::Uint64 => Data::Ints(all!(u64, 8, |x| i64::try_from(x).unwrap_or(i64::MAX))),
        Kind::Int4 | Kind::Uint4 => Data::Ints(
            raw.iter().flat_map(|&b| [b & 15, b >> 4]).take(count).map(|n| nibble(kind, n)).collect(),
        ),
    })
}

fn nibble(kind: Kind, bits: u8) -> i64 {
    let value = i64::from(bits);
    if kind == Kind::Int4 && value > 7 { value - 16 } else { value }
}

/// A float of 16 bits.
fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (bits >> 15, (bits >> 10) & 31, f32::from(bits & 0x3ff));
    let value = match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        e => (1024.0 + fraction) * 2f32.powi(i32::from(e) - 25),
    };
    if sign == 0 { value } else { -value }
}

/// Elements in the field of their type; small types are in `int32_data`.
fn from_fields(kind: Kind, count: usize, of: &proto::Tensor) -> Option<Data> {
    let small = || of.int32_data.iter().map(|&i| i64::from(i));
    #[allow(clippy::cast_possible_truncation, reason = "the network is computed in single precision")]
    let data = match kind {
        Kind::Float => Data::Floats(of.float_data.clone()),
        Kind::Double => Data::Floats(of.double_data.iter().map(|&x| x as f32).collect()),
        Kind::Float16 => Data::Floats(small().map(|x| u16::try_from(x).map_or(f32::NAN, half)).collect()),
        Kind::Bfloat16 => Data::Floats(
            small()
                .map(|x| u16::try_from(x).map_or(f32::NAN, |x| f32::from_bits(u32::from(x) << 16)))
                .collect(),
        ),
        Kind::Int64 => Data::Ints(of.int64_data.clone()),
        Kind::Uint32 | Kind::Uint64 => {
            Data::Ints(of.uint64_data.iter().map(|&x| i64::try_from(x).unwrap_or(i64::MAX)).collect())
        }
        Kind::Int4 | Kind::Uint4 => {
            let bytes: Vec<u8> = small().map(|x| u8::try_from(x & 255).unwrap_or(0)).collect();
            return from_raw(kind, count, count.div_ceil(2), &bytes);
        }
        Kind::Int8 | Kind::Uint8 | Kind::Int16 | Kind::Uint16 | Kind::Int32 | Kind::Bool => {
            let (least, most) = kind.range();
            Data::Ints(small().map(|x| (least..=most).contains(&x).then_some(x)).collect::<Option<_>>()?)
        }
    };
    let found = match &data {
        Data::Floats(floats) => floats.len(),
        Data::Ints(ints) => ints.len(),
    };
    (found == count).then_some(data)
}

/// The bytes of a tensor in another file, which must be below the folder.
fn external(of: &proto::Tensor, folder: Option<&Path>, bytes: usize) -> Outcome<Vec<u8>> {
    let entry = |key: &str| of.external_data.iter().find(|e| e.key == key).map(|e| e.value.as_str());
    let location = entry("location").unwrap_or_default();
    let Some(folder) = folder else {
        return invalid(format!("its data are in another file, '{location}', and no folder is known"));
    };
    let number = |key: &str| entry(key).map(str::parse::<u64>).transpose();
    let (Ok(offset), Ok(length)) = (number("offset"), number("length")) else {
        return invalid("offset and length of external data must be numbers");
    };
    let relative = Path::new(location);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if location.is_empty() || !plain {
        return invalid(format!("its data must be in the folder of the file, not in '{location}'"));
    }
    if length.is_some_and(|length| length != bytes as u64) {
        return invalid(format!(
            "its data must be {bytes} bytes of '{location}', not {}",
            length.unwrap_or(0)
        ));
    }
    let inside = folder.canonicalize().and_then(|root| Ok((folder.join(relative).canonicalize()?, root)));
    let read = |path: &Path| -> std::io::Result<Option<Vec<u8>>> {
        let mut file = File::open(path)?;
        let (about, offset) = (file.metadata()?, offset.unwrap_or(0));
        if !about.is_file() || offset.checked_add(bytes as u64).is_none_or(|end| end > about.len()) {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(offset))?;
        let mut data = vec![0; bytes];
        file.read_exact(&mut data)?;
        Ok(Some(data))
    };
    match inside {
        Ok((path, root)) if path.starts_with(&root) => match read(&path) {
            Ok(Some(data)) => Ok(data),
            Ok(None) => invalid(format!("'{location}' is too short for its data")),
            Err(error) => invalid(format!("its data cannot be read from '{location}': {error}")),
        },
        Ok(_) => invalid(format!("its data must be in the folder of the file, not in '{location}'")),
        Err(error) => invalid(format!("its data cannot be read from '{location}': {error}")),
    }
}
