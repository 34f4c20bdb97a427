"""Generates Arm's conformance tests operator by operator, and caches them."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .workspace import SetupError

TOSA_VERSION = "1.0.2"

# The operators of the integer profile that strum-opt supports.
OPERATORS = (
    "abs add argmax arithmetic_right_shift avg_pool2d bitwise_and bitwise_not bitwise_or bitwise_xor cast clamp "
    "clz concat const conv2d conv3d depthwise_conv2d equal gather greater greater_equal identity intdiv "
    "logical_and logical_left_shift logical_not logical_or logical_right_shift logical_xor matmul max_pool2d "
    "maximum minimum mul negate pad reduce_all reduce_any reduce_max reduce_min reduce_sum rescale reshape "
    "resize reverse scatter select slice sub table tile transpose transpose_conv2d"
).split()

# Those of the extension "controlflow".
CONTROL_FLOW = ("cond_if", "while_loop")


@dataclass(frozen=True)
class Test:
    """One conformance test: a folder with `test.tosa`, `desc.json` and its inputs."""

    op: str
    folder: Path
    inputs: tuple[Path, ...]
    outputs: tuple[str, ...]
    error_if: str | None
    # Of the outputs in the graph.
    names: tuple[str, ...] = ()
    # The specification prescribes bounds of the result, not its bits.
    bounds: bool = False

    @property
    def name(self) -> str:
        """The generator's name, unique within an operator."""
        return self.folder.name


def _read(op: str, folder: Path) -> Test:
    desc: dict[str, Any] = json.loads((folder / "desc.json").read_text())
    return Test(
        op=op,
        folder=folder,
        inputs=tuple(folder / name for name in desc["ifm_file"]),
        outputs=tuple(desc["ofm_file"]),
        error_if=desc["test_details"].get("ERRORIF") if desc["expected_failure"] else None,
        names=tuple(desc["ofm_name"]),
        bounds=desc.get("test_requirements", {}).get("bounds_file_required", False),
    )


def _folder(cache: Path, kind: str, extensions: tuple[str, ...], op: str, seed: int | None) -> Path:
    parts = (kind, *extensions, *(() if seed is None else (f"seed{seed}",)))
    return cache / f"{TOSA_VERSION}-{'-'.join(parts)}" / op


def _generate(folder: Path, kind: str, extensions: tuple[str, ...], op: str, seed: int | None) -> None:
    if (folder / "complete").is_file():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    scripts = sysconfig.get_path("scripts")
    command = [
        f"{scripts}/tosa_verif_conformance_generator",
        *("--tosa-version", TOSA_VERSION),
        *("--profile", "tosa-pro-int"),
        *(("--extension", *(f"tosa-ext-{name}" for name in extensions)) if extensions else ()),
        *(("--seed", str(seed)) if seed is not None else ()),
        *("--test-type", kind),
        *("--operators", op),
        *("--output-type", "binary"),
        *("--output-directory", str(folder / "tests")),
        *("--build-directory", str(folder / "build")),
        *("-j", "1"),
    ]
    # The generator starts the other tools by name.
    environment = {**os.environ, "PATH": f"{scripts}:{os.environ.get('PATH', '')}"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise SetupError(f"the conformance generator failed for {op}:\n{done.stdout}{done.stderr}")
    shutil.rmtree(folder / "build", ignore_errors=True)
    (folder / "complete").write_text(" ".join(command[1:]) + "\n")


def tests(
    cache: Path, kind: str, operators: list[str], extensions: tuple[str, ...], jobs: int, seed: int | None = None
) -> list[Test]:
    """All tests of the operators, `kind` being "positive" or "negative", in a fixed order.

    Without a seed they are those of the conformance suite, which has a seed for every operator.
    """
    folders = {op: _folder(cache, kind, extensions, op, seed) for op in operators}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda op: _generate(folders[op], kind, extensions, op, seed), operators))
    return [
        _read(op, desc.parent) for op in operators for desc in sorted(folders[op].glob("tests/operators/**/desc.json"))
    ]


def sample(all_tests: list[Test], size: int) -> list[Test]:
    """A fixed sample that takes from every operator in turn.

    The order within an operator is that of a hash of the name: the same on every machine, and not the generator's,
    which would pick neighbours that differ in little.
    """
    queues: dict[str, list[Test]] = {}
    for test in sorted(all_tests, key=lambda test: hashlib.sha256(test.name.encode()).digest()):
        queues.setdefault(test.op, []).append(test)
    chosen: list[Test] = []
    while len(chosen) < size and any(queues.values()):
        for op in sorted(queues):
            if queues[op] and len(chosen) < size:
                chosen.append(queues[op].pop(0))
    return sorted(chosen, key=lambda test: (test.op, test.name))
