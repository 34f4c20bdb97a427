//! Register files: entries with a write port and a read port.

use std::rc::Rc;

use crate::netlist::{Builder, Module, Storage, or};
use crate::spec::RegisterFile;

/// Bits of an address of `entries` entries; at least one.
pub(crate) fn address_bits(entries: u32) -> u32 {
    entries.max(2).next_power_of_two().ilog2()
}

/// Entries behind one first stage of clock gating.
const GROUP: u32 = 8;

/// A register file: `read_data` is entry `read`; where `write_enable` is set, entry `write` holds `data` from the next cycle on.
///
/// An entry must not be read in the cycle in which it is written: latches are open in the second half of it.
pub(crate) fn register_file(name: &str, entries: u32, width: u32, kind: RegisterFile) -> Rc<Module> {
    let (suffix, storage) = match kind {
        RegisterFile::FlipFlops => ("", Storage::FlipFlops),
        RegisterFile::Latches => ("_latches", Storage::Latches),
    };
    let about = format!("Register file of {entries} entries of {width} bits, a write port and a read port.");
    let mut m = Builder::new(format!("register_file_{name}_{entries}x{width}{suffix}"), about);
    let bits = address_bits(entries);
    let (write_enable, write) = (m.input("write_enable", 1), m.input("write", bits));
    let (data, read) = (m.input("data", width), m.input("read", bits));
    let mut selected = Vec::new();
    let mut group = write_enable.clone();
    for index in 0..entries {
        if entries > GROUP && index.is_multiple_of(GROUP) {
            let number = index / GROUP;
            let within = write.bits(GROUP.ilog2()..bits).equals(number.into());
            group = m.wire(format!("write_group_{number}"), &write_enable & &within);
        }
        let enable = m.wire(format!("write_{index}"), &write_enable & &write.equals(index.into()));
        let (declared, value) = m.declare(format!("entry_{index}"), width, storage);
        m.drive_in_group(declared, data.clone(), enable, group.clone());
        let chosen = m.wire(format!("read_{index}"), read.equals(index.into()));
        selected.push(value.when(&chosen));
    }
    m.output("read_data", or(selected));
    m.finish()
}
