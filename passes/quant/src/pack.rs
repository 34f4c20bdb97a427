//! Packing: from INT8 weight codes to bytes, by search of the shift, selection, encoding. Output channels are independent and run
//! in parallel; the result does not depend on the number of threads.

use rayon::prelude::*;
use strum_formats::{
    DliqShift, Format, Kind, LowMap, Method, Packed, Shape, Spec, SpecError, blocks, expect_count, pack_by,
    table,
};

use crate::error::QuantError;
use crate::schema::{SCHEMA, SELECT};
use crate::select::{self, Keys, Select};

/// How the shift of `dliq` is determined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Shift {
    /// One for the layer, with the least total squared error; ties go to the smaller.
    #[default]
    AutoLayer,
    /// One for each output channel, with its least squared error; ties go to the smaller.
    AutoChannel,
    /// This one for the layer.
    Fixed(u8),
}

/// The packing request for a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Request {
    /// Block length: 4, 8, 16 or 32.
    pub w: u8,
    /// Low members of each block, 0..=w.
    pub low: u8,
    /// The method; its shift is overridden by `shift`.
    pub method: Method,
    /// How the shift is determined, for a method that has one.
    pub shift: Shift,
    /// Which members become low.
    pub select: Select,
}

impl Request {
    /// A method with all parameters at their defaults.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        // Defaults are legal (a test checks that), so the other case does not occur.
        let dense =
            Request { w: 16, low: 0, method: Method::Dense, shift: Shift::AutoLayer, select: Select::Error };
        Request::of(&Spec::new(&SCHEMA, kind)).unwrap_or(dense)
    }

    /// The request of a specification.
    ///
    /// # Errors
    /// Its parameters are inconsistent.
    pub fn of(spec: &Spec) -> Result<Self, SpecError> {
        let Format { w, low, method } = spec.format()?;
        let shift = match spec.get(&table::SHIFT) {
            strum_formats::Value::Whole(shift) => Shift::Fixed(shift),
            strum_formats::Value::Word(table::SHIFT_CHANNEL) => Shift::AutoChannel,
            _ => Shift::AutoLayer,
        };
        let select = spec.word(&SELECT).and_then(Select::from_name).unwrap_or_default();
        Ok(Request { w, low, method, shift, select })
    }

    /// The method without its parameters.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.method.kind()
    }

    /// The format for a given shift.
    fn format(&self, shift: DliqShift) -> Format {
        let format = Format { w: self.w, low: self.low, method: self.method.with_shift(shift) };
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
        (0..=format.method.max_shift()).map(|shift| Self::new(format, shift, select)).collect()
    }

    /// The mask of the block with this index in its output channel.
    fn mask(&self, format: Format, moments: &Moments<'_>, index: usize, block: &[i8]) -> u32 {
        match moments.of_block(index, block.len()) {
            None => select::mask(&self.keys, format.w, block, u32::from(format.low)),
            Some(moments) => select::weighted(&self.map, format.w, block, moments, u32::from(format.low)),
        }
    }

    /// Squared error of one output channel under the selection, weighted where the selection is.
    fn set_error(&self, format: Format, ic: usize, moments: &Moments<'_>, codes: &[i8]) -> f64 {
        // Without weights the terms are integers, and exact in a double for any layer below 2^39 weights.
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

/// The second moments of the input channels, if the selection needs them.
struct Moments<'a> {
    of: Option<&'a [f64]>,
    w: usize,
    blocks: usize,
}

impl<'a> Moments<'a> {
    fn new(request: &Request, shape: Shape, moments: Option<&'a [f64]>) -> Result<Self, QuantError> {
        let w = usize::from(request.w.max(1));
        let blocks = shape.ic.div_ceil(w).max(1);
        if request.select != Select::Activation {
            return Ok(Self { of: None, w, blocks });
        }
        let moments = moments.ok_or(QuantError::NoMoments)?;
        expect_count("second moments", shape.ic, moments.len())?;
        match moments.iter().enumerate().find(|(_, m)| !(m.is_finite() && **m >= 0.0)) {
            Some((channel, got)) => Err(QuantError::Moment { channel, got: got.to_string() }),
            None => Ok(Self { of: Some(moments), w, blocks }),
        }
    }

    /// Those of the real members of a block, by its index in the output channel.
    fn of_block(&self, index: usize, len: usize) -> Option<&'a [f64]> {
        let start = index % self.blocks * self.w;
        Some(self.of?.get(start..start + len).unwrap_or_default())
    }
}

/// Packs `codes`, an INT8 tensor `[oc][ky][kx][ic]`.
///
/// # Errors
/// The request is invalid, it selects by activations, or the number of codes does not match the shape.
pub fn pack(codes: &[i8], shape: Shape, request: &Request) -> Result<Packed, QuantError> {
    pack_with(codes, shape, request, None)
}

/// As [`pack`], with the data that selection by activations needs: for every input channel the second moment of its activations,
/// `E[(x - zero point)²]`, in any unit. Other selections ignore it.
///
/// # Errors
/// As [`pack`], or the moments are missing, not one per input channel, negative or not finite.
pub fn pack_with(
    codes: &[i8],
    shape: Shape,
    request: &Request,
    moments: Option<&[f64]>,
) -> Result<Packed, QuantError> {
    let layer = DliqShift::Layer(if let Shift::Fixed(shift) = request.shift { shift } else { 0 });
    let format = request.format(layer);
    format.validate()?;
    expect_count("weight codes", shape.weights()?, codes.len())?;
    if !format.is_packed() {
        return Ok(pack_by(codes, shape, Format::DENSE, &[], |_, _, _| 0)?);
    }
    let moments = Moments::new(request, shape, moments)?;
    let tables = Tables::all(format, request.select);
    let (format, shifts) = match request.shift {
        // A fixed shift needs neither a search nor a header.
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
    Ok(pack_by(codes, shape, format, &shifts, |oc, index, block| {
        let shift = shifts.get(oc).copied().unwrap_or_default();
        let tables = tables.get(usize::from(shift));
        tables.map_or(0, |tables| tables.mask(format, &moments, index, block))
    })?)
}

/// Squared error of every output channel for every shift, weighted where the selection is: `[oc][shift]`.
fn channel_errors(
    codes: &[i8],
    shape: Shape,
    format: Format,
    tables: &[Tables],
    moments: &Moments<'_>,
) -> Result<Vec<Vec<f64>>, QuantError> {
    let sets = codes.par_chunks(shape.set_len()?);
    Ok(sets.map(|set| tables.iter().map(|t| t.set_error(format, shape.ic, moments, set)).collect()).collect())
}

/// The shift with the least total error over the given channels, ties to the smallest.
fn best_shift(errors: &[Vec<f64>]) -> u8 {
    let shifts = errors.first().map_or(0, Vec::len);
    let total = |shift: usize| errors.iter().filter_map(|e| e.get(shift)).sum::<f64>();
    (0..shifts)
        .min_by(|&a, &b| total(a).total_cmp(&total(b)))
        .and_then(|shift| u8::try_from(shift).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_shift_wins_a_tie() {
        let shape = Shape { oc: 2, kh: 1, kw: 1, ic: 4 };
        let request = Request { w: 4, low: 4, shift: Shift::AutoChannel, ..Request::new(Kind::Dliq) };
        let packed = pack(&[0, 0, 0, 0, 8, -8, 16, 32], shape, &request).unwrap();
        assert_eq!(packed.shifts().unwrap(), [0, 3]);
        let request = Request { shift: Shift::AutoLayer, ..request };
        let packed = pack(&[0, 0, 0, 0, 8, -8, 16, 32], shape, &request).unwrap();
        assert_eq!(packed.format.method, Method::Dliq { q: 4, shift: DliqShift::Layer(3) });
    }

    #[test]
    fn methods_without_a_shift_ignore_it() {
        let shape = Shape { oc: 1, kh: 1, kw: 1, ic: 4 };
        for kind in [Kind::Sparse, Kind::Mip2q, Kind::Dense] {
            let plain = Request { w: 4, low: 2, ..Request::new(kind) };
            for shift in [Shift::Fixed(0), Shift::Fixed(2), Shift::AutoChannel] {
                let given = pack(&[3, -9, 0, 77], shape, &Request { shift, ..plain }).unwrap();
                let unpacked = pack(&[3, -9, 0, 77], shape, &plain).unwrap().unpack();
                assert_eq!(given.unpack(), unpacked, "{kind} {shift:?}");
            }
        }
    }

    #[test]
    fn bad_input_is_refused() {
        let shape = Shape { oc: 1, kh: 1, kw: 1, ic: 4 };
        let text = |r: Result<Packed, QuantError>| r.unwrap_err().to_string();
        assert_eq!(text(pack(&[0; 3], shape, &Request::new(Kind::Dense))), "expected 4 weight codes, got 3");
        let request = Request { shift: Shift::Fixed(5), ..Request::new(Kind::Dliq) };
        assert_eq!(text(pack(&[0; 4], shape, &request)), "shift must be in 0..=4, got 5");
        let request = Request { w: 12, ..Request::new(Kind::Sparse) };
        assert_eq!(text(pack(&[0; 4], shape, &request)), "block length w must be 4, 8, 16 or 32, got 12");
        let request = Request { low: 17, ..Request::new(Kind::Sparse) };
        assert_eq!(text(pack(&[0; 4], shape, &request)), "low must be at most the block length 16, got 17");
        let request = Request { select: Select::Activation, ..Request::new(Kind::Sparse) };
        assert_eq!(
            text(pack_with(&[0; 4], shape, &request, None)),
            "select=activation needs the second moment of every input channel, from calibration"
        );
        for (moment, shown) in [(-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
            assert_eq!(
                text(pack_with(&[0; 4], shape, &request, Some(&[0.0, 1.0, moment, 1.0]))),
                format!("input channel 2: second moment must be finite and non-negative, got {shown}")
            );
        }
    }
}
