//! TFLite files. Invariant: integers mean what TFLite's reference kernels compute, bit for bit.
//!
//! A subgraph is read operator by operator, in the file's order, into a builder of TOSA that knows every shape. Values that are
//! known while reading, such as shapes and weights behind DEQUANTIZE or DENSIFY, stay outside the graph until an operator needs
//! them there. Unsigned codes become signed ones, 128 less, throughout.

mod activations;
mod arithmetic;
mod blocks;
mod convolutions;
mod file;
mod fold;
mod images;
mod importer;
mod known;
mod movements;
mod names;
mod operators;
mod ports;
mod quantization;
mod reductions;
mod selection;
mod sparse;
mod stop;
mod variables;
mod windows;

use file::{File, Operator, Subgraph, shown};
use importer::{Importer, Value};
use stop::{Step, Stop};

use crate::tosa::{Builder, Graph, Node, Origin, Value as Made};
use crate::{Fate, Network, Operator as Recorded, Options, Record, Refusal};

/// Bytes of constants and operators that a small file may grow to; larger ones may grow to [`GROWTH`] times their size.
const ROOM: usize = 256 << 20;
const GROWTH: usize = 32;
/// Bytes that an operand or result of an operator takes at most while it is read.
const RESULT: usize = 512;
/// Causes that a refusal names.
const MAX_CAUSES: usize = 64;

/// Reads a TFLite file.
pub(crate) fn import(bytes: &[u8], options: &Options) -> Result<Network, Refusal> {
    let file = File::open(bytes)?;
    let graph = file.subgraph(file.find(options.subgraph.as_deref())?)?;
    let ends = selection::ends(&graph, &options.cut)?;
    let wanted = selection::wanted(&graph, &ends);

    let mut importer = Importer {
        build: Builder::default(),
        values: vec![None; graph.tensors.len()],
        variables: variables::initial(&file, &graph, &wanted)?,
        makers: selection::makers(&graph),
        room: bytes.len().saturating_mul(GROWTH).max(ROOM),
        reshaped: false,
        tensors: graph.tensors.clone(),
    };
    // A refusal of the file as a whole says which operators it has.
    let whole = |stop: Stop| Refusal { record: unread(&graph, &wanted), ..Refusal::from(stop) };
    sparse::decode(&mut importer, &graph, &wanted).map_err(whole)?;
    let mut notes = ports::inputs(&mut importer, &graph, &wanted, &ends, options).map_err(whole)?;
    let record = operators(&mut importer, &graph, &wanted)?;
    let ended = ports::outputs(&mut importer, &ends).and_then(|()| variables::outputs(&mut importer));
    if let Err(stop) = ended {
        return Err(Refusal { record, ..Refusal::from(stop) });
    }
    if !options.cut.is_empty() {
        let left = record.operators.iter().filter(|operator| operator.fate == Fate::Cut).count();
        notes.push(format!(
            "the network ends at {} as asked; {left} operators are left to the host",
            options.cut.join(", ")
        ));
    }
    Ok(Network { graph: importer.build.finish(), record, notes })
}

/// Reads the operators that are wanted; all causes of a refusal are collected.
fn operators<'a>(
    importer: &mut Importer<'a>,
    graph: &Subgraph<'a>,
    wanted: &[bool],
) -> Result<Record, Refusal> {
    let mut record = Record::default();
    let mut refusal = Refusal::default();
    // No more is read after it.
    let mut is_over = false;
    for (op, &wanted) in graph.operators.iter().zip(wanted) {
        let mut recorded = recorded(graph, op, wanted);
        if !wanted {
            record.operators.push(recorded);
            continue;
        }
        if is_over || refusal.causes.len() >= MAX_CAUSES {
            record.operators.push(recorded);
            continue;
        }
        let before = Size::of(importer.build.graph());
        importer.build.source(&recorded.name);
        if let Err(stop) = charged(importer, op, before) {
            let known = op
                .inputs
                .iter()
                .flatten()
                .all(|&t| !matches!(importer.values.get(t), Some(Some(Value::Lost))));
            for &result in &op.outputs {
                importer.put(result, Value::Lost);
            }
            let is_limit = stop.is_limit();
            if known || is_limit || !operators::is_supported(op) {
                let stop = if stop.is_unsupported() && !stop.has_help() {
                    with_cut(stop, importer, op)
                } else {
                    stop
                };
                let place = format!("{} '{}' (operator {})", recorded.kind, recorded.name, op.index);
                recorded.fate = Fate::Refused(refusal.add(stop.at(place)));
                is_over = is_limit;
            }
            record.operators.push(recorded);
            continue;
        }
        let made = importer.build.graph().nodes.len() > before.nodes;
        recorded.fate = if made { Fate::Imported } else { Fate::Folded };
        record.operators.push(recorded);
    }
    if refusal.causes.is_empty() { Ok(record) } else { Err(Refusal { record, ..refusal }) }
}

/// An operator that has not been read.
fn recorded(graph: &Subgraph<'_>, op: &Operator<'_>, wanted: bool) -> Recorded {
    let name = op.outputs.first().and_then(|&t| graph.tensors.get(t)).map_or("", |tensor| tensor.name);
    let fate = if wanted { Fate::Unread } else { Fate::Cut };
    Recorded { kind: shown(&op.kind), name: shown(name), fate }
}

/// The operators of a file that is refused before any of them is read.
fn unread(graph: &Subgraph<'_>, wanted: &[bool]) -> Record {
    let operators = graph.operators.iter().zip(wanted);
    Record { operators: operators.map(|(op, &wanted)| recorded(graph, op, wanted)).collect() }
}

/// Reads an operator, and counts what it adds to the graph.
fn charged<'a>(importer: &mut Importer<'a>, op: &Operator<'a>, before: Size) -> Step<()> {
    let name = importer.build.graph().sources.last().map_or(0, String::len);
    let edges = op.inputs.len().saturating_add(op.outputs.len()).saturating_add(1);
    importer.charge(edges.saturating_mul(RESULT).saturating_add(2 * name))?;
    let read = operators::read(importer, op);
    // What a refused operator has added stays.
    importer.charge(before.grown(importer.build.graph()))?;
    read
}

/// How many values and nodes a graph has.
#[derive(Clone, Copy)]
struct Size {
    values: usize,
    nodes: usize,
}

impl Size {
    fn of(graph: &Graph) -> Self {
        Size { values: graph.values.len(), nodes: graph.nodes.len() }
    }

    /// Bytes of what was added since, with the elements of constants.
    fn grown(self, graph: &Graph) -> usize {
        let values = graph.values.iter().skip(self.values).map(|value| {
            let elements = match &value.origin {
                Origin::Constant(bytes) => bytes.len(),
                Origin::Input(_) | Origin::Node(_) => 0,
            };
            size_of::<Made>() + size_of_val(&value.shape[..]) + elements
        });
        let nodes = graph.nodes.iter().skip(self.nodes).map(|node| {
            let attributes = size_of_val(&node.attributes[..]);
            size_of::<Node>() + size_of_val(&node.operands[..]) + attributes
        });
        values.chain(nodes).fold(0, usize::saturating_add)
    }
}

/// Names the tensors at which the network can end before an operator.
fn with_cut(stop: Stop, importer: &Importer<'_>, op: &Operator<'_>) -> Stop {
    let computed =
        op.inputs.iter().flatten().filter(|&&t| importer.makers.get(t).copied().flatten().is_some());
    let mut cuts: Vec<String> = computed
        .filter_map(|&t| importer.tensors.get(t))
        .map(|tensor| format!("--cut '{}'", shown(tensor.name)))
        .take(4)
        .collect();
    cuts.dedup();
    if cuts.is_empty() { stop } else { stop.help(format!("end the network before it: {}", cuts.join(" "))) }
}

/// Checks a number of operands.
fn operands(op: &Operator<'_>, counts: std::ops::RangeInclusive<usize>) -> Step<()> {
    if counts.contains(&op.inputs.len()) {
        return Ok(());
    }
    let (min, max) = counts.into_inner();
    Err(Stop::damaged(format!("{} operands; {min} to {max} expected", op.inputs.len())))
}
