"""Runs a driver and classifies the outcome: exact, unsupported, or one of the failures."""

from __future__ import annotations

import enum
import os
import re
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


class Status(enum.Enum):
    """The outcome of a run. The values are the column headings; upper case marks a failure."""

    EXACT = "exact"
    UNSUPPORTED = "unsupported"
    REFUSED = "refused"
    HARMLESS = "harmless"
    WRONG = "WRONG"
    REJECTED = "REJECTED"
    UNLOCATED = "UNLOCATED"
    ACCEPTED = "ACCEPTED"
    CRASH = "CRASH"
    HANG = "HANG"
    NO_REFERENCE = "NO-REFERENCE"

    @property
    def failed(self) -> bool:
        """Whether a run with this outcome is a failure of the suite."""
        return self.value.isupper()


@dataclass(frozen=True)
class Outcome:
    """A status with its explanation."""

    status: Status
    message: str = ""
    seconds: float = 0.0


# The exit codes of the drivers.
SUCCESS, INVALID, UNSUPPORTED, RESOURCE = 0, 1, 3, 4
_OPERATION = re.compile(r'\s*(%[\w:, %]+ = )?"?tosa\.')
_LOCATED = re.compile(r"^(?P<file>[^\n:]+):(?P<line>\d+):(?P<column>\d+): error: (?P<text>.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Finished:
    """A driver process that exited or was killed."""

    code: int | None
    stderr: str

    @property
    def crash(self) -> str | None:
        """Why this counts as a crash: a signal, a panic, an internal error, or an undocumented exit code."""
        if self.code is None or self.code in (SUCCESS, INVALID, UNSUPPORTED, RESOURCE):
            return None
        if self.code < 0:
            return f"killed by {signal.Signals(-self.code).name}: {self.headline}"
        return f"exit code {self.code}: {self.headline}"

    @property
    def headline(self) -> str:
        """The first line with an error."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        telling = [line for line in lines if "error" in line or "panicked" in line or "Assertion" in line]
        return (telling or lines or ["no message"])[0]


def execute(command: Sequence[str | Path], timeout: float) -> Finished:
    """Runs a driver in a separate process group, and kills the group at the timeout."""
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        _, stderr = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return Finished(None, "")
    return Finished(process.returncode, stderr)


def located_error(finished: Finished, source: Path) -> str | None:
    """The message of the first error that points at an operation of `source`, with its line and column."""
    lines = source.read_text(errors="replace").splitlines()
    for match in _LOCATED.finditer(finished.stderr):
        number = int(match["line"])
        same_file = Path(match["file"]).name == source.name
        if same_file and 0 < number <= len(lines) and _OPERATION.match(lines[number - 1]):
            return f"{number}:{match['column']}: {match['text']}"
    return None


def difference(got: Path, expected: Path) -> str | None:
    """How two .npy files differ, None when they are equal bit for bit.

    Signed and unsigned integers of one width are the same bits: TOSA's u8 and u16 are attributes of an operator,
    and the reference model stores them in signed arrays.
    """
    if not got.is_file():
        return f"{got.name} was not written"
    try:
        ours = np.load(got)
    except (ValueError, OSError) as error:
        return f"{got.name} cannot be read: {error}"
    theirs = np.load(expected)
    if ours.shape != theirs.shape:
        return f"shape {ours.shape}, expected {theirs.shape}"
    if ours.dtype.itemsize != theirs.dtype.itemsize or ours.dtype.kind not in "biu":
        return f"type {ours.dtype}, expected {theirs.dtype}"
    wrong = np.atleast_1d(ours.view(theirs.dtype) != theirs)
    if not wrong.any():
        return None
    first = tuple(int(index) for index in np.argwhere(wrong)[0])
    at = first if ours.shape else ()
    return f"{int(wrong.sum())} of {wrong.size} values; the first at {list(at)}: {ours[at]}, expected {theirs[at]}"
