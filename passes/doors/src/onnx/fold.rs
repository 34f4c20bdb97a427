//! Arithmetic on constants, mostly on shapes. Invariant: a result is exactly that of the operator, or there is none.

use super::call::{Call, Operands};
use super::movement::broadcast;
use super::node::{Node, axes_of};
use super::tensor::{Data, Kind, Tensor, volume};
use super::trouble::{Outcome, invalid, limit, unsupported};
use super::value::Value;

/// Most elements that arithmetic on constants makes; constants of a network are larger only if the file holds them, or repeats
/// one element.
const MOST: usize = 1 << 24;

/// The results of an operator of constants, if it is one of arithmetic.
pub(super) fn evaluate(call: &Call<'_>) -> Outcome<Option<Vec<Value>>> {
    let mut inputs = Vec::new();
    for input in call.inputs.iter().flatten() {
        let Value::Known(tensor) = input else { return Ok(None) };
        inputs.push(tensor.as_ref());
    }
    let result = match (call.node.kind(), inputs.as_slice()) {
        (
            "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" | "Equal" | "Greater" | "GreaterOrEqual" | "Less"
            | "LessOrEqual" | "And" | "Or",
            &[a, b],
        ) => {
            let floats = a.kind.is_float();
            match (call.node.kind(), call.node.kind() == "Mod" && call.node.flag("fmod", false)?) {
                ("Mod", false) if floats => {
                    return invalid("'Mod' of floats requires the attribute 'fmod' to be 1");
                }
                ("Mod", true) => binary("fmod", a, b)?,
                (kind, _) => binary(kind, a, b)?,
            }
        }
        ("Min" | "Max" | "Sum", [first, rest @ ..]) => {
            let kind = if call.node.kind() == "Sum" { "Add" } else { call.node.kind() };
            rest.iter().try_fold((*first).clone(), |a, b| binary(kind, &a, b))?
        }
        ("Neg" | "Abs" | "Not" | "Floor" | "Ceil" | "Sqrt" | "Reciprocal" | "Exp" | "Log", &[x]) => {
            unary(call.node.kind(), x)?
        }
        ("Where", &[condition, a, b]) => select(condition, a, b)?,
        ("Range", &[start, end, step]) => range(start, end, step)?,
        ("Size", &[x]) => Tensor::ints(&[], vec![i64::try_from(x.len()).unwrap_or(i64::MAX)]),
        ("ReduceSum" | "ReduceProd" | "ReduceMax" | "ReduceMin", &[x, ..]) if x.as_ints().is_some() => {
            let axes = axes(&call.node, call.operands(), x.shape.len())?;
            let keep = call.node.flag("keepdims", true)?;
            reduce(call.node.kind(), x, &axes, keep)?
        }
        _ => return Ok(None),
    };
    Ok(Some(vec![result.into()]))
}

/// The places of an operand's elements for a result that it is broadcast to.
fn spread(x: &Tensor, to: &[usize]) -> Outcome<Tensor> {
    if x.shape == to {
        return Ok(x.clone());
    }
    let missing = to.len().saturating_sub(x.shape.len());
    let shape: Vec<usize> = vec![1; missing].into_iter().chain(x.shape.iter().copied()).collect();
    let raised = Tensor { shape: shape.clone(), ..x.clone() };
    let positions: Vec<Vec<usize>> =
        shape.iter().zip(to).map(|(&d, &n)| (0..n).map(|i| if d == 1 { 0 } else { i }).collect()).collect();
    raised.pick(&positions)
}

/// A function of two numbers; `None` where it has no value.
fn of_ints(kind: &str, a: i64, b: i64) -> Option<i64> {
    Some(match kind {
        "Add" => a.checked_add(b)?,
        "Sub" => a.checked_sub(b)?,
        "Mul" => a.checked_mul(b)?,
        "Div" => a.checked_div(b)?,
        // The sign is that of the divisor.
        "Mod" => a.checked_rem(b).map(|r| if r != 0 && (r < 0) != (b < 0) { r + b } else { r })?,
        // The sign is that of the dividend.
        "fmod" => a.checked_rem(b)?,
        "Pow" => a.checked_pow(u32::try_from(b).ok()?)?,
        "Min" => a.min(b),
        "Max" => a.max(b),
        "Equal" => (a == b).into(),
        "Greater" => (a > b).into(),
        "GreaterOrEqual" => (a >= b).into(),
        "Less" => (a < b).into(),
        "LessOrEqual" => (a <= b).into(),
        "And" => (a != 0 && b != 0).into(),
        "Or" => (a != 0 || b != 0).into(),
        _ => return None,
    })
}

fn of_floats(kind: &str, a: f32, b: f32) -> Option<f32> {
    Some(match kind {
        "Add" => a + b,
        "Sub" => a - b,
        "Mul" => a * b,
        "Div" => a / b,
        "fmod" => a % b,
        "Pow" => a.powf(b),
        // NaN is kept.
        "Min" => {
            if a.is_nan() || a < b {
                a
            } else {
                b
            }
        }
        "Max" => {
            if a.is_nan() || a > b {
                a
            } else {
                b
            }
        }
        "Equal" => f32::from(u8::from(a == b)),
        "Greater" => f32::from(u8::from(a > b)),
        "GreaterOrEqual" => f32::from(u8::from(a >= b)),
        "Less" => f32::from(u8::from(a < b)),
        "LessOrEqual" => f32::from(u8::from(a <= b)),
        _ => return None,
    })
}

fn binary(kind: &str, a: &Tensor, b: &Tensor) -> Outcome<Tensor> {
    let shape = broadcast(&a.shape, &b.shape)?;
    if volume(&shape)? > MOST {
        return limit(format!("arithmetic on constants of shape {shape:?}, of more than {MOST} elements"));
    }
    let (x, y) = (spread(a, &shape)?, spread(b, &shape)?);
    let relation =
        matches!(kind, "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "And" | "Or");
    let data = match (&x.data, &y.data) {
        (Data::Ints(x), Data::Ints(y)) => {
            let ints: Option<Vec<i64>> = x.iter().zip(y).map(|(&a, &b)| of_ints(kind, a, b)).collect();
            let (least, most) = a.kind.range();
            ints.filter(|all| all.iter().all(|i| (least..=most).contains(i))).map(Data::Ints)
        }
        (Data::Floats(x), Data::Floats(y)) => {
            let floats: Option<Vec<f32>> = x.iter().zip(y).map(|(&a, &b)| of_floats(kind, a, b)).collect();
            floats.map(Data::Floats)
        }
        _ => None,
    };
    match data {
        Some(Data::Floats(floats)) if relation => {
            let ints = floats.iter().map(|&f| (f != 0.0).into()).collect();
            Ok(Tensor { shape, kind: Kind::Bool, data: Data::Ints(ints) })
        }
        Some(data) => Ok(Tensor { shape, kind: if relation { Kind::Bool } else { a.kind }, data }),
        None => {
            invalid(format!("'{kind}' of constants of {} and {} has no value", a.kind.name(), b.kind.name()))
        }
    }
}

fn unary(kind: &str, x: &Tensor) -> Outcome<Tensor> {
    let data = match &x.data {
        Data::Ints(ints) => {
            let each = |&i: &i64| match kind {
                "Neg" => i.checked_neg(),
                "Abs" => i.checked_abs(),
                "Not" => Some((i == 0).into()),
                _ => None,
            };
            ints.iter().map(each).collect::<Option<_>>().map(Data::Ints)
        }
        Data::Floats(floats) => {
            let each = |&x: &f32| match kind {
                "Neg" => Some(-x),
                "Abs" => Some(x.abs()),
                "Floor" => Some(x.floor()),
                "Ceil" => Some(x.ceil()),
                "Sqrt" => Some(x.sqrt()),
                "Reciprocal" => Some(x.recip()),
                "Exp" => Some(x.exp()),
                "Log" => Some(x.ln()),
                _ => None,
            };
            floats.iter().map(each).collect::<Option<_>>().map(Data::Floats)
        }
    };
    match data {
        Some(data) => Ok(Tensor { shape: x.shape.clone(), kind: x.kind, data }),
        None => invalid(format!("'{kind}' of constants of {0} and {0} has no value", x.kind.name())),
    }
}

fn select(condition: &Tensor, a: &Tensor, b: &Tensor) -> Outcome<Tensor> {
    if condition.kind != Kind::Bool {
        return invalid(format!("the condition must be of bool, got {}", condition.kind.name()));
    }
    let shape = broadcast(&broadcast(&a.shape, &b.shape)?, &condition.shape)?;
    if volume(&shape)? > MOST {
        return limit(format!("arithmetic on constants of shape {shape:?}, of more than {MOST} elements"));
    }
    let (c, x, y) = (spread(condition, &shape)?, spread(a, &shape)?, spread(b, &shape)?);
    let chosen = c.as_ints().unwrap_or_default();
    fn pick<T: Copy>(c: &[i64], x: &[T], y: &[T]) -> Vec<T> {
        c.iter().zip(x.iter().zip(y)).map(|(&c, (&x, &y))| if c != 0 { x } else { y }).collect()
    }
    let data = match (&x.data, &y.data) {
        (Data::Ints(x), Data::Ints(y)) if a.kind == b.kind => Data::Ints(pick(chosen, x, y)),
        (Data::Floats(x), Data::Floats(y)) => Data::Floats(pick(chosen, x, y)),
        _ => return invalid(format!("a choice between {} and {}", a.kind.name(), b.kind.name())),
    };
    Ok(Tensor { shape, kind: a.kind, data })
}

fn range(start: &Tensor, end: &Tensor, step: &Tensor) -> Outcome<Tensor> {
    let many = || limit(format!("a range of more than {MOST} elements"));
    match (&start.data, &end.data, &step.data) {
        (Data::Ints(a), Data::Ints(b), Data::Ints(c)) => {
            let (&[a], &[b], &[c]) = (&a[..], &b[..], &c[..]) else { return invalid("a range of lists") };
            let count = i128::from(b) - i128::from(a);
            let step = i128::from(c);
            if step == 0 {
                return invalid("a range of step 0");
            }
            let count = (count.div_euclid(step) + i128::from(step > 0 && count.rem_euclid(step) != 0)).max(0);
            let Some(count) = usize::try_from(count).ok().filter(|&n| n <= MOST) else { return many() };
            let ints = (0..count).map(|i| a.saturating_add(c.saturating_mul(i64::try_from(i).unwrap_or(0))));
            Ok(Tensor { kind: start.kind, ..Tensor::ints(&[count], ints.collect()) })
        }
        (Data::Floats(a), Data::Floats(b), Data::Floats(c)) => {
            let (&[a], &[b], &[c]) = (&a[..], &b[..], &c[..]) else { return invalid("a range of lists") };
            let count = ((f64::from(b) - f64::from(a)) / f64::from(c)).ceil().max(0.0);
            if !count.is_finite() {
                return invalid("a range of step 0");
            }
            #[allow(clippy::cast_precision_loss, reason = "the limit is far below 2^52")]
            if count > MOST as f64 {
                return many();
            }
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 0 and the limit"
            )]
            let count = count as usize;
            #[allow(clippy::cast_precision_loss, reason = "as ONNX defines it")]
            let floats = (0..count).map(|i| a + c * i as f32).collect();
            Ok(Tensor::floats(&[count], floats))
        }
        _ => invalid("a range of mixed types"),
    }
}

fn reduce(kind: &str, x: &Tensor, axes: &[usize], keep: bool) -> Outcome<Tensor> {
    let kept: Vec<usize> =
        x.shape.iter().enumerate().map(|(axis, &d)| if axes.contains(&axis) { 1 } else { d }).collect();
    let count = volume(&kept)?;
    let mut all: Vec<Option<i64>> = vec![None; count];
    let ints = x.as_ints().unwrap_or_default();
    let mut index = vec![0; x.shape.len()];
    for &value in ints {
        let place = index.iter().zip(&kept).fold(0, |place, (&i, &d)| place * d + if d == 1 { 0 } else { i });
        if let Some(slot) = all.get_mut(place) {
            let merged = slot.map_or(Some(value), |known| match kind {
                "ReduceSum" => known.checked_add(value),
                "ReduceProd" => known.checked_mul(value),
                "ReduceMax" => Some(known.max(value)),
                _ => Some(known.min(value)),
            });
            if merged.is_none() {
                return invalid(format!("'{kind}' of constants of {0} and {0} has no value", x.kind.name()));
            }
            *slot = merged;
        }
        for (i, &d) in index.iter_mut().zip(&x.shape).rev() {
            *i += 1;
            if *i < d {
                break;
            }
            *i = 0;
        }
    }
    let identity = match kind {
        "ReduceSum" => Some(0),
        "ReduceProd" => Some(1),
        _ => None,
    };
    let Some(ints) = all.into_iter().map(|value| value.or(identity)).collect() else {
        return invalid("the greatest or least of nothing");
    };
    let shape = if keep {
        kept
    } else {
        x.shape.iter().enumerate().filter(|(axis, _)| !axes.contains(axis)).map(|(_, &d)| d).collect()
    };
    Ok(Tensor { shape, kind: x.kind, data: Data::Ints(ints) })
}

/// A conversion of constants.
pub(super) fn cast(x: &Tensor, to: Kind) -> Outcome<Tensor> {
    let data = match (&x.data, to) {
        (Data::Floats(floats), to) if to.is_float() => Data::Floats(floats.clone()),
        (Data::Ints(_), to) if to.is_float() => Data::Floats(x.to_floats()),
        (Data::Floats(floats), Kind::Bool) => Data::Ints(floats.iter().map(|&f| (f != 0.0).into()).collect()),
        (Data::Ints(ints), Kind::Bool) => Data::Ints(ints.iter().map(|&i| (i != 0).into()).collect()),
        #[allow(
            clippy::cast_possible_truncation,
            reason = "towards 0, as ONNX defines it; the range is checked below"
        )]
        (Data::Floats(floats), _) => Data::Ints(floats.iter().map(|&f| f as i64).collect()),
        (Data::Ints(ints), _) => Data::Ints(ints.clone()),
    };
    let (least, most) = to.range();
    if let Data::Ints(ints) = &data
        && ints.iter().any(|i| !(least..=most).contains(i))
    {
        return unsupported(format!("a constant that {} cannot hold", to.name()));
    }
    Ok(Tensor { shape: x.shape.clone(), kind: to, data })
}

/// The axes of a reduction, from the attribute or operand 1; if none are given, all, or none with `noop_with_empty_axes`.
pub(super) fn axes(node: &Node<'_>, operands: Operands<'_>, rank: usize) -> Outcome<Vec<usize>> {
    let nothing = node.flag("noop_with_empty_axes", false)?;
    let given = match node.ints("axes") {
        Some(axes) => Some(axes.to_vec()),
        None => operands.optional_ints(1)?,
    };
    match given {
        Some(axes) if !axes.is_empty() => axes_of(&axes, rank),
        _ if nothing => Ok(Vec::new()),
        _ => Ok((0..rank).collect()),
    }
}
