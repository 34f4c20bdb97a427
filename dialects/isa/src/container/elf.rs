//! The ELF shell of the container: named sections to bytes, and back.
//!
//! The layout is a function of the sections alone. A file that differs from it in a single byte is rejected.

use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader as _, SectionHeader as _};
use object::write::elf::{FileHeader, SectionHeader, Writer};
use object::{Endianness, LittleEndian};
use sha2::{Digest, Sha256};

use super::error::ContainerError;

/// Version of the container format, in `EI_ABIVERSION`: that of programs with weights in blocks without masks. Other programs are of
/// version 2, or 1 where no input or output has a meaning.
pub const FORMAT_VERSION: u8 = 3;
/// The ELF machine number of the DPU, from the range that no one has registered.
pub const EM_DPU: u16 = 0xd970;
/// Greatest size of a container in bytes.
pub const MAX_FILE: u64 = 1 << 33;

/// Names of the sections in file order; the last one holds the checksums of the others.
pub(crate) const SECTIONS: [&str; 9] = [
    ".dpu.machine",
    ".dpu.manifest",
    ".dpu.io",
    ".dpu.layers",
    ".dpu.locs",
    ".dpu.code",
    ".dpu.meta",
    ".dpu.const",
    ".dpu.sums",
];
/// Sections with data of the program.
pub(crate) const DATA: usize = SECTIONS.len() - 1;
/// Sections are aligned to this many bytes.
const ALIGN: usize = 16;
/// Bytes of a checksum.
const SUM: usize = 32;

/// Lays the sections out.
pub(crate) fn write(version: u8, data: &[&[u8]; DATA]) -> Result<Vec<u8>, ContainerError> {
    let sums: Vec<u8> = data.iter().flat_map(Sha256::digest).collect();
    write_with(version, data, &sums)
}

fn write_with(version: u8, data: &[&[u8]; DATA], sums: &[u8]) -> Result<Vec<u8>, ContainerError> {
    let all: Vec<&[u8]> = data.iter().copied().chain([sums]).collect();
    let mut out = Vec::new();
    let mut w = Writer::new(Endianness::Little, true, &mut out);
    w.reserve_file_header();
    let _ = w.reserve_null_section_index();
    let mut places = Vec::with_capacity(SECTIONS.len());
    for (name, section) in SECTIONS.iter().zip(&all) {
        let name = w.add_section_name(name.as_bytes());
        let _ = w.reserve_section_index();
        places.push((name, w.reserve(section.len(), ALIGN)));
    }
    let _ = w.reserve_shstrtab_section_index();
    w.reserve_shstrtab();
    w.reserve_section_headers();
    let failed = |e: object::write::Error| ContainerError::Elf(e.to_string());
    w.write_file_header(&FileHeader {
        os_abi: elf::ELFOSABI_STANDALONE,
        abi_version: version,
        e_type: elf::ET_EXEC,
        e_machine: EM_DPU,
        e_entry: 0,
        e_flags: 0,
    })
    .map_err(failed)?;
    for section in &all {
        w.write_align(ALIGN);
        w.write(section);
    }
    w.write_shstrtab();
    w.write_null_section_header();
    for (section, (name, offset)) in all.iter().zip(places) {
        w.write_section_header(&SectionHeader {
            name: Some(name),
            sh_type: elf::SHT_PROGBITS,
            sh_flags: 0,
            sh_addr: 0,
            sh_offset: offset as u64,
            sh_size: section.len() as u64,
            sh_link: 0,
            sh_info: 0,
            sh_addralign: ALIGN as u64,
            sh_entsize: 0,
        });
    }
    w.write_shstrtab_section_header();
    Ok(out)
}

/// The version, and the sections, after checking header, bounds, overlaps, checksums and layout.
pub(crate) fn read(bytes: &[u8]) -> Result<(u8, [&[u8]; DATA]), ContainerError> {
    let version = check_ident(bytes)?;
    let failed = |e: object::read::Error| ContainerError::Elf(e.to_string());
    let header = FileHeader64::<LittleEndian>::parse(bytes).map_err(failed)?;
    check_machine(header.e_machine(LittleEndian))?;
    let table = header.sections(LittleEndian, bytes).map_err(failed)?;
    // Plus the null section and the section names.
    let expected = SECTIONS.len() + 2;
    if table.len() != expected {
        return Err(ContainerError::SectionCount { got: table.len(), expected });
    }
    let mut sections: [&[u8]; SECTIONS.len()] = [&[]; SECTIONS.len()];
    let mut ranges: Vec<(u64, u64, &'static str)> = Vec::with_capacity(SECTIONS.len());
    for ((index, section), name) in table.enumerate().skip(1).zip(SECTIONS) {
        let found = table.section_name(LittleEndian, section).map_err(failed)?;
        if found != name.as_bytes() {
            let found = String::from_utf8_lossy(found.get(..64).unwrap_or(found)).into_owned();
            return Err(ContainerError::SectionName { index: index.0, found, expected: name });
        }
        let (offset, size) = (section.sh_offset(LittleEndian), section.sh_size(LittleEndian));
        let outside = ContainerError::SectionBounds { section: name, offset, size, file: bytes.len() as u64 };
        let data = section.data(LittleEndian, bytes).map_err(|_| outside.clone())?;
        // A section without file contents (`SHT_NOBITS`) claims a size but has no bytes.
        if data.len() as u64 != size {
            return Err(outside);
        }
        if let Some(place) = sections.get_mut(index.0 - 1) {
            *place = data;
        }
        ranges.push((offset, offset.saturating_add(size), name));
    }
    let offsets: Vec<u64> = ranges.iter().map(|&(start, ..)| start).collect();
    check_overlap(ranges)?;
    let [data @ .., sums] = sections;
    check_sums(&data, &offsets, sums)?;
    check_layout(bytes, version, &data, sums)?;
    Ok((version, data))
}

fn check_ident(bytes: &[u8]) -> Result<u8, ContainerError> {
    if bytes.len() as u64 > MAX_FILE {
        return Err(ContainerError::TooLarge { got: bytes.len() as u64, max: MAX_FILE });
    }
    let magic = bytes.get(..4).unwrap_or(bytes);
    if magic != elf::ELFMAG {
        return Err(ContainerError::BadMagic(magic.to_vec()));
    }
    let size = size_of::<FileHeader64<LittleEndian>>();
    let Some([_, _, _, _, class, data, version, os_abi, abi_version, ..]) = bytes.get(..size) else {
        return Err(ContainerError::Truncated { got: bytes.len() as u64, expected: size as u64 });
    };
    let foreign = |what, got: u8, expected: u8| {
        let (got, expected) = (u16::from(got), u16::from(expected));
        if got == expected { Ok(()) } else { Err(ContainerError::Foreign { what, got, expected }) }
    };
    foreign("class", *class, elf::ELFCLASS64)?;
    foreign("data encoding", *data, elf::ELFDATA2LSB)?;
    foreign("ELF version", *version, elf::EV_CURRENT)?;
    foreign("OS ABI", *os_abi, elf::ELFOSABI_STANDALONE)?;
    if !(1..=FORMAT_VERSION).contains(abi_version) {
        return Err(ContainerError::Version { got: *abi_version, expected: FORMAT_VERSION });
    }
    Ok(*abi_version)
}

fn check_machine(got: u16) -> Result<(), ContainerError> {
    if got == EM_DPU {
        return Ok(());
    }
    Err(ContainerError::Foreign { what: "machine", got, expected: EM_DPU })
}

fn check_overlap(mut ranges: Vec<(u64, u64, &'static str)>) -> Result<(), ContainerError> {
    ranges.retain(|(start, end, _)| start < end);
    ranges.sort_unstable();
    for pair in ranges.windows(2) {
        if let [(_, end, a), (start, _, b)] = *pair
            && start < end
        {
            return Err(ContainerError::SectionOverlap { a, b, offset: start });
        }
    }
    Ok(())
}

fn check_sums(data: &[&[u8]; DATA], offsets: &[u64], sums: &[u8]) -> Result<(), ContainerError> {
    if sums.len() != SUM * DATA {
        let (got, expected) = (sums.len() as u64, (SUM * DATA) as u64);
        return Err(ContainerError::SumCount { got, expected });
    }
    let all = data.iter().zip(sums.chunks(SUM)).zip(SECTIONS).zip(offsets);
    for (((section, sum), name), &offset) in all {
        if Sha256::digest(section).as_slice() != sum {
            return Err(ContainerError::Checksum { section: name, offset });
        }
    }
    Ok(())
}

/// The headers and the padding are in no section: they must be exactly what the writer emits.
fn check_layout(bytes: &[u8], version: u8, data: &[&[u8]; DATA], sums: &[u8]) -> Result<(), ContainerError> {
    let expected = write_with(version, data, sums)?;
    if expected == bytes {
        return Ok(());
    }
    let same = expected.iter().zip(bytes).take_while(|(a, b)| a == b).count();
    Err(ContainerError::Layout { offset: same as u64 })
}
