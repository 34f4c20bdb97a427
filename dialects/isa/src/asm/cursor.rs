//! Tokens of one line of assembler text.
//!
//! Errors carry the column; the line is added by the caller that knows it.

use super::AsmError;

/// A position in a line.
pub(super) struct Cursor<'a> {
    line: &'a str,
    number: usize,
    pos: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(line: &'a str, number: usize) -> Self {
        Cursor { line, number, pos: 0 }
    }

    /// Byte position, for errors about tokens already consumed.
    pub(super) fn pos(&self) -> usize {
        self.pos
    }

    /// Moves back to a position.
    pub(super) fn rewind(&mut self, pos: usize) {
        self.pos = pos;
    }

    /// An error at byte position `pos`.
    pub(super) fn error_at(&self, pos: usize, msg: impl Into<String>) -> AsmError {
        let before = self.line.get(..pos).unwrap_or(self.line);
        AsmError { line: self.number, col: before.chars().count() + 1, msg: msg.into() }
    }

    /// An error at the next token, which it names.
    pub(super) fn expected(&mut self, what: &str) -> AsmError {
        self.blank();
        let pos = self.pos;
        let found = match self.rest().chars().next() {
            None | Some('#') => "the end of the line".to_owned(),
            Some(_) if !self.word().is_empty() => {
                format!("'{}'", self.line.get(pos..self.pos).unwrap_or_default().escape_debug())
            }
            Some(c) => format!("'{}'", c.escape_debug()),
        };
        self.error_at(pos, format!("expected {what}, found {found}"))
    }

    fn rest(&self) -> &'a str {
        self.line.get(self.pos..).unwrap_or_default()
    }

    /// Skips blanks.
    pub(super) fn blank(&mut self) {
        let rest = self.rest();
        self.pos += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    /// Whether only a comment is left.
    pub(super) fn at_end(&mut self) -> bool {
        self.blank();
        let rest = self.rest();
        rest.is_empty() || rest.starts_with('#')
    }

    pub(super) fn finish(&mut self) -> Result<(), AsmError> {
        if self.at_end() { Ok(()) } else { Err(self.expected("the end of the line")) }
    }

    /// The longest run of word characters here, without skipping blanks; may be empty.
    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')))
            .unwrap_or(rest.len());
        self.pos += end;
        rest.get(..end).unwrap_or_default()
    }

    /// A word: letters, digits, `_`, `.` and `-`.
    pub(super) fn name(&mut self, what: &str) -> Result<&'a str, AsmError> {
        self.blank();
        match self.word() {
            "" => Err(self.expected(what)),
            word => Ok(word),
        }
    }

    /// Takes `c` if it is next.
    pub(super) fn try_char(&mut self, c: char) -> bool {
        self.blank();
        let found = self.rest().starts_with(c);
        if found {
            self.pos += c.len_utf8();
        }
        found
    }

    pub(super) fn char(&mut self, c: char) -> Result<(), AsmError> {
        if self.try_char(c) { Ok(()) } else { Err(self.expected(&format!("'{c}'"))) }
    }

    /// `key=`.
    pub(super) fn key(&mut self, key: &str) -> Result<(), AsmError> {
        self.blank();
        let pos = self.pos;
        if self.word() != key {
            self.pos = pos;
            return Err(self.expected(&format!("'{key}='")));
        }
        self.char('=')
    }

    /// A decimal or `0x` hexadecimal number, possibly negative.
    pub(super) fn number(&mut self) -> Result<i128, AsmError> {
        self.blank();
        let pos = self.pos;
        let word = self.word();
        let (negative, digits) = match word.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, word),
        };
        let parsed = match digits.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => digits.parse::<u64>(),
        };
        match parsed {
            Ok(value) => Ok(if negative { -i128::from(value) } else { value.into() }),
            Err(e) if *e.kind() == std::num::IntErrorKind::PosOverflow => {
                Err(self.error_at(pos, format!("number '{word}' does not fit 64 bits")))
            }
            Err(_) => {
                self.pos = pos;
                Err(self.expected("a number"))
            }
        }
    }

    /// A number of type `T`.
    pub(super) fn uint<T: TryFrom<i128>>(&mut self) -> Result<T, AsmError> {
        self.blank();
        let pos = self.pos;
        let value = self.number()?;
        T::try_from(value).map_err(|_| self.error_at(pos, format!("number {value} is out of range")))
    }

    /// A quoted string, with the escapes that [`quote`] writes.
    pub(super) fn string(&mut self) -> Result<String, AsmError> {
        self.char('"').map_err(|e| AsmError { msg: e.msg.replace("'\"'", "a string"), ..e })?;
        let start = self.pos - 1;
        let mut out = String::new();
        loop {
            let rest = self.rest();
            let plain = rest.find(['"', '\\']).ok_or_else(|| self.error_at(start, "unterminated string"))?;
            out.push_str(rest.get(..plain).unwrap_or_default());
            self.pos += plain + 1;
            if rest.get(plain..).is_some_and(|r| r.starts_with('"')) {
                return Ok(out);
            }
            out.push(self.escape()?);
        }
    }

    /// The character after a backslash.
    fn escape(&mut self) -> Result<char, AsmError> {
        let start = self.pos - 1;
        let bad = |c: &Self| c.error_at(start, "unknown escape; there are \\\\ \\\" \\n \\r \\t \\u{hex}");
        let c = self.rest().chars().next().ok_or_else(|| bad(self))?;
        self.pos += c.len_utf8();
        match c {
            '\\' | '"' => Ok(c),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'u' => {
                let body = self.rest().strip_prefix('{').and_then(|r| r.split_once('}')).map(|(hex, _)| hex);
                let hex = body.filter(|h| (1..=6).contains(&h.len())).ok_or_else(|| bad(self))?;
                self.pos += hex.len() + 2;
                u32::from_str_radix(hex, 16).ok().and_then(char::from_u32).ok_or_else(|| bad(self))
            }
            _ => Err(bad(self)),
        }
    }
}

/// Appends `text` as a quoted string.
pub(super) fn quote(out: &mut String, text: &str) {
    use std::fmt::Write as _;
    out.push('"');
    for c in text.chars() {
        match c {
            '\\' | '"' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
