"""The drivers: compile, simulate, and back to TOSA. The only module that depends on their options."""

from __future__ import annotations

import concurrent.futures
import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import outcome
from .workspace import ROOT, Array, driver


class DriverError(Exception):
    """A driver failed unexpectedly."""


@dataclass(frozen=True)
class Weights:
    """A weight format: a StruM method and the share of low members, or dense."""

    method: str
    p: str = ""

    @property
    def options(self) -> list[str]:
        """The options of `strumc`."""
        return ["--method", self.method, *(["--p", self.p] if self.p else [])]

    @property
    def pass_options(self) -> str:
        """The options of the pass `strum-pack` and of the pipeline."""
        return f"method={self.method}" + (f" p={self.p}" if self.p else "")

    def __str__(self) -> str:
        return f"{self.method} {self.p}".strip()


@dataclass(frozen=True)
class Run:
    """The simulator's results for one input."""

    outputs: list[Array]
    report: dict[str, Any]


@dataclass(frozen=True)
class Drivers:
    """The built drivers."""

    strumc: Path
    strum_opt: Path
    dpu_sim: Path
    timeout: float = 600.0

    @staticmethod
    def find(folder: Path | None = None) -> Drivers:
        """The drivers in a folder, or the newest under target/."""
        strumc, strum_opt, dpu_sim = (
            driver(name, folder / name if folder else None) for name in ("strumc", "strum-opt", "dpu-sim")
        )
        return Drivers(strumc, strum_opt, dpu_sim)

    def _call(self, command: Sequence[str | Path]) -> None:
        finished = outcome.execute(command, self.timeout)
        if finished.code != outcome.SUCCESS:
            shown = " ".join(str(word) for word in command)
            raise DriverError(f"{finished.crash or finished.headline}\n  {shown}")

    def compile(self, network: Path, program: Path, weights: Weights) -> None:
        """Compiles a network to a DPU program."""
        self._call([self.strumc, "compile", network, "-o", program, *weights.options])

    def to_tosa(self, network: Path, decoded: Path, weights: Weights) -> None:
        """Converts a network to plain integer TOSA with the decoded weights."""
        passes = [
            "--inline-control-flow",
            "--expand-operators",
            "--strum-canonicalize",
            "--tosa-to-strum",
            f"--strum-pack={weights.pass_options}",
            "--strum-to-tosa",
        ]
        self._call([self.strum_opt, network, *passes, "-o", decoded])

    def simulate(self, program: Path, inputs: Sequence[Array], outputs: int = 1) -> Run:
        """One run of a program, inputs and outputs in order."""
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            command: list[str | Path] = [self.dpu_sim, program]
            for i, array in enumerate(inputs):
                np.save(folder / f"x{i}.npy", array)
                command += ["--input", folder / f"x{i}.npy"]
            for i in range(outputs):
                command += ["--output", folder / f"y{i}.npy"]
            self._call([*command, "--report", folder / "report.json"])
            results = [np.load(folder / f"y{i}.npy") for i in range(outputs)]
            return Run(results, json.loads((folder / "report.json").read_text()))

    def simulate_all(
        self, program: Path, samples: Array, jobs: int, done: Callable[[], None] = lambda: None
    ) -> list[Run]:
        """A program with one argument and one result, for every sample along the first axis."""

        def one(sample: Array) -> Run:
            run = self.simulate(program, [sample[None]])
            done()
            return run

        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(one, samples))


def show_output(command: Sequence[str | Path]) -> str:
    """The standard output of a driver, run at the root of the repository."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise DriverError(f"exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout
