//! The bytes that an instruction may touch, as conservative bounding intervals.
//!
//! Nothing outside the intervals is ever read or written; inside, not every byte need be.

use crate::table::{
    ConvInv, ConvVar, DmaCopy, DmaFill, Instr, PoolInv, PoolVar, VecBinary, VecReduce, VecRescale, VecTable,
    VecUnary,
};
use crate::types::{Dtype, MemAddr, Space};
use crate::weights::{ENTRY_BYTES, WeightFormat};

/// Bytes of an 8-bit lookup table.
const LUT_BYTES: u64 = 256;
/// Bytes of a 16-bit lookup table: 513 entries.
const LUT16_BYTES: u64 = 1026;

/// An interval of memory that an instruction reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Address space; SRAM is that of the instruction's tile.
    pub space: Space,
    /// First byte.
    pub lo: u64,
    /// Number of bytes, at least 1; saturates.
    pub len: u64,
    /// Whether it is written; otherwise read.
    pub write: bool,
    /// The address field that it comes from, `inv.lut_addr` for the invariant's table.
    pub field: &'static str,
}

impl Access {
    /// One past the last byte; saturates.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.lo.saturating_add(self.len)
    }

    /// Whether the two intervals share a byte.
    #[must_use]
    pub fn overlaps(&self, other: &Access) -> bool {
        self.space == other.space && self.lo < other.end() && other.lo < self.end()
    }

    /// Whether the two accesses to one tile's memory must stay in order.
    #[must_use]
    pub fn conflicts(&self, other: &Access) -> bool {
        (self.write || other.write) && self.overlaps(other)
    }
}

/// Bytes from the first to the last of a strided array, saturating.
pub(crate) fn span(dims: &[u64], strides: &[u64], element: u64) -> u64 {
    let last = dims
        .iter()
        .zip(strides)
        .fold(0u128, |sum, (&d, &s)| sum.saturating_add(u128::from(d.saturating_sub(1)) * u128::from(s)));
    u64::try_from(last.saturating_add(u128::from(element))).unwrap_or(u64::MAX)
}

struct List(Vec<Access>);

impl List {
    fn sram(&mut self, field: &'static str, write: bool, addr: u32, len: u64) {
        self.0.push(Access { space: Space::Sram, lo: u64::from(addr), len, write, field });
    }

    fn mem(&mut self, field: &'static str, write: bool, addr: MemAddr, len: u64) {
        self.0.push(Access { space: addr.space, lo: addr.offset, len, write, field });
    }

    fn vec(
        &mut self,
        field: &'static str,
        write: bool,
        addr: u32,
        dims: &[u32; 6],
        strides: &[u32; 6],
        t: Dtype,
    ) {
        self.sram(field, write, addr, span(&dims.map(u64::from), &strides.map(u64::from), t.bytes()));
    }

    fn image(&mut self, field: &'static str, write: bool, image: &Image) {
        self.sram(field, write, image.addr, image.span());
    }
}

/// A tile of an image: rows and pixels strided, channels contiguous.
pub(crate) struct Image {
    pub(crate) addr: u32,
    pub(crate) h: u32,
    pub(crate) w: u32,
    pub(crate) c: u32,
    pub(crate) row: u32,
    pub(crate) pixel: u32,
    pub(crate) dtype: Dtype,
}

impl Image {
    pub(crate) fn act_of_conv(x: &ConvVar) -> Image {
        let (h, w, c) = (x.in_h, x.in_w, x.in_c);
        Image { addr: x.act, h, w, c, row: x.act_row, pixel: x.act_pixel, dtype: Dtype::I8 }
    }

    pub(crate) fn out_of_conv(x: &ConvVar, dtype: Dtype) -> Image {
        let (h, w, c) = (x.out_h, x.out_w, x.out_c);
        Image { addr: x.out, h, w, c, row: x.out_row, pixel: x.out_pixel, dtype }
    }

    pub(crate) fn act_of_pool(x: &PoolVar, dtype: Dtype) -> Image {
        let (h, w, c) = (x.in_h, x.in_w, x.in_c);
        Image { addr: x.act, h, w, c, row: x.act_row, pixel: x.act_pixel, dtype }
    }

    pub(crate) fn out_of_pool(x: &PoolVar, dtype: Dtype) -> Image {
        let (h, w, c) = (x.out_h, x.out_w, x.in_c);
        Image { addr: x.out, h, w, c, row: x.out_row, pixel: x.out_pixel, dtype }
    }

    pub(crate) fn dims(&self) -> [u64; 3] {
        [self.h, self.w, self.c].map(u64::from)
    }

    pub(crate) fn strides(&self) -> [u64; 3] {
        [u64::from(self.row), u64::from(self.pixel), self.dtype.bytes()]
    }

    fn span(&self) -> u64 {
        span(&self.dims(), &self.strides(), self.dtype.bytes())
    }
}

fn volume(dims: [u32; 3], element: u64) -> u64 {
    dims.iter().fold(element, |n, &d| n.saturating_mul(u64::from(d)))
}

impl Instr {
    /// The memory this instruction may touch.
    ///
    /// `inv` is the invariant in the slot of a `conv_var` or `pool_var`; without it, or with one of the wrong
    /// kind, a variant reports nothing of its own, because it cannot execute.
    #[must_use]
    pub fn footprint(&self, inv: Option<&Instr>) -> Vec<Access> {
        let mut list = List(Vec::new());
        match self {
            Instr::BarCfg(_) | Instr::End(_) | Instr::ConvInv(_) | Instr::PoolInv(_) => {}
            Instr::DmaCopy(x) => dma_copy(x, &mut list),
            Instr::DmaFill(x) => dma_fill(x, &mut list),
            Instr::ConvVar(x) => {
                if let Some(Instr::ConvInv(inv)) = inv {
                    conv_var(x, inv, &mut list);
                }
            }
            Instr::PoolVar(x) => {
                if let Some(Instr::PoolInv(inv)) = inv {
                    pool_var(x, inv, &mut list);
                }
            }
            Instr::VecBinary(x) => vec_binary(x, &mut list),
            Instr::VecUnary(x) => vec_unary(x, &mut list),
            Instr::VecRescale(x) => vec_rescale(x, &mut list),
            Instr::VecTable(x) => vec_table(x, &mut list),
            Instr::VecReduce(x) => vec_reduce(x, &mut list),
        }
        list.0
    }
}

fn dma_copy(x: &DmaCopy, list: &mut List) {
    let (dims, element) = (x.dims.map(u64::from), u64::from(x.element));
    list.mem("src", false, x.src, span(&dims, &x.src_strides, element));
    list.mem("dst", true, x.dst, span(&dims, &x.dst_strides, element));
}

fn dma_fill(x: &DmaFill, list: &mut List) {
    list.mem("dst", true, x.dst, span(&x.dims.map(u64::from), &x.dst_strides, u64::from(x.element)));
}

fn conv_var(x: &ConvVar, inv: &ConvInv, list: &mut List) {
    list.image("act", false, &Image::act_of_conv(x));
    list.sram("weights", false, x.weights, WeightFormat::all_sets_bytes(inv, x).unwrap_or(u64::MAX));
    list.sram("table", false, x.table, ENTRY_BYTES.saturating_mul(u64::from(x.out_c)));
    let psum = volume([x.out_h, x.out_w, x.out_c], Dtype::I32.bytes());
    if x.acc_in {
        list.sram("psum", false, x.psum, psum);
    }
    if x.acc_out {
        list.sram("psum", true, x.psum, psum);
        return;
    }
    list.image("out", true, &Image::out_of_conv(x, inv.out_dtype));
    if inv.lut {
        list.sram("inv.lut_addr", false, inv.lut_addr, LUT_BYTES);
    }
}

fn pool_var(x: &PoolVar, inv: &PoolInv, list: &mut List) {
    list.image("act", false, &Image::act_of_pool(x, inv.dtype));
    let psum = volume([x.out_h, x.out_w, x.in_c], Dtype::I32.bytes());
    if x.acc_in {
        list.sram("psum", false, x.psum, psum);
    }
    if x.acc_out {
        list.sram("psum", true, x.psum, psum);
    } else {
        list.image("out", true, &Image::out_of_pool(x, inv.dtype));
    }
}

fn vec_binary(x: &VecBinary, list: &mut List) {
    list.vec("a", false, x.a, &x.dims, &x.a_strides, x.a_dtype);
    list.vec("b", false, x.b, &x.dims, &x.b_strides, x.b_dtype);
    list.vec("out", true, x.out, &x.dims, &x.out_strides, x.out_dtype);
    if x.lut {
        list.sram("lut_addr", false, x.lut_addr, LUT_BYTES);
    }
}

fn vec_unary(x: &VecUnary, list: &mut List) {
    list.vec("src", false, x.src, &x.dims, &x.src_strides, x.src_dtype);
    list.vec("out", true, x.out, &x.dims, &x.out_strides, x.out_dtype);
}

fn vec_rescale(x: &VecRescale, list: &mut List) {
    list.vec("src", false, x.src, &x.dims, &x.src_strides, x.src_dtype);
    list.vec("out", true, x.out, &x.dims, &x.out_strides, x.out_dtype);
    if x.per_channel {
        let [.., channels] = x.dims;
        list.sram("params", false, x.params, ENTRY_BYTES.saturating_mul(u64::from(channels)));
    }
    if x.lut {
        list.sram("lut_addr", false, x.lut_addr, LUT_BYTES);
    }
}

impl VecTable {
    /// Type of the results: `i8` for `i8`, `i32` for `i16`.
    #[must_use]
    pub const fn out_dtype(&self) -> Dtype {
        match self.src_dtype {
            Dtype::I16 | Dtype::U16 | Dtype::I32 => Dtype::I32,
            Dtype::I8 | Dtype::U8 => Dtype::I8,
        }
    }
}

fn vec_table(x: &VecTable, list: &mut List) {
    list.vec("src", false, x.src, &x.dims, &x.src_strides, x.src_dtype);
    list.vec("out", true, x.out, &x.dims, &x.out_strides, x.out_dtype());
    let table = if x.out_dtype() == Dtype::I8 { LUT_BYTES } else { LUT16_BYTES };
    list.sram("table", false, x.table, table);
}

fn vec_reduce(x: &VecReduce, list: &mut List) {
    list.vec("src", false, x.src, &x.dims, &x.src_strides, x.src_dtype);
    if x.accumulate {
        list.vec("out", false, x.out, &x.dims, &x.out_strides, x.out_dtype);
    }
    list.vec("out", true, x.out, &x.dims, &x.out_strides, x.out_dtype);
}
