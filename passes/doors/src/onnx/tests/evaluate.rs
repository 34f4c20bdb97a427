//! Evaluates graphs: floats by `strum-float`, integers by `strum-ref`, and what neither has as TOSA defines it.
//!
//! Invariant: every result has the shape that the graph says, so that a wrong shape fails a test.

use strum_float as float;
use strum_ref as int;

use crate::tosa::{Attribute, Elem, Graph, Node, Operand, Origin};

/// A tensor; `f64` holds all its numbers exactly.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) data: Vec<f64>,
}

/// The outputs for these inputs.
pub(super) fn evaluate(graph: &Graph, inputs: &[Array]) -> Vec<Array> {
    let mut values: Vec<Option<Array>> = Vec::new();
    for value in &graph.values {
        values.push(match &value.origin {
            Origin::Input(index) => Some(inputs[*index].clone()),
            Origin::Constant(_) | Origin::Node(_) => None,
        });
    }
    for node in &graph.nodes {
        for operand in &node.operands {
            if let Operand::Value(id) = operand
                && values[id.index()].is_none()
            {
                let constant = graph.constant(*id).unwrap();
                let data = match constant.floats() {
                    Some(floats) => floats.into_iter().map(f64::from).collect(),
                    None => constant.ints().unwrap().into_iter().map(|i| i as f64).collect(),
                };
                values[id.index()] = Some(Array { shape: constant.shape.to_vec(), data });
            }
        }
        let made = Step { graph, node, values: &values }.make();
        assert_eq!(made.shape, graph.shape(node.result), "the shape of {}", node.name);
        values[node.result.index()] = Some(made);
    }
    let constant = |id| {
        let constant = graph.constant(id).unwrap();
        let data = constant.floats().unwrap().into_iter().map(f64::from).collect();
        Array { shape: constant.shape.to_vec(), data }
    };
    graph.outputs.iter().map(|p| values[p.id.index()].clone().unwrap_or_else(|| constant(p.id))).collect()
}

struct Step<'a> {
    graph: &'a Graph,
    node: &'a Node,
    values: &'a [Option<Array>],
}

impl Step<'_> {
    fn operands(&self) -> Vec<&Array> {
        let ids = self
            .node
            .operands
            .iter()
            .filter_map(|o| if let Operand::Value(id) = o { Some(id) } else { None });
        ids.map(|id| self.values[id.index()].as_ref().unwrap()).collect()
    }

    fn elem(&self, index: usize) -> Elem {
        match &self.node.operands[index] {
            Operand::Value(id) => self.graph.value(*id).unwrap().elem,
            Operand::Shape(_) => Elem::I32,
        }
    }

    fn extents(&self, index: usize) -> Vec<i64> {
        match &self.node.operands[index] {
            Operand::Shape(list) => list.clone(),
            Operand::Value(_) => panic!("operand {index} of {}", self.node.name),
        }
    }

    fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.node.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    fn list(&self, name: &str) -> Vec<usize> {
        match self.attribute(name) {
            Some(Attribute::Ints64(list)) => list.iter().map(|&d| d as usize).collect(),
            Some(Attribute::Ints32(list)) => list.iter().map(|&d| d as usize).collect(),
            other => panic!("{name}: {other:?}"),
        }
    }

    fn number(&self, name: &str) -> f64 {
        match self.attribute(name) {
            Some(Attribute::Int(_, i)) => *i as f64,
            Some(Attribute::Float(f)) => f64::from(*f),
            other => panic!("{name}: {other:?}"),
        }
    }

    fn make(&self) -> Array {
        let x = self.operands()[0];
        match self.node.name {
            "tile" => gathered(self.graph.shape(self.node.result), x, |i, axis| i % x.shape[axis]),
            "slice" => {
                let start = self.extents(1);
                gathered(self.graph.shape(self.node.result), x, |i, axis| i + start[axis] as usize)
            }
            "reshape" => {
                let shape: Vec<usize> = self.extents(1).iter().map(|&d| d as usize).collect();
                Array { shape, data: x.data.clone() }
            }
            "select" => self.select(),
            "equal" | "greater" | "greater_equal" => self.relation(),
            "resize" => self.resize(),
            "transpose_conv2d" => self.transposed(),
            "argmax" => self.argmax(),
            "cast" => x.clone(),
            "reverse" => gathered(&x.shape, x, |i, axis| {
                if axis == self.number("axis") as usize { x.shape[axis] - 1 - i } else { i }
            }),
            _ if self.elem(0) == Elem::F32 => self.floats(),
            _ => self.ints(),
        }
    }

    fn select(&self) -> Array {
        let [condition, a, b] = self.operands()[..] else { panic!("select") };
        let shape = self.graph.shape(self.node.result);
        let spread = |x: &Array| gathered(shape, x, |i, axis| if x.shape[axis] == 1 { 0 } else { i }).data;
        let (condition, a, b) = (spread(condition), spread(a), spread(b));
        let data = (0..a.len()).map(|i| if condition[i] == 0.0 { b[i] } else { a[i] }).collect();
        Array { shape: shape.to_vec(), data }
    }

    fn relation(&self) -> Array {
        let [a, b] = self.operands()[..] else { panic!("relation") };
        let shape = self.graph.shape(self.node.result);
        let spread = |x: &Array| gathered(shape, x, |i, axis| if x.shape[axis] == 1 { 0 } else { i }).data;
        let holds = |(a, b): (f64, f64)| match self.node.name {
            "equal" => a == b,
            "greater" => a > b,
            _ => a >= b,
        };
        let pairs = spread(a).into_iter().zip(spread(b));
        Array { shape: shape.to_vec(), data: pairs.map(|p| f64::from(u8::from(holds(p)))).collect() }
    }

    fn argmax(&self) -> Array {
        let (x, axis) = (self.operands()[0], self.number("axis") as usize);
        let inner: usize = x.shape[axis + 1..].iter().product();
        let outer: usize = x.shape[..axis].iter().product();
        let best = |place: usize| {
            let at = |i: usize| x.data[(place / inner * x.shape[axis] + i) * inner + place % inner];
            (1..x.shape[axis]).fold(0, |best, i| if at(i) > at(best) { i } else { best })
        };
        let data = (0..outer * inner).map(|place| best(place) as f64).collect();
        Array { shape: self.graph.shape(self.node.result).to_vec(), data }
    }

    fn resize(&self) -> Array {
        let (scale, offset) = (self.extents(1), self.extents(2));
        let nearest = self.attribute("mode") == Some(&Attribute::Case("resize_mode", "NEAREST_NEIGHBOR"));
        let shape = self.graph.shape(self.node.result);
        let mut x = self.operands()[0].clone();
        let is_int = self.elem(0) != Elem::F32;
        for axis in [0, 1] {
            let (n, d, extent) = (scale[2 * axis], scale[2 * axis + 1], x.shape[axis + 1] as i64);
            let at = |place: usize| place as i64 * d + offset[axis];
            let pixel = |y: i64| y.clamp(0, extent - 1) as usize;
            let mut to = x.shape.clone();
            to[axis + 1] = shape[axis + 1];
            let take = |pick: &dyn Fn(usize) -> usize| {
                gathered(&to, &x, |i, along| if along == axis + 1 { pick(i) } else { i })
            };
            x = if nearest {
                take(&|i| pixel(at(i).div_euclid(n) + i64::from(2 * at(i).rem_euclid(n) >= n)))
            } else {
                let (a, b) =
                    (take(&|i| pixel(at(i).div_euclid(n))), take(&|i| pixel(at(i).div_euclid(n) + 1)));
                let inner: usize = to[axis + 2..].iter().product();
                let unit = if is_int { 1.0 } else { n as f64 };
                let mix = |place: usize| {
                    let part = at(place / inner % to[axis + 1]).rem_euclid(n) as f64;
                    (a.data[place] * (n as f64 - part) + b.data[place] * part) / unit
                };
                Array { shape: to.clone(), data: (0..a.data.len()).map(mix).collect() }
            };
        }
        x
    }

    fn transposed(&self) -> Array {
        let [x, w, bias, x_zp, w_zp] = self.operands()[..] else { panic!("transpose_conv2d") };
        let Some(Attribute::Ints64(pads)) = self.attribute("out_pad") else { panic!("out_pad") };
        let stride = self.list("stride");
        let shape = self.graph.shape(self.node.result);
        let channels = shape[3];
        let mut data: Vec<f64> = (0..shape.iter().product()).map(|i| bias.data[i % channels]).collect();
        let (zero, weight_zero) = (x_zp.data[0], w_zp.data[0]);
        for (place, value) in x.data.iter().enumerate() {
            let (c, column) = (place % x.shape[3], place / x.shape[3] % x.shape[2]);
            let row = place / x.shape[3] / x.shape[2] % x.shape[1];
            let n = place / x.shape[3] / x.shape[2] / x.shape[1];
            for (tap, weight) in w.data.iter().enumerate().filter(|(tap, _)| tap % w.shape[3] == c) {
                let (kx, ky) = (tap / w.shape[3] % w.shape[2], tap / w.shape[3] / w.shape[2] % w.shape[1]);
                let o = tap / w.shape[3] / w.shape[2] / w.shape[1];
                let (oy, ox) =
                    ((row * stride[0] + ky) as i64 + pads[0], (column * stride[1] + kx) as i64 + pads[2]);
                if (0..shape[1] as i64).contains(&oy) && (0..shape[2] as i64).contains(&ox) {
                    let to = ((n * shape[1] + oy as usize) * shape[2] + ox as usize) * channels + o;
                    data[to] += (value - zero) * (weight - weight_zero);
                }
            }
        }
        Array { shape: shape.to_vec(), data }
    }

    fn floats(&self) -> Array {
        let name = self.node.name;
        let count = match name {
            "conv2d" | "depthwise_conv2d" => 3,
            "matmul" | "add" | "sub" | "mul" | "maximum" | "minimum" | "pow" => 2,
            "concat" => self.operands().len(),
            _ => 1,
        };
        let mut graph = float::Graph::new();
        let mut ids = Vec::new();
        let mut tensors = Vec::new();
        for x in &self.operands()[..count] {
            ids.push(graph.input(&x.shape).unwrap());
            let data = x.data.iter().map(|&x| x as f32).collect();
            tensors.push(float::Tensor::from_shape_vec(x.shape.clone(), data).unwrap());
        }
        let made = graph.push(self.float_op(), &ids).unwrap();
        graph.output(made).unwrap();
        let result = graph.eval(&tensors).unwrap().remove(0);
        Array { shape: result.shape().to_vec(), data: result.iter().map(|&x| x.into()).collect() }
    }

    fn window(&self) -> float::Window {
        let (pad, stride) = (self.list("pad"), self.list("stride"));
        let dilation = if self.attribute("dilation").is_some() { self.list("dilation") } else { vec![1, 1] };
        float::Window {
            stride: [stride[0], stride[1]],
            dilation: [dilation[0], dilation[1]],
            before: [pad[0], pad[2]],
            after: [pad[1], pad[3]],
        }
    }

    fn float_op(&self) -> float::Op {
        use float::{Binary, Op, PoolKind, Reduction, Unary};
        let reduce = |reduction| Op::Reduce { reduction, axis: self.number("axis") as usize };
        let pool = |kind| {
            let kernel = self.list("kernel");
            Op::Pool(float::Pool { kind, kernel: [kernel[0], kernel[1]], window: self.window() })
        };
        match self.node.name {
            "abs" => Op::Unary(Unary::Abs),
            "ceil" => Op::Unary(Unary::Ceil),
            "erf" => Op::Unary(Unary::Erf),
            "exp" => Op::Unary(Unary::Exp),
            "floor" => Op::Unary(Unary::Floor),
            "log" => Op::Unary(Unary::Log),
            "negate" => Op::Unary(Unary::Negate),
            "reciprocal" => Op::Unary(Unary::Reciprocal),
            "rsqrt" => Op::Unary(Unary::Rsqrt),
            "sigmoid" => Op::Unary(Unary::Sigmoid),
            "tanh" => Op::Unary(Unary::Tanh),
            "add" => Op::Binary(Binary::Add),
            "sub" => Op::Binary(Binary::Sub),
            "mul" => Op::Binary(Binary::Mul),
            "maximum" => Op::Binary(Binary::Maximum),
            "minimum" => Op::Binary(Binary::Minimum),
            "pow" => Op::Binary(Binary::Pow),
            "reduce_max" => reduce(Reduction::Max),
            "reduce_min" => reduce(Reduction::Min),
            "reduce_product" => reduce(Reduction::Product),
            "reduce_sum" => reduce(Reduction::Sum),
            "clamp" => Op::Clamp { min: self.number("min_val") as f32, max: self.number("max_val") as f32 },
            "matmul" => Op::Matmul,
            "conv2d" => Op::Conv2d(self.window()),
            "depthwise_conv2d" => Op::DepthwiseConv2d(self.window()),
            "avg_pool2d" => pool(PoolKind::Average),
            "max_pool2d" => pool(PoolKind::Max),
            "concat" => Op::Concat { axis: self.number("axis") as usize },
            "transpose" => Op::Transpose { perms: self.list("perms") },
            "pad" => {
                let list = self.extents(1);
                let around = list.chunks(2).map(|pair| [pair[0] as usize, pair[1] as usize]).collect();
                Op::Pad { around, value: self.operands()[1].data[0] as f32 }
            }
            other => panic!("no float operator {other}"),
        }
    }

    fn ints(&self) -> Array {
        let op = self.int_op();
        let count = match self.node.name {
            "conv2d" | "depthwise_conv2d" => 3,
            "matmul"
            | "add"
            | "sub"
            | "mul"
            | "maximum"
            | "minimum"
            | "table"
            | "arithmetic_right_shift"
            | "logical_left_shift" => 2,
            "concat" => self.operands().len(),
            _ => 1,
        };
        let of = |elem| match elem {
            Elem::I8 => int::Dtype::I8,
            Elem::I16 => int::Dtype::I16,
            _ => int::Dtype::I32,
        };
        let tensors: Vec<int::Tensor> = (self.operands()[..count].iter().enumerate())
            .map(|(i, x)| {
                let data: Vec<i64> = x.data.iter().map(|&x| x as i64).collect();
                int::Tensor::new(of(self.elem(i)), x.shape.clone(), data).unwrap()
            })
            .collect();
        let made = op.eval(&tensors.iter().collect::<Vec<_>>()).unwrap();
        // Softmax has tables with slopes beyond 16 bits between entries, and reads the entries alone.
        assert!(made.predictable || self.node.name == "table", "{} is unpredictable", self.node.name);
        let data = made.tensor.data.iter().map(|&x| x as f64).collect();
        Array { shape: made.tensor.shape, data }
    }

    fn int_op(&self) -> int::Op {
        let constant =
            |index: usize| self.operands()[index].data.iter().map(|&x| x as i64).collect::<Vec<_>>();
        let axis = || self.number("axis") as usize;
        let conv = || {
            let (pad, w) = (self.list("pad"), self.window());
            let (input_zp, weight_zp) = (constant(3)[0], constant(4)[0]);
            let pad = [pad[0], pad[1], pad[2], pad[3]];
            int::Conv { pad, stride: w.stride, dilation: w.dilation, input_zp, weight_zp }
        };
        let pool = || {
            let (pad, kernel, stride) = (self.list("pad"), self.list("kernel"), self.list("stride"));
            let pad = [pad[0], pad[1], pad[2], pad[3]];
            int::Pool { kernel: [kernel[0], kernel[1]], stride: [stride[0], stride[1]], pad }
        };
        match self.node.name {
            "conv2d" => int::Op::Conv2d(conv()),
            "depthwise_conv2d" => int::Op::DepthwiseConv2d(conv()),
            "matmul" => int::Op::MatMul { a_zp: constant(2)[0], b_zp: constant(3)[0] },
            "max_pool2d" => int::Op::MaxPool2d(pool()),
            "avg_pool2d" => {
                int::Op::AvgPool2d { pool: pool(), input_zp: constant(1)[0], output_zp: constant(2)[0] }
            }
            "clamp" => {
                int::Op::Clamp { min: self.number("min_val") as i64, max: self.number("max_val") as i64 }
            }
            "add" => int::Op::Add,
            "sub" => int::Op::Sub,
            "mul" => int::Op::Mul { shift: constant(2)[0] },
            "maximum" => int::Op::Maximum,
            "minimum" => int::Op::Minimum,
            "arithmetic_right_shift" => {
                let round = self.attribute("round") == Some(&Attribute::Bool(true));
                int::Op::ArithmeticRightShift { round }
            }
            "logical_left_shift" => int::Op::LogicalLeftShift,
            "clz" => int::Op::Clz,
            "table" => int::Op::Table,
            "reduce_sum" => int::Op::ReduceSum { axis: axis() },
            "reduce_max" => int::Op::ReduceMax { axis: axis() },
            "reduce_min" => int::Op::ReduceMin { axis: axis() },
            "concat" => int::Op::Concat { axis: axis() },
            "transpose" => int::Op::Transpose { perms: self.list("perms") },
            "pad" => {
                let list = self.extents(1);
                let padding = list.chunks(2).map(|pair| [pair[0] as usize, pair[1] as usize]).collect();
                int::Op::Pad { padding, value: constant(1)[0] }
            }
            "rescale" => self.rescale(),
            other => panic!("no integer operator {other}"),
        }
    }

    fn rescale(&self) -> int::Op {
        let constant =
            |index: usize| self.operands()[index].data.iter().map(|&x| x as i64).collect::<Vec<_>>();
        let double = Some(&Attribute::Case("rounding_mode", "DOUBLE_ROUND"));
        let to = match self.graph.value(self.node.result).unwrap().elem {
            Elem::I8 => int::Dtype::I8,
            Elem::I16 => int::Dtype::I16,
            _ => int::Dtype::I32,
        };
        int::Op::Rescale(int::Rescale {
            to,
            multiplier: constant(1),
            shift: constant(2),
            scale32: true,
            round: if self.attribute("rounding_mode") == double {
                int::Round::Double
            } else {
                int::Round::Single
            },
            per_channel: self.attribute("per_channel") == Some(&Attribute::Bool(true)),
            input_unsigned: false,
            output_unsigned: false,
            input_zp: constant(3)[0],
            output_zp: constant(4)[0],
        })
    }
}

/// A tensor whose elements are those of another at mapped indices: of a position and an axis.
fn gathered(shape: &[usize], x: &Array, map: impl Fn(usize, usize) -> usize) -> Array {
    let data = (0..shape.iter().product())
        .map(|mut place: usize| {
            let (mut from, mut stride) = (0, 1);
            for axis in (0..shape.len()).rev() {
                let index = place % shape[axis];
                place /= shape[axis];
                from += map(index, axis) * stride;
                stride *= x.shape[axis];
            }
            x.data[from]
        })
        .collect();
    Array { shape: shape.to_vec(), data }
}
