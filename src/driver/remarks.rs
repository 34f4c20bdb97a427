//! Remarks of passes on unchanged layers: each with its reason, or one line that counts them.
//!
//! Invariant: every remark is printed, counted, or unwanted; none is lost.

use clap::Args;
use strum_cli::{Voice, say};
use strum_ir::{Captured, Severity};
use strum_passes::strum::strum_pack::remark;
use tracing::Level;

use super::diagnostics::Origin;

/// How remarks are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remarks {
    /// Errors only.
    Silent,
    /// The number of each kind.
    Counted,
    /// Each at its location.
    Each,
}

/// Options of commands that pack weights.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Detail {
    /// List every layer that stays dense or uncorrected, with the reason, instead of a count.
    #[arg(long, short, conflicts_with = "quiet", help_heading = "Reporting")]
    pub(crate) verbose: bool,
}

impl Detail {
    /// How remarks are printed; `--log` decides if the options do not.
    pub(crate) fn remarks(self, voice: &Voice) -> Remarks {
        if self.verbose || (!voice.quiet && tracing::enabled!(Level::INFO)) {
            Remarks::Each
        } else if voice.quiet || !tracing::enabled!(Level::WARN) {
            Remarks::Silent
        } else {
            Remarks::Counted
        }
    }
}

/// Prints the diagnostics of a stage that succeeded.
pub(crate) fn tell(diagnostics: &[Captured], origin: Origin<'_>, remarks: Remarks) {
    let is_remark = |d: &&Captured| d.severity == Severity::Remark;
    match remarks {
        Remarks::Silent => origin.tell(diagnostics, true),
        Remarks::Each => origin.tell(diagnostics, false),
        Remarks::Counted => {
            let others: Vec<Captured> = diagnostics.iter().filter(|d| !is_remark(d)).cloned().collect();
            origin.tell(&others, false);
            counts(diagnostics.iter().filter(is_remark).map(|d| d.message.as_str())).iter().for_each(say);
        }
    }
}

/// A cause: the fragment of its messages, and its text on the command line.
type Cause = (&'static str, &'static str);

/// Kinds of remarks: the prefix of their messages, the text for one layer or several, and the causes.
const KINDS: [(&str, [&str; 2], &[Cause]); 2] = [
    (
        remark::DENSE,
        ["layer stays dense", "layers stay dense"],
        &[
            (remark::DEPTHWISE, "depthwise (pack them with --depthwise)"),
            (
                remark::FEW_CHANNELS,
                "fewer input channels than a block has members (pack them with --min-channels)",
            ),
            (remark::ZERO_POINT, "a weight zero point"),
            (remark::VARIABLE, "weights that are not constant"),
        ],
    ),
    (
        remark::UNCORRECTED,
        ["layer is not wholly corrected", "layers are not wholly corrected"],
        &[
            (remark::NO_RESCALE, "no rescale"),
            (remark::VARIABLE_BIAS, "a bias that is not constant"),
            (remark::NO_ROOM, "bias or scale would be out of range"),
        ],
    ),
];

/// A line for each kind of remark.
fn counts<'m>(messages: impl Iterator<Item = &'m str> + Clone) -> Vec<String> {
    let line = |(begin, [one, several], causes): &(&str, [&str; 2], &[Cause])| {
        let of_kind = || messages.clone().filter(|message| message.starts_with(begin));
        let all = of_kind().count();
        let count = |phrase: &str| of_kind().filter(|message| message.contains(phrase)).count();
        let mut parts: Vec<(usize, &str)> =
            causes.iter().map(|&(phrase, text)| (count(phrase), text)).filter(|(n, _)| *n > 0).collect();
        let known: usize = parts.iter().map(|(n, _)| n).sum();
        parts.extend((all > known).then(|| (all - known, "other reasons")));
        let layers = if all == 1 { one } else { several };
        let reasons = match parts[..] {
            [(_, only)] => only.to_owned(),
            _ => parts.iter().map(|(n, text)| format!("{n} {text}")).collect::<Vec<_>>().join(", "),
        };
        (all > 0).then(|| format!("note: {all} {layers}: {reasons}; --verbose names each"))
    };
    let other = messages.clone().filter(|m| !KINDS.iter().any(|(begin, _, _)| m.starts_with(begin))).count();
    let other = (other > 0).then(|| format!("note: {other} remarks; --verbose tells each"));
    KINDS.iter().filter_map(line).chain(other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_are_counted_by_cause() {
        let depthwise = format!("{}{}", remark::DENSE, remark::DEPTHWISE);
        let few = format!("{}3 input channels, {} 16", remark::DENSE, remark::FEW_CHANNELS);
        let bias = format!("{}{}", remark::UNCORRECTED, remark::VARIABLE_BIAS);
        let lines = |list: &[&str]| counts(list.iter().copied());
        assert!(lines(&[]).is_empty());
        assert_eq!(
            lines(&[&depthwise, &depthwise]),
            ["note: 2 layers stay dense: depthwise (pack them with --depthwise); --verbose names each"]
        );
        assert_eq!(
            lines(&[&few, &bias, &depthwise, "new"]),
            [
                "note: 2 layers stay dense: 1 depthwise (pack them with --depthwise), \
                 1 fewer input channels than a block has members (pack them with --min-channels); --verbose names each",
                "note: 1 layer is not wholly corrected: a bias that is not constant; --verbose names each",
                "note: 1 remarks; --verbose tells each",
            ]
        );
        let strange = format!("{}of its colour", remark::DENSE);
        assert_eq!(lines(&[&strange]), ["note: 1 layer stays dense: other reasons; --verbose names each"]);
    }
}
