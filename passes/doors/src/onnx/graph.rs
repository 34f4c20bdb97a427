//! From the graph of a file to a network. Invariant: operands exist before they are used, and only what outputs need is read.

use std::collections::{BTreeMap, BTreeSet};

use super::call::{Call, Target};
use super::fold;
use super::node::Node;
use super::proto;
use super::quant::{self, Targets};
use super::table;
use super::tensor::{Kind, MAX_ELEMENTS, Tensor};
use super::trouble::{Outcome, Trouble, invalid, limit, unsupported, usage};
use super::value::{Flow, Net, Value};
use crate::tosa::{Elem, Origin};
use crate::{Cause, CauseKind, Fate, Network, Operator, Options, Record, Refusal};

/// Most characters of a part of a message.
const MOST_CHARACTERS: usize = 400;

/// Most elements of constants in other files.
const MAX_EXTERNAL: usize = 1 << 30;

/// The least version of ONNX's operators that is read.
const OLDEST: i64 = 7;

/// Reads a graph.
pub(super) fn import(
    model: &proto::Model,
    graph: &proto::Graph,
    options: &Options,
) -> Result<Network, Refusal> {
    let mut reader = Reader::new(model, graph, options);
    let outputs = reader.outputs().map_err(of_file)?;
    reader.targets = Some(Targets::new(&graph.node, &reader.needed, &outputs, &reader.constants));
    if let Err(trouble) = reader.inputs() {
        return Err(Refusal { record: reader.unread(), ..of_file(trouble) });
    }
    for (index, node) in graph.node.iter().enumerate() {
        match reader.needed.get(&index) {
            Some(true) if reader.is_full() => reader.record(node, Fate::Unread),
            Some(true) => reader.node(node),
            Some(false) => reader.record(node, Fate::Cut),
            None => {}
        }
    }
    reader.finish(&outputs)
}

fn of_file(trouble: Trouble) -> Refusal {
    cause(String::new(), trouble).into()
}

/// A cause, in one line whatever the names in the file are.
fn cause(place: String, trouble: Trouble) -> Cause {
    let Trouble { kind, what, help } = trouble;
    Cause { kind, place: line(&place), what: line(&what), help: help.as_deref().map(line), others: 0 }
}

/// Text without control characters, and not too long.
fn line(text: &str) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let mut line: String = text.chars().take(MOST_CHARACTERS).map(escaped).collect();
    if text.chars().nth(MOST_CHARACTERS).is_some() {
        line.push('…');
    }
    line
}

struct Reader<'a> {
    graph: &'a proto::Graph,
    options: &'a Options,
    /// Versions of operators by domain.
    opsets: BTreeMap<&'a str, i64>,
    constants: BTreeMap<&'a str, &'a proto::Tensor>,
    values: BTreeMap<&'a str, Value>,
    /// Whether an operator is read, or only computed from where the network is cut.
    needed: BTreeMap<usize, bool>,
    /// The names that operators make.
    produced: BTreeSet<&'a str>,
    /// How often operators that are read, and the end of the network, mention a name.
    mentions: BTreeMap<&'a str, usize>,
    targets: Option<Targets<'a>>,
    net: Net,
    /// Elements of the file's constants that were read, and of those from other files.
    given: usize,
    external: usize,
    /// Elements of constants that were computed.
    made: usize,
    /// Elements of constants of the network, and the number of its values that were looked at for them.
    kept: usize,
    seen: usize,
    record: Record,
    notes: Vec<String>,
    refusal: Refusal,
}

impl<'a> Reader<'a> {
    fn new(model: &'a proto::Model, graph: &'a proto::Graph, options: &'a Options) -> Self {
        Reader {
            graph,
            options,
            opsets: model.opset_import.iter().map(|set| (domain(&set.domain), set.version)).collect(),
            constants: graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect(),
            values: BTreeMap::new(),
            needed: BTreeMap::new(),
            produced: BTreeSet::new(),
            mentions: BTreeMap::new(),
            targets: None,
            net: Net::default(),
            given: 0,
            external: 0,
            made: 0,
            kept: 0,
            seen: 0,
            record: Record::default(),
            notes: Vec::new(),
            refusal: Refusal::default(),
        }
    }

    /// The names of the outputs; finds the operators that they need.
    fn outputs(&mut self) -> Outcome<Vec<&'a str>> {
        if self.options.subgraph.is_some() {
            return usage("an ONNX file has one graph, --subgraph is for TFLite files");
        }
        let mut producers = BTreeMap::new();
        for (index, node) in self.graph.node.iter().enumerate() {
            for name in node.output.iter().filter(|name| !name.is_empty()) {
                if producers.insert(name.as_str(), index).is_some() {
                    return invalid(format!("two operators make the tensor '{name}'"));
                }
            }
        }
        let inputs = || self.graph.input.iter().map(|input| input.name.as_str());
        if let Some(name) = self.constants.keys().copied().chain(inputs()).find(|n| producers.contains_key(n))
        {
            return invalid(format!("an operator makes the input or constant '{name}'"));
        }
        let whole: Vec<&str> = self.graph.output.iter().map(|output| output.name.as_str()).collect();
        let mut ends = Vec::new();
        for cut in &self.options.cut {
            match producers.get_key_value(cut.as_str()).map(|(&name, _)| name) {
                Some(name) => ends.push(name),
                None if inputs().any(|name| name == cut) => {
                    return usage(format!("--cut '{cut}': this is an input, nothing would be left"));
                }
                None => return usage(format!("--cut '{cut}': there is no such tensor")),
            }
        }
        for index in self.reached(&producers, &whole) {
            self.needed.insert(index, ends.is_empty());
        }
        if ends.is_empty() {
            if whole.is_empty() {
                return invalid("the graph has no outputs");
            }
            ends = whole;
        }
        for index in self.reached(&producers, &ends) {
            self.needed.insert(index, true);
        }
        self.produced = producers.into_keys().collect();
        let read = self.graph.node.iter().enumerate().filter(|(i, _)| self.needed.get(i) == Some(&true));
        let names = read.flat_map(|(_, node)| &node.input).map(String::as_str);
        for name in names.chain(ends.iter().copied()) {
            *self.mentions.entry(name).or_default() += 1;
        }
        Ok(ends)
    }

    /// The operators that tensors are computed by.
    fn reached(&self, producers: &BTreeMap<&'a str, usize>, ends: &[&str]) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open: Vec<usize> = ends.iter().filter_map(|name| producers.get(name)).copied().collect();
        while let Some(index) = open.pop() {
            if found.insert(index)
                && let Some(node) = self.graph.node.get(index)
            {
                open.extend(node.input.iter().filter_map(|name| producers.get(name.as_str())));
            }
        }
        found
    }

    /// Adds the inputs that are needed.
    fn inputs(&mut self) -> Outcome<()> {
        if let Some(sparse) = self.graph.sparse_initializer.first() {
            let name = sparse.values.as_ref().map_or("", |values| values.name.as_str());
            return unsupported(format!("the constant '{name}' is sparse, which is not supported"));
        }
        let graph = self.graph;
        let mut open: Vec<bool> = vec![false; self.options.input_shapes.len()];
        let mut batch = false;
        let inputs: Vec<&proto::ValueInfo> =
            graph.input.iter().filter(|input| !self.constants.contains_key(input.name.as_str())).collect();
        for input in &inputs {
            if !self.mentions.contains_key(input.name.as_str()) {
                self.notes.push(format!("the input '{}' is not used and left out", input.name));
                continue;
            }
            let given = self.options.input_shapes.iter().position(|given| match &given.input {
                Some(name) => *name == input.name,
                None => inputs.len() == 1,
            });
            let asked =
                given.and_then(|i| self.options.input_shapes.get(i)).map(|given| given.shape.as_slice());
            given.and_then(|i| open.get_mut(i)).into_iter().for_each(|used| *used = true);
            let shape = self.input_shape(input, asked, &mut batch)?;
            self.input(input, &shape)?;
        }
        if self.options.batch.is_some() && !batch {
            return usage("--batch: no input has a first dimension that the file leaves open");
        }
        match open.iter().zip(&self.options.input_shapes).find(|(used, _)| !**used) {
            Some((_, given)) => {
                let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
                let name = given.input.as_deref().unwrap_or("");
                usage(format!("--input-shape '{name}': the inputs are {}", quoted(&names)))
            }
            None => Ok(()),
        }
    }

    /// The extents of an input: those of the file where it has them.
    fn input_shape(
        &mut self,
        input: &proto::ValueInfo,
        asked: Option<&[usize]>,
        batch: &mut bool,
    ) -> Outcome<Vec<usize>> {
        let name = &input.name;
        let tensor = input.r#type.as_ref().and_then(|ty| ty.tensor_type.as_ref());
        let Some(tensor) = tensor else { return unsupported(format!("the input '{name}' is not a tensor")) };
        let known: Option<Vec<Option<usize>>> = tensor.shape.as_ref().map(|shape| {
            let extent =
                |d: &proto::Dimension| d.dim_value.and_then(|d| usize::try_from(d).ok()).filter(|&d| d > 0);
            shape.dim.iter().map(extent).collect()
        });
        let open = "the shape of the input";
        if let Some(asked) = asked {
            let fits = known.as_ref().is_none_or(|known| {
                known.len() == asked.len() && known.iter().zip(asked).all(|(k, a)| k.is_none_or(|k| k == *a))
            });
            if !fits {
                return usage(format!("--input-shape: {open} '{name}' is {}", shown(known.as_deref())));
            }
            return Ok(asked.to_vec());
        }
        let mut shape = Vec::new();
        for (axis, extent) in known.iter().flatten().enumerate() {
            match (axis, extent) {
                (_, Some(extent)) => shape.push(*extent),
                (0, None) => {
                    *batch = true;
                    shape.push(self.options.batch.unwrap_or(1));
                    if self.options.batch.is_none() {
                        self.notes.push(format!("the first dimension of '{name}' is open and taken as 1"));
                    }
                }
                (_, None) => {
                    let what = format!("{open} '{name}' is {}", shown(known.as_deref()));
                    return unsupported(what).map_err(|trouble: Trouble| Trouble {
                        kind: CauseKind::Usage,
                        ..trouble.help(format!("give all extents with --input-shape {name}=1x3x224x224"))
                    });
                }
            }
        }
        if known.is_none() {
            let help = format!("give all extents with --input-shape {name}=1x3x224x224");
            let what = usage(format!("{open} '{name}' is not in the file"));
            return what.map_err(|trouble: Trouble| trouble.help(help));
        }
        Ok(shape)
    }

    fn input(&mut self, input: &'a proto::ValueInfo, shape: &[usize]) -> Outcome<()> {
        let name = input.name.as_str();
        let number = input.r#type.as_ref().and_then(|ty| ty.tensor_type.as_ref()).map_or(0, |t| t.elem_type);
        let kind = Kind::of(number.into())?;
        let flow = match kind {
            Kind::Float | Kind::Float16 | Kind::Bfloat16 | Kind::Double => {
                if kind != Kind::Float {
                    self.notes.push(format!("the input '{name}' of {} is read as float32", kind.name()));
                }
                match self.targets.as_ref().and_then(|targets| targets.of(name)) {
                    None => Flow::plain(self.net.build.input(name, shape, Elem::F32, None)?),
                    // Rounding is left to whoever has the real numbers.
                    Some(Target { codes, unsigned }) => {
                        let id = self.net.build.input(name, shape, Elem::I8, Some(codes))?;
                        Flow { codes: Some(codes), unsigned, real: true, ..Flow::plain(id) }
                    }
                }
            }
            Kind::Int8 | Kind::Uint8 => {
                let id = self.net.build.input(name, shape, Elem::I8, None)?;
                let unsigned = kind == Kind::Uint8;
                let ports = &mut self.net.build.graph_mut().inputs;
                ports.last_mut().into_iter().for_each(|port| port.unsigned = unsigned);
                Flow { unsigned, ..Flow::plain(id) }
            }
            _ => {
                let kind = kind.name();
                return unsupported(format!(
                    "the input '{name}' is of {kind}; float32, float16, int8 and uint8 are supported"
                ));
            }
        };
        self.values.insert(name, flow.into());
        Ok(())
    }

    fn record(&mut self, node: &proto::Node, fate: Fate) {
        let name = Node::new(node, 0).name().to_owned();
        self.record.operators.push(Operator { kind: line(&node.op_type), name, fate });
    }

    /// Imports an operator, or notes why not.
    fn node(&mut self, of: &'a proto::Node) {
        let node = Node::new(of, self.opsets.get(domain(&of.domain)).copied().unwrap_or(0));
        let (place, name) = (node.place(), node.name());
        self.net.build.source(name);
        let before = self.net.build.graph().nodes.len();
        let outcome = self.results(node);
        let grown = self.grown().map_err(Some);
        let outcome = outcome.and(grown);
        let fate = if self.net.build.graph().nodes.len() > before { Fate::Imported } else { Fate::Folded };
        match outcome {
            Ok(()) => self.record(of, fate),
            Err(None) => self.record(of, Fate::Unread),
            Err(Some(trouble)) => {
                let unsupported = trouble.kind == CauseKind::Unsupported;
                let cut = of.input.iter().find(|name| {
                    !self.constants.contains_key(name.as_str()) && self.produced.contains(name.as_str())
                });
                let help = trouble.help.clone().or_else(|| {
                    let cut = cut.filter(|_| unsupported)?;
                    Some(format!("--cut {cut} ends the network before it"))
                });
                let index = self.refusal.add(cause(place, Trouble { help, ..trouble }));
                self.record(of, Fate::Refused(index));
            }
        }
        for name in of.output.iter().filter(|name| !name.is_empty()) {
            self.values.entry(name).or_insert(Value::Missing);
        }
    }

    /// The operators of a file that is refused before any of them is read.
    fn unread(mut self) -> Record {
        for (index, node) in self.graph.node.iter().enumerate() {
            match self.needed.get(&index) {
                Some(true) => self.record(node, Fate::Unread),
                Some(false) => self.record(node, Fate::Cut),
                None => {}
            }
        }
        self.record
    }

    /// Adds the results of an operator; no trouble of its own if operands are missing because of another one's.
    fn results(&mut self, node: Node<'a>) -> Result<(), Option<Trouble>> {
        let of = node.of;
        let handler = self.handler(&node)?;
        let mut inputs = Vec::new();
        for name in &of.input {
            let value = if name.is_empty() { None } else { Some(self.value(name)?) };
            if value == Some(Value::Missing) {
                return Err(None);
            }
            inputs.push(value);
        }
        let target = of.output.first().and_then(|name| self.targets.as_ref()?.of(name));
        let call = Call { node, inputs, folder: self.options.folder.as_deref(), target };
        let results = match fold::evaluate(&call)? {
            Some(results) => results,
            None => match quant::evaluate(&mut self.net, &call)? {
                Some(results) => results,
                None => handler(&mut self.net, &call)?,
            },
        };
        call.node.check_attributes()?;
        for (index, name) in of.output.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            match results.get(index) {
                Some(result) => {
                    self.count(of, result);
                    self.values.insert(name, result.clone());
                }
                None if self.mentions.contains_key(name.as_str()) => {
                    return Err(unsupported::<()>(format!("result {index} is not supported")).err());
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Counts the elements of a result that is constant.
    fn count(&mut self, of: &proto::Node, result: &Value) {
        if let Value::Known(tensor) = result {
            let is_given = of.op_type == "Constant";
            let sum = if is_given { &mut self.given } else { &mut self.made };
            *sum = sum.saturating_add(tensor.len());
            if is_given && of.attribute.iter().filter_map(|a| a.t.as_ref()).any(|t| t.data_location != 0) {
                self.external = self.external.saturating_add(tensor.len());
            }
        }
    }

    /// Most elements of constants of the network: those that are given or computed in several forms, and as many as in one constant.
    fn most(&self) -> usize {
        self.given.saturating_add(self.made).saturating_mul(4).saturating_add(MAX_ELEMENTS)
    }

    fn is_full(&self) -> bool {
        self.made > MAX_ELEMENTS || self.kept > self.most() || self.external > MAX_EXTERNAL
    }

    fn check_external(&self) -> Outcome<()> {
        if self.external > MAX_EXTERNAL {
            return limit(format!("constants in other files have more than {MAX_EXTERNAL} elements"));
        }
        Ok(())
    }

    /// Counts the elements of constants of the network. As many may be computed as in one constant.
    fn grown(&mut self) -> Outcome<()> {
        let values = &self.net.build.graph().values;
        for value in values.iter().skip(self.seen) {
            if let Origin::Constant(_) = value.origin {
                self.kept = self.kept.saturating_add(value.shape.iter().product());
            }
        }
        self.seen = values.len();
        self.check_external()?;
        if self.is_full() {
            let most = if self.made > MAX_ELEMENTS { MAX_ELEMENTS } else { self.most() };
            return limit(format!("constants that are computed have more than {most} elements"));
        }
        Ok(())
    }

    fn handler(&self, node: &Node<'_>) -> Outcome<table::Handler> {
        let kind = node.kind();
        let found = match domain(&node.of.domain) {
            "" if node.opset < OLDEST => {
                let what =
                    format!("operators of version {} are not supported; {OLDEST} and later are", node.opset);
                return unsupported(what).map_err(|trouble: Trouble| {
                    trouble
                        .help("onnx.version_converter.convert_version(model, 17) in Python makes them newer")
                });
            }
            "" => table::handler(kind).or_else(|| table::is_folded(kind).then_some(table::not_constant)),
            "com.microsoft" => table::contributed(kind),
            _ => None,
        };
        let what = match (found, node.of.domain.as_str()) {
            (Some(handler), _) => return Ok(handler),
            (None, "" | "ai.onnx") => format!("'{kind}' is not supported"),
            (None, other) => format!("'{kind}' of '{other}' is not supported"),
        };
        unsupported(what).map_err(|trouble: Trouble| match table::help(kind) {
            Some(help) => trouble.help(help),
            None => trouble,
        })
    }

    /// A value by name.
    fn value(&mut self, name: &'a str) -> Outcome<Value> {
        match (self.values.get(name), self.constants.get(name)) {
            (None, Some(&tensor)) => self.constant(name, tensor).map_err(|trouble| Trouble {
                what: format!("the constant '{name}': {}", trouble.what),
                ..trouble
            }),
            (None, None) => invalid(format!("its operand '{name}' is not made by an operator before it")),
            (Some(value), None) => Ok(value.clone()),
            (Some(value), Some(_)) => {
                let value = value.clone();
                self.forget(name);
                Ok(value)
            }
        }
    }

    /// Reads an initializer on its first use and caches it until its last.
    fn constant(&mut self, name: &'a str, of: &proto::Tensor) -> Outcome<Value> {
        if of.data_location != 0 {
            let count =
                of.dims.iter().fold(1, |n: usize, &d| n.saturating_mul(usize::try_from(d).unwrap_or(0)));
            self.external = self.external.saturating_add(count);
        }
        self.check_external()?;
        let tensor = Tensor::read(of, self.options.folder.as_deref())?;
        self.given = self.given.saturating_add(tensor.len());
        let value = Value::from(tensor);
        self.values.insert(name, value.clone());
        self.forget(name);
        Ok(value)
    }

    /// Drops a constant after its last use.
    fn forget(&mut self, name: &str) {
        match self.mentions.get_mut(name) {
            Some(mentions) if *mentions > 1 => *mentions -= 1,
            _ => _ = self.values.remove(name),
        }
    }

    fn finish(mut self, outputs: &[&'a str]) -> Result<Network, Refusal> {
        // After a limit, which is a cause already, outputs are unknown.
        for name in if self.is_full() { &[] } else { outputs } {
            if let Err(trouble) = self.output(name) {
                self.refusal.add(cause(format!("the output '{name}'"), trouble));
            }
        }
        if !self.refusal.causes.is_empty() {
            return Err(Refusal { record: self.record, ..self.refusal });
        }
        let notes = self.notes.iter().map(|note| line(note)).collect();
        Ok(Network { graph: self.net.build.finish(), record: self.record, notes })
    }

    fn output(&mut self, name: &'a str) -> Outcome<()> {
        let flow = match self.value(name)? {
            Value::Missing => return Ok(()),
            value => self.net.flow(&value)?,
        };
        let id = self.net.plain(flow)?;
        self.net.build.output(name, id, flow.codes);
        let ports = &mut self.net.build.graph_mut().outputs;
        ports.last_mut().into_iter().for_each(|port| port.unsigned = flow.unsigned && !flow.real);
        Ok(())
    }
}

/// A domain of operators: ONNX's own has two names.
fn domain(name: &str) -> &str {
    if name == "ai.onnx" { "" } else { name }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

/// A shape with `?` for what is open.
fn shown(shape: Option<&[Option<usize>]>) -> String {
    let extent = |d: &Option<usize>| d.map_or("?".to_owned(), |d| d.to_string());
    shape.map_or_else(|| "?".to_owned(), |shape| shape.iter().map(extent).collect::<Vec<_>>().join("x"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_that_are_computed_are_counted() {
        let (model, graph, options) = (proto::Model::default(), proto::Graph::default(), Options::default());
        let mut reader = Reader { kept: MAX_ELEMENTS - 3, ..Reader::new(&model, &graph, &options) };
        let mut grown = |values: &[f32]| {
            let made = reader.net.build.floats(&[2], values);
            (made.is_ok(), reader.grown().map_err(|trouble| trouble.what))
        };
        assert_eq!(grown(&[1.0, 2.0]), (true, Ok(())));
        let expected = "constants that are computed have more than 268435456 elements";
        assert_eq!(grown(&[3.0, 4.0]), (true, Err(expected.to_owned())));
        let mut reader = Reader { made: MAX_ELEMENTS - 3, ..Reader::new(&model, &graph, &options) };
        let pair: Value = Tensor::ints(&[2], vec![1, 2]).into();
        reader.count(&proto::Node::default(), &pair);
        assert_eq!(reader.grown(), Ok(()));
        reader.count(&proto::Node { op_type: "Constant".into(), ..Default::default() }, &pair);
        assert_eq!(reader.grown(), Ok(()), "those of the file are not computed");
        reader.count(&proto::Node::default(), &pair);
        let refused = reader.grown().map_err(|trouble| trouble.what);
        let expected = "constants that are computed have more than 268435456 elements";
        assert_eq!(refused, Err(expected.to_owned()));
        let mut reader = Reader { external: MAX_EXTERNAL, ..Reader::new(&model, &graph, &options) };
        let more = proto::Tensor { data_type: 1, dims: vec![1], data_location: 1, ..Default::default() };
        let refused = reader.constant("c", &more).map_err(|trouble| trouble.what);
        let expected = "constants in other files have more than 1073741824 elements";
        assert_eq!(refused, Err(expected.to_owned()));
        let mut reader = Reader { external: MAX_EXTERNAL - 3, ..Reader::new(&model, &graph, &options) };
        let value = proto::Attribute { t: Some(more), ..Default::default() };
        let node = proto::Node { op_type: "Constant".into(), attribute: vec![value], ..Default::default() };
        reader.count(&node, &pair);
        assert_eq!(reader.grown(), Ok(()));
        reader.count(&node, &pair);
        assert_eq!(reader.grown().map_err(|trouble| trouble.what), Err(expected.to_owned()));
    }
}
