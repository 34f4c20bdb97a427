//! Convolutions and poolings. Invariant: windows fit their images exactly, as TOSA requires: what no window reaches is sliced off.

use strum_float::geometry::{Axis, Exact};
use strum_float::{PoolKind, Window};

use super::build::{Builder, Fault, fault, wide};
use super::{Attribute, Elem, Id, Operand};

/// A window on the part of an image that it reaches.
struct Fitted {
    /// That part.
    image: Id,
    /// Rows and columns of padding behind it.
    after: [usize; 2],
    /// Rows and columns of the result.
    made: [usize; 2],
    /// Those of them that are wanted.
    kept: [usize; 2],
}

impl Builder {
    /// A window on an image, by TOSA's rule that the last window ends at the end of the padded image.
    fn fit(
        &mut self,
        op: &'static str,
        image: Id,
        kernel: [usize; 2],
        window: &Window,
    ) -> Result<Fitted, Fault> {
        let ([n, h, w, c], _) = self.image(op, image)?;
        let extents = [h, w];
        let (mut reached, mut after, mut made, mut kept) = (extents, window.after, [0; 2], [0; 2]);
        for axis in 0..2 {
            let pick = |pair: &[usize; 2]| pair.get(axis).map_or(0, |&d| d as u64);
            let of = Axis {
                input: pick(&extents),
                before: pick(&window.before),
                after: pick(&window.after),
                kernel: pick(&kernel),
                stride: pick(&window.stride),
                dilation: pick(&window.dilation),
            };
            let windows = of.windows().map(|(windows, _)| windows);
            let (Some(windows), Some(exact)) = (windows, of.exact()) else {
                return fault(op, format!("a window of {kernel:?} does not fit an image of {extents:?}"));
            };
            let (input, behind, count) = match exact {
                Exact::Cut { input, after } => (input, after, windows),
                Exact::Grow { after } => (of.input, after, windows + 1),
            };
            let sizes = [input, behind, count, windows].map(usize::try_from);
            let ([Some(a), Some(b), Some(c), Some(d)], [Ok(input), Ok(behind), Ok(count), Ok(windows)]) =
                ([reached.get_mut(axis), after.get_mut(axis), made.get_mut(axis), kept.get_mut(axis)], sizes)
            else {
                return fault(op, format!("a window of {kernel:?} on an image of {extents:?}"));
            };
            (*a, *b, *c, *d) = (input, behind, count, windows);
        }
        let [rows, columns] = reached;
        let image =
            if reached == extents { image } else { self.slice(image, &[0; 4], &[n, rows, columns, c])? };
        Ok(Fitted { image, after, made, kept })
    }

    fn keep(&mut self, result: Id, fitted: &Fitted) -> Result<Id, Fault> {
        let (([n, _, _, c], _), [rows, columns]) = (self.image("slice", result)?, fitted.kept);
        self.slice(result, &[0; 4], &[n, rows, columns, c])
    }

    /// `conv2d` or `depthwise_conv2d`, rounding extents down. Weights are OHWI or HWCM; zero points are those of image and
    /// weights, and 0 for floats.
    ///
    /// # Errors
    /// Shapes or types do not match.
    pub fn conv(
        &mut self,
        depthwise: bool,
        [image, weights, bias]: [Id; 3],
        [image_zp, weights_zp]: [i32; 2],
        window: &Window,
    ) -> Result<Id, Fault> {
        let op = if depthwise { "depthwise_conv2d" } else { "conv2d" };
        let ([n, _, _, c], elem) = self.image(op, image)?;
        let (taps, weights_elem) = self.image(op, weights)?;
        let (kernel, inputs, outputs) = match (depthwise, taps) {
            (false, [oc, kh, kw, ic]) => ([kh, kw], ic, oc),
            (true, [kh, kw, ic, m]) => ([kh, kw], ic, ic.saturating_mul(m)),
        };
        let (bias_shape, bias_elem) = self.of(op, bias)?;
        if inputs != c || !matches!(bias_shape[..], [b] if b == 1 || b == outputs) {
            let reason = format!("weights {taps:?} and bias {bias_shape:?} on an image of {c} channels");
            return fault(op, reason);
        }
        check_elements(op, elem, weights_elem, bias_elem)?;
        let fitted = self.fit(op, image, kernel, window)?;
        let zero_points = [self.scalar(elem, image_zp)?, self.scalar(weights_elem, weights_zp)?];
        let operands =
            [fitted.image, weights, bias].into_iter().chain(zero_points).map(Operand::Value).collect();
        let attributes = vec![
            ("acc_type", Attribute::Type(bias_elem)),
            ("dilation", pair(window.dilation)),
            ("pad", pads(window.before, fitted.after)),
            ("stride", pair(window.stride)),
        ];
        let [rows, columns] = fitted.made;
        let made = self.push(op, operands, attributes, &[n, rows, columns, outputs], bias_elem)?;
        self.keep(made, &fitted)
    }

    /// `transpose_conv2d`. Weights are OHWI; `around` is the padding of the result's rows and columns, before and behind, negative
    /// where the result is cut.
    ///
    /// # Errors
    /// Shapes or types do not match.
    pub fn transpose_conv(
        &mut self,
        [image, weights, bias]: [Id; 3],
        [image_zp, weights_zp]: [i32; 2],
        around: [[i64; 2]; 2],
        stride: [usize; 2],
    ) -> Result<Id, Fault> {
        let op = "transpose_conv2d";
        let (([n, h, w, c], elem), ([outputs, kh, kw, inputs], weights_elem)) =
            (self.image(op, image)?, self.image(op, weights)?);
        let (bias_shape, bias_elem) = self.of(op, bias)?;
        if inputs != c || !matches!(bias_shape[..], [b] if b == 1 || b == outputs) {
            let reason = format!("weights of {inputs} channels and bias {bias_shape:?} on an image of {c}");
            return fault(op, reason);
        }
        check_elements(op, elem, weights_elem, bias_elem)?;
        let extent = |d: usize, kernel: usize, [before, behind]: [i64; 2], stride: usize| {
            let taps = wide(d - 1).checked_mul(wide(stride))?.checked_add(wide(kernel))?;
            let padded = taps.checked_add(before)?.checked_add(behind)?;
            let within = before > -wide(kernel) && behind > -wide(kernel) && stride > 0;
            usize::try_from(padded).ok().filter(|&d| d > 0 && within)
        };
        let [rows, columns] = around;
        let (Some(rows), Some(columns)) = (extent(h, kh, rows, stride[0]), extent(w, kw, columns, stride[1]))
        else {
            return fault(op, format!("a window of {:?} with padding {around:?}", [kh, kw]));
        };
        let zero_points = [self.scalar(elem, image_zp)?, self.scalar(weights_elem, weights_zp)?];
        let operands = [image, weights, bias].into_iter().chain(zero_points).map(Operand::Value).collect();
        let attributes = vec![
            ("acc_type", Attribute::Type(bias_elem)),
            ("out_pad", Attribute::Ints64(around.as_flattened().to_vec())),
            ("stride", pair(stride)),
        ];
        self.push(op, operands, attributes, &[n, rows, columns, outputs], bias_elem)
    }

    /// `avg_pool2d` or `max_pool2d`, rounding extents down; `zp` is that of input and result of a mean.
    ///
    /// # Errors
    /// The window does not fit.
    pub fn pool(
        &mut self,
        kind: PoolKind,
        image: Id,
        kernel: [usize; 2],
        window: &Window,
        zp: i32,
    ) -> Result<Id, Fault> {
        let op = if kind == PoolKind::Average { "avg_pool2d" } else { "max_pool2d" };
        let ([n, _, _, c], elem) = self.image(op, image)?;
        let fitted = self.fit(op, image, kernel, window)?;
        let mut operands = vec![Operand::Value(fitted.image)];
        let mut attributes = vec![
            ("kernel", pair(kernel)),
            ("pad", pads(window.before, fitted.after)),
            ("stride", pair(window.stride)),
        ];
        match kind {
            PoolKind::Average => {
                let zp = self.scalar(elem, zp)?;
                operands.extend([Operand::Value(zp), Operand::Value(zp)]);
                let acc = if elem == Elem::F32 { Elem::F32 } else { Elem::I32 };
                attributes.insert(0, ("acc_type", Attribute::Type(acc)));
            }
            PoolKind::Max => {}
        }
        let [rows, columns] = fitted.made;
        let made = self.push(op, operands, attributes, &[n, rows, columns, c], elem)?;
        self.keep(made, &fitted)
    }
}

/// Elements of image, weights and bias that TOSA multiplies and adds.
fn check_elements(op: &'static str, image: Elem, weights: Elem, bias: Elem) -> Result<(), Fault> {
    let fits = match image {
        Elem::F32 => [weights, bias] == [Elem::F32; 2],
        Elem::I8 => matches!(weights, Elem::I4 | Elem::I8) && bias == Elem::I32,
        Elem::I16 => weights == Elem::I8 && bias == Elem::I48,
        Elem::Bool | Elem::I4 | Elem::I32 | Elem::I48 => false,
    };
    if fits {
        return Ok(());
    }
    let [image, weights, bias] = [image, weights, bias].map(Elem::name);
    fault(op, format!("weights of {weights} and a bias of {bias} on an image of {image}"))
}

fn pair(pair: [usize; 2]) -> Attribute {
    Attribute::Ints64(pair.map(wide).to_vec())
}

fn pads([top, left]: [usize; 2], [bottom, right]: [usize; 2]) -> Attribute {
    Attribute::Ints64([top, bottom, left, right].map(wide).to_vec())
}
