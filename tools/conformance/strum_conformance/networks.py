"""Whole networks: dense against the expected outputs, StruM against the reference model on the decoded weights."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from . import report, tosa
from .programs import DriverError, Drivers, Weights
from .workspace import CACHE, Array, SetupError

NETWORK = "model.tosa.mlirbc"


@dataclass(frozen=True)
class Samples:
    """Inputs of a network along the first axis, with their labels and expected outputs, if known."""

    x: Array
    expected: Array
    labels: Array | None


@dataclass
class Row:
    """The outcome for one network and one weight format.

    `moved` counts the samples whose output is not the dense network's: none for dense, and for a StruM method a sign
    that the comparison was about other weights at all.
    """

    network: str
    weights: str
    samples: int = 0
    exact: int = 0
    moved: int = 0
    top1: float | None = None
    cycles: int | None = None
    program_bytes: int | None = None
    seconds: float = 0.0
    message: str = ""

    @property
    def failed(self) -> bool:
        """Whether any output differs, or there is none."""
        return bool(self.message) or self.exact != self.samples or self.samples == 0


def load(folder: Path, limit: int | None) -> Samples:
    """The samples of a network's folder: `input_i.npy` with `expected_i.npy`, then those of the .npz files."""
    xs: list[Array] = []
    expected: list[Array] = []
    labels: list[Array] = []
    singles = sorted(folder.glob("input_*.npy"), key=lambda path: int(path.stem.split("_")[1]))
    for path in singles:
        xs.append(np.load(path))
        expected.append(np.load(path.with_name(path.name.replace("input", "expected"))))
        labels.append(np.full(1, -1))
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as archive:
            if {"x", "ref"} <= set(archive.files):
                xs.append(archive["x"])
                expected.append(archive["ref"])
                labels.append(archive["y"].astype(int) if "y" in archive.files else np.full(len(archive["x"]), -1))
    if not xs:
        raise SetupError(f"{folder}: no samples")
    x, ref, y = (np.concatenate(parts)[:limit] for parts in (xs, expected, labels))
    return Samples(x, ref.reshape(len(ref), -1), y if (y >= 0).any() else None)


def top1(outputs: Array, labels: Array | None) -> float | None:
    """Top-1 accuracy on the labelled samples; the first of equal outputs counts."""
    if labels is None:
        return None
    known = labels >= 0
    return float((outputs[known].argmax(1) == labels[known]).mean())


def _expected(drivers: Drivers, network: Path, samples: Samples, weights: Weights, scratch: Path) -> Array:
    if weights.method == "dense":
        return samples.expected
    decoded, flatbuffer = scratch / "decoded.mlir", scratch / "decoded.tosa"
    drivers.to_tosa(network, decoded, weights)
    tosa.to_flatbuffer(decoded, flatbuffer)
    results = tosa.run_batch(flatbuffer, [[sample[None]] for sample in samples.x])
    return np.concatenate([outputs[0].reshape(1, -1) for outputs in results])


def compare(drivers: Drivers, folder: Path, samples: Samples, weights: Weights, jobs: int) -> Row:
    """Compiles a network, runs all samples on the simulator and compares every output bit."""
    row = Row(folder.name, str(weights))
    start = time.monotonic()
    network = folder / NETWORK
    try:
        with tempfile.TemporaryDirectory() as folder_name:
            scratch = Path(folder_name)
            program = scratch / "network.dpu"
            drivers.compile(network, program, weights)
            row.program_bytes = program.stat().st_size
            expected = _expected(drivers, network, samples, weights, scratch)
            progress = report.Progress(len(samples.x), f"samples of {folder.name}, {weights}")
            runs = drivers.simulate_all(program, samples.x, jobs, progress.step)
            outputs = np.concatenate([run.outputs[0].reshape(1, -1) for run in runs])
            row.samples = len(outputs)
            row.exact = int((outputs == expected).all(1).sum())
            row.moved = int((outputs != samples.expected).any(1).sum())
            row.top1 = top1(outputs, samples.labels)
            row.cycles = runs[0].report.get("cycles")
    except (DriverError, tosa.TosaError) as error:
        row.message = str(error)
    row.seconds = time.monotonic() - start
    return row


def _cells(row: Row) -> list[object]:
    return [
        row.network,
        row.weights,
        row.samples,
        row.exact,
        "FAILED" if row.failed else "exact",
        row.moved,
        "" if row.top1 is None else f"{100 * row.top1:.2f} %",
        "" if row.cycles is None else f"{row.cycles:,}",
        "" if row.program_bytes is None else f"{row.program_bytes:,}",
        f"{row.seconds:.1f}",
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/conformance/networks",
        description="Runs whole networks: dense against their expected outputs, StruM methods against the TOSA "
        "reference model on the output of strum-to-tosa, bit for bit.",
    )
    parser.add_argument("folders", nargs="+", type=Path, help=f"folders with {NETWORK} and samples")
    parser.add_argument("--drivers", type=Path, metavar="DIR", help="folder of the drivers (default: under target/)")
    parser.add_argument("--methods", nargs="+", default=["dense", "sparse", "dliq", "mip2q"])
    parser.add_argument("--p", nargs="+", default=["0.25", "0.5", "0.75"], help="shares of low members")
    parser.add_argument("--dense-samples", type=int, metavar="N", help="samples for dense (default: all)")
    parser.add_argument("--samples", type=int, metavar="N", default=64, help="samples for each method (default: 64)")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE", default=CACHE / "networks.json")
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> int:
    """Runs every combination; 0 when all outputs are exact."""
    drivers = Drivers.find(arguments.drivers)
    rows: list[Row] = []
    for folder in arguments.folders:
        for method in arguments.methods:
            shares = [""] if method == "dense" else arguments.p
            limit = arguments.dense_samples if method == "dense" else arguments.samples
            samples = load(folder.resolve(), limit)
            rows += [compare(drivers, folder.resolve(), samples, Weights(method, p), arguments.jobs) for p in shares]
    header = [
        "network",
        "weights",
        "samples",
        "equal",
        "result",
        "moved",
        "top-1",
        "cycles",
        "program bytes",
        "seconds",
    ]
    print(report.table(header, [_cells(row) for row in rows]))
    print()
    for row in rows:
        if row.message:
            print(f"FAILED {row.network}, {row.weights}: {row.message}")
    report.write_json(arguments.json, [asdict(row) for row in rows])
    failed = sum(row.failed for row in rows)
    print(f"{len(rows) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main() -> int:
    """The entry point of tools/conformance/networks."""
    try:
        return run(_arguments())
    except SetupError as error:
        print(f"tools/conformance/networks: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
