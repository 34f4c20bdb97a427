//! `specialize-shapes`: dynamic extents become static ones, from the arguments of a function on.
//!
//! Invariant: a type that is static already stays as it is, and no op remains with a dynamic extent.

mod infer;
mod request;

use strum_ir::{Dialect, Operation, Pass, PassContext, PassError, Reported, Value, pass_options};

use crate::Documented;
use crate::common::names;
use crate::common::rewrite::blocks;
use crate::common::tosa::build::Builder;
use crate::common::verdict::{UNSUPPORTED, USAGE};

pub use request::{InputShape, Request};

pass_options! {
    /// The pass.
    pub struct SpecializeShapes {
        batch("batch"): Option<u64> = None, "extent of dynamic first dimensions of arguments; 1 if not given";
        input_shapes("input-shapes"): Option<String> = None,
            "extents of arguments with other dynamic dimensions: NAME=1x224x224x3, several separated by semicolons";
    }
}

impl Documented for SpecializeShapes {
    const DOC: &'static str = "\
Networks are exported with dynamic extents, mostly that of the batch. This pass replaces them: first dimensions of arguments by
`batch`, others by `input-shapes`, and those of results by what follows from the operands of each operator. Sizes of `tosa.slice`
and shapes of `tosa.reshape` that are -1 are replaced, too.

An extent that is static is not changed, and an option without effect is refused. The drivers run this pass on networks with
dynamic extents; a missing option is an error that names the argument.
";
}

impl Pass for SpecializeShapes {
    const ARGUMENT: &'static str = "specialize-shapes";
    const DESCRIPTION: &'static str = "Replace dynamic extents by static ones";
    const ROOT: &'static str = "func.func";
    const DIALECTS: &'static [Dialect] = &[Dialect::Tosa];

    fn run<'c>(&self, function: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        let shapes = self.input_shapes.as_deref().unwrap_or_default();
        let input_shapes = shapes.split(';').filter(|text| !text.is_empty()).map(InputShape::parse);
        let input_shapes = input_shapes
            .collect::<Result<_, _>>()
            .map_err(|reason| function.error(format_args!("{USAGE}input-shapes: {reason}")))?;
        specialize(function, &Request { batch: self.batch, input_shapes })?;
        Ok(())
    }
}

/// What was decided without being asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The arguments whose first extent was taken as 1.
    pub single: Vec<String>,
}

/// Whether any argument of a function has a dynamic extent.
#[must_use]
pub fn is_dynamic(function: Operation<'_>) -> bool {
    let (inputs, _) = function.function_type().unwrap_or_default();
    inputs.iter().any(|ty| ty.extents().is_some_and(|extents| extents.contains(&None)))
}

/// Replaces dynamic extents.
///
/// # Errors
/// Reported: an option without effect, an extent that no option gives, or an op whose result is not known.
pub fn specialize(function: Operation<'_>, request: &Request) -> Result<Decided, PassError> {
    let mut decided = Decided { single: Vec::new() };
    let [block] = blocks(function)[..] else {
        // A declaration, or control flow, which other passes report.
        return Ok(decided);
    };
    let names = names::inputs(function)?;
    let arguments = block.arguments();
    let fail = |reason: String| -> Reported { function.error(reason) };
    request.check(&names).map_err(|reason| fail(format!("{USAGE}{reason}")))?;
    let mut batched = false;
    for (name, &argument) in names.iter().zip(&arguments) {
        let Some(extents) = argument.ty().extents() else { continue };
        let given = request.shape_of(name, names.len());
        let shape = match given {
            Some(given) => given.fit(name, &extents).map_err(|reason| fail(format!("{USAGE}{reason}")))?,
            None if !extents.contains(&None) => continue,
            None => {
                let batch = request.batch.unwrap_or(1);
                let shape = with_batch(&extents, batch).ok_or_else(|| {
                    let ty = argument.ty();
                    fail(format!("{UNSUPPORTED}argument '{name}' of type '{ty}' has dynamic extents: give its shape (--input-shape)"))
                })?;
                batched = true;
                if request.batch.is_none() {
                    decided.single.push(name.clone());
                }
                shape
            }
        };
        argument.set_type(argument.ty().with_shape(&shape)?);
    }
    if let Some(batch) = request.batch.filter(|_| !batched) {
        return Err(fail(format!(
            "{USAGE}batch {batch} has no effect: no argument has a dynamic first extent"
        ))
        .into());
    }
    for op in block.operations() {
        refine(op)?;
    }
    function.update_function_type().ok_or_else(|| PassError::Internal("a function without a type".into()))?;
    Ok(decided)
}

/// The extents with the batch in place of the first, if no other is dynamic.
fn with_batch(extents: &[Option<i64>], batch: u64) -> Option<Vec<i64>> {
    let (_, rest) = extents.split_first()?;
    let rest = rest.iter().copied().collect::<Option<Vec<i64>>>()?;
    Some(std::iter::once(i64::try_from(batch).ok()?).chain(rest).collect())
}

/// Makes the results of an op static.
fn refine(op: Operation<'_>) -> Result<(), PassError> {
    let dynamic = |value: &Value<'_>| value.ty().extents().is_some_and(|extents| extents.contains(&None));
    if !op.results().iter().any(dynamic) {
        return Ok(());
    }
    let Some(result) = op.single_result() else {
        return Err(op.error(format_args!("{UNSUPPORTED}several results, of which one is dynamic")).into());
    };
    let inferred = infer::result(op).map_err(|reason| op.error(format_args!("{UNSUPPORTED}{reason}")))?;
    let known = result.ty().extents().unwrap_or_default();
    let fits = known.len() == inferred.shape.len()
        && known.iter().zip(&inferred.shape).all(|(known, new)| known.is_none_or(|known| known == *new));
    if !fits {
        let (ty, shape) = (result.ty(), &inferred.shape);
        return Err(op
            .error(format_args!("the result has type '{ty}', and {shape:?} follows from the operands"))
            .into());
    }
    if let Some((index, list)) = inferred.list {
        let value = Builder::before(op)?.signed_shape(&list)?;
        op.set_operand(index, value);
    }
    result.set_type(result.ty().with_shape(&inferred.shape)?);
    Ok(())
}
