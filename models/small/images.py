"""Writes the images of this folder: a digit of each class as PNG in class folders, and a JPEG file that is stored turned.

Needs the packages numpy and pillow. The digits are those of ../mnist_lenet.
"""

from __future__ import annotations

import pathlib

import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).parent
DIGITS = HERE.parent / "mnist_lenet" / "digits.npz"

MEAN, DEVIATION = 0.1307, 0.3081  # the normalization of the digits
SCALE, ZERO_POINT = 0.012728, -95  # the quantization of their codes
ORIENTATION, TURNED = 0x0112, 6  # the EXIF tag, and its value for an image to turn clockwise


def digits() -> None:
    """The first digit of each class."""
    arrays = np.load(DIGITS)
    for codes, label in zip(arrays["x"][:10], arrays["y"][:10]):
        reals = (codes[..., 0].astype(np.float64) - ZERO_POINT) * SCALE
        pixels = np.clip(np.round((reals * DEVIATION + MEAN) * 255), 0, 255).astype(np.uint8)
        folder = HERE / "digits" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / "a.png", optimize=True)


def turned() -> None:
    """Twelve pixels wide and eight high in the file, and upright after a turn."""
    row, column = np.mgrid[0:8, 0:12]
    pixels = np.stack([column * 20, row * 30, 128 + 0 * column], -1).astype(np.uint8)
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED
    Image.fromarray(pixels).save(HERE / "turned.jpg", quality=90, exif=exif, optimize=True, subsampling=0)


if __name__ == "__main__":
    digits()
    turned()
