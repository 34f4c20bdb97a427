"""Quality of the code that `strumc` generates: cycles and DRAM bytes of the benchmark networks against their bounds.

The bound of a layer is max(MACs / peak, compulsory bytes / bandwidth), its weights, inputs and outputs once being the
compulsory bytes. A network's bounds are the sums over its layers: `/bound` for cycles and `/once` for bytes; below 1
where layers overlap and tensors between them stay in SRAM. `/stay` is stricter: the bytes of the weights, the network's
input and its output alone. Energy is that of the machine file's unit energies. A line follows for every layer that takes more than 1.5 times its bound.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .graph import Layer, Net, Tensor
from .nets import NETS
from .tosa import write_tosa

# Layers above this multiple of their bound are explained.
FAR = 1.5


@dataclass(frozen=True)
class Bound:
    """Lower bounds for layers that run one by one: cycles and DRAM bytes."""

    macs: int
    bytes: int
    cycles: float


def size(tensor: Tensor) -> int:
    """Bytes of an activation."""
    return math.prod(tensor.shape)


def constant_bytes(layer: Layer) -> int:
    """Bytes of weights, and of bias, multiplier and shift of every channel."""
    return 0 if layer.weights is None or layer.bias is None else layer.weights.size + 9 * layer.bias.size


def bound(layer: Layer, machine: dict) -> Bound:
    """The bound of one layer; padding counts as work."""
    moved = constant_bytes(layer) + size(layer.output) + sum(size(x) for x in layer.inputs)
    peak = machine["rows"] * machine["cols"] * machine["lanes"]
    return Bound(layer.macs, moved, max(layer.macs / peak, moved / machine["dram_bytes_per_cycle"]))


def run(command: list[str]) -> None:
    """Runs a command; a failure ends the benchmark with the command's output."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nfailed with {done.returncode}:\n{done.stderr[-4000:]}")


def simulate(net: Net, drivers: Path, options: list[str], folder: Path) -> dict:
    """The simulator's report of a network on a random image."""
    text, program, image, report = (folder / f"{net.name}.{suffix}" for suffix in ("mlir", "dpu", "npy", "json"))
    with text.open("w") as out:
        write_tosa(net, out)
    np.save(image, np.random.default_rng(1).integers(-128, 128, net.input_shape, dtype=np.int8))
    run([str(drivers / "strumc"), "compile", "--quiet", str(text), "-o", str(program), *options])
    run([str(drivers / "dpu-sim"), "--quiet", str(program), "--input", str(image), "--report", str(report)])
    return json.loads(report.read_text())


def explain(layer: Layer, told: dict, least: Bound, own: int) -> str:
    """Why a layer exceeds its bound, from the activity of its engines."""
    busy = told["busy"]
    engine, cycles = max(busy.items(), key=lambda item: item[1])
    parts = [f"{engine} busy {cycles:,}"]
    if engine == "dpu" and layer.weights is not None:
        channels = layer.inputs[0].shape[3]
        if layer.kind == "depthwise":
            parts.append("depthwise: one of the lanes of a PE works")
        elif channels % 8:
            parts.append(f"{channels} input channels leave lanes idle")
        else:
            parts.append("ragged tiles, or SRAM or PPE rate")
    elif engine == "vec":
        parts.append("every scaling is two passes through the lanes")
    elif engine in ("dma0", "dma1"):
        parts.append("weights or tensors from DRAM, latency included")
    if own > 1.2 * cycles:
        parts.append(f"waits for its inputs and for SRAM {own - cycles:,}")
    return f"{own / least.cycles:5.2f} x  {told['name']:<20} {own:>9,} of {least.cycles:>9,.0f}: {', '.join(parts)}"


def own_cycles(layers: list[dict]) -> list[int]:
    """Cycles of each layer that do not overlap an earlier layer: they add up to the total."""
    own, end = [], 0
    for layer in layers:
        own.append(max(layer["end"] - max(layer["start"], end), 0))
        end = max(end, layer["end"])
    return own


def measure(name: str, machine: dict, args: argparse.Namespace, folder: Path) -> None:
    """Prints the figures of one network."""
    net = NETS[name]()
    report = simulate(net, args.drivers, args.options, folder)
    layers = [layer for layer in net.layers if layer.kind != "reshape"]
    bounds = [bound(layer, machine) for layer in layers]
    if len(layers) != len(report["layers"]):
        sys.exit(f"{name}: {len(report['layers'])} layers in the report, {len(layers)} in the network")
    cycles, least = report["cycles"], sum(b.cycles for b in bounds)
    moved = report["total"]["bytes"]["dram_read"] + report["total"]["bytes"]["dram_write"]
    compulsory = sum(b.bytes for b in bounds)
    stay = sum(map(constant_bytes, layers)) + size(net.input) + size(net.output)
    energy = report["total"]["energy_fj"]["total"] / 1e12
    ratios = f"{moved:>12,} {moved / compulsory:>6.2f} {moved / stay:>6.2f} {energy:>8.3f}"
    print(f"{name:<20} {cycles:>10,} {cycles / least:>6.2f} {ratios}")
    told = zip(layers, report["layers"], bounds, own_cycles(report["layers"]))
    for layer, own_report, own_bound, own in told:
        if own > FAR * own_bound.cycles and own > cycles / 1000:
            print(f"    {explain(layer, own_report, own_bound, own)}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/bench/quality", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drivers", type=Path, required=True, help="folder of strumc and dpu-sim")
    parser.add_argument("--machine", type=Path, default=Path("dialects/isa/machines/flexnn-16x16.toml"),
                        help="machine file (default: that of flexnn-16x16)")
    parser.add_argument("--net", nargs="+", choices=NETS, default=list(NETS), help="which networks (default: all)")
    parser.add_argument("--objective", choices=("latency", "energy", "edp", "bytes"), default="latency",
                        help="what plans minimize (default: latency)")
    parser.add_argument("options", nargs="*", help="options of strumc compile, after --")
    args = parser.parse_args()
    try:
        machine = tomllib.loads(args.machine.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        print(f"tools/bench/quality: {args.machine}: {error}", file=sys.stderr)
        return 1
    args.options = ["--machine", str(args.machine), "--objective", args.objective, *args.options]
    print(f"{'network':<20} {'cycles':>10} {'/bound':>6} {'DRAM bytes':>12} {'/once':>6} {'/stay':>6} {'mJ':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for name in args.net:
            measure(name, machine, args, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
