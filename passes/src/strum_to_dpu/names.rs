//! The names of a function's arguments and results, as front ends leave them.

use strum_ir::Operation;

/// Attributes in which converters keep a tensor's name: that of the TOSA tools, and that of ML program importers.
const KEYS: [&str; 2] = ["tosa.tensor_name", "ml_program.identifier"];

/// The name of argument or result `index`; `list` is `arg_attrs` or `res_attrs`. An empty name is none.
pub(super) fn of(function: Operation<'_>, list: &str, index: usize) -> Option<String> {
    let attributes = *function.attribute(list)?.as_array()?.get(index)?;
    let name = KEYS.iter().find_map(|key| attributes.entry(key)?.as_str())?;
    (!name.is_empty()).then(|| name.to_owned())
}
