//! The extents of windowed operators, one axis at a time.
//!
//! Invariant: TOSA requires the last window to end exactly at the end of the padded input; `strum.conv2d` rounds down and ignores
//! the rest of the input. These functions convert between the two without moving a single tap.

/// A window that slides along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Extent of the input, 1 or more.
    pub input: u64,
    /// Padding before the input.
    pub before: u64,
    /// Padding after the input.
    pub after: u64,
    /// Taps of the kernel, 1 or more.
    pub kernel: u64,
    /// Distance between neighbouring windows, 1 or more.
    pub stride: u64,
    /// Distance between neighbouring taps, 1 or more.
    pub dilation: u64,
}

/// How a window with a remainder is written without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exact {
    /// Keep the first `input` positions of the input and pad `after` behind them.
    Cut {
        /// Remaining extent of the input.
        input: u64,
        /// Padding after it.
        after: u64,
    },
    /// The windows lie entirely in padding: pad `after` behind the input and drop the last window of the result.
    Grow {
        /// Padding after the input.
        after: u64,
    },
}

impl Axis {
    /// The number of windows, rounded down, and the remaining positions.
    #[must_use]
    pub fn windows(&self) -> Option<(u64, u64)> {
        if self.input == 0 || self.kernel == 0 || self.stride == 0 {
            return None;
        }
        let padded = self.input.checked_add(self.before)?.checked_add(self.after)?;
        let taps = (self.kernel - 1).checked_mul(self.dilation)?.checked_add(1)?;
        let span = padded.checked_sub(taps)?;
        Some((span / self.stride + 1, span % self.stride))
    }

    /// The same windows under TOSA's rule.
    #[must_use]
    pub fn exact(&self) -> Option<Exact> {
        let (_, rest) = self.windows()?;
        let from_padding = rest.min(self.after);
        let from_input = rest - from_padding;
        if from_input < self.input {
            return Some(Exact::Cut { input: self.input - from_input, after: self.after - from_padding });
        }
        Some(Exact::Grow { after: self.after.checked_add(self.stride - rest)? })
    }

    /// Whether the same windows result from an input of `whole` positions that was sliced to this axis: then the slice can be
    /// dropped. Padding after the slice would read values instead of zeros.
    #[must_use]
    pub fn floors_from(&self, whole: u64) -> bool {
        whole == self.input
            || whole > self.input
                && self.after == 0
                && self.windows().map(|(n, _)| n) == Axis { input: whole, ..*self }.windows().map(|(n, _)| n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn axis(input: u64, pads: [u64; 2], kernel: u64, stride: u64, dilation: u64) -> Axis {
        Axis { input, before: pads[0], after: pads[1], kernel, stride, dilation }
    }

    #[test]
    fn resnet_shortcut() {
        let cut = axis(15, [0, 0], 1, 2, 1);
        assert_eq!(cut.windows(), Some((8, 0)));
        assert!(cut.floors_from(16));
        assert!(!cut.floors_from(17), "17 has a ninth window");
        assert!(!axis(15, [0, 1], 1, 2, 1).floors_from(16), "the padding would become data");
        assert_eq!(axis(16, [0, 0], 1, 2, 1).exact(), Some(Exact::Cut { input: 15, after: 0 }));
        assert_eq!(axis(16, [0, 1], 2, 2, 1).exact(), Some(Exact::Cut { input: 16, after: 0 }));
    }

    #[test]
    fn windows_in_the_padding_alone() {
        assert_eq!(axis(2, [4, 0], 3, 8, 1).exact(), Some(Exact::Grow { after: 5 }));
        assert_eq!(axis(2, [0, 0], 3, 1, 1).windows(), None);
        assert_eq!(axis(2, [0, 0], 3, 1, 1).exact(), None);
        assert_eq!(axis(u64::MAX, [1, 0], 3, 1, 1).windows(), None);
        assert_eq!(axis(4, [0, 0], 0, 1, 1).windows(), None);
    }

    /// Input positions that every window reads; `None` is padding.
    fn taps(a: &Axis, windows: u64) -> Vec<Option<u64>> {
        let at = |i: u64| i.checked_sub(a.before).filter(|&p| p < a.input);
        (0..windows).flat_map(|o| (0..a.kernel).map(move |k| at(o * a.stride + k * a.dilation))).collect()
    }

    proptest! {
        #[test]
        fn exact_keeps_every_tap(
            input in 1_u64..9, before in 0_u64..6, after in 0_u64..6,
            kernel in 1_u64..5, stride in 1_u64..9, dilation in 1_u64..4,
        ) {
            let a = axis(input, [before, after], kernel, stride, dilation);
            let Some((windows, _)) = a.windows() else { return Ok(()) };
            let (exact, want) = match a.exact().unwrap() {
                Exact::Cut { input, after } => (Axis { input, after, ..a }, windows),
                Exact::Grow { after } => (Axis { after, ..a }, windows + 1),
            };
            prop_assert_eq!(exact.windows(), Some((want, 0)));
            prop_assert!(exact.input >= 1);
            prop_assert_eq!(taps(&exact, windows), taps(&a, windows));
            if matches!(a.exact(), Some(Exact::Cut { after: 0, .. })) && after == 0 {
                prop_assert!(exact.floors_from(input));
            }
        }
    }
}
