//! Random instructions: with individually legal fields, or accepted by a validator.

use super::{Places, Rng};
use crate::field::{FieldKind, InstrDesc};
use crate::machine::Machine;
use crate::rules;
use crate::table::{ConvInv, Instr, TABLE};
use crate::types::MemAddr;

/// Attempts at a legal instruction: rules that no row declares are met by chance.
const ATTEMPTS: usize = 10_000;
/// DRAM size of the programs that these instructions are for.
pub(super) const DRAM_BYTES: u64 = 1 << 16;

/// An instruction of any row, every field anywhere in its range; the fields need not be consistent.
///
/// `None` does not happen: it stands for a table whose ranges fail its own check.
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

/// A small instruction of the row `desc` that `machine` can execute, with operands at or above `sram` and `dram`. `inv` is
/// the invariant that a variant runs with.
///
/// `None` if no attempt satisfied the rules: the row then needs special handling, as convolutions do.
pub(crate) fn legal_of(
    rng: &mut Rng,
    desc: &InstrDesc,
    inv: Option<&Instr>,
    (sram, dram): (u64, u64),
    machine: &Machine,
) -> Option<Instr> {
    for _ in 0..ATTEMPTS {
        let fields = desc.fields.iter().flat_map(|f| std::iter::repeat_n(f, f.count));
        let raw = fields.map(|field| match (field.name, inv.and_then(Instr::slot)) {
            ("slot", Some(slot)) => i64::from(slot),
            ("slot", None) => random_raw(rng, &field.kind),
            _ => small_raw(rng, &field.kind),
        });
        let mut instr = Instr::from_raw(desc, &raw.collect::<Vec<_>>()).ok()?;
        if let Instr::ConvInv(x) = &mut instr {
            weights(rng, x);
        }
        instr.lay_out(inv, &mut Places::new(rng, sram, dram));
        let mut broken = rules::check(&instr, inv, machine);
        broken.extend(rules::check_bounds(&instr.footprint(inv), machine, DRAM_BYTES, dram));
        if broken.is_empty() {
            return Some(instr);
        }
    }
    None
}

/// As [`random_raw`], but extents and counts are small, as are most values, and nothing is waited for.
fn small_raw(rng: &mut Rng, kind: &FieldKind) -> i64 {
    match *kind {
        FieldKind::Uint { min, max, .. } => min + rng.range(0, (max - min).min(3)),
        FieldKind::Int { min, max, .. } if rng.one_in(2) => rng.range(min.max(-2), max.min(2)),
        FieldKind::Mask => 0,
        FieldKind::Int { .. }
        | FieldKind::Bool
        | FieldKind::Enum(_)
        | FieldKind::Choice(_)
        | FieldKind::Sram { .. }
        | FieldKind::Mem => random_raw(rng, kind),
    }
}

/// Gives a layer weights in any format.
fn weights(rng: &mut Rng, x: &mut ConvInv) {
    let desc = x.method.desc();
    let (min, max) = desc.param;
    x.param = rng.range(min.into(), max.into()) as u8;
    x.zero = (desc.spare_code)(x.param) && rng.one_in(2);
    x.low = if desc.packed { rng.range(0, x.block.into()) as u8 } else { 0 };
    if desc.packed {
        x.wt_zp = 0;
    }
}
