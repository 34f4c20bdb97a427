"""Paths: the repository, its Python environment, the drivers, the cache."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path
from typing import Any, TypeAlias

import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / "target" / "conformance"


Array: TypeAlias = npt.NDArray[Any]


class SetupError(Exception):
    """A prerequisite of the harness is missing."""


def driver(name: str, given: Path | None) -> Path:
    """The driver `name`: the one given, or the newest build under target/."""
    if given is not None:
        if not given.is_file():
            raise SetupError(f"{given}: no such file")
        return given.resolve()
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [path for profile in ("release", "debug") if (path := target / profile / name).is_file()]
    if not built:
        raise SetupError(f"{name} is not built: run cargo build --release, or name it on the command line")
    return max(built, key=lambda path: path.stat().st_mtime).resolve()


def native_tool(name: str) -> Path:
    """A compiled tool of the tosa-tools package, without the Python start-up of its wrapper."""
    path = Path(sysconfig.get_path("purelib")) / "bin" / name
    if not path.is_file():
        raise SetupError(f"{path}: not found; run tools/conformance/setup")
    return path
