"""Writes the benchmark networks to a folder."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from .graph import Net
from .nets import NETS
from .onnx_file import write_onnx
from .tosa import write_tosa


def emit(net: Net, folder: Path, kind: str) -> Path:
    """Writes `net` as `kind` (tosa or onnx) into `folder`, atomically; returns the file."""
    path = folder / f"{net.name}.{'mlir' if kind == 'tosa' else 'onnx'}"
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        if kind == "tosa":
            with part.open("w") as out:
                write_tosa(net, out)
        else:
            write_onnx(net, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/bench/networks", description=__doc__)
    parser.add_argument("folder", type=Path, help="output folder; created if missing")
    parser.add_argument("--net", nargs="+", choices=NETS, default=list(NETS), help="which networks (default: all)")
    parser.add_argument("--kind", nargs="+", choices=("tosa", "onnx"), default=("tosa",),
                        help="tosa: integer TOSA in MLIR text; onnx: quantized ONNX (default: tosa)")
    args = parser.parse_args()
    try:
        args.folder.mkdir(parents=True, exist_ok=True)
        for name in args.net:
            net = NETS[name]()
            weights = sum(layer.weights.size for layer in net.layers if layer.weights is not None)
            for kind in args.kind:
                print(f"{emit(net, args.folder, kind)}: {net.macs / 1e9:.3f} GMAC, {weights / 1e6:.3f} M weights")
    except OSError as error:
        print(f"tools/bench/networks: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
