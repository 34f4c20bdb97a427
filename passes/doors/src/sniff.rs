//! Recognizes files by their content. Invariant: MLIR, as text or bytecode, is never taken for another format.

use crate::Door;

/// The format of a file; none if it is neither TFLite nor ONNX. A truncated file is recognized by its beginning.
#[must_use]
pub fn sniff(bytes: &[u8]) -> Option<Door> {
    if bytes.get(4..8) == Some(b"TFL3") {
        return Some(Door::Tflite);
    }
    is_model(bytes).then_some(Door::Onnx)
}

/// Whether the bytes are a `ModelProto` by its top-level fields: nothing else is looked at.
fn is_model(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut graph = false;
    while !rest.is_empty() {
        match field(&mut rest) {
            Some(number) => graph |= number == 7,
            // Exporters write `ir_version` first, and no text begins with this byte.
            None => return bytes.first() == Some(&0x08),
        }
    }
    graph
}

/// Skips a field of `ModelProto` and returns its number.
fn field(rest: &mut &[u8]) -> Option<u64> {
    let tag = varint(rest)?;
    match (tag >> 3, tag & 7) {
        (number @ (1 | 5), 0) => varint(rest).map(|_| number),
        (number @ (2 | 3 | 4 | 6 | 7 | 8 | 14 | 20 | 25 | 26), 2) => {
            let length = usize::try_from(varint(rest)?).ok()?;
            *rest = rest.get(length..)?;
            Some(number)
        }
        _ => None,
    }
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, behind) = rest.split_first()?;
        *rest = behind;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_recognized_by_content() {
        assert_eq!(sniff(b"\x1c\0\0\0TFL3"), Some(Door::Tflite));
        assert_eq!(sniff(b"\x08\x07\x3a\x00\x42\x00"), Some(Door::Onnx));
        assert_eq!(sniff(b"\x08\x07\x3a\x7f"), Some(Door::Onnx), "truncated");
        for other in [
            &b""[..],
            b"module {}",
            b"\"builtin.module\"() ({})",
            b"\n\n",
            b"ML\xefR\x0d",
            b"// \n",
            b"2\x00",
        ] {
            assert_eq!(sniff(other), None, "{other:?}");
        }
    }
}
