"""Measures PEs on gates, and writes docs/hardware.md with its drawings."""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path("docs/hardware.md")
DRAWING = Path("docs/hardware-{}.svg")
PES = "5,50,90,130,170,210,250"

# Vectors of a layer and PE that a trace holds, and products of a layer that are simulated.
TRACE_LIMIT = 512
PRODUCTS = 4096

# Weight formats of the search, as `strumc eval --config` has them.
FORMATS = [
    "mip2q,w=16",
    "mip2q,w=8",
    "mip2q,w=4",
    "mip2q,w=16,L=5",
    "mip2q,w=8,p=0.25",
    "mip2q,w=8,p=0.75",
    "dliq,w=8,q=4",
    "dliq,w=8,q=3",
    "dliq,w=8,p=0.75,q=4",
    "sparse,w=8",
]

# Formats whose PEs are built in every structure, on every library.
MATRIX_FORMATS = ["mip2q,w=16", "mip2q,w=8"]


@dataclass(frozen=True)
class Case:
    """A network, an input, and layers that are traced."""

    name: str
    network: str
    data: str
    sample: int
    layers: tuple[str, ...]


RESNET = ("15.conv2d", "18.conv2d", "28.conv2d", "36.conv2d", "43.conv2d")
CASES = [
    Case("resnet20-0", "resnet20", "inputs.npz:x", 0, RESNET),
    Case("resnet20-1", "resnet20", "inputs.npz:x", 7, RESNET),
    Case("lenet-0", "mnist_lenet", "seven.npy", 0, ("2.conv2d", "4.conv2d", "5.conv2d")),
]

# What the schedule of a traced layer holds from step to step, by which it stands for an operand order.
ORDERS = {
    "fresh (43.conv2d)": "43.conv2d",
    "weights held (36.conv2d)": "36.conv2d",
    "activations held (15.conv2d)": "15.conv2d",
}


@dataclass(frozen=True)
class Cells:
    """A cell library."""

    name: str
    title: str
    files: tuple[str, ...]
    period_ns: float


CELLS = [
    Cells("osu018", "osu018, 180 nm", (), 5.0),
    Cells("sky130hd", "sky130hd, 130 nm", ("sky130hd_tt.lib.gz",), 5.0),
    Cells(
        "asap7",
        "ASAP7, 7 nm predictive",
        tuple(f"asap7_rvt_tt_{part}.lib.gz" for part in ("AO", "INVBUF", "OA", "SEQ", "SIMPLE")),
        1.0,
    ),
]


def say(text: str) -> None:
    """Shows progress."""
    print(f"tools/hardware: {text}", file=sys.stderr, flush=True)


class Bench:
    """Runs the programs, and keeps what they give."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs = programs
        self.folder = folder
        digest = hashlib.sha256()
        for name in ("strumc", "dpu-sim"):
            digest.update((programs / name).read_bytes())
        self.traces = folder / f"traces-{digest.hexdigest()[:16]}"
        self.traces.mkdir(parents=True, exist_ok=True)

    def run(self, program: str, *arguments: str) -> str:
        """Runs a program; returns what it prints."""
        command = [str(self.programs / program), *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            sys.exit(f"tools/hardware: {' '.join(command)} failed")
        return done.stdout

    def sample(self, case: Case) -> str:
        """The input of a case: one sample, in a file of its own."""
        source = Path("models") / case.network / case.data.partition(":")[0]
        if case.sample == 0:
            return str(Path("models") / case.network / case.data)
        path = self.traces / f"{case.name}.npy"
        path.write_bytes(one(npy(source, case.data.partition(":")[2]), case.sample))
        return str(path)

    def trace(self, case: Case, weights: str) -> Path:
        """The trace of a case with weights of a format."""
        path = self.traces / f"{case.name}.{weights.replace('=', '').replace(',', '-').replace('.', '_')}.trace"
        if path.exists():
            return path
        say(f"tracing {case.name} with {weights} weights")
        method, *parameters = weights.split(",")
        options = [text for p in parameters for text in ("--" + p.split("=")[0], p.split("=")[1])]
        machine = "flexnn-16x16-dense" if method == "dense" else "flexnn-16x16"
        program, part = self.traces / "program.dpu", path.with_suffix(".part")
        network = f"models/{case.network}/model.tosa.mlirbc"
        self.run("strumc", "compile", "-q", network, "-o", str(program), "--machine", machine, "--method", method, *options)
        limits = ["--trace-limit", str(TRACE_LIMIT), "--trace-pes", PES, "--trace-layers", *case.layers]
        self.run("dpu-sim", str(program), "-q", "--input", self.sample(case), "--trace-pe", str(part), *limits)
        part.rename(path)
        return path

    def explore(self, name: str, cases: list[Case], formats: list[str], options: list[str]) -> dict[str, Any]:
        """What `strum-rtl explore` gives on these cases."""
        traces = [str(self.trace(case, weights)) for weights in ["dense", *formats] for case in cases]
        say(f"mapping and simulating: {name}")
        output = self.folder / f"{name}.json"
        results = ["--results", str(self.folder / "results"), "--products", str(PRODUCTS), "-o", str(output)]
        self.run("strum-rtl", "explore", "-q", "--trace", *traces, *results, *options)
        return load(output)

    def evaluate(self, name: str, network: str, samples: str) -> Path:
        """Accuracy of all formats on labelled samples."""
        path = self.folder / f"eval-{name}.json"
        say(f"evaluating {name}")
        configs = [text for weights in FORMATS for text in ("--config", weights)]
        arguments = ["eval", network, "--json", "--inputs", f"{samples}:x", "--labels", f"{samples}:y", *configs]
        path.write_text(self.run("strumc", *arguments))
        return path


def load(path: Path) -> dict[str, Any]:
    """A JSON object of a file."""
    value: dict[str, Any] = json.loads(path.read_text())
    return value


def npy(path: Path, key: str) -> bytes:
    """An array file, which may be in an archive."""
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            return archive.read(f"{key}.npy")
    return path.read_bytes()


def one(array: bytes, index: int) -> bytes:
    """One sample of an array of samples (NumPy format 1.0)."""
    length = int.from_bytes(array[8:10], "little")
    header = ast.literal_eval(array[10 : 10 + length].decode())
    shape = header["shape"]
    size = (len(array) - 10 - length) // shape[0]
    text = repr({**header, "shape": (1, *shape[1:])}).encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    start = 10 + length + index * size
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + array[start : start + size]


def change(ratio: float) -> str:
    """A ratio as a change in percent."""
    return f"{100 * (ratio - 1):+.1f}"


def table(head: list[str], rows: list[list[str]], numbers: int) -> str:
    """A table whose last `numbers` columns are numbers."""
    lines = ["| " + " | ".join(head) + " |"]
    left = len(head) - numbers
    lines.append("|" + "---|" * left + "---:|" * numbers)
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


LEVELS = [("datapath", "datapath"), ("pe_core", "PE without register files"), ("pe", "PE")]


def measure(bench: Bench, cells: Path | None, models: Path | None) -> dict[str, Any]:
    """All that the page shows."""
    accuracy = [bench.evaluate("mnist_lenet", "models/mnist_lenet/model.tosa.mlirbc", "models/mnist_lenet/digits_noisy.npz")]
    if models:
        accuracy.append(bench.evaluate("resnet20", "models/resnet20/model.tosa.mlirbc", str(models / "resnet20/test_q.npz")))
    results: dict[str, Any] = {"accuracy": {path.stem.removeprefix("eval-"): load(path) for path in accuracy}}
    search = ["--structures", "merged,pipelined", "--register-files", "latches"]
    search += ["--plot", str(DRAWING).format("osu018"), "--accuracy", *map(str, accuracy)]
    results["search"] = bench.explore("search-osu018", CASES, FORMATS, search)
    results["matrix"] = {}
    for library in CELLS:
        if library.files and not cells:
            continue
        files = [str(cells / file) for file in library.files] if cells else []
        liberty = ["--liberty", *files] if library.files else []
        options = ["--multipliers", "booth", "--register-files", "flip-flops", "--decodes", "step", *liberty]
        options += ["--period", str(library.period_ns)]
        results["matrix"][library.name] = bench.explore(f"matrix-{library.name}", CASES[:1], MATRIX_FORMATS, options)
    return results


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tools/hardware", description=__doc__)
    parser.add_argument("--cells", type=Path, help="folder with Liberty files of sky130hd and ASAP7, which are measured as well")
    parser.add_argument("--models", type=Path, help="folder with resnet20/test_q.npz, labelled samples (x, y) for the accuracy")
    parser.add_argument("--programs", type=Path, default=Path("target/release"), help="folder of strumc, dpu-sim and strum-rtl")
    args = parser.parse_args()
    for folder in (args.cells, args.models, args.programs):
        if folder and not folder.is_dir():
            parser.error(f"{folder} is not a folder")
    bench = Bench(args.programs, Path("target/hardware"))
    results = measure(bench, args.cells, args.models)
    (bench.folder / "all.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main()
