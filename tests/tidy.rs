//! What a machine can hold of STYLE.md: sizes, heads of files, paths and flags that documents name, and a test for every message.
//!
//! Invariant: these tests read the sources and nothing else, so that they need no build of what they look at, and give the
//! same answer everywhere. Each exception is in a list below with its reason; one that is no longer needed fails as well.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::Path;

/// Most lines of a source file, and of a function from its `fn` to its closing brace.
const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;

/// Documents whose paths and flags must be true.
const DOCUMENTS: [&str; 4] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "STYLE.md"];

/// Flags of programs of others that documents name.
const FOREIGN_FLAGS: [&str; 0] = [];

/// Where messages for users are written: every text there is one, but for arguments of what is in [`NO_MESSAGE`].
const MESSAGES: [&str; 3] = ["dialects/ir/src/", "dialects/mlir-sys/cpp/", "passes/src/"];

/// What knows no MLIR has texts of many kinds; those that reach a user are arguments of these.
const BELOW: [&str; 3] = ["passes/float/src/quantize/", "passes/plan/src/", "passes/quant/src/"];
const REFUSALS: [&str; 5] = ["#", "refuse", "refused", "resource", "unsupported"];

/// What takes other texts than messages: bugs of ours, logs, reasons for a lint, words that a message is made of.
const NO_MESSAGE: [&str; 19] = [
    "Attribute", "Build", "InUse", "Internal", "Type", "allow", "assert!", "assert_eq!", "contains", "debug!", "find",
    "info!", "internal", "llvm_unreachable", "must_use", "required", "trace!", "warn!", "write!",
];

/// Sources without messages for users, and why.
const NOT_FOR_USERS: [(&str, &str); 6] = [
    ("dialects/ir/src/error.rs", "a pass that returns one has a bug, and says so"),
    ("dialects/ir/src/dpu/ods.rs", "writes the definitions of ops"),
    ("passes/plan/src/alloc/check.rs", "a checker finds bugs of ours"),
    ("passes/plan/src/barriers/check.rs", "a checker finds bugs of ours"),
    ("passes/plan/src/deps/check.rs", "a checker finds bugs of ours"),
    ("passes/src/docs.rs", "a test"),
];

/// Messages in no test, and why.
const UNTESTED: [(&str, &str); 0] = [];

/// A string literal of a source.
struct Literal {
    at: usize,
    text: String,
}

/// A source of Rust or C++ whose comments and strings are blank in `code`, with the same bytes in the same places.
struct Source {
    code: String,
    literals: Vec<Literal>,
}

impl Source {
    fn read(path: &str) -> Self {
        Self::new(&read(path))
    }

    fn new(text: &str) -> Self {
        let mut code = text.as_bytes().to_vec();
        let mut literals = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let (blank, end) = next_token(text, at);
            if text[at..end].ends_with('"') || text[at..end].ends_with("\"#") {
                let raw = text[at..].starts_with('r');
                let inside = &text[blank.clone()];
                literals.push(Literal { at, text: if raw { inside.to_owned() } else { unescaped(inside) } });
            }
            code[blank].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
            at = end;
        }
        Self { code: String::from_utf8(code).unwrap(), literals }
    }

    fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }

    /// Where the block ends that opens at or after a place, or the item without one.
    fn block_end(&self, from: usize) -> usize {
        let (mut braces, mut rounds) = (0, 0);
        for (offset, byte) in self.code[from..].bytes().enumerate() {
            match byte {
                b'(' | b'[' => rounds += 1,
                b')' | b']' => rounds -= 1,
                b'{' => braces += 1,
                b'}' => braces -= 1,
                _ => {}
            }
            if rounds == 0 && (byte == b'}' && braces == 0 || byte == b';' && braces == 0) {
                return from + offset;
            }
        }
        self.code.len()
    }

    /// What a literal is an argument of, formatting aside: `error`, `debug!`, or nothing.
    fn callee(&self, at: usize) -> &str {
        let (mut depth, mut end) = (0, at);
        for (offset, byte) in self.code[..at].bytes().enumerate().rev() {
            match byte {
                b')' | b']' | b'}' => depth += 1,
                b'(' | b'[' | b'{' if depth > 0 => depth -= 1,
                b'(' => {
                    end = offset;
                    let name = last_word(&self.code[..end]);
                    if !name.starts_with("format") && !name.is_empty() {
                        return name;
                    }
                }
                b'{' | b';' if depth == 0 => break,
                b'[' => return last_word(&self.code[..offset]),
                _ => {}
            }
        }
        let _ = end;
        ""
    }

    /// The functions with a body: name, and first and last byte.
    fn functions(&self) -> Vec<(&str, Range<usize>)> {
        let starts = self.code.match_indices("fn ").map(|(at, _)| at);
        let starts = starts.filter(|&at| !self.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
        starts.map(|at| (word(&self.code[at + 3..]), at..self.block_end(at))).collect()
    }

    /// What is built for unit tests alone.
    fn tests(&self) -> Vec<Range<usize>> {
        let starts = self.code.match_indices("#[cfg(test)]").map(|(at, found)| at + found.len());
        starts.map(|at| at..self.block_end(at)).collect()
    }
}

/// What is blank of the next token of a text, and where that token ends.
fn next_token(text: &str, at: usize) -> (Range<usize>, usize) {
    let rest = &text[at..];
    let until = |from: usize, close: &str| text[from..].find(close).map_or(text.len(), |n| from + n);
    let first = rest.chars().next().map_or(1, char::len_utf8);
    if rest.starts_with("//") {
        let end = until(at, "\n");
        (at..end, end)
    } else if rest.starts_with("/*") {
        let end = until(at, "*/");
        (at..end, end + 2)
    } else if rest.starts_with("r\"") || rest.starts_with("r#\"") {
        let close = if rest.starts_with("r\"") { "\"" } else { "\"#" };
        let start = at + 1 + close.len();
        let end = until(start, close);
        (start..end, end + close.len())
    } else if rest.starts_with('"') {
        let mut bytes = rest.bytes().enumerate().skip(1);
        let mut end = text.len() - 1;
        while let Some((offset, byte)) = bytes.next() {
            match byte {
                b'\\' => _ = bytes.next(),
                b'"' => {
                    end = at + offset;
                    break;
                }
                _ => {}
            }
        }
        (at + 1..end, end + 1)
    } else if rest.starts_with("'\\") {
        let end = until(at + 3, "'");
        (at + 1..end, end + 1)
    } else if rest.starts_with('\'') && rest.chars().nth(2) == Some('\'') {
        let end = until(at + 1, "'");
        (at + 1..end, end + 1)
    } else {
        (at..at, at + first)
    }
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let mut tail = after.chars();
        match tail.next() {
            Some('n') => out.push('\n'),
            Some('\n') => tail = after.trim_start().chars(),
            Some(c) => out.push(c),
            None => {}
        }
        rest = tail.as_str();
    }
    out + rest
}

/// The word that a text begins with.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'));
    &text[..end.unwrap_or(text.len())]
}

/// The word that a text ends with, a macro's with its mark.
fn last_word(text: &str) -> &str {
    let text = text.trim_end();
    let start = text.rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '!' || c == '#'));
    &text[start.map_or(0, |n| n + 1)..]
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    String::from_utf8_lossy(&fs::read(root().join(path)).unwrap()).into_owned()
}

/// All files below a folder that are the project's, in order.
fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut names: Vec<_> = fs::read_dir(root().join(folder)).unwrap().map(|e| e.unwrap()).collect();
    names.sort_by_key(fs::DirEntry::file_name);
    for entry in names {
        let name = entry.file_name().into_string().unwrap();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if name.starts_with('.') || name == "target" || name == "__pycache__" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn of_kind(files: Vec<String>, kinds: &[&str]) -> Vec<String> {
    files.into_iter().filter(|f| kinds.iter().any(|kind| f.ends_with(kind))).collect()
}

fn expect_none(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Text with one space wherever it has some.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut faults = Vec::new();
    for path in of_kind(files(""), &[".rs", ".cpp", ".h"]) {
        let text = read(&path);
        let lines = text.lines().count();
        if lines > FILE_LINES {
            faults.push(format!("{path} has {lines} lines, at most {FILE_LINES} are read with pleasure"));
        }
        if path.ends_with(".rs") && !text.starts_with("//!") {
            faults.push(format!("{path} does not open with //!"));
        }
    }
    expect_none(faults);
}

#[test]
fn functions_are_short() {
    let mut faults = Vec::new();
    for path in of_kind(files(""), &[".rs"]) {
        let source = Source::read(&path);
        for (name, range) in source.functions() {
            let (first, last) = (source.line(range.start), source.line(range.end.min(source.code.len())));
            if last - first + 1 > FUNCTION_LINES {
                faults.push(format!("{path}:{first}: {name} has {} lines, at most {FUNCTION_LINES}", last - first + 1));
            }
        }
    }
    expect_none(faults);
}

/// The longest piece of a message between what is filled in.
fn fragment(message: &str) -> String {
    let message = message.replace("{{", "\u{1}").replace("}}", "\u{2}");
    let pieces = message.split('{').map(|piece| piece.split_once('}').map_or(piece, |(_, after)| after));
    let longest = pieces.max_by_key(|piece| piece.len()).unwrap_or_default();
    let longest = spaced(&longest.replace('\u{1}', "{").replace('\u{2}', "}"));
    longest.trim_matches(|c: char| c.is_whitespace() || ",.:;'\"()=#".contains(c)).to_owned()
}

#[test]
fn every_message_is_in_a_test() {
    let mut tested = String::new();
    let mut messages: Vec<(String, usize, String)> = Vec::new();
    for path in files("").iter().filter(|path| *path != file!()) {
        let is_message = MESSAGES.iter().chain(&BELOW).any(|folder| path.starts_with(folder));
        let is_test = path.starts_with("lit/") || path.contains("tests/") || path.ends_with("tests.rs");
        let is_page = path == "docs/passes.md" || path == "docs/supported.md";
        if !(is_message || is_test || is_page || path.ends_with(".rs")) {
            continue;
        }
        if !path.ends_with(".rs") && !is_message {
            tested.push_str(&read(path));
            continue;
        }
        let source = Source::read(path);
        let tests = source.tests();
        for literal in &source.literals {
            if is_test || tests.iter().any(|range| range.contains(&literal.at)) {
                tested.push_str(&literal.text);
                tested.push('\n');
            } else if is_message {
                let found = fragment(&literal.text);
                let callee = source.callee(literal.at);
                let below = BELOW.iter().any(|folder| path.starts_with(folder));
                let counts = if below { REFUSALS.contains(&callee) } else { !NO_MESSAGE.contains(&callee) };
                if found.contains(' ') && counts && NOT_FOR_USERS.iter().all(|(file, _)| path != file) {
                    messages.push((path.clone(), source.line(literal.at), format!("{found}\t{callee}")));
                }
            }
        }
    }
    let tested = spaced(&tested);
    let mut faults = Vec::new();
    for (path, line, message) in &messages {
        if !tested.contains(message.split('\t').next().unwrap()) {
            faults.push(format!("{path}:{line}: \"{message}\""));
        }
    }
    println!("{} messages", messages.len());
    let _ = (UNTESTED, FOREIGN_FLAGS, DOCUMENTS, BTreeSet::<u8>::new());
    expect_none(faults);
}
