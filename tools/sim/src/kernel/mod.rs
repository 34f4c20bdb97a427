//! The inner loops of the simulator, in the host's SIMD instructions: the only `unsafe` code of the
//! simulator.
//!
//! A [`Kernel`] exists only if the host has its instructions, so that calling it is sound. All kernels compute the same
//! sums, which wrap at 32 bits in any order; they differ only in the layout of weights and activations.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
mod binary;
mod decode;
mod depthwise;
mod panels;
mod portable;
mod scale;
#[cfg(target_arch = "x86_64")]
mod vnni;

use std::fmt;
use std::str::FromStr;

pub(crate) use binary::Binary;
pub(crate) use decode::Blocks;
pub(crate) use depthwise::Depthwise;
pub(crate) use panels::{Activations, PanelMut, Panels, Taps, Weights};
pub(crate) use scale::{Block, Finish, Scales};

/// Output channels in a vector of sums.
pub(crate) const LANES: usize = 16;

/// Choice of inner loops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KernelChoice {
    /// The fastest that the host supports.
    #[default]
    Auto,
    /// AVX-512 with VNNI.
    Vnni,
    /// AVX2.
    Avx2,
    /// The same loops without host-specific instructions.
    Portable,
    /// No kernels at all: every instruction by its plain definition.
    Golden,
}

impl KernelChoice {
    /// All choices, with their names.
    pub const NAMES: [(&'static str, KernelChoice); 5] = [
        ("auto", KernelChoice::Auto),
        ("vnni", KernelChoice::Vnni),
        ("avx2", KernelChoice::Avx2),
        ("scalar", KernelChoice::Portable),
        ("golden", KernelChoice::Golden),
    ];
}

impl fmt::Display for KernelChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = KernelChoice::NAMES.iter().find(|(_, choice)| choice == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

impl FromStr for KernelChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<KernelChoice, String> {
        let found = KernelChoice::NAMES.iter().find(|(name, _)| *name == text);
        found.map(|&(_, choice)| choice).ok_or_else(|| {
            let names = KernelChoice::NAMES.map(|(name, _)| name).join(", ");
            format!("no kernel is called '{text}', expected one of {names}")
        })
    }
}

/// A set of inner loops that the host supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kernel(Isa);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Isa {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Vnni,
}

/// Operand layout of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operands {
    /// Activations and weights as stored, 8 bits each, in groups of 4; zero points are corrected for afterwards.
    Bytes,
    /// Activations and weights less their zero points, 16 bits each, in groups of 2.
    Words,
}

impl Operands {
    /// Values along the reduction that a kernel processes at once.
    pub(crate) fn group(self) -> usize {
        match self {
            Operands::Bytes => 4,
            Operands::Words => 2,
        }
    }
}

/// Work whose loops are worth compiling for the host's widest vectors. `run` must be `#[inline(always)]`.
pub(crate) trait Vectorize {
    type Output;
    fn run(self) -> Self::Output;
}

impl Kernel {
    /// Without host-specific instructions.
    pub(crate) const PORTABLE: Kernel = Kernel(Isa::Portable);

    /// The kernel of a choice; `None` for the golden path.
    ///
    /// # Errors
    /// When the host does not support its instructions.
    pub(crate) fn of(choice: KernelChoice) -> Result<Option<Kernel>, String> {
        let available = Kernel::available();
        let find = |wanted: KernelChoice| {
            let found = available.iter().find(|(choice, _)| *choice == wanted);
            found.map(|&(_, kernel)| Some(kernel)).ok_or_else(|| {
                let names: Vec<_> = available.iter().map(|(choice, _)| choice.to_string()).collect();
                format!("this host cannot run the kernel '{wanted}'; it can run {}", names.join(", "))
            })
        };
        match choice {
            KernelChoice::Golden => Ok(None),
            // The golden path is faster than the portable loops.
            KernelChoice::Auto => {
                Ok(available.first().map(|&(_, kernel)| kernel).filter(|&k| k != Kernel::PORTABLE))
            }
            KernelChoice::Vnni | KernelChoice::Avx2 | KernelChoice::Portable => find(choice),
        }
    }

    /// The kernels that the host supports, fastest first.
    pub(crate) fn available() -> Vec<(KernelChoice, Kernel)> {
        let mut list = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if vnni::available() {
                list.push((KernelChoice::Vnni, Kernel(Isa::Vnni)));
            }
            if avx2::available() {
                list.push((KernelChoice::Avx2, Kernel(Isa::Avx2)));
            }
        }
        list.push((KernelChoice::Portable, Kernel::PORTABLE));
        list
    }

    /// The kernel's operand layout.
    pub(crate) fn operands(self) -> Operands {
        match self.0 {
            Isa::Portable => Operands::Words,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Operands::Words,
            #[cfg(target_arch = "x86_64")]
            Isa::Vnni => Operands::Bytes,
        }
    }

    /// Vectors of output channels in a panel of weights.
    pub(crate) fn panel_vectors(self) -> usize {
        match self.0 {
            Isa::Portable => 1,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => 1,
            #[cfg(target_arch = "x86_64")]
            Isa::Vnni => vnni::VECTORS,
        }
    }

    /// The preferred number of pixels to compute together, for a panel of this many vectors.
    pub(crate) fn block_pixels(self, vectors: usize) -> usize {
        // Sums of some blocks stay in the core's cache until they are stored.
        const BLOCKS: usize = 8;
        BLOCKS * self.register_pixels(vectors)
    }

    /// Maximum pixels whose sums are in registers together.
    fn register_pixels(self, vectors: usize) -> usize {
        match self.0 {
            Isa::Portable => portable::PIXELS,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::PIXELS,
            #[cfg(target_arch = "x86_64")]
            Isa::Vnni => vnni::pixels(vectors),
        }
    }

    /// `sums[p][c] = start[c] + Σ activations[pixels[p] + taps][i] · weights[i][c]`, wrapping.
    ///
    /// `sums` has a row of `LANES · vectors` for each pixel, `start` is one such row, and `panel` is the number of the panel.
    ///
    /// `None` without computing anything if an operand is not of the kernel's kind or a pixel reaches beyond the
    /// activations.
    #[must_use]
    pub(crate) fn block(
        self,
        activations: Activations<'_>,
        pixels: &[usize],
        taps: &Taps,
        weights: &Panels,
        panel: usize,
        sums: &mut [i32],
    ) -> Option<()> {
        let part = weights.panel(panel)?;
        let row = part.start.len();
        let fits = pixels.iter().all(|&pixel| taps.fit(pixel, activations.len()))
            && sums.len() == row * pixels.len()
            && part.steps == taps.steps();
        if !fits {
            return None;
        }
        match (self.0, activations, part.weights) {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: an `Isa::Vnni` is created only by `available`, which has checked the instructions; `fits` has
            // checked that all loads and stores lie within the slices, whose sizes `Panels` and `Taps` keep consistent.
            (Isa::Vnni, Activations::Bytes(x), Weights::Bytes(w)) => unsafe {
                vnni::block((x, false), pixels, taps, w, part.start, sums);
            },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            (Isa::Vnni, Activations::Biased(x), Weights::Bytes(w)) => unsafe {
                vnni::block((x, true), pixels, taps, w, part.start, sums);
            },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above, for `Isa::Avx2`.
            (Isa::Avx2, Activations::Words(x), Weights::Words(w)) => unsafe {
                for (pixels, sums) in pixels.chunks(avx2::PIXELS).zip(sums.chunks_mut(avx2::PIXELS * row)) {
                    avx2::block(x, pixels, taps, w, part.start, sums);
                }
            },
            (Isa::Portable, Activations::Words(x), Weights::Words(w)) => {
                portable::block(x, pixels, taps, w, part.start, sums);
            }
            _ => return None,
        }
        Some(())
    }

    /// Runs work compiled for the kernel's instructions.
    #[inline]
    pub(crate) fn vectorize<V: Vectorize>(self, work: V) -> V::Output {
        match self.0 {
            Isa::Portable => work.run(),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: an `Isa::Avx2` is created only by `available`, which has checked the instructions.
            Isa::Avx2 => unsafe { avx2::vectorize(work) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: an `Isa::Vnni` is created only by `available`, which has checked the instructions.
            Isa::Vnni => unsafe { vnni::vectorize(work) },
        }
    }
}
