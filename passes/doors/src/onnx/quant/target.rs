//! The codes that results are rounded to, found by looking ahead. Invariant: all that reads a result rounds it to the same codes, or
//! there are none.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{quantization, signedness};
use crate::onnx::call::Target;
use crate::onnx::node::Node;
use crate::onnx::proto;
use crate::onnx::tensor::Tensor;

/// Most operators between a result and its rounding.
const DEEPEST: usize = 32;

/// Who reads the tensors of a graph.
pub(in crate::onnx) struct Targets<'a> {
    nodes: &'a [proto::Node],
    readers: BTreeMap<&'a str, Vec<usize>>,
    /// Outputs of the network, which are not rounded.
    ends: BTreeSet<&'a str>,
    constants: BTreeMap<&'a str, &'a proto::Tensor>,
    /// Those that are read.
    read: RefCell<BTreeMap<&'a str, Option<Rc<Tensor>>>>,
    known: RefCell<BTreeMap<&'a str, Option<Target>>>,
}

impl<'a> Targets<'a> {
    /// Of the operators with these indices.
    pub(in crate::onnx) fn new(
        nodes: &'a [proto::Node],
        read: &BTreeMap<usize, bool>,
        ends: &[&'a str],
        initializers: &BTreeMap<&'a str, &'a proto::Tensor>,
    ) -> Self {
        let mut readers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut constants = initializers.clone();
        for (index, node) in nodes.iter().enumerate() {
            if let ("Constant", [output], Some(tensor)) =
                (node.op_type.as_str(), &node.output[..], node.attribute.iter().find_map(|a| a.t.as_ref()))
            {
                constants.insert(output, tensor);
            }
            for name in node.input.iter().filter(|_| read.get(&index) == Some(&true)) {
                readers.entry(name).or_default().push(index);
            }
        }
        Targets {
            nodes,
            readers,
            ends: ends.iter().copied().collect(),
            constants,
            read: RefCell::default(),
            known: RefCell::default(),
        }
    }

    /// The codes that a tensor is rounded to by all that reads it.
    pub(in crate::onnx) fn of(&self, name: &str) -> Option<Target> {
        self.search(name, 0)
    }

    fn search(&self, name: &str, depth: usize) -> Option<Target> {
        if self.ends.contains(name) {
            return None;
        }
        if let Some(found) = self.known.borrow().get(name) {
            return *found;
        }
        let (&key, readers) = self.readers.get_key_value(name).filter(|_| depth < DEEPEST)?;
        let mut targets = readers.iter().map(|&index| self.by_reader(index, name, depth));
        let first = targets.next().flatten();
        let found = first.filter(|first| targets.all(|other| other == Some(*first)));
        self.known.borrow_mut().insert(key, found);
        found
    }

    fn by_reader(&self, index: usize, name: &str, depth: usize) -> Option<Target> {
        let of = self.nodes.get(index)?;
        if of.input.first().map(String::as_str) != Some(name) {
            return None;
        }
        match of.op_type.as_str() {
            "QuantizeLinear" => {
                let scale = self.constant(of.input.get(1)?)?;
                let zero_point = match of.input.get(2).filter(|name| !name.is_empty()) {
                    Some(name) => Some(self.constant(name)?),
                    None => None,
                };
                let parameters = quantization(&Node::new(of, 0), &scale, zero_point.as_deref()).ok()?;
                parameters.target(signedness(parameters.kind).ok()?).ok()
            }
            // These keep codes, or clamp them.
            "Relu" | "Clip" | "Identity" | "Dropout" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze"
            | "Transpose" | "MaxPool" | "GlobalMaxPool" | "DepthToSpace" | "SpaceToDepth" | "Slice"
            | "Pad" => self.search(of.output.first()?, depth + 1),
            _ => None,
        }
    }

    fn constant(&self, name: &str) -> Option<Rc<Tensor>> {
        let (&name, of) = self.constants.get_key_value(name)?;
        // What is in other files is read with the operator itself.
        let read = || Tensor::read(of, None).ok().map(Rc::new);
        self.read.borrow_mut().entry(name).or_insert_with(read).clone()
    }
}
