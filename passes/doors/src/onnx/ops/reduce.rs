//! Reductions. Invariant: axes are those of the file; what is reduced away is removed last.

use crate::onnx::call::{Call, one};
use crate::onnx::fold;
use crate::onnx::node::axis_of;
use crate::onnx::trouble::{Outcome, unsupported};
use crate::onnx::value::{Flow, Net, Value};
use crate::tosa::Elem;

/// `ReduceMean` and its kin.
pub(in crate::onnx) fn reduce(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let keep = call.node.flag("keepdims", true)?;
    let x = match call.node.kind() {
        "ReduceMax" | "ReduceMin" => net.flow(call.moved(net, 0)?)?,
        _ => call.floats(net, 0)?,
    };
    let shape = net.shape(x);
    let axes = fold::axes(&call.node, call.operands(), shape.len())?;
    let made = net.reduced(call.node.kind(), x, &axes)?;
    one(net.without(made, &axes, keep)?)
}

impl Net {
    /// Reduced along axes of the file, whose extents become 1.
    pub(in crate::onnx) fn reduced(&mut self, kind: &str, x: Flow, axes: &[usize]) -> Outcome<Flow> {
        match kind {
            "ReduceMean" => self.mean(x, axes),
            "ReduceMax" => self.reduce("reduce_max", x, axes),
            "ReduceMin" => self.reduce("reduce_min", x, axes),
            "ReduceProd" => self.reduce("reduce_product", x, axes),
            "ReduceL1" => {
                let size = self.unary("abs", x)?;
                self.reduce("reduce_sum", size, axes)
            }
            "ReduceL2" | "ReduceSumSquare" => {
                let square = self.binary("mul", x, x)?;
                let sum = self.reduce("reduce_sum", square, axes)?;
                if kind == "ReduceL2" { self.root(sum) } else { Ok(sum) }
            }
            "ReduceLogSumExp" => {
                let greatest = self.reduce("reduce_max", x, axes)?;
                let (powers, _) = self.exponentials(x, axes)?;
                let sum = self.reduce("reduce_sum", powers, axes)?;
                let log = self.unary("log", sum)?;
                self.binary("add", greatest, log)
            }
            kind => {
                let sum = self.reduce("reduce_sum", x, axes)?;
                if kind == "ReduceLogSum" { self.unary("log", sum) } else { Ok(sum) }
            }
        }
    }

    /// Without axes of extent 1, unless they are kept.
    pub(in crate::onnx) fn without(&mut self, x: Flow, axes: &[usize], keep: bool) -> Outcome<Value> {
        if keep {
            return Ok(x.into());
        }
        let shape = self.shape(x);
        let kept: Vec<usize> =
            shape.iter().enumerate().filter(|(axis, _)| !axes.contains(axis)).map(|(_, &d)| d).collect();
        self.reshape(&x.into(), &kept)
    }
}

/// `ArgMax` and `ArgMin`, as 32-bit integers.
pub(in crate::onnx) fn arg(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    call.node.only("select_last_index", 0)?;
    let keep = call.node.flag("keepdims", true)?;
    let mut x = net.flow(call.moved(net, 0)?)?;
    let rank = net.shape(x).len();
    let axis = axis_of(call.node.int("axis", 0)?, rank)?;
    if call.node.kind() == "ArgMin" {
        if net.elem(x.id) != Elem::F32 {
            return unsupported("'ArgMin' of codes is not supported");
        }
        x = net.unary("negate", x)?;
    }
    let id = net.plain(x)?;
    let mut shape = net.extents(id);
    if keep {
        shape.get_mut(axis).into_iter().for_each(|d| *d = 1);
    } else {
        shape.remove(axis);
    }
    let made = net.build.argmax(id, axis)?;
    one(Flow::plain(net.build.reshape(made, &shape)?))
}
