//! Traces of PEs of whole programs: random schedules, formats and machines, against independent sums and counts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use common::{Conv, nth};
use dpu_isa::{ConvInv, ConvVar, Instr, Machine, Method, PeKind, Program, Stationary};
use dpu_sim::{Obstacle, Options, PeChoice, PeChoiceError, PeRange, PeTrace, TensorView, simulate};
use dpu_trace::{Header, Reader, Trailer, Vector};

type Section = (Header, Vec<Vector>, Trailer);

/// All PEs, without a limit.
fn everything(machine: &Machine) -> PeChoice {
    let last = u16::try_from(machine.rows * machine.cols - 1).unwrap();
    let limit = NonZeroU64::new(u64::MAX).unwrap();
    PeChoice { pes: vec![PeRange::Numbers(0, last)], limit, ..PeChoice::default() }
}

fn sections(path: &Path) -> Vec<Section> {
    let mut reader = Reader::new(File::open(path).unwrap()).unwrap();
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
    (result.outputs[0].data.clone(), result.report.total.events.pe_steps, sections(&path))
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

/// A layer that is not depthwise, with one without which the trace would have nothing.
#[test]
fn layers_that_cannot_be_traced_are_left_out_by_default() {
    let mut program = common::program(&Conv::SMALL);
    let end = program.instrs.pop().unwrap();
    program.layers.push(dpu_isa::Layer { name: "dw".into(), ..program.layers[0].clone() });
    let (inv, var) = (nth(&program, "conv_inv", 0), nth(&program, "conv_var", 0));
    let (Instr::ConvInv(inv), Instr::ConvVar(var)) = (program.instrs[inv], program.instrs[var]) else {
        panic!()
    };
    program.instrs.extend([ConvInv { depthwise: true, ..inv }.into(), Instr::from(ConvVar { ..var }), end]);
    let last = program.meta.len() - 1;
    program.meta[last].layer = 1;
    program.meta.extend([program.meta[last], dpu_isa::InstrMeta::default()]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.pes");
    let trace = PeTrace::create(&program, &program.machine, &PeChoice::default(), &path).unwrap();
    assert_eq!(trace.skipped(), ["'dw': it is depthwise, which uses one lane of a PE"]);
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
