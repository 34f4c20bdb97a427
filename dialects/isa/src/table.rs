//! The instruction table: the single declaration of every instruction.
//!
//! Opcodes, field order and widths of released rows are frozen (`tests/golden/isa-v1.txt` holds them). The doc texts are the
//! normative semantics and become `docs/isa.md`; the clauses after the fields define accesses and constraints between fields
//! (`macros.rs` lists them).

use crate::field::{FieldDesc, FieldError, FieldKind, FieldValue, InstrDesc, Role, int, sram, uint};
use crate::method::Method;
use crate::operand::{self, Address as _, Clause, Use};
use crate::resize::ResizeAxis;
use crate::rules::Rules;
use crate::slots::Variant;
#[cfg(feature = "testing")]
use crate::testing::Places;
use crate::types::{
    BinaryOp, Dtype, Engine, MemAddr, PoolMode, ReduceOp, ResizeMode, Round, Stationary, UnaryOp,
};
use crate::weights::{ENTRY_BYTES, LUT_BYTES, LUT16_BYTES, WeightFormat};

const BOOL: FieldKind = FieldKind::Bool;
const DTYPE: FieldKind = FieldKind::Enum(Dtype::NAMES);
const ROUND: FieldKind = FieldKind::Enum(Round::NAMES);
/// Position on a PE array or a slot register.
const SLOT: FieldKind = uint(4, 0, 15);
/// Kernel sizes, strides and dilations.
const WINDOW: FieldKind = uint(14, 1, 8192);
/// Extent of a tensor dimension.
const DIM: FieldKind = uint(32, 1, u32::MAX as i64);
/// Byte stride in SRAM; 0 repeats.
const STRIDE: FieldKind = uint(32, 0, u32::MAX as i64);
/// Byte stride of a DMA, in either space.
const DMA_STRIDE: FieldKind = uint(40, 0, (1 << 40) - 1);
/// Any 32-bit value.
const WORD: FieldKind = int(32, i32::MIN as i64, i32::MAX as i64);
/// Multiplier of `apply_scale`.
const MULT: FieldKind = int(32, 0, i32::MAX as i64);
/// Shift of `apply_scale`.
const SHIFT: FieldKind = uint(6, 2, 62);
/// Bytes of an index of a gather or scatter: `i32`.
const INDEX_BYTES: u64 = 4;
/// Extent of a resized image or of a tile of one.
const EXTENT: FieldKind = uint(14, 1, ResizeAxis::MAX_EXTENT as i64);
/// Position in a resized image.
const POSITION: FieldKind = uint(14, 0, ResizeAxis::MAX_EXTENT as i64 - 1);
/// Numerator of the scale of a resize.
const SCALE_N: FieldKind = uint(12, 1, 2048);
/// Denominator of the scale of a resize.
const SCALE_D: FieldKind = uint(15, 1, 32767);
/// Offset of a resize.
const OFFSET: FieldKind = int(16, -2048, 32767);
/// SRAM address of a tensor: aligned to its element, which depends on other fields.
const TENSOR: FieldKind = sram(1);
/// SRAM address of weights, tables and partial sums.
const ALIGNED: FieldKind = sram(16);

isa! {
    /// Arm a barrier.
    ///
    /// The dispatcher executes it in program order: it waits until the barrier is idle (no producers and no
    /// consumers left), then sets both counts. Every task that posts to the barrier takes one producer away
    /// when it ends; every task that waits for it takes one consumer away when it starts. Decrementing a
    /// count that is 0, or naming a barrier that was never armed, is a trap.
    bar_cfg = BarCfg @ 0x01, control {
        /// The barrier to arm; less than the machine's `barriers`.
        barrier: u8 = uint(6, 0, 63),
        /// Number of tasks that will post to it.
        producers: u16 = uint(16, 1, 65535),
        /// Number of tasks that will wait for it.
        consumers: u16 = uint(16, 0, 65535),
    } |x| {
        rule barrier: of(x);
    }

    /// End of the program.
    ///
    /// Waits until all engines are idle; then every barrier must be idle (else a trap), and the machine halts.
    /// It is the last instruction of a program and occurs once.
    end = End @ 0x02, control {}

    /// Copy a strided array of elements between or within the address spaces.
    ///
    /// For every index `i` with `0 <= i[k] < dims[k]`, in row-major order (last dimension fastest), the
    /// `element` bytes at `src + sum(i[k] * src_strides[k])` are written to `dst + sum(i[k] * dst_strides[k])`.
    /// A source stride of 0 repeats. The intervals of source and destination must not overlap. Addresses, and strides
    /// of dimensions above 1, are multiples of `element`.
    dma_copy = DmaCopy @ 0x10, task(Dma) {
        /// The DMA engine that runs the task.
        engine: u8 = uint(2, 0, 1),
        /// Bytes per element.
        element: u8 = FieldKind::Choice(&[1, 2, 4, 8, 16]),
        /// First source element.
        src: MemAddr = FieldKind::Mem,
        /// First destination element.
        dst: MemAddr = FieldKind::Mem,
        /// Extents in elements, outermost first; unused leading ones are 1.
        dims: [u32; 6] = DIM,
        /// Source strides in bytes.
        src_strides: [u64; 6] = DMA_STRIDE,
        /// Destination strides in bytes; the written elements must not overlap.
        dst_strides: [u64; 6] = DMA_STRIDE,
    } |x| {
        read src: array(&x.dims, src_strides, x.element.into());
        write dst: array(&x.dims, dst_strides, x.element.into());
    }

    /// Write one value to every element of a strided array.
    ///
    /// For every index `i` with `0 <= i[k] < dims[k]`, the low `element` bytes of `value`, little endian, are
    /// written to `dst + sum(i[k] * dst_strides[k])`.
    dma_fill = DmaFill @ 0x11, task(Dma) {
        /// The DMA engine that runs the task.
        engine: u8 = uint(2, 0, 1),
        /// Bytes per element.
        element: u8 = FieldKind::Choice(&[1, 2, 4]),
        /// First destination element.
        dst: MemAddr = FieldKind::Mem,
        /// Extents in elements, outermost first; unused leading ones are 1.
        dims: [u32; 6] = DIM,
        /// Destination strides in bytes; the written elements must not overlap.
        dst_strides: [u64; 6] = DMA_STRIDE,
        /// The value; its low bytes are stored.
        value: i32 = WORD,
    } |x| {
        write dst: array(&x.dims, dst_strides, x.element.into());
    }

    /// Copy the elements that a list of indices selects along one dimension.
    ///
    /// For every index `i` with `0 <= i[k] < dims[k]`, in row-major order, `j` is the `i32` at
    /// `indices + sum(i[k] * index_strides[k])`, and the `element` bytes at
    /// `src + j * src_strides[axis] + sum over k != axis of (i[k] * src_strides[k])` are written to
    /// `dst + sum(i[k] * dst_strides[k])`. An index that is negative or not less than `rows` is a trap.
    /// The operand is the whole array that an index can select from: all of it must have been written.
    dma_gather = DmaGather @ 0x12, task(Dma) {
        /// The DMA engine that runs the task.
        engine: u8 = uint(2, 0, 1),
        /// Bytes per element.
        element: u8 = FieldKind::Choice(&[1, 2, 4]),
        /// The dimension that indices select in.
        axis: u8 = uint(3, 0, 5),
        /// Extent of the source along `axis`.
        rows: u32 = DIM,
        /// First source element.
        src: MemAddr = FieldKind::Mem,
        /// Extents of the results in elements, outermost first; unused leading ones are 1.
        dims: [u32; 6] = DIM,
        /// Source strides in bytes; that of `axis` is from one row to the next.
        src_strides: [u64; 6] = DMA_STRIDE,
        /// First index, `i32`.
        indices: u32 = TENSOR,
        /// Strides of the indices in bytes; 0 where an index holds for a whole dimension.
        index_strides: [u32; 6] = STRIDE,
        /// First result.
        dst: MemAddr = FieldKind::Mem,
        /// Strides of the results in bytes; the written elements must not overlap.
        dst_strides: [u64; 6] = DMA_STRIDE,
    } |x| {
        read src: array(&x.src_dims(), src_strides, x.element.into());
        read indices: array(&x.dims, index_strides, INDEX_BYTES);
        write dst: array(&x.dims, dst_strides, x.element.into());
    }

    /// Copy elements to where a list of indices puts them along one dimension; all others keep their values.
    ///
    /// For every index `i` with `0 <= i[k] < dims[k]`, in row-major order, `j` is the `i32` at
    /// `indices + sum(i[k] * index_strides[k])`, and the `element` bytes at `src + sum(i[k] * src_strides[k])` are
    /// written to `dst + j * dst_strides[axis] + sum over k != axis of (i[k] * dst_strides[k])`. An index that is
    /// negative or not less than `rows` is a trap, as is an element of `dst` that is written twice. The task reads and
    /// writes the whole array that an index can select in: all of it must have been written.
    dma_scatter = DmaScatter @ 0x13, task(Dma) {
        /// The DMA engine that runs the task.
        engine: u8 = uint(2, 0, 1),
        /// Bytes per element.
        element: u8 = FieldKind::Choice(&[1, 2, 4]),
        /// The dimension that indices select in.
        axis: u8 = uint(3, 0, 5),
        /// Extent of the destination along `axis`.
        rows: u32 = DIM,
        /// First source element.
        src: MemAddr = FieldKind::Mem,
        /// Extents of the source in elements, outermost first; unused leading ones are 1.
        dims: [u32; 6] = DIM,
        /// Source strides in bytes; 0 repeats.
        src_strides: [u64; 6] = DMA_STRIDE,
        /// First index, `i32`.
        indices: u32 = TENSOR,
        /// Strides of the indices in bytes; 0 where an index holds for a whole dimension.
        index_strides: [u32; 6] = STRIDE,
        /// First destination element.
        dst: MemAddr = FieldKind::Mem,
        /// Destination strides in bytes, that of `axis` from one row to the next; elements must not overlap.
        dst_strides: [u64; 6] = DMA_STRIDE,
    } |x| {
        read src: array(&x.dims, src_strides, x.element.into());
        read indices: array(&x.dims, index_strides, INDEX_BYTES);
        read dst: array(&x.dst_dims(), dst_strides, x.element.into());
        write dst: array(&x.dst_dims(), dst_strides, x.element.into());
    }

    /// Convolution invariant: fill a DPU slot with what all tiles of a layer share.
    ///
    /// A DPU task without barriers: it executes in order with the variants, and replaces what the slot held.
    conv_inv = ConvInv @ 0x20, slot {
        /// The slot to fill.
        slot: u8 = SLOT,
        /// Depthwise: output channel `oc` reads only input channel `oc / (out_c / in_c)`.
        depthwise: bool = BOOL,
        /// Vertical distance of neighbouring windows, in input rows.
        stride_y: u16 = WINDOW,
        /// Horizontal distance of neighbouring windows, in input pixels.
        stride_x: u16 = WINDOW,
        /// Vertical distance of neighbouring taps, in input rows.
        dilation_y: u16 = WINDOW,
        /// Horizontal distance of neighbouring taps, in input pixels.
        dilation_x: u16 = WINDOW,
        /// Activation zero point, subtracted from every activation.
        in_zp: i16 = int(16, -128, 255),
        /// Weight zero point, subtracted from every weight; 0 unless the method is `dense`.
        wt_zp: i16 = int(16, -128, 127),
        /// Storage of the weights.
        method: Method = FieldKind::Enum(Method::NAMES),
        /// Weights in a block (`w`); unused by `dense`.
        block: u8 = FieldKind::Choice(&[4, 8, 16, 32]),
        /// Low members of every block, at most `block`; 0 for `dense`.
        low: u8 = uint(8, 0, 32),
        /// `dliq`: bits of a low code, 1 to 8. `mip2q`: greatest exponent, 0 to 7. Otherwise 0.
        param: u8 = uint(8, 0, 8),
        /// `mip2q` with `param + 1` no power of two: the greatest exponent code, with a plus sign, means 0.
        zero: bool = BOOL,
        /// Whether the PPE applies the weight table's multiplier and shift.
        scale: bool = BOOL,
        /// Rounding of the scaling.
        round: Round = ROUND,
        /// Type of the stored results.
        out_dtype: Dtype = DTYPE,
        /// Output zero point, added after scaling.
        out_zp: i32 = WORD,
        /// Lower clamp; a value of `out_dtype`.
        clamp_lo: i32 = WORD,
        /// Upper clamp; a value of `out_dtype`, at least `clamp_lo`.
        clamp_hi: i32 = WORD,
        /// Whether the stored byte is looked up in a table; `out_dtype` must then be `i8`.
        lut: bool = BOOL,
        /// The 256 table bytes; value `v` selects byte `v + 128`.
        lut_addr: u32 = ALIGNED,
        /// Schedule: PEs that split the output channels. The schedule decides timing, never the result.
        sched_oc: u16 = uint(16, 1, 65535),
        /// Schedule: PEs that split the output rows.
        sched_oy: u16 = uint(16, 1, 65535),
        /// Schedule: PEs that split the output columns.
        sched_ox: u16 = uint(16, 1, 65535),
        /// Schedule: PEs that split the input channels and meet in the adder tree; a power of two up to 16.
        sched_ic: u16 = uint(16, 1, 16),
        /// Schedule: the operand that PEs keep resident from one block of outputs to the next; it must fit half of its register file.
        stationary: Stationary = FieldKind::Enum(Stationary::NAMES),
        /// Schedule: whether the columns of the kernel and the input channels fill the lanes as one run; not with
        /// `depthwise`.
        fold: bool = BOOL,
        /// Schedule: output channels that a PE accumulates at a time; 0 leaves the choice to the machine.
        block_oc: u16 = uint(9, 0, 511),
        /// Schedule: output rows that a PE accumulates at a time; 0 leaves the choice to the machine.
        block_oy: u16 = uint(8, 0, 255),
        /// Schedule: output columns that a PE accumulates at a time; 0 leaves the choice to the machine.
        block_ox: u16 = uint(10, 0, 1023),
    } |x| {
        clamp clamp_lo: to(clamp_hi, x.out_dtype);
        dtype out_dtype: of([Dtype::I8]), if x.lut;
        rule weights: of(x);
        rule schedule: of(x);
        hold lut_addr: bytes(LUT_BYTES), if x.lut;
    }

    /// Convolution variant: compute one tile of a layer.
    ///
    /// For every output `(oy, ox, oc)`:
    /// `acc = (acc_in ? psum[oy][ox][oc] : 0) + sum over ky, kx, ic of (act[iy][ix][ic] - in_zp) * (w - wt_zp)`
    /// with `iy = origin_y + oy * stride_y + ky * dilation_y`, and `ix` alike; only taps with
    /// `0 <= iy < in_h` and `0 <= ix < in_w` contribute. Sums wrap at 32 bits.
    ///
    /// With `acc_out`, `acc` is written to `psum` (contiguous `i32`, `[out_h][out_w][out_c]`) and `out` is not
    /// touched. Otherwise the PPE follows: `v = acc + bias[oc]`; if `scale`,
    /// `v = apply_scale(v, multiplier[oc], shift[oc], round)`; `v = v + out_zp`; both additions wrap; clamp to
    /// `clamp_lo..=clamp_hi`; store as `out_dtype`; if `lut`, the stored byte `b` becomes `lut[b + 128]`.
    ///
    /// The weight table holds 16 bytes per output channel, little endian: `u32` weight offset (from `weights`,
    /// a multiple of 16), `i32` multiplier (not negative), `u8` shift (2 to 62), `u8` code shift (`dliq`;
    /// otherwise 0), `u16` zero, `i32` bias. An entry outside these ranges is a trap.
    ///
    /// Convolution: every output channel has a weight set of `S` bytes at its weight offset, and every offset
    /// is at most `(out_c - 1) * S`. A `dense` set is `i8 [ky][kx][ic]`; otherwise, for every `ky`, `kx` and
    /// block of `block` input channels (the last one padded): a mask (LSB = lowest channel, 1 = high), the high
    /// codes (`i8`, ascending channel), the low codes (ascending channel), all bit-contiguous, LSB first. There is no
    /// mask where `low` is 0, and none where `low` is `block` and a low code has bits. Sets are padded with zeros to
    /// 16 bytes, and a code at a padding channel that is not 0 is a trap.
    ///
    /// Depthwise: `out_c` is a multiple of `in_c`, the weight offsets are 0, and one set at `weights`, ordered
    /// `[ky][kx][oc]` with blocks along `oc`, serves all channels; with `dliq` all code shifts are equal.
    ///
    /// Low codes: `dliq` is a two's complement number, shifted left by the code shift. `mip2q` is an exponent `e`
    /// up to `param` with the sign in the bit above it, and means `+2^e` or `-2^e`; with `zero`, sign 0 and all
    /// exponent bits set means 0. A mask without exactly `block - low` ones, and a code without an `i8` value
    /// (+128 has none), are traps.
    conv_var = ConvVar @ 0x21, task(Dpu, ConvInv) {
        /// A slot that holds a convolution invariant.
        slot: u8 = SLOT,
        /// Activations, `i8`, channels contiguous.
        act: u32 = TENSOR,
        /// Rows of the activation tile.
        in_h: u32 = DIM,
        /// Pixels of an activation row.
        in_w: u32 = DIM,
        /// Input channels.
        in_c: u32 = DIM,
        /// Bytes from an activation row to the next.
        act_row: u32 = STRIDE,
        /// Bytes from an activation pixel to the next.
        act_pixel: u32 = STRIDE,
        /// Input row of the first tap of output row 0; negative in the top padding.
        origin_y: i32 = WORD,
        /// Input pixel of the first tap of output column 0.
        origin_x: i32 = WORD,
        /// Kernel rows.
        kernel_h: u16 = WINDOW,
        /// Kernel columns.
        kernel_w: u16 = WINDOW,
        /// Base of the weight sets.
        weights: u32 = ALIGNED,
        /// Weight table, 16 bytes per output channel.
        table: u32 = ALIGNED,
        /// Results, channels contiguous.
        out: u32 = TENSOR,
        /// Output rows.
        out_h: u32 = DIM,
        /// Output columns.
        out_w: u32 = DIM,
        /// Output channels.
        out_c: u32 = DIM,
        /// Bytes from an output row to the next.
        out_row: u32 = STRIDE,
        /// Bytes from an output pixel to the next.
        out_pixel: u32 = STRIDE,
        /// Start from the partial sums in `psum`.
        acc_in: bool = BOOL,
        /// Leave partial sums in `psum` instead of results in `out`.
        acc_out: bool = BOOL,
        /// Partial sums, contiguous `i32`.
        psum: u32 = ALIGNED,
    } |x, inv| {
        read act: image([x.in_h, x.in_w, x.in_c], act_row, act_pixel, Dtype::I8);
        read weights: bytes(WeightFormat::all_sets_bytes(inv, x).unwrap_or(u64::MAX));
        read table: bytes(ENTRY_BYTES.saturating_mul(x.out_c.into()));
        read psum: packed([x.out_h, x.out_w, x.out_c], Dtype::I32), if x.acc_in;
        write psum: packed([x.out_h, x.out_w, x.out_c], Dtype::I32), if x.acc_out;
        write out: image([x.out_h, x.out_w, x.out_c], out_row, out_pixel, inv.out_dtype), if !x.acc_out;
        held lut_addr: bytes(LUT_BYTES), if inv.lut && !x.acc_out;
        rule depthwise: of(x, inv);
        rule accumulators: of(x, inv);
    }

    /// Pooling invariant: fill a DPU slot with what all tiles of a pooling layer share.
    ///
    /// A DPU task without barriers: it executes in order with the variants, and replaces what the slot held.
    pool_inv = PoolInv @ 0x22, slot {
        /// The slot to fill.
        slot: u8 = SLOT,
        /// Maximum or average.
        mode: PoolMode = FieldKind::Enum(PoolMode::NAMES),
        /// Vertical distance of neighbouring windows, in input rows.
        stride_y: u16 = WINDOW,
        /// Horizontal distance of neighbouring windows, in input pixels.
        stride_x: u16 = WINDOW,
        /// Type of input and output: `i8` or `i16`.
        dtype: Dtype = DTYPE,
        /// Input zero point, subtracted from every tap (`avg`).
        in_zp: i32 = WORD,
        /// Output zero point, added to the mean (`avg`).
        out_zp: i32 = WORD,
        /// Lower clamp; a value of `dtype`.
        clamp_lo: i32 = WORD,
        /// Upper clamp; a value of `dtype`, at least `clamp_lo`.
        clamp_hi: i32 = WORD,
    } |x| {
        dtype dtype: of([Dtype::I8, Dtype::I16]);
        clamp clamp_lo: to(clamp_hi, x.dtype);
    }

    /// Pooling variant: compute one tile of a pooling layer.
    ///
    /// For every output `(oy, ox, c)` over the taps `iy = origin_y + oy * stride_y + ky`, `ix` alike, that
    /// fall in `0 <= iy < in_h` and `0 <= ix < in_w`:
    /// - `max`: `acc` is the greatest tap, and also at least `psum[oy][ox][c]` if `acc_in`;
    /// - `avg`: `acc = (acc_in ? psum[oy][ox][c] : 0) + sum of (tap - in_zp)`, wrapping.
    ///
    /// With `acc_out`, `acc` is written to `psum` (contiguous `i32`, `[out_h][out_w][in_c]`). Otherwise `max`
    /// clamps and stores `acc`; `avg` counts the positions `(win_y + oy * stride_y + y, win_x + ox * stride_x + x)`,
    /// `0 <= y < win_h`, `0 <= x < win_w`, that lie in `bound_h` by `bound_w`, takes `(m, s) = reciprocal_scale(count)`
    /// of TOSA, and stores `clamp(apply_scale(acc, m, s, single) + out_zp)`. The `win` and `bound` fields describe
    /// the whole window when the kernel is split over several variants; unsplit, they repeat kernel, origin and input size.
    /// A `max` without any value and a count of 0 are traps.
    pool_var = PoolVar @ 0x23, task(Dpu, PoolInv) {
        /// A slot that holds a pooling invariant.
        slot: u8 = SLOT,
        /// Input, channels contiguous.
        act: u32 = TENSOR,
        /// Rows of the input tile.
        in_h: u32 = DIM,
        /// Pixels of an input row.
        in_w: u32 = DIM,
        /// Channels of input and output.
        in_c: u32 = DIM,
        /// Bytes from an input row to the next.
        act_row: u32 = STRIDE,
        /// Bytes from an input pixel to the next.
        act_pixel: u32 = STRIDE,
        /// Input row of the first tap of output row 0.
        origin_y: i32 = WORD,
        /// Input pixel of the first tap of output column 0.
        origin_x: i32 = WORD,
        /// Kernel rows.
        kernel_h: u16 = WINDOW,
        /// Kernel columns.
        kernel_w: u16 = WINDOW,
        /// Results, channels contiguous.
        out: u32 = TENSOR,
        /// Output rows.
        out_h: u32 = DIM,
        /// Output columns.
        out_w: u32 = DIM,
        /// Bytes from an output row to the next.
        out_row: u32 = STRIDE,
        /// Bytes from an output pixel to the next.
        out_pixel: u32 = STRIDE,
        /// Start from the partial results in `psum`.
        acc_in: bool = BOOL,
        /// Leave partial results in `psum` instead of results in `out`.
        acc_out: bool = BOOL,
        /// Partial results, contiguous `i32`.
        psum: u32 = ALIGNED,
        /// Rows of the whole window.
        win_h: u16 = WINDOW,
        /// Columns of the whole window.
        win_w: u16 = WINDOW,
        /// First row of the whole window of output row 0.
        win_y: i32 = WORD,
        /// First column of the whole window of output column 0.
        win_x: i32 = WORD,
        /// Rows that count.
        bound_h: u32 = DIM,
        /// Columns that count.
        bound_w: u32 = DIM,
    } |x, inv| {
        read act: image([x.in_h, x.in_w, x.in_c], act_row, act_pixel, inv.dtype);
        read psum: packed([x.out_h, x.out_w, x.in_c], Dtype::I32), if x.acc_in;
        write psum: packed([x.out_h, x.out_w, x.in_c], Dtype::I32), if x.acc_out;
        write out: image([x.out_h, x.out_w, x.in_c], out_row, out_pixel, inv.dtype), if !x.acc_out;
    }

    /// Element-wise operator on two arrays.
    ///
    /// For every index: `x = a - a_zp`; if `a_scale`, `x = apply_scale(x, a_mult, a_shift, a_round)`; `y` from
    /// `b` alike; `v = op(x, y)`; if `scale`, `v = apply_scale(v, mult, shift, round)`; `v = v + out_zp`; if `clamp`,
    /// clamp to `clamp_lo..=clamp_hi`; store as `out_dtype`; if `lut`, the stored byte `t` becomes `lut[t + 128]`.
    ///
    /// Operators: `add`, `sub` wrap; `mul` is the 64-bit product `p`, with `mul_shift > 0`
    /// `(p + (1 << (mul_shift - 1))) >> mul_shift`, of which the low 32 bits count; `max`; `min`;
    /// `asr` is `x >> (y & 31)`; `asr_round` with `s = y & 31` adds `(x >> (s - 1)) & 1` if `s > 0`;
    /// `lsl` is `x << (y & 31)`; `lsr` shifts the low bits of `x` that `a_dtype` has, without sign, right by `y & 31`;
    /// `and`, `or`, `xor` bitwise; `div` is `x / y` rounded towards 0, and a trap if `y` is 0 or the quotient is 2^31;
    /// `equal`, `greater` (`x > y`) and `greater_equal` are 1 where they hold, otherwise 0.
    vec_binary = VecBinary @ 0x30, task(Vec) {
        /// The operator.
        op: BinaryOp = FieldKind::Enum(BinaryOp::NAMES),
        /// Right shift of a product; 0 for the other operators.
        mul_shift: u8 = uint(6, 0, 63),
        /// Extents, outermost first; unused leading ones are 1.
        dims: [u32; 6] = DIM,
        /// First operand.
        a: u32 = TENSOR,
        /// Type of the first operand.
        a_dtype: Dtype = DTYPE,
        /// Strides of the first operand in bytes; 0 broadcasts.
        a_strides: [u32; 6] = STRIDE,
        /// Zero point of the first operand.
        a_zp: i32 = WORD,
        /// Whether the first operand is scaled.
        a_scale: bool = BOOL,
        /// Multiplier of the first operand.
        a_mult: i32 = MULT,
        /// Shift of the first operand.
        a_shift: u8 = SHIFT,
        /// Rounding of the first operand.
        a_round: Round = ROUND,
        /// Second operand.
        b: u32 = TENSOR,
        /// Type of the second operand.
        b_dtype: Dtype = DTYPE,
        /// Strides of the second operand in bytes; 0 broadcasts.
        b_strides: [u32; 6] = STRIDE,
        /// Zero point of the second operand.
        b_zp: i32 = WORD,
        /// Whether the second operand is scaled.
        b_scale: bool = BOOL,
        /// Multiplier of the second operand.
        b_mult: i32 = MULT,
        /// Shift of the second operand.
        b_shift: u8 = SHIFT,
        /// Rounding of the second operand.
        b_round: Round = ROUND,
        /// Results.
        out: u32 = TENSOR,
        /// Type of the stored results.
        out_dtype: Dtype = DTYPE,
        /// Strides of the results in bytes; the written elements must not overlap.
        out_strides: [u32; 6] = STRIDE,
        /// Whether the result is scaled.
        scale: bool = BOOL,
        /// Multiplier of the result.
        mult: i32 = MULT,
        /// Shift of the result.
        shift: u8 = SHIFT,
        /// Rounding of the result.
        round: Round = ROUND,
        /// Output zero point.
        out_zp: i32 = WORD,
        /// Whether the result is clamped.
        clamp: bool = BOOL,
        /// Lower clamp; with `clamp`, a value of `out_dtype`.
        clamp_lo: i32 = WORD,
        /// Upper clamp; with `clamp`, a value of `out_dtype`, at least `clamp_lo`.
        clamp_hi: i32 = WORD,
        /// Whether the stored byte is looked up in a table; `out_dtype` must then be `i8`.
        lut: bool = BOOL,
        /// The 256 table bytes; value `v` selects byte `v + 128`.
        lut_addr: u32 = ALIGNED,
    } |x| {
        map a: array(&x.dims, a_strides, x.a_dtype.bytes());
        map b: array(&x.dims, b_strides, x.b_dtype.bytes());
        write out: array(&x.dims, out_strides, x.out_dtype.bytes());
        rule mul_shift: of(x);
        clamp clamp_lo: to(clamp_hi, x.out_dtype), if x.clamp;
        dtype out_dtype: of([Dtype::I8]), if x.lut;
        read lut_addr: bytes(LUT_BYTES), if x.lut;
    }

    /// Element-wise operator on one array.
    ///
    /// For every index: `x = src - in_zp`, wrapping; `v = op(x)`; `v = v + out_zp`, wrapping; if `clamp`, clamp
    /// to `clamp_lo..=clamp_hi`; store as `out_dtype`. Operators: `copy` is `x` (cast, clamp, strided move);
    /// `abs` is `|x|` and `negate` is `-x`, both wrapping; `clz` counts the leading zeros of the 32-bit value; `not`
    /// inverts every bit; `nonzero` is 1 unless `x` is 0, which has 0.
    vec_unary = VecUnary @ 0x31, task(Vec) {
        /// The operator.
        op: UnaryOp = FieldKind::Enum(UnaryOp::NAMES),
        /// Extents, outermost first; unused leading ones are 1.
        dims: [u32; 6] = DIM,
        /// Operand.
        src: u32 = TENSOR,
        /// Type of the operand.
        src_dtype: Dtype = DTYPE,
        /// Strides of the operand in bytes; 0 broadcasts.
        src_strides: [u32; 6] = STRIDE,
        /// Input zero point.
        in_zp: i32 = WORD,
        /// Results.
        out: u32 = TENSOR,
        /// Type of the stored results.
        out_dtype: Dtype = DTYPE,
        /// Strides of the results in bytes; the written elements must not overlap.
        out_strides: [u32; 6] = STRIDE,
        /// Output zero point.
        out_zp: i32 = WORD,
        /// Whether the result is clamped.
        clamp: bool = BOOL,
        /// Lower clamp; with `clamp`, a value of `out_dtype`.
        clamp_lo: i32 = WORD,
        /// Upper clamp; with `clamp`, a value of `out_dtype`, at least `clamp_lo`.
        clamp_hi: i32 = WORD,
    } |x| {
        map src: array(&x.dims, src_strides, x.src_dtype.bytes());
        write out: array(&x.dims, out_strides, x.out_dtype.bytes());
        clamp clamp_lo: to(clamp_hi, x.out_dtype), if x.clamp;
    }

    /// Rescale an array, per tensor or per channel.
    ///
    /// For every index: `v = apply_scale(src - in_zp, m, s, round) + out_zp`, wrapping; clamp to
    /// `clamp_lo..=clamp_hi`; store as `out_dtype`; if `lut`, the stored byte `t` becomes `lut[t + 128]`.
    /// With `per_channel`, `m` and `s` come from the parameter at the index of the last dimension: 16 bytes,
    /// little endian, `i32` multiplier (not negative), `i32` shift (2 to 62), 8 bytes of zeros; an entry
    /// outside these ranges is a trap. Otherwise they are `mult` and `shift`.
    vec_rescale = VecRescale @ 0x32, task(Vec) {
        /// Extents, outermost first; unused leading ones are 1.
        dims: [u32; 6] = DIM,
        /// Operand.
        src: u32 = TENSOR,
        /// Type of the operand.
        src_dtype: Dtype = DTYPE,
        /// Strides of the operand in bytes; 0 broadcasts.
        src_strides: [u32; 6] = STRIDE,
        /// Input zero point.
        in_zp: i32 = WORD,
        /// Results.
        out: u32 = TENSOR,
        /// Type of the stored results.
        out_dtype: Dtype = DTYPE,
        /// Strides of the results in bytes; the written elements must not overlap.
        out_strides: [u32; 6] = STRIDE,
        /// Output zero point.
        out_zp: i32 = WORD,
        /// Whether multiplier and shift come from `params`.
        per_channel: bool = BOOL,
        /// Parameters, 16 bytes per index of the last dimension.
        params: u32 = ALIGNED,
        /// Multiplier for all elements.
        mult: i32 = MULT,
        /// Shift for all elements.
        shift: u8 = SHIFT,
        /// Rounding.
        round: Round = ROUND,
        /// Lower clamp; a value of `out_dtype`.
        clamp_lo: i32 = WORD,
        /// Upper clamp; a value of `out_dtype`, at least `clamp_lo`.
        clamp_hi: i32 = WORD,
        /// Whether the stored byte is looked up in a table; `out_dtype` must then be `i8`.
        lut: bool = BOOL,
        /// The 256 table bytes; value `v` selects byte `v + 128`.
        lut_addr: u32 = ALIGNED,
    } |x| {
        map src: array(&x.dims, src_strides, x.src_dtype.bytes());
        write out: array(&x.dims, out_strides, x.out_dtype.bytes());
        clamp clamp_lo: to(clamp_hi, x.out_dtype);
        dtype out_dtype: of([Dtype::I8]), if x.lut;
        read params: bytes(ENTRY_BYTES.saturating_mul(x.channels().into())), if x.per_channel;
        read lut_addr: bytes(LUT_BYTES), if x.lut;
    }

    /// Look every element up in a table.
    ///
    /// `i8`: the table is 256 `i8`; the result is the `i8` entry `v + 128`.
    /// `i16`: the table is 513 `i16`, as in TOSA `TABLE`: with `t = v + 32768`, `i = t >> 7` and `f = t & 127`,
    /// the result is the `i32` `table[i] * 128 + (table[i + 1] - table[i]) * f`.
    vec_table = VecTable @ 0x33, task(Vec) {
        /// Extents, outermost first; unused leading ones are 1.
        dims: [u32; 6] = DIM,
        /// Operand.
        src: u32 = TENSOR,
        /// Type of the operand: `i8` or `i16`.
        src_dtype: Dtype = DTYPE,
        /// Strides of the operand in bytes; 0 broadcasts.
        src_strides: [u32; 6] = STRIDE,
        /// Results: `i8` for `i8`, `i32` for `i16`.
        out: u32 = TENSOR,
        /// Strides of the results in bytes; the written elements must not overlap.
        out_strides: [u32; 6] = STRIDE,
        /// The table.
        table: u32 = ALIGNED,
    } |x| {
        dtype src_dtype: of([Dtype::I8, Dtype::I16]);
        map src: array(&x.dims, src_strides, x.src_dtype.bytes());
        write out: array(&x.dims, out_strides, x.out_dtype().bytes());
        read table: bytes(if x.out_dtype() == Dtype::I8 { LUT_BYTES } else { LUT16_BYTES });
    }

    /// Reduce an array along one dimension.
    ///
    /// For every index outside `axis`, the elements along `axis` are combined as 32-bit values (`sum` wraps) and
    /// stored as `out_dtype`. With `accumulate`, the combination starts from the element already in `out`. `argmax` is
    /// the index along `axis` of the greatest element, of the first if there are several; it has no `accumulate`.
    vec_reduce = VecReduce @ 0x34, task(Vec) {
        /// The operator.
        op: ReduceOp = FieldKind::Enum(ReduceOp::NAMES),
        /// The reduced dimension, an index into `dims`.
        axis: u8 = uint(3, 0, 5),
        /// Extents of the operand, outermost first; unused leading ones are 1.
        dims: [u32; 6] = DIM,
        /// Operand.
        src: u32 = TENSOR,
        /// Type of the operand.
        src_dtype: Dtype = DTYPE,
        /// Strides of the operand in bytes; 0 broadcasts.
        src_strides: [u32; 6] = STRIDE,
        /// Results.
        out: u32 = TENSOR,
        /// Type of the stored results.
        out_dtype: Dtype = DTYPE,
        /// Strides of the results in bytes; 0 at `axis`, and the written elements must not overlap.
        out_strides: [u32; 6] = STRIDE,
        /// Start from the elements already in `out`.
        accumulate: bool = BOOL,
    } |x| {
        read src: array(&x.dims, src_strides, x.src_dtype.bytes());
        rule reduced_stride: of(x);
        rule no_accumulate: of(x);
        dtype src_dtype: of([Dtype::I8, Dtype::I16]), if x.op == ReduceOp::Argmax;
        dtype out_dtype: of([Dtype::I32]), if x.op == ReduceOp::Argmax;
        read out: array(&x.out_dims(), out_strides, x.out_dtype.bytes()), if x.accumulate;
        write out: array(&x.out_dims(), out_strides, x.out_dtype.bytes());
    }

    /// Choose between the elements of two arrays.
    ///
    /// For every index, the result is the element of `a` if the byte of `cond` is not 0, otherwise that of `b`.
    vec_select = VecSelect @ 0x35, task(Vec) {
        /// Extents, outermost first; unused leading ones are 1.
        dims: [u32; 6] = DIM,
        /// Conditions, a byte each.
        cond: u32 = TENSOR,
        /// Strides of the conditions in bytes; 0 broadcasts.
        cond_strides: [u32; 6] = STRIDE,
        /// Type of operands and results.
        dtype: Dtype = DTYPE,
        /// Elements where the condition holds.
        a: u32 = TENSOR,
        /// Strides of `a` in bytes; 0 broadcasts.
        a_strides: [u32; 6] = STRIDE,
        /// Elements where it does not.
        b: u32 = TENSOR,
        /// Strides of `b` in bytes; 0 broadcasts.
        b_strides: [u32; 6] = STRIDE,
        /// Results.
        out: u32 = TENSOR,
        /// Strides of the results in bytes; the written elements must not overlap.
        out_strides: [u32; 6] = STRIDE,
    } |x| {
        map cond: array(&x.dims, cond_strides, 1);
        map a: array(&x.dims, a_strides, x.dtype.bytes());
        map b: array(&x.dims, b_strides, x.dtype.bytes());
        write out: array(&x.dims, out_strides, x.dtype.bytes());
    }

    /// Resize an image: compute one tile of the result, as TOSA `RESIZE`.
    ///
    /// For every result `(oy, ox, c)` of the tile, `y = (out_y + oy) * scale_y_d + offset_y`,
    /// `iy = floor(y / scale_y_n)`, `dy = y - iy * scale_y_n`, `iy0 = max(iy, 0)`, `iy1 = min(iy + 1, image_h - 1)`,
    /// and `ix0`, `ix1`, `dx` alike. With `v(iy, ix)` the element at row `iy` and column `ix` of the image, which is at
    /// row `iy - in_y` and column `ix - in_x` of the tile in `src`, the result is
    /// - `nearest`: `v(iy, ix)`, where `iy` is `iy1` if `2 * dy >= scale_y_n`, otherwise `iy0`, and `ix` alike;
    /// - `bilinear`: `v(iy0, ix0) * (scale_y_n - dy) * (scale_x_n - dx) + v(iy0, ix1) * (scale_y_n - dy) * dx +
    ///   v(iy1, ix0) * dy * (scale_x_n - dx) + v(iy1, ix1) * dy * dx` in 32 bits, which it cannot exceed.
    ///
    /// Along each side, `scale_d < 16 * scale_n` and `-scale_n <= offset < 16 * scale_n`; results end at 16383 at the
    /// latest; the tile in `src` lies in the image, and has every row and column that the formula names.
    vec_resize = VecResize @ 0x36, task(Vec) {
        /// What a result is computed from.
        mode: ResizeMode = FieldKind::Enum(ResizeMode::NAMES),
        /// Type of the image: `i8`, or with `nearest` also `i16`. Results have the same type, with `bilinear` `i32`.
        dtype: Dtype = DTYPE,
        /// The tile of the image, channels contiguous.
        src: u32 = TENSOR,
        /// Rows of the tile of the image.
        in_h: u32 = EXTENT,
        /// Columns of the tile of the image.
        in_w: u32 = EXTENT,
        /// Channels.
        channels: u32 = DIM,
        /// Bytes from a row of the image to the next.
        src_row: u32 = STRIDE,
        /// Bytes from a pixel of the image to the next.
        src_pixel: u32 = STRIDE,
        /// First row of the tile in the image.
        in_y: u32 = POSITION,
        /// First column of the tile in the image.
        in_x: u32 = POSITION,
        /// Rows of the image.
        image_h: u32 = EXTENT,
        /// Columns of the image.
        image_w: u32 = EXTENT,
        /// The tile of the results, channels contiguous.
        out: u32 = TENSOR,
        /// Rows of the tile of the results.
        out_h: u32 = EXTENT,
        /// Columns of the tile of the results.
        out_w: u32 = EXTENT,
        /// Bytes from a row of the results to the next.
        out_row: u32 = STRIDE,
        /// Bytes from a pixel of the results to the next.
        out_pixel: u32 = STRIDE,
        /// First row of the tile in the whole result.
        out_y: u32 = POSITION,
        /// First column of the tile in the whole result.
        out_x: u32 = POSITION,
        /// Vertical scale, numerator.
        scale_y_n: u16 = SCALE_N,
        /// Vertical scale, denominator.
        scale_y_d: u16 = SCALE_D,
        /// Position of the first row of the whole result, in 1/`scale_y_n` of a row of the image.
        offset_y: i16 = OFFSET,
        /// Horizontal scale, numerator.
        scale_x_n: u16 = SCALE_N,
        /// Horizontal scale, denominator.
        scale_x_d: u16 = SCALE_D,
        /// Position of the first column of the whole result, in 1/`scale_x_n` of a column of the image.
        offset_x: i16 = OFFSET,
    } |x| {
        dtype dtype: of([Dtype::I8, Dtype::I16]), if x.mode == ResizeMode::Nearest;
        dtype dtype: of([Dtype::I8]), if x.mode == ResizeMode::Bilinear;
        rule resize: of(x);
        read src: image([x.in_h, x.in_w, x.channels], src_row, src_pixel, x.dtype);
        write out: image([x.out_h, x.out_w, x.channels], out_row, out_pixel, x.out_dtype());
    }
}

impl DmaGather {
    /// Extents of the source: `rows` along `axis`, otherwise those of the results.
    #[must_use]
    pub fn src_dims(&self) -> [u32; 6] {
        with_rows(self.dims, self.axis, self.rows)
    }
}

impl DmaScatter {
    /// Extents of the destination: `rows` along `axis`, otherwise those of the source.
    #[must_use]
    pub fn dst_dims(&self) -> [u32; 6] {
        with_rows(self.dims, self.axis, self.rows)
    }
}

/// The extents with `rows` along `axis`.
fn with_rows(mut dims: [u32; 6], axis: u8, rows: u32) -> [u32; 6] {
    if let Some(extent) = dims.get_mut(usize::from(axis)) {
        *extent = rows;
    }
    dims
}

impl VecRescale {
    /// Number of channels: the extent of the last dimension.
    #[must_use]
    pub const fn channels(&self) -> u32 {
        let [.., channels] = self.dims;
        channels
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

impl VecReduce {
    /// Extents of the results: 1 along the reduced dimension.
    #[must_use]
    pub fn out_dims(&self) -> [u32; 6] {
        with_rows(self.dims, self.axis, 1)
    }
}

impl VecResize {
    /// Type of the results: `i32` if they are weighted sums, otherwise that of the image.
    #[must_use]
    pub const fn out_dtype(&self) -> Dtype {
        match self.mode {
            ResizeMode::Nearest => self.dtype,
            ResizeMode::Bilinear => Dtype::I32,
        }
    }

    /// The vertical side: rows.
    #[must_use]
    pub const fn rows(&self) -> ResizeAxis {
        ResizeAxis {
            name: "y",
            mode: self.mode,
            scale_n: self.scale_y_n,
            scale_d: self.scale_y_d,
            offset: self.offset_y,
            image: self.image_h,
            tile: (self.in_y, self.in_h),
            out: (self.out_y, self.out_h),
        }
    }

    /// The horizontal side: columns.
    #[must_use]
    pub const fn columns(&self) -> ResizeAxis {
        ResizeAxis {
            name: "x",
            mode: self.mode,
            scale_n: self.scale_x_n,
            scale_d: self.scale_x_d,
            offset: self.offset_x,
            image: self.image_w,
            tile: (self.in_x, self.in_w),
            out: (self.out_x, self.out_w),
        }
    }
}

impl Instr {
    /// The values of all fields in encoding order, arrays flattened.
    ///
    /// An address is `offset | space << 40`, a mask its bits, an enumeration its index.
    #[must_use]
    pub fn raw_fields(&self) -> Vec<i64> {
        let mut out = Vec::with_capacity(self.desc().raw_len());
        self.put_raw(&mut out);
        out
    }

    /// The instruction of `desc` with these field values, laid out as by [`Instr::raw_fields`].
    ///
    /// # Errors
    /// When the number of values is wrong or one is outside its field's range.
    pub fn from_raw(desc: &InstrDesc, raw: &[i64]) -> Result<Instr, FieldError> {
        desc.check(raw)?;
        let unknown = FieldError {
            field: desc.mnemonic,
            index: None,
            kind: crate::FieldErrorKind::NoSuchInstr { opcode: desc.opcode },
        };
        Instr::from_checked(desc.opcode, raw).ok_or(unknown)
    }

    /// The mnemonic.
    #[must_use]
    pub const fn mnemonic(&self) -> &'static str {
        self.desc().mnemonic
    }

    /// The barriers it waits for; 0 when the instruction is not a task.
    #[must_use]
    pub const fn wait(&self) -> u64 {
        match self.masks() {
            Some((wait, _)) => wait,
            None => 0,
        }
    }

    /// The barriers it posts to; 0 when the instruction is not a task.
    #[must_use]
    pub const fn post(&self) -> u64 {
        match self.masks() {
            Some((_, post)) => post,
            None => 0,
        }
    }

    /// Checks every field against its range.
    ///
    /// # Errors
    /// The first field whose value the encoding cannot hold.
    pub fn check_fields(&self) -> Result<(), FieldError> {
        self.desc().check(&self.raw_fields())
    }
}

impl InstrDesc {
    /// The row with this opcode.
    #[must_use]
    pub fn by_opcode(opcode: u8) -> Option<&'static InstrDesc> {
        TABLE.iter().find(|d| d.opcode == opcode)
    }

    /// The row with this mnemonic.
    #[must_use]
    pub fn by_mnemonic(mnemonic: &str) -> Option<&'static InstrDesc> {
        TABLE.iter().find(|d| d.mnemonic == mnemonic)
    }
}
