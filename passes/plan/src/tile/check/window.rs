//! The arithmetic of a pass against the layer: the products that its outputs accumulate.

use std::ops::Range;

use dpu_isa::{ConvInv, ConvVar, PoolInv, PoolMode, PoolVar};

use crate::error::PlanError;
use crate::view::Field;

use super::map::{Chain, Map, origin};
use super::weights::Tile;
use super::{Subject, ensure, wrong};

/// Maximum number of output-tap pairs that are checked exhaustively; of larger tiles, the border and a sample of the inside.
const PAIRS_MAX: u64 = 1 << 15;

/// Rows or columns of a variant, from its fields.
#[derive(Clone, Copy, Debug)]
struct Side {
    origin: i64,
    stride: u64,
    dilation: u64,
    taps: u64,
    input: u64,
    bytes: u64,
}

impl Side {
    /// The row of the tile that tap `k` of output `o` reads, if it is not padding.
    fn local(&self, o: u64, k: u64) -> Option<u64> {
        let at = self.origin.checked_add_unsigned(o * self.stride + k * self.dilation)?;
        u64::try_from(at).ok().filter(|&at| at < self.input)
    }
}

/// Divisors of the averages of a pooling pass, from its fields.
#[derive(Clone, Copy, Debug)]
struct Counted {
    /// First position, positions and bound of the rows and of the columns.
    sides: [(i64, u64, u64); 2],
}

/// One variant that accumulates into a tile of outputs.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    act: Chain,
    act_at: u64,
    in_c: u64,
    sides: [Side; 2],
    /// Output rows, columns and channels.
    out: [u64; 3],
    out_at: u64,
    out_row: u64,
    out_pixel: u64,
    /// Weights; a pooling pass has none.
    tile: Option<Tile>,
    mode: Option<PoolMode>,
    counted: Option<Counted>,
}

impl Pass {
    pub(super) fn conv(inv: &ConvInv, x: &ConvVar, act: Chain, tile: Tile) -> Self {
        let side = |origin: i32, stride: u16, dilation: u16, taps: u16, input: u32, bytes: u32| Side {
            origin: origin.into(),
            stride: stride.into(),
            dilation: dilation.into(),
            taps: taps.into(),
            input: input.into(),
            bytes: bytes.into(),
        };
        Pass {
            act,
            act_at: x.act.into(),
            in_c: x.in_c.into(),
            sides: [
                side(x.origin_y, inv.stride_y, inv.dilation_y, x.kernel_h, x.in_h, x.act_row),
                side(x.origin_x, inv.stride_x, inv.dilation_x, x.kernel_w, x.in_w, x.act_pixel),
            ],
            out: [x.out_h, x.out_w, x.out_c].map(u64::from),
            out_at: x.out.into(),
            out_row: x.out_row.into(),
            out_pixel: x.out_pixel.into(),
            tile: Some(tile),
            mode: None,
            counted: None,
        }
    }

    pub(super) fn pool(inv: &PoolInv, x: &PoolVar, act: Chain) -> Self {
        let side = |origin: i32, stride: u16, taps: u16, input: u32, bytes: u32| Side {
            origin: origin.into(),
            stride: stride.into(),
            dilation: 1,
            taps: taps.into(),
            input: input.into(),
            bytes: bytes.into(),
        };
        let rows = (x.win_y.into(), x.win_h.into(), x.bound_h.into());
        let columns = (x.win_x.into(), x.win_w.into(), x.bound_w.into());
        Pass {
            act,
            act_at: x.act.into(),
            in_c: x.in_c.into(),
            sides: [
                side(x.origin_y, inv.stride_y, x.kernel_h, x.in_h, x.act_row),
                side(x.origin_x, inv.stride_x, x.kernel_w, x.in_w, x.act_pixel),
            ],
            out: [x.out_h, x.out_w, x.in_c].map(u64::from),
            out_at: x.out.into(),
            out_row: x.out_row.into(),
            out_pixel: x.out_pixel.into(),
            tile: None,
            mode: Some(inv.mode),
            counted: (inv.mode == PoolMode::Avg && !x.acc_out).then_some(Counted { sides: [rows, columns] }),
        }
    }

    pub(super) fn is_max(&self) -> bool {
        self.mode == Some(PoolMode::Max)
    }
}

/// An output pixel of the layer.
#[derive(Clone, Copy, Debug)]
struct Pixel {
    image: u64,
    at: [u64; 2],
}

/// Row or column that tap `k` of output `o` reads, if it is not padding, according to the layer.
fn tap(field: &Field, axis: usize, o: u64, k: u64) -> Option<u64> {
    let g = &field.geometry;
    let [top, _, left, _] = g.pad;
    let [_, h, w, _] = field.input.shape;
    let pick = |a: [u64; 2]| a.get(axis).copied();
    let at = (o * pick(g.stride)? + k * pick(g.dilation)?).checked_sub(pick([top, left])?)?;
    (at < pick([h, w])?).then_some(at)
}

/// The outputs stored so far.
pub(super) struct Stored {
    written: Vec<bool>,
}

impl Stored {
    pub(super) fn new(field: &Field) -> Self {
        let elements = field.output.shape.iter().product::<u64>();
        Stored { written: vec![false; usize::try_from(elements).unwrap_or(usize::MAX)] }
    }

    /// Every output must have been stored.
    pub(super) fn finish(&self) -> Result<(), PlanError> {
        let missing = self.written.iter().position(|w| !w);
        ensure(missing.is_none(), || format!("output {missing:?} is never stored"))
    }

    /// Checks the outputs of one store and their inputs.
    pub(super) fn store(
        &mut self,
        subject: &Subject<'_>,
        to: &Map,
        passes: &[Pass],
    ) -> Result<(), PlanError> {
        let last = passes.last().ok_or_else(|| wrong("a store of nothing"))?;
        let [rows, columns, channels] = last.out;
        let field = subject.field;
        let [_, oh, ow, all] = field.output.shape;
        let element = field.output.element;
        let mut first_channel = None;
        let taps: u64 = passes.iter().map(|p| p.sides.iter().map(|s| s.taps).product::<u64>()).sum();
        let step = (rows * columns * taps).div_ceil(PAIRS_MAX);
        for y in 0..rows {
            for x in 0..columns {
                let slot = last.out_at + y * last.out_row + x * last.out_pixel;
                let at = to.source(slot).filter(|at| at % element == 0);
                let at = at.ok_or_else(|| wrong("an output that is not stored"))? / element;
                let end = to.source(slot + (channels - 1) * element);
                ensure(end == Some((at + channels - 1) * element), || {
                    "channels are not together".to_owned()
                })?;
                self.mark(at, channels)?;
                let (pixel, oc) = (at / all, at % all);
                ensure(*first_channel.get_or_insert(oc) == oc && oc + channels <= all, || {
                    "the channels of a tile differ".to_owned()
                })?;
                let pixel = Pixel { image: pixel / ow / oh, at: [pixel / ow % oh, pixel % ow] };
                let border = x == 0 || y == 0 || x + 1 == columns || y + 1 == rows;
                if border || (y * columns + x) % step == 0 {
                    check_pixel(subject, passes, [y, x], &pixel, oc..oc + channels)?;
                }
            }
        }
        Ok(())
    }

    fn mark(&mut self, at: u64, n: u64) -> Result<(), PlanError> {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        let range = self
            .written
            .get_mut(at..at.saturating_add(n))
            .ok_or_else(|| wrong("a store beyond the output"))?;
        ensure(range.iter().all(|w| !w), || format!("output {at} is stored twice"))?;
        range.fill(true);
        Ok(())
    }
}

/// A block of the sum of one output: kernel rows, kernel columns, input channels.
type Block = [Range<u64>; 3];

/// One output pixel gets every product of the layer exactly once.
fn check_pixel(
    subject: &Subject<'_>,
    passes: &[Pass],
    local: [u64; 2],
    pixel: &Pixel,
    oc: Range<u64>,
) -> Result<(), PlanError> {
    let field = subject.field;
    let [kh, kw] = field.geometry.kernel;
    let mut blocks: Vec<Block> = Vec::new();
    for pass in passes {
        // A pass that reads nothing adds nothing, whichever padding taps it covers.
        let Some(block) = block(subject, pass, local, pixel, &oc)? else { continue };
        check_reads(subject, pass, local, pixel, &block)?;
        let apart =
            |other: &Block| block.iter().zip(other).any(|(a, b)| a.end <= b.start || b.end <= a.start);
        ensure(blocks.iter().all(apart), || format!("a product of {pixel:?} is added twice"))?;
        blocks.push(block);
    }
    let inside = |axis: usize, range: Range<u64>| {
        let o = pixel.at.get(axis).copied().unwrap_or(0);
        range.filter(|&k| tap(field, axis, o, k).is_some()).count() as u64
    };
    let [_, _, _, all_ic] = field.input.shape;
    let depth = if subject.per_channel.is_some() { 1 } else { all_ic };
    let expected = inside(0, 0..kh) * inside(1, 0..kw) * depth;
    let got: u64 = blocks
        .iter()
        .map(|[ky, kx, ic]| {
            let depth = if subject.per_channel.is_some() { 1 } else { ic.end - ic.start };
            inside(0, ky.clone()) * inside(1, kx.clone()) * depth
        })
        .sum();
    ensure(got == expected, || format!("{got} of {expected} products of {pixel:?}"))?;
    let count = passes.last().and_then(|p| p.counted.map(|c| c.positions(p, local)));
    let taps = inside(0, 0..kh) * inside(1, 0..kw);
    ensure(count.is_none_or(|n| n == taps), || format!("{pixel:?} is divided by {count:?}, not by {taps}"))
}

impl Counted {
    /// Number of positions that the average of an output is divided by.
    fn positions(&self, pass: &Pass, local: [u64; 2]) -> u64 {
        let side = |((first, taps, bound), (o, side)): (&(i64, u64, u64), (u64, &Side))| {
            let start = first.saturating_add_unsigned(o * side.stride);
            (0..*taps)
                .filter(|&k| u64::try_from(start.saturating_add_unsigned(k)).is_ok_and(|p| p < *bound))
                .count()
        };
        self.sides.iter().zip(local.into_iter().zip(&pass.sides)).map(|s| side(s) as u64).product()
    }
}

/// The block of the sum that a pass adds; `None` if it has no weights and reads only padding.
fn block(
    subject: &Subject<'_>,
    pass: &Pass,
    local: [u64; 2],
    pixel: &Pixel,
    oc: &Range<u64>,
) -> Result<Option<Block>, PlanError> {
    let channels = |m: u64| oc.start / m..oc.end.div_ceil(m);
    if let Some(tile) = &pass.tile {
        let part = &tile.part;
        ensure(part.oc == *oc, || format!("results of channels {oc:?} from weights of {:?}", part.oc))?;
        let own = tile.image.is_none_or(|i| i == pixel.image);
        ensure(own, || format!("the weights of another image than {}", pixel.image))?;
        let ic = subject.per_channel.map_or(part.ic.clone(), channels);
        return Ok(Some([part.ky.clone(), part.kx.clone(), ic]));
    }
    // Without weights the taps follow from any tap that is not padding: dilation is 1.
    let [rows, columns] = [0, 1].map(|axis| first_tap(subject.field, pass, axis, local, pixel));
    let [side_y, side_x] = &pass.sides;
    let (rows, columns) = (rows?, columns?);
    let (Some(rows), Some(columns)) = (rows, columns) else { return Ok(None) };
    Ok(Some([rows..rows + side_y.taps, columns..columns + side_x.taps, channels(1)]))
}

/// The layer's tap that is tap 0 of a pooling pass, on one axis; `None` if all its taps are padding.
fn first_tap(
    field: &Field,
    pass: &Pass,
    axis: usize,
    local: [u64; 2],
    pixel: &Pixel,
) -> Result<Option<u64>, PlanError> {
    let pick = |a: [u64; 2]| a.get(axis).copied().unwrap_or(0);
    let (Some(side), o) = (pass.sides.get(axis), pick(local)) else { return Ok(Some(0)) };
    let kernel = pick(field.geometry.kernel);
    let Some((k, at)) = (0..side.taps).find_map(|k| Some((k, side.local(o, k)?))) else { return Ok(None) };
    // Where rows were merged into columns, only row and column together identify the input pixel.
    let across: u64 = (0..2)
        .filter(|&other| other != axis)
        .filter_map(|other| {
            let (side, o) = (pass.sides.get(other)?, *local.get(other)?);
            let at = (0..side.taps).find_map(|k| side.local(o, k))?;
            Some(at * side.bytes)
        })
        .sum();
    let (_, byte) =
        origin(&pass.act, pass.act_at + at * side.bytes + across).ok_or_else(|| wrong("a row not loaded"))?;
    let [_, h, w, c] = field.input.shape;
    let position = byte / field.input.element / c;
    let position = pick([position / w % h, position % w]);
    (0..kernel)
        .find(|&t| tap(field, axis, pick(pixel.at), t) == Some(position))
        .and_then(|t| t.checked_sub(k))
        .map(Some)
        .ok_or_else(|| wrong("a row that no tap reads"))
}

/// The taps of a pass read the right bytes, and padding where the layer has padding.
fn check_reads(
    subject: &Subject<'_>,
    pass: &Pass,
    local: [u64; 2],
    pixel: &Pixel,
    [kys, kxs, ics]: &Block,
) -> Result<(), PlanError> {
    let field = subject.field;
    let [_, h, w, c] = field.input.shape;
    let element = field.input.element;
    let ([side_y, side_x], [y, x], [at_y, at_x]) = (&pass.sides, local, pixel.at);
    ensure(ics.end - ics.start == pass.in_c, || "another number of input channels".to_owned())?;
    for ky in kys.clone() {
        let row = side_y.local(y, ky - kys.start);
        let true_row = tap(field, 0, at_y, ky);
        for kx in kxs.clone() {
            let read = row.zip(side_x.local(x, kx - kxs.start));
            let want = true_row.zip(tap(field, 1, at_x, kx));
            let (Some((r, q)), Some((iy, ix))) = (read, want) else {
                ensure(read.is_none() && want.is_none(), || {
                    format!("tap {ky} {kx} of {pixel:?} and padding")
                })?;
                continue;
            };
            let at = pass.act_at + r * side_y.bytes + q * side_x.bytes;
            let byte = (((pixel.image * h + iy) * w + ix) * c + ics.start) * element;
            let last = (pass.in_c - 1) * element;
            let right = |offset| origin(&pass.act, at + offset) == Some((field.input.buffer, byte + offset));
            ensure(right(0) && right(last), || format!("tap {ky} {kx} of {pixel:?} reads another pixel"))?;
        }
    }
    Ok(())
}
