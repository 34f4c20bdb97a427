//! The examples of `docs/passes.md`: the first case of `lit/passes/<pass>/basic.mlir`, and what FileCheck expects of it.
//!
//! Invariant: pages show what lit runs.

use std::path::Path;

/// The example of a pass: its command, input and expected output, as markdown.
///
/// # Panics
/// The file is missing, or its first case has no input or no pattern.
pub(crate) fn example(pass: &str) -> String {
    let path = format!("lit/passes/{pass}/basic.mlir");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(&path));
    let text = text.unwrap_or_else(|error| panic!("{path}: {error}"));
    let Case { options, prose, input, output } = Case::first(&text);
    assert!(!input.is_empty() && !output.is_empty(), "{path}: the first case has no input or no pattern");
    let prose = prose.join("\n");
    let between = if prose.is_empty() { "" } else { "\n\n" };
    format!(
        "Example (`{path}`). {prose}{between}`strum-opt {options}` turns\n\n```mlir\n{}\n```\n\ninto\n\n```mlir\n{}\n```\n",
        input.join("\n"),
        output.join("\n")
    )
}

/// The first case of a test.
#[derive(Debug, Default, PartialEq)]
struct Case {
    /// Options of the first command.
    options: String,
    /// Comments for the reader.
    prose: Vec<String>,
    /// The input, without comments.
    input: Vec<String>,
    /// The patterns of the first command, as the text that they match; wildcards are shown as `…`.
    output: Vec<String>,
}

impl Case {
    fn first(text: &str) -> Self {
        let mut case = Case::default();
        let mut prefix = "CHECK".to_owned();
        for line in text.lines() {
            let Some(comment) = line.trim_start().strip_prefix("//") else {
                case.input.extend((!line.is_empty()).then(|| line.to_owned()));
                // The end of a function or program.
                if line == "}" {
                    break;
                }
                continue;
            };
            let comment = comment.trim_start();
            if comment.starts_with("-----") {
                break;
            } else if let Some(run) = comment.strip_prefix("RUN: ") {
                if case.options.is_empty() {
                    case.options = options(run);
                    let given = run.split_once("--check-prefix=").map(|(_, rest)| rest.to_owned());
                    prefix = given.unwrap_or(prefix);
                }
            } else if let Some((directive, pattern)) = directive(comment) {
                case.expect(directive.strip_prefix(prefix.as_str()), &shown(pattern));
            } else if case.input.is_empty() {
                case.prose.push(comment.to_owned());
            }
        }
        case
    }

    /// Adds a pattern by what follows the prefix in its directive.
    fn expect(&mut self, kind: Option<&str>, pattern: &str) {
        match kind {
            Some("-SAME") => {
                if let Some(line) = self.output.last_mut() {
                    *line += &format!(" … {pattern}");
                }
            }
            Some("" | "-LABEL" | "-NEXT" | "-DAG") => self.output.push(pattern.to_owned()),
            Some(kind) if kind.starts_with("-COUNT-") => self.output.push(pattern.to_owned()),
            _ => {}
        }
    }
}

/// The options of a pass in a command of lit.
fn options(run: &str) -> String {
    let command = run.split('|').next().unwrap_or_default();
    let words = command.split_whitespace().skip(1);
    let is_for_test = |word: &str| ["%s", "--split-input-file", "--verify-diagnostics"].contains(&word);
    let words: Vec<String> =
        words.filter(|word| !is_for_test(word)).map(|word| word.replace("%S/Inputs/", "")).collect();
    words.join(" ")
}

/// FileCheck's directive and pattern in a comment.
fn directive(comment: &str) -> Option<(&str, &str)> {
    if comment.starts_with("expected-") {
        return Some(("", ""));
    }
    let (directive, pattern) = comment.split_once(": ")?;
    let is_upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
    directive.chars().all(is_upper).then_some((directive, pattern))
}

/// A pattern in readable form: variables by their names, regular expressions as `…`.
fn shown(pattern: &str) -> String {
    let mut text = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['[', '{']) {
        let (before, from) = rest.split_at(at);
        text += before;
        let inside = |open: &str, close: &str| from.strip_prefix(open)?.split_once(close);
        if let Some((variable, after)) = inside("[[", "]]").filter(|(name, _)| name.starts_with(is_name)) {
            text += &variable.split(':').next().unwrap_or_default().trim_start_matches('$').to_lowercase();
            rest = after;
        } else if let Some((expression, after)) = inside("{{", "}}") {
            let literal = expression.replace('\\', "");
            // Brackets are escaped, since FileCheck gives two of them a meaning.
            let is_literal = literal.chars().all(|c| c == '[' || c == ']');
            text += if is_literal { &literal } else { "…" };
            rest = after;
        } else {
            let (bracket, after) = from.split_at(1);
            text += bracket;
            rest = after;
        }
    }
    text + rest
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '$' || c == '_' || c == '#'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_shown_without_regular_expressions() {
        assert_eq!(shown("%[[X:.*]] = a.b %[[Y]], {{.*}}dense<[[1]]>"), "%x = a.b %y, …dense<[[1]]>");
        assert_eq!(shown(r"dense<{{\[\[}}1]]>"), "dense<[[1]]>");
        assert_eq!(shown("#[[$PPE:.*]] = [a, {b}"), "#ppe = [a, {b}");
    }

    #[test]
    fn the_first_case_ends_where_the_second_begins() {
        let text = "// RUN: strum-opt %s --split-input-file --a=\"f=%S/Inputs/g\" | FileCheck %s --check-prefix=A\n\
                    // RUN: strum-opt %s | FileCheck %s\n\n\
                    // What it is for.\n// A-LABEL: @f\n// A-SAME: x\n// CHECK: y\n// A-NOT: z\n\
                    func.func @f() {\n  // A: w\n  return\n}\n\nfunc.func @g() {\n}\n";
        let lines = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<String>>();
        let expected = Case {
            options: "--a=\"f=g\"".into(),
            prose: lines(&["What it is for."]),
            input: lines(&["func.func @f() {", "  return", "}"]),
            output: lines(&["@f … x", "w"]),
        };
        assert_eq!(Case::first(text), expected);
    }
}
