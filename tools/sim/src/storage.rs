//! Which data a program stores zero-compressed, on a machine that skips zeros.
//!
//! No instruction specifies this: it follows from the readers. Data that is read only by convolutions which skip zeros, all
//! with the same zero point, is stored zero-compressed from its writer on, through all copies; any other reader or writer
//! of the same bytes keeps them uncompressed. A first run that tracks every byte determines this; times are those of a
//! second run, which uses it. The rules are those of "Storage without zeros" in `docs/timing.md`.

use std::collections::BTreeMap;
use std::ops::Range;

use dpu_isa::{Machine, Program, Space};
use petgraph::unionfind::UnionFind;
use strum_files::budget::{self, Claim};

use crate::error::{Fault, SimError};
use crate::io_range;
use crate::region::Region;

/// Operands of an instruction that may be stored zero-compressed.
const OPERANDS: usize = 3;

/// Host bytes that no task has written: a set per this many bytes, until a reader joins them.
const HOST_BYTES: u64 = 16;

/// The sets of a memory's bytes, assigned by their writers, each plus one; 0 where no task has written. Unused memory
/// costs the host nothing.
#[derive(Debug)]
struct Sets {
    of: Vec<u32>,
    /// The set of the first bytes that no task has written, and how many bytes share one; the next ones follow.
    host: (u32, u64),
}

impl Sets {
    /// The set of the byte at an address.
    fn get(&self, at: usize) -> u32 {
        let (first, bytes) = self.host;
        match self.of.get(at).and_then(|of| of.checked_sub(1)) {
            Some(set) => set,
            None => first + (at as u64 / bytes) as u32,
        }
    }

    fn put(&mut self, range: Range<usize>, set: u32) {
        self.of.get_mut(range).unwrap_or_default().fill(set + 1);
    }
}

/// What the operands of a task are to zero skipping: all others are stored as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles {
    /// Its activations may leave out this value.
    pub(crate) acts: Option<i8>,
    /// Its weights may leave out this value.
    pub(crate) weights: Option<i8>,
    /// Its results may leave out a value.
    pub(crate) results: bool,
    /// It copies, and what leaves out a value may stay so.
    pub(crate) copies: bool,
}

/// What the operands of an instruction hold in place of zero, each if it is stored without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Zeros<'a> {
    /// Activations of a convolution.
    pub(crate) acts: Option<i8>,
    /// Dense weights.
    pub(crate) weights: Option<i8>,
    /// Results of a convolution.
    pub(crate) results: Option<i8>,
    /// The bytes of a copy in order; none if all of it is stored uncompressed.
    pub(crate) pieces: &'a [Piece],
}

/// Contiguous bytes of a copy, and the value omitted from them, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) bytes: u64,
    pub(crate) zero: Option<i8>,
}

/// Which operands are stored zero-compressed.
#[derive(Debug)]
pub(crate) struct Storage {
    operands: Vec<[Option<i8>; OPERANDS]>,
    copies: BTreeMap<usize, Vec<Piece>>,
}

impl Storage {
    /// Of the instruction at an index.
    pub(crate) fn of(&self, index: usize) -> Zeros<'_> {
        let [acts, weights, results] = self.operands.get(index).copied().unwrap_or_default();
        let pieces = self.copies.get(&index).map_or(&[][..], Vec::as_slice);
        Zeros { acts, weights, results, pieces }
    }
}

/// Tracks bytes from task to task.
///
/// All operands that share bytes form one set; a set has one zero value, or is stored uncompressed.
#[derive(Debug)]
pub(crate) struct StorageFinder {
    /// The machine that skips zeros.
    machine: Machine,
    /// The operand for uncompressed bytes: the one after those of all instructions.
    raw: u32,
    sets: UnionFind<u32>,
    /// The zero values of the readers.
    zeros: Vec<(u32, i8)>,
    dram: Sets,
    srams: Vec<Sets>,
    /// For each copy, contiguous bytes of one set: their number, and the set.
    copies: BTreeMap<usize, Vec<(u64, u32)>>,
    roles: Roles,
    /// The total of these bytes.
    _claim: Claim,
}

impl StorageFinder {
    /// Marks the network's inputs, which the host stores uncompressed.
    ///
    /// # Errors
    /// When an input is outside the memory, and when this takes more of the host's memory than allowed.
    pub(crate) fn new(
        program: &Program,
        machine: &Machine,
        tiles: usize,
        max_memory: u64,
    ) -> Result<StorageFinder, SimError> {
        let operands = program.instrs.len().saturating_mul(OPERANDS) as u64;
        // One more for everything uncompressed, and those of the host.
        let sets = program.dram_bytes.div_ceil(HOST_BYTES).saturating_add(operands).saturating_add(1);
        let srams = program.machine.sram_bytes.saturating_mul(tiles as u64);
        let needed = program.dram_bytes.saturating_add(srams).saturating_mul(4).saturating_add(8 * sets);
        if sets >= u32::MAX.into() {
            let what = "sets of bytes that are stored alike";
            return Err(SimError::Resource { what, needed: sets, limit: u64::from(u32::MAX) - 1 });
        }
        if needed > max_memory {
            let what = "bytes of the host's memory to find what is stored without zeros";
            return Err(SimError::Resource { what, needed, limit: max_memory });
        }
        let what = "to find what is stored without zeros";
        let claim = budget::claim(what, needed).map_err(SimError::Memory)?;
        let raw = operands as u32;
        let unwritten = |bytes: u64, host| Sets { of: vec![0; bytes as usize], host };
        let sram = || unwritten(program.machine.sram_bytes, (raw, u64::MAX));
        let mut finder = StorageFinder {
            machine: machine.clone(),
            raw,
            sets: UnionFind::new(sets as usize),
            zeros: Vec::new(),
            dram: unwritten(program.dram_bytes, (raw + 1, HOST_BYTES)),
            srams: (0..tiles).map(|_| sram()).collect(),
            copies: BTreeMap::new(),
            roles: Roles::default(),
            _claim: claim,
        };
        for desc in &program.inputs {
            finder.dram.put(io_range(program, desc, "input")?, raw);
        }
        Ok(finder)
    }

    /// The machine that skips zeros.
    pub(crate) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The next accesses are those of a task with these roles.
    pub(crate) fn task(&mut self, roles: Roles) {
        self.roles = roles;
    }

    /// The set of an operand of the instruction at `index`, and its zero value.
    fn operand(&self, index: usize, what: &str) -> (u32, Option<i8>) {
        let own = |n: usize| (index * OPERANDS + n) as u32;
        match what {
            "act" if self.roles.acts.is_some() => (own(0), self.roles.acts),
            "weights" if self.roles.weights.is_some() => (own(1), self.roles.weights),
            "out" if self.roles.results => (own(2), None),
            _ => (self.raw, None),
        }
    }

    /// The task at `index` reads its operand `what`, or writes it.
    ///
    /// # Errors
    /// When the region is outside the memory.
    pub(crate) fn access(
        &mut self,
        index: usize,
        what: &str,
        (space, tile): (Space, u8),
        region: &Region,
        writes: bool,
    ) -> Result<(), Fault> {
        if self.roles.copies {
            return Ok(());
        }
        let (set, zero) = self.operand(index, what);
        self.zeros.extend(zero.map(|zero| (set, zero)));
        let memory = space_of(&mut self.dram, &mut self.srams, (space, tile))?;
        let sets = &mut self.sets;
        region.try_for_each_run(|start, len| {
            let range = start as usize..start.saturating_add(len) as usize;
            if writes {
                memory.put(range, set);
                return Ok(());
            }
            let mut last = set;
            for at in range {
                let byte = memory.get(at);
                if byte != last {
                    sets.union(byte, set);
                    last = byte;
                }
            }
            Ok(())
        })
    }

    /// The task at `index` copies `bytes` bytes, following those of its last call.
    ///
    /// # Errors
    /// When the memory does not exist.
    pub(crate) fn copy(
        &mut self,
        index: usize,
        tile: u8,
        (from, source): (Space, u64),
        (to, target): (Space, u64),
        bytes: u64,
    ) -> Result<(), Fault> {
        let range = |at: u64| at as usize..at.saturating_add(bytes) as usize;
        let memory = space_of(&mut self.dram, &mut self.srams, (from, tile))?;
        let moved: Vec<u32> = range(source).map(|at| memory.get(at)).collect();
        let memory = space_of(&mut self.dram, &mut self.srams, (to, tile))?;
        let copies = self.copies.entry(index).or_default();
        let mut at = range(target).start;
        for part in moved.chunk_by(|a, b| a == b) {
            let Some(&set) = part.first() else { continue };
            copies.push((part.len() as u64, set));
            memory.put(at..at + part.len(), set);
            at += part.len();
        }
        // A segment ends here.
        copies.push((0, self.raw));
        Ok(())
    }

    /// The findings of the run. The host reads the outputs uncompressed.
    ///
    /// # Errors
    /// When an output is outside the memory.
    pub(crate) fn finish(mut self, program: &Program) -> Result<Storage, SimError> {
        let raw = self.raw;
        for desc in &program.outputs {
            let range = io_range(program, desc, "output")?;
            for at in range {
                self.sets.union(self.dram.get(at), raw);
            }
        }
        // The zero value of each set; `None` if there is none or more than one.
        let mut found: Vec<Option<Option<i8>>> = vec![None; self.sets.len()];
        for &(set, zero) in &self.zeros {
            if let Some(found) = found.get_mut(self.sets.find(set) as usize) {
                *found = match *found {
                    None => Some(Some(zero)),
                    Some(other) => Some(other.filter(|&other| other == zero)),
                };
            }
        }
        let raw = self.sets.find_mut(raw);
        let zero = |set: u32| {
            let root = self.sets.find(set);
            found.get(root as usize).copied().flatten().flatten().filter(|_| root != raw)
        };
        let of = |index: usize| [0, 1, 2].map(|n| zero((index * OPERANDS + n) as u32));
        let mut copies = BTreeMap::new();
        for (&index, parts) in &self.copies {
            let mut pieces: Vec<Piece> = Vec::new();
            let mut ended = true;
            for &(bytes, set) in parts {
                if bytes == 0 {
                    ended = true;
                    continue;
                }
                let zero = zero(set);
                match pieces.last_mut().filter(|last| !ended && last.zero == zero) {
                    Some(last) => last.bytes += bytes,
                    None => pieces.push(Piece { bytes, zero }),
                }
                ended = false;
            }
            if pieces.iter().any(|piece| piece.zero.is_some()) {
                copies.insert(index, pieces);
            }
        }
        Ok(Storage { operands: (0..program.instrs.len()).map(of).collect(), copies })
    }
}

/// A memory.
fn space_of<'a>(
    dram: &'a mut Sets,
    srams: &'a mut [Sets],
    (space, tile): (Space, u8),
) -> Result<&'a mut Sets, Fault> {
    match space {
        Space::Dram => Ok(dram),
        Space::Sram => {
            let sram = srams.get_mut(usize::from(tile));
            sram.ok_or_else(|| Fault::operand(format!("there is no tile {tile}")))
        }
    }
}
