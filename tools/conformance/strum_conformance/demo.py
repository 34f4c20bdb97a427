"""tools/demo: a trained network with StruM weights, on the simulator, against the TOSA reference model."""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import report, tosa
from .programs import DriverError, Drivers, Weights, show_output
from .workspace import CACHE, ROOT, Array, SetupError, driver

FOLDER = ROOT / "models" / "mnist_lenet"
NETWORK = FOLDER / "model.tosa.mlirbc"
SETS = {"clean": "digits", "noisy": "digits_noisy"}
CLOCK_MHZ = 1300
SHADES = " .:-=+*#%@"


@dataclass(frozen=True)
class Digits:
    """A file of digits: inputs, labels, and the reference model's stored outputs of the original network."""

    name: str
    x: Array
    y: Array
    ref: Array

    @staticmethod
    def load(name: str) -> Digits:
        """One of SETS."""
        with np.load(FOLDER / f"{SETS[name]}.npz") as archive:
            return Digits(name, archive["x"], archive["y"], archive["ref"])


def heading(text: str) -> None:
    """A title between two steps."""
    print(f"\n== {text}", flush=True)


def show(command: Sequence[str | Path], executable: Path) -> None:
    """Prints a command as typed at the root of the repository, runs it there, and prints its output."""
    words = [str(word).removeprefix(f"{ROOT}/") for word in command]
    print("$ " + shlex.join(words))
    print(show_output([executable, *words[1:]]), end="", flush=True)


def picture(images: Array) -> str:
    """Int8 images side by side, at half their resolution."""
    halves = images[..., 0].reshape(len(images), 14, 2, 14, 2).astype(int).mean((2, 4))
    shades = ((halves + 128) / 256 * len(SHADES)).astype(int).clip(0, len(SHADES) - 1)
    rows = ["  ".join("".join(SHADES[shade] for shade in image[row]) for image in shades) for row in range(14)]
    return "\n".join(row.rstrip() for row in rows)


@dataclass
class Result:
    """The results of one weight format."""

    weights: Weights
    program_bytes: int
    top1: list[float]
    cycles: int
    equal: int
    total: int

    def cells(self) -> list[object]:
        """A row of the table at the end."""
        return [
            self.weights,
            f"{self.program_bytes:,}",
            *(f"{100 * share:.2f} %" for share in self.top1),
            f"{self.cycles:,}",
            f"{self.cycles / CLOCK_MHZ:.1f}",
            f"{self.equal} of {self.total} outputs equal",
        ]


def expected_outputs(drivers: Drivers, weights: Weights, digits: list[Digits], scratch: Path) -> list[Array]:
    """The reference model's outputs for the network with these weights, computed now.

    For dense weights they must be those that are stored in the repository.
    """
    decoded = NETWORK
    if weights.method != "dense":
        decoded = scratch / "decoded.mlir"
        drivers.to_tosa(NETWORK, decoded, weights)
    flatbuffer = scratch / "decoded.tosa"
    tosa.to_flatbuffer(decoded, flatbuffer)
    outputs = []
    for part in digits:
        results = tosa.run_batch(flatbuffer, [[sample[None]] for sample in part.x])
        outputs.append(np.concatenate([values[0] for values in results]))
        if weights.method == "dense" and not np.array_equal(outputs[-1], part.ref):
            raise DriverError("the reference model's outputs are not those stored in the repository")
    return outputs


def classify(drivers: Drivers, weights: Weights, program: Path, digits: list[Digits], scratch: Path) -> Result:
    """Every digit on the simulator, one at a time, and on the reference model."""
    progress = report.Progress(sum(len(part.x) for part in digits), f"digits with {weights} weights")
    expected = expected_outputs(drivers, weights, digits, scratch)
    result = Result(weights, program.stat().st_size, [], 0, 0, 0)
    for part, reference in zip(digits, expected, strict=True):
        runs = drivers.simulate_all(program, part.x, 2, progress.step)
        outputs = np.concatenate([run.outputs[0] for run in runs])
        result.top1.append(float((outputs.argmax(1) == part.y).mean()))
        result.equal += int((outputs == reference).all(1).sum())
        result.total += len(outputs)
        result.cycles = runs[0].report["cycles"]
        print(f"{weights}, {part.name}: {answers(outputs, part.y)}", flush=True)
    return result


def answers(outputs: Array, labels: Array) -> str:
    """The number of correct answers, and the wrong ones among the first sixty."""
    right = outputs.argmax(1) == labels
    marks = "".join("." if good else "x" for good in right[:60])
    return f"{int(right.sum())} of {len(right)} right; the first sixty {marks}"


def run(drivers: Drivers, translate: Path, method: Weights) -> int:
    """The whole demonstration; 0 when every output is the reference model's."""
    start = time.monotonic()
    digits = [Digits.load(name) for name in SETS]
    programs = CACHE.parent / "demo"
    programs.mkdir(parents=True, exist_ok=True)
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        heading(f"Compile a trained digit classifier with {method} weights")
        program = programs / f"mnist_lenet.{method.method}.dpu"
        show(["strumc", "compile", NETWORK, "-o", program, *method.options], drivers.strumc)
        heading("Audit: what the binary holds, read back from it")
        show(["strum-translate", "--dpu-audit", program], translate)
        heading("The digits: five clean ones, five noisy ones")
        for part in digits:
            print(picture(part.x[:5]))
        heading("All of them, one by one: dpu-sim against the TOSA reference model (x: wrong digit)")
        for weights in (Weights("dense"), method):
            program = programs / f"mnist_lenet.{weights.method}.dpu"
            drivers.compile(NETWORK, program, weights)
            results.append(classify(drivers, weights, program, digits, Path(scratch)))
    heading("Result")
    header = ["weights", "program bytes", *SETS, "cycles", "µs", "bit for bit"]
    print(report.table(header, [result.cells() for result in results]))
    equal = all(result.equal == result.total for result in results)
    print("\nEvery output bit is the reference model's." if equal else "\nSOME OUTPUTS DIFFER.")
    print(f"tools/demo: {time.monotonic() - start:.0f} s", file=sys.stderr)
    return 0 if equal else 1


def main() -> int:
    """The entry point of tools/demo."""
    parser = argparse.ArgumentParser(prog="tools/demo", description=__doc__)
    parser.add_argument("--method", default="mip2q", choices=["sparse", "dliq", "mip2q"])
    parser.add_argument("--p", default="0.5", help="share of low members (default: 0.5)")
    parser.add_argument("--drivers", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    try:
        folder: Path | None = arguments.drivers
        translate = driver("strum-translate", folder / "strum-translate" if folder else None)
        return run(Drivers.find(folder), translate, Weights(arguments.method, arguments.p))
    except (DriverError, SetupError, tosa.TosaError) as error:
        print(f"tools/demo: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
