//! Discardable attributes: those that an operation does not declare. MLIR keeps them without interpreting them, so that a misspelt one
//! would silently have no effect.
//!
//! Invariant: an attribute with the prefix of one of our dialects is one that this project reads, on an operation and of a type where it
//! reads it; our operations have only declared attributes, and others with a prefix.

use crate::spelling::nearest;
use melior::ir::attribute::AttributeLike;

use crate::{Attribute, Operation, PassError};

/// A violation, to be reported at the operation.
type Verdict = Result<(), String>;

/// Which operations carry an attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// Functions and programs.
    Function(Side),
    /// Programs alone.
    Program(Side),
    /// Convolutions of `tosa` and `strum`.
    Convolution,
}

/// Which values of a function or program an attribute describes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Arguments,
    Results,
}

/// The type of an attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `array<f64>`, positive.
    Scales,
    /// `array<i32>`.
    Codes,
    /// `array<i32>` of 0 and 1.
    Flags,
    /// `array<i32>`, each the index of a result or -1.
    Results,
    /// `array<f64>`.
    Means,
    /// `array<f64>`, not negative.
    Squares,
    /// `unit`.
    Mark,
}

/// An attribute of the strum dialect.
struct Known {
    name: &'static str,
    owner: Owner,
    form: Form,
    /// The attribute without which it has no effect.
    with: Option<&'static str>,
}

/// The attributes that `strumc quantize`, the readers of other files and `expand-operators` write.
const KNOWN: &[Known] = &[
    scales("strum.input_scales", Side::Arguments, "strum.input_zero_points"),
    codes("strum.input_zero_points", Side::Arguments, "strum.input_scales"),
    scales("strum.output_scales", Side::Results, "strum.output_zero_points"),
    codes("strum.output_zero_points", Side::Results, "strum.output_scales"),
    of_ends("strum.unsigned_inputs", Side::Arguments, Form::Flags, None),
    of_ends("strum.unsigned_outputs", Side::Results, Form::Flags, None),
    of_program("strum.boolean_inputs", Side::Arguments),
    of_program("strum.boolean_outputs", Side::Results),
    of_ends("strum.states", Side::Arguments, Form::Results, Some("strum.initial_states")),
    of_ends("strum.initial_states", Side::Arguments, Form::Codes, Some("strum.states")),
    Known { name: "strum.input_mean", owner: Owner::Convolution, form: Form::Means, with: None },
    Known { name: "strum.input_square", owner: Owner::Convolution, form: Form::Squares, with: None },
    Known { name: "strum.int4", owner: Owner::Convolution, form: Form::Mark, with: None },
];

const fn scales(name: &'static str, side: Side, with: &'static str) -> Known {
    of_ends(name, side, Form::Scales, Some(with))
}

const fn codes(name: &'static str, side: Side, with: &'static str) -> Known {
    of_ends(name, side, Form::Codes, Some(with))
}

const fn of_ends(name: &'static str, side: Side, form: Form, with: Option<&'static str>) -> Known {
    Known { name, owner: Owner::Function(side), form, with }
}

const fn of_program(name: &'static str, side: Side) -> Known {
    Known { name, owner: Owner::Program(side), form: Form::Flags, with: None }
}

/// The provenance attributes of a program, without a prefix.
const OF_PROGRAM: &[&str] = &["tool", "pipeline", "input_sha256"];

const CONVOLUTIONS: &[&str] =
    &["tosa.conv2d", "tosa.depthwise_conv2d", "strum.conv2d", "strum.depthwise_conv2d"];

/// Verifies an attribute whose name begins with one of our dialects.
pub(crate) fn verify_prefixed(
    op: Operation<'_>,
    name: &str,
    value: Attribute<'_>,
    on_operation: bool,
) -> Result<(), PassError> {
    let verdict = match KNOWN.iter().find(|known| known.name == name) {
        Some(known) if on_operation => place(op, known).and_then(|()| form(op, known, value)),
        Some(known) => Err(format!("has '{name}' on an argument or result: it is for {}", whose(known))),
        None => {
            let prefix = name.split_inclusive('.').next().unwrap_or_default();
            let known: Vec<_> = KNOWN.iter().map(|k| k.name).filter(|k| k.starts_with(prefix)).collect();
            let place = if on_operation { "" } else { " on an argument or result" };
            Err(unknown(&format!("'{name}'{place}"), name, &known))
        }
    };
    verdict.map_err(|message| op.error(message).into())
}

/// Verifies that one of our operations has no undeclared attribute without a prefix.
pub(crate) fn verify_own(op: Operation<'_>) -> Result<(), PassError> {
    let allowed: &[&str] = if op.is("dpu.program") { OF_PROGRAM } else { &[] };
    for (name, value) in op.discardable_attributes() {
        if name.contains('.') {
            continue;
        }
        if !allowed.contains(&name) {
            let mut known = [&op.declared_attributes(), allowed].concat();
            // MLIR's own bookkeeping there cannot be written by users.
            known.retain(|known| *known != "operandSegmentSizes");
            return Err(op.error(unknown(&format!("'{name}'"), name, &known)).into());
        }
        if value.as_str().is_none() {
            return Err(op.error(format_args!("expects '{name}' to be a string, got {value}")).into());
        }
    }
    Ok(())
}

impl Operation<'_> {
    /// The violation of an undeclared attribute without a prefix, on an operation of any dialect, whose name is close to a declared
    /// one. Others without a prefix may be notes of the tool that wrote the file.
    pub fn misspelt_attribute(self) -> Option<String> {
        let notes = self.discardable_attributes().into_iter().filter(|(name, _)| !name.contains('.'));
        notes.into_iter().find_map(|(name, _)| {
            let known = nearest(name, &self.declared_attributes())?;
            Some(format!("has no attribute '{name}'; the nearest is '{known}'"))
        })
    }
}

fn place(op: Operation<'_>, known: &Known) -> Verdict {
    let right = match known.owner {
        Owner::Function(_) => op.is("func.func") || op.is("dpu.program"),
        Owner::Program(_) => op.is("dpu.program"),
        Owner::Convolution => CONVOLUTIONS.contains(&op.name()),
    };
    if right { Ok(()) } else { Err(format!("has '{}', which is for {}", known.name, whose(known))) }
}

fn whose(known: &Known) -> &'static str {
    match known.owner {
        Owner::Function(_) => "functions",
        Owner::Program(_) => "programs",
        Owner::Convolution => "convolutions",
    }
}

fn form(op: Operation<'_>, known: &Known, value: Attribute<'_>) -> Verdict {
    let Known { name, form, .. } = known;
    let count = match form {
        Form::Mark if value.to_string() == "unit" => return Ok(()),
        Form::Mark => return Err(format!("expects '{name}' as unit, got {value}")),
        Form::Scales | Form::Means | Form::Squares => {
            let values =
                value.as_f64s().ok_or_else(|| format!("expects '{name}' as array<f64>, got {value}"))?;
            // In a program, 0 stands for an unknown scale.
            let legal = |v: f64| match form {
                Form::Scales => v > 0.0 || v == 0.0 && op.is("dpu.program"),
                Form::Squares => v >= 0.0,
                Form::Means | Form::Codes | Form::Flags | Form::Results | Form::Mark => true,
            };
            let wrong = |v: &&f64| !v.is_finite() || !legal(**v);
            if let Some(wrong) = values.iter().find(wrong) {
                return Err(format!("has {wrong} in '{name}'"));
            }
            values.len()
        }
        Form::Codes | Form::Flags | Form::Results => {
            let codes = value.0.is_dense_i32_array().then(|| value.as_i64s()).flatten();
            let codes = codes.ok_or_else(|| format!("expects '{name}' as array<i32>, got {value}"))?;
            let results = ends(op).map_or(0, |(_, results)| results as i64);
            let legal = |v: i64| match form {
                Form::Flags => (0..=1).contains(&v),
                Form::Results => (-1..results).contains(&v),
                _ => true,
            };
            if let Some(wrong) = codes.iter().find(|&&v| !legal(v)) {
                return Err(format!("has {wrong} in '{name}'"));
            }
            codes.len()
        }
    };
    if let Some(other) = known.with.filter(|other| op.attribute(other).is_none()) {
        return Err(format!("has '{name}' without '{other}'"));
    }
    let (Owner::Function(side) | Owner::Program(side)) = known.owner else { return Ok(()) };
    let Some((arguments, results)) = ends(op) else { return Ok(()) };
    let (what, expected) = match side {
        Side::Arguments => ("arguments", arguments),
        Side::Results => ("results", results),
    };
    if count == expected {
        return Ok(());
    }
    Err(format!("has {expected} {what}, and {count} values in '{name}'"))
}

/// The number of arguments and results of a function, or of inputs and outputs of a program.
fn ends(op: Operation<'_>) -> Option<(usize, usize)> {
    if op.is("dpu.program") {
        let ops = op.body()?.operations();
        let count = |name: &str| ops.iter().filter(|op| op.is(name)).count();
        return Some((count("dpu.input"), count("dpu.output")));
    }
    op.function_type().map(|(arguments, results)| (arguments.len(), results.len()))
}

/// The message that an attribute is unknown, with the one that may have been meant.
fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    match (nearest(name, known), known) {
        (Some(known), _) => format!("has no attribute {what}; the nearest is '{known}'"),
        (None, []) => format!("has no attribute {what}"),
        (None, known) => format!("has no attribute {what}; there are {}", known.join(", ")),
    }
}
