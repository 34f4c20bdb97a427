//! Drives designs with PE traces: from the vectors of a traced PE to the values of a design's input ports, cycle by cycle.
//!
//! What `acc_out` must hold is what the simulator computed: after each vector, the accumulator of the trace.

mod bits;
mod column;
mod error;
mod levels;
mod lockstep;
mod operands;
mod schedule;
mod skip;
mod timeline;

use std::collections::BTreeMap;
use std::io::Read;

use dpu_trace::{Header, Reader, Vector};

pub(crate) use bits::Bits;
pub use column::column_sections;
pub use error::DriveError;
pub(crate) use levels::counted;
pub use levels::stimulus;
pub(crate) use operands::{Step, format_of, same_format};
pub(crate) use schedule::Schedule;

use crate::spec::Spec;

/// The vectors of one PE in one tile.
#[derive(Clone, Debug)]
pub struct Section {
    /// The tile, its layer and its machine.
    pub header: Header,
    /// The vectors in order.
    pub vectors: Vec<Vector>,
}

/// Reads the vectors of one PE, at most `limit` in all.
///
/// # Errors
/// When the trace cannot be read, or has no vector of this PE.
pub fn sections(trace: impl Read, pe: u16, limit: usize) -> Result<Vec<Section>, DriveError> {
    let mut reader = Reader::new(trace)?;
    let mut list = Vec::new();
    let mut left = limit;
    loop {
        let header = reader.header().clone();
        let mut vectors = Vec::new();
        for vector in reader.by_ref() {
            let vector = vector?;
            if vector.pe == pe && left > 0 {
                left -= 1;
                vectors.push(vector);
            }
        }
        if !vectors.is_empty() {
            list.push(Section { header, vectors });
        }
        if left == 0 || !reader.next_section()? {
            break;
        }
    }
    if list.is_empty() { Err(DriveError::NoVector(pe)) } else { Ok(list) }
}

/// Reads the layers of a trace: for each, its tiles and traced PEs one after another, at most `limit` vectors in all, of every
/// tile and PE an equal part.
///
/// # Errors
/// When the trace cannot be read.
pub fn layers(trace: impl Read, limit: usize) -> Result<Vec<Vec<Section>>, DriveError> {
    let mut reader = Reader::new(trace)?;
    let mut list: Vec<Vec<Section>> = Vec::new();
    loop {
        let header = reader.header().clone();
        let mut pes: BTreeMap<u16, Vec<Vector>> = BTreeMap::new();
        for vector in reader.by_ref() {
            let vector = vector?;
            let own = pes.entry(vector.pe).or_default();
            // A layer is cut further below, once its tiles are known.
            if own.len() < limit {
                own.push(vector);
            }
        }
        let sections = pes.into_values().map(|vectors| Section { header: header.clone(), vectors });
        match list.last_mut() {
            Some(layer) if layer.first().is_some_and(|s| s.header.layer == header.layer) => {
                layer.extend(sections)
            }
            _ => list.push(sections.collect()),
        }
        if !reader.next_section()? {
            break;
        }
    }
    for layer in &mut list {
        let each = (limit / layer.len().max(1)).max(1);
        layer.iter_mut().for_each(|section| section.vectors.truncate(each));
    }
    list.retain(|layer| !layer.is_empty());
    Ok(list)
}

/// Checks that a design can compute what was traced.
fn check(spec: &Spec, header: &Header) -> Result<(), DriveError> {
    let (conv, machine) = (&header.conv, &header.machine);
    if machine.lanes != spec.lanes {
        return Err(DriveError::Lanes { trace: machine.lanes, design: spec.lanes });
    }
    if conv.wt_zp != 0 {
        return Err(DriveError::WeightZeroPoint { layer: header.layer.clone(), zero_point: conv.wt_zp });
    }
    match format_of(conv) {
        Some(format) if spec.packed() && !same_format(&format, &spec.format) => {
            let name = |format: &strum_formats::Format| {
                let fields = format.instr_fields();
                let method = format.method.kind().name();
                format!("{method} w={} low={} parameter={}", format.w, format.low, fields.param)
            };
            Err(DriveError::Format { trace: name(&format), design: name(&spec.format) })
        }
        _ => Ok(()),
    }
}
