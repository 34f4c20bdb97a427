//! Depthwise convolution: every output channel reads one input channel.

use super::{Kernel, LANES, Vectorize};

/// A tile's weights, `[tap][channel]` less the zero point, and the offsets of the taps relative to a pixel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Depthwise<'a> {
    pub(crate) taps: &'a [usize],
    pub(crate) weights: &'a [i16],
    /// The initial sum of each channel.
    pub(crate) start: &'a [i32],
}

impl Kernel {
    /// `sums[p][c] = start[c] + Σ activations[pixels[p] + taps[t] + c] · weights[t][c]`, wrapping; activations are signed.
    ///
    /// `sums` has a row per pixel, with one sum per channel, rounded up to whole [`LANES`].
    ///
    /// `None` without computing anything if a pixel reaches beyond the activations.
    #[must_use]
    pub(crate) fn depthwise(
        self,
        activations: &[u8],
        pixels: &[usize],
        layer: Depthwise<'_>,
        sums: &mut [i32],
    ) -> Option<()> {
        let channels = layer.start.len();
        let reach = layer.taps.iter().max()?.checked_add(channels)?;
        let row = channels.next_multiple_of(LANES);
        let fits = pixels.iter().all(|p| p.checked_add(reach).is_some_and(|end| end <= activations.len()))
            && sums.len() == row.checked_mul(pixels.len())?
            && layer.weights.len() == layer.taps.len().checked_mul(channels)?
            && channels > 0;
        if !fits {
            return None;
        }
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            super::Isa::Vnni => {
                // SAFETY: an `Isa::Vnni` is created only by `available`, which has checked the instructions; `fits` has
                // checked that all loads and stores lie within the slices.
                unsafe { super::vnni::depthwise(activations, pixels, layer, sums) };
            }
            _ => {
                for (&pixel, sums) in pixels.iter().zip(sums.chunks_exact_mut(row)) {
                    let activations = activations.get(pixel..)?;
                    self.vectorize(Plain { activations, layer, sums });
                }
            }
        }
        Some(())
    }
}

/// One pixel, in loops that the compiler vectorizes.
struct Plain<'a> {
    activations: &'a [u8],
    layer: Depthwise<'a>,
    sums: &'a mut [i32],
}

impl Plain<'_> {
    /// `N` channels from `first` on.
    #[inline(always)]
    fn channels<const N: usize>(&mut self, first: usize) {
        let Depthwise { taps, weights, start } = self.layer;
        let row = start.len();
        let mut acc = [0i32; N];
        let Some(start) = start.get(first..).and_then(<[i32]>::first_chunk::<N>) else { return };
        acc.copy_from_slice(start);
        for (&tap, weights) in taps.iter().zip(weights.chunks_exact(row)) {
            let x = self.activations.get(tap + first..).and_then(<[u8]>::first_chunk::<N>);
            let w = weights.get(first..).and_then(<[i16]>::first_chunk::<N>);
            let (Some(x), Some(w)) = (x, w) else { return };
            for ((sum, x), w) in acc.iter_mut().zip(x).zip(w) {
                *sum = sum.wrapping_add(i32::from(x.cast_signed()) * i32::from(*w));
            }
        }
        if let Some(sums) = self.sums.get_mut(first..first + N) {
            sums.copy_from_slice(&acc);
        }
    }
}

impl Vectorize for Plain<'_> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let channels = self.layer.start.len();
        let mut first = 0;
        while first + 64 <= channels {
            self.channels::<64>(first);
            first += 64;
        }
        while first + 16 <= channels {
            self.channels::<16>(first);
            first += 16;
        }
        while first < channels {
            self.channels::<1>(first);
            first += 1;
        }
    }
}
