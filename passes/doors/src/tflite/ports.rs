//! Inputs and outputs. Invariant: an extent that the file leaves open is taken from an option, or the batch is 1 and a note says so.

use std::collections::BTreeMap;

use super::file::{Kind, Operator, Subgraph, shown};
use super::importer::{Importer, Value, unsupported_kind};
use super::stop::{Step, Stop};
use crate::Options;
use crate::tosa::{Codes, Elem, Id};

/// Adds the inputs that are used; returns notes.
pub(super) fn inputs<'a>(
    importer: &mut Importer<'a>,
    graph: &Subgraph<'a>,
    wanted: &[bool],
    ends: &[usize],
    options: &Options,
) -> Step<Vec<String>> {
    let mut notes = Vec::new();
    check_names(importer, graph, options)?;
    let mut batched = false;
    let users = users(graph, wanted);
    for &input in &graph.inputs {
        if importer.values.get(input).is_some_and(Option::is_some) {
            continue;
        }
        let users = users.get(&input).map_or(&[][..], |users| users);
        let name = importer.tensor(input)?.name;
        if users.is_empty() && !ends.contains(&input) {
            notes.push(format!("the input '{}' is not used", shown(name)));
            continue;
        }
        let shape = shape(importer, graph, input, options, &mut batched, &mut notes)?;
        let told = &importer.tensor(input)?.shape;
        importer.reshaped |= !shape.iter().zip(told).all(|(&d, &t)| i32::try_from(d) == Ok(t));
        let kind = importer.kind(input)?;
        // Floats that are only quantized come in as codes.
        let quantized =
            users.iter().all(|op| op.kind == "QUANTIZE") && !ends.contains(&input) && kind == Kind::F32;
        let results = users.iter().map(|op| importer.codes(importer.result(op, 0)?));
        let codes: Option<Vec<Codes>> = if quantized { results.collect::<Step<_>>().ok() } else { None };
        let codes =
            codes.and_then(|codes| codes.first().copied().filter(|first| codes.iter().all(|c| c == first)));
        let value = match codes {
            Some(codes) => Value::Real(port(importer, input, &shape, Elem::I8, Some(codes))?, codes),
            None => {
                let elem = match kind {
                    Kind::I8 | Kind::U8 => Elem::I8,
                    Kind::F32 => Elem::F32,
                    Kind::I32 => Elem::I32,
                    Kind::Bool => Elem::Bool,
                    other => return Err(unsupported_kind(other)),
                };
                let codes = if kind.is_code() { importer.codes(input).ok() } else { None };
                Value::Node(port(importer, input, &shape, elem, codes)?)
            }
        };
        importer.put(input, value);
    }
    if options.batch.is_some() && !batched {
        return Err(Stop::usage("the batch of all inputs is fixed in the file"));
    }
    Ok(notes)
}

/// The operators that use each input.
fn users<'g, 'a>(graph: &'g Subgraph<'a>, wanted: &[bool]) -> BTreeMap<usize, Vec<&'g Operator<'a>>> {
    let mut users: BTreeMap<usize, Vec<&Operator<'a>>> =
        graph.inputs.iter().map(|&i| (i, Vec::new())).collect();
    for (op, _) in graph.operators.iter().zip(wanted).filter(|(_, wanted)| **wanted) {
        for input in op.inputs.iter().flatten() {
            if let Some(users) = users.get_mut(input) {
                users.push(op);
            }
        }
    }
    users
}

fn port(
    importer: &mut Importer<'_>,
    input: usize,
    shape: &[usize],
    elem: Elem,
    codes: Option<Codes>,
) -> Step<Id> {
    let tensor = importer.tensor(input)?;
    let (name, unsigned) = (shown(tensor.name), tensor.kind == Kind::U8);
    let id = importer.build.input(&name, shape, elem, codes)?;
    if let Some(port) = importer.build.graph_mut().inputs.last_mut() {
        port.unsigned = unsigned;
    }
    Ok(id)
}

fn check_names(importer: &Importer<'_>, graph: &Subgraph<'_>, options: &Options) -> Step<()> {
    let names = || graph.inputs.iter().filter_map(|&i| importer.tensor(i).ok()).map(|tensor| tensor.name);
    for asked in &options.input_shapes {
        let known = match &asked.input {
            Some(name) => names().any(|known| known == name),
            None => graph.inputs.len() == 1,
        };
        if !known {
            let list: Vec<String> = names().take(8).map(|name| format!("'{}'", shown(name))).collect();
            let of = asked
                .input
                .as_deref()
                .map_or("a shape without a name".to_owned(), |n| format!("'{}'", shown(n)));
            return Err(Stop::usage(format!(
                "--input-shape: {of} does not name an input; there are {}",
                list.join(", ")
            )));
        }
    }
    Ok(())
}

/// The shape of an input.
fn shape(
    importer: &Importer<'_>,
    graph: &Subgraph<'_>,
    input: usize,
    options: &Options,
    batched: &mut bool,
    notes: &mut Vec<String>,
) -> Step<Vec<usize>> {
    let tensor = importer.tensor(input)?;
    let name = shown(tensor.name);
    let asked = options.input_shapes.iter().find(|s| match &s.input {
        Some(of) => of == tensor.name,
        None => graph.inputs.len() == 1,
    });
    if let Some(asked) = asked {
        let of = &tensor.signature;
        let fits = asked.shape.len() == of.len()
            && asked
                .shape
                .iter()
                .zip(of)
                .all(|(&d, &known)| d > 0 && (known < 0 || usize::try_from(known) == Ok(d)));
        if !fits {
            return Err(Stop::usage(format!(
                "--input-shape: the shape of the input '{name}' is {}",
                open(of)
            )));
        }
        return Ok(asked.shape.clone());
    }
    let mut shape = Vec::new();
    for (axis, &extent) in tensor.signature.iter().enumerate() {
        shape.push(match usize::try_from(extent) {
            Ok(extent) => extent,
            Err(_) if axis == 0 => {
                *batched = true;
                if options.batch.is_none() {
                    notes.push(format!("the batch of '{name}' is unknown and taken as 1"));
                }
                options.batch.unwrap_or(1)
            }
            Err(_) => {
                let of = open(&tensor.signature);
                return Err(Stop::usage(format!("the extents of the input '{name}' are unknown: {of}"))
                    .help(format!("give them: --input-shape '{name}'=1x224x224x3")));
            }
        });
    }
    Ok(shape)
}

/// A shape with `?` for what the file leaves open.
fn open(signature: &[i32]) -> String {
    let extents = signature.iter().map(|d| if *d < 0 { "?".into() } else { d.to_string() });
    extents.collect::<Vec<String>>().join("x")
}

/// Adds the outputs; codes behind DEQUANTIZE are outputs as codes.
pub(super) fn outputs(importer: &mut Importer<'_>, ends: &[usize]) -> Step<()> {
    for &end in ends {
        let (id, codes) = match importer.value(end)? {
            Value::Real(id, codes) => (id, Some(codes)),
            Value::Known(_) | Value::Node(_) | Value::Spread(..) | Value::Variable(_) | Value::Lost => {
                let codes = if importer.kind(end)?.is_code() { importer.codes(end).ok() } else { None };
                (importer.node(end)?, codes)
            }
        };
        let tensor = importer.tensor(end)?;
        let (name, unsigned) = (shown(tensor.name), tensor.kind == Kind::U8);
        importer.build.output(&name, id, codes);
        if let Some(port) = importer.build.graph_mut().outputs.last_mut() {
            port.unsigned = unsigned;
        }
    }
    Ok(())
}
