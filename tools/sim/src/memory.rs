//! The memories of the machine: DRAM, and an SRAM for every tile in use.
//!
//! Memory is reserved at the start and never grows; the host commits it page by page as it is touched.

use dpu_isa::{Dtype, Program, Space};
use strum_files::budget::{self, Claim};

use crate::error::{Fault, SimError, TrapKind};

/// Purpose of the claim on memory.
const SIMULATED: &str = "the simulated memories";

/// DRAM and SRAMs, byte addressed.
#[derive(Debug)]
pub(crate) struct Memory {
    dram: Vec<u8>,
    /// One per tile that an instruction names.
    sram: Vec<Vec<u8>>,
    /// The bytes of both.
    _claim: Option<Claim>,
}

impl Memory {
    /// The memories of a program, constants loaded.
    ///
    /// # Errors
    /// When they exceed the machine's DRAM, `limit` bytes in total, or the memory of the host.
    pub(crate) fn new(program: &Program, limit: u64) -> Result<Memory, SimError> {
        let machine = &program.machine;
        let consts = u64::try_from(program.consts.len()).unwrap_or(u64::MAX);
        if consts > program.dram_bytes {
            let dram = program.dram_bytes;
            return Err(SimError::Program(format!("{consts} bytes of constants in {dram} bytes of DRAM")));
        }
        let what = "DRAM bytes of the machine";
        check(what, program.dram_bytes, machine.dram_bytes)?;
        let tiles = tiles(program) as u64;
        let total = tiles.saturating_mul(machine.sram_bytes).saturating_add(program.dram_bytes);
        check("simulated memory (bytes)", total, limit)?;
        let claim = budget::claim(SIMULATED, total).map_err(SimError::Memory)?;
        let mut dram = zeroed(program.dram_bytes)?;
        for (to, from) in dram.iter_mut().zip(&program.consts) {
            *to = *from;
        }
        let sram = (0..tiles).map(|_| zeroed(machine.sram_bytes)).collect::<Result<_, _>>()?;
        Ok(Memory { dram, sram, _claim: Some(claim) })
    }

    /// Empty memories, for the same number of tiles as [`Memory::new`] would create.
    pub(crate) fn none(program: &Program) -> Memory {
        Memory { dram: Vec::new(), sram: vec![Vec::new(); tiles(program)], _claim: None }
    }

    /// Number of tiles with an SRAM.
    pub(crate) fn tiles(&self) -> usize {
        self.sram.len()
    }

    /// The whole of a memory.
    ///
    /// # Errors
    /// When the tile does not exist.
    pub(crate) fn space(&self, space: Space, tile: u8) -> Result<&[u8], Fault> {
        match space {
            Space::Dram => Ok(&self.dram),
            Space::Sram => self.sram.get(usize::from(tile)).map(Vec::as_slice).ok_or_else(|| no_tile(tile)),
        }
    }

    /// The whole of a memory, mutable.
    ///
    /// # Errors
    /// When the tile does not exist.
    pub(crate) fn space_mut(&mut self, space: Space, tile: u8) -> Result<&mut [u8], Fault> {
        match space {
            Space::Dram => Ok(&mut self.dram),
            Space::Sram => {
                self.sram.get_mut(usize::from(tile)).map(Vec::as_mut_slice).ok_or_else(|| no_tile(tile))
            }
        }
    }

    /// Copies `len` bytes within or between the memories of a tile, as if through a buffer.
    ///
    /// # Errors
    /// When the tile does not exist, or either side exceeds its memory.
    pub(crate) fn copy(
        &mut self,
        tile: u8,
        (from, start): (Space, u64),
        (to, target): (Space, u64),
        len: u64,
    ) -> Result<(), Fault> {
        let sram = self.sram.get_mut(usize::from(tile)).map(Vec::as_mut_slice);
        let (source, destination) = match (from, to) {
            (Space::Dram, Space::Dram) => return copy_inside(&mut self.dram, start, target, len),
            (Space::Sram, Space::Sram) => {
                return copy_inside(sram.ok_or_else(|| no_tile(tile))?, start, target, len);
            }
            (Space::Dram, Space::Sram) => (&self.dram[..], sram.ok_or_else(|| no_tile(tile))?),
            (Space::Sram, Space::Dram) => (&*sram.ok_or_else(|| no_tile(tile))?, &mut self.dram[..]),
        };
        slice_mut(destination, target, len)?.copy_from_slice(slice(source, start, len)?);
        Ok(())
    }
}

fn copy_inside(memory: &mut [u8], start: u64, target: u64, len: u64) -> Result<(), Fault> {
    slice(memory, target, len)?;
    let size = memory.len();
    let source = range(start, len).filter(|r| r.end <= size).ok_or_else(|| beyond(start, len, size))?;
    memory.copy_within(source, usize::try_from(target).unwrap_or(size));
    Ok(())
}

fn no_tile(tile: u8) -> Fault {
    Fault::operand(format!("there is no tile {tile}"))
}

/// Tiles with tasks. Tasks for tiles beyond the machine's trap when they are dispatched.
fn tiles(program: &Program) -> usize {
    let used = program.instrs.iter().filter_map(|i| i.tile()).max().map_or(0, |t| usize::from(t) + 1);
    usize::try_from(program.machine.tiles).map_or(used, |there| used.min(there))
}

fn check(what: &'static str, needed: u64, limit: u64) -> Result<(), SimError> {
    if needed > limit { Err(SimError::Resource { what, needed, limit }) } else { Ok(()) }
}

/// `bytes` zeros, or an error instead of an abort.
fn zeroed(bytes: u64) -> Result<Vec<u8>, SimError> {
    let failed = || SimError::Memory(budget::refused(SIMULATED, bytes));
    let len = usize::try_from(bytes).map_err(|_| failed())?;
    // The probe checks whether the host can provide the memory; `vec!` then gets pages that are already zero.
    Vec::<u8>::new().try_reserve_exact(len).map_err(|_| failed())?;
    Ok(vec![0; len])
}

/// The part of a memory from `start` on, of the requested length.
///
/// # Errors
/// When it reaches beyond the end of the memory.
pub(crate) fn slice(memory: &[u8], start: u64, len: u64) -> Result<&[u8], Fault> {
    let range = range(start, len).and_then(|r| memory.get(r));
    range.ok_or_else(|| beyond(start, len, memory.len()))
}

/// As [`slice`], mutable.
///
/// # Errors
/// When it reaches beyond the end of the memory.
pub(crate) fn slice_mut(memory: &mut [u8], start: u64, len: u64) -> Result<&mut [u8], Fault> {
    let size = memory.len();
    let range = range(start, len).and_then(|r| memory.get_mut(r));
    range.ok_or_else(|| beyond(start, len, size))
}

fn range(start: u64, len: u64) -> Option<std::ops::Range<usize>> {
    let start = usize::try_from(start).ok()?;
    Some(start..start.checked_add(usize::try_from(len).ok()?)?)
}

fn beyond(start: u64, len: u64, size: usize) -> Fault {
    let end = start.saturating_add(len);
    Fault::new(TrapKind::OutOfBounds, format!("{start:#x}..{end:#x} of a memory of {size:#x} bytes"))
}

/// Reads `out.len()` elements, `stride` bytes apart, from `start` on; stride 0 repeats.
///
/// # Errors
/// When they reach beyond the end of the memory.
pub(crate) fn load(
    memory: &[u8],
    start: u64,
    stride: u64,
    dtype: Dtype,
    out: &mut [i32],
) -> Result<(), Fault> {
    match dtype {
        Dtype::I8 => load_as(memory, start, stride, out, |[b]| i32::from(b.cast_signed())),
        Dtype::U8 => load_as(memory, start, stride, out, |[b]: [u8; 1]| i32::from(b)),
        Dtype::I16 => load_as(memory, start, stride, out, |b| i32::from(i16::from_le_bytes(b))),
        Dtype::U16 => load_as(memory, start, stride, out, |b| i32::from(u16::from_le_bytes(b))),
        Dtype::I32 => load_as(memory, start, stride, out, i32::from_le_bytes),
    }
}

fn load_as<const N: usize>(
    memory: &[u8],
    start: u64,
    stride: u64,
    out: &mut [i32],
    get: impl Fn([u8; N]) -> i32,
) -> Result<(), Fault> {
    let row = slice(memory, start, row_bytes(out.len(), stride, N))?;
    match usize::try_from(stride).unwrap_or(usize::MAX) {
        0 => {
            if let Some(first) = row.first_chunk() {
                out.fill(get(*first));
            }
        }
        s if s == N => {
            for (to, from) in out.iter_mut().zip(row.as_chunks().0) {
                *to = get(*from);
            }
        }
        s => {
            let mut rest = row;
            for to in out {
                if let Some(first) = rest.first_chunk() {
                    *to = get(*first);
                }
                rest = rest.get(s..).unwrap_or_default();
            }
        }
    }
    Ok(())
}

/// Writes the low bytes of `values` to elements that are `stride` bytes apart, from `start` on.
///
/// # Errors
/// When they reach beyond the end of the memory.
pub(crate) fn store(
    memory: &mut [u8],
    start: u64,
    stride: u64,
    dtype: Dtype,
    values: &[i32],
) -> Result<(), Fault> {
    match dtype {
        Dtype::I8 | Dtype::U8 => store_as(memory, start, stride, values, |v| [v as u8]),
        Dtype::I16 | Dtype::U16 => store_as(memory, start, stride, values, |v| (v as u16).to_le_bytes()),
        Dtype::I32 => store_as(memory, start, stride, values, i32::to_le_bytes),
    }
}

fn store_as<const N: usize>(
    memory: &mut [u8],
    start: u64,
    stride: u64,
    values: &[i32],
    put: impl Fn(i32) -> [u8; N],
) -> Result<(), Fault> {
    let mut rest = slice_mut(memory, start, row_bytes(values.len(), stride, N))?;
    let step = usize::try_from(stride).unwrap_or(usize::MAX);
    if step == N {
        for (to, from) in rest.as_chunks_mut().0.iter_mut().zip(values) {
            *to = put(*from);
        }
        return Ok(());
    }
    for &value in values {
        if let Some(to) = rest.first_chunk_mut() {
            *to = put(value);
        }
        rest = rest.get_mut(step..).unwrap_or_default();
    }
    Ok(())
}

/// Copies `out.len()` elements that are `stride` bytes apart, from `start` on.
///
/// # Errors
/// When they reach beyond the end of the memory.
pub(crate) fn gather<const N: usize>(
    memory: &[u8],
    start: u64,
    stride: u64,
    out: &mut [[u8; N]],
) -> Result<(), Fault> {
    let mut rest = slice(memory, start, row_bytes(out.len(), stride, N))?;
    let step = usize::try_from(stride).unwrap_or(usize::MAX);
    if step == N {
        out.as_flattened_mut().copy_from_slice(rest);
        return Ok(());
    }
    for to in out {
        if let Some(from) = rest.first_chunk() {
            *to = *from;
        }
        rest = rest.get(step..).unwrap_or_default();
    }
    Ok(())
}

/// Writes elements `stride` bytes apart from `start` on.
///
/// # Errors
/// When they reach beyond the end of the memory.
pub(crate) fn scatter<const N: usize>(
    memory: &mut [u8],
    start: u64,
    stride: u64,
    values: &[[u8; N]],
) -> Result<(), Fault> {
    let mut rest = slice_mut(memory, start, row_bytes(values.len(), stride, N))?;
    let step = usize::try_from(stride).unwrap_or(usize::MAX);
    if step == N {
        rest.copy_from_slice(values.as_flattened());
        return Ok(());
    }
    for from in values {
        if let Some(to) = rest.first_chunk_mut() {
            *to = *from;
        }
        rest = rest.get_mut(step..).unwrap_or_default();
    }
    Ok(())
}

/// Bytes from the first to the last of `n` elements of `width` bytes, `stride` apart.
fn row_bytes(n: usize, stride: u64, width: usize) -> u64 {
    let width = u64::try_from(width).unwrap_or(u64::MAX);
    match u64::try_from(n).unwrap_or(u64::MAX).checked_sub(1) {
        Some(gaps) => gaps.saturating_mul(stride).saturating_add(width),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_every_type_and_stride() {
        for &dtype in Dtype::ALL {
            let width = dtype.bytes();
            for stride in [width, width + 1, 3 * width] {
                let values = [dtype.min(), 3, 5, dtype.max()];
                let mut memory = vec![0xaa; 64];
                store(&mut memory, 7, stride, dtype, &values).unwrap();
                let mut back = [0; 4];
                load(&memory, 7, stride, dtype, &mut back).unwrap();
                assert_eq!(back, values, "{dtype} stride {stride}");
                let touched = memory.iter().filter(|&&b| b != 0xaa).count() as u64;
                assert!(touched <= 4 * width);
            }
        }
    }

    #[test]
    fn stride_0_repeats() {
        let mut out = [0; 3];
        load(&[1, 2, 0xfe], 2, 0, Dtype::I8, &mut out).unwrap();
        assert_eq!(out, [-2; 3]);
        let mut memory = [0; 3];
        store(&mut memory, 1, 0, Dtype::I8, &[7, 8, 9]).unwrap();
        assert_eq!(memory, [0, 9, 0]);
    }

    #[test]
    fn the_end_is_a_fault() {
        let mut out = [0; 2];
        for (start, stride) in [(3, 1), (u64::MAX, 1), (0, u64::MAX), (0, 4)] {
            let fault = load(&[0; 4], start, stride, Dtype::I8, &mut out).unwrap_err();
            assert_eq!(fault.kind, TrapKind::OutOfBounds);
            assert_eq!(store(&mut [0; 4], start, stride, Dtype::I8, &[0; 2]).unwrap_err().kind, fault.kind);
        }
        load(&[0; 4], 0, 3, Dtype::I8, &mut out).unwrap();
    }
}
