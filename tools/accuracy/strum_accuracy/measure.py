"""Runs `strumc` on a network: quantization, evaluation of every weight format, search."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .networks import Network

# What is evaluated besides float and plain INT8: title, configuration for `strumc eval --config`.
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

# Networks with weights rounded to a format (GPTQ-style): title, `strumc quantize --format`.
STORAGES = [
    ("INT8, GPTQ-rounded", "dense"),
    ("mip2q, L = 7, GPTQ-rounded", "mip2q"),
    ("dliq, shift per layer, GPTQ-rounded", "dliq"),
    ("sparse, GPTQ-rounded", "sparse"),
]

# The names of the rows of such networks.
ROUNDED = "rounded {}"

# The plain INT8 network with weights rounded again, from its codes: title, `strumc quantize --format` of that network.
AGAIN = [
    ("mip2q, L = 7, INT8 rounded again", "mip2q"),
    ("sparse, INT8 rounded again", "sparse"),
]

# The names of the rows of such networks.
FROM_INT8 = "again {}"

# The uniform configuration whose size the search is given.
LIKE = "mip2q"

# The number of calibration samples that the search measures on.
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
        return json.loads(self.call(*args, "--json"))

    def call(self, *args: object) -> str:
        """Standard output of a command."""
        line = [str(self.program), *map(str, args)]
        print("  strumc", " ".join(line[1:]), file=sys.stderr, flush=True)
        done = subprocess.run(line, cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(line)}\n{done.stderr}exit code {done.returncode}")
        return done.stdout


@dataclass
class Samples:
    """Test samples in the driver's folder, and the float network that answers are compared with."""

    strumc: Strumc
    source: Path
    count: int
    labelled: int

    def rows(self, net: str, *configs: object) -> list[dict]:
        """What `strumc eval` says of a network, float and plain INT8 first."""
        line = ["eval", net, "--inputs", "inputs.npy", "--against", self.source, *configs]
        if self.labelled == self.count:
            return self.strumc.json(*line, "--labels", "labels.npy")["rows"]
        rows = self.strumc.json(*line)["rows"]
        if self.labelled:
            # Labels of the first samples only: their answers are counted apart.
            few = ["--inputs", "first.npy", "--labels", "labels.npy"]
            top = self.strumc.json("eval", net, *few, "--against", self.source, *configs)["rows"]
            for row, counted in zip(rows, top, strict=True):
                row["top1"], row["top1_error"] = counted["top1"], counted["top1_error"]
        return rows


def prepare(network: Network, models: Path, strumc: Strumc, limit: int | None) -> Samples:
    """Writes calibration samples, test samples and labels."""
    folder = strumc.folder
    calibration, _ = network.samples(models, "calib")
    inputs, labels = network.samples(models, "test")
    inputs = inputs[:limit]
    labels = None if labels is None else labels[:limit]
    np.save(folder / "calibration.npy", calibration)
    np.save(folder / "inputs.npy", inputs)
    if labels is not None:
        np.save(folder / "labels.npy", labels.astype("<i4"))
        np.save(folder / "first.npy", inputs[: len(labels)])
    source = network.float_file(models).resolve()
    return Samples(strumc, source, len(inputs), 0 if labels is None else len(labels))


def measure(network: Network, models: Path, strumc: Strumc, limit: int | None) -> Result:
    """Every row of a network."""
    samples = prepare(network, models, strumc, limit)
    quantize = ["quantize", samples.source, "--calibration", "calibration.npy"]
    strumc.json(*quantize, "-o", "net.mlirbc")
    configs = [arg for _, config in CONFIGS for arg in ("--config", config)]
    rows = samples.rows("net.mlirbc", *configs)
    for _, storage in STORAGES:
        strumc.json(*quantize, "--format", storage, "-o", "rounded.mlirbc")
        config = ["--methods", "dense"] if storage == "dense" else ["--config", storage]
        row = samples.rows("rounded.mlirbc", *config)[-1]
        rows.append(row | {"name": ROUNDED.format(storage)})
    for _, storage in AGAIN:
        again = ["quantize", "net.mlirbc", "--calibration", "calibration.npy", "--format", storage]
        strumc.json(*again, "-o", "again.mlirbc")
        row = samples.rows("again.mlirbc", "--config", storage)[-1]
        rows.append(row | {"name": FROM_INT8.format(storage)})
    like = next(row for row in rows if row["name"] == LIKE)
    budget = ["--max-bytes", like["weight_bytes"], "--limit", SEARCH_SAMPLES]
    strumc.json("tune", "net.mlirbc", "-c", "calibration.npy", *budget, "-o", "packing.json")
    row = samples.rows("net.mlirbc", "--packing", "packing.json")[-1]
    rows.append(row | {"name": "searched"})
    return Result(network, samples.count, samples.labelled, {row["name"]: row for row in rows})
