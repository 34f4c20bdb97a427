//! Operators and what becomes of them. Invariant: every operator is in exactly one row.

use std::collections::{BTreeMap, BTreeSet};

use dpu_isa::{Engine, InstrMeta, Program};
use strum_doors::{Cause, Fate, Record, Refusal};
use strum_ir::{Captured, Operation, Severity};
use strum_passes::translation::without_folders;

/// An operator of a network.
#[derive(Clone, Debug)]
pub(super) struct Operator {
    /// Its kind, as the file calls it.
    pub(super) kind: String,
    /// What its layers are located by.
    pub(super) location: String,
    /// What became of it before compilation; none if it is compiled.
    pub(super) fate: Option<Place>,
}

/// What becomes of an operator.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The PE array or its pooling unit.
    Dpu,
    /// The vector engine.
    Vector,
    /// Copies by the DMA engines.
    Movement,
    /// Part of a layer of another operator, or without work of its own.
    Fused,
    /// Its result is known, or it changes nothing.
    Folded,
    /// Left to the host.
    Cut,
    /// Not supported: why, and the nearest supported form.
    Refused { why: String, help: Option<String> },
    /// Supported, in a network that is not compiled because of others.
    Supported,
    /// Behind an operator that is not supported, or in a file that is refused as a whole.
    Unread,
}

impl Place {
    /// A word for it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Place::Dpu => "DPU",
            Place::Vector => "vector engine",
            Place::Movement => "data movement",
            Place::Fused => "fused or free",
            Place::Folded => "folded",
            Place::Cut => "cut",
            Place::Refused { .. } => "not supported",
            Place::Supported => "supported",
            Place::Unread => "not judged",
        }
    }
}

/// Operators of the same kind and place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) kind: String,
    pub(super) count: usize,
    pub(super) place: Place,
}

/// The operators of a TFLite or ONNX file, which is refused for these causes, if any.
pub(super) fn of_record(record: &Record, causes: &[Cause]) -> Vec<Operator> {
    let fate = |fate: Fate| match fate {
        Fate::Imported => None,
        Fate::Folded => Some(Place::Folded),
        Fate::Cut => Some(Place::Cut),
        Fate::Refused(index) => causes.get(index).map(of_cause),
        Fate::Unread => Some(Place::Unread),
    };
    let operators = record.operators.iter();
    operators
        .map(|op| Operator {
            kind: op.kind.clone(),
            location: without_folders(&op.name),
            fate: fate(op.fate),
        })
        .collect()
}

fn of_cause(cause: &Cause) -> Place {
    Place::Refused { why: cause.what.clone(), help: cause.help.clone() }
}

/// The rows of a file that is refused.
pub(super) fn of_refusal(refusal: &Refusal) -> Vec<Row> {
    let of_operators: BTreeSet<Fate> = refusal.record.operators.iter().map(|op| op.fate).collect();
    let others = refusal.causes.iter().enumerate();
    let others = others.filter(|(index, _)| !of_operators.contains(&Fate::Refused(*index)));
    let row = |(_, cause): (usize, &Cause)| Row {
        kind: "file".into(),
        count: 1 + cause.others,
        place: of_cause(cause),
    };
    let operators = of_record(&refusal.record, &refusal.causes);
    rows(&operators, |_| Place::Supported).into_iter().chain(others.map(row)).collect()
}

/// The operators of a function in MLIR.
pub(super) fn of_function(function: Operation<'_>) -> Vec<Operator> {
    const OTHERS: [&str; 5] =
        ["func.func", "func.return", "tosa.const", "tosa.const_shape", "arith.constant"];
    let ops = function.walk().into_iter().filter(|op| !OTHERS.contains(&op.name()));
    // Regions of linalg's operators hold scalar ones.
    let ops = ops.filter(|op| op.parent() == Some(function));
    ops.map(|op| Operator {
        kind: op.name().to_owned(),
        location: without_folders(&op.location().describe()),
        fate: None,
    })
    .collect()
}

/// Operators that are left out, by their names.
pub(super) fn folded(names: &[String]) -> Vec<Operator> {
    let of =
        |kind: &String| Operator { kind: kind.clone(), location: String::new(), fate: Some(Place::Folded) };
    names.iter().map(of).collect()
}

/// Whether operators can be told apart by their locations.
pub(super) fn are_located(operators: &[Operator]) -> bool {
    let places: BTreeSet<&str> = operators.iter().map(|op| op.location.as_str()).collect();
    places.len() == operators.len() && !places.contains("?")
}

/// The parts of a location of several operators.
fn parts(location: &str) -> impl Iterator<Item = &str> {
    location.split(" + ")
}

/// The rows of a compiled network.
pub(super) fn placed(operators: &[Operator], program: &Program) -> Vec<Row> {
    let mut engines: BTreeMap<u32, Place> = BTreeMap::new();
    for (instr, meta) in program.instrs.iter().zip(&program.meta) {
        let place = match instr.engine() {
            Engine::Dpu => Place::Dpu,
            Engine::Vec => Place::Vector,
            Engine::Dma0 | Engine::Dma1 => Place::Movement,
            Engine::Control => continue,
        };
        if meta.layer != InstrMeta::NONE {
            let known = engines.entry(meta.layer).or_insert(Place::Movement);
            *known = known.clone().min(place);
        }
    }
    let mut places: BTreeMap<&str, Place> = BTreeMap::new();
    for (layer, index) in program.layers.iter().zip(0..) {
        let text = program.locs.get(layer.loc as usize).map_or("", String::as_str);
        let place = engines.get(&index).cloned().unwrap_or(Place::Fused);
        for part in parts(text) {
            let known = places.entry(part).or_insert(Place::Fused);
            *known = known.clone().min(place.clone());
        }
    }
    let place = |op: &Operator| parts(&op.location).filter_map(|part| places.get(part)).min().cloned();
    rows(operators, |op| place(op).unwrap_or(Place::Fused))
}

/// The rows of a network that the compiler refuses.
pub(super) fn refused(operators: &[Operator], errors: &[Captured]) -> Vec<Row> {
    let mut faults: BTreeMap<&str, Place> = BTreeMap::new();
    let mut elsewhere = Vec::new();
    let errors = errors.iter().filter(|error| error.severity == Severity::Error);
    let errors: Vec<(String, &Captured)> =
        errors.map(|error| (without_folders(&error.location), error)).collect();
    for (location, error) in &errors {
        let named = error.message.strip_prefix('\'').and_then(|rest| rest.split_once("' op "));
        let said = named.map_or(error.message.as_str(), |(_, said)| said);
        let why = said.strip_prefix(strum_passes::common::verdict::UNSUPPORTED).unwrap_or(said).to_owned();
        let help = error.notes.first().map(|note| note.message.clone());
        let place = Place::Refused { why, help };
        let same = |op: &Operator| parts(location).any(|part| parts(&op.location).any(|own| own == part));
        let known = operators.iter().any(same);
        match known {
            true => parts(location).for_each(|part| {
                faults.entry(part).or_insert_with(|| place.clone());
            }),
            false => elsewhere.push(Row { kind: "network".into(), count: 1, place }),
        }
    }
    let fault = |op: &Operator| parts(&op.location).find_map(|part| faults.get(part)).cloned();
    let mut rows = rows(operators, |op| fault(op).unwrap_or(Place::Supported));
    rows.extend(elsewhere);
    rows
}

/// Rows of the same kind and wording, in the order of their first operators.
fn rows(operators: &[Operator], place: impl Fn(&Operator) -> Place) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for op in operators {
        let place = op.fate.clone().unwrap_or_else(|| place(op));
        match rows.iter_mut().find(|row| row.kind == op.kind && alike(&row.place, &place)) {
            Some(row) => row.count += 1,
            None => rows.push(Row { kind: op.kind.clone(), count: 1, place }),
        }
    }
    rows
}

fn alike(a: &Place, b: &Place) -> bool {
    match (a, b) {
        (Place::Refused { why: a, .. }, Place::Refused { why: b, .. }) => {
            crate::driver::diagnostics::wording(a) == crate::driver::diagnostics::wording(b)
        }
        (a, b) => a == b,
    }
}
