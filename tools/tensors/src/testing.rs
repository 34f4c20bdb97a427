//! Helpers of the unit tests: two tensors, as described by a program and as stored in files.

use dpu_isa::{Dtype, IoDesc, Meaning};

use crate::tensor::Tensor;

/// A tensor's description.
pub(crate) fn desc(name: &str, dtype: Dtype, shape: &[u64]) -> IoDesc {
    IoDesc { name: name.into(), dtype, shape: shape.to_vec(), addr: 0, meaning: Meaning::default() }
}

/// Two descriptions.
pub(crate) fn pair() -> Vec<IoDesc> {
    vec![desc("a", Dtype::I8, &[2, 3]), desc("b", Dtype::I32, &[4])]
}

/// Two matching tensors.
pub(crate) fn tensors() -> Vec<Tensor> {
    let a = Tensor::from_values(Dtype::I8, &[2, 3], &[1, -2, 3, -4, 5, -128]);
    vec![a, Tensor::from_values(Dtype::I32, &[4], &[i32::MIN, 0, 1, i32::MAX])]
}

/// Arguments of a command.
pub(crate) fn args(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

/// A version 1 `.npy` file of this type string, order, shape text and data.
pub(crate) fn file(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let len = u16::try_from(text.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &len[..], text.as_bytes(), data].concat()
}
