//! Operands of the search: the layers that the traces of all formats have in common.
//!
//! Invariant: for every case, each format has the same layers, in the same order, with the same tiles, PEs and schedule, and with
//! whole vectors of channels.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use dpu_isa::Machine;
use dpu_trace::Conv;
use sha2::{Digest as _, Sha256};
use strum_formats::Format;

use super::ExploreError;
use crate::drive::{self, Section};

/// A traced layer.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Network and input: what the names of its traces have before the first point.
    pub case: String,
    /// Its name.
    pub layer: String,
    /// Its vectors.
    pub sections: Vec<Section>,
    /// Products of the vectors.
    pub products: u64,
    /// SHA-256 of the trace, and what was taken of it.
    pub digest: String,
    /// Tiles, PEs and schedule: what a PE computes, in which order.
    work: String,
}

/// Channels of which every vector has a whole number, so that traces of all formats are cut at the same channel.
const WHOLE: usize = 32;

/// The layers of all formats.
#[derive(Clone, Debug)]
pub struct Operands {
    /// The machine of the first trace.
    pub machine: Machine,
    formats: Vec<Format>,
    layers: Vec<(Option<Format>, Layer)>,
}

/// The size of PEs, in words.
fn size(machine: &Machine) -> String {
    let Machine { lanes, if_rf_bytes, fl_rf_bytes, of_rf_bytes, .. } = machine;
    format!("{lanes} lanes and register files of {if_rf_bytes}, {fl_rf_bytes} and {of_rf_bytes} B")
}

impl Operands {
    /// The layers that all traces of each case have in common, at most `products` products of each. A trace is its file's name
    /// and its bytes.
    ///
    /// # Errors
    /// When a trace cannot be read, or traces do not go together.
    pub fn read(traces: &[(String, Vec<u8>)], products: usize) -> Result<Operands, ExploreError> {
        let mut machine: Option<Machine> = None;
        let mut layers: Vec<(Option<Format>, Layer)> = Vec::new();
        for (file, bytes) in traces {
            let lanes = machine.as_ref().map_or(8, |m| m.lanes as usize).max(1);
            let list = drive::layers(bytes.as_slice(), products / lanes)
                .map_err(|error| ExploreError::Trace { file: file.clone(), error: error.into() })?;
            let own = list.iter().flatten().next().map(|section| section.header.machine.clone());
            match (&machine, own) {
                (Some(first), Some(own)) if size(first) != size(&own) => {
                    let (expected, found) = (size(first), size(&own));
                    return Err(ExploreError::Machine { file: file.clone(), expected, found });
                }
                (None, own) => machine = own,
                _ => {}
            }
            take(file, bytes, list, products, &mut layers)?;
        }
        let mut formats: Vec<Format> = Vec::new();
        for format in layers.iter().filter_map(|(format, _)| *format) {
            if !formats.contains(&format) {
                formats.push(format);
            }
        }
        if !layers.iter().any(|(format, _)| format.is_none()) {
            return Err(ExploreError::NoDense);
        }
        if formats.is_empty() {
            return Err(ExploreError::NoPacked);
        }
        let cases: BTreeSet<String> = layers.iter().map(|(_, layer)| layer.case.clone()).collect();
        let mut times: BTreeMap<[String; 3], usize> = BTreeMap::new();
        let key = |l: &Layer| [l.case.clone(), l.layer.clone(), l.work.clone()];
        for (_, layer) in &layers {
            *times.entry(key(layer)).or_default() += 1;
        }
        layers.retain(|(_, layer)| times.get(&key(layer)) == Some(&(formats.len() + 1)));
        if let Some(case) = cases.into_iter().find(|case| layers.iter().all(|(_, l)| l.case != *case)) {
            return Err(ExploreError::NoLayer { case });
        }
        let machine = machine.ok_or(ExploreError::NoDense)?;
        layers.sort_by(|(_, a), (_, b)| (&a.case, natural(&a.layer)).cmp(&(&b.case, natural(&b.layer))));
        Ok(Operands { machine, formats, layers })
    }

    /// The packed formats, in order of their traces.
    #[must_use]
    pub fn formats(&self) -> &[Format] {
        &self.formats
    }

    /// The layers of a format; of plain weights without one.
    #[must_use]
    pub fn of(&self, format: Option<Format>) -> Vec<&Layer> {
        self.layers.iter().filter(|(own, _)| *own == format).map(|(_, layer)| layer).collect()
    }
}

/// What the PEs of a layer compute, in which order: without what depends on the format.
fn work(sections: &[Section]) -> String {
    let mut text = String::new();
    for Section { header, vectors } in sections {
        let Conv { stationary, sched_oc, sched_oy, sched_ox, sched_ic, .. } = header.conv;
        let Conv { block_oc, block_oy, block_ox, .. } = header.conv;
        let schedule = [sched_oc, sched_oy, sched_ox, sched_ic, block_oc, block_oy, block_ox];
        let pe = vectors.first().map(|vector| (vector.pe, vector.output));
        let _ = write!(text, "{:?} {stationary:?} {schedule:?} {pe:?};", header.tile);
    }
    text
}

/// Numbers within a name count as such, so that layer 10 comes after layer 9.
fn natural(name: &str) -> (u64, &str) {
    let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
    (digits.parse().unwrap_or(u64::MAX), name)
}

/// The whole layers of one trace, of the packed ones if there are any.
fn take(
    file: &str,
    bytes: &[u8],
    list: Vec<Vec<Section>>,
    products: usize,
    layers: &mut Vec<(Option<Format>, Layer)>,
) -> Result<(), ExploreError> {
    let name = std::path::Path::new(file).file_name().map_or(file.into(), |name| name.to_string_lossy());
    let case = name.split('.').next().unwrap_or_default().to_owned();
    let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let format_of = |layer: &[Section]| layer.first().and_then(|s| drive::format_of(&s.header.conv));
    let packed = list.iter().any(|layer| format_of(layer).is_some());
    for mut sections in list {
        let format = format_of(&sections);
        let Some(header) = sections.first().map(|section| section.header.clone()) else { continue };
        if format.is_some() != packed || !header.tile.in_c.is_multiple_of(header.vector.max(1)) {
            continue;
        }
        let each = (products / sections.len().max(1) / WHOLE).max(1) * WHOLE / header.vector.max(1) as usize;
        sections.iter_mut().for_each(|section| section.vectors.truncate(each.max(1)));
        let vectors: usize = sections.iter().map(|section| section.vectors.len()).sum();
        let layer = Layer {
            case: case.clone(),
            layer: header.layer.clone(),
            products: vectors as u64 * u64::from(header.vector),
            digest: format!("{digest} {} {vectors}", header.layer),
            work: work(&sections),
            sections,
        };
        let same = |(own, other): &(Option<Format>, Layer)| {
            *own == format && other.case == layer.case && other.layer == layer.layer
        };
        if layers.iter().any(same) {
            return Err(ExploreError::Twice {
                file: file.to_owned(),
                layer: layer.layer,
                case,
                weights: format.map_or("plain", |format| format.method.kind().name()).to_owned(),
            });
        }
        layers.push((format, layer));
    }
    Ok(())
}
