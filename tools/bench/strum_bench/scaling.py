"""Compile time of a network compared with one four times as large: chains of tiny layers, and modules of tiny functions.

Times are those of the processor, the best of the runs, so that a host that is not idle counts less. A ratio of 4 is
linear; what lies above is caches, memory and sorting.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Size factor of the second network, and the maximum ratio of times.
FACTOR = 4
LIMIT = 4.5

CONV = (
    "{acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>}"
    " : (tensor<1x4x4x16xi8>, tensor<16x1x1x16xi8>, tensor<16xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4x4x16xi32>"
)
RESCALE = (
    "{input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = SINGLE_ROUND,"
    " scale32 = true} : (tensor<1x4x4x16xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>)"
    " -> tensor<1x4x4x16xi8>"
)


def element_wise(count: int) -> Iterator[str]:
    """A chain of element-wise layers on four values."""
    yield "func.func @main(%v0: tensor<4xi32>) -> tensor<4xi32> {"
    for i in range(count):
        yield f"  %v{i + 1} = tosa.abs %v{i} : (tensor<4xi32>) -> tensor<4xi32>"
    yield f"  return %v{count} : tensor<4xi32>\n}}"


def convolutions(count: int) -> Iterator[str]:
    """A chain of 1x1 convolutions with 16 channels."""
    yield "func.func @main(%v0: tensor<1x4x4x16xi8>) -> tensor<1x4x4x16xi8> {"
    for name, value, ty in (
        ("w", "3", "16x1x1x16xi8"),
        ("b", "3", "16xi32"),
        ("z", "0", "1xi8"),
        ("zi", "0", "1xi32"),
        ("m", "1073741824", "1xi32"),
        ("s", "36", "1xi8"),
    ):
        yield f'  %{name} = "tosa.const"() <{{values = dense<{value}> : tensor<{ty}>}}> : () -> tensor<{ty}>'
    for i in range(count):
        yield f"  %c{i} = tosa.conv2d %v{i}, %w, %b, %z, %z {CONV}"
        yield f"  %v{i + 1} = tosa.rescale %c{i}, %m, %s, %zi, %z {RESCALE}"
    yield f"  return %v{count} : tensor<1x4x4x16xi8>\n}}"


def functions(count: int) -> Iterator[str]:
    """Functions that return their argument."""
    for i in range(count):
        yield f"func.func @f{i}(%x: tensor<4xi8>) -> tensor<4xi8> {{\n  return %x : tensor<4xi8>\n}}"


@dataclass(frozen=True)
class Case:
    """The scaled part, its initial size, and the command that compiles one file to another."""

    name: str
    count: int
    lines: Callable[[int], Iterator[str]]
    driver: str
    options: tuple[str, ...]


CASES = (
    Case("element-wise layers", 5000, element_wise, "strumc", ("compile",)),
    Case("convolutions", 4000, convolutions, "strumc", ("compile", "--method", "dense")),
    Case("functions", 750, functions, "strum-opt", ("--strum-to-dpu",)),
)


def seconds(command: list[str]) -> float:
    """Processor seconds of a command; a failure ends the benchmark with the command's output."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            log.seek(0)
            sys.exit(f"{' '.join(command)}\nfailed with {process.returncode}:\n{log.read().decode()[-4000:]}")
    return usage.ru_utime + usage.ru_stime


def measure(case: Case, count: int, drivers: Path, runs: int, folder: Path) -> float:
    """Compiles the case at a size."""
    source, result = folder / "net.mlir", folder / "result"
    source.write_text("\n".join(case.lines(count)) + "\n")
    command = [str(drivers / case.driver), *case.options, str(source), "-o", str(result)]
    return min(seconds(command) for _ in range(runs))


def main() -> None:
    """Prints a line for each case; exit code 1 if one exceeds the maximum ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drivers", type=Path, required=True, help="folder of strumc and strum-opt")
    parser.add_argument("--runs", type=int, default=3, help="runs of each command, of which the best counts")
    arguments = parser.parse_args()
    print(f"{'':>20}  {'count':>6} {'s':>7}   {'count':>6} {'s':>7}   {'ratio':>5}")
    within = True
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            few, many = (
                measure(case, count, arguments.drivers, arguments.runs, Path(folder))
                for count in (case.count, FACTOR * case.count)
            )
            ratio = many / few
            within &= ratio <= LIMIT
            print(f"{case.name:>20}  {case.count:6} {few:7.2f}   {FACTOR * case.count:6} {many:7.2f}   {ratio:5.2f}")
    if not within:
        sys.exit(f"a network {FACTOR} times as large takes more than {LIMIT} times as long")


if __name__ == "__main__":
    main()
