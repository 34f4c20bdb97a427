//! Properties of the generator: the same case for a seed, predictable results, and coverage of corner cases.

use std::collections::BTreeSet;
use strum_ref::smith::{self, Case, Kind};
use strum_ref::{Dtype, Invalid, Node, Op};

#[test]
fn a_seed_is_a_case() -> Result<(), Invalid> {
    for &kind in Kind::ALL {
        assert_eq!(smith::single_op(kind, 5)?, smith::single_op(kind, 5)?);
        assert_ne!(smith::single_op(kind, 5)?, smith::single_op(kind, 6)?);
        assert_eq!(Kind::from_name(kind.name()), Some(kind));
    }
    assert_eq!(smith::graph(9)?, smith::graph(9)?);
    assert_ne!(smith::graph(9)?, smith::graph(10)?);
    assert_eq!(smith::rewrites(9)?, smith::rewrites(9)?);
    assert_ne!(smith::rewrites(9)?, smith::rewrites(10)?);
    Ok(())
}

#[test]
fn cases_compute_what_they_say() -> Result<(), Invalid> {
    let check = |case: Case| -> Result<(), Invalid> {
        let run = case.graph.run(&case.inputs)?;
        assert_eq!(run.unpredictable, None);
        assert_eq!(run.outputs, case.outputs);
        assert!(!case.outputs.is_empty() && case.mlir.starts_with("func.func @main("));
        Ok(())
    };
    for seed in 0..60 {
        for &kind in Kind::ALL {
            let case = smith::single_op(kind, seed)?;
            assert!(case.mlir.contains(&format!(" = tosa.{} ", kind.operator())), "{}", case.mlir);
            check(case)?;
        }
        check(smith::graph(seed)?)?;
        check(smith::rewrites(seed)?)?;
    }
    Ok(())
}

/// The operators of many cases, with the types and ranks of their results.
fn visited(cases: impl Iterator<Item = Case>) -> Result<Vec<(Op, Dtype, usize)>, Invalid> {
    let mut visited = Vec::new();
    for case in cases {
        let run = case.graph.run(&case.inputs)?;
        for (node, value) in case.graph.nodes().iter().zip(run.values) {
            if let Node::Op(op, _) = node {
                visited.push((op.clone(), value.dtype, value.rank()));
            }
        }
    }
    Ok(visited)
}

#[test]
fn the_corners_are_visited() -> Result<(), Invalid> {
    let singles =
        Kind::ALL.iter().flat_map(|&kind| (0..80).flat_map(move |seed| smith::single_op(kind, seed)));
    let all = visited(singles)?;
    let any = |what: &str, corner: &dyn Fn(&Op) -> bool| {
        assert!(all.iter().any(|(op, ..)| corner(op)), "no {what}")
    };
    any("dilation", &|op| matches!(op, Op::Conv2d(c) if c.dilation != [1, 1] && c.stride != [1, 1]));
    any("asymmetric padding", &|op| matches!(op, Op::DepthwiseConv2d(c) if c.pad[0] != c.pad[1]));
    any("weight zero point", &|op| matches!(op, Op::Conv2d(c) if c.weight_zp != 0));
    any("unsigned input", &|op| matches!(op, Op::Rescale(r) if r.input_unsigned && r.input_zp > 127));
    any("unsigned output", &|op| matches!(op, Op::Rescale(r) if r.output_unsigned && r.to == Dtype::I16));
    any("16-bit scale by channel", &|op| matches!(op, Op::Rescale(r) if !r.scale32 && r.per_channel));
    any("small shift", &|op| matches!(op, Op::Rescale(r) if r.shift.iter().any(|&s| s < 10)));
    any("large shift", &|op| matches!(op, Op::Rescale(r) if r.shift.iter().any(|&s| s > 55)));
    for &kind in Kind::ALL {
        let of_kind = || all.iter().filter(|(op, ..)| op.name() == kind.operator());
        let ranks: BTreeSet<_> = of_kind().map(|(.., rank)| *rank).collect();
        let fixed = matches!(
            kind,
            Kind::Conv2d
                | Kind::WideConv2d
                | Kind::DepthwiseConv2d
                | Kind::WideDepthwiseConv2d
                | Kind::TransposeConv2d
                | Kind::Conv3d
                | Kind::MatMul
                | Kind::MaxPool2d
                | Kind::AvgPool2d
                | Kind::Gather
                | Kind::Scatter
                | Kind::Resize
        );
        assert_eq!(ranks.len(), if fixed { 1 } else { 6 }, "{} has ranks {ranks:?}", kind.name());
    }
    Ok(())
}

#[test]
fn networks_hold_every_operator() -> Result<(), Invalid> {
    let cases = || (0..150).flat_map(smith::graph);
    let names: BTreeSet<_> = visited(cases())?.iter().map(|(op, ..)| op.name()).collect();
    let missing: Vec<_> = Kind::ALL.iter().filter(|kind| !names.contains(kind.operator())).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(cases().any(|case| case.inputs.len() > 2) && cases().any(|case| case.outputs.len() > 2));
    Ok(())
}

#[test]
fn networks_to_rewrite_have_odd_shapes() -> Result<(), Invalid> {
    let all = visited((0..150).flat_map(smith::rewrites))?;
    let any = |what: &str, corner: &dyn Fn(&Op) -> bool| {
        assert!(all.iter().any(|(op, ..)| corner(op)), "no {what}")
    };
    any(
        "scale of a single channel",
        &|op| matches!(op, Op::Rescale(r) if r.per_channel && r.multiplier.len() == 1),
    );
    any("scales of channels", &|op| matches!(op, Op::Rescale(r) if r.per_channel && r.multiplier.len() > 1));
    any("unsigned rescale", &|op| matches!(op, Op::Rescale(r) if r.input_unsigned || r.output_unsigned));
    any("full clamp", &|op| matches!(op, Op::Clamp { min: -128, max: 127 }));
    any("slice of everything", &|op| matches!(op, Op::Slice { start, .. } if start.iter().all(|&s| s == 0)));
    let ranks: BTreeSet<_> = all.iter().map(|(.., rank)| *rank).collect();
    assert!((0..=6).all(|rank| ranks.contains(&rank)), "{ranks:?}");
    Ok(())
}
