"""Damaged files, which must end in a network or in lines of a refusal."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from pathlib import Path

from . import packages

# Larger files take longer to copy than to read.
MAX_BYTES = 700_000
# Bytes of address space: a file may not make the reader grow far beyond its own size.
MEMORY = 2_500_000_000


def run(folder: Path, names: list[str] | None, count: int, seed: int) -> int:
    """Runs the test of mutants on the files of packages; the exit code is the test's."""
    subjects = folder / "subjects"
    subjects.mkdir()
    for name in names or sorted(packages.PACKAGES):
        for file in packages.fetch(name, folder):
            if file.stat().st_size <= MAX_BYTES:
                shutil.copy(file, subjects)
    # Overflow is a fault, too, which a release build does not see.
    test = ["cargo", "test", "-p", "strum-doors", "--test", "tflite"]
    subprocess.run([*test, "--no-run"], check=True)
    environment = os.environ | {
        "STRUM_MUTANTS": str(count),
        "STRUM_MUTANT_SEED": str(seed),
        "STRUM_MUTANT_FILES": str(subjects),
    }
    command = [*test, "--", "--ignored", "--nocapture", "many_mutants"]
    return subprocess.run(command, env=environment, preexec_fn=_limit).returncode


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
