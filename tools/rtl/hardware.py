"""Measures PEs on gates, and writes docs/hardware.md with its drawings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import hardware_text as text
from hardware_runs import ALL, CELLS, NETWORKS, SOME, Bench, Case, say

# Weight formats of the search, as `strumc eval --config` has them.
FORMATS = [
    "mip2q,w=16",
    "mip2q,w=8",
    "mip2q,w=8,p=0.75",
    "mip2q,w=4,p=0.75",
    "mip2q,w=8,p=0.875",
    "mip2q,w=8,p=0.875,L=6,zero=true",
    "dliq,w=8,p=0.75,q=4",
    "dliq,w=8,p=0.75,q=2",
    "dliq,w=4,p=0.75,q=2",
    "dliq,w=8,p=0.875,q=3",
    "dliq,w=8,p=0.875,q=2",
    "sparse,w=8",
]

# Formats whose losses show what no low member at all, or all of them, would mean; no PE is built for them.
BOUNDS = ["sparse,w=8,p=0.75", "mip2q,w=8,p=1", "dliq,w=8,p=1,q=4"]

# The format on which kinds and structures are compared, and how many formats enter the last round.
FIRST_FORMAT = "mip2q,w=8,p=0.75"
FINALISTS = 4
# Formats that are measured in other libraries.
ABROAD = 2

# Formats whose PEs are built in every structure, on every library.
MATRIX_FORMATS = ["mip2q,w=16", "mip2q,w=8"]

# Layers of networks with rounded weights, and of the shipped ones. A layer of each kind and order is in the first rounds.
COARSE = [Case("resnet20-0", "resnet20", "inputs.npz:x", 0, ("13.conv2d", "15.conv2d", "23.conv2d", "28.conv2d"), SOME, True)]
CONVOLUTIONS = ("5.conv2d", "13.conv2d", "15.conv2d", "23.conv2d", "28.conv2d")
FINE = [
    Case("resnet20-0", "resnet20", "inputs.npz:x", 0, CONVOLUTIONS, SOME, True),
    Case("resnet20-0-dense", "resnet20", "inputs.npz:x", 0, ("35.conv2d",), ALL, True),
    Case("resnet20-7", "resnet20", "inputs.npz:x", 7, CONVOLUTIONS, SOME, True),
    Case("lenet-0", "mnist_lenet", "seven.npy", 0, ("2.conv2d",), SOME, True),
    Case("lenet-0-dense", "mnist_lenet", "seven.npy", 0, ("5.conv2d",), ALL, True),
]
MATRIX = [
    Case("resnet20-0", "resnet20", "inputs.npz:x", 0, ("15.conv2d", "28.conv2d", "36.conv2d"), SOME, False),
    Case("resnet20-0-dense", "resnet20", "inputs.npz:x", 0, ("43.conv2d",), ALL, False),
]

# Products of a layer that are simulated.
FEW, MANY = 1024, 2048


def searched(bench: Bench, accuracy: list[str]) -> dict[str, Any]:
    """The rounds of the search in the first library."""
    usual = ["--register-files", "latches", *accuracy]
    structures = bench.explore("structures", COARSE, [FIRST_FORMAT], FEW, [*usual, "--decodes", "step"])
    designs = structures["comparison"]["designs"]
    # Of dense and of StruM's PEs, the structure and multiplier of least area times energy go on.
    best = [next(d for d in designs if (d["kind"] == "dense") == dense) for dense in (True, False)]
    shapes = [
        text for option in ("structure", "multiplier") for text in (f"--{option}s", ",".join(sorted({d[option] for d in best})))
    ]
    usual += [*shapes, "--kinds", "strum-static"]
    formats = bench.explore("formats", COARSE, FORMATS, FEW, [*usual, "--decodes", "step"])
    chosen = text.finalists(formats, FORMATS, FINALISTS)
    drawing = ["--plot", str(text.DRAWING).format("osu018")]
    final = bench.explore("final", FINE, chosen, MANY, [*usual, *drawing])
    abroad: dict[str, Any] = {}
    return {"structures": structures, "formats": formats, "final": final, "abroad": abroad, "shapes": shapes}


def measure(bench: Bench, cells: Path | None) -> dict[str, Any]:
    """All that the page shows."""
    results: dict[str, Any] = {"models": bench.models is not None, "accuracy": {}}
    options = []
    if bench.models:
        for network in NETWORKS:
            evaluation = bench.evaluate(bench.models, network, [*FORMATS, *BOUNDS])
            results["accuracy"][network.name] = evaluation
            options.append(str(text.losses(evaluation, bench.traces / f"{network.name}.losses.json")))
    accuracy = ["--accuracy", *options] if options else []
    results |= searched(bench, accuracy)
    usual = [*results.pop("shapes"), "--register-files", "latches", "--kinds", "strum-static", *accuracy]
    winners = text.finalists(results["final"], FORMATS, ABROAD)
    results["matrix"] = {}
    for library in CELLS:
        if library.files and not cells:
            continue
        measured = library.options(cells)
        if library.files:
            abroad = bench.explore(f"final-{library.name}", FINE, winners, MANY, [*usual, *measured])
            results["abroad"][library.name] = abroad
        options = ["--multipliers", "booth", "--register-files", "flip-flops", "--decodes", "step", "--low-lanes", "routed"]
        results["matrix"][library.name] = bench.explore(
            f"matrix-{library.name}", MATRIX, MATRIX_FORMATS, FEW, [*options, *measured]
        )
    return results


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tools/hardware", description=__doc__)
    parser.add_argument("--cells", type=Path, help="folder with Liberty files of sky130hd and ASAP7, which are measured as well")
    parser.add_argument(
        "--models",
        type=Path,
        help="folder of integer networks with labelled samples (NETWORK/test_q.npz); the folder float beside it has the float "
        "networks, whose weights are rounded for each format. Without it, the shipped networks are packed as they are",
    )
    parser.add_argument("--programs", type=Path, default=Path("target/release"), help="folder of strumc, dpu-sim and strum-rtl")
    args = parser.parse_args()
    for folder in (args.cells, args.models, args.programs):
        if folder and not folder.is_dir():
            parser.error(f"{folder} is not a folder")
    bench = Bench(args.programs, Path("target/hardware"), args.models)
    if args.models:
        for network in NETWORKS:
            files = [bench.floats(args.models) / f"{network.name}{part}" for part in (".tosa.mlirbc", "_calib.npz", "_test.npz")]
            files += [args.models / network.name / "test_q.npz"] if network.codes else []
            for file in files:
                if not file.is_file():
                    parser.error(f"there is no {file}")
    text.write(measure(bench, args.cells), text.command(args.cells, args.models))
    say(f"{text.PAGE} is written")


if __name__ == "__main__":
    main()
