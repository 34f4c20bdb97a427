"""The stored outputs of the shipped networks, computed by the TOSA reference model."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from . import tosa
from .workspace import ROOT, Array

# Each file of inputs, with its network.
FILES = ("mnist_lenet/digits.npz", "mnist_lenet/digits_noisy.npz", "resnet20/inputs.npz")


def reference(network: Path, inputs: Array) -> Array:
    """The outputs of a network with one argument and one result, for inputs along the first axis."""
    with tempfile.TemporaryDirectory() as folder:
        flatbuffer = Path(folder, "network.tosa")
        tosa.to_flatbuffer(network, flatbuffer)
        results = tosa.run_batch(flatbuffer, [[sample[None]] for sample in inputs])
    return np.concatenate([outputs[0] for outputs in results])


def main() -> int:
    """The entry point of models/make_reference."""
    parser = argparse.ArgumentParser(prog="models/make_reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only check the stored outputs")
    arguments = parser.parse_args()
    different = 0
    for name in FILES:
        path = ROOT / "models" / name
        with np.load(path) as archive:
            arrays = dict(archive)
        outputs = reference(path.parent / "model.tosa.mlirbc", arrays["x"])
        same = "ref" in arrays and np.array_equal(arrays["ref"], outputs)
        if arguments.check or same:
            different += not same
            print(f"models/{name}: {len(outputs)} outputs {'equal' if same else 'DIFFER'}")
        else:
            np.savez_compressed(path, **{**arrays, "ref": outputs})
            print(f"models/{name}: {len(outputs)} outputs written")
    if arguments.check:
        print(f"{len(FILES) - different} passed, {different} failed")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
