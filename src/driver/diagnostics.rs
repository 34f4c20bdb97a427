//! MLIR's diagnostics as the user sees them: `file:line:col: error: …`, the line, a caret, and the notes.
//!
//! Invariant: a failure that MLIR has reported is printed once, and its exit code follows from the first error.
//!
//! The form is that of MLIR's own tools and of other compilers, which editors and FileCheck tests read: a crate such as annotate-snippets
//! renders rustc's form instead (`error: …`, `--> file:line:col`, numbered lines), and would replace the fifteen lines of `excerpt` alone:
//! locations, notes and what is in no file are MLIR's.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use dpu_isa::AsmError;
use strum_cli::say;
use strum_ir::{Captured, Severity};
use strum_passes::common::verdict::{Verdict, verdict};

use super::exit::{Failure, Kind};

/// Maximum length of a shown source line, in characters: lines of constants have megabytes.
const SHOWN: usize = 120;

/// The user's input: its name in locations, and its text if it is text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    name: &'a str,
    text: Option<&'a str>,
    /// The origin of errors outside any file, such as an invalid pass option.
    tool: Option<&'static str>,
}

/// A position in a file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position<'a> {
    file: &'a str,
    line: usize,
    column: usize,
}

impl<'a> Origin<'a> {
    /// The origin of a file's contents; binary contents are not shown.
    pub(crate) fn new(name: &'a str, bytes: &'a [u8]) -> Self {
        Origin { name, text: std::str::from_utf8(bytes).ok(), tool: None }
    }

    /// The same for a tool whose command line can cause a diagnostic.
    pub(crate) fn of_tool(self, tool: &'static str) -> Self {
        Origin { tool: Some(tool), ..self }
    }

    /// Prints everything; with `quiet` only the errors. A warning is printed once, however often the network is compiled.
    pub(crate) fn tell(&self, diagnostics: &[Captured], quiet: bool) {
        for diagnostic in diagnostics.iter().filter(|d| !quiet || d.severity == Severity::Error) {
            let text = self.render(diagnostic);
            if diagnostic.severity != Severity::Warning || is_new(&text) {
                say(text.trim_end());
            }
        }
    }

    /// Prints everything, errors of the same wording once, and returns the failure that the diagnostics amount to.
    pub(crate) fn failure(&self, diagnostics: &[Captured]) -> Failure {
        self.tell(&grouped(diagnostics), false);
        let first = diagnostics.iter().find(|d| d.severity == Severity::Error);
        match first {
            Some(error) => Failure::told(kind(&error.message)),
            None => Failure::internal("failed without saying why"),
        }
    }

    /// Prints and returns the failure of an assembly text.
    pub(crate) fn assembly(&self, error: &AsmError) -> Failure {
        let place = Position { file: self.name, line: error.line, column: error.col };
        let mut text = format!("{}:{}:{}: error: {}\n", self.name, error.line, error.col, error.msg);
        self.excerpt(&mut text, place);
        say(text.trim_end());
        Failure::told(Kind::Input)
    }

    fn render(&self, diagnostic: &Captured) -> String {
        let mut text = String::new();
        let place = self.put(&mut text, diagnostic);
        for note in &diagnostic.notes {
            let mut put = String::new();
            let at = self.put(&mut put, note);
            // Repeating the same line adds nothing.
            if at == place && at.is_some() {
                put.truncate(put.find('\n').map_or(put.len(), |end| end + 1));
            }
            text.push_str(&put);
        }
        text
    }

    /// Appends one message with its excerpt.
    fn put<'d>(&self, text: &mut String, diagnostic: &'d Captured) -> Option<Position<'d>> {
        let Captured { severity, location, message, .. } = diagnostic;
        let place = self.place(location);
        let _ = match (place, location.as_str()) {
            (Some(Position { file, line, column }), _) => {
                writeln!(text, "{file}:{line}:{column}: {severity}: {message}")
            }
            (None, elsewhere) if elsewhere == "?" || elsewhere.ends_with(":0:0") => {
                // An op without a known location is still in the file.
                let of_op = elsewhere != "?" || message.starts_with('\'') && message.contains("' op ");
                let name = self.tool.filter(|_| !of_op).unwrap_or(self.name);
                writeln!(text, "{name}: {severity}: {message}")
            }
            (None, elsewhere) => writeln!(text, "{}: {severity}: {message} (at {elsewhere})", self.name),
        };
        if let Some(place) = place {
            self.excerpt(text, place);
        }
        place
    }

    /// The first `file:line:col` of a location, preferably in the file itself.
    fn place<'l>(&self, location: &'l str) -> Option<Position<'l>> {
        let places = || location.split(" + ").filter_map(|part| self.place_of_part(part));
        places().find(|place| place.file == self.name).or_else(|| places().next())
    }

    fn place_of_part<'l>(&self, part: &'l str) -> Option<Position<'l>> {
        let (rest, column) = part.rsplit_once(':')?;
        let (file, line) = rest.rsplit_once(':')?;
        let (line, column) = (line.parse().ok()?, column.parse().ok()?);
        // The bytecode reader knows the file, but no line.
        if line == 0 {
            return None;
        }
        // A named location is `name@file`.
        let own = file.strip_suffix(self.name).filter(|name| name.is_empty() || name.ends_with('@'));
        let file = match (own, file.rsplit_once('@')) {
            (Some(name), _) => file.get(name.len()..).unwrap_or(file),
            (None, Some((_, after))) => after,
            (None, None) => file,
        };
        Some(Position { file, line, column })
    }

    /// Appends the source line and a caret below the column, if the position is in this text.
    fn excerpt(&self, text: &mut String, place: Position<'_>) {
        let line = self
            .text
            .filter(|_| place.file == self.name)
            .and_then(|t| t.lines().nth(place.line.checked_sub(1)?));
        let Some(line) = line else { return };
        let column = place.column.saturating_sub(1);
        let start = if column < SHOWN { 0 } else { column - SHOWN / 2 };
        let shown: String =
            line.chars().skip(start).take(SHOWN).map(|c| if c == '\t' { ' ' } else { c }).collect();
        if !shown.trim().is_empty() {
            let _ = writeln!(text, "{}\n{:caret$}^", shown.trim_end(), "", caret = column - start);
        }
    }
}

/// The diagnostics with the first of the errors that differ only in names, types and numbers, and the number of the others.
fn grouped(diagnostics: &[Captured]) -> Vec<Captured> {
    let mut kept: Vec<(Captured, String, usize)> = Vec::new();
    for diagnostic in diagnostics {
        let wording = wording(&diagnostic.message);
        let same = |(first, known, _): &&mut (Captured, String, usize)| {
            diagnostic.severity == Severity::Error && first.severity == Severity::Error && *known == wording
        };
        match kept.iter_mut().find(same) {
            Some((_, _, others)) => *others += 1,
            None => kept.push((diagnostic.clone(), wording, 0)),
        }
    }
    let counted = |(mut first, _, others): (Captured, String, usize)| {
        if others > 0 {
            let _ = write!(first.message, " (and {others} more)");
        }
        first
    };
    kept.into_iter().map(counted).collect()
}

/// A message without what differs from place to place: the op in front, quoted names and types, numbers.
pub(crate) fn wording(message: &str) -> String {
    let mut quoted = false;
    let keep = |c: &char| {
        quoted ^= *c == '\'';
        !quoted && !c.is_ascii_digit()
    };
    message.chars().filter(keep).collect()
}

/// Whether a line has not been printed yet.
pub(crate) fn is_new(warning: &str) -> bool {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    // A thread that failed while it held the lock has printed its warning or will not.
    SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(warning.to_owned())
}

/// The kind of failure of an error of a pass or of MLIR.
pub(crate) fn kind(message: &str) -> Kind {
    match verdict(message) {
        Verdict::Invalid => Kind::Input,
        Verdict::Usage => Kind::Usage,
        Verdict::Unsupported => Kind::Unsupported,
        Verdict::Resource => Kind::Resource,
        Verdict::Internal => Kind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(location: &str, message: &str) -> Captured {
        Captured {
            severity: Severity::Error,
            location: location.into(),
            message: message.into(),
            notes: Vec::new(),
        }
    }

    const TEXT: &str = "func.func @main() {\n  \"some.op\"() : () -> ()\n}\n";

    #[test]
    fn a_place_has_its_line_and_a_caret() {
        let origin = Origin::new("net.mlir", TEXT.as_bytes());
        let text = origin.render(&captured("net.mlir:2:3", "no such thing"));
        assert_eq!(text, "net.mlir:2:3: error: no such thing\n  \"some.op\"() : () -> ()\n  ^\n");
    }

    #[test]
    fn a_note_at_the_same_place_does_not_repeat_the_line() {
        let origin = Origin::new("net.mlir", TEXT.as_bytes());
        let note = Captured { severity: Severity::Note, ..captured("net.mlir:2:3", "try another") };
        let text =
            origin.render(&Captured { notes: vec![note], ..captured("net.mlir:2:3", "no such thing") });
        assert!(text.ends_with("  ^\nnet.mlir:2:3: note: try another\n"), "{text}");
    }

    #[test]
    fn named_and_fused_locations_lead_to_the_file() {
        let origin = Origin::new("a@b/net.mlir", b"");
        let place = |location| origin.place(location).map(|p| (p.file, p.line, p.column));
        assert_eq!(place("conv@1@a@b/net.mlir:7:1"), Some(("a@b/net.mlir", 7, 1)));
        assert_eq!(place("other.py:3:1 + a@b/net.mlir:7:1"), Some(("a@b/net.mlir", 7, 1)));
        assert_eq!(place("relu@other.py:3:1"), Some(("other.py", 3, 1)));
        assert_eq!((place("?"), place("layer3"), place("a:b:c")), (None, None, None));
    }

    #[test]
    fn places_elsewhere_or_nowhere_name_the_file() {
        let origin = Origin::new("net.mlirbc", b"ML\xef\x52");
        assert_eq!(origin.render(&captured("?", "bad")), "net.mlirbc: error: bad\n");
        assert_eq!(origin.render(&captured("net.mlirbc:0:0", "bad")), "net.mlirbc: error: bad\n");
        assert_eq!(origin.render(&captured("layer3", "bad")), "net.mlirbc: error: bad (at layer3)\n");
        assert_eq!(origin.render(&captured("x.py:1:2", "bad")), "x.py:1:2: error: bad\n");
        let origin = origin.of_tool("strum-opt");
        assert_eq!(origin.render(&captured("?", "no machine")), "strum-opt: error: no machine\n");
        assert_eq!(origin.render(&captured("?", "'a.b' op bad")), "net.mlirbc: error: 'a.b' op bad\n");
    }

    #[test]
    fn lines_of_megabytes_are_cut() {
        let line = "x".repeat(1 << 20);
        let origin = Origin::new("net.mlir", line.as_bytes());
        for column in [1, 60, 121, 1 << 19, 1 << 20, (1 << 20) + 1] {
            let text = origin.render(&captured(&format!("net.mlir:1:{column}"), "long"));
            assert!(text.len() < 400, "{} characters", text.len());
        }
    }

    #[test]
    fn positions_outside_the_text_are_no_trouble() {
        let origin = Origin::new("net.mlir", TEXT.as_bytes());
        for location in ["net.mlir:1:0", "net.mlir:99:1", "net.mlir:1:99999"] {
            assert!(origin.render(&captured(location, "odd")).starts_with(location));
        }
    }

    #[test]
    fn errors_of_the_same_wording_are_counted() {
        let errors = [
            captured("a:1:1", "'tosa.exp' op operand #0 is 'tensor<1x2xf32>'"),
            captured("a:2:1", "'tosa.log' op operand #1 is 'tensor<3xf32>'"),
            captured("a:3:1", "'tosa.log' op operand #1 is missing"),
            Captured {
                severity: Severity::Warning,
                ..captured("a:4:1", "'tosa.log' op operand #1 is missing")
            },
            captured("a:5:1", "'tosa.abs' op operand #1 is ''"),
        ];
        let grouped = grouped(&errors);
        let messages: Vec<&str> = grouped.iter().map(|d| d.message.as_str()).collect();
        let first = "'tosa.exp' op operand #0 is 'tensor<1x2xf32>' (and 2 more)";
        assert_eq!(messages, [first, &errors[2].message, &errors[3].message]);
    }

    #[test]
    fn the_first_error_decides() {
        let origin = Origin::new("net.mlir", b"");
        let remark = Captured { severity: Severity::Remark, ..captured("?", "unsupported: no error") };
        let errors =
            [remark, captured("?", "'tosa.argmax' op unsupported: it"), captured("?", "expected ':'")];
        assert_eq!(origin.failure(&errors), Failure::told(Kind::Unsupported));
        assert_eq!(origin.failure(&errors[2..]), Failure::told(Kind::Input));
        assert_eq!(origin.failure(&errors[..1]).kind, Kind::Internal);
    }
}
