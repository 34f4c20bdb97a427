//! Networks that are made here, imported, and evaluated.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod details;
mod evaluate;
mod floats;
mod mutants;
mod ports;
mod quantized;
mod refusals;
mod runtime;

use prost::Message;

use self::evaluate::{Array, evaluate};
use super::proto::{
    Attribute, Dimension, Graph, Model, Node, OperatorSet, Shape, Tensor, TensorType, Type, ValueInfo,
};
use crate::{InputShape, Network, Options, Refusal};

const FLOAT: i32 = 1;
const UINT8: i32 = 2;
const INT8: i32 = 3;
const INT32: i32 = 6;
const INT64: i32 = 7;

/// A file of one graph. Names: inputs and constants as given, and operators by their first result.
struct File(Model);

fn file(opset: i64) -> File {
    File(Model {
        ir_version: 9,
        graph: Some(Graph::default()),
        opset_import: vec![
            OperatorSet { domain: String::new(), version: opset },
            OperatorSet { domain: "com.microsoft".into(), version: 1 },
        ],
    })
}

fn info(name: &str, elem_type: i32, shape: &[i64]) -> ValueInfo {
    let extent = |&d: &i64| match d {
        -1 => Dimension { dim_value: None, dim_param: "N".into() },
        d => Dimension { dim_value: Some(d), dim_param: String::new() },
    };
    let shape = Some(Shape { dim: shape.iter().map(extent).collect() });
    ValueInfo { name: name.into(), r#type: Some(Type { tensor_type: Some(TensorType { elem_type, shape }) }) }
}

fn tensor(name: &str, data_type: i32, dims: &[i64], values: &[f64]) -> Tensor {
    let mut made = Tensor { name: name.into(), data_type, dims: dims.to_vec(), ..Tensor::default() };
    match data_type {
        FLOAT => made.float_data = values.iter().map(|&x| x as f32).collect(),
        INT64 => made.int64_data = values.iter().map(|&x| x as i64).collect(),
        _ => made.int32_data = values.iter().map(|&x| x as i32).collect(),
    }
    made
}

fn int(name: &str, i: i64) -> Attribute {
    Attribute { name: name.into(), i: Some(i), r#type: 2, ..Attribute::default() }
}

fn float(name: &str, f: f32) -> Attribute {
    Attribute { name: name.into(), f: Some(f), r#type: 1, ..Attribute::default() }
}

fn ints(name: &str, ints: &[i64]) -> Attribute {
    Attribute { name: name.into(), ints: ints.to_vec(), r#type: 7, ..Attribute::default() }
}

fn text(name: &str, s: &str) -> Attribute {
    Attribute { name: name.into(), s: Some(s.into()), r#type: 3, ..Attribute::default() }
}

impl File {
    fn graph(&mut self) -> &mut Graph {
        self.0.graph.as_mut().unwrap()
    }

    fn input(mut self, name: &str, elem_type: i32, shape: &[i64]) -> File {
        self.graph().input.push(info(name, elem_type, shape));
        self
    }

    fn output(mut self, name: &str) -> File {
        self.graph().output.push(info(name, FLOAT, &[]));
        self
    }

    fn constant(mut self, name: &str, data_type: i32, dims: &[i64], values: &[f64]) -> File {
        self.graph().initializer.push(tensor(name, data_type, dims, values));
        self
    }

    /// An operator; operands and results are separated by spaces, `-` stands for one that is left out.
    fn node(mut self, kind: &str, inputs: &str, outputs: &str, attribute: Vec<Attribute>) -> File {
        let names = |list: &str| -> Vec<String> {
            list.split_whitespace()
                .map(|name| if name == "-" { String::new() } else { name.into() })
                .collect()
        };
        let (kind, domain) = kind.split_once('@').unwrap_or((kind, ""));
        self.graph().node.push(Node {
            op_type: kind.into(),
            domain: domain.into(),
            input: names(inputs),
            output: names(outputs),
            attribute,
            ..Node::default()
        });
        self
    }

    fn import(&self, options: &Options) -> Result<Network, Refusal> {
        crate::import(&self.0.encode_to_vec(), options)
    }

    fn network(&self) -> Network {
        self.import(&Options::default()).unwrap()
    }

    fn refusal(&self) -> String {
        self.import(&Options::default()).unwrap_err().to_string()
    }

    /// The first output for these inputs.
    fn run(&self, inputs: &[(&[usize], &[f64])]) -> Array {
        let arrays: Vec<Array> =
            inputs.iter().map(|(shape, data)| Array { shape: shape.to_vec(), data: data.to_vec() }).collect();
        evaluate(&self.network().graph, &arrays).remove(0)
    }
}

/// One operator on the input `x` of floats with this shape, with further constants.
fn one(opset: i64, kind: &str, shape: &[i64], constants: &[Tensor], attributes: Vec<Attribute>) -> File {
    let mut made = file(opset).input("x", FLOAT, shape).output("y");
    let mut names = vec!["x".to_owned()];
    for constant in constants {
        names.push(if constant.name.is_empty() { "-".into() } else { constant.name.clone() });
        if !constant.name.is_empty() {
            made.graph().initializer.push(constant.clone());
        }
    }
    made.node(kind, &names.join(" "), "y", attributes)
}

/// Numbers that differ from each other and have both signs.
fn wave(count: usize) -> Vec<f64> {
    (0..count).map(|i| f64::from((((i * 37) % 101) as f32 - 50.0) / 25.0)).collect()
}

fn close(found: &Array, shape: &[usize], expected: &[f64]) {
    assert_eq!(found.shape, shape);
    for (place, (a, b)) in found.data.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= 1e-5 * (1.0 + b.abs()), "element {place}: {a}, expected {b}");
    }
}

fn shaped(input: Option<&str>, shape: &[usize]) -> Options {
    let shape = InputShape { input: input.map(Into::into), shape: shape.to_vec() };
    Options { input_shapes: vec![shape], ..Options::default() }
}
