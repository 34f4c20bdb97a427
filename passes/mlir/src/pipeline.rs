//! `strum-pipeline`: from integer TOSA to a scheduled program.
//!
//! The stages are listed once; the named pipeline, `strumc` and its `--save-temps` all come from that list.

use std::fmt::Write;

use strum_ir::{Error, OptionKind, Options, PassOption, Pipeline, register_pipeline};

use crate::common::machine;
use crate::dpu::strum_to_dpu::{OBJECTIVE, READ_STRATEGY, WRITE_STRATEGY};
use crate::options::join;
use crate::strum::strum_pack;

/// A step of the pipeline after which the IR is worth a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Short name, for files.
    pub name: &'static str,
    /// Textual pipeline on the module.
    pub passes: String,
}

/// The name of the pipeline.
pub const NAME: &str = "strum-pipeline";

const MACHINE: PassOption =
    PassOption::string("machine", machine::DEFAULT, "name of a built-in machine, or path of a machine file");

/// Options that go to `strum-to-dpu` as they are.
const PLAN: &[PassOption] = &[OBJECTIVE, READ_STRATEGY, WRITE_STRATEGY];

/// The options of `strum-pack`, those of the plan, and the machine.
pub const OPTIONS: &[PassOption] =
    &join::<{ strum_pack::OPTIONS.len() + PLAN.len() + 1 }>(&[strum_pack::OPTIONS, PLAN, &[MACHINE]]);

/// The stages, for options as text: `method=mip2q p=0.5 machine=flexnn-16x16`, each at most once.
///
/// # Errors
/// An option that does not exist.
pub fn stages(options: &str) -> Result<Vec<Stage>, String> {
    let (mut pack, mut plan, mut machine) = (Vec::new(), String::new(), machine::DEFAULT);
    for option in options.split_whitespace() {
        match option.split_once('=') {
            Some(("machine", value)) => machine = value,
            Some((name, _)) if PLAN.iter().any(|o| o.name == name) => {
                plan.push(' ');
                plan.push_str(option);
            }
            Some((name, _)) if strum_pack::OPTIONS.iter().any(|o| o.name == name) => pack.push(option),
            _ => return Err(format!("{NAME} has no option '{option}'")),
        }
    }
    let pack = pack.join(" ");
    let provenance =
        if pack.is_empty() { NAME.to_owned() } else { format!("{NAME},{}", pack.replace(' ', ",")) };
    let stage = |name, passes: &str| Stage { name, passes: passes.to_owned() };
    Ok(vec![
        stage("tosa", "func.func(strum-canonicalize,cse)"),
        stage("strum", "func.func(tosa-to-strum,strum-canonicalize,cse)"),
        stage("packed", &format!("func.func(strum-pack{{{pack}}})")),
        stage("dpu", &format!("strum-to-dpu{{machine={machine} provenance={provenance}{plan}}}")),
        stage("allocated", "dpu.program(dpu-allocate)"),
        stage("scheduled", "dpu.program(dpu-assign-barriers)"),
    ])
}

/// The options that are not at their defaults, as text that [`stages`] reads.
fn given(options: &Options<'_>) -> Result<String, Error> {
    let mut text = String::new();
    for option in OPTIONS {
        let (name, kind) = (option.name, option.kind);
        let value = match kind {
            OptionKind::Bool(default) => {
                Some(options.bool(name)?).filter(|v| *v != default).map(|v| v.to_string())
            }
            OptionKind::Int(default) => {
                Some(options.int(name)?).filter(|v| *v != default).map(|v| v.to_string())
            }
            OptionKind::Float(default) => {
                Some(options.float(name)?).filter(|v| *v != default).map(|v| v.to_string())
            }
            OptionKind::String(default) => {
                Some(options.string(name)?).filter(|v| *v != default).map(str::to_owned)
            }
        };
        if let Some(value) = value {
            let _ = write!(text, "{name}={value} ");
        }
    }
    Ok(text)
}

/// Puts the pipeline into MLIR's registry. May be called often.
pub fn register() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        register_pipeline(Pipeline {
            argument: NAME,
            description: "From integer TOSA to a scheduled DPU program",
            options: OPTIONS,
            build: |options| {
                let stages = stages(&given(options).map_err(|e| e.to_string())?)?;
                Ok(stages.into_iter().map(|stage| stage.passes).collect::<Vec<_>>().join(","))
            },
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_reach_their_passes() {
        let all = stages("method=dliq p=0.25 machine=flexnn-4x4").unwrap();
        let text: Vec<&str> = all.iter().map(|s| s.passes.as_str()).collect();
        assert!(text.contains(&"func.func(strum-pack{method=dliq p=0.25})"), "{text:?}");
        let dpu = "strum-to-dpu{machine=flexnn-4x4 provenance=strum-pipeline,method=dliq,p=0.25}";
        assert!(text.contains(&dpu), "{text:?}");
    }

    #[test]
    fn unknown_options_are_refused() {
        assert!(stages("metod=dliq").unwrap_err().contains("metod=dliq"));
        assert!(stages("method").is_err());
    }
}
