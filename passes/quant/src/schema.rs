//! The parameters of how a layer is packed: those of formats, and beside them how low members are selected and what is corrected.

use strum_formats::table::PACKED;
use strum_formats::{Domain, Schema, Value, Word, parameters, table};

use crate::{Correct, Select};

parameters! {
    /// The parameters of selection.
    SELECTION:

    /// How the low members of a block are selected.
    SELECT = {
        "select", "HOW", Domain::Words(SELECTS), Value::Word(Select::Error.name()), PACKED,
        "how the low members of a block are selected: error, magnitude or activation",
    }

    /// What is corrected after selection.
    CORRECT = {
        "correct", "WHAT", Domain::Words(CORRECTS), Value::Word(Correct::None.name()), PACKED,
        "what is corrected after selection, from calibration statistics: none, bias, scale or both",
    }
}

const SELECTS: &[Word] = &[
    Word { name: Select::Error.name(), help: "smallest squared error" },
    Word { name: Select::Magnitude.name(), help: "smallest magnitude" },
    Word {
        name: Select::Activation.name(),
        help: "smallest error, weighted by the calibrated second moment of the input channel",
    },
];

const CORRECTS: &[Word] = &[
    Word { name: Correct::None.name(), help: "nothing" },
    Word { name: Correct::Bias.name(), help: "the bias, to keep the mean of each accumulator" },
    Word { name: Correct::Scale.name(), help: "the scale of each output channel, by least squares" },
    Word { name: Correct::Both.name(), help: "bias and scale" },
];

/// Everything that can be said of how a layer is packed.
pub static SCHEMA: Schema = Schema(&[table::PARAMETERS, SELECTION]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_says_which_values_a_parameter_has() {
        for parameter in SELECTION {
            assert!(parameter.help.contains(&parameter.domain.to_string()), "{}", parameter.help);
        }
    }
}
