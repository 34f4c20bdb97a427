"""Arm's conformance tests of single operators, run through `strumc run`."""

from __future__ import annotations

import argparse
import concurrent.futures
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import generate, outcome, report, tosa
from .generate import Test
from .outcome import Outcome, Status
from .workspace import CACHE, SetupError, driver


@dataclass(frozen=True)
class Settings:
    """The settings shared by all tests of a run."""

    strumc: Path
    options: tuple[str, ...]
    timeout: float
    work: Path
    keep: bool


def _command(test: Test, settings: Settings, mlir: Path, results: Path) -> list[str | Path]:
    inputs = [word for path in test.inputs for word in ("--input", path)]
    outputs = [word for name in test.outputs for word in ("--output", results / name)]
    return [settings.strumc, "run", mlir, *inputs, *outputs, *settings.options]


def _expected(test: Test) -> Path:
    """The folder with the reference model's results, computed once."""
    folder = test.folder / ("bounds" if test.bounds else "expected")
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=test.folder) as scratch:
            tosa.run_test(test.folder, Path(scratch), test.bounds)
            Path(scratch).rename(folder)
            Path(scratch).mkdir()
    return folder


def _mlir(test: Test) -> Path:
    path = test.folder / "test.mlir"
    if not path.is_file():
        partial = test.folder / "partial.mlir"
        tosa.to_mlir(test.folder / "test.tosa", partial, verify=test.error_if is None)
        partial.rename(path)
    return path


def run_positive(test: Test, settings: Settings, results: Path) -> Outcome:
    """A valid graph: the result is exact, or within the bounds of the specification, or an operator is reported as unsupported."""
    try:
        mlir, expected = _mlir(test), _expected(test)
    except tosa.TosaError as error:
        return Outcome(Status.NO_REFERENCE, str(error))
    finished = outcome.execute(_command(test, settings, mlir, results), settings.timeout)
    if finished.code is None:
        return Outcome(Status.HANG, f"no end after {settings.timeout:g} s")
    if finished.crash is not None:
        return Outcome(Status.CRASH, finished.crash)
    if finished.code == outcome.UNSUPPORTED:
        located = outcome.located_error(finished, mlir)
        if located is None:
            return Outcome(Status.UNLOCATED, finished.headline)
        return Outcome(Status.UNSUPPORTED, located)
    if finished.code != outcome.SUCCESS:
        return Outcome(Status.REJECTED, finished.headline)
    for name, ofm in zip(test.outputs, test.names, strict=True):
        if test.bounds:
            wrong = tosa.verify(test.folder, ofm, results / name, expected)
        else:
            wrong = outcome.difference(results / name, expected / name)
        if wrong is not None:
            return Outcome(Status.WRONG, wrong)
    return Outcome(Status.EXACT)


def _same_graph_again(test: Test, mlir: Path, results: Path) -> str | None:
    """How the results differ from the reference model's for the graph that the driver was given."""
    try:
        flatbuffer = results / "again.tosa"
        tosa.to_flatbuffer(mlir, flatbuffer)
        outputs = tosa.run_batch(flatbuffer, [[np.load(path) for path in test.inputs]])[0]
    except tosa.TosaError as error:
        return f"the reference model refuses it ({error})"
    for name, output in zip(test.outputs, outputs, strict=True):
        np.save(results / f"expected-{name}", output)
        wrong = outcome.difference(results / name, results / f"expected-{name}")
        if wrong is not None:
            return wrong
    return None


def run_negative(test: Test, settings: Settings, results: Path) -> Outcome:
    """An invalid graph: it is rejected, or the flaw is lost in the conversion to MLIR and the result is exact."""
    try:
        mlir = _mlir(test)
    except tosa.TosaError as error:
        return Outcome(Status.HARMLESS, f"cannot be written as MLIR: {error}")
    finished = outcome.execute(_command(test, settings, mlir, results), settings.timeout)
    if finished.code is None:
        return Outcome(Status.HANG, f"no end after {settings.timeout:g} s")
    if finished.crash is not None:
        return Outcome(Status.CRASH, finished.crash)
    if finished.code != outcome.SUCCESS:
        return Outcome(Status.REFUSED, finished.headline)
    wrong = _same_graph_again(test, mlir, results)
    if wrong is None:
        return Outcome(Status.HARMLESS, f"{test.error_if} is lost in MLIR, and the result is exact")
    return Outcome(Status.ACCEPTED, f"accepted, although {test.error_if}: {wrong}")


def run_one(test: Test, settings: Settings) -> Outcome:
    """Runs a test in a separate folder, which is kept when the test fails or the user asks for it."""
    results = settings.work / test.op / test.name
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    start = time.monotonic()
    run = run_positive if test.error_if is None else run_negative
    result = run(test, settings, results)
    if not (settings.keep or result.status.failed):
        shutil.rmtree(results)
    return Outcome(result.status, result.message, time.monotonic() - start)


def summary(results: list[tuple[Test, Outcome]], columns: list[Status]) -> str:
    """One line per operator, and the sum. Columns for failures appear only when there are any."""
    seen = {result.status for _, result in results}
    shown = [status for status in Status if status in columns or status in seen]
    rows: list[list[object]] = []
    for op in sorted({test.op for test, _ in results}) + [None]:
        of_op = [result for test, result in results if op in (None, test.op)]
        counts = [sum(result.status is status for result in of_op) for status in shown]
        rows.append([op or "all", len(of_op), *counts, f"{sum(result.seconds for result in of_op):.1f}"])
    return report.table(["operator", "total", *(status.value for status in shown), "seconds"], rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/conformance/run",
        description="Runs Arm's TOSA conformance tests (1.0.2, integer profile) through strumc and compares every "
        "result, bit for bit, with the TOSA reference model's.",
    )
    parser.add_argument("--strumc", type=Path, help="the driver (default: the newest under target/)")
    parser.add_argument("--ops", nargs="+", metavar="OP", help="only these operators")
    parser.add_argument("--sample", type=int, metavar="N", help="only a fixed sample of N tests")
    parser.add_argument("--only", metavar="TEXT", help="only tests whose name contains TEXT")
    parser.add_argument("--negative", action="store_true", help="the tests with invalid graphs instead")
    parser.add_argument(
        "--extensions",
        nargs="+",
        default=[],
        metavar="EXT",
        help="the tests of TOSA extensions too: controlflow, doubleround, inexactround, int16, int4",
    )
    parser.add_argument("--seed", type=int, help="another seed of the generator: other tests than those of the suite")
    parser.add_argument("--method", help="passed on to strumc, with --p; exact only where all weights stay dense")
    parser.add_argument("--p", help="passed on to strumc")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="parallel tests (default: 2)")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for one test (default: 120)")
    parser.add_argument("--keep", action="store_true", help="keep the results of passing tests too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the outcome of every test")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of the generated tests (default: target/conformance)")
    arguments = parser.parse_args()
    known = [*generate.OPERATORS, *(generate.CONTROL_FLOW if "controlflow" in arguments.extensions else ())]
    arguments.ops = known if arguments.ops is None else arguments.ops
    unknown = sorted(set(arguments.ops) - set(known))
    if unknown:
        parser.error(f"unknown operator {', '.join(unknown)}; choose from {', '.join(known)}")
    return arguments


def _select(arguments: argparse.Namespace) -> list[Test]:
    kind = "negative" if arguments.negative else "positive"
    extensions = tuple(arguments.extensions)
    chosen = generate.tests(
        arguments.cache.resolve(), kind, sorted(arguments.ops), extensions, arguments.jobs, arguments.seed
    )
    if arguments.only:
        chosen = [test for test in chosen if arguments.only in test.name]
    if arguments.sample is not None:
        chosen = generate.sample(chosen, arguments.sample)
    return chosen


def _show_messages(results: list[tuple[Test, Outcome]]) -> None:
    """Every failure with its message, then the kinds of "unsupported" with their counts."""
    for test, result in results:
        if result.status.failed:
            print(f"{result.status.value} {test.op} {test.name}: {result.message}")
    kinds: dict[tuple[str, str], int] = {}
    for test, result in results:
        if result.status is Status.UNSUPPORTED:
            # The same words for every shape.
            message = re.sub(r"tensor<(\d+x)+", "tensor<…x", result.message.split(": ", 1)[1])
            kinds[test.op, message] = kinds.get((test.op, message), 0) + 1
    for (op, message), count in sorted(kinds.items()):
        print(f"unsupported {op} ({count}): {message}")


def _write_json(path: Path, results: list[tuple[Test, Outcome]], settings: Settings) -> None:
    entries = []
    for test, result in results:
        folder = settings.work / test.op / test.name
        command = _command(test, settings, test.folder / "test.mlir", folder)
        entries.append(
            {
                "op": test.op,
                "name": test.name,
                "status": result.status.value,
                "message": result.message,
                "seconds": round(result.seconds, 3),
                "error_if": test.error_if,
                "command": [str(word) for word in command],
            }
        )
    report.write_json(path, entries)


def run(arguments: argparse.Namespace) -> int:
    """Runs the chosen tests; 0 when none of them failed."""
    options: list[str] = []
    for name in ("method", "p"):
        value = getattr(arguments, name)
        options += [f"--{name}", value] if value is not None else []
    settings = Settings(
        strumc=driver("strumc", arguments.strumc),
        options=tuple(options),
        timeout=arguments.timeout,
        work=arguments.cache.resolve() / "results",
        keep=arguments.keep,
    )
    chosen = _select(arguments)
    if not chosen:
        raise SetupError("no test was chosen")
    progress = report.Progress(len(chosen), "tests")
    results: list[tuple[Test, Outcome]] = []
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for test, result in zip(chosen, pool.map(lambda test: run_one(test, settings), chosen)):
            results.append((test, result))
            progress.step()
    columns = [Status.REFUSED, Status.HARMLESS] if arguments.negative else [Status.EXACT, Status.UNSUPPORTED]
    print(summary(results, columns))
    print()
    _show_messages(results)
    if arguments.json:
        _write_json(arguments.json, results, settings)
    failed = sum(result.status.failed for _, result in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main() -> int:
    """The entry point of tools/conformance/run."""
    try:
        return run(_arguments())
    except SetupError as error:
        print(f"tools/conformance/run: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
