//! Designs and operands that several tests use.

use dpu_isa::{Machine, PeKind};
use dpu_rtl::spec::{Level, Multiplier, Spec, Structure};
use strum_formats::{DliqShift, Format, Method};
use strum_ref::lane::Low;

/// Formats of every method, share and block that the generator builds for eight lanes.
pub fn formats() -> Vec<Format> {
    let mip2q = |l, zero| Method::Mip2q { l, zero };
    let dliq = |q| Method::Dliq { q, shift: DliqShift::PerChannel };
    let mut list = Vec::new();
    for w in [4, 8, 16, 32] {
        for quarter in [1, 2, 3] {
            list.push(Format { w, low: w / 4 * quarter, method: mip2q(7, false) });
        }
    }
    for l in 0..7 {
        list.push(Format { w: 16, low: 8, method: mip2q(l, false) });
        if !matches!(l, 0 | 1 | 3) {
            list.push(Format { w: 16, low: 8, method: mip2q(l, true) });
        }
    }
    for q in 1..=8 {
        list.push(Format { w: 16, low: 8, method: dliq(q) });
    }
    list.push(Format { w: 8, low: 6, method: dliq(3) });
    list.push(Format { w: 16, low: 8, method: Method::Sparse });
    list.push(Format { w: 4, low: 1, method: Method::Sparse });
    list
}

/// Every design of this level and structure, without variants of register files.
pub fn specs(level: Level) -> Vec<Spec> {
    let mut list = Vec::new();
    for structure in [Structure::Plain, Structure::Merged, Structure::Pipelined] {
        for multiplier in [Multiplier::Booth, Multiplier::Array] {
            for kind in [PeKind::Dense, PeKind::StrumDynamic, PeKind::StrumStatic] {
                let formats = if kind == PeKind::Dense { vec![Format::DENSE] } else { formats() };
                for format in formats {
                    let machine = Machine { pe_kind: kind, ..Machine::flexnn_16x16() };
                    list.push(Spec { level, structure, multiplier, ..Spec::of(&machine, format) });
                }
            }
        }
    }
    list
}

/// How the reference reads the low codes of a design, with this shift.
pub fn low(spec: &Spec, shift: u32) -> Low {
    match spec.format.method {
        Method::Mip2q { l, zero } => Low::Power { greatest: l.into(), zero },
        Method::Dliq { q, .. } => Low::Integer { bits: q.into(), shift },
        _ => Low::Zero,
    }
}
