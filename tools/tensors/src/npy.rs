//! The `.npy` format itself. The header is checked before it is passed to `npyz`, which partly trusts it.

use std::io::{self, Read as _};

use dpu_isa::IoDesc;
use npyz::{NpyHeader, Order};

use crate::element::{Accept, Element, row_major};
use crate::tensor::Tensor;

/// Maximum header size in bytes; numpy writes a few hundred.
pub(crate) const MAX_HEADER: usize = 64 << 10;
/// Maximum number of elements: far beyond any tensor, and safe to multiply by an element's size.
const MAX_ELEMENTS: u64 = 1 << 48;

/// The contents of a file header.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) shape: Vec<u64>,
    pub(crate) column_major: bool,
    pub(crate) element: Element,
}

impl Layout {
    /// The layout of a file, and the data after its header.
    ///
    /// # Errors
    /// When the header is invalid.
    pub(crate) fn parse(bytes: &[u8], accept: Accept) -> Result<(Layout, &[u8]), String> {
        if bytes.is_empty() {
            return Err("the file is empty".to_owned());
        }
        check_header(bytes)?;
        let mut rest = bytes;
        let header = NpyHeader::from_reader(&mut rest).map_err(|e| format!("not an .npy file: {e}"))?;
        let element = Element::of(&header.dtype(), accept)?;
        let column_major = header.order() == Order::Fortran;
        Ok((Layout { shape: header.shape().to_vec(), column_major, element }, rest))
    }

    /// The layout of an open file, and the offset of its data.
    ///
    /// # Errors
    /// When the header is invalid.
    pub(crate) fn read(file: &mut impl io::Read, accept: Accept) -> Result<(Layout, u64), String> {
        let mut head = Vec::new();
        // Longer headers are refused, so that this much suffices for any.
        let limit = MAX_HEADER as u64 + 16;
        file.take(limit).read_to_end(&mut head).map_err(|e| e.to_string())?;
        let (layout, rest) = Layout::parse(&head, accept)?;
        Ok((layout, (head.len() - rest.len()) as u64))
    }

    /// Size in bytes of a part of this shape.
    pub(crate) fn part_bytes(&self, shape: &[u64]) -> Option<u64> {
        shape.iter().try_fold(self.element.bytes() as u64, |n, &d| n.checked_mul(d))
    }

    /// Checks that the number of data bytes matches the shape.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) fn check_data(&self, data: &[u8]) -> Result<(), String> {
        match self.part_bytes(&self.shape) {
            Some(needed) if needed == data.len() as u64 => Ok(()),
            _ => {
                let (got, name, shape) = (data.len(), self.element.name(), &self.shape);
                Err(format!("{got} bytes of data do not make {name}{shape:?}"))
            }
        }
    }

    /// The elements of a part in stored order, converted to the type of `desc`.
    pub(crate) fn values(&self, data: &[u8], desc: &IoDesc) -> Result<Tensor, String> {
        if self.element.is_plain(desc) {
            return Ok(Tensor { dtype: desc.dtype, shape: desc.shape.clone(), data: data.to_vec() });
        }
        Ok(Tensor::from_values(desc.dtype, &desc.shape, &self.converted(data, desc)?))
    }

    fn converted(&self, data: &[u8], desc: &IoDesc) -> Result<Vec<i32>, String> {
        data.chunks_exact(self.element.bytes()).map(|e| self.element.convert(e, desc)).collect()
    }
}

/// The tensor in the bytes of an `.npy` file, converted to the type of `desc`.
///
/// # Errors
/// The mismatch, with what was expected and found.
pub(crate) fn decode(bytes: &[u8], desc: &IoDesc) -> Result<Tensor, String> {
    let (layout, data) = Layout::parse(bytes, Accept::by(desc))?;
    let (got, want) = (&layout.shape, &desc.shape);
    if got != want {
        return Err(format!("expected shape {want:?}, got {got:?}"));
    }
    layout.check_data(data)?;
    if !layout.column_major {
        return layout.values(data, desc);
    }
    let values = row_major(&layout.converted(data, desc)?, want);
    Ok(Tensor::from_values(desc.dtype, want, &values))
}

/// Elements of an array, bounded by its header and by its bytes; 0 if there is none.
pub(crate) fn elements(bytes: &[u8]) -> u64 {
    let layout = Layout::parse(bytes, Accept::Numbers);
    let claimed =
        layout.ok().and_then(|(layout, _)| layout.shape.iter().try_fold(1u64, |n, &d| n.checked_mul(d)));
    claimed.unwrap_or(0).min(bytes.len() as u64)
}

/// Upper bound on the memory of [`decode`] in bytes, in addition to those of the file.
pub(crate) fn decoding_bytes(bytes: &[u8], desc: &IoDesc) -> u64 {
    // The tensor, which may grow by doubling, and elements of other types as 32-bit numbers, twice in column-major order.
    elements(bytes).saturating_mul(2 * desc.dtype.bytes() + 8)
}

/// The header of a file: row-major, little endian. The tensor's bytes are its data.
pub(crate) fn header(descr: &str, shape: &[u64]) -> Vec<u8> {
    // As numpy writes a tuple: some readers look for exactly that.
    let extents: Vec<String> = shape.iter().map(u64::to_string).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    let extents = extents.join(", ") + comma;
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({extents}), }}");
    // Data is aligned to 64 bytes.
    let len = (10 + text.len() + 1).next_multiple_of(64) - 10;
    text.extend(std::iter::repeat_n(' ', len - 1 - text.len()));
    text.push('\n');
    let len = u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &len[..], text.as_bytes()].concat()
}

/// Refuses headers that are not a plain array of scalars, so that the underlying parser sees only harmless
/// ones: it recurses on nesting and multiplies the dimensions unchecked.
fn check_header(bytes: &[u8]) -> Result<(), String> {
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

#[cfg(test)]
mod tests {
    use dpu_isa::Dtype;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::element::descr;
    use crate::testing::{self, file};

    fn desc(dtype: Dtype, shape: &[u64]) -> IoDesc {
        testing::desc("x", dtype, shape)
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
                let bytes = [header(descr(dtype), shape), tensor.data.clone()].concat();
                assert_eq!(decode(&bytes, &desc(dtype, shape)).unwrap(), tensor);
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
