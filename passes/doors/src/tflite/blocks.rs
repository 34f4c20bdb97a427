//! Movements between space, depth and batch. Invariant: elements are moved as reshapes and one transpose, unless a dilated
//! convolution takes them as they are.

use strum_schemas::tflite::BuiltinOptionsRef as O;

use super::file::Operator;
use super::importer::{Importer, Value};
use super::operands;
use super::stop::{Step, Stop};
use crate::tosa::{Builder, Elem, Id};

/// Pairs of a list of padding or crops.
pub(super) fn pairs(list: &[usize]) -> Vec<[usize; 2]> {
    list.as_chunks().0.to_vec()
}

/// A padded image in blocks, which become images of their own.
pub(super) fn spread(
    build: &mut Builder,
    image: Id,
    block: &[usize],
    pads: &[[usize; 2]],
    zero: i32,
) -> Step<Id> {
    let rank = build.graph().shape(image).len();
    let elem = build.graph().value(image).map_or(Elem::F32, |value| value.elem);
    let around: Vec<[usize; 2]> = std::iter::once([0; 2])
        .chain(pads.iter().copied())
        .chain(std::iter::repeat([0; 2]))
        .take(rank)
        .collect();
    let value = build.scalar(elem, zero)?;
    let padded = build.pad(image, &around, value)?;
    let shape = build.graph().shape(padded).to_vec();
    let (Some((&n, spatial)), m) = (shape.split_first(), block.len()) else {
        return Err(Stop::invalid("blocks of a scalar"));
    };
    let (mut split, mut perms_front, mut perms_back) = (vec![n], Vec::new(), vec![0]);
    for (axis, (&extent, &b)) in spatial.iter().zip(block).enumerate() {
        if b == 0 || !extent.is_multiple_of(b) {
            return Err(Stop::invalid(format!("blocks of {block:?} in an image of {shape:?}")));
        }
        split.extend([extent / b, b]);
        perms_front.push(2 + 2 * axis);
        perms_back.push(1 + 2 * axis);
    }
    let rest = spatial.get(m..).unwrap_or_default();
    split.extend(rest);
    let perms: Vec<usize> =
        perms_front.into_iter().chain(perms_back).chain(1 + 2 * m..1 + 2 * m + rest.len()).collect();
    let split = build.reshape(padded, &split)?;
    let moved = build.transpose(split, &perms)?;
    let images: usize = block.iter().product::<usize>().saturating_mul(n);
    let extents = spatial.iter().zip(block).map(|(d, b)| d / b);
    let shape: Vec<usize> = std::iter::once(images).chain(extents).chain(rest.iter().copied()).collect();
    Ok(build.reshape(moved, &shape)?)
}

/// Images that are blocks of one, put together again and cropped.
fn gathered(build: &mut Builder, images: Id, block: &[usize], crops: &[[usize; 2]]) -> Step<Id> {
    let shape = build.graph().shape(images).to_vec();
    let (count, m) = (block.iter().product::<usize>(), block.len());
    let Some((&n, spatial)) =
        shape.split_first().filter(|(n, s)| count > 0 && n.is_multiple_of(count) && s.len() >= m)
    else {
        return Err(Stop::invalid(format!("blocks of {block:?} from images of {shape:?}")));
    };
    let split: Vec<usize> = block.iter().copied().chain([n / count]).chain(spatial.iter().copied()).collect();
    let mut perms = vec![m];
    for axis in 0..m {
        perms.extend([m + 1 + axis, axis]);
    }
    perms.extend(2 * m + 1..split.len());
    let split = build.reshape(images, &split)?;
    let moved = build.transpose(split, &perms)?;
    let extents = spatial.iter().zip(block).map(|(d, b)| d.saturating_mul(*b));
    let whole: Vec<usize> =
        std::iter::once(n / count).chain(extents).chain(spatial.iter().skip(m).copied()).collect();
    let whole = build.reshape(moved, &whole)?;
    cropped(build, whole, crops)
}

/// An image without what is cropped from the dimensions behind the first.
fn cropped(build: &mut Builder, image: Id, crops: &[[usize; 2]]) -> Step<Id> {
    let mut size = build.graph().shape(image).to_vec();
    let mut start = vec![0; size.len()];
    for ((d, s), [before, behind]) in size.iter_mut().zip(&mut start).skip(1).zip(crops) {
        let left = d.checked_sub(*before).and_then(|d| d.checked_sub(*behind));
        *d = left.ok_or_else(|| Stop::invalid(format!("crops of {crops:?}")))?;
        *s = *before;
    }
    Ok(build.slice(image, &start, &size)?)
}

fn parameters(importer: &mut Importer<'_>, op: &Operator<'_>) -> Step<(Vec<usize>, Vec<[usize; 2]>)> {
    operands(op, 3..=3)?;
    let tensors = [op.inputs.get(1), op.inputs.get(2)].map(|t| t.copied().flatten());
    let [Some(block), Some(pads)] = tensors else { return Err(Stop::damaged("blocks have no sizes")) };
    let block = importer.sizes(block, "the size of blocks")?;
    let pads = pairs(&importer.sizes(pads, "the padding of blocks")?);
    let images = block.iter().try_fold(1_usize, |n, &b| n.checked_mul(b));
    if block.len() != pads.len() || block.contains(&0) || block.len() > 4 || images.is_none() {
        return Err(Stop::invalid(format!("blocks of {block:?} with padding {pads:?}")));
    }
    Ok((block, pads))
}

/// `SPACE_TO_BATCH_ND`: a convolution behind it may take the image as it is, and dilate its kernel.
pub(super) fn space_to_batch<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    let (block, pads) = parameters(importer, op)?;
    let x = importer.operand(op, 0)?;
    let image = importer.node(x)?;
    if let (&[_, h, w, _], &[rows, columns], &[above, beside]) =
        (importer.build.graph().shape(image), &block[..], &pads[..])
    {
        let fits = |d: usize, [before, behind]: [usize; 2], b: usize| {
            d.checked_add(before).and_then(|d| d.checked_add(behind)).is_some_and(|d| d.is_multiple_of(b))
        };
        if fits(h, above, rows) && fits(w, beside, columns) {
            return importer.set(op, 0, Value::Spread(image, [rows, columns], [above, beside]));
        }
    }
    let zero = importer.zero_code(x)?;
    let made = spread(&mut importer.build, image, &block, &pads, zero)?;
    importer.set_node(op, made)
}

/// `BATCH_TO_SPACE_ND`.
pub(super) fn batch_to_space<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    let (block, crops) = parameters(importer, op)?;
    let x = importer.operand(op, 0)?;
    let made = match importer.value(x)? {
        Value::Spread(image, spread, pads) if block == spread && pads == [[0; 2]; 2] => {
            cropped(&mut importer.build, image, &crops)?
        }
        _ => {
            let images = importer.node(x)?;
            gathered(&mut importer.build, images, &block, &crops)?
        }
    };
    importer.set_node(op, made)
}

fn block_size(op: &Operator<'_>) -> Step<usize> {
    operands(op, 1..=1)?;
    let size = match op.options {
        Some(O::SpaceToDepthOptions(o)) => o.block_size()?,
        Some(O::DepthToSpaceOptions(o)) => o.block_size()?,
        _ => return Err(Stop::damaged("blocks have no size")),
    };
    usize::try_from(size).ok().filter(|&b| b > 0).ok_or_else(|| Stop::invalid(format!("blocks of {size}")))
}

/// `DEPTH_TO_SPACE`.
pub(super) fn depth_to_space<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    let (b, x) = (block_size(op)?, importer.operand(op, 0)?);
    let x = importer.node(x)?;
    let build = &mut importer.build;
    let (&[n, h, w, c], Some(area)) = (build.graph().shape(x), b.checked_mul(b)) else {
        return Err(Stop::invalid("blocks of an image of four dimensions expected"));
    };
    if !c.is_multiple_of(area) {
        return Err(Stop::invalid(format!("blocks of {b} x {b} from {c} channels")));
    }
    let split = build.reshape(x, &[n, h, w, b, b, c / area])?;
    let moved = build.transpose(split, &[0, 1, 3, 2, 4, 5])?;
    let made = build.reshape(moved, &[n, h * b, w * b, c / area])?;
    importer.set_node(op, made)
}

/// `SPACE_TO_DEPTH`.
pub(super) fn space_to_depth<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    let (b, x) = (block_size(op)?, importer.operand(op, 0)?);
    let x = importer.node(x)?;
    let build = &mut importer.build;
    let &[n, h, w, c] = build.graph().shape(x) else {
        return Err(Stop::invalid("blocks of an image of four dimensions expected"));
    };
    if !h.is_multiple_of(b) || !w.is_multiple_of(b) {
        return Err(Stop::invalid(format!("blocks of {b} x {b} in an image of {h} x {w}")));
    }
    let split = build.reshape(x, &[n, h / b, b, w / b, b, c])?;
    let moved = build.transpose(split, &[0, 1, 3, 2, 4, 5])?;
    let made = build.reshape(moved, &[n, h / b, w / b, b * b * c])?;
    importer.set_node(op, made)
}
