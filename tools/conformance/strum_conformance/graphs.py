"""Random graphs over all operators: each in several settings, against the TOSA reference model, bit for bit.

The graphs are those of `strum_ref::smith`; what they should compute is asked of the reference model alone. A setting is a weight
format, a machine and an objective. With dense weights the reference model runs the graph itself, else the output of
`strum-to-tosa`.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import outcome, report, tosa
from .programs import DriverError, Drivers, Weights
from .workspace import CACHE, ROOT, Array, SetupError

METHODS = [Weights(method, p) for method in ("sparse", "dliq", "mip2q") for p in ("0.25", "0.5", "0.75")]
MACHINES = ["flexnn-16x16", "flexnn-16x16-dense", "flexnn-16x16-static", "flexnn-4x4"]
OBJECTIVES = ["latency", "energy", "edp", "bytes"]

# Graphs that one process of the reference model runs.
CHUNK = 20


@dataclass(frozen=True)
class Setting:
    """How a graph is compiled."""

    weights: Weights
    machine: str
    objective: str

    @property
    def options(self) -> list[str]:
        """The options of `strumc`."""
        return [*self.weights.options, "--machine", self.machine, "--objective", self.objective]

    def __str__(self) -> str:
        return " ".join(self.options)


@dataclass(frozen=True)
class Case:
    """A graph with its arguments, and the flatbuffer of what the reference model runs, by weight format."""

    mlir: Path
    arguments: list[Array]
    results: int
    settings: list[Setting]


def settings(seed: int, count: int) -> list[Setting]:
    """The settings of a graph: dense weights first, then the methods by turns; machines and objectives at random."""
    dice = random.Random(seed)
    weights = [Weights("dense"), *dice.sample(METHODS, len(METHODS))]
    return [
        Setting(weights[i % len(weights)], dice.choice(MACHINES), dice.choice(OBJECTIVES)) for i in range(count)
    ]


def make(folder: Path, kind: str, first: int, count: int) -> None:
    """Writes the graphs `KIND-SEED.mlir` with their arguments and results, in place of those of an earlier run."""
    shutil.rmtree(folder, ignore_errors=True)
    words = ["cargo", "run", "--release", "--quiet", "-p", "strum-ref", "--example", "smith", "--"]
    command = [*words, str(folder), kind, str(first), str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise SetupError(f"{' '.join(command)}: {done.stderr.strip()}")


def _files(folder: Path, stem: str, side: str) -> Iterator[Path]:
    number = 0
    while (path := folder / f"{stem}.{side}{number}.npy").exists():
        yield path
        number += 1


def _case(folder: Path, kind: str, seed: int, count: int) -> Case:
    stem = f"{kind}-{seed}"
    arguments = [np.load(path) for path in _files(folder, stem, "in")]
    return Case(folder / f"{stem}.mlir", arguments, len(list(_files(folder, stem, "out"))), settings(seed, count))


def _compiled(drivers: Drivers, case: Case, setting: Setting, scratch: Path) -> list[Array]:
    """What the simulator computes."""
    stem = case.mlir.stem
    command: list[str | Path] = [drivers.strumc, "run", case.mlir, *setting.options]
    for path in _files(case.mlir.parent, stem, "in"):
        command += ["--input", path]
    results = [scratch / f"{stem}.y{i}.npy" for i in range(case.results)]
    for path in results:
        command += ["--output", path]
    finished = outcome.execute(command, drivers.timeout)
    if finished.code != outcome.SUCCESS:
        shown = " ".join(str(word) for word in command)
        raise DriverError(f"{finished.crash or finished.headline}\n  {shown}")
    return [np.load(path) for path in results]


def _expected(drivers: Drivers, cases: list[Case], scratch: Path) -> dict[tuple[Path, Weights], list[Array]]:
    """What the reference model computes, for each graph and weight format."""
    keys: list[tuple[Path, Weights]] = []
    runs: list[tuple[Path, list[Array]]] = []
    for case in cases:
        for weights in dict.fromkeys(setting.weights for setting in case.settings):
            graph = case.mlir
            if weights.method != "dense":
                graph = scratch / f"{case.mlir.stem}-{weights.method}-{weights.p}.mlir"
                drivers.to_tosa(case.mlir, graph, weights)
            flatbuffer = scratch / f"{graph.stem}.tosa"
            tosa.to_flatbuffer(graph, flatbuffer)
            keys.append((case.mlir, weights))
            runs.append((flatbuffer, case.arguments))
    return dict(zip(keys, tosa.run_graphs(runs)))


def _difference(got: list[Array], expected: list[Array]) -> str | None:
    for i, (ours, theirs) in enumerate(zip(got, expected, strict=True)):
        if ours.shape != theirs.shape or ours.dtype.itemsize != theirs.dtype.itemsize:
            return f"result {i}: {ours.dtype}{ours.shape}, expected {theirs.dtype}{theirs.shape}"
        if (wrong := np.atleast_1d(ours.view(theirs.dtype) != theirs)).any():
            return f"result {i}: {int(wrong.sum())} of {wrong.size} values differ"
    return None


def judge(drivers: Drivers, folder: Path, kind: str, seeds: range, count: int) -> list[tuple[Setting, str]]:
    """Each setting of each graph with what is wrong, empty if nothing is."""
    cases = [_case(folder, kind, seed, count) for seed in seeds]
    judged: list[tuple[Setting, str]] = []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        expected = _expected(drivers, cases, scratch)
        for case in cases:
            for setting in case.settings:
                try:
                    got = _compiled(drivers, case, setting, scratch)
                    wrong = _difference(got, expected[case.mlir, setting.weights])
                except DriverError as error:
                    wrong = str(error)
                judged.append((setting, f"{case.mlir.stem} {setting}: {wrong}" if wrong else ""))
    return judged


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/conformance/graphs",
        description="Random graphs over all operators in several settings of weights, machine and objective, against the "
        "TOSA reference model, bit for bit.",
    )
    parser.add_argument("--count", type=int, default=2000, help="number of graphs (default: 2000)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first seed (default: 0)")
    parser.add_argument("--settings", type=int, default=3, metavar="N", help="settings of each graph (default: 3)")
    parser.add_argument("--kind", default="graph", choices=["graph", "rewrites"], help="of the generator (default: graph)")
    parser.add_argument("--drivers", type=Path, metavar="DIR", help="folder of the drivers (default: under target/)")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> int:
    """Runs every setting of every graph; 0 when all results are equal."""
    drivers = Drivers.find(arguments.drivers)
    folder = CACHE / "graphs"
    make(folder, arguments.kind, arguments.first, arguments.count)
    end = arguments.first + arguments.count
    chunks = [range(at, min(at + CHUNK, end)) for at in range(arguments.first, end, CHUNK)]
    progress = report.Progress(len(chunks), "chunks of graphs")
    total: Counter[str] = Counter()
    faults: list[str] = []

    def one(seeds: range) -> list[tuple[Setting, str]]:
        judged = judge(drivers, folder, arguments.kind, seeds, arguments.settings)
        progress.step()
        return judged

    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for judged in pool.map(one, chunks):
            for setting, fault in judged:
                words = [setting.weights.method, setting.machine, setting.objective]
                total.update(words if not fault else [*words, *(f"{word} different" for word in words)])
                faults += [fault] if fault else []
    words = [*dict.fromkeys(["dense", *(weights.method for weights in METHODS)]), *MACHINES, *OBJECTIVES]
    print(report.table(["setting", "runs", "different"], [(w, total[w], total[f"{w} different"]) for w in words]))
    print()
    print("".join(f"DIFFERENT {fault}\n" for fault in faults), end="")
    runs = arguments.count * arguments.settings
    print(f"{runs - len(faults)} passed, {len(faults)} failed")
    return 1 if faults else 0


def main() -> int:
    """The entry point of tools/conformance/graphs."""
    try:
        return run(_arguments())
    except (SetupError, DriverError, tosa.TosaError) as error:
        print(f"tools/conformance/graphs: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
