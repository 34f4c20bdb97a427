//! Post-processing and input stages as TOSA ops.
//!
//! TOSA's `rescale` allows a zero point only for 8-bit values (and 0 or 32768 for unsigned 16-bit ones), and unsigned values
//! never together with 32-bit ones. Other cases are written as several ops that give the same bits.

use strum_ir::strum::{Ppe, Rescale};
use strum_ir::{Error, Value};

use crate::common::tosa::build::{Builder, RescaleSpec};
use crate::common::tosa::elem::Elem;
use crate::common::tosa::literal::Literal;
use crate::common::tosa::view;

/// The post-processing of a layer's 32-bit values, to the type of `result`.
pub(super) fn process<'c>(
    build: &mut Builder<'c>,
    value: Value<'c>,
    ppe: Option<&Ppe>,
    result: Value<'c>,
) -> Result<Value<'c>, Error> {
    let Some(ppe) = ppe else { return Ok(value) };
    let elem = view::elem(result).ok_or_else(|| Error::Type(result.ty().to_string()))?;
    let scaled = scaled(build, value, ppe, elem)?;
    match &ppe.table {
        Some(table) => build.table(scaled, table),
        None => Ok(scaled),
    }
}

/// Scale, zero point, clamp and store.
fn scaled<'c>(build: &mut Builder<'c>, value: Value<'c>, ppe: &Ppe, elem: Elem) -> Result<Value<'c>, Error> {
    let shifts: Vec<i32> = ppe.shift.iter().map(|&s| s.into()).collect();
    let spec = RescaleSpec {
        output: elem,
        multipliers: &ppe.multiplier,
        shifts: &shifts,
        round: ppe.round,
        output_zp: 0,
        ..RescaleSpec::unit(elem)
    };
    // An unsigned value is computed as a signed one, smaller by half of the range.
    let half = if ppe.unsigned { -elem.range().0 } else { 0 };
    let zp = ppe.zp - half;
    let clamp = (ppe.clamp.0 - half, ppe.clamp.1 - half);
    let rescale_has_it = match elem {
        Elem::I1 => false,
        Elem::I8 => true,
        Elem::I16 => zp == 0,
        Elem::I32 => zp == 0 && clamp == elem.range(),
    };
    if !rescale_has_it {
        let wide = build.rescale(value, &RescaleSpec { output: Elem::I32, ..spec })?;
        return spelled_out(build, wide, ppe, elem);
    }
    let mut scaled = build.rescale(value, &RescaleSpec { output_zp: zp, ..spec })?;
    if clamp != elem.range() {
        scaled = build.clamp(scaled, clamp.0, clamp.1)?;
    }
    if !ppe.unsigned {
        return Ok(scaled);
    }
    // Adding the half back: 8-bit values have it as the input's zero point, 16-bit ones as the output's.
    let (input_zp, output_zp) = if elem == Elem::I8 { (-half, 0) } else { (0, half) };
    build.rescale(
        scaled,
        &RescaleSpec { input_zp, output_zp, output_unsigned: true, ..RescaleSpec::unit(elem) },
    )
}

/// Zero point, clamp and store of a scaled 32-bit value, one op each.
fn spelled_out<'c>(
    build: &mut Builder<'c>,
    mut value: Value<'c>,
    ppe: &Ppe,
    elem: Elem,
) -> Result<Value<'c>, Error> {
    let steps = [
        ("tosa.add", ppe.zp, 0),
        ("tosa.maximum", ppe.clamp.0, i32::MIN),
        ("tosa.minimum", ppe.clamp.1, i32::MAX),
    ];
    for (name, operand, neutral) in steps {
        if operand != neutral {
            let operand = everywhere(build, value, operand)?;
            value = build.binary(name, &[value, operand], value.ty())?;
        }
    }
    if elem == Elem::I32 { Ok(value) } else { build.cast(value, elem) }
}

/// A 32-bit constant that broadcasts against a value.
fn everywhere<'c>(build: &mut Builder<'c>, value: Value<'c>, constant: i32) -> Result<Value<'c>, Error> {
    let rank = view::shape(value).map_or(0, |shape| shape.len());
    build.constant(Literal::splat(vec![1; rank], Elem::I32, constant))
}

/// The operand of an element-wise layer behind its input stage.
pub(super) fn stage<'c>(
    build: &mut Builder<'c>,
    mut value: Value<'c>,
    rescale: Option<Rescale>,
) -> Result<Value<'c>, Error> {
    let Some(rescale) = rescale else { return Ok(value) };
    let elem = view::elem(value).ok_or_else(|| Error::Type(value.ty().to_string()))?;
    let mut zp = rescale.zp;
    if rescale.unsigned {
        // Signed values that are smaller by half of the range, and a zero point that is, too.
        let half = -elem.range().0;
        let unit = RescaleSpec { input_zp: half, input_unsigned: true, ..RescaleSpec::unit(elem) };
        value = build.rescale(value, &unit)?;
        zp -= half;
    }
    if elem != Elem::I8 && zp != 0 {
        if elem != Elem::I32 {
            value = build.cast(value, Elem::I32)?;
        }
        let offset = everywhere(build, value, zp)?;
        value = build.binary("tosa.sub", &[value, offset], value.ty())?;
        zp = 0;
    }
    let spec = RescaleSpec {
        multipliers: &[rescale.multiplier],
        shifts: &[rescale.shift.into()],
        round: rescale.round,
        input_zp: zp,
        ..RescaleSpec::unit(Elem::I32)
    };
    build.rescale(value, &spec)
}
