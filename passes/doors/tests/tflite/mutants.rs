//! Damaged files: whatever the bytes, a network or a refusal in lines of text.

use proptest::prelude::*;
use strum_doors::tosa::{Graph, Operand};
use strum_doors::{Options, import};
use strum_schemas::planus::ReadAsRoot;
use strum_schemas::tflite::{BuiltinOptions as O, Model, ModelRef, Operator, Tensor};

use super::file::{I8, U8, written};
use super::networks::{computed_shape, convolution};

fn import_ends(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Err(refusal) = import(bytes, &Options::default()) {
        prop_assert!(!refusal.causes.is_empty());
        for cause in refusal.causes {
            prop_assert!(!cause.to_string().contains('\n'), "{cause:?}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn changed_bytes_end_in_a_network_or_a_refusal(
        unsigned in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        whole in prop::bool::weighted(0.8),
    ) {
        let mut bytes = convolution(if unsigned { U8 } else { I8 });
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if !whole {
            bytes.truncate(cut.index(bytes.len()));
        }
        import_ends(&bytes)?;
    }

    #[test]
    fn changed_words_end_in_a_network_or_a_refusal(
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::num::i32::ANY), 1..4),
        near in any::<bool>(),
    ) {
        let mut bytes = convolution(I8);
        for (at, value) in changes {
            let at = at.index(bytes.len() / 4) * 4;
            let value = if near { value % 64 } else { value };
            bytes.get_mut(at..at + 4).unwrap_or_default().copy_from_slice(&value.to_le_bytes());
        }
        import_ends(&bytes)?;
    }
}

/// Mutants of files of other tools and of those that the tests make: `STRUM_MUTANTS` of them, half of bytes and words, half of
/// fields. `STRUM_MUTANT_FILES` is a folder of files, `STRUM_MUTANT_SEED` another sequence.
#[test]
#[ignore = "minutes; `tools/doors/tflite --mutants` runs it on the networks of public packages"]
fn many_mutants_end_in_networks_or_refusals_in_short_time() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let count = number("STRUM_MUTANTS").unwrap_or(2000);
    let mut random = Random(number("STRUM_MUTANT_SEED").unwrap_or(0) + 1);
    let mut files = vec![convolution(I8), convolution(U8), computed_shape(&[-1, 4, 6])];
    if let Some(folder) = std::env::var_os("STRUM_MUTANT_FILES") {
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|e| e == "tflite"));
        paths.sort();
        files.extend(paths.iter().map(|path| std::fs::read(path).unwrap()));
    }
    let subjects: Vec<Subject> = files.into_iter().map(Subject::new).collect();
    let mut counts = [0_u64; 2];
    for mutant in 0..count {
        let bytes = subjects[random.below(subjects.len())].mutant(&mut random, mutant % 2 == 1);
        let start = std::time::Instant::now();
        let result = import(&bytes, &Options::default());
        let took = start.elapsed();
        assert!(took.as_secs() < 2, "mutant {mutant}: {took:?}");
        counts[usize::from(result.is_err())] += 1;
        match result {
            Ok(network) => assert!(ordered(&network.graph), "mutant {mutant}: a user before its operand"),
            Err(refusal) => {
                let lines = refusal.causes.iter().all(|cause| !cause.to_string().contains('\n'));
                assert!(lines && !refusal.causes.is_empty(), "mutant {mutant}: {refusal}");
            }
        }
    }
    println!("{count} mutants of {} files: {} read, {} refused", subjects.len(), counts[0], counts[1]);
}

fn ordered(graph: &Graph) -> bool {
    graph.nodes.iter().all(|node| {
        let earlier = |operand: &Operand| match operand {
            Operand::Value(id) => id.index() < node.result.index(),
            Operand::Shape(_) => true,
        };
        node.operands.iter().all(earlier) && !graph.shape(node.result).contains(&0)
    })
}

/// Xorshift, so that a number of a mutant and a seed give the same file everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap() % bound.max(1)
    }

    /// Numbers at which fields break.
    fn odd(&mut self) -> i32 {
        let small = i32::try_from(self.below(70)).unwrap() - 3;
        let wide = i32::from_le_bytes(self.next().to_le_bytes()[2..6].try_into().unwrap());
        let limits = [i32::MAX, i32::MIN, -1, 0, 1 << 16, 1 << 24];
        let limit = limits[self.below(limits.len())];
        [small, small, wide, limit][self.below(4)]
    }

    fn one<'a, T>(&mut self, list: &'a mut [T]) -> Option<&'a mut T> {
        let index = self.below(list.len());
        list.get_mut(index)
    }
}

/// A file of which mutants are made.
struct Subject {
    bytes: Vec<u8>,
    model: Model,
    /// Positions of words that are no elements of constants.
    words: Vec<usize>,
}

impl Subject {
    fn new(bytes: Vec<u8>) -> Self {
        let root = ModelRef::read_as_root(&bytes).unwrap();
        let mut data = vec![false; bytes.len() / 4];
        for buffer in root.buffers().unwrap().into_iter().flatten() {
            let elements = buffer.unwrap().data().unwrap().unwrap_or_default();
            if elements.len() > 64 {
                let from = (elements.as_ptr().addr() - bytes.as_ptr().addr()) / 4;
                data[from..from + elements.len() / 4].fill(true);
            }
        }
        let words = data.iter().enumerate().filter(|(_, data)| !**data).map(|(word, _)| 4 * word).collect();
        Subject { model: Model::try_from(root).unwrap(), words, bytes }
    }

    fn mutant(&self, random: &mut Random, fields: bool) -> Vec<u8> {
        if fields {
            let mut model = self.model.clone();
            for _ in 0..=random.below(3) {
                change(&mut model, random);
            }
            return written(&model);
        }
        let mut bytes = self.bytes.clone();
        for _ in 0..=random.below(5) {
            let word = self.words[random.below(self.words.len())];
            match random.below(4) {
                0 => bytes[random.below(self.bytes.len())] = random.next().to_le_bytes()[3],
                1 => bytes[word + random.below(4)] = random.next().to_le_bytes()[3],
                2 => bytes[word..word + 4].copy_from_slice(&random.odd().to_le_bytes()),
                _ => {
                    let old = i32::from_le_bytes(bytes[word..word + 4].try_into().unwrap());
                    let near = old.wrapping_add(i32::try_from(random.below(33)).unwrap() - 16);
                    bytes[word..word + 4].copy_from_slice(&near.to_le_bytes());
                }
            }
        }
        if random.below(8) == 0 {
            bytes.truncate(random.below(bytes.len()));
        }
        bytes
    }
}

/// Changes a field of a model.
fn change(model: &mut Model, random: &mut Random) {
    match random.below(12) {
        0 => {
            let codes = model.operator_codes.as_mut().unwrap();
            let number = i32::try_from(random.below(210)).unwrap();
            if let Some(code) = random.one(codes) {
                (code.builtin_code, code.deprecated_builtin_code) = (number, 0);
            }
        }
        1 => {
            let buffers = model.buffers.as_mut().unwrap();
            let (length, value) = (random.below(80), random.odd());
            match random.one(buffers).and_then(|buffer| buffer.data.as_mut()) {
                Some(data) if random.below(2) == 0 => data.resize(length, 1),
                Some(data) => data.iter_mut().zip(value.to_le_bytes()).for_each(|(to, from)| *to = from),
                None => {}
            }
        }
        choice => {
            let graphs = model.subgraphs.as_mut().unwrap();
            let Some(graph) = random.one(graphs) else { return };
            match choice {
                2 => change_list(graph.outputs.as_mut(), random),
                3 => change_list(graph.inputs.as_mut(), random),
                4..=7 => random_tensor(graph.tensors.as_mut(), random),
                _ => random_operator(graph.operators.as_mut(), random),
            }
        }
    }
}

fn change_list(list: Option<&mut Vec<i32>>, random: &mut Random) {
    let (value, list) = (random.odd(), list.into_iter().next());
    let Some(list) = list else { return };
    match random.below(4) {
        0 => list.push(value),
        1 => _ = list.pop(),
        _ => random.one(list).into_iter().for_each(|place| *place = value),
    }
}

fn random_tensor(tensors: Option<&mut Vec<Tensor>>, random: &mut Random) {
    let Some(tensor) = tensors.and_then(|list| random.one(list)) else { return };
    let scales = [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-38, 1e38, 1.0];
    let (odd, scale) = (random.odd(), scales[random.below(scales.len())]);
    match random.below(8) {
        0 => change_list(tensor.shape.as_mut(), random),
        1 => change_list(tensor.shape_signature.as_mut(), random),
        2 => tensor.type_ = i8::try_from(random.below(20)).unwrap(),
        3 => tensor.buffer = u32::try_from(random.below(200)).unwrap(),
        4 => tensor.quantization = None,
        choice => {
            let Some(codes) = tensor.quantization.as_mut() else { return };
            match choice {
                5 => codes.quantized_dimension = odd,
                6 => codes.scale = Some(vec![scale; random.below(4)]),
                _ => codes.zero_point = Some(vec![odd.into(); random.below(4)]),
            }
        }
    }
}

fn random_operator(operators: Option<&mut Vec<Operator>>, random: &mut Random) {
    let Some(operators) = operators else { return };
    let other = operators.get(random.below(operators.len())).and_then(|op| op.builtin_options.clone());
    let Some(op) = random.one(operators) else { return };
    match random.below(8) {
        0 | 1 => change_list(op.inputs.as_mut(), random),
        2 => change_list(op.outputs.as_mut(), random),
        3 => op.opcode_index = u32::try_from(random.below(40)).unwrap(),
        4 => op.builtin_options = other,
        _ => {
            let (x, small) = (random.odd(), i8::try_from(random.below(7)).unwrap() - 1);
            match op.builtin_options.as_mut() {
                Some(O::Conv2DOptions(o)) => (o.stride_h, o.dilation_w_factor, o.padding) = (x, x, small),
                Some(O::DepthwiseConv2DOptions(o)) => (o.stride_w, o.fused_activation_function) = (x, small),
                Some(O::Pool2DOptions(o)) => (o.filter_height, o.stride_w, o.padding) = (x, x, small),
                Some(O::StridedSliceOptions(o)) => (o.begin_mask, o.shrink_axis_mask) = (x, small.into()),
                Some(O::ConcatenationOptions(o)) => o.axis = x,
                Some(O::FullyConnectedOptions(o)) => o.keep_num_dims = !o.keep_num_dims,
                Some(O::AddOptions(o)) => o.fused_activation_function = small,
                Some(O::ReshapeOptions(o)) => change_list(o.new_shape.as_mut(), random),
                Some(O::CallOnceOptions(o)) => o.init_subgraph_index = x,
                Some(O::SplitOptions(o)) => o.num_splits = x,
                _ => op.builtin_options = None,
            }
        }
    }
}
