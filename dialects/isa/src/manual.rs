//! The instruction-set manual, generated from the table; `docs/isa.md` is its output.

use std::fmt::Write as _;

use crate::field::{FieldDesc, FieldKind, InstrDesc};
use crate::machine::{FieldClass, Machine, MachineField, SOURCE_TAGS};
use crate::table::TABLE;

/// Common to all instructions.
const INTRO: &str = include_str!("manual.md");

/// The manual as Markdown.
#[must_use]
pub fn manual() -> String {
    let mut out = String::from(INTRO);
    out.push_str("\n## Instructions\n\n| opcode | mnemonic | words | meaning |\n|---|---|---|---|\n");
    for desc in TABLE {
        let summary = paragraphs(desc.doc).into_iter().next().unwrap_or_default();
        let (name, opcode, words) = (desc.mnemonic, desc.opcode, desc.words());
        let _ = writeln!(out, "| {opcode:#04x} | [`{name}`](#{name}) | {words} | {summary} |");
    }
    TABLE.iter().for_each(|desc| section(&mut out, desc));
    out.push_str(
        "\n## The machine file\n\nA program relies on fields of class *structure*; `dpu-sim --machine` may give it others of class *timing*, and another PE kind.\n\n\
         | field | default | unit | range | class | meaning | source of the default |\n",
    );
    out.push_str("|---|---|---|---|---|---|---|\n| `name` | `flexnn-16x16` | | letters, digits, `-`, `_`, `.` | | Name. | |\n");
    out.push_str(
        "| `pe_kind` | `strum-dynamic` | | `dense`, `strum-dynamic`, `strum-static` | | Kind of the PEs. | |\n",
    );
    let machine = Machine::flexnn_16x16();
    for (field, value) in Machine::FIELDS.iter().zip(machine.values()) {
        let MachineField { name, doc, unit, class, source, min, max, absent } = field;
        let class = match class {
            FieldClass::Structure => "structure",
            FieldClass::Timing => "timing",
        };
        let doc = doc.trim();
        let doc = absent.map_or_else(|| doc.to_owned(), |n| format!("{doc} If left out: {n}."));
        let _ =
            writeln!(out, "| `{name}` | {value} | {unit} | {min} to {max} | {class} | {doc} | {source} |");
    }
    out.push_str("\nTags of the sources:\n");
    for (tag, meaning) in SOURCE_TAGS {
        let _ = writeln!(out, "- *{tag}*: {meaning}.");
    }
    out
}

fn section(out: &mut String, desc: &InstrDesc) {
    let _ =
        write!(out, "\n### {}\n\nOpcode `{:#04x}`, {} words.\n", desc.mnemonic, desc.opcode, desc.words());
    for paragraph in paragraphs(desc.doc) {
        let _ = write!(out, "\n{paragraph}\n");
    }
    if desc.fields.is_empty() {
        return;
    }
    out.push_str("\n| bits | field | values | meaning |\n|---|---|---|---|\n");
    for (place, field) in layout(desc) {
        let doc = paragraphs(field.doc).join(" ");
        let _ = writeln!(out, "| {place} | `{}` | {} | {doc} |", name(field), values(&field.kind));
    }
}

/// The fields of an instruction with the bits they take, counted from bit 0 of the first word.
pub fn layout(desc: &InstrDesc) -> impl Iterator<Item = (String, &'static FieldDesc)> {
    let mut pos = 16;
    desc.fields.iter().map(move |field| {
        let start = pos;
        pos += field.bits();
        let place = if field.bits() == 1 { format!("{start}") } else { format!("{start}..{pos}") };
        (place, field)
    })
}

fn name(field: &FieldDesc) -> String {
    if field.count == 1 { field.name.to_owned() } else { format!("{}[{}]", field.name, field.count) }
}

/// The legal values of a field, in words.
#[must_use]
pub fn values(kind: &FieldKind) -> String {
    match *kind {
        FieldKind::Uint { bits, min, max } => format!("u{bits}, {min} to {max}"),
        FieldKind::Int { bits, min, max } => format!("s{bits}, {min} to {max}"),
        FieldKind::Bool => "bool".to_owned(),
        FieldKind::Mask => "64 barriers".to_owned(),
        FieldKind::Enum(names) => {
            let all: Vec<String> = names.iter().enumerate().map(|(i, n)| format!("{i} `{n}`")).collect();
            all.join(", ")
        }
        FieldKind::Choice(choices) => {
            let all: Vec<String> = choices.iter().map(u8::to_string).collect();
            format!("u8: {}", all.join(", "))
        }
        FieldKind::Sram { align: 1 } => "SRAM offset, u32".to_owned(),
        FieldKind::Sram { align } => format!("SRAM offset, u32, multiple of {align}"),
        FieldKind::Mem => "address: u40 offset, then space (0 `dram`, 1 `sram`)".to_owned(),
    }
}

/// The paragraphs of a doc text; list items keep their lines.
fn paragraphs(doc: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut fresh = true;
    for line in doc.lines().map(str::trim) {
        match out.last_mut() {
            _ if line.is_empty() => fresh = true,
            Some(last) if !fresh => {
                last.push(if line.starts_with("- ") { '\n' } else { ' ' });
                last.push_str(line);
            }
            _ => {
                out.push(line.to_owned());
                fresh = false;
            }
        }
    }
    out
}
