//! The parameters of a machine: one row per field, with its meaning, type, unit, default, source and range.
//!
//! A field under `later` was added after the first release; a file without it means its default, which changes nothing.

use serde::Deserialize;

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

            /// Sets the numeric field of this name; returns whether there is one that can hold the value. Its range is not checked
            /// here but by [`Machine::check`].
            pub fn set(&mut self, name: &str, value: u64) -> bool {
                match name {
                    $(stringify!($field) => value.try_into().map(|value| self.$field = value).is_ok(),)*
                    $(stringify!($lfield) => value.try_into().map(|value| self.$lfield = value).is_ok(),)*
                    _ => false,
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
    /// Energy per cycle of the whole machine, independent of activity: clock and leakage that no other field counts.
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
    /// Energy that a multiplication saves, of `mult_fj`, where the lane keeps its activation from the step before.
    mult_act_held_saving_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::mult_act_held_saving_fj";
    /// Energy that a multiplication saves, of `mult_fj`, where the lane keeps its weight from the step before.
    mult_weight_held_saving_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::mult_weight_held_saving_fj";
    /// Energy that a multiplication saves, of `mult_fj`, where its activation equals the zero point.
    mult_act_zero_saving_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::mult_act_zero_saving_fj";
    /// Energy that a shift saves, of `shift_fj`, where the lane keeps its weight from the step before.
    shift_weight_held_saving_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::shift_weight_held_saving_fj";
    /// Energy that a low product of `dliq` saves, of `low_mult_bit_fj` and as that per bit of its code, where the lane keeps
    /// its weight from the step before.
    low_mult_bit_weight_held_saving_fj: u64 = 0 "fJ/bit", Timing, "0: not counted", 0..=1000000000,
        absent "absent::low_mult_bit_weight_held_saving_fj";
    /// Energy that adding a product saves, of `product_add_fj`, where the lane keeps its activation from the step before.
    product_add_act_held_saving_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::product_add_act_held_saving_fj";
    /// Energy that adding a product saves, of `product_add_fj`, where the lane keeps its weight from the step before.
    product_add_weight_held_saving_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::product_add_weight_held_saving_fj";
    /// Energy that adding a product saves, of `product_add_fj`, where its activation equals the zero point, unless it is shifted.
    product_add_act_zero_saving_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::product_add_act_zero_saving_fj";
    /// Energy that adding a shifted activation saves, of `product_add_fj`: it has one row, a multiplication several.
    shift_add_saving_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::shift_add_saving_fj";
    /// Energy that this addition saves, of the rest of `product_add_fj`, where the lane keeps its weight from the step before.
    shift_add_weight_held_saving_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::shift_add_weight_held_saving_fj";
    /// Energy that adding to an accumulator saves, of `add_fj`, per step that keeps the weights of the step before: its sum is
    /// of the same output channel.
    add_held_saving_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::add_held_saving_fj";
    /// Energy that accessing a byte of an accumulator saves, of `of_byte_fj`, in a step that keeps the weights of the step
    /// before: eight bytes.
    of_held_saving_fj: u64 = 0 "fJ/byte", Timing, "0: not counted", 0..=1000000000,
        absent "absent::of_held_saving_fj";
    /// Energy that reading a byte of the input register file saves, of `if_byte_fj`, where the step before read the same
    /// entry.
    if_held_saving_fj: u64 = 0 "fJ/byte", Timing, "0: not counted", 0..=1000000000,
        absent "absent::if_held_saving_fj";
    /// Energy that reading a byte of the filter register file saves, of `fl_byte_fj`, where the step before read the same
    /// entry.
    fl_held_saving_fj: u64 = 0 "fJ/byte", Timing, "0: not counted", 0..=1000000000,
        absent "absent::fl_held_saving_fj";
    /// Energy that writing a byte of the input register file saves, of `if_byte_fj`.
    if_write_saving_fj: u64 = 0 "fJ/byte", Timing, "0: not counted", 0..=1000000000,
        absent "absent::if_write_saving_fj";
    /// Energy that writing a byte of the filter register file saves, of `fl_byte_fj`.
    fl_write_saving_fj: u64 = 0 "fJ/byte", Timing, "0: not counted", 0..=1000000000,
        absent "absent::fl_write_saving_fj";
    /// Energy of operand registers and zero point subtraction, without clock, per product.
    operand_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::operand_fj";
    /// Energy that this saves where the lane keeps its activation from the step before.
    operand_act_held_saving_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::operand_act_held_saving_fj";
    /// Energy that this saves where the lane keeps its weight from the step before.
    operand_weight_held_saving_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::operand_weight_held_saving_fj";
    /// Energy that this saves where the activation equals the zero point.
    operand_act_zero_saving_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::operand_act_zero_saving_fj";
    /// Energy of clocking the operand registers of a PE, per step.
    operand_clock_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::operand_clock_fj";
    /// Energy of choosing an activation by the mask, per product, in PEs of kinds `strum-dynamic` and `strum-static`; in a
    /// plain layer of the latter for each idle lane as well.
    route_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::route_fj";
    /// Energy that this choice saves where the mask is that of the step before: the weight is held, or the layer plain.
    route_held_saving_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::route_held_saving_fj";
    /// Energy of decoding a packed block when it enters the filter register file of a PE.
    decode_block_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::decode_block_fj";
    /// Energy of clocking the flip-flops of a PE's datapath: products, sums, accumulator; per step.
    datapath_clock_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::datapath_clock_fj";
    /// Energy of clocking the other flip-flops of a PE, above all those of its register files; per step.
    pe_clock_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::pe_clock_fj";
    /// Energy of clocking an entry of the input register file that is written.
    if_entry_clock_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::if_entry_clock_fj";
    /// Energy of clocking an entry of the filter register file that is written.
    fl_entry_clock_fj: u64 = 0 "fJ", Timing, "0: not counted", 0..=1000000000,
        absent "absent::fl_entry_clock_fj";
    /// Leakage of a PE, at all times.
    pe_leak_nw: u64 = 0 "nW", Timing, "0: not counted", 0..=1000000000000,
        absent "absent::pe_leak_nw";
    /// Leakage of the SRAM of a tile, at all times.
    sram_leak_nw: u64 = 0 "nW", Timing, "0: not counted", 0..=1000000000000,
        absent "absent::sram_leak_nw";
    /// Area of a PE's datapath: multipliers, shifters, adders of the lanes, accumulator.
    datapath_area_um2: u64 = 0 "um2", Timing, "0: not known", 0..=1000000000000,
        absent "absent::datapath_area_um2";
    /// Area of a PE without its register files.
    pe_core_area_um2: u64 = 0 "um2", Timing, "0: not known", 0..=1000000000000,
        absent "absent::pe_core_area_um2";
    /// Area of a PE.
    pe_area_um2: u64 = 0 "um2", Timing, "0: not known", 0..=1000000000000,
        absent "absent::pe_area_um2";
    /// Area of the adders between PEs (FlexTree), per PE.
    tree_area_um2: u64 = 0 "um2", Timing, "0: not known", 0..=1000000000000,
        absent "absent::tree_area_um2";
    /// Area of the SRAM of a tile.
    sram_area_um2: u64 = 0 "um2", Timing, "0: not known", 0..=1000000000000,
        absent "absent::sram_area_um2";
    /// Area of all else in a tile: post-processing elements, vector engine, control.
    rest_area_um2: u64 = 0 "um2", Timing, "0: not known", 0..=1000000000000,
        absent "absent::rest_area_um2";
    }
}
