"""What exports from PyTorch and from ONNX share. Invariant: nothing here needs PyTorch."""

from pathlib import Path

import numpy as np

# A level, and torch-mlir's name of it.
LEVELS = {"linalg": "linalg-on-tensors", "tosa": "tosa"}


class Unusable(Exception):
    """The requested network cannot be exported; the text says why."""


class Partial(Exception):
    """Some of the files could not be written. Holds those that were."""

    def __init__(self, written: list[Path], text: str) -> None:
        super().__init__(text)
        self.written = written


def save(stem: Path, kind: str, array: np.ndarray) -> Path:
    """Writes an array of samples."""
    path = stem.with_name(f"{stem.name}.{kind}.npy")
    np.save(path, np.ascontiguousarray(array, dtype=np.float32))
    return path
