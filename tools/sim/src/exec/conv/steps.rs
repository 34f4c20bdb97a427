//! Host steps of a convolution, from its fields alone: the same for every kernel, and on the golden path.

use dpu_isa::{ConvInv, ConvVar};

use super::image::Plan;
use crate::kernel::{Kernel, LANES};

/// Multiply-accumulates per step: of all channels, depthwise, and where only the golden path is possible.
const DENSE: u64 = 256;
const DEPTHWISE: u64 = 16;
const PLAIN: u64 = 2;
/// Weights decoded, and bytes of activations laid out, per step.
const WEIGHTS: u64 = 8;
const ACTS: u64 = 8;

/// Steps of locating a row of taps of a pixel.
const ROW: u64 = 8;

/// Steps of a variant, including decoding the weights; saturates.
pub(super) fn of(inv: &ConvInv, var: &ConvVar) -> u64 {
    let product = |factors: &[u64]| factors.iter().fold(1, |n: u64, &f| n.saturating_mul(f));
    let [h, w, in_c, out_c] = [var.out_h, var.out_w, var.in_c, var.out_c].map(u64::from);
    let [kernel_h, kernel_w] = [var.kernel_h, var.kernel_w].map(u64::from);
    let (pixels, taps) = (product(&[h, w]), kernel_h * kernel_w);
    let sets = if inv.depthwise { 1 } else { out_c };
    let depth = if inv.depthwise { out_c } else { in_c };
    let weights = product(&[sets, taps, depth]);
    let macs = if inv.depthwise {
        product(&[pixels, taps, out_c.next_multiple_of(LANES as u64)]) / DEPTHWISE
    } else {
        // Kernels process channels in groups.
        let padded = product(&[pixels, taps, in_c.next_multiple_of(4), out_c.next_multiple_of(LANES as u64)]);
        padded / if Plan::new(Kernel::PORTABLE, inv, var).is_some() { DENSE } else { PLAIN }
    };
    let acts = product(&[u64::from(var.in_h), u64::from(var.in_w), in_c]).min(product(&[pixels, taps, in_c]));
    // Every row of taps of a pixel is located again, and every output is finished.
    let parts = [
        macs,
        weights / WEIGHTS,
        acts / ACTS,
        product(&[pixels, kernel_h + 1, ROW]),
        product(&[pixels, out_c]),
    ];
    parts
        .into_iter()
        .fold(product(&[out_c, 8]).saturating_add(4 * (kernel_h + kernel_w)), u64::saturating_add)
}
