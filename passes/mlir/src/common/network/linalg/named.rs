//! Named operators of linalg.

use strum_float::{Binary, Op, Pool, PoolKind, ValueId, Window};
use strum_ir::{Operation, Reported};

use crate::common::network::{Reader, internal};
use crate::common::verdict::UNSUPPORTED;

/// From NCHW to NHWC, and back.
const TO_NHWC: [usize; 4] = [0, 2, 3, 1];
const TO_NCHW: [usize; 4] = [0, 3, 1, 2];

/// The layout of a convolution's input and weights: the permutations into the graph's layout.
struct Layout {
    channels_first: bool,
    weights: Weights,
}

enum Weights {
    /// OHWI by this permutation.
    Full([usize; 4]),
    /// HWC by this permutation, then one output channel for each.
    Depthwise([usize; 3]),
    /// HWCM already; the result has both channel axes.
    Multiplied,
}

fn layout(name: &str) -> Option<Layout> {
    let (channels_first, weights) = match name {
        "linalg.conv_2d_nchw_fchw" => (true, Weights::Full([0, 2, 3, 1])),
        "linalg.conv_2d_nhwc_hwcf" => (false, Weights::Full([3, 0, 1, 2])),
        "linalg.conv_2d_nhwc_fhwc" => (false, Weights::Full([0, 1, 2, 3])),
        "linalg.depthwise_conv_2d_nchw_chw" => (true, Weights::Depthwise([1, 2, 0])),
        "linalg.depthwise_conv_2d_nhwc_hwc" => (false, Weights::Depthwise([0, 1, 2])),
        "linalg.depthwise_conv_2d_nhwc_hwcm" => (false, Weights::Multiplied),
        _ => return None,
    };
    Some(Layout { channels_first, weights })
}

fn pooling(name: &str) -> Option<(bool, PoolKind)> {
    Some(match name {
        "linalg.pooling_nchw_max" => (true, PoolKind::Max),
        "linalg.pooling_nchw_sum" => (true, PoolKind::Average),
        "linalg.pooling_nhwc_max" => (false, PoolKind::Max),
        "linalg.pooling_nhwc_sum" => (false, PoolKind::Average),
        _ => return None,
    })
}

impl<'c> Reader<'c> {
    pub(super) fn named(&mut self, op: Operation<'c>, name: &str) -> Result<ValueId, Reported> {
        if let Some(layout) = layout(name) {
            return self.named_conv(op, &layout);
        }
        if let Some((channels_first, kind)) = pooling(name) {
            return self.named_pool(op, channels_first, kind);
        }
        match name {
            "linalg.conv_2d_ngchw_gfchw" | "linalg.conv_2d_ngchw_fgchw" => {
                self.grouped_conv(op, name == "linalg.conv_2d_ngchw_fgchw")
            }
            "linalg.matmul" => {
                self.plain_maps(op)?;
                let (a, b) = (self.whole(op, 0)?, self.whole(op, 1)?);
                let three = |shape: &[usize]| [&[1], shape].concat();
                let (sa, sb) = (three(self.graph.shape(a)), three(self.graph.shape(b)));
                let (a, b) = (
                    self.push(op, Op::Reshape { shape: sa }, &[a])?,
                    self.push(op, Op::Reshape { shape: sb }, &[b])?,
                );
                let product = self.push(op, Op::Matmul, &[a, b])?;
                let shape = self.graph.shape(product).get(1..).unwrap_or_default().to_vec();
                let product = self.push(op, Op::Reshape { shape }, &[product])?;
                self.added(op, product, 2)
            }
            "linalg.batch_matmul" => {
                self.plain_maps(op)?;
                let operands = [self.whole(op, 0)?, self.whole(op, 1)?];
                let product = self.push(op, Op::Matmul, &operands)?;
                self.added(op, product, 2)
            }
            "linalg.transpose" => {
                let perms = op.ints_attr("permutation").unwrap_or_default();
                let perms: Option<Vec<usize>> = perms.into_iter().map(|p| usize::try_from(p).ok()).collect();
                let x = self.whole(op, 0)?;
                self.turned(op, x, &perms.unwrap_or_default())
            }
            _ => Err(crate::common::network::unknown(op)),
        }
    }

    fn named_conv(&mut self, op: Operation<'c>, layout: &Layout) -> Result<ValueId, Reported> {
        let window = window(op)?;
        let mut image = self.whole(op, 0)?;
        let weights = self.whole(op, 1)?;
        if layout.channels_first {
            image = self.turned(op, image, &TO_NHWC)?;
        }
        let (node, weights) = match &layout.weights {
            Weights::Full(order) => (Op::Conv2d(window), self.turned(op, weights, order)?),
            Weights::Depthwise(order) => {
                let weights = self.turned(op, weights, order)?;
                let shape = [self.graph.shape(weights), &[1]].concat();
                (Op::DepthwiseConv2d(window), self.push(op, Op::Reshape { shape }, &[weights])?)
            }
            Weights::Multiplied => (Op::DepthwiseConv2d(window), weights),
        };
        let bias = self.zeros(op, &[1])?;
        let mut sums = self.push(op, node, &[image, weights, bias])?;
        if let Weights::Multiplied = layout.weights {
            let (&[n, h, w, _], &[_, _, c, m]) = (self.graph.shape(sums), self.graph.shape(weights)) else {
                return Err(internal(op, "a convolution without four axes"));
            };
            sums = self.push(op, Op::Reshape { shape: vec![n, h, w, c, m] }, &[sums])?;
        }
        if layout.channels_first {
            sums = self.turned(op, sums, &TO_NCHW)?;
        }
        self.added(op, sums, 2)
    }

    /// A grouped convolution: image `[n, g, c, h, w]`, weights `[g, f, c, kh, kw]`, or with the first two axes swapped, result
    /// `[n, g, f, oh, ow]`.
    fn grouped_conv(&mut self, op: Operation<'c>, filters_first: bool) -> Result<ValueId, Reported> {
        let window = window(op)?;
        let (image, mut weights) = (self.whole(op, 0)?, self.whole(op, 1)?);
        if filters_first {
            weights = self.turned(op, weights, &[1, 0, 2, 3, 4])?;
        }
        let (&[n, g, c, h, w], &[groups, f, channels, ..]) =
            (self.graph.shape(image), self.graph.shape(weights))
        else {
            return Err(internal(op, "a grouped convolution without five axes"));
        };
        if (groups, channels) != (g, c) {
            return Err(internal(op, format_args!("weights of {groups} groups of {channels} channels")));
        }
        let image = self.push(op, Op::Reshape { shape: vec![n, g * c, h, w] }, &[image])?;
        let image = self.turned(op, image, &TO_NHWC)?;
        let (bias, init) = self.bias_of(op, g, f)?;
        let sums = if c == 1 {
            let weights = self.turned(op, weights, &[3, 4, 0, 1, 2])?;
            let shape = self.graph.shape(weights).get(..4).unwrap_or_default().to_vec();
            let weights = self.push(op, Op::Reshape { shape }, &[weights])?;
            self.push(op, Op::DepthwiseConv2d(window), &[image, weights, bias])?
        } else {
            let mut parts = Vec::with_capacity(g);
            for group in 0..g {
                let (start, size) = (vec![0, 0, 0, group * c], vec![n, h, w, c]);
                let image = self.push(op, Op::Slice { start, size }, &[image])?;
                let mut size = self.graph.shape(weights).to_vec();
                size.iter_mut().take(1).for_each(|extent| *extent = 1);
                let own = self.push(op, Op::Slice { start: vec![group, 0, 0, 0, 0], size }, &[weights])?;
                let shape = self.graph.shape(own).get(1..).unwrap_or_default().to_vec();
                let own = self.push(op, Op::Reshape { shape }, &[own])?;
                let own = self.turned(op, own, &[0, 2, 3, 1])?;
                let bias = self.push(op, Op::Slice { start: vec![group * f], size: vec![f] }, &[bias])?;
                parts.push(self.push(op, Op::Conv2d(window), &[image, own, bias])?);
            }
            self.push(op, Op::Concat { axis: 3 }, &parts)?
        };
        let sums = self.turned(op, sums, &TO_NCHW)?;
        let &[_, _, oh, ow] = self.graph.shape(sums) else {
            return Err(internal(op, "a grouped convolution without four axes"));
        };
        let sums = self.push(op, Op::Reshape { shape: vec![n, g, f, oh, ow] }, &[sums])?;
        match init {
            Some(init) => self.push(op, Op::Binary(Binary::Add), &[sums, init]),
            None => Ok(sums),
        }
    }

    /// The initial value of a grouped convolution: a bias if it is a constant per channel, otherwise an addition.
    fn bias_of(
        &mut self,
        op: Operation<'c>,
        g: usize,
        f: usize,
    ) -> Result<(ValueId, Option<ValueId>), Reported> {
        let init = self.narrow(op, 2)?;
        let number = self.graph.constant_of(init).and_then(|t| t.first().copied().filter(|_| t.len() == 1));
        if let Some(number) = number {
            let bias = self.constant(op, strum_float::Tensor::from_elem(vec![g * f], number))?;
            return Ok((bias, None));
        }
        if self.graph.shape(init) == [1, g, f, 1, 1] && self.graph.constant_of(init).is_some() {
            let bias = self.push(op, Op::Reshape { shape: vec![g * f] }, &[init])?;
            return Ok((bias, None));
        }
        Ok((self.zeros(op, &[g * f])?, Some(init)))
    }

    fn named_pool(
        &mut self,
        op: Operation<'c>,
        channels_first: bool,
        kind: PoolKind,
    ) -> Result<ValueId, Reported> {
        let kernel = op.operand(1).and_then(|value| value.ty().shape());
        let kernel =
            kernel.and_then(|shape| <[i64; 2]>::try_from(shape).ok()).map(|k| k.map(usize::try_from));
        let Some([Ok(kh), Ok(kw)]) = kernel else {
            return Err(
                op.error(format_args!("{UNSUPPORTED}the window of a pooling must be a static 2-D tensor"))
            );
        };
        let window = window(op)?;
        if window.dilation != [1; 2] {
            return Err(op.error(format_args!("{UNSUPPORTED}a pooling with dilation is not supported")));
        }
        let mut image = self.whole(op, 0)?;
        if channels_first {
            image = self.turned(op, image, &TO_NHWC)?;
        }
        image = self.reached(op, image, [kh, kw], &window, channels_first)?;
        let mut pooled = self.push(op, Op::Pool(Pool { kind, kernel: [kh, kw], window }), &[image])?;
        if kind == PoolKind::Average {
            // A sum is the mean times the taps, all of which lie in the image.
            #[allow(clippy::cast_precision_loss, reason = "a kernel has far fewer than 2^52 taps")]
            let taps = self.number(op, (kh * kw) as f64, 4)?;
            pooled = self.push(op, Op::Binary(Binary::Mul), &[pooled, taps])?;
        }
        if channels_first {
            pooled = self.turned(op, pooled, &TO_NCHW)?;
        }
        if kind == PoolKind::Average {
            return self.added(op, pooled, 2);
        }
        let init = self.narrow(op, 2)?;
        match self.graph.constant_of(init) {
            Some(t) if t.iter().all(|&x| x <= f32::MIN) => Ok(pooled),
            _ => self.push(op, Op::Binary(Binary::Maximum), &[pooled, init]),
        }
    }

    /// The part of an NHWC image that windows reach: linalg moves them as often as the result has elements, which may be less
    /// often than the image has room for.
    fn reached(
        &mut self,
        op: Operation<'c>,
        image: ValueId,
        kernel: [usize; 2],
        window: &Window,
        channels_first: bool,
    ) -> Result<ValueId, Reported> {
        let result = op.result(0).ok_or_else(|| internal(op, "no result"))?;
        let wanted = crate::common::network::shape(result.ty()).map_err(|reason| op.error(reason))?;
        let mut size = self.graph.shape(image).to_vec();
        let places = wanted.get(if channels_first { 2..4 } else { 1..3 }).unwrap_or_default();
        let axes = kernel.iter().zip(places).zip(window.stride).zip(window.dilation);
        for (extent, (((taps, places), stride), dilation)) in size.iter_mut().skip(1).zip(axes) {
            let last = places.saturating_sub(1).saturating_mul(stride);
            let reach = taps.saturating_sub(1).saturating_mul(dilation).saturating_add(1);
            // A whole stride more is a position that the result does not have; less is what windows leave over anyway.
            if last.saturating_add(reach).saturating_add(stride) <= *extent {
                *extent = last + reach;
            }
        }
        self.push(op, Op::Slice { start: vec![0; 4], size }, &[image])
    }

    /// Matrix products may have transposing maps; those are not supported.
    fn plain_maps(&self, op: Operation<'c>) -> Result<(), Reported> {
        let maps = op.attribute("indexing_maps").map(|maps| maps.to_string());
        let plain = [
            "[affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>]",
            "[affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d3, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>]",
        ];
        match maps {
            Some(maps) if !plain.contains(&maps.as_str()) => Err(op.error(format_args!(
                "{UNSUPPORTED}custom indexing maps are not supported: {maps} (use linalg.transpose)"
            ))),
            _ => Ok(()),
        }
    }
}

/// Strides and dilations; linalg pads beforehand.
fn window(op: Operation<'_>) -> Result<Window, Reported> {
    let pair = |name: &str| -> Result<[usize; 2], Reported> {
        if op.attribute(name).is_none() {
            return Ok([1; 2]);
        }
        let list = op.ints_attr(name).unwrap_or_default();
        match <[i64; 2]>::try_from(list).map(|pair| pair.map(usize::try_from)) {
            Ok([Ok(a), Ok(b)]) => Ok([a, b]),
            _ => Err(internal(op, format_args!("{name} are not two numbers"))),
        }
    };
    Ok(Window { stride: pair("strides")?, dilation: pair("dilations")?, ..Window::UNIT })
}
