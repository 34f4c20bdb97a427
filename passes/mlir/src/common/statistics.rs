//! Calibration statistics of a layer's inputs, as attributes of the layer.
//!
//! `strum.input_mean` and `strum.input_square` hold, for each input channel, the mean and the second moment of `code - zero point`.
//! They do not affect what an op computes, and every tool may drop them.
//! Invariant: a pass that permutes input channels permutes these as well, or drops them.

use super::weights::INT4;
use strum_ir::{Attribute, ContextRef, Error, Operation};

/// Mean of `code - zero point`, `array<f64>`, one per input channel.
pub const INPUT_MEAN: &str = "strum.input_mean";
/// Second moment of `code - zero point`, `array<f64>`, one per input channel.
pub const INPUT_SQUARE: &str = "strum.input_square";

const BOTH: [&str; 2] = [INPUT_MEAN, INPUT_SQUARE];

/// Mean and second moment of each input channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statistics {
    pub(crate) mean: Vec<f64>,
    pub(crate) square: Vec<f64>,
}

impl Statistics {
    /// Those of a layer with this many input channels, if it has them.
    ///
    /// # Errors
    /// There is not one value for each input channel; the message is for the layer.
    pub(crate) fn read(op: Operation<'_>, channels: usize) -> Result<Option<Self>, String> {
        let list = |name: &str| {
            let Some(attribute) = op.attribute(name) else { return Ok(None) };
            // The dialect's verifier has checked everything but their number.
            let values = attribute.as_f64s().unwrap_or_default();
            if values.len() != channels {
                let got = values.len();
                return Err(format!(
                    "'{name}' has {got} values, expected one for each of {channels} input channels"
                ));
            }
            Ok(Some(values))
        };
        Ok(list(INPUT_MEAN)?.zip(list(INPUT_SQUARE)?).map(|(mean, square)| Self { mean, square }))
    }
}

/// `array<f64: …>`.
///
/// # Errors
/// A value is not finite.
pub fn floats<'c>(context: ContextRef<'c>, values: &[f64]) -> Result<Attribute<'c>, Error> {
    // MLIR requires a decimal point in the mantissa.
    let text = |value: &f64| {
        let text = format!("{value:e}");
        if text.contains('.') { text } else { text.replacen('e', ".0e", 1) }
    };
    let list: Vec<String> = values.iter().map(text).collect();
    Attribute::parse(context, &format!("array<f64: {}>", list.join(", ")))
}

/// Copies the statistics, and [`INT4`], to another layer with the same input channels and weights of the same values.
pub(crate) fn carry(from: Operation<'_>, to: Operation<'_>) {
    for name in [INPUT_MEAN, INPUT_SQUARE, INT4] {
        if let Some(attribute) = from.attribute(name) {
            to.set_attribute(name, attribute);
        }
    }
}

/// Permutes the statistics of a layer to its new input channels: `order[new] = old`. Without an order, or with statistics that do
/// not match it, they are dropped.
///
/// # Errors
/// MLIR cannot make an attribute.
pub(crate) fn reorder(op: Operation<'_>, order: Option<&[usize]>) -> Result<(), Error> {
    for name in BOTH {
        let Some(attribute) = op.attribute(name) else { continue };
        let values = attribute.as_f64s().filter(|values| order.is_some_and(|o| o.len() == values.len()));
        let turned: Option<Vec<f64>> = values.zip(order).and_then(|(values, order)| {
            order.iter().map(|&old| values.get(old).copied().filter(|v| v.is_finite())).collect()
        });
        match turned {
            Some(values) => op.set_attribute(name, floats(op.context(), &values)?),
            None => drop(op.remove_attribute(name)),
        }
    }
    Ok(())
}
