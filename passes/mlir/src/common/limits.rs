//! Inputs that no pass supports, found before any pass runs: tensors without elements, and constants that exceed the memory.
//!
//! Invariant: nothing here expands a constant.

use dpu_isa::Machine;
use strum_files::OverLimit;
use strum_files::budget;
use strum_ir::{Operation, Reported, Type, Value};

use crate::common::verdict::{MEMORY, RESOURCE};

/// Peak memory of a compilation in bytes, for each byte of the expanded constants: the constant itself, its packed form, the
/// weight sets of the tiles, the DRAM image, and the binary. Measured are 2.4 to 4.1, with and without splats, in one layer or
/// many; see `docs/limits.md`.
const PEAK: u64 = 5;

/// Fixed memory of a compilation in bytes: the program, MLIR and its dialects.
const BASE: u64 = 128 << 20;

/// Reports every tensor without elements, and constants that exceed the memory limit, at their locations in `root`. `beside`
/// bytes are in use throughout, such as the text that is compiled.
///
/// # Errors
/// When there was something to report.
pub fn check(root: Operation<'_>, beside: u64) -> Result<(), Reported> {
    check_within(root, beside, budget::limit())
}

fn check_within(root: Operation<'_>, beside: u64, limit: u64) -> Result<(), Reported> {
    let mut outcome = Ok(());
    let mut sum = 0u64;
    let mut largest: Option<(u64, Operation<'_>)> = None;
    for op in with_root(root) {
        for argument in arguments(op).filter(|&value| is_empty(value)) {
            outcome = Err(argument.location().error(without_elements(argument.ty())));
        }
        for result in op.results().into_iter().filter(|&value| is_empty(value)) {
            outcome = Err(op.error(without_elements(result.ty())));
        }
        let bytes = constant_bytes(op);
        sum = sum.saturating_add(bytes);
        if bytes > 0 && largest.is_none_or(|(most, _)| bytes > most) {
            largest = Some((bytes, op));
        }
    }
    outcome?;
    let needed = sum.saturating_mul(PEAK);
    let held = BASE.saturating_add(beside);
    match largest {
        Some((_, op)) if held.saturating_add(needed) > limit => {
            let what = format!("to compile {sum} bytes of constants");
            Err(op.error(format_args!("{MEMORY}{}", OverLimit { what, needed, held, limit })))
        }
        _ => Ok(()),
    }
}

/// Reports every tensor in `root` that is larger than the machine's DRAM, at the op that makes it.
///
/// # Errors
/// When there was something to report.
pub fn check_dram(root: Operation<'_>, machine: &Machine) -> Result<(), Reported> {
    let mut outcome = Ok(());
    for op in with_root(root) {
        for value in op.results().into_iter().chain(arguments(op)) {
            let ty = value.ty();
            let Some(bytes) = tensor_bytes(ty).filter(|&bytes| bytes > machine.dram_bytes) else { continue };
            let more = if bytes == u64::MAX { " or more" } else { "" };
            let (limit, name) = (machine.dram_bytes, &machine.name);
            outcome = Err(op.error(format_args!(
                "{RESOURCE}a tensor of type '{ty}' has {bytes} bytes{more}, the DRAM of '{name}' has {limit}"
            )));
        }
    }
    outcome
}

/// The operation and all nested ones.
fn with_root<'c>(root: Operation<'c>) -> impl Iterator<Item = Operation<'c>> {
    std::iter::once(root).chain(root.walk())
}

/// The arguments of the blocks of an operation.
fn arguments<'c>(op: Operation<'c>) -> impl Iterator<Item = Value<'c>> {
    op.regions().into_iter().flat_map(|r| r.blocks()).flat_map(|b| b.arguments())
}

fn without_elements(ty: Type<'_>) -> String {
    format!("a tensor of type '{ty}' has no elements: in TOSA every extent is at least 1")
}

/// Whether the value is a tensor without elements.
fn is_empty(value: Value<'_>) -> bool {
    value.ty().as_tensor().is_some_and(|tensor| tensor.shape.contains(&0))
}

/// Bytes of the elements of a constant op; 0 for any other op, and for small constants.
fn constant_bytes(op: Operation<'_>) -> u64 {
    let constants = ["tosa.const", "strum.constant", "arith.constant", "dpu.constant"];
    let value = match constants.contains(&op.name()) {
        true => op.attribute("values").or_else(|| op.attribute("value")),
        false => None,
    };
    value.and_then(|value| tensor_bytes(value.ty()?)).unwrap_or(0)
}

/// Size of a static tensor in bytes, saturating; `None` for other types.
#[must_use]
pub fn tensor_bytes(ty: Type<'_>) -> Option<u64> {
    let tensor = ty.as_tensor()?;
    let bits = tensor.element.int_width().or_else(|| tensor.element.is_f32().then_some(32));
    let width = bits.map_or(1, |bits| u64::from(bits.div_ceil(8)));
    let extents = tensor.shape.iter().map(|&d| u64::try_from(d).unwrap_or(0));
    Some(extents.fold(width, u64::saturating_mul))
}

#[cfg(test)]
mod tests {
    use strum_ir::{Captured, Context, Module};

    use super::*;

    fn errors(text: &str, limit: u64) -> Vec<Captured> {
        let context = Context::new();
        let module = Module::parse(&context, text.as_bytes(), "x.mlir").unwrap();
        let (outcome, errors) = context.handle().capture(|| check_within(module.op(), 0, limit));
        assert_eq!(outcome.is_err(), !errors.is_empty());
        errors
    }

    #[test]
    fn tensors_without_elements_are_refused_where_they_are() {
        let text = "func.func @f(%x: tensor<0x4xi8>,\n  %y: tensor<1xi8>) {\n\
                    %0 = arith.constant dense<> : tensor<4x0xi8>\n\
                    %1 = arith.addi %0, %0 : tensor<4x0xi8>\n return }";
        let found = errors(text, u64::MAX);
        let places: Vec<_> = found.iter().map(|e| e.location.as_str()).collect();
        assert_eq!(places, ["x.mlir:1:14", "x.mlir:3:6", "x.mlir:4:6"]);
        assert_eq!(
            found[0].message,
            "a tensor of type 'tensor<0x4xi8>' has no elements: in TOSA every extent is at least 1"
        );
    }

    #[test]
    fn constants_that_exceed_the_memory_limit_are_refused_at_the_largest() {
        let text = "func.func @f() {\n%0 = arith.constant dense<1> : tensor<1000x1000xi32>\n\
                    %1 = arith.constant dense<2> : tensor<2000x1000xi32>\n return }";
        assert_eq!(errors(text, BASE + 60_000_000), []);
        let found = errors(text, BASE + 59_999_999);
        assert_eq!((found.len(), found[0].location.as_str()), (1, "x.mlir:3:6"));
        let message = &found[0].message;
        assert!(
            message.contains("out of memory: to compile 12000000 bytes of constants: 60000000"),
            "{message}"
        );
        assert!(message.ends_with("; --memory-limit raises it"), "{message}");
    }

    #[test]
    fn huge_constants_saturate() {
        let text =
            "func.func @f() {\n%0 = arith.constant dense<1> : tensor<4611686018427387904x8xi32>\n return }";
        assert_eq!(errors(text, u64::MAX - 1).len(), 1);
    }
}
