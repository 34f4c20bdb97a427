//! Element-wise operators on codes. Invariant: operands are brought to 32 bits, where nothing is lost, and the result is rounded once
//! as the kernel does.

use super::{Factor, HIGHEST, LOWEST, single};
use crate::tosa::{Builder, Codes, Elem, Fault, Id, Rescale};

/// The codes that a fused activation leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// The lowest code.
    pub(crate) min: i64,
    /// The highest code.
    pub(crate) max: i64,
}

impl Range {
    /// All codes.
    pub(crate) const ALL: Self = Range { min: LOWEST, max: HIGHEST };

    /// The codes of the real numbers from `min` to `max`, where given.
    pub(crate) fn of(codes: Codes, min: Option<f32>, max: Option<f32>) -> Self {
        let scale = single(codes.scale);
        #[allow(clippy::cast_possible_truncation, reason = "saturates, and is clamped")]
        let code = |real: f32| i64::from(codes.zero_point).saturating_add((real / scale).round() as i64);
        Range {
            min: min.map_or(LOWEST, |real| code(real).clamp(LOWEST, HIGHEST)),
            max: max.map_or(HIGHEST, |real| code(real).clamp(LOWEST, HIGHEST)),
        }
    }

    /// Clamps to this range, unless it is all codes.
    pub(crate) fn clamp(self, build: &mut Builder, x: Id) -> Result<Id, Fault> {
        if self == Range::ALL { Ok(x) } else { build.clamp(x, self.min, self.max.max(self.min)) }
    }
}

/// `rescale` by one factor; of a constant, a constant.
fn rescale(build: &mut Builder, x: Id, factor: Factor, to: Elem, zero_points: [i32; 2]) -> Result<Id, Fault> {
    let scale = factor.scale()?;
    if to == Elem::I32
        && let Some(constant) = build.graph().constant(x)
        && let Some(codes) = constant.ints()
    {
        let shape = constant.shape.to_vec();
        let value =
            |code: i64| i32::try_from(code - i64::from(zero_points[0])).map(|x| factor.apply(x).into());
        let values: Result<Vec<i64>, _> = codes.into_iter().map(value).collect();
        if let Ok(values) = values {
            return build.ints(to, &shape, &values);
        }
    }
    let [input_zp, output_zp] = zero_points;
    build.rescale(x, &Rescale { to, scales: vec![scale], double_round: true, input_zp, output_zp })
}

/// A factor of a power of two.
fn power(shift: i32) -> Factor {
    Factor { multiplier: 1 << 30, shift: shift + 1 }
}

/// Codes as differences from their zero point, in 32 bits, times 2^`left`.
pub(crate) fn lifted(build: &mut Builder, x: Id, zero_point: i32, left: i32) -> Result<Id, Fault> {
    rescale(build, x, power(left), Elem::I32, [zero_point, 0])
}

/// Differences of 32 bits times a factor as codes.
pub(super) fn lowered(build: &mut Builder, x: Id, factor: Factor, zero_point: i32) -> Result<Id, Fault> {
    rescale(build, x, factor, Elem::I8, [0, zero_point])
}

/// Codes of one meaning as codes of another.
pub(crate) fn requantize(build: &mut Builder, x: Id, from: Codes, to: Codes) -> Result<Id, Fault> {
    if from == to {
        return Ok(x);
    }
    let factor = Factor::of(from.scale / to.scale)?;
    rescale(build, x, factor, Elem::I8, [from.zero_point, to.zero_point])
}

/// A sum, or a difference; scales are brought to twice the larger one, with 20 bits behind the point.
pub(crate) fn add(
    build: &mut Builder,
    [a, b]: [Id; 2],
    [a_codes, b_codes, to]: [Codes; 3],
    subtract: bool,
) -> Result<Id, Fault> {
    let twice = 2.0 * a_codes.scale.max(b_codes.scale);
    let unit = f64::from(1 << 20);
    // The kernel of SUB divides in f32, that of ADD in f64.
    let (ratio, out): (fn(f64, f64) -> f64, f64) = if subtract {
        #[allow(clippy::cast_possible_truncation, reason = "2^20 is exact")]
        let step = unit as f32 * single(to.scale);
        (|a, b| f64::from(single(a) / single(b)), f64::from(single(twice) / step))
    } else {
        (|a, b| a / b, twice / (unit * to.scale))
    };
    let mut side = |x: Id, codes: Codes| -> Result<Id, Fault> {
        let factor = Factor::of(ratio(codes.scale, twice))?;
        if factor == power(-1) {
            return lifted(build, x, codes.zero_point, 19);
        }
        let fine = lifted(build, x, codes.zero_point, 20)?;
        rescale(build, fine, factor, Elem::I32, [0, 0])
    };
    let (a, b) = (side(a, a_codes)?, side(b, b_codes)?);
    let sum = build.binary(if subtract { "sub" } else { "add" }, a, b)?;
    lowered(build, sum, Factor::of(out)?, to.zero_point)
}

/// A product.
pub(crate) fn mul(
    build: &mut Builder,
    [a, b]: [Id; 2],
    [a_codes, b_codes, to]: [Codes; 3],
) -> Result<Id, Fault> {
    let factor = Factor::of(a_codes.scale * b_codes.scale / to.scale)?;
    let a = lifted(build, a, a_codes.zero_point, 0)?;
    let b = lifted(build, b, b_codes.zero_point, 0)?;
    let product = build.binary("mul", a, b)?;
    lowered(build, product, factor, to.zero_point)
}

/// The square of a difference; scales are brought to twice the larger one, with 7 bits behind the point.
pub(crate) fn squared_difference(
    build: &mut Builder,
    [a, b]: [Id; 2],
    [a_codes, b_codes, to]: [Codes; 3],
) -> Result<Id, Fault> {
    let twice = 2.0 * a_codes.scale.max(b_codes.scale);
    let out = twice * twice / (f64::from(1 << 14) * to.scale);
    if out >= 1.0 {
        return Err(Fault { op: "rescale", reason: format!("a factor of {out} for a squared difference") });
    }
    let mut side = |x: Id, codes: Codes| -> Result<Id, Fault> {
        let factor = Factor::of(codes.scale / twice)?;
        if factor == power(-1) {
            return lifted(build, x, codes.zero_point, 6);
        }
        let fine = lifted(build, x, codes.zero_point, 7)?;
        rescale(build, fine, factor, Elem::I32, [0, 0])
    };
    let (a, b) = (side(a, a_codes)?, side(b, b_codes)?);
    let difference = build.binary("sub", a, b)?;
    let square = build.binary("mul", difference, difference)?;
    lowered(build, square, Factor::of(out)?, to.zero_point)
}

/// The larger or smaller code: `maximum` or `minimum`.
pub(crate) fn extremum(build: &mut Builder, name: &'static str, [a, b]: [Id; 2]) -> Result<Id, Fault> {
    let (a, b) = (lifted(build, a, 0, 0)?, lifted(build, b, 0, 0)?);
    let wide = build.binary(name, a, b)?;
    lowered(build, wide, power(0), 0)
}

/// `x` for codes of 0 and more, `alpha · x` below, with a tensor of codes for alpha.
pub(crate) fn prelu(
    build: &mut Builder,
    [x, alpha]: [Id; 2],
    [x_codes, alpha_codes, to]: [Codes; 3],
) -> Result<Id, Fault> {
    let above = Factor::of(x_codes.scale / to.scale)?;
    let below = Factor::of(x_codes.scale * alpha_codes.scale / to.scale)?;
    let x = lifted(build, x, x_codes.zero_point, 0)?;
    let alpha = lifted(build, alpha, alpha_codes.zero_point, 0)?;
    let zero = build.scalar(Elem::I32, 0)?;
    let positive = build.binary("maximum", x, zero)?;
    let negative = build.binary("minimum", x, zero)?;
    let slope = build.binary("mul", negative, alpha)?;
    let positive = rescale(build, positive, above, Elem::I32, [0, 0])?;
    let negative = rescale(build, slope, below, Elem::I32, [0, 0])?;
    // One of the two is 0.
    let sum = build.binary("add", positive, negative)?;
    lowered(build, sum, power(0), to.zero_point)
}
