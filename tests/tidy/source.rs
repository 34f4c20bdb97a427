//! A lexer for Rust and C++ that separates code from comments and strings.
//!
//! Invariant: `code` has the length of the text, with comments and the contents of strings replaced by blanks.

use std::ops::Range;

/// A string literal.
pub(crate) struct Literal {
    /// Its position.
    pub(crate) at: usize,
    /// Its value.
    pub(crate) text: String,
}

/// A source.
pub(crate) struct Source {
    code: String,
    /// Its strings, in order.
    pub(crate) literals: Vec<Literal>,
    tests: Vec<Range<usize>>,
}

impl Source {
    pub(crate) fn new(text: &str) -> Self {
        let mut code = text.as_bytes().to_vec();
        let mut literals = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let (inside, end) = token(text, at);
            if text[at..].starts_with(['"', 'r']) && !inside.is_empty() {
                let said = &text[inside.clone()];
                let raw = text[at..].starts_with('r');
                literals.push(Literal { at, text: if raw { said.to_owned() } else { unescaped(said) } });
            }
            code[inside].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
            at = end;
        }
        let mut source = Self { code: String::from_utf8(code).unwrap(), literals, tests: Vec::new() };
        let marks = source.code.match_indices("#[cfg(test)]");
        source.tests = marks.map(|(at, mark)| at..source.block_end(at + mark.len())).collect();
        source
    }

    /// The text with comments and the contents of strings blank.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// The line of a position, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }

    /// Whether a position is inside a `#[cfg(test)]` item.
    pub(crate) fn is_test(&self, at: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&at))
    }

    /// The Rust functions: name, and lines from `fn` to the closing brace.
    pub(crate) fn functions(&self) -> impl Iterator<Item = (&str, usize)> {
        let starts = self.code.match_indices("fn ").map(|(at, _)| at);
        let starts =
            starts.filter(|&at| !self.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
        starts.map(|at| {
            (word(&self.code[at + 3..]), self.code[at..self.block_end(at)].matches('\n').count() + 1)
        })
    }

    /// The end of the item that begins at a position: the brace that closes its block, or a semicolon.
    fn block_end(&self, from: usize) -> usize {
        let (mut braces, mut others) = (0, 0);
        for (offset, byte) in self.code[from..].bytes().enumerate() {
            match byte {
                b'{' => braces += 1,
                b'}' => braces -= 1,
                b'(' | b'[' => others += 1,
                b')' | b']' => others -= 1,
                _ => {}
            }
            if matches!(byte, b'}' | b';') && braces == 0 && others == 0 {
                return from + offset;
            }
        }
        self.code.len()
    }

    /// The function, macro or attribute that a literal is an argument of, except formatting macros; `[` for an array, empty for none.
    pub(crate) fn callee(&self, at: usize) -> &str {
        let mut depth = 0;
        for (offset, byte) in self.code[..at].bytes().enumerate().rev() {
            match byte {
                b')' | b']' | b'}' => depth += 1,
                b'(' | b'[' | b'{' if depth > 0 => depth -= 1,
                b'(' | b'[' => match last_word(&self.code[..offset]) {
                    "" if byte == b'[' => return "[",
                    "" | "format!" | "format_args!" => {}
                    name => return name,
                },
                b'{' | b';' if depth == 0 => break,
                _ => {}
            }
        }
        ""
    }
}

/// The range of the next token that is not code, and the end of the token.
fn token(text: &str, at: usize) -> (Range<usize>, usize) {
    let rest = &text[at..];
    let until = |from: usize, close: &str| text[from..].find(close).map_or(text.len(), |n| from + n);
    let quoted = |start: usize, close: &str| {
        let end = until(start, close);
        (start..end, (end + close.len()).min(text.len()))
    };
    let after_quote = rest.strip_prefix('\'').unwrap_or_default().chars().next().map_or(0, char::len_utf8);
    if rest.starts_with("//") {
        let end = until(at, "\n");
        (at..end, end)
    } else if rest.starts_with("/*") {
        quoted(at, "*/")
    } else if rest.starts_with("r\"") {
        quoted(at + 2, "\"")
    } else if rest.starts_with("r#\"") {
        quoted(at + 3, "\"#")
    } else if rest.starts_with('"') {
        let mut escaped = false;
        let closes = |byte: u8| {
            let was = escaped;
            escaped = byte == b'\\' && !was;
            byte == b'"' && !was
        };
        let end = rest.bytes().skip(1).position(closes).map_or(text.len() - 1, |n| at + 1 + n);
        (at + 1..end, end + 1)
    } else if rest.starts_with("'\\") {
        quoted(at + 3, "'")
    } else if after_quote > 0 && rest[1 + after_quote..].starts_with('\'') {
        quoted(at + 1, "'")
    } else {
        (at..at, at + rest.chars().next().map_or(1, char::len_utf8))
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
pub(crate) fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'));
    &text[..end.unwrap_or(text.len())]
}

/// The word that a text ends with: a name, a macro with its `!`, or the `#` of an attribute.
fn last_word(text: &str) -> &str {
    let text = text.trim_end();
    let start = text.rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '!' || c == '#'));
    &text[start.map_or(0, |n| n + 1)..]
}

/// A text with runs of whitespace replaced by one space.
pub(crate) fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
