//! From the syntax of a Liberty file to cells, in this crate's units.

use indexmap::IndexMap;

use super::cell::{Cell, DelayArc, GatePins, Pin, PowerArc, Sequential, State, Unusable};
use super::syntax::{Attribute, Group, parse};
use super::truth::{MAX_VARIABLES, expression};
use super::{LibertyError, Library, Table, Truth};

/// The units of a file, as factors to this crate's.
struct Units {
    ps: f64,
    ff: f64,
    fj: f64,
    nw: f64,
}

struct Template<'t> {
    variables: Vec<&'t str>,
    axes: Vec<Vec<f64>>,
}

struct Builder<'t> {
    file: &'t str,
    units: Units,
    templates: IndexMap<&'t str, Template<'t>>,
    default_capacitance: Option<f64>,
    default_leakage: f64,
}

/// Adds the cells of a file to a library.
pub(super) fn add(library: &mut Library, file: &str, text: &str) -> Result<(), LibertyError> {
    let root = parse(text).map_err(|error| LibertyError::Syntax {
        file: file.to_owned(),
        line: error.line,
        what: error.what,
    })?;
    let mut builder = Builder {
        file,
        units: Units { ps: 1.0, ff: 1.0, fj: 1.0, nw: 1.0 },
        templates: IndexMap::new(),
        default_capacitance: None,
        default_leakage: 0.0,
    };
    let voltage = builder.header(&root)?;
    if library.cells.is_empty() {
        library.name = root.arguments.first().copied().unwrap_or_default().to_owned();
        library.voltage = voltage;
        library.time_unit_ps = builder.units.ps;
    } else if (library.voltage - voltage).abs() > 1e-9 {
        return Err(LibertyError::Voltage {
            file: file.to_owned(),
            found: voltage,
            voltage: library.voltage,
        });
    }
    for group in root.all("cell") {
        let cell = builder.cell(group)?;
        if library.cells.contains_key(&cell.name) {
            return Err(LibertyError::Twice { file: file.to_owned(), line: group.line, cell: cell.name });
        }
        library.cells.insert(cell.name.clone(), cell);
    }
    if library.cells.is_empty() {
        return builder.fail(root.line, "library", "expected at least one cell".into());
    }
    Ok(())
}

/// `1ns`, or `1` and `pf`, as a factor to the unit whose prefix is `base`: `p` or `n` or `f`.
fn scale(number: &str, unit: &str, base: i32) -> Option<f64> {
    let number: f64 = number.trim().parse().ok()?;
    let mut letters = unit.trim().chars();
    let power = match (letters.next()?.to_ascii_lowercase(), unit.trim().len()) {
        (_, 1) => 0,
        ('m', _) => -3,
        ('u', _) => -6,
        ('n', _) => -9,
        ('p', _) => -12,
        ('f', _) => -15,
        _ => return None,
    };
    (number > 0.0 && number.is_finite()).then(|| number * 10f64.powi(power - base))
}

impl<'t> Builder<'t> {
    fn fail<T>(&self, line: usize, at: &str, what: String) -> Result<T, LibertyError> {
        Err(LibertyError::Value { file: self.file.to_owned(), line, at: at.to_owned(), what })
    }

    fn unit(&self, root: &Group<'t>, name: &str, base: i32) -> Result<Option<f64>, LibertyError> {
        let Some(attribute) = root.attribute(name) else { return Ok(None) };
        let parts = match attribute.values.as_slice() {
            [both] => {
                let split = both.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(both.len());
                both.split_at(split)
            }
            [number, unit] => (*number, *unit),
            _ => ("", ""),
        };
        match scale(parts.0, parts.1, base) {
            Some(scale) => Ok(Some(scale)),
            None => self.fail(
                attribute.line,
                name,
                format!("expected a unit as 1ns, found {}", attribute.values.join(",")),
            ),
        }
    }

    /// Units, templates and defaults; returns the voltage in V.
    fn header(&mut self, root: &Group<'t>) -> Result<f64, LibertyError> {
        let need = |unit: Option<f64>, name: &str| match unit {
            Some(unit) => Ok(unit),
            None => self.fail(root.line, "library", format!("{name} is not given")),
        };
        let volts = self.unit(root, "voltage_unit", 0)?.unwrap_or(1.0);
        let ff = need(self.unit(root, "capacitive_load_unit", -15)?, "capacitive_load_unit")?;
        self.units = Units {
            ps: need(self.unit(root, "time_unit", -12)?, "time_unit")?,
            ff,
            // Internal energy is in units of capacitance times voltage squared.
            fj: ff * volts * volts,
            nw: self.unit(root, "leakage_power_unit", -9)?.unwrap_or(1.0),
        };
        for group in root
            .groups
            .iter()
            .filter(|group| group.name.ends_with("lut_template") || group.name.ends_with("lu_table_template"))
        {
            let axis = |name| self.numbers(group.attribute(name), "template");
            let axes = vec![axis("index_1")?, axis("index_2")?, axis("index_3")?];
            let variables = ["variable_1", "variable_2", "variable_3"]
                .iter()
                .filter_map(|name| group.text(name))
                .collect();
            if let Some(name) = group.arguments.first() {
                self.templates.insert(name, Template { variables, axes });
            }
        }
        self.default_capacitance = self.number(root, "default_input_pin_cap", "library")?;
        self.default_leakage = self.number(root, "default_cell_leakage_power", "library")?.unwrap_or(0.0);
        let mut voltage = self.number(root, "nom_voltage", "library")?;
        for conditions in root.all("operating_conditions") {
            let default = root
                .text("default_operating_conditions")
                .is_some_and(|name| conditions.arguments.contains(&name));
            if default || voltage.is_none() {
                voltage = self.number(conditions, "voltage", "operating_conditions")?.or(voltage);
            }
        }
        match voltage {
            Some(voltage) if voltage > 0.0 => Ok(voltage * volts),
            _ => self.fail(
                root.line,
                "library",
                "expected a voltage: nom_voltage or operating_conditions".into(),
            ),
        }
    }

    fn number(&self, group: &Group<'t>, name: &str, at: &str) -> Result<Option<f64>, LibertyError> {
        let Some(attribute) = group.attribute(name) else { return Ok(None) };
        let text = attribute.values.first().copied().unwrap_or_default();
        match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => self.fail(
                attribute.line,
                &format!("{at}, {name}"),
                format!("expected a number, found \"{text}\""),
            ),
        }
    }

    fn numbers(&self, attribute: Option<&Attribute<'t>>, at: &str) -> Result<Vec<f64>, LibertyError> {
        let mut numbers = Vec::new();
        let Some(attribute) = attribute else { return Ok(numbers) };
        for text in &attribute.values {
            for word in text
                .split(|c: char| c == ',' || c == '\\' || c.is_whitespace())
                .filter(|word| !word.is_empty())
            {
                match word.parse::<f64>() {
                    Ok(number) if number.is_finite() => numbers.push(number),
                    _ => return self.fail(attribute.line, at, format!("expected numbers, found \"{word}\"")),
                }
            }
        }
        Ok(numbers)
    }

    fn cell(&self, group: &Group<'t>) -> Result<Cell, LibertyError> {
        let name = group.arguments.first().copied().unwrap_or_default();
        let at = format!("cell '{name}'");
        let mut cell = Cell {
            name: name.to_owned(),
            area: self.number(group, "area", &at)?.unwrap_or(0.0),
            leakage_nw: self.leakage(group, &at)? * self.units.nw,
            inputs: Vec::new(),
            outputs: Vec::new(),
            sequential: None,
            gate: None,
            unusable: exclusion(group),
        };
        let mut pins: Vec<(&Group<'t>, &str)> = Vec::new();
        for pin in group.all("pin") {
            pins.extend(pin.arguments.iter().map(|name| (pin, *name)));
        }
        for &(pin, name) in &pins {
            let at = format!("cell '{}', pin '{name}'", cell.name);
            let declared = Pin {
                name: name.to_owned(),
                capacitance_ff: self.capacitance(pin, &at)? * self.units.ff,
                max_load_ff: self.number(pin, "max_capacitance", &at)?.map(|load| load * self.units.ff),
                ..Pin::default()
            };
            match pin.text("direction") {
                Some("input") => cell.inputs.push(declared),
                Some("output") => cell.outputs.push(declared),
                Some("internal") => {}
                Some("inout") => cell.unusable = cell.unusable.or(Some(Unusable::ThreeState)),
                other => {
                    let found = other.unwrap_or("nothing");
                    return self.fail(pin.line, &at, format!("expected a direction, found {found}"));
                }
            }
        }
        if cell.inputs.len() + cell.outputs.len() >= MAX_VARIABLES {
            cell.unusable = cell.unusable.or(Some(Unusable::Pins));
        }
        if cell.unusable.is_none() {
            let names = state_names(group);
            self.state(group, &mut cell, &names)?;
            for (pin, name) in pins {
                self.pin(pin, name, &mut cell, &names)?;
            }
            if cell.outputs.is_empty() || cell.outputs.iter().any(|pin| pin.function.is_none()) {
                cell.unusable = Some(Unusable::NoFunction);
            }
        }
        Ok(cell)
    }

    /// Leakage in the file's unit: the figure of the cell; else, for each supply, the unconditional one or the mean.
    fn leakage(&self, group: &Group<'t>, at: &str) -> Result<f64, LibertyError> {
        if let Some(leakage) = self.number(group, "cell_leakage_power", at)? {
            return Ok(leakage);
        }
        let mut supplies: IndexMap<&str, (Option<f64>, Vec<f64>)> = IndexMap::new();
        for leakage in group.all("leakage_power") {
            let Some(value) = self.number(leakage, "value", at)? else { continue };
            let supply = supplies.entry(leakage.text("related_pg_pin").unwrap_or_default()).or_default();
            if leakage.attribute("when").is_some() { supply.1.push(value) } else { supply.0 = Some(value) }
        }
        if supplies.is_empty() {
            return Ok(self.default_leakage);
        }
        #[expect(clippy::cast_precision_loss, reason = "a handful of states")]
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        Ok(supplies.values().map(|(default, states)| default.unwrap_or_else(|| mean(states))).sum())
    }

    fn capacitance(&self, pin: &Group<'t>, at: &str) -> Result<f64, LibertyError> {
        if let Some(capacitance) = self.number(pin, "capacitance", at)? {
            return Ok(capacitance);
        }
        let rise = self.number(pin, "rise_capacitance", at)?;
        let fall = self.number(pin, "fall_capacitance", at)?;
        match (rise, fall, pin.text("direction")) {
            (Some(rise), Some(fall), _) => Ok(f64::midpoint(rise, fall)),
            (_, _, Some("input")) => match self.default_capacitance {
                Some(capacitance) => Ok(capacitance),
                None => self.fail(pin.line, at, "expected a capacitance of this input".into()),
            },
            _ => Ok(0.0),
        }
    }

    fn state(&self, group: &Group<'t>, cell: &mut Cell, names: &[&str]) -> Result<(), LibertyError> {
        if group.text("clock_gating_integrated_cell").is_some_and(|kind| kind.starts_with("latch_posedge")) {
            return self.clock_gate(group, cell);
        }
        let found = group.groups.iter().find(|inner| matches!(inner.name, "ff" | "latch"));
        let Some(inner) = found else {
            if group.groups.iter().any(|inner| matches!(inner.name, "statetable" | "ff_bank" | "latch_bank"))
            {
                cell.unusable = Some(Unusable::NoFunction);
            }
            return Ok(());
        };
        let (state, clock, data) = match inner.name {
            "ff" => (State::FlipFlop, "clocked_on", "next_state"),
            _ => (State::Latch, "enable", "data_in"),
        };
        let read = |name: &str| self.function(inner.attribute(name), cell, names);
        let (clock, data, clear, preset) = (read(clock)?, read(data)?, read("clear")?, read("preset")?);
        if let (Some(clock), Some(data)) = (clock, data) {
            cell.sequential = Some(Sequential { state, clock, data, clear, preset });
        } else {
            cell.unusable = Some(Unusable::NoFunction);
        }
        Ok(())
    }

    /// A clock gate is a latch that is transparent while the clock is low, and an AND.
    fn clock_gate(&self, group: &Group<'t>, cell: &mut Cell) -> Result<(), LibertyError> {
        let find = |attribute: &str| {
            let pin = group.all("pin").find(|pin| pin.text(attribute) == Some("true"));
            pin.and_then(|pin| pin.arguments.first()).map(|name| (*name).to_owned())
        };
        let (Some(clock), Some(enable), Some(output)) =
            (find("clock_gate_clock_pin"), find("clock_gate_enable_pin"), find("clock_gate_out_pin"))
        else {
            return self.fail(
                group.line,
                &format!("cell '{}'", cell.name),
                "expected clock_gate_clock_pin, clock_gate_enable_pin and clock_gate_out_pin of a clock gate"
                    .into(),
            );
        };
        let test = find("clock_gate_test_pin");
        let variables = cell.inputs.len() + 1;
        let bits = |name: Option<&String>| {
            let input = name.and_then(|name| cell.inputs.iter().position(|pin| pin.name == *name));
            input.map_or(0, |input| 1usize << input)
        };
        let (clock_bit, data_bits) = (bits(Some(&clock)), bits(Some(&enable)) | bits(test.as_ref()));
        let state_bit = 1usize << cell.inputs.len();
        cell.sequential = Some(Sequential {
            state: State::Latch,
            clock: Truth::from_fn(variables, |state| state & clock_bit == 0),
            data: Truth::from_fn(variables, |state| state & data_bits != 0),
            clear: None,
            preset: None,
        });
        if let Some(pin) = cell.outputs.iter_mut().find(|pin| pin.name == output) {
            pin.function =
                Some(Truth::from_fn(variables, |state| state & clock_bit != 0 && state & state_bit != 0));
        }
        cell.gate = Some(GatePins { clock, enable, test, output });
        Ok(())
    }

    /// A function over the inputs and, where the cell has one, the state.
    fn function(
        &self,
        attribute: Option<&Attribute<'t>>,
        cell: &Cell,
        names: &[&str],
    ) -> Result<Option<Truth>, LibertyError> {
        let Some(attribute) = attribute else { return Ok(None) };
        let text = attribute.values.first().copied().unwrap_or_default();
        let inputs = cell.inputs.len();
        let variables = inputs + usize::from(!names.is_empty());
        let find = |name: &str| {
            if let Some(input) = cell.inputs.iter().position(|pin| pin.name == name) {
                return Some(Truth::variable(variables, input));
            }
            let state = Truth::variable(variables, inputs);
            match names.iter().position(|known| *known == name) {
                Some(0) => Some(state),
                Some(_) => Some(state.not()),
                None => None,
            }
        };
        match expression(text, variables, &find) {
            Ok(truth) => Ok(Some(truth)),
            Err(what) => {
                self.fail(attribute.line, &format!("cell '{}', {}", cell.name, attribute.name), what)
            }
        }
    }

    fn pin(
        &self,
        group: &Group<'t>,
        name: &str,
        cell: &mut Cell,
        names: &[&str],
    ) -> Result<(), LibertyError> {
        let function = self.function(group.attribute("function"), cell, names)?;
        let mut supplies: Vec<&str> = Vec::new();
        let mut power = Vec::new();
        for inner in group.all("internal_power") {
            let supply = inner.text("related_pg_pin").unwrap_or_default();
            let supply = supplies.iter().position(|known| *known == supply).unwrap_or_else(|| {
                supplies.push(supply);
                supplies.len() - 1
            });
            power.push(self.power(inner, supply, cell, names)?);
        }
        let mut delays = Vec::new();
        for inner in group.all("timing") {
            self.delays(inner, cell, &mut delays)?;
        }
        let pins = cell.inputs.iter_mut().chain(&mut cell.outputs);
        for pin in pins.filter(|pin| pin.name == name) {
            pin.function = pin.function.take().or_else(|| function.clone());
            pin.power.append(&mut power);
            pin.delays.append(&mut delays);
        }
        Ok(())
    }

    fn related(group: &Group<'t>, cell: &Cell) -> Vec<usize> {
        let names = group.text("related_pin").unwrap_or_default();
        let input = |name: &str| cell.inputs.iter().position(|pin| pin.name == name);
        names.split_whitespace().filter_map(input).collect()
    }

    /// A condition over inputs, outputs and state.
    fn condition(
        &self,
        attribute: &Attribute<'t>,
        cell: &Cell,
        names: &[&str],
    ) -> Result<Truth, LibertyError> {
        let text = attribute.values.first().copied().unwrap_or_default();
        let pins = cell.inputs.len() + cell.outputs.len();
        let variables = pins + usize::from(!names.is_empty());
        let find = |name: &str| {
            let known = cell.inputs.iter().chain(&cell.outputs).position(|pin| pin.name == name);
            if let Some(pin) = known {
                return Some(Truth::variable(variables, pin));
            }
            let state = names.iter().position(|known| *known == name)?;
            let truth = Truth::variable(variables, pins);
            Some(if state == 0 { truth } else { truth.not() })
        };
        expression(text, variables, &find)
            .or_else(|what| self.fail(attribute.line, &format!("cell '{}', when", cell.name), what))
    }

    fn power(
        &self,
        group: &Group<'t>,
        supply: usize,
        cell: &Cell,
        names: &[&str],
    ) -> Result<PowerArc, LibertyError> {
        let when = group.attribute("when").map(|when| self.condition(when, cell, names)).transpose()?;
        let at = format!("cell '{}', internal_power", cell.name);
        let table = |name: &str| self.table(group, name, self.units.fj, &at);
        let both = table("power")?;
        let rise = table("rise_power")?.or_else(|| both.clone());
        let fall = table("fall_power")?.or(both);
        Ok(PowerArc { related: Self::related(group, cell), when, supply, rise, fall })
    }

    /// The delays of a timing group, without constraints and three-state or asynchronous arcs.
    fn delays(&self, group: &Group<'t>, cell: &Cell, delays: &mut Vec<DelayArc>) -> Result<(), LibertyError> {
        let kind = group.text("timing_type").unwrap_or("combinational");
        if !matches!(
            kind,
            "combinational" | "combinational_rise" | "combinational_fall" | "rising_edge" | "falling_edge"
        ) {
            return Ok(());
        }
        let at = format!("cell '{}', timing", cell.name);
        let table = |name: &str| self.table(group, name, self.units.ps, &at);
        let (rise, fall) = (table("cell_rise")?, table("cell_fall")?);
        let (rise_slew, fall_slew) = (table("rise_transition")?, table("fall_transition")?);
        let arc = DelayArc { input: 0, rise, fall, rise_slew, fall_slew };
        delays.extend(Self::related(group, cell).into_iter().map(|input| DelayArc { input, ..arc.clone() }));
        Ok(())
    }

    /// A table of a group in this crate's order: by slew, then by load.
    fn table(
        &self,
        group: &Group<'t>,
        name: &str,
        scale: f64,
        at: &str,
    ) -> Result<Option<Table>, LibertyError> {
        let Some(inner) = group.all(name).next() else { return Ok(None) };
        let at = format!("{at}, {name}");
        let template = inner.arguments.first().and_then(|name| self.templates.get(name));
        let values = self.numbers(inner.attribute("values"), &at)?;
        let mut axes = Vec::new();
        for (number, name) in ["index_1", "index_2", "index_3"].iter().enumerate() {
            let own = self.numbers(inner.attribute(name), &at)?;
            let shared = template.and_then(|template| template.axes.get(number)).cloned().unwrap_or_default();
            axes.push(if own.is_empty() { shared } else { own });
        }
        axes.retain(|axis| !axis.is_empty());
        if values.len() == 1 {
            axes.clear();
        }
        if values.is_empty() || values.len() != axes.iter().map(Vec::len).product::<usize>() {
            let expected = axes.iter().map(|axis| axis.len().to_string()).collect::<Vec<_>>().join(" x ");
            return self.fail(inner.line, &at, format!("expected {expected} values, found {}", values.len()));
        }
        if axes.iter().any(|axis| axis.windows(2).any(|pair| matches!(pair, [a, b] if a >= b))) {
            return self.fail(inner.line, &at, "expected indices that rise".into());
        }
        let variables = template.map_or(&[][..], |template| template.variables.as_slice());
        let is_load = |number: usize| match variables.get(number) {
            Some(name) if name.ends_with("net_capacitance") => Some(true),
            Some(name) if name.contains("transition") => Some(false),
            _ => None,
        };
        let by_slew = |axis: &[f64]| axis.iter().map(|slew| slew * self.units.ps).collect::<Vec<_>>();
        let by_load = |axis: &[f64]| axis.iter().map(|load| load * self.units.ff).collect::<Vec<_>>();
        let scaled = |values: &[f64]| values.iter().map(|value| value * scale).collect::<Vec<_>>();
        match (axes.as_slice(), is_load(0), is_load(1)) {
            ([], _, _) => Ok(Some(Table { values: scaled(&values), ..Table::default() })),
            ([axis], Some(true), _) => {
                Ok(Some(Table { load_ff: by_load(axis), values: scaled(&values), ..Table::default() }))
            }
            ([axis], Some(false), _) => {
                Ok(Some(Table { slew_ps: by_slew(axis), values: scaled(&values), ..Table::default() }))
            }
            ([slew, load], Some(false), Some(true)) => {
                Ok(Some(Table { slew_ps: by_slew(slew), load_ff: by_load(load), values: scaled(&values) }))
            }
            ([load, slew], Some(true), Some(false)) => {
                let columns = slew.len();
                let swapped = (0..columns).flat_map(|s| values.iter().skip(s).step_by(columns).copied());
                let swapped: Vec<f64> = swapped.collect();
                Ok(Some(Table { slew_ps: by_slew(slew), load_ff: by_load(load), values: scaled(&swapped) }))
            }
            _ => self.fail(
                inner.line,
                &at,
                format!(
                    "expected a template by input slew and output load, found '{}'",
                    variables.join("', '")
                ),
            ),
        }
    }
}

/// The names of a cell's state and its complement.
fn state_names<'t>(group: &Group<'t>) -> Vec<&'t str> {
    let inner = group.groups.iter().find(|inner| matches!(inner.name, "ff" | "latch" | "statetable"));
    match inner {
        Some(inner) if inner.name == "statetable" => inner.arguments.iter().skip(1).copied().collect(),
        Some(inner) => inner.arguments.clone(),
        None => Vec::new(),
    }
}

/// What excludes a cell from mapping by its attributes alone.
fn exclusion(group: &Group<'_>) -> Option<Unusable> {
    let is = |group: &Group<'_>, name: &str| group.text(name) == Some("true");
    let pin = |test: &dyn Fn(&Group<'_>) -> bool| group.all("pin").any(test);
    if is(group, "dont_use") {
        return Some(Unusable::DontUse);
    }
    let scan = |pin: &Group<'_>| {
        pin.text("signal_type").is_some_and(|kind| kind.starts_with("test_scan"))
            || pin.text("nextstate_type").is_some_and(|kind| kind.starts_with("scan"))
    };
    if group.all("test_cell").next().is_some() || pin(&scan) {
        return Some(Unusable::Scan);
    }
    if pin(&|pin| pin.attribute("three_state").is_some()) {
        return Some(Unusable::ThreeState);
    }
    let domains =
        ["is_isolation_cell", "is_level_shifter", "always_on", "retention_cell", "switch_cell_type"];
    let marked =
        |group: &Group<'_>| domains.iter().any(|name| group.text(name).is_some_and(|text| text != "false"));
    let supply = |pin: &Group<'_>| pin.text("pg_type").is_some_and(|kind| kind.starts_with("backup"));
    if marked(group) || pin(&marked) || group.all("pg_pin").any(supply) {
        return Some(Unusable::PowerDomain);
    }
    let buses = group.groups.iter().any(|inner| matches!(inner.name, "bus" | "bundle"));
    buses.then_some(Unusable::Pins)
}
