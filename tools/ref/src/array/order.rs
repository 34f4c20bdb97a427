//! The operands of every step of every PE in order, and which of them the step before had as well.
//!
//! Loops are walked one product at a time, and an operand is known by where it comes from: nothing is derived.

use std::collections::BTreeSet;

use super::{Array, Layer, Schedule, Stays, blocks};

/// Products and bytes whose operand is that of the step before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Products.
    pub products: u64,
    /// Steps whose weights are those of the step before.
    pub steps: u64,
    /// Products whose lanes keep their activation.
    pub acts: u64,
    /// Products whose lanes keep their weight.
    pub weights: u64,
    /// Of all products, of the first and of the second, those with low members.
    pub low: [u64; 3],
    /// Products that read the entry of the input register file that the step before read.
    pub inputs: u64,
    /// Packed blocks that enter the filter register file of a PE.
    pub fetched: u64,
    /// Activations that masks choose; of these, those with the mask of the step before or a plain one.
    pub chosen: [u64; 2],
    /// Entries written to the input and to the filter register files.
    pub entries: [u64; 2],
}

/// A step of a PE: what is at its lanes and register files.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    /// Origin of the activations at the lanes, of the weights, and of the entry of the input register file.
    acts: Vec<u64>,
    weights: Vec<u64>,
    entry: Vec<u64>,
}

/// A part of a vector that a PE takes in one step: tap or row of taps, vector, step, and its products, each an index
/// into the run.
struct Part {
    run: u64,
    vector: u64,
    step: u64,
    products: Vec<u64>,
}

/// Follows the operands of a tile; `low` tells for an output channel, a run of products (a tap, or with a fold of
/// plain weights a row of taps) and a place in it whether the weight is a low member.
#[must_use]
pub fn follow(
    array: &Array,
    layer: &Layer,
    schedule: &Schedule,
    low: &dyn Fn(u64, u64, u64) -> bool,
) -> Followed {
    let vectors = vectors(array, layer, schedule);
    let mut seen = Followed::default();
    let mut decoded = BTreeSet::new();
    let mut before = BTreeSet::new();
    for (number, block) in blocks(array, layer, schedule).iter().enumerate() {
        let loads = schedule.stays != Stays::Weights || block.weights > 0;
        // Depthwise, a channel's weights may come with those of the channel before: they are written nevertheless.
        let all: BTreeSet<u64> = block.places.iter().flatten().map(|o| o[0]).collect();
        let writes = schedule.stays != Stays::Weights || all != before;
        before = all;
        for (pe, outputs) in block.places.iter().enumerate() {
            let channels: BTreeSet<u64> = outputs.iter().map(|o| o[0]).collect();
            let positions: BTreeSet<[u64; 2]> = outputs.iter().map(|&[_, y, x]| [y, x]).collect();
            let mut last: Option<Step> = None;
            write(array, layer, schedule, &vectors, (&channels, &positions), writes, &mut seen);
            for parts in &vectors {
                for (channel, part, position) in walk(schedule, &channels, parts, &positions) {
                    let step = operands(array, layer, channel, part, position);
                    count(&mut seen, last.as_ref(), &step, channel, part, low);
                    choose(array, layer, &mut seen, last.as_ref(), &step, part);
                    last = Some(step);
                }
            }
            if loads && layer.packed[0] > 1 {
                decode(layer, &channels, &positions, [number, pe], &mut decoded);
            }
        }
    }
    seen.fetched = decoded.len() as u64;
    seen
}

/// The order of a vector's steps.
fn walk<'p>(
    schedule: &Schedule,
    channels: &BTreeSet<u64>,
    parts: &'p [Part],
    positions: &BTreeSet<[u64; 2]>,
) -> Vec<(u64, &'p Part, [u64; 2])> {
    let mut steps = Vec::new();
    if schedule.stays == Stays::Activations {
        for &position in positions {
            for part in parts {
                channels.iter().for_each(|&channel| steps.push((channel, part, position)));
            }
        }
    } else {
        for &channel in channels {
            for part in parts {
                positions.iter().for_each(|&position| steps.push((channel, part, position)));
            }
        }
    }
    steps
}

fn operands(array: &Array, layer: &Layer, channel: u64, part: &Part, [y, x]: [u64; 2]) -> Step {
    let Part { run, vector, step, .. } = *part;
    let chooses = array.chooses && layer.packed[0] > 1 && !layer.depthwise;
    let weights = vec![channel, run, vector, step];
    if layer.depthwise {
        let acts = vec![y, x, run, channel];
        return Step { entry: acts.clone(), acts, weights };
    }
    if chooses {
        // The whole vector is read; which of it reaches the lanes is up to the weights.
        return Step {
            acts: vec![y, x, channel, run, vector, step],
            entry: vec![y, x, run, vector],
            weights,
        };
    }
    let acts = vec![y, x, run, vector, step];
    Step { entry: acts.clone(), acts, weights }
}

fn count(
    seen: &mut Followed,
    last: Option<&Step>,
    step: &Step,
    channel: u64,
    part: &Part,
    low: &dyn Fn(u64, u64, u64) -> bool,
) {
    let all = part.products.len() as u64;
    let few = part.products.iter().filter(|&&place| low(channel, part.run, place)).count() as u64;
    seen.products += all;
    seen.low[0] += few;
    let Some(last) = last else { return };
    seen.steps += u64::from(last.weights == step.weights);
    if last.acts == step.acts {
        (seen.acts, seen.low[1]) = (seen.acts + all, seen.low[1] + few);
    }
    if last.weights == step.weights {
        (seen.weights, seen.low[2]) = (seen.weights + all, seen.low[2] + few);
    }
    if last.entry == step.entry {
        seen.inputs += all;
    }
}

/// The activations that a PE chooses in a step: idle lanes of a half that only shifts choose as well.
fn choose(array: &Array, layer: &Layer, seen: &mut Followed, last: Option<&Step>, step: &Step, part: &Part) {
    if !array.chooses || layer.depthwise {
        return;
    }
    let plain = layer.packed[0] == 1;
    for _ in &part.products {
        let lanes = if plain && array.half_shift { 2 } else { 1 };
        seen.chosen[0] += lanes;
        if plain || last.is_some_and(|last| last.weights == step.weights) {
            seen.chosen[1] += lanes;
        }
    }
}

/// The entries that a PE's register files are filled with for a block of outputs, in its order of steps: what a file holds it is
/// not filled with again, and it holds entries of one vector, if these fit, or else one entry.
fn write(
    array: &Array,
    layer: &Layer,
    schedule: &Schedule,
    vectors: &[Vec<Part>],
    (channels, positions): (&BTreeSet<u64>, &BTreeSet<[u64; 2]>),
    loads: bool,
    seen: &mut Followed,
) {
    let [c, y, x] = schedule.block;
    let fits = |number: u64, file: usize| number * widest(array, layer) <= array.files[file];
    let resident = schedule.stays == Stays::Activations && !layer.depthwise;
    for parts in vectors {
        let mut files: [BTreeSet<Vec<u64>>; 2] = Default::default();
        for (channel, _, [y_at, x_at]) in walk(schedule, channels, parts, positions) {
            let own = if layer.depthwise { channel } else { 0 };
            let keys = [(vec![y_at, x_at, own], fits(y * x, 0)), (vec![channel], !resident || fits(c, 1))];
            for (file, (key, fits)) in keys.into_iter().enumerate() {
                if !fits {
                    files[file].clear();
                }
                let used = if file == 0 { !resident } else { loads };
                if files[file].insert(key) && used {
                    seen.entries[file] += 1;
                }
            }
        }
    }
}

/// The packed blocks that a PE's weights come from, in each block of outputs; depthwise they run across the channels of all
/// PEs, and those of the same positions share them.
fn decode(
    layer: &Layer,
    channels: &BTreeSet<u64>,
    positions: &BTreeSet<[u64; 2]>,
    [number, pe]: [usize; 2],
    decoded: &mut BTreeSet<[u64; 5]>,
) {
    let (width, taps) = (layer.packed[0], layer.kernel[0] * layer.kernel[1]);
    let Some(&[y, x]) = positions.first() else { return };
    for (&channel, tap) in channels.iter().flat_map(|c| (0..taps).map(move |t| (c, t))) {
        if layer.depthwise {
            decoded.insert([y, x, tap, channel / width, u64::MAX]);
        } else {
            for from in (0..layer.input[2]).step_by(usize::try_from(width).unwrap_or(1)) {
                decoded.insert([number as u64, pe as u64, channel, tap, from]);
            }
        }
    }
}

/// The vectors in order, each as its steps. Products are taken from a queue, as many per step as there are lanes.
fn vectors(array: &Array, layer: &Layer, schedule: &Schedule) -> Vec<Vec<Part>> {
    let [kernel_h, kernel_w] = layer.kernel;
    // Packed blocks end with their tap: such vectors have channels of one tap.
    let contiguous = schedule.fold && layer.packed[0] == 1;
    let (run, runs) = if contiguous { (kernel_w, kernel_h) } else { (1, kernel_h * kernel_w) };
    if layer.depthwise {
        let part = |run| vec![Part { run, vector: 0, step: 0, products: vec![0] }];
        return (0..runs).map(part).collect();
    }
    let (products, [width, low], length) = (run * layer.input[2], layer.packed, widest(array, layer));
    let mut vectors = Vec::new();
    for run in 0..runs {
        let mut from = 0;
        while from < products {
            let to = products.min(from + length);
            let count = steps(array, to - from, [width, low]);
            // Where the order of members is up to their masks, they are distributed evenly.
            let each =
                if array.chooses || array.half_shift { (to - from).div_ceil(count) } else { array.lanes };
            let parts = (0..count).map(|step| {
                let [start, end] = [step, step + 1].map(|n| to.min(from + n * each));
                Part { run, vector: from / length, step, products: (start..end).collect() }
            });
            vectors.push(parts.collect());
            from = to;
        }
    }
    vectors
}

/// Products of a whole vector.
fn widest(array: &Array, layer: &Layer) -> u64 {
    let width = layer.packed[0];
    if width == 1 {
        return array.lanes;
    }
    // Whole blocks until the lanes are full.
    let mut length = width;
    while length + width <= array.lanes {
        length += width;
    }
    length
}

/// Steps that these many products take.
fn steps(array: &Array, products: u64, [width, low]: [u64; 2]) -> u64 {
    let mut steps = 0;
    if array.half_shift {
        let (mut high, mut few) = (2 * products * (width - low), 2 * products * low);
        while high > 0 || few > 0 {
            high = high.saturating_sub(array.lanes * width);
            few = few.saturating_sub(array.lanes * width);
            steps += 1;
        }
    } else {
        let mut left = products;
        while left > 0 {
            left = left.saturating_sub(array.lanes);
            steps += 1;
        }
    }
    steps
}
