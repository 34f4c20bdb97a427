//! What the elements of a network's inputs and outputs mean to the host, as attributes of a function or of a `dpu.program`.
//!
//! Invariant: what is set is read back as it was; on a function, codes whose meaning is unknown while that of others is known are
//! values themselves.

use dpu_isa::{Codes, Meaning, State};
use strum_ir::{Attribute, Error, Operation, Type};

use super::statistics;

/// Scales of the codes of arguments.
pub const INPUT_SCALES: &str = "strum.input_scales";
/// Zero points of the codes of arguments.
pub const INPUT_ZERO_POINTS: &str = "strum.input_zero_points";
/// Scales of the codes of results.
pub const OUTPUT_SCALES: &str = "strum.output_scales";
/// Zero points of the codes of results.
pub const OUTPUT_ZERO_POINTS: &str = "strum.output_zero_points";
/// For each argument 1 if the host's codes are unsigned, 128 more than the network's.
pub const UNSIGNED_INPUTS: &str = "strum.unsigned_inputs";
/// The same for each result.
pub const UNSIGNED_OUTPUTS: &str = "strum.unsigned_outputs";
/// For each input of a program 1 if its elements are 0 or 1; of a function, the type says it.
pub const BOOLEAN_INPUTS: &str = "strum.boolean_inputs";
/// The same for each output.
pub const BOOLEAN_OUTPUTS: &str = "strum.boolean_outputs";
/// For each argument the index of the result that has its next value in a sequence of samples, or -1.
pub const STATES: &str = "strum.states";
/// For each argument the value of all elements of its state before the first sample; 0 without a state.
pub const INITIAL_STATES: &str = "strum.initial_states";

/// The attributes of one side: scales, zero points, unsigned, boolean.
const SIDES: [[&str; 4]; 2] = [
    [INPUT_SCALES, INPUT_ZERO_POINTS, UNSIGNED_INPUTS, BOOLEAN_INPUTS],
    [OUTPUT_SCALES, OUTPUT_ZERO_POINTS, UNSIGNED_OUTPUTS, BOOLEAN_OUTPUTS],
];

/// The meaning of inputs and of outputs, of which there are as many as `counts` says.
#[must_use]
pub fn read(op: Operation<'_>, counts: [usize; 2]) -> [Vec<Meaning>; 2] {
    let mut sides = SIDES.map(|names| of_side(op, names));
    for (side, count) in sides.iter_mut().zip(counts) {
        side.resize(count, Meaning::default());
    }
    let lists = op.ints_attr(STATES).zip(op.ints_attr(INITIAL_STATES));
    let states = lists.into_iter().flat_map(|(outputs, initial)| outputs.into_iter().zip(initial));
    for (meaning, (output, initial)) in sides[0].iter_mut().zip(states) {
        if let (Ok(output), Ok(initial)) = (u32::try_from(output), i32::try_from(initial)) {
            meaning.state = Some(State { output, initial });
        }
    }
    sides
}

fn of_side(op: Operation<'_>, [scales, zero_points, unsigned, boolean]: [&str; 4]) -> Vec<Meaning> {
    let scales = op.attribute(scales).and_then(|list| list.as_f64s()).unwrap_or_default();
    let zeros = op.ints_attr(zero_points).unwrap_or_default();
    let [unsigned, boolean] = [unsigned, boolean].map(|name| op.ints_attr(name).unwrap_or_default());
    let given = |flags: &[i64], index: usize| flags.get(index).is_some_and(|&flag| flag == 1);
    let meaning = |index: usize| {
        let zero_point = zeros.get(index).and_then(|&zero| i32::try_from(zero).ok());
        let codes = scales.get(index).zip(zero_point).map(|(&scale, zero_point)| Codes { scale, zero_point });
        let (unsigned, boolean) = (given(&unsigned, index), given(&boolean, index));
        Meaning { codes: codes.filter(Codes::is_legal), unsigned, boolean, state: None }
    };
    (0..scales.len().max(unsigned.len()).max(boolean.len())).map(meaning).collect()
}

/// Sets the attributes, as far as anything is known.
///
/// # Errors
/// MLIR cannot make an attribute.
pub fn set(op: Operation<'_>, inputs: &[Meaning], outputs: &[Meaning]) -> Result<(), Error> {
    let context = op.context();
    // The host reads codes of unknown meaning as values, and a program keeps what its binary says.
    let unknown = if op.is("dpu.program") { 0.0 } else { 1.0 };
    for ([scales, zero_points, unsigned, boolean], list) in SIDES.into_iter().zip([inputs, outputs]) {
        if list.iter().any(|meaning| meaning.codes.is_some()) {
            let of = |meaning: &Meaning| meaning.codes.map_or((unknown, 0), |c| (c.scale, c.zero_point));
            let (steps, zeros): (Vec<f64>, Vec<i32>) = list.iter().map(of).unzip();
            op.set_attribute(scales, statistics::floats(context, &steps)?);
            op.set_attribute(zero_points, Attribute::i32s(context, &zeros));
        }
        set_flags(op, unsigned, list.iter().map(|meaning| meaning.unsigned).collect());
        set_flags(op, boolean, list.iter().map(|meaning| meaning.boolean).collect());
    }
    if inputs.iter().any(|meaning| meaning.state.is_some()) {
        let of = |meaning: &Meaning| meaning.state.map_or((-1, 0), |s| (s.output.cast_signed(), s.initial));
        let (outputs, initial): (Vec<i32>, Vec<i32>) = inputs.iter().map(of).unzip();
        op.set_attribute(STATES, Attribute::i32s(context, &outputs));
        op.set_attribute(INITIAL_STATES, Attribute::i32s(context, &initial));
    }
    Ok(())
}

/// Sets an attribute of flags, if any is given.
fn set_flags(op: Operation<'_>, name: &str, flags: Vec<bool>) {
    if flags.contains(&true) {
        let flags: Vec<i32> = flags.into_iter().map(i32::from).collect();
        op.set_attribute(name, Attribute::i32s(op.context(), &flags));
    }
}

/// Copies the attributes of a function to the program that it becomes, and what its types say.
pub(crate) fn carry(from: Operation<'_>, to: Operation<'_>) {
    if let Some((arguments, results)) = from.function_type() {
        for (name, types) in [(BOOLEAN_INPUTS, arguments), (BOOLEAN_OUTPUTS, results)] {
            set_flags(to, name, types.into_iter().map(is_boolean).collect());
        }
    }
    for name in SIDES.into_iter().flatten().chain([STATES, INITIAL_STATES]) {
        if let Some(value) = from.attribute(name) {
            to.set_attribute(name, value);
        }
    }
}

fn is_boolean(ty: Type<'_>) -> bool {
    ty.as_tensor().is_some_and(|tensor| tensor.element.is_int(1))
}
