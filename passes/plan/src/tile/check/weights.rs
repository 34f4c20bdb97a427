//! The weights of a variant: the slice of the layer's weights in a tile, proved byte by byte.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use dpu_isa::{ConvInv, ConvVar, WeightEntry};
use strum_formats::{DliqShift, Method, Packed, Shape};

use crate::conv::weights::{Channels, Claim, Source, Strided};
use crate::draft::{BufferId, Draft, Role, Task};
use crate::error::PlanError;
use crate::ppe;

use super::map::{Map, origin};
use super::{Content, Subject, chain, ensure, wrong};

/// Checks weight tiles; every constant chunk once.
pub(super) struct WeightCheck<'a> {
    draft: &'a Draft,
    subject: &'a Subject<'a>,
    checked: BTreeSet<BufferId>,
    /// The decoded constant.
    codes: Option<Vec<i8>>,
}

/// The slice of the weights that a variant uses.
#[derive(Clone, Debug)]
pub(super) struct Tile {
    /// Output channels, input channels and taps.
    pub(super) part: Claim,
    /// The image that the weights belong to, if every image has its own.
    pub(super) image: Option<u64>,
}

impl<'a> WeightCheck<'a> {
    pub(super) fn new(draft: &'a Draft, subject: &'a Subject<'a>) -> Self {
        WeightCheck { draft, subject, checked: BTreeSet::new(), codes: None }
    }

    /// The weights that a variant reads.
    pub(super) fn tile(
        &mut self,
        inv: &ConvInv,
        var: &ConvVar,
        task: &Task,
        content: &BTreeMap<BufferId, Content>,
    ) -> Result<Tile, PlanError> {
        let (source, channels, claims) =
            self.subject.weights.ok_or_else(|| wrong("weights in a layer without"))?;
        let buf = |field: &str| task.buffer(field).ok_or_else(|| wrong(format!("no buffer for {field}")));
        let (weights, table) = (chain(content, buf("weights")?)?, chain(content, buf("table")?)?);
        ensure(inv.depthwise == self.subject.per_channel.is_some(), || {
            "the wrong kind of convolution".to_owned()
        })?;
        let tile = match source {
            Source::Packed(packed) => {
                let entries = u64::from(var.out_c) * 16;
                let chunk = origin(&table, var.table.into()).ok_or_else(|| wrong("a table of nothing"))?;
                let (id, start) = chunk;
                let sets = origin(&weights, var.weights.into());
                let bytes = self.draft.buffer(id)?.bytes;
                let end = origin(&table, u64::from(var.table) + bytes - 1);
                let whole = start == 0 && sets == Some((id, entries)) && end == Some((id, bytes - 1));
                ensure(whole, || "a chunk that is torn apart".to_owned())?;
                let part = claims.get(&id).ok_or_else(|| wrong("weights of unknown content"))?;
                if self.checked.insert(id) {
                    self.chunk(packed, &channels, id, part)?;
                }
                Tile { part: part.clone(), image: None }
            }
            Source::Dynamic(strided) => {
                let (table_id, start) =
                    origin(&table, var.table.into()).ok_or_else(|| wrong("a table of nothing"))?;
                let bytes = u64::from(var.out_c) * 16;
                let end = origin(&table, u64::from(var.table) + bytes - 1);
                let whole = start == 0 && end == Some((table_id, bytes - 1));
                ensure(whole, || "a table that is torn apart".to_owned())?;
                let tile = self.dynamic(&strided, var, &weights, table_id)?;
                self.entries(&channels, table_id, &tile.part.oc, |_| 0)?;
                tile
            }
        };
        let len = |r: &Range<u64>| r.end - r.start;
        let part = &tile.part;
        let depth = match self.subject.per_channel {
            Some(m) => len(&part.oc).div_ceil(m),
            None => len(&part.ic),
        };
        let same = (len(&part.oc), len(&part.ky), len(&part.kx), depth)
            == (var.out_c.into(), var.kernel_h.into(), var.kernel_w.into(), var.in_c.into());
        ensure(same, || format!("a variant of another size than its weights {part:?}"))?;
        Ok(tile)
    }

    /// Checks that the table in a constant matches the layer for channels `oc`. Returns the entries.
    fn entries(
        &self,
        channels: &Channels<'_>,
        id: BufferId,
        oc: &Range<u64>,
        code_shift: impl Fn(u64) -> u8,
    ) -> Result<Vec<WeightEntry>, PlanError> {
        let mut entries = Vec::new();
        for channel in oc.clone() {
            let entry = entry(self.draft, id, channel - oc.start)?;
            let (multiplier, shift) = channels.ppe.scale_of(channel);
            let bias = ppe::of_channel(channels.bias, channel);
            let expected = (multiplier, shift, bias, code_shift(channel));
            ensure((entry.multiplier, entry.shift, entry.bias, entry.code_shift) == expected, || {
                format!("the table entry of channel {channel}")
            })?;
            entries.push(entry);
        }
        Ok(entries)
    }

    /// Checks that a constant chunk, decoded, is its declared slice of the decoded layer.
    fn chunk(
        &mut self,
        packed: &Packed,
        channels: &Channels<'_>,
        id: BufferId,
        part: &Claim,
    ) -> Result<(), PlanError> {
        let bad = |e: strum_formats::PackError| wrong(format!("weights: {e}"));
        let depthwise = self.subject.per_channel.is_some();
        let shifts = packed.shifts().map_err(bad)?;
        let shift = |channel: u64| ppe::of_channel(&shifts, if depthwise { 0 } else { channel });
        let entries = self.entries(channels, id, &part.oc, shift)?;
        let len = |r: &Range<u64>| usize::try_from(r.end - r.start).unwrap_or(usize::MAX);
        let (oc, ic) = if depthwise { (&(0..1), &part.oc) } else { (&part.oc, &part.ic) };
        let shape = Shape { oc: len(oc), kh: len(&part.ky), kw: len(&part.kx), ic: len(ic) };
        let set = strum_formats::set_bytes(packed.format, Shape { oc: 1, ..shape }).map_err(bad)?;
        for (i, entry) in entries.iter().enumerate() {
            let offset = if depthwise { 0 } else { i * set };
            ensure(usize::try_from(entry.weight_offset) == Ok(offset), || format!("the offset of set {i}"))?;
        }
        let mut bytes = match packed.format.method {
            Method::Dliq { shift: DliqShift::PerChannel, .. } => {
                let mut header: Vec<u8> = oc.clone().map(|c| ppe::of_channel(&shifts, c)).collect();
                header.resize(header.len().next_multiple_of(16), 0);
                header
            }
            _ => Vec::new(),
        };
        bytes.extend(constant(self.draft, id)?.get(entries.len() * 16..).unwrap_or_default());
        let got = Packed { shape, format: packed.format, bytes }.unpack().map_err(bad)?;
        let codes = match &mut self.codes {
            Some(codes) => codes,
            none => none.insert(packed.unpack().map_err(bad)?),
        };
        let mut got = got.into_iter();
        let whole = packed.shape;
        for o in oc.clone() {
            for y in part.ky.clone() {
                for x in part.kx.clone() {
                    let row = (o * whole.kh as u64 + y) * whole.kw as u64 + x;
                    let start = usize::try_from(row * whole.ic as u64 + ic.start).unwrap_or(usize::MAX);
                    let want = codes.get(start..).unwrap_or_default().iter().take(len(ic));
                    ensure(want.copied().eq(got.by_ref().take(len(ic))), || {
                        format!("the weights of channel {o}, tap {y} {x}")
                    })?;
                }
            }
        }
        Ok(())
    }

    /// The slice of a DRAM tensor in a slot, every weight traced back to it.
    fn dynamic(
        &self,
        from: &Strided,
        var: &ConvVar,
        chain: &[Map],
        table: BufferId,
    ) -> Result<Tile, PlanError> {
        let depthwise = self.subject.per_channel.is_some();
        let [_, _, _, all_oc] = self.subject.field.output.shape;
        let [images, _, _, all_ic] = self.subject.field.input.shape;
        let [kh, kw] = self.subject.field.geometry.kernel;
        let (oc, ic) = (u64::from(var.out_c), u64::from(var.in_c));
        let (ky, kx) = (u64::from(var.kernel_h), u64::from(var.kernel_w));
        let first = origin(chain, var.weights.into()).filter(|o| o.0 == from.buffer);
        let (_, first) = first.ok_or_else(|| wrong("weights of nothing"))?;
        // The indices of the first weight, by strides from the longest to the shortest.
        let mut dims = [
            (from.image, images, 0u64),
            (from.oc, all_oc, 0),
            (from.ky, kh, 0),
            (from.kx, kw, 0),
            (from.ic, if depthwise { 1 } else { all_ic }, 0),
        ];
        let mut order: Vec<usize> = (0..dims.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(dims.get(i).map_or(0, |d| d.0)));
        let mut rest = first;
        for i in order {
            if let Some((stride, extent, index)) = dims.get_mut(i)
                && *extent > 1
                && *stride > 0
            {
                *index = rest / *stride;
                rest %= *stride;
            }
        }
        ensure(rest == 0, || "weights that start between two".to_owned())?;
        let [(_, _, image), (_, _, oc0), (_, _, ky0), (_, _, kx0), (_, _, ic0)] = dims;
        for o in 0..oc {
            let offset = if depthwise { o } else { entry(self.draft, table, o)?.weight_offset.into() };
            for tap in 0..ky * kx {
                let (y, x) = (tap / kx, tap % kx);
                for i in if depthwise { [0, 0] } else { [0, ic - 1] } {
                    let run = if depthwise { oc } else { ic };
                    let at = u64::from(var.weights) + offset + tap * run + i;
                    let want = first + o * from.oc + y * from.ky + x * from.kx + i * from.ic;
                    ensure(origin(chain, at) == Some((from.buffer, want)), || {
                        format!("the weight of channel {o}, tap {y} {x}, input channel {i}")
                    })?;
                }
            }
        }
        let part = Claim { oc: oc0..oc0 + oc, ky: ky0..ky0 + ky, kx: kx0..kx0 + kx, ic: ic0..ic0 + ic };
        Ok(Tile { part, image: (from.image > 0).then_some(image) })
    }
}

/// Entry `i` of a table at the start of a constant.
fn entry(draft: &Draft, id: BufferId, i: u64) -> Result<WeightEntry, PlanError> {
    let at = usize::try_from(i * 16).unwrap_or(usize::MAX);
    let bytes = constant(draft, id)?.get(at..).and_then(|b| b.first_chunk::<16>());
    let bytes = bytes.ok_or_else(|| wrong("a table that is too short"))?;
    WeightEntry::decode(bytes).map_err(wrong)
}

fn constant(draft: &Draft, id: BufferId) -> Result<&[u8], PlanError> {
    match &draft.buffer(id)?.role {
        Role::Const(bytes) => Ok(bytes),
        _ => Err(wrong("a table that is not constant")),
    }
}
