//! The syntax of Liberty: groups, attributes and their values, without their meaning.
//!
//! Every group and attribute knows its line, and every group its range of bytes, so that a part of a library can be copied.
//! Nesting is bounded; nothing here panics, whatever the text.

use std::ops::Range;

/// Groups nest four or five deep in practice.
const MAX_DEPTH: usize = 16;

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Line, from 1.
    pub line: usize,
    /// What was expected, and what was found.
    pub what: String,
}

/// `name : value;` or `name (value, …);`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute<'t> {
    /// Name.
    pub name: &'t str,
    /// Values without quotes: one after a colon, any number in parentheses.
    pub values: Vec<&'t str>,
    /// Line, from 1.
    pub line: usize,
}

/// `name (argument, …) { … }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group<'t> {
    /// Kind of group, as `cell`.
    pub name: &'t str,
    /// Arguments without quotes.
    pub arguments: Vec<&'t str>,
    /// Line of its name, from 1.
    pub line: usize,
    /// Its bytes in the text, from its name to its closing brace.
    pub span: Range<usize>,
    /// Attributes in order.
    pub attributes: Vec<Attribute<'t>>,
    /// Groups in order.
    pub groups: Vec<Group<'t>>,
}

impl<'t> Group<'t> {
    /// The last attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute<'t>> {
        self.attributes.iter().rev().find(|attribute| attribute.name == name)
    }

    /// The value of the last attribute of this name.
    pub fn text(&self, name: &str) -> Option<&'t str> {
        self.attribute(name).and_then(|attribute| attribute.values.first().copied())
    }

    /// The groups of this kind.
    pub fn all<'g>(&'g self, name: &'g str) -> impl Iterator<Item = &'g Group<'t>> {
        self.groups.iter().filter(move |group| group.name == name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'t> {
    Word(&'t str),
    Text(&'t str),
    Mark(char),
    End,
}

impl Token<'_> {
    fn describe(self) -> String {
        match self {
            Token::Word(word) => format!("'{word}'"),
            Token::Text(text) => format!("\"{}\"", text.chars().take(40).collect::<String>()),
            Token::Mark(mark) => format!("'{mark}'"),
            Token::End => "the end of the file".into(),
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    /// Begin of the token last read, its line, and the end of the one before.
    begin: usize,
    begin_line: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, bytes: usize) {
        let skipped = self.rest().iter().take(bytes).filter(|&&byte| byte == b'\n').count();
        self.line += skipped;
        self.at += bytes;
    }

    fn fail<T>(&self, what: String) -> Result<T, SyntaxError> {
        Err(SyntaxError { line: self.begin_line, what })
    }

    /// Skips blanks, comments, and backslashes that continue a line.
    fn blanks(&mut self) -> Result<(), SyntaxError> {
        loop {
            match self.rest() {
                [b, ..] if b.is_ascii_whitespace() || *b == b'\\' => self.skip(1),
                [b'/', b'*', ..] => {
                    self.begin_line = self.line;
                    match self.text.get(self.at..).and_then(|rest| rest.find("*/")) {
                        Some(length) => self.skip(length + 2),
                        None => return self.fail("a comment without its end '*/'".into()),
                    }
                }
                [b'/', b'/', ..] => {
                    let length = self.rest().iter().position(|&b| b == b'\n').unwrap_or(self.rest().len());
                    self.skip(length);
                }
                _ => return Ok(()),
            }
        }
    }

    fn next(&mut self) -> Result<Token<'t>, SyntaxError> {
        self.blanks()?;
        self.begin = self.at;
        self.begin_line = self.line;
        let Some(&first) = self.rest().first() else { return Ok(Token::End) };
        match first {
            b'"' => {
                let Some(length) = self.rest().iter().skip(1).position(|&b| b == b'"') else {
                    return self.fail("a string without its closing quote".into());
                };
                let text = self.text.get(self.at + 1..self.at + 1 + length).unwrap_or_default();
                self.skip(length + 2);
                Ok(Token::Text(text))
            }
            b'(' | b')' | b'{' | b'}' | b';' | b':' | b',' => {
                self.skip(1);
                Ok(Token::Mark(char::from(first)))
            }
            _ => {
                let stops = |&b: &u8| b.is_ascii_whitespace() || b"(){};:,\"\\".contains(&b);
                let length = self.rest().iter().position(stops).unwrap_or(self.rest().len());
                let word = self.text.get(self.at..self.at + length).unwrap_or_default();
                self.skip(length);
                Ok(Token::Word(word))
            }
        }
    }

    fn peek(&mut self) -> Result<(Token<'t>, usize), SyntaxError> {
        let (at, line) = (self.at, self.line);
        let token = self.next()?;
        let found = self.begin_line;
        (self.at, self.line) = (at, line);
        Ok((token, found))
    }

    /// The value behind a colon: up to a semicolon, or where that was forgotten, the end of the line.
    fn value(&mut self) -> Result<&'t str, SyntaxError> {
        let first = self.next()?;
        let (begin, line) = (self.begin, self.begin_line);
        let text = match first {
            Token::Text(text) => Some(text),
            Token::Word(_) | Token::Mark('(') => None,
            Token::Mark(_) | Token::End => {
                return self.fail(format!("expected a value, found {}", first.describe()));
            }
        };
        let mut end = self.at;
        loop {
            let (token, found) = self.peek()?;
            match token {
                Token::Mark(';') => {
                    self.next()?;
                    break;
                }
                Token::Mark('}') | Token::End => break,
                _ if found != line => break,
                _ => {
                    self.next()?;
                    end = self.at;
                }
            }
        }
        Ok(text.unwrap_or_else(|| self.text.get(begin..end).unwrap_or_default()))
    }

    fn arguments(&mut self) -> Result<Vec<&'t str>, SyntaxError> {
        let mut arguments = Vec::new();
        loop {
            match self.next()? {
                Token::Mark(')') => return Ok(arguments),
                Token::Mark(',') => {}
                Token::Text(text) => arguments.push(text),
                // An argument may contain a colon or brackets.
                Token::Word(word) => arguments.push(word),
                Token::Mark(':') => {}
                other => return self.fail(format!("expected ')', found {}", other.describe())),
            }
        }
    }

    fn body(&mut self, group: &mut Group<'t>, depth: usize) -> Result<(), SyntaxError> {
        if depth > MAX_DEPTH {
            return self.fail(format!("groups nest deeper than {MAX_DEPTH}"));
        }
        loop {
            let token = self.next()?;
            let (begin, line) = (self.begin, self.begin_line);
            let name = match token {
                Token::Mark('}') => {
                    group.span.end = self.at;
                    return Ok(());
                }
                Token::Mark(';') => continue,
                Token::Word(name) | Token::Text(name) => name,
                other => {
                    return self.fail(format!(
                        "expected an attribute or '}}' of group '{}' of line {}, found {}",
                        group.name,
                        group.line,
                        other.describe()
                    ));
                }
            };
            match self.next()? {
                Token::Mark(':') => {
                    let value = self.value()?;
                    group.attributes.push(Attribute { name, values: vec![value], line });
                }
                Token::Mark('(') => {
                    let arguments = self.arguments()?;
                    match self.peek()?.0 {
                        Token::Mark('{') => {
                            self.next()?;
                            let mut inner =
                                Group { name, arguments, line, span: begin..begin, ..Group::default() };
                            self.body(&mut inner, depth + 1)?;
                            group.groups.push(inner);
                        }
                        _ => group.attributes.push(Attribute { name, values: arguments, line }),
                    }
                }
                other => {
                    return self
                        .fail(format!("expected ':' or '(' after '{name}', found {}", other.describe()));
                }
            }
        }
    }
}

/// Reads the library of a text: `library (NAME) { … }`.
///
/// # Errors
///
/// The first thing that is not Liberty, with its line.
pub fn parse(text: &str) -> Result<Group<'_>, SyntaxError> {
    let mut lexer = Lexer { text, at: 0, line: 1, begin: 0, begin_line: 1 };
    let token = lexer.next()?;
    let Token::Word(name @ "library") = token else {
        return lexer.fail(format!("expected 'library (NAME) {{', found {}", token.describe()));
    };
    let (begin, line) = (lexer.begin, lexer.begin_line);
    let open = lexer.next()?;
    if open != Token::Mark('(') {
        return lexer.fail(format!("expected '(' after 'library', found {}", open.describe()));
    }
    let arguments = lexer.arguments()?;
    let brace = lexer.next()?;
    if brace != Token::Mark('{') {
        return lexer.fail(format!("expected '{{' of the library, found {}", brace.describe()));
    }
    let mut library = Group { name, arguments, line, span: begin..begin, ..Group::default() };
    lexer.body(&mut library, 0)?;
    match lexer.next()? {
        Token::End | Token::Mark(';') => Ok(library),
        other => {
            lexer.fail(format!("expected the end of the file after the library, found {}", other.describe()))
        }
    }
}
