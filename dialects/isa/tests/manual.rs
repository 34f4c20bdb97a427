//! The manual and the frozen encoding follow the table: a change of either must be intended.
//!
//! `STRUM_BLESS=1` rewrites both files. Rows of a released version must not change in `isa-v1.txt`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::fmt::Write as _;
use std::path::Path;

use dpu_isa::testing::{Rng, random_of};
use dpu_isa::{Instr, TABLE, encode_one, manual};

fn compare(path: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("STRUM_BLESS").is_some() {
        std::fs::write(&path, expected).expect("write");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some((i, (a, b))) = found.lines().zip(expected.lines()).enumerate().find(|(_, (a, b))| a != b) {
        panic!("{} line {}:\n  file:  {a}\n  table: {b}\nSTRUM_BLESS=1 rewrites it", path.display(), i + 1);
    }
    assert!(found == expected, "{} is stale: STRUM_BLESS=1 rewrites it", path.display());
}

#[test]
fn manual_is_fresh() {
    compare("../../docs/isa.md", &manual::manual());
}

#[test]
fn encoding_is_frozen() {
    let mut text = String::new();
    for desc in TABLE {
        writeln!(text, "{:#04x} {} words={}", desc.opcode, desc.mnemonic, desc.words()).unwrap();
        for (place, field) in manual::layout(desc) {
            writeln!(text, "  {place} {} x{} {}", field.name, field.count, manual::values(&field.kind))
                .unwrap();
        }
    }
    // Two samples of every row, from generators that follow the field ranges and are independent of other
    // rows.
    for desc in TABLE {
        let mut rng = Rng::new(desc.opcode.into());
        for _ in 0..2 {
            let instr = random_of(&mut rng, desc).expect("ranges are consistent");
            let bytes = encode_one(&instr).expect("encodes");
            let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            writeln!(text, "{instr}\n  {hex}").unwrap();
        }
    }
    compare("tests/golden/isa-v1.txt", &text);
}

#[test]
fn table_is_consistent() {
    for pair in TABLE.windows(2) {
        assert!(pair[0].opcode < pair[1].opcode, "{} and {}", pair[0].mnemonic, pair[1].mnemonic);
    }
    for desc in TABLE {
        assert!(desc.words() <= 255 && desc.fields.len() <= 64, "{}", desc.mnemonic);
        assert!(!desc.doc.trim().is_empty(), "{} has no text", desc.mnemonic);
        let mut names: Vec<&str> = desc.fields.iter().map(|f| f.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), desc.fields.len(), "{}: a field twice", desc.mnemonic);
        for field in desc.fields {
            let at = format!("{}.{}", desc.mnemonic, field.name);
            assert!(field.doc.trim().ends_with('.'), "{at} has no sentence");
            match field.kind {
                dpu_isa::FieldKind::Uint { bits, min, max } => {
                    assert!(0 <= min && min <= max && max >> bits == 0, "{at}")
                }
                dpu_isa::FieldKind::Int { bits, min, max } => {
                    let half = 1i64 << (bits - 1);
                    assert!(-half <= min && min <= max && max < half, "{at}");
                }
                _ => {}
            }
        }
        let neutral = Instr::from_raw(
            desc,
            &desc.fields.iter().flat_map(|f| vec![f.kind.neutral(); f.count]).collect::<Vec<_>>(),
        );
        assert!(neutral.is_ok(), "{}: {neutral:?}", desc.mnemonic);
    }
}
