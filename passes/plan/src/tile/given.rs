//! A tiling given by a strategy, complete or partial: missing fields are searched, given ones are checked.
//!
//! Invariant: the emitters support every cut that passes [`check`].

use crate::error::PlanError;
use crate::strategy::TilingStrategy;

use super::axis::{Axis, Split};
use super::budget::Budget;
use super::{Problem, Tiling, WINDOW_MAX, candidates};

/// Refuses cuts that do not match the problem.
///
/// # Errors
/// Refused, with the field, its value and the allowed range.
pub(crate) fn check(p: &Problem, told: &TilingStrategy, budget: &Budget) -> Result<(), PlanError> {
    if told.split_weights == Some(true) && !may_split(p, budget) {
        return refuse("split_weights needs weights and two DMA engines".into());
    }
    let rows = [("oy", told.oy, "ky", told.ky, &p.y), ("ox", told.ox, "kx", told.kx, &p.x)];
    for (out, outputs, kernel, taps, axis) in rows {
        let one = axis.stride > WINDOW_MAX || axis.kernel > WINDOW_MAX;
        range(out, outputs, if one { 1 } else { axis.output })?;
        range(kernel, taps, largest_kernel(axis))?;
    }
    range("ic", told.ic, if p.per_channel.is_some() { 1 } else { p.ic })?;
    if let Some(ic) = told.ic.filter(|&ic| ic != p.ic && !ic.is_multiple_of(p.ic_grain)) {
        let all = if p.per_channel.is_some() { 1 } else { p.ic };
        if ic != all {
            return refuse(format!("ic is {ic}: must be a multiple of {} or all {all}", p.ic_grain));
        }
    }
    range("oc", told.oc, p.oc)?;
    let groups = told.oc_groups.unwrap_or(1);
    if groups == 1 {
        let fits = |oc: u64| oc == p.oc || oc.is_multiple_of(p.oc_grain);
        if let Some(oc) = told.oc.filter(|&oc| !fits(oc)) {
            return refuse(format!("oc is {oc}: must be a multiple of {} or all {}", p.oc_grain, p.oc));
        }
    } else if !p.oc_splits.iter().any(|s| s.groups == groups && told.oc.is_none_or(|oc| s.size == oc)) {
        let mut sizes: Vec<String> =
            p.oc_splits.iter().map(|s| format!("{} in {}", s.size, s.groups)).collect();
        sizes.dedup();
        let oc = told.oc.map_or("any oc".to_owned(), |oc| format!("oc {oc}"));
        return refuse(format!("{oc} in oc_groups {groups}: must be one of {}", sizes.join(", ")));
    }
    Ok(())
}

/// Whether both DMA engines can load weights.
pub(crate) fn may_split(p: &Problem, budget: &Budget) -> bool {
    budget.has_two_engines() && p.weights.is_some()
}

fn refuse<T>(what: String) -> Result<T, PlanError> {
    Err(PlanError::refused(what))
}

fn range(name: &str, told: Option<u64>, most: u64) -> Result<(), PlanError> {
    match told.filter(|n| !(1..=most).contains(n)) {
        Some(n) if most == 1 => refuse(format!("{name} is {n}: must be 1")),
        Some(n) => refuse(format!("{name} is {n}: must be 1 to {most}")),
        None => Ok(()),
    }
}

fn largest_kernel(axis: &Axis) -> u64 {
    if axis.dilation > WINDOW_MAX { 1 } else { axis.kernel.min(WINDOW_MAX) }
}

/// Refuses slot counts that the smallest tiling for a cut does not allow.
///
/// # Errors
/// Refused, with the field, its value and the allowed range.
pub(crate) fn check_slots(p: &Problem, told: &TilingStrategy, least: &Tiling) -> Result<(), PlanError> {
    let slots = [
        ("act_slots", told.act_slots, least.act_slots, "the whole input is resident in SRAM"),
        ("weight_slots", told.weight_slots, least.weight_slots, "there are no weights"),
        ("out_slots", told.out_slots, least.out_slots, "the whole output is resident in SRAM"),
    ];
    for (name, told_slots, least_slots, none) in slots {
        match told_slots {
            Some(n) if least_slots == 0 && n > 0 => {
                return refuse(format!("{name} is {n}: must be 0: {none}"));
            }
            // Gathered outputs may need fewer slots than tiles do.
            Some(n) if n < least_slots && !(name == "out_slots" && told.gather != Some(false) && n > 0) => {
                return refuse(format!("{name} is {n}: must be at least {least_slots}"));
            }
            _ => {}
        }
    }
    if told.gather == Some(true) && !candidates::may_gather(p, least, told.order) {
        let why = "needs several tiles of one image per iteration of the outermost loop, and an output that is not resident in SRAM";
        return refuse(format!("gather {why}"));
    }
    Ok(())
}

/// Cuts of an output axis.
pub(crate) fn axis_splits(axis: &Axis, told: Option<u64>) -> Vec<Split> {
    match told {
        Some(size) => vec![Split::new(axis.output, size)],
        None => candidates::axis_splits(axis),
    }
}

/// Cuts of the output channels.
pub(crate) fn oc_splits(p: &Problem, told: &TilingStrategy) -> Vec<Split> {
    match (told.oc, told.oc_groups) {
        (None, None) => p.oc_splits.clone(),
        (None, Some(groups)) => p.oc_splits.iter().copied().filter(|s| s.groups == groups).collect(),
        (Some(size), groups) => {
            let groups = groups.unwrap_or(1);
            vec![Split { groups, total: p.oc / groups.max(1), size }]
        }
    }
}

/// Cuts of the input channels.
pub(crate) fn channel_splits(p: &Problem, told: &TilingStrategy) -> Vec<Split> {
    let mut cuts = candidates::channel_splits(p);
    if let (Some(ic), Some(whole)) = (told.ic, cuts.first().copied()) {
        cuts = vec![Split::new(whole.total, ic)];
    }
    cuts
}

/// Cuts of the kernel.
pub(crate) fn kernel_splits(p: &Problem, told: &TilingStrategy) -> Vec<(Split, Split)> {
    let mut cuts = candidates::kernel_splits(p);
    for (ky, kx) in &mut cuts {
        *ky = told.ky.map_or(*ky, |n| Split::new(p.y.kernel, n));
        *kx = told.kx.map_or(*kx, |n| Split::new(p.x.kernel, n));
    }
    cuts.dedup();
    cuts
}
