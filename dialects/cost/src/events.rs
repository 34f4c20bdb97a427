//! The events of a run that cost energy: counts, not yet priced.
//!
//! The SRAM bytes of [`Events`] add up to those of the task's traffic; multiply-accumulates and DRAM bytes are counted
//! separately.

use serde::{Deserialize, Serialize};

/// Declares the counters with their sum. Those that older reports lack have a default, 0.
macro_rules! events {
    ($($(#[$attr:meta])* $field:ident,)*) => {
        /// Counted events other than multiply-accumulates and DRAM bytes.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Events {
            $($(#[$attr])* pub $field: u64,)*
        }

        impl Events {
            /// No events.
            pub const NONE: Events = Events { $($field: 0,)* };

            /// Adds the counts of `more`, saturating.
            pub fn add(&mut self, more: &Events) {
                $(self.$field = self.$field.saturating_add(more.$field);)*
            }
        }
    };
}

events! {
    /// Lane cycles without a multiply-accumulate, in tasks of the PE array while it computes.
    lane_idle,
    /// Steps of PEs: cycles in which a PE takes up to `lanes` products into one accumulator.
    pe_steps,
    /// Steps that keep the weights of the step before.
    #[serde(default)]
    steps_held,
    /// Products whose activation the lane keeps from the step before.
    #[serde(default)]
    act_held,
    /// Products whose weight the lane keeps from the step before.
    #[serde(default)]
    weight_held,
    /// Products whose activation equals the zero point, where values are computed, products with zeros are not skipped, and the
    /// machine states what they save.
    #[serde(default)]
    act_zero,
    /// Activations that a mask chooses, in PEs that have shifters: one for each product, and in a plain layer of a PE with
    /// half of its lanes as shifters one for each idle lane as well.
    #[serde(default)]
    routed,
    /// Of these, those chosen by the mask of the step before: with a held weight, and all of a plain layer.
    #[serde(default)]
    routed_held,
    /// Packed blocks that enter the filter register file of a PE and are decoded there.
    #[serde(default)]
    packed_blocks,
    /// Products with low members of `mip2q`.
    low_shifts,
    /// Of these, products whose weight the lane keeps.
    #[serde(default)]
    low_shifts_weight_held,
    /// Products with low members of `dliq`.
    low_products,
    /// Of these, products whose weight the lane keeps.
    #[serde(default)]
    low_products_weight_held,
    /// Bits of the low codes in the products with low members of `dliq`.
    low_product_bits,
    /// Of these, bits in products whose weight the lane keeps.
    #[serde(default)]
    low_product_bits_weight_held,
    /// Multiply-accumulates with low members of `sparse`: nothing is multiplied.
    low_zeros,
    /// Other multiply-accumulates with a zero, which PEs that skip zeros do not take.
    zero_skipped,
    /// Comparisons and additions of pooling.
    pool_ops,
    /// Bytes read from input register files.
    if_read,
    /// Bytes read from the entry of an input register file that the step before read.
    #[serde(default)]
    if_held,
    /// Bytes written to input register files.
    if_write,
    /// Entries written to input register files: a vector at one position.
    #[serde(default)]
    if_entries,
    /// Bytes read from filter register files; a decoded weight is one byte.
    fl_read,
    /// Bytes read from the entry of a filter register file that the step before read.
    #[serde(default)]
    fl_held,
    /// Bytes written to filter register files.
    fl_write,
    /// Entries written to filter register files: a vector of one output channel.
    #[serde(default)]
    fl_entries,
    /// Bytes read from output register files: 4 for every step of a PE.
    of_read,
    /// Bytes written to output register files: 4 for every step of a PE.
    of_write,
    /// Additions between PEs: `sched_ic - 1` for every output.
    tree_adds,
    /// Outputs that the post-processing elements finish.
    ppe_ops,
    /// Elements in the vector engine, once for every pass through its lanes.
    vec_ops,
    /// SRAM bytes that the DPU reads as activations.
    sram_act_read,
    /// SRAM bytes that the DPU reads as weights, in their stored form.
    sram_weight_read,
    /// Of these, bytes of packed formats.
    packed_weight_read,
    /// SRAM bytes that the DPU reads as weight and lookup tables.
    sram_table_read,
    /// SRAM bytes that the DPU reads as partial sums.
    sram_psum_read,
    /// SRAM bytes that the DPU writes as partial sums.
    sram_psum_write,
    /// SRAM bytes that the DPU writes as results.
    sram_out_write,
    /// SRAM bytes that the vector engine reads.
    sram_vec_read,
    /// SRAM bytes that the vector engine writes.
    sram_vec_write,
    /// SRAM bytes that the DMA engines read.
    sram_dma_read,
    /// SRAM bytes that the DMA engines write.
    sram_dma_write,
}

impl Events {
    /// All SRAM bytes, read and written.
    #[must_use]
    pub fn sram(&self) -> (u64, u64) {
        let sum = |parts: &[u64]| parts.iter().fold(0u64, |n, &p| n.saturating_add(p));
        let read = [
            self.sram_act_read,
            self.sram_weight_read,
            self.sram_table_read,
            self.sram_psum_read,
            self.sram_vec_read,
            self.sram_dma_read,
        ];
        let write = [self.sram_psum_write, self.sram_out_write, self.sram_vec_write, self.sram_dma_write];
        (sum(&read), sum(&write))
    }
}
