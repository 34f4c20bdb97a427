//! Metrics of a row of outputs.

use serde::Serialize;

use crate::driver::data::Data;
use crate::driver::exit::Failure;

/// The k of the top-k accuracy.
const TOP: usize = 5;

/// The figures of one configuration. Shares are from 0 to 1.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// Correct answers, with the standard error of the share.
    pub(crate) top1: Option<f64>,
    pub(crate) top1_error: Option<f64>,
    /// Top-5 accuracy, if there are more than five classes.
    pub(crate) top5: Option<f64>,
    /// The same answer as the reference.
    pub(crate) agreement: Option<f64>,
    /// SQNR of the logits against the reference's, in dB; none if they are equal.
    pub(crate) sqnr_db: Option<f64>,
    /// SQNR of the stored weights against the INT8 weight codes, in dB; none if there is no difference.
    pub(crate) weight_sqnr_db: Option<f64>,
    /// Bytes of stored weights.
    pub(crate) weight_bytes: Option<u64>,
    /// Cycles of a sample.
    pub(crate) cycles: Option<u64>,
    /// Every layer whose stored weights differ from the INT8 codes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) layers: Vec<LayerRow>,
}

/// The metrics of one layer.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LayerRow {
    pub(crate) name: String,
    pub(crate) location: String,
    /// Shape of its weights.
    pub(crate) weights: String,
    /// Its weight format.
    pub(crate) choice: String,
    /// As for the whole network.
    pub(crate) weight_sqnr_db: Option<f64>,
    /// SQNR of the logits against INT8's with only this layer in its format, in dB; none if there is no difference.
    pub(crate) output_sqnr_db: Option<f64>,
}

impl Row {
    /// Computes the metrics of outputs, a list of logits for each sample.
    pub(crate) fn of(
        name: &str,
        logits: &[Vec<f64>],
        reference: Option<&[Vec<f64>]>,
        data: &Data,
    ) -> Result<Self, Failure> {
        let classes = logits.first().map_or(0, Vec::len);
        let rank = |list: &[f64], label: usize| {
            let own = list.get(label).copied().unwrap_or(f64::NEG_INFINITY);
            list.iter().enumerate().filter(|&(i, &x)| x > own || x == own && i < label).count()
        };
        let share = |n: usize| n as f64 / logits.len().max(1) as f64;
        let within = |labels: &[usize], most: usize| {
            share(logits.iter().zip(labels).filter(|(list, label)| rank(list, **label) < most).count())
        };
        if let Some(labels) = &data.labels
            && let Some(&label) = labels.iter().find(|&&label| label >= classes)
        {
            return Err(Failure::input(format_args!("label {label}: the network has {classes} classes")));
        }
        let labels = data.labels.as_deref();
        let top1 = labels.map(|labels| within(labels, 1));
        let agreement = reference
            .map(|other| share(logits.iter().zip(other).filter(|(a, b)| best(a) == best(b)).count()));
        Ok(Row {
            name: name.to_owned(),
            top1,
            top1_error: top1.map(|p| (p * (1.0 - p) / logits.len().max(1) as f64).sqrt()),
            top5: labels.filter(|_| classes > TOP).map(|labels| within(labels, TOP)),
            agreement,
            sqnr_db: reference.and_then(|other| sqnr(other, logits)),
            weight_sqnr_db: None,
            weight_bytes: None,
            cycles: None,
            layers: Vec::new(),
        })
    }
}

/// The index of the first maximum.
pub(crate) fn best(list: &[f64]) -> usize {
    let better =
        |best: usize, (i, x): (usize, &f64)| if list.get(best).is_none_or(|b| x > b) { i } else { best };
    list.iter().enumerate().fold(0, better)
}

/// Sums of squares of a reference, and of the differences from it.
pub(crate) fn powers(reference: &[Vec<f64>], got: &[Vec<f64>]) -> (f64, f64) {
    let pairs = reference.iter().flatten().zip(got.iter().flatten());
    pairs.fold((0.0, 0.0), |(signal, noise), (a, b)| (signal + a * a, noise + (a - b).powi(2)))
}

/// A power ratio in dB; nothing if there is no noise.
pub(crate) fn decibels((signal, noise): (f64, f64)) -> Option<f64> {
    (noise > 0.0).then(|| 10.0 * (signal / noise).log10())
}

/// Signal-to-noise ratio in dB; nothing if there is no noise.
fn sqnr(reference: &[Vec<f64>], got: &[Vec<f64>]) -> Option<f64> {
    decibels(powers(reference, got))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_greatest_is_the_answer() {
        assert_eq!(best(&[1.0, 3.0, 3.0]), 1);
        assert_eq!(best(&[-5.0]), 0);
        assert_eq!(best(&[]), 0);
    }

    #[test]
    fn decibels_are_of_powers() {
        let db = sqnr(&[vec![10.0, 0.0]], &[vec![10.0, 1.0]]).unwrap();
        assert!((db - 20.0).abs() < 1e-9);
        assert_eq!(sqnr(&[vec![1.0]], &[vec![1.0]]), None);
    }
}
