//! One number per byte of a memory, stored by uniform unit: chunks, pages, granules, bytes where needed.
//!
//! A tensor that is written whole costs a few words; only pages where tensors meet or interleave need more, and
//! only those with edges off the granules hold single bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::region::Region;

/// Bytes per page.
const PAGE: usize = 1024;
/// Bytes per granule: channels mostly come in multiples of it.
const GRANULE: usize = 8;
/// Bytes per chunk.
const CHUNK: usize = 256 * PAGE;

/// Bytes of the pages of a chunk, without their cells.
const PAGES_BYTES: usize = CHUNK / PAGE * size_of::<Page>();

/// A map from byte addresses to `u32`; initially 0 everywhere.
#[derive(Debug, Default)]
pub(super) struct Shadow {
    chunks: Vec<Chunk>,
    /// Bytes held by chunks and pages, here and in all maps that share the count.
    held: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Chunk {
    Uniform(u32),
    Pages(Box<[Page]>),
}

#[derive(Debug)]
enum Page {
    Uniform(u32),
    Granules(Box<[u32; PAGE / GRANULE]>),
    Bytes(Box<[u32; PAGE]>),
}

/// Maximum bytes that setting the runs of a region may add: only pages and chunks with an edge of a run in them are split.
pub(super) fn growth(region: &Region) -> u64 {
    let span = region.end().map_or(u64::MAX, |end| end - region.start());
    let edges = region.runs().saturating_mul(2);
    let within = |size: usize, bytes: usize| edges.min(span / size as u64 + 2).saturating_mul(bytes as u64);
    within(PAGE, size_of::<[u32; PAGE]>()).saturating_add(within(CHUNK, PAGES_BYTES))
}

impl Shadow {
    /// A map that adds its memory to a shared count.
    pub(super) fn counted(held: &Arc<AtomicU64>) -> Shadow {
        Shadow { chunks: Vec::new(), held: Arc::clone(held) }
    }

    /// Whether nothing was ever set.
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Sets `len` bytes from `start` to `value`.
    pub(super) fn set(&mut self, start: usize, len: usize, value: u32) {
        for (index, lo, hi) in pieces(start, len, CHUNK) {
            if index >= self.chunks.len() {
                self.chunks.resize_with(index + 1, || Chunk::Uniform(0));
            }
            if let Some(chunk) = self.chunks.get_mut(index) {
                chunk.set(lo, hi, value, &self.held);
            }
        }
    }

    /// Calls `visit(start, len, value)` for the runs of equal value that make up `len` bytes from `start`.
    ///
    /// Adjacent runs may have the same value.
    ///
    /// # Errors
    /// The first error of `visit`.
    pub(super) fn try_for_each<E>(
        &self,
        start: usize,
        len: usize,
        mut visit: impl FnMut(usize, usize, u32) -> Result<(), E>,
    ) -> Result<(), E> {
        for (index, lo, hi) in pieces(start, len, CHUNK) {
            let base = index * CHUNK;
            match self.chunks.get(index) {
                None => visit(base + lo, hi - lo, 0)?,
                Some(Chunk::Uniform(value)) => visit(base + lo, hi - lo, *value)?,
                Some(Chunk::Pages(pages)) => {
                    for (page, lo, hi) in pieces(lo, hi - lo, PAGE) {
                        let base = base + page * PAGE;
                        match pages.get(page) {
                            None => {}
                            Some(Page::Uniform(value)) => visit(base + lo, hi - lo, *value)?,
                            Some(Page::Granules(cells)) => {
                                visit_cells::<GRANULE, E>(&cells[..], base, lo, hi, &mut visit)?;
                            }
                            Some(Page::Bytes(cells)) => {
                                visit_cells::<1, E>(&cells[..], base, lo, hi, &mut visit)?;
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

impl Chunk {
    fn set(&mut self, lo: usize, hi: usize, value: u32, held: &AtomicU64) {
        if hi - lo == CHUNK {
            if let Chunk::Pages(pages) = self {
                let bytes = pages.iter().fold(PAGES_BYTES, |sum, page| sum + page.bytes());
                held.fetch_sub(bytes as u64, Ordering::Relaxed);
            }
            *self = Chunk::Uniform(value);
            return;
        }
        if let Chunk::Uniform(old) = *self {
            if old == value {
                return;
            }
            held.fetch_add(PAGES_BYTES as u64, Ordering::Relaxed);
            *self = Chunk::Pages((0..CHUNK / PAGE).map(|_| Page::Uniform(old)).collect());
        }
        let Chunk::Pages(pages) = self else { return };
        for (index, lo, hi) in pieces(lo, hi - lo, PAGE) {
            if let Some(page) = pages.get_mut(index) {
                let before = page.bytes();
                page.set(lo, hi, value);
                match page.bytes() {
                    after if after == before => {}
                    after => {
                        held.fetch_add(after as u64, Ordering::Relaxed);
                        held.fetch_sub(before as u64, Ordering::Relaxed);
                    }
                }
            }
        }
    }
}

impl Page {
    /// Bytes of its cells.
    fn bytes(&self) -> usize {
        match self {
            Page::Uniform(_) => 0,
            Page::Granules(cells) => size_of_val(&**cells),
            Page::Bytes(cells) => size_of_val(&**cells),
        }
    }

    fn set(&mut self, lo: usize, hi: usize, value: u32) {
        if hi - lo == PAGE {
            *self = Page::Uniform(value);
            return;
        }
        let aligned = lo.is_multiple_of(GRANULE) && hi.is_multiple_of(GRANULE);
        match self {
            Page::Uniform(old) if *old == value => return,
            Page::Uniform(old) if aligned => *self = Page::Granules(Box::new([*old; PAGE / GRANULE])),
            Page::Uniform(old) => *self = Page::Bytes(Box::new([*old; PAGE])),
            Page::Granules(cells) if !aligned => {
                let mut bytes = Box::new([0; PAGE]);
                for (to, from) in bytes.chunks_exact_mut(GRANULE).zip(cells.iter()) {
                    to.fill(*from);
                }
                *self = Page::Bytes(bytes);
            }
            Page::Granules(_) | Page::Bytes(_) => {}
        }
        let cells = match self {
            Page::Uniform(_) => None,
            Page::Granules(cells) => cells.get_mut(lo / GRANULE..hi / GRANULE),
            Page::Bytes(cells) => cells.get_mut(lo..hi),
        };
        cells.unwrap_or_default().fill(value);
    }
}

/// Runs of equal value within bytes `lo..hi` of a page, whose cells stand for `N` bytes each.
fn visit_cells<const N: usize, E>(
    cells: &[u32],
    base: usize,
    lo: usize,
    hi: usize,
    visit: &mut impl FnMut(usize, usize, u32) -> Result<(), E>,
) -> Result<(), E> {
    /// Values compared at once; the comparison of a group has no branch and vectorizes.
    const GROUP: usize = 16;
    let mut at = lo;
    while let Some((&value, rest)) = cells.get(at / N..hi.div_ceil(N)).and_then(<[u32]>::split_first) {
        let groups = rest
            .chunks_exact(GROUP)
            .take_while(|group| group.iter().fold(0, |differs, v| differs | (v ^ value)) == 0)
            .count();
        let tail = rest.iter().skip(groups * GROUP).take_while(|&&v| v == value).count();
        let end = ((at / N + 1 + groups * GROUP + tail) * N).min(hi);
        visit(base + at, end - at, value)?;
        at = end;
        if at >= hi {
            break;
        }
    }
    Ok(())
}

/// Splits `len` bytes from `start` at the multiples of `size`: (index, start and end within that piece).
fn pieces(start: usize, len: usize, size: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let end = start + len;
    let indices = if len == 0 { 0..0 } else { start / size..end.div_ceil(size) };
    indices.map(move |index| {
        let base = index * size;
        (index, start.saturating_sub(base), (end - base).min(size))
    })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn read(shadow: &Shadow, start: usize, len: usize) -> Vec<u32> {
        let mut out = Vec::new();
        shadow
            .try_for_each(start, len, |at, len, value| {
                assert_eq!(at, start + out.len());
                out.resize(out.len() + len, value);
                Ok::<(), ()>(())
            })
            .unwrap();
        out
    }

    const SIZE: usize = 2 * CHUNK + 3 * PAGE;

    /// Most edges lie on a granule, page or chunk.
    fn edge() -> impl Strategy<Value = usize> {
        let unit = select(&[1, GRANULE, GRANULE, PAGE, CHUNK]);
        unit.prop_flat_map(|unit| (0..=SIZE / unit).prop_map(move |n| n * unit))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn behaves_as_a_flat_array(writes in vec((edge(), edge(), 0..=3u32), 1..=12), lo in 0..=SIZE) {
            let mut flat = vec![0; SIZE];
            let mut shadow = Shadow::default();
            for (a, b, value) in writes {
                flat[a.min(b)..a.max(b)].fill(value);
                shadow.set(a.min(b), a.max(b) - a.min(b), value);
            }
            // A comparison of some megabytes that would be long to print.
            prop_assert!(read(&shadow, 0, SIZE) == flat);
            prop_assert!(read(&shadow, lo, SIZE - lo) == flat[lo..]);
        }
    }

    #[test]
    fn whole_pages_and_chunks_fold_back() {
        let mut shadow = Shadow::default();
        shadow.set(3, 5, 7);
        assert!(matches!(shadow.chunks[..], [Chunk::Pages(_)]));
        shadow.set(0, CHUNK, 9);
        assert!(matches!(shadow.chunks[..], [Chunk::Uniform(9)]));
        assert_eq!(read(&shadow, CHUNK - 1, 2), [9, 0]);
    }

    /// Elements of one to eight units, at a distance in units.
    fn region() -> impl Strategy<Value = Region> {
        let unit = select(&[1, GRANULE as u64, PAGE as u64]);
        (unit, 0..=CHUNK as u64, 1..=8u64, 1..=40u64, 1..=300u64).prop_map(
            |(unit, base, element, count, stride)| {
                Region::strided(base, element * unit, &[(count, stride * unit)])
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_held_is_counted_and_foreseen(writes in vec((region(), 0..=3u32, 0..2usize), 1..=8)) {
            let held = Arc::new(AtomicU64::new(0));
            let mut maps = [Shadow::counted(&held), Shadow::counted(&held)];
            for (region, value, map) in writes {
                let before = held.load(Ordering::Relaxed);
                let set = |start, len| {
                    maps[map].set(start as usize, len as usize, value);
                    Ok::<(), ()>(())
                };
                region.try_for_each_run(set).unwrap();
                let after = held.load(Ordering::Relaxed);
                prop_assert!(after <= before + growth(&region), "{} {} {:?}", before, after, region);
            }
            maps.iter_mut().for_each(|map| map.set(0, 400 * CHUNK, 7));
            prop_assert_eq!(held.load(Ordering::Relaxed), 0);
        }
    }

    #[test]
    fn empty_ranges_are_nothing() {
        let mut shadow = Shadow::default();
        shadow.set(10, 0, 1);
        assert_eq!(read(&shadow, 0, 20), [0; 20]);
        assert!(read(&shadow, 5, 0).is_empty());
    }
}
