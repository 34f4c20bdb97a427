//! Resampling of images. Invariant: positions are those of ONNX, as fractions, or the operator is refused.

use super::{Call, one};
use crate::onnx::trouble::{Outcome, invalid, unsupported};
use crate::onnx::value::{Flow, Net, Value};
use crate::tosa::{Attribute, Operand};

/// The largest numerator that TOSA allows, which a change of the unit may double.
const MOST: i64 = 1 << 11;

/// `Upsample`.
pub(super) fn upsample(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let scales = match call.node.floats("scales") {
        Some(scales) => Some(scales.to_vec()),
        None => call.optional_floats(1)?,
    };
    let mode = call.node.text("mode")?.unwrap_or("nearest");
    let rules = Rules { linear: is_linear(mode)?, coordinates: "asymmetric", nearest: "floor" };
    resample(net, call, scales, None, &rules)
}

/// `Resize`.
pub(super) fn resize(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let node = &call.node;
    let old = node.opset < 11;
    node.ignore(&["cubic_coeff_a", "exclude_outside", "extrapolation_value"]);
    let linear = is_linear(node.text("mode")?.unwrap_or("nearest"))?;
    let scales = call.optional_floats(if old { 1 } else { 2 })?.filter(|scales| !scales.is_empty());
    let sizes = if old { None } else { call.optional_ints(3)? }.filter(|sizes| !sizes.is_empty());
    let coordinates = node.text("coordinate_transformation_mode")?;
    let nearest = node.text("nearest_mode")?;
    if let Some(policy) = node.text("keep_aspect_ratio_policy")?
        && policy != "stretch"
    {
        return unsupported(format!("the policy '{policy}' is not supported; 'stretch' is"));
    }
    if node.has("axes") {
        return resize_axes(net, call, scales, sizes, linear);
    }
    let rules = Rules {
        linear,
        coordinates: coordinates.unwrap_or(if old { "asymmetric" } else { "half_pixel" }),
        nearest: nearest.unwrap_or(if old { "floor" } else { "round_prefer_floor" }),
    };
    resample(net, call, scales, sizes, &rules)
}

/// A `Resize` of some axes: the others keep their size.
fn resize_axes(
    net: &mut Net,
    call: &Call<'_>,
    scales: Option<Vec<f32>>,
    sizes: Option<Vec<i64>>,
    linear: bool,
) -> Outcome<Vec<Value>> {
    let x = net.flow(call.moved(net, 0)?)?;
    let shape = net.shape(x);
    let axes = call.node.ints("axes").unwrap_or_default();
    let places = axes
        .iter()
        .map(|&axis| crate::onnx::node::axis_of(axis, shape.len()))
        .collect::<Outcome<Vec<_>>>()?;
    let (mut all_scales, mut all_sizes) = (vec![1.0; shape.len()], Vec::new());
    all_sizes.extend(shape.iter().map(|&d| i64::try_from(d).unwrap_or(i64::MAX)));
    for (i, &axis) in places.iter().enumerate() {
        if let (Some(scale), Some(place)) = (scales.as_ref().and_then(|s| s.get(i)), all_scales.get_mut(axis))
        {
            *place = *scale;
        }
        if let (Some(size), Some(place)) = (sizes.as_ref().and_then(|s| s.get(i)), all_sizes.get_mut(axis)) {
            *place = *size;
        }
    }
    let rules = Rules {
        linear,
        coordinates: call.node.text("coordinate_transformation_mode")?.unwrap_or("half_pixel"),
        nearest: call.node.text("nearest_mode")?.unwrap_or("round_prefer_floor"),
    };
    resample(net, call, scales.map(|_| all_scales), sizes.map(|_| all_sizes), &rules)
}

fn is_linear(mode: &str) -> Outcome<bool> {
    match mode {
        "nearest" => Ok(false),
        "linear" | "bilinear" => Ok(true),
        other => unsupported(format!("the mode '{other}' is not supported; 'nearest' and 'linear' are")),
    }
}

/// How positions are computed.
struct Rules<'a> {
    linear: bool,
    coordinates: &'a str,
    nearest: &'a str,
}

/// Along an axis: numerator and denominator of the scale, the offset, and the number of positions.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Along {
    ratio: [i64; 2],
    offset: i64,
    places: usize,
}

fn resample(
    net: &mut Net,
    call: &Call<'_>,
    scales: Option<Vec<f32>>,
    sizes: Option<Vec<i64>>,
    rules: &Rules<'_>,
) -> Outcome<Vec<Value>> {
    let x = net.flow(call.moved(net, 0)?)?;
    if rules.linear {
        call.floats(net, 0)?;
    }
    let shape = net.shape(x);
    let mut axes = Vec::new();
    for (axis, &extent) in shape.iter().enumerate() {
        let scale = scales.as_ref().map(|scales| scales.get(axis).copied());
        let size = sizes.as_ref().map(|sizes| sizes.get(axis).and_then(|&n| usize::try_from(n).ok()));
        let (places, ratio) = match (scale, size) {
            (_, Some(Some(places))) if places > 0 => (places, ratio_of(places, extent)),
            (Some(Some(scale)), None) if scale.is_finite() && scale > 0.0 => scaled(extent, scale)?,
            _ => return invalid(format!("a scale or size for each of {} axes expected", shape.len())),
        };
        axes.push(along(extent, places, ratio, rules)?);
    }
    let (Some(channels), Some(space)) = (axes.get(..2), axes.get(2..)) else {
        return unsupported(format!(
            "images of 1 or 2 dimensions are supported, got a tensor of shape {shape:?}"
        ));
    };
    if channels.iter().zip(&shape).any(|(along, &extent)| along.places != extent) {
        return unsupported("only rows and columns of an image can be resized");
    }
    let unit = Along { ratio: [1, 1], offset: 0, places: 1 };
    let (rows, columns) = match *space {
        [columns] => (unit, columns),
        [rows, columns] => (rows, columns),
        _ => return unsupported(format!("images of 1 or 2 dimensions are supported, got {}", space.len())),
    };
    one(net.resized(x, [rows, columns], rules.linear)?)
}

/// Positions and ratio of an axis that is scaled.
fn scaled(extent: usize, scale: f32) -> Outcome<(usize, [i64; 2])> {
    #[allow(clippy::cast_precision_loss, reason = "extents of images are small")]
    let places = (extent as f64 * f64::from(scale)).floor();
    if places < 1.0 || places > f64::from(u32::MAX) {
        return invalid(format!("a scale of {scale} for {extent} positions"));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and the limit")]
    let places = places as usize;
    match fraction(f64::from(scale)) {
        Some(ratio) => Ok((places, ratio)),
        None => unsupported(format!("a scale of {scale} is no ratio of numbers up to {MOST}")),
    }
}

/// A ratio of small numbers that is a scale up to the precision of floats, by continued fractions.
fn fraction(scale: f64) -> Option<[i64; 2]> {
    let (mut above, mut below) = ([1.0, 0.0], [0.0, 1.0]);
    let mut rest = scale;
    for _ in 0..24 {
        let whole = rest.floor();
        let next = [whole * above[0] + above[1], whole * below[0] + below[1]];
        (above, below) = ([next[0], above[0]], [next[1], below[0]]);
        if next[0] > 1024.0 || next[1] > 16384.0 {
            return None;
        }
        if (next[0] / next[1] - scale).abs() <= scale * 1e-7 {
            #[allow(clippy::cast_possible_truncation, reason = "whole and checked above")]
            return Some([next[0] as i64, next[1] as i64]);
        }
        rest = 1.0 / (rest - whole);
    }
    None
}

fn ratio_of(places: usize, extent: usize) -> [i64; 2] {
    let [n, d] = [places, extent].map(|x| i64::try_from(x).unwrap_or(i64::MAX));
    let common = gcd(n, d).max(1);
    [n / common, d / common]
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Source positions of an axis: `place · d + offset` n-th parts of a pixel, and for the nearest pixel rounded half up.
fn along(extent: usize, places: usize, ratio: [i64; 2], rules: &Rules<'_>) -> Outcome<Along> {
    if places == extent && ratio == [1, 1] {
        return Ok(Along { ratio, offset: 0, places });
    }
    let [n, d] = ratio;
    let (mut n, mut d, mut offset) = match rules.coordinates {
        "half_pixel" => (n.saturating_mul(2), d.saturating_mul(2), d.saturating_sub(n)),
        "pytorch_half_pixel" if places > 1 => (n.saturating_mul(2), d.saturating_mul(2), d.saturating_sub(n)),
        "asymmetric" | "pytorch_half_pixel" => (n, d, 0),
        "align_corners" => {
            let [n, d] = ratio_of(places - 1, extent - 1);
            if places == 1 { (1, 1, 0) } else { (n, d, 0) }
        }
        // An exact ratio leaves nothing to be divided between both sides.
        "half_pixel_symmetric" if ratio == ratio_of(places, extent) => {
            (n.saturating_mul(2), d.saturating_mul(2), d.saturating_sub(n))
        }
        other => return unsupported(format!("the coordinates '{other}' are not supported")),
    };
    if rules.coordinates == "pytorch_half_pixel" && places == 1 {
        (n, d, offset) = (1, 1, 0);
    }
    if !rules.linear {
        let twice = |x: i64| x.saturating_mul(2);
        let moved = match rules.nearest {
            "round_prefer_ceil" => None,
            "floor" => Some(twice(offset).saturating_sub(n)),
            "ceil" => Some(twice(offset).saturating_add(n).saturating_sub(1)),
            "round_prefer_floor" => Some(twice(offset).saturating_sub(1)),
            other => return invalid(format!("the rounding '{other}' is not one of ONNX")),
        };
        if let Some(moved) = moved {
            (n, d, offset) = (twice(n), twice(d), moved);
        }
    }
    let common = gcd(gcd(n, d), offset.abs()).max(1);
    // What is left of a rounding to the lower of two is less than a part.
    (n, d, offset) = (n / common, d / common, offset / common);
    if d == 0 {
        // One pixel, everywhere.
        d = 1;
        if extent != 1 {
            return unsupported("all positions of an axis at one pixel are not supported");
        }
    }
    if n > MOST || d >= n.saturating_mul(16) || offset < -n || offset >= n.saturating_mul(16) {
        return unsupported(format!(
            "resizing {extent} positions to {places} needs the scale {n}/{d}, beyond TOSA's"
        ));
    }
    Ok(Along { ratio: [n, d], offset, places })
}

impl Net {
    fn resized(&mut self, x: Flow, [rows, columns]: [Along; 2], linear: bool) -> Outcome<Flow> {
        let (image, flat) = self.image(x)?;
        let &[batch, h, w, c] = self.extents(image).as_slice() else { return invalid("an image expected") };
        let mut border = Vec::new();
        for (along, extent) in [(rows, h), (columns, w)] {
            let wide = |d: usize| i64::try_from(d).unwrap_or(i64::MAX);
            let [n, d] = along.ratio;
            let end = wide(along.places - 1).saturating_mul(d).saturating_add(along.offset);
            let found = end.saturating_sub(wide(extent - 1).saturating_mul(n));
            if found < n.saturating_mul(-16) || found >= n {
                return unsupported(format!(
                    "resizing {extent} positions to {} leaves the image",
                    along.places
                ));
            }
            border.push(found);
        }
        let mode = if linear { "BILINEAR" } else { "NEAREST_NEIGHBOR" };
        let operands = vec![
            Operand::Value(image),
            Operand::Shape([rows.ratio, columns.ratio].concat()),
            Operand::Shape(vec![rows.offset, columns.offset]),
            Operand::Shape(border),
        ];
        let attributes = vec![("mode", Attribute::Case("resize_mode", mode))];
        let elem = self.elem(image);
        let shape = [batch, rows.places, columns.places, c];
        let made = self.build.push("resize", operands, attributes, &shape, elem)?;
        self.from_image(x, made, flat)
    }
}
