//! Vector tasks.

use dpu_isa::{
    BinaryOp, Dtype, Machine, ReduceOp, ResizeMode, UnaryOp, VecBinary, VecReduce, VecRescale, VecResize,
    VecSelect, VecTable, VecUnary,
};

/// Passes of a division: a bit of the quotient each.
const DIVISION: u64 = 32;
/// Passes of a bilinear interpolation: four products.
const BILINEAR: u64 = 8;

use super::{Cost, Events, per_cycle, product};

/// A vector task takes `vec_setup_cycles + ⌈elements / vec_lanes⌉ · factor`, whatever the element type.
///
/// `elements` are those of `dims` (the inputs of a reduction). The factor is in passes through the lanes, all
/// *assumed*: 1 for the operator, 2 for a product, 32 for a division, 2 for every scaling, 1 for a lookup of bytes, 3 for
/// an interpolation of a table, 2 for the index of the greatest element, 1 and 8 for a pixel that is resized to the nearest
/// and bilinearly.
fn vec(dims: &[u32; 6], factor: u64, read: u64, written: u64, m: &Machine) -> Cost {
    let elements = product(dims.map(u64::from));
    let cycles = product([per_cycle(elements, m.vec_lanes), factor]);
    let events = Events {
        vec_ops: product([elements, factor]),
        sram_vec_read: elements.saturating_mul(read),
        sram_vec_write: elements.saturating_mul(written),
        ..Events::NONE
    };
    Cost::on_chip(u64::from(m.vec_setup_cycles).saturating_add(cycles), 0, events)
}

/// Cost of an element-wise operator with two operands.
pub(crate) fn vec_binary(x: &VecBinary, m: &Machine) -> Cost {
    let op = match x.op {
        BinaryOp::Mul => 2,
        BinaryOp::Div => DIVISION,
        BinaryOp::Add
        | BinaryOp::Sub
        | BinaryOp::Max
        | BinaryOp::Min
        | BinaryOp::Asr
        | BinaryOp::AsrRound
        | BinaryOp::Lsl
        | BinaryOp::Lsr
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::Xor
        | BinaryOp::Equal
        | BinaryOp::Greater
        | BinaryOp::GreaterEqual => 1,
    };
    let scales = [x.a_scale, x.b_scale, x.scale].map(|s| if s { 2 } else { 0 });
    let factor = op + scales.iter().sum::<u64>() + u64::from(x.lut);
    vec(&x.dims, factor, x.a_dtype.bytes() + x.b_dtype.bytes(), x.out_dtype.bytes(), m)
}

/// Cost of an element-wise operator with one operand.
pub(crate) fn vec_unary(x: &VecUnary, m: &Machine) -> Cost {
    let factor = match x.op {
        UnaryOp::Copy | UnaryOp::Abs | UnaryOp::Negate | UnaryOp::Clz | UnaryOp::Not | UnaryOp::Nonzero => 1,
    };
    vec(&x.dims, factor, x.src_dtype.bytes(), x.out_dtype.bytes(), m)
}

/// Cost of a scaling.
pub(crate) fn vec_rescale(x: &VecRescale, m: &Machine) -> Cost {
    vec(&x.dims, 2 + u64::from(x.lut), x.src_dtype.bytes(), x.out_dtype.bytes(), m)
}

/// Cost of a lookup.
pub(crate) fn vec_table(x: &VecTable, m: &Machine) -> Cost {
    let factor = if x.src_dtype == Dtype::I16 { 3 } else { 1 };
    vec(&x.dims, factor, x.src_dtype.bytes(), x.out_dtype().bytes(), m)
}

/// Cost of a reduction, which reads its inputs and writes its outputs (and reads them, if it accumulates).
pub(crate) fn vec_reduce(x: &VecReduce, m: &Machine) -> Cost {
    let factor = match x.op {
        ReduceOp::Sum | ReduceOp::Max | ReduceOp::Min => 1,
        ReduceOp::Argmax => 2,
    };
    let Cost { cycles, mut events, .. } = vec(&x.dims, factor, x.src_dtype.bytes(), 0, m);
    let outer = x.dims.iter().enumerate().filter(|(i, _)| *i != usize::from(x.axis));
    let outputs = product(outer.map(|(_, &d)| u64::from(d))).saturating_mul(x.out_dtype.bytes());
    events.sram_vec_write = outputs;
    if x.accumulate {
        events.sram_vec_read = events.sram_vec_read.saturating_add(outputs);
    }
    Cost::on_chip(cycles, 0, events)
}

/// Cost of a choice, which reads its condition and both operands.
pub(crate) fn vec_select(x: &VecSelect, m: &Machine) -> Cost {
    vec(&x.dims, 1, 1 + 2 * x.dtype.bytes(), x.dtype.bytes(), m)
}

/// Cost of a resize, which reads for every result the pixels that it is computed from.
pub(crate) fn vec_resize(x: &VecResize, m: &Machine) -> Cost {
    let (factor, pixels) = match x.mode {
        ResizeMode::Nearest => (1, 1),
        ResizeMode::Bilinear => (BILINEAR, 4),
    };
    let dims = [1, 1, 1, x.out_h, x.out_w, x.channels];
    vec(&dims, factor, pixels * x.dtype.bytes(), x.out_dtype().bytes(), m)
}

#[cfg(test)]
mod tests {
    use dpu_isa::{ConvInv, ConvVar};

    use super::*;
    use crate::Traffic;
    use crate::conv;

    #[test]
    fn vectors_take_passes() {
        let m = Machine::flexnn_16x16();
        let x = VecBinary { dims: [1, 1, 1, 1, 8, 64], op: BinaryOp::Add, ..VecBinary::default() };
        assert_eq!(vec_binary(&x, &m).cycles, 32 + 8);
        let x = VecBinary { a_scale: true, b_scale: true, scale: true, ..x };
        assert_eq!(vec_binary(&x, &m).cycles, 32 + 7 * 8);
        let x = VecReduce { dims: [1, 1, 1, 1, 8, 64], axis: 4, ..VecReduce::default() };
        assert_eq!(vec_reduce(&x, &m).traffic, Traffic { sram_read: 512, sram_write: 64, ..Traffic::NONE });
    }

    #[test]
    fn operators_take_their_own_passes() {
        let m = Machine::flexnn_16x16();
        let dims = [1, 1, 1, 1, 8, 64];
        let binary = |op| vec_binary(&VecBinary { dims, op, ..VecBinary::default() }, &m).cycles;
        assert_eq!(
            [BinaryOp::Xor, BinaryOp::GreaterEqual, BinaryOp::Mul, BinaryOp::Div].map(binary),
            [32 + 8, 32 + 8, 32 + 16, 32 + 256]
        );
        let (op, out_dtype) = (ReduceOp::Argmax, Dtype::I32);
        let argmax = vec_reduce(&VecReduce { dims, axis: 5, op, out_dtype, ..VecReduce::default() }, &m);
        assert_eq!((argmax.cycles, argmax.traffic.sram_write), (32 + 16, 32));
        let select = vec_select(&VecSelect { dims, dtype: Dtype::I16, ..VecSelect::default() }, &m);
        assert_eq!(select.cycles, 32 + 8);
        assert_eq!(select.traffic, Traffic { sram_read: 5 * 512, sram_write: 2 * 512, ..Traffic::NONE });
    }

    #[test]
    fn bilinear_resizes_read_four_pixels_and_write_words() {
        let m = Machine::flexnn_16x16();
        let x = VecResize { out_h: 4, out_w: 8, channels: 16, ..VecResize::default() };
        let nearest = vec_resize(&x, &m);
        assert_eq!((nearest.cycles, nearest.events.vec_ops), (32 + 8, 512));
        assert_eq!(nearest.traffic, Traffic { sram_read: 512, sram_write: 512, ..Traffic::NONE });
        let bilinear = vec_resize(&VecResize { mode: ResizeMode::Bilinear, ..x }, &m);
        assert_eq!((bilinear.cycles, bilinear.events.vec_ops), (32 + 64, 8 * 512));
        assert_eq!(bilinear.traffic, Traffic { sram_read: 2048, sram_write: 2048, ..Traffic::NONE });
    }

    #[test]
    fn extreme_operands_saturate() {
        let m = Machine::flexnn_16x16();
        let n = u32::MAX;
        let var = ConvVar {
            out_h: n,
            out_w: n,
            out_c: n,
            in_c: n,
            in_h: n,
            in_w: n,
            kernel_h: 8192,
            ..ConvVar::default()
        };
        assert_eq!(conv(&ConvInv::default(), &var, &m).unwrap().macs, u64::MAX);
        assert_eq!(
            vec_unary(&VecUnary { dims: [n; 6], ..VecUnary::default() }, &m).traffic.sram_read,
            u64::MAX
        );
    }
}
