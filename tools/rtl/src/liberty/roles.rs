//! Cells by what they do: adders, clock gate, registers, inverter and buffer are found by their functions, never by name; and
//! the rule which cells the mapping leaves alone.

use super::cell::{Cell, GatePins, Sequential, State, Unusable};
use super::{LibertyError, Library, Truth};

/// A cell that adds bits. Its outputs may be inverted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adder {
    /// Name of the cell.
    pub cell: String,
    /// Its input pins.
    pub inputs: Vec<String>,
    /// The pin of the sum, and whether it is inverted.
    pub sum: (String, bool),
    /// The pin of the carry, and whether it is inverted.
    pub carry: (String, bool),
}

/// A flip-flop or latch without set, reset and enable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    /// Name of the cell.
    pub cell: String,
    /// Clock of a flip-flop, enable of a latch, and whether it is active at the falling edge or low level.
    pub clock: (String, bool),
    /// Data input, and whether what is stored is inverted.
    pub data: (String, bool),
    /// Output, and whether it is inverted.
    pub output: (String, bool),
}

/// A cell with one output whose inputs are in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Name of the cell.
    pub cell: String,
    /// Input pins.
    pub inputs: Vec<String>,
    /// Output pin.
    pub output: String,
}

/// The cells that the flow instantiates itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Inverter.
    pub inverter: Gate,
    /// Buffer.
    pub buffer: Gate,
    /// AND of two inputs.
    pub and: Gate,
    /// Full adder.
    pub full_adder: Option<Adder>,
    /// Half adder.
    pub half_adder: Option<Adder>,
    /// Integrated clock gate.
    pub clock_gate: Option<(String, GatePins)>,
    /// Flip-flop.
    pub flip_flop: Option<Register>,
    /// Latch.
    pub latch: Option<Register>,
}

impl Library {
    /// Finds the cells by function; of several, the smallest, registers of positive clocks first.
    ///
    /// # Errors
    ///
    /// [`LibertyError::NoRole`] for a library without an inverter, a buffer or an AND. The others are optional: see
    /// [`Roles::full_adder`] and its siblings.
    pub fn roles(&self) -> Result<Roles, LibertyError> {
        let gate = |what, inputs, function: &dyn Fn(usize) -> bool| {
            let truth = Truth::from_fn(inputs, function);
            let found = self.smallest(|cell| {
                let [output] = cell.outputs.as_slice() else { return None };
                let fits = cell.sequential.is_none() && output.function.as_ref() == Some(&truth);
                let inputs = cell.inputs.iter().map(|pin| pin.name.clone()).collect();
                fits.then(|| (false, Gate { cell: cell.name.clone(), inputs, output: output.name.clone() }))
            });
            found.ok_or_else(|| self.missing(what, "name a library with it by --liberty FILE"))
        };
        Ok(Roles {
            inverter: gate("inverter", 1, &|state| state == 0)?,
            buffer: gate("buffer", 1, &|state| state == 1)?,
            and: gate("AND gate of two inputs", 2, &|state| state == 3)?,
            full_adder: self.smallest(|cell| adder(cell, 3).map(|adder| (false, adder))),
            half_adder: self.smallest(|cell| adder(cell, 2).map(|adder| (false, adder))),
            clock_gate: self
                .smallest(|cell| cell.gate.clone().map(|pins| (false, (cell.name.clone(), pins)))),
            flip_flop: self
                .smallest(|cell| register(cell, State::FlipFlop).map(|found| (found.clock.1, found))),
            latch: self.smallest(|cell| register(cell, State::Latch).map(|found| (found.clock.1, found))),
        })
    }

    pub(crate) fn missing(&self, what: &'static str, help: &'static str) -> LibertyError {
        LibertyError::NoRole { library: self.name.clone(), what, help }
    }

    /// Of the usable cells that `find` accepts, one that it does not call second choice if there is one; of these the smallest,
    /// and of equal ones the first by name.
    fn smallest<T>(&self, find: impl Fn(&Cell) -> Option<(bool, T)>) -> Option<T> {
        let usable = self.cells.values().filter(|cell| cell.unusable.is_none());
        let found = usable.filter_map(|cell| find(cell).map(|(second, found)| (second, cell, found)));
        let best = found.min_by(|(a_second, a, _), (b_second, b, _)| {
            a_second.cmp(b_second).then(a.area.total_cmp(&b.area)).then_with(|| a.name.cmp(&b.name))
        });
        best.map(|(_, _, found)| found)
    }
}

fn adder(cell: &Cell, inputs: usize) -> Option<Adder> {
    if cell.sequential.is_some() || cell.inputs.len() != inputs || cell.outputs.len() != 2 {
        return None;
    }
    let find = |function: &dyn Fn(u32) -> bool| {
        let plain = Truth::from_fn(inputs, |state| function(state.count_ones()));
        let inverted = plain.not();
        cell.outputs.iter().find_map(|pin| match &pin.function {
            Some(found) if *found == plain => Some((pin.name.clone(), false)),
            Some(found) if *found == inverted => Some((pin.name.clone(), true)),
            _ => None,
        })
    };
    let sum = find(&|ones| ones & 1 == 1)?;
    let carry = find(&|ones| ones >= 2)?;
    let inputs = cell.inputs.iter().map(|pin| pin.name.clone()).collect();
    Some(Adder { cell: cell.name.clone(), inputs, sum, carry })
}

/// The single input, plain or inverted, that a function of a cell is.
fn literal(cell: &Cell, function: &Truth) -> Option<(usize, bool)> {
    (0..cell.inputs.len()).find_map(|input| {
        let plain = Truth::variable(function.variables(), input);
        if *function == plain {
            Some((input, false))
        } else if *function == plain.not() {
            Some((input, true))
        } else {
            None
        }
    })
}

fn register(cell: &Cell, wanted: State) -> Option<Register> {
    let Sequential { state, clock, data, clear: None, preset: None } = cell.sequential.as_ref()? else {
        return None;
    };
    if *state != wanted || cell.inputs.len() != 2 || cell.gate.is_some() {
        return None;
    }
    let (clock, falling) = literal(cell, clock)?;
    let (data, inverted) = literal(cell, data)?;
    let stored = Truth::variable(cell.inputs.len() + 1, cell.inputs.len());
    let output = cell.outputs.iter().find_map(|pin| match &pin.function {
        Some(function) if *function == stored => Some((pin.name.clone(), false)),
        Some(function) if *function == stored.not() => Some((pin.name.clone(), true)),
        _ => None,
    })?;
    let name = |input: usize| cell.inputs.get(input).map(|pin| pin.name.clone()).unwrap_or_default();
    Some(Register {
        cell: cell.name.clone(),
        clock: (name(clock), falling),
        data: (name(data), inverted),
        output,
    })
}

/// Cells this many times the area of the smallest of their function drive loads that hardly occur within a PE.
const HUGE: f64 = 3.5;

/// A buffer this many times as slow as the fastest, at the same load, is a delay cell.
const SLOW: f64 = 3.0;

/// Cells of one function: the functions of their outputs, and their state.
type Class<'c> = (Vec<Option<Truth>>, Option<Sequential>, Vec<&'c Cell>);

/// Marks delay cells and cells that are far larger than the smallest of their function.
pub(super) fn exclude(library: &mut Library) {
    let usable: Vec<&Cell> = library.cells.values().filter(|cell| cell.unusable.is_none()).collect();
    let functions = |cell: &Cell| cell.outputs.iter().map(|pin| pin.function.clone()).collect::<Vec<_>>();
    let mut classes: Vec<Class<'_>> = Vec::new();
    for cell in usable {
        let key = functions(cell);
        let same = |state: &Option<Sequential>| match (state, &cell.sequential) {
            (None, None) => true,
            (Some(a), Some(b)) => {
                (a.state, &a.clock, &a.data, &a.clear, &a.preset)
                    == (b.state, &b.clock, &b.data, &b.clear, &b.preset)
            }
            _ => false,
        };
        match classes.iter_mut().find(|(known, state, _)| *known == key && same(state)) {
            Some((_, _, members)) => members.push(cell),
            None => classes.push((key, cell.sequential.clone(), vec![cell])),
        }
    }
    let mut marks = Vec::new();
    for (_, state, members) in &classes {
        let area = members.iter().map(|cell| cell.area).filter(|area| *area > 0.0).min_by(f64::total_cmp);
        let buffer = Truth::variable(1, 0);
        let buffers = state.is_none()
            && members.first().is_some_and(|cell| {
                matches!(cell.outputs.as_slice(), [output] if output.function.as_ref() == Some(&buffer))
            });
        let fastest = members.iter().filter_map(|cell| unloaded_delay(cell)).min_by(f64::total_cmp);
        for cell in members {
            if buffers && unloaded_delay(cell).zip(fastest).is_some_and(|(own, least)| own > SLOW * least) {
                marks.push((cell.name.clone(), Unusable::Delay));
            } else if area.is_some_and(|least| cell.area > HUGE * least) {
                marks.push((cell.name.clone(), Unusable::Huge));
            }
        }
    }
    for (name, mark) in marks {
        if let Some(cell) = library.cells.get_mut(&name) {
            cell.unusable = Some(mark);
        }
    }
}

/// Delay at the least slew and no load, ps.
fn unloaded_delay(cell: &Cell) -> Option<f64> {
    let table = cell.outputs.first()?.delays.first()?.rise.as_ref()?;
    Some(
        table
            .at(table.slew_ps.first().copied().unwrap_or(0.0), table.load_ff.first().copied().unwrap_or(0.0)),
    )
}
