//! The options of `tosa-quantize`.

use strum_float::quantize::{Activations, PERCENTILE, RoundingChoice, Storage, WeightScales};
use strum_ir::{Domain, Refused, Words, pass_options};
use strum_quant::Choice;

/// Formats that weights can be rounded for: `mip2q,L=5`.
struct Formats;

impl Domain<Option<Choice>> for Formats {
    fn read(&self, text: &str) -> Result<Option<Choice>, Refused> {
        Storage::choice(text).map(Some).map_err(Refused::Because)
    }

    fn show(&self, value: &Option<Choice>) -> String {
        value.as_ref().map(Choice::to_string).unwrap_or_default()
    }

    fn expected(&self) -> String {
        "a weight format".into()
    }

    fn value_name(&self) -> String {
        "format".into()
    }
}

pass_options! {
    /// The pass.
    pub struct TosaQuantize {
        calibration("calibration"): Option<String> = None,
            ".npy file, or FILE.npz:KEY, of samples of the only input along the first axis; random samples if empty";
        activations("activations"): Activations = Activations::Mse,
            in Words(vec![
                ("minmax", Activations::MinMax), ("percentile", Activations::Percentile), ("mse", Activations::Mse),
            ]),
            "how ranges of activations are chosen";
        percentile("percentile"): f64 = PERCENTILE, in 0.0..1.0, "share of the values that percentile clips";
        weights("weights"): WeightScales = WeightScales::PerChannel,
            in Words(vec![("per-channel", WeightScales::PerChannel), ("per-tensor", WeightScales::PerTensor)]),
            "scales of weights";
        rounding("rounding"): Option<RoundingChoice> = None,
            in Words(vec![("nearest", Some(RoundingChoice::Nearest)), ("feedback", Some(RoundingChoice::Feedback))]),
            "how weights are rounded; feedback needs calibration; nearest unless format is given";
        weight_format("format"): Option<Choice> = None, in Formats,
            "round weights with feedback to values that this format holds exactly, such as mip2q,L=5";
        bias_correction("bias-correction"): bool = false, "correct each bias for the mean shift that weight rounding causes";
        equalize("equalize"): bool = false,
            "equalize weight ranges across consecutive layers";
    }
}
