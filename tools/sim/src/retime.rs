//! Which machine parameters may differ from those that a program was compiled for.
//!
//! A program relies on memories, engines, barriers and array; rates, latencies and energies only set the time. So do register files and
//! lanes, as long as the program's schedules fit. The row of a parameter in `dpu_isa::machine` has its class.

use dpu_isa::machine::FieldClass;
use dpu_isa::schedule::Block;
use dpu_isa::{Instr, Machine, Program, Slots};

/// Checks that a program for `own` may be timed as on `other`: name, PE kind and timing parameters may
/// differ.
///
/// # Errors
/// The parameters that differ and must not.
pub fn check_retiming(own: &Machine, other: &Machine) -> Result<(), String> {
    let fields = Machine::FIELDS.iter().zip(own.values().into_iter().zip(other.values()));
    let differ: Vec<String> = fields
        .filter(|(field, (a, b))| a != b && field.class == FieldClass::Structure)
        .map(|(field, (a, b))| format!("{} = {b}, the program was made for {a}", field.name))
        .collect();
    if differ.is_empty() {
        return Ok(());
    }
    Err(format!("machine '{}' cannot run this program: {}", other.name, differ.join("; ")))
}

/// Checks that the schedules of a program, which is valid on its own machine, fit the register files of `other`.
///
/// # Errors
/// The first instruction whose schedule does not fit.
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
    use std::collections::BTreeSet;

    #[test]
    fn programs_rely_on_memories_engines_barriers_and_array() {
        let structure = Machine::FIELDS.iter().filter(|field| field.class == FieldClass::Structure);
        let array = ["rows", "cols", "adder_tree_max"];
        let memories = ["sram_bytes", "sram_granule", "dram_bytes"];
        let others = ["tiles", "dma_engines", "barriers"];
        let expected: BTreeSet<&str> = array.into_iter().chain(memories).chain(others).collect();
        assert_eq!(structure.map(|field| field.name).collect::<BTreeSet<_>>(), expected);
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
