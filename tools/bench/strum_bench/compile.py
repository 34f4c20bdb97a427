"""Compile time and memory of `strumc compile` compared with Vela on the same networks, in one run, on one core.

Peak memory is everything resident: pages of libraries and of the input file, which the kernel shares and can drop, count as
well. `own MB` is what it cannot drop: anonymous pages, the most that samples of one more run saw.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from .nets import NETS
from .tflite_file import write_tflite
from .tosa import write_tosa

# The Ethos-U with the same number of multipliers as the default machine.
VELA_MACHINE = "ethos-u85-2048"


@dataclass(frozen=True)
class Run:
    """Wall-clock seconds and peak resident bytes of a process."""

    seconds: float
    peak: int


def run(command: list[str]) -> Run:
    """Runs a command on one core; a failure ends the benchmark with the command's output."""
    with tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=lambda: os.sched_setaffinity(0, {0}))
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            log.seek(0)
            sys.exit(f"{' '.join(command)}\nfailed with {process.returncode}:\n{log.read().decode()[-4000:]}")
    return Run(seconds, usage.ru_maxrss * 1024)


def own_memory(command: list[str]) -> int:
    """Peak anonymous bytes of a process, sampled every few milliseconds; 0 if it ended before the first sample."""
    most = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            try:
                rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            except OSError:
                # It has ended in the meantime.
                continue
            fields = (line.split() for line in rollup.splitlines() if line.startswith("Anonymous:"))
            most = max(most, *(int(field[1]) * 1024 for field in fields), 0)
            time.sleep(0.002)
    return most


def write(name: str, text: Path, tflite: Path) -> None:
    """Writes a network for both compilers."""
    net = NETS[name]()
    with text.open("w") as out:
        write_tosa(net, out)
    write_tflite(net, tflite)


def measure(name: str, drivers: Path, options: list[str], runs: int, folder: Path) -> dict:
    """Compiles one network with both, alternating."""
    text, bytecode, tflite = (folder / f"{name}.{suffix}" for suffix in ("mlir", "mlirbc", "tflite"))
    # In a separate process: the memory of this one counts in the peaks of its children.
    writer = multiprocessing.get_context("spawn").Process(target=write, args=(name, text, tflite))
    writer.start()
    writer.join()
    if writer.exitcode != 0:
        sys.exit(f"{name} could not be written")
    run([str(drivers / "strum-opt"), str(text), "--emit-bytecode", "-o", str(bytecode)])
    text.unlink()
    vela = str(Path(sys.executable).with_name("vela"))
    starts = [run([tool, "--version"]).peak for tool in (str(drivers / "strumc"), vela)]
    ours, theirs = [], []
    program = str(folder / f"{name}.dpu")
    commands = (
        [str(drivers / "strumc"), "compile", str(bytecode), "-q", "-o", program, *options],
        [vela, "--accelerator-config", VELA_MACHINE, str(tflite), "--output-dir", str(folder / "vela")],
    )
    for _ in range(runs):
        ours.append(run(commands[0]))
        theirs.append(run(commands[1]))
    size = bytecode.stat().st_size
    own = [own_memory(command) for command in commands]
    summaries = [_summary(*measured, size) for measured in zip((ours, theirs), starts, own)]
    return {"network": name, "model_bytes": size, "strumc": summaries[0], "vela": summaries[1]}


def _summary(runs: list[Run], start: int, own: int, size: int) -> dict:
    """`start` is the peak of a process that only prints its version: shared library pages."""
    seconds = [r.seconds for r in runs]
    peak = max(r.peak for r in runs)
    return {"best_s": min(seconds), "median_s": statistics.median(seconds), "peak_bytes": peak, "start_bytes": start,
            "own_bytes": own, "peak_per_model": peak / size, "rest_per_model": (peak - start) / size,
            "own_per_model": own / size}


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/bench/compile", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drivers", type=Path, required=True, help="folder of strum-opt and strumc")
    parser.add_argument("--net", nargs="+", choices=NETS, default=["resnet50"], help="networks (default: resnet50)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each (default: 5)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--options", default="", help="more options for strumc compile, in one string")
    args = parser.parse_args()
    if args.runs < 1:
        parser.error("--runs must be at least 1")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in args.net:
            rows.append(measure(name, args.drivers, args.options.split(), args.runs, Path(folder)))
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    print(f"{'network':<20} {'compiler':<8} {'best s':>8} {'median s':>9} {'peak MB':>8} {'of model':>9} "
          f"{'start MB':>9} {'rest of model':>14} {'own MB':>7} {'of model':>9}")
    for row in rows:
        for who in ("strumc", "vela"):
            r = row[who]
            print(f"{row['network']:<20} {who:<8} {r['best_s']:>8.3f} {r['median_s']:>9.3f} "
                  f"{r['peak_bytes'] / 1e6:>8.1f} {r['peak_per_model']:>8.2f}x "
                  f"{r['start_bytes'] / 1e6:>9.1f} {r['rest_per_model']:>13.2f}x "
                  f"{r['own_bytes'] / 1e6:>7.1f} {r['own_per_model']:>8.2f}x")
        ratio = row["strumc"]["best_s"] / row["vela"]["best_s"]
        print(f"{row['network']:<20} strumc takes {ratio:.3f} of the time of vela ({VELA_MACHINE})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
