//! The quantization recipe: every option changes the result, and contradictory ones are refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod common;

use strum_float::quantize::{
    Activations, Fault, Formats, IntGraph, IntOp, Notation, Options, Quantized, RangeChoice, Recipe,
    RoundingChoice, Stage, Storage, WeightRounding, WeightScales,
};
use strum_float::{Graph, Op, Tensor, Unary, Window};

use common::Dice;

/// Two convolutions with a ReLU between them, as a front end exports them: NCHW.
fn two_layers() -> Graph {
    let mut dice = Dice(4);
    let mut graph = Graph::new();
    let x = graph.input(&[1, 4, 7, 7]).unwrap();
    let x = graph.push(Op::Transpose { perms: common::TO_NHWC.to_vec() }, &[x]).unwrap();
    let mut layer = |graph: &mut Graph, x, ic, oc| {
        // Channels differ in size, so that scales and equalization matter.
        let size = |at: usize| [0.1, 1.0, 0.3, 2.0][at % 4];
        let mut weights = dice.tensor(&[oc, 3, 3, ic]) / 7.3;
        weights.indexed_iter_mut().for_each(|(at, w)| *w *= size(at[0]) * size(at[3] + 1));
        let weights = graph.constant(weights).unwrap();
        let bias = graph.constant(dice.tensor(&[oc])).unwrap();
        graph.push(Op::Conv2d(Window::UNIT), &[x, weights, bias]).unwrap()
    };
    let y = layer(&mut graph, x, 4, 8);
    let y = graph.push(Op::Clamp { min: 0.0, max: f32::MAX }, &[y]).unwrap();
    let y = layer(&mut graph, y, 8, 4);
    let y = graph.push(Op::Transpose { perms: common::TO_NCHW.to_vec() }, &[y]).unwrap();
    graph.output(y).unwrap();
    graph
}

fn samples(count: u64) -> Vec<Vec<Tensor>> {
    let sample = |seed| {
        let mut sample = Dice(seed + 20).tensor(&[1, 4, 7, 7]);
        // An outlier of at most 2: representing it costs more than clipping it.
        if seed == 0 {
            sample[[0, 0, 0, 0]] = 2.04;
        }
        vec![sample]
    };
    (0..count).map(sample).collect()
}

fn run(recipe: &Recipe) -> Quantized {
    recipe.run(&two_layers(), Some(&samples(40))).unwrap()
}

/// A network's computation: its operators, with weights and scales, and its code parameters.
fn content(int: &IntGraph) -> String {
    format!("{:?} {:?} {:?}", int.nodes, int.inputs, int.outputs)
}

fn weight_format(text: &str) -> Formats {
    Storage::of(&Storage::choice(text).unwrap()).into()
}

fn mip2q() -> WeightRounding {
    WeightRounding::Feedback(weight_format("mip2q,w=4"))
}

#[test]
fn every_option_changes_the_result() {
    let default = Recipe::default;
    let recipes = [
        default(),
        Recipe { ranges: RangeChoice::MinMax, ..default() },
        Recipe { ranges: RangeChoice::Percentile(0.05), ..default() },
        Recipe { ranges: RangeChoice::Percentile(0.2), ..default() },
        Recipe { weights: WeightScales::PerTensor, ..default() },
        Recipe { equalize: true, ..default() },
        Recipe { rounding: WeightRounding::BiasCorrection, ..default() },
        Recipe { rounding: WeightRounding::Feedback(Formats::Dense), ..default() },
        Recipe { rounding: mip2q(), ..default() },
    ];
    let mut contents: Vec<String> = recipes.iter().map(|recipe| content(&run(recipe).network)).collect();
    contents.push(content(&default().run(&two_layers(), None).unwrap().network));
    contents.push(content(&default().run(&two_layers(), Some(&samples(2))).unwrap().network));
    for (i, one) in contents.iter().enumerate() {
        for (j, other) in contents.iter().enumerate().skip(i + 1) {
            assert!(one != other, "recipes {i} and {j} give the same");
        }
    }
}

#[test]
fn the_report_says_what_the_network_is_made_of() {
    let report = run(&Recipe::default()).report;
    assert_eq!((report.samples, report.weights), (Some(40), 2 * 9 * 4 * 8));
    assert_eq!(report.operators["conv2d"], 2);
    assert_eq!(report.operators["transpose"], 2);
    assert_eq!(report.operators.values().sum::<usize>(), 6, "{:?}", report.operators);
    assert_eq!(Recipe::default().run(&two_layers(), None).unwrap().report.samples, None);
}

#[test]
fn stages_are_announced_in_order() {
    let of = |rounding| {
        let mut stages = Vec::new();
        let recipe = Recipe { rounding, ..Recipe::default() };
        recipe.run_staged(&two_layers(), Some(&samples(2)), |stage| stages.push(stage)).unwrap();
        stages
    };
    let mut expected = vec![Stage::Rewrite, Stage::Calibrate, Stage::Quantize];
    assert_eq!(of(WeightRounding::Nearest), expected);
    expected.push(Stage::Round);
    assert_eq!(of(mip2q()), expected);
}

#[test]
fn the_order_of_samples_and_the_number_of_threads_change_nothing() {
    let of = |rounding, threads, samples: &[Vec<Tensor>]| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let recipe = Recipe { rounding, ..Recipe::default() };
        content(&pool.install(|| recipe.run(&two_layers(), Some(samples))).unwrap().network)
    };
    let samples = samples(40);
    let reversed: Vec<_> = samples.iter().rev().cloned().collect();
    for rounding in [WeightRounding::Nearest, WeightRounding::BiasCorrection] {
        let once = of(rounding.clone(), 1, &samples);
        assert_eq!(once, of(rounding.clone(), 3, &samples));
        assert_eq!(once, of(rounding, 2, &reversed));
    }
    assert_eq!(of(mip2q(), 1, &samples), of(mip2q(), 3, &samples));
}

#[test]
fn weights_that_are_rounded_for_a_format_survive_packing() {
    let quantized = run(&Recipe { rounding: mip2q(), ..Recipe::default() });
    let Formats::All(Storage { request, .. }) = weight_format("mip2q,w=4") else { panic!("a format") };
    let mut layers = 0;
    for node in &quantized.network.nodes {
        let IntOp::Conv2d(_, weights) = &node.op else { continue };
        let [oc, kh, kw, ic] = weights.shape[..] else { panic!("four axes") };
        let shape = strum_formats::Shape { oc, kh, kw, ic };
        let packed = strum_quant::pack(&weights.codes, shape, &request).unwrap();
        assert_eq!(packed.unpack().unwrap(), weights.codes);
        layers += 1;
    }
    assert_eq!(layers, 2);
}

const ASKED: Options<'static> = Options {
    calibrated: true,
    activations: Activations::Mse,
    percentile: None,
    weights: WeightScales::PerChannel,
    rounding: None,
    formats: None,
    bias_correction: false,
    equalize: false,
};

#[test]
fn options_ask_for_recipes() {
    let recipe = |options: Options<'_>| options.recipe(Notation::Pass).unwrap();
    let default = Recipe::default();
    assert_eq!(recipe(ASKED), default);
    assert_eq!(recipe(Options { calibrated: false, ..ASKED }), default);
    let percentile = Options { activations: Activations::Percentile, ..ASKED };
    assert_eq!(recipe(percentile).ranges, RangeChoice::Percentile(0.0001));
    let half = Options { percentile: Some(0.5), ..percentile };
    assert_eq!(recipe(half).ranges, RangeChoice::Percentile(0.5));
    assert_eq!(recipe(Options { activations: Activations::MinMax, ..ASKED }).ranges, RangeChoice::MinMax);
    let feedback = Options { rounding: Some(RoundingChoice::Feedback), ..ASKED };
    assert_eq!(recipe(feedback).rounding, WeightRounding::Feedback(Formats::Dense));
    assert_eq!(recipe(Options { formats: Some(&weight_format("mip2q,w=4")), ..feedback }).rounding, mip2q());
    assert_eq!(recipe(Options { formats: Some(&weight_format("mip2q,w=4")), ..ASKED }).rounding, mip2q());
    assert_eq!(
        recipe(Options { formats: Some(&weight_format("dense")), ..ASKED }).rounding,
        WeightRounding::Feedback(Formats::Dense)
    );
    let corrected = recipe(Options { bias_correction: true, ..ASKED });
    assert_eq!(corrected.rounding, WeightRounding::BiasCorrection);
    assert!(recipe(Options { equalize: true, ..ASKED }).equalize);
}

#[test]
fn options_that_contradict_or_change_nothing_are_refused_as_the_user_writes_them() {
    let random = Options { calibrated: false, ..ASKED };
    let percentile = Options { activations: Activations::Percentile, percentile: Some(1.5), ..ASKED };
    let [nearest, feedback] = [RoundingChoice::Nearest, RoundingChoice::Feedback].map(Some);
    let [mip2q, sparse] = ["mip2q", "sparse"].map(weight_format);
    let cases = [
        (percentile, "--percentile is 1.5, expected a number in [0, 1)"),
        (
            Options { percentile: Some(f64::NAN), ..percentile },
            "--percentile is NaN, expected a number in [0, 1)",
        ),
        (
            Options { percentile: Some(0.1), ..ASKED },
            "--percentile has no effect without --activations percentile",
        ),
        (
            Options { formats: Some(&mip2q), rounding: nearest, ..ASKED },
            "--format rounds with feedback and contradicts --rounding nearest",
        ),
        (
            Options { bias_correction: true, rounding: feedback, ..ASKED },
            "--bias-correction has no effect: rounding with feedback corrects biases",
        ),
        (
            Options { bias_correction: true, formats: Some(&sparse), ..ASKED },
            "--bias-correction has no effect: rounding with feedback corrects biases",
        ),
        (
            Options { bias_correction: true, ..random },
            "--bias-correction needs --calibration: random inputs do not represent the real ones",
        ),
        (
            Options { rounding: feedback, ..random },
            "--rounding feedback needs --calibration: random inputs do not represent the real ones",
        ),
        (
            Options { formats: Some(&sparse), ..random },
            "--format needs --calibration: random inputs do not represent the real ones",
        ),
    ];
    for (options, expected) in cases {
        assert_eq!(options.recipe(Notation::CommandLine).unwrap_err(), expected);
        // In the notation of a pass.
        let of_pass = expected.replace("--activations ", "activations=").replace("--rounding ", "rounding=");
        assert_eq!(options.recipe(Notation::Pass).unwrap_err(), of_pass.replace("--", ""));
    }
}

#[test]
fn formats_that_weights_cannot_be_rounded_for_are_refused() {
    let refused = |text: &str| Storage::choice(text).unwrap_err();
    assert_eq!(refused("mip2q,L=9"), "L must be 0 to 7, got 9");
    for parameter in ["select=magnitude", "correct=bias"] {
        let (name, _) = parameter.split_once('=').unwrap();
        let expected = format!("{name} has no effect on weights that are rounded for their format");
        assert_eq!(refused(&format!("mip2q,{parameter}")), expected);
    }
}

#[test]
fn what_cannot_be_quantized_is_refused() {
    let graph = two_layers();
    let refused = |graph: &Graph, rounding, samples: Option<&[Vec<Tensor>]>| {
        let recipe = Recipe { rounding, ..Recipe::default() };
        recipe.run(graph, samples).unwrap_err()
    };
    for rounding in [WeightRounding::BiasCorrection, WeightRounding::Feedback(Formats::Dense)] {
        let error = refused(&graph, rounding, None);
        let reason =
            "rounding of weights needs calibration data: random inputs do not represent the real ones";
        assert_eq!((error.fault, error.reason.as_str()), (Fault::Invalid, reason));
    }
    let none = refused(&graph, WeightRounding::Nearest, Some(&[]));
    assert_eq!((none.fault, none.reason.as_str()), (Fault::Invalid, "calibration: there are no samples"));
    let other = vec![vec![Tensor::zeros(vec![1, 4, 7, 8])]];
    assert_eq!(refused(&graph, WeightRounding::Nearest, Some(&other)).fault, Fault::Invalid);
    // The logarithm of a negative number.
    let mut logarithm = Graph::new();
    let x = logarithm.input(&[1, 4, 7, 7]).unwrap();
    let y = logarithm.push(Op::Unary(Unary::Log), &[x]).unwrap();
    let y = logarithm.push(Op::Binary(strum_float::Binary::Add), &[y, x]).unwrap();
    logarithm.output(y).unwrap();
    assert_eq!(refused(&logarithm, WeightRounding::Nearest, Some(&samples(1))).fault, Fault::Invalid);
}
