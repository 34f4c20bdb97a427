//! The tables of a file as plain data. Invariant: counts and ranks are limited, so that later steps take time in proportion to the
//! file, and every index of a tensor is one of the subgraph's.

use std::borrow::Cow;

use strum_schemas::planus::{self, ReadAsRoot, Vector};
use strum_schemas::tflite::{BuiltinOptionsRef, ModelRef, SparsityParametersRef, SubGraphRef, TensorRef};

use super::names;
use super::stop::{Step, Stop};

/// Maximum number of tensors, and of operands and results of all operators.
const MAX_COUNT: usize = 1 << 18;
/// Maximum number of bytes of all names: many tensors may have one name in common.
const MAX_NAMES: usize = 1 << 26;
/// Maximum number of dimensions.
const MAX_RANK: usize = 8;

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    F32,
    F16,
    I32,
    U8,
    I64,
    Bool,
    I16,
    I8,
    I4,
    Resource,
    Other(i8),
}

impl Kind {
    fn of(number: i8) -> Self {
        match number {
            0 => Kind::F32,
            1 => Kind::F16,
            2 => Kind::I32,
            3 => Kind::U8,
            4 => Kind::I64,
            6 => Kind::Bool,
            7 => Kind::I16,
            9 => Kind::I8,
            13 => Kind::Resource,
            17 => Kind::I4,
            other => Kind::Other(other),
        }
    }

    /// Its name for messages.
    pub(super) fn name(self) -> String {
        let name = match self {
            Kind::F32 => "float32",
            Kind::F16 => "float16",
            Kind::I32 => "int32",
            Kind::U8 => "uint8",
            Kind::I64 => "int64",
            Kind::Bool => "bool",
            Kind::I16 => "int16",
            Kind::I8 => "int8",
            Kind::I4 => "int4",
            Kind::Resource => "resource",
            Kind::Other(number) => return format!("type {number}"),
        };
        name.to_owned()
    }

    /// Bytes of an element; none where elements share bytes or have none.
    pub(super) fn bytes(self) -> Option<usize> {
        match self {
            Kind::U8 | Kind::I8 | Kind::Bool => Some(1),
            Kind::F16 | Kind::I16 => Some(2),
            Kind::F32 | Kind::I32 => Some(4),
            Kind::I64 => Some(8),
            Kind::I4 | Kind::Resource | Kind::Other(_) => None,
        }
    }

    /// Whether its elements are floats.
    pub(super) fn is_float(self) -> bool {
        matches!(self, Kind::F32 | Kind::F16)
    }

    /// Whether its elements are codes of 8 bits.
    pub(super) fn is_code(self) -> bool {
        matches!(self, Kind::I8 | Kind::U8)
    }
}

/// A tensor.
#[derive(Clone, Debug)]
pub(super) struct Tensor<'a> {
    pub(super) name: &'a str,
    /// The extents of the file, which are 1 where they are unknown.
    pub(super) shape: Vec<i32>,
    /// The extents, -1 where they are unknown.
    pub(super) signature: Vec<i32>,
    pub(super) kind: Kind,
    /// The elements of a constant.
    pub(super) data: Option<&'a [u8]>,
    pub(super) scales: Option<Vector<'a, f32>>,
    pub(super) zero_points: Option<Vector<'a, i64>>,
    /// The axis of several scales.
    pub(super) axis: i32,
    pub(super) sparsity: Option<SparsityParametersRef<'a>>,
}

/// An operator.
#[derive(Clone, Debug)]
pub(super) struct Operator<'a> {
    /// Its position in the subgraph.
    pub(super) index: usize,
    /// Its kind; of a custom operator, the name of that.
    pub(super) kind: Cow<'a, str>,
    pub(super) custom: bool,
    /// Tensors, by index; none where an operand is left out.
    pub(super) inputs: Vec<Option<usize>>,
    pub(super) outputs: Vec<usize>,
    pub(super) options: Option<BuiltinOptionsRef<'a>>,
    pub(super) custom_options: &'a [u8],
}

/// A subgraph.
#[derive(Clone, Debug)]
pub(super) struct Subgraph<'a> {
    pub(super) tensors: Vec<Tensor<'a>>,
    pub(super) operators: Vec<Operator<'a>>,
    pub(super) inputs: Vec<usize>,
    pub(super) outputs: Vec<usize>,
}

/// A file.
#[derive(Clone, Copy, Debug)]
pub(super) struct File<'a> {
    model: ModelRef<'a>,
    bytes: &'a [u8],
}

impl<'a> File<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Step<Self> {
        let model = ModelRef::read_as_root(bytes)?;
        match model.version()? {
            3 => Ok(File { model, bytes }),
            other => Err(Stop::unsupported(format!("version {other} of the format; 3 is supported"))),
        }
    }

    /// The index of the subgraph with a signature, a name or a number; the first if none is asked for.
    pub(super) fn find(&self, wanted: Option<&str>) -> Step<usize> {
        let Some(wanted) = wanted else { return Ok(0) };
        let mut known = Vec::new();
        for signature in self.model.signature_defs()?.into_iter().flatten().take(MAX_COUNT) {
            let signature = signature?;
            let (key, index) = (signature.signature_key()?.unwrap_or_default(), signature.subgraph_index()?);
            if key == wanted {
                return usize::try_from(index).map_err(|_| Stop::damaged(format!("subgraph {index}")));
            }
            known.push(shown(key));
        }
        let count = self.model.subgraphs()?.map_or(0, |graphs| graphs.len());
        for (index, graph) in self.model.subgraphs()?.into_iter().flatten().enumerate().take(MAX_COUNT) {
            let name = graph?.name()?.unwrap_or_default();
            if name == wanted && !name.is_empty() {
                return Ok(index);
            }
            known.push(shown(name));
        }
        if let Some(index) = wanted.parse().ok().filter(|&index: &usize| index < count) {
            return Ok(index);
        }
        known.retain(|name| !name.is_empty());
        known.truncate(8);
        let known = if known.is_empty() { String::new() } else { format!(", or '{}'", known.join("', '")) };
        Err(Stop::usage(format!("no subgraph '{wanted}'; there are numbers below {count}{known}")))
    }

    /// Reads a subgraph.
    pub(super) fn subgraph(&self, index: usize) -> Step<Subgraph<'a>> {
        let graphs = self.model.subgraphs()?;
        let graph = graphs.and_then(|graphs| graphs.get(index));
        let graph = graph.ok_or_else(|| Stop::damaged(format!("there is no subgraph {index}")))??;
        let count = graph.tensors()?.map_or(0, |tensors| tensors.len());
        if count > MAX_COUNT {
            return Err(Stop::limit(format!("{count} tensors; at most {MAX_COUNT}")));
        }
        let buffers = self.buffers()?;
        let (mut tensors, mut names) = (Vec::new(), 0);
        for tensor in graph.tensors()?.into_iter().flatten() {
            let tensor = self.tensor(tensor?, &buffers)?;
            names = within(names, tensor.name)?;
            tensors.push(tensor);
        }
        let list = |list: Option<Vector<'a, i32>>| -> Step<Vec<usize>> {
            list.into_iter().flatten().take(MAX_COUNT).map(|i| tensor_index(i, count)).collect()
        };
        let (inputs, outputs) = (list(graph.inputs()?)?, list(graph.outputs()?)?);
        Ok(Subgraph { operators: self.operators(graph, count)?, tensors, inputs, outputs })
    }

    fn buffers(&self) -> Step<Vec<&'a [u8]>> {
        let mut buffers = Vec::new();
        for buffer in self.model.buffers()?.into_iter().flatten().take(MAX_COUNT) {
            let buffer = buffer?;
            let (offset, size) = (buffer.offset()?, buffer.size()?);
            buffers.push(if offset > 1 {
                let range = usize::try_from(offset).ok().zip(usize::try_from(size).ok());
                let data = range.and_then(|(at, size)| self.bytes.get(at..at.checked_add(size)?));
                data.ok_or_else(|| Stop::damaged(format!("{size} bytes at {offset} are not in the file")))?
            } else {
                buffer.data()?.unwrap_or_default()
            });
        }
        Ok(buffers)
    }

    fn tensor(&self, tensor: TensorRef<'a>, buffers: &[&'a [u8]]) -> Step<Tensor<'a>> {
        let extents = |list: Option<Vector<'a, i32>>| -> Step<Vec<i32>> {
            let list: Vec<i32> = list.into_iter().flatten().take(MAX_RANK + 1).collect();
            match list.len() {
                0..=MAX_RANK => Ok(list),
                _ => Err(Stop::unsupported(format!("a tensor of more than {MAX_RANK} dimensions"))),
            }
        };
        let shape = extents(tensor.shape()?)?;
        let mut signature = extents(tensor.shape_signature()?)?;
        if signature.len() != shape.len() {
            signature.clone_from(&shape);
        }
        let data = match usize::try_from(tensor.buffer()?) {
            Ok(0) => None,
            Ok(index) => buffers.get(index).copied().filter(|data| !data.is_empty()),
            Err(_) => None,
        };
        let codes = tensor.quantization()?;
        Ok(Tensor {
            name: tensor.name()?.unwrap_or_default(),
            shape,
            signature,
            kind: Kind::of(tensor.type_()?),
            data: data.filter(|_| !matches!(tensor.is_variable(), Ok(true))),
            scales: codes.map(|c| c.scale()).transpose()?.flatten(),
            zero_points: codes.map(|c| c.zero_point()).transpose()?.flatten(),
            axis: codes.map_or(Ok(0), |c| c.quantized_dimension())?,
            sparsity: tensor.sparsity()?,
        })
    }

    /// The kinds of operators, by the index of their code, and whether they are custom ones.
    fn codes(&self) -> Step<Vec<(Cow<'a, str>, bool)>> {
        let (mut codes, mut names) = (Vec::new(), 0);
        for code in self.model.operator_codes()?.into_iter().flatten().take(MAX_COUNT) {
            let code = code?;
            let number = code.builtin_code()?.max(code.deprecated_builtin_code()?.into());
            codes.push(match names::name(number) {
                Some("CUSTOM") => {
                    let name = code.custom_code()?.unwrap_or_default();
                    names = within(names, name)?;
                    (Cow::Borrowed(name), true)
                }
                Some(name) => (Cow::Borrowed(name), false),
                None => (Cow::Owned(format!("operator of number {number}")), false),
            });
        }
        Ok(codes)
    }

    fn operators(&self, graph: SubGraphRef<'a>, tensors: usize) -> Step<Vec<Operator<'a>>> {
        let codes = self.codes()?;
        let (mut operators, mut edges) = (Vec::new(), 0_usize);
        for (index, operator) in graph.operators()?.into_iter().flatten().enumerate() {
            let operator = operator?;
            let code = operator.opcode_index()?;
            let found = usize::try_from(code).ok().and_then(|code| codes.get(code));
            let (kind, custom) =
                found.ok_or_else(|| Stop::damaged(format!("there is no operator code {code}")))?;
            let count = |list: Option<Vector<'a, i32>>| list.map_or(0, |list| list.len());
            edges = edges
                .saturating_add(count(operator.inputs()?))
                .saturating_add(count(operator.outputs()?) + 1);
            if edges > MAX_COUNT {
                return Err(Stop::limit(format!(
                    "operators with more than {MAX_COUNT} operands and results"
                )));
            }
            let optional = |i: i32| if i < 0 { Ok(None) } else { tensor_index(i, tensors).map(Some) };
            operators.push(Operator {
                index,
                kind: kind.clone(),
                custom: *custom,
                inputs: operator.inputs()?.into_iter().flatten().map(optional).collect::<Step<_>>()?,
                outputs: operator
                    .outputs()?
                    .into_iter()
                    .flatten()
                    .map(|i| tensor_index(i, tensors))
                    .collect::<Step<_>>()?,
                options: operator.builtin_options()?,
                custom_options: operator.custom_options()?.unwrap_or_default(),
            });
        }
        Ok(operators)
    }
}

/// The bytes of names so far, with another.
fn within(so_far: usize, name: &str) -> Step<usize> {
    let sum = so_far.saturating_add(name.len());
    if sum > MAX_NAMES { Err(Stop::limit(format!("names of more than {MAX_NAMES} bytes"))) } else { Ok(sum) }
}

fn tensor_index(index: i32, count: usize) -> Step<usize> {
    let found = usize::try_from(index).ok().filter(|&index| index < count);
    found.ok_or_else(|| Stop::damaged(format!("there is no tensor {index}")))
}

/// A name for messages: one line, of limited length.
pub(super) fn shown(name: &str) -> String {
    let line = name.chars().map(|c| if c.is_control() || c == '\'' { '?' } else { c });
    line.take(300).collect()
}

impl From<planus::Error> for Stop {
    fn from(error: planus::Error) -> Self {
        Stop::damaged(shown(&error.to_string()))
    }
}
