//! Resized images: tiles of results with the part of the image that each is computed from.
//!
//! A tile covers whole rows if they fit the SRAM, otherwise a part of one row, otherwise a part of the channels of one pixel.

use dpu_isa::{ResizeAxis, ResizeMode, VecResize};

use super::grid::GRANULE;
use super::pipeline::{Compute, Pipeline, Transfer};
use super::reduce::{largest, pieces};
use crate::dma::{At, Dim};
use crate::error::{PlanError, narrow};
use crate::movement::Tensor;
use crate::scope::LayerScope;
use crate::strategy::CutStrategy;
use crate::tile::stream::Stream;

/// Scale and offset along one side of an image, as in TOSA `RESIZE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResizeSide {
    /// Numerator of the scale.
    pub scale_n: u16,
    /// Denominator of the scale.
    pub scale_d: u16,
    /// Position of the first result, in `1 / scale_n` of a pixel.
    pub offset: i16,
}

/// An image resized by TOSA `RESIZE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResizeLayer {
    /// The nearest pixel, or weighted sums of four.
    pub mode: ResizeMode,
    /// Down, across.
    pub sides: [ResizeSide; 2],
    /// The images, NHWC: i8, or with the nearest pixel also i16.
    pub input: Tensor,
    /// The results, NHWC, of the type of the images, or i32 for weighted sums.
    pub output: Tensor,
}

/// Maximum tile size as a share of the whole, so that transfers and computation overlap.
const PIECES: u64 = 8;

/// Minimum tile size under that rule.
const MIN_TILE: u64 = 256 * 1024;

/// A layer with its shapes read.
struct Resize<'l> {
    layer: &'l ResizeLayer,
    /// Rows and columns, of the whole image and all results.
    axes: [ResizeAxis; 2],
    images: u64,
    channels: u64,
    /// Whether images and results are in SRAM.
    held: [bool; 2],
}

/// A box of an image: first row, column and channel, and extents.
#[derive(Clone, Copy, Debug)]
struct Part {
    at: [u64; 3],
    extents: [u64; 3],
}

/// Where the parts of an image are: its tensor, or a slot that holds one part.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: At,
    /// Bytes from row to row, from pixel to pixel, and of an element.
    strides: [u64; 3],
}

impl<'l> Resize<'l> {
    fn read(scope: &LayerScope<'_>, layer: &'l ResizeLayer) -> Result<Self, PlanError> {
        let ResizeLayer { input, output, .. } = layer;
        input.check(scope.draft, "the input")?;
        output.check(scope.draft, "the output")?;
        let (&[images, height, width, channels], &[n, rows, columns, c]) =
            (input.shape.as_slice(), output.shape.as_slice())
        else {
            let what =
                format!("{:?} resized to {:?}, neither may be other than NHWC", input.shape, output.shape);
            return Err(PlanError::internal(what));
        };
        if (n, c) != (images, channels) || input.buffer == output.buffer {
            let what = format!("{:?} resized to {:?} in another buffer", input.shape, output.shape);
            return Err(PlanError::internal(what));
        }
        let axis = |name, side: usize, image, out| -> Result<ResizeAxis, PlanError> {
            let ResizeSide { scale_n, scale_d, offset } = layer.sides[side];
            let image = narrow(image, "the extent of an image to resize")?;
            let out = narrow(out, "the extent of a resized image")?;
            let axis = ResizeAxis {
                name,
                mode: layer.mode,
                scale_n,
                scale_d,
                offset,
                image,
                tile: (0, image),
                out: (0, out),
            };
            axis.check().map_err(|error| PlanError::unsupported(error.to_string()))?;
            Ok(axis)
        };
        let axes = [axis("y", 0, height, rows)?, axis("x", 1, width, columns)?];
        let held = [scope.draft.holds(input.buffer)?, scope.draft.holds(output.buffer)?];
        Ok(Resize { layer, axes, images, channels, held })
    }

    /// Extents of the results of an image.
    fn results(&self) -> [u64; 3] {
        let [rows, columns] = self.axes.map(|axis| axis.out.1.into());
        [rows, columns, self.channels]
    }

    /// The first position of the image that results `at..at + extent` need along a side, and how many.
    fn needed(&self, side: usize, at: u64, extent: u64) -> (u64, u64) {
        // Positions of checked results are within the image, whose extents fit 14 bits.
        let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let (low, high) = ResizeAxis { out: (small(at), small(extent)), ..self.axes[side] }.needed();
        let unsigned = |value: i64| u64::try_from(value).unwrap_or(0);
        (unsigned(low), unsigned(high - low + 1))
    }

    /// The part of the image that a part of the results needs.
    fn source(&self, part: &Part) -> Part {
        let [down, across] = [0, 1].map(|side| self.needed(side, part.at[side], part.extents[side]));
        let (at, extents) = ([down.0, across.0, part.at[2]], [down.1, across.1, part.extents[2]]);
        Part { at, extents }
    }

    /// Bytes of a slot for images and results, for tiles of at most `tile` results.
    fn slots(&self, tile: [u64; 3]) -> [u64; 2] {
        let most = |side: usize| {
            let whole = self.results()[side];
            pieces(whole, tile[side]).map(|(at, n)| self.needed(side, at, n).1).max().unwrap_or(0)
        };
        let bytes = |extents: [u64; 3], tensor: &Tensor| {
            let elements = extents.iter().fold(1u64, |n, &d| n.saturating_mul(d));
            elements.saturating_mul(tensor.dtype.bytes()).div_ceil(GRANULE).saturating_mul(GRANULE)
        };
        [bytes([most(0), most(1), tile[2]], &self.layer.input), bytes(tile, &self.layer.output)]
    }

    /// SRAM bytes for two slots of images and results each, without those that are in SRAM anyway.
    fn demand(&self, tile: [u64; 3]) -> u64 {
        let slots = self.slots(tile).into_iter().zip(self.held).filter(|(_, held)| !held);
        slots.fold(0, |sum: u64, (bytes, _)| sum.saturating_add(bytes.saturating_mul(2)))
    }

    fn choose(&self, sram: u64) -> Result<[u64; 3], PlanError> {
        let [rows, columns, channels] = self.results();
        let budget = sram.min((self.demand([rows, columns, channels]) / PIECES).max(MIN_TILE));
        let fits = |tile| self.demand(tile) <= budget;
        if fits([1, columns, channels]) {
            return Ok([largest(rows, |n| fits([n, columns, channels])), columns, channels]);
        }
        if fits([1, 1, channels]) {
            return Ok([1, largest(columns, |n| fits([1, n, channels])), channels]);
        }
        if fits([1, 1, 1]) {
            return Ok([1, 1, largest(channels, |n| fits([1, 1, n]))]);
        }
        Err(PlanError::resource("SRAM bytes for tiles of one element", self.demand([1, 1, 1]), sram))
    }

    /// The given tile size, or else the best one, recorded in the scope.
    fn decide(&self, scope: &mut LayerScope<'_>) -> Result<[u64; 3], PlanError> {
        let (told, sram, over) = (scope.given_cut(), scope.tile_bytes(), self.results());
        told.check_vec()?;
        let tile = match told.tile(&over)?.as_deref() {
            Some(&[rows, columns, channels]) => {
                let tile = [rows, columns, channels];
                CutStrategy::check_bytes(&tile, self.demand(tile), sram)?;
                tile
            }
            _ => self.choose(sram)?,
        };
        scope.decide_cut(CutStrategy::vec(&over, tile.to_vec()));
        Ok(tile)
    }

    fn instruction(&self, source: (Part, Place), result: (Part, Place)) -> Result<VecResize, PlanError> {
        let field = |value: u64| narrow(value, "an extent, stride or offset of a resize");
        let ((from, src), (to, out)) = (source, result);
        let [rows, columns] = self.axes;
        Ok(VecResize {
            mode: self.layer.mode,
            dtype: self.layer.input.dtype,
            src: field(src.at.offset)?,
            in_h: field(from.extents[0])?,
            in_w: field(from.extents[1])?,
            channels: field(from.extents[2])?,
            src_row: field(src.strides[0])?,
            src_pixel: field(src.strides[1])?,
            in_y: field(from.at[0])?,
            in_x: field(from.at[1])?,
            image_h: rows.image,
            image_w: columns.image,
            out: field(out.at.offset)?,
            out_h: field(to.extents[0])?,
            out_w: field(to.extents[1])?,
            out_row: field(out.strides[0])?,
            out_pixel: field(out.strides[1])?,
            out_y: field(to.at[0])?,
            out_x: field(to.at[1])?,
            scale_y_n: rows.scale_n,
            scale_y_d: rows.scale_d,
            offset_y: rows.offset,
            scale_x_n: columns.scale_n,
            scale_x_d: columns.scale_d,
            offset_x: columns.offset,
            ..VecResize::default()
        })
    }
}

impl Place {
    /// A part of image `n` of a tensor. Sizes were checked to fit 64 bits.
    fn of(tensor: &Tensor, n: u64, part: &Part) -> Self {
        let element = tensor.dtype.bytes();
        let extents = |i: usize| tensor.shape.get(i).copied().unwrap_or(1);
        let pixel = extents(3) * element;
        let row = extents(2) * pixel;
        let [y, x, c] = part.at;
        let offset = (n * extents(1) + y) * row + x * pixel + c * element;
        Place { at: At { buffer: tensor.buffer, offset }, strides: [row, pixel, element] }
    }

    /// A part in a slot of its own.
    fn slot(stream: &mut Stream, step: u64, tensor: &Tensor, part: &Part) -> Result<Self, PlanError> {
        let element = tensor.dtype.bytes();
        let pixel = part.extents[2] * element;
        let at = At { buffer: stream.place(step)?.buffer, offset: 0 };
        Ok(Place { at, strides: [part.extents[1] * pixel, pixel, element] })
    }
}

/// The copy of a part.
fn transfer(part: &Part, from: &Place, to: &Place) -> Transfer {
    let strides = from.strides.into_iter().zip(to.strides);
    let dims = part.extents.into_iter().zip(strides).map(|(n, (src, dst))| Dim::new(n, src, dst)).collect();
    let [.., element] = from.strides;
    Transfer { src: from.at, dst: to.at, dims, element }
}

/// Plans the resizing of images.
///
/// # Errors
/// An unsupported error for a scale, an offset or an extent that the instruction set does not have, an internal error if the shapes
/// do not match, a resource error if not even a pixel fits the SRAM or the draft grows too long.
pub fn plan_resize(scope: &mut LayerScope<'_>, layer: &ResizeLayer) -> Result<(), PlanError> {
    let resize = Resize::read(scope, layer)?;
    let tile = resize.decide(scope)?;
    let [source, result] = resize.slots(tile);
    let [in_held, out_held] = resize.held;
    let mut sources = Stream::new(scope.draft, if in_held { 0 } else { 2 }, source)?;
    let mut results = Stream::new(scope.draft, if out_held { 0 } else { 2 }, result)?;
    let mut pipeline = Pipeline::new(scope.machine);
    let mut step = 0;
    let whole = resize.results();
    for n in 0..resize.images {
        for (y, rows) in pieces(whole[0], tile[0]) {
            for (x, columns) in pieces(whole[1], tile[1]) {
                for (c, channels) in pieces(whole[2], tile[2]) {
                    let to = Part { at: [y, x, c], extents: [rows, columns, channels] };
                    let from = resize.source(&to);
                    let (mut src, mut out) =
                        (Place::of(&layer.input, n, &from), Place::of(&layer.output, n, &to));
                    let (mut load, mut store) = (None, None);
                    if !in_held {
                        let slot = Place::slot(&mut sources, step, &layer.input, &from)?;
                        load = Some(transfer(&from, &src, &slot));
                        src = slot;
                    }
                    if !out_held {
                        let slot = Place::slot(&mut results, step, &layer.output, &to)?;
                        store = Some(transfer(&to, &slot, &out));
                        out = slot;
                    }
                    step += 1;
                    let instr = resize.instruction((from, src), (to, out))?.into();
                    let bufs = vec![("src", src.at.buffer), ("out", out.at.buffer)];
                    pipeline.step(scope.draft, load.as_slice(), Compute { instr, bufs, store })?;
                }
            }
        }
    }
    pipeline.flush(scope.draft)
}
