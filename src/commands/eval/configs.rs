//! The configurations to evaluate: plain INT8 and the requested ones.

use std::sync::Arc;

use strum_formats::Kind;
use strum_passes::strum::strum_pack::{LayerOptions, LayerPacking, Packing, ProgramPacking, StrumPack};
use strum_quant::Choice;

use super::EvalCommand;
use crate::driver::exit::Failure;
use crate::driver::trial::{Trials, as_packing};

/// A configuration: the weight formats of a network.
pub(super) struct Config {
    /// Its name in the rows.
    pub(super) name: String,
    source: Source,
}

enum Source {
    /// One format for all layers that the pass packs.
    Uniform(StrumPack),
    /// The formats of a packing file.
    File(Arc<Packing>),
}

impl Config {
    /// One format for all layers that `strum-pack` packs.
    fn uniform(name: String, choice: Choice, layers: LayerOptions) -> Self {
        Config { name, source: Source::Uniform(StrumPack { choice, layers }) }
    }

    /// The pass that packs weights in these formats.
    pub(super) fn pass(&self) -> StrumPack {
        match &self.source {
            Source::Uniform(pass) => pass.clone(),
            Source::File(packing) => as_packing(packing.clone()),
        }
    }

    /// Whether nothing is packed.
    pub(super) fn is_dense(&self) -> bool {
        matches!(&self.source, Source::Uniform(pass) if pass.choice.kind() == Kind::Dense)
    }

    /// The packing of layers, if any.
    pub(super) fn layers(&self, trials: &Trials) -> Vec<LayerPacking> {
        match &self.source {
            Source::Uniform(pass) => {
                trials.layers.iter().map(|layer| layer.stored_as(&pass.choice)).collect()
            }
            Source::File(packing) => {
                let own = packing.programs.iter().filter(|program| program.name == trials.function);
                own.flat_map(|program: &ProgramPacking| program.layers.clone()).collect()
            }
        }
    }
}

/// All configurations, plain INT8 first.
pub(super) fn all(command: &EvalCommand) -> Result<Vec<Config>, Failure> {
    let mut configs =
        vec![Config::uniform("dense".into(), Choice::new(Kind::Dense), LayerOptions::default())];
    let nothing_else = command.config.is_empty() && command.packing.is_empty();
    let methods = match (command.methods.is_empty(), nothing_else) {
        (true, true) => vec![Kind::Mip2q, Kind::Dliq, Kind::Sparse],
        _ => command.methods.clone(),
    };
    for (index, &method) in methods.iter().enumerate() {
        if methods.iter().take(index).any(|&other| other == method) {
            return Err(Failure::usage(format_args!("--methods has {} twice", method.name())));
        }
        if method != Kind::Dense {
            let options = command.options.of(method);
            configs.push(Config::uniform(method.name().into(), options.choice(method)?, options.layers()));
        }
    }
    for (flag, of) in command.options.given() {
        if !methods.iter().any(|method| of.contains(method)) {
            return Err(Failure::usage(format_args!("{flag} has no effect with these --methods")));
        }
    }
    for text in &command.config {
        let choice =
            Choice::parse(text).map_err(|error| Failure::usage(format_args!("--config {text}: {error}")))?;
        configs.push(Config::uniform(text.clone(), choice, LayerOptions::default()));
    }
    for path in &command.packing {
        let text = path.to_str().ok_or_else(|| Failure::usage("--packing: the path is no text"))?;
        let packing = Packing::read(text).map_err(Failure::input)?;
        configs.push(Config { name: path.display().to_string(), source: Source::File(packing.into()) });
    }
    if command.layers && configs.iter().all(Config::is_dense) {
        return Err(Failure::usage("--layers has no effect where all weights are plain INT8"));
    }
    Ok(configs)
}
