"""Cycles of whole networks, small ones above all, against one bound for each network.

The bound is max(MACs / peak of the units they can use, compulsory bytes / DRAM bandwidth + one DRAM latency). A depthwise
MAC can use one lane of a PE, any other one all of them; compulsory bytes are inputs, outputs and weights, once each, without
biases and scales. Beside it are the cycles in which the PEs, the vector engine (and no PE), a DMA (and neither of them) work,
and the rest; and the bound of a chain that nothing overlaps: the latency of the input, the MACs, the latency of the output.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

BYTES = {"i8": 1, "u8": 1, "i16": 2, "u16": 2, "i32": 4}


def call(command: list[str]) -> str:
    """The standard output of a command; a failure ends the benchmark with the command's errors."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nfailed with {done.returncode}:\n{done.stderr[-4000:]}")
    return done.stdout


def bytes_of(tensors: list[dict]) -> int:
    """Bytes of inputs or outputs."""
    return sum(math.prod(x["shape"]) * BYTES[x["dtype"]] for x in tensors)


def measure(net: Path, machine: dict, args: argparse.Namespace, folder: Path) -> str:
    """A line with the figures of one network."""
    program, report = folder / "net.dpu", folder / "net.json"
    options = ["--machine", str(args.machine), *args.options]
    told = json.loads(call([str(args.drivers / "strumc"), "compile", "--json", str(net), "-o", str(program), *options]))
    call([str(args.drivers / "strumc"), "run", "--quiet", "--timing-only", str(program), "--report", str(report)])
    run = json.loads(report.read_text())
    pes = machine["rows"] * machine["cols"]
    depthwise = sum(x["macs_stated"] for x in run["layers"] if "depthwise" in x["op"])
    macs = depthwise / pes + (told["macs"] - depthwise) / (pes * machine["lanes"])
    moved = told["weights"]["count"] + bytes_of(told["inputs"]) + bytes_of(told["outputs"])
    latency = machine["dram_latency_cycles"]
    least = max(macs, moved / machine["dram_bytes_per_cycle"] + latency)
    cycles, where = run["cycles"], run["total"]["elapsed"]
    parts = " ".join(f"{where[unit]:>8,}" for unit in ("dpu", "vec", "dma", "idle"))
    return f"{net.stem:<24} {cycles:>9,} {least:>9,.0f} {cycles / least:>6.2f} {macs + 2 * latency:>9,.0f} {parts}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/bench/small", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drivers", type=Path, required=True, help="folder of strumc")
    parser.add_argument("--machine", type=Path, default=Path("dialects/isa/machines/flexnn-16x16.toml"),
                        help="machine file (default: that of flexnn-16x16)")
    parser.add_argument("nets", nargs="+", type=Path, metavar="NET", help="networks: TFLite, ONNX or integer TOSA")
    parser.add_argument("--options", nargs="*", default=[], help="further options of strumc compile")
    args = parser.parse_args()
    try:
        machine = tomllib.loads(args.machine.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        print(f"tools/bench/small: {args.machine}: {error}", file=sys.stderr)
        return 1
    units = " ".join(f"{unit:>8}" for unit in ("PEs", "vector", "DMA", "rest"))
    print(f"{'network':<24} {'cycles':>9} {'bound':>9} {'/bound':>6} {'in a row':>9} {units}")
    with tempfile.TemporaryDirectory() as folder:
        for net in args.nets:
            print(measure(net, machine, args, Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
