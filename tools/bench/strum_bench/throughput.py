"""Simulated images per second compared with ONNX Runtime's INT8 on the same network, one thread each.

Both are measured in turns, so that they meet the same load, and a rate is that of a whole turn: the best and the median
of all turns are printed. The simulator runs a batch with hazard checks and timing; its rate counts the first, full
simulation of the batch in. Networks of your own, in integer TOSA, are simulated as well; they have a peer if their ONNX
file is given with --peer.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from .emit import emit
from .nets import NETS

BIN = Path(__file__).resolve().parents[3] / "target" / "release"
METHODS = {"dense": ["--method", "dense"], "mip2q": ["--method", "mip2q", "--p", "0.5"]}


def peer(model: Path) -> tuple[onnxruntime.InferenceSession, dict[str, np.ndarray]]:
    """A session of one thread, and a random input for it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    kinds = {"tensor(uint8)": np.uint8, "tensor(int8)": np.int8, "tensor(float)": np.float32}
    feed = {}
    for x in session.get_inputs():
        shape = [d if isinstance(d, int) else 1 for d in x.shape]
        feed[x.name] = rng.integers(0, 100, shape).astype(kinds[x.type])
    return session, feed


def peer_seconds(session: onnxruntime.InferenceSession, feed: dict[str, np.ndarray], cpu: bool) -> float:
    """Seconds of one inference."""
    clock = time.process_time if cpu else time.perf_counter
    start = clock()
    session.run(None, feed)
    return clock() - start


def children_seconds() -> float:
    """Processor time of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass(frozen=True)
class Simulated:
    """Time of a batch on one thread: wall time per sample, processor time of the whole process."""

    seconds: float
    cpu_seconds: float
    macs: int
    profile: str


def simulate(program: Path, inputs: list[str], profile: bool) -> Simulated:
    """Runs a batch on one thread."""
    before = children_seconds()
    command = [str(BIN / "dpu-sim"), str(program), "--jobs", "1", *(["--profile"] if profile else [])]
    done = subprocess.run([*command, "--input", *inputs], check=True, capture_output=True, text=True)
    rate = re.search(r"simulated ([0-9.]+) a second", done.stdout)
    macs = re.search(r"^macs +(\d+)", done.stdout, re.MULTILINE)
    if rate is None or macs is None:
        raise RuntimeError(f"{' '.join(command)} printed no rate:\n{done.stdout}")
    return Simulated(1 / float(rate.group(1)), children_seconds() - before, int(macs.group(1)),
                     done.stdout.partition("\n\n")[2])


@dataclass(frozen=True)
class Subject:
    """A network to measure."""

    name: str
    tosa: Path
    onnx: Path | None


def compiled(subject: Subject, method: str, folder: Path) -> tuple[Path, list[dict]]:
    """The program of a network, and its inputs (name, dtype, shape)."""
    program = folder / f"{subject.name}.{method}.dpu"
    command = [str(BIN / "strumc"), "compile", "--json", str(subject.tosa), "-o", str(program), *METHODS[method]]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return program, json.loads(done.stdout)["inputs"]


def random_inputs(descriptors: list[dict], samples: int, folder: Path) -> list[str]:
    """Files of random samples, as arguments."""
    arguments = []
    rng = np.random.default_rng(0)
    for number, x in enumerate(descriptors):
        kind = np.iinfo({"i": "int", "u": "uint"}[x["dtype"][0]] + x["dtype"][1:])
        shape = x["shape"][1:] if x["shape"][:1] == [1] else x["shape"]
        path = folder / f"input{number}.npy"
        np.save(path, rng.integers(kind.min, kind.max, (samples, *shape), dtype=kind.dtype, endpoint=True))
        arguments.append(f"{x['name']}={path}")
    return arguments


def measure(subject: Subject, args: argparse.Namespace, folder: Path) -> None:
    """Measures one network and prints a line for each side, and profiles if requested."""
    programs = {method: compiled(subject, method, folder) for method in METHODS}
    inputs = random_inputs(programs["dense"][1], args.samples, folder)
    times: dict[str, list[float]] = {"ONNX Runtime": [], **{f"dpu-sim {m}": [] for m in METHODS}}
    session = peer(subject.onnx) if subject.onnx else None
    macs, profiles = 0, {}
    if session:
        peer_seconds(*session, args.cpu)
    for _ in range(args.rounds):
        if session:
            turn = [peer_seconds(*session, args.cpu) for _ in range(args.samples)]
            times["ONNX Runtime"].append(statistics.fmean(turn))
        for method, (program, _) in programs.items():
            done = simulate(program, inputs, False)
            macs = done.macs
            times[f"dpu-sim {method}"].append(done.cpu_seconds / args.samples if args.cpu else done.seconds)
    if args.profile:
        profiles = {method: simulate(program, inputs, True).profile for method, (program, _) in programs.items()}
    for side, seconds in times.items():
        if not seconds:
            continue
        best, median = min(seconds), statistics.median(seconds)
        ratio = f"{min(times['ONNX Runtime']) / best:7.2f}" if session else f"{'-':>7}"
        print(f"{subject.name:<20} {side:<14} {1 / best:9.1f} {1 / median:9.1f} {macs / best / 1e9:9.1f} {ratio}",
              flush=True)
    for method, text in profiles.items():
        print(f"\n{subject.name}, {method}, {args.samples} samples:\n{text}", flush=True)


def subjects(args: argparse.Namespace, folder: Path) -> Iterator[Subject]:
    """The networks that the arguments name, written to `folder` if they are built in."""
    for name in args.net:
        net = NETS[name]()
        yield Subject(name, emit(net, folder, "tosa"), emit(net, folder, "onnx"))
    peers = dict(pair.split("=", 1) for pair in args.peer)
    for argument in args.network:
        name, path = named(argument)
        yield Subject(name, path, Path(peers[name]) if name in peers else None)


def named(argument: str) -> tuple[str, Path]:
    """Name and file of `[NAME=]FILE`; without a name, that of the file up to its first dot."""
    name, given, path = argument.partition("=")
    return (name, Path(path)) if given else (Path(argument).name.split(".")[0], Path(argument))


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/bench/throughput", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", nargs="*", metavar="[NAME=]NET.mlir", help="networks of your own, in integer TOSA")
    parser.add_argument("--net", nargs="+", choices=NETS, metavar="NET",
                        help=f"benchmark networks (default: resnet50 mobilenet_v2, or none if others are given); "
                        f"of {', '.join(NETS)}")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=FILE.onnx",
                        help="the same network for ONNX Runtime")
    parser.add_argument("--rounds", type=int, default=5, help="turns of both sides (default: 5)")
    parser.add_argument("--samples", type=int, default=24, help="images per turn (default: 24)")
    parser.add_argument("--cpu", action="store_true",
                        help="count processor time, loading the program included: for hosts that are not idle")
    parser.add_argument("--profile", action="store_true",
                        help="print a profile of the simulator's time, from a separate run")
    args = parser.parse_intermixed_args()
    if args.rounds < 1 or args.samples < 2:
        parser.error("--rounds must be at least 1 and --samples at least 2")
    names = [named(argument)[0] for argument in args.network]
    for pair in args.peer:
        name, given, path = pair.partition("=")
        if not given or name not in names:
            parser.error(f"--peer {pair}: expected NAME=FILE.onnx, with the name of one of the networks given")
        if not Path(path).is_file():
            parser.error(f"--peer {pair}: no such file '{path}'")
    args.net = args.net or ([] if args.network else ["resnet50", "mobilenet_v2"])
    print(f"{'network':<20} {'':<14} {'img/s':>9} {'median':>9} {'GMAC/s':>9} {'ratio':>7}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for subject in subjects(args, folder):
            try:
                measure(subject, args, folder)
            except subprocess.CalledProcessError as error:
                print(f"tools/bench/throughput: {subject.name}: {error}\n{error.stderr}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
