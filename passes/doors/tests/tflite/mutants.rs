//! Damaged files: whatever the bytes, a network or a refusal in lines of text.

use proptest::prelude::*;
use strum_doors::{Options, import};

use super::file::{I8, U8};
use super::networks::convolution;

fn import_ends(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Err(refusal) = import(bytes, &Options::default()) {
        prop_assert!(!refusal.causes.is_empty());
        for cause in refusal.causes {
            prop_assert!(!cause.to_string().contains('\n'), "{cause:?}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn changed_bytes_end_in_a_network_or_a_refusal(
        unsigned in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        whole in prop::bool::weighted(0.8),
    ) {
        let mut bytes = convolution(if unsigned { U8 } else { I8 });
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if !whole {
            bytes.truncate(cut.index(bytes.len()));
        }
        import_ends(&bytes)?;
    }

    #[test]
    fn changed_words_end_in_a_network_or_a_refusal(
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::num::i32::ANY), 1..4),
        near in any::<bool>(),
    ) {
        let mut bytes = convolution(I8);
        for (at, value) in changes {
            let at = at.index(bytes.len() / 4) * 4;
            let value = if near { value % 64 } else { value };
            bytes.get_mut(at..at + 4).unwrap_or_default().copy_from_slice(&value.to_le_bytes());
        }
        import_ends(&bytes)?;
    }
}
