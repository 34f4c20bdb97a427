//! Arguments that describe a design, and those of traces and libraries.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use dpu_isa::{Machine, PeKind};
use strum_cli::Failure;
use strum_formats::{Format, Schema, Spec as FormatSpec, table};

use crate::spec::{Decode, Level, LowLanes, Multiplier, RegisterFile, Spec, Structure};

/// Parameters of weight formats, as everywhere.
static SCHEMA: Schema = Schema(&[table::PARAMETERS]);

const DEFAULT_MACHINE: &str = "flexnn-16x16";
const DEFAULT_FORMAT: &str = "mip2q";

/// The kind of a PE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindArg {
    /// Multipliers only.
    Dense,
    /// A multiplier in every lane, and a unit for low members in those that take them.
    StrumDynamic,
    /// Units for low members in place of some of the multipliers.
    StrumStatic,
}

impl From<KindArg> for PeKind {
    fn from(kind: KindArg) -> PeKind {
        match kind {
            KindArg::Dense => PeKind::Dense,
            KindArg::StrumDynamic => PeKind::StrumDynamic,
            KindArg::StrumStatic => PeKind::StrumStatic,
        }
    }
}

/// The design.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Design")]
pub(crate) struct DesignArgs {
    /// How much of the array.
    #[arg(long, value_enum, default_value_t = Level::Datapath)]
    level: Level,

    /// Skip products with a zero, as FlexNN's PEs do: bitmaps, and a choice of operands for each lane (dense PEs, levels
    /// pe-core and pe).
    #[arg(long)]
    sparsity: bool,

    /// Where the lanes of low members are (strum-static PEs).
    #[arg(long, value_enum, default_value_t = LowLanes::Routed)]
    low_lanes: LowLanes,

    #[command(flatten)]
    pe: PeArgs,
}

/// The PE of a design.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Design")]
pub(crate) struct PeArgs {
    /// The kind of the PE [default: that of the machine].
    #[arg(long, value_enum)]
    kind: Option<KindArg>,

    /// The machine that gives lanes, register files and accumulators: a built-in name or a machine file.
    #[arg(long, value_name = "MACHINE", default_value = DEFAULT_MACHINE)]
    machine: PathBuf,

    /// Weight format of a StruM PE, METHOD[,NAME=VALUE]… as in packing files [default: mip2q].
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,

    /// How products are added.
    #[arg(long, value_enum, default_value_t = Structure::Merged)]
    structure: Structure,

    /// How partial products are formed.
    #[arg(long, value_enum, default_value_t = Multiplier::Booth)]
    multiplier: Multiplier,

    /// What register files consist of (levels pe and column).
    #[arg(long, value_enum)]
    register_file: Option<RegisterFile>,

    /// When masks are decoded (StruM PEs, levels pe-core and above).
    #[arg(long, value_enum)]
    decode: Option<Decode>,

    /// Bits of an activation less its zero point.
    #[arg(long, value_name = "BITS", value_parser = PossibleValuesParser::new(["9", "10"]), default_value = "9")]
    activation_bits: String,
}

impl DesignArgs {
    /// The machine file among the arguments, if there is one.
    pub(crate) fn machine_file(&self) -> Option<&Path> {
        self.pe.machine_file()
    }

    /// The machine.
    pub(crate) fn machine(&self) -> Result<Machine, Failure> {
        self.pe.machine()
    }

    /// The design.
    pub(crate) fn spec(&self) -> Result<Spec, Failure> {
        let spec = Spec { sparsity: self.sparsity, placement: self.low_lanes, ..self.pe.spec(self.level)? };
        spec.check().map_err(Failure::usage)?;
        Ok(spec)
    }
}

impl PeArgs {
    /// The machine file among the arguments, if there is one.
    pub(crate) fn machine_file(&self) -> Option<&Path> {
        Machine::builtin(&self.machine.to_string_lossy()).is_err().then_some(self.machine.as_path())
    }

    /// The machine.
    pub(crate) fn machine(&self) -> Result<Machine, Failure> {
        let name = self.machine.display().to_string();
        if let Ok(machine) = Machine::builtin(&name) {
            return Ok(machine);
        }
        if self.machine.extension().is_none_or(|extension| extension != "toml") {
            let known = Machine::builtin_names().collect::<Vec<_>>().join(", ");
            return Err(Failure::usage(format_args!(
                "unknown machine '{name}': name a built-in one ({known}) or a .toml file"
            )));
        }
        let text = strum_files::read_text_within(&self.machine, strum_files::MAX_MACHINE)?;
        Machine::from_toml(&text).map_err(|error| Failure::from(error).in_file(&name))
    }

    /// The design.
    pub(crate) fn spec(&self, level: Level) -> Result<Spec, Failure> {
        let mut machine = self.machine()?;
        if let Some(kind) = self.kind {
            machine.pe_kind = kind.into();
        }
        let kind = machine.pe_kind;
        let format = match (&self.format, kind) {
            (None, PeKind::Dense) => Format::DENSE,
            (text, _) => parse_format(text.as_deref().unwrap_or(DEFAULT_FORMAT))?,
        };
        let refuse =
            |option: &str, why: &str| Err(Failure::usage(format_args!("{option} has no effect {why}")));
        if self.register_file.is_some() && level < Level::Pe {
            return refuse("--register-file", "below level pe");
        }
        if self.decode.is_some() && (kind == PeKind::Dense || level < Level::PeCore) {
            return refuse("--decode", "on a dense PE, and below level pe-core");
        }
        let spec = Spec {
            level,
            structure: self.structure,
            multiplier: self.multiplier,
            register_file: self.register_file.unwrap_or(RegisterFile::FlipFlops),
            decode: self.decode.unwrap_or(Decode::Step),
            activation_bits: if self.activation_bits == "10" { 10 } else { 9 },
            format,
            ..Spec::of(&machine, format)
        };
        spec.check().map_err(Failure::usage)?;
        Ok(spec)
    }
}

/// A weight format of a text.
pub(crate) fn parse_format(text: &str) -> Result<Format, Failure> {
    let parsed = FormatSpec::parse(&SCHEMA, text).and_then(|spec| spec.format());
    parsed.map_err(|error| Failure::usage(format_args!("--format {text}: {error}")))
}

/// Maximum size of a trace in bytes.
pub(crate) const MAX_TRACE: u64 = 1 << 33;

/// What drives a design.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Operands")]
pub(crate) struct TraceArgs {
    /// PE trace, as dpu-sim --trace-pe writes it; - reads standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: PathBuf,

    /// The traced PE: its row times the columns of the array plus its column. A column takes as many from it on as the
    /// machine has rows, in the order of the trace: those of an adder tree are adjacent.
    #[arg(long, value_name = "PE", default_value_t = 0)]
    pub(crate) pe: u16,

    /// Maximum number of vectors of a PE.
    #[arg(long, value_name = "N", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) vectors: u32,
}

impl TraceArgs {
    /// The vectors of the PE, or of the column that begins with it.
    pub(crate) fn sections(&self, spec: &Spec) -> Result<Vec<crate::drive::Section>, Failure> {
        let input = strum_files::read(&self.trace, MAX_TRACE)?;
        let (bytes, limit) = (input.bytes.as_slice(), self.vectors as usize);
        let sections = if spec.level == Level::Column {
            crate::drive::column_sections(bytes, spec, self.pe, limit)
        } else {
            crate::drive::sections(bytes, self.pe, limit)
        };
        sections.map_err(|error| Failure::from(error).in_file(&input.name))
    }
}
