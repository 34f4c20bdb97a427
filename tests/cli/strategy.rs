//! `--write-strategy` and `--read-strategy`.

use serde_json::{Value, json};

use crate::common::{OPT, Scratch, run_in};

/// A strategy with a decision for one layer of `net.mlir`.
fn telling(layer: &Value) -> String {
    json!({ "version": 1, "programs": [{ "name": "net", "layers": [layer] }] }).to_string()
}

#[test]
fn a_strategy_goes_out_and_comes_back() {
    let scratch = Scratch::new();
    let program = scratch.compile("--write-strategy s.json");
    assert_eq!(scratch.compile("--read-strategy s.json"), program);
    assert_eq!(scratch.names(), ["net.dpu", "net.mlir", "s.json", "x.npy"]);
    let strategy: Value = serde_json::from_slice(&scratch.read("s.json")).unwrap();
    let layer = &strategy["programs"][0]["layers"][0];
    assert_eq!(layer["name"], "0.conv2d");
    assert_eq!(layer["location"], "net.mlir:5:8");
    assert_eq!(layer["output"], "1x4x4x2xi32");
}

#[test]
fn a_run_follows_a_strategy_too() {
    let scratch = Scratch::new();
    scratch.write("s.json", telling(&json!({ "name": "0.conv2d", "tiling": { "ox": 5 } })));
    scratch.strumc("run net.mlir --input x.npy --output plain.npz -q").ok();
    let told =
        "run net.mlir --input x.npy --output told.npz -q --read-strategy s.json --write-strategy t.json";
    scratch.strumc(told).ok();
    assert_eq!(scratch.read("plain.npz"), scratch.read("told.npz"));
    let written: Value = serde_json::from_slice(&scratch.read("t.json")).unwrap();
    assert_eq!(written["programs"][0]["layers"][0]["tiling"]["ox"], 5);
}

#[test]
fn a_layer_of_the_vector_engine_is_cut_as_told() {
    let scratch = Scratch::new();
    let told = json!({ "name": "1.rescale", "stays": false, "cuts": [{ "tile": [5] }] });
    scratch.write("s.json", telling(&told));
    scratch.strumc("run net.mlir --input x.npy --output plain.npz -q").ok();
    let run =
        "run net.mlir --input x.npy --output told.npz -q --read-strategy s.json --write-strategy t.json";
    scratch.strumc(run).ok();
    assert_eq!(scratch.read("plain.npz"), scratch.read("told.npz"));
    let written: Value = serde_json::from_slice(&scratch.read("t.json")).unwrap();
    let cut = &written["programs"][0]["layers"][1]["cuts"][0];
    assert_eq!(*cut, json!({ "by": "vec", "over": [32], "tile": [5] }));
}

#[test]
fn the_passes_take_strategies() {
    let scratch = Scratch::new();
    scratch.write("s.json", telling(&json!({ "name": "0.conv2d", "tiling": { "ox": 5 } })));
    let pipeline = "--strum-pipeline=read-strategy=s.json write-strategy=t.json";
    let done = run_in(scratch.path(), OPT, &["net.mlir", pipeline], b"");
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(String::from_utf8(scratch.read("t.json")).unwrap().contains("\"ox\": 5"));
}

#[test]
fn what_cannot_be_followed_is_refused_where_it_is() {
    let scratch = Scratch::new();
    let conv = |field: &str, value: Value| telling(&json!({ "name": "0.conv2d", field: value }));
    let tiling = |field: &str, value: u64| conv("tiling", json!({ field: value }));
    let cut = |cut: Value| telling(&json!({ "name": "1.rescale", "cuts": [cut] }));
    let schedule = |tile: Value, pes: Value| conv("schedules", json!([{ "tile": tile, "pes": pes }]));
    let tile = json!({ "oc": 2, "oy": 1, "ox": 16, "ic": 16 });
    for (strategy, expected) in [
        (tiling("ox", 17), "net.mlir:5:8: error: 'strum.conv2d' op strategy: ox is 17: must be 1 to 16"),
        (tiling("ic", 3), "strategy: ic is 3: must be a multiple of 16 or all 16"),
        (tiling("oc_groups", 2), "strategy: any oc in oc_groups 2: must be one of 2 in 1"),
        (tiling("act_slots", 0), "strategy: act_slots is 0: must be at least 1"),
        (tiling("act_slots", 1 << 40), "strategy: the tiling does not fit the"),
        (
            conv("tiling", json!({ "gather": true, "ox": 16, "oc": 2 })),
            "strategy: gather needs several tiles of one image per iteration of the outermost loop",
        ),
        (conv("stays", json!(true)), "strategy: an output of the function cannot be resident in SRAM"),
        (conv("output", json!("1x4x4x2xi8")), "layer '0.conv2d' has output 1x4x4x2xi32, not 1x4x4x2xi8"),
        (telling(&json!({ "name": "0.matmul" })), "unknown layer '0.matmul': that layer is '0.conv2d'"),
        (telling(&json!({ "name": "x" })), "strategy: unknown layer 'x': there are 2 layers"),
        (
            telling(&json!({ "name": "1.rescale", "tiling": {} })),
            "error: 'tosa.rescale' op strategy: tiling given for a layer that the DPU does not compute",
        ),
        (cut(json!({ "tile": [33] })), "error: 'tosa.rescale' op strategy: tile is [33]: must be 1 to [32]"),
        (cut(json!({ "tile": [1, 1] })), "strategy: tile is [1, 1]: must be 1 to [32]"),
        (cut(json!({ "over": [31] })), "strategy: the layer is cut over [32], not [31]"),
        (cut(json!({ "by": "dma" })), "strategy: by is dma: must be vec except for transpositions"),
        (cut(json!({ "by": "dpu" })), "strategy 's.json': unknown variant `dpu`"),
        (conv("cuts", json!([{}])), "strategy: 1 cuts given, the layer has 0"),
        (
            schedule(tile.clone(), json!({ "oc": 2, "oy": 1, "ox": 129, "ic": 1 })),
            "strategy: schedule for tile oc 2, oy 1, ox 16, ic 16: 2 * 1 * 129 * 1 PEs: must be 1 to 256",
        ),
        (
            schedule(tile, json!({ "oc": 1, "oy": 1, "ox": 1, "ic": 3 })),
            "3 PEs over input channels: must be a power of two, at most 16",
        ),
        (
            schedule(
                json!({ "oc": 1, "oy": 1, "ox": 1, "ic": 1 }),
                json!({ "oc": 1, "oy": 1, "ox": 1, "ic": 1 }),
            ),
            "strategy: schedule for tile oc 1, oy 1, ox 1, ic 1: the layer has no such tile",
        ),
        (r#"{"version": 1, "programs": [{"name": "f"}]}"#.into(), "strategy: unknown function 'f'"),
        (
            r#"{"version": 1, "programs": [{"name": "net", "prefetch_bytes": 3000000}]}"#.into(),
            "strategy: prefetch_bytes = 3000000 exceeds the SRAM of 2097152 bytes",
        ),
        (
            r#"{"version": 1, "machine": "x"}"#.into(),
            "strategy 's.json': is for machine 'x', not 'flexnn-16x16'",
        ),
        (r#"{"version": 1, "x": 0}"#.into(), "strategy 's.json': unknown field `x`"),
        (r#"{"version": 7}"#.into(), "strategy 's.json': unsupported version 7, expected 1"),
        (String::new(), "strategy 's.json': EOF while parsing"),
    ] {
        scratch.write("s.json", &strategy);
        let done =
            scratch.strumc("compile net.mlir -o net.dpu --read-strategy s.json --write-strategy t.json");
        done.fails(1, expected);
        assert!(!scratch.has("net.dpu") && !scratch.has("t.json"), "{strategy}");
    }
}

#[test]
fn files_that_are_none_are_refused() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path().join("folder")).unwrap();
    scratch.write("bytes.json", [0xff, 0xfe]);
    let compile = |options: &str| scratch.strumc(&format!("compile net.mlir -o net.dpu {options}"));
    compile("--read-strategy none.json").fails(1, "strategy 'none.json': No such file");
    compile("--read-strategy folder").fails(1, "strategy 'folder': is a directory");
    compile("--read-strategy bytes.json").fails(1, "strategy 'bytes.json': not text: invalid utf-8");
    compile("--write-strategy folder").fails(1, "folder: exists and is not a regular file");
    compile("--write-strategy no/such/s.json").fails(1, "no/such/s.json: No such file");
    compile("--read-strategy -").fails(2, "--read-strategy: a strategy needs a file");
    compile("--read-strategy a{b}").fails(2, "the name of a strategy file has letters");
    assert_eq!(scratch.names(), ["bytes.json", "folder", "net.mlir", "x.npy"]);
}

#[test]
fn a_compiled_program_takes_no_strategy() {
    let scratch = Scratch::new();
    scratch.compile("");
    let done = scratch.strumc("run net.dpu --input x.npy --write-strategy s.json");
    done.fails(2, "--write-strategy has no effect: 'net.dpu' is compiled");
}
