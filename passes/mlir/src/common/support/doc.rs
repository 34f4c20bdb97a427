//! `docs/supported.md`, written from the matrix.

use super::attributes::{ATTRIBUTES, Attribute};
use super::matrix::{COMPOUND, MATRIX, MAX_RANK, Row};

/// The whole page.
#[must_use]
pub fn page() -> String {
    let mut page = format!(
        "# Supported TOSA ops\n\n\
         <!-- Written from passes/mlir/src/common/support/matrix.rs; `STRUM_BLESS=1 cargo test -p strum-passes` brings it up to date. -->\n\n\
         `tosa-to-strum` takes functions of one block that hold these ops of TOSA 1.0, integer profile, in the spelling of\n\
         LLVM 22, with tensors of rank 0 to {MAX_RANK} whose extents are known and not 0. Element types are signless, and `i1` is a byte, 0 or 1, also in inputs and outputs; `tosa.rescale` alone reads and\n\
         writes unsigned 8 and 16-bit values. Weights of a convolution of `i8` may be of type `i4` (EXT-INT4), constant or an input, which then has a\n\
         byte for each: `expand-operators` makes them `i8`, and `strum-pack` stores constant ones in 4 bits. Anything else is an error at the op that says what is not supported.\n\n\
         | op | becomes | element types | conditions |\n|---|---|---|---|\n"
    );
    MATRIX.iter().for_each(|row| page.push_str(&line(row)));
    page.push_str(
        "\n## Compound ops\n\n\
         The pipeline begins with `inline-control-flow`, which replaces `cond_if` and `while_loop`, and `expand-operators`, which replaces\n\
         these ops, and those on shapes by constants ([passes.md](passes.md)).\n\n\
         | op | becomes | element types | conditions |\n|---|---|---|---|\n",
    );
    COMPOUND.iter().for_each(|row| page.push_str(&line(row)));
    page.push_str(WIDE);
    page.push_str(
        "\n## Attributes\n\n\
         Other attributes are MLIR's to keep and mean nothing, as those that name ops in another tool. One that is called nearly as\n\
         an attribute of its op is an error, and so is one that begins with `strum.` or `dpu.` and is none of these dialects.\n\n\
         | attribute | of | values |\n|---|---|---|\n",
    );
    for Attribute { name, ops, text, .. } in ATTRIBUTES {
        let ops: Vec<String> = ops.iter().map(|op| format!("`{op}`")).collect();
        page.push_str(&format!("| `{name}` | {} | {text} |\n", ops.join(", ")));
    }
    page
}

/// What `expand-operators` also replaces, which no row of element types can say.
const WIDE: &str = "
## 16-bit activations

`expand-operators` replaces a `conv2d` or `depthwise_conv2d` of types (i16, i8, i48) → i48 together with the `rescale` ops behind it, by
operators of the first table. The zero point of the input is 0, that of the weights and the bias are constant, and at most 65,791 products
make an accumulator without a zero point of the weights, 32,895 with one of -128. Every use of the accumulators is a `rescale` to i8,
i16 or i32 with constant operands, `scale32` false and `SINGLE_ROUND`, with shifts of at least 17 if more than 511 products make an
accumulator, or fewer if the weights have a zero point or the bias is large. No other op takes or gives i48: an input, an output or a
movement of accumulators is an error. `matmul`, `conv3d` and `transpose_conv2d` of i16 are not supported.
";

/// The line of a row.
fn line(row: &Row) -> String {
    let rules: Vec<&str> = row.rules.iter().map(|rule| rule.text).collect();
    let types: Vec<String> = row.types.iter().map(|s| s.to_string().replace("->", "→")).collect();
    let cells = [format!("`{}`", row.op), row.becomes.into(), types.join("<br>"), rules.join("<br>")];
    format!("| {} |\n", cells.join(" | ").replace("  ", " "))
}
