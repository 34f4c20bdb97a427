//! Windows of convolutions and poolings. Invariant: one-dimensional images are images of one row.

use strum_float::Window;

use crate::onnx::node::Node;
use crate::onnx::trouble::{Outcome, invalid, unsupported};
use crate::onnx::value::{Flow, Net};
use crate::tosa::Id;

/// A kernel's movement over an image of one or two dimensions.
#[derive(Clone, Copy, Debug)]
pub(in crate::onnx) struct Sliding {
    /// Rows and columns.
    pub(in crate::onnx) kernel: [usize; 2],
    /// Strides, dilations and padding.
    pub(in crate::onnx) window: Window,
}

/// Two numbers from those of one or two dimensions.
pub(in crate::onnx) fn pair(list: &[usize], one: usize) -> Outcome<[usize; 2]> {
    match *list {
        [columns] => Ok([one, columns]),
        [rows, columns] => Ok([rows, columns]),
        _ => unsupported(format!("images of 1 or 2 dimensions are supported, got {}", list.len())),
    }
}

/// Strides, dilations and padding of an operator; `extents` are those of the image.
pub(in crate::onnx) fn sliding(node: &Node<'_>, extents: &[usize], kernel: &[usize]) -> Outcome<Sliding> {
    let dims = extents.len();
    let list = |name, least, default| -> Outcome<Vec<usize>> {
        let list = node.extents(name, least)?.unwrap_or_else(|| vec![default; dims]);
        if list.len() == dims {
            Ok(list)
        } else {
            invalid(format!("the attribute '{name}' must have {dims} elements, got {}", list.len()))
        }
    };
    if kernel.len() != dims || kernel.contains(&0) {
        return invalid(format!("a kernel of {kernel:?} for an image of {extents:?}"));
    }
    let (stride, dilation) = (list("strides", 1, 1)?, list("dilations", 1, 1)?);
    let mut pads = node.extents("pads", 0)?.unwrap_or_else(|| vec![0; 2 * dims]);
    let auto = node.text("auto_pad")?.unwrap_or("NOTSET");
    match auto {
        "NOTSET" | "" => {}
        "VALID" => pads = vec![0; 2 * dims],
        "SAME_UPPER" | "SAME_LOWER" => pads = same(auto, extents, kernel, &stride, &dilation),
        _ => return invalid(format!("the padding '{auto}' is not defined by ONNX")),
    }
    let (Some(before), Some(after), true) = (pads.get(..dims), pads.get(dims..), pads.len() == 2 * dims)
    else {
        return invalid(format!("the attribute 'pads' must have {} elements, got {}", 2 * dims, pads.len()));
    };
    let window = Window {
        stride: pair(&stride, 1)?,
        dilation: pair(&dilation, 1)?,
        before: pair(before, 0)?,
        after: pair(after, 0)?,
    };
    Ok(Sliding { kernel: pair(kernel, 1)?, window })
}

/// Padding by which every position of a stride has its window.
fn same(auto: &str, extents: &[usize], kernel: &[usize], stride: &[usize], dilation: &[usize]) -> Vec<usize> {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for (((&n, &k), &s), &d) in extents.iter().zip(kernel).zip(stride).zip(dilation) {
        let reach = (k - 1).saturating_mul(d).saturating_add(1);
        let total = (n.div_ceil(s) - 1).saturating_mul(s).saturating_add(reach).saturating_sub(n);
        let less = total / 2;
        let (b, a) = if auto == "SAME_UPPER" { (less, total - less) } else { (total - less, less) };
        before.push(b);
        after.push(a);
    }
    [before, after].concat()
}

impl Net {
    /// An image with channels last and two dimensions, and whether it has only one in the file.
    pub(in crate::onnx) fn image(&mut self, x: Flow) -> Outcome<(Id, bool)> {
        let id = self.last(x)?;
        match *self.extents(id).as_slice() {
            [_, _, _, _] => Ok((id, false)),
            [n, w, c] => Ok((self.build.reshape(id, &[n, 1, w, c])?, true)),
            ref shape => {
                unsupported(format!("images of 1 or 2 dimensions are supported, got {}", shape.len() - 2))
            }
        }
    }

    /// The inverse of [`Net::image`], for a value like `x`.
    pub(in crate::onnx) fn of_file(&mut self, x: Flow, id: Id, one: bool) -> Outcome<Flow> {
        let id = match *self.extents(id).as_slice() {
            [n, h, w, c] if one => self.build.reshape(id, &[n, h * w, c])?,
            _ => id,
        };
        Ok(x.with(id, true))
    }
}
