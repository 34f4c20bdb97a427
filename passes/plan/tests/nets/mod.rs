//! Small networks of convolutions and additions, planned, and run on the simulator.

#![allow(dead_code, reason = "every test binary uses a part of it")]

use dpu_isa::{BinaryOp, DmaFill, Dtype, Machine, MemAddr};
use dpu_sim::{Options, Tensor as Data, TensorView, simulate};
use strum_formats::{Kind, Packed, Shape};
use strum_plan::network::{
    self, Failure, Input, Layer, Layers, Network, Origin, Output, Plan, TensorInfo, Tensors,
};
use strum_plan::residency::Node;
use strum_plan::strategy::ProgramStrategy;
use strum_plan::{
    BinaryLayer, ConvLayer, CopyLayer, LayerInfo, LayerScope, Objective, PlanError, Post, Ppe, Pre, Scale,
    Source, Weights, finish, plan_binary, plan_conv, plan_copy, to_program,
};
use strum_quant::{Request, pack};

/// The operation of a layer.
#[derive(Clone, Debug)]
enum Op {
    /// A convolution with these weights, padded to keep the image size.
    Conv(Packed),
    /// A sum of two tensors, wrapping.
    Add,
    /// A copy that needs additional SRAM bytes, unknown to residency.
    Greedy(u64),
}

/// A network with its layers' operations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Net {
    pub(crate) network: Network,
    ops: Vec<Op>,
}

/// Bytes that are neither constant nor random.
fn pattern(len: u64, seed: u64) -> Vec<i8> {
    (0..len).map(|i| ((i + seed).wrapping_mul(2_654_435_761) >> 13) as i8).collect()
}

impl Net {
    fn tensor(&mut self, shape: &[u64], origin: Origin) -> usize {
        self.network.tensors.push(TensorInfo { dtype: Dtype::I8, shape: shape.to_vec(), origin });
        self.network.tensors.len() - 1
    }

    fn shape(&self, tensor: usize) -> [u64; 4] {
        self.network.tensors[tensor].shape.clone().try_into().unwrap()
    }

    /// A network named `main` with one input of `[1, side, side, channels]`, which is tensor 0.
    pub(crate) fn new(side: u64, channels: u64) -> Self {
        let mut net = Net::default();
        net.network.name = "main".into();
        let tensor = net.tensor(&[1, side, side, channels], Origin::Input);
        net.network.inputs.push(Input { name: "x".into(), tensor });
        net
    }

    fn layer(&mut self, kind: &str, op: Op, node: Node) -> usize {
        let (output, index) = (node.output, self.ops.len());
        let info = LayerInfo { name: format!("{index}.{kind}"), op: kind.into(), loc: 0, macs: 0 };
        self.network.layers.push(Layer { info, node });
        self.ops.push(op);
        output
    }

    /// Adds a convolution; returns its result.
    pub(crate) fn conv(&mut self, input: usize, oc: u64, kernel: u64) -> usize {
        let [n, h, w, ic] = self.shape(input);
        let shape = Shape { oc: oc as usize, kh: kernel as usize, kw: kernel as usize, ic: ic as usize };
        let codes = pattern(oc * kernel * kernel * ic, self.ops.len() as u64);
        let packed = pack(&codes, shape, &Request::new(Kind::Dense)).unwrap();
        let output = self.tensor(&[n, h, w, oc], Origin::Computed);
        let const_bytes = packed.bytes.len() as u64;
        let node = Node { inputs: vec![input], output, const_bytes, ..Node::default() };
        self.layer("conv2d", Op::Conv(packed), node)
    }

    /// Adds a sum; returns it.
    pub(crate) fn add(&mut self, a: usize, b: usize) -> usize {
        let output = self.tensor(&self.shape(a), Origin::Computed);
        let inputs = vec![a, b];
        let node = Node { in_place: inputs.clone(), inputs, output, is_vector: true, const_bytes: 0 };
        self.layer("add", Op::Add, node)
    }

    /// Adds a copy that needs additional SRAM bytes; returns it.
    pub(crate) fn greedy(&mut self, input: usize, bytes: u64) -> usize {
        let output = self.tensor(&self.shape(input), Origin::Computed);
        let node = Node { inputs: vec![input], output, ..Node::default() };
        self.layer("copy", Op::Greedy(bytes), node)
    }

    /// Adds a constant of the shape of another tensor.
    pub(crate) fn constant(&mut self, like: usize) -> usize {
        self.tensor(&self.shape(like), Origin::Constant)
    }

    /// Returns a tensor.
    pub(crate) fn output(&mut self, tensor: usize) {
        let name = format!("y{}", self.network.outputs.len());
        let shape = self.shape(tensor).to_vec();
        self.network.outputs.push(Output { name, tensor, shape, op: "return".into(), loc: 0 });
    }

    /// A network that returns one tensor.
    pub(crate) fn returning(mut self, tensor: usize) -> Self {
        self.output(tensor);
        self
    }

    /// Consecutive convolutions with the given number of channels.
    pub(crate) fn chain(side: u64, channels: &[u64], kernel: u64) -> Self {
        let mut net = Net::new(side, channels[0]);
        let last = channels[1..].iter().fold(0, |x, &oc| net.conv(x, oc, kernel));
        net.returning(last)
    }

    /// Blocks of two convolutions and a sum with the block's input.
    pub(crate) fn residual(side: u64, channels: u64, blocks: usize) -> Self {
        let mut net = Net::new(side, channels);
        let mut x = net.conv(0, channels, 3);
        for _ in 0..blocks {
            let y = net.conv(x, channels, 3);
            let y = net.conv(y, channels, 3);
            x = net.add(x, y);
        }
        net.returning(x)
    }

    pub(crate) fn plan(
        &self,
        machine: &Machine,
        objective: Objective,
        strategy: Option<&ProgramStrategy>,
    ) -> Result<Plan, Failure> {
        network::plan(&self.network, self, machine, objective, strategy)
    }

    /// The outputs and cycles of a run.
    pub(crate) fn run(&self, plan: &Plan, machine: &Machine) -> (Vec<Data>, u64) {
        let scheduled = finish(&plan.draft, machine).unwrap();
        let program = to_program(&plan.draft, scheduled, machine, Source::default()).unwrap();
        let shape = &self.network.tensors[0].shape;
        let values: Vec<i32> = pattern(shape.iter().product(), 9).into_iter().map(i32::from).collect();
        let input = Data::from_values(Dtype::I8, shape, &values);
        let views: [TensorView<'_>; 1] = [input.view()];
        let run = simulate(&program, &views, &Options::default()).unwrap();
        (run.outputs, run.report.cycles)
    }
}

impl Layers for Net {
    fn constant(&self, tensor: usize) -> Result<Vec<u8>, PlanError> {
        let len = self.network.tensors[tensor].shape.iter().product();
        Ok(pattern(len, 5).into_iter().map(|v| v as u8).collect())
    }

    fn plan(
        &self,
        index: usize,
        scope: &mut LayerScope<'_>,
        tensors: &mut Tensors<'_>,
    ) -> Result<(), PlanError> {
        let node = &self.network.layers[index].node;
        let a = tensors.operand(scope.draft, node.inputs[0])?;
        match &self.ops[index] {
            Op::Conv(packed) => {
                let half = packed.shape.kh as u64 / 2;
                let layer = ConvLayer {
                    input: a,
                    output: tensors.result(scope.draft, node.output)?,
                    weights: Weights::Packed(packed),
                    bias: vec![7],
                    stride: [1; 2],
                    pad: [half; 4],
                    dilation: [1; 2],
                    input_zp: 1,
                    weight_zp: 0,
                    ppe: Ppe {
                        scale: Some(Scale {
                            multiplier: vec![1 << 30],
                            shift: vec![40],
                            round: dpu_isa::Round::Single,
                        }),
                        zp: 0,
                        clamp: Some((-128, 127)),
                        lut: None,
                    },
                };
                plan_conv(scope, &layer)
            }
            Op::Add => {
                let b = tensors.operand(scope.draft, node.inputs[1])?;
                let output = tensors.result(scope.draft, node.output)?;
                let (pre_a, pre_b, post) = (Pre::default(), Pre::default(), Post::default());
                let layer = BinaryLayer { op: BinaryOp::Add, mul_shift: 0, a, pre_a, b, pre_b, post, output };
                plan_binary(scope, &layer)
            }
            Op::Greedy(bytes) => {
                let scratch = scope.draft.sram(*bytes)?;
                let fill = DmaFill { element: 1, dims: [1; 6], dst: MemAddr::sram(0), ..DmaFill::default() };
                scope.draft.push(fill.into(), &[("dst", scratch)])?;
                let output = tensors.result(scope.draft, node.output)?;
                plan_copy(scope, &CopyLayer { input: a, output })
            }
        }
    }
}
