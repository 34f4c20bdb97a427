//! Random programs that pass validation.
//!
//! Operands do not overlap in memory and barriers are used soundly, but the data is meaningless: a run may
//! trap on a weight table, and tasks without a barrier between them may race.

use super::Rng;
use super::instr::{DRAM_BYTES, legal_of};
use crate::field::{InstrDesc, Role};
use crate::machine::Machine;
use crate::meaning::Meaning;
use crate::program::{InstrMeta, IoDesc, Layer, Manifest, Program};
use crate::table::{BarCfg, End, Instr, TABLE};
use crate::types::Dtype;

/// A valid program for the default machine with about `tasks` tasks.
pub fn random_program(rng: &mut Rng, tasks: usize) -> Program {
    let consts: Vec<u8> = (0..rng.below(300)).map(|_| rng.bits() as u8).collect();
    let base = (consts.len() as u64).next_multiple_of(64);
    let io = |name: &str, dtype, shape: &[u64], addr| IoDesc {
        name: name.to_owned(),
        dtype,
        shape: shape.to_vec(),
        addr,
        meaning: Meaning::default(),
    };
    let machine = Machine::flexnn_16x16();
    let mut stream = Stream { instrs: Vec::new(), open: Vec::new(), slots: [None; 16], dram: base, machine };
    for _ in 0..tasks {
        stream.arm(rng);
        stream.task(rng);
    }
    while !stream.open.is_empty() {
        stream.task(rng);
    }
    stream.instrs.push(End {}.into());
    let meta = stream.instrs.iter().map(|_| InstrMeta {
        layer: rng.pick(&[0, 1, InstrMeta::NONE]),
        loc: rng.pick(&[0, 1, 2, InstrMeta::NONE]),
    });
    Program {
        machine: stream.machine,
        meta: meta.collect(),
        instrs: stream.instrs,
        locs: ["a.mlir:1:2", "\"quoted\" \\ and \n\u{1}", "fused[\"grün\"]"].map(str::to_owned).to_vec(),
        layers: vec![
            Layer { name: "conv".into(), op: "tosa.conv2d".into(), loc: 1, macs: rng.bits() },
            Layer { name: String::new(), op: String::new(), loc: InstrMeta::NONE, macs: 0 },
        ],
        consts,
        dram_bytes: DRAM_BYTES,
        inputs: vec![io("x", Dtype::I8, &[1, 8, 8, 4], base), io("s", Dtype::I32, &[], base + 256)],
        outputs: vec![io("y", Dtype::I16, &[1, 10], base + 1024)],
        manifest: Manifest {
            tool: "test 0".into(),
            pipeline: "p{x=1}".into(),
            input_sha256: "0f".repeat(32),
        },
    }
}

/// An armed barrier: remaining posts and waits.
struct Open {
    barrier: u8,
    posts: u16,
    waits: u16,
}

struct Stream {
    instrs: Vec<Instr>,
    open: Vec<Open>,
    slots: [Option<Instr>; 16],
    /// First writable byte of the DRAM.
    dram: u64,
    machine: Machine,
}

impl Stream {
    fn arm(&mut self, rng: &mut Rng) {
        let barrier = rng.below(64) as u8;
        if self.open.len() < 8 && rng.one_in(2) && self.open.iter().all(|o| o.barrier != barrier) {
            let (posts, waits) = (1 + rng.below(3) as u16, rng.below(3) as u16);
            self.open.push(Open { barrier, posts, waits });
            self.instrs.push(BarCfg { barrier, producers: posts, consumers: waits }.into());
        }
    }

    /// Posts precede waits in the stream, so that no task waits forever.
    fn masks(&mut self, rng: &mut Rng) -> (u64, u64) {
        let (mut wait, mut post) = (0, 0);
        for open in &mut self.open {
            if !rng.one_in(2) {
                continue;
            }
            if open.posts > 0 {
                open.posts -= 1;
                post |= 1 << open.barrier;
            } else if open.waits > 0 {
                open.waits -= 1;
                wait |= 1 << open.barrier;
            }
        }
        self.open.retain(|o| o.posts > 0 || o.waits > 0);
        (wait, post)
    }

    /// Appends a task of any row.
    fn task(&mut self, rng: &mut Rng) {
        let tasks = || TABLE.iter().filter(|d| matches!(d.role, Role::Task | Role::Variant(_)));
        let Some(desc) = tasks().nth(rng.below(tasks().count() as u64) as usize) else { return };
        let Some(mut instr) = self.legal(rng, desc) else { return };
        let masks = self.masks(rng);
        if let Some((wait, post)) = instr.masks_mut() {
            (*wait, *post) = masks;
        }
        self.instrs.push(instr);
    }

    /// An instruction of the row `desc`; a variant runs with the contents of a slot, which is refilled now and
    /// then.
    fn legal(&mut self, rng: &mut Rng, desc: &InstrDesc) -> Option<Instr> {
        let inv = match desc.role {
            Role::Variant(of) => {
                let held = self.slots.iter().flatten().filter(|held| held.mnemonic() == of.mnemonic);
                match held.copied().nth(rng.below(4) as usize) {
                    Some(inv) => Some(inv),
                    None => Some(self.fill(rng, of)?),
                }
            }
            Role::Control | Role::Invariant | Role::Task => None,
        };
        // Whatever invariants point to is above.
        let from = (rng.below(1 << 12) * 16, self.dram + rng.below(1 << 10) * 16);
        legal_of(rng, desc, inv.as_ref(), from, &self.machine)
    }

    /// Fills a slot.
    fn fill(&mut self, rng: &mut Rng, desc: &InstrDesc) -> Option<Instr> {
        let inv = legal_of(rng, desc, None, (1 << 20, self.dram), &self.machine)?;
        *self.slots.get_mut(usize::from(inv.slot()?))? = Some(inv);
        self.instrs.push(inv);
        Some(inv)
    }
}
