//! Boolean functions as truth tables, and the expressions of Liberty that become them.
//!
//! Entry `i` of a table is the value where variable `v` is bit `v` of `i`.

use serde::{Deserialize, Serialize};

/// The most variables of a table: 4096 entries.
pub const MAX_VARIABLES: usize = 12;

/// A Boolean function of up to [`MAX_VARIABLES`] variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    variables: usize,
    words: Vec<u64>,
}

impl Truth {
    fn new(variables: usize, word: impl Fn(usize) -> u64) -> Truth {
        let entries = 1usize << variables.min(MAX_VARIABLES);
        let mask = if entries < 64 { (1u64 << entries) - 1 } else { u64::MAX };
        Truth { variables, words: (0..entries.div_ceil(64)).map(|at| word(at) & mask).collect() }
    }

    /// A constant.
    pub fn constant(variables: usize, value: bool) -> Truth {
        Truth::new(variables, |_| if value { u64::MAX } else { 0 })
    }

    /// Variable `variable` itself.
    pub fn variable(variables: usize, variable: usize) -> Truth {
        const LOW: [u64; 6] = [
            0xAAAA_AAAA_AAAA_AAAA,
            0xCCCC_CCCC_CCCC_CCCC,
            0xF0F0_F0F0_F0F0_F0F0,
            0xFF00_FF00_FF00_FF00,
            0xFFFF_0000_FFFF_0000,
            0xFFFF_FFFF_0000_0000,
        ];
        Truth::new(variables, |word| match LOW.get(variable) {
            Some(&pattern) => pattern,
            None if word >> (variable - LOW.len()) & 1 == 1 => u64::MAX,
            None => 0,
        })
    }

    /// The function of each combination of values of the variables.
    pub fn from_fn(variables: usize, value: impl Fn(usize) -> bool) -> Truth {
        Truth::new(variables, |word| {
            (0..64).map(|bit| u64::from(value(word * 64 + bit)) << bit).fold(0, |sum, bit| sum | bit)
        })
    }

    /// How many variables it has.
    pub fn variables(&self) -> usize {
        self.variables
    }

    /// The value where variable `v` is bit `v` of `state`.
    pub fn get(&self, state: usize) -> bool {
        self.words.get(state >> 6).is_some_and(|word| word >> (state & 63) & 1 == 1)
    }

    /// Whether its value depends on variable `variable`.
    pub fn depends_on(&self, variable: usize) -> bool {
        let bit = 1 << variable;
        (0..1usize << self.variables)
            .any(|state| state & bit == 0 && self.get(state) != self.get(state | bit))
    }

    /// Its negation.
    pub fn not(&self) -> Truth {
        Truth::new(self.variables, |word| self.words.get(word).map_or(0, |bits| !bits))
    }

    fn zip(&self, other: &Truth, op: impl Fn(u64, u64) -> u64) -> Truth {
        let word = |truth: &Truth, at: usize| truth.words.get(at).copied().unwrap_or(0);
        Truth::new(self.variables, |at| op(word(self, at), word(other, at)))
    }
}

/// Reads a Liberty expression: `!`, `'`, `^`, `&` or `*` or nothing between factors, `|` or `+`, parentheses, 0 and 1. `find`
/// gives the function of a name.
///
/// # Errors
///
/// What was expected, and what was found.
pub fn expression(
    text: &str,
    variables: usize,
    find: &impl Fn(&str) -> Option<Truth>,
) -> Result<Truth, String> {
    if variables > MAX_VARIABLES {
        return Err(format!(
            "a function of {variables} variables, where at most {MAX_VARIABLES} are supported"
        ));
    }
    let mut reader = Reader { text: text.trim(), variables, find, depth: 0 };
    let truth = reader.or()?;
    match reader.peek() {
        None => Ok(truth),
        Some(other) => Err(format!("expected an operator in \"{text}\", found '{other}'")),
    }
}

struct Reader<'t, F> {
    text: &'t str,
    variables: usize,
    find: &'t F,
    depth: usize,
}

impl<F: Fn(&str) -> Option<Truth>> Reader<'_, F> {
    fn peek(&mut self) -> Option<char> {
        // A backslash continues a line.
        self.text = self.text.trim_start_matches(|c: char| c.is_whitespace() || c == '\\');
        self.text.chars().next()
    }

    fn take(&mut self) {
        let mut chars = self.text.chars();
        chars.next();
        self.text = chars.as_str();
    }

    fn or(&mut self) -> Result<Truth, String> {
        let mut left = self.and()?;
        while matches!(self.peek(), Some('|' | '+')) {
            self.take();
            left = left.zip(&self.and()?, |a, b| a | b);
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Truth, String> {
        let mut left = self.xor()?;
        loop {
            match self.peek() {
                Some('&' | '*') => self.take(),
                Some(c) if c == '(' || c == '!' || is_name(c) => {}
                _ => return Ok(left),
            }
            left = left.zip(&self.xor()?, |a, b| a & b);
        }
    }

    fn xor(&mut self) -> Result<Truth, String> {
        let mut left = self.factor()?;
        while self.peek() == Some('^') {
            self.take();
            left = left.zip(&self.factor()?, |a, b| a ^ b);
        }
        Ok(left)
    }

    fn factor(&mut self) -> Result<Truth, String> {
        self.depth += 1;
        if self.depth > 64 {
            return Err("an expression that nests deeper than 64".into());
        }
        let mut truth = match self.peek() {
            Some('!' | '~') => {
                self.take();
                self.factor()?.not()
            }
            Some('(') => {
                self.take();
                let inner = self.or()?;
                match self.peek() {
                    Some(')') => self.take(),
                    other => return Err(format!("expected ')', found {}", describe(other))),
                }
                inner
            }
            Some(c) if is_name(c) => {
                let end = self.text.find(|c: char| !is_name(c)).unwrap_or(self.text.len());
                let (name, rest) = self.text.split_at(end);
                self.text = rest;
                match name {
                    "0" => Truth::constant(self.variables, false),
                    "1" => Truth::constant(self.variables, true),
                    _ => (self.find)(name).ok_or_else(|| format!("unknown pin '{name}'"))?,
                }
            }
            other => return Err(format!("expected a pin, found {}", describe(other))),
        };
        while self.peek() == Some('\'') {
            self.take();
            truth = truth.not();
        }
        self.depth -= 1;
        Ok(truth)
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_[].".contains(c)
}

fn describe(c: Option<char>) -> String {
    c.map_or_else(|| "the end".into(), |c| format!("'{c}'"))
}
