//! The note on weights that were packed without having been rounded for their format.
//!
//! Invariant: it is printed at most once by a process.

use std::sync::atomic::{AtomicBool, Ordering};

use strum_cli::{Voice, say};
use strum_files::budget;
use strum_ir::{Module, Operation};
use strum_passes::strum::strum_pack::{PackableLayer, PackingSource, StrumPack, packable, stored};
use strum_quant::Sqnr;

use super::exit::Failure;
use super::remarks::Remarks;

/// Weights whose SQNR is at least this, in dB, are as good as the INT8 ones for most networks.
const GOOD_DB: f64 = 40.0;

static IS_TOLD: AtomicBool = AtomicBool::new(false);

/// No note where results are for programs: with `--json`, or with nothing printed at all.
pub(crate) fn only_for_readers(voice: &Voice) {
    if voice.json || voice.quiet {
        IS_TOLD.store(true, Ordering::Relaxed);
    }
}

/// Prints the note if the stored weights of all layers are too far from the INT8 codes.
pub(crate) fn on_weights(total: &Sqnr, remarks: Remarks) {
    if remarks == Remarks::Silent || total.noise <= 0.0 {
        return;
    }
    let db = 10.0 * (total.signal / total.noise).log10();
    if db < GOOD_DB && !IS_TOLD.swap(true, Ordering::Relaxed) {
        say(format_args!(
            "note: packing changes weights (SQNR {db:.1} dB): with --calibration they are rounded for their format, which \
             loses less accuracy"
        ));
    }
}

/// The weights of a module before they are packed.
pub(crate) struct Before(Vec<PackableLayer>);

impl Before {
    /// Keeps the weights; nothing if none are packed, or the note would not be printed.
    pub(crate) fn of(module: &Module<'_>, pass: &StrumPack, remarks: Remarks) -> Option<Self> {
        let is_packed = pass.choice.kind().is_packed() || pass.layers.packing != PackingSource::None;
        if remarks == Remarks::Silent || !is_packed || IS_TOLD.load(Ordering::Relaxed) {
            return None;
        }
        let layers = packable(function(module)?);
        let bytes = layers.iter().map(|layer| layer.codes.len() as u64).sum();
        budget::check("the weights before packing", bytes).ok()?;
        Some(Before(layers))
    }

    /// Compares them with the packed ones, and prints the note.
    pub(crate) fn compare(&self, module: &Module<'_>, remarks: Remarks) -> Result<(), Failure> {
        let Some(function) = function(module) else { return Ok(()) };
        let after = stored(function).map_err(Failure::internal)?;
        let mut total = Sqnr::default();
        for layer in &self.0 {
            let stored = after.get(&layer.name).map_or(&layer.codes[..], Vec::as_slice);
            total.add_codes(&layer.codes, stored).map_err(Failure::internal)?;
        }
        on_weights(&total, remarks);
        Ok(())
    }
}

fn function<'c>(module: &Module<'c>) -> Option<Operation<'c>> {
    module.body().operations().into_iter().find(|op| op.is("func.func") && op.body().is_some())
}
