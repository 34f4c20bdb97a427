//! A hash that says which network a program was made from.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use strum_ir::{Operation, PrintOptions};

/// SHA-256 of a function's text without locations, and of the bytes of its constants, as 64 lower-case hex digits.
///
/// The hash does not depend on file names, on how constants are spelled, or on anything around the function.
pub(crate) fn of_function(function: Operation<'_>) -> String {
    let mut hash = Sha256::new();
    for op in function.walk() {
        let constant = op.attribute("values").or_else(|| op.attribute("value"));
        if let Some(bytes) = constant.and_then(|c| c.bytes().ok()) {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(&bytes);
        }
    }
    // Resource names depend on what else lives in the context, so constants are left out of the text.
    let options =
        PrintOptions { elide_longer_than: Some(0), generic: true, local: true, ..PrintOptions::default() };
    hash.update(without_constants(&function.print(&options)));
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The text with the names of resources and the values of constants cut out.
fn without_constants(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = ["dense<", "dense_resource<"].iter().filter_map(|key| rest.find(key)).min() {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        out.push_str("dense");
        let end = after.find("> : ").map_or(after.len(), |end| end + 1);
        rest = after.get(end..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::without_constants;

    #[test]
    fn spelling_of_constants_does_not_count() {
        let text =
            |c: &str| format!("%0 = \"tosa.const\"() <{{values = {c} : tensor<2xi8>}}> : () -> tensor<2xi8>");
        let want = without_constants(&text("dense<1>"));
        assert_eq!(want, without_constants(&text("dense_resource<weights_3>")));
        assert_eq!(want, without_constants(&text("dense<[1, 2]>")));
        assert!(want.contains("tensor<2xi8>"), "{want}");
    }
}
