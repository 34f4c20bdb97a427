//! Resampling of images. Invariant: positions are those of ONNX, as fractions, or the operator is refused.

use crate::CauseKind;
use crate::onnx::call::{Call, Operands, one};
use crate::onnx::movement::listed;
use crate::onnx::node::{Node, axis_of};
use crate::onnx::trouble::{Outcome, invalid, unsupported};
use crate::onnx::value::{Flow, Net, Value};
use crate::tosa::{Elem, Grid};

/// The largest numerator that TOSA allows, which a change of the unit may double.
const MOST: i64 = 1 << 11;

/// `Resize` and `Upsample` of floats, or of codes to the nearest.
pub(in crate::onnx) fn resize(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let x = net.flow(call.moved(net, 0)?)?;
    match resampled(net, &call.node, &call.inputs, x)? {
        (made, None) => one(made),
        (_, Some(_)) => unsupported("linear interpolation of codes without scales is not supported"),
    }
}

/// A `Resize` or `Upsample` of floats or codes. Means of codes are in 32 bits, times a factor, which is returned as well.
pub(in crate::onnx) fn resampled(
    net: &mut Net,
    node: &Node<'_>,
    inputs: &[Option<Value>],
    x: Flow,
) -> Outcome<(Flow, Option<i64>)> {
    let inputs = Operands(inputs);
    let shape = net.shape(x);
    let old = node.opset < 11;
    let mode = node.text("mode")?.unwrap_or("nearest");
    if node.kind() == "Upsample" {
        let scales = match node.floats("scales") {
            Some(scales) => Some(scales.to_vec()),
            None => inputs.optional_floats(1)?,
        };
        let mode = if is_linear(mode)? { Mode::Linear } else { Mode::Nearest };
        let rules = Rules { mode, coordinates: "asymmetric", nearest: "floor" };
        let spans = all_spans(&shape, scales, None)?;
        return net.resized(x, &spans, &rules);
    }
    node.ignore(&["cubic_coeff_a", "extrapolation_value"]);
    let mut scales = inputs.optional_floats(if old { 1 } else { 2 })?.filter(|scales| !scales.is_empty());
    let mut sizes = if old { None } else { inputs.optional_ints(3)? }.filter(|sizes| !sizes.is_empty());
    let rules = rules(node, mode)?;
    let axes = node.ints("axes");
    if let Some(axes) = axes {
        let wide: Vec<i64> = shape.iter().map(|&d| i64::try_from(d).unwrap_or(i64::MAX)).collect();
        scales = scales.map(|some| scattered(vec![1.0; shape.len()], axes, &some)).transpose()?;
        sizes = sizes.map(|some| scattered(wide, axes, &some)).transpose()?;
    }
    let has_sizes = sizes.is_some();
    let mut spans = all_spans(&shape, scales, sizes)?;
    let policy = node.text("keep_aspect_ratio_policy")?.unwrap_or("stretch");
    if policy != "stretch" && has_sizes {
        let every: Vec<i64> = (0..shape.len()).filter_map(|axis| i64::try_from(axis).ok()).collect();
        keep_aspect(&mut spans, axes.unwrap_or(&every), policy)?;
    }
    // Downwards, neighbours further away would count as well.
    if node.flag("antialias", false)? && spans.iter().any(|span| span.scale < 1.0) {
        return unsupported("antialiasing is not supported");
    }
    net.resized(x, &spans, &rules)
}

/// The same scale for some axes: the least or the greatest of those that sizes ask for.
fn keep_aspect(spans: &mut [Span], axes: &[i64], policy: &str) -> Outcome<()> {
    let axes = axes.iter().map(|&axis| axis_of(axis, spans.len())).collect::<Outcome<Vec<_>>>()?;
    let all = axes.iter().filter_map(|&axis| spans.get(axis).copied());
    let by_scale = |a: &Span, b: &Span| a.scale.total_cmp(&b.scale);
    let found = match policy {
        "not_larger" => all.min_by(by_scale),
        "not_smaller" => all.max_by(by_scale),
        other => return invalid(format!("the aspect-ratio policy '{other}' is not defined by ONNX")),
    };
    let Some(Span { places: n, extent: d, scale, .. }) = found else { return Ok(()) };
    for axis in axes {
        let Some(span) = spans.get_mut(axis) else { continue };
        // Rounded, halves upwards.
        let places =
            span.extent.saturating_mul(n).saturating_mul(2).saturating_add(d) / d.saturating_mul(2).max(1);
        *span = Span { places: places.max(1), scale, ratio: Some(ratio_of(n, d)), ..*span };
    }
    Ok(())
}

/// A list with other values at some axes.
fn scattered<T: Copy>(mut all: Vec<T>, axes: &[i64], some: &[T]) -> Outcome<Vec<T>> {
    if axes.len() != some.len() {
        return invalid(format!("{} values for {} axes", some.len(), axes.len()));
    }
    let rank = all.len();
    for (&axis, &value) in axes.iter().zip(some) {
        let axis = axis_of(axis, rank)?;
        all.get_mut(axis).into_iter().for_each(|place| *place = value);
    }
    Ok(all)
}

/// ONNX's coordinate transformation modes.
const COORDINATES: &[&str] = &[
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
    "tf_crop_and_resize",
];

/// ONNX's nearest modes.
const ROUNDINGS: &[&str] = &["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"];

/// The rules of a `Resize`, which has defaults of its own before opset 11.
fn rules<'a>(node: &Node<'a>, mode: &str) -> Outcome<Rules<'a>> {
    let mode = match mode {
        "cubic" => Mode::Cubic {
            a: node.float("cubic_coeff_a", -0.75)?.into(),
            excludes: node.flag("exclude_outside", false)?,
        },
        _ => {
            node.only("exclude_outside", 0)?;
            if is_linear(mode)? { Mode::Linear } else { Mode::Nearest }
        }
    };
    let [coordinates, nearest] =
        if node.opset < 11 { ["asymmetric", "floor"] } else { ["half_pixel", "round_prefer_floor"] };
    let coordinates = node.text("coordinate_transformation_mode")?.unwrap_or(coordinates);
    let nearest = node.text("nearest_mode")?.unwrap_or(nearest);
    if !COORDINATES.contains(&coordinates) {
        return invalid(format!("the coordinate transformation mode '{coordinates}' is not defined by ONNX"));
    }
    if !ROUNDINGS.contains(&nearest) {
        return invalid(format!("the nearest mode '{nearest}' is not defined by ONNX"));
    }
    // These move images of the same size as well.
    if coordinates.starts_with("tf_") {
        return unsupported(format!("the coordinate transformation mode '{coordinates}' is not supported"));
    }
    Ok(Rules { mode, coordinates, nearest })
}

fn is_linear(mode: &str) -> Outcome<bool> {
    match mode {
        "nearest" => Ok(false),
        "linear" | "bilinear" => Ok(true),
        other => {
            unsupported(format!("the mode '{other}' is not supported; 'nearest', 'linear' and 'cubic' are"))
        }
    }
}

/// The interpolation mode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mode {
    Nearest,
    Linear,
    /// With the coefficient `a`, the slope of the kernel at a distance of 1, and whether pixels outside of the image are excluded.
    Cubic {
        a: f64,
        excludes: bool,
    },
}

/// How positions are computed.
pub(super) struct Rules<'a> {
    pub(super) mode: Mode,
    pub(super) coordinates: &'a str,
    nearest: &'a str,
}

/// The extent of an axis before and after resizing, and its scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) extent: usize,
    pub(super) places: usize,
    pub(super) scale: f64,
    /// The scale, if it is a ratio of small numbers.
    ratio: Option<[i64; 2]>,
}

impl Span {
    /// Every position is that of its pixel.
    pub(super) fn is_identity(&self) -> bool {
        self.places == self.extent && (self.scale == 1.0 || self.extent == 1)
    }
}

/// Along an axis: numerator and denominator of the scale, the offset, and the number of positions.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Along {
    ratio: [i64; 2],
    offset: i64,
    places: usize,
}

impl Along {
    /// The nearest pixel of every position.
    fn nearest(&self, extent: usize) -> Vec<usize> {
        let [n, d] = self.ratio;
        let last = i64::try_from(extent).unwrap_or(i64::MAX) - 1;
        let pixel = |place: usize| {
            let at = i64::try_from(place).unwrap_or(i64::MAX).saturating_mul(d).saturating_add(self.offset);
            let rounded = at.div_euclid(n).saturating_add(i64::from(at.rem_euclid(n).saturating_mul(2) >= n));
            usize::try_from(rounded.clamp(0, last)).unwrap_or(0)
        };
        (0..self.places).map(pixel).collect()
    }
}

/// How each axis is scaled.
fn all_spans(shape: &[usize], scales: Option<Vec<f32>>, sizes: Option<Vec<i64>>) -> Outcome<Vec<Span>> {
    let mut spans = Vec::new();
    for (axis, &extent) in shape.iter().enumerate() {
        let scale = scales.as_ref().map(|scales| scales.get(axis).copied());
        let size = sizes.as_ref().map(|sizes| sizes.get(axis).and_then(|&n| usize::try_from(n).ok()));
        spans.push(match (scale, size) {
            #[allow(clippy::cast_precision_loss, reason = "extents of images are small")]
            (_, Some(Some(places))) if places > 0 => Span {
                extent,
                places,
                scale: places as f64 / extent as f64,
                ratio: Some(ratio_of(places, extent)),
            },
            (Some(Some(scale)), None) if scale.is_finite() && scale > 0.0 => scaled(extent, scale)?,
            _ => return invalid(format!("a scale or size for each of {} axes expected", shape.len())),
        });
    }
    Ok(spans)
}

/// An axis that is scaled.
fn scaled(extent: usize, scale: f32) -> Outcome<Span> {
    let wide = f64::from(scale);
    #[allow(clippy::cast_precision_loss, reason = "extents of images are small")]
    let places = (extent as f64 * wide).floor();
    if places < 1.0 || places > f64::from(u32::MAX) {
        return invalid(format!("a scale of {scale} for {extent} positions"));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and the limit")]
    let places = places as usize;
    Ok(Span { extent, places, scale: wide, ratio: fraction(wide) })
}

/// How each axis is resampled by TOSA.
fn all_axes(spans: &[Span], rules: &Rules<'_>) -> Outcome<Vec<Along>> {
    let of = |span: &Span| match span.ratio {
        Some(ratio) => along(span.extent, span.places, ratio, rules),
        None => {
            #[allow(clippy::cast_possible_truncation, reason = "a float of the file")]
            let scale = span.scale as f32;
            unsupported(format!("the scale {scale} is not a ratio of integers up to {MOST}"))
        }
    };
    spans.iter().map(of).collect()
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
    // All positions are at the one pixel.
    if extent == 1 && places <= 1 << 11 {
        return Ok(Along { ratio: [i64::try_from(places).unwrap_or(1), 1], offset: 0, places });
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
    if rules.mode == Mode::Nearest {
        let twice = |x: i64| x.saturating_mul(2);
        let moved = match rules.nearest {
            "round_prefer_ceil" => None,
            "round_prefer_floor" => Some(twice(offset).saturating_sub(1)),
            "ceil" => Some(twice(offset).saturating_add(n).saturating_sub(1)),
            _ => Some(twice(offset).saturating_sub(n)),
        };
        if let Some(moved) = moved {
            (n, d, offset) = (twice(n), twice(d), moved);
        }
    }
    let common = gcd(gcd(n, d), offset.saturating_abs()).max(1);
    // What is left of a rounding to the lower of two is less than a part.
    (n, d, offset) = (n / common, d / common, offset / common);
    if n > MOST || d == 0 || d >= n.saturating_mul(16) || offset < -n || offset >= n.saturating_mul(16) {
        return unsupported(format!(
            "resizing {extent} positions to {places} needs the scale {n}/{d}, outside TOSA's range"
        ));
    }
    Ok(Along { ratio: [n, d], offset, places })
}

impl Net {
    /// By TOSA's operator, or by matrices where it cannot.
    fn resized(&mut self, x: Flow, spans: &[Span], rules: &Rules<'_>) -> Outcome<(Flow, Option<i64>)> {
        let whole = |span: &Span| span.ratio == Some(ratio_of(span.places, span.extent));
        if rules.coordinates == "align_corners" && !spans.iter().all(whole) {
            return unsupported("corners are aligned only if the scale gives a whole number of positions");
        }
        if let Mode::Cubic { .. } = rules.mode {
            return Ok((self.resampled_by_matrices(x, spans, rules)?, None));
        }
        let floats = self.elem(x.id) == Elem::F32;
        let axes = all_axes(spans, rules);
        match axes.and_then(|axes| self.by_grid(x, &axes, rules.mode == Mode::Linear)) {
            Err(trouble)
                if trouble.kind == CauseKind::Unsupported && floats && rules.mode == Mode::Linear =>
            {
                Ok((self.resampled_by_matrices(x, spans, rules)?, None))
            }
            made => made,
        }
    }

    fn by_grid(&mut self, x: Flow, axes: &[Along], linear: bool) -> Outcome<(Flow, Option<i64>)> {
        let shape = self.shape(x);
        let (Some(channels), Some(space)) = (axes.get(..2), axes.get(2..)) else {
            return unsupported(format!("images are resized, got a tensor of shape {shape:?}"));
        };
        let identity = |extent: usize| Along { ratio: [1, 1], offset: 0, places: extent };
        if channels.iter().zip(&shape).any(|(along, &extent)| *along != identity(extent)) {
            return unsupported("only rows and columns of an image can be resized");
        }
        let unit = Along { ratio: [1, 1], offset: 0, places: 1 };
        let [rows, columns] = match *space {
            [columns] => [unit, columns],
            [rows, columns] => [rows, columns],
            _ => {
                return unsupported(format!(
                    "images of 1 or 2 dimensions are supported, got {}",
                    space.len()
                ));
            }
        };
        let (mut image, flat) = self.image(x)?;
        if !linear && self.elem(image) == Elem::I8 {
            // Codes are picked by movements, which every network of integers has.
            for (axis, along) in [(1, rows), (2, columns)] {
                let extent = listed(self.extents(image).get(axis).copied().unwrap_or(0))?;
                listed(along.places)?;
                image = self.pick_of(image, axis, &along.nearest(extent))?;
            }
            return Ok((self.of_file(x, image, flat)?, None));
        }
        let grid = |along: Along| {
            let [unit, step] = along.ratio.map(|d| usize::try_from(d).unwrap_or(0));
            Grid { unit, step, offset: along.offset, count: along.places }
        };
        let made = self.build.resize(image, [grid(rows), grid(columns)], linear)?;
        let units = (self.elem(made) == Elem::I32).then(|| rows.ratio[0].saturating_mul(columns.ratio[0]));
        Ok((self.of_file(x, made, flat)?, units))
    }
}
