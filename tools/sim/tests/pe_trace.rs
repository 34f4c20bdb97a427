//! Traces of PEs of whole programs: random schedules, formats and machines, against independent sums and counts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use common::{Conv, nth};
use dpu_isa::{Instr, Machine, Method, PeKind, Program, Stationary};
use dpu_sim::{Obstacle, Options, PeChoice, PeChoiceError, PeRange, PeTrace, TensorView, simulate};
use dpu_trace::{Header, Reader, Trailer, Vector};

type Section = (Header, Vec<Vector>, Trailer);

/// All PEs, without a limit.
fn everything(machine: &Machine) -> PeChoice {
    let last = u16::try_from(machine.rows * machine.cols - 1).unwrap();
    let limit = NonZeroU64::new(u64::MAX).unwrap();
    PeChoice { pes: vec![PeRange::Numbers(0, last)], limit, ..PeChoice::default() }
}

fn sections_of(bytes: &[u8]) -> Vec<Section> {
    let mut reader = Reader::new(bytes).unwrap();
    let mut sections = Vec::new();
    loop {
        let vectors = reader.by_ref().collect::<Result<_, _>>().unwrap();
        sections.push((reader.header().clone(), vectors, reader.trailer().unwrap()));
        if !reader.next_section().unwrap() {
            return sections;
        }
    }
}

/// Runs a program on these input bytes; returns its output, the PE steps of the report, and the trace.
fn traced(program: &Program, input: &[u8], choice: &PeChoice) -> (Vec<u8>, u64, Vec<Section>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.pes");
    let trace = Arc::new(PeTrace::create(program, &program.machine, choice, &path).unwrap());
    let x = TensorView { dtype: dpu_isa::Dtype::I8, shape: &program.inputs[0].shape, data: input };
    let options = Options { pe_trace: Some(Arc::clone(&trace)), ..Options::default() };
    let result = simulate(program, &[x], &options).unwrap();
    assert!(!path.exists(), "nothing before the end of the run");
    trace.commit(&path).unwrap();
    (
        result.outputs[0].data.clone(),
        result.report.total.events.pe_steps,
        sections_of(&fs::read(&path).unwrap()),
    )
}

#[test]
fn sections_are_the_tiles_of_the_layer() {
    let conv = Conv { method: Method::Mip2q, ..Conv::SMALL };
    let program = common::program(&conv);
    let (output, steps, sections) = traced(&program, &conv.input(), &everything(&program.machine));
    assert_eq!(output, conv.expected());
    assert_eq!(sections.len(), 4);
    let mut vectors = 0;
    for ((header, all, trailer), n) in sections.iter().zip(0..) {
        assert_eq!((header.layer.as_str(), header.source.number), ("conv1", n));
        assert_eq!(header.source.location, "net.mlir:12:8");
        assert_eq!(header.source.instruction, nth(&program, "conv_var", n as usize) as u64);
        assert_eq!((header.vector, header.word_bytes), (16, 14));
        assert_eq!(*trailer, Trailer { records: all.len() as u64, cut: false });
        vectors += trailer.records;
    }
    // One of the two PEs of a tree has all 16 channels, in two steps.
    assert_eq!(2 * vectors, steps);
}

#[test]
fn the_limit_is_one_of_a_layer_and_pe_and_cuts_are_stated() {
    let program = common::program(&Conv::SMALL);
    let limit = |n| NonZeroU64::new(n).unwrap();
    // Of every tile of 8 x 2 x 8 outputs, a PE computes two; with half of the 16 channels each has 9 vectors.
    let choice = PeChoice { limit: limit(20), pes: vec![PeRange::Numbers(0, 1)], ..PeChoice::default() };
    let (_, _, sections) = traced(&program, &Conv::SMALL.input(), &choice);
    let trailers: Vec<_> = sections.iter().map(|(.., t)| (t.records, t.cut)).collect();
    assert_eq!(trailers, [(36, false), (4, true), (0, true), (0, true)]);
    let exact = PeChoice { limit: limit(18 * 4), ..PeChoice::default() };
    let (_, _, sections) = traced(&program, &Conv::SMALL.input(), &exact);
    assert!(sections.iter().all(|(.., t)| *t == Trailer { records: 18, cut: false }));
}

#[test]
fn without_a_choice_it_is_the_first_pe_of_every_layer() {
    let program = common::program(&Conv::SMALL);
    let (_, _, sections) = traced(&program, &Conv::SMALL.input(), &PeChoice::default());
    assert!(sections.iter().all(|(h, v, _)| h.pes == [0] && v.iter().all(|v| v.pe == 0)));
    let named =
        PeChoice { layers: vec!["conv1".into()], pes: vec![PeRange::At(1, 3)], ..PeChoice::default() };
    let (_, _, sections) = traced(&program, &Conv::SMALL.input(), &named);
    assert!(sections.iter().all(|(h, v, _)| h.pes == [19] && v.iter().all(|v| v.pe == 19)));
    let numbered = PeChoice { layers: vec!["0".into()], ..PeChoice::default() };
    assert_eq!(traced(&program, &Conv::SMALL.input(), &numbered).2.len(), 4);
}

fn refusal(program: &Program, machine: &Machine, choice: &PeChoice) -> PeChoiceError {
    let folder = tempfile::tempdir().unwrap();
    PeTrace::create(program, machine, choice, &folder.path().join("t.pes")).unwrap_err()
}

#[test]
fn what_cannot_be_traced_is_refused() {
    let mut program = common::program(&Conv::SMALL);
    let machine = program.machine.clone();
    program.layers.push(dpu_isa::Layer { name: "pool".into(), ..program.layers[0].clone() });
    let layer = |name: &str| PeChoice { layers: vec![name.into()], ..PeChoice::default() };
    let text = |error: PeChoiceError| error.to_string();
    assert_eq!(
        text(refusal(&program, &machine, &layer("conv2"))),
        "no layer is called 'conv2' or has this index; the convolutions are 'conv1'"
    );
    assert!(text(refusal(&program, &machine, &layer("2"))).contains("'2' or has this index"));
    for name in ["pool", "1"] {
        let text = text(refusal(&program, &machine, &layer(name)));
        assert_eq!(text, format!("layer '{name}' has no convolution; the convolutions are 'conv1'"));
    }
    let pes = |range: PeRange| PeChoice { pes: vec![range], ..PeChoice::default() };
    for (range, pe) in
        [(PeRange::Numbers(255, 256), "256"), (PeRange::At(16, 0), "16:0"), (PeRange::At(0, 16), "0:16")]
    {
        let text = text(refusal(&program, &machine, &pes(range)));
        assert_eq!(text, format!("PE {pe} is outside the array of 16 rows and 16 columns"));
    }
    let skipping = Machine { zero_skip: 1, ..machine.clone() };
    let error = refusal(&program, &skipping, &layer("conv1"));
    assert!(matches!(error, PeChoiceError::Obstacle { obstacle: Obstacle::ZeroSkipping, .. }));
    assert!(
        text(error).contains("layer 'conv1' cannot be traced: the machine skips its zeros (zero_skip = 1)")
    );
    for instr in &mut program.instrs {
        if let Instr::ConvInv(x) = instr {
            x.depthwise = true;
        }
    }
    assert!(
        text(refusal(&program, &machine, &layer("conv1"))).contains("it is depthwise, which uses one lane")
    );
    let error = text(refusal(&program, &machine, &PeChoice::default()));
    assert!(error.starts_with("no layer can be traced: 'conv1': it is depthwise"), "{error}");
    program.instrs.retain(|instr| !matches!(instr, Instr::ConvVar(_)));
    let error = text(refusal(&program, &machine, &PeChoice::default()));
    assert_eq!(error, "no layer can be traced: the program has no convolution");
}

/// The program, with its last two tiles in a layer of their own.
fn two_layers(conv: &Conv) -> Program {
    let mut program = common::program(conv);
    program.layers.push(dpu_isa::Layer { name: "conv2".into(), ..program.layers[0].clone() });
    for n in [2, 3] {
        let at = nth(&program, "conv_var", n);
        program.meta[at].layer = 1;
    }
    program
}

#[test]
fn a_trace_has_the_chosen_layers_with_a_limit_each() {
    let program = two_layers(&Conv::SMALL);
    let of = |layers: &[&str], limit| {
        let layers = layers.iter().map(|&name| name.to_owned()).collect();
        let choice = PeChoice { layers, limit: NonZeroU64::new(limit).unwrap(), ..PeChoice::default() };
        let (.., sections) = traced(&program, &Conv::SMALL.input(), &choice);
        let summary = sections.into_iter().map(|(h, _, t)| (h.layer, h.source.number, t.records));
        summary.collect::<Vec<_>>()
    };
    let [one, two] = ["conv1", "conv2"].map(str::to_owned);
    let second = [(two.clone(), 0, 18), (two.clone(), 1, 18)];
    assert_eq!(of(&["conv2"], 99), second);
    assert_eq!(of(&["1", "conv2"], 99), second);
    let both = [(one.clone(), 0, 18), (one, 1, 2), (two.clone(), 0, 18), (two, 1, 2)];
    assert_eq!(of(&[], 20), both);
    assert_eq!(of(&["conv2", "conv1"], 20), both);
}

#[test]
fn ranges_of_pes_are_numbers_and_places() {
    let parsed = |text: &str| text.parse::<PeRange>();
    assert_eq!(parsed("7"), Ok(PeRange::Numbers(7, 7)));
    assert_eq!(parsed("0-3"), Ok(PeRange::Numbers(0, 3)));
    assert_eq!(parsed("2:15"), Ok(PeRange::At(2, 15)));
    for text in ["", "-", "3-0", ":", "1:2:3", "-1", "65536", "a"] {
        let error = parsed(text).unwrap_err();
        assert_eq!(error, "expected a number, a range such as 0-3, or ROW:COL", "{text}");
    }
}

/// Loops over every schedule parameter of the small convolution; the random tiles are in `exec/tests/vectors.rs`.
#[test]
fn a_whole_layer_is_every_product_once() {
    for stationary in [Stationary::Output, Stationary::Input] {
        for (kind, method) in [(PeKind::Dense, Method::Dense), (PeKind::StrumDynamic, Method::Mip2q)] {
            let conv = Conv { size: 8, in_c: 32, out_c: 8, method, tiles: 2 };
            let mut program = common::program(&conv);
            program.machine.pe_kind = kind;
            program.machine.if_rf_bytes = 4096;
            for instr in &mut program.instrs {
                if let Instr::ConvInv(x) = instr {
                    (x.stationary, x.sched_oc, x.sched_ox, x.block_oc) = (stationary, 2, 3, 3);
                }
            }
            let (output, _, sections) = traced(&program, &conv.input(), &everything(&program.machine));
            assert_eq!(output, conv.expected());
            let mut outputs = BTreeSet::new();
            for (header, vectors, _) in &sections {
                let acts = vectors.iter().flat_map(|vector| &vector.acts);
                let zeros = acts.filter(|&&act| act == header.conv.in_zp).count() as u64;
                assert_eq!(header.act_zero, Some(zeros));
                let mut last: BTreeMap<(u16, [u32; 3]), &Vector> = BTreeMap::new();
                for vector in vectors {
                    let old = last.insert((vector.pe, vector.output), vector);
                    assert_eq!(vector.first, old.is_none());
                    assert!(old.is_none_or(|old| !old.last && old.after == vector.before));
                }
                assert!(last.values().all(|vector| vector.last));
                outputs.extend(last.keys().map(|key| (header.source.number, key.1)));
            }
            assert_eq!(outputs.len(), 8 * 8 * 8);
        }
    }
}

/// A folder with a program and inputs, on which the command runs.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(program: &Program) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        let text = "{'descr': '|i1', 'fortran_order': False, 'shape': (N, 8, 8, 16), }\n";
        let input = Conv::SMALL.input();
        let other: Vec<u8> = input.iter().map(|b| b ^ 0x55).collect();
        for (name, samples) in [("x.npy", vec![&input]), ("many.npy", vec![&input, &other, &other])] {
            let text = text.replace('N', &samples.len().to_string());
            let len = u16::try_from(text.len()).unwrap().to_le_bytes();
            let mut bytes = [b"\x93NUMPY\x01\x00", &len[..], text.as_bytes()].concat();
            samples.iter().for_each(|sample| bytes.extend(sample.iter()));
            fs::write(folder.path(name), bytes).unwrap();
        }
        fs::write(folder.path("p.dpu"), program.to_elf().unwrap()).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Exit code and standard error.
    fn run(&self, line: &str) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dpu-sim"));
        let output = command.current_dir(self.0.path()).args(line.split(' ')).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    fn trace(&self, line: &str) -> Vec<u8> {
        let (code, text) = self.run(line);
        assert_eq!((code, text.as_str()), (Some(0), ""), "{line}");
        let bytes = fs::read(self.path("t")).unwrap();
        fs::remove_file(self.path("t")).unwrap();
        bytes
    }
}

#[test]
fn the_trace_is_that_of_the_first_sample_whatever_the_kernel_and_the_threads() {
    let folder = Folder::new(&two_layers(&Conv::SMALL));
    let one = folder.trace("p.dpu -q -i x.npy --trace-pe t --trace-pes 0-3,1:0");
    assert_eq!(sections_of(&one).len(), 4);
    for line in [
        "p.dpu -q -i many.npy --trace-pe t --trace-pes 0 1 2-3 16",
        "p.dpu -q -i x.npy --trace-pe t --trace-pes 1:0 0-3 --golden --no-checks",
        "p.dpu -q -i x.npy --trace-pe t --trace-pes 1:0 0-3 --trace-layers 0,conv2 --jobs 1",
    ] {
        assert_eq!(folder.trace(line), one, "{line}");
    }
    let limited = folder.trace("p.dpu -q -i x.npy --trace-pe t --trace-limit 3 --trace-layers conv2");
    let trailers: Vec<_> = sections_of(&limited).iter().map(|(.., t)| (t.records, t.cut)).collect();
    assert_eq!(trailers, [(3, true), (0, true)]);
}

/// Convolutions with a depthwise one as the first layer.
fn mixed() -> Program {
    let mut program = two_layers(&Conv { out_c: 16, ..Conv::SMALL });
    let at = nth(&program, "conv_var", 2);
    let (inv, meta) = (program.instrs[nth(&program, "conv_inv", 0)], program.meta[at]);
    program.instrs.insert(at, inv);
    program.meta.insert(at, meta);
    let first = nth(&program, "conv_inv", 0);
    let Instr::ConvInv(first) = &mut program.instrs[first] else { panic!() };
    (first.depthwise, first.sched_ic) = (true, 1);
    // One set serves all channels, and every table entry has offset 0.
    let (table, entries) = (common::set_bytes(&Conv::SMALL) as usize * 16, 16);
    (0..entries).for_each(|oc| program.consts[table + 16 * oc..][..4].fill(0));
    program
}

#[test]
fn depthwise_layers_are_left_out_with_a_note_or_refused() {
    let folder = Folder::new(&mixed());
    let (code, text) = folder.run("p.dpu -q -i x.npy --trace-pe t");
    let note = "note: --trace-pe leaves out layer 'conv1': it is depthwise, which uses one lane of a PE\n";
    assert_eq!((code, text.as_str()), (Some(0), note));
    let sections = sections_of(&fs::read(folder.path("t")).unwrap());
    assert!(sections.len() == 2 && sections.iter().all(|(h, ..)| h.layer == "conv2"));
    let (code, text) = folder.run("p.dpu -i x.npy --trace-pe u --trace-layers conv1");
    assert_eq!(code, Some(3));
    assert!(text.contains("--trace-layers: layer 'conv1' cannot be traced: it is depthwise"), "{text}");
    assert!(text.contains("help: without --trace-layers, all layers that can be traced are"), "{text}");
    assert!(!folder.path("u").exists());
}

#[test]
fn failed_runs_and_wrong_choices_leave_no_trace() {
    let folder = Folder::new(&common::program(&Conv::SMALL));
    for (line, code, message) in [
        ("-i x.npy --trace-pe t --fuel 10", 4, "out of fuel"),
        ("-i x.npy --trace-pe t --trace-pes 256", 2, "--trace-pes: PE 256 is outside the array"),
        ("-i x.npy --trace-pe t --trace-pes 0-", 2, "expected a number, a range such as 0-3, or ROW:COL"),
        ("-i x.npy --trace-pe t --trace-layers x", 2, "--trace-layers: no layer is called 'x'"),
        ("-i x.npy --trace-pe t --trace-limit 0", 2, "--trace-limit"),
        ("-i x.npy --trace-pe ./x.npy", 2, "--trace-pe would overwrite './x.npy'"),
        ("-i x.npy --trace-pe -", 2, "expected the name of a file"),
        ("-i x.npy --trace-pe no/folder/t", 1, "no/folder"),
    ] {
        let (got, text) = folder.run(&format!("p.dpu {line}"));
        assert!(got == Some(code) && text.contains(message), "{line}: {text}");
        assert!(!folder.path("t").exists(), "{line}");
    }
    let line = "ulimit -f 1; exec \"$0\" p.dpu -i x.npy --trace-pe t";
    let mut shell = Command::new("sh");
    shell.current_dir(folder.0.path()).args(["-c", line, env!("CARGO_BIN_EXE_dpu-sim")]);
    let output = shell.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && text.contains("File too large"), "{text}");
    assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 3);
    let mut depthwise = mixed();
    depthwise.instrs.truncate(nth(&depthwise, "conv_var", 2) - 1);
    depthwise.instrs.retain(|i| !matches!(i, Instr::ConvInv(x) if !x.depthwise));
    let choice = PeChoice::default();
    let error = refusal(&depthwise, &depthwise.machine.clone(), &choice);
    assert!(matches!(error, PeChoiceError::Nothing(_)), "{error}");
}

#[test]
fn the_machine_that_sets_the_times_is_traced() {
    let folder = Folder::new(&common::program(&Conv::SMALL));
    let four = Machine { lanes: 4, ..Machine::flexnn_16x16() };
    fs::write(folder.path("four.toml"), four.to_toml()).unwrap();
    let sections = sections_of(&folder.trace("p.dpu -q -i x.npy --trace-pe t --machine four.toml"));
    // Of 16 channels, the PE takes every second vector.
    for (header, vectors, _) in sections {
        assert_eq!((&header.machine, header.vector, vectors.len()), (&four, 4, 36));
        assert!(vectors.iter().all(|vector| vector.word.len() == 4));
    }
}

#[test]
fn illegal_weights_trap_with_and_without_a_trace() {
    let mut program = common::program(&Conv { method: Method::Mip2q, ..Conv::SMALL });
    program.consts[0] ^= 1;
    let folder = Folder::new(&program);
    let (with, without) = (folder.run("p.dpu -i x.npy --trace-pe t"), folder.run("p.dpu -i x.npy"));
    assert_eq!(with, without);
    assert!(with.0 == Some(5) && with.1.contains("output channel 0: block 0 of 1 at tap 0"), "{}", with.1);
    assert!(!folder.path("t").exists());
}
