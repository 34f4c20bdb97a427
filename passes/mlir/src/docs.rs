//! Keeps the generated pages under `docs/` in sync with their sources.

/// Compares a page with the file of that name, or writes it if `STRUM_BLESS=1` is set.
///
/// # Panics
/// The file differs from the page, or cannot be written.
pub(crate) fn expect_page(name: &str, page: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if std::env::var_os("STRUM_BLESS").is_some_and(|v| v == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "docs/{name} is stale: run STRUM_BLESS=1 cargo test -p strum-passes");
}
