//! Addresses for the operands of a random instruction: aligned, one after the other, in SRAM and in a program's
//! DRAM.
//!
//! Invariant: operands do not overlap, except that results may lie on one that the row allows and that has the same
//! elements.

use super::Rng;
use crate::operand::{Address, Strides, Use, contiguous, span};
use crate::types::{Dtype, MemAddr, Space};

/// Allocates addresses.
pub(crate) struct Places<'a> {
    rng: &'a mut Rng,
    /// The next free byte.
    sram: u64,
    dram: u64,
    /// Element, extents, strides and address of the last operand that results may lie on.
    last: Option<(u64, [u32; 6], [u64; 6], MemAddr)>,
}

impl<'a> Places<'a> {
    /// Allocates from `sram` and from `dram` on.
    pub(crate) const fn new(rng: &'a mut Rng, sram: u64, dram: u64) -> Self {
        Places { rng, sram, dram, last: None }
    }

    /// This many bytes, aligned to 16.
    pub(crate) fn bytes<A: Address>(&mut self, len: u64) -> A {
        let space = A::space(self.rng.one_in(2));
        let next = match space {
            Space::Sram => &mut self.sram,
            Space::Dram => &mut self.dram,
        };
        let offset = next.next_multiple_of(16);
        *next = offset.saturating_add(len);
        A::at(MemAddr { space, offset })
    }

    /// Address and strides of an array: contiguous, or an operand that is repeated along some dimensions.
    pub(crate) fn array<A: Address, S: Strides>(
        &mut self,
        how: Use,
        dims: &[u32; 6],
        element: u64,
    ) -> (A, S) {
        let mut strides = contiguous(&dims.map(u64::from), element);
        let repeats = how != Use::Write && self.rng.one_in(4);
        for (stride, &extent) in strides.iter_mut().zip(dims) {
            if extent == 1 || repeats && self.rng.one_in(2) {
                *stride = 0;
            }
        }
        let last = self.last.filter(|last| (last.0, last.1, last.2) == (element, *dims, strides));
        let addr = match last {
            Some((.., addr)) if how == Use::Write && self.rng.one_in(2) => A::at(addr),
            _ => self.bytes(span(&dims.map(u64::from), &strides, element)),
        };
        if how == Use::Map {
            self.last = Some((element, *dims, strides, addr.addr()));
        }
        (addr, S::of(strides))
    }

    /// Address, bytes per row and bytes per pixel of an image tile.
    pub(crate) fn image(&mut self, [h, w, c]: [u32; 3], dtype: Dtype) -> (u32, u32, u32) {
        let pixel = c * dtype.bytes() as u32;
        (self.bytes(u64::from(h) * u64::from(w) * u64::from(pixel)), w * pixel, pixel)
    }

    /// Bounds of a clamp.
    pub(crate) fn clamp(&mut self, dtype: Dtype) -> (i32, i32) {
        let mut any = || self.rng.range(dtype.min().into(), dtype.max().into()) as i32;
        let (a, b) = (any(), any());
        (a.min(b), a.max(b))
    }
}
