//! Operators of TOSA against results of Arm's reference model, in `tosa.txt`.

use dpu_isa::{
    BinaryOp, DmaGather, DmaScatter, Dtype, MemAddr, ReduceOp, ResizeMode, UnaryOp, VecBinary, VecReduce,
    VecResize, VecSelect, VecUnary,
};

use super::element;
use super::vec::contiguous;
use crate::exec::Core;
use crate::testing::{get, put, run_task, sram_filled};

/// Addresses of the operands and of the result.
const AT: [u32; 3] = [0, 8 << 10, 16 << 10];
const OUT: u32 = 32 << 10;

/// A line of the file.
struct Case<'a> {
    name: &'a str,
    dtype: Dtype,
    /// What follows name and type.
    attributes: Vec<&'a str>,
    operands: Vec<Vec<i32>>,
    want: Vec<i32>,
}

fn numbers(text: &str) -> Vec<i32> {
    text.split_whitespace().map(|word| word.parse().unwrap()).collect()
}

impl<'a> Case<'a> {
    fn parse(line: &'a str) -> Case<'a> {
        let (head, rest) = line.split_once(" of ").unwrap();
        let (operands, want) = rest.split_once(" = ").unwrap();
        let mut words = head.split_whitespace();
        Case {
            name: words.next().unwrap(),
            dtype: Dtype::from_name(words.next().unwrap()).unwrap(),
            attributes: words.collect(),
            operands: operands.split(" with ").map(numbers).collect(),
            want: numbers(want),
        }
    }

    /// The attribute at a position among those that are numbers.
    fn attribute(&self, i: usize) -> i32 {
        self.attributes.iter().filter_map(|word| word.parse().ok()).nth(i).unwrap()
    }

    /// A core with the operands, of these types.
    fn core(&self, types: &[Dtype]) -> Core {
        let mut core = sram_filled(&[]);
        for ((at, dtype), operand) in AT.iter().zip(types).zip(&self.operands) {
            let bytes: Vec<u8> =
                operand.iter().flat_map(|v| v.to_le_bytes()[..dtype.bytes() as usize].to_vec()).collect();
            put(&mut core, *at as usize, &bytes);
        }
        core
    }

    /// The elements at an address, in a row.
    fn expect(&self, core: &Core, at: u32, dtype: Dtype) {
        let bytes = get(core, at as usize, self.want.len() * dtype.bytes() as usize);
        let got: Vec<i32> =
            (0..self.want.len()).map(|i| element(bytes, i * dtype.bytes() as usize, dtype)).collect();
        assert_eq!(got, self.want, "{} {} {:?}", self.name, self.dtype, self.attributes);
    }

    /// The extents and strides of a row of elements.
    fn line(&self, dtype: Dtype) -> ([u32; 6], [u32; 6]) {
        let dims = [1, 1, 1, 1, 1, self.want.len() as u32];
        (dims, contiguous(&dims, dtype))
    }

    fn binary(&self, op: BinaryOp) {
        let compares = matches!(op, BinaryOp::Equal | BinaryOp::Greater | BinaryOp::GreaterEqual);
        let out_dtype = if compares { Dtype::I8 } else { self.dtype };
        let (dims, strides) = self.line(self.dtype);
        let x = VecBinary {
            op,
            dims,
            a: AT[0],
            a_dtype: self.dtype,
            a_strides: strides,
            b: AT[1],
            b_dtype: self.dtype,
            b_strides: strides,
            out: OUT,
            out_dtype,
            out_strides: contiguous(&dims, out_dtype),
            ..VecBinary::default()
        };
        let mut core = self.core(&[self.dtype; 2]);
        run_task(&x, &mut core).unwrap();
        self.expect(&core, OUT, out_dtype);
    }

    fn unary(&self, op: UnaryOp) {
        let out_dtype = if op == UnaryOp::Nonzero { Dtype::I8 } else { self.dtype };
        let (dims, src_strides) = self.line(self.dtype);
        let out_strides = contiguous(&dims, out_dtype);
        let x = VecUnary {
            op,
            dims,
            src_dtype: self.dtype,
            src_strides,
            out: OUT,
            out_dtype,
            ..VecUnary::default()
        };
        let mut core = self.core(&[self.dtype]);
        run_task(&VecUnary { out_strides, ..x }, &mut core).unwrap();
        self.expect(&core, OUT, out_dtype);
    }

    fn selection(&self) {
        let (dims, strides) = self.line(self.dtype);
        let x = VecSelect {
            dims,
            cond: AT[0],
            cond_strides: contiguous(&dims, Dtype::I8),
            dtype: self.dtype,
            a: AT[1],
            a_strides: strides,
            b: AT[2],
            b_strides: strides,
            out: OUT,
            out_strides: strides,
            ..VecSelect::default()
        };
        let mut core = self.core(&[Dtype::I8, self.dtype, self.dtype]);
        run_task(&x, &mut core).unwrap();
        self.expect(&core, OUT, self.dtype);
    }

    /// Of an array of 3, 4 and 5.
    fn argmax(&self) {
        let (axis, dims) = (3 + self.attribute(0) as u8, [1, 1, 1, 3, 4, 5]);
        let mut outer = dims;
        outer[usize::from(axis)] = 1;
        let mut out_strides = contiguous(&outer, Dtype::I32);
        out_strides[usize::from(axis)] = 0;
        let x = VecReduce {
            op: ReduceOp::Argmax,
            axis,
            dims,
            src_dtype: self.dtype,
            src_strides: contiguous(&dims, self.dtype),
            out: OUT,
            out_dtype: Dtype::I32,
            out_strides,
            ..VecReduce::default()
        };
        let mut core = self.core(&[self.dtype]);
        run_task(&x, &mut core).unwrap();
        self.expect(&core, OUT, Dtype::I32);
    }

    /// Rows of 3, 5 in each of 2 batches.
    fn gather(&self) {
        let (dims, whole) = ([1, 1, 1, 2, self.attribute(1) as u32, 3], [1, 1, 1, 2, 5, 3]);
        let x = DmaGather {
            element: self.dtype.bytes() as u8,
            axis: 4,
            rows: 5,
            src: MemAddr::sram(AT[0].into()),
            dims,
            src_strides: contiguous(&whole, self.dtype).map(u64::from),
            indices: AT[1],
            index_strides: [0, 0, 0, 4 * dims[4], 4, 0],
            dst: MemAddr::sram(OUT.into()),
            dst_strides: contiguous(&dims, self.dtype).map(u64::from),
            ..DmaGather::default()
        };
        let mut core = self.core(&[self.dtype, Dtype::I32]);
        run_task(&x, &mut core).unwrap();
        self.expect(&core, OUT, self.dtype);
    }

    /// Into the values themselves.
    fn scatter(&self) {
        let (dims, whole) = ([1, 1, 1, 2, self.attribute(1) as u32, 3], [1, 1, 1, 2, 5, 3]);
        let x = DmaScatter {
            element: self.dtype.bytes() as u8,
            axis: 4,
            rows: 5,
            src: MemAddr::sram(AT[2].into()),
            dims,
            src_strides: contiguous(&dims, self.dtype).map(u64::from),
            indices: AT[1],
            index_strides: [0, 0, 0, 4 * dims[4], 4, 0],
            dst: MemAddr::sram(AT[0].into()),
            dst_strides: contiguous(&whole, self.dtype).map(u64::from),
            ..DmaScatter::default()
        };
        let mut core = self.core(&[self.dtype, Dtype::I32, self.dtype]);
        run_task(&x, &mut core).unwrap();
        self.expect(&core, AT[0], self.dtype);
    }

    /// `MODE image H W C y N D OFFSET H x N D OFFSET W`: the whole image.
    fn resize(&self) {
        let [in_h, in_w, channels] = [0, 1, 2].map(|i| self.attribute(i) as u32);
        let x = VecResize {
            mode: ResizeMode::from_name(self.attributes[0]).unwrap(),
            dtype: self.dtype,
            in_h,
            in_w,
            channels,
            src_row: in_w * channels * self.dtype.bytes() as u32,
            src_pixel: channels * self.dtype.bytes() as u32,
            image_h: in_h,
            image_w: in_w,
            out: OUT,
            out_h: self.attribute(6) as u32,
            out_w: self.attribute(10) as u32,
            scale_y_n: self.attribute(3) as u16,
            scale_y_d: self.attribute(4) as u16,
            offset_y: self.attribute(5) as i16,
            scale_x_n: self.attribute(7) as u16,
            scale_x_d: self.attribute(8) as u16,
            offset_x: self.attribute(9) as i16,
            ..VecResize::default()
        };
        let strides = contiguous(&[1, 1, 1, x.out_h, x.out_w, channels], x.out_dtype());
        let mut core = self.core(&[self.dtype]);
        run_task(&VecResize { out_row: strides[3], out_pixel: strides[4], ..x }, &mut core).unwrap();
        self.expect(&core, OUT, x.out_dtype());
    }
}

#[test]
fn arms_reference_model_has_the_same_results() {
    let lines = include_str!("tosa.txt").lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for case in lines.map(Case::parse) {
        count += 1;
        match case.name {
            "select" => case.selection(),
            "argmax" => case.argmax(),
            "gather" => case.gather(),
            "scatter" => case.scatter(),
            "resize" => case.resize(),
            name => match (BinaryOp::from_name(name), UnaryOp::from_name(name)) {
                (Some(op), None) => case.binary(op),
                (None, Some(op)) => case.unary(op),
                _ => panic!("{name}"),
            },
        }
    }
    assert_eq!(count, 53);
}
