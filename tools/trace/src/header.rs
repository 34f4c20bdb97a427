//! The header of a section: the machine, the layer and its tile, the schedule, and the size of records.
//!
//! Invariant: a header that was read fits its machine; sizes of records are those that its format and lanes give.

use dpu_isa::{ConvInv, Instr, Machine, Manifest, Method, Stationary, WeightFormat};
use serde::{Deserialize, Serialize};

use crate::{SCHEMA, TraceError, VERSION};

/// Maximum bytes of a header's line.
pub const MAX_HEADER: usize = 1 << 20;

/// What the vectors of a section belong to: one tile of a convolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The machine whose PEs were traced.
    pub machine: Machine,
    /// Provenance of the program.
    pub manifest: Manifest,
    /// Name of the layer; empty if the instruction belongs to none.
    pub layer: String,
    /// Where the tile comes from.
    pub source: Source,
    /// The convolution.
    pub conv: Conv,
    /// The tile.
    pub tile: Tile,
    /// Channels of a vector: `lanes` with plain weights, otherwise whole blocks, at least one and as many as fit `lanes`.
    pub vector: u32,
    /// Bytes of the stored weights of a vector.
    pub word_bytes: u32,
    /// The traced PEs in ascending order.
    pub pes: Vec<u16>,
    /// Maximum number of vectors of a layer and PE.
    pub limit: u64,
    /// Products of the whole tile, in all PEs, whose activation equals the zero point, those with low members that are dropped
    /// included; absent from traces of older versions.
    pub act_zero: Option<u64>,
}

/// The origin of a tile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Operation of the layer; empty if unknown.
    pub op: String,
    /// Its source location; empty if unknown.
    pub location: String,
    /// Position of the instruction in the program.
    pub instruction: u64,
    /// Number of the tile among those of its layer, from 0, in the order of execution.
    pub number: u32,
}

/// The convolution: fields of `conv_inv`, with the block that is in effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the instruction")]
pub struct Conv {
    pub method: Method,
    pub block: u8,
    pub low: u8,
    pub param: u8,
    pub zero: bool,
    pub in_zp: i16,
    pub wt_zp: i16,
    pub stationary: Stationary,
    pub fold: bool,
    pub sched_oc: u16,
    pub sched_oy: u16,
    pub sched_ox: u16,
    pub sched_ic: u16,
    pub block_oc: u16,
    pub block_oy: u16,
    pub block_ox: u16,
}

/// The tile: fields of `conv_var`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of the instruction")]
pub struct Tile {
    pub in_c: u32,
    pub kernel_h: u16,
    pub kernel_w: u16,
    pub out_h: u32,
    pub out_w: u32,
    pub out_c: u32,
    pub acc_in: bool,
    pub acc_out: bool,
}

impl Tile {
    /// Multiply-accumulates, at most `u64::MAX`.
    fn products(&self) -> u64 {
        let taps = u64::from(self.kernel_h) * u64::from(self.kernel_w);
        [self.in_c, self.out_h, self.out_w, self.out_c]
            .into_iter()
            .fold(taps, |products, extent| products.saturating_mul(extent.into()))
    }
}

impl Conv {
    /// Channels of a vector on a machine with this many lanes.
    #[must_use]
    pub fn vector(&self, lanes: u32) -> u32 {
        let block = u32::from(self.block.max(1));
        if self.method.is_packed() { block * (lanes / block).max(1) } else { lanes }
    }

    /// Bytes of the stored weights of a vector on a machine with this many lanes.
    #[must_use]
    pub fn word_bytes(&self, lanes: u32) -> u32 {
        let block = u32::from(self.block.max(1));
        if !self.method.is_packed() {
            return lanes;
        }
        let bits = u32::try_from(self.format().block_bits()).unwrap_or(u32::MAX);
        bits.saturating_mul(self.vector(lanes) / block).div_ceil(8)
    }

    /// The format of the weights.
    #[must_use]
    pub fn format(&self) -> WeightFormat {
        WeightFormat { method: self.method, block: self.block, low: self.low, param: self.param }
    }
}

/// The header as JSON. Unknown fields are ignored: new ones do not change the version.
#[derive(Serialize, Deserialize)]
struct Line {
    schema: String,
    version: u32,
    layer: String,
    source: Source,
    conv: ConvLine,
    tile: Tile,
    lanes: u32,
    vector: u32,
    word_bytes: u32,
    pes: Vec<u16>,
    limit: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    act_zero: Option<u64>,
    machine: String,
    machine_fingerprint: String,
    program: ProgramLine,
}

#[derive(Serialize, Deserialize)]
struct ProgramLine {
    tool: String,
    pipeline: String,
    input_sha256: String,
}

#[derive(Serialize, Deserialize)]
struct ConvLine {
    method: String,
    block: u8,
    low: u8,
    param: u8,
    zero: bool,
    in_zp: i16,
    wt_zp: i16,
    stationary: String,
    fold: bool,
    sched_oc: u16,
    sched_oy: u16,
    sched_ox: u16,
    sched_ic: u16,
    block_oc: u16,
    block_oy: u16,
    block_ox: u16,
}

impl From<&Conv> for ConvLine {
    fn from(conv: &Conv) -> ConvLine {
        let Conv { block, low, param, zero, in_zp, wt_zp, fold, .. } = *conv;
        let Conv { sched_oc, sched_oy, sched_ox, sched_ic, block_oc, block_oy, block_ox, .. } = *conv;
        ConvLine {
            method: conv.method.name().to_owned(),
            stationary: conv.stationary.name().to_owned(),
            block,
            low,
            param,
            zero,
            in_zp,
            wt_zp,
            fold,
            sched_oc,
            sched_oy,
            sched_ox,
            sched_ic,
            block_oc,
            block_oy,
            block_ox,
        }
    }
}

impl ConvLine {
    /// The convolution, if its fields are in the ranges of the instruction.
    fn conv(&self) -> Result<Conv, String> {
        let ConvLine { block, low, param, zero, in_zp, wt_zp, fold, .. } = *self;
        let ConvLine { sched_oc, sched_oy, sched_ox, sched_ic, block_oc, block_oy, block_ox, .. } = *self;
        let unknown = |field: &str, name: &str| format!("unknown {field} '{name}'");
        let method = Method::from_name(&self.method).ok_or_else(|| unknown("method", &self.method))?;
        let stationary = Stationary::from_name(&self.stationary)
            .ok_or_else(|| unknown("stationary operand", &self.stationary))?;
        // The ranges are those of the instruction's fields.
        let fields = ConvInv {
            method,
            block,
            low,
            param,
            zero,
            in_zp,
            wt_zp,
            stationary,
            fold,
            sched_oc,
            sched_oy,
            sched_ox,
            sched_ic,
            ..ConvInv::default()
        };
        Instr::from(fields).check_fields().map_err(|error| error.to_string())?;
        if low > block || method != Method::Dense && wt_zp != 0 || [block_oc, block_oy, block_ox].contains(&0)
        {
            return Err(format!(
                "low = {low} of {block}, wt_zp = {wt_zp} and blocks of {block_oc} x {block_oy} x {block_ox} contradict \
                 method '{method}'"
            ));
        }
        Ok(Conv {
            method,
            block,
            low,
            param,
            zero,
            in_zp,
            wt_zp,
            stationary,
            fold,
            sched_oc,
            sched_oy,
            sched_ox,
            sched_ic,
            block_oc,
            block_oy,
            block_ox,
        })
    }
}

impl Header {
    /// The header as a line of JSON, with its end.
    pub(crate) fn line(&self) -> Result<String, TraceError> {
        let Manifest { tool, pipeline, input_sha256 } = self.manifest.clone();
        let line = Line {
            schema: SCHEMA.to_owned(),
            version: VERSION,
            layer: self.layer.clone(),
            source: self.source.clone(),
            conv: ConvLine::from(&self.conv),
            tile: self.tile,
            lanes: self.machine.lanes,
            vector: self.vector,
            word_bytes: self.word_bytes,
            pes: self.pes.clone(),
            limit: self.limit,
            act_zero: self.act_zero,
            machine: self.machine.canonical(),
            machine_fingerprint: self.machine.fingerprint(),
            program: ProgramLine { tool, pipeline, input_sha256 },
        };
        Ok(serde_json::to_string(&line).map_err(std::io::Error::from)? + "\n")
    }

    /// The header of a line, in this section.
    pub(crate) fn parse(line: &[u8], section: u64) -> Result<Header, TraceError> {
        let value: serde_json::Value = serde_json::from_slice(line)
            .map_err(|error| TraceError::NotATrace { found: format!("found none: {error}") })?;
        let schema = value.get("schema").and_then(|s| s.as_str());
        if schema != Some(SCHEMA) {
            let found = schema.map_or_else(|| "found none".to_owned(), |name| format!("found '{name}'"));
            return Err(TraceError::NotATrace { found });
        }
        match value.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => return Err(TraceError::Version(version)),
            None => return Err(TraceError::Header { section, reason: "no 'version'".to_owned() }),
        }
        Header::of(value).map_err(|reason| TraceError::Header { section, reason })
    }

    fn of(value: serde_json::Value) -> Result<Header, String> {
        let line: Line = serde_json::from_value(value).map_err(|error| error.to_string())?;
        let machine = Machine::from_toml(&line.machine).map_err(|error| format!("machine: {error}"))?;
        let (got, want) = (&line.machine_fingerprint, machine.fingerprint());
        if *got != want {
            return Err(format!("machine_fingerprint {got} is not that of the machine, {want}"));
        }
        let conv = line.conv.conv()?;
        let sizes = [machine.lanes, conv.vector(machine.lanes), conv.word_bytes(machine.lanes)];
        if [line.lanes, line.vector, line.word_bytes] != sizes {
            let (got, want) = ([line.lanes, line.vector, line.word_bytes], sizes);
            return Err(format!(
                "lanes, vector and word_bytes are {got:?}, machine and method give {want:?}"
            ));
        }
        let products = line.tile.products();
        if let Some(zeros) = line.act_zero.filter(|&zeros| zeros > products) {
            return Err(format!("act_zero = {zeros} of {products} products of the tile"));
        }
        let ProgramLine { tool, pipeline, input_sha256 } = line.program;
        Ok(Header {
            machine,
            manifest: Manifest { tool, pipeline, input_sha256 },
            layer: line.layer,
            source: line.source,
            conv,
            tile: line.tile,
            vector: line.vector,
            word_bytes: line.word_bytes,
            pes: line.pes,
            limit: line.limit,
            act_zero: line.act_zero,
        })
    }
}
