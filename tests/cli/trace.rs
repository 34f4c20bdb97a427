//! Traces of whole networks, in the format that Perfetto opens.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::common::{Scratch, npy};
use crate::trace_rules::check;

/// Layers that overlap, a vector engine and pooling: a whole network is in the format, completely.
#[test]
fn the_trace_of_a_network_is_in_the_format() {
    let scratch = Scratch::new();
    let network = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/resnet20/model.tosa.mlirbc");
    std::fs::copy(network, scratch.path().join("net.mlir")).unwrap();
    scratch.write("x.npy", npy("|i1", &[1, 32, 32, 3], &[9; 32 * 32 * 3]));
    let line = "run net.mlir --input x.npy --method mip2q --trace t.json --report r.json -q";
    assert_eq!(scratch.strumc(line).code, Some(0));
    let [trace, report]: [Value; 2] =
        ["t.json", "r.json"].map(|name| serde_json::from_slice(&scratch.read(name)).unwrap());
    let found = check(&trace).unwrap();
    let tracks: BTreeMap<&str, usize> = found
        .threads
        .iter()
        .map(|(at, name)| (name.as_str(), found.slices.get(at).map_or(0, Vec::len)))
        .collect();
    for engine in report["engines"].as_array().unwrap() {
        let name = engine["name"].as_str().unwrap();
        assert_eq!(tracks[name] as u64, engine["tasks"].as_u64().unwrap(), "{name}");
    }
    let layers: usize =
        tracks.iter().filter(|(name, _)| name.starts_with("layers")).map(|(_, count)| count).sum();
    assert_eq!(layers, report["layers"].as_array().unwrap().iter().filter(|l| l["cycles"] != 0).count());
    assert!(tracks.contains_key("layers (2)"), "prefetched weights make layers overlap: {tracks:?}");
    assert!(tracks["vec"] > 0);
}
