//! Text of single instructions, driven by the descriptors of the table.

use std::fmt;
use std::fmt::Write as _;

use super::AsmError;
use super::cursor::Cursor;
use crate::barrier::members;
use crate::field::{FieldDesc, FieldKind, InstrDesc, pack_mem, unpack_mem};
use crate::table::{Instr, TABLE};
use crate::types::{MemAddr, Space};

/// The text of an instruction: mnemonic and all fields in table order.
#[must_use]
pub fn instr_text(instr: &Instr) -> String {
    let mut out = String::new();
    push_instr(&mut out, instr, &mut Vec::new());
    out
}

impl fmt::Display for Instr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&instr_text(self))
    }
}

/// Reads one instruction.
///
/// # Errors
/// When `text` is not one instruction with legal fields.
pub fn parse_instr(text: &str) -> Result<Instr, AsmError> {
    let mut cursor = Cursor::new(text, 1);
    let instr = instr(&mut cursor, &mut Vec::new())?;
    cursor.finish()?;
    Ok(instr)
}

/// Appends the text of `instr`; `raw` is scratch space.
pub(super) fn push_instr(out: &mut String, instr: &Instr, raw: &mut Vec<i64>) {
    let desc = instr.desc();
    raw.clear();
    instr.put_raw(raw);
    out.push_str(desc.mnemonic);
    let mut values = raw.iter().copied();
    for field in desc.fields {
        out.push(' ');
        out.push_str(field.name);
        out.push('=');
        if field.count == 1 {
            push_value(out, &field.kind, values.next().unwrap_or(0));
            continue;
        }
        for (i, value) in values.by_ref().take(field.count).enumerate() {
            out.push(if i == 0 { '[' } else { ',' });
            push_value(out, &field.kind, value);
        }
        out.push(']');
    }
}

fn push_value(out: &mut String, kind: &FieldKind, raw: i64) {
    // Writing to a string does not fail.
    let _ = match kind {
        FieldKind::Uint { .. } | FieldKind::Int { .. } | FieldKind::Choice(_) => write!(out, "{raw}"),
        FieldKind::Bool => write!(out, "{}", raw != 0),
        FieldKind::Sram { .. } => write!(out, "{raw:#x}"),
        FieldKind::Mem => write!(out, "{}", unpack_mem(raw)),
        FieldKind::Enum(names) => {
            let name = usize::try_from(raw).ok().and_then(|i| names.get(i));
            write!(out, "{}", name.copied().unwrap_or("?"))
        }
        FieldKind::Mask => {
            out.push('{');
            for (i, barrier) in members(raw as u64).enumerate() {
                let comma = if i == 0 { "" } else { "," };
                let _ = write!(out, "{comma}{barrier}");
            }
            write!(out, "}}")
        }
    };
}

/// Reads an instruction; `raw` is scratch space.
pub(super) fn instr(cursor: &mut Cursor<'_>, raw: &mut Vec<i64>) -> Result<Instr, AsmError> {
    cursor.blank();
    let start = cursor.pos();
    let mnemonic = cursor.name("an instruction")?;
    let Some(desc) = InstrDesc::by_mnemonic(mnemonic) else {
        let known: Vec<&str> = TABLE.iter().map(|d| d.mnemonic).collect();
        return Err(cursor
            .error_at(start, format!("unknown instruction '{mnemonic}' (there are: {})", known.join(", "))));
    };
    raw.clear();
    raw.resize(desc.raw_len(), 0);
    let mut seen = 0u64;
    while !cursor.at_end() {
        field(cursor, desc, raw, &mut seen)?;
    }
    for (i, field) in desc.fields.iter().enumerate() {
        if seen >> i & 1 == 0 && !matches!(field.name, "tile" | "wait" | "post") {
            return Err(cursor.error_at(start, format!("{mnemonic} lacks the field '{}'", field.name)));
        }
    }
    Instr::from_raw(desc, raw).map_err(|e| cursor.error_at(start, e.to_string()))
}

/// Reads one `name=value` and stores it in `raw`.
fn field(cursor: &mut Cursor<'_>, desc: &InstrDesc, raw: &mut [i64], seen: &mut u64) -> Result<(), AsmError> {
    let start = cursor.pos();
    let name = cursor.name("a field")?;
    let mut at = 0;
    let mut found = None;
    for (i, field) in desc.fields.iter().enumerate() {
        if field.name == name {
            found = Some((i, field));
            break;
        }
        at += field.count;
    }
    let Some((i, field)) = found else {
        let msg = format!("{} has no field '{name}'", desc.mnemonic);
        return Err(cursor.error_at(start, msg));
    };
    if *seen >> i & 1 == 1 {
        return Err(cursor.error_at(start, format!("field '{name}' is given twice")));
    }
    *seen |= 1 << i;
    cursor.char('=')?;
    let values = raw.get_mut(at..at + field.count).unwrap_or_default();
    if field.count > 1 {
        cursor.char('[')?;
    }
    for (k, value) in values.iter_mut().enumerate() {
        if k > 0 {
            cursor.char(',')?;
        }
        *value = checked_value(cursor, field)?;
    }
    if field.count > 1 { cursor.char(']') } else { Ok(()) }
}

fn checked_value(cursor: &mut Cursor<'_>, field: &FieldDesc) -> Result<i64, AsmError> {
    cursor.blank();
    let start = cursor.pos();
    let raw = value(cursor, &field.kind)?;
    match field.kind.check(raw) {
        None => Ok(raw),
        Some(kind) => Err(cursor.error_at(start, format!("field '{}': {kind}", field.name))),
    }
}

fn value(cursor: &mut Cursor<'_>, kind: &FieldKind) -> Result<i64, AsmError> {
    match kind {
        FieldKind::Uint { .. } | FieldKind::Int { .. } | FieldKind::Choice(_) | FieldKind::Sram { .. } => {
            cursor.uint::<i64>()
        }
        FieldKind::Bool => word(cursor, &["false", "true"]),
        FieldKind::Enum(names) => word(cursor, names),
        FieldKind::Mask => mask(cursor),
        FieldKind::Mem => {
            let space = match word(cursor, Space::NAMES)? {
                0 => Space::Dram,
                _ => Space::Sram,
            };
            cursor.char(':')?;
            cursor.blank();
            let start = cursor.pos();
            let offset: u64 = cursor.uint()?;
            if offset >> MemAddr::OFFSET_BITS != 0 {
                return Err(cursor.error_at(start, format!("offset {offset:#x} does not fit 40 bits")));
            }
            Ok(pack_mem(MemAddr { space, offset }))
        }
    }
}

/// The index of one of `names`.
fn word(cursor: &mut Cursor<'_>, names: &[&str]) -> Result<i64, AsmError> {
    cursor.blank();
    let start = cursor.pos();
    let what = format!("one of {}", names.join(", "));
    let word = cursor.name(&what)?;
    match names.iter().position(|n| *n == word) {
        Some(index) => Ok(index as i64),
        None => Err(cursor.error_at(start, format!("expected {what}, found '{word}'"))),
    }
}

/// `{0,5}`: barrier numbers.
fn mask(cursor: &mut Cursor<'_>) -> Result<i64, AsmError> {
    cursor.char('{')?;
    let mut mask = 0u64;
    if cursor.try_char('}') {
        return Ok(0);
    }
    loop {
        cursor.blank();
        let start = cursor.pos();
        let barrier: u32 = cursor.uint()?;
        let bit =
            1u64.checked_shl(barrier).ok_or_else(|| cursor.error_at(start, "a barrier is at most 63"))?;
        if mask & bit != 0 {
            return Err(cursor.error_at(start, format!("barrier {barrier} is given twice")));
        }
        mask |= bit;
        if cursor.try_char('}') {
            return Ok(mask as i64);
        }
        cursor.char(',')?;
    }
}
