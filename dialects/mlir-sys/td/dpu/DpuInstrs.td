// Generated from the instruction table (dialects/isa/src/table.rs). To update it: STRUM_BLESS=1 cargo test -p strum-ir --test generated

#ifndef DPU_INSTRS_TD
#define DPU_INSTRS_TD

include "dpu/DpuBase.td"

def Dpu_EndOp : Dpu_Instr<"end"> {
  let summary = "end of the program";
  let description = [{
    Waits until all engines are idle; then every barrier must be idle (else a trap), and the machine halts.
    It is the last instruction of a program and occurs once.
  }];
  let arguments = (ins
    Dpu_Layer:$layer
  );
}

def Dpu_DmaCopyOp : Dpu_Instr<"dma_copy", [AttrSizedOperandSegments]> {
  let summary = "copy a strided array of elements between or within the address spaces";
  let description = [{
    For every index `i` with `0 <= i[k] < dims[k]`, in row-major order (last dimension fastest), the
    `element` bytes at `src + sum(i[k] * src_strides[k])` are written to `dst + sum(i[k] * dst_strides[k])`.
    A source stride of 0 repeats. The intervals of source and destination must not overlap. Addresses, and strides
    of dimensions above 1, are multiples of `element`.

    Fields:
    - `tile`: The tile that runs the task and whose SRAM it sees; less than the machine's `tiles`.
    - `wait`: Barriers whose producers must all be done before the task starts; it then consumes each once.
    - `post`: Barriers that lose one producer each when the task ends.
    - `engine`: The DMA engine that runs the task.
    - `element`: Bytes per element.
    - `src`: First source element.
    - `dst`: First destination element.
    - `dims`: Extents in elements, outermost first; unused leading ones are 1.
    - `src_strides`: Source strides in bytes.
    - `dst_strides`: Destination strides in bytes; the written elements must not overlap.
  }];
  let arguments = (ins
    Dpu_Int<0>:$tile,
    Dpu_Barriers:$wait,
    Dpu_Barriers:$post,
    Dpu_Int<0>:$engine,
    Dpu_Int<1>:$element,
    Dpu_Address:$src, Dpu_Offset:$src_offset,
    Dpu_Address:$dst, Dpu_Offset:$dst_offset,
    Dpu_Ints<1>:$dims,
    Dpu_Ints<0>:$src_strides,
    Dpu_Ints<0>:$dst_strides,
    Dpu_Layer:$layer
  );
}

def Dpu_DmaFillOp : Dpu_Instr<"dma_fill", [AttrSizedOperandSegments]> {
  let summary = "write one value to every element of a strided array";
  let description = [{
    For every index `i` with `0 <= i[k] < dims[k]`, the low `element` bytes of `value`, little endian, are
    written to `dst + sum(i[k] * dst_strides[k])`.

    Fields:
    - `tile`: The tile that runs the task and whose SRAM it sees; less than the machine's `tiles`.
    - `wait`: Barriers whose producers must all be done before the task starts; it then consumes each once.
    - `post`: Barriers that lose one producer each when the task ends.
    - `engine`: The DMA engine that runs the task.
    - `element`: Bytes per element.
    - `dst`: First destination element.
    - `dims`: Extents in elements, outermost first; unused leading ones are 1.
    - `dst_strides`: Destination strides in bytes; the written elements must not overlap.
    - `value`: The value; its low bytes are stored.
  }];
  let arguments = (ins
    Dpu_Int<0>:$tile,
    Dpu_Barriers:$wait,
    Dpu_Barriers:$post,
    Dpu_Int<0>:$engine,
    Dpu_Int<1>:$element,
    Dpu_Address:$dst, Dpu_Offset:$dst_offset,
    Dpu_Ints<1>:$dims,
    Dpu_Ints<0>:$dst_strides,
    Dpu_Int<0>:$value,
    Dpu_Layer:$layer
  );
}

def Dpu_DmaGatherOp : Dpu_Instr<"dma_gather", [AttrSizedOperandSegments]> {
  let summary = "copy the elements that a list of indices selects along one dimension";
  let description = [{
    For every index `i` with `0 <= i[k] < dims[k]`, in row-major order, `j` is the `i32` at
    `indices + sum(i[k] * index_strides[k])`, and the `element` bytes at
    `src + j * src_strides[axis] + sum over k != axis of (i[k] * src_strides[k])` are written to
    `dst + sum(i[k] * dst_strides[k])`. An index that is negative or not less than `rows` is a trap.
    The operand is the whole array that an index can select from: all of it must have been written.

    Fields:
    - `tile`: The tile that runs the task and whose SRAM it sees; less than the machine's `tiles`.
    - `wait`: Barriers whose producers must all be done before the task starts; it then consumes each once.
    - `post`: Barriers that lose one producer each when the task ends.
    - `engine`: The DMA engine that runs the task.
    - `element`: Bytes per element.
    - `axis`: The dimension that indices select in.
    - `rows`: Extent of the source along `axis`.
    - `src`: First source element.
    - `dims`: Extents of the results in elements, outermost first; unused leading ones are 1.
    - `src_strides`: Source strides in bytes; that of `axis` is from one row to the next.
    - `indices`: First index, `i32`.
    - `index_strides`: Strides of the indices in bytes; 0 where an index holds for a whole dimension.
    - `dst`: First result.
    - `dst_strides`: Strides of the results in bytes; the written elements must not overlap.
  }];
  let arguments = (ins
    Dpu_Int<0>:$tile,
    Dpu_Barriers:$wait,
    Dpu_Barriers:$post,
    Dpu_Int<0>:$engine,
    Dpu_Int<1>:$element,
    Dpu_Int<0>:$axis,
    Dpu_Int<1>:$rows,
    Dpu_Address:$src, Dpu_Offset:$src_offset,
    Dpu_Ints<1>:$dims,
    Dpu_Ints<0>:$src_strides,
    Dpu_Address:$indices, Dpu_Offset:$indices_offset,
    Dpu_Ints<0>:$index_strides,
    Dpu_Address:$dst, Dpu_Offset:$dst_offset,
    Dpu_Ints<0>:$dst_strides,
    Dpu_Layer:$layer
  );
}

def Dpu_DmaScatterOp : Dpu_Instr<"dma_scatter", [AttrSizedOperandSegments]> {
  let summary = "copy elements to where a list of indices puts them along one dimension; all others keep their values";
  let description = [{
    For every index `i` with `0 <= i[k] < dims[k]`, in row-major order, `j` is the `i32` at
    `indices + sum(i[k] * index_strides[k])`, and the `element` bytes at `src + sum(i[k] * src_strides[k])` are
    written to `dst + j * dst_strides[axis] + sum over k != axis of (i[k] * dst_strides[k])`. An index that is
    negative or not less than `rows` is a trap, as is an element of `dst` that is written twice. The task reads and
    writes the whole array that an index can select in: all of it must have been written.

    Fields:
    - `tile`: The tile that runs the task and whose SRAM it sees; less than the machine's `tiles`.
    - `wait`: Barriers whose producers must all be done before the task starts; it then consumes each once.
    - `post`: Barriers that lose one producer each when the task ends.
    - `engine`: The DMA engine that runs the task.
    - `element`: Bytes per element.
    - `axis`: The dimension that indices select in.
    - `rows`: Extent of the destination along `axis`.
    - `src`: First source element.
    - `dims`: Extents of the source in elements, outermost first; unused leading ones are 1.
    - `src_strides`: Source strides in bytes; 0 repeats.
    - `indices`: First index, `i32`.
    - `index_strides`: Strides of the indices in bytes; 0 where an index holds for a whole dimension.
    - `dst`: First destination element.
    - `dst_strides`: Destination strides in bytes, that of `axis` from one row to the next; elements must not overlap.
  }];
  let arguments = (ins
    Dpu_Int<0>:$tile,
    Dpu_Barriers:$wait,
    Dpu_Barriers:$post,
    Dpu_Int<0>:$engine,
    Dpu_Int<1>:$element,
    Dpu_Int<0>:$axis,
    Dpu_Int<1>:$rows,
    Dpu_Address:$src, Dpu_Offset:$src_offset,
    Dpu_Ints<1>:$dims,
    Dpu_Ints<0>:$src_strides,
    Dpu_Address:$indices, Dpu_Offset:$indices_offset,
    Dpu_Ints<0>:$index_strides,
    Dpu_Address:$dst, Dpu_Offset:$dst_offset,
    Dpu_Ints<0>:$dst_strides,
    Dpu_Layer:$layer
  );
}

def Dpu_ConvInvOp : Dpu_Instr<"conv_inv"> {
  let summary = "convolution invariant: fill a DPU slot with what all tiles of a layer share";
  let description = [{
    A DPU task without barriers: it executes in order with the variants, and replaces what the slot held.

    Fields:
    - `tile`: The tile whose slot is filled; less than the machine's `tiles`.
    - `slot`: The slot to fill.
    - `depthwise`: Depthwise: output channel `oc` reads only input channel `oc / (out_c / in_c)`.
    - `stride_y`: Vertical distance of neighbouring windows, in input rows.
    - `stride_x`: Horizontal distance of neighbouring windows, in input pixels.
    - `dilation_y`: Vertical distance of neighbouring taps, in input rows.
    - `dilation_x`: Horizontal distance of neighbouring taps, in input pixels.
    - `in_zp`: Activation zero point, subtracted from every activation.
    - `wt_zp`: Weight zero point, subtracted from every weight; 0 unless the method is `dense`.
    - `method`: Storage of the weights.
    - `block`: Weights in a block (`w`); unused by `dense`.
    - `low`: Low members of every block, at most `block`; 0 for `dense`.
    - `param`: `dliq`: bits of a low code, 1 to 8. `mip2q`: greatest exponent, 0 to 7. Otherwise 0.
    - `zero`: `mip2q` with `param + 1` no power of two: the greatest exponent code, with a plus sign, means 0.
    - `scale`: Whether the PPE applies the weight table's multiplier and shift.
    - `round`: Rounding of the scaling.
    - `out_dtype`: Type of the stored results.
    - `out_zp`: Output zero point, added after scaling.
    - `clamp_lo`: Lower clamp; a value of `out_dtype`.
    - `clamp_hi`: Upper clamp; a value of `out_dtype`, at least `clamp_lo`.
    - `lut`: Whether the stored byte is looked up in a table; `out_dtype` must then be `i8`.
    - `lut_addr`: The 256 table bytes; value `v` selects byte `v + 128`.
    - `sched_oc`: Schedule: PEs that split the output channels. The schedule decides timing, never the result.
    - `sched_oy`: Schedule: PEs that split the output rows.
    - `sched_ox`: Schedule: PEs that split the output columns.
    - `sched_ic`: Schedule: PEs that split the input channels and meet in the adder tree; a power of two up to 16.
    - `stationary`: Schedule: the operand that PEs keep resident from one block of outputs to the next; it must fit half of its register file.
    - `fold`: Schedule: whether the columns of the kernel and the input channels fill the lanes as one run; not with `depthwise`.
    - `block_oc`: Schedule: output channels that a PE accumulates at a time; 0 leaves the choice to the machine.
    - `block_oy`: Schedule: output rows that a PE accumulates at a time; 0 leaves the choice to the machine.
    - `block_ox`: Schedule: output columns that a PE accumulates at a time; 0 leaves the choice to the machine.
  }];
  let arguments = (ins
    Dpu_Int<0>:$tile,
    Dpu_Int<0>:$slot,
    Dpu_Flag:$depthwise,
    Dpu_Int<1>:$stride_y,
    Dpu_Int<1>:$stride_x,
    Dpu_Int<1>:$dilation_y,
    Dpu_Int<1>:$dilation_x,
    Dpu_Int<0>:$in_zp,
    Dpu_Int<0>:$wt_zp,
    Dpu_Keyword<"dense">:$method,
    Dpu_Int<4>:$block,
    Dpu_Int<0>:$low,
    Dpu_Int<0>:$param,
    Dpu_Flag:$zero,
    Dpu_Flag:$scale,
    Dpu_Keyword<"single">:$round,
    Dpu_Keyword<"i8">:$out_dtype,
    Dpu_Int<0>:$out_zp,
    Dpu_Int<0>:$clamp_lo,
    Dpu_Int<0>:$clamp_hi,
    Dpu_Flag:$lut,
    Dpu_Address:$lut_addr, Dpu_Offset:$lut_addr_offset,
    Dpu_Int<1>:$sched_oc,
    Dpu_Int<1>:$sched_oy,
    Dpu_Int<1>:$sched_ox,
    Dpu_Int<1>:$sched_ic,
    Dpu_Keyword<"output">:$stationary,
    Dpu_Flag:$fold,
    Dpu_Int<0>:$block_oc,
    Dpu_Int<0>:$block_oy,
    Dpu_Int<0>:$block_ox,
    Dpu_Layer:$layer
  );
}

def Dpu_ConvVarOp : Dpu_Instr<"conv_var", [AttrSizedOperandSegments]> {
  let summary = "convolution variant: compute one tile of a layer";
  let description = [{
    For every output `(oy, ox, oc)`:
    `acc = (acc_in ? psum[oy][ox][oc] : 0) + sum over ky, kx, ic of (act[iy][ix][ic] - in_zp) * (w - wt_zp)`
    with `iy = origin_y + oy * stride_y + ky * dilation_y`, and `ix` alike; only taps with
    `0 <= iy < in_h` and `0 <= ix < in_w` contribute. Sums wrap at 32 bits.

    With `acc_out`, `acc` is written to `psum` (contiguous `i32`, `[out_h][out_w][out_c]`) and `out` is not
    touched. Otherwise the PPE follows: `v = acc + bias[oc]`; if `scale`,
    `v = apply_scale(v, multiplier[oc], shift[oc], round)`; `v = v + out_zp`; both additions wrap; clamp to
    `clamp_lo..=clamp_hi`; store as `out_dtype`; if `lut`, the stored byte `b` becomes `lut[b + 128]`.

    The weight table holds 16 bytes per output channel, little endian: `u32` weight offset (from `weights`,
    a multiple of 16), `i32` multiplier (not negative), `u8` shift (2 to 62), `u8` code shift (`dliq`;
    otherwise 0), `u16` zero, `i32` bias. An entry outside these ranges is a trap.

    Convolution: every output channel has a weight set of `S` bytes at its weight offset, and every offset
    is at most `(out_c - 1) * S`. A `dense` set is `i8 [ky][kx][ic]`; otherwise, for every `ky`, `kx` and
    block of `block` input channels (the last one padded): a mask (LSB = lowest channel, 1 = high), the high
    codes (`i8`, ascending channel), the low codes (ascending channel), all bit-contiguous, LSB first. There is no
    mask where `low` is 0, and none where `low` is `block` and a low code has bits. Sets are padded with zeros to
    16 bytes, and a code at a padding channel that is not 0 is a trap.

    Depthwise: `out_c` is a multiple of `in_c`, the weight offsets are 0, and one set at `weights`, ordered
    `[ky][kx][oc]` with blocks along `oc`, serves all channels; with `dliq` all code shifts are equal.

    Low codes: `dliq` is a two's complement number, shifted left by the code shift. `mip2q` is an exponent `e`
    up to `param` with the sign in the bit above it, and means `+2^e` or `-2^e`; with `zero`, sign 0 and all
    exponent bits set means 0. A mask without exactly `block - low` ones, and a code without an `i8` value
    (+128 has none), are traps.

    Fields:
    - `tile`: The tile that runs the task and whose SRAM it sees; less than the machine's `tiles`.
    - `wait`: Barriers whose producers must all be done before the task starts; it then consumes each once.
    - `post`: Barriers that lose one producer each when the task ends.
    - `slot`: A slot that holds a convolution invariant.
    - `act`: Activations, `i8`, channels contiguous.
    - `in_h`: Rows of the activation tile.
    - `in_w`: Pixels of an activation row.
    - `in_c`: Input channels.
    - `act_row`: Bytes from an activation row to the next.
    - `act_pixel`: Bytes from an activation pixel to the next.
    - `origin_y`: Input row of the first tap of output row 0; negative in the top padding.
    - `origin_x`: Input pixel of the first tap of output column 0.
    - `kernel_h`: Kernel rows.
    - `kernel_w`: Kernel columns.
    - `weights`: Base of the weight sets.
    - `table`: Weight table, 16 bytes per output channel.
    - `out`: Results, channels contiguous.
    - `out_h`: Output rows.
    - `out_w`: Output columns.
    - `out_c`: Output channels.
    - `out_row`: Bytes from an output row to the next.
    - `out_pixel`: Bytes from an output pixel to the next.
    - `acc_in`: Start from the partial sums in `psum`.
    - `acc_out`: Leave partial sums in `psum` instead of results in `out`.
    - `psum`: Partial sums, contiguous `i32`.
  }];
  let arguments = (ins
    Dpu_Int<0>:$tile,
    Dpu_Barriers:$wait,
    Dpu_Barriers:$post,
    Dpu_Int<0>:$slot,
    Dpu_Address:$act, Dpu_Offset:$act_offset,
    Dpu_Int<1>:$in_h,
    Dpu_Int<1>:$in_w,
    Dpu_Int<1>:$in_c,
    Dpu_Int<0>:$act_row,
    Dpu_Int<0>:$act_pixel,
    Dpu_Int<0>:$origin_y,
    Dpu_Int<0>:$origin_x,
    Dpu_Int<1>:$kernel_h,
    Dpu_Int<1>:$kernel_w,
    Dpu_Address:$weights, Dpu_Offset:$weights_offset,
    Dpu_Address:$table, Dpu_Offset:$table_offset,
    Dpu_Address:$out, Dpu_Offset:$out_offset,
    Dpu_Int<1>:$out_h,
    Dpu_Int<1>:$out_w,
    Dpu_Int<1>:$out_c,
    Dpu_Int<0>:$out_row,
    Dpu_Int<0>:$out_pixel,
    Dpu_Flag:$acc_in,
    Dpu_Flag:$acc_out,
    Dpu_Address:$psum, Dpu_Offset:$psum_offset,
    Dpu_Layer:$layer
  );
}

def Dpu_PoolInvOp : Dpu_Instr<"pool_inv"> {
  let summary = "pooling invariant: fill a DPU slot with what all tiles of a pooling layer share";
  let description = [{
    A DPU task without barriers: it executes in order with the variants, and replaces what the slot held.

    Fields:
    - `tile`: The tile whose slot is filled; less than the machine's `tiles`.
    - `slot`: The slot to fill.
    - `mode`: Maximum or average.
    - `stride_y`: Vertical distance of neighbouring windows, in input rows.
    - `stride_x`: Horizontal distance of neighbouring windows, in input pixels.
    - `dtype`: Type of input and output: `i8` or `i16`.
    - `in_zp`: Input zero point, subtracted from every tap (`avg`).
    - `out_zp`: Output zero point, added to the mean (`avg`).
    - `clamp_lo`: Lower clamp; a value of `dtype`.
    - `clamp_hi`: Upper clamp; a value of `dtype`, at least `clamp_lo`.
  }];
  let arguments = (ins
    Dpu_Int<0>:$tile,
    Dpu_Int<0>:$slot,
    Dpu_Keyword<"max">:$mode,
    Dpu_Int<1>:$stride_y,
    Dpu_Int<1>:$stride_x,
    Dpu_Keyword<"i8">:$dtype,
    Dpu_Int<0>:$in_zp,
    Dpu_Int<0>:$out_zp,
    Dpu_Int<0>:$clamp_lo,
    Dpu_Int<0>:$clamp_hi,
    Dpu_Layer:$layer
  );
}

def Dpu_PoolVarOp : Dpu_Instr<"pool_var", [AttrSizedOperandSegments]> {
  let summary = "pooling variant: compute one tile of a pooling layer";
  let description = [{
    For every output `(oy, ox, c)` over the taps `iy = origin_y + oy * stride_y + ky`, `ix` alike, that
    fall in `0 <= iy < in_h` and `0 <= ix < in_w`:
    - `max`: `acc` is the greatest tap, and also at least `psum[oy][ox][c]` if `acc_in`;
    - `avg`: `acc = (acc_in ? psum[oy][ox][c] : 0) + sum of (tap - in_zp)`, wrapping.

    With `acc_out`, `acc` is written to `psum` (contiguous `i32`, `[out_h][out_w][in_c]`). Otherwise `max`
    clamps and stores `acc`; `avg` counts the positions `(win_y + oy * stride_y + y, win_x + ox * stride_x + x)`,
    `0 <= y < win_h`, `0 <= x < win_w`, that lie in `bound_h` by `bound_w`, takes `(m, s) = reciprocal_scale(count)`
    of TOSA, and stores `clamp(apply_scale(acc, m, s, single) + out_zp)`. The `win` and `bound` fields describe
    the whole window when the kernel is split over several variants; unsplit, they repeat kernel, origin and input size.
    A `max` without any value and a count of 0 are traps.

    Fields:
    - `tile`: The tile that runs the task and whose SRAM it sees; less than the machine's `tiles`.
    - `wait`: Barriers whose producers must all be done before the task starts; it then consumes each once.
    - `post`: Barriers that lose one producer each when the task ends.
    - `slot`: A slot that holds a pooling invariant.
    - `act`: Input, channels contiguous.
    - `in_h`: Rows of the input tile.
    - `in_w`: Pixels of an input row.
    - `in_c`: Channels of input and output.
    - `act_row`: Bytes from an input row to the next.
    - `act_pixel`: Bytes from an input pixel to the next.
    - `origin_y`: Input row of the first tap of output row 0.
    - `origin_x`: Input pixel of the first tap of output column 0.
    - `kernel_h`: Kernel rows.
    - `kernel_w`: Kernel columns.
    - `out`: Results, channels contiguous.
    - `out_h`: Output rows.
    - `out_w`: Output columns.
    - `out_row`: Bytes from an output row to the next.
    - `out_pixel`: Bytes from an output pixel to the next.
    - `acc_in`: Start from the partial results in `psum`.
    - `acc_out`: Leave partial results in `psum` instead of results in `out`.
    - `psum`: Partial results, contiguous `i32`.
    - `win_h`: Rows of the whole window.
    - `win_w`: Columns of the whole window.
    - `win_y`: First row of the whole window of output row 0.
    - `win_x`: First column of the whole window of output column 0.
    - `bound_h`: Rows that count.
    - `bound_w`: Columns that count.
  }];
  let arguments = (ins
    Dpu_Int<0>:$tile,
    Dpu_Barriers:$wait,
    Dpu_Barriers:$post,
    Dpu_Int<0>:$slot,
    Dpu_Address:$act, Dpu_Offset:$act_offset,
    Dpu_Int<1>:$in_h,
    Dpu_Int<1>:$in_w,
    Dpu_Int<1>:$in_c,
    Dpu_Int<0>:$act_row,
    Dpu_Int<0>:$act_pixel,
    Dpu_Int<0>:$origin_y,
    Dpu_Int<0>:$origin_x,
    Dpu_Int<1>:$kernel_h,
    Dpu_Int<1>:$kernel_w,
    Dpu_Address:$out, Dpu_Offset:$out_offset,
    Dpu_Int<1>:$out_h,
    Dpu_Int<1>:$out_w,
    Dpu_Int<0>:$out_row,
    Dpu_Int<0>:$out_pixel,
    Dpu_Flag:$acc_in,
    Dpu_Flag:$acc_out,
    Dpu_Address:$psum, Dpu_Offset:$psum_offset,
    Dpu_Int<1>:$win_h,
    Dpu_Int<1>:$win_w,
    Dpu_Int<0>:$win_y,
    Dpu_Int<0>:$win_x,
    Dpu_Int<1>:$bound_h,
    Dpu_Int<1>:$bound_w,
    Dpu_Layer:$layer
  );
}

def Dpu_VecBinaryOp : Dpu_Instr<"vec_binary", [AttrSizedOperandSegments]> {
  let summary = "element-wise operator on two arrays";
  let description = [{
    For every index: `x = a - a_zp`; if `a_scale`, `x = apply_scale(x, a_mult, a_shift, a_round)`; `y` from
    `b` alike; `v = op(x, y)`; if `scale`, `v = apply_scale(v, mult, shift, round)`; `v = v + out_zp`; if `clamp`,
    clamp to `clamp_lo..=clamp_hi`; store as `out_dtype`; if `lut`, the stored byte `t` becomes `lut[t + 128]`.

    Operators: `add`, `sub` wrap; `mul` is the 64-bit product `p`, with `mul_shift > 0`
    `(p + (1 << (mul_shift - 1))) >> mul_shift`, of which the low 32 bits count; `max`; `min`;
    `asr` is `x >> (y & 31)`; `asr_round` with `s = y & 31` adds `(x >> (s - 1)) & 1` if `s > 0`;
    `lsl` is `x << (y & 31)`; `lsr` shifts the low bits of `x` that `a_dtype` has, without sign, right by `y & 31`;
    `and`, `or`, `xor` bitwise; `div` is `x / y` rounded towards 0, and a trap if `y` is 0 or the quotient is 2^31;
    `equal`, `greater` (`x > y`) and `greater_equal` are 1 where they hold, otherwise 0.

    Fields:
    - `tile`: The tile that runs the task and whose SRAM it sees; less than the machine's `tiles`.
    - `wait`: Barriers whose producers must all be done before the task starts; it then consumes each once.
    - `post`: Barriers that lose one producer each when the task ends.
    - `op`: The operator.
    - `mul_shift`: Right shift of a product; 0 for the other operators.
    - `dims`: Extents, outermost first; unused leading ones are 1.
    - `a`: First operand.
    - `a_dtype`: Type of the first operand.
    - `a_strides`: Strides of the first operand in bytes; 0 broadcasts.
    - `a_zp`: Zero point of the first operand.
    - `a_scale`: Whether the first operand is scaled.
    - `a_mult`: Multiplier of the first operand.
    - `a_shift`: Shift of the first operand.
    - `a_round`: Rounding of the first operand.
    - `b`: Second operand.
    - `b_dtype`: Type of the second operand.
    - `b_strides`: Strides of the second operand in bytes; 0 broadcasts.
    - `b_zp`: Zero point of the second operand.
    - `b_scale`: Whether the second operand is scaled.
    - `b_mult`: Multiplier of the second operand.
    - `b_shift`: Shift of the second operand.
    - `b_round`: Rounding of the second operand.
    - `out`: Results.
    - `out_dtype`: Type of the stored results.
    - `out_strides`: Strides of the results in bytes; the written elements must not overlap.
    - `scale`: Whether the result is scaled.
    - `mult`: Multiplier of the result.
    - `shift`: Shift of the result.
    - `round`: Rounding of the result.
    - `out_zp`: Output zero point.
    - `clamp`: Whether the result is clamped.
    - `clamp_lo`: Lower clamp; with `clamp`, a value of `out_dtype`.
    - `clamp_hi`: Upper clamp; with `clamp`, a value of `out_dtype`, at least `clamp_lo`.
    - `lut`: Whether the stored byte is looked up in a table; `out_dtype` must then be `i8`.
    - `lut_addr`: The 256 table bytes; value `v` selects byte `v + 128`.
  }];
  let arguments = (ins
    Dpu_Int<0>:$tile,
    Dpu_Barriers:$wait,
    Dpu_Barriers:$post,
    Dpu_Keyword<"add">:$op,
    Dpu_Int<0>:$mul_shift,
    Dpu_Ints<1>:$dims,
    Dpu_Address:$a, Dpu_Offset:$a_offset,
    Dpu_Keyword<"i8">:$a_dtype,
    Dpu_Ints<0>:$a_strides,
    Dpu_Int<0>:$a_zp,
    Dpu_Flag:$a_scale,
    Dpu_Int<0>:$a_mult,
    Dpu_Int<2>:$a_shift,
    Dpu_Keyword<"single">:$a_round,
    Dpu_Address:$b, Dpu_Offset:$b_offset,
    Dpu_Keyword<"i8">:$b_dtype,
    Dpu_Ints<0>:$b_strides,
    Dpu_Int<0>:$b_zp,
    Dpu_Flag:$b_scale,
    Dpu_Int<0>:$b_mult,
    Dpu_Int<2>:$b_shift,
    Dpu_Keyword<"single">:$b_round,
    Dpu_Address:$out, Dpu_Offset:$out_offset,
    Dpu_Keyword<"i8">:$out_dtype,
    Dpu_Ints<0>:$out_strides,
    Dpu_Flag:$scale,
    Dpu_Int<0>:$mult,
    Dpu_Int<2>:$shift,
    Dpu_Keyword<"single">:$round,
    Dpu_Int<0>:$out_zp,
    Dpu_Flag:$clamp,
    Dpu_Int<0>:$clamp_lo,
    Dpu_Int<0>:$clamp_hi,
    Dpu_Flag:$lut,
    Dpu_Address:$lut_addr, Dpu_Offset:$lut_addr_offset,
    Dpu_Layer:$layer
  );
}

def Dpu_VecUnaryOp : Dpu_Instr<"vec_unary", [AttrSizedOperandSegments]> {
  let summary = "element-wise operator on one array";
  let description = [{
    For every index: `x = src - in_zp`, wrapping; `v = op(x)`; `v = v + out_zp`, wrapping; if `clamp`, clamp
    to `clamp_lo..=clamp_hi`; store as `out_dtype`. Operators: `copy` is `x` (cast, clamp, strided move);
    `abs` is `|x|` and `negate` is `-x`, both wrapping; `clz` counts the leading zeros of the 32-bit value; `not`
    inverts every bit; `nonzero` is 1 unless `x` is 0, which has 0.

    Fields:
    - `tile`: The tile that runs the task and whose SRAM it sees; less than the machine's `tiles`.
    - `wait`: Barriers whose producers must all be done before the task starts; it then consumes each once.
    - `post`: Barriers that lose one producer each when the task ends.
    - `op`: The operator.
    - `dims`: Extents, outermost first; unused leading ones are 1.
    - `src`: Operand.
    - `src_dtype`: Type of the operand.
    - `src_strides`: Strides of the operand in bytes; 0 broadcasts.
    - `in_zp`: Input zero point.
    - `out`: Results.
    - `out_dtype`: Type of the stored results.
    - `out_strides`: Strides of the results in bytes; the written elements must not overlap.
    - `out_zp`: Output zero point.
    - `clamp`: Whether the result is clamped.
    - `clamp_lo`: Lower clamp; with `clamp`, a value of `out_dtype`.
    - `clamp_hi`: Upper clamp; with `clamp`, a value of `out_dtype`, at least `clamp_lo`.
  }];
  let arguments = (ins
    Dpu_Int<0>:$tile,
    Dpu_Barriers:$wait,
    Dpu_Barriers:$post,
    Dpu_Keyword<"copy">:$op,
    Dpu_Ints<1>:$dims,
    Dpu_Address:$src, Dpu_Offset:$src_offset,
    Dpu_Keyword<"i8">:$src_dtype,
    Dpu_Ints<0>:$src_strides,
    Dpu_Int<0>:$in_zp,
    Dpu_Address:$out, Dpu_Offset:$out_offset,
    Dpu_Keyword<"i8">:$out_dtype,
    Dpu_Ints<0>:$out_strides,
    Dpu_Int<0>:$out_zp,
    Dpu_Flag:$clamp,
    Dpu_Int<0>:$clamp_lo,
    Dpu_Int<0>:$clamp_hi,
    Dpu_Layer:$layer
  );
}

def Dpu_VecRescaleOp : Dpu_Instr<"vec_rescale", [AttrSizedOperandSegments]> {
  let summary = "rescale an array, per tensor or per channel";
  let description = [{
    For every index: `v = apply_scale(src - in_zp, m, s, round) + out_zp`, wrapping; clamp to
    `clamp_lo..=clamp_hi`; store as `out_dtype`; if `lut`, the stored byte `t` becomes `lut[t + 128]`.
    With `per_channel`, `m` and `s` come from the parameter at the index of the last dimension: 16 bytes,
    little endian, `i32` multiplier (not negative), `i32` shift (2 to 62), 8 bytes of zeros; an entry
    outside these ranges is a trap. Otherwise they are `mult` and `shift`.

    Fields:
    - `tile`: The tile that runs the task and whose SRAM it sees; less than the machine's `tiles`.
    - `wait`: Barriers whose producers must all be done before the task starts; it then consumes each once.
    - `post`: Barriers that lose one producer each when the task ends.
    - `dims`: Extents, outermost first; unused leading ones are 1.
    - `src`: Operand.
    - `src_dtype`: Type of the operand.
    - `src_strides`: Strides of the operand in bytes; 0 broadcasts.
    - `in_zp`: Input zero point.
    - `out`: Results.
    - `out_dtype`: Type of the stored results.
    - `out_strides`: Strides of the results in bytes; the written elements must not overlap.
    - `out_zp`: Output zero point.
    - `per_channel`: Whether multiplier and shift come from `params`.
    - `params`: Parameters, 16 bytes per index of the last dimension.
    - `mult`: Multiplier for all elements.
    - `shift`: Shift for all elements.
    - `round`: Rounding.
    - `clamp_lo`: Lower clamp; a value of `out_dtype`.
    - `clamp_hi`: Upper clamp; a value of `out_dtype`, at least `clamp_lo`.
    - `lut`: Whether the stored byte is looked up in a table; `out_dtype` must then be `i8`.
    - `lut_addr`: The 256 table bytes; value `v` selects byte `v + 128`.
  }];
  let arguments = (ins
    Dpu_Int<0>:$tile,
    Dpu_Barriers:$wait,
    Dpu_Barriers:$post,
    Dpu_Ints<1>:$dims,
    Dpu_Address:$src, Dpu_Offset:$src_offset,
    Dpu_Keyword<"i8">:$src_dtype,
    Dpu_Ints<0>:$src_strides,
    Dpu_Int<0>:$in_zp,
    Dpu_Address:$out, Dpu_Offset:$out_offset,
    Dpu_Keyword<"i8">:$out_dtype,
    Dpu_Ints<0>:$out_strides,
    Dpu_Int<0>:$out_zp,
    Dpu_Flag:$per_channel,
    Dpu_Address:$params, Dpu_Offset:$params_offset,
    Dpu_Int<0>:$mult,
    Dpu_Int<2>:$shift,
    Dpu_Keyword<"single">:$round,
    Dpu_Int<0>:$clamp_lo,
    Dpu_Int<0>:$clamp_hi,
    Dpu_Flag:$lut,
    Dpu_Address:$lut_addr, Dpu_Offset:$lut_addr_offset,
    Dpu_Layer:$layer
  );
}

def Dpu_VecTableOp : Dpu_Instr<"vec_table", [AttrSizedOperandSegments]> {
  let summary = "look every element up in a table";
  let description = [{
    `i8`: the table is 256 `i8`; the result is the `i8` entry `v + 128`.
    `i16`: the table is 513 `i16`, as in TOSA `TABLE`: with `t = v + 32768`, `i = t >> 7` and `f = t & 127`,
    the result is the `i32` `table[i] * 128 + (table[i + 1] - table[i]) * f`.

    Fields:
    - `tile`: The tile that runs the task and whose SRAM it sees; less than the machine's `tiles`.
    - `wait`: Barriers whose producers must all be done before the task starts; it then consumes each once.
    - `post`: Barriers that lose one producer each when the task ends.
    - `dims`: Extents, outermost first; unused leading ones are 1.
    - `src`: Operand.
    - `src_dtype`: Type of the operand: `i8` or `i16`.
    - `src_strides`: Strides of the operand in bytes; 0 broadcasts.
    - `out`: Results: `i8` for `i8`, `i32` for `i16`.
    - `out_strides`: Strides of the results in bytes; the written elements must not overlap.
    - `table`: The table.
  }];
  let arguments = (ins
    Dpu_Int<0>:$tile,
    Dpu_Barriers:$wait,
    Dpu_Barriers:$post,
    Dpu_Ints<1>:$dims,
    Dpu_Address:$src, Dpu_Offset:$src_offset,
    Dpu_Keyword<"i8">:$src_dtype,
    Dpu_Ints<0>:$src_strides,
    Dpu_Address:$out, Dpu_Offset:$out_offset,
    Dpu_Ints<0>:$out_strides,
    Dpu_Address:$table, Dpu_Offset:$table_offset,
    Dpu_Layer:$layer
  );
}

def Dpu_VecReduceOp : Dpu_Instr<"vec_reduce", [AttrSizedOperandSegments]> {
  let summary = "reduce an array along one dimension";
  let description = [{
    For every index outside `axis`, the elements along `axis` are combined as 32-bit values (`sum` wraps) and
    stored as `out_dtype`. With `accumulate`, the combination starts from the element already in `out`. `argmax` is
    the index along `axis` of the greatest element, of the first if there are several; it has no `accumulate`.

    Fields:
    - `tile`: The tile that runs the task and whose SRAM it sees; less than the machine's `tiles`.
    - `wait`: Barriers whose producers must all be done before the task starts; it then consumes each once.
    - `post`: Barriers that lose one producer each when the task ends.
    - `op`: The operator.
    - `axis`: The reduced dimension, an index into `dims`.
    - `dims`: Extents of the operand, outermost first; unused leading ones are 1.
    - `src`: Operand.
    - `src_dtype`: Type of the operand.
    - `src_strides`: Strides of the operand in bytes; 0 broadcasts.
    - `out`: Results.
    - `out_dtype`: Type of the stored results.
    - `out_strides`: Strides of the results in bytes; 0 at `axis`, and the written elements must not overlap.
    - `accumulate`: Start from the elements already in `out`.
  }];
  let arguments = (ins
    Dpu_Int<0>:$tile,
    Dpu_Barriers:$wait,
    Dpu_Barriers:$post,
    Dpu_Keyword<"sum">:$op,
    Dpu_Int<0>:$axis,
    Dpu_Ints<1>:$dims,
    Dpu_Address:$src, Dpu_Offset:$src_offset,
    Dpu_Keyword<"i8">:$src_dtype,
    Dpu_Ints<0>:$src_strides,
    Dpu_Address:$out, Dpu_Offset:$out_offset,
    Dpu_Keyword<"i8">:$out_dtype,
    Dpu_Ints<0>:$out_strides,
    Dpu_Flag:$accumulate,
    Dpu_Layer:$layer
  );
}

def Dpu_VecSelectOp : Dpu_Instr<"vec_select", [AttrSizedOperandSegments]> {
  let summary = "choose between the elements of two arrays";
  let description = [{
    For every index, the result is the element of `a` if the byte of `cond` is not 0, otherwise that of `b`.

    Fields:
    - `tile`: The tile that runs the task and whose SRAM it sees; less than the machine's `tiles`.
    - `wait`: Barriers whose producers must all be done before the task starts; it then consumes each once.
    - `post`: Barriers that lose one producer each when the task ends.
    - `dims`: Extents, outermost first; unused leading ones are 1.
    - `cond`: Conditions, a byte each.
    - `cond_strides`: Strides of the conditions in bytes; 0 broadcasts.
    - `dtype`: Type of operands and results.
    - `a`: Elements where the condition holds.
    - `a_strides`: Strides of `a` in bytes; 0 broadcasts.
    - `b`: Elements where it does not.
    - `b_strides`: Strides of `b` in bytes; 0 broadcasts.
    - `out`: Results.
    - `out_strides`: Strides of the results in bytes; the written elements must not overlap.
  }];
  let arguments = (ins
    Dpu_Int<0>:$tile,
    Dpu_Barriers:$wait,
    Dpu_Barriers:$post,
    Dpu_Ints<1>:$dims,
    Dpu_Address:$cond, Dpu_Offset:$cond_offset,
    Dpu_Ints<0>:$cond_strides,
    Dpu_Keyword<"i8">:$dtype,
    Dpu_Address:$a, Dpu_Offset:$a_offset,
    Dpu_Ints<0>:$a_strides,
    Dpu_Address:$b, Dpu_Offset:$b_offset,
    Dpu_Ints<0>:$b_strides,
    Dpu_Address:$out, Dpu_Offset:$out_offset,
    Dpu_Ints<0>:$out_strides,
    Dpu_Layer:$layer
  );
}

def Dpu_VecResizeOp : Dpu_Instr<"vec_resize", [AttrSizedOperandSegments]> {
  let summary = "resize an image: compute one tile of the result, as TOSA `RESIZE`";
  let description = [{
    For every result `(oy, ox, c)` of the tile, `y = (out_y + oy) * scale_y_d + offset_y`,
    `iy = floor(y / scale_y_n)`, `dy = y - iy * scale_y_n`, `iy0 = max(iy, 0)`, `iy1 = min(iy + 1, image_h - 1)`,
    and `ix0`, `ix1`, `dx` alike. With `v(iy, ix)` the element at row `iy` and column `ix` of the image, which is at
    row `iy - in_y` and column `ix - in_x` of the tile in `src`, the result is
    - `nearest`: `v(iy, ix)`, where `iy` is `iy1` if `2 * dy >= scale_y_n`, otherwise `iy0`, and `ix` alike;
    - `bilinear`: `v(iy0, ix0) * (scale_y_n - dy) * (scale_x_n - dx) + v(iy0, ix1) * (scale_y_n - dy) * dx +
    v(iy1, ix0) * dy * (scale_x_n - dx) + v(iy1, ix1) * dy * dx` in 32 bits, which it cannot exceed.

    Along each side, `scale_d < 16 * scale_n` and `-scale_n <= offset < 16 * scale_n`; results end at 16383 at the
    latest; the tile in `src` lies in the image, and has every row and column that the formula names.

    Fields:
    - `tile`: The tile that runs the task and whose SRAM it sees; less than the machine's `tiles`.
    - `wait`: Barriers whose producers must all be done before the task starts; it then consumes each once.
    - `post`: Barriers that lose one producer each when the task ends.
    - `mode`: What a result is computed from.
    - `dtype`: Type of the image: `i8`, or with `nearest` also `i16`. Results have the same type, with `bilinear` `i32`.
    - `src`: The tile of the image, channels contiguous.
    - `in_h`: Rows of the tile of the image.
    - `in_w`: Columns of the tile of the image.
    - `channels`: Channels.
    - `src_row`: Bytes from a row of the image to the next.
    - `src_pixel`: Bytes from a pixel of the image to the next.
    - `in_y`: First row of the tile in the image.
    - `in_x`: First column of the tile in the image.
    - `image_h`: Rows of the image.
    - `image_w`: Columns of the image.
    - `out`: The tile of the results, channels contiguous.
    - `out_h`: Rows of the tile of the results.
    - `out_w`: Columns of the tile of the results.
    - `out_row`: Bytes from a row of the results to the next.
    - `out_pixel`: Bytes from a pixel of the results to the next.
    - `out_y`: First row of the tile in the whole result.
    - `out_x`: First column of the tile in the whole result.
    - `scale_y_n`: Vertical scale, numerator.
    - `scale_y_d`: Vertical scale, denominator.
    - `offset_y`: Position of the first row of the whole result, in 1/`scale_y_n` of a row of the image.
    - `scale_x_n`: Horizontal scale, numerator.
    - `scale_x_d`: Horizontal scale, denominator.
    - `offset_x`: Position of the first column of the whole result, in 1/`scale_x_n` of a column of the image.
  }];
  let arguments = (ins
    Dpu_Int<0>:$tile,
    Dpu_Barriers:$wait,
    Dpu_Barriers:$post,
    Dpu_Keyword<"nearest">:$mode,
    Dpu_Keyword<"i8">:$dtype,
    Dpu_Address:$src, Dpu_Offset:$src_offset,
    Dpu_Int<1>:$in_h,
    Dpu_Int<1>:$in_w,
    Dpu_Int<1>:$channels,
    Dpu_Int<0>:$src_row,
    Dpu_Int<0>:$src_pixel,
    Dpu_Int<0>:$in_y,
    Dpu_Int<0>:$in_x,
    Dpu_Int<1>:$image_h,
    Dpu_Int<1>:$image_w,
    Dpu_Address:$out, Dpu_Offset:$out_offset,
    Dpu_Int<1>:$out_h,
    Dpu_Int<1>:$out_w,
    Dpu_Int<0>:$out_row,
    Dpu_Int<0>:$out_pixel,
    Dpu_Int<0>:$out_y,
    Dpu_Int<0>:$out_x,
    Dpu_Int<1>:$scale_y_n,
    Dpu_Int<1>:$scale_y_d,
    Dpu_Int<0>:$offset_y,
    Dpu_Int<1>:$scale_x_n,
    Dpu_Int<1>:$scale_x_d,
    Dpu_Int<0>:$offset_x,
    Dpu_Layer:$layer
  );
}

#endif // DPU_INSTRS_TD
