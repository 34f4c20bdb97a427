//! The phases of a transposed convolution along one axis.
//!
//! Outputs whose position has the same remainder modulo the stride are reached by the same taps of the kernel, every stride-th one.
//! They are a plain convolution of the input with those taps, in reverse order: a phase.
//! Invariant: every product of an input with a tap that TOSA adds to an output is in exactly one phase, and no other one is.

/// An axis of a transposed convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    /// Extent of the input, 1 or more.
    pub(super) input: u64,
    /// Extent of the kernel, 1 or more.
    pub(super) kernel: u64,
    /// Distance of the outputs of neighbouring inputs, 1 or more.
    pub(super) stride: u64,
    /// Outputs before the one that the first tap adds to the first input; if negative, the number of outputs that are dropped.
    pub(super) before: i64,
    /// Extent of the output, 1 or more.
    pub(super) output: u64,
}

/// Neighbouring phases that read the same inputs with as many taps: convolutions with stride 1.
///
/// Phase `i` of them has the taps `first + i + j * stride` for every `j` below `taps`, and applies that of the largest `j` first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The number of phases.
    pub(super) phases: u64,
    /// The number of taps of each. Without taps every output is the bias.
    pub(super) taps: u64,
    /// The first tap of the first phase.
    pub(super) first: u64,
    /// The inputs that they read.
    pub(super) read: Window,
}

/// Where a phase reads the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    /// The first input.
    pub(super) start: u64,
    /// The number of inputs.
    pub(super) size: u64,
    /// Padding before and after them.
    pub(super) pad: [u64; 2],
}

impl Axis {
    /// The number of phases: outputs at a distance of this many belong together.
    pub(super) fn period(&self) -> u64 {
        self.stride.min(self.output).max(1)
    }

    /// The number of outputs of every phase. Together they may be more than the extent of the output, whose last ones are not used.
    pub(super) fn each(&self) -> u64 {
        self.output.div_ceil(self.period())
    }

    /// The phase of the outputs at `first`, `first + period` and so on; `None` if a number overflows.
    fn phase(&self, first: u64) -> Option<Run> {
        let wide = |n: u64| i128::from(n);
        let number = |n: i128| u64::try_from(n).ok();
        let none = Some(Run { phases: 1, taps: 0, first: 0, read: Window::default() });
        let stride = wide(self.stride);
        // Outputs count from the one that tap 0 adds to input 0.
        let position = wide(first) - i128::from(self.before);
        let tap = number(position.rem_euclid(stride))?;
        if tap >= self.kernel {
            return none;
        }
        let taps = (self.kernel - tap).div_ceil(self.stride);
        // Input `at` meets the first tap of the phase at the first output, and the last one lies `taps - 1` before it.
        let at = position.div_euclid(stride);
        let from = at - wide(taps - 1);
        let to = at + wide(self.each());
        let (start, end) = (from.clamp(0, wide(self.input)), to.clamp(0, wide(self.input)));
        if start >= end {
            return none;
        }
        let pad = [number(start - from)?, number(to - end)?];
        let read = Window { start: number(start)?, size: number(end - start)?, pad };
        Some(Run { phases: 1, taps, first: tap, read })
    }

    /// All phases in order.
    pub(super) fn runs(&self) -> Option<Vec<Run>> {
        let mut runs: Vec<Run> = Vec::new();
        for first in 0..self.period() {
            let phase = self.phase(first)?;
            match runs.last_mut() {
                Some(run) if run.is_followed_by(&phase) => run.phases += 1,
                _ => runs.push(phase),
            }
        }
        Some(runs)
    }
}

impl Run {
    /// Whether a phase continues the run.
    fn is_followed_by(&self, phase: &Run) -> bool {
        let next = self.taps == 0 || self.first.checked_add(self.phases) == Some(phase.first);
        next && self.taps == phase.taps && self.read == phase.read
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Output, input and tap of every product, as the specification has them.
    fn products(axis: &Axis) -> BTreeSet<(u64, u64, u64)> {
        let mut all = BTreeSet::new();
        for input in 0..axis.input {
            for tap in 0..axis.kernel {
                let at = i64::try_from(input * axis.stride + tap).unwrap() + axis.before;
                if let Some(output) = u64::try_from(at).ok().filter(|&at| at < axis.output) {
                    all.insert((output, input, tap));
                }
            }
        }
        all
    }

    fn products_of_phases(axis: &Axis) -> BTreeSet<(u64, u64, u64)> {
        let mut all = BTreeSet::new();
        let mut at_phase = 0;
        for run in axis.runs().unwrap() {
            let Window { start, size, pad: [before, after] } = run.read;
            let outputs =
                (at_phase..at_phase + run.phases).flat_map(|p| (0..axis.each()).map(move |q| (p, q)));
            for (phase, q) in outputs.filter(|_| run.taps > 0) {
                assert_eq!(before + size + after + 1 - run.taps, axis.each(), "outputs of a phase");
                for k in 0..run.taps {
                    let tap = run.first + (phase - at_phase) + (run.taps - 1 - k) * axis.stride;
                    let at = (q + k).checked_sub(before).filter(|&at| at < size);
                    let output = phase + q * axis.period();
                    if let Some(at) = at.filter(|_| output < axis.output) {
                        assert!(all.insert((output, start + at, tap)), "a product counts once");
                    }
                }
            }
            at_phase += run.phases;
        }
        assert_eq!(at_phase, axis.period());
        all
    }

    #[test]
    fn phases_hold_the_products_of_the_specification() {
        for input in 1..5u64 {
            for kernel in 1..6u64 {
                for stride in 1..5u64 {
                    for (before, after) in (-5..5).flat_map(|b| (-5..5).map(move |a| (b, a))) {
                        let whole = i64::try_from((input - 1) * stride + kernel).unwrap() + before + after;
                        let Some(output) = u64::try_from(whole).ok().filter(|&n| n > 0) else { continue };
                        let axis = Axis { input, kernel, stride, before, output };
                        assert_eq!(products_of_phases(&axis), products(&axis), "{axis:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn phases_alike_are_found() {
        let phases = |axis: Axis| axis.runs().unwrap().iter().map(|run| run.phases).collect::<Vec<_>>();
        // A kernel as large as the stride: every phase has one tap.
        assert_eq!(phases(Axis { input: 3, kernel: 2, stride: 2, before: 0, output: 6 }), [2]);
        // Phases without taps are alike wherever they are.
        assert_eq!(phases(Axis { input: 3, kernel: 1, stride: 4, before: 1, output: 10 }), [1, 1, 2]);
        assert_eq!(
            phases(Axis { input: 2, kernel: 8192, stride: 8192, before: -8191, output: 8193 }),
            [1, 8191]
        );
        let far = Axis { input: 1, kernel: 1, stride: 1 << 40, before: i64::MAX, output: 1 };
        assert_eq!(far.runs().unwrap(), [Run { phases: 1, taps: 0, first: 0, read: Window::default() }]);
    }
}
