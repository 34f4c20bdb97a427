//! The console examples of the README and of documents are true: each one is run, and prints what the document shows.
//!
//! A fenced block that opens with exactly `` ```console `` is a transcript: lines with `$ ` are commands (a trailing `\`
//! continues one), the lines below each are its standard output. In them, a line `...` stands for any lines and `[..]`
//! for any text within a line. All transcripts of a document run in order in one scratch folder that sees the repository's
//! `models`, with the built drivers first on the path.
//!
//! `STRUM_BLESS=1 cargo test --test readme` writes the real output over differences. The transcript of `tools/demo`, which builds
//! in release mode first, has a test of its own that `.ci/run` requests with `--ignored`.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

const README: &str = "README.md";
/// Other documents with transcripts.
const DOCUMENTS: [&str; 2] = ["docs/energy.md", "docs/import.md"];
const FENCE: &str = "```";
const TRANSCRIPT: &str = "```console";

/// A command of a transcript and the lines of a document with its output.
#[derive(Debug, PartialEq)]
struct Example {
    command: String,
    expected: Vec<String>,
    /// Index of the first line of `expected` in the file.
    line: usize,
}

impl Example {
    fn is_demo(&self) -> bool {
        self.command.starts_with("tools/demo")
    }
}

fn examples(text: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    let mut inside = false;
    let mut continued = false;
    for (number, line) in text.lines().enumerate() {
        match (inside, line) {
            (false, TRANSCRIPT) => inside = true,
            (true, FENCE) => inside = false,
            (true, _) if continued => {
                if let Some(example) = found.last_mut() {
                    continued = line.ends_with('\\');
                    example.command.push('\n');
                    example.command.push_str(line);
                    example.line = number + 1;
                }
            }
            (true, _) => match (line.strip_prefix("$ "), found.last_mut()) {
                (Some(command), _) => {
                    continued = line.ends_with('\\');
                    let command = command.to_owned();
                    found.push(Example { command, expected: Vec::new(), line: number + 1 });
                }
                (None, Some(example)) => example.expected.push(line.to_owned()),
                (None, None) => {}
            },
            (false, _) => {}
        }
    }
    found
}

/// Whether a line matches the pattern, `[..]` being any text.
fn line_matches(pattern: &str, line: &str) -> bool {
    let Some((first, rest)) = pattern.split_once("[..]") else {
        return pattern == line;
    };
    let Some(tail) = line.strip_prefix(first) else {
        return false;
    };
    (0..=tail.len()).filter_map(|start| tail.get(start..)).any(|tail| line_matches(rest, tail))
}

/// Whether the lines match the patterns, a pattern `...` being any number of lines.
fn matches(patterns: &[String], lines: &[&str]) -> bool {
    match patterns.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first == "..." => {
            (0..=lines.len()).any(|start| matches(rest, &lines[start..]))
        }
        Some((first, rest)) => lines
            .split_first()
            .is_some_and(|(line, tail)| line_matches(first, line.trim_end()) && matches(rest, tail)),
    }
}

/// An empty folder with the repository's `models`.
fn scratch_folder(name: &str) -> io::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => std::fs::create_dir_all(&folder)?,
    }
    std::os::unix::fs::symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("models"), folder.join("models"))?;
    Ok(folder)
}

/// Runs a command as a shell does; its standard output, or the error.
fn run(command: &str, folder: &Path) -> Result<String, String> {
    let drivers = Path::new(env!("CARGO_BIN_EXE_strum-opt")).parent().unwrap_or(folder);
    let path = format!("{}:{}", drivers.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("bash")
        .args(["-e", "-o", "pipefail", "-c", command])
        .current_dir(folder)
        .env("PATH", path)
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
    }
}

/// Runs the chosen examples of a document in a folder; returns a report of those with another output, empty on success.
fn check(document: &str, folder: &Path, chosen: impl Fn(&Example) -> bool) -> io::Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = std::fs::read_to_string(&path)?;
    let bless = std::env::var_os("STRUM_BLESS").is_some();
    let mut report = String::new();
    let mut replacements: Vec<(Range<usize>, String)> = Vec::new();
    for example in examples(&text).into_iter().filter(chosen) {
        let shown = format!("{document}:{}: $ {}", example.line, example.command);
        match run(&example.command, folder) {
            Err(error) => report.push_str(&format!("{shown}\n{error}\n")),
            Ok(output) if matches(&example.expected, &output.lines().collect::<Vec<_>>()) => {}
            Ok(output) if bless => {
                replacements.push((example.line..example.line + example.expected.len(), output));
            }
            Ok(output) => report.push_str(&format!("{shown}\nprints\n{output}\n")),
        }
    }
    if !replacements.is_empty() {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        // From the end, so that the remaining line numbers stay valid.
        for (range, output) in replacements.into_iter().rev() {
            lines.splice(range, output.lines().map(|line| line.trim_end().to_owned()));
        }
        std::fs::write(&path, lines.join("\n") + "\n")?;
    }
    Ok(report)
}

#[test]
fn the_tour_is_true() {
    let report = check(README, &scratch_folder("readme").unwrap(), |example| !example.is_demo()).unwrap();
    assert!(report.is_empty(), "examples that are not true (STRUM_BLESS=1 rewrites them):\n{report}");
}

#[test]
fn documents_are_true() {
    for document in DOCUMENTS {
        let folder = scratch_folder("documents").unwrap();
        let report = check(document, &folder, |_| true).unwrap();
        assert!(report.is_empty(), "examples that are not true (STRUM_BLESS=1 rewrites them):\n{report}");
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
        assert!(!examples(&text).is_empty(), "{document} has no transcript");
    }
}

#[test]
#[ignore = "builds in release mode; .ci/run asks for it"]
fn the_demonstration_is_true() {
    let report = check(README, Path::new(env!("CARGO_MANIFEST_DIR")), Example::is_demo).unwrap();
    assert!(report.is_empty(), "examples that are not true (STRUM_BLESS=1 rewrites them):\n{report}");
}

#[test]
fn transcripts_are_read() {
    let text = "```console\n$ one \\\n  more\nout\n...\n$ two\n```\n```text\n$ not this\n```\n";
    let found = examples(text);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].command, "one \\\n  more");
    assert_eq!(found[0].expected, ["out", "..."]);
    assert_eq!(found[0].line, 3);
    assert_eq!(found[1].command, "two");
    assert!(found[1].expected.is_empty());
}

#[test]
fn patterns_match_what_they_should() {
    let lines = |patterns: &[&str]| patterns.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
    assert!(line_matches("a [..] b", "a xyz b"));
    assert!(!line_matches("a [..] b", "a xyz c"));
    assert!(line_matches("[..]µs", "3 µs"));
    assert!(matches(&lines(&["a", "...", "c"]), &["a", "b", "b", "c"]));
    assert!(matches(&lines(&["a", "..."]), &["a"]));
    assert!(!matches(&lines(&["a", "...", "c"]), &["a", "b"]));
    assert!(!matches(&lines(&["a"]), &["a", "b"]));
    assert!(!matches(&lines(&[]), &["a"]));
}
