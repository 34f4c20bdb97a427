"""Runs the TOSA reference model: `reference_model.py CASE…`, each CASE the stem of a .tosa with .inN.npy beside it."""

import sys
from pathlib import Path

import numpy as np
import tosa_reference_model as model

for stem in sys.argv[1:]:
    arguments = []
    while (path := Path(f"{stem}.in{len(arguments)}.npy")).exists():
        arguments.append(np.load(path))
    graph = Path(f"{stem}.tosa").read_bytes()
    results, status = model.run(graph, arguments, tosa_level="NONE")
    if status != model.GraphStatus.TOSA_VALID:
        sys.exit(f"{stem}: {status.name}")
    for i, result in enumerate(results):
        np.save(f"{stem}.ref{i}.npy", result)
