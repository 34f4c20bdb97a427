//! Which constants are bundled, and into transfers of which size: what gives the fewest cycles by
//! [`Forecast`](crate::Forecast).

use dpu_isa::Machine;

use super::{bundled, check};
use crate::draft::Draft;
use crate::error::PlanError;
use crate::prefetch::{self, Limits, Prefetch};
use crate::strategy::BundleStrategy;

/// Task budget of the trials, all together.
const TRIED_TASKS: usize = 1 << 15;

/// Sizes that are tried: of the largest bundled constant, and of a transfer.
const TRIED: [(u64, u64); 8] = [
    (1 << 18, 1 << 19),
    (1 << 12, 1 << 16),
    (1 << 18, 1 << 15),
    (1 << 16, 1 << 14),
    (1 << 18, 1 << 16),
    (1 << 14, 1 << 15),
    (1 << 10, 1 << 16),
    (1 << 16, 1 << 13),
];

/// No constants are bundled.
const NONE: BundleStrategy = BundleStrategy { constant_bytes: 0, transfer_bytes: 0 };

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
    let mut tried: Vec<(u64, BundleStrategy, Draft)> = Vec::new();
    let rounds = TRIED_TASKS / draft.tasks.len().max(1);
    let sizes: Vec<BundleStrategy> = match told {
        Some(told) => vec![told],
        None => TRIED
            .iter()
            .take(rounds)
            .map(|&(constant_bytes, transfer_bytes)| BundleStrategy { constant_bytes, transfer_bytes })
            .collect(),
    };
    for sizes in sizes {
        let Some(candidate) = bundled(draft, machine, sizes)? else { continue };
        if tried.iter().any(|(_, _, known)| *known == candidate) {
            continue;
        }
        if let Some(cycles) = prefetch::cycles(&candidate, machine, limits)? {
            tried.push((cycles, sizes, candidate));
        }
    }
    tried.sort_by_key(|(cycles, sizes, _)| (*cycles, sizes.constant_bytes, sizes.transfer_bytes));
    let mut best = tried.into_iter().next().map(|(_, sizes, draft)| (sizes, draft));
    let prefetched = match &mut best {
        Some((_, draft)) => prefetch::choose(draft, machine, limits)?,
        None => None,
    };
    let before = draft.clone();
    let plain = match (told, &prefetched) {
        (Some(_), Some(_)) => None,
        _ => prefetch::choose(draft, machine, limits)?,
    };
    match (best, prefetched, plain) {
        (Some((sizes, bundled)), Some(prefetch), plain)
            if plain.as_ref().is_none_or(|plain| prefetch.cycles < plain.cycles) =>
        {
            if cfg!(debug_assertions) {
                check(&before, &bundled)?;
            }
            *draft = bundled;
            Ok(Some((sizes, prefetch)))
        }
        (_, _, plain) => Ok(plain.map(|plain| (NONE, plain))),
    }
}
