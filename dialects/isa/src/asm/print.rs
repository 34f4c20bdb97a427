//! Program to canonical text.

use std::fmt::Write as _;

use super::VERSION;
use super::cursor::quote;
use super::fields::push_instr;
use crate::meaning::{Codes, Meaning, State};
use crate::program::{InstrMeta, IoDesc, Program};

/// Constant bytes per line.
const LINE_BYTES: usize = 64;

/// The canonical text of a program.
#[must_use]
pub fn print(program: &Program) -> String {
    let mut out = String::with_capacity(4096 + program.instrs.len() * 256 + program.consts.len() * 17 / 8);
    let version = if program.omits_masks() { VERSION } else { 1 };
    let _ = write!(out, ".dpu {version}\n.machine\n{}.end\n.manifest tool=", program.machine.canonical());
    quote(&mut out, &program.manifest.tool);
    out.push_str(" pipeline=");
    quote(&mut out, &program.manifest.pipeline);
    out.push_str(" input_sha256=");
    quote(&mut out, &program.manifest.input_sha256);
    let _ = write!(out, "\n.dram {}\n", program.dram_bytes);
    for (i, loc) in program.locs.iter().enumerate() {
        let _ = write!(out, ".loc {i} ");
        quote(&mut out, loc);
        out.push('\n');
    }
    for (i, layer) in program.layers.iter().enumerate() {
        let _ = write!(out, ".layer {i} ");
        quote(&mut out, &layer.name);
        out.push_str(" op=");
        quote(&mut out, &layer.op);
        let _ = writeln!(out, " loc={} macs={}", Index(layer.loc), layer.macs);
    }
    program.inputs.iter().for_each(|io| push_io(&mut out, ".input ", io));
    program.outputs.iter().for_each(|io| push_io(&mut out, ".output ", io));
    push_code(&mut out, program);
    push_consts(&mut out, &program.consts);
    out
}

/// An index, or `none`.
struct Index(u32);

impl std::fmt::Display for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == InstrMeta::NONE { f.write_str("none") } else { write!(f, "{}", self.0) }
    }
}

fn push_io(out: &mut String, directive: &str, io: &IoDesc) {
    out.push_str(directive);
    quote(out, &io.name);
    let _ = write!(out, " {} [", io.dtype);
    for (i, dim) in io.shape.iter().enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        let _ = write!(out, "{comma}{dim}");
    }
    let _ = write!(out, "] at {:#x}", io.addr);
    let Meaning { codes, unsigned, boolean, state } = &io.meaning;
    if let Some(Codes { scale, zero_point }) = codes {
        // The shortest text that gives the same number.
        let _ = write!(out, " scale=\"{scale:e}\" zero_point={zero_point}");
    }
    out.push_str(if *unsigned { " unsigned" } else { "" });
    out.push_str(if *boolean { " boolean" } else { "" });
    if let Some(State { output, initial }) = state {
        let _ = write!(out, " state={output} initial={initial}");
    }
    out.push('\n');
}

fn push_code(out: &mut String, program: &Program) {
    out.push_str(".code\n");
    let mut raw = Vec::new();
    let mut origin = InstrMeta::default();
    for (i, instr) in program.instrs.iter().enumerate() {
        let meta = program.meta.get(i).copied().unwrap_or_default();
        if meta != origin {
            let _ = writeln!(out, ".at layer={} loc={}", Index(meta.layer), Index(meta.loc));
            origin = meta;
        }
        out.push_str("  ");
        push_instr(out, instr, &mut raw);
        out.push('\n');
    }
}

fn push_consts(out: &mut String, consts: &[u8]) {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    let _ = writeln!(out, ".const {}", consts.len());
    for line in consts.chunks(LINE_BYTES) {
        out.push_str("  ");
        for byte in line {
            out.push(digit(byte >> 4));
            out.push(digit(byte & 15));
        }
        out.push('\n');
    }
}
