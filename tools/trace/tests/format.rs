//! Traces written and read back, and what is not a trace.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::io;

use dpu_isa::{Machine, Manifest, Method, Stationary};
use dpu_trace::{Conv, Header, Reader, Source, Tile, TraceError, Trailer, Vector, Writer};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn header(conv: Conv, lanes: u32) -> Header {
    let machine = Machine { lanes, ..Machine::flexnn_16x16() };
    Header {
        manifest: Manifest { tool: "t \"1\"".into(), pipeline: "p\n".into(), input_sha256: "0".repeat(64) },
        layer: "conv1 ä".into(),
        source: Source {
            op: "strum.conv2d".into(),
            location: "net.mlir:1:2".into(),
            instruction: 17,
            number: 3,
        },
        tile: Tile {
            in_c: 3,
            kernel_h: 3,
            kernel_w: 1,
            out_h: 8,
            out_w: 9,
            out_c: 4,
            acc_in: true,
            ..Tile::default()
        },
        vector: conv.vector(lanes),
        word_bytes: conv.word_bytes(lanes),
        pes: vec![0, 255],
        limit: 7,
        act_zero: Some(12),
        machine,
        conv,
    }
}

fn plain() -> Conv {
    Conv {
        block: 16,
        in_zp: -128,
        wt_zp: 3,
        sched_oc: 8,
        sched_oy: 1,
        sched_ox: 2,
        sched_ic: 1,
        block_oc: 4,
        block_oy: 1,
        block_ox: 9,
        ..Conv::default()
    }
}

fn mip2q(block: u8) -> Conv {
    let stationary = Stationary::Weight;
    Conv { method: Method::Mip2q, block, low: block / 2, param: 7, wt_zp: 0, stationary, ..plain() }
}

fn vector(header: &Header) -> impl Strategy<Value = Vector> + use<> {
    let (acts, word) = (header.vector as usize, header.word_bytes as usize);
    (
        any::<(u16, bool, bool, u16, [u32; 3], u8, i32, i32)>(),
        vec(-128..=255i16, acts..=acts),
        vec(any::<u8>(), word..=word),
    )
        .prop_map(|((pe, first, last, accumulator, output, code_shift, before, after), acts, word)| {
            Vector { pe, first, last, accumulator, output, code_shift, acts, word, before, after }
        })
}

fn sections() -> impl Strategy<Value = Vec<(Header, Vec<Vector>, bool)>> {
    let layer = (select(&[4u8, 8, 16, 32]), select(&[1u32, 8, 12, 32]), any::<bool>());
    let section = layer.prop_flat_map(|(block, lanes, packed)| {
        let header = header(if packed { mip2q(block) } else { plain() }, lanes);
        let vectors = vec(vector(&header), 0..5);
        (Just(header), vectors, any::<bool>())
    });
    vec(section, 1..4)
}

fn written(sections: &[(Header, Vec<Vector>, bool)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (header, vectors, cut) in sections {
        writer.begin(header).unwrap();
        vectors.iter().for_each(|vector| writer.vector(vector).unwrap());
        writer.end(*cut).unwrap();
    }
    writer.finish().unwrap()
}

/// Reads everything; the error is the first one.
fn read(bytes: &[u8]) -> Result<Vec<(Header, Vec<Vector>, bool)>, TraceError> {
    let mut reader = Reader::new(bytes)?;
    let mut sections = Vec::new();
    loop {
        let vectors = reader.by_ref().collect::<Result<Vec<_>, _>>()?;
        let Trailer { records, cut } = reader.trailer().unwrap();
        assert_eq!(records, vectors.len() as u64);
        sections.push((reader.header().clone(), vectors, cut));
        if !reader.next_section()? {
            return Ok(sections);
        }
    }
}

fn error(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

proptest! {
    #[test]
    fn what_was_written_is_read(sections in sections()) {
        prop_assert_eq!(read(&written(&sections)).unwrap(), sections);
    }

    #[test]
    fn a_part_of_a_trace_is_incomplete_unless_it_ends_with_a_section(sections in sections(), at in any::<prop::sample::Index>()) {
        let bytes = written(&sections);
        let part = &bytes[..at.index(bytes.len())];
        let whole = (0..sections.len()).map(|n| written(&sections[..n]).len()).any(|len| len == part.len());
        match read(part) {
            Err(TraceError::Incomplete { .. }) => prop_assert!(!whole),
            Err(TraceError::NotATrace { .. }) => prop_assert!(part.is_empty()),
            other => prop_assert!(whole && other.is_ok(), "{:?}", other),
        }
    }

    #[test]
    fn damaged_traces_never_panic(sections in sections(), seed: u64) {
        let mut bytes = written(&sections);
        dpu_isa::testing::mutate(&mut dpu_isa::testing::Rng::new(seed), &mut bytes);
        let mut reader = Reader::new(bytes.as_slice());
        if let Ok(reader) = &mut reader {
            while reader.next_section().unwrap_or(false) {}
            prop_assert!(reader.next().is_none_or(|vector| vector.is_ok()));
        }
    }
}

#[test]
fn other_files_and_versions_are_refused() {
    assert_eq!(
        error(b""),
        "not a PE trace: expected a line of JSON with schema 'dpu-pe-trace', found an empty file"
    );
    assert!(error(b"\x93NUMPY").contains("found other bytes"));
    assert!(error(b"{}\n").contains("found none"));
    assert!(error(b"{\"schema\": \"strum.run\"}\n").contains("found 'strum.run'"));
    assert!(error(b"{]}\n").contains("found none: key must be a string"));
    assert_eq!(
        error(b"{\"schema\":\"dpu-pe-trace\",\"version\":2}\n"),
        "version 2 of PE traces; this reader supports version 1"
    );
    assert!(error(b"{\"schema\":\"dpu-pe-trace\"}\n").contains("header of section 0: no 'version'"));
    let endless = [b"{".as_slice(), &vec![b' '; dpu_trace::MAX_HEADER]].concat();
    assert!(error(&endless).contains("a line of more than 1048576 bytes"));
}

#[test]
fn a_header_agrees_with_its_machine() {
    let text = written(&[(header(mip2q(16), 8), Vec::new(), false)]);
    let text = String::from_utf8_lossy(&text).into_owned();
    let swapped = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}: {text}");
        error(text.replacen(from, to, 1).as_bytes())
    };
    assert!(swapped("\"layer\"", "\"player\"").contains("missing field `layer`"));
    assert!(swapped("\"mip2q\"", "\"mip3q\"").contains("unknown method 'mip3q'"));
    assert!(swapped("\"weight\"", "\"bias\"").contains("unknown stationary operand 'bias'"));
    assert!(swapped("\"low\":8", "\"low\":17").contains("low = 17 of 16"));
    assert!(
        swapped("\"block_ox\":9", "\"block_ox\":0").contains("blocks of 4 x 1 x 0 contradict method 'mip2q'")
    );
    assert!(swapped("\"block\":16", "\"block\":15").contains("block"));
    assert!(swapped("lanes = 8", "lanes = 4").contains("is not that of the machine"));
    assert!(swapped("lanes = 8", "lanes = 0").contains("machine: "));
    assert!(
        swapped("\"vector\":16", "\"vector\":8")
            .contains("lanes, vector and word_bytes are [8, 8, 14], machine and method give [8, 16, 14]")
    );
    // 8 x 9 x 4 outputs of 3 taps and 3 channels.
    assert!(
        swapped("\"act_zero\":12", "\"act_zero\":2593")
            .contains("act_zero = 2593 of 2592 products of the tile")
    );
    let most = Header { act_zero: Some(2592), ..header(mip2q(16), 8) };
    assert_eq!(read(&written(&[(most.clone(), Vec::new(), false)])).unwrap(), [(most, Vec::new(), false)]);
}

#[test]
fn older_traces_do_not_count_zeros() {
    let head = Header { act_zero: None, ..header(plain(), 8) };
    let bytes = written(&[(head.clone(), Vec::new(), false)]);
    assert!(!String::from_utf8_lossy(&bytes).contains("act_zero"));
    assert_eq!(read(&bytes).unwrap(), [(head, Vec::new(), false)]);
}

#[test]
fn records_are_counted_and_checked() {
    let head = header(plain(), 8);
    let one = Vector { acts: vec![0; 8], word: vec![0; 8], ..Vector::default() };
    let bytes = written(&[(head.clone(), vec![one.clone(); 2], false)]);
    let (line, record) = (bytes.iter().position(|&b| b == b'\n').unwrap() + 1, 26 + 16 + 8);
    assert_eq!(bytes.len(), line + 2 * record + 10);
    assert!(
        error(&bytes[..bytes.len() - 1])
            .contains("the file ends in section 0 after 2 records, before its trailer")
    );
    let without = [&bytes[..line], &bytes[line + record..]].concat();
    assert_eq!(error(&without), "section 0 has 1 records, its trailer states 2");
    let with = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        error(&bytes)
    };
    assert_eq!(with(line + record, 4), "section 0, record 1: unknown flags 0x4");
    assert!(with(line + 2 * record + 1, 2).contains("the trailer's flag is neither 0 nor 1"));
    assert!(error(&[&bytes[..], b"\n"].concat()).contains("found other bytes"));
}

#[test]
fn a_writer_keeps_the_order() {
    let head = header(plain(), 8);
    let one = Vector { acts: vec![0; 8], word: vec![0; 8], ..Vector::default() };
    let mut writer = Writer::new(Vec::new());
    let text = |result: Result<(), TraceError>| result.unwrap_err().to_string();
    assert!(text(writer.vector(&one)).contains("a vector before the header"));
    assert!(text(writer.end(false)).contains("a trailer before the header"));
    writer.begin(&head).unwrap();
    assert!(text(writer.begin(&head)).contains("a header before the trailer"));
    assert_eq!(
        text(writer.vector(&Vector { acts: vec![0; 7], ..one })),
        "a vector of 7 activations and 8 bytes of weights, the header states 8 and 8"
    );
    assert!(writer.finish().unwrap_err().to_string().contains("before the trailer of its last section"));
    let long = Header { layer: "x".repeat(1 << 20), ..head };
    assert!(text(Writer::new(Vec::new()).begin(&long)).contains("more than 1048576"));
}

/// A disk that is full.
struct Full;

impl io::Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let error = Writer::new(Full).begin(&header(plain(), 8)).unwrap_err();
    assert!(matches!(&error, TraceError::Io(e) if e.kind() == io::ErrorKind::StorageFull), "{error}");
}

/// Number and length in bytes of the fields in a table of the page.
fn table(page: &str, heading: &str) -> Vec<(usize, usize)> {
    let table = page.split_once(heading).unwrap().1;
    let rows =
        table.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    let numbers = cells.filter_map(|cells| cells[1].parse().ok().zip(cells[2].parse().ok()));
    numbers.collect()
}

#[test]
fn the_layout_is_that_of_the_page() {
    let page = std::fs::read_to_string("../../docs/pe-trace.md").unwrap();
    let head = header(plain(), 8);
    let vector = Vector {
        pe: 0x1234,
        first: false,
        last: true,
        accumulator: 0x2345,
        output: [0x3456_789a, 0x4567_89ab, 0x5678_9abc],
        code_shift: 5,
        acts: vec![-128; 8],
        word: vec![0xcd; 8],
        before: -2,
        after: 0x6789_abcd,
    };
    let bytes = written(&[(head, vec![vector], true)]);
    let start = bytes.iter().position(|&b| b == b'\n').unwrap() + 1;
    let at = |base: usize, (offset, len): (usize, usize)| {
        let field = &bytes[base + offset..base + offset + len];
        field.iter().rev().fold(0u64, |value, &byte| value << 8 | u64::from(byte))
    };
    let fields: Vec<u64> = table(&page, "**Vector:**").into_iter().map(|field| at(start, field)).collect();
    let want = [2, 5, 0x1234, 0x2345, 0x3456_789a, 0x4567_89ab, 0x5678_9abc, 0xffff_fffe, 0x6789_abcd];
    assert_eq!(fields, want);
    assert_eq!(bytes[start + 26..][..16], [0x80, 0xff].repeat(8));
    assert_eq!(bytes[start + 42..][..8], [0xcd; 8]);
    let trailer: Vec<u64> =
        table(&page, "**Trailer:**").into_iter().map(|field| at(start + 50, field)).collect();
    assert_eq!(trailer, [0x80, 1, 1]);
    assert_eq!(bytes.len(), start + 60);
}
