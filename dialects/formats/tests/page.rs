//! The reference page of weight formats is generated from the table: the test compares, `STRUM_BLESS=1`
//! writes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use strum_formats::table::PARAMETERS;
use strum_formats::{FieldKind, Kind};

const PAGE: &str = "docs/formats.md";
const BLESS: &str = "STRUM_BLESS=1 cargo test -p strum-formats --test page";

const HEAD: &str = "\
# Weight formats

Blocks of `w` weights run along the input channel. Exactly `low` = `p` times `w` members of each block are *low*, the others stay INT8. A
mask bit per weight says which; high and low codes follow it. No mask is stored where `low` is 0, or is `w` and low codes have bits.

A method with parameters is written `mip2q,p=0.75,L=5`, in `--config` and `--format`, as options of `strum-pack`, as fields of a packing
file ([packing.md](packing.md)), and as an attribute in MLIR.

## Methods
";

fn page() -> String {
    let mut text =
        format!("<!-- Written from the table of formats; `{BLESS}` brings it up to date. -->\n{HEAD}\n");
    text.push_str("| method | code | what it is | parameters | attribute |\n|---|---|---|---|---|\n");
    for &kind in Kind::ALL {
        let of = |methods: &[Kind]| methods.contains(&kind);
        let names: Vec<_> =
            PARAMETERS.iter().filter(|row| of(row.methods)).map(|row| format!("`{}`", row.name)).collect();
        let names = if names.is_empty() { "–".to_owned() } else { names.join(", ") };
        let _ = writeln!(
            text,
            "| `{kind}` | {} | {} | {names} | `{}` |",
            kind.code(),
            kind.help(),
            attribute(kind)
        );
    }
    text.push_str("\nThe code is that of the instruction set, which is frozen.\n\n## Parameters\n\n");
    text.push_str("| parameter | values | default | methods | what it is |\n|---|---|---|---|---|\n");
    for row in PARAMETERS {
        let methods: Vec<_> = row.methods.iter().map(|kind| format!("`{kind}`")).collect();
        let (name, values, default) = (row.name, row.domain.to_string(), row.default.to_string());
        let _ = writeln!(text, "| `{name}` | {values} | {default} | {} | {} |", methods.join(", "), row.help);
    }
    text
}

/// `#strum.dliq<w = N, low = N, q = N, shift = N or per_channel>`
fn attribute(kind: Kind) -> String {
    let field = |field: &strum_formats::Field| match field.kind {
        FieldKind::Number => format!("{} = N", field.name),
        FieldKind::NumberOr(word) => format!("{} = N or {word}", field.name),
        FieldKind::Flag => format!("[{}]", field.name),
    };
    let fields: Vec<_> = kind.fields().map(field).collect();
    if fields.is_empty() { format!("#strum.{kind}") } else { format!("#strum.{kind}<{}>", fields.join(", ")) }
}

#[test]
fn the_page_of_formats_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(PAGE);
    let expected = page();
    let mut found = fs::read_to_string(&path).unwrap_or_default();
    if found != expected && std::env::var_os("STRUM_BLESS").is_some() {
        fs::write(&path, &expected).unwrap();
        found = expected.clone();
    }
    assert!(found == expected, "{PAGE} is stale: {BLESS}");
}
