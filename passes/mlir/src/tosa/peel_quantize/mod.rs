//! `peel-quantize`: conversions from and to real numbers at the edges of an integer network become the meaning of its codes.
//!
//! Invariant: whole chains between an argument or a result and its codes are removed, and nothing else changes.

use dpu_isa::Codes;
use strum_ir::{Dialect, Operation, Pass, PassContext, PassError, Reported, Use, Value, pass_options};

use crate::Documented;
use crate::common::meaning;
use crate::common::rewrite::{self, blocks};
use crate::common::tosa::view;

pass_options! {
    /// The pass.
    pub struct PeelQuantize;
}

impl Documented for PeelQuantize {
    const DOC: &'static str = "\
An integer network that was converted from TFLite may take and give real numbers: an argument is multiplied by the reciprocal of a
scale, cast, moved by a zero point and cast to 8 bits, and a result the other way round (`QUANTIZE` and `DEQUANTIZE`, as
`tosa-converter-for-tflite` writes them). The pass removes these operators, so that arguments and results are the codes, and records scale
and zero point in `strum.input_scales` and its sisters. The host then quantizes as TFLite's kernels do: ties away from zero, and clamped to
the codes, where TOSA's casts round ties to even and wrap.

Chains of another form stay, and a function without any is unchanged. The drivers run this pass on every network in MLIR.
";
}

impl Pass for PeelQuantize {
    const ARGUMENT: &'static str = "peel-quantize";
    const DESCRIPTION: &'static str = "Remove float conversions around an integer network";
    const ROOT: &'static str = "func.func";
    const DIALECTS: &'static [Dialect] = &[Dialect::Tosa];

    fn run<'c>(&self, function: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        peel(function)?;
        Ok(())
    }
}

/// A chain of operators between real numbers and codes.
struct Chain<'c> {
    codes: Codes,
    /// The codes.
    value: Value<'c>,
    /// Its operators, in order.
    ops: Vec<Operation<'c>>,
}

/// Removes the chains; returns the names of the operators that are removed, in the order of arguments and results.
///
/// # Errors
/// Reported: a scale or a zero point that no code can have.
pub fn peel(function: Operation<'_>) -> Result<Vec<&str>, PassError> {
    let [block] = blocks(function)[..] else { return Ok(Vec::new()) };
    let Some(end) = block.terminator() else { return Ok(Vec::new()) };
    let arguments = block.arguments();
    let counts = [arguments.len(), end.num_operands()];
    let [mut inputs, mut outputs] = meaning::read(function, counts);
    let mut names = Vec::new();
    for (&argument, meaning) in arguments.iter().zip(&mut inputs).filter(|(argument, _)| is_real(**argument))
    {
        let Some(chain) = quantized(argument) else { continue };
        let Some(&last) = chain.ops.last() else { continue };
        meaning.codes = Some(checked(&chain)?);
        names.extend(chain.ops.iter().map(|op| op.name()));
        argument.set_type(chain.value.ty());
        rewrite::replace(last, argument)?;
    }
    for (index, meaning) in outputs.iter_mut().enumerate() {
        let Some(result) = end.operand(index).filter(|result| is_real(*result)) else { continue };
        let Some(chain) = dequantized(result) else { continue };
        meaning.codes = Some(checked(&chain)?);
        names.extend(chain.ops.iter().map(|op| op.name()));
        end.set_operand(index, chain.value);
        if let Some(&last) = chain.ops.last() {
            last.erase_if_dead()?;
        }
    }
    if !names.is_empty() {
        let missing = || PassError::Internal("a function without a type".into());
        function.update_function_type().ok_or_else(missing)?;
        meaning::set(function, &inputs, &outputs)?;
    }
    Ok(names)
}

/// The meaning of a chain's codes.
fn checked(chain: &Chain<'_>) -> Result<Codes, Reported> {
    let Codes { scale, zero_point } = chain.codes;
    let Some(op) = chain.ops.first() else { return Ok(chain.codes) };
    if !chain.codes.is_legal() {
        return Err(
            op.error(format_args!("a scale of {scale} between real numbers and codes: expected one above 0"))
        );
    }
    if i8::try_from(zero_point).is_err() {
        return Err(op.error(format_args!("the zero point {zero_point} is outside the 8-bit range")));
    }
    Ok(chain.codes)
}

/// Whether the elements of a tensor are floats.
fn is_real(value: Value<'_>) -> bool {
    value.ty().element().is_some_and(|element| element.is_f32())
}

fn is_int(value: Value<'_>, width: u32) -> bool {
    value.ty().element().is_some_and(|element| element.is_int(width))
}

/// The codes that an argument is only used for: `cast(cast(argument * reciprocal) + zero point)`.
fn quantized<'c>(argument: Value<'c>) -> Option<Chain<'c>> {
    let mut ops = Vec::new();
    let mut next = |at: Use<'c>| -> Option<Value<'c>> {
        ops.push(at.user);
        at.user.single_result()
    };
    let mut at = argument.single_use()?;
    let mut scale = 1.0;
    if at.user.is("tosa.mul") {
        // As the converter has made it: the nearest reciprocal in single precision.
        #[allow(clippy::cast_possible_truncation, reason = "scales of TFLite are in single precision")]
        let nearest = (1.0 / f64::from(factor(at.user, 1 - at.operand.min(1))?)) as f32;
        scale = f64::from(nearest);
        at = next(at)?.single_use()?;
    }
    let mut zero_point = 0;
    let mut value = cast(at)?;
    next(at)?;
    if is_int(value, 32) {
        at = value.single_use()?;
        if at.user.is("tosa.add") {
            zero_point = view::literal(at.user.operand(1 - at.operand.min(1))?)?.uniform()?;
            at = next(at)?.single_use()?;
        }
        value = cast(at)?;
        next(at)?;
    }
    let same = value.ty().extents() == argument.ty().extents();
    (is_int(value, 8) && same).then_some(Chain { codes: Codes { scale, zero_point }, value, ops })
}

/// The codes that a result is made of: `(cast(codes) - zero point) * scale`.
fn dequantized<'c>(result: Value<'c>) -> Option<Chain<'c>> {
    let mut ops = Vec::new();
    let mut before = |op: Operation<'c>, operand: usize| -> Option<Value<'c>> {
        // Nothing else may read the real numbers.
        op.single_result()?.single_use()?;
        ops.push(op);
        op.operand(operand)
    };
    let mut op = result.defining_op()?;
    let mut scale = 1.0;
    if op.is("tosa.mul") {
        let constant = (0..2).find(|&index| factor(op, index).is_some())?;
        scale = f64::from(factor(op, constant)?);
        op = before(op, 1 - constant)?.defining_op()?;
    }
    let mut zero_point = 0;
    if op.is("tosa.sub") {
        zero_point = whole(float(op.operand(1)?)?)?;
        op = before(op, 0)?.defining_op()?;
    }
    if !op.is("tosa.cast") {
        return None;
    }
    let value = before(op, 0)?;
    ops.reverse();
    let same = value.ty().extents() == result.ty().extents();
    (is_int(value, 8) && same).then_some(Chain { codes: Codes { scale, zero_point }, value, ops })
}

/// The result of a cast.
fn cast(at: Use<'_>) -> Option<Value<'_>> {
    if at.user.is("tosa.cast") { at.user.single_result() } else { None }
}

/// The constant operand of a multiplication of floats.
fn factor(op: Operation<'_>, index: usize) -> Option<f32> {
    float(op.operand(index)?)
}

/// The only element of a constant.
fn float(value: Value<'_>) -> Option<f32> {
    let single = value.ty().shape()?.iter().all(|&extent| extent == 1);
    let bytes = value.constant().filter(|_| is_real(value) && single)?.bytes().ok()?;
    Some(f32::from_le_bytes(bytes.as_ref().try_into().ok()?))
}

/// A number without fraction.
fn whole(x: f32) -> Option<i32> {
    #[allow(clippy::cast_possible_truncation, reason = "compared with what it came from")]
    let whole = x as i32;
    (f64::from(whole) == f64::from(x)).then_some(whole)
}
