//! Which parameters of a machine may change under a program that was compiled for another.
//!
//! A program relies on memories, engines, barriers and array; rates, latencies and energies only set the time. Register files and lanes
//! set it too, as long as they can follow the program's schedules.

use dpu_isa::schedule::Block;
use dpu_isa::{Instr, Machine, Program, Slots};

/// Parameters that change neither the result nor the legality of a program.
const TIMING: &[&str] = &[
    "lanes",
    "acc_per_pe",
    "if_rf_bytes",
    "fl_rf_bytes",
    "of_rf_bytes",
    "sram_banks",
    "sram_read_bytes_per_cycle",
    "sram_write_bytes_per_cycle",
    "dma_bytes_per_cycle",
    "dram_bytes_per_cycle",
    "dram_latency_cycles",
    "dma_request_bytes",
    "dma_outstanding",
    "fetch_bytes_per_cycle",
    "zero_skip",
    "fifo_depth",
    "barrier_cycles",
    "dispatch_cycles",
    "ppe_per_cycle",
    "vec_lanes",
    "vec_setup_cycles",
    "dpu_setup_cycles",
    "clock_mhz",
    "mult_fj",
    "shift_fj",
    "low_mult_bit_fj",
    "path_fj",
    "product_add_fj",
    "add_fj",
    "if_byte_fj",
    "fl_byte_fj",
    "of_byte_fj",
    "unpack_byte_fj",
    "sram_read_byte_fj",
    "sram_write_byte_fj",
    "dram_byte_fj",
    "ppe_op_fj",
    "vec_op_fj",
    "idle_cycle_fj",
];

/// Whether a program for `own` may be timed as on `other`: name, PE kind and timing parameters may differ.
///
/// # Errors
/// Names the parameters that differ and must not.
pub fn check_retiming(own: &Machine, other: &Machine) -> Result<(), String> {
    let fields = Machine::FIELDS.iter().zip(own.values().into_iter().zip(other.values()));
    let differ: Vec<String> = fields
        .filter(|(field, (a, b))| a != b && !TIMING.contains(&field.name))
        .map(|(field, (a, b))| format!("{} = {b}, the program was made for {a}", field.name))
        .collect();
    if differ.is_empty() {
        return Ok(());
    }
    Err(format!("machine '{}' cannot run this program: {}", other.name, differ.join("; ")))
}

/// Checks that the register files of `other` can follow the schedules of a program, which is valid on its own machine.
///
/// # Errors
/// Names the first instruction whose schedule does not fit.
pub(crate) fn check_schedules(program: &Program, other: &Machine) -> Result<(), String> {
    let mut slots = Slots::default();
    for (index, instr) in program.instrs.iter().enumerate() {
        if let (Instr::ConvVar(var), Some(Instr::ConvInv(inv))) = (instr, slots.step(instr).ok().flatten())
            && let Err(error) = Block::of(inv, var, other)
        {
            let name = &other.name;
            return Err(format!(
                "machine '{name}' cannot run this program: instruction {index} (conv_var): {error}"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_known_to_be_one_or_the_other() {
        let structural = [
            "tiles",
            "rows",
            "cols",
            "adder_tree_max",
            "sram_bytes",
            "sram_granule",
            "dma_engines",
            "dram_bytes",
            "barriers",
        ];
        for field in Machine::FIELDS {
            assert!(
                TIMING.contains(&field.name) != structural.contains(&field.name),
                "classify the machine parameter '{}'",
                field.name
            );
        }
        assert_eq!(TIMING.len() + structural.len(), Machine::FIELDS.len());
    }

    #[test]
    fn timing_may_differ_and_structure_may_not() {
        let own = Machine::flexnn_16x16();
        let faster = Machine { clock_mhz: 2000, dram_latency_cycles: 0, name: "x".into(), ..own.clone() };
        assert_eq!(check_retiming(&own, &faster), Ok(()));
        let other = Machine { barriers: 32, rows: 8, ..own.clone() };
        assert_eq!(
            check_retiming(&own, &other).unwrap_err(),
            "machine 'flexnn-16x16' cannot run this program: rows = 8, the program was made for 16; \
             barriers = 32, the program was made for 64"
        );
    }
}
