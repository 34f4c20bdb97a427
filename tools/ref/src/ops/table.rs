//! `table`: a lookup for i8, a lookup with linear interpolation for i16.

use super::{expect_dtype, expect_rank};
use crate::arith::Watch;
use crate::{Dtype, Invalid, Tensor, require};

pub(crate) fn table(x: &Tensor, table: &Tensor, watch: &mut Watch) -> Result<Tensor, Invalid> {
    let op = "table";
    expect_dtype(op, "input", x, &[Dtype::I8, Dtype::I16])?;
    expect_dtype(op, "table", table, &[x.dtype])?;
    expect_rank(op, "table", table, 1)?;
    let entries = if x.dtype == Dtype::I8 { 256 } else { 513 };
    require(table.shape[0] == entries, op, format!("expected {entries} entries, got {}", table.shape[0]))?;
    if x.dtype == Dtype::I8 {
        return Tensor::from_fn(Dtype::I8, x.shape.clone(), |at| table.data[(x.at(at) + 128) as usize]);
    }
    Tensor::from_fn(Dtype::I32, x.shape.clone(), |at| {
        let value = x.at(at);
        // 9 bits choose the entry, 7 bits lie between it and the next; the result has 7 fractional bits more.
        let index = ((value >> 7) + 256) as usize;
        let fraction = value & 0x7f;
        let (base, next) = (table.data[index], table.data[index + 1]);
        let slope = next - base;
        watch.demand((Dtype::I16.min()..=Dtype::I16.max()).contains(&slope));
        (base << 7) + slope * fraction
    })
}
