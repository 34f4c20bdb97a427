//! The drivers of strum-opt.

pub mod audit;
pub mod driver;

use std::sync::Once;

use strum_ir::DialectRegistry;

/// Every dialect that the tools know: MLIR's own, `strum` and `dpu`.
pub fn registry() -> DialectRegistry {
    DialectRegistry::new()
}

/// Registers all passes and pipelines, MLIR's own and this project's. May be called often.
pub fn register_all() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        strum_ir::register_mlir_passes();
        strum_passes::register_passes();
    });
}
