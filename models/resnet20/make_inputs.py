"""Makes inputs.npz: images of random coloured rectangles and gradients, for bit-exactness and cycles.

They show nothing, and no accuracy can be measured with them. Run with the Python of .venv; afterwards
`models/make_reference` adds the reference model's outputs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

COUNT, SIZE = 16, 32


def image(random: np.random.Generator) -> np.ndarray:
    """A gradient in each colour, six rectangles over it, a little noise: int8, SIZE x SIZE x 3."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE] / (SIZE - 1)
    slopes = random.uniform(-200.0, 200.0, (2, 3))
    canvas = rows[..., None] * slopes[0] + columns[..., None] * slopes[1] + random.uniform(-64.0, 64.0, 3)
    for _ in range(6):
        (top, bottom), (left, right) = np.sort(random.integers(0, SIZE + 1, (2, 2)))
        canvas[top:bottom, left:right] = random.uniform(-128.0, 128.0, 3)
    canvas += random.normal(0.0, 8.0, canvas.shape)
    return np.clip(np.round(canvas), -128, 127).astype(np.int8)


def main() -> int:
    """Writes the same file every time."""
    random = np.random.Generator(np.random.PCG64(20))
    np.savez_compressed(Path(__file__).parent / "inputs.npz", x=np.stack([image(random) for _ in range(COUNT)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
