//! `strum-pipeline`: from integer TOSA to a scheduled program.
//!
//! The stages are listed once; the named pipeline, `strumc` and its `--save-temps` all use that list.

use std::fmt;
use std::str::FromStr;

use strum_ir::{OptionError, OptionSet, Passes, Pipeline, pass_options, register_pipeline};

use crate::common::machine::Target;
use crate::dpu::dpu_allocate::DpuAllocate;
use crate::dpu::dpu_assign_barriers::DpuAssignBarriers;
use crate::dpu::strum_to_dpu::{PlanOptions, StrumToDpu};
use crate::strum::strum_pack::StrumPack;
use crate::tosa::expand_operators::ExpandOperators;
use crate::tosa::inline_control_flow::InlineControlFlow;
use crate::tosa::strum_canonicalize::StrumCanonicalize;
use crate::tosa::tosa_to_strum::TosaToStrum;

/// A step of the pipeline after which the IR is worth inspecting.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Short name, for files.
    pub name: &'static str,
    /// Passes on the module.
    pub passes: Passes,
}

/// The name of the pipeline.
pub const NAME: &str = "strum-pipeline";

pass_options! {
    /// The options of the pipeline: those of its passes.
    pub struct Options {
        ..target: Target;
        ..pack: StrumPack;
        ..plan: PlanOptions;
    }
}

/// The options as the pipeline reads them, without defaults: `machine=flexnn-4x4 method=dliq q=3`.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl FromStr for Options {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        Options::parse(NAME, text)
    }
}

impl Options {
    /// The text for the binary's manifest: the pipeline and how weights are packed, without defaults.
    fn provenance(&self) -> String {
        let pack = self.pack.changed().into_iter().map(|(name, value)| format!(",{name}={value}"));
        format!("{NAME}{}", pack.collect::<String>())
    }

    /// The stages, in order.
    #[must_use]
    pub fn stages(&self) -> Vec<Stage> {
        let on_functions = |passes: Passes| Passes::new().then_nested("func.func", passes);
        let on_programs = |passes: Passes| Passes::new().then_nested("dpu.program", passes);
        let stage = |name, passes| Stage { name, passes };
        let (target, plan) = (self.target.clone(), self.plan.clone());
        let to_dpu = StrumToDpu { provenance: self.provenance(), target, plan };
        let canonicalized =
            |passes: Passes| on_functions(passes.then(StrumCanonicalize::default()).then_mlir("cse"));
        vec![
            stage("tosa", canonicalized(Passes::new().then(InlineControlFlow).then(ExpandOperators))),
            stage("strum", canonicalized(Passes::new().then(TosaToStrum))),
            stage(Self::PACKED, on_functions(Passes::new().then(self.pack.clone()))),
            stage("dpu", Passes::new().then(to_dpu)),
            stage("allocated", on_programs(Passes::new().then(DpuAllocate))),
            stage("scheduled", on_programs(Passes::new().then(DpuAssignBarriers))),
        ]
    }

    /// The stage that packs weights.
    pub const PACKED: &str = "packed";
}

impl Pipeline for Options {
    const ARGUMENT: &'static str = NAME;
    const DESCRIPTION: &'static str = "From integer TOSA to a scheduled DPU program";

    fn passes(&self) -> Passes {
        self.stages().into_iter().fold(Passes::new(), |all, stage| all.then_all(stage.passes))
    }
}

/// Registers the pipeline with MLIR. May be called repeatedly.
pub fn register() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(register_pipeline::<Options>);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(options: &str) -> Vec<String> {
        let stages = options.parse::<Options>().unwrap().stages();
        stages.iter().map(|stage| stage.passes.to_string()).collect()
    }

    #[test]
    fn options_reach_their_passes() {
        let text = stages("method=dliq p=0.25 machine=flexnn-4x4 objective=energy");
        assert!(text.contains(&"func.func(strum-pack{method=dliq p=0.25})".to_owned()), "{text:?}");
        let dpu =
            "strum-to-dpu{provenance=strum-pipeline,method=dliq,p=0.25 machine=flexnn-4x4 objective=energy}";
        assert!(text.contains(&dpu.to_owned()), "{text:?}");
    }

    #[test]
    fn defaults_are_the_same_as_nothing() {
        let text = "machine=flexnn-16x16 method=mip2q p=0.5 w=16 zero=false select=error";
        assert_eq!(stages(text), stages(""));
        assert_ne!(stages("method=dense"), stages(""));
        assert_eq!(text.parse::<Options>().unwrap().to_string(), "");
    }

    #[test]
    fn text_reads_as_the_same() {
        let text =
            "machine=a/m.toml method=mip2q L=5 zero=true packing=p.json objective=edp write-strategy=s.json";
        let options: Options = text.parse().unwrap();
        assert_eq!(options.to_string(), text.replace("method=mip2q ", ""));
        assert_eq!(options.to_string().parse(), Ok(options));
    }

    #[test]
    fn unknown_options_are_refused() {
        let fault = |text: &str| text.parse::<Options>().unwrap_err().to_string();
        assert_eq!(fault("metod=dliq"), "unknown option 'metod' of strum-pipeline; did you mean 'method'?");
        assert_eq!(
            fault("method"),
            "option 'method' of strum-pipeline has no value, expected dense, sparse, dliq or mip2q"
        );
    }
}
