//! Archives with false claims: none takes more memory than the limit, and each is refused with the reason.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dpu_isa::{Dtype, IoDesc, Meaning};
use strum_files::{FileError, budget};
use strum_tensors::{Inputs, Tensor, read_floats, read_inputs};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const LIMIT: u64 = 40 << 20;

/// Sets the limit, and keeps other tests from claiming.
fn alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    let guard = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    budget::set_limit(LIMIT);
    guard
}

/// An `.npy` file of zeros.
fn zeros(count: usize) -> Vec<u8> {
    let text = format!("{{'descr': '|i1', 'fortran_order': False, 'shape': ({count},), }}\n");
    let len = u16::try_from(text.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &len[..], text.as_bytes(), &vec![0; count]].concat()
}

/// An archive of stored members: their names, their bytes, and the size that the directory claims, as 64 bits.
fn stored(members: &[(&str, &[u8], u64)]) -> Vec<u8> {
    let u16s = |values: &[usize]| -> Vec<u8> {
        values.iter().flat_map(|&v| u16::try_from(v).unwrap().to_le_bytes()).collect()
    };
    let u32s = |values: &[usize]| -> Vec<u8> {
        values.iter().flat_map(|&v| u32::try_from(v).unwrap().to_le_bytes()).collect()
    };
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, data, claimed) in members {
        let at = bytes.len();
        let crc = usize::try_from(crc32(data)).unwrap();
        // Version 4.5, no flags, stored, the first second of 1980.
        let head = u16s(&[45, 0, 0, 0, 33]);
        let sizes = u32s(&[crc, data.len(), data.len()]);
        bytes.extend([b"PK\x03\x04", &head[..], &sizes, &u16s(&[name.len(), 0]), name.as_bytes()].concat());
        bytes.extend_from_slice(data);
        let sizes = u32s(&[crc, data.len(), 0xffff_ffff]);
        let extra = [&u16s(&[1, 8])[..], &claimed.to_le_bytes()].concat();
        let lens = u16s(&[name.len(), extra.len(), 0, 0, 0]);
        let place = u32s(&[0, at]);
        let version = u16s(&[45]);
        directory.extend(
            [b"PK\x01\x02", &version[..], &head, &sizes, &lens, &place, name.as_bytes(), &extra].concat(),
        );
    }
    let at = bytes.len();
    let counts = u16s(&[0, 0, members.len(), members.len()]);
    let end = [b"PK\x05\x06", &counts[..], &u32s(&[directory.len(), at]), &u16s(&[0])].concat();
    [bytes, directory, end].concat()
}

/// The checksum of ZIP files.
fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// An archive as a file `x.npz`, for as long as its folder lives.
fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// The results of the three readers on an archive: of numbers, of an input of 8 elements, of a batch of them.
fn errors(bytes: &[u8]) -> [String; 3] {
    let (_folder, path) = file(bytes);
    let arg = [path.to_str().unwrap().to_owned()];
    let desc = |shape: &[u64]| IoDesc {
        name: "x".into(),
        dtype: Dtype::I8,
        shape: shape.to_vec(),
        addr: 0,
        meaning: Meaning::default(),
    };
    let samples = || -> Result<Vec<Tensor>, FileError> {
        Inputs::open(&[desc(&[1])], &arg)?.batch().map_or(Ok(Vec::new()), |mut samples| samples.read(7))
    };
    let floats = read_floats(&arg[0]).err().map(|e| e.to_string());
    let input = read_inputs(&[desc(&[8])], &arg).err().map(|e| e.to_string());
    [floats, input, samples().err().map(|e| e.to_string())].map(Option::unwrap_or_default)
}

#[test]
fn an_honest_archive_is_read() {
    let _alone = alone();
    assert_eq!(errors(&stored(&[("x.npy", &zeros(8), zeros(8).len() as u64)])), ["", "", ""]);
}

#[test]
fn an_archive_that_unpacks_to_more_than_there_is_is_refused() {
    let _alone = alone();
    let _held = budget::claim("most of it", LIMIT - (1 << 20)).unwrap();
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("x.npy", SimpleFileOptions::default()).unwrap();
    zip.write_all(&zeros(2 << 20)).unwrap();
    let packed = zip.finish().unwrap().into_inner();
    assert!(packed.len() < 1 << 16);
    let (_folder, path) = file(&packed);
    let error = read_floats(path.to_str().unwrap()).unwrap_err();
    assert!(matches!(error, FileError::Limit { .. }), "{error}");
    assert!(error.to_string().contains("x.npz: the array: 2097"), "{error}");
}

#[test]
fn sizes_of_64_bits_are_believed_as_far_as_memory_goes() {
    let _alone = alone();
    for claimed in [1 << 30, 1 << 40, u64::MAX - 1] {
        let [floats, input, batch] = errors(&stored(&[("x.npy", &zeros(8), claimed)]));
        assert!(floats.contains("x.npz: ") && !floats.ends_with(": "), "{floats}");
        assert!(input.contains("expected i8[8], got a file of more than 65600 bytes"), "{input}");
        assert!(batch.contains("bytes of data do not make 8 samples"), "{batch}");
    }
    let [floats, ..] = errors(&stored(&[("x.npy", &zeros(8), 1 << 30)]));
    assert!(floats.contains("x.npz: the array: 1073741825 bytes are needed"), "{floats}");
    let [floats, ..] = errors(&stored(&[("x.npy", &zeros(8), 1 << 40)]));
    assert!(floats.ends_with("larger than the limit of 8589934592 bytes"), "{floats}");
}

#[test]
fn an_array_of_more_bytes_than_it_claims_is_refused() {
    let _alone = alone();
    for error in errors(&stored(&[("x.npy", &zeros(8), 40)])) {
        assert!(error.ends_with("larger than its declared uncompressed size"), "{error}");
    }
}

#[test]
fn two_arrays_of_one_name_are_refused() {
    let _alone = alone();
    let (a, size) = (zeros(8), zeros(8).len() as u64);
    for error in errors(&stored(&[("x.npy", &a, size), ("x.npy", &zeros(9), size + 1)])) {
        assert!(error.ends_with("x.npz: two arrays of the archive have one name"), "{error}");
    }
    // Bytes after a NUL are not part of a name.
    let size = zeros(9).len() as u64;
    for error in errors(&stored(&[("x.npy", &a, size - 1), ("x.npy\0.npy", &zeros(9), size)])) {
        assert!(error.ends_with("x.npz: two arrays of the archive have one name"), "{error}");
    }
}

#[test]
fn a_truncated_archive_is_refused_wherever_it_ends() {
    let _alone = alone();
    let whole = stored(&[("x.npy", &zeros(8), zeros(8).len() as u64)]);
    for len in 0..whole.len() {
        for error in errors(&whole[..len]) {
            assert!(error.contains("x.npz: "), "{len} bytes: {error}");
        }
    }
}
