//! The machine description: one file that compiler, simulator and cost model share.
//!
//! A machine that passed [`Machine::check`] has every value inside its documented range.

use std::fmt::Write as _;

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Maximum size of a machine file in bytes.
const MAX_FILE: usize = 64 << 10;
/// Maximum length of a machine name in bytes.
const MAX_NAME: usize = 64;

/// How a PE computes StruM blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeKind {
    /// Multipliers only: low members are decoded and multiplied like any weight.
    Dense,
    /// A multiplier per lane, and a shifter path for low members: saves power.
    StrumDynamic,
    /// Half of the multipliers are shifters: saves area, runs plain INT8 at half rate.
    StrumStatic,
}

impl PeKind {
    /// The name used in machine files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PeKind::Dense => "dense",
            PeKind::StrumDynamic => "strum-dynamic",
            PeKind::StrumStatic => "strum-static",
        }
    }
}

/// A machine description that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MachineError {
    /// Not a TOML file of the expected fields.
    #[error("not a machine file: {0}")]
    Syntax(String),
    /// A value outside its range.
    #[error("machine field '{field}': value {got} is outside {min}..={max} ({unit})")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// Its value.
        got: u64,
        /// Least legal value.
        min: u64,
        /// Greatest legal value.
        max: u64,
        /// Unit of the value.
        unit: &'static str,
    },
    /// A value that contradicts another, or an illegal name.
    #[error("machine field '{field}': {reason}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The file is too large to be a machine description.
    #[error("machine file has {got} bytes, more than {max}")]
    TooLarge {
        /// Its size in bytes.
        got: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// There is no built-in machine with this name.
    #[error("no built-in machine '{name}' (there are: {known})")]
    Unknown {
        /// The requested name.
        name: String,
        /// The known names.
        known: String,
    },
}

/// Whether a program compiled for one value can run with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldClass {
    /// Memories, engines, barriers, the array: a program relies on the value.
    Structure,
    /// The value affects only time and energy, or limits on schedules, which can be checked.
    Timing,
}

/// One numeric field of the machine description, for manuals and user interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineField {
    /// Name in the file.
    pub name: &'static str,
    /// Meaning.
    pub doc: &'static str,
    /// Unit of the value.
    pub unit: &'static str,
    /// Whether programs rely on the value.
    pub class: FieldClass,
    /// Where the default value comes from.
    pub source: &'static str,
    /// Least legal value.
    pub min: u64,
    /// Greatest legal value.
    pub max: u64,
    /// The value if the file omits the field, where it may.
    pub absent: Option<u64>,
}

/// The meaning of the tags in the sources.
pub const SOURCE_TAGS: &[(&str, &str)] = &[
    ("datasheet", "a public Intel datasheet of an NPU in the Core Ultra or Core Series 3 family"),
    ("npu-src", "openvinotoolkit/npu_compiler @150e2025 or intel/npu-nn-cost-model @8a2ae92"),
    ("patent", "a patent by the authors of FlexNN: what was claimed, not what was built"),
    ("3rd-party RTL", "a public re-implementation of FlexNN by others"),
    ("Horowitz", "M. Horowitz, Computing's energy problem, ISSCC 2014: 45 nm, 0.9 V; not scaled"),
    ("derived", "arithmetic on figures with one of these tags"),
    ("assumed", "no source: a plausible value"),
];

/// Declares the numeric fields: documentation, type, default, unit, class, source of the default, legal range. Fields under
/// `later` were added after the first release: a file without them gets their defaults; each names the serde function that
/// returns it.
macro_rules! machine_fields {
    (
        first { $(
            $(#[doc = $doc:literal])*
            $field:ident : $ty:ty = $default:literal $unit:literal, $class:ident, $source:literal,
                $min:literal ..= $max:expr;
        )* }
        later { $(
            $(#[doc = $ldoc:literal])*
            $lfield:ident : $lty:ty = $ldefault:literal $lunit:literal, $lclass:ident, $lsource:literal,
                $lmin:literal ..= $lmax:expr, absent $absent:literal;
        )* }
    ) => {
        /// The values of fields that a file omits.
        mod absent {
            $(pub(super) fn $lfield() -> $lty { $ldefault })*
        }

        /// The parameters of a machine; the fields are those of the file.
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Machine {
            /// Name, of letters, digits, `-`, `_` and `.`.
            pub name: String,
            /// Kind of the PEs.
            pub pe_kind: PeKind,
            $(
                $(#[doc = $doc])*
                #[doc = ""]
                #[doc = concat!("Unit: ", $unit, ". Default from: `", $source, "`.")]
                pub $field: $ty,
            )*
            $(
                $(#[doc = $ldoc])*
                #[doc = ""]
                #[doc = concat!("Unit: ", $lunit, ". Default from: `", $lsource, "`.")]
                #[serde(default = $absent)]
                pub $lfield: $lty,
            )*
        }

        impl Machine {
            /// The numeric fields in file order.
            pub const FIELDS: &'static [MachineField] = &[$(MachineField {
                name: stringify!($field),
                doc: concat!($($doc),*),
                unit: $unit,
                class: FieldClass::$class,
                source: $source,
                min: $min,
                max: $max,
                absent: None,
            },)* $(MachineField {
                name: stringify!($lfield),
                doc: concat!($($ldoc),*),
                unit: $lunit,
                class: FieldClass::$lclass,
                source: $lsource,
                min: $lmin,
                max: $lmax,
                absent: Some($ldefault),
            },)*];

            /// The default machine.
            #[must_use]
            pub fn flexnn_16x16() -> Machine {
                Machine {
                    name: "flexnn-16x16".to_owned(),
                    pe_kind: PeKind::StrumDynamic,
                    $($field: $default,)*
                    $($lfield: $ldefault,)*
                }
            }

            /// The numeric values in the order of [`Machine::FIELDS`].
            #[must_use]
            pub fn values(&self) -> Vec<u64> {
                vec![$(u64::from(self.$field),)* $(u64::from(self.$lfield),)*]
            }
        }
    };
}

machine_fields! {
    first {
    /// Tiles, each with its own SRAM, DPU and vector engine. The compiler uses one of them, and warns; hand-written programs can
    /// use all.
    tiles: u32 = 1 "tiles", Structure, "assumed; the products have 2 to 6 [datasheet]", 1..=256;
    /// Rows of the PE array.
    rows: u32 = 16 "PEs", Structure, "256 PEs [datasheet]; the shape is assumed", 1..=256;
    /// Columns of the PE array.
    cols: u32 = 16 "PEs", Structure, "256 PEs [datasheet]; the shape is assumed", 1..=256;
    /// Lanes of a PE, each one INT8 MAC per cycle.
    lanes: u32 = 8 "MAC/cycle", Timing, "256 MPEs x 8 [npu-src]", 1..=64;
    /// Accumulators of a PE.
    acc_per_pe: u32 = 64 "int32 words", Timing, "16384 outputs / 256 MPEs [derived]", 1..=4096;
    /// Input feature register file of a PE.
    if_rf_bytes: u32 = 64 "bytes", Timing, "assumed; 32 B a shadow half [3rd-party RTL]", 1..=65536;
    /// Filter register file of a PE.
    fl_rf_bytes: u32 = 64 "bytes", Timing, "assumed; 32 B a shadow half [3rd-party RTL]", 1..=65536;
    /// Output register file of a PE.
    of_rf_bytes: u32 = 256 "bytes", Timing, "64 int32 accumulators [derived]", 4..=65536;
    /// Maximum number of PEs that one adder tree joins (FlexTree); a power of two.
    adder_tree_max: u32 = 16 "PEs", Structure, "assumed; the depth is set per layer [patent]", 1..=16;
    /// SRAM of a tile.
    sram_bytes: u64 = 2097152 "bytes", Structure, "2 MB CMX slice [npu-src]", 65536..=(1 << 32);
    /// Unit of SRAM access; a power of two.
    sram_granule: u32 = 16 "bytes", Structure, "16 B CMX word [npu-src]", 16..=256;
    /// Banks of the SRAM.
    sram_banks: u32 = 16 "banks", Timing, "assumed", 1..=1024;
    /// SRAM read bandwidth of the DPU.
    sram_read_bytes_per_cycle: u32 = 128 "bytes/cycle", Timing, "16 B x 8 read ports [npu-src]", 1..=65536;
    /// SRAM write bandwidth of the DPU.
    sram_write_bytes_per_cycle: u32 = 128 "bytes/cycle", Timing, "four 256-bit write ports [datasheet]", 1..=65536;
    /// DMA engines.
    dma_engines: u32 = 2 "engines", Structure, "2 DMA engines [npu-src]", 1..=2;
    /// Bytes that a DMA engine moves per cycle.
    dma_bytes_per_cycle: u32 = 32 "bytes/cycle", Timing, "DMA width 32 B [npu-src]", 1..=65536;
    /// DRAM bandwidth, shared by the DMA engines.
    dram_bytes_per_cycle: u32 = 21 "bytes/cycle", Timing, "27 GB/s at 1.3 GHz [derived]", 1..=65536;
    /// Latency of a DRAM access.
    dram_latency_cycles: u32 = 1240 "cycles", Timing, "956 ns at 1.3 GHz [derived]", 0..=1000000;
    /// Maximum DRAM of a program.
    dram_bytes: u64 = 4294967296 "bytes", Structure, "assumed", 65536..=(1 << 40);
    /// Barriers.
    barriers: u32 = 64 "barriers", Structure, "64 on 37XX [npu-src]", 1..=64;
    /// Capacity of an engine's task FIFO.
    fifo_depth: u32 = 64 "tasks", Timing, "assumed", 1..=65536;
    /// Time from a post to the start of a waiting task.
    barrier_cycles: u32 = 8 "cycles", Timing, "assumed", 0..=1000000;
    /// Time to dispatch an instruction.
    dispatch_cycles: u32 = 4 "cycles", Timing, "assumed", 0..=1000000;
    /// Outputs that the post-processing elements finish per cycle.
    ppe_per_cycle: u32 = 64 "outputs/cycle", Timing, "64 PPEs [datasheet]", 1..=65536;
    /// Elements that the vector engine computes per cycle.
    vec_lanes: u32 = 64 "elements/cycle", Timing, "assumed; element-wise C*H*W/64 [npu-src]", 1..=65536;
    /// Time to start a vector task.
    vec_setup_cycles: u32 = 32 "cycles", Timing, "assumed", 0..=1000000;
    /// Time to start a DPU variant.
    dpu_setup_cycles: u32 = 32 "cycles", Timing, "assumed", 0..=1000000;
    /// Clock of all engines.
    clock_mhz: u32 = 1300 "MHz", Timing, "DPU clock of 2.7 (37XX) [npu-src]", 1..=100000;
    /// Energy of an 8 x 8 bit multiplication.
    mult_fj: u64 = 200 "fJ", Timing, "8-bit multiply 0.2 pJ [Horowitz]", 0..=1000000000;
    /// Energy of a low product of `mip2q`: shift by the exponent, and the sign.
    shift_fj: u64 = 53 "fJ", Timing, "assumed as a 16-bit add: three stages of multiplexers over 16 bits", 0..=1000000000;
    /// Energy of a low product of `dliq`, per bit of its code.
    low_mult_bit_fj: u64 = 25 "fJ/bit", Timing, "assumed: a row of an array multiplier, an eighth of the 8-bit multiply", 0..=1000000000;
    /// Energy of choosing between multiplier and shifter, per product, in PEs of kind `strum-dynamic`.
    path_fj: u64 = 18 "fJ", Timing, "assumed: one of the three stages of a shift", 0..=1000000000;
    /// Energy of adding a product to those of the other lanes.
    product_add_fj: u64 = 53 "fJ", Timing, "16-bit add, between 0.03 pJ for 8 bits and 0.1 pJ for 32 bits [Horowitz]", 0..=1000000000;
    /// Energy of a 32-bit addition: accumulators, adder trees between PEs, pooling.
    add_fj: u64 = 100 "fJ", Timing, "32-bit add 0.1 pJ [Horowitz]", 0..=1000000000;
    /// Energy of an input register file access, per byte.
    if_byte_fj: u64 = 110 "fJ/byte", Timing, "8 KB cache 10 pJ per 64 bits [Horowitz], by the root of the size to 64 B", 0..=1000000000;
    /// Energy of a filter register file access, per byte.
    fl_byte_fj: u64 = 110 "fJ/byte", Timing, "8 KB cache 10 pJ per 64 bits [Horowitz], by the root of the size to 64 B", 0..=1000000000;
    /// Energy of an output register file access, per byte.
    of_byte_fj: u64 = 221 "fJ/byte", Timing, "8 KB cache 10 pJ per 64 bits [Horowitz], by the root of the size to 256 B", 0..=1000000000;
    /// Energy of decoding packed weights, per byte of them.
    unpack_byte_fj: u64 = 30 "fJ/byte", Timing, "assumed as an 8-bit add: the rank of a mask bit", 0..=1000000000;
    /// Energy of an SRAM read, per byte.
    sram_read_byte_fj: u64 = 12500 "fJ/byte", Timing, "1 MB cache 100 pJ per 64 bits [Horowitz]", 0..=1000000000;
    /// Energy of an SRAM write, per byte.
    sram_write_byte_fj: u64 = 12500 "fJ/byte", Timing, "assumed as the read", 0..=1000000000;
    /// Energy of a DRAM access, per byte.
    dram_byte_fj: u64 = 162500 "fJ/byte", Timing, "1.3 to 2.6 nJ per 64 bits [Horowitz]; the lower", 0..=1000000000;
    /// Energy of one output in the post-processing element.
    ppe_op_fj: u64 = 3300 "fJ", Timing, "32-bit multiply 3.1 pJ and two 32-bit adds [Horowitz]", 0..=1000000000;
    /// Energy of one element in the vector engine.
    vec_op_fj: u64 = 3300 "fJ", Timing, "assumed as one PPE output", 0..=1000000000;
    /// Energy per cycle, independent of activity: clock and leakage of the whole machine.
    idle_cycle_fj: u64 = 0 "fJ/cycle", Timing, "unknown, so not counted", 0..=1000000000000;
    }
    later {
    /// Bytes per DRAM request of a DMA engine.
    dma_request_bytes: u32 = 64 "bytes", Timing, "assumed: a burst of 64 B", 16..=65536, absent "absent::dma_request_bytes";
    /// DRAM requests that a DMA engine has in flight.
    dma_outstanding: u32 = 512 "requests", Timing, "assumed: latency x bandwidth take 407 requests", 1..=65536,
        absent "absent::dma_outstanding";
    /// Bytes of instructions that the dispatcher fetches per cycle.
    fetch_bytes_per_cycle: u32 = 32 "bytes/cycle", Timing, "assumed as the DMA width", 1..=65536,
        absent "absent::fetch_bytes_per_cycle";
    /// Whether PEs skip products with a zero activation or a zero weight of `dense` and `sparse` layers, and the memories hold
    /// data that only such layers read in zero-compressed form: 0 or 1.
    zero_skip: u32 = 0 "switch", Timing, "off; FlexNN skips both [3rd-party RTL]", 0..=1, absent "absent::zero_skip";
    }
}

/// The files of the built-in machines, by name.
const BUILTIN: &[(&str, &str)] = &[
    ("flexnn-16x16", include_str!("../machines/flexnn-16x16.toml")),
    ("flexnn-16x16-dense", include_str!("../machines/flexnn-16x16-dense.toml")),
    ("flexnn-16x16-static", include_str!("../machines/flexnn-16x16-static.toml")),
    ("flexnn-4x4", include_str!("../machines/flexnn-4x4.toml")),
];

impl Machine {
    /// The names of the built-in machines.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// The built-in machine of this name.
    ///
    /// # Errors
    /// When it is unknown.
    pub fn builtin(name: &str) -> Result<Machine, MachineError> {
        match BUILTIN.iter().find(|(n, _)| *n == name) {
            Some((_, text)) => Machine::from_toml(text),
            None => Err(MachineError::Unknown {
                name: name.to_owned(),
                known: Machine::builtin_names().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// Reads and checks a machine file.
    ///
    /// # Errors
    /// When the text is not a machine file, or a value is outside its range.
    pub fn from_toml(text: &str) -> Result<Machine, MachineError> {
        if text.len() > MAX_FILE {
            return Err(MachineError::TooLarge { got: text.len(), max: MAX_FILE });
        }
        let machine: Machine =
            toml::from_str(text).map_err(|e| MachineError::Syntax(e.to_string().trim_end().to_owned()))?;
        machine.check()?;
        Ok(machine)
    }

    /// Checks every value.
    ///
    /// # Errors
    /// The first field that is outside its range or contradicts another.
    pub fn check(&self) -> Result<(), MachineError> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.name.is_empty() || self.name.len() > MAX_NAME || !self.name.chars().all(legal) {
            let reason = format!("a name has 1 to {MAX_NAME} letters, digits, '-', '_' or '.'");
            return Err(MachineError::Invalid { field: "name", reason });
        }
        for (field, got) in Machine::FIELDS.iter().zip(self.values()) {
            let MachineField { name: field, unit, min, max, .. } = *field;
            if got < min || got > max {
                return Err(MachineError::OutOfRange { field, got, min, max, unit });
            }
        }
        for (field, value) in [("adder_tree_max", self.adder_tree_max), ("sram_granule", self.sram_granule)] {
            if !value.is_power_of_two() {
                return Err(MachineError::Invalid {
                    field,
                    reason: format!("{value} is not a power of two"),
                });
            }
        }
        for (field, bytes) in [("if_rf_bytes", self.if_rf_bytes), ("fl_rf_bytes", self.fl_rf_bytes)] {
            if bytes / 2 < self.lanes {
                let reason = format!("half of {bytes} bytes holds no byte for each of {} lanes", self.lanes);
                return Err(MachineError::Invalid { field, reason });
            }
        }
        if !self.sram_bytes.is_multiple_of(u64::from(self.sram_granule)) {
            let reason =
                format!("{} is not a multiple of sram_granule = {}", self.sram_bytes, self.sram_granule);
            return Err(MachineError::Invalid { field: "sram_bytes", reason });
        }
        Ok(())
    }

    /// The values alone, one per line in file order: what the fingerprint covers and a binary holds. An optional field
    /// with its default value is omitted, so that older machines keep their form and their fingerprint.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut out = format!("name = \"{}\"\npe_kind = \"{}\"\n", self.name, self.pe_kind.name());
        for (field, value) in Machine::FIELDS.iter().zip(self.values()) {
            if field.absent != Some(value) {
                let _ = writeln!(out, "{} = {value}", field.name);
            }
        }
        out
    }

    /// The machine file: every value with its meaning, unit, source and range as comments.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut out = String::from("# A DPU machine. Tags of the sources:\n");
        for (tag, meaning) in SOURCE_TAGS {
            let _ = writeln!(out, "#   {tag}: {meaning}.");
        }
        out.push('\n');
        let _ = writeln!(out, "# Name, of letters, digits, '-', '_' and '.'.\nname = \"{}\"\n", self.name);
        let _ = writeln!(
            out,
            "# Kind of the PEs: dense, strum-dynamic or strum-static.\npe_kind = \"{}\"",
            self.pe_kind.name()
        );
        for (field, value) in Machine::FIELDS.iter().zip(self.values()) {
            let MachineField { name, doc, unit, source, min, max, absent, .. } = field;
            let absent = absent.map_or_else(String::new, |n| format!(" If left out: {n}."));
            let _ = write!(
                out,
                "\n#{doc}\n# Unit: {unit} ({min} to {max}). Source: {source}.{absent}\n{name} = {value}\n"
            );
        }
        out
    }

    /// SHA-256 of the canonical form, as 64 lower-case hex digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex(&Sha256::digest(self.canonical()))
    }
}

/// Lower-case hex digits of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}
