//! Helpers for tests of whole programs: compile text, run the binary, and convert it to all of its forms.

#![allow(dead_code, reason = "shared by tests that take what they need")]
#![allow(clippy::panic, reason = "a test that cannot go on fails")]

use dpu_isa::{Dtype, Program};
use dpu_sim::{KernelChoice, Options, Recording, Tensor, TensorView, simulate};
use strum_ir::{Context, Module};
use strum_passes::translation;

/// A context with all passes.
pub(crate) fn context() -> Context {
    strum_opt::register_all();
    Context::new()
}

/// Runs a textual pipeline on `mlir` and returns the binary program, or the diagnostics.
pub(crate) fn compile(context: &Context, mlir: &[u8], pipeline: &str) -> Result<Program, String> {
    let (program, diagnostics) = context.handle().capture(|| {
        let mut module = Module::parse(context, mlir, "test.mlir").map_err(|e| e.to_string())?;
        module.run(pipeline).map_err(|e| e.to_string())?;
        let program = translation::find_program(module.op()).map_err(|e| e.to_string())?;
        translation::export(program).map_err(|e| e.to_string())
    });
    program.map_err(|error| diagnostics.iter().fold(error, |text, d| format!("{text}\n{d}")))
}

/// A tensor of the oracle in the simulator's form.
pub(crate) fn simulated(from: &strum_ref::Tensor) -> Tensor {
    let dtype = match from.dtype {
        // Accumulators are no results of the programs here.
        strum_ref::Dtype::I48 => panic!("i48 outside of the machine"),
        strum_ref::Dtype::Bool | strum_ref::Dtype::I4 | strum_ref::Dtype::I8 => Dtype::I8,
        strum_ref::Dtype::I16 => Dtype::I16,
        strum_ref::Dtype::I32 => Dtype::I32,
    };
    let shape: Vec<u64> = from.shape.iter().map(|&d| d as u64).collect();
    let values: Vec<i32> = from.data.iter().map(|&v| v as i32).collect();
    Tensor::from_values(dtype, &shape, &values)
}

/// Runs a program after writing it to a file's bytes and reading it back.
pub(crate) fn run(program: &Program, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
    let elf = program.to_elf().map_err(|e| e.to_string())?;
    let program = Program::from_elf(&elf).map_err(|e| e.to_string())?;
    program.validate().map_err(|e| format!("{e:?}"))?;
    let views: Vec<TensorView<'_>> = inputs.iter().map(Tensor::view).collect();
    simulate(&program, &views, &Options::default()).map(|r| r.outputs).map_err(|e| e.to_string())
}

/// Runs a program in the simulator's other modes: on its golden path, and as a sample of a batch that began with another one.
///
/// The other sample has the elements in reverse, so its values are as legal as the sample's own.
pub(crate) fn run_otherwise(
    program: &Program,
    inputs: &[Tensor],
) -> Result<[(&'static str, Vec<Tensor>); 2], String> {
    let views: Vec<TensorView<'_>> = inputs.iter().map(Tensor::view).collect();
    let golden = Options { kernel: KernelChoice::Golden, ..Options::default() };
    let golden = simulate(program, &views, &golden).map_err(|e| e.to_string())?.outputs;

    let reversed: Vec<Tensor> = inputs.iter().map(reverse).collect();
    let first: Vec<TensorView<'_>> = reversed.iter().map(Tensor::view).collect();
    let (recording, _) =
        Recording::new(program, &first, &Options::default(), &mut []).map_err(|e| e.to_string())?;
    let mut replayer = recording.replayer().map_err(|e| e.to_string())?;
    replayer.run(&first).map_err(|e| e.to_string())?;
    let replayed = replayer.run(&views).map_err(|e| e.to_string())?;
    Ok([("golden", golden), ("batch", replayed)])
}

fn reverse(tensor: &Tensor) -> Tensor {
    let bytes = usize::try_from(tensor.dtype.bytes()).unwrap();
    let data = tensor.data.chunks(bytes).rev().flatten().copied().collect();
    Tensor { data, ..tensor.clone() }
}

/// Checks that the program survives every other form of it: assembly, and the `dpu` dialect.
pub(crate) fn round_trip(context: &Context, program: &Program) -> Result<(), String> {
    let text = dpu_isa::asm::print(program);
    let parsed = dpu_isa::asm::parse(&text).map_err(|e| e.to_string())?;
    if parsed != *program || dpu_isa::asm::print(&parsed) != text {
        return Err("assembly is not the program".into());
    }
    let (back, diagnostics) = context.handle().capture(|| {
        let module = translation::import(program, context).map_err(|e| e.to_string())?;
        module.op().verify().map_err(|e| e.to_string())?;
        let text = module.op().bytecode();
        let module = Module::parse(context, &text, "test.mlirbc").map_err(|e| e.to_string())?;
        let program = translation::find_program(module.op()).map_err(|e| e.to_string())?;
        translation::export(program).map_err(|e| e.to_string())
    });
    let back = back.map_err(|error| diagnostics.iter().fold(error, |text, d| format!("{text}\n{d}")))?;
    if back == *program { Ok(()) } else { Err("the dpu dialect is not the program".into()) }
}
