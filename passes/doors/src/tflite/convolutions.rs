//! Convolutions and products of matrices. Invariant: weights get the layout and zero point that TOSA wants without changing a
//! product.

use strum_float::Window;
use strum_schemas::tflite::BuiltinOptionsRef as O;

use super::file::{Kind, Operator};
use super::importer::{Importer, Value};
use super::known::Known;
use super::operands;
use super::stop::{Step, Stop};
use super::windows::{is_same, positive, window};
use crate::integer::{self, Factor, Requantization};
use crate::tosa::{Builder, Elem, Id};

/// Weights in the graph.
struct Weights {
    /// Their value, of the file's shape.
    id: Id,
    zero_point: i32,
    /// One scale, or one for each channel; none for floats.
    scales: Vec<f32>,
}

/// The weights of an operator on codes or floats.
fn weights(importer: &mut Importer<'_>, tensor: usize, quantized: bool) -> Step<Weights> {
    let kind = importer.kind(tensor)?;
    if !quantized {
        return Ok(Weights { id: float_weights(importer, tensor)?, zero_point: 0, scales: Vec::new() });
    }
    if !kind.is_code() && kind != Kind::I4 {
        return Err(Stop::unsupported(format!("weights of {} for codes of 8 bits", kind.name())));
    }
    let (scales, zero_points) = scales(importer, tensor)?;
    let zero_point = zero_points.first().copied().unwrap_or(0);
    if zero_points.iter().any(|&z| z != zero_point) {
        return Err(Stop::unsupported("weights with different zero points for their channels"));
    }
    let shift = if kind == Kind::U8 { 128 } else { 0 };
    let zero_point =
        i32::try_from(zero_point - shift).map_err(|_| Stop::invalid("a zero point of weights"))?;
    if zero_point != 0
        && let Some(known) = importer.known(tensor)?
    {
        // Weights without a zero point are what the hardware stores best.
        importer.charge(known.count().saturating_mul(9))?;
        let centred: Vec<i64> =
            known.to_ints()?.iter().map(|code| code - shift - i64::from(zero_point)).collect();
        if centred.iter().all(|&w| i8::try_from(w).is_ok()) {
            let id = importer.build.ints(Elem::I8, &known.shape, &centred)?;
            return Ok(Weights { id, zero_point: 0, scales });
        }
    }
    Ok(Weights { id: importer.node(tensor)?, zero_point, scales })
}

/// Scales and zero points of weights.
fn scales(importer: &mut Importer<'_>, tensor: usize) -> Step<(Vec<f32>, Vec<i64>)> {
    let found = importer.tensor(tensor)?;
    let count = found.scales.map_or(0, |s| s.len());
    let (scales, zero_points) = (found.scales, found.zero_points);
    importer.charge(count.saturating_mul(12))?;
    let scales: Vec<f32> = scales.into_iter().flatten().collect();
    let zero_points: Vec<i64> = zero_points.into_iter().flatten().take(count).collect();
    if scales.is_empty() {
        return Err(Stop::unsupported("weights without a scale"));
    }
    Ok((scales, zero_points))
}

/// Weights of an operator on floats: codes are real numbers at once.
fn float_weights(importer: &mut Importer<'_>, tensor: usize) -> Step<Id> {
    let kind = importer.kind(tensor)?;
    if !kind.is_code() && kind != Kind::I4 {
        return importer.node(tensor);
    }
    let Some(known) = importer.known(tensor)? else {
        return Err(Stop::unsupported("codes that are computed as weights of floats"));
    };
    let real = dequantized(importer, tensor, &known)?;
    let id = real.constant(&mut importer.build)?;
    importer.put(tensor, Value::Node(id));
    Ok(id)
}

/// The real numbers of constant codes.
pub(super) fn dequantized(
    importer: &mut Importer<'_>,
    tensor: usize,
    known: &Known<'_>,
) -> Step<Known<'static>> {
    let (scales, zero_points) = scales(importer, tensor)?;
    importer.charge(known.count().saturating_mul(12))?;
    let axis = usize::try_from(importer.tensor(tensor)?.axis).unwrap_or(usize::MAX);
    let behind = known.shape.iter().skip(axis.saturating_add(1)).fold(1_usize, |n, &d| n.saturating_mul(d));
    if scales.len() > 1 && known.shape.get(axis) != Some(&scales.len()) {
        return Err(Stop::damaged(format!("{} scales along axis {axis} of {:?}", scales.len(), known.shape)));
    }
    let real = |(index, code): (usize, i64)| {
        let channel = if scales.len() > 1 { index / behind.max(1) % scales.len() } else { 0 };
        let zero = zero_points.get(channel).or(zero_points.first()).copied().unwrap_or(0);
        #[allow(clippy::cast_precision_loss, reason = "at most 9 bits")]
        let difference = code.saturating_sub(zero) as f32;
        scales.get(channel).copied().unwrap_or(0.0) * difference
    };
    let values = known.to_ints()?.into_iter().enumerate().map(real).collect();
    Ok(Known::floats(known.shape.clone(), values))
}

/// The factors from sums to codes. The kernel multiplies scales in f32 where it has one scale for all channels.
fn requantization(
    importer: &Importer<'_>,
    x: usize,
    scales: &[f32],
    result: usize,
    narrow: bool,
) -> Step<Requantization> {
    let (from, to) = (importer.codes(x)?, importer.codes(result)?);
    let narrow = narrow || importer.kind(x)? == Kind::U8;
    let factor = |&scale: &f32| {
        let product = if narrow && scales.len() == 1 {
            f64::from(integer::single(from.scale) * scale)
        } else {
            from.scale * f64::from(scale)
        };
        Factor::of(product / to.scale)
    };
    let factors = scales.iter().map(factor).collect::<Result<_, _>>()?;
    Ok(Requantization { factors, zero_point: to.zero_point })
}

/// The bias, or one 0 for all channels.
fn bias(importer: &mut Importer<'_>, tensor: Option<usize>, quantized: bool, channels: usize) -> Step<Id> {
    let Some(tensor) = tensor else {
        return Ok(importer.build.scalar(if quantized { Elem::I32 } else { Elem::F32 }, 0)?);
    };
    let kind = importer.kind(tensor)?;
    if quantized && kind != Kind::I32 {
        return Err(Stop::unsupported(format!("a bias of {} for codes of 8 bits", kind.name())));
    }
    if !quantized && !matches!(kind, Kind::F32 | Kind::F16) {
        return Err(Stop::unsupported(format!("a bias of {} for a layer of floats", kind.name())));
    }
    let id = importer.node(tensor)?;
    Ok(importer.build.reshape(id, &[channels]).or_else(|_| importer.build.reshape(id, &[1]))?)
}

/// The attributes that a convolution has.
struct Shape {
    same: bool,
    stride: [usize; 2],
    dilation: [usize; 2],
    activation: i8,
    depthwise: bool,
}

fn shape(op: &Operator<'_>) -> Step<Shape> {
    let (padding, stride, dilation, activation, depthwise) = match op.options {
        Some(O::Conv2DOptions(o)) => (
            o.padding()?,
            [o.stride_h()?, o.stride_w()?],
            [o.dilation_h_factor()?, o.dilation_w_factor()?],
            o.fused_activation_function()?,
            false,
        ),
        Some(O::DepthwiseConv2DOptions(o)) => (
            o.padding()?,
            [o.stride_h()?, o.stride_w()?],
            [o.dilation_h_factor()?, o.dilation_w_factor()?],
            o.fused_activation_function()?,
            true,
        ),
        _ => return Err(Stop::damaged("a convolution has no options")),
    };
    Ok(Shape {
        same: is_same(padding)?,
        stride: positive(stride, "a stride")?,
        dilation: positive(dilation, "a dilation")?,
        activation,
        depthwise,
    })
}

/// `CONV_2D`, `DEPTHWISE_CONV_2D`.
pub(super) fn convolution<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 2..=3)?;
    let (x, w, result) = (importer.operand(op, 0)?, importer.operand(op, 1)?, importer.result(op, 0)?);
    let mut shape = shape(op)?;
    let spread = match importer.value(x)? {
        Value::Spread(image, block, pads)
            if shape.stride == [1; 2] && shape.dilation == [1; 2] && !shape.same =>
        {
            shape.dilation = block;
            Some((image, block, pads))
        }
        _ => None,
    };
    let image = match spread {
        Some((image, ..)) => image,
        None => importer.node(x)?,
    };
    let quantized = importer.is_quantized(x)?;
    let weights = weights(importer, w, quantized)?;
    let (&[_, h, width, c], &[o, kh, kw, i]) =
        (importer.build.graph().shape(image), importer.build.graph().shape(weights.id))
    else {
        return Err(Stop::invalid("a convolution has an image and weights of four dimensions"));
    };
    let mut window = window(shape.same, [h, width], [kh, kw], shape.stride, shape.dilation)?;
    if let Some((_, _, [rows, columns])) = spread {
        (window.before, window.after) = ([rows[0], columns[0]], [rows[1], columns[1]]);
    }
    let channels = if shape.depthwise { i } else { o };
    let bias = bias(importer, importer.optional(op, 2), quantized, channels)?;
    let to =
        if quantized { Some(requantization(importer, x, &weights.scales, result, false)?) } else { None };
    let zero_points = [if quantized { importer.codes(x)?.zero_point } else { 0 }, weights.zero_point];
    let layer = Layer { zero_points, window, to };
    let build = &mut importer.build;
    let made = if shape.depthwise {
        let taps = build.reshape(weights.id, &[kh, kw, c, multiple(i, c)?])?;
        layer.conv(build, true, [image, taps, bias])?
    } else if i == c {
        layer.conv(build, false, [image, weights.id, bias])?
    } else if i == 1 && multiple(o, c).is_ok() {
        let taps = build.transpose(weights.id, &[1, 2, 0, 3])?;
        let taps = build.reshape(taps, &[kh, kw, c, o / c])?;
        layer.conv(build, true, [image, taps, bias])?
    } else {
        layer.grouped(build, [image, weights.id, bias], multiple(c, i)?)?
    };
    let made = importer.activated(result, made, shape.activation)?;
    match spread {
        Some((_, block, _)) => importer.set(op, 0, Value::Spread(made, block, [[0; 2]; 2])),
        None => importer.set_node(op, made),
    }
}

fn multiple(of: usize, unit: usize) -> Step<usize> {
    if unit > 0 && of >= unit && of.is_multiple_of(unit) {
        return Ok(of / unit);
    }
    Err(Stop::invalid(format!("weights of {unit} channels on an image of {of}")))
}

/// What the parts of a convolution have in common.
struct Layer {
    zero_points: [i32; 2],
    window: Window,
    /// None for floats.
    to: Option<Requantization>,
}

impl Layer {
    fn conv(&self, build: &mut Builder, depthwise: bool, operands: [Id; 3]) -> Step<Id> {
        Ok(match &self.to {
            Some(to) => integer::conv(build, depthwise, operands, self.zero_points, &self.window, to)?,
            None => build.conv(depthwise, operands, self.zero_points, &self.window)?,
        })
    }

    /// A convolution in groups, one after another.
    fn grouped(&self, build: &mut Builder, [image, weights, bias]: [Id; 3], groups: usize) -> Step<Id> {
        let graph = build.graph();
        let (&[n, h, w, c], &[o, kh, kw, i]) = (graph.shape(image), graph.shape(weights)) else {
            return Err(Stop::invalid("a convolution has an image and weights of four dimensions"));
        };
        let whole_bias = graph.shape(bias) == [o];
        if groups > 4096 || c != groups.saturating_mul(i) {
            return Err(Stop::unsupported(format!("a convolution in {groups} groups")));
        }
        let each = multiple(o, groups)?;
        let mut parts = Vec::new();
        for group in 0..groups {
            let image = build.slice(image, &[0, 0, 0, group * i], &[n, h, w, i])?;
            let taps = build.slice(weights, &[group * each, 0, 0, 0], &[each, kh, kw, i])?;
            let bias = if whole_bias { build.slice(bias, &[group * each], &[each])? } else { bias };
            let to = self.to.as_ref().map(|to| Requantization {
                factors: match to.factors.len() {
                    1 => to.factors.clone(),
                    _ => to.factors.iter().skip(group * each).take(each).copied().collect(),
                },
                ..*to
            });
            parts.push(Layer { to, ..*self }.conv(build, false, [image, taps, bias])?);
        }
        Ok(build.concat(&parts, 3)?)
    }
}

/// `FULLY_CONNECTED`, as a convolution of one pixel.
pub(super) fn fully_connected<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 2..=3)?;
    let (x, w, result) = (importer.operand(op, 0)?, importer.operand(op, 1)?, importer.result(op, 0)?);
    let (activation, keep) = match op.options {
        Some(O::FullyConnectedOptions(o)) if o.weights_format()? == 0 => {
            (o.fused_activation_function()?, o.keep_num_dims()?)
        }
        None => (0, false),
        _ => return Err(Stop::unsupported("weights in a shuffled order")),
    };
    let quantized = importer.is_quantized(x)?;
    let image = importer.node(x)?;
    let weights = weights(importer, w, quantized)?;
    let shape = importer.build.graph().shape(image).to_vec();
    let &[outputs, inputs] = importer.build.graph().shape(weights.id) else {
        return Err(Stop::invalid("weights of a fully connected layer have two dimensions"));
    };
    let count: usize = shape.iter().product();
    let rows = multiple(count, inputs)?;
    let bias = bias(importer, importer.optional(op, 2), quantized, outputs)?;
    let to = if quantized { Some(requantization(importer, x, &weights.scales, result, true)?) } else { None };
    let zero_points = [if quantized { importer.codes(x)?.zero_point } else { 0 }, weights.zero_point];
    let layer = Layer { zero_points, window: Window::UNIT, to };
    let build = &mut importer.build;
    let image = build.reshape(image, &[rows, 1, 1, inputs])?;
    let taps = build.reshape(weights.id, &[outputs, 1, 1, inputs])?;
    let made = layer.conv(build, false, [image, taps, bias])?;
    let to = match shape.split_last() {
        Some((&last, rest)) if keep && last == inputs => [rest, &[outputs]].concat(),
        _ => vec![rows, outputs],
    };
    let made = build.reshape(made, &to)?;
    importer.finish(op, made, activation)
}

/// `TRANSPOSE_CONV`.
pub(super) fn transposed<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 3..=4)?;
    let Some(O::TransposeConvOptions(o)) = op.options else {
        return Err(Stop::damaged("a transposed convolution has no options"));
    };
    let stride = positive([o.stride_h()?, o.stride_w()?], "a stride")?;
    let (same, activation) = (is_same(o.padding()?)?, o.fused_activation_function()?);
    let sizes = importer.operand(op, 0)?;
    let mut sizes = importer.sizes(sizes, "the shape of a transposed convolution")?;
    if sizes.len() == 4 {
        sizes = sizes.get(1..3).unwrap_or_default().to_vec();
    }
    let &[rows, columns] = &sizes[..] else {
        return Err(Stop::invalid("a transposed convolution has a shape of four extents"));
    };
    let tensors = [importer.operand(op, 2)?, importer.operand(op, 1)?];
    let bias = importer.optional(op, 3);
    transposed_conv(importer, op, tensors, bias, (stride, same, Some([rows, columns])), activation)
}

/// MediaPipe's transposed convolution with a bias: padding and strides are integers of 32 bits in its options.
pub(super) fn custom_transposed<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 3..=3)?;
    let numbers: Vec<i32> = op.custom_options.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b)).collect();
    let &[padding, width, height, ..] = &numbers[..] else {
        return Err(Stop::damaged("a custom transposed convolution has no options"));
    };
    let stride = positive([height, width], "a stride")?;
    let same = match padding {
        1 => true,
        2 => false,
        other => return Err(Stop::damaged(format!("padding of number {other}"))),
    };
    let tensors = [importer.operand(op, 0)?, importer.operand(op, 1)?];
    let bias = importer.optional(op, 2);
    transposed_conv(importer, op, tensors, bias, (stride, same, None), 0)
}

/// Strides, whether padding is SAME, and the result's rows and columns.
type Transposed = ([usize; 2], bool, Option<[usize; 2]>);

fn transposed_conv<'a>(
    importer: &mut Importer<'a>,
    op: &Operator<'a>,
    [x, w]: [usize; 2],
    bias_tensor: Option<usize>,
    (stride, same, sizes): Transposed,
    activation: i8,
) -> Step<()> {
    let result = importer.result(op, 0)?;
    let quantized = importer.is_quantized(x)?;
    let image = importer.node(x)?;
    let weights = weights(importer, w, quantized)?;
    let graph = importer.build.graph();
    let (&[_, h, width, _], &[o, kh, kw, _]) = (graph.shape(image), graph.shape(weights.id)) else {
        return Err(Stop::invalid("a transposed convolution has an image and weights of four dimensions"));
    };
    let mut around = [[0_i64; 2]; 2];
    for (axis, (extent, kernel)) in [(h, kh), (width, kw)].into_iter().enumerate() {
        let step = stride.get(axis).copied().unwrap_or(1);
        let reach = (extent - 1).saturating_mul(step).saturating_add(kernel);
        let size = match sizes.and_then(|s| s.get(axis).copied()) {
            Some(size) => size,
            None if same => extent.saturating_mul(step),
            None => reach,
        };
        let before = if same { reach.saturating_sub(size) / 2 } else { 0 };
        let wide = |d: usize| i64::try_from(d).unwrap_or(i64::MAX);
        if let Some(pair) = around.get_mut(axis) {
            *pair = [-wide(before), wide(size).saturating_sub(wide(reach)).saturating_add(wide(before))];
        }
    }
    let bias = bias(importer, bias_tensor, quantized, o)?;
    let zero_points = [if quantized { importer.codes(x)?.zero_point } else { 0 }, weights.zero_point];
    let operands = [image, weights.id, bias];
    let made = if quantized {
        let to = requantization(importer, x, &weights.scales, result, false)?;
        integer::transpose_conv(&mut importer.build, operands, zero_points, around, stride, &to)?
    } else {
        importer.build.transpose_conv(operands, zero_points, around, stride)?
    };
    importer.finish(op, made, activation)
}

/// The matrices of an operand one behind the other, and its extents in front of theirs.
fn matrices(importer: &mut Importer<'_>, tensor: usize, adjoint: bool) -> Step<(Id, Vec<usize>)> {
    let id = importer.node(tensor)?;
    let shape = importer.build.graph().shape(id).to_vec();
    let (batch, &[rows, columns]) = shape.split_at(shape.len().saturating_sub(2)) else {
        return Err(Stop::invalid(format!("a product of a matrix of shape {shape:?}")));
    };
    let all = importer.build.reshape(id, &[batch.iter().product(), rows, columns])?;
    let all = if adjoint { importer.build.transpose(all, &[0, 2, 1])? } else { all };
    Ok((all, batch.to_vec()))
}

/// `BATCH_MATMUL`.
pub(super) fn batch_matmul<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 2..=2)?;
    let (a, b, result) = (importer.operand(op, 0)?, importer.operand(op, 1)?, importer.result(op, 0)?);
    let (adjoint_a, adjoint_b) = match op.options {
        Some(O::BatchMatMulOptions(o)) => (o.adj_x()?, o.adj_y()?),
        _ => (false, false),
    };
    let quantized = importer.is_quantized(a)?;
    let kinds = [importer.kind(a)?, importer.kind(b)?];
    if kinds[0] != kinds[1] && (quantized || importer.is_quantized(b)?) {
        let [x, y] = kinds.map(Kind::name);
        return Err(Stop::unsupported(format!("a product of matrices of {x} and {y}")));
    }
    let (left, batch) = matrices(importer, a, adjoint_a)?;
    let (right, other) = matrices(importer, b, adjoint_b)?;
    if batch != other {
        return Err(Stop::unsupported(format!("a product of matrices of batches {batch:?} and {other:?}")));
    }
    let made = if quantized {
        let codes = [importer.codes(a)?, importer.codes(b)?];
        let to = requantization(importer, a, &[integer::single(codes[1].scale)], result, true)?;
        integer::matmul(&mut importer.build, [left, right], codes.map(|c| c.zero_point), &to)?
    } else {
        importer.build.matmul([left, right], [0; 2])?
    };
    let rows = importer.build.graph().shape(made).get(1..).unwrap_or_default().to_vec();
    let made = importer.build.reshape(made, &[&batch[..], &rows].concat())?;
    importer.set_node(op, made)
}
