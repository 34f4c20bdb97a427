//! The `.npy` format itself. The header is checked before it goes to `npyz`, which trusts it in places.

use std::io::{self, Read as _};

use dpu_isa::{Dtype, IoDesc};
use npyz::npz::NpzWriter;
use npyz::zip::DateTime;
use npyz::zip::write::FileOptions;
use npyz::{DType, NpyHeader, Order, WriterBuilder};

use super::Buffer;
use crate::tensor::Tensor;

/// Most bytes of a header; numpy writes some hundred.
const MAX_HEADER: usize = 64 << 10;
/// Most elements of an array: far beyond any tensor, and safe to multiply by an element's size.
const MAX_ELEMENTS: u64 = 1 << 48;

/// Element types of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Bool,
    Int { signed: bool, bytes: usize },
}

impl Stored {
    /// The name numpy gives it.
    fn name(self) -> String {
        match self {
            Stored::Bool => "bool".to_owned(),
            Stored::Int { signed, bytes } => format!("{}int{}", if signed { "" } else { "u" }, 8 * bytes),
        }
    }

    fn bytes(self) -> usize {
        match self {
            Stored::Bool => 1,
            Stored::Int { bytes, .. } => bytes,
        }
    }

    fn of(dtype: Dtype) -> Stored {
        let signed = matches!(dtype, Dtype::I8 | Dtype::I16 | Dtype::I32);
        Stored::Int { signed, bytes: dtype.bytes() as usize }
    }
}

/// The tensor in the bytes of an `.npy` file, as `desc` wants it.
///
/// # Errors
/// Says what is wrong, with what was expected and found.
pub(super) fn decode(bytes: &[u8], desc: &IoDesc) -> Result<Tensor, String> {
    if bytes.is_empty() {
        return Err("the file is empty".to_owned());
    }
    check_header(bytes)?;
    let mut rest = bytes;
    let header = NpyHeader::from_reader(&mut rest).map_err(|e| format!("not an .npy file: {e}"))?;
    let (stored, big_endian) = element_type(&header.dtype())?;
    let (got, want) = (header.shape(), &desc.shape[..]);
    if got != want {
        return Err(format!("expected shape {want:?}, got {got:?}"));
    }
    let layout = Layout { shape: Vec::new(), column_major: false, stored, big_endian };
    let needed = usize::try_from(header.len()).ok().and_then(|n| n.checked_mul(stored.bytes()));
    if needed == Some(rest.len()) && layout.is_plain(desc.dtype) && header.order() == Order::C {
        return layout.values(rest, desc);
    }
    if needed != Some(rest.len()) {
        let (name, got) = (stored.name(), rest.len());
        return Err(format!("{got} bytes of data do not make {name}{want:?}"));
    }
    let mut values = Vec::with_capacity(rest.len() / stored.bytes());
    for element in rest.chunks_exact(stored.bytes()) {
        values.push(convert(integer(element, stored, big_endian), stored, desc.dtype)?);
    }
    if header.order() == Order::Fortran {
        values = row_major(&values, want);
    }
    Ok(Tensor::from_values(desc.dtype, want, &values))
}

/// Elements of an array, as its header claims and as its bytes allow; 0 if there is none.
pub(super) fn elements(bytes: &[u8]) -> u64 {
    let mut rest = bytes;
    let header = check_header(bytes).ok().and_then(|()| NpyHeader::from_reader(&mut rest).ok());
    header.map_or(0, |header| header.len().min(bytes.len() as u64))
}

/// Bytes that [`decode`] needs at most, beside those of the file.
pub(super) fn decoding_bytes(bytes: &[u8], desc: &IoDesc) -> u64 {
    // The tensor, which may grow by doubling, and elements of other types as numbers of 32 bits, twice in column-major order.
    elements(bytes).saturating_mul(2 * desc.dtype.bytes() + 8)
}

/// What the header of a file says.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) shape: Vec<u64>,
    pub(super) column_major: bool,
    stored: Stored,
    big_endian: bool,
}

impl Layout {
    /// Bytes of a part of this shape.
    pub(super) fn sample_bytes(&self, shape: &[u64]) -> Option<u64> {
        shape.iter().try_fold(self.stored.bytes() as u64, |n, &d| n.checked_mul(d))
    }

    /// Whether elements are stored as a tensor of `dtype` has them.
    fn is_plain(&self, dtype: Dtype) -> bool {
        self.stored == Stored::of(dtype) && (self.stored.bytes() == 1 || !self.big_endian)
    }

    /// The elements of a part, as `desc` wants them.
    pub(super) fn values(&self, data: &[u8], desc: &IoDesc) -> Result<Tensor, String> {
        if self.is_plain(desc.dtype) {
            return Ok(Tensor { dtype: desc.dtype, shape: desc.shape.clone(), data: data.to_vec() });
        }
        let elements = data.chunks_exact(self.stored.bytes());
        let values =
            elements.map(|e| convert(integer(e, self.stored, self.big_endian), self.stored, desc.dtype));
        Ok(Tensor::from_values(desc.dtype, &desc.shape, &values.collect::<Result<Vec<_>, _>>()?))
    }
}

/// The layout of a file, and where its data starts.
///
/// # Errors
/// Says what is wrong.
pub(super) fn layout(file: &mut impl io::Read) -> Result<(Layout, u64), String> {
    let mut head = Vec::new();
    // Longer headers are refused, so that this much holds any.
    let limit = MAX_HEADER as u64 + 16;
    file.take(limit).read_to_end(&mut head).map_err(|e| e.to_string())?;
    if head.is_empty() {
        return Err("the file is empty".to_owned());
    }
    check_header(&head)?;
    let mut rest = &head[..];
    let header = NpyHeader::from_reader(&mut rest).map_err(|e| format!("not an .npy file: {e}"))?;
    let (stored, big_endian) = element_type(&header.dtype())?;
    let column_major = header.order() == Order::Fortran;
    let layout = Layout { shape: header.shape().to_vec(), column_major, stored, big_endian };
    Ok((layout, (head.len() - rest.len()) as u64))
}

/// The header of a file whose data is written elsewhere: row-major, little endian.
pub(super) fn header(dtype: Dtype, shape: &[u64]) -> Vec<u8> {
    let extents: String = shape.iter().map(|d| format!("{d}, ")).collect();
    let descr = super::samples::descr(dtype);
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({extents}), }}");
    // Data starts on a multiple of 64.
    let len = (10 + text.len() + 1).next_multiple_of(64) - 10;
    text.extend(std::iter::repeat_n(' ', len - 1 - text.len()));
    text.push('\n');
    let len = u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &len[..], text.as_bytes()].concat()
}

/// Refuses headers that are no plain array of scalars, so that the parser behind sees only harmless ones: it
/// recurses on nesting and multiplies the dimensions unchecked.
pub(super) fn check_header(bytes: &[u8]) -> Result<(), String> {
    let not_npy = || "not an .npy file".to_owned();
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or_else(not_npy)?;
    let (len, text) = match *rest {
        [1, _, a, b, ref text @ ..] => (usize::from(u16::from_le_bytes([a, b])), text),
        [2 | 3, _, a, b, c, d, ref text @ ..] => (u32::from_le_bytes([a, b, c, d]) as usize, text),
        [version, ..] => return Err(format!("unknown version {version} of the .npy format")),
        [] => return Err(not_npy()),
    };
    if len > MAX_HEADER {
        return Err(format!("a header of {len} bytes"));
    }
    let text = text.get(..len).ok_or("the file ends within its header")?;
    let mut quoted = false;
    let mut depth = 0;
    let mut product = 1u64;
    let mut number: Option<u64> = None;
    for &c in text.iter().chain(b" ") {
        number = match (c, quoted) {
            (b'0'..=b'9', false) => {
                Some(number.unwrap_or(0).saturating_mul(10).saturating_add(u64::from(c - b'0')))
            }
            _ => {
                product = product.saturating_mul(number.unwrap_or(1).max(1));
                None
            }
        };
        match (c, quoted) {
            (b'\'' | b'"', _) => quoted = !quoted,
            (_, true) | (b'0'..=b'9' | b' ' | b'\n' | b',' | b':', false) => {}
            (b'(' | b'{', false) => depth += 1,
            (b')' | b'}', false) => depth -= 1,
            (c, false) if b"TrueFalse".contains(&c) => {}
            (c, false) => return Err(format!("unexpected {:?} in the header", char::from(c))),
        }
        if depth > 2 {
            return Err("a header that nests more than a shape".to_owned());
        }
    }
    if product > MAX_ELEMENTS {
        return Err(format!("an array of {product} elements or more"));
    }
    Ok(())
}

/// The element type of a file, and whether it is big endian.
fn element_type(dtype: &DType) -> Result<(Stored, bool), String> {
    let DType::Plain(plain) = dtype else {
        return Err(format!("elements of type {}, expected integers", dtype.descr()));
    };
    let text = plain.to_string();
    let (endian, kind) = text.split_at_checked(1).unwrap_or_default();
    let int = |signed, bytes| Stored::Int { signed, bytes };
    let stored = match kind {
        "b1" => Stored::Bool,
        "i1" => int(true, 1),
        "i2" => int(true, 2),
        "i4" => int(true, 4),
        "i8" => int(true, 8),
        "u1" => int(false, 1),
        "u2" => int(false, 2),
        "u4" => int(false, 4),
        "u8" => int(false, 8),
        _ => return Err(format!("elements of type '{text}', expected integers")),
    };
    Ok((stored, endian == ">"))
}

/// A type of numbers, floating ones too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Float { bytes: usize, big_endian: bool },
    Integer { stored: Stored, big_endian: bool },
}

impl Number {
    pub(super) fn is_integer(self) -> bool {
        matches!(self, Number::Integer { .. })
    }

    pub(super) fn bytes(self) -> usize {
        match self {
            Number::Float { bytes, .. } => bytes,
            Number::Integer { stored, .. } => stored.bytes(),
        }
    }

    /// The nearest number of single precision.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "single precision is asked for"
    )]
    pub(super) fn value(self, element: &[u8]) -> f32 {
        match self {
            Number::Integer { stored, big_endian } => integer(element, stored, big_endian) as f32,
            Number::Float { big_endian, .. } => {
                let mut bytes = element.to_vec();
                if big_endian {
                    bytes.reverse();
                }
                match (bytes.as_slice().try_into(), bytes.as_slice().try_into()) {
                    (Ok(single), _) => f32::from_le_bytes(single),
                    (_, Ok(double)) => f64::from_le_bytes(double) as f32,
                    _ => f32::NAN,
                }
            }
        }
    }
}

/// The type of an array's numbers.
pub(super) fn number_type(dtype: &DType) -> Result<Number, String> {
    let text = match dtype {
        DType::Plain(plain) => plain.to_string(),
        _ => dtype.descr(),
    };
    let big_endian = text.starts_with('>');
    match text.get(1..) {
        Some("f4") => Ok(Number::Float { bytes: 4, big_endian }),
        Some("f8") => Ok(Number::Float { bytes: 8, big_endian }),
        _ => match element_type(dtype) {
            Ok((stored, big_endian)) => Ok(Number::Integer { stored, big_endian }),
            Err(_) => Err(format!("elements of type '{text}', expected f4, f8 or integers")),
        },
    }
}

/// The value of an element.
fn integer(element: &[u8], stored: Stored, big_endian: bool) -> i128 {
    let push = |value: u64, &byte: &u8| value << 8 | u64::from(byte);
    let raw = if big_endian { element.iter().fold(0, push) } else { element.iter().rev().fold(0, push) };
    match stored {
        Stored::Bool => i128::from(raw != 0),
        Stored::Int { signed: false, .. } => i128::from(raw),
        Stored::Int { signed: true, bytes } => {
            let unused = 64 - 8 * bytes.clamp(1, 8);
            i128::from((raw << unused).cast_signed() >> unused)
        }
    }
}

/// The value as `dtype`: the same type, booleans, or a wide integer whose value fits.
fn convert(value: i128, stored: Stored, dtype: Dtype) -> Result<i32, String> {
    let wide = matches!(stored, Stored::Int { bytes: 8, .. } | Stored::Int { signed: false, bytes: 4 });
    if stored != Stored::of(dtype) && stored != Stored::Bool && !wide {
        return Err(format!("expected {}, got {}", Stored::of(dtype).name(), stored.name()));
    }
    i32::try_from(value).ok().filter(|&v| dtype.contains(v)).ok_or_else(|| {
        let (want, got) = (Stored::of(dtype).name(), stored.name());
        format!("expected {want}, got {got} with the value {value}, which does not fit")
    })
}

/// Row-major values of a column-major array.
pub(super) fn row_major<T: Copy + Default>(values: &[T], shape: &[u64]) -> Vec<T> {
    let mut strides = vec![0; shape.len()];
    let mut step = 1;
    for (stride, &extent) in strides.iter_mut().zip(shape) {
        *stride = step;
        step *= extent as usize;
    }
    let mut out = Vec::with_capacity(values.len());
    let mut index = vec![0; shape.len()];
    for _ in 0..values.len() {
        let at: usize = index.iter().zip(&strides).map(|(i, s)| i * s).sum();
        out.push(values.get(at).copied().unwrap_or_default());
        for (i, &extent) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if (*i as u64) < extent {
                break;
            }
            *i = 0;
        }
    }
    out
}

/// The bytes of an `.npy` file.
pub(super) fn encode(tensor: &Tensor) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match tensor.dtype {
        Dtype::I8 => write::<i8, _>(npyz::WriteOptions::new().writer(&mut bytes), tensor),
        Dtype::U8 => write::<u8, _>(npyz::WriteOptions::new().writer(&mut bytes), tensor),
        Dtype::I16 => write::<i16, _>(npyz::WriteOptions::new().writer(&mut bytes), tensor),
        Dtype::U16 => write::<u16, _>(npyz::WriteOptions::new().writer(&mut bytes), tensor),
        Dtype::I32 => write::<i32, _>(npyz::WriteOptions::new().writer(&mut bytes), tensor),
    }?;
    Ok(bytes)
}

/// The bytes of an `.npz` archive. Equal arrays give equal bytes: no time is recorded.
pub(super) fn encode_archive<'a>(arrays: impl Iterator<Item = (&'a str, &'a Tensor)>) -> io::Result<Vec<u8>> {
    let mut buffer = Buffer::default();
    let mut archive = NpzWriter::new(&mut buffer);
    let options = || FileOptions::default().last_modified_time(DateTime::default());
    for (name, tensor) in arrays {
        match tensor.dtype {
            Dtype::I8 => write::<i8, _>(archive.array(name, options())?, tensor),
            Dtype::U8 => write::<u8, _>(archive.array(name, options())?, tensor),
            Dtype::I16 => write::<i16, _>(archive.array(name, options())?, tensor),
            Dtype::U16 => write::<u16, _>(archive.array(name, options())?, tensor),
            Dtype::I32 => write::<i32, _>(archive.array(name, options())?, tensor),
        }?;
    }
    archive.zip_writer().finish().map_err(io::Error::other)?;
    drop(archive);
    Ok(buffer.into_inner())
}

/// Writes all elements as `T`, which is the tensor's type.
fn write<T, B>(builder: B, tensor: &Tensor) -> io::Result<()>
where
    T: npyz::AutoSerialize + TryFrom<i32>,
    B: npyz::write_options::HasWriter + WriterBuilder<T>,
    B::Writer: io::Write,
{
    let mut writer = builder.default_dtype().shape(&tensor.shape).begin_nd()?;
    writer.extend(tensor.values().into_iter().filter_map(|v| T::try_from(v).ok()))?;
    writer.finish()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    fn desc(dtype: Dtype, shape: &[u64]) -> IoDesc {
        IoDesc { name: "x".into(), dtype, shape: shape.to_vec(), addr: 0 }
    }

    /// A version 1 file of this type string, order, shape text and data.
    fn file(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let text = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let len = u16::try_from(text.len()).unwrap().to_le_bytes();
        [b"\x93NUMPY\x01\x00", &len[..], text.as_bytes(), data].concat()
    }

    fn values(bytes: &[u8], dtype: Dtype, shape: &[u64]) -> Result<Vec<i32>, String> {
        decode(bytes, &desc(dtype, shape)).map(|t| t.values())
    }

    #[test]
    fn every_type_goes_out_and_comes_back() {
        for &dtype in Dtype::ALL {
            for shape in [&[][..], &[4], &[2, 1, 2], &[0, 3]] {
                let n = shape.iter().product::<u64>() as usize;
                let all = [dtype.max(), dtype.min(), 0, 1];
                let tensor = Tensor::from_values(dtype, shape, &all[..n]);
                assert_eq!(decode(&encode(&tensor).unwrap(), &desc(dtype, shape)).unwrap(), tensor);
            }
        }
    }

    #[test]
    fn wide_integers_and_booleans_are_checked() {
        let wide = [5i64, -128].map(i64::to_le_bytes).concat();
        assert_eq!(values(&file("<i8", "False", "(2,)", &wide), Dtype::I8, &[2]), Ok(vec![5, -128]));
        let too_wide = [5i64, 128].map(i64::to_le_bytes).concat();
        assert_eq!(
            values(&file("<i8", "False", "(2,)", &too_wide), Dtype::I8, &[2]).unwrap_err(),
            "expected int8, got int64 with the value 128, which does not fit"
        );
        assert_eq!(values(&file("|b1", "False", "(3,)", &[1, 0, 1]), Dtype::I32, &[3]), Ok(vec![1, 0, 1]));
        let unsigned = u64::MAX.to_le_bytes();
        assert!(values(&file("<u8", "False", "()", &unsigned), Dtype::I32, &[]).is_err());
    }

    #[test]
    fn other_types_are_named() {
        let error = values(&file("|u1", "False", "(1,)", &[1]), Dtype::I8, &[1]).unwrap_err();
        assert_eq!(error, "expected int8, got uint8");
        let error = values(&file("<f4", "False", "(1,)", &[0; 4]), Dtype::I8, &[1]).unwrap_err();
        assert_eq!(error, "elements of type '<f4', expected integers");
    }

    #[test]
    fn byte_and_element_order_are_undone() {
        let big = [0x0102i16, -2].map(i16::to_be_bytes).concat();
        assert_eq!(values(&file(">i2", "False", "(2,)", &big), Dtype::I16, &[2]), Ok(vec![0x0102, -2]));
        let columns = file("|i1", "True", "(2, 3)", &[1, 4, 2, 5, 3, 6]);
        assert_eq!(values(&columns, Dtype::I8, &[2, 3]), Ok(vec![1, 2, 3, 4, 5, 6]));
    }

    #[test]
    fn shapes_and_lengths_must_fit() {
        let bytes = file("|i1", "False", "(2, 3)", &[0; 6]);
        assert_eq!(values(&bytes, Dtype::I8, &[3, 2]).unwrap_err(), "expected shape [3, 2], got [2, 3]");
        let short = file("|i1", "False", "(2, 3)", &[0; 5]);
        assert_eq!(values(&short, Dtype::I8, &[2, 3]).unwrap_err(), "5 bytes of data do not make int8[2, 3]");
        let long = file("|i1", "False", "(2, 3)", &[0; 7]);
        assert!(values(&long, Dtype::I8, &[2, 3]).is_err());
    }

    #[test]
    fn hostile_headers_are_refused() {
        let nested = format!("{}{}", "(".repeat(3000), ")".repeat(3000));
        for (shape, want) in [
            (&nested[..], "nests more"),
            ("(18446744073709551615, 18446744073709551615)", "elements or more"),
            ("(0x10, 2)", "unexpected 'x'"),
            ("(-1,)", "unexpected '-'"),
            ("(1_0,)", "unexpected '_'"),
        ] {
            let error = values(&file("|i1", "False", shape, &[]), Dtype::I8, &[1]).unwrap_err();
            assert!(error.contains(want), "{error}");
        }
        for bytes in [
            &b"x"[..],
            b"\x93NUMPY",
            b"\x93NUMPY\x01\x00",
            b"\x93NUMPY\x09\x00\x00\x00",
            b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
        ] {
            assert!(values(bytes, Dtype::I8, &[1]).is_err());
        }
    }

    proptest! {
        #[test]
        fn mutated_files_never_panic(edits in vec((any::<Index>(), any::<u8>()), 1..=4), keep: Index) {
            let mut bytes = file("|i1", "False", "(2, 3)", &[1, 2, 3, 4, 5, 6]);
            for (at, byte) in edits {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(keep.index(bytes.len() + 1));
            let _ = values(&bytes, Dtype::I8, &[2, 3]);
        }
    }
}
