//! Text to program.

use super::cursor::Cursor;
use super::{AsmError, VERSION, fields};
use crate::machine::Machine;
use crate::meaning::{Codes, Meaning, State};
use crate::program::{InstrMeta, IoDesc, Layer, Manifest, Program};
use crate::types::Dtype;
use crate::validate::MAX_INSTRS;

/// Reads a program.
///
/// The program is read, not validated: see [`Program::validate`].
///
/// # Errors
/// The first position where the text violates the format.
pub fn parse(text: &str) -> Result<Program, AsmError> {
    let mut lines = Lines { rest: Some(text), number: 0 };
    let mut parser = Parser::default();
    while let Some(line) = lines.next() {
        parser.line(line, &mut lines)?;
    }
    parser.finish(lines.number)
}

/// The lines of a text with their numbers.
struct Lines<'a> {
    rest: Option<&'a str>,
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let (line, tail) = match rest.split_once('\n') {
            Some((line, tail)) => (line, Some(tail)),
            None => (rest, None),
        };
        self.rest = tail;
        self.number += 1;
        Some(line.strip_suffix('\r').unwrap_or(line))
    }
}

/// How lines without a directive are read.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Section {
    #[default]
    None,
    Code,
    Const,
}

#[derive(Default)]
struct Parser {
    /// The version, and the line that gives it.
    version: Option<(u32, usize)>,
    section: Section,
    machine: Option<Machine>,
    manifest: Option<Manifest>,
    dram_bytes: Option<u64>,
    code: bool,
    /// Declared number of constant bytes, and the line that declares it.
    const_bytes: Option<(u64, usize)>,
    origin: InstrMeta,
    instrs: Vec<crate::Instr>,
    meta: Vec<InstrMeta>,
    locs: Vec<String>,
    layers: Vec<Layer>,
    consts: Vec<u8>,
    inputs: Vec<IoDesc>,
    outputs: Vec<IoDesc>,
    raw: Vec<i64>,
}

impl Parser {
    fn line(&mut self, line: &str, lines: &mut Lines<'_>) -> Result<(), AsmError> {
        if self.section == Section::Const && self.hex_line(line, lines.number)? {
            return Ok(());
        }
        let mut cursor = Cursor::new(line, lines.number);
        if cursor.at_end() {
            return Ok(());
        }
        if line.get(cursor.pos()..).is_some_and(|rest| rest.starts_with('.')) {
            return self.directive(&mut cursor, lines);
        }
        match self.section {
            Section::Code => self.instr(&mut cursor),
            Section::None => Err(cursor.expected("a directive")),
            Section::Const => Err(cursor.expected("hex digits or a directive")),
        }
    }

    fn instr(&mut self, cursor: &mut Cursor<'_>) -> Result<(), AsmError> {
        if self.instrs.len() >= MAX_INSTRS {
            return Err(cursor.error_at(cursor.pos(), format!("more than {MAX_INSTRS} instructions")));
        }
        let instr = fields::instr(cursor, &mut self.raw)?;
        self.instrs.push(instr);
        self.meta.push(self.origin);
        Ok(())
    }

    /// Consumes a line of hex digits; false if it is something else.
    fn hex_line(&mut self, line: &str, number: usize) -> Result<bool, AsmError> {
        let code = line.split('#').next().unwrap_or_default();
        let digits = code.trim_matches([' ', '\t']).as_bytes();
        if !digits.first().is_some_and(u8::is_ascii_hexdigit) {
            return Ok(false);
        }
        let start = line.len() - line.trim_start_matches([' ', '\t']).len();
        let error = |at: usize, msg: &str| Cursor::new(line, number).error_at(start + at, msg);
        let nibble = |c: u8| match c {
            b'0'..=b'9' => Some(c - b'0'),
            b'a'..=b'f' => Some(c - b'a' + 10),
            b'A'..=b'F' => Some(c - b'A' + 10),
            _ => None,
        };
        self.consts.reserve(digits.len() / 2);
        for (i, pair) in digits.chunks(2).enumerate() {
            let byte = match *pair {
                [high, low] => nibble(high).zip(nibble(low)),
                _ => return Err(error(2 * i, "a byte has two hex digits")),
            };
            match byte {
                Some((high, low)) => self.consts.push(high << 4 | low),
                None => return Err(error(2 * i, "expected two hex digits")),
            }
        }
        Ok(true)
    }

    fn directive(&mut self, cursor: &mut Cursor<'_>, lines: &mut Lines<'_>) -> Result<(), AsmError> {
        cursor.blank();
        let start = cursor.pos();
        let name = cursor.name("a directive")?;
        if self.version.is_none() && name != ".dpu" {
            return Err(
                cursor.error_at(start, format!("the first directive must be '.dpu 1' or '.dpu {VERSION}'"))
            );
        }
        if name != ".at" {
            self.section = Section::None;
        }
        let twice = match name {
            ".dpu" => self.version.is_some(),
            ".machine" => self.machine.is_some(),
            ".manifest" => self.manifest.is_some(),
            ".dram" => self.dram_bytes.is_some(),
            ".code" => self.code,
            ".const" => self.const_bytes.is_some(),
            _ => false,
        };
        if twice {
            return Err(cursor.error_at(start, format!("'{name}' is given twice")));
        }
        match name {
            ".dpu" => self.version(cursor, lines.number)?,
            ".machine" => {
                cursor.finish()?;
                return self.machine(lines);
            }
            ".manifest" => self.manifest(cursor)?,
            ".dram" => self.dram_bytes = Some(cursor.uint()?),
            ".loc" => {
                position(cursor, self.locs.len())?;
                self.locs.push(cursor.string()?);
            }
            ".layer" => self.layer(cursor)?,
            ".input" => self.inputs.push(io(cursor)?),
            ".output" => self.outputs.push(io(cursor)?),
            ".code" => (self.section, self.code) = (Section::Code, true),
            ".at" => self.at(cursor, start)?,
            ".const" => {
                self.section = Section::Const;
                self.const_bytes = Some((cursor.uint()?, lines.number));
            }
            _ => return Err(cursor.error_at(start, format!("unknown directive '{name}'"))),
        }
        cursor.finish()
    }

    fn version(&mut self, cursor: &mut Cursor<'_>, line: usize) -> Result<(), AsmError> {
        cursor.blank();
        let start = cursor.pos();
        let version: u32 = cursor.uint()?;
        if !(1..=VERSION).contains(&version) {
            return Err(
                cursor.error_at(start, format!("wrong version {version}, this tool reads 1 to {VERSION}"))
            );
        }
        self.version = Some((version, line));
        Ok(())
    }

    /// The lines up to `.end` are a machine file.
    fn machine(&mut self, lines: &mut Lines<'_>) -> Result<(), AsmError> {
        let first = lines.number;
        let mut text = String::new();
        loop {
            match lines.next() {
                None => {
                    return Err(AsmError { line: first, col: 1, msg: "'.machine' has no '.end'".to_owned() });
                }
                Some(line) if line.trim() == ".end" => break,
                Some(line) => {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        let machine = Machine::from_toml(&text);
        self.machine = Some(machine.map_err(|e| AsmError { line: first, col: 1, msg: e.to_string() })?);
        Ok(())
    }

    fn manifest(&mut self, cursor: &mut Cursor<'_>) -> Result<(), AsmError> {
        cursor.key("tool")?;
        let tool = cursor.string()?;
        cursor.key("pipeline")?;
        let pipeline = cursor.string()?;
        cursor.key("input_sha256")?;
        let input_sha256 = cursor.string()?;
        self.manifest = Some(Manifest { tool, pipeline, input_sha256 });
        Ok(())
    }

    fn layer(&mut self, cursor: &mut Cursor<'_>) -> Result<(), AsmError> {
        position(cursor, self.layers.len())?;
        let name = cursor.string()?;
        cursor.key("op")?;
        let op = cursor.string()?;
        cursor.key("loc")?;
        let loc = index(cursor)?;
        cursor.key("macs")?;
        self.layers.push(Layer { name, op, loc, macs: cursor.uint()? });
        Ok(())
    }

    fn at(&mut self, cursor: &mut Cursor<'_>, start: usize) -> Result<(), AsmError> {
        if self.section != Section::Code {
            return Err(cursor.error_at(start, "'.at' is only possible inside '.code'"));
        }
        cursor.key("layer")?;
        let layer = index(cursor)?;
        cursor.key("loc")?;
        self.origin = InstrMeta { layer, loc: index(cursor)? };
        Ok(())
    }

    fn finish(self, last: usize) -> Result<Program, AsmError> {
        let lacks = |what: &str| AsmError { line: last, col: 1, msg: format!("the program lacks '{what}'") };
        let (version, version_line) = self.version.ok_or_else(|| lacks(".dpu"))?;
        if !self.code {
            return Err(lacks(".code"));
        }
        let (bytes, line) = self.const_bytes.unwrap_or((0, last));
        if bytes != self.consts.len() as u64 {
            let msg = format!("'.const' announces {bytes} bytes, but {} follow", self.consts.len());
            return Err(AsmError { line, col: 1, msg });
        }
        let program = Program {
            machine: self.machine.ok_or_else(|| lacks(".machine"))?,
            instrs: self.instrs,
            meta: self.meta,
            locs: self.locs,
            layers: self.layers,
            consts: self.consts,
            dram_bytes: self.dram_bytes.ok_or_else(|| lacks(".dram"))?,
            inputs: self.inputs,
            outputs: self.outputs,
            manifest: self.manifest.unwrap_or_default(),
        };
        let expected = if program.omits_masks() { VERSION } else { 1 };
        if version != expected {
            let masks = if version < expected { "without masks" } else { "with masks only" };
            let msg =
                format!("version {version} of a program of weights {masks}, which is of version {expected}");
            return Err(AsmError { line: version_line, col: 1, msg });
        }
        Ok(program)
    }
}

/// The running number of a list entry.
fn position(cursor: &mut Cursor<'_>, expected: usize) -> Result<(), AsmError> {
    cursor.blank();
    let start = cursor.pos();
    let got: u64 = cursor.uint()?;
    if got == expected as u64 {
        return Ok(());
    }
    Err(cursor.error_at(start, format!("number {got} is out of order, expected {expected}")))
}

/// An index or `none`.
fn index(cursor: &mut Cursor<'_>) -> Result<u32, AsmError> {
    cursor.blank();
    let start = cursor.pos();
    if cursor.name("an index or 'none'")? == "none" {
        return Ok(InstrMeta::NONE);
    }
    cursor.rewind(start);
    let value: u32 = cursor.uint()?;
    if value == InstrMeta::NONE {
        return Err(cursor.error_at(start, format!("index {value} is reserved, write 'none'")));
    }
    Ok(value)
}

fn io(cursor: &mut Cursor<'_>) -> Result<IoDesc, AsmError> {
    let name = cursor.string()?;
    cursor.blank();
    let start = cursor.pos();
    let word = cursor.name("an element type")?;
    let dtype = Dtype::from_name(word).ok_or_else(|| {
        cursor.error_at(start, format!("expected one of {}, found '{word}'", Dtype::NAMES.join(", ")))
    })?;
    cursor.char('[')?;
    let mut shape = Vec::new();
    if !cursor.try_char(']') {
        loop {
            shape.push(cursor.uint()?);
            if cursor.try_char(']') {
                break;
            }
            cursor.char(',')?;
        }
    }
    cursor.blank();
    let start = cursor.pos();
    if cursor.name("'at'")? != "at" {
        cursor.rewind(start);
        return Err(cursor.expected("'at'"));
    }
    Ok(IoDesc { name, dtype, shape, addr: cursor.uint()?, meaning: meaning(cursor)? })
}

/// What follows an address: `scale="5e-1" zero_point=-3 unsigned boolean state=1 initial=0`, each part if it is known.
fn meaning(cursor: &mut Cursor<'_>) -> Result<Meaning, AsmError> {
    let mut meaning = Meaning::default();
    while !cursor.at_end() {
        let start = cursor.pos();
        match cursor.name("'scale', 'unsigned', 'boolean' or 'state'")? {
            "scale" if meaning.codes.is_none() => {
                cursor.char('=')?;
                let at = cursor.pos();
                let scale = cursor.string()?;
                let scale = scale.parse().map_err(|_| cursor.error_at(at, "expected a number in quotes"))?;
                cursor.key("zero_point")?;
                let codes = Codes { scale, zero_point: cursor.uint()? };
                if !codes.is_legal() {
                    return Err(cursor.error_at(at, format!("a scale of {scale}")));
                }
                meaning.codes = Some(codes);
            }
            "unsigned" if !meaning.unsigned => meaning.unsigned = true,
            "boolean" if !meaning.boolean => meaning.boolean = true,
            "state" if meaning.state.is_none() => {
                cursor.char('=')?;
                let output = cursor.uint()?;
                cursor.key("initial")?;
                meaning.state = Some(State { output, initial: cursor.uint()? });
            }
            _ => {
                cursor.rewind(start);
                return Err(cursor.expected("'scale', 'unsigned', 'boolean' or 'state', once each"));
            }
        }
    }
    Ok(meaning)
}
