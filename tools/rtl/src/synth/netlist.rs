//! The mapped netlist, read from the synthesizer's JSON and checked against the library.
//!
//! Nets are numbers; net 0 is the constant 0 and net 1 the constant 1. Every net has at most one driver, and every input of a
//! cell a net.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SynthError;
use super::script::INNER;
use crate::liberty::{Library, Role};

/// A net by number.
pub type Connection = u32;

/// A port of the top module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Name.
    pub name: String,
    /// Whether it is an input.
    pub input: bool,
    /// Its nets, least significant bit first.
    pub bits: Vec<Connection>,
}

/// A cell of the netlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Name, unique.
    pub name: String,
    /// The library's cell.
    pub cell: String,
    /// Number of its unit in [`Mapped::units`].
    pub unit: usize,
    /// Nets of its inputs, in the cell's order.
    pub inputs: Vec<Connection>,
    /// Nets of its outputs, in the cell's order.
    pub outputs: Vec<Option<Connection>>,
}

/// Area of a unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitArea {
    /// Path of instances, as `u_x.u_y`; empty for the top module itself.
    pub path: String,
    /// Area of the cells directly in it, in the library's unit, µm² as a rule.
    pub area: f64,
    /// How many cells are directly in it.
    pub cells: usize,
}

/// A mapped design.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mapped {
    /// Top module.
    pub top: String,
    /// Digest of the library.
    pub library: String,
    /// Synthesizer and its version.
    pub tool: String,
    /// Clock period that the mapping aimed at, ps.
    pub period_ps: u32,
    /// Ports by name.
    pub ports: Vec<Port>,
    /// Cells by name.
    pub cells: Vec<Instance>,
    /// How many nets there are, with both constants.
    pub nets: u32,
    /// Units in order of their paths.
    pub units: Vec<UnitArea>,
    /// Area of all cells.
    pub area: f64,
    /// Area of flip-flops, latches and clock gates.
    pub sequential_area: f64,
    /// The longest path within a module, as the mapping estimates it, ps.
    pub abc_delay_ps: Option<f64>,
    /// The netlist as Verilog.
    pub verilog: String,
}

impl Mapped {
    /// Area of a unit with all that is in it: the cells of `path` and of every path below.
    pub fn area_of(&self, path: &str) -> f64 {
        self.units.iter().filter(|unit| within(&unit.path, path)).map(|unit| unit.area).sum()
    }

    /// The port of a name.
    pub fn port(&self, name: &str) -> Option<&Port> {
        self.ports.iter().find(|port| port.name == name)
    }
}

/// Whether a unit's path is another's or below it.
pub(crate) fn within(path: &str, outer: &str) -> bool {
    outer.is_empty() || path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[derive(Deserialize)]
struct JsonDesign {
    modules: BTreeMap<String, JsonModule>,
}

#[derive(Deserialize)]
struct JsonModule {
    ports: BTreeMap<String, JsonPort>,
    cells: BTreeMap<String, JsonCell>,
}

#[derive(Deserialize)]
struct JsonPort {
    direction: String,
    bits: Vec<JsonBit>,
}

#[derive(Deserialize)]
struct JsonCell {
    #[serde(rename = "type")]
    kind: String,
    connections: BTreeMap<String, Vec<JsonBit>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum JsonBit {
    Net(u32),
    Constant(String),
}

/// Numbers of the synthesizer's nets in the order in which they are met.
struct Nets {
    numbers: BTreeMap<u32, Connection>,
    count: u32,
}

impl Nets {
    fn number(&mut self, bit: &JsonBit) -> Connection {
        match bit {
            // What is undefined may be either; 0 is what the mapping chose most often.
            JsonBit::Constant(text) => u32::from(text == "1"),
            JsonBit::Net(net) => *self.numbers.entry(*net).or_insert_with(|| {
                self.count += 1;
                self.count - 1
            }),
        }
    }
}

/// The unit of a cell: its path without its own name, whichever way the synthesizer made that name.
fn unit_of(name: &str) -> String {
    let plain = name.strip_prefix("$flatten").unwrap_or(name).replace('\\', "");
    if plain.starts_with('$') {
        return String::new();
    }
    if let Some((path, _)) = plain.split_once(".$") {
        return path.to_owned();
    }
    let (path, own) = plain.rsplit_once('.').unwrap_or(("", &plain));
    let path = if INNER.contains(&own) { path.rsplit_once('.').map_or("", |(outer, _)| outer) } else { path };
    path.to_owned()
}

/// Reads the netlist of the top module.
pub(super) fn read(json: &str, top: &str, library: &Library) -> Result<Mapped, SynthError> {
    let mut design: JsonDesign = serde_json::from_str(json)?;
    let module = design.modules.remove(top).ok_or_else(|| SynthError::NoTop(top.to_owned()))?;
    let foreign: Vec<_> =
        module.cells.iter().filter(|(_, cell)| !library.cells.contains_key(&cell.kind)).collect();
    if let Some((name, cell)) = foreign.first() {
        return Err(SynthError::Unmapped {
            count: foreign.len(),
            cell: (*name).clone(),
            kind: cell.kind.clone(),
        });
    }
    let mut nets = Nets { numbers: BTreeMap::new(), count: 2 };
    let mut ports = Vec::new();
    for (name, port) in &module.ports {
        let bits = port.bits.iter().map(|bit| nets.number(bit)).collect();
        ports.push(Port { name: name.clone(), input: port.direction == "input", bits });
    }
    let mut areas: BTreeMap<String, (f64, usize)> = BTreeMap::new();
    let mut cells = Vec::new();
    let mut paths = Vec::new();
    let (mut area, mut sequential_area) = (0.0, 0.0);
    for (name, cell) in &module.cells {
        let known = library.cell(&cell.kind)?;
        if known.area <= 0.0 {
            return Err(crate::liberty::LibertyError::NoArea {
                library: library.name.clone(),
                cell: known.name.clone(),
            }
            .into());
        }
        cells.push(instance(name, cell, library, &mut nets)?);
        let path = unit_of(name);
        let unit = areas.entry(path.clone()).or_default();
        unit.0 += known.area;
        unit.1 += 1;
        area += known.area;
        if known.sequential.is_some() {
            sequential_area += known.area;
        }
        paths.push(path);
    }
    let numbers: BTreeMap<&str, usize> =
        areas.keys().enumerate().map(|(number, path)| (path.as_str(), number)).collect();
    for (instance, path) in cells.iter_mut().zip(&paths) {
        instance.unit = numbers.get(path.as_str()).copied().unwrap_or(0);
    }
    let units =
        areas.iter().map(|(path, &(area, cells))| UnitArea { path: path.clone(), area, cells }).collect();
    let mapped = Mapped {
        top: top.to_owned(),
        library: library.digest.clone(),
        tool: String::new(),
        period_ps: 0,
        ports,
        cells,
        nets: nets.count,
        units,
        area,
        sequential_area,
        abc_delay_ps: None,
        verilog: String::new(),
    };
    check_drivers(&mapped, library)?;
    Ok(mapped)
}

fn instance(name: &str, cell: &JsonCell, library: &Library, nets: &mut Nets) -> Result<Instance, SynthError> {
    let known = library.cell(&cell.kind)?;
    let fail = |pin: &str, what| SynthError::Pin {
        cell: name.to_owned(),
        kind: cell.kind.clone(),
        pin: pin.to_owned(),
        what,
    };
    let mut inputs = vec![None; known.inputs.len()];
    let mut outputs = vec![None; known.outputs.len()];
    for (pin, bits) in &cell.connections {
        // Supply pins are no pins of the library's cells.
        let Some(role) = known.pin(pin) else { continue };
        let net = match bits.as_slice() {
            [] => None,
            [bit] => Some(nets.number(bit)),
            _ => return Err(fail(pin, "has more than one bit")),
        };
        match role {
            Role::Input(at) => inputs.iter_mut().skip(at).take(1).for_each(|slot| *slot = net),
            Role::Output(at) => outputs.iter_mut().skip(at).take(1).for_each(|slot| *slot = net),
        }
    }
    let pins = known.inputs.iter().map(|pin| pin.name.as_str());
    let inputs =
        inputs.into_iter().zip(pins).map(|(net, pin)| net.ok_or_else(|| fail(pin, "is not connected")));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    Ok(Instance { name: name.to_owned(), cell: cell.kind.clone(), unit: 0, inputs, outputs })
}

/// Every net has at most one driver, and every input of a cell has one.
fn check_drivers(mapped: &Mapped, library: &Library) -> Result<(), SynthError> {
    let mut driven = vec![false; usize::try_from(mapped.nets).unwrap_or(0)];
    let mut drive = |net: Connection| {
        let slot = usize::try_from(net).ok().and_then(|net| driven.get_mut(net));
        slot.is_some_and(|slot| std::mem::replace(slot, true))
    };
    drive(0);
    drive(1);
    for port in mapped.ports.iter().filter(|port| port.input) {
        port.bits.iter().for_each(|&bit| {
            drive(bit);
        });
    }
    let pin_name = |cell: &Instance, output: bool, at: usize| {
        let known = library.cells.get(&cell.cell);
        let pins = known.map(|known| if output { &known.outputs } else { &known.inputs });
        pins.and_then(|pins| pins.get(at)).map(|pin| pin.name.clone()).unwrap_or_default()
    };
    for cell in &mapped.cells {
        for (at, net) in cell.outputs.iter().enumerate() {
            if net.is_some_and(&mut drive) {
                return Err(SynthError::Drivers { cell: cell.name.clone(), pin: pin_name(cell, true, at) });
            }
        }
    }
    for cell in &mapped.cells {
        for (at, &net) in cell.inputs.iter().enumerate() {
            if !usize::try_from(net).ok().and_then(|net| driven.get(net)).copied().unwrap_or(false) {
                return Err(SynthError::Pin {
                    cell: cell.name.clone(),
                    kind: cell.cell.clone(),
                    pin: pin_name(cell, false, at),
                    what: "is connected to a net without a driver",
                });
            }
        }
    }
    Ok(())
}
