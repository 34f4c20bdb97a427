//! The options of `strum-pack`.

use strum_ir::{Error, Options, PassOption};
use strum_quant::{Correct, Kind, Request, Select, Shape, Shift, quantize_with};

/// What can be asked for.
pub const OPTIONS: &[PassOption] = &[
    PassOption::string("method", "mip2q", "Weight format: dense, sparse, dliq or mip2q"),
    PassOption::float("p", 0.5, "Share of low members in each block; p times w is a whole number"),
    PassOption::int("w", 16, "Members of a block: 4, 8, 16 or 32"),
    PassOption::int("q", 4, "dliq: bits of a low code, 1 to 8"),
    PassOption::int("L", 7, "mip2q: largest exponent, 0 to 7"),
    PassOption::bool("zero", false, "mip2q: a spare code means 0"),
    PassOption::string("shift", "layer", "dliq: shift of the low codes: layer, channel or a number"),
    PassOption::string("select", "error", "Which members become low: error, magnitude or activation"),
    PassOption::string("correct", "none", "What is corrected by calibration: none, bias, scale or both"),
    PassOption::bool("depthwise", false, "Pack depthwise layers as well"),
    PassOption::int("min-channels", -1, "Fewest input channels of a layer that is packed; w if negative"),
    PACKING,
];

/// Where the packing file is.
pub(super) const PACKING: PassOption =
    PassOption::string("packing", "", "Packing file that says of layers how their weights are stored");

/// The options, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// What is asked of the packer; nothing for `method=dense`.
    pub(super) request: Option<Request>,
    /// What is corrected after selection.
    pub(super) correct: Correct,
    /// Pack depthwise layers as well.
    pub(super) depthwise: bool,
    /// Layers with fewer input channels stay dense.
    pub(super) min_channels: u64,
}

/// The options as the user gave them.
pub(super) struct Raw<'a> {
    pub(super) method: &'a str,
    pub(super) p: f64,
    pub(super) w: i64,
    pub(super) q: i64,
    pub(super) l: i64,
    pub(super) zero: bool,
    pub(super) shift: &'a str,
    pub(super) select: &'a str,
    pub(super) correct: &'a str,
    pub(super) depthwise: bool,
    pub(super) min_channels: i64,
}

impl Default for Raw<'_> {
    fn default() -> Self {
        Raw {
            method: "mip2q",
            p: 0.5,
            w: 16,
            q: 4,
            l: 7,
            zero: false,
            shift: "layer",
            select: "error",
            correct: "none",
            depthwise: false,
            min_channels: -1,
        }
    }
}

impl Settings {
    /// Reads the options of a run: an error of the user is inside, one of this program outside.
    pub(super) fn read(options: &Options<'_>) -> Result<Result<Self, String>, Error> {
        let raw = Raw {
            method: options.string("method")?,
            p: options.float("p")?,
            w: options.int("w")?,
            q: options.int("q")?,
            l: options.int("L")?,
            zero: options.bool("zero")?,
            shift: options.string("shift")?,
            select: options.string("select")?,
            correct: options.string("correct")?,
            depthwise: options.bool("depthwise")?,
            min_channels: options.int("min-channels")?,
        };
        Ok(raw.understand().and_then(|settings| raw.check_effect().map(|()| settings)))
    }
}

impl Raw<'_> {
    pub(super) fn understand(&self) -> Result<Settings, String> {
        let kind = Kind::from_name(self.method).map_err(|_| {
            format!("method '{}' is not known, expected dense, sparse, dliq or mip2q", self.method)
        })?;
        let byte = |name: &str, value: i64| {
            u8::try_from(value).map_err(|_| format!("{name} = {value} is not in 0 to 255"))
        };
        let w = byte("w", self.w)?;
        let request = Request {
            w,
            low: low(self.p, w)?,
            q: byte("q", self.q)?,
            l: byte("L", self.l)?,
            zero: self.zero,
            shift: self.shift()?,
            select: Select::from_name(self.select).ok_or_else(|| {
                format!("select '{}' is not known, expected error, magnitude or activation", self.select)
            })?,
            ..Request::new(kind)
        };
        let correct = Correct::from_name(self.correct).ok_or_else(|| {
            format!("correct '{}' is not known, expected none, bias, scale or both", self.correct)
        })?;
        // One weight tells whether the parameters go together.
        let one = Shape { oc: 1, kh: 1, kw: 1, ic: 1 };
        quantize_with(&[0], one, &request, Some(&[1.0])).map_err(|error| error.to_string())?;
        Ok(Settings {
            correct,
            request: (kind != Kind::Dense).then_some(request),
            depthwise: self.depthwise,
            min_channels: u64::try_from(self.min_channels).unwrap_or(w.into()),
        })
    }

    /// Refuses options that are not at their defaults and change nothing with the method.
    fn check_effect(&self) -> Result<(), String> {
        const ALL: &[&str] = &["sparse", "dliq", "mip2q"];
        let default = Raw::default();
        let list: [(&str, bool, &[&str]); 10] = [
            ("p", self.p != default.p, ALL),
            ("w", self.w != default.w, ALL),
            ("q", self.q != default.q, &["dliq"]),
            ("L", self.l != default.l, &["mip2q"]),
            ("zero", self.zero, &["mip2q"]),
            ("shift", self.shift != default.shift, &["dliq"]),
            ("select", self.select != default.select, ALL),
            ("correct", self.correct != default.correct, ALL),
            ("depthwise", self.depthwise, ALL),
            ("min-channels", self.min_channels != default.min_channels, ALL),
        ];
        match list.iter().find(|(_, given, methods)| *given && !methods.contains(&self.method)) {
            Some((name, _, methods)) => {
                let (method, useful) = (self.method, methods.join(", "));
                Err(format!("{name} has no effect with method={method}, but with {useful}"))
            }
            None => Ok(()),
        }
    }

    fn shift(&self) -> Result<Shift, String> {
        match self.shift {
            "layer" => Ok(Shift::AutoLayer),
            "channel" => Ok(Shift::AutoChannel),
            number => number
                .parse()
                .map(Shift::Fixed)
                .map_err(|_| format!("shift '{number}' is not known, expected layer, channel or a number")),
        }
    }
}

/// The number of low members, `p` times `w`.
fn low(p: f64, w: u8) -> Result<u8, String> {
    if !(0.0..=1.0).contains(&p) {
        return Err(format!("p = {p} is not in 0 to 1"));
    }
    let exact = p * f64::from(w);
    let whole = (0..=w).find(|&low| (exact - f64::from(low)).abs() < 1e-9);
    whole.ok_or_else(|| {
        let shown = (exact * 1e6).round() / 1e6;
        format!("p = {p} of w = {w} is {shown} low members, expected a whole number")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw() -> Raw<'static> {
        Raw::default()
    }

    #[test]
    fn the_defaults_are_those_of_the_options() {
        use strum_ir::OptionKind;
        let kind = |name: &str| OPTIONS.iter().find(|o| o.name == name).map(|o| o.kind).unwrap();
        let raw = raw();
        for (name, text) in
            [("method", raw.method), ("shift", raw.shift), ("select", raw.select), ("correct", raw.correct)]
        {
            assert!(matches!(kind(name), OptionKind::String(default) if default == text), "{name}");
        }
        for (name, number) in [("w", raw.w), ("q", raw.q), ("L", raw.l), ("min-channels", raw.min_channels)] {
            assert!(matches!(kind(name), OptionKind::Int(default) if default == number), "{name}");
        }
        for (name, flag) in [("zero", raw.zero), ("depthwise", raw.depthwise)] {
            assert!(matches!(kind(name), OptionKind::Bool(default) if default == flag), "{name}");
        }
        assert!(matches!(kind("p"), OptionKind::Float(default) if default == raw.p));
    }

    #[test]
    fn defaults() {
        let settings = raw().understand().unwrap();
        assert_eq!(settings.request, Some(Request::new(Kind::Mip2q)));
        assert_eq!(settings.min_channels, 16);
        let dense = Raw { method: "dense", ..raw() }.understand().unwrap();
        assert_eq!(dense.request, None);
        let asked = Raw { min_channels: 0, w: 8, ..raw() }.understand().unwrap();
        assert_eq!((asked.min_channels, asked.request.map(|r| r.low)), (0, Some(4)));
    }

    #[test]
    fn shares() {
        assert_eq!(low(0.25, 4), Ok(1));
        assert_eq!(low(0.0, 16), Ok(0));
        assert_eq!(low(1.0, 32), Ok(32));
        assert_eq!(low(0.1 + 0.2 + 0.2, 16), Ok(8));
        assert!(low(f64::NAN, 16).is_err() && low(-0.5, 16).is_err() && low(0.3, 16).is_err());
    }

    #[test]
    fn options_without_effect_are_refused() {
        let fault = |raw: Raw<'static>| raw.check_effect().unwrap_err();
        assert!(
            fault(Raw { method: "dense", p: 0.25, ..raw() }).starts_with("p has no effect with method=dense")
        );
        assert!(fault(Raw { method: "dense", depthwise: true, ..raw() }).contains("sparse, dliq, mip2q"));
        assert!(fault(Raw { method: "dense", min_channels: 0, ..raw() }).starts_with("min-channels"));
        assert!(fault(Raw { method: "sparse", q: 3, ..raw() }).ends_with("but with dliq"));
        assert!(fault(Raw { method: "dliq", l: 5, ..raw() }).starts_with("L has no effect"));
        assert!(fault(Raw { method: "mip2q", shift: "channel", ..raw() }).starts_with("shift"));
        for method in ["dense", "sparse", "dliq", "mip2q"] {
            assert_eq!(Raw { method, ..raw() }.check_effect(), Ok(()));
        }
    }

    #[test]
    fn faults_are_told() {
        let fault = |raw: Raw<'static>| raw.understand().unwrap_err();
        assert!(fault(Raw { w: 300, ..raw() }).contains("300"));
        assert!(fault(Raw { w: 12, ..raw() }).contains("12"));
        assert!(fault(Raw { l: 8, ..raw() }).contains('8'));
        assert!(fault(Raw { zero: true, ..raw() }).contains('7'));
        assert!(fault(Raw { correct: "all", ..raw() }).contains("'all'"));
        assert!(fault(Raw { select: "best", ..raw() }).contains("activation"));
        assert!(fault(Raw { method: "dliq", shift: "-1", ..raw() }).contains("'-1'"));
        assert!(fault(Raw { method: "dliq", shift: "5", ..raw() }).contains('5'));
    }
}
