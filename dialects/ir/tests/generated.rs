//! Files that are generated and committed: the test compares, `STRUM_BLESS=1` writes.

use std::{fs, path::Path};

#[test]
fn instruction_definitions_are_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mlir-sys/td/dpu/DpuInstrs.td");
    let expected = strum_ir::dpu::ods::instrs();
    if std::env::var_os("STRUM_BLESS").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap();
    assert!(
        found == expected,
        "{} is stale: STRUM_BLESS=1 cargo test -p strum-ir --test generated",
        path.display()
    );
}
