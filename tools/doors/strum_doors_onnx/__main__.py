"""Command line: tests of operators, networks of public packages, and networks that are quantized here."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from . import compare, files, quantized
from .cases import Case
from .compare import Outcome

SUITES = ("nodes", "light", "ocr", "operators")


def _suite(name: str, folder: Path, arguments: argparse.Namespace) -> Iterator[Case]:
    if name == "nodes":
        yield from files.nodes(arguments.only)
    elif name == "light":
        yield from files.light()
    elif name == "ocr":
        yield from files.ocr(folder, arguments.seed)
    else:
        yield from quantized.operators(arguments.seed)


def _quantized(folder: Path, arguments: argparse.Namespace) -> Iterator[Case]:
    samples = np.load(arguments.samples).astype(np.float32)
    for name, model in quantized.forms(arguments.quantize, samples, folder):
        yield from quantized.network(name, model, samples[: arguments.count])
        if arguments.layers:
            yield from quantized.layers(name, model, samples[0])


def _merged(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """One outcome for the variants of a test: the best, unless one is wrong."""
    order = ("failed", "different", "equal", "close", "refused")
    best: dict[str, Outcome] = {}
    for outcome in outcomes:
        known = best.get(outcome.name)
        if known is None or order.index(outcome.kind) < order.index(known.kind):
            best[outcome.name] = outcome
    yield from best.values()


def main() -> int:
    """Prints a line for each case that is not equal, and counts; the exit code is 1 if any is wrong."""
    parser = argparse.ArgumentParser(prog="tools/doors/onnx", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"{', '.join(SUITES)} [default: all]")
    parser.add_argument("--quantize", type=Path, metavar="NET.onnx", help="a float network to quantize in four forms")
    parser.add_argument("--samples", type=Path, metavar="X.npy", help="its samples, for calibration and comparison")
    parser.add_argument("--count", type=int, default=3, help="samples that are compared [default: 3]")
    parser.add_argument("--layers", action="store_true", help="compare its operators one by one as well")
    parser.add_argument("--only", help="only tests with this in their name")
    parser.add_argument("--all", action="store_true", help="print equal cases as well")
    parser.add_argument("--seed", type=int, default=0, help="of images and of scales [default: 0]")
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time [default: 2]")
    program = "target/release/strumc"
    parser.add_argument("--strumc", default=program, help=f"the program [default: {program}]")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.suites if name not in SUITES]:
        parser.error(f"no suite '{unknown[0]}': {', '.join(SUITES)}")
    if (arguments.quantize is None) != (arguments.samples is None):
        parser.error("--quantize and --samples go together")
    suites = arguments.suites or ([] if arguments.quantize else list(SUITES))
    kinds: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for index, name in enumerate([*suites, *(["quantize"] if arguments.quantize else [])]):
            place = folder / str(index)
            place.mkdir()
            cases = _quantized(place, arguments) if name == "quantize" else _suite(name, place, arguments)
            for outcome in _merged(compare.run_all(cases, arguments.strumc, place / "cases", arguments.jobs)):
                kinds.append(outcome.kind)
                if arguments.all or outcome.kind != "equal":
                    print(f"{outcome.name:56} {outcome.kind:9} {outcome.text}", flush=True)
    print(", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds))))
    return 1 if "different" in kinds or "failed" in kinds else 0


if __name__ == "__main__":
    sys.exit(main())
