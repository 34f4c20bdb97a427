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

/// A phase: a convolution with stride 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Phase {
    /// The taps, in the order in which the convolution applies them. Without taps every output is the bias.
    pub(super) taps: Vec<u64>,
    /// The inputs that it reads.
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
    pub(super) fn phase(&self, first: u64) -> Option<Phase> {
        let wide = |n: u64| i128::from(n);
        let stride = wide(self.stride);
        // Outputs count from the one that tap 0 adds to input 0.
        let position = wide(first) - i128::from(self.before);
        let tap = u64::try_from(position.rem_euclid(stride)).ok()?;
        let none = || Some(Phase { taps: Vec::new(), read: Window::default() });
        if tap >= self.kernel {
            return none();
        }
        let count = (self.kernel - tap).div_ceil(self.stride);
        // Input `at` meets the first tap of the phase at the first output, and the last one lies `count - 1` before it.
        let at = position.div_euclid(stride);
        let from = at - wide(count - 1);
        let to = at + wide(self.each());
        let (start, end) = (from.clamp(0, wide(self.input)), to.clamp(0, wide(self.input)));
        if start >= end {
            return none();
        }
        let number = |n: i128| u64::try_from(n).ok();
        let taps = (0..count).rev().map(|j| tap.checked_add(j.checked_mul(self.stride)?));
        let read = Window {
            start: number(start)?,
            size: number(end - start)?,
            pad: [number(start - from)?, number(to - end)?],
        };
        Some(Phase { taps: taps.collect::<Option<_>>()?, read })
    }

    /// All phases in order, each with the number of phases behind it, itself included, that read the same inputs with as many taps.
    pub(super) fn runs(&self) -> Option<Vec<Vec<Phase>>> {
        let mut runs: Vec<Vec<Phase>> = Vec::new();
        for first in 0..self.period() {
            let phase = self.phase(first)?;
            let alike = |run: &Vec<Phase>| {
                run.last().is_some_and(|p| p.taps.len() == phase.taps.len() && p.read == phase.read)
            };
            match runs.last_mut().filter(|run| alike(run)) {
                Some(run) => run.push(phase),
                None => runs.push(vec![phase]),
            }
        }
        Some(runs)
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
        let phases: Vec<Phase> = axis.runs().unwrap().concat();
        assert_eq!(phases.len() as u64, axis.period());
        for (first, phase) in (0..).zip(phases) {
            let Window { start, size, pad: [before, after] } = phase.read;
            let taps = phase.taps.len() as u64;
            if taps == 0 {
                continue;
            }
            assert_eq!(before + size + after + 1 - taps, axis.each(), "outputs of a phase");
            for q in 0..axis.each() {
                for (k, &tap) in (0..).zip(&phase.taps) {
                    let at = (q + k).checked_sub(before).filter(|&at| at < size);
                    let output = first + q * axis.period();
                    if let Some(at) = at.filter(|_| output < axis.output) {
                        assert!(all.insert((output, start + at, tap)), "a product counts once");
                    }
                }
            }
        }
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
        // A kernel as large as the stride: every phase has one tap.
        let axis = Axis { input: 3, kernel: 2, stride: 2, before: 0, output: 6 };
        assert_eq!(axis.runs().unwrap().iter().map(Vec::len).collect::<Vec<_>>(), [2]);
        // Phases without taps are alike wherever they are.
        let axis = Axis { input: 3, kernel: 1, stride: 4, before: 1, output: 10 };
        assert_eq!(axis.runs().unwrap().iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 2]);
        let axis = Axis { input: 1, kernel: 1, stride: 1 << 40, before: i64::MAX, output: 1 };
        assert_eq!(axis.runs().unwrap(), [[Phase { taps: vec![], read: Window::default() }]]);
    }
}
