//! Writes files of few operators. Invariant: tensors are named `t0`, `t1` and so on, in order of creation.

use strum_schemas::planus;
use strum_schemas::tflite::{
    Buffer, BuiltinOptions, Model, Operator, OperatorCode, QuantizationParameters, SubGraph, Tensor,
};

/// Types of elements, by number.
pub(crate) const F32: i8 = 0;
pub(crate) const F16: i8 = 1;
pub(crate) const I32: i8 = 2;
pub(crate) const U8: i8 = 3;
pub(crate) const I64: i8 = 4;
pub(crate) const BOOL: i8 = 6;
pub(crate) const I16: i8 = 7;
pub(crate) const I8: i8 = 9;
pub(crate) const RESOURCE: i8 = 13;

/// A file in the making.
#[derive(Default)]
pub(crate) struct Net {
    tensors: Vec<Tensor>,
    operators: Vec<Operator>,
    codes: Vec<OperatorCode>,
    buffers: Vec<Vec<u8>>,
    pub(crate) inputs: Vec<i32>,
    /// Subgraphs behind the first.
    pub(crate) others: Vec<Net>,
}

/// The bytes of a model.
pub(crate) fn written(model: &Model) -> Vec<u8> {
    // planus 1.3 writes the identifier before the offset of the root, where it does not belong.
    let mut builder = planus::Builder::new();
    let (root, tables) = builder.finish(model, None).split_first_chunk::<4>().unwrap();
    let root = u32::from_le_bytes(*root) + 4;
    [&root.to_le_bytes()[..], b"TFL3", tables].concat()
}

impl Net {
    /// A tensor with the meaning of its codes, if they have one, and elements, if it is a constant.
    pub(crate) fn tensor(&mut self, kind: i8, shape: &[i32], codes: Option<(f32, i64)>, data: &[u8]) -> i32 {
        let quantization = codes.map(|(scale, zero)| {
            Box::new(QuantizationParameters {
                scale: Some(vec![scale]),
                zero_point: Some(vec![zero]),
                ..QuantizationParameters::default()
            })
        });
        self.buffers.push(data.to_vec());
        self.tensors.push(Tensor {
            shape: Some(shape.to_vec()),
            type_: kind,
            buffer: u32::try_from(self.buffers.len()).unwrap(),
            name: Some(format!("t{}", self.tensors.len())),
            quantization,
            ..Tensor::default()
        });
        i32::try_from(self.tensors.len()).unwrap() - 1
    }

    /// Changes the tensor that was made last.
    pub(crate) fn last(&mut self) -> &mut Tensor {
        self.tensors.last_mut().unwrap()
    }

    pub(crate) fn input(&mut self, kind: i8, shape: &[i32], codes: Option<(f32, i64)>) -> i32 {
        let tensor = self.tensor(kind, shape, codes, &[]);
        self.inputs.push(tensor);
        tensor
    }

    /// Codes of scale 0.5 and zero point 3.
    pub(crate) fn codes(&mut self, shape: &[i32]) -> i32 {
        self.tensor(I8, shape, Some((0.5, 3)), &[])
    }

    /// A constant of int32.
    pub(crate) fn ints(&mut self, values: &[i32]) -> i32 {
        let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.tensor(I32, &[i32::try_from(values.len()).unwrap()], None, &data)
    }

    pub(crate) fn operator(
        &mut self,
        code: i32,
        inputs: &[i32],
        outputs: &[i32],
        options: Option<BuiltinOptions>,
    ) {
        self.custom(code, None, inputs, outputs, options);
    }

    pub(crate) fn custom(
        &mut self,
        code: i32,
        name: Option<&str>,
        inputs: &[i32],
        outputs: &[i32],
        options: Option<BuiltinOptions>,
    ) {
        self.operators.push(Operator {
            opcode_index: u32::try_from(self.codes.len()).unwrap(),
            inputs: Some(inputs.to_vec()),
            outputs: Some(outputs.to_vec()),
            builtin_options: options,
            ..Operator::default()
        });
        self.codes.push(OperatorCode {
            builtin_code: code,
            custom_code: name.map(str::to_owned),
            ..OperatorCode::default()
        });
    }

    /// The bytes of the file.
    pub(crate) fn bytes(mut self, outputs: &[i32]) -> Vec<u8> {
        let others = std::mem::take(&mut self.others);
        let (mut codes, mut buffers) = (Vec::new(), vec![Buffer::default()]);
        let mut graphs = vec![self.graph(outputs, &mut codes, &mut buffers)];
        for other in others {
            graphs.push(other.graph(&[], &mut codes, &mut buffers));
        }
        let model = Model {
            version: 3,
            operator_codes: Some(codes),
            subgraphs: Some(graphs),
            buffers: Some(buffers),
            ..Model::default()
        };
        written(&model)
    }

    fn graph(
        mut self,
        outputs: &[i32],
        codes: &mut Vec<OperatorCode>,
        buffers: &mut Vec<Buffer>,
    ) -> SubGraph {
        let (code, buffer) = (u32::try_from(codes.len()).unwrap(), u32::try_from(buffers.len()).unwrap() - 1);
        self.operators.iter_mut().for_each(|op| op.opcode_index += code);
        self.tensors.iter_mut().filter(|t| t.buffer > 0).for_each(|t| t.buffer += buffer);
        codes.extend(self.codes);
        buffers.extend(self.buffers.into_iter().map(|data| Buffer { data: Some(data), ..Buffer::default() }));
        SubGraph {
            tensors: Some(self.tensors),
            inputs: Some(self.inputs),
            outputs: Some(outputs.to_vec()),
            operators: Some(self.operators),
            name: None,
        }
    }
}
