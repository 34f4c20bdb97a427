//! Networks of `strum-doors` as modules.
//!
//! Invariant: the module has been verified; every op is located by the name of the operator of the file that it comes from, and what
//! the verifier refuses is a bug, which names that operator.

use std::borrow::Cow;
use std::fmt::Write as _;

use dpu_isa::{self as isa, Meaning};
use strum_doors::tosa::{self, Constant, Elem, Graph, Id, Node, Operand, Origin, Port};
use strum_ir::{Attribute, Context, Error, Location, Module, Operation, PassError, Type, Value};

use super::{Body, Values, dims, missing, signed};
use crate::common::meaning;
use crate::common::tosa::build::Builder;
use crate::common::tosa::elem;
use crate::common::tosa::literal::Literal;

/// Why a network is not written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    /// A state that is not the same everywhere before the first sample.
    #[error(
        "the elements of state '{0}' differ before the first sample: it must begin with one value everywhere"
    )]
    State(String),
    /// A state of real numbers whose first value is no whole number.
    #[error(
        "state '{0}' is {1} before the first sample: a state of real numbers must begin with a whole number"
    )]
    Fraction(String, f32),
    /// A bug: MLIR cannot make an op, or refuses it.
    #[error("the network as TOSA: {0}")]
    Bug(String),
}

impl From<PassError> for Refused {
    fn from(error: PassError) -> Self {
        match error {
            PassError::Internal(text) => Refused::Bug(text),
            PassError::Reported => Refused::Bug(Error::Reported.to_string()),
        }
    }
}

/// The module with the function `@main` for a network.
///
/// # Errors
/// See [`Refused`].
pub fn module<'c>(context: &'c Context, graph: &Graph) -> Result<Module<'c>, Refused> {
    for state in &graph.states {
        let name = || graph.inputs.get(state.input).map_or("?", |port| &port.name).to_owned();
        if let Some(constant) = state.initial.and_then(|id| graph.constant(id)) {
            match first(&constant) {
                First::Whole(_) => {}
                First::Fraction(value) => return Err(Refused::Fraction(name(), value)),
                First::Different => return Err(Refused::State(name())),
            }
        }
    }
    let (module, diagnostics) =
        context.handle().capture(|| Module::parse(context, skeleton(graph).as_bytes(), "network"));
    let module = module.map_err(|error| refused(&error, &diagnostics))?;
    let main = module.symbol("main").ok_or_else(|| missing(0))?;
    write(context, main, graph)?;
    let (verified, diagnostics) = context.handle().capture(|| module.op().verify());
    verified.map_err(|error| refused(&error, &diagnostics))?;
    Ok(module)
}

/// The bug that MLIR refuses what was written.
fn refused(error: &Error, diagnostics: &[strum_ir::Captured]) -> Refused {
    Refused::Bug(match diagnostics.first() {
        Some(first) => format!("{}: {}", first.location, first.message),
        None => error.to_string(),
    })
}

/// A function of the right type that computes nothing, as text.
fn skeleton(graph: &Graph) -> String {
    let mut text = String::from("module {\nfunc.func @main(");
    let mut names = Names::default();
    for (index, port) in graph.inputs.iter().enumerate() {
        let (ty, name) = (tensor_text(graph, port.id), quoted(&names.unique(&port.name, "arg", index)));
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}%arg{index}: {ty} {{tosa.tensor_name = {name}}} loc({name})");
    }
    text.push_str(") -> (");
    let mut names = Names::default();
    for (index, port) in graph.outputs.iter().enumerate() {
        let (ty, name) = (tensor_text(graph, port.id), quoted(&names.unique(&port.name, "out", index)));
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}{ty} {{tosa.tensor_name = {name}}}");
    }
    text.push_str(") {\n");
    for (index, port) in graph.outputs.iter().enumerate() {
        let ty = tensor_text(graph, port.id);
        let _ = writeln!(text, "%out{index} = tensor.empty() : {ty} loc(unknown)");
    }
    let list = |item: &dyn Fn(usize, &Port) -> String| {
        graph.outputs.iter().enumerate().map(|(i, port)| item(i, port)).collect::<Vec<_>>().join(", ")
    };
    let (values, types) = (list(&|i, _| format!("%out{i}")), list(&|_, port| tensor_text(graph, port.id)));
    let colon = if graph.outputs.is_empty() { "" } else { " : " };
    let _ = writeln!(text, "return {values}{colon}{types} loc(unknown)");
    // The ends of function and module.
    text.push_str(&"} loc(unknown)\n".repeat(2));
    text
}

/// Names that differ, as arguments of command lines need them.
#[derive(Default)]
struct Names(std::collections::BTreeSet<String>);

impl Names {
    /// The name in the file, or another if it has none or several tensors have it.
    fn unique(&mut self, name: &str, what: &str, index: usize) -> String {
        let first = if name.is_empty() { format!("{what}{index}") } else { name.to_owned() };
        let others = (index..).map(|n| format!("{first}_{n}"));
        let free = std::iter::once(first.clone()).chain(others).find(|name| !self.0.contains(name));
        let name = free.unwrap_or(first);
        self.0.insert(name.clone());
        name
    }
}

/// A string in MLIR's form.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'"' && byte != b'\\' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\{byte:02X}");
            }
        }
    }
    out + "\""
}

fn tensor_text(graph: &Graph, id: Id) -> String {
    let element = graph.value(id).map_or("i8", |value| value.elem.name());
    let extents: String = graph.shape(id).iter().map(|d| format!("{d}x")).collect();
    format!("tensor<{extents}{element}>")
}

/// Fills the function.
fn write<'c>(context: &'c Context, main: Operation<'c>, graph: &Graph) -> Result<(), PassError> {
    let (body, build) = Body::of(main)?;
    let mut writer = Writer { build, graph, values: Values::new(graph.values.len()) };
    for (port, &argument) in graph.inputs.iter().zip(&body.arguments) {
        writer.values.set(port.id.index(), argument);
    }
    let unknown = Location::unknown(context);
    for node in &graph.nodes {
        let source = graph.sources.get(node.source).filter(|name| !name.is_empty());
        writer.build.set_location(source.map_or(unknown, |name| Location::named(name, unknown)));
        let value = writer.node(node).map_err(|error| match error {
            PassError::Internal(text) => {
                let source = source.map_or("?", String::as_str);
                PassError::Internal(format!("{source}: {}: {text}", node.name))
            }
            PassError::Reported => PassError::Reported,
        })?;
        writer.values.set(node.result.index(), value);
    }
    let results = graph.outputs.iter().map(|port| writer.value(port.id)).collect::<Result<Vec<_>, _>>()?;
    body.replace(&results)?;
    let mut inputs: Vec<Meaning> = graph.inputs.iter().map(meaning_of).collect();
    let outputs: Vec<Meaning> = graph.outputs.iter().map(meaning_of).collect();
    for state in &graph.states {
        let meaning = inputs.get_mut(state.input).ok_or_else(|| missing(state.input))?;
        let initial = match state.initial.and_then(|id| graph.constant(id)).map(|constant| first(&constant)) {
            Some(First::Whole(value)) => value,
            Some(First::Fraction(_) | First::Different) => return Err(missing(state.input)),
            None => meaning.codes.map_or(0, |codes| codes.zero_point),
        };
        let output = u32::try_from(state.output).map_err(|_| missing(state.output))?;
        meaning.state = Some(isa::State { output, initial });
    }
    Ok(meaning::set(main, &inputs, &outputs)?)
}

/// The meaning of an input or output.
fn meaning_of(port: &Port) -> Meaning {
    let codes = port.codes.map(|codes| isa::Codes { scale: codes.scale, zero_point: codes.zero_point });
    Meaning { codes, unsigned: port.unsigned, boolean: false, state: None }
}

/// The elements of a constant that a state begins with.
enum First {
    /// All are this number.
    Whole(i32),
    /// All are this number, which no integer is.
    Fraction(f32),
    /// They differ, or there are none.
    Different,
}

fn first(constant: &Constant<'_>) -> First {
    if let Some(values) = constant.ints() {
        let of =
            |&first: &i64| values.iter().all(|&v| v == first).then(|| i32::try_from(first).ok()).flatten();
        return values.first().and_then(of).map_or(First::Different, First::Whole);
    }
    let values = constant.floats().unwrap_or_default();
    let Some(&first) =
        values.first().filter(|&first| values.iter().all(|v| v == first || v.is_nan() && first.is_nan()))
    else {
        return First::Different;
    };
    #[allow(clippy::cast_possible_truncation, reason = "compared with what it came from")]
    let whole = first as i32;
    // A larger one may have been cut to the range.
    let same = f64::from(whole) == f64::from(first) && whole != i32::MAX;
    if same { First::Whole(whole) } else { First::Fraction(first) }
}

struct Writer<'g, 'c> {
    build: Builder<'c>,
    graph: &'g Graph,
    values: Values<'c>,
}

impl<'c> Writer<'_, 'c> {
    /// A value; a constant is created on first use.
    fn value(&mut self, id: Id) -> Result<Value<'c>, PassError> {
        if let Some(value) = self.values.get(id.index()) {
            return Ok(value);
        }
        let graph = self.graph;
        let constant = graph.constant(id).ok_or_else(|| missing(id.index()))?;
        let value = self.constant(&constant)?;
        self.values.set(id.index(), value);
        Ok(value)
    }

    fn constant(&mut self, constant: &Constant<'_>) -> Result<Value<'c>, Error> {
        let wrong = || Error::Attribute(format!("a constant of shape {:?}", constant.shape));
        let shape = dims(constant.shape);
        let elem = match constant.elem {
            Elem::I8 => elem::Elem::I8,
            Elem::I16 => elem::Elem::I16,
            Elem::I32 => elem::Elem::I32,
            Elem::F32 => return self.build.floats(&shape, &constant.floats().ok_or_else(wrong)?),
            // MLIR stores these in its own ways.
            Elem::Bool | Elem::I4 | Elem::I48 => {
                let ty = self.tensor(constant.shape, constant.elem)?;
                let list = nested(&constant.ints().ok_or_else(wrong)?, constant.shape);
                let values = Attribute::parse(self.build.context(), &format!("dense<{list}> : {ty}"))?;
                return self.build.of_attribute(ty, values);
            }
        };
        let literal = Literal::dense(shape, elem, Cow::Borrowed(constant.bytes)).ok_or_else(wrong)?;
        self.build.constant(literal)
    }

    fn element(&self, elem: Elem) -> Result<Type<'c>, Error> {
        Type::parse(self.build.context(), elem.name())
    }

    fn tensor(&self, shape: &[usize], elem: Elem) -> Result<Type<'c>, Error> {
        Type::tensor(&signed(shape), self.element(elem)?)
    }

    fn node(&mut self, node: &Node) -> Result<Value<'c>, PassError> {
        let graph = self.graph;
        let mut operands = Vec::with_capacity(node.operands.len());
        for operand in &node.operands {
            operands.push(match operand {
                Operand::Value(id) => self.value(*id)?,
                Operand::Shape(list) => self.build.signed_shape(list)?,
            });
        }
        let result = graph.value(node.result).ok_or_else(|| missing(node.result.index()))?;
        let ty = self.tensor(&result.shape, result.elem)?;
        let mut op = self.build.op(&format!("tosa.{}", node.name)).operands(&operands).result(ty);
        for (name, attribute) in &node.attributes {
            op = op.attribute(name, self.attribute(attribute)?);
        }
        Ok(self.build.insert(op)?)
    }

    fn attribute(&self, attribute: &tosa::Attribute) -> Result<Attribute<'c>, Error> {
        let context = self.build.context();
        Ok(match attribute {
            tosa::Attribute::Bool(value) => Attribute::bool(context, *value),
            tosa::Attribute::Int(elem, value) => Attribute::int(context, bits(*elem), *value),
            tosa::Attribute::Float(value) => {
                Attribute::parse(context, &format!("0x{:08X} : f32", value.to_bits()))?
            }
            tosa::Attribute::Ints64(list) => Attribute::i64s(context, list),
            tosa::Attribute::Ints32(list) => Attribute::i32s(context, list),
            tosa::Attribute::Type(elem) => Attribute::of_type(self.element(*elem)?),
            tosa::Attribute::Case(of, case) => Attribute::parse(context, &format!("#tosa.{of}<{case}>"))?,
        })
    }
}

/// Bits of an integer in an attribute.
fn bits(elem: Elem) -> u32 {
    match elem {
        Elem::Bool => 1,
        Elem::I4 => 4,
        Elem::I8 => 8,
        Elem::I16 => 16,
        Elem::I32 | Elem::F32 => 32,
        Elem::I48 => 48,
    }
}

/// Integers as nested lists.
fn nested(values: &[i64], shape: &[usize]) -> String {
    match shape.split_first() {
        None => values.first().map_or_else(String::new, i64::to_string),
        Some((&count, rest)) => {
            let part = (values.len() / count.max(1)).max(1);
            let parts: Vec<String> = values.chunks(part).map(|part| nested(part, rest)).collect();
            format!("[{}]", parts.join(", "))
        }
    }
}

/// Bytes of the constants of a graph, which a module holds once more.
#[must_use]
pub fn constant_bytes(graph: &Graph) -> u64 {
    let of = |value: &tosa::Value| match &value.origin {
        Origin::Constant(bytes) => bytes.len() as u64,
        Origin::Input(_) | Origin::Node(_) => 0,
    };
    graph.values.iter().map(of).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests;
