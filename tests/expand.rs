//! `expand-operators` and `inline-control-flow` on random operators and networks, against the project's internal oracle: what they make
//! of them is valid, holds none of the operators that they replace, and computes the same values.
//!
//! `STRUM_GRAPHS` is the number of seeds of each kind.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod common;
#[path = "common/reference.rs"]
mod reference;

use common::context;
use strum_ir::Context;
use strum_passes::common::support::is_compound;
use strum_ref::smith::{self, Case, Kind};
use strum_ref::{Dtype, Tensor};

/// Expands a network, with or without folding what became constant, and evaluates the result.
fn check(context: &Context, case: &Case, passes: &str) -> Result<(), String> {
    check_text(context, case, &case.mlir, passes)
}

/// As [`check`], on a text that computes what the case computes.
fn check_text(context: &Context, case: &Case, text: &str, passes: &str) -> Result<(), String> {
    reference::check(context, (case, text), passes, |function| {
        let compound = function.walk().into_iter().find(|op| is_compound(op.name()));
        compound.map_or(Ok(()), |op| Err(format!("{op} remains")))
    })
}

#[test]
fn expanded_operators_compute_the_same() {
    let seeds = std::env::var("STRUM_GRAPHS").map_or(150, |text| text.parse().unwrap());
    let wide = [Kind::WideConv2d, Kind::WideDepthwiseConv2d];
    for kind in [Kind::TransposeConv2d, Kind::Conv3d, Kind::Tile, Kind::Reverse].into_iter().chain(wide) {
        let context = context();
        for seed in 0..seeds {
            let case = smith::single_op(kind, seed).unwrap();
            for passes in ["func.func(expand-operators)", "func.func(expand-operators,strum-canonicalize)"] {
                if let Err(error) = check(&context, &case, passes) {
                    panic!("{} {seed}: {error}", kind.name());
                }
            }
        }
    }
    let context = context();
    for seed in 0..seeds {
        if let Err(error) = check(&context, &smith::graph(seed).unwrap(), "func.func(expand-operators)") {
            panic!("graph {seed}: {error}");
        }
    }
}

/// A network as the region of a condition that holds or not or is an argument, or as the body of a loop that computes it several
/// times.
#[derive(Clone, Copy, Debug)]
enum Around {
    Condition(bool),
    Argument,
    Loop(usize),
}

/// The text of a case whose operators are in a region.
fn wrapped(mlir: &str, around: Around) -> String {
    let (head, rest) = mlir.split_once(" {\n").unwrap();
    let (body, rest) = rest.split_once("  return ").unwrap();
    let (returned, resources) = rest.split_once("\n}\n").unwrap();
    let (names, types) = returned.split_once(" : ").unwrap();
    let list: Vec<&str> = types.split(", ").collect();
    let of_each = |f: &dyn Fn(usize, &str) -> String| {
        list.iter().enumerate().map(|(i, ty)| f(i, ty)).collect::<Vec<_>>().join(", ")
    };
    let constant = |name: &str, value: &str, ty: &str| {
        format!("  %{name} = \"tosa.const\"() <{{values = dense<{value}> : {ty}}}> : () -> {ty}\n")
    };
    let zeros: String =
        list.iter().enumerate().map(|(i, ty)| constant(&format!("zero{i}"), "0", ty)).collect();
    let zero_names = of_each(&|i, _| format!("%zero{i}"));
    let (counted, region) = match around {
        Around::Condition(_) | Around::Argument => {
            let holds = !matches!(around, Around::Condition(false));
            let condition = match around {
                Around::Argument => String::new(),
                _ => constant("condition", if holds { "true" } else { "false" }, "tensor<1xi1>"),
            };
            let computed = format!("{body}  tosa.yield {names} : {types}\n");
            let other = format!("  tosa.yield {zero_names} : {types}\n");
            let [then, otherwise] = if holds { [computed, other] } else { [other, computed] };
            let results = list.len();
            (
                0,
                format!(
                    "{condition}  %all:{results} = tosa.cond_if %condition : tensor<1xi1> -> ({types}) {{\n{then}  }} else {{\n\
                     {otherwise}  }}\n"
                ),
            )
        }
        Around::Loop(count) => {
            let counter = "tensor<i32>";
            let constants = constant("first", "0", counter) + &constant("end", &count.to_string(), counter);
            let carried = of_each(&|i, _| format!("%old{i} = %zero{i}"));
            let parameters = of_each(&|i, ty| format!("%old{i}: {ty}"));
            let (results, one) = (list.len() + 1, constant("one", "1", counter));
            (
                1,
                format!(
                    "{constants}  %all:{results} = tosa.while_loop (%at = %first, {carried}) : ({counter}, {types}) -> \
                     ({counter}, {types}) {{\n\
                     %more = tosa.greater %end, %at : ({counter}, {counter}) -> tensor<i1>\n\
                     tosa.yield %more : tensor<i1>\n}} do {{\n^bb0(%at: {counter}, {parameters}):\n{body}{one}\
                     %next = tosa.add %at, %one : ({counter}, {counter}) -> {counter}\n\
                     tosa.yield %next, {names} : {counter}, {types}\n}}\n"
                ),
            )
        }
    };
    let results = of_each(&|i, _| format!("%all#{}", i + counted));
    let head = match around {
        Around::Argument => head.replacen(") ->", ", %condition: tensor<1xi1>) ->", 1),
        _ => head.to_owned(),
    };
    format!("{head} {{\n{zeros}{region}  return {results} : {types}\n}}\n{resources}")
}

#[test]
fn networks_in_regions_compute_the_same() {
    let context = context();
    for seed in 0..40 {
        let case = smith::graph(seed).unwrap();
        for around in [Around::Condition(true), Around::Condition(false), Around::Loop(1), Around::Loop(3)] {
            let text = wrapped(&case.mlir, around);
            let passes = "func.func(inline-control-flow,expand-operators)";
            if let Err(error) = check_text(&context, &case, &text, passes) {
                panic!("graph {seed}, {around:?}: {error}");
            }
        }
    }
}

/// What would stop the machine in a region that is not chosen: a division by zero, an index outside, an index given twice.
#[test]
fn regions_that_are_not_chosen_do_not_stop_the_machine() {
    let context = context();
    for (kind, wrong) in [(Kind::IntDiv, 0), (Kind::Gather, -1), (Kind::Scatter, 0), (Kind::Scatter, 70_000)]
    {
        let mut guarded = 0;
        for seed in 0..40 {
            let case = smith::single_op(kind, seed).unwrap();
            if case.inputs.is_empty() {
                continue;
            }
            let condition = |holds: bool| Tensor::new(Dtype::Bool, [1], vec![holds.into()]).unwrap();
            let mut chosen = case.clone();
            chosen.inputs.push(condition(true));
            let filled =
                |tensor: &Tensor, value: i64| Tensor::filled(tensor.dtype, tensor.shape.clone(), value);
            let mut other = case.clone();
            let wrongs =
                case.inputs.iter().map(|tensor| filled(tensor, wrong).or_else(|_| filled(tensor, 0)));
            other.inputs = wrongs.map(Result::unwrap).chain([condition(false)]).collect();
            other.outputs = case.outputs.iter().map(|tensor| filled(tensor, 0).unwrap()).collect();
            let text = wrapped(&case.mlir, Around::Argument);
            guarded += text.matches("tosa.cond_if").count();
            for case in [chosen, other] {
                if let Err(error) = check_text(&context, &case, &text, "func.func(inline-control-flow)") {
                    panic!("{} {seed}: {error}", kind.name());
                }
            }
        }
        assert!(guarded > 10, "{}: {guarded}", kind.name());
    }
}
