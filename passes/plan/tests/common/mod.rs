//! A sequential interpreter of drafts with independent arithmetic, and naive layers to compare with.
//!
//! It executes the tasks one after the other, each against its own buffers, and refuses reads of unwritten bytes and accesses
//! outside of buffers. It shares only the draft's types with the planner.

#![allow(dead_code, reason = "every test binary uses a part of it")]

pub(crate) mod exec;
pub(crate) mod naive;

use dpu_isa::{Dtype, Instr, MemAddr, Space};
use strum_plan::{BufferId, Draft, Role, Task};

/// The memory of a draft: the bytes of every buffer, `None` where never written.
pub(crate) struct Memory {
    buffers: Vec<Vec<Option<u8>>>,
    writable: Vec<bool>,
}

impl Memory {
    /// Constants are initialized; everything else is unwritten.
    pub(crate) fn new(draft: &Draft) -> Self {
        let content = |b: &strum_plan::Buffer| match &b.role {
            Role::Const(bytes) => bytes.iter().map(|&v| Some(v)).collect(),
            _ => vec![None; b.bytes as usize],
        };
        Memory {
            buffers: draft.buffers.iter().map(content).collect(),
            writable: draft.buffers.iter().map(|b| !matches!(b.role, Role::Const(_))).collect(),
        }
    }

    pub(crate) fn fill(&mut self, id: BufferId, bytes: &[u8]) {
        self.buffers[id.index()] = bytes.iter().map(|&v| Some(v)).collect();
    }

    pub(crate) fn bytes(&self, id: BufferId) -> Vec<u8> {
        self.buffers[id.index()].iter().map(|v| v.expect("a byte of the output was never written")).collect()
    }

    pub(crate) fn read(&self, id: BufferId, at: u64) -> u8 {
        self.buffers[id.index()][at as usize]
            .unwrap_or_else(|| panic!("byte {at} of buffer {} is read before it is written", id.index()))
    }

    pub(crate) fn write(&mut self, id: BufferId, at: u64, value: u8) {
        assert!(self.writable[id.index()], "a constant is written");
        self.buffers[id.index()][at as usize] = Some(value);
    }

    pub(crate) fn load(&self, id: BufferId, at: u64, dtype: Dtype) -> i32 {
        let byte = |i| self.read(id, at + i);
        match dtype {
            Dtype::I8 => byte(0) as i8 as i32,
            Dtype::U8 => byte(0).into(),
            Dtype::I16 => i16::from_le_bytes([byte(0), byte(1)]).into(),
            Dtype::U16 => u16::from_le_bytes([byte(0), byte(1)]).into(),
            Dtype::I32 => i32::from_le_bytes([byte(0), byte(1), byte(2), byte(3)]),
        }
    }

    pub(crate) fn store(&mut self, id: BufferId, at: u64, dtype: Dtype, value: i32) {
        for (i, byte) in value.to_le_bytes().into_iter().take(dtype.bytes() as usize).enumerate() {
            self.write(id, at + i as u64, byte);
        }
    }
}

/// Executes a draft on inputs.
pub(crate) fn run(draft: &Draft, inputs: &[(BufferId, Vec<u8>)]) -> Memory {
    let mut memory = Memory::new(draft);
    for (id, bytes) in inputs {
        memory.fill(*id, bytes);
    }
    let mut slots: Vec<Option<Task>> = vec![None; 16];
    for task in &draft.tasks {
        check_spaces(draft, task);
        exec::execute(&mut memory, &mut slots, task);
    }
    memory
}

/// Every address field in use points into a buffer of its space.
fn check_spaces(draft: &Draft, task: &Task) {
    let space = |id: Option<BufferId>| id.map(|id| draft.buffers[id.index()].space);
    match &task.instr {
        Instr::DmaCopy(x) => {
            let named = |a: MemAddr| Some(a.space);
            assert_eq!(space(task.buffer("src")), named(x.src));
            assert_eq!(space(task.buffer("dst")), named(x.dst));
        }
        Instr::DmaFill(x) => assert_eq!(space(task.buffer("dst")), Some(x.dst.space)),
        _ => {
            for (_, id) in &task.bufs {
                assert_eq!(space(Some(*id)), Some(Space::Sram));
            }
        }
    }
}

/// SRAM bytes of all buffers of a draft.
pub(crate) fn sram_bytes(draft: &Draft) -> u64 {
    draft.buffers.iter().filter(|b| b.space == Space::Sram).map(|b| b.bytes.next_multiple_of(16)).sum()
}
