//! Reports: their table, their document, and the page that `strumc report` makes of them.

use std::path::Path;

use serde_json::Value;

use crate::common::{Scratch, npy};

/// ResNet-20 on one image, with packed weights.
fn resnet20(scratch: &Scratch, options: &str) -> String {
    let network = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/resnet20/model.tosa.mlirbc");
    std::fs::copy(network, scratch.path().join("net.mlir")).unwrap();
    let image: Vec<u8> = (0..32 * 32 * 3).map(|i: u32| (i * 7 % 251) as u8).collect();
    scratch.write("x.npy", npy("|i1", &[1, 32, 32, 3], &image));
    let done = scratch.strumc(&format!("run net.mlir --input x.npy {options}"));
    assert_eq!(done.code, Some(0), "{done:?}");
    done.text()
}

/// Cycles, stalls, bytes and energy of a whole network. They change with the planner and the timing model: review the changes.
#[test]
fn the_table_of_layers() {
    let scratch = Scratch::new();
    let table = resnet20(&scratch, "--method mip2q --layers --report r.json");
    let report: Value = serde_json::from_slice(&scratch.read("r.json")).unwrap();
    let table = format!("{table}\nserial  {} cycles", report["serial_cycles"]);
    insta::assert_snapshot!("layers_of_resnet20", table);
    let table = resnet20(&scratch, "--method dense --machine flexnn-4x4 --layers");
    insta::assert_snapshot!("layers_of_resnet20_on_4x4", table);
}

/// The names of all fields of a document, except those of open lists.
pub(crate) fn keys(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            found.push(key.clone());
            if !["machine_parameters", "instructions", "timeline"].contains(&key.as_str()) {
                keys(value, found);
            }
        }),
        Value::Array(list) => list.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

#[test]
fn every_field_is_documented() {
    let scratch = Scratch::new();
    resnet20(&scratch, "--report r.json");
    let report: Value = serde_json::from_slice(&scratch.read("r.json")).unwrap();
    let documents = ["docs/report.md", "docs/energy.md"]
        .map(|name| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap());
    let mut found = Vec::new();
    keys(&report, &mut found);
    assert!(found.len() > 100);
    for key in found {
        assert!(documents.iter().any(|text| text.contains(&format!("`{key}`"))), "no document names `{key}`");
    }
}

#[test]
fn energy_adds_up() {
    let scratch = Scratch::new();
    resnet20(&scratch, "--method dliq --report r.json");
    let report: Value = serde_json::from_slice(&scratch.read("r.json")).unwrap();
    let total = |work: &Value| work["energy_fj"]["total"].as_u64().unwrap();
    let whole = &report["total"];
    let parts = whole["energy_fj"].as_object().unwrap().iter();
    let sum: u64 =
        parts.filter(|(name, _)| *name != "total" && *name != "pe").map(|(_, v)| v.as_u64().unwrap()).sum();
    assert_eq!(sum, total(whole));
    assert_eq!(report["layers"].as_array().unwrap().iter().map(total).sum::<u64>(), sum);
    assert!(whole["energy_fj"]["low_multipliers"].as_u64() > Some(0));
}

#[test]
fn a_page_stands_alone() {
    let scratch = Scratch::new();
    resnet20(&scratch, "--report r.json");
    let report = scratch.read("r.json");
    scratch.write("<img src=x>.json", &report);
    scratch.strumc("report r.json r.json -o page.html").ok();
    let page = String::from_utf8(scratch.read("page.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>"));
    // A namespace name is not an external address.
    let page = page.replace("http://www.w3.org/2000/svg", "");
    for outside in ["http:", "https:", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "the page has {outside}");
    }
    let done = crate::common::run_in(
        scratch.path(),
        crate::common::STRUMC,
        &["report", "<img src=x>.json", "-o", "page.html"],
        &[],
    );
    done.ok();
    assert!(!String::from_utf8(scratch.read("page.html")).unwrap().contains("<img"));
}

#[test]
fn what_is_no_report_is_refused() {
    let scratch = Scratch::new();
    scratch.write("a.json", "{}");
    scratch.strumc("report a.json -o page.html").fails(1, "a.json");
    scratch.write("a.json", "");
    scratch.strumc("report a.json -o page.html").fails(1, "a.json");
    scratch.strumc("report none.json -o page.html").fails(1, "none.json");
    scratch.strumc("report - - -o page.html").fails(2, "standard input");
    resnet20(&scratch, "--report r.json");
    let mut report: Value = serde_json::from_slice(&scratch.read("r.json")).unwrap();
    report["version"] = 999.into();
    scratch.write("a.json", report.to_string());
    scratch.strumc("report a.json -o page.html").fails(3, "999");
    report["version"] = 1.into();
    report["timeline"]["tasks"][0][3] = 1_000_000.into();
    scratch.write("a.json", report.to_string());
    scratch.strumc("report a.json -o page.html").fails(1, "damaged");
    assert!(!scratch.has("page.html"));
}

#[test]
fn fields_that_no_report_has_are_warned_about() {
    let scratch = Scratch::new();
    scratch.strumc("run net.mlir --input x.npy --report r.json -q").ok();
    scratch.strumc("report r.json -o page.html").ok();
    let mut report: Value = serde_json::from_slice(&scratch.read("r.json")).unwrap();
    report["layers"][1]["colour"] = "red".into();
    report["total"]["bytes"]["tape_read"] = 1.into();
    scratch.write("r.json", report.to_string());
    let done = scratch.strumc("report r.json -o page.html");
    let warning =
        "r.json: warning: the page does not show 'layers[1].colour' and 1 more: no field of this version\n";
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), warning));
}

#[test]
fn every_field_of_a_report_is_read() {
    // A field is missing, or has a value of another type: both are errors at it, so every field is read.
    fn pointers(value: &Value, path: &str, out: &mut Vec<String>) {
        if let Value::Object(fields) = value {
            for (key, value) in fields {
                out.push(format!("{path}/{key}"));
                pointers(value, &format!("{path}/{key}"), out);
            }
        } else if let Value::Array(items) = value
            && let Some(first) = items.first()
        {
            pointers(first, &format!("{path}/0"), out);
        }
    }
    let scratch = Scratch::new();
    scratch.strumc("run net.mlir --input x.npy --report r.json -q").ok();
    let report: Value = serde_json::from_slice(&scratch.read("r.json")).unwrap();
    let mut places = Vec::new();
    pointers(&report, "", &mut places);
    assert!(places.len() > 100);
    for place in places {
        let mut changed = report.clone();
        *changed.pointer_mut(&place).unwrap() = serde_json::json!([[]]);
        let error = dpu_sim::Report::from_json(changed.to_string().as_bytes());
        assert!(error.is_err(), "{place}");
    }
}
