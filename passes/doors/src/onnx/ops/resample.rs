//! Resampling along any axis as a product by a constant matrix. Invariant: a row has the weights that ONNX gives to the pixels
//! around a position, with those outside of the image at its edge, or left out if the file says so.

use super::conv::{Layer, MAX_LIST};
use super::resize::{Mode, Rules, Span};
use crate::onnx::trouble::{Outcome, unsupported};
use crate::onnx::value::{Flow, Net};
use crate::tosa::Elem;

/// The positions of an axis on the image, in pixels.
fn positions(span: &Span, coordinates: &str) -> Vec<f64> {
    #[allow(clippy::cast_precision_loss, reason = "extents of images are small")]
    let (extent, places) = (span.extent as f64, span.places as f64);
    let half = |at: f64| (at + 0.5) / span.scale - 0.5;
    let position = |place: usize| {
        #[allow(clippy::cast_precision_loss, reason = "as above")]
        let at = place as f64;
        match coordinates {
            "asymmetric" => at / span.scale,
            "align_corners" | "pytorch_half_pixel" if span.places == 1 => 0.0,
            "align_corners" => at * (extent - 1.0) / (places - 1.0),
            // The part of a position that is left over is divided between both sides.
            "half_pixel_symmetric" => extent / 2.0 * (1.0 - places / (extent * span.scale)) + half(at),
            _ => half(at),
        }
    };
    (0..span.places).map(position).collect()
}

/// The weight of a pixel at a distance from a position.
fn weight(mode: Mode, distance: f64) -> f64 {
    let d = distance.abs();
    match mode {
        Mode::Nearest | Mode::Linear => (1.0 - d).max(0.0),
        Mode::Cubic { a, .. } if d <= 1.0 => ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0,
        Mode::Cubic { a, .. } if d < 2.0 => ((d - 5.0) * d + 8.0) * a * d - 4.0 * a,
        Mode::Cubic { .. } => 0.0,
    }
}

/// The weights of all pixels for one position after the other.
fn matrix(span: &Span, rules: &Rules<'_>) -> Vec<f32> {
    let mut all = vec![0.0; span.places.saturating_mul(span.extent)];
    let excludes = matches!(rules.mode, Mode::Cubic { excludes: true, .. });
    for (row, at) in all.chunks_mut(span.extent.max(1)).zip(positions(span, rules.coordinates)) {
        let first = at.floor() - 1.0;
        for pixel in (0..4).map(|tap| first + f64::from(tap)) {
            #[allow(clippy::cast_precision_loss, reason = "extents of images are small")]
            let last = span.extent as f64 - 1.0;
            if excludes && !(0.0..=last).contains(&pixel) {
                continue;
            }
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "on the image")]
            let place = pixel.clamp(0.0, last) as usize;
            row.get_mut(place).into_iter().for_each(|sum| *sum += weight(rules.mode, pixel - at));
        }
        if excludes {
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|weight| *weight /= sum);
        }
    }
    #[allow(clippy::cast_possible_truncation, reason = "the network is computed in single precision")]
    all.iter().map(|&weight| weight as f32).collect()
}

impl Net {
    /// Floats resampled along each axis of the file by a matrix.
    pub(super) fn resampled_by_matrices(
        &mut self,
        x: Flow,
        spans: &[Span],
        rules: &Rules<'_>,
    ) -> Outcome<Flow> {
        if self.elem(x.id) != Elem::F32 {
            return unsupported("cubic interpolation of codes is not supported");
        }
        let mut made = x;
        for (axis, span) in spans.iter().enumerate().filter(|(_, span)| !span.is_identity()) {
            let Span { extent, places, .. } = *span;
            if places.saturating_mul(extent) > MAX_LIST {
                return unsupported(format!(
                    "resizing {extent} positions to {places} by a matrix of more than {MAX_LIST} numbers"
                ));
            }
            let rank = spans.len();
            let perms: Vec<usize> = (0..rank).filter(|&a| a != axis).chain([axis]).collect();
            let back: Vec<usize> = (0..rank).filter_map(|a| perms.iter().position(|&p| p == a)).collect();
            let moved = self.transpose(&made.into(), &perms)?;
            let moved = self.flow(&moved)?;
            let weights = self.build.floats(&[places, extent], &matrix(span, rules))?;
            let sums = self.connected(&Layer { x: moved, weights, bias: None, zero_points: [0, 0] })?;
            let turned = self.transpose(&sums.into(), &back)?;
            made = self.flow(&turned)?;
        }
        Ok(made)
    }
}
