//! What to generate: the parameters of a PE, their text form, and which of them go together.
//!
//! Kinds, lanes and the sizes of register files are those of the machine file; the meaning of low codes is that of the table of
//! weight formats.

use std::fmt;

use clap::ValueEnum;
use dpu_isa::{Machine, PeKind};
use serde::{Deserialize, Serialize};
use strum_formats::{Format, Kind, Method};

/// How much of the array a design holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The unit that multiplies one activation by one weight.
    Lane,
    /// All lanes of a PE, the addition of their products, and the accumulator's adder with its register.
    Datapath,
    /// The datapath with operand registers, zero point, mask decoder and choice of activations, without register files.
    PeCore,
    /// A PE with its register files.
    Pe,
    /// A column of PEs with FlexTree's adders.
    Column,
}

/// How products are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Structure {
    /// A carry-propagate adder in each lane, and a tree of carry-propagate adders behind them.
    Plain,
    /// A fused dot product: the partial products of all lanes in one carry-save tree with one carry-propagate adder.
    Merged,
    /// As `plain` within a lane, then a register for each product, then one carry-save tree.
    Pipelined,
}

/// How partial products are formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Multiplier {
    /// Radix-4 Booth rows.
    Booth,
    /// A row for each bit of the weight (Baugh-Wooley).
    Array,
}

/// What register files consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegisterFile {
    /// Flip-flops behind a gated clock for each entry.
    FlipFlops,
    /// Latches, written in the second half of a cycle.
    Latches,
}

/// When masks are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decode {
    /// In every step, from the mask that the filter register file holds.
    Step,
    /// Once, when a block enters the filter register file, which then holds the positions in place of the mask.
    Fetch,
}

/// Where the lanes of low members are in a static PE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LowLanes {
    /// As many as a step has low members; each takes the activation of its member from the choice network.
    Routed,
    /// One at every position of a step, which takes the activation there; codes are routed to their positions, and lanes at
    /// the positions of high members are off.
    InPlace,
}

/// All parameters of a design.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    /// How much of the array.
    pub level: Level,
    /// The kind of the PE.
    pub kind: PeKind,
    /// Whether a dense PE skips zeros, with the bitmaps and the per-lane choice of operands that FlexNN has for it.
    pub sparsity: bool,
    /// How products are added.
    pub structure: Structure,
    /// How partial products are formed.
    pub multiplier: Multiplier,
    /// What register files consist of.
    pub register_file: RegisterFile,
    /// When masks are decoded.
    pub decode: Decode,
    /// Where the lanes of low members are.
    pub placement: LowLanes,
    /// The weight format of a StruM PE; plain INT8 in a dense one.
    pub format: Format,
    /// Bits of an activation less its zero point: 9, or 10 for zero points that do not fit the type of the activations.
    pub activation_bits: u32,
    /// Products in a cycle.
    pub lanes: u32,
    /// Bytes of the input feature register file.
    pub if_bytes: u32,
    /// Bytes of the filter register file, of decoded weights.
    pub fl_bytes: u32,
    /// Accumulators in the output register file.
    pub accumulators: u32,
    /// PEs of a column.
    pub rows: u32,
    /// PEs that the largest adder tree of a column joins.
    pub tree_pes: u32,
}

/// Parameters that do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A weight format that is not legal.
    #[error(transparent)]
    Format(#[from] strum_formats::FormatError),
    /// A StruM PE without a packed format.
    #[error("a {kind} PE needs a packed weight format, not {format}: give --format mip2q, dliq or sparse")]
    Unpacked {
        /// The kind.
        kind: &'static str,
        /// The format.
        format: &'static str,
    },
    /// A dense PE with a packed format.
    #[error("a dense PE computes decoded weights: --format {0} needs --kind strum-dynamic or strum-static")]
    Packed(&'static str),
    /// Low members that do not divide over the lanes of a step.
    #[error(
        "{low} low members in a block of {w} are not a whole number of the {lanes} lanes of a step: lanes * low / w must be whole"
    )]
    Lanes {
        /// Low members.
        low: u8,
        /// Members.
        w: u8,
        /// Lanes.
        lanes: u32,
    },
    /// All lanes would be of one sort.
    #[error("a {kind} PE needs both high and low members, not {low} low ones of {w}")]
    OneSort {
        /// The kind.
        kind: &'static str,
        /// Low members.
        low: u8,
        /// Members.
        w: u8,
    },
    /// Lanes that the generator does not build.
    #[error("{0} lanes: a PE has 2, 4, 8, 16 or 32")]
    LaneCount(u32),
    /// Zero skipping outside a dense PE.
    #[error("--sparsity is a dense PE's: a {0} PE takes every member of a block")]
    Sparsity(&'static str),
    /// Low lanes in place, in a PE that has no low lanes of its own.
    #[error(
        "--low-lanes in-place is a strum-static PE's with mip2q or dliq weights, not a {kind} PE's with {format}"
    )]
    InPlace {
        /// The kind.
        kind: &'static str,
        /// The format.
        format: &'static str,
    },
    /// Low lanes in place, and blocks that take several steps.
    #[error("--low-lanes in-place needs blocks of at most {lanes} members, the lanes of a step, not {w}")]
    InPlaceBlock {
        /// Members.
        w: u8,
        /// Lanes.
        lanes: u32,
    },
    /// Low lanes in place, at a level without positions.
    #[error("--low-lanes in-place is built from level datapath on")]
    InPlaceLevel,
    /// Zero skipping at a level that has no logic for it.
    #[error("--sparsity is built at levels pe-core and pe")]
    SparsityLevel,
    /// A register file that holds no vector.
    #[error("{field} = {bytes} bytes hold less than two vectors of {vector} channels")]
    RegisterFile {
        /// The field of the machine file.
        field: &'static str,
        /// Its value.
        bytes: u32,
        /// Channels of a vector.
        vector: u32,
    },
    /// A column that adder trees do not divide.
    #[error(
        "a column of {rows} PEs has no adder trees of {tree} (rows and adder_tree_max of the machine): \
         trees join 2, 4, 8 or 16 PEs, and rows is a multiple of that"
    )]
    Column {
        /// PEs of the column.
        rows: u32,
        /// PEs of the largest tree.
        tree: u32,
    },
    /// Bits of activations that the generator does not build.
    #[error("{0} bits of an activation: 9 or 10")]
    ActivationBits(u32),
}

impl Spec {
    /// A PE of this machine: merged Booth rows, flip-flops, masks decoded in every step.
    #[must_use]
    pub fn of(machine: &Machine, format: Format) -> Spec {
        Spec {
            level: Level::Pe,
            kind: machine.pe_kind,
            sparsity: false,
            structure: Structure::Merged,
            multiplier: Multiplier::Booth,
            register_file: RegisterFile::FlipFlops,
            decode: Decode::Step,
            placement: LowLanes::Routed,
            format: if machine.pe_kind == PeKind::Dense { Format::DENSE } else { format },
            activation_bits: 9,
            lanes: machine.lanes,
            if_bytes: machine.if_rf_bytes,
            fl_bytes: machine.fl_rf_bytes,
            accumulators: machine.acc_per_pe.min(machine.of_rf_bytes / 4),
            rows: machine.rows,
            tree_pes: machine.adder_tree_max.min(machine.rows),
        }
    }

    /// Checks that the parameters go together.
    ///
    /// # Errors
    /// The first that do not.
    pub fn check(&self) -> Result<(), SpecError> {
        self.format.validate()?;
        let Format { w, low, .. } = self.format;
        let kind = self.kind.name();
        if !matches!(self.lanes, 2 | 4 | 8 | 16 | 32) {
            return Err(SpecError::LaneCount(self.lanes));
        }
        if !matches!(self.activation_bits, 9 | 10) {
            return Err(SpecError::ActivationBits(self.activation_bits));
        }
        match (self.kind, self.format.is_packed()) {
            (PeKind::Dense, true) => return Err(SpecError::Packed(self.format.method.kind().name())),
            (PeKind::Dense, false) => {}
            (_, false) => {
                return Err(SpecError::Unpacked { kind, format: self.format.method.kind().name() });
            }
            (_, true) => {
                if low == 0 || low >= w {
                    return Err(SpecError::OneSort { kind, low, w });
                }
                if !(self.lanes * u32::from(low)).is_multiple_of(u32::from(w)) {
                    return Err(SpecError::Lanes { low, w, lanes: self.lanes });
                }
            }
        }
        if self.sparsity && self.kind != PeKind::Dense {
            return Err(SpecError::Sparsity(kind));
        }
        if self.sparsity && !matches!(self.level, Level::PeCore | Level::Pe) {
            return Err(SpecError::SparsityLevel);
        }
        if self.in_place() {
            self.check_in_place()?;
        }
        let (rows, tree) = (self.rows, self.tree_pes);
        if self.level == Level::Column && !(matches!(tree, 2 | 4 | 8 | 16) && rows.is_multiple_of(tree)) {
            return Err(SpecError::Column { rows, tree });
        }
        for (field, bytes) in [("if_rf_bytes", self.if_bytes), ("fl_rf_bytes", self.fl_bytes)] {
            if bytes < 2 * self.vector() {
                return Err(SpecError::RegisterFile { field, bytes, vector: self.vector() });
            }
        }
        Ok(())
    }

    fn check_in_place(&self) -> Result<(), SpecError> {
        let Format { w, method, .. } = self.format;
        if self.kind != PeKind::StrumStatic || !self.low_products() {
            return Err(SpecError::InPlace { kind: self.kind.name(), format: method.kind().name() });
        }
        if u32::from(w) > self.lanes {
            return Err(SpecError::InPlaceBlock { w, lanes: self.lanes });
        }
        if self.level < Level::Datapath { Err(SpecError::InPlaceLevel) } else { Ok(()) }
    }

    /// Whether every position of a step has a low lane.
    #[must_use]
    pub fn in_place(&self) -> bool {
        self.placement == LowLanes::InPlace
    }

    /// Whether weights are in blocks with masks.
    #[must_use]
    pub fn packed(&self) -> bool {
        self.kind != PeKind::Dense
    }

    /// Channels of a vector: what one entry of a register file holds.
    #[must_use]
    pub fn vector(&self) -> u32 {
        if self.packed() { self.lanes.max(self.format.w.into()) } else { self.lanes }
    }

    /// Steps of a vector.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.vector() / self.lanes.max(1)
    }

    /// Blocks of a vector; 0 for plain weights.
    #[must_use]
    pub fn blocks(&self) -> u32 {
        if self.packed() { self.vector() / u32::from(self.format.w.max(1)) } else { 0 }
    }

    /// Low members of a step.
    #[must_use]
    pub fn low_lanes(&self) -> u32 {
        if self.packed() {
            self.lanes * u32::from(self.format.low) / u32::from(self.format.w.max(1))
        } else {
            0
        }
    }

    /// Lanes that low members may take in a static PE: as many as a step has, or in place one at every position.
    #[must_use]
    pub fn low_units(&self) -> u32 {
        if self.in_place() { self.lanes } else { self.low_lanes() }
    }

    /// Lanes that take high members, or any weight of a dense PE.
    #[must_use]
    pub fn high_lanes(&self) -> u32 {
        self.lanes - self.low_lanes()
    }

    /// Bits of a low code; 0 where low members have none.
    #[must_use]
    pub fn code_bits(&self) -> u32 {
        match self.format.method.kind() {
            Kind::Sparse | Kind::Dense => 0,
            _ => self.format.low_bits(),
        }
    }

    /// Whether low members have products at all: `sparse` drops them.
    #[must_use]
    pub fn low_products(&self) -> bool {
        self.packed() && self.format.method.kind() != Kind::Sparse
    }

    /// The greatest left shift of the sum of low products (`dliq`).
    #[must_use]
    pub fn max_shift(&self) -> u32 {
        match self.format.method {
            Method::Dliq { q, .. } if self.packed() => 8 - u32::from(q.min(8)),
            _ => 0,
        }
    }

    /// Bits of the sum of a step's products.
    #[must_use]
    pub fn sum_bits(&self) -> u32 {
        self.activation_bits + 8 + self.lanes.ilog2() + 1
    }

    /// Entries of the input feature register file.
    #[must_use]
    pub fn if_entries(&self) -> u32 {
        self.if_bytes / self.vector().max(1)
    }

    /// Entries of the filter register file.
    #[must_use]
    pub fn fl_entries(&self) -> u32 {
        self.fl_bytes / self.vector().max(1)
    }

    /// Vectors of a slice, where zeros are skipped: as many as fit half of the smaller register file.
    #[must_use]
    pub fn slice_vectors(&self) -> u32 {
        (self.if_entries().min(self.fl_entries()) / 2).max(1)
    }

    /// Slices that the input feature register file holds.
    #[must_use]
    pub fn if_slices(&self) -> u32 {
        self.if_entries() / self.slice_vectors()
    }

    /// Slices that the filter register file holds.
    #[must_use]
    pub fn fl_slices(&self) -> u32 {
        self.fl_entries() / self.slice_vectors()
    }

    /// Levels of the largest adder tree of a column.
    #[must_use]
    pub fn tree_levels(&self) -> u32 {
        self.tree_pes.max(1).ilog2()
    }

    /// Cycles from the operands at the lanes to the accumulator: in cycle `c + latency` it includes those of cycle `c`.
    #[must_use]
    pub fn latency(&self) -> usize {
        match self.structure {
            Structure::Plain | Structure::Merged => 2,
            Structure::Pipelined => 3,
        }
    }

    /// A name for modules and files: letters, digits and underscores.
    #[must_use]
    pub fn name(&self) -> String {
        let text = self.to_string();
        let legal = text.replace("pe-core", "pe_core").replace("strum-", "");
        legal.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = self.level.to_possible_value();
        let named = |value: Option<clap::builder::PossibleValue>| {
            value.map(|value| value.get_name().to_owned()).unwrap_or_default()
        };
        write!(f, "{} {}", named(level), self.kind.name())?;
        if self.sparsity {
            f.write_str(" sparsity")?;
        }
        if self.packed() {
            let Format { w, low, method } = self.format;
            write!(f, " {} w{w} low{low}", method.kind().name())?;
            match method {
                Method::Mip2q { l, zero } => write!(f, " L{l}{}", if zero { " zero" } else { "" })?,
                Method::Dliq { q, .. } => write!(f, " q{q}")?,
                _ => {}
            }
        }
        write!(
            f,
            " {} {}",
            named(self.structure.to_possible_value()),
            named(self.multiplier.to_possible_value())
        )?;
        if self.level >= Level::Pe && self.register_file == RegisterFile::Latches {
            f.write_str(" latches")?;
        }
        if self.packed() && self.level >= Level::PeCore && self.decode == Decode::Fetch {
            f.write_str(" fetch")?;
        }
        if self.in_place() {
            f.write_str(" in-place")?;
        }
        if self.activation_bits != 9 {
            write!(f, " a{}", self.activation_bits)?;
        }
        if self.lanes != 8 {
            write!(f, " {} lanes", self.lanes)?;
        }
        if self.level == Level::Column {
            write!(f, " {} rows", self.rows)?;
            if self.tree_pes != self.rows {
                write!(f, " trees of {}", self.tree_pes)?;
            }
        }
        Ok(())
    }
}
