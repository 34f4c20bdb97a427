//! A tiny interpreter of DMA and vector tasks, for tests, with independent arithmetic.
//!
//! It runs a whole program, tasks as atoms, in an order that the barriers permit and a seed chooses: a missing dependence shows
//! as a wrong result. Reads of unwritten bytes are errors.

pub(crate) mod case;
mod selected;

use std::collections::VecDeque;

use dpu_isa::{
    BinaryOp, DmaCopy, DmaFill, Dtype, Engine, Instr, Program, ReduceOp, Round, Space, UnaryOp, VecBinary,
    VecReduce, VecRescale, VecTable, VecUnary,
};

/// Both memories, and which of their bytes were written.
pub(crate) struct Memory {
    bytes: [Vec<u8>; 2],
    known: [Vec<bool>; 2],
}

fn index(space: Space) -> usize {
    match space {
        Space::Dram => 0,
        Space::Sram => 1,
    }
}

impl Memory {
    pub(crate) fn new(program: &Program) -> Self {
        let sizes = [program.dram_bytes as usize, program.machine.sram_bytes as usize];
        let mut memory = Memory { bytes: sizes.map(|n| vec![0; n]), known: sizes.map(|n| vec![false; n]) };
        memory.write(Space::Dram, 0, &program.consts);
        memory
    }

    pub(crate) fn read(&self, space: Space, at: u64, len: usize) -> &[u8] {
        let (at, space) = (at as usize, index(space));
        assert!(self.known[space][at..at + len].iter().all(|&k| k), "read of unwritten bytes at {at:#x}");
        &self.bytes[space][at..at + len]
    }

    pub(crate) fn write(&mut self, space: Space, at: u64, bytes: &[u8]) {
        let (at, space) = (at as usize, index(space));
        self.bytes[space][at..at + bytes.len()].copy_from_slice(bytes);
        self.known[space][at..at + bytes.len()].fill(true);
    }

    fn get(&self, at: u64, dtype: Dtype) -> i64 {
        decode(self.read(Space::Sram, at, dtype.bytes() as usize), dtype)
    }

    fn put(&mut self, at: u64, dtype: Dtype, value: i64) {
        self.write(Space::Sram, at, &encode(value, dtype));
    }
}

/// The value of an element's bytes.
pub(crate) fn decode(bytes: &[u8], dtype: Dtype) -> i64 {
    let mut raw = [0; 8];
    raw[..bytes.len()].copy_from_slice(bytes);
    let raw = i64::from_le_bytes(raw);
    let wide = 64 - 8 * bytes.len() as u32;
    match dtype {
        Dtype::U8 | Dtype::U16 => raw,
        Dtype::I8 | Dtype::I16 | Dtype::I32 => raw << wide >> wide,
    }
}

/// The low bytes of a value.
pub(crate) fn encode(value: i64, dtype: Dtype) -> Vec<u8> {
    value.to_le_bytes()[..dtype.bytes() as usize].to_vec()
}

fn wrap(v: i64) -> i64 {
    i64::from(v as i32)
}

pub(crate) fn scaled(v: i64, mult: i32, shift: u8, round: Round) -> i64 {
    let mut r = 1i128 << (shift - 1);
    if round == Round::Double && shift > 31 {
        r += if v >= 0 { 1i128 << 30 } else { -(1i128 << 30) };
    }
    wrap(((i128::from(v) * i128::from(mult) + r) >> shift) as i64)
}

/// Runs the program in an order chosen by `seed`; 0 is program order.
pub(crate) fn run(program: &Program, memory: &mut Memory, seed: u64) {
    let mut random = seed.wrapping_mul(0x2545_f491_4f6c_dd1d);
    let mut next = |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize % n
    };
    let mut counts = [None::<(u32, u32)>; 64];
    let mut fifos: [VecDeque<Instr>; 4] = Default::default();
    let mut running: [Option<Instr>; 4] = [None; 4];
    let mut pc = 0;
    loop {
        let mut choices = Vec::new();
        match program.instrs.get(pc) {
            Some(Instr::BarCfg(b)) => {
                assert!(u32::from(b.barrier) < program.machine.barriers);
                if matches!(counts[usize::from(b.barrier)], None | Some((0, 0))) {
                    choices.push(0);
                }
            }
            Some(Instr::End(_)) => {}
            Some(task) => {
                let fifo = &fifos[lane(task.engine())];
                if fifo.len() < program.machine.fifo_depth as usize {
                    choices.push(0);
                }
            }
            None => panic!("ran off the end"),
        }
        for e in 0..4 {
            let ready = |t: &Instr| {
                (0..64)
                    .all(|b| t.wait() >> b & 1 == 0 || counts[b].is_some_and(|(producers, _)| producers == 0))
            };
            if running[e].is_some() {
                choices.push(5 + e);
            } else if fifos[e].front().is_some_and(ready) {
                choices.push(1 + e);
            }
        }
        if choices.is_empty() {
            assert!(matches!(program.instrs[pc], Instr::End(_)), "deadlock at {pc}");
            assert!(fifos.iter().all(VecDeque::is_empty), "deadlock at the end");
            assert!(counts.iter().all(|c| matches!(c, None | Some((0, 0)))), "a barrier is not idle");
            return;
        }
        // Program order: running tasks finish before others are fetched.
        let choice = if seed == 0 { choices[choices.len() - 1] } else { choices[next(choices.len())] };
        match choice {
            0 => {
                match &program.instrs[pc] {
                    Instr::BarCfg(b) => {
                        counts[usize::from(b.barrier)] = Some((b.producers.into(), b.consumers.into()));
                    }
                    task => fifos[lane(task.engine())].push_back(*task),
                }
                pc += 1;
            }
            1..=4 => {
                let task = fifos[choice - 1].pop_front().unwrap();
                for b in (0..64).filter(|b| task.wait() >> b & 1 == 1) {
                    counts[b].as_mut().unwrap().1 -= 1;
                }
                running[choice - 1] = Some(task);
            }
            _ => {
                let task = running[choice - 5].take().unwrap();
                execute(&task, memory);
                for b in (0..64).filter(|b| task.post() >> b & 1 == 1) {
                    counts[b].as_mut().unwrap().0 -= 1;
                }
            }
        }
    }
}

fn lane(engine: Engine) -> usize {
    match engine {
        Engine::Dma0 => 0,
        Engine::Dma1 => 1,
        Engine::Dpu => 2,
        Engine::Vec => 3,
        Engine::Control => panic!("control instruction in a FIFO"),
    }
}

fn execute(task: &Instr, memory: &mut Memory) {
    match task {
        Instr::DmaCopy(x) => dma_copy(x, memory),
        Instr::DmaFill(x) => dma_fill(x, memory),
        Instr::VecBinary(x) => binary(x, memory),
        Instr::VecUnary(x) => unary(x, memory),
        Instr::VecRescale(x) => rescale(x, memory),
        Instr::VecTable(x) => table(x, memory),
        Instr::VecReduce(x) => reduce(x, memory),
        Instr::DmaGather(x) => selected::gather(x, memory),
        Instr::DmaScatter(x) => selected::scatter(x, memory),
        Instr::VecSelect(x) => selected::select(x, memory),
        Instr::VecResize(x) => selected::resize(x, memory),
        other => panic!("no meaning for {}", other.mnemonic()),
    }
}

/// Calls `f` for all indices in row-major order.
fn each(dims: &[u32; 6], mut f: impl FnMut(&[u64; 6])) {
    let mut index = [0u64; 6];
    loop {
        f(&index);
        let mut d = 6;
        loop {
            if d == 0 {
                return;
            }
            d -= 1;
            index[d] += 1;
            if index[d] < u64::from(dims[d]) {
                break;
            }
            index[d] = 0;
        }
    }
}

fn at(base: u64, index: &[u64; 6], strides: &[u64; 6]) -> u64 {
    base + index.iter().zip(strides).map(|(i, s)| i * s).sum::<u64>()
}

fn at32(base: u32, index: &[u64; 6], strides: &[u32; 6], element: u64) -> u64 {
    let address = at(base.into(), index, &strides.map(u64::from));
    assert_eq!(address % element, 0, "misaligned element");
    address
}

fn dma_copy(x: &DmaCopy, memory: &mut Memory) {
    let element = u64::from(x.element);
    each(&x.dims, |i| {
        let (src, dst) = (at(x.src.offset, i, &x.src_strides), at(x.dst.offset, i, &x.dst_strides));
        assert_eq!((src % element, dst % element), (0, 0), "misaligned copy");
        let bytes = memory.read(x.src.space, src, element as usize).to_vec();
        memory.write(x.dst.space, dst, &bytes);
    });
}

fn dma_fill(x: &DmaFill, memory: &mut Memory) {
    each(&x.dims, |i| {
        let dst = at(x.dst.offset, i, &x.dst_strides);
        assert_eq!(dst % u64::from(x.element), 0, "misaligned fill");
        memory.write(x.dst.space, dst, &x.value.to_le_bytes()[..usize::from(x.element)]);
    });
}

struct Finish {
    dtype: Dtype,
    zp: i32,
    clamp: Option<(i32, i32)>,
    lut: Option<u32>,
}

fn finish(memory: &mut Memory, address: u64, v: i64, f: &Finish) {
    let mut v = wrap(v + i64::from(f.zp));
    if let Some((lo, hi)) = f.clamp {
        v = v.max(lo.into()).min(hi.into());
    }
    if let Some(lut) = f.lut {
        let stored = decode(&encode(v, Dtype::I8), Dtype::I8);
        v = memory.get((i64::from(lut) + stored + 128) as u64, Dtype::I8);
    }
    memory.put(address, f.dtype, v);
}

fn binary(x: &VecBinary, memory: &mut Memory) {
    let clamp = x.clamp.then_some((x.clamp_lo, x.clamp_hi));
    let last = Finish { dtype: x.out_dtype, zp: x.out_zp, clamp, lut: x.lut.then_some(x.lut_addr) };
    each(&x.dims, |i| {
        let mut a =
            wrap(memory.get(at32(x.a, i, &x.a_strides, x.a_dtype.bytes()), x.a_dtype) - i64::from(x.a_zp));
        let mut b =
            wrap(memory.get(at32(x.b, i, &x.b_strides, x.b_dtype.bytes()), x.b_dtype) - i64::from(x.b_zp));
        if x.a_scale {
            a = scaled(a, x.a_mult, x.a_shift, x.a_round);
        }
        if x.b_scale {
            b = scaled(b, x.b_mult, x.b_shift, x.b_round);
        }
        let mut v = binary_op(x.op, x.a_dtype, a, b, x.mul_shift);
        if x.scale {
            v = scaled(v, x.mult, x.shift, x.round);
        }
        finish(memory, at32(x.out, i, &x.out_strides, x.out_dtype.bytes()), v, &last);
    });
}

/// The result for `a`, read as `dtype`, and `b`.
pub(crate) fn binary_op(op: BinaryOp, dtype: Dtype, a: i64, b: i64, mul_shift: u8) -> i64 {
    let amount = b & 31;
    wrap(match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul if mul_shift > 0 => {
            ((i128::from(a) * i128::from(b) + (1i128 << (mul_shift - 1))) >> mul_shift) as i64
        }
        BinaryOp::Mul => a * b,
        BinaryOp::Max => a.max(b),
        BinaryOp::Min => a.min(b),
        BinaryOp::Asr => a >> amount,
        BinaryOp::AsrRound if amount > 0 => (a >> amount) + ((a >> (amount - 1)) & 1),
        BinaryOp::AsrRound => a,
        BinaryOp::Lsl => a << amount,
        BinaryOp::Lsr => a.rem_euclid(1 << (8 * dtype.bytes())) >> amount,
        BinaryOp::And => a & b,
        BinaryOp::Or => a | b,
        BinaryOp::Xor => a ^ b,
        BinaryOp::Div => a / b,
        BinaryOp::Equal => (a == b).into(),
        BinaryOp::Greater => (a > b).into(),
        BinaryOp::GreaterEqual => (a >= b).into(),
    })
}

pub(crate) fn unary_op(op: UnaryOp, v: i64) -> i64 {
    wrap(match op {
        UnaryOp::Copy => v,
        UnaryOp::Abs => v.abs(),
        UnaryOp::Negate => -v,
        UnaryOp::Clz => i64::from((v as i32).leading_zeros()),
        UnaryOp::Not => -1 - v,
        UnaryOp::Nonzero => (v != 0).into(),
    })
}

fn unary(x: &VecUnary, memory: &mut Memory) {
    let clamp = x.clamp.then_some((x.clamp_lo, x.clamp_hi));
    let last = Finish { dtype: x.out_dtype, zp: x.out_zp, clamp, lut: None };
    each(&x.dims, |i| {
        let v = memory.get(at32(x.src, i, &x.src_strides, x.src_dtype.bytes()), x.src_dtype);
        let v = unary_op(x.op, wrap(v - i64::from(x.in_zp)));
        finish(memory, at32(x.out, i, &x.out_strides, x.out_dtype.bytes()), v, &last);
    });
}

fn rescale(x: &VecRescale, memory: &mut Memory) {
    let clamp = Some((x.clamp_lo, x.clamp_hi));
    let last = Finish { dtype: x.out_dtype, zp: x.out_zp, clamp, lut: x.lut.then_some(x.lut_addr) };
    each(&x.dims, |i| {
        let v = memory.get(at32(x.src, i, &x.src_strides, x.src_dtype.bytes()), x.src_dtype);
        let entry = u64::from(x.params) + 16 * i[5];
        let (mult, shift) = if x.per_channel {
            assert_eq!(memory.read(Space::Sram, entry + 8, 8), [0; 8]);
            (memory.get(entry, Dtype::I32) as i32, memory.get(entry + 4, Dtype::I32) as u8)
        } else {
            (x.mult, x.shift)
        };
        let v = scaled(wrap(v - i64::from(x.in_zp)), mult, shift, x.round);
        finish(memory, at32(x.out, i, &x.out_strides, x.out_dtype.bytes()), v, &last);
    });
}

fn table(x: &VecTable, memory: &mut Memory) {
    let base = u64::from(x.table);
    each(&x.dims, |i| {
        let v = memory.get(at32(x.src, i, &x.src_strides, x.src_dtype.bytes()), x.src_dtype);
        let (result, dtype) = if x.src_dtype == Dtype::I8 {
            (memory.get(base + (v + 128) as u64, Dtype::I8), Dtype::I8)
        } else {
            let (i, f) = ((v + 32768) >> 7, (v + 32768) & 127);
            let [low, high] = [i, i + 1].map(|i| memory.get(base + 2 * i as u64, Dtype::I16));
            (low * 128 + (high - low) * f, Dtype::I32)
        };
        memory.put(at32(x.out, i, &x.out_strides, dtype.bytes()), dtype, result);
    });
}

fn reduce(x: &VecReduce, memory: &mut Memory) {
    let axis = usize::from(x.axis);
    assert_eq!(x.out_strides[axis], 0);
    let mut outer = x.dims;
    outer[axis] = 1;
    each(&outer, |i| {
        let out = at32(x.out, i, &x.out_strides, x.out_dtype.bytes());
        let mut v = x.accumulate.then(|| memory.get(out, x.out_dtype));
        let mut first = 0;
        for k in 0..u64::from(x.dims[axis]) {
            let mut i = *i;
            i[axis] = k;
            let s = memory.get(at32(x.src, &i, &x.src_strides, x.src_dtype.bytes()), x.src_dtype);
            if v.is_some_and(|v| v < s) {
                first = k as i64;
            }
            v = Some(v.map_or(s, |v| match x.op {
                ReduceOp::Sum => wrap(v + s),
                ReduceOp::Max | ReduceOp::Argmax => v.max(s),
                ReduceOp::Min => v.min(s),
            }));
        }
        let v = if x.op == ReduceOp::Argmax { Some(first) } else { v };
        memory.put(out, x.out_dtype, v.unwrap());
    });
}
