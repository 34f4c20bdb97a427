//! Random float networks, in the form of PyTorch's exports: NCHW, with a transpose around every convolution.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    unreachable_pub,
    reason = "shared by tests that take what they need"
)]

use ndarray::IxDyn;
use strum_float::{Binary, Graph, Op, Pool, PoolKind, Reduction, Relation, Tensor, Unary, ValueId, Window};

/// A stream of pseudorandom numbers from a seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    pub fn tensor(&mut self, shape: &[usize]) -> Tensor {
        Tensor::from_shape_fn(IxDyn(shape), |_| f32::from(i16::try_from(self.roll(33)).unwrap()) / 8.0 - 2.0)
    }
}

pub const TO_NHWC: [usize; 4] = [0, 2, 3, 1];
pub const TO_NCHW: [usize; 4] = [0, 3, 1, 2];

/// Adds an activation that is no function of one value alone.
fn activate(graph: &mut Graph, dice: &mut Dice, x: ValueId, others: &[ValueId]) -> ValueId {
    let shape = graph.shape(x).to_vec();
    if dice.roll(2) == 0 {
        // PReLU with a slope for each channel, as a select or as a sum of two clamps.
        let slopes = graph.constant(dice.tensor(&[1, shape[1], 1, 1])).unwrap();
        let zero = graph.constant(Tensor::zeros(IxDyn(&[1, 1, 1, 1]))).unwrap();
        if dice.roll(2) == 0 {
            let steep = graph.push(Op::Binary(Binary::Mul), &[slopes, x]).unwrap();
            graph.push(Op::Select(Relation::Greater), &[x, zero, x, steep]).unwrap()
        } else {
            let above = graph.push(Op::Clamp { min: 0.0, max: f32::MAX }, &[x]).unwrap();
            let below = graph.push(Op::Binary(Binary::Minimum), &[x, zero]).unwrap();
            let steep = graph.push(Op::Binary(Binary::Mul), &[below, slopes]).unwrap();
            graph.push(Op::Binary(Binary::Add), &[above, steep]).unwrap()
        }
    } else {
        // Selection between activations.
        let same: Vec<_> = others.iter().copied().skip(1).filter(|&id| graph.shape(id) == shape).collect();
        let other = same.get(dice.roll(same.len().max(1))).copied().unwrap_or(x);
        let relation = [Relation::Greater, Relation::GreaterEqual, Relation::Equal][dice.roll(3)];
        let steep = graph.push(Op::Unary(Unary::Tanh), &[x]).unwrap();
        let operands = if dice.roll(2) == 0 { [x, other, x, other] } else { [x, other, steep, other] };
        graph.push(Op::Select(relation), &operands).unwrap()
    }
}

/// Adds a random operator to an NCHW value, as in networks from PyTorch.
fn grow(graph: &mut Graph, dice: &mut Dice, x: ValueId, others: &[ValueId]) -> ValueId {
    let shape = graph.shape(x).to_vec();
    let [n, c, h, w] = shape[..] else { panic!("{shape:?}") };
    let transpose = |perms: [usize; 4]| Op::Transpose { perms: perms.to_vec() };
    // A network begins with a convolution: there is nothing before it that a transpose could move over.
    match if others.len() < 2 { 0 } else { dice.roll(14) } {
        0..=2 => {
            let image = graph.push(transpose(TO_NHWC), &[x]).unwrap();
            let (op, weights, oc) = if dice.roll(2) == 0 {
                (Op::Conv2d(Window::UNIT), dice.tensor(&[3, 1, 1, c]), 3)
            } else {
                (Op::DepthwiseConv2d(Window::UNIT), dice.tensor(&[1, 1, c, 1]), c)
            };
            let weights = graph.constant(weights).unwrap();
            let bias = if dice.roll(2) == 0 { dice.tensor(&[1]) } else { dice.tensor(&[oc]) };
            let bias = graph.constant(bias).unwrap();
            let sums = graph.push(op, &[image, weights, bias]).unwrap();
            graph.push(transpose(TO_NCHW), &[sums]).unwrap()
        }
        3..=5 => {
            let binary = [Binary::Add, Binary::Sub, Binary::Mul][dice.roll(3)];
            let constant = graph.constant(dice.tensor(&[1, c, 1, 1])).unwrap();
            let operands = if dice.roll(4) == 0 { [constant, x] } else { [x, constant] };
            graph.push(Op::Binary(binary), &operands).unwrap()
        }
        6 if dice.roll(2) == 0 => {
            let limit = dice.tensor(&[1])[[0]];
            let limit = graph.constant(Tensor::from_elem(IxDyn(&[1, 1, 1, 1]), limit)).unwrap();
            let relation = [Relation::Greater, Relation::GreaterEqual][dice.roll(2)];
            let operands = if dice.roll(2) == 0 { [x, limit, x, limit] } else { [x, limit, limit, x] };
            graph.push(Op::Select(relation), &operands).unwrap()
        }
        6 => {
            let binary = [Binary::Maximum, Binary::Minimum][dice.roll(2)];
            let limit = dice.tensor(&[1])[[0]];
            let limit = graph.constant(Tensor::from_elem(IxDyn(&[1, 1, 1, 1]), limit)).unwrap();
            graph.push(Op::Binary(binary), &[x, limit]).unwrap()
        }
        7 => {
            let same: Vec<_> =
                others.iter().copied().skip(1).filter(|&id| graph.shape(id) == shape).collect();
            let other = same.get(dice.roll(same.len().max(1))).copied().unwrap_or(x);
            graph.push(Op::Binary(Binary::Add), &[x, other]).unwrap()
        }
        8 => {
            let value = [0.0, f32::MIN][dice.roll(2)];
            let around = vec![[0, 0], [0, 0], [dice.roll(2), dice.roll(2)], [dice.roll(2), 1]];
            let padded = graph.push(Op::Pad { around, value }, &[x]).unwrap();
            let image = graph.push(transpose(TO_NHWC), &[padded]).unwrap();
            let window = Window { stride: [1, 1], ..Window::UNIT };
            let pool = Pool { kind: PoolKind::Max, kernel: [2, 2], window };
            let Ok(pooled) = graph.push(Op::Pool(pool), &[image]) else { return x };
            graph.push(transpose(TO_NCHW), &[pooled]).unwrap()
        }
        9 => graph.push(Op::Concat { axis: 1 }, &[x, x]).unwrap(),
        10 | 11 => activate(graph, dice, x, others),
        12 if c > 1 && h * w > 1 => {
            let (start, size) = (vec![0, 1, 0, 0], vec![n, c - 1, h, w]);
            graph.push(Op::Slice { start, size }, &[x]).unwrap()
        }
        _ => {
            // A gate, as in squeeze-and-excite.
            let sum = graph.push(Op::Reduce { reduction: Reduction::Max, axis: 2 }, &[x]).unwrap();
            let sum = graph.push(Op::Reduce { reduction: Reduction::Max, axis: 3 }, &[sum]).unwrap();
            let gate = graph.push(Op::Unary(Unary::Sigmoid), &[sum]).unwrap();
            graph.push(Op::Binary(Binary::Mul), &[x, gate]).unwrap()
        }
    }
}

/// A network of a few operators, and an input.
pub fn network(seed: u64) -> (Graph, Tensor) {
    let mut dice = Dice(seed);
    let steps = 2 + dice.roll(10);
    network_of(dice, steps)
}

/// A network with the given number of operators, and an input.
pub fn network_of(mut dice: Dice, steps: usize) -> (Graph, Tensor) {
    let mut graph = Graph::new();
    let shape = [1, 1 + dice.roll(3), 2 + dice.roll(3), 2 + dice.roll(3)];
    let mut x = graph.input(&shape).unwrap();
    let mut all = vec![x];
    for _ in 0..steps {
        x = grow(&mut graph, &mut dice, x, &all);
        all.push(x);
    }
    if dice.roll(2) == 0 {
        let size = graph.shape(x).iter().product();
        let flat = graph.push(Op::Reshape { shape: vec![1, 1, size] }, &[x]).unwrap();
        let matrix = graph.constant(dice.tensor(&[1, size, 4])).unwrap();
        let product = graph.push(Op::Matmul, &[flat, matrix]).unwrap();
        let bias = graph.constant(dice.tensor(&[1, 1, 4])).unwrap();
        x = graph.push(Op::Binary(Binary::Add), &[product, bias]).unwrap();
    }
    graph.output(x).unwrap();
    (graph, dice.tensor(&shape))
}
