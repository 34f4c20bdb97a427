//! Random instructions whose every field is legal by itself.

use super::Rng;
use crate::field::{FieldKind, InstrDesc};
use crate::table::{Instr, TABLE};
use crate::types::MemAddr;

/// An instruction of any row, every field anywhere in its range; the fields need not go together.
///
/// `None` does not happen: it stands for a table whose ranges its own check refuses.
pub fn random_instr(rng: &mut Rng) -> Option<Instr> {
    let desc = TABLE.get(rng.below(TABLE.len() as u64) as usize)?;
    random_of(rng, desc)
}

/// As [`random_instr`], of the row `desc`.
pub fn random_of(rng: &mut Rng, desc: &InstrDesc) -> Option<Instr> {
    let kinds = desc.fields.iter().flat_map(|f| std::iter::repeat_n(&f.kind, f.count));
    let raw: Vec<i64> = kinds.map(|kind| random_raw(rng, kind)).collect();
    Instr::from_raw(desc, &raw).ok()
}

fn random_raw(rng: &mut Rng, kind: &FieldKind) -> i64 {
    match *kind {
        FieldKind::Uint { min, max, .. } | FieldKind::Int { min, max, .. } => rng.range(min, max),
        FieldKind::Bool => rng.range(0, 1),
        FieldKind::Mask if rng.one_in(2) => 1 << rng.below(64),
        FieldKind::Mask => rng.bits() as i64,
        FieldKind::Enum(names) => rng.below(names.len() as u64) as i64,
        FieldKind::Choice(values) => i64::from(rng.pick(values)),
        FieldKind::Sram { align } => {
            let align = i64::from(align);
            rng.range(0, i64::from(u32::MAX) / align) * align
        }
        FieldKind::Mem => rng.range(0, (1 << (MemAddr::OFFSET_BITS + 1)) - 1),
    }
}
