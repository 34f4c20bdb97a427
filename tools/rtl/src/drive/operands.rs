//! From the vectors of a trace to what a design takes: entries of the register files, and the operands of each step.

use dpu_isa::PeKind;
use dpu_trace::{Conv, Vector};
use strum_formats::{DliqShift, Format, InstrFields, Method, decode_table};

use super::bits::Bits;
use super::error::DriveError;
use crate::layout::{Layout, PlacedCode};
use crate::spec::{Decode, Spec};

/// What a PE multiplies in one step, at its lanes: those of high members first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// Activations less their zero point.
    pub(crate) acts: Vec<i64>,
    /// 8-bit weights of the lanes of high members.
    pub(crate) high: Vec<i64>,
    /// Codes of the lanes of low members; in a plain step of a dynamic PE 8-bit weights.
    pub(crate) low: Vec<i64>,
    /// What the lanes multiply by.
    pub(crate) weights: Vec<i64>,
}

impl Step {
    pub(crate) fn sum(&self) -> i64 {
        self.acts.iter().zip(&self.weights).map(|(a, w)| a * w).sum()
    }
}

/// An entry of each register file, with the steps that it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Activations as stored.
    pub(crate) acts: Vec<i16>,
    /// Weights as the filter register file's write port takes them.
    pub(crate) word: Bits,
    /// Whether low lanes have low members (dynamic PEs).
    pub(crate) packed: bool,
    /// Left shift of low products.
    pub(crate) shift: u8,
    /// The steps in order.
    pub(crate) steps: Vec<Step>,
}

/// The format of a trace; `None` with plain weights.
pub(crate) fn format_of(conv: &Conv) -> Option<Format> {
    let fields = InstrFields {
        method: conv.method as usize,
        block: conv.block,
        low: conv.low,
        param: conv.param,
        zero: conv.zero,
    };
    Format::from_instr_fields(fields, 0).filter(Format::is_packed)
}

/// Whether two formats read the same bits alike; where `dliq` keeps its shift does not matter.
pub(crate) fn same_format(a: &Format, b: &Format) -> bool {
    let plain = |format: &Format| match format.method {
        Method::Dliq { q, .. } => {
            Format { method: Method::Dliq { q, shift: DliqShift::Layer(0) }, ..*format }
        }
        _ => *format,
    };
    plain(a) == plain(b)
}

/// The entries of a vector.
pub(crate) fn entries(
    spec: &Spec,
    conv: &Conv,
    vector: &Vector,
    index: usize,
) -> Result<Vec<Entry>, DriveError> {
    let format = format_of(conv);
    let split = Split { spec, zero_point: conv.in_zp, shift: vector.code_shift, index };
    match (spec.packed(), format) {
        (false, None) => split.dense(&vector.acts, &plain_weights(&vector.word)),
        (false, Some(format)) => {
            let blocks = split.blocks(&format, &vector.word)?;
            let weights: Vec<i64> = blocks.iter().flat_map(|block| block.weights.iter().copied()).collect();
            split.dense(&vector.acts, &weights)
        }
        (true, None) => split.plain(&vector.acts, &plain_weights(&vector.word)),
        (true, Some(format)) => {
            let blocks = split.blocks(&format, &vector.word)?;
            Ok(vec![split.packed(&vector.acts, &blocks)?])
        }
    }
}

fn plain_weights(word: &[u8]) -> Vec<i64> {
    word.iter().map(|&byte| i64::from(byte.cast_signed())).collect()
}

/// A block of a packed vector.
struct Block {
    mask: u64,
    /// Codes of the high members in ascending order.
    high: Vec<i64>,
    /// Codes of the low members.
    low: Vec<i64>,
    /// Decoded weights of all members.
    weights: Vec<i64>,
}

impl Block {
    /// The members that are high, or those that are low, in ascending order.
    fn members(&self, high: bool) -> impl Iterator<Item = usize> + '_ {
        (0..self.weights.len()).filter(move |i| (self.mask >> i & 1 == 1) == high)
    }
}

/// Splits one vector.
struct Split<'a> {
    spec: &'a Spec,
    zero_point: i16,
    shift: u8,
    index: usize,
}

impl Split<'_> {
    fn act(&self, act: i16) -> Result<i64, DriveError> {
        let (zero_point, bits) = (self.zero_point, self.spec.activation_bits);
        let value = i64::from(act) - i64::from(zero_point);
        let half = 1i64 << (bits - 1);
        if (-half..half).contains(&value) {
            Ok(value)
        } else {
            Err(DriveError::Activation { vector: self.index, act, zero_point, bits })
        }
    }

    fn acts<'b>(&self, acts: impl IntoIterator<Item = &'b i16>) -> Result<Vec<i64>, DriveError> {
        acts.into_iter().map(|&act| self.act(act)).collect()
    }

    /// The blocks of a packed word.
    fn blocks(&self, format: &Format, word: &[u8]) -> Result<Vec<Block>, DriveError> {
        let (w, low) = (usize::from(format.w), usize::from(format.low));
        let bits = Bits::of_bytes(word, 8 * word.len());
        let fault = |reason: String| DriveError::Word { vector: self.index, reason };
        let values = decode_table(&format.method, self.shift);
        let code_bits = format.low_bits();
        let count = (8 * word.len()) / format.block_bits().max(1);
        let mut blocks = Vec::new();
        for b in 0..count {
            let mut at = b * format.block_bits();
            let mut take = |width: u32| {
                at += width as usize;
                bits.get(at - width as usize, width)
            };
            let mask = match format.mask_bits() {
                // Known where all members are alike.
                0 if low == 0 => (1u64 << w) - 1,
                0 => 0,
                stored => take(stored),
            };
            if mask.count_ones() as usize != w - low {
                return Err(fault(format!(
                    "mask {mask:#x} has {} high members, expected {}",
                    mask.count_ones(),
                    w - low
                )));
            }
            let high: Vec<i64> = (0..w - low).map(|_| i64::from((take(8) as u8).cast_signed())).collect();
            let low: Vec<i64> = (0..low).map(|_| take(code_bits) as i64).collect();
            let mut block = Block { mask, high, low, weights: vec![0; w] };
            let highs: Vec<usize> = block.members(true).collect();
            let lows: Vec<usize> = block.members(false).collect();
            for (i, code) in highs.into_iter().zip(block.high.clone()) {
                if let Some(to) = block.weights.get_mut(i) {
                    *to = code;
                }
            }
            for (i, code) in lows.into_iter().zip(block.low.clone()) {
                let value = values.get(code as usize).copied().flatten();
                let value = value.ok_or_else(|| fault(format!("low code {code:#x} is reserved")))?;
                if let Some(to) = block.weights.get_mut(i) {
                    *to = value.into();
                }
            }
            blocks.push(block);
        }
        Ok(blocks)
    }

    /// A dense PE: as many weights a step as lanes.
    fn dense(&self, acts: &[i16], weights: &[i64]) -> Result<Vec<Entry>, DriveError> {
        let lanes = self.spec.lanes as usize;
        acts.chunks(lanes)
            .zip(weights.chunks(lanes))
            .map(|(acts, weights)| {
                let mut word = Bits::default();
                weights.iter().for_each(|&w| word.push(8, w as u64));
                let step = Step {
                    acts: self.acts(acts)?,
                    high: weights.to_vec(),
                    low: Vec::new(),
                    weights: weights.to_vec(),
                };
                Ok(Entry { acts: acts.to_vec(), word, packed: false, shift: 0, steps: vec![step] })
            })
            .collect()
    }

    /// Plain weights on a StruM PE: masks that put them at its multipliers in order.
    fn plain(&self, acts: &[i16], weights: &[i64]) -> Result<Vec<Entry>, DriveError> {
        let layout = self.layout();
        let (high, members) = (layout.high as usize, layout.members as usize);
        let dynamic = self.spec.kind == PeKind::StrumDynamic;
        let low_lanes =
            if dynamic { self.spec.low_lanes() as usize / layout.blocks.max(1) as usize } else { 0 };
        // In a dynamic PE the high lanes of one step, in a static PE the high members of a block.
        let highs =
            if dynamic { self.spec.high_lanes() as usize / layout.blocks.max(1) as usize } else { high };
        let room = layout.blocks as usize * (highs + low_lanes);
        let mut list = Vec::new();
        for (acts, weights) in acts.chunks(room).zip(weights.chunks(room)) {
            let mut entry = self.empty(&layout);
            let mut at_lanes: [Vec<(i64, i64)>; 2] = [Vec::new(), Vec::new()];
            for block in 0..layout.blocks as usize {
                let mask = (1u64 << highs) - 1;
                entry.word.set(layout.selector(block as u32) as usize, layout.members, mask);
                for k in 0..highs + low_lanes {
                    let from = block * (highs + low_lanes) + k;
                    let (act, weight) = (acts.get(from).copied(), weights.get(from).copied().unwrap_or(0));
                    if let (Some(act), Some(to)) = (act, entry.acts.get_mut(block * members + k)) {
                        *to = act;
                    }
                    let value = act.map_or(Ok(0), |act| self.act(act))?;
                    let at = if k < highs {
                        layout.high_code(block as u32, k as u32)
                    } else {
                        layout.plain_low + 8 * (block * low_lanes + k - highs) as u32
                    };
                    entry.word.set(at as usize, 8, weight as u64);
                    if let Some(side) = at_lanes.get_mut(usize::from(k >= highs)) {
                        side.push((value, weight));
                    }
                }
            }
            entry.steps = match layout.placed {
                Some(placed) => vec![self.placed_step(&entry, &layout, placed)?],
                None => self.plain_steps(&at_lanes, dynamic),
            };
            list.push(entry);
        }
        Ok(list)
    }

    /// The steps of a plain entry: one in a dynamic PE, several in a static one, whose low lanes then idle.
    fn plain_steps(&self, [high, low]: &[Vec<(i64, i64)>; 2], dynamic: bool) -> Vec<Step> {
        let idle = if dynamic { 0 } else { self.spec.low_lanes() as usize };
        let steps = high.chunks(self.spec.high_lanes() as usize);
        steps
            .map(|high| {
                let side = |list: &[(i64, i64)]| -> (Vec<i64>, Vec<i64>) { list.iter().copied().unzip() };
                let ((mut acts, high), (low_acts, mut low)) = (side(high), side(low));
                acts.extend(low_acts);
                let mut weights = [high.clone(), low.clone()].concat();
                acts.resize(acts.len() + idle, 0);
                weights.resize(weights.len() + idle, 0);
                low.resize(low.len() + idle, 0);
                Step { acts, high, low, weights }
            })
            .collect()
    }

    /// A packed vector on a StruM PE.
    fn packed(&self, acts: &[i16], blocks: &[Block]) -> Result<Entry, DriveError> {
        let layout = self.layout();
        let mut entry = self.empty(&layout);
        entry.packed = true;
        entry.shift = self.shift;
        entry.acts = acts.to_vec();
        let members = layout.members as usize;
        // High and low members with activation, code and weight, in the order of the lanes of all steps.
        let mut sides: [Vec<(i64, i64, i64)>; 2] = [Vec::new(), Vec::new()];
        for (b, block) in blocks.iter().enumerate().take(layout.blocks as usize) {
            let number = b as u32;
            entry.word.set(layout.selector(number) as usize, layout.members, block.mask);
            for (side, (codes, high)) in sides.iter_mut().zip([(&block.high, true), (&block.low, false)]) {
                for (rank, (member, &code)) in block.members(high).zip(codes).enumerate() {
                    let (at, width) = if high {
                        (layout.high_code(number, rank as u32), 8)
                    } else {
                        (layout.low_code(number, rank as u32), layout.code_bits)
                    };
                    entry.word.set(at as usize, width, code as u64);
                    let act = acts.get(b * members + member).map_or(Ok(0), |&act| self.act(act))?;
                    side.push((act, code, block.weights.get(member).copied().unwrap_or(0)));
                }
            }
        }
        if let Some(placed) = layout.placed {
            entry.steps = vec![self.placed_step(&entry, &layout, placed)?];
            return Ok(entry);
        }
        let [high, low] = &sides;
        let lanes = [self.spec.high_lanes(), self.spec.low_lanes()].map(|n| n as usize);
        let steps = high.chunks(lanes[0]).zip(low.chunks(lanes[1]));
        entry.steps = steps
            .map(|(high, low)| Step {
                acts: high.iter().chain(low).map(|x| x.0).collect(),
                high: high.iter().map(|x| x.1).collect(),
                low: low.iter().map(|x| x.1).collect(),
                weights: high.iter().chain(low).map(|x| x.2).collect(),
            })
            .collect();
        Ok(entry)
    }

    /// The step of an entry whose low lanes are in place: high members, then every position.
    fn placed_step(&self, entry: &Entry, layout: &Layout, placed: PlacedCode) -> Result<Step, DriveError> {
        let values = decode_table(&self.spec.format.method, self.shift);
        let (mut step, mut at_positions) = (Step::default(), Vec::new());
        for block in 0..layout.blocks {
            let mask = entry.word.get(layout.selector(block) as usize, layout.members);
            let (mut highs, mut lows) = (0, 0);
            for member in 0..layout.members {
                let act = entry.acts.get((block * layout.members + member) as usize);
                let act = act.map_or(Ok(0), |&act| self.act(act))?;
                let mut weight = 0;
                let mut code = None;
                if mask >> member & 1 == 1 {
                    let code = entry.word.get(layout.high_code(block, highs) as usize, 8);
                    let code = i64::from((code as u8).cast_signed());
                    step.acts.push(act);
                    step.high.push(code);
                    step.weights.push(code);
                    highs += 1;
                } else {
                    let own = entry.word.get(layout.low_code(block, lows) as usize, layout.code_bits);
                    weight = values.get(own as usize).copied().flatten().map_or(0, i64::from);
                    code = Some(own);
                    lows += 1;
                }
                step.low.push(placed.placed(code) as i64);
                at_positions.push((act, weight));
            }
        }
        for (act, weight) in at_positions {
            step.acts.push(act);
            step.weights.push(weight);
        }
        Ok(step)
    }

    fn layout(&self) -> Layout {
        // The write port takes masks, whenever they are decoded.
        Layout::of(&Spec { decode: Decode::Step, ..self.spec.clone() })
    }

    fn empty(&self, layout: &Layout) -> Entry {
        Entry {
            acts: vec![self.zero_point; self.spec.vector() as usize],
            word: Bits::zeros(layout.bits as usize),
            ..Entry::default()
        }
    }
}
