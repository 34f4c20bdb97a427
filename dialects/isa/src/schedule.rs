//! The schedule of a convolution: what a PE keeps resident, and whether it fits the register files.
//!
//! A schedule decides cycles and energy, never the result. Compiler, validator and simulator read its fields here.

use crate::machine::Machine;
use crate::table::{ConvInv, ConvVar};
use crate::types::Stationary;

/// Bytes per accumulator.
const ACC_BYTES: u64 = 4;

/// A schedule that does not fit the register files of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ScheduleError {
    #[error("a block of {oc} x {oy} x {ox} outputs needs {got} accumulators, a PE has {max}")]
    Accumulators { oc: u64, oy: u64, ox: u64, got: u64, max: u64 },
    #[error(
        "neither {filters} bytes of weights nor {inputs} bytes of activations of a step fit half a register file, \
         {fl_half} and {if_half} bytes"
    )]
    Step { filters: u64, inputs: u64, fl_half: u64, if_half: u64 },
    #[error("weight-stationary: {got} bytes of weights exceed half of the filter register file, {max} bytes")]
    Weights { got: u64, max: u64 },
    #[error(
        "input-stationary: {got} bytes of activations exceed half of the input register file, {max} bytes"
    )]
    Inputs { got: u64, max: u64 },
    #[error("'fold' with 'depthwise', which has one input channel to sum over")]
    Fold,
}

/// The outputs that a PE accumulates at a time; its share of a tile is divided into such blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// Output channels, at least 1.
    pub oc: u64,
    /// Output rows, at least 1.
    pub oy: u64,
    /// Output columns, at least 1.
    pub ox: u64,
}

fn product<const N: usize>(factors: [u64; N]) -> u64 {
    factors.into_iter().fold(1, u64::saturating_mul)
}

/// Outputs that a PE can accumulate at a time: the accumulators that its output register file holds.
#[must_use]
pub fn accumulators(machine: &Machine) -> u64 {
    u64::from(machine.acc_per_pe).min(u64::from(machine.of_rf_bytes) / ACC_BYTES).max(1)
}

/// The outputs of a tile that one PE computes: (channels, rows, columns), the largest share.
#[must_use]
pub fn share(inv: &ConvInv, var: &ConvVar) -> Block {
    let part = |n: u32, by: u16| u64::from(n).div_ceil(u64::from(by.max(1)));
    Block {
        oc: part(var.out_c, inv.sched_oc),
        oy: part(var.out_h, inv.sched_oy),
        ox: part(var.out_w, inv.sched_ox),
    }
}

/// Checks the block fields of an invariant, independently of its tiles.
///
/// # Errors
/// When a block needs more accumulators than a PE has (fields that are 0 count as 1), or a fold has nothing to fold.
pub fn check(inv: &ConvInv, machine: &Machine) -> Result<(), ScheduleError> {
    if inv.fold && inv.depthwise {
        return Err(ScheduleError::Fold);
    }
    let [oc, oy, ox] = [inv.block_oc, inv.block_oy, inv.block_ox].map(|n| u64::from(n.max(1)));
    let (got, max) = (product([oc, oy, ox]), accumulators(machine));
    if got > max {
        return Err(ScheduleError::Accumulators { oc, oy, ox, got, max });
    }
    Ok(())
}

impl Block {
    /// The block of a tile: the invariant's fields, each limited to a PE's share. Fields that are 0 are chosen in the
    /// order channels, columns, rows: as many channels as their weights of a step fit half of the filter register file
    /// (all the weights of the sum, if weights are stationary), then as many columns and rows as accumulators are left
    /// (one, if activations are stationary).
    ///
    /// # Errors
    /// When the operands that the schedule keeps resident do not fit the register files.
    pub fn of(inv: &ConvInv, var: &ConvVar, machine: &Machine) -> Result<Block, ScheduleError> {
        check(inv, machine)?;
        let own = share(inv, var);
        let chosen = Block::choose(inv, var, machine, &own);
        chosen.fits(inv, var, machine)?;
        Ok(chosen)
    }

    fn choose(inv: &ConvInv, var: &ConvVar, machine: &Machine, own: &Block) -> Block {
        let left = |used: u64| accumulators(machine) / used.max(1);
        let given = |field: u16, own: u64| (field != 0).then_some(u64::from(field).min(own.max(1)));
        let [oc, oy, ox] =
            [given(inv.block_oc, own.oc), given(inv.block_oy, own.oy), given(inv.block_ox, own.ox)];
        let stays =
            if inv.stationary == Stationary::Weight { sum_bytes(inv, var) } else { vector(inv, machine) };
        let oc = oc.unwrap_or_else(|| {
            let fitting = u64::from(machine.fl_rf_bytes) / 2 / stays.max(1);
            let positions = product([oy.unwrap_or(1), ox.unwrap_or(1)]);
            fitting.min(left(positions)).clamp(1, own.oc.max(1))
        });
        let most = |used: u64| if inv.stationary == Stationary::Input { 1 } else { left(used) };
        let ox = ox.unwrap_or_else(|| most(product([oc, oy.unwrap_or(1)])).clamp(1, own.ox.max(1)));
        let oy = oy.unwrap_or_else(|| most(product([oc, ox])).clamp(1, own.oy.max(1)));
        Block { oc, oy, ox }
    }

    /// Checks that the stationary operand fits the register files of a PE; the other half of each is being filled. With
    /// stationary sums, one operand of a step must fit: the other one streams by.
    fn fits(&self, inv: &ConvInv, var: &ConvVar, machine: &Machine) -> Result<(), ScheduleError> {
        let (if_half, fl_half) = (u64::from(machine.if_rf_bytes) / 2, u64::from(machine.fl_rf_bytes) / 2);
        match inv.stationary {
            Stationary::Output => {
                let filters = product([self.oc, vector(inv, machine)]);
                let own = if inv.depthwise { self.oc } else { 1 };
                let inputs = product([own, self.oy, self.ox, vector(inv, machine)]);
                if filters > fl_half && inputs > if_half {
                    return Err(ScheduleError::Step { filters, inputs, fl_half, if_half });
                }
            }
            Stationary::Weight => {
                let got = product([self.oc, sum_bytes(inv, var)]);
                if got > fl_half {
                    return Err(ScheduleError::Weights { got, max: fl_half });
                }
            }
            Stationary::Input => {
                let got = self.window_bytes(inv, var);
                if got > if_half {
                    return Err(ScheduleError::Inputs { got, max: if_half });
                }
            }
        }
        Ok(())
    }

    /// Bytes of the activations that a block's outputs need in one PE.
    fn window_bytes(&self, inv: &ConvInv, var: &ConvVar) -> u64 {
        let reach = |n: u64, stride: u16, taps: u16, dilation: u16| {
            let last = product([n.saturating_sub(1), u64::from(stride)]);
            last.saturating_add(product([u64::from(taps.max(1)) - 1, u64::from(dilation)])).saturating_add(1)
        };
        let channels = if inv.depthwise { self.oc } else { depth(inv, var) };
        product([
            reach(self.oy, inv.stride_y, var.kernel_h, inv.dilation_y),
            reach(self.ox, inv.stride_x, var.kernel_w, inv.dilation_x),
            channels,
        ])
    }
}

/// Input channels of one sum in one PE.
fn depth(inv: &ConvInv, var: &ConvVar) -> u64 {
    if inv.depthwise { 1 } else { u64::from(var.in_c).div_ceil(u64::from(inv.sched_ic.max(1))) }
}

/// Bytes of the decoded weights of one output channel in one PE.
fn sum_bytes(inv: &ConvInv, var: &ConvVar) -> u64 {
    product([u64::from(var.kernel_h), u64::from(var.kernel_w), depth(inv, var)])
}

/// Bytes of one operand that a PE reads in a step: one per lane, one in total for depthwise.
fn vector(inv: &ConvInv, machine: &Machine) -> u64 {
    if inv.depthwise { 1 } else { u64::from(machine.lanes.max(1)) }
}
