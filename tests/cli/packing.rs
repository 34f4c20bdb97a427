//! `--packing`: every field of a file is followed, or refused at the layer concerned.

use serde_json::{Value, json};

use crate::common::Scratch;

/// A file with a format for the convolution of `net.mlir`.
fn file(layer: &Value) -> String {
    json!({ "version": 1, "programs": [{ "name": "net", "layers": [layer] }] }).to_string()
}

/// The layer with one field changed, or removed.
fn with(layer: &Value, field: &str, value: &Value) -> Value {
    let mut layer = layer.clone();
    layer[field] = value.clone();
    layer
}

#[test]
fn every_field_of_a_layer_is_followed_or_refused() {
    enum Outcome {
        Other,
        Same,
        Refused(&'static str),
    }
    use Outcome::{Other, Refused, Same};
    let scratch = Scratch::new();
    let network = String::from_utf8(scratch.read("net.mlir")).unwrap();
    // Input statistics as from calibration: they differ, so that selection by them differs.
    let list =
        |value: fn(usize) -> f64| (0..16).map(|i| format!("{:.1}", value(i))).collect::<Vec<_>>().join(", ");
    let seen = format!(
        "strum.input_mean = array<f64: {}>, strum.input_square = array<f64: {}>, stride = array<i64: 1, 1>}} :",
        list(|i| i as f64 + 20.0),
        list(|i| ((i * 7 % 16) as f64 * 9.0 + 20.0).powi(2))
    );
    scratch.write("net.mlir", network.replace("stride = array<i64: 1, 1>} :", &seen));
    let compile = |layer: &Value| {
        scratch.write("p.json", file(layer));
        let done = scratch.strumc("compile net.mlir -o net.dpu -q --packing p.json");
        if done.code == Some(0) { Ok(scratch.read("net.dpu")) } else { Err(done.stderr) }
    };
    let dliq = json!({
        "name": "0.conv2d", "location": "here", "weights": "2x1x1x16", "method": "dliq", "p": 0.5, "w": 16, "q": 4,
        "shift": "layer", "select": "error", "correct": "none"
    });
    let mip2q = json!({ "name": "0.conv2d", "method": "mip2q", "p": 0.5, "L": 4, "zero": false });
    let experiments = [
        (&dliq, "name", json!("1.conv2d"), Refused("unknown convolution '1.conv2d'")),
        (&dliq, "location", json!("elsewhere"), Same),
        (
            &dliq,
            "weights",
            json!("2x1x1x8"),
            Refused("the weights of layer '0.conv2d' are 2x1x1x16, not 2x1x1x8"),
        ),
        (&dliq, "method", json!("dense"), Refused("has no effect with method dense")),
        (&dliq, "p", json!(0.25), Other),
        (&dliq, "w", json!(8), Other),
        (&dliq, "q", json!(3), Other),
        (&dliq, "shift", json!(4), Other),
        (&dliq, "select", json!("magnitude"), Other),
        (&dliq, "select", json!("activation"), Other),
        (&dliq, "correct", json!("bias"), Other),
        (&dliq, "L", json!(5), Refused("L has no effect with method dliq")),
        (&dliq, "zero", json!(true), Refused("zero has no effect with method dliq")),
        (&mip2q, "L", json!(7), Other),
        (&mip2q, "zero", json!(true), Other),
        (&mip2q, "method", json!("sparse"), Refused("L has no effect with method sparse")),
        (&mip2q, "q", json!(4), Refused("q has no effect with method mip2q")),
        (&mip2q, "shift", json!(2), Refused("shift has no effect with method mip2q")),
        (&mip2q, "correct", json!("everything"), Refused("everything")),
    ];
    for (layer, field, value, outcome) in experiments {
        let text = format!("{field} = {value}");
        let plain = compile(layer).unwrap();
        match (compile(&with(layer, field, &value)), outcome) {
            (Ok(other), Other) => assert!(other != plain, "{text} changes nothing"),
            (Ok(other), Same) => assert!(other == plain, "{text} changes the binary"),
            (Err(error), Refused(expected)) => assert!(error.contains(expected), "{text}: {error}"),
            (found, _) => panic!("{text}: {found:?}"),
        }
    }
}
