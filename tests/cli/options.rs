//! Every option of every command and of every pass does something, or is refused: options come from the command lines and the
//! passes themselves, and each must have a row in a table here, whose commands are run with and without it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::common::{OPT, STRUMC, Scratch, TRANSLATE, npy, run_in};

/// How an option shows what it does.
#[derive(Clone, Copy)]
enum Shown {
    /// The first command gives something else than the second, which succeeds.
    Differs(&'static str, &'static str),
    /// Where it would change nothing it is refused with this message.
    Refused(&'static str, &'static str),
    /// A test of this name shows it: nothing that a command writes depends on it.
    By(&'static str),
}
use Shown::{By, Differs, Refused};

type Row = (&'static str, Shown);

const COMPILE: &[Row] = &[
    ("network", Differs("compile net.mlir -o n.dpu", "compile narrow.mlir -o n.dpu")),
    ("output", Differs("compile net.mlir -o n.dpu", "compile net.mlir -o m.dpu")),
    ("json", Differs("compile net.mlir -o n.dpu", "compile net.mlir -o n.dpu --json")),
    ("json", Refused("compile net.mlir -o - --json", "where the program would be")),
    ("quiet", Differs("compile net.mlir -o n.dpu", "compile net.mlir -o n.dpu -q")),
    (
        "verbose",
        Differs("compile narrow.mlir -o n --method mip2q", "compile narrow.mlir -o n --method mip2q -v"),
    ),
    ("verbose", Refused("compile narrow.mlir -o n --method mip2q -v -q", "cannot be used with")),
    ("method", Differs("compile net.mlir -o n", "compile net.mlir -o n --method sparse")),
    ("p", Differs("compile net.mlir -o n --method sparse", "compile net.mlir -o n --method sparse --p 0.25")),
    ("p", Refused("compile net.mlir -o n --p 0.25", "--p has no effect with --method dense")),
    ("w", Differs("compile net.mlir -o n --method sparse", "compile net.mlir -o n --method sparse --w 8")),
    ("w", Refused("compile net.mlir -o n --w 8", "--w has no effect with --method dense")),
    ("q", Differs("compile net.mlir -o n --method dliq", "compile net.mlir -o n --method dliq --q 3")),
    ("q", Refused("compile net.mlir -o n --method mip2q --q 3", "--q has no effect with --method mip2q")),
    ("l", Differs("compile net.mlir -o n --method mip2q", "compile net.mlir -o n --method mip2q --L 5")),
    ("l", Refused("compile net.mlir -o n --method dliq --L 5", "--L has no effect with --method dliq")),
    (
        "zero",
        Differs(
            "compile net.mlir -o n --method mip2q --L 5",
            "compile net.mlir -o n --method mip2q --L 5 --zero",
        ),
    ),
    ("zero", Refused("compile net.mlir -o n --method sparse --zero", "--zero has no effect")),
    (
        "shift",
        Differs("compile net.mlir -o n --method dliq", "compile net.mlir -o n --method dliq --shift channel"),
    ),
    ("shift", Refused("compile net.mlir -o n --method sparse --shift 1", "--shift has no effect")),
    (
        "select",
        Differs(
            "compile net.mlir -o n --method mip2q",
            "compile net.mlir -o n --method mip2q --select magnitude",
        ),
    ),
    ("select", Refused("compile net.mlir -o n --select error", "--select has no effect")),
    (
        "correct",
        Differs(
            "compile q.mlirbc -o n --method mip2q",
            "compile q.mlirbc -o n --method mip2q --correct bias",
        ),
    ),
    ("correct", Refused("compile net.mlir -o n --correct bias", "--correct has no effect")),
    (
        "depthwise",
        Differs("compile dw.mlir -o n --method mip2q", "compile dw.mlir -o n --method mip2q --depthwise"),
    ),
    ("depthwise", Refused("compile net.mlir -o n --depthwise", "--depthwise has no effect")),
    ("packing_file", Differs("compile net.mlir -o n", "compile net.mlir -o n --packing p.json")),
    ("objective", Differs("compile lenet.mlirbc -o n", "compile lenet.mlirbc -o n --objective bytes")),
    ("read_strategy", Differs("compile net.mlir -o n", "compile net.mlir -o n --read-strategy told.json")),
    ("write_strategy", Differs("compile net.mlir -o n", "compile net.mlir -o n --write-strategy t.json")),
    ("machine", Differs("compile net.mlir -o n", "compile net.mlir -o n --machine flexnn-4x4")),
    ("save_temps", Differs("compile net.mlir -o n", "compile net.mlir -o n --save-temps kept")),
    ("print_pipeline", Differs("compile net.mlir -o n", "compile net.mlir -o n --print-pipeline")),
];

const RUN: &[Row] = &[
    ("network", Differs("run net.mlir --input x.npy", "run net.dpu --input x.npy --layers")),
    ("input", Differs("run net.mlir --input x.npy", "run net.mlir --input x2.npy")),
    ("output", Differs("run net.mlir --input x.npy", "run net.mlir --input x.npy --output y.npy")),
    ("report", Differs("run net.mlir --input x.npy", "run net.mlir --input x.npy --report report.json")),
    ("trace", Differs("run net.mlir --input x.npy", "run net.mlir --input x.npy --trace t.json")),
    ("layers", Differs("run net.mlir --input x.npy", "run net.mlir --input x.npy --layers")),
    ("layers", Refused("run net.mlir --input x.npy --layers -q", "cannot be used with")),
    ("layers", Refused("run net.mlir --input x.npy --layers --json", "cannot be used with")),
    ("fuel", Differs("run net.mlir --input x.npy --fuel 10", "run net.mlir --input x.npy --fuel 100000000")),
    ("no_checks", By("checks_can_be_switched_off")),
    ("golden", By("every_kernel_gives_the_same_bytes")),
    ("jobs", Refused("run net.mlir --input x.npy --jobs 0", "--jobs")),
    ("jobs", By("a_batch_is_computed_sample_by_sample")),
    ("json", Differs("run net.mlir --input x.npy", "run net.mlir --input x.npy --json")),
    ("quiet", Differs("run net.mlir --input x.npy", "run net.mlir --input x.npy -q")),
    (
        "verbose",
        Differs(
            "run narrow.mlir --input n.npy --method mip2q",
            "run narrow.mlir --input n.npy --method mip2q -v",
        ),
    ),
    ("verbose", Refused("run net.dpu --input x.npy -v", "--verbose has no effect: 'net.dpu' is compiled")),
    ("method", Differs("run net.mlir --input x.npy", "run net.mlir --input x.npy --method sparse")),
    (
        "method",
        Refused("run net.dpu --input x.npy --method sparse", "--method has no effect: 'net.dpu' is compiled"),
    ),
    (
        "p",
        Differs(
            "run net.mlir --input x.npy --method sparse",
            "run net.mlir --input x.npy --method sparse --p 0.25",
        ),
    ),
    ("p", Refused("run net.dpu --input x.npy --p 0.25", "--p has no effect: 'net.dpu' is compiled")),
    (
        "w",
        Differs(
            "run net.mlir --input x.npy --method sparse",
            "run net.mlir --input x.npy --method sparse --w 8",
        ),
    ),
    (
        "q",
        Differs("run net.mlir --input x.npy --method dliq", "run net.mlir --input x.npy --method dliq --q 3"),
    ),
    (
        "l",
        Differs(
            "run net.mlir --input x.npy --method mip2q",
            "run net.mlir --input x.npy --method mip2q --L 5",
        ),
    ),
    (
        "zero",
        Differs(
            "run net.mlir --input x.npy --method mip2q --L 3 --p 1",
            "run net.mlir --input x.npy --method mip2q --L 3 --p 1 --zero",
        ),
    ),
    (
        "shift",
        Differs(
            "run net.mlir --input x.npy --method dliq",
            "run net.mlir --input x.npy --method dliq --shift channel",
        ),
    ),
    (
        "select",
        Differs(
            "run net.mlir --input x.npy --method mip2q",
            "run net.mlir --input x.npy --method mip2q --select magnitude",
        ),
    ),
    (
        "correct",
        Differs(
            "run q.mlirbc --input d.npy --method mip2q",
            "run q.mlirbc --input d.npy --method mip2q --correct both",
        ),
    ),
    (
        "depthwise",
        Differs(
            "run dw.mlir --input x.npy --method mip2q",
            "run dw.mlir --input x.npy --method mip2q --depthwise",
        ),
    ),
    ("packing_file", Differs("run net.mlir --input x.npy", "run net.mlir --input x.npy --packing p.json")),
    ("packing_file", Refused("run net.dpu --input x.npy --packing p.json", "--packing has no effect")),
    (
        "objective",
        Differs("run lenet.mlirbc --input d.npy", "run lenet.mlirbc --input d.npy --objective bytes"),
    ),
    ("objective", Refused("run net.dpu --input x.npy --objective bytes", "--objective has no effect")),
    (
        "read_strategy",
        Differs("run net.mlir --input x.npy", "run net.mlir --input x.npy --read-strategy told.json"),
    ),
    (
        "read_strategy",
        Refused("run net.dpu --input x.npy --read-strategy told.json", "--read-strategy has no effect"),
    ),
    (
        "write_strategy",
        Differs("run net.mlir --input x.npy", "run net.mlir --input x.npy --write-strategy t.json"),
    ),
    (
        "write_strategy",
        Refused("run net.dpu --input x.npy --write-strategy t.json", "--write-strategy has no effect"),
    ),
    ("machine", Differs("run net.mlir --input x.npy", "run net.mlir --input x.npy --machine flexnn-4x4")),
    ("machine", Differs("run net.dpu --input x.npy", "run net.dpu --input x.npy --machine slow.toml")),
    ("save_temps", Differs("run net.mlir --input x.npy", "run net.mlir --input x.npy --save-temps kept")),
    ("save_temps", Refused("run net.dpu --input x.npy --save-temps kept", "--save-temps has no effect")),
    ("print_pipeline", Differs("run net.mlir --input x.npy", "run net.mlir --input x.npy --print-pipeline")),
    ("print_pipeline", Differs("run net.mlir --input x.npy", "run --print-pipeline")),
];

const COMPARE: &[Row] = &[
    (
        "network",
        Differs("compare net.mlir -i x.npy --methods sparse", "compare dw.mlir -i x.npy --methods sparse"),
    ),
    ("input", Differs("compare net.mlir", "compare net.mlir -i x.npy --methods sparse")),
    ("methods", Differs("compare net.mlir -i x.npy", "compare net.mlir -i x.npy --methods sparse")),
    (
        "machines",
        Differs(
            "compare net.mlir -i x.npy --methods sparse",
            "compare net.mlir -i x.npy --methods sparse --machines flexnn-4x4",
        ),
    ),
    (
        "baseline",
        Differs(
            "compare net.mlir -i x.npy --methods sparse",
            "compare net.mlir -i x.npy --methods sparse --baseline flexnn-4x4",
        ),
    ),
    (
        "page",
        Differs(
            "compare net.mlir -i x.npy --methods sparse",
            "compare net.mlir -i x.npy --methods sparse --page page.html",
        ),
    ),
    (
        "layers",
        Differs(
            "compare net.mlir -i x.npy --methods sparse",
            "compare net.mlir -i x.npy --methods sparse --layers",
        ),
    ),
    ("layers", Refused("compare net.mlir -i x.npy --methods sparse --layers -q", "cannot be used with")),
    ("layers", Refused("compare net.mlir -i x.npy --methods sparse --layers --json", "cannot be used with")),
    (
        "fuel",
        Differs(
            "compare net.mlir -i x.npy --methods sparse --fuel 9",
            "compare net.mlir -i x.npy --methods sparse --fuel 10000000",
        ),
    ),
    (
        "json",
        Differs(
            "compare net.mlir -i x.npy --methods sparse",
            "compare net.mlir -i x.npy --methods sparse --json",
        ),
    ),
    (
        "quiet",
        Differs(
            "compare net.mlir -i x.npy --methods sparse",
            "compare net.mlir -i x.npy --methods sparse -q",
        ),
    ),
    (
        "verbose",
        Differs(
            "compare narrow.mlir -i n.npy --methods sparse",
            "compare narrow.mlir -i n.npy --methods sparse -v",
        ),
    ),
    (
        "p",
        Differs(
            "compare net.mlir -i x.npy --methods sparse",
            "compare net.mlir -i x.npy --methods sparse --p 0.25",
        ),
    ),
    (
        "p",
        Refused(
            "compare net.mlir -i x.npy --methods dense --machines flexnn-4x4 --p 0.5",
            "--p has no effect with --methods dense",
        ),
    ),
    (
        "w",
        Differs(
            "compare net.mlir -i x.npy --methods sparse --json",
            "compare net.mlir -i x.npy --methods sparse --json --w 8",
        ),
    ),
    (
        "q",
        Differs(
            "compare net.mlir -i x.npy --methods dliq --json",
            "compare net.mlir -i x.npy --methods dliq --json --q 3",
        ),
    ),
    (
        "q",
        Refused(
            "compare net.mlir -i x.npy --methods sparse --q 3",
            "--q has no effect with --methods sparse",
        ),
    ),
    (
        "l",
        Differs(
            "compare net.mlir -i x.npy --methods mip2q --json",
            "compare net.mlir -i x.npy --methods mip2q --json --L 5",
        ),
    ),
    (
        "l",
        Refused(
            "compare net.mlir -i x.npy --methods sparse --L 5",
            "--L has no effect with --methods sparse",
        ),
    ),
    (
        "zero",
        Differs(
            "compare net.mlir -i x.npy --methods mip2q --json --L 5",
            "compare net.mlir -i x.npy --methods mip2q --json --L 5 --zero",
        ),
    ),
    ("zero", Refused("compare net.mlir -i x.npy --methods sparse --zero", "--zero has no effect")),
    (
        "shift",
        Differs(
            "compare net.mlir -i x.npy --methods dliq --json",
            "compare net.mlir -i x.npy --methods dliq --json --shift channel",
        ),
    ),
    ("shift", Refused("compare net.mlir -i x.npy --methods sparse --shift 1", "--shift has no effect")),
    (
        "select",
        Differs(
            "compare net.mlir -i x.npy --methods mip2q --json",
            "compare net.mlir -i x.npy --methods mip2q --json --select magnitude",
        ),
    ),
    (
        "correct",
        Differs(
            "compare q.mlirbc -i d.npy --methods mip2q --json --machines flexnn-16x16",
            "compare q.mlirbc -i d.npy --methods mip2q --json --machines flexnn-16x16 --correct bias",
        ),
    ),
    (
        "depthwise",
        Differs(
            "compare dw.mlir -i x.npy --methods sparse",
            "compare dw.mlir -i x.npy --methods sparse --depthwise",
        ),
    ),
];

const EVAL: &[Row] = &[
    (
        "network",
        Differs(
            "eval net.mlir -i x.npy --logits 0 --methods sparse",
            "eval dw.mlir -i x.npy --methods sparse --depthwise",
        ),
    ),
    (
        "inputs",
        Differs(
            "eval net.mlir -i x.npy --logits 0 --methods sparse",
            "eval net.mlir -i x2.npy --logits 0 --methods sparse",
        ),
    ),
    (
        "labels",
        Differs(
            "eval net.mlir -i x.npy --logits 0 --methods sparse",
            "eval net.mlir -i x.npy --logits 0 --methods sparse --labels y.npy",
        ),
    ),
    (
        "against",
        Differs(
            "eval q.mlirbc -i c.npz --limit 2 --methods sparse",
            "eval q.mlirbc -i c.npz --limit 2 --methods sparse --against float.mlirbc",
        ),
    ),
    (
        "methods",
        Differs("eval net.mlir -i x.npy --logits 0", "eval net.mlir -i x.npy --logits 0 --methods sparse"),
    ),
    ("methods", Refused("eval net.mlir -i x.npy --methods sparse,sparse", "twice")),
    (
        "config",
        Differs(
            "eval net.mlir -i x.npy --logits 0 --methods sparse",
            "eval net.mlir -i x.npy --logits 0 --methods sparse --config mip2q,L=5",
        ),
    ),
    (
        "packing",
        Differs(
            "eval net.mlir -i x.npy --logits 0 --methods sparse",
            "eval net.mlir -i x.npy --logits 0 --methods sparse --packing p.json",
        ),
    ),
    (
        "layers",
        Differs(
            "eval net.mlir -i x.npy --logits 0 --methods sparse",
            "eval net.mlir -i x.npy --logits 0 --methods sparse --layers",
        ),
    ),
    (
        "layers",
        Refused("eval net.mlir -i x.npy --logits 0 --methods dense --layers", "--layers has no effect"),
    ),
    (
        "layers",
        Refused("eval net.mlir -i x.npy --logits 0 --methods sparse --layers -q", "cannot be used with"),
    ),
    (
        "limit",
        Differs(
            "eval net.mlir -i many.npy --logits 0 --methods sparse",
            "eval net.mlir -i many.npy --logits 0 --methods sparse --limit 1",
        ),
    ),
    ("jobs", Refused("eval net.mlir -i x.npy --logits 0 --jobs 0", "--jobs")),
    ("jobs", By("a_row_for_every_method")),
    (
        "logits",
        Differs(
            "eval net.mlir -i x.npy --logits 0 --methods sparse",
            "eval net.mlir -i x.npy --logits 1 --methods sparse",
        ),
    ),
    (
        "machine",
        Differs(
            "eval net.mlir -i x.npy --logits 0 --methods sparse",
            "eval net.mlir -i x.npy --logits 0 --methods sparse --machine flexnn-4x4",
        ),
    ),
    (
        "json",
        Differs(
            "eval net.mlir -i x.npy --logits 0 --methods sparse",
            "eval net.mlir -i x.npy --logits 0 --methods sparse --json",
        ),
    ),
    (
        "quiet",
        Differs(
            "eval net.mlir -i x.npy --logits 0 --methods sparse",
            "eval net.mlir -i x.npy --logits 0 --methods sparse -q",
        ),
    ),
    (
        "verbose",
        Differs(
            "eval narrow.mlir -i n.npy --logits 0 --methods sparse",
            "eval narrow.mlir -i n.npy --logits 0 --methods sparse -v",
        ),
    ),
    (
        "p",
        Differs(
            "eval net.mlir -i x.npy --logits 0 --methods sparse",
            "eval net.mlir -i x.npy --logits 0 --methods sparse --p 0.25",
        ),
    ),
    ("p", Refused("eval net.mlir -i x.npy --logits 0 --config sparse --p 0.25", "--p has no effect")),
    (
        "w",
        Differs(
            "eval net.mlir -i x.npy --logits 0 --methods sparse",
            "eval net.mlir -i x.npy --logits 0 --methods sparse --w 8",
        ),
    ),
    (
        "q",
        Differs(
            "eval net.mlir -i x.npy --logits 0 --methods dliq",
            "eval net.mlir -i x.npy --logits 0 --methods dliq --q 3",
        ),
    ),
    ("q", Refused("eval net.mlir -i x.npy --logits 0 --methods sparse --q 3", "--q has no effect")),
    (
        "l",
        Differs(
            "eval net.mlir -i x.npy --logits 0 --methods mip2q",
            "eval net.mlir -i x.npy --logits 0 --methods mip2q --L 5",
        ),
    ),
    ("l", Refused("eval net.mlir -i x.npy --logits 0 --methods sparse --L 5", "--L has no effect")),
    (
        "zero",
        Differs(
            "eval net.mlir -i x.npy --logits 0 --methods mip2q --L 3 --p 1",
            "eval net.mlir -i x.npy --logits 0 --methods mip2q --L 3 --p 1 --zero",
        ),
    ),
    (
        "shift",
        Differs(
            "eval net.mlir -i x.npy --logits 0 --methods dliq",
            "eval net.mlir -i x.npy --logits 0 --methods dliq --shift channel",
        ),
    ),
    (
        "select",
        Differs(
            "eval net.mlir -i x.npy --logits 0 --methods mip2q",
            "eval net.mlir -i x.npy --logits 0 --methods mip2q --select magnitude",
        ),
    ),
    (
        "correct",
        Differs(
            "eval q.mlirbc -i c.npz --limit 2 --methods sparse",
            "eval q.mlirbc -i c.npz --limit 2 --methods sparse --correct bias",
        ),
    ),
    (
        "depthwise",
        Differs(
            "eval dw.mlir -i x.npy --methods sparse",
            "eval dw.mlir -i x.npy --methods sparse --depthwise",
        ),
    ),
];

const TUNE: &[Row] = &[
    ("network", Differs("tune net.mlir --policy uniform -o t", "tune dw.mlir --policy uniform -o t")),
    ("output", Differs("tune net.mlir --policy uniform -o t", "tune net.mlir --policy uniform -o u")),
    ("policy", Differs("tune net.mlir -o t", "tune net.mlir --policy uniform -o t")),
    (
        "config",
        Differs("tune net.mlir --policy uniform -o t", "tune net.mlir --policy uniform -o t --config dliq"),
    ),
    (
        "calibration",
        Differs(
            "tune net.mlir --logits 0 -c x.npy --max-loss 1 -o t",
            "tune net.mlir --logits 0 -c many.npy --max-loss 1 -o t",
        ),
    ),
    (
        "calibration",
        Refused(
            "tune net.mlir --policy uniform -o t -c x.npy",
            "--calibration has no effect with --policy uniform",
        ),
    ),
    (
        "labels",
        Differs(
            "tune net.mlir --logits 0 -c x.npy --max-loss 1 -o t",
            "tune net.mlir --logits 0 -c x.npy --max-loss 1 -o t --labels y.npy",
        ),
    ),
    (
        "labels",
        Refused(
            "tune net.mlir --policy uniform -o t --labels y.npy",
            "--labels has no effect with --policy uniform",
        ),
    ),
    (
        "labels",
        Refused(
            "tune net.mlir --logits 0 -c x.npy --max-bytes 99 -o t --labels y.npy",
            "--labels has no effect with --max-bytes",
        ),
    ),
    (
        "limit",
        Differs(
            "tune net.mlir --logits 0 -c many.npy --max-loss 1 -o t",
            "tune net.mlir --logits 0 -c many.npy --max-loss 1 -o t --limit 1",
        ),
    ),
    (
        "limit",
        Refused(
            "tune net.mlir --policy uniform -o t --limit 1",
            "--limit has no effect with --policy uniform",
        ),
    ),
    (
        "jobs",
        Refused("tune net.mlir --policy uniform -o t --jobs 1", "--jobs has no effect with --policy uniform"),
    ),
    ("jobs", By("at_equal_size_the_search_beats_one_way_for_all")),
    (
        "logits",
        Differs(
            "tune net.mlir --logits 0 -c x.npy --max-loss 1 -o t",
            "tune net.mlir --logits 1 -c x.npy --max-loss 1 -o t",
        ),
    ),
    (
        "logits",
        Refused(
            "tune net.mlir --policy uniform -o t --logits 0",
            "--logits has no effect with --policy uniform",
        ),
    ),
    (
        "objective",
        Differs(
            "tune net.mlir --logits 0 -c x.npy --max-loss 1 -o t",
            "tune net.mlir --logits 0 -c x.npy --max-loss 1 -o t --objective energy",
        ),
    ),
    (
        "objective",
        Refused(
            "tune net.mlir --policy uniform -o t --objective size",
            "--objective has no effect with --policy uniform",
        ),
    ),
    (
        "max_loss",
        Differs(
            "tune net.mlir --logits 0 -c x.npy -o t",
            "tune net.mlir --logits 0 -c x.npy -o t --max-loss 1",
        ),
    ),
    (
        "max_loss",
        Refused("tune net.mlir --policy uniform -o t --max-loss 1", "no effect with --policy uniform"),
    ),
    (
        "min_sqnr",
        Differs(
            "tune net.mlir --logits 0 -c x.npy -o t --min-sqnr 5",
            "tune net.mlir --logits 0 -c x.npy -o t --min-sqnr 30",
        ),
    ),
    (
        "min_sqnr",
        Refused("tune net.mlir --policy uniform -o t --min-sqnr 1", "no effect with --policy uniform"),
    ),
    (
        "max_bytes",
        Differs(
            "tune net.mlir --logits 0 -c x.npy -o t --max-bytes 1000",
            "tune net.mlir --logits 0 -c x.npy -o t --max-bytes 30",
        ),
    ),
    (
        "max_bytes",
        Refused("tune net.mlir --policy uniform -o t --max-bytes 1", "no effect with --policy uniform"),
    ),
    (
        "machine",
        Differs(
            "tune net.mlir --logits 0 -c x.npy --max-loss 1 -o t --objective latency",
            "tune net.mlir --logits 0 -c x.npy --max-loss 1 -o t --objective latency --machine flexnn-4x4",
        ),
    ),
    (
        "machine",
        Refused(
            "tune net.mlir --policy uniform -o t --machine flexnn-4x4",
            "--machine has no effect with --policy uniform",
        ),
    ),
    ("json", Differs("tune net.mlir --policy uniform -o t", "tune net.mlir --policy uniform -o t --json")),
    ("json", Refused("tune net.mlir --policy uniform -o - --json", "needs --quiet")),
    ("quiet", Differs("tune net.mlir --policy uniform -o t", "tune net.mlir --policy uniform -o t -q")),
];

const QUANTIZE: &[Row] = &[
    ("network", Differs("quantize float.mlirbc -c c.npz -o n", "quantize net.mlir -o n")),
    ("calibration", Differs("quantize float.mlirbc -o n", "quantize float.mlirbc -c c.npz -o n")),
    ("output", Differs("quantize net.mlir -o n", "quantize net.mlir -o m")),
    (
        "activations",
        Differs(
            "quantize float.mlirbc -c c.npz -o n",
            "quantize float.mlirbc -c c.npz -o n --activations minmax",
        ),
    ),
    (
        "percentile",
        Differs(
            "quantize float.mlirbc -c c.npz -o n --activations percentile",
            "quantize float.mlirbc -c c.npz -o n --activations percentile --percentile 0.1",
        ),
    ),
    (
        "percentile",
        Refused("quantize float.mlirbc -c c.npz -o n --percentile 0.1", "--percentile has no effect"),
    ),
    (
        "weights",
        Differs(
            "quantize float.mlirbc -c c.npz -o n",
            "quantize float.mlirbc -c c.npz -o n --weights per-tensor",
        ),
    ),
    (
        "rounding",
        Differs(
            "quantize float.mlirbc -c c.npz -o n",
            "quantize float.mlirbc -c c.npz -o n --rounding feedback",
        ),
    ),
    ("rounding", Refused("quantize float.mlirbc -o n --rounding feedback", "needs --calibration")),
    (
        "storage",
        Differs(
            "quantize float.mlirbc -c c.npz -o n --rounding feedback",
            "quantize float.mlirbc -c c.npz -o n --storage sparse",
        ),
    ),
    (
        "storage",
        Refused(
            "quantize float.mlirbc -c c.npz -o n --storage sparse --rounding nearest",
            "--storage rounds with feedback",
        ),
    ),
    (
        "bias_correction",
        Differs(
            "quantize float.mlirbc -c c.npz -o n",
            "quantize float.mlirbc -c c.npz -o n --bias-correction",
        ),
    ),
    (
        "bias_correction",
        Refused(
            "quantize float.mlirbc -c c.npz -o n --bias-correction --rounding feedback",
            "--bias-correction has no effect",
        ),
    ),
    (
        "equalize",
        Differs("quantize float.mlirbc -c c.npz -o n", "quantize float.mlirbc -c c.npz -o n --equalize"),
    ),
    ("json", Differs("quantize float.mlirbc -c c.npz -o n", "quantize float.mlirbc -c c.npz -o n --json")),
    ("json", Refused("quantize float.mlirbc -c c.npz -o - --json", "--json goes to standard output")),
    ("quiet", Differs("quantize float.mlirbc -c c.npz -o n", "quantize float.mlirbc -c c.npz -o n -q")),
];

const REPORT: &[Row] = &[
    ("reports", Differs("report r.json -o page", "report r.json s.json -o page")),
    ("output", Differs("report r.json -o page", "report r.json -o other")),
];

const TRANSLATIONS: &[Row] = &[
    ("mlir_to_dpu", Differs("net.dpu", "--mlir-to-dpu lowered.mlir")),
    ("dpu_to_mlir", Differs("net.dpu", "--dpu-to-mlir net.dpu")),
    ("dpu_to_asm", Differs("net.dpu", "--dpu-to-asm net.dpu")),
    ("asm_to_dpu", Differs("net.dpu", "--asm-to-dpu net.dpuasm")),
    ("dpu_audit", Differs("net.dpu", "--dpu-audit net.dpu")),
    ("input", Differs("--dpu-audit", "--dpu-audit net.dpu")),
    ("output", Differs("--dpu-audit net.dpu", "--dpu-audit net.dpu -o audit")),
    ("json", Differs("--dpu-audit net.dpu", "--dpu-audit net.dpu --json")),
    ("json", Refused("--dpu-to-asm net.dpu --json", "cannot be used with")),
    ("no_locations", Differs("--dpu-to-mlir net.dpu", "--dpu-to-mlir net.dpu --no-locations")),
    ("no_locations", Refused("--dpu-audit net.dpu --no-locations", "cannot be used with")),
    ("no_verify", Differs("--asm-to-dpu broken.dpuasm", "--asm-to-dpu broken.dpuasm --no-verify")),
    ("no_verify", Refused("--dpu-audit net.dpu --no-verify", "cannot be used with")),
];

/// Options of passes, as `pass.option`; blanks within an argument are written `~`.
const PASSES: &[Row] = &[
    (
        "strum-canonicalize.fold-limit",
        Differs("fold.mlir --strum-canonicalize", "fold.mlir --strum-canonicalize=fold-limit=8"),
    ),
    (
        "tosa-quantize.calibration",
        Differs("ff.mlir --tosa-quantize", "ff.mlir --tosa-quantize=calibration=f.npy"),
    ),
    (
        "tosa-quantize.activations",
        Differs(
            "ff.mlir --tosa-quantize=calibration=f.npy",
            "ff.mlir --tosa-quantize=calibration=f.npy~activations=minmax",
        ),
    ),
    (
        "tosa-quantize.percentile",
        Differs(
            "ff.mlir --tosa-quantize=calibration=f.npy~activations=percentile",
            "ff.mlir --tosa-quantize=calibration=f.npy~activations=percentile~percentile=0.3",
        ),
    ),
    (
        "tosa-quantize.weights",
        Differs(
            "ff.mlir --tosa-quantize=calibration=f.npy",
            "ff.mlir --tosa-quantize=calibration=f.npy~weights=per-tensor",
        ),
    ),
    (
        "tosa-quantize.rounding",
        Differs(
            "ff.mlir --tosa-quantize=calibration=f.npy",
            "ff.mlir --tosa-quantize=calibration=f.npy~rounding=feedback",
        ),
    ),
    (
        "tosa-quantize.storage",
        Differs(
            "ff.mlir --tosa-quantize=calibration=f.npy~rounding=feedback",
            "ff.mlir --tosa-quantize=calibration=f.npy~storage=mip2q,p=1",
        ),
    ),
    (
        "tosa-quantize.bias-correction",
        Differs(
            "ff.mlir --tosa-quantize=calibration=f.npy",
            "ff.mlir --tosa-quantize=calibration=f.npy~bias-correction=true",
        ),
    ),
    (
        "tosa-quantize.equalize",
        Differs(
            "ff.mlir --tosa-quantize=calibration=f.npy",
            "ff.mlir --tosa-quantize=calibration=f.npy~equalize=true",
        ),
    ),
    (
        "strum-pack.method",
        Differs(
            "net.mlir --tosa-to-strum --strum-pack",
            "net.mlir --tosa-to-strum --strum-pack=method=sparse",
        ),
    ),
    (
        "strum-pack.p",
        Differs("net.mlir --tosa-to-strum --strum-pack", "net.mlir --tosa-to-strum --strum-pack=p=0.25"),
    ),
    (
        "strum-pack.w",
        Differs("net.mlir --tosa-to-strum --strum-pack", "net.mlir --tosa-to-strum --strum-pack=w=8"),
    ),
    (
        "strum-pack.q",
        Differs(
            "net.mlir --tosa-to-strum --strum-pack=method=dliq",
            "net.mlir --tosa-to-strum --strum-pack=method=dliq~q=3",
        ),
    ),
    (
        "strum-pack.L",
        Differs("net.mlir --tosa-to-strum --strum-pack", "net.mlir --tosa-to-strum --strum-pack=L=5"),
    ),
    (
        "strum-pack.zero",
        Differs(
            "net.mlir --tosa-to-strum --strum-pack=L=5",
            "net.mlir --tosa-to-strum --strum-pack=L=5~zero=true",
        ),
    ),
    (
        "strum-pack.shift",
        Differs(
            "net.mlir --tosa-to-strum --strum-pack=method=dliq",
            "net.mlir --tosa-to-strum --strum-pack=method=dliq~shift=channel",
        ),
    ),
    (
        "strum-pack.select",
        Differs(
            "net.mlir --tosa-to-strum --strum-pack",
            "net.mlir --tosa-to-strum --strum-pack=select=magnitude",
        ),
    ),
    (
        "strum-pack.correct",
        Differs(
            "q.mlirbc --tosa-to-strum --strum-pack",
            "q.mlirbc --tosa-to-strum --strum-pack=correct=bias",
        ),
    ),
    (
        "strum-pack.depthwise",
        Differs(
            "dw.mlir --tosa-to-strum --strum-pack",
            "dw.mlir --tosa-to-strum --strum-pack=depthwise=true",
        ),
    ),
    (
        "strum-pack.min-channels",
        Differs(
            "narrow.mlir --tosa-to-strum --strum-pack",
            "narrow.mlir --tosa-to-strum --strum-pack=min-channels=1",
        ),
    ),
    (
        "strum-pack.packing",
        Differs(
            "net.mlir --tosa-to-strum --strum-pack=method=dense",
            "net.mlir --tosa-to-strum --strum-pack=method=dense~packing=p.json",
        ),
    ),
    (
        "strum-to-dpu.machine",
        Differs(
            "net.mlir --tosa-to-strum --strum-to-dpu",
            "net.mlir --tosa-to-strum --strum-to-dpu=machine=flexnn-4x4",
        ),
    ),
    (
        "strum-to-dpu.provenance",
        Differs(
            "net.mlir --tosa-to-strum --strum-to-dpu",
            "net.mlir --tosa-to-strum --strum-to-dpu=provenance=mine",
        ),
    ),
    (
        "strum-to-dpu.objective",
        Differs(
            "lenet.mlirbc --tosa-to-strum --strum-to-dpu",
            "lenet.mlirbc --tosa-to-strum --strum-to-dpu=objective=bytes",
        ),
    ),
    (
        "strum-to-dpu.read-strategy",
        Differs(
            "net.mlir --tosa-to-strum --strum-to-dpu",
            "net.mlir --tosa-to-strum --strum-to-dpu=read-strategy=told.json",
        ),
    ),
    (
        "strum-to-dpu.write-strategy",
        Differs(
            "net.mlir --tosa-to-strum --strum-to-dpu",
            "net.mlir --tosa-to-strum --strum-to-dpu=write-strategy=t.json",
        ),
    ),
    (
        "strum-pipeline.machine",
        Differs("net.mlir --strum-pipeline", "net.mlir --strum-pipeline=machine=flexnn-4x4"),
    ),
    (
        "strum-pipeline.method",
        Differs("net.mlir --strum-pipeline", "net.mlir --strum-pipeline=method=sparse"),
    ),
    ("strum-pipeline.p", Differs("net.mlir --strum-pipeline", "net.mlir --strum-pipeline=p=0.25")),
    ("strum-pipeline.w", Differs("net.mlir --strum-pipeline", "net.mlir --strum-pipeline=w=8")),
    (
        "strum-pipeline.q",
        Differs("net.mlir --strum-pipeline=method=dliq", "net.mlir --strum-pipeline=method=dliq~q=3"),
    ),
    ("strum-pipeline.L", Differs("net.mlir --strum-pipeline", "net.mlir --strum-pipeline=L=5")),
    (
        "strum-pipeline.zero",
        Differs("net.mlir --strum-pipeline=L=5", "net.mlir --strum-pipeline=L=5~zero=true"),
    ),
    (
        "strum-pipeline.shift",
        Differs(
            "net.mlir --strum-pipeline=method=dliq",
            "net.mlir --strum-pipeline=method=dliq~shift=channel",
        ),
    ),
    (
        "strum-pipeline.select",
        Differs("net.mlir --strum-pipeline", "net.mlir --strum-pipeline=select=magnitude"),
    ),
    (
        "strum-pipeline.correct",
        Differs("q.mlirbc --strum-pipeline", "q.mlirbc --strum-pipeline=correct=bias"),
    ),
    (
        "strum-pipeline.depthwise",
        Differs("dw.mlir --strum-pipeline", "dw.mlir --strum-pipeline=depthwise=true"),
    ),
    (
        "strum-pipeline.min-channels",
        Differs("narrow.mlir --strum-pipeline", "narrow.mlir --strum-pipeline=min-channels=1"),
    ),
    (
        "strum-pipeline.packing",
        Differs(
            "net.mlir --strum-pipeline=method=dense",
            "net.mlir --strum-pipeline=method=dense~packing=p.json",
        ),
    ),
    (
        "strum-pipeline.objective",
        Differs("lenet.mlirbc --strum-pipeline", "lenet.mlirbc --strum-pipeline=objective=bytes"),
    ),
    (
        "strum-pipeline.read-strategy",
        Differs("net.mlir --strum-pipeline", "net.mlir --strum-pipeline=read-strategy=told.json"),
    ),
    (
        "strum-pipeline.write-strategy",
        Differs("net.mlir --strum-pipeline", "net.mlir --strum-pipeline=write-strategy=t.json"),
    ),
];

/// The commands of `strumc` with their rows.
const COMMANDS: [(&str, &[Row]); 7] = [
    ("compile", COMPILE),
    ("run", RUN),
    ("compare", COMPARE),
    ("eval", EVAL),
    ("tune", TUNE),
    ("quantize", QUANTIZE),
    ("report", REPORT),
];

/// Options of every command, which have tests of their own.
const EVERYWHERE: [&str; 2] = ["log", "memory_limit"];

/// A float network of two layers, so that scales can move between them.
const FLOAT: &str = r#"func.func @main(%x: tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32> {
  %w = "tosa.const"() <{values = dense<[[[[1.0, 0.31]]], [[[0.07, 0.05]]], [[[-0.41, 0.013]]]]> : tensor<3x1x1x2xf32>}> : () -> tensor<3x1x1x2xf32>
  %b = "tosa.const"() <{values = dense<[0.1, 0.02, -0.3]> : tensor<3xf32>}> : () -> tensor<3xf32>
  %v = "tosa.const"() <{values = dense<[[[[0.9, -0.13, 0.3]]], [[[0.011, 0.21, -0.7]]]]> : tensor<2x1x1x3xf32>}> : () -> tensor<2x1x1x3xf32>
  %d = "tosa.const"() <{values = dense<0.0> : tensor<2xf32>}> : () -> tensor<2xf32>
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %0 = tosa.conv2d %x, %w, %b, %z, %z {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x1x2xf32>, tensor<3x1x1x2xf32>, tensor<3xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1x3xf32>
  %1 = tosa.clamp %0 {min_val = 0.0 : f32, max_val = 3.4028235e38 : f32} : (tensor<1x1x1x3xf32>) -> tensor<1x1x1x3xf32>
  %2 = tosa.conv2d %1, %v, %d, %z, %z {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x1x3xf32>, tensor<2x1x1x3xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1x2xf32>
  return %2 : tensor<1x1x1x2xf32>
}
"#;

const DEPTHWISE: &str = r#"func.func @main(%x: tensor<1x4x4x16xi8>) -> tensor<1x4x4x16xi32> {
  %w = "tosa.const"() <{values = dense<[[[[5], [1], [-3], [7], [9], [-11], [13], [15], [17], [19], [-21], [23], [25], [27], [29], [31]]]]> : tensor<1x1x16x1xi8>}> : () -> tensor<1x1x16x1xi8>
  %b = "tosa.const"() <{values = dense<7> : tensor<16xi32>}> : () -> tensor<16xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.depthwise_conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x16xi8>, tensor<1x1x16x1xi8>, tensor<16xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4x4x16xi32>
  return %0 : tensor<1x4x4x16xi32>
}
"#;

/// A folder with an input of every kind.
fn folder() -> Scratch {
    let scratch = Scratch::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (from, to) in [
        ("models/mnist_lenet/model.tosa.mlirbc", "lenet.mlirbc"),
        ("models/mnist_lenet/float.linalg.mlirbc", "float.mlirbc"),
        ("models/mnist_lenet/calibration.npz", "c.npz"),
        ("lit/passes/strum-canonicalize/limit.mlir", "fold.mlir"),
    ] {
        std::fs::copy(root.join(from), scratch.path().join(to)).unwrap();
    }
    scratch.write("narrow.mlir", crate::compile::narrow());
    scratch.write("dw.mlir", DEPTHWISE);
    scratch.write("ff.mlir", FLOAT);
    let floats: Vec<f32> =
        (0..64).map(|i| (i * 37 % 61 - 30) as f32 * if i == 9 { 0.3 } else { 0.031 }).collect();
    let floats: Vec<u8> = floats.iter().flat_map(|x| x.to_le_bytes()).collect();
    scratch.write("f.npy", npy("<f4", &[32, 1, 1, 2], &floats));
    let codes = |n: usize, step: usize| -> Vec<u8> { (0..n).map(|i| (i * step % 251) as u8).collect() };
    scratch.write("x2.npy", npy("|i1", &[1, 4, 4, 16], &codes(256, 91)));
    scratch.write("many.npy", npy("|i1", &[3, 4, 4, 16], &codes(3 * 256, 53)));
    scratch.write("n.npy", npy("|i1", &[1, 4, 4, 4], &codes(64, 37)));
    scratch.write("d.npy", npy("|i1", &[1, 28, 28, 1], &codes(784, 37)));
    scratch.write("y.npy", npy("|u1", &[1], &[3]));
    scratch.write("told.json", r#"{"version": 1, "programs": [{"name": "net", "layers": [{"name": "0.conv2d", "tiling": {"ox": 5}}]}]}"#);
    let machine = include_str!("../../dialects/isa/machines/flexnn-16x16.toml");
    let line = machine.lines().find(|line| line.starts_with("dram_latency_cycles")).unwrap();
    scratch.write("slow.toml", machine.replace(line, "dram_latency_cycles = 9999"));
    let done = scratch.strumc("quantize float.mlirbc -c c.npz -o q.mlirbc -q");
    assert_eq!(done.code, Some(0), "{done:?}");
    scratch.compile("");
    let text = scratch.translate("--dpu-to-asm net.dpu").ok().text();
    scratch.write("net.dpuasm", &text);
    let end = text.rfind("end").unwrap();
    scratch.write("broken.dpuasm", format!("{}{}", &text[..end], &text[end + 3..]));
    scratch.write("lowered.mlir", scratch.translate("--dpu-to-mlir net.dpu").ok().stdout);
    scratch.strumc("run net.dpu --input x.npy -q --report r.json").ok();
    scratch.strumc("run net.dpu --input x.npy -q --machine slow.toml --report s.json").ok();
    scratch.strumc("tune net.mlir --policy uniform -q -o p.json").ok();
    scratch
}

/// What a command leaves: exit code, texts, files.
type Left = (Option<i32>, String, String, BTreeMap<String, Vec<u8>>);

/// Runs a command in a copy of a folder.
fn left(original: &Scratch, program: &str, line: &str) -> Left {
    let folder = tempfile::tempdir().unwrap();
    for name in original.names() {
        std::fs::copy(original.path().join(&name), folder.path().join(&name)).unwrap();
    }
    let words: Vec<String> = line.split_whitespace().map(|word| word.replace('~', " ")).collect();
    let done = run_in(folder.path(), program, &words, b"");
    let mut files = BTreeMap::new();
    for name in crate::common::names(folder.path()) {
        let path = folder.path().join(&name);
        let content = match path.is_dir() {
            true => crate::common::names(&path).join("\n").into_bytes(),
            false => std::fs::read(&path).unwrap(),
        };
        files.insert(name, content);
    }
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    (done.code, text, done.stderr, files)
}

fn check(scratch: &Scratch, program: &str, rows: &[Row]) {
    for (option, shown) in rows {
        match *shown {
            Differs(without, with) => {
                let (a, b) = (left(scratch, program, without), left(scratch, program, with));
                assert_eq!(b.0, Some(0), "{option}: {with}: {}", b.2);
                assert!(a != b, "{option} changes nothing: {with}");
                assert!(left(scratch, program, with) == b, "{option}: not the same twice: {with}");
            }
            Refused(line, message) => {
                let (code, _, stderr, _) = left(scratch, program, line);
                assert!(code == Some(2) && stderr.contains(message), "{option}: {line}: {code:?} {stderr}");
            }
            By(test) => {
                let folders = ["tests/cli", "tools/sim/tests"];
                let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
                let mut files = files.map(|file| file.unwrap().path()).filter(|path| path.is_file());
                let name = format!("fn {test}()");
                assert!(
                    files.any(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains(&name))),
                    "{test}"
                );
            }
        }
    }
}

/// The options of a command line, without those of every command.
fn ids(command: &clap::Command) -> BTreeSet<String> {
    let ids = command.get_arguments().map(|argument| argument.get_id().to_string());
    ids.filter(|id| !EVERYWHERE.contains(&id.as_str()) && id != "help" && id != "version").collect()
}

fn known(rows: &[Row]) -> BTreeSet<String> {
    rows.iter().map(|(option, _)| (*option).to_owned()).collect()
}

#[test]
fn every_option_of_every_command_and_pass_has_a_row() {
    let [strumc, translate] = strum_opt::driver::command_lines();
    let commands: Vec<&str> = strumc.get_subcommands().map(clap::Command::get_name).collect();
    assert_eq!(commands, ["compile", "run", "compare", "eval", "quantize", "tune", "report"]);
    for (name, rows) in COMMANDS {
        let command = strumc.get_subcommands().find(|command| command.get_name() == name).unwrap();
        assert_eq!(ids(command), known(rows), "{name}");
    }
    assert_eq!(ids(&translate), known(TRANSLATIONS));
    let of = |pass: &str, options: &[strum_ir::PassOption]| -> Vec<String> {
        options.iter().map(|option| format!("{pass}.{}", option.name)).collect()
    };
    let mut passes: BTreeSet<String> =
        strum_passes::PASSES.iter().flat_map(|pass| of(pass.argument, pass.options)).collect();
    passes.extend(of(strum_passes::pipeline::NAME, strum_passes::pipeline::OPTIONS));
    assert_eq!(passes, known(PASSES));
}

#[test]
fn every_option_of_compile_and_run_has_an_effect_or_is_refused() {
    let scratch = folder();
    check(&scratch, STRUMC, COMPILE);
    check(&scratch, STRUMC, RUN);
}

#[test]
fn every_option_of_compare_and_eval_has_an_effect_or_is_refused() {
    let scratch = folder();
    check(&scratch, STRUMC, COMPARE);
    check(&scratch, STRUMC, EVAL);
}

#[test]
fn every_option_of_tune_quantize_and_report_has_an_effect_or_is_refused() {
    let scratch = folder();
    check(&scratch, STRUMC, TUNE);
    check(&scratch, STRUMC, QUANTIZE);
    check(&scratch, STRUMC, REPORT);
}

#[test]
fn every_option_of_strum_translate_has_an_effect_or_is_refused() {
    check(&folder(), TRANSLATE, TRANSLATIONS);
}

#[test]
fn every_option_of_every_pass_has_an_effect() {
    check(&folder(), OPT, PASSES);
}

#[test]
fn every_command_has_a_log() {
    let scratch = folder();
    for (name, rows) in COMMANDS.into_iter().map(|(name, rows)| (name, rows)) {
        let line = rows.iter().find_map(|(_, shown)| match shown {
            Differs(_, with) => Some(*with),
            Refused(..) | By(_) => None,
        });
        let (line, log) = (line.unwrap(), format!("{} --log debug", line.unwrap()));
        let told = |line: &str| left(&scratch, STRUMC, line).2.contains("DEBUG");
        assert!(!told(line) && told(&log), "{name}: {line}");
    }
    let told = |line: &str| left(&scratch, TRANSLATE, line).2.contains("DEBUG");
    assert!(!told("--dpu-audit net.dpu") && told("--dpu-audit net.dpu --log debug"));
}
