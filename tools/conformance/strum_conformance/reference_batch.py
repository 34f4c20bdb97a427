"""The reference model as a process: `reference_batch INPUTS.npz OUTPUTS.npz SHAPE`, see `tosa.run_graphs`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tosa_reference_model as model

from .workspace import Array


def main() -> int:
    """Runs every graph on its arguments in the archive; the exit code says whether all of them were valid."""
    inputs, outputs, shape = sys.argv[1:]
    results: dict[str, Array] = {}
    with np.load(inputs) as archive:
        for i, (graph, arguments) in enumerate(json.loads(shape)):
            sample = [archive[f"{i}_{j}"] for j in range(arguments)]
            values, status = model.run(Path(graph).read_bytes(), sample, tosa_level="NONE")
            if status != model.GraphStatus.TOSA_VALID:
                print(f"error: {status.name} for run {i}, {graph}", file=sys.stderr)
                return 1
            for j, value in enumerate(values):
                results[f"{i}_{j}"] = value
    np.savez(outputs, **results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
