//! Which operators are read. Invariant: an operator is wanted if an end depends on it, also by way of a variable.

use super::file::{Subgraph, shown};
use super::stop::{Step, Stop};

/// The operator that makes each tensor.
pub(super) fn makers(graph: &Subgraph<'_>) -> Vec<Option<usize>> {
    let mut makers = vec![None; graph.tensors.len()];
    for op in &graph.operators {
        for &result in &op.outputs {
            if let Some(maker) = makers.get_mut(result) {
                *maker = Some(op.index);
            }
        }
    }
    makers
}

/// The tensors at which the network ends: its outputs, or those asked for.
pub(super) fn ends(graph: &Subgraph<'_>, cut: &[String]) -> Step<Vec<usize>> {
    if cut.is_empty() {
        return if graph.outputs.is_empty() {
            Err(Stop::unsupported("a network without outputs"))
        } else {
            Ok(graph.outputs.clone())
        };
    }
    let makers = makers(graph);
    let computed = || graph.tensors.iter().zip(&makers).enumerate().filter(|(_, (_, maker))| maker.is_some());
    let mut ends = Vec::new();
    for name in cut {
        match computed().find(|(_, (tensor, _))| tensor.name == name) {
            Some((index, _)) => ends.push(index),
            None => {
                let near = computed()
                    .map(|(_, (tensor, _))| tensor.name)
                    .find(|other| other.contains(name.as_str()));
                let hint = near.map_or(String::new(), |near| format!("; did you mean '{}'?", shown(near)));
                return Err(Stop::usage(format!("no operator computes a tensor '{}'{hint}", shown(name))));
            }
        }
    }
    Ok(ends)
}

/// Whether each operator is wanted.
pub(super) fn wanted(graph: &Subgraph<'_>, ends: &[usize]) -> Vec<bool> {
    let makers = makers(graph);
    let mut wanted = vec![false; graph.operators.len()];
    let mut open: Vec<usize> = ends.to_vec();
    loop {
        while let Some(tensor) = open.pop() {
            let maker = makers.get(tensor).copied().flatten();
            if let Some((place, op)) = maker.and_then(|i| Some((wanted.get_mut(i)?, graph.operators.get(i)?)))
                && !*place
            {
                *place = true;
                open.extend(op.inputs.iter().flatten());
            }
        }
        // Variables that are read are written, and have a first value.
        let reads =
            graph.operators.iter().zip(&wanted).any(|(op, &wanted)| wanted && op.kind == "READ_VARIABLE");
        for (op, place) in graph.operators.iter().zip(&mut wanted) {
            if reads && matches!(&*op.kind, "ASSIGN_VARIABLE" | "CALL_ONCE") && !*place {
                *place = true;
                open.extend(op.inputs.iter().flatten());
            }
        }
        if open.is_empty() {
            return wanted;
        }
    }
}
