//! Constant tensors and the operations that move or map them, in plain Rust.
//!
//! Invariant: the data of a [`Literal`] are either one element (a splat) or as many little-endian elements as its shape has.
//! Every operation checks its arguments and returns `None` if they do not match: the caller then leaves the op unchanged.

use std::borrow::Cow;

use strum_files::{OverLimit, budget};

use super::elem::Elem;

/// A constant tensor, borrowing the data of its attribute as long as nothing changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal<'a> {
    shape: Vec<u64>,
    elem: Elem,
    data: Data<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Data<'a> {
    Splat(i32),
    Dense(Cow<'a, [u8]>),
}

/// The number of elements of a shape, if it fits in memory.
#[must_use]
pub fn volume(shape: &[u64]) -> Option<usize> {
    let count = shape.iter().try_fold(1_u64, |n, &d| n.checked_mul(d))?;
    usize::try_from(count).ok().filter(|&n| n <= isize::MAX as usize / 4)
}

/// Row-major strides in elements.
#[must_use]
fn strides(shape: &[u64]) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i].saturating_mul(usize::try_from(shape[i]).unwrap_or(usize::MAX));
    }
    strides
}

/// Calls `f` with the offset of every position of `shape`, in row-major order, for the given strides and base.
fn for_each_offset(shape: &[u64], strides: &[usize], base: usize, mut f: impl FnMut(usize)) {
    if shape.contains(&0) {
        return;
    }
    let mut index = vec![0_u64; shape.len()];
    let mut offset = base;
    loop {
        f(offset);
        let mut axis = shape.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            offset += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            // Index and offset were advanced by the same count, so this subtraction cannot go below the base.
            offset -= strides[axis] * usize::try_from(shape[axis]).unwrap_or(0);
            index[axis] = 0;
        }
    }
}

impl<'a> Literal<'a> {
    /// A tensor of one repeated value, given as its stored bits.
    #[must_use]
    pub fn splat(shape: Vec<u64>, elem: Elem, value: i32) -> Literal<'a> {
        Literal { shape, elem, data: Data::Splat(elem.wrap(value)) }
    }

    /// A tensor of little-endian bytes; `None` if their number does not fit the shape.
    #[must_use]
    pub fn dense(shape: Vec<u64>, elem: Elem, bytes: Cow<'a, [u8]>) -> Option<Literal<'a>> {
        let want = volume(&shape)?.checked_mul(elem.bytes())?;
        (bytes.len() == want).then_some(Literal { shape, elem, data: Data::Dense(bytes) })
    }

    /// A tensor of values, stored in their low bits; `None` if their number does not fit the shape.
    #[must_use]
    pub fn from_values(shape: Vec<u64>, elem: Elem, values: &[i32]) -> Option<Literal<'a>> {
        let mut bytes = Vec::with_capacity(values.len() * elem.bytes());
        for value in values {
            bytes.extend_from_slice(&value.to_le_bytes()[..elem.bytes()]);
        }
        Literal::dense(shape, elem, Cow::Owned(bytes))
    }

    /// The extents, outermost first.
    #[must_use]
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// The element type.
    #[must_use]
    pub fn elem(&self) -> Elem {
        self.elem
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        volume(&self.shape).unwrap_or(0)
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the expanded tensor.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.len().saturating_mul(self.elem.bytes())
    }

    /// The value of a splat, even if it is expanded.
    #[must_use]
    pub fn uniform(&self) -> Option<i32> {
        match &self.data {
            Data::Splat(value) => Some(*value),
            Data::Dense(bytes) => {
                let size = self.elem.bytes();
                let first = bytes.get(..size)?;
                bytes.chunks_exact(size).all(|c| c == first).then(|| self.elem.read(first))
            }
        }
    }

    /// The value at a row-major position.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<i32> {
        match &self.data {
            Data::Splat(value) => (index < self.len()).then_some(*value),
            Data::Dense(bytes) => {
                let start = index.checked_mul(self.elem.bytes())?;
                bytes.get(start..start.checked_add(self.elem.bytes())?).map(|b| self.elem.read(b))
            }
        }
    }

    /// All values in row-major order.
    pub fn values(&self) -> impl Iterator<Item = i32> + '_ {
        (0..self.len()).map_while(|i| self.get(i))
    }

    /// All values that occur, each at least once: a splat's only once.
    pub fn distinct(&self) -> impl Iterator<Item = i32> + '_ {
        self.values().take(self.as_splat().map_or(usize::MAX, |_| 1))
    }

    /// The splat value, if the tensor is stored as a splat.
    #[must_use]
    pub fn as_splat(&self) -> Option<i32> {
        match self.data {
            Data::Splat(value) => Some(value),
            Data::Dense(_) => None,
        }
    }

    /// As [`Literal::bytes`], after checking that there is memory to expand a splat.
    ///
    /// # Errors
    /// The memory limit or the system does not allow it.
    pub fn checked_bytes(&self) -> Result<Cow<'_, [u8]>, OverLimit> {
        let Data::Splat(value) = &self.data else { return Ok(self.bytes()) };
        let what = "a constant that is written out";
        let mut bytes = budget::buffer(what, u64::try_from(self.byte_len()).unwrap_or(u64::MAX))?;
        let width = self.elem.bytes();
        match value.to_le_bytes() {
            [byte, ..] if width == 1 => bytes.resize(self.byte_len(), byte),
            all => (0..self.len()).for_each(|_| bytes.extend(all.iter().take(width))),
        }
        Ok(Cow::Owned(bytes))
    }

    /// Little-endian bytes of all elements; borrowed where the tensor still borrows its source.
    #[must_use]
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match &self.data {
            Data::Splat(value) => Cow::Owned(self.elem.repeat(*value, self.len())),
            Data::Dense(bytes) => Cow::Borrowed(bytes),
        }
    }

    /// Little-endian bytes of all elements, moved without a copy where the tensor owns or borrows them.
    #[must_use]
    pub fn into_bytes(self) -> Cow<'a, [u8]> {
        match self.data {
            Data::Splat(value) => {
                let count = volume(&self.shape).unwrap_or(0);
                Cow::Owned(self.elem.repeat(value, count))
            }
            Data::Dense(bytes) => bytes,
        }
    }

    /// The same elements under another shape of the same volume.
    #[must_use]
    pub fn reshape(self, shape: Vec<u64>) -> Option<Literal<'a>> {
        (volume(&shape)? == self.len()).then_some(Literal { shape, ..self })
    }

    /// The elements selected by `shape`, `strides` and `base` (in elements of this tensor).
    fn gather(&self, shape: Vec<u64>, strides: &[usize], base: usize) -> Option<Literal<'a>> {
        let bytes = match &self.data {
            Data::Splat(value) => return Some(Literal::splat(shape, self.elem, *value)),
            Data::Dense(bytes) => bytes,
        };
        let size = self.elem.bytes();
        let mut out = Vec::with_capacity(volume(&shape)?.checked_mul(size)?);
        for_each_offset(&shape, strides, base, |offset| {
            if let Some(element) = bytes.get(offset * size..(offset + 1) * size) {
                out.extend_from_slice(element);
            }
        });
        Literal::dense(shape, self.elem, Cow::Owned(out))
    }

    /// `tosa.transpose`: dimension `i` of the result is dimension `perms[i]` of this tensor.
    #[must_use]
    pub fn transpose(&self, perms: &[usize]) -> Option<Literal<'a>> {
        super::perm::is_permutation(perms, self.shape.len()).then_some(())?;
        let strides = strides(&self.shape);
        let shape = perms.iter().map(|&p| self.shape[p]).collect();
        let permuted: Vec<usize> = perms.iter().map(|&p| strides[p]).collect();
        self.gather(shape, &permuted, 0)
    }

    /// `tosa.slice`.
    #[must_use]
    pub fn slice(&self, start: &[u64], size: &[u64]) -> Option<Literal<'a>> {
        let rank = self.shape.len();
        if start.len() != rank || size.len() != rank {
            return None;
        }
        let inside = (0..rank)
            .all(|i| start[i].checked_add(size[i]).is_some_and(|end| size[i] > 0 && end <= self.shape[i]));
        inside.then_some(())?;
        let strides = strides(&self.shape);
        let base = start.iter().zip(&strides).try_fold(0_usize, |sum, (&s, &stride)| {
            sum.checked_add(usize::try_from(s).ok()?.checked_mul(stride)?)
        })?;
        self.gather(size.to_vec(), &strides, base)
    }

    /// Broadcasts the dimensions of size 1 to `shape`; ranks must match.
    #[must_use]
    pub fn broadcast(&self, shape: &[u64]) -> Option<Literal<'a>> {
        if shape.len() != self.shape.len() || !self.shape.iter().zip(shape).all(|(&a, &b)| a == b || a == 1) {
            return None;
        }
        let strides: Vec<usize> =
            strides(&self.shape).iter().zip(&self.shape).map(|(&s, &d)| if d == 1 { 0 } else { s }).collect();
        self.gather(shape.to_vec(), &strides, 0)
    }

    /// `tosa.pad`: `padding` is (before, after) for every dimension.
    #[must_use]
    pub fn pad(&self, padding: &[(u64, u64)], value: i32) -> Option<Literal<'a>> {
        if padding.len() != self.shape.len() {
            return None;
        }
        let shape: Vec<u64> = (self.shape.iter().zip(padding))
            .map(|(&d, &(before, after))| d.checked_add(before)?.checked_add(after))
            .collect::<Option<_>>()?;
        let value = self.elem.wrap(value);
        if self.as_splat() == Some(value) {
            return Some(Literal::splat(shape, self.elem, value));
        }
        let mut out = self.elem.repeat(value, volume(&shape)?);
        let outer = strides(&shape);
        let base = padding.iter().zip(&outer).try_fold(0_usize, |sum, (&(before, _), &stride)| {
            sum.checked_add(usize::try_from(before).ok()?.checked_mul(stride)?)
        })?;
        let (size, source) = (self.elem.bytes(), self.bytes());
        let mut elements = source.chunks_exact(size);
        for_each_offset(&self.shape, &outer, base, |offset| {
            if let (Some(to), Some(from)) = (out.get_mut(offset * size..(offset + 1) * size), elements.next())
            {
                to.copy_from_slice(from);
            }
        });
        Literal::dense(shape, self.elem, Cow::Owned(out))
    }

    /// `tosa.concat` of one or more tensors along `axis`.
    #[must_use]
    pub fn concat(parts: &[Literal<'_>], axis: usize) -> Option<Literal<'a>> {
        let first = parts.first()?;
        let mut shape = first.shape.clone();
        let (outer, tail) = (shape.get(..axis)?.to_vec(), shape.get(axis + 1..)?.to_vec());
        let mut total = 0_u64;
        for part in parts {
            let fits = part.elem == first.elem
                && part.shape.len() == shape.len()
                && part.shape[..axis] == outer
                && part.shape[axis + 1..] == tail;
            fits.then_some(())?;
            total = total.checked_add(part.shape[axis])?;
        }
        shape[axis] = total;
        if let Some(value) = first.as_splat().filter(|v| parts.iter().all(|p| p.as_splat() == Some(*v))) {
            return Some(Literal::splat(shape, first.elem, value));
        }
        let row = volume(&tail)?.checked_mul(first.elem.bytes())?;
        let data: Vec<(Cow<'_, [u8]>, usize)> = (parts.iter())
            .map(|p| Some((p.bytes(), row.checked_mul(usize::try_from(p.shape[axis]).ok()?)?)))
            .collect::<Option<_>>()?;
        let mut out = Vec::with_capacity(volume(&shape)?.checked_mul(first.elem.bytes())?);
        for i in 0..volume(&outer)? {
            for (bytes, chunk) in &data {
                out.extend_from_slice(bytes.get(i * chunk..(i + 1) * chunk)?);
            }
        }
        Literal::dense(shape, first.elem, Cow::Owned(out))
    }

    /// Applies `f` to each element; `None` as soon as `f` returns none.
    #[must_use]
    pub fn map(&self, elem: Elem, mut f: impl FnMut(i32) -> Option<i32>) -> Option<Literal<'a>> {
        if let Some(value) = self.as_splat() {
            return Some(Literal::splat(self.shape.clone(), elem, f(value)?));
        }
        let mut bytes = Vec::with_capacity(self.len().checked_mul(elem.bytes())?);
        for value in self.values() {
            bytes.extend_from_slice(&f(value)?.to_le_bytes()[..elem.bytes()]);
        }
        Literal::dense(self.shape.clone(), elem, Cow::Owned(bytes))
    }

    /// Applies `f` to each pair of elements of two tensors of one rank, broadcast against each other.
    #[must_use]
    pub fn zip(
        &self,
        other: &Literal<'_>,
        elem: Elem,
        mut f: impl FnMut(i32, i32) -> Option<i32>,
    ) -> Option<Literal<'a>> {
        let shape = broadcast_shape(&self.shape, &other.shape)?;
        let (left, right) = (self.broadcast(&shape)?, other.broadcast(&shape)?);
        if let (Some(a), Some(b)) = (left.as_splat(), right.as_splat()) {
            return Some(Literal::splat(shape, elem, f(a, b)?));
        }
        let mut bytes = Vec::with_capacity(volume(&shape)?.checked_mul(elem.bytes())?);
        for (a, b) in left.values().zip(right.values()) {
            bytes.extend_from_slice(&f(a, b)?.to_le_bytes()[..elem.bytes()]);
        }
        Literal::dense(shape, elem, Cow::Owned(bytes))
    }
}

/// The broadcast shape of two shapes of one rank.
#[must_use]
pub fn broadcast_shape(a: &[u64], b: &[u64]) -> Option<Vec<u64>> {
    if a.len() != b.len() {
        return None;
    }
    let pick = |(&x, &y): (&u64, &u64)| match (x, y) {
        _ if x == y => Some(x),
        (1, _) => Some(y),
        (_, 1) => Some(x),
        _ => None,
    };
    a.iter().zip(b).map(pick).collect()
}

impl Elem {
    /// The value of one little-endian element; missing bytes read as zero.
    fn read(self, bytes: &[u8]) -> i32 {
        let mut word = [0_u8; 4];
        for (to, from) in word.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.wrap(i32::from_le_bytes(word))
    }

    /// `count` little-endian elements of one value.
    fn repeat(self, value: i32, count: usize) -> Vec<u8> {
        value.to_le_bytes()[..self.bytes()].repeat(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn literal(shape: &[u64], values: &[i32]) -> Literal<'static> {
        Literal::from_values(shape.to_vec(), Elem::I16, values).unwrap()
    }

    fn all(l: &Literal<'_>) -> Vec<i32> {
        l.values().collect()
    }

    #[test]
    fn moves_elements() {
        let m = literal(&[2, 3], &[1, 2, 3, 4, 5, 6]);
        let t = m.transpose(&[1, 0]).unwrap();
        assert_eq!((t.shape(), all(&t)), (&[3, 2][..], vec![1, 4, 2, 5, 3, 6]));
        let s = m.slice(&[0, 1], &[2, 2]).unwrap();
        assert_eq!((s.shape(), all(&s)), (&[2, 2][..], vec![2, 3, 5, 6]));
        let p = m.pad(&[(0, 1), (1, 0)], -9).unwrap();
        assert_eq!(all(&p), vec![-9, 1, 2, 3, -9, 4, 5, 6, -9, -9, -9, -9]);
        let c = Literal::concat(&[m.clone(), s.clone()], 1).unwrap();
        assert_eq!((c.shape(), all(&c)), (&[2, 5][..], vec![1, 2, 3, 2, 3, 4, 5, 6, 5, 6]));
        assert_eq!(all(&m.clone().reshape(vec![6]).unwrap()), vec![1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let m = literal(&[2, 3], &[1, 2, 3, 4, 5, 6]);
        assert_eq!(m.transpose(&[0, 0]), None);
        assert_eq!(m.transpose(&[0]), None);
        assert_eq!(m.slice(&[0, 2], &[2, 2]), None);
        assert_eq!(m.slice(&[0, u64::MAX], &[2, 2]), None);
        assert_eq!(m.slice(&[0, 0], &[2, 0]), None);
        assert_eq!(m.pad(&[(0, u64::MAX), (0, 0)], 0), None);
        assert_eq!(m.clone().reshape(vec![5]), None);
        assert_eq!(Literal::concat(&[m.clone(), literal(&[3], &[1, 2, 3])], 0), None);
        assert_eq!(Literal::concat(std::slice::from_ref(&m), 2), None);
        assert_eq!(Literal::concat(&[], 0), None);
        assert_eq!(Literal::dense(vec![u64::MAX, 2], Elem::I8, Cow::Borrowed(&[])), None);
        assert_eq!(Literal::from_values(vec![2], Elem::I8, &[1]), None);
        assert_eq!(m.map(Elem::I8, |_| None), None);
    }

    #[test]
    fn splats_stay_small() {
        let huge = Literal::splat(vec![1 << 20, 1 << 10], Elem::I8, -1);
        let t = huge.transpose(&[1, 0]).unwrap().reshape(vec![1 << 30]).unwrap();
        assert_eq!((t.as_splat(), t.get(17), t.get(1 << 30)), (Some(-1), Some(-1), None));
        assert_eq!(huge.pad(&[(1, 0), (0, 0)], 255).unwrap().as_splat(), Some(-1));
        assert_eq!(huge.map(Elem::I32, |x| Some(x * 3)).unwrap().as_splat(), Some(-3));
        assert_eq!(Literal::concat(&[huge.clone(), huge.clone()], 0).unwrap().as_splat(), Some(-1));
        assert_eq!(huge.distinct().collect::<Vec<_>>(), [-1]);
        let beyond = Literal::splat(vec![1 << 30, 1 << 20], Elem::I8, -1);
        let message = beyond.checked_bytes().unwrap_err().to_string();
        assert!(message.starts_with("a constant that is written out: 1125899906842624 bytes"), "{message}");
        for elem in [Elem::I8, Elem::I16, Elem::I32] {
            let small = Literal::splat(vec![2, 3], elem, -77);
            assert_eq!(small.checked_bytes().unwrap(), small.bytes());
        }
    }

    #[test]
    fn uniform_sees_through_written_out_splats() {
        assert_eq!(literal(&[3], &[7, 7, 7]).uniform(), Some(7));
        assert_eq!(literal(&[3], &[7, 7, 8]).uniform(), None);
        assert_eq!(literal(&[0], &[]).uniform(), None);
    }

    #[test]
    fn zips_with_broadcast() {
        let sum = literal(&[2, 1], &[10, 20]).zip(&literal(&[1, 3], &[1, 2, 3]), Elem::I32, i32::checked_add);
        assert_eq!(all(&sum.unwrap()), vec![11, 12, 13, 21, 22, 23]);
        assert_eq!(literal(&[2], &[1, 2]).zip(&literal(&[3], &[1, 2, 3]), Elem::I32, i32::checked_add), None);
        assert_eq!(
            literal(&[], &[5]).zip(&literal(&[], &[6]), Elem::I8, i32::checked_add).unwrap().get(0),
            Some(11)
        );
    }

    proptest! {
        #[test]
        fn transpose_has_an_inverse(
            shape in prop::collection::vec(1_u64..4, 0..6),
            seed in any::<u64>(),
        ) {
            let count = volume(&shape).unwrap();
            let values: Vec<i32> = (0..count).map(|i| i32::try_from(i).unwrap()).collect();
            let l = literal(&shape, &values);
            let mut perms: Vec<usize> = (0..shape.len()).collect();
            for i in (1..perms.len()).rev() {
                perms.swap(i, usize::try_from(seed >> (8 * i)).unwrap_or(0) % (i + 1));
            }
            let inverse = super::super::perm::invert(&perms).unwrap();
            prop_assert_eq!(l.transpose(&perms).unwrap().transpose(&inverse).unwrap(), l);
        }

        #[test]
        fn slicing_the_padding_off_gives_the_tensor_back(
            dims in prop::collection::vec((1_u64..4, 0_u64..3, 0_u64..3), 1..5),
        ) {
            let shape: Vec<u64> = dims.iter().map(|d| d.0).collect();
            let values: Vec<i32> = (0..volume(&shape).unwrap()).map(|i| i32::try_from(i).unwrap()).collect();
            let l = literal(&shape, &values);
            let padding: Vec<(u64, u64)> = dims.iter().map(|d| (d.1, d.2)).collect();
            let start: Vec<u64> = dims.iter().map(|d| d.1).collect();
            prop_assert_eq!(l.pad(&padding, -1).unwrap().slice(&start, &shape).unwrap(), l);
        }
    }
}
