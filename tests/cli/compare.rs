//! `strumc compare`: methods and machines at the same work.

use std::path::Path;

use serde_json::Value;

use crate::common::{STRUMC, Scratch, npy, run_in};
use crate::report::keys;

const PE_PARTS: [&str; 12] = [
    "multipliers",
    "shifters",
    "low_multipliers",
    "paths",
    "adders",
    "register_files",
    "unpack",
    "operands",
    "routing",
    "decode",
    "clock",
    "leakage",
];

/// A folder with ResNet-20 as `resnet.mlir` and an image as `image.npy`.
fn folder() -> Scratch {
    let scratch = Scratch::new();
    let network = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/resnet20/model.tosa.mlirbc");
    std::fs::copy(network, scratch.path().join("resnet.mlir")).unwrap();
    let image: Vec<u8> = (0..32 * 32 * 3).map(|i: u32| (i * 7 % 251) as u8).collect();
    scratch.write("image.npy", npy("|i1", &[1, 32, 32, 3], &image));
    scratch
}

/// Standard output of a comparison that ended well.
fn compare(scratch: &Scratch, line: &str) -> String {
    let done = scratch.strumc(&format!("compare {line}"));
    assert_eq!(done.code, Some(0), "{done:?}");
    done.text()
}

fn json(scratch: &Scratch, line: &str) -> Value {
    serde_json::from_str(&compare(scratch, &format!("{line} --json"))).unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no whole number"))
}

/// Energies and cycles of a whole network. They change with the planner and the model of time: look at what changed.
#[test]
fn the_table_of_a_network() {
    insta::assert_snapshot!("comparison_of_resnet20", compare(&folder(), "resnet.mlir --input image.npy"));
}

#[test]
fn the_table_of_layers() {
    let line = "net.mlir --input x.npy --methods dense,mip2q --machines flexnn-16x16 --layers";
    insta::assert_snapshot!("comparison_of_layers", compare(&Scratch::new(), line));
}

#[test]
fn machines_that_differ_in_more_than_their_pes_are_told() {
    let scratch = Scratch::new();
    let text = compare(&scratch, "net.mlir --input x.npy --methods mip2q --machines flexnn-16x16,flexnn-4x4");
    assert!(
        text.contains("flexnn-4x4, strum-dynamic PEs at 1300 MHz; unlike the baseline's: rows, cols,"),
        "{text}"
    );
    assert!(text.contains("flexnn-16x16, strum-dynamic PEs at 1300 MHz\n"), "{text}");
}

#[test]
fn every_field_is_documented() {
    let object = json(&Scratch::new(), "net.mlir --input x.npy");
    let document =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compare.md")).unwrap();
    let mut found = Vec::new();
    keys(&object, &mut found);
    assert!(found.len() > 100);
    for key in found {
        assert!(document.contains(&format!("`{key}`")), "docs/compare.md does not name `{key}`");
    }
    assert_eq!((object["schema"].as_str(), object["version"].as_u64()), (Some("strum.compare"), Some(1)));
}

/// Figures of a layer or a run: sums, and recomputed powers.
fn check_figures(figures: &Value, clock_mhz: f64) {
    let energy = &figures["energy_fj"];
    let pe: u64 = PE_PARTS.iter().map(|part| number(&energy[part])).sum();
    assert_eq!(number(&energy["pe"]), pe);
    let rest: u64 =
        ["ppe", "vec", "sram", "sram_leakage", "idle"].iter().map(|part| number(&energy[part])).sum();
    assert_eq!(number(&energy["accelerator"]), pe + rest);
    assert_eq!(number(&energy["total"]), pe + rest + number(&energy["dram"]));
    for (power, energy, cycles) in [
        ("pe_mw", pe, "cycles"),
        ("pe_busy_mw", pe, "dpu_cycles"),
        ("total_mw", number(&energy["total"]), "cycles"),
    ] {
        match number(&figures[cycles]) {
            0 => assert!(figures[power].is_null()),
            cycles => {
                let seconds = cycles as f64 / (clock_mhz * 1e6);
                let expected = energy as f64 * 1e-15 / seconds * 1e3;
                let got = figures[power].as_f64().unwrap();
                assert!((got - expected).abs() <= 1e-9 * expected, "{power}: {got} {expected}");
            }
        }
    }
}

#[test]
fn the_object_adds_up() {
    let scratch = folder();
    let object = json(&scratch, "resnet.mlir --input image.npy");
    let (runs, layers) = (object["runs"].as_array().unwrap(), object["layers"].as_array().unwrap());
    let told: Vec<_> =
        runs.iter().map(|run| (run["method"].as_str().unwrap(), run["pe_kind"].as_str().unwrap())).collect();
    let methods = ["mip2q", "dliq", "sparse"];
    let mut expected = vec![("dense", "dense")];
    for kind in ["strum-dynamic", "strum-static"] {
        expected.extend(methods.map(|method| (method, kind)));
    }
    assert_eq!(told, expected);
    for (number_of_run, run) in runs.iter().enumerate() {
        let (figures, clock) = (&run["figures"], run["clock_mhz"].as_f64().unwrap());
        check_figures(figures, clock);
        assert_eq!(figures["macs"], object["macs"], "the same work");
        let mut total = 0;
        let mut cycles = 0;
        for layer in layers {
            let layer = &layer["runs"][number_of_run]["figures"];
            check_figures(layer, clock);
            total += number(&layer["energy_fj"]["total"]);
            cycles += number(&layer["cycles"]);
        }
        assert_eq!((total, cycles), (number(&figures["energy_fj"]["total"]), number(&figures["cycles"])));
        let of = |run: &Value, part: &str| run["figures"]["energy_fj"][part].as_f64().unwrap();
        let ratio = |part: &str| of(run, part) / of(&runs[0], part);
        let against = &run["against_baseline"];
        for (field, part) in
            [("pe_energy", "pe"), ("accelerator_energy", "accelerator"), ("total_energy", "total")]
        {
            assert!((against[field].as_f64().unwrap() - ratio(part)).abs() < 1e-12, "{field}");
        }
        // The fewer of a PE's energy register files take, the more of it a method saves or adds.
        let saved: Vec<f64> = run["sensitivity"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| 1.0 - s["pe_energy"].as_f64().unwrap())
            .collect();
        assert_eq!(saved.len(), 3);
        let all = [1.0 - ratio("pe")].into_iter().chain(saved).map(f64::abs).collect::<Vec<_>>();
        assert!(all.is_sorted(), "{all:?}");
    }
}

/// A comparison shows what single runs show.
#[test]
fn runs_are_those_of_strumc_run() {
    let scratch = folder();
    let object = json(
        &scratch,
        "resnet.mlir --input image.npy --methods dliq --machines flexnn-16x16-static --q 3 --p 0.25",
    );
    let line = "run resnet.mlir --input image.npy --method dliq --q 3 --p 0.25 --machine flexnn-16x16-static --report r.json -q";
    assert_eq!(scratch.strumc(line).code, Some(0));
    let report: Value = serde_json::from_slice(&scratch.read("r.json")).unwrap();
    let figures = &object["runs"][1]["figures"];
    assert_eq!(figures["cycles"], report["cycles"]);
    for part in ["multipliers", "low_multipliers", "unpack", "pe", "dram", "total"] {
        assert_eq!(figures["energy_fj"][part], report["total"]["energy_fj"][part], "{part}");
    }
    assert!(object["runs"][1]["pipeline"].as_str().unwrap().contains("method=dliq p=0.25 q=3"));
}

/// A machine file with these lines in place of the default machine's.
fn machine(scratch: &Scratch, name: &str, kind: &str, values: &[(&str, u64)]) {
    let built_in = dpu_isa::Machine::builtin("flexnn-16x16").unwrap().to_toml();
    let line = |line: &str| match line.split_once(" = ") {
        Some(("name", _)) => format!("name = \"{name}\""),
        Some(("pe_kind", _)) => format!("pe_kind = \"{kind}\""),
        Some((field, _)) => match values.iter().find(|(name, _)| *name == field) {
            Some((_, value)) => format!("{field} = {value}"),
            None => line.to_owned(),
        },
        None => line.to_owned(),
    };
    let text: Vec<String> = built_in.lines().map(line).collect();
    scratch.write(&format!("{name}.toml"), text.join("\n"));
}

/// Made-up machines that state energies of held operands, clock, leakage and areas; `static` states no SRAM.
fn measured(scratch: &Scratch) {
    let figures = [
        ("mult_fj", 1500),
        ("mult_act_held_saving_fj", 500),
        ("mult_weight_held_saving_fj", 900),
        ("fl_held_saving_fj", 80),
        ("operand_fj", 40),
        ("operand_act_held_saving_fj", 20),
        ("route_fj", 30),
        ("route_held_saving_fj", 10),
        ("decode_block_fj", 900),
        ("datapath_clock_fj", 1600),
        ("pe_clock_fj", 700),
        ("pe_leak_nw", 400_000),
        ("sram_leak_nw", 9_000_000),
        ("tree_area_um2", 300),
        ("rest_area_um2", 2_000_000),
    ];
    for (name, kind, areas) in [
        ("plain", "dense", [4751, 5719, 22_616, 4_000_000]),
        ("half", "strum-static", [3550, 5466, 22_428, 0]),
    ] {
        let names = ["datapath_area_um2", "pe_core_area_um2", "pe_area_um2", "sram_area_um2"];
        let values: Vec<_> = figures.into_iter().chain(names.into_iter().zip(areas)).collect();
        machine(scratch, name, kind, &values);
    }
}

#[test]
fn machines_with_areas_are_compared_by_level() {
    let scratch = folder();
    measured(&scratch);
    let line = "resnet.mlir --input image.npy --methods mip2q --machines half.toml,flexnn-16x16 --baseline plain.toml";
    insta::assert_snapshot!("comparison_of_levels", compare(&scratch, line));
    let object = json(&scratch, line);
    let runs = object["runs"].as_array().unwrap();
    let level = |run: usize, level: usize| &runs[run]["levels"][level];
    let names: Vec<_> = (0..6).map(|i| level(0, i)["level"].as_str().unwrap()).collect();
    assert_eq!(names, ["datapath", "pe_core", "pe", "array", "dpu_without_sram", "dpu"]);
    let areas: Vec<_> = (0..6).map(|i| level(0, i)["area_um2"].as_u64()).collect();
    let array = 256 * (22_616 + 300);
    let expected = [4751, 5719, 22_616, array, array + 2_000_000, array + 6_000_000];
    assert_eq!(areas, expected.map(Some));
    assert!((level(1, 0)["against_baseline"]["area"].as_f64().unwrap() - 3550.0 / 4751.0).abs() < 1e-12);
    assert!(level(1, 5)["area_um2"].is_null() && level(1, 5)["against_baseline"]["area"].is_null());
    assert!((0..6).all(|i| level(2, i)["area_um2"].is_null()), "the default machines state no areas");
    for run in runs {
        let energy = &run["figures"]["energy_fj"];
        let of = |i: usize| number(&run["levels"][i]["energy_fj"]);
        let clock_and_leakage = number(&energy["clock"]) + number(&energy["leakage"]);
        assert!(of(0) <= of(1) && of(2) >= of(1) + number(&energy["register_files"]));
        assert!(
            clock_and_leakage == 0 || of(2) < of(1) + number(&energy["register_files"]) + clock_and_leakage
        );
        assert_eq!((of(3), of(5)), (number(&energy["pe"]), number(&energy["accelerator"])));
        let milliwatts = of(5) as f64 * 1300.0 / run["figures"]["cycles"].as_f64().unwrap() / 1e6;
        assert!((run["levels"][5]["mw"].as_f64().unwrap() - milliwatts).abs() < 1e-9 * milliwatts);
    }
}

#[test]
fn the_paper_is_quoted_and_not_computed() {
    let object =
        json(&Scratch::new(), "net.mlir --input x.npy --methods sparse --machines flexnn-16x16 --p 0.25");
    let claims = object["paper"]["claims"].as_array().unwrap();
    let stated: Vec<_> =
        claims.iter().map(|c| (c["quantity"].as_str().unwrap(), c["statement"].as_str().unwrap())).collect();
    let expected = [
        ("PE power", "-31 to -34 %"),
        ("accelerator", "-10 % area, or about -10 % power"),
        ("PE area, static", "-23 to -26 %"),
        ("DPU area, static", "-2 to -3 %"),
    ];
    assert_eq!(stated, expected);
    assert!(claims.iter().all(|claim| claim["tag"] == "[paper]"));
    let ours: Vec<_> = claims.iter().map(|claim| claim["ours"].as_str()).collect();
    assert_eq!(ours, [Some("pe_busy_power"), Some("accelerator_energy"), None, None]);
    let ending = object["paper"]["not_reproduced"].as_str().unwrap();
    assert!(ending.starts_with("This does not reproduce the paper's PE"), "{ending}");
}

#[test]
fn a_page_shows_all_runs() {
    let scratch = Scratch::new();
    assert_eq!(compare(&scratch, "net.mlir --input x.npy --page page.html -q"), "");
    let page = String::from_utf8(scratch.read("page.html")).unwrap();
    assert_eq!(compare(&scratch, "net.mlir --input x.npy --page - -q"), page);
    for name in ["dense, dense", "mip2q, dynamic", "sparse, static"] {
        assert!(page.contains(&format!("<th class=\"num\">{name}</th>")), "{name}");
    }
}

#[test]
fn the_first_of_many_samples_is_taken() {
    let scratch = folder();
    let image: Vec<u8> = (0..32 * 32 * 3).map(|i: u32| (i * 7 % 251) as u8).collect();
    let two: Vec<u8> = image.iter().copied().chain(std::iter::repeat_n(3, image.len())).collect();
    scratch.write("two.npy", npy("|i1", &[2, 32, 32, 3], &two));
    let line = "--methods mip2q --machines flexnn-16x16";
    let [one, two] =
        ["image.npy", "two.npy"].map(|x| compare(&scratch, &format!("resnet.mlir --input {x} {line}")));
    assert_eq!(one, two);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let scratch = Scratch::new();
    scratch.compile("");
    scratch.write("broken.mlir", "func.func @main(");
    for (code, line, message) in [
        (2, "", "required arguments were not provided"),
        (2, "net.mlir", "no file for input 'arg0'"),
        (2, "net.mlir --input x.npy --methods int4", "invalid value 'int4'"),
        (2, "net.mlir --input x.npy --methods mip2q,mip2q", "--methods has mip2q twice"),
        (
            2,
            "net.mlir --input x.npy --machines flexnn-16x16,flexnn-16x16",
            "--machines has flexnn-16x16 twice",
        ),
        (2, "net.mlir --input x.npy --machines tpu", "unknown machine 'tpu'"),
        (2, "net.mlir --input x.npy --baseline tpu", "unknown machine 'tpu'"),
        (1, "net.mlir --input x.npy --baseline none.toml", "none.toml"),
        (
            2,
            "net.mlir --input x.npy --methods mip2q --q 3",
            "--q has no effect with --methods mip2q, but with dliq",
        ),
        (2, "net.mlir --input x.npy --methods dense --p 0.5", "--p has no effect with --methods dense"),
        (2, "net.mlir --input x.npy --p 2", "expected a number from 0 to 1"),
        (2, "net.mlir --input x.npy --layers --json", "cannot be used with"),
        (2, "net.mlir --input x.npy --methods dense,mip2q,dliq,sparse --page p.html", "a page has at most 8"),
        (2, "net.mlir --input x.npy --page -", "--page - needs --quiet"),
        (1, "net.dpu --input x.npy", "net.dpu: a compiled program"),
        (1, "none.mlir --input x.npy", "none.mlir"),
        (1, "broken.mlir --input x.npy", "broken.mlir:1:"),
        (1, "net.mlir --input none.npy", "none.npy"),
        (4, "net.mlir --input x.npy --fuel 10", "--fuel sets the limit"),
    ] {
        scratch.strumc(&format!("compare {line}")).fails(code, message);
    }
    assert_eq!(scratch.names(), ["broken.mlir", "net.dpu", "net.mlir", "x.npy"]);
}

/// `script` runs a command on a terminal of its own.
#[cfg(target_os = "linux")]
#[test]
fn progress_is_shown_on_a_terminal() {
    let scratch = Scratch::new();
    let command = format!("{STRUMC} compare net.mlir --input x.npy --page page.html -q");
    let quiet = run_in(scratch.path(), "script", &["-qec", &command, "/dev/null"], b"");
    assert_eq!((quiet.code, quiet.text().as_str()), (Some(0), ""), "{quiet:?}");
    let loud = run_in(scratch.path(), "script", &["-qec", command.trim_end_matches(" -q"), "/dev/null"], b"");
    assert!(loud.code == Some(0) && loud.text().contains("of 7, "), "{loud:?}");
}
