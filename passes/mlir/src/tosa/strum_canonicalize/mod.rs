//! `strum-canonicalize`: the canonical form of the graph that the other passes expect.
//!
//! Invariant: no rule changes a bit of any result. Where TOSA leaves a value unpredictable, nothing is folded.

mod constants;
mod flatten;
mod movement;
mod padding;
mod pointwise;

use strum_ir::{Block, Dialect, Error, Operation, Pass, PassContext, PassError, Value, pass_options};

use crate::Documented;
use crate::common::limits;
use crate::common::rewrite::{blocks, remove_dead, replace};
use crate::common::tosa::build::Builder;

pub(crate) use constants::folded;
pub(crate) use movement::selected;

pass_options! {
    /// The pass.
    pub struct StrumCanonicalize {
        fold_limit("fold-limit"): usize = 1 << 28, "largest constant, in bytes, that folding may write out";
        verify_each("verify-each"): bool = false, "verify the IR after every rewrite";
    }
}

/// Shared state of the rules on a block.
struct Cx<'c> {
    build: Builder<'c>,
    /// Constants other than splats are not folded into anything larger than this many bytes.
    fold_limit: usize,
    /// The IR is verified after every rewrite.
    verify_each: bool,
}

/// Returns the replacement of the op's result, if the rule applies.
type Rule = for<'c> fn(&mut Cx<'c>, Operation<'c>) -> Result<Option<Value<'c>>, Error>;

/// All rules, in the order in which they are tried. A rule either shrinks the graph, or moves an op over another in one fixed
/// direction, so that the rules terminate.
const RULES: &[(&str, Rule)] = &[
    ("fold-constant", constants::fold),
    ("drop-identity", movement::drop_identity),
    ("merge-reshapes", movement::merge_reshapes),
    ("merge-transposes", movement::merge_transposes),
    ("transpose-to-reshape", movement::transpose_to_reshape),
    ("merge-slices", movement::merge_slices),
    ("slice-of-concat", movement::slice_of_concat),
    ("merge-concats", movement::merge_concats),
    ("merge-pads", movement::merge_pads),
    ("pad-into-window", padding::into_window),
    ("transpose-into-weights", flatten::transpose_into_weights),
    ("drop-clamp", pointwise::drop_clamp),
    ("merge-clamps", pointwise::merge_clamps),
    ("tabulate-chain", pointwise::tabulate_chain),
    ("raise-over-reshape", pointwise::raise_over_reshape),
];

/// The names of all rules, in the order in which they are tried: the values of the field `rule` of the pass's events.
pub fn rules() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(name, _)| *name)
}

/// Upper bound of sweeps for any graph: each except the last makes progress along every chain of ops.
const MAX_SWEEPS: usize = 10_000;

impl Documented for StrumCanonicalize {
    const DOC: &'static str = "\
Brings a TOSA graph into the canonical form that the other passes expect, without changing a bit of any result:

- constants are folded through data movement (`reshape`, `slice`, `transpose`, `pad`, `concat`) and through element-wise ops;
  a value that TOSA leaves unpredictable is not folded;
- no-ops and ops without uses are removed;
- `transpose`, `reshape`, `slice`, `pad` and `concat` are merged with ops of the same kind; a `transpose` that moves only
  dimensions of size 1 becomes a `reshape`;
- `pad` with the input's zero point is folded into `conv2d` and `depthwise_conv2d`, `pad` with the smallest value into `max_pool2d`;
- a `transpose` before a flattened fully connected layer is folded into the order of the layer's weights;
- a `clamp` without effect on its input is removed, consecutive ones are merged;
- a chain of element-wise ops from i8 to i8 becomes one `table`;
- an element-wise op after a `reshape` is moved before it, where the preceding layer can absorb it.";
}

impl Pass for StrumCanonicalize {
    const ARGUMENT: &'static str = "strum-canonicalize";
    const DESCRIPTION: &'static str =
        "Fold constants and merge data movement and element-wise chains of a TOSA graph";
    const ROOT: &'static str = "func.func";
    const DIALECTS: &'static [Dialect] = &[Dialect::Tosa];

    fn run<'c>(&self, op: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        let _span =
            tracing::debug_span!("strum-canonicalize", function = op.symbol().unwrap_or("?")).entered();
        limits::check(op, 0)?;
        for block in blocks(op) {
            // Before a rule makes another op, without the attribute.
            spelling(block)?;
            canonicalize(block, self.fold_limit, self.verify_each)?;
        }
        Ok(())
    }
}

/// Refuses attributes whose name resembles one of their op.
fn spelling(block: Block<'_>) -> Result<(), PassError> {
    let faults = block.operations().into_iter().filter_map(|op| Some((op, op.misspelt_attribute()?)));
    let reported = faults.map(|(op, fault)| Err(op.error(fault).into()));
    reported.fold(Ok(()), Result::and)
}

fn canonicalize(block: Block<'_>, fold_limit: usize, verify_each: bool) -> Result<(), PassError> {
    let Some(last) = block.operations().pop() else { return Ok(()) };
    let mut cx = Cx { build: Builder::before(last)?, fold_limit, verify_each };
    for _ in 0..MAX_SWEEPS {
        let mut changed = false;
        for op in block.operations() {
            // An op that was erased earlier in this sweep is in no block any more.
            if op.block().is_some() && op.dialect() == "tosa" {
                changed |= apply(&mut cx, op)?;
            }
        }
        changed |= remove_dead(block)?;
        if !changed {
            return Ok(());
        }
    }
    Err(PassError::Internal(format!("the rules do not come to an end in {MAX_SWEEPS} sweeps")))
}

/// Applies the first rule that fits.
fn apply<'c>(cx: &mut Cx<'c>, op: Operation<'c>) -> Result<bool, PassError> {
    let Some(result) = op.single_result().filter(|r| r.is_used()) else { return Ok(false) };
    let function = op.parent();
    for (name, rule) in RULES {
        cx.build.go(op);
        let Some(value) = rule(cx, op)? else { continue };
        if value.ty() != result.ty() {
            return Err(
                Error::Build(format!("{name}: '{}' in place of '{}'", value.ty(), result.ty())).into()
            );
        }
        tracing::debug!(rule = name, op = op.name(), location = ?op.location(), "applied");
        replace(op, value)?;
        if cx.verify_each && function.is_some_and(|function| function.verify().is_err()) {
            return Err(PassError::Internal(format!("the IR is not valid after the rule '{name}'")));
        }
        return Ok(true);
    }
    Ok(false)
}
