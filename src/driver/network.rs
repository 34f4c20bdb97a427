//! Reads a network and finds the function to compile.
//!
//! Invariant: text nested too deep for MLIR's parser, and tensors that no machine can hold, are refused here, since nothing later
//! can refuse them: the former overflow the stack, the latter the memory.

use dpu_isa::Machine;
use strum_cli::say;
use strum_files::budget;
use strum_ir::{Captured, Context, Module, Operation, Reported, Value};
use strum_passes::common::limits;

use super::diagnostics::Origin;
use super::exit::{Failure, Kind, out_of_memory};
use super::files::Input;
use super::import::{self, NetworkOptions};
use super::isolate;

/// Maximum number of functions that an error names.
const MAX_NAMES: usize = 8;

/// Leading bytes of a file in which a zero shows that it is no text.
const LOOKED_AT: usize = 4096;

/// Said of conversions that `peel-quantize` leaves.
const REAL_EDGES: &str = "unsupported: real numbers at the edge of an integer network, converted in a way that is not known: give the TFLite or \
                          ONNX file itself, or a network that ends at codes";

/// Maximum nesting of brackets in a text.
const MAX_DEPTH: usize = 2048;

/// Reads a network: MLIR as text or bytecode, TFLite, or ONNX, by the content of the file. Notes on what its file leaves open are
/// printed unless `quiet`.
///
/// The bytes of other files than text are moved out of the input: no message shows them, and MLIR holds a copy as large.
pub(crate) fn read<'c>(
    context: &'c Context,
    input: &mut Input,
    options: &NetworkOptions,
    quiet: bool,
) -> Result<Module<'c>, Failure> {
    Ok(read_peeled(context, input, options, quiet)?.0)
}

/// As [`read`], with the names of the operators at the edges of MLIR that have become the meaning of codes.
pub(crate) fn read_peeled<'c>(
    context: &'c Context,
    input: &mut Input,
    options: &NetworkOptions,
    quiet: bool,
) -> Result<(Module<'c>, Vec<String>), Failure> {
    if let Some(door) = strum_doors::sniff(&input.bytes) {
        let module = import::module(context, input, door, options, quiet)?;
        input.bytes = Vec::new();
        return Ok((module, Vec::new()));
    }
    if let Some(format) = foreign(&input.bytes) {
        let message = format_args!("{format}: a network is a TFLite, ONNX or MLIR file");
        return Err(Failure::input(message).in_file(&input.name));
    }
    options.check_mlir(&input.name)?;
    let module = parse(context, input)?;
    let origin = Origin::new(&input.name, &input.bytes);
    // Whatever is wrong with the module's functions is found later.
    let mut peeled = Vec::new();
    if let Ok(function) = main(&module) {
        peeled = import::peel(context, function, origin)?;
        import::specialize(context, function, options, origin, (&input.name, quiet))?;
    }
    Ok((module, peeled))
}

/// Refuses a compiled program where a network is needed.
pub(crate) fn check_uncompiled(input: &Input) -> Result<(), Failure> {
    if input.bytes.starts_with(b"\x7fELF") {
        let failure = Failure::input("a compiled program").in_file(&input.name);
        return Err(failure.with_help("give the network that it was compiled from"));
    }
    Ok(())
}

/// A network as MLIR, in bytecode unless it is MLIR to which no option applies.
pub(crate) fn as_mlir(
    context: &Context,
    mut input: Input,
    (options, quiet): (&NetworkOptions, bool),
) -> Result<Input, Failure> {
    check_uncompiled(&input)?;
    if strum_doors::sniff(&input.bytes).is_none() && options.given().next().is_none() {
        return Ok(input);
    }
    let module = read(context, &mut input, options, quiet)?;
    Ok(Input { bytes: module.op().bytecode(), ..input })
}

/// What a file is in which no tool of this project finds a network.
fn foreign(bytes: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 4] = [
        (b"PK\x03\x04", "an archive, as PyTorch and Keras save networks"),
        (b"\x89HDF", "an HDF5 file, as Keras saves networks"),
        (b"\x80\x02", "a pickle, as PyTorch saves weights"),
        (b"\x93NUMPY", "an array of numpy"),
    ];
    let known = KNOWN.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, format)| *format);
    let binary =
        is_text(bytes) && !bytes.starts_with(b"\x7fELF") && bytes.iter().take(LOOKED_AT).any(|&b| b == 0);
    known.or(binary.then_some("a binary file of another kind"))
}

/// Refuses a float network where an integer one is needed, with the command that makes one of it.
pub(crate) fn check_integer(function: Operation<'_>, name: &str) -> Result<(), Failure> {
    let (inputs, results) = function.function_type().unwrap_or_default();
    let is_float = |ty: &strum_ir::Type<'_>| ty.element().is_some_and(strum_ir::Type::is_f32);
    let floats = inputs.iter().chain(&results).any(is_float);
    // Integer networks between conversions have other errors.
    if !floats || function.walk().iter().any(|op| op.is("tosa.rescale")) {
        return Ok(());
    }
    let file = if name.starts_with('<') { "NET" } else { name };
    Err(Failure::new(Kind::Unsupported, "a float network, which must be quantized first").in_file(name).with_help(
        format_args!(
            "strumc quantize {file} --calibration SAMPLES.npy -o q.mlir (strumc run --float evaluates it without quantization)"
        ),
    ))
}

/// Refuses an integer network with real numbers at its edges, at the first operator that reads or makes some.
pub(crate) fn check_edges(
    context: &Context,
    function: Operation<'_>,
    origin: Origin<'_>,
) -> Result<(), Failure> {
    let real = |ty: strum_ir::Type<'_>| ty.element().is_some_and(strum_ir::Type::is_f32);
    let (inputs, results) = function.function_type().unwrap_or_default();
    if !inputs.into_iter().chain(results).any(real) {
        return Ok(());
    }
    let reads = |op: &Operation<'_>| {
        let values = op.operands().into_iter().chain(op.results());
        op.num_operands() > 0 && op.parent() == Some(function) && values.map(Value::ty).any(real)
    };
    let refuse = || -> Result<(), Reported> {
        function.walk().into_iter().find(reads).map_or(Ok(()), |op| Err(op.error(REAL_EDGES)))
    };
    let (result, diagnostics) = context.handle().capture(refuse);
    result.map_err(|_| origin.failure(&diagnostics))
}

/// Parses and verifies a module, text or bytecode, and prints MLIR's diagnostics.
///
/// Bytecode is moved out of the input.
pub(crate) fn parse<'c>(context: &'c Context, input: &mut Input) -> Result<Module<'c>, Failure> {
    if input.bytes.is_empty() {
        return Err(Failure::input("the file is empty").in_file(&input.name));
    }
    check_depth(input)?;
    if !is_text(&input.bytes) {
        return parse_bytecode(context, input);
    }
    let parsed = parsed_bytes(&input.bytes);
    budget::check("to parse the text", parsed).map_err(|over| out_of_memory(&over).in_file(&input.name))?;
    let origin = Origin::new(&input.name, &input.bytes);
    let (module, diagnostics) =
        context.handle().capture(|| Module::parse(context, &input.bytes, &input.name));
    judge(module, &diagnostics, origin, &input.name)
}

/// Refuses text whose brackets are nested too deep for the stack of MLIR's parser.
pub(crate) fn check_depth(input: &Input) -> Result<(), Failure> {
    if is_text(&input.bytes) && depth_exceeds(&input.bytes, MAX_DEPTH) {
        let message = format_args!("brackets are nested deeper than the limit of {MAX_DEPTH}");
        return Err(Failure::new(Kind::Resource, message).in_file(&input.name));
    }
    Ok(())
}

fn parse_bytecode<'c>(context: &'c Context, input: &mut Input) -> Result<Module<'c>, Failure> {
    let clean = isolate::read(input, false).inspect_err(|_| newer_bytecode(&input.bytes))?;
    let bytes = std::mem::take(&mut input.bytes);
    let bytes = clean.unwrap_or(bytes);
    let (module, diagnostics) = context.handle().capture(|| Module::parse(context, &bytes, &input.name));
    judge(module, &diagnostics, Origin::new(&input.name, &[]), &input.name)
}

/// Prints who wrote bytecode that a newer MLIR has written, which is the likely reason that it is not read.
fn newer_bytecode(bytes: &[u8]) {
    let major = |version: &str| -> Option<u32> {
        let digits = version.trim_start_matches(|c: char| !c.is_ascii_digit());
        digits.split('.').next()?.parse().ok()
    };
    let own = strum_ir::llvm_version();
    if let Some(producer) = producer(bytes)
        && major(producer) > major(own)
    {
        say(format_args!(
            "note: the bytecode was written by {producer}, and this reads that of LLVM {own}: export text, or with an older version"
        ));
    }
}

/// The producer that bytecode names: behind its magic number and its version, up to a zero.
fn producer(bytes: &[u8]) -> Option<&str> {
    /// Longer ones are damage.
    const MAX: usize = 64;
    let rest = bytes.get(4..)?;
    // A variable-length integer, whose first byte says how many follow.
    let version = usize::try_from(rest.first()?.trailing_zeros()).ok()? + 1;
    let rest = rest.get(version..)?;
    let end = rest.iter().take(MAX).position(|&byte| byte == 0)?;
    std::str::from_utf8(rest.get(..end)?).ok()
}

fn judge<'c>(
    module: Result<Module<'c>, strum_ir::Error>,
    diagnostics: &[Captured],
    origin: Origin<'_>,
    name: &str,
) -> Result<Module<'c>, Failure> {
    match module {
        Ok(module) => {
            origin.tell(diagnostics, false);
            Ok(module)
        }
        Err(strum_ir::Error::Reported) if !diagnostics.is_empty() => Err(origin.failure(diagnostics)),
        Err(error) => Err(Failure::input(error).in_file(name)),
    }
}

/// Upper bound of memory while a text is parsed, in bytes, besides the text: MLIR has a copy of it, constants in hexadecimal are
/// copied again and then half as long, and while a list is read, there is a token for every number.
fn parsed_bytes(text: &[u8]) -> u64 {
    /// A token in a buffer that grows by doubling, and in the one that it grew from.
    const TOKEN: u64 = 100;
    let numbers = text.iter().filter(|&&c| c == b',').count();
    2 * text.len() as u64 + TOKEN * numbers as u64
}

/// Whether the bytes are not MLIR bytecode.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    !bytes.starts_with(b"ML\xefR")
}

/// Whether brackets in the text, outside of strings and comments, are open more than `limit` deep.
fn depth_exceeds(text: &[u8], limit: usize) -> bool {
    let mut depth = 0usize;
    let mut i = 0;
    while let Some(&c) = text.get(i) {
        let next = text.get(i + 1).copied();
        match c {
            b'"' => i = end_of_string(text, i),
            b'/' if next == Some(b'/') => i = end_of_line(text, i),
            // Arrows and comparisons are not brackets.
            b'-' if next == Some(b'>') => i += 1,
            b'<' | b'>' if next == Some(b'=') => i += 1,
            b'(' | b'[' | b'{' | b'<' => depth += 1,
            b')' | b']' | b'}' | b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return true;
        }
        i += 1;
    }
    false
}

fn end_of_string(text: &[u8], start: usize) -> usize {
    let mut i = start + 1;
    while let Some(&c) = text.get(i) {
        match c {
            b'"' | b'\n' => return i,
            b'\\' => i += 1,
            _ => {}
        }
        i += 1;
    }
    i
}

fn end_of_line(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    rest.iter().position(|&c| c == b'\n').map_or(text.len(), |end| start + end)
}

/// The function to compile, the only one or `main`.
pub(crate) fn main<'c>(module: &Module<'c>) -> Result<Operation<'c>, Failure> {
    let functions = module.body().operations().into_iter().filter(|op| op.is("func.func"));
    let defined: Vec<Operation<'c>> = functions.filter(|op| op.body().is_some()).collect();
    let main = defined.iter().copied().find(|op| op.symbol() == Some("main"));
    match (&defined[..], main) {
        ([], _) if module.body().operations().iter().any(|op| op.is("dpu.program")) => {
            Err(Failure::input("no function to compile, but a dpu.program")
                .with_help("strum-translate --mlir-to-dpu makes a binary of it"))
        }
        ([], _) => Err(Failure::input("the module holds no function with a body")),
        ([only], _) => Ok(*only),
        (_, Some(main)) => Ok(main),
        (several, None) => {
            let name = |op: &Operation<'_>| format!("'{}'", op.symbol().unwrap_or("?"));
            let mut list = several.iter().take(MAX_NAMES).map(name).collect::<Vec<_>>().join(", ");
            if let Some(more @ 1..) = several.len().checked_sub(MAX_NAMES) {
                list.push_str(&format!(" and {more} more"));
            }
            Err(Failure::input(format_args!(
                "the module holds several functions and none is called 'main': {list}"
            )))
        }
    }
}

/// The function to compile; the others are erased, unless it calls one.
pub(crate) fn choose_function<'c>(module: &Module<'c>) -> Result<Operation<'c>, Failure> {
    let chosen = main(module)?;
    // Calls are not supported: the pass reports them at the call, which needs its callee until then.
    if chosen.walk().iter().any(|op| op.dialect() == "func" && op.is("func.call")) {
        return Ok(chosen);
    }
    let functions = module.body().operations().into_iter().filter(|op| op.is("func.func"));
    for other in functions.filter(|&op| op != chosen) {
        other.erase().map_err(Failure::internal)?;
    }
    Ok(chosen)
}

/// Refuses tensors that are larger than the machine's DRAM, and what [`limits::check`] refuses, at their locations. `text` bytes
/// stay in memory besides the module.
pub(crate) fn check_sizes(
    context: &Context,
    module: &Module<'_>,
    machine: &Machine,
    text: usize,
) -> Vec<Captured> {
    let check =
        || limits::check_dram(module.op(), machine).and_then(|()| limits::check(module.op(), text as u64));
    context.handle().capture(check).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_counted_outside_of_strings_and_comments() {
        let deep = |text: &str, limit| depth_exceeds(text.as_bytes(), limit);
        assert!(deep("((()", 2) && !deep("((()", 3));
        assert!(!deep("\"((((\\\"((((\" // ((((((\n ()", 1));
        assert!(!deep("() -> () <= >= -> ()", 1));
        assert!(deep(&"tensor<".repeat(5000), MAX_DEPTH));
        assert!(!deep(&"tensor<1xi8> ".repeat(5000), MAX_DEPTH));
        assert!(!deep("\"never closed (((", 0) && !deep("\"\\", 0) && !deep("// (((", 0));
    }

    fn chosen(text: &str) -> Result<Vec<String>, String> {
        let context = Context::new();
        let module = Module::parse(&context, text.as_bytes(), "x.mlir").map_err(|e| e.to_string())?;
        choose_function(&module).map_err(|failure| failure.message)?;
        Ok(module.body().operations().iter().filter_map(|op| op.symbol()).map(str::to_owned).collect())
    }

    #[test]
    fn the_only_function_or_main_is_chosen() {
        assert_eq!(chosen("func.func @f() { return }"), Ok(vec!["f".into()]));
        assert_eq!(chosen("func.func @f() { return } func.func @main() { return }"), Ok(vec!["main".into()]));
        assert_eq!(chosen("func.func private @d() func.func @f() { return }"), Ok(vec!["f".into()]));
        assert_eq!(chosen("func.func private @d()"), Err("the module holds no function with a body".into()));
        assert_eq!(
            chosen("func.func @f() { return } func.func @g() { return }"),
            Err("the module holds several functions and none is called 'main': 'f', 'g'".into())
        );
    }

    #[test]
    fn of_many_functions_a_few_are_named() {
        let text: String = (0..20).map(|i| format!("func.func @f{i}() {{ return }} ")).collect();
        assert!(chosen(&text).unwrap_err().ends_with("'f6', 'f7' and 12 more"));
    }

    #[test]
    fn called_functions_stay() {
        let text = "func.func @g() { return } func.func @main() { func.call @g() : () -> () return }";
        assert_eq!(chosen(text), Ok(vec!["g".into(), "main".into()]));
    }

    #[test]
    fn huge_tensors_are_refused_at_their_op() {
        let context = Context::new();
        let text = "func.func @f() -> tensor<1000000x1000000xi32> {\n\
                    %0 = arith.constant dense<0> : tensor<1000000x1000000xi32>\n\
                    return %0 : tensor<1000000x1000000xi32> }";
        let module = Module::parse(&context, text.as_bytes(), "x.mlir").unwrap();
        let machine = Machine::builtin("flexnn-16x16").unwrap();
        let errors = check_sizes(&context, &module, &machine, text.len());
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].location, "x.mlir:2:6");
        assert!(errors[0].message.contains("4000000000000 bytes"), "{}", errors[0].message);
    }
}
