"""Writes calibration.npz: digits of digits.npz as the float network wants them, every tenth, for `strumc quantize`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

# What the codes of digits.npz mean; see README.md.
SCALE, ZERO_POINT = 0.012728, -95

folder = Path(__file__).parent
codes = np.load(folder / "digits.npz")["x"][::10].astype(np.float32)
np.savez_compressed(folder / "calibration.npz", x=(SCALE * (codes - ZERO_POINT)).astype(np.float32).transpose(0, 3, 1, 2))
