//! The headings of JSON objects: the kind of an object, and its version.
//!
//! Invariant: every object that a tool prints, and every report, begins with `schema` and `version`, and both are in [`SCHEMAS`].

use serde::Serialize;

/// The schema name of an object, and its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The field `schema`.
    pub name: &'static str,
    /// The field `version`: incremented when a field changes its meaning or is removed.
    pub version: u32,
    /// The command that writes it.
    pub command: &'static str,
}

/// `strumc compile --json`
pub const COMPILE: Schema = Schema { name: "strum.compile", version: 1, command: "strumc compile --json" };
/// `strumc check --json`
pub const CHECK: Schema = Schema { name: "strum.check", version: 1, command: "strumc check --json" };
/// `strumc run --json`
pub const RUN: Schema = Schema { name: "strum.run", version: 1, command: "strumc run --json" };
/// `strumc compare --json`
pub const COMPARE: Schema = Schema { name: "strum.compare", version: 1, command: "strumc compare --json" };
/// `strumc eval --json`
pub const EVAL: Schema = Schema { name: "strum.eval", version: 1, command: "strumc eval --json" };
/// `strumc tune --json`
pub const TUNE: Schema = Schema { name: "strum.tune", version: 1, command: "strumc tune --json" };
/// `strumc quantize --json`
pub const QUANTIZE: Schema = Schema { name: "strum.quantize", version: 1, command: "strumc quantize --json" };
/// `strum-translate --dpu-audit --json`
pub const AUDIT: Schema =
    Schema { name: "strum.audit", version: 1, command: "strum-translate --dpu-audit --json" };
/// `--report`, and `dpu-sim --json`
pub const REPORT: Schema = Schema {
    name: "dpu-sim-report",
    version: 1,
    command: "dpu-sim --json, dpu-sim --report, strumc run --report",
};

/// `strum-rtl synth --json`
pub const SYNTH: Schema = Schema { name: "strum-rtl.synth", version: 1, command: "strum-rtl synth --json" };
/// `strum-rtl power --json`
pub const POWER: Schema = Schema { name: "strum-rtl.power", version: 1, command: "strum-rtl power --json" };
/// `strum-rtl characterise --json`
pub const CHARACTERISE: Schema =
    Schema { name: "strum-rtl.characterise", version: 1, command: "strum-rtl characterise --json" };
/// `strum-rtl explore --json`, and its `--output`
pub const EXPLORE: Schema = Schema {
    name: "strum-rtl.explore",
    version: 1,
    command: "strum-rtl explore --json, strum-rtl explore --output",
};

/// All of them.
pub const SCHEMAS: [Schema; 13] =
    [COMPILE, CHECK, RUN, COMPARE, EVAL, TUNE, QUANTIZE, AUDIT, REPORT, SYNTH, POWER, CHARACTERISE, EXPLORE];

#[derive(Serialize)]
struct Headed<'a, T> {
    schema: &'static str,
    version: u32,
    #[serde(flatten)]
    body: &'a T,
}

/// An object with its heading, on one line.
///
/// # Errors
/// When `body` is not an object.
pub fn line(schema: Schema, body: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string(&headed(schema, body))? + "\n")
}

/// An object with its heading, one line per member.
///
/// # Errors
/// When `body` is not an object.
pub fn pretty(schema: Schema, body: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(&headed(schema, body))? + "\n")
}

fn headed<T: Serialize>(schema: Schema, body: &T) -> Headed<'_, T> {
    Headed { schema: schema.name, version: schema.version, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Body {
        b: f32,
        a: u64,
    }

    #[test]
    fn the_heading_comes_first() {
        let text = line(RUN, &Body { b: 0.1, a: u64::MAX }).unwrap_or_default();
        assert_eq!(text, "{\"schema\":\"strum.run\",\"version\":1,\"b\":0.1,\"a\":18446744073709551615}\n");
    }

    #[test]
    fn names_are_different() {
        for (i, schema) in SCHEMAS.iter().enumerate() {
            assert!(SCHEMAS.iter().skip(i + 1).all(|other| other.name != schema.name));
        }
    }
}
