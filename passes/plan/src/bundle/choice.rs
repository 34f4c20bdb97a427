//! Which constants are bundled, and into transfers of which size: what gives the fewest cycles by
//! [`Forecast`](crate::Forecast).

use std::collections::BTreeSet;

use dpu_isa::Machine;

use super::find::contents;
use super::{Bundled, bundled, check};
use crate::draft::Draft;
use crate::error::PlanError;
use crate::prefetch::{self, Limits, Prefetch};
use crate::strategy::BundleStrategy;

/// Task budget of the trials, all together.
const TRIED_TASKS: usize = 1 << 15;

/// Sizes of the largest bundled constant that are tried, in bytes.
const CONSTANTS: [u64; 5] = [1 << 18, 1 << 12, 1 << 14, 1 << 10, 1 << 16];

/// Sizes of a transfer that are tried.
const TRANSFERS: [u64; 7] = [1 << 19, 1 << 15, 1 << 16, 3 << 14, 1 << 14, 1 << 17, 1 << 13];

/// Parts of that size that are tried for the first transfer, which the first layer waits for.
const PARTS: [u64; 4] = [1, 16, 4, 64];

/// No constants are bundled.
const NONE: BundleStrategy = BundleStrategy { constant_bytes: 0, first_bytes: 0, transfer_bytes: 0 };

/// Bundles constants where that pays, or as given, and prefetches what is still loaded; nothing if buffers do not fit, with the
/// draft unchanged.
///
/// # Errors
/// Those of bundling and of prefetching.
pub(crate) fn choose(
    draft: &mut Draft,
    machine: &Machine,
    told: Option<BundleStrategy>,
    limits: &Limits<'_>,
) -> Result<Option<(BundleStrategy, Prefetch)>, PlanError> {
    let mut best: Option<(u64, BundleStrategy, Draft)> = None;
    let mut tried = BTreeSet::new();
    let sizes = match told {
        Some(told) => vec![told],
        // Bundles are loaded ahead, too.
        None if limits.bytes == Some(0) => Vec::new(),
        None => sizes().take(TRIED_TASKS / draft.tasks.len().max(1)).collect(),
    };
    let contents = if sizes.is_empty() { Vec::new() } else { contents(draft)? };
    let mut is_possible = false;
    for sizes in sizes {
        let bundled = bundled(draft, &contents, machine, sizes)?;
        is_possible |= !matches!(bundled, Bundled::Nothing);
        let Bundled::Draft(candidate) = bundled else { continue };
        // Different limits often give the same bundles.
        let added: Vec<u64> = candidate.buffers.iter().skip(draft.buffers.len()).map(|b| b.bytes).collect();
        if tried.insert((candidate.tasks.len(), added))
            && let Some(cycles) = prefetch::cycles(&candidate, machine, limits)?
            && best.as_ref().is_none_or(|(least, ..)| cycles < *least)
        {
            best = Some((cycles, sizes, candidate));
        }
    }
    let Some((_, sizes, mut candidate)) = best else {
        // What was told does not fit, or there is nothing to bundle.
        let is_refused = told.is_some() && is_possible;
        let plain = if is_refused { None } else { prefetch::choose(draft, machine, limits)? };
        return Ok(plain.map(|plain| (told.unwrap_or(NONE), plain)));
    };
    let prefetched = prefetch::choose(&mut candidate, machine, limits)?;
    let before = draft.clone();
    let plain = if told.is_some() { None } else { prefetch::choose(draft, machine, limits)? };
    match (prefetched, plain) {
        (Some(prefetch), plain) if plain.as_ref().is_none_or(|plain| prefetch.cycles < plain.cycles) => {
            if cfg!(debug_assertions) {
                check(&before, &candidate)?;
            }
            *draft = candidate;
            Ok(Some((sizes, prefetch)))
        }
        (_, plain) => Ok(plain.map(|plain| (NONE, plain))),
    }
}

/// The sizes that are tried, the most promising ones first.
fn sizes() -> impl Iterator<Item = BundleStrategy> {
    PARTS.into_iter().flat_map(|part| {
        CONSTANTS.into_iter().flat_map(move |constant_bytes| {
            TRANSFERS.into_iter().map(move |transfer_bytes| BundleStrategy {
                constant_bytes,
                first_bytes: transfer_bytes / part,
                transfer_bytes,
            })
        })
    })
}
