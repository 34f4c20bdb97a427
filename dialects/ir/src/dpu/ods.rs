//! Generates the ODS definitions of the instructions from the instruction table. The file `td/dpu/DpuInstrs.td` of `strum-mlir-sys` is
//! the output of [`instrs`]; a test compares them.

use std::fmt::Write as _;

use dpu_isa::{FieldKind, InstrDesc, TABLE};

use super::text::{Form, Row, row};

/// The one instruction whose operation is hand-written: its result is a barrier.
const BY_HAND: &str = "bar_cfg";

const HEAD: &str = "\
// Generated from the instruction table (dialects/isa/src/table.rs). To update it: STRUM_BLESS=1 cargo test -p strum-ir --test generated

#ifndef DPU_INSTRS_TD
#define DPU_INSTRS_TD

include \"dpu/DpuBase.td\"

";

/// The text of `DpuInstrs.td`.
pub fn instrs() -> String {
    let rows = TABLE.iter().filter(|desc| desc.mnemonic != BY_HAND).filter_map(|desc| row(desc.mnemonic));
    let definitions: Vec<String> = rows.map(definition).collect();
    format!("{HEAD}{}\n#endif // DPU_INSTRS_TD\n", definitions.join("\n"))
}

fn definition(row: &Row) -> String {
    let InstrDesc { mnemonic, doc, fields, .. } = row.desc;
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write!(
        out,
        "def Dpu_{}Op : Dpu_Instr<\"{mnemonic}\"{}> {{\n  let summary = \"{}\";\n  let description = [{{\n",
        camel_case(mnemonic),
        if row.groups > 1 { ", [AttrSizedOperandSegments]" } else { "" },
        summary(doc),
    );
    for line in doc.lines().map(str::trim).skip(2) {
        push_line(&mut out, line);
    }
    if !fields.is_empty() {
        out.push_str("\n    Fields:\n");
    }
    for field in *fields {
        let text = field.doc.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        let _ = writeln!(out, "    - `{}`: {}", field.name, text.trim());
    }
    out.push_str("  }];\n  let arguments = (ins\n");
    for field in &row.fields {
        let _ = writeln!(
            out,
            "    {},",
            argument(field.desc.name, field.form, field.desc.kind, field.desc.count)
        );
    }
    out.push_str("    Dpu_Layer:$layer\n  );\n}\n");
    out
}

fn push_line(out: &mut String, line: &str) {
    let _ = if line.is_empty() { writeln!(out) } else { writeln!(out, "    {line}") };
}

/// The ODS arguments of a field.
fn argument(name: &str, form: Form, kind: FieldKind, count: usize) -> String {
    let default = kind.neutral();
    match form {
        Form::Int if count == 1 => format!("Dpu_Int<{default}>:${name}"),
        Form::Int => format!("Dpu_Ints<{default}>:${name}"),
        Form::Flag => format!("Dpu_Flag:${name}"),
        Form::Keyword(names) => format!("Dpu_Keyword<\"{}\">:${name}", names.first().unwrap_or(&"")),
        Form::Address(_) => format!("Dpu_Address:${name}, Dpu_Offset:${name}_offset"),
        Form::Barriers(_) => format!("Dpu_Barriers:${name}"),
    }
}

/// The first sentence of a doc text, in the style of ODS summaries.
fn summary(doc: &str) -> String {
    let line = doc.lines().next().unwrap_or("").trim().trim_end_matches('.').replace('"', "'");
    let mut letters = line.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

fn camel_case(snake: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
    };
    snake.split('_').map(word).collect()
}
