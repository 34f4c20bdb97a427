"""A case through `strumc run`, and what came of it."""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from .cases import Array, Case


@dataclass
class Outcome:
    """Of a case: `equal`, `close` (within one code), `different`, `refused` or `failed`."""

    name: str
    kind: str
    text: str


def run(case: Case, strumc: str, folder: Path) -> Outcome:
    """Runs a case and compares all outputs."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "net.onnx"
    onnx.save(case.model, str(path))
    command = [strumc, "run", str(path), "--quiet"]
    command += ["--real"] if case.codes is not None and case.expected[0].dtype == np.float32 else []
    command += ["--float"] if case.codes is None else []
    for index, value in enumerate(case.inputs):
        # Samples of floats are along the first axis, if it has one position, or along another before it.
        batched = case.codes is None and value.ndim > 0 and value.shape[0] != 1
        np.save(folder / f"x{index}.npy", value[None] if batched else value)
        command += ["--input", str(folder / f"x{index}.npy")]
    for index in range(len(case.expected)):
        command += ["--output", str(folder / f"y{index}.npy")]
    for shape in case.shapes:
        command += ["--input-shape", shape]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    except subprocess.TimeoutExpired:
        return Outcome(case.name, "failed", "no end after half an hour")
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines() or [""]
        kind = "refused" if done.returncode in (1, 2, 3, 4) else "failed"
        return Outcome(case.name, kind, re.sub(r"\S*net\.onnx:? ?", "", lines[0]))
    found = [np.load(folder / f"y{index}.npy") for index in range(len(case.expected))]
    return _judge(case, found)


def _judge(case: Case, found: list[Array]) -> Outcome:
    worst, share = 0.0, 0.0
    for made, expected in zip(found, case.expected):
        if made.size != expected.size:
            return Outcome(case.name, "different", f"shape {made.shape}, expected {expected.shape}")
        a = made.reshape(expected.shape).astype(np.float64)
        b = expected.astype(np.float64)
        if case.codes is None:
            bound = case.tolerance * (1 + np.abs(b))
            equal = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= bound)
            if not equal.all():
                return Outcome(case.name, "different", f"by up to {np.nanmax(np.abs(a - b)):.3g}")
            continue
        if expected.dtype == np.uint8 and made.dtype == np.int8:
            a = a + 128
        unit = 1.0 if expected.dtype.kind in "iu" else _step(case.model)
        steps = np.abs(a - b) / unit
        worst, share = max(worst, float(steps.max())), max(share, float((steps > 0.5).mean()))
    if case.codes is None:
        return Outcome(case.name, "equal", "")
    kind = "equal" if worst < 0.5 else "close" if worst < case.codes + 0.5 else "different"
    return Outcome(case.name, kind, "" if kind == "equal" else f"by up to {worst:.0f} codes, {share:.2%} of all")


def _step(model: onnx.ModelProto) -> float:
    """The scale of the output's codes."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    last = next(node for node in model.graph.node if model.graph.output[0].name in node.output)
    return float(onnx.numpy_helper.to_array(constants[last.input[1]]))


def run_all(cases: Iterable[Case], strumc: str, folder: Path, jobs: int) -> Iterator[Outcome]:
    """Runs cases, some at a time, and returns their outcomes in order."""
    with ThreadPoolExecutor(jobs) as pool:
        places = (folder / str(index) for index in range(1 << 30))
        yield from pool.map(lambda pair: run(pair[0], strumc, pair[1]), zip(cases, places))
