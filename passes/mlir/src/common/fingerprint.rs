//! A hash that identifies the network that a program was compiled from.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use strum_ir::{Operation, PrintOptions};

use crate::common::limits;

/// SHA-256 of a function's text without locations, and of the bytes of its constants, as 64 lower-case hex digits.
///
/// The hash does not depend on file names, on the spelling of constants, or on anything outside the function.
pub(crate) fn of_function(function: Operation<'_>) -> String {
    let mut hash = Sha256::new();
    for op in function.walk() {
        let constant = op.attribute("values").or_else(|| op.attribute("value"));
        let Some(constant) = constant else { continue };
        match (constant.splat_bytes(), constant.ty().and_then(limits::tensor_bytes)) {
            (Some(element), Some(total)) => hash_splat(&mut hash, element, total),
            _ => {
                let Ok(bytes) = constant.bytes() else { continue };
                hash.update((bytes.len() as u64).to_le_bytes());
                hash.update(&bytes);
            }
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

/// Hashes a constant of `total` bytes that repeats one element, as if it were expanded.
fn hash_splat(hash: &mut Sha256, element: &[u8], total: u64) {
    /// Elements that are expanded at a time.
    const PART: usize = 1 << 14;
    hash.update(total.to_le_bytes());
    let part = element.repeat(PART);
    let mut left = total;
    while left > 0 {
        let taken = part.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(&part);
        hash.update(taken);
        left = left.saturating_sub(taken.len() as u64);
    }
}

/// The text without the names of resources and the values of constants.
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
    use super::{Sha256, hash_splat, without_constants};
    use sha2::Digest;

    #[test]
    fn a_splat_counts_as_if_it_were_written_out() {
        for (element, count) in [(&[7u8][..], 3), (&[1, 2, 3, 4], 100_000), (&[5, 6], 1 << 14)] {
            let (mut splat, mut whole) = (Sha256::new(), Sha256::new());
            let bytes = element.repeat(count);
            hash_splat(&mut splat, element, bytes.len() as u64);
            whole.update((bytes.len() as u64).to_le_bytes());
            whole.update(&bytes);
            assert_eq!(splat.finalize(), whole.finalize());
        }
    }

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
