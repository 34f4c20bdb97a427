"""tosa-opt and the TOSA reference model: MLIR to flatbuffer and back, and the expected result of a graph."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .workspace import Array, native_tool

# Everything that an integer graph may use. Networks born in TFLite need doubleround; without level=none the
# tools refuse graphs that are larger than the 8K level.
TARGET = "specification_version=1.0 profiles=pro_int extensions=int16,int4,doubleround,inexactround level=none"

# How MLIR's bytecode begins.
BYTECODE = b"ML\xefR"


class TosaError(Exception):
    """One of the TOSA tools refused its input."""


def _run(command: Sequence[str | Path], what: str, stdin: str | None = None) -> None:
    done = subprocess.run(
        [str(word) for word in command],
        input=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        # The location of this package's Python modules, for any caller.
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )
    if done.returncode != 0:
        raise TosaError(f"{what}: {_first_error(done.stderr)}")


def _first_error(text: str) -> str:
    # The version warning of the flatbuffer library precedes everything else.
    lines = [line.strip() for line in text.splitlines() if line.strip() and "TOSA spec in flatbuffer" not in line]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no message"])[0]


# Large boolean constants in hexadecimal: tosa-opt, from a later LLVM, has a byte where LLVM 22 has a bit.
_HEX_BOOLEANS = re.compile(r'dense<"0x([0-9A-F]+)"> : tensor<([0-9x]*)i1>')


def _bytes_of_bits(constant: re.Match[str]) -> str:
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(constant[1]), np.uint8), bitorder="little")
    elements = math.prod(int(extent) for extent in constant[2].split("x") if extent)
    return f'dense<"0x{bits[:elements].tobytes().hex().upper()}"> : tensor<{constant[2]}i1>'


def to_flatbuffer(mlir: Path, flatbuffer: Path) -> None:
    """Serializes the function @main of an integer TOSA module, in text as LLVM 22 prints it."""
    command: list[str | Path] = [
        native_tool("tosa-opt"),
        f"--tosa-attach-target={TARGET}",
        f"--tosa-serialize=tosa-flatbuffer-filename={flatbuffer}",
        "-",
        "-o",
        "/dev/null",
    ]
    content = mlir.read_bytes()
    what = f"serialize {mlir.name}"
    if content.startswith(BYTECODE):
        _run([word if word != "-" else mlir for word in command], what)
    else:
        _run(command, what, stdin=_HEX_BOOLEANS.sub(_bytes_of_bits, content.decode()))


def to_mlir(flatbuffer: Path, mlir: Path, verify: bool = True) -> None:
    """Writes a TOSA flatbuffer as MLIR text; without `verify` an invalid graph is written too, in generic form."""
    command: list[str | Path] = [
        native_tool("tosa-opt"),
        f"--tosa-deserialize=tosa-flatbuffer-filename={flatbuffer}",
        *([] if verify else ["--verify-each=0", "--mlir-print-op-generic"]),
        "-",
        "-o",
        mlir,
    ]
    what = f"deserialize {flatbuffer.name}"
    _run(command, what, stdin="module {}")
    if _HEX_BOOLEANS.search(mlir.read_text()):
        _run([*command, "--mlir-print-elementsattrs-with-hex-if-larger=-1"], what, stdin="module {}")


def run_test(test: Path, outputs: Path, bounds: bool) -> None:
    """Runs one conformance test on the reference model; the results are written to the folder `outputs`.

    With `bounds` these are the smallest values that are allowed, and `bounds_…` the largest.
    """
    command: list[str | Path] = [
        native_tool("tosa_reference_model"),
        f"--test_desc={test / 'desc.json'}",
        f"--output_dir={outputs}",
        "--tosa_level=NONE",
        f"--precise_mode={int(bounds)}",
    ]
    _run(command, f"reference model on {test.name}")


def verify(test: Path, name: str, result: Path, expected: Path) -> str | None:
    """What Arm's verifier says of a result of which not every bit is prescribed; None when it is allowed."""
    command: list[str | Path] = [
        native_tool("tosa_verify"),
        f"--test_desc={test / 'desc.json'}",
        f"--ofm_name={name}",
        f"--imp_result_file={result}",
        f"--ref_result_file={expected / result.name}",
        f"--bnd_result_file={expected / f'bounds_{result.name}'}",
    ]
    try:
        _run(command, f"tosa_verify {name}")
    except TosaError as error:
        return str(error)
    return None


def run_batch(flatbuffer: Path, samples: Sequence[Sequence[Array]]) -> list[list[Array]]:
    """Runs the reference model on many samples (each a list of arguments) of one graph."""
    return run_graphs([(flatbuffer, sample) for sample in samples])


def run_graphs(runs: Sequence[tuple[Path, Sequence[Array]]]) -> list[list[Array]]:
    """Runs the reference model on graphs with their arguments, in a separate process.

    A process of its own because the library writes to the standard output and may abort.
    """
    with tempfile.TemporaryDirectory() as folder:
        inputs, outputs = Path(folder, "inputs.npz"), Path(folder, "outputs.npz")
        np.savez(inputs, **{f"{i}_{j}": array for i, (_, sample) in enumerate(runs) for j, array in enumerate(sample)})
        shape = json.dumps([[str(graph), len(sample)] for graph, sample in runs])
        command = [sys.executable, "-m", f"{__package__}.reference_batch", str(inputs), str(outputs), shape]
        names = list(dict.fromkeys(graph.name for graph, _ in runs))
        _run(command, f"reference model on {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else ""))
        with np.load(outputs) as archive:
            results: list[list[Array]] = [[] for _ in runs]
            for key in archive.files:
                sample_index, _ = key.split("_")
                results[int(sample_index)].append(archive[key])
            return results
