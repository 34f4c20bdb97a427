//! The table of parameters. Methods have a table of their own, in [`methods`](crate::methods).
//!
//! A row fully defines a parameter: the text form, the packing file, the options of passes, the command line with its help, "has no
//! effect with …" and the tables of the documentation are derived from it. The meaning of the parameter is up to the method that
//! reads it.

use crate::methods::Kind::{self, Dliq, Mip2q};
use crate::parameter::{Domain, Value, Word};

/// The methods that have blocks: all but the first.
pub const PACKED: &[Kind] = match Kind::ALL {
    [Kind::Dense, packed @ ..] => packed,
    all => all,
};

/// Declares parameters as constants, and the list of them.
#[macro_export]
macro_rules! parameters {
    (
        $(#[$list_doc:meta])* $list:ident:
        $($(#[$doc:meta])+ $constant:ident = {
            $name:literal, $value_name:literal, $domain:expr, $default:expr, $methods:expr, $help:literal $(,)?
        })+
    ) => {
        $($(#[$doc])+ pub const $constant: $crate::Parameter = $crate::Parameter {
            name: $name, value_name: $value_name, domain: $domain, default: $default, methods: $methods, help: $help,
        };)+

        $(#[$list_doc])*
        pub const $list: &[&$crate::Parameter] = &[$(&$constant),+];
    };
}

parameters! {
    /// The parameters of formats, in the order in which they are shown.
    PARAMETERS:

    /// Fraction of low members in a block; `p` times `w` is the number of low members.
    P = {"p", "SHARE", Domain::Share, Value::Real(0.5), PACKED, "fraction of low members in each block"}

    /// Members of a block.
    W = {"w", "N", Domain::OneOf(&[4, 8, 16, 32]), Value::Whole(16), PACKED, "block size in input channels: 4, 8, 16 or 32"}

    /// Bits of a low code of `dliq`.
    Q = {"q", "BITS", Domain::Range(1, 8), Value::Whole(4), &[Dliq], "dliq: bits per low code, 1 to 8"}

    /// Largest exponent of `mip2q`.
    L = {"L", "N", Domain::Range(0, 7), Value::Whole(7), &[Mip2q], "mip2q: largest exponent, 0 to 7"}

    /// Whether a spare code of `mip2q` means 0.
    ZERO = {"zero", "BOOL", Domain::Flag, Value::Flag(false), &[Mip2q], "mip2q: use a spare code for 0"}

    /// Left shift of the low codes of `dliq`.
    SHIFT = {
        "shift", "SHIFT", Domain::WordsOr(SHIFTS, 7), Value::Word(SHIFT_LAYER), &[Dliq],
        "dliq: left shift of low codes: layer, channel or 0 to 7",
    }
}

/// One shift for the layer.
pub const SHIFT_LAYER: &str = "layer";
/// One shift for each output channel.
pub const SHIFT_CHANNEL: &str = "channel";

const SHIFTS: &[Word] = &[
    Word { name: SHIFT_LAYER, help: "the one of least squared error for the layer" },
    Word { name: SHIFT_CHANNEL, help: "the one of least squared error for each output channel" },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::Parameter;

    #[test]
    fn defaults_are_values_of_their_domains() {
        for row in PARAMETERS {
            assert_eq!(row.domain.read(&row.default.to_string()), Some(row.default), "{}", row.name);
            assert!(!row.methods.is_empty() && !row.methods.contains(&Kind::Dense), "{}", row.name);
        }
    }

    #[test]
    fn help_says_which_methods_and_values_a_parameter_has() {
        for Parameter { name, domain, methods, help, .. } in PARAMETERS {
            let known = matches!(domain, Domain::Share | Domain::Flag) || help.contains(&domain.to_string());
            assert!(known, "{name}: {help}");
            let of: Vec<&str> = methods.iter().map(|method| method.name()).collect();
            assert!(
                *methods == PACKED || help.starts_with(&format!("{}: ", of.join(", "))),
                "{name}: {help}"
            );
        }
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = PARAMETERS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), PARAMETERS.len());
    }
}
