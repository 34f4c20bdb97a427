//! Variables, the state of streaming networks. Invariant: a variable that is read before it is written is an input and an output of
//! the graph, in this order, and nothing else is.

use std::collections::BTreeMap;

use strum_schemas::tflite::BuiltinOptionsRef as O;

use super::file::{File, Kind, Operator, Subgraph, shown};
use super::importer::{Importer, Value, Variable, extents};
use super::known::{Data, Known};
use super::operands;
use super::stop::{Step, Stop};
use crate::tosa::{Codes, Elem, State};

fn name(op: &Operator<'_>) -> Step<String> {
    let Some(O::VarHandleOptions(o)) = op.options else {
        return Err(Stop::damaged("a variable has no name"));
    };
    Ok(format!(
        "{}/{}",
        shown(o.container()?.unwrap_or_default()),
        shown(o.shared_name()?.unwrap_or_default())
    ))
}

/// The variables that subgraphs of CALL_ONCE give values.
pub(super) fn initial<'a>(
    file: &File<'a>,
    graph: &Subgraph<'a>,
    wanted: &[bool],
) -> Step<BTreeMap<String, Variable<'a>>> {
    let mut variables = BTreeMap::new();
    // These operators have no results, so that nothing seems to want them.
    let calls = graph.operators.iter().filter(|op| op.kind == "CALL_ONCE").take(16);
    if !graph.operators.iter().zip(wanted).any(|(op, wanted)| *wanted && op.kind == "READ_VARIABLE") {
        return Ok(variables);
    }
    for call in calls {
        let Some(O::CallOnceOptions(o)) = call.options else {
            return Err(Stop::damaged("CALL_ONCE has no options"));
        };
        let index = usize::try_from(o.init_subgraph_index()?).unwrap_or(usize::MAX);
        let graph = file.subgraph(index)?;
        let mut handles = BTreeMap::new();
        for op in &graph.operators {
            match (&*op.kind, &op.inputs[..], &op.outputs[..]) {
                ("VAR_HANDLE", _, &[handle]) => {
                    handles.insert(handle, name(op)?);
                }
                ("ASSIGN_VARIABLE", &[Some(handle), Some(value)], _) => {
                    let (Some(name), Some(tensor)) = (handles.get(&handle), graph.tensors.get(value)) else {
                        return Err(Stop::damaged("a variable is written that is not there"));
                    };
                    let Some(data) = tensor.data else {
                        return Err(Stop::unsupported(format!(
                            "the variable '{name}' begins with a computed value"
                        )));
                    };
                    let known =
                        Known { shape: extents(&tensor.shape)?, kind: tensor.kind, data: Data::Bytes(data) };
                    variables.insert(name.clone(), Variable { initial: Some(known), ..Variable::default() });
                }
                (other, ..) => {
                    return Err(Stop::unsupported(format!(
                        "{} where variables get their first value",
                        shown(other)
                    )));
                }
            }
        }
    }
    Ok(variables)
}

/// `CALL_ONCE`: its subgraph was read before.
pub(super) fn call_once<'a>(_: &mut Importer<'a>, _: &Operator<'a>) -> Step<()> {
    Ok(())
}

/// `VAR_HANDLE`.
pub(super) fn handle<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    let (handle, name) = (importer.result(op, 0)?, name(op)?);
    importer.put(handle, Value::Variable(name));
    Ok(())
}

fn variable(importer: &Importer<'_>, op: &Operator<'_>) -> Step<String> {
    let handle =
        op.inputs.first().copied().flatten().ok_or_else(|| Stop::damaged("a variable is missing"))?;
    match importer.value(handle)? {
        Value::Variable(name) => Ok(name),
        _ => Err(Stop::damaged("an operand is not a variable")),
    }
}

/// `READ_VARIABLE`.
pub(super) fn read<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 1..=1)?;
    let (name, result) = (variable(importer, op)?, importer.result(op, 0)?);
    let state = importer.variables.entry(name.clone()).or_default().clone();
    let port = |input: usize| importer.build.graph().inputs.get(input).map(|port| port.id);
    let known = state.written.or_else(|| state.read.and_then(|(input, kind)| Some((port(input)?, kind))));
    let kind = importer.kind(result)?;
    if let Some((id, of)) = known {
        same_elements(&name, kind, of)?;
        return importer.set_node(op, id);
    }
    if let Some(first) = &state.initial {
        same_elements(&name, kind, first.kind)?;
    }
    let codes = codes(importer, result)?;
    let elem = match (importer.is_quantized(result), codes) {
        (Ok(true), _) => Elem::I8,
        (Ok(false), _) => Elem::F32,
        (Err(stop), _) => return Err(stop),
    };
    let tensor = importer.tensor(result)?;
    let shape = match &state.initial {
        Some(known) => known.shape.clone(),
        None => extents(&tensor.shape)?,
    };
    let input = importer.build.graph().inputs.len();
    let id = importer.build.input(&name, &shape, elem, codes)?;
    if let Some(variable) = importer.variables.get_mut(&name) {
        variable.read = Some((input, kind));
    }
    importer.set_node(op, id)
}

/// Checks that a variable has one element type.
fn same_elements(name: &str, read: Kind, written: Kind) -> Step<()> {
    if read == written {
        return Ok(());
    }
    Err(Stop::invalid(format!(
        "the variable '{name}' changes its element type: {} is read, {} is written",
        read.name(),
        written.name()
    )))
}

fn codes(importer: &Importer<'_>, tensor: usize) -> Step<Option<Codes>> {
    Ok(if importer.kind(tensor)?.is_code() { importer.codes(tensor).ok() } else { None })
}

/// `ASSIGN_VARIABLE`.
pub(super) fn assign<'a>(importer: &mut Importer<'a>, op: &Operator<'a>) -> Step<()> {
    operands(op, 2..=2)?;
    let (name, value) = (variable(importer, op)?, importer.operand(op, 1)?);
    let (id, kind) = (importer.node(value)?, importer.kind(value)?);
    importer.variables.entry(name).or_default().written = Some((id, kind));
    Ok(())
}

/// Adds the outputs of variables that were read.
pub(super) fn outputs(importer: &mut Importer<'_>) -> Step<()> {
    let variables: Vec<(String, Variable<'_>)> = importer.variables.clone().into_iter().collect();
    let mut states: Vec<(usize, Kind, String, Variable<'_>)> = Vec::new();
    for (name, variable) in variables {
        if let Some((input, kind)) = variable.read {
            states.push((input, kind, name, variable));
        }
    }
    states.sort_by_key(|(input, ..)| *input);
    for (input, kind, name, variable) in states {
        let port = importer.build.graph().inputs.get(input).map(|port| (port.id, port.codes));
        let Some((old, codes)) = port else { continue };
        let (new, of) = variable.written.unwrap_or((old, kind));
        same_elements(&name, kind, of)?;
        let graph = importer.build.graph();
        if graph.shape(new) != graph.shape(old) {
            return Err(Stop::invalid(format!("the variable '{name}' changes its shape")));
        }
        let initial = match variable.initial {
            Some(known) => Some(known.constant(&mut importer.build)?),
            None => None,
        };
        let output = importer.build.graph().outputs.len();
        importer.build.output(&name, new, codes);
        importer.build.graph_mut().states.push(State { input, output, initial });
    }
    Ok(())
}
