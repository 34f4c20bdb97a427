//! Every JSON object identifies itself: `schema` and `version` are its first fields, and `docs/json.md` lists them.

use std::collections::BTreeSet;

use strum_cli::json::{AUDIT, CHECK, COMPARE, COMPILE, EVAL, QUANTIZE, REPORT, RUN, SCHEMAS, Schema, TUNE};

use crate::common::{STRUMC, TRANSLATE, run_in};
use crate::options::folder;

/// Every command that has `--json`: a command line and its output.
const COMMANDS: [(&str, &str, Schema); 9] = [
    ("compile", "compile net.mlir -o n.dpu --json", COMPILE),
    ("check", "check net.mlir --json", CHECK),
    ("run", "run net.dpu --input x.npy --json", RUN),
    ("run", "run net.dpu --timing-only --json", RUN),
    ("compare", "compare net.mlir --input x.npy --methods mip2q --json", COMPARE),
    ("eval", "eval net.mlir --inputs many.npy --logits 0 --methods mip2q --json", EVAL),
    ("tune", "tune net.mlir --policy uniform -o p2.json --json", TUNE),
    ("quantize", "quantize ff.mlir -c f.npy -o q2.mlir --json", QUANTIZE),
    ("strum-translate", "--dpu-audit net.dpu --json", AUDIT),
];

fn check(text: &str, schema: Schema) {
    let fields = format!("\"schema\":\"{}\",\"version\":{},", schema.name, schema.version);
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).take(fields.len() + 1).collect();
    assert_eq!(compact, format!("{{{fields}"));
    assert!(serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value.is_object()));
}

#[test]
fn every_json_object_begins_with_schema_and_version() {
    let scratch = folder();
    for (name, line, schema) in COMMANDS {
        let tool = if name == "strum-translate" { TRANSLATE } else { STRUMC };
        let words: Vec<&str> = line.split(' ').collect();
        check(&run_in(scratch.path(), tool, &words, b"").ok().text(), schema);
    }
    check(&String::from_utf8(scratch.read("r.json")).unwrap(), REPORT);
    let [strumc, translate] = strum_opt::command_lines();
    let has_json = |command: &&clap::Command| command.get_arguments().any(|a| a.get_id() == "json");
    let with = strumc.get_subcommands().chain([&translate]).filter(has_json);
    let with: BTreeSet<&str> = with.map(clap::Command::get_name).collect();
    assert_eq!(with, COMMANDS.iter().map(|(name, ..)| *name).collect());
}

#[test]
fn the_documentation_lists_every_schema() {
    let text = include_str!("../../docs/json.md");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows.len(), SCHEMAS.len() + 1);
    for Schema { name, version, command } in SCHEMAS {
        let row = format!("| `{name}` | {version} | `{}` |", command.replace(", ", "`, `"));
        assert!(rows.iter().any(|line| line.starts_with(&row)), "{row}");
    }
}
