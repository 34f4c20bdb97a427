//! The rules of STYLE.md that can be checked mechanically: sizes and first lines of files, documents, an error case for every pass, and a
//! test for every message.
//!
//! Invariant: these tests only read the sources. Every exception is listed with its reason, and an exception that is no longer
//! needed fails as well, so the lists can only shrink.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod circles;
mod pages;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use source::Source;

/// Maximum lines of a source file, and of a function from its `fn` to its closing brace.
const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;

/// Files and functions that are longer.
const LONG: [(&str, &str); 3] = [
    ("dialects/isa/src/table.rs", "a single table"),
    ("passes/float/tests/common/integer.rs: reference", "one match arm for each operator"),
    ("passes/plan/tests/interp/mod.rs: run", "the steps of one loop"),
];

/// Flags of third-party programs that documents name, and the program.
const FOREIGN_FLAGS: [(&str, &str); 1] = [("strict", "mypy")];

/// Documents outside `docs` whose paths and flags must exist.
const DOCUMENTS: [&str; 4] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "STYLE.md"];

/// Sources in which every string is a message, except for arguments of what [`NO_MESSAGE`] lists.
const MESSAGES: [&str; 3] = ["dialects/ir/src/", "dialects/mlir-sys/cpp/", "passes/mlir/src/"];
const NO_MESSAGE: &str = "# Attribute Build InUse Internal Type [ allow assert! bool debug! decline int internal list required string";

/// Sources in which a string is a message if it is an argument of one of [`REFUSALS`].
const BELOW: [&str; 6] = [
    "dialects/formats/src/",
    "passes/float/src/quantize/",
    "passes/plan/src/",
    "passes/quant/src/",
    "tools/rtl/src/",
    "tools/trace/src/",
];
const REFUSALS: [&str; 5] = ["error", "refuse", "refused", "resource", "unsupported"];

/// The same of what reads the files of other tools.
const DOORS: [&str; 4] = [
    "passes/doors/src/integer/",
    "passes/doors/src/onnx/",
    "passes/doors/src/tflite/",
    "passes/doors/src/tosa/",
];
const STOPS: [&str; 8] =
    ["damaged", "fault", "help", "invalid", "limit", "other_elements", "unsupported", "usage"];

/// Sources whose messages do not reach users.
const NOT_FOR_USERS: [(&str, &str); 5] = [
    ("dialects/ir/src/dpu/ods.rs", "generates ODS definitions"),
    ("dialects/ir/src/error.rs", "reported as an internal error of the pass"),
    ("passes/plan/src/alloc/check.rs", "a checker, reported as an internal error"),
    ("passes/plan/src/barriers/check.rs", "a checker, reported as an internal error"),
    ("passes/plan/src/deps/check.rs", "a checker, reported as an internal error"),
];

/// These tests, whose own lists must not count.
const OWN: &str = "tests/tidy/";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    String::from_utf8_lossy(&fs::read(root().join(path)).unwrap()).into_owned()
}

/// All source files below a folder, sorted.
fn files(folder: &str) -> Vec<String> {
    let mut entries: Vec<_> = fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.file_name().into_string().unwrap();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        match entry.file_type().unwrap().is_dir() {
            _ if name.starts_with('.') || name == "target" || name == "__pycache__" => {}
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

fn ends_in(path: &str, kinds: &[&str]) -> bool {
    kinds.iter().any(|kind| path.ends_with(kind))
}

/// Fails with all faults, and with the exceptions that are no longer needed.
fn expect_none<'a>(
    mut faults: Vec<String>,
    exceptions: impl IntoIterator<Item = &'a str>,
    needed: &BTreeSet<String>,
) {
    let idle = exceptions.into_iter().filter(|&name| !needed.contains(name));
    faults.extend(idle.map(|name| format!("an exception that is no longer needed: {name}")));
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn files_and_functions_are_short_and_say_what_they_are() {
    let (mut faults, mut needed) = (Vec::new(), BTreeSet::new());
    let mut long =
        |name: String, lines: usize, most: usize| match LONG.iter().any(|(known, _)| *known == name) {
            _ if lines <= most => {}
            true => _ = needed.insert(name),
            false => faults.push(format!("{name}: {lines} lines, at most {most}")),
        };
    let mut headless = Vec::new();
    for path in files("").iter().filter(|path| ends_in(path, &[".rs", ".cpp", ".h"])) {
        let text = read(path);
        long(path.clone(), text.lines().count(), FILE_LINES);
        let source = Source::new(&text);
        for (name, lines) in source.functions() {
            long(format!("{path}: {name}"), lines, FUNCTION_LINES);
        }
        if !text.starts_with(if path.ends_with(".rs") { "//!" } else { "//" }) {
            headless.push(format!("{path}: does not open with a comment that says what it is"));
        }
    }
    faults.extend(headless);
    expect_none(faults, LONG.map(|(name, _)| name), &needed);
}

/// The documents: path and text.
fn documents() -> Vec<(String, String)> {
    let docs = files("docs").into_iter().filter(|path| path.ends_with(".md"));
    docs.chain(DOCUMENTS.map(str::to_owned)).map(|path| (path.clone(), read(&path))).collect()
}

#[test]
fn paths_in_documents_exist() {
    let all = files("");
    let mut faults = Vec::new();
    for (document, text) in documents() {
        let folder = Path::new(&document).parent().unwrap();
        for link in pages::links(&text) {
            if !root().join(folder).join(link).exists() {
                faults.push(format!("{document}: a link to {link}"));
            }
        }
        // Every other piece of a line is in backticks.
        let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        for path in quoted
            .filter(|path| path.contains(['/', '.']) && !path.contains([' ', '<', '*', '{', '$', '(', '|']))
        {
            let first = path.split('/').next().unwrap();
            let is_ours = path.contains('/') && !first.is_empty() && root().join(first).exists();
            let is_source = ends_in(path, &[".rs", ".py", ".td", ".js", ".cpp"]) && !path.starts_with('.');
            let exists =
                root().join(path).exists() || all.iter().any(|file| file.ends_with(&format!("/{path}")));
            if (is_ours || is_source) && !exists {
                faults.push(format!("{document}: `{path}`"));
            }
        }
    }
    expect_none(faults, [], &BTreeSet::new());
}

#[test]
fn flags_in_documents_exist() {
    let code = files("")
        .into_iter()
        .filter(|path| !ends_in(path, &[".md", ".mlir", ".snap"]) && !path.starts_with(OWN));
    let code: String = code.map(|path| read(&path)).collect();
    let mut faults = BTreeSet::new();
    for (document, text) in documents() {
        for (at, _) in text
            .match_indices("--")
            .filter(|&(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '-'))
        {
            let name = source::word(&text[at + 2..]);
            let is_flag = name.starts_with(|c: char| c.is_ascii_alphabetic());
            // In the form of a script, a string, or a field from which clap derives a flag.
            let forms =
                [format!("--{name}"), format!("\"{name}\""), format!(" {}: ", name.replace('-', "_"))];
            let is_foreign = FOREIGN_FLAGS.iter().any(|(flag, _)| *flag == name);
            if is_flag && !is_foreign && !forms.iter().any(|form| code.contains(form)) {
                faults.insert(format!("{document}: --{name}"));
            }
        }
    }
    expect_none(faults.into_iter().collect(), [], &BTreeSet::new());
}

#[test]
fn every_pass_has_an_error_case() {
    let mut faults = Vec::new();
    let passes: BTreeSet<String> =
        files("lit/passes").iter().map(|path| path.split('/').nth(2).unwrap().to_owned()).collect();
    for pass in passes {
        let folder = pass.replace('-', "_");
        let of_level =
            |level: &str| root().join("passes/mlir/src").join(level).join(&folder).join("mod.rs").is_file();
        if !["float", "tosa", "strum", "dpu"].into_iter().any(of_level) {
            faults.push(format!("lit/passes/{pass} is of no pass"));
        }
        let cases: String = files(&format!("lit/passes/{pass}")).iter().map(|path| read(path)).collect();
        if !["expected-error", "RUN: not "].iter().any(|mark| cases.contains(mark)) {
            faults.push(format!("lit/passes/{pass} has no error case"));
        }
    }
    expect_none(faults, [], &BTreeSet::new());
}

#[test]
fn every_message_is_in_a_test() {
    let mut tested = String::new();
    let mut messages: Vec<(String, String)> = Vec::new();
    for path in files("").iter().filter(|path| !path.starts_with(OWN)) {
        let within = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
        let is_code = ends_in(path, &[".rs", ".cpp"]);
        // These pages are generated and compared with the sources, so they test the descriptions of passes and options.
        if within(&["docs/passes.md", "docs/supported.md"]) || path.ends_with(".snap") {
            tested += &read(path);
        } else if within(&["lit/"]) {
            let text = read(path);
            for line in text.lines().filter(|line| is_expectation(line)) {
                tested += line;
                tested.push('\n');
            }
        }
        if !is_code {
            continue;
        }
        let source = Source::new(&read(path));
        let is_test = path.contains("tests/") || path.ends_with("tests.rs");
        for literal in &source.literals {
            if is_test || source.is_test(literal.at) {
                tested += &literal.text;
                tested.push('\n');
                continue;
            }
            let (callee, piece) = (source.callee(literal.at), longest_piece(&literal.text));
            let takes = within(&MESSAGES) && !NO_MESSAGE.split(' ').any(|no| no == callee);
            let refuses =
                (within(&BELOW) && REFUSALS.contains(&callee)) || (within(&DOORS) && STOPS.contains(&callee));
            let is_seen = !NOT_FOR_USERS.iter().any(|(file, _)| path == file);
            if (takes || refuses) && is_seen && piece.contains(' ') {
                messages.push((format!("{path}:{}", source.line(literal.at)), piece));
            }
        }
    }
    let tested = source::spaced(&tested);
    messages.retain(|(_, message)| !tested.contains(message.as_str()));
    let faults = messages.into_iter().map(|(place, message)| format!("{place}: no test has \"{message}\""));
    expect_none(faults.collect(), [], &BTreeSet::new());
}

/// Whether lit's line is an expectation: a diagnostic, or a FileCheck pattern.
fn is_expectation(line: &str) -> bool {
    let prefix = line.trim_start_matches(['/', '#', ' ']).split_once(": ").map_or("", |(prefix, _)| prefix);
    let is_prefix = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "-_".contains(c);
    line.contains("expected-") || !prefix.is_empty() && prefix != "RUN" && prefix.chars().all(is_prefix)
}

/// The longest fragment of a message between its placeholders.
fn longest_piece(message: &str) -> String {
    // Doubled braces are braces.
    let message = message.replace("{{", "\u{1}").replace("}}", "\u{2}");
    let pieces = message.split('{').map(|piece| piece.split_once('}').map_or(piece, |(_, after)| after));
    let longest = pieces.max_by_key(|piece| piece.len()).unwrap_or_default();
    let longest = source::spaced(&longest.replace('\u{1}', "{").replace('\u{2}', "}"));
    longest.trim_matches(|c: char| c == ' ' || c.is_ascii_punctuation()).to_owned()
}
