//! The machine file: documented, frozen to its generator, and refused with the field's name when wrong.

use std::path::Path;

use dpu_isa::Machine;

#[test]
fn builtin_file_is_generated() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("machines/flexnn-16x16.toml");
    let expected = Machine::flexnn_16x16().to_toml();
    if std::env::var_os("STRUM_BLESS").is_some() {
        std::fs::write(&path, &expected).expect("write the machine file");
    }
    let found = std::fs::read_to_string(&path).expect("read the machine file");
    assert!(found == expected, "machines/flexnn-16x16.toml is stale: run with STRUM_BLESS=1");
    assert_eq!(Machine::from_toml(&found), Ok(Machine::flexnn_16x16()));
}
