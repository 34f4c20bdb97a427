"""Runs `strumc` on a network: quantization, evaluation of every way of storing weights, search."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .networks import Network

# What is evaluated beside float and plain INT8: title, configuration as `strumc eval --config` takes it.
CONFIGS = [
    ("mip2q, L = 7", "mip2q"),
    ("mip2q, L = 7, by activation, corrected", "mip2q,select=activation,correct=both"),
    ("mip2q, L = 5", "mip2q,L=5"),
    ("dliq, shift per layer", "dliq"),
    ("dliq, shift per layer, by activation, corrected", "dliq,select=activation,correct=both"),
    ("dliq, shift 0", "dliq,shift=0"),
    ("sparse", "sparse"),
    ("sparse, by activation, corrected", "sparse,select=activation,correct=both"),
]

# The uniform configuration whose size the search is given.
LIKE = "mip2q"

# The search measures on so many calibration samples.
SEARCH_SAMPLES = 48


@dataclass
class Result:
    """The rows of a network, by configuration; float and plain INT8 first, the searched one last."""

    network: Network
    samples: int
    labelled: int
    rows: dict[str, dict] = field(default_factory=dict)


class Strumc:
    """The driver, in a folder for its files."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.program = program.resolve()
        self.folder = folder

    def json(self, *args: object) -> dict:
        line = [str(self.program), *map(str, args), "--json"]
        print("  strumc", " ".join(line[1:]), file=sys.stderr, flush=True)
        done = subprocess.run(line, cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(line)}\n{done.stderr}exit code {done.returncode}")
        return json.loads(done.stdout)


def measure(network: Network, models: Path, strumc: Strumc, limit: int | None) -> Result:
    """Every row of a network."""
    folder = strumc.folder
    calibration, _ = network.samples(models, "calib")
    inputs, labels = network.samples(models, "test")
    inputs = inputs[:limit]
    labels = None if labels is None else labels[:limit]
    np.save(folder / "calibration.npy", calibration)
    np.save(folder / "inputs.npy", inputs)
    source = network.float_file(models).resolve()
    strumc.json("quantize", source, "--calibration", "calibration.npy", "-o", "net.mlirbc")
    result = Result(network, len(inputs), 0 if labels is None else len(labels))
    whole = labels is not None and len(labels) == len(inputs)
    if labels is not None:
        np.save(folder / "labels.npy", labels.astype("<i4"))
    if whole:
        samples = ["--inputs", "inputs.npy", "--labels", "labels.npy"]
    else:
        samples = ["--inputs", "inputs.npy"]
    against = ["--against", source]
    configs = [arg for _, config in CONFIGS for arg in ("--config", config)]
    rows = strumc.json("eval", "net.mlirbc", *samples, *against, *configs)["rows"]
    like = next(row for row in rows if row["name"] == LIKE)
    budget = ["--max-bytes", like["weight_bytes"], "--limit", SEARCH_SAMPLES]
    strumc.json("tune", "net.mlirbc", "-c", "calibration.npy", *budget, "-o", "packing.json")
    packing = ["--packing", "packing.json"]
    rows.append(strumc.json("eval", "net.mlirbc", *samples, *against, *packing)["rows"][-1])
    if labels is not None and not whole:
        # Labels of the first samples only: their answers are counted apart.
        np.save(folder / "first.npy", inputs[: len(labels)])
        few = ["--inputs", "first.npy", "--labels", "labels.npy"]
        top = strumc.json("eval", "net.mlirbc", *few, *against, *configs, *packing)["rows"]
        for row, counted in zip(rows, top, strict=True):
            row["top1"], row["top1_error"] = counted["top1"], counted["top1_error"]
    rows[-1]["name"] = "searched"
    result.rows = {row["name"]: row for row in rows}
    return result
