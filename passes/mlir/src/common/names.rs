//! The names of a function's arguments and results, as left by front ends.

use strum_ir::{Operation, Reported};

/// Attributes in which converters keep a tensor's name: that of the TOSA tools, and that of ML program importers.
const KEYS: [&str; 2] = ["tosa.tensor_name", "ml_program.identifier"];

/// The name of argument or result `index`; `list` is `arg_attrs` or `res_attrs`. An empty name counts as none.
///
/// # Errors
/// A name that is not a string.
pub fn of(function: Operation<'_>, list: &str, index: usize) -> Result<Option<String>, Reported> {
    let entries = function.attribute(list).and_then(|list| list.as_array()).unwrap_or_default();
    let Some(attributes) = entries.get(index) else { return Ok(None) };
    let given = KEYS.iter().find_map(|key| Some((key, attributes.entry(key)?)));
    let Some((key, value)) = given else { return Ok(None) };
    let name = value.as_str().ok_or_else(|| {
        function.error(format_args!("expects '{key}' in {list} to be a string, got {value}"))
    })?;
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

/// The names of all arguments, as commands take them.
///
/// # Errors
/// See [`of`].
pub fn inputs(function: Operation<'_>) -> Result<Vec<String>, Reported> {
    let count = function.function_type().map_or(0, |(inputs, _)| inputs.len());
    (0..count).map(|i| Ok(of(function, "arg_attrs", i)?.unwrap_or_else(|| format!("arg{i}")))).collect()
}

/// The names of all results, as commands take them.
///
/// # Errors
/// See [`of`].
pub fn outputs(function: Operation<'_>) -> Result<Vec<String>, Reported> {
    let count = function.function_type().map_or(0, |(_, results)| results.len());
    (0..count).map(|i| Ok(of(function, "res_attrs", i)?.unwrap_or_else(|| format!("out{i}")))).collect()
}
