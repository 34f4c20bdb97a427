//! Pooling and resizing of images. Invariant: the meaning of codes stays.

use strum_float::PoolKind;
use strum_schemas::tflite::BuiltinOptionsRef as O;

use super::file::{Kind, Operator};
use super::importer::Importer;
use super::operands;
use super::stop::{Step, Stop};
use super::windows::{is_same, positive, window};
use crate::integer::{self, Sampling};

/// `AVERAGE_POOL_2D`, `MAX_POOL_2D`.
pub(super) fn pool<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 1..=1)?;
    let Some(O::Pool2DOptions(o)) = op.options else { return Err(Stop::damaged("a pooling has no options")) };
    let x = importer.operand(op, 0)?;
    let quantized = importer.is_quantized(x)?;
    let id = importer.node(x)?;
    let &[_, h, w, _] = importer.build.graph().shape(id) else {
        return Err(Stop::invalid("a pooling has an image of four dimensions"));
    };
    let kernel = positive([o.filter_height()?, o.filter_width()?], "a kernel")?;
    let stride = positive([o.stride_h()?, o.stride_w()?], "a stride")?;
    let window = window(is_same(o.padding()?)?, [h, w], kernel, stride, [1; 2])?;
    let made = if op.kind == "MAX_POOL_2D" {
        importer.build.pool(PoolKind::Max, id, kernel, &window, 0)?
    } else if quantized {
        // Ties are rounded away from the code 0, which is -128 here if codes are unsigned.
        let tie = if importer.kind(x)? == Kind::U8 { -128 } else { 0 };
        integer::mean_pool(&mut importer.build, id, kernel, &window, tie)?
    } else {
        importer.build.pool(PoolKind::Average, id, kernel, &window, 0)?
    };
    importer.finish(op, made, o.fused_activation_function()?)
}

/// `RESIZE_BILINEAR`, `RESIZE_NEAREST_NEIGHBOR`.
pub(super) fn resize<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 2..=2)?;
    let (corners, half) = match op.options {
        Some(O::ResizeBilinearOptions(o)) => (o.align_corners()?, o.half_pixel_centers()?),
        Some(O::ResizeNearestNeighborOptions(o)) => (o.align_corners()?, o.half_pixel_centers()?),
        _ => (false, false),
    };
    let sampling = match (corners, half) {
        (false, false) => Sampling::Corner,
        (true, false) => Sampling::Corners,
        (false, true) => Sampling::HalfPixel,
        (true, true) => {
            return Err(Stop::unsupported("a resize with aligned corners and half pixel centers"));
        }
    };
    let (x, size) = (importer.operand(op, 0)?, importer.operand(op, 1)?);
    let size = importer.sizes(size, "the size of an image")?;
    let &[rows, columns] = &size[..] else {
        return Err(Stop::invalid(format!("an image of size {size:?}")));
    };
    if rows.min(columns) == 0 {
        return Err(Stop::invalid(format!("an image of size {size:?}")));
    }
    let id = importer.node(x)?;
    if importer.build.graph().shape(id).len() != 4 {
        return Err(Stop::invalid("a resize has an image of four dimensions"));
    }
    let made = if op.kind == "RESIZE_NEAREST_NEIGHBOR" {
        integer::nearest(&mut importer.build, id, [rows, columns], sampling)?
    } else if importer.kind(x)? == Kind::U8 {
        return Err(Stop::unsupported("a bilinear resize of uint8; of int8 it is supported"));
    } else {
        integer::bilinear(&mut importer.build, id, [rows, columns], sampling)?
    };
    importer.set_node(op, made)
}
