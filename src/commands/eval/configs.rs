//! What is to be evaluated: plain INT8 and every configuration that was asked for.

use std::path::PathBuf;

use strum_formats::Kind;
use strum_passes::strum::strum_pack::{LayerPacking, Packing, ProgramPacking};
use strum_quant::Choice;

use super::EvalCommand;
use crate::driver::exit::Failure;
use crate::driver::options::pack_options;
use crate::driver::trial::{How, Trials};

/// A way of storing all weights of a network.
pub(super) struct Config {
    /// As rows call it.
    pub(super) name: String,
    source: Source,
}

enum Source {
    /// One way for all layers that `strum-pack` packs with these options; they say the same as the choice.
    Uniform(Choice, String),
    File(PathBuf, Packing),
}

impl Config {
    /// One format for all layers that `strum-pack` packs.
    fn uniform(name: String, choice: Choice, depthwise: bool) -> Self {
        // Which layers are packed is no part of how.
        let options = pack_options(&choice, depthwise);
        Config { name, source: Source::Uniform(choice, options) }
    }

    /// How the compiler is told.
    pub(super) fn how(&self) -> How<'_> {
        match &self.source {
            Source::Uniform(_, options) => How::Options(options),
            Source::File(path, _) => How::File(path),
        }
    }

    /// Whether nothing is packed.
    pub(super) fn is_dense(&self) -> bool {
        matches!(&self.source, Source::Uniform(choice, _) if choice.kind() == Kind::Dense)
    }

    /// How layers are stored, if they are packed.
    pub(super) fn layers(&self, trials: &Trials) -> Vec<LayerPacking> {
        match &self.source {
            Source::Uniform(choice, _) => trials.layers.iter().map(|layer| layer.stored_as(choice)).collect(),
            Source::File(_, packing) => {
                let own = packing.programs.iter().filter(|program| program.name == trials.function);
                own.flat_map(|program: &ProgramPacking| program.layers.clone()).collect()
            }
        }
    }
}

/// All configurations, plain INT8 first.
pub(super) fn all(command: &EvalCommand) -> Result<Vec<Config>, Failure> {
    let mut configs = vec![Config::uniform("dense".into(), Choice::new(Kind::Dense), false)];
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
            configs.push(Config::uniform(method.name().into(), options.choice(method)?, options.depthwise()));
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
        configs.push(Config::uniform(text.clone(), choice, false));
    }
    for path in &command.packing {
        let text = path.to_str().ok_or_else(|| Failure::usage("--packing: the path is no text"))?;
        let packing = Packing::read(text).map_err(Failure::input)?;
        configs
            .push(Config { name: path.display().to_string(), source: Source::File(path.clone(), packing) });
    }
    if command.layers && configs.iter().all(Config::is_dense) {
        return Err(Failure::usage("--layers has no effect where all weights are plain INT8"));
    }
    Ok(configs)
}
