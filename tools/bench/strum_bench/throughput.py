"""Simulated images a second beside those of ONNX Runtime's INT8 on the same network, one thread each.

Both are measured in turns, so that they meet the same load. The simulator runs a batch with hazard checks and timing; its
rate counts the first, full simulation of the batch in.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime

from .emit import emit
from .nets import NETS

BIN = Path(__file__).resolve().parents[3] / "target" / "release"
METHODS = {"dense": ["--method", "dense"], "mip2q": ["--method", "mip2q", "--p", "0.5"]}


def peer(model: Path) -> tuple[onnxruntime.InferenceSession, dict[str, np.ndarray]]:
    """A session of one thread, and a random input for it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    kinds = {"tensor(uint8)": np.uint8, "tensor(int8)": np.int8, "tensor(float)": np.float32}
    feed = {}
    for x in session.get_inputs():
        shape = [d if isinstance(d, int) else 1 for d in x.shape]
        feed[x.name] = rng.integers(0, 100, shape).astype(kinds[x.type])
    return session, feed


def peer_seconds(session: onnxruntime.InferenceSession, feed: dict[str, np.ndarray]) -> float:
    """Seconds of one inference."""
    start = time.perf_counter()
    session.run(None, feed)
    return time.perf_counter() - start


def simulator_seconds(program: Path, inputs: Path) -> float:
    """Seconds of one image in a batch on one thread."""
    command = [str(BIN / "dpu-sim"), str(program), "--input", str(inputs), "--jobs", "1"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = re.search(r"simulated ([0-9.]+) a second", done.stdout)
    if found is None:
        raise RuntimeError(f"{' '.join(command)} printed no rate")
    return 1 / float(found.group(1))


def measure(name: str, rounds: int, samples: int, folder: Path) -> None:
    """Measures one network and prints a line for each side."""
    net = NETS[name]()
    session, feed = peer(emit(net, folder, "onnx"))
    network = emit(net, folder, "tosa")
    inputs = folder / f"{name}.npy"
    shape = (samples, *net.input.shape[1:])
    np.save(inputs, np.random.default_rng(0).integers(-128, 128, shape, dtype=np.int8))
    programs = {}
    for method, options in METHODS.items():
        programs[method] = folder / f"{name}.{method}.dpu"
        command = [str(BIN / "strumc"), "compile", str(network), "-o", str(programs[method]), *options]
        subprocess.run(command, check=True, capture_output=True)
    times: dict[str, list[float]] = {"ONNX Runtime": [], **{f"dpu-sim {m}": [] for m in METHODS}}
    peer_seconds(session, feed)
    for _ in range(rounds):
        times["ONNX Runtime"] += [peer_seconds(session, feed) for _ in range(samples)]
        for method, program in programs.items():
            times[f"dpu-sim {method}"].append(simulator_seconds(program, inputs))
    peer_best = min(times["ONNX Runtime"])
    for side, seconds in times.items():
        best, median = min(seconds), statistics.median(seconds)
        print(f"{name:<20} {side:<14} {1 / best:9.1f} {1 / median:9.1f} {net.macs / best / 1e9:9.1f} "
              f"{peer_best / best:7.2f}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/bench/throughput", description=__doc__)
    parser.add_argument("--net", nargs="+", choices=NETS, default=["resnet50", "mobilenet_v2"],
                        help="which networks (default: resnet50 mobilenet_v2)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of both sides (default: 5)")
    parser.add_argument("--samples", type=int, default=24, help="images of a turn (default: 24)")
    args = parser.parse_args()
    if args.rounds < 1 or args.samples < 2:
        parser.error("--rounds must be at least 1 and --samples at least 2")
    print(f"{'network':<20} {'':<14} {'img/s':>9} {'median':>9} {'GMAC/s':>9} {'ratio':>7}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in args.net:
            try:
                measure(name, args.rounds, args.samples, Path(folder))
            except subprocess.CalledProcessError as error:
                print(f"tools/bench/throughput: {name}: {error}\n{error.stderr}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
