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
use crate::tosa::Elem;
use crate::{Cause, CauseKind, Fate, Network, Operator, Options, Record, Refusal};

/// Most characters of a part of a message.
const MOST_CHARACTERS: usize = 400;

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
    reader.targets = Some(Targets::new(&graph.node, &reader.needed, &reader.constants));
    if let Err(trouble) = reader.inputs(&outputs) {
        return Err(Refusal { record: reader.unread(), ..of_file(trouble) });
    }
    for (index, node) in graph.node.iter().enumerate() {
        match reader.needed.get(&index) {
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
    targets: Option<Targets<'a>>,
    net: Net,
    /// Elements of constants that were made.
    made: usize,
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
            targets: None,
            net: Net::default(),
            made: 0,
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
        let whole: Vec<&str> = self.graph.output.iter().map(|output| output.name.as_str()).collect();
        let inputs = || self.graph.input.iter().map(|input| input.name.as_str());
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
            return Ok(whole);
        }
        for index in self.reached(&producers, &ends) {
            self.needed.insert(index, true);
        }
        Ok(ends)
    }

    /// The operators that tensors are computed by.
    fn reached(&self, producers: &BTreeMap<&str, usize>, ends: &[&str]) -> BTreeSet<usize> {
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
    fn inputs(&mut self, outputs: &[&str]) -> Outcome<()> {
        if let Some(sparse) = self.graph.sparse_initializer.first() {
            let name = sparse.values.as_ref().map_or("", |values| values.name.as_str());
            return unsupported(format!("the constant '{name}' is sparse, which is not supported"));
        }
        let graph = self.graph;
        let mut used: BTreeSet<&str> = outputs.iter().copied().collect();
        for (_, node) in graph.node.iter().enumerate().filter(|(i, _)| self.needed.get(i) == Some(&true)) {
            used.extend(node.input.iter().map(String::as_str));
        }
        let mut open: Vec<bool> = vec![false; self.options.input_shapes.len()];
        let mut batch = false;
        let inputs: Vec<&proto::ValueInfo> =
            graph.input.iter().filter(|input| !self.constants.contains_key(input.name.as_str())).collect();
        for input in &inputs {
            if !used.contains(input.name.as_str()) {
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
        let Some(tensor) = tensor else { return unsupported(format!("the input '{name}' is no tensor")) };
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
        let fate = if self.net.build.graph().nodes.len() > before { Fate::Imported } else { Fate::Folded };
        match outcome {
            Ok(()) => self.record(of, fate),
            Err(None) => self.record(of, Fate::Unread),
            Err(Some(trouble)) => {
                let unsupported = trouble.kind == CauseKind::Unsupported;
                let cut = of.input.iter().find(|name| {
                    !self.constants.contains_key(name.as_str())
                        && self.graph.node.iter().any(|other| other.output.contains(name))
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
                    self.count(result)?;
                    self.values.insert(name, result.clone());
                }
                None if self.is_read(name) => {
                    return Err(unsupported::<()>(format!("result {index} is not supported")).err());
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Counts the elements of constants that are made, of which there may be as many as in one constant.
    fn count(&mut self, result: &Value) -> Outcome<()> {
        if let Value::Known(tensor) = result {
            self.made = self.made.saturating_add(tensor.len());
        }
        if self.made > MAX_ELEMENTS {
            return limit(format!("constants that are computed have more than {MAX_ELEMENTS} elements"));
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

    /// A value by name; a constant of the file is read when it is used.
    fn value(&self, name: &str) -> Outcome<Value> {
        if let Some(value) = self.values.get(name) {
            return Ok(value.clone());
        }
        match self.constants.get(name) {
            Some(tensor) => match Tensor::read(tensor, self.options.folder.as_deref()) {
                Ok(tensor) => Ok(tensor.into()),
                Err(trouble) => {
                    Err(Trouble { what: format!("the constant '{name}': {}", trouble.what), ..trouble })
                }
            },
            None => invalid(format!("its operand '{name}' is not made by an operator before it")),
        }
    }

    /// Whether an operator or an output reads a tensor.
    fn is_read(&self, name: &str) -> bool {
        let by_node = |(index, node): (usize, &proto::Node)| {
            self.needed.get(&index) == Some(&true) && node.input.iter().any(|input| input == name)
        };
        self.graph.node.iter().enumerate().any(by_node)
            || self.graph.output.iter().any(|output| output.name == name) && self.options.cut.is_empty()
            || self.options.cut.iter().any(|cut| cut == name)
    }

    fn finish(mut self, outputs: &[&str]) -> Result<Network, Refusal> {
        for name in outputs {
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

    fn output(&mut self, name: &str) -> Outcome<()> {
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
        let mut reader = Reader { made: MAX_ELEMENTS - 3, ..Reader::new(&model, &graph, &options) };
        let pair: Value = Tensor::ints(&[2], vec![1, 2]).into();
        assert_eq!(reader.count(&pair), Ok(()));
        let refused = reader.count(&pair).map_err(|trouble| trouble.what);
        let expected = "constants that are computed have more than 268435456 elements";
        assert_eq!(refused, Err(expected.to_owned()));
    }
}
