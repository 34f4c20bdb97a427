//! From INT8 weight codes to packed bytes: choice of the shift, selection, encoding. Output channels are independent and
//! run in parallel; the result does not depend on the number of threads.

use crate::bits::BitWriter;
use crate::methods::{DliqShift, Kind, LowMap};
use crate::select::{self, Keys, Select};
use crate::{Format, PackError, Packed, Shape, packed_bytes, set_bytes};
use rayon::prelude::*;

/// How the shift of `dliq` is found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Shift {
    /// One for the layer, of least total squared error; ties go to the smaller.
    #[default]
    AutoLayer,
    /// One for each output channel, of least squared error in it; ties go to the smaller.
    AutoChannel,
    /// This one for the layer.
    Fixed(u8),
}

/// What a user asks for. Parameters that the method does not have are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Request {
    /// The method.
    pub kind: Kind,
    /// Block length: 4, 8, 16 or 32.
    pub w: u8,
    /// Low members of each block, 0..=w.
    pub low: u8,
    /// `dliq`: bits of a low code, 1..=8.
    pub q: u8,
    /// `mip2q`: largest exponent, 0..=7.
    pub l: u8,
    /// `mip2q`: whether a spare code means 0.
    pub zero: bool,
    /// `dliq`: how the shift is found.
    pub shift: Shift,
    /// Which members become low.
    pub select: Select,
}

impl Request {
    /// The defaults: w = 16, low = 8, q = 4, L = 7, no zero code, one shift a layer, selection by error.
    pub const fn new(kind: Kind) -> Self {
        Self { kind, w: 16, low: 8, q: 4, l: 7, zero: false, shift: Shift::AutoLayer, select: Select::Error }
    }

    /// The format, given where the shift stands.
    fn format(&self, shift: DliqShift) -> Format {
        let method = self.kind.method(self, shift);
        let format = Format { w: self.w, low: self.low, method };
        if format.is_packed() { format } else { Format::DENSE }
    }
}

/// The tables of one shift.
struct Tables {
    map: LowMap,
    keys: Keys,
}

impl Tables {
    fn new(format: Format, shift: u8, select: Select) -> Self {
        let map = LowMap::new(&format.method, shift);
        let keys = Keys::new(&map, select);
        Self { map, keys }
    }

    /// One for every legal shift of the format, indexed by shift.
    fn all(format: Format, select: Select) -> Vec<Self> {
        (0..=format.method.with(|m| m.max_shift())).map(|shift| Self::new(format, shift, select)).collect()
    }

    /// The mask of the block with this number in its output channel.
    fn mask(&self, format: Format, moments: &Moments<'_>, index: usize, block: &[i8]) -> u32 {
        match moments.of_block(index, block.len()) {
            None => select::mask(&self.keys, format.w, block, u32::from(format.low)),
            Some(moments) => select::weighted(&self.map, format.w, block, moments, u32::from(format.low)),
        }
    }

    /// Squared error of one output channel under the selection, weighted where the selection is.
    fn set_error(&self, format: Format, ic: usize, moments: &Moments<'_>, codes: &[i8]) -> f64 {
        // Without weights the terms are whole, and exact in a double for any layer below 2^39 weights.
        let mut total = 0.0;
        for (index, block) in blocks(codes, ic, format).enumerate() {
            let mask = self.mask(format, moments, index, block);
            let of_block = moments.of_block(index, block.len());
            for (i, c) in block.iter().enumerate().filter(|(i, _)| mask >> i & 1 == 0) {
                let moment = of_block.and_then(|moments| moments.get(i)).copied().unwrap_or(1.0);
                total += f64::from(self.map.error[usize::from(c.cast_unsigned())]) * moment;
            }
        }
        total
    }
}

/// The second moments of the input channels, where the selection asks for them.
struct Moments<'a> {
    of: Option<&'a [f64]>,
    w: usize,
    blocks: usize,
}

impl<'a> Moments<'a> {
    fn new(request: &Request, shape: Shape, moments: Option<&'a [f64]>) -> Result<Self, PackError> {
        let w = usize::from(request.w.max(1));
        let blocks = shape.ic.div_ceil(w).max(1);
        if request.select != Select::Activation {
            return Ok(Self { of: None, w, blocks });
        }
        let moments = moments.ok_or(PackError::NoMoments)?;
        expect_count("second moments", shape.ic, moments.len())?;
        match moments.iter().enumerate().find(|(_, m)| !(m.is_finite() && **m >= 0.0)) {
            Some((channel, got)) => Err(PackError::Moment { channel, got: got.to_string() }),
            None => Ok(Self { of: Some(moments), w, blocks }),
        }
    }

    /// Those of the real members of a block, by its number in the output channel.
    fn of_block(&self, index: usize, len: usize) -> Option<&'a [f64]> {
        let start = index % self.blocks * self.w;
        Some(self.of?.get(start..start + len).unwrap_or_default())
    }
}

/// The real members of each block of one output channel, in order.
fn blocks(codes: &[i8], ic: usize, format: Format) -> impl Iterator<Item = &[i8]> {
    codes.chunks(ic.max(1)).flat_map(move |tap| tap.chunks(usize::from(format.w.max(1))))
}

/// Quantizes `codes`, an INT8 tensor `[oc][ky][kx][ic]`, and packs the result.
///
/// # Errors
/// The request is not legal, it selects by activations, or the number of codes is not that of the shape.
pub fn quantize(codes: &[i8], shape: Shape, request: &Request) -> Result<Packed, PackError> {
    quantize_with(codes, shape, request, None)
}

/// As [`quantize`], with what selection by activations needs: of every input channel the second moment of its activations,
/// `E[(x - zero point)²]`, in any unit. Other selections do not look at it.
///
/// # Errors
/// As [`quantize`], or the moments are missing, not one an input channel, negative or not finite.
pub fn quantize_with(
    codes: &[i8],
    shape: Shape,
    request: &Request,
    moments: Option<&[f64]>,
) -> Result<Packed, PackError> {
    let layer = DliqShift::Layer(if let Shift::Fixed(shift) = request.shift { shift } else { 0 });
    let format = request.format(layer);
    format.validate()?;
    expect_count("weight codes", shape.weights()?, codes.len())?;
    if !format.is_packed() {
        return pack_dense(codes, shape);
    }
    let moments = Moments::new(request, shape, moments)?;
    let tables = Tables::all(format, request.select);
    let (format, shifts) = match request.shift {
        // Without a choice there is nothing to search, nor a header to write.
        Shift::Fixed(_) | Shift::AutoLayer if tables.len() == 1 => (format, vec![0; shape.oc]),
        Shift::Fixed(shift) => (format, vec![shift; shape.oc]),
        Shift::AutoLayer => {
            let shift = best_shift(&channel_errors(codes, shape, format, &tables, &moments)?);
            (request.format(DliqShift::Layer(shift)), vec![shift; shape.oc])
        }
        Shift::AutoChannel => {
            let errors = channel_errors(codes, shape, format, &tables, &moments)?;
            let shifts = errors.iter().map(|errors| best_shift(std::slice::from_ref(errors))).collect();
            (request.format(DliqShift::PerChannel), shifts)
        }
    };
    encode(codes, shape, format, &shifts, |_, shift, set, out| {
        if let Some(tables) = tables.get(usize::from(shift)) {
            write_set(out, set, shape.ic, format, &tables.map, |index, block| {
                tables.mask(format, &moments, index, block)
            });
        }
    })
}

/// Packs `codes` with a choice of low members made elsewhere. A low member is stored as the nearest low value.
///
/// `high` says of every weight whether it is high; `shifts` holds one shift an output channel for `dliq` with
/// [`DliqShift::PerChannel`] and is empty otherwise.
///
/// # Errors
/// The format is not legal, a count is wrong, a shift is out of range, or a block does not have the number of low members
/// that the format and the padding rule ask for.
pub fn pack(
    codes: &[i8],
    high: &[bool],
    shape: Shape,
    format: Format,
    shifts: &[u8],
) -> Result<Packed, PackError> {
    format.validate()?;
    let len = shape.weights()?;
    expect_count("weight codes", len, codes.len())?;
    if !format.is_packed() {
        return pack_dense(codes, shape);
    }
    expect_count("mask entries", len, high.len())?;
    let shifts = match format.method.with(|m| m.shift()) {
        DliqShift::Layer(shift) => {
            expect_count("shifts", 0, shifts.len())?;
            vec![shift; shape.oc]
        }
        DliqShift::PerChannel => {
            expect_count("shifts", shape.oc, shifts.len())?;
            check_shifts(format, shifts)?;
            shifts.to_vec()
        }
    };
    let set_len = shape.set_len()?;
    let masks: Vec<Vec<u32>> = high
        .par_chunks(set_len)
        .enumerate()
        .map(|(oc, high)| set_masks(oc, high, shape.ic, format))
        .collect::<Vec<_>>()
        .into_iter()
        .collect::<Result<_, _>>()?;
    let maps: Vec<_> =
        (0..=format.method.with(|m| m.max_shift())).map(|s| LowMap::new(&format.method, s)).collect();
    encode(codes, shape, format, &shifts, |oc, shift, set, out| {
        if let (Some(map), Some(masks)) = (maps.get(usize::from(shift)), masks.get(oc)) {
            write_set(out, set, shape.ic, format, map, |block, _| {
                masks.get(block).copied().unwrap_or_default()
            });
        }
    })
}

/// The masks of one output channel, padding included.
fn set_masks(oc: usize, high: &[bool], ic: usize, format: Format) -> Result<Vec<u32>, PackError> {
    let blocks = high.chunks(ic.max(1)).flat_map(|tap| tap.chunks(usize::from(format.w)));
    let expected = u32::from(format.w - format.low);
    blocks
        .enumerate()
        .map(|(block, high)| {
            let real = high.iter().enumerate().fold(0, |mask, (i, &high)| mask | u32::from(high) << i);
            let mask = real | select::padding_mask(format.w, format.low, high.len());
            match mask.count_ones() {
                got if got == expected => Ok(mask),
                got => Err(PackError::HighCount { oc, block, expected, got }),
            }
        })
        .collect()
}

/// Squared error of every output channel for every shift, weighted where the selection is: `[oc][shift]`.
fn channel_errors(
    codes: &[i8],
    shape: Shape,
    format: Format,
    tables: &[Tables],
    moments: &Moments<'_>,
) -> Result<Vec<Vec<f64>>, PackError> {
    let sets = codes.par_chunks(shape.set_len()?);
    Ok(sets.map(|set| tables.iter().map(|t| t.set_error(format, shape.ic, moments, set)).collect()).collect())
}

/// The shift of least total error over the given channels, the smallest of several.
fn best_shift(errors: &[Vec<f64>]) -> u8 {
    let shifts = errors.first().map_or(0, Vec::len);
    let total = |shift: usize| errors.iter().filter_map(|e| e.get(shift)).sum::<f64>();
    (0..shifts)
        .min_by(|&a, &b| total(a).total_cmp(&total(b)))
        .and_then(|shift| u8::try_from(shift).ok())
        .unwrap_or(0)
}

/// Plain INT8: the codes of each output channel, padded.
fn pack_dense(codes: &[i8], shape: Shape) -> Result<Packed, PackError> {
    encode(codes, shape, Format::DENSE, &vec![0; shape.oc], |_, _, set, out| {
        for (to, from) in out.iter_mut().zip(set) {
            *to = from.cast_unsigned();
        }
    })
}

/// Fills a packed tensor set by set; `write(oc, shift, codes, out)` runs in parallel.
fn encode(
    codes: &[i8],
    shape: Shape,
    format: Format,
    shifts: &[u8],
    write: impl Fn(usize, u8, &[i8], &mut [u8]) + Sync,
) -> Result<Packed, PackError> {
    let mut packed = empty(shape, format, shifts)?;
    let (set, header) = (set_bytes(format, shape)?, format.header_bytes(shape)?);
    let sets = packed.bytes.get_mut(header..).unwrap_or_default().par_chunks_mut(set);
    let channels = codes.par_chunks(shape.set_len()?);
    sets.zip(channels)
        .zip(shifts)
        .enumerate()
        .for_each(|(oc, ((out, codes), &shift))| write(oc, shift, codes, out));
    Ok(packed)
}

/// A packed tensor of zero sets, with its shift header.
fn empty(shape: Shape, format: Format, shifts: &[u8]) -> Result<Packed, PackError> {
    let mut bytes = vec![0; packed_bytes(format, shape)?];
    if format.header_bytes(shape)? > 0 {
        for (to, &shift) in bytes.iter_mut().zip(shifts) {
            *to = shift;
        }
    }
    Ok(Packed { shape, format, bytes })
}

/// Refuses a shift beyond what the code width leaves.
pub(crate) fn check_shifts(format: Format, shifts: &[u8]) -> Result<(), PackError> {
    let max = format.method.with(|m| m.max_shift());
    match shifts.iter().enumerate().find(|&(_, &shift)| shift > max) {
        Some((oc, &got)) => Err(PackError::Shift { oc, max, got }),
        None => Ok(()),
    }
}

pub(crate) fn expect_count(what: &'static str, expected: usize, got: usize) -> Result<(), PackError> {
    if expected == got { Ok(()) } else { Err(PackError::Count { what, expected, got }) }
}

/// Encodes one output channel into zeroed bytes; `mask_of(block, members)` chooses.
fn write_set(
    out: &mut [u8],
    codes: &[i8],
    ic: usize,
    format: Format,
    map: &LowMap,
    mask_of: impl Fn(usize, &[i8]) -> u32,
) {
    let mut writer = BitWriter::new(out);
    let (w, low_bits) = (usize::from(format.w), format.low_bits());
    let (high_count, low_count) = (usize::from(format.w - format.low), usize::from(format.low));
    for (index, block) in blocks(codes, ic, format).enumerate() {
        let mask = mask_of(index, block);
        // Every member is written to both lists and only one index moves on: no branch to mispredict.
        let (mut highs, mut lows, mut h, mut l) = ([0u8; 33], [0u8; 33], 0, 0);
        for i in 0..w {
            let (code, low) = match block.get(i) {
                Some(c) => (c.cast_unsigned(), map.code[usize::from(c.cast_unsigned())]),
                None => (0, 0),
            };
            highs[h] = code;
            lows[l] = low;
            let high = (mask >> i & 1) as usize;
            h += high;
            l += 1 - high;
        }
        writer.push(mask, u32::from(format.w));
        for &code in highs.iter().take(high_count) {
            writer.push(u32::from(code), 8);
        }
        for &code in lows.iter().take(low_count) {
            writer.push(u32::from(code), low_bits);
        }
    }
    writer.finish();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_shift_wins_a_tie() {
        let shape = Shape { oc: 2, kh: 1, kw: 1, ic: 4 };
        let request = Request { w: 4, low: 4, shift: Shift::AutoChannel, ..Request::new(Kind::Dliq) };
        let packed = quantize(&[0, 0, 0, 0, 8, -8, 16, 32], shape, &request).unwrap();
        assert_eq!(packed.shifts().unwrap(), [0, 3]);
        let request = Request { shift: Shift::AutoLayer, ..request };
        let packed = quantize(&[0, 0, 0, 0, 8, -8, 16, 32], shape, &request).unwrap();
        assert_eq!(packed.format.method, crate::Method::Dliq { q: 4, shift: DliqShift::Layer(3) });
    }

    #[test]
    fn methods_without_a_shift_ignore_it() {
        let shape = Shape { oc: 1, kh: 1, kw: 1, ic: 4 };
        for kind in [Kind::Sparse, Kind::Mip2q, Kind::Dense] {
            let plain = Request { w: 4, low: 2, ..Request::new(kind) };
            for shift in [Shift::Fixed(0), Shift::Fixed(2), Shift::AutoChannel] {
                let given = quantize(&[3, -9, 0, 77], shape, &Request { shift, ..plain }).unwrap();
                let unpacked = quantize(&[3, -9, 0, 77], shape, &plain).unwrap().unpack();
                assert_eq!(given.unpack(), unpacked, "{kind} {shift:?}");
            }
        }
    }

    #[test]
    fn bad_input_is_refused() {
        let shape = Shape { oc: 1, kh: 1, kw: 1, ic: 4 };
        let text = |r: Result<Packed, PackError>| r.unwrap_err().to_string();
        assert_eq!(
            text(quantize(&[0; 3], shape, &Request::new(Kind::Dense))),
            "expected 4 weight codes, got 3"
        );
        let request = Request { shift: Shift::Fixed(5), ..Request::new(Kind::Dliq) };
        assert_eq!(text(quantize(&[0; 4], shape, &request)), "shift must be in 0..=4, got 5");
        let request = Request { w: 12, ..Request::new(Kind::Sparse) };
        assert_eq!(text(quantize(&[0; 4], shape, &request)), "block length w must be 4, 8, 16 or 32, got 12");
        let request = Request { low: 17, ..Request::new(Kind::Sparse) };
        assert_eq!(
            text(quantize(&[0; 4], shape, &request)),
            "low must be at most the block length 16, got 17"
        );
        let format = Format { w: 4, low: 2, method: crate::Method::Sparse };
        let high = [true, true, true, false];
        assert_eq!(
            text(pack(&[0; 4], &high, shape, format, &[])),
            "output channel 0, block 0: mask has 3 high members, expected 2"
        );
        assert_eq!(text(pack(&[0; 4], &high, shape, format, &[1])), "expected 0 shifts, got 1");
        let format = Format { method: crate::Method::Dliq { q: 6, shift: DliqShift::PerChannel }, ..format };
        assert_eq!(
            text(pack(&[0; 4], &high, shape, format, &[3])),
            "output channel 0: shift must be at most 2, got 3"
        );
    }
}
