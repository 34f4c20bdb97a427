//! The machine description: one file that compiler, simulator and cost model share.
//!
//! A machine that passed [`Machine::check`] has every value inside its documented range.

mod check;
mod error;
mod fields;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

pub use error::MachineError;
pub use fields::{FieldClass, Machine, MachineField, PeKind};

/// Maximum size of a machine file in bytes.
const MAX_FILE: usize = 64 << 10;

/// The meaning of the tags in the sources.
pub const SOURCE_TAGS: &[(&str, &str)] = &[
    ("datasheet", "a public Intel datasheet of an NPU in the Core Ultra or Core Series 3 family"),
    ("npu-src", "openvinotoolkit/npu_compiler @150e2025 or intel/npu-nn-cost-model @8a2ae92"),
    ("patent", "a patent by the authors of FlexNN: what was claimed, not what was built"),
    ("3rd-party RTL", "a public re-implementation of FlexNN by others"),
    ("Horowitz", "M. Horowitz, Computing's energy problem, ISSCC 2014: 45 nm, 0.9 V; not scaled"),
    (
        "gates",
        "measured on mapped gates by strum-rtl, with library, structure of the PE, operands and versions",
    ),
    ("derived", "arithmetic on figures with one of these tags"),
    ("assumed", "no source: a plausible value"),
];

/// The files of the built-in machines, by name.
const BUILTIN: &[(&str, &str)] = &[
    ("flexnn-16x16", include_str!("../../machines/flexnn-16x16.toml")),
    ("flexnn-16x16-dense", include_str!("../../machines/flexnn-16x16-dense.toml")),
    ("flexnn-16x16-static", include_str!("../../machines/flexnn-16x16-static.toml")),
    ("flexnn-4x4", include_str!("../../machines/flexnn-4x4.toml")),
    // Written by tools/rtl/machines.
    ("flexnn-16x16-dense-osu018", include_str!("../../machines/flexnn-16x16-dense-osu018.toml")),
    ("flexnn-16x16-dynamic-osu018", include_str!("../../machines/flexnn-16x16-dynamic-osu018.toml")),
    ("flexnn-16x16-static-osu018", include_str!("../../machines/flexnn-16x16-static-osu018.toml")),
    ("flexnn-16x16-dense-asap7", include_str!("../../machines/flexnn-16x16-dense-asap7.toml")),
    ("flexnn-16x16-dynamic-asap7", include_str!("../../machines/flexnn-16x16-dynamic-asap7.toml")),
    ("flexnn-16x16-static-asap7", include_str!("../../machines/flexnn-16x16-static-asap7.toml")),
];

impl Machine {
    /// The names of the built-in machines.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// The built-in machine of this name.
    ///
    /// # Errors
    /// When it is unknown.
    pub fn builtin(name: &str) -> Result<Machine, MachineError> {
        match BUILTIN.iter().find(|(n, _)| *n == name) {
            Some((_, text)) => Machine::from_toml(text),
            None => Err(MachineError::Unknown {
                name: name.to_owned(),
                known: Machine::builtin_names().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// Reads and checks a machine file.
    ///
    /// # Errors
    /// When the text is not a machine file, or a value is outside its range.
    pub fn from_toml(text: &str) -> Result<Machine, MachineError> {
        if text.len() > MAX_FILE {
            return Err(MachineError::TooLarge { got: text.len(), max: MAX_FILE });
        }
        let machine: Machine =
            toml::from_str(text).map_err(|e| MachineError::Syntax(e.to_string().trim_end().to_owned()))?;
        machine.check()?;
        Ok(machine)
    }

    /// The values alone, one per line in file order: what the fingerprint covers and a binary holds. An optional field
    /// with its default value is omitted, so that older machines keep their form and their fingerprint.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut out = format!("name = \"{}\"\npe_kind = \"{}\"\n", self.name, self.pe_kind.name());
        for (field, value) in Machine::FIELDS.iter().zip(self.values()) {
            if field.absent != Some(value) {
                let _ = writeln!(out, "{} = {value}", field.name);
            }
        }
        out
    }

    /// The machine file: every value with its meaning, unit, source and range as comments.
    #[must_use]
    pub fn to_toml(&self) -> String {
        self.file(&BTreeMap::new())
    }

    /// The machine file as [`Machine::to_toml`] writes it, with other sources for these fields.
    ///
    /// # Errors
    /// For a source of a field that does not exist, or one that is not a single line of text.
    pub fn to_toml_with(&self, sources: &BTreeMap<&str, String>) -> Result<String, MachineError> {
        for (name, source) in sources {
            let refused = |reason| Err(MachineError::Source { field: (*name).to_owned(), reason });
            if !Machine::FIELDS.iter().any(|field| field.name == *name) {
                return refused("there is no numeric field of this name");
            }
            if source.trim().is_empty() || source.chars().any(char::is_control) {
                return refused("a source is one line of text");
            }
        }
        Ok(self.file(sources))
    }

    fn file(&self, sources: &BTreeMap<&str, String>) -> String {
        let mut out = String::from("# A DPU machine. Tags of the sources:\n");
        for (tag, meaning) in SOURCE_TAGS {
            let _ = writeln!(out, "#   {tag}: {meaning}.");
        }
        out.push('\n');
        let _ = writeln!(out, "# Name, of letters, digits, '-', '_' and '.'.\nname = \"{}\"\n", self.name);
        let _ = writeln!(
            out,
            "# Kind of the PEs: dense, strum-dynamic or strum-static.\npe_kind = \"{}\"",
            self.pe_kind.name()
        );
        for (field, value) in Machine::FIELDS.iter().zip(self.values()) {
            let MachineField { name, doc, unit, source, min, max, absent, .. } = field;
            let source = sources.get(name).map_or(*source, String::as_str);
            let absent = absent.map_or_else(String::new, |n| format!(" If left out: {n}."));
            let _ = write!(
                out,
                "\n#{doc}\n# Unit: {unit} ({min} to {max}). Source: {source}.{absent}\n{name} = {value}\n"
            );
        }
        out
    }

    /// SHA-256 of the canonical form, as 64 lower-case hex digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex(&Sha256::digest(self.canonical()))
    }
}

/// Lower-case hex digits of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}
