//! Elements of constants. Invariant: the bytes are as many as shape and type say.

use super::Elem;

/// A constant's elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant<'a> {
    /// Its extents.
    pub shape: &'a [usize],
    /// Its elements.
    pub elem: Elem,
    /// Little-endian.
    pub bytes: &'a [u8],
}

impl Constant<'_> {
    /// Its integers; none for floats.
    #[must_use]
    pub fn ints(&self) -> Option<Vec<i64>> {
        let size = self.elem.bytes();
        let wide = |bytes: &[u8]| {
            let mut wide = if bytes.last().is_some_and(|&top| top >= 0x80) { [0xff; 8] } else { [0; 8] };
            wide.iter_mut().zip(bytes).for_each(|(to, &from)| *to = from);
            i64::from_le_bytes(wide)
        };
        match self.elem {
            Elem::F32 => None,
            Elem::Bool => Some(self.bytes.iter().map(|&b| i64::from(b != 0)).collect()),
            Elem::I4 | Elem::I8 | Elem::I16 | Elem::I32 | Elem::I48 => {
                Some(self.bytes.chunks_exact(size).map(wide).collect())
            }
        }
    }

    /// Its floats; none for integers.
    #[must_use]
    pub fn floats(&self) -> Option<Vec<f32>> {
        let float = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).map_or(0.0, f32::from_le_bytes);
        (self.elem == Elem::F32).then(|| self.bytes.chunks_exact(4).map(float).collect())
    }
}
