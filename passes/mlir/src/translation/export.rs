//! A scheduled `dpu.program` as a binary program.

use dpu_isa::validate::MAX_TEXT;
use dpu_isa::{InstrMeta, IoDesc, Layer, Manifest, Meaning, Place, Program as Binary, Space};
use indexmap::IndexSet;
use strum_files::budget;
use strum_ir::dpu::{self, Program, Role, Stage};
use strum_ir::{Location, Operation, Reported};
use thiserror::Error;

use super::{INPUT_SHA256, PIPELINE, TOOL, tool};
use crate::common::machine;
use crate::common::meaning;
use crate::common::verdict::{MEMORY, RESOURCE};

/// Why a program cannot be exported.
#[derive(Debug, Error)]
pub enum ExportError {
    /// Reported at an op.
    #[error("reported")]
    Reported,
    /// The module does not hold exactly one scheduled program.
    #[error("{0}")]
    Module(String),
}

impl From<Reported> for ExportError {
    fn from(_: Reported) -> Self {
        ExportError::Reported
    }
}

/// The only program of a module.
///
/// # Errors
/// There is none, or more than one.
pub fn find_program<'c>(module: Operation<'c>) -> Result<Program<'c>, ExportError> {
    let operations = module.body().map(|body| body.operations()).unwrap_or_default();
    let programs: Vec<_> = operations.iter().copied().filter_map(Program::read).collect();
    match programs.as_slice() {
        [program] => Ok(*program),
        [] if operations.iter().any(|op| op.is("func.func")) => Err(ExportError::Module(
            "the module holds functions, but no dpu.program: run --strum-pipeline on it first".into(),
        )),
        [] => Err(ExportError::Module("the module holds no dpu.program".into())),
        several => {
            let names: Vec<String> = several.iter().map(|program| format!("@{}", program.name())).collect();
            Err(ExportError::Module(format!(
                "a binary holds one program, and the module has {}: {}",
                several.len(),
                names.join(", ")
            )))
        }
    }
}

/// Converts a `dpu.program` to a binary program and validates it.
///
/// # Errors
/// Reported at the op that is at fault.
pub fn export(program: Program<'_>) -> Result<Binary, ExportError> {
    let op = program.op();
    if program.stage() != Stage::Scheduled {
        return Err(op
            .error("is not scheduled: run dpu-allocate and dpu-assign-barriers on it first")
            .into());
    }
    let machine = machine::of_program(program).map_err(|e| op.error(e))?;
    let mut locs = Locations::default();
    let layers = program.layers().iter().map(|layer| layer_desc(layer, &mut locs)).collect();
    let (mut instrs, mut meta) = (Vec::new(), Vec::new());
    for instruction in program.instructions() {
        let task = dpu::Task::read(instruction).map_err(|e| instruction.error(e))?;
        instrs.push(task.resolve().map_err(|e| instruction.error(e))?);
        let layer = task.layer.unwrap_or(InstrMeta::NONE);
        meta.push(InstrMeta { layer, loc: locs.index(instruction.location()) });
    }
    let mut memory = memory(program)?;
    let [inputs, outputs] = meaning::read(op, [memory.inputs.len(), memory.outputs.len()]);
    let ends = memory.inputs.iter_mut().chain(&mut memory.outputs);
    ends.zip(inputs.into_iter().chain(outputs)).for_each(|(io, meaning)| io.meaning = meaning);
    let text = |name| op.str_attr(name).map(str::to_owned);
    let binary = Binary {
        machine,
        instrs,
        meta,
        locs: locs.names.into_iter().collect(),
        layers,
        consts: memory.consts,
        dram_bytes: memory.dram_bytes,
        inputs: memory.inputs,
        outputs: memory.outputs,
        manifest: Manifest {
            tool: text(TOOL).unwrap_or_else(tool),
            pipeline: text(PIPELINE).unwrap_or_default(),
            input_sha256: text(INPUT_SHA256).unwrap_or_default(),
        },
    };
    validate(op, program, &binary)?;
    Ok(binary)
}

/// Reports the validator's faults, each at its instruction.
fn validate(op: Operation<'_>, program: Program<'_>, binary: &Binary) -> Result<(), ExportError> {
    let faults = binary.validate().err().unwrap_or_default();
    let instructions = program.instructions();
    for fault in &faults {
        let at = match fault.place {
            Place::Instr(index, _) => instructions.get(index).copied().unwrap_or(op),
            _ => op,
        };
        let limit = if fault.kind.is_limit() { RESOURCE } else { "" };
        let _: Reported = at.error(format_args!("{limit}{fault}"));
    }
    if faults.is_empty() { Ok(()) } else { Err(ExportError::Reported) }
}

fn layer_desc(layer: &dpu::Layer<'_>, locs: &mut Locations) -> Layer {
    Layer {
        name: layer.name.into(),
        op: layer.source.into(),
        loc: locs.index(layer.op.location()),
        macs: layer.macs,
    }
}

/// The DRAM layout of a program's buffers.
#[derive(Default)]
struct Memory {
    consts: Vec<u8>,
    dram_bytes: u64,
    inputs: Vec<IoDesc>,
    outputs: Vec<IoDesc>,
}

fn memory(program: Program<'_>) -> Result<Memory, ExportError> {
    let mut memory = Memory::default();
    for buffer in program.buffers().into_iter().filter(|b| b.ty.space == Space::Dram) {
        let op = buffer.op;
        let address = buffer.address.ok_or_else(|| op.error("has no address"))?;
        // The validator refuses more bytes than the machine has.
        let end = buffer.ty.bytes().map_or(u64::MAX, |bytes| address.saturating_add(bytes));
        memory.dram_bytes = memory.dram_bytes.max(end);
        let desc = |name: &str| IoDesc {
            name: name.into(),
            dtype: buffer.ty.dtype,
            shape: buffer.ty.shape.clone(),
            addr: address,
            meaning: Meaning::default(),
        };
        match buffer.role {
            Role::Input(name) => memory.inputs.push(desc(name)),
            Role::Output(name) => memory.outputs.push(desc(name)),
            Role::Alloc => {}
            Role::Constant(value) => {
                let bytes = value.bytes().map_err(|e| op.error(e))?;
                let grown = address.saturating_add(bytes.len() as u64);
                budget::check(
                    "the constants of the binary",
                    grown.saturating_sub(memory.consts.len() as u64),
                )
                .map_err(|over| op.error(format_args!("{MEMORY}{over}")))?;
                place(&mut memory.consts, address, &bytes).ok_or_else(|| {
                    let over = budget::refused("the constants of the binary", grown);
                    op.error(format_args!("{MEMORY}{over}"))
                })?;
            }
        }
    }
    Ok(memory)
}

/// Writes `bytes` at `address` of an image, which grows as needed.
fn place(image: &mut Vec<u8>, address: u64, bytes: &[u8]) -> Option<()> {
    /// A larger image is invalid.
    const MAX_IMAGE: usize = 1 << 40;
    let start = usize::try_from(address).ok()?;
    let end = start.checked_add(bytes.len()).filter(|&end| end <= MAX_IMAGE)?;
    if image.len() < end {
        image.try_reserve(end - image.len()).ok()?;
        image.resize(end, 0);
    }
    image.get_mut(start..end)?.copy_from_slice(bytes);
    Some(())
}

/// Source locations, without duplicates, in order of appearance.
#[derive(Default)]
struct Locations {
    names: IndexSet<String>,
}

impl Locations {
    fn index(&mut self, location: Location<'_>) -> u32 {
        let text = shortened(without_folders(&location.describe()));
        if text == "?" {
            return InstrMeta::NONE;
        }
        let (index, _) = self.names.insert_full(text);
        u32::try_from(index).unwrap_or(InstrMeta::NONE)
    }
}

/// The location without its last parts, if it exceeds the text limit of a binary.
fn shortened(location: String) -> String {
    const AND: &str = " + ";
    if location.len() <= MAX_TEXT {
        return location;
    }
    let parts: Vec<&str> = location.split(AND).collect();
    // Room for the number of omitted parts.
    let room = MAX_TEXT - 32;
    let mut short = String::new();
    for (i, part) in parts.iter().enumerate() {
        if short.len() + AND.len() + part.len() > room {
            return if i == 0 { location } else { format!("{short}{AND}{} more", parts.len() - i) };
        }
        short.push_str(if i == 0 { "" } else { AND });
        short.push_str(part);
    }
    short
}

/// The location without the folders of its files: a binary must not depend on where its source is stored.
#[must_use]
pub fn without_folders(location: &str) -> String {
    let part = |part: &str| {
        let (name, file) = match part.rsplit_once('@') {
            Some((name, file)) => (Some(name), file),
            None => (None, part),
        };
        let is_file = file.rsplit(':').take(2).filter(|n| n.parse::<u32>().is_ok()).count() == 2;
        let file = if is_file { file.rsplit('/').next().unwrap_or(file) } else { file };
        name.map_or_else(|| file.to_owned(), |name| format!("{name}@{file}"))
    };
    location.split(" + ").map(part).collect::<Vec<_>>().join(" + ")
}

#[cfg(test)]
mod tests {
    use super::{MAX_TEXT, place, shortened, without_folders};

    #[test]
    fn folders_are_left_out() {
        assert_eq!(without_folders("/a/b/net.mlir:3:4"), "net.mlir:3:4");
        assert_eq!(
            without_folders("conv/1@/a/net.mlir:3:4 + x/y.mlir:1:2"),
            "conv/1@net.mlir:3:4 + y.mlir:1:2"
        );
        assert_eq!(without_folders("model/conv;model/bias"), "model/conv;model/bias");
    }

    #[test]
    fn locations_that_are_too_long_name_their_first_parts() {
        let parts: Vec<String> = (0..9000).map(|line| format!("net.mlir:{line}:3")).collect();
        assert_eq!(shortened(parts[..10].join(" + ")), parts[..10].join(" + "));
        let short = shortened(parts.join(" + "));
        assert!(short.len() <= MAX_TEXT && short.len() > MAX_TEXT - 64, "{}", short.len());
        let (kept, left) = short.rsplit_once(" + ").unwrap();
        assert!(parts.join(" + ").starts_with(kept));
        assert_eq!(left, format!("{} more", 9000 - kept.split(" + ").count()));
        let name = "n".repeat(MAX_TEXT + 1);
        assert_eq!(shortened(name.clone()), name, "the validator says what is wrong with it");
    }

    #[test]
    fn images_grow() {
        let mut image = vec![9; 2];
        place(&mut image, 4, &[1, 2]).unwrap();
        assert_eq!(image, [9, 9, 0, 0, 1, 2]);
        assert!(place(&mut image, u64::MAX, &[1]).is_none());
    }
}
