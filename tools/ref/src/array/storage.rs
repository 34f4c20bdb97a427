//! Bytes that a block loads and stores on a machine with zero compression, counted byte by byte.

use std::collections::BTreeSet;

use super::{Array, Block, Layer, Present};

/// Size of a segment whose bytes are zero or not, `raw` if compression does not make it smaller: words are filled
/// one byte at a time, and every byte has a bit.
fn packed(array: &Array, of: &[bool], raw: u64) -> u64 {
    let (mut bits, mut words, mut room) = (0u64, 0, 0);
    for &is in of {
        bits += 1;
        if is && room == 0 {
            (words, room) = (words + 1, array.word);
        }
        room -= u64::from(is);
    }
    let bytes = words * array.word + bits.div_ceil(8);
    if bytes < bits { bytes } else { raw }
}

/// Input rows and columns that some tap of these outputs reads.
fn pixels(layer: &Layer, outputs: &BTreeSet<[u64; 3]>) -> BTreeSet<[i64; 2]> {
    let mut pixels = BTreeSet::new();
    for &[_, oy, ox] in outputs {
        for (ky, kx) in (0..layer.kernel[0]).flat_map(|y| (0..layer.kernel[1]).map(move |x| (y, x))) {
            let at = [(oy, ky), (ox, kx)];
            let place = [0, 1].map(|i| {
                let reach = at[i].0 * layer.stride[i] + at[i].1 * layer.dilation[i];
                layer.origin[i] + i64::try_from(reach).unwrap_or(i64::MAX)
            });
            let size = [0, 1].map(|i| i64::try_from(layer.input[i]).unwrap_or(i64::MAX));
            if (0..size[0]).contains(&place[0]) && (0..size[1]).contains(&place[1]) {
                pixels.insert(place);
            }
        }
    }
    pixels
}

/// The weights of an output channel, up to the bytes of a set.
fn set(layer: &Layer, present: &Present<'_>, oc: u64) -> Vec<bool> {
    let taps = (0..layer.kernel[0]).flat_map(|y| (0..layer.kernel[1]).map(move |x| (y, x)));
    let weights = taps.flat_map(|(y, x)| (0..layer.input[2]).map(move |c| (present.weight)(oc, y, x, c)));
    let mut weights: Vec<bool> = weights.collect();
    weights.resize(usize::try_from(layer.set_bytes).unwrap_or(0), false);
    weights
}

/// Counts what a block loads and stores with zero compression, byte by byte.
pub(super) fn pack(array: &Array, layer: &Layer, present: &Present<'_>, block: &mut Block) {
    // A flag per pixel, eight to a byte.
    let flags = |pixels: usize| (pixels as u64).div_ceil(8);
    let outputs: BTreeSet<[u64; 3]> = block.places.iter().flatten().copied().collect();
    let channels: BTreeSet<u64> = outputs.iter().map(|o| o[0]).collect();
    if present.stored[0] && block.acts > 0 {
        let each = layer.output[2] / layer.input[2].max(1);
        let inputs: BTreeSet<u64> = if layer.depthwise {
            channels.iter().map(|oc| oc / each).collect()
        } else {
            (0..layer.input[2]).collect()
        };
        let pixels = pixels(layer, &outputs);
        let pixel = |place: &[i64; 2]| {
            let of: Vec<bool> = inputs.iter().map(|&c| (present.act)(place[0], place[1], c)).collect();
            packed(array, &of, block.pixel)
        };
        let acts = pixels.iter().map(pixel).sum::<u64>() + flags(pixels.len());
        block.load = block.load - block.acts + acts;
    }
    if present.stored[1] && block.weights > 0 {
        let sets = channels.iter().map(|&oc| packed(array, &set(layer, present, oc), layer.set_bytes));
        block.load = block.load - block.weights + sets.sum::<u64>();
    }
    if present.stored[2] {
        let pixels: BTreeSet<[u64; 2]> = outputs.iter().map(|&[_, y, x]| [y, x]).collect();
        let pixel = |&[y, x]: &[u64; 2]| {
            let of: Vec<bool> = channels.iter().map(|&c| (present.result)(y, x, c)).collect();
            packed(array, &of, of.len() as u64 * layer.out_bytes)
        };
        block.stored = pixels.iter().map(pixel).sum::<u64>() + flags(pixels.len());
    }
}
