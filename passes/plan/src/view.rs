//! NHWC tensors as the tile loops see them: images of rows of pixels, channels contiguous.

use std::ops::Range;

use dpu_isa::{Dtype, Space};

use crate::dma::{At, Dim};
use crate::draft::{BufferId, Draft};
use crate::error::{PlanError, mul};
use crate::movement::Tensor;
use crate::tile::EXTENT_MAX;
use crate::tile::axis::{Axis, Window};

/// A tensor of shape `[images][rows][pixels][channels]`, channels contiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// The buffer.
    pub(crate) buffer: BufferId,
    /// Extents.
    pub(crate) shape: [u64; 4],
    /// Bytes of an element.
    pub(crate) element: u64,
    /// Bytes from one image to the next.
    pub(crate) image: u64,
    /// Bytes from one row to the next.
    pub(crate) row: u64,
    /// Bytes from one pixel to the next.
    pub(crate) pixel: u64,
    /// The whole tensor is resident in SRAM: tiles are read and written in place.
    pub(crate) held: bool,
}

impl View {
    /// The view of a contiguous tensor, whose elements are interpreted as `shape`.
    ///
    /// # Errors
    /// An unsupported error if an extent is 0 or beyond [`EXTENT_MAX`]; an internal error if the buffer is smaller than
    /// the shape.
    pub(crate) fn new(
        draft: &Draft,
        tensor: &Tensor,
        shape: [u64; 4],
        what: &str,
    ) -> Result<Self, PlanError> {
        let buffer = tensor.buffer;
        let b = draft.buffer(buffer)?;
        let [n, h, w, c] = shape;
        if let Some(extent) = shape.iter().find(|d| !(1..EXTENT_MAX).contains(*d)) {
            return Err(PlanError::unsupported(format!(
                "{what} has an extent of {extent}: must be 1 to 2^31 - 1"
            )));
        }
        let element = tensor.dtype.bytes();
        let pixel = mul(c, element)?;
        let row = mul(w, pixel)?;
        let image = mul(h, row)?;
        let bytes = mul(n, image)?;
        if b.bytes < bytes {
            return Err(PlanError::internal(format!(
                "{what} takes {bytes} bytes of a buffer in {} of {}",
                b.space, b.bytes
            )));
        }
        Ok(View { buffer, shape, element, image, row, pixel, held: b.space == Space::Sram })
    }

    /// The view of a tensor of rank 4 and one of the given types.
    ///
    /// # Errors
    /// As for [`View::new`], and an unsupported error for another type or rank.
    pub(crate) fn nhwc(
        draft: &Draft,
        tensor: &Tensor,
        types: &[Dtype],
        what: &str,
    ) -> Result<Self, PlanError> {
        check_type(tensor.dtype, types, what)?;
        let shape: [u64; 4] = tensor.shape.as_slice().try_into().map_err(|_| {
            PlanError::unsupported(format!("{what} of rank {}: must be 4 (NHWC)", tensor.shape.len()))
        })?;
        View::new(draft, tensor, shape, what)
    }

    /// Where a tile starts.
    pub(crate) fn at(&self, image: u64, row: u64, pixel: u64, channel: u64) -> At {
        let offset = image * self.image + row * self.row + pixel * self.pixel + channel * self.element;
        At { buffer: self.buffer, offset }
    }

    /// The location of a tile's activations, and the dimensions that copy them into a packed tile.
    pub(crate) fn gather(&self, image: u64, tile: &ActTile, channels: &Range<u64>) -> (At, [Dim; 3]) {
        let ActTile { y, x, rows, columns } = tile;
        let at =
            self.at(image, y.first + rows.start * y.step, x.first + columns.start * x.step, channels.start);
        let run = (channels.end - channels.start) * self.element;
        let dims = [
            Dim::new(rows.len, self.row * y.step, columns.len * run),
            Dim::new(columns.len, self.pixel * x.step, run),
            Dim::new(run, 1, 1),
        ];
        (at, dims)
    }

    /// The location of a tile's activations in a tensor in SRAM.
    pub(crate) fn place(&self, image: u64, tile: &ActTile, channels: &Range<u64>) -> ActPlace {
        let (at, _) = self.gather(image, tile, channels);
        ActPlace { at, row: self.row * tile.y.step, pixel: self.pixel * tile.x.step }
    }

    /// The destination of a tile's outputs, and the dimensions that copy them from a packed tile.
    pub(crate) fn scatter(
        &self,
        image: u64,
        rows: &Range<u64>,
        pixels: &Range<u64>,
        channels: &Range<u64>,
    ) -> (At, [Dim; 3]) {
        let run = (channels.end - channels.start) * self.element;
        let width = pixels.end - pixels.start;
        let dims = [
            Dim::new(rows.end - rows.start, width * run, self.row),
            Dim::new(width, run, self.pixel),
            Dim::new(run, 1, 1),
        ];
        (self.at(image, rows.start, pixels.start, channels.start), dims)
    }
}

/// The activations that a variant reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ActPlace {
    /// The first pixel.
    pub(crate) at: At,
    /// Bytes from a row to the next.
    pub(crate) row: u64,
    /// Bytes from a pixel to the next.
    pub(crate) pixel: u64,
}

impl ActPlace {
    /// A tile of `columns` pixels of `pixel` bytes without gaps.
    pub(crate) fn packed(buffer: BufferId, columns: u64, pixel: u64) -> Self {
        ActPlace { at: At { buffer, offset: 0 }, row: columns * pixel, pixel }
    }
}

/// The activations of a tile: axes and the positions read on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ActTile {
    /// Row axis.
    pub(crate) y: Axis,
    /// Column axis.
    pub(crate) x: Axis,
    /// Positions on the row axis.
    pub(crate) rows: Window,
    /// Positions on the column axis.
    pub(crate) columns: Window,
}

/// A sliding window over a batch of images, with the tensors it reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Images.
    pub(crate) images: u64,
    /// Row axis.
    pub(crate) y: Axis,
    /// Column axis.
    pub(crate) x: Axis,
    /// Input.
    pub(crate) input: View,
    /// Output.
    pub(crate) output: View,
    /// The window as the layer describes it.
    pub(crate) geometry: Geometry,
}

/// Kernel, strides, padding and dilations of a layer, `[y, x]` or `[top, bottom, left, right]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Taps.
    pub(crate) kernel: [u64; 2],
    /// Positions from one output to the next.
    pub(crate) stride: [u64; 2],
    /// Positions of padding.
    pub(crate) pad: [u64; 4],
    /// Positions from one tap to the next.
    pub(crate) dilation: [u64; 2],
}

impl Geometry {
    /// One tap on every position.
    pub(crate) const POINTWISE: Geometry =
        Geometry { kernel: [1; 2], stride: [1; 2], pad: [0; 4], dilation: [1; 2] };
}

impl Field {
    /// The window of a layer, with axes that need no window merged: images into rows, rows into columns.
    ///
    /// # Errors
    /// An unsupported error for a zero or too large parameter, an internal one if the output size does not match.
    pub(crate) fn new(input: View, output: View, g: &Geometry) -> Result<Self, PlanError> {
        let [n, h, w, _] = input.shape;
        let [out_n, out_h, out_w, _] = output.shape;
        if n != out_n {
            return Err(PlanError::internal(format!("{n} input images and {out_n} output images")));
        }
        let [top, bottom, left, right] = g.pad;
        let y = axis("row", h, out_h, g.kernel[0], g.stride[0], g.dilation[0], top, bottom)?;
        let x = axis("column", w, out_w, g.kernel[1], g.stride[1], g.dilation[1], left, right)?;
        let mut field = Field { images: n, y, x, input, output, geometry: *g };
        field.merge();
        Ok(field)
    }

    /// Merges axes whose outputs read exactly their own position.
    fn merge(&mut self) {
        let fits = |a: u64, b: u64| a.checked_mul(b).filter(|&n| n < EXTENT_MAX);
        if self.y.is_pointwise()
            && let Some(rows) = fits(self.images, self.y.output)
        {
            self.images = 1;
            self.y = Axis::new(rows, rows, 1, 1, 1, 0);
        }
        if self.y.is_pointwise()
            && self.x.is_pointwise()
            && let Some(pixels) = fits(self.y.output, self.x.output)
        {
            self.y = Axis::new(1, 1, 1, 1, 1, 0);
            self.x = Axis::new(pixels, pixels, 1, 1, 1, 0);
        }
    }
}

/// One axis, checked.
#[allow(clippy::too_many_arguments, reason = "the parameters of a sliding window")]
fn axis(
    what: &str,
    input: u64,
    output: u64,
    kernel: u64,
    stride: u64,
    dilation: u64,
    before: u64,
    after: u64,
) -> Result<Axis, PlanError> {
    for (name, value, least) in [
        ("kernel", kernel, 1),
        ("stride", stride, 1),
        ("dilation", dilation, 1),
        ("padding", before, 0),
        ("padding", after, 0),
    ] {
        if !(least..EXTENT_MAX).contains(&value) {
            return Err(PlanError::unsupported(format!(
                "{what} {name} of {value}: must be {least} to 2^31 - 1"
            )));
        }
    }
    let reach = (kernel - 1) * dilation + 1;
    let expected = (input + before + after).checked_sub(reach).map(|room| room / stride + 1);
    if expected != Some(output) {
        let expected = expected.map_or("none".to_owned(), |n| n.to_string());
        return Err(PlanError::internal(format!(
            "{output} output {what}s from {input} with kernel {kernel}, stride {stride}, dilation {dilation}, padding \
             {before} and {after}: must be {expected}"
        )));
    }
    Ok(Axis::new(input, output, kernel, stride, dilation, before))
}

/// Whether `dtype` is one of `types`.
///
/// # Errors
/// An unsupported error if not.
pub(crate) fn check_type(dtype: Dtype, types: &[Dtype], what: &str) -> Result<(), PlanError> {
    if types.contains(&dtype) {
        return Ok(());
    }
    let names: Vec<_> = types.iter().map(|t| t.name()).collect();
    Err(PlanError::unsupported(format!("{what} of type {dtype}: must be {}", names.join(" or "))))
}
